/* SPDX-License-Identifier: MIT
 * slab_check.c - SLAB's invariants and its /proc/slabinfo numbers, by untimed views of guest
 * memory.
 *
 * Checked per cache and node: the three lists are doubly linked and hold what their names say
 * (full: active = objects; partial: between; free: 0); every slab's page is marked and points back
 * to the cache and lies on that node; objects start on a colour, inside the block; the free-list
 * bytes from [active] on name distinct objects, and the list is where its kind of management puts
 * it; total, free-slab and free-object counters.
 * Over all stacks (arrays, shared, alien): avail <= limit, every entry is an object of the cache
 * that its slab counts as active, and no object stands twice. Live = active - stacked = allocated -
 * freed. slabinfo: active objects include those that wait in stacks; active slabs are full or
 * partial ones.
 */
#include "models/base/bits.h"
#include "models/os/slab.h"

#include <string.h>

#define SEEN_BITS 4096u /* hashed object addresses; a hit is confirmed by walking */

struct walk {
    const struct km_slab_layer *l;
    const uint8_t *w;
    const struct km_kmem_cache *c;
    uint64_t active, slabs, stacked;
    uint32_t seen[SEEN_BITS / 32];
};

static uint32_t word(const struct walk *k, km_vaddr va)
{
    return km_peek32(k->w, va);
}

static const char *check_freelist(const struct walk *k, km_vaddr slab, uint32_t active)
{
    km_vaddr list = word(k, slab + KM_SLABD_FREELIST), s_mem = word(k, slab + KM_SLABD_S_MEM);
    uint8_t seen[256 / 8] = {0};

    if (active == k->c->objects)
        return k->c->slab.mgmt == KM_SLAB_MGMT_OBJECT && list ? "a full slab has a free list"
                                                              : NULL;
    for (uint32_t i = active; i < k->c->objects; i++) {
        uint8_t index = k->w[list + i];

        if (index >= k->c->objects || (seen[index / 8] >> index % 8 & 1))
            return "a free list names no object or one twice";
        seen[index / 8] |= (uint8_t)(1u << index % 8);
    }
    if (k->c->slab.mgmt == KM_SLAB_MGMT_OBJECT &&
        list != s_mem + k->w[list + k->c->objects - 1] * k->c->size)
        return "the free list is not in its last object";
    return NULL;
}

static const char *check_slab(struct walk *k, km_vaddr slab, unsigned node)
{
    const struct km_kmem_cache *c = k->c;
    km_pfn pfn = km_page_pfn(k->l->os, slab);
    uint32_t colour = word(k, slab + KM_SLABD_S_MEM) - km_pfn_to_va(k->l->os, pfn);
    uint32_t active = word(k, slab + KM_SLABD_ACTIVE);

    k->slabs++;
    k->active += active;
    if (!(word(k, slab + KM_PAGE_FLAGS) & KM_PG_SLAB))
        return "a slab's page is not marked as slab";
    if (word(k, slab + KM_SLAB_CACHE) != c->va)
        return "a slab belongs to another cache";
    if (km_slab_pfn_node(k->l, pfn) != node)
        return "a slab is on another node's list";
    if (colour % c->slab.colour_off || colour / c->slab.colour_off > c->slab.colour ||
        (c->slab.colour && colour / c->slab.colour_off == c->slab.colour))
        return "objects do not start on a colour";
    if (active > c->objects)
        return "a slab has more active objects than objects";
    return check_freelist(k, slab, active);
}

/* All slabs of one list; active must lie in lo..hi. */
static const char *check_list(struct walk *k, km_vaddr head, unsigned node, uint32_t lo,
                              uint32_t hi, uint32_t *nr)
{
    *nr = 0;
    for (km_vaddr e = word(k, head), prev = head; e != head; prev = e, e = word(k, e)) {
        if (word(k, e + 4) != prev)
            return "a slab list is not doubly linked";
        const char *bad = check_slab(k, e - KM_SLAB_LIST, node);
        uint32_t active = word(k, e - KM_SLAB_LIST + KM_SLABD_ACTIVE);

        if (bad)
            return bad;
        if (active < lo || active > hi)
            return "a slab is on the wrong list";
        (*nr)++;
    }
    return NULL;
}

static const char *check_node(struct walk *k, unsigned node)
{
    km_vaddr n = k->c->slab.node_va[node];
    uint32_t objects = k->c->objects, full, partial, free, free_objects;
    uint64_t active = k->active, slabs = k->slabs;
    const char *bad = check_list(k, n + KM_SLABN_FULL, node, objects, objects, &full);

    if (!bad)
        bad = check_list(k, n + KM_SLABN_PARTIAL, node, 1, objects - 1, &partial);
    if (!bad)
        bad = check_list(k, n + KM_SLABN_FREE, node, 0, 0, &free);
    if (bad)
        return bad;
    if (word(k, n + KM_SLABN_LOCK))
        return "a node lock is held";
    if (word(k, n + KM_SLABN_TOTAL_SLABS) != full + partial + free ||
        word(k, n + KM_SLABN_FREE_SLABS) != free)
        return "the slab counters of a node are wrong";
    free_objects = word(k, n + KM_SLABN_FREE_OBJECTS);
    if (free_objects != (k->slabs - slabs) * objects - (k->active - active))
        return "free_objects is wrong";
    return NULL;
}

/* ---- stacks ---------------------------------------------------------------------------------- */

static unsigned all_stacks(const struct walk *k, km_vaddr *out)
{
    unsigned nr = 0, nodes = km_slab_nodes(k->l);

    for (unsigned i = 0; i < k->l->os->p.cpus; i++)
        out[nr++] = km_slab_cpu_array(k->l, k->c, i);
    for (unsigned node = 0; node < nodes; node++) {
        km_vaddr n = k->c->slab.node_va[node], vec = word(k, n + KM_SLABN_ALIEN);

        if (word(k, n + KM_SLABN_SHARED))
            out[nr++] = word(k, n + KM_SLABN_SHARED);
        for (unsigned i = 0; i < nodes && vec; i++)
            if (word(k, vec + 4 * i))
                out[nr++] = word(k, vec + 4 * i) + KM_ALIEN_AC;
    }
    return nr;
}

/* Does obj stand on a stack before entry `before` of stack nr `at`? */
static bool stands_before(const struct walk *k, const km_vaddr *stack, unsigned at, uint32_t before,
                          km_vaddr obj)
{
    for (unsigned s = 0; s <= at; s++) {
        uint32_t nr = s < at ? word(k, stack[s] + KM_AC_AVAIL) : before;

        for (uint32_t i = 0; i < nr; i++)
            if (word(k, stack[s] + KM_AC_ENTRY + 4 * i) == obj)
                return true;
    }
    return false;
}

/* Is obj handed out by its slab (and so not on its free list)? */
static const char *check_entry(const struct walk *k, km_vaddr obj)
{
    km_vaddr page = km_page_va(k->l->os, km_va_to_pfn(k->l->os, obj));
    uint32_t head = word(k, page + KM_PAGE_COMPOUND_HEAD);
    km_vaddr slab = head & 1 ? head - 1 : page;

    if (!(word(k, slab + KM_PAGE_FLAGS) & KM_PG_SLAB) || word(k, slab + KM_SLAB_CACHE) != k->c->va)
        return "a stack holds a foreign object";
    km_vaddr s_mem = word(k, slab + KM_SLABD_S_MEM), list = word(k, slab + KM_SLABD_FREELIST);
    uint32_t index = (obj - s_mem) / k->c->size, active = word(k, slab + KM_SLABD_ACTIVE);

    if (obj < s_mem || index >= k->c->objects || s_mem + index * k->c->size != obj)
        return "a stack holds something inside an object";
    for (uint32_t i = active; i < k->c->objects; i++)
        if (k->w[list + i] == index)
            return "an object is on a stack and on its slab's list";
    return NULL;
}

static const char *check_stacks(struct walk *k)
{
    km_vaddr stack[KM_MAX_CPUS + KM_SLAB_MAX_NODES * (1 + KM_SLAB_MAX_NODES)];
    unsigned nr = all_stacks(k, stack);

    for (unsigned s = 0; s < nr; s++) {
        uint32_t avail = word(k, stack[s] + KM_AC_AVAIL);

        if (avail > word(k, stack[s] + KM_AC_LIMIT))
            return "a stack holds more than its limit";
        k->stacked += avail;
        for (uint32_t i = 0; i < avail; i++) {
            km_vaddr obj = word(k, stack[s] + KM_AC_ENTRY + 4 * i);
            uint32_t bit = (obj >> 3) * 2654435761u >> 20; /* 12 bits */
            const char *bad = check_entry(k, obj);

            if (bad)
                return bad;
            if ((k->seen[bit / 32] >> bit % 32 & 1) && stands_before(k, stack, s, i, obj))
                return "an object is on the stacks twice";
            k->seen[bit / 32] |= 1u << bit % 32;
        }
    }
    return NULL;
}

const char *km_slab_check_cache(const struct km_slab_layer *l, const uint8_t *window,
                                const struct km_kmem_cache *c)
{
    struct walk k = {.l = l, .w = window, .c = c};
    const char *bad = NULL;

    for (unsigned node = 0; node < km_slab_nodes(l) && !bad; node++)
        bad = check_node(&k, node);
    if (!bad)
        bad = check_stacks(&k);
    if (bad)
        return bad;
    if (k.slabs != c->stats.slabs_created - c->stats.slabs_released)
        return "a slab got lost";
    if (k.active - k.stacked != c->stats.allocs - c->stats.frees)
        return "live objects do not add up";
    return NULL;
}

void km_slab_info(const struct km_slab_layer *l, const uint8_t *window,
                  const struct km_kmem_cache *c, struct km_slabinfo *out)
{
    uint64_t slabs = 0, free_slabs = 0, free_objects = 0, shared = 0;

    for (unsigned node = 0; node < km_slab_nodes(l); node++) {
        km_vaddr n = c->slab.node_va[node], stack = km_peek32(window, n + KM_SLABN_SHARED);

        slabs += km_peek32(window, n + KM_SLABN_TOTAL_SLABS);
        free_slabs += km_peek32(window, n + KM_SLABN_FREE_SLABS);
        free_objects += km_peek32(window, n + KM_SLABN_FREE_OBJECTS);
        shared += stack ? km_peek32(window, stack + KM_AC_AVAIL) : 0;
    }
    *out = (struct km_slabinfo){
        .num_slabs = slabs,
        .num_objs = slabs * c->objects,
        .active_objs = slabs * c->objects - free_objects,
        .active_slabs = slabs - free_slabs,
        .objsize = c->size,
        .objs_per_slab = c->objects,
        .pages_per_slab = 1u << c->order,
        .limit = km_peek32(window, c->va + KM_SLABC_LIMIT),
        .batchcount = km_peek32(window, c->va + KM_SLABC_BATCHCOUNT),
        .shared = km_peek32(window, c->va + KM_SLABC_SHARED),
        .shared_avail = shared,
    };
}
