/* SPDX-License-Identifier: MIT
 * frag.c - the indexes of the report are those the allocator itself decides by (models/os/extfrag.c).
 */
#include "sim/report/frag.h"

#include "models/os/extfrag.h"

uint64_t km_frag_free_pages(const uint64_t nr_free[KM_NR_ORDERS])
{
    uint64_t pages = 0;

    for (unsigned o = 0; o < KM_NR_ORDERS; o++)
        pages += nr_free[o] << o;
    return pages;
}

int32_t km_frag_extfrag_index(const uint64_t nr_free[KM_NR_ORDERS], unsigned order)
{
    return km_extfrag_index(nr_free, order);
}

int32_t km_frag_unusable_index(const uint64_t nr_free[KM_NR_ORDERS], unsigned order)
{
    return km_extfrag_unusable(nr_free, order);
}
