/* SPDX-License-Identifier: MIT
 * tlb.c - see tlb.h.
 */
#include "models/mmu/tlb.h"

#include "models/base/bits.h"

#define INVALID UINT64_MAX

static const char *check_array(uint32_t entries, uint32_t ways)
{
    if (!entries)
        return NULL;
    if (!ways)
        return NULL;
    if (entries % ways)
        return "entries must be a multiple of the ways";
    if (!km_is_pow2(entries / ways))
        return "the number of sets must be a power of two";
    return NULL;
}

const char *km_tlb_check(const struct km_tlb_geom *g)
{
    const char *why = check_array(g->entries_4k, g->ways_4k);

    if (why)
        return why;
    if (!g->entries_4k && g->entries_large)
        return "large-page entries need 4 KiB entries beside them";
    return check_array(g->entries_large, g->ways_large);
}

uint32_t km_tlb_entries(const struct km_tlb_geom *g)
{
    return g->entries_4k + g->entries_large;
}

static void init_array(struct km_tlb_array *a, uint32_t entries, uint32_t ways,
                       struct km_tlb_entry *mem)
{
    a->entry = mem;
    a->ways = ways ? ways : entries;
    a->sets = entries ? entries / a->ways : 0;
    for (uint32_t i = 0; i < entries; i++)
        mem[i] = (struct km_tlb_entry){.vpn = INVALID};
}

void km_tlb_init(struct km_tlb *tlb, const struct km_tlb_geom *g, unsigned large_shift,
                 struct km_tlb_entry *entries)
{
    *tlb = (struct km_tlb){.large_shift = large_shift};
    init_array(&tlb->small, g->entries_4k, g->ways_4k, entries);
    init_array(&tlb->large, g->entries_large, g->ways_large, entries + g->entries_4k);
}

static struct km_tlb_entry *find_in(struct km_tlb_array *a, uint64_t va, unsigned shift)
{
    uint64_t vpn = va >> shift;
    struct km_tlb_entry *e = &a->entry[(vpn & (a->sets - 1)) * a->ways];

    for (uint32_t way = 0; way < a->ways; way++)
        if (e[way].vpn == vpn && e[way].shift == shift)
            return &e[way];
    return NULL;
}

struct km_tlb_entry *km_tlb_find(struct km_tlb *tlb, uint64_t va)
{
    if (!tlb->small.sets)
        return NULL;
    struct km_tlb_array *large = tlb->large.sets ? &tlb->large : &tlb->small;
    struct km_tlb_entry *e = find_in(large, va, tlb->large_shift);

    return e ? e : find_in(&tlb->small, va, KM_PAGE_SHIFT);
}

struct km_tlb_entry *km_tlb_set(struct km_tlb *tlb, uint64_t va, unsigned shift, uint32_t *ways)
{
    struct km_tlb_array *a = shift != KM_PAGE_SHIFT && tlb->large.sets ? &tlb->large : &tlb->small;

    *ways = a->ways;
    return &a->entry[((va >> shift) & (a->sets - 1)) * a->ways];
}

struct km_tlb_entry *km_tlb_victim(struct km_tlb *tlb, uint64_t va, unsigned shift)
{
    uint32_t ways;
    struct km_tlb_entry *e = km_tlb_set(tlb, va, shift, &ways), *oldest = e;

    for (uint32_t way = 0; way < ways; way++) {
        if (e[way].vpn == INVALID)
            return &e[way];
        if (e[way].stamp < oldest->stamp)
            oldest = &e[way];
    }
    return oldest;
}

struct km_tlb_entry *km_tlb_invalidate(struct km_tlb *tlb, uint64_t va)
{
    struct km_tlb_entry *e = km_tlb_find(tlb, va);

    if (e)
        e->vpn = INVALID;
    return e;
}

static void flush_array(struct km_tlb_array *a, bool keep_global)
{
    for (uint32_t i = 0; i < a->sets * a->ways; i++)
        if (!keep_global || !a->entry[i].global)
            a->entry[i].vpn = INVALID;
}

void km_tlb_flush(struct km_tlb *tlb, bool keep_global)
{
    flush_array(&tlb->small, keep_global);
    flush_array(&tlb->large, keep_global);
    tlb->flushes++;
}
