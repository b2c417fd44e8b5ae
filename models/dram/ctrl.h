/* SPDX-License-Identifier: MIT
 * ctrl.h - a queued DRAM controller: many requests in flight, reordered or not.
 *
 * Models:      a read and a write queue, sorted by bank. A request whose row is not open becomes
 *              *active* with its ACT: it leaves its queue for the list of active requests (one per
 *              bank), is served before queued ones, and nobody closes its row before.
 *              Order of queued requests:
 *                fcfs    the oldest one only
 *                frfcfs  the oldest one whose next command is legal now
 *                rowhit  as frfcfs, but column commands before others, and a row is not closed
 * while a request of the queue wants it hit_cap: after so many column commands in one row, an older
 * request for another row of that bank goes first (0: no cap). Pages: open (a row stays open until
 * another one is needed), closed (closed when no queued request wants it), timeout (closed so many
 * clocks after its last column command if no queued request wants it). Writes: drained from
 * `write_high` percent of the queue down to `write_low` percent, with write_idle also while no read
 * waits. A read of a line in the write queue is answered from there in the next clock. Refresh: all
 * banks of a rank at every interval, before queued requests. Not modelled: ECC, refresh postponing.
 * Time:        DRAM clocks. Within one clock: completions, then at most one km_dram_ctrl_offer(),
 *              then km_dram_ctrl_step(), which issues at most one command. km_dram_ctrl_next() is
 *              the earliest later clock at which a step can do something, so idle clocks may be
 *              skipped.
 * Invariants:  a request is accepted once and completed once; queues never exceed their length;
 *              per bank and queue, `hit` is the oldest request for the open row and `miss` the
 * oldest one for another row. References:  S. Rixner et al., "Memory Access Scheduling", ISCA 2000
 * (first ready, row hits first).
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

enum km_dram_order { KM_ORDER_FCFS, KM_ORDER_FRFCFS, KM_ORDER_ROWHIT };

struct km_dram_ctrl_cfg {
    struct km_dram_geom geom;
    enum km_dram_order order;
    uint32_t hit_cap; /* 0: none */
    enum km_dram_paging page;
    uint32_t page_timeout_clocks;
    uint32_t queue_read, queue_write;
    uint32_t queue_active; /* most active requests; 0: they stay in their queue, one per bank */
    uint32_t write_high, write_low; /* percent of queue_write */
    bool write_idle, refresh, audit;
};

struct km_dram_request {
    struct km_dram_addr addr;
    uint64_t pa, arrival, age; /* age: smaller is older */
    bool write, begun;         /* begun: a command was issued for it */
};

#define KM_CTRL_NONE 0xffu

/* Requests of one bank in one queue, oldest first; slot numbers or KM_CTRL_NONE. */
struct km_dram_bank_queue {
    uint8_t head, tail, hit, miss;
};

struct km_dram_queue {
    struct km_dram_request req[KM_CTRL_MAX_QUEUE];
    uint8_t next[KM_CTRL_MAX_QUEUE]; /* in the bank's list or in the free list */
    uint8_t free;
    uint32_t nr, nr_active, max;
    uint64_t banks; /* with requests, a bit each */
    uint64_t not_before[KM_DRAM_ALL_BANKS]; /* no command for the bank's requests is legal earlier */
    struct km_dram_bank_queue bank[KM_DRAM_ALL_BANKS];
};

struct km_dram_ctrl {
    struct km_dram dev;
    struct km_dram_audit audit;
    struct km_dram_ctrl_cfg cfg;
    struct km_dram_queue read, write;
    struct km_dram_request active[KM_DRAM_ALL_BANKS];
    uint64_t active_not_before[KM_DRAM_ALL_BANKS];
    uint64_t active_banks, open_banks; /* a bit each */
    uint32_t hits[KM_DRAM_ALL_BANKS];  /* column commands since the row was opened */
    uint64_t last_column[KM_DRAM_ALL_BANKS];
    bool writing; /* draining writes */
    uint32_t line_shift, bank_bits;
    uint64_t refresh_due[KM_DRAM_MAX_RANKS];
    uint64_t next; /* earliest clock with work, after the last step */
    uint64_t age;
    /* Reads whose data are on the way: completion clocks in order of issue (a ring). */
    uint64_t done_clock[2 * KM_CTRL_MAX_QUEUE], done_arrival[2 * KM_CTRL_MAX_QUEUE];
    uint32_t done_head, nr_done;
    struct km_dram_serial_counts n;
};

const char *km_dram_ctrl_check(const struct km_dram_ctrl_cfg *cfg);
void km_dram_ctrl_init(struct km_dram_ctrl *c, const struct km_dram_ctrl_cfg *cfg);
/* A request of this kind would be accepted now. */
bool km_dram_ctrl_room(const struct km_dram_ctrl *c, bool write);
/* False: the queue is full; offer again later. */
bool km_dram_ctrl_offer(struct km_dram_ctrl *c, uint64_t pa, bool write, uint64_t now);
void km_dram_ctrl_step(struct km_dram_ctrl *c, uint64_t now);
static inline uint64_t km_dram_ctrl_next(const struct km_dram_ctrl *c)
{
    return c->next;
}
/* No more requests will come: from now on writes leave whatever the watermarks say. */
void km_dram_ctrl_flush(struct km_dram_ctrl *c, uint64_t now);
/* Nothing waits, nothing is on its way. */
static inline bool km_dram_ctrl_idle(const struct km_dram_ctrl *c)
{
    return !c->read.nr && !c->write.nr && !c->active_banks && !c->nr_done;
}
/* Clock of the oldest outstanding read completion, KM_NEVER if none. */
static inline uint64_t km_dram_ctrl_completion(const struct km_dram_ctrl *c)
{
    return c->nr_done ? c->done_clock[c->done_head] : KM_NEVER;
}
/* Takes completions up to and including `now`; returns how many reads ended. */
uint32_t km_dram_ctrl_complete(struct km_dram_ctrl *c, uint64_t now);

#ifdef __cplusplus
}
#endif
#endif
