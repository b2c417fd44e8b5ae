/* SPDX-License-Identifier: MIT
 * compact_free.c - the free scanner of compaction: where pages are moved to.
 *
 * Models:      the linear scan from the top of the zone downwards, pageblock by pageblock and upwards within
 *              one, which takes whole free blocks and splits them; the search on the free lists that comes
 *              first and leaves the lists turned; pageblocks that are no targets (not MOVABLE, wholly free,
 *              looked at in vain); the mark that must be kept.
 * Not modelled: giving up a lock others wait for.
 * Invariants:  a page on the list of targets is on no free list; the scan position is the first frame of a
 *              pageblock, or the frame behind the last one looked at.
 * Units:       frames, pages.
 * References:  kernel-behaviour notes D5.
 */
#include "models/os/compact_run.h"

#include "models/base/bits.h"
#include "models/os/buddy.h"
#include "models/os/page_alloc.h"

static const struct km_site site_scan = {"isolate_freepages_block", 0xc1295000u, 704};
static const struct km_site site_search = {"fast_isolate_freepages", 0xc1295300u, 1152};
static const struct km_site site_split = {"split_map_pages", 0xc1295800u, 224};

static bool is_free(struct km_os *os, struct km_cpu *cpu, km_pfn pfn, unsigned *order)
{
    km_vaddr page = km_page_va(os, pfn);

    if (km_ld32(cpu, page + KM_PAGE_TYPE) != KM_PAGE_TYPE_BUDDY)
        return false;
    *order = km_ld32(cpu, page + KM_PAGE_PRIVATE);
    return true;
}

/* Order of the compound block pfn heads; 0: it heads none. */
static unsigned compound_order(struct km_os *os, struct km_cpu *cpu, km_pfn pfn)
{
    if (!(km_ld32(cpu, km_page_va(os, pfn) + KM_PAGE_FLAGS) & KM_PG_HEAD))
        return 0;
    return km_ld8(cpu, km_page_va(os, pfn + 1) + KM_PAGE_COMPOUND_ORDER);
}

/* The order-0 mark without boost must still hold when the block is gone. */
static bool keeps_mark(struct km_os *os, struct km_cpu *cpu, enum km_zone_id z, unsigned order)
{
    const km_vaddr va = os->zone[z].va;
    int64_t usable = (int64_t)km_ld32(cpu, va + KM_ZONE_NR_FREE_PAGES) - km_ld32(cpu, va + KM_ZONE_NR_HIGHATOMIC);

    return usable > (int64_t)km_ld32(cpu, va + KM_ZONE_WATERMARK + KM_WMARK_MIN * 4) + (1 << order);
}

/* Takes a free block off its list; half a pageblock makes the pageblock MOVABLE. Zone lock held. */
static bool isolate_block(struct km_compact_run *run, struct km_os *os, struct km_cpu *cpu, km_pfn pfn, unsigned order)
{
    if (km_pageblock_type(os, cpu, run->zone, pfn) != KM_MT_ISOLATE && !keeps_mark(os, cpu, run->zone, order))
        return false;
    km_buddy_del(os, cpu, run->zone, pfn, order);
    if (order + 1 >= os->p.pageblock_order)
        for (km_pfn p = pfn; p < pfn + (1u << order); p += km_pageblock_pages(os))
            if (km_pageblock_type(os, cpu, run->zone, p) < KM_MT_PCP_TYPES)
                km_pageblock_set_type(os, cpu, run->zone, p, KM_MT_MOVABLE);
    km_st32(cpu, km_page_va(os, pfn) + KM_PAGE_PRIVATE, order);
    km_list_add_tail(cpu, km_page_va(os, pfn) + KM_PAGE_LRU, run->free_list);
    run->nr_free += 1u << order;
    run->c->stats.targets += 1u << order;
    return true;
}

/* From *at to `end`, until there are enough; *at is left behind the last frame looked at. */
static void scan_block(struct km_compact_run *run, struct km_os *os, struct km_cpu *cpu, km_pfn *at, km_pfn end,
                       unsigned stride)
{
    const km_vaddr lock = os->zone[run->zone].va + KM_ZONE_LOCK;
    km_pfn pfn = *at;

    km_lock(cpu, lock);
    for (; pfn < end; pfn += stride) {
        unsigned order = 0, compound = compound_order(os, cpu, pfn);

        run->c->stats.free_scanned++;
        km_exec(cpu, &site_scan, 14);
        if (compound) { /* read without a reference: another CPU may be taking the block apart */
            pfn += compound < KM_NR_ORDERS ? (1u << compound) - 1 : 0;
            continue;
        }
        if (!is_free(os, cpu, pfn, &order))
            continue;
        if (!isolate_block(run, os, cpu, pfn, order))
            break;
        if (run->nr_migrate <= run->nr_free) {
            pfn += 1u << order;
            break;
        }
        pfn += (1u << order) - 1;
    }
    km_unlock(cpu, lock);
    *at = pfn < end ? pfn : end;
}

/* Isolated blocks become single pages; the last one isolated is used first, from its last page down. */
static void split_targets(struct km_compact_run *run, struct km_os *os, struct km_cpu *cpu)
{
    const km_vaddr head = run->free_list;
    km_vaddr node = km_list_first(cpu, head);

    km_list_init(cpu, head);
    while (node != head) {
        km_vaddr page = node - KM_PAGE_LRU, next = km_ld32(cpu, node + KM_LIST_NEXT);
        km_pfn pfn = km_page_pfn(os, page);
        unsigned order = km_ld32(cpu, page + KM_PAGE_PRIVATE);

        km_prep_page(os, cpu, pfn, KM_GFP_MOVABLE, order);
        for (km_pfn p = pfn; p < pfn + (1u << order); p++) {
            km_exec(cpu, &site_split, 7);
            km_st32(cpu, km_page_va(os, p) + KM_PAGE_REFCOUNT, 1);
            km_list_add(cpu, km_page_va(os, p) + KM_PAGE_LRU, head);
        }
        node = next;
    }
}

void km_compact_turn_list(struct km_compact_run *run, struct km_cpu *cpu, km_vaddr node, km_vaddr head)
{
    if (node == head || node == km_list_first(cpu, head))
        return;
    km_list_rotate_to_front(cpu, node, head);
    run->c->stats.reordered++;
}

static unsigned scan_limit(const struct km_compact_run *run)
{
    return run->fast_fail < 31 ? (KM_COMPACT_CLUSTER >> run->fast_fail) + 1 : 1;
}

/* Orders are tried from the last that succeeded downwards, then from the top; -1: all have been. */
static int next_search_order(struct km_compact_run *run, int order)
{
    if (--order < 0)
        order = run->order - 1;
    if (order != (int)run->search_order)
        return order;
    run->search_order = run->search_order ? run->search_order - 1 : (unsigned)run->order - 1;
    return -1;
}

/* What the search on the free lists looks for and has found. */
struct free_search {
    km_pfn low, min; /* a block from `low` on is taken at once, the highest one from `min` on otherwise */
    km_pfn highest;  /* pageblock of the highest block met */
    unsigned limit;
};

/* Walks one list from its tail. The list is turned so that the next search meets other blocks first. */
static km_pfn search_list(struct km_compact_run *run, struct km_os *os, struct km_cpu *cpu, unsigned order,
                          struct free_search *s)
{
    const km_vaddr head = km_free_list_va(&os->zone[run->zone], order, KM_MT_MOVABLE);
    km_vaddr node = km_list_last(cpu, head);
    km_pfn found = KM_PFN_NONE, high = 0;
    unsigned scanned = 0;

    for (; node != head; node = km_ld32(cpu, node + KM_LIST_PREV)) {
        km_pfn pfn = km_page_pfn(os, node - KM_PAGE_LRU);

        scanned++;
        km_exec(cpu, &site_search, 16);
        if (pfn >= s->highest)
            s->highest = km_compact_block_start(os, run, pfn);
        if (pfn >= s->low) {
            run->fast_fail = 0;
            run->search_order = order;
            found = pfn;
            break;
        }
        if (pfn >= s->min && pfn > high) {
            high = pfn;
            s->limit >>= 1;
        }
        if (scanned >= s->limit)
            break;
    }
    if (found == KM_PFN_NONE && high) {
        found = high;
        node = km_page_va(os, high) + KM_PAGE_LRU;
    }
    km_compact_turn_list(run, cpu, node, head);
    if (found == KM_PFN_NONE && scanned >= s->limit)
        s->limit = s->limit > 1 ? s->limit >> 1 : 1;
    run->c->stats.free_scanned += scanned;
    return found;
}

/* The rest of the pageblock a search has led to. */
static void scan_around(struct km_compact_run *run, struct km_os *os, struct km_cpu *cpu, km_pfn pfn)
{
    km_pfn start = km_compact_block_start(os, run, pfn), end = (pfn | (km_pageblock_pages(os) - 1)) + 1;

    if (run->nr_free >= run->nr_migrate || (run->direct && run->mode == KM_MIGRATE_ASYNC))
        return;
    if (end > os->zone[run->zone].end_pfn)
        end = os->zone[run->zone].end_pfn;
    scan_block(run, os, cpu, &start, end, 1);
    if (run->nr_free < run->nr_migrate && !run->ignore_skip)
        km_pageblock_set_skip(os, cpu, run->zone, pfn, true);
}

/* Nothing found on the lists: the linear scan may at least start where the highest block was. */
static km_pfn after_vain_search(struct km_compact_run *run, bool from_the_top, const struct free_search *s)
{
    run->fast_fail++;
    if (!from_the_top)
        return KM_PFN_NONE;
    if (s->highest && s->highest >= s->min)
        run->free_pfn = s->highest;
    else if (run->direct)
        run->free_pfn = s->min;
    else
        return KM_PFN_NONE;
    return run->free_pfn;
}

static void search_free_lists(struct km_compact_run *run, struct km_os *os, struct km_cpu *cpu)
{
    const km_vaddr va = os->zone[run->zone].va;
    bool from_the_top = run->free_pfn >= km_ld32(cpu, va + KM_ZONE_COMPACT_INIT_FREE);
    km_pfn distance = run->free_pfn - run->migrate_pfn, found = KM_PFN_NONE;
    struct free_search s = {.low = km_compact_block_start(os, run, run->free_pfn - (distance >> 2)),
                            .min = km_compact_block_start(os, run, run->free_pfn - (distance >> 1)),
                            .limit = from_the_top ? km_pageblock_pages(os) / 2 : scan_limit(run)};

    if (run->order <= 0)
        return;
    if (run->search_order > (unsigned)run->order - 1)
        run->search_order = (unsigned)run->order - 1;
    for (int order = (int)run->search_order; found == KM_PFN_NONE && order >= 0;
         order = next_search_order(run, order)) {
        if (!km_ld32(cpu, km_free_area_va(&os->zone[run->zone], (unsigned)order) + KM_FREE_AREA_NR_FREE))
            continue;
        km_lock(cpu, va + KM_ZONE_LOCK);
        found = search_list(run, os, cpu, (unsigned)order, &s);
        if (found != KM_PFN_NONE && !isolate_block(run, os, cpu, found, (unsigned)order)) {
            found = KM_PFN_NONE;
            order = (int)run->search_order + 1;
        }
        km_unlock(cpu, va + KM_ZONE_LOCK);
    }
    if (found == KM_PFN_NONE)
        found = after_vain_search(run, from_the_top, &s);
    if (s.highest && s.highest >= km_ld32(cpu, va + KM_ZONE_COMPACT_FREE))
        km_st32(cpu, va + KM_ZONE_COMPACT_FREE, s.highest - km_pageblock_pages(os));
    if (found != KM_PFN_NONE)
        scan_around(run, os, cpu, found);
}

static bool takes_pages(struct km_compact_run *run, struct km_os *os, struct km_cpu *cpu, km_pfn pfn)
{
    unsigned order;

    if (is_free(os, cpu, pfn, &order) && order >= os->p.pageblock_order)
        return false;
    return run->any_target || km_pageblock_type(os, cpu, run->zone, pfn) == KM_MT_MOVABLE;
}

/* A pageblock gone through without success is passed over next time. */
static void remember_block(struct km_compact_run *run, struct km_os *os, struct km_cpu *cpu, km_pfn block)
{
    const km_vaddr cached = os->zone[run->zone].va + KM_ZONE_COMPACT_FREE;

    if (run->ignore_skip)
        return;
    km_pageblock_set_skip(os, cpu, run->zone, block, true);
    if (block < km_ld32(cpu, cached))
        km_st32(cpu, cached, block);
}

/* Downwards from where the last scan ended, to the pageblock above the migrate scanner's. */
static void scan_down(struct km_compact_run *run, struct km_os *os, struct km_cpu *cpu)
{
    const struct km_zone *zone = &os->zone[run->zone];
    const km_pfn pages = km_pageblock_pages(os), lowest = (run->migrate_pfn & ~(pages - 1)) + pages;
    km_pfn at = run->free_pfn, block = at & ~(pages - 1);
    unsigned stride = run->mode == KM_MIGRATE_ASYNC ? KM_COMPACT_CLUSTER : 1;

    for (; block >= lowest; block -= pages, at = block) {
        km_pfn end = block + pages < zone->end_pfn ? block + pages : zone->end_pfn;
        uint32_t had = run->nr_free;

        if (block < zone->start_pfn || block >= zone->end_pfn || !takes_pages(run, os, cpu, block) ||
            km_compact_looked_at_lately(run, os, cpu, block))
            continue;
        scan_block(run, os, cpu, &at, end, stride);
        if (at == end)
            remember_block(run, os, cpu, block);
        if (run->nr_free >= run->nr_migrate) {
            if (at >= end)
                at = block - pages;
            break;
        }
        if (at < end)
            break;
        stride = run->nr_free > had ? 1 : (unsigned)km_min_u64(KM_COMPACT_CLUSTER, stride << 1);
    }
    run->free_pfn = at;
}

void km_compact_find_targets(struct km_compact_run *run, struct km_os *os, struct km_cpu *cpu)
{
    search_free_lists(run, os, cpu);
    if (!run->nr_free)
        scan_down(run, os, cpu);
    split_targets(run, os, cpu);
}

km_pfn km_compact_target(struct km_compact_run *run, struct km_os *os, struct km_cpu *cpu)
{
    if (!run->nr_free)
        km_compact_find_targets(run, os, cpu);
    if (!run->nr_free)
        return KM_PFN_NONE;
    km_vaddr node = km_list_first(cpu, run->free_list);

    km_list_del(cpu, node);
    run->nr_free--;
    return km_page_pfn(os, node - KM_PAGE_LRU);
}

void km_compact_return_target(struct km_compact_run *run, struct km_os *os, struct km_cpu *cpu, km_pfn pfn)
{
    km_list_add(cpu, km_page_va(os, pfn) + KM_PAGE_LRU, run->free_list);
    run->nr_free++;
}

void km_compact_release_targets(struct km_compact_run *run, struct km_os *os, struct km_cpu *cpu)
{
    const km_vaddr cached = os->zone[run->zone].va + KM_ZONE_COMPACT_FREE;
    km_pfn highest = 0;

    while (run->nr_free) {
        km_pfn pfn = km_compact_target(run, os, cpu);

        run->c->stats.returned++;
        highest = pfn > highest ? pfn : highest;
        km_free_pages(os, cpu, pfn, 0);
    }
    highest &= ~(km_pageblock_pages(os) - 1);
    if (highest > km_ld32(cpu, cached)) /* what came back is found again by the next run */
        km_st32(cpu, cached, highest);
}
