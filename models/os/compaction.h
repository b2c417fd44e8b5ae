/* SPDX-License-Identifier: MIT
 * compaction.h - whether compaction is worth trying: suitability of a zone, and deferral after failures.
 */
#ifndef KM_OS_COMPACTION_H
#define KM_OS_COMPACTION_H

#include "models/os/zone.h"

/* In ascending order of what was tried; the best of the zones counts. */
enum km_compact_result {
    KM_COMPACT_SKIPPED,         /* not enough free pages, or lack of memory rather than fragmentation */
    KM_COMPACT_DEFERRED,        /* not tried after failures */
    KM_COMPACT_CONTINUE,        /* suitability: try it */
    KM_COMPACT_COMPLETE,        /* whole zone scanned: no block */
    KM_COMPACT_PARTIAL_SKIPPED, /* part of a zone scanned: no block */
    KM_COMPACT_CONTENDED,       /* given up early */
    KM_COMPACT_SUCCESS,         /* the request can be served */
};

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

#endif
