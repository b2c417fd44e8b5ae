/* SPDX-License-Identifier: MIT
 * slub_check.c - SLUB's invariants and its /proc/slabinfo numbers, by untimed views of guest
 * memory.
 *
 * Checked per cache, for every slab that can be found (current, cpu partial, node partial):
 *   its page is marked as a slab and points back to the cache; its free objects are distinct,
 * aligned members; counters.inuse = objects - length of the slab's own list; frozen exactly on the
 * CPU side; no slab stands in two places; nr_partial = length of the node list; a node-partial slab
 * has free objects; a cpu-partial list counts itself; found slabs <= nr_slabs. slabinfo (E6):
 * objects that wait in current and cpu-partial slabs count as active.
 */
#include "models/os/slub.h"

#include <string.h>

#define MAX_OBJECTS 32768u

struct walk {
    const struct km_slab_layer *l;
    const uint8_t *window;
    const struct km_kmem_cache *c;
    uint32_t found;
    uint8_t seen[MAX_OBJECTS / 8];
};

/* Marks every object of the list in seen; UINT32_MAX if one is foreign, twice there, or the list
 * too long. */
static uint32_t mark_list(struct walk *w, km_vaddr base, uint32_t objects, km_vaddr obj)
{
    uint32_t cnt = 0;

    for (; obj; obj = km_peek32(w->window, obj + w->c->free_pointer)) {
        uint32_t index = (obj - base) / w->c->size;

        if (obj < base || index >= objects || base + index * w->c->size != obj ||
            (w->seen[index / 8] >> index % 8 & 1))
            return UINT32_MAX;
        w->seen[index / 8] |= (uint8_t)(1u << index % 8);
        cnt++;
    }
    return cnt;
}

/* One slab; cpu_list: objects of the CPU's own free list (current slabs). */
static const char *check_slab(struct walk *w, km_vaddr slab, km_vaddr cpu_list, bool frozen,
                              uint32_t *free_out)
{
    uint32_t counters = km_peek32(w->window, slab + KM_SLAB_COUNTERS);
    km_vaddr base = km_pfn_to_va(w->l->os, km_page_pfn(w->l->os, slab)) + w->c->obj_offset;
    uint32_t objects = KM_SC_OBJECTS(counters);

    w->found++;
    if (!(km_peek32(w->window, slab + KM_PAGE_FLAGS) & KM_PG_SLAB))
        return "a slab's page is not marked as slab";
    if (km_peek32(w->window, slab + KM_SLAB_CACHE) != w->c->va)
        return "a slab belongs to another cache";
    if (objects != w->c->objects && objects != w->c->min_objects)
        return "a slab has an impossible number of objects";
    if (!(counters & KM_SC_FROZEN) == frozen)
        return frozen ? "a slab on the CPU side is not frozen"
                      : "a slab on the node list is frozen";
    memset(w->seen, 0, objects / 8 + 1);
    uint32_t own = mark_list(w, base, objects, km_peek32(w->window, slab + KM_SLAB_FREELIST));
    uint32_t cpus = mark_list(w, base, objects, cpu_list);

    if (own == UINT32_MAX || cpus == UINT32_MAX)
        return "a free list is damaged or holds an object twice";
    if (KM_SC_INUSE(counters) != objects - own)
        return "inuse does not match the slab's free list";
    *free_out = own + cpus;
    return NULL;
}

static bool on_cpu_side(const struct walk *w, km_vaddr slab, unsigned before_cpu)
{
    for (unsigned i = 0; i < before_cpu; i++) {
        km_vaddr kcc = km_slab_percpu(w->l, w->c, i);

        if (km_peek32(w->window, kcc + KM_KCC_SLAB) == slab)
            return true;
        for (km_vaddr s = km_peek32(w->window, kcc + KM_KCC_PARTIAL); s;
             s = km_peek32(w->window, s + KM_SLAB_NEXT))
            if (s == slab)
                return true;
    }
    return false;
}

static const char *check_cpu(struct walk *w, unsigned cpu)
{
    km_vaddr kcc = km_slab_percpu(w->l, w->c, cpu);
    km_vaddr current = km_peek32(w->window, kcc + KM_KCC_SLAB);
    km_vaddr list = km_peek32(w->window, kcc + KM_KCC_FREELIST);
    uint32_t expected = 0, free_objects;
    const char *bad;

    if (!current && list)
        return "a CPU has free objects but no slab";
    if (current) {
        if (on_cpu_side(w, current, cpu))
            return "a slab is on two CPUs";
        bad = check_slab(w, current, list, true, &free_objects);
        if (bad)
            return bad;
    }
    for (km_vaddr s = km_peek32(w->window, kcc + KM_KCC_PARTIAL); s;
         s = km_peek32(w->window, s + KM_SLAB_NEXT)) {
        uint32_t slabs = km_peek32(w->window, s + KM_SLAB_SLABS);

        if (slabs == 0 || (expected && slabs != expected - 1) || s == current ||
            on_cpu_side(w, s, cpu))
            return "a cpu-partial list is damaged";
        expected = slabs;
        bad = check_slab(w, s, 0, true, &free_objects);
        if (bad)
            return bad;
        if (!free_objects)
            return "a cpu-partial slab has no free object";
    }
    return expected > 1 ? "a cpu-partial list does not count down to 1" : NULL;
}

static const char *check_node(struct walk *w)
{
    km_vaddr head = w->c->node_va + KM_KCN_PARTIAL;
    uint32_t nr = 0, free_objects;

    for (km_vaddr e = km_peek32(w->window, head), prev = head; e != head;
         e = km_peek32(w->window, e)) {
        if (km_peek32(w->window, e + 4) != prev)
            return "the node's partial list is not doubly linked";
        const char *bad = check_slab(w, e - KM_SLAB_LIST, 0, false, &free_objects);

        if (bad)
            return bad;
        if (!free_objects)
            return "a full slab is on the node list";
        prev = e;
        nr++;
    }
    if (km_peek32(w->window, w->c->node_va + KM_KCN_LOCK))
        return "the node lock is held";
    return nr == km_peek32(w->window, w->c->node_va + KM_KCN_NR_PARTIAL) ? NULL
                                                                         : "nr_partial is wrong";
}

const char *km_slub_check(const struct km_slab_layer *l, const uint8_t *window,
                          const struct km_kmem_cache *c)
{
    struct walk w = {.l = l, .window = window, .c = c};
    const char *bad;

    for (unsigned i = 0; i < l->os->p.cpus; i++) {
        bad = check_cpu(&w, i);
        if (bad)
            return bad;
    }
    bad = check_node(&w);
    if (bad)
        return bad;
    uint32_t nr = km_peek32(window, c->node_va + KM_KCN_NR_SLABS);

    if (w.found > nr || nr != c->stats.slabs_created - c->stats.slabs_released)
        return "nr_slabs is wrong";
    return NULL;
}

void km_slub_info(const struct km_slab_layer *l, const uint8_t *window,
                  const struct km_kmem_cache *c, struct km_slabinfo *out)
{
    km_vaddr head = c->node_va + KM_KCN_PARTIAL;
    uint64_t free_objects = 0;

    (void)l;
    for (km_vaddr e = km_peek32(window, head); e != head; e = km_peek32(window, e)) {
        uint32_t counters = km_peek32(window, e - KM_SLAB_LIST + KM_SLAB_COUNTERS);

        free_objects += KM_SC_OBJECTS(counters) - KM_SC_INUSE(counters);
    }
    *out = (struct km_slabinfo){
        .num_objs = km_peek32(window, c->node_va + KM_KCN_TOTAL_OBJECTS),
        .num_slabs = km_peek32(window, c->node_va + KM_KCN_NR_SLABS),
        .objsize = c->size,
        .objs_per_slab = c->objects,
        .pages_per_slab = 1u << c->order,
    };
    out->active_objs = out->num_objs - free_objects;
    out->active_slabs = out->num_slabs;
}
