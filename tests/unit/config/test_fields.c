/* SPDX-License-Identifier: MIT
 * test_fields.c - the option tables themselves: complete, consistent, no member used twice.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "sim/config/config.h"
#include "sim/config/field.h"

static struct km_option option[KM_OPTIONS_MAX];
static size_t nr;

static bool is_number(const struct km_field *f)
{
    return f->type == KM_FIELD_NUMBER || f->type == KM_FIELD_SIZE || f->type == KM_FIELD_FREQ ||
           f->type == KM_FIELD_NS || f->type == KM_FIELD_PS;
}

static void rows_are_complete(void **state)
{
    (void)state;
    assert_true(nr > 100);
    for (size_t i = 0; i < nr; i++) {
        const struct km_field *f = option[i].field;

        assert_non_null(f->help);
        assert_true(f->help[0] != '\0');
        assert_null(strstr(f->help, " #")); /* the dump puts the help in a comment */
        assert_non_null(option[i].def);
        for (const char *p = f->key; *p; p++)
            assert_true(islower((unsigned char)*p) || isdigit((unsigned char)*p) || *p == '_');
        assert_int_equal(f->type == KM_FIELD_CHOICE, f->choices != NULL);
        if (is_number(f)) {
            assert_true(f->size == 4 || f->size == 8);
            assert_true(f->min < f->max);
            assert_true(f->size == 8 || f->max <= UINT32_MAX);
        }
        if (f->zero_only_by_word)
            assert_true(f->zero_word && f->min > 0);
    }
}

static void defaults_parse(void **state)
{
    char msg[512];
    uint64_t v;

    (void)state;
    for (size_t i = 0; i < nr; i++)
        assert_true(km_value_parse(option[i].field, option[i].def, &v, msg, sizeof(msg)));
}

static void choices_are_sorted(void **state)
{
    (void)state;
    for (size_t i = 0; i < nr; i++) {
        const struct km_choice *c = option[i].field->choices;

        if (!c || strcmp(c[0].word, "auto") == 0 || strcmp(option[i].field->key, "split") == 0 ||
            strcmp(option[i].field->key, "timing") == 0)
            continue; /* these have an order of their own */
        for (; c[1].word; c++)
            assert_true(strcmp(c[0].word, c[1].word) < 0);
    }
}

static void members_do_not_overlap(void **state)
{
    static unsigned char used[sizeof(struct km_config)];

    (void)state;
    for (size_t i = 0; i < nr; i++) {
        assert_true(option[i].offset + option[i].field->size <= sizeof(struct km_config));
        for (size_t k = 0; k < option[i].field->size; k++)
            assert_int_equal(used[option[i].offset + k]++, 0);
    }
}

static void paths_are_unique(void **state)
{
    (void)state;
    for (size_t i = 0; i < nr; i++)
        for (size_t k = i + 1; k < nr; k++)
            assert_string_not_equal(option[i].path, option[k].path);
}

/* Names that scripts rely on. */
static void promised_keys(void **state)
{
    static const char *const promised[] = {
        "machine.cpus", "machine.ram", "machine.paging", "machine.split", "machine.clock",
        "machine.l1i.size", "machine.l1d.ways", "machine.l2.line", "machine.l3.replacement",
        "machine.l1d.write", "machine.l1d.allocate", "machine.l1d.latency", "machine.itlb.entries_4k",
        "machine.dtlb.ways_4k", "machine.stlb.entries_large", "machine.dram.preset",
        "machine.dram.scheduler", "machine.dram.page", "machine.dram.refresh", "machine.dram.mapping",
        "machine.dram.queue_read", "machine.dram.queue_write", "os.personality", "os.slab",
        "workload.type", "workload.trace", "workload.format", "workload.mlp", "workload.pace",
        "replay.mode", "replay.pacing", "replay.resync", "timing", "report.period", "report.plots",
        "report.html", "report.trace_out", "report.vcd", "seed",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(promised) / sizeof(promised[0]); i++) {
        size_t k = 0;

        while (k < nr && strcmp(option[k].path, promised[i]) != 0)
            k++;
        if (k == nr)
            print_error("no option %s\n", promised[i]);
        assert_true(k < nr);
    }
}

static void words_and_choices(void **state)
{
    const char *help;

    (void)state;
    assert_string_equal(km_config_word("replay.mode", KM_REPLAY_BUDDY), "buddy");
    assert_string_equal(km_config_word("machine.l2.replacement", KM_REPL_PLRU), "plru");
    assert_string_equal(km_config_word("timing", 99), "?");
    assert_string_equal(km_config_choice("timing", 1, &help), "off");
    assert_true(help[0] != '\0');
    assert_null(km_config_choice("timing", 2, NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_complete),  cmocka_unit_test(defaults_parse),
        cmocka_unit_test(choices_are_sorted), cmocka_unit_test(members_do_not_overlap),
        cmocka_unit_test(paths_are_unique),   cmocka_unit_test(promised_keys),
        cmocka_unit_test(words_and_choices),
    };

    nr = km_options_list(option);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
