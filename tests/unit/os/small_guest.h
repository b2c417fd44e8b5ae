/* SPDX-License-Identifier: MIT
 * small_guest.h - a 64 MiB PAE guest booted through memblock, for tests of the page allocator.
 *
 *   PFN   0   1      9f    100        1000  1010              2f5e      2ffe       4000
 *         |hole| RAM  |hole |   RAM ...                                   |   RAM    |
 *         |  first MiB reserved  | DMA | bss |  Normal, free   | mem_map  | HighMem  |
 *
 * The Normal/HighMem border is two pages short of a pageblock (512 pages), as on real machines.
 * Nothing but what boot does is on the lists; watermarks are 0 and boot pagesets active until a
 * test asks.
 */
#ifndef KM_TEST_SMALL_GUEST_H
#define KM_TEST_SMALL_GUEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/os/test_personality_env.h"

#include "models/base/prng.h"
#include "models/os/boot.h"
#include "models/os/buddy.h"
#include "models/os/memblock.h"
#include "models/os/page_alloc.h"
#include "models/os/pcp.h"

#include <string.h>
#include <sys/mman.h>

enum {
    GUEST_CPUS = 2,
    GUEST_MAX_PFN = 0x4000,
    GUEST_LOW_PFN = 0x2ffe,
    GUEST_BSS_PFN = 0x1000,
    GUEST_FREE_PFN = 0x1010,   /* first free page of Normal */
    GUEST_MEMMAP_PFN = 0x2f5e, /* first page of mem_map */
    GUEST_TPS = 4096,
};

struct small_guest {
    uint8_t *window;
    struct km_cpu cpu[GUEST_CPUS];
    struct km_os os;
    struct km_tp tp[GUEST_TPS]; /* tracepoints since the last guest_forget_events() */
    unsigned nr_tp;
};

static inline void guest_emit(void *ctx, const struct km_cpu *cpu, const struct km_tp *tp)
{
    struct small_guest *g = ctx;

    (void)cpu;
    if (g->nr_tp < GUEST_TPS)
        g->tp[g->nr_tp++] = *tp;
}

static inline void guest_forget_events(struct small_guest *g)
{
    g->nr_tp = 0;
}

/* Frames of all events of one kind, in order. */
static inline unsigned guest_events(const struct small_guest *g, enum km_tp_kind kind, km_pfn *out,
                                    unsigned max)
{
    unsigned n = 0;

    for (unsigned i = 0; i < g->nr_tp; i++)
        if (g->tp[i].kind == kind && n < max)
            out[n++] = g->tp[i].pfn;
    return n;
}

static inline unsigned guest_count_events(const struct small_guest *g, enum km_tp_kind kind)
{
    unsigned n = 0;

    for (unsigned i = 0; i < g->nr_tp; i++)
        n += g->tp[i].kind == kind;
    return n;
}

/* Memory map, reservations and mem_map the way setup code does it; free ranges in `out`. */
static inline unsigned guest_memblock(struct small_guest *g, struct km_pfn_range *out, unsigned max,
                                      km_paddr *mem_map_pa, km_paddr mem_map_bytes)
{
    const struct km_memblock_params p = {
        .static_va = 0xc0000000u + (GUEST_BSS_PFN << KM_PAGE_SHIFT) + KM_OS_STATIC_BYTES - 0x2000,
        .page_offset = 0xc0000000u,
        .paddr_64 = true,
        .nodes = 1,
        .line_bytes = 64,
    };
    struct km_cpu *cpu = &g->cpu[0];
    struct km_memblock mb;
    uint64_t cursor = 0;
    unsigned n = 0;

    km_memblock_init(&mb, cpu, &p);
    km_memblock_add(&mb, cpu, 0x1000, 0x9ec00);
    km_memblock_add(&mb, cpu, 0x100000, ((km_paddr)GUEST_MAX_PFN << KM_PAGE_SHIFT) - 0x100000);
    km_memblock_trim_memory(&mb, cpu, KM_PAGE_BYTES);
    km_memblock_reserve(&mb, cpu, 0, 0x100000);
    km_memblock_reserve(&mb, cpu, (km_paddr)GUEST_BSS_PFN << KM_PAGE_SHIFT, KM_OS_STATIC_BYTES);
    km_memblock_set_current_limit(&mb, cpu, (km_paddr)GUEST_LOW_PFN << KM_PAGE_SHIFT);
    *mem_map_pa = km_memblock_alloc_try_nid_raw(&mb, cpu, mem_map_bytes, 64, 0,
                                                KM_MEMBLOCK_ACCESSIBLE, KM_MEMBLOCK_ANY_NODE);
    while (n < max && km_memblock_next_free_pfn(&mb, cpu, &cursor, &out[n].start, &out[n].end))
        n++;
    return n;
}

static inline void guest_boot_with(struct small_guest *g, bool thp)
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
        .thp = thp,
        .watermark_scale_factor = test_personality()->watermark_scale_factor,
        .watermark_boost_factor = test_personality()->watermark_boost_factor,
        .seed = 1,
        .static_pa = (km_paddr)GUEST_BSS_PFN << KM_PAGE_SHIFT,
    };
    struct km_pfn_range free[8];
    km_paddr mem_map_pa;
    unsigned nr_free;

    memset(g, 0, sizeof(*g));
    g->window = mmap(NULL, 1ull << 32, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    assert_ptr_not_equal(g->window, MAP_FAILED);
    for (unsigned c = 0; c < GUEST_CPUS; c++)
        km_cpu_init_null(&g->cpu[c], c, g->window);
    nr_free = guest_memblock(g, free, KM_ARRAY_LEN(free), &mem_map_pa, GUEST_MAX_PFN * 40ull);
    assert_int_equal(mem_map_pa >> KM_PAGE_SHIFT, GUEST_MEMMAP_PFN);
    km_boot_zones(&g->os, &g->cpu[0], &params, ram, KM_ARRAY_LEN(ram));
    assert_int_equal(km_boot_mem_map_bytes(&g->os), GUEST_MAX_PFN * 40ull);
    km_boot_mem_map(&g->os, &g->cpu[0], mem_map_pa, ram, KM_ARRAY_LEN(ram));
    km_boot_free(&g->os, &g->cpu[0], free, nr_free);
    g->os.tracer.emit = guest_emit;
    g->os.tracer.ctx = g;
}

static inline void guest_boot(struct small_guest *g)
{
    guest_boot_with(g, false);
}

static inline void guest_close(struct small_guest *g)
{
    munmap(g->window, 1ull << 32);
}

/* Every list of every zone is sound. */
static inline void guest_check(const struct small_guest *g)
{
    for (unsigned z = 0; z < KM_NR_ZONES; z++) {
        const char *wrong = km_buddy_check(&g->os, g->window, (enum km_zone_id)z);

        for (unsigned c = 0; c < GUEST_CPUS && !wrong; c++)
            wrong = km_pcp_check(&g->os, g->window, (enum km_zone_id)z, c);
        if (wrong)
            fail_msg("zone %s: %s", g->os.zone[z].name, wrong);
    }
}

static inline uint32_t guest_zone_word(const struct small_guest *g, enum km_zone_id z,
                                       unsigned offset)
{
    return km_peek32(g->window, g->os.zone[z].va + offset);
}

static inline void guest_set_zone_word(struct small_guest *g, enum km_zone_id z, unsigned offset,
                                       uint32_t v)
{
    km_st32(&g->cpu[0], g->os.zone[z].va + offset, v);
}

/* Frames on one list, from head to tail; asserts that they are exactly `want`. */
static inline void expect_frames(const struct small_guest *g, km_vaddr head, const km_pfn *want,
                                 unsigned nr)
{
    unsigned n = 0;

    for (km_vaddr at = km_peek32(g->window, head); at != head; at = km_peek32(g->window, at)) {
        km_pfn pfn = km_page_pfn(&g->os, at - KM_PAGE_LRU);

        if (n >= nr || pfn != want[n])
            fail_msg("entry %u of the list is frame 0x%x, not 0x%x", n, pfn, n < nr ? want[n] : 0);
        n++;
    }
    assert_int_equal(n, nr);
}

#define EXPECT_FREE_LIST(g, z, order, mt, ...)                                                     \
    do {                                                                                           \
        const km_pfn want_[] = {__VA_ARGS__};                                                      \
        expect_frames(g, km_free_list_va(&(g)->os.zone[z], order, mt), want_,                      \
                      KM_ARRAY_LEN(want_));                                                        \
    } while (0)

static inline void expect_empty_list(const struct small_guest *g, enum km_zone_id z, unsigned order,
                                     enum km_migratetype mt)
{
    expect_frames(g, km_free_list_va(&g->os.zone[z], order, mt), NULL, 0);
}

static inline void expect_pcp_list(const struct small_guest *g, enum km_zone_id z, unsigned on_cpu,
                                   unsigned index, const km_pfn *want, unsigned nr)
{
    expect_frames(g, g->os.zone[z].pcp_va[on_cpu] + KM_PCP_LISTS + index * 8, want, nr);
}

static inline uint32_t guest_pcp_word(const struct small_guest *g, enum km_zone_id z,
                                      unsigned on_cpu, unsigned offset)
{
    return km_peek32(g->window, g->os.zone[z].pcp_va[on_cpu] + offset);
}

static inline void guest_drain_all(struct small_guest *g)
{
    for (unsigned z = 0; z < KM_NR_ZONES; z++)
        for (unsigned c = 0; c < GUEST_CPUS; c++)
            km_pcp_drain(&g->os, &g->cpu[0], (enum km_zone_id)z, c, UINT32_MAX);
}

#endif
