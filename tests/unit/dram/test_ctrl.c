/* SPDX-License-Identifier: MIT
 * test_ctrl.c - the serial channel and the queued controller against closed-form latencies.
 *
 * Unloaded (DDR3-1600K): row hit CL + BL/2 = 15, closed bank + tRCD = 26, conflict + tRP = 37
 * clocks. All runs are audited.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "models/base/prng.h"
#include "models/dram/ctrl.h"
#include "tests/unit/dram/ddr3.h"

#include <stdlib.h>

#define ROW(n) ((uint64_t)(n) << 16)

static struct km_dram_ctrl *new_ctrl(bool fcfs, bool closed, bool refresh)
{
    struct km_dram_ctrl *c = malloc(sizeof(*c));
    struct km_dram_ctrl_cfg cfg = {.geom = ddr3_1600k(1),
                                   .order = fcfs ? KM_ORDER_FCFS : KM_ORDER_FRFCFS,
                                   .page = closed ? KM_PAGE_CLOSED : KM_PAGE_OPEN,
                                   .refresh = refresh,
                                   .audit = true,
                                   .queue_read = 32,
                                   .queue_write = 32,
                                   .queue_active = 8,
                                   .write_high = 80,
                                   .write_low = 20,
                                   .write_idle = true};

    assert_null(km_dram_ctrl_check(&cfg));
    km_dram_ctrl_init(c, &cfg);
    return c;
}

/* Steps until the oldest read ends; returns that clock. */
static uint64_t until_done(struct km_dram_ctrl *c, uint64_t now)
{
    for (;; now++) {
        if (km_dram_ctrl_complete(c, now))
            return now;
        km_dram_ctrl_step(c, now);
    }
}

static uint64_t read_at(struct km_dram_ctrl *c, uint64_t pa, uint64_t now)
{
    assert_true(km_dram_ctrl_offer(c, pa, false, now));
    return until_done(c, now) - now;
}

static void unloaded_latencies(void **state)
{
    (void)state;
    struct km_dram_ctrl *c = new_ctrl(false, false, false);

    assert_int_equal(read_at(c, ROW(1), 100), 26);
    assert_int_equal(read_at(c, ROW(1) + 64, 200), 15);
    assert_int_equal(read_at(c, ROW(2), 300), 37);
    assert_int_equal(read_at(c, ROW(3), 300 + 37 + 1), 38); /* PRE waits for tRAS */
    assert_int_equal(c->n.row_hits, 1);
    assert_int_equal(c->n.row_misses, 1);
    assert_int_equal(c->n.row_conflicts, 2);
    assert_int_equal(c->audit.violations, 0);
    free(c);
}

static void init_serial(struct km_dram_serial *s, uint32_t ranks, bool refresh,
                        enum km_dram_paging page)
{
    struct km_dram_serial_cfg cfg = {.geom = ddr3_1600k(ranks),
                                     .refresh = refresh,
                                     .audit = true,
                                     .page = page,
                                     .page_timeout_clocks = 100};

    km_dram_serial_init(s, &cfg);
}

static void serial_latencies(void **state)
{
    (void)state;
    struct km_dram_serial *s = malloc(sizeof(*s));

    /* First word on the pins: burst (4 clocks) minus its first clock before the end. */
    init_serial(s, 1, false, KM_PAGE_OPEN);
    assert_int_equal(km_dram_serial_read(s, ROW(1), 64, 100), 100 + 26 - 3);
    assert_int_equal(km_dram_serial_read(s, ROW(1) + 64, 64, 200), 200 + 15 - 3);
    assert_int_equal(km_dram_serial_read(s, ROW(2), 64, 300), 300 + 37 - 3);
    /* Two bursts: 128 bytes. */
    assert_int_equal(km_dram_serial_read(s, ROW(2) + 128, 128, 400), 400 + 15 - 3);
    assert_int_equal(s->dev.n.cmd[KM_DRAM_RD], 5);
    assert_int_equal(s->n.read_latency_max, 37);
    /* A posted write before the read's arrival goes first, a later one does not disturb it. */
    km_dram_serial_write(s, ROW(2), 64, 500);
    km_dram_serial_write(s, ROW(9), 64, 900);
    assert_int_equal(km_dram_serial_read(s, ROW(2), 64, 501), 500 + 8 + 4 + 6 + 15 - 3);
    assert_int_equal(s->n.writes, 1);
    km_dram_serial_drain(s);
    assert_int_equal(s->n.writes, 2);
    assert_int_equal(s->audit.violations, 0);
    free(s);
}

static void serial_refreshes_even_when_idle(void **state)
{
    (void)state;
    struct km_dram_serial *s = malloc(sizeof(*s));

    init_serial(s, 2, true, KM_PAGE_CLOSED);
    /* In the middle of a refresh of rank 0 (due at 6240): PRE all is not needed, ACT at 6240 + 208.
     */
    km_dram_serial_read(s, ROW(1) * 2, 64, 10);
    assert_int_equal(km_dram_serial_read(s, ROW(1) * 2, 64, 6250), 6240 + 208 + 26 - 3);
    km_dram_serial_read(s, 0, 64, 6240ull * 1000 + 3000);
    assert_int_equal(s->n.refreshes, 2 * 1000);
    assert_int_equal(s->audit.violations, 0);
    free(s);
}

/* Two rows of one bank asked for in turn. fcfs changes rows every time; frfcfs serves A A B. */
static void frfcfs_prefers_open_rows(void **state)
{
    (void)state;
    for (unsigned fcfs = 0; fcfs < 2; fcfs++) {
        struct km_dram_ctrl *c = new_ctrl(fcfs, false, false);
        uint64_t clock;

        assert_int_equal(read_at(c, ROW(1), 10), 26);
        assert_true(km_dram_ctrl_offer(c, ROW(1) + 64, false, 60));
        km_dram_ctrl_step(c, 60);
        assert_true(km_dram_ctrl_offer(c, ROW(2), false, 61));
        km_dram_ctrl_step(c, 61);
        assert_true(km_dram_ctrl_offer(c, ROW(1) + 128, false, 62));
        for (clock = 62; !km_dram_ctrl_idle(c); clock++) {
            km_dram_ctrl_complete(c, clock);
            km_dram_ctrl_step(c, clock);
        }
        assert_int_equal(c->n.row_hits, fcfs ? 1 : 2);
        assert_int_equal(c->n.row_conflicts, fcfs ? 2 : 1);
        assert_int_equal(c->audit.violations, 0);
        free(c);
    }
}

static void closed_page_closes(void **state)
{
    (void)state;
    struct km_dram_ctrl *c = new_ctrl(false, true, false);

    assert_int_equal(read_at(c, ROW(1), 100), 26);
    for (uint64_t now = 127; now < 200; now++)
        km_dram_ctrl_step(c, now);
    assert_int_equal(read_at(c, ROW(1), 200), 26); /* no hit, but no conflict either */
    for (uint64_t now = 227; now < 300; now++)
        km_dram_ctrl_step(c, now);
    assert_int_equal(read_at(c, ROW(2), 300), 26);
    free(c);
}

static void reads_are_answered_from_the_write_queue(void **state)
{
    (void)state;
    struct km_dram_ctrl *c = new_ctrl(false, false, false);

    assert_true(km_dram_ctrl_offer(c, ROW(4), true, 10));
    assert_true(km_dram_ctrl_offer(c, ROW(4) + 32, false, 11)); /* same 64 bytes */
    assert_int_equal(km_dram_ctrl_completion(c), 12);
    free(c);
}

/* Every row of every bank at random, reads and writes, with and without refresh, both schedulers
 * and page
 * policies: no rule is broken, every request ends once, skipping idle clocks changes nothing. */
static uint64_t random_traffic(bool fcfs, bool closed, bool refresh, bool skip)
{
    struct km_dram_ctrl *c = new_ctrl(fcfs, closed, refresh);
    struct km_prng r = {11};
    uint64_t now = 0, done = 0, sent = 0, hash = 0, next_offer = 0, pa = 0;
    bool write = false;

    while (sent < 3000 || !km_dram_ctrl_idle(c)) {
        done += km_dram_ctrl_complete(c, now);
        if (sent < 3000 && now >= next_offer) {
            if (!pa) {
                pa = (km_prng_next(&r) & 0x1ffff) * 64 + 64;
                write = km_prng_below(&r, 3) == 0;
            }
            if (km_dram_ctrl_offer(c, pa, write, now)) {
                sent++;
                pa = 0;
                next_offer = now + 1 + (km_prng_below(&r, 8) ? 0 : km_prng_below(&r, 400));
            }
        }
        km_dram_ctrl_step(c, now);
        hash = (hash ^ (c->dev.n.cmd[KM_DRAM_ACT] + done * 7)) * 31;
        uint64_t next = now + 1, wake = km_dram_ctrl_next(c);

        if (skip && (sent == 3000 || (pa == 0 && next_offer > now + 1))) {
            wake = wake < km_dram_ctrl_completion(c) ? wake : km_dram_ctrl_completion(c);
            if (sent < 3000 && next_offer < wake)
                wake = next_offer;
            if (wake != KM_NEVER && wake > next)
                next = wake;
        }
        now = next;
    }
    assert_int_equal(c->n.reads, done);
    assert_int_equal(c->n.reads + c->n.writes, 3000);
    assert_int_equal(c->n.row_hits + c->n.row_misses + c->n.row_conflicts +
                         (c->n.reads - c->dev.n.cmd[KM_DRAM_RD]),
                     3000);
    assert_int_equal(c->audit.violations, 0);
    hash = c->n.end_clock * 1000003 + c->n.read_latency_sum;
    free(c);
    return hash;
}

static void random_traffic_is_legal(void **state)
{
    (void)state;
    for (unsigned k = 0; k < 8; k++) {
        uint64_t each = random_traffic(k & 1, k & 2, k & 4, false);

        assert_int_equal(random_traffic(k & 1, k & 2, k & 4, true), each);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unloaded_latencies),
        cmocka_unit_test(serial_latencies),
        cmocka_unit_test(serial_refreshes_even_when_idle),
        cmocka_unit_test(frfcfs_prefers_open_rows),
        cmocka_unit_test(closed_page_closes),
        cmocka_unit_test(reads_are_answered_from_the_write_queue),
        cmocka_unit_test(random_traffic_is_legal),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
