/* SPDX-License-Identifier: MIT
 * vmap.h - the kernel's vmalloc address space: which addresses are free, busy, or waiting for a TLB
 * flush.
 *
 * Models:      free areas in an address-ordered tree whose nodes carry the largest free size below
 *              them; the LOWEST range that fits is taken (for alignments above a page the tree is
 *              searched for size + align - 1, so a smaller hole that happens to be aligned is
 *              passed over). Ranges are cut from the left or right edge, or split. Busy areas in a
 *              tree by address. Areas given back wait on the lazy list, merged with their
 *              neighbours, until more than lazy_max pages wait: then one TLB flush over the whole
 *              span returns them all. A failed search flushes once and tries again. Ranges for per-
 *              CPU chunks are taken from the highest free address.
 *
 *              start                                                                    end
 *                |#####|g|.....|~~~~~~~|####|g|........................................|
 *                 busy  guard  free  lazy: unmapped, address not reusable before the flush
 *
 * Not modelled: the vmap notifier chain; NUMA.
 * Guest/host:  struct vmap_area (32 bytes) comes from the kmem_cache vmap_area; roots, list heads,
 *              counters and locks are words of the kernel's bss; one spare vmap_area per CPU is
 *              kept for splits.
 * Invariants:  free, busy and lazy areas are disjoint and cover [start, end); neighbouring free
 *              areas are merged; a free node's maximum is the maximum of its subtree; the lazy
 *              counter is the sum of the lazy areas.
 * Units:       bytes, guest virtual addresses; lazy counts in pages.
 * References:  Linux 6.1 behaviour notes F1, F2, F7; Knuth, TAOCP vol. 1, section 2.5 (boundary
 *              merging).
 */
#ifndef KM_OS_VMAP_H
#define KM_OS_VMAP_H

#include "models/os/rbtree.h"
#include "models/os/slab_layer.h"

/* struct vmap_area */
enum {
    KM_VA_START = 0,
    KM_VA_END = 4,
    KM_VA_RB = 8,
    KM_VA_LIST = 20,
    KM_VA_MAX = 28, /* free: largest area in the subtree */
    KM_VA_VM = 28,  /* busy: vm_struct, or 0 (vm_map_ram) */
    KM_VA_BYTES = 32,
};

struct km_vmap_stats {
    uint64_t allocs, frees, failed;
    uint64_t fit_whole, fit_left, fit_right,
        fit_middle;                /* how the range was cut out of its free area */
    uint64_t merges;               /* neighbours joined, on the free and the lazy side */
    uint64_t purges, purged_pages; /* global flushes, and pages they gave back          */
    uint64_t pressure_purges;      /* of these: because no free range was found          */
    uint32_t lazy_peak_pages;
    uint64_t busy_bytes, busy_peak_bytes;
};

struct km_vmap {
    struct km_os *os;
    struct km_slab_layer *slab;
    struct km_kmem_cache *cache; /* vmap_area */
    km_vaddr start, end;
    uint32_t lazy_max_pages;
    struct km_rb free, busy, lazy;                     /* roots in guest bss          */
    km_vaddr free_list_va, busy_list_va, lazy_list_va; /* list heads, address order   */
    km_vaddr lazy_pages_va, free_lock_va, busy_lock_va, purge_lock_va, spare_va[KM_MAX_CPUS];
    /* Flush of kernel translations on all CPUs. NULL: INVLPG of every page on the calling CPU. */
    void (*flush_tlb)(void *ctx, struct km_cpu *cpu, km_vaddr start, km_vaddr end);
    void *flush_ctx;
    struct km_vmap_stats stats;
};

/* One free area [start, end). False: no guest memory. v is zeroed first. */
bool km_vmap_init(struct km_vmap *v, struct km_os *os, struct km_slab_layer *slab,
                  struct km_cpu *cpu, km_vaddr start, km_vaddr end);
/* A busy area of exactly `bytes` (page multiple) in [lo, hi); 0: no memory or no room (after a
 * purge). */
km_vaddr km_vmap_alloc(struct km_vmap *v, struct km_cpu *cpu, uint32_t bytes, uint32_t align,
                       km_vaddr lo, km_vaddr hi, uint32_t gfp);
/* The highest range that fits (per-CPU chunks). */
km_vaddr km_vmap_alloc_top(struct km_vmap *v, struct km_cpu *cpu, uint32_t bytes, uint32_t align,
                           uint32_t gfp);
/* Takes the range [at, at + bytes) if it is free: areas that existed before the simulation. */
km_vaddr km_vmap_claim(struct km_vmap *v, struct km_cpu *cpu, km_vaddr at, uint32_t bytes);
/* Busy area that contains va; 0: none. */
km_vaddr km_vmap_find(struct km_vmap *v, struct km_cpu *cpu, km_vaddr va);
/* Busy to lazy; true if the lazy limit is exceeded and the drain work should run. */
bool km_vmap_free_lazy(struct km_vmap *v, struct km_cpu *cpu, km_vaddr area);
/* Busy straight to free: nothing was ever mapped there. */
void km_vmap_free_now(struct km_vmap *v, struct km_cpu *cpu, km_vaddr area);
/* One TLB flush over [lo, hi) and all lazy areas, which become free. False: there were none (then
 * nothing was flushed). lo >= hi: the lazy areas alone. */
bool km_vmap_purge(struct km_vmap *v, struct km_cpu *cpu, km_vaddr lo, km_vaddr hi);
void km_vmap_flush_tlb(struct km_vmap *v, struct km_cpu *cpu, km_vaddr lo, km_vaddr hi);

/* Untimed. */
uint32_t km_vmap_lazy_pages(const struct km_vmap *v, const uint8_t *window);
/* First broken invariant in words, NULL if none. */
const char *km_vmap_check(const struct km_vmap *v, const uint8_t *window);

#endif
