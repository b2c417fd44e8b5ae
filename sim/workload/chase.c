/* SPDX-License-Identifier: MIT
 * chase.c - see chase.h.
 *
 * Every buffer holds one cycle of pointers through all its elements (one per stride) in random
 * order (Sattolo's shuffle, seeded). Following it makes every load depend on the one before, so
 * cycles per load are load-to-use latencies including TLB misses. One round warms the caches, the
 * following ones count: one round of large buffers, at least 8192 loads of small ones.
 * chase_pages: large uses the kernel's linear map (large pages: TLB steps appear where their reach
 * ends); 4k maps the buffer once more, page by page, in the kernel's area behind it, physically
 * contiguous. chase_order: linear links the elements in ascending order instead.
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
#define SMALL_BASE 0xF8000000u    /* behind the linear map */
#define SMALL_MAX (96ull << 20)

struct chase {
    struct km_chase_result *out;
    unsigned next;
    bool linear;
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

static void link_elements(struct chase *c, uint8_t *window, uint32_t n, uint32_t stride)
{
    for (uint32_t i = 0; i < n; i++)
        c->order[i] = c->linear ? (i + 1) % n : i;
    for (uint32_t i = n - 1; i > 0 && !c->linear; i--) {
        uint32_t j = km_prng_below(&c->prng, i), t = c->order[i];

        c->order[i] = c->order[j];
        c->order[j] = t;
    }
    /* order[] is now one cycle: element i is followed by order[i]. */
    for (uint32_t i = 0; i < n; i++)
        *(uint32_t *)(void *)(window + c->base + i * stride) = c->base + c->order[i] * stride;
}

static void chase_run(void *ctx, struct km_cpu *cpu, uint64_t now_ns)
{
    struct chase *c = ctx;
    struct km_chase_point *point = &c->out->point[c->next++];
    uint32_t n = (uint32_t)(point->bytes / point->stride);
    km_vaddr at = c->base;

    (void)now_ns;
    link_elements(c, cpu->window, n, point->stride);
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

/* Powers of two and the points half way between. */
static void choose_sizes(const struct km_config *cfg, uint32_t stride, struct km_chase_result *out)
{
    uint64_t max = cfg->workload.chase_max_bytes;

    for (uint64_t size = MIN_BYTES; size <= max && out->nr + 2 <= KM_CHASE_MAX_POINTS; size *= 2) {
        const uint64_t sizes[] = {size, size * 3 / 2};

        for (unsigned i = 0; i < 2; i++)
            if (sizes[i] <= max && sizes[i] / stride >= 2)
                out->point[out->nr++] =
                    (struct km_chase_point){.bytes = sizes[i], .stride = stride};
    }
}

/* The smallest stride, 0 (and an error) if the list is malformed. */
static uint32_t choose_points(const struct km_config *cfg, struct km_chase_result *out,
                              struct km_err *err)
{
    const char *s = cfg->workload.chase_strides;
    uint32_t least = cfg->workload.chase_stride_bytes;

    if (!s[0])
        choose_sizes(cfg, least, out);
    for (least = s[0] ? UINT32_MAX : least; s[0];) {
        char *end;
        uint64_t n = s[0] >= '0' && s[0] <= '9' ? strtoull(s, &end, 10) : 0;

        if (n && n < 1 << 20 && strncmp(end, "KiB", 3) == 0) {
            n <<= 10;
            end += 3;
        } else if (n && *end == 'B') {
            end++;
        }
        if (n < 4 || n % 4 || n > 1 << 20 || (*end && *end != ',')) {
            km_fail(err, KM_E_USAGE, NULL, 0, 0,
                    "workload.chase_strides: '%.60s': needs multiples of 4B up to 1024KiB, separated "
                    "by commas", s);
            return 0;
        }
        choose_sizes(cfg, (uint32_t)n, out);
        least = n < least ? (uint32_t)n : least;
        s = end + (*end == ',');
    }
    if (out->nr)
        return least;
    km_fail(err, KM_E_USAGE, NULL, 0, 0,
            "workload.chase_stride: fewer than two elements fit into workload.chase_max");
    return 0;
}

/* The buffer once more, by 4 KiB pages. */
static bool map_small(struct km_pgtable *pt, struct km_cpu *cpu, struct km_window *w,
                      struct chase *c, uint64_t bytes, struct km_err *err)
{
    km_pfn first = TABLES_END >> KM_PAGE_SHIFT;

    c->base = SMALL_BASE;
    for (uint32_t i = 0; i < (bytes + KM_PAGE_BYTES - 1) >> KM_PAGE_SHIFT; i++)
        if (!km_pgtable_map(pt, cpu, c->base + (i << KM_PAGE_SHIFT), first + i)) {
            km_fail(err, KM_E_USAGE, NULL, 0, 0,
                    "workload.chase_max: no room for the page tables of 4 KiB pages");
            return false;
        }
    return km_window_map(w, c->base, first, (uint32_t)((bytes + KM_PAGE_BYTES - 1) >> KM_PAGE_SHIFT),
                         err) == KM_OK;
}

static int run_machine(const struct km_config *cfg, const struct km_engine_ops *engine,
                       const struct km_probe *probe, struct chase *c, struct km_window *w, struct km_err *err)
{
    const struct km_program program = {.ctx = c, .peek = chase_peek, .run = chase_run};
    struct km_pgtable pt;
    km_pfn tables = TABLES_END >> KM_PAGE_SHIFT;
    void *m = NULL;
    int rc = engine->create(&m, cfg, w, err);

    if (rc)
        return rc;
    if (km_pgtable_build(&pt, engine->null_port(m, 0), cfg->machine.paging == KM_PAGING_PAE,
                         w->page_offset, w->lowmem_bytes, take_page, &tables)) {
        engine->set_cr3(m, km_pgtable_cr3(&pt));
        engine->set_probe(m, probe);
        if (cfg->workload.chase_pages == KM_CHASE_4K &&
            !map_small(&pt, engine->null_port(m, 0), w, c, cfg->workload.chase_max_bytes, err))
            rc = err->code;
        if (!rc)
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
                 const struct km_probe *probe, struct km_chase_result *out, struct km_err *err)
{
    struct km_config one = *cfg;
    struct chase c = {.out = out,
                      .linear = cfg->workload.chase_order == KM_CHASE_LINEAR,
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
    if (cfg->workload.chase_pages == KM_CHASE_4K &&
        (cfg->workload.chase_max_bytes > SMALL_MAX || ram + PAGE_OFFSET > SMALL_BASE))
        return km_fail(err, KM_E_USAGE, NULL, 0, 0,
                       "workload.chase_max: at most 96 MiB can be mapped by 4 KiB pages");
    one.machine.ram_bytes = ram;
    if (one.machine.paging == KM_PAGING_AUTO)
        one.machine.paging = KM_PAGING_2LEVEL;
    uint32_t least = choose_points(cfg, out, err);

    if (!least)
        return KM_E_USAGE;
    c.order = malloc((cfg->workload.chase_max_bytes / least + 1) * sizeof(*c.order));
    if (!c.order)
        return km_fail(err, KM_E_NOMEM, NULL, 0, 0, "no memory for the pointer chase");
    int rc = km_window_create(&w, ram, ram, PAGE_OFFSET, err);

    if (!rc) {
        rc = run_machine(&one, engine, probe, &c, &w, err);
        km_window_release(&w);
    }
    free(c.order);
    return rc;
}
