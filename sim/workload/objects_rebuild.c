/* SPDX-License-Identifier: MIT
 * objects_rebuild.c - slabs of the start that the simulated slab layer would have shaped differently.
 *
 * SLAB and SLOB, and SLUB on another number of CPUs, cannot take over slabs of the traced kernel. What was live in them
 * is carried over instead: the frames of those slabs go back to the buddy lists; then every object slot of every such
 * slab, live or free, is allocated from the simulated slab layer in the order of the slabs; at last the slots that
 * were free are freed again. So each cache has the live objects it had, with holes where there were holes, in as many
 * pages as this slab layer needs for them. Objects the trace frees later are known by their traced address; the
 * others stay for good, as they do in the traced kernel.
 * Not carried: on which CPU's lists free objects lay (all are freed by CPU 0).
 */
#include "models/base/bits.h"
#include "models/os/page_alloc.h"
#include "sim/workload/objects_priv.h"

#include <stdlib.h>
#include <string.h>

#define MAX_SLOTS 32768u /* of a slab: the width of SLUB's counter */

enum slot { SLOT_LIVE, SLOT_KNOWN, SLOT_FREE };

struct rebuild {
    struct km_objects *o;
    struct km_cpu *cpu;
    struct obj_cache *c;
    uint8_t slot[MAX_SLOTS]; /* enum slot, of the slab at hand */
    km_vaddr *hole;
    uint32_t nr_hole, room_hole;
    uint64_t slabs, free, partial; /* done so far of this cache */
};

/* Bookkeeping of the traced slab layer itself: the simulated one has its own. */
static bool is_internal(const struct obj_cache *c)
{
    return !strcmp(c->name, "kmem_cache") || !strcmp(c->name, "kmem_cache_node");
}

static uint32_t kmalloc_gfp(const char *name)
{
    if (!strncmp(name, "dma-", 4))
        return KM_GFP_KERNEL | KM_GFP_DMA;
    if (!strncmp(name, "kmalloc-rcl-", 12))
        return KM_GFP_KERNEL | KM_GFP_RECLAIMABLE;
    return !strncmp(name, "kmalloc-cg-", 11) ? KM_GFP_KERNEL | KM_GFP_ACCOUNT : KM_GFP_KERNEL;
}

static km_vaddr allocate(struct rebuild *b)
{
    struct km_objects *o = b->o;
    struct obj_cache *c = b->c;
    km_vaddr va;

    if (strstr(c->name, "kmalloc-"))
        return km_kmalloc(o->layer, b->cpu, c->object_size ? c->object_size : c->size, kmalloc_gfp(c->name));
    if (!c->c && !km_obj_cache_create(o, b->cpu, c))
        return 0;
    va = km_kmem_cache_alloc(o->layer, b->cpu, c->c, KM_GFP_KERNEL);
    if (!km_obj_note_owner(o, c->c, va))
        o->no_memory = true;
    return va;
}

static bool remember_hole(struct rebuild *b, km_vaddr va)
{
    if (b->nr_hole == b->room_hole) {
        uint32_t room = b->room_hole ? 2 * b->room_hole : 1024;
        km_vaddr *grown = realloc(b->hole, room * sizeof(*grown));

        if (!grown)
            return false;
        b->hole = grown;
        b->room_hole = room;
    }
    b->hole[b->nr_hole++] = va;
    return true;
}

/* The slots of one slab, as b->slot says; at `base` in the traced kernel (0: nothing in it is known). */
static void fill_slab(struct rebuild *b, uint32_t base)
{
    for (uint32_t i = 0; i < b->c->objects; i++) {
        km_vaddr va = allocate(b);
        uint32_t traced = base + i * b->c->size;

        if (!va)
            return;
        if (b->slot[i] == SLOT_FREE) {
            b->o->no_memory |= !remember_hole(b, va);
        } else if (b->slot[i] == SLOT_KNOWN) {
            b->o->no_memory |= !km_u32map_put(&b->o->live, traced, va);
            b->o->stats.start_objects_live++;
        }
    }
}

static void read_slots(struct rebuild *b, const struct obj_start_slab *s, uint32_t base)
{
    struct km_objects *o = b->o;
    uint32_t nr_free = 0;

    memset(b->slot, SLOT_LIVE, b->c->objects);
    for (uint32_t i = s->first; i; i = o->start[i - 1].next) {
        const struct obj_start *r = &o->start[i - 1];

        b->slot[(r->ptr - base) / b->c->size] = r->live ? SLOT_KNOWN : SLOT_FREE;
        nr_free += !r->live;
    }
    b->slabs++;
    b->free += nr_free;
    b->partial += nr_free != 0;
    o->stats.start_objects_free += nr_free;
}

/* Slabs nothing touches: full, but for the free objects and partial slabs that are missing. */
static void guess_slots(struct rebuild *b)
{
    const struct obj_cache *c = b->c;
    uint64_t wanted = c->num_objs > c->active_objs ? c->num_objs - c->active_objs : 0;
    uint64_t left = wanted > b->free ? wanted - b->free : 0;
    uint64_t partial = c->partial > b->partial ? c->partial - b->partial : 0;
    uint32_t nr = partial ? (uint32_t)km_min_u64((left + partial - 1) / partial, c->objects) : 0;

    memset(b->slot, SLOT_LIVE, c->objects);
    memset(b->slot, SLOT_FREE, nr);
    b->slabs++;
    b->free += nr;
    b->partial += nr != 0;
}

static bool wanted(const struct km_objects *o, const struct obj_cache *c)
{
    return !km_obj_same_shape(o, c) && !is_internal(c) && c->size && c->objects && c->objects <= MAX_SLOTS;
}

/* Gives a traced slab's frames back; false if they are no block here. */
static bool release(struct rebuild *b, km_pfn head)
{
    struct km_objects *o = b->o;
    km_pfn pfn = km_obj_where(o, head, b->c->order);

    if (pfn == KM_PFN_NONE)
        return false;
    o->claimed(o->claimed_ctx, head, b->c->order);
    km_free_pages_to_tail(o->os, b->cpu, pfn, b->c->order);
    return true;
}

static void rebuild_cache(struct rebuild *b, const struct obj_start_slab *slab, uint32_t nr, uint16_t id)
{
    struct km_objects *o = b->o;
    struct obj_frames *f = &o->start_frames[b->c->order];

    b->slabs = b->free = b->partial = 0;
    for (uint32_t i = 0; i < nr; i++) {
        uint32_t base = o->p.page_offset + (slab[i].head << KM_PAGE_SHIFT);

        if (slab[i].cache != id || !release(b, slab[i].head))
            continue;
        read_slots(b, &slab[i], base);
        fill_slab(b, base);
        o->stats.start_slabs_seen++;
    }
    while (b->slabs < b->c->num_slabs && f->next < f->nr) {
        if (!release(b, f->pfn[f->next++]))
            continue;
        guess_slots(b);
        fill_slab(b, 0);
        o->stats.start_slabs_filled++;
    }
    while (b->nr_hole)
        km_obj_free(o, b->cpu, b->hole[--b->nr_hole]);
}

void km_obj_rebuild(struct km_objects *o, struct km_cpu *cpu, const struct obj_start_slab *slab, uint32_t nr)
{
    struct rebuild *b = calloc(1, sizeof(*b));

    if (!b) {
        o->no_memory = true;
        return;
    }
    b->o = o;
    b->cpu = cpu;
    o->rebuilding = true;
    for (unsigned i = 0; i < o->nr_cache; i++) {
        b->c = &o->cache[i];
        if (wanted(o, b->c))
            rebuild_cache(b, slab, nr, (uint16_t)i);
    }
    o->rebuilding = false;
    free(b->hole);
    free(b);
}
