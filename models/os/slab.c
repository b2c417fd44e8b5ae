/* SPDX-License-Identifier: MIT
 * slab.c - SLAB, the queueing slab allocator of Linux 2.6 to 6.7, as it was in 6.1.
 *
 * Every CPU has a stack of free objects per cache (array cache), so most calls touch no slab at
 * all. Behind it per node: a shared stack of all its CPUs, then three lists of slabs.
 *
 *            CPU 0           CPU 1               per node, under its lock
 *     alloc  +-----+         +-----+
 *       <----| top |         | top |             +--------+      full     [s]-[s]
 *     free   |     |         |     |   batch     | shared |      partial  [s]-[s]-[s]
 *       ---->|     |         |     | ----------> |        | ---> free     [s]
 *            | old |         | old |  (oldest)   +--------+        |
 *            +-----+         +-----+                               v  more than free_limit
 *                                                             page source     free objects
 *
 * Allocation: top of the array; empty: up to batchcount objects from the shared stack's top, else
 * from slabs (head of partial, then head of free) one slab at a time; none left: one new slab, and
 * its objects. An array nobody has used since the reaper came gets at most 16.
 * Free: top of the array; full: its oldest batchcount objects go to the shared stack as far as
 * there is room, else to their slabs: an empty slab becomes the head of the free list, any other
 * the tail of the partial list. While the node has more free objects than free_limit, the last free
 * slab is released. Objects of another node go through an alien cache of 12 entries.
 *
 * Invariants:  km_slab_check_cache (slab_check.c).
 * Not modelled: several NUMA policies (fallback to a given node), memory-pressure reserves
 *              (PFMEMALLOC), debug page mapping.
 * Simplified:  struct array_cache stands in pages taken from the page source, eight caches to a
 *              page and CPU (the kernel's per-CPU allocator cuts them finer); instruction counts
 *              are estimates: no record of a SLAB kernel exists.
 * Units:       bytes, objects, pages.
 * References:  kernel-behaviour notes E8; J. Bonwick, The Slab Allocator: An Object-Caching Kernel
 *              Memory Allocator, USENIX 1994 (slabs, colouring); J. Bonwick and J. Adams, Magazines
 *              and Vmem, USENIX 2001 (per-CPU arrays).
 */
#include "models/os/slab.h"

#include "models/base/bits.h"
#include "models/os/kfn.h"
#include "models/os/list.h"
#include "models/os/slab_debug.h"

#define SITE(n, va, bytes) .site = {.name = n, .text_va = va, .text_bytes = bytes}
#define REFILL_UNTOUCHED 16u

/* Estimates; the code stands where SLUB's does in the kernel whose text is known. */
static const struct km_fn fn_refill = {SITE("cache_alloc_refill", 0xc12b6e50, 1100), 90, 14, 18};
static const struct km_fn fn_grow = {SITE("cache_grow_begin", 0xc12b5760, 900), 140, 12, 12};
static const struct km_fn fn_flush = {SITE("cache_flusharray", 0xc12b6720, 420), 60, 10, 12};
static const struct km_fn fn_block = {SITE("free_block", 0xc12b6300, 520), 20, 8, 10};
static const struct km_fn fn_alien = {SITE("cache_free_alien", 0xc12b6920, 300), 40, 7, 8};
static const struct km_fn fn_slab_destroy = {SITE("slab_destroy", 0xc12b6140, 260), 60, 6, 6};
static const struct km_fn fn_alloc_bulk = {SITE("kmem_cache_alloc_bulk", 0xc12b9620, 600), 40, 10,
                                           10};
static const struct km_fn fn_free_bulk = {SITE("kmem_cache_free_bulk", 0xc12b9190, 400), 40, 8, 8};

static void enter(struct km_slab_layer *l, struct km_cpu *cpu, const struct km_fn *fn)
{
    km_fn_enter(cpu, l->stack_va[cpu->id], fn);
}

static void leave(struct km_slab_layer *l, struct km_cpu *cpu, const struct km_fn *fn)
{
    km_fn_leave(cpu, l->stack_va[cpu->id], fn);
}

static void add32(struct km_cpu *cpu, km_vaddr va, uint32_t delta)
{
    km_st32(cpu, va, km_ld32(cpu, va) + delta);
}

static km_vaddr node_of(struct km_cpu *cpu, const struct km_kmem_cache *c, unsigned node)
{
    return km_ld32(cpu, c->va + KM_SLABC_NODE + 4 * node);
}

/* ---- array caches ---------------------------------------------------------------------------- */

static void ac_push(struct km_cpu *cpu, km_vaddr ac, km_vaddr obj)
{
    uint32_t avail = km_ld32(cpu, ac + KM_AC_AVAIL);

    km_st32(cpu, ac + KM_AC_ENTRY + 4 * avail, obj);
    km_st32(cpu, ac + KM_AC_AVAIL, avail + 1);
}

static km_vaddr ac_pop(struct km_cpu *cpu, km_vaddr ac)
{
    uint32_t avail = km_ld32(cpu, ac + KM_AC_AVAIL) - 1;

    km_st32(cpu, ac + KM_AC_AVAIL, avail);
    return km_ld32(cpu, ac + KM_AC_ENTRY + 4 * avail);
}

static void ac_copy(struct km_cpu *cpu, km_vaddr to, km_vaddr from, uint32_t nr)
{
    for (uint32_t i = 0; i < nr; i++)
        km_st32(cpu, to + 4 * i, km_ld32(cpu, from + 4 * i));
}

/* The top of one stack goes on top of the other, order kept; returns how many. */
static uint32_t ac_transfer(struct km_cpu *cpu, km_vaddr to, km_vaddr from, uint32_t max)
{
    uint32_t have = km_ld32(cpu, from + KM_AC_AVAIL), there = km_ld32(cpu, to + KM_AC_AVAIL);
    uint32_t room = km_ld32(cpu, to + KM_AC_LIMIT) - there;
    uint32_t nr = (uint32_t)km_min_u64(km_min_u64(have, max), room);

    if (!nr)
        return 0;
    ac_copy(cpu, to + KM_AC_ENTRY + 4 * there, from + KM_AC_ENTRY + 4 * (have - nr), nr);
    km_st32(cpu, from + KM_AC_AVAIL, have - nr);
    km_st32(cpu, to + KM_AC_AVAIL, there + nr);
    return nr;
}

/* ---- objects of one slab --------------------------------------------------------------------- */

static km_vaddr slab_take(struct km_cpu *cpu, const struct km_kmem_cache *c, km_vaddr slab)
{
    uint32_t active = km_ld32(cpu, slab + KM_SLABD_ACTIVE);
    uint32_t index = km_ld8(cpu, km_ld32(cpu, slab + KM_SLABD_FREELIST) + active);

    km_st32(cpu, slab + KM_SLABD_ACTIVE, active + 1);
    return km_ld32(cpu, slab + KM_SLABD_S_MEM) + index * c->size;
}

static void slab_give(struct km_cpu *cpu, const struct km_kmem_cache *c, km_vaddr slab,
                      km_vaddr obj)
{
    uint32_t active = km_ld32(cpu, slab + KM_SLABD_ACTIVE) - 1;
    uint32_t index = (obj - km_ld32(cpu, slab + KM_SLABD_S_MEM)) / c->size;
    km_vaddr freelist = km_ld32(cpu, slab + KM_SLABD_FREELIST);

    if (!freelist) { /* was full and kept its list in an object: now in this one */
        freelist = obj;
        km_st32(cpu, slab + KM_SLABD_FREELIST, freelist);
    }
    km_st32(cpu, slab + KM_SLABD_ACTIVE, active);
    km_st8(cpu, freelist + active, (uint8_t)index);
}

/* Puts a slab that gave objects away on the list where it belongs now. */
static void slab_refile(struct km_cpu *cpu, const struct km_kmem_cache *c, km_vaddr n,
                        km_vaddr slab)
{
    if (km_ld32(cpu, slab + KM_SLABD_ACTIVE) < c->objects) {
        km_list_add(cpu, slab + KM_SLAB_LIST, n + KM_SLABN_PARTIAL);
        return;
    }
    km_list_add(cpu, slab + KM_SLAB_LIST, n + KM_SLABN_FULL);
    if (c->slab.mgmt == KM_SLAB_MGMT_OBJECT)
        km_st32(cpu, slab + KM_SLABD_FREELIST, 0);
}

/* ---- slabs from and to the page source ------------------------------------------------------- */

/* Index order in which a new slab hands its objects out; the last one may carry the list itself. */
static void order_objects(struct km_slab_layer *l, struct km_cpu *cpu,
                          const struct km_kmem_cache *c, km_vaddr slab)
{
    km_vaddr s_mem = km_ld32(cpu, slab + KM_SLABD_S_MEM);
    km_vaddr freelist = km_ld32(cpu, slab + KM_SLABD_FREELIST);
    km_vaddr seq =
        c->random_seq_va && c->objects >= 2 ? km_ld32(cpu, c->va + KM_SLABC_RANDOM_SEQ) : 0;
    uint32_t pos = 0, nr = c->objects;

    if (seq) {
        km_sync(cpu); /* one generator for all CPUs */
        pos = km_prng_below(&l->prng, c->objects);
    }
    if (c->slab.mgmt == KM_SLAB_MGMT_OBJECT) {
        uint32_t last = seq ? km_ld32(cpu, seq + 4 * pos) : nr - 1;

        pos = (pos + 1) % c->objects;
        freelist = s_mem + last * c->size;
        km_st32(cpu, slab + KM_SLABD_FREELIST, freelist);
        km_st8(cpu, freelist + nr - 1, (uint8_t)last);
        nr--;
    }
    for (uint32_t i = 0; i < nr; i++) {
        uint32_t index = i;

        if (seq) {
            index = km_ld32(cpu, seq + 4 * pos);
            pos = (pos + 1) % c->objects;
        }
        km_st8(cpu, freelist + i, (uint8_t)index);
    }
}

/* Next colour of the node in bytes. */
static uint32_t next_colour(struct km_cpu *cpu, const struct km_kmem_cache *c, km_vaddr n)
{
    uint32_t colour;

    km_lock(cpu, n + KM_SLABN_LOCK);
    colour = km_ld32(cpu, n + KM_SLABN_COLOUR_NEXT) + 1;
    if (colour >= km_ld32(cpu, c->va + KM_SLABC_COLOUR))
        colour = 0;
    km_st32(cpu, n + KM_SLABN_COLOUR_NEXT, colour);
    km_unlock(cpu, n + KM_SLABN_LOCK);
    return colour * km_ld32(cpu, c->va + KM_SLABC_COLOUR_OFF);
}

static void free_pages(struct km_slab_layer *l, struct km_cpu *cpu, const struct km_kmem_cache *c,
                       km_vaddr slab)
{
    km_st32(cpu, slab + KM_PAGE_FLAGS, km_ld32(cpu, slab + KM_PAGE_FLAGS) & ~(uint32_t)KM_PG_SLAB);
    km_st32(cpu, slab + KM_PAGE_MAPPING, 0);
    km_st32(cpu, slab + KM_PAGE_TYPE, KM_PAGE_TYPE_NONE);
    l->stats.slab_blocks_free++;
    l->stats.slab_pages_free += 1u << c->order;
    l->p.src.free(l->p.src.ctx, cpu, km_page_pfn(l->os, slab), c->order);
}

#define ANY_NODE (-1)

static km_vaddr slab_pages(struct km_slab_layer *l, struct km_cpu *cpu,
                           const struct km_kmem_cache *c, uint32_t gfp, int node)
{
    uint32_t flags = gfp | km_ld32(cpu, c->va + KM_SLABC_ALLOCFLAGS);

    l->requesting[cpu->id] = c;
    km_pfn pfn = node == ANY_NODE || !l->p.src.alloc_node
                     ? l->p.src.alloc(l->p.src.ctx, cpu, flags, c->order)
                     : l->p.src.alloc_node(l->p.src.ctx, cpu, (unsigned)node, flags | KM_GFP_THISNODE,
                                           c->order);

    l->requesting[cpu->id] = NULL;
    if (pfn == KM_PFN_NONE)
        return 0;
    km_vaddr slab = km_page_va(l->os, pfn);

    km_st32(cpu, slab + KM_PAGE_FLAGS, km_ld32(cpu, slab + KM_PAGE_FLAGS) | KM_PG_SLAB);
    km_slab_set_memcg_vec(l, cpu, slab, 0);
    l->stats.slab_blocks_alloc++;
    l->stats.slab_pages_alloc += 1u << c->order;
    return slab;
}

/* Lays a new slab out: management, colour, list of objects. False: no memory for the list. */
static bool slab_lay_out(struct km_slab_layer *l, struct km_cpu *cpu, struct km_kmem_cache *c,
                         km_vaddr slab, km_vaddr n, uint32_t gfp)
{
    km_vaddr base = km_pfn_to_va(l->os, km_page_pfn(l->os, slab));
    km_vaddr freelist = 0;

    km_st32(cpu, slab + KM_SLABD_S_MEM, base + next_colour(cpu, c, n));
    if (c->slab.mgmt == KM_SLAB_MGMT_OFF)
        freelist = km_kmem_cache_alloc(l, cpu, c->slab.freelist_cache, gfp);
    else if (c->slab.mgmt == KM_SLAB_MGMT_ON)
        freelist = base + (KM_PAGE_BYTES << c->order) - c->slab.freelist_bytes;
    if (c->slab.mgmt == KM_SLAB_MGMT_OFF && !freelist)
        return false;
    km_st32(cpu, slab + KM_SLABD_ACTIVE, 0);
    km_st32(cpu, slab + KM_SLABD_FREELIST, freelist);
    km_st32(cpu, slab + KM_SLAB_CACHE, c->va);
    for (uint32_t i = 0; i < c->objects && (c->flags & (KM_CACHE_DEBUG | KM_CACHE_CTOR)); i++)
        km_slab_debug_new(l, cpu, c,
                          km_ld32(cpu, slab + KM_SLABD_S_MEM) + i * c->size + c->obj_offset);
    order_objects(l, cpu, c, slab);
    return true;
}

/* A new slab, all objects in it, on no list yet; 0: no memory. */
static km_vaddr grow(struct km_slab_layer *l, struct km_cpu *cpu, struct km_kmem_cache *c,
                     uint32_t gfp, int from)
{
    gfp &= KM_SLAB_GFP_KEPT;
    enter(l, cpu, &fn_grow);
    km_vaddr slab = slab_pages(l, cpu, c, gfp, from);

    if (slab) {
        unsigned node = km_slab_pfn_node(l, km_page_pfn(l->os, slab));

        if (l->memcg && (c->flags & KM_CACHE_ACCOUNT))
            km_slab_memcg_alloc(l, cpu, c, slab, c->objects, gfp);
        if (!slab_lay_out(l, cpu, c, slab, node_of(cpu, c, node), gfp)) {
            if (km_slab_memcg_vec(l, cpu, slab))
                km_slab_memcg_free(l, cpu, slab);
            free_pages(l, cpu, c, slab);
            slab = 0;
        }
    }
    leave(l, cpu, &fn_grow);
    if (slab)
        c->stats.slabs_created++;
    return slab;
}

/* The new slab, maybe with objects taken already, goes to its node's lists. */
static void file_new(struct km_slab_layer *l, struct km_cpu *cpu, struct km_kmem_cache *c,
                     km_vaddr slab)
{
    km_vaddr n = node_of(cpu, c, km_slab_pfn_node(l, km_page_pfn(l->os, slab)));
    uint32_t active;

    km_lock(cpu, n + KM_SLABN_LOCK);
    active = km_ld32(cpu, slab + KM_SLABD_ACTIVE);
    add32(cpu, n + KM_SLABN_TOTAL_SLABS, 1);
    add32(cpu, n + KM_SLABN_FREE_OBJECTS, c->objects - active);
    if (active) {
        slab_refile(cpu, c, n, slab);
    } else {
        km_list_add_tail(cpu, slab + KM_SLAB_LIST, n + KM_SLABN_FREE);
        add32(cpu, n + KM_SLABN_FREE_SLABS, 1);
    }
    km_unlock(cpu, n + KM_SLABN_LOCK);
}

/* An empty slab on no list goes: its pages now, or after a grace period. */
static void slab_destroy(struct km_slab_layer *l, struct km_cpu *cpu, struct km_kmem_cache *c,
                         km_vaddr slab)
{
    km_vaddr freelist = km_ld32(cpu, slab + KM_SLABD_FREELIST);

    enter(l, cpu, &fn_slab_destroy);
    c->stats.slabs_released++;
    for (uint32_t i = 0; i < c->objects && (c->flags & KM_CACHE_DEBUG); i++)
        km_slab_debug_dead(l, cpu, c,
                           km_ld32(cpu, slab + KM_SLABD_S_MEM) + i * c->size + c->obj_offset);
    if (km_slab_memcg_vec(l, cpu, slab))
        km_slab_memcg_free(l, cpu, slab);
    leave(l, cpu, &fn_slab_destroy);
    if (c->flags & KM_CACHE_TYPESAFE_BY_RCU)
        km_st32(cpu, slab + KM_SLAB_NEXT, km_rmw32(cpu, l->rcu_list_va, KM_RMW_XCHG, slab, 0));
    else
        free_pages(l, cpu, c, slab);
    if (c->slab.mgmt == KM_SLAB_MGMT_OFF)
        km_kmem_cache_free(l, cpu, c->slab.freelist_cache, freelist);
}

void km_slab_destroy_chain(struct km_slab_layer *l, struct km_cpu *cpu, struct km_kmem_cache *c,
                           km_vaddr chain)
{
    while (chain) {
        km_vaddr next = km_ld32(cpu, chain + KM_SLAB_NEXT);

        slab_destroy(l, cpu, c, chain);
        chain = next;
    }
}

static unsigned slab_quiesce(struct km_slab_layer *l, struct km_cpu *cpu)
{
    if (!km_peek32(cpu->window, l->rcu_list_va))
        return 0;
    km_vaddr slab = km_rmw32(cpu, l->rcu_list_va, KM_RMW_XCHG, 0, 0);
    unsigned nr = 0;

    for (; slab; nr++) {
        km_vaddr next = km_ld32(cpu, slab + KM_SLAB_NEXT);

        free_pages(l, cpu, km_slab_cache(l, cpu->window, slab), slab);
        slab = next;
    }
    return nr;
}

/* ---- allocation ------------------------------------------------------------------------------ */

/* Up to nr objects of one slab onto the array; returns how many are still wanted. */
static uint32_t take_from_slab(struct km_cpu *cpu, const struct km_kmem_cache *c, km_vaddr ac,
                               km_vaddr slab, uint32_t nr)
{
    while (nr && km_ld32(cpu, slab + KM_SLABD_ACTIVE) < c->objects) {
        ac_push(cpu, ac, slab_take(cpu, c, slab));
        nr--;
    }
    return nr;
}

/* First slab with free objects, taken off its list; 0: none. */
static km_vaddr first_slab(struct km_cpu *cpu, km_vaddr n)
{
    km_vaddr entry = km_list_first(cpu, n + KM_SLABN_PARTIAL);

    if (entry == n + KM_SLABN_PARTIAL) {
        km_st32(cpu, n + KM_SLABN_FREE_TOUCHED, 1);
        entry = km_list_first(cpu, n + KM_SLABN_FREE);
        if (entry == n + KM_SLABN_FREE)
            return 0;
        add32(cpu, n + KM_SLABN_FREE_SLABS, UINT32_MAX);
    }
    km_list_del(cpu, entry);
    return entry - KM_SLAB_LIST;
}

/* Shared stack, else slabs of the CPU's node, onto the empty array. */
static void refill_from_node(struct km_slab_layer *l, struct km_cpu *cpu, struct km_kmem_cache *c,
                             km_vaddr ac, km_vaddr n, uint32_t batch)
{
    km_vaddr shared = km_ld32(cpu, n + KM_SLABN_SHARED);

    (void)l;
    if (!km_ld32(cpu, n + KM_SLABN_FREE_OBJECTS) &&
        (!shared || !km_ld32(cpu, shared + KM_AC_AVAIL)))
        return;
    km_lock(cpu, n + KM_SLABN_LOCK);
    if (shared && ac_transfer(cpu, ac, shared, batch)) {
        km_st32(cpu, shared + KM_AC_TOUCHED, 1);
        km_unlock(cpu, n + KM_SLABN_LOCK);
        return;
    }
    while (batch) {
        km_vaddr slab = first_slab(cpu, n);

        if (!slab)
            break;
        batch = take_from_slab(cpu, c, ac, slab, batch);
        slab_refile(cpu, c, n, slab);
        c->stats.refills_partial++;
    }
    add32(cpu, n + KM_SLABN_FREE_OBJECTS, 0u - km_ld32(cpu, ac + KM_AC_AVAIL));
    km_unlock(cpu, n + KM_SLABN_LOCK);
}

/* A new slab turned out to lie on another node: it goes there, and one object of that node serves
 * the call. Arrays hold objects of their own node only. */
static km_vaddr take_remote(struct km_slab_layer *l, struct km_cpu *cpu, struct km_kmem_cache *c,
                            unsigned node)
{
    km_vaddr n = node_of(cpu, c, node), obj = 0;

    (void)l;
    km_lock(cpu, n + KM_SLABN_LOCK);
    km_vaddr slab = first_slab(cpu, n);

    if (slab) {
        obj = slab_take(cpu, c, slab);
        add32(cpu, n + KM_SLABN_FREE_OBJECTS, UINT32_MAX);
        slab_refile(cpu, c, n, slab);
    }
    km_unlock(cpu, n + KM_SLABN_LOCK);
    return obj;
}

static km_vaddr refill(struct km_slab_layer *l, struct km_cpu *cpu, struct km_kmem_cache *c,
                       km_vaddr ac, uint32_t gfp)
{
    unsigned here = km_slab_cpu_node(l, cpu->id), there = here;
    km_vaddr n = node_of(cpu, c, here);
    uint32_t batch = km_ld32(cpu, ac + KM_AC_BATCHCOUNT);

    enter(l, cpu, &fn_refill);
    if (!km_ld32(cpu, ac + KM_AC_TOUCHED) && batch > REFILL_UNTOUCHED)
        batch = REFILL_UNTOUCHED;
    refill_from_node(l, cpu, c, ac, n, batch);
    if (!km_ld32(cpu, ac + KM_AC_AVAIL)) {
        km_vaddr slab = grow(l, cpu, c, gfp, ANY_NODE);

        if (slab) {
            there = km_slab_pfn_node(l, km_page_pfn(l->os, slab));
            if (here == there && !km_ld32(cpu, ac + KM_AC_AVAIL))
                take_from_slab(cpu, c, ac, slab, batch);
            file_new(l, cpu, c, slab);
        }
    }
    km_vaddr remote = there != here ? take_remote(l, cpu, c, there) : 0;

    leave(l, cpu, &fn_refill);
    if (remote)
        return remote;
    if (!km_ld32(cpu, ac + KM_AC_AVAIL))
        return 0;
    km_st32(cpu, ac + KM_AC_TOUCHED, 1);
    return ac_pop(cpu, ac);
}

static km_vaddr hand_out(struct km_slab_layer *l, struct km_cpu *cpu, struct km_kmem_cache *c,
                         km_vaddr obj)
{
    obj += c->obj_offset;
    if (c->flags & KM_CACHE_DEBUG)
        km_slab_debug_alloc(l, cpu, c, obj);
    return obj;
}

static km_vaddr slab_alloc(struct km_slab_layer *l, struct km_cpu *cpu, struct km_kmem_cache *c,
                           uint32_t gfp)
{
    km_ref(cpu, c->va + KM_SLABC_CPU_CACHE, 4, KM_REF_LOAD);
    km_vaddr ac = km_slab_cpu_array(l, c, cpu->id);
    km_vaddr obj;

    if (km_ld32(cpu, ac + KM_AC_AVAIL)) {
        km_st32(cpu, ac + KM_AC_TOUCHED, 1);
        obj = ac_pop(cpu, ac);
    } else {
        obj = refill(l, cpu, c, ac, gfp);
    }
    return obj ? hand_out(l, cpu, c, obj) : 0;
}

/* Straight from the slabs of another node: arrays hold objects of their own node only. */
static km_vaddr slab_alloc_node(struct km_slab_layer *l, struct km_cpu *cpu, struct km_kmem_cache *c,
                                uint32_t gfp, unsigned node)
{
    if (node == km_slab_cpu_node(l, cpu->id))
        return slab_alloc(l, cpu, c, gfp);
    km_vaddr obj = take_remote(l, cpu, c, node);

    if (!obj) {
        km_vaddr slab = grow(l, cpu, c, gfp, (int)node);

        if (slab) {
            file_new(l, cpu, c, slab);
            obj = take_remote(l, cpu, c, km_slab_pfn_node(l, km_page_pfn(l->os, slab)));
        }
    }
    if (obj)
        return hand_out(l, cpu, c, obj);
    return gfp & KM_GFP_THISNODE ? 0 : slab_alloc(l, cpu, c, gfp);
}

/* ---- free ------------------------------------------------------------------------------------ */

/* Slabs off the tail of the free list until the node has no more free objects than it may. */
static void trim_free(struct km_cpu *cpu, struct km_kmem_cache *c, km_vaddr n, km_vaddr *destroy)
{
    while (km_ld32(cpu, n + KM_SLABN_FREE_OBJECTS) > km_ld32(cpu, n + KM_SLABN_FREE_LIMIT) &&
           !km_list_empty(cpu, n + KM_SLABN_FREE)) {
        km_vaddr entry = km_list_last(cpu, n + KM_SLABN_FREE);

        add32(cpu, n + KM_SLABN_FREE_OBJECTS, 0u - c->objects);
        add32(cpu, n + KM_SLABN_FREE_SLABS, UINT32_MAX);
        add32(cpu, n + KM_SLABN_TOTAL_SLABS, UINT32_MAX);
        km_list_del(cpu, entry);
        km_st32(cpu, entry, *destroy); /* KM_SLAB_NEXT is the list's first word */
        *destroy = entry - KM_SLAB_LIST;
    }
}

void km_slab_free_block(struct km_slab_layer *l, struct km_cpu *cpu, struct km_kmem_cache *c,
                        km_vaddr obj_va, uint32_t nr, unsigned node, km_vaddr *destroy)
{
    km_vaddr n = node_of(cpu, c, node);

    enter(l, cpu, &fn_block);
    add32(cpu, n + KM_SLABN_FREE_OBJECTS, nr);
    for (uint32_t i = 0; i < nr; i++) {
        km_vaddr obj = km_ld32(cpu, obj_va + 4 * i);
        km_vaddr slab = km_slab_of(l, cpu, obj);

        km_list_del(cpu, slab + KM_SLAB_LIST);
        slab_give(cpu, c, slab, obj);
        if (km_ld32(cpu, slab + KM_SLABD_ACTIVE) == 0) {
            km_list_add(cpu, slab + KM_SLAB_LIST, n + KM_SLABN_FREE);
            add32(cpu, n + KM_SLABN_FREE_SLABS, 1);
        } else {
            km_list_add_tail(cpu, slab + KM_SLAB_LIST, n + KM_SLABN_PARTIAL);
        }
    }
    trim_free(cpu, c, n, destroy);
    leave(l, cpu, &fn_block);
}

/* The oldest batch leaves a full array. */
static void flush_array(struct km_slab_layer *l, struct km_cpu *cpu, struct km_kmem_cache *c,
                        km_vaddr ac)
{
    unsigned node = km_slab_cpu_node(l, cpu->id);
    km_vaddr n = node_of(cpu, c, node), destroy = 0;
    uint32_t batch = km_ld32(cpu, ac + KM_AC_BATCHCOUNT), room = 0, there = 0;

    enter(l, cpu, &fn_flush);
    km_lock(cpu, n + KM_SLABN_LOCK);
    km_vaddr shared = km_ld32(cpu, n + KM_SLABN_SHARED);

    if (shared) {
        there = km_ld32(cpu, shared + KM_AC_AVAIL);
        room = km_ld32(cpu, shared + KM_AC_LIMIT) - there;
    }
    if (room) {
        batch = (uint32_t)km_min_u64(batch, room);
        ac_copy(cpu, shared + KM_AC_ENTRY + 4 * there, ac + KM_AC_ENTRY, batch);
        km_st32(cpu, shared + KM_AC_AVAIL, there + batch);
    } else {
        km_slab_free_block(l, cpu, c, ac + KM_AC_ENTRY, batch, node, &destroy);
    }
    km_unlock(cpu, n + KM_SLABN_LOCK);
    uint32_t left = km_ld32(cpu, ac + KM_AC_AVAIL) - batch;

    km_st32(cpu, ac + KM_AC_AVAIL, left);
    ac_copy(cpu, ac + KM_AC_ENTRY, ac + KM_AC_ENTRY + 4 * batch, left);
    leave(l, cpu, &fn_flush);
    km_slab_destroy_chain(l, cpu, c, destroy);
}

void km_slab_drain_alien(struct km_slab_layer *l, struct km_cpu *cpu, struct km_kmem_cache *c,
                         km_vaddr ac, unsigned node, km_vaddr *destroy)
{
    km_vaddr n = node_of(cpu, c, node);

    if (!km_ld32(cpu, ac + KM_AC_AVAIL))
        return;
    km_lock(cpu, n + KM_SLABN_LOCK);
    km_vaddr shared = km_ld32(cpu, n + KM_SLABN_SHARED);

    if (shared)
        ac_transfer(cpu, shared, ac, km_ld32(cpu, ac + KM_AC_LIMIT));
    km_slab_free_block(l, cpu, c, ac + KM_AC_ENTRY, km_ld32(cpu, ac + KM_AC_AVAIL), node, destroy);
    km_st32(cpu, ac + KM_AC_AVAIL, 0);
    km_unlock(cpu, n + KM_SLABN_LOCK);
}

/* An object of another node; false: it is of this CPU's node. */
static bool free_alien(struct km_slab_layer *l, struct km_cpu *cpu, struct km_kmem_cache *c,
                       km_vaddr slab, km_vaddr obj)
{
    unsigned here = km_slab_cpu_node(l, cpu->id);
    unsigned there = km_slab_pfn_node(l, km_page_pfn(l->os, slab));

    if (here == there)
        return false;
    enter(l, cpu, &fn_alien);
    km_vaddr vec = km_ld32(cpu, node_of(cpu, c, here) + KM_SLABN_ALIEN), destroy = 0;
    km_vaddr alien = vec ? km_ld32(cpu, vec + 4 * there) : 0;

    if (alien) {
        km_vaddr ac = alien + KM_ALIEN_AC;

        km_lock(cpu, alien + KM_ALIEN_LOCK);
        if (km_ld32(cpu, ac + KM_AC_AVAIL) == km_ld32(cpu, ac + KM_AC_LIMIT))
            km_slab_drain_alien(l, cpu, c, ac, there, &destroy);
        ac_push(cpu, ac, obj);
        km_unlock(cpu, alien + KM_ALIEN_LOCK);
    } else { /* start-up: straight to the other node's slabs, by way of the stack */
        km_vaddr n = node_of(cpu, c, there), tmp = l->stack_va[cpu->id] - 4;

        km_lock(cpu, n + KM_SLABN_LOCK);
        km_st32(cpu, tmp, obj);
        km_slab_free_block(l, cpu, c, tmp, 1, there, &destroy);
        km_unlock(cpu, n + KM_SLABN_LOCK);
    }
    leave(l, cpu, &fn_alien);
    km_slab_destroy_chain(l, cpu, c, destroy);
    return true;
}

static void slab_free(struct km_slab_layer *l, struct km_cpu *cpu, struct km_kmem_cache *c,
                      km_vaddr slab, km_vaddr obj)
{
    if (c->flags & KM_CACHE_DEBUG)
        km_slab_debug_free(l, cpu, c, obj);
    obj -= c->obj_offset;
    km_ref(cpu, c->va + KM_SLABC_CPU_CACHE, 4, KM_REF_LOAD);
    km_vaddr ac = km_slab_cpu_array(l, c, cpu->id);

    if (l->p.numa.nodes > 1 && free_alien(l, cpu, c, slab, obj))
        return;
    if (km_ld32(cpu, ac + KM_AC_AVAIL) >= km_ld32(cpu, ac + KM_AC_LIMIT))
        flush_array(l, cpu, c, ac);
    ac_push(cpu, ac, obj);
}

/* ---- bulk ------------------------------------------------------------------------------------ */

static unsigned slab_alloc_bulk(struct km_slab_layer *l, struct km_cpu *cpu,
                                struct km_kmem_cache *c, uint32_t gfp, unsigned nr, km_vaddr *obj)
{
    unsigned got = 0;

    enter(l, cpu, &fn_alloc_bulk);
    while (got < nr && (obj[got] = slab_alloc(l, cpu, c, gfp)) != 0)
        got++;
    leave(l, cpu, &fn_alloc_bulk);
    if (got == nr)
        return nr;
    while (got--)
        slab_free(l, cpu, c, km_slab_of(l, cpu, obj[got]), obj[got]);
    return 0;
}

static void slab_free_bulk(struct km_slab_layer *l, struct km_cpu *cpu, struct km_kmem_cache *c,
                           unsigned nr, km_vaddr *obj)
{
    enter(l, cpu, &fn_free_bulk);
    for (unsigned i = 0; i < nr; i++)
        if (obj[i])
            slab_free(l, cpu, c, km_slab_of(l, cpu, obj[i]), obj[i]);
    leave(l, cpu, &fn_free_bulk);
}

static uint32_t slab_objects(struct km_slab_layer *l, struct km_cpu *cpu,
                             const struct km_kmem_cache *c, km_vaddr slab)
{
    (void)l;
    (void)slab;
    return km_ld32(cpu, c->va + KM_SLABC_NUM);
}

static km_vaddr slab_first_object(const struct km_slab_layer *l, const uint8_t *window,
                                  const struct km_kmem_cache *c, km_vaddr slab)
{
    (void)l;
    return km_peek32(window, slab + KM_SLABD_S_MEM) + c->obj_offset;
}

const struct km_slab_ops km_slab_ops_slab = {
    .name = "slab",
    .help = "queueing allocator: per-CPU and shared object stacks over lists of slabs (until 6.7)",
    .cache_bytes = KM_SLABC_BYTES,
    .random_seq = KM_SLABC_RANDOM_SEQ,
    .kmalloc_min = 32,
    .kmalloc_to_block_max = true,
    .red = KM_SLAB_RED_WORDS,
    .create = km_slab_create,
    .destroy = km_slab_destroy,
    .late = km_slab_late,
    .alloc = slab_alloc,
    .alloc_node = slab_alloc_node,
    .free = slab_free,
    .alloc_bulk = slab_alloc_bulk,
    .free_bulk = slab_free_bulk,
    .shrink = km_slab_shrink,
    .quiesce = slab_quiesce,
    .tick = km_slab_tick,
    .objects = slab_objects,
    .first_object = slab_first_object,
    .info = km_slab_info,
    .check = km_slab_check_cache,
};
