/* SPDX-License-Identifier: MIT
 * test_device.c - devices on the machine's bus: exactness, coherence, hazards, interrupts, latency.
 */
#include <setjmp.h>
#include <stddef.h>
#include <stdarg.h>
#include <cmocka.h>

#include "sim/top/engine_systemc.h"
#include "tests/unit/top/fixture.h"

#include <sys/wait.h>
#include <unistd.h>

static struct run_how noisy(unsigned cpus)
{
    return (struct run_how){.engine = &km_stepper_engine,
                            .cfg = small_config(cpus, true),
                            .items = 60,
                            .refs = 200,
                            .device_ps = 400000};
}

static void assert_same(const struct outcome *a, const struct outcome *b)
{
    assert_int_equal(b->rc, KM_OK);
    assert_memory_equal(&a->hw, &b->hw, sizeof(a->hw));
    assert_memory_equal(a->lines, b->lines, sizeof(a->lines));
    assert_int_equal(a->log, b->log);
    assert_int_equal(a->memory, b->memory);
    assert_int_equal(a->host_order, b->host_order);
}

/* Whatever the quantum and the filter: the same accesses at the same time with the same values. */
static void quantum_and_filter_change_nothing(void **state)
{
    (void)state;
    static const uint64_t quanta[] = {0, 7, 1000, 1ull << 40};

    for (unsigned cpus = 1; cpus <= 4; cpus += 3) {
        struct run_how how = noisy(cpus);

        for (unsigned paced = 0; paced < 2; paced++) {
            how.paced = paced;
            how.hot_off = false;
            how.cfg.machine.quantum_cycles = 100;
            struct outcome first = run_random(&how);

            assert_int_equal(first.rc, KM_OK);
            assert_int_equal(first.hw.nr_devices, 1);
            assert_true(first.hw.device[0].reads > 50 && first.hw.device[0].writes > 50);
            assert_true(first.hw.device[0].interrupts > 10);
            assert_true(first.hw.device[0].snoop_hits > 5);
            for (size_t i = 0; i < KM_ARRAY_LEN(quanta); i++) {
                how.cfg.machine.quantum_cycles = quanta[i];
                how.hot_off = i % 2;
                struct outcome other = run_random(&how);

                assert_same(&first, &other);
            }
        }
    }
}

/* One SystemC machine per process. */
static void engines_agree(void **state)
{
    (void)state;
    struct run_how how = noisy(2);
    struct outcome step = run_random(&how);
    pid_t pid = fork();

    if (!pid) {
        how.engine = &km_systemc_engine;
        struct outcome sc = run_random(&how);

        _exit(sc.rc || memcmp(&step.hw, &sc.hw, sizeof(sc.hw)) || step.memory != sc.memory ||
              step.log != sc.log || step.host_order != sc.host_order);
    }
    int status = -1;

    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

/* ---- one device, one CPU, by hand --------------------------------------------------------------- */

struct scripted {
    struct km_device_next act[4];
    uint64_t end_ps[4];
    unsigned next, nr;
};

static void script_next(const void *dev, struct km_device_next *n)
{
    const struct scripted *s = dev;

    *n = s->next < s->nr ? s->act[s->next] : (struct km_device_next){.at_ps = KM_NEVER};
}

static void script_done(void *dev, uint64_t begin_ps, uint64_t end_ps, uint8_t *data)
{
    struct scripted *s = dev;

    (void)begin_ps;
    if (s->act[s->next].act == KM_DEVICE_WRITE && data)
        memset(data, 0x5a, s->act[s->next].bytes);
    s->end_ps[s->next++] = end_ps;
}

static const struct km_device_ops script_ops = {"script", script_next, script_done};

struct waiting {
    unsigned ran, interrupts;
    uint64_t interrupt_ns, handled_ns, handled_cycle;
    bool pending;
    uint32_t value;
};

/* Item 0 dirties a line; then nothing until the interrupt's item. */
static bool waiting_peek(void *ctx, unsigned *cpu, uint64_t *due_ns)
{
    const struct waiting *w = ctx;

    *cpu = 0;
    *due_ns = !w->ran ? 0 : w->pending ? w->interrupt_ns : KM_NEVER;
    return w->ran < 2;
}

static void waiting_run(void *ctx, struct km_cpu *cpu, uint64_t now_ns)
{
    struct waiting *w = ctx;

    if (w->ran++ == 0) {
        km_st32(cpu, DATA_VA, 1);
        return;
    }
    w->handled_ns = now_ns;
    w->handled_cycle = cpu->local_cycles;
    w->value = km_ld32(cpu, DATA_VA);
}

static void waiting_interrupt(void *ctx, unsigned device, unsigned line, uint64_t now_ns)
{
    struct waiting *w = ctx;

    assert_int_equal(device, 0);
    assert_int_equal(line, 11);
    w->pending = true;
    w->interrupts++;
    w->interrupt_ns = now_ns;
}

static struct km_hw_stats run_script(struct scripted *s, struct waiting *w, bool snooped, int *rc)
{
    struct km_config cfg = small_config(1, true);
    struct km_window win;
    struct km_err err;
    struct km_hw_stats hw;
    void *m = NULL;
    const struct km_program program = {w, waiting_peek, waiting_run, waiting_interrupt, NULL};

    cfg.machine.dram.refresh = false;
    assert_int_equal(km_window_create(&win, RAM_BYTES, RAM_BYTES, PAGE_OFFSET, &err), KM_OK);
    if (km_stepper_engine.create(&m, &cfg, &win, &err))
        fail_msg("%s", err.msg);
    assert_int_equal(km_stepper_engine.attach(m, &script_ops, s, snooped), 0);
    km_stepper_engine.poke(m, 0);
    *rc = km_stepper_engine.run(m, &program, &err);
    km_stepper_engine.stats(m, &hw);
    hw.shared_line = NULL;
    km_stepper_engine.destroy(m);
    km_window_release(&win);
    return hw;
}

#define US 1000000ull

/* The CPU has the line dirty: the device reads it from there, then takes it away by writing. */
static void dirty_lines_are_found(void **state)
{
    (void)state;
    struct scripted s = {.act = {{KM_DEVICE_READ, 10 * US, DATA_VA - PAGE_OFFSET, 32, 0},
                                 {KM_DEVICE_WRITE, 20 * US, DATA_VA - PAGE_OFFSET, 32, 0},
                                 {KM_DEVICE_INTERRUPT, 30 * US, 0, 0, 11}},
                         .nr = 3};
    struct waiting w = {0};
    int rc;
    struct km_hw_stats hw = run_script(&s, &w, true, &rc);

    assert_int_equal(rc, KM_OK);
    assert_int_equal(hw.device[0].hitm, 1);
    assert_int_equal(hw.device[0].snoop_hits, 2);
    assert_int_equal(hw.l1d.read_misses, 1); /* the handler's load: the line is gone */
    assert_int_equal(w.value, 0x5a5a5a5a);
    assert_int_equal(hw.device[0].stale_reads + hw.device[0].stale_writes, 0);
    /* The interrupt came at 30 us, to the cycle, and was handled at once. */
    assert_int_equal(w.interrupts, 1);
    assert_int_equal(w.handled_ns, 30000);
    assert_int_equal(w.handled_cycle, 30 * 700);
    /* Idle bus: request at 10 us; 2 + 4 clocks to the snoop, 4 more for the owner, one word: 11 clocks of 10 ns. */
    assert_int_equal(s.end_ps[0], 10 * US + 110000);
}

/* The same past the caches: memory is old for the read, the cache for the write. */
static void hazards_of_devices_past_the_caches(void **state)
{
    (void)state;
    struct scripted s = {.act = {{KM_DEVICE_READ, 10 * US, DATA_VA - PAGE_OFFSET, 32, 0},
                                 {KM_DEVICE_WRITE, 20 * US, DATA_VA - PAGE_OFFSET, 32, 0},
                                 {KM_DEVICE_READ, 25 * US, DATA_VA - PAGE_OFFSET + 4096, 32, 0},
                                 {KM_DEVICE_INTERRUPT, 30 * US, 0, 0, 11}},
                         .nr = 4};
    struct waiting w = {0};
    int rc;
    struct km_hw_stats hw = run_script(&s, &w, false, &rc);

    assert_int_equal(rc, KM_OK);
    assert_int_equal(hw.device[0].stale_reads, 1);
    assert_int_equal(hw.device[0].stale_writes, 1);
    assert_int_equal(hw.device[0].hitm, 0);
    assert_int_equal(hw.l1d.read_misses, 0); /* the old copy is still there */
}

/* A device that never interrupts a program that waits for it: the run ends with the watchdog. */
static void nothing_comes(void **state)
{
    (void)state;
    struct scripted s = {.act = {{KM_DEVICE_TICK, 10 * US, 0, 0, 0}}, .nr = 1};
    struct waiting w = {0};
    int rc;

    run_script(&s, &w, true, &rc);
    assert_int_equal(rc, KM_E_WATCHDOG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(engines_agree), /* first: forks before anything else ran */
        cmocka_unit_test(quantum_and_filter_change_nothing),
        cmocka_unit_test(dirty_lines_are_found),
        cmocka_unit_test(hazards_of_devices_past_the_caches),
        cmocka_unit_test(nothing_comes),
    };

    return cmocka_run_group_tests_name("top/device", tests, NULL, NULL);
}
