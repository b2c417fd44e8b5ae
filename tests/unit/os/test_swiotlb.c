/* SPDX-License-Identifier: MIT
 * test_swiotlb.c - slots, segments and copies of the bounce pool.
 */
#include "tests/unit/os/dma_guest.h"

#define ORIG ((km_paddr)0x2800 << KM_PAGE_SHIFT)

static km_paddr slot_pa(const struct dma_guest *t, unsigned slot)
{
    return km_swiotlb_start(&t->tlb) + slot * KM_SWIOTLB_SLOT_BYTES;
}

static void sound(const struct dma_guest *t)
{
    const char *why = km_swiotlb_check(&t->tlb, t->m->w.base);

    if (why)
        fail_msg("swiotlb: %s", why);
}

static km_paddr map(struct dma_guest *t, uint32_t bytes)
{
    km_paddr pa = km_swiotlb_map(&t->tlb, t->cpu, ORIG, bytes, false);

    sound(t);
    return pa;
}

static void unmap(struct dma_guest *t, km_paddr pa, uint32_t bytes)
{
    assert_true(km_swiotlb_unmap(&t->tlb, t->cpu, pa, bytes, false));
    sound(t);
}

/* One byte to a slot: one; one byte more: two; a page and more: on a page; 256 KiB: a segment; more: never. */
static void slots_of_a_mapping(void **state)
{
    (void)state;
    struct dma_guest *t = dma_open(1 << 20, false);

    assert_int_equal(t->tlb.nr_slots, 512);
    assert_int_equal(map(t, 1), slot_pa(t, 0));
    assert_int_equal(map(t, 2048), slot_pa(t, 1));
    assert_int_equal(map(t, 2049), slot_pa(t, 2));
    assert_int_equal(map(t, 1), slot_pa(t, 4));
    assert_int_equal(map(t, 4096), slot_pa(t, 6)); /* slot 5 is no beginning of a page */
    assert_int_equal(t->tlb.stats.used, 7);
    km_paddr whole = map(t, KM_SWIOTLB_MAX_BYTES);

    assert_int_equal(whole, slot_pa(t, 128));
    assert_int_equal(map(t, KM_SWIOTLB_MAX_BYTES + 1), KM_SWIOTLB_NONE);
    assert_int_equal(t->tlb.stats.too_large, 1);
    assert_int_equal(map(t, 0), KM_SWIOTLB_NONE);
    unmap(t, whole, KM_SWIOTLB_MAX_BYTES);
    unmap(t, slot_pa(t, 0), 1);
    unmap(t, slot_pa(t, 1), 2048);
    unmap(t, slot_pa(t, 2), 2049);
    unmap(t, slot_pa(t, 4), 1);
    unmap(t, slot_pa(t, 6), 4096);
    assert_int_equal(t->tlb.stats.used, 0);
    dma_close(t);
}

/* The search goes on where the last mapping ended; a mapping stays in its segment; the pool can be full. */
static void search_order_and_exhaustion(void **state)
{
    (void)state;
    struct dma_guest *t = dma_open(1 << 20, false);
    const uint32_t most = 100 * KM_SWIOTLB_SLOT_BYTES;
    km_paddr pa[4];

    for (unsigned i = 0; i < 4; i++) {
        pa[i] = map(t, most);
        assert_int_equal(pa[i], slot_pa(t, 128 * i));
    }
    assert_int_equal(map(t, most), KM_SWIOTLB_NONE);
    assert_int_equal(t->tlb.stats.failed, 1);
    km_paddr rest = map(t, 28 * KM_SWIOTLB_SLOT_BYTES); /* exactly what a segment has left */

    assert_int_equal(rest, slot_pa(t, 484));
    assert_int_equal(map(t, 29 * KM_SWIOTLB_SLOT_BYTES), KM_SWIOTLB_NONE);
    unmap(t, pa[0], most);
    unmap(t, pa[1], most);
    assert_int_equal(map(t, most), pa[0]); /* wrapped around */
    assert_int_equal(map(t, most), pa[1]);
    unmap(t, rest, 28 * KM_SWIOTLB_SLOT_BYTES);
    for (unsigned i = 0; i < 4; i++)
        unmap(t, pa[i], most);
    dma_close(t);
}

static void copies_and_wrong_addresses(void **state)
{
    (void)state;
    struct dma_guest *t = dma_open(1 << 20, false);

    dma_fill(t, ORIG + 3, 5000, 7);
    km_paddr pa = km_swiotlb_map(&t->tlb, t->cpu, ORIG + 3, 5000, true);

    assert_true(dma_filled(t, pa, 5000, 7));
    dma_fill(t, pa, 5000, 99);
    assert_true(km_swiotlb_sync(&t->tlb, t->cpu, pa + 2100, 10, false)); /* ten bytes in the second slot */
    assert_true(dma_filled(t, ORIG + 3 + 2100, 10, (uint8_t)(99 + 2100)));
    assert_true(dma_filled(t, ORIG + 3, 2100, 7));
    assert_true(dma_filled(t, ORIG + 3 + 2110, 2890, (uint8_t)(7 + 2110)));
    assert_false(km_swiotlb_unmap(&t->tlb, t->cpu, pa + 2048, 100, true)); /* no mapping begins there */
    assert_false(km_swiotlb_unmap(&t->tlb, t->cpu, ORIG, 5000, true));
    assert_false(km_swiotlb_sync(&t->tlb, t->cpu, slot_pa(t, 300), 1, true));
    assert_true(km_swiotlb_unmap(&t->tlb, t->cpu, pa, 5000, true));
    assert_true(dma_filled(t, ORIG + 3, 5000, 99));
    assert_false(km_swiotlb_unmap(&t->tlb, t->cpu, pa, 5000, true)); /* twice */
    assert_int_equal(t->tlb.stats.bytes_in, 5000);
    assert_int_equal(t->tlb.stats.bytes_out, 5010);
    dma_close(t);
}

static void random_mappings(void **state)
{
    (void)state;
    enum { LIVE = 64, OPS = 20000 };
    struct dma_guest *t = dma_open(1 << 20, false);
    struct km_prng r = {.state = 11};
    struct {
        km_paddr pa;
        uint32_t bytes;
    } live[LIVE] = {0};

    for (unsigned i = 0; i < OPS; i++) {
        unsigned k = km_prng_below(&r, LIVE);

        if (live[k].pa) {
            assert_true(km_swiotlb_unmap(&t->tlb, t->cpu, live[k].pa, live[k].bytes, false));
            live[k].pa = 0;
        } else {
            live[k].bytes = 1 + km_prng_below(&r, km_prng_below(&r, 8) ? 9000 : KM_SWIOTLB_MAX_BYTES);
            live[k].pa = km_swiotlb_map(&t->tlb, t->cpu, ORIG, live[k].bytes, false);
            if (live[k].pa == KM_SWIOTLB_NONE)
                live[k].pa = 0;
            for (unsigned j = 0; live[k].pa && j < LIVE; j++)
                if (j != k && live[j].pa)
                    assert_true(live[j].pa + live[j].bytes <= live[k].pa ||
                                live[k].pa + live[k].bytes <= live[j].pa);
        }
        sound(t);
    }
    for (unsigned k = 0; k < LIVE; k++)
        if (live[k].pa)
            unmap(t, live[k].pa, live[k].bytes);
    assert_int_equal(t->tlb.stats.used, 0);
    assert_int_equal(km_peek32(t->m->w.base, t->tlb.slots_va + KM_SLOT_LIST), 128);
    dma_close(t);
}

/* Late setup takes what it gets, but not less than 1 MiB. */
static void smaller_pools(void **state)
{
    (void)state;
    struct dma_guest *t = dma_open(64 << 20, false);

    assert_int_equal(t->tlb.nr_slots * KM_SWIOTLB_SLOT_BYTES, 4 << 20); /* the largest block there is */
    km_swiotlb_exit(&t->tlb, t->cpu);
    while (km_alloc_pages(t->os, t->cpu, KM_GFP_DMA | KM_GFP_KERNEL | KM_GFP_NORETRY | KM_GFP_NOWARN, 8) != KM_PFN_NONE)
        ;
    uint64_t before = vmem_free_pages(t->m);

    assert_false(km_swiotlb_init(&t->tlb, t->os, t->cpu, 4 << 20, KM_GFP_KERNEL | KM_GFP_DMA | KM_GFP_NORETRY,
                                 km_dma_copier(&t->dma)));
    assert_int_equal(vmem_free_pages(t->m), before);
    t->dma.p.swiotlb = NULL;
    dma_close(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slots_of_a_mapping),         cmocka_unit_test(search_order_and_exhaustion),
        cmocka_unit_test(copies_and_wrong_addresses), cmocka_unit_test(random_mappings),
        cmocka_unit_test(smaller_pools),
    };

    return cmocka_run_group_tests_name("os/swiotlb", tests, NULL, NULL);
}
