/* SPDX-License-Identifier: MIT
 * report.h - everything a run leaves behind: DIR/{summary.json,*.csv,proc/,plots/,report.html}.
 *
 * A run opens the report, feeds it while it goes, and finishes it. Files grow as DIR/NAME.part and
 * get their name when they are whole; summary.json comes last, with "complete": true only if the
 * run was not interrupted. Write errors (full disk) are remembered, shown by km_report_failed and
 * returned by km_report_finish.
 */
#ifndef KM_REPORT_REPORT_H
#define KM_REPORT_REPORT_H

#include "sim/base/err.h"
#include "sim/base/hw_stats.h"
#include "sim/base/probe.h"
#include "sim/config/config.h"

struct km_report;

/* Creates dir (and parents). An existing non-empty dir is refused unless force, which removes only
 * files that a run writes. */
int km_report_open(struct km_report **out, const char *dir, const struct km_config *cfg, bool force,
                   struct km_err *err);

/* Simulated /proc/buddyinfo line: blocks per order. Call at every sample period and every truth
 * sample. */
void km_report_buddyinfo(struct km_report *r, uint64_t time_ns, int node, const char *zone,
                         const uint64_t sim[KM_NR_ORDERS]);
/* A truth sample: what the real kernel had at this point of the trace. Every sample counts in the
 * skill; the first one per zone is the "stays as at the start" reference. Pass only samples that
 * can be compared. */
void km_report_truth(struct km_report *r, uint64_t time_ns, int node, const char *zone,
                     const uint64_t sim[KM_NR_ORDERS], const uint64_t real[KM_NR_ORDERS]);

struct km_frag_sample {
    uint64_t time_ns;
    const char *zone;
    uint64_t nr_free[KM_NR_ORDERS]; /* indexes are computed from these (kernel-behaviour I2, I3) */
    double internal_pct;            /* kmalloc/slab internal fragmentation, live; <0 unknown */
    int64_t mixed_pageblocks;       /* <0 unknown */
};
void km_report_fragmentation(struct km_report *r, const struct km_frag_sample *s);

/* One call of an allocator API took `cycles` on `cpu`. api is a string literal (kmalloc, kfree,
 * page_alloc ...). */
void km_report_latency(struct km_report *r, const char *api, unsigned cpu, uint64_t cycles);

/* A notable event (events.csv): kind is a literal such as "extfrag", "kswapd_wake",
 * "alloc_failure". */
__attribute__((format(printf, 5, 6))) void km_report_event(struct km_report *r, uint64_t time_ns,
                                                           unsigned cpu, const char *kind,
                                                           const char *fmt, ...);

/* Who owns the cache line at pa. */
struct km_line_owner {
    char name[128];  /* slab cache or kernel structure */
    uint32_t offset; /* of the line's first byte in the object or structure */
    bool object;     /* a slab object; the rest is of those alone */
    km_vaddr object_va;
    uint32_t object_index, object_bytes; /* in its slab; as asked for */
    uint32_t objects;                    /* that have a part in the line, from this one on */
    char site[256];                      /* that allocated it last; empty: not known */
};
/* false: unknown. Asked for every row of false_sharing.csv inside km_report_finish; *out is zeroed. */
typedef bool km_report_owner_fn(void *ctx, km_paddr pa, struct km_line_owner *out);
void km_report_set_owner(struct km_report *r, km_report_owner_fn *owner, void *ctx);

/* Running totals per call site; site is copied at its first use. freed_remote: freed on another
 * CPU. */
struct km_callsite_totals {
    uint64_t allocs, frees, frees_remote, bytes_requested, bytes_allocated, cycles;
};
void km_report_callsite(struct km_report *r, const char *site,
                        const struct km_callsite_totals *totals);

/* One line of DIR/trace.out.txt.gz without its line end; the first one makes the file. */
void km_report_trace_line(struct km_report *r, const char *line, size_t len);

/* Where signals and DRAM commands of the machine go; NULL if neither report.vcd nor
 * report.dram_commands asks for them. Valid until km_report_finish. */
const struct km_probe *km_report_probe(struct km_report *r);

/* What a slab cache of the simulated kernel holds at the end: one row of slabs.csv. */
struct km_slab_row {
    const char *cache;
    uint32_t object_size, slot_size; /* bytes; slot_size 0: objects have no slots of their own */
    uint64_t live, slots, slabs, pages;
};
void km_report_slabs(struct km_report *r, const struct km_slab_row *row, unsigned nr);

/* Text of one /proc file: DIR/proc/NAME or, with at_start, DIR/proc/start/NAME. */
void km_report_proc(struct km_report *r, bool at_start, const char *name, const char *text);

struct km_run_count {
    const char *name;
    uint64_t count;
};

/* One device of workload.type dma. */
struct km_dma_result_row {
    const char *name;
    struct km_dma_stats_hw bus; /* its accesses of memory, its interrupts */
    uint64_t data_bytes, frames, overruns, underruns, missed;
    uint64_t bounced, bounce_bytes, mapping_failures, mismatches;
    uint64_t busy_ps; /* from the start of the device to its interrupt or end */
};

/* Agreement counters and rates that only the workload knows. Unused members stay 0. */
struct km_run_summary {
    bool complete;
    unsigned cpus;           /* as run; 0: what the configuration says */
    uint64_t ram_bytes;      /* as run; 0: what the configuration says */
    uint64_t events;         /* trace events read                    */
    uint64_t events_applied; /* that drove the model                 */
    struct {
        const char *reason;
        uint64_t count;
    } skipped[24];
    unsigned nr_skipped;
    uint64_t refs, sim_cycles, sim_ns;
    double wall_s, read_wall_s;
    double replay_wall_s; /* the last pass over the trace alone: reading, model, samples */
    /* truth */
    uint64_t buddy_events, buddy_agree;
    uint64_t pfn_events, pfn_agree;
    struct { /* the kernel's mapped areas (vmalloc probes of the trace) */
        bool valid; /* the trace says something about them */
        uint64_t events, agree; /* requests with a traced address, and those that got the same one */
        uint64_t areas_start, allocs, frees, failed, unknown_frees;
        uint64_t purges, purged_pages;
        uint32_t pages, peak_pages;
    } vmalloc;
    uint64_t first_divergence_ns; /* 0: none */
    char first_divergence[256];   /* what differed, in words */
    char start_state[128];        /* "kpageflags, look-ahead" | "kpageflags" | "e820 + memblock" |
                                     "buddyinfo" ... */
    bool start_inferred;
    uint64_t silent_pages_inferred;      /* taken without an event, found by looking ahead  */
    uint64_t resyncs; /* replay.resync: decisions of the model replaced by the traced ones */
    uint64_t early_allocations_inferred; /* recorded later than they happened, found likewise */
    uint64_t missed_frees_inferred;      /* that went past the per-CPU lists                */
    uint64_t isolated_pages_inferred;    /* taken from the free lists by compaction         */
    struct { /* objects mode: what the simulated slab layer holds */
        bool valid;
        uint64_t samples, pages_sum, pages_start, pages_end, pages_max;
        uint64_t live_bytes_end; /* of objects, without rounding, free slots and bookkeeping */
        uint64_t blocks_requested, pages_requested;
    } slabs;
    bool elsewhere;               /* another machine than the traced one: what-if */
    uint64_t start_moved_pages;   /* of the start state, to other frames than the traced ones */
    uint64_t start_dropped_pages; /* user pages that did not fit */
    uint64_t lost_events;
    struct { /* objects mode against SLABINFO samples and traced slab pages */
        uint64_t samples, caches;
        double slabs_median_rel_error, objects_median_rel_error;
        double slabs_total_rel_error; /* sum of |model - traced| over all lines / sum of traced */
        uint64_t slab_blocks_traced, slab_blocks_model; /* calls of the page allocator */
        uint64_t slab_pages_traced, slab_pages_model;
    } objects;
    struct km_slab_requests { /* for slabs, of the traced and of the simulated slab layer */
        uint64_t traced, model;
        uint64_t traced_pages, model_pages;
        uint64_t order_gfp_mismatch; /* pairs of one cache that differ in order or flags */
        uint64_t cache_difference;   /* sum over caches of |traced - model| */
    } slab_requests;
    struct km_cache_requests {
        char name[64];
        struct km_slab_requests requests;
    } cache_requests[256];
    unsigned nr_cache_requests;
    struct km_run_count reclaim[48]; /* replay.reclaim: model: what the simulated kernel did */
    unsigned nr_reclaim;
    struct km_run_count compaction[16]; /* likewise */
    unsigned nr_compaction;
    struct km_dma_result_row dma[KM_MAX_DEVICES];
    unsigned nr_dma;
    char trace[512], trace_format[32], kernel[256];
};

/* Writes the rest, draws plots (gnuplot, if wanted and installed) and report.html. hw may be NULL.
 */
int km_report_finish(struct km_report *r, const struct km_run_summary *sum,
                     const struct km_hw_stats *hw, struct km_err *err);
/* Skill of a zone so far: 1 - err/err_of_staying_put; false if it has no samples, NAN if the zone
 * never changed but the model was wrong (no reference to compare with). Zones of nodes other than 0
 * are "Node1/Normal". */
bool km_report_skill(const struct km_report *r, const char *zone, double *skill, uint64_t *samples);
/* Something could not be written: a long run can stop early; km_report_finish says what. */
bool km_report_failed(const struct km_report *r);
void km_report_close(struct km_report *r); /* frees; without finish the run counts as interrupted */

/* `kmemsim plot DIR`: redraw from the files of a finished run. */
int km_report_redraw(const char *dir, struct km_err *err);
/* `kmemsim compare DIR DIR...` */
int km_report_compare(const char *const *dirs, unsigned nr_dirs, const char *out_html,
                      struct km_err *err);

#endif
