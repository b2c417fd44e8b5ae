/* SPDX-License-Identifier: MIT
 * power.h - energy of one channel from the currents of a data sheet.
 *
 * Models:      the usual calculation from supply currents (IDD): a background current by state
 *              (precharge standby IDD2N, active standby IDD3N), plus, for each command, what it
 *              draws above that background: a row cycle IDD0 over tRC, reading IDD4R and writing
 * IDD4W over the burst, a refresh IDD5 over tRFC. All devices of a rank work together. Not
 * modelled: termination and I/O power of the bus, power-down and self-refresh currents,
 *              temperature.
 * Units:       mA, mV, DRAM clocks in; energy in picojoules, residency in clocks.
 * References:  Micron TN-41-01, "Calculating Memory System Power for DDR3" (2007): the method.
 */
#ifndef KM_DRAM_POWER_H
#define KM_DRAM_POWER_H

#include "models/dram/dram.h"

struct km_dram_currents {
    uint32_t vdd_mv, devices;                        /* devices of a rank; vdd 0: no figures */
    uint32_t idd0, idd2n, idd3n, idd4r, idd4w, idd5; /* mA of one device */
};

struct km_dram_energy {
    uint64_t active_clocks, precharged_clocks,
        refresh_clocks; /* rank clocks; their sum is clocks * ranks */
    uint64_t background_pj, activate_pj, read_pj, write_pj, refresh_pj;
};

/* Adds a channel's share. d: after the last command; refreshes: also those skipped while idle;
 * clocks: length of the run; clock_hz: of the DRAM. */
void km_dram_energy_add(struct km_dram_energy *e, const struct km_dram *d, uint64_t refreshes,
                        uint64_t clocks, uint64_t clock_hz, const struct km_dram_currents *i);

#endif
