/* SPDX-License-Identifier: MIT
 * bundle_proc.c - zoneinfo, buddyinfo, pagetypeinfo, kpageflags and kpagecount of one /proc
 * snapshot.
 *
 * Formats: kernel-behaviour B3 and the capture notes. zoneinfo: a section "Node N, zone X" per
 * zone, within it "pages free", the watermarks, protection, then "pagesets" with one
 * count/high/batch per CPU, then start_pfn. Zones past KM_BUNDLE_MAX_ZONES (other NUMA nodes) are
 * left out.
 */
#include "sim/trace/bundle_file.h"
#include "sim/trace/input.h"
#include "sim/trace/scan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define MAX_FRAMES (1u << 26) /* 256 GiB */

struct zone_reader {
    struct km_proc_state *state;
    struct km_zone_facts *zone; /* NULL outside of a section we keep */
    struct km_mark_pcp *pcp;    /* NULL outside of a pageset         */
};

struct member {
    const char *key;
    size_t at;
};

static const struct member zone_members[] = {
    {"pages free", offsetof(struct km_zone_facts, free)},
    {"boost", offsetof(struct km_zone_facts, boost)},
    {"min", offsetof(struct km_zone_facts, min)},
    {"low", offsetof(struct km_zone_facts, low)},
    {"high", offsetof(struct km_zone_facts, high)},
    {"spanned", offsetof(struct km_zone_facts, spanned)},
    {"present", offsetof(struct km_zone_facts, present)},
    {"managed", offsetof(struct km_zone_facts, managed)},
    {"start_pfn:", offsetof(struct km_zone_facts, start_pfn)},
};

static const struct member pcp_members[] = {
    {"count:", offsetof(struct km_mark_pcp, count)},
    {"high:", offsetof(struct km_mark_pcp, high)},
    {"batch:", offsetof(struct km_mark_pcp, batch)},
};

static int bad_line(const char *file, int line, const char *what, struct km_err *err)
{
    return km_fail(err, KM_E_INPUT, file, line, 0, "not a line of %s", what);
}

/* "Node 0, zone   Normal": starts a section. */
static bool zone_heading(struct zone_reader *reader, const char *p)
{
    struct km_zone_facts zone;
    uint32_t node;

    memset(&zone, 0, sizeof(zone));
    if (!km_scan_word(&p, "Node") || !km_scan_u32(&p, &node) || !km_scan_word(&p, ",") ||
        !km_scan_word(&p, "zone") || !km_scan_name(&p, zone.zone, sizeof(zone.zone)))
        return false;
    zone.node = (int)(node & 0x7fffffff);
    reader->zone = NULL;
    reader->pcp = NULL;
    if (reader->state->nr_zones < KM_BUNDLE_MAX_ZONES) {
        reader->zone = &reader->state->zone[reader->state->nr_zones++];
        *reader->zone = zone;
    }
    return true;
}

static void zone_protection(struct km_zone_facts *zone, const char *p)
{
    zone->nr_protection = 0;
    while (zone->nr_protection < KM_BUNDLE_MAX_ZONES &&
           km_scan_u64(&p, &zone->protection[zone->nr_protection])) {
        zone->nr_protection++;
        if (!km_scan_word(&p, ","))
            break;
    }
}

static bool pcp_line(struct zone_reader *reader, const char *text)
{
    const char *p = text;
    uint32_t cpu;

    if (km_scan_word(&p, "cpu:")) {
        if (!km_scan_u32(&p, &cpu))
            return false;
        reader->pcp = cpu < KM_MAX_CPUS ? &reader->zone->pcp[cpu] : NULL;
        if (reader->pcp && cpu >= reader->zone->nr_pcp)
            reader->zone->nr_pcp = cpu + 1;
        return true;
    }
    for (size_t i = 0; reader->pcp && i < KM_ARRAY_LEN(pcp_members); i++) {
        p = text;
        if (km_scan_word(&p, pcp_members[i].key))
            return km_scan_u32(&p, (uint32_t *)((char *)reader->pcp + pcp_members[i].at));
    }
    return true;
}

static int zone_line(void *ctx, const char *file, int line, const char *text, struct km_err *err)
{
    struct zone_reader *reader = ctx;
    const char *p = text;

    if (zone_heading(reader, text) || !reader->zone)
        return KM_OK;
    if (km_scan_word(&p, "protection: (")) {
        zone_protection(reader->zone, p);
        return KM_OK;
    }
    for (size_t i = 0; i < KM_ARRAY_LEN(zone_members); i++) {
        p = text;
        if (!km_scan_word(&p, zone_members[i].key) || (*p != ' ' && *p != '\t' && *p != '\0'))
            continue;
        if (!km_scan_u64(&p, (uint64_t *)((char *)reader->zone + zone_members[i].at)))
            return bad_line(file, line, "zoneinfo", err);
        return KM_OK;
    }
    return pcp_line(reader, text) ? KM_OK : bad_line(file, line, "zoneinfo", err);
}

static int buddy_line(void *ctx, const char *file, int line, const char *text, struct km_err *err)
{
    struct km_proc_state *state = ctx;
    struct km_mark_buddyinfo buddy;

    if (*km_scan_blanks(text) == '\0')
        return KM_OK;
    if (!km_mark_buddyinfo(text, &buddy))
        return bad_line(file, line, "buddyinfo", err);
    if (state->nr_buddyinfo < KM_BUNDLE_MAX_ZONES)
        state->buddyinfo[state->nr_buddyinfo++] = buddy;
    return KM_OK;
}

static int pagetype_line(void *ctx, const char *file, int line, const char *text,
                         struct km_err *err)
{
    struct km_proc_state *state = ctx;
    struct km_mark_pagetype type;

    if (!km_mark_pagetype(text, &type))
        return bad_line(file, line, "pagetypeinfo", err);
    if (type.line == KM_PAGETYPE_BLOCK_ORDER)
        state->pageblock_order = type.value;
    else if (type.line != KM_PAGETYPE_OTHER && state->nr_pagetype < KM_ARRAY_LEN(state->pagetype))
        state->pagetype[state->nr_pagetype++] = type;
    return KM_OK;
}

/* With CMA there is a row more per zone and Isolate is number 5: every second "4" of a zone. */
static void renumber_isolate(struct km_proc_state *state)
{
    for (unsigned i = 1; i < state->nr_pagetype; i++) {
        struct km_mark_pagetype *row = &state->pagetype[i];
        const struct km_mark_pagetype *before = row - 1;

        if (row->line == KM_PAGETYPE_FREE && row->migratetype == 4 && before->migratetype == 4 &&
            strcmp(row->zone, before->zone) == 0)
            row->migratetype = 5;
    }
}

static int grow_words(uint64_t **words, uint64_t *cap, const char *path, struct km_err *err)
{
    uint64_t more = *cap ? *cap * 2 : 1u << 16;
    uint64_t *bigger = more <= MAX_FRAMES ? realloc(*words, more * sizeof(**words)) : NULL;

    if (!bigger)
        return km_fail(err, KM_E_INPUT, path, 0, 0, "more than %llu page frames",
                       (unsigned long long)*cap);
    *words = bigger;
    *cap = more;
    return KM_OK;
}

static int read_words(struct km_input *in, const char *path, uint64_t **out, uint64_t *nr,
                      struct km_err *err)
{
    uint64_t cap = 0, bytes = 0;
    long got;

    for (;;) {
        if (bytes == cap * 8) {
            int rc = grow_words(out, &cap, path, err);

            if (rc != KM_OK)
                return rc;
        }
        got = km_input_read(in, (char *)*out + bytes, cap * 8 - bytes, err);
        if (got <= 0)
            break;
        bytes += (uint64_t)got;
    }
    if (got < 0)
        return (int)got;
    if (bytes % 8)
        return km_fail(err, KM_E_INPUT, path, 0, 0, "the length is no multiple of 8 bytes (%llu)",
                       (unsigned long long)bytes);
    *nr = bytes / 8;
    return KM_OK;
}

/* One 64-bit word per page frame, as the kernel gives them (host byte order: little endian). */
static int page_words(const char *dir, const char *name, uint64_t **out, uint64_t *nr,
                      struct km_err *err)
{
    static const char *const endings[] = {".gz", ""};
    struct km_input *in;
    struct stat st;
    char path[512];

    for (size_t i = 0; i < KM_ARRAY_LEN(endings); i++) {
        int rc;

        snprintf(path, sizeof(path), "%s/%s%s", dir, name, endings[i]);
        if (stat(path, &st) != 0 || !S_ISREG(st.st_mode) || st.st_size == 0)
            continue;
        rc = km_input_open(&in, path, err);
        if (rc != KM_OK)
            return rc;
        rc = read_words(in, path, out, nr, err);
        km_input_close(in);
        return rc;
    }
    return KM_OK;
}

static int page_files(struct km_proc_state *state, struct km_err *err)
{
    uint64_t flags = 0, counts = 0;
    int rc = page_words(state->dir, "kpageflags", &state->kpageflags, &flags, err);

    if (rc == KM_OK)
        rc = page_words(state->dir, "kpagecount", &state->kpagecount, &counts, err);
    state->nr_frames = flags ? flags : counts;
    if (flags && counts && counts < flags)
        state->nr_frames = counts;
    return rc;
}

int km_bundle_proc_state(struct km_proc_state *out, const char *dir, struct km_err *err)
{
    struct zone_reader zones = {.state = out};
    bool found;
    int rc;

    if (!km_path_is_folder(dir))
        return KM_OK;
    if (strlen(dir) >= sizeof(out->dir))
        return km_fail(err, KM_E_INPUT, dir, 0, 0, "the path is too long");
    out->present = true;
    strcpy(out->dir, dir);
    rc = km_bundle_lines(dir, "zoneinfo", zone_line, &zones, &found, err);
    if (rc == KM_OK && found && !out->nr_zones)
        return km_fail(err, KM_E_INPUT, dir, 0, 0, "zoneinfo names no zone: it is not a copy of /proc/zoneinfo");
    if (rc == KM_OK)
        rc = km_bundle_lines(dir, "buddyinfo", buddy_line, out, NULL, err);
    if (rc == KM_OK)
        rc = km_bundle_lines(dir, "pagetypeinfo", pagetype_line, out, NULL, err);
    renumber_isolate(out);
    if (rc == KM_OK)
        rc = km_bundle_slab_files(out, err);
    if (rc == KM_OK)
        rc = page_files(out, err);
    return rc;
}

void km_bundle_proc_release(struct km_proc_state *state)
{
    free(state->cache);
    free(state->alias);
    free(state->kpageflags);
    free(state->kpagecount);
    memset(state, 0, sizeof(*state));
}
