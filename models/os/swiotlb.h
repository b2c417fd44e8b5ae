/* SPDX-License-Identifier: MIT
 * swiotlb.h - bounce memory for devices that cannot reach a buffer: slots of 2 KiB, copies in and out.
 *
 * Models:      one physically contiguous pool, cut into slots of 2 KiB and segments of 128 slots; a mapping
 *              takes contiguous slots of one segment (so 256 KiB at most), those of a page or more starting on
 *              a page. Every slot carries how many free ones follow it in its segment, counted from itself;
 *              the search goes on where the last one ended and wraps once. Mapping copies the buffer in if the
 *              device will read it, unmapping copies it out if the device may have written it.
 *
 *                 slots    | 0 | 1 | 2 | 3 | ...127|128|          list, slots 1 and 2 taken:
 *                 segments |<------- 128 ------->|              1 0 0 125 124 ...  1
 *
 *              The pool is taken from the page allocator, as when it is set up late: the largest block up to
 *              the wanted size that can be had, at least 1 MiB.
 * Not modelled: several areas, encrypted memory, restricted pools, min_align_mask of devices.
 * Invariants:  list of a free slot = 1 + list of the next one in its segment; 0 for taken ones; taken slots have
 *              an original address; the number of taken slots is the sum of all mappings (km_swiotlb_check).
 * Units:       bytes, slots; addresses are physical.
 * References:  Linux Documentation/core-api/swiotlb.rst.
 */
#ifndef KM_OS_SWIOTLB_H
#define KM_OS_SWIOTLB_H

#include "models/os/os.h"

#define KM_SWIOTLB_SLOT_SHIFT 11u
#define KM_SWIOTLB_SLOT_BYTES (1u << KM_SWIOTLB_SLOT_SHIFT)
#define KM_SWIOTLB_SEGMENT 128u
#define KM_SWIOTLB_MAX_BYTES (KM_SWIOTLB_SEGMENT * KM_SWIOTLB_SLOT_BYTES)
#define KM_SWIOTLB_MIN_BYTES (1u << 20)
#define KM_SWIOTLB_NONE UINT64_MAX

/* struct io_tlb_slot: original address, size of the mapping (first slot), free slots from here */
enum { KM_SLOT_ORIG = 0, KM_SLOT_SIZE = 8, KM_SLOT_LIST = 12, KM_SLOT_BYTES = 16 };

struct km_swiotlb_stats {
    uint64_t maps, failed, too_large, unmaps, bytes_in, bytes_out;
    uint32_t used, used_max; /* slots */
};

/* Copies `bytes` between a buffer of the kernel and the pool, at the cost of doing so. */
struct km_swiotlb_copy {
    void (*copy)(void *ctx, struct km_cpu *cpu, km_paddr to, km_paddr from, uint32_t bytes);
    void *ctx;
};

struct km_swiotlb {
    struct km_os *os;
    struct km_swiotlb_copy copy;
    km_pfn pfn;         /* of the pool */
    unsigned order;
    uint32_t nr_slots, index; /* index: where the next search begins */
    km_vaddr lock_va, slots_va;
    km_pfn slots_pfn;
    unsigned slots_order;
    struct km_swiotlb_stats stats;
};

/* False: not even 1 MiB could be had; nothing is kept. gfp: where from (KM_GFP_DMA: below 16 MiB). */
bool km_swiotlb_init(struct km_swiotlb *s, struct km_os *os, struct km_cpu *cpu, uint32_t bytes, uint32_t gfp,
                     struct km_swiotlb_copy copy);
/* Every mapping must be gone. */
void km_swiotlb_exit(struct km_swiotlb *s, struct km_cpu *cpu);
static inline km_paddr km_swiotlb_start(const struct km_swiotlb *s)
{
    return (km_paddr)s->pfn << KM_PAGE_SHIFT;
}
static inline bool km_swiotlb_owns(const struct km_swiotlb *s, km_paddr pa)
{
    return s->nr_slots && pa >= km_swiotlb_start(s) &&
           pa < km_swiotlb_start(s) + (km_paddr)s->nr_slots * KM_SWIOTLB_SLOT_BYTES;
}
/* Where the device finds the buffer; KM_SWIOTLB_NONE: no slots. to_device: copy it in. */
km_paddr km_swiotlb_map(struct km_swiotlb *s, struct km_cpu *cpu, km_paddr orig, uint32_t bytes, bool to_device);
/* pa as map() gave it. False: no mapping begins there. */
bool km_swiotlb_unmap(struct km_swiotlb *s, struct km_cpu *cpu, km_paddr pa, uint32_t bytes, bool from_device);
/* Copies a part of a mapping in (to_device) or out. False: pa lies in no mapping. */
bool km_swiotlb_sync(struct km_swiotlb *s, struct km_cpu *cpu, km_paddr pa, uint32_t bytes, bool to_device);
/* NULL: holds. Untimed. */
const char *km_swiotlb_check(const struct km_swiotlb *s, const uint8_t *window);

#endif
