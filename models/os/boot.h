/* SPDX-License-Identifier: MIT
 * boot.h - from a map of RAM to live zones: mem_map, pageblock types, first free lists.
 *
 * Order of calls: km_boot_zones, km_boot_mem_map, km_boot_free (boot captures) or the caller files blocks
 * itself (a start in mid-flight), km_boot_watermarks, km_boot_pagesets.
 */
#ifndef KM_OS_BOOT_H
#define KM_OS_BOOT_H

#include "models/os/os.h"

struct km_pfn_range {
    km_pfn start, end; /* end exclusive */
};

/* Zone spans and present pages from RAM ranges (ascending, disjoint); reserves the static area. */
void km_boot_zones(struct km_os *os, struct km_cpu *cpu, const struct km_os_params *params,
                   const struct km_pfn_range *ram, unsigned nr_ram);
/* Bytes of the FLATMEM mem_map: node span rounded out to 1024-page blocks. */
uint64_t km_boot_mem_map_bytes(const struct km_os *os);
/* Initialises every struct page at mem_map_pa, and the pageblock types of blocks whose first page is RAM. */
void km_boot_mem_map(struct km_os *os, struct km_cpu *cpu, km_paddr mem_map_pa, const struct km_pfn_range *ram,
                     unsigned nr_ram);
/* The same for a further node in the mem_map of the first one. */
void km_boot_mem_map_join(struct km_os *os, struct km_cpu *cpu, const struct km_os *first,
                          const struct km_pfn_range *ram, unsigned nr_ram);
/* Hands free ranges to the buddy lists in the kernel's order: high memory page by page, then low memory in
 * the largest aligned blocks (A4). */
void km_boot_free(struct km_os *os, struct km_cpu *cpu, const struct km_pfn_range *free, unsigned nr_free);

#endif
