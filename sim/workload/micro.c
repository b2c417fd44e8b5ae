/* SPDX-License-Identifier: MIT
 * micro.c - see micro.h.
 *
 * Every size or order is one work item per phase, so phases start with what the one before left in caches and
 * lists, as in a kernel module that loops. The pointer array is in guest memory and costs its stores and loads.
 */
#include "sim/workload/micro.h"

#include "models/os/page_alloc.h"
#include "models/os/slab_layer.h"
#include "sim/report/report.h"
#include "sim/workload/bare.h"
#include "sim/workload/contended.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MAX_ROWS 11u
#define LOOP_INSNS 3u /* increment, compare, branch */

enum phase { ALLOCATE, FREE, PAIRS, PHASES };

struct row {
    uint32_t key; /* bytes or order */
    uint32_t count;
    uint64_t cycles[PHASES];
};

struct micro {
    const struct km_config *cfg;
    struct km_guest guest;
    struct km_slab_layer *layer; /* NULL: page-bench */
    struct km_contended *contended; /* NULL: an allocator is measured */
    struct km_report *report;
    struct row row[MAX_ROWS];
    unsigned nr_rows, next, phase;
    km_vaddr array;
    bool failed;
    struct km_hw_stats hw;
};

/* Names must stay where they are: the report tells APIs apart by address. */
static const char *const slab_apis[MAX_ROWS][PHASES] = {
    {"kmalloc-8", "kfree-8", "pair-8"},          {"kmalloc-16", "kfree-16", "pair-16"},
    {"kmalloc-32", "kfree-32", "pair-32"},       {"kmalloc-64", "kfree-64", "pair-64"},
    {"kmalloc-128", "kfree-128", "pair-128"},    {"kmalloc-256", "kfree-256", "pair-256"},
    {"kmalloc-512", "kfree-512", "pair-512"},    {"kmalloc-1024", "kfree-1024", "pair-1024"},
    {"kmalloc-2048", "kfree-2048", "pair-2048"}, {"kmalloc-4096", "kfree-4096", "pair-4096"},
};
static const char *const page_apis[MAX_ROWS][PHASES] = {
    {"alloc-o0", "free-o0", "pair-o0"},    {"alloc-o1", "free-o1", "pair-o1"},
    {"alloc-o2", "free-o2", "pair-o2"},    {"alloc-o3", "free-o3", "pair-o3"},
    {"alloc-o4", "free-o4", "pair-o4"},    {"alloc-o5", "free-o5", "pair-o5"},
    {"alloc-o6", "free-o6", "pair-o6"},    {"alloc-o7", "free-o7", "pair-o7"},
    {"alloc-o8", "free-o8", "pair-o8"},    {"alloc-o9", "free-o9", "pair-o9"},
    {"alloc-o10", "free-o10", "pair-o10"},
};

static double seconds(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* One call of the allocator under test: a handle (address or frame), 0 if it failed. */
static uint32_t take(struct micro *m, struct km_cpu *cpu, uint32_t key)
{
    if (m->layer)
        return km_kmalloc(m->layer, cpu, key, KM_GFP_KERNEL);
    km_pfn pfn = km_alloc_pages(&m->guest.os, cpu, KM_GFP_KERNEL, key);

    return pfn == KM_PFN_NONE ? 0 : pfn;
}

static void give(struct micro *m, struct km_cpu *cpu, uint32_t key, uint32_t handle)
{
    if (!handle)
        m->failed = true;
    else if (m->layer)
        km_kfree(m->layer, cpu, handle);
    else
        km_free_pages(&m->guest.os, cpu, handle, key);
}

static bool micro_peek(void *ctx, unsigned *cpu, uint64_t *due_ns)
{
    const struct micro *m = ctx;

    *cpu = 0;
    *due_ns = 0;
    return m->next < m->nr_rows;
}

static void micro_run(void *ctx, struct km_cpu *cpu, uint64_t now_ns)
{
    static const struct km_site loop = {"test loop", 0xC0100000u, 64};
    struct micro *m = ctx;
    struct row *r = &m->row[m->next];
    const char *const *api = m->layer ? slab_apis[m->next] : page_apis[m->next];
    uint64_t begin = cpu->local_cycles;

    (void)now_ns;
    for (uint32_t i = 0; i < r->count; i++) {
        uint64_t before = cpu->local_cycles;

        km_exec(cpu, &loop, LOOP_INSNS);
        if (m->phase == ALLOCATE)
            km_st32(cpu, m->array + 4 * i, take(m, cpu, r->key));
        else if (m->phase == FREE)
            give(m, cpu, r->key, km_ld32(cpu, m->array + 4 * i));
        else
            give(m, cpu, r->key, take(m, cpu, r->key));
        km_report_latency(m->report, api[m->phase], 0, cpu->local_cycles - before);
    }
    r->cycles[m->phase] = cpu->local_cycles - begin;
    if (++m->phase == PHASES) {
        m->phase = 0;
        m->next++;
    }
}

static void choose_rows(struct micro *m)
{
    uint32_t count = m->cfg->workload.micro_count;

    if (m->layer) {
        for (uint32_t size = 8; size <= 4096; size *= 2)
            m->row[m->nr_rows++] = (struct row){.key = size, .count = count};
        return;
    }
    for (uint32_t order = 0; order < KM_NR_ORDERS; order++) {
        uint32_t most = m->guest.facts.max_low_pfn / 4 >> order;

        m->row[m->nr_rows++] = (struct row){.key = order, .count = count < most ? count : most};
    }
}

static int prepare(struct micro *m, struct km_err *err)
{
    struct km_machine_facts facts;
    int rc = km_guest_facts(&facts, m->cfg, NULL, NULL, err);
    bool slab = m->cfg->workload.type == KM_WL_SLAB_TEST;
    const uint32_t count = m->cfg->workload.micro_count;

    if (!rc)
        rc = km_guest_open(&m->guest, &facts, err);
    if (!rc)
        rc = km_bare_boot(&m->guest, m->cfg, km_config_word("workload.type", m->cfg->workload.type), err);
    if (rc)
        return rc;
    if (m->cfg->workload.type == KM_WL_CONTENDED)
        return km_contended_create(&m->contended, &m->guest.os, &m->guest.cpu[0], m->cfg, m->report, err);
    if (slab) {
        struct km_slab_params p = {
            .ops = km_slab_ops_by_name(km_config_word("os.slab", m->cfg->os.slab)),
            .src = km_page_src_buddy(&m->guest.os),
            .merge = true};

        m->layer = calloc(1, sizeof(*m->layer));
        if (!m->layer)
            return km_fail(err, KM_E_NOMEM, NULL, 0, 0, "out of memory");
        if (!km_slab_init(m->layer, &m->guest.os, &m->guest.cpu[0], &p))
            return km_fail(err, KM_E_USAGE, NULL, 0, 0, "machine.ram: no memory for the slab caches");
    }
    unsigned order = 0;

    while ((KM_PAGE_BYTES << order) < count * 4ull)
        order++;
    km_pfn array = order < KM_NR_ORDERS ? km_alloc_pages(&m->guest.os, &m->guest.cpu[0], KM_GFP_KERNEL, order)
                                        : KM_PFN_NONE;

    if (array == KM_PFN_NONE)
        return km_fail(err, KM_E_USAGE, NULL, 0, 0, "workload.micro_count: no memory for %u pointers", count);
    m->array = km_pfn_to_va(&m->guest.os, array);
    choose_rows(m);
    return KM_OK;
}

static int run_timed(struct micro *m, const struct km_program *program, const struct km_run_options *opt,
                     struct km_err *err)
{
    struct km_config cfg = *m->cfg;
    const struct km_engine_ops *engine = opt->engine;
    struct km_pgtable pt;
    void *machine = NULL;

    cfg.machine.cpus = m->guest.os.p.cpus;
    cfg.machine.ram_bytes = m->guest.window.ram_bytes;
    cfg.machine.paging = m->guest.facts.pae ? KM_PAGING_PAE : KM_PAGING_2LEVEL;
    int rc = km_bare_page_tables(&m->guest, &pt, err);

    if (!rc)
        rc = engine->create(&machine, &cfg, &m->guest.window, err);
    if (rc)
        return rc;
    engine->set_cr3(machine, km_pgtable_cr3(&pt));
    engine->set_probe(machine, km_report_probe(m->report));
    rc = engine->run(machine, program, err);
    engine->stats(machine, &m->hw);
    m->hw.shared_line = NULL;
    m->hw.nr_shared_lines = 0;
    engine->destroy(machine);
    return rc;
}

static int write_rows(const struct micro *m, const char *dir, struct km_err *err)
{
    char path[KM_PATH_MAX + 32];

    snprintf(path, sizeof(path), "%s/%s", dir, m->layer ? "slab_test.csv" : "page_bench.csv");
    FILE *f = fopen(path, "w");

    if (!f)
        return km_fail(err, KM_E_IO, path, 0, 0, "cannot write: %s", strerror(errno));
    fprintf(f, "%s,count,alloc_cycles,free_cycles,pair_cycles\n", m->layer ? "size_bytes" : "order");
    for (unsigned i = 0; i < m->nr_rows; i++) {
        const struct row *r = &m->row[i];

        fprintf(f, "%u,%u", r->key, r->count);
        for (unsigned p = 0; p < PHASES; p++)
            fprintf(f, ",%.1f", (double)r->cycles[p] / (double)r->count);
        fputc('\n', f);
    }
    bool bad = ferror(f);

    if (fclose(f) || bad)
        return km_fail(err, KM_E_IO, path, 0, 0, "cannot write: %s", strerror(errno));
    return KM_OK;
}

static int run(struct micro *m, const struct km_run_options *opt, struct km_run_summary *sum, struct km_err *err)
{
    struct km_program program = {.ctx = m, .peek = micro_peek, .run = micro_run};
    unsigned cpu;
    uint64_t due_ns;
    int rc = prepare(m, err);

    if (m->contended)
        program = km_contended_program(m->contended);

    if (rc)
        return rc;
    if (m->cfg->timing == KM_TIMING_FULL && opt->engine)
        rc = run_timed(m, &program, opt, err);
    else
        while (micro_peek(m, &cpu, &due_ns))
            micro_run(m, &m->guest.cpu[0], due_ns);
    if (!rc && m->failed)
        rc = km_fail(err, KM_E_USAGE, NULL, 0, 0,
                     "machine.ram: an allocation failed, give the machine more memory");
    if (m->contended) {
        sum->events = km_contended_operations(m->contended);
        return rc ? rc : km_contended_write(m->contended, opt->out_dir, err);
    }
    if (!rc)
        rc = write_rows(m, opt->out_dir, err);
    for (unsigned i = 0; i < m->nr_rows; i++)
        sum->events += PHASES * (uint64_t)m->row[i].count;
    return rc;
}

bool km_micro_is(enum km_workload_type type)
{
    return type == KM_WL_SLAB_TEST || type == KM_WL_PAGE_BENCH || type == KM_WL_CONTENDED;
}

int km_micro_run(const struct km_config *cfg, const struct km_run_options *opt, struct km_err *err)
{
    struct micro *m = calloc(1, sizeof(*m));
    struct km_run_summary sum = {0};
    double begin = seconds();

    if (!m)
        return km_fail(err, KM_E_NOMEM, NULL, 0, 0, "out of memory");
    m->cfg = cfg;
    m->guest.window.memfd = -1;
    int rc = km_report_open(&m->report, opt->out_dir, cfg, opt->force, err);

    if (!rc)
        rc = run(m, opt, &sum, err);
    if (!rc) {
        sum.complete = true;
        sum.events_applied = sum.events;
        sum.cpus = m->guest.os.p.cpus;
        sum.ram_bytes = m->guest.window.ram_bytes;
        sum.refs = m->hw.refs;
        sum.sim_cycles = m->hw.cycles;
        sum.sim_ns = m->hw.sim_ps / 1000;
        sum.wall_s = seconds() - begin;
        rc = km_report_finish(m->report, &sum, &m->hw, err);
    }
    km_report_close(m->report);
    if (m->guest.window.base)
        km_guest_release(&m->guest);
    free(m->layer);
    free(m->contended);
    free(m);
    return rc;
}
