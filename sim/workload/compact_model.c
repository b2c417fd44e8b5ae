/* SPDX-License-Identifier: MIT
 * compact_model.c - see compact_model.h.
 *
 * Models:      the compaction of models/os over the LRU lists: a page is isolated from its list, moved, and put on the
 *              list its flags name; the page map names its new frame. Pages under writeback stay where they are unless
 *              the run is synchronous. kcompactd works on the CPU whose event finds it due.
 * The traced kernel's own compaction is left out: a page it has moved is still the same page and takes the traced
 *              frame it was moved to as its name (hidden_compact.c finds which one); targets it did not use were never
 *              taken here. Without looking ahead the targets are unknown, and the page moved is freed.
 * Not modelled: pages that are locked or pinned, what a moved page costs its page tables.
 * Invariants:  a page that moves stands for the same traced frame before and after; only isolated pages move.
 * References:  kernel-behaviour notes D5, H6.7.
 */
#include "sim/workload/compact_model.h"

#include "models/os/lru.h"
#include "models/os/page_api.h"
#include "sim/report/proc_fields.h"
#include "sim/workload/reclaim_model.h"

#include <stdio.h>
#include <string.h>

#define POLL_NS (KM_KCOMPACTD_POLL_MS * 1000000ull)

static bool isolate(void *ctx, struct km_os *os, struct km_cpu *cpu, km_pfn pfn, enum km_migrate_mode mode)
{
    (void)ctx;
    if (mode != KM_MIGRATE_SYNC && km_page_flags(os, cpu, pfn) & KM_PG_WRITEBACK)
        return false;
    return km_lru_take(os, cpu, pfn);
}

static void put_back(void *ctx, struct km_os *os, struct km_cpu *cpu, km_pfn pfn)
{
    (void)ctx;
    km_lru_put(os, cpu, pfn, false);
}

static bool move(void *ctx, struct km_os *os, struct km_cpu *cpu, km_pfn from, km_pfn to, enum km_migrate_mode mode)
{
    struct km_replay *r = ctx;
    km_pfn traced = km_page_map_traced(&r->map, from);

    if (!km_page_count(os, cpu->window, from)) /* its user let go of it meanwhile: put_back frees it */
        return false;
    if (mode != KM_MIGRATE_SYNC && km_page_flags(os, cpu, from) & KM_PG_WRITEBACK)
        return false;
    if (traced != KM_PFN_NONE)
        km_page_map_set(&r->map, traced, to, 0);
    km_reclaim_model_moved(r, from, to);
    km_lru_move(os, cpu, from, to);
    return true;
}

void km_compact_model_open(struct km_replay *r, struct km_compact_model *c)
{
    struct km_os *os = &r->guest.os;
    const struct km_personality *p = os->p.personality;

    if (!p->compaction)
        return;
    km_compaction_init(&c->compaction, os, &r->guest.cpu[0]);
    c->compaction.movable = (struct km_movable_ops){.isolate = isolate, .put_back = put_back, .move = move, .ctx = r};
    if (p->kcompactd)
        km_kcompactd_init(&c->daemon, &c->compaction, p->compaction_proactiveness);
    km_compaction_enable(&c->compaction, os);
}

void km_compact_model_close(struct km_replay *r)
{
    r->guest.os.compact = NULL;
    r->guest.os.compaction = NULL;
}

void km_compact_model_step(struct km_replay *r, struct km_compact_model *c, struct km_cpu *cpu, uint64_t now_ns)
{
    if (!c->compaction.daemon)
        return;
    if (c->daemon.order)
        km_kcompactd_step(&c->daemon, &r->guest.os, cpu);
    if (now_ns < c->next_poll_ns)
        return;
    if (c->next_poll_ns)
        km_kcompactd_idle(&c->daemon, &r->guest.os, cpu);
    c->next_poll_ns = now_ns + POLL_NS;
}

km_pfn km_compact_model_target(const struct km_replay *r, const struct km_event *ev, uint64_t index)
{
    const struct km_hidden *h = &r->hidden;
    size_t low = 0, high = h->nr_freed;

    if (ev->page.order)
        return KM_PFN_NONE;
    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (h->freed[middle].index < index)
            low = middle + 1;
        else
            high = middle;
    }
    return low < h->nr_freed && h->freed[low].index == index ? h->freed[low].target : KM_PFN_NONE;
}

void km_compact_model_tp(struct km_replay *r, const struct km_cpu *cpu, const struct km_tp *tp)
{
    const char *who = tp->flag ? "direct" : "kcompactd";
    char order[24];

    snprintf(order, sizeof(order), tp->order < KM_NR_ORDERS ? "order %u" : "proactive", tp->order);
    km_report_event(r->report, r->at[cpu->id].time_ns, cpu->id, "compaction_model", "%s, zone %s, %s: %u pages moved, %s",
                    who, tp->name, order, tp->nr, km_compact_result_name((enum km_compact_result)tp->fallback_order));
}

void km_compact_model_summary(const struct km_compact_model *c, struct km_run_summary *sum)
{
    const struct km_compact_stats *s = &c->compaction.stats;
    const struct km_run_count rows[] = {
        {"runs", s->runs},
        {"successes", s->results[KM_COMPACT_SUCCESS]},
        {"complete", s->results[KM_COMPACT_COMPLETE] + s->results[KM_COMPACT_PARTIAL_SKIPPED]},
        {"contended", s->results[KM_COMPACT_CONTENDED]},
        {"migrate_scanned", s->migrate_scanned},
        {"free_scanned", s->free_scanned},
        {"isolated", s->sources + s->targets},
        {"moved", s->moved},
        {"not_moved", s->not_moved},
        {"captured", s->captured},
        {"daemon_wakes", c->daemon.woken},
        {"daemon_proactive_runs", c->daemon.proactive_runs},
        {"traced_moves_followed", c->followed},
    };

    _Static_assert(KM_ARRAY_LEN(rows) <= KM_ARRAY_LEN(sum->compaction), "room for the counters of compaction");
    memcpy(sum->compaction, rows, sizeof(rows));
    sum->nr_compaction = KM_ARRAY_LEN(rows);
}

void km_compact_model_vmstat(const struct km_compact_model *c, struct km_proc_counter *lines, unsigned nr)
{
    const struct km_compact_stats *s = &c->compaction.stats;
    const struct km_run_count rows[] = {
        {"pgmigrate_success", s->moved},
        {"pgmigrate_fail", s->not_moved},
        {"compact_migrate_scanned", s->migrate_scanned},
        {"compact_free_scanned", s->free_scanned},
        {"compact_isolated", s->sources + s->targets},
        {"compact_daemon_wake", c->daemon.woken},
        {"compact_daemon_migrate_scanned", c->daemon.migrate_scanned},
        {"compact_daemon_free_scanned", c->daemon.free_scanned},
    };

    for (size_t i = 0; i < KM_ARRAY_LEN(rows); i++)
        km_proc_set_counter(lines, nr, rows[i].name, rows[i].count);
}
