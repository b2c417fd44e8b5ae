/* SPDX-License-Identifier: MIT
 * literal.h - buddy-level events applied as they stand in the trace (mode `oracle`).
 *
 * zone_locked takes exactly its block, pcpu_drain and frees that bypass the per-CPU lists give exactly theirs
 * back: the result is the real kernel's buddyinfo at every event, up to what the trace does not show
 * (kernel-behaviour H6.4: compaction, missed trylocks, split pages freed directly).
 */
#ifndef KM_WORKLOAD_LITERAL_H
#define KM_WORKLOAD_LITERAL_H

#include "models/os/buddy.h"
#include "sim/trace/event.h"

enum km_literal_result {
    KM_LITERAL_IGNORED,  /* not a buddy-level event              */
    KM_LITERAL_APPLIED,
    KM_LITERAL_CONFLICT, /* the block was not (or already) free  */
};

/* Which CPUs are inside the bulk allocator: it holds the per-CPU lists' lock, so an interrupt's frees miss the
 * lists and go straight to the buddy lists (kernel-behaviour H6.4). */
struct km_pcp_busy {
    bool cpu[KM_MAX_CPUS];
};
/* Follows pages_bulk probes; call it for every event, before anything else uses `busy`. */
void km_pcp_busy_event(struct km_pcp_busy *busy, const struct km_event *ev);
/* Does a free of this order reach the per-CPU lists? */
bool km_free_reaches_pcp(const struct km_os *os, const struct km_pcp_busy *busy, const struct km_event *ev);

enum km_literal_result km_literal_apply(struct km_os *os, struct km_cpu *cpu, const struct km_pcp_busy *busy,
                                        const struct km_event *ev);

/* Is every page of the block free / is any of it free? Untimed. */
bool km_range_free(const struct km_os *os, const uint8_t *window, km_pfn pfn, unsigned order);
bool km_range_has_free(const struct km_os *os, const uint8_t *window, km_pfn pfn, unsigned order);

#endif
