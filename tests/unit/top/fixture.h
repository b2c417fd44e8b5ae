/* SPDX-License-Identifier: MIT
 * fixture.h - a small machine and a random program for it, shared by the tests of sim/top.
 *
 * Memory: 64 MiB low memory at 0xC0000000; page tables grow down from 4 MiB; data from 8 MiB
 * upwards.
 */
#ifndef KM_TESTS_TOP_FIXTURE_H
#define KM_TESTS_TOP_FIXTURE_H

#include "models/base/bits.h"
#include "models/base/prng.h"
#include "models/os/pgtable.h"
#include "sim/base/engine.h"
#include "sim/config/config.h"
#include "sim/top/core.h"
#include "sim/top/stepper.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RAM_BYTES (64ull << 20)
#define PAGE_OFFSET 0xC0000000u
#define DATA_VA (PAGE_OFFSET + (8u << 20))
#define LOCK_VA DATA_VA
#define COUNT_VA (DATA_VA + 128)
#define RMW_VA (DATA_VA + 256)
#define SHARED_VA (DATA_VA + 4096)
#define PRIVATE_VA(cpu) (DATA_VA + (1u << 20) * (1 + (cpu)))
#define TEXT_VA (PAGE_OFFSET + (1u << 20))

static inline struct km_cache_config small_cache(uint64_t size, uint32_t ways,
                                                 enum km_replacement repl, uint32_t latency)
{
    struct km_cache_config c;

    memset(&c, 0, sizeof(c));
    c.size_bytes = size;
    c.ways = ways;
    c.line_bytes = 32;
    c.replacement = repl;
    c.allocate = true;
    c.latency_cycles = latency;
    return c;
}

static inline struct km_config small_config(unsigned cpus, bool pae)
{
    struct km_config cfg;

    memset(&cfg, 0, sizeof(cfg));
    cfg.seed = 1;
    cfg.timing = KM_TIMING_FULL;
    struct km_machine_config *m = &cfg.machine;

    m->cpus = cpus;
    m->ram_bytes = RAM_BYTES;
    m->paging = pae ? KM_PAGING_PAE : KM_PAGING_2LEVEL;
    m->clock_hz = 700000000;
    m->issue_insns_per_cycle_x100 = 170;
    m->lock_cycles = 21;
    m->quantum_cycles = 1000000;
    m->l1i = small_cache(4096, 4, KM_REPL_PLRU, 3);
    m->l1d = small_cache(4096, 4, KM_REPL_LRU, 3);
    m->l2 = small_cache(16384, 8, KM_REPL_PLRU, 9);
    m->itlb = (struct km_tlb_config){.entries_4k = 8, .ways_4k = 4, .entries_large = 2};
    m->dtlb = (struct km_tlb_config){
        .entries_4k = 16, .ways_4k = 4, .entries_large = 4, .ways_large = 4, .miss_cycles = 2};
    m->bus = (struct km_bus_config){.clock_hz = 100000000,
                                    .width_bytes = 8,
                                    .transfers_per_clock = 1,
                                    .arbitration_clocks = 2,
                                    .snoop_clocks = 4,
                                    .frontend_ps_extra = 15000,
                                    .transfer_clocks_hitm = 4};
    m->dram = (struct km_dram_config){.refresh = true,
                                      .channels = 1,
                                      .mapping = "row:rank:bank:column",
                                      .clock_hz = 133333333,
                                      .ranks = 1,
                                      .banks = 4,
                                      .rows = 8192,
                                      .columns = 512,
                                      .bus_bytes = 8,
                                      .burst = 4,
                                      .data_rate = 1,
                                      .ncl = 3,
                                      .ncwl = 0,
                                      .nrcd = 3,
                                      .nrp = 3,
                                      .nras = 6,
                                      .nrc = 9,
                                      .nrrd = 2,
                                      .nwr = 2,
                                      .nwtr = 2,
                                      .nrtp = 4,
                                      .nccd = 4,
                                      .nrtrs = 1,
                                      .nrfc = 9,
                                      .nrefi = 1041};
    return cfg;
}

static inline km_pfn take_table_page(void *ctx)
{
    km_pfn *next = (km_pfn *)ctx;

    return --*next;
}

struct item_log {
    unsigned cpu;
    uint64_t start, end;
};

struct random_program {
    unsigned cpus, nr_items, next;
    bool paced;    /* items have due times */
    bool rare;     /* with what few programs do */
    uint32_t refs; /* references per item */
    struct item_log *log;
    uint64_t host_order; /* hash over the order in which items started and synchronised */
};

static const struct km_site program_sites[2] = {{"alpha", TEXT_VA, 700},
                                                {"beta", TEXT_VA + 9000, 4000}};

static inline unsigned item_cpu(const struct random_program *p, unsigned item)
{
    struct km_prng r = {item * 77u + 5};

    return km_prng_below(&r, p->cpus);
}

static inline bool program_peek(void *ctx, unsigned *cpu, uint64_t *due_ns)
{
    const struct random_program *p = (const struct random_program *)ctx;

    if (p->next == p->nr_items)
        return false;
    *cpu = item_cpu(p, p->next);
    *due_ns = p->paced ? p->next * 900ull : 0;
    return true;
}

/* What few programs do: shootdowns, fences, cache control, control registers. */
static inline void one_rare_step(struct km_cpu *cpu, struct km_prng *r)
{
    km_vaddr mine = PRIVATE_VA(cpu->id);

    switch (km_prng_below(r, 8)) {
    case 0:
        km_tlb_shootdown(cpu, KM_CPUS_ALL, mine, mine + 4096 * (1 + km_prng_below(r, 40)));
        break;
    case 1:
        km_tlb_shootdown(cpu, 1u << km_prng_below(r, 8), 0, 0);
        break;
    case 2:
        km_tlb_shootdown(cpu, KM_CPUS_ALL, 0x1000, 0x3000); /* user addresses */
        break;
    case 3:
        km_clflush(cpu, SHARED_VA + 4 * km_prng_below(r, 64));
        break;
    case 4:
        km_fence(cpu);
        break;
    case 5:
        km_control(cpu, KM_CTL_PGE, km_prng_below(r, 2));
        break;
    case 6:
        km_control(cpu, KM_CTL_WP, km_prng_below(r, 2));
        break;
    default:
        if (!km_prng_below(r, 8))
            km_wbinvd(cpu);
    }
}

static inline void one_random_step(struct km_cpu *cpu, struct km_prng *r, bool rare)
{
    uint32_t what = km_prng_below(r, 100);

    if (rare && what < 3) {
        one_rare_step(cpu, r);
        return;
    }
    km_vaddr mine = PRIVATE_VA(cpu->id);

    if (what < 40) {
        km_ld32(cpu, mine + 4 * km_prng_below(r, 700));
    } else if (what < 60) {
        km_st32(cpu, mine + 4 * km_prng_below(r, 700), km_prng_below(r, 1u << 30));
    } else if (what < 66) {
        km_ld32(cpu, mine + 4 * km_prng_below(r, 60000));
    } else if (what < 70) {
        km_st16(cpu, mine + 2 * km_prng_below(r, 120000), (uint16_t)what);
    } else if (what < 75) {
        km_ld32(cpu, SHARED_VA + 4 * km_prng_below(r, 64));
    } else if (what < 77) {
        km_rmw32(cpu, RMW_VA + 4 * km_prng_below(r, 4), KM_RMW_ADD, 1, 0);
    } else if (what < 78) { /* CMPXCHG8B, and a wider copy through the same inline */
        km_ref(cpu, mine + 8 * km_prng_below(r, 300), 8, KM_REF_RMW);
        km_ref(cpu, mine + 8 * km_prng_below(r, 300), 12, KM_REF_LOAD);
    } else if (what < 79) {
        km_touch(cpu, mine + km_prng_below(r, 5000), 1 + km_prng_below(r, 90), KM_REF_STORE);
    } else if (what < 80) {
        km_invlpg(cpu, mine + 4096 * km_prng_below(r, 50));
    } else {
        km_exec(cpu, &program_sites[km_prng_below(r, 2)], 1 + km_prng_below(r, 30));
    }
}

static inline void program_run(void *ctx, struct km_cpu *cpu, uint64_t now_ns)
{
    struct random_program *p = (struct random_program *)ctx;
    unsigned item = p->next++;
    struct km_prng r = {item * 1000003ull + 17};
    struct item_log *log = &p->log[item];

    p->host_order = (p->host_order ^ item ^ now_ns << 20) * 0x9e3779b97f4a7c15ull;
    log->cpu = cpu->id;
    log->start = cpu->local_cycles;
    for (uint32_t i = 0; i < p->refs; i++) {
        one_random_step(cpu, &r, p->rare);
        if (i % 64 == 63) {
            km_lock(cpu, LOCK_VA);
            uint32_t seen = km_ld32(cpu, COUNT_VA);
            km_exec(cpu, &program_sites[0], 40);
            km_st32(cpu, COUNT_VA, seen + 1);
            km_st32(cpu, SHARED_VA + 4 * km_prng_below(&r, 64), seen);
            km_unlock(cpu, LOCK_VA);
        }
    }
    log->end = cpu->local_cycles;
    km_sync(cpu);
    p->host_order = (p->host_order ^ (item + 1) * 3) * 0x9e3779b97f4a7c15ull;
}

/* A device that reads, writes and interrupts at random times where the CPUs work. */
struct noise {
    struct km_prng r;
    struct km_device_next act;
    uint64_t mean_ps;
    uint64_t seen; /* hash over what it read, and when */
};

static inline void noise_choose(struct noise *d, uint64_t after_ps)
{
    uint32_t what = km_prng_below(&d->r, 10), cpu = km_prng_below(&d->r, 8);
    km_vaddr va = what < 3 ? SHARED_VA + 16 * km_prng_below(&d->r, 16) : PRIVATE_VA(cpu) + 32 * km_prng_below(&d->r, 1500);

    d->act = (struct km_device_next){.act = what == 9   ? KM_DEVICE_INTERRUPT
                                            : what == 8 ? KM_DEVICE_TICK
                                            : what % 2  ? KM_DEVICE_WRITE
                                                        : KM_DEVICE_READ,
                                     .at_ps = after_ps + 1 + km_prng_below(&d->r, (uint32_t)(2 * d->mean_ps)),
                                     .pa = va - PAGE_OFFSET,
                                     .bytes = what % 4 ? 16 : 4,
                                     .line = what};
}

static inline void noise_next(const void *dev, struct km_device_next *n)
{
    *n = ((const struct noise *)dev)->act;
}

static inline void noise_done(void *dev, uint64_t begin_ps, uint64_t end_ps, uint8_t *data)
{
    struct noise *d = (struct noise *)dev;
    uint32_t v;

    if (d->act.act == KM_DEVICE_READ) {
        memcpy(&v, data, sizeof(v));
        d->seen = (d->seen ^ v ^ end_ps << 8 ^ begin_ps) * 0x9e3779b97f4a7c15ull;
    } else if (d->act.act == KM_DEVICE_WRITE) {
        memset(data, (int)(end_ps & 0x7f), d->act.bytes);
    }
    noise_choose(d, end_ps);
}

static const struct km_device_ops noise_ops = {"noise", noise_next, noise_done};

static inline void program_interrupt(void *ctx, unsigned device, unsigned line, uint64_t now_ns)
{
    struct random_program *p = (struct random_program *)ctx;

    p->host_order = (p->host_order ^ device ^ line << 8 ^ now_ns << 16) * 0x9e3779b97f4a7c15ull;
}

struct outcome {
    int rc;
    struct km_hw_stats hw;
    struct km_shared_line lines[64];
    uint64_t memory, log, host_order, count;
    struct km_err err;
};

static inline uint64_t hash_bytes(const void *data, size_t n)
{
    const uint8_t *p = (const uint8_t *)data;
    uint64_t h = 1469598103934665603ull;

    for (size_t i = 0; i < n; i++)
        h = (h ^ p[i]) * 1099511628211ull;
    return h;
}

struct run_how {
    const struct km_engine_ops *engine;
    struct km_config cfg;
    unsigned items;
    uint32_t refs;
    bool paced, hot_off, paging_off, rare, not_snooped;
    uint64_t device_ps; /* mean time between the acts of a device; 0: none */
};

static inline struct outcome run_random(const struct run_how *how)
{
    struct outcome out;
    struct km_window w;
    void *m = NULL;
    struct km_pgtable pt;
    km_pfn tables = 1024;
    struct random_program prog;
    bool pae = how->cfg.machine.paging == KM_PAGING_PAE;

    memset(&out, 0, sizeof(out));
    memset(&prog, 0, sizeof(prog));
    prog.cpus = how->cfg.machine.cpus;
    prog.nr_items = how->items;
    prog.refs = how->refs;
    prog.paced = how->paced;
    prog.rare = how->rare;
    prog.log = (struct item_log *)calloc(how->items, sizeof(*prog.log));
    out.rc = km_window_create(&w, RAM_BYTES, RAM_BYTES, PAGE_OFFSET, &out.err);
    if (!out.rc)
        out.rc = how->engine->create(&m, &how->cfg, &w, &out.err);
    if (out.rc)
        return out;
    if (!km_pgtable_build(&pt, how->engine->null_port(m, 0), pae, PAGE_OFFSET, RAM_BYTES,
                          take_table_page, &tables))
        abort();
    if (!how->paging_off)
        how->engine->set_cr3(m, km_pgtable_cr3(&pt));
    if (how->hot_off)
        km_stepper_core(m)->hot_enabled = false;
    struct km_program program = {&prog, program_peek, program_run, program_interrupt, NULL};
    struct noise noise = {.r = {7}, .mean_ps = how->device_ps};

    if (how->device_ps) {
        noise_choose(&noise, 100);
        int device = how->engine->attach(m, &noise_ops, &noise, !how->not_snooped);

        if (device)
            abort();
        how->engine->poke(m, 0);
    }
    out.rc = how->engine->run(m, &program, &out.err);
    how->engine->stats(m, &out.hw);
    for (uint32_t i = 0; i < out.hw.nr_shared_lines && i < 64; i++)
        out.lines[i] = out.hw.shared_line[i];
    out.hw.shared_line = NULL;
    out.memory = hash_bytes(w.phys, 16u << 20);
    out.log = hash_bytes(prog.log, how->items * sizeof(*prog.log));
    out.host_order = prog.host_order ^ noise.seen;
    out.count = km_peek32(w.base, COUNT_VA);
    how->engine->destroy(m);
    km_window_release(&w);
    free(prog.log);
    return out;
}

#endif
