/* SPDX-License-Identifier: MIT
 * test_frag.c - fragmentation indexes against values worked out by hand.
 */
#include "report_support.h"
#include "sim/report/frag.h"

static void empty_zone(void **state)
{
    const uint64_t none[KM_NR_ORDERS] = {0};

    (void)state;
    assert_int_equal(km_frag_free_pages(none), 0);
    for (unsigned o = 0; o < KM_NR_ORDERS; o++) {
        assert_int_equal(km_frag_extfrag_index(none, o), 0);
        assert_int_equal(km_frag_unusable_index(none, o), 1000);
    }
}

/* 10 single pages: F = 10, B = 10. Order 1: 1000 - (1000 + 5000)/10 = 400; order 3: 1000 - (1000 +
 * 1250)/10 = 775. */
static void only_single_pages(void **state)
{
    const uint64_t n[KM_NR_ORDERS] = {10};

    (void)state;
    assert_int_equal(km_frag_extfrag_index(n, 0), -1000);
    assert_int_equal(km_frag_extfrag_index(n, 1), 400);
    assert_int_equal(km_frag_extfrag_index(n, 3), 775);
    assert_int_equal(km_frag_unusable_index(n, 0), 0);
    assert_int_equal(km_frag_unusable_index(n, 1), 1000);
}

/* 3 pages, 2 pairs, one block of 8: F = 15, B = 6. Order 2: S = 2 blocks of 4, unusable
 * (15-8)*1000/15 = 466. Order 4: nothing fits: 1000 - (1000 + 15000/16 = 937)/6 = 1000 - 322 = 678.
 */
static void mixed_orders(void **state)
{
    const uint64_t n[KM_NR_ORDERS] = {3, 2, 0, 1};

    (void)state;
    assert_int_equal(km_frag_free_pages(n), 15);
    assert_int_equal(km_frag_unusable_index(n, 1), 200);
    assert_int_equal(km_frag_unusable_index(n, 2), 466);
    assert_int_equal(km_frag_extfrag_index(n, 3), -1000);
    assert_int_equal(km_frag_extfrag_index(n, 4), 678);
    assert_int_equal(km_frag_unusable_index(n, 4), 1000);
}

/* A 1 GiB machine's HighMem line of /proc/buddyinfo. */
static void real_line(void **state)
{
    const uint64_t n[KM_NR_ORDERS] = {32, 18, 8, 9, 11, 7, 6, 6, 5, 0, 31};

    (void)state;
    assert_int_equal(km_frag_free_pages(n), 34748);
    /* order 10: (34748 - 31*1024) * 1000 / 34748 */
    assert_int_equal(km_frag_unusable_index(n, 10), (34748 - 31 * 1024) * 1000 / 34748);
    assert_int_equal(km_frag_unusable_index(n, 9), km_frag_unusable_index(n, 10));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(empty_zone),
        cmocka_unit_test(only_single_pages),
        cmocka_unit_test(mixed_orders),
        cmocka_unit_test(real_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
