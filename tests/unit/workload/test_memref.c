/* SPDX-License-Identifier: MIT
 * test_memref.c - reference traces through caches and DRAM: exact counts, formats, broken input.
 *
 * data/sort.lackey.gz: 250 000 records of coreutils sort under valgrind lackey. The expected counts
 * come from a separate model (ordered dictionaries per set), which reproduces Dinero IV's counts of
 * the whole trace.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "sim/workload/memref_cache.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SORT_TRACE KM_SOURCE_DIR "/tests/unit/workload/data/sort.lackey.gz"

static struct km_cache_config cache(uint64_t size, uint32_t ways, uint32_t line,
                                    enum km_replacement repl)
{
    return (struct km_cache_config){.size_bytes = size,
                                    .ways = ways,
                                    .line_bytes = line,
                                    .replacement = repl,
                                    .allocate = true,
                                    .latency_cycles = 3};
}

struct want {
    struct km_cache_config l1i, l1d;
    bool split;
    uint64_t i_reads, i_misses, reads, writes, read_misses, write_misses, writebacks;
};

static void sort_counts(void **state)
{
    (void)state;
    struct km_cache_config none = {0};
    const struct want cases[] = {
        {cache(32768, 8, 64, KM_REPL_LRU), cache(32768, 8, 64, KM_REPL_LRU), false, 177933, 24,
         48864, 24208, 333, 96, 293},
        {cache(32768, 8, 64, KM_REPL_LRU), cache(32768, 8, 64, KM_REPL_LRU), true, 185286, 24,
         50697, 24294, 338, 92, 293},
        {cache(8192, 1, 32, KM_REPL_LRU), cache(8192, 1, 32, KM_REPL_LRU), false, 177933, 4485,
         48864, 24208, 2497, 979, 1679},
        {cache(16384, 4, 64, KM_REPL_FIFO), cache(16384, 4, 64, KM_REPL_FIFO), false, 177933, 24,
         48864, 24208, 398, 133, 365},
        {none, cache(4096, 64, 64, KM_REPL_LRU), false, 0, 0, 226797, 24208, 1502, 488, 823},
    };

    for (size_t k = 0; k < KM_ARRAY_LEN(cases); k++) {
        const struct want *w = &cases[k];
        struct km_ref_source *src;
        struct km_memref_result r;
        struct km_config cfg;
        struct km_err err = {0};

        memset(&cfg, 0, sizeof(cfg));
        cfg.machine.l1i = w->l1i;
        cfg.machine.l1d = w->l1d;
        cfg.workload.split_lines = w->split;
        assert_int_equal(km_ref_open(&src, SORT_TRACE, NULL, &err), KM_OK);
        assert_int_equal(km_memref_caches(src, &cfg, &r, NULL, &err), KM_OK);
        assert_string_equal(km_ref_format_of(src)->name, "lackey");
        km_ref_close(src);
        assert_int_equal(r.records, 250000);
        assert_int_equal(r.hw.l1i.reads, w->i_reads);
        assert_int_equal(r.hw.l1i.read_misses, w->i_misses);
        assert_int_equal(r.hw.l1d.reads, w->reads);
        assert_int_equal(r.hw.l1d.writes, w->writes);
        assert_int_equal(r.hw.l1d.read_misses, w->read_misses);
        assert_int_equal(r.hw.l1d.write_misses, w->write_misses);
        assert_int_equal(r.hw.l1d.writebacks, w->writebacks);
    }
}

/* Writes text to a temporary file and reads it with one format; returns the result of the last
 * read. */
static int read_text(const char *text, const struct km_ref_reader *format, unsigned *records,
                     struct km_mem_ref *last, struct km_err *err)
{
    char path[] = "/tmp/km-memref-XXXXXX";
    int fd = mkstemp(path);
    struct km_ref_source *src;
    int rc;

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
    *records = 0;
    assert_int_equal(km_ref_open(&src, path, format, err), KM_OK);
    while ((rc = km_ref_next(src, last, err)) > 0)
        (*records)++;
    km_ref_close(src);
    unlink(path);
    return rc;
}

static void formats(void **state)
{
    (void)state;
    struct km_mem_ref r;
    struct km_err err = {0};
    unsigned n;

    assert_int_equal(
        read_text("==12== Lackey\nI  0401ab70,3\n L 1fff0006b8,8\n M 10,4", NULL, &n, &r, &err), 0);
    assert_int_equal(n, 3);
    assert_int_equal(r.op, KM_OP_MODIFY);
    assert_int_equal(r.addr, 0x10);
    assert_int_equal(
        read_text("0 1000\r\n1 0xfffffffffffffff0 8\n\n# end\n2 c0100000\n", NULL, &n, &r, &err),
        0);
    assert_int_equal(n, 3);
    assert_int_equal(r.op, KM_OP_FETCH);
    assert_int_equal(r.addr, 0xc0100000);
    assert_int_equal(
        read_text("R 40\nW 0x80\n0xc0 WRITE 17\n100 R\nREAD 140\n", NULL, &n, &r, &err), 0);
    assert_int_equal(n, 5);
    assert_int_equal(r.op, KM_OP_LOAD);
    assert_int_equal(r.addr, 0x140);
}

static void broken_input(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const struct km_ref_reader *format;
        int line;
        const char *part;
    } cases[] = {
        {"hello world\n", NULL, 1, "not a memory-reference trace"},
        {"I  10,4\n X 10,4\n", NULL, 2, "not a lackey record"},
        {" L 10\n", &km_ref_lackey, 1, "not a lackey record"},
        {" L 10,99999999999\n", &km_ref_lackey, 1, "not a lackey record"},
        {"0 1ffffffffffffffff\n", &km_ref_din, 1, "not a din record"},
        {"0 10\n7 20\n", NULL, 2, "not a din record"},
        {"R 10\nX 20\n", NULL, 2, "not a dram-rw record"},
    };

    for (size_t i = 0; i < KM_ARRAY_LEN(cases); i++) {
        struct km_mem_ref r;
        struct km_err err = {0};
        unsigned n;

        assert_int_equal(read_text(cases[i].text, cases[i].format, &n, &r, &err), KM_E_INPUT);
        assert_int_equal(err.line, cases[i].line);
        assert_non_null(strstr(err.msg, cases[i].part));
    }
    struct km_ref_source *src;
    struct km_err err = {0};

    assert_int_equal(km_ref_open(&src, "/nonexistent/trace", NULL, &err), KM_E_INPUT);
    assert_int_equal(km_ref_open(&src, "/tmp", NULL, &err), KM_E_INPUT);
    char *longline = malloc(100001);

    memset(longline, '1', 100000);
    longline[100000] = 0;
    struct km_mem_ref r;
    unsigned n;

    assert_int_equal(read_text(longline, NULL, &n, &r, &err), KM_E_INPUT);
    free(longline);
}

static void truncated_gzip(void **state)
{
    (void)state;
    char path[] = "/tmp/km-memref-XXXXXX", buffer[40000];
    FILE *whole = fopen(SORT_TRACE, "rb");
    int fd = mkstemp(path);
    size_t len = fread(buffer, 1, sizeof(buffer), whole);
    struct km_ref_source *src;
    struct km_mem_ref r;
    struct km_err err = {0};
    int rc;

    fclose(whole);
    assert_int_equal(write(fd, buffer, len), len);
    close(fd);
    assert_int_equal(km_ref_open(&src, path, NULL, &err), KM_OK);
    while ((rc = km_ref_next(src, &r, &err)) > 0)
        ;
    km_ref_close(src);
    unlink(path);
    assert_int_equal(rc, KM_E_INPUT);
    assert_true(err.line > 1000);
}

/* n reads of consecutive 64-byte lines, one at a time: the first opens a row (26), later ones hit
 * (15) until the row ends after 128; every request costs its latency + 1. */
static void dram_closed_form(void **state)
{
    (void)state;
    enum { N = 300 };
    char *text = malloc(N * 16), *p = text;
    char path[] = "/tmp/km-memref-XXXXXX";
    struct km_config cfg;
    struct km_memref_result r;
    struct km_ref_source *src;
    struct km_err err = {0};
    int fd = mkstemp(path);

    for (unsigned i = 0; i < N; i++)
        p += sprintf(p, "R %x\n", i * 64);
    assert_int_equal(write(fd, text, (size_t)(p - text)), p - text);
    close(fd);
    km_config_defaults(&cfg);
    cfg.machine.dram = (struct km_dram_config){.scheduler = KM_DRAM_FRFCFS,
                                               .mapping = "row:rank:bank:column",
                                               .queue_read = 32,
                                               .queue_write = 32,
                                               .clock_hz = 800000000,
                                               .channels = 1,
                                               .queue_active = 8,
                                               .write_high_percent = 80,
                                               .write_low_percent = 20,
                                               .write_idle = true,
                                               .ranks = 1,
                                               .banks = 8,
                                               .rows = 65536,
                                               .columns = 1024,
                                               .bus_bytes = 8,
                                               .burst = 8,
                                               .data_rate = 2,
                                               .ncl = 11,
                                               .ncwl = 8,
                                               .nrcd = 11,
                                               .nrp = 11,
                                               .nras = 28,
                                               .nrc = 39,
                                               .nrrd = 5,
                                               .nfaw = 24,
                                               .nwr = 12,
                                               .nwtr = 6,
                                               .nrtp = 6,
                                               .nccd = 4,
                                               .nrtrs = 2,
                                               .nrfc = 208,
                                               .nrefi = 6240};
    cfg.workload.mlp = 1;
    assert_int_equal(km_ref_open(&src, path, NULL, &err), KM_OK);
    assert_int_equal(km_memref_dram(src, &cfg, NULL, &r, NULL, &err), KM_OK);
    km_ref_close(src);
    /* workload.limit ends the trace early, and the run with it. */
    struct km_memref_result part;

    cfg.workload.limit_events = 10;
    assert_int_equal(km_ref_open(&src, path, NULL, &err), KM_OK);
    assert_int_equal(km_memref_dram(src, &cfg, NULL, &part, NULL, &err), KM_OK);
    km_ref_close(src);
    cfg.workload.limit_events = 0;
    assert_int_equal(part.records, 10);
    assert_int_equal(part.hw.dram.reads, 10);
    /* Rows of 8 KiB in banks 0, 1, 2: three activates of closed banks. */
    assert_int_equal(r.hw.dram.row_misses, 3);
    assert_int_equal(r.hw.dram.row_hits, N - 3);
    assert_int_equal(r.hw.dram.read_latency_sum, 3 * 26 + (N - 3) * 15);
    assert_int_equal(r.hw.dram.end_cycle, 3 * 26 + (N - 3) * 15 + N - 1);
    assert_int_equal(r.hw.dram.read_latency_max, 26);
    /* Peak: one line per four clocks, as soon as the pipe is full. */
    cfg.workload.mlp = 0;
    assert_int_equal(km_ref_open(&src, path, NULL, &err), KM_OK);
    assert_int_equal(km_memref_dram(src, &cfg, NULL, &r, NULL, &err), KM_OK);
    km_ref_close(src);
    assert_int_equal(r.hw.dram.end_cycle, 26 + (N - 1) * 4);
    /* pace: nothing waits, request i starts at 100 i. */
    cfg.workload.pace_cycles = 100;
    assert_int_equal(km_ref_open(&src, path, NULL, &err), KM_OK);
    assert_int_equal(km_memref_dram(src, &cfg, NULL, &r, NULL, &err), KM_OK);
    km_ref_close(src);
    assert_int_equal(r.hw.dram.end_cycle, (N - 1) * 100 + 15);
    assert_int_equal(r.hw.dram.audit_violations, 0);
    unlink(path);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sort_counts),      cmocka_unit_test(formats),
        cmocka_unit_test(broken_input),     cmocka_unit_test(truncated_gzip),
        cmocka_unit_test(dram_closed_form),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
