/* SPDX-License-Identifier: MIT
 * report_html.c - one page that explains a run: how true it is, what happened, where the cycles
 * went.
 *
 * Made from summary.json, the CSV files and the plots only, so it can be redrawn from a finished
 * folder. Values that depend on the host (wall time, rates) are left out: the page is the same for
 * the same input.
 */
#include "sim/report/report_html.h"

#include "models/base/types.h"
#include "sim/report/csv_read.h"
#include "sim/report/html.h"
#include "sim/report/plot.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { TOP_ROWS = 20, EVENT_KINDS = 64 };

const char *km_skill_words(const json_t *skill)
{
    double v = json_number_value(skill);

    if (!json_is_number(skill))
        return "the real zone never changed, but the simulation was off: see the error";
    if (v >= 1.0)
        return "exact at every sample";
    if (v >= 0.99)
        return "practically exact";
    if (v >= 0.95)
        return "very close";
    if (v >= 0.80)
        return "close: most of what changed is reproduced";
    if (v >= 0.50)
        return "rough: more than half of what changed is reproduced";
    if (v > 0.0)
        return "weak: little better than assuming that nothing changes";
    return "wrong: no better than assuming that nothing changes";
}

static const char *text_of(const json_t *o, const char *key)
{
    const char *s = json_string_value(json_object_get(o, key));

    return s ? s : "";
}

static double number_of(const json_t *o, const char *key)
{
    return json_number_value(json_object_get(o, key));
}

static void heading(FILE *f, const char *title)
{
    fputs("<h2>", f);
    km_html_text(f, title);
    fputs("</h2>\n", f);
}

static void cell_text(FILE *f, const char *text)
{
    fputs("<td class=\"w\">", f);
    km_html_text(f, text);
    fputs("</td>", f);
}

/* Column names of files and counters: blanks for _, so that a narrow page can break them. */
static void column_name(FILE *f, const char *name)
{
    for (; *name; name++) {
        const char one[2] = {*name == '_' ? ' ' : *name, '\0'};

        km_html_text(f, one);
    }
}

static void cell_number(FILE *f, const json_t *v)
{
    fputs("<td class=\"n\">", f);
    if (json_is_number(v))
        km_html_number(f, json_number_value(v));
    else
        fputs("\xE2\x80\x93", f); /* en dash: no value */
    fputs("</td>", f);
}

static bool looks_like_number(const char *field)
{
    char *end;
    double v = strtod(field, &end);

    return *field && !*end && strncmp(field, "0x", 2) && v == v;
}

static void cell_field(FILE *f, const char *field)
{
    if (!looks_like_number(field)) {
        cell_text(f, field);
        return;
    }
    fputs("<td class=\"n\">", f);
    km_html_number(f, strtod(field, NULL));
    fputs("</td>", f);
}

static void table_open(FILE *f, const char *const *columns, unsigned nr, unsigned text_columns)
{
    fputs("<div class=\"scroll\"><table><thead><tr>", f);
    for (unsigned i = 0; i < nr; i++) {
        fputs(i < text_columns ? "<th>" : "<th class=\"n\">", f);
        km_html_text(f, columns[i]);
        fputs("</th>", f);
    }
    fputs("</tr></thead><tbody>\n", f);
}

static void table_close(FILE *f)
{
    fputs("</tbody></table></div>\n", f);
}

static void row_text(FILE *f, const char *name, const char *value)
{
    if (!*value)
        return;
    fputs("<tr><th>", f);
    km_html_text(f, name);
    fputs("</th>", f);
    cell_text(f, value);
    fputs("</tr>\n", f);
}

static void row_number(FILE *f, const char *name, double value, const char *unit)
{
    fputs("<tr><th>", f);
    km_html_text(f, name);
    fputs("</th><td>", f);
    km_html_number(f, value);
    fprintf(f, "%s%s</td></tr>\n", *unit ? " " : "", unit);
}

static void write_lead(FILE *f, const json_t *s)
{
    const json_t *setup = json_object_get(s, "setup"), *trace = json_object_get(s, "trace");

    fputs("<h1>", f);
    km_html_text(f, text_of(s, "config"));
    fputs("</h1>\n<p class=\"lead\">kmemsim ", f);
    km_html_text(f, text_of(s, "version"));
    fputs(" \xC2\xB7 ", f);
    km_html_text(f, text_of(setup, "workload"));
    if (*text_of(setup, "mode")) {
        fputs(" in mode ", f);
        km_html_text(f, text_of(setup, "mode"));
    }
    if (*text_of(trace, "path")) {
        fputs(" of ", f);
        km_html_text(f, text_of(trace, "path"));
    }
    fputs("</p>\n", f);
    if (!json_is_true(json_object_get(s, "complete")))
        fputs("<p class=\"note bad\"><b>This run was interrupted.</b> Everything below covers only "
              "the part of the "
              "workload that was simulated.</p>\n",
              f);
}

static void write_setup(FILE *f, const json_t *s)
{
    const json_t *setup = json_object_get(s, "setup"), *trace = json_object_get(s, "trace");

    heading(f, "The run");
    fputs("<div class=\"scroll\"><table><tbody>\n", f);
    row_text(f, "Machine", text_of(setup, "machine"));
    if (number_of(setup, "cpus") > 0) /* 0: nobody resolved "from the trace" */
        row_number(f, "CPUs", number_of(setup, "cpus"), "");
    if (number_of(setup, "ram_bytes") > 0)
        row_number(f, "RAM", number_of(setup, "ram_bytes") / 1048576.0, "MiB");
    row_text(f, "Kernel personality", text_of(setup, "personality"));
    row_text(f, "Slab allocator", text_of(setup, "slab"));
    row_text(f, "Timing", text_of(setup, "timing"));
    row_text(f, "Pacing", text_of(setup, "pacing"));
    row_text(f, "Traced kernel", text_of(trace, "kernel"));
    row_text(f, "Trace format", text_of(trace, "format"));
    row_number(f, "Trace events read", number_of(s, "events"), "");
    row_number(f, "Events that drove the model", number_of(s, "events_applied"), "");
    if (number_of(trace, "lost_events") > 0)
        row_number(f, "Events the tracer lost", number_of(trace, "lost_events"), "");
    row_number(f, "Memory references", number_of(s, "refs"), "");
    row_number(f, "Simulated time", number_of(s, "sim_ns") / 1e9, "s");
    if (number_of(s, "sim_cycles") > 0)
        row_number(f, "Simulated cycles", number_of(s, "sim_cycles"), "");
    table_close(f);
}

static void write_share(FILE *f, const json_t *truth, const char *agree, const char *events,
                        const char *what)
{
    double n = number_of(truth, events), a = number_of(truth, agree);

    if (n <= 0)
        return;
    fputs("<p>", f);
    km_html_text(f, what);
    fputs(": ", f);
    km_html_number(f, a);
    fputs(" of ", f);
    km_html_number(f, n);
    fprintf(f, " (%.3f %%).</p>\n", 100.0 * a / n);
}

static void write_divergence(FILE *f, const json_t *truth)
{
    if (number_of(truth, "first_divergence_ns") <= 0)
        return;
    fprintf(f, "<p>First difference at %.6f s of the trace",
            number_of(truth, "first_divergence_ns") / 1e9);
    if (*text_of(truth, "first_divergence")) {
        fputs(": ", f);
        km_html_text(f, text_of(truth, "first_divergence"));
    }
    fputs(".</p>\n", f);
}

static void write_skill_row(FILE *f, const char *zone, const json_t *z)
{
    const json_t *skill = json_object_get(z, "skill");

    fputs("<tr>", f);
    cell_text(f, zone);
    cell_text(f, km_skill_words(skill));
    if (json_is_number(skill))
        fprintf(f, "<td class=\"n\">%.4f</td>", json_number_value(skill));
    else
        fputs("<td class=\"n\">\xE2\x80\x93</td>", f);
    cell_number(f, json_object_get(z, "samples"));
    cell_number(f, json_object_get(z, "samples_exact"));
    cell_number(f, json_object_get(z, "mean_abs_error_blocks"));
    cell_number(f, json_object_get(z, "stay_put_error_blocks"));
    fputs("</tr>\n", f);
}

/* What the trace does not record and was found by looking ahead. */
static void write_inferred(FILE *f, const json_t *truth)
{
    static const struct {
        const char *key, *one, *many;
    } kind[] = {
        {"silent_pages_inferred", "page taken without an event", "pages taken without an event"},
        {"early_allocations_inferred", "allocation recorded later than it happened",
         "allocations recorded later than they happened"},
        {"missed_frees_inferred", "free that went past the per-CPU lists",
         "frees that went past the per-CPU lists"},
        {"isolated_pages_inferred", "page taken from the free lists by compaction",
         "pages taken from the free lists by compaction"},
    };
    bool first = true;

    for (size_t i = 0; i < KM_ARRAY_LEN(kind); i++) {
        double n = number_of(truth, kind[i].key);

        if (n <= 0)
            continue;
        fputs(first ? "<p>What the trace leaves out and looking ahead found: " : ", ", f);
        first = false;
        km_html_number(f, n);
        fputs(" ", f);
        km_html_text(f, n == 1 ? kind[i].one : kind[i].many);
    }
    if (!first)
        fputs(". None of it tells the model which page a request gets.</p>\n", f);
}

/* Why no sample was compared. */
static void write_no_truth(FILE *f, const json_t *s)
{
    const json_t *carried = json_object_get(s, "carried_over");
    const char *workload = json_string_value(json_object_get(json_object_get(s, "setup"), "workload"));

    if (carried)
        fprintf(f,
                "<p>A what-if: the machine is not the traced one, so that its free lists cannot be compared with "
                "the real kernel's. Of the start state %lld pages moved to other frames, %lld did not fit.</p>\n",
                (long long)json_integer_value(json_object_get(carried, "moved_pages")),
                (long long)json_integer_value(json_object_get(carried, "dropped_pages")));
    else if (workload && strcmp(workload, "replay") != 0)
        fputs("<p>No kernel trace was replayed: there is no real kernel to compare with.</p>\n", f);
    else
        fputs("<p>The trace carries no truth samples: the free lists cannot be compared with the "
              "real kernel's.</p>\n",
              f);
}

static void write_truth(FILE *f, const json_t *s)
{
    static const char *const columns[] = {"Zone",
                                          "In words",
                                          "Skill",
                                          "Samples",
                                          "Exact samples",
                                          "Mean error (blocks)",
                                          "Error if nothing had changed (blocks)"};
    json_t *truth = json_object_get(s, "truth"), *zones = json_object_get(truth, "zones"), *z;
    const char *name;

    heading(f, "Is it true?");
    if (!json_object_size(zones)) {
        write_no_truth(f, s);
    } else {
        table_open(f, columns, KM_ARRAY_LEN(columns), 2);
        json_object_foreach(zones, name, z) write_skill_row(f, name, z);
        table_close(f);
        fputs("<p class=\"note\"><b>Skill</b> compares the simulated free lists with the real "
              "kernel's at every sample "
              "in the trace. 1 is exact. 0 is as good as claiming that every zone stays as it was "
              "at the first sample; "
              "below 0 is worse than that. The error is the number of free blocks that differ, "
              "summed over all "
              "orders, on average over the samples.</p>\n",
              f);
    }
    write_share(
        f, truth, "buddy_agree", "buddy_events",
        "Buddy agreement, requests for which the model picked the very block the kernel took");
    write_share(
        f, truth, "pfn_agree", "pfn_events",
        "Page-frame agreement, page allocations for which the model picked the very page frame");
    write_divergence(f, truth);
    if (*text_of(truth, "start_state")) {
        fputs("<p>Start state from: ", f);
        km_html_text(f, text_of(truth, "start_state"));
        fputs(json_is_true(json_object_get(truth, "start_inferred")) ? " (partly inferred).</p>\n"
                                                                     : ".</p>\n",
              f);
    }
    write_inferred(f, truth);
}

static void write_plot(FILE *f, const struct km_outdir *d, const struct km_plot *plot)
{
    char path[KM_OUT_PATH_MAX + 64], data[KM_OUT_PATH_MAX + 64];

    snprintf(path, sizeof(path), "%s/plots/%s.svg", d->path, plot->name);
    snprintf(data, sizeof(data), "%s/plots/data/%s.dat", d->path, plot->name);
    bool has_data = !access(data, R_OK);

    if (!plot->none && !has_data)
        return;
    heading(f, plot->title);
    fputs("<figure>", f);
    bool shown = km_html_inline_svg(f, path, plot->name);
    fputs("</figure>\n<p>", f);
    if (shown) {
        km_html_text(f, plot->help);
    } else if (has_data) {
        fprintf(f,
                "The plot was not drawn (is gnuplot installed?); its data is in "
                "<code>plots/data/%s.dat</code>.",
                plot->name);
    } else {
        km_html_text(f, plot->none);
    }
    fputs("</p>\n", f);
}

static void write_latency(FILE *f, const json_t *s)
{
    static const char *const keys[] = {"count", "mean", "p50", "p90", "p99", "p999", "max"};
    static const char *const columns[] = {"API", "Calls", "Mean",  "p50",
                                          "p90", "p99",   "p99.9", "Max"};
    json_t *latency = json_object_get(s, "latency"), *api;
    const char *name;

    if (!json_object_size(latency))
        return;
    table_open(f, columns, KM_ARRAY_LEN(columns), 1);
    json_object_foreach(latency, name, api)
    {
        fputs("<tr>", f);
        cell_text(f, name);
        for (size_t i = 0; i < KM_ARRAY_LEN(keys); i++)
            cell_number(f, json_object_get(api, keys[i]));
        fputs("</tr>\n", f);
    }
    table_close(f);
    fputs("<p>CPU cycles per call, all CPUs together. p99 = 5 000 means: 99 of 100 calls took at "
          "most 5 000 "
          "cycles.</p>\n",
          f);
}

static void write_fragmentation(FILE *f, const json_t *s)
{
    static const char *const columns[] = {"Zone",         "Free pages at start",  "At end",
                                          "Lowest",       "Unusable for order 3", "For order 9",
                                          "Internal (%)", "Mixed pageblocks"};
    json_t *frag = json_object_get(s, "fragmentation"), *z;
    const char *name;

    if (!json_object_size(frag))
        return;
    table_open(f, columns, KM_ARRAY_LEN(columns), 1);
    json_object_foreach(frag, name, z)
    {
        const json_t *unusable = json_object_get(z, "unusable_index_end_o1_o10");

        fputs("<tr>", f);
        cell_text(f, name);
        cell_number(f, json_object_get(z, "free_pages_start"));
        cell_number(f, json_object_get(z, "free_pages_end"));
        cell_number(f, json_object_get(z, "free_pages_min"));
        cell_number(f, json_array_get(unusable, 2));
        cell_number(f, json_array_get(unusable, 8));
        cell_number(f, json_object_get(z, "internal_pct_end"));
        cell_number(f, json_object_get(z, "mixed_pageblocks_end"));
        fputs("</tr>\n", f);
    }
    table_close(f);
    fputs("<p>Indexes at the end of the run. An order-3 request asks for 8 pages in one piece, "
          "order 9 for 512 (a 2 MiB "
          "page with PAE).</p>\n",
          f);
}

/* A level this machine does not have. */
static bool all_zero(json_t *unit)
{
    const char *counter;
    json_t *v;

    json_object_foreach(unit, counter, v) if (json_number_value(v) != 0) return false;
    return true;
}

/* {unit: {counter: value}} as rows units, columns counters. */
static void write_counters(FILE *f, const json_t *s, const char *key, const char *title)
{
    json_t *group = json_object_get(s, key), *unit, *v, *first = NULL;
    const char *name, *counter;

    if (!json_object_size(group))
        return;
    heading(f, title);
    fputs("<div class=\"scroll\"><table><thead><tr><th></th>", f);
    json_object_foreach(group, name, unit)
    {
        first = unit;
        break;
    }
    json_object_foreach(first, counter, v)
    {
        fputs("<th class=\"n\">", f);
        column_name(f, counter);
        fputs("</th>", f);
    }
    fputs("</tr></thead><tbody>\n", f);
    json_object_foreach(group, name, unit)
    {
        if (all_zero(unit))
            continue;
        fputs("<tr>", f);
        cell_text(f, name);
        json_object_foreach(unit, counter, v) cell_number(f, v);
        fputs("</tr>\n", f);
    }
    table_close(f);
}

static void write_flat(FILE *f, const json_t *s, const char *key, const char *title,
                       const char *note, bool nonzero_only)
{
    json_t *group = json_object_get(s, key), *v;
    const char *name;

    if (!json_object_size(group))
        return;
    heading(f, title);
    fputs("<div class=\"scroll\"><table><tbody>\n", f);
    json_object_foreach(group, name, v)
    {
        if (nonzero_only && json_number_value(v) == 0)
            continue;
        fputs("<tr>", f);
        cell_text(f, name);
        cell_number(f, v);
        fputs("</tr>\n", f);
    }
    table_close(f);
    if (note)
        fprintf(f, "<p>%s</p>\n", note);
}

/* Columns are aligned as the first row suggests. */
static void csv_head(FILE *f, const struct km_csv *c)
{
    fputs("<div class=\"scroll\"><table><thead><tr>", f);
    for (unsigned i = 0; i < c->nr_columns; i++) {
        fputs(looks_like_number(c->field[i]) ? "<th class=\"n\">" : "<th>", f);
        column_name(f, c->column[i]);
        fputs("</th>", f);
    }
    fputs("</tr></thead><tbody>\n", f);
}

/* The first rows of a CSV file under its own column names. Returns rows shown, negative on error.
 */
static int write_csv_top(FILE *f, const struct km_outdir *d, const char *file, struct km_err *err)
{
    struct km_csv c;
    int ret = km_csv_open(&c, d->path, file, err), rows = 0;

    while (ret == KM_OK && rows < TOP_ROWS && (ret = km_csv_next(&c, err)) > 0) {
        if (!rows++)
            csv_head(f, &c);
        fputs("<tr>", f);
        for (unsigned i = 0; i < c.nr_columns; i++)
            cell_field(f, c.field[i]);
        fputs("</tr>\n", f);
        ret = KM_OK;
    }
    if (rows)
        table_close(f);
    km_csv_close(&c);
    return ret < 0 ? ret : rows;
}

struct kind_count {
    char kind[48];
    uint64_t count;
};

static int by_count(const void *a, const void *b)
{
    const struct kind_count *x = a, *y = b;

    if (x->count != y->count)
        return x->count < y->count ? 1 : -1;
    return strcmp(x->kind, y->kind);
}

static int count_kinds(const struct km_outdir *d, struct kind_count *kinds, unsigned *nr,
                       struct km_err *err)
{
    struct km_csv c;
    int ret = km_csv_open(&c, d->path, "events.csv", err), kind = -1;

    *nr = 0;
    if (ret == KM_OK && (kind = km_csv_column(&c, "kind", err)) < 0)
        ret = kind;
    while (ret == KM_OK && (ret = km_csv_next(&c, err)) > 0) {
        unsigned i = 0;

        while (i < *nr && strcmp(kinds[i].kind, c.field[kind]))
            i++;
        if (i == *nr && *nr < EVENT_KINDS)
            snprintf(kinds[(*nr)++].kind, sizeof(kinds[0].kind), "%s", c.field[kind]);
        if (i < *nr)
            kinds[i].count++;
        ret = KM_OK;
    }
    km_csv_close(&c);
    qsort(kinds, *nr, sizeof(kinds[0]), by_count);
    return ret < 0 ? ret : KM_OK;
}

static int write_events(FILE *f, const struct km_outdir *d, struct km_err *err)
{
    static const char *const columns[] = {"Kind", "Count"};
    struct kind_count kinds[EVENT_KINDS] = {0};
    unsigned nr;
    int ret = count_kinds(d, kinds, &nr, err);

    heading(f, "Notable events");
    if (ret || !nr) {
        fputs("<p>None.</p>\n", f);
        return ret;
    }
    table_open(f, columns, 2, 1);
    for (unsigned i = 0; i < nr; i++) {
        fputs("<tr>", f);
        cell_text(f, kinds[i].kind);
        fputs("<td class=\"n\">", f);
        km_html_u64(f, kinds[i].count);
        fputs("</td></tr>\n", f);
    }
    table_close(f);
    fprintf(f,
            "<p>The first %d in order of time; all of them are in <code>events.csv</code>.</p>\n",
            TOP_ROWS);
    ret = write_csv_top(f, d, "events.csv", err);
    return ret < 0 ? ret : KM_OK;
}

static int write_callsites(FILE *f, const struct km_outdir *d, struct km_err *err)
{
    heading(f, "Who allocates");
    int rows = write_csv_top(f, d, "callsites.csv", err);

    if (rows == 0)
        fputs("<p>This workload has no call sites.</p>\n", f);
    if (rows > 0)
        fprintf(f,
                "<p>The %d call sites with the most bytes allocated; all are in "
                "<code>callsites.csv</code>. "
                "Pingpong: share of the frees that came from another CPU than the allocation. "
                "Fragmentation: share of the allocated bytes nobody asked for.</p>\n",
                rows);
    return rows < 0 ? rows : KM_OK;
}

/* Only there after a run with report.sharing_advice. */
static int write_sharing_advice(FILE *f, const struct km_outdir *d, struct km_err *err)
{
    struct km_csv c;
    int ret = km_csv_open(&c, d->path, "sharing_advice.csv", err);

    km_csv_close(&c);
    if (ret)
        return ret < 0 ? ret : KM_OK;
    heading(f, "What aligning slab caches would save");
    ret = write_csv_top(f, d, "sharing_advice.csv", err);
    if (ret == 0)
        fputs("<p>No slab cache lost cycles to false sharing.</p>\n", f);
    if (ret > 0)
        fputs("<p>Each row is a replay of the same trace with that cache laid out anew; a remedy of "
              "none means that its objects have lines of their own already. Memory: pages of the "
              "cache's slabs at the end.</p>\n",
              f);
    return ret < 0 ? ret : KM_OK;
}

static void write_body(FILE *f, const struct km_outdir *d, const json_t *s)
{
    write_lead(f, s);
    write_setup(f, s);
    write_truth(f, s);
    write_plot(f, d, &km_plot_buddyinfo_vs_real);
    write_plot(f, d, &km_plot_buddyinfo);
    write_plot(f, d, &km_plot_fragmentation);
    write_fragmentation(f, s);
    write_plot(f, d, &km_plot_latency_cdf);
    write_latency(f, s);
    write_plot(f, d, &km_plot_false_sharing);
    write_plot(f, d, &km_plot_lat_mem_rd);
    write_counters(f, s, "cache", "Caches");
    write_counters(f, s, "tlb", "TLBs");
    write_counters(f, s, "dma", "Devices");
    write_flat(f, s, "bus", "Front-side bus",
               "Sums over all CPUs, in core cycles where the name says cycles.", false);
    write_flat(f, s, "dram", "DRAM", "Latencies and end in DRAM clocks.", false);
}

int km_report_html_write(struct km_outdir *d, const json_t *summary)
{
    struct km_out o;
    struct km_err err = {0};

    if (!km_out_open(&o, d, "report.html"))
        return KM_E_IO;
    km_html_head(o.f, text_of(summary, "config"));
    write_body(o.f, d, summary);
    int ret = write_events(o.f, d, &err);
    if (!ret)
        ret = write_callsites(o.f, d, &err);
    if (!ret)
        ret = write_sharing_advice(o.f, d, &err);
    write_flat(o.f, summary, "events_skipped", "Trace events that did not drive the model", NULL,
               true);
    fputs("<footer><p>Every number of this page is in <code>summary.json</code> or a CSV file "
          "beside it; "
          "<code>config.resolved.yaml</code> repeats the run; <code>proc/</code> holds the final "
          "state in the formats of "
          "/proc.</p></footer>\n",
          o.f);
    km_html_tail(o.f);
    km_out_check(&o);
    if (ret && !d->failed) {
        d->failed = true;
        d->err = err;
    }
    if (ret) {
        km_out_abandon(&o);
        return ret;
    }
    return km_out_commit(&o);
}
