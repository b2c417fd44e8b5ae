/* SPDX-License-Identifier: MIT
 * test_device.c - every timing rule: a command is illegal at N-1 and legal at N, for the device
 * and, with its own bookkeeping, for the audit.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "models/dram/audit.h"
#include "tests/unit/dram/ddr3.h"

#include <stdlib.h>
#include <string.h>

#define MAX_STEPS 8

struct step {
    enum km_dram_cmd cmd;
    uint32_t rank, bank, row;
    uint64_t at;
};

struct rule_case {
    const char *rule;
    struct step
        before[MAX_STEPS]; /* ends with a step whose `at` is not larger than its predecessor's */
    unsigned nr;
    enum km_dram_cmd cmd;
    uint32_t rank, bank, row;
    uint64_t earliest;
};

#define ACT KM_DRAM_ACT
#define RD KM_DRAM_RD
#define WR KM_DRAM_WR
#define PRE KM_DRAM_PRE
#define PREA KM_DRAM_PREA
#define REF KM_DRAM_REF

/* Clocks worked out by hand from the data sheet: CL 11, CWL 8, burst 4 clocks. */
static const struct rule_case cases[] = {
    {"tRCD read", {{ACT, 0, 0, 5, 100}}, 1, RD, 0, 0, 5, 111},
    {"tRCD write", {{ACT, 0, 0, 5, 100}}, 1, WR, 0, 0, 5, 111},
    {"tRAS", {{ACT, 0, 0, 5, 100}}, 1, PRE, 0, 0, 0, 128},
    {"tRC", {{ACT, 0, 0, 5, 100}, {PRE, 0, 0, 0, 128}}, 2, ACT, 0, 0, 6, 139},
    {"tRP", {{ACT, 0, 0, 5, 100}, {PRE, 0, 0, 0, 150}}, 2, ACT, 0, 0, 6, 161},
    {"tRRD", {{ACT, 0, 0, 5, 100}}, 1, ACT, 0, 1, 5, 105},
    {"tFAW",
     {{ACT, 0, 0, 1, 100}, {ACT, 0, 1, 1, 105}, {ACT, 0, 2, 1, 110}, {ACT, 0, 3, 1, 115}},
     4,
     ACT,
     0,
     4,
     1,
     124},
    {"tFAW slides",
     {{ACT, 0, 0, 1, 100},
      {ACT, 0, 1, 1, 105},
      {ACT, 0, 2, 1, 110},
      {ACT, 0, 3, 1, 115},
      {ACT, 0, 4, 1, 124}},
     5,
     ACT,
     0,
     5,
     1,
     129},
    {"tCCD", {{ACT, 0, 0, 5, 100}, {RD, 0, 0, 5, 111}}, 2, RD, 0, 0, 5, 115},
    {"tCCD other bank",
     {{ACT, 0, 0, 5, 100}, {ACT, 0, 1, 5, 105}, {RD, 0, 0, 5, 120}},
     3,
     RD,
     0,
     1,
     5,
     124},
    {"read to write: CL + 4 + 2 - CWL",
     {{ACT, 0, 0, 5, 100}, {RD, 0, 0, 5, 111}},
     2,
     WR,
     0,
     0,
     5,
     120},
    {"write to read: CWL + 4 + tWTR",
     {{ACT, 0, 0, 5, 100}, {WR, 0, 0, 5, 111}},
     2,
     RD,
     0,
     0,
     5,
     129},
    {"tRTP", {{ACT, 0, 0, 5, 100}, {RD, 0, 0, 5, 130}}, 2, PRE, 0, 0, 0, 136},
    {"tWR: CWL + 4 + 12", {{ACT, 0, 0, 5, 100}, {WR, 0, 0, 5, 111}}, 2, PRE, 0, 0, 0, 135},
    {"tWR before precharge all", {{ACT, 0, 3, 5, 100}, {WR, 0, 3, 5, 111}}, 2, PREA, 0, 0, 0, 135},
    {"tRP before refresh", {{ACT, 0, 0, 5, 100}, {PRE, 0, 0, 0, 140}}, 2, REF, 0, 0, 0, 151},
    {"tRP after precharge all", {{ACT, 0, 0, 5, 100}, {PREA, 0, 0, 0, 140}}, 2, ACT, 0, 0, 5, 151},
    {"tRFC", {{REF, 0, 0, 0, 100}}, 1, ACT, 0, 4, 5, 308},
    {"tRFC refresh", {{REF, 0, 0, 0, 100}}, 1, REF, 0, 0, 0, 308},
    {"rank switch read: 4 + tRTRS",
     {{ACT, 0, 0, 5, 100}, {ACT, 1, 0, 5, 101}, {RD, 0, 0, 5, 120}},
     3,
     RD,
     1,
     0,
     5,
     126},
    {"rank switch write to read: CWL + 4 + tRTRS - CL",
     {{ACT, 0, 0, 5, 100}, {ACT, 1, 0, 5, 101}, {WR, 0, 0, 5, 120}},
     3,
     RD,
     1,
     0,
     5,
     123},
};

static struct km_dram_addr address(uint32_t rank, uint32_t bank, uint32_t row)
{
    return (struct km_dram_addr){rank, bank, row, 0, 0};
}

static void device_rules(void **state)
{
    (void)state;
    for (size_t i = 0; i < KM_ARRAY_LEN(cases); i++) {
        const struct rule_case *c = &cases[i];
        struct km_dram_geom g = ddr3_1600k(2);
        struct km_dram d;
        struct km_dram_addr a = address(c->rank, c->bank, c->row);

        km_dram_init(&d, &g);
        for (unsigned k = 0; k < c->nr; k++) {
            struct km_dram_addr b = address(c->before[k].rank, c->before[k].bank, c->before[k].row);

            assert_true(km_dram_earliest(&d, c->before[k].cmd, &b) <= c->before[k].at);
            km_dram_issue(&d, c->before[k].cmd, &b, c->before[k].at);
        }
        if (km_dram_earliest(&d, c->cmd, &a) != c->earliest)
            print_error("%s\n", c->rule);
        assert_int_equal(km_dram_earliest(&d, c->cmd, &a), c->earliest);
    }
}

static uint64_t violations(const struct rule_case *c, uint64_t at)
{
    struct km_dram_geom g = ddr3_1600k(2);
    struct km_dram_audit a;
    struct km_dram_addr last = address(c->rank, c->bank, c->row);

    km_dram_audit_init(&a, &g, false);
    for (unsigned k = 0; k < c->nr; k++) {
        struct km_dram_addr b = address(c->before[k].rank, c->before[k].bank, c->before[k].row);

        km_dram_audit_see(&a, c->before[k].cmd, &b, c->before[k].at);
    }
    assert_int_equal(a.violations, 0);
    km_dram_audit_see(&a, c->cmd, &last, at);
    return a.violations;
}

static void audit_rules(void **state)
{
    (void)state;
    for (size_t i = 0; i < KM_ARRAY_LEN(cases); i++) {
        if (violations(&cases[i], cases[i].earliest - 1) == 0 ||
            violations(&cases[i], cases[i].earliest))
            print_error("%s\n", cases[i].rule);
        assert_true(violations(&cases[i], cases[i].earliest - 1) > 0);
        assert_int_equal(violations(&cases[i], cases[i].earliest), 0);
    }
}

static void audit_state_errors(void **state)
{
    (void)state;
    struct km_dram_geom g = ddr3_1600k(1);
    struct km_dram_audit a;
    struct km_dram_addr x = address(0, 0, 5), other = address(0, 0, 6);

    km_dram_audit_init(&a, &g, false);
    km_dram_audit_see(&a, RD, &x, 1000); /* closed bank */
    assert_int_equal(a.violations, 1);
    assert_string_equal(a.first_rule, "column command to a closed bank");
    km_dram_audit_see(&a, ACT, &x, 2000);
    km_dram_audit_see(&a, ACT, &x, 2100); /* open bank */
    assert_int_equal(a.violations, 2);
    km_dram_audit_see(&a, RD, &other, 2200); /* wrong row */
    assert_int_equal(a.violations, 3);
    km_dram_audit_see(&a, REF, &x, 2300); /* open bank */
    assert_int_equal(a.violations, 4);
    km_dram_audit_see(&a, PRE, &x, 2300 + 208); /* fine */
    km_dram_audit_see(&a, PRE, &x, 2300 + 208); /* two in one clock */
    assert_int_equal(a.violations, 5);
    km_dram_audit_init(&a, &g, true);
    km_dram_audit_see(&a, REF, &x, 9 * 6240);
    assert_int_equal(a.violations, 0);
    km_dram_audit_see(&a, REF, &x, 18 * 6240 + 1); /* more than eight postponed */
    assert_int_equal(a.violations, 1);
}

/* Byte [2:0], column [12:3], bank [15:13], row [31:16]; with two ranks the rank lies above the
 * bank. */
static void address_mapping(void **state)
{
    (void)state;
    struct km_dram_geom g = ddr3_1600k(1);
    struct km_dram d;

    km_dram_init(&d, &g);
    struct km_dram_addr a = km_dram_locate(&d, 0x12345678);

    assert_int_equal(a.column, 0x12345678 >> 3 & 1023);
    assert_int_equal(a.bank, 0x12345678 >> 13 & 7);
    assert_int_equal(a.row, 0x1234);
    assert_int_equal(a.rank, 0);
    g = ddr3_1600k(2);
    km_dram_init(&d, &g);
    a = km_dram_locate(&d, 1u << 16);
    assert_int_equal(a.rank, 1);
    assert_int_equal(a.row, 0);
    strcpy(g.mapping, "rank:row:column/7:bank:column");
    km_dram_init(&d, &g);
    assert_int_equal(km_dram_locate(&d, 64).bank, 1);
    assert_int_equal(km_dram_locate(&d, 1 << 9).column, 8);
    static const char *const bad[] = {"",
                                      "row",
                                      "row:bank:column",
                                      "row:row:bank:column",
                                      "row:rank:bank:col",
                                      "row:rank:bank:column:row",
                                      ":::",
                                      "row:rank:bank:column:",
                                      "row:rank:column:bank", /* a burst would cross banks */
                                      "row:rank:bank:column/9:column/2",
                                      "row:rank:bank:column/3",
                                      "row:rank:bank^:column",
                                      "row:rank:bank^bank:column",
                                      "row^bank:rank:bank^row:column",
                                      "row:rank:bank^row+x:column"};
    for (size_t i = 0; i < KM_ARRAY_LEN(bad); i++) {
        strcpy(g.mapping, bad[i]);
        if (!km_dram_check(&g))
            print_error("accepted: %s\n", bad[i]);
        assert_non_null(km_dram_check(&g));
    }
}

/* The formulas of hashed and split mappings bit by bit, and that no two addresses meet. */
static void mapping_formulas(void **state)
{
    (void)state;
    struct km_dram_geom g = {.channels = 2,
                             .ranks = 2,
                             .banks = 4,
                             .rows = 16,
                             .columns = 32,
                             .bus_bytes = 8,
                             .burst = 8,
                             .mapping = "row:rank^row+2:bank^row^column+3:column/2:channel:column"};
    static bool seen[2 * 2 * 4 * 16 * 32];
    struct km_dram_map map;

    assert_null(km_dram_map_parse(&map, &g));
    for (uint32_t word = 0; word < KM_ARRAY_LEN(seen); word++) {
        struct km_dram_addr a = km_dram_map_locate(&map, word * 8ull);
        uint32_t column = (word & 7) | (word >> 4 & 3) << 3, row = word >> 9;

        assert_int_equal(a.column, column);
        assert_int_equal(a.channel, word >> 3 & 1);
        assert_int_equal(a.row, row);
        assert_int_equal(a.bank, (word >> 6 & 3) ^ (row & 3) ^ (column >> 3 & 3));
        assert_int_equal(a.rank, (word >> 8 & 1) ^ (row >> 2 & 1));
        uint32_t index = (((a.channel * 2 + a.rank) * 4 + a.bank) * 16 + a.row) * 32 + a.column;

        assert_false(seen[index]);
        seen[index] = true;
    }
}

static void impossible_timings(void **state)
{
    (void)state;
    struct km_dram_geom g = ddr3_1600k(1);

    assert_null(km_dram_check(&g));
    g.nras = 10;
    assert_non_null(km_dram_check(&g)); /* shorter than tRCD */
    g = ddr3_1600k(1);
    g.nrc = 38;
    assert_non_null(km_dram_check(&g));
    g = ddr3_1600k(1);
    g.nrefi = 200;
    assert_non_null(km_dram_check(&g));
    g = ddr3_1600k(3);
    assert_non_null(km_dram_check(&g));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(device_rules),       cmocka_unit_test(audit_rules),
        cmocka_unit_test(audit_state_errors), cmocka_unit_test(address_mapping),
        cmocka_unit_test(impossible_timings), cmocka_unit_test(mapping_formulas),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
