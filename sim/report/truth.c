/* SPDX-License-Identifier: MIT
 * truth.c - truth.csv and the skill of a zone.
 *
 * A truth sample is the real kernel's /proc/buddyinfo line of a zone at a point of the trace. With
 * e = sum over samples and orders of |sim - real| and r = the same for a forecast that the zone
 * stays as at its first sample, skill = 1 - e/r: 1 exact, 0 no better than knowing the start, below
 * 0 worse than that. If the zone never changed (r = 0) skill is 1 for e = 0 and undefined
 * otherwise: only the absolute error says something then. Unit of all errors: blocks, whatever
 * their order (err_pages weighs a block by its pages).
 */
#include "sim/report/report_int.h"

#include "models/base/bug.h"

#include <math.h>
#include <string.h>

void km_truth_open(struct km_truth *t, struct km_outdir *d)
{
    if (km_out_open(&t->out, d, "truth.csv"))
        fputs("time_ns,node,zone,order,sim,real\n", t->out.f);
}

static struct km_truth_zone *zone_of(struct km_truth *t, int node, const char *zone,
                                     const uint64_t real[KM_NR_ORDERS])
{
    for (unsigned i = 0; i < t->nr_zones; i++)
        if (t->zone[i].node == node && !strcmp(t->zone[i].zone, zone))
            return &t->zone[i];
    KM_BUG_ON(t->nr_zones == KM_REPORT_ZONES);

    struct km_truth_zone *z = &t->zone[t->nr_zones++];
    z->node = node;
    snprintf(z->zone, sizeof(z->zone), "%s", zone);
    if (node)
        snprintf(z->key, sizeof(z->key), "Node%d/%.24s", node, zone);
    else
        snprintf(z->key, sizeof(z->key), "%s", zone);
    memcpy(z->first, real, sizeof(z->first));
    return z;
}

static uint64_t distance(uint64_t a, uint64_t b)
{
    return a > b ? a - b : b - a;
}

static void print_row(FILE *f, unsigned order, uint64_t sim, uint64_t real, uint64_t time_ns, int node,
                      const char *zone)
{
    char text[3 * KM_CSV_NUMBER + 1], *at = km_csv_number(text, order);

    at = km_csv_number(at, sim);
    at = km_csv_number(at, real);
    *at++ = '\n';
    km_csv_row_head(f, time_ns, node, zone);
    fwrite(text, 1, (size_t)(at - text), f);
}

void km_truth_add(struct km_truth *t, uint64_t time_ns, int node, const char *zone,
                  const uint64_t sim[KM_NR_ORDERS], const uint64_t real[KM_NR_ORDERS])
{
    struct km_truth_zone *z = zone_of(t, node, zone, real);
    uint64_t err = 0;

    for (unsigned o = 0; o < KM_NR_ORDERS; o++) {
        uint64_t d = distance(sim[o], real[o]);

        err += d;
        z->err_pages += d << o;
        z->ref_blocks += distance(z->first[o], real[o]);
        if (t->out.f)
            print_row(t->out.f, o, sim[o], real[o], time_ns, node, zone);
    }
    km_out_check(&t->out);
    z->samples++;
    z->exact += err == 0;
    z->err_blocks += err;
    z->last_err_blocks = err;
    if (err > z->max_err_blocks)
        z->max_err_blocks = err;
}

const struct km_truth_zone *km_truth_find(const struct km_truth *t, const char *key)
{
    for (unsigned i = 0; i < t->nr_zones; i++)
        if (!strcmp(t->zone[i].key, key))
            return &t->zone[i];
    return NULL;
}

enum km_skill km_truth_skill(const struct km_truth_zone *z, double *skill)
{
    if (!z || !z->samples)
        return KM_SKILL_NONE;
    if (z->ref_blocks) {
        *skill = 1.0 - (double)z->err_blocks / (double)z->ref_blocks;
        return KM_SKILL_VALUE;
    }
    *skill = 1.0;
    return z->err_blocks ? KM_SKILL_UNDEFINED : KM_SKILL_VALUE;
}

static json_t *share_json(uint64_t part, uint64_t whole)
{
    return whole ? json_real((double)part / (double)whole) : json_null();
}

static json_t *zone_json(const struct km_truth_zone *z)
{
    double n = (double)z->samples, skill;
    json_t *o = json_object();

    json_object_set_new(
        o, "skill", km_truth_skill(z, &skill) == KM_SKILL_VALUE ? json_real(skill) : json_null());
    json_object_set_new(o, "samples", json_integer((json_int_t)z->samples));
    json_object_set_new(o, "samples_exact", json_integer((json_int_t)z->exact));
    json_object_set_new(o, "mean_abs_error_blocks", json_real((double)z->err_blocks / n));
    json_object_set_new(o, "mean_abs_error_pages", json_real((double)z->err_pages / n));
    json_object_set_new(o, "max_abs_error_blocks", json_integer((json_int_t)z->max_err_blocks));
    json_object_set_new(o, "last_abs_error_blocks", json_integer((json_int_t)z->last_err_blocks));
    json_object_set_new(o, "stay_put_error_blocks", json_real((double)z->ref_blocks / n));
    return o;
}

/* JSON has no NaN or infinity */
static json_t *real_json(double v)
{
    return isfinite(v) ? json_real(v) : json_null();
}

static json_t *objects_json(const struct km_run_summary *sum)
{
    json_t *o = json_object();

    json_object_set_new(o, "samples", json_integer((json_int_t)sum->objects.samples));
    json_object_set_new(o, "caches", json_integer((json_int_t)sum->objects.caches));
    json_object_set_new(o, "slabs_median_rel_error",
                        real_json(sum->objects.slabs_median_rel_error));
    json_object_set_new(o, "slabs_total_rel_error", real_json(sum->objects.slabs_total_rel_error));
    json_object_set_new(o, "slab_blocks_traced",
                        json_integer((json_int_t)sum->objects.slab_blocks_traced));
    json_object_set_new(o, "slab_blocks_model",
                        json_integer((json_int_t)sum->objects.slab_blocks_model));
    json_object_set_new(o, "objects_median_rel_error",
                        real_json(sum->objects.objects_median_rel_error));
    json_object_set_new(o, "slab_pages_traced",
                        json_integer((json_int_t)sum->objects.slab_pages_traced));
    json_object_set_new(o, "slab_pages_model",
                        json_integer((json_int_t)sum->objects.slab_pages_model));
    return o;
}

static void put_requests(json_t *o, const struct km_slab_requests *r)
{
    json_object_set_new(o, "traced", json_integer((json_int_t)r->traced));
    json_object_set_new(o, "model", json_integer((json_int_t)r->model));
    json_object_set_new(o, "ratio", share_json(r->model, r->traced));
    json_object_set_new(o, "traced_pages", json_integer((json_int_t)r->traced_pages));
    json_object_set_new(o, "model_pages", json_integer((json_int_t)r->model_pages));
    json_object_set_new(o, "order_gfp_mismatch", json_integer((json_int_t)r->order_gfp_mismatch));
}

static json_t *slab_requests_json(const struct km_run_summary *sum)
{
    json_t *o = json_object(), *caches = json_object();

    put_requests(o, &sum->slab_requests);
    json_object_set_new(o, "cache_difference",
                        json_integer((json_int_t)sum->slab_requests.cache_difference));
    for (unsigned i = 0; i < sum->nr_cache_requests; i++) {
        json_t *row = json_object();

        put_requests(row, &sum->cache_requests[i].requests);
        json_object_set_new(caches, sum->cache_requests[i].name, row);
    }
    json_object_set_new(o, "caches", caches);
    return o;
}

json_t *km_truth_json(const struct km_truth *t, const struct km_run_summary *sum)
{
    json_t *o = json_object(), *skill = json_object(), *zones = json_object();
    uint64_t samples = 0;

    for (unsigned i = 0; i < t->nr_zones; i++) {
        const struct km_truth_zone *z = &t->zone[i];
        json_t *zone = zone_json(z);

        samples += z->samples;
        json_object_set(skill, z->key, json_object_get(zone, "skill"));
        json_object_set_new(zones, z->key, zone);
    }
    json_object_set_new(o, "skill", skill);
    json_object_set_new(o, "samples", json_integer((json_int_t)samples));
    json_object_set_new(o, "zones", zones);
    json_object_set_new(o, "buddy_agreement", share_json(sum->buddy_agree, sum->buddy_events));
    json_object_set_new(o, "buddy_agree", json_integer((json_int_t)sum->buddy_agree));
    json_object_set_new(o, "buddy_events", json_integer((json_int_t)sum->buddy_events));
    json_object_set_new(o, "pfn_agreement", share_json(sum->pfn_agree, sum->pfn_events));
    json_object_set_new(o, "pfn_agree", json_integer((json_int_t)sum->pfn_agree));
    json_object_set_new(o, "pfn_events", json_integer((json_int_t)sum->pfn_events));
    if (sum->vmalloc.valid) {
        json_t *vm = json_object();

        json_object_set_new(vm, "agreement", share_json(sum->vmalloc.agree, sum->vmalloc.events));
        json_object_set_new(vm, "agree", json_integer((json_int_t)sum->vmalloc.agree));
        json_object_set_new(vm, "events", json_integer((json_int_t)sum->vmalloc.events));
        json_object_set_new(o, "vmalloc", vm);
    }
    json_object_set_new(o, "first_divergence_ns",
                        json_integer((json_int_t)sum->first_divergence_ns));
    json_object_set_new(o, "first_divergence", json_string(sum->first_divergence));
    json_object_set_new(o, "start_state", json_string(sum->start_state));
    json_object_set_new(o, "start_inferred", json_boolean(sum->start_inferred));
    json_object_set_new(o, "silent_pages_inferred",
                        json_integer((json_int_t)sum->silent_pages_inferred));
    json_object_set_new(o, "early_allocations_inferred",
                        json_integer((json_int_t)sum->early_allocations_inferred));
    json_object_set_new(o, "missed_frees_inferred",
                        json_integer((json_int_t)sum->missed_frees_inferred));
    json_object_set_new(o, "isolated_pages_inferred",
                        json_integer((json_int_t)sum->isolated_pages_inferred));
    json_object_set_new(o, "resyncs", json_integer((json_int_t)sum->resyncs));
    json_object_set_new(o, "lost_events", json_integer((json_int_t)sum->lost_events));
    json_object_set_new(o, "objects", objects_json(sum));
    json_object_set_new(o, "slab_pages", slab_requests_json(sum));
    return o;
}
