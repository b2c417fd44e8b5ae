/* SPDX-License-Identifier: MIT
 * contended.c - see contended.h.
 *
 * An operation is one work item. The first WARM rounds of each row fill TLBs and caches and do not count.
 */
#include "sim/workload/contended.h"

#include "models/os/page_alloc.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HAND_OVER_NS 10000u
#define WARM 2u

enum operation { LOAD, STORE, ATOMIC_INC, CMPXCHG_BLIND, CMPXCHG, OPERATIONS };
enum owner { SELF, OTHER, OWNERS };

struct km_contended {
    struct km_report *report;
    uint64_t clock_hz;
    uint32_t count, cpus;
    km_vaddr word;
    uint32_t row, done; /* position: row = operation * OWNERS + owner; items done in it */
    uint32_t value;     /* of the word: what a blind compare-and-swap expects */
    uint64_t items;
    uint64_t cycles[OPERATIONS * OWNERS];
};

/* Names must stay where they are: the report tells APIs apart by address. */
static const char *const operation_name[OPERATIONS] = {"load", "store", "atomic-inc", "cmpxchg-blind", "cmpxchg"};
static const char *const owner_name[OWNERS] = {"self", "other"};
static const char *const api_name[OPERATIONS * OWNERS] = {
    "load-self",          "load-other",          "store-self",   "store-other", "atomic-inc-self", "atomic-inc-other",
    "cmpxchg-blind-self", "cmpxchg-blind-other", "cmpxchg-self", "cmpxchg-other",
};

static uint32_t users(const struct km_contended *c)
{
    return c->row % OWNERS == OTHER ? c->cpus : 1;
}

static bool contended_peek(void *ctx, unsigned *cpu, uint64_t *due_ns)
{
    const struct km_contended *c = ctx;

    *cpu = c->done % users(c);
    *due_ns = c->items * HAND_OVER_NS;
    return c->row < OPERATIONS * OWNERS;
}

/* Cycles of the operation. The CPU that loads leaves the line dirty for the next one, outside the measurement. */
static uint64_t operate(struct km_contended *c, struct km_cpu *cpu, enum operation op)
{
    uint64_t begin = cpu->local_cycles, end;
    uint32_t expected = c->value++;

    switch (op) {
    case LOAD:
        expected = km_ld32(cpu, c->word);
        end = cpu->local_cycles;
        km_st32(cpu, c->word, expected + 1);
        return end - begin;
    case STORE:
        km_st32(cpu, c->word, expected + 1);
        break;
    case ATOMIC_INC:
        km_rmw32(cpu, c->word, KM_RMW_ADD, 1, 0);
        break;
    case CMPXCHG:
        expected = km_ld32(cpu, c->word);
        km_rmw32(cpu, c->word, KM_RMW_CAS, expected, expected + 1);
        break;
    default:
        km_rmw32(cpu, c->word, KM_RMW_CAS, expected, expected + 1);
    }
    return cpu->local_cycles - begin;
}

static void contended_run(void *ctx, struct km_cpu *cpu, uint64_t now_ns)
{
    struct km_contended *c = ctx;
    uint32_t row = c->row, warm = WARM * users(c);
    bool counts = c->done >= warm;

    (void)now_ns;
    c->items++;
    if (++c->done == warm + c->count) {
        c->done = 0;
        c->row++;
    }
    uint64_t cycles = operate(c, cpu, (enum operation)(row / OWNERS));

    if (!counts)
        return;
    c->cycles[row] += cycles;
    km_report_latency(c->report, api_name[row], 0, cycles);
}

int km_contended_create(struct km_contended **out, struct km_os *os, struct km_cpu *cpu, const struct km_config *cfg,
                        struct km_report *report, struct km_err *err)
{
    if (os->p.cpus < 2)
        return km_fail(err, KM_E_USAGE, NULL, 0, 0, "machine.cpus: contended needs at least two");
    if (cfg->timing != KM_TIMING_FULL)
        return km_fail(err, KM_E_USAGE, NULL, 0, 0, "workload.type: contended needs timing: full");
    km_pfn page = km_alloc_pages(os, cpu, KM_GFP_KERNEL, 0);
    struct km_contended *c = calloc(1, sizeof(*c));

    if (!c || page == KM_PFN_NONE) {
        free(c);
        return km_fail(err, KM_E_NOMEM, NULL, 0, 0, "out of memory");
    }
    c->report = report;
    c->clock_hz = cfg->machine.clock_hz;
    c->count = cfg->workload.micro_count;
    c->cpus = os->p.cpus;
    c->word = km_pfn_to_va(os, page);
    km_st32(cpu, c->word, 0);
    *out = c;
    return KM_OK;
}

struct km_program km_contended_program(struct km_contended *c)
{
    return (struct km_program){.ctx = c, .peek = contended_peek, .run = contended_run};
}

uint64_t km_contended_operations(const struct km_contended *c)
{
    return (uint64_t)c->count * OPERATIONS * OWNERS;
}

int km_contended_write(const struct km_contended *c, const char *dir, struct km_err *err)
{
    char path[KM_PATH_MAX + 32];

    snprintf(path, sizeof(path), "%s/contended.csv", dir);
    FILE *f = fopen(path, "w");

    if (!f)
        return km_fail(err, KM_E_IO, path, 0, 0, "cannot write: %s", strerror(errno));
    fputs("operation,owner,count,cycles,ns\n", f);
    for (unsigned i = 0; i < OPERATIONS * OWNERS; i++) {
        double cycles = (double)c->cycles[i] / (double)c->count;

        fprintf(f, "%s,%s,%u,%.1f,%.1f\n", operation_name[i / OWNERS], owner_name[i % OWNERS], c->count, cycles,
                cycles * 1e9 / (double)c->clock_hz);
    }
    bool bad = ferror(f);

    if (fclose(f) || bad)
        return km_fail(err, KM_E_IO, path, 0, 0, "cannot write: %s", strerror(errno));
    return KM_OK;
}
