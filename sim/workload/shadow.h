/* SPDX-License-Identifier: MIT
 * shadow.h - what the trace leaves out about per-CPU lists, found by following the traced kernel's own lists.
 *
 * Pages taken by the bulk allocator (vmalloc bodies) have no event, and an mm_page_alloc is recorded only after
 * the page was prepared, so frees of an interrupt can stand before it although they happened after it. Both
 * show in the traced lists: a page allocated from below the head means that what lay above it was taken
 * silently, or came later. Their fate in the rest of the trace tells which.
 * The result is a list of corrections to the event stream (who did what, when), never which page the model
 * should pick.
 * References: kernel-behaviour C2, C9, H5, H6.3, L4.
 */
#ifndef KM_WORKLOAD_SHADOW_H
#define KM_WORKLOAD_SHADOW_H

#include "models/base/types.h"
#include "sim/base/err.h"

struct km_replay;

enum km_adjust_kind {
    KM_ADJUST_TAKE,  /* a page leaves the list of (zone, type) without an event; traced: its frame */
    KM_ADJUST_EARLY, /* the allocation recorded at event `of` happens here */
    KM_ADJUST_REFILL, /* the same: it took the zone's lock at this event */
};

struct km_adjust {
    uint64_t index; /* before this event of the trace, or the next one of its CPU */
    uint64_t of, recorded;
    /* KM_ADJUST_TAKE, while they are put in order: */
    int64_t place;   /* of the page on its list, ascending from the head */
    uint64_t pushed; /* when it got there */
    uint32_t above;  /* 1 + which departure from below it dates its own */
    size_t with;     /* 1 + which page left together with it, just before it */
    km_pfn traced;
    uint32_t gfp;
    uint8_t kind, cpu, zone, order, migratetype;
    bool after_frees; /* announced frees that happen at the event come first */
    bool refilled;    /* KM_ADJUST_TAKE: the page was never freed to its list */
};

struct km_adjustments {
    struct km_adjust *entry; /* owned; ascending by index */
    size_t nr, room;
    size_t next[KM_MAX_CPUS]; /* a CPU applies its own, at its first event from `index` on */
    uint64_t silent_pages, early_allocations;
};

/* Runs over the trace once and fills r->adjust; r's guest holds the start state and is not changed. */
int km_shadow_run(struct km_replay *r, const char *trace_path, struct km_err *err);
void km_adjustments_release(struct km_adjustments *a);

#endif
