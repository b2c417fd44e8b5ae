/* SPDX-License-Identifier: MIT
 * hidden.h - what happens to the buddy lists without an event of its own, found by one pass over the trace.
 *
 * Missed frees: a page of a covered order that is freed lies on a per-CPU list until it is allocated or drained.
 *   If the next thing seen of it is that it is carved out of the buddy lists, its free went past the lists.
 *   (shadow.c adds those that two allocations in a row pass over although the page should lie on top.)
 * Isolated pages: compaction takes free pages as targets without an event (kernel-behaviour D5). A page that is
 *   freed although it was last seen on the buddy lists was isolated by a compaction run in between.
 * Kinds of events that were not recorded: without mm_page_pcpu_drain the per-CPU lists would outgrow their limit,
 *   without mm_page_alloc_zone_locked they would give what they never had. A short trace need not have any.
 * kswapd's rests: that it begins to balance a node is traced, that it stops is not. It stopped after the last
 *   event of its task before it is woken again or says that it goes to sleep.
 */
#ifndef KM_WORKLOAD_HIDDEN_H
#define KM_WORKLOAD_HIDDEN_H

#include "sim/base/err.h"
#include "sim/trace/bundle.h"

struct km_hidden_item {
    uint64_t index; /* number of an event of the trace, from 1 */
    km_pfn pfn;
    uint8_t order;  /* isolated: of the block */
    uint64_t since; /* stayed: event that put it on the buddy lists */
};

struct km_hidden_list {
    struct km_hidden_item *item; /* owned; ascending by index, then page frame */
    size_t nr, room;
};

/* A time at which compaction looked for pages to move to. */
struct km_compact_group {
    uint64_t index;  /* event before which it happened */
    uint32_t run;    /* number of the compaction run, from 1 */
    uint32_t wanted; /* pages moved to what it found */
    km_pfn source;   /* the first of them */
};

/* A page freed by compaction. */
struct km_compact_free {
    uint64_t index; /* its mm_page_free */
    km_pfn target;  /* where it was moved to; the page itself: a target not used; KM_PFN_NONE: unknown */
};

struct km_hidden {
    struct km_hidden_list missed;   /* this mm_page_free goes straight to the buddy lists */
    struct km_hidden_list isolated; /* this block leaves the buddy lists before this event */
    struct km_hidden_list stayed;   /* carved here, free since before a compaction run: no target of it */
    struct km_hidden_list rests;    /* kswapd stops balancing after this event; no frames  */
    struct km_compact_group *group; /* hidden_compact.c; owned; ascending by index */
    size_t nr_groups, room_groups;
    struct km_compact_free *freed; /* owned; ascending by index */
    size_t nr_freed, room_freed;
    uint32_t runs; /* of compaction */
    bool carvings_recorded, drains_recorded; /* events that show what leaves and enters the buddy lists */
};

/* bundle: its kpageflags say what was free at the KPAGE_END mark; may be NULL. */
int km_hidden_find(struct km_hidden *out, const char *trace_path, const struct km_bundle *bundle, km_pfn nr_frames,
                   struct km_err *err);
/* hidden_compact.c: what the traced compaction runs took from the free lists and what they moved where. Replaces
 * `isolated`; os tells mem_map and zones. Nothing to do without compaction in the trace. */
struct km_os;
int km_hidden_compaction(struct km_hidden *h, const char *trace_path, const struct km_bundle *bundle,
                         const struct km_os *os, struct km_err *err);
/* One more missed free; false: out of memory. Call km_hidden_sort before the lists are used again. */
bool km_hidden_add_missed(struct km_hidden *h, uint64_t index, km_pfn pfn);
void km_hidden_sort(struct km_hidden *h);
void km_hidden_release(struct km_hidden *h);

#endif
