/* SPDX-License-Identifier: MIT
 * compact_model.h - compaction in replays in which the simulated kernel reclaims by itself.
 */
#ifndef KM_WORKLOAD_COMPACT_MODEL_H
#define KM_WORKLOAD_COMPACT_MODEL_H

#include "models/os/kcompactd.h"
#include "sim/report/proc_text.h"
#include "sim/workload/replay.h"

struct km_compact_model {
    struct km_compaction compaction;
    struct km_kcompactd daemon;
    uint64_t next_poll_ns;
    uint64_t followed; /* pages the traced kernel moved: same page, other name */
};

/* Direct compaction and kcompactd, as far as this kernel has them. After the LRU lists. */
void km_compact_model_open(struct km_replay *r, struct km_compact_model *c);
void km_compact_model_close(struct km_replay *r);
/* Time passes: kcompactd works if it was woken, and looks by itself every half second. */
void km_compact_model_step(struct km_replay *r, struct km_compact_model *c, struct km_cpu *cpu, uint64_t now_ns);
/* An mm_page_free of the traced kernel's compaction: the traced frame the page lives in from now on; the frame itself: it
 * was a target that was not used; KM_PFN_NONE: no such free, or nothing known of it. */
km_pfn km_compact_model_target(const struct km_replay *r, const struct km_event *ev, uint64_t index);
void km_compact_model_tp(struct km_replay *r, const struct km_cpu *cpu, const struct km_tp *tp);
void km_compact_model_summary(const struct km_compact_model *c, struct km_run_summary *sum);
void km_compact_model_vmstat(const struct km_compact_model *c, struct km_proc_counter *lines, unsigned nr);

#endif
