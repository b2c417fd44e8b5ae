/* SPDX-License-Identifier: MIT
 * hier.h - the private caches of one CPU as one unit: L1I, L1D and up to two unified outer levels.
 *
 * Models:      which level answers a reference, what state it ends in, which dirty lines leave.
 *              Each outer level is non-inclusive (P6, NetBurst: a miss fills every level, each
 *              replaces on its own), inclusive (what it replaces leaves the inner levels, too) or
 *              exclusive (K7, K8: it takes what the level in front replaces, clean or dirty, and
 *              gives it back on a hit; memory fills pass it by). A dirty victim is written into the
 *              next level. The states follow the protocol table `coh`.
 * Not modelled: time, sharing between CPUs (the caller asks the bus and snoops the others), MSHRs;
 *              stores do not look for the line in the CPU's own L1I (no self-modifying code).
 * Protocol:    km_hier_access() tries the levels. If it needs the bus it changes nothing but
 *              counters and says why; when the transaction is ordered, km_hier_fill() installs the
 *              line.
 * Invariants:  H1 all levels have the same line size; H2 what the others may have of a line is
 *              decided by the strongest copy here (km_hier_peek); H3 if L1D holds E or M, no outer
 *              level in front of memory that filled with it holds S under MESI and MOESI; L1I lines
 *              are S; H4 the lines of inner levels are in every inclusive level.
 * Unified L1:  without an L1I, fetches use L1D. A fetch that finds the line in L1D only takes it
 *              from there.
 */
#ifndef KM_CACHE_HIER_H
#define KM_CACHE_HIER_H

#include "models/cache/cache.h"
#include "models/cache/coh.h"

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
#define KM_HIER_MAX_WB 96u /* two outer levels with sectors of eight lines */

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
    const struct km_coh_protocol *coh;
    /* An inclusive level is about to take the line at this index from L1D (or L1I); may be NULL. */
    void (*l1_loss)(void *ctx, bool code, uint32_t idx);
    void *ctx;
};

/* Why the levels do not fit together, or NULL; *culprit is the level to name: 0 L1I, 1 L1D, 2, 3.
 * The geometries themselves are checked by km_cache_check. Absent levels have size 0. */
const char *km_hier_check(const struct km_cache_geom *l1i, const struct km_cache_geom *l1d,
                          const struct km_cache_geom *l2, const struct km_cache_geom *l3,
                          unsigned *culprit);
/* One reference to a line. */
void km_hier_access(struct km_hier *h, uint64_t line, enum km_access kind, struct km_hier_out *out);
/* Asked again once the bus is granted, without counting: what the reference still needs it for. */
enum km_bus_need km_hier_need(const struct km_hier *h, uint64_t line, enum km_access kind);
/* Installs the line after the bus transaction; state is S, E or M. For KM_NEED_WRITE do not call
 * it. */
void km_hier_fill(struct km_hier *h, uint64_t line, enum km_access kind, enum km_line_state state,
                  struct km_hier_out *out);
/* Installs a prefetched line in the first outer level and what must hold its lines, not in L1. */
void km_hier_prefetch(struct km_hier *h, uint64_t line, enum km_line_state state,
                      struct km_hier_out *out);
/* A snoop: returns the state it found (km_coh_at of it says what is to be done) and moves the
 * copies on. *l1d_idx is where L1D held the line, or KM_CACHE_NONE. */
enum km_line_state km_hier_snoop(struct km_hier *h, uint64_t line, enum km_coh_event event,
                                 uint32_t *l1d_idx, uint32_t *l1i_idx);
/* Writes every dirty line back, level by level from L1 outwards, as at the end of a trace; the
 * lines stay, clean. Returns how many lines went to memory; each is told to `sink` (may be
 * NULL). */
uint64_t km_hier_flush(struct km_hier *h, void (*sink)(void *ctx, uint64_t line), void *ctx);
/* Drops every line of every level (INVD, or WBINVD after a flush); returns how many were dirty. */
uint64_t km_hier_drop_all(struct km_hier *h);
/* Strongest state over all levels; changes nothing. */
enum km_line_state km_hier_peek(const struct km_hier *h, uint64_t line);

#ifdef __cplusplus
}
#endif
#endif
