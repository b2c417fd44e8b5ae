/* SPDX-License-Identifier: MIT
 * objects_score.c - how close the simulated slab layer comes to the traced one.
 *
 * SLABINFO samples: relative error of slabs and of objects per cache in use, median over all lines.
 * Requests: every page block either slab layer asks its page allocator for, with the cache, the
 * order and the flags. Per cache, as many requests as both made are paired; a mismatch is a pair
 * that cannot be made of two requests of the same order and flags. Attempts that failed and were
 * repeated with the smaller order leave no event and count on neither side.
 */
#include "sim/workload/objects_priv.h"

#include "models/base/bits.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- SLABINFO samples
 * -------------------------------------------------------------------------------------------- */

static void note_error(uint64_t bins[KM_OBJ_ERROR_BINS], uint64_t sim, uint64_t real)
{
    uint64_t diff = sim > real ? sim - real : real - sim;
    uint64_t mille = diff * 1000 / (real ? real : 1);

    bins[mille < KM_OBJ_ERROR_BINS ? mille : KM_OBJ_ERROR_BINS - 1]++;
}

static double median(const uint64_t bins[KM_OBJ_ERROR_BINS], uint64_t nr)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < KM_OBJ_ERROR_BINS && nr; i++) {
        sum += bins[i];
        if (2 * sum >= nr)
            return i / 1000.0;
    }
    return 0;
}

void km_objects_sample(struct km_objects *o, const uint8_t *window, const char *rest)
{
    struct km_mark_slabinfo real;
    struct km_slabinfo sim;

    if (!o->layer || !km_mark_slabinfo(rest, &real))
        return;
    uint16_t id = km_obj_cache_find(o, real.cache);

    if (id == KM_OBJ_NO_CACHE || !o->cache[id].in_use || !o->cache[id].c)
        return;
    o->layer->p.ops->info(o->layer, window, o->cache[id].c, &sim);
    note_error(o->slab_error, sim.num_slabs, real.num_slabs);
    note_error(o->obj_error, sim.active_objs, real.active_objs);
    o->stats.samples++;
    o->stats.sim_slabs += sim.num_slabs;
    o->stats.real_slabs += real.num_slabs;
    o->stats.sim_objs += sim.active_objs;
    o->stats.real_objs += real.active_objs;
    o->abs_slab_error += sim.num_slabs > real.num_slabs ? sim.num_slabs - real.num_slabs
                                                        : real.num_slabs - sim.num_slabs;
}

/* ---- requests
 * ------------------------------------------------------------------------------------------ */

uint32_t km_obj_note_request(struct km_objects *o, const struct obj_request *r)
{
    if (o->nr_request == o->room_request) {
        uint32_t room = o->room_request ? 2 * o->room_request : 1024;
        struct obj_request *grown = realloc(o->request, room * sizeof(*grown));

        if (!grown) {
            o->no_memory = true;
            return 0;
        }
        o->request = grown;
        o->room_request = room;
    }
    o->request[o->nr_request++] = *r;
    if (r->model) {
        o->stats.model_slab_blocks++;
        o->stats.model_slab_pages += 1u << r->order;
    } else {
        o->stats.traced_slab_blocks++;
        o->stats.traced_slab_pages += 1u << r->order;
    }
    return o->nr_request;
}

static int by_cache_and_kind(const void *a, const void *b)
{
    const struct obj_request *x = a, *y = b;

    if (x->cache != y->cache)
        return x->cache < y->cache ? -1 : 1;
    if (x->order != y->order)
        return x->order < y->order ? -1 : 1;
    return x->gfp != y->gfp ? (x->gfp < y->gfp ? -1 : 1) : 0;
}

/* Requests of one cache: r[0..n), sorted by order and flags. */
static struct km_slab_requests cache_requests(const struct obj_request *r, uint32_t n)
{
    struct km_slab_requests sum = {0};
    uint64_t same = 0;

    for (uint32_t i = 0; i < n;) {
        uint64_t traced = 0, model = 0;
        uint32_t first = i;

        for (; i < n && by_cache_and_kind(&r[first], &r[i]) == 0; i++)
            *(r[i].model ? &model : &traced) += 1;
        sum.traced += traced;
        sum.model += model;
        sum.traced_pages += traced << r[first].order;
        sum.model_pages += model << r[first].order;
        same += km_min_u64(traced, model);
    }
    sum.order_gfp_mismatch = km_min_u64(sum.traced, sum.model) - same;
    return sum;
}

static void add_requests(struct km_slab_requests *sum, const struct km_slab_requests *one)
{
    sum->traced += one->traced;
    sum->model += one->model;
    sum->traced_pages += one->traced_pages;
    sum->model_pages += one->model_pages;
    sum->order_gfp_mismatch += one->order_gfp_mismatch;
    sum->cache_difference +=
        one->traced > one->model ? one->traced - one->model : one->model - one->traced;
}

/* Sites whose cache was known only at the end of the scan. */
void km_obj_name_requests(struct km_objects *o)
{
    for (uint32_t i = 0; i < o->nr_request; i++) {
        struct obj_request *r = &o->request[i];

        if (r->cache == KM_OBJ_NO_CACHE && r->key != KM_OBJ_NO_KEY)
            r->cache = km_obj_key_cache(o, r->key);
        if (r->cache != KM_OBJ_NO_CACHE && r->cpu < KM_MAX_CPUS) {
            uint32_t *asked = &o->cache[r->cache].asked[r->cpu];

            if (!*asked || r->at < *asked)
                *asked = r->at;
        }
    }
}

static void requests_summary(struct km_objects *o, struct km_run_summary *sum)
{
    if (o->nr_request)
        qsort(o->request, o->nr_request, sizeof(*o->request), by_cache_and_kind);
    for (uint32_t i = 0, n; i < o->nr_request; i += n) {
        uint16_t id = o->request[i].cache;

        for (n = 1; i + n < o->nr_request && o->request[i + n].cache == id; n++)
            ;
        struct km_slab_requests one = cache_requests(&o->request[i], n);

        add_requests(&sum->slab_requests, &one);
        if (sum->nr_cache_requests < KM_ARRAY_LEN(sum->cache_requests)) {
            struct km_cache_requests *row = &sum->cache_requests[sum->nr_cache_requests++];

            snprintf(row->name, sizeof(row->name), "%s",
                     id == KM_OBJ_NO_CACHE ? "(unknown)" : o->cache[id].name);
            row->requests = one;
        }
    }
}

/* ---- summary
 * ------------------------------------------------------------------------------------------- */

void km_objects_get_stats(const struct km_objects *o, struct km_objects_stats *out)
{
    *out = o->stats;
    out->slabs_median_rel_error = median(o->slab_error, o->stats.samples);
    out->objects_median_rel_error = median(o->obj_error, o->stats.samples);
    out->slabs_total_rel_error =
        o->stats.real_slabs ? (double)o->abs_slab_error / (double)o->stats.real_slabs : 0;
}

void km_objects_summary(struct km_objects *o, struct km_run_summary *sum)
{
    struct km_objects_stats s;
    uint64_t caches = 0;

    km_objects_get_stats(o, &s);
    for (unsigned i = 0; i < o->nr_cache; i++)
        caches += o->cache[i].in_use;
    sum->objects.samples = s.samples;
    sum->objects.caches = caches;
    sum->objects.slabs_median_rel_error = s.slabs_median_rel_error;
    sum->objects.objects_median_rel_error = s.objects_median_rel_error;
    sum->objects.slabs_total_rel_error = s.slabs_total_rel_error;
    sum->objects.slab_blocks_traced = s.traced_slab_blocks;
    sum->objects.slab_blocks_model = s.model_slab_blocks;
    sum->objects.slab_pages_traced = s.traced_slab_pages;
    sum->objects.slab_pages_model = s.model_slab_pages;
    requests_summary(o, sum);
}
