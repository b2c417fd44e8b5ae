/* SPDX-License-Identifier: MIT
 * test_highmem.c - pkmap slots, kmap_local stacks, the rules of both, and a real machine's
 * addresses.
 *
 * With a file name as argument the replay reads that file of the same format instead of tests/data.
 */
#include "tests/unit/os/vmem_fixture.h"

#include "models/os/highmem.h"
#include "tests/unit/os/rounds.h"

#define PKMAP 0xff400000u
#define FIXMAP 0xfffbb000u

enum { SLOTS = 512, TASKS = 64 };

static const char *data_file = KM_SOURCE_DIR "/tests/data/kmap-local-pae-2g.txt";

struct high {
    struct vmem *m;
    struct km_highmem h;
    km_vaddr task[TASKS];
    unsigned complaints, flushes;
};

static void complain(void *ctx, const struct km_cpu *cpu, enum km_kmap_result what, km_vaddr va)
{
    struct high *t = ctx;

    (void)cpu, (void)what, (void)va;
    t->complaints++;
}

static void count_flush(void *ctx, struct km_cpu *cpu, km_vaddr lo, km_vaddr hi)
{
    struct high *t = ctx;

    (void)cpu;
    assert_int_equal(lo, PKMAP);
    assert_int_equal(hi, PKMAP + SLOTS * 4096);
    t->flushes++;
}

static void high_open(struct high *t, struct km_os *os, bool tables)
{
    memset(t, 0, sizeof(*t));
    t->m = vmem_open();
    struct km_highmem_params p = {.slab = &t->m->slab,
                                  .pt = tables ? &t->m->pt : NULL,
                                  .pkmap_base = PKMAP,
                                  .pkmap_slots = SLOTS,
                                  .fixmap_top = FIXMAP,
                                  .misuse = complain,
                                  .flush_tlb = count_flush,
                                  .ctx = t};

    if (tables)
        p.hook = t->m->v.p.hook;
    if (os) {
        *os = t->m->g.os;
        os->p.max_low_pfn = 225278;
    }
    assert_true(km_highmem_init(&t->h, os ? os : &t->m->g.os, &t->m->g.cpu[0], &p));
    for (unsigned i = 0; i < TASKS; i++) {
        t->task[i] = km_kzalloc(&t->m->slab, &t->m->g.cpu[0], KM_KMAP_TASK_BYTES, KM_GFP_KERNEL);
        memset(t->m->w.base + t->task[i], 0, KM_KMAP_TASK_BYTES);
    }
}

static void high_check(struct high *t)
{
    const char *why = km_highmem_check(&t->h, t->m->w.base);

    if (why)
        fail_msg("highmem: %s", why);
}

static km_vaddr kmap_ok(struct high *t, km_pfn pfn)
{
    enum km_kmap_result why;
    km_vaddr va = km_kmap(&t->h, &t->m->g.cpu[0], t->task[0], pfn, false, &why);

    assert_int_equal(why, KM_KMAP_OK);
    return va;
}

static km_pfn high_page(struct high *t)
{
    km_pfn pfn = km_alloc_pages(&t->m->g.os, &t->m->g.cpu[0], KM_GFP_HIGHUSER, 0);

    assert_true(pfn >= GUEST_LOW_PFN && pfn < GUEST_MAX_PFN);
    return pfn;
}

/*  slot:  0   1   2   3 ...            a is mapped at 1, b at 2; unmapped but not flushed, a is
 * found again  */
static void kmap_keeps_the_mapping_of_an_unused_slot(void **state)
{
    (void)state;
    struct high t;

    high_open(&t, NULL, true);
    struct km_cpu *cpu = &t.m->g.cpu[0];
    km_pfn a = high_page(&t), b = high_page(&t);
    km_vaddr va = kmap_ok(&t, a);

    assert_int_equal(va, PKMAP + 4096);
    assert_int_equal(kmap_ok(&t, b), PKMAP + 2 * 4096);
    km_st32(cpu, va, 0x1234);
    assert_int_equal(*(uint32_t *)(t.m->w.phys + ((km_paddr)a << 12)), 0x1234);
    assert_int_equal(kmap_ok(&t, a), va); /* two users now */
    assert_int_equal(km_kunmap(&t.h, cpu, a, false), KM_KMAP_OK);
    assert_int_equal(km_kunmap(&t.h, cpu, a, false), KM_KMAP_WAKE);
    assert_int_equal(km_pgtable_peek(&t.m->pt, t.m->w.base, va), a); /* still there */
    assert_int_equal(kmap_ok(&t, a), va);
    assert_int_equal(km_kunmap(&t.h, cpu, a, false), KM_KMAP_WAKE);
    assert_int_equal(km_kunmap(&t.h, cpu, a, false), KM_KMAP_NOT_MAPPED);
    assert_int_equal(t.complaints, 1);
    assert_int_equal(kmap_ok(&t, 0x1500), km_pfn_to_va(&t.m->g.os, 0x1500)); /* low */
    high_check(&t);
    km_kmap_flush_unused(&t.h, cpu);
    assert_int_equal(km_pgtable_peek(&t.m->pt, t.m->w.base, va), KM_PFN_NONE);
    assert_int_equal(km_highmem_page_address(&t.h, cpu, a), 0);
    assert_int_equal(km_highmem_page_address(&t.h, cpu, b), PKMAP + 2 * 4096);
    high_check(&t);
    vmem_close(t.m);
}

/* 511 slots (1..511) are handed out, the wrap flushes the unused ones once, slot 0 follows; when
 * all 512 are in use the caller would sleep, and after one kunmap it gets that slot. */
static void kmap_wraps_flushes_and_fills_up(void **state)
{
    (void)state;
    struct high t;
    km_pfn pfn[SLOTS + 1];
    enum km_kmap_result why;

    high_open(&t, NULL, true);
    struct km_cpu *cpu = &t.m->g.cpu[0];

    for (unsigned i = 0; i <= SLOTS; i++)
        pfn[i] = high_page(&t);
    for (unsigned i = 0; i < SLOTS - 1; i++)
        assert_int_equal(kmap_ok(&t, pfn[i]), PKMAP + (i + 1) * 4096);
    assert_int_equal(km_kunmap(&t.h, cpu, pfn[6], false), KM_KMAP_WAKE);
    assert_int_equal(t.flushes, 0);
    assert_int_equal(kmap_ok(&t, pfn[SLOTS - 1]), PKMAP); /* wrapped */
    assert_int_equal(t.flushes, 1);
    assert_int_equal(kmap_ok(&t, pfn[SLOTS]), PKMAP + 7 * 4096); /* the only free one */
    assert_int_equal(km_kmap(&t.h, cpu, t.task[0], pfn[6], false, &why), 0);
    assert_int_equal(why, KM_KMAP_WOULD_SLEEP);
    high_check(&t);
    assert_int_equal(km_kunmap(&t.h, cpu, pfn[3], false), KM_KMAP_WAKE);
    assert_int_equal(kmap_ok(&t, pfn[6]), PKMAP + 4 * 4096);
    assert_int_equal(t.flushes, 2);
    assert_int_equal(t.complaints, 0);
    high_check(&t);
    vmem_close(t.m);
}

static void sleeping_rules(void **state)
{
    (void)state;
    struct high t;
    enum km_kmap_result why;

    high_open(&t, NULL, true);
    struct km_cpu *cpu = &t.m->g.cpu[0];
    km_pfn a = high_page(&t), b = high_page(&t);
    km_vaddr va = km_kmap_atomic(&t.h, cpu, t.task[0], a, &why);

    assert_int_equal(va, FIXMAP);
    assert_int_equal(km_kmap(&t.h, cpu, t.task[0], b, false, &why), 0);
    assert_int_equal(why, KM_KMAP_ATOMIC_SLEEP);
    assert_int_equal(km_kmap(&t.h, cpu, t.task[1], b, true, &why), 0);
    assert_int_equal(why, KM_KMAP_IN_INTERRUPT);
    assert_int_equal(km_kunmap(&t.h, cpu, b, true), KM_KMAP_IN_INTERRUPT);
    assert_int_equal(t.complaints, 3);
    /* Local mappings do not forbid sleeping, atomic ones do, whatever page they are for. */
    assert_int_equal(km_kunmap_atomic(&t.h, cpu, t.task[0], va), KM_KMAP_OK);
    assert_int_equal(km_kunmap_atomic(&t.h, cpu, t.task[0], va), KM_KMAP_UNBALANCED);
    va = km_kmap_local(&t.h, cpu, t.task[0], a, &why);
    assert_true(km_kmap_may_sleep(cpu, t.task[0]));
    assert_int_equal(km_kunmap_local(&t.h, cpu, t.task[0], va + 0x123), KM_KMAP_OK);
    va = km_kmap_atomic(&t.h, cpu, t.task[0], 0x1500, &why);
    assert_int_equal(va, km_pfn_to_va(&t.m->g.os, 0x1500));
    assert_false(km_kmap_may_sleep(cpu, t.task[0]));
    assert_int_equal(km_kunmap_atomic(&t.h, cpu, t.task[0], va), KM_KMAP_OK);
    vmem_close(t.m);
}

static void local_mappings_nest_strictly(void **state)
{
    (void)state;
    struct high t;
    enum km_kmap_result why;
    km_vaddr va[16];

    high_open(&t, NULL, true);
    struct km_cpu *cpu = &t.m->g.cpu[1];
    km_pfn pfn = high_page(&t);

    for (unsigned i = 0; i < 16; i++) {
        va[i] = km_kmap_local(&t.h, cpu, t.task[0], pfn, &why);
        assert_int_equal(va[i], FIXMAP - (16 + i) * 4096);
    }
    assert_int_equal(km_kmap_local(&t.h, cpu, t.task[0], pfn, &why), 0);
    assert_int_equal(why, KM_KMAP_NO_SLOT);
    assert_int_equal(km_kunmap_local(&t.h, cpu, t.task[0], va[14]), KM_KMAP_ORDER);
    /* Another task on this CPU starts at the first slot; the mappings of the one return with it. */
    km_kmap_sched_out(&t.h, cpu, t.task[0]);
    assert_int_equal(km_pgtable_peek(&t.m->pt, t.m->w.base, va[3]), KM_PFN_NONE);
    km_pfn other = high_page(&t);

    assert_int_equal(km_kmap_local(&t.h, cpu, t.task[1], other, &why), va[0]);
    assert_int_equal(km_kunmap_local(&t.h, cpu, t.task[1], va[0]), KM_KMAP_OK);
    assert_true(km_kmap_sched_in(&t.h, cpu, t.task[0]));
    for (unsigned i = 16; i--;) {
        assert_int_equal(km_pgtable_peek(&t.m->pt, t.m->w.base, va[i]), pfn);
        assert_int_equal(km_kunmap_local(&t.h, cpu, t.task[0], va[i]), KM_KMAP_OK);
        assert_int_equal(km_pgtable_peek(&t.m->pt, t.m->w.base, va[i]), KM_PFN_NONE);
    }
    assert_int_equal(km_kunmap_local(&t.h, cpu, t.task[0], va[0]), KM_KMAP_UNBALANCED);
    assert_int_equal(t.complaints, 3);
    assert_int_equal(t.h.stats.local_deepest, 16);
    vmem_close(t.m);
}

/* Random kmap and kunmap against a table of users per page. */
static void random_kmaps(void **state)
{
    (void)state;
    struct high t;
    km_pfn pfn[700];
    unsigned users[700] = {0}, in_use = 0;
    struct km_prng p = {.state = 3};
    enum km_kmap_result why;

    high_open(&t, NULL, true);
    for (unsigned i = 0; i < 700; i++)
        pfn[i] = high_page(&t);
    for (unsigned step = 0; step < test_rounds(20000); step++) {
        struct km_cpu *cpu = &t.m->g.cpu[km_prng_below(&p, GUEST_CPUS)];
        unsigned i = km_prng_below(&p, 700);

        if (km_prng_below(&p, 700) < (step / 4000 % 2 ? 200u : 500u)) {
            km_vaddr va = km_kmap(&t.h, cpu, t.task[0], pfn[i], false, &why);

            if (why == KM_KMAP_WOULD_SLEEP) {
                assert_int_equal(in_use, SLOTS);
                continue;
            }
            in_use += users[i]++ == 0;
            assert_int_equal(km_pgtable_peek(&t.m->pt, t.m->w.base, va), pfn[i]);
        } else if (users[i]) {
            bool last = --users[i] == 0;

            in_use -= last;
            assert_int_equal(km_kunmap(&t.h, cpu, pfn[i], false), last ? KM_KMAP_WAKE : KM_KMAP_OK);
        }
        high_check(&t);
    }
    assert_true(t.h.stats.would_sleep > 0 && t.h.stats.kmap_hits > 0 && t.flushes > 0);
    assert_int_equal(t.complaints, 0);
    vmem_close(t.m);
}

/* Every address a real kernel unmaps is the one the model handed out. */
static void replays_a_real_machine(void **state)
{
    (void)state;
    struct high t;
    struct km_os os;
    unsigned maps = 0, unmaps = 0, same = 0, cpu, task, value;
    enum km_kmap_result why;
    char line[128], what;
    FILE *f = fopen(data_file, "r");

    assert_non_null(f);
    high_open(&t, &os, false);
    while (fgets(line, sizeof(line), f)) {
        if (sscanf(line, "%c %u %u %x", &what, &cpu, &task, &value) != 4)
            continue;
        assert_true(cpu < GUEST_CPUS && task < TASKS);
        if (what == 'm') {
            assert_int_not_equal(km_kmap_local(&t.h, &t.m->g.cpu[cpu], t.task[task], value, &why),
                                 0);
            maps++;
        } else {
            same += km_kunmap_local(&t.h, &t.m->g.cpu[cpu], t.task[task], value) == KM_KMAP_OK;
            unmaps++;
        }
    }
    fclose(f);
    print_message("%u mappings, %u of %u unmapped addresses are the model's, %u deep\n", maps, same,
                  unmaps, t.h.stats.local_deepest);
    assert_true(unmaps >= 700);
    assert_int_equal(same, unmaps);
    vmem_close(t.m);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kmap_keeps_the_mapping_of_an_unused_slot),
        cmocka_unit_test(kmap_wraps_flushes_and_fills_up),
        cmocka_unit_test(sleeping_rules),
        cmocka_unit_test(local_mappings_nest_strictly),
        cmocka_unit_test(random_kmaps),
        cmocka_unit_test(replays_a_real_machine),
    };

    if (argc > 1)
        data_file = argv[1];
    return cmocka_run_group_tests(tests, NULL, NULL);
}
