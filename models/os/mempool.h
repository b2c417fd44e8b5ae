/* SPDX-License-Identifier: MIT
 * mempool.h - a reserve of objects that guarantees progress: mempool_create, mempool_alloc.
 *
 * Models:      min_nr elements allocated in advance, kept as a stack. A request first tries the
 *              allocator behind the pool without direct reclaim and I/O; only if that fails it
 *              takes from the reserve; if that is empty it tries once with all it may do; then it
 *              fails if it may not sleep, else it waits for a free. A free refills the reserve
 *              first.
 *
 *                 alloc: allocator -> reserve -> allocator, reclaiming -> NULL or sleep
 *                 free:  reserve (if below min_nr, wakes a sleeper) -> allocator
 *
 * Back ends:   a kmem_cache, kmalloc of a size, page blocks of an order, also of ZONE_DMA (elements are then the
 *              addresses of their struct page).
 * Not modelled: the wait queue: a caller that would sleep gets KM_MEMPOOL_WOULD_SLEEP and comes
 *              back.
 * Invariants:  0 <= reserve <= min_nr; elements of the reserve are distinct (km_mempool_check).
 * Units:       elements.
 * References:  Linux 6.1 behaviour notes F8.
 */
#ifndef KM_OS_MEMPOOL_H
#define KM_OS_MEMPOOL_H

#include "models/os/slab_layer.h"

enum km_mempool_kind {
    KM_MEMPOOL_SLAB,
    KM_MEMPOOL_KMALLOC,
    KM_MEMPOOL_PAGES,
    KM_MEMPOOL_PAGES_ISA, /* pages below 16 MiB */
};
enum km_mempool_result { KM_MEMPOOL_OK, KM_MEMPOOL_EMPTY, KM_MEMPOOL_WOULD_SLEEP };

/* struct mempool_s */
enum {
    KM_MP_LOCK = 0,
    KM_MP_MIN = 4,
    KM_MP_CURR = 8,
    KM_MP_ELEMENTS = 12,
    KM_MP_BYTES = 36,
};

struct km_mempool_stats {
    uint64_t allocs, frees;
    uint64_t from_allocator, from_reserve, second_try, failed, would_sleep;
    uint64_t refills, wakes;
    uint32_t lowest; /* fewest elements the reserve ever had */
};

struct km_mempool {
    struct km_slab_layer *slab;
    enum km_mempool_kind kind;
    struct km_kmem_cache *cache; /* SLAB */
    uint32_t bytes;              /* KMALLOC */
    unsigned order;              /* PAGES */
    km_vaddr va;                 /* struct mempool_s */
    struct km_mempool_stats stats;
};

/* arg: bytes or order; cache for SLAB. False: the reserve could not be filled; nothing is kept. */
bool km_mempool_create(struct km_mempool *mp, struct km_slab_layer *slab, struct km_cpu *cpu,
                       enum km_mempool_kind kind, uint32_t min_nr, uint32_t arg,
                       struct km_kmem_cache *cache);
/* Gives the reserve back; elements still out are the caller's. */
void km_mempool_destroy(struct km_mempool *mp, struct km_cpu *cpu);
/* Another reserve size; false: out of memory, the size is the old one. */
bool km_mempool_resize(struct km_mempool *mp, struct km_cpu *cpu, uint32_t min_nr);
/* The element; 0 and why not otherwise. */
km_vaddr km_mempool_alloc(struct km_mempool *mp, struct km_cpu *cpu, uint32_t gfp,
                          enum km_mempool_result *why);
/* True if a sleeper can go on. */
bool km_mempool_free(struct km_mempool *mp, struct km_cpu *cpu, km_vaddr element);
uint32_t km_mempool_reserve(const struct km_mempool *mp, const uint8_t *window);
const char *km_mempool_check(const struct km_mempool *mp, const uint8_t *window);

#endif
