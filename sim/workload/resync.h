/* SPDX-License-Identifier: MIT
 * resync.h - replay.resync: after a decision of the model was scored, the traced one is put in its
 * place.
 *
 * Without it one silent difference early in a trace shifts every later page frame. With it each
 * decision is made from the state the traced kernel decided from, so the score says how often a
 * rule is right, not for how long the run stayed right. It is an aid for finding out where they
 * part, and reported separately: truth.resyncs counts the corrections. carving
 * mm_page_alloc_zone_locked names the block: if the model would take another one and the named one
 * is free, the named one is carved; blocks the model did not carve join the per-CPU list. draining
 * mm_page_pcpu_drain names the page: if it still lies on the model's list it is given back; pages
 * the model gave back although the kernel did not return to the list's tail. A traced refill that
 * the model did not make empties the model's list first. allocation  the traced frame is handed
 * out, and the model's takes the place that one had (free lists, a per-CPU list, or another
 * allocation). Not followed: a block that is only partly free, and what a bulk call carves after
 * its first page. Mode pages only.
 */
#ifndef KM_WORKLOAD_RESYNC_H
#define KM_WORKLOAD_RESYNC_H

#include "sim/workload/replay.h"

int km_resync_open(struct km_replay *r, struct km_err *err); /* does nothing if the option is off */
void km_resync_close(struct km_replay *r);
/* First thing at every event: ends what the event before it on this CPU has left open. */
void km_resync_settle(struct km_replay *r, struct km_cpu *cpu, const struct km_event *ev);
/* After the model has caught up with an event that names a block. */
void km_resync_carve(struct km_replay *r, struct km_cpu *cpu, const struct km_event *ev,
                     bool in_bulk);
void km_resync_drain(struct km_replay *r, struct km_cpu *cpu, const struct km_event *ev);
/* The model handed out pfn for the event: returns the frame that is handed out now. */
km_pfn km_resync_alloc(struct km_replay *r, struct km_cpu *cpu, const struct km_event *ev,
                       km_pfn pfn);
/* A tracepoint of the model: what it drained. */
void km_resync_tp(struct km_replay *r, const struct km_cpu *cpu, const struct km_tp *tp);

#endif
