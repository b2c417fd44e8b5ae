/* SPDX-License-Identifier: MIT
 * test_prefetch.c - what each prefetcher asks for, by pattern: references, then the lines it names.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "models/cache/prefetch.h"

#include <stdio.h>
#include <string.h>

/* 64-byte lines: 64 per page. Writes "line:asked,asked ..." for every reference. */
static void expect(enum km_prefetch_kind kind, uint32_t degree, const uint64_t *line, unsigned nr,
                   const char *want)
{
    struct km_prefetch p;
    char got[400] = "";
    size_t at = 0;

    km_prefetch_init(&p, kind, degree, 64);
    for (unsigned i = 0; i < nr; i++) {
        uint64_t out[KM_PREFETCH_DEGREE];
        unsigned n = km_prefetch_observe(&p, line[i], true, out);

        for (unsigned k = 0; k < n; k++)
            at += (size_t)snprintf(got + at, sizeof(got) - at, "%u ", (unsigned)out[k]);
        at += (size_t)snprintf(got + at, sizeof(got) - at, "| ");
    }
    assert_string_equal(got, want);
    assert_int_equal(p.misses, nr);
}

static void patterns(void **state)
{
    (void)state;
    static const uint64_t up[] = {10, 11, 12}, down[] = {10, 9, 8}, edge[] = {62, 63, 64, 65};
    static const uint64_t far[] = {0, 5, 10, 15, 21, 26}, mixed[] = {0, 640, 1, 641, 2, 642};

    expect(KM_PREFETCH_NONE, 4, up, 3, "| | | ");
    expect(KM_PREFETCH_NEXT, 2, up, 3, "11 12 | 12 13 | 13 14 | ");
    expect(KM_PREFETCH_NEXT, 2, edge, 4, "63 | | 65 66 | 66 67 | "); /* never leaves the page */
    expect(KM_PREFETCH_ADJACENT, 4, up, 3, "11 | 10 | 13 | ");       /* pairs, one line */
    expect(KM_PREFETCH_STREAM, 2, up, 3, "| 12 13 | 13 14 | ");
    expect(KM_PREFETCH_STREAM, 2, down, 3, "| 8 7 | 7 6 | ");
    expect(KM_PREFETCH_STREAM, 1, far, 6, "| | | | | | ");
    expect(KM_PREFETCH_STREAM, 1, mixed, 6, "| | 2 | 642 | 3 | 643 | "); /* two pages at once */
    expect(KM_PREFETCH_STRIDE, 2, far, 6, "| | 15 20 | 20 25 | | | ");
    expect(KM_PREFETCH_STRIDE, 1, up, 3, "| | 13 | ");
}

/* Seventeen pages in turn are one more than it remembers. */
static void pages_are_forgotten(void **state)
{
    (void)state;
    struct km_prefetch p;
    uint64_t out[KM_PREFETCH_DEGREE];

    for (unsigned pages = 16; pages <= 17; pages++) {
        unsigned asked = 0;

        km_prefetch_init(&p, KM_PREFETCH_STREAM, 1, 64);
        for (uint64_t i = 0; i < 10; i++)
            for (uint64_t page = 0; page < pages; page++)
                asked += km_prefetch_observe(&p, page * 64 + i, true, out);
        assert_int_equal(asked, pages == 16 ? 16 * 9 : 0);
    }
}

static void usefulness(void **state)
{
    (void)state;
    struct km_prefetch p;

    km_prefetch_init(&p, KM_PREFETCH_NEXT, 1, 64);
    km_prefetch_issue(&p, 5);
    assert_false(km_prefetch_use(&p, 6));
    assert_true(km_prefetch_use(&p, 5));
    assert_false(km_prefetch_use(&p, 5)); /* counted once */
    km_prefetch_issue(&p, 7);
    km_prefetch_issue(&p, 7 + KM_PREFETCH_MEMORY); /* takes its place */
    assert_false(km_prefetch_use(&p, 7));
    assert_int_equal(p.issued, 3);
    assert_int_equal(p.useful, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(patterns),
        cmocka_unit_test(pages_are_forgotten),
        cmocka_unit_test(usefulness),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
