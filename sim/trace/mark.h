/* SPDX-License-Identifier: MIT
 * mark.h - the truth samples a capture carries as trace_marker lines (KM_EV_MARK).
 *
 * Each parser returns true and fills *out if the text is of its kind. Zone names are copied.
 */
#ifndef KM_TRACE_MARK_H
#define KM_TRACE_MARK_H

#include "models/base/types.h"

enum km_mark_kind {
    KM_MARK_NONE,
    KM_MARK_SAMPLE_BEGIN, /* value = sample number */
    KM_MARK_BUDDYINFO,
    KM_MARK_ZONEINFO,
    KM_MARK_SAMPLE_CORE, /* value = sample number */
    KM_MARK_VMSTAT,
    KM_MARK_PAGETYPE,
    KM_MARK_SLABINFO,
    KM_MARK_SAMPLE_END, /* value = sample number */
    KM_MARK_KPAGE_BEGIN,
    KM_MARK_KPAGE_END,
    KM_MARK_WORK_BEGIN,
    KM_MARK_WORK_END,
};

#define KM_ZONE_NAME_MAX 16

struct km_mark_buddyinfo {
    int node;
    char zone[KM_ZONE_NAME_MAX];
    uint64_t nr_free[KM_NR_ORDERS]; /* blocks */
};

struct km_mark_pcp {
    uint32_t count, high, batch; /* pages */
};

struct km_mark_zoneinfo {
    char zone[KM_ZONE_NAME_MAX];
    uint64_t free, boost, min, low, high, managed; /* pages */
    unsigned nr_pcp;
    struct km_mark_pcp pcp[KM_MAX_CPUS];
};

enum km_pagetype_line {
    KM_PAGETYPE_OTHER,
    KM_PAGETYPE_BLOCK_ORDER, /* value = pageblock order            */
    KM_PAGETYPE_FREE,        /* zone, type, nr_free                */
    KM_PAGETYPE_BLOCKS,      /* zone, blocks[type in column order] */
};

#define KM_MARK_TYPES 6

struct km_mark_pagetype {
    enum km_pagetype_line line;
    int node;
    unsigned value;
    char zone[KM_ZONE_NAME_MAX];
    int migratetype; /* 6.1 numbering: 0 Unmovable 1 Movable 2 Reclaimable 3 HighAtomic,
                      * 4 Isolate (5 if the text lists CMA before it, then 4 is CMA) */
    uint64_t nr_free[KM_NR_ORDERS]; /* blocks */
    bool capped[KM_NR_ORDERS];      /* printed as ">100000" */
    unsigned nr_types;
    uint64_t blocks[KM_MARK_TYPES];
};

struct km_mark_slabinfo {
    char cache[64];
    uint64_t active_objs, num_objs, objsize, objs_per_slab, pages_per_slab, active_slabs, num_slabs;
};

/* Kind of a marker line; *value gets the number behind SAMPLE_x, *rest the text after the keyword.
 */
enum km_mark_kind km_mark_kind(const char *text, uint64_t *value, const char **rest);
/* `rest` of the kinds above, or the same line of a /proc file. */
bool km_mark_buddyinfo(const char *rest, struct km_mark_buddyinfo *out);
bool km_mark_zoneinfo(const char *rest, struct km_mark_zoneinfo *out);
bool km_mark_pagetype(const char *rest, struct km_mark_pagetype *out);
bool km_mark_slabinfo(const char *rest, struct km_mark_slabinfo *out);
/* Value of `key` in a VMSTAT line ("k=v k=v"), false if absent. */
bool km_mark_vmstat(const char *rest, const char *key, int64_t *value);

#endif
