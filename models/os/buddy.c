/* SPDX-License-Identifier: MIT
 * buddy.c - binary buddy allocator of one zone, with migratetypes.
 *
 * Models:      1. A block of order o starts at a multiple of 2^o; its buddy differs in bit o only.
 *              2. Freeing merges with the buddy while that is a free block of the same order, then files
 *                 the result under the type of the freed page: at the head of its list, or at the tail if
 *                 the next merge is likely (the parent's buddy is free) or the caller says so.
 *              3. Taking uses the head of the smallest sufficient list of the type; the upper half of each
 *                 split goes to the head of its list, so the caller gets the lowest pages.
 *              4. If the type has nothing, a donor is chosen largest order first (smallest first for small
 *                 movable requests), and the whole pageblock changes hands if enough of it is alike.
 *              5. Stealing below pageblock order boosts the zone's watermark.
 * Not modelled: CMA, isolation accounting.
 * Invariants:  km_buddy_check: list links sound; a listed page is marked free and carries its order; blocks
 *              aligned, inside the zone, disjoint, never two free buddies of the same order below the
 *              largest (unless their types forbid merging); nr_free and nr_free_pages agree with the lists.
 * Bound:       a first-fit buddy system serving blocks up to n pages from M live pages needs at most
 *              M(1 + log2(n)/2) pages when all blocks are of one type (Robson, J. ACM 18(3), 1971). These
 *              lists are last in, first out: not a guarantee, but they stay within 1/64 of it against
 *              Robson's adversary (tests/unit/os/test_page_alloc_prop.c).
 * Units:       orders are log2(pages).
 * References:  Knowlton, CACM 8(10), 1965; kernel-behaviour notes C1, C3, C4, C5.
 */
#include "models/os/buddy.h"

#include "models/base/bits.h"
#include "models/base/bug.h"

#define MAX_ORDER (KM_NR_ORDERS - 1)

static const struct km_site site_free = {"__free_one_page", 0xc1291000u, 640};
static const struct km_site site_take = {"__rmqueue_smallest", 0xc1291400u, 384};
static const struct km_site site_steal = {"steal_suitable_fallback", 0xc1291800u, 704};

/* Donors of each type, best first. */
static const enum km_migratetype donors[KM_MT_PCP_TYPES][2] = {
    [KM_MT_UNMOVABLE] = {KM_MT_RECLAIMABLE, KM_MT_MOVABLE},
    [KM_MT_MOVABLE] = {KM_MT_RECLAIMABLE, KM_MT_UNMOVABLE},
    [KM_MT_RECLAIMABLE] = {KM_MT_UNMOVABLE, KM_MT_MOVABLE},
};

static void count_blocks(struct km_cpu *cpu, const struct km_zone *zone, unsigned order, int delta)
{
    km_vaddr va = km_free_area_va(zone, order) + KM_FREE_AREA_NR_FREE;

    km_st32(cpu, va, km_ld32(cpu, va) + (uint32_t)delta);
}

static void file_block(struct km_os *os, struct km_cpu *cpu, enum km_zone_id z, km_pfn pfn, unsigned order,
                       enum km_migratetype mt, bool to_tail)
{
    const struct km_zone *zone = &os->zone[z];
    km_vaddr page = km_page_va(os, pfn), head = km_free_list_va(zone, order, mt);

    km_st32(cpu, page + KM_PAGE_PRIVATE, order);
    km_st32(cpu, page + KM_PAGE_TYPE, KM_PAGE_TYPE_BUDDY);
    if (to_tail)
        km_list_add_tail(cpu, page + KM_PAGE_LRU, head);
    else
        km_list_add(cpu, page + KM_PAGE_LRU, head);
    count_blocks(cpu, zone, order, 1);
}

static void unfile_block(struct km_os *os, struct km_cpu *cpu, enum km_zone_id z, km_pfn pfn, unsigned order)
{
    km_vaddr page = km_page_va(os, pfn);

    km_list_del(cpu, page + KM_PAGE_LRU);
    km_st32(cpu, page + KM_PAGE_TYPE, KM_PAGE_TYPE_NONE);
    km_st32(cpu, page + KM_PAGE_PRIVATE, 0);
    count_blocks(cpu, &os->zone[z], order, -1);
}

void km_buddy_add(struct km_os *os, struct km_cpu *cpu, enum km_zone_id z, km_pfn pfn, unsigned order,
                  enum km_migratetype mt, bool to_tail)
{
    file_block(os, cpu, z, pfn, order, mt, to_tail);
    km_zone_add_free(cpu, &os->zone[z], 1 << order);
}

void km_buddy_del(struct km_os *os, struct km_cpu *cpu, enum km_zone_id z, km_pfn pfn, unsigned order)
{
    unfile_block(os, cpu, z, pfn, order);
    km_zone_add_free(cpu, &os->zone[z], -(1 << order));
}

/* Is pfn the head of a free block of exactly this order, in this zone? */
static bool is_free_block(struct km_os *os, struct km_cpu *cpu, enum km_zone_id z, km_pfn pfn, unsigned order)
{
    const struct km_zone *zone = &os->zone[z];

    if (pfn < zone->start_pfn || pfn >= zone->end_pfn)
        return false;
    km_vaddr page = km_page_va(os, pfn);

    return km_ld32(cpu, page + KM_PAGE_TYPE) == KM_PAGE_TYPE_BUDDY &&
           km_ld32(cpu, page + KM_PAGE_PRIVATE) == order;
}

/* Whole pageblocks merge only if both types are ordinary or equal. */
static bool types_may_merge(struct km_os *os, struct km_cpu *cpu, enum km_zone_id z, km_pfn a, km_pfn b)
{
    enum km_migratetype ta = km_pageblock_type(os, cpu, z, a), tb = km_pageblock_type(os, cpu, z, b);

    return ta == tb || (ta < KM_MT_PCP_TYPES && tb < KM_MT_PCP_TYPES);
}

static bool merge_is_likely(struct km_os *os, struct km_cpu *cpu, enum km_zone_id z, km_pfn pfn, unsigned order)
{
    if (order >= MAX_ORDER - 1)
        return false;
    km_pfn parent = pfn & ~(1u << order);

    return is_free_block(os, cpu, z, parent ^ (2u << order), order + 1);
}

/* Is this the block the CPU's direct compaction works for? Small requests of other types get none of the
 * MOVABLE pageblocks. */
static bool captured(struct km_os *os, struct km_cpu *cpu, enum km_zone_id z, km_pfn pfn, unsigned order,
                     enum km_migratetype mt)
{
    struct km_capture *c = os->capture[cpu->id];

    if (KM_LIKELY(!c) || c->pfn != KM_PFN_NONE || c->zone != z || c->order != order || mt == KM_MT_ISOLATE)
        return false;
    if (order < os->p.pageblock_order && mt == KM_MT_MOVABLE && c->mt != KM_MT_MOVABLE)
        return false;
    c->pfn = pfn;
    return true;
}

void km_buddy_free(struct km_os *os, struct km_cpu *cpu, enum km_zone_id z, km_pfn pfn, unsigned order,
                   enum km_migratetype mt, bool to_tail)
{
    km_zone_add_free(cpu, &os->zone[z], 1 << order);
    km_exec(cpu, &site_free, 40);
    while (order < MAX_ORDER) {
        km_pfn buddy = pfn ^ (1u << order);

        if (captured(os, cpu, z, pfn, order, mt)) {
            km_zone_add_free(cpu, &os->zone[z], -(1 << order));
            return;
        }
        if (!is_free_block(os, cpu, z, buddy, order))
            break;
        if (order >= os->p.pageblock_order && !types_may_merge(os, cpu, z, pfn, buddy))
            break;
        unfile_block(os, cpu, z, buddy, order);
        km_exec(cpu, &site_free, 18);
        pfn &= buddy;
        order++;
    }
    file_block(os, cpu, z, pfn, order, mt, to_tail || merge_is_likely(os, cpu, z, pfn, order));
}

/* Splits a block already taken from order `from` down to `to`; upper halves go to the heads of their lists. */
static void split_down(struct km_os *os, struct km_cpu *cpu, enum km_zone_id z, km_pfn pfn, unsigned from,
                       unsigned to, enum km_migratetype mt)
{
    while (from > to) {
        from--;
        file_block(os, cpu, z, pfn + (1u << from), from, mt, false);
        km_exec(cpu, &site_take, 14);
    }
}

static void carved(struct km_os *os, struct km_cpu *cpu, km_pfn pfn, unsigned order,
                   enum km_migratetype mt)
{
    km_st32(cpu, km_page_va(os, pfn) + KM_PAGE_INDEX, mt);
    km_exec(cpu, &site_take, 48);
    km_trace_tp(os, cpu,
                &(struct km_tp){.kind = KM_TP_ZONE_LOCKED,
                                .pfn = pfn,
                                .order = (uint8_t)order,
                                .migratetype = (uint8_t)mt,
                                .flag = km_pcp_covers(os, order) && mt < KM_MT_PCP_TYPES});
}

static km_pfn take_own(struct km_os *os, struct km_cpu *cpu, enum km_zone_id z, unsigned order,
                       enum km_migratetype mt, bool counted)
{
    for (unsigned o = order; o < KM_NR_ORDERS; o++) {
        km_vaddr head = km_free_list_va(&os->zone[z], o, mt);
        km_vaddr node = km_list_first(cpu, head);

        km_exec(cpu, &site_take, 6);
        if (node == head)
            continue;
        km_pfn pfn = km_page_pfn(os, node - KM_PAGE_LRU);

        unfile_block(os, cpu, z, pfn, o);
        split_down(os, cpu, z, pfn, o, order, mt);
        if (counted)
            km_zone_add_free(cpu, &os->zone[z], -(1 << order));
        carved(os, cpu, pfn, order, mt);
        return pfn;
    }
    return KM_PFN_NONE;
}

km_pfn km_buddy_take_own(struct km_os *os, struct km_cpu *cpu, enum km_zone_id z, unsigned order,
                         enum km_migratetype mt)
{
    return take_own(os, cpu, z, order, mt, true);
}

static void move_block(struct km_os *os, struct km_cpu *cpu, enum km_zone_id z, km_pfn pfn, unsigned order,
                       enum km_migratetype mt)
{
    km_vaddr node = km_page_va(os, pfn) + KM_PAGE_LRU;

    km_list_del(cpu, node);
    km_list_add_tail(cpu, node, km_free_list_va(&os->zone[z], order, mt));
}

/* Moves every free block of the pageblock to the tails of mt's lists; counts free pages and occupied pages
 * that are movable. Returns 0 if the zone's border forbids it. */
static uint32_t move_pageblock(struct km_os *os, struct km_cpu *cpu, enum km_zone_id z, km_pfn pfn,
                               enum km_migratetype mt, uint32_t *movable)
{
    const struct km_zone *zone = &os->zone[z];
    km_pfn start = pfn & ~(km_pageblock_pages(os) - 1), end = start + km_pageblock_pages(os);
    uint32_t moved = 0;

    *movable = 0;
    if (start < zone->start_pfn)
        start = pfn;
    if (end > zone->end_pfn)
        return 0;
    for (km_pfn p = start; p < end;) {
        km_vaddr page = km_page_va(os, p);

        km_exec(cpu, &site_steal, 8);
        if (km_ld32(cpu, page + KM_PAGE_TYPE) != KM_PAGE_TYPE_BUDDY) {
            *movable += (km_ld32(cpu, page + KM_PAGE_FLAGS) & KM_PG_LRU) != 0;
            p++;
            continue;
        }
        unsigned order = km_ld32(cpu, page + KM_PAGE_PRIVATE);

        move_block(os, cpu, z, p, order, mt);
        p += 1u << order;
        moved += 1u << order;
    }
    return moved;
}

uint32_t km_buddy_move_pageblock(struct km_os *os, struct km_cpu *cpu, enum km_zone_id z, km_pfn pfn,
                                 enum km_migratetype mt)
{
    uint32_t movable;

    return move_pageblock(os, cpu, z, pfn, mt, &movable);
}

static void boost_watermark(struct km_os *os, struct km_cpu *cpu, enum km_zone_id z, unsigned alloc_flags)
{
    const km_vaddr va = os->zone[z].va;
    uint32_t block = km_pageblock_pages(os);
    uint32_t high = km_ld32(cpu, va + KM_ZONE_WATERMARK + KM_WMARK_HIGH * 4);

    if (!os->p.watermark_boost_factor || km_ld32(cpu, va + KM_ZONE_MANAGED) < 4 * block)
        return;
    uint64_t max = (uint64_t)high * os->p.watermark_boost_factor / 10000;

    if (!max)
        return;
    max = km_max_u64(max, block);
    uint64_t boost = (uint64_t)km_ld32(cpu, va + KM_ZONE_BOOST) + block;

    km_st32(cpu, va + KM_ZONE_BOOST, (uint32_t)km_min_u64(boost, max));
    if (alloc_flags & KM_ALLOC_KSWAPD)
        km_rmw32(cpu, va + KM_ZONE_FLAGS, KM_RMW_OR, KM_ZONE_BOOSTED, 0);
}

static bool may_steal_block(const struct km_os *os, unsigned order, enum km_migratetype wanted)
{
    return order >= os->p.pageblock_order || order >= os->p.pageblock_order / 2 ||
           (wanted == KM_MT_UNMOVABLE && os->p.personality->fallback_unmovable_steals) ||
           wanted == KM_MT_RECLAIMABLE || !os->mobility_grouping;
}

static void steal(struct km_os *os, struct km_cpu *cpu, enum km_zone_id z, km_pfn pfn, unsigned order,
                  enum km_migratetype wanted, bool whole, unsigned alloc_flags)
{
    enum km_migratetype old = km_pageblock_type(os, cpu, z, pfn);
    uint32_t movable, alike = 0, half = km_pageblock_pages(os) / 2;

    if (old == KM_MT_HIGHATOMIC) {
        move_block(os, cpu, z, pfn, order, wanted);
        return;
    }
    if (order >= os->p.pageblock_order) {
        for (km_pfn p = pfn; p < pfn + (1u << order); p += km_pageblock_pages(os))
            km_pageblock_set_type(os, cpu, z, p, wanted);
        move_block(os, cpu, z, pfn, order, wanted);
        return;
    }
    boost_watermark(os, cpu, z, alloc_flags);
    uint32_t free = whole ? move_pageblock(os, cpu, z, pfn, wanted, &movable) : 0;

    if (!free) {
        move_block(os, cpu, z, pfn, order, wanted);
        return;
    }
    if (!os->p.personality->fallback_counts_alike)
        alike = 0;
    else if (wanted == KM_MT_MOVABLE)
        alike = movable;
    else if (old == KM_MT_MOVABLE)
        alike = km_pageblock_pages(os) - free - movable;
    if (free + alike >= half || !os->mobility_grouping)
        km_pageblock_set_type(os, cpu, z, pfn, wanted);
}

/* First donor type with a block of this order; KM_MT_NR if none. */
static enum km_migratetype donor_at(struct km_os *os, struct km_cpu *cpu, enum km_zone_id z, unsigned order,
                                    enum km_migratetype wanted)
{
    const struct km_zone *zone = &os->zone[z];

    km_exec(cpu, &site_steal, 10);
    if (!km_ld32(cpu, km_free_area_va(zone, order) + KM_FREE_AREA_NR_FREE))
        return KM_MT_NR;
    for (unsigned i = 0; i < 2; i++)
        if (!km_list_empty(cpu, km_free_list_va(zone, order, donors[wanted][i])))
            return donors[wanted][i];
    return KM_MT_NR;
}

bool km_buddy_could_serve(struct km_os *os, struct km_cpu *cpu, enum km_zone_id z, unsigned order,
                          enum km_migratetype mt)
{
    if (!km_ld32(cpu, km_free_area_va(&os->zone[z], order) + KM_FREE_AREA_NR_FREE))
        return false;
    return !km_list_empty(cpu, km_free_list_va(&os->zone[z], order, mt)) ||
           (mt < KM_MT_PCP_TYPES && may_steal_block(os, order, mt) && donor_at(os, cpu, z, order, mt) != KM_MT_NR);
}

/* What a fallback found. */
struct donation {
    km_pfn pfn;
    unsigned order;
    enum km_migratetype donor;
    bool whole; /* its pageblock was asked for */
};

/* Moves a donor's block (or pageblock) to the requester's lists; false if no type can give. */
static bool fall_back(struct km_os *os, struct km_cpu *cpu, enum km_zone_id z, unsigned order,
                      enum km_migratetype wanted, unsigned alloc_flags, struct donation *found)
{
    enum km_migratetype donor = KM_MT_NR;
    unsigned o = KM_NR_ORDERS;

    while (o-- > order) {
        donor = donor_at(os, cpu, z, o, wanted);
        if (donor != KM_MT_NR)
            break;
    }
    if (donor == KM_MT_NR)
        return false;
    bool whole = may_steal_block(os, o, wanted);

    if (!whole && wanted == KM_MT_MOVABLE && o > order && os->p.personality->fallback_smallest_movable) {
        for (o = order; o < KM_NR_ORDERS; o++) {
            donor = donor_at(os, cpu, z, o, wanted);
            if (donor != KM_MT_NR)
                break;
        }
        KM_BUG_ON(donor == KM_MT_NR);
        whole = may_steal_block(os, o, wanted);
    }
    km_pfn pfn = km_page_pfn(os, km_list_first(cpu, km_free_list_va(&os->zone[z], o, donor)) - KM_PAGE_LRU);

    steal(os, cpu, z, pfn, o, wanted, whole, alloc_flags);
    km_trace_tp(os, cpu,
                &(struct km_tp){.kind = KM_TP_EXTFRAG,
                                .pfn = pfn,
                                .order = (uint8_t)order,
                                .fallback_order = (uint8_t)o,
                                .migratetype = (uint8_t)wanted,
                                .fallback_migratetype = (uint8_t)donor,
                                .flag = km_pageblock_type(os, cpu, z, pfn) == wanted});
    *found = (struct donation){pfn, o, donor, whole};
    return true;
}

/* Older kernels split the donated block itself instead of trying their lists again. */
static km_pfn take_donation(struct km_os *os, struct km_cpu *cpu, enum km_zone_id z, unsigned order,
                            enum km_migratetype mt, const struct donation *d, bool counted)
{
    bool rest_stays = os->p.personality->fallback_rest_to_donor && !d->whole;

    unfile_block(os, cpu, z, d->pfn, d->order);
    split_down(os, cpu, z, d->pfn, d->order, order, rest_stays ? d->donor : mt);
    if (counted)
        km_zone_add_free(cpu, &os->zone[z], -(1 << order));
    carved(os, cpu, d->pfn, order, mt);
    return d->pfn;
}

km_pfn km_buddy_take(struct km_os *os, struct km_cpu *cpu, enum km_zone_id z, unsigned order,
                     enum km_migratetype mt, unsigned alloc_flags)
{
    for (;;) {
        if (KM_UNLIKELY(os->carve.choose)) {
            km_pfn chosen = os->carve.choose(os->carve.ctx, cpu, z, order, mt);

            if (chosen != KM_PFN_NONE && km_buddy_take_at(os, cpu, z, chosen, order, mt)) {
                if (alloc_flags & KM_ALLOC_UNCOUNTED)
                    km_zone_add_free(cpu, &os->zone[z], 1 << order);
                carved(os, cpu, chosen, order, mt);
                return chosen;
            }
        }
        km_pfn pfn = take_own(os, cpu, z, order, mt, !(alloc_flags & KM_ALLOC_UNCOUNTED));

        if (pfn != KM_PFN_NONE)
            return pfn;
        struct donation d;

        if (mt >= KM_MT_PCP_TYPES || !fall_back(os, cpu, z, order, mt, alloc_flags, &d))
            return KM_PFN_NONE;
        if (os->p.personality->fallback_takes_found)
            return take_donation(os, cpu, z, order, mt, &d, !(alloc_flags & KM_ALLOC_UNCOUNTED));
    }
}

km_pfn km_buddy_next(const struct km_os *os, const uint8_t *window, enum km_zone_id z, unsigned order,
                     enum km_migratetype mt)
{
    for (unsigned o = order; o < KM_NR_ORDERS; o++) {
        km_vaddr head = km_free_list_va(&os->zone[z], o, mt), node = km_peek32(window, head);

        if (node != head)
            return km_page_pfn(os, node - KM_PAGE_LRU);
    }
    return KM_PFN_NONE;
}

bool km_buddy_find(const struct km_os *os, const uint8_t *window, km_pfn pfn, km_pfn *head, unsigned *order)
{
    for (unsigned o = 0; o < KM_NR_ORDERS; o++) {
        km_pfn start = pfn & ~((1u << o) - 1);

        if (start < os->mem_map_pfn || start >= os->mem_map_end)
            continue;
        km_vaddr page = km_page_va(os, start);

        if (km_peek32(window, page + KM_PAGE_TYPE) != KM_PAGE_TYPE_BUDDY)
            continue;
        unsigned have = km_peek32(window, page + KM_PAGE_PRIVATE);

        if (have < o)
            return false;
        *head = start;
        *order = have;
        return true;
    }
    return false;
}

bool km_buddy_take_at(struct km_os *os, struct km_cpu *cpu, enum km_zone_id z, km_pfn pfn, unsigned order,
                      enum km_migratetype mt)
{
    km_pfn head;
    unsigned have;

    if (!km_buddy_find(os, cpu->window, pfn, &head, &have) || have < order)
        return false;
    unfile_block(os, cpu, z, head, have);
    while (have > order) {
        have--;
        km_pfn upper = head + (1u << have);
        bool want_upper = pfn >= upper;

        file_block(os, cpu, z, want_upper ? head : upper, have, mt, false);
        if (want_upper)
            head = upper;
    }
    km_zone_add_free(cpu, &os->zone[z], -(1 << order));
    return true;
}

void km_buddy_count(const struct km_os *os, const uint8_t *window, enum km_zone_id z,
                    uint64_t nr_free[KM_NR_ORDERS], uint64_t (*types)[KM_NR_ORDERS])
{
    const struct km_zone *zone = &os->zone[z];

    for (unsigned o = 0; o < KM_NR_ORDERS; o++) {
        nr_free[o] = km_peek32(window, km_free_area_va(zone, o) + KM_FREE_AREA_NR_FREE);
        for (unsigned mt = 0; types && mt < KM_MT_NR; mt++) {
            km_vaddr head = km_free_list_va(zone, o, mt);

            types[mt][o] = 0;
            for (km_vaddr n = km_peek32(window, head); n != head; n = km_peek32(window, n))
                types[mt][o]++;
        }
    }
}

static const char *check_block(const struct km_os *os, const uint8_t *window, const struct km_zone *zone,
                               km_vaddr node, unsigned order)
{
    km_vaddr page = node - KM_PAGE_LRU;

    if (page < os->mem_map_va || (page - os->mem_map_va) % os->p.struct_page_bytes)
        return "a list node is not a struct page";
    km_pfn pfn = km_page_pfn(os, page);

    if (pfn < zone->start_pfn || pfn + (1u << order) > zone->end_pfn)
        return "a free block leaves its zone";
    if (pfn & ((1u << order) - 1))
        return "a free block is not aligned to its order";
    if (km_peek32(window, page + KM_PAGE_TYPE) != KM_PAGE_TYPE_BUDDY)
        return "a listed page is not marked free";
    if (km_peek32(window, page + KM_PAGE_PRIVATE) != order)
        return "a listed page carries another order";
    for (km_pfn p = pfn + 1; p < pfn + (1u << order); p++)
        if (km_peek32(window, km_page_va(os, p) + KM_PAGE_TYPE) == KM_PAGE_TYPE_BUDDY)
            return "free blocks overlap";
    if (order < os->p.pageblock_order && order < MAX_ORDER) {
        km_pfn buddy = pfn ^ (1u << order);

        if (buddy >= zone->start_pfn && buddy < zone->end_pfn &&
            km_peek32(window, km_page_va(os, buddy) + KM_PAGE_TYPE) == KM_PAGE_TYPE_BUDDY &&
            km_peek32(window, km_page_va(os, buddy) + KM_PAGE_PRIVATE) == order)
            return "two free buddies were not merged";
    }
    return NULL;
}

const char *km_buddy_check(const struct km_os *os, const uint8_t *window, enum km_zone_id z)
{
    const struct km_zone *zone = &os->zone[z];
    uint64_t pages = 0;

    for (unsigned o = 0; o < KM_NR_ORDERS; o++) {
        uint64_t blocks = 0;

        for (unsigned mt = 0; mt < KM_MT_NR; mt++) {
            km_vaddr head = km_free_list_va(zone, o, mt), prev = head;

            for (km_vaddr n = km_peek32(window, head); n != head; n = km_peek32(window, n)) {
                const char *wrong = check_block(os, window, zone, n, o);

                if (wrong)
                    return wrong;
                if (km_peek32(window, n + KM_LIST_PREV) != prev)
                    return "a list's back link is broken";
                prev = n;
                blocks++;
            }
        }
        if (blocks != km_peek32(window, km_free_area_va(zone, o) + KM_FREE_AREA_NR_FREE))
            return "nr_free differs from the lists";
        pages += blocks << o;
    }
    if (pages != km_zone_free_pages(os, window, z))
        return "nr_free_pages differs from the lists";
    return NULL;
}
