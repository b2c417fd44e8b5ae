/* SPDX-License-Identifier: MIT
 * test_tlb.c - TLB lookup, LRU, page sizes and invalidation.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "models/mmu/tlb.h"

static void put(struct km_tlb *t, uint64_t va, unsigned shift, uint64_t pa, uint64_t stamp)
{
    struct km_tlb_entry *e = km_tlb_victim(t, va, shift);

    *e = (struct km_tlb_entry){.vpn = va >> shift,
                               .frame = pa >> shift,
                               .stamp = stamp,
                               .shift = (uint8_t)shift,
                               .writable = true};
}

/* 2 sets x 2 ways. Pages 0, 2, 4 fall into set 0: [0 2]; 0 is used again, so 4 replaces 2. */
static void set_associative_lru(void **state)
{
    (void)state;
    struct km_tlb_geom g = {.entries_4k = 4, .ways_4k = 2};
    struct km_tlb_entry mem[4];
    struct km_tlb t;

    assert_null(km_tlb_check(&g));
    km_tlb_init(&t, &g, 22, mem);
    assert_null(km_tlb_find(&t, 0));
    put(&t, 0x0000, 12, 0x7000, 1);
    put(&t, 0x2000, 12, 0x8000, 2);
    put(&t, 0x1000, 12, 0x9000, 3); /* set 1 */
    km_tlb_find(&t, 0)->stamp = 4;
    put(&t, 0x4000, 12, 0xa000, 5);
    assert_non_null(km_tlb_find(&t, 0x0fff));
    assert_null(km_tlb_find(&t, 0x2000));
    assert_int_equal(km_tlb_translate(km_tlb_find(&t, 0x4123), 0x4123), 0xa123);
    assert_int_equal(km_tlb_translate(km_tlb_find(&t, 0x1abc), 0x1abc), 0x9abc);
}

static void large_pages_apart_or_shared(void **state)
{
    (void)state;
    struct km_tlb_geom apart = {.entries_4k = 4, .ways_4k = 4, .entries_large = 2};
    struct km_tlb_geom shared = {.entries_4k = 2};
    struct km_tlb_entry mem[8];
    struct km_tlb t;

    assert_int_equal(km_tlb_entries(&apart), 6);
    km_tlb_init(&t, &apart, 22, mem);
    for (uint64_t i = 0; i < 3; i++)
        put(&t, 0xc0000000 + (i << 22), 22, i << 22, i);
    assert_null(km_tlb_find(&t, 0xc0000000)); /* two large entries only */
    assert_int_equal(km_tlb_translate(km_tlb_find(&t, 0xc0812345), 0xc0812345), 0x812345);
    km_tlb_init(&t, &shared, 21, mem);
    put(&t, 0xc0000000, 21, 0, 1);
    put(&t, 0x1000, 12, 0x5000, 2);
    assert_non_null(km_tlb_find(&t, 0xc01fffff));
    assert_non_null(km_tlb_find(&t, 0x1000));
    put(&t, 0x2000, 12, 0x6000, 3); /* replaces the older large entry */
    assert_null(km_tlb_find(&t, 0xc0000000));
}

static void invlpg_and_cr3(void **state)
{
    (void)state;
    struct km_tlb_geom g = {.entries_4k = 4};
    struct km_tlb_entry mem[4];
    struct km_tlb t;

    km_tlb_init(&t, &g, 22, mem);
    put(&t, 0x1000, 12, 0x1000, 1);
    put(&t, 0x2000, 12, 0x2000, 2);
    put(&t, 0x3000, 12, 0x3000, 3);
    km_tlb_find(&t, 0x2000)->global = true;
    assert_non_null(km_tlb_invalidate(&t, 0x1234));
    assert_null(km_tlb_invalidate(&t, 0x1234));
    km_tlb_flush(&t, true); /* MOV CR3 keeps global entries */
    assert_null(km_tlb_find(&t, 0x3000));
    assert_non_null(km_tlb_find(&t, 0x2000));
    assert_non_null(km_tlb_invalidate(&t, 0x2000)); /* INVLPG does not */
    assert_int_equal(t.flushes, 1);
}

static void impossible_geometries(void **state)
{
    (void)state;
    struct km_tlb_geom g = {.entries_4k = 48, .ways_4k = 4}; /* 12 sets */

    assert_non_null(km_tlb_check(&g));
    g.ways_4k = 0; /* 48 fully associative entries are fine */
    assert_null(km_tlb_check(&g));
    g = (struct km_tlb_geom){.entries_large = 8};
    assert_non_null(km_tlb_check(&g));
    g = (struct km_tlb_geom){.entries_4k = 10, .ways_4k = 4};
    assert_non_null(km_tlb_check(&g));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(set_associative_lru),
        cmocka_unit_test(large_pages_apart_or_shared),
        cmocka_unit_test(invlpg_and_cr3),
        cmocka_unit_test(impossible_geometries),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
