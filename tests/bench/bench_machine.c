/* SPDX-License-Identifier: MIT
 * bench_machine.c - host speed of the timed CPU port: references per second on three streams.
 *
 * allocator  what SLUB and the page allocator do to memory: a few hot lines (per-CPU structures,
 *            free list heads), object headers in a working set beyond L1, some code, one LOCKed
 *            operation in 40
 * l2         random loads over half of L2
 * dram       random loads over 48 MiB
 * Usage: bench_machine [references in millions, default 20] [cpus, default 1] [stream, default all,
 * "systemc": allocator on the SystemC engine]. Figures go to stdout.
 */
#include "models/base/prng.h"
#include "models/os/pgtable.h"
#include "sim/config/config.h"
#include "sim/top/engine_systemc.h"
#include "sim/top/stepper.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define RAM_BYTES (64ull << 20)
#define PAGE_OFFSET 0xC0000000u

enum stream { ALLOCATOR, L2, DRAM };

struct bench {
    enum stream stream;
    unsigned cpus, next;
    uint64_t refs; /* per CPU */
};

static km_pfn take_table_page(void *ctx)
{
    km_pfn *next = ctx;

    return --*next;
}

static bool bench_peek(void *ctx, unsigned *cpu, uint64_t *due_ns)
{
    const struct bench *b = ctx;

    *cpu = b->next;
    *due_ns = 0;
    return b->next < b->cpus;
}

static uint64_t allocator_mix(struct km_cpu *cpu, uint64_t refs)
{
    static const struct km_site fast = {"fast path", PAGE_OFFSET + (1u << 20), 400};
    static const struct km_site slow = {"slow path", PAGE_OFFSET + (1u << 20) + 4096, 2600};
    km_vaddr percpu = PAGE_OFFSET + (8u << 20) + cpu->id * 4096;
    km_vaddr objects = PAGE_OFFSET + (16u << 20) + cpu->id * (1u << 20);
    km_vaddr zone = PAGE_OFFSET + (9u << 20);
    struct km_prng r = {cpu->id + 1};
    uint64_t done = 0;

    while (done < refs) {
        km_vaddr slab = percpu + 64 * km_prng_below(&r, 12);
        km_vaddr object = objects + 128 * km_prng_below(&r, 96);

        for (unsigned i = 0; i < 3; i++) {
            km_ld32(cpu, slab);
            km_ld32(cpu, slab + 4);
            km_ld32(cpu, object + 8);
            km_st32(cpu, object + 8, (uint32_t)done);
            km_st32(cpu, slab, object);
            km_st32(cpu, slab + 4, (uint32_t)done);
            km_ld32(cpu, slab + 12);
            km_st32(cpu, object + 16, slab);
            km_ld32(cpu, object + 16);
            km_ld32(cpu, slab + 8);
            km_st32(cpu, slab + 8, object);
            km_ld32(cpu, percpu + 1024 + 4 * i);
            km_exec(cpu, &fast, 24);
        }
        done += 36;
        if (!(done / 36 % 2)) {
            km_rmw32(cpu, zone + 4 * (done % 8), KM_RMW_ADD, 1, 0);
            done++;
        }
        if (!(done / 36 % 16))
            km_exec(cpu, &slow, 60);
    }
    return done;
}

static uint64_t random_loads(struct km_cpu *cpu, uint64_t refs, uint32_t bytes)
{
    struct km_prng r = {cpu->id + 1};
    km_vaddr base = PAGE_OFFSET + (8u << 20);

    for (uint64_t i = 0; i < refs; i++)
        km_ld32(cpu, base + (km_prng_below(&r, bytes) & ~3u));
    return refs;
}

static void bench_run(void *ctx, struct km_cpu *cpu, uint64_t now_ns)
{
    struct bench *b = ctx;

    (void)now_ns;
    b->next++;
    if (b->stream == ALLOCATOR)
        allocator_mix(cpu, b->refs);
    else
        random_loads(cpu, b->refs, b->stream == L2 ? 512u << 10 : 48u << 20);
}

static double seconds(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int measure(const struct km_engine_ops *engine, const struct km_config *cfg,
                   enum stream stream, const char *name, uint64_t refs)
{
    struct bench b = {stream, cfg->machine.cpus, 0, refs};
    struct km_program program = {.ctx = &b, .peek = bench_peek, .run = bench_run};
    struct km_err err = {0};
    struct km_hw_stats hw;
    struct km_pgtable pt;
    struct km_window w;
    km_pfn tables = 1024;
    void *m;

    if (km_window_create(&w, RAM_BYTES, RAM_BYTES, PAGE_OFFSET, &err) ||
        engine->create(&m, cfg, &w, &err)) {
        km_err_print(&err);
        return 1;
    }
    km_pgtable_build(&pt, engine->null_port(m, 0), true, PAGE_OFFSET, RAM_BYTES, take_table_page,
                     &tables);
    engine->set_cr3(m, km_pgtable_cr3(&pt));
    double begin = seconds();

    if (engine->run(m, &program, &err)) {
        km_err_print(&err);
        return 1;
    }
    double took = seconds() - begin;

    engine->stats(m, &hw);
    printf("%-10s %-8s cpus %u: %6.1f M references/s (%.1f ns each), L1D misses %.2f %%, "
           "%.1f cycles per reference\n",
           name, engine->name, cfg->machine.cpus, (double)hw.refs / took / 1e6,
           took * 1e9 / (double)hw.refs,
           100.0 * (double)(hw.l1d.read_misses + hw.l1d.write_misses) / (double)hw.refs,
           (double)hw.cycles / (double)hw.refs * cfg->machine.cpus);
    engine->destroy(m);
    km_window_release(&w);
    return 0;
}

static void print_problem(void *ctx, const struct km_err *err)
{
    (void)ctx;
    km_err_print(err);
}

static const struct {
    const char *key, *name;
    const struct km_engine_ops *engine;
    enum stream stream;
    uint32_t part; /* of the references asked for */
} runs[] = {
    {"allocator", "allocator", &km_stepper_engine, ALLOCATOR, 1},
    {"l2", "l2", &km_stepper_engine, L2, 4},
    {"dram", "dram", &km_stepper_engine, DRAM, 10},
    {"systemc", "allocator", &km_systemc_engine, ALLOCATOR, 1},
};

int main(int argc, char **argv)
{
    uint64_t refs = (argc > 1 ? strtoull(argv[1], NULL, 10) : 20) * 1000000;
    struct km_config cfg;
    char file[KM_PATH_MAX];

    if (!km_config_find(file, sizeof(file), NULL, "machine/p3-xeon-700x2.yaml") ||
        km_config_load(&cfg, file, NULL, 0, print_problem, NULL))
        return 1;
    cfg.machine.cpus = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 10) : 1;
    cfg.machine.paging = KM_PAGING_PAE;
    int rc = 0;

    for (size_t i = 0; !rc && i < KM_ARRAY_LEN(runs); i++)
        if (argc <= 3 || !strcmp(argv[3], runs[i].key))
            rc = measure(runs[i].engine, &cfg, runs[i].stream, runs[i].name, refs / runs[i].part);
    km_config_release(&cfg);
    return rc;
}
