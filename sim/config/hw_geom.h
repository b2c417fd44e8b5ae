/* SPDX-License-Identifier: MIT
 * hw_geom.h - the machine section of the configuration in the words of the hardware models.
 */
#ifndef KM_CONFIG_HW_GEOM_H
#define KM_CONFIG_HW_GEOM_H

#include "models/bus/bus.h"
#include "models/cache/cache.h"
#include "models/dram/ctrl.h"
#include "models/dram/power.h"
#include "models/mmu/tlb.h"
#include "sim/config/config.h"

#include <string.h>

static inline struct km_cache_geom km_cache_geom_of(const struct km_cache_config *c, uint64_t seed)
{
    return (struct km_cache_geom){
        .size_bytes = c->size_bytes,
        .ways = c->ways,
        .line_bytes = c->line_bytes,
        .repl = km_repl_table[c->replacement],
        .write_through = c->write == KM_WRITE_THROUGH,
        .no_write_allocate = !c->allocate,
        .seed = seed,
        .sector_bytes = c->sector_bytes,
        .inclusion = (enum km_inclusion)c->inclusion,
    };
}

static inline struct km_tlb_geom km_tlb_geom_of(const struct km_tlb_config *t)
{
    return (struct km_tlb_geom){t->entries_4k, t->ways_4k, t->entries_large, t->ways_large};
}

static inline struct km_bus_geom km_bus_geom_of(const struct km_bus_config *b)
{
    return (struct km_bus_geom){b->width_bytes, b->transfers_per_clock, b->arbitration_clocks,
                                b->snoop_clocks};
}

static inline struct km_dram_geom km_dram_geom_of(const struct km_dram_config *d)
{
    struct km_dram_geom g = {
        .channels = d->channels,
        .ranks = d->ranks,
        .banks = d->banks,
        .rows = d->rows,
        .columns = d->columns,
        .bus_bytes = d->bus_bytes,
        .burst = d->burst,
        .data_rate = d->data_rate ? d->data_rate : 2,
        .ncl = d->ncl,
        .ncwl = d->ncwl,
        .nrcd = d->nrcd,
        .nrp = d->nrp,
        .nras = d->nras,
        .nrc = d->nrc,
        .nrrd = d->nrrd,
        .nfaw = d->nfaw,
        .nwr = d->nwr,
        .nwtr = d->nwtr,
        .nrtp = d->nrtp,
        .nccd = d->nccd,
        .nrtrs = d->nrtrs,
        .nrfc = d->nrfc,
        .nrefi = d->nrefi,
    };

    memcpy(g.mapping, d->mapping, sizeof(g.mapping));
    g.mapping[sizeof(g.mapping) - 1] = 0;
    return g;
}

static inline enum km_dram_paging km_dram_paging_of(const struct km_dram_config *d)
{
    return d->page == KM_DRAM_OPEN ? KM_PAGE_OPEN
           : d->page == KM_DRAM_CLOSED ? KM_PAGE_CLOSED
                                       : KM_PAGE_TIMEOUT;
}

static inline struct km_dram_serial_cfg km_dram_serial_cfg_of(const struct km_dram_config *d,
                                                              bool audit)
{
    return (struct km_dram_serial_cfg){
        .geom = km_dram_geom_of(d),
        .refresh = d->refresh,
        .audit = audit,
        .page = km_dram_paging_of(d),
        .page_timeout_clocks = d->page_timeout_clocks,
    };
}

static inline struct km_dram_ctrl_cfg km_dram_ctrl_cfg_of(const struct km_dram_config *d, bool audit)
{
    return (struct km_dram_ctrl_cfg){
        .geom = km_dram_geom_of(d),
        .order = d->scheduler == KM_DRAM_FCFS     ? KM_ORDER_FCFS
                 : d->scheduler == KM_DRAM_FRFCFS ? KM_ORDER_FRFCFS
                                                  : KM_ORDER_ROWHIT,
        .hit_cap = d->hit_cap,
        .page = km_dram_paging_of(d),
        .page_timeout_clocks = d->page_timeout_clocks,
        .queue_read = d->queue_read,
        .queue_write = d->queue_write,
        .queue_active = d->queue_active,
        .write_high = d->write_high_percent,
        .write_low = d->write_low_percent,
        .write_idle = d->write_idle,
        .refresh = d->refresh,
        .audit = audit,
    };
}

static inline struct km_dram_currents km_dram_currents_of(const struct km_dram_config *d)
{
    return (struct km_dram_currents){
        .vdd_mv = d->vdd_mv,
        .devices = d->devices,
        .idd0 = d->idd0,
        .idd2n = d->idd2n,
        .idd3n = d->idd3n,
        .idd4r = d->idd4r,
        .idd4w = d->idd4w,
        .idd5 = d->idd5,
    };
}

#endif
