/* SPDX-License-Identifier: MIT
 * objects.c - second pass of mode `objects`: traced calls drive the simulated slab layer.
 *
 * Addresses: a map traced address -> model address holds what is live. Objects of old slabs keep
 * theirs. Silent operations (H6): an allocation of an address still live frees it first; objects of
 * bulk allocations wait without a name until a free of an unknown address of their cache takes one;
 * other frees of unknown objects are counted and passed over. memcg vectors are replayed under
 * SLUB; under the other allocators they are the slab layer's own business.
 */
#include "sim/workload/objects_priv.h"

#include "models/base/bits.h"
#include "models/os/slub.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINE_BYTES 32u

/* ---- caches
 * ---------------------------------------------------------------------------------------- */

uint16_t km_obj_cache_find(const struct km_objects *o, const char *name)
{
    for (unsigned i = 0; i < o->nr_cache; i++)
        if (!strcmp(o->cache[i].name, name))
            return (uint16_t)i;
    return KM_OBJ_NO_CACHE;
}

uint16_t km_obj_cache_add(struct km_objects *o, const char *name)
{
    uint16_t id = km_obj_cache_find(o, name);

    if (id != KM_OBJ_NO_CACHE || o->nr_cache == KM_OBJ_MAX_CACHES)
        return id;
    id = (uint16_t)o->nr_cache++;
    memset(&o->cache[id], 0, sizeof(o->cache[id]));
    snprintf(o->cache[id].name, sizeof(o->cache[id].name), "%s", name);
    return id;
}

/* Order and objects per slab in the traced kernel; false if its size is not known. */
bool km_obj_cache_geometry(struct km_objects *o, struct obj_cache *c)
{
    struct km_kmem_cache shape = {.object_size = c->size, .align = 8};

    if (!c->size && c->object_size) {
        shape.object_size = c->object_size;
        shape.align = km_slub_align(c->flags, c->align, c->object_size, LINE_BYTES);
    }
    if (c->objects)
        return true;
    if (!shape.object_size || !km_slub_geometry(&km_personality_linux_6_1, o->p.cpus, &shape))
        return false;
    c->size = shape.size;
    c->order = shape.order;
    c->objects = shape.objects;
    return true;
}

struct km_kmem_cache *km_obj_cache_create(struct km_objects *o, struct km_cpu *cpu,
                                          struct obj_cache *c)
{
    /* Caches of the traced kernel's own slab allocator that the simulated one does not have. */
    if (o->layer->p.ops != &km_slub_ops &&
        (strstr(c->name, "kmalloc-") || !strcmp(c->name, "kmem_cache_node")))
        return NULL;
    uint32_t size = c->object_size ? c->object_size : c->size;
    uint32_t align = c->align ? c->align : 8;
    uint32_t flags = c->flags & (KM_CACHE_RECLAIM_ACCOUNT | KM_CACHE_ACCOUNT | KM_CACHE_DMA);
    uint32_t plain = (uint32_t)km_align_up(km_align_up(size, 4), align);

    if (c->size &&
        plain != c->size) { /* the free pointer stands behind the object, or the size is rounded */
        if (km_align_up(km_align_up(size, 4) + 4, align) == c->size)
            flags |= KM_CACHE_CTOR;
        else
            size = c->size;
    }
    c->c = km_kmem_cache_create(o->layer, cpu, c->name, size, align, flags | KM_CACHE_NO_MERGE);
    return c->c;
}

uint16_t km_obj_kmalloc_cache(struct km_objects *o, uint32_t bytes_alloc, uint32_t gfp)
{
    static const uint32_t bytes[KM_KMALLOC_PAGE_CLASSES] = {8,   16,  32,   64,   96,   128, 192,
                                                       256, 512, 1024, 2048, 4096, 8192};
    static const char *const prefix[KM_KMALLOC_TYPES] = {"kmalloc-", "dma-kmalloc-", "kmalloc-rcl-",
                                                         "kmalloc-cg-"};
    enum km_kmalloc_type type = gfp & KM_GFP_DMA           ? KM_KMALLOC_DMA
                                : gfp & KM_GFP_RECLAIMABLE ? KM_KMALLOC_RECLAIM
                                : gfp & KM_GFP_ACCOUNT     ? KM_KMALLOC_CGROUP
                                                           : KM_KMALLOC_NORMAL;
    unsigned class = 0;
    char name[32];

    while (class < KM_KMALLOC_PAGE_CLASSES - 1 && bytes[class] < bytes_alloc)
        class ++;
    uint16_t *id = &o->kmalloc[type][class];

    if (*id != KM_OBJ_NO_CACHE)
        return *id;
    snprintf(name, sizeof(name), bytes[class] < 1024 ? "%s%u" : "%s%uk", prefix[type],
             bytes[class] < 1024 ? bytes[class] : bytes[class] / 1024);
    *id = km_obj_cache_add(o, name);
    if (*id != KM_OBJ_NO_CACHE && !o->cache[*id].size)
        o->cache[*id].size = o->cache[*id].object_size = bytes[class];
    return *id;
}

/* ---- strings and allocation sites
 * -------------------------------------------------------------------- */

static uint64_t fnv(uint64_t hash, const void *data, size_t len)
{
    const uint8_t *p = data;

    while (len--)
        hash = (hash ^ *p++) * 0x100000001b3ull;
    return hash;
}

const struct obj_string_cache *km_obj_string(struct km_objects *o, uint32_t id)
{
    static const struct obj_string_cache none = {.cache = KM_OBJ_NO_CACHE, .valid = true};

    if (id >= o->nr_string) {
        size_t room = o->nr_string ? o->nr_string : 256;

        while (id >= room)
            room *= 2;
        struct obj_string_cache *grown = realloc(o->string, room * sizeof(*grown));

        if (!grown)
            return &none;
        memset(grown + o->nr_string, 0, (room - o->nr_string) * sizeof(*grown));
        o->string = grown;
        o->nr_string = room;
    }
    struct obj_string_cache *s = &o->string[id];

    if (!s->valid) {
        const char *text = km_trace_string(o->trace, id);

        s->valid = true;
        s->hash = fnv(0xcbf29ce484222325ull, text, strlen(text));
        s->internal = !strncmp(text, "memcg_alloc_slab_cgroups", 24);
        s->cache = KM_OBJ_NO_CACHE;
    }
    return s;
}

uint16_t km_obj_cache_of_name(struct km_objects *o, uint32_t id)
{
    const struct obj_string_cache *s = km_obj_string(o, id);

    if (!id)
        return KM_OBJ_NO_CACHE;
    if (s->cache == KM_OBJ_NO_CACHE && id < o->nr_string)
        o->string[id].cache = km_obj_cache_add(o, km_trace_string(o->trace, id));
    return o->string[id].cache;
}

bool km_obj_internal_site(struct km_objects *o, const struct km_event *ev)
{
    return ev->obj.call_site && km_obj_string(o, ev->obj.call_site)->internal;
}

static uint32_t key_add(struct km_objects *o, uint64_t hash, const struct km_event *ev)
{
    if (o->nr_key == o->key_room) {
        uint32_t room = o->key_room ? 2 * o->key_room : 256;
        struct obj_key *grown = realloc(o->key, room * sizeof(*grown));

        if (!grown)
            return KM_OBJ_NO_KEY;
        o->key = grown;
        o->key_room = room;
    }
    o->key[o->nr_key] = (struct obj_key){.hash = hash,
                                         .bytes_req = ev->obj.bytes_req,
                                         .bytes_alloc = ev->obj.bytes_alloc,
                                         .cache = KM_OBJ_NO_CACHE};
    return o->nr_key++;
}

uint32_t km_obj_key(struct km_objects *o, const struct km_event *ev)
{
    uint32_t sizes[2] = {ev->obj.bytes_req, ev->obj.bytes_alloc};
    uint64_t hash =
        ev->obj.call_site ? km_obj_string(o, ev->obj.call_site)->hash : ev->obj.call_site_addr;

    hash = fnv(hash, sizes, sizeof(sizes));
    for (uint32_t fold = (uint32_t)(hash ^ hash >> 32) | 1;; fold += 2) {
        uint32_t *index = km_u32map_get(&o->key_index, fold);

        if (index && o->key[*index].hash == hash)
            return *index;
        if (index)
            continue;
        uint32_t key = key_add(o, hash, ev);

        if (key != KM_OBJ_NO_KEY && !km_u32map_put(&o->key_index, fold, key))
            return KM_OBJ_NO_KEY;
        return key;
    }
}

/* A cache whose objects have this size: same requested size first, then any that is not kmalloc's.
 */
static uint16_t cache_by_size(struct km_objects *o, const struct obj_key *k)
{
    uint16_t by_alloc = KM_OBJ_NO_CACHE;
    char name[32];

    for (unsigned i = 0; i < o->nr_cache; i++) {
        const struct obj_cache *c = &o->cache[i];

        if (c->size != k->bytes_alloc || strstr(c->name, "kmalloc-"))
            continue;
        if (c->object_size == k->bytes_req)
            return (uint16_t)i;
        if (by_alloc == KM_OBJ_NO_CACHE)
            by_alloc = (uint16_t)i;
    }
    if (by_alloc != KM_OBJ_NO_CACHE || !k->bytes_alloc || k->bytes_alloc > 4u << 20)
        return by_alloc;
    snprintf(name, sizeof(name), "size-%u", k->bytes_alloc);
    by_alloc = km_obj_cache_add(o, name);
    if (by_alloc != KM_OBJ_NO_CACHE && !o->cache[by_alloc].size)
        o->cache[by_alloc].size = o->cache[by_alloc].object_size = k->bytes_alloc;
    return by_alloc;
}

uint16_t km_obj_key_cache(struct km_objects *o, uint32_t key)
{
    struct obj_key *k = &o->key[key];

    if (k->cache == KM_OBJ_NO_CACHE) {
        k->cache = cache_by_size(o, k);
        o->stats.caches_by_size++;
    }
    return k->cache;
}

/* ---- objects
 * ----------------------------------------------------------------------------------------- */

static struct km_kmem_cache *model_cache(struct km_objects *o, struct km_cpu *cpu, uint16_t id)
{
    if (id == KM_OBJ_NO_CACHE)
        return NULL;
    struct obj_cache *c = &o->cache[id];

    c->in_use = true;
    if (!c->c)
        c->c = km_kmem_cache_by_name(o->layer, c->name);
    if (!c->c && (c->size || c->object_size))
        km_obj_cache_create(o, cpu, c);
    return c->c;
}

/* Under SLOB pages do not know the cache of an object, its user does. */
static bool pages_know_caches(const struct km_objects *o)
{
    return o->layer->p.ops->first_object != NULL;
}

bool km_obj_note_owner(struct km_objects *o, const struct km_kmem_cache *c, km_vaddr va)
{
    return !va || pages_know_caches(o) ||
           km_u32map_put(&o->owner, va, (uint32_t)(c - o->layer->cache));
}

void km_obj_free(struct km_objects *o, struct km_cpu *cpu, km_vaddr va)
{
    struct km_kmem_cache *c = km_kmem_cache_of(o->layer, cpu->window, va);
    uint32_t owner;

    if (!pages_know_caches(o) && km_u32map_take(&o->owner, va, &owner))
        c = &o->layer->cache[owner];
    if (c && !c->kmalloc)
        km_kmem_cache_free(o->layer, cpu, c, va);
    else
        km_kfree(o->layer, cpu, va);
}

/* An address that is allocated again was freed without an event. */
static void implicit_free(struct km_objects *o, struct km_cpu *cpu, uint32_t ptr)
{
    uint32_t va;

    if (!km_u32map_take(&o->live, ptr, &va))
        return;
    o->stats.implicit_frees++;
    if (va)
        km_obj_free(o, cpu, va);
}

/* Which model slab stands for a traced one: where the latest named object of that page went. */
static void note_slab(struct km_objects *o, const struct obj_cache *c, uint32_t ptr, km_vaddr va)
{
    if (c->pool_room)
        km_u32map_put(&o->slab_of_page, (ptr >> KM_PAGE_SHIFT) + 1, va >> KM_PAGE_SHIFT);
}

/* Until the scheduler runs the kernel strips what could sleep or start I/O from every request. */
static uint32_t allowed_gfp(const struct km_objects *o, uint32_t gfp)
{
    return o->p.boot && o->event < o->may_reclaim ? gfp & ~(uint32_t)KM_GFP_KERNEL : gfp;
}

/* SLUB replays the traced kernel's memcg vectors: which slab had one at the start is not known. The
 * other allocators have other slabs and so their own vectors. */
static bool vectors_from_trace(const struct km_objects *o)
{
    return o->p.slab == &km_slub_ops;
}

static enum km_objects_result kmalloc_object(struct km_objects *o, struct km_cpu *cpu,
                                             const struct obj_vector *v)
{
    if (v->bytes_alloc <= KM_KMALLOC_MAX_CACHED)
        model_cache(o, cpu, km_obj_kmalloc_cache(o, v->bytes_alloc, v->gfp));
    km_vaddr va = km_kmalloc(o->layer, cpu, v->bytes_req ? v->bytes_req : v->bytes_alloc,
                             allowed_gfp(o, v->gfp));

    km_sync(cpu); /* the map is shared by all CPUs */
    return va && km_u32map_put(&o->live, v->ptr, va) ? KM_OBJ_APPLIED : KM_OBJ_SKIPPED_NO_MEMORY;
}

static enum km_objects_result cache_object(struct km_objects *o, struct km_cpu *cpu,
                                           const struct km_event *ev)
{
    uint32_t ptr = (uint32_t)ev->obj.ptr, key = km_obj_key(o, ev);
    uint16_t id = key != KM_OBJ_NO_KEY ? km_obj_key_cache(o, key) : KM_OBJ_NO_CACHE;
    struct km_kmem_cache *c = model_cache(o, cpu, id);
    km_vaddr va = c ? km_kmem_cache_alloc(o->layer, cpu, c, allowed_gfp(o, ev->obj.gfp)) : 0;

    km_sync(cpu);
    if (va)
        note_slab(o, &o->cache[id], ptr, va);
    if (!km_obj_note_owner(o, c, va))
        return KM_OBJ_SKIPPED_NO_MEMORY;
    return va && km_u32map_put(&o->live, ptr, va) ? KM_OBJ_APPLIED : KM_OBJ_SKIPPED_NO_MEMORY;
}

/* The vector of a slab is recorded before the allocation that asked for the slab or the vector. */
static enum km_objects_result hold_vector(struct km_objects *o, const struct km_cpu *cpu,
                                          const struct obj_vector *v)
{
    if (!vectors_from_trace(o)) {
        o->layer->memcg = true;
        km_u32map_put(&o->live, v->ptr, 0);
        return KM_OBJ_SKIPPED_INTERNAL;
    }
    o->vector[cpu->id] = *v;
    o->vector[cpu->id].held = true;
    return KM_OBJ_APPLIED;
}

static void release_vector(struct km_objects *o, struct km_cpu *cpu)
{
    if (!o->vector[cpu->id].held)
        return;
    o->vector[cpu->id].held = false;
    if (kmalloc_object(o, cpu, &o->vector[cpu->id]) != KM_OBJ_APPLIED)
        o->stats.result[KM_OBJ_SKIPPED_NO_MEMORY]++;
}

static void note_site(struct km_objects *o, uint32_t ptr, uint32_t call_site)
{
    const uint32_t *va = o->p.note_sites ? km_u32map_get(&o->live, ptr) : NULL;

    if (va && *va && !km_u32map_put(&o->site, *va, call_site))
        o->p.note_sites = false;
}

static enum km_objects_result on_alloc(struct km_objects *o, struct km_cpu *cpu,
                                       const struct km_event *ev)
{
    uint32_t ptr = (uint32_t)ev->obj.ptr;
    const struct obj_vector v = {.ptr = ptr,
                                 .bytes_req = ev->obj.bytes_req,
                                 .bytes_alloc = ev->obj.bytes_alloc,
                                 .gfp = ev->obj.gfp};
    enum km_objects_result result;

    if (!ev->obj.ptr || ev->obj.ptr > UINT32_MAX)
        return KM_OBJ_SKIPPED_FAILED;
    if (ptr == KM_ZERO_SIZE_PTR)
        return KM_OBJ_APPLIED;
    implicit_free(o, cpu, ptr);
    if (ev->type == KM_EV_KMALLOC && km_obj_internal_site(o, ev)) {
        release_vector(o, cpu);
        return hold_vector(o, cpu, &v);
    }
    result = ev->type == KM_EV_KMALLOC ? kmalloc_object(o, cpu, &v) : cache_object(o, cpu, ev);
    if (result == KM_OBJ_APPLIED)
        note_site(o, ptr, ev->obj.call_site);
    release_vector(o, cpu);
    return result;
}

/* A nameless object for a traced address: one of the same slab, else the latest (spare objects of a
 * bulk allocation come back first). */
static bool pool_take(struct km_objects *o, struct obj_cache *c, uint32_t ptr, uint32_t *va)
{
    const uint32_t *page = km_u32map_get(&o->slab_of_page, (ptr >> KM_PAGE_SHIFT) + 1);
    size_t pick = c->pool_nr;

    if (!c->pool_nr)
        return false;
    for (size_t i = c->pool_nr; page && i-- > 0 && c->pool_nr - i <= KM_OBJ_POOL_SEARCH;)
        if (c->pool[i] >> KM_PAGE_SHIFT == *page) {
            pick = i + 1;
            break;
        }
    *va = c->pool[pick - 1];
    memmove(c->pool + pick - 1, c->pool + pick, (c->pool_nr - pick) * sizeof(*c->pool));
    c->pool_nr--;
    return true;
}

static bool pool_put(struct obj_cache *c, uint32_t va)
{
    if (c->pool_nr == c->pool_room) {
        size_t room = c->pool_room ? 2 * c->pool_room : 64;
        uint32_t *grown = realloc(c->pool, room * sizeof(*grown));

        if (!grown)
            return false;
        c->pool = grown;
        c->pool_room = room;
    }
    c->pool[c->pool_nr++] = va;
    return true;
}

/* Model address of a traced object that is being freed. */
static enum km_objects_result find_freed(struct km_objects *o, uint64_t ptr, uint16_t cache,
                                         uint32_t *va)
{
    if (ptr <= UINT32_MAX && km_u32map_take(&o->live, (uint32_t)ptr, va))
        return *va ? KM_OBJ_APPLIED : KM_OBJ_SKIPPED_INTERNAL;
    if (cache != KM_OBJ_NO_CACHE && pool_take(o, &o->cache[cache], (uint32_t)ptr, va))
        return KM_OBJ_APPLIED;
    return KM_OBJ_SKIPPED_UNKNOWN;
}

static enum km_objects_result on_free(struct km_objects *o, struct km_cpu *cpu,
                                      const struct km_event *ev)
{
    bool named = ev->type == KM_EV_KMEM_CACHE_FREE;
    uint16_t cache = named ? km_obj_cache_of_name(o, ev->obj.name) : KM_OBJ_NO_CACHE;
    uint32_t va;

    if (ev->obj.ptr <= KM_ZERO_SIZE_PTR) {
        km_kfree(o->layer, cpu, (km_vaddr)ev->obj.ptr);
        return KM_OBJ_APPLIED;
    }
    if (cache != KM_OBJ_NO_CACHE)
        o->cache[cache].in_use = true;
    if (ev->obj.ptr == o->vector[cpu->id].ptr)
        release_vector(o, cpu);
    enum km_objects_result result = find_freed(o, ev->obj.ptr, cache, &va);

    if (result == KM_OBJ_APPLIED)
        km_obj_free(o, cpu, va);
    return result;
}

/* ---- bulk calls (probes)
 * ------------------------------------------------------------------------------ */

static uint16_t bulk_cache(struct km_objects *o, uint64_t address)
{
    uint32_t *cache = km_u32map_get(&o->bulk_cache, (uint32_t)address);

    return cache ? (uint16_t)*cache : KM_OBJ_NO_CACHE;
}

static enum km_objects_result on_alloc_bulk(struct km_objects *o, struct km_cpu *cpu,
                                            const struct km_event *ev)
{
    struct obj_bulk *b = &o->bulk[ev->cpu]; /* several may share a CPU of this machine */
    uint32_t obj[64];

    if (ev->type == KM_EV_SLAB_ALLOC_BULK) {
        b->cache = bulk_cache(o, ev->probe.a);
        b->gfp = ev->probe.gfp;
        return b->cache == KM_OBJ_NO_CACHE ? KM_OBJ_SKIPPED_UNKNOWN : KM_OBJ_APPLIED;
    }
    struct km_kmem_cache *c = model_cache(o, cpu, b->cache);
    uint64_t left = ev->probe.a <= 1u << 16 ? ev->probe.a : 0;

    if (!c)
        return KM_OBJ_SKIPPED_UNKNOWN;
    while (left) {
        unsigned nr = (unsigned)km_min_u64(left, KM_ARRAY_LEN(obj));

        if (!km_kmem_cache_alloc_bulk(o->layer, cpu, c, b->gfp, nr, obj))
            return KM_OBJ_SKIPPED_NO_MEMORY;
        km_sync(cpu);
        for (unsigned i = 0; i < nr; i++)
            if (!pool_put(&o->cache[b->cache], obj[i]) || !km_obj_note_owner(o, c, obj[i]))
                return KM_OBJ_SKIPPED_NO_MEMORY;
        o->stats.bulk_allocs += nr;
        left -= nr;
    }
    return KM_OBJ_APPLIED;
}

static enum km_objects_result on_free_bulk(struct km_objects *o, struct km_cpu *cpu,
                                           const struct km_event *ev)
{
    uint16_t cache = bulk_cache(o, ev->bulk.cache);
    uint32_t obj[KM_BULK_MAX];
    unsigned nr = 0;

    for (unsigned i = 0; i < ev->bulk.nr && i < KM_BULK_MAX; i++)
        if (ev->bulk.ptr[i] > KM_ZERO_SIZE_PTR &&
            find_freed(o, ev->bulk.ptr[i], cache, &obj[nr]) == KM_OBJ_APPLIED)
            nr++;
    o->stats.bulk_frees += nr;
    if (!nr)
        return KM_OBJ_SKIPPED_UNKNOWN;
    if (pages_know_caches(o))
        km_kmem_cache_free_bulk(o->layer, cpu, NULL, nr, obj);
    else
        for (unsigned i = 0; i < nr; i++)
            km_obj_free(o, cpu, obj[i]);
    return KM_OBJ_APPLIED;
}

static enum km_objects_result dispatch(struct km_objects *o, struct km_cpu *cpu,
                                       const struct km_event *ev, uint64_t index)
{
    switch (ev->type) {
    case KM_EV_PAGE_ALLOC:
    case KM_EV_PAGE_FREE:
        return km_obj_dropped(o, index) ? KM_OBJ_DROPPED_PAGE_EVENT : KM_OBJ_PASS;
    case KM_EV_KMALLOC:
    case KM_EV_KMEM_CACHE_ALLOC:
        return on_alloc(o, cpu, ev);
    case KM_EV_KFREE:
    case KM_EV_KMEM_CACHE_FREE:
        return on_free(o, cpu, ev);
    case KM_EV_SLAB_ALLOC_BULK:
    case KM_EV_SLAB_ALLOC_BULK_RET:
        return on_alloc_bulk(o, cpu, ev);
    case KM_EV_SLAB_FREE_BULK:
        return on_free_bulk(o, cpu, ev);
    default:
        return KM_OBJ_PASS;
    }
}

enum km_objects_result km_objects_event(struct km_objects *o, struct km_cpu *cpu,
                                        const struct km_event *ev, uint64_t index)
{
    o->event = index;
    km_slab_timer(o->layer, cpu, ev->time_ns / 1000000);
    enum km_objects_result result = dispatch(o, cpu, ev, index);

    o->stats.result[result]++;
    return result;
}

void km_objects_set_spare(struct km_objects *o, const uint8_t *spare)
{
    o->spare = spare;
}

void km_objects_set_where(struct km_objects *o,
                          km_pfn (*where)(void *ctx, km_pfn traced, unsigned order), void *ctx)
{
    o->where = where;
    o->where_ctx = ctx;
}

struct km_slab_layer *km_objects_layer(struct km_objects *o)
{
    return o->layer;
}

/* ---- life
 * ------------------------------------------------------------------------------------------------
 */

void km_objects_set_trace(struct km_objects *o, const struct km_trace *trace)
{
    o->trace = trace;
    free(o->string);
    o->string = NULL;
    o->nr_string = 0;
}

int km_objects_create(struct km_objects **out, const struct km_objects_params *p,
                      struct km_err *err)
{
    struct km_objects *o = calloc(1, sizeof(*o));

    if (!o)
        return km_fail(err, KM_E_NOMEM, NULL, 0, 0, "out of memory");
    o->p = *p;
    o->frame = calloc(p->max_low_pfn, sizeof(*o->frame));
    o->frame_slab = calloc(p->max_low_pfn, 1);
    o->contact = calloc(p->max_low_pfn, sizeof(*o->contact));
    o->frame_cache = malloc(p->max_low_pfn * sizeof(*o->frame_cache));
    if (!o->frame || !o->frame_slab || !o->contact || !o->frame_cache) {
        km_objects_destroy(o);
        return km_fail(err, KM_E_NOMEM, NULL, 0, 0, "out of memory for %u page frames",
                       p->max_low_pfn);
    }
    memset(o->frame_cache, 0xff, p->max_low_pfn * sizeof(*o->frame_cache));
    memset(o->kmalloc, 0xff, sizeof(o->kmalloc));
    for (unsigned i = 0; i < KM_MAX_CPUS; i++)
        o->bulk[i].cache = KM_OBJ_NO_CACHE;
    int rc = km_obj_read_facts(o, err);

    if (rc < 0) {
        km_objects_destroy(o);
        return rc;
    }
    *out = o;
    return KM_OK;
}

void km_objects_destroy(struct km_objects *o)
{
    if (!o)
        return;
    for (unsigned i = 0; i < o->nr_cache; i++)
        free(o->cache[i].pool);
    free(o->string);
    free(o->key);
    free(o->drop);
    free(o->frame);
    free(o->frame_cache);
    free(o->frame_slab);
    free(o->contact);
    free(o->block);
    free(o->start);
    free(o->request);
    free(o->layer);
    for (unsigned i = 0; i < KM_NR_ORDERS; i++)
        free(o->start_frames[i].pfn);
    km_u32map_release(&o->key_index);
    km_u32map_release(&o->seen);
    km_u32map_release(&o->live);
    km_u32map_release(&o->bulk_cache);
    km_u32map_release(&o->owner);
    km_u32map_release(&o->site);
    km_u32map_release(&o->slab_of_page);
    free(o);
}

bool km_objects_drops(const struct km_objects *o, uint64_t index)
{
    return km_obj_dropped(o, index);
}
