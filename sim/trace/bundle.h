/* SPDX-License-Identifier: MIT
 * bundle.h - the capture-bundle folder: trace + start/ + end/ (+ early/), read into plain structs.
 *
 * Nothing here interprets a trace; it reads the /proc files and kernel messages saved beside it.
 * Missing optional files leave the has_* flag false; damaged ones are errors with file and line.
 */
#ifndef KM_TRACE_BUNDLE_H
#define KM_TRACE_BUNDLE_H

#include "sim/base/err.h"
#include "sim/trace/mark.h"

#define KM_BUNDLE_MAX_ZONES 5
#define KM_BUNDLE_MAX_E820 32
#define KM_BUNDLE_MAX_CACHES 512
#define KM_BUNDLE_MAX_MEMBLOCK 1024

struct km_zone_facts { /* one "Node N, zone X" section of /proc/zoneinfo */
    int node;
    char zone[KM_ZONE_NAME_MAX];
    uint64_t free, boost, min, low, high, spanned, present, managed, start_pfn; /* pages */
    uint64_t protection[KM_BUNDLE_MAX_ZONES];
    unsigned nr_protection;
    unsigned nr_pcp;
    struct km_mark_pcp pcp[KM_MAX_CPUS];
};

struct km_e820 {
    uint64_t start, end; /* bytes, end exclusive */
    bool usable;
};

struct km_slab_facts { /* slab_attrs + slabinfo + slab_state of one cache */
    char name[64];     /* as in slabinfo; if it is not there, as in slab_attrs */
    char sysfs_id[64]; /* name in slab_attrs and slab_state (":0000032" for merged caches); ""
                          unknown */
    uint32_t object_size, slab_size, objs_per_slab, order, align, cpu_partial, min_partial, aliases;
    uint64_t active_objs, num_objs, num_slabs;
    uint64_t state_objects, state_partial, state_slabs, state_cpu_slabs;
};

struct km_slab_alias { /* a merged cache: name -> sysfs_id */
    char name[64], sysfs_id[64];
};

enum km_memblock_op { KM_MEMBLOCK_ADD, KM_MEMBLOCK_RESERVE, KM_MEMBLOCK_FREE, KM_MEMBLOCK_REMOVE };

/* memblock=debug lines of dmesg, in order. The "MEMBLOCK configuration" dump, which also shows what
 * was added and reserved before the kernel began to print, appears as ADD and RESERVE lines in its
 * place. */
struct km_memblock_line {
    enum km_memblock_op op;
    uint64_t start, end; /* bytes, end exclusive */
};

enum km_vm_facts_kind { KM_VM_FACTS_AREA, KM_VM_FACTS_MAP_RAM, KM_VM_FACTS_LAZY };

struct km_vm_area_facts { /* one line of /proc/vmallocinfo */
    enum km_vm_facts_kind kind;
    uint32_t start, bytes; /* with guard page */
    uint32_t pages, flags; /* flags: 1 ioremap, 2 vmalloc, 4 vmap, 8 user, 16 DMA */
    uint64_t phys;         /* 0: none */
    bool vpages;           /* the page array is itself vmalloc'ed */
    char caller[96];       /* "function+0x1/0x2" or "" */
};

struct km_proc_state { /* one of start/, end/, early/ */
    bool present;
    char dir[256];
    unsigned nr_zones; /* from zoneinfo */
    struct km_zone_facts zone[KM_BUNDLE_MAX_ZONES];
    unsigned nr_buddyinfo;
    struct km_mark_buddyinfo buddyinfo[KM_BUNDLE_MAX_ZONES];
    unsigned pageblock_order; /* from pagetypeinfo; 0 unknown */
    unsigned nr_pagetype;
    struct km_mark_pagetype pagetype[KM_BUNDLE_MAX_ZONES * (KM_MARK_TYPES + 1)];
    unsigned nr_caches;
    struct km_slab_facts *cache; /* owned */
    unsigned nr_aliases;
    struct km_slab_alias *alias; /* owned; slab_aliases */
    uint64_t *kpageflags;        /* owned; NULL if absent. One word per page frame */
    uint64_t *kpagecount;        /* owned; NULL if absent                          */
    uint64_t nr_frames;          /* words in each                                  */
};

struct km_bundle {
    char dir[256];
    char trace_path[512]; /* preferred trace file */
    char version[256];    /* /proc/version line   */
    bool kernel_64bit;    /* x86_64/amd64 in version */
    bool pae;             /* from cpuinfo flags/version/iomem and pageblock_order */
    unsigned cpus;        /* from cpuinfo */
    bool boot;            /* the trace begins at boot (trace_init): no start state but memblock */
    bool thp; /* built with transparent hugepages (vmstat has thp_ lines): order pageblock_order
               * goes through the per-CPU lists; by default true */
    unsigned min_free_kbytes;   /* sys_vm; 0 unknown */
    uint64_t swap_kbytes, swap_free_kbytes; /* meminfo at the start; 0 unknown, or none */
    bool reserve_ratio_read; /* start/sys_vm shows it: the kernel computes the reserves anew at each look */
    unsigned struct_page_bytes; /* 40 unless the capture says otherwise */
    uint64_t ram_bytes;         /* sum of usable e820, rounded up to the next MiB */
    unsigned nr_e820;           /* from dmesg "BIOS-e820", else from iomem "System RAM" */
    struct km_e820 e820[KM_BUNDLE_MAX_E820];
    unsigned nr_memblock;              /* from dmesg with memblock=debug */
    struct km_memblock_line *memblock; /* owned */
    uint64_t free_pages_at_boot; /* dmesg "Memory: nK/..." available at memblock_free_all, pages; 0
                                    unknown */
    bool vm_areas_known;              /* there is a start/vmallocinfo */
    unsigned nr_vm_areas;
    struct km_vm_area_facts *vm_area; /* owned; in address order as the kernel lists them */
    struct km_proc_state start, end, early;
};

bool km_path_is_folder(const char *path);
/* Path of the preferred trace file of a folder: the first there is of trace.txt, trace.txt.gz,
 * trace, trace.gz, trace.dat, trace.dat.gz. False if there is none. */
bool km_bundle_trace_path(const char *dir, char *path, size_t size);
/* True if path is a folder that holds a trace. */
bool km_bundle_probe(const char *path);
int km_bundle_read(struct km_bundle *out, const char *dir, struct km_err *err);
void km_bundle_release(struct km_bundle *b);
/* What zoneinfo of the start, else of the end, says about a zone; NULL: nothing. */
const struct km_zone_facts *km_bundle_zone(const struct km_bundle *b, const char *name);

#endif
