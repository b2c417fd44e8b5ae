/* SPDX-License-Identifier: MIT
 * fuzz_mtrace.c - any bytes as an mtrace text, plain or gzip: no crash, and reading ends.
 */
#define _GNU_SOURCE /* memfd_create */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "sim/trace/mtrace.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct km_mtrace_event ev;
    struct km_mtrace *trace;
    struct km_err err;
    char path[64];
    int fd = memfd_create("fuzz", 0);

    if (fd < 0 || write(fd, data, size) != (ssize_t)size)
        abort();
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    km_mtrace_probe(path);
    if (km_mtrace_open(&trace, path, &err) == KM_OK) {
        while (km_mtrace_next(trace, &ev, &err) > 0)
            if (ev.op == KM_MTRACE_FREE && ev.bytes)
                abort();
        km_mtrace_close(trace);
    }
    close(fd);
    return 0;
}
