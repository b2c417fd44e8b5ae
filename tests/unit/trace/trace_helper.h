/* SPDX-License-Identifier: MIT
 * trace_helper.h - temporary files and whole-trace comparisons for the trace tests.
 */
#ifndef KM_TESTS_TRACE_HELPER_H
#define KM_TESTS_TRACE_HELPER_H

#define _GNU_SOURCE /* nftw, mkdtemp */

#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>
#include <zlib.h>

#include "sim/trace/bundle.h"
#include "sim/trace/trace.h"
#include "sim/trace/write.h"

#define TRACES KM_SOURCE_DIR "/traces/"
#define EXCERPTS TRACES "excerpts/"
#define QUICKSTART TRACES "pae-512m-forkexec"

static inline int remove_entry(const char *path, const struct stat *st, int kind, struct FTW *at)
{
    (void)st;
    (void)kind;
    (void)at;
    return remove(path);
}

static char temporary_folder[64];

static inline void remove_temporary_folder(void)
{
    nftw(temporary_folder, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

/* Everything a test writes goes to a folder of its own, which is removed when the test ends. */
static inline const char *temporary_path(const char *name)
{
    static char path[512];

    if (!temporary_folder[0]) {
        strcpy(temporary_folder, "/tmp/kmemsim-test-XXXXXX");
        assert_non_null(mkdtemp(temporary_folder));
        atexit(remove_temporary_folder);
    }
    snprintf(path, sizeof(path), "%s/%s", temporary_folder, name);
    return path;
}

static inline const char *write_file(const char *name, const void *data, size_t len)
{
    const char *path = temporary_path(name);
    FILE *f = fopen(path, "wb");

    assert_non_null(f);
    assert_int_equal(fwrite(data, 1, len, f), len);
    assert_int_equal(fclose(f), 0);
    return path;
}

static inline const char *write_text(const char *name, const char *text)
{
    return write_file(name, text, strlen(text));
}

static inline const char *write_gzip(const char *name, const char *text, size_t len)
{
    const char *path = temporary_path(name);
    gzFile gz = gzopen(path, "wb");

    assert_non_null(gz);
    assert_int_equal(gzwrite(gz, text, (unsigned)len), len);
    assert_int_equal(gzclose(gz), Z_OK);
    return path;
}

/* Content of a file (not decompressed); the caller frees it. */
static inline char *slurp(const char *path, size_t *len)
{
    FILE *f = fopen(path, "rb");
    char *data;

    assert_non_null(f);
    fseek(f, 0, SEEK_END);
    *len = (size_t)ftell(f);
    rewind(f);
    data = malloc(*len + 1);
    assert_non_null(data);
    assert_int_equal(fread(data, 1, *len, f), *len);
    fclose(f);
    return data;
}

static inline struct km_trace *open_trace(const char *path)
{
    struct km_trace *trace;
    struct km_err err;
    int rc = km_trace_open(&trace, path, &err);

    if (rc != KM_OK)
        km_err_print(&err);
    assert_int_equal(rc, KM_OK);
    return trace;
}

/* Reads to the end; returns the last result, *events counts. */
static inline int drain(struct km_trace *trace, uint64_t *events, struct km_err *err)
{
    struct km_event ev;
    int rc;

    *events = 0;
    while ((rc = km_trace_next(trace, &ev, err)) > 0)
        (*events)++;
    return rc;
}

/* Text formats do not know the context, nor the address of a call site that has a symbol. */
static inline void forget_binary_only(struct km_event *ev)
{
    ev->context = 0;
    ev->preempt_count = 0;
    if (ev->type >= KM_EV_KMALLOC && ev->type <= KM_EV_KMEM_CACHE_FREE && ev->obj.call_site)
        ev->obj.call_site_addr = 0;
    if (ev->type == KM_EV_PERCPU_ALLOC && ev->percpu.call_site)
        ev->percpu.call_site_addr = 0;
}

/* Both traces hold the same events; returns how many. */
static inline uint64_t assert_same_events(const char *path_a, const char *path_b, bool forget)
{
    struct km_trace *a = open_trace(path_a), *b = open_trace(path_b);
    char *line_a = malloc(KM_TRACE_LINE_MAX), *line_b = malloc(KM_TRACE_LINE_MAX);
    struct km_event ev_a, ev_b;
    struct km_err err;
    uint64_t events = 0;
    int rc;

    km_trace_want_text(a, true);
    km_trace_want_text(b, true);
    while ((rc = km_trace_next(a, &ev_a, &err)) > 0) {
        assert_int_equal(km_trace_next(b, &ev_b, &err), 1);
        if (forget) {
            forget_binary_only(&ev_a);
            forget_binary_only(&ev_b);
        }
        km_trace_format_event(a, &ev_a, line_a, KM_TRACE_LINE_MAX);
        km_trace_format_event(b, &ev_b, line_b, KM_TRACE_LINE_MAX);
        assert_string_equal(line_a, line_b);
        events++;
    }
    assert_int_equal(rc, 0);
    assert_int_equal(km_trace_next(b, &ev_b, &err), 0);
    free(line_a);
    free(line_b);
    km_trace_close(a);
    km_trace_close(b);
    return events;
}

#endif
