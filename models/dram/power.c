/* SPDX-License-Identifier: MIT
 * power.c - see power.h.
 */
#include "models/dram/power.h"

#include "models/base/bits.h"

/* mA above the background, never negative (a data sheet may round them to the same value). */
static uint64_t above(uint64_t current, uint64_t background)
{
    return current > background ? current - background : 0;
}

/* Energy of `current` mA flowing for `clocks` in every device of a rank. mA * mV = uW; uW * s = uJ.
 */
static uint64_t picojoules(const struct km_dram_currents *i, uint64_t current, uint64_t clocks,
                           uint64_t clock_hz)
{
    unsigned __int128 microwatts = (unsigned __int128)current * i->vdd_mv * i->devices;

    return (uint64_t)(microwatts * clocks * 1000000u / clock_hz);
}

void km_dram_energy_add(struct km_dram_energy *e, const struct km_dram *d, uint64_t refreshes,
                        uint64_t clocks, uint64_t clock_hz, const struct km_dram_currents *i)
{
    const struct km_dram_geom *g = &d->geom;
    uint64_t active = 0, refresh = refreshes * g->nrfc, all;

    for (uint32_t r = 0; r < g->ranks; r++) {
        const struct km_dram_rank *rank = &d->rank[r];

        active += rank->open_clocks;
        if (rank->open_banks && clocks > rank->open_since)
            active += clocks - rank->open_since;
    }
    all = km_max_u64(clocks * g->ranks, active + refresh);
    e->active_clocks += active;
    e->refresh_clocks += refresh;
    e->precharged_clocks += all - active - refresh;
    e->background_pj +=
        picojoules(i, i->idd3n, active, clock_hz) + picojoules(i, i->idd2n, all - active, clock_hz);
    /* IDD0 is the mean over a row cycle: tRAS active, the rest precharged. */
    uint64_t cycle = (uint64_t)i->idd0 * g->nrc;
    uint64_t standby = (uint64_t)i->idd3n * g->nras + (uint64_t)i->idd2n * (g->nrc - g->nras);

    e->activate_pj += picojoules(i, above(cycle, standby), d->n.cmd[KM_DRAM_ACT], clock_hz);
    e->read_pj +=
        picojoules(i, above(i->idd4r, i->idd3n), d->n.cmd[KM_DRAM_RD] * d->burst_clocks, clock_hz);
    e->write_pj +=
        picojoules(i, above(i->idd4w, i->idd3n), d->n.cmd[KM_DRAM_WR] * d->burst_clocks, clock_hz);
    e->refresh_pj += picojoules(i, above(i->idd5, i->idd2n), refresh, clock_hz);
}
