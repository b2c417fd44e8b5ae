/* SPDX-License-Identifier: MIT
 * memsys.c - one line reference through private caches, bus, other CPUs' caches and DRAM (see
 * core.h).
 */
#include "sim/top/core.h"

#include "models/base/bits.h"
#include "models/base/bug.h"

struct snooped {
    enum km_line_state state; /* strongest state found elsewhere */
    uint32_t owners;          /* CPUs that had it */
    uint32_t action;          /* enum km_coh_action: what they have to do */
    uint64_t ready;           /* core cycle from which the supplier has the data itself */
};

#define NOBODY KM_COH_MEMORY

/* ---- the judge ---------------------------------------------------------------------------------
 */

static void note_move(struct km_core *core, uint64_t line, unsigned from, unsigned to)
{
    if (core->judge)
        km_coh_check_move(core->judge, line, from, to);
}

void km_core_judge_line(struct km_node *n, uint64_t line)
{
    struct km_core *core = n->core;
    enum km_line_state state[KM_MAX_CPUS];

    if (!core->judge)
        return;
    for (unsigned i = 0; i < core->nr_cpus; i++)
        state[i] = km_hier_peek(&core->node[i].hier, line);
    const char *why = km_coh_check_line(core->judge, line, state, core->nr_cpus);

    if (why)
        km_core_fail(n, KM_E_WATCHDOG, "coherence of line %#llx: %s",
                     (unsigned long long)(line << core->line_shift), why);
}

/* ---- other CPUs --------------------------------------------------------------------------------
 */

/* A dirty line that waits in a write-back buffer: takes it out. */
static bool take_buffered(struct km_node *n, uint64_t line)
{
    bool found = false;
    unsigned kept = 0;

    for (unsigned i = 0; i < n->nr_wb; i++) {
        if (n->wb_line[i] == line)
            found = true;
        else
            n->wb_line[kept++] = n->wb_line[i];
    }
    n->nr_wb = kept;
    return found;
}

/* When a line that is under way to a node gets there, whatever that node's own time is; 0: it
 * is. */
static uint64_t fill_end(const struct km_node *n, uint64_t line)
{
    for (unsigned i = 0; i < n->nr_fills; i++)
        if (n->fill[i].line == line)
            return n->fill[i].done;
    return 0;
}

/* One node's answer to a snoop. */
static void snoop_node(struct km_node *other, uint64_t line, enum km_coh_event event,
                       struct snooped *found, unsigned *source)
{
    struct km_core *core = other->core;
    uint32_t l1d, l1i;

    if (other->hier.l1d.sets)
        km_core_fold_set(other, km_cache_set(&other->hier.l1d, line));
    enum km_line_state state = km_hier_snoop(&other->hier, line, event, &l1d, &l1i);

    if (other->nr_wb && take_buffered(other, line) && !km_line_dirty(state)) {
        found->action |= event == KM_COH_SNOOP_WRITE ? (uint32_t)KM_COH_WRITE_BACK
                                                     : KM_COH_SUPPLY | KM_COH_WRITE_BACK;
        *source = KM_COH_BUFFER(other->id);
    }
    if (state == KM_LINE_I)
        return;
    const struct km_coh_cell *cell = km_coh_at(core->coh, state, event);

    found->owners |= 1u << other->id;
    found->action |= cell->action;
    found->state = state > found->state ? state : found->state;
    if (cell->action & (KM_COH_SUPPLY | KM_COH_WRITE_BACK)) {
        *source = other->id;
        found->ready = fill_end(other, line);
    }
    if (l1d != KM_CACHE_NONE) {
        km_core_unhot(other, l1d);
        other->l1d_tracked[l1d] = cell->next != KM_LINE_I;
    }
    if (l1i != KM_CACHE_NONE && cell->next == KM_LINE_I)
        km_core_unhot_fetch(other, l1i);
}

/* *source: who has the newest data (a CPU, its write-back buffer, memory). */
static struct snooped snoop_all_but(struct km_core *core, unsigned self, uint64_t line,
                                    enum km_coh_event event, unsigned *source)
{
    struct snooped found = {.state = KM_LINE_I};

    *source = NOBODY;
    for (unsigned i = 0; i < core->nr_cpus; i++)
        if (i != self)
            snoop_node(&core->node[i], line, event, &found, source);
    return found;
}

static struct snooped snoop_others(struct km_node *n, uint64_t line, enum km_coh_event event,
                                   unsigned *source)
{
    return snoop_all_but(n->core, n->id, line, event, source);
}

void km_core_l1_loss(void *ctx, bool code, uint32_t idx)
{
    struct km_node *n = ctx;

    if (code) {
        km_core_unhot_fetch(n, idx);
        return;
    }
    km_core_fold_set(n, idx / n->hier.l1d.ways);
    km_core_unhot(n, idx);
}

/* ---- memory and the bus ------------------------------------------------------------------------
 */

/* A line comes into the shared cache; what it replaces goes to DRAM if it is dirty. */
static void place_shared(struct km_core *core, uint64_t line, enum km_line_state state,
                         uint64_t arrival)
{
    struct km_cache *c = &core->shared;
    struct km_cache_victim victim;
    uint32_t idx = km_cache_place(c, line, state, &victim);

    do {
        if (victim.state != KM_LINE_M)
            continue;
        c->n.writebacks++;
        km_dram_memory_write(&core->dram, victim.line << core->line_shift, core->line_bytes,
                             arrival);
    } while (c->sub > 1 && km_cache_more_victims(c, idx, &victim));
}

/* Clock at which DRAM or the shared cache has the first word on the bus's doorstep. */
static uint64_t memory_read(struct km_core *core, uint64_t line, uint64_t begin, uint64_t snoop)
{
    uint64_t pa = line << core->line_shift;
    uint64_t arrival =
        km_clock_up(core->bus_to_dram, begin + KM_BUS_ADDRESS_CLOCKS) + core->frontend_dram_clocks;

    if (core->shared.sets) {
        uint32_t idx = km_cache_find(&core->shared, line);

        core->shared.n.reads++;
        if (idx != KM_CACHE_NONE) {
            km_cache_touch(&core->shared, idx);
            return km_clock_up(core->core_to_bus,
                               km_clock_up(core->bus_to_core, snoop) + core->shared_latency);
        }
        core->shared.n.read_misses++;
        place_shared(core, line, KM_LINE_E, arrival);
    }
    uint64_t first = km_dram_memory_read(&core->dram, pa, core->line_bytes, arrival);

    return km_max_u64(snoop, km_clock_up(core->dram_to_bus, first));
}

static void memory_write(struct km_core *core, uint64_t line, uint64_t clock, uint32_t bytes)
{
    uint64_t arrival = km_clock_up(core->bus_to_dram, clock);

    if (!core->shared.sets) {
        km_dram_memory_write(&core->dram, line << core->line_shift, bytes, arrival);
        return;
    }
    uint32_t idx = km_cache_find(&core->shared, line);

    core->shared.n.writes++;
    if (idx != KM_CACHE_NONE) {
        km_cache_touch(&core->shared, idx);
        core->shared.state[idx] = KM_LINE_M;
        return;
    }
    core->shared.n.write_misses++;
    place_shared(core, line, KM_LINE_M, arrival);
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
        note_move(core, n->wb_line[i], KM_COH_BUFFER(n->id), KM_COH_MEMORY);
    }
    n->nr_wb = 0;
}

static void queue_write_backs(struct km_node *n, struct km_hier_out *out)
{
    for (unsigned i = 0; i < out->nr_wb; i++) {
        n->wb_line[n->nr_wb++] = out->wb_line[i];
        note_move(n->core, out->wb_line[i], n->id, KM_COH_BUFFER(n->id));
    }
    out->nr_wb = 0;
}

static bool buffered(const struct km_node *n, uint64_t line)
{
    for (unsigned i = 0; i < n->nr_wb; i++)
        if (n->wb_line[i] == line)
            return true;
    return false;
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

/* fetched: the CPU did not have the line. */
static void account_sharing(struct km_node *n, km_paddr pa, uint32_t bytes,
                            const struct snooped *found, bool invalidate, bool fetched,
                            uint64_t lost)
{
    struct km_sharing *s = &n->core->sharing;
    uint64_t line = pa >> n->core->line_shift;
    struct km_sharing_row *row = found->owners ? km_sharing_get(s, line, found->owners)
                                               : km_sharing_find(s, line);

    if (!row)
        return;
    km_sharing_transfer(
        row, &(struct km_sharing_event){
                 .cpu = n->id,
                 .first_byte = (uint32_t)pa & (n->core->line_bytes - 1),
                 .bytes = bytes,
                 .owners = found->owners,
                 .hitm = (found->action & KM_COH_SUPPLY) && km_line_dirty(found->state),
                 .invalidate = invalidate,
                 .fetched = fetched,
                 .cycles = lost,
             });
}

/* Waits for the bus and takes the address phase of a reference that started at n's local time.
 * Returns its first clock. */
static uint64_t take_bus(struct km_node *n, uint64_t line)
{
    struct km_core *core = n->core;
    struct km_bus *bus = &core->bus;
    uint64_t request = km_clock_up(core->core_to_bus, n->cpu.local_cycles + core->lookup_cycles);
    uint64_t unloaded = km_clock_up(core->bus_to_core, km_bus_unloaded_snoop(bus, request));

    /* At the unloaded snoop cycle every earlier request has been granted, so ours can be. */
    km_core_advance(n, unloaded, KM_PHASE_SNOOP + n->id, KM_EFFECT_NOW);
    if (buffered(n, line)) /* our own newest copy has to reach memory first */
        drain_write_backs(n, request);
    uint64_t begin = km_bus_request(bus, request);
    uint64_t snoop_cycle = km_clock_up(core->bus_to_core, begin + bus->geom.snoop_clocks);

    if (snoop_cycle > unloaded)
        km_core_advance(n, snoop_cycle, KM_PHASE_SNOOP + n->id, KM_EFFECT_NOW);
    return begin;
}

/* The owner's data go over the bus, and into memory on the way if the protocol says so. */
static uint64_t supply(struct km_core *core, uint64_t line, uint64_t snoop,
                       const struct snooped *from, unsigned source)
{
    uint64_t ready = km_max_u64(snoop, km_clock_up(core->core_to_bus, from->ready));
    uint64_t done = km_bus_data(&core->bus, ready + core->hitm_clocks, core->line_bytes);

    core->bus.n.hitm++;
    if (!(from->action & KM_COH_WRITE_BACK))
        return done;
    memory_write(core, line, done, core->line_bytes);
    note_move(core, line, source, KM_COH_MEMORY);
    return done;
}

static enum km_coh_event snoop_event(enum km_bus_need need)
{
    switch (need) {
    case KM_NEED_READ:
        return KM_COH_SNOOP_READ;
    case KM_NEED_UPGRADE:
        return KM_COH_SNOOP_UPGRADE;
    case KM_NEED_WRITE:
        return KM_COH_SNOOP_WRITE;
    default:
        return KM_COH_SNOOP_OWN;
    }
}

/* The data phase of a transaction; returns the clock of its end. */
static uint64_t move_data(struct km_node *n, uint64_t line, enum km_bus_need need, uint64_t begin,
                          const struct snooped *found, unsigned source)
{
    struct km_core *core = n->core;
    struct km_bus *bus = &core->bus;
    uint64_t snoop = begin + bus->geom.snoop_clocks, done;

    if (need == KM_NEED_UPGRADE) {
        bus->n.invalidates++;
        return snoop + 1 + core->upgrade_clocks;
    }
    if (need == KM_NEED_WRITE) {
        if (found->action & KM_COH_WRITE_BACK)
            snoop = supply(core, line, snoop, found, source);
        done = km_bus_data(bus, snoop, bus->geom.width_bytes);
        memory_write(core, line, done, bus->geom.width_bytes);
        return done;
    }
    if (found->action & KM_COH_SUPPLY) {
        done = supply(core, line, snoop, found, source);
        note_move(core, line, source, n->id);
        return done;
    }
    done = km_bus_data(bus, memory_read(core, line, begin, snoop), core->line_bytes);
    note_move(core, line, KM_COH_MEMORY, n->id);
    return done;
}

/* The bus transaction of a reference that started at n's local time; local time becomes its
 * completion. Returns the state the line may be installed in, or I if it is not to be installed. */
static enum km_line_state transact(struct km_node *n, km_paddr pa, uint32_t bytes,
                                   enum km_access kind, enum km_bus_need need,
                                   uint64_t *begin_clock)
{
    struct km_core *core = n->core;
    uint64_t start = n->cpu.local_cycles, line = pa >> core->line_shift;
    uint64_t begin = take_bus(n, line);
    unsigned source;

    /* The line may have been taken away while we waited: an upgrade becomes a read for ownership.
     */
    if (need == KM_NEED_UPGRADE)
        need = km_hier_need(&n->hier, line, kind);
    bool invalidate = need != KM_NEED_READ;
    struct snooped found = snoop_others(n, line, snoop_event(need), &source);
    uint64_t done = move_data(n, line, need, begin, &found, source);

    n->cpu.local_cycles = km_clock_up(core->bus_to_core, done);
    account_sharing(n, pa, bytes, &found, invalidate,
                    need != KM_NEED_UPGRADE && need != KM_NEED_WRITE,
                    n->cpu.local_cycles - start);
    if (core->probe)
        km_core_show_transaction(n, line, need, begin, found.owners, done);
    *begin_clock = begin;
    if (need == KM_NEED_WRITE) {
        if (core->judge)
            km_coh_check_partial(core->judge, line);
        note_move(core, line, KM_COH_MEMORY, n->id);
        return KM_LINE_I;
    }
    enum km_coh_event fill = invalidate     ? KM_COH_FILL_OWN
                             : found.owners ? KM_COH_FILL_SHARED
                                            : KM_COH_FILL_ALONE;

    return (enum km_line_state)km_coh_at(core->coh, KM_LINE_I, fill)->next;
}

/* ---- devices -----------------------------------------------------------------------------------
 */

static void account_dma(struct km_core *core, uint64_t line, const struct snooped *found,
                        bool write)
{
    struct km_sharing_row *row = found->owners
                                     ? km_sharing_get(&core->sharing, line, found->owners)
                                     : km_sharing_find(&core->sharing, line);

    if (row)
        km_sharing_dma(row, found->owners,
                       (found->action & (KM_COH_SUPPLY | KM_COH_WRITE_BACK)) != 0, write);
}

/* A hazard of a device that memory alone sees: what the caches hold of the line. */
static bool cached_copy(struct km_core *core, uint64_t line, bool dirty_only)
{
    for (unsigned i = 0; i < core->nr_cpus; i++) {
        enum km_line_state state = km_hier_peek(&core->node[i].hier, line);

        if (km_line_dirty(state) || buffered(&core->node[i], line) ||
            (state != KM_LINE_I && !dirty_only))
            return true;
    }
    return false;
}

uint64_t km_core_dma(struct km_core *core, km_paddr pa, uint32_t bytes, bool write, bool snooped,
                     uint64_t begin, struct km_dma_stats_hw *n)
{
    uint64_t line = pa >> core->line_shift, snoop = begin + core->bus.geom.snoop_clocks;
    unsigned source;

    if (!snooped) {
        n->stale_writes += write && cached_copy(core, line, false);
        n->stale_reads += !write && cached_copy(core, line, true);
    } else {
        struct snooped found = snoop_all_but(
            core, KM_MAX_CPUS, line, write ? KM_COH_SNOOP_WRITE : KM_COH_SNOOP_READ, &source);

        account_dma(core, line, &found, write);
        n->snoop_hits += found.owners != 0;
        if (found.action & (KM_COH_SUPPLY | KM_COH_WRITE_BACK)) {
            n->hitm++;
            snoop = supply(core, line, snoop, &found, source);
            if (!write)
                return snoop;
        }
    }
    if (!write)
        return memory_read(core, line, begin, snoop);
    memory_write(core, line, snoop, bytes);
    if (core->judge && snooped)
        km_coh_check_partial(core->judge, line);
    return snoop;
}

/* ---- locked references -------------------------------------------------------
 */

/* Takes a line out of all caches, the own ones too; dirty contents go to memory. Returns the clock
 * after which the bus is free for the data of the transaction that began at `begin`. */
static uint64_t purge_line(struct km_node *n, uint64_t line, uint64_t begin, struct snooped *found)
{
    struct km_core *core = n->core;
    uint64_t snoop = begin + core->bus.geom.snoop_clocks;
    unsigned source, own_source = NOBODY;
    struct snooped own = {.state = KM_LINE_I};

    *found = snoop_others(n, line, KM_COH_SNOOP_WRITE, &source);
    snoop_node(n, line, KM_COH_SNOOP_WRITE, &own, &own_source);
    if (own.action & KM_COH_WRITE_BACK)
        snoop = supply(core, line, snoop, &own, own_source);
    else if (found->action & KM_COH_WRITE_BACK)
        snoop = supply(core, line, snoop, found, source);
    return snoop;
}

/* LOCK# (486, Pentium): the bus belongs to this CPU from the read to the end of the write, and no
 * cache keeps the line. */
static void lock_bus(struct km_node *n, km_paddr pa, uint32_t bytes)
{
    struct km_core *core = n->core;
    struct km_bus *bus = &core->bus;
    uint64_t line = pa >> core->line_shift, start = n->cpu.local_cycles;
    uint64_t begin = take_bus(n, line);
    struct snooped found;
    uint64_t snoop = purge_line(n, line, begin, &found);
    uint64_t read = km_bus_data(bus, memory_read(core, line, begin, snoop), bus->geom.width_bytes);
    uint64_t done =
        km_bus_data(bus, km_bus_request(bus, read) + bus->geom.snoop_clocks, bus->geom.width_bytes);

    memory_write(core, line, done, bus->geom.width_bytes);
    bus->address_free = km_max_u64(bus->address_free, done);
    bus->n.locks++;
    n->cpu.local_cycles = km_clock_up(core->bus_to_core, done);
    if (core->judge)
        km_coh_check_partial(core->judge, line);
    account_sharing(n, pa, bytes, &found, true, true, n->cpu.local_cycles - start);
    km_core_judge_line(n, line);
}

/* ---- past the caches ---------------------------------------------------------------------------
 */

void km_core_uncached(struct km_node *n, km_paddr pa, uint32_t bytes, enum km_ref_kind ref)
{
    struct km_core *core = n->core;
    struct km_bus *bus = &core->bus;
    uint64_t line = pa >> core->line_shift;
    struct snooped found;

    km_core_drain_stores(n);
    km_core_drain_wc(n);
    km_core_catch_up(n);
    n->uncached.reads += ref != KM_REF_STORE;
    n->uncached.writes += ref != KM_REF_LOAD;
    if (ref == KM_REF_RMW) {
        lock_bus(n, pa, bytes);
        return;
    }
    uint64_t begin = take_bus(n, line);
    uint64_t done = purge_line(n, line, begin, &found);

    if (ref == KM_REF_LOAD) {
        done = km_bus_data(bus, memory_read(core, line, begin, done), bytes);
    } else {
        done = km_bus_data(bus, done, bytes);
        memory_write(core, line, done, bus->geom.width_bytes);
        if (core->judge)
            km_coh_check_partial(core->judge, line);
    }
    drain_write_backs(n, begin);
    n->cpu.local_cycles = km_clock_up(core->bus_to_core, done);
    km_core_judge_line(n, line);
}

void km_core_store_past(struct km_node *n, km_paddr pa, uint32_t bytes, bool keep)
{
    struct km_core *core = n->core;
    uint64_t line = pa >> core->line_shift, done;
    struct snooped found;
    unsigned source;

    if (!keep || km_line_dirty(km_hier_peek(&n->hier, line))) {
        km_core_uncached(n, pa, bytes, KM_REF_STORE);
        return;
    }
    km_core_catch_up(n);
    n->uncached.writes++;
    uint64_t begin = take_bus(n, line);

    found = snoop_others(n, line, KM_COH_SNOOP_WRITE, &source);
    done = move_data(n, line, KM_NEED_WRITE, begin, &found, source);
    drain_write_backs(n, begin);
    n->cpu.local_cycles = km_clock_up(core->bus_to_core, done);
    if (!core->judge)
        return;
    km_coh_check_partial(core->judge, line);
    note_move(core, line, KM_COH_MEMORY, n->id);
    km_core_judge_line(n, line);
}

/* Writes a write-combining buffer out: one burst if every byte was written, else the bus-wide words
 * that were touched, one transaction each. The CPU goes on once the last one has its snoop
 * result. */
static void write_combined(struct km_node *n, const struct km_wc_line *wc)
{
    struct km_core *core = n->core;
    struct km_bus *bus = &core->bus;
    uint32_t width = bus->geom.width_bytes, written = 0;
    struct snooped found;
    uint64_t begin = take_bus(n, wc->line), done;

    for (unsigned i = 0; i < KM_SHARING_MASK_WORDS; i++)
        written += (uint32_t)__builtin_popcountll(wc->written[i]);
    bool full = written == core->line_bytes;

    n->uncached.wc_full += full;
    n->uncached.wc_partial += !full;
    done = purge_line(n, wc->line, begin, &found);
    if (full) {
        done = km_bus_data(bus, done, core->line_bytes);
        memory_write(core, wc->line, done, core->line_bytes);
    }
    bool first = true;

    for (uint32_t at = 0; !full && at < core->line_bytes; at += width) {
        bool any = false;

        for (uint32_t byte = at; byte < at + width && byte < core->line_bytes; byte++)
            any |= wc->written[byte / 64] >> byte % 64 & 1;
        if (!any)
            continue;
        if (!first)
            done = km_bus_request(bus, begin) + bus->geom.snoop_clocks;
        first = false;
        memory_write(core, wc->line, km_bus_data(bus, done, width), width);
    }
    n->cpu.local_cycles = km_clock_up(core->bus_to_core, done);
    if (core->judge)
        km_coh_check_partial(core->judge, wc->line);
    km_core_judge_line(n, wc->line);
}

static void drain_oldest_wc(struct km_node *n)
{
    struct km_wc_line oldest = n->wc[0];

    n->nr_wc--;
    for (unsigned i = 0; i < n->nr_wc; i++)
        n->wc[i] = n->wc[i + 1];
    km_core_catch_up(n);
    write_combined(n, &oldest);
}

void km_core_drain_wc(struct km_node *n)
{
    while (n->nr_wc)
        drain_oldest_wc(n);
}

void km_core_store_combined(struct km_node *n, km_paddr pa, uint32_t bytes)
{
    struct km_core *core = n->core;
    uint64_t line = pa >> core->line_shift;
    uint32_t offset = (uint32_t)pa & (core->line_bytes - 1), written = 0;
    unsigned at = 0;

    if (!core->wc_buffers) {
        km_core_uncached(n, pa, bytes, KM_REF_STORE);
        return;
    }
    while (at < n->nr_wc && n->wc[at].line != line)
        at++;
    if (at == n->nr_wc) {
        if (n->nr_wc == core->wc_buffers)
            drain_oldest_wc(n);
        if (!n->nr_wc)
            km_core_unhot_locks(n);
        at = n->nr_wc++;
        n->wc[at] = (struct km_wc_line){.line = line};
    }
    for (uint32_t i = offset; i < offset + bytes && i < core->line_bytes; i++)
        n->wc[at].written[i / 64] |= 1ull << i % 64;
    for (unsigned i = 0; i < KM_SHARING_MASK_WORDS; i++)
        written += (uint32_t)__builtin_popcountll(n->wc[at].written[i]);
    n->uncached.wc_stores++;
    n->cpu.local_cycles++;
    if (written < core->line_bytes)
        return;
    struct km_wc_line full = n->wc[at];

    n->wc[at] = n->wc[n->nr_wc - 1];
    n->nr_wc--;
    km_core_catch_up(n);
    write_combined(n, &full);
}

/* ---- cache control -----------------------------------------------------------------------------
 */

void km_core_flush_line(struct km_node *n, km_paddr pa)
{
    struct km_core *core = n->core;
    uint64_t line = pa >> core->line_shift;
    struct snooped found;

    km_core_catch_up(n);
    uint64_t begin = take_bus(n, line);
    uint64_t done = purge_line(n, line, begin, &found);

    drain_write_backs(n, begin);
    n->cpu.local_cycles = km_clock_up(core->bus_to_core, done + 1);
    km_core_judge_line(n, line);
}

struct write_all {
    struct km_node *n;
    uint64_t clock;
};

static void write_one(void *ctx, uint64_t line)
{
    struct write_all *w = ctx;
    struct km_core *core = w->n->core;
    uint64_t begin = km_bus_request(&core->bus, w->clock);

    w->clock = km_bus_data(&core->bus, begin + core->bus.geom.snoop_clocks, core->line_bytes);
    memory_write(core, line, w->clock, core->line_bytes);
    note_move(core, line, w->n->id, KM_COH_MEMORY);
}

static void forget_dirty(struct km_node *n)
{
    const struct km_cache *level[] = {&n->hier.l1d, &n->hier.outer[0], &n->hier.outer[1]};

    for (unsigned i = 0; n->core->judge && i < 3; i++)
        for (uint32_t idx = 0; level[i]->sets && idx < km_cache_slots(level[i]); idx++)
            if (km_line_dirty((enum km_line_state)level[i]->state[idx]))
                km_coh_check_forget(n->core->judge, level[i]->line[idx]);
}

void km_core_drop_caches(struct km_node *n, bool write_back)
{
    struct km_core *core = n->core;

    km_core_catch_up(n);
    uint64_t begin = take_bus(n, UINT64_MAX);
    struct write_all w = {n, begin + core->bus.geom.snoop_clocks};

    drain_write_backs(n, begin);
    for (uint32_t set = 0; set < n->hier.l1d.sets; set++)
        km_core_fold_set(n, set);
    for (uint32_t idx = 0; idx < km_cache_slots(&n->hier.l1d); idx++)
        km_core_unhot(n, idx);
    for (uint32_t idx = 0; n->hier.split && idx < km_cache_slots(&n->hier.l1i); idx++)
        km_core_unhot_fetch(n, idx);
    if (write_back)
        km_hier_flush(&n->hier, write_one, &w);
    else
        forget_dirty(n);
    n->dropped_dirty += km_hier_drop_all(&n->hier);
    n->cpu.local_cycles = km_clock_up(core->bus_to_core, w.clock) + core->wbinvd_cycles;
}

/* ---- references --------------------------------------------------------------------------------
 */

/* Brings a line into the outer levels beside the transaction that took the address bus at `begin`,
 * unless somebody else may have written to it. */
static void prefetch_line(struct km_node *n, uint64_t line, uint64_t begin)
{
    struct km_core *core = n->core;
    struct km_hier_out out = {.nr_wb = 0};
    struct snooped found;
    unsigned source;

    if (line >= core->window->ram_bytes >> core->line_shift || !km_core_fill_room(n) ||
        km_hier_peek(&n->hier, line) != KM_LINE_I || buffered(n, line))
        return;
    for (unsigned i = 0; i < core->nr_cpus; i++)
        if (km_hier_peek(&core->node[i].hier, line) > KM_LINE_S || buffered(&core->node[i], line))
            return;
    uint64_t start = km_bus_request(&core->bus, begin);
    uint64_t snoop = start + core->bus.geom.snoop_clocks;

    found = snoop_others(n, line, KM_COH_SNOOP_READ, &source);
    uint64_t done =
        km_bus_data(&core->bus, memory_read(core, line, start, snoop), core->line_bytes);

    note_move(core, line, KM_COH_MEMORY, n->id);
    km_hier_prefetch(&n->hier, line, found.owners ? KM_LINE_S : km_coh_alone(core->coh), &out);
    queue_write_backs(n, &out);
    km_prefetch_issue(&n->prefetch, line);
    km_core_add_fill(n, line, km_clock_up(core->bus_to_core, done));
    km_core_judge_line(n, line);
}

/* The reference missed the first level: what the prefetcher makes of it. */
static void prefetch(struct km_node *n, uint64_t line, const struct km_hier_out *out,
                     uint64_t begin)
{
    uint64_t want[KM_PREFETCH_DEGREE];
    unsigned nr = km_prefetch_observe(&n->prefetch, line, begin != 0, want);

    if (out->need == KM_NEED_NONE)
        km_prefetch_use(&n->prefetch, line);
    for (unsigned i = 0; begin && i < nr; i++)
        prefetch_line(n, want[i], begin);
}

/* A hit, in whatever level. Stores behind a store buffer take one cycle; what is still on its way
 * is waited for. */
static void charge_hit(struct km_node *n, km_paddr pa, uint32_t bytes,
                       const struct km_hier_out *out, enum km_access kind, enum km_ref_kind ref)
{
    uint64_t line = pa >> n->core->line_shift;
    uint64_t under_way = n->nr_fills ? km_core_fill_done(n, line) : 0;
    uint32_t level = out->level > 1 ? n->core->level_cycles[out->level] : 0;

    if (under_way && out->level > 1)
        n->prefetch.late++;
    if (kind == KM_ACCESS_STORE && ref == KM_REF_STORE && n->core->store_entries) {
        uint64_t done = km_max_u64(n->cpu.local_cycles + level, under_way);

        n->cpu.local_cycles += n->cpu.hit_cycles[ref];
        if (done > n->cpu.local_cycles) {
            km_core_add_store(n, pa, bytes, done);
            km_core_add_fill(n, line, done);
        }
        return;
    }
    n->cpu.local_cycles += level;
    if (under_way && !(kind == KM_ACCESS_LOAD && km_core_forward(n, pa, bytes)))
        km_core_wait_fill(n, line);
    if (kind != KM_ACCESS_FETCH && (out->level <= 1 || ref == KM_REF_RMW))
        n->cpu.local_cycles += n->cpu.hit_cycles[ref];
}

/* The reference was a store and is done: its line holds the newest value. */
static void judge_reference(struct km_node *n, uint64_t line, enum km_access kind,
                            const struct km_hier_out *out)
{
    if (kind == KM_ACCESS_STORE && out->need != KM_NEED_WRITE)
        km_coh_check_store(n->core->judge, line, n->id);
    if (kind == KM_ACCESS_STORE || out->need != KM_NEED_NONE)
        km_core_judge_line(n, line);
}

/* The reference needs the bus. *begin: first clock of its address phase. */
static void miss(struct km_node *n, km_paddr pa, uint32_t bytes, enum km_access kind,
                 enum km_ref_kind ref, struct km_hier_out *out, uint64_t *begin)
{
    struct km_core *core = n->core;
    uint64_t line = pa >> core->line_shift;
    enum km_line_state state = transact(n, pa, bytes, kind, out->need, begin);

    if (state != KM_LINE_I)
        km_hier_fill(&n->hier, line, kind, state, out);
    queue_write_backs(n, out);
    if (ref == KM_REF_RMW && kind != KM_ACCESS_FETCH)
        n->cpu.local_cycles += n->cpu.hit_cycles[ref];
    if (ref != KM_REF_STORE || kind != KM_ACCESS_STORE || !core->store_entries)
        return;
    /* The CPU goes on at the snoop result; the store waits for its data. */
    uint64_t done = n->cpu.local_cycles;

    n->cpu.local_cycles =
        km_min_u64(done, km_clock_up(core->bus_to_core, *begin + core->bus.geom.snoop_clocks));
    km_core_add_store(n, pa, bytes, done);
    if (out->need != KM_NEED_WRITE)
        km_core_add_fill(n, line, done);
}

uint32_t km_core_line(struct km_node *n, km_paddr pa, uint32_t bytes, enum km_access kind,
                      enum km_ref_kind ref)
{
    struct km_core *core = n->core;
    uint64_t line = pa >> core->line_shift, begin = 0;
    bool fetch = kind == KM_ACCESS_FETCH && n->hier.split;
    struct km_cache *l1 = fetch ? &n->hier.l1i : &n->hier.l1d;
    struct km_hier_out out;

    if (ref == KM_REF_RMW) {
        km_core_drain_stores(n);
        km_core_drain_wc(n);
    }
    if (n->nr_wb >= KM_WRITE_BACKS)
        flush_write_backs(n);
    km_core_catch_up(n);
    if (core->bus_locks && ref == KM_REF_RMW && kind == KM_ACCESS_STORE) {
        lock_bus(n, pa, bytes);
        return KM_CACHE_NONE;
    }
    if (!fetch)
        km_core_fold_set(n, km_cache_set(&n->hier.l1d, line));
    km_hier_access(&n->hier, line, kind, &out);
    queue_write_backs(n, &out);
    if (out.need == KM_NEED_NONE)
        charge_hit(n, pa, bytes, &out, kind, ref);
    else
        miss(n, pa, bytes, kind, ref, &out, &begin);
    if (n->nr_wb && begin)
        drain_write_backs(n, begin);
    if (core->judge)
        judge_reference(n, line, kind, &out);
    if (n->prefetch.kind != KM_PREFETCH_NONE && (begin || out.level > 1))
        prefetch(n, line, &out, begin);
    if (out.l1_idx == KM_CACHE_NONE || l1->line[out.l1_idx] != line)
        return KM_CACHE_NONE;
    if (out.level != 1 || out.need != KM_NEED_NONE) {
        if (fetch) {
            km_core_unhot_fetch(n, out.l1_idx);
        } else {
            km_core_unhot(n, out.l1_idx);
            n->l1d_tracked[out.l1_idx] = km_sharing_find(&core->sharing, line) != NULL;
        }
    }
    return n->nr_fills && km_core_fill_done(n, line) ? KM_CACHE_NONE : out.l1_idx;
}
