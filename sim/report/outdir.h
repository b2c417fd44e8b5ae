/* SPDX-License-Identifier: MIT
 * outdir.h - the folder a run writes: creating it, refusing or clearing it, and files that are
 * whole or absent.
 *
 * Every file grows under NAME.part and gets its name when it has been written and closed without an
 * error, so whatever has its proper name is complete. The first error is remembered; later calls
 * stay harmless.
 */
#ifndef KM_REPORT_OUTDIR_H
#define KM_REPORT_OUTDIR_H

#include "sim/base/err.h"

#include <stdbool.h>
#include <stdio.h>

#define KM_OUT_PATH_MAX 4096

struct km_outdir {
    char path[KM_OUT_PATH_MAX];
    struct km_err err; /* first failure */
    bool failed;
    int lock; /* descriptor of the folder, locked; see km_outdir_close */
};

struct km_out {
    FILE *f; /* NULL: could not be opened, or closed */
    struct km_outdir *dir;
    char name[64];
};

/* Makes the folder (and its parents) usable and keeps other runs out of it until km_outdir_close; see
 * km_report_open for `force`. On error there is nothing to close. */
int km_outdir_open(struct km_outdir *d, const char *path, bool force, struct km_err *err);
void km_outdir_close(struct km_outdir *d);
/* Takes the files of a run away, and its folders if nothing else is in them. */
void km_outdir_remove_run(const char *path);
int km_outdir_subdir(struct km_outdir *d, const char *name);
/* "DIR/name"; false (and an error) if it does not fit. */
bool km_outdir_path(struct km_outdir *d, char out[KM_OUT_PATH_MAX], const char *name,
                    const char *suffix);
/* Remembers the first failure; saved_errno 0: not known. Returns KM_E_IO. */
int km_outdir_fail(struct km_outdir *d, const char *name, int saved_errno);

bool km_out_open(struct km_out *o, struct km_outdir *d, const char *name);
/* Why writing failed: the error of a stream that has one, found by writing once more (the stream
 * itself does not keep errno). 0: it would work now. */
int km_out_write_errno(FILE *f);
/* After writing a record: notices a full disk early. */
static inline bool km_out_check(struct km_out *o);
/* Closes and gives the file its name. */
int km_out_commit(struct km_out *o);
/* Closes and removes NAME.part. */
void km_out_abandon(struct km_out *o);
int km_outdir_write_text(struct km_outdir *d, const char *name, const char *text);
/* Is this a proper name of a file under DIR/proc/? */
bool km_outdir_known_proc(const char *name);

static inline bool km_out_check(struct km_out *o)
{
    if (!o->f)
        return false;
    if (!ferror(o->f))
        return true;
    km_outdir_fail(o->dir, o->name, km_out_write_errno(o->f));
    return false;
}

#endif
