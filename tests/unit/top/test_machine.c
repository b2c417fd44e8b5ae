/* SPDX-License-Identifier: MIT
 * test_machine.c - the machine as a whole: results do not depend on how it is stepped.
 *
 * The same random program (private and shared data, a lock, LOCKed adds, code, TLB invalidations)
 * runs with different quanta, engines and filters; cycles of every item, every counter, the sharing
 * table and the contents of guest memory must be the same.
 */
#include <setjmp.h>
#include <stddef.h>
#include <stdarg.h>
#include <cmocka.h>

#include "sim/top/engine_systemc.h"
#include "tests/unit/top/fixture.h"

#include <sys/wait.h>
#include <unistd.h>

static struct run_how base_case(unsigned cpus, bool pae)
{
    return (struct run_how){
        .engine = &km_stepper_engine,
        .cfg = small_config(cpus, pae),
        .items = 80,
        .refs = 320,
    };
}

static void dump(const char *what, const struct outcome *o)
{
    const struct km_hw_stats *h = &o->hw;

    print_message(
        "%s: rc %d cycles %llu refs %llu insns %llu l1d %llu/%llu r miss %llu w miss %llu "
        "l2 miss %llu dtlb %llu/%llu hitm %llu inval %llu dram %llu shared %u viol %llu %s\n",
        what, o->rc, (unsigned long long)h->cycles, (unsigned long long)h->refs,
        (unsigned long long)h->insns, (unsigned long long)h->l1d.reads,
        (unsigned long long)h->l1d.writes, (unsigned long long)h->l1d.read_misses,
        (unsigned long long)h->l1d.write_misses, (unsigned long long)h->l2.read_misses,
        (unsigned long long)h->dtlb.hits, (unsigned long long)h->dtlb.misses,
        (unsigned long long)h->bus.hitm, (unsigned long long)h->bus.invalidates,
        (unsigned long long)h->dram.reads, h->nr_shared_lines,
        (unsigned long long)h->dram.audit_violations, o->err.msg);
}

static void assert_same(const char *what, const struct outcome *a, const struct outcome *b)
{
    if (memcmp(&a->hw, &b->hw, sizeof(a->hw)) || a->memory != b->memory || a->log != b->log) {
        dump("expected", a);
        dump(what, b);
    }
    assert_int_equal(b->rc, KM_OK);
    assert_memory_equal(&a->hw, &b->hw, sizeof(a->hw));
    assert_memory_equal(a->lines, b->lines, sizeof(a->lines));
    assert_int_equal(a->log, b->log);
    assert_int_equal(a->memory, b->memory);
    assert_int_equal(a->host_order, b->host_order);
}

static void check_plausible(const struct run_how *how, const struct outcome *o)
{
    if (o->rc)
        dump("run", o);
    assert_int_equal(o->rc, KM_OK);
    assert_true(o->hw.valid);
    /* Mutual exclusion: no increment under the lock was lost. */
    assert_int_equal(o->count, how->items * (how->refs / 64));
    assert_int_equal(o->hw.dram.audit_violations, 0);
    assert_true(o->hw.refs > (uint64_t)how->items * how->refs / 2);
    assert_true(o->hw.cycles > o->hw.insns / 2 / how->cfg.machine.cpus);
    assert_int_equal(o->hw.itlb.hits + o->hw.itlb.misses, how->paging_off ? 0 : o->hw.l1i.reads);
    if (how->cfg.machine.cpus > 1) {
        assert_true(o->hw.bus.hitm > 0);
        assert_true(o->hw.bus.invalidates > 0);
        assert_true(o->hw.nr_shared_lines > 0);
    }
}

static void vary(const struct run_how *how)
{
    struct outcome base = run_random(how);
    static const uint64_t quanta[] = {0, 1, 7, 100, 5000, 1ull << 40};
    struct run_how other = *how;

    check_plausible(how, &base);
    for (size_t i = 0; i < KM_ARRAY_LEN(quanta); i++) {
        char what[40];

        other.cfg.machine.quantum_cycles = quanta[i];
        snprintf(what, sizeof(what), "quantum %llu", (unsigned long long)quanta[i]);
        struct outcome o = run_random(&other);

        assert_same(what, &base, &o);
    }
    other = *how;
    other.hot_off = true;
    struct outcome cold = run_random(&other);

    assert_same("hot filter off", &base, &cold);
}

static void quantum_and_filter_change_nothing_1cpu(void **state)
{
    (void)state;
    struct run_how how = base_case(1, false);

    vary(&how);
    how = base_case(1, true);
    how.paced = true;
    vary(&how);
}

static void quantum_and_filter_change_nothing_2cpu(void **state)
{
    (void)state;
    struct run_how how = base_case(2, true);

    vary(&how);
    how.paced = true;
    vary(&how);
}

static void quantum_and_filter_change_nothing_8cpu(void **state)
{
    (void)state;
    struct run_how how = base_case(8, false);

    how.cfg.machine.l1d.replacement = KM_REPL_PLRU;
    vary(&how);
}

static void other_geometries(void **state)
{
    (void)state;
    struct run_how how = base_case(3, true);

    how.items = 60;
    how.cfg.machine.l1d.replacement = KM_REPL_RANDOM;
    how.cfg.machine.l2.replacement = KM_REPL_FIFO;
    vary(&how);
    how.cfg.machine.l1d.write = KM_WRITE_THROUGH; /* as NetBurst */
    vary(&how);
    how.cfg.machine.l1d.allocate = false;
    vary(&how);
    how = base_case(2, false);
    how.cfg.machine.tlb_unified = true;
    how.cfg.machine.stlb = (struct km_tlb_config){.entries_4k = 64, .ways_4k = 4, .miss_cycles = 7};
    how.cfg.machine.dtlb.entries_large = 0; /* large pages share the entries */
    struct outcome o = run_random(&how);

    assert_int_equal(o.rc, KM_OK);
    struct run_how slow = how;

    slow.cfg.machine.quantum_cycles = 0;
    slow.hot_off = true;
    struct outcome p = run_random(&slow);

    assert_same("unified TLB, quantum 0, filter off", &o, &p);
    how = base_case(2, false);
    how.cfg.machine.l2.shared = true;
    how.cfg.machine.dram.page = KM_DRAM_CLOSED;
    vary(&how);
    how = base_case(2, false);
    how.paging_off = true;
    how.cfg.machine.l3 = how.cfg.machine.l2;
    how.cfg.machine.l3.size_bytes = 65536;
    how.cfg.machine.l3.latency_cycles = 30;
    vary(&how);
}

/* Shootdowns among all CPUs, cache control and control registers in between. */
static void rare_operations(void **state)
{
    (void)state;
    for (unsigned cpus = 1; cpus <= 8; cpus += cpus == 1 ? 2 : 5) {
        struct run_how how = base_case(cpus, cpus != 3);
        struct km_machine_config *m = &how.cfg.machine;

        how.items = 40;
        how.rare = true;
        how.paced = cpus == 3;
        m->write_protect = m->global_pages = m->nx = m->pat = true;
        m->ipi_send_cycles = 50;
        m->ipi_latency_cycles = 200;
        m->ipi_handler_cycles = 400;
        m->lazy_tlb = cpus == 3;
        m->pde_cache = 4;
        m->clflush_cycles = 30;
        vary(&how);
        struct outcome o = run_random(&how);

        assert_int_equal(o.hw.shootdown.taken, o.hw.shootdown.ipis);
        assert_int_equal(o.hw.shootdown.ipis > 20, cpus > 1);
        assert_int_equal(o.hw.shootdown.lazy > 0, cpus == 3);
        assert_true(o.hw.shootdown.wait_cycles >= o.hw.shootdown.ipis / 7 * 200);
    }
}

/* Store buffers, fill buffers and every prefetcher. */
static void stores_and_prefetches(void **state)
{
    (void)state;
    for (unsigned kind = 0; kind <= KM_PREFETCH_STRIDE; kind++) {
        struct run_how how = base_case(kind == 1 ? 1 : 3, kind & 1);
        struct km_machine_config *m = &how.cfg.machine;

        how.items = 40;
        how.rare = kind == KM_PREFETCH_STREAM;
        m->store_buffer = kind == KM_PREFETCH_NEXT ? 0 : 1 + 5 * kind;
        m->fill_buffers = 1 + kind;
        m->prefetch = (int)kind;
        m->prefetch_degree = 1 + kind;
        m->coherence = (enum km_coherence)(kind % 3);
        if (kind == KM_PREFETCH_STRIDE)
            m->l2.inclusion = KM_INCLUSIVE;
        if (kind == KM_PREFETCH_ADJACENT) {
            m->l1d.write = KM_WRITE_THROUGH;
            m->l1d.allocate = false;
        }
        vary(&how);
        struct outcome o = run_random(&how);

        assert_int_equal(o.hw.prefetch.issued > 0, kind != KM_PREFETCH_NONE);
        assert_true(o.hw.prefetch.useful <= o.hw.prefetch.issued);
        assert_int_equal(o.hw.buffers.stores > 0, m->store_buffer != 0);
    }
}

/* Runs in a child: the SystemC kernel cannot restart. */
static struct outcome run_in_child(const struct run_how *how)
{
    struct outcome o;
    int fd[2];

    memset(&o, 0, sizeof(o));
    assert_int_equal(pipe(fd), 0);
    fflush(NULL);
    pid_t pid = fork();

    if (pid == 0) {
        o = run_random(how);
        ssize_t n = write(fd[1], &o, sizeof(o));

        _exit(n == (ssize_t)sizeof(o) ? 0 : 1);
    }
    close(fd[1]);
    size_t got = 0;

    while (got < sizeof(o)) {
        ssize_t n = read(fd[0], (char *)&o + got, sizeof(o) - got);

        if (n <= 0)
            break;
        got += (size_t)n;
    }
    close(fd[0]);
    int status;

    waitpid(pid, &status, 0);
    assert_int_equal(got, sizeof(o));
    assert_int_equal(status, 0);
    return o;
}

static void engines_agree(void **state)
{
    (void)state;
    for (unsigned cpus = 1; cpus <= 4; cpus++) {
        struct run_how how = base_case(cpus, cpus & 1);

        how.paced = cpus == 3;
        how.rare = cpus >= 3;
        how.cfg.machine.store_buffer = cpus == 4 ? 8 : 0;
        struct outcome step = run_random(&how);

        check_plausible(&how, &step);
        how.engine = &km_systemc_engine;
        struct outcome sc = run_in_child(&how);

        assert_same("SystemC", &step, &sc);
        how.cfg.machine.quantum_cycles = 0;
        sc = run_in_child(&how);
        assert_same("SystemC, quantum 0", &step, &sc);
    }
}

static void timing_off_leaves_the_same_memory(void **state)
{
    (void)state;
    struct run_how how = base_case(1, true);
    struct outcome timed = run_random(&how);

    how.cfg.timing = KM_TIMING_OFF;
    struct outcome null = run_random(&how);

    assert_int_equal(timed.rc, KM_OK);
    assert_int_equal(null.rc, KM_OK);
    assert_false(null.hw.valid);
    assert_int_equal(timed.memory, null.memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quantum_and_filter_change_nothing_1cpu),
        cmocka_unit_test(quantum_and_filter_change_nothing_2cpu),
        cmocka_unit_test(quantum_and_filter_change_nothing_8cpu),
        cmocka_unit_test(other_geometries),
        cmocka_unit_test(rare_operations),
        cmocka_unit_test(stores_and_prefetches),
        cmocka_unit_test(engines_agree),
        cmocka_unit_test(timing_off_leaves_the_same_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
