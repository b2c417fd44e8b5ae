/* SPDX-License-Identifier: MIT
 * test_mtrace.c - reading mtrace(3) texts: every record kind, what is refused and where.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sim/trace/mtrace.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char path[64];

static void write_text(const char *text)
{
    strcpy(path, "/tmp/test_mtrace.XXXXXX");
    int fd = mkstemp(path);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
}

static void expect_bad(const char *text, int line, const char *message)
{
    struct km_mtrace_event ev;
    struct km_mtrace *t;
    struct km_err err;
    int rc;

    write_text(text);
    assert_int_equal(km_mtrace_open(&t, path, &err), KM_OK);
    while ((rc = km_mtrace_next(t, &ev, &err)) > 0)
        ;
    assert_int_equal(rc, KM_E_INPUT);
    assert_int_equal(err.line, line);
    assert_non_null(strstr(err.msg, message));
    km_mtrace_close(t);
    unlink(path);
}

static void records(void **state)
{
    static const struct km_mtrace_event want[] = {
        {.op = KM_MTRACE_ALLOC, .ptr = 0x5655a1a0, .bytes = 0x18, .line = 2},
        {.op = KM_MTRACE_REALLOC, .ptr = 0x5655a1c0, .old_ptr = 0x5655a1a0, .bytes = 0x30, .line = 3},
        {.op = KM_MTRACE_FREE, .ptr = 0x7f0012345678, .line = 5},
        {.op = KM_MTRACE_ALLOC, .failed = true, .bytes = 0xffffffff, .line = 6},
        {.op = KM_MTRACE_REALLOC, .failed = true, .old_ptr = 0x10, .bytes = 0x20, .line = 7},
        {.op = KM_MTRACE_FREE, .ptr = 0x99, .line = 8},
    };
    struct km_mtrace_event ev;
    struct km_mtrace *t;
    struct km_err err;

    (void)state;
    write_text("= Start\n@ ./my prog:(main+0x1d)[0x565561ad] + 0x5655a1a0 0x18\n@ ./p:[0x1] < 0x5655a1a0\n"
               "@ ./p:[0x1] > 0x5655a1c0 0x30\n- 0x7f0012345678\r\n@ ./p:[0x1] + (nil) 0xffffffff\n"
               "@ [0x1] ! 0x10 0x20\n@ place - 0x99\n\n= End\n");
    assert_true(km_mtrace_probe(path));
    assert_int_equal(km_mtrace_open(&t, path, &err), KM_OK);
    for (unsigned i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
        assert_int_equal(km_mtrace_next(t, &ev, &err), 1);
        assert_int_equal(ev.op, want[i].op);
        assert_int_equal(ev.failed, want[i].failed);
        assert_int_equal(ev.ptr, want[i].ptr);
        assert_int_equal(ev.old_ptr, want[i].old_ptr);
        assert_int_equal(ev.bytes, want[i].bytes);
        assert_int_equal(ev.line, want[i].line);
    }
    assert_int_equal(km_mtrace_next(t, &ev, &err), 0);
    km_mtrace_close(t);
    unlink(path);
}

static void refused(void **state)
{
    static char longest[6000];

    (void)state;
    expect_bad("= Start\n@ p:[0x1] + 0x10 0x20\nnonsense\n", 3, "not an mtrace record: nonsense");
    expect_bad("@ p:[0x1] + 0x10\n", 1, "not an mtrace record");
    expect_bad("@ p:[0x1] + 0x10 0x20 0x30\n", 1, "not an mtrace record");
    expect_bad("@ p:[0x1] + 0x12345678901234567 0x20\n", 1, "not an mtrace record");
    expect_bad("@ p:[0x1] < 0x10\n@ p:[0x1] - 0x10\n", 2, "lacks its second line");
    expect_bad("@ p:[0x1] < 0x10\n", 1, "lacks its second line");
    expect_bad("@ p:[0x1] > 0x10 0x20\n", 1, "without the first");
    memset(longest, 'x', sizeof(longest) - 1);
    expect_bad(longest, 1, "longer than");
}

static void told_from_other_files(void **state)
{
    (void)state;
    write_text("I  0023C790,2\n");
    assert_false(km_mtrace_probe(path));
    unlink(path);
    write_text("= something else\n");
    assert_false(km_mtrace_probe(path));
    unlink(path);
    write_text("");
    assert_false(km_mtrace_probe(path));
    unlink(path);
    assert_false(km_mtrace_probe("/nonexistent"));
    assert_false(km_mtrace_probe("/tmp"));
    assert_false(km_mtrace_probe(KM_SOURCE_DIR "/traces/excerpts/record.txt.gz"));
    assert_true(km_mtrace_probe(KM_SOURCE_DIR "/traces/user/wordcount.mtrace.gz"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records),
        cmocka_unit_test(refused),
        cmocka_unit_test(told_from_other_files),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
