/* SPDX-License-Identifier: MIT
 * fuzz_bundle.c - any bytes as a file of a capture bundle; the first byte chooses which one.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sim/trace/bundle.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const names[] = {
    "start/zoneinfo",      "start/buddyinfo",  "start/pagetypeinfo", "start/slabinfo",
    "start/slab_attrs",    "start/slab_state", "start/slab_aliases", "start/iomem",
    "start/cpuinfo",       "start/version",    "start/sys_vm",       "start/vmstat",
    "start/kpageflags.gz", "start/kpagecount", "start/dmesg",        "start/dmesg.gz"};

static void write_file(const char *path, const void *data, size_t size)
{
    FILE *f = fopen(path, "wb");

    if (!f || fwrite(data, 1, size, f) != size || fclose(f) != 0)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct km_bundle bundle;
    static char dir[64];
    struct km_err err;
    char path[128];

    if (size < 2)
        return 0;
    if (!dir[0]) {
        snprintf(dir, sizeof(dir), "/tmp/kmemsim-fuzz-XXXXXX");
        if (!mkdtemp(dir))
            abort();
        snprintf(path, sizeof(path), "%s/start", dir);
        mkdir(path, 0777);
        snprintf(path, sizeof(path), "%s/trace.txt", dir);
        write_file(path, "cpus=1\n", 7);
    }
    snprintf(path, sizeof(path), "%s/%s", dir, names[data[0] % KM_ARRAY_LEN(names)]);
    write_file(path, data + 1, size - 1);
    if (km_bundle_read(&bundle, dir, &err) == KM_OK)
        km_bundle_release(&bundle);
    unlink(path);
    return 0;
}
