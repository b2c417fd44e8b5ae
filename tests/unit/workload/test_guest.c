/* SPDX-License-Identifier: MIT
 * test_guest.c - what a replay's machine looks like: RAM, zone border, CPUs, paging.
 */
#include "tests/unit/workload/replay_rig.h"

#define MIB(n) ((uint64_t)(n) << 20)

struct setup {
    struct km_config cfg;
    struct km_bundle bundle;
    struct km_machine_facts f;
    struct km_err err;
};

/* A configuration that leaves all to the trace, and an empty bundle of a PAE machine. */
static void init(struct setup *s)
{
    memset(s, 0, sizeof(*s));
    assert_int_equal(km_config_load(&s->cfg, KM_SOURCE_DIR "/configs/replay.yaml", NULL, 0, rig_problem, NULL), 0);
    s->bundle.pae = true;
    s->bundle.cpus = 2;
}

static void e820(struct setup *s, uint64_t start, uint64_t end, bool usable)
{
    s->bundle.e820[s->bundle.nr_e820++] = (struct km_e820){start, end, usable};
}

static int facts(struct setup *s, km_pfn highest)
{
    struct km_trace_extent seen = {.highest_pfn = highest, .cpus = 3};
    int rc = km_guest_facts(&s->f, &s->cfg, &s->bundle, &seen, &s->err);

    km_config_release(&s->cfg);
    return rc;
}

static void ram_is_the_usable_part_of_the_memory_map(void **state)
{
    struct setup s;

    (void)state;
    init(&s);
    e820(&s, 0, 0x9fc00, true);
    e820(&s, 0x9fc00, 0xa0000, false);
    e820(&s, MIB(1), 0x1ffe0000, true);
    e820(&s, 0xfffc0000, 0x100000000, false);
    assert_int_equal(facts(&s, 0), KM_OK);
    assert_int_equal(s.f.nr_ram, 2);
    assert_int_equal(s.f.ram[0].start, 1); /* page 0 is never used */
    assert_int_equal(s.f.ram[0].end, 0x9f); /* only whole pages */
    assert_int_equal(s.f.ram[1].start, 0x100);
    assert_int_equal(s.f.max_pfn, 0x1ffe0);
    assert_int_equal(s.f.max_low_pfn, 0x1ffe0); /* all of it is low */
    assert_int_equal(s.f.cpus, 2);
    assert_int_equal(s.f.pageblock_order, 9);
}

/* The bundle's 2 win over the 3 the trace names, but a trace alone needs all of its own. */
static void cpus_without_a_bundle_are_those_of_the_trace(void **state)
{
    struct setup s;

    (void)state;
    init(&s);
    assert_int_equal(facts(&s, 5000), KM_OK);
    assert_int_equal(s.f.cpus, 2);
    init(&s);
    s.bundle.cpus = 0;
    assert_int_equal(facts(&s, 5000), KM_OK);
    assert_int_equal(s.f.cpus, 3);
}

/* MAXMEM: low memory ends where vmalloc, pkmap and fixmaps need the rest of the fourth gigabyte. */
static void low_memory_ends_at_maxmem(void **state)
{
    struct setup s;

    (void)state;
    init(&s);
    e820(&s, MIB(1), MIB(2048), true);
    assert_int_equal(facts(&s, 0), KM_OK);
    assert_int_equal(s.f.max_low_pfn, 225278); /* PAE: Normal ends with frame 225277 */
    assert_int_equal(s.f.max_pfn, 0x80000);
    init(&s);
    s.bundle.pae = false;
    e820(&s, MIB(1), MIB(2048), true);
    assert_int_equal(facts(&s, 0), KM_OK);
    assert_int_equal(s.f.max_low_pfn, 224254);
    assert_int_equal(s.f.pageblock_order, 10);
}

/* What zoneinfo says about HighMem beats the rule. An empty HighMem zone says nothing. */
static void a_traced_border_beats_the_rule(void **state)
{
    struct setup s;

    (void)state;
    for (int present = 0; present < 2; present++) {
        init(&s);
        e820(&s, MIB(1), MIB(2048), true);
        s.bundle.end.nr_zones = 1;
        s.bundle.end.zone[0] = (struct km_zone_facts){.start_pfn = 0x30000, .present = present ? 1000 : 0};
        strcpy(s.bundle.end.zone[0].zone, "HighMem");
        assert_int_equal(facts(&s, 0), KM_OK);
        assert_int_equal(s.f.max_low_pfn, present ? 0x30000 : 225278);
    }
}

/* Without a memory map: the smallest machine in steps of 64 MiB that has the highest frame seen. */
static void ram_is_guessed_from_the_highest_frame(void **state)
{
    static const struct {
        km_pfn highest, max;
    } cases[] = {{0x3fff, 0x4000}, {0x4000, 0x8000}, {0x1fff0, 0x20000}};
    struct setup s;

    (void)state;
    for (unsigned i = 0; i < KM_ARRAY_LEN(cases); i++) {
        init(&s);
        assert_int_equal(facts(&s, cases[i].highest), KM_OK);
        assert_int_equal(s.f.max_pfn, cases[i].max);
    }
    init(&s);
    assert_int_equal(facts(&s, 0), KM_E_USAGE);
    assert_non_null(strstr(s.err.msg, "the size of RAM is not known"));
}

static void the_configuration_beats_the_trace(void **state)
{
    struct setup s;

    (void)state;
    init(&s);
    e820(&s, MIB(1), MIB(512), true);
    s.cfg.machine.ram_bytes = MIB(128);
    s.cfg.machine.cpus = 5;
    s.cfg.os.pageblock_order = 7;
    s.cfg.os.lowmem_limit_bytes = MIB(100);
    assert_int_equal(facts(&s, 0), KM_OK);
    assert_int_equal(s.f.max_pfn, 0x8000);
    assert_int_equal(s.f.max_low_pfn, 0x6400);
    assert_int_equal(s.f.cpus, 5);
    assert_int_equal(s.f.pageblock_order, 7);
    init(&s);
    strcpy(s.cfg.os.e820, "0x1000-0x9f000,0x100000-0x4000000");
    assert_int_equal(facts(&s, 0), KM_OK);
    assert_int_equal(s.f.nr_ram, 2);
    assert_int_equal(s.f.max_pfn, 0x4000);
}

static void refused(const char *e820_text, bool pae, const char *why)
{
    struct setup s;

    init(&s);
    s.bundle.pae = pae;
    strcpy(s.cfg.os.e820, e820_text);
    assert_int_equal(facts(&s, 0), KM_E_USAGE);
    if (!strstr(s.err.msg, why))
        fail_msg("\"%s\": \"%s\" does not say \"%s\"", e820_text, s.err.msg, why);
}

static void bad_ram_is_refused(void **state)
{
    (void)state;
    refused("junk", true, "expected START-END at \"junk\"");
    refused("0x100000-", true, "expected START-END");
    refused("0x100000-0x4000000;1", true, "expected START-END");
    refused("0x4000000-0x100000", true, "empty range");
    refused("0x1000-0x1000000,0x800000-0x4000000", true, "overlap or are not ascending");
    refused("0x2000000-0x4000000,0x100000-0x1000000", true, "overlap or are not ascending");
    refused("0x100000-0x140000000", false, "do not fit two-level paging (at most 4 GiB)");
    refused("0x100000-0x1040000000", true, "do not fit PAE paging (at most 64 GiB)");
    refused("0x100000-0x100000000000", true, "do not fit PAE");
    refused("0x1000-0x200000", true, "the size of RAM is not known"); /* no kernel fits */
}

static void too_many_cpus_are_refused(void **state)
{
    struct setup s;

    (void)state;
    init(&s);
    s.bundle.cpus = KM_MAX_CPUS + 1;
    e820(&s, MIB(1), MIB(512), true);
    assert_int_equal(facts(&s, 0), KM_E_INPUT);
    assert_non_null(strstr(s.err.msg, "CPUs"));
}

/* A copy has the same lists, and a life of its own. */
static void a_clone_is_independent(void **state)
{
    struct rig *rig = rig_new();
    struct km_guest copy, *g = &rig->r.guest;
    km_pfn b = RIG_BLOCK(1);

    (void)state;
    rig_give(rig, b, 4, KM_MT_MOVABLE);
    km_pcp_place(&g->os, &g->cpu[0], KM_ZONE_NORMAL, 1, b + 32, 0, KM_MT_MOVABLE);
    assert_int_equal(km_guest_clone(&copy, g, NULL), KM_OK);
    assert_true(km_range_free(&copy.os, copy.window.base, b, 4));
    assert_int_equal(km_pcp_count(&copy.os, copy.window.base, KM_ZONE_NORMAL, 1), 1);
    assert_null(km_buddy_check(&copy.os, copy.window.base, KM_ZONE_NORMAL));
    assert_null(km_pcp_check(&copy.os, copy.window.base, KM_ZONE_NORMAL, 1));
    assert_true(km_buddy_take_at(&copy.os, &copy.cpu[0], KM_ZONE_NORMAL, b, 4, KM_MT_MOVABLE));
    assert_true(rig_is_free(rig, b, 4));
    km_guest_release(&copy);
    rig_free(rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ram_is_the_usable_part_of_the_memory_map),
        cmocka_unit_test(cpus_without_a_bundle_are_those_of_the_trace),
        cmocka_unit_test(low_memory_ends_at_maxmem),
        cmocka_unit_test(a_traced_border_beats_the_rule),
        cmocka_unit_test(ram_is_guessed_from_the_highest_frame),
        cmocka_unit_test(the_configuration_beats_the_trace),
        cmocka_unit_test(bad_ram_is_refused),
        cmocka_unit_test(too_many_cpus_are_refused),
        cmocka_unit_test(a_clone_is_independent),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
