/* SPDX-License-Identifier: MIT
 * test_page_api.c - linear addresses, exact sizes, splitting and page references.
 */
#include "tests/unit/os/vmem_fixture.h"

#include "models/os/page_api.h"

static void addresses(void **state)
{
    (void)state;
    struct vmem *m = vmem_open();
    struct km_os *os = &m->g.os;
    struct km_cpu *cpu = &m->g.cpu[0];
    km_vaddr va = km_get_free_pages(os, cpu, KM_GFP_KERNEL | KM_GFP_HIGHMEM, 2);

    assert_true(va >= 0xc0000000u && km_va_to_pfn(os, va) < GUEST_LOW_PFN); /* never HighMem */
    assert_int_equal(km_page_address(os, km_va_to_pfn(os, va)), va);
    assert_int_equal(km_page_address(os, GUEST_LOW_PFN + 5), 0);
    memset(m->w.base + va, 0x77, 4 * 4096);
    assert_int_equal(km_free_pages_va(os, cpu, va, 2), KM_PAGE_OK);
    assert_int_equal(km_free_pages_va(os, cpu, va, 2), KM_PAGE_NOT_OURS); /* twice */
    assert_int_equal(km_free_pages_va(os, cpu, 0, 0), KM_PAGE_OK);
    assert_int_equal(km_free_pages_va(os, cpu, VMEM_START, 0), KM_PAGE_NOT_OURS);
    for (unsigned i = 0; i < 200; i++) {
        km_vaddr z = km_get_zeroed_page(os, cpu, KM_GFP_KERNEL);

        for (unsigned b = 0; b < 4096; b += 4)
            assert_int_equal(km_peek32(m->w.base, z + b), 0);
    }
    assert_int_equal(km_alloc_pages_node(os, cpu, 1, KM_GFP_KERNEL, 0), KM_PFN_NONE);
    assert_int_equal(km_get_free_pages(os, cpu, KM_GFP_KERNEL, 11), 0);
    guest_check(&m->g);
    vmem_close(m);
}

/* 20 KiB: order 3, pages 5..7 go back at once */
static void exact_sizes(void **state)
{
    (void)state;
    struct vmem *m = vmem_open();
    struct km_os *os = &m->g.os;
    struct km_cpu *cpu = &m->g.cpu[0];
    uint64_t before = vmem_free_pages(m);
    km_vaddr va = km_alloc_pages_exact(os, cpu, 20 * 1024, KM_GFP_KERNEL);
    km_pfn pfn = km_va_to_pfn(os, va);

    assert_int_equal(pfn % 8, 0);
    assert_int_equal(before - vmem_free_pages(m), 5);
    for (unsigned i = 0; i < 8; i++)
        assert_int_equal(km_page_count(os, m->w.base, pfn + i), i < 5);
    guest_check(&m->g);
    km_free_pages_exact(os, cpu, va, 20 * 1024);
    assert_int_equal(vmem_free_pages(m), before);
    assert_int_equal(km_alloc_pages_exact(os, cpu, 0, KM_GFP_KERNEL), 0);
    assert_int_equal(km_alloc_pages_exact(os, cpu, (4u << 20) + 1, KM_GFP_KERNEL), 0);
    guest_check(&m->g);
    vmem_close(m);
}

static void references_and_splitting(void **state)
{
    (void)state;
    struct vmem *m = vmem_open();
    struct km_os *os = &m->g.os;
    struct km_cpu *cpu = &m->g.cpu[0];
    uint64_t before = vmem_free_pages(m);
    km_pfn pfn = km_alloc_pages(os, cpu, KM_GFP_KERNEL, 2);

    /* Someone holds the first page while the owner frees the block: 1, 2 and 3 go, 0 stays. */
    km_get_page(os, cpu, pfn);
    assert_int_equal(km_put_pages(os, cpu, pfn, 2), KM_PAGE_HELD);
    assert_int_equal(before - vmem_free_pages(m), 1);
    assert_int_equal(km_put_page(os, cpu, pfn), KM_PAGE_OK);
    assert_int_equal(vmem_free_pages(m), before);
    assert_int_equal(km_put_page(os, cpu, pfn), KM_PAGE_NOT_OURS);

    pfn =
        km_alloc_pages(os, cpu, KM_GFP_KERNEL | KM_GFP_COMP, 2); /* a compound block stays whole */
    assert_false(km_split_page(os, cpu, pfn, 2));
    km_get_page(os, cpu, pfn);
    assert_int_equal(km_put_pages(os, cpu, pfn, 2), KM_PAGE_HELD);
    assert_int_equal(before - vmem_free_pages(m), 4);
    assert_int_equal(km_put_pages(os, cpu, pfn, 2), KM_PAGE_OK);

    pfn = km_alloc_pages(os, cpu, KM_GFP_KERNEL, 3);
    assert_true(km_split_page(os, cpu, pfn, 3));
    for (unsigned i = 0; i < 8; i++)
        assert_int_equal(km_put_page(os, cpu, pfn + (i * 3) % 8), KM_PAGE_OK);
    assert_int_equal(vmem_free_pages(m), before);
    assert_false(km_split_page(os, cpu, pfn, 0)); /* free */
    guest_check(&m->g);
    vmem_close(m);
}

/* Random sizes: after everything is returned the free page count is the start's and the lists are
 * sound. */
static void random_exact(void **state)
{
    (void)state;
    struct vmem *m = vmem_open();
    struct km_os *os = &m->g.os;
    struct km_prng p = {.state = 4};
    struct {
        km_vaddr va;
        uint32_t bytes;
    } live[64] = {0};
    uint64_t before = vmem_free_pages(m);

    for (unsigned step = 0; step < 3000; step++) {
        struct km_cpu *cpu = &m->g.cpu[km_prng_below(&p, 2)];
        unsigned i = km_prng_below(&p, 64);

        if (live[i].va) {
            assert_int_equal(km_peek32(m->w.base, live[i].va), i);
            km_free_pages_exact(os, cpu, live[i].va, live[i].bytes);
            live[i].va = 0;
        } else {
            live[i].bytes = 1 + km_prng_below(&p, 200 * 1024);
            live[i].va = km_alloc_pages_exact(os, cpu, live[i].bytes, KM_GFP_KERNEL);
            if (live[i].va)
                km_st32(cpu, live[i].va, i);
        }
        if (step % 100 == 0)
            guest_check(&m->g);
    }
    for (unsigned i = 0; i < 64; i++)
        if (live[i].va)
            km_free_pages_exact(os, &m->g.cpu[0], live[i].va, live[i].bytes);
    assert_int_equal(vmem_free_pages(m), before);
    guest_check(&m->g);
    vmem_close(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses),
        cmocka_unit_test(exact_sizes),
        cmocka_unit_test(references_and_splitting),
        cmocka_unit_test(random_exact),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
