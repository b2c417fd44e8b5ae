/* SPDX-License-Identifier: MIT
 * dram_probe.h - one DRAM channel as seen from outside: its commands as a trace and as signals.
 *
 * Signals in "dram.channelN": command (0 none, 1 ACT, 2 RD, 3 WR, 4 PRE, 5 PRE all, 6 REF; for one
 * clock), rank, bank, row of the last command, data (0 idle, 1 read, 2 write data on the bus), and
 * for each bank open (1 while a row is open) and its row.
 */
#ifndef KM_SIM_DRAM_PROBE_H
#define KM_SIM_DRAM_PROBE_H

#include "models/bus/clock.h"
#include "models/dram/dram.h"
#include "sim/base/probe.h"

#ifdef __cplusplus
extern "C" {
#endif

struct km_dram_probe {
    const struct km_probe *probe;
    const struct km_dram *dram;
    unsigned channel;
    struct km_clock_ratio to_ps;
    unsigned command, rank, bank, row, data;
    unsigned open[KM_DRAM_ALL_BANKS], open_row[KM_DRAM_ALL_BANKS];
};

/* Watches d from now on; p must live as long as d. Does nothing if probe is NULL. */
void km_dram_probe_attach(struct km_dram_probe *p, const struct km_probe *probe, unsigned channel,
                          struct km_dram *d, uint64_t clock_hz);

#ifdef __cplusplus
}
#endif
#endif
