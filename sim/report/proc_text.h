/* SPDX-License-Identifier: MIT
 * proc_text.h - memory state as the text of /proc files of Linux 6.1.
 *
 * The caller fills plain structs; every function returns the whole file as malloc'ed text (free
 * it), or NULL if host memory is exhausted. Formats are byte-identical to the kernel's, so tools
 * that read /proc work on them. Units: pages and blocks unless the name says otherwise.
 */
#ifndef KM_REPORT_PROC_TEXT_H
#define KM_REPORT_PROC_TEXT_H

#include "models/base/types.h"

#define KM_PROC_TYPES 6u /* Unmovable Movable Reclaimable HighAtomic [CMA] Isolate */
#define KM_PROC_ZONES_MAX 4u

/* One "name value" line. */
struct km_proc_counter {
    const char *name;
    uint64_t value;
};

struct km_proc_pcp {
    uint32_t count, high, batch, stat_threshold;
};

struct km_proc_zone {
    int node;
    const char *name;
    uint64_t free, boost, min, low, high, spanned, present, managed, cma;
    uint64_t protection[KM_PROC_ZONES_MAX];
    unsigned nr_protection; /* zones of the node: 3 without, 4 with HIGHMEM */
    uint32_t start_pfn;
    uint64_t nr_free[KM_NR_ORDERS];                  /* blocks */
    uint64_t type_free[KM_PROC_TYPES][KM_NR_ORDERS]; /* blocks; above 100000 printed as ">100000" */
    uint64_t type_blocks[KM_PROC_TYPES];             /* pageblocks */
    unsigned nr_cpus;
    struct km_proc_pcp pcp[KM_MAX_CPUS];
    const struct km_proc_counter *counter; /* zone counters of zoneinfo, from nr_free_pages on */
    unsigned nr_counters;
};

/* Zones without present pages appear in zoneinfo only, shortened, as in the kernel. */
char *km_proc_buddyinfo(const struct km_proc_zone *zones, unsigned nr_zones);
char *km_proc_pagetypeinfo(const struct km_proc_zone *zones, unsigned nr_zones,
                           unsigned pageblock_order, const char *const *type_names,
                           unsigned nr_types);
/* node_counter: the "per-node stats" under the first zone with pages. */
char *km_proc_zoneinfo(const struct km_proc_zone *zones, unsigned nr_zones,
                       const struct km_proc_counter *node_counter, unsigned nr_node_counters);

struct km_proc_cache {
    const char *name;
    uint64_t active_objs, num_objs;
    uint32_t objsize, objs_per_slab, pages_per_slab;
    uint32_t limit, batchcount, shared; /* tunables of SLAB; 0 under SLUB */
    uint64_t active_slabs, num_slabs, shared_avail;
};
char *km_proc_slabinfo(const struct km_proc_cache *caches, unsigned nr_caches);

/* Values without unit (HugePages_Total ...) have no_unit set; the name comes without its colon. */
struct km_proc_meminfo_row {
    const char *name;
    uint64_t kib;
    bool no_unit;
};
char *km_proc_meminfo(const struct km_proc_meminfo_row *rows, unsigned nr_rows);
char *km_proc_vmstat(const struct km_proc_counter *counters, unsigned nr_counters);

struct km_proc_resource {
    uint64_t start, end; /* inclusive, bytes */
    unsigned depth;      /* 0: top level     */
    const char *name;
};
char *km_proc_iomem(const struct km_proc_resource *resources, unsigned nr_resources);

/* proc_vmalloc.c: one line of vmallocinfo. Names of callers come from a symbol table, if there is one. */
enum km_proc_vm_kind { KM_PROC_VM_AREA, KM_PROC_VM_MAP_RAM, KM_PROC_VM_LAZY };

struct km_proc_vm {
    enum km_proc_vm_kind kind;
    uint32_t start, bytes; /* with guard page */
    const char *caller;    /* "function+0x1/0x2"; NULL: none */
    uint32_t pages;
    uint64_t phys; /* 0: none */
    uint32_t flags; /* vm_struct flags of 6.1: 1 ioremap, 2 vmalloc, 4 vmap, 8 user, 16 DMA */
    bool vpages;    /* the page array is itself vmalloc'ed */
};
char *km_proc_vmallocinfo(const struct km_proc_vm *areas, unsigned nr_areas, bool pae);

#endif
