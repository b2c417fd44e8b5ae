/* SPDX-License-Identifier: MIT
 * user_guest.h - a 96 MiB guest with one process, for tests of user memory. Frames mapped at user
 * addresses are visible there through a real window, so moved pages keep their contents.
 */
#ifndef KM_TEST_USER_GUEST_H
#define KM_TEST_USER_GUEST_H

#include "small_guest.h"

#include "models/os/user_malloc.h"
#include "models/os/user_mm.h"
#include "models/os/zone.h"
#include "sim/base/window.h"

#include <stdio.h>

enum { USER_MAX_PFN = 0x6000, USER_LOW_PFN = 0x4000, USER_MEMMAP_PFN = 0x3f00 };

struct user_guest {
    struct km_window window;
    struct km_os os;
    struct km_cpu cpu;
    struct km_user_sys sys;
    struct km_user_mm mm;
    struct km_user_heap heap;
    uint64_t free_at_start;
    unsigned batched, gather_allocs;
    km_pfn batch[8]; /* the first frames of the batches since batched was 0 */
    uint32_t last_alloc_gfp;
    char misuse[128];
    km_vaddr misuse_ptr;
};

static inline void user_emit(void *ctx, const struct km_cpu *cpu, const struct km_tp *tp)
{
    struct user_guest *g = ctx;

    (void)cpu;
    if (tp->kind == KM_TP_PAGE_FREE_BATCHED) {
        if (g->batched < KM_ARRAY_LEN(g->batch))
            g->batch[g->batched] = tp->pfn;
        g->batched++;
    }
    if (tp->kind == KM_TP_PAGE_ALLOC) {
        g->last_alloc_gfp = tp->gfp;
        g->gather_allocs += tp->gfp == (KM_GFP_NOWAIT | KM_GFP_NOWARN);
    }
}

static inline void user_map(void *ctx, km_vaddr va, km_pfn pfn, uint32_t pages)
{
    struct km_err err;

    assert_int_equal(km_window_map(ctx, va, pfn, pages, &err), KM_OK);
}

static inline void user_unmap(void *ctx, km_vaddr va, uint32_t pages)
{
    struct km_err err;

    assert_int_equal(km_window_unmap(ctx, va, pages, &err), KM_OK);
}

static inline uint64_t user_free_pages(const struct user_guest *g)
{
    uint64_t n = 0;

    for (unsigned z = 0; z < KM_NR_ZONES; z++) {
        if (g->os.zone[z].start_pfn == g->os.zone[z].end_pfn)
            continue;
        n += km_peek32(g->window.base, g->os.zone[z].va + KM_ZONE_NR_FREE_PAGES);
        n += km_pcp_count(&g->os, g->window.base, (enum km_zone_id)z, 0);
    }
    return n;
}

static inline void user_boot(struct user_guest *g)
{
    static const struct km_pfn_range ram[] = {{1, 0x9f}, {0x100, USER_MAX_PFN}};
    static const struct km_pfn_range free[] = {
        {1, 0x9f}, {0x100, 0x1000}, {0x1010, USER_MEMMAP_PFN}, {USER_LOW_PFN, USER_MAX_PFN}};
    const struct km_os_params params = {
        .personality = test_personality(),
        .cpus = 1,
        .page_offset = 0xc0000000u,
        .max_pfn = USER_MAX_PFN,
        .max_low_pfn = USER_LOW_PFN,
        .pageblock_order = 9,
        .struct_page_bytes = 40,
        .watermark_scale_factor = 10,
        .watermark_boost_factor = 15000,
        .seed = 1,
        .static_pa = 0x1000ull << KM_PAGE_SHIFT,
    };
    struct km_err err;

    memset(g, 0, sizeof(*g));
    assert_int_equal(km_window_create(&g->window, (uint64_t)USER_MAX_PFN << KM_PAGE_SHIFT,
                                      (uint64_t)USER_LOW_PFN << KM_PAGE_SHIFT, 0xc0000000u, &err),
                     KM_OK);
    km_cpu_init_null(&g->cpu, 0, g->window.base);
    km_boot_zones(&g->os, &g->cpu, &params, ram, KM_ARRAY_LEN(ram));
    assert_true(km_boot_mem_map_bytes(&g->os) <= (USER_LOW_PFN - USER_MEMMAP_PFN) << KM_PAGE_SHIFT);
    km_boot_mem_map(&g->os, &g->cpu, (km_paddr)USER_MEMMAP_PFN << KM_PAGE_SHIFT, ram, KM_ARRAY_LEN(ram));
    km_boot_free(&g->os, &g->cpu, free, KM_ARRAY_LEN(free));
    km_zone_setup_watermarks(&g->os, &g->cpu);
    km_pcp_setup(&g->os, &g->cpu, 1);
    g->os.tracer.emit = user_emit;
    g->os.tracer.ctx = g;
    g->free_at_start = user_free_pages(g);
    assert_true(km_user_sys_init(&g->sys, &g->os, &g->cpu));
}

static inline struct km_user_params user_params(struct user_guest *g, bool pae)
{
    return (struct km_user_params){
        .pae = pae,
        .end_bss = 0x0804c123,
        .rlimit_stack = 8u << 20,
        .rlimit_data = KM_RLIM_INFINITY,
        .rlimit_as = KM_RLIM_INFINITY,
        .seed = 1,
        .kernel_root = KM_PFN_NONE,
        .hook = {user_map, user_unmap, &g->window},
    };
}

static inline void user_exec(struct user_guest *g, const struct km_user_params *p)
{
    assert_true(km_user_mm_init(&g->mm, &g->sys, &g->cpu, p));
}

static inline void user_misuse(void *ctx, const struct km_misuse *m)
{
    struct user_guest *g = ctx;

    snprintf(g->misuse, sizeof(g->misuse), "%s", m->message);
    g->misuse_ptr = m->ptr;
}

static inline void user_start(struct user_guest *g)
{
    const struct km_user_params p = user_params(g, true);
    const struct km_user_heap_params hp = {.cores = 2, .misuse = user_misuse, .ctx = g};

    user_exec(g, &p);
    assert_true(km_user_heap_init(&g->heap, &g->mm, &g->cpu, &hp));
}

static inline void user_check(const struct user_guest *g)
{
    const char *wrong = km_user_mm_check(&g->mm, g->window.base);

    if (!wrong && g->heap.mm)
        wrong = km_user_heap_check(&g->heap, g->window.base);
    if (wrong)
        fail_msg("%s", wrong);
}

/* Ends the process and the guest: every page must be back. */
static inline void user_end(struct user_guest *g)
{
    if (g->mm.mm_va)
        km_user_mm_exit(&g->mm, &g->cpu);
    km_user_sys_exit(&g->sys, &g->cpu);
    assert_int_equal(user_free_pages(g), g->free_at_start);
    for (unsigned z = 0; z < KM_NR_ZONES; z++) {
        const char *wrong = km_buddy_check(&g->os, g->window.base, (enum km_zone_id)z);

        if (wrong)
            fail_msg("zone %s: %s", g->os.zone[z].name, wrong);
    }
    km_window_release(&g->window);
}

#endif
