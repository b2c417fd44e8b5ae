/* SPDX-License-Identifier: MIT
 * page_slow.h - what a request does that the LOW marks refused, where reclaim is the model's own.
 */
#ifndef KM_OS_PAGE_SLOW_H
#define KM_OS_PAGE_SLOW_H

#include "models/os/zone.h"

/* __alloc_pages_slowpath with os->reclaim: KM_PFN_NONE if it fails. */
km_pfn km_alloc_pages_slow(struct km_os *os, struct km_cpu *cpu, uint32_t gfp, unsigned order);
/* One pageblock of the HIGHATOMIC reserve goes to the request's type; force: even the last one (C7). */
bool km_unreserve_highatomic(struct km_os *os, struct km_cpu *cpu, uint32_t gfp, bool force);

/* page_alloc.c: the zonelist walk at a mark, and the reserves the flags allow (B6). */
km_pfn km_get_page_from_freelist(struct km_os *os, struct km_cpu *cpu, uint32_t gfp, unsigned order,
                                 enum km_watermark mark, unsigned alloc_flags);
unsigned km_slow_alloc_flags(const struct km_os *os, uint32_t gfp, unsigned order);

#endif
