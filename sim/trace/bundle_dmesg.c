/* SPDX-License-Identifier: MIT
 * bundle_dmesg.c - the kernel's boot messages: e820 map, memblock=debug lines, free memory at boot.
 *
 *   BIOS-e820: [mem 0x0000000000100000-0x000000003ffd9fff] usable
 *   memblock_reserve: [0x00000000000f5b90-0x00000000000f5b9f] smp_scan_config+0xae/0x106
 *    reserved[0x2]	[0x0000000001000000-0x0000000001f23fff], 0x... bytes flags: 0x0
 *   Memory: 1014868K/1048032K available (...)
 * Ends are inclusive in the text and exclusive in our structs. Damaged message lines (a log that
 * was cut or overwritten) are skipped: the ring buffer of a real kernel may begin in the middle of
 * a line.
 */
#include "sim/trace/bundle_file.h"
#include "sim/trace/scan.h"

#include <stdlib.h>
#include <string.h>

struct memblock_word {
    const char *word;
    enum km_memblock_op op;
};

static const struct memblock_word memblock_words[] = {
    {"memblock_add:", KM_MEMBLOCK_ADD},
    {"memblock_add_node:", KM_MEMBLOCK_ADD},
    {"memblock_reserve:", KM_MEMBLOCK_RESERVE},
    {"memblock_phys_free:", KM_MEMBLOCK_FREE},
    {"memblock_free:", KM_MEMBLOCK_FREE},
    {"memblock_remove:", KM_MEMBLOCK_REMOVE},
    {" memory[0x", KM_MEMBLOCK_ADD},
    {" reserved[0x", KM_MEMBLOCK_RESERVE},
};

/* "[mem 0xA-0xB]" or "[0xA-0xB]" somewhere behind p. */
static bool scan_range(const char *p, uint64_t *start, uint64_t *end)
{
    while ((p = strchr(p, '['))) {
        const char *at = p + 1;

        km_scan_word(&at, "mem");
        if (km_scan_hex(&at, start) && *at == '-') {
            at++;
            if (km_scan_hex(&at, end) && *end >= *start && *end != UINT64_MAX) {
                (*end)++;
                return true;
            }
        }
        p++;
    }
    return false;
}

static void e820_line(struct km_bundle *b, const char *p)
{
    struct km_e820 entry;

    if (b->nr_e820 == KM_BUNDLE_MAX_E820 || !scan_range(p, &entry.start, &entry.end))
        return;
    entry.usable = strstr(p, "] usable") != NULL;
    b->e820[b->nr_e820++] = entry;
}

static int memblock_line(struct km_bundle *b, const char *file, int line, const char *p,
                         enum km_memblock_op op, struct km_err *err)
{
    struct km_memblock_line entry = {.op = op};

    if (!scan_range(p, &entry.start, &entry.end))
        return KM_OK;
    if (!b->memblock)
        b->memblock = calloc(KM_BUNDLE_MAX_MEMBLOCK, sizeof(*b->memblock));
    if (!b->memblock)
        return km_fail(err, KM_E_NOMEM, file, line, 0, "no memory for the memblock lines");
    if (b->nr_memblock == KM_BUNDLE_MAX_MEMBLOCK)
        return km_fail(err, KM_E_INPUT, file, line, 0, "more than %d memblock lines",
                       KM_BUNDLE_MAX_MEMBLOCK);
    b->memblock[b->nr_memblock++] = entry;
    return KM_OK;
}

/* The text behind "[    0.000000] " (or "[    0.000000][    T0] "), if there is such a stamp. */
static const char *skip_stamp(const char *p)
{
    while (*p == '[') {
        const char *close = strchr(p, ']');
        const char *at = p + 1;

        for (; *at && *at != ']'; at++)
            if (!strchr(" .0123456789TC", *at))
                return p;
        if (!close)
            return p;
        p = close + 1;
    }
    return *p == ' ' ? p + 1 : p;
}

static int dmesg_line(void *ctx, const char *file, int line, const char *text, struct km_err *err)
{
    struct km_bundle *b = ctx;
    const char *p = skip_stamp(text);
    const char *at = p;
    uint64_t kib;

    if (strncmp(p, "BIOS-e820:", 10) == 0) {
        e820_line(b, p + 10);
        return KM_OK;
    }
    if (km_scan_word(&at, "Memory:") && b->free_pages_at_boot == 0 && km_scan_u64(&at, &kib) &&
        km_scan_word(&at, "K/") && strstr(at, "available")) {
        b->free_pages_at_boot = kib / 4;
        return KM_OK;
    }
    for (size_t i = 0; i < KM_ARRAY_LEN(memblock_words); i++) {
        const char *word = memblock_words[i].word;

        if (strncmp(p, word, strlen(word)) == 0)
            return memblock_line(b, file, line, p + strlen(word), memblock_words[i].op, err);
    }
    return KM_OK;
}

int km_bundle_dmesg(struct km_bundle *out, const char *dir, struct km_err *err)
{
    return km_bundle_lines(dir, "dmesg", dmesg_line, out, NULL, err);
}
