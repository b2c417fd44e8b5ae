/* SPDX-License-Identifier: MIT
 * core.c - builds the machine from the configuration and sums its counters.
 */
#include "sim/top/core.h"

#include "models/base/bits.h"
#include "models/base/x86_paging.h"
#include "sim/config/dram_stats.h"

#include <stdlib.h>
#include <string.h>

/* Sets of tags that start at a line of the host's caches are found with fewer misses. */
#define HOST_LINE 64u

/* Builds that check themselves: the DRAM audit and the judge of coherence are on. */
#ifdef KM_CHECK
#define KM_CHECKED true
#else
#define KM_CHECKED false
#endif

static int refuse(struct km_err *err, const char *what, const char *why)
{
    return km_fail(err, KM_E_USAGE, NULL, 0, 0, "machine.%s: %s", what, why);
}

static bool is_shared(const struct km_machine_config *m, const struct km_cache_config *c)
{
    return c->shared && m->cpus > 1 && c->size_bytes;
}

static int check_caches(const struct km_machine_config *m, struct km_err *err)
{
    const struct {
        const char *name;
        const struct km_cache_config *c;
    } level[] = {{"l1i", &m->l1i}, {"l1d", &m->l1d}, {"l2", &m->l2}, {"l3", &m->l3}};

    if (!m->l1d.size_bytes)
        return refuse(err, "l1d", "a timed machine needs a first-level data cache");
    for (size_t i = 0; i < KM_ARRAY_LEN(level); i++) {
        struct km_cache_geom g = km_cache_geom_of(level[i].c, 0);
        const char *why = km_cache_check(&g);

        if (why)
            return refuse(err, level[i].name, why);
        if (g.size_bytes && g.line_bytes != m->l1d.line_bytes)
            return refuse(err, level[i].name, "all caches must have the same line size");
        if (g.size_bytes && !level[i].c->latency_cycles)
            return refuse(err, level[i].name, "the latency must be at least one cycle");
    }
    struct km_cache_geom g[4], none = {0};
    unsigned culprit;

    for (size_t i = 0; i < KM_ARRAY_LEN(level); i++)
        g[i] = is_shared(m, level[i].c) ? none : km_cache_geom_of(level[i].c, 0);
    const char *why = km_hier_check(&g[0], &g[1], &g[2], &g[3], &culprit);

    if (why)
        return refuse(err, level[culprit].name, why);
    if (is_shared(m, &m->l2) && m->l3.size_bytes)
        return refuse(err, "l3", "with an L2 shared by several CPUs there can be no L3");
    return KM_OK;
}

static int check(const struct km_machine_config *m, struct km_err *err)
{
    const struct km_tlb_config *tlb[] = {&m->dtlb, &m->itlb, &m->stlb};
    static const char *const tlb_name[] = {"dtlb", "itlb", "stlb"};
    struct km_bus_geom bus = km_bus_geom_of(&m->bus);
    struct km_dram_geom dram = km_dram_geom_of(&m->dram);
    const char *why;

    if (!m->cpus || m->cpus > KM_MAX_CPUS)
        return refuse(err, "cpus", "must be between 1 and 8");
    if (!m->clock_hz || !m->issue_insns_per_cycle_x100)
        return refuse(err, "clock", "clock and issue rate must not be 0");
    if (!m->bus.clock_hz || !m->dram.clock_hz)
        return refuse(err, "bus", "the bus and DRAM clocks must not be 0");
    if (m->clock_hz > 20000000000ull)
        return refuse(err, "clock", "must be at most 20 GHz");
    for (size_t i = 0; i < KM_ARRAY_LEN(tlb); i++) {
        struct km_tlb_geom g = km_tlb_geom_of(tlb[i]);

        why = km_tlb_check(&g);
        if (why)
            return refuse(err, tlb_name[i], why);
    }
    struct km_memtypes types;

    km_memtypes_init(&types, m->pat);
    why = km_memtypes_parse(&types, m->mtrr);
    if (why)
        return refuse(err, "mtrr", why);
    if (m->wc_buffers > KM_WC_BUFFERS || m->pde_cache > KM_PDE_CACHE_MAX ||
        m->store_buffer > KM_STORE_BUFFER || m->fill_buffers > KM_FILL_BUFFERS ||
        m->prefetch_degree > KM_PREFETCH_DEGREE)
        return refuse(err, "wc_buffers", "too many buffers, PDE cache entries or prefetches");
    why = km_bus_check(&bus);
    if (why)
        return refuse(err, "bus", why);
    why = km_dram_check(&dram);
    if (why)
        return refuse(err, "dram", why);
    return check_caches(m, err);
}

/* Cuts the arrays of a node out of one block; base NULL only measures. */
static size_t lay_out_node(struct km_node *n, const struct km_machine_config *m, uint64_t seed,
                           uint8_t *base)
{
    unsigned large = km_large_shift(m->paging == KM_PAGING_PAE);
    struct km_cache_geom l1i = km_cache_geom_of(&m->l1i, seed + 1),
                         l1d = km_cache_geom_of(&m->l1d, seed + 2);
    struct km_cache_geom outer[] = {km_cache_geom_of(&m->l2, seed + 3),
                                    km_cache_geom_of(&m->l3, seed + 4)};
    const struct km_cache_config *outer_cfg[] = {&m->l2, &m->l3};
    struct km_tlb_geom tg[] = {km_tlb_geom_of(&m->dtlb), km_tlb_geom_of(&m->itlb),
                               km_tlb_geom_of(&m->stlb)};
    struct km_tlb *tlb[] = {&n->dtlb, &n->itlb, &n->stlb};
    size_t at = 0, lines;
    unsigned k = 0;
    uint32_t entries = 0;

    if (base) {
        km_cache_init(&n->hier.l1i, &l1i, base + at);
        n->hier.split = l1i.size_bytes != 0;
    }
    at += km_cache_bytes(&l1i);
    if (base)
        km_cache_init(&n->hier.l1d, &l1d, base + at);
    at += km_cache_bytes(&l1d);
    for (unsigned i = 0; i < KM_HIER_OUTER; i++) {
        if (!outer[i].size_bytes || is_shared(m, outer_cfg[i]))
            continue;
        if (base)
            km_cache_init(&n->hier.outer[k++], &outer[i], base + at);
        at += km_cache_bytes(&outer[i]);
    }
    if (base)
        n->hier.nr_outer = k;
    for (unsigned i = 0; i < KM_ARRAY_LEN(tlb); i++) {
        if (i == 1 && m->tlb_unified)
            tg[i] = (struct km_tlb_geom){0};
        if (base && i == 0)
            n->tlb_entry = (struct km_tlb_entry *)(void *)(base + at);
        if (base)
            km_tlb_init(tlb[i], &tg[i], large, (struct km_tlb_entry *)(void *)(base + at));
        at += km_tlb_entries(&tg[i]) * sizeof(struct km_tlb_entry);
        entries += km_tlb_entries(&tg[i]);
    }
    if (base)
        n->tlb_hot = (int16_t *)(void *)(base + at);
    at += km_align_up(entries * sizeof(int16_t), 8);
    if (base)
        n->tlb_ihot = (uint16_t *)(void *)(base + at);
    at += km_align_up(entries * sizeof(uint16_t), 8);
    if (base)
        memset(n->tlb_hot, 0xff, entries * sizeof(int16_t)); /* -1 */
    lines = l1d.size_bytes / l1d.line_bytes;
    if (base)
        n->l1d_hot = (int16_t *)(void *)(base + at);
    at += km_align_up(lines * sizeof(int16_t), 8);
    if (base)
        n->l1d_tracked = base + at;
    at += km_align_up(lines, 8);
    if (base)
        n->l1i_hot = (int16_t *)(void *)(base + at);
    at += l1i.size_bytes ? km_align_up(l1i.size_bytes / l1i.line_bytes * sizeof(int16_t), 8) : 0;
    return at;
}

static void init_node(struct km_core *core, struct km_node *n, const struct km_machine_config *m)
{
    km_cpu_init_null(&n->cpu, n->id, core->window->base);
    n->cpu.ops = &km_timed_ops;
    n->hier.coh = core->coh;
    n->mode = (struct km_walk_mode){
        .pae = core->pae,
        .nx = m->nx,
        .write_protect = m->write_protect,
        .pse36 = m->pse36,
        .pdpte = n->pdpte,
        .pde_cache = &n->pde_cache,
    };
    n->pde_cache.entries = m->pde_cache;
    n->ipi_next = KM_NEVER;
    km_prefetch_init(&n->prefetch,
                     n->hier.nr_outer ? (enum km_prefetch_kind)m->prefetch : KM_PREFETCH_NONE,
                     m->prefetch_degree, core->line_bytes);
    n->pge = m->global_pages;
    n->hier.l1_loss = km_core_l1_loss;
    n->hier.ctx = n;
    n->cpu.line_shift = core->line_shift;
    n->cpu.hit_cycles[KM_REF_LOAD] = m->l1d.latency_cycles;
    n->cpu.hit_cycles[KM_REF_STORE] = 1;
    n->cpu.hit_cycles[KM_REF_RMW] = m->lock_cycles ? m->lock_cycles : 1;
    n->cpu.cas_cycles = m->cmpxchg_cycles;
    n->cpu.local_cycles = 1;
    n->fetch_tlb = m->tlb_unified ? &n->dtlb : &n->itlb;
    n->last_fetch = UINT32_MAX;
    for (unsigned i = 0; i < KM_IHOT_LINES; i++)
        n->ihot[i].vline = UINT32_MAX;
    for (uint32_t i = 0; i < km_cache_slots(&n->hier.l1d); i++)
        n->l1d_hot[i] = -1;
    for (uint32_t i = 0; i < km_cache_slots(&n->hier.l1i); i++)
        n->l1i_hot[i] = -1;
}

static void init_times(struct km_core *core, const struct km_machine_config *m)
{
    uint32_t deepest = m->l1d.latency_cycles;

    core->level_cycles[1] = m->l1d.latency_cycles;
    core->level_cycles[2] = m->l2.latency_cycles;
    core->level_cycles[3] = m->l3.latency_cycles;
    if (core->node[0].hier.nr_outer >= 1)
        deepest =
            m->l2.size_bytes && !is_shared(m, &m->l2) ? m->l2.latency_cycles : m->l3.latency_cycles;
    if (core->node[0].hier.nr_outer >= 2)
        deepest = m->l3.latency_cycles;
    if (!m->l2.size_bytes)
        core->level_cycles[2] = m->l3.latency_cycles;
    core->lookup_cycles = deepest;
    core->dtlb_miss_cycles = m->dtlb.miss_cycles;
    core->itlb_miss_cycles = m->tlb_unified ? m->dtlb.miss_cycles : m->itlb.miss_cycles;
    core->stlb_miss_cycles = m->stlb.miss_cycles;
    core->core_to_bus = km_clock_ratio_of(m->bus.clock_hz, m->clock_hz);
    core->bus_to_core = km_clock_ratio_of(m->clock_hz, m->bus.clock_hz);
    core->bus_to_dram = km_clock_ratio_of(m->dram.clock_hz, m->bus.clock_hz);
    core->dram_to_bus = km_clock_ratio_of(m->bus.clock_hz, m->dram.clock_hz);
    core->ns_to_core = km_clock_ratio_of(m->clock_hz, 1000000000u);
    core->core_to_ns = km_clock_ratio_of(1000000000u, m->clock_hz);
    core->ps_to_core = km_clock_ratio_of(m->clock_hz, 1000000000000ull);
    core->core_to_ps = km_clock_ratio_of(1000000000000ull, m->clock_hz);
    core->hitm_clocks = m->bus.transfer_clocks_hitm;
    core->upgrade_clocks = m->bus.upgrade_clocks;
    core->frontend_dram_clocks = km_clock_up(km_clock_ratio_of(m->dram.clock_hz, 1000000000000ull),
                                             m->bus.frontend_ps_extra);
    core->min_snoop =
        core->lookup_cycles +
        km_clock_down(core->bus_to_core, (uint64_t)m->bus.arbitration_clocks + m->bus.snoop_clocks);
}

static int create_shared(struct km_core *core, const struct km_machine_config *m, uint64_t seed)
{
    const struct km_cache_config *c = is_shared(m, &m->l2)   ? &m->l2
                                      : is_shared(m, &m->l3) ? &m->l3
                                                             : NULL;

    if (!c)
        return KM_OK;
    struct km_cache_geom g = km_cache_geom_of(c, seed + 5);

    core->shared_mem = malloc(km_cache_bytes(&g));
    if (!core->shared_mem)
        return KM_E_NOMEM;
    km_cache_init(&core->shared, &g, core->shared_mem);
    core->shared_is_l3 = c == &m->l3;
    core->shared_latency = c->latency_cycles;
    return KM_OK;
}

static int create_nodes(struct km_core *core, const struct km_config *cfg)
{
    const struct km_machine_config *m = &cfg->machine;

    core->node = calloc(m->cpus, sizeof(*core->node));
    if (!core->node)
        return KM_E_NOMEM;
    core->nr_cpus = core->nr_agents = m->cpus;
    for (unsigned i = 0; i < m->cpus; i++) {
        struct km_node *n = &core->node[i];
        uint64_t seed = cfg->seed + 16 * i;

        n->core = core;
        n->id = i;
        size_t bytes = km_align_up(lay_out_node(n, m, seed, NULL), HOST_LINE);

        n->mem = aligned_alloc(HOST_LINE, bytes);
        if (!n->mem)
            return KM_E_NOMEM;
        memset(n->mem, 0, bytes);
        lay_out_node(n, m, seed, n->mem);
        init_node(core, n, m);
    }
    return KM_OK;
}

int km_core_create(struct km_core **out, const struct km_config *cfg,
                   const struct km_window *window, struct km_err *err)
{
    const struct km_machine_config *m = &cfg->machine;
    int rc = check(m, err);

    if (rc)
        return rc;
    struct km_core *core = calloc(1, sizeof(*core));
    struct km_bus_geom bus = km_bus_geom_of(&m->bus);

    if (!core)
        return km_fail(err, KM_E_NOMEM, NULL, 0, 0, "no memory for the machine");
    core->window = window;
    core->clock_hz = m->clock_hz;
    core->quantum = m->quantum_cycles;
    core->pae = m->paging == KM_PAGING_PAE;
    core->hot_enabled = km_repl_table[m->l1d.replacement]->lazy;
    core->coh = km_coh_table[m->coherence];
    core->bus_locks = m->lock == KM_LOCK_BUS;
    core->clflush_cycles = m->clflush_cycles;
    core->wbinvd_cycles = m->wbinvd_cycles;
    core->cr3_cycles = m->cr3_cycles;
    core->fault_cycles = m->fault_cycles;
    core->fence_cycles = m->fence_cycles;
    core->wc_buffers = m->wc_buffers;
    core->store_entries = m->store_buffer;
    core->fill_buffers = m->fill_buffers ? m->fill_buffers : 1;
    core->ipi_send_cycles = m->ipi_send_cycles;
    core->ipi_latency_cycles = m->ipi_latency_cycles;
    /* at least one: an answer must lie after the cycle it is given in (shootdown.c) */
    core->ipi_handler_cycles = m->ipi_handler_cycles ? m->ipi_handler_cycles : 1;
    core->lazy_tlb = m->lazy_tlb;
    km_memtypes_init(&core->memtypes, m->pat);
    km_memtypes_parse(&core->memtypes, m->mtrr);
    core->issue_x100 = m->issue_insns_per_cycle_x100;
    core->line_bytes = m->l1d.line_bytes;
    core->line_shift = km_log2(m->l1d.line_bytes);
    core->sharing.line_shift = core->line_shift;
    rc = create_nodes(core, cfg);
    if (!rc)
        rc = create_shared(core, m, cfg->seed);
    if (!rc && KM_CHECKED) {
        core->judge = calloc(1, sizeof(*core->judge));
        rc = core->judge ? KM_OK : KM_E_NOMEM;
    }
    if (rc) {
        km_core_destroy(core);
        return km_fail(err, rc, NULL, 0, 0, "no memory for the machine");
    }
    km_bus_init(&core->bus, &bus);
    struct km_dram_serial_cfg dram = km_dram_serial_cfg_of(&m->dram, KM_CHECKED);

    km_dram_memory_init(&core->dram, &dram);
    core->dram_cfg = m->dram;
    init_times(core, m);
    *out = core;
    return KM_OK;
}

void km_core_destroy(struct km_core *core)
{
    if (!core)
        return;
    for (unsigned i = 0; i < core->nr_cpus; i++)
        free(core->node[i].mem);
    free(core->node);
    free(core->shared_mem);
    km_sharing_release(&core->sharing);
    if (core->judge)
        km_coh_check_release(core->judge);
    free(core->judge);
    free(core);
}

/* All CPUs start with these tables; what MOV CR3 costs later is not charged (port.c). */
void km_core_set_cr3(struct km_core *core, km_paddr cr3)
{
    for (unsigned i = 0; i < core->nr_cpus; i++) {
        struct km_node *n = &core->node[i];

        n->mode.cr3 = cr3;
        if (n->mode.pae)
            memcpy(n->pdpte, core->window->phys + (cr3 & ~(km_paddr)31), sizeof(n->pdpte));
    }
}

static void add_cache(struct km_cache_stats *to, const struct km_cache *c)
{
    to->reads += c->n.reads;
    to->writes += c->n.writes;
    to->read_misses += c->n.read_misses;
    to->write_misses += c->n.write_misses;
    to->writebacks += c->n.writebacks;
    to->snoop_hits += c->n.snoop_hits;
    to->invalidations += c->n.invalidations;
    to->back_invalidations += c->n.back_invalidations;
    to->victim_fills += c->n.victim_fills;
}

static void add_tlb(struct km_tlb_stats *to, const struct km_tlb *t)
{
    to->hits += t->hits;
    to->misses += t->misses;
    to->flushes += t->flushes;
}

static void add_path(struct km_hw_stats *out, const struct km_node *n)
{
    out->buffers.stores += n->buffers.stores;
    out->buffers.store_full += n->buffers.store_full;
    out->buffers.fill_full += n->buffers.fill_full;
    out->buffers.forwards += n->buffers.forwards;
    out->buffers.forward_blocks += n->buffers.forward_blocks;
    out->buffers.merges += n->buffers.merges;
    out->prefetch.issued += n->prefetch.issued;
    out->prefetch.useful += n->prefetch.useful;
    out->prefetch.late += n->prefetch.late;
    out->prefetch.misses += n->prefetch.misses;
    out->shootdown.started += n->shootdown.started;
    out->shootdown.ipis += n->shootdown.ipis;
    out->shootdown.taken += n->shootdown.taken;
    out->shootdown.lazy += n->shootdown.lazy;
    out->shootdown.wait_cycles += n->shootdown.wait_cycles;
    out->uncached.reads += n->uncached.reads;
    out->uncached.writes += n->uncached.writes;
    out->uncached.wc_stores += n->uncached.wc_stores;
    out->uncached.wc_full += n->uncached.wc_full;
    out->uncached.wc_partial += n->uncached.wc_partial;
}

static void add_node(struct km_hw_stats *out, const struct km_node *n, bool l2_is_l3)
{
    uint64_t loads = n->cpu.hot_hits[KM_REF_LOAD];
    uint64_t stores = n->cpu.hot_hits[KM_REF_STORE] + n->cpu.hot_hits[KM_REF_RMW];
    struct km_cache_stats *outer[] = {l2_is_l3 ? &out->l3 : &out->l2, &out->l3};

    out->refs += n->slow_refs + loads + stores;
    out->insns += n->cpu.insns;
    out->cycles = km_max_u64(out->cycles, n->cpu.local_cycles);
    add_cache(&out->l1i, &n->hier.l1i);
    out->l1i.reads += n->ihot_hits;
    add_cache(&out->l1d, &n->hier.l1d);
    out->l1d.reads += loads;
    out->l1d.writes += stores;
    for (unsigned k = 0; k < n->hier.nr_outer; k++)
        add_cache(outer[k], &n->hier.outer[k]);
    add_tlb(&out->dtlb, &n->dtlb);
    add_tlb(&out->itlb, &n->itlb);
    add_tlb(&out->stlb, &n->stlb);
    if (n->mode.cr3 && n->dtlb.small.sets)
        out->dtlb.hits += loads + stores;
    if (n->mode.cr3 && n->fetch_tlb->small.sets)
        *(n->fetch_tlb == &n->dtlb ? &out->dtlb.hits : &out->itlb.hits) += n->ihot_hits;
    out->dtlb.walk_refs += n->walk_refs;
    out->dropped_dirty += n->dropped_dirty;
    out->pde_cache_hits += n->pde_cache.hits;
    out->pde_cache_misses += n->pde_cache.misses;
    add_path(out, n);
}

static void add_dram(struct km_hw_stats *out, const struct km_core *core)
{
    uint64_t clocks =
        km_clock_down(km_clock_ratio_of(core->dram_cfg.clock_hz, core->clock_hz), out->cycles);

    for (uint32_t i = 0; i < core->dram.nr; i++) {
        const struct km_dram_serial *ch = &core->dram.channel[i];

        km_dram_stats_add(&out->dram, &ch->dev, &ch->n, ch->audit.violations);
        km_dram_stats_energy(&out->dram, &ch->dev, ch->n.refreshes, clocks, &core->dram_cfg);
    }
}

void km_core_stats(struct km_core *core, struct km_hw_stats *out)
{
    const struct km_bus_counts *b = &core->bus.n;

    *out = (struct km_hw_stats){.valid = true, .page_faults = core->page_faults};
    for (unsigned i = 0; i < core->nr_cpus; i++)
        add_node(out, &core->node[i], core->level_cycles[2] == 0);
    if (core->shared.sets)
        add_cache(core->shared_is_l3 ? &out->l3 : &out->l2, &core->shared);
    out->sim_ps = km_clock_down(core->core_to_ps, out->cycles);
    out->bus = (struct km_bus_stats){
        .transactions = b->transactions,
        .hitm = b->hitm,
        .invalidates = b->invalidates,
        .locks = b->locks,
        .busy_cycles = km_clock_up(core->bus_to_core, b->address_busy_clocks),
        .wait_cycles = km_clock_up(core->bus_to_core, b->wait_clocks),
    };
    add_dram(out, core);
    out->nr_devices = core->nr_agents - core->nr_cpus;
    for (unsigned i = 0; i < out->nr_devices; i++)
        out->device[i] = core->device[i].n;
    out->shared_line = km_sharing_report(&core->sharing, &out->nr_shared_lines);
}
