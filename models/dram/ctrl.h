/* SPDX-License-Identifier: MIT
 * ctrl.h - a queued DRAM controller: many requests in flight, reordered or not.
 *
 * Models:      a read and a write queue; fcfs (the oldest request only) or frfcfs (the oldest
 *              request whose next command is legal now; a request whose row was opened for it is
 *              pinned until its column command, and no other request may close that row); open or
 *              closed page; all-bank refresh at every interval with priority over queued requests;
 *              writes are drained in batches (from 4/5 of the queue down to 1/5, or while no read
 *              waits); a read of a line in the write queue is answered from there in the next
 *              clock.
 * Not modelled: power-down, ECC, refresh postponing, per-bank queues.
 * Time:        DRAM clocks. Within one clock: completions, then at most one km_dram_ctrl_offer(),
 *              then km_dram_ctrl_step(), which issues at most one command. km_dram_ctrl_next() is
 *              the earliest later clock at which a step can do something, so idle clocks may be
 *              skipped.
 * Invariants:  a request is accepted once and completed once; queues never exceed their length.
 */
#ifndef KM_DRAM_CTRL_H
#define KM_DRAM_CTRL_H

#include "models/dram/audit.h"
#include "models/dram/dram.h"
#include "models/dram/serial.h"

#ifdef __cplusplus
extern "C" {
#endif

#define KM_CTRL_MAX_QUEUE 128u

struct km_dram_ctrl_cfg {
    struct km_dram_geom geom;
    bool fcfs, closed_page, refresh, audit;
    uint32_t queue_read, queue_write;
};

struct km_dram_request {
    struct km_dram_addr addr;
    uint64_t pa, arrival;
    bool write, pinned, begun; /* begun: a command was issued for it */
};

struct km_dram_queue {
    struct km_dram_request req[KM_CTRL_MAX_QUEUE]; /* oldest first */
    uint32_t nr, max;
};

struct km_dram_ctrl {
    struct km_dram dev;
    struct km_dram_audit audit;
    struct km_dram_ctrl_cfg cfg;
    struct km_dram_queue read, write;
    bool writing; /* draining writes */
    uint64_t refresh_due[KM_DRAM_MAX_RANKS];
    uint64_t next; /* earliest clock with work, after the last step */
    /* Reads whose data are on the way: completion clocks in order of issue (a ring). */
    uint64_t done_clock[2 * KM_CTRL_MAX_QUEUE], done_arrival[2 * KM_CTRL_MAX_QUEUE];
    uint32_t done_head, nr_done;
    struct km_dram_serial_counts n;
};

const char *km_dram_ctrl_check(const struct km_dram_ctrl_cfg *cfg);
void km_dram_ctrl_init(struct km_dram_ctrl *c, const struct km_dram_ctrl_cfg *cfg);
/* False: the queue is full; offer again later. */
bool km_dram_ctrl_offer(struct km_dram_ctrl *c, uint64_t pa, bool write, uint64_t now);
void km_dram_ctrl_step(struct km_dram_ctrl *c, uint64_t now);
static inline uint64_t km_dram_ctrl_next(const struct km_dram_ctrl *c)
{
    return c->next;
}
/* Clock of the oldest outstanding read completion, KM_NEVER if none. */
uint64_t km_dram_ctrl_completion(const struct km_dram_ctrl *c);
/* Takes completions up to and including `now`; returns how many reads ended. */
uint32_t km_dram_ctrl_complete(struct km_dram_ctrl *c, uint64_t now);

#ifdef __cplusplus
}
#endif
#endif
