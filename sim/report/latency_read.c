/* SPDX-License-Identifier: MIT
 * latency_read.c - latency_hist.csv read back for plots.
 */
#include "sim/report/latency_read.h"

#include "sim/report/csv_read.h"

#include <stdlib.h>
#include <string.h>

static struct km_latency_curve *curve_of(struct km_latency_set *set, const char *api)
{
    for (unsigned i = 0; i < set->nr; i++)
        if (!strcmp(set->curve[i].api, api))
            return &set->curve[i];
    if (set->nr == KM_LATENCY_CURVES || strlen(api) >= sizeof(set->curve[0].api))
        return NULL;
    snprintf(set->curve[set->nr].api, sizeof(set->curve[0].api), "%s", api);
    return &set->curve[set->nr++];
}

static bool add_bucket(struct km_latency_curve *c, uint64_t high, uint64_t count)
{
    if (c->nr == c->size) {
        uint32_t size = c->size ? c->size * 2 : 256;
        struct km_latency_bucket *b = realloc(c->bucket, size * sizeof(*b));

        if (!b)
            return false;
        c->bucket = b;
        c->size = size;
    }
    c->bucket[c->nr++] = (struct km_latency_bucket){high, count};
    c->count += count;
    return true;
}

static int by_high(const void *a, const void *b)
{
    const struct km_latency_bucket *x = a, *y = b;

    return (x->high > y->high) - (x->high < y->high);
}

static int by_calls(const void *a, const void *b)
{
    const struct km_latency_curve *x = a, *y = b;

    if (x->count != y->count)
        return x->count < y->count ? 1 : -1;
    return strcmp(x->api, y->api);
}

static void sort_and_merge(struct km_latency_curve *c)
{
    uint32_t to = 0;

    if (!c->nr)
        return;
    qsort(c->bucket, c->nr, sizeof(c->bucket[0]), by_high);
    for (uint32_t i = 1; i < c->nr; i++) {
        if (c->bucket[i].high == c->bucket[to].high)
            c->bucket[to].count += c->bucket[i].count;
        else
            c->bucket[++to] = c->bucket[i];
    }
    c->nr = to + 1;
}

static int read_rows(struct km_csv *csv, struct km_latency_set *set, struct km_err *err)
{
    int api = km_csv_column(csv, "api", err), high = km_csv_column(csv, "high_cycles", err);
    int count = km_csv_column(csv, "count", err), ret;

    if (api < 0 || high < 0 || count < 0)
        return KM_E_INPUT;
    while ((ret = km_csv_next(csv, err)) > 0) {
        struct km_latency_curve *c = curve_of(set, csv->field[api]);
        uint64_t h, n;

        if ((ret = km_csv_u64(csv, high, &h, err)) || (ret = km_csv_u64(csv, count, &n, err)))
            return ret;
        if (!c || !add_bucket(c, h, n))
            return km_fail(err, KM_E_NOMEM, csv->path, csv->line_nr, 0,
                           "too many APIs or out of memory");
    }
    return ret;
}

int km_latency_read(struct km_latency_set *set, const char *dir, struct km_err *err)
{
    struct km_csv csv;
    int ret = km_csv_open(&csv, dir, "latency_hist.csv", err);

    if (ret == KM_OK)
        ret = read_rows(&csv, set, err);
    else if (ret > 0)
        ret = KM_OK;
    km_csv_close(&csv);
    if (set->nr)
        qsort(set->curve, set->nr, sizeof(set->curve[0]), by_calls);
    for (unsigned i = 0; i < set->nr; i++)
        sort_and_merge(&set->curve[i]);
    return ret;
}

void km_latency_write_cdf(const struct km_latency_curve *c, FILE *out)
{
    uint64_t seen = 0;

    for (uint32_t i = 0; i < c->nr; i++) {
        if (i == 0)
            fprintf(out, "%.10g 0\n", (double)c->bucket[i].high);
        seen += c->bucket[i].count;
        fprintf(out, "%.10g %.8g\n", (double)c->bucket[i].high, (double)seen / (double)c->count);
    }
}

void km_latency_set_release(struct km_latency_set *set)
{
    for (unsigned i = 0; i < set->nr; i++)
        free(set->curve[i].bucket);
    set->nr = 0;
}
