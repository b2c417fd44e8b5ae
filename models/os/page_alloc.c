/* SPDX-License-Identifier: MIT
 * page_alloc.c - __alloc_pages and friends: which zone serves a request, and by which path.
 *
 * Models:      the zonelist walk with watermarks (first LOW, then MIN with the reserves the flags allow),
 *              per-CPU lists for covered orders, direct buddy allocation for the others, HIGHATOMIC reserve,
 *              frees, the bulk allocator, batched frees, zeroing at allocation.
 *              A request that fails at MIN goes the slow path (page_slow.c) where reclaim is the model's own.
 *              Without os->reclaim it fails, unless os->reclaim_succeeds says that the traced kernel's
 *              reclaim served it: then the marks are ignored, which is counted.
 * Invariants:  a page handed out is on no list; every page is free, on one per-CPU list, or handed out.
 * References:  kernel-behaviour notes B6 to B8, C2, C4, C7 to C9, D1.
 */
#include "models/os/page_alloc.h"

#include "models/base/bug.h"
#include "models/os/page_fn.h"
#include "models/os/page_slow.h"
#include "models/os/pcp.h"
#include "models/os/reclaim.h"

/* Recorded calls (6.1.0-50-686-pae): an order-0 page from the per-CPU list costs __folio_alloc 1491
 * instructions, 132 loads and 1120 stores, 1024 of each of the first and last for the zeroing; every
 * further zeroed page of the block 137 more, with 34 loads and 22 stores; __free_pages to the
 * per-CPU list costs 311, 88 and 67. They read 9 and 5 lines of kernel data besides zone, list, pages. */
static const struct km_fn fn_alloc = {{"__alloc_pages", 0xc1293000u, 640}, 160, 66, 76};
static const struct km_fn fn_init_page = {{"kernel_init_pages", 0xc1293cc0u, 192}, 100, 22, 34};
static const struct km_fn fn_free = {{"free_unref_page", 0xc1293e00u, 512}, 143, 56, 77};
#define ALLOC_GLOBALS KM_OS_GLOBAL_LINES
#define FREE_GLOBALS 5u
static const struct km_site site_freelist = {"get_page_from_freelist", 0xc1293400u, 1536};
static const struct km_site site_prep = {"prep_new_page", 0xc1293c00u, 192};
static const struct km_site site_bulk = {"__alloc_pages_bulk", 0xc1294200u, 960};

static void enter(const struct km_os *os, struct km_cpu *cpu, const struct km_fn *fn, unsigned globals)
{
    km_page_fn_enter(os, cpu, fn, 0);
    km_read_globals(os, cpu, globals);
}

static void leave(const struct km_os *os, struct km_cpu *cpu, const struct km_fn *fn)
{
    km_page_fn_leave(os, cpu, fn, 0);
}

/* Zeroes the pages of a block through their mapping, one by one; below the caller's frame. */
static void init_pages(const struct km_os *os, struct km_cpu *cpu, km_pfn pfn, unsigned order)
{
    for (unsigned i = 0; i < 1u << order; i++) {
        km_page_fn_enter(os, cpu, &fn_init_page, fn_alloc.reloads);
        km_page_fn_leave(os, cpu, &fn_init_page, fn_alloc.reloads);
    }
    km_touch(cpu, km_pfn_to_va(os, pfn), KM_PAGE_BYTES << order, KM_REF_STORE);
}

/* rmqueue without per-CPU lists (C4). */
static km_pfn take_direct(struct km_os *os, struct km_cpu *cpu, enum km_zone_id z, unsigned order,
                          enum km_migratetype mt, unsigned alloc_flags)
{
    km_vaddr lock = os->zone[z].va + KM_ZONE_LOCK;
    km_pfn pfn = KM_PFN_NONE;

    km_lock(cpu, lock);
    if (alloc_flags & KM_ALLOC_HIGHATOMIC)
        pfn = km_buddy_take_own(os, cpu, z, order, KM_MT_HIGHATOMIC);
    if (pfn == KM_PFN_NONE)
        pfn = km_buddy_take(os, cpu, z, order, mt, alloc_flags);
    if (pfn == KM_PFN_NONE && (alloc_flags & (KM_ALLOC_OOM | KM_ALLOC_NON_BLOCK)))
        pfn = km_buddy_take_own(os, cpu, z, order, KM_MT_HIGHATOMIC);
    km_unlock(cpu, lock);
    return pfn;
}

static void wake_if_boosted(struct km_os *os, struct km_cpu *cpu, enum km_zone_id z)
{
    km_vaddr flags = os->zone[z].va + KM_ZONE_FLAGS;

    if (!(km_ld32(cpu, flags) & KM_ZONE_BOOSTED))
        return;
    km_rmw32(cpu, flags, KM_RMW_AND, ~(uint32_t)KM_ZONE_BOOSTED, 0);
    if (os->reclaim) {
        km_kswapd_wake(os, cpu, 0, 0, z);
        return;
    }
    km_trace_tp(os, cpu, &(struct km_tp){.kind = KM_TP_WAKEUP_KSWAPD, .pfn = KM_PFN_NONE});
}

static km_pfn rmqueue(struct km_os *os, struct km_cpu *cpu, enum km_zone_id z, unsigned order,
                      enum km_migratetype mt, unsigned alloc_flags)
{
    km_pfn pfn = KM_PFN_NONE;

    if (km_pcp_covers(os, order))
        pfn = km_pcp_take(os, cpu, z, order, mt, alloc_flags);
    if (pfn == KM_PFN_NONE)
        pfn = take_direct(os, cpu, z, order, mt, alloc_flags);
    if (alloc_flags & KM_ALLOC_KSWAPD)
        wake_if_boosted(os, cpu, z);
    return pfn;
}

/* C7: an order>0 request that may use the atomic reserves sets its pageblock aside for the next one. */
static void reserve_highatomic(struct km_os *os, struct km_cpu *cpu, enum km_zone_id z, km_pfn pfn)
{
    const struct km_zone *zone = &os->zone[z];
    km_vaddr counter = zone->va + KM_ZONE_NR_HIGHATOMIC;
    uint32_t block = km_pageblock_pages(os), reserved = km_ld32(cpu, counter);
    enum km_migratetype mt = km_pageblock_type(os, cpu, z, pfn);

    if (reserved >= km_ld32(cpu, zone->va + KM_ZONE_MANAGED) / 100 + block || mt >= KM_MT_PCP_TYPES)
        return;
    km_lock(cpu, zone->va + KM_ZONE_LOCK);
    km_st32(cpu, counter, reserved + block);
    km_pageblock_set_type(os, cpu, z, pfn, KM_MT_HIGHATOMIC);
    km_buddy_move_pageblock(os, cpu, z, pfn, KM_MT_HIGHATOMIC);
    km_unlock(cpu, zone->va + KM_ZONE_LOCK);
}

/* B7; a boost meant to wake kswapd early must not make a single atomic page fail. */
static bool keeps_mark(struct km_os *os, struct km_cpu *cpu, enum km_zone_id z, uint32_t gfp, unsigned order,
                       enum km_watermark mark, unsigned alloc_flags)
{
    const enum km_zone_id highest = km_gfp_zone(gfp);

    if (km_zone_watermark_ok(os, cpu, z, order, mark, highest, alloc_flags))
        return true;
    if (order || mark != KM_WMARK_MIN || !(gfp & KM_GFP_ATOMIC_BIT) ||
        !km_ld32(cpu, os->zone[z].va + KM_ZONE_BOOST))
        return false;
    return km_zone_watermark_ok(os, cpu, z, 0, mark, highest, alloc_flags | KM_ALLOC_NO_BOOST);
}

km_pfn km_get_page_from_freelist(struct km_os *os, struct km_cpu *cpu, uint32_t gfp, unsigned order,
                                 enum km_watermark mark, unsigned alloc_flags)
{
    enum km_zone_id highest = km_gfp_zone(gfp);
    enum km_migratetype mt =
        os->mobility_grouping ? km_gfp_migratetype(gfp) : KM_MT_UNMOVABLE;

    for (int z = highest; z >= 0; z--) {
        if (!km_zone_populated(&os->zone[z]))
            continue;
        km_exec(cpu, &site_freelist, 80);
        if (!(alloc_flags & KM_ALLOC_NO_WATERMARKS) &&
            !keeps_mark(os, cpu, (enum km_zone_id)z, gfp, order, mark, alloc_flags))
            continue;
        km_pfn pfn = rmqueue(os, cpu, (enum km_zone_id)z, order, mt, alloc_flags);

        if (pfn == KM_PFN_NONE)
            continue;
        if (alloc_flags & KM_ALLOC_HIGHATOMIC)
            reserve_highatomic(os, cpu, (enum km_zone_id)z, pfn);
        return pfn;
    }
    return KM_PFN_NONE;
}

/* Reserves a request may use once the LOW mark refused it (B6). */
unsigned km_slow_alloc_flags(const struct km_os *os, uint32_t gfp, unsigned order)
{
    unsigned flags = gfp & KM_GFP_KSWAPD_RECLAIM ? KM_ALLOC_KSWAPD : 0;

    if (gfp & KM_GFP_HIGH)
        flags |= KM_ALLOC_MIN_RESERVE;
    if (!(gfp & KM_GFP_DIRECT_RECLAIM) && !(gfp & KM_GFP_NOMEMALLOC)) {
        flags |= KM_ALLOC_NON_BLOCK;
        if (order > 0 && (flags & KM_ALLOC_MIN_RESERVE) && os->p.personality->highatomic)
            flags |= KM_ALLOC_HIGHATOMIC;
    }
    if ((gfp & KM_GFP_MEMALLOC) && !(gfp & KM_GFP_NOMEMALLOC))
        flags |= KM_ALLOC_NO_WATERMARKS;
    return flags;
}

static km_pfn slow_path(struct km_os *os, struct km_cpu *cpu, uint32_t gfp, unsigned order)
{
    if (os->reclaim)
        return km_alloc_pages_slow(os, cpu, gfp, order);
    unsigned flags = km_slow_alloc_flags(os, gfp, order);

    if (gfp & KM_GFP_KSWAPD_RECLAIM)
        km_trace_tp(os, cpu,
                    &(struct km_tp){.kind = KM_TP_WAKEUP_KSWAPD, .pfn = KM_PFN_NONE, .order = (uint8_t)order, .gfp = gfp});
    km_pfn pfn = km_get_page_from_freelist(os, cpu, gfp, order, KM_WMARK_MIN, flags);

    if (pfn == KM_PFN_NONE && os->reclaim_succeeds) {
        os->marks_ignored++;
        pfn = km_get_page_from_freelist(os, cpu, gfp, order, KM_WMARK_MIN, flags | KM_ALLOC_NO_WATERMARKS);
    }
    return pfn;
}

void km_prep_page(struct km_os *os, struct km_cpu *cpu, km_pfn pfn, uint32_t gfp, unsigned order)
{
    km_vaddr page = km_page_va(os, pfn);

    km_exec(cpu, &site_prep, 16);
    km_st32(cpu, page + KM_PAGE_REFCOUNT, 1);
    km_st32(cpu, page + KM_PAGE_PRIVATE, 0);
    if ((gfp & KM_GFP_COMP) && order) {
        km_st32(cpu, page + KM_PAGE_FLAGS, km_ld32(cpu, page + KM_PAGE_FLAGS) | KM_PG_HEAD);
        for (km_pfn p = pfn + 1; p < pfn + (1u << order); p++)
            km_st32(cpu, km_page_va(os, p) + KM_PAGE_COMPOUND_HEAD, page | 1);
        km_st8(cpu, km_page_va(os, pfn + 1) + KM_PAGE_COMPOUND_ORDER, (uint8_t)order);
    }
    if ((gfp & KM_GFP_ZERO || os->p.init_on_alloc) && km_pfn_is_low(os, pfn))
        init_pages(os, cpu, pfn, order);
}

km_pfn km_alloc_pages_at_low(struct km_os *os, struct km_cpu *cpu, uint32_t gfp, unsigned order)
{
    km_pfn pfn = km_get_page_from_freelist(os, cpu, gfp, order, KM_WMARK_LOW,
                                           gfp & KM_GFP_KSWAPD_RECLAIM ? KM_ALLOC_KSWAPD : 0);

    if (pfn != KM_PFN_NONE)
        km_prep_page(os, cpu, pfn, gfp, order);
    return pfn;
}

km_pfn km_alloc_pages_again(struct km_os *os, struct km_cpu *cpu, uint32_t gfp, unsigned order)
{
    km_pfn pfn = km_get_page_from_freelist(os, cpu, gfp, order, KM_WMARK_MIN, km_slow_alloc_flags(os, gfp, order));

    if (pfn != KM_PFN_NONE)
        km_prep_page(os, cpu, pfn, gfp, order);
    return pfn;
}

void km_drain_all_pages(struct km_os *os, struct km_cpu *cpu)
{
    for (unsigned c = 0; c < os->p.cpus; c++)
        for (unsigned z = 0; z < KM_NR_ZONES; z++)
            if (km_zone_populated(&os->zone[z]) && km_pcp_count(os, cpu->window, (enum km_zone_id)z, c))
                km_pcp_drain(os, cpu, (enum km_zone_id)z, c, UINT32_MAX);
}

km_pfn km_alloc_pages(struct km_os *os, struct km_cpu *cpu, uint32_t gfp, unsigned order)
{
    km_pfn pfn = KM_PFN_NONE;

    enter(os, cpu, &fn_alloc, ALLOC_GLOBALS);
    if (order < KM_NR_ORDERS) {
        pfn = km_get_page_from_freelist(os, cpu, gfp, order, KM_WMARK_LOW,
                            gfp & KM_GFP_KSWAPD_RECLAIM ? KM_ALLOC_KSWAPD : 0);
        if (pfn == KM_PFN_NONE)
            pfn = slow_path(os, cpu, gfp, order);
    }
    if (pfn != KM_PFN_NONE)
        km_prep_page(os, cpu, pfn, gfp, order);
    leave(os, cpu, &fn_alloc);
    km_trace_tp(os, cpu,
                &(struct km_tp){.kind = KM_TP_PAGE_ALLOC,
                                .pfn = pfn,
                                .order = (uint8_t)order,
                                .migratetype = (uint8_t)km_gfp_migratetype(gfp),
                                .gfp = gfp});
    return pfn;
}

static void free_block(struct km_os *os, struct km_cpu *cpu, enum km_zone_id z, km_pfn pfn, unsigned order,
                       bool to_tail)
{
    km_vaddr lock = os->zone[z].va + KM_ZONE_LOCK;
    enum km_migratetype mt = km_pageblock_type(os, cpu, z, pfn);

    km_lock(cpu, lock);
    km_buddy_free(os, cpu, z, pfn, order, mt, to_tail);
    km_unlock(cpu, lock);
}

/* free_pages_prepare: the page forgets what it was. */
void km_forget_page(struct km_os *os, struct km_cpu *cpu, km_pfn pfn, unsigned order)
{
    km_vaddr page = km_page_va(os, pfn);
    uint32_t flags = km_ld32(cpu, page + KM_PAGE_FLAGS);

    enter(os, cpu, &fn_free, FREE_GLOBALS);
    if (flags & (KM_PG_LRU | KM_PG_SLAB | KM_PG_HEAD))
        km_st32(cpu, page + KM_PAGE_FLAGS, flags & ~(uint32_t)(KM_PG_LRU | KM_PG_SLAB | KM_PG_HEAD));
    km_st32(cpu, page + KM_PAGE_MAPPING, 0);
    km_st32(cpu, page + KM_PAGE_REFCOUNT, 0);
    if (order && (flags & KM_PG_HEAD))
        for (km_pfn p = pfn + 1; p < pfn + (1u << order); p++)
            km_st32(cpu, km_page_va(os, p) + KM_PAGE_COMPOUND_HEAD, 0);
    leave(os, cpu, &fn_free);
}

/* False: reclaim holds the page at this moment and frees it in our place. */
static bool let_go(struct km_os *os, struct km_cpu *cpu, km_pfn pfn)
{
    return !os->lru || km_lru_release(os, cpu, pfn);
}

static void free_one(struct km_os *os, struct km_cpu *cpu, km_pfn pfn, unsigned order)
{
    enum km_zone_id z = km_pfn_zone(os, pfn);

    KM_BUG_ON(z == KM_NR_ZONES);
    km_forget_page(os, cpu, pfn, order);
    if (km_pcp_covers(os, order))
        km_pcp_free(os, cpu, z, pfn, order);
    else
        free_block(os, cpu, z, pfn, order, false);
}

void km_free_pages(struct km_os *os, struct km_cpu *cpu, km_pfn pfn, unsigned order)
{
    if (!let_go(os, cpu, pfn))
        return;
    km_trace_tp(os, cpu, &(struct km_tp){.kind = KM_TP_PAGE_FREE, .pfn = pfn, .order = (uint8_t)order});
    free_one(os, cpu, pfn, order);
}

void km_free_pages_bypass(struct km_os *os, struct km_cpu *cpu, km_pfn pfn, unsigned order)
{
    enum km_zone_id z = km_pfn_zone(os, pfn);

    KM_BUG_ON(z == KM_NR_ZONES);
    if (!let_go(os, cpu, pfn))
        return;
    km_trace_tp(os, cpu, &(struct km_tp){.kind = KM_TP_PAGE_FREE, .pfn = pfn, .order = (uint8_t)order});
    km_forget_page(os, cpu, pfn, order);
    free_block(os, cpu, z, pfn, order, false);
}

void km_free_pages_to_tail(struct km_os *os, struct km_cpu *cpu, km_pfn pfn, unsigned order)
{
    enum km_zone_id z = km_pfn_zone(os, pfn);

    KM_BUG_ON(z == KM_NR_ZONES);
    if (!let_go(os, cpu, pfn))
        return;
    km_forget_page(os, cpu, pfn, order);
    free_block(os, cpu, z, pfn, order, true);
}

void km_free_surplus_page(struct km_os *os, struct km_cpu *cpu, km_pfn pfn)
{
    km_trace_tp(os, cpu, &(struct km_tp){.kind = KM_TP_PAGE_FREE, .pfn = pfn});
    km_free_pages_to_tail(os, cpu, pfn, 0);
}

void km_free_pages_batched(struct km_os *os, struct km_cpu *cpu, const km_pfn *pfn, unsigned nr)
{
    for (unsigned i = 0; i < nr; i++)
        km_trace_tp(os, cpu, &(struct km_tp){.kind = KM_TP_PAGE_FREE, .pfn = pfn[i]});
    for (unsigned i = 0; i < nr; i++) {
        if (!let_go(os, cpu, pfn[i]))
            continue;
        km_trace_tp(os, cpu, &(struct km_tp){.kind = KM_TP_PAGE_FREE_BATCHED, .pfn = pfn[i]});
        free_one(os, cpu, pfn[i], 0);
    }
}

enum km_zone_id km_bulk_zone(struct km_os *os, struct km_cpu *cpu, uint32_t gfp, unsigned nr)
{
    enum km_zone_id highest = km_gfp_zone(gfp);

    /* A single page, and pages charged to a memory cgroup, take the ordinary traced path. */
    if (nr <= 1 || (gfp & KM_GFP_ACCOUNT))
        return KM_NR_ZONES;
    for (int z = highest; z >= 0; z--) {
        const struct km_zone *zone = &os->zone[z];
        uint32_t mark = km_ld32(cpu, zone->va + KM_ZONE_WATERMARK + KM_WMARK_LOW * 4) +
                        km_ld32(cpu, zone->va + KM_ZONE_BOOST) + nr +
                        km_ld32(cpu, zone->va + KM_ZONE_LOWMEM_RESERVE + highest * 4u);

        if (km_zone_populated(zone) && km_ld32(cpu, zone->va + KM_ZONE_NR_FREE_PAGES) > mark)
            return (enum km_zone_id)z;
    }
    return KM_NR_ZONES;
}

km_pfn km_bulk_page(struct km_os *os, struct km_cpu *cpu, enum km_zone_id z, uint32_t gfp)
{
    enum km_migratetype mt = os->mobility_grouping ? km_gfp_migratetype(gfp) : KM_MT_UNMOVABLE;
    km_pfn pfn = km_pcp_take_bulk(os, cpu, z, 0, mt);

    km_exec(cpu, &site_bulk, 24);
    if (pfn != KM_PFN_NONE)
        km_prep_page(os, cpu, pfn, gfp, 0);
    return pfn;
}

unsigned km_alloc_pages_bulk(struct km_os *os, struct km_cpu *cpu, uint32_t gfp, unsigned nr, km_pfn *out)
{
    enum km_zone_id z = km_bulk_zone(os, cpu, gfp, nr);
    unsigned got = 0;

    while (z != KM_NR_ZONES && got < nr && (out[got] = km_bulk_page(os, cpu, z, gfp)) != KM_PFN_NONE)
        got++;
    if (!got && nr) {
        out[0] = km_alloc_pages(os, cpu, gfp, 0);
        got = out[0] != KM_PFN_NONE;
    }
    return got;
}
