/* SPDX-License-Identifier: MIT
 * pde_cache.h - a cache of page-directory entries that point to page tables.
 *
 * Models:      a small fully associative LRU array; a hit saves the walker the reference to the
 *              directory (and, under PAE, nothing else: the PDPTEs are registers).
 * Invariants:  holds entries with P and A set and PS clear only; emptied by INVLPG and every MOV to
 *              CR3, CR4 or CR0 that changes paging.
 * References:  Intel SDM vol. 3A 4.10.3.
 */
#ifndef KM_MMU_PDE_CACHE_H
#define KM_MMU_PDE_CACHE_H

#include "models/base/types.h"

#ifdef __cplusplus
extern "C" {
#endif

#define KM_PDE_CACHE_MAX 64u

struct km_pde_cache {
    uint32_t entries; /* 0: the processor has none */
    uint32_t used;
    struct {
        uint32_t region; /* va >> large page shift */
        uint64_t pde;
    } slot[KM_PDE_CACHE_MAX]; /* [0, used), used last first */
    uint64_t hits, misses;
};

/* Finds the entry for a region and makes it the newest; *pde is its contents. */
bool km_pde_cache_find(struct km_pde_cache *c, uint32_t region, uint64_t *pde);
void km_pde_cache_put(struct km_pde_cache *c, uint32_t region, uint64_t pde);
void km_pde_cache_drop(struct km_pde_cache *c, uint32_t region);
void km_pde_cache_flush(struct km_pde_cache *c);

#ifdef __cplusplus
}
#endif
#endif
