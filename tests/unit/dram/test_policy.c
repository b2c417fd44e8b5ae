/* SPDX-License-Identifier: MIT
 * test_policy.c - page policies, scheduling orders, caps, write drain, channels and energy of the
 * DRAM controllers against expectations worked out by hand. All runs are audited.
 *
 * DDR3-1600K: CL 11, RCD 11, RP 11, RAS 28, burst 4 clocks.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "models/base/prng.h"
#include "models/dram/ctrl.h"
#include "models/dram/memory.h"
#include "models/dram/power.h"
#include "tests/unit/dram/ddr3.h"

#include <stdlib.h>
#include <string.h>

#define ROW(n) ((uint64_t)(n) << 16)
#define BANK(n) ((uint64_t)(n) << 13)

static struct km_dram_ctrl_cfg defaults(void)
{
    return (struct km_dram_ctrl_cfg){.geom = ddr3_1600k(1),
                                     .order = KM_ORDER_FRFCFS,
                                     .page = KM_PAGE_OPEN,
                                     .page_timeout_clocks = 100,
                                     .audit = true,
                                     .queue_read = 32,
                                     .queue_write = 32,
                                     .queue_active = 8,
                                     .write_high = 80,
                                     .write_low = 20,
                                     .write_idle = true};
}

static struct km_dram_ctrl *new_ctrl(const struct km_dram_ctrl_cfg *cfg)
{
    struct km_dram_ctrl *c = malloc(sizeof(*c));

    assert_non_null(c);
    assert_null(km_dram_ctrl_check(cfg));
    km_dram_ctrl_init(c, cfg);
    return c;
}

static void end(struct km_dram_ctrl *c)
{
    assert_int_equal(c->audit.violations, 0);
    free(c);
}

/* Clocks a single read at `now` takes; steps every clock until it ended. */
static uint64_t read_at(struct km_dram_ctrl *c, uint64_t pa, uint64_t now)
{
    uint64_t begin = now;

    assert_true(km_dram_ctrl_offer(c, pa, false, now));
    while (!km_dram_ctrl_complete(c, now))
        km_dram_ctrl_step(c, now++);
    return now - begin;
}

static void run_idle(struct km_dram_ctrl *c, uint64_t from, uint64_t to)
{
    for (uint64_t now = from; now < to; now++) {
        km_dram_ctrl_complete(c, now);
        km_dram_ctrl_step(c, now);
    }
}

/* A row stays open for 100 clocks after its last column command and not a clock longer. */
static void timeout_closes_after_the_timeout(void **state)
{
    (void)state;
    for (unsigned late = 0; late < 2; late++) {
        struct km_dram_ctrl_cfg cfg = defaults();

        cfg.page = KM_PAGE_TIMEOUT;
        struct km_dram_ctrl *c = new_ctrl(&cfg);
        uint64_t column = 1000 + 11, closes = column + 100;

        assert_int_equal(read_at(c, ROW(1), 1000), 26);
        run_idle(c, 1026, closes + late);
        assert_int_equal(c->open_banks != 0, !late);
        /* A hit while it is open; else a closed bank, whose precharge may still run. */
        assert_int_equal(read_at(c, ROW(1) + 64, closes + late), late ? 26 + 10 : 15);
        end(c);
    }
}

static void serial_pages(void **state)
{
    static const struct {
        enum km_dram_paging page;
        uint64_t gap, hit, conflict; /* latency of the second read */
    } row[] = {
        {KM_PAGE_OPEN, 500, 15, 37},
        {KM_PAGE_CLOSED, 500, 26, 26},
        {KM_PAGE_TIMEOUT, 500, 26, 26},
        {KM_PAGE_TIMEOUT, 90, 15, 37},
        {KM_PAGE_CLOSED, 28, 26 + 11, 26 + 11}, /* precharged at tRAS: tRP still to wait */
    };

    (void)state;
    for (size_t i = 0; i < KM_ARRAY_LEN(row); i++) {
        for (unsigned other = 0; other < 2; other++) {
            struct km_dram_serial_cfg cfg = {.geom = ddr3_1600k(1),
                                             .audit = true,
                                             .page = row[i].page,
                                             .page_timeout_clocks = 100};
            struct km_dram_serial *s = malloc(sizeof(*s));

            assert_non_null(s);
            km_dram_serial_init(s, &cfg);
            km_dram_serial_read(s, ROW(1), 64, 1000);
            uint64_t at = 1000 + row[i].gap;
            uint64_t first = km_dram_serial_read(s, ROW(1 + other) + 64, 64, at);

            assert_int_equal(first - at + 3, other ? row[i].conflict : row[i].hit);
            assert_int_equal(s->n.closed_early, row[i].page != KM_PAGE_OPEN && row[i].gap != 90);
            assert_int_equal(s->audit.violations, 0);
            free(s);
        }
    }
}

/* Row 1 is open and asked for again and again; one older request wants row 2 of the same bank. */
static uint64_t latency_of_the_other_row(enum km_dram_order order, uint32_t cap)
{
    struct km_dram_ctrl_cfg cfg = defaults();

    cfg.order = order;
    cfg.hit_cap = cap;
    struct km_dram_ctrl *c = new_ctrl(&cfg);
    uint64_t now = 200;

    assert_int_equal(read_at(c, ROW(1), 100), 26);
    assert_true(km_dram_ctrl_offer(c, ROW(1) + 64, false, now));
    km_dram_ctrl_step(c, now++);
    assert_true(km_dram_ctrl_offer(c, ROW(2), false, now));
    for (uint64_t i = 0; c->n.row_conflicts == 0; i++) {
        km_dram_ctrl_complete(c, now);
        if (km_dram_ctrl_room(c, false))
            km_dram_ctrl_offer(c, ROW(1) + 128 + 64 * (i % 100), false, now);
        km_dram_ctrl_step(c, now++);
        if (now > 1200)
            break;
    }
    uint64_t waited = now - 201;

    run_idle(c, now, now + 2000);
    assert_true(km_dram_ctrl_idle(c));
    end(c);
    return waited;
}

static void caps_end_the_preference_of_hits(void **state)
{
    (void)state;
    /* A hit is ready tCCD (4) after the last one, the precharge only tRTP (6) after: never. */
    assert_int_equal(latency_of_the_other_row(KM_ORDER_FRFCFS, 0), 1000);
    assert_int_equal(latency_of_the_other_row(KM_ORDER_ROWHIT, 0), 1000);
    /* Two reads have been done when it comes; six more are allowed, one every four clocks. */
    assert_in_range(latency_of_the_other_row(KM_ORDER_FRFCFS, 8), 5 * 4 + 6, 6 * 4 + 6 + 4);
    assert_in_range(latency_of_the_other_row(KM_ORDER_ROWHIT, 8), 5 * 4 + 6, 6 * 4 + 6 + 4);
}

/* An older request for another row and a younger hit, both ready: frfcfs precharges, rowhit reads.
 */
static void rowhit_serves_ready_hits_first(void **state)
{
    (void)state;
    for (enum km_dram_order order = KM_ORDER_FRFCFS; order <= KM_ORDER_ROWHIT; order++) {
        struct km_dram_ctrl_cfg cfg = defaults();

        cfg.order = order;
        struct km_dram_ctrl *c = new_ctrl(&cfg);

        assert_int_equal(read_at(c, ROW(1), 100), 26);
        assert_true(km_dram_ctrl_offer(c, ROW(2), false, 200));
        assert_true(km_dram_ctrl_offer(c, ROW(1) + 64, false, 200));
        run_idle(c, 200, 400);
        assert_int_equal(c->n.row_hits, order == KM_ORDER_ROWHIT ? 1 : 0);
        assert_int_equal(c->dev.n.cmd[KM_DRAM_PRE], order == KM_ORDER_ROWHIT ? 1 : 2);
        end(c);
    }
}

/* With 80 / 20 percent of 10 entries and reads waiting, draining starts with the ninth write and
 * ends when fewer than two are left; without write_idle idle channels keep their writes. */
static void watermarks(void **state)
{
    (void)state;
    struct km_dram_ctrl_cfg cfg = defaults();

    cfg.queue_write = 10;
    cfg.write_idle = false;
    struct km_dram_ctrl *c = new_ctrl(&cfg);
    uint64_t now = 100;

    for (uint64_t i = 0; i < 8; i++, now++) {
        assert_true(km_dram_ctrl_offer(c, ROW(i) + BANK(i), true, now));
        km_dram_ctrl_step(c, now);
    }
    run_idle(c, now, now + 500);
    assert_int_equal(c->dev.n.cmd[KM_DRAM_WR], 0);
    now += 500;
    assert_true(km_dram_ctrl_offer(c, ROW(9), true, now));
    run_idle(c, now, now + 1000);
    assert_int_equal(c->n.write_drains, 1);
    assert_int_equal(c->write.nr, 1);
    km_dram_ctrl_flush(c, now + 1000);
    run_idle(c, now + 1000, now + 1200);
    assert_int_equal(c->write.nr, 0);
    assert_int_equal(c->n.writes, 9);
    assert_int_equal(c->dev.n.cmd[KM_DRAM_WR], 9);
    end(c);
    cfg.write_high = 100;
    assert_non_null(km_dram_ctrl_check(&cfg));
    cfg.write_idle = true;
    assert_null(km_dram_ctrl_check(&cfg));
    cfg.write_low = 101;
    assert_non_null(km_dram_ctrl_check(&cfg));
}

/* Any combination of policies: requests end once, no rule is broken, skipping idle clocks changes
 * nothing. */
static uint64_t traffic(const struct km_dram_ctrl_cfg *cfg, bool skip)
{
    struct km_dram_ctrl *c = new_ctrl(cfg);
    struct km_prng r = {7};
    uint64_t now = 0, sent = 0, done = 0, pa = km_prng_next(&r), offer_at = 0;

    while (sent < 1500 || !km_dram_ctrl_idle(c)) {
        done += km_dram_ctrl_complete(c, now);
        if (sent < 1500 && now >= offer_at &&
            km_dram_ctrl_offer(c, (pa & 0x3ffff) * 64, pa >> 60 < 5, now)) {
            pa = km_prng_below(&r, 3) ? km_prng_next(&r) : pa + 1;
            offer_at = now + 1 + (km_prng_below(&r, 50) ? 0 : 300);
            if (++sent == 1500)
                km_dram_ctrl_flush(c, now);
        }
        if (!skip || km_dram_ctrl_next(c) <= now)
            km_dram_ctrl_step(c, now);
        now++;
    }
    uint64_t hash = c->n.end_clock * 1000003 + c->n.read_latency_sum * 17 + c->n.write_latency_sum;

    assert_int_equal(done, c->n.reads);
    assert_int_equal(c->n.reads - c->n.forwarded, c->dev.n.cmd[KM_DRAM_RD]);
    assert_int_equal(c->n.writes, c->dev.n.cmd[KM_DRAM_WR]);
    assert_int_equal(c->n.reads + c->n.writes, 1500);
    end(c);
    return hash;
}

static void all_policies_are_legal(void **state)
{
    (void)state;
    for (unsigned k = 0; k < 3 * 3 * 2 * 2 * 2; k++) {
        struct km_dram_ctrl_cfg cfg = defaults();

        cfg.order = k % 3;
        cfg.page = k / 3 % 3;
        cfg.hit_cap = k / 9 % 2 * 3;
        cfg.queue_active = k / 18 % 2 * 8;
        cfg.refresh = k / 36 % 2;
        cfg.geom.ranks = 1 + k / 36 % 2;
        assert_int_equal(traffic(&cfg, false), traffic(&cfg, true));
    }
}

/* Two channels, chosen by address bit 6: neighbours never disturb each other. */
static void channels_are_independent(void **state)
{
    (void)state;
    struct km_dram_serial_cfg cfg = {.geom = ddr3_1600k(1), .audit = true, .page = KM_PAGE_OPEN};
    struct km_dram_memory *m = malloc(sizeof(*m));

    assert_non_null(m);
    cfg.geom.channels = 2;
    strcpy(cfg.geom.mapping, "row:rank:bank:column/7:channel:column");
    km_dram_memory_init(m, &cfg);
    assert_int_equal(km_dram_memory_read(m, 0, 64, 100), 100 + 26 - 3);
    assert_int_equal(km_dram_memory_read(m, 64, 64, 100), 100 + 26 - 3);
    assert_int_equal(km_dram_memory_read(m, 128, 64, 200), 200 + 15 - 3);
    km_dram_memory_write(m, 64, 64, 300);
    km_dram_memory_drain(m);
    assert_int_equal(m->channel[0].n.reads, 2);
    assert_int_equal(m->channel[1].n.reads, 1);
    assert_int_equal(m->channel[1].n.writes, 1);
    free(m);
}

/* One row cycle with two reads and a write, one refresh, 10000 clocks of 1.25 ns, 8 devices at 1.5
 * V. */
static void energy_by_hand(void **state)
{
    (void)state;
    const struct km_dram_currents i = {.vdd_mv = 1500,
                                       .devices = 8,
                                       .idd0 = 55,
                                       .idd2n = 32,
                                       .idd3n = 38,
                                       .idd4r = 157,
                                       .idd4w = 125,
                                       .idd5 = 235};
    struct km_dram_geom g = ddr3_1600k(1);
    struct km_dram_addr a = {0};
    struct km_dram d;
    struct km_dram_energy e = {0};

    km_dram_init(&d, &g);
    km_dram_issue(&d, KM_DRAM_ACT, &a, 1000);
    km_dram_issue(&d, KM_DRAM_RD, &a, 1100);
    km_dram_issue(&d, KM_DRAM_RD, &a, 1200);
    km_dram_issue(&d, KM_DRAM_WR, &a, 1300);
    km_dram_issue(&d, KM_DRAM_PRE, &a, 2000);
    km_dram_issue(&d, KM_DRAM_REF, &a, 3000);
    km_dram_energy_add(&e, &d, 1, 10000, 800000000, &i);
    assert_int_equal(e.active_clocks, 1000);
    assert_int_equal(e.refresh_clocks, 208);
    assert_int_equal(e.precharged_clocks, 10000 - 1000 - 208);
    /* 12 mW per mA (8 devices at 1.5 V) times 1.25 ns: 15 pJ per mA and clock */
    assert_int_equal(e.background_pj, 15 * (38 * 1000 + 32 * 9000));
    assert_int_equal(e.activate_pj, 15 * (55 * 39 - 38 * 28 - 32 * 11));
    assert_int_equal(e.read_pj, 15 * (157 - 38) * 2 * 4);
    assert_int_equal(e.write_pj, 15 * (125 - 38) * 4);
    assert_int_equal(e.refresh_pj, 15 * (235 - 32) * 208);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(timeout_closes_after_the_timeout),
        cmocka_unit_test(serial_pages),
        cmocka_unit_test(caps_end_the_preference_of_hits),
        cmocka_unit_test(rowhit_serves_ready_hits_first),
        cmocka_unit_test(watermarks),
        cmocka_unit_test(all_policies_are_legal),
        cmocka_unit_test(channels_are_independent),
        cmocka_unit_test(energy_by_hand),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
