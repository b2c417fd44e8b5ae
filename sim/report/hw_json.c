/* SPDX-License-Identifier: MIT
 * hw_json.c - the machine's counters as objects of summary.json. Without timing they are empty
 * objects.
 */
#include "sim/report/report_int.h"

static void set_u64(json_t *o, const char *key, uint64_t v)
{
    json_object_set_new(o, key, json_integer((json_int_t)v));
}

static json_t *level_json(const struct km_cache_stats *s)
{
    json_t *o = json_object();

    set_u64(o, "reads", s->reads);
    set_u64(o, "writes", s->writes);
    set_u64(o, "read_misses", s->read_misses);
    set_u64(o, "write_misses", s->write_misses);
    set_u64(o, "writebacks", s->writebacks);
    set_u64(o, "snoop_hits", s->snoop_hits);
    set_u64(o, "invalidations", s->invalidations);
    set_u64(o, "back_invalidations", s->back_invalidations);
    set_u64(o, "victim_fills", s->victim_fills);
    return o;
}

static json_t *buffers_json(const struct km_buffer_stats *s)
{
    json_t *o = json_object();

    set_u64(o, "stores", s->stores);
    set_u64(o, "store_full", s->store_full);
    set_u64(o, "fill_full", s->fill_full);
    set_u64(o, "forwards", s->forwards);
    set_u64(o, "forward_blocks", s->forward_blocks);
    set_u64(o, "merges", s->merges);
    return o;
}

static json_t *prefetch_json(const struct km_prefetch_stats *s)
{
    uint64_t wanted = s->useful + s->misses;
    json_t *o = json_object();

    set_u64(o, "issued", s->issued);
    set_u64(o, "useful", s->useful);
    set_u64(o, "late", s->late);
    json_object_set_new(o, "accuracy",
                        json_real(s->issued ? (double)s->useful / (double)s->issued : 0.0));
    json_object_set_new(o, "coverage", json_real(wanted ? (double)s->useful / (double)wanted : 0.0));
    return o;
}

static json_t *uncached_json(const struct km_uncached_stats *s)
{
    json_t *o = json_object();

    set_u64(o, "reads", s->reads);
    set_u64(o, "writes", s->writes);
    set_u64(o, "wc_stores", s->wc_stores);
    set_u64(o, "wc_full", s->wc_full);
    set_u64(o, "wc_partial", s->wc_partial);
    return o;
}

json_t *km_hw_cache_json(const struct km_hw_stats *hw)
{
    json_t *o = json_object();

    if (!hw || !hw->valid)
        return o;
    json_object_set_new(o, "l1i", level_json(&hw->l1i));
    json_object_set_new(o, "l1d", level_json(&hw->l1d));
    json_object_set_new(o, "l2", level_json(&hw->l2));
    json_object_set_new(o, "l3", level_json(&hw->l3));
    set_u64(o, "dropped_dirty", hw->dropped_dirty);
    json_object_set_new(o, "uncached", uncached_json(&hw->uncached));
    json_object_set_new(o, "buffers", buffers_json(&hw->buffers));
    json_object_set_new(o, "prefetch", prefetch_json(&hw->prefetch));
    return o;
}

static json_t *one_tlb_json(const struct km_tlb_stats *s)
{
    json_t *o = json_object();

    set_u64(o, "hits", s->hits);
    set_u64(o, "misses", s->misses);
    set_u64(o, "walk_refs", s->walk_refs);
    set_u64(o, "flushes", s->flushes);
    return o;
}

static json_t *shootdown_json(const struct km_shootdown_stats *s)
{
    json_t *o = json_object();

    set_u64(o, "started", s->started);
    set_u64(o, "ipis", s->ipis);
    set_u64(o, "taken", s->taken);
    set_u64(o, "lazy", s->lazy);
    set_u64(o, "wait_cycles", s->wait_cycles);
    return o;
}

json_t *km_hw_tlb_json(const struct km_hw_stats *hw)
{
    json_t *o = json_object();

    if (!hw || !hw->valid)
        return o;
    json_object_set_new(o, "itlb", one_tlb_json(&hw->itlb));
    json_object_set_new(o, "dtlb", one_tlb_json(&hw->dtlb));
    json_object_set_new(o, "stlb", one_tlb_json(&hw->stlb));
    json_object_set_new(o, "shootdown", shootdown_json(&hw->shootdown));
    set_u64(o, "page_faults", hw->page_faults);
    set_u64(o, "pde_cache_hits", hw->pde_cache_hits);
    set_u64(o, "pde_cache_misses", hw->pde_cache_misses);
    return o;
}

json_t *km_hw_bus_json(const struct km_hw_stats *hw)
{
    json_t *o = json_object();

    if (!hw || !hw->valid)
        return o;
    set_u64(o, "transactions", hw->bus.transactions);
    set_u64(o, "hitm", hw->bus.hitm);
    set_u64(o, "invalidates", hw->bus.invalidates);
    set_u64(o, "locks", hw->bus.locks);
    set_u64(o, "busy_cycles", hw->bus.busy_cycles);
    set_u64(o, "wait_cycles", hw->bus.wait_cycles);
    return o;
}

static double ratio(uint64_t a, uint64_t b)
{
    return b ? (double)a / (double)b : 0.0;
}

/* Energy in nanojoules, mean power in milliwatts. */
static void add_energy(json_t *o, const struct km_dram_stats *s, uint64_t sim_ps)
{
    const struct {
        const char *key;
        uint64_t pj;
    } part[] = {{"energy_background_nj", s->background_pj},
                {"energy_activate_nj", s->activate_pj},
                {"energy_read_nj", s->read_pj},
                {"energy_write_nj", s->write_pj},
                {"energy_refresh_nj", s->refresh_pj}};
    uint64_t all = 0;

    for (size_t i = 0; i < KM_ARRAY_LEN(part); i++) {
        json_object_set_new(o, part[i].key, json_real((double)part[i].pj / 1e3));
        all += part[i].pj;
    }
    json_object_set_new(o, "power_mean_mw", json_real(1e3 * ratio(all, sim_ps))); /* pJ / ps = W */
}

static void add_commands(json_t *o, const struct km_dram_stats *s)
{
    set_u64(o, "activates", s->activates);
    set_u64(o, "precharges", s->precharges);
    set_u64(o, "column_reads", s->column_reads);
    set_u64(o, "column_writes", s->column_writes);
    set_u64(o, "rows_closed_early", s->closed_early);
    set_u64(o, "reads_forwarded", s->forwarded);
    set_u64(o, "write_drains", s->write_drains);
    set_u64(o, "queue_max", s->queue_max);
    set_u64(o, "channels", s->channels);
    json_object_set_new(o, "data_bus_utilization",
                        json_real(ratio(s->data_clocks, s->end_cycle * s->channels)));
    set_u64(o, "rank_active_clocks", s->active_clocks);
    set_u64(o, "rank_precharged_clocks", s->precharged_clocks);
    set_u64(o, "rank_refresh_clocks", s->refresh_clocks);
}

json_t *km_hw_dram_json(const struct km_hw_stats *hw)
{
    json_t *o = json_object();

    if (!hw || !hw->valid)
        return o;
    const struct km_dram_stats *s = &hw->dram;
    set_u64(o, "reads", s->reads);
    set_u64(o, "writes", s->writes);
    set_u64(o, "end_cycle", s->end_cycle);
    json_object_set_new(o, "read_latency_mean", json_real(ratio(s->read_latency_sum, s->reads)));
    set_u64(o, "read_latency_max", s->read_latency_max);
    json_object_set_new(o, "write_latency_mean", json_real(ratio(s->write_latency_sum, s->writes)));
    set_u64(o, "write_latency_max", s->write_latency_max);
    set_u64(o, "row_hits", s->row_hits);
    set_u64(o, "row_misses", s->row_misses);
    set_u64(o, "row_conflicts", s->row_conflicts);
    set_u64(o, "refreshes", s->refreshes);
    set_u64(o, "bytes", s->bytes);
    json_object_set_new(o, "bandwidth_bytes_per_cycle",
                        json_real(ratio(s->bytes, s->end_cycle)));
    set_u64(o, "audit_violations", s->audit_violations);
    add_commands(o, s);
    if (s->energy_valid)
        add_energy(o, s, hw->sim_ps);
    return o;
}
