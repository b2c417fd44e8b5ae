/* SPDX-License-Identifier: MIT
 * page_slow.c - see page_slow.h.
 *
 *   LOW refused -> kswapd woken -> MIN -> [compaction, async] -> reclaim -> compaction -> again? -> OOM -> again?
 *                                   ^                                                       |          |
 *                                   +-------------------------------------------------------+----------+
 *
 * Models:      the order of steps of 6.1; the reserves recomputed on every turn (a task that reclaims takes
 *              everything, an OOM victim half of MIN); draining every CPU's lists and releasing one HIGHATOMIC
 *              pageblock when reclaimed pages cannot be had; up to 16 turns without progress, and only as long as
 *              taking back everything reclaimable would suffice; retries for compaction with rising priority;
 *              NORETRY, RETRY_MAYFAIL, NOFAIL; who may have somebody killed.
 * Not modelled: cpusets, sleeping between turns other than for writeback. A request that would loop for ever (NOFAIL,
 *              or NOFS waiting for others) ends after STUCK_TURNS turns that changed nothing: counted, and it fails.
 * Invariants:  a failing request leaves no block behind; memalloc is false on return.
 * References:  kernel-behaviour notes B6, B7, C7, D1, D5, D6.
 */
#include "models/os/page_slow.h"

#include "models/os/buddy.h"
#include "models/os/compaction.h"
#include "models/os/oom.h"
#include "models/os/page_alloc.h"
#include "models/os/reclaim.h"

#define COSTLY_ORDER 3u
#define MAX_NO_PROGRESS 16u
#define STUCK_TURNS 64u

static const struct km_site site_slow = {"__alloc_pages_slowpath", 0xc1295000u, 3072};

struct slow {
    struct km_os *os;
    struct km_cpu *cpu;
    uint32_t gfp;
    unsigned order;
    enum km_zone_id highest;
    unsigned flags;
    enum km_compact_prio prio;
    enum km_compact_result compacted;
    unsigned compact_retries, no_progress;
    unsigned idle_turns; /* in a row that gained nothing */
    uint64_t progress;   /* of this turn */
};

static bool ready(km_pfn pfn)
{
    return pfn != KM_PFN_NONE;
}

static km_pfn try_min(const struct slow *s, unsigned more_flags)
{
    return km_get_page_from_freelist(s->os, s->cpu, s->gfp, s->order, KM_WMARK_MIN, s->flags | more_flags);
}

/* Reserves a request has whatever its flags: while reclaiming, or as a victim. */
static unsigned reserve_flags(const struct slow *s)
{
    if (s->gfp & KM_GFP_NOMEMALLOC)
        return 0;
    if (s->gfp & KM_GFP_MEMALLOC || s->os->reclaim->memalloc[s->cpu->id])
        return KM_ALLOC_NO_WATERMARKS;
    return km_oom_is_victim(s->os->oom, s->cpu) ? KM_ALLOC_OOM : 0;
}

static bool may_compact(const struct slow *s)
{
    return s->order && s->gfp & KM_GFP_IO && s->os->compact;
}

static void wake_kswapd(const struct slow *s)
{
    if (s->gfp & KM_GFP_KSWAPD_RECLAIM)
        km_kswapd_wake(s->os, s->cpu, s->gfp, s->order, s->highest);
}

/* ---- HIGHATOMIC (C7) ---- */

static bool unreserve_zone(struct km_os *os, struct km_cpu *cpu, enum km_zone_id z, enum km_migratetype mt)
{
    const struct km_zone *zone = &os->zone[z];
    const km_vaddr counter = zone->va + KM_ZONE_NR_HIGHATOMIC;
    bool found = false;

    km_lock(cpu, zone->va + KM_ZONE_LOCK);
    for (unsigned o = 0; o < KM_NR_ORDERS && !found; o++) {
        km_vaddr list = km_free_list_va(zone, o, KM_MT_HIGHATOMIC), node = km_list_first(cpu, list);

        if (node == list)
            continue;
        km_pfn pfn = km_page_pfn(os, node - KM_PAGE_LRU);
        uint32_t reserved = km_ld32(cpu, counter), block = km_pageblock_pages(os);

        km_st32(cpu, counter, reserved - (block < reserved ? block : reserved));
        km_pageblock_set_type(os, cpu, z, pfn, mt);
        km_buddy_move_pageblock(os, cpu, z, pfn, mt);
        found = true;
    }
    km_unlock(cpu, zone->va + KM_ZONE_LOCK);
    return found;
}

bool km_unreserve_highatomic(struct km_os *os, struct km_cpu *cpu, uint32_t gfp, bool force)
{
    enum km_migratetype mt = os->mobility_grouping ? km_gfp_migratetype(gfp) : KM_MT_UNMOVABLE;

    for (int z = km_gfp_zone(gfp); z >= 0; z--) {
        uint32_t reserved = km_ld32(cpu, os->zone[z].va + KM_ZONE_NR_HIGHATOMIC);

        if (!reserved || (!force && reserved <= km_pageblock_pages(os)))
            continue;
        if (unreserve_zone(os, cpu, (enum km_zone_id)z, mt))
            return true;
    }
    return false;
}

/* ---- steps ---- */

static km_pfn compact(struct slow *s)
{
    km_pfn captured = KM_PFN_NONE;

    if (!may_compact(s)) {
        s->compacted = KM_COMPACT_SKIPPED;
        return KM_PFN_NONE;
    }
    s->os->reclaim->memalloc[s->cpu->id] = true;
    s->compacted = s->os->compact->zone_order(s->os, s->cpu, s->order, s->gfp, s->flags, s->prio, &captured);
    s->os->reclaim->memalloc[s->cpu->id] = false;
    if (s->compacted == KM_COMPACT_SKIPPED || s->compacted == KM_COMPACT_DEFERRED)
        return captured;
    km_reclaim_count(s->os->reclaim, KM_VM_COMPACTSTALL, 1);
    if (!ready(captured))
        captured = try_min(s, 0);
    km_reclaim_count(s->os->reclaim, ready(captured) ? KM_VM_COMPACTSUCCESS : KM_VM_COMPACTFAIL, 1);
    return captured;
}

static km_pfn reclaim(struct slow *s)
{
    s->progress = km_direct_reclaim(s->os, s->cpu, s->order, s->gfp);
    if (!s->progress)
        return KM_PFN_NONE;
    km_pfn pfn = try_min(s, 0);

    if (!ready(pfn)) {
        km_unreserve_highatomic(s->os, s->cpu, s->gfp, false);
        km_drain_all_pages(s->os, s->cpu);
        pfn = try_min(s, 0);
    }
    return pfn;
}

/* Would the mark be kept if all that can be reclaimed were free? */
static bool reclaim_could_do(const struct slow *s, enum km_zone_id z)
{
    uint64_t free = km_zone_free_pages(s->os, s->cpu->window, z) + km_zone_reclaimable(s->os, s->cpu, z);

    return km_zone_watermark_ok_with(s->os, s->cpu, z, s->order, KM_WMARK_MIN, s->highest, s->flags, (int64_t)free);
}

static bool reclaim_again(struct slow *s)
{
    s->no_progress = s->progress && s->order <= COSTLY_ORDER ? 0 : s->no_progress + 1;
    if (s->no_progress > MAX_NO_PROGRESS)
        return km_unreserve_highatomic(s->os, s->cpu, s->gfp, true);
    for (int z = s->highest; z >= 0; z--)
        if (km_zone_populated(&s->os->zone[z]) && reclaim_could_do(s, (enum km_zone_id)z)) {
            if (!s->progress)
                km_reclaim_wait(s->os, s->cpu);
            return true;
        }
    return km_unreserve_highatomic(s->os, s->cpu, s->gfp, true);
}

/* Skipped for lack of free pages: could reclaim provide them? */
static bool compaction_could_do(const struct slow *s)
{
    for (int z = s->highest; z >= 0; z--) {
        const km_vaddr va = s->os->zone[z].va;
        uint64_t free = km_zone_free_pages(s->os, s->cpu->window, (enum km_zone_id)z) +
                        km_zone_reclaimable(s->os, s->cpu, (enum km_zone_id)z) / s->order;
        uint64_t wanted = km_ld32(s->cpu, va + KM_ZONE_WATERMARK) + (2ull << s->order) +
                          km_ld32(s->cpu, va + KM_ZONE_LOWMEM_RESERVE + s->highest * 4u);

        if (km_zone_populated(&s->os->zone[z]) && free > wanted)
            return true;
    }
    return false;
}

/* Last look at the HIGH mark, then somebody dies. progress: it is worth another turn. */
static km_pfn out_of_memory(struct slow *s)
{
    km_pfn pfn = km_get_page_from_freelist(s->os, s->cpu, s->gfp, s->order, KM_WMARK_HIGH, 0);

    s->progress = 0;
    if (ready(pfn) || s->order > COSTLY_ORDER || s->gfp & (KM_GFP_RETRY_MAYFAIL | KM_GFP_THISNODE) ||
        s->highest < KM_ZONE_NORMAL)
        return pfn;
    if (!(s->gfp & KM_GFP_FS)) {
        s->progress = 1; /* others will make room */
        return pfn;
    }
    if (km_oom_is_victim(s->os->oom, s->cpu) || km_oom_kill(s->os, s->cpu, s->gfp, s->order)) {
        s->progress = 1;
        s->idle_turns = 0;
    }
    if (s->gfp & KM_GFP_NOFAIL) {
        s->progress = 1;
        pfn = km_get_page_from_freelist(s->os, s->cpu, s->gfp, s->order, KM_WMARK_MIN, KM_ALLOC_NO_WATERMARKS);
    }
    return pfn;
}

/* A turn that gained nothing; true: this would go on for ever. */
static bool stuck(struct slow *s)
{
    if (km_reclaim_wait(s->os, s->cpu) || ++s->idle_turns < STUCK_TURNS)
        return false;
    km_reclaim_count(s->os->reclaim, KM_VM_STUCK, 1);
    return true;
}

/* Compaction before anything is reclaimed: for orders that are hard to find. False: the request gives up. */
static bool compact_first(struct slow *s, km_pfn *pfn)
{
    bool hard = s->order > COSTLY_ORDER || (s->order && km_gfp_migratetype(s->gfp) != KM_MT_MOVABLE);

    if (!may_compact(s) || !hard || reserve_flags(s))
        return true;
    s->prio = KM_COMPACT_ASYNC;
    *pfn = compact(s);
    s->prio = KM_COMPACT_SYNC_LIGHT;
    if (ready(*pfn) || s->order <= COSTLY_ORDER || !(s->gfp & KM_GFP_NORETRY))
        return true;
    if (s->compacted == KM_COMPACT_SKIPPED || s->compacted == KM_COMPACT_DEFERRED)
        return false;
    s->prio = KM_COMPACT_ASYNC;
    return true;
}

/* One turn of the loop; true: again. */
static bool turn(struct slow *s, km_pfn *pfn)
{
    wake_kswapd(s);
    unsigned reserve = reserve_flags(s);

    if (reserve)
        s->flags = reserve | (s->flags & KM_ALLOC_KSWAPD);
    *pfn = try_min(s, 0);
    if (ready(*pfn) || s->os->reclaim->memalloc[s->cpu->id])
        return false;
    *pfn = reclaim(s);
    if (!ready(*pfn))
        *pfn = compact(s);
    if (ready(*pfn) || s->gfp & KM_GFP_NORETRY)
        return false;
    if (s->order > COSTLY_ORDER && !(s->gfp & KM_GFP_RETRY_MAYFAIL && may_compact(s)))
        return false;
    if (s->progress)
        s->idle_turns = 0;
    if (reclaim_again(s) || (s->progress && s->order &&
                             km_compact_should_retry(s->compacted, compaction_could_do(s), s->order, &s->prio,
                                                     &s->compact_retries)))
        return s->progress || !stuck(s);
    *pfn = out_of_memory(s);
    if (ready(*pfn) || !s->progress || (km_oom_is_victim(s->os->oom, s->cpu) && s->flags & KM_ALLOC_OOM))
        return false;
    s->no_progress = 0;
    return !stuck(s);
}

static km_pfn until_served(struct slow *s)
{
    km_pfn pfn;

    for (;;) {
        while (turn(s, &pfn))
            ;
        if (ready(pfn) || !(s->gfp & KM_GFP_NOFAIL) || s->idle_turns >= STUCK_TURNS)
            return pfn;
        pfn = try_min(s, KM_ALLOC_MIN_RESERVE);
        if (ready(pfn) || stuck(s))
            return pfn;
    }
}

static void warn(const struct slow *s)
{
    if (s->gfp & KM_GFP_NOWARN)
        return;
    km_reclaim_count(s->os->reclaim, KM_VM_ALLOC_FAILURES, 1);
    km_trace_tp(s->os, s->cpu,
                &(struct km_tp){
                    .kind = KM_TP_ALLOC_FAILURE, .pfn = KM_PFN_NONE, .order = (uint8_t)s->order, .gfp = s->gfp});
}

km_pfn km_alloc_pages_slow(struct km_os *os, struct km_cpu *cpu, uint32_t gfp, unsigned order)
{
    struct slow s = {.os = os,
                     .cpu = cpu,
                     .gfp = gfp,
                     .order = order,
                     .highest = km_gfp_zone(gfp),
                     .flags = km_slow_alloc_flags(os, gfp, order),
                     .prio = KM_COMPACT_SYNC_LIGHT};

    km_exec(cpu, &site_slow, 120);
    wake_kswapd(&s);
    km_pfn pfn = try_min(&s, 0);
    bool go_on = true;

    if (!ready(pfn) && gfp & KM_GFP_DIRECT_RECLAIM) {
        go_on = compact_first(&s, &pfn);
        if (go_on && !ready(pfn))
            pfn = until_served(&s);
    } else if (!ready(pfn) && reserve_flags(&s)) {
        pfn = try_min(&s, reserve_flags(&s));
    }
    if (!ready(pfn))
        warn(&s);
    return pfn;
}
