/* SPDX-License-Identifier: MIT
 * slub.c - SLUB, the unqueued slab allocator of Linux 6.1 (no debugging).
 *
 * A slab is one page block cut into equal objects; its free objects form a list through the objects
 * themselves. At any time a slab is in exactly one of these places: current   of one CPU (frozen).
 * Its objects are on the CPU's own free list, which no other CPU touches; objects freed by other
 * CPUs collect on the slab's own list. cpu partial  on one CPU's singly linked list (frozen): has
 * free objects, waits to become current. node partial on the node's list under its lock: has free
 * objects. full      on no list; the first free finds it again. Allocation looks in that order: CPU
 * free list, the slab's own list, cpu partial, node partial, new pages. Free: to the CPU list if
 * the slab is this CPU's current one, else to the slab's list; a full slab becomes cpu partial;
 * when that list is too long all of it moves to the node; an empty slab on the node list is
 * released while the node has min_partial others.
 * slab->freelist and slab->counters change together by an 8-byte compare-and-exchange (cmpxchg8b,
 * LOCKed); the CPU's free list and its transaction number by an unLOCKed one.
 *
 * Invariants:  km_slub_check (slub_check.c).
 * Simplified:  calls are not interrupted on their CPU, so the transaction number never mismatches;
 * the two boot caches keep their control structures in kernel bss; free pointers are stored plainly
 *              (FREELIST_HARDENED xors them, which changes no order).
 * References:  kernel-behaviour notes E3 to E6; instruction counts from recorded calls (kfn.h).
 */
#include "models/os/slub.h"

#include "models/os/kfn.h"
#include "models/os/list.h"
#include "models/os/slab_debug.h"
#include "models/os/slab_watch.h"

#define SITE(n, va, bytes) .site = {.name = n, .text_va = va, .text_bytes = bytes}

/* Recorded: __slab_free of a frozen slab makes kmem_cache_free 157 instructions, 46 loads, 37
 * stores; 53, 15 and 10 more with put_cpu_partial; ___slab_alloc 154, 60, 30. The others (est.) are
 * a share of the code's length. */
static const struct km_fn fn_slow = {SITE("___slab_alloc", 0xc12b6e50, 2432), 154, 22, 48};
static const struct km_fn fn_allocate = {SITE("allocate_slab", 0xc12b5760, 1072), 120, 12,
                                         12}; /* est. */
static const struct km_fn fn_put_partial = {SITE("put_cpu_partial", 0xc12b6920, 112), 53, 7,
                                            12}; /* est. */
static const struct km_fn fn_unfreeze = {SITE("__unfreeze_partials", 0xc12b6720, 512), 60, 12,
                                         12}; /* est. */
static const struct km_fn fn_deactivate = {SITE("deactivate_slab", 0xc12b6300, 1056), 110, 14,
                                           14};                                          /* est. */
static const struct km_fn fn_discard = {SITE("__free_slab", 0xc12b6140, 336), 60, 6, 6}; /* est. */
static const struct km_fn fn_slab_free = {SITE("__slab_free", 0xc12b8b80, 800), 69, 27, 19};
static const struct km_fn fn_alloc_bulk = {SITE("kmem_cache_alloc_bulk", 0xc12b9620, 752), 40, 10,
                                           10}; /* est. */
static const struct km_fn fn_free_bulk = {SITE("kmem_cache_free_bulk", 0xc12b9190, 1136), 40, 14,
                                          14}; /* est. */
static const struct km_fn fn_shrink = {SITE("__kmem_cache_do_shrink", 0xc12b6aa0, 672), 80, 30,
                                       30}; /* est. */

static void enter(struct km_slab_layer *l, struct km_cpu *cpu, const struct km_fn *fn)
{
    km_fn_enter(cpu, l->stack_va[cpu->id], fn);
}

static void leave(struct km_slab_layer *l, struct km_cpu *cpu, const struct km_fn *fn)
{
    km_fn_leave(cpu, l->stack_va[cpu->id], fn);
}

/* ---- words that change together ----------------------------------------------------------------
 */

struct pair {
    uint32_t lo, hi;
};

/* cmpxchg8b with LOCK on slab->{freelist,counters}. */
static bool slab_cas(struct km_cpu *cpu, km_vaddr slab, struct pair old, struct pair new)
{
    km_ref(cpu, slab + KM_SLAB_FREELIST, 8, KM_REF_RMW);
    uint32_t *p = (uint32_t *)(cpu->window + slab + KM_SLAB_FREELIST);

    if (p[0] != old.lo || p[1] != old.hi)
        return false;
    p[0] = new.lo;
    p[1] = new.hi;
    return true;
}

static struct pair slab_pair(struct km_cpu *cpu, km_vaddr slab)
{
    return (struct pair){km_ld32(cpu, slab + KM_SLAB_FREELIST),
                         km_ld32(cpu, slab + KM_SLAB_COUNTERS)};
}

/* cmpxchg8b without LOCK on the CPU's {freelist,tid}: one load and one store of 8 bytes. */
static void cpu_set_freelist(struct km_cpu *cpu, km_vaddr kcc, km_vaddr freelist)
{
    km_ref(cpu, kcc + KM_KCC_FREELIST, 8, KM_REF_LOAD);
    km_ref(cpu, kcc + KM_KCC_FREELIST, 8, KM_REF_STORE);
    uint32_t *p = (uint32_t *)(cpu->window + kcc + KM_KCC_FREELIST);

    p[0] = freelist;
    p[1] += KM_MAX_CPUS;
}

static km_vaddr next_free(struct km_cpu *cpu, const struct km_kmem_cache *c, km_vaddr obj)
{
    return km_ld32(cpu, obj + c->free_pointer);
}

static void set_next_free(struct km_cpu *cpu, const struct km_kmem_cache *c, km_vaddr obj,
                          km_vaddr next)
{
    km_st32(cpu, obj + c->free_pointer, next);
}

/* ---- the node's partial list (under its lock) ---------------------------------------------------
 */

static void nr_partial_add(struct km_cpu *cpu, const struct km_kmem_cache *c, uint32_t delta)
{
    km_vaddr va = c->node_va + KM_KCN_NR_PARTIAL;

    km_st32(cpu, va, km_ld32(cpu, va) + delta);
}

static void partial_add(struct km_cpu *cpu, const struct km_kmem_cache *c, km_vaddr slab, bool tail)
{
    km_vaddr head = c->node_va + KM_KCN_PARTIAL;

    nr_partial_add(cpu, c, 1);
    if (tail)
        km_list_add_tail(cpu, slab + KM_SLAB_LIST, head);
    else
        km_list_add(cpu, slab + KM_SLAB_LIST, head);
}

static void partial_remove(struct km_cpu *cpu, const struct km_kmem_cache *c, km_vaddr slab)
{
    km_list_del(cpu, slab + KM_SLAB_LIST);
    nr_partial_add(cpu, c, UINT32_MAX);
}

static bool node_has_enough(struct km_cpu *cpu, const struct km_kmem_cache *c)
{
    return km_ld32(cpu, c->node_va + KM_KCN_NR_PARTIAL) >= km_ld32(cpu, c->va + KM_KC_MIN_PARTIAL);
}

/* ---- slabs from and to the page source ----------------------------------------------------------
 */

/* First attempt gives up easily and, if it asks for more than necessary, does not even wake kswapd.
 */
static km_pfn slab_pages(struct km_slab_layer *l, struct km_cpu *cpu, struct km_kmem_cache *c,
                         uint32_t gfp, unsigned *order)
{
    uint32_t first = (gfp | KM_GFP_NOWARN | KM_GFP_NORETRY) & ~KM_GFP_NOFAIL;
    km_pfn pfn;

    if ((first & KM_GFP_DIRECT_RECLAIM) && c->order > c->min_order)
        first = (first | KM_GFP_NOMEMALLOC) & ~KM_GFP_RECLAIM;
    *order = c->order;
    pfn = l->p.src.alloc(l->p.src.ctx, cpu, first, c->order);
    if (pfn == KM_PFN_NONE) {
        l->stats.slab_retries++;
        *order = c->min_order;
        pfn = l->p.src.alloc(l->p.src.ctx, cpu, gfp, c->min_order);
    }
    return pfn;
}

/* Links all objects of a new slab in random or ascending order; returns the first. */
static km_vaddr link_objects(struct km_slab_layer *l, struct km_cpu *cpu,
                             const struct km_kmem_cache *c, km_vaddr base, uint32_t objects)
{
    km_vaddr seq = c->random_seq_va;
    uint32_t pos = 0;
    km_vaddr first = base, prev = 0;

    if (seq && objects >= 2) {
        seq = km_ld32(cpu, c->va + KM_KC_RANDOM_SEQ);
        km_sync(cpu); /* one generator for all CPUs */
        pos = km_prng_below(&l->prng, c->objects);
    } else {
        seq = 0;
    }
    for (uint32_t i = 0; i < objects; i++) {
        km_vaddr obj = base + i * c->size;

        if (seq) {
            uint32_t index;

            do { /* a smaller slab than planned: skip what lies behind it */
                index = km_ld32(cpu, seq + 4 * pos);
                if (++pos >= c->objects)
                    pos = 0;
            } while (index >= objects);
            obj = base + index * c->size;
        }
        if (prev)
            set_next_free(cpu, c, prev, obj);
        else
            first = obj;
        prev = obj;
    }
    set_next_free(cpu, c, prev, 0);
    return first;
}

/* A new slab with all objects free, not frozen, on no list; 0 if there are no pages. */
static km_vaddr slab_new(struct km_slab_layer *l, struct km_cpu *cpu, struct km_kmem_cache *c,
                         uint32_t gfp)
{
    unsigned order;

    enter(l, cpu, &fn_allocate);
    gfp = (gfp & KM_SLAB_GFP_KEPT) | km_ld32(cpu, c->va + KM_KC_ALLOCFLAGS);
    km_ref(cpu, c->va + KM_KC_OO, 4, KM_REF_LOAD);

    l->requesting[cpu->id] = c;
    km_pfn pfn = slab_pages(l, cpu, c, gfp, &order);

    l->requesting[cpu->id] = NULL;

    if (pfn == KM_PFN_NONE) {
        leave(l, cpu, &fn_allocate);
        return 0;
    }
    km_vaddr slab = km_page_va(l->os, pfn);
    km_vaddr base = km_pfn_to_va(l->os, pfn) + c->obj_offset;
    uint32_t objects = order == c->order ? c->objects : c->min_objects;

    km_st32(cpu, slab + KM_PAGE_FLAGS, km_ld32(cpu, slab + KM_PAGE_FLAGS) | KM_PG_SLAB);
    km_st32(cpu, slab + KM_SLAB_CACHE, c->va);
    km_slab_set_memcg_vec(l, cpu, slab, 0);
    l->stats.slab_blocks_alloc++;
    l->stats.slab_pages_alloc += 1u << order;
    c->stats.slabs_created++;
    if (l->memcg && (c->flags & KM_CACHE_ACCOUNT))
        km_slab_memcg_alloc(l, cpu, c, slab, objects, gfp);
    for (uint32_t i = 0; i < objects && (c->flags & (KM_CACHE_DEBUG | KM_CACHE_CTOR)); i++)
        km_slab_debug_new(l, cpu, c, base + i * c->size);
    km_st32(cpu, slab + KM_SLAB_FREELIST, link_objects(l, cpu, c, base, objects));
    km_st32(cpu, slab + KM_SLAB_COUNTERS, KM_SC(0, objects, false));
    km_rmw32(cpu, c->node_va + KM_KCN_NR_SLABS, KM_RMW_ADD, 1, 0);
    km_rmw32(cpu, c->node_va + KM_KCN_TOTAL_OBJECTS, KM_RMW_ADD, objects, 0);
    leave(l, cpu, &fn_allocate);
    return slab;
}

static unsigned slab_order(const struct km_kmem_cache *c, uint32_t objects)
{
    return objects == c->objects ? c->order : c->min_order;
}

/* Gives an empty slab's pages back now. */
static void slab_release(struct km_slab_layer *l, struct km_cpu *cpu, struct km_kmem_cache *c,
                         km_vaddr slab)
{
    uint32_t objects = KM_SC_OBJECTS(km_ld32(cpu, slab + KM_SLAB_COUNTERS));
    unsigned order = slab_order(c, objects);

    enter(l, cpu, &fn_discard);
    if (km_slab_memcg_vec(l, cpu, slab))
        km_slab_memcg_free(l, cpu, slab);
    km_st32(cpu, slab + KM_PAGE_FLAGS, km_ld32(cpu, slab + KM_PAGE_FLAGS) & ~(uint32_t)KM_PG_SLAB);
    km_st32(cpu, slab + KM_PAGE_MAPPING, 0);
    km_st32(cpu, slab + KM_PAGE_TYPE, KM_PAGE_TYPE_NONE);
    l->stats.slab_blocks_free++;
    l->stats.slab_pages_free += 1u << order;
    leave(l, cpu, &fn_discard);
    l->p.src.free(l->p.src.ctx, cpu, km_page_pfn(l->os, slab), order);
}

static km_vaddr slub_first_object(const struct km_slab_layer *l, const uint8_t *window,
                                  const struct km_kmem_cache *c, km_vaddr slab)
{
    (void)window;
    return km_pfn_to_va(l->os, km_page_pfn(l->os, slab)) + c->obj_offset;
}

/* discard_slab: accounting at once, pages after a grace period for TYPESAFE_BY_RCU caches. */
static void slab_discard(struct km_slab_layer *l, struct km_cpu *cpu, struct km_kmem_cache *c,
                         km_vaddr slab)
{
    uint32_t objects = KM_SC_OBJECTS(km_ld32(cpu, slab + KM_SLAB_COUNTERS));

    for (uint32_t i = 0; i < objects && (c->flags & KM_CACHE_DEBUG); i++)
        km_slab_debug_dead(l, cpu, c, slub_first_object(l, cpu->window, c, slab) + i * c->size);
    c->stats.slabs_released++;
    km_rmw32(cpu, c->node_va + KM_KCN_NR_SLABS, KM_RMW_ADD, UINT32_MAX, 0);
    km_rmw32(cpu, c->node_va + KM_KCN_TOTAL_OBJECTS, KM_RMW_ADD, 0u - objects, 0);
    if (!(c->flags & KM_CACHE_TYPESAFE_BY_RCU)) {
        slab_release(l, cpu, c, slab);
        return;
    }
    km_st32(cpu, slab + KM_SLAB_NEXT, km_rmw32(cpu, l->rcu_list_va, KM_RMW_XCHG, slab, 0));
}

static unsigned slub_quiesce(struct km_slab_layer *l, struct km_cpu *cpu)
{
    if (!km_peek32(cpu->window, l->rcu_list_va))
        return 0;

    km_vaddr slab = km_rmw32(cpu, l->rcu_list_va, KM_RMW_XCHG, 0, 0);
    unsigned nr = 0;

    for (; slab; nr++) {
        km_vaddr next = km_ld32(cpu, slab + KM_SLAB_NEXT);

        slab_release(l, cpu, km_slab_cache(l, cpu->window, slab), slab);
        slab = next;
    }
    return nr;
}

/* ---- cpu partial list ---------------------------------------------------------------------------
 */

/* Moves a chain of frozen slabs to the node list (tail); empty ones go if the node has enough. */
static void unfreeze_chain(struct km_slab_layer *l, struct km_cpu *cpu, struct km_kmem_cache *c,
                           km_vaddr slab)
{
    km_vaddr empty = 0;

    enter(l, cpu, &fn_unfreeze);
    km_lock(cpu, c->node_va + KM_KCN_LOCK);
    while (slab) {
        km_vaddr next = km_ld32(cpu, slab + KM_SLAB_NEXT);
        struct pair old, new;

        do {
            old = slab_pair(cpu, slab);
            new = (struct pair){old.lo, old.hi & ~KM_SC_FROZEN};
        } while (!slab_cas(cpu, slab, old, new));
        if (KM_SC_INUSE(new.hi) == 0 && node_has_enough(cpu, c)) {
            km_st32(cpu, slab + KM_SLAB_NEXT, empty);
            empty = slab;
        } else {
            partial_add(cpu, c, slab, true);
        }
        slab = next;
    }
    km_unlock(cpu, c->node_va + KM_KCN_LOCK);
    leave(l, cpu, &fn_unfreeze);
    while (empty) {
        km_vaddr next = km_ld32(cpu, empty + KM_SLAB_NEXT);

        slab_discard(l, cpu, c, empty);
        empty = next;
    }
}

/* Head of this CPU's list. With drain, a list that is full already moves to the node first. */
static void cpu_partial_put(struct km_slab_layer *l, struct km_cpu *cpu, struct km_kmem_cache *c,
                            km_vaddr slab, bool drain)
{
    km_vaddr kcc = km_slab_percpu(l, c, cpu->id);
    km_vaddr old = km_ld32(cpu, kcc + KM_KCC_PARTIAL);
    km_vaddr to_unfreeze = 0;
    uint32_t slabs = 0;

    enter(l, cpu, &fn_put_partial);
    if (!c->cpu_partial_slabs) { /* no such list: straight to the node */
        km_st32(cpu, slab + KM_SLAB_NEXT, 0);
        leave(l, cpu, &fn_put_partial);
        unfreeze_chain(l, cpu, c, slab);
        return;
    }
    if (old) {
        slabs = km_ld32(cpu, old + KM_SLAB_SLABS);
        if (drain && slabs >= km_ld32(cpu, c->va + KM_KC_CPU_PARTIAL_SLABS)) {
            to_unfreeze = old;
            old = 0;
            slabs = 0;
        }
    }
    km_st32(cpu, slab + KM_SLAB_SLABS, slabs + 1);
    km_st32(cpu, slab + KM_SLAB_NEXT, old);
    km_st32(cpu, kcc + KM_KCC_PARTIAL, slab);
    leave(l, cpu, &fn_put_partial);
    if (to_unfreeze)
        unfreeze_chain(l, cpu, c, to_unfreeze);
}

/* ---- allocation, slow path
 * ----------------------------------------------------------------------- */

/* Takes the slab's own free list; 0: none, the slab is full and no longer frozen. */
static km_vaddr slab_take_list(struct km_cpu *cpu, km_vaddr slab)
{
    struct pair old, new;

    do {
        old = slab_pair(cpu, slab);
        new = (struct pair){0, KM_SC(KM_SC_OBJECTS(old.hi), KM_SC_OBJECTS(old.hi), old.lo != 0)};
    } while (!slab_cas(cpu, slab, old, new));
    return old.lo;
}

/* Takes a slab off the node list and freezes it; with take_list also its free objects. */
static km_vaddr node_acquire(struct km_cpu *cpu, const struct km_kmem_cache *c, km_vaddr slab,
                             bool take_list)
{
    struct pair old, new;

    do {
        old = slab_pair(cpu, slab);
        new = (struct pair){old.lo, old.hi | KM_SC_FROZEN};
        if (take_list)
            new = (struct pair){0, KM_SC(KM_SC_OBJECTS(old.hi), KM_SC_OBJECTS(old.hi), true)};
    } while (!slab_cas(cpu, slab, old, new));
    partial_remove(cpu, c, slab);
    return old.lo;
}

/* First slab of the node list becomes *slab (returns its objects); some more move to the cpu
 * partial list. */
static km_vaddr node_get_partial(struct km_slab_layer *l, struct km_cpu *cpu,
                                 struct km_kmem_cache *c, km_vaddr *slab)
{
    km_vaddr head = c->node_va + KM_KCN_PARTIAL;
    km_vaddr first_list = 0;
    unsigned moved = 0;

    if (!km_ld32(cpu, c->node_va + KM_KCN_NR_PARTIAL))
        return 0;
    km_lock(cpu, c->node_va + KM_KCN_LOCK);
    for (km_vaddr entry = km_ld32(cpu, head); entry != head;) {
        km_vaddr next = km_ld32(cpu, entry);
        km_vaddr s = entry - KM_SLAB_LIST;
        km_vaddr list = node_acquire(cpu, c, s, !first_list);

        if (!first_list) {
            *slab = s;
            first_list = list;
            c->stats.refills_partial++;
        } else {
            cpu_partial_put(l, cpu, c, s, false);
            moved++;
        }
        if (!c->cpu_partial_slabs || moved > km_ld32(cpu, c->va + KM_KC_CPU_PARTIAL_SLABS) / 2)
            break;
        entry = next;
    }
    km_unlock(cpu, c->node_va + KM_KCN_LOCK);
    return first_list;
}

/* A free list for this CPU from anywhere behind its own; 0: no memory. Sets the current slab. */
static km_vaddr find_objects(struct km_slab_layer *l, struct km_cpu *cpu, struct km_kmem_cache *c,
                             km_vaddr kcc, uint32_t gfp)
{
    km_vaddr slab = km_ld32(cpu, kcc + KM_KCC_SLAB);
    km_vaddr list;

    for (;;) {
        if (slab) {
            list = slab_take_list(cpu, slab);
            if (list)
                return list;
            km_st32(cpu, kcc + KM_KCC_SLAB, 0);
        }
        slab = km_ld32(cpu, kcc + KM_KCC_PARTIAL);
        if (!slab)
            break;
        km_st32(cpu, kcc + KM_KCC_PARTIAL, km_ld32(cpu, slab + KM_SLAB_NEXT));
        km_st32(cpu, kcc + KM_KCC_SLAB, slab);
    }
    list = node_get_partial(l, cpu, c, &slab);
    if (!list) {
        slab = slab_new(l, cpu, c, gfp);
        if (!slab)
            return 0;
        struct pair new = slab_pair(cpu, slab);

        list = new.lo;
        km_st32(cpu, slab + KM_SLAB_FREELIST, 0);
        km_st32(cpu, slab + KM_SLAB_COUNTERS,
                KM_SC(KM_SC_OBJECTS(new.hi), KM_SC_OBJECTS(new.hi), true));
    }
    km_st32(cpu, kcc + KM_KCC_SLAB, slab);
    return list;
}

static km_vaddr alloc_slow(struct km_slab_layer *l, struct km_cpu *cpu, struct km_kmem_cache *c,
                           km_vaddr kcc, uint32_t gfp)
{
    enter(l, cpu, &fn_slow);
    km_vaddr obj = find_objects(l, cpu, c, kcc, gfp);

    if (obj)
        cpu_set_freelist(cpu, kcc, next_free(cpu, c, obj));
    leave(l, cpu, &fn_slow);
    return obj;
}

/* Debugging caches have no per-CPU slabs: one object of the node's first slab, under its lock. */
static km_vaddr alloc_single(struct km_slab_layer *l, struct km_cpu *cpu, struct km_kmem_cache *c,
                             uint32_t gfp)
{
    km_vaddr head = c->node_va + KM_KCN_PARTIAL, fresh = 0;

    enter(l, cpu, &fn_slow);
    if (!km_ld32(cpu, c->node_va + KM_KCN_NR_PARTIAL))
        fresh = slab_new(l, cpu, c, gfp);
    km_lock(cpu, c->node_va + KM_KCN_LOCK);
    if (fresh)
        partial_add(cpu, c, fresh, false);
    km_vaddr entry = km_list_first(cpu, head), obj = 0;

    if (entry != head) {
        km_vaddr slab = entry - KM_SLAB_LIST;
        struct pair old = slab_pair(cpu, slab);

        obj = old.lo;
        slab_cas(cpu, slab, old, (struct pair){next_free(cpu, c, obj), old.hi + 1});
        if (KM_SC_INUSE(old.hi + 1) == KM_SC_OBJECTS(old.hi))
            partial_remove(cpu, c, slab);
    }
    km_unlock(cpu, c->node_va + KM_KCN_LOCK);
    leave(l, cpu, &fn_slow);
    if (obj)
        km_slab_debug_alloc(l, cpu, c, obj);
    return obj;
}

static km_vaddr slub_alloc(struct km_slab_layer *l, struct km_cpu *cpu, struct km_kmem_cache *c,
                           uint32_t gfp)
{
    km_vaddr kcc = km_ld32(cpu, c->va + KM_KC_CPU_SLAB) + cpu->id * l->percpu_stride;

    if (c->flags & KM_CACHE_DEBUG)
        return alloc_single(l, cpu, c, gfp);
    km_ref(cpu, kcc + KM_KCC_TID, 4, KM_REF_LOAD);
    km_vaddr obj = km_ld32(cpu, kcc + KM_KCC_FREELIST);

    if (!obj || !km_ld32(cpu, kcc + KM_KCC_SLAB))
        return alloc_slow(l, cpu, c, kcc, gfp);
    km_ref(cpu, c->va + KM_KC_OFFSET, 4, KM_REF_LOAD);
    cpu_set_freelist(cpu, kcc, next_free(cpu, c, obj));
    return obj;
}

/* ---- free
 * ----------------------------------------------------------------------------------------- */

/* cnt objects head..tail (linked) go to a slab that is not this CPU's current one. */
static void free_slow(struct km_slab_layer *l, struct km_cpu *cpu, struct km_kmem_cache *c,
                      km_vaddr slab, km_vaddr head, km_vaddr tail, uint32_t cnt)
{
    struct pair old, new;
    bool was_frozen, locked;

    enter(l, cpu, &fn_slab_free);
    do {
        old = slab_pair(cpu, slab);
        set_next_free(cpu, c, tail, old.lo);
        was_frozen = old.hi & KM_SC_FROZEN;
        locked = false;
        new = (struct pair){head, old.hi - cnt};
        if (!was_frozen && !old.lo) {
            new.hi |= KM_SC_FROZEN; /* was full: this CPU adopts it */
        } else if (!was_frozen && KM_SC_INUSE(new.hi) == 0) {
            km_lock(cpu, c->node_va + KM_KCN_LOCK); /* may leave the node list */
            locked = true;
        }
        if (slab_cas(cpu, slab, old, new))
            break;
        if (locked)
            km_unlock(cpu, c->node_va + KM_KCN_LOCK);
    } while (true);

    bool empty = false;

    if (locked) {
        empty = node_has_enough(cpu, c);
        if (empty)
            partial_remove(cpu, c, slab);
        km_unlock(cpu, c->node_va + KM_KCN_LOCK);
    }
    leave(l, cpu, &fn_slab_free);
    if (empty)
        slab_discard(l, cpu, c, slab);
    else if (!was_frozen && !old.lo)
        cpu_partial_put(l, cpu, c, slab, true);
}

/* The way back of alloc_single: a full slab returns to the node's tail, an empty one may go. */
static void free_single(struct km_slab_layer *l, struct km_cpu *cpu, struct km_kmem_cache *c,
                        km_vaddr slab, km_vaddr obj)
{
    struct pair old;
    bool gone;

    enter(l, cpu, &fn_slab_free);
    km_slab_debug_free(l, cpu, c, obj);
    km_lock(cpu, c->node_va + KM_KCN_LOCK);
    old = slab_pair(cpu, slab);
    set_next_free(cpu, c, obj, old.lo);
    slab_cas(cpu, slab, old, (struct pair){obj, old.hi - 1});
    gone = KM_SC_INUSE(old.hi) == 1 && node_has_enough(cpu, c);
    if (!old.lo && !gone)
        partial_add(cpu, c, slab, true);
    else if (old.lo && gone)
        partial_remove(cpu, c, slab);
    km_unlock(cpu, c->node_va + KM_KCN_LOCK);
    leave(l, cpu, &fn_slab_free);
    if (gone)
        slab_discard(l, cpu, c, slab);
}

static void free_chain(struct km_slab_layer *l, struct km_cpu *cpu, struct km_kmem_cache *c,
                       km_vaddr slab, km_vaddr head, km_vaddr tail, uint32_t cnt)
{
    km_vaddr kcc = km_ld32(cpu, c->va + KM_KC_CPU_SLAB) + cpu->id * l->percpu_stride;

    for (km_vaddr obj = head; (c->flags & KM_CACHE_DEBUG) && cnt; cnt--) {
        km_vaddr next = cnt > 1 ? next_free(cpu, c, obj) : 0;

        free_single(l, cpu, c, slab, obj);
        obj = next;
    }
    if (!cnt)
        return;
    km_ref(cpu, kcc + KM_KCC_TID, 4, KM_REF_LOAD);
    if (km_ld32(cpu, kcc + KM_KCC_SLAB) != slab) {
        free_slow(l, cpu, c, slab, head, tail, cnt);
        return;
    }
    km_ref(cpu, c->va + KM_KC_OFFSET, 4, KM_REF_LOAD);
    set_next_free(cpu, c, tail, km_ld32(cpu, kcc + KM_KCC_FREELIST));
    cpu_set_freelist(cpu, kcc, head);
}

static void slub_free(struct km_slab_layer *l, struct km_cpu *cpu, struct km_kmem_cache *c,
                      km_vaddr slab, km_vaddr obj)
{
    free_chain(l, cpu, c, slab, obj, obj, 1);
}

/* ---- bulk
 * ----------------------------------------------------------------------------------------- */

static unsigned slub_alloc_bulk(struct km_slab_layer *l, struct km_cpu *cpu,
                                struct km_kmem_cache *c, uint32_t gfp, unsigned nr, km_vaddr *obj)
{
    unsigned got;

    enter(l, cpu, &fn_alloc_bulk);
    for (got = 0; got < nr; got++) {
        obj[got] = slub_alloc(l, cpu, c, gfp);
        if (!obj[got])
            break;
    }
    leave(l, cpu, &fn_alloc_bulk);
    if (got == nr)
        return nr;
    while (got)
        slub_free(l, cpu, c, km_slab_of(l, cpu, obj[got - 1]), obj[got - 1]), got--;
    return 0;
}

/* From the end of the array: objects of the same slab are chained and freed in one step; up to
 * three others in between are skipped over before the group is closed. */
static void slub_free_bulk(struct km_slab_layer *l, struct km_cpu *cpu, struct km_kmem_cache *c,
                           unsigned nr, km_vaddr *obj)
{
    enter(l, cpu, &fn_free_bulk);
    while (nr) {
        km_vaddr tail = obj[--nr];

        if (!tail)
            continue;
        km_vaddr slab = km_slab_of(l, cpu, tail);
        km_vaddr head = tail;
        uint32_t cnt = 1;
        unsigned misses = 0;

        for (unsigned i = nr; i-- > 0 && misses < 3;) {
            if (!obj[i])
                continue;
            if (km_slab_of(l, cpu, obj[i]) != slab) {
                misses++;
                continue;
            }
            set_next_free(cpu, c, obj[i], head);
            head = obj[i];
            obj[i] = 0;
            cnt++;
        }
        free_chain(l, cpu, c, slab, head, tail, cnt);
    }
    leave(l, cpu, &fn_free_bulk);
}

/* ---- giving per-CPU slabs back
 * --------------------------------------------------------------------- */

/* The current slab of kcc goes to the node list (head; tail if others freed into it), or away. */
static void flush_current(struct km_slab_layer *l, struct km_cpu *cpu, struct km_kmem_cache *c,
                          km_vaddr kcc)
{
    km_vaddr slab = km_ld32(cpu, kcc + KM_KCC_SLAB);
    km_vaddr list = km_ld32(cpu, kcc + KM_KCC_FREELIST);
    km_vaddr last = 0;
    uint32_t cnt = 0;

    if (!slab)
        return;
    enter(l, cpu, &fn_deactivate);
    km_st32(cpu, kcc + KM_KCC_SLAB, 0);
    cpu_set_freelist(cpu, kcc, 0);
    for (km_vaddr obj = list; obj; obj = next_free(cpu, c, obj), cnt++)
        last = obj;

    struct pair old, new;
    bool remote;

    km_lock(cpu, c->node_va + KM_KCN_LOCK);
    do {
        old = slab_pair(cpu, slab);
        remote = old.lo != 0;
        new = (struct pair){old.lo, (old.hi & ~KM_SC_FROZEN) - cnt};
        if (list) {
            set_next_free(cpu, c, last, old.lo);
            new.lo = list;
        }
    } while (!slab_cas(cpu, slab, old, new));

    bool empty = KM_SC_INUSE(new.hi) == 0 && node_has_enough(cpu, c);

    if (!empty && new.lo)
        partial_add(cpu, c, slab, remote);
    km_unlock(cpu, c->node_va + KM_KCN_LOCK);
    leave(l, cpu, &fn_deactivate);
    if (empty)
        slab_discard(l, cpu, c, slab);
}

/* flush_all: the caller's CPU does the work of every CPU's flush. */
static void flush_cpus(struct km_slab_layer *l, struct km_cpu *cpu, struct km_kmem_cache *c)
{
    for (unsigned i = 0; i < l->os->p.cpus; i++) {
        km_vaddr kcc = km_slab_percpu(l, c, i);

        flush_current(l, cpu, c, kcc);
        km_vaddr chain = km_ld32(cpu, kcc + KM_KCC_PARTIAL);

        km_st32(cpu, kcc + KM_KCC_PARTIAL, 0);
        if (chain)
            unfreeze_chain(l, cpu, c, chain);
    }
}

#define SHRINK_SORTED 32u /* slabs with up to this many free objects are sorted */

/* One pass over the node list: empties off it (returned as a chain), the rest sorted into heads[].
 */
static km_vaddr shrink_node(struct km_cpu *cpu, struct km_kmem_cache *c, km_vaddr *first)
{
    km_vaddr head = c->node_va + KM_KCN_PARTIAL;
    km_vaddr empty = 0;

    for (km_vaddr entry = km_ld32(cpu, head); entry != head;) {
        km_vaddr next = km_ld32(cpu, entry);
        km_vaddr slab = entry - KM_SLAB_LIST;
        uint32_t counters = km_ld32(cpu, slab + KM_SLAB_COUNTERS);
        uint32_t free_objects = KM_SC_OBJECTS(counters) - KM_SC_INUSE(counters);

        if (KM_SC_INUSE(counters) == 0) {
            partial_remove(cpu, c, slab);
            km_st32(cpu, slab + KM_SLAB_NEXT, empty);
            empty = slab;
        } else if (free_objects <= SHRINK_SORTED) {
            km_list_del(cpu, entry);
            km_st32(cpu, entry, first[free_objects - 1]);
            first[free_objects - 1] = entry;
        }
        entry = next;
    }
    return empty;
}

static void slub_shrink(struct km_slab_layer *l, struct km_cpu *cpu, struct km_kmem_cache *c)
{
    km_vaddr first[SHRINK_SORTED] = {0};
    km_vaddr head = c->node_va + KM_KCN_PARTIAL;

    flush_cpus(l, cpu, c);
    enter(l, cpu, &fn_shrink);
    km_lock(cpu, c->node_va + KM_KCN_LOCK);
    km_vaddr empty = shrink_node(cpu, c, first);

    /* Fullest first: put the emptiest at the head, then the fuller ones before them. Within one
     * class the later ones of the old list were put in front, which is the order of list_move to a
     * list's head. */
    for (unsigned i = SHRINK_SORTED; i-- > 0;) {
        km_vaddr prev = head;

        for (km_vaddr entry = first[i]; entry;) {
            km_vaddr next = km_ld32(cpu, entry);

            km_list_add(cpu, entry, prev);
            prev = entry;
            entry = next;
        }
    }
    km_unlock(cpu, c->node_va + KM_KCN_LOCK);
    leave(l, cpu, &fn_shrink);
    while (empty) {
        km_vaddr next = km_ld32(cpu, empty + KM_SLAB_NEXT);

        slab_discard(l, cpu, c, empty);
        empty = next;
    }
}

/* ---- slabs from before the simulation
 * ------------------------------------------------------------ */

static void adopt_page(struct km_slab_layer *l, struct km_cpu *cpu, struct km_kmem_cache *c,
                       km_pfn pfn)
{
    km_vaddr page = km_page_va(l->os, pfn);
    uint32_t flags = km_ld32(cpu, page + KM_PAGE_FLAGS) & ~(uint32_t)KM_PG_LRU;

    km_st32(cpu, page + KM_PAGE_FLAGS, flags | KM_PG_SLAB | (c->order ? KM_PG_HEAD : 0));
    km_st32(cpu, page + KM_PAGE_REFCOUNT, 1);
    km_st32(cpu, page + KM_SLAB_LIST, 0);
    km_st32(cpu, page + KM_SLAB_CACHE, c->va);
    km_slab_set_memcg_vec(l, cpu, page, 0);
    if ((c->flags & KM_CACHE_ACCOUNT) && c->objects <= KM_ADOPT_MAX_OBJECTS)
        km_slab_set_memcg_vec(l, cpu, page, l->adopted_vec_va);
    for (km_pfn p = pfn + 1; p < pfn + (1u << c->order); p++)
        km_st32(cpu, km_page_va(l->os, p) + KM_PAGE_COMPOUND_HEAD, page | 1);
}

/* Every object that is not on the free list is live. */
static void watch_adopted(struct km_slab_layer *l, const struct km_cpu *cpu,
                          const struct km_kmem_cache *c, const struct km_slab_adoption *a)
{
    km_vaddr first = slub_first_object(l, cpu->window, c, km_page_va(l->os, a->pfn));

    for (uint32_t i = 0; i < c->objects && l->p.watch.live; i++) {
        bool is_free = false;

        for (uint32_t j = 0; j < a->nr_free && !is_free; j++)
            is_free = a->free[j] == first + i * c->size;
        if (!is_free)
            km_slab_watch_adopted(l, first + i * c->size);
    }
}

static bool slub_adopt(struct km_slab_layer *l, struct km_cpu *cpu, struct km_kmem_cache *c,
                       const struct km_slab_adoption *a)
{
    km_vaddr slab = km_page_va(l->os, a->pfn);
    km_vaddr kcc = km_slab_percpu(l, c, a->cpu);
    km_vaddr list = a->nr_free ? a->free[0] : 0;
    enum km_slab_place place = a->place;

    if (a->nr_free > c->objects)
        return false;
    if (!a->nr_free && place != KM_PLACE_CURRENT)
        place = KM_PLACE_FULL;
    if (place == KM_PLACE_CURRENT && km_ld32(cpu, kcc + KM_KCC_SLAB))
        place = a->nr_free ? KM_PLACE_CPU_PARTIAL : KM_PLACE_FULL;
    adopt_page(l, cpu, c, a->pfn);
    watch_adopted(l, cpu, c, a);
    for (uint32_t i = 0; i < a->nr_free; i++)
        set_next_free(cpu, c, a->free[i], i + 1 < a->nr_free ? a->free[i + 1] : 0);
    km_rmw32(cpu, c->node_va + KM_KCN_NR_SLABS, KM_RMW_ADD, 1, 0);
    km_rmw32(cpu, c->node_va + KM_KCN_TOTAL_OBJECTS, KM_RMW_ADD, c->objects, 0);
    c->stats.slabs_created++;
    c->stats.allocs += c->objects - a->nr_free;
    l->stats.slab_blocks_alloc++;
    l->stats.slab_pages_alloc += 1u << c->order;

    bool current = place == KM_PLACE_CURRENT;
    uint32_t inuse = current ? c->objects : c->objects - a->nr_free;

    km_st32(cpu, slab + KM_SLAB_FREELIST, current ? 0 : list);
    km_st32(cpu, slab + KM_SLAB_COUNTERS,
            KM_SC(inuse, c->objects, current || place == KM_PLACE_CPU_PARTIAL));
    if (current) {
        km_st32(cpu, kcc + KM_KCC_SLAB, slab);
        cpu_set_freelist(cpu, kcc, list);
    } else if (place == KM_PLACE_CPU_PARTIAL) {
        struct km_cpu *owner = cpu;
        unsigned id = cpu->id;

        owner->id = a->cpu; /* untimed: the list is that CPU's */
        cpu_partial_put(l, owner, c, slab, true);
        owner->id = id;
    } else if (place == KM_PLACE_NODE_PARTIAL) {
        partial_add(cpu, c, slab, true);
    }
    return true;
}

/* ---- creation
 * ------------------------------------------------------------------------------------- */

static void node_init(struct km_cpu *cpu, km_vaddr node)
{
    km_st32(cpu, node + KM_KCN_LOCK, 0);
    km_st32(cpu, node + KM_KCN_NR_PARTIAL, 0);
    km_list_init(cpu, node + KM_KCN_PARTIAL);
    km_st32(cpu, node + KM_KCN_NR_SLABS, 0);
    km_st32(cpu, node + KM_KCN_TOTAL_OBJECTS, 0);
}

static bool slub_create(struct km_slab_layer *l, struct km_cpu *cpu, struct km_kmem_cache *c)
{
    unsigned cpus = l->p.min_objects_cpus ? l->p.min_objects_cpus : l->os->p.cpus;

    if (!km_slub_geometry(l->os->p.personality, cpus, c))
        return false;
    if (!c->va) { /* the two boot caches came with theirs */
        c->va = km_kmem_cache_alloc(l, cpu, l->kmem_cache, KM_GFP_KERNEL | KM_GFP_ZERO);
        c->node_va = c->va ? km_kmem_cache_alloc(l, cpu, l->kmem_cache_node, KM_GFP_KERNEL) : 0;
        if (!c->node_va) {
            if (c->va)
                km_kmem_cache_free(l, cpu, l->kmem_cache, c->va);
            return false;
        }
    }
    node_init(cpu, c->node_va);
    for (unsigned i = 0; i < l->os->p.cpus; i++) {
        km_vaddr kcc = km_slab_percpu(l, c, i);

        for (unsigned word = 0; word < KM_KCC_BYTES; word += 4)
            km_st32(cpu, kcc + word, word == KM_KCC_TID ? i : 0);
    }
    km_st32(cpu, c->va + KM_KC_CPU_SLAB, km_slab_percpu(l, c, 0));
    km_st32(cpu, c->va + KM_KC_FLAGS, c->flags);
    km_st32(cpu, c->va + KM_KC_MIN_PARTIAL, c->min_partial);
    km_st32(cpu, c->va + KM_KC_SIZE, c->size);
    km_st32(cpu, c->va + KM_KC_OBJECT_SIZE, c->object_size);
    km_st32(cpu, c->va + KM_KC_OFFSET, c->free_pointer);
    km_st32(cpu, c->va + KM_KC_CPU_PARTIAL, c->cpu_partial);
    km_st32(cpu, c->va + KM_KC_CPU_PARTIAL_SLABS, c->cpu_partial_slabs);
    km_st32(cpu, c->va + KM_KC_OO, c->order << 16 | c->objects);
    km_st32(cpu, c->va + KM_KC_MIN, c->min_order << 16 | c->min_objects);
    km_st32(cpu, c->va + KM_KC_ALLOCFLAGS, c->allocflags);
    km_st32(cpu, c->va + KM_KC_REFCOUNT, 1);
    km_st32(cpu, c->va + KM_KC_ALIGN, c->align);
    km_st32(cpu, c->va + KM_KC_INDEX, (uint32_t)(c - l->cache));
    km_st32(cpu, c->va + KM_KC_RANDOM_SEQ, 0);
    km_st32(cpu, c->va + KM_KC_NODE, c->node_va);
    return true;
}

static bool slub_destroy(struct km_slab_layer *l, struct km_cpu *cpu, struct km_kmem_cache *c)
{
    slub_shrink(l, cpu, c);
    if (km_ld32(cpu, c->node_va + KM_KCN_NR_SLABS))
        return false;
    km_slab_rcu_quiesce(l, cpu); /* the barrier before a TYPESAFE_BY_RCU cache goes */
    km_kmem_cache_free(l, cpu, l->kmem_cache_node, c->node_va);
    km_kmem_cache_free(l, cpu, l->kmem_cache, c->va);
    return true;
}

static uint32_t slub_objects(struct km_slab_layer *l, struct km_cpu *cpu,
                             const struct km_kmem_cache *c, km_vaddr slab)
{
    (void)l;
    (void)c;
    return KM_SC_OBJECTS(km_ld32(cpu, slab + KM_SLAB_COUNTERS));
}

const struct km_slab_ops km_slub_ops = {
    .name = "slub",
    .help =
        "unqueued allocator: per-CPU slab and free list, node partial lists (default since 2.6.23)",
    .cache_bytes = KM_KC_BYTES,
    .node_bytes = KM_KCN_BYTES,
    .random_seq = KM_KC_RANDOM_SEQ,
    .kmalloc_min = 8,
    .red = KM_SLAB_RED_BYTES,
    .quiesce = slub_quiesce,
    .objects = slub_objects,
    .first_object = slub_first_object,
    .create = slub_create,
    .destroy = slub_destroy,
    .alloc = slub_alloc,
    .free = slub_free,
    .alloc_bulk = slub_alloc_bulk,
    .free_bulk = slub_free_bulk,
    .shrink = slub_shrink,
    .adopt = slub_adopt,
    .info = km_slub_info,
    .check = km_slub_check,
};
