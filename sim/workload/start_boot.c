/* SPDX-License-Identifier: MIT
 * start_boot.c - the start state of a capture that begins at boot: e820 and memblock, then memblock_free_all.
 *
 * The memblock operations the kernel logged (memblock=debug) are repeated on the simulated memblock; what is
 * free afterwards goes to the buddy lists in the kernel's order. What the kernel allocated between then and
 * the first traced event is not known; replay_literal.c and replay_pages.c synchronise with the first
 * carvings.
 * References: kernel-behaviour A2, A4, L3.
 */
#include "sim/workload/replay.h"

#include "models/base/bits.h"
#include "models/os/memblock.h"
#include "models/os/pcp.h"

#define KERNEL_IMAGE_PA 0x1000000u /* CONFIG_PHYSICAL_START */

static void repeat_memblock(struct km_memblock *mb, struct km_cpu *cpu, const struct km_bundle *b)
{
    for (unsigned i = 0; i < b->nr_memblock; i++) {
        const struct km_memblock_line *l = &b->memblock[i];
        uint64_t size = l->end > l->start ? l->end - l->start : 0;

        switch (l->op) {
        case KM_MEMBLOCK_ADD:
            km_memblock_add(mb, cpu, l->start, size);
            break;
        case KM_MEMBLOCK_REMOVE:
            km_memblock_remove(mb, cpu, l->start, size);
            break;
        case KM_MEMBLOCK_RESERVE:
            km_memblock_reserve(mb, cpu, l->start, size);
            break;
        case KM_MEMBLOCK_FREE:
            km_memblock_phys_free(mb, cpu, l->start, size);
            break;
        }
    }
    km_memblock_trim_memory(mb, cpu, KM_PAGE_BYTES);
}

static unsigned free_ranges(struct km_memblock *mb, struct km_cpu *cpu, struct km_pfn_range *out, unsigned room)
{
    uint64_t cursor = 0;
    unsigned nr = 0;

    while (nr < room && km_memblock_next_free_pfn(mb, cpu, &cursor, &out[nr].start, &out[nr].end))
        nr++;
    return nr;
}

/* mem_map is the reservation of exactly its size; else the top of low memory. */
static km_paddr find_mem_map(const struct km_bundle *b, uint64_t bytes, km_pfn max_low_pfn)
{
    for (unsigned i = 0; i < b->nr_memblock; i++)
        if (b->memblock[i].op == KM_MEMBLOCK_RESERVE && b->memblock[i].end - b->memblock[i].start == bytes)
            return b->memblock[i].start;
    return km_align_down(((uint64_t)max_low_pfn << KM_PAGE_SHIFT) - bytes, KM_PAGE_BYTES);
}

/* Everything that is not free at the hand-over keeps its frame. */
static void map_occupied(struct km_replay *r)
{
    struct km_guest *g = &r->guest;

    for (km_pfn p = 0; p < g->facts.max_pfn; p++)
        km_page_map_set(&r->map, p, p, 0);
    for (unsigned z = 0; z < KM_NR_ZONES; z++)
        for (km_pfn p = g->os.zone[z].start_pfn; p < g->os.zone[z].end_pfn; p++) {
            km_vaddr page = km_page_va(&g->os, p);

            if (km_peek32(g->window.base, page + KM_PAGE_TYPE) != KM_PAGE_TYPE_BUDDY)
                continue;
            unsigned order = km_peek32(g->window.base, page + KM_PAGE_PRIVATE);

            km_page_map_clear(&r->map, p, order);
            p += (1u << order) - 1;
        }
}

int km_start_boot(struct km_replay *r, struct km_err *err)
{
    struct km_guest *g = &r->guest;
    const struct km_bundle *b = r->bundle;
    static struct km_pfn_range free[KM_GUEST_MAX_RANGES];
    struct km_memblock mb;
    struct km_memblock_params params = {
        .static_va = g->facts.page_offset + KERNEL_IMAGE_PA,
        .page_offset = g->facts.page_offset,
        .paddr_64 = g->facts.pae,
        .nodes = 1,
        .line_bytes = 64,
    };
    uint64_t mem_map_bytes =
        km_align_up(g->facts.max_pfn, 1u << (KM_NR_ORDERS - 1)) * r->cfg->os.struct_page_bytes;

    km_memblock_init(&mb, &g->cpu[0], &params);
    repeat_memblock(&mb, &g->cpu[0], b);
    unsigned nr = free_ranges(&mb, &g->cpu[0], free, KM_GUEST_MAX_RANGES);

    if (!nr)
        return km_fail(err, KM_E_INPUT, b->dir, 0, 0, "the boot messages leave no free memory");
    uint64_t static_pa = KERNEL_IMAGE_PA + km_align_up(km_memblock_static_bytes(params.paddr_64, 1), KM_PAGE_BYTES);

    km_guest_build(g, r->cfg, static_pa, find_mem_map(b, mem_map_bytes, g->facts.max_low_pfn));
    km_boot_free(&g->os, &g->cpu[0], free, nr);
    map_occupied(r);
    r->boot = true;
    r->boot_pagesets = true;
    snprintf(r->sum.start_state, sizeof(r->sum.start_state), "e820 and memblock messages");
    return KM_OK;
}
