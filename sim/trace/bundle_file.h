/* SPDX-License-Identifier: MIT
 * bundle_file.h - readers of the single files of a bundle; inside of sim/trace only.
 *
 * `dir` may be a sub folder. Each returns KM_OK also if the file is absent or empty.
 */
#ifndef KM_TRACE_BUNDLE_FILE_H
#define KM_TRACE_BUNDLE_FILE_H

#include "sim/trace/bundle.h"

/* Called for each line; a negative result stops (use km_fail with file and line). */
typedef int km_bundle_line_fn(void *ctx, const char *file, int line, const char *text,
                              struct km_err *err);

/* Feeds dir/name, or dir/name.gz, line by line. *found (may be NULL) tells whether there was one.
 */
int km_bundle_lines(const char *dir, const char *name, km_bundle_line_fn *fn, void *ctx,
                    bool *found, struct km_err *err);

int km_bundle_proc_state(struct km_proc_state *out, const char *dir, struct km_err *err);
void km_bundle_proc_release(struct km_proc_state *state);
int km_bundle_slab_files(struct km_proc_state *out, struct km_err *err);
int km_bundle_vmalloc(struct km_bundle *out, const char *dir, struct km_err *err);
int km_bundle_dmesg(struct km_bundle *out, const char *dir, struct km_err *err);

#endif
