/* SPDX-License-Identifier: MIT
 * map_hook.h - how kernel mappings outside the linear map become visible to the program that
 * simulates.
 *
 * Guest memory is reached at window + virtual address. Page tables of the guest say where an
 * address leads; the host's window must show the same page frames there. Models do not know how the
 * window is made, so whoever owns it lends these calls. Page tables are written first, then map;
 * unmap comes after the entries were cleared (the kernel's lazy TLB flush is visible in the
 * simulated TLB, not in the window).
 * Units:       pages of 4 KiB; va is page aligned.
 */
#ifndef KM_OS_MAP_HOOK_H
#define KM_OS_MAP_HOOK_H

#include "models/base/types.h"

struct km_map_hook {
    void (*map)(void *ctx, km_vaddr va, km_pfn pfn,
                uint32_t pages); /* NULL: window needs no help */
    void (*unmap)(void *ctx, km_vaddr va, uint32_t pages);
    void *ctx;
};

static inline void km_hook_map(const struct km_map_hook *h, km_vaddr va, km_pfn pfn, uint32_t pages)
{
    if (h && h->map)
        h->map(h->ctx, va, pfn, pages);
}

static inline void km_hook_unmap(const struct km_map_hook *h, km_vaddr va, uint32_t pages)
{
    if (h && h->unmap)
        h->unmap(h->ctx, va, pages);
}

#endif
