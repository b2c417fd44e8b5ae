/* SPDX-License-Identifier: MIT
 * slab.h - guest layout of SLAB and what its files (slab.c, slab_geom.c, slab_reap.c, slab_check.c)
 * share.
 *
 * A slab under SLAB, management inside one of its own free objects (the usual case), 4 objects:
 *
 *     block     +--------+--------+--------+--------+--------+
 *               | colour | obj 0  | obj 1  | obj 2  | obj 3  |      s_mem = first object
 *               +--------+--------+--------+--------+--------+
 *     freelist (one byte per object, here inside obj 3):  [0] [1] [2] [3]
 *                                                              ^ active = 1: obj 0 is out,
 *                                                                next one handed out is [active]
 *
 * Descriptor words overlay struct page: list, cache, freelist (address of the array, 0: none yet),
 * s_mem, active (objects outside the slab: live or in an array cache).
 */
#ifndef KM_OS_SLAB_H
#define KM_OS_SLAB_H

#include "models/os/slab_layer.h"

/* slab descriptor: KM_SLAB_LIST, KM_SLAB_CACHE and these */
enum {
    KM_SLABD_FREELIST = 16,
    KM_SLABD_S_MEM = 20,
    KM_SLABD_ACTIVE = 24,
};

/* struct kmem_cache */
enum {
    KM_SLABC_CPU_CACHE = 0, /* array cache of CPU 0 */
    KM_SLABC_BATCHCOUNT = 4,
    KM_SLABC_LIMIT = 8,
    KM_SLABC_SHARED = 12,
    KM_SLABC_SIZE = 16,
    KM_SLABC_RECIPROCAL = 20,
    KM_SLABC_FLAGS = 28,
    KM_SLABC_NUM = 32,
    KM_SLABC_GFPORDER = 36,
    KM_SLABC_ALLOCFLAGS = 40,
    KM_SLABC_COLOUR = 44,
    KM_SLABC_COLOUR_OFF = 48,
    KM_SLABC_FREELIST_SIZE = 52,
    KM_SLABC_REFCOUNT = 72,
    KM_SLABC_OBJECT_SIZE = 76,
    KM_SLABC_ALIGN = 80,
    KM_SLABC_RANDOM_SEQ = 88,
    KM_SLABC_NODE = 100, /* one pointer per node */
    KM_SLABC_BYTES = KM_SLABC_NODE + 4 * KM_SLAB_MAX_NODES,
};

/* struct kmem_cache_node */
enum {
    KM_SLABN_LOCK = 0,
    KM_SLABN_PARTIAL = 4,
    KM_SLABN_FULL = 12,
    KM_SLABN_FREE = 20,
    KM_SLABN_TOTAL_SLABS = 28,
    KM_SLABN_FREE_SLABS = 32,
    KM_SLABN_FREE_OBJECTS = 36,
    KM_SLABN_FREE_LIMIT = 40,
    KM_SLABN_COLOUR_NEXT = 44,
    KM_SLABN_SHARED = 48, /* array_cache, 0: none */
    KM_SLABN_ALIEN = 52,  /* vector of alien caches by node, 0: none */
    KM_SLABN_NEXT_REAP = 56,
    KM_SLABN_FREE_TOUCHED = 60,
    KM_SLABN_BYTES = 64,
};

/* struct array_cache, then its entries; an alien cache has its lock in front */
enum {
    KM_AC_AVAIL = 0,
    KM_AC_LIMIT = 4,
    KM_AC_BATCHCOUNT = 8,
    KM_AC_TOUCHED = 12,
    KM_AC_ENTRY = 16,
    KM_ALIEN_LOCK = 0,
    KM_ALIEN_AC = 4,
};

#define KM_SLAB_ALIEN_LIMIT 12u
#define KM_SLAB_CPU_SLOT 512u /* room for one array cache of 120 entries */
#define KM_SLAB_CPU_SLOTS_PER_PAGE (KM_PAGE_BYTES / KM_SLAB_CPU_SLOT)

static inline unsigned km_slab_nodes(const struct km_slab_layer *l)
{
    return l->p.numa.nodes ? l->p.numa.nodes : 1;
}

static inline unsigned km_slab_cpu_node(const struct km_slab_layer *l, unsigned cpu)
{
    return l->p.numa.nodes > 1 ? l->p.numa.cpu_node[cpu] : 0;
}

static inline unsigned km_slab_pfn_node(const struct km_slab_layer *l, km_pfn pfn)
{
    return l->p.numa.nodes > 1 ? l->p.numa.pfn_node(l->p.numa.ctx, pfn) : 0;
}

/* Array cache of a CPU for cache c. */
static inline km_vaddr km_slab_cpu_array(const struct km_slab_layer *l,
                                         const struct km_kmem_cache *c, unsigned cpu)
{
    unsigned slot = (unsigned)(c - l->cache);

    return l->array_page[cpu][slot / KM_SLAB_CPU_SLOTS_PER_PAGE] +
           slot % KM_SLAB_CPU_SLOTS_PER_PAGE * KM_SLAB_CPU_SLOT;
}

/* slab_geom.c: size, order, objects, management and colours from object_size, align and flags.
 * False: too big. */
bool km_slab_geometry(struct km_slab_layer *l, struct km_kmem_cache *c);
/* Entries of a CPU's array cache for this object distance, without and with sharing. */
uint32_t km_slab_array_limit(uint32_t size);

/* slab.c, for slab_reap.c: objects at obj_va[0..nr) (guest array) go back to their slabs; slabs
 * that must go are chained through KM_SLAB_NEXT from *destroy. Under the node's lock. */
void km_slab_free_block(struct km_slab_layer *l, struct km_cpu *cpu, struct km_kmem_cache *c,
                        km_vaddr obj_va, uint32_t nr, unsigned node, km_vaddr *destroy);
void km_slab_destroy_chain(struct km_slab_layer *l, struct km_cpu *cpu, struct km_kmem_cache *c,
                           km_vaddr chain);
void km_slab_drain_alien(struct km_slab_layer *l, struct km_cpu *cpu, struct km_kmem_cache *c,
                         km_vaddr ac, unsigned node, km_vaddr *destroy);

/* slab_tune.c */
bool km_slab_create(struct km_slab_layer *l, struct km_cpu *cpu, struct km_kmem_cache *c);
bool km_slab_destroy(struct km_slab_layer *l, struct km_cpu *cpu, struct km_kmem_cache *c);
bool km_slab_late(struct km_slab_layer *l, struct km_cpu *cpu);

/* slab_reap.c */
void km_slab_tick(struct km_slab_layer *l, struct km_cpu *cpu, uint64_t now_ms);
void km_slab_shrink(struct km_slab_layer *l, struct km_cpu *cpu, struct km_kmem_cache *c);

/* slab_check.c */
void km_slab_info(const struct km_slab_layer *l, const uint8_t *window,
                  const struct km_kmem_cache *c, struct km_slabinfo *out);
const char *km_slab_check_cache(const struct km_slab_layer *l, const uint8_t *window,
                                const struct km_kmem_cache *c);

extern const struct km_slab_ops km_slab_ops_slab;
extern const struct km_slab_ops km_slob_ops; /* slob.c */

#endif
