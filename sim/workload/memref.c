/* SPDX-License-Identifier: MIT
 * memref.c - see memref.h: opens trace and report, runs, hands over the counts.
 */
#include "sim/workload/memref.h"

#include "sim/base/progress.h"
#include "sim/report/report.h"
#include "sim/workload/chase.h"
#include "sim/workload/memref_cache.h"
#include "sim/workload/ref.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static double seconds(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static const struct km_ref_reader *wanted_format(const struct km_config *cfg)
{
    switch (cfg->workload.format) {
    case KM_FMT_DIN:
        return &km_ref_din;
    case KM_FMT_DRAM_RW:
        return &km_ref_dram_rw;
    case KM_FMT_LACKEY:
        return &km_ref_lackey;
    default:
        return NULL;
    }
}

static int replay_refs(struct km_ref_source *src, const struct km_config *cfg,
                       const struct km_run_options *opt, struct km_report *report,
                       struct km_memref_result *result, struct km_err *err)
{
    const struct km_ref_reader *format = km_ref_format_of(src);
    struct km_progress progress;

    km_progress_start(&progress, opt->quiet, "references", km_ref_size(src));
    int rc = format->dram ? km_memref_dram(src, cfg, km_report_probe(report), result, &progress, err)
                          : km_memref_caches(src, cfg, result, &progress, err);

    km_progress_end(&progress);
    if (!rc && !result->records)
        rc = km_fail(err, KM_E_INPUT, cfg->workload.trace, 0, 0, "no references in this file");
    return rc;
}

/* With format auto the first reference decides what runs: look at it, then start over. */
static int open_trace(struct km_ref_source **src, const struct km_config *cfg, struct km_err *err)
{
    const struct km_ref_reader *format = wanted_format(cfg);
    struct km_mem_ref ref;

    if (!format) {
        int rc = km_ref_open(src, cfg->workload.trace, NULL, err);

        if (rc)
            return rc;
        rc = km_ref_next(*src, &ref, err);
        format = km_ref_format_of(*src);
        km_ref_close(*src);
        if (rc < 0)
            return rc;
        if (rc == 0)
            return km_fail(err, KM_E_INPUT, cfg->workload.trace, 0, 0,
                           "no references in this file");
    }
    return km_ref_open(src, cfg->workload.trace, format, err);
}

static int memref(const struct km_config *cfg, const struct km_run_options *opt, struct km_err *err)
{
    struct km_ref_source *src;
    struct km_report *report;
    struct km_memref_result result;
    struct km_run_summary sum = {0};
    double begin = seconds();
    int rc = open_trace(&src, cfg, err);

    if (rc)
        return rc;
    rc = km_report_open(&report, opt->out_dir, cfg, opt->force, err);
    if (rc) {
        km_ref_close(src);
        return rc;
    }
    km_ref_set_stop(src, opt->stop);
    rc = replay_refs(src, cfg, opt, report, &result, err);
    bool stopped = opt->stop && *opt->stop;

    if (!rc) {
        sum.complete = !stopped;
        sum.events = sum.events_applied = result.records;
        sum.refs = result.refs;
        sum.sim_ns = result.hw.sim_ps / 1000;
        sum.wall_s = seconds() - begin;
        snprintf(sum.trace, sizeof(sum.trace), "%s", cfg->workload.trace);
        snprintf(sum.trace_format, sizeof(sum.trace_format), "%s", km_ref_format_of(src) ? km_ref_format_of(src)->name : "unknown");
        rc = km_report_finish(report, &sum, &result.hw, err);
    }
    if (!rc && stopped)
        rc = km_fail(err, KM_E_INPUT, NULL, 0, 0,
                     "interrupted (%s) after record %llu: the results in %s end there (\"complete\": false)",
                     strsignal((int)*opt->stop), (unsigned long long)result.records, opt->out_dir);
    km_report_close(report);
    km_ref_close(src);
    return rc;
}

static int write_curve(const struct km_config *cfg, const char *dir,
                       const struct km_chase_result *r, struct km_err *err)
{
    char path[KM_PATH_MAX + 32];

    snprintf(path, sizeof(path), "%s/lat_mem_rd.csv", dir);
    FILE *f = fopen(path, "w");

    if (!f)
        return km_fail(err, KM_E_IO, path, 0, 0, "cannot write: %s", strerror(errno));
    fprintf(f, "size_bytes,stride_bytes,latency_ns\n");
    for (unsigned i = 0; i < r->nr; i++)
        fprintf(f, "%llu,%u,%.3f\n", (unsigned long long)r->point[i].bytes,
                r->point[i].stride,
                (double)r->point[i].cycles / (double)r->point[i].loads * 1e9 /
                    (double)cfg->machine.clock_hz);
    bool bad = ferror(f);

    if (fclose(f) || bad)
        return km_fail(err, KM_E_IO, path, 0, 0, "cannot write: %s", strerror(errno));
    return KM_OK;
}

static int chase(const struct km_config *cfg, const struct km_run_options *opt, struct km_err *err)
{
    struct km_chase_result result;
    struct km_report *report;
    struct km_run_summary sum = {0};
    double begin = seconds();

    if (!opt->engine)
        return km_fail(err, KM_E_USAGE, NULL, 0, 0, "pointer-chase needs a timed machine");
    int rc = km_report_open(&report, opt->out_dir, cfg, opt->force, err);

    if (rc)
        return rc;
    rc = km_chase_run(cfg, opt->engine, km_report_probe(report), &result, err);
    if (!rc)
        rc = write_curve(cfg, opt->out_dir, &result, err);
    if (!rc) {
        sum.complete = true;
        sum.refs = result.hw.refs;
        sum.sim_cycles = result.hw.cycles;
        sum.sim_ns = result.hw.sim_ps / 1000;
        sum.wall_s = seconds() - begin;
        rc = km_report_finish(report, &sum, &result.hw, err);
    }
    km_report_close(report);
    return rc;
}

int km_memref_run(const struct km_config *cfg, const struct km_run_options *opt, struct km_err *err)
{
    if (cfg->workload.type == KM_WL_POINTER_CHASE)
        return chase(cfg, opt, err);
    return memref(cfg, opt, err);
}
