/* SPDX-License-Identifier: MIT
 * mark.c - parsers of the truth samples; the same lines occur in /proc files. See mark.h.
 */
#include "sim/trace/mark.h"
#include "sim/trace/scan.h"

#include <string.h>

struct kind_word {
    const char *word;
    enum km_mark_kind kind;
};

static const struct kind_word kind_words[] = {
    {"SAMPLE_BEGIN", KM_MARK_SAMPLE_BEGIN},
    {"BUDDYINFO", KM_MARK_BUDDYINFO},
    {"ZONEINFO", KM_MARK_ZONEINFO},
    {"SAMPLE_CORE", KM_MARK_SAMPLE_CORE},
    {"VMSTAT", KM_MARK_VMSTAT},
    {"PAGETYPE", KM_MARK_PAGETYPE},
    {"SLABINFO", KM_MARK_SLABINFO},
    {"SAMPLE_END", KM_MARK_SAMPLE_END},
    {"KPAGE_BEGIN", KM_MARK_KPAGE_BEGIN},
    {"KPAGE_END", KM_MARK_KPAGE_END},
    {"WORK_BEGIN", KM_MARK_WORK_BEGIN},
    {"WORK_END", KM_MARK_WORK_END},
};

/* Index: 6.1 numbering. "Reserve" is what older kernels have in place of HighAtomic. */
static const char *const type_names[] = {"Unmovable", "Movable", "Reclaimable", "HighAtomic"};

enum km_mark_kind km_mark_kind(const char *text, uint64_t *value, const char **rest)
{
    *value = 0;
    *rest = text;
    for (size_t i = 0; i < KM_ARRAY_LEN(kind_words); i++) {
        const char *p = text;

        if (!km_scan_word(&p, kind_words[i].word) || (*p && *p != ' '))
            continue;
        *rest = km_scan_blanks(p);
        km_scan_u64(&p, value);
        return kind_words[i].kind;
    }
    return KM_MARK_NONE;
}

/* "Node 0, zone   Normal" */
static bool scan_node_zone(const char **cursor, int *node, char *zone)
{
    uint32_t number;

    if (!km_scan_word(cursor, "Node") || !km_scan_u32(cursor, &number) ||
        !km_scan_word(cursor, ",") || !km_scan_word(cursor, "zone") ||
        !km_scan_name(cursor, zone, KM_ZONE_NAME_MAX))
        return false;
    *node = (int)(number & 0x7fffffff);
    return true;
}

bool km_mark_buddyinfo(const char *rest, struct km_mark_buddyinfo *out)
{
    memset(out, 0, sizeof(*out));
    if (!scan_node_zone(&rest, &out->node, out->zone))
        return false;
    for (unsigned order = 0; order < KM_NR_ORDERS; order++)
        if (!km_scan_u64(&rest, &out->nr_free[order]))
            return false;
    return true;
}

static uint64_t *zoneinfo_member(struct km_mark_zoneinfo *z, const char *key)
{
    if (strcmp(key, "free") == 0)
        return &z->free;
    if (strcmp(key, "boost") == 0)
        return &z->boost;
    if (strcmp(key, "min") == 0)
        return &z->min;
    if (strcmp(key, "low") == 0)
        return &z->low;
    if (strcmp(key, "high") == 0)
        return &z->high;
    return strcmp(key, "managed") == 0 ? &z->managed : NULL;
}

/* "0/13/1" behind "pcp<cpu>" */
static bool scan_pcp(const char **cursor, const char *key, struct km_mark_zoneinfo *out)
{
    const char *digits = key + 3;
    struct km_mark_pcp pcp;
    uint32_t cpu;

    if (!km_scan_u32(&digits, &cpu) || !km_scan_u32(cursor, &pcp.count) ||
        !km_scan_word(cursor, "/") || !km_scan_u32(cursor, &pcp.high) ||
        !km_scan_word(cursor, "/") || !km_scan_u32(cursor, &pcp.batch))
        return false;
    if (cpu >= KM_MAX_CPUS)
        return true;
    out->pcp[cpu] = pcp;
    if (cpu >= out->nr_pcp)
        out->nr_pcp = cpu + 1;
    return true;
}

bool km_mark_zoneinfo(const char *rest, struct km_mark_zoneinfo *out)
{
    char key[48];
    bool any = false;

    memset(out, 0, sizeof(*out));
    if (!km_scan_name(&rest, out->zone, sizeof(out->zone)))
        return false;
    while (km_scan_name(&rest, key, sizeof(key))) {
        uint64_t *member = zoneinfo_member(out, key);
        uint64_t value;

        if (strncmp(key, "pcp", 3) == 0) {
            if (!scan_pcp(&rest, key, out))
                return false;
            continue;
        }
        if (!km_scan_u64(&rest, &value))
            return false;
        if (member) {
            *member = value;
            any = true;
        }
    }
    return any;
}

static int migratetype_of(const char *name)
{
    for (size_t i = 0; i < KM_ARRAY_LEN(type_names); i++)
        if (strcmp(name, type_names[i]) == 0)
            return (int)i;
    if (strcmp(name, "Reserve") == 0)
        return 3;
    if (strcmp(name, "CMA") == 0 || strcmp(name, "Isolate") == 0)
        return 4;
    return -1;
}

static bool scan_pagetype_free(const char *p, struct km_mark_pagetype *out)
{
    char type[24];

    if (!km_scan_name(&p, type, sizeof(type)))
        return false;
    out->migratetype = migratetype_of(type);
    if (out->migratetype < 0)
        return false;
    for (unsigned order = 0; order < KM_NR_ORDERS; order++) {
        out->capped[order] = km_scan_word(&p, ">");
        if (!km_scan_u64(&p, &out->nr_free[order]))
            return false;
    }
    out->line = KM_PAGETYPE_FREE;
    return true;
}

bool km_mark_pagetype(const char *rest, struct km_mark_pagetype *out)
{
    uint32_t value;

    memset(out, 0, sizeof(*out));
    out->migratetype = -1;
    if (km_scan_word(&rest, "Page block order:")) {
        out->line = KM_PAGETYPE_BLOCK_ORDER;
        if (!km_scan_u32(&rest, &value))
            return false;
        out->value = value;
        return true;
    }
    if (!scan_node_zone(&rest, &out->node, out->zone)) {
        const char *p = rest; /* headings and the line of pages per block carry nothing new */

        return km_scan_word(&p, "Pages per block") || km_scan_word(&p, "Free pages count") ||
               km_scan_word(&p, "Number of") || *km_scan_blanks(p) == '\0';
    }
    if (km_scan_word(&rest, ", type"))
        return scan_pagetype_free(rest, out);
    while (out->nr_types < KM_MARK_TYPES && km_scan_u64(&rest, &out->blocks[out->nr_types]))
        out->nr_types++;
    out->line = KM_PAGETYPE_BLOCKS;
    return out->nr_types > 0;
}

/* /proc/slabinfo: "name a b c d e : tunables .. : slabdata f g h"; marker: "name a b c d e f g". */
bool km_mark_slabinfo(const char *rest, struct km_mark_slabinfo *out)
{
    uint64_t *const first[] = {&out->active_objs, &out->num_objs, &out->objsize,
                               &out->objs_per_slab, &out->pages_per_slab};
    const char *slabdata;

    memset(out, 0, sizeof(*out));
    rest = km_scan_blanks(rest);
    if (*rest == '#' || !km_scan_name(&rest, out->cache, sizeof(out->cache)))
        return false;
    for (size_t i = 0; i < KM_ARRAY_LEN(first); i++)
        if (!km_scan_u64(&rest, first[i]))
            return false;
    slabdata = strstr(rest, "slabdata");
    if (slabdata)
        rest = slabdata + strlen("slabdata");
    return km_scan_u64(&rest, &out->active_slabs) && km_scan_u64(&rest, &out->num_slabs);
}

bool km_mark_vmstat(const char *rest, const char *key, int64_t *value)
{
    size_t len = strlen(key);

    for (const char *p = km_scan_blanks(rest); *p; p = km_scan_blanks(p)) {
        if (strncmp(p, key, len) == 0 && p[len] == '=') {
            const char *at = p + len + 1;
            bool negative = *at == '-';
            uint64_t number;

            at += negative;
            if (!km_scan_u64(&at, &number))
                return false;
            *value = negative ? -(int64_t)number : (int64_t)number;
            return true;
        }
        while (*p && *p != ' ' && *p != '\t')
            p++;
    }
    return false;
}
