/* SPDX-License-Identifier: MIT
 * objects_places.c - on which list each slab of the start stood, and where on it.
 *
 * A CPU uses its slabs in a known order: its current one, its cpu-partial list from the head, then
 * slabs of the node list, which it fetches in batches: the first becomes current, the next
 * cpu_partial_slabs / 2 + 1 are pushed on its cpu-partial list and so come back in reverse order.
 * The trace shows in which order a CPU first allocated from the slabs of the start. So
 *   - the slab of a CPU's very first allocation was its current one, even if it was full: what was
 *     freed to it since came to that CPU,
 *   - a slab a CPU comes to only after it asked for new pages was in no place it looks: it was on
 *     the cpu-partial list of another CPU,
 *   - of the others the first k were its cpu-partial list,
 *   - the rest stood on the node list: batch after batch, each with its tail reversed.
 * k is not recorded when the trace begins, but what the node list held is: slabinfo counts free
 * objects of the node list only. Of all combinations of k that one is taken whose node list holds
 * that many; slab_state's cpu-partial counts, which are older, decide between equals.
 * Any other slab whose live objects alone are touched was full. Slabs nothing touches are filled in
 * later.
 */
#include "sim/workload/objects_priv.h"

#include <stdlib.h>

#define COMBINATIONS 65536u /* tried at most; with more the older counts stand */

struct group { /* slabs of one cache that were allocated from, in order of first contact */
    struct km_objects *o;
    struct obj_start_slab **slab;
    uint32_t nr;
    uint32_t waiting[KM_MAX_CPUS]; /* slabs a CPU used after its current one */
    uint32_t listed[KM_MAX_CPUS];  /* of those, on its cpu-partial list */
    uint32_t recorded[KM_MAX_CPUS];
    uint32_t limit; /* of a cpu-partial list */
};

static const struct obj_cache *cache_of(const struct group *g)
{
    return &g->o->cache[g->slab[0]->cache];
}

/* Free objects of the node list, as slabinfo had them. */
static uint64_t target_of(const struct group *g)
{
    const struct obj_cache *c = cache_of(g);

    return c->num_objs > c->active_objs ? c->num_objs - c->active_objs : 0;
}

static void note_contact(const struct km_objects *o, struct obj_start_slab *s)
{
    unsigned order = o->cache[s->cache].order;

    for (km_pfn p = s->head; p < s->head + (1u << order) && p < o->p.max_low_pfn; p++)
        if (o->contact[p].at && (!s->contact || o->contact[p].at < s->contact)) {
            s->contact = o->contact[p].at;
            s->cpu = o->contact[p].cpu;
        }
}

static int by_cache_and_contact(const void *a, const void *b)
{
    const struct obj_start_slab *x = *(struct obj_start_slab *const *)a;
    const struct obj_start_slab *y = *(struct obj_start_slab *const *)b;

    if (x->cache != y->cache)
        return x->cache < y->cache ? -1 : 1;
    return x->contact - 1 < y->contact - 1 ? -1 : x->contact != y->contact; /* 0 comes last */
}

/* Its CPU had nothing left when it first asked for pages, and used this slab later. */
static bool out_of_reach(const struct group *g, const struct obj_start_slab *s)
{
    uint32_t asked = cache_of(g)->asked[s->cpu];

    return g->o->os->p.cpus > 1 && g->limit && asked && asked < s->contact;
}

/* Another CPU: the one that first asked for pages last, or never did. */
static uint8_t other_cpu(const struct group *g, uint8_t cpu)
{
    const struct obj_cache *c = cache_of(g);
    uint8_t best = cpu;

    for (uint8_t i = 0; i < g->o->os->p.cpus; i++)
        if (i != cpu && (best == cpu || c->asked[i] - 1 > c->asked[best] - 1))
            best = i; /* 0, never, becomes the largest */
    return best;
}

static void find_current(struct group *g)
{
    const struct obj_cache *c = cache_of(g);
    bool seen[KM_MAX_CPUS] = {false};

    for (uint32_t i = 0; i < g->nr; i++) {
        struct obj_start_slab *s = g->slab[i];
        const struct obj_first *first = &c->first[s->cpu];
        bool here = first->pfn >= s->head && first->pfn < s->head + (1u << c->order);

        if (!s->contact)
            continue;
        if (!seen[s->cpu] && (here || !first->at))
            s->place = KM_PLACE_CURRENT;
        else if (s->nr_free && out_of_reach(g, s))
            s->elsewhere = true;
        else if (s->nr_free)
            g->waiting[s->cpu]++;
        seen[s->cpu] |= s->nr_free || here;
    }
}

/* Free objects on the node list if each CPU's first listed[] slabs are not on it. */
static uint64_t node_free(const struct group *g)
{
    uint32_t used[KM_MAX_CPUS] = {0};
    uint64_t sum = 0;

    for (uint32_t i = 0; i < g->nr; i++) {
        const struct obj_start_slab *s = g->slab[i];

        if (s->nr_free && s->contact && !s->elsewhere && s->place != KM_PLACE_CURRENT &&
            used[s->cpu]++ >= g->listed[s->cpu])
            sum += s->nr_free;
    }
    return sum;
}

static uint64_t distance(const struct group *g)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < KM_MAX_CPUS; i++)
        sum += g->listed[i] > g->recorded[i] ? g->listed[i] - g->recorded[i]
                                             : g->recorded[i] - g->listed[i];
    return sum;
}

/* Next combination of listed[]; false after the last. */
static bool advance(struct group *g, const uint32_t most[KM_MAX_CPUS])
{
    for (unsigned i = 0; i < KM_MAX_CPUS; i++) {
        if (g->listed[i]++ < most[i])
            return true;
        g->listed[i] = 0;
    }
    return false;
}

static void find_listed(struct group *g)
{
    const struct obj_cache *c = cache_of(g);
    uint64_t target = target_of(g);
    uint64_t best = UINT64_MAX, combinations = 1;
    uint32_t most[KM_MAX_CPUS], chosen[KM_MAX_CPUS];

    for (unsigned i = 0; i < KM_MAX_CPUS; i++) {
        uint32_t guess = c->have_cpu_partial ? c->cpu_partial[i] : g->limit / 2;

        most[i] = g->waiting[i] < g->limit ? g->waiting[i] : g->limit;
        g->recorded[i] = guess;
        chosen[i] = guess < most[i] ? guess : most[i];
        combinations = combinations > COMBINATIONS ? combinations : combinations * (most[i] + 1);
    }
    for (bool more = c->from_bundle && c->num_slabs && combinations <= COMBINATIONS; more;
         more = advance(g, most)) {
        uint64_t held = node_free(g);
        /* More than slabinfo says is impossible; less may lie in slabs nothing touches. */
        uint64_t off = held > target ? 4 * (held - target) : target - held;
        uint64_t cost = off * (8 * KM_MAX_CPUS * KM_OBJ_MAX_CACHES) + distance(g);

        if (cost < best) {
            best = cost;
            for (unsigned i = 0; i < KM_MAX_CPUS; i++)
                chosen[i] = g->listed[i];
        }
    }
    for (unsigned i = 0; i < KM_MAX_CPUS; i++)
        g->listed[i] = chosen[i];
}

/* Ranks of the node list: a batch stands where its first slab does, the others reversed behind. */
static void rank_node(struct group *g)
{
    uint32_t batch = g->limit ? g->limit / 2 + 2 : 1;
    uint32_t in_batch[KM_MAX_CPUS] = {0}, begin[KM_MAX_CPUS] = {0};

    for (uint32_t i = 0; i < g->nr; i++) {
        struct obj_start_slab *s = g->slab[i];

        if (s->place != KM_PLACE_NODE_PARTIAL || !s->contact)
            continue;
        if (in_batch[s->cpu] == 0)
            begin[s->cpu] = i * 2 * batch;
        s->rank = begin[s->cpu] + (in_batch[s->cpu] ? batch - in_batch[s->cpu] : 0);
        in_batch[s->cpu] = (in_batch[s->cpu] + 1) % batch;
    }
}

static void place_group(struct group *g)
{
    uint32_t used[KM_MAX_CPUS] = {0};

    g->limit = cache_of(g)->c ? cache_of(g)->c->cpu_partial_slabs : 0;
    find_current(g);
    find_listed(g);
    for (uint32_t i = 0; i < g->nr; i++) {
        struct obj_start_slab *s = g->slab[i];

        if (s->place == KM_PLACE_CURRENT || !s->nr_free)
            continue;
        s->rank = g->nr - i; /* the list is built from its end */
        if (!s->contact) { /* nobody came to it: behind all others */
            s->place = target_of(g) ? KM_PLACE_NODE_PARTIAL : KM_PLACE_CPU_PARTIAL;
            s->rank = s->place == KM_PLACE_NODE_PARTIAL ? UINT32_MAX : 0;
            continue;
        }
        if (s->elsewhere) {
            s->place = KM_PLACE_CPU_PARTIAL;
            s->cpu = other_cpu(g, s->cpu);
            s->rank = 0;
            continue;
        }
        bool listed = used[s->cpu]++ < g->listed[s->cpu];

        s->place = listed ? KM_PLACE_CPU_PARTIAL : KM_PLACE_NODE_PARTIAL;
    }
    rank_node(g);
}

bool km_obj_choose_places(struct km_objects *o, struct obj_start_slab *slab, uint32_t nr)
{
    struct obj_start_slab **index = calloc(nr + 1, sizeof(struct obj_start_slab *));
    uint32_t with_free = 0;

    if (!index)
        return false;
    for (uint32_t i = 0; i < nr; i++) {
        note_contact(o, &slab[i]);
        slab[i].place = KM_PLACE_FULL;
        if (slab[i].nr_free || slab[i].contact)
            index[with_free++] = &slab[i];
    }
    if (with_free)
        qsort(index, with_free, sizeof(struct obj_start_slab *), by_cache_and_contact);
    for (uint32_t i = 0, n; i < with_free; i += n) {
        for (n = 1; i + n < with_free && index[i + n]->cache == index[i]->cache; n++)
            ;
        struct group g = {.o = o, .slab = index + i, .nr = n};

        place_group(&g);
    }
    free(index);
    return true;
}
