/* SPDX-License-Identifier: MIT
 * test_trace.c - every format, opened by content; equal events in text and binary; every kind of
 * damage.
 */
#include "trace_helper.h"

static const char tracecmd_line[] =
    "            bash-289   [001]    57.089903447: mm_page_free: page=0x10 pfn=0x10 order=0\n";

static void expect_refusal(const char *path, const char *part)
{
    struct km_trace *trace;
    struct km_err err = {0};

    assert_true(km_trace_open(&trace, path, &err) < 0);
    assert_null(trace);
    assert_non_null(strstr(err.msg, part));
    assert_non_null(strstr(err.file, path));
}

static void format_names(void **state)
{
    static const struct {
        const char *path, *format;
        uint64_t events;
    } rows[] = {
        {EXCERPTS "record.txt.gz", "tracecmd", 2000},
        {EXCERPTS "record-v7-zstd.dat", "tracedat", 2000},
        {EXCERPTS "record-v6.dat.gz", "tracedat", 2000},
        {EXCERPTS "ftrace-head.txt.gz", "ftrace", 1988},
        {EXCERPTS "boot-head", "tracecmd", 4000},
        {QUICKSTART, "tracecmd", 158061},
    };
    struct km_err err;
    uint64_t events;

    (void)state;
    for (size_t i = 0; i < KM_ARRAY_LEN(rows); i++) {
        struct km_trace *trace = open_trace(rows[i].path);

        assert_string_equal(km_trace_info(trace)->format, rows[i].format);
        assert_int_equal(km_trace_info(trace)->cpus, 2);
        assert_int_equal(drain(trace, &events, &err), 0);
        assert_int_equal(events, rows[i].events);
        assert_int_equal(km_trace_info(trace)->events, rows[i].events);
        assert_int_equal(km_trace_info(trace)->unparsed_lines, 0);
        assert_int_equal(km_trace_info(trace)->lost_marks, 0);
        assert_int_equal(km_trace_info(trace)->long_bits, 32);
        assert_false(km_trace_info(trace)->hashed_pointers);
        km_trace_close(trace);
    }
}

static void content_decides_not_the_name(void **state)
{
    size_t len;
    char *data = slurp(EXCERPTS "record-v6.dat.gz", &len);
    const char *path = write_file("misnamed.txt", data, len);
    struct km_trace *trace = open_trace(path);

    (void)state;
    assert_string_equal(km_trace_info(trace)->format, "tracedat");
    km_trace_close(trace);
    free(data);
}

static void binary_equals_text(void **state)
{
    (void)state;
    assert_int_equal(
        assert_same_events(EXCERPTS "record.txt.gz", EXCERPTS "record-v7-zstd.dat", true), 2000);
    assert_int_equal(
        assert_same_events(EXCERPTS "record.txt.gz", EXCERPTS "record-v6.dat.gz", true), 2000);
    assert_int_equal(
        assert_same_events(EXCERPTS "record-v7-zstd.dat", EXCERPTS "record-v6.dat.gz", false),
        2000);
}

static void binary_knows_the_context(void **state)
{
    struct km_trace *trace = open_trace(EXCERPTS "record-v7-zstd.dat");
    struct km_event ev;
    struct km_err err;
    unsigned irqs_off = 0, addresses = 0;

    (void)state;
    while (km_trace_next(trace, &ev, &err) > 0) {
        assert_true(ev.context & KM_EV_CONTEXT_KNOWN);
        irqs_off += ev.context & KM_EV_IRQS_OFF;
        addresses +=
            ev.type == KM_EV_KFREE && ev.obj.call_site_addr > 0xc1000000 && ev.obj.call_site;
    }
    assert_true(irqs_off > 0);
    assert_true(addresses > 0);
    km_trace_close(trace);
}

static void tracefs_equals_tracecmd(void **state)
{
    struct km_trace *kernel = open_trace(EXCERPTS "ftrace-head.txt.gz");
    struct km_trace *tool = open_trace(QUICKSTART);
    char *a = malloc(KM_TRACE_LINE_MAX), *b = malloc(KM_TRACE_LINE_MAX);
    struct km_event ev_a, ev_b;
    struct km_err err;

    (void)state;
    while (km_trace_next(kernel, &ev_a, &err) > 0) {
        assert_int_equal(km_trace_next(tool, &ev_b, &err), 1);
        forget_binary_only(&ev_a);
        assert_true(ev_b.time_ns + 500 >= ev_a.time_ns && ev_b.time_ns <= ev_a.time_ns + 500);
        ev_a.time_ns = ev_b.time_ns; /* the kernel prints microseconds */
        km_trace_format_event(kernel, &ev_a, a, KM_TRACE_LINE_MAX);
        km_trace_format_event(tool, &ev_b, b, KM_TRACE_LINE_MAX);
        assert_string_equal(a, b);
    }
    free(a);
    free(b);
    km_trace_close(kernel);
    km_trace_close(tool);
}

/* Writes the trace as text and reads it back. */
static void round_trip(const char *path)
{
    const char *copy = temporary_path("round-trip.txt");
    struct km_trace *trace = open_trace(path);
    char *line = malloc(KM_TRACE_LINE_MAX);
    FILE *f = fopen(copy, "w");
    struct km_event ev;
    struct km_err err;

    assert_non_null(f);
    km_trace_want_text(trace, true);
    while (km_trace_next(trace, &ev, &err) > 0) {
        km_trace_format_event(trace, &ev, line, KM_TRACE_LINE_MAX);
        fprintf(f, "%s\n", line);
    }
    fclose(f);
    free(line);
    km_trace_close(trace);
    assert_true(assert_same_events(path, copy, false) > 0);
}

static void text_written_is_read_back(void **state)
{
    (void)state;
    round_trip(EXCERPTS "record-v7-zstd.dat");
    round_trip(EXCERPTS "pressure-rare.txt.gz");
    round_trip(EXCERPTS "module-probes.txt.gz");
    round_trip(EXCERPTS "ftrace-head.txt.gz");
    round_trip(EXCERPTS "boot-head");
}

static void lost_events_are_counted(void **state)
{
    char text[1024];
    struct km_trace *trace;
    struct km_err err;
    uint64_t events;

    (void)state;
    snprintf(text, sizeof(text),
             "%sCPU:1 [LOST 42 EVENTS]\n%sCPU:0 [8 EVENTS DROPPED]\nrubbish\n%s", tracecmd_line,
             tracecmd_line, tracecmd_line);
    trace = open_trace(write_text("lost.txt", text));
    assert_int_equal(drain(trace, &events, &err), 0);
    assert_int_equal(events, 5);
    assert_int_equal(km_trace_info(trace)->lost_events, 50);
    assert_int_equal(km_trace_info(trace)->lost_marks, 2);
    assert_int_equal(km_trace_info(trace)->unparsed_lines, 1);
    assert_int_equal(km_trace_info(trace)->position, 6);
    km_trace_close(trace);
}

static void hashed_pointers_are_noticed(void **state)
{
    static const char *const hashes[] = {"9f3a1c27", "5be2d0a1", "1c47e39b", "e0d1f24e"};
    char text[2048] = "# tracer: nop\n";
    struct km_trace *trace;

    (void)state;
    for (size_t i = 0; i < KM_ARRAY_LEN(hashes); i++)
        sprintf(text + strlen(text),
                "  bash-289     [001] .....    57.089903: kmalloc: call_site=f+0x1/0x2 ptr=%s "
                "bytes_req=8 "
                "bytes_alloc=8 gfp_flags=GFP_KERNEL node=-1 accounted=false\n",
                hashes[i]);
    trace = open_trace(write_text("hashed.txt", text));
    assert_true(km_trace_info(trace)->hashed_pointers);
    km_trace_close(trace);
}

static void wide_kernels_are_noticed(void **state)
{
    static const char line[] = "  bash-289   [001]    57.089903: kmalloc: call_site=f+0x1/0x2 "
                               "ptr=0xffff888003c4a000 bytes_req=8 "
                               "bytes_alloc=8 gfp_flags=GFP_KERNEL node=-1 accounted=false\n";
    struct km_trace *trace = open_trace(write_text("wide.txt", line));
    struct km_event ev;
    struct km_err err;

    (void)state;
    assert_int_equal(km_trace_info(trace)->long_bits, 64);
    assert_int_equal(km_trace_next(trace, &ev, &err), 1);
    assert_true(ev.obj.ptr == 0xffff888003c4a000);
    km_trace_close(trace);
}

static void without_kmem_events(void **state)
{
    struct km_trace *trace = open_trace(
        write_text("sched.txt",
                   "# tracer: nop\n  bash-1 [000] d..2. 1.000001: sched_switch: prev_comm=bash\n"));
    struct km_event ev;
    struct km_err err;

    (void)state;
    assert_int_equal(km_trace_next(trace, &ev, &err), 1);
    assert_int_equal(ev.type, KM_EV_OTHER);
    assert_string_equal(km_trace_string(trace, ev.text.name), "sched_switch");
    assert_int_equal(km_trace_next(trace, &ev, &err), 0);
    assert_int_equal(km_trace_next(trace, &ev, &err), 0);
    km_trace_close(trace);
}

static void not_a_trace(void **state)
{
    char garbage[4096];

    (void)state;
    for (size_t i = 0; i < sizeof(garbage); i++)
        garbage[i] = (char)(i * 197 + (i >> 3));
    expect_refusal(temporary_path("missing.txt"), "No such file");
    expect_refusal(write_text("empty.txt", ""), "empty");
    expect_refusal(write_file("garbage.bin", garbage, sizeof(garbage)), "not a trace");
    expect_refusal(write_text("prose.txt", "It was a dark and stormy night.\n"), "not a trace");
    expect_refusal(write_gzip("empty.gz", "", 0), "not a trace");
    expect_refusal(KM_SOURCE_DIR "/cmake", "no trace");
}

static void cut_gzip_gives_what_was_before(void **state)
{
    size_t len;
    char *data = slurp(EXCERPTS "record.txt.gz", &len);
    struct km_trace *trace;
    struct km_err err = {0};
    uint64_t events;
    struct km_event ev;
    int rc;

    (void)state;
    trace = open_trace(write_file("cut.txt.gz", data, len / 2));
    rc = drain(trace, &events, &err);
    assert_true(rc < 0);
    assert_true(events > 500 && events < 1500);
    assert_int_equal(err.line, events + 2); /* the header line, and the one that is cut */
    assert_non_null(strstr(err.msg, "cut off"));
    assert_int_equal(km_trace_next(trace, &ev, &err), rc);
    km_trace_close(trace);
    free(data);
}

static void damaged_gzip_is_an_error(void **state)
{
    size_t len;
    char *data = slurp(EXCERPTS "record.txt.gz", &len);
    struct km_trace *trace;
    struct km_err err = {0};
    uint64_t events;

    (void)state;
    data[len - 6] ^= 0x40; /* the checksum */
    trace = open_trace(write_file("checksum.txt.gz", data, len));
    assert_true(drain(trace, &events, &err) < 0);
    assert_int_equal(events, 2000);
    assert_non_null(strstr(err.msg, "damaged gzip"));
    km_trace_close(trace);
    free(data);
}

static void gzip_members_in_a_row(void **state)
{
    const char *path = write_gzip("members.txt.gz", tracecmd_line, sizeof(tracecmd_line) - 1);
    size_t len;
    char *data = slurp(path, &len);
    char *twice = malloc(2 * len);
    struct km_trace *trace;
    struct km_err err;
    uint64_t events;

    (void)state;
    memcpy(twice, data, len);
    memcpy(twice + len, data, len);
    trace = open_trace(write_file("members2.txt.gz", twice, 2 * len));
    assert_int_equal(drain(trace, &events, &err), 0);
    assert_int_equal(events, 2);
    km_trace_close(trace);
    free(data);
    free(twice);
}

static void huge_lines_are_skipped(void **state)
{
    size_t huge = 3u << 20;
    char *text = malloc(huge + 1024);
    size_t len = (size_t)sprintf(text, "%s", tracecmd_line);
    struct km_trace *trace;
    struct km_err err;
    uint64_t events;

    (void)state;
    memset(text + len, 'x', huge);
    len += huge;
    len += (size_t)sprintf(text + len, "\n%s", tracecmd_line);
    trace = open_trace(write_file("huge.txt", text, len));
    assert_int_equal(drain(trace, &events, &err), 0);
    assert_int_equal(events, 2);
    assert_int_equal(km_trace_info(trace)->unparsed_lines, 1);
    assert_int_equal(km_trace_info(trace)->position, 3);
    km_trace_close(trace);
    free(text);
}

static void line_ends_of_other_systems(void **state)
{
    struct km_trace *trace = open_trace(
        write_text("crlf.txt",
                   "cpus=2\r\n  bash-1 [000] 1.000001: kfree: call_site=f+0x1 ptr=0xc1000010\r\n"));
    struct km_event ev;
    struct km_err err;

    (void)state;
    assert_int_equal(km_trace_next(trace, &ev, &err), 1);
    assert_int_equal(ev.obj.ptr, 0xc1000010);
    km_trace_close(trace);
}

/* Cut at every 97th byte: refused, or read as far as it goes; never a crash, never a wrong end. */
static void cut_binary(const char *excerpt, bool must_fail)
{
    size_t len;
    char *data = slurp(excerpt, &len);

    for (size_t cut = 1; cut < len; cut += cut < 600 ? 1 : 997) {
        const char *path = write_file("cut.dat", data, cut);
        struct km_trace *trace;
        struct km_err err = {0};
        uint64_t events;
        int rc = km_trace_open(&trace, path, &err);

        if (rc == KM_OK) {
            rc = drain(trace, &events, &err);
            km_trace_close(trace);
        }
        if (rc < 0)
            assert_true(err.msg[0] != '\0' && err.file[0] != '\0');
        assert_true(rc < 0 || !must_fail);
    }
    free(data);
}

static void cut_trace_dat(void **state)
{
    (void)state;
    cut_binary(EXCERPTS "record-v7-zstd.dat", true);
    cut_binary(EXCERPTS "record-v6.dat.gz", true);
}

/* Bytes of the descriptions and of the data turned over: an error or events, never a crash. */
static void garbled_trace_dat(void **state)
{
    size_t len;
    char *data = slurp(EXCERPTS "record-v7-zstd.dat", &len);
    uint32_t random = 1;
    unsigned refused = 0;

    (void)state;
    for (unsigned round = 0; round < 60; round++) {
        char *copy = malloc(len);
        struct km_trace *trace;
        struct km_err err = {0};
        uint64_t events;
        int rc;

        memcpy(copy, data, len);
        for (unsigned i = 0; i <= round % 8; i++) {
            random = random * 1664525u + 1013904223u;
            copy[40 + (random >> 8) % (len - 40)] ^= (char)(1u << (random >> 29));
        }
        rc = km_trace_open(&trace, write_file("garbled.dat", copy, len), &err);
        if (rc == KM_OK) {
            rc = drain(trace, &events, &err);
            km_trace_close(trace);
        }
        if (rc < 0) {
            assert_non_null(strstr(err.msg, "trace.dat"));
            refused++;
        }
        free(copy);
    }
    assert_true(refused > 0);
    free(data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(format_names),
        cmocka_unit_test(content_decides_not_the_name),
        cmocka_unit_test(binary_equals_text),
        cmocka_unit_test(binary_knows_the_context),
        cmocka_unit_test(tracefs_equals_tracecmd),
        cmocka_unit_test(text_written_is_read_back),
        cmocka_unit_test(lost_events_are_counted),
        cmocka_unit_test(hashed_pointers_are_noticed),
        cmocka_unit_test(wide_kernels_are_noticed),
        cmocka_unit_test(without_kmem_events),
        cmocka_unit_test(not_a_trace),
        cmocka_unit_test(cut_gzip_gives_what_was_before),
        cmocka_unit_test(damaged_gzip_is_an_error),
        cmocka_unit_test(gzip_members_in_a_row),
        cmocka_unit_test(huge_lines_are_skipped),
        cmocka_unit_test(line_ends_of_other_systems),
        cmocka_unit_test(cut_trace_dat),
        cmocka_unit_test(garbled_trace_dat),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
