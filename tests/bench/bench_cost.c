/* SPDX-License-Identifier: MIT
 * bench_cost.c - what one call of the model's allocator functions costs in references, while a replay runs.
 * Usage: bench_cost TRACE [key=value ...]   (from the source folder; scripts/validate-cost.sh compares)
 *
 * The link wraps the functions' entries (tests/CMakeLists.txt), so nothing in the model knows of it, and gives every
 * CPU a port that counts instead of timing. Prints one line per outermost call, in the form of an instruction-level
 * recording of the real functions: E <n> <name> insns= loads= stores= lines64= irq=0.
 *
 * Counted as a recorder sees it: a LOCKed read-modify-write is a load and a store; a range is one reference per
 * word, but per byte where the kernel zeroes an object (rep stosb); every iteration of rep stos is an
 * instruction, which the slab layer charges itself and the page allocator does not. lines64 are data lines of 64 bytes.
 */
#include "models/os/page_alloc.h"
#include "models/os/slab_layer.h"
#include "sim/config/config.h"
#include "sim/workload/replay.h"

#include <stdio.h>
#include <stdlib.h>

#define LINE_SHIFT 6
#define SLAB_STACK_BYTES 256u

static struct {
    unsigned depth, page_depth; /* nesting of wrapped calls, and of page allocations */
    const struct km_os *os;     /* whose call is under way */
    uint64_t insns, loads, stores, lines, calls;
    uint32_t *seen; /* last call that touched this line */
    uint32_t serial;
} tally;

static bool below(km_vaddr top, uint32_t bytes, km_vaddr va)
{
    return top && va < top && va >= top - bytes;
}

static bool is_stack(const struct km_cpu *cpu, km_vaddr va)
{
    return tally.os && (below(tally.os->stack_va[cpu->id], KM_OS_STACK_BYTES, va) ||
                        (tally.os->slab &&
                         below(tally.os->slab->stack_va[cpu->id], SLAB_STACK_BYTES, va)));
}

static void count(struct km_cpu *cpu, km_vaddr va, uint32_t bytes, enum km_ref_kind kind)
{
    bool stack = is_stack(cpu, va);
    uint64_t refs = 1;

    if (!tally.depth || !bytes)
        return;
    if (bytes > KM_REF_BYTES || stack)
        refs = stack || tally.page_depth ? (bytes + 3) / 4 : bytes;
    if (bytes >= KM_PAGE_BYTES && tally.page_depth)
        tally.insns += refs;
    if (kind != KM_REF_STORE)
        tally.loads += refs;
    if (kind != KM_REF_LOAD)
        tally.stores += refs;
    for (uint32_t line = va >> LINE_SHIFT; line <= (va + bytes - 1) >> LINE_SHIFT; line++) {
        if (tally.seen[line] != tally.serial)
            tally.lines++;
        tally.seen[line] = tally.serial;
    }
}

static void count_exec(struct km_cpu *cpu, const struct km_site *site, uint32_t insns)
{
    (void)cpu;
    (void)site;
    tally.insns += insns;
}

static void no_relax(struct km_cpu *cpu)
{
    (void)cpu;
    fprintf(stderr, "a lock is held with one host thread\n");
    exit(1);
}

static const struct km_cpu_ops counting = {
    .name = "count", .ref = count, .exec = count_exec, .relax = no_relax};

static void begin(const struct km_os *os)
{
    if (tally.depth++)
        return;
    tally.insns = tally.loads = tally.stores = tally.lines = 0;
    tally.serial++;
    tally.os = os;
}

static void end(const char *name)
{
    if (--tally.depth)
        return;
    printf("E %llu %s insns=%llu loads=%llu stores=%llu lines64=%llu irq=0\n",
           (unsigned long long)++tally.calls, name, (unsigned long long)tally.insns,
           (unsigned long long)tally.loads, (unsigned long long)tally.stores,
           (unsigned long long)tally.lines);
}

/* The linker sends the calls of NAME to __wrap_NAME and knows NAME itself as __real_NAME. */
void __real_km_cpu_init_null(struct km_cpu *cpu, unsigned id, uint8_t *window);
km_pfn __real_km_alloc_pages(struct km_os *os, struct km_cpu *cpu, uint32_t gfp, unsigned order);
void __real_km_free_pages(struct km_os *os, struct km_cpu *cpu, km_pfn pfn, unsigned order);
km_vaddr __real_km_kmem_cache_alloc(struct km_slab_layer *l, struct km_cpu *cpu,
                                    struct km_kmem_cache *c, uint32_t gfp);
void __real_km_kmem_cache_free(struct km_slab_layer *l, struct km_cpu *cpu,
                               struct km_kmem_cache *c, km_vaddr obj);
km_vaddr __real_km_kmalloc(struct km_slab_layer *l, struct km_cpu *cpu, uint32_t size,
                           uint32_t gfp);
void __real_km_kfree(struct km_slab_layer *l, struct km_cpu *cpu, km_vaddr va);
void __wrap_km_cpu_init_null(struct km_cpu *cpu, unsigned id, uint8_t *window);
km_pfn __wrap_km_alloc_pages(struct km_os *os, struct km_cpu *cpu, uint32_t gfp, unsigned order);
void __wrap_km_free_pages(struct km_os *os, struct km_cpu *cpu, km_pfn pfn, unsigned order);
km_vaddr __wrap_km_kmem_cache_alloc(struct km_slab_layer *l, struct km_cpu *cpu,
                                    struct km_kmem_cache *c, uint32_t gfp);
void __wrap_km_kmem_cache_free(struct km_slab_layer *l, struct km_cpu *cpu,
                               struct km_kmem_cache *c, km_vaddr obj);
km_vaddr __wrap_km_kmalloc(struct km_slab_layer *l, struct km_cpu *cpu, uint32_t size,
                           uint32_t gfp);
void __wrap_km_kfree(struct km_slab_layer *l, struct km_cpu *cpu, km_vaddr va);

void __wrap_km_cpu_init_null(struct km_cpu *cpu, unsigned id, uint8_t *window)
{
    __real_km_cpu_init_null(cpu, id, window);
    cpu->ops = &counting;
}

km_pfn __wrap_km_alloc_pages(struct km_os *os, struct km_cpu *cpu, uint32_t gfp, unsigned order)
{
    begin(os);
    tally.page_depth++;
    km_pfn pfn = __real_km_alloc_pages(os, cpu, gfp, order);

    tally.page_depth--;
    end("alloc_pages");
    return pfn;
}

void __wrap_km_free_pages(struct km_os *os, struct km_cpu *cpu, km_pfn pfn, unsigned order)
{
    begin(os);
    __real_km_free_pages(os, cpu, pfn, order);
    end("free_pages");
}

km_vaddr __wrap_km_kmem_cache_alloc(struct km_slab_layer *l, struct km_cpu *cpu,
                                    struct km_kmem_cache *c, uint32_t gfp)
{
    begin(l->os);
    km_vaddr va = __real_km_kmem_cache_alloc(l, cpu, c, gfp);

    end("kmem_cache_alloc");
    return va;
}

void __wrap_km_kmem_cache_free(struct km_slab_layer *l, struct km_cpu *cpu,
                               struct km_kmem_cache *c, km_vaddr obj)
{
    begin(l->os);
    __real_km_kmem_cache_free(l, cpu, c, obj);
    end("kmem_cache_free");
}

km_vaddr __wrap_km_kmalloc(struct km_slab_layer *l, struct km_cpu *cpu, uint32_t size,
                           uint32_t gfp)
{
    begin(l->os);
    km_vaddr va = __real_km_kmalloc(l, cpu, size, gfp);

    end("kmalloc");
    return va;
}

void __wrap_km_kfree(struct km_slab_layer *l, struct km_cpu *cpu, km_vaddr va)
{
    begin(l->os);
    __real_km_kfree(l, cpu, va);
    end(va <= KM_ZERO_SIZE_PTR ? "kfree_null" : "kfree");
}

static void print_problem(void *ctx, const struct km_err *err)
{
    (void)ctx;
    km_err_print(err);
}

int main(int argc, char **argv)
{
    static char trace[4096];
    const char *sets[32] = {trace, "replay.mode=objects", "report.plots=false",
                            "report.html=false"};
    size_t nr = 4;
    struct km_config cfg;
    struct km_err err;
    char dir[] = "/tmp/bench_cost.XXXXXX", cleanup[64];

    if (argc < 2 || argc > 28 || !mkdtemp(dir)) {
        fprintf(stderr, "usage: bench_cost TRACE [key=value ...]\n");
        return 2;
    }
    snprintf(trace, sizeof(trace), "workload.trace=%s", argv[1]);
    for (int i = 2; i < argc; i++)
        sets[nr++] = argv[i];
    if (km_config_load(&cfg, "configs/replay.yaml", sets, nr, print_problem, NULL) < 0)
        return 2;
    tally.seen = calloc((size_t)1 << (32 - LINE_SHIFT), sizeof(*tally.seen));
    if (!tally.seen)
        return 2;
    struct km_run_options opt = {.out_dir = dir, .force = true, .quiet = true};
    int rc = km_replay_run(&cfg, &opt, &err);

    if (rc < 0)
        km_err_print(&err);
    snprintf(cleanup, sizeof(cleanup), "rm -rf %s", dir);
    if (system(cleanup) != 0)
        rc = -1;
    free(tally.seen);
    km_config_release(&cfg);
    return rc < 0;
}
