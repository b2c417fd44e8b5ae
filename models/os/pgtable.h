/* SPDX-License-Identifier: MIT
 * pgtable.h - the kernel's own page tables, built in guest memory through the CPU port.
 *
 * Models:      the linear map of low memory in large pages, with 4 KiB pages for the first large
 *              page (fixed MTRRs live there) and where the end is not aligned; single kernel pages
 *              for vmalloc/pkmap/fixmap. Two-level with PSE, or PAE.
 * Not modelled: user mappings, global-page splitting (CPA), NX.
 * Invariants:  table pages are low memory, so they are reached at page_offset + physical address.
 * References:  kernel 6.1 arch/x86/mm/init.c (split_mem_range), init_32.c;
 *              models/base/x86_paging.h.
 */
#ifndef KM_OS_PGTABLE_H
#define KM_OS_PGTABLE_H

#include "models/base/types.h"
#include "models/cpu/cpu.h"

#ifdef __cplusplus
extern "C" {
#endif

struct km_pgtable {
    km_vaddr page_offset;
    bool pae;
    km_pfn root;                   /* page of the directory (two-level) or of the PDPTEs (PAE) */
    uint32_t table_pages;          /* pages taken from the source so far */
    km_pfn (*get_page)(void *ctx); /* a low-memory page frame for a table; KM_PFN_NONE: none left */
    void *ctx;
};

/* Builds the tables and maps [0, lowmem_bytes) at page_offset. False if the page source ran dry. */
bool km_pgtable_build(struct km_pgtable *pt, struct km_cpu *cpu, bool pae, km_vaddr page_offset,
                      uint64_t lowmem_bytes, km_pfn (*get_page)(void *ctx), void *ctx);
/* Value for CR3. */
km_paddr km_pgtable_cr3(const struct km_pgtable *pt);
/* Maps one 4 KiB kernel page (the table is made if needed). False if the page source ran dry. */
bool km_pgtable_map(struct km_pgtable *pt, struct km_cpu *cpu, km_vaddr va, km_pfn pfn);
/* The same with cache attribute bits added (KM_PTE_PWT, KM_PTE_PCD, KM_PTE_PAT). */
bool km_pgtable_map_attr(struct km_pgtable *pt, struct km_cpu *cpu, km_vaddr va, km_pfn pfn,
                         uint32_t attr);
/* Clears the entry; the caller invalidates TLBs. False if nothing was mapped there by a 4 KiB page.
 */
bool km_pgtable_unmap(struct km_pgtable *pt, struct km_cpu *cpu, km_vaddr va);
/* Untimed: the frame va maps to, or KM_PFN_NONE. */
km_pfn km_pgtable_peek(const struct km_pgtable *pt, const uint8_t *window, km_vaddr va);

/* Untimed: the 4 KiB entry of va; 0 if no table is there or a large page maps va. */
uint64_t km_pgtable_peek_entry(const struct km_pgtable *pt, const uint8_t *window, km_vaddr va);

#ifdef __cplusplus
}
#endif
#endif
