/* SPDX-License-Identifier: MIT
 * compaction.c - when to compact, and when to stop: see compaction.h. The scanners are in compact_migrate.c and
 * compact_free.c.
 *
 * Pages are moved from the bottom of a zone to its top until a block is free that is large enough. Two scanners
 * walk towards each other over pageblocks:
 *
 *   start |## # ##|# #  # |       |   ...   | ##  ##|#### ##| end
 *          sources --->                        <--- targets
 *
 * Models:      the suitability test with its gap for migration targets and the fragmentation index above order
 *              3; deferral that doubles with every failure, up to 64 attempts; cached scanner positions, per
 *              zone, apart for asynchronous and synchronous runs; when a run is finished; the three priorities
 *              of direct compaction; capture of the block by the request that compacts; the retry rule.
 * Not modelled: another task's wish for the lock or the CPU, which ends an asynchronous run.
 * Invariants:  a run leaves no page isolated; contents move, pages are neither lost nor made.
 * Units:       pages; index in thousandths.
 * References:  kernel-behaviour notes D1, D5, I2.
 */
#include "models/os/compact_run.h"

#include "models/base/bits.h"
#include "models/os/buddy.h"
#include "models/os/extfrag.h"
#include "models/os/kcompactd.h"
#include "models/os/lru.h"
#include "models/os/pcp.h"

#define COSTLY_ORDER 3u
#define COSTLY_BLOCK (1u << COSTLY_ORDER)
#define EXTFRAG_THRESHOLD 500
#define MAX_DEFER_SHIFT 6u

static const struct km_site site_suitable = {"compaction_suitable", 0xc1294c00u, 256};
static const struct km_site site_zone = {"compact_zone", 0xc1297400u, 2048};
static const struct km_site site_finished = {"compact_finished", 0xc1297c00u, 512};

/* The order-0 mark plus twice the block: pages to migrate to while the block is made. */
static bool room_to_migrate(struct km_os *os, struct km_cpu *cpu, enum km_zone_id z, unsigned order,
                            enum km_zone_id highest)
{
    const km_vaddr va = os->zone[z].va;
    unsigned mark = order > COSTLY_ORDER ? KM_WMARK_LOW : KM_WMARK_MIN;
    uint64_t wanted = (uint64_t)km_ld32(cpu, va + KM_ZONE_WATERMARK + mark * 4) + km_ld32(cpu, va + KM_ZONE_BOOST) +
                      (2ull << order) + km_ld32(cpu, va + KM_ZONE_LOWMEM_RESERVE + highest * 4u);

    return km_ld32(cpu, va + KM_ZONE_NR_FREE_PAGES) > wanted;
}

enum km_compact_result km_compaction_suitable(struct km_os *os, struct km_cpu *cpu, enum km_zone_id z, unsigned order,
                                              enum km_watermark mark, enum km_zone_id highest, unsigned alloc_flags)
{
    uint64_t nr_free[KM_NR_ORDERS];

    km_exec(cpu, &site_suitable, 40);
    if (km_zone_watermark_ok(os, cpu, z, order, mark, highest, alloc_flags))
        return KM_COMPACT_SUCCESS;
    if (!room_to_migrate(os, cpu, z, order, highest))
        return KM_COMPACT_SKIPPED;
    if (order <= COSTLY_ORDER)
        return KM_COMPACT_CONTINUE;
    km_extfrag_counts(os, cpu, z, nr_free);
    int32_t index = km_extfrag_index(nr_free, order);

    return index >= 0 && index <= EXTFRAG_THRESHOLD ? KM_COMPACT_SKIPPED : KM_COMPACT_CONTINUE;
}

const char *km_compact_result_name(enum km_compact_result result)
{
    static const char *const name[KM_COMPACT_RESULTS] = {
        "skipped", "deferred", "continue", "complete", "partial_skipped", "contended", "success"};

    return name[result];
}

void km_compact_defer_init(struct km_compact_defer *d)
{
    *d = (struct km_compact_defer){.failed_order = KM_NR_ORDERS};
}

void km_compact_defer_failed(struct km_compact_defer *d, unsigned order)
{
    d->considered = 0;
    if (d->shift < MAX_DEFER_SHIFT)
        d->shift++;
    if (order < d->failed_order)
        d->failed_order = order;
}

bool km_compact_deferred(struct km_compact_defer *d, unsigned order)
{
    if (order < d->failed_order)
        return false;
    if (++d->considered >= 1u << d->shift) {
        d->considered = 1u << d->shift;
        return false;
    }
    return true;
}

void km_compact_defer_success(struct km_compact_defer *d, unsigned order, bool served)
{
    if (served)
        d->considered = d->shift = 0;
    if (order >= d->failed_order)
        d->failed_order = order + 1;
}

static km_pfn last_block(const struct km_os *os, enum km_zone_id z)
{
    return (os->zone[z].end_pfn - 1) & ~(km_pageblock_pages(os) - 1);
}

/* A pageblock in which either scanner has something to do. */
static bool worth_scanning(struct km_os *os, struct km_cpu *cpu, enum km_zone_id z, km_pfn block, bool *source,
                           bool *target)
{
    const struct km_zone *zone = &os->zone[z];
    km_pfn end = block + km_pageblock_pages(os), from = block < zone->start_pfn ? zone->start_pfn : block;

    *source = *target = false;
    if (km_ld32(cpu, km_page_va(os, from) + KM_PAGE_TYPE) == KM_PAGE_TYPE_BUDDY &&
        km_ld32(cpu, km_page_va(os, from) + KM_PAGE_PRIVATE) >= os->p.pageblock_order)
        return false;
    bool movable = km_pageblock_type(os, cpu, z, from) == KM_MT_MOVABLE;

    for (km_pfn p = from; p < end && p < zone->end_pfn && !(*source && *target); p += COSTLY_BLOCK) {
        *source |= (km_ld32(cpu, km_page_va(os, p) + KM_PAGE_FLAGS) & KM_PG_LRU) != 0;
        *target |= movable && km_ld32(cpu, km_page_va(os, p) + KM_PAGE_TYPE) == KM_PAGE_TYPE_BUDDY;
    }
    return *source || *target;
}

void km_compact_forget(struct km_os *os, struct km_cpu *cpu, enum km_zone_id z)
{
    const struct km_zone *zone = &os->zone[z];
    const km_pfn pages = km_pageblock_pages(os), last = last_block(os, z);
    km_pfn low = zone->end_pfn, high = 0;

    for (km_pfn block = zone->start_pfn & ~(pages - 1); block <= last; block += pages) {
        bool source, target;
        km_pfn at = block < zone->start_pfn ? zone->start_pfn : block;

        km_exec(cpu, &site_zone, 20);
        km_pageblock_set_skip(os, cpu, z, at, false);
        if (!worth_scanning(os, cpu, z, block, &source, &target))
            continue;
        if (source && at < low)
            low = at;
        if (target && block > high)
            high = block;
    }
    km_st32(cpu, zone->va + KM_ZONE_COMPACT_MIGRATE, low < zone->end_pfn ? low : zone->start_pfn);
    km_st32(cpu, zone->va + KM_ZONE_COMPACT_MIGRATE + 4, low < zone->end_pfn ? low : zone->start_pfn);
    km_st32(cpu, zone->va + KM_ZONE_COMPACT_INIT_MIGRATE, low < zone->end_pfn ? low : zone->start_pfn);
    km_st32(cpu, zone->va + KM_ZONE_COMPACT_FREE, high ? high : last);
    km_st32(cpu, zone->va + KM_ZONE_COMPACT_INIT_FREE, high ? high : last);
    km_st32(cpu, zone->va + KM_ZONE_COMPACT_FLUSH, 0);
}

void km_compact_run_init(struct km_compact_run *run, struct km_compaction *c, struct km_os *os, struct km_cpu *cpu,
                         enum km_zone_id z, int order, enum km_migrate_mode mode, unsigned slot)
{
    *run = (struct km_compact_run){.c = c,
                                   .zone = z,
                                   .order = order,
                                   .mt = KM_MT_MOVABLE,
                                   .mode = mode,
                                   .highest = z,
                                   .search_order = order > 0 ? (unsigned)order : 0,
                                   .free_list = c->heads + slot * 16,
                                   .migrate_list = c->heads + slot * 16 + 8};
    km_list_init(cpu, run->free_list);
    km_list_init(cpu, run->migrate_list);
    (void)os;
}

/* Where the scanners begin: at the zone's ends, or where earlier runs have left off. */
static void place_scanners(struct km_compact_run *run, struct km_os *os, struct km_cpu *cpu)
{
    const struct km_zone *zone = &os->zone[run->zone];
    const km_vaddr cached = zone->va + KM_ZONE_COMPACT_MIGRATE;
    const bool sync = run->mode != KM_MIGRATE_ASYNC;

    run->migrate_pfn = zone->start_pfn;
    run->free_pfn = last_block(os, run->zone);
    if (run->whole_zone)
        return;
    km_pfn migrate = km_ld32(cpu, cached + (sync ? 4 : 0)), free = km_ld32(cpu, zone->va + KM_ZONE_COMPACT_FREE);

    if (free >= zone->start_pfn && free < zone->end_pfn)
        run->free_pfn = free;
    else
        km_st32(cpu, zone->va + KM_ZONE_COMPACT_FREE, run->free_pfn);
    if (migrate >= zone->start_pfn && migrate < zone->end_pfn) {
        run->migrate_pfn = migrate;
    } else {
        km_st32(cpu, cached, run->migrate_pfn);
        km_st32(cpu, cached + 4, run->migrate_pfn);
    }
    run->whole_zone = run->migrate_pfn <= km_ld32(cpu, zone->va + KM_ZONE_COMPACT_INIT_MIGRATE);
}

/* The next run begins at the zone's ends again. */
static enum km_compact_result scanners_met(struct km_compact_run *run, struct km_os *os, struct km_cpu *cpu)
{
    const km_vaddr va = os->zone[run->zone].va;

    km_st32(cpu, va + KM_ZONE_COMPACT_MIGRATE, os->zone[run->zone].start_pfn);
    km_st32(cpu, va + KM_ZONE_COMPACT_MIGRATE + 4, os->zone[run->zone].start_pfn);
    km_st32(cpu, va + KM_ZONE_COMPACT_FREE, last_block(os, run->zone));
    if (run->direct)
        km_st32(cpu, va + KM_ZONE_COMPACT_FLUSH, 1);
    return run->whole_zone ? KM_COMPACT_COMPLETE : KM_COMPACT_PARTIAL_SKIPPED;
}

static bool order_available(struct km_compact_run *run, struct km_os *os, struct km_cpu *cpu)
{
    for (unsigned o = (unsigned)run->order; o < KM_NR_ORDERS; o++)
        if (km_buddy_could_serve(os, cpu, run->zone, o, run->mt))
            return true;
    return false;
}

static enum km_compact_result finished(struct km_compact_run *run, struct km_os *os, struct km_cpu *cpu)
{
    km_exec(cpu, &site_finished, 40);
    if (km_compact_scanners_met(os, run))
        return scanners_met(run, os, cpu);
    if (run->proactive_goal)
        return km_fragmentation_score_zone(os, cpu, run->zone) > run->proactive_goal ? KM_COMPACT_CONTINUE
                                                                                     : KM_COMPACT_SUCCESS;
    if (run->order < 0)
        return KM_COMPACT_CONTINUE;
    if (run->migrate_pfn & (km_pageblock_pages(os) - 1)) /* a pageblock once begun is finished */
        return KM_COMPACT_CONTINUE;
    return order_available(run, os, cpu) ? KM_COMPACT_SUCCESS : KM_COMPACT_CONTINUE;
}

/* Freed sources lie on this CPU's lists: once the scanner has left the aligned block they came from, they are
 * drained, so that they can merge and be seen. */
static void drain_left_block(struct km_compact_run *run, struct km_os *os, struct km_cpu *cpu, km_pfn *last)
{
    if (run->order <= 0 || *last == KM_PFN_NONE || *last >= (run->migrate_pfn & ~((1u << run->order) - 1)))
        return;
    km_pcp_drain(os, cpu, run->zone, cpu->id, UINT32_MAX);
    *last = KM_PFN_NONE;
}

static enum km_compact_result scan_zone(struct km_compact_run *run, struct km_os *os, struct km_cpu *cpu)
{
    const km_pfn pages = km_pageblock_pages(os);
    struct km_capture *capture = os->capture[cpu->id];
    enum km_compact_result result;
    km_pfn last = KM_PFN_NONE; /* where pages were last moved from */

    while ((result = finished(run, os, cpu)) == KM_COMPACT_CONTINUE) {
        km_pfn at = run->migrate_pfn;

        run->finish_pageblock = last != KM_PFN_NONE && last / pages == at / pages;
        if (km_compact_find_sources(run, os, cpu)) {
            last = at;
            km_compact_move(run, os, cpu);
            if (run->no_target && !km_compact_scanners_met(os, run))
                return KM_COMPACT_CONTENDED;
        }
        if (capture && capture->pfn != KM_PFN_NONE)
            return KM_COMPACT_SUCCESS;
        drain_left_block(run, os, cpu, &last);
    }
    return result;
}

enum km_compact_result km_compact_zone(struct km_compact_run *run, struct km_os *os, struct km_cpu *cpu)
{
    struct km_compact_stats *stats = &run->c->stats;
    const struct km_compact_defer *defer = &run->c->defer[run->zone];

    km_exec(cpu, &site_zone, 120);
    if (run->order >= 0) {
        enum km_compact_result can = km_compaction_suitable(os, cpu, run->zone, (unsigned)run->order, KM_WMARK_MIN,
                                                            run->highest, run->alloc_flags);

        if (can != KM_COMPACT_CONTINUE)
            return can;
        if (defer->shift == MAX_DEFER_SHIFT && defer->considered >= 1u << defer->shift)
            km_compact_forget(os, cpu, run->zone); /* after many attempts passed over: begin anew */
    }
    place_scanners(run, os, cpu);
    stats->runs++;
    if (os->lru) /* pages in a batch cannot be isolated */
        km_lru_drain(os, cpu, cpu->id);
    const uint64_t moved = stats->moved;
    enum km_compact_result result = scan_zone(run, os, cpu);

    km_compact_release_targets(run, os, cpu);
    stats->results[result]++;
    km_trace_tp(os, cpu,
                &(struct km_tp){.kind = KM_TP_COMPACTION,
                                .pfn = KM_PFN_NONE,
                                .order = run->order < 0 ? KM_NR_ORDERS : (uint8_t)run->order,
                                .fallback_order = (uint8_t)result,
                                .flag = run->direct,
                                .nr = (uint32_t)(stats->moved - moved),
                                .name = os->zone[run->zone].name});
    return result;
}

/* One zone for a request; a block the freeing makes is captured for it. */
static enum km_compact_result compact_for(struct km_compaction *c, struct km_os *os, struct km_cpu *cpu,
                                          struct km_compact_run *run, km_pfn *captured)
{
    struct km_capture capture = {
        .zone = run->zone, .order = (unsigned)run->order, .mt = run->mt, .pfn = KM_PFN_NONE};

    os->capture[cpu->id] = &capture;
    enum km_compact_result result = km_compact_zone(run, os, cpu);

    os->capture[cpu->id] = NULL;
    *captured = capture.pfn;
    c->stats.captured += capture.pfn != KM_PFN_NONE;
    return capture.pfn != KM_PFN_NONE ? KM_COMPACT_SUCCESS : result;
}

static enum km_compact_result compact_zones(struct km_os *os, struct km_cpu *cpu, unsigned order, uint32_t gfp,
                                            unsigned alloc_flags, enum km_compact_prio prio, km_pfn *captured)
{
    struct km_compaction *c = os->compaction;
    const bool async = prio == KM_COMPACT_ASYNC, full = prio == KM_COMPACT_SYNC_FULL;
    enum km_zone_id highest = km_gfp_zone(gfp);
    enum km_compact_result best = KM_COMPACT_SKIPPED;

    *captured = KM_PFN_NONE;
    if (!order || !(gfp & KM_GFP_IO))
        return KM_COMPACT_SKIPPED;
    for (int z = highest; z >= 0 && best != KM_COMPACT_SUCCESS; z--) {
        struct km_compact_run run;

        if (!km_zone_populated(&os->zone[z]))
            continue;
        if (!full && km_compact_deferred(&c->defer[z], order)) {
            best = best > KM_COMPACT_DEFERRED ? best : KM_COMPACT_DEFERRED;
            continue;
        }
        km_compact_run_init(&run, c, os, cpu, (enum km_zone_id)z, (int)order,
                            async ? KM_MIGRATE_ASYNC : KM_MIGRATE_SYNC_LIGHT, cpu->id);
        run.direct = true;
        run.mt = os->mobility_grouping ? km_gfp_migratetype(gfp) : KM_MT_UNMOVABLE;
        run.highest = highest;
        run.alloc_flags = alloc_flags;
        run.whole_zone = run.ignore_skip = run.any_target = full;
        enum km_compact_result result = compact_for(c, os, cpu, &run, captured);

        if (result == KM_COMPACT_SUCCESS)
            km_compact_defer_success(&c->defer[z], order, false);
        else if (!async && (result == KM_COMPACT_COMPLETE || result == KM_COMPACT_PARTIAL_SKIPPED))
            km_compact_defer_failed(&c->defer[z], order);
        best = result > best ? result : best;
    }
    return best;
}

void km_compact_all(struct km_compaction *c, struct km_os *os, struct km_cpu *cpu)
{
    for (unsigned z = 0; z < KM_NR_ZONES; z++) {
        struct km_compact_run run;

        if (!km_zone_populated(&os->zone[z]))
            continue;
        km_compact_run_init(&run, c, os, cpu, (enum km_zone_id)z, -1, KM_MIGRATE_SYNC, cpu->id);
        run.whole_zone = run.ignore_skip = true;
        km_compact_zone(&run, os, cpu);
    }
}

bool km_compact_should_retry(enum km_compact_result last, bool reclaim_could_help, unsigned order,
                             enum km_compact_prio *prio, unsigned *retries)
{
    const unsigned most = order > COSTLY_ORDER ? 4 : 16;
    const enum km_compact_prio strongest =
        order > COSTLY_ORDER ? KM_COMPACT_SYNC_LIGHT : KM_COMPACT_SYNC_FULL;

    if (!order)
        return false;
    if (last == KM_COMPACT_SKIPPED)
        return reclaim_could_help;
    if (last != KM_COMPACT_COMPLETE && last != KM_COMPACT_PARTIAL_SKIPPED && last != KM_COMPACT_DEFERRED &&
        last != KM_COMPACT_CONTENDED && ++*retries <= most)
        return true;
    if (*prio <= strongest)
        return false;
    *prio = (enum km_compact_prio)(*prio - 1);
    *retries = 0;
    return true;
}

static void wake_daemon(struct km_os *os, struct km_cpu *cpu, unsigned order, enum km_zone_id highest)
{
    if (os->compaction->daemon)
        km_kcompactd_wake(os->compaction->daemon, os, cpu, order, highest);
}

static const struct km_compact_ops ops = {.zone_order = compact_zones, .wake_daemon = wake_daemon};

void km_compaction_init(struct km_compaction *c, struct km_os *os, struct km_cpu *cpu)
{
    *c = (struct km_compaction){.heads = km_os_static_alloc(os, (KM_MAX_CPUS + 1) * 16, 16)};
    for (unsigned i = 0; i < (KM_MAX_CPUS + 1) * 2; i++)
        km_list_init(cpu, c->heads + i * 8);
    for (unsigned z = 0; z < KM_NR_ZONES; z++)
        km_compact_defer_init(&c->defer[z]);
}

void km_compaction_enable(struct km_compaction *c, struct km_os *os)
{
    os->compaction = c;
    os->compact = &ops;
}
