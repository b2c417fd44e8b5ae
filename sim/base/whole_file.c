/* SPDX-License-Identifier: MIT
 * whole_file.c - see whole_file.h.
 */
#include "sim/base/whole_file.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

bool km_whole_file_begin(char *name, size_t size, const char *path)
{
    struct stat st;
    bool in_place = !stat(path, &st) && !S_ISREG(st.st_mode);

    return (size_t)snprintf(name, size, "%s%s", path, in_place ? "" : ".part") < size;
}

int km_whole_file_end(const char *name, const char *path, bool good)
{
    if (!strcmp(name, path))
        return 0;
    if (good && !rename(name, path))
        return 0;
    int saved = good ? errno : 0;

    unlink(name);
    return saved;
}
