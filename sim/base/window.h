/* SPDX-License-Identifier: MIT
 * window.h - host memory that stands for guest memory.
 *
 * A 4 GiB-aligned 4 GiB range of host address space is reserved; guest RAM is a sparse memfd. The linear
 * map (low memory at page_offset) is mapped into the window at once; vmalloc, pkmap and fixmap pages are
 * mapped where the guest maps them. host address = base + guest virtual address.
 * Physical memory as a whole (for page walks, DMA) is also visible at `phys`, indexed by physical address.
 */
#ifndef KM_SIM_WINDOW_H
#define KM_SIM_WINDOW_H

#include "models/base/types.h"
#include "sim/base/err.h"

#ifdef __cplusplus
extern "C" {
#endif

struct km_window {
    uint8_t *base;  /* guest virtual address 0 */
    uint8_t *phys;  /* guest physical address 0 */
    int memfd;
    uint64_t ram_bytes;    /* end of guest physical memory (holes included) */
    uint64_t lowmem_bytes; /* mapped linearly at page_offset */
    km_vaddr page_offset;  /* 0xC0000000 for 3G/1G */
};

int km_window_create(struct km_window *w, uint64_t ram_bytes, uint64_t lowmem_bytes,
                     km_vaddr page_offset, struct km_err *err);
/* Makes pages [pfn, pfn+pages) visible at va (page aligned), or takes them away again. */
int km_window_map(struct km_window *w, km_vaddr va, km_pfn pfn, uint32_t pages, struct km_err *err);
int km_window_unmap(struct km_window *w, km_vaddr va, uint32_t pages, struct km_err *err);
void km_window_release(struct km_window *w);

#ifdef __cplusplus
}
#endif
#endif
