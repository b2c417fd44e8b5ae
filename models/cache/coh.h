/* SPDX-License-Identifier: MIT
 * coh.h - coherence protocols as state x event tables.
 *
 * Models:      what a CPU's caches, seen as one by a snooping bus, do with a line: the state of a
 *              node is its strongest copy. One file per protocol (coh_msi.c, coh_mesi.c,
 *              coh_moesi.c), one cell per state and event: the next state and what has to be done.
 * Not modelled here: where the copies are (hier.h), when transactions happen (sim/top).
 *              Transactions are atomic at their snoop, so there are no transient states.
 * Invariants:  C1 M or E in one node excludes copies in others; C2 at most one node is in O; C3
 *              memory is up to date unless a node is in M or O. coh_check.h checks them without
 *              these tables.
 * References:  Sweazey and Smith, "A Class of Compatible Cache Consistency Protocols and their
 *              Support by the IEEE Futurebus", ISCA 1986 (MOESI); Intel SDM vol. 3A 11.4 (MESI).
 */
#ifndef KM_CACHE_COH_H
#define KM_CACHE_COH_H

#include "models/cache/cache.h"

#ifdef __cplusplus
extern "C" {
#endif

enum km_coh_event {
    KM_COH_STORE,         /* the CPU writes                                           */
    KM_COH_FILL_ALONE,    /* a read for it is done, nobody else has the line          */
    KM_COH_FILL_SHARED,   /* a read for it is done, somebody else keeps a copy        */
    KM_COH_FILL_OWN,      /* a read for ownership or an upgrade for it is done        */
    KM_COH_SNOOP_READ,    /* another CPU reads                                        */
    KM_COH_SNOOP_OWN,     /* another CPU reads to write: it wants the data            */
    KM_COH_SNOOP_UPGRADE, /* another CPU that has the data is going to write         */
    KM_COH_SNOOP_WRITE,   /* another agent writes a part of the line to memory        */
    KM_COH_EVENTS
};

enum km_coh_action {
    KM_COH_NOTHING = 0,
    KM_COH_UPGRADE = 1,    /* ask the others to drop the line first            */
    KM_COH_SUPPLY = 2,     /* give the data to the one who asks (HITM)         */
    KM_COH_WRITE_BACK = 4, /* memory takes the data                            */
    KM_COH_BUG = 8,        /* cannot happen                                    */
};

struct km_coh_cell {
    uint8_t next;   /* enum km_line_state */
    uint8_t action; /* enum km_coh_action, several */
};

struct km_coh_protocol {
    const char *name, *help;
    struct km_coh_cell cell[KM_LINE_NR][KM_COH_EVENTS];
};

extern const struct km_coh_protocol km_coh_mesi, km_coh_moesi, km_coh_msi;
/* Sorted by name, ends with NULL; the index is enum km_coherence of the configuration. */
extern const struct km_coh_protocol *const km_coh_table[];

static inline const struct km_coh_cell *km_coh_at(const struct km_coh_protocol *p,
                                                  enum km_line_state s, enum km_coh_event ev)
{
    return &p->cell[s][ev];
}

/* State of a copy that lies behind (or in front of) a dirty one of the same CPU, or that nobody
 * else has. */
static inline enum km_line_state km_coh_alone(const struct km_coh_protocol *p)
{
    return (enum km_line_state)p->cell[KM_LINE_I][KM_COH_FILL_ALONE].next;
}

#ifdef __cplusplus
}
#endif
#endif
