/* SPDX-License-Identifier: MIT
 * test_sharing.c - kinds of sharing of one line by hand-made sequences of references.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "sim/top/sharing.h"

enum { LINE = 7, CYCLES = 100 };

static int setup(void **state)
{
    static struct km_sharing s;

    s = (struct km_sharing){.line_shift = 5};
    *state = &s;
    return 0;
}

static int teardown(void **state)
{
    km_sharing_release(*state);
    return 0;
}

/* `cpu` takes the line from `owners`, which hold it dirty (hitm) or clean, and then uses 4 bytes. */
static void take(struct km_sharing *s, unsigned cpu, uint32_t owners, bool hitm, bool write,
                 uint32_t byte)
{
    struct km_sharing_row *row = km_sharing_get(s, LINE, owners);

    km_sharing_transfer(row, &(struct km_sharing_event){.cpu = cpu,
                                                        .first_byte = byte,
                                                        .bytes = 4,
                                                        .owners = owners,
                                                        .hitm = hitm,
                                                        .invalidate = write,
                                                        .fetched = true,
                                                        .cycles = CYCLES});
    km_sharing_note(row, cpu, byte, 4, !write, write);
}

/* A store of a CPU that has the line shared: the others lose it. */
static void upgrade(struct km_sharing *s, unsigned cpu, uint32_t owners, uint32_t byte)
{
    struct km_sharing_row *row = km_sharing_get(s, LINE, owners);

    km_sharing_transfer(row, &(struct km_sharing_event){.cpu = cpu,
                                                        .first_byte = byte,
                                                        .bytes = 4,
                                                        .owners = owners,
                                                        .invalidate = true,
                                                        .cycles = CYCLES});
    km_sharing_note(row, cpu, byte, 4, false, true);
}

static const struct km_shared_line *line_of(struct km_sharing *s)
{
    uint32_t nr;
    const struct km_shared_line *l = km_sharing_report(s, &nr);

    assert_int_equal(nr, 1);
    assert_int_equal(l->line_pa, LINE << 5);
    return l;
}

static void expect(struct km_sharing *s, unsigned hitm, unsigned hitm_true, unsigned hitm_false,
                   unsigned inv, unsigned inv_true, unsigned inv_false)
{
    const struct km_shared_line *l = line_of(s);

    assert_int_equal(l->hitm_local, hitm);
    assert_int_equal(l->hitm_true, hitm_true);
    assert_int_equal(l->hitm_false, hitm_false);
    assert_int_equal(l->invalidations, inv);
    assert_int_equal(l->inv_true, inv_true);
    assert_int_equal(l->inv_false, inv_false);
}

/* Stores to one word in turn. Before the first transfer nobody looked. */
static void same_word(void **state)
{
    for (unsigned i = 0; i < 9; i++)
        take(*state, (i + 1) % 2, 1u << i % 2, true, true, 8);
    expect(*state, 9, 8, 0, 9, 8, 0);
    assert_int_equal(line_of(*state)->cycles_lost, 9 * CYCLES);
    assert_int_equal(line_of(*state)->cycles_true, 8 * CYCLES);
    assert_int_equal(line_of(*state)->cycles_false, 0);
    assert_int_equal(line_of(*state)->hitm_by_cpu[0], 4);
    assert_int_equal(line_of(*state)->hitm_by_cpu[1], 5);
}

static void words_of_their_own(void **state)
{
    for (unsigned i = 0; i < 9; i++)
        take(*state, (i + 1) % 2, 1u << i % 2, true, true, 8 * (i % 2));
    expect(*state, 9, 0, 8, 9, 0, 8);
    assert_int_equal(line_of(*state)->cycles_false, 8 * CYCLES);
    assert_int_equal(line_of(*state)->cycles_true, 0);
}

/* One CPU writes byte 0, the other reads byte 0 now and byte 16 then. */
static void mixed(void **state)
{
    take(*state, 1, 1, true, false, 0);  /* first */
    upgrade(*state, 0, 2, 0);            /* CPU 1 had read it: true */
    take(*state, 1, 1, true, false, 0);  /* true */
    upgrade(*state, 0, 2, 4);            /* CPU 1 had not read byte 4: false */
    take(*state, 1, 1, true, false, 16); /* false */
    upgrade(*state, 0, 2, 16);           /* true */
    expect(*state, 3, 1, 1, 3, 2, 1);
}

/* What a third CPU wrote before is new to a CPU that did not have the line since. */
static void by_way_of_another(void **state)
{
    take(*state, 1, 1, true, true, 0); /* first; CPU 1 writes byte 0 */
    take(*state, 2, 2, true, true, 8); /* not known: CPU 0 may have written byte 8; inv false */
    take(*state, 0, 4, true, false, 0); /* byte 0 is CPU 1's: true, though CPU 2 supplies it */
    expect(*state, 3, 1, 0, 2, 0, 1);
}

/* A copy that a device took away: neither HITM nor lost to a CPU. */
static void device(void **state)
{
    struct km_sharing *s = *state;

    km_sharing_dma(km_sharing_get(s, LINE, 1), 1, true, true);
    take(s, 0, 0, false, false, 0);
    km_sharing_dma(km_sharing_get(s, LINE, 1), 1, false, false);
    take(s, 0, 0, false, false, 0); /* its own miss: nobody took the line */
    expect(s, 0, 0, 0, 0, 0, 0);
    const struct km_shared_line *l = line_of(s);

    assert_int_equal(l->dma_writes, 1);
    assert_int_equal(l->dma_reads, 1);
    assert_int_equal(l->dma_hitm, 1);
    assert_int_equal(l->dma_invalidations, 1);
    assert_int_equal(l->cycles_dma, CYCLES);
    assert_int_equal(l->cycles_lost, 0);
}

/* What a CPU used before it lost the line by itself does not count any more. */
static void fetched_again(void **state)
{
    take(*state, 1, 1, true, true, 0); /* first */
    take(*state, 1, 0, false, false, 8); /* evicted, fetched again */
    take(*state, 0, 2, false, true, 0);  /* CPU 1 used byte 8 only since: false */
    expect(*state, 1, 0, 0, 2, 0, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(same_word, setup, teardown),
        cmocka_unit_test_setup_teardown(words_of_their_own, setup, teardown),
        cmocka_unit_test_setup_teardown(mixed, setup, teardown),
        cmocka_unit_test_setup_teardown(by_way_of_another, setup, teardown),
        cmocka_unit_test_setup_teardown(device, setup, teardown),
        cmocka_unit_test_setup_teardown(fetched_again, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
