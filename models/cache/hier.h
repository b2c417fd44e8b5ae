/* SPDX-License-Identifier: MIT
 * hier.h - the private caches of one CPU as one unit: L1I, L1D and up to two unified outer levels.
 *
 * Models:      which level answers a reference, what MESI state it ends in, which dirty lines
 *              leave. Levels are neither inclusive nor exclusive (P6, NetBurst): a miss fills every
 *              level, each level replaces on its own, a dirty L1 victim is written into the next
 *              level.
 * Not modelled: time, sharing between CPUs (the caller asks the bus and snoops the others), MSHRs,
 * sectors.
 * Protocol:    km_hier_access() tries the levels. If it needs the bus it changes nothing but
 *              counters and says why; when the transaction is ordered, km_hier_fill() installs the
 *              line.
 * Invariants:  H1 all levels have the same line size; H2 a copy in E or M excludes copies
 *              elsewhere; H3 if L1D holds E or M, no outer level holds S; L1I lines are S.
 * Unified L1:  without an L1I, fetches use L1D.
 */
#ifndef KM_CACHE_HIER_H
#define KM_CACHE_HIER_H

#include "models/cache/cache.h"

#ifdef __cplusplus
extern "C" {
#endif

enum km_access { KM_ACCESS_LOAD, KM_ACCESS_STORE, KM_ACCESS_FETCH };

enum km_bus_need {
    KM_NEED_NONE,
    KM_NEED_READ,    /* line for reading                          */
    KM_NEED_OWN,     /* line for writing (read for ownership)     */
    KM_NEED_UPGRADE, /* have it shared, need the others to drop it */
    KM_NEED_WRITE,   /* the written bytes only: no level allocates */
};

#define KM_HIER_OUTER 2u
#define KM_HIER_MAX_WB 8u

struct km_hier_out {
    enum km_bus_need need;
    unsigned level;  /* 1 L1, 2, 3: who had it; 0 nobody */
    uint32_t l1_idx; /* where L1 (D or I) now holds the line, or KM_CACHE_NONE */
    unsigned nr_wb;
    uint64_t wb_line[KM_HIER_MAX_WB]; /* dirty lines that left for memory */
};

struct km_hier {
    struct km_cache l1i, l1d, outer[KM_HIER_OUTER];
    unsigned nr_outer;
    bool split; /* l1i present */
};

/* One reference to a line. */
void km_hier_access(struct km_hier *h, uint64_t line, enum km_access kind, struct km_hier_out *out);
/* Asked again once the bus is granted, without counting: what the reference still needs it for. */
enum km_bus_need km_hier_need(const struct km_hier *h, uint64_t line, enum km_access kind);
/* Installs the line after the bus transaction; state is S, E or M. For KM_NEED_WRITE do not call
 * it. */
void km_hier_fill(struct km_hier *h, uint64_t line, enum km_access kind, enum km_mesi state,
                  struct km_hier_out *out);
/* State another agent finds when it asks for the line; the copies become S or are dropped.
 * *l1d_idx is where L1D held it, or KM_CACHE_NONE. */
enum km_mesi km_hier_snoop(struct km_hier *h, uint64_t line, bool invalidate, uint32_t *l1d_idx,
                           uint32_t *l1i_idx);
/* Writes every dirty line back, level by level from L1 outwards, as at the end of a trace; the
 * lines stay, clean. Returns how many lines went to memory. */
uint64_t km_hier_flush(struct km_hier *h);
/* Strongest state over all levels; changes nothing. */
enum km_mesi km_hier_peek(const struct km_hier *h, uint64_t line);

#ifdef __cplusplus
}
#endif
#endif
