/* SPDX-License-Identifier: MIT
 * kmalloc_api.h - the calls drivers use on top of kmalloc: arrays, nodes, kvmalloc, deferred frees.
 *
 * Models:      kmalloc_array, kcalloc (a product that does not fit a word fails before anything is asked for),
 *              kmalloc_node and kmem_cache_alloc_node, kfree_sensitive (zeroed first), kvmalloc (kmalloc that gives
 *              up early, then vmalloc), kfree_rcu: pointers are noted in pages of 1022 and freed in one bulk call,
 *              without kfree events, after a grace period; without a page the object itself is the link of a chain
 *              whose members are then freed one by one, with events.
 *
 *                kfree_rcu(p)   CPU 0: | n | next | p p p ...      | -> page full of pointers -> grace period -> bulk
 *                no page left          chain -> p -> p -> p                                   -> grace period -> kfree
 *
 * Not modelled: timers and work queues of kfree_rcu (km_kfree_rcu_quiesce is the end of a grace period), its cache of
 *              pages.
 * Invariants:  a pointer is noted once, or linked; bytes of a chained object belong to the chain (km_kfree_rcu_check).
 * References:  kernel-behaviour notes E1, H4, H6; Documentation/core-api/memory-allocation.rst.
 */
#ifndef KM_OS_KMALLOC_API_H
#define KM_OS_KMALLOC_API_H

#include "models/os/slab_layer.h"
#include "models/os/vmalloc.h"

#define KM_ANY_NODE (-1)
#define KM_RCU_PAGE_POINTERS 1022u

struct km_kfree_rcu {
    struct km_slab_layer *l;
    km_vaddr head_va[KM_MAX_CPUS];  /* guest word: page being filled, full ones behind it; 0: none */
    km_vaddr chain_va[KM_MAX_CPUS]; /* guest word: first object of the chain; 0: none             */
    struct {
        uint64_t noted, chained, freed, pages;
    } stats;
};

/* 0: failed, or the product overflows. */
km_vaddr km_kmalloc_array(struct km_slab_layer *l, struct km_cpu *cpu, uint32_t n, uint32_t size,
                          uint32_t gfp);
km_vaddr km_kcalloc(struct km_slab_layer *l, struct km_cpu *cpu, uint32_t n, uint32_t size, uint32_t gfp);
/* node KM_ANY_NODE: where the CPU is. A node without memory of its own is served from any other, unless
 * __GFP_THISNODE. */
km_vaddr km_kmalloc_node(struct km_slab_layer *l, struct km_cpu *cpu, uint32_t size, uint32_t gfp, int node);
km_vaddr km_kmem_cache_alloc_node(struct km_slab_layer *l, struct km_cpu *cpu, struct km_kmem_cache *c,
                                  uint32_t gfp, int node);
void km_kfree_sensitive(struct km_slab_layer *l, struct km_cpu *cpu, km_vaddr va);

km_vaddr km_kvmalloc(struct km_vmalloc *v, struct km_cpu *cpu, uint32_t size, uint32_t gfp, km_vaddr caller);
void km_kvfree(struct km_vmalloc *v, struct km_cpu *cpu, km_vaddr va);

void km_kfree_rcu_init(struct km_kfree_rcu *r, struct km_slab_layer *l, struct km_cpu *cpu);
void km_kfree_rcu(struct km_kfree_rcu *r, struct km_cpu *cpu, km_vaddr va);
/* A grace period ended: everything noted or linked is freed by the caller's CPU; returns how many. */
unsigned km_kfree_rcu_quiesce(struct km_kfree_rcu *r, struct km_cpu *cpu);
/* NULL, or what is wrong. Untimed. */
const char *km_kfree_rcu_check(const struct km_kfree_rcu *r, const uint8_t *window);

#endif
