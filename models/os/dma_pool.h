/* SPDX-License-Identifier: MIT
 * dma_pool.h - small blocks of consistent memory for descriptors: dma_pool_create, dma_pool_alloc.
 *
 * Models:      blocks of one size cut out of pages of dma_alloc_coherent; a block holds the offset of the next free
 *              one in its page; a boundary no block may cross; pages are never given back before the pool goes.
 * Not modelled: poisoning, sysfs.
 * Invariants:  a page's free blocks and those in use are all its blocks (km_dma_pool_check).
 * Units:       bytes; addresses are bus addresses.
 * References:  Linux Documentation/core-api/dma-api.rst, part Ib.
 */
#ifndef KM_OS_DMA_POOL_H
#define KM_OS_DMA_POOL_H

#include "models/os/dma_map.h"

#define KM_DMA_POOL_PAGES 64u

struct km_dma_pool_page {
    km_paddr addr;
    km_vaddr va;
    uint32_t free; /* offset of the first free block; >= allocation: none */
    uint32_t in_use;
};

struct km_dma_pool {
    struct km_dma *dma;
    const struct km_dma_device *dev;
    const char *name;
    uint32_t block_bytes, boundary, allocation;
    struct km_dma_pool_page page[KM_DMA_POOL_PAGES];
    unsigned nr_pages;
    uint64_t allocs, frees, failed, bad_frees;
};

/* align: a power of two or 0; boundary: 0 or a power of two of at least a block. False: impossible. */
bool km_dma_pool_create(struct km_dma_pool *p, struct km_dma *dma, const struct km_dma_device *dev,
                        const char *name, uint32_t bytes, uint32_t align, uint32_t boundary);
/* Blocks still in use go with it; their number. */
uint32_t km_dma_pool_destroy(struct km_dma_pool *p, struct km_cpu *cpu);
km_vaddr km_dma_pool_alloc(struct km_dma_pool *p, struct km_cpu *cpu, uint32_t gfp, km_paddr *addr);
/* False: no block of this pool begins there. */
bool km_dma_pool_free(struct km_dma_pool *p, struct km_cpu *cpu, km_paddr addr);
const char *km_dma_pool_check(const struct km_dma_pool *p, const uint8_t *window);

#endif
