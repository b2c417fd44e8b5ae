/* SPDX-License-Identifier: MIT
 * report_feed.h - a whole run's worth of records: real /proc/buddyinfo samples, made-up latencies
 * and the rest.
 */
#ifndef KM_TEST_REPORT_FEED_H
#define KM_TEST_REPORT_FEED_H

#include "report_support.h"

#include "sim/report/frag.h"

/* A model that misses blocks, more of them with more skew: something to see in the error panel. */
static inline void feed_samples(struct km_report *r, unsigned skew)
{
    char path[512], zone[16];
    uint64_t t, real[KM_NR_ORDERS], sim[KM_NR_ORDERS], n = 0;
    unsigned long long v;

    snprintf(path, sizeof(path), "%s/tests/unit/report/data/buddyinfo_samples.txt", KM_SOURCE_DIR);
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    while (fscanf(f, "%llu %15s", &v, zone) == 2) {
        t = v;
        for (unsigned o = 0; o < KM_NR_ORDERS; o++) {
            assert_int_equal(fscanf(f, "%llu", &v), 1);
            real[o] = v;
            sim[o] = v + (v > 20 ? (n * (o + 3)) % 17 * v * skew / 400 : 0);
        }
        struct km_frag_sample s = {
            .time_ns = t, .zone = zone, .internal_pct = -1, .mixed_pageblocks = -1};
        memcpy(s.nr_free, sim, sizeof(sim));
        km_report_buddyinfo(r, t, 0, zone, sim);
        km_report_truth(r, t, 0, zone, sim, real);
        km_report_fragmentation(r, &s);
        n++;
    }
    fclose(f);
    assert_int_equal(n, 266);
}

static inline void feed_calls(struct km_report *r, unsigned skew)
{
    uint64_t x = 88172645463325252u;

    for (unsigned i = 0; i < 200000; i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        unsigned cpu = (unsigned)(x >> 60) & 1;
        bool slow = x % 100 >= 88;

        km_report_latency(r, "kmalloc", cpu, slow ? 900 + x % 7000 : 65 + 20 * skew + x % 60);
        km_report_latency(r, "kfree", cpu, slow ? 300 + x % 1500 : 60 + x % 50);
        if (i % 3 == 0)
            km_report_latency(r, "page_alloc", cpu, slow ? 5000 + x % 90000 : 210 + x % 190);
        if (i % 3 == 1)
            km_report_latency(r, "page_free", cpu, slow ? 2000 + x % 9000 : 150 + x % 80);
    }
}

static inline void feed_rest(struct km_report *r)
{
    static const char *const sites[] = {"alloc_inode", "__d_alloc", "<script>alert(1)</script>",
                                        "sk_prot_alloc"};

    for (unsigned i = 0; i < 40; i++)
        km_report_event(r, 50000000u * i, i % 2, i % 3 ? "extfrag" : "kswapd_wake",
                        "order %u: unmovable takes a movable block, pfn 0x%x", i % 5,
                        0x1200 + 8 * i);
    for (unsigned i = 0; i < KM_ARRAY_LEN(sites); i++)
        km_report_callsite(r, sites[i],
                           &(struct km_callsite_totals){.allocs = 9000 / (i + 1),
                                                        .frees = 8000 / (i + 1),
                                                        .frees_remote = 300 * i,
                                                        .bytes_requested = 900000 / (i + 1),
                                                        .bytes_allocated = 1000000 / (i + 1),
                                                        .cycles = 123456});
    km_report_proc(r, false, "vmstat", "nr_free_pages 12345\n");
}

static inline bool owner_of(void *ctx, km_paddr pa, struct km_line_owner *out)
{
    (void)ctx;
    snprintf(out->name, sizeof(out->name), pa & 0x40 ? "kmalloc-32" : "zone lock");
    out->offset = (uint32_t)(pa >> 7 & 31);
    return pa & 0xC0;
}

/* As a pointer chase leaves it: two strides. */
static inline void feed_curve(const char *dir)
{
    char path[512];

    snprintf(path, sizeof(path), "%s/lat_mem_rd.csv", dir);
    FILE *f = fopen(path, "w");

    assert_non_null(f);
    fputs("size_bytes,stride_bytes,latency_ns\n4096,64,4.3\n65536,64,13\n4096,4096,4.3\n65536,4096,170\n",
          f);
    fclose(f);
}

static inline int fill(const char *dir, bool plots, unsigned skew)
{
    static struct km_shared_line line[14];
    struct km_hw_stats hw = {
        .valid = true, .nr_shared_lines = KM_ARRAY_LEN(line), .shared_line = line};
    struct km_run_summary sum = {
        .complete = true,
        .events = 151234,
        .events_applied = 150800,
        .skipped = {{"page event of the traced slab", 400}, {"lost start", 34}},
        .nr_skipped = 2,
        .refs = 123456789,
        .sim_ns = 8071955323,
        .sim_cycles = 5650368726,
        .buddy_events = 17054,
        .buddy_agree = 17051,
        .pfn_events = 90000,
        .pfn_agree = 77000 - 1000 * skew,
        .first_divergence_ns = 1234567890,
        .first_divergence = "order 0 Movable: model took pfn 0x1234, kernel 0x1235",
        .start_state = "kpageflags, look-ahead",
        .silent_pages_inferred = 1174,
        .early_allocations_inferred = 1};
    struct km_config cfg;
    struct km_err err = {0};
    struct km_report *r;

    for (unsigned i = 0; i < KM_ARRAY_LEN(line); i++)
        line[i] = (struct km_shared_line){.line_pa = 0x1f3a0c0 + 0xc0 * i,
                                          .cpus_mask = 3,
                                          .readers = 500 - i,
                                          .writers = 100,
                                          .hitm_remote = 90,
                                          .invalidations = 80,
                                          .cycles_lost = 90000 / (i + 1),
                                          .hitm_true = i % 3 == 0 ? 80 : 0,
                                          .hitm_false = i % 3 == 0 ? 5 : 85,
                                          .cycles_true = i % 3 == 0 ? 80000 / (i + 1) : 0,
                                          .cycles_false = i % 3 == 0 ? 5000 / (i + 1) : 85000 / (i + 1)};
    hw.l1d = (struct km_cache_stats){.reads = 9999999, .writes = 3333333, .read_misses = 44444};
    hw.dram = (struct km_dram_stats){
        .reads = 4444, .read_latency_sum = 88888, .end_cycle = 999999, .bytes = 64 * 4444};
    plain_config(&cfg);
    snprintf(cfg.name, sizeof(cfg.name), "unit <b>&");
    cfg.report.plots = plots;
    cfg.report.html = true;
    assert_int_equal(km_report_open(&r, dir, &cfg, true, &err), KM_OK);
    feed_samples(r, skew);
    feed_calls(r, skew);
    feed_rest(r);
    km_report_set_owner(r, owner_of, NULL);
    feed_curve(dir);
    int ret = km_report_finish(r, &sum, &hw, &err);
    if (ret)
        print_error("%s: %s\n", err.file, err.msg);
    km_report_close(r);
    return ret;
}

#endif
