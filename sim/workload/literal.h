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
#include "sim/workload/hidden.h"

enum km_literal_result {
    KM_LITERAL_IGNORED,  /* not a buddy-level event              */
    KM_LITERAL_APPLIED,
    KM_LITERAL_CONFLICT, /* the block was not (or already) free  */
};

/* Frees that miss the per-CPU lists and go straight to the buddy lists, because the interrupted code holds the
 * lists' lock (kernel-behaviour H6.4): those between pages_bulk and pages_bulk_ret of a CPU, and those hidden.c
 * found. */
struct km_pcp_busy {
    const struct km_hidden *hidden; /* may be NULL */
    size_t next;
    bool missed[KM_MAX_CPUS]; /* the event this CPU is at is one of them */
    bool cpu[KM_MAX_CPUS]; /* inside the bulk allocator */
};

/* Call it for every event, in order, before anything else uses `busy`. index: the event's number in the trace. */
void km_pcp_busy_event(struct km_pcp_busy *busy, const struct km_event *ev, uint64_t index);
/* Does a free of this order reach the per-CPU lists? */
bool km_free_reaches_pcp(const struct km_os *os, const struct km_pcp_busy *busy, const struct km_event *ev);

/* Block named by a split_page probe; false if it is none. Blocks that are allocated are split too; free ones only
 * by compaction, which has just isolated them. */
bool km_split_block(const struct km_os *os, const struct km_event *ev, km_pfn *pfn, unsigned *order);
enum km_literal_result km_literal_apply(struct km_os *os, struct km_cpu *cpu, const struct km_pcp_busy *busy,
                                        const struct km_event *ev);

/* Is every page of the block free / is any of it free? Untimed. */
bool km_range_free(const struct km_os *os, const uint8_t *window, km_pfn pfn, unsigned order);
bool km_range_has_free(const struct km_os *os, const uint8_t *window, km_pfn pfn, unsigned order);

#endif
