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

/* The supervisor, CR0.WP set, PSE-36 and NX on, PDPTEs read from the table: the error code, or -1
 * for a translation. */
#define MAPPED -1

static int walk(struct guest *g, bool pae, km_paddr cr3, km_vaddr va, bool write,
                struct km_walk_result *r)
{
    struct km_walk_mode mode = {
        .pae = pae, .nx = true, .write_protect = true, .pse36 = true, .cr3 = cr3};

    return km_walk(&ops, g, &mode, va, (struct km_walk_access){.write = write}, r) ? MAPPED
                                                                                   : (int)r->error;
}

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

    assert_int_equal(walk(&g, false, 0x1000, va, false, &r), MAPPED);
    assert_int_equal(r.page_pa, 0x5000);
    assert_int_equal(r.shift, 12);
    assert_true(r.writable);
    assert_false(r.dirty);
    assert_int_equal(g.loads, 2);
    assert_int_equal(g.locked, 2); /* A in both entries */
    assert_int_equal(r.refs, 4);
    assert_int_equal(peek(&g, 0x1004, 4) & (KM_PTE_A | KM_PTE_D), KM_PTE_A);
    assert_int_equal(peek(&g, 0x200c, 4) & (KM_PTE_A | KM_PTE_D), KM_PTE_A);

    assert_int_equal(walk(&g, false, 0x1000, va, true, &r), MAPPED);
    assert_true(r.dirty);
    assert_int_equal(g.locked, 3); /* only D in the leaf was missing */
    assert_int_equal(g.last_locked, 0x200c);
    assert_int_equal(peek(&g, 0x1004, 4) & KM_PTE_D, 0); /* D is for leaves */
    assert_int_equal(walk(&g, false, 0x1000, va, true, &r), MAPPED);
    assert_int_equal(g.locked, 3); /* nothing left to set */
    assert_int_equal(r.refs, 2);

    assert_int_equal(walk(&g, false, 0x1000, 2u << 22 | 0x12345, false, &r), MAPPED);
    assert_int_equal(r.page_pa, 0x800000);
    assert_int_equal(r.shift, 22);
    assert_int_equal(r.refs, 2); /* one load, A */
    assert_int_equal(walk(&g, false, 0x1000, 2u << 22, true, &r), KM_PF_PRESENT | KM_PF_WRITE);
    assert_int_equal(peek(&g, 0x1008, 4) & KM_PTE_D, 0);
    assert_int_equal(walk(&g, false, 0x1000, 5u << 22, false, &r), 0);
    assert_int_equal(walk(&g, false, 0x1000, 1u << 22, false, &r), 0);
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

    assert_int_equal(walk(&g, true, 0x1020, 0xc01ff800, true, &r), MAPPED);
    assert_int_equal(r.page_pa, 0x234567000ull);
    assert_int_equal(g.loads, 3);
    assert_int_equal(g.locked, 1); /* A and D of the leaf in one go; the PDPTE has no A */
    assert_int_equal(peek(&g, 0x1020 + 24, 8) & KM_PTE_A, 0);
    assert_int_equal(walk(&g, true, 0x1020, 0xffe00010, true, &r), MAPPED);
    assert_int_equal(r.page_pa, 0x1fe00000);
    assert_int_equal(r.shift, 21);
    assert_true(r.global);
    assert_int_equal(r.refs, 2); /* born accessed and dirty */
    assert_int_equal(walk(&g, true, 0x1020, 0x80000000, true, &r), KM_PF_WRITE);
    assert_int_equal(r.refs, 1); /* the PDPTE itself: none is in a register here */
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

        assert_int_equal(walk(&g, pae, km_pgtable_cr3(&pt), va, true, &r), MAPPED);
        assert_int_equal(r.page_pa + (va & ((1u << r.shift) - 1)), pa);
        assert_int_equal(km_pgtable_peek(&pt, w.base, va), pa >> 12);
        /* The first large page (fixed MTRRs) and the ragged end are in 4 KiB pages. */
        unsigned large = pae ? 21 : 22;
        bool small = pa < 1u << large || pa >= lowmem >> large << large;

        assert_int_equal(r.shift, small ? 12 : large);
    }
    assert_int_equal(g.locked, 0);
    assert_int_equal(walk(&g, pae, km_pgtable_cr3(&pt), 0xc0000000 + (km_vaddr)lowmem, false, &r),
                     0);
    /* One vmalloc page. */
    km_vaddr va = 0xf8123000;

    assert_int_equal(km_pgtable_peek(&pt, w.base, va), KM_PFN_NONE);
    assert_false(km_pgtable_unmap(&pt, &cpu, va));
    assert_true(km_pgtable_map(&pt, &cpu, va, 77));
    assert_int_equal(km_pgtable_peek(&pt, w.base, va), 77);
    assert_int_equal(walk(&g, pae, km_pgtable_cr3(&pt), va, true, &r), MAPPED);
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

/* ---- rights ------------------------------------------------------------------------------------
 */

struct right {
    uint64_t pde, pte; /* flags besides P */
    bool user, write, fetch, wp, nx;
    int want; /* error code or MAPPED */
};

#define RW KM_PTE_RW
#define US KM_PTE_US

/* Directory and page rights are combined; WP and CPL decide about read-only pages; NX about fetches
 * (SDM 4.6, 4.7). */
static void rights_and_error_codes(void **state)
{
    (void)state;
    static const struct right rights[] = {
        {RW | US, RW | US, true, true, false, true, true, MAPPED},
        {RW | US, RW, true, false, false, true, true, KM_PF_PRESENT | KM_PF_USER},
        {RW, RW | US, true, false, false, true, true, KM_PF_PRESENT | KM_PF_USER},
        {RW, RW | US, true, true, false, true, true, KM_PF_PRESENT | KM_PF_WRITE | KM_PF_USER},
        {RW, RW, false, true, false, true, true, MAPPED},
        {0, RW, false, true, false, true, true, KM_PF_PRESENT | KM_PF_WRITE},
        {RW, 0, false, true, false, true, true, KM_PF_PRESENT | KM_PF_WRITE},
        {RW, 0, false, true, false, false, true, MAPPED}, /* WP clear: the supervisor may */
        {RW | US, US, true, true, false, false, true, KM_PF_PRESENT | KM_PF_WRITE | KM_PF_USER},
        {RW, RW | KM_PTE_NX, false, false, false, true, true, MAPPED},
        {RW, RW | KM_PTE_NX, false, false, true, true, true, KM_PF_PRESENT | KM_PF_FETCH},
        {RW | KM_PTE_NX, RW, false, false, true, true, true, KM_PF_PRESENT | KM_PF_FETCH},
        {RW | US, RW | US | KM_PTE_NX, true, false, true, true, true,
         KM_PF_PRESENT | KM_PF_USER | KM_PF_FETCH},
        /* NXE clear: the bit is reserved, and I/D is not reported */
        {RW, RW | KM_PTE_NX, false, false, true, true, false, KM_PF_PRESENT | KM_PF_RESERVED},
        {RW | KM_PTE_NX, RW, false, true, false, true, false,
         KM_PF_PRESENT | KM_PF_WRITE | KM_PF_RESERVED},
        {RW, RW | 1ull << 36, false, false, false, true, true, KM_PF_PRESENT | KM_PF_RESERVED},
        {RW, RW | 1ull << 62, true, false, false, true, true,
         KM_PF_PRESENT | KM_PF_USER | KM_PF_RESERVED},
    };

    for (size_t i = 0; i < sizeof(rights) / sizeof(rights[0]); i++) {
        const struct right *t = &rights[i];
        struct guest g = {.ram = calloc(1, RAM)};
        struct km_walk_mode mode = {
            .pae = true, .nx = t->nx, .write_protect = t->wp, .cr3 = 0x1000};
        struct km_walk_result r;

        poke(&g, 0x1000, 0x2000 | KM_PTE_P, 8);
        poke(&g, 0x2000, 0x3000 | KM_PTE_P | t->pde, 8);
        poke(&g, 0x3000, 0x4000 | KM_PTE_P | t->pte, 8);
        bool ok = km_walk(&ops, &g, &mode, 0x123,
                          (struct km_walk_access){t->write, t->user, t->fetch}, &r);

        assert_int_equal(ok ? MAPPED : (int)r.error, t->want);
        /* A fault leaves the leaf as it was. */
        assert_int_equal(peek(&g, 0x3000, 8) & KM_PTE_A, ok ? KM_PTE_A : 0);
        free(g.ram);
    }
}

/* Not present: P clear, the rest of the code as for any other fault; 2-level tables never report
 *              I/D. */
static void not_present_codes(void **state)
{
    (void)state;
    struct guest g = {.ram = calloc(1, RAM)};
    struct km_walk_mode mode = {.cr3 = 0x1000, .nx = true, .write_protect = true};
    struct km_walk_result r;

    assert_false(km_walk(&ops, &g, &mode, 0, (struct km_walk_access){true, true, false}, &r));
    assert_int_equal(r.error, KM_PF_WRITE | KM_PF_USER);
    assert_false(km_walk(&ops, &g, &mode, 0, (struct km_walk_access){false, false, true}, &r));
    assert_int_equal(r.error, 0);
    mode.pae = true;
    assert_false(km_walk(&ops, &g, &mode, 0, (struct km_walk_access){false, false, true}, &r));
    assert_int_equal(r.error, KM_PF_FETCH);
    free(g.ram);
}

/* PSE-36: bits 16:13 of a 4 MiB entry are address bits 35:32; without it they are reserved. Bit 12
 * is the PAT bit, PCD and PWT are 4 and 3. */
static void pse36_and_pat_bits(void **state)
{
    (void)state;
    struct guest g = {.ram = calloc(1, RAM)};
    struct km_walk_mode mode = {.cr3 = 0x1000, .pse36 = true};
    struct km_walk_access read = {0};
    struct km_walk_result r;

    poke(&g, 0x1000, 0x400000 | 0xbu << 13 | 1u << 12 | KM_PTE_P | KM_PTE_PS | KM_PTE_PCD, 4);
    assert_true(km_walk(&ops, &g, &mode, 0x123456, read, &r));
    assert_int_equal(r.page_pa, 0xb00400000ull);
    assert_int_equal(r.pat_index, 4 + 2);
    mode.pse36 = false;
    assert_false(km_walk(&ops, &g, &mode, 0x123456, read, &r));
    assert_int_equal(r.error, KM_PF_PRESENT | KM_PF_RESERVED);
    mode.pse36 = true;
    poke(&g, 0x1000, 0x400000 | 1u << 17 | KM_PTE_P | KM_PTE_PS, 4);
    assert_false(km_walk(&ops, &g, &mode, 0, read, &r));
    poke(&g, 0x1000, 0x2000 | KM_PTE_P, 4);
    poke(&g, 0x2000, 0x5000 | KM_PTE_P | KM_PTE_PAT | KM_PTE_PWT, 4);
    assert_true(km_walk(&ops, &g, &mode, 0, read, &r));
    assert_int_equal(r.pat_index, 4 + 1);
    free(g.ram);
}

/* PDPTEs in registers are not read again, and a change in memory is not seen; a PDE cache saves the
 * reference to the directory until it is told to forget. */
static void cached_structures(void **state)
{
    (void)state;
    struct guest g = {.ram = calloc(1, RAM)};
    uint64_t pdpte[4] = {0x2000 | KM_PTE_P};
    struct km_pde_cache pdes = {.entries = 2};
    struct km_walk_mode mode = {.pae = true, .cr3 = 0x1000, .pdpte = pdpte, .pde_cache = &pdes};
    struct km_walk_access read = {0};
    struct km_walk_result r;

    for (unsigned i = 0; i < 3; i++) {
        poke(&g, 0x2000 + 8 * i, (0x3000 + 0x1000 * i) | KM_PTE_P | KM_PTE_RW, 8);
        poke(&g, 0x3000 + 0x1000 * i, (0x10000 + 0x1000 * i) | KM_PTE_P | KM_PTE_RW, 8);
    }
    assert_true(km_walk(&ops, &g, &mode, 0, read, &r));
    assert_int_equal(g.loads, 2);
    assert_true(km_walk(&ops, &g, &mode, 0, read, &r));
    assert_int_equal(g.loads, 3); /* the page's entry only */
    poke(&g, 0x2000, 0, 8);       /* nobody told the processor */
    assert_true(km_walk(&ops, &g, &mode, 0, read, &r));
    assert_true(km_walk(&ops, &g, &mode, 1u << 21, read, &r));
    assert_true(km_walk(&ops, &g, &mode, 2u << 21, read, &r)); /* the least recent, 0, goes */
    assert_false(km_walk(&ops, &g, &mode, 0, read, &r));
    assert_int_equal(pdes.hits, 2);
    g.loads = 0;
    assert_true(km_walk(&ops, &g, &mode, 1u << 21, read, &r));
    assert_int_equal(g.loads, 1);
    km_pde_cache_drop(&pdes, 1);
    assert_true(km_walk(&ops, &g, &mode, 1u << 21, read, &r));
    assert_int_equal(g.loads, 3);
    km_pde_cache_flush(&pdes);
    assert_true(km_walk(&ops, &g, &mode, 2u << 21, read, &r));
    assert_int_equal(g.loads, 5);
    pdpte[0] |= 1u << 5; /* reserved in a PDPTE */
    assert_false(km_walk(&ops, &g, &mode, 0, read, &r));
    assert_int_equal(r.error, KM_PF_PRESENT | KM_PF_RESERVED);
    free(g.ram);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_level_sets_a_and_d),   cmocka_unit_test(pae_three_levels),
        cmocka_unit_test(kernel_tables_both_modes), cmocka_unit_test(rights_and_error_codes),
        cmocka_unit_test(not_present_codes),        cmocka_unit_test(pse36_and_pat_bits),
        cmocka_unit_test(cached_structures),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
