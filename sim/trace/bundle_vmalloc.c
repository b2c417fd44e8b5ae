/* SPDX-License-Identifier: MIT
 * bundle_vmalloc.c - start/vmallocinfo: the kernel's mapped areas when the trace begins.
 *
 * A line is "0xSTART-0xEND BYTES", then what is known about the area: its caller, pages=, phys=, and words
 * for what made it. Areas a 32-bit kernel cannot have, and addresses hidden from the reader (zeros, or the
 * word "(ptrval)"), are left out. Words not known here (N0=, hugepages) are passed over.
 */
#include "sim/trace/bundle_file.h"
#include "sim/trace/scan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_AREAS 65536u

static struct km_vm_area_facts *add_area(struct km_bundle *b)
{
    if (b->nr_vm_areas % 64 == 0) {
        struct km_vm_area_facts *grown =
            realloc(b->vm_area, (b->nr_vm_areas + 64u) * sizeof(*grown));

        if (!grown)
            return NULL;
        b->vm_area = grown;
    }
    struct km_vm_area_facts *a = &b->vm_area[b->nr_vm_areas++];

    memset(a, 0, sizeof(*a));
    return a;
}

/* One word behind the sizes. */
static void area_word(struct km_vm_area_facts *a, const char *word)
{
    static const struct {
        const char *word;
        uint32_t flag;
    } made_by[] = {
        {"ioremap", 0x1}, {"vmalloc", 0x2}, {"vmap", 0x4}, {"user", 0x8}, {"dma-coherent", 0x10}};

    if (!strcmp(word, "unpurged"))
        a->kind = KM_VM_FACTS_LAZY;
    if (!strcmp(word, "vm_map_ram"))
        a->kind = KM_VM_FACTS_MAP_RAM;
    if (!strncmp(word, "pages=", 6))
        a->pages = (uint32_t)strtoul(word + 6, NULL, 10);
    else if (!strncmp(word, "phys=", 5))
        a->phys = strtoull(word + 5, NULL, 16);
    else if (!strcmp(word, "vpages"))
        a->vpages = true;
    else if (strstr(word, "+0x") && !a->caller[0])
        snprintf(a->caller, sizeof(a->caller), "%s", word);
    for (size_t i = 0; i < KM_ARRAY_LEN(made_by); i++)
        if (!strcmp(word, made_by[i].word))
            a->flags |= made_by[i].flag;
}

static void area_words(struct km_vm_area_facts *a, const char *p)
{
    char word[sizeof(a->caller)];

    for (p = km_scan_blanks(p); *p; p = km_scan_blanks(p)) {
        size_t len = strcspn(p, " \t"), n = len < sizeof(word) ? len : sizeof(word) - 1;

        memcpy(word, p, n);
        word[n] = 0;
        area_word(a, word);
        p += len;
    }
}

static int area_line(void *ctx, const char *file, int line, const char *text, struct km_err *err)
{
    struct km_bundle *b = ctx;
    const char *p = text;
    uint64_t start, end, bytes;

    if (strstr(text, "(ptrval)") || !*km_scan_blanks(text))
        return KM_OK;
    if (!km_scan_hex(&p, &start) || *p++ != '-' || !km_scan_hex(&p, &end) ||
        !km_scan_u64(&p, &bytes))
        return km_fail(err, KM_E_INPUT, file, line, 0, "not a line of vmallocinfo");
    if (!start || end > UINT32_MAX)
        return KM_OK;
    if (end <= start || end - start != bytes || start % KM_PAGE_BYTES || bytes % KM_PAGE_BYTES)
        return km_fail(err, KM_E_INPUT, file, line, 0,
                       "START-END and size of the area disagree, or are not whole pages");
    if (b->nr_vm_areas >= MAX_AREAS)
        return km_fail(err, KM_E_INPUT, file, line, 0, "more than %u areas", MAX_AREAS);
    struct km_vm_area_facts *a = add_area(b);

    if (!a)
        return km_fail(err, KM_E_NOMEM, file, line, 0, "out of memory");
    a->start = (uint32_t)start;
    a->bytes = (uint32_t)bytes;
    area_words(a, p);
    return KM_OK;
}

int km_bundle_vmalloc(struct km_bundle *out, const char *dir, struct km_err *err)
{
    return km_bundle_lines(dir, "vmallocinfo", area_line, out, &out->vm_areas_known, err);
}
