/* SPDX-License-Identifier: MIT
 * boot.c - zone sizes, mem_map and the hand-over of free memory to the buddy lists.
 *
 * Models:      what decides all later page frames: zone spans, which pageblocks become MOVABLE (only those
 *              whose first frame is RAM), high memory freed page by page (the list ends up descending), low
 *              memory freed in greedy aligned blocks to the tail (ascending).
 * Not modelled: timing of boot code; it runs before any measurement.
 * Invariants:  managed pages = pages freed here; km_buddy_check holds afterwards.
 * References:  kernel-behaviour notes A3, A4, K1, K4.
 */
#include "models/os/boot.h"

#include "models/base/bits.h"
#include "models/base/bug.h"
#include "models/os/buddy.h"
#include "models/os/page_alloc.h"
#include "models/os/pcp.h"

#include <string.h>

#define DMA_END_PFN 4096u /* 16 MiB: ISA DMA reach */

static km_pfn min_pfn(km_pfn a, km_pfn b)
{
    return a < b ? a : b;
}

static uint32_t ram_pages_in(const struct km_pfn_range *ram, unsigned nr_ram, km_pfn start, km_pfn end)
{
    uint32_t pages = 0;

    for (unsigned i = 0; i < nr_ram; i++) {
        km_pfn s = ram[i].start > start ? ram[i].start : start, e = min_pfn(ram[i].end, end);

        if (e > s)
            pages += e - s;
    }
    return pages;
}

void km_boot_zones(struct km_os *os, struct km_cpu *cpu, const struct km_os_params *params,
                   const struct km_pfn_range *ram, unsigned nr_ram)
{
    static const char *const names[KM_NR_ZONES] = {"DMA", "Normal", "HighMem", "Movable"};
    const km_pfn start = nr_ram ? ram[0].start : 0;
    const km_pfn end = params->node_end_pfn ? params->node_end_pfn : params->max_pfn;
    km_pfn border[KM_NR_ZONES + 1] = {start, min_pfn(DMA_END_PFN, params->max_low_pfn), params->max_low_pfn, end, end};

    for (unsigned i = 1; i < KM_NR_ZONES; i++) /* a node may begin and end anywhere */
        border[i] = min_pfn(border[i] > start ? border[i] : start, end);
    memset(os, 0, sizeof(*os));
    os->p = *params;
    os->static_va = params->page_offset + (km_vaddr)params->static_pa;
    os->static_end_va = os->static_va + KM_OS_STATIC_BYTES;
    os->mobility_grouping = true;
    for (unsigned z = 0; z < KM_NR_ZONES; z++) {
        struct km_zone *zone = &os->zone[z];

        zone->name = names[z];
        zone->start_pfn = border[z];
        zone->end_pfn = border[z + 1];
        zone->present_pages = ram_pages_in(ram, nr_ram, zone->start_pfn, zone->end_pfn);
        if (!zone->present_pages)
            zone->end_pfn = zone->start_pfn;
    }
    km_zone_init_all(os, cpu);
    km_pcp_init_boot(os, cpu);
    for (unsigned c = 0; c < os->p.cpus; c++)
        os->stack_va[c] = km_os_static_alloc(os, KM_OS_STACK_BYTES, 64) + KM_OS_STACK_BYTES;
    os->globals_va = km_os_static_alloc(os, KM_OS_GLOBAL_LINES * 64, 64);
}

uint64_t km_boot_mem_map_bytes(const struct km_os *os)
{
    uint64_t end = km_align_up(os->p.max_pfn, 1u << (KM_NR_ORDERS - 1));

    return end * os->p.struct_page_bytes;
}

static void init_page(struct km_os *os, uint8_t *window, km_pfn pfn, enum km_zone_id z)
{
    uint32_t *page = (uint32_t *)(window + km_page_va(os, pfn));
    km_vaddr lru = km_page_va(os, pfn) + KM_PAGE_LRU;

    page[KM_PAGE_FLAGS / 4] = KM_PG_RESERVED | (uint32_t)z << KM_PG_ZONE_SHIFT;
    page[KM_PAGE_LRU / 4] = lru;
    page[KM_PAGE_LRU / 4 + 1] = lru;
    page[KM_PAGE_TYPE / 4] = KM_PAGE_TYPE_NONE;
    page[KM_PAGE_REFCOUNT / 4] = 1;
}

static void init_pages(struct km_os *os, struct km_cpu *cpu, const struct km_pfn_range *ram, unsigned nr_ram)
{
    for (unsigned z = 0; z < KM_NR_ZONES; z++)
        for (km_pfn p = os->zone[z].start_pfn; p < os->zone[z].end_pfn; p++)
            init_page(os, cpu->window, p, (enum km_zone_id)z);
    for (unsigned i = 0; i < nr_ram; i++) {
        km_pfn p = (km_pfn)km_align_up(ram[i].start, km_pageblock_pages(os));

        for (; p < ram[i].end; p += km_pageblock_pages(os)) {
            enum km_zone_id z = km_pfn_zone(os, p);

            if (z != KM_NR_ZONES)
                km_pageblock_set_type(os, cpu, z, p, KM_MT_MOVABLE);
        }
    }
}

void km_boot_mem_map(struct km_os *os, struct km_cpu *cpu, km_paddr mem_map_pa, const struct km_pfn_range *ram,
                     unsigned nr_ram)
{
    os->mem_map_pfn = 0;
    os->mem_map_end = (km_pfn)km_align_up(os->p.max_pfn, 1u << (KM_NR_ORDERS - 1));
    os->mem_map_va = os->p.page_offset + (km_vaddr)mem_map_pa;
    memset(cpu->window + os->mem_map_va, 0, km_boot_mem_map_bytes(os));
    init_pages(os, cpu, ram, nr_ram);
}

void km_boot_mem_map_join(struct km_os *os, struct km_cpu *cpu, const struct km_os *first,
                          const struct km_pfn_range *ram, unsigned nr_ram)
{
    os->mem_map_pfn = first->mem_map_pfn;
    os->mem_map_end = first->mem_map_end;
    os->mem_map_va = first->mem_map_va;
    init_pages(os, cpu, ram, nr_ram);
}

static void count_managed(struct km_os *os, struct km_cpu *cpu, km_pfn pfn, uint32_t pages)
{
    km_vaddr va = os->zone[km_pfn_zone(os, pfn)].va + KM_ZONE_MANAGED;

    km_st32(cpu, va, km_ld32(cpu, va) + pages);
}

static void unreserve(struct km_os *os, struct km_cpu *cpu, km_pfn pfn, uint32_t pages)
{
    for (km_pfn p = pfn; p < pfn + pages; p++) {
        km_vaddr flags = km_page_va(os, p) + KM_PAGE_FLAGS;

        km_st32(cpu, flags, km_ld32(cpu, flags) & ~(uint32_t)KM_PG_RESERVED);
        km_st32(cpu, km_page_va(os, p) + KM_PAGE_REFCOUNT, 0);
    }
    count_managed(os, cpu, pfn, pages);
}

static void free_low_range(struct km_os *os, struct km_cpu *cpu, km_pfn start, km_pfn end)
{
    while (start < end) {
        unsigned order = KM_NR_ORDERS - 1;

        if (start)
            order = (unsigned)km_min_u64(order, (uint64_t)__builtin_ctz(start));
        while (start + (1u << order) > end)
            order--;
        unreserve(os, cpu, start, 1u << order);
        km_free_pages_to_tail(os, cpu, start, order);
        start += 1u << order;
    }
}

void km_boot_free(struct km_os *os, struct km_cpu *cpu, const struct km_pfn_range *free, unsigned nr_free)
{
    const km_pfn border = os->p.max_low_pfn;

    for (unsigned i = 0; i < nr_free; i++)
        for (km_pfn p = free[i].start > border ? free[i].start : border; p < free[i].end; p++) {
            unreserve(os, cpu, p, 1);
            km_pcp_free(os, cpu, KM_ZONE_HIGHMEM, p, 0);
        }
    for (unsigned i = 0; i < nr_free; i++)
        free_low_range(os, cpu, free[i].start, min_pfn(free[i].end, border));
}
