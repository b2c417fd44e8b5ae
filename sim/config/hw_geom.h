/* SPDX-License-Identifier: MIT
 * hw_geom.h - the machine section of the configuration in the words of the hardware models.
 */
#ifndef KM_CONFIG_HW_GEOM_H
#define KM_CONFIG_HW_GEOM_H

#include "models/bus/bus.h"
#include "models/cache/cache.h"
#include "models/dram/dram.h"
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

#endif
