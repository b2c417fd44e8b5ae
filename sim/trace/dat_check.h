/* SPDX-License-Identifier: MIT
 * dat_check.h - is a trace.dat whole? Asked before libtracecmd sees it; inside of sim/trace only.
 */
#ifndef KM_TRACE_DAT_CHECK_H
#define KM_TRACE_DAT_CHECK_H

#include "models/base/types.h"
#include "sim/base/err.h"

#define KM_DAT_MAGIC "\x17\x08\x44tracing"
#define KM_DAT_MAGIC_BYTES 10u

/* Walks the header and, in version 7, the sections; errors name the byte where the file stops
 * making sense. */
int km_dat_check(int fd, const char *path, struct km_err *err);

#endif
