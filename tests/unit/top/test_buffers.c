/* SPDX-License-Identifier: MIT
 * test_buffers.c - store buffer, fill buffers and prefetches on one CPU, in cycles.
 *
 * Paging is off: references cost what the memory path makes of them and nothing else.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "tests/unit/top/fixture.h"

struct solo {
    struct km_core *core;
    void (*body)(struct solo *s, struct km_cpu *cpu);
    unsigned started;
};

static bool solo_peek(void *ctx, unsigned *cpu, uint64_t *due_ns)
{
    *cpu = 0;
    *due_ns = 0;
    return !((struct solo *)ctx)->started;
}

static void solo_run(void *ctx, struct km_cpu *cpu, uint64_t now_ns)
{
    struct solo *s = ctx;

    (void)now_ns;
    s->started = 1;
    s->body(s, cpu);
}

static struct km_hw_stats run_solo(struct km_config *cfg,
                                   void (*body)(struct solo *, struct km_cpu *))
{
    struct solo s = {.body = body};
    const struct km_program program = {.ctx = &s, .peek = solo_peek, .run = solo_run};
    struct km_err err = {0};
    struct km_hw_stats hw;
    struct km_window w;
    void *m;

    cfg->machine.dram.refresh = false;
    assert_int_equal(km_window_create(&w, RAM_BYTES, RAM_BYTES, PAGE_OFFSET, &err), KM_OK);
    assert_int_equal(km_stepper_engine.create(&m, cfg, &w, &err), KM_OK);
    s.core = km_stepper_core(m);
    assert_int_equal(km_stepper_engine.run(m, &program, &err), KM_OK);
    km_stepper_engine.stats(m, &hw);
    hw.shared_line = NULL;
    km_stepper_engine.destroy(m);
    km_window_release(&w);
    return hw;
}

static uint64_t cycles_of(struct km_cpu *cpu, km_vaddr va, uint32_t bytes, enum km_ref_kind kind)
{
    uint64_t before = cpu->local_cycles;

    km_ref(cpu, va, bytes, kind);
    return cpu->local_cycles - before;
}

/* lookup 9, at most 6 to the next bus clock, arbitration 2 and snoop 4 clocks of 7 cycles */
#define SNOOP_MIN (9 + 7 * 6)
#define SNOOP_MAX (SNOOP_MIN + 6)

static void store_misses(struct solo *s, struct km_cpu *cpu)
{
    cycles_of(cpu, DATA_VA, 4, KM_REF_LOAD);
    uint64_t load = cycles_of(cpu, DATA_VA + 32, 4, KM_REF_LOAD);
    uint64_t start = cpu->local_cycles, store = cycles_of(cpu, DATA_VA + 64, 4, KM_REF_STORE);

    assert_in_range(store, SNOOP_MIN, SNOOP_MAX); /* not the whole miss */
    assert_true(store + 5 < load);
    uint64_t done = s->core->node[0].store[0].done;

    assert_in_range(done - start, load - 6, load + 6);
    assert_int_equal(cycles_of(cpu, DATA_VA + 64, 4, KM_REF_LOAD), 3); /* forwarded */
    assert_int_equal(s->core->node[0].buffers.forwards, 1);
    uint64_t before = cpu->local_cycles;

    cycles_of(cpu, DATA_VA + 72, 4, KM_REF_LOAD); /* the same line: when it is there */
    assert_int_equal(cpu->local_cycles, done + 3);
    assert_true(before < done);
    assert_int_equal(s->core->node[0].buffers.merges, 1);
    assert_int_equal(cycles_of(cpu, DATA_VA + 72, 4, KM_REF_LOAD), 3);
    /* A load wider than the store has to wait. */
    cycles_of(cpu, DATA_VA + 96, 4, KM_REF_STORE);
    done = s->core->node[0].store[0].done;
    cycles_of(cpu, DATA_VA + 96, 8, KM_REF_LOAD);
    assert_int_equal(cpu->local_cycles, done + 3);
    assert_int_equal(s->core->node[0].buffers.forward_blocks, 1);
    /* LOCK and fences wait for all stores. */
    cycles_of(cpu, DATA_VA + 128, 4, KM_REF_STORE);
    done = s->core->node[0].store[0].done;
    cycles_of(cpu, DATA_VA, 4, KM_REF_RMW);
    assert_true(cpu->local_cycles >= done + 21);
    cycles_of(cpu, DATA_VA + 160, 4, KM_REF_STORE);
    done = s->core->node[0].store[0].done;
    km_fence(cpu);
    assert_int_equal(cpu->local_cycles, done);
}

static void stores_wait_in_the_buffer(void **state)
{
    (void)state;
    struct km_config cfg = small_config(1, true);

    cfg.machine.store_buffer = 12;
    cfg.machine.fill_buffers = 6;
    cfg.machine.dram.ncl = 9; /* a slow memory: much is left after the snoop */
    struct km_hw_stats hw = run_solo(&cfg, store_misses);

    assert_int_equal(hw.buffers.stores, 4);
    assert_int_equal(hw.buffers.store_full, 0);
}

static void many_stores(struct solo *s, struct km_cpu *cpu)
{
    (void)s;
    for (unsigned i = 0; i < 200; i++)
        km_ref(cpu, DATA_VA + 32 * i, 4, KM_REF_STORE);
}

/* More entries never cost cycles; one is already better than none; a full buffer is counted. */
static void deeper_buffers_help(void **state)
{
    (void)state;
    uint64_t last = KM_NEVER;

    for (unsigned entries = 0; entries <= 8; entries = entries ? 2 * entries : 1) {
        struct km_config cfg = small_config(1, true);

        cfg.machine.store_buffer = entries;
        cfg.machine.fill_buffers = 8;
        cfg.machine.dram.ncl = 30;
        struct km_hw_stats hw = run_solo(&cfg, many_stores);

        assert_true(hw.cycles <= last);
        if (entries == 1)
            assert_true(hw.buffers.store_full > 0);
        last = hw.cycles;
    }
}

static void read_upwards(struct solo *s, struct km_cpu *cpu)
{
    (void)s;
    for (unsigned i = 0; i < 512; i++) /* four pages of lines */
        km_ref(cpu, DATA_VA + 32 * i, 4, KM_REF_LOAD);
}

/* Reading upwards, line after line, 128 lines per page, in closed form. */
static void prefetches_of_a_stream(void **state)
{
    (void)state;
    static const struct {
        enum km_prefetch_kind kind;
        uint32_t degree;
        unsigned issued, misses;
    } want[] = {
        {KM_PREFETCH_NONE, 1, 0, 0},
        {KM_PREFETCH_ADJACENT, 1, 256, 256},     /* every even line brings the odd one */
        {KM_PREFETCH_NEXT, 1, 256, 256},         /* a miss, then a hit that asks for nothing */
        {KM_PREFETCH_NEXT, 3, 4 * 96, 4 * 32},   /* one miss in four */
        {KM_PREFETCH_STREAM, 1, 4 * 63, 4 * 65}, /* starts with the second line of a page */
        {KM_PREFETCH_STREAM, 2, 4 * 84, 4 * 44}, /* lines 1, 4, ... 127: the last one gets none */
    };
    uint64_t without = 0;

    for (size_t i = 0; i < KM_ARRAY_LEN(want); i++) {
        struct km_config cfg = small_config(1, true);

        cfg.machine.fill_buffers = 8;
        cfg.machine.prefetch = want[i].kind;
        cfg.machine.prefetch_degree = want[i].degree;
        struct km_hw_stats hw = run_solo(&cfg, read_upwards);

        assert_int_equal(hw.prefetch.issued, want[i].issued);
        assert_int_equal(hw.prefetch.useful, want[i].issued); /* all of them */
        assert_int_equal(hw.dram.reads, 512);
        if (!i) {
            without = hw.cycles;
            continue;
        }
        assert_int_equal(hw.prefetch.misses, want[i].misses);
        assert_int_equal(hw.prefetch.issued + hw.prefetch.misses, 512);
        assert_true(hw.cycles < without);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stores_wait_in_the_buffer),
        cmocka_unit_test(deeper_buffers_help),
        cmocka_unit_test(prefetches_of_a_stream),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
