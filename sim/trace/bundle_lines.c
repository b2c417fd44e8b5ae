/* SPDX-License-Identifier: MIT
 * bundle_lines.c - one file of a bundle, plain or gzipped, absent or empty, line by line.
 */
#include "sim/trace/bundle_file.h"
#include "sim/trace/input.h"

#include <stdio.h>
#include <sys/stat.h>

static bool find_file(const char *dir, const char *name, char *path, size_t size)
{
    static const char *const endings[] = {"", ".gz"};
    struct stat st;

    for (size_t i = 0; i < KM_ARRAY_LEN(endings); i++) {
        if ((size_t)snprintf(path, size, "%s/%s%s", dir, name, endings[i]) >= size)
            return false;
        if (stat(path, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0)
            return true;
    }
    return false;
}

int km_bundle_lines(const char *dir, const char *name, km_bundle_line_fn *fn, void *ctx,
                    bool *found, struct km_err *err)
{
    struct km_input *in;
    struct km_line line;
    char path[512];
    bool there = find_file(dir, name, path, sizeof(path));
    int rc;

    if (found)
        *found = there;
    if (!there)
        return KM_OK;
    rc = km_input_open(&in, path, err);
    if (rc != KM_OK)
        return rc;
    while ((rc = km_input_line(in, &line, err)) > 0) {
        rc = fn(ctx, path, (int)km_input_line_number(in), line.text, err);
        if (rc != KM_OK)
            break;
    }
    km_input_close(in);
    return rc;
}
