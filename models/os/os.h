/* SPDX-License-Identifier: MIT
 * os.h - one simulated kernel: what is fixed at boot (host memory) and where its structures live (guest).
 *
 * Everything that changes while allocators run lives in guest memory and is reached through the CPU port.
 * Host memory holds what the compiler or the boot code would have folded into constants, configuration,
 * the tracepoint hook and statistics.
 * Units: PFN = page frame number; _va guest virtual, _pa guest physical bytes.
 */
#ifndef KM_OS_OS_H
#define KM_OS_OS_H

#include "models/base/types.h"
#include "models/cpu/cpu.h"
#include "models/os/gfp.h"
#include "models/os/layout.h"
#include "models/os/personality.h"

struct km_os_params {
    const struct km_personality *personality;
    unsigned cpus;
    km_vaddr page_offset;  /* 0xC0000000 */
    km_pfn max_pfn;        /* end of RAM */
    km_pfn max_low_pfn;    /* Normal/HighMem border, or max_pfn */
    unsigned pageblock_order;
    unsigned struct_page_bytes;
    bool thp;             /* per-CPU lists also for pageblock_order; min_free_kbytes raised */
    bool init_on_alloc;   /* zero every page and object at allocation */
    bool freelist_random; /* SLAB_FREELIST_RANDOM */
    uint32_t min_free_kbytes; /* 0: formula */
    uint32_t watermark_scale_factor, watermark_boost_factor;
    uint64_t seed;
    km_paddr static_pa; /* kernel bss: room for KM_OS_STATIC_BYTES */
    km_pfn node_start_pfn, node_end_pfn; /* one node of several (numa.h); both 0: all memory */
};

#define KM_OS_STATIC_BYTES (64u << 10)
#define KM_OS_STACK_BYTES 512u
#define KM_OS_GLOBAL_LINES 9u /* of 64 bytes */

/* Tracepoints of the simulated kernel: what the real one would have recorded. */
enum km_tp_kind {
    KM_TP_PAGE_ALLOC,
    KM_TP_PAGE_FREE,
    KM_TP_PAGE_FREE_BATCHED,
    KM_TP_ZONE_LOCKED,
    KM_TP_PCPU_DRAIN,
    KM_TP_EXTFRAG,
    KM_TP_WAKEUP_KSWAPD,
    KM_TP_KSWAPD_WAKE,
    KM_TP_KSWAPD_SLEEP,
    KM_TP_DIRECT_RECLAIM_BEGIN,
    KM_TP_DIRECT_RECLAIM_END, /* nr: pages reclaimed */
    KM_TP_COMPACTION,         /* of a zone (name) for an order (KM_NR_ORDERS: for no request) has ended: nr pages moved,
                                 flag: direct; fallback_order: enum km_compact_result */
    KM_TP_OOM_KILL,           /* name, nr: task and its number */
    KM_TP_ALLOC_FAILURE,      /* "page allocation failure", not under NOWARN */
    KM_TP_KMALLOC,
    KM_TP_KMEM_CACHE_ALLOC,
    KM_TP_KFREE,
    KM_TP_KMEM_CACHE_FREE,
};

struct km_tp {
    enum km_tp_kind kind;
    km_pfn pfn; /* KM_PFN_NONE: failed */
    uint8_t order, fallback_order;
    uint8_t migratetype, fallback_migratetype;
    bool flag; /* percpu_refill, change_ownership, accounted */
    uint32_t gfp;
    uint32_t nr;
    km_vaddr ptr;
    uint32_t bytes_req, bytes_alloc;
    const char *name; /* cache */
};

struct km_tracer {
    void (*emit)(void *ctx, const struct km_cpu *cpu, const struct km_tp *tp); /* NULL: off */
    void *ctx;
};

/* Which free block the next carving of a zone takes, asked under the zone lock: KM_PFN_NONE leaves it to the
 * rules. Only a replay that follows its trace sets it. */
struct km_carve_hook {
    km_pfn (*choose)(void *ctx, struct km_cpu *cpu, enum km_zone_id z, unsigned order,
                     enum km_migratetype mt); /* NULL: off */
    void *ctx;
};

/* A request that compacts memory itself: the first block of its order that a free by the same CPU makes is
 * handed to it instead of to the lists. */
struct km_capture {
    enum km_zone_id zone;
    unsigned order;
    enum km_migratetype mt;
    km_pfn pfn; /* KM_PFN_NONE until then */
};
struct km_compact_ops;
struct km_lru;
struct km_reclaim;
struct km_oom;

struct km_zone {
    const char *name; /* "DMA" ... */
    km_vaddr va;      /* struct zone in guest memory */
    km_vaddr pcp_va[KM_MAX_CPUS];
    km_vaddr pageblock_flags_va;     /* one byte per pageblock: its migratetype */
    km_pfn start_pfn, end_pfn;       /* span; equal: empty */
    uint32_t present_pages;
};

struct km_compaction;

struct km_os {
    struct km_os_params p;
    struct km_zone zone[KM_NR_ZONES];
    km_vaddr mem_map_va; /* struct page of frame mem_map_pfn */
    km_pfn mem_map_pfn;
    km_pfn mem_map_end;
    km_vaddr static_va, static_end_va; /* bump-allocated kernel bss */
    km_vaddr stack_va[KM_MAX_CPUS]; /* top of the stack page-allocator calls run on; 0: none */
    km_vaddr globals_va; /* lines of scattered kernel data they read: task, zonelist, mem_map ... */
    uint64_t low_pages_elsewhere; /* managed low pages of other nodes: they share min_free_kbytes */
    bool mobility_grouping;
    bool pagesets_live; /* false: boot pagesets (high 0, batch 1) */
    bool reclaim_succeeds;  /* replay: the traced kernel's reclaim served what fails at MIN here */
    uint64_t marks_ignored; /* how often that happened */
    struct km_tracer tracer;
    struct km_carve_hook carve;
    struct km_lru *lru;         /* lru.h; NULL: pages are not followed once handed out */
    struct km_reclaim *reclaim; /* reclaim.h; NULL: requests that fail at MIN are not reclaimed for */
    struct km_oom *oom;         /* oom.h; NULL: nobody is killed */
    const struct km_compact_ops *compact; /* compaction.h; NULL: no scanners, direct compaction is skipped */
    struct km_compaction *compaction;     /* their state */
    struct km_capture *capture[KM_MAX_CPUS]; /* NULL outside direct compaction */
    struct km_slab_layer *slab; /* NULL until the slab layer is up */
};

static inline km_vaddr km_page_va(const struct km_os *os, km_pfn pfn) /* struct page */
{
    return os->mem_map_va + (pfn - os->mem_map_pfn) * os->p.struct_page_bytes;
}

static inline km_pfn km_page_pfn(const struct km_os *os, km_vaddr page_va)
{
    return os->mem_map_pfn + (page_va - os->mem_map_va) / os->p.struct_page_bytes;
}

/* Linear address of a low-memory frame and back. */
static inline km_vaddr km_pfn_to_va(const struct km_os *os, km_pfn pfn)
{
    return os->p.page_offset + (pfn << KM_PAGE_SHIFT);
}

static inline km_pfn km_va_to_pfn(const struct km_os *os, km_vaddr va)
{
    return (va - os->p.page_offset) >> KM_PAGE_SHIFT;
}

static inline bool km_pfn_is_low(const struct km_os *os, km_pfn pfn)
{
    return pfn < os->p.max_low_pfn;
}

/* Zone of a frame; KM_NR_ZONES if it lies in none. */
static inline enum km_zone_id km_pfn_zone(const struct km_os *os, km_pfn pfn)
{
    for (unsigned z = 0; z < KM_NR_ZONES; z++)
        if (pfn >= os->zone[z].start_pfn && pfn < os->zone[z].end_pfn)
            return (enum km_zone_id)z;
    return KM_NR_ZONES;
}

/* Are blocks of this order kept on per-CPU lists? */
static inline bool km_pcp_covers(const struct km_os *os, unsigned order)
{
    const struct km_personality *p = os->p.personality;

    return order <= p->pcp_max_order || (os->p.thp && p->pcp_thp_lists && order == os->p.pageblock_order);
}

static inline void km_trace_tp(const struct km_os *os, const struct km_cpu *cpu, const struct km_tp *tp)
{
    if (os->tracer.emit)
        os->tracer.emit(os->tracer.ctx, cpu, tp);
}

/* Room in the kernel's bss (never freed); bug if exhausted. */
km_vaddr km_os_static_alloc(struct km_os *os, uint32_t bytes, uint32_t align);

#endif
