/* SPDX-License-Identifier: MIT
 * test_dma_pool.c - blocks of consistent memory: sizes, boundaries, order of reuse, wrong frees.
 */
#include "tests/unit/os/dma_guest.h"

#include "models/os/dma_pool.h"

static void sound(const struct dma_guest *t, const struct km_dma_pool *p)
{
    const char *why = km_dma_pool_check(p, t->m->w.base);

    if (why)
        fail_msg("pool: %s", why);
}

/* 48 bytes aligned to 64: 64 a block; the last freed comes first. */
static void blocks(void **state)
{
    (void)state;
    struct dma_guest *t = dma_open(1 << 20, false);
    struct km_dma_pool p;
    km_paddr a[65];

    assert_false(km_dma_pool_create(&p, &t->dma, &t->pci, "p", 0, 0, 0));
    assert_false(km_dma_pool_create(&p, &t->dma, &t->pci, "p", 48, 24, 0));
    assert_false(km_dma_pool_create(&p, &t->dma, &t->pci, "p", 100, 0, 64));
    assert_true(km_dma_pool_create(&p, &t->dma, &t->isa, "p", 48, 64, 0));
    assert_int_equal(p.block_bytes, 64);
    for (unsigned i = 0; i < 65; i++) {
        km_vaddr va = km_dma_pool_alloc(&p, t->cpu, KM_GFP_KERNEL, &a[i]);

        assert_int_equal(va, km_pfn_to_va(t->os, (km_pfn)(a[i] >> KM_PAGE_SHIFT)) + (a[i] & 4095));
        assert_int_equal(a[i] % 64, 0);
        assert_true(a[i] < 1 << 24);
        sound(t, &p);
    }
    assert_int_equal(p.nr_pages, 2);
    assert_true(km_dma_pool_free(&p, t->cpu, a[3]));
    assert_true(km_dma_pool_free(&p, t->cpu, a[9]));
    assert_false(km_dma_pool_free(&p, t->cpu, a[9]));      /* twice */
    assert_false(km_dma_pool_free(&p, t->cpu, a[5] + 4));  /* inside a block */
    assert_false(km_dma_pool_free(&p, t->cpu, 0x1234000)); /* another's */
    assert_int_equal(p.bad_frees, 3);
    sound(t, &p);
    km_paddr again;

    km_dma_pool_alloc(&p, t->cpu, KM_GFP_KERNEL, &again);
    assert_int_equal(again, a[9]);
    assert_int_equal(km_dma_pool_destroy(&p, t->cpu), 64);
    dma_close(t);
}

/* 1536 bytes with a boundary of 2048: one per 2 KiB, none across. */
static void boundaries(void **state)
{
    (void)state;
    struct dma_guest *t = dma_open(1 << 20, false);
    struct km_dma_pool p, large;
    km_paddr a[6], b;

    assert_true(km_dma_pool_create(&p, &t->dma, &t->pci, "ring", 1536, 0, 2048));
    for (unsigned i = 0; i < 6; i++) {
        assert_int_not_equal(km_dma_pool_alloc(&p, t->cpu, KM_GFP_KERNEL, &a[i]), 0);
        assert_int_equal(a[i] / 2048, (a[i] + 1535) / 2048);
        sound(t, &p);
    }
    assert_int_equal(p.nr_pages, 3);
    assert_true(km_dma_pool_create(&large, &t->dma, &t->pci, "large", 6000, 0, 0));
    assert_int_not_equal(km_dma_pool_alloc(&large, t->cpu, KM_GFP_KERNEL, &b), 0);
    assert_int_equal(large.allocation, 6000);
    assert_int_equal(km_dma_pool_destroy(&large, t->cpu), 1);
    assert_int_equal(km_dma_pool_destroy(&p, t->cpu), 6);
    dma_close(t);
}

static void random_blocks(void **state)
{
    (void)state;
    enum { LIVE = 300, OPS = 30000 };
    struct dma_guest *t = dma_open(1 << 20, false);
    uint64_t before = vmem_free_pages(t->m);
    struct km_dma_pool p;
    struct km_prng r = {.state = 3};
    km_paddr live[LIVE] = {0};

    assert_true(km_dma_pool_create(&p, &t->dma, &t->pci, "td", 80, 16, 4096));
    for (unsigned i = 0; i < OPS; i++) {
        unsigned k = km_prng_below(&r, LIVE);

        if (live[k]) {
            assert_true(km_dma_pool_free(&p, t->cpu, live[k]));
            live[k] = 0;
        } else {
            assert_int_not_equal(km_dma_pool_alloc(&p, t->cpu, KM_GFP_ATOMIC, &live[k]), 0);
            for (unsigned j = 0; j < LIVE; j++)
                assert_true(j == k || !live[j] || live[j] + 80 <= live[k] || live[k] + 80 <= live[j]);
        }
        sound(t, &p);
    }
    for (unsigned k = 0; k < LIVE; k++)
        if (live[k])
            km_dma_pool_free(&p, t->cpu, live[k]);
    assert_int_equal(km_dma_pool_destroy(&p, t->cpu), 0);
    assert_int_equal(vmem_free_pages(t->m), before);
    dma_close(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks),
        cmocka_unit_test(boundaries),
        cmocka_unit_test(random_blocks),
    };

    return cmocka_run_group_tests_name("os/dma_pool", tests, NULL, NULL);
}
