/* SPDX-License-Identifier: MIT
 * chase.c - see chase.h.
 *
 * Every buffer holds one cycle of pointers through all its elements (one per stride) in random
 * order (Sattolo's shuffle, seeded). Following it makes every load depend on the one before, so
 * cycles per load are load-to-use latencies including TLB misses. One round warms the caches, the
 * following ones count: one round of large buffers, at least 8192 loads of small ones.
 * The kernel's linear map is in large pages; TLB steps appear where the large-page reach ends.
 */
#include "sim/workload/chase.h"

#include "models/base/bits.h"
#include "models/base/prng.h"
#include "models/os/pgtable.h"

#include <stdlib.h>
#include <string.h>

#define MIN_BYTES 1024u
#define MIN_LOADS 8192u
#define TABLES_END (8u << 20) /* page tables lie below, the buffer above */
#define PAGE_OFFSET 0xC0000000u
#define LOWMEM_MAX (880ull << 20)

struct chase {
    struct km_chase_result *out;
    unsigned next;
    uint32_t stride;
    struct km_prng prng;
    km_vaddr base;
    uint32_t *order; /* scratch for the shuffle */
};

static bool chase_peek(void *ctx, unsigned *cpu, uint64_t *due_ns)
{
    const struct chase *c = ctx;

    *cpu = 0;
    *due_ns = 0;
    return c->next < c->out->nr;
}

static void link_elements(struct chase *c, uint8_t *window, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        c->order[i] = i;
    for (uint32_t i = n - 1; i > 0; i--) {
        uint32_t j = km_prng_below(&c->prng, i), t = c->order[i];

        c->order[i] = c->order[j];
        c->order[j] = t;
    }
    /* order[] is now one cycle: element i is followed by order[i]. */
    for (uint32_t i = 0; i < n; i++)
        *(uint32_t *)(void *)(window + c->base + i * c->stride) = c->base + c->order[i] * c->stride;
}

static void chase_run(void *ctx, struct km_cpu *cpu, uint64_t now_ns)
{
    struct chase *c = ctx;
    struct km_chase_point *point = &c->out->point[c->next++];
    uint32_t n = (uint32_t)(point->bytes / c->stride);
    km_vaddr at = c->base;

    (void)now_ns;
    link_elements(c, cpu->window, n);
    for (uint32_t i = 0; i < n; i++)
        at = km_ld32(cpu, at);
    point->loads = km_max_u64(n, MIN_LOADS);
    point->cycles = cpu->local_cycles;
    for (uint64_t i = 0; i < point->loads; i++)
        at = km_ld32(cpu, at);
    point->cycles = cpu->local_cycles - point->cycles;
}

static km_pfn take_page(void *ctx)
{
    km_pfn *next = ctx;

    return *next ? --*next : KM_PFN_NONE;
}

static void choose_sizes(const struct km_config *cfg, struct km_chase_result *out)
{
    uint64_t max = cfg->workload.chase_max_bytes, stride = cfg->workload.chase_stride_bytes;

    /* Powers of two and the points half way between. */
    for (uint64_t size = MIN_BYTES; size <= max && out->nr + 2 <= KM_CHASE_MAX_POINTS; size *= 2) {
        if (size / stride >= 2)
            out->point[out->nr++].bytes = size;
        if (size * 3 / 2 <= max && size * 3 / 2 / stride >= 2)
            out->point[out->nr++].bytes = size * 3 / 2;
    }
}

static int run_machine(const struct km_config *cfg, const struct km_engine_ops *engine,
                       struct chase *c, struct km_window *w, struct km_err *err)
{
    const struct km_program program = {c, chase_peek, chase_run};
    struct km_pgtable pt;
    km_pfn tables = TABLES_END >> KM_PAGE_SHIFT;
    void *m = NULL;
    int rc = engine->create(&m, cfg, w, err);

    if (rc)
        return rc;
    if (km_pgtable_build(&pt, engine->null_port(m, 0), cfg->machine.paging == KM_PAGING_PAE,
                         w->page_offset, w->lowmem_bytes, take_page, &tables)) {
        engine->set_cr3(m, km_pgtable_cr3(&pt));
        rc = engine->run(m, &program, err);
        engine->stats(m, &c->out->hw);
        c->out->hw.shared_line = NULL;
        c->out->hw.nr_shared_lines = 0;
    } else {
        rc = km_fail(err, KM_E_NOMEM, NULL, 0, 0, "no room for the page tables");
    }
    engine->destroy(m);
    return rc;
}

int km_chase_run(const struct km_config *cfg, const struct km_engine_ops *engine,
                 struct km_chase_result *out, struct km_err *err)
{
    struct km_config one = *cfg;
    struct chase c = {.out = out,
                      .stride = cfg->workload.chase_stride_bytes,
                      .prng = {cfg->seed},
                      .base = PAGE_OFFSET + TABLES_END};
    uint64_t ram = km_align_up(TABLES_END + cfg->workload.chase_max_bytes, 4u << 20);
    struct km_window w;

    memset(out, 0, sizeof(*out));
    if (ram > LOWMEM_MAX)
        return km_fail(err, KM_E_USAGE, NULL, 0, 0,
                       "workload.chase_max: the buffer must fit into low memory (872 MiB)");
    if (cfg->timing != KM_TIMING_FULL)
        return km_fail(err, KM_E_USAGE, NULL, 0, 0,
                       "workload.type: pointer-chase needs timing: full");
    one.machine.cpus = 1;
    one.machine.ram_bytes = ram;
    if (one.machine.paging == KM_PAGING_AUTO)
        one.machine.paging = KM_PAGING_2LEVEL;
    choose_sizes(cfg, out);
    if (!out->nr)
        return km_fail(
            err, KM_E_USAGE, NULL, 0, 0,
            "workload.chase_stride: fewer than two elements fit into workload.chase_max");
    c.order = malloc((cfg->workload.chase_max_bytes / c.stride + 1) * sizeof(*c.order));
    if (!c.order)
        return km_fail(err, KM_E_NOMEM, NULL, 0, 0, "no memory for the pointer chase");
    int rc = km_window_create(&w, ram, ram, PAGE_OFFSET, err);

    if (!rc) {
        rc = run_machine(&one, engine, &c, &w, err);
        km_window_release(&w);
    }
    free(c.order);
    return rc;
}
