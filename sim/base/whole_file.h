/* SPDX-License-Identifier: MIT
 * whole_file.h - output files that appear whole or not at all: written as PATH.part, then renamed.
 *
 * What exists and is no regular file (a device, a pipe) is written in place: a rename would replace it.
 */
#ifndef KM_BASE_WHOLE_FILE_H
#define KM_BASE_WHOLE_FILE_H

#include <stdbool.h>
#include <stddef.h>

/* The name to write to; false: it does not fit. */
bool km_whole_file_begin(char *name, size_t size, const char *path);
/* After closing. good: gives the file its name, else removes it. 0 or an errno. */
int km_whole_file_end(const char *name, const char *path, bool good);

#endif
