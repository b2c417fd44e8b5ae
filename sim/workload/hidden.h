/* SPDX-License-Identifier: MIT
 * hidden.h - what happens to the buddy lists without an event of its own, found by one pass over the trace.
 *
 * Missed frees: a page of a covered order that is freed lies on a per-CPU list until it is allocated or drained.
 *   If the next thing seen of it is that it is carved out of the buddy lists, its free went past the lists.
 *   (shadow.c adds those that two allocations in a row pass over although the page should lie on top.)
 * Isolated pages: compaction takes free pages as targets without an event (kernel-behaviour D5). A page that is
 *   freed although it was last seen on the buddy lists was isolated by a compaction run in between.
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
};

struct km_hidden_list {
    struct km_hidden_item *item; /* owned; ascending by index, then page frame */
    size_t nr, room;
};

struct km_hidden {
    struct km_hidden_list missed;   /* this mm_page_free goes straight to the buddy lists */
    struct km_hidden_list isolated; /* this page leaves the buddy lists before this event  */
    struct km_hidden_list rests;    /* kswapd stops balancing after this event; no frames  */
};

/* bundle: its kpageflags say what was free at the KPAGE_END mark; may be NULL. */
int km_hidden_find(struct km_hidden *out, const char *trace_path, const struct km_bundle *bundle, km_pfn nr_frames,
                   struct km_err *err);
/* One more missed free; false: out of memory. Call km_hidden_sort before the lists are used again. */
bool km_hidden_add_missed(struct km_hidden *h, uint64_t index, km_pfn pfn);
void km_hidden_sort(struct km_hidden *h);
void km_hidden_release(struct km_hidden *h);

#endif
