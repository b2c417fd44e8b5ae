/* SPDX-License-Identifier: MIT
 * vmem_fixture.h - the 64 MiB guest of small_guest.h over a real window (so that one page frame can
 * be seen at several addresses), with watermarks, per-CPU lists, SLUB, page tables and the vmalloc
 * space.
 *
 *   0xc0000000            0xc2ffe000   0xc37fe000                         0xfeffe000  0xff800000
 *   | linear map 48 MiB   |  8 MiB gap | vmalloc ...                       | ...       | fixmap
 */
#ifndef KM_TEST_VMEM_FIXTURE_H
#define KM_TEST_VMEM_FIXTURE_H

#include "tests/unit/os/small_guest.h"

#include <stdio.h>
#include <stdlib.h>

#include "tests/unit/os/test_personality_env.h"

#include "models/os/vmalloc.h"
#include "models/base/x86_paging.h"
#include "sim/base/window.h"

#define VMEM_START 0xc37fe000u
#define VMEM_END 0xfeffe000u

struct vmem {
    struct small_guest g;
    struct km_window w;
    struct km_slab_layer slab;
    struct km_pgtable pt;
    struct km_vmalloc v;
    uint32_t flushes; /* TLB flushes seen */
    km_vaddr flush_lo, flush_hi;
};

static inline km_pfn vmem_table_page(void *ctx)
{
    struct vmem *m = ctx;

    return km_alloc_pages(&m->g.os, &m->g.cpu[0], KM_GFP_KERNEL | KM_GFP_ZERO, 0);
}

static inline void vmem_map(void *ctx, km_vaddr va, km_pfn pfn, uint32_t pages)
{
    struct vmem *m = ctx;
    struct km_err err = {0};

    if (pfn + pages <= GUEST_MAX_PFN)
        assert_int_equal(km_window_map(&m->w, va, pfn, pages, &err), KM_OK);
}

static inline void vmem_unmap(void *ctx, km_vaddr va, uint32_t pages)
{
    struct vmem *m = ctx;
    struct km_err err = {0};

    assert_int_equal(km_window_unmap(&m->w, va, pages, &err), KM_OK);
}

static inline void vmem_flush(void *ctx, struct km_cpu *cpu, km_vaddr lo, km_vaddr hi)
{
    struct vmem *m = ctx;

    (void)cpu;
    m->flushes++;
    m->flush_lo = lo;
    m->flush_hi = hi;
}

static inline void vmem_boot_guest(struct vmem *m)
{
    static const struct km_pfn_range ram[] = {{1, 0x9f}, {0x100, GUEST_MAX_PFN}};
    const struct km_os_params params = {
        .personality = test_personality(),
        .cpus = GUEST_CPUS,
        .page_offset = 0xc0000000u,
        .max_pfn = GUEST_MAX_PFN,
        .max_low_pfn = GUEST_LOW_PFN,
        .pageblock_order = 9,
        .struct_page_bytes = 40,
        .watermark_scale_factor = 10,
        .seed = 1,
        .static_pa = (km_paddr)GUEST_BSS_PFN << KM_PAGE_SHIFT,
    };
    struct km_pfn_range free[8];
    km_paddr mem_map_pa;
    struct km_err err = {0};

    memset(m, 0, sizeof(*m));
    assert_int_equal(km_window_create(&m->w, (uint64_t)GUEST_MAX_PFN << KM_PAGE_SHIFT,
                                      (uint64_t)GUEST_LOW_PFN << KM_PAGE_SHIFT, 0xc0000000u, &err),
                     KM_OK);
    m->g.window = m->w.base;
    for (unsigned c = 0; c < GUEST_CPUS; c++)
        km_cpu_init_null(&m->g.cpu[c], c, m->w.base);
    unsigned nr_free =
        guest_memblock(&m->g, free, KM_ARRAY_LEN(free), &mem_map_pa, GUEST_MAX_PFN * 40ull);

    km_boot_zones(&m->g.os, &m->g.cpu[0], &params, ram, KM_ARRAY_LEN(ram));
    km_boot_mem_map(&m->g.os, &m->g.cpu[0], mem_map_pa, ram, KM_ARRAY_LEN(ram));
    km_boot_free(&m->g.os, &m->g.cpu[0], free, nr_free);
    km_zone_setup_watermarks(&m->g.os, &m->g.cpu[0]);
    km_pcp_setup(&m->g.os, &m->g.cpu[0], GUEST_CPUS);
}

static inline struct vmem *vmem_open_at(km_vaddr start, km_vaddr end, bool tables)
{
    struct vmem *m = malloc(sizeof(*m));

    assert_non_null(m);
    vmem_boot_guest(m);
    struct km_slab_params sp = {
        .ops = km_slab_ops_by_name("slub"), .src = km_page_src_buddy(&m->g.os), .merge = true};

    assert_true(km_slab_init(&m->slab, &m->g.os, &m->g.cpu[0], &sp));
    if (tables)
        assert_true(km_pgtable_build(&m->pt, &m->g.cpu[0], true, 0xc0000000u,
                                     (uint64_t)GUEST_LOW_PFN << KM_PAGE_SHIFT, vmem_table_page, m));
    struct km_vmalloc_params vp = {.slab = &m->slab,
                                   .pt = tables ? &m->pt : NULL,
                                   .hook = {.map = vmem_map, .unmap = vmem_unmap, .ctx = m},
                                   .start = start,
                                   .end = end};

    assert_true(km_vmalloc_init(&m->v, &m->g.os, &m->g.cpu[0], &vp));
    m->v.vmap.flush_tlb = vmem_flush;
    m->v.vmap.flush_ctx = m;
    return m;
}

static inline struct vmem *vmem_open(void)
{
    return vmem_open_at(VMEM_START, VMEM_END, true);
}

static inline void vmem_close(struct vmem *m)
{
    km_window_release(&m->w);
    free(m);
}

static inline void vmem_check(const struct vmem *m)
{
    const char *why = km_vmalloc_check(&m->v, m->w.base);

    if (why)
        fail_msg("vmalloc: %s", why);
    guest_check(&m->g);
}

/* Pages on buddy lists and per-CPU lists. */
static inline uint64_t vmem_free_pages(const struct vmem *m)
{
    uint64_t n = 0;

    for (unsigned z = 0; z < KM_NR_ZONES; z++) {
        if (!m->g.os.zone[z].va || m->g.os.zone[z].start_pfn == m->g.os.zone[z].end_pfn)
            continue;
        n += km_peek32(m->w.base, m->g.os.zone[z].va + KM_ZONE_NR_FREE_PAGES);
        for (unsigned c = 0; c < GUEST_CPUS; c++)
            n += km_peek32(m->w.base, m->g.os.zone[z].pcp_va[c] + KM_PCP_COUNT);
    }
    return n;
}

#endif
