/* SPDX-License-Identifier: MIT
 * slub_geom.c - how SLUB lays objects out in a slab and how large a slab it wants.
 *
 * Object:  [ object_size ... free pointer in the middle ... | pad to align ], or the free pointer
 * behind the object if its contents must survive a free (constructor, TYPESAFE_BY_RCU). Slab: the
 * smallest order up to 3 that holds at least min_objects with at most 1/16, then 1/8, then 1/4 of
 * it wasted; if none does, fewer objects; min_objects = 4 * (fls(cpus) + 1). Checked: all caches of
 * two real machines (1 and 2 CPUs), tests/unit/os/test_slub_geom.c. Reference: kernel-behaviour
 * notes E2, E3.
 */
#include "models/base/bits.h"
#include "models/os/slab_debug.h"
#include "models/os/slub.h"

#define WORD 4u
#define MAX_OBJECTS 32767u /* 15 bits in slab->counters */

static uint32_t slab_bytes(unsigned order)
{
    return KM_PAGE_BYTES << order;
}

uint32_t km_slub_align(uint32_t flags, uint32_t align, uint32_t size, uint32_t line_bytes)
{
    if (flags & KM_CACHE_HWCACHE_ALIGN) {
        uint32_t ralign = line_bytes;

        while (size <= ralign / 2)
            ralign /= 2;
        if (ralign > align)
            align = ralign;
    }
    if (align < KM_SLUB_MIN_ALIGN)
        align = KM_SLUB_MIN_ALIGN;
    return (uint32_t)km_align_up(align, WORD);
}

static unsigned order_for_bytes(uint64_t bytes)
{
    return km_order_of((bytes + KM_PAGE_BYTES - 1) >> KM_PAGE_SHIFT);
}

/* Smallest order that holds min_objects and wastes at most 1/fraction; above max_order if there is
 * none. */
static unsigned fitting_order(uint32_t size, unsigned min_objects, unsigned max_order,
                              unsigned fraction)
{
    unsigned order = order_for_bytes((uint64_t)min_objects * size);

    if (slab_bytes(0) / size > MAX_OBJECTS)
        return order_for_bytes((uint64_t)MAX_OBJECTS * size) - 1;
    while (order <= max_order) {
        if (slab_bytes(order) % size <= slab_bytes(order) / fraction)
            break;
        order++;
    }
    return order;
}

unsigned km_slub_order(uint32_t size, unsigned min_objects)
{
    unsigned most = slab_bytes(KM_SLUB_MAX_ORDER) / size;
    unsigned order;

    if (min_objects > most)
        min_objects = most;
    for (; min_objects > 1; min_objects--) {
        for (unsigned fraction = 16; fraction >= 4; fraction /= 2) {
            order = fitting_order(size, min_objects, KM_SLUB_MAX_ORDER, fraction);
            if (order <= KM_SLUB_MAX_ORDER)
                return order;
        }
    }
    order = fitting_order(size, 1, KM_SLUB_MAX_ORDER, 1);
    if (order <= KM_SLUB_MAX_ORDER)
        return order;
    return fitting_order(size, 1, KM_NR_ORDERS - 1, 1);
}

static uint32_t cpu_partial_objects(const struct km_personality *pers, uint32_t size)
{
    if (size >= KM_PAGE_BYTES)
        return pers->slub_cpu_partial[0];
    if (size >= 1024)
        return pers->slub_cpu_partial[1];
    return pers->slub_cpu_partial[size >= 256 ? 2 : 3];
}

/* A slab counts as half full (5.16), or before with the objects free when it came: nearly always one. */
static uint32_t cpu_partial_slabs(const struct km_personality *pers, const struct km_kmem_cache *c)
{
    if (!pers->slub_cpu_partial_by_slabs)
        return c->cpu_partial;
    return (2 * c->cpu_partial + c->objects - 1) / c->objects;
}

bool km_slub_geometry(const struct km_personality *pers, unsigned cpus, struct km_kmem_cache *c)
{
    km_slab_debug_layout_slub(c, pers->slub_free_pointer_middle);
    if (c->size > slab_bytes(KM_NR_ORDERS - 1))
        return false;

    c->order = km_slub_order(c->size, pers->slub_min_objects_scale * (km_fls(cpus) + 1));
    if (c->order >= KM_NR_ORDERS)
        return false;
    c->min_order = order_for_bytes(c->size);
    c->objects = slab_bytes(c->order) / c->size;
    c->min_objects = slab_bytes(c->min_order) / c->size;
    c->cpu_partial = c->flags & KM_CACHE_DEBUG ? 0 : cpu_partial_objects(pers, c->size);
    c->cpu_partial_slabs = cpu_partial_slabs(pers, c);
    c->min_partial = (uint32_t)km_max_u64(5, km_min_u64(10, km_log2(c->size) / 2));
    c->allocflags = (c->order ? KM_GFP_COMP : 0) | (c->flags & KM_CACHE_DMA ? KM_GFP_DMA : 0) |
                    (c->flags & KM_CACHE_RECLAIM_ACCOUNT ? KM_GFP_RECLAIMABLE : 0);
    return true;
}
