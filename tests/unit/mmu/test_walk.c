/* SPDX-License-Identifier: MIT
 * test_walk.c - the page walker on hand-made tables and on tables built by models/os/pgtable.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "models/base/x86_paging.h"
#include "models/mmu/walk.h"
#include "models/os/pgtable.h"
#include "sim/base/window.h"

#include <stdlib.h>
#include <string.h>

#define RAM (32u << 20)

struct guest {
    uint8_t *ram;
    unsigned loads, locked;
    km_paddr last_locked;
};

static uint64_t load(void *ctx, km_paddr pa, uint32_t bytes)
{
    struct guest *g = ctx;
    uint64_t v = 0;

    g->loads++;
    assert_true(pa + bytes <= RAM);
    assert_int_equal(pa % bytes, 0);
    memcpy(&v, g->ram + pa, bytes);
    return v;
}

static uint64_t set_bits(void *ctx, km_paddr pa, uint32_t bytes, uint32_t bits)
{
    struct guest *g = ctx;
    uint64_t v = 0;

    g->locked++;
    g->last_locked = pa;
    memcpy(&v, g->ram + pa, bytes);
    v |= bits;
    memcpy(g->ram + pa, &v, bytes);
    return v;
}

static const struct km_walk_ops ops = {load, set_bits};

static void poke(struct guest *g, km_paddr pa, uint64_t v, uint32_t bytes)
{
    memcpy(g->ram + pa, &v, bytes);
}

static uint64_t peek(struct guest *g, km_paddr pa, uint32_t bytes)
{
    uint64_t v = 0;

    memcpy(&v, g->ram + pa, bytes);
    return v;
}

/* CR3 0x1000: directory[1] -> table 0x2000, table[3] -> frame 0x5000; directory[2] -> 4 MiB page 8
 * MiB. */
static void two_level_sets_a_and_d(void **state)
{
    (void)state;
    struct guest g = {.ram = calloc(1, RAM)};
    struct km_walk_result r;
    km_vaddr va = 1u << 22 | 3u << 12 | 0x123;

    poke(&g, 0x1004, 0x2000 | KM_PTE_P | KM_PTE_RW, 4);
    poke(&g, 0x200c, 0x5000 | KM_PTE_P | KM_PTE_RW, 4);
    poke(&g, 0x1008, 0x800000 | KM_PTE_P | KM_PTE_PS, 4);

    assert_int_equal(km_walk(&ops, &g, false, 0x1000, va, false, &r), KM_FAULT_NONE);
    assert_int_equal(r.page_pa, 0x5000);
    assert_int_equal(r.shift, 12);
    assert_true(r.writable);
    assert_false(r.dirty);
    assert_int_equal(g.loads, 2);
    assert_int_equal(g.locked, 2); /* A in both entries */
    assert_int_equal(r.refs, 4);
    assert_int_equal(peek(&g, 0x1004, 4) & (KM_PTE_A | KM_PTE_D), KM_PTE_A);
    assert_int_equal(peek(&g, 0x200c, 4) & (KM_PTE_A | KM_PTE_D), KM_PTE_A);

    assert_int_equal(km_walk(&ops, &g, false, 0x1000, va, true, &r), KM_FAULT_NONE);
    assert_true(r.dirty);
    assert_int_equal(g.locked, 3); /* only D in the leaf was missing */
    assert_int_equal(g.last_locked, 0x200c);
    assert_int_equal(peek(&g, 0x1004, 4) & KM_PTE_D, 0); /* D is for leaves */
    assert_int_equal(km_walk(&ops, &g, false, 0x1000, va, true, &r), KM_FAULT_NONE);
    assert_int_equal(g.locked, 3); /* nothing left to set */
    assert_int_equal(r.refs, 2);

    assert_int_equal(km_walk(&ops, &g, false, 0x1000, 2u << 22 | 0x12345, false, &r),
                     KM_FAULT_NONE);
    assert_int_equal(r.page_pa, 0x800000);
    assert_int_equal(r.shift, 22);
    assert_int_equal(r.refs, 2); /* one load, A */
    assert_int_equal(km_walk(&ops, &g, false, 0x1000, 2u << 22, true, &r), KM_FAULT_PROTECTION);
    assert_int_equal(peek(&g, 0x1008, 4) & KM_PTE_D, 0);
    assert_int_equal(km_walk(&ops, &g, false, 0x1000, 5u << 22, false, &r), KM_FAULT_NOT_PRESENT);
    assert_int_equal(km_walk(&ops, &g, false, 0x1000, 1u << 22, false, &r), KM_FAULT_NOT_PRESENT);
    free(g.ram);
}

/* PAE: CR3 0x1020 (32-byte aligned PDPT): [3] -> directory 0x2000; [0] -> table 0x3000, [511] -> 2
 * MiB page. Frames beyond 4 GiB come from the high half of an entry. */
static void pae_three_levels(void **state)
{
    (void)state;
    struct guest g = {.ram = calloc(1, RAM)};
    struct km_walk_result r;

    poke(&g, 0x1020 + 24, 0x2000 | KM_PTE_P, 8);
    poke(&g, 0x2000, 0x3000 | KM_PTE_P | KM_PTE_RW | KM_PTE_A, 8);
    poke(&g, 0x2000 + 511 * 8, 0x1fe00000ull | KM_PTE_KERNEL | KM_PTE_PS, 8);
    poke(&g, 0x3000 + 511 * 8, 0x234567000ull | KM_PTE_P | KM_PTE_RW | KM_PTE_NX, 8);

    assert_int_equal(km_walk(&ops, &g, true, 0x1020, 0xc01ff800, true, &r), KM_FAULT_NONE);
    assert_int_equal(r.page_pa, 0x234567000ull);
    assert_int_equal(g.loads, 3);
    assert_int_equal(g.locked, 1); /* A and D of the leaf in one go; the PDPTE has no A */
    assert_int_equal(peek(&g, 0x1020 + 24, 8) & KM_PTE_A, 0);
    assert_int_equal(km_walk(&ops, &g, true, 0x1020, 0xffe00010, true, &r), KM_FAULT_NONE);
    assert_int_equal(r.page_pa, 0x1fe00000);
    assert_int_equal(r.shift, 21);
    assert_true(r.global);
    assert_int_equal(r.refs, 2); /* born accessed and dirty */
    assert_int_equal(km_walk(&ops, &g, true, 0x1020, 0x80000000, true, &r), KM_FAULT_NOT_PRESENT);
    assert_int_equal(r.refs, 1);
    free(g.ram);
}

static km_pfn take_page(void *ctx)
{
    km_pfn *next = ctx;

    return *next ? --*next : KM_PFN_NONE;
}

/* Every byte of low memory translates to itself; the end that is no multiple of a large page, too.
 */
static void kernel_tables(bool pae)
{
    uint64_t lowmem = (24u << 20) + 5 * 4096;
    km_pfn next = 256;
    struct km_window w;
    struct km_cpu cpu;
    struct km_pgtable pt;
    struct km_walk_result r;

    assert_int_equal(km_window_create(&w, RAM, RAM, 0xc0000000, NULL), KM_OK);
    km_cpu_init_null(&cpu, 0, w.base);
    assert_true(km_pgtable_build(&pt, &cpu, pae, 0xc0000000, lowmem, take_page, &next));
    struct guest g = {.ram = w.phys};

    for (uint64_t pa = 0; pa < lowmem; pa += 4096) {
        km_vaddr va = (km_vaddr)(0xc0000000 + pa);

        assert_int_equal(km_walk(&ops, &g, pae, km_pgtable_cr3(&pt), va, true, &r), KM_FAULT_NONE);
        assert_int_equal(r.page_pa + (va & ((1u << r.shift) - 1)), pa);
        assert_int_equal(km_pgtable_peek(&pt, w.base, va), pa >> 12);
        /* The first large page (fixed MTRRs) and the ragged end are in 4 KiB pages. */
        unsigned large = pae ? 21 : 22;
        bool small = pa < 1u << large || pa >= lowmem >> large << large;

        assert_int_equal(r.shift, small ? 12 : large);
    }
    assert_int_equal(g.locked, 0);
    assert_int_equal(
        km_walk(&ops, &g, pae, km_pgtable_cr3(&pt), 0xc0000000 + (km_vaddr)lowmem, false, &r),
        KM_FAULT_NOT_PRESENT);
    /* One vmalloc page. */
    km_vaddr va = 0xf8123000;

    assert_int_equal(km_pgtable_peek(&pt, w.base, va), KM_PFN_NONE);
    assert_false(km_pgtable_unmap(&pt, &cpu, va));
    assert_true(km_pgtable_map(&pt, &cpu, va, 77));
    assert_int_equal(km_pgtable_peek(&pt, w.base, va), 77);
    assert_int_equal(km_walk(&ops, &g, pae, km_pgtable_cr3(&pt), va, true, &r), KM_FAULT_NONE);
    assert_int_equal(r.page_pa, 77 * 4096);
    assert_true(km_pgtable_unmap(&pt, &cpu, va));
    assert_false(km_pgtable_unmap(&pt, &cpu, va));
    assert_int_equal(km_pgtable_peek(&pt, w.base, va), KM_PFN_NONE);
    assert_false(km_pgtable_unmap(&pt, &cpu, 0xc0800000)); /* a large page */
    next = 0;                                              /* the source runs dry */
    assert_false(km_pgtable_map(&pt, &cpu, 0xfd000000, 1));
    km_window_release(&w);
}

static void kernel_tables_both_modes(void **state)
{
    (void)state;
    kernel_tables(false);
    kernel_tables(true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_level_sets_a_and_d),
        cmocka_unit_test(pae_three_levels),
        cmocka_unit_test(kernel_tables_both_modes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
