/* SPDX-License-Identifier: MIT
 * fragmentation.c - fragmentation.csv and its share of summary.json.
 *
 * Indexes are printed like debugfs does: "-1.000", "0.312". A value nobody knows is an empty field.
 */
#include "sim/report/frag.h"
#include "sim/report/report_int.h"

#include "models/base/bug.h"

#include <inttypes.h>
#include <string.h>

void km_fragmentation_open(struct km_fragmentation *f, struct km_outdir *d)
{
    if (!km_out_open(&f->out, d, "fragmentation.csv"))
        return;
    fputs("time_ns,zone,free_pages", f->out.f);
    for (unsigned o = 1; o < KM_NR_ORDERS; o++)
        fprintf(f->out.f, ",extfrag_index_o%u", o);
    for (unsigned o = 1; o < KM_NR_ORDERS; o++)
        fprintf(f->out.f, ",unusable_index_o%u", o);
    fputs(",internal_pct,mixed_pageblocks\n", f->out.f);
}

static struct km_frag_zone *zone_of(struct km_fragmentation *f, const char *zone)
{
    for (unsigned i = 0; i < f->nr_zones; i++)
        if (!strcmp(f->zone[i].zone, zone))
            return &f->zone[i];
    KM_BUG_ON(f->nr_zones == KM_REPORT_ZONES);

    struct km_frag_zone *z = &f->zone[f->nr_zones++];
    snprintf(z->zone, sizeof(z->zone), "%s", zone);
    z->free_min = UINT64_MAX;
    z->largest_min = KM_NR_ORDERS;
    z->mixed_pageblocks = -1;
    return z;
}

static void print_row(FILE *file, const struct km_frag_sample *s, const struct km_frag_zone *z)
{
    char text[(2 * KM_NR_ORDERS + 1) * KM_CSV_NUMBER], *at = km_csv_number(text, z->free_last);

    for (unsigned o = 1; o < KM_NR_ORDERS; o++)
        at = km_csv_thousandths(at, z->extfrag_last[o]);
    for (unsigned o = 1; o < KM_NR_ORDERS; o++)
        at = km_csv_thousandths(at, z->unusable_last[o]);
    km_csv_row_head(file, s->time_ns, -1, s->zone);
    fwrite(text, 1, (size_t)(at - text), file);
    if (s->internal_pct >= 0)
        fprintf(file, ",%.3f", s->internal_pct);
    else
        fputc(',', file);
    if (s->mixed_pageblocks >= 0)
        fprintf(file, ",%" PRId64 "\n", s->mixed_pageblocks);
    else
        fputs(",\n", file);
}

static int largest_order(const uint64_t nr_free[KM_NR_ORDERS])
{
    int order = KM_NR_ORDERS - 1;

    while (order >= 0 && !nr_free[order])
        order--;
    return order;
}

void km_fragmentation_add(struct km_fragmentation *f, const struct km_frag_sample *s)
{
    struct km_frag_zone *z = zone_of(f, s->zone);

    z->free_last = km_frag_free_pages(s->nr_free);
    if (!z->samples++)
        z->free_first = z->free_last;
    if (z->free_last < z->free_min)
        z->free_min = z->free_last;
    z->free_sum += z->free_last;
    z->largest_last = largest_order(s->nr_free);
    if (z->largest_last < z->largest_min)
        z->largest_min = z->largest_last;
    for (unsigned o = 1; o < KM_NR_ORDERS; o++) {
        z->extfrag_last[o] = km_frag_extfrag_index(s->nr_free, o);
        z->unusable_last[o] = km_frag_unusable_index(s->nr_free, o);
        z->unusable_sum[o] += z->unusable_last[o];
    }
    z->internal_pct = s->internal_pct;
    if (s->mixed_pageblocks >= 0)
        z->mixed_pageblocks = s->mixed_pageblocks;
    if (f->out.f)
        print_row(f->out.f, s, z);
    km_out_check(&f->out);
}

static json_t *zone_json(const struct km_frag_zone *z)
{
    json_t *o = json_object(), *ext = json_array(), *unusable = json_array(), *mean = json_array();

    for (unsigned i = 1; i < KM_NR_ORDERS; i++) {
        json_array_append_new(ext, json_real(z->extfrag_last[i] / 1000.0));
        json_array_append_new(unusable, json_real(z->unusable_last[i] / 1000.0));
        json_array_append_new(mean,
                              json_real((double)z->unusable_sum[i] / 1000.0 / (double)z->samples));
    }
    json_object_set_new(o, "samples", json_integer((json_int_t)z->samples));
    json_object_set_new(o, "free_pages_start", json_integer((json_int_t)z->free_first));
    json_object_set_new(o, "free_pages_end", json_integer((json_int_t)z->free_last));
    json_object_set_new(o, "free_pages_min", json_integer((json_int_t)z->free_min));
    json_object_set_new(o, "free_pages_mean", json_real((double)z->free_sum / (double)z->samples));
    json_object_set_new(o, "largest_free_order_end", json_integer(z->largest_last));
    json_object_set_new(o, "largest_free_order_min", json_integer(z->largest_min));
    json_object_set_new(o, "extfrag_index_end_o1_o10", ext);
    json_object_set_new(o, "unusable_index_end_o1_o10", unusable);
    json_object_set_new(o, "unusable_index_mean_o1_o10", mean);
    json_object_set_new(o, "internal_pct_end",
                        z->internal_pct >= 0 ? json_real(z->internal_pct) : json_null());
    json_object_set_new(o, "mixed_pageblocks_end",
                        z->mixed_pageblocks >= 0 ? json_integer(z->mixed_pageblocks) : json_null());
    return o;
}

json_t *km_fragmentation_json(const struct km_fragmentation *f)
{
    json_t *o = json_object();

    for (unsigned i = 0; i < f->nr_zones; i++)
        json_object_set_new(o, f->zone[i].zone, zone_json(&f->zone[i]));
    return o;
}
