/* SPDX-License-Identifier: MIT
 * owner.c - see owner.h.
 *
 * A cache line may hold the end of one structure and the beginning of the next (struct page has 40 bytes):
 * the structure of the line's first byte is named.
 */
#include "sim/workload/owner.h"

#include <stdio.h>

static bool inside(km_vaddr va, km_vaddr start, uint32_t bytes, uint32_t *offset)
{
    *offset = va - start;
    return start && va >= start && va - start < bytes;
}

/* Parts of struct zone, each with offsets of its own. */
static void name_zone(const struct km_zone *z, char *name, size_t size, uint32_t *offset)
{
    if (*offset >= KM_ZONE_NR_FREE_PAGES) {
        snprintf(name, size, "zone %s, counters", z->name);
        *offset -= KM_ZONE_NR_FREE_PAGES;
    } else if (*offset >= KM_ZONE_FREE_AREA + KM_NR_ORDERS * KM_FREE_AREA_BYTES) {
        snprintf(name, size, "zone %s, lock", z->name);
        *offset -= KM_ZONE_FREE_AREA + KM_NR_ORDERS * KM_FREE_AREA_BYTES;
    } else if (*offset >= KM_ZONE_FREE_AREA) {
        *offset -= KM_ZONE_FREE_AREA;
        snprintf(name, size, "zone %s, free lists of order %u", z->name, *offset / KM_FREE_AREA_BYTES);
        *offset %= KM_FREE_AREA_BYTES;
    } else {
        snprintf(name, size, "zone %s, watermarks", z->name);
    }
}

static bool in_zone_structures(const struct km_os *os, km_vaddr va, char *name, size_t size, uint32_t *offset)
{
    for (unsigned z = 0; z < KM_NR_ZONES; z++) {
        const struct km_zone *zone = &os->zone[z];

        if (inside(va, zone->va, KM_ZONE_BYTES, offset)) {
            name_zone(zone, name, size, offset);
            return true;
        }
        for (unsigned cpu = 0; cpu < os->p.cpus; cpu++)
            if (inside(va, zone->pcp_va[cpu], KM_PCP_BYTES, offset)) {
                snprintf(name, size, "zone %s, lists of CPU %u", zone->name, cpu);
                return true;
            }
    }
    return false;
}

bool km_owner(const struct km_os *os, km_paddr pa, char *name, size_t name_size, uint32_t *offset)
{
    km_pfn pfn = (km_pfn)(pa >> KM_PAGE_SHIFT);

    if (pfn >= os->p.max_pfn || !km_pfn_is_low(os, pfn))
        return false;
    km_vaddr va = km_pfn_to_va(os, pfn) + (km_vaddr)(pa & (KM_PAGE_BYTES - 1));

    if (in_zone_structures(os, va, name, name_size, offset))
        return true;
    if (inside(va, os->mem_map_va, (os->mem_map_end - os->mem_map_pfn) * os->p.struct_page_bytes, offset)) {
        snprintf(name, name_size, "struct page of frame %#x", km_page_pfn(os, va));
        *offset %= os->p.struct_page_bytes;
        return true;
    }
    if (inside(va, os->static_va, os->static_end_va - os->static_va, offset)) {
        snprintf(name, name_size, "kernel data");
        return true;
    }
    snprintf(name, name_size, "contents of frame %#x", pfn);
    *offset = va & (KM_PAGE_BYTES - 1);
    return true;
}
