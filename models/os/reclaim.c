/* SPDX-License-Identifier: MIT
 * reclaim.c - see reclaim.h.
 *
 * Models:      the priority loop: at priority p a list is scanned for size / 2^p pages, from 12 down to 0 until
 *              enough came free; the balance between anonymous pages and page cache from swappiness and what each
 *              has cost (rotations, writes), page cache alone without swap or while much of it is inactive; the
 *              second chance (accessed bit, PG_referenced, executable mappings); deactivation while the inactive
 *              list is low (inactive * sqrt(10 * GiB) < active); swap slots; writeback as time: a dirty anonymous
 *              page is written and goes to the inactive tail when that has ended, dirty page cache is left to the
 *              flusher (by age, above a tenth of the memory, or when reclaim meets nothing else); shrinkers;
 *              batched frees; continuing for an order until compaction could make the block.
 * Not modelled: cgroups, refaults (a page taken back is not asked for again), throttling by congestion other than
 *              waiting for the next write, isolation limits, mlock found while scanning, huge pages being split.
 * Invariants:  a page that is looked at is on no list meanwhile and is on a list or free afterwards; swap_used <=
 *              swap_pages.
 * Units:       pages, ns.
 * References:  kernel-behaviour notes D2 to D4; J. Weiner, "Rethinking LRU balancing" (mm: balance LRU lists based
 *              on relative thrashing, 5.8); Documentation/admin-guide/sysctl/vm.rst.
 */
#include "models/os/reclaim.h"

#include "models/base/bits.h"
#include "models/base/bug.h"
#include "models/os/compaction.h"
#include "models/os/page_alloc.h"

#define GIB_PAGES_SHIFT 18
#define COSTLY_ORDER 3u
#define WAIT_MAX_NS 100000000ull
#define SHRINK_BATCH 128u
#define FLUSH_PAGES 1024u

static const struct km_site site_scan = {"shrink_page_list", 0xc1260000u, 2560};
static const struct km_site site_active = {"shrink_active_list", 0xc1261000u, 768};
static const struct km_site site_count = {"get_scan_count", 0xc1261400u, 640};

const char *km_vm_event_name(enum km_vm_event e)
{
    static const char *const name[KM_VM_NR] = {
        [KM_VM_PGACTIVATE] = "pgactivate",
        [KM_VM_PGDEACTIVATE] = "pgdeactivate",
        [KM_VM_PGREFILL] = "pgrefill",
        [KM_VM_PGSTEAL_KSWAPD] = "pgsteal_kswapd",
        [KM_VM_PGSTEAL_DIRECT] = "pgsteal_direct",
        [KM_VM_PGSCAN_KSWAPD] = "pgscan_kswapd",
        [KM_VM_PGSCAN_DIRECT] = "pgscan_direct",
        [KM_VM_PGSCAN_ANON] = "pgscan_anon",
        [KM_VM_PGSCAN_FILE] = "pgscan_file",
        [KM_VM_PGSTEAL_ANON] = "pgsteal_anon",
        [KM_VM_PGSTEAL_FILE] = "pgsteal_file",
        [KM_VM_PGROTATED] = "pgrotated",
        [KM_VM_PSWPOUT] = "pswpout",
        [KM_VM_NR_DIRTIED] = "nr_dirtied",
        [KM_VM_NR_WRITTEN] = "nr_written",
        [KM_VM_VMSCAN_WRITE] = "nr_vmscan_write",
        [KM_VM_VMSCAN_IMMEDIATE] = "nr_vmscan_immediate_reclaim",
        [KM_VM_SLABS_SCANNED] = "slabs_scanned",
        [KM_VM_ALLOCSTALL] = "allocstall",
        [KM_VM_PAGEOUTRUN] = "pageoutrun",
        [KM_VM_LOW_WMARK_HIT] = "kswapd_low_wmark_hit_quickly",
        [KM_VM_HIGH_WMARK_HIT] = "kswapd_high_wmark_hit_quickly",
        [KM_VM_WRITEBACK_WAITS] = "writeback_waits",
        [KM_VM_COMPACTSTALL] = "compact_stall",
        [KM_VM_COMPACTFAIL] = "compact_fail",
        [KM_VM_COMPACTSUCCESS] = "compact_success",
        [KM_VM_OOM_KILL] = "oom_kill",
        [KM_VM_ALLOC_FAILURES] = "alloc_failures",
        [KM_VM_STUCK] = "stuck_requests",
    };

    return name[e];
}

/* ---- writeback ---- */

static bool queue_pop(struct km_write_queue *q, uint64_t now_ns, km_pfn *pfn)
{
    if (!q->nr || q->item[q->head].due_ns > now_ns)
        return false;
    *pfn = q->item[q->head].pfn;
    q->head = (q->head + 1) % q->room;
    q->nr--;
    return true;
}

static void queue_push(struct km_write_queue *q, km_pfn pfn, uint64_t due_ns)
{
    KM_BUG_ON(q->nr == q->room);
    q->item[(q->head + q->nr++) % q->room] = (struct km_write){.pfn = pfn, .due_ns = due_ns};
}

static void end_write(struct km_os *os, struct km_cpu *cpu, km_pfn pfn)
{
    uint32_t flags = km_page_flags(os, cpu, pfn);

    if (!(flags & KM_PG_WRITEBACK))
        return; /* freed meanwhile */
    km_reclaim_count(os->reclaim, KM_VM_NR_WRITTEN, 1);
    if (!(flags & KM_PG_RECLAIM) || flags & (KM_PG_DIRTY | KM_PG_UNEVICTABLE) || !km_lru_take(os, cpu, pfn)) {
        km_lru_change_flags(os, cpu, pfn, 0, KM_PG_WRITEBACK | KM_PG_RECLAIM);
        return;
    }
    km_lru_change_flags(os, cpu, pfn, 0, KM_PG_WRITEBACK | KM_PG_RECLAIM | KM_PG_ACTIVE);
    km_lru_put(os, cpu, pfn, true);
    km_reclaim_count(os->reclaim, KM_VM_PGROTATED, 1);
}

static void start_write(struct km_os *os, struct km_cpu *cpu, km_pfn pfn, uint32_t flags)
{
    struct km_reclaim *rc = os->reclaim;
    km_pfn oldest;

    if (rc->writing.nr == rc->writing.room && queue_pop(&rc->writing, UINT64_MAX, &oldest))
        end_write(os, cpu, oldest);
    km_lru_change_flags(os, cpu, pfn, KM_PG_WRITEBACK | flags, KM_PG_DIRTY);
    queue_push(&rc->writing, pfn, rc->now_ns + rc->writeback_ns);
}

/* The flusher writes dirty page cache: all of a certain age, or up to `pages` of any age. */
static void flush(struct km_os *os, struct km_cpu *cpu, uint64_t older_than_ns, uint32_t pages)
{
    km_pfn pfn;

    while (pages && queue_pop(&os->reclaim->dirty, older_than_ns, &pfn)) {
        uint32_t flags = km_page_flags(os, cpu, pfn);

        if ((flags & (KM_PG_DIRTY | KM_PG_SWAPBACKED | KM_PG_WRITEBACK)) == KM_PG_DIRTY) {
            start_write(os, cpu, pfn, 0);
            pages--;
        }
    }
}

static void note_dirty(void *ctx, km_pfn pfn)
{
    struct km_reclaim *rc = ctx;

    km_reclaim_count(rc, KM_VM_NR_DIRTIED, 1);
    if (rc->dirty.nr == rc->dirty.room) { /* pages that died dirty: their places are taken from the oldest */
        rc->dirty.head = (rc->dirty.head + 1) % rc->dirty.room;
        rc->dirty.nr--;
    }
    queue_push(&rc->dirty, pfn, rc->now_ns + rc->dirty_expire_ns);
}

/* A tenth of what could be dirty (free pages and page cache) is enough for the flusher to start. */
static bool above_background(struct km_os *os, struct km_cpu *cpu)
{
    uint64_t dirtyable = 0;

    for (unsigned z = 0; z <= KM_ZONE_NORMAL; z++)
        dirtyable += km_ld32(cpu, os->zone[z].va + KM_ZONE_NR_FREE_PAGES) +
                     km_lru_zone_size(os, cpu, (enum km_zone_id)z, KM_LRU_INACTIVE_FILE) +
                     km_lru_zone_size(os, cpu, (enum km_zone_id)z, KM_LRU_ACTIVE_FILE);
    return os->lru->nr_dirty > dirtyable / 10;
}

static void settle_writes(struct km_os *os, struct km_cpu *cpu)
{
    struct km_reclaim *rc = os->reclaim;
    km_pfn pfn;

    while (queue_pop(&rc->writing, rc->now_ns, &pfn))
        end_write(os, cpu, pfn);
    flush(os, cpu, rc->now_ns, UINT32_MAX);
    if (above_background(os, cpu))
        flush(os, cpu, UINT64_MAX, FLUSH_PAGES);
}

void km_reclaim_open(struct km_reclaim *rc, struct km_os *os)
{
    KM_BUG_ON(!os->lru || !rc->dirty.room || !rc->writing.room);
    os->reclaim = rc;
    os->lru->ctx = rc;
    os->lru->dirtied = note_dirty;
}

void km_reclaim_step(struct km_os *os, struct km_cpu *cpu, uint64_t now_ns)
{
    struct km_reclaim *rc = os->reclaim;

    if (now_ns > rc->now_ns)
        rc->now_ns = now_ns;
    if (rc->writing.nr || rc->dirty.nr)
        settle_writes(os, cpu);
    km_kswapd_step(os, cpu, rc->now_ns);
}

bool km_reclaim_wait(struct km_os *os, struct km_cpu *cpu)
{
    struct km_reclaim *rc = os->reclaim;

    if (!rc->writing.nr)
        return false;
    uint64_t due = rc->writing.item[rc->writing.head].due_ns;

    km_reclaim_count(rc, KM_VM_WRITEBACK_WAITS, 1);
    km_reclaim_step(os, cpu, km_min_u64(due, rc->now_ns + WAIT_MAX_NS));
    return true;
}

void km_swap_free(struct km_os *os, uint64_t slots)
{
    struct km_reclaim *rc = os->reclaim;

    rc->swap_used -= slots < rc->swap_used ? slots : rc->swap_used;
}

/* ---- one page ---- */

enum fate {
    FATE_FREE,
    FATE_KEEP,     /* to the head of the inactive list */
    FATE_ACTIVATE,
};

/* What a batch of inactive pages turned out to be. */
struct findings {
    uint32_t unqueued_dirty, pageout, writeback;
};

enum use { USE_NONE, USE_ONCE_CLEAN, USE_KEEP, USE_ACTIVATE };

/* Second chance: has the page been used since it was last looked at? */
static enum use uses(struct km_os *os, struct km_cpu *cpu, km_pfn pfn)
{
    uint32_t flags = km_page_flags(os, cpu, pfn);
    bool before = flags & KM_PG_REFERENCED, file = !(flags & KM_PG_SWAPBACKED);

    if (!(flags & KM_PG_YOUNG)) {
        km_lru_change_flags(os, cpu, pfn, 0, KM_PG_REFERENCED);
        return before && file ? USE_ONCE_CLEAN : USE_NONE;
    }
    km_lru_change_flags(os, cpu, pfn, KM_PG_REFERENCED, KM_PG_YOUNG);
    if (before || (file && flags & KM_PG_EXEC))
        return USE_ACTIVATE;
    return USE_KEEP;
}

/* An anonymous page needs a place in swap. */
static bool into_swap(struct km_os *os, struct km_cpu *cpu, km_pfn pfn)
{
    struct km_reclaim *rc = os->reclaim;
    uint32_t pages = km_lru_pages(os, cpu, pfn);

    if (rc->swap_used + pages > rc->swap_pages)
        return false;
    rc->swap_used += pages;
    km_lru_change_flags(os, cpu, pfn, KM_PG_SWAPCACHE | KM_PG_DIRTY, 0);
    return true;
}

static enum fate write_out(struct km_os *os, struct km_cpu *cpu, const struct km_scan *sc, km_pfn pfn, uint32_t flags,
                           enum use use, struct findings *found)
{
    struct km_reclaim *rc = os->reclaim;
    bool file = !(flags & KM_PG_SWAPBACKED);

    if (file && !(sc->kswapd && rc->many_dirty && flags & KM_PG_RECLAIM)) {
        km_reclaim_count(rc, KM_VM_VMSCAN_IMMEDIATE, 1);
        km_lru_change_flags(os, cpu, pfn, KM_PG_RECLAIM, 0);
        return FATE_ACTIVATE; /* the flusher writes it, and its end brings the page back */
    }
    bool may_enter = sc->gfp & KM_GFP_FS || (!file && sc->gfp & KM_GFP_IO);

    if (use == USE_ONCE_CLEAN || !may_enter || !sc->may_write)
        return FATE_KEEP;
    found->pageout++;
    km_reclaim_count(rc, KM_VM_VMSCAN_WRITE, 1);
    if (!file)
        km_reclaim_count(rc, KM_VM_PSWPOUT, km_lru_pages(os, cpu, pfn));
    start_write(os, cpu, pfn, KM_PG_RECLAIM);
    return FATE_KEEP;
}

static enum fate judge(struct km_os *os, struct km_cpu *cpu, const struct km_scan *sc, km_pfn pfn,
                       struct findings *found)
{
    uint32_t flags = km_page_flags(os, cpu, pfn);

    km_exec(cpu, &site_scan, 120);
    if ((flags & (KM_PG_DIRTY | KM_PG_SWAPBACKED | KM_PG_WRITEBACK)) == KM_PG_DIRTY)
        found->unqueued_dirty++;
    if (flags & KM_PG_WRITEBACK) {
        found->writeback++;
        km_lru_change_flags(os, cpu, pfn, KM_PG_RECLAIM, 0);
        return FATE_ACTIVATE;
    }
    enum use use = uses(os, cpu, pfn);

    if (use == USE_ACTIVATE)
        return FATE_ACTIVATE;
    if (use == USE_KEEP)
        return FATE_KEEP;
    if ((flags & (KM_PG_SWAPBACKED | KM_PG_SWAPCACHE)) == KM_PG_SWAPBACKED) {
        if (!(sc->gfp & KM_GFP_IO))
            return FATE_KEEP;
        if (!into_swap(os, cpu, pfn))
            return FATE_ACTIVATE;
    }
    if (km_page_mapped(os, cpu, pfn))
        km_st32(cpu, km_page_va(os, pfn) + KM_PAGE_TYPE, KM_PAGE_TYPE_NONE);
    if (km_page_flags(os, cpu, pfn) & KM_PG_DIRTY)
        return write_out(os, cpu, sc, pfn, km_page_flags(os, cpu, pfn), use, found);
    return FATE_FREE;
}

/* ---- lists ---- */

struct batch {
    km_pfn pfn[KM_RECLAIM_CLUSTER];
    unsigned nr;
    uint32_t pages;
};

static void isolate(struct km_os *os, struct km_cpu *cpu, enum km_zone_id z, enum km_lru_list l,
                    const struct km_scan *sc, uint32_t wanted, struct batch *b)
{
    b->nr = km_lru_isolate(os, cpu, z, l, sc->highest, wanted, b->pfn, KM_RECLAIM_CLUSTER, &b->pages);
}

static bool is_file(enum km_lru_list l)
{
    return l >= KM_LRU_INACTIVE_FILE;
}

/* What a kind of pages costs: written and rotated pages, halved as they pass a quarter of the lists. */
static void note_cost(struct km_os *os, struct km_cpu *cpu, enum km_zone_id z, bool file, uint32_t pages)
{
    const km_vaddr cost = os->lru->vec_va[z] + KM_LRUVEC_COST;
    uint32_t anon_cost = km_ld32(cpu, cost) + (file ? 0 : pages), file_cost = km_ld32(cpu, cost + 4) + (file ? pages : 0);
    uint32_t size = 0;

    for (unsigned l = KM_LRU_INACTIVE_ANON; l <= KM_LRU_ACTIVE_FILE; l++)
        size += km_lru_size(os, cpu, z, (enum km_lru_list)l);
    if (anon_cost + file_cost > size / 4) {
        anon_cost /= 2;
        file_cost /= 2;
    }
    km_st32(cpu, cost, anon_cost);
    km_st32(cpu, cost + 4, file_cost);
}

static void free_batch(struct km_os *os, struct km_cpu *cpu, struct batch *b)
{
    struct km_reclaim *rc = os->reclaim;
    km_pfn single[KM_RECLAIM_CLUSTER];
    unsigned nr = 0;

    for (unsigned i = 0; i < b->nr; i++) {
        bool swapped = km_page_flags(os, cpu, b->pfn[i]) & KM_PG_SWAPBACKED;
        uint32_t pages = km_lru_pages(os, cpu, b->pfn[i]);

        km_lru_end(os, cpu, b->pfn[i]);
        for (uint32_t p = 0; rc->gone && p < pages; p++)
            rc->gone(rc->ctx, cpu, b->pfn[i] + p, swapped);
        if (pages == 1)
            single[nr++] = b->pfn[i];
        else
            km_free_pages(os, cpu, b->pfn[i], km_log2(pages));
    }
    km_free_pages_batched(os, cpu, single, nr);
}

static void put_back(struct km_os *os, struct km_cpu *cpu, km_pfn pfn, enum fate fate)
{
    if (fate == FATE_ACTIVATE) {
        km_lru_change_flags(os, cpu, pfn, KM_PG_ACTIVE, 0);
        km_reclaim_count(os->reclaim, KM_VM_PGACTIVATE, 1);
    }
    km_lru_put(os, cpu, pfn, false);
}

static void count_pages(struct km_reclaim *rc, const struct km_scan *sc, bool file, uint32_t scanned, uint32_t stolen)
{
    km_reclaim_count(rc, sc->kswapd ? KM_VM_PGSCAN_KSWAPD : KM_VM_PGSCAN_DIRECT, scanned);
    km_reclaim_count(rc, sc->kswapd ? KM_VM_PGSTEAL_KSWAPD : KM_VM_PGSTEAL_DIRECT, stolen);
    km_reclaim_count(rc, file ? KM_VM_PGSCAN_FILE : KM_VM_PGSCAN_ANON, scanned);
    km_reclaim_count(rc, file ? KM_VM_PGSTEAL_FILE : KM_VM_PGSTEAL_ANON, stolen);
}

static uint32_t shrink_inactive(struct km_os *os, struct km_cpu *cpu, enum km_zone_id z, enum km_lru_list l,
                                struct km_scan *sc, uint32_t wanted)
{
    struct km_reclaim *rc = os->reclaim;
    struct findings found = {0};
    struct batch taken, freed = {.nr = 0};

    km_lru_drain(os, cpu, cpu->id);
    isolate(os, cpu, z, l, sc, wanted, &taken);
    if (!taken.nr)
        return 0;
    for (unsigned i = 0; i < taken.nr; i++) {
        enum fate fate = judge(os, cpu, sc, taken.pfn[i], &found);

        if (fate != FATE_FREE) {
            put_back(os, cpu, taken.pfn[i], fate);
            continue;
        }
        freed.pfn[freed.nr++] = taken.pfn[i];
        freed.pages += km_lru_pages(os, cpu, taken.pfn[i]);
    }
    free_batch(os, cpu, &freed);
    note_cost(os, cpu, z, is_file(l), found.pageout);
    count_pages(rc, sc, is_file(l), taken.pages, freed.pages);
    sc->scanned += taken.pages;
    if (found.unqueued_dirty == taken.nr) {
        flush(os, cpu, UINT64_MAX, FLUSH_PAGES);
        rc->many_dirty |= sc->kswapd;
    }
    return freed.pages;
}

static void shrink_active(struct km_os *os, struct km_cpu *cpu, enum km_zone_id z, enum km_lru_list l,
                          struct km_scan *sc, uint32_t wanted)
{
    uint32_t rotated = 0, down = 0;
    struct batch taken;

    km_lru_drain(os, cpu, cpu->id);
    isolate(os, cpu, z, l, sc, wanted, &taken);
    for (unsigned i = 0; i < taken.nr; i++) {
        uint32_t flags = km_page_flags(os, cpu, taken.pfn[i]);
        bool stays = flags & KM_PG_YOUNG && flags & KM_PG_EXEC && is_file(l);

        km_exec(cpu, &site_active, 40);
        km_lru_change_flags(os, cpu, taken.pfn[i], 0, KM_PG_YOUNG | (stays ? 0u : KM_PG_ACTIVE));
        km_lru_put(os, cpu, taken.pfn[i], false);
        rotated += stays;
        down += !stays;
    }
    sc->scanned += taken.pages;
    km_reclaim_count(os->reclaim, KM_VM_PGREFILL, taken.pages);
    km_reclaim_count(os->reclaim, KM_VM_PGDEACTIVATE, down);
    if (rotated)
        note_cost(os, cpu, z, is_file(l), rotated);
}

/* ---- how much of which list ---- */

static bool inactive_is_low(struct km_os *os, struct km_cpu *cpu, enum km_zone_id z, bool file)
{
    uint64_t inactive = km_lru_size(os, cpu, z, file ? KM_LRU_INACTIVE_FILE : KM_LRU_INACTIVE_ANON);
    uint64_t active = km_lru_size(os, cpu, z, file ? KM_LRU_ACTIVE_FILE : KM_LRU_ACTIVE_ANON);
    uint64_t gib = (inactive + active) >> GIB_PAGES_SHIFT;

    return inactive * (gib ? km_isqrt(10 * gib) : 1) < active;
}

/* Plan for one set of lists. */
struct plan {
    uint64_t nr[KM_LRU_UNEVICTABLE];
    bool deactivate[2]; /* anon, file */
};

static bool can_age_anon(const struct km_reclaim *rc)
{
    return km_swap_room(rc);
}

/* Little page cache beside a lot of anonymous pages: taking the rest of it would only thrash. */
static bool file_is_tiny(struct km_os *os, struct km_cpu *cpu, enum km_zone_id z, const struct km_scan *sc,
                         const struct plan *p)
{
    uint64_t file = (uint64_t)km_lru_size(os, cpu, z, KM_LRU_INACTIVE_FILE) +
                    km_lru_size(os, cpu, z, KM_LRU_ACTIVE_FILE);
    uint64_t free = 0, high = 0;

    for (unsigned i = 0; i < KM_NR_ZONES; i++) {
        if (!km_ld32(cpu, os->zone[i].va + KM_ZONE_MANAGED))
            continue;
        free += km_ld32(cpu, os->zone[i].va + KM_ZONE_NR_FREE_PAGES);
        high += km_ld32(cpu, os->zone[i].va + KM_ZONE_WATERMARK + KM_WMARK_HIGH * 4) +
                km_ld32(cpu, os->zone[i].va + KM_ZONE_BOOST);
    }
    return file + free <= high && !p->deactivate[0] &&
           km_lru_size(os, cpu, z, KM_LRU_INACTIVE_ANON) >> sc->priority;
}

enum balance { BALANCE_FRACTION, BALANCE_EQUAL, BALANCE_ANON, BALANCE_FILE };

static enum balance balance_of(struct km_os *os, struct km_cpu *cpu, enum km_zone_id z, const struct km_scan *sc,
                               const struct plan *p)
{
    struct km_reclaim *rc = os->reclaim;

    if (!sc->may_swap || !km_swap_room(rc))
        return BALANCE_FILE;
    if (!sc->priority && rc->swappiness)
        return BALANCE_EQUAL;
    if (file_is_tiny(os, cpu, z, sc, p))
        return BALANCE_ANON;
    if (km_lru_size(os, cpu, z, KM_LRU_INACTIVE_FILE) >> sc->priority && !p->deactivate[1])
        return BALANCE_FILE;
    return BALANCE_FRACTION;
}

static void make_plan(struct km_os *os, struct km_cpu *cpu, enum km_zone_id z, const struct km_scan *sc,
                      struct plan *p)
{
    const km_vaddr cost = os->lru->vec_va[z] + KM_LRUVEC_COST;
    uint64_t swappiness = os->reclaim->swappiness;

    km_exec(cpu, &site_count, 90);
    for (unsigned file = 0; file < 2; file++)
        p->deactivate[file] = sc->force_deactivate || inactive_is_low(os, cpu, z, file);
    enum balance how = balance_of(os, cpu, z, sc, p);
    uint64_t anon_cost = km_ld32(cpu, cost), file_cost = km_ld32(cpu, cost + 4), total = anon_cost + file_cost;
    /* each side bears the whole cost once more than its own, so that neither is ever left out */
    uint64_t share[2] = {swappiness * (3 * total + 1) / (total + anon_cost + 1),
                         (200 - swappiness) * (3 * total + 1) / (total + file_cost + 1)};

    for (unsigned l = 0; l < KM_LRU_UNEVICTABLE; l++) {
        bool file = is_file((enum km_lru_list)l);
        uint64_t scan = km_lru_size(os, cpu, z, (enum km_lru_list)l) >> sc->priority;

        if (how == BALANCE_FRACTION)
            scan = share[0] + share[1] ? scan * share[file] / (share[0] + share[1]) : 0;
        else if ((how == BALANCE_FILE && !file) || (how == BALANCE_ANON && file))
            scan = 0;
        p->nr[l] = scan;
    }
}

static uint64_t scan_list(struct km_os *os, struct km_cpu *cpu, enum km_zone_id z, enum km_lru_list l,
                          struct km_scan *sc, const struct plan *p, uint32_t pages)
{
    if (l == KM_LRU_INACTIVE_ANON || l == KM_LRU_INACTIVE_FILE)
        return shrink_inactive(os, cpu, z, l, sc, pages);
    if (p->deactivate[is_file(l)])
        shrink_active(os, cpu, z, l, sc, pages);
    else
        sc->skipped_deactivate = true;
    return 0;
}

/* Enough is free: the kind with less left to scan stops, the other one scans in the same proportion. */
static bool stop_smaller(struct plan *p, const uint64_t target[KM_LRU_UNEVICTABLE])
{
    uint64_t anon = p->nr[KM_LRU_INACTIVE_ANON] + p->nr[KM_LRU_ACTIVE_ANON];
    uint64_t file = p->nr[KM_LRU_INACTIVE_FILE] + p->nr[KM_LRU_ACTIVE_FILE];

    if (!anon || !file)
        return false;
    unsigned stop = file > anon ? KM_LRU_INACTIVE_ANON : KM_LRU_INACTIVE_FILE;
    unsigned go = file > anon ? KM_LRU_INACTIVE_FILE : KM_LRU_INACTIVE_ANON;
    uint64_t percent = (file > anon ? anon : file) * 100 / (target[stop] + target[stop + 1] + 1);

    p->nr[stop] = p->nr[stop + 1] = 0;
    for (unsigned l = go; l <= go + 1; l++) {
        uint64_t done = target[l] - p->nr[l], wanted = target[l] * (100 - percent) / 100;

        p->nr[l] = wanted > done ? wanted - done : 0;
    }
    return true;
}

/* All lists of one set, in clusters, turn and turn about. */
static void shrink_lists(struct km_os *os, struct km_cpu *cpu, enum km_zone_id z, struct km_scan *sc)
{
    uint64_t target[KM_LRU_UNEVICTABLE], freed = 0;
    bool whole = !sc->kswapd && sc->priority == KM_RECLAIM_PRIORITY, adjusted = false;
    struct plan p;

    make_plan(os, cpu, z, sc, &p);
    for (unsigned l = 0; l < KM_LRU_UNEVICTABLE; l++)
        target[l] = p.nr[l];
    while (p.nr[KM_LRU_INACTIVE_ANON] || p.nr[KM_LRU_ACTIVE_FILE] || p.nr[KM_LRU_INACTIVE_FILE]) {
        for (unsigned l = 0; l < KM_LRU_UNEVICTABLE; l++) {
            uint32_t pages = (uint32_t)km_min_u64(p.nr[l], KM_RECLAIM_CLUSTER);

            if (!pages)
                continue;
            p.nr[l] -= pages;
            freed += scan_list(os, cpu, z, (enum km_lru_list)l, sc, &p, pages);
        }
        if (freed < sc->to_reclaim || whole || adjusted)
            continue;
        if (!stop_smaller(&p, target))
            break;
        adjusted = true;
    }
    sc->reclaimed += freed;
    if (can_age_anon(os->reclaim) && inactive_is_low(os, cpu, z, false))
        shrink_active(os, cpu, z, KM_LRU_ACTIVE_ANON, sc, KM_RECLAIM_CLUSTER);
}

/* Caches of objects: as much of them as of the lists, weighed by what it costs to make an object anew. */
static void shrink_slab(struct km_os *os, struct km_cpu *cpu, struct km_scan *sc)
{
    struct km_reclaim *rc = os->reclaim;
    uint64_t freeable = rc->slab_count ? rc->slab_count(rc->ctx) : 0;
    const unsigned seeks = 2;

    if (!freeable)
        return;
    uint64_t total = rc->slab_deferred + (freeable >> sc->priority) * 4 / seeks;

    total = km_min_u64(total, 2 * freeable);
    while (total >= SHRINK_BATCH || total >= freeable) {
        uint64_t batch = km_min_u64(total, SHRINK_BATCH);

        if (!batch)
            break;
        rc->slab_free(rc->ctx, cpu, batch);
        km_reclaim_count(rc, KM_VM_SLABS_SCANNED, batch);
        total -= batch;
    }
    rc->slab_deferred = total;
}

/* For an order: as long as pages come free and compaction could not make the block yet. */
static bool go_on(struct km_os *os, struct km_cpu *cpu, const struct km_scan *sc, uint64_t reclaimed)
{
    uint64_t inactive = 0;

    if (!sc->order || !os->compact ||
        (sc->order <= COSTLY_ORDER && sc->priority >= KM_RECLAIM_PRIORITY - 2) || !reclaimed)
        return false;
    for (unsigned z = 0; z <= sc->highest; z++) {
        if (!km_ld32(cpu, os->zone[z].va + KM_ZONE_MANAGED))
            continue;
        if (km_compaction_suitable(os, cpu, (enum km_zone_id)z, sc->order, KM_WMARK_MIN, sc->highest, 0) !=
            KM_COMPACT_SKIPPED)
            return false;
        inactive += km_lru_zone_size(os, cpu, (enum km_zone_id)z, KM_LRU_INACTIVE_FILE);
        if (km_swap_room(os->reclaim))
            inactive += km_lru_zone_size(os, cpu, (enum km_zone_id)z, KM_LRU_INACTIVE_ANON);
    }
    return inactive > 2ull << sc->order;
}

void km_shrink_node(struct km_os *os, struct km_cpu *cpu, struct km_scan *sc)
{
    uint64_t before;

    do {
        before = sc->reclaimed;
        os->reclaim->many_dirty = false;
        for (unsigned z = 0; z <= sc->highest; z++)
            if (z == 0 || os->lru->vec_va[z] != os->lru->vec_va[z - 1])
                shrink_lists(os, cpu, (enum km_zone_id)z, sc);
        shrink_slab(os, cpu, sc);
    } while (go_on(os, cpu, sc, sc->reclaimed - before));
}

void km_age_anon(struct km_os *os, struct km_cpu *cpu, struct km_scan *sc)
{
    if (!can_age_anon(os->reclaim))
        return;
    for (unsigned z = 0; z <= sc->highest; z++)
        if ((z == 0 || os->lru->vec_va[z] != os->lru->vec_va[z - 1]) &&
            inactive_is_low(os, cpu, (enum km_zone_id)z, false))
            shrink_active(os, cpu, (enum km_zone_id)z, KM_LRU_ACTIVE_ANON, sc, KM_RECLAIM_CLUSTER);
}

uint64_t km_zone_reclaimable(struct km_os *os, struct km_cpu *cpu, enum km_zone_id z)
{
    uint64_t pages = (uint64_t)km_lru_zone_size(os, cpu, z, KM_LRU_INACTIVE_FILE) +
                     km_lru_zone_size(os, cpu, z, KM_LRU_ACTIVE_FILE);

    if (km_swap_room(os->reclaim))
        pages += (uint64_t)km_lru_zone_size(os, cpu, z, KM_LRU_INACTIVE_ANON) +
                 km_lru_zone_size(os, cpu, z, KM_LRU_ACTIVE_ANON);
    return pages;
}

/* Costly orders: is compaction the better tool by now? */
static bool compaction_ready(struct km_os *os, struct km_cpu *cpu, const struct km_scan *sc)
{
    if (sc->order <= COSTLY_ORDER || !os->compact)
        return false;
    for (unsigned z = 0; z <= sc->highest; z++)
        if (km_zone_populated(&os->zone[z]) &&
            km_compaction_suitable(os, cpu, (enum km_zone_id)z, sc->order, KM_WMARK_MIN, sc->highest, 0) ==
                KM_COMPACT_SKIPPED)
            return false;
    return true;
}

static uint64_t all_priorities(struct km_os *os, struct km_cpu *cpu, struct km_scan *sc)
{
    for (sc->priority = KM_RECLAIM_PRIORITY; sc->priority >= 0; sc->priority--) {
        if (compaction_ready(os, cpu, sc))
            return sc->reclaimed ? sc->reclaimed : 1;
        km_shrink_node(os, cpu, sc);
        if (sc->reclaimed >= sc->to_reclaim)
            break;
    }
    return sc->reclaimed;
}

uint64_t km_direct_reclaim(struct km_os *os, struct km_cpu *cpu, unsigned order, uint32_t gfp)
{
    struct km_reclaim *rc = os->reclaim;
    struct km_scan sc = {.highest = km_gfp_zone(gfp),
                         .order = order,
                         .gfp = gfp,
                         .to_reclaim = KM_RECLAIM_CLUSTER,
                         .may_swap = true,
                         .may_write = true};

    rc->memalloc[cpu->id] = true;
    km_reclaim_count(rc, KM_VM_ALLOCSTALL, 1);
    km_trace_tp(os, cpu,
                &(struct km_tp){
                    .kind = KM_TP_DIRECT_RECLAIM_BEGIN, .pfn = KM_PFN_NONE, .order = (uint8_t)order, .gfp = gfp});
    uint64_t reclaimed = all_priorities(os, cpu, &sc);

    if (!reclaimed && sc.skipped_deactivate) {
        sc.force_deactivate = true;
        reclaimed = all_priorities(os, cpu, &sc);
    }
    if (reclaimed)
        rc->kswapd.failures = 0;
    km_trace_tp(os, cpu,
                &(struct km_tp){.kind = KM_TP_DIRECT_RECLAIM_END, .pfn = KM_PFN_NONE, .nr = (uint32_t)reclaimed});
    rc->memalloc[cpu->id] = false;
    return reclaimed;
}
