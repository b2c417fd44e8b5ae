/* SPDX-License-Identifier: MIT
 * latency.c - latency.csv, latency_hist.csv: cycles per call of an allocator API, per CPU.
 *
 * Called for every call of a run, so the API is found by the address of its string literal: a small
 * hash table of addresses. Equal texts at different addresses (two source files) meet at the first
 * use of each.
 */
#include "sim/report/report_int.h"

#include "models/base/bug.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name;
    double share;
} percentiles[] = {{"p50", 0.50}, {"p90", 0.90}, {"p99", 0.99}, {"p999", 0.999}};

static unsigned slot_of(const char *literal)
{
    return (unsigned)(((uintptr_t)literal * UINT64_C(0x9E3779B97F4A7C15)) >> 56) % KM_API_SLOTS;
}

static struct km_api *api_by_text(struct km_latency *l, const char *name)
{
    for (unsigned i = 0; i < l->nr_apis; i++)
        if (!strcmp(l->api[i].name, name))
            return &l->api[i];
    KM_BUG_ON(l->nr_apis == KM_REPORT_APIS);
    l->api[l->nr_apis].name = name;
    return &l->api[l->nr_apis++];
}

static struct km_api *api_of(struct km_latency *l, const char *literal)
{
    unsigned i = slot_of(literal);

    while (l->slot[i].literal != literal) {
        if (!l->slot[i].literal) {
            KM_BUG_ON(++l->nr_slots == KM_API_SLOTS); /* one must stay free to end the search */
            l->slot[i].literal = literal;
            l->slot[i].api = api_by_text(l, literal);
            break;
        }
        i = (i + 1) % KM_API_SLOTS;
    }
    return l->slot[i].api;
}

bool km_latency_add(struct km_latency *l, const char *api, unsigned cpu, uint64_t cycles)
{
    KM_BUG_ON(cpu >= KM_MAX_CPUS);
    struct km_hist **h = &api_of(l, api)->cpu[cpu];

    if (KM_UNLIKELY(!*h)) {
        *h = calloc(1, sizeof(**h));
        if (!*h)
            return false;
    }
    km_hist_add(*h, cycles);
    return true;
}

static int by_name(const void *a, const void *b)
{
    const struct km_api *const *x = a, *const *y = b;

    return strcmp((*x)->name, (*y)->name);
}

static void sort_apis(const struct km_latency *l, const struct km_api *sorted[KM_REPORT_APIS])
{
    for (unsigned i = 0; i < l->nr_apis; i++)
        sorted[i] = &l->api[i];
    qsort(sorted, l->nr_apis, sizeof(sorted[0]), by_name);
}

static void write_rows(FILE *f, const struct km_api *api)
{
    for (unsigned cpu = 0; cpu < KM_MAX_CPUS; cpu++) {
        const struct km_hist *h = api->cpu[cpu];

        if (!h)
            continue;
        fprintf(f, "%s,%u,%" PRIu64 ",%.3f", api->name, cpu, h->count, km_hist_mean(h));
        for (size_t p = 0; p < KM_ARRAY_LEN(percentiles); p++)
            fprintf(f, ",%" PRIu64, km_hist_percentile(h, percentiles[p].share));
        fprintf(f, ",%" PRIu64 "\n", h->max);
    }
}

static void write_hist(FILE *f, const struct km_api *api)
{
    for (unsigned cpu = 0; cpu < KM_MAX_CPUS; cpu++) {
        const struct km_hist *h = api->cpu[cpu];

        for (unsigned i = 0; h && i < KM_HIST_BUCKETS; i++)
            if (h->bucket[i])
                fprintf(f, "%s,%u,%" PRIu64 ",%" PRIu64 ",%" PRIu64 "\n", api->name, cpu,
                        km_hist_low(i), km_hist_high(i), h->bucket[i]);
    }
}

void km_latency_write(struct km_latency *l, struct km_outdir *d)
{
    const struct km_api *sorted[KM_REPORT_APIS];
    struct km_out rows, hist;

    sort_apis(l, sorted);
    if (km_out_open(&rows, d, "latency.csv")) {
        fputs("api,cpu,count,mean,p50,p90,p99,p999,max\n", rows.f);
        for (unsigned i = 0; i < l->nr_apis; i++)
            write_rows(rows.f, sorted[i]);
        km_out_check(&rows);
        km_out_commit(&rows);
    }
    if (km_out_open(&hist, d, "latency_hist.csv")) {
        fputs("api,cpu,low_cycles,high_cycles,count\n", hist.f);
        for (unsigned i = 0; i < l->nr_apis; i++)
            write_hist(hist.f, sorted[i]);
        km_out_check(&hist);
        km_out_commit(&hist);
    }
}

static json_t *api_json(const struct km_api *api, struct km_hist *all)
{
    json_t *o = json_object();

    memset(all, 0, sizeof(*all));
    for (unsigned cpu = 0; cpu < KM_MAX_CPUS; cpu++)
        if (api->cpu[cpu])
            km_hist_merge(all, api->cpu[cpu]);
    json_object_set_new(o, "count", json_integer((json_int_t)all->count));
    json_object_set_new(o, "mean", json_real(km_hist_mean(all)));
    for (size_t p = 0; p < KM_ARRAY_LEN(percentiles); p++)
        json_object_set_new(
            o, percentiles[p].name,
            json_integer((json_int_t)km_hist_percentile(all, percentiles[p].share)));
    json_object_set_new(o, "max", json_integer((json_int_t)all->max));
    return o;
}

json_t *km_latency_json(const struct km_latency *l)
{
    const struct km_api *sorted[KM_REPORT_APIS];
    json_t *o = json_object();
    struct km_hist *all = malloc(sizeof(*all));

    sort_apis(l, sorted);
    for (unsigned i = 0; all && i < l->nr_apis; i++)
        json_object_set_new(o, sorted[i]->name, api_json(sorted[i], all));
    free(all);
    return o;
}

void km_latency_release(struct km_latency *l)
{
    for (unsigned i = 0; i < l->nr_apis; i++)
        for (unsigned cpu = 0; cpu < KM_MAX_CPUS; cpu++)
            free(l->api[i].cpu[cpu]);
}
