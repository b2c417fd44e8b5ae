/* SPDX-License-Identifier: MIT
 * kcompactd.c - see kcompactd.h.
 *
 * Models:      waking only if a zone is suitable; deferral; a zone whose scanners met gets every page of its per-CPU
 *              lists back; proactive runs between two fragmentation scores, and passing polls over after a vain one.
 * Not modelled: stopping a proactive run because kswapd has work.
 * Units:       scores in percent.
 * References:  kernel-behaviour notes D5, I4.
 */
#include "models/os/kcompactd.h"

#include "models/os/compact_run.h"
#include "models/os/extfrag.h"
#include "models/os/pcp.h"

#define PASS_OVER (1u << 6)

void km_kcompactd_init(struct km_kcompactd *k, struct km_compaction *c, unsigned proactiveness)
{
    *k = (struct km_kcompactd){.c = c, .proactiveness = proactiveness};
    c->daemon = k;
}

static enum km_compact_result suitable(struct km_os *os, struct km_cpu *cpu, enum km_zone_id z, unsigned order,
                                       enum km_zone_id highest)
{
    if (!km_zone_populated(&os->zone[z]))
        return KM_COMPACT_SKIPPED;
    return km_compaction_suitable(os, cpu, z, order, KM_WMARK_MIN, highest, 0);
}

bool km_kcompactd_wake(struct km_kcompactd *k, struct km_os *os, struct km_cpu *cpu, unsigned order,
                       enum km_zone_id highest)
{
    bool useful = false;

    if (!order)
        return k->order != 0;
    for (unsigned z = 0; z <= highest; z++)
        useful |= suitable(os, cpu, (enum km_zone_id)z, order, highest) == KM_COMPACT_CONTINUE;
    if (!useful)
        return k->order != 0;
    if (order > k->order)
        k->order = order;
    if (highest > k->highest)
        k->highest = highest;
    k->woken++;
    return true;
}

static enum km_compact_result run_zone(struct km_kcompactd *k, struct km_os *os, struct km_cpu *cpu,
                                       struct km_compact_run *run)
{
    const struct km_compact_stats before = k->c->stats;
    enum km_compact_result result = km_compact_zone(run, os, cpu);

    k->migrate_scanned += k->c->stats.migrate_scanned - before.migrate_scanned;
    k->free_scanned += k->c->stats.free_scanned - before.free_scanned;
    return result;
}

static void compact(struct km_kcompactd *k, struct km_os *os, struct km_cpu *cpu, enum km_zone_id z)
{
    struct km_compact_run run;

    km_compact_run_init(&run, k->c, os, cpu, z, (int)k->order, KM_MIGRATE_SYNC_LIGHT, KM_MAX_CPUS);
    run.highest = k->highest;
    enum km_compact_result result = run_zone(k, os, cpu, &run);

    if (result == KM_COMPACT_SUCCESS) {
        km_compact_defer_success(&k->c->defer[z], k->order, false);
    } else if (result == KM_COMPACT_COMPLETE || result == KM_COMPACT_PARTIAL_SKIPPED) {
        for (unsigned on = 0; on < os->p.cpus; on++) /* blocks may wait for their buddies there */
            km_pcp_drain(os, cpu, z, on, UINT32_MAX);
        km_compact_defer_failed(&k->c->defer[z], k->order);
    }
}

void km_kcompactd_step(struct km_kcompactd *k, struct km_os *os, struct km_cpu *cpu)
{
    if (k->running)
        return;
    k->running = true;
    for (unsigned z = 0; k->order && z <= k->highest; z++) {
        if (!km_zone_populated(&os->zone[z]) || km_compact_deferred(&k->c->defer[z], k->order))
            continue;
        if (suitable(os, cpu, (enum km_zone_id)z, k->order, k->highest) == KM_COMPACT_CONTINUE)
            compact(k, os, cpu, (enum km_zone_id)z);
    }
    k->running = false;
    k->order = 0;
    k->highest = 0;
}

unsigned km_fragmentation_score_zone(struct km_os *os, struct km_cpu *cpu, enum km_zone_id z)
{
    uint64_t nr_free[KM_NR_ORDERS];

    km_extfrag_counts(os, cpu, z, nr_free);
    return km_extfrag_for_order(nr_free, os->p.pageblock_order);
}

unsigned km_fragmentation_score(struct km_os *os, struct km_cpu *cpu)
{
    uint64_t present = 0;
    unsigned score = 0;

    for (unsigned z = 0; z < KM_NR_ZONES; z++)
        present += os->zone[z].present_pages;
    for (unsigned z = 0; z < KM_NR_ZONES; z++)
        if (km_zone_populated(&os->zone[z]))
            score += (unsigned)(os->zone[z].present_pages *
                                (uint64_t)km_fragmentation_score_zone(os, cpu, (enum km_zone_id)z) / (present + 1));
    return score;
}

void km_kcompactd_idle(struct km_kcompactd *k, struct km_os *os, struct km_cpu *cpu)
{
    unsigned low = k->proactiveness < 95 ? 100 - k->proactiveness : 5, high = low + 10 < 100 ? low + 10 : 100;
    unsigned before = km_fragmentation_score(os, cpu);

    if (!k->proactiveness || k->running || before <= high)
        return;
    if (k->passes_over) {
        k->passes_over--;
        return;
    }
    k->proactive_runs++;
    k->running = true;
    for (unsigned z = 0; z < KM_NR_ZONES; z++) {
        struct km_compact_run run;

        if (!km_zone_populated(&os->zone[z]))
            continue;
        km_compact_run_init(&run, k->c, os, cpu, (enum km_zone_id)z, -1, KM_MIGRATE_SYNC_LIGHT, KM_MAX_CPUS);
        run.whole_zone = run.ignore_skip = true;
        run.proactive_goal = low;
        run_zone(k, os, cpu, &run);
    }
    k->running = false;
    k->passes_over = km_fragmentation_score(os, cpu) < before ? 0 : PASS_OVER;
}
