/* SPDX-License-Identifier: MIT
 * objects_start.c - the slab layer at the moment the replay begins.
 *
 * Known:    caches and their geometry, slabs and active objects per cache, per-CPU partial slabs
 * (bundle); which frames are slabs (kpageflags); for objects the trace touches, whether they were
 * live or free (scan). Inferred: on which list a slab with free objects stands (objects_places.c);
 * its free objects are handed out in the traced order. Slabs nothing touches are full, except that
 * partial slabs and free objects are filled up to slabinfo's counts; without kpageflags they stand
 * in frames that are taken and that no event names. A slab the trace releases was empty by then:
 * what no event names in it was free. The control structures of the simulated slab layer take slab
 * frames of the start too: the traced kernel's own are among them.
 */
#include "models/base/bits.h"
#include "models/os/buddy.h"
#include "models/os/slub.h"
#include "sim/workload/kpageflags.h"
#include "sim/workload/objects_priv.h"

#include <stdlib.h>
#include <string.h>

#define MAX_OBJECTS 32768u /* of a slab */
#define BOOT_BLOCKS 64u /* of each high order, for the slab layer's own objects */

struct builder {
    struct km_objects *o;
    struct km_cpu *cpu;
    struct obj_start_slab *slab;
    uint32_t nr, room;
    struct km_u32map by_head; /* head + 1 -> index */
    km_vaddr *list;           /* room for the free objects of one slab */
    uint8_t *touched;         /* room for its objects */
};

/* ---- page source
 * ----------------------------------------------------------------------------------- */

static uint16_t requesting_cache(const struct km_objects *o, const struct km_cpu *cpu)
{
    const struct km_kmem_cache *c = o->layer->requesting[cpu->id];

    for (unsigned i = 0; c && i < o->nr_cache; i++)
        if (o->cache[i].c == c || (!o->cache[i].c && !strcmp(o->cache[i].name, c->name)))
            return (uint16_t)i;
    return KM_OBJ_NO_CACHE;
}

static km_pfn src_alloc(void *ctx, struct km_cpu *cpu, uint32_t gfp, unsigned order)
{
    struct km_objects *o = ctx;

    if (o->starting) {
        struct obj_frames *f = &o->start_frames[order];

        if (!o->rebuilding && f->next < f->nr) {
            km_pfn traced = f->pfn[f->next++], pfn = km_obj_where(o, traced, order);
            km_vaddr page = km_page_va(o->os, pfn);

            if (order && (gfp & KM_GFP_COMP)) {
                km_st32(cpu, page + KM_PAGE_FLAGS, km_ld32(cpu, page + KM_PAGE_FLAGS) | KM_PG_HEAD);
                for (km_pfn p = pfn + 1; p < pfn + (1u << order); p++)
                    km_st32(cpu, km_page_va(o->os, p) + KM_PAGE_COMPOUND_HEAD, page | 1);
            }
            o->claimed(o->claimed_ctx, traced, order);
            return pfn;
        }
        return o->buddy.alloc(o->buddy.ctx, cpu, gfp, order);
    }
    km_pfn pfn = o->buddy.alloc(o->buddy.ctx, cpu, gfp, order);

    if (pfn != KM_PFN_NONE && !o->layer->requesting_large[cpu->id])
        km_obj_note_request(o, &(struct obj_request){.event = o->event,
                                                     .gfp = gfp,
                                                     .cache = requesting_cache(o, cpu),
                                                     .order = (uint8_t)order,
                                                     .model = true});
    return pfn;
}

static void src_free(void *ctx, struct km_cpu *cpu, km_pfn pfn, unsigned order)
{
    struct km_objects *o = ctx;

    o->buddy.free(o->buddy.ctx, cpu, pfn, order);
}

/* ---- frames that held slabs
 * -------------------------------------------------------------------------- */

static uint64_t page_bits(const struct km_objects *o, km_pfn pfn)
{
    const struct km_proc_state *s = &o->p.bundle->start;

    return pfn < s->nr_frames ? s->kpageflags[pfn] : 0;
}

static bool have_pageflags(const struct km_objects *o)
{
    return o->p.bundle && !o->p.boot && o->p.bundle->start.kpageflags;
}


static bool bit(uint64_t word, unsigned nr)
{
    return word >> nr & 1;
}

/* Does the snapshot show a slab of this order at head? */
static bool is_slab_block(const struct km_objects *o, km_pfn head, unsigned order)
{
    if (!have_pageflags(o))
        return true;
    if (!bit(page_bits(o, head), KPF_SLAB) || bit(page_bits(o, head), KPF_HEAD) != (order > 0))
        return false;
    for (km_pfn p = head + 1; p < head + (1u << order); p++)
        if (!bit(page_bits(o, p), KPF_TAIL))
            return false;
    return !bit(page_bits(o, head + (1u << order)), KPF_TAIL);
}

static void note_range(struct km_objects *o, km_vaddr start, km_vaddr end)
{
    for (km_pfn p = km_va_to_pfn(o->os, start); p <= km_va_to_pfn(o->os, end - 1); p++)
        if (p < o->os->p.max_low_pfn)
            o->listed[p] = 1;
}

/* Frames on per-CPU lists are free although no buddy block; where the traced kernel's own
 * structures stood is a guess without a snapshot, so an old slab may lie where the model's stand.
 * False without memory. */
static bool note_listed(struct km_objects *o)
{
    o->listed = calloc(o->os->p.max_low_pfn, 1);
    for (unsigned z = 0; o->listed && z < KM_NR_ZONES; z++)
        for (unsigned cpu = 0; cpu < o->os->p.cpus && o->os->zone[z].present_pages; cpu++)
            for (unsigned list = 0; list < (o->os->p.thp ? 14u : 12u); list++) {
                km_vaddr head = o->os->zone[z].pcp_va[cpu] + KM_PCP_LISTS + 8 * list;
                unsigned order = list < 12 ? list / 3 : o->os->p.pageblock_order;

                for (km_vaddr e = km_peek32(o->os_window, head); e && e != head;
                     e = km_peek32(o->os_window, e)) {
                    km_pfn pfn = km_page_pfn(o->os, e - KM_PAGE_LRU);

                    for (km_pfn p = pfn; p < pfn + (1u << order) && p < o->os->p.max_low_pfn; p++)
                        o->listed[p] = 1;
                }
            }
    if (o->listed) {
        note_range(o, o->os->mem_map_va, km_page_va(o->os, o->os->mem_map_end));
        note_range(o, o->os->p.page_offset + (km_vaddr)o->os->p.static_pa, o->os->static_end_va);
    }
    return o->listed != NULL;
}

static bool frames_taken(const struct km_objects *o, km_pfn traced, unsigned order)
{
    const km_pfn head = km_obj_where(o, traced, order);

    if (head == KM_PFN_NONE)
        return false;
    for (km_pfn p = head; p < head + (1u << order); p++) {
        km_pfn block;
        unsigned block_order;

        if (p >= o->os->p.max_low_pfn || o->listed[p] || p < o->os->mem_map_pfn ||
            p >= o->os->mem_map_end || km_pfn_zone(o->os, p) == KM_NR_ZONES ||
            km_buddy_find(o->os, o->os_window, p, &block, &block_order))
            return false;
    }
    return true;
}

/* Order of the unclaimed block of slab frames that starts at p; -1: none does. */
static int slab_block_at(const struct km_objects *o, km_pfn p)
{
    int order = 0;

    if (!bit(page_bits(o, p), KPF_SLAB) || bit(page_bits(o, p), KPF_TAIL))
        return -1;
    while (order < (int)KM_NR_ORDERS && bit(page_bits(o, p), KPF_HEAD) &&
           bit(page_bits(o, p + (1u << order)), KPF_TAIL))
        order++;
    return order < (int)KM_NR_ORDERS ? order : -1;
}

static bool add_frame(struct obj_frames *f, uint32_t *room, km_pfn pfn)
{
    if (f->nr == *room) {
        uint32_t bigger = *room ? 2 * *room : 256;
        km_pfn *grown = realloc(f->pfn, bigger * sizeof(*grown));

        if (!grown)
            return false;
        f->pfn = grown;
        *room = bigger;
    }
    f->pfn[f->nr++] = pfn;
    return true;
}

/* Frames of slabs nobody touches, by order. */
static bool collect_shown(struct km_objects *o, const struct km_u32map *known)
{
    uint32_t room[KM_NR_ORDERS] = {0};

    for (km_pfn p = 1; p < o->p.max_low_pfn; p++) {
        int order = slab_block_at(o, p);

        /* A slab that the trace releases is an ordinary page if its cache is not known. */
        if (order < 0 || o->frame[p] != OBJ_FRAME_START || km_u32map_get(known, p + 1) ||
            !frames_taken(o, p, (unsigned)order))
            continue;
        if (!add_frame(&o->start_frames[order], &room[order], p))
            return false;
    }
    return true;
}

static bool all_spare(const struct km_objects *o, const uint8_t *used, km_pfn pfn, unsigned order)
{
    for (km_pfn p = pfn; p < pfn + (1u << order); p++)
        if (p >= o->p.max_low_pfn || used[p] ||
            (o->spare ? !o->spare[p] : o->frame[p] != OBJ_FRAME_START || o->frame_slab[p]))
            return false;
    return true;
}

/* Nobody recorded where the slabs were. Boot: any frames taken before the trace will do. Running,
 * without a snapshot: any that are taken and that no event of the trace names. Blocks that large
 * slabs need are set aside first. */
static bool collect_spare(struct builder *b)
{
    struct km_objects *o = b->o;
    uint8_t *used = calloc(o->p.max_low_pfn, 1);
    uint32_t room[KM_NR_ORDERS] = {0};
    bool ok = used != NULL;

    for (uint32_t i = 0; ok && i < b->nr; i++)
        memset(
            used + b->slab[i].head, 1,
            km_min_u64(1u << o->cache[b->slab[i].cache].order, o->p.max_low_pfn - b->slab[i].head));
    for (int order = KM_SLUB_MAX_ORDER; ok && order >= 0; order--) {
        uint64_t wanted = order ? BOOT_BLOCKS : UINT32_MAX;

        for (unsigned i = 0; order && i < o->nr_cache; i++)
            if (o->cache[i].order == (unsigned)order)
                wanted += o->cache[i].num_slabs;
        for (km_pfn p = 0; ok && wanted && p < o->p.max_low_pfn; p += 1u << order) {
            if (!all_spare(o, used, p, (unsigned)order) || !frames_taken(o, p, (unsigned)order))
                continue;
            memset(used + p, 1, 1u << order);
            ok = add_frame(&o->start_frames[order], &room[order], p);
            wanted--;
        }
    }
    free(used);
    return ok;
}

static bool collect_frames(struct builder *b)
{
    struct km_objects *o = b->o;

    if (have_pageflags(o))
        return collect_shown(o, &b->by_head);
    return o->p.boot && !o->spare ? true : collect_spare(b);
}

/* ---- slabs the trace touches
 * ------------------------------------------------------------------------- */

static uint16_t record_cache(struct km_objects *o, const struct obj_start *r, km_pfn pfn)
{
    if (r->cache != KM_OBJ_NO_CACHE)
        return r->cache;
    if (o->frame_cache[pfn] != KM_OBJ_NO_CACHE)
        return o->frame_cache[pfn];
    return r->key != KM_OBJ_NO_KEY ? km_obj_key_cache(o, r->key) : KM_OBJ_NO_CACHE;
}

static struct obj_start_slab *slab_for(struct builder *b, km_pfn head, uint16_t cache)
{
    uint32_t *index = km_u32map_get(&b->by_head, head + 1);

    if (index)
        return b->slab[*index].cache == cache ? &b->slab[*index] : NULL;
    if (!is_slab_block(b->o, head, b->o->cache[cache].order) ||
        !frames_taken(b->o, head, b->o->cache[cache].order))
        return NULL;
    if (b->nr == b->room) {
        uint32_t room = b->room ? 2 * b->room : 1024;
        struct obj_start_slab *grown = realloc(b->slab, room * sizeof(*grown));

        if (!grown)
            return NULL;
        b->slab = grown;
        b->room = room;
    }
    if (!km_u32map_put(&b->by_head, head + 1, b->nr))
        return NULL;
    b->slab[b->nr] = (struct obj_start_slab){.head = head, .cache = cache};
    return &b->slab[b->nr++];
}

/* Files one record under its slab. */
static void place_record(struct builder *b, uint32_t i)
{
    struct km_objects *o = b->o;
    struct obj_start *r = &o->start[i];
    km_pfn pfn;

    r->next = 0;
    if (!km_obj_lowmem(o, r->ptr, &pfn))
        return;
    uint16_t id = record_cache(o, r, pfn);

    if (id == KM_OBJ_NO_CACHE || !km_obj_cache_geometry(o, &o->cache[id])) {
        r->cache = KM_OBJ_NO_CACHE;
        return;
    }
    const struct obj_cache *c = &o->cache[id];
    km_pfn head = pfn & ~((1u << c->order) - 1);
    uint32_t offset = r->ptr - (o->p.page_offset + (head << KM_PAGE_SHIFT));
    struct obj_start_slab *s = NULL;

    if (offset % c->size == 0 && offset / c->size < c->objects)
        s = slab_for(b, head, id);
    r->cache = s ? id : KM_OBJ_NO_CACHE;
    if (!s)
        return;
    if (s->last)
        o->start[s->last - 1].next = i + 1;
    else
        s->first = i + 1;
    s->last = i + 1;
    s->nr_free += !r->live;
    s->nr_records++;
}

/* Address of an object of the traced block at `head` whose frames are those at pfn here. */
static km_vaddr model_va(const struct km_objects *o, km_pfn head, km_pfn pfn, uint32_t traced)
{
    return km_pfn_to_va(o->os, pfn) + (traced - o->p.page_offset - (head << KM_PAGE_SHIFT));
}

/* Released slabs: objects without a record join the free ones. */
static void add_untouched(struct builder *b, const struct obj_start_slab *s,
                          struct km_slab_adoption *a)
{
    struct km_objects *o = b->o;
    const struct obj_cache *c = &o->cache[s->cache];
    uint32_t traced = o->p.page_offset + (s->head << KM_PAGE_SHIFT);
    km_vaddr base = km_pfn_to_va(o->os, a->pfn);

    memset(b->touched, 0, c->objects);
    for (uint32_t i = s->first; i; i = o->start[i - 1].next)
        b->touched[(o->start[i - 1].ptr - traced) / c->size] = 1;
    for (uint32_t i = 0; i < c->objects; i++)
        if (!b->touched[i])
            b->list[a->nr_free++] = base + i * c->size;
}

static void adopt_known(struct builder *b, struct obj_start_slab *s)
{
    struct km_objects *o = b->o;
    struct obj_cache *c = &o->cache[s->cache];
    const km_pfn pfn = km_obj_where(o, s->head, c->order);
    struct km_slab_adoption a = {.pfn = pfn, .place = s->place, .cpu = s->cpu % o->os->p.cpus, .free = b->list};

    for (uint32_t i = s->first; i; i = o->start[i - 1].next)
        if (!o->start[i - 1].live && a.nr_free < c->objects)
            b->list[a.nr_free++] = model_va(o, s->head, pfn, o->start[i - 1].ptr);
    if (s->released)
        add_untouched(b, s, &a);
    if (!km_obj_same_shape(o, c) || !o->layer->p.ops->adopt(o->layer, b->cpu, c->c, &a))
        return;
    o->claimed(o->claimed_ctx, s->head, c->order);
    o->stats.start_slabs_seen++;
    o->stats.start_objects_free += a.nr_free;
    for (uint32_t i = s->first; i; i = o->start[i - 1].next)
        if (o->start[i - 1].live) {
            o->no_memory |= !km_u32map_put(&o->live, o->start[i - 1].ptr,
                                           model_va(o, s->head, pfn, o->start[i - 1].ptr));
            o->stats.start_objects_live++;
        }
}

static int by_rank(const void *a, const void *b)
{
    const struct obj_start_slab *x = a, *y = b;

    if (x->rank != y->rank)
        return x->rank < y->rank ? -1 : 1;
    return x->head < y->head ? -1 : x->head > y->head;
}

static void adopt_all(struct builder *b)
{
    if (b->nr)
        qsort(b->slab, b->nr, sizeof(*b->slab), by_rank); /* by_head is not used from here on */
    for (uint32_t i = 0; i < b->nr; i++)
        adopt_known(b, &b->slab[i]);
}

/* Slabs nothing touches, up to the counts of the start: full ones, and partial ones on the node
 * list. */
static void fill_cache(struct builder *b, struct obj_cache *c)
{
    struct km_objects *o = b->o;
    struct km_slabinfo info;
    struct obj_frames *f = &o->start_frames[c->order];

    o->layer->p.ops->info(o->layer, b->cpu->window, c->c, &info);
    uint64_t free_wanted = c->num_objs > c->active_objs ? c->num_objs - c->active_objs : 0;
    uint64_t free_have = info.num_objs - info.active_objs;
    uint32_t partial_have = km_peek32(b->cpu->window, c->c->node_va + KM_KCN_NR_PARTIAL);
    uint64_t partial_left = c->partial > partial_have ? c->partial - partial_have : 0;
    uint64_t free_left = free_wanted > free_have ? free_wanted - free_have : 0;

    for (uint64_t have = info.num_slabs; have < c->num_slabs && f->next < f->nr; have++) {
        km_pfn traced = f->pfn[f->next++];
        struct km_slab_adoption a = {.pfn = km_obj_where(o, traced, c->order),
                                     .place = KM_PLACE_NODE_PARTIAL,
                                     .free = b->list};
        km_vaddr base = km_pfn_to_va(o->os, a.pfn);

        if (partial_left) {
            uint64_t share = (free_left + partial_left - 1) / partial_left;

            a.nr_free = (uint32_t)km_min_u64(share, c->objects);
            for (uint32_t i = 0; i < a.nr_free; i++)
                b->list[i] = base + i * c->size;
            free_left -= km_min_u64(free_left, a.nr_free);
            partial_left--;
        }
        if (!o->layer->p.ops->adopt(o->layer, b->cpu, c->c, &a))
            return;
        o->claimed(o->claimed_ctx, traced, c->order);
        o->stats.start_slabs_filled++;
    }
}

/* ---- the layer
 * --------------------------------------------------------------------------------------- */

static bool create_caches(struct builder *b)
{
    struct km_objects *o = b->o;

    for (unsigned i = 0; i < o->nr_cache; i++) {
        struct obj_cache *c = &o->cache[i];

        c->c = km_kmem_cache_by_name(o->layer, c->name);
        km_obj_cache_geometry(o, c);
        if (!c->c && (c->from_bundle || c->size || c->object_size))
            km_obj_cache_create(o, b->cpu, c);
    }
    return true;
}

/* What the layer's own objects left over in their slabs is no free room of the traced kernel: use
 * it up. */
static void use_up(struct builder *b)
{
    struct km_objects *o = b->o;

    for (unsigned i = 0; i < o->layer->nr_cache; i++) {
        struct km_kmem_cache *c = &o->layer->cache[i];
        uint64_t objects;

        if (!c->used)
            continue;
        objects = km_peek32(b->cpu->window, c->node_va + KM_KCN_TOTAL_OBJECTS);
        while (c->stats.allocs - c->stats.frees < objects)
            if (!o->layer->p.ops->alloc(o->layer, b->cpu, c, KM_GFP_KERNEL))
                break;
            else
                c->stats.allocs++;
        km_kmem_cache_shrink(o->layer, b->cpu, c); /* the full slab leaves the CPU */
    }
}

static void note_released(const struct km_objects *o, struct obj_start_slab *s)
{
    uint32_t objects = o->cache[s->cache].objects;

    s->released = o->frame[s->head] != OBJ_FRAME_START && s->nr_records <= objects;
    if (s->released)
        s->nr_free += objects - s->nr_records;
}

static int build(struct builder *b, struct km_err *err)
{
    struct km_objects *o = b->o;
    struct km_slab_params p = {.ops = o->p.slab,
                               .src = {.alloc = src_alloc, .free = src_free, .ctx = o},
                               .min_objects_cpus = 0,
                               .merge = false,
                               .lines = o->p.lines};

    for (unsigned i = 0; i < o->nr_cache; i++)
        km_obj_cache_geometry(o, &o->cache[i]);
    for (uint32_t i = 0; i < o->nr_start; i++)
        place_record(b, i);
    if (!collect_frames(b))
        return km_fail(err, KM_E_NOMEM, NULL, 0, 0, "out of memory for the slabs of the start");
    o->starting = true;
    if (!km_slab_init(o->layer, o->os, b->cpu, &p) || !create_caches(b))
        return km_fail(err, KM_E_NOMEM, NULL, 0, 0,
                       "the simulated machine has no memory for its slab caches");
    if (o->layer->p.ops->adopt) {
        use_up(b);
        for (uint32_t i = 0; i < b->nr; i++)
            note_released(o, &b->slab[i]);
        if (!km_obj_choose_places(o, b->slab, b->nr))
            return km_fail(err, KM_E_NOMEM, NULL, 0, 0, "out of memory for the slabs of the start");
        adopt_all(b);
    }
    for (unsigned i = 0; i < o->nr_cache; i++)
        if (km_obj_same_shape(o, &o->cache[i]) && o->cache[i].num_slabs)
            fill_cache(b, &o->cache[i]);
    km_obj_rebuild(o, b->cpu, b->slab, b->nr);
    o->starting = false;
    for (unsigned i = 0; i < o->nr_cache; i++)
        if (o->cache[i].c)
            o->cache[i].start_slabs = o->cache[i].c->stats.slabs_created;
    return KM_OK;
}

int km_objects_start(struct km_objects *o, struct km_os *os, struct km_cpu *cpu,
                     void (*claimed)(void *ctx, km_pfn pfn, unsigned order), void *ctx,
                     struct km_err *err)
{
    struct builder b = {.o = o,
                        .cpu = cpu,
                        .list = calloc(MAX_OBJECTS, sizeof(km_vaddr)),
                        .touched = calloc(MAX_OBJECTS, 1)};
    int rc;

    km_obj_scan_finish(o);
    o->os = os;
    o->os_window = cpu->window;
    o->claimed = claimed;
    o->claimed_ctx = ctx;
    o->buddy = km_page_src_buddy(os);
    o->layer = calloc(1, sizeof(*o->layer));
    if (!o->layer || !b.list || !b.touched || !note_listed(o))
        rc = km_fail(err, KM_E_NOMEM, NULL, 0, 0, "out of memory");
    else
        rc = build(&b, err);
    if (rc == KM_OK && o->no_memory)
        rc = km_fail(err, KM_E_NOMEM, NULL, 0, 0, "out of memory looking ahead for objects");
    free(b.list);
    free(b.touched);
    free(o->listed);
    o->listed = NULL;
    free(b.slab);
    km_u32map_release(&b.by_head);
    free(o->start);
    o->start = NULL;
    o->nr_start = o->room_start = 0;
    for (unsigned i = 0; i < KM_NR_ORDERS; i++) {
        free(o->start_frames[i].pfn);
        o->start_frames[i] = (struct obj_frames){0};
    }
    return rc;
}
