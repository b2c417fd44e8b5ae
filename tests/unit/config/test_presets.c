/* SPDX-License-Identifier: MIT
 * test_presets.c - every shipped configuration loads without a message and survives a dump.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/config/config.h"

static void count(void *ctx, const struct km_err *err)
{
    print_error("%s:%d:%d: %s\n", err->file, err->line, err->col, err->msg);
    ++*(unsigned *)ctx;
}

static char *dump(const struct km_config *cfg)
{
    char *text = NULL;
    size_t size;
    FILE *f = open_memstream(&text, &size);

    assert_non_null(f);
    km_config_dump(f, cfg);
    fclose(f);
    return text;
}

static void check(const char *path)
{
    struct km_config cfg, again;
    unsigned messages = 0;
    char *one, *two;

    assert_int_equal(km_config_load(&cfg, path, NULL, 0, count, &messages), KM_OK);
    one = dump(&cfg);
    assert_int_equal(
        km_config_load_text(&again, "resolved.yaml", one, strlen(one), NULL, 0, count, &messages), KM_OK);
    two = dump(&again);
    assert_string_equal(one, two);
    assert_int_equal(messages, 0);
    free(one);
    free(two);
    km_config_release(&cfg);
    km_config_release(&again);
}

static void all_load(void **state)
{
    static const char *const pattern[] = {KM_SOURCE_DIR "/configs/*.yaml", KM_SOURCE_DIR "/configs/*/*.yaml"};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        glob_t g;

        assert_int_equal(glob(pattern[i], 0, NULL, &g), 0);
        assert_true(g.gl_pathc >= 4);
        for (size_t k = 0; k < g.gl_pathc; k++)
            check(g.gl_pathv[k]);
        globfree(&g);
    }
}

/* Figures that reports and other tests rely on: DDR3-1600K as the public simulators run it. */
static void ddr3_1600k(void **state)
{
    struct km_config cfg;
    unsigned messages = 0;

    (void)state;
    assert_int_equal(
        km_config_load(&cfg, KM_SOURCE_DIR "/configs/dram.yaml", NULL, 0, count, &messages), KM_OK);
    assert_int_equal(cfg.machine.dram.clock_hz, 800000000);
    assert_int_equal(cfg.machine.dram.nrfc, 208);
    assert_int_equal(cfg.machine.dram.nrefi, 6240);
    assert_int_equal(cfg.machine.dram.data_rate, 2);
    assert_int_equal(cfg.workload.type, KM_WL_MEMREF);
    assert_int_equal(cfg.workload.format, KM_FMT_DRAM_RW);
    km_config_release(&cfg);
}

static void reference_names_every_section(void **state)
{
    char *text = NULL;
    size_t size;
    FILE *f = open_memstream(&text, &size);

    (void)state;
    km_config_reference(f);
    fclose(f);
    assert_non_null(strstr(text, "| `machine.cpus` | `auto` | 1..8, or auto | CPUs |"));
    assert_non_null(strstr(text, "## machine.l1i"));
    assert_non_null(strstr(text, "The same keys: `machine.l2`"));
    assert_non_null(strstr(text, "- `oracle`: "));
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_load),
        cmocka_unit_test(ddr3_1600k),
        cmocka_unit_test(reference_names_every_section),
    };

    unsetenv("KMEMSIM_CONFIGS");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
