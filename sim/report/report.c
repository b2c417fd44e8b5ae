/* SPDX-License-Identifier: MIT
 * report.c - one run's report: opens the files, passes records to the parts, finishes in a fixed
 * order.
 *
 * Order at the end: files that grew, files that need the whole run, plots and report.html, and
 * summary.json last of all: a folder with a summary.json is a finished run.
 */
#include "sim/report/report.h"

#include "models/base/bug.h"
#include "sim/report/redraw.h"
#include "sim/report/report_int.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

static void open_buddyinfo(struct km_report *r)
{
    if (!km_out_open(&r->buddyinfo, &r->dir, "buddyinfo.csv"))
        return;
    fputs("time_ns,node,zone", r->buddyinfo.f);
    for (unsigned o = 0; o < KM_NR_ORDERS; o++)
        fprintf(r->buddyinfo.f, ",order%u", o);
    fputc('\n', r->buddyinfo.f);
}

static void open_events(struct km_report *r)
{
    if (km_out_open(&r->events, &r->dir, "events.csv"))
        fputs("time_ns,cpu,kind,detail\n", r->events.f);
}

static void write_config(struct km_report *r)
{
    struct km_out o;

    if (!km_out_open(&o, &r->dir, "config.resolved.yaml"))
        return;
    km_config_dump(o.f, &r->cfg);
    km_out_check(&o);
    km_out_commit(&o);
}

int km_report_open(struct km_report **out, const char *dir, const struct km_config *cfg, bool force,
                   struct km_err *err)
{
    struct km_report *r = calloc(1, sizeof(*r));

    if (!r)
        return km_fail(err, KM_E_NOMEM, NULL, 0, 0, "out of memory");
    r->cfg = *cfg;
    int ret = km_outdir_open(&r->dir, dir, force, err);
    if (ret) {
        free(r);
        return ret;
    }
    write_config(r);
    open_buddyinfo(r);
    open_events(r);
    km_truth_open(&r->truth, &r->dir);
    km_fragmentation_open(&r->frag, &r->dir);
    if (!km_report_probe_open(r)) {
        km_report_close(r);
        return km_fail(err, KM_E_NOMEM, NULL, 0, 0, "out of memory");
    }
    if (r->dir.failed) {
        if (err)
            *err = r->dir.err;
        km_report_close(r);
        return KM_E_IO;
    }
    *out = r;
    return KM_OK;
}

void km_report_set_owner(struct km_report *r, km_report_owner_fn *owner, void *ctx)
{
    r->owner = owner;
    r->owner_ctx = ctx;
}

bool km_report_failed(const struct km_report *r)
{
    return r->dir.failed || r->no_memory;
}

void km_report_buddyinfo(struct km_report *r, uint64_t time_ns, int node, const char *zone,
                         const uint64_t sim[KM_NR_ORDERS])
{
    FILE *f = r->buddyinfo.f;

    if (!f)
        return;
    char text[KM_NR_ORDERS * KM_CSV_NUMBER + 1], *at = text;

    km_csv_row_head(f, time_ns, node, zone);
    for (unsigned o = 0; o < KM_NR_ORDERS; o++)
        at = km_csv_number(at, sim[o]);
    *at++ = '\n';
    fwrite(text, 1, (size_t)(at - text), f);
    km_out_check(&r->buddyinfo);
}

void km_report_truth(struct km_report *r, uint64_t time_ns, int node, const char *zone,
                     const uint64_t sim[KM_NR_ORDERS], const uint64_t real[KM_NR_ORDERS])
{
    km_truth_add(&r->truth, time_ns, node, zone, sim, real);
}

void km_report_fragmentation(struct km_report *r, const struct km_frag_sample *s)
{
    km_fragmentation_add(&r->frag, s);
}

void km_report_latency(struct km_report *r, const char *api, unsigned cpu, uint64_t cycles)
{
    if (KM_UNLIKELY(!km_latency_add(&r->latency, api, cpu, cycles)))
        r->no_memory = true;
}

static void count_kind(struct km_report *r, const char *kind)
{
    unsigned i = 0;

    while (i < r->nr_kinds && strcmp(r->kind[i].name, kind))
        i++;
    if (i == KM_REPORT_KINDS)
        return;
    if (i == r->nr_kinds)
        r->kind[r->nr_kinds++].name = kind;
    r->kind[i].count++;
}

void km_report_event(struct km_report *r, uint64_t time_ns, unsigned cpu, const char *kind,
                     const char *fmt, ...)
{
    char detail[512];
    va_list ap;

    r->nr_events++;
    count_kind(r, kind);
    if (!r->events.f)
        return;
    va_start(ap, fmt);
    vsnprintf(detail, sizeof(detail), fmt, ap);
    va_end(ap);
    fprintf(r->events.f, "%" PRIu64 ",%u,%s,", time_ns, cpu, kind);
    km_csv_text(r->events.f, detail);
    fputc('\n', r->events.f);
    km_out_check(&r->events);
}

void km_report_callsite(struct km_report *r, const char *site,
                        const struct km_callsite_totals *totals)
{
    if (!km_callsites_set(&r->callsites, site, totals))
        r->no_memory = true;
}

void km_report_trace_line(struct km_report *r, const char *line, size_t len)
{
    if (!r->trace_out.dir)
        km_trace_out_open(&r->trace_out, &r->dir, "trace.out.txt.gz");
    km_trace_out_line(&r->trace_out, line, len);
}

void km_report_slabs(struct km_report *r, const struct km_slab_row *row, unsigned nr)
{
    struct km_out o;

    if (!km_out_open(&o, &r->dir, "slabs.csv"))
        return;
    fputs("cache,object_size,slot_size,live_objects,slots,slabs,pages,unused_pct\n", o.f);
    for (unsigned i = 0; i < nr; i++) {
        km_csv_text(o.f, row[i].cache);
        fprintf(o.f, ",%" PRIu32 ",%" PRIu32 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",", row[i].object_size,
                row[i].slot_size, row[i].live, row[i].slots, row[i].slabs, row[i].pages);
        if (row[i].pages)
            fprintf(o.f, "%.3f", 100.0 * (1.0 - (double)row[i].live * row[i].object_size /
                                                    ((double)row[i].pages * KM_PAGE_BYTES)));
        fputc('\n', o.f);
    }
    km_out_check(&o);
    km_out_commit(&o);
}

void km_report_proc(struct km_report *r, bool at_start, const char *name, const char *text)
{
    char rel[64];

    KM_BUG_ON(!km_outdir_known_proc(name));
    if (km_outdir_subdir(&r->dir, "proc") || (at_start && km_outdir_subdir(&r->dir, "proc/start")))
        return;
    snprintf(rel, sizeof(rel), "proc/%s%s", at_start ? "start/" : "", name);
    km_outdir_write_text(&r->dir, rel, text);
}

bool km_report_skill(const struct km_report *r, const char *zone, double *skill, uint64_t *samples)
{
    const struct km_truth_zone *z = km_truth_find(&r->truth, zone);
    enum km_skill kind = km_truth_skill(z, skill);

    if (kind == KM_SKILL_NONE)
        return false;
    if (kind == KM_SKILL_UNDEFINED)
        *skill = NAN;
    *samples = z->samples;
    return true;
}

static void finish_files(struct km_report *r, const struct km_hw_stats *hw)
{
    km_report_probe_finish(r);
    km_out_commit(&r->buddyinfo);
    km_out_commit(&r->events);
    km_out_commit(&r->truth.out);
    km_out_commit(&r->frag.out);
    km_trace_out_commit(&r->trace_out);
    km_latency_write(&r->latency, &r->dir);
    km_callsites_write(&r->callsites, &r->dir);
    km_false_sharing_write(&r->sharing, hw, r->owner, r->owner_ctx, &r->dir);
}

int km_report_finish(struct km_report *r, const struct km_run_summary *sum,
                     const struct km_hw_stats *hw, struct km_err *err)
{
    KM_BUG_ON(r->finished);
    r->finished = true;
    finish_files(r, hw);
    if (r->no_memory && !r->dir.failed)
        return km_fail(err, KM_E_NOMEM, NULL, 0, 0, "out of memory while collecting the report");

    json_t *root = km_summary_json(r, sum, hw);
    if (!r->dir.failed)
        km_redraw_with_summary(&r->dir, root, r->cfg.report.plots, r->cfg.report.html);
    if (!r->dir.failed)
        km_summary_write(&r->dir, root);
    json_decref(root);
    if (r->dir.failed && err)
        *err = r->dir.err;
    return r->dir.failed ? KM_E_IO : KM_OK;
}

void km_report_close(struct km_report *r)
{
    if (!r)
        return;
    km_out_abandon(&r->buddyinfo);
    km_out_abandon(&r->events);
    km_out_abandon(&r->truth.out);
    km_out_abandon(&r->frag.out);
    km_trace_out_abandon(&r->trace_out);
    km_trace_out_abandon(&r->dram_commands);
    km_vcd_free(r->vcd);
    km_latency_release(&r->latency);
    km_callsites_release(&r->callsites);
    km_outdir_close(&r->dir);
    free(r);
}
