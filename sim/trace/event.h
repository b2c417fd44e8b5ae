/* SPDX-License-Identifier: MIT
 * event.h - one event of a kernel trace, in the same shape whatever format it was read from.
 *
 * GFP flags and migratetypes are normalised to Linux 6.1 numbering (kernel-behaviour B1, B2):
 * binary formats decode through the symbol table in the event's print format, text formats by name.
 * A failed allocation has pfn KM_PFN_NONE (page events) or ptr 0 (object events).
 * Strings (symbol of a call site, cache name, task name) are interned: small ids into the reader's
 * table, see km_trace_string(); id 0 is the empty string.
 */
#ifndef KM_TRACE_EVENT_H
#define KM_TRACE_EVENT_H

#include "models/base/types.h"

enum km_event_type {
    KM_EV_NONE = 0,
    /* kmem */
    KM_EV_KMALLOC,                /* obj (kmalloc_node of older kernels too) */
    KM_EV_KMEM_CACHE_ALLOC,       /* obj */
    KM_EV_KFREE,                  /* obj: call_site, ptr */
    KM_EV_KMEM_CACHE_FREE,        /* obj: call_site, ptr, name */
    KM_EV_PAGE_ALLOC,             /* page: pfn order gfp migratetype */
    KM_EV_PAGE_FREE,              /* page: pfn order */
    KM_EV_PAGE_FREE_BATCHED,      /* page: pfn; repeats a PAGE_FREE, never count it */
    KM_EV_PAGE_ALLOC_ZONE_LOCKED, /* page: pfn order migratetype flag=percpu_refill */
    KM_EV_PAGE_PCPU_DRAIN,        /* page: pfn order migratetype */
    KM_EV_PAGE_ALLOC_EXTFRAG,     /* extfrag */
    /* percpu */
    KM_EV_PERCPU_ALLOC,         /* percpu */
    KM_EV_PERCPU_FREE,          /* percpu: base_addr off ptr */
    KM_EV_PERCPU_ALLOC_FAIL,    /* percpu: size align */
    KM_EV_PERCPU_CREATE_CHUNK,  /* percpu: base_addr */
    KM_EV_PERCPU_DESTROY_CHUNK, /* percpu: base_addr */
    /* vmscan, compaction, oom: reclaim */
    KM_EV_KSWAPD_WAKE,          /* reclaim: nid order */
    KM_EV_KSWAPD_SLEEP,         /* reclaim: nid */
    KM_EV_WAKEUP_KSWAPD,        /* reclaim: nid order gfp */
    KM_EV_DIRECT_RECLAIM_BEGIN, /* reclaim: order gfp */
    KM_EV_DIRECT_RECLAIM_END,   /* reclaim: nr = nr_reclaimed */
    KM_EV_COMPACTION_BEGIN,     /* compaction */
    KM_EV_COMPACTION_END,       /* compaction; name = status */
    KM_EV_OOM,                  /* text: any oom:* event; name = event name */
    /* probes of the capture kit (captures/README): probe */
    KM_EV_VMALLOC_RANGE,       /* a=size b=align c=start d=end gfp */
    KM_EV_VMALLOC_RANGE_RET,   /* a=ptr */
    KM_EV_VFREE,               /* a=ptr */
    KM_EV_VM_AREA,             /* a=size b=flags */
    KM_EV_VM_AREA_REMOVE,      /* a=ptr */
    KM_EV_PAGES_BULK,          /* a=nr gfp */
    KM_EV_PAGES_BULK_RET,      /* a=got */
    KM_EV_SLAB_ALLOC_BULK,     /* a=cache b=nr gfp */
    KM_EV_SLAB_ALLOC_BULK_RET, /* a=got */
    KM_EV_SLAB_FREE_BULK,      /* bulk: cache nr ptr[] */
    KM_EV_CACHE_CREATE,        /* a=size b=align c=flags name */
    KM_EV_SPLIT_PAGE,          /* a=page (address in mem_map) b=order */
    KM_EV_PAGES_EXACT,         /* a=size gfp */
    KM_EV_PAGES_EXACT_RET,     /* a=ptr */
    KM_EV_MEMPOOL_ALLOC,       /* a=pool gfp */
    KM_EV_MEMPOOL_FREE,        /* a=ptr b=pool */
    KM_EV_KMAP_HIGH,           /* a=page */
    KM_EV_KUNMAP_HIGH,         /* a=page */
    KM_EV_KREALLOC,            /* a=ptr b=size gfp */
    KM_EV_KMAP_LOCAL,          /* a=page */
    KM_EV_KUNMAP_LOCAL,        /* a=ptr */
    /* anything else */
    KM_EV_MARK,  /* text: a trace_marker line (BUDDYINFO ..., see mark.h) */
    KM_EV_LOST,  /* lost: nr = events the tracer dropped here (0: unknown) */
    KM_EV_OTHER, /* an event we do not model; name = its name */
    KM_EV_NR,
};

/* Context the event was recorded in (common_flags of the kernel's trace entry). */
enum {
    KM_EV_IRQS_OFF = 1u << 0,
    KM_EV_NEED_RESCHED = 1u << 2,
    KM_EV_HARDIRQ = 1u << 3,
    KM_EV_SOFTIRQ = 1u << 4,
    KM_EV_NMI = 1u << 6,
    KM_EV_CONTEXT_KNOWN = 1u << 7, /* text without the latency column does not say */
};

#define KM_BULK_MAX 16u

struct km_event {
    uint64_t time_ns;
    uint8_t type; /* enum km_event_type */
    uint8_t cpu;
    uint8_t context; /* KM_EV_* bits above */
    uint8_t preempt_count;
    int32_t pid;
    uint32_t comm; /* interned */
    union {
        struct {
            uint64_t call_site_addr;   /* 0 if the text only has the symbol       */
            uint32_t call_site;        /* interned symbol without offset, or 0    */
            uint32_t call_site_offset; /* bytes into the symbol                 */
            uint32_t name;             /* interned cache name (kmem_cache_free)   */
            uint64_t ptr;              /* 0: NULL                                 */
            uint32_t bytes_req, bytes_alloc;
            uint32_t gfp;
            int16_t node;
            bool accounted;
        } obj;
        struct {
            km_pfn pfn; /* KM_PFN_NONE: failed */
            uint8_t order;
            int8_t migratetype;
            bool flag; /* percpu_refill */
            uint32_t gfp;
        } page;
        struct {
            km_pfn pfn;
            uint8_t alloc_order, fallback_order, pageblock_order;
            int8_t alloc_migratetype, fallback_migratetype;
            bool change_ownership;
        } extfrag;
        struct {
            uint64_t base_addr, ptr;
            uint64_t call_site_addr; /* as in obj */
            uint32_t call_site;      /* interned  */
            uint32_t call_site_offset;
            uint32_t size, align, off, bytes_alloc, gfp;
            bool reserved, is_atomic;
        } percpu;
        struct {
            int32_t nid;
            uint32_t order, gfp, nr;
        } reclaim;
        struct {
            km_pfn zone_start, migrate_pfn, free_pfn, zone_end;
            bool sync;
            uint32_t name;
        } compaction;
        struct {
            uint64_t a, b, c, d;
            uint32_t gfp;
            uint32_t name; /* interned */
        } probe;
        struct {
            uint64_t cache;
            uint32_t nr; /* as recorded; only the first min(nr, KM_BULK_MAX) pointers are known */
            uint32_t ptr[KM_BULK_MAX];
        } bulk;
        struct {
            const char *text; /* NUL-terminated, valid until the next event is read */
            uint32_t name;    /* interned event name */
        } text;
        struct {
            uint64_t nr;
        } lost;
    };
};

/* Name as in tracefs (kmalloc, mm_page_alloc ...). */
const char *km_event_name(enum km_event_type type);
enum km_event_type km_event_by_name(const char *name, size_t len);

#endif
