/* SPDX-License-Identifier: MIT
 * test_lru.c - which pages get on the LRU lists, when, where, and how they leave.
 */
#include "pressure_guest.h"

#include "models/base/bits.h"
#include "models/os/page_api.h"

static struct pressure_guest guest;

static int setup(void **state)
{
    pg_open(&guest, 1000);
    *state = &guest;
    return 0;
}

static int teardown(void **state)
{
    pg_close(*state);
    return 0;
}

static uint32_t flags_of(struct pressure_guest *p, km_pfn pfn)
{
    return km_page_flags(&p->g.os, &p->g.cpu[0], pfn);
}

/* Rule: flags of requests as recorded on 6.1, and what they are for. */
static void test_kinds(void **state)
{
    static const struct {
        uint32_t gfp;
        unsigned order;
        enum km_lru_kind kind;
    } rows[] = {
        {KM_GFP_HIGHUSER_MOVABLE | KM_GFP_COMP | KM_GFP_ZERO, 0, KM_LRU_ANON},  /* fault */
        {KM_GFP_HIGHUSER_MOVABLE | KM_GFP_COMP, 0, KM_LRU_ANON},                /* copy on write, shmem */
        {KM_GFP_HIGHUSER_MOVABLE | KM_GFP_COMP | KM_GFP_WRITE, 0, KM_LRU_FILE_DIRTY},
        {FILE_GFP | KM_GFP_HIGHMEM | KM_GFP_COMP, 0, KM_LRU_FILE},              /* readahead */
        {KM_GFP_NOFS | KM_GFP_NOFAIL | KM_GFP_HARDWALL, 0, KM_LRU_FILE},        /* buffers */
        {KM_GFP_HIGHUSER_MOVABLE | KM_GFP_COMP, 9, KM_LRU_ANON},                /* huge page */
        {KM_GFP_HIGHUSER | KM_GFP_ACCOUNT, 0, KM_LRU_NONE},                     /* pipe */
        {KM_GFP_KERNEL | KM_GFP_ACCOUNT | KM_GFP_HIGHMEM | KM_GFP_ZERO, 0, KM_LRU_NONE}, /* page table */
        {KM_GFP_KERNEL, 0, KM_LRU_NONE},
        {KM_GFP_KERNEL | KM_GFP_RECLAIMABLE | KM_GFP_NORETRY, 0, KM_LRU_NONE},  /* slab */
        {KM_GFP_ATOMIC, 0, KM_LRU_NONE},
        {KM_GFP_USER, 0, KM_LRU_NONE},
    };

    (void)state;
    for (size_t i = 0; i < KM_ARRAY_LEN(rows); i++)
        if (km_lru_kind_of(rows[i].gfp, rows[i].order) != rows[i].kind)
            fail_msg("row %zu", i);
}

/* Rule: pages wait in the CPU's batch (15, before 5.x 14) and are then listed together, the last one at the head; one
 * CPU's batch does not fill another's.
 */
static void test_batches(void **state)
{
    struct pressure_guest *p = *state;
    const unsigned full = p->g.os.p.personality->lru_batch_pages;
    km_pfn page[16];

    for (unsigned i = 0; i < full; i++) {
        assert_int_equal(pg_listed(p, KM_LRU_INACTIVE_FILE), 0);
        page[i] = pg_alloc(p, FILE_GFP);
        km_lru_add(&p->g.os, &p->g.cpu[0], page[i], KM_LRU_FILE);
        km_pfn other = pg_alloc(p, KM_GFP_KERNEL);

        km_lru_add(&p->g.os, &p->g.cpu[1], other, KM_LRU_NONE);
        assert_int_equal(!(flags_of(p, page[i]) & KM_PG_LRU), i + 1 < full);
        pg_check(p);
    }
    assert_int_equal(pg_listed(p, KM_LRU_INACTIVE_FILE), full);
    km_vaddr head = km_lru_list_va(&p->lru, KM_ZONE_NORMAL, KM_LRU_INACTIVE_FILE);

    assert_int_equal(km_peek32(p->g.window, head + KM_LIST_NEXT),
                     km_page_va(&p->g.os, page[full - 1]) + KM_PAGE_LRU);
    assert_int_equal(km_peek32(p->g.window, head + KM_LIST_PREV), km_page_va(&p->g.os, page[0]) + KM_PAGE_LRU);
}

/* Rule: a freed page leaves batch or list at once and comes back without any of its flags. */
static void test_free_leaves(void **state)
{
    struct pressure_guest *p = *state;
    km_pfn page[40];

    pg_fill(p, ANON_GFP, 20, page);
    for (unsigned i = 20; i < 30; i++) {
        page[i] = pg_alloc(p, ANON_GFP);
        km_lru_add(&p->g.os, &p->g.cpu[1], page[i], KM_LRU_ANON);
    }
    for (unsigned i = 0; i < 30; i++) {
        km_free_pages(&p->g.os, &p->g.cpu[0], page[(i * 7) % 30], 0); /* batches of other CPUs, too */
        pg_check(p);
        assert_int_equal(flags_of(p, page[(i * 7) % 30]) & (KM_PG_LRU | KM_PG_BATCHED | KM_PG_SWAPBACKED | KM_PG_YOUNG), 0);
    }
    assert_int_equal(pg_listed(p, KM_LRU_INACTIVE_ANON) + pg_listed(p, KM_LRU_ACTIVE_ANON), 0);
    assert_int_equal(km_peek32(p->g.window, p->lru.batch_va[1]), 0);
}

/* Rule: read once: referenced; read twice: active. A dirty page is counted until it is freed. */
static void test_touch(void **state)
{
    struct pressure_guest *p = *state;
    struct km_cpu *cpu = &p->g.cpu[0];
    km_pfn page[2];

    pg_fill(p, FILE_GFP, 2, page);
    km_lru_touch(&p->g.os, cpu, page[0], KM_LRU_TOUCH_READ);
    assert_int_equal(flags_of(p, page[0]) & (KM_PG_REFERENCED | KM_PG_ACTIVE), KM_PG_REFERENCED);
    assert_int_equal(pg_listed(p, KM_LRU_ACTIVE_FILE), 0);
    km_lru_touch(&p->g.os, cpu, page[0], KM_LRU_TOUCH_READ);
    assert_int_equal(flags_of(p, page[0]) & (KM_PG_REFERENCED | KM_PG_ACTIVE), KM_PG_ACTIVE);
    assert_int_equal(pg_listed(p, KM_LRU_ACTIVE_FILE), 1);
    assert_int_equal(pg_listed(p, KM_LRU_INACTIVE_FILE), 1);
    km_lru_touch(&p->g.os, cpu, page[1], KM_LRU_TOUCH_WRITE);
    km_lru_touch(&p->g.os, cpu, page[1], KM_LRU_TOUCH_WRITE);
    assert_int_equal(p->lru.nr_dirty, 1);
    assert_int_equal(p->rc.count[KM_VM_NR_DIRTIED], 1);
    km_free_pages(&p->g.os, cpu, page[1], 0);
    assert_int_equal(p->lru.nr_dirty, 0);
    pg_check(p);
}

/* Rule: a huge page is one entry that counts all its pages; freeing a part of it first splits it: none of the others is
 * on a list any more.
 */
static void test_huge(void **state)
{
    struct pressure_guest *p = *state;
    const uint32_t gfp = KM_GFP_USER | KM_GFP_MOVABLE | KM_GFP_COMP;
    km_pfn a = km_alloc_pages(&p->g.os, &p->g.cpu[0], gfp, 9), b = km_alloc_pages(&p->g.os, &p->g.cpu[0], gfp, 9);
    enum km_lru_list l = p->g.os.p.personality->lru_anon_activated ? KM_LRU_ACTIVE_ANON : KM_LRU_INACTIVE_ANON;

    km_lru_add(&p->g.os, &p->g.cpu[0], a, KM_LRU_ANON);
    km_lru_add(&p->g.os, &p->g.cpu[0], b, KM_LRU_ANON);
    assert_int_equal(pg_listed(p, l), 1024);
    km_free_pages(&p->g.os, &p->g.cpu[0], a, 9);
    assert_int_equal(pg_listed(p, l), 512);
    km_free_pages(&p->g.os, &p->g.cpu[0], b + 1, 0); /* where the block's order is kept */
    assert_int_equal(pg_listed(p, l), 0);
    pg_check(p);
    for (unsigned i = 0; i < 512; i++)
        if (i != 1)
            km_free_pages(&p->g.os, &p->g.cpu[0], b + i, 0);
    pg_check(p);
}

/* Rule: whoever frees an isolated page leaves that to the one who holds it. */
static void test_isolated_page_freed_later(void **state)
{
    struct pressure_guest *p = *state;
    uint32_t before = pg_free(p), pages;
    km_pfn page[3], taken[4];

    pg_fill(p, FILE_GFP, 3, page);
    assert_int_equal(km_lru_isolate(&p->g.os, &p->g.cpu[0], KM_ZONE_NORMAL, KM_LRU_INACTIVE_FILE, KM_ZONE_NORMAL, 2, taken,
                                    4, &pages), 2);
    assert_int_equal(taken[0], page[0]); /* the oldest first */
    assert_int_equal(taken[1], page[1]);
    km_free_pages(&p->g.os, &p->g.cpu[1], page[1], 0);
    assert_int_equal(pg_free(p), before - 3);
    km_lru_put(&p->g.os, &p->g.cpu[0], taken[0], false);
    km_lru_put(&p->g.os, &p->g.cpu[0], taken[1], false);
    assert_int_equal(pg_free(p), before - 2);
    assert_int_equal(pg_listed(p, KM_LRU_INACTIVE_FILE), 2);
    pg_check(p);
}

/* Rule: a reclaimer of low memory passes over HighMem pages; they go to the other end, each looked at once. */
static void test_zones_above_are_passed_over(void **state)
{
    struct pressure_guest *p = *state;
    km_pfn high, low, taken[8];
    uint32_t pages;

    RULE_NEEDS(!p->g.os.p.personality->lru_per_zone);
    high = km_buddy_take(&p->g.os, &p->g.cpu[0], KM_ZONE_HIGHMEM, 0, KM_MT_MOVABLE, 0);
    km_prep_page(&p->g.os, &p->g.cpu[0], high, 0, 0);
    km_lru_place(&p->g.os, &p->g.cpu[0], high, 0, true);
    pg_fill(p, FILE_GFP, 1, &low);
    assert_int_equal(km_lru_isolate(&p->g.os, &p->g.cpu[0], KM_ZONE_NORMAL, KM_LRU_INACTIVE_FILE, KM_ZONE_NORMAL, 8, taken,
                                    8, &pages), 1);
    assert_int_equal(taken[0], low);
    km_lru_put(&p->g.os, &p->g.cpu[0], low, false);
    pg_check(p);
}

/* Intent: the check notices what it claims to. */
static void test_check_notices(void **state)
{
    struct pressure_guest *p = *state;
    km_pfn page[4];

    pg_fill(p, FILE_GFP, 4, page);
    km_vaddr flags = km_page_va(&p->g.os, page[1]) + KM_PAGE_FLAGS;
    uint32_t good = km_peek32(p->g.window, flags);

    km_st32(&p->g.cpu[0], flags, good & ~(uint32_t)KM_PG_LRU);
    assert_non_null(km_lru_check(&p->g.os, p->g.window));
    km_st32(&p->g.cpu[0], flags, good | KM_PG_ACTIVE);
    assert_non_null(km_lru_check(&p->g.os, p->g.window));
    km_st32(&p->g.cpu[0], flags, good);
    assert_null(km_lru_check(&p->g.os, p->g.window));
    km_vaddr size = p->lru.zone_size_va + (KM_ZONE_NORMAL * KM_LRU_NR + KM_LRU_INACTIVE_FILE) * 4;

    km_st32(&p->g.cpu[0], size, 5);
    assert_non_null(km_lru_check(&p->g.os, p->g.window));
    km_st32(&p->g.cpu[0], size, 4);
    km_st32(&p->g.cpu[0], km_page_va(&p->g.os, page[2]) + KM_PAGE_LRU + KM_LIST_PREV, 0);
    assert_non_null(km_lru_check(&p->g.os, p->g.window));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kinds),
        cmocka_unit_test_setup_teardown(test_batches, setup, teardown),
        cmocka_unit_test_setup_teardown(test_free_leaves, setup, teardown),
        cmocka_unit_test_setup_teardown(test_touch, setup, teardown),
        cmocka_unit_test_setup_teardown(test_huge, setup, teardown),
        cmocka_unit_test_setup_teardown(test_isolated_page_freed_later, setup, teardown),
        cmocka_unit_test_setup_teardown(test_zones_above_are_passed_over, setup, teardown),
        cmocka_unit_test_setup_teardown(test_check_notices, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
