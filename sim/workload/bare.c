/* SPDX-License-Identifier: MIT
 * bare.c - see bare.h.
 */
#include "sim/workload/bare.h"

#include "models/base/bits.h"
#include "models/os/pcp.h"
#include "models/os/zone.h"

#include <string.h>

#define KERNEL_IMAGE_PA 0x1000000u

/* RAM ranges without [from, to). */
static unsigned cut_range(struct km_pfn_range *r, unsigned nr, km_pfn from, km_pfn to)
{
    for (unsigned i = 0; i < nr; i++) {
        if (from >= r[i].end || to <= r[i].start)
            continue;
        if (from > r[i].start && to < r[i].end) { /* two pieces */
            memmove(&r[i + 1], &r[i], (nr - i) * sizeof(*r));
            nr++;
            r[i].end = from;
            r[i + 1].start = to;
            return nr;
        }
        if (from <= r[i].start)
            r[i].start = to < r[i].end ? to : r[i].end;
        else
            r[i].end = from;
    }
    return nr;
}

int km_bare_boot(struct km_guest *g, const struct km_config *cfg, const char *who, struct km_err *err)
{
    struct km_machine_facts *f = &g->facts;
    struct km_pfn_range free[KM_BUNDLE_MAX_E820 + 4];
    uint64_t map_bytes = km_align_up(f->max_pfn, 1u << (KM_NR_ORDERS - 1)) * cfg->os.struct_page_bytes;
    km_pfn map_pages = (km_pfn)(km_align_up(map_bytes, KM_PAGE_BYTES) >> KM_PAGE_SHIFT);
    km_pfn image = KERNEL_IMAGE_PA >> KM_PAGE_SHIFT, image_pages = KM_GUEST_IMAGE_BYTES >> KM_PAGE_SHIFT;
    unsigned nr = f->nr_ram, kept = 0;

    if (f->max_low_pfn < image + image_pages + map_pages + 1024)
        return km_fail(err, KM_E_USAGE, NULL, 0, 0, "machine.ram: %s needs at least 32MiB", who);
    memcpy(free, f->ram, sizeof(f->ram[0]) * nr);
    km_guest_build(g, cfg, KERNEL_IMAGE_PA, (km_paddr)(f->max_low_pfn - map_pages) << KM_PAGE_SHIFT);
    nr = cut_range(free, nr, 0, 0x100);
    nr = cut_range(free, nr, image, image + image_pages);
    nr = cut_range(free, nr, f->max_low_pfn - map_pages, f->max_low_pfn);
    for (unsigned i = 0; i < nr; i++)
        if (free[i].start < free[i].end)
            free[kept++] = free[i];
    km_boot_free(&g->os, &g->cpu[0], free, kept);
    km_zone_setup_watermarks(&g->os, &g->cpu[0]);
    km_pcp_setup(&g->os, &g->cpu[0], g->os.p.cpus);
    return KM_OK;
}

struct frames {
    km_pfn next, end;
};

static km_pfn next_frame(void *ctx)
{
    struct frames *f = ctx;

    return f->next < f->end ? f->next++ : KM_PFN_NONE;
}

int km_bare_page_tables(struct km_guest *g, struct km_pgtable *pt, struct km_err *err)
{
    struct frames frames = {.next = km_va_to_pfn(&g->os, g->os.static_end_va)};

    frames.end = frames.next + KM_GUEST_TABLE_PAGES;
    if (!km_pgtable_build(pt, &g->cpu[0], g->facts.pae, g->facts.page_offset, g->window.lowmem_bytes, next_frame,
                          &frames))
        return km_fail(err, KM_E_INPUT, NULL, 0, 0, "no room for the kernel's page tables");
    return KM_OK;
}
