/* SPDX-License-Identifier: MIT
 * test_progress.c - the text of the progress line, and that it is silent without a terminal.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "sim/base/progress.h"

static void line(void **state)
{
    struct km_progress p = {.what = "events", .total = 1000};
    char buf[160];

    (void)state;
    km_progress_format(buf, sizeof(buf), &p, 5000, 250, 1500000000, 2000000000);
    assert_string_equal(buf, "5000 events, 2500/s, simulated 1.500 s,  25 %, 6 s left");
    p.total = 0;
    km_progress_format(buf, sizeof(buf), &p, 0, 0, 0, 0);
    assert_string_equal(buf, "0 events, 0/s, simulated 0.000 s");
}

static void quiet(void **state)
{
    struct km_progress p;

    (void)state;
    km_progress_start(&p, true, "events", 0);
    assert_null(p.out);
    for (int i = 0; i < 10000; i++)
        km_progress_update(&p, 1, 1, 1);
    km_progress_end(&p);
    assert_false(p.drawn);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(line), cmocka_unit_test(quiet)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
