/* SPDX-License-Identifier: MIT
 * test_coherence.c - machines under every protocol, hierarchy and kind of lock: judged by
 * coh_check.h while they run (the judge is on in this build or the test says so), and independent
 * of how they are stepped.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "tests/unit/top/fixture.h"

static struct run_how base_case(unsigned cpus, enum km_coherence coherence)
{
    struct run_how how = {
        .engine = &km_stepper_engine,
        .cfg = small_config(cpus, true),
        .items = 60,
        .refs = 320,
    };

    how.cfg.machine.coherence = coherence;
    return how;
}

static struct outcome run_twice(const struct run_how *how)
{
    struct run_how other = *how;
    struct outcome a = run_random(how);

    if (a.rc)
        print_error("%s\n", a.err.msg);
    assert_int_equal(a.rc, KM_OK);
    assert_int_equal(a.count, how->items * (how->refs / 64));
    other.cfg.machine.quantum_cycles = 0;
    other.hot_off = true;
    struct outcome b = run_random(&other);

    assert_int_equal(b.rc, KM_OK);
    assert_memory_equal(&a.hw, &b.hw, sizeof(a.hw));
    assert_memory_equal(a.lines, b.lines, sizeof(a.lines));
    assert_int_equal(a.log, b.log);
    assert_int_equal(a.memory, b.memory);
    return a;
}

static void all_protocols(void **state)
{
    (void)state;
    struct outcome o[3];

    for (unsigned p = 0; p < 3; p++) {
        struct run_how how = base_case(4, (enum km_coherence)p);

        o[p] = run_twice(&how);
        how = base_case(8, (enum km_coherence)p);
        run_twice(&how);
    }
    /* MSI asks before every first store; MOESI writes shared dirty lines back once, not per
     * reader. */
    assert_true(o[KM_COHERENCE_MSI].hw.bus.invalidates > o[KM_COHERENCE_MESI].hw.bus.invalidates);
    assert_true(o[KM_COHERENCE_MOESI].hw.dram.writes < o[KM_COHERENCE_MESI].hw.dram.writes);
}

static void all_hierarchies(void **state)
{
    (void)state;
    for (unsigned p = 0; p < 3; p++)
        for (unsigned k = 0; k < 6; k++) {
            struct run_how how = base_case(3, (enum km_coherence)p);
            struct km_machine_config *m = &how.cfg.machine;

            how.items = 30;
            m->l2.size_bytes = 8192;
            m->l2.inclusion = k % 3;
            if (k == 4)
                m->l2.sector_bytes = 64;
            if (k >= 3) {
                m->l3 = small_cache(32768, 8, KM_REPL_SRRIP, 30);
                m->l3.inclusion = k == 3 ? KM_EXCLUSIVE : KM_INCLUSIVE;
                m->l3.sector_bytes = k == 5 ? 128 : 0;
            }
            struct outcome o = run_twice(&how);

            if (k == 1)
                assert_true(o.hw.l1d.back_invalidations > 0);
            if (k == 2)
                assert_true(o.hw.l2.victim_fills > 0);
        }
}

static void all_replacements(void **state)
{
    (void)state;
    for (unsigned r = 0; km_repl_table[r]; r++) {
        struct run_how how = base_case(2, KM_COHERENCE_MESI);

        how.items = 30;
        how.cfg.machine.l1d.replacement = (enum km_replacement)r;
        how.cfg.machine.l1i.replacement = (enum km_replacement)r;
        how.cfg.machine.l2.replacement = (enum km_replacement)r;
        run_twice(&how);
    }
}

static void write_policies_and_bus_locks(void **state)
{
    (void)state;
    for (unsigned p = 0; p < 3; p++)
        for (unsigned k = 0; k < 4; k++) {
            struct run_how how = base_case(3, (enum km_coherence)p);
            struct km_machine_config *m = &how.cfg.machine;

            how.items = 30;
            m->l1d.write = k & 1 ? KM_WRITE_THROUGH : KM_WRITE_BACK;
            m->l1d.allocate = k < 2;
            m->lock = k == 1 || k == 2 ? KM_LOCK_BUS : KM_LOCK_CACHE;
            if (k == 3)
                m->l2.size_bytes = 0;
            struct outcome o = run_twice(&how);

            assert_int_equal(o.hw.bus.locks > 0, m->lock == KM_LOCK_BUS);
        }
}

/* The judge must find what it is there for: each way of getting it wrong, by hand. */
static void the_judge_sees(void **state)
{
    (void)state;
    static const enum km_line_state i = KM_LINE_I, s = KM_LINE_S, e = KM_LINE_E, o = KM_LINE_O,
                                    m = KM_LINE_M;
    struct km_coh_check c = {0};

    assert_null(km_coh_check_line(&c, 1, (enum km_line_state[]){i, i}, 2));
    assert_null(km_coh_check_line(&c, 1, (enum km_line_state[]){s, s}, 2));
    assert_non_null(km_coh_check_line(&c, 1, (enum km_line_state[]){e, s}, 2));
    assert_non_null(km_coh_check_line(&c, 1, (enum km_line_state[]){o, o}, 2));
    km_coh_check_store(&c, 1, 0);
    assert_null(km_coh_check_line(&c, 1, (enum km_line_state[]){m, i}, 2));
    assert_non_null(km_coh_check_line(&c, 1, (enum km_line_state[]){m, s}, 2));
    assert_non_null(km_coh_check_line(&c, 1, (enum km_line_state[]){s, i}, 2)); /* no write-back */
    assert_non_null(km_coh_check_line(&c, 1, (enum km_line_state[]){o, s}, 2)); /* 1 got nothing */
    km_coh_check_move(&c, 1, 0, 1);
    assert_null(km_coh_check_line(&c, 1, (enum km_line_state[]){o, s}, 2));
    km_coh_check_move(&c, 1, 0, KM_COH_BUFFER(0));
    assert_null(km_coh_check_line(&c, 1, (enum km_line_state[]){i, s}, 2));
    km_coh_check_move(&c, 1, KM_COH_BUFFER(0), KM_COH_MEMORY);
    assert_null(km_coh_check_line(&c, 1, (enum km_line_state[]){i, i}, 2));
    km_coh_check_store(&c, 1, 0);
    km_coh_check_partial(&c, 1); /* a word to memory while the rest is in a cache: lost */
    assert_non_null(km_coh_check_line(&c, 1, (enum km_line_state[]){i, i}, 2));
    assert_true(c.stores == 3 && c.checks == 12);
    km_coh_check_release(&c);
}

/* ---- cache control -----------------------------------------------------------------------------
 */

struct control {
    uint64_t flush_cycles, flush_dirty_cycles, after_flush, wbinvd_cycles, after_wbinvd;
    unsigned next;
};

static bool control_peek(void *ctx, unsigned *cpu, uint64_t *due_ns)
{
    *cpu = 0;
    *due_ns = 0;
    return !((struct control *)ctx)->next;
}

static uint64_t load_cycles(struct km_cpu *cpu, km_vaddr va)
{
    uint64_t before = cpu->local_cycles;

    km_ld32(cpu, va);
    return cpu->local_cycles - before;
}

static void control_run(void *ctx, struct km_cpu *cpu, uint64_t now_ns)
{
    struct control *c = ctx;
    uint64_t before;

    (void)now_ns;
    c->next = 1;
    km_ld32(cpu, DATA_VA);
    before = cpu->local_cycles;
    km_clflush(cpu, DATA_VA);
    c->flush_cycles = cpu->local_cycles - before;
    c->after_flush = load_cycles(cpu, DATA_VA);
    km_st32(cpu, DATA_VA, 7);
    before = cpu->local_cycles;
    km_clflush(cpu, DATA_VA + 8);
    c->flush_dirty_cycles = cpu->local_cycles - before;
    for (unsigned i = 0; i < 50; i++)
        km_st32(cpu, DATA_VA + 32 * i, i);
    before = cpu->local_cycles;
    km_wbinvd(cpu);
    c->wbinvd_cycles = cpu->local_cycles - before;
    c->after_wbinvd = load_cycles(cpu, DATA_VA + 32);
    km_st32(cpu, DATA_VA + 64, 1);
    km_invd(cpu);
    km_ld32(cpu, DATA_VA + 64);
}

static void cache_control(void **state)
{
    (void)state;
    struct km_config cfg = small_config(1, true);
    struct control c = {0};
    const struct km_program program = {.ctx = &c, .peek = control_peek, .run = control_run};
    struct km_err err = {0};
    struct km_hw_stats hw;
    struct km_window w;
    void *m;

    cfg.machine.clflush_cycles = 50;
    cfg.machine.wbinvd_cycles = 1000;
    assert_int_equal(km_window_create(&w, RAM_BYTES, RAM_BYTES, PAGE_OFFSET, &err), KM_OK);
    assert_int_equal(km_stepper_engine.create(&m, &cfg, &w, &err), KM_OK);
    assert_int_equal(km_stepper_engine.run(m, &program, &err), KM_OK);
    km_stepper_engine.stats(m, &hw);
    /* bus clocks of 7 core cycles: lookup 9, arbitration 2, snoop 4, one more; then 50 */
    assert_in_range(c.flush_cycles, 9 + 7 * 7 + 50, 9 + 6 + 7 * 7 + 50);
    assert_true(c.after_flush > 60);                                 /* from memory again */
    assert_true(c.flush_dirty_cycles >= c.flush_cycles + 4 * 7 - 6); /* the line on the bus */
    assert_in_range(c.wbinvd_cycles, 1000 + 50 * 4 * 7, 1000 + 50 * 12 * 7);
    assert_true(c.after_wbinvd > 60);
    assert_int_equal(hw.dram.writes, 51); /* one flushed, 50 written back, one dropped by INVD */
    assert_int_equal(hw.dropped_dirty, 1);
    km_stepper_engine.destroy(m);
    km_window_release(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_protocols),    cmocka_unit_test(all_hierarchies),
        cmocka_unit_test(all_replacements), cmocka_unit_test(write_policies_and_bus_locks),
        cmocka_unit_test(the_judge_sees),   cmocka_unit_test(cache_control),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
