/* SPDX-License-Identifier: MIT
 * slab_fixture.h - a slab layer over a window of 64 MiB and a page source that needs no buddy
 * allocator.
 *
 * Page source: aligned blocks from a rising pointer, freed blocks reused per order, last first. It
 * marks compound tails, counts, remembers the last request, and can be told to fail.
 */
#ifndef KM_TEST_SLAB_FIXTURE_H
#define KM_TEST_SLAB_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/os/test_personality_env.h"

#include "models/os/slab_layer.h"
#include "sim/base/window.h"

#define FIX_RAM (64ull << 20)
#define FIX_STATIC_PA (4u << 20)
#define FIX_MAP_PA (8u << 20)
#define FIX_FIRST_PFN 4096u
#define FIX_MAX_BLOCKS 4096u

struct fix_src {
    struct km_os *os;
    uint8_t *window;
    km_pfn next;
    km_pfn stack[KM_NR_ORDERS][FIX_MAX_BLOCKS];
    unsigned depth[KM_NR_ORDERS];
    unsigned fail_above; /* orders above this fail */
    bool fail_all;
    uint32_t last_gfp[2]; /* of the last request and the one before */
    unsigned last_order[2];
    uint64_t allocs, frees;
    int64_t live_pages;
};

struct fixture {
    struct km_window w;
    struct km_os os;
    struct km_cpu cpu[2];
    struct fix_src src;
    struct km_slab_layer layer;
};

static inline km_pfn fix_alloc(void *ctx, struct km_cpu *cpu, uint32_t gfp, unsigned order)
{
    struct fix_src *s = ctx;
    (void)cpu;

    s->last_gfp[1] = s->last_gfp[0];
    s->last_order[1] = s->last_order[0];
    s->last_gfp[0] = gfp;
    s->last_order[0] = order;
    if (s->fail_all || order > s->fail_above)
        return KM_PFN_NONE;

    km_pfn pfn;

    if (s->depth[order]) {
        pfn = s->stack[order][--s->depth[order]];
    } else {
        pfn = (s->next + (1u << order) - 1) & ~((1u << order) - 1);
        if (pfn + (1u << order) > FIX_RAM >> KM_PAGE_SHIFT)
            return KM_PFN_NONE;
        s->next = pfn + (1u << order);
    }
    if (gfp & KM_GFP_COMP)
        for (unsigned i = 1; i < 1u << order; i++)
            *(uint32_t *)(s->window + km_page_va(s->os, pfn + i) + KM_PAGE_COMPOUND_HEAD) =
                km_page_va(s->os, pfn) | 1;
    if ((gfp & KM_GFP_COMP) && order)
        *(uint32_t *)(s->window + km_page_va(s->os, pfn)) |= KM_PG_HEAD;
    s->allocs++;
    s->live_pages += 1 << order;
    return pfn;
}

static inline void fix_free(void *ctx, struct km_cpu *cpu, km_pfn pfn, unsigned order)
{
    struct fix_src *s = ctx;
    (void)cpu;

    /* What a block was must be forgotten before it is given back. */
    assert_false(*(uint32_t *)(s->window + km_page_va(s->os, pfn)) & KM_PG_SLAB);
    *(uint32_t *)(s->window + km_page_va(s->os, pfn)) = 0;
    for (unsigned i = 1; i < 1u << order; i++)
        *(uint32_t *)(s->window + km_page_va(s->os, pfn + i) + KM_PAGE_COMPOUND_HEAD) = 0;
    assert_true(s->depth[order] < FIX_MAX_BLOCKS);
    s->stack[order][s->depth[order]++] = pfn;
    s->frees++;
    s->live_pages -= 1 << order;
}

/* Hands out and remembers misuse reports. */
struct fix_reports {
    unsigned nr;
    struct km_misuse last;
};

static inline void fix_report(void *ctx, const struct km_misuse *m)
{
    struct fix_reports *r = ctx;

    r->nr++;
    r->last = *m;
}

/* Without memory cgroups in struct page, as older kernels had it: no vectors of accounted objects. */
static inline uint32_t fix_struct_page_bytes(void)
{
    return test_personality() == &km_personality_linux_2_6 ? 32 : 40;
}

static inline struct fixture *fix_create_with(unsigned cpus, bool random,
                                              const struct km_slab_params *extra)
{
    struct fixture *f = calloc(1, sizeof(*f));
    struct km_err err = {0};

    assert_non_null(f);
    assert_int_equal(km_window_create(&f->w, FIX_RAM, FIX_RAM, 0xC0000000u, &err), 0);
    f->os.p = (struct km_os_params){.personality = test_personality(),
                                    .cpus = cpus,
                                    .page_offset = 0xC0000000u,
                                    .max_pfn = FIX_RAM >> KM_PAGE_SHIFT,
                                    .max_low_pfn = FIX_RAM >> KM_PAGE_SHIFT,
                                    .pageblock_order = 9,
                                    .struct_page_bytes = fix_struct_page_bytes(),
                                    .freelist_random = random,
                                    .seed = 7};
    f->os.mem_map_va = 0xC0000000u + FIX_MAP_PA;
    f->os.mem_map_end = FIX_RAM >> KM_PAGE_SHIFT;
    f->os.static_va = 0xC0000000u + FIX_STATIC_PA;
    f->os.static_end_va = f->os.static_va + KM_OS_STATIC_BYTES;
    f->os.globals_va = km_os_static_alloc(&f->os, KM_OS_GLOBAL_LINES * 64, 64);
    for (unsigned i = 0; i < 2; i++)
        km_cpu_init_null(&f->cpu[i], i, f->w.base);
    f->src = (struct fix_src){
        .os = &f->os, .window = f->w.base, .next = FIX_FIRST_PFN, .fail_above = 99};

    struct km_slab_params p = *extra;

    p.src = (struct km_page_src){.alloc = fix_alloc, .free = fix_free, .ctx = &f->src};
    p.merge = true;
    assert_true(km_slab_init(&f->layer, &f->os, &f->cpu[0], &p));
    assert_null(km_slab_check(&f->layer, f->w.base));
    return f;
}

static inline struct fixture *fix_create_slab(unsigned cpus, bool random, const char *slab)
{
    const struct km_slab_params p = {.ops = km_slab_ops_by_name(slab)};

    return fix_create_with(cpus, random, &p);
}

static inline struct fixture *fix_create(unsigned cpus, bool random)
{
    return fix_create_slab(cpus, random, "slub");
}

static inline void fix_destroy(struct fixture *f)
{
    km_window_release(&f->w);
    free(f);
}

#define FIX_CHECK(f) assert_string_equal(fix_check(f), "")

static inline const char *fix_check(struct fixture *f)
{
    const char *bad = km_slab_check(&f->layer, f->w.base);

    return bad ? bad : "";
}

#endif
