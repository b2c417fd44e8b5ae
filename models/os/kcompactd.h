/* SPDX-License-Identifier: MIT
 * kcompactd.h - background compaction: woken by kswapd for an order, and on its own when memory is fragmented.
 *
 * A step function: whoever schedules kernel threads calls km_kcompactd_step when it was woken, and
 * km_kcompactd_idle every 500 ms while it sleeps.
 */
#ifndef KM_OS_KCOMPACTD_H
#define KM_OS_KCOMPACTD_H

#include "models/os/compaction.h"

#define KM_KCOMPACTD_POLL_MS 500u

struct km_kcompactd {
    struct km_compaction *c;
    unsigned order; /* wanted; 0: it sleeps */
    enum km_zone_id highest;
    unsigned proactiveness; /* 0 to 100; 0: only when woken */
    unsigned passes_over; /* polls to pass over after a vain proactive run */
    bool running;         /* on some CPU right now */
    uint64_t woken, proactive_runs;
    uint64_t migrate_scanned, free_scanned; /* its share of km_compact_stats */
};

void km_kcompactd_init(struct km_kcompactd *k, struct km_compaction *c, unsigned proactiveness);
/* kswapd could not make a block of this order, or took back a watermark boost; returns whether there is work. */
bool km_kcompactd_wake(struct km_kcompactd *k, struct km_os *os, struct km_cpu *cpu, unsigned order,
                       enum km_zone_id highest);
void km_kcompactd_step(struct km_kcompactd *k, struct km_os *os, struct km_cpu *cpu);
void km_kcompactd_idle(struct km_kcompactd *k, struct km_os *os, struct km_cpu *cpu);

/* How fragmented memory is for huge pages, in percent: a zone, and the node with its zones weighted by size. */
unsigned km_fragmentation_score_zone(struct km_os *os, struct km_cpu *cpu, enum km_zone_id z);
unsigned km_fragmentation_score(struct km_os *os, struct km_cpu *cpu);

#endif
