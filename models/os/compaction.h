/* SPDX-License-Identifier: MIT
 * compaction.h - making large free blocks by moving pages: whether it is worth trying, and doing it.
 *
 * The slow path of the page allocator compacts if os->compact is set, which km_compaction_init does;
 * kcompactd.h works in the background. Units: frames and pages.
 */
#ifndef KM_OS_COMPACTION_H
#define KM_OS_COMPACTION_H

#include "models/os/zone.h"

/* Ascending: what a zonelist achieved is the largest of its zones' results. */
enum km_compact_result {
    KM_COMPACT_SKIPPED,  /* not enough free pages, or lack of memory rather than fragmentation */
    KM_COMPACT_DEFERRED, /* it failed lately */
    KM_COMPACT_CONTINUE, /* try it; go on */
    KM_COMPACT_COMPLETE, /* the scanners of a whole zone met: nothing more to gain */
    KM_COMPACT_PARTIAL_SKIPPED, /* they met, but began in the middle */
    KM_COMPACT_CONTENDED,       /* gave up: no targets left, or somebody else is waiting */
    KM_COMPACT_SUCCESS,         /* the request can be served */
    KM_COMPACT_RESULTS,
};

const char *km_compact_result_name(enum km_compact_result result);

enum km_migrate_mode { KM_MIGRATE_ASYNC, KM_MIGRATE_SYNC_LIGHT, KM_MIGRATE_SYNC };

/* Of the slow path, strongest first: SYNC_FULL ignores cached positions, skip bits and deferral. */
enum km_compact_prio { KM_COMPACT_SYNC_FULL, KM_COMPACT_SYNC_LIGHT, KM_COMPACT_ASYNC };

/* The scanners, as the slow path calls them. */
struct km_compact_ops {
    /* try_to_compact_pages: compacts the zones of the request's zonelist until one can serve it. captured: a
     * block that was handed over at once, else KM_PFN_NONE. */
    enum km_compact_result (*zone_order)(struct km_os *os, struct km_cpu *cpu, unsigned order, uint32_t gfp,
                                         unsigned alloc_flags, enum km_compact_prio prio, km_pfn *captured);
    /* kcompactd is wanted for blocks of this order in zones up to highest; NULL: there is none. */
    void (*wake_daemon)(struct km_os *os, struct km_cpu *cpu, unsigned order, enum km_zone_id highest);
};

/* What compaction of the zone for 2^order pages can be expected to do; mark: the one the request is held to. */
enum km_compact_result km_compaction_suitable(struct km_os *os, struct km_cpu *cpu, enum km_zone_id z, unsigned order,
                                              enum km_watermark mark, enum km_zone_id highest, unsigned alloc_flags);

/* Deferral state of a zone. */
struct km_compact_defer {
    unsigned considered, shift;
    unsigned failed_order; /* smallest order that failed; KM_NR_ORDERS: none */
};

void km_compact_defer_init(struct km_compact_defer *d);
/* A complete run did not give a block of this order: the next 2^shift attempts are skipped. */
void km_compact_defer_failed(struct km_compact_defer *d, unsigned order);
/* Is this attempt to be skipped? Counts it. */
bool km_compact_deferred(struct km_compact_defer *d, unsigned order);
/* The order can be had; served: an allocation of it was. */
void km_compact_defer_success(struct km_compact_defer *d, unsigned order, bool served);

/* Pages that can move, as their owner knows them. Any member may be NULL: then a page can move while it has
 * KM_PG_LRU and nothing but the page itself has to be told. */
struct km_movable_ops {
    bool (*isolate)(void *ctx, struct km_os *os, struct km_cpu *cpu, km_pfn pfn, enum km_migrate_mode mode);
    void (*put_back)(void *ctx, struct km_os *os, struct km_cpu *cpu, km_pfn pfn);
    /* The contents of `from` are to live in `to` from now on; false: it cannot be moved now. */
    bool (*move)(void *ctx, struct km_os *os, struct km_cpu *cpu, km_pfn from, km_pfn to, enum km_migrate_mode mode);
    void *ctx;
};

struct km_compact_stats {
    uint64_t runs, results[KM_COMPACT_RESULTS];
    uint64_t migrate_scanned, free_scanned; /* pages looked at */
    uint64_t sources, targets;              /* pages isolated */
    uint64_t moved, not_moved, given_up, returned; /* pages; given up: with their block; returned: targets */
    uint64_t captured;                      /* blocks handed to the request directly */
    uint64_t reordered;                     /* free lists turned by the searches */
};

struct km_kcompactd;

struct km_compaction {
    struct km_compact_defer defer[KM_NR_ZONES];
    struct km_movable_ops movable;
    struct km_compact_stats stats;
    struct km_kcompactd *daemon; /* NULL: no kcompactd */
    km_vaddr heads; /* lists of isolated pages, per CPU and for kcompactd */
};

/* Takes its lists from the kernel's bss. */
void km_compaction_init(struct km_compaction *c, struct km_os *os, struct km_cpu *cpu);
/* From now on the slow path compacts: os->compact and os->compaction. */
void km_compaction_enable(struct km_compaction *c, struct km_os *os);

/* /proc/sys/vm/compact_memory: every zone wholly, ignoring what earlier runs have learnt. */
void km_compact_all(struct km_compaction *c, struct km_os *os, struct km_cpu *cpu);
/* Forgets skip bits and cached positions. */
void km_compact_forget(struct km_os *os, struct km_cpu *cpu, enum km_zone_id z);

/* should_compact_retry: is another round of the slow path worth it? Raises *prio (lowers its number) when the
 * last round failed; *retries counts rounds at this priority. */
bool km_compact_should_retry(enum km_compact_result last, bool reclaim_could_help, unsigned order,
                             enum km_compact_prio *prio, unsigned *retries);

#endif
