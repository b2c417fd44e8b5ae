/* SPDX-License-Identifier: MIT
 * page_alloc.h - the page allocator's interface (get_page_from_freelist and what callers use).
 *
 * PFNs in, PFNs out; KM_PFN_NONE is a failed allocation (an ordinary result).
 */
#ifndef KM_OS_PAGE_ALLOC_H
#define KM_OS_PAGE_ALLOC_H

#include "models/os/os.h"

/* __alloc_pages: zone and migratetype from gfp, watermarks, per-CPU lists, buddy, fallback. */
km_pfn km_alloc_pages(struct km_os *os, struct km_cpu *cpu, uint32_t gfp, unsigned order);
/* __free_pages of a block whose last reference goes away. */
void km_free_pages(struct km_os *os, struct km_cpu *cpu, km_pfn pfn, unsigned order);
/* The same, untraced and straight to the tail of the buddy lists (boot, isolation). */
void km_free_pages_to_tail(struct km_os *os, struct km_cpu *cpu, km_pfn pfn, unsigned order);
/* A surplus page of alloc_pages_exact: traced, straight to the tail of the buddy lists. */
void km_free_surplus_page(struct km_os *os, struct km_cpu *cpu, km_pfn pfn);
/* The same from an interrupt that found the per-CPU lists locked: straight to the buddy lists. */
void km_free_pages_bypass(struct km_os *os, struct km_cpu *cpu, km_pfn pfn, unsigned order);
/* __alloc_pages_bulk: order-0 pages straight from the per-CPU list, untraced; returns how many. */
unsigned km_alloc_pages_bulk(struct km_os *os, struct km_cpu *cpu, uint32_t gfp, unsigned nr, km_pfn *out);
/* Its parts, for a replay that knows what happened in between: the zone that serves it (KM_NR_ZONES: it takes the
 * ordinary path), and one page. */
enum km_zone_id km_bulk_zone(struct km_os *os, struct km_cpu *cpu, uint32_t gfp, unsigned nr);
km_pfn km_bulk_page(struct km_os *os, struct km_cpu *cpu, enum km_zone_id z, uint32_t gfp);
/* What a block gets when it is handed out (prep_new_page) and loses when it comes back (free_pages_prepare). */
void km_prep_page(struct km_os *os, struct km_cpu *cpu, km_pfn pfn, uint32_t gfp, unsigned order);
void km_forget_page(struct km_os *os, struct km_cpu *cpu, km_pfn pfn, unsigned order);
/* free_unref_page_list: batched order-0 frees (traced twice, as the kernel does). */
void km_free_pages_batched(struct km_os *os, struct km_cpu *cpu, const km_pfn *pfn, unsigned nr);

/* The first attempt alone: LOW marks; no tracepoint. */
km_pfn km_alloc_pages_at_low(struct km_os *os, struct km_cpu *cpu, uint32_t gfp, unsigned order);
/* The attempt of the slow path: MIN marks, with the reserves the flags allow; no tracepoint. */
km_pfn km_alloc_pages_again(struct km_os *os, struct km_cpu *cpu, uint32_t gfp, unsigned order);
/* Every per-CPU list of every CPU goes back to the buddy lists, by the hand of the caller's CPU. */
void km_drain_all_pages(struct km_os *os, struct km_cpu *cpu);

#endif
