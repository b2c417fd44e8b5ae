/* SPDX-License-Identifier: MIT
 * test_reclaim.c - what memory pressure changes in the allocator: lagging counters, short per-CPU lists, boosts
 * taken back, draining after direct reclaim, fragmentation indexes, when compaction is worth trying.
 */
#include "small_guest.h"

#include "models/base/bits.h"
#include "models/os/compaction.h"
#include "models/os/extfrag.h"
#include "models/os/kswapd.h"


static int setup(void **state)
{
    static struct small_guest guest;

    guest_boot(&guest);
    *state = &guest;
    return 0;
}

static int teardown(void **state)
{
    guest_close(*state);
    return 0;
}

static uint32_t seen(struct small_guest *g, unsigned z)
{
    return guest_zone_word(g, (enum km_zone_id)z, KM_ZONE_NR_FREE_PAGES);
}

static void set_all_limits(struct small_guest *g, uint32_t high, uint32_t batch)
{
    for (unsigned z = 0; z < KM_NR_ZONES; z++)
        for (unsigned c = 0; c < GUEST_CPUS; c++)
            if (km_zone_populated(&g->os.zone[z]))
                km_pcp_set_limits(&g->os, &g->cpu[c], (enum km_zone_id)z, c, high, batch);
}

/* Rule: each CPU notes its changes and passes them on once they exceed the threshold, all at once.
 * Two CPUs, a zone below 128 MiB: threshold 2 * 2 * (1 + 0) = 4. Single pages leave the zone:
 *
 *   taken by CPU 0     1  2  3  4  5  6        CPU 1 takes 3     CPU 0 goes idle
 *   noted             -1 -2 -3 -4  0 -1              -1 .. -3     0
 *   counter            0  0  0  0 -5 -5              -5          -6
 */
static void test_counters_lag(void **state)
{
    static const int want[] = {0, 0, 0, 0, -5, -5};
    struct small_guest *g = *state;
    uint32_t start = seen(g, KM_ZONE_NORMAL), pages = km_zone_free_pages(&g->os, g->window, KM_ZONE_NORMAL);

    km_zone_set_stat_thresholds(&g->os, &g->cpu[0], false);
    for (unsigned i = 0; i < KM_ARRAY_LEN(want); i++) {
        assert_int_not_equal(km_buddy_take(&g->os, &g->cpu[0], KM_ZONE_NORMAL, 0, KM_MT_MOVABLE, 0), KM_PFN_NONE);
        assert_int_equal((int)(seen(g, KM_ZONE_NORMAL) - start), want[i]);
    }
    for (unsigned i = 0; i < 3; i++)
        km_buddy_take(&g->os, &g->cpu[1], KM_ZONE_NORMAL, 0, KM_MT_MOVABLE, 0);
    assert_int_equal((int)(seen(g, KM_ZONE_NORMAL) - start), -5);
    assert_int_equal(km_zone_free_pages(&g->os, g->window, KM_ZONE_NORMAL), pages - 9);
    km_zone_fold_counters(&g->os, &g->cpu[0]);
    assert_int_equal((int)(seen(g, KM_ZONE_NORMAL) - start), -6);
    guest_check(g);
}

/* Rule: a refill is counted once, when all its pages are there; while kswapd is awake the threshold is
 * (low - min) / CPUs, so a whole refill of 31 stays unseen with marks 685 and 856 (threshold 85), but not with
 * the ordinary threshold of 4. A mark can then be kept that the free lists no longer keep.
 */
static void test_awake_kswapd_hides_refills(void **state)
{
    struct small_guest *g = *state;
    uint32_t start = seen(g, KM_ZONE_NORMAL);

    set_all_limits(g, 428, 31);
    km_zone_set_watermarks(&g->os, &g->cpu[0], KM_ZONE_NORMAL, 685, 856, 1027);
    km_kswapd_awake(&g->os, &g->cpu[0], true);
    km_pfn pfn = km_pcp_take(&g->os, &g->cpu[0], KM_ZONE_NORMAL, 0, KM_MT_MOVABLE, 0);

    assert_int_not_equal(pfn, KM_PFN_NONE);
    assert_int_equal(seen(g, KM_ZONE_NORMAL), start);
    assert_int_equal(km_zone_free_pages(&g->os, g->window, KM_ZONE_NORMAL), start - 31);
    km_kswapd_awake(&g->os, &g->cpu[0], false);
    km_buddy_take(&g->os, &g->cpu[0], KM_ZONE_NORMAL, 0, KM_MT_MOVABLE, 0); /* 32 noted: beyond 4 */
    assert_int_equal(seen(g, KM_ZONE_NORMAL), start - 32);
    guest_check(g);
}

/* Rule: while kswapd balances, a per-CPU list is flushed at min(4 * batch, high) = 4 * 7 = 28 pages instead of
 * high = 60. Frees of single pages, flushed when the count reaches the limit.
 */
static void test_short_lists_while_balancing(void **state)
{
    struct small_guest *g = *state;
    struct km_kswapd k = {.balancing = false};
    km_pfn page[40];

    for (unsigned i = 0; i < 40; i++)
        page[i] = km_buddy_take(&g->os, &g->cpu[0], KM_ZONE_NORMAL, 0, KM_MT_MOVABLE, 0);
    set_all_limits(g, 60, 7);
    for (unsigned i = 0; i < 27; i++)
        km_pcp_free(&g->os, &g->cpu[0], KM_ZONE_NORMAL, page[i], 0);
    km_kswapd_begin(&k, &g->os, &g->cpu[0]);
    assert_int_equal(km_pcp_count(&g->os, g->window, KM_ZONE_NORMAL, 0), 27);
    km_pcp_free(&g->os, &g->cpu[0], KM_ZONE_NORMAL, page[27], 0);
    assert_int_equal(km_pcp_count(&g->os, g->window, KM_ZONE_NORMAL, 0), 28 - 7);
    km_kswapd_end(&k, &g->os, &g->cpu[0]);
    for (unsigned i = 28; i < 40; i++)
        km_pcp_free(&g->os, &g->cpu[0], KM_ZONE_NORMAL, page[i], 0);
    assert_int_equal(km_pcp_count(&g->os, g->window, KM_ZONE_NORMAL, 0), 21 + 12); /* 60 again */
    guest_check(g);
}

/* Rule: kswapd takes back the boosts it found when it began; what was added since stays.
 *   boost 512, begin, boosted to 1024, end: 512 is left; a zone without boost is not touched
 */
static void test_boost_taken_back(void **state)
{
    struct small_guest *g = *state;
    struct km_kswapd k = {.balancing = false};

    guest_set_zone_word(g, KM_ZONE_NORMAL, KM_ZONE_BOOST, 512);
    assert_true(km_kswapd_boosted(&g->os, &g->cpu[0], KM_ZONE_NORMAL));
    assert_false(km_kswapd_boosted(&g->os, &g->cpu[0], KM_ZONE_DMA));
    km_kswapd_begin(&k, &g->os, &g->cpu[0]);
    guest_set_zone_word(g, KM_ZONE_NORMAL, KM_ZONE_BOOST, 1024);
    guest_set_zone_word(g, KM_ZONE_DMA, KM_ZONE_BOOST, 100);
    km_kswapd_end(&k, &g->os, &g->cpu[0]);
    assert_int_equal(guest_zone_word(g, KM_ZONE_NORMAL, KM_ZONE_BOOST), 512);
    assert_int_equal(guest_zone_word(g, KM_ZONE_DMA, KM_ZONE_BOOST), 100);
    km_kswapd_end(&k, &g->os, &g->cpu[0]); /* not balancing: nothing more */
    assert_int_equal(guest_zone_word(g, KM_ZONE_NORMAL, KM_ZONE_BOOST), 512);
}

/* Rule: one zone that keeps its HIGH mark is enough; the boost counts. */
static void test_balanced(void **state)
{
    struct small_guest *g = *state;
    uint32_t dma = seen(g, KM_ZONE_DMA), normal = seen(g, KM_ZONE_NORMAL);

    km_zone_set_watermarks(&g->os, &g->cpu[0], KM_ZONE_DMA, dma, dma, dma);
    km_zone_set_watermarks(&g->os, &g->cpu[0], KM_ZONE_NORMAL, 1, 2, normal - 1);
    assert_true(km_kswapd_balanced(&g->os, &g->cpu[0], 0, KM_ZONE_NORMAL));
    assert_false(km_kswapd_balanced(&g->os, &g->cpu[0], 0, KM_ZONE_DMA));
    assert_false(km_kswapd_balanced(&g->os, &g->cpu[0], 1, KM_ZONE_NORMAL)); /* one page less counts */
    guest_set_zone_word(g, KM_ZONE_NORMAL, KM_ZONE_BOOST, 1);
    assert_false(km_kswapd_balanced(&g->os, &g->cpu[0], 0, KM_ZONE_NORMAL));
}

/* Rule: draining gives back the lists of every CPU by one hand, CPU by CPU. CPU 1 holds 3 pages, CPU 0 holds 2. */
static void test_drain_all(void **state)
{
    struct small_guest *g = *state;
    km_pfn page[5], drained[8];

    for (unsigned i = 0; i < 5; i++)
        page[i] = km_buddy_take(&g->os, &g->cpu[0], KM_ZONE_NORMAL, 0, KM_MT_MOVABLE, 0);
    set_all_limits(g, 60, 7);
    for (unsigned i = 0; i < 5; i++)
        km_pcp_free(&g->os, &g->cpu[i < 3], KM_ZONE_NORMAL, page[i], 0);
    guest_forget_events(g);
    km_drain_all_pages(&g->os, &g->cpu[1]);
    assert_int_equal(guest_events(g, KM_TP_PCPU_DRAIN, drained, 8), 5);
    assert_int_equal(drained[0], page[3]); /* CPU 0 first, oldest first */
    assert_int_equal(drained[1], page[4]);
    assert_int_equal(drained[2], page[0]);
    assert_int_equal(drained[4], page[2]);
    guest_check(g);
}

/* By hand: blocks of order 0: 100, 1: 10, 3: 1; F = 100 + 20 + 8 = 128, B = 111.
 *   order 1  a block exists: -1.000; unusable 100 of 128 = 0.781
 *   order 3  -1.000; unusable 120 of 128 = 0.937
 *   order 4  index 1000 - (1000 + 128000/16)/111 = 1000 - 9000/111 = 1000 - 81 = 0.919; unusable 1.000
 * and a zone with one page: order 4 index 1000 - (1000 + 62)/1 = -62, which the kernel prints as 0 and -62.
 */
static void test_extfrag(void **state)
{
    uint64_t n[KM_NR_ORDERS] = {100, 10, 0, 1}, none[KM_NR_ORDERS] = {0};
    char line[KM_EXTFRAG_LINE];

    (void)state;
    assert_int_equal(km_extfrag_index(n, 1), -1000);
    assert_int_equal(km_extfrag_index(n, 4), 919);
    assert_int_equal(km_extfrag_index(none, 4), 0);
    assert_int_equal(km_extfrag_unusable(n, 0), 0);
    assert_int_equal(km_extfrag_unusable(n, 1), 781);
    assert_int_equal(km_extfrag_unusable(n, 3), 937);
    assert_int_equal(km_extfrag_unusable(none, 3), 1000);
    assert_int_equal(km_extfrag_for_order(n, 3), 93);
    assert_int_equal(km_extfrag_for_order(none, 3), 0);
    size_t length = km_extfrag_line(line, "Normal", n, true);

    assert_string_equal(line, "Node 0, zone   Normal  0.000  0.781  0.937  0.937  1.000  1.000  1.000  1.000  1.000  1.000 "
                              " 1.000 \n");
    assert_int_equal(length, strlen(line));
    assert_true(length < KM_EXTFRAG_LINE);
    km_extfrag_line(line, "DMA", n, false);
    assert_string_equal(line, "Node 0, zone      DMA -1.000 -1.000 -1.000 -1.000  0.919  0.955  0.973  0.982  0.987  0.989 "
                              " 0.990 \n");
    none[0] = 1;
    km_extfrag_line(line, "HighMem", none, false);
    assert_string_equal(line, "Node 0, zone  HighMem -1.000  0.-500  0.-250  0.-125  0.-62  0.-31  0.-15  0.-07  0.-03  0.-01 "
                              " 0.000 \n");
}

/* Rule: success if the request's mark is kept; else there must be room for targets, twice the block beyond the
 * order-0 mark; above order 3 the index must speak of fragmentation. Only order-0 blocks are left, every other
 * page of 256, so no order-1 request can be served. Marks: MIN m, LOW = MIN.
 */
static void test_suitable(void **state)
{
    struct small_guest *g = *state;
    const enum km_zone_id z = KM_ZONE_NORMAL;
    km_pfn page[256];
    unsigned n = 0;

    for (; n < 256; n++)
        page[n] = km_buddy_take(&g->os, &g->cpu[0], KM_ZONE_NORMAL, 0, KM_MT_MOVABLE, 0);
    while (km_buddy_take(&g->os, &g->cpu[0], KM_ZONE_NORMAL, 0, KM_MT_MOVABLE, 0) != KM_PFN_NONE)
        ;
    for (unsigned i = 0; i < n; i++)
        if (page[i] % 2)
            km_buddy_free(&g->os, &g->cpu[0], KM_ZONE_NORMAL, page[i], 0, KM_MT_MOVABLE, false);
    uint32_t left = seen(g, KM_ZONE_NORMAL);

    assert_true(left >= 127 && left <= 129);
    km_zone_set_watermarks(&g->os, &g->cpu[0], KM_ZONE_NORMAL, 10, 10, 10);
    assert_int_equal(km_compaction_suitable(&g->os, &g->cpu[0], z, 0, KM_WMARK_MIN, z, 0), KM_COMPACT_SUCCESS);
    assert_int_equal(km_compaction_suitable(&g->os, &g->cpu[0], z, 2, KM_WMARK_MIN, z, 0), KM_COMPACT_CONTINUE);
    /* order 2: MIN + 8 must be exceeded */
    km_zone_set_watermarks(&g->os, &g->cpu[0], KM_ZONE_NORMAL, left - 8, left - 8, left - 8);
    assert_int_equal(km_compaction_suitable(&g->os, &g->cpu[0], z, 2, KM_WMARK_MIN, z, 0), KM_COMPACT_SKIPPED);
    km_zone_set_watermarks(&g->os, &g->cpu[0], KM_ZONE_NORMAL, left - 9, left - 9, left - 9);
    assert_int_equal(km_compaction_suitable(&g->os, &g->cpu[0], z, 2, KM_WMARK_MIN, z, 0), KM_COMPACT_CONTINUE);
    /* order 4: index 1000 - (1000 + left*1000/16)/left = 930 or so: fragmentation */
    km_zone_set_watermarks(&g->os, &g->cpu[0], KM_ZONE_NORMAL, 10, 10, 10);
    assert_int_equal(km_compaction_suitable(&g->os, &g->cpu[0], z, 4, KM_WMARK_MIN, z, 0), KM_COMPACT_CONTINUE);
}

/* Rule: after the k-th failure of an order, 2^k - 1 attempts at it or above are skipped; smaller orders are not. */
static void test_deferral(void **state)
{
    struct km_compact_defer d;
    unsigned skipped = 0;

    (void)state;
    km_compact_defer_init(&d);
    assert_false(km_compact_deferred(&d, 9));
    km_compact_defer_failed(&d, 4);
    assert_false(km_compact_deferred(&d, 3));
    assert_true(km_compact_deferred(&d, 4));
    assert_false(km_compact_deferred(&d, 9));
    for (unsigned i = 0; i < 10; i++)
        km_compact_defer_failed(&d, 4);
    while (km_compact_deferred(&d, 5))
        skipped++;
    assert_int_equal(skipped, 63); /* the shift stays at 6 */
    km_compact_defer_success(&d, 5, true);
    assert_false(km_compact_deferred(&d, 5));
    km_compact_defer_failed(&d, 6);
    assert_true(km_compact_deferred(&d, 6));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_counters_lag, setup, teardown),
        cmocka_unit_test_setup_teardown(test_awake_kswapd_hides_refills, setup, teardown),
        cmocka_unit_test_setup_teardown(test_short_lists_while_balancing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_boost_taken_back, setup, teardown),
        cmocka_unit_test_setup_teardown(test_balanced, setup, teardown),
        cmocka_unit_test_setup_teardown(test_drain_all, setup, teardown),
        cmocka_unit_test(test_extfrag),
        cmocka_unit_test_setup_teardown(test_suitable, setup, teardown),
        cmocka_unit_test(test_deferral),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
