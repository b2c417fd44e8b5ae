/* SPDX-License-Identifier: MIT
 * test_contention.c - cycles by formula, CPUs that fight over lines, and runs that must fail with a
 * message.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "tests/unit/top/fixture.h"

/* A program given as one function per CPU, all starting at once. */
struct script {
    unsigned cpus, next;
    void (*body)(struct km_cpu *cpu, void *arg);
    void *arg;
};

static bool script_peek(void *ctx, unsigned *cpu, uint64_t *due_ns)
{
    const struct script *s = ctx;

    *cpu = s->next;
    *due_ns = 0;
    return s->next < s->cpus;
}

static void script_run(void *ctx, struct km_cpu *cpu, uint64_t now_ns)
{
    struct script *s = ctx;

    (void)now_ns;
    s->next++;
    s->body(cpu, s->arg);
}

static int run_script(const struct km_config *cfg, bool paging,
                      void (*body)(struct km_cpu *, void *), void *arg, struct km_hw_stats *hw,
                      struct km_shared_line *line, struct km_err *err)
{
    struct script s = {cfg->machine.cpus, 0, body, arg};
    const struct km_program program = {.ctx = &s, .peek = script_peek, .run = script_run};
    struct km_window w;
    struct km_pgtable pt;
    km_pfn tables = 1024;
    void *m = NULL;

    assert_int_equal(km_window_create(&w, RAM_BYTES, RAM_BYTES, PAGE_OFFSET, err), KM_OK);
    int rc = km_stepper_engine.create(&m, cfg, &w, err);

    if (!rc) {
        assert_true(km_pgtable_build(&pt, km_stepper_engine.null_port(m, 0), true, PAGE_OFFSET,
                                     RAM_BYTES, take_table_page, &tables));
        if (paging)
            km_stepper_engine.set_cr3(m, km_pgtable_cr3(&pt));
        rc = km_stepper_engine.run(m, &program, err);
        km_stepper_engine.stats(m, hw);
        if (line && hw->nr_shared_lines)
            *line = hw->shared_line[0];
        km_stepper_engine.destroy(m);
    }
    km_window_release(&w);
    return rc;
}

struct latencies {
    uint64_t l1, l2, memory, store, locked, straddle;
};

static uint64_t timed_load(struct km_cpu *cpu, km_vaddr va)
{
    uint64_t before = cpu->local_cycles;

    km_ld32(cpu, va);
    return cpu->local_cycles - before;
}

static void measure_levels(struct km_cpu *cpu, void *arg)
{
    struct latencies *l = arg;
    uint64_t before;

    timed_load(cpu, DATA_VA); /* bring the DRAM row in */
    l->memory = timed_load(cpu, DATA_VA + 32);
    l->l1 = timed_load(cpu, DATA_VA + 36);
    for (km_vaddr va = DATA_VA + 1024; va <= DATA_VA + 4 * 1024;
         va += 1024) /* same L1 set, other L2 sets */
        timed_load(cpu, va + 32);
    l->l2 = timed_load(cpu, DATA_VA + 32);
    km_st32(cpu, DATA_VA + 32, 1);
    before = cpu->local_cycles;
    km_st32(cpu, DATA_VA + 32, 2);
    l->store = cpu->local_cycles - before;
    before = cpu->local_cycles;
    km_rmw32(cpu, DATA_VA + 32, KM_RMW_ADD, 1, 0);
    l->locked = cpu->local_cycles - before;
    before = cpu->local_cycles;
    km_touch(cpu, DATA_VA + 30, 4, KM_REF_LOAD); /* both lines in L1 */
    l->straddle = cpu->local_cycles - before;
}

/* Paging off, no refresh, chipset path 0. Row hit: lookup 9, to the next bus clock (7 cycles each),
 * arbitration 2, request phase 2, then DRAM (here at bus clock: CL 3 + 1), first transfer 1; the
 * snoop result (2 + 4) is there earlier. So 9 + alignment (0..6) + 7 * (2 + 2 + 3 + 1 + 1). */
static void latencies_by_formula(void **state)
{
    (void)state;
    struct km_config cfg = small_config(1, true);
    struct latencies l = {0};
    struct km_hw_stats hw;
    struct km_err err;

    cfg.machine.dram.clock_hz = 100000000;
    cfg.machine.dram.refresh = false;
    cfg.machine.bus.frontend_ps_extra = 0;
    assert_int_equal(run_script(&cfg, false, measure_levels, &l, &hw, NULL, &err), KM_OK);
    assert_int_equal(l.l1, 3);
    assert_int_equal(l.l2, 9);
    assert_int_equal(l.store, 1);
    assert_int_equal(l.locked, 21);
    assert_int_equal(l.straddle, 6);
    assert_in_range(l.memory, 9 + 7 * 9, 9 + 6 + 7 * 9);
    assert_int_equal(hw.dtlb.hits + hw.dtlb.misses, 0);
}

struct ping {
    uint64_t turns[2], waited[2];
    uint32_t offset; /* of CPU 1's word */
};

static void add_own_word(struct km_cpu *cpu, void *arg)
{
    struct ping *p = arg;
    km_vaddr va = SHARED_VA + (cpu->id ? p->offset : 0);

    for (unsigned i = 0; i < 500; i++) {
        uint64_t before = cpu->local_cycles;

        km_rmw32(cpu, va, KM_RMW_ADD, 1, 0);
        p->turns[cpu->id]++;
        p->waited[cpu->id] += cpu->local_cycles - before;
    }
}

/* Same word: true sharing. Words 8 bytes apart: false sharing. Words in two lines: none. */
static void true_and_false_sharing(void **state)
{
    (void)state;
    static const struct {
        uint32_t offset;
        bool shared, overlap;
    } kinds[] = {{0, true, true}, {8, true, false}, {64, false, false}};

    for (unsigned k = 0; k < 3; k++) {
        struct km_config cfg = small_config(2, true);
        struct ping p = {.offset = kinds[k].offset};
        struct km_hw_stats hw;
        struct km_shared_line line = {0};
        struct km_err err;

        assert_int_equal(run_script(&cfg, true, add_own_word, &p, &hw, &line, &err), KM_OK);
        /* Page tables are shared, but only read. */
        assert_int_equal(line.hitm_local > 0, kinds[k].shared);
        if (!kinds[k].shared)
            continue;
        assert_int_equal(line.line_pa, SHARED_VA - PAGE_OFFSET);
        assert_int_equal(line.cpus_mask, 3);
        /* All but the first transfer, which came before the bytes were watched. */
        assert_int_equal(kinds[k].overlap ? line.hitm_true : line.hitm_false, line.hitm_local - 1);
        assert_int_equal(kinds[k].overlap ? line.hitm_false : line.hitm_true, 0);
        assert_int_equal(kinds[k].overlap ? line.inv_true : line.inv_false, line.invalidations - 1);
        assert_int_equal(kinds[k].overlap ? line.inv_false : line.inv_true, 0);
        assert_int_equal(line.hitm_by_cpu[0] + line.hitm_by_cpu[1], line.hitm_local);
        assert_true(line.cycles_true + line.cycles_false < line.cycles_lost);
        assert_int_equal(line.cycles_dma, 0);
        /* Every reference from the first conflict on is counted, at most 2 x 500. */
        assert_in_range(line.writers, 900, 1000);
        assert_int_equal(line.readers, line.writers); /* LOCKed adds load and store */
        assert_in_range(line.hitm_local, 400, 1000);
        assert_true(line.cycles_lost > line.hitm_local * 50);
        assert_int_equal(line.invalidations, line.hitm_local);
        /* Two CPUs doing the same get the same share. */
        assert_in_range(p.waited[0] * 100 / p.waited[1], 80, 125);
    }
}

static void spin_forever(struct km_cpu *cpu, void *arg)
{
    (void)arg;
    if (cpu->id == 0)
        km_lock(cpu, LOCK_VA); /* and never unlocks */
    else
        km_lock(cpu, LOCK_VA);
}

static void watchdog_speaks(void **state)
{
    (void)state;
    struct km_config cfg = small_config(2, true);
    struct km_hw_stats hw;
    struct km_err err = {0};

    assert_int_equal(run_script(&cfg, true, spin_forever, NULL, &hw, NULL, &err), KM_E_WATCHDOG);
    assert_non_null(strstr(err.msg, "watchdog"));
    assert_non_null(strstr(err.msg, "CPU 1"));
}

static void touch_nothing_mapped(struct km_cpu *cpu, void *arg)
{
    km_ld32(cpu, *(km_vaddr *)arg);
}

static void page_fault_is_reported(void **state)
{
    (void)state;
    struct km_config cfg = small_config(1, true);
    struct km_hw_stats hw;
    struct km_err err = {0};
    km_vaddr va = 0xf0001000;

    assert_int_equal(run_script(&cfg, true, touch_nothing_mapped, &va, &hw, NULL, &err),
                     KM_E_INPUT);
    assert_non_null(strstr(err.msg, "page fault at guest address 0xf0001000"));
}

static void impossible_machines(void **state)
{
    (void)state;
    struct km_window w;
    struct km_err err;
    void *m;

    assert_int_equal(km_window_create(&w, RAM_BYTES, RAM_BYTES, PAGE_OFFSET, &err), KM_OK);
    for (unsigned k = 0; k < 9; k++) {
        struct km_config cfg = small_config(1, true);
        struct km_machine_config *c = &cfg.machine;

        switch (k) {
        case 0:
            c->cpus = 0;
            break;
        case 1:
            c->cpus = 9;
            break;
        case 2:
            c->l1d.size_bytes = 3000;
            break;
        case 3:
            c->l2.line_bytes = 64;
            break;
        case 4:
            c->dram.nras = 1;
            break;
        case 5:
            c->bus.width_bytes = 0;
            break;
        case 6:
            c->dtlb.ways_4k = 5;
            break;
        case 7:
            c->l1d.size_bytes = 0;
            break;
        case 8:
            c->clock_hz = 0;
            break;
        }
        err.msg[0] = 0;
        assert_int_equal(km_stepper_engine.create(&m, &cfg, &w, &err), KM_E_USAGE);
        assert_non_null(strstr(err.msg, "machine."));
    }
    km_window_release(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(latencies_by_formula), cmocka_unit_test(true_and_false_sharing),
        cmocka_unit_test(watchdog_speaks),      cmocka_unit_test(page_fault_is_reported),
        cmocka_unit_test(impossible_machines),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
