/* SPDX-License-Identifier: MIT
 * test_record.c - the record port and the lock primitives on it and on the null port.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "models/cpu/record.h"

#include <stdlib.h>

static void every_reference_is_recorded(void **state)
{
    (void)state;
    uint32_t memory[64] = {0};
    struct km_record_entry entries[8];
    struct km_recorder rec;
    struct km_cpu cpu;
    struct km_site site = {"f", 0, 64};

    km_cpu_init_record(&cpu, 2, (uint8_t *)memory, &rec, entries, 8);
    km_st32(&cpu, 16, 7);
    assert_int_equal(km_ld32(&cpu, 16), 7);
    assert_int_equal(km_rmw32(&cpu, 16, KM_RMW_ADD, 5, 0), 7);
    km_st8(&cpu, 3, 9);
    km_touch(&cpu, 64, 100, KM_REF_STORE);
    km_exec(&cpu, &site, 10);
    km_invlpg(&cpu, 0x1000);
    km_sync(&cpu); /* no such operation: nothing happens */
    static const struct km_record_entry want[] = {
        {16, 4, KM_REF_STORE}, {16, 4, KM_REF_LOAD},    {16, 4, KM_REF_RMW},
        {3, 1, KM_REF_STORE},  {64, 100, KM_REF_STORE},
    };

    assert_int_equal(rec.nr, 5);
    for (unsigned i = 0; i < 5; i++) {
        assert_int_equal(entries[i].va, want[i].va);
        assert_int_equal(entries[i].bytes, want[i].bytes);
        assert_int_equal(entries[i].kind, want[i].kind);
    }
    assert_int_equal(memory[4], 12);
    assert_int_equal(rec.execs, 1);
    assert_int_equal(rec.invlpgs, 1);
    assert_int_equal(cpu.insns, 10);
    km_recorder_reset(&rec);
    for (unsigned i = 0; i < 10; i++)
        km_ld16(&cpu, 2 * i);
    assert_int_equal(rec.nr, 8);
    assert_int_equal(rec.lost, 2);
}

static void locks_and_rmw(void **state)
{
    (void)state;
    uint32_t memory[8] = {0};
    struct km_cpu a, b;

    km_cpu_init_null(&a, 0, (uint8_t *)memory);
    km_cpu_init_null(&b, 1, (uint8_t *)memory);
    km_lock(&a, 4);
    assert_int_equal(memory[1], 1);
    assert_false(km_trylock(&b, 4));
    km_unlock(&a, 4);
    assert_true(km_trylock(&b, 4));
    assert_int_equal(memory[1], 2);
    km_unlock(&b, 4);
    assert_int_equal(km_rmw32(&a, 8, KM_RMW_OR, 6, 0), 0);
    assert_int_equal(km_rmw32(&a, 8, KM_RMW_AND, 3, 0), 6);
    assert_int_equal(km_rmw32(&a, 8, KM_RMW_XCHG, 9, 0), 2);
    assert_int_equal(km_rmw32(&a, 8, KM_RMW_CAS, 1, 5), 9);
    assert_int_equal(km_rmw32(&a, 8, KM_RMW_CAS, 9, 5), 9);
    assert_int_equal(memory[2], 5);
    assert_int_equal(a.local_cycles, 0); /* no ops: no counter moves */
    assert_int_equal(a.insns, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_reference_is_recorded),
        cmocka_unit_test(locks_and_rmw),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
