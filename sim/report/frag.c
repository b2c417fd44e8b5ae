/* SPDX-License-Identifier: MIT
 * frag.c - the indexes of debugfs extfrag/extfrag_index and extfrag/unusable_index.
 *
 * For order o: F = free pages, B = free blocks of all orders, S_o = blocks of at least 2^o pages
 * counted in units of 2^o pages. extfrag = 1000 - (1000 + F*1000/2^o) / B; unusable = (F - S_o*2^o)
 * * 1000 / F. All divisions truncate. An empty zone counts as 0 (extfrag) and 1000 (unusable).
 * References: M. Gorman, A. Whitcroft, "The What, The Why and the Where To of Anti-Fragmentation"
 * (OLS 2006).
 */
#include "sim/report/frag.h"

uint64_t km_frag_free_pages(const uint64_t nr_free[KM_NR_ORDERS])
{
    uint64_t pages = 0;

    for (unsigned o = 0; o < KM_NR_ORDERS; o++)
        pages += nr_free[o] << o;
    return pages;
}

static uint64_t suitable_blocks(const uint64_t nr_free[KM_NR_ORDERS], unsigned order)
{
    uint64_t blocks = 0;

    for (unsigned o = order; o < KM_NR_ORDERS; o++)
        blocks += nr_free[o] << (o - order);
    return blocks;
}

int32_t km_frag_extfrag_index(const uint64_t nr_free[KM_NR_ORDERS], unsigned order)
{
    uint64_t blocks = 0;

    for (unsigned o = 0; o < KM_NR_ORDERS; o++)
        blocks += nr_free[o];
    if (!blocks)
        return 0;
    if (suitable_blocks(nr_free, order))
        return -1000;
    return 1000 - (int32_t)((1000 + ((km_frag_free_pages(nr_free) * 1000) >> order)) / blocks);
}

int32_t km_frag_unusable_index(const uint64_t nr_free[KM_NR_ORDERS], unsigned order)
{
    uint64_t pages = km_frag_free_pages(nr_free);

    if (!pages)
        return 1000;
    return (int32_t)((pages - (suitable_blocks(nr_free, order) << order)) * 1000 / pages);
}
