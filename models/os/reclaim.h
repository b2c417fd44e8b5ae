/* SPDX-License-Identifier: MIT
 * reclaim.h - taking pages back: scanning the LRU lists, writeback, shrinkers, direct reclaim.
 */
#ifndef KM_OS_RECLAIM_H
#define KM_OS_RECLAIM_H

#include "models/os/kswapd.h"
#include "models/os/lru.h"

/* Events counted as in /proc/vmstat. */
enum km_vm_event {
    KM_VM_PGACTIVATE,
    KM_VM_PGDEACTIVATE,
    KM_VM_PGREFILL,
    KM_VM_PGSTEAL_KSWAPD,
    KM_VM_PGSTEAL_DIRECT,
    KM_VM_PGSCAN_KSWAPD,
    KM_VM_PGSCAN_DIRECT,
    KM_VM_PGSCAN_ANON,
    KM_VM_PGSCAN_FILE,
    KM_VM_PGSTEAL_ANON,
    KM_VM_PGSTEAL_FILE,
    KM_VM_PGROTATED,
    KM_VM_PSWPOUT,
    KM_VM_NR_DIRTIED,
    KM_VM_NR_WRITTEN,
    KM_VM_VMSCAN_WRITE,
    KM_VM_VMSCAN_IMMEDIATE,
    KM_VM_SLABS_SCANNED,
    KM_VM_ALLOCSTALL,
    KM_VM_PAGEOUTRUN,
    KM_VM_LOW_WMARK_HIT,
    KM_VM_HIGH_WMARK_HIT,
    KM_VM_WRITEBACK_WAITS, /* not in the kernel's file: requests that waited for a write to end */
    KM_VM_COMPACTSTALL,
    KM_VM_COMPACTFAIL,
    KM_VM_COMPACTSUCCESS,
    KM_VM_OOM_KILL,
    KM_VM_ALLOC_FAILURES, /* not in the kernel's file */
    KM_VM_STUCK,          /* not in the kernel's file: requests that would have looped for ever */
    KM_VM_NR,
};
const char *km_vm_event_name(enum km_vm_event e);

struct km_write {
    km_pfn pfn;
    uint64_t due_ns;
};

/* Pages whose turn comes after a fixed time: first in, first out. Room is lent by the caller. */
struct km_write_queue {
    struct km_write *item;
    uint32_t head, nr, room;
};

struct km_reclaim {
    /* set by the caller before km_reclaim_open */
    unsigned swappiness;     /* 0 to 200 */
    uint64_t swap_pages;     /* slots; 0: no swap */
    uint64_t writeback_ns;   /* from the start of a write to its end */
    uint64_t dirty_expire_ns; /* age at which the flusher writes a page */
    uint64_t scan_page_ns;   /* kswapd's time for one page it looks at */
    struct km_write_queue dirty, writing;
    void *ctx;
    void (*gone)(void *ctx, struct km_cpu *cpu, km_pfn pfn, bool swapped); /* about to be freed; may be NULL */
    uint64_t (*slab_count)(void *ctx);                                     /* freeable objects; NULL: none */
    uint64_t (*slab_free)(void *ctx, struct km_cpu *cpu, uint64_t nr);     /* objects freed */
    /* state */
    uint64_t now_ns;
    uint64_t swap_used;
    uint64_t slab_deferred;
    bool memalloc[KM_MAX_CPUS]; /* reclaims right now: its own requests may take everything */
    bool many_dirty;            /* kswapd met nothing but dirty page cache: it writes itself */
    struct km_kswapd_thread kswapd;
    uint64_t count[KM_VM_NR];
};

/* One call of reclaim (struct scan_control). */
struct km_scan {
    enum km_zone_id highest;
    unsigned order;
    uint32_t gfp;
    int priority;
    uint64_t to_reclaim;
    uint64_t scanned, reclaimed;
    bool kswapd, may_swap, may_write;
    bool force_deactivate, skipped_deactivate;
};

#define KM_RECLAIM_CLUSTER 32u /* pages looked at together, and freed for a direct reclaimer */
#define KM_RECLAIM_PRIORITY 12

/* os->reclaim is set; os->lru must be there. */
void km_reclaim_open(struct km_reclaim *rc, struct km_os *os);
/* Time passes: writes end, old dirty pages are written, kswapd works. */
void km_reclaim_step(struct km_os *os, struct km_cpu *cpu, uint64_t now_ns);
/* A request waits for the next write to end, at most 0.1 s; false: none is under way. */
bool km_reclaim_wait(struct km_os *os, struct km_cpu *cpu);
/* try_to_free_pages: pages reclaimed for a request. */
uint64_t km_direct_reclaim(struct km_os *os, struct km_cpu *cpu, unsigned order, uint32_t gfp);
/* One round over the node at sc->priority. */
void km_shrink_node(struct km_os *os, struct km_cpu *cpu, struct km_scan *sc);
/* Active anonymous pages go down if the inactive ones are few. */
void km_age_anon(struct km_os *os, struct km_cpu *cpu, struct km_scan *sc);
/* Pages of the zone that could be reclaimed. */
uint64_t km_zone_reclaimable(struct km_os *os, struct km_cpu *cpu, enum km_zone_id z);
/* A swapped-out page's slot is given back. */
void km_swap_free(struct km_os *os, uint64_t slots);

static inline void km_reclaim_count(struct km_reclaim *rc, enum km_vm_event e, uint64_t n)
{
    rc->count[e] += n;
}

/* Room in swap for one more page? */
static inline bool km_swap_room(const struct km_reclaim *rc)
{
    return rc->swap_used < rc->swap_pages;
}

#endif
