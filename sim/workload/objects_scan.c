/* SPDX-License-Identifier: MIT
 * objects_scan.c - first pass of mode `objects`: which page events were the slab layer's, which
 * cache an allocation site uses, which objects of old slabs were live or free at the start.
 *
 * Slab pages: a block allocated in the trace is a slab if an object event names an address in it
 * before it is freed; a large kmalloc if that is a kmalloc of more than 8 KiB. (The flags of the
 * request alone do not tell: readahead and kfree_rcu use the same ones.) Old pages are slabs if
 * kpageflags says so, or by the same evidence. Caches: kmem_cache_alloc does not name its cache,
 * kmem_cache_free does. All objects of one slab share a cache, so a name seen for any of them names
 * the slab, and the slab votes for the allocation sites seen in it. Objects of old slabs: first
 * seen freed = live at the start; first seen allocated = free at the start. An object first seen
 * freed while bulk-allocated ones of its cache are outstanding counts as one of those.
 */
#include "sim/workload/objects_priv.h"

#include <stdlib.h>
#include <string.h>

#define GUESS_OBJECTS 4u /* seen in a page before their distances are trusted */

static void drop(struct km_objects *o, uint64_t index)
{
    if (index / 8 >= o->drop_bytes) {
        size_t bytes = o->drop_bytes ? o->drop_bytes : 4096;

        while (index / 8 >= bytes)
            bytes *= 2;
        uint8_t *grown = realloc(o->drop, bytes);

        if (!grown) {
            o->no_memory = true;
            return;
        }
        memset(grown + o->drop_bytes, 0, bytes - o->drop_bytes);
        o->drop = grown;
        o->drop_bytes = bytes;
    }
    o->drop[index / 8] |= (uint8_t)(1u << index % 8);
}

/* ---- blocks
 * --------------------------------------------------------------------------------------- */

static struct obj_block *block_new(struct km_objects *o)
{
    if (o->free_block) {
        struct obj_block *b = &o->block[o->free_block - 1];

        o->free_block = (uint32_t)b->event;
        return b;
    }
    if (o->nr_block == o->room_block) {
        uint32_t room = o->room_block ? 2 * o->room_block : 1024;
        struct obj_block *grown = realloc(o->block, room * sizeof(*grown));

        if (!grown) {
            o->no_memory = true;
            return NULL;
        }
        o->block = grown;
        o->room_block = room;
    }
    return &o->block[o->nr_block++];
}

static void set_frames(struct km_objects *o, km_pfn pfn, unsigned order, uint32_t value)
{
    for (km_pfn p = pfn; p < pfn + (1u << order) && p < o->p.max_low_pfn; p++)
        o->frame[p] = value;
}

static void vote(struct km_objects *o, uint32_t key, uint16_t cache)
{
    struct obj_key *k = &o->key[key];

    if (k->cache == cache) {
        k->votes++;
    } else if (k->cache == KM_OBJ_NO_CACHE || k->votes == 0) {
        k->cache = cache;
        k->votes = 1;
    } else {
        k->votes--;
    }
}

static void block_learn(struct km_objects *o, const struct obj_block *b)
{
    if (b->kind != OBJ_SLAB)
        return;
    if (b->request) {
        o->request[b->request - 1].cache = b->cache;
        o->request[b->request - 1].key = b->nr_keys ? b->key[0] : KM_OBJ_NO_KEY;
    }
    bool young =
        b->event < o->sample_index; /* and alive then, or it would have been learned before */

    if (b->cache == KM_OBJ_NO_CACHE) {
        if (b->nr_keys) {
            o->key[b->key[0]].traced_slabs++;
            o->key[b->key[0]].reclaim |= (b->gfp & KM_GFP_RECLAIMABLE) != 0;
            o->key[b->key[0]].young_slabs += young;
        }
        return;
    }
    o->cache[b->cache].traced_slabs++;
    o->cache[b->cache].young_slabs += young;
    for (unsigned i = 0; i < b->nr_keys; i++)
        vote(o, b->key[i], b->cache);
    if (b->gfp & KM_GFP_RECLAIMABLE)
        o->cache[b->cache].flags |= KM_CACHE_RECLAIM_ACCOUNT;
}

static void block_free(struct km_objects *o, struct obj_block *b)
{
    block_learn(o, b);
    set_frames(o, b->pfn, b->order, OBJ_FRAME_OTHER);
    b->used = false;
    b->event = o->free_block;
    o->free_block = (uint32_t)(b - o->block) + 1;
}

static struct obj_block *block_at(struct km_objects *o, km_pfn pfn)
{
    uint32_t f = o->frame[pfn];

    return f == OBJ_FRAME_START || f == (uint32_t)OBJ_FRAME_OTHER ? NULL : &o->block[f - 1];
}

static void classify(struct km_objects *o, struct obj_block *b, enum obj_kind kind)
{
    if (b->kind != OBJ_UNKNOWN)
        return;
    b->kind = (uint8_t)kind;
    drop(o, b->event);
    if (kind == OBJ_LARGE) {
        o->stats.large_dropped++;
        return;
    }
    b->request = km_obj_note_request(o, &(struct obj_request){.event = b->event,
                                                              .gfp = b->gfp,
                                                              .key = KM_OBJ_NO_KEY,
                                                              .cache = KM_OBJ_NO_CACHE,
                                                              .at = b->at,
                                                              .cpu = b->cpu,
                                                              .order = b->order});
}

/* ---- page events
 * ---------------------------------------------------------------------------------- */

static void scan_page_alloc(struct km_objects *o, const struct km_event *ev, uint64_t index)
{
    km_pfn pfn = ev->page.pfn;

    if (pfn >= o->p.max_low_pfn || ev->page.order >= KM_NR_ORDERS)
        return;
    for (km_pfn p = pfn; p < pfn + (1u << ev->page.order) && p < o->p.max_low_pfn; p++) {
        struct obj_block *old = block_at(o, p);

        if (old)
            block_free(o, old); /* its free was silent */
    }
    if (!o->may_reclaim && (ev->page.gfp & KM_GFP_DIRECT_RECLAIM))
        o->may_reclaim = index;
    set_frames(o, pfn, ev->page.order, (uint32_t)OBJ_FRAME_OTHER);
    if (ev->page.gfp & KM_GFP_MOVABLE)
        return;
    struct obj_block *b = block_new(o);

    if (!b)
        return;
    *b = (struct obj_block){.event = index,
                            .pfn = pfn,
                            .gfp = ev->page.gfp,
                            .at = o->allocations + 1,
                            .cpu = ev->cpu,
                            .order = ev->page.order,
                            .cache = KM_OBJ_NO_CACHE,
                            .used = true};
    set_frames(o, pfn, b->order, (uint32_t)(b - o->block) + 1);
}

static bool old_slab_page(const struct km_objects *o, km_pfn pfn)
{
    const struct km_bundle *b = o->p.bundle;

    if (o->frame_slab[pfn])
        return true;
    return b && !o->p.boot && b->start.kpageflags && pfn < b->start.nr_frames &&
           (b->start.kpageflags[pfn] >> 7 & 1);
}

static void scan_page_free(struct km_objects *o, const struct km_event *ev, uint64_t index)
{
    km_pfn pfn = ev->page.pfn;

    if (pfn >= o->p.max_low_pfn || ev->page.order >= KM_NR_ORDERS)
        return;
    struct obj_block *b = block_at(o, pfn);
    bool slab = b ? b->kind == OBJ_SLAB : o->frame[pfn] == OBJ_FRAME_START && old_slab_page(o, pfn);

    if (slab)
        o->stats.traced_slab_blocks_freed++;
    if (slab || (b && b->kind == OBJ_LARGE))
        drop(o, index);
    if (b && b->pfn == pfn && b->order == ev->page.order)
        block_free(o, b);
    else
        set_frames(o, pfn, ev->page.order, (uint32_t)OBJ_FRAME_OTHER);
}

/* ---- object events
 * -------------------------------------------------------------------------------- */

static void start_object(struct km_objects *o, uint32_t ptr, km_pfn pfn,
                         const struct obj_start *what)
{
    if (what->cache != KM_OBJ_NO_CACHE)
        o->frame_cache[pfn] = what->cache;
    o->frame_slab[pfn] = 1;
    if (km_u32map_get(&o->seen, ptr))
        return;
    if (o->nr_start == o->room_start) {
        uint32_t room = o->room_start ? 2 * o->room_start : 4096;
        struct obj_start *grown = realloc(o->start, room * sizeof(*grown));

        if (!grown) {
            o->no_memory = true;
            return;
        }
        o->start = grown;
        o->room_start = room;
    }
    o->no_memory |= !km_u32map_put(&o->seen, ptr, 1);
    o->start[o->nr_start] = *what;
    o->start[o->nr_start++].ptr = ptr;
}

static void block_add_key(struct obj_block *b, uint32_t key)
{
    for (unsigned i = 0; i < b->nr_keys; i++)
        if (b->key[i] == key)
            return;
    if (b->nr_keys < KM_OBJ_BLOCK_KEYS)
        b->key[b->nr_keys++] = key;
}

static void touch(struct km_objects *o, uint32_t ptr, const struct obj_start *what, bool large)
{
    km_pfn pfn;

    if (!km_obj_lowmem(o, ptr, &pfn))
        return;
    if (o->frame[pfn] == OBJ_FRAME_START) {
        if (!large)
            start_object(o, ptr, pfn, what);
        return;
    }
    struct obj_block *b = block_at(o, pfn);

    if (!b)
        return;
    classify(o, b, large ? OBJ_LARGE : OBJ_SLAB);
    if (b->kind != OBJ_SLAB)
        return;
    if (what->cache != KM_OBJ_NO_CACHE)
        b->cache = what->cache;
    if (what->key != KM_OBJ_NO_KEY)
        block_add_key(b, what->key);
}

static void note_first(struct obj_first *first, uint32_t at, km_pfn pfn)
{
    if (!first->at || at < first->at)
        *first = (struct obj_first){at, pfn};
}

/* Which slab a CPU allocates from first, and when a page of the start is first allocated from. */
static void note_contact(struct km_objects *o, const struct km_event *ev,
                         const struct obj_start *what)
{
    km_pfn pfn;

    o->allocations++;
    if (ev->cpu >= KM_MAX_CPUS || !km_obj_lowmem(o, ev->obj.ptr, &pfn))
        return;
    if (what->key != KM_OBJ_NO_KEY)
        note_first(&o->key[what->key].first[ev->cpu], o->allocations, pfn);
    else if (what->cache != KM_OBJ_NO_CACHE)
        note_first(&o->cache[what->cache].first[ev->cpu], o->allocations, pfn);
    if (o->frame[pfn] == OBJ_FRAME_START && !o->contact[pfn].at)
        o->contact[pfn] = (struct obj_contact){o->allocations, ev->cpu};
}

static void scan_alloc(struct km_objects *o, const struct km_event *ev)
{
    bool kmalloc = ev->type == KM_EV_KMALLOC;
    bool large = kmalloc && ev->obj.bytes_alloc > KM_KMALLOC_MAX_CACHED;
    struct obj_start what = {.cpu = ev->cpu, .cache = KM_OBJ_NO_CACHE, .key = KM_OBJ_NO_KEY};

    if (!ev->obj.ptr || ev->obj.ptr > UINT32_MAX)
        return;
    if (kmalloc && !large) {
        what.cache = km_obj_kmalloc_cache(o, ev->obj.bytes_alloc, ev->obj.gfp);
        if (km_obj_internal_site(o, ev))
            o->memcg_seen = true;
    } else if (!kmalloc) {
        what.key = km_obj_key(o, ev);
    }
    if (what.key != KM_OBJ_NO_KEY && ev->obj.accounted && !(ev->obj.gfp & KM_GFP_ACCOUNT))
        o->key[what.key].account_cache = true;
    if (!large)
        note_contact(o, ev, &what);
    touch(o, (uint32_t)ev->obj.ptr, &what, large);
    o->no_memory |= !km_u32map_put(&o->live, (uint32_t)ev->obj.ptr, 1);
}

static void scan_free(struct km_objects *o, uint64_t ptr, uint16_t cache, uint8_t cpu)
{
    struct obj_start what = {.cpu = cpu, .cache = cache, .key = KM_OBJ_NO_KEY};
    km_pfn pfn;

    if (!km_obj_lowmem(o, ptr, &pfn))
        return;
    if (!km_u32map_take(&o->live, (uint32_t)ptr, NULL)) {
        struct obj_cache *c = cache != KM_OBJ_NO_CACHE ? &o->cache[cache] : NULL;

        if (c && c->scan_pool)
            c->scan_pool--;
        else
            what.live = true;
    }
    /* A kfree of a page's first byte may be a large block: no evidence. */
    if (cache == KM_OBJ_NO_CACHE && ptr % KM_PAGE_BYTES == 0 && o->frame[pfn] != OBJ_FRAME_START)
        return;
    touch(o, (uint32_t)ptr, &what, false);
}

static uint16_t bulk_cache(struct km_objects *o, uint64_t address)
{
    uint32_t *cache = km_u32map_get(&o->bulk_cache, (uint32_t)address);

    return cache ? (uint16_t)*cache : KM_OBJ_NO_CACHE;
}

/* Objects of a bulk free tell which cache the address of a kmem_cache stands for. */
static void scan_free_bulk(struct km_objects *o, const struct km_event *ev)
{
    uint16_t cache = bulk_cache(o, ev->bulk.cache);

    for (unsigned i = 0; i < ev->bulk.nr && i < KM_BULK_MAX; i++) {
        km_pfn pfn;

        if (cache == KM_OBJ_NO_CACHE && ev->bulk.cache && km_obj_lowmem(o, ev->bulk.ptr[i], &pfn)) {
            struct obj_block *b = block_at(o, pfn);

            cache = b                                  ? b->cache
                    : o->frame[pfn] == OBJ_FRAME_START ? o->frame_cache[pfn]
                                                       : KM_OBJ_NO_CACHE;
            if (cache != KM_OBJ_NO_CACHE)
                km_u32map_put(&o->bulk_cache, (uint32_t)ev->bulk.cache, cache);
        }
        scan_free(o, ev->bulk.ptr[i], cache, ev->cpu);
    }
}

static void scan_cache_create(struct km_objects *o, const struct km_event *ev)
{
    const char *name = km_trace_string(o->trace, ev->probe.name);
    uint16_t id = *name ? km_obj_cache_add(o, name) : KM_OBJ_NO_CACHE;

    if (id == KM_OBJ_NO_CACHE || o->cache[id].size || ev->probe.a == 0 || ev->probe.a > 4u << 20)
        return;
    o->cache[id].object_size = (uint32_t)ev->probe.a;
    o->cache[id].align = (uint32_t)ev->probe.b <= 4096 ? (uint32_t)ev->probe.b : 0;
    o->cache[id].flags |=
        (uint32_t)ev->probe.c & (KM_CACHE_HWCACHE_ALIGN | KM_CACHE_DMA | KM_CACHE_RECLAIM_ACCOUNT |
                                 KM_CACHE_TYPESAFE_BY_RCU | KM_CACHE_ACCOUNT);
}

void km_objects_scan_event(struct km_objects *o, const struct km_event *ev, uint64_t index)
{
    switch (ev->type) {
    case KM_EV_PAGE_ALLOC:
        scan_page_alloc(o, ev, index);
        return;
    case KM_EV_PAGE_FREE:
        scan_page_free(o, ev, index);
        return;
    case KM_EV_KMALLOC:
    case KM_EV_KMEM_CACHE_ALLOC:
        scan_alloc(o, ev);
        return;
    case KM_EV_KFREE:
        scan_free(o, ev->obj.ptr, KM_OBJ_NO_CACHE, ev->cpu);
        return;
    case KM_EV_KMEM_CACHE_FREE:
        scan_free(o, ev->obj.ptr, km_obj_cache_of_name(o, ev->obj.name), ev->cpu);
        return;
    case KM_EV_SLAB_ALLOC_BULK:
        if (ev->cpu < KM_MAX_CPUS)
            o->bulk[ev->cpu].cache = bulk_cache(o, ev->probe.a);
        return;
    case KM_EV_SLAB_ALLOC_BULK_RET:
        if (ev->cpu < KM_MAX_CPUS && o->bulk[ev->cpu].cache != KM_OBJ_NO_CACHE)
            o->cache[o->bulk[ev->cpu].cache].scan_pool += ev->probe.a;
        return;
    case KM_EV_SLAB_FREE_BULK:
        scan_free_bulk(o, ev);
        return;
    case KM_EV_CACHE_CREATE:
        scan_cache_create(o, ev);
        return;
    default:
        return;
    }
}

static void learn_from_key(struct km_objects *o, const struct obj_key *k)
{
    struct obj_cache *c = &o->cache[k->cache];

    c->traced_slabs += k->traced_slabs;
    c->young_slabs += k->young_slabs;
    for (unsigned i = 0; i < KM_MAX_CPUS; i++)
        if (k->first[i].at)
            note_first(&c->first[i], k->first[i].at, k->first[i].pfn);
    if (k->account_cache)
        c->flags |= KM_CACHE_ACCOUNT;
    if (k->reclaim)
        c->flags |= KM_CACHE_RECLAIM_ACCOUNT;
    if (!c->size && !c->object_size) {
        c->object_size = k->bytes_req;
        c->size = k->bytes_alloc;
    }
}

/* Sizes and flags of caches from the sites that use them; sites nobody named get a cache by size
 * last. */
static void learn_from_keys(struct km_objects *o)
{
    for (uint32_t i = 0; i < o->nr_key; i++)
        if (o->key[i].cache != KM_OBJ_NO_CACHE)
            learn_from_key(o, &o->key[i]);
    for (uint32_t i = 0; i < o->nr_key; i++)
        if (o->key[i].cache == KM_OBJ_NO_CACHE && km_obj_key_cache(o, i) != KM_OBJ_NO_CACHE)
            learn_from_key(o, &o->key[i]);
}

void km_objects_scan_sample(struct km_objects *o, const char *rest, uint64_t index)
{
    struct km_mark_slabinfo info;
    uint16_t id;

    if (!km_mark_slabinfo(rest, &info))
        return;
    id = km_obj_cache_of_line(o, &info);
    if (id == KM_OBJ_NO_CACHE || o->cache[id].sample_slabs || o->cache[id].start_sampled)
        return;
    if (!o->sample_index)
        o->sample_index = index;
    if (index - o->sample_index >= KM_OBJ_MAX_CACHES)
        return; /* no line of the first sample: a cache of later */
    o->cache[id].sample_slabs = info.num_slabs;
    o->cache[id].sample_free =
        info.num_objs > info.active_objs ? info.num_objs - info.active_objs : 0;
}

static uint32_t gcd(uint32_t a, uint32_t b)
{
    while (b) {
        uint32_t rest = a % b;

        a = b;
        b = rest;
    }
    return a;
}

/* Largest kmalloc class whose objects can begin at all multiples of step. */
static uint16_t cache_of_step(struct km_objects *o, uint32_t step)
{
    for (uint32_t bytes = KM_PAGE_BYTES / 2; bytes >= 8; bytes /= 2) {
        if (step % bytes == 0)
            return km_obj_kmalloc_cache(o, bytes, 0);
        if ((bytes == 256 || bytes == 128) && step % (bytes * 3 / 4) == 0)
            return km_obj_kmalloc_cache(o, bytes * 3 / 4, 0);
    }
    return KM_OBJ_NO_CACHE;
}

/* Pages of the start whose objects only kfree names, and kfree names no cache: with some objects
 * freed, their distances tell their size. */
static void guess_caches(struct km_objects *o)
{
    struct {
        uint32_t gcd, nr;
    } *step = calloc(o->p.max_low_pfn, sizeof(*step));

    o->no_memory |= !step;
    for (uint32_t i = 0; step && i < o->nr_start; i++) {
        const struct obj_start *r = &o->start[i];
        km_pfn pfn;

        if (r->cache == KM_OBJ_NO_CACHE && r->key == KM_OBJ_NO_KEY &&
            km_obj_lowmem(o, r->ptr, &pfn)) {
            step[pfn].gcd =
                gcd(r->ptr % KM_PAGE_BYTES, step[pfn].nr ? step[pfn].gcd : KM_PAGE_BYTES * 3);
            step[pfn].nr++;
        }
    }
    for (km_pfn p = 0; step && p < o->p.max_low_pfn; p++)
        if (step[p].nr >= GUESS_OBJECTS && o->frame_cache[p] == KM_OBJ_NO_CACHE)
            o->frame_cache[p] = cache_of_step(o, step[p].gcd);
    free(step);
}

/* Slabs at the start from the first sample behind it. */
static void start_counts(struct km_objects *o, struct obj_cache *c)
{
    if (c->sample_slabs <= c->young_slabs)
        return;
    c->num_slabs = c->sample_slabs - c->young_slabs;
    if (o->p.boot || !km_obj_cache_geometry(o, c))
        return;
    c->num_objs = c->num_slabs * c->objects;
    c->active_objs = c->num_objs > c->sample_free ? c->num_objs - c->sample_free : 0;
}

void km_obj_scan_finish(struct km_objects *o)
{
    for (uint32_t i = 0; i < o->nr_block; i++)
        if (o->block[i].used)
            block_learn(o, &o->block[i]);
    for (uint32_t i = 0; i < o->nr_start; i++) {
        km_pfn pfn;

        if (o->start[i].key != KM_OBJ_NO_KEY && km_obj_lowmem(o, o->start[i].ptr, &pfn) &&
            o->frame_cache[pfn] != KM_OBJ_NO_CACHE)
            vote(o, o->start[i].key, o->frame_cache[pfn]);
    }
    guess_caches(o);
    learn_from_keys(o);
    km_obj_name_requests(o);
    for (unsigned i = 0; i < o->nr_cache; i++)
        start_counts(o, &o->cache[i]);
    km_u32map_release(&o->live);
    km_u32map_release(&o->seen);
    free(o->block);
    o->block = NULL;
    o->nr_block = o->room_block = o->free_block = 0;
    memset(o->bulk, 0, sizeof(o->bulk));
    for (unsigned i = 0; i < KM_MAX_CPUS; i++)
        o->bulk[i].cache = KM_OBJ_NO_CACHE;
}
