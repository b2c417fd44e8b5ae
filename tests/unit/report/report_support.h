/* SPDX-License-Identifier: MIT
 * report_support.h - a scratch folder per test and reading back what a report wrote.
 */
#ifndef KM_TEST_REPORT_SUPPORT_H
#define KM_TEST_REPORT_SUPPORT_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1 /* nftw */
#endif

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sim/report/report.h"

struct scratch {
    char dir[256];
};

static inline int scratch_setup(void **state)
{
    struct scratch *s = calloc(1, sizeof(*s));
    const char *tmp = getenv("TMPDIR");

    snprintf(s->dir, sizeof(s->dir), "%.200s/km-report-XXXXXX", tmp ? tmp : "/tmp");
    if (!mkdtemp(s->dir))
        return -1;
    *state = s;
    return 0;
}

static inline int scratch_remove_one(const char *path, const struct stat *st, int type,
                                     struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

static inline int scratch_teardown(void **state)
{
    struct scratch *s = *state;

    nftw(s->dir, scratch_remove_one, 16, FTW_DEPTH | FTW_PHYS);
    free(s);
    return 0;
}

/* Whole file as text; NULL if it cannot be read. Free it. */
static inline char *read_file(const char *path)
{
    FILE *f = fopen(path, "rb");

    if (!f)
        return NULL;
    char *text = calloc(1, 1 << 22);
    size_t n = fread(text, 1, (1 << 22) - 1, f);
    text[n] = '\0';
    fclose(f);
    return text;
}

static inline char *read_in(const char *dir, const char *name)
{
    char path[1024];

    snprintf(path, sizeof(path), "%s/%s", dir, name);
    return read_file(path);
}

static inline bool exists_in(const char *dir, const char *name)
{
    char path[1024];

    snprintf(path, sizeof(path), "%s/%s", dir, name);
    return access(path, F_OK) == 0;
}

static inline void write_in(const char *dir, const char *name, const char *text)
{
    char path[1024];

    snprintf(path, sizeof(path), "%s/%s", dir, name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    assert_int_equal(fclose(f), 0);
}

static inline void plain_config(struct km_config *cfg)
{
    km_config_defaults(cfg);
    cfg->report.plots = cfg->report.html = false;
    snprintf(cfg->name, sizeof(cfg->name), "unit");
    cfg->seed = 7;
    cfg->workload.type = KM_WL_REPLAY;
    cfg->os.personality = KM_LINUX_6_1;
    cfg->os.slab = KM_SLAB_SLUB;
}

#endif
