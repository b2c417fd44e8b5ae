/* SPDX-License-Identifier: MIT
 * compact_migrate.c - the migrate scanner of compaction: which pages are moved, and the moving.
 *
 * Models:      the linear scan from the bottom of the zone upwards, a pageblock at a time and 32 pages in one go
 *              (the whole pageblock once it has been begun); the search on the free lists for a pageblock that
 *              is nearly empty already; what asynchronous direct runs leave out (pageblocks of other types, and
 *              the rest of an aligned block that cannot be emptied anyway); skip bits and cached positions.
 * Not modelled: pages that are locked, dirty or under writeback: whether a page can be isolated and moved is
 *              asked of its owner (struct km_movable_ops).
 * Invariants:  a source is on no LRU list while it is isolated; sources are moved from the highest down.
 * Units:       frames, pages.
 * References:  kernel-behaviour notes D5.
 */
#include "models/os/compact_run.h"

#include "models/os/buddy.h"
#include "models/os/page_alloc.h"

#define COSTLY_ORDER 3

static const struct km_site site_scan = {"isolate_migratepages_block", 0xc1296000u, 2304};
static const struct km_site site_search = {"fast_find_migrateblock", 0xc1296a00u, 608};
static const struct km_site site_move = {"unmap_and_move", 0xc1296e00u, 1408};

static bool isolate_page(struct km_compact_run *run, struct km_os *os, struct km_cpu *cpu, km_pfn pfn)
{
    const struct km_movable_ops *ops = &run->c->movable;
    km_vaddr page = km_page_va(os, pfn);

    if (!(km_ld32(cpu, page + KM_PAGE_FLAGS) & KM_PG_LRU) ||
        (ops->isolate && !ops->isolate(ops->ctx, os, cpu, pfn, run->mode)))
        return false;
    km_st32(cpu, page + KM_PAGE_FLAGS, km_ld32(cpu, page + KM_PAGE_FLAGS) & ~(uint32_t)KM_PG_LRU);
    km_list_add(cpu, page + KM_PAGE_LRU, run->migrate_list);
    run->nr_migrate++;
    run->c->stats.sources++;
    return true;
}

static void put_back(struct km_compact_run *run, struct km_os *os, struct km_cpu *cpu, km_pfn pfn)
{
    const struct km_movable_ops *ops = &run->c->movable;
    km_vaddr flags = km_page_va(os, pfn) + KM_PAGE_FLAGS;

    km_st32(cpu, flags, km_ld32(cpu, flags) | KM_PG_LRU);
    if (ops->put_back)
        ops->put_back(ops->ctx, os, cpu, pfn);
}

static km_pfn take_source(struct km_compact_run *run, struct km_os *os, struct km_cpu *cpu)
{
    km_vaddr node = km_list_first(cpu, run->migrate_list);

    km_list_del(cpu, node);
    run->nr_migrate--;
    return km_page_pfn(os, node - KM_PAGE_LRU);
}

/* Pages the scanner passes besides pfn itself: the rest of a free or compound block. */
static km_pfn beyond(struct km_os *os, struct km_cpu *cpu, km_pfn pfn, bool *free)
{
    km_vaddr page = km_page_va(os, pfn);

    *free = km_ld32(cpu, page + KM_PAGE_TYPE) == KM_PAGE_TYPE_BUDDY;
    if (*free)
        return (1u << km_ld32(cpu, page + KM_PAGE_PRIVATE)) - 1;
    if (km_ld32(cpu, page + KM_PAGE_FLAGS) & KM_PG_HEAD)
        return (1u << km_ld8(cpu, km_page_va(os, pfn + 1) + KM_PAGE_COMPOUND_ORDER)) - 1;
    return 0;
}

/* An asynchronous direct run wants one aligned block: a page that stays in it makes the others' moving vain. */
static km_pfn give_up_block(struct km_compact_run *run, struct km_os *os, struct km_cpu *cpu, km_pfn pfn)
{
    for (; run->nr_migrate; run->c->stats.given_up++)
        put_back(run, os, cpu, take_source(run, os, cpu));
    return pfn | ((1u << run->order) - 1);
}

/* The pageblock has been gone through and nothing can come of it soon. */
static void remember_block(struct km_compact_run *run, struct km_os *os, struct km_cpu *cpu, km_pfn block, km_pfn next)
{
    const km_vaddr cached = os->zone[run->zone].va + KM_ZONE_COMPACT_MIGRATE;

    if (run->ignore_skip)
        return;
    km_pageblock_set_skip(os, cpu, run->zone, block, true);
    if (next > km_ld32(cpu, cached))
        km_st32(cpu, cached, next);
    if (run->mode != KM_MIGRATE_ASYNC && next > km_ld32(cpu, cached + 4))
        km_st32(cpu, cached + 4, next);
}

static void scan_block(struct km_compact_run *run, struct km_os *os, struct km_cpu *cpu, km_pfn pfn, km_pfn end)
{
    const bool one_block = run->direct && run->mode == KM_MIGRATE_ASYNC && run->order > 0;
    const km_pfn first = pfn;
    bool isolated = false;
    km_pfn block_end = one_block ? (pfn | ((1u << run->order) - 1)) + 1 : end;

    for (; pfn < end; pfn++) {
        bool free;

        if (one_block && pfn >= block_end) {
            if (run->nr_migrate)
                break;
            block_end = (pfn | ((1u << run->order) - 1)) + 1;
        }
        run->c->stats.migrate_scanned++;
        km_exec(cpu, &site_scan, 18);
        km_pfn more = beyond(os, cpu, pfn, &free);

        if (free || more) {
            pfn += more;
            if (!free && one_block)
                pfn = give_up_block(run, os, cpu, pfn);
            continue;
        }
        if (!isolate_page(run, os, cpu, pfn)) {
            if (one_block)
                pfn = give_up_block(run, os, cpu, pfn);
            continue;
        }
        isolated = true;
        if (run->nr_migrate >= KM_COMPACT_CLUSTER && !run->finish_pageblock) {
            pfn++;
            break;
        }
    }
    if (pfn > end)
        pfn = end;
    if (pfn == end && (!isolated || run->finish_pageblock))
        remember_block(run, os, cpu, first, end);
    run->migrate_pfn = pfn;
}

/* Pageblocks worth emptying: asynchronous direct runs keep to those of the request's type. */
static bool gives_pages(struct km_compact_run *run, struct km_os *os, struct km_cpu *cpu, km_pfn block)
{
    if (run->mode != KM_MIGRATE_ASYNC || !run->direct)
        return true;
    return km_pageblock_type(os, cpu, run->zone, block) == run->mt;
}

/* Does a search for a nearly empty pageblock make sense from here? */
static bool may_search(const struct km_compact_run *run, const struct km_os *os)
{
    const km_pfn pfn = run->migrate_pfn;

    if (run->ignore_skip || run->finish_pageblock || run->order <= COSTLY_ORDER)
        return false;
    if (pfn != os->zone[run->zone].start_pfn && (pfn & (km_pageblock_pages(os) - 1)))
        return false; /* in the middle of one */
    return !run->direct || run->mt == KM_MT_MOVABLE;
}

/* A free MOVABLE block of a list lies in a pageblock below `high` that was not looked at lately. */
static km_pfn search_list(struct km_compact_run *run, struct km_os *os, struct km_cpu *cpu, unsigned order,
                          km_pfn high, unsigned *left)
{
    const km_vaddr head = km_free_list_va(&os->zone[run->zone], order, KM_MT_MOVABLE);

    for (km_vaddr node = km_list_first(cpu, head); node != head; node = km_ld32(cpu, node + KM_LIST_NEXT)) {
        km_pfn pfn = km_page_pfn(os, node - KM_PAGE_LRU);

        km_exec(cpu, &site_search, 16);
        if (!*left) {
            km_compact_turn_list(run, cpu, km_ld32(cpu, node + KM_LIST_NEXT), head);
            return KM_PFN_NONE;
        }
        --*left;
        if (pfn >= high || km_pageblock_skip(os, cpu, run->zone, pfn))
            continue;
        km_compact_turn_list(run, cpu, km_ld32(cpu, node + KM_LIST_NEXT), head);
        if (run->fast_start_pfn != KM_PFN_NONE && (!run->fast_start_pfn || pfn < run->fast_start_pfn))
            run->fast_start_pfn = km_compact_block_start(os, run, pfn);
        km_pageblock_set_skip(os, cpu, run->zone, pfn, true); /* the next search finds another one */
        run->fast_fail = 0;
        return km_compact_block_start(os, run, pfn);
    }
    return KM_PFN_NONE;
}

/* Where to scan next: a nearly empty pageblock in the lower part of the zone, or straight on. */
static km_pfn next_block(struct km_compact_run *run, struct km_os *os, struct km_cpu *cpu)
{
    const struct km_zone *zone = &os->zone[run->zone];
    km_pfn distance = (run->free_pfn - run->migrate_pfn) >> 1, found = KM_PFN_NONE;
    unsigned left = run->fast_fail < 31 ? (KM_COMPACT_CLUSTER >> run->fast_fail) + 1 : 1;

    if (!may_search(run, os))
        return run->migrate_pfn;
    if (run->migrate_pfn != zone->start_pfn)
        distance >>= 2;
    km_pfn high = km_compact_block_start(os, run, run->migrate_pfn + distance);

    for (int order = run->order - 1; order >= COSTLY_ORDER && found == KM_PFN_NONE && left; order--) {
        if (!km_ld32(cpu, km_free_area_va(zone, (unsigned)order) + KM_FREE_AREA_NR_FREE))
            continue;
        km_lock(cpu, zone->va + KM_ZONE_LOCK);
        found = search_list(run, os, cpu, (unsigned)order, high, &left);
        km_unlock(cpu, zone->va + KM_ZONE_LOCK);
    }
    if (found != KM_PFN_NONE)
        return found;
    run->fast_fail++;
    if (run->fast_start_pfn && run->fast_start_pfn != KM_PFN_NONE) { /* once: the linear scan begins below the finds */
        run->migrate_pfn = run->fast_start_pfn;
        run->fast_start_pfn = KM_PFN_NONE;
    }
    return run->migrate_pfn;
}

bool km_compact_find_sources(struct km_compact_run *run, struct km_os *os, struct km_cpu *cpu)
{
    const struct km_zone *zone = &os->zone[run->zone];
    const km_pfn pages = km_pageblock_pages(os);
    km_pfn at = next_block(run, os, cpu);
    bool searched = at != run->migrate_pfn && !run->fast_fail;
    km_pfn end = (at | (pages - 1)) + 1;

    for (; end <= run->free_pfn; searched = false, run->migrate_pfn = at = end, end += pages) {
        bool begun = (at & (pages - 1)) && at != zone->start_pfn;

        if (!begun && !searched && km_compact_looked_at_lately(run, os, cpu, at))
            continue;
        if (!gives_pages(run, os, cpu, at)) {
            if (!run->ignore_skip && end > km_ld32(cpu, zone->va + KM_ZONE_COMPACT_MIGRATE))
                km_st32(cpu, zone->va + KM_ZONE_COMPACT_MIGRATE, end);
            continue;
        }
        scan_block(run, os, cpu, at, end);
        break;
    }
    return run->nr_migrate != 0;
}

/* The contents go to `to`, which takes the source's place; the source is freed. */
static bool move_page(struct km_compact_run *run, struct km_os *os, struct km_cpu *cpu, km_pfn from, km_pfn to)
{
    const struct km_movable_ops *ops = &run->c->movable;
    km_vaddr src = km_page_va(os, from), dst = km_page_va(os, to);

    km_exec(cpu, &site_move, 420);
    if (ops->move && !ops->move(ops->ctx, os, cpu, from, to, run->mode))
        return false;
    if (km_pfn_is_low(os, from))
        km_touch(cpu, km_pfn_to_va(os, from), KM_PAGE_BYTES, KM_REF_LOAD);
    if (km_pfn_is_low(os, to))
        km_touch(cpu, km_pfn_to_va(os, to), KM_PAGE_BYTES, KM_REF_STORE);
    for (unsigned word = KM_PAGE_MAPPING; word <= KM_PAGE_MEMCG; word += 4) /* what the page was used for */
        if (word != KM_PAGE_TYPE && word != KM_PAGE_REFCOUNT)
            km_st32(cpu, dst + word, km_ld32(cpu, src + word));
    km_st32(cpu, dst + KM_PAGE_FLAGS, km_ld32(cpu, dst + KM_PAGE_FLAGS) | KM_PG_LRU);
    km_free_pages(os, cpu, from, 0);
    return true;
}

void km_compact_move(struct km_compact_run *run, struct km_os *os, struct km_cpu *cpu)
{
    /* the batch counts as a whole while targets are looked for */
    for (uint32_t left = run->nr_migrate; left; left--) {
        km_pfn to = run->no_target ? KM_PFN_NONE : km_compact_target(run, os, cpu);
        km_vaddr node = km_list_first(cpu, run->migrate_list);
        km_pfn from = km_page_pfn(os, node - KM_PAGE_LRU);

        km_list_del(cpu, node);
        if (to != KM_PFN_NONE && move_page(run, os, cpu, from, to)) {
            run->c->stats.moved++;
            continue;
        }
        run->c->stats.not_moved++;
        put_back(run, os, cpu, from);
        if (to == KM_PFN_NONE)
            run->no_target = true;
        else
            km_compact_return_target(run, os, cpu, to);
    }
    run->nr_migrate = 0;
}
