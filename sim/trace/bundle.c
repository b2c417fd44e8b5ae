/* SPDX-License-Identifier: MIT
 * bundle.c - what a capture folder says about the machine it was made on. See bundle.h.
 *
 * A folder needs only a trace; every other file adds what it can. Facts of start/ win over early/
 * and end/; the boot messages are taken from start/ if they are there, else from end/ (boot
 * captures). A capture begins at boot if there is no /proc snapshot of its beginning but a memblock
 * log.
 */
#include "sim/trace/bundle.h"
#include "sim/trace/bundle_file.h"
#include "sim/trace/scan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define MIB (1u << 20)

struct vm_facts {
    bool vmstat_seen, thp_seen;
};

bool km_path_is_folder(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

bool km_bundle_trace_path(const char *dir, char *path, size_t size)
{
    static const char *const names[] = {"trace.txt", "trace.txt.gz", "trace",
                                        "trace.gz",  "trace.dat",    "trace.dat.gz"};
    struct stat st;

    if (!km_path_is_folder(dir))
        return false;
    for (size_t i = 0; i < KM_ARRAY_LEN(names); i++) {
        if ((size_t)snprintf(path, size, "%s/%s", dir, names[i]) >= size)
            return false;
        if (stat(path, &st) == 0 && S_ISREG(st.st_mode))
            return true;
    }
    return false;
}

bool km_bundle_probe(const char *path)
{
    char trace[512];

    return km_bundle_trace_path(path, trace, sizeof(trace));
}

static int version_line(void *ctx, const char *file, int line, const char *text, struct km_err *err)
{
    struct km_bundle *b = ctx;

    (void)file;
    (void)line;
    (void)err;
    if (!b->version[0])
        strncpy(b->version, text, sizeof(b->version) - 1);
    return KM_OK;
}

static int cpuinfo_line(void *ctx, const char *file, int line, const char *text, struct km_err *err)
{
    struct km_bundle *b = ctx;

    (void)file;
    (void)line;
    (void)err;
    if (strncmp(text, "processor", 9) == 0)
        b->cpus++;
    return KM_OK;
}

/* "/proc/sys/vm/min_free_kbytes:2828", "min_free_kbytes 2828" and "vm.min_free_kbytes = 2828" are
 * accepted. */
static int sys_vm_line(void *ctx, const char *file, int line, const char *text, struct km_err *err)
{
    struct km_bundle *b = ctx;
    const char *p = strstr(text, "min_free_kbytes");
    uint32_t value;

    if (!p)
        return KM_OK;
    p += strlen("min_free_kbytes");
    p = km_scan_blanks(p);
    if (*p == ':' || *p == '=')
        p++;
    if (!km_scan_u32(&p, &value))
        return km_fail(err, KM_E_INPUT, file, line, 0, "min_free_kbytes has no number");
    b->min_free_kbytes = value;
    return KM_OK;
}

/* "SwapTotal:         124924 kB" */
static int meminfo_line(void *ctx, const char *file, int line, const char *text, struct km_err *err)
{
    struct km_bundle *b = ctx;
    uint64_t *out = strncmp(text, "SwapTotal:", 10) == 0  ? &b->swap_kbytes
                    : strncmp(text, "SwapFree:", 9) == 0 ? &b->swap_free_kbytes
                                                          : NULL;

    if (!out)
        return KM_OK;
    text = km_scan_blanks(strchr(text, ':') + 1);
    if (!km_scan_u64(&text, out))
        return km_fail(err, KM_E_INPUT, file, line, 0, "the size of swap has no number");
    return KM_OK;
}

static int vmstat_line(void *ctx, const char *file, int line, const char *text, struct km_err *err)
{
    struct vm_facts *facts = ctx;

    (void)file;
    (void)line;
    (void)err;
    facts->vmstat_seen = true;
    if (strncmp(text, "thp_", 4) == 0)
        facts->thp_seen = true;
    return KM_OK;
}

/* "00100000-7ffd9fff : System RAM": only top-level lines are ranges of the firmware's map. */
static int iomem_line(void *ctx, const char *file, int line, const char *text, struct km_err *err)
{
    struct km_bundle *b = ctx;
    struct km_e820 entry;
    const char *p = text;

    (void)file;
    (void)line;
    (void)err;
    if (*text == ' ' || b->nr_e820 == KM_BUNDLE_MAX_E820)
        return KM_OK;
    if (!km_scan_hex(&p, &entry.start) || *p++ != '-' || !km_scan_hex(&p, &entry.end) ||
        entry.end <= entry.start || entry.end == UINT64_MAX)
        return KM_OK;
    entry.end++;
    entry.usable = strstr(p, ": System RAM") != NULL;
    if (entry.usable || strstr(p, ": Reserved") || strstr(p, ": reserved") || strstr(p, ": ACPI"))
        b->e820[b->nr_e820++] = entry;
    return KM_OK;
}

/* A file of the first sub folder that has it. */
static int from_any(struct km_bundle *b, const char *name, km_bundle_line_fn *fn, void *ctx,
                    struct km_err *err)
{
    const char *const dirs[] = {b->start.dir, b->end.dir, b->early.dir, b->dir};

    for (size_t i = 0; i < KM_ARRAY_LEN(dirs); i++) {
        bool found = false;
        int rc = dirs[i][0] ? km_bundle_lines(dirs[i], name, fn, ctx, &found, err) : KM_OK;

        if (rc != KM_OK || found)
            return rc;
    }
    return KM_OK;
}

static int read_sub(struct km_bundle *b, struct km_proc_state *state, const char *name,
                    struct km_err *err)
{
    char path[sizeof(b->dir) + 16];

    snprintf(path, sizeof(path), "%s/%s", b->dir, name);
    return km_bundle_proc_state(state, path, err);
}

static int read_messages(struct km_bundle *b, struct km_err *err)
{
    int rc = KM_OK;

    if (b->start.present)
        rc = km_bundle_dmesg(b, b->start.dir, err);
    if (rc == KM_OK && b->nr_e820 == 0 && b->nr_memblock == 0 && b->end.present)
        rc = km_bundle_dmesg(b, b->end.dir, err);
    if (rc == KM_OK && b->nr_e820 == 0)
        rc = from_any(b, "iomem", iomem_line, b, err);
    return rc;
}

static int reserve_ratio_line(void *ctx, const char *file, int line, const char *text, struct km_err *err)
{
    (void)file, (void)line, (void)err;
    *(bool *)ctx |= strstr(text, "lowmem_reserve_ratio") != NULL;
    return KM_OK;
}

static int read_facts(struct km_bundle *b, struct km_err *err)
{
    struct vm_facts vm = {false, false};
    int rc = from_any(b, "version", version_line, b, err);

    if (rc == KM_OK)
        rc = from_any(b, "cpuinfo", cpuinfo_line, b, err);
    if (rc == KM_OK)
        rc = from_any(b, "sys_vm", sys_vm_line, b, err);
    if (rc == KM_OK && b->start.present)
        rc = km_bundle_lines(b->start.dir, "sys_vm", reserve_ratio_line, &b->reserve_ratio_read, NULL, err);
    if (rc == KM_OK && b->start.present)
        rc = km_bundle_lines(b->start.dir, "meminfo", meminfo_line, b, NULL, err);
    if (rc == KM_OK)
        rc = from_any(b, "vmstat", vmstat_line, &vm, err);
    b->thp = vm.thp_seen || !vm.vmstat_seen;
    return rc;
}

const struct km_zone_facts *km_bundle_zone(const struct km_bundle *b, const char *name)
{
    const struct km_proc_state *states[] = {&b->start, &b->end, &b->early};

    for (unsigned s = 0; s < KM_ARRAY_LEN(states); s++)
        for (unsigned i = 0; i < states[s]->nr_zones; i++)
            if (!strcmp(states[s]->zone[i].zone, name))
                return &states[s]->zone[i];
    return NULL;
}

static void conclude(struct km_bundle *b)
{
    const struct km_proc_state *states[] = {&b->start, &b->early, &b->end};
    unsigned order = 0;
    uint64_t ram = 0;

    for (size_t i = 0; i < KM_ARRAY_LEN(states); i++) {
        if (!order)
            order = states[i]->pageblock_order;
        for (unsigned z = 0; !b->cpus && z < states[i]->nr_zones; z++)
            b->cpus = states[i]->zone[z].nr_pcp;
    }
    b->kernel_64bit = strstr(b->version, "x86_64") || strstr(b->version, "amd64") ||
                      strstr(b->version, "arm64") || strstr(b->version, "aarch64");
    b->pae = !b->kernel_64bit && (strstr(b->version, "pae") || order == 9);
    b->struct_page_bytes = b->kernel_64bit ? 64 : 40;
    b->boot = b->nr_memblock > 0 && b->start.nr_zones == 0 && b->start.nr_buddyinfo == 0;
    for (unsigned i = 0; i < b->nr_e820; i++)
        if (b->e820[i].usable)
            ram += b->e820[i].end - b->e820[i].start;
    b->ram_bytes = (ram + MIB - 1) / MIB * MIB;
}

static int read_bundle(struct km_bundle *b, struct km_err *err)
{
    int rc = read_sub(b, &b->start, "start", err);

    if (rc == KM_OK)
        rc = read_sub(b, &b->end, "end", err);
    if (rc == KM_OK)
        rc = read_sub(b, &b->early, "early", err);
    if (rc == KM_OK)
        rc = read_messages(b, err);
    if (rc == KM_OK)
        rc = read_facts(b, err);
    if (rc == KM_OK && b->start.present)
        rc = km_bundle_vmalloc(b, b->start.dir, err);
    if (rc == KM_OK)
        conclude(b);
    return rc;
}

int km_bundle_read(struct km_bundle *out, const char *dir, struct km_err *err)
{
    size_t len = strlen(dir);
    int rc;

    memset(out, 0, sizeof(*out));
    while (len > 1 && dir[len - 1] == '/')
        len--;
    if (len >= sizeof(out->dir) - 8)
        return km_fail(err, KM_E_INPUT, dir, 0, 0, "the path is too long");
    if (!km_path_is_folder(dir))
        return km_fail(err, KM_E_INPUT, dir, 0, 0, "not a folder");
    memcpy(out->dir, dir, len);
    if (!km_bundle_trace_path(out->dir, out->trace_path, sizeof(out->trace_path)))
        return km_fail(
            err, KM_E_INPUT, dir, 0, 0,
            "the folder holds no trace (trace.txt, trace.txt.gz, trace.dat or trace.dat.gz)");
    rc = read_bundle(out, err);
    if (rc != KM_OK)
        km_bundle_release(out);
    return rc;
}

void km_bundle_release(struct km_bundle *b)
{
    km_bundle_proc_release(&b->start);
    km_bundle_proc_release(&b->end);
    km_bundle_proc_release(&b->early);
    free(b->memblock);
    free(b->vm_area);
    memset(b, 0, sizeof(*b));
}
