/* SPDX-License-Identifier: MIT
 * test_page_watch.c - misuse of the page allocator is found, named with its call sites, and changes
 * nothing.
 */
#include "tests/unit/os/small_guest.h"

#include "models/os/page_api.h"
#include "models/os/page_watch.h"

static struct small_guest g;
static struct km_page_watch w;
static struct km_page_note notes[GUEST_MAX_PFN];
static struct km_page_misuse last;
static unsigned reports;

static void on_misuse(void *ctx, const struct km_cpu *cpu, const struct km_page_misuse *m)
{
    (void)ctx;
    (void)cpu;
    last = *m;
    reports++;
}

static int setup(void **state)
{
    (void)state;
    guest_boot(&g);
    memset(notes, 0, sizeof(notes));
    w = (struct km_page_watch){.os = &g.os, .note = notes, .report = on_misuse};
    w.call_site[0] = 0x1000;
    reports = 0;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    guest_check(&g);
    guest_close(&g);
    return 0;
}

static uint64_t free_pages(void)
{
    uint64_t sum = 0;

    for (unsigned z = 0; z < KM_NR_ZONES; z++)
        sum += guest_zone_word(&g, (enum km_zone_id)z, KM_ZONE_NR_FREE_PAGES);
    return sum;
}

/* The call was refused as `kind`, reported once, and no page moved. */
static void refused(enum km_page_misuse_kind kind, enum km_page_misuse_kind got,
                    uint64_t free_before)
{
    assert_int_equal(got, kind);
    assert_int_equal(reports, 1);
    assert_int_equal(last.kind, kind);
    assert_int_equal(w.misuse[kind], 1);
    assert_int_equal(free_pages(), free_before);
    assert_true(km_page_misuse_name(kind)[0]);
    guest_check(&g);
    reports = 0;
    w.misuse[kind] = 0;
}

static void double_free(void **state)
{
    (void)state;
    struct km_cpu *cpu = &g.cpu[0];
    km_pfn pfn = km_page_watch_alloc(&w, cpu, KM_GFP_KERNEL, 0);

    w.call_site[0] = 0x2000;
    assert_int_equal(km_page_watch_free(&w, cpu, pfn, 0), KM_PAGE_FINE);
    w.call_site[0] = 0x3000;
    uint64_t before = free_pages();

    refused(KM_PAGE_FREE_TWICE, km_page_watch_free(&w, cpu, pfn, 0), before);
    assert_int_equal(last.pfn, pfn);
    assert_int_equal(last.alloc_site, 0x1000);
    assert_int_equal(last.free_site, 0x2000);
    assert_int_equal(last.call_site, 0x3000);
    refused(KM_PAGE_FREE_TWICE, km_page_watch_put(&w, cpu, pfn), before);
    refused(KM_PAGE_FREE_TWICE, km_page_watch_free_va(&w, cpu, km_pfn_to_va(&g.os, pfn), 0),
            before);

    /* while it lies on a per-CPU list: neither free in the buddy lists nor anybody's */
    km_pcp_set_limits(&g.os, cpu, KM_ZONE_NORMAL, 0, 100, 10);
    for (unsigned order = 0; order <= g.os.p.personality->pcp_max_order; order++) {
        pfn = km_page_watch_alloc(&w, cpu, KM_GFP_KERNEL, order);
        assert_int_equal(km_page_watch_free(&w, cpu, pfn, order), KM_PAGE_FINE);
        assert_int_equal(km_pcp_listed_order(&g.os, g.window, KM_ZONE_NORMAL, 0, pfn), order);
        before = free_pages();
        refused(KM_PAGE_FREE_TWICE, km_page_watch_free(&w, cpu, pfn, order), before);
        refused(KM_PAGE_FREE_TWICE, km_page_watch_free(&w, cpu, pfn + (1u << order) - 1, 0),
                before);
    }
}

static void not_owned(void **state)
{
    (void)state;
    struct km_cpu *cpu = &g.cpu[0];
    uint64_t before = free_pages();

    refused(KM_PAGE_RESERVED, km_page_watch_free(&w, cpu, GUEST_BSS_PFN, 0), before);
    refused(KM_PAGE_RESERVED, km_page_watch_free(&w, cpu, GUEST_MEMMAP_PFN + 3, 0), before);
    refused(KM_PAGE_NO_SUCH_FRAME, km_page_watch_free(&w, cpu, GUEST_MAX_PFN, 0), before);
    refused(KM_PAGE_NO_SUCH_FRAME, km_page_watch_free(&w, cpu, KM_PFN_NONE, 0), before);
    refused(KM_PAGE_NO_SUCH_FRAME, km_page_watch_put(&w, cpu, GUEST_MAX_PFN + 9), before);
    refused(KM_PAGE_NO_SUCH_FRAME, km_page_watch_free_va(&w, cpu, 0x1000, 0), before);
    refused(KM_PAGE_NO_SUCH_FRAME, km_page_watch_free(&w, cpu, GUEST_FREE_PFN, 11), before);
    assert_int_equal(km_page_watch_free_va(&w, cpu, 0, 0), KM_PAGE_FINE); /* like kfree(NULL) */
    assert_int_equal(reports, 0);

    km_pfn slab = km_page_watch_alloc(&w, cpu, KM_GFP_KERNEL, 0);
    km_vaddr flags = km_page_va(&g.os, slab) + KM_PAGE_FLAGS;

    km_st32(cpu, flags, km_ld32(cpu, flags) | KM_PG_SLAB);
    refused(KM_PAGE_OF_SLAB, km_page_watch_free(&w, cpu, slab, 0), free_pages());
}

static void parts_of_blocks(void **state)
{
    (void)state;
    struct km_cpu *cpu = &g.cpu[0];
    km_pfn plain = km_page_watch_alloc(&w, cpu, KM_GFP_KERNEL, 3);
    km_pfn compound = km_page_watch_alloc(&w, cpu, KM_GFP_KERNEL | KM_GFP_COMP, 4);
    uint64_t before = free_pages();

    assert_int_equal(km_compound_head(&g.os, g.window, compound + 7), compound);
    assert_int_equal(km_compound_order(&g.os, g.window, compound), 4);
    refused(KM_PAGE_INTERIOR, km_page_watch_free(&w, cpu, plain + 2, 0), before);
    refused(KM_PAGE_INTERIOR, km_page_watch_free(&w, cpu, compound + 2, 0), before);
    refused(KM_PAGE_WRONG_ORDER, km_page_watch_free(&w, cpu, plain, 2), before);
    refused(KM_PAGE_WRONG_ORDER, km_page_watch_free(&w, cpu, compound, 3), before);
    refused(KM_PAGE_WRONG_ORDER, km_page_watch_split(&w, cpu, compound, 4), before);

    /* put_page of a tail is put_page of the block; the last one frees all of it */
    km_get_page(&g.os, cpu, compound);
    assert_int_equal(km_page_watch_put(&w, cpu, compound + 5), KM_PAGE_FINE);
    assert_int_equal(km_page_count(&g.os, g.window, compound), 1);
    assert_int_equal(km_page_watch_put(&w, cpu, compound + 5), KM_PAGE_FINE);
    assert_int_equal(free_pages(), before + 16);
    refused(KM_PAGE_FREE_TWICE, km_page_watch_put(&w, cpu, compound), before + 16);

    /* after a split every page is its own block */
    assert_int_equal(km_page_watch_split(&w, cpu, plain, 3), KM_PAGE_FINE);
    refused(KM_PAGE_WRONG_ORDER, km_page_watch_free(&w, cpu, plain, 3), before + 16);
    for (unsigned i = 0; i < 8; i++)
        assert_int_equal(km_page_watch_free(&w, cpu, plain + i, 0), KM_PAGE_FINE);
    assert_int_equal(free_pages(), before + 24);
}

/* __free_pages of a block whose first page somebody else holds: the others go (no compound block).
 */
static void held_block(void **state)
{
    (void)state;
    struct km_cpu *cpu = &g.cpu[0];
    km_pfn pfn = km_page_watch_alloc(&w, cpu, KM_GFP_KERNEL, 3);
    uint64_t before = free_pages();

    km_get_page(&g.os, cpu, pfn);
    assert_int_equal(km_page_watch_free(&w, cpu, pfn, 3), KM_PAGE_FINE);
    assert_int_equal(free_pages(), before + 7);
    refused(KM_PAGE_FREE_TWICE, km_page_watch_free(&w, cpu, pfn + 4, 2), before + 7);
    refused(KM_PAGE_WRONG_ORDER, km_page_watch_free(&w, cpu, pfn, 3), before + 7);
    assert_int_equal(km_page_watch_put(&w, cpu, pfn), KM_PAGE_FINE);
    assert_int_equal(free_pages(), before + 8);
}

static void bad_requests(void **state)
{
    (void)state;
    struct km_cpu *cpu = &g.cpu[0];
    uint64_t before = free_pages();

    assert_int_equal(km_page_watch_alloc(&w, cpu, KM_GFP_KERNEL, 11), KM_PFN_NONE);
    refused(KM_PAGE_ORDER_TOO_BIG, last.kind, before);
    assert_int_equal(last.order, 11);
    assert_int_equal(km_page_watch_alloc(&w, cpu, KM_GFP_KERNEL | KM_GFP_NOWARN, 11), KM_PFN_NONE);
    assert_int_equal(reports, 0); /* asked not to be told */

    /* may sleep with a spinlock held: told, and served without sleeping */
    km_page_watch_enter_atomic(&w, cpu);
    guest_forget_events(&g);
    km_pfn pfn = km_page_watch_alloc(&w, cpu, KM_GFP_KERNEL, 0);

    assert_int_not_equal(pfn, KM_PFN_NONE);
    refused(KM_PAGE_ATOMIC_SLEEP, last.kind, before - 1);
    assert_int_equal(last.gfp, KM_GFP_KERNEL);
    assert_int_equal(g.tp[g.nr_tp - 1].gfp, KM_GFP_KERNEL & ~(uint32_t)KM_GFP_DIRECT_RECLAIM);
    assert_int_not_equal(km_page_watch_alloc(&w, cpu, KM_GFP_ATOMIC, 0), KM_PFN_NONE);
    assert_int_equal(reports, 0);
    km_page_watch_leave_atomic(&w, cpu);
    km_page_watch_leave_atomic(&w, cpu); /* one too many does not wrap */
    assert_int_not_equal(km_page_watch_alloc(&w, cpu, KM_GFP_KERNEL, 0), KM_PFN_NONE);
    assert_int_equal(reports, 0);

    /* flags that exclude each other: DMA and MOVABLE win */
    before = free_pages();
    pfn = km_page_watch_alloc(&w, cpu, KM_GFP_KERNEL | KM_GFP_DMA | KM_GFP_HIGHMEM, 0);
    refused(KM_PAGE_BAD_GFP, last.kind, before - 1);
    assert_int_equal(km_pfn_zone(&g.os, pfn), KM_ZONE_DMA);
    guest_forget_events(&g);
    km_page_watch_alloc(&w, cpu, KM_GFP_KERNEL | KM_GFP_MOVABLE | KM_GFP_RECLAIMABLE, 0);
    refused(KM_PAGE_BAD_GFP, last.kind, before - 2);
    assert_int_equal(g.tp[g.nr_tp - 1].migratetype, KM_MT_MOVABLE);

    assert_true(km_page_watch_get_free(&w, cpu, KM_GFP_KERNEL | KM_GFP_HIGHMEM, 0) >= 0xc0000000u);
    while (km_page_watch_alloc(&w, cpu, KM_GFP_DMA | KM_GFP_NOWARN, 10) != KM_PFN_NONE)
        ;
    assert_int_equal(reports, 0);
    assert_int_equal(km_page_watch_alloc(&w, cpu, KM_GFP_DMA, 10), KM_PFN_NONE);
    refused(KM_PAGE_ALLOC_FAILED, last.kind, free_pages());
}

/* Without notes the state of the pages alone must do. */
static void without_memory(void **state)
{
    (void)state;
    struct km_cpu *cpu = &g.cpu[0];

    w.note = NULL;
    w.report = NULL;
    km_pfn pfn = km_page_watch_alloc(&w, cpu, KM_GFP_KERNEL, 2);

    assert_int_equal(km_page_watch_free(&w, cpu, pfn + 1, 0), KM_PAGE_INTERIOR);
    assert_int_equal(km_page_watch_free(&w, cpu, pfn, 2), KM_PAGE_FINE);
    assert_int_equal(km_page_watch_free(&w, cpu, pfn, 2), KM_PAGE_FREE_TWICE);
    assert_int_equal(w.misuse[KM_PAGE_INTERIOR] + w.misuse[KM_PAGE_FREE_TWICE], 2);
}

/* A driver that errs at random never harms the allocator: everything comes back. */
static void random_misuse(void **state)
{
    (void)state;
    struct km_cpu *cpu = &g.cpu[0];
    struct km_prng prng = {.state = 7};
    struct {
        km_pfn pfn;
        unsigned order;
    } live[64];
    unsigned nr = 0;
    uint64_t before = free_pages();

    w.report = NULL;
    for (unsigned i = 0; i < 20000; i++) {
        unsigned what = (unsigned)(km_prng_next(&prng) % 4);

        if (what == 0 && nr < KM_ARRAY_LEN(live)) {
            unsigned order = (unsigned)(km_prng_next(&prng) % 6);
            uint32_t comp = km_prng_next(&prng) & 1 ? KM_GFP_COMP : 0;
            km_pfn pfn = km_page_watch_alloc(&w, cpu, KM_GFP_KERNEL | comp, order);

            if (pfn != KM_PFN_NONE) {
                live[nr].pfn = pfn;
                live[nr++].order = order;
            }
        } else if (what == 1 && nr) {
            unsigned k = (unsigned)(km_prng_next(&prng) % nr);

            assert_int_equal(km_page_watch_free(&w, cpu, live[k].pfn, live[k].order), KM_PAGE_FINE);
            assert_int_not_equal(km_page_watch_free(&w, cpu, live[k].pfn, live[k].order),
                                 KM_PAGE_FINE);
            live[k] = live[--nr];
        } else {
            km_pfn pfn = (km_pfn)(km_prng_next(&prng) % (GUEST_MAX_PFN + 64));
            bool owner = false;

            for (unsigned k = 0; k < nr; k++)
                owner |= live[k].pfn == pfn;
            if (!owner)
                assert_int_not_equal(km_page_watch_free(&w, cpu, pfn, 0), KM_PAGE_FINE);
        }
    }
    while (nr--)
        assert_int_equal(km_page_watch_free(&w, cpu, live[nr].pfn, live[nr].order), KM_PAGE_FINE);
    guest_drain_all(&g);
    assert_int_equal(free_pages(), before);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(double_free),  TEST(not_owned),      TEST(parts_of_blocks), TEST(held_block),
        TEST(bad_requests), TEST(without_memory), TEST(random_misuse),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
