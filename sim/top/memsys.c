/* SPDX-License-Identifier: MIT
 * memsys.c - one line reference through private caches, bus, other CPUs' caches and DRAM (see
 * core.h).
 */
#include "sim/top/core.h"

#include "models/base/bits.h"
#include "models/base/bug.h"

struct snooped {
    enum km_mesi state; /* strongest state found elsewhere */
    uint32_t owners;    /* CPUs that had it */
};

static struct snooped snoop_others(struct km_node *n, uint64_t line, bool invalidate)
{
    struct km_core *core = n->core;
    struct snooped found = {KM_MESI_I, 0};

    for (unsigned i = 0; i < core->nr_cpus; i++) {
        struct km_node *other = &core->node[i];
        uint32_t l1d, l1i;

        if (other == n)
            continue;
        km_core_fold_set(other, km_cache_set(&other->hier.l1d, line));
        enum km_mesi state = km_hier_snoop(&other->hier, line, invalidate, &l1d, &l1i);

        if (state == KM_MESI_I)
            continue;
        found.owners |= 1u << i;
        if (state > found.state)
            found.state = state;
        if (l1d != KM_CACHE_NONE) {
            km_core_unhot(other, l1d);
            other->l1d_tracked[l1d] = !invalidate;
        }
        if (l1i != KM_CACHE_NONE && invalidate)
            km_core_unhot_fetch(other, l1i);
    }
    return found;
}

/* Clock at which DRAM or the shared cache has the first word on the bus's doorstep. */
static uint64_t memory_read(struct km_core *core, uint64_t line, uint64_t begin, uint64_t snoop)
{
    uint64_t pa = line << core->line_shift;
    uint64_t arrival =
        km_clock_up(core->bus_to_dram, begin + KM_BUS_ADDRESS_CLOCKS) + core->frontend_dram_clocks;

    if (core->shared.sets) {
        uint32_t idx = km_cache_find(&core->shared, line);
        struct km_cache_victim victim;

        core->shared.n.reads++;
        if (idx != KM_CACHE_NONE) {
            km_cache_touch(&core->shared, idx);
            return km_clock_up(core->core_to_bus,
                               km_clock_up(core->bus_to_core, snoop) + core->shared_latency);
        }
        core->shared.n.read_misses++;
        km_cache_place(&core->shared, line, KM_MESI_E, &victim);
        if (victim.state == KM_MESI_M) {
            core->shared.n.writebacks++;
            km_dram_memory_write(&core->dram, victim.line << core->line_shift, core->line_bytes,
                                 arrival);
        }
    }
    uint64_t first = km_dram_memory_read(&core->dram, pa, core->line_bytes, arrival);

    return km_max_u64(snoop, km_clock_up(core->dram_to_bus, first));
}

static void memory_write(struct km_core *core, uint64_t line, uint64_t clock, uint32_t bytes)
{
    struct km_cache_victim victim = {line, KM_MESI_M};

    if (core->shared.sets) {
        uint32_t idx = km_cache_find(&core->shared, line);

        core->shared.n.writes++;
        if (idx != KM_CACHE_NONE) {
            km_cache_touch(&core->shared, idx);
            core->shared.state[idx] = KM_MESI_M;
            return;
        }
        core->shared.n.write_misses++;
        km_cache_place(&core->shared, line, KM_MESI_M, &victim);
        if (victim.state != KM_MESI_M)
            return;
        core->shared.n.writebacks++;
    }
    km_dram_memory_write(&core->dram, victim.line << core->line_shift, bytes,
                         km_clock_up(core->bus_to_dram, clock));
}

/* Dirty victims wait in the write-back buffer and follow this CPU's next transaction onto the bus.
 */
static void drain_write_backs(struct km_node *n, uint64_t clock)
{
    struct km_core *core = n->core;

    for (unsigned i = 0; i < n->nr_wb; i++) {
        uint64_t begin = km_bus_request(&core->bus, clock);
        uint64_t done =
            km_bus_data(&core->bus, begin + core->bus.geom.snoop_clocks, core->line_bytes);

        memory_write(core, n->wb_line[i], done, core->line_bytes);
    }
    n->nr_wb = 0;
}

/* The buffer is full and no transaction of this CPU is under way: wait for the bus to take it. */
static void flush_write_backs(struct km_node *n)
{
    struct km_core *core = n->core;
    uint64_t request = km_clock_up(core->core_to_bus, n->cpu.local_cycles + core->lookup_cycles);
    uint64_t snoop = km_clock_up(core->bus_to_core, km_bus_unloaded_snoop(&core->bus, request));

    km_core_advance(n, snoop, KM_PHASE_SNOOP + n->id, KM_EFFECT_NOW);
    drain_write_backs(n, request);
    n->cpu.local_cycles = snoop;
}

static void account_sharing(struct km_node *n, uint64_t line, const struct snooped *found,
                            bool invalidate, uint64_t lost)
{
    struct km_sharing_row *row = km_sharing_get(&n->core->sharing, line);

    if (!row)
        return;
    row->cpus_mask |= found->owners | 1u << n->id;
    row->hitm += found->state == KM_MESI_M;
    if (invalidate)
        row->invalidations += (unsigned)__builtin_popcount(found->owners);
    row->cycles_lost += lost;
}

/* The bus transaction of a reference that started at n's local time; local time becomes its
 * completion. Returns the state the line may be installed in, or I if it is not to be installed. */
static enum km_mesi transact(struct km_node *n, uint64_t line, enum km_access kind,
                             enum km_bus_need need, uint64_t *begin_clock)
{
    struct km_core *core = n->core;
    struct km_bus *bus = &core->bus;
    uint64_t start = n->cpu.local_cycles;
    uint64_t request = km_clock_up(core->core_to_bus, start + core->lookup_cycles);
    uint64_t unloaded = km_clock_up(core->bus_to_core, km_bus_unloaded_snoop(bus, request));

    /* At the unloaded snoop cycle every earlier request has been granted, so ours can be. */
    km_core_advance(n, unloaded, KM_PHASE_SNOOP + n->id, KM_EFFECT_NOW);
    uint64_t begin = km_bus_request(bus, request);
    uint64_t snoop = begin + bus->geom.snoop_clocks;
    uint64_t snoop_cycle = km_clock_up(core->bus_to_core, snoop);

    if (snoop_cycle > unloaded)
        km_core_advance(n, snoop_cycle, KM_PHASE_SNOOP + n->id, KM_EFFECT_NOW);
    /* The line may have been taken away while we waited: an upgrade becomes a read for ownership.
     */
    if (need == KM_NEED_UPGRADE)
        need = km_hier_need(&n->hier, line, kind);
    bool invalidate = need != KM_NEED_READ;
    struct snooped found = snoop_others(n, line, invalidate);
    uint64_t done;

    if (need == KM_NEED_UPGRADE) {
        bus->n.invalidates++;
        done = snoop + 1;
    } else if (need == KM_NEED_WRITE) {
        done = km_bus_data(bus, snoop, bus->geom.width_bytes);
        memory_write(core, line, done, bus->geom.width_bytes);
    } else if (found.state == KM_MESI_M) {
        bus->n.hitm++;
        done = km_bus_data(bus, snoop + core->hitm_clocks, core->line_bytes);
        memory_write(core, line, done, core->line_bytes);
    } else {
        done = km_bus_data(bus, memory_read(core, line, begin, snoop), core->line_bytes);
    }
    n->cpu.local_cycles = km_clock_up(core->bus_to_core, done);
    if (found.owners)
        account_sharing(n, line, &found, invalidate, n->cpu.local_cycles - start);
    km_core_show_transaction(n, line, need, begin, found.owners, done);
    *begin_clock = begin;
    if (need == KM_NEED_WRITE)
        return KM_MESI_I;
    if (invalidate)
        return KM_MESI_M;
    return found.owners ? KM_MESI_S : KM_MESI_E;
}

static void charge_hit(struct km_node *n, const struct km_hier_out *out, enum km_access kind,
                       enum km_ref_kind ref)
{
    if (kind == KM_ACCESS_FETCH) {
        if (out->level > 1)
            n->cpu.local_cycles += n->core->level_cycles[out->level];
        return;
    }
    if (out->level > 1)
        n->cpu.local_cycles += n->core->level_cycles[out->level];
    if (out->level <= 1 || ref == KM_REF_RMW)
        n->cpu.local_cycles += n->cpu.hit_cycles[ref];
}

uint32_t km_core_line(struct km_node *n, km_paddr pa, enum km_access kind, enum km_ref_kind ref)
{
    struct km_core *core = n->core;
    uint64_t line = pa >> core->line_shift, begin = 0;
    bool fetch = kind == KM_ACCESS_FETCH && n->hier.split;
    struct km_hier_out out;

    if (n->nr_wb >= KM_WRITE_BACKS)
        flush_write_backs(n);
    km_core_catch_up(n);
    if (!fetch)
        km_core_fold_set(n, km_cache_set(&n->hier.l1d, line));
    km_hier_access(&n->hier, line, kind, &out);
    if (out.need == KM_NEED_NONE) {
        charge_hit(n, &out, kind, ref);
    } else {
        enum km_mesi state = transact(n, line, kind, out.need, &begin);

        if (!fetch) /* filtered hits cannot have come in between, but snoops fold */
            km_core_fold_set(n, km_cache_set(&n->hier.l1d, line));
        if (state != KM_MESI_I)
            km_hier_fill(&n->hier, line, kind, state, &out);
        if (ref == KM_REF_RMW && kind != KM_ACCESS_FETCH)
            n->cpu.local_cycles += n->cpu.hit_cycles[ref];
    }
    for (unsigned i = 0; i < out.nr_wb; i++)
        n->wb_line[n->nr_wb++] = out.wb_line[i];
    if (n->nr_wb && begin)
        drain_write_backs(n, begin);
    if (out.l1_idx == KM_CACHE_NONE || (out.level == 1 && out.need == KM_NEED_NONE))
        return out.l1_idx;
    if (fetch) {
        km_core_unhot_fetch(n, out.l1_idx);
    } else {
        km_core_unhot(n, out.l1_idx);
        n->l1d_tracked[out.l1_idx] = km_sharing_find(&core->sharing, line) != NULL;
    }
    return out.l1_idx;
}
