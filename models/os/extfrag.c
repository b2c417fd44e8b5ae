/* SPDX-License-Identifier: MIT
 * extfrag.c - the indexes of debugfs extfrag/extfrag_index and extfrag/unusable_index.
 *
 * For order o: F = free pages, B = free blocks of all orders, S_o = blocks of at least 2^o pages counted in
 * units of 2^o pages. index = 1000 - (1000 + F*1000/2^o) / B; unusable = (F - S_o*2^o) * 1000 / F. All divisions
 * truncate. An empty zone counts as 0 (index) and 1000 (unusable).
 * References: kernel-behaviour notes I1 to I4; M. Gorman, A. Whitcroft, "The What, The Why and the Where To of
 * Anti-Fragmentation" (OLS 2006).
 */
#include "models/os/extfrag.h"

#include "models/os/zone.h"

#include <string.h>

static uint64_t free_pages(const uint64_t nr_free[KM_NR_ORDERS])
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

int32_t km_extfrag_index(const uint64_t nr_free[KM_NR_ORDERS], unsigned order)
{
    uint64_t blocks = 0;

    for (unsigned o = 0; o < KM_NR_ORDERS; o++)
        blocks += nr_free[o];
    if (!blocks)
        return 0;
    if (suitable_blocks(nr_free, order))
        return -1000;
    return 1000 - (int32_t)((1000 + ((free_pages(nr_free) * 1000) >> order)) / blocks);
}

int32_t km_extfrag_unusable(const uint64_t nr_free[KM_NR_ORDERS], unsigned order)
{
    uint64_t pages = free_pages(nr_free);

    if (!pages)
        return 1000;
    return (int32_t)((pages - (suitable_blocks(nr_free, order) << order)) * 1000 / pages);
}

unsigned km_extfrag_for_order(const uint64_t nr_free[KM_NR_ORDERS], unsigned order)
{
    uint64_t pages = free_pages(nr_free);

    return pages ? (unsigned)((pages - (suitable_blocks(nr_free, order) << order)) * 100 / pages) : 0;
}

void km_extfrag_counts(struct km_os *os, struct km_cpu *cpu, enum km_zone_id z, uint64_t nr_free[KM_NR_ORDERS])
{
    for (unsigned o = 0; o < KM_NR_ORDERS; o++)
        nr_free[o] = km_ld32(cpu, km_free_area_va(&os->zone[z], o) + KM_FREE_AREA_NR_FREE);
}

/* "%2d.%03d " of the quotient and the remainder by 1000, each with its own sign as the kernel prints them. */
static char *put_thousandths(char *p, int32_t value)
{
    int32_t whole = value / 1000, part = value % 1000, digits = part < 0 ? -part : part;

    *p++ = whole < 0 ? '-' : ' ';
    *p++ = (char)('0' + (whole < 0 ? -whole : whole));
    *p++ = '.';
    if (part < 0)
        *p++ = '-';
    if (part >= 0 || digits >= 100)
        *p++ = (char)('0' + digits / 100);
    *p++ = (char)('0' + digits / 10 % 10);
    *p++ = (char)('0' + digits % 10);
    *p++ = ' ';
    return p;
}

size_t km_extfrag_line(char *out, const char *zone, const uint64_t nr_free[KM_NR_ORDERS], bool unusable)
{
    static const char head[] = "Node 0, zone ";
    size_t name = strlen(zone);
    char *p = out;

    memcpy(p, head, sizeof(head) - 1);
    p += sizeof(head) - 1;
    for (size_t pad = name; pad < 8; pad++)
        *p++ = ' ';
    memcpy(p, zone, name < 16 ? name : 16);
    p += name < 16 ? name : 16;
    *p++ = ' ';
    for (unsigned o = 0; o < KM_NR_ORDERS; o++)
        p = put_thousandths(p, unusable ? km_extfrag_unusable(nr_free, o) : km_extfrag_index(nr_free, o));
    *p++ = '\n';
    *p = '\0';
    return (size_t)(p - out);
}
