/* SPDX-License-Identifier: MIT
 * compact_run.h - one compaction run of one zone: the two scanners' state and steps, between the files of
 * compaction and for replays that repeat the free scanner of a traced run.
 */
#ifndef KM_OS_COMPACT_RUN_H
#define KM_OS_COMPACT_RUN_H

#include "models/os/compaction.h"

#define KM_COMPACT_CLUSTER 32u /* pages isolated before they are moved */

struct km_compact_run {
    struct km_compaction *c;
    enum km_zone_id zone;
    int order; /* -1: everything (compact_memory, proactive) */
    enum km_migratetype mt;
    enum km_migrate_mode mode;
    unsigned alloc_flags;
    enum km_zone_id highest;
    bool whole_zone, ignore_skip, any_target; /* any_target: pageblocks of every type take pages */
    bool direct;
    unsigned proactive_goal; /* fragmentation score that is low enough; 0: not a proactive run */
    bool finish_pageblock; /* go through the whole pageblock before moving anything */
    bool no_target;        /* left to move pages to */
    km_pfn migrate_pfn, free_pfn; /* where the scanners are */
    km_pfn fast_start_pfn; /* lowest block the search on the free lists met; KM_PFN_NONE: used up */
    unsigned search_order, fast_fail;
    uint32_t nr_migrate, nr_free; /* on the lists below */
    km_vaddr migrate_list, free_list;
};

/* slot: CPU, or KM_MAX_CPUS for kcompactd. */
void km_compact_run_init(struct km_compact_run *run, struct km_compaction *c, struct km_os *os, struct km_cpu *cpu,
                         enum km_zone_id z, int order, enum km_migrate_mode mode, unsigned slot);
/* Runs both scanners until they have done what they can. */
enum km_compact_result km_compact_zone(struct km_compact_run *run, struct km_os *os, struct km_cpu *cpu);

/* compact_free.c */
/* Fills the empty list of targets: nr_migrate pages if they can be had. */
void km_compact_find_targets(struct km_compact_run *run, struct km_os *os, struct km_cpu *cpu);
/* A page to move to, looking for more if none is left; KM_PFN_NONE: there is none. */
km_pfn km_compact_target(struct km_compact_run *run, struct km_os *os, struct km_cpu *cpu);
void km_compact_return_target(struct km_compact_run *run, struct km_os *os, struct km_cpu *cpu, km_pfn pfn);
/* Frees what was not used. */
void km_compact_release_targets(struct km_compact_run *run, struct km_os *os, struct km_cpu *cpu);
/* Turns a free list so that `node` comes first. */
void km_compact_turn_list(struct km_compact_run *run, struct km_cpu *cpu, km_vaddr node, km_vaddr head);

/* compact_migrate.c */
/* Isolates the next pages to move; false: none found in this pageblock, or the scanners are about to meet. */
bool km_compact_find_sources(struct km_compact_run *run, struct km_os *os, struct km_cpu *cpu);
/* Moves them; pages that cannot be moved are put back. */
void km_compact_move(struct km_compact_run *run, struct km_os *os, struct km_cpu *cpu);

static inline bool km_compact_scanners_met(const struct km_os *os, const struct km_compact_run *run)
{
    return run->free_pfn >> os->p.pageblock_order <= run->migrate_pfn >> os->p.pageblock_order;
}

static inline km_pfn km_compact_block_start(const struct km_os *os, const struct km_compact_run *run, km_pfn pfn)
{
    km_pfn start = pfn & ~(km_pageblock_pages(os) - 1), first = os->zone[run->zone].start_pfn;

    return start < first ? first : start;
}

static inline bool km_compact_looked_at_lately(const struct km_compact_run *run, struct km_os *os,
                                               struct km_cpu *cpu, km_pfn pfn)
{
    return !run->ignore_skip && km_pageblock_skip(os, cpu, run->zone, pfn);
}

#endif
