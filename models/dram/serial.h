/* SPDX-License-Identifier: MIT
 * serial.h - a DRAM channel that serves one request after the other: "a read arriving at t has data
 * at t'".
 *
 * Models:      the controller behind a front-side bus whose requests arrive one at a time: first
 *              come first served, open, closed or timeout page, refresh when due, posted writes
 * that wait until their turn by arrival time. Not modelled: reordering (ctrl.h does that for queued
 * traffic). Time:        DRAM clocks; arrivals of reads must not decrease. Invariants:  commands
 * leave in time order, one per clock at most; every due refresh is done or, if the channel was idle
 * for long, counted (only the last one of an idle stretch is simulated).
 */
#ifndef KM_DRAM_SERIAL_H
#define KM_DRAM_SERIAL_H

#include "models/dram/audit.h"
#include "models/dram/dram.h"

#ifdef __cplusplus
extern "C" {
#endif

#define KM_SERIAL_WRITES 64u

/* Of a channel, however it is scheduled. */
struct km_dram_serial_counts {
    uint64_t reads, writes, row_hits, row_misses, row_conflicts, refreshes;
    uint64_t read_latency_sum, read_latency_max, bytes, end_clock;
    uint64_t write_latency_sum, write_latency_max; /* arrival to the end of the data */
    uint64_t closed_early;                         /* rows closed by the page policy */
    uint64_t forwarded;                            /* reads answered from the write queue */
    uint64_t write_drains;                         /* changes from reading to writing */
    uint64_t queue_max;                            /* most requests waiting at once */
};

struct km_dram_serial {
    struct km_dram dev;
    struct km_dram_audit audit;
    bool refresh;
    enum km_dram_paging page;
    uint32_t page_timeout_clocks; /* 0 for closed pages */
    uint64_t own_work;            /* no refresh is due and no row to be closed before this clock */
    uint64_t last_column[KM_DRAM_ALL_BANKS];
    uint64_t command_free; /* first clock with a free command slot */
    uint64_t refresh_due[KM_DRAM_MAX_RANKS];
    struct {
        uint64_t pa, arrival;
        uint32_t bytes;
    } write[KM_SERIAL_WRITES];
    uint32_t write_head, nr_writes;
    struct km_dram_serial_counts n;
};

struct km_dram_serial_cfg {
    struct km_dram_geom geom;
    bool refresh, audit; /* audit: check every command (debug and test builds) */
    enum km_dram_paging page;
    uint32_t page_timeout_clocks;
};

void km_dram_serial_init(struct km_dram_serial *s, const struct km_dram_serial_cfg *cfg);
/* Reads `bytes` at pa; returns the clock at whose end the first word is on the pins. */
uint64_t km_dram_serial_read(struct km_dram_serial *s, uint64_t pa, uint32_t bytes,
                             uint64_t arrival);
/* Posts a write. */
void km_dram_serial_write(struct km_dram_serial *s, uint64_t pa, uint32_t bytes, uint64_t arrival);
/* Performs all posted writes. */
void km_dram_serial_drain(struct km_dram_serial *s);

#ifdef __cplusplus
}
#endif
#endif
