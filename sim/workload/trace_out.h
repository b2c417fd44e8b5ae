/* SPDX-License-Identifier: MIT
 * trace_out.h - the trace the simulated kernel would have recorded (report.trace_out), as report
 * text.
 *
 * Page events are the model's own: allocations and frees with the frames it chose, carvings,
 * drains, fallbacks, kswapd wake-ups; in mode objects also the object events. Their time, task, CPU
 * and context are those of the event being replayed. Everything the mode does not simulate is
 * carried over: markers, probes, reclaim, and in mode pages the object events, whose addresses move
 * with their page frames. BUDDYINFO markers carry the simulated counts. What came before the start
 * snapshot is carried over as it was. Put in the place of its capture's trace (start files
 * unchanged), the result can be replayed again.
 */
#ifndef KM_WORKLOAD_TRACE_OUT_H
#define KM_WORKLOAD_TRACE_OUT_H

#include "sim/workload/replay.h"

/* NULL if the run writes no trace (report.trace_out, and only modes pages and objects). */
int km_replay_trace_open(struct km_replay *r, struct km_err *err);
void km_replay_trace_close(struct km_replay *r);
/* Before an event is replayed: carries it over if it is not the model's business. */
void km_replay_trace_event(struct km_replay *r, const struct km_event *ev);
/* An event from before the start. */
void km_replay_trace_early(struct km_replay *r, const struct km_event *ev);
/* A tracepoint of the model. */
void km_replay_trace_tp(struct km_replay *r, const struct km_cpu *cpu, const struct km_tp *tp);
/* What happens between on and off stands for something that is no event (start-up, isolation). */
void km_replay_trace_mute(struct km_replay *r, bool on);
/* The next frees of this CPU are those of a batch. */
void km_replay_trace_batched(struct km_replay *r, const struct km_cpu *cpu, bool on);

#endif
