/* SPDX-License-Identifier: MIT
 * err.c - formatting of user errors, warnings and bugs on stderr.
 */
#include "sim/base/err.h"

#include "models/base/bug.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

int km_fail(struct km_err *err, int code, const char *file, int line, int col, const char *fmt, ...)
{
    if (!err)
        return code;
    va_list ap;

    err->code = code;
    snprintf(err->file, sizeof(err->file), "%s", file ? file : "");
    err->line = line;
    err->col = col;
    va_start(ap, fmt);
    vsnprintf(err->msg, sizeof(err->msg), fmt, ap);
    va_end(ap);
    return code;
}

void km_err_print(const struct km_err *err)
{
    fprintf(stderr, "kmemsim: ");
    if (err->file[0]) {
        fprintf(stderr, "%s:", err->file);
        if (err->line)
            fprintf(stderr, "%d:", err->line);
        if (err->col)
            fprintf(stderr, "%d:", err->col);
        fputc(' ', stderr);
    }
    fprintf(stderr, "%s\n", err->msg);
}

void km_warn(const char *fmt, ...)
{
    va_list ap;

    fprintf(stderr, "kmemsim: warning: ");
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fputc('\n', stderr);
}

int km_exit_code(int code)
{
    switch (code) {
    case KM_OK:
        return KM_EXIT_OK;
    case KM_E_USAGE:
        return KM_EXIT_USAGE;
    case KM_E_WATCHDOG:
        return KM_EXIT_WATCHDOG;
    default:
        return KM_EXIT_FAILED;
    }
}

void km_bug(const char *file, int line, const char *what)
{
    fprintf(stderr, "kmemsim: bug at %s:%d: %s\n", file, line, what);
    fprintf(stderr, "kmemsim: this is a defect of kmemsim, please report it with the command line\n");
    fflush(NULL);
    _Exit(KM_EXIT_BUG);
}
