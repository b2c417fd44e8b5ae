/* SPDX-License-Identifier: MIT
 * reclaim_model.h - replays in which the simulated kernel reclaims by itself (replay.reclaim: model).
 */
#ifndef KM_WORKLOAD_RECLAIM_MODEL_H
#define KM_WORKLOAD_RECLAIM_MODEL_H

#include "sim/report/proc_text.h"
#include "sim/workload/replay.h"

/* Is it the model that reclaims in this replay? */
bool km_reclaim_wanted(const struct km_replay *r);
/* LRU lists as the start state has them, swap, kswapd, the OOM killer. */
int km_reclaim_model_open(struct km_replay *r, struct km_err *err);
void km_reclaim_model_close(struct km_replay *r);
/* Before an event is applied: time, who runs, what the traced kernel does about its own memory. */
void km_reclaim_model_event(struct km_replay *r, struct km_cpu *cpu, const struct km_event *ev);
/* A request of a task the model has killed? */
bool km_reclaim_model_dead(const struct km_replay *r, const struct km_event *ev);
/* The model served this mm_page_alloc with pfn. */
void km_reclaim_model_alloc(struct km_replay *r, struct km_cpu *cpu, const struct km_event *ev, km_pfn pfn);
/* An mm_page_free by the traced kernel's reclaim: true, the page stays. */
bool km_reclaim_model_keeps(struct km_replay *r, const struct km_event *ev);
/* The trace frees or reuses a frame: true, the model has reclaimed its page already. */
bool km_reclaim_model_gone(struct km_replay *r, km_pfn traced);
/* The trace's free of this model page is carried out now. */
void km_reclaim_model_freed(struct km_replay *r, struct km_cpu *cpu, km_pfn pfn);
/* The traced kernel's compaction frees a frame (event number index): true, the page has another name now. */
bool km_reclaim_model_renames(struct km_replay *r, const struct km_event *ev, uint64_t index);
/* The model's compaction moves a page. */
void km_reclaim_model_moved(struct km_replay *r, km_pfn from, km_pfn to);
/* Its tracepoints become events of the report. */
void km_reclaim_model_tp(struct km_replay *r, const struct km_cpu *cpu, const struct km_tp *tp);
/* Fills in the lines of /proc/vmstat that it knows. */
void km_reclaim_model_vmstat(const struct km_replay *r, struct km_proc_counter *lines, unsigned nr);
/* NULL, or what is wrong with the LRU lists. */
const char *km_reclaim_model_check(const struct km_replay *r);
void km_reclaim_model_summary(const struct km_replay *r, struct km_run_summary *sum);

#endif
