/* SPDX-License-Identifier: MIT
 * slab_watch.c - see slab_watch.h.
 *
 * Invariants: with live bits, a bit is set exactly between the end of an allocation and the
 * beginning of its free. Host state only: no reference of a CPU is made here.
 */
#include "models/os/slab_watch.h"

static bool watching(const struct km_slab_layer *l)
{
    return l->p.watch.live != NULL;
}

static bool in_range(const struct km_slab_layer *l, km_vaddr obj)
{
    return obj >= l->os->p.page_offset && (obj - l->os->p.page_offset) / 64 < l->p.watch.live_bytes;
}

static bool is_live(const struct km_slab_layer *l, km_vaddr obj)
{
    uint32_t bit = (obj - l->os->p.page_offset) / 8;

    return in_range(l, obj) && obj % 8 == 0 && (l->p.watch.live[bit / 8] >> bit % 8 & 1);
}

static void set_live(struct km_slab_layer *l, km_vaddr obj, bool live)
{
    uint32_t bit = (obj - l->os->p.page_offset) / 8;

    if (!in_range(l, obj))
        return;
    if (live)
        l->p.watch.live[bit / 8] |= (uint8_t)(1u << bit % 8);
    else
        l->p.watch.live[bit / 8] &= (uint8_t) ~(1u << bit % 8);
}

/* The entry obj would have; NULL without a table. */
static struct km_slab_note *slot_of(const struct km_slab_layer *l, km_vaddr obj)
{
    uint32_t hash = (obj >> 3) * 2654435761u;

    return l->p.watch.nr_notes ? &l->p.watch.note[(hash >> 8) % l->p.watch.nr_notes] : NULL;
}

static struct km_slab_note *note_of(const struct km_slab_layer *l, km_vaddr obj)
{
    struct km_slab_note *n = slot_of(l, obj);

    return n && n->va == obj ? n : NULL;
}

void km_slab_misuse(struct km_slab_layer *l, const struct km_cpu *cpu, enum km_misuse_kind kind,
                    const struct km_kmem_cache *c, km_vaddr obj)
{
    const struct km_slab_note *n = obj ? note_of(l, obj) : NULL;
    struct km_misuse m = {.kind = kind,
                          .obj = obj,
                          .cache = c ? c->name : NULL,
                          .cpu = cpu->id,
                          .call_site = l->call_site[cpu->id]};

    if (n) {
        m.alloc_site = n->alloc_site;
        m.free_site = n->free_site;
        if (kind == KM_MISUSE_WRONG_CACHE && n->cache)
            m.owner = n->cache->name;
    } else if (obj && c && c->dbg.tracks == 2 && kind >= KM_MISUSE_RED_ZONE) {
        m.alloc_site = km_peek32(cpu->window, obj + c->dbg.track_off);
        m.free_site = km_peek32(cpu->window, obj + c->dbg.track_off + 16);
    }
    l->misuse[kind]++;
    if (l->p.watch.report)
        l->p.watch.report(l->p.watch.ctx, &m);
}

void km_slab_watch_alloc(struct km_slab_layer *l, const struct km_cpu *cpu,
                         const struct km_kmem_cache *c, km_vaddr obj)
{
    if (!watching(l) || !obj)
        return;
    set_live(l, obj, true);
    struct km_slab_note *n = slot_of(l, obj);

    if (n)
        *n = (struct km_slab_note){.va = obj, .alloc_site = l->call_site[cpu->id], .cache = c};
}

void km_slab_watch_adopted(struct km_slab_layer *l, km_vaddr obj)
{
    if (watching(l))
        set_live(l, obj, true);
}

/* What is wrong with freeing an address that is not live? */
static enum km_misuse_kind judge_dead(struct km_slab_layer *l, const uint8_t *window, km_vaddr obj)
{
    const struct km_os *os = l->os;
    const struct km_slab_note *n = note_of(l, obj);
    km_pfn pfn = km_va_to_pfn(os, obj);

    if (obj < os->p.page_offset || !km_pfn_is_low(os, pfn) || pfn < os->mem_map_pfn ||
        pfn >= os->mem_map_end)
        return KM_MISUSE_FOREIGN;
    if (n && n->freed)
        return KM_MISUSE_DOUBLE_FREE;
    km_vaddr page = km_page_va(os, pfn);
    uint32_t head = km_peek32(window, page + KM_PAGE_COMPOUND_HEAD);
    km_vaddr block = head & 1 ? head - 1 : page;

    if (!(km_peek32(window, block + KM_PAGE_FLAGS) & KM_PG_SLAB))
        return is_live(l, km_pfn_to_va(os, km_page_pfn(os, block))) ? KM_MISUSE_INTERIOR
                                                                    : KM_MISUSE_FOREIGN;
    if (!l->p.ops->first_object)
        return KM_MISUSE_INTERIOR;
    const struct km_kmem_cache *c = km_slab_cache(l, window, block);
    km_vaddr first = l->p.ops->first_object(l, window, c, block);

    return obj >= first && (obj - first) % c->size == 0 && (obj - first) / c->size < c->objects
               ? KM_MISUSE_DOUBLE_FREE
               : KM_MISUSE_INTERIOR;
}

/* Cache of a live object; NULL: not known or none. */
static struct km_kmem_cache *owner_of(struct km_slab_layer *l, const uint8_t *window, km_vaddr obj)
{
    const struct km_slab_note *n = note_of(l, obj);

    if (l->p.ops->first_object)
        return km_kmem_cache_of(l, window, obj);
    return n && n->cache ? &l->cache[n->cache - l->cache] : NULL;
}

bool km_slab_watch_free(struct km_slab_layer *l, struct km_cpu *cpu, struct km_kmem_cache **c,
                        km_vaddr obj)
{
    if (!watching(l))
        return true;
    if (!is_live(l, obj)) {
        km_slab_misuse(l, cpu, judge_dead(l, cpu->window, obj), *c, obj);
        return false;
    }
    struct km_kmem_cache *owner = owner_of(l, cpu->window, obj);
    struct km_slab_note *n = note_of(l, obj);
    bool known = l->p.ops->first_object || n;

    if (known && owner != *c && (*c || !l->p.ops->first_object)) {
        km_slab_misuse(l, cpu, KM_MISUSE_WRONG_CACHE, *c, obj);
        *c = owner;
    }
    set_live(l, obj, false);
    if (n) {
        n->freed = true;
        n->free_site = l->call_site[cpu->id];
    }
    return true;
}

void km_slab_watch_destroy(struct km_slab_layer *l, const struct km_cpu *cpu,
                           const struct km_kmem_cache *c)
{
    km_vaddr obj = 0; /* the lowest live object somebody remembers */

    for (uint32_t i = 0; i < l->p.watch.nr_notes; i++) {
        const struct km_slab_note *n = &l->p.watch.note[i];

        if (n->va && n->cache == c && !n->freed && (!obj || n->va < obj))
            obj = n->va;
    }
    km_slab_misuse(l, cpu, KM_MISUSE_DESTROY_LIVE, c, obj);
}
