/* SPDX-License-Identifier: MIT
 * dma_map.h - the DMA mapping API: what a driver must ask before a device may touch memory.
 *
 * Models:      the direct mapping of a PC (bus address = physical address); the device's mask; consistent
 *              memory (dma_alloc_coherent: whole blocks of pages from the zone the mask needs, zeroed, never
 *              HighMem); streaming mappings of buffers, pages and scatter lists, which go through a bounce buffer
 *              where the device cannot reach the memory; the ownership of a mapped buffer, moved with sync calls;
 *              for devices that are not snooped, writing back and dropping cache lines at these moments.
 *              Bounce memory is the swiotlb pool where it lies below the mask; kernels before 5.x also have a
 *              pool of 16 pages below 16 MiB for ISA devices, one page a mapping, as their block layer did.
 *
 *                 buffer above the mask ---map(to device)---> copy in  --> device reads the bounce buffer
 *                                       <--unmap(from device)- copy out <-- device writes it
 *
 * Not modelled: IOMMUs, 64-bit bus addresses, merging of adjacent scatter entries, per-device pools.
 * Rules:       what breaks the API's rules is not done, returned as a result and reported once to `misuse`:
 *              unmapping or syncing what is not mapped, with another size or direction; freeing consistent memory
 *              that is not; stack or interior pointers are not told apart.
 * Invariants:  live mappings do not share bounce slots; every address handed out is within the device's mask
 *              (km_dma_check).
 * Units:       bytes; addresses are bus addresses.
 * References:  Linux Documentation/core-api/dma-api.rst, dma-api-howto.rst.
 */
#ifndef KM_OS_DMA_MAP_H
#define KM_OS_DMA_MAP_H

#include "models/os/highmem.h"
#include "models/os/mempool.h"
#include "models/os/swiotlb.h"

#define KM_DMA_MAPPING_ERROR UINT64_MAX
#define KM_DMA_MAX_MAPPINGS 1024u
#define KM_DMA_ISA_POOL_PAGES 16u
#define KM_DMA_BITS(n) (~0ull >> (64 - (n)))

enum km_dma_dir { KM_DMA_BIDIRECTIONAL, KM_DMA_TO_DEVICE, KM_DMA_FROM_DEVICE };

enum km_dma_result {
    KM_DMA_OK,
    KM_DMA_NOT_MAPPED,  /* misuse: no mapping of this device begins there */
    KM_DMA_OTHER_SIZE,  /* misuse: mapped with another size               */
    KM_DMA_OTHER_DIR,   /* misuse: mapped with another direction          */
    KM_DMA_NOT_COHERENT, /* misuse: no consistent memory begins there     */
    KM_DMA_RESULTS,
};

struct km_dma_device {
    const char *name;
    uint64_t mask, coherent_mask; /* highest reachable address */
    bool snooped;                 /* its transfers are seen by the caches */
};

enum km_dma_mapping_kind { KM_DMA_UNUSED, KM_DMA_DIRECT, KM_DMA_SWIOTLB, KM_DMA_ISA_PAGE, KM_DMA_CONSISTENT };

struct km_dma_mapping {
    enum km_dma_mapping_kind kind;
    const struct km_dma_device *dev;
    km_paddr addr, orig; /* orig: the driver's buffer */
    uint32_t bytes;
    enum km_dma_dir dir;
    km_vaddr element; /* ISA page: its struct page */
};

struct km_dma_stats {
    uint64_t maps, unmaps, syncs, failed;
    uint64_t bounced, bounce_bytes; /* mappings, bytes copied either way */
    uint64_t coherent_allocs, coherent_frees, coherent_retries;
    uint64_t cache_lines; /* written back or dropped for devices that are not snooped */
    uint64_t misuse[KM_DMA_RESULTS];
    uint32_t live_max;
};

struct km_dma_params {
    struct km_slab_layer *slab;
    struct km_highmem *highmem; /* NULL: no HighMem */
    km_vaddr task_va;           /* for temporary mappings (highmem.h) */
    struct km_swiotlb *swiotlb; /* NULL: none */
    bool isa_pool;              /* kernels whose block layer had one */
    uint32_t line_bytes;        /* of the caches, for devices that are not snooped */
    void (*misuse)(void *ctx, const struct km_cpu *cpu, enum km_dma_result what,
                   const struct km_dma_device *dev, km_paddr addr);
    void (*bounced)(void *ctx, const struct km_cpu *cpu, const struct km_dma_device *dev, km_paddr orig,
                    uint32_t bytes);
    void *ctx; /* of both */
};

struct km_dma {
    struct km_os *os;
    struct km_dma_params p;
    struct km_mempool isa;
    struct km_dma_mapping mapping[KM_DMA_MAX_MAPPINGS];
    uint32_t live;
    struct km_dma_stats stats;
};

struct km_dma_segment {
    km_pfn pfn;
    uint32_t offset, bytes;
    km_paddr addr; /* out: where the device finds it */
};

/* False: the ISA pool could not be filled. */
bool km_dma_init(struct km_dma *d, struct km_os *os, struct km_cpu *cpu, const struct km_dma_params *p);
void km_dma_exit(struct km_dma *d, struct km_cpu *cpu);
/* The copier a swiotlb pool needs: through the CPU port, HighMem frames by a temporary mapping. */
struct km_swiotlb_copy km_dma_copier(struct km_dma *d);

/* False: memory below the mask cannot be had on this machine (it must reach all of ZONE_DMA or all of RAM). */
bool km_dma_set_mask(const struct km_dma *d, struct km_dma_device *dev, uint64_t mask);
/* Linear address, *addr for the device; 0: no memory. */
km_vaddr km_dma_alloc_coherent(struct km_dma *d, struct km_cpu *cpu, const struct km_dma_device *dev,
                               uint32_t bytes, uint32_t gfp, km_paddr *addr);
enum km_dma_result km_dma_free_coherent(struct km_dma *d, struct km_cpu *cpu, const struct km_dma_device *dev,
                                        uint32_t bytes, km_paddr addr);
/* Where the device finds the buffer, or KM_DMA_MAPPING_ERROR. */
km_paddr km_dma_map_page(struct km_dma *d, struct km_cpu *cpu, const struct km_dma_device *dev, km_pfn pfn,
                         uint32_t offset, uint32_t bytes, enum km_dma_dir dir);
km_paddr km_dma_map_single(struct km_dma *d, struct km_cpu *cpu, const struct km_dma_device *dev, km_vaddr va,
                           uint32_t bytes, enum km_dma_dir dir);
enum km_dma_result km_dma_unmap(struct km_dma *d, struct km_cpu *cpu, const struct km_dma_device *dev,
                                km_paddr addr, uint32_t bytes, enum km_dma_dir dir);
/* All segments or none; number mapped. */
unsigned km_dma_map_sg(struct km_dma *d, struct km_cpu *cpu, const struct km_dma_device *dev,
                       struct km_dma_segment *sg, unsigned nr, enum km_dma_dir dir);
void km_dma_unmap_sg(struct km_dma *d, struct km_cpu *cpu, const struct km_dma_device *dev,
                     const struct km_dma_segment *sg, unsigned nr, enum km_dma_dir dir);
enum km_dma_result km_dma_sync_for_cpu(struct km_dma *d, struct km_cpu *cpu, const struct km_dma_device *dev,
                                       km_paddr addr, uint32_t bytes, enum km_dma_dir dir);
enum km_dma_result km_dma_sync_for_device(struct km_dma *d, struct km_cpu *cpu, const struct km_dma_device *dev,
                                          km_paddr addr, uint32_t bytes, enum km_dma_dir dir);
/* NULL: holds. Untimed. */
const char *km_dma_check(const struct km_dma *d, const uint8_t *window);

#endif
