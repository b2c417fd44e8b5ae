/* SPDX-License-Identifier: MIT
 * compare_plot.c - data of the overlaid plots: block z * runs + r belongs to zone (or API) z and
 * run r.
 *
 * Time counts from the first sample of each run, so that runs of different traces lie over each
 * other. A run without a zone gives a block without values, which keeps the numbering.
 */
#include "sim/report/compare_plot.h"

#include "models/base/types.h"
#include "sim/report/csv_read.h"
#include "sim/report/latency_read.h"
#include "sim/report/read_series.h"

#include <stdlib.h>
#include <string.h>

enum { PANELS_MAX = 6 };

typedef int read_fn(struct km_series_set *set, const char *dir, struct km_err *err);

static void add_word(char *list, size_t size, const char *word)
{
    size_t at = strlen(list);

    if (at + strlen(word) + 2 > size)
        return;
    snprintf(list + at, size - at, "%s%s", at ? " " : "", word);
    for (char *p = list + at + (at ? 1 : 0); *p; p++)
        if (*p == ' ')
            *p = '_';
}

static void run_labels(const struct km_compare *c, struct km_plot_args *args)
{
    for (unsigned r = 0; r < c->nr_runs; r++)
        add_word(args->arg[1], sizeof(args->arg[1]), c->label[r]);
}

static const struct km_series *find(const struct km_series_set *set, const char *key)
{
    for (unsigned i = 0; i < set->nr; i++)
        if (!strcmp(set->series[i].key, key))
            return &set->series[i];
    return NULL;
}

static void write_block(FILE *out, const struct km_series *s, unsigned width, const char *key,
                        unsigned run, bool first)
{
    fprintf(out, "%s# %s, run %u\n", first ? "" : "\n\n", key, run + 1);
    if (!s || !s->nr)
        fputs("NaN NaN NaN NaN\n", out);
    for (uint32_t i = 0; s && i < s->nr; i++) {
        fprintf(out, "%.10g", s->row[i][0] - s->row[0][0]);
        for (unsigned k = 1; k < width; k++)
            fprintf(out, " %.10g", s->row[i][k]);
        fputc('\n', out);
    }
}

/* Does anything change in this zone, over time or from run to run? */
static bool has_news(const struct km_series_set *set, unsigned nr, const char *key, unsigned width)
{
    const double *first = NULL;

    for (unsigned r = 0; r < nr; r++) {
        const struct km_series *s = find(&set[r], key);

        for (uint32_t i = 0; s && i < s->nr; i++) {
            if (!first)
                first = s->row[i];
            for (unsigned k = 1; k < width; k++)
                if (s->row[i][k] != first[k])
                    return true;
        }
    }
    return false;
}

static bool any_news(const struct km_series_set *set, unsigned nr, unsigned width)
{
    for (unsigned r = 0; r < nr; r++)
        for (unsigned z = 0; z < set[r].nr; z++)
            if (has_news(set, nr, set[r].series[z].key, width))
                return true;
    return false;
}

/* All zones of all runs, in order of first appearance; those in which nothing ever changes only if there are no
 * others. */
static int zones_data(const struct km_compare *c, FILE *out, struct km_plot_args *args,
                      read_fn *read, unsigned width, struct km_err *err)
{
    struct km_series_set *set = calloc(KM_COMPARE_RUNS, sizeof(*set));
    int ret = set ? KM_OK : km_fail(err, KM_E_NOMEM, NULL, 0, 0, "out of memory");
    bool first = true;

    for (unsigned r = 0; ret == KM_OK && r < c->nr_runs; r++) {
        set[r].width = width;
        ret = read(&set[r], c->dir[r], err);
    }
    bool all = ret != KM_OK || !any_news(set, c->nr_runs, width);

    for (unsigned r = 0; ret == KM_OK && r < c->nr_runs; r++) {
        for (unsigned z = 0; z < set[r].nr; z++) {
            const char *key = set[r].series[z].key;
            bool seen = !all && !has_news(set, c->nr_runs, key, width);

            for (unsigned before = 0; before < r; before++)
                seen |= find(&set[before], key) != NULL;
            if (seen)
                continue;
            add_word(args->arg[0], sizeof(args->arg[0]), key);
            for (unsigned k = 0; k < c->nr_runs; k++) {
                write_block(out, find(&set[k], key), width, key, k, first);
                first = false;
            }
        }
    }
    for (unsigned r = 0; set && r < c->nr_runs; r++)
        km_series_release(&set[r]);
    free(set);
    run_labels(c, args);
    return ret ? ret : !first;
}

static int memory_data(const struct km_compare *c, FILE *out, struct km_plot_args *args,
                       struct km_err *err)
{
    return zones_data(c, out, args, km_read_memory, KM_MEMORY_WIDTH, err);
}

static int error_rows(struct km_series_set *set, const char *dir, struct km_err *err)
{
    struct km_series_set truth = {.width = KM_TRUTH_WIDTH};
    int ret = km_read_truth(&truth, dir, err);

    for (unsigned z = 0; ret == KM_OK && z < truth.nr; z++)
        for (uint32_t i = 0; i < truth.series[z].nr; i++) {
            const double *from = truth.series[z].row[i];
            const double row[2] = {from[0], from[KM_TRUTH_ERROR]};

            if (!km_series_add(set, truth.series[z].key, row))
                ret = km_fail(err, KM_E_NOMEM, dir, 0, 0, "out of memory");
        }
    km_series_release(&truth);
    return ret;
}

static int truth_data(const struct km_compare *c, FILE *out, struct km_plot_args *args,
                      struct km_err *err)
{
    return zones_data(c, out, args, error_rows, 2, err);
}

static const struct km_latency_curve *curve(const struct km_latency_set *set, const char *api)
{
    for (unsigned i = 0; i < set->nr; i++)
        if (!strcmp(set->curve[i].api, api))
            return &set->curve[i];
    return NULL;
}

/* APIs of the first run that has any, the most called ones. */
static int latency_data(const struct km_compare *c, FILE *out, struct km_plot_args *args,
                        struct km_err *err)
{
    struct km_latency_set *set = calloc(KM_COMPARE_RUNS, sizeof(*set));
    const struct km_latency_set *lead = NULL;
    int ret = set ? KM_OK : km_fail(err, KM_E_NOMEM, NULL, 0, 0, "out of memory");
    bool first = true;

    for (unsigned r = 0; ret == KM_OK && r < c->nr_runs; r++) {
        ret = km_latency_read(&set[r], c->dir[r], err);
        if (!lead && set[r].nr)
            lead = &set[r];
    }
    for (unsigned i = 0; ret == KM_OK && lead && i < lead->nr && i < PANELS_MAX; i++) {
        add_word(args->arg[0], sizeof(args->arg[0]), lead->curve[i].api);
        for (unsigned r = 0; r < c->nr_runs; r++) {
            const struct km_latency_curve *one = curve(&set[r], lead->curve[i].api);

            fprintf(out, "%s# %s, run %u\n", first ? "" : "\n\n", lead->curve[i].api, r + 1);
            first = false;
            if (one)
                km_latency_write_cdf(one, out);
            else
                fputs("NaN NaN\n", out);
        }
    }
    for (unsigned r = 0; set && r < c->nr_runs; r++)
        km_latency_set_release(&set[r]);
    free(set);
    run_labels(c, args);
    return ret ? ret : !first;
}

const struct km_compare_plot km_compare_plots[] = {
    {"compare_truth", "Distance from the real kernel",
     "Free blocks that differ from the real kernel's /proc/buddyinfo, over all orders, at each "
     "truth sample. Lower is "
     "better; 0 is exact.",
     "None of the runs carries truth samples.", truth_data},
    {"compare_memory", "Free memory and fragmentation",
     "Left: free pages of each zone. Right: unusable index of order 9, the share of the free "
     "memory that cannot serve a "
     "request for 512 pages in one piece. Time counts from the first sample of each run.",
     "None of the runs has fragmentation samples.", memory_data},
    {"compare_latency", "Latency of allocator calls",
     "Share of calls (upwards) that took at most so many cycles (to the right, logarithmic). The "
     "line further left is "
     "the faster run.",
     "None of the runs timed its calls.", latency_data},
    {0},
};
