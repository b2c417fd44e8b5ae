/* SPDX-License-Identifier: MIT
 * trace_out.c - texts that grow line by line and are compressed as they come: trace.out.txt.gz (the
 * simulated kernel's own trace), dram_commands.csv.gz.
 *
 * The file grows as NAME.part and gets its name when it is whole. The gzip header
 * carries no time, so the same run writes the same bytes.
 */
#include "sim/report/report_int.h"

#include <errno.h>
#include <zlib.h>

static void fail(struct km_trace_out *t)
{
    int code = Z_OK;

    gzerror(t->gz, &code);
    km_outdir_fail(t->dir, t->name, code == Z_ERRNO ? errno : 0);
}

void km_trace_out_open(struct km_trace_out *t, struct km_outdir *d, const char *name)
{
    char path[KM_OUT_PATH_MAX];

    t->dir = d;
    t->name = name;
    t->gz = km_outdir_path(d, path, name, ".part") ? gzopen(path, "wb6") : NULL;
    if (!t->gz)
        km_outdir_fail(d, name, errno);
}

void km_trace_out_line(struct km_trace_out *t, const char *line, size_t len)
{
    if (!t->gz || t->dir->failed)
        return;
    if ((len && gzwrite(t->gz, line, (unsigned)len) != (int)len) || gzputc(t->gz, '\n') < 0)
        fail(t);
}

void km_trace_out_commit(struct km_trace_out *t)
{
    char part[KM_OUT_PATH_MAX], whole[KM_OUT_PATH_MAX];

    if (!t->gz)
        return;
    int code = gzclose(t->gz);

    t->gz = NULL;
    if (code != Z_OK) {
        km_outdir_fail(t->dir, t->name, code == Z_ERRNO ? errno : 0);
        return;
    }
    if (t->dir->failed || !km_outdir_path(t->dir, part, t->name, ".part") ||
        !km_outdir_path(t->dir, whole, t->name, ""))
        return;
    if (rename(part, whole))
        km_outdir_fail(t->dir, t->name, errno);
}

void km_trace_out_abandon(struct km_trace_out *t)
{
    if (t->gz)
        gzclose(t->gz);
    t->gz = NULL;
}
