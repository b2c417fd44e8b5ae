/* SPDX-License-Identifier: MIT
 * vmap_block.h - vm_map_ram: short-lived mappings of a few pages without the cost of an area each.
 *
 * Models:      per-CPU blocks of 64 pages (1024 vmalloc pages per CPU place / 16 on 32-bit with 32
 *              CPUs), aligned to their size. Requests of at most 32 pages, rounded up to a power of
 *              two, are cut from the front of a block of the calling CPU; what is given back is
 *              only `dirty` and comes back when the entire block is dirty, or when nothing but dirt
 *              is left at a purge of fragmented blocks. Larger requests take an area of their own,
 *              without guard page.
 *
 *                | dirty | used |dirty|  used  |  free -> |      free + used + dirty = 64
 *
 * Not modelled: the xarray from address to block (the area's vm word points to the block instead).
 * Invariants:  free + dirty <= 64 in each block; blocks with free > 0 are on their CPU's list.
 * Units:       pages.
 * References:  Linux 6.1 behaviour notes F3.
 */
#ifndef KM_OS_VMAP_BLOCK_H
#define KM_OS_VMAP_BLOCK_H

#include "models/os/vmalloc.h"

#define KM_VMAP_BLOCK_PAGES 64u
#define KM_VMAP_MAX_ALLOC 32u

/* struct vmap_block */
enum {
    KM_VB_LOCK = 0,
    KM_VB_AREA = 4,
    KM_VB_FREE = 8,
    KM_VB_DIRTY = 12,
    KM_VB_DIRTY_MIN = 16,
    KM_VB_DIRTY_MAX = 20,
    KM_VB_LIST = 24,
    KM_VB_CPU = 32,
    KM_VB_BYTES = 48,
    KM_VB_TAG = 1, /* low bit of the area's vm word: it is a block */
};

/* Maps the frames at consecutive addresses; 0: no room. */
km_vaddr km_vm_map_ram(struct km_vmalloc *v, struct km_cpu *cpu, const km_pfn *pfn, uint32_t pages);
/* The same pages count as at the mapping; false: nothing is mapped there. */
bool km_vm_unmap_ram(struct km_vmalloc *v, struct km_cpu *cpu, km_vaddr va, uint32_t pages);
/* Blocks without used pages whose free rest is lost: gives them to the lazy list; returns how many.
 */
unsigned km_vmap_blocks_purge(struct km_vmalloc *v, struct km_cpu *cpu);

#endif
