/* SPDX-License-Identifier: MIT
 * objects_owner.c - what of the simulated slab layer lies in a cache line: an object (with the call
 * site that allocated it last) or a structure of the layer itself.
 *
 * The answer is of the moment it is asked for: a line may have belonged to another object before.
 */
#include "sim/workload/objects_priv.h"

#include "models/os/slub.h"

#include <stdio.h>

static bool inside(km_vaddr va, km_vaddr start, uint32_t bytes, uint32_t *offset)
{
    *offset = va - start;
    return start && va >= start && va - start < bytes;
}

/* kmem_cache, kmem_cache_node and kmem_cache_cpu of one cache. */
static bool in_cache_structures(const struct km_slab_layer *l, const struct km_kmem_cache *c,
                                km_vaddr va, struct km_line_owner *out)
{
    if (inside(va, c->va, l->p.ops->cache_bytes, &out->offset)) {
        snprintf(out->name, sizeof(out->name), "kmem_cache of %s", c->name);
        return true;
    }
    if (l->p.ops->node_bytes && inside(va, c->node_va, l->p.ops->node_bytes, &out->offset)) {
        snprintf(out->name, sizeof(out->name), "kmem_cache_node of %s", c->name);
        return true;
    }
    for (unsigned cpu = 0; l->p.ops == &km_slub_ops && cpu < l->os->p.cpus; cpu++)
        if (inside(va, km_slab_percpu(l, c, cpu), KM_KCC_BYTES, &out->offset)) {
            snprintf(out->name, sizeof(out->name), "kmem_cache_cpu of %s, CPU %u", c->name, cpu);
            return true;
        }
    return false;
}

static bool in_layer(const struct km_slab_layer *l, km_vaddr va, struct km_line_owner *out)
{
    for (unsigned i = 0; i < l->nr_cache; i++)
        if (l->cache[i].used && in_cache_structures(l, &l->cache[i], va, out))
            return true;
    return false;
}

bool km_objects_owner(const struct km_objects *o, const uint8_t *window, km_vaddr va,
                      uint32_t line_bytes, struct km_line_owner *out)
{
    struct km_slab_object obj, last;

    if (in_layer(o->layer, va, out))
        return true;
    if (!km_slab_object_at(o->layer, window, va, &obj))
        return false;
    const uint32_t *site = km_u32map_get(&o->site, obj.va);

    snprintf(out->name, sizeof(out->name), "%s", obj.cache->name);
    out->offset = obj.offset;
    out->object = true;
    out->object_va = obj.va;
    out->object_index = obj.index;
    out->object_bytes = obj.cache->object_size;
    out->objects = 1;
    if (km_slab_object_at(o->layer, window, va + line_bytes - 1, &last))
        out->objects = last.index - obj.index + 1;
    if (site)
        snprintf(out->site, sizeof(out->site), "%s",
                 *site ? km_trace_string(o->trace, *site) : "(unknown)");
    return true;
}
