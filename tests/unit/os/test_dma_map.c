/* SPDX-License-Identifier: MIT
 * test_dma_map.c - masks, consistent memory, streaming mappings, bouncing, ownership, misuse.
 */
#include "tests/unit/os/dma_guest.h"

#define PA(pfn) ((km_paddr)(pfn) << KM_PAGE_SHIFT)

static km_pfn take(struct dma_guest *t, uint32_t gfp)
{
    km_pfn pfn = km_alloc_pages(t->os, t->cpu, gfp, 0);

    assert_int_not_equal(pfn, KM_PFN_NONE);
    return pfn;
}

static void masks(void **state)
{
    (void)state;
    struct dma_guest *t = dma_open(1 << 20, false);
    struct km_dma_device dev = {.name = "dev"};

    assert_false(km_dma_set_mask(&t->dma, &dev, KM_DMA_BITS(23)));
    assert_true(km_dma_set_mask(&t->dma, &dev, KM_DMA_BITS(24)));
    assert_true(km_dma_set_mask(&t->dma, &dev, KM_DMA_BITS(64)));
    dma_close(t);
}

/* The zone follows the mask: 24 bits from DMA, 25 by a second try, 32 from where it is best. */
static void consistent_memory(void **state)
{
    (void)state;
    struct dma_guest *t = dma_open(1 << 20, false);
    km_paddr a, b, c;

    assert_int_not_equal(km_dma_alloc_coherent(&t->dma, t->cpu, &t->isa, 5000, KM_GFP_KERNEL, &a), 0);
    assert_true(a + 5000 <= 1 << 24);
    assert_int_not_equal(km_dma_alloc_coherent(&t->dma, t->cpu, &t->pci25, 4096, KM_GFP_KERNEL, &b), 0);
    assert_true(b + 4096 <= 1 << 25);
    km_vaddr va = km_dma_alloc_coherent(&t->dma, t->cpu, &t->pci, 12288, KM_GFP_KERNEL | KM_GFP_HIGHMEM, &c);

    assert_int_equal(va, km_pfn_to_va(t->os, (km_pfn)(c >> KM_PAGE_SHIFT))); /* never HighMem */
    assert_true(c >= PA(0x1000));
    for (unsigned i = 0; i < 12288; i += 4)
        assert_int_equal(km_peek32(t->m->w.base, va + i), 0);
    dma_check(t);
    assert_int_equal(km_dma_free_coherent(&t->dma, t->cpu, &t->pci, 4096, c), KM_DMA_OTHER_SIZE);
    assert_int_equal(km_dma_free_coherent(&t->dma, t->cpu, &t->isa, 12288, c), KM_DMA_NOT_COHERENT);
    assert_int_equal(km_dma_free_coherent(&t->dma, t->cpu, &t->pci, 12288, c), KM_DMA_OK);
    assert_int_equal(km_dma_free_coherent(&t->dma, t->cpu, &t->pci, 12288, c), KM_DMA_NOT_COHERENT);
    km_dma_free_coherent(&t->dma, t->cpu, &t->pci25, 4096, b);
    km_dma_free_coherent(&t->dma, t->cpu, &t->isa, 5000, a);
    assert_int_equal(t->complaints, 3);
    assert_int_equal(km_dma_alloc_coherent(&t->dma, t->cpu, &t->pci, 8 << 20, KM_GFP_KERNEL, &a), 0);
    dma_close(t);
}

/* Last reachable byte: direct. One further: bounced, with the data. */
static void the_mask_decides(void **state)
{
    (void)state;
    struct dma_guest *t = dma_open(1 << 20, false);
    km_paddr edge = PA(0x1000) - 256, in, out;

    in = km_dma_map_page(&t->dma, t->cpu, &t->isa, 0xfff, 4096 - 256, 256, KM_DMA_TO_DEVICE);
    assert_int_equal(in, edge);
    dma_fill(t, edge, 257, 3);
    out = km_dma_map_page(&t->dma, t->cpu, &t->isa, 0xfff, 4096 - 256, 257, KM_DMA_TO_DEVICE);
    assert_true(km_swiotlb_owns(&t->tlb, out));
    assert_true(dma_filled(t, out, 257, 3));
    assert_int_equal(t->bounces, 1);
    dma_check(t);
    dma_fill(t, out, 257, 200); /* the device must not write it: nothing comes back */
    assert_int_equal(km_dma_unmap(&t->dma, t->cpu, &t->isa, out, 257, KM_DMA_TO_DEVICE), KM_DMA_OK);
    assert_true(dma_filled(t, edge, 257, 3));
    km_dma_unmap(&t->dma, t->cpu, &t->isa, in, 256, KM_DMA_TO_DEVICE);
    assert_int_equal(t->dma.stats.bounce_bytes, 257);
    dma_close(t);
}

/* From a device into HighMem: copied out through a temporary mapping. */
static void highmem_and_syncs(void **state)
{
    (void)state;
    struct dma_guest *t = dma_open(1 << 20, false);
    km_pfn pfn = take(t, KM_GFP_HIGHUSER_MOVABLE);
    const uint32_t bytes = 1500;

    assert_true(pfn >= GUEST_LOW_PFN);
    km_paddr a = km_dma_map_page(&t->dma, t->cpu, &t->pci25, pfn, 100, bytes, KM_DMA_FROM_DEVICE);

    dma_fill(t, a, bytes, 50);
    assert_int_equal(km_dma_sync_for_cpu(&t->dma, t->cpu, &t->pci25, a, 10, KM_DMA_FROM_DEVICE), KM_DMA_OK);
    assert_true(dma_filled(t, PA(pfn) + 100, 10, 50));
    assert_false(dma_filled(t, PA(pfn) + 100, 11, 50));
    km_dma_sync_for_device(&t->dma, t->cpu, &t->pci25, a, bytes, KM_DMA_FROM_DEVICE); /* moves nothing */
    assert_true(dma_filled(t, a, bytes, 50));
    assert_int_equal(km_dma_unmap(&t->dma, t->cpu, &t->pci25, a, bytes, KM_DMA_FROM_DEVICE), KM_DMA_OK);
    assert_true(dma_filled(t, PA(pfn) + 100, bytes, 50));
    km_free_pages(t->os, t->cpu, pfn, 0);
    assert_null(km_highmem_check(&t->high, t->m->w.base));
    dma_close(t);
}

static void scatter_lists(void **state)
{
    (void)state;
    struct dma_guest *t = dma_open(1 << 20, false);
    struct km_dma_segment sg[3] = {
        {take(t, KM_GFP_KERNEL | KM_GFP_DMA), 0, 4096, 0}, {take(t, KM_GFP_KERNEL), 512, 512, 0}, {take(t, KM_GFP_KERNEL), 0, 4096, 0}};

    assert_int_equal(km_dma_map_sg(&t->dma, t->cpu, &t->isa, sg, 3, KM_DMA_BIDIRECTIONAL), 3);
    assert_int_equal(t->bounces, 2);
    assert_int_equal(sg[0].addr, PA(sg[0].pfn));
    dma_check(t);
    km_dma_unmap_sg(&t->dma, t->cpu, &t->isa, sg, 3, KM_DMA_BIDIRECTIONAL);
    /* All or none: the third does not fit any more. */
    km_paddr full[4];

    for (unsigned i = 0; i < 4; i++)
        full[i] = km_dma_map_page(&t->dma, t->cpu, &t->isa, 0x2000, 0,
                                  KM_SWIOTLB_MAX_BYTES - (i ? 0 : KM_SWIOTLB_SLOT_BYTES), KM_DMA_TO_DEVICE);
    assert_int_equal(km_dma_map_sg(&t->dma, t->cpu, &t->isa, sg, 3, KM_DMA_TO_DEVICE), 0);
    assert_int_equal(t->dma.live, 4);
    dma_check(t);
    for (unsigned i = 0; i < 4; i++)
        km_dma_unmap(&t->dma, t->cpu, &t->isa, full[i],
                     KM_SWIOTLB_MAX_BYTES - (i ? 0 : KM_SWIOTLB_SLOT_BYTES), KM_DMA_TO_DEVICE);
    for (unsigned i = 0; i < 3; i++)
        km_free_pages(t->os, t->cpu, sg[i].pfn, 0);
    assert_int_equal(t->complaints, 0);
    dma_close(t);
}

/* Without a pool below the mask: older kernels bounce page by page for ISA devices, newer ones refuse. */
static void isa_pool_or_nothing(void **state)
{
    (void)state;
    struct dma_guest *t = dma_open(0, false);
    km_vaddr va = km_pfn_to_va(t->os, 0x2000);

    assert_int_equal(km_dma_map_single(&t->dma, t->cpu, &t->isa, va, 512, KM_DMA_TO_DEVICE), KM_DMA_MAPPING_ERROR);
    assert_int_equal(t->dma.stats.failed, 1);
    dma_close(t);
    t = dma_open(0, true);
    va = km_pfn_to_va(t->os, 0x2000);
    dma_fill(t, PA(0x2000) + 512, 512, 9);
    km_paddr a = km_dma_map_single(&t->dma, t->cpu, &t->isa, va + 512, 512, KM_DMA_BIDIRECTIONAL);

    assert_true(a + 512 <= 1 << 24);
    assert_int_equal(a % KM_PAGE_BYTES, 512);
    assert_true(dma_filled(t, a, 512, 9));
    dma_fill(t, a, 512, 77);
    assert_int_equal(km_dma_unmap(&t->dma, t->cpu, &t->isa, a, 512, KM_DMA_BIDIRECTIONAL), KM_DMA_OK);
    assert_true(dma_filled(t, PA(0x2000) + 512, 512, 77));
    /* A page stands in for a page: what reaches into the next one cannot be bounced. */
    a = km_dma_map_single(&t->dma, t->cpu, &t->isa, va + 512, 3584, KM_DMA_TO_DEVICE);
    assert_int_not_equal(a, KM_DMA_MAPPING_ERROR);
    assert_int_equal(km_dma_map_single(&t->dma, t->cpu, &t->isa, va + 512, 3585, KM_DMA_TO_DEVICE), KM_DMA_MAPPING_ERROR);
    km_dma_unmap(&t->dma, t->cpu, &t->isa, a, 3584, KM_DMA_TO_DEVICE);
    dma_close(t);
}

static void misuse(void **state)
{
    (void)state;
    struct dma_guest *t = dma_open(1 << 20, false);
    km_vaddr va = km_pfn_to_va(t->os, 0x2000);
    km_paddr a = km_dma_map_single(&t->dma, t->cpu, &t->pci, va, 512, KM_DMA_TO_DEVICE);

    assert_int_equal(km_dma_unmap(&t->dma, t->cpu, &t->pci, a, 511, KM_DMA_TO_DEVICE), KM_DMA_OTHER_SIZE);
    assert_int_equal(km_dma_unmap(&t->dma, t->cpu, &t->pci, a, 512, KM_DMA_FROM_DEVICE), KM_DMA_OTHER_DIR);
    assert_int_equal(km_dma_unmap(&t->dma, t->cpu, &t->pci, a + 4, 512, KM_DMA_TO_DEVICE), KM_DMA_NOT_MAPPED);
    assert_int_equal(km_dma_unmap(&t->dma, t->cpu, &t->isa, a, 512, KM_DMA_TO_DEVICE), KM_DMA_NOT_MAPPED);
    assert_int_equal(km_dma_sync_for_cpu(&t->dma, t->cpu, &t->pci, a + 500, 13, KM_DMA_TO_DEVICE), KM_DMA_OTHER_SIZE);
    assert_int_equal(km_dma_sync_for_cpu(&t->dma, t->cpu, &t->pci, a + 500, 12, KM_DMA_TO_DEVICE), KM_DMA_OK);
    assert_int_equal(km_dma_sync_for_device(&t->dma, t->cpu, &t->pci, a, 12, KM_DMA_FROM_DEVICE), KM_DMA_OTHER_DIR);
    assert_int_equal(t->complaints, 6);
    assert_int_equal(t->dma.live, 1);
    assert_int_equal(km_dma_unmap(&t->dma, t->cpu, &t->pci, a, 512, KM_DMA_TO_DEVICE), KM_DMA_OK);
    assert_int_equal(km_dma_unmap(&t->dma, t->cpu, &t->pci, a, 512, KM_DMA_TO_DEVICE), KM_DMA_NOT_MAPPED);
    assert_int_equal(km_dma_map_single(&t->dma, t->cpu, &t->pci, VMEM_START, 8, KM_DMA_TO_DEVICE), KM_DMA_MAPPING_ERROR);
    dma_close(t);
}

/* A device that is not snooped costs a CLFLUSH per line the buffer touches. */
static void lines_of_unsnooped_devices(void **state)
{
    (void)state;
    struct dma_guest *t = dma_open(1 << 20, false);
    km_vaddr va = km_pfn_to_va(t->os, 0x2000);

    t->pci.snooped = false;
    km_paddr a = km_dma_map_single(&t->dma, t->cpu, &t->pci, va + 60, 8, KM_DMA_TO_DEVICE);

    assert_int_equal(t->dma.stats.cache_lines, 2);
    km_dma_unmap(&t->dma, t->cpu, &t->pci, a, 8, KM_DMA_TO_DEVICE);
    assert_int_equal(t->dma.stats.cache_lines, 2);
    a = km_dma_map_single(&t->dma, t->cpu, &t->pci, va, 64, KM_DMA_FROM_DEVICE);
    km_dma_unmap(&t->dma, t->cpu, &t->pci, a, 64, KM_DMA_FROM_DEVICE);
    assert_int_equal(t->dma.stats.cache_lines, 4);
    dma_close(t);
}

static void random_mappings(void **state)
{
    (void)state;
    enum { LIVE = 100, OPS = 15000 };
    struct dma_guest *t = dma_open(1 << 20, false);
    km_paddr first = km_dma_map_page(&t->dma, t->cpu, &t->isa, GUEST_LOW_PFN, 0, 1, KM_DMA_TO_DEVICE);

    /* The first temporary mapping takes a page table for good. */
    km_dma_unmap(&t->dma, t->cpu, &t->isa, first, 1, KM_DMA_TO_DEVICE);
    uint64_t before = vmem_free_pages(t->m);
    const struct km_dma_device *dev[] = {&t->isa, &t->pci25, &t->pci};
    struct km_prng r = {.state = 5};
    struct {
        km_paddr a;
        km_pfn pfn;
        uint32_t offset, bytes;
        const struct km_dma_device *dev;
        enum km_dma_dir dir;
        uint8_t first;
    } live[LIVE] = {0};

    for (unsigned i = 0; i < OPS + LIVE; i++) {
        unsigned k = i < OPS ? km_prng_below(&r, LIVE) : i - OPS;

        if (live[k].a) { /* what the device left must be in the buffer, what it read must still be there */
            bool out = live[k].dir != KM_DMA_TO_DEVICE;

            if (out)
                dma_fill(t, live[k].a, live[k].bytes, live[k].first);
            assert_int_equal(km_dma_unmap(&t->dma, t->cpu, live[k].dev, live[k].a, live[k].bytes, live[k].dir), KM_DMA_OK);
            assert_true(dma_filled(t, PA(live[k].pfn) + live[k].offset, live[k].bytes, live[k].first));
            km_free_pages(t->os, t->cpu, live[k].pfn, 0);
            live[k].a = 0;
        } else if (i < OPS) {
            live[k].pfn = take(t, km_prng_below(&r, 2) ? KM_GFP_KERNEL : KM_GFP_HIGHUSER_MOVABLE);
            live[k].offset = km_prng_below(&r, 4096);
            live[k].bytes = 1 + km_prng_below(&r, 4096 - live[k].offset);
            live[k].dev = dev[km_prng_below(&r, 3)];
            live[k].dir = (enum km_dma_dir)km_prng_below(&r, 3);
            live[k].first = (uint8_t)km_prng_below(&r, 256);
            dma_fill(t, PA(live[k].pfn) + live[k].offset, live[k].bytes, live[k].first);
            live[k].a = km_dma_map_page(&t->dma, t->cpu, live[k].dev, live[k].pfn, live[k].offset, live[k].bytes, live[k].dir);
            assert_int_not_equal(live[k].a, KM_DMA_MAPPING_ERROR);
            if (live[k].dir != KM_DMA_FROM_DEVICE)
                assert_true(dma_filled(t, live[k].a, live[k].bytes, live[k].first));
        }
        dma_check(t);
    }
    assert_int_equal(vmem_free_pages(t->m), before);
    assert_int_equal(t->complaints, 0);
    dma_close(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(masks),
        cmocka_unit_test(consistent_memory),
        cmocka_unit_test(the_mask_decides),
        cmocka_unit_test(highmem_and_syncs),
        cmocka_unit_test(scatter_lists),
        cmocka_unit_test(isa_pool_or_nothing),
        cmocka_unit_test(misuse),
        cmocka_unit_test(lines_of_unsnooped_devices),
        cmocka_unit_test(random_mappings),
    };

    return cmocka_run_group_tests_name("os/dma_map", tests, NULL, NULL);
}
