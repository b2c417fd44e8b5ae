/* SPDX-License-Identifier: MIT
 * test_isa.c - rates of DMA on the ISA bus against the published ones, refresh, I/O cycles.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "models/dma/isa.h"

/* Bytes per second of n transfers of `bytes` each, `per_grant` of them with the bus held. */
static double rate(unsigned n, unsigned bytes, unsigned per_grant)
{
    struct km_isa b;
    uint64_t at = 0;

    km_isa_init(&b);
    for (unsigned i = 0; i < n; i += per_grant) {
        at = km_isa_acquire(&b, at);
        for (unsigned k = 0; k < per_grant; k++)
            at = km_isa_transfer(&b, at);
        km_isa_release(&b, at);
        at = b.free;
    }
    return (double)n * bytes * KM_ISA_HALF_CLOCK_HZ / (double)at;
}

static void within(double value, double low, double high)
{
    if (value < low || value > high)
        fail_msg("%.0f is not between %.0f and %.0f", value, low, high);
}

/* 9 clocks a transfer and about 5 %% for refresh: 0.84 million transfers a second. */
static void published_rates(void **state)
{
    (void)state;
    within(rate(100000, 1, 1), 0.84e6 * 0.99, 0.84e6 * 1.01);
    within(rate(100000, 2, 1), 1.6e6, 1.7e6);
    within(rate(100000, 1, 16), 0.84e6 * 1.5, 1.6e6); /* demand mode: 5 clocks each while it holds the bus */
}

/* clock (halves)  0    5         15  18   first transfer of an idle bus: 9 clocks in all */
static void one_transfer(void **state)
{
    (void)state;
    struct km_isa b;

    km_isa_init(&b);
    assert_int_equal(km_isa_acquire(&b, 0), 5);
    assert_int_equal(km_isa_transfer(&b, 5), 15);
    km_isa_release(&b, 15);
    assert_int_equal(b.free, 18); /* 9 clocks of 125 ns: 1.125 us */
    assert_int_equal(km_isa_acquire(&b, 17), 23);
    assert_int_equal(b.busy_halves, 18 + 5);
}

/* Refresh is due at 240. A request at 239 goes first, one at 240 waits for it. */
static void refresh_goes_first_when_due(void **state)
{
    (void)state;
    struct km_isa b;

    km_isa_init(&b);
    assert_int_equal(km_isa_acquire(&b, 239), 244);
    assert_int_equal(b.refreshes, 0);
    km_isa_init(&b);
    assert_int_equal(km_isa_acquire(&b, 240), 240 + 12 + 5);
    assert_int_equal(b.refreshes, 1);
    assert_int_equal(b.late_refreshes, 0);
    /* 60 transfers in a row hold the bus for 600 halves: the refreshes of the meantime come late. */
    uint64_t at = km_isa_acquire(&b, 300);

    for (unsigned i = 0; i < 60; i++)
        at = km_isa_transfer(&b, at);
    km_isa_release(&b, at);
    assert_int_equal(km_isa_io(&b, at), 305 + 600 + 3 + 2 * 12 + 16);
    assert_int_equal(b.refreshes, 3);
    assert_int_equal(b.late_refreshes, 1);
}

/* An I/O cycle takes a microsecond, whatever the processor is. */
static void io_cycle(void **state)
{
    (void)state;
    struct km_isa b;

    km_isa_init(&b);
    assert_int_equal(km_isa_io(&b, 100), 116);
    assert_int_equal(km_isa_io(&b, 100), 132);
    assert_int_equal(b.io_cycles, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(published_rates),
        cmocka_unit_test(one_transfer),
        cmocka_unit_test(refresh_goes_first_when_due),
        cmocka_unit_test(io_cycle),
    };

    return cmocka_run_group_tests_name("dma/isa", tests, NULL, NULL);
}
