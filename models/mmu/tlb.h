/* SPDX-License-Identifier: MIT
 * tlb.h - a translation lookaside buffer: set-associative, true LRU, 4 KiB and large pages.
 *
 * Models:      one array for 4 KiB pages and, if it has entries, a second one for large pages;
 *              without the second, large pages live in the first array (tag and index by large page
 *              number).
 * Not modelled: PCIDs, page-size fragmentation of code pages. Paging-structure caches: pde_cache.h.
 * Time:        recency is a stamp given by the caller (cycles); equal stamps fall to the lower
 *              index.
 * Invariants:  no two valid entries translate the same page; a dirty entry is writable.
 * Memory:      the entry array comes from the caller (km_tlb_entries() of them).
 * References:  Intel SDM vol. 3A 4.10.
 */
#ifndef KM_MMU_TLB_H
#define KM_MMU_TLB_H

#include "models/base/types.h"

#ifdef __cplusplus
extern "C" {
#endif

struct km_tlb_geom {
    uint32_t entries_4k, ways_4k;       /* ways 0: fully associative */
    uint32_t entries_large, ways_large; /* entries 0: large pages use the 4k array */
};

struct km_tlb_entry {
    uint64_t vpn;   /* va >> shift; UINT64_MAX = invalid */
    uint64_t frame; /* pa >> shift */
    uint64_t stamp; /* last use */
    uint8_t shift;  /* 12, 21 or 22 */
    uint8_t type;   /* enum km_memtype */
    bool writable, dirty, global, user, no_execute;
};

struct km_tlb_array {
    struct km_tlb_entry *entry;
    uint32_t sets, ways;
};

struct km_tlb {
    struct km_tlb_array small, large; /* large.sets == 0: shares small */
    unsigned large_shift;
    uint64_t hits, misses, flushes;
};

/* Reason why a geometry is impossible, or NULL. */
const char *km_tlb_check(const struct km_tlb_geom *g);
uint32_t km_tlb_entries(const struct km_tlb_geom *g);
void km_tlb_init(struct km_tlb *tlb, const struct km_tlb_geom *g, unsigned large_shift,
                 struct km_tlb_entry *entries);
/* The entry that translates va, or NULL; counts nothing and leaves recency alone. */
struct km_tlb_entry *km_tlb_find(struct km_tlb *tlb, uint64_t va);
/* The entry that a fill for va (page size shift) would use: an invalid or the least recently used
 * one. */
struct km_tlb_entry *km_tlb_victim(struct km_tlb *tlb, uint64_t va, unsigned shift);
/* First entry of the set such a fill would go to; *ways is the number of entries in it. */
struct km_tlb_entry *km_tlb_set(struct km_tlb *tlb, uint64_t va, unsigned shift, uint32_t *ways);
/* Invalidates the entry that translates va and returns it; NULL if there was none. */
struct km_tlb_entry *km_tlb_invalidate(struct km_tlb *tlb, uint64_t va);
/* MOV CR3 semantics: all entries, or all but the global ones. */
void km_tlb_flush(struct km_tlb *tlb, bool keep_global);

static inline uint64_t km_tlb_translate(const struct km_tlb_entry *e, uint64_t va)
{
    return e->frame << e->shift | (va & ((1ull << e->shift) - 1));
}

#ifdef __cplusplus
}
#endif
#endif
