/* SPDX-License-Identifier: MIT
 * slab_geom.c - how SLAB lays objects out in a slab and how large a slab it wants.
 *
 * Three ways to keep the list of free objects (one byte per object, so at most 255 of them):
 *   in an object  the list lies in the last free object, if it fits and the contents of free
 *                 objects need not survive (no constructor, no RCU typing, no poison or zones);
 *   off slab      in an object of a kmalloc cache, if that is at most half of one of our objects
 *                 and the list would not have fitted into what is left over anyway;
 *   on slab       at the end of the slab, behind the objects.
 * Order: from 0 up until the left-over is at most 1/8 of the slab or the order limit (1 above 32
 * MiB of RAM, else 0) is reached; caches of reclaimable objects take the first order that holds
 * one. The left-over is used for colours: slabs start their objects at different lines.
 * References: kernel-behaviour notes E8.
 */
#include "models/base/bits.h"
#include "models/os/slab.h"
#include "models/os/slab_debug.h"

#define LINE_BYTES 32u
#define MAX_OBJECTS 255u
#define MIN_SIZE 16u /* so that a page never holds more than 256 objects */
#define LARGE_RAM_PAGES (32u << 20 >> KM_PAGE_SHIFT)

/* One index byte per object. */
static uint32_t list_bytes(uint32_t objects)
{
    return objects;
}

uint32_t km_slab_array_limit(uint32_t size)
{
    if (size > 128u << 10)
        return 1;
    if (size > KM_PAGE_BYTES)
        return 8;
    if (size > 1024)
        return 24;
    return size > 256 ? 54 : 120;
}

/* The kmalloc cache for an off-slab list; NULL if it is not there, keeps its own lists off slab
 * (it could recurse), or saves too little. */
static struct km_kmem_cache *list_cache(struct km_slab_layer *l, const struct km_kmem_cache *c,
                                        uint32_t objects)
{
    struct km_kmem_cache *list = km_kmalloc_cache(l, list_bytes(objects), KM_GFP_KERNEL);

    if (!list || list->slab.mgmt == KM_SLAB_MGMT_OFF || list->size > c->size / 2)
        return NULL;
    return list;
}

/* Order, number of objects and left-over bytes for one way of management; false: impossible. */
static bool choose_order(struct km_slab_layer *l, struct km_kmem_cache *c, enum km_slab_mgmt mgmt,
                         uint32_t *left)
{
    unsigned max_order = l->os->p.max_pfn > LARGE_RAM_PAGES ? 1 : 0;
    uint32_t per_object = c->size + (mgmt == KM_SLAB_MGMT_ON ? 1 : 0);

    c->objects = 0;
    for (unsigned order = 0; order < KM_NR_ORDERS; order++) {
        uint32_t bytes = KM_PAGE_BYTES << order, nr = bytes / per_object;
        struct km_kmem_cache *list = NULL;

        if (!nr)
            continue;
        if (nr > MAX_OBJECTS)
            break;
        if (mgmt == KM_SLAB_MGMT_OFF && !(list = list_cache(l, c, nr)))
            continue;
        c->objects = nr;
        c->order = order;
        c->slab.freelist_cache = list;
        *left = bytes - nr * per_object;
        if ((c->flags & KM_CACHE_RECLAIM_ACCOUNT) || order >= max_order || *left * 8 <= bytes)
            break;
    }
    return c->objects != 0;
}

static bool choose_management(struct km_slab_layer *l, struct km_kmem_cache *c, uint32_t *left)
{
    const uint32_t keeps =
        KM_CACHE_CTOR | KM_CACHE_TYPESAFE_BY_RCU | KM_CACHE_POISON | KM_CACHE_RED_ZONE;

    c->slab.mgmt = KM_SLAB_MGMT_OBJECT;
    if (!(c->flags & keeps) && choose_order(l, c, c->slab.mgmt, left) &&
        list_bytes(c->objects) <= c->object_size)
        return true;
    c->slab.mgmt = KM_SLAB_MGMT_OFF;
    if (choose_order(l, c, c->slab.mgmt, left) && *left < list_bytes(c->objects))
        return true;
    c->slab.mgmt = KM_SLAB_MGMT_ON;
    c->slab.freelist_cache = NULL;
    return choose_order(l, c, c->slab.mgmt, left);
}

bool km_slab_geometry(struct km_slab_layer *l, struct km_kmem_cache *c)
{
    uint32_t left = 0;

    km_slab_debug_layout_slab(c);
    if (c->size < MIN_SIZE)
        c->size = MIN_SIZE;
    c->size = (uint32_t)km_align_up(c->size, c->align);
    if (c->size > KM_PAGE_BYTES << (KM_NR_ORDERS - 1) || !choose_management(l, c, &left))
        return false;
    c->min_order = c->order;
    c->min_objects = c->objects;
    c->slab.freelist_bytes = list_bytes(c->objects);
    c->slab.colour_off = c->align > LINE_BYTES ? c->align : LINE_BYTES;
    c->slab.colour = left / c->slab.colour_off;
    c->slab.limit = km_slab_array_limit(c->size);
    c->slab.batch = (c->slab.limit + 1) / 2;
    c->slab.shared = c->size <= KM_PAGE_BYTES && l->os->p.cpus > 1 ? 8 : 0;
    c->allocflags = KM_GFP_COMP | (c->flags & KM_CACHE_DMA ? KM_GFP_DMA : 0) |
                    (c->flags & KM_CACHE_RECLAIM_ACCOUNT ? KM_GFP_RECLAIMABLE : 0);
    return true;
}
