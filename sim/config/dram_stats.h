/* SPDX-License-Identifier: MIT
 * dram_stats.h - what the channels of a memory counted, in the words of hw_stats.h.
 */
#ifndef KM_CONFIG_DRAM_STATS_H
#define KM_CONFIG_DRAM_STATS_H

#include "models/base/bits.h"
#include "sim/base/hw_stats.h"
#include "sim/config/hw_geom.h"

/* Adds one channel: its device, what its scheduler counted, what its audit found. */
static inline void km_dram_stats_add(struct km_dram_stats *to, const struct km_dram *d,
                                     const struct km_dram_serial_counts *n, uint64_t violations)
{
    to->reads += n->reads;
    to->writes += n->writes;
    to->row_hits += n->row_hits;
    to->row_misses += n->row_misses;
    to->row_conflicts += n->row_conflicts;
    to->refreshes += n->refreshes;
    to->end_cycle = km_max_u64(to->end_cycle, n->end_clock);
    to->read_latency_sum += n->read_latency_sum;
    to->read_latency_max = km_max_u64(to->read_latency_max, n->read_latency_max);
    to->write_latency_sum += n->write_latency_sum;
    to->write_latency_max = km_max_u64(to->write_latency_max, n->write_latency_max);
    to->bytes += n->bytes;
    to->audit_violations += violations;
    to->activates += d->n.cmd[KM_DRAM_ACT];
    to->precharges += d->n.cmd[KM_DRAM_PRE] + d->n.cmd[KM_DRAM_PREA];
    to->column_reads += d->n.cmd[KM_DRAM_RD];
    to->column_writes += d->n.cmd[KM_DRAM_WR];
    to->closed_early += n->closed_early;
    to->forwarded += n->forwarded;
    to->write_drains += n->write_drains;
    to->queue_max = km_max_u64(to->queue_max, n->queue_max);
    to->data_clocks += (d->n.cmd[KM_DRAM_RD] + d->n.cmd[KM_DRAM_WR]) * d->burst_clocks;
    to->channels++;
}

/* Adds one channel's energy over the first `clocks` of the run. */
static inline void km_dram_stats_energy(struct km_dram_stats *to, const struct km_dram *d,
                                        uint64_t refreshes, uint64_t clocks,
                                        const struct km_dram_config *cfg)
{
    struct km_dram_currents i = km_dram_currents_of(cfg);
    struct km_dram_energy e = {0};

    km_dram_energy_add(&e, d, refreshes, clocks, cfg->clock_hz, &i);
    to->energy_valid = cfg->vdd_mv != 0;
    to->active_clocks += e.active_clocks;
    to->precharged_clocks += e.precharged_clocks;
    to->refresh_clocks += e.refresh_clocks;
    to->background_pj += e.background_pj;
    to->activate_pj += e.activate_pj;
    to->read_pj += e.read_pj;
    to->write_pj += e.write_pj;
    to->refresh_pj += e.refresh_pj;
}

#endif
