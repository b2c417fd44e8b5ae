/* SPDX-License-Identifier: MIT
 * pending.h - order-0 frees that were announced (mm_page_free) but have not happened yet.
 *
 * A batched free announces every page of the batch first and then frees them one by one
 * (mm_page_free_batched). An announced page therefore waits until its batched event, or until its CPU does
 * something else with its lists; the order of announcement is kept.
 */
#ifndef KM_WORKLOAD_PENDING_H
#define KM_WORKLOAD_PENDING_H

#include "sim/trace/event.h"

#define KM_PENDING_MAX 4096u

struct km_pending {
    uint32_t nr;
    km_pfn traced[KM_PENDING_MAX];
    bool after_batched; /* the last list event of this CPU was mm_page_free_batched */
};

/* How many of the oldest announced frees of ev's CPU happen no later than ev. Call once per event. */
uint32_t km_pending_due(struct km_pending *p, const struct km_event *ev);
void km_pending_add(struct km_pending *p, km_pfn traced);
/* Forgets the oldest nr. */
void km_pending_drop(struct km_pending *p, uint32_t nr);

#endif
