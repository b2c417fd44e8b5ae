/* SPDX-License-Identifier: MIT
 * report_int.h - the parts of a report: one small struct and one file per concern.
 *
 * Every part has an open (first line of its file), a function that takes one record, an end that
 * writes what needs the whole run, and adds its share to summary.json. Write errors stay in the
 * km_outdir.
 */
#ifndef KM_REPORT_REPORT_INT_H
#define KM_REPORT_REPORT_INT_H

#include "sim/report/hist.h"
#include "sim/report/outdir.h"
#include "sim/report/report.h"
#include "sim/report/vcd.h"

#include <jansson.h>

#define KM_REPORT_ZONES 32u
#define KM_REPORT_APIS 48u
#define KM_ZONE_KEY_MAX 40

/* truth.c: simulated against real free blocks. */
struct km_truth_zone {
    char key[KM_ZONE_KEY_MAX]; /* "Normal"; "Node1/Normal" for nodes other than 0 */
    char zone[32];
    int node;
    uint64_t samples, exact; /* exact: all orders right */
    uint64_t first[KM_NR_ORDERS];
    uint64_t err_blocks, ref_blocks; /* sums over samples and orders; ref: stays as at the start */
    uint64_t err_pages, last_err_blocks, max_err_blocks;
};
struct km_truth {
    struct km_out out;
    unsigned nr_zones;
    struct km_truth_zone zone[KM_REPORT_ZONES];
};
enum km_skill { KM_SKILL_NONE, KM_SKILL_VALUE, KM_SKILL_UNDEFINED };

void km_truth_open(struct km_truth *t, struct km_outdir *d);
void km_truth_add(struct km_truth *t, uint64_t time_ns, int node, const char *zone,
                  const uint64_t sim[KM_NR_ORDERS], const uint64_t real[KM_NR_ORDERS]);
const struct km_truth_zone *km_truth_find(const struct km_truth *t, const char *key);
enum km_skill km_truth_skill(const struct km_truth_zone *z, double *skill);
json_t *km_truth_json(const struct km_truth *t, const struct km_run_summary *sum);

#define KM_REPORT_KINDS 64u

/* fragmentation.c */
struct km_frag_zone {
    char zone[32];
    uint64_t samples, free_first, free_last, free_min, free_sum;
    int largest_last, largest_min; /* order of the largest free block; -1: nothing is free */
    int32_t extfrag_last[KM_NR_ORDERS], unusable_last[KM_NR_ORDERS];
    int64_t unusable_sum[KM_NR_ORDERS];
    double internal_pct;
    int64_t mixed_pageblocks;
};
struct km_fragmentation {
    struct km_out out;
    unsigned nr_zones;
    struct km_frag_zone zone[KM_REPORT_ZONES];
};
void km_fragmentation_open(struct km_fragmentation *f, struct km_outdir *d);
void km_fragmentation_add(struct km_fragmentation *f, const struct km_frag_sample *s);
json_t *km_fragmentation_json(const struct km_fragmentation *f);

/* latency.c: a histogram per API and CPU; the API is found by the address of its literal. */
#define KM_API_SLOTS 256u
struct km_api {
    const char *name;
    struct km_hist *cpu[KM_MAX_CPUS];
};
struct km_latency {
    struct {
        const char *literal;
        struct km_api *api;
    } slot[KM_API_SLOTS];
    unsigned nr_apis, nr_slots;
    struct km_api api[KM_REPORT_APIS];
};
/* false: host memory exhausted */
bool km_latency_add(struct km_latency *l, const char *api, unsigned cpu, uint64_t cycles);
void km_latency_write(struct km_latency *l, struct km_outdir *d);
json_t *km_latency_json(const struct km_latency *l);
void km_latency_release(struct km_latency *l);

/* callsites.c */
struct km_callsite {
    char *site;
    struct km_callsite_totals totals;
};
struct km_callsites {
    struct km_callsite *entry;
    uint32_t *slot; /* index + 1 into entry; 0: free */
    uint32_t nr, nr_slots;
};
/* false: host memory exhausted */
bool km_callsites_set(struct km_callsites *c, const char *site,
                      const struct km_callsite_totals *totals);
void km_callsites_write(struct km_callsites *c, struct km_outdir *d);
void km_callsites_release(struct km_callsites *c);

/* false_sharing.c: sums over the lines of the machine and of each slab cache; caches that lose most
 * to false sharing first. */
#define KM_REPORT_SHARING_CACHES 256u
struct km_false_sharing {
    struct km_cache_sharing {
        char name[128];
        uint64_t lines, false_lines, hitm, hitm_true, hitm_false;
        uint64_t invalidations, inv_true, inv_false, dma_hitm, dma_invalidations;
        uint64_t cycles, cycles_true, cycles_false, cycles_dma;
    } total, cache[KM_REPORT_SHARING_CACHES];
    unsigned nr_caches;
};
void km_false_sharing_write(struct km_false_sharing *s, const struct km_hw_stats *hw,
                            km_report_owner_fn *owner, void *ctx, struct km_outdir *d);
json_t *km_false_sharing_json(const struct km_false_sharing *s, const struct km_hw_stats *hw);

/* trace_out.c: a compressed text; dir is NULL until the first line */
struct km_trace_out {
    struct gzFile_s *gz;
    struct km_outdir *dir;
    const char *name;
};
void km_trace_out_open(struct km_trace_out *t, struct km_outdir *d, const char *name);
void km_trace_out_line(struct km_trace_out *t, const char *line, size_t len);
void km_trace_out_commit(struct km_trace_out *t);
void km_trace_out_abandon(struct km_trace_out *t);

/* report_probe.c: signals to waves.vcd, DRAM commands to dram_commands.csv.gz */
bool km_report_probe_open(struct km_report *r);
void km_report_probe_finish(struct km_report *r);

/* summary.c */
json_t *km_hw_cache_json(const struct km_hw_stats *hw);
json_t *km_hw_tlb_json(const struct km_hw_stats *hw);
json_t *km_hw_bus_json(const struct km_hw_stats *hw);
json_t *km_hw_dram_json(const struct km_hw_stats *hw);
json_t *km_summary_json(const struct km_report *r, const struct km_run_summary *sum,
                        const struct km_hw_stats *hw);
int km_summary_write(struct km_outdir *d, json_t *root);

struct km_report {
    struct km_config cfg;
    struct km_outdir dir;
    struct km_out buddyinfo, events;
    uint64_t nr_events;
    struct {
        const char *name;
        uint64_t count;
    } kind[KM_REPORT_KINDS]; /* of notable events, by first appearance */
    unsigned nr_kinds;
    struct km_truth truth;
    struct km_fragmentation frag;
    struct km_latency latency;
    struct km_callsites callsites;
    struct km_false_sharing sharing;
    struct km_trace_out trace_out, dram_commands;
    struct km_vcd *vcd; /* NULL: no waveform */
    struct km_probe probe;
    km_report_owner_fn *owner;
    void *owner_ctx;
    bool no_memory, finished;
};

/* csv.c: a field with quotes only where the text needs them (RFC 4180). */
void km_csv_text(FILE *f, const char *text);
/* Rows written by the million: ",123" at `at` (KM_CSV_NUMBER bytes of room); returns its end, without a NUL. */
#define KM_CSV_NUMBER 21u
char *km_csv_number(char *at, uint64_t v);
/* The same for thousandths: ",-1.000". */
char *km_csv_thousandths(char *at, int32_t v);
/* "time_ns,node,zone" or, with node < 0, "time_ns,zone". */
void km_csv_row_head(FILE *f, uint64_t time_ns, int node, const char *zone);

#endif
