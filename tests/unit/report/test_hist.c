/* SPDX-License-Identifier: MIT
 * test_hist.c - the latency histogram: bucket bounds and the accuracy of percentiles.
 */
#include "report_support.h"
#include "sim/report/hist.h"

static int by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

/* Every value lies inside its bucket, buckets follow each other without gap, widths stay below
 * 1/128. */
static void buckets_cover_everything(void **state)
{
    (void)state;
    for (unsigned i = 0; i + 1 < KM_HIST_BUCKETS; i++) {
        assert_true(km_hist_low(i) <= km_hist_high(i));
        assert_true(km_hist_high(i) + 1 == km_hist_low(i + 1));
        assert_int_equal(km_hist_index(km_hist_low(i)), i);
        assert_int_equal(km_hist_index(km_hist_high(i)), i);
        assert_true((km_hist_high(i) - km_hist_low(i)) <= km_hist_low(i) / 128);
    }
    assert_int_equal(km_hist_index(UINT64_MAX), KM_HIST_BUCKETS - 1);
}

static void small_values_are_exact(void **state)
{
    struct km_hist *h = calloc(1, sizeof(*h));

    (void)state;
    for (uint64_t v = 1; v <= 100; v++)
        km_hist_add(h, v);
    assert_int_equal(km_hist_percentile(h, 0.50), 50);
    assert_int_equal(km_hist_percentile(h, 0.90), 90);
    assert_int_equal(km_hist_percentile(h, 0.99), 99);
    assert_int_equal(km_hist_percentile(h, 0.999), 100);
    assert_int_equal(h->max, 100);
    assert_true(km_hist_mean(h) == 50.5);
    free(h);
}

static void check_against_sorted(uint64_t *value, size_t n)
{
    static const double shares[] = {0.5, 0.9, 0.99, 0.999, 1.0};
    struct km_hist *h = calloc(1, sizeof(*h));

    for (size_t i = 0; i < n; i++)
        km_hist_add(h, value[i]);
    qsort(value, n, sizeof(*value), by_value);
    for (size_t i = 0; i < KM_ARRAY_LEN(shares); i++) {
        size_t rank = (size_t)(shares[i] * (double)n + 0.999999);
        double exact = (double)value[(rank ? rank : 1) - 1];
        double got = (double)km_hist_percentile(h, shares[i]);

        if (got < exact * 0.99 || got > exact * 1.01)
            fail_msg("share %g: %g instead of %g", shares[i], got, exact);
    }
    assert_int_equal(h->max, value[n - 1]);
    free(h);
}

/* Bimodal with a long tail, like a fast path, a refill and a slow path. */
static void percentiles_within_one_percent(void **state)
{
    enum { N = 100000 };
    uint64_t *value = malloc(N * sizeof(*value)), x = 88172645463325252u;

    (void)state;
    for (size_t i = 0; i < N; i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        value[i] = x % 100 < 85   ? 90 + x % 40
                   : x % 100 < 98 ? 3000 + x % 9000
                                  : 40000 + x % 5000000;
    }
    check_against_sorted(value, N);
    free(value);
}

static void merging_equals_adding(void **state)
{
    struct km_hist *a = calloc(3, sizeof(*a)), *b = a + 1, *all = a + 2;

    (void)state;
    for (uint64_t v = 0; v < 5000; v++) {
        km_hist_add(v % 3 ? a : b, v * v);
        km_hist_add(all, v * v);
    }
    km_hist_merge(a, b);
    assert_memory_equal(a, all, sizeof(*a));
    free(a);
}

static void nothing_recorded(void **state)
{
    struct km_hist *h = calloc(1, sizeof(*h));

    (void)state;
    assert_int_equal(km_hist_percentile(h, 0.99), 0);
    assert_true(km_hist_mean(h) == 0.0);
    free(h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(buckets_cover_everything),
        cmocka_unit_test(small_values_are_exact),
        cmocka_unit_test(percentiles_within_one_percent),
        cmocka_unit_test(merging_equals_adding),
        cmocka_unit_test(nothing_recorded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
