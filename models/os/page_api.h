/* SPDX-License-Identifier: MIT
 * page_api.h - the calls drivers use on top of the page allocator: addresses, exact sizes,
 * references.
 *
 * Models:      __get_free_pages and get_zeroed_page (linear addresses, never HighMem), free_pages,
 *              split_page (one block becomes single pages with a reference each), alloc_pages_exact
 *              (smallest block that holds the size; the unused tail goes back at once, to the tail
 *              of the free lists, untraced), free_pages_exact, get_page and put_page, and
 *              __free_pages of a block that somebody else still holds: the first page stays, the
 *              others go.
 *
 *                alloc_pages_exact(20 KiB):  order 3   |0|1|2|3|4|5|6|7|
 *                                             kept      ^-------^ ^---^ back to the allocator
 *
 * Not modelled: nodes (here the only one is 0; numa.h has several), freeing through mempolicy.
 * Invariants:  a page has its references in the reference word of its struct page; at 0 it is free.
 * Units:       bytes, page frames, orders.
 * Kernel names: alloc_page(s) km_alloc_pages (order 0); alloc_pages_node km_alloc_pages_node; alloc_pages_exact
 *              and free_pages_exact the same with km_; __get_free_page(s) km_get_free_pages; get_zeroed_page
 *              km_get_zeroed_page; free_page(s) km_free_pages_va; __free_page(s) km_put_pages; get_page, put_page,
 *              page_count, split_page, page_address, virt_to_page, compound_head, compound_order the same with
 *              km_; put_page_testzero: km_put_page returns KM_PAGE_OK; alloc_pages_bulk km_alloc_pages_bulk
 *              (page_alloc.h).
 * References:  Linux 6.1 Documentation/core-api/mm-api.rst; behaviour notes B and C.
 */
#ifndef KM_OS_PAGE_API_H
#define KM_OS_PAGE_API_H

#include "models/os/os.h"

enum km_page_result {
    KM_PAGE_OK,       /* the last reference went away: freed     */
    KM_PAGE_HELD,     /* somebody else still has a reference     */
    KM_PAGE_NOT_OURS, /* no reference was left: nothing is done */
};

km_pfn km_alloc_pages_node(struct km_os *os, struct km_cpu *cpu, unsigned node, uint32_t gfp,
                           unsigned order);
/* Linear address; 0: none. gfp must not ask for HighMem (the bit is ignored). */
km_vaddr km_get_free_pages(struct km_os *os, struct km_cpu *cpu, uint32_t gfp, unsigned order);
km_vaddr km_get_zeroed_page(struct km_os *os, struct km_cpu *cpu, uint32_t gfp);
enum km_page_result km_free_pages_va(struct km_os *os, struct km_cpu *cpu, km_vaddr va,
                                     unsigned order);
/* Linear address of a low frame, 0 for HighMem (see highmem.h). */
km_vaddr km_page_address(const struct km_os *os, km_pfn pfn);

/* Frame of a linear address; KM_PFN_NONE for any other address. */
km_pfn km_virt_to_page(const struct km_os *os, km_vaddr va);
/* First page and order of the compound block a page belongs to; itself and 0 if it is in none. Untimed. */
km_pfn km_compound_head(const struct km_os *os, const uint8_t *window, km_pfn pfn);
unsigned km_compound_order(const struct km_os *os, const uint8_t *window, km_pfn head);

/* Drops one reference of a block (__free_pages). If it was not the last and the block is not a
 * compound one, the pages behind the first are freed all the same. */
enum km_page_result km_put_pages(struct km_os *os, struct km_cpu *cpu, km_pfn pfn, unsigned order);
void km_get_page(struct km_os *os, struct km_cpu *cpu, km_pfn pfn);
/* The block's, if the page is one of a compound block. */
enum km_page_result km_put_page(struct km_os *os, struct km_cpu *cpu, km_pfn pfn);
uint32_t km_page_count(const struct km_os *os, const uint8_t *window, km_pfn pfn);

/* NULL, or what is wrong: pages of free blocks have no references and belong to no compound block. Untimed. */
const char *km_page_api_check(const struct km_os *os, const uint8_t *window);

/* A block that is not compound becomes 2^order pages. False: it is compound or free. */
bool km_split_page(struct km_os *os, struct km_cpu *cpu, km_pfn pfn, unsigned order);
km_vaddr km_alloc_pages_exact(struct km_os *os, struct km_cpu *cpu, uint32_t bytes, uint32_t gfp);
void km_free_pages_exact(struct km_os *os, struct km_cpu *cpu, km_vaddr va, uint32_t bytes);

#endif
