/* SPDX-License-Identifier: MIT
 * test_presets.c - every rule of every preset in configs/dram: a command is legal at N and not at
 * N - 1.
 *
 * The expected clocks are written here as the data sheets word them, from the parameters of the
 * preset, with neither the rule table nor the audit's code. The device must allow the command from
 * N on, the audit must object at N - 1 and must not at N.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "models/base/bits.h"
#include "models/dram/audit.h"
#include "sim/config/hw_geom.h"

#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ACT KM_DRAM_ACT
#define RD KM_DRAM_RD
#define WR KM_DRAM_WR
#define PRE KM_DRAM_PRE
#define PREA KM_DRAM_PREA
#define REF KM_DRAM_REF
#define T0 1000  /* the first command */
#define LATE 500 /* long after it: rules of the row no longer bind */

struct step {
    enum km_dram_cmd cmd;
    uint32_t rank, bank;
    uint64_t at;
};

struct scenario {
    const char *rule;
    struct step step[8]; /* the last one is the command in question */
    unsigned nr;
};

static uint32_t most(uint32_t a, uint32_t b)
{
    return a > b ? a : b;
}

static unsigned scenarios(const struct km_dram_geom *g, struct scenario out[32])
{
    const uint32_t data = g->burst / g->data_rate, r = g->nrrd;
    /* what binds a fifth activate: the window, or four times the distance of two */
    const uint32_t fifth = most(g->nfaw, 4 * r);
    const uint32_t turn = g->ncl + data + 2 - g->ncwl;
    const uint32_t row_cycle = most(g->nrc, g->nras + g->nrp);
    const struct scenario all[] = {
        {"tRCD before a read", {{ACT, 0, 0, T0}, {RD, 0, 0, T0 + g->nrcd}}, 2},
        {"tRCD before a write", {{ACT, 0, 0, T0}, {WR, 0, 0, T0 + g->nrcd}}, 2},
        {"tRAS", {{ACT, 0, 0, T0}, {PRE, 0, 0, T0 + g->nras}}, 2},
        {"tRAS before precharge all", {{ACT, 0, 1, T0}, {PREA, 0, 0, T0 + g->nras}}, 2},
        {"tRC", {{ACT, 0, 0, T0}, {PRE, 0, 0, T0 + g->nras}, {ACT, 0, 0, T0 + row_cycle}}, 3},
        {"tRP", {{ACT, 0, 0, T0}, {PRE, 0, 0, T0 + LATE}, {ACT, 0, 0, T0 + LATE + g->nrp}}, 3},
        {"tRP after precharge all",
         {{ACT, 0, 0, T0}, {PREA, 0, 0, T0 + LATE}, {ACT, 0, 0, T0 + LATE + g->nrp}},
         3},
        {"tRP before refresh",
         {{ACT, 0, 0, T0}, {PRE, 0, 0, T0 + LATE}, {REF, 0, 0, T0 + LATE + g->nrp}},
         3},
        {"tRC before refresh",
         {{ACT, 0, 0, T0}, {PREA, 0, 0, T0 + g->nras}, {REF, 0, 0, T0 + row_cycle}},
         3},
        {"tRRD", {{ACT, 0, 0, T0}, {ACT, 0, 1, T0 + r}}, 2},
        {"tFAW",
         {{ACT, 0, 0, T0},
          {ACT, 0, 1, T0 + r},
          {ACT, 0, 2, T0 + 2 * r},
          {ACT, 0, 3, T0 + 3 * r},
          {ACT, 0, 4, T0 + fifth}},
         g->banks > 4 ? 5 : 0},
        {"tCCD of reads",
         {{ACT, 0, 0, T0}, {RD, 0, 0, T0 + LATE}, {RD, 0, 0, T0 + LATE + g->nccd}},
         3},
        {"tCCD of writes in two banks",
         {{ACT, 0, 0, T0},
          {ACT, 0, 1, T0 + 100},
          {WR, 0, 0, T0 + LATE},
          {WR, 0, 1, T0 + LATE + g->nccd}},
         4},
        {"read to write",
         {{ACT, 0, 0, T0}, {RD, 0, 0, T0 + LATE}, {WR, 0, 0, T0 + LATE + turn}},
         3},
        {"tWTR",
         {{ACT, 0, 0, T0}, {WR, 0, 0, T0 + LATE}, {RD, 0, 0, T0 + LATE + g->ncwl + data + g->nwtr}},
         3},
        {"tRTP", {{ACT, 0, 0, T0}, {RD, 0, 0, T0 + LATE}, {PRE, 0, 0, T0 + LATE + g->nrtp}}, 3},
        {"tRTP before precharge all",
         {{ACT, 0, 1, T0}, {RD, 0, 1, T0 + LATE}, {PREA, 0, 0, T0 + LATE + g->nrtp}},
         3},
        {"tWR",
         {{ACT, 0, 0, T0}, {WR, 0, 0, T0 + LATE}, {PRE, 0, 0, T0 + LATE + g->ncwl + data + g->nwr}},
         3},
        {"tWR before precharge all",
         {{ACT, 0, 1, T0},
          {WR, 0, 1, T0 + LATE},
          {PREA, 0, 0, T0 + LATE + g->ncwl + data + g->nwr}},
         3},
        {"tRFC before an activate", {{REF, 0, 0, T0}, {ACT, 0, 0, T0 + g->nrfc}}, 2},
        {"tRFC before a refresh", {{REF, 0, 0, T0}, {REF, 0, 0, T0 + g->nrfc}}, 2},
        {"read, then a read of another rank",
         {{ACT, 0, 0, T0},
          {ACT, 1, 0, T0 + 100},
          {RD, 0, 0, T0 + LATE},
          {RD, 1, 0, T0 + LATE + data + g->nrtrs}},
         4},
        {"write, then a write of another rank",
         {{ACT, 0, 0, T0},
          {ACT, 1, 0, T0 + 100},
          {WR, 0, 0, T0 + LATE},
          {WR, 1, 0, T0 + LATE + data + g->nrtrs}},
         4},
        {"read, then a write of another rank",
         {{ACT, 0, 0, T0},
          {ACT, 1, 0, T0 + 100},
          {RD, 0, 0, T0 + LATE},
          {WR, 1, 0, T0 + LATE + g->ncl + data + g->nrtrs - g->ncwl}},
         4},
    };

    memcpy(out, all, sizeof(all));
    return KM_ARRAY_LEN(all);
}

static uint64_t device_says(const struct km_dram_geom *g, const struct scenario *s)
{
    static struct km_dram d;
    const struct step *last = &s->step[s->nr - 1];

    km_dram_init(&d, g);
    for (unsigned k = 0; k + 1 < s->nr; k++) {
        struct km_dram_addr a = {s->step[k].rank, s->step[k].bank, 7, 0, 0};

        km_dram_issue(&d, s->step[k].cmd, &a, s->step[k].at);
    }
    struct km_dram_addr a = {last->rank, last->bank, 7, 0, 0};

    return km_dram_earliest(&d, last->cmd, &a);
}

static uint64_t audit_objects(const struct km_dram_geom *g, const struct scenario *s, uint64_t at)
{
    static struct km_dram_audit audit;

    km_dram_audit_init(&audit, g, false);
    for (unsigned k = 0; k < s->nr; k++) {
        struct km_dram_addr a = {s->step[k].rank, s->step[k].bank, 7, 0, 0};

        if (k + 1 == s->nr)
            assert_int_equal(audit.violations, 0);
        km_dram_audit_see(&audit, s->step[k].cmd, &a, k + 1 == s->nr ? at : s->step[k].at);
    }
    return audit.violations;
}

static void keep_last(void *ctx, const struct km_err *err)
{
    snprintf(ctx, 1024, "%.900s", err->msg);
}

static unsigned check_preset(const char *path)
{
    struct km_config cfg;
    struct scenario s[32];
    char message[1024] = "";
    unsigned checked = 0;

    assert_int_equal(km_config_load(&cfg, path, NULL, 0, keep_last, message), KM_OK);
    struct km_dram_geom g = km_dram_geom_of(&cfg.machine.dram);

    km_config_release(&cfg);
    assert_string_equal(message, "");
    g.ranks = 2; /* rank rules need two; the timing is the preset's */
    assert_null(km_dram_check(&g));
    unsigned nr = scenarios(&g, s);

    for (unsigned i = 0; i < nr; i++) {
        if (!s[i].nr)
            continue;
        uint64_t n = s[i].step[s[i].nr - 1].at;

        if (device_says(&g, &s[i]) != n || !audit_objects(&g, &s[i], n - 1) ||
            audit_objects(&g, &s[i], n))
            print_error("%s: %s\n", path, s[i].rule);
        assert_int_equal(device_says(&g, &s[i]), n);
        assert_true(audit_objects(&g, &s[i], n - 1) > 0);
        assert_int_equal(audit_objects(&g, &s[i], n), 0);
        checked++;
    }
    return checked;
}

static void every_rule_of_every_preset(void **state)
{
    static const char *const wanted[] = {"sdr-pc100", "sdr-pc133", "ddr-400",
                                         "ddr2-533",  "ddr2-800",  "ddr3-800",
                                         "ddr3-1066", "ddr3-1333", "ddr3-1600k"};
    glob_t found;

    (void)state;
    assert_int_equal(glob(KM_SOURCE_DIR "/configs/dram/*.yaml", 0, NULL, &found), 0);
    for (size_t i = 0; i < found.gl_pathc; i++)
        assert_true(check_preset(found.gl_pathv[i]) >= 23);
    for (size_t i = 0; i < KM_ARRAY_LEN(wanted); i++) {
        bool there = false;

        for (size_t k = 0; k < found.gl_pathc; k++)
            there |= strstr(found.gl_pathv[k], wanted[i]) != NULL;
        assert_true(there);
    }
    globfree(&found);
}

/* Each relation between parameters: kept by every preset (they load), noticed when broken. */
static void contradictions_are_noticed(void **state)
{
    static const struct {
        const char *set, *message;
    } bad[] = {
        {"machine.dram.nras=10", "nras (10) is shorter than nrcd (11)"},
        {"machine.dram.nrc=38", "nrc (38) is shorter than nras + nrp (39)"},
        {"machine.dram.ncwl=12", "ncl (11) is shorter than ncwl (12)"},
        {"machine.dram.nccd=3", "nccd (3) is shorter than the data of a burst (4)"},
        {"machine.dram.nfaw=4", "nfaw (4) is shorter than nrrd (5)"},
        {"machine.dram.nrfc=20", "nrfc (20) is shorter than nrc (39)"},
        {"machine.dram.nrefi=247", "nrefi (247) is shorter than nrfc + nrp + nras + 1 (248)"},
    };

    (void)state;
    for (size_t i = 0; i < KM_ARRAY_LEN(bad); i++) {
        struct km_config cfg;
        char message[1024] = "";

        assert_int_not_equal(km_config_load(&cfg, KM_SOURCE_DIR "/configs/dram.yaml", &bad[i].set,
                                            1, keep_last, message),
                             KM_OK);
        assert_non_null(strstr(message, bad[i].message));
        struct km_dram_geom g = km_dram_geom_of(&cfg.machine.dram);

        assert_non_null(km_dram_check(&g));
        km_config_release(&cfg);
    }
    struct km_dram_relation r;
    unsigned nr = 0;
    struct km_dram_geom g = {.data_rate = 1};

    while (km_dram_contradiction(&g, nr, &r))
        nr++;
    assert_int_equal(nr, KM_ARRAY_LEN(bad));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_rule_of_every_preset),
        cmocka_unit_test(contradictions_are_noticed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
