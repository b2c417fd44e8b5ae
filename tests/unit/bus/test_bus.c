/* SPDX-License-Identifier: MIT
 * test_bus.c - address and data phases of the shared bus, and clock-domain conversion.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "models/bus/bus.h"
#include "models/bus/clock.h"

static const struct km_bus_geom p6 = {8, 1, 2, 4};

/* clock      10 11 12 13 14 15 16 17 18
 * request a  |arb.|AAAAA|     s            snoop result of a at 16
 *         b     |arb.|--|AAAAA|     s      b wants 13, gets 14 (address phases are two clocks) */
static void address_phases_queue(void **state)
{
    (void)state;
    struct km_bus b;

    assert_null(km_bus_check(&p6));
    km_bus_init(&b, &p6);
    assert_int_equal(km_bus_unloaded_snoop(&b, 10), 16);
    assert_int_equal(km_bus_request(&b, 10), 12);
    assert_int_equal(km_bus_request(&b, 11), 14);
    assert_int_equal(km_bus_request(&b, 11), 16);
    assert_int_equal(km_bus_request(&b, 40), 42);
    assert_int_equal(b.n.transactions, 4);
    assert_int_equal(b.n.wait_clocks, 1 + 3);
    assert_int_equal(b.n.address_busy_clocks, 8);
}

/* 32 bytes over 8 data lines: four clocks; the first word is there after one. Quad-pumped: one
 * clock. */
static void data_phases_do_not_overlap(void **state)
{
    (void)state;
    struct km_bus b;
    struct km_bus_geom quad = {8, 4, 2, 4};

    km_bus_init(&b, &p6);
    assert_int_equal(km_bus_data(&b, 20, 32), 21);
    assert_int_equal(km_bus_data(&b, 20, 32), 25);
    assert_int_equal(km_bus_data(&b, 40, 8), 41);
    assert_int_equal(b.n.data_busy_clocks, 9);
    km_bus_init(&b, &quad);
    assert_int_equal(km_bus_data(&b, 20, 32), 21);
    assert_int_equal(km_bus_data(&b, 20, 64), 22);
    assert_int_equal(km_bus_data(&b, 20, 64), 24);
}

static void impossible_buses(void **state)
{
    (void)state;
    struct km_bus_geom g = p6;

    g.width_bytes = 6;
    assert_non_null(km_bus_check(&g));
    g = p6;
    g.snoop_clocks = 1;
    assert_non_null(km_bus_check(&g));
    g = p6;
    g.transfers_per_clock = 0;
    assert_non_null(km_bus_check(&g));
}

/* 700 MHz core, 100 MHz bus: seven cycles per clock. 2840 and 200 MHz do not divide. */
static void clock_domains(void **state)
{
    (void)state;
    struct km_clock_ratio to_bus = km_clock_ratio_of(100000000, 700000000);
    struct km_clock_ratio to_core = km_clock_ratio_of(700000000, 100000000);

    assert_int_equal(km_clock_up(to_bus, 700), 100);
    assert_int_equal(km_clock_up(to_bus, 701), 101);
    assert_int_equal(km_clock_down(to_bus, 706), 100);
    assert_int_equal(km_clock_up(to_core, 101), 707);
    struct km_clock_ratio odd = km_clock_ratio_of(2840000000ull, 200000000ull);

    assert_int_equal(km_clock_up(odd, 1), 15); /* 14.2 */
    assert_int_equal(km_clock_down(odd, 1), 14);
    assert_int_equal(km_clock_up(odd, 5), 71);
    /* Long runs: 2^50 cycles of a 2.84 GHz core in picoseconds, against 128-bit arithmetic. */
    struct km_clock_ratio ps = km_clock_ratio_of(1000000000000ull, 2840000000ull);
    unsigned __int128 exact = (unsigned __int128)(1ull << 50) * 1000000000000ull / 2840000000ull;

    assert_int_equal(km_clock_down(ps, 1ull << 50), (uint64_t)exact);
    for (uint64_t t = 0; t < 100000; t += 37) /* up never precedes, never skips an edge */
        assert_true(
            km_clock_down(odd, km_clock_up(km_clock_ratio_of(200000000ull, 2840000000ull), t)) +
                1 >=
            t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(address_phases_queue),
        cmocka_unit_test(data_phases_do_not_overlap),
        cmocka_unit_test(impossible_buses),
        cmocka_unit_test(clock_domains),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
