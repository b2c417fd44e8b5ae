/* SPDX-License-Identifier: MIT
 * fuzz_trace_dat.c - any bytes as a trace.dat: refused or read, never a crash.
 */
#define _GNU_SOURCE /* memfd_create */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "sim/trace/check.h"
#include "sim/trace/trace.h"
#include "sim/trace/write.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char line[KM_TRACE_LINE_MAX];
    static struct km_check check;
    struct km_trace *trace;
    struct km_event ev;
    struct km_err err;
    char path[64];
    int fd;

    if (size < 10 || memcmp(data, "\x17\x08\x44tracing", 10) != 0)
        return 0; /* that is fuzz_trace_text's */
    fd = memfd_create("fuzz", 0);
    if (fd < 0 || write(fd, data, size) != (ssize_t)size)
        abort();
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    if (km_trace_open(&trace, path, &err) == KM_OK) {
        km_check_init(&check, NULL);
        while (km_trace_next(trace, &ev, &err) > 0) {
            if (km_trace_format_event(trace, &ev, line, sizeof(line)) >= sizeof(line))
                abort();
            km_check_event(&check, &ev);
        }
        km_trace_close(trace);
    }
    close(fd);
    return 0;
}

/* libtracecmd asks malloc for sizes it read and handles a refusal, as it does without the
 * sanitizer. */
const char *__asan_default_options(void);

const char *__asan_default_options(void)
{
    return "allocator_may_return_null=1";
}
