/* SPDX-License-Identifier: MIT
 * check.h - is a trace fit for replay, and does it agree with the samples it carries?
 *
 * Balance rules (they hold exactly in a kernel without compaction and bulk allocation), per zone,
 * in pages, between truth samples with no page event inside ("clean"): total: d(buddy free +
 * per-CPU lists) = freed - allocated   (mm_page_free, mm_page_alloc) buddy: d(buddy free) = drained
 * + freed past the per-CPU lists - taken from the buddy lists (mm_page_pcpu_drain, mm_page_free of
 * order > 3 but pageblock_order, zone_locked) Zone borders come from the bundle; without them all
 * zones are summed up as "all".
 */
#ifndef KM_TRACE_CHECK_H
#define KM_TRACE_CHECK_H

#include "sim/trace/bundle.h"
#include "sim/trace/trace.h"

struct km_balance { /* one rule in one zone */
    uint64_t pairs, exact;
    int64_t worst; /* largest deviation between two clean samples, by amount */
    int64_t drift; /* deviation from the first to the last clean sample      */
};

struct km_check_zone {
    char name[KM_ZONE_NAME_MAX];
    uint64_t start_pfn, end_pfn;
    int64_t total_moved, buddy_moved; /* by events so far */
    int64_t sample_buddy, sample_pcp; /* of the sample being read */
    bool sampled;                     /* there is a clean sample before */
    int64_t last_total, last_buddy;   /* sample minus events at that sample */
    int64_t first_total, first_buddy;
    struct km_balance total, buddy;
};

struct km_check {
    unsigned nr_zones;
    struct km_check_zone zone[KM_BUNDLE_MAX_ZONES];
    bool zones_known; /* borders from a bundle */
    unsigned pageblock_order;
    bool in_sample, clean;
    uint64_t count[KM_EV_NR];
    uint64_t kmem_events; /* events an allocator replay is driven by */
    uint64_t samples, clean_samples;
    uint64_t first_ns, last_ns;
    bool any;
};

/* bundle may be NULL. */
void km_check_init(struct km_check *check, const struct km_bundle *bundle);
void km_check_event(struct km_check *check, const struct km_event *ev);

#endif
