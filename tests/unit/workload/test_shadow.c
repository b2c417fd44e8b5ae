/* SPDX-License-Identifier: MIT
 * test_shadow.c - each rule of shadow.c on a trace of a few lines. Lists are drawn head first; event n is line n.
 */
#include "tests/unit/workload/replay_rig.h"

#include "sim/workload/shadow.h"

/* A list of cpu 0 at the start: n pages from pfn on, MOVABLE, order 0. */
static void start_list(struct rig *rig, km_pfn pfn, unsigned n)
{
    struct km_guest *g = &rig->r.guest;

    for (unsigned i = 0; i < n; i++)
        km_pcp_place(&g->os, &g->cpu[0], KM_ZONE_NORMAL, 0, pfn + i, 0, KM_MT_MOVABLE);
}

static const struct km_adjustments *follow(struct rig *rig)
{
    struct km_err err = {0};

    fflush(rig->trace);
    if (km_shadow_run(&rig->r, rig->path, &err) != KM_OK)
        fail_msg("%s", err.msg);
    return &rig->r.adjust;
}

static void expect_take(const struct km_adjust *a, uint64_t index, km_pfn traced)
{
    assert_int_equal(a->kind, KM_ADJUST_TAKE);
    assert_int_equal(a->index, index);
    assert_int_equal(a->traced, traced);
    assert_int_equal(a->cpu, 0);
    assert_int_equal(a->zone, KM_ZONE_NORMAL);
    assert_int_equal(a->migratetype, KM_MT_MOVABLE);
    assert_int_equal(a->order, 0);
}

/* What the trace explains needs no correction: frees push, allocations take the head, drains the tail. */
static void ordinary_lists_need_nothing(void **state)
{
    struct rig *rig = rig_new();
    km_pfn a = RIG_BLOCK(1);

    (void)state;
    rig_give(rig, a + 64, 6, KM_MT_MOVABLE);
    start_list(rig, a, 2);
    line_alloc(rig, 0, a, 0);
    line_alloc(rig, 0, a + 1, 0);
    for (unsigned i = 0; i < RIG_BATCH; i++)
        line_carve(rig, 0, a + 64 + i);
    line_alloc(rig, 0, a + 64, 0);
    line_free(rig, 0, a, 0);
    line_alloc(rig, 0, a, 0);
    line_drain(rig, 0, a + 67);
    assert_int_equal(follow(rig)->nr, 0);
    rig_free(rig);
}

/* Rule 1.  list: a0 a1.  A refill comes although they are there: they were taken silently, at the refill; and so
 * was its first page, for nobody else is seen to have asked for it. */
static void a_refill_finds_its_list_empty(void **state)
{
    struct rig *rig = rig_new();
    km_pfn a = RIG_BLOCK(1);

    (void)state;
    rig_give(rig, a + 64, 6, KM_MT_MOVABLE);
    start_list(rig, a, 2);
    line_carve(rig, 0, a + 64); /* 1 */
    line_carve(rig, 0, a + 65);
    const struct km_adjustments *adj = follow(rig);

    assert_int_equal(adj->nr, 3);
    assert_int_equal(adj->silent_pages, 3);
    expect_take(&adj->entry[0], 1, a);
    expect_take(&adj->entry[1], 1, a + 1);
    expect_take(&adj->entry[2], 1, a + 64);
    rig_free(rig);
}

/* Rule 1, exception: a single carving followed by its own allocation passed the lists by. */
static void a_direct_allocation_is_no_refill(void **state)
{
    struct rig *rig = rig_new();
    km_pfn a = RIG_BLOCK(1);

    (void)state;
    rig_give(rig, a + 64, 6, KM_MT_MOVABLE);
    start_list(rig, a, 2);
    line_carve(rig, 0, a + 64);
    line_alloc(rig, 0, a + 64, 0);
    line_alloc(rig, 0, a, 0);
    line_alloc(rig, 0, a + 1, 0);
    assert_int_equal(follow(rig)->nr, 0);
    rig_free(rig);
}

/* Rule 2, refilled pages.  list: a0 a1 a2.  a1 is allocated: a0 had been taken silently. */
static void refilled_pages_above_were_taken(void **state)
{
    struct rig *rig = rig_new();
    km_pfn a = RIG_BLOCK(1);

    (void)state;
    start_list(rig, a, 3);
    line_alloc(rig, 0, a + 1, 0);
    line_alloc(rig, 0, a + 2, 0);
    const struct km_adjustments *adj = follow(rig);

    assert_int_equal(adj->nr, 1);
    expect_take(&adj->entry[0], 1, a);
    rig_free(rig);
}

/* Rule 1, dates.  list: f a0 a1, f freed on top (1, batched 2).  The refill at 5 finds it empty: a0 and a1 are dated right
 * behind the last event of the list, and f, which lay on top of them, no later; it leaves first. */
static void pages_on_top_leave_first(void **state)
{
    struct rig *rig = rig_new();
    km_pfn a = RIG_BLOCK(1), f = RIG_BLOCK(1) + 32;

    (void)state;
    rig_give(rig, a + 64, 6, KM_MT_MOVABLE);
    start_list(rig, a, 2);
    line_free(rig, 0, f, 0);
    line(rig, 0, "mm_page_free_batched: page=0x%x pfn=0x%x order=0", f, f);
    line_alloc(rig, 1, a + 40, 0);
    line_alloc(rig, 1, a + 41, 0);
    line_carve(rig, 0, a + 64); /* 5 */
    line_carve(rig, 0, a + 65);
    const struct km_adjustments *adj = follow(rig);

    assert_int_equal(adj->nr, 4);
    expect_take(&adj->entry[0], 3, f);
    expect_take(&adj->entry[1], 3, a);
    expect_take(&adj->entry[2], 3, a + 1);
    expect_take(&adj->entry[3], 5, a + 64);
    rig_free(rig);
}

/* Rule 2.  list: f a0 a1 a2.  Two allocations in a row go past f: no interrupt explains that, f was taken silently. */
static void a_page_passed_over_twice_was_taken(void **state)
{
    struct rig *rig = rig_new();
    km_pfn a = RIG_BLOCK(1), f = RIG_BLOCK(1) + 32;

    (void)state;
    start_list(rig, a, 3);
    line_free(rig, 0, f, 0);
    line(rig, 0, "mm_page_free_batched: page=0x%x pfn=0x%x order=0", f, f);
    line_alloc(rig, 0, a, 0); /* 3 */
    line_alloc(rig, 0, a + 1, 0);
    const struct km_adjustments *adj = follow(rig);

    assert_int_equal(adj->nr, 1);
    expect_take(&adj->entry[0], 3, f);
    rig_free(rig);
}

/* Rule 2, freed pages that are seen again.  list: a0;  f is freed (1, batched 2), then a0 is allocated (3) from below it,
 * then f (4): an interrupt freed f after a0 was taken, before the allocation of a0 was recorded. */
static void a_freed_page_seen_later_makes_the_allocation_early(void **state)
{
    struct rig *rig = rig_new();
    km_pfn a = RIG_BLOCK(1), f = RIG_BLOCK(1) + 32;

    (void)state;
    start_list(rig, a, 1);
    line_free(rig, 0, f, 0);
    line(rig, 0, "mm_page_free_batched: page=0x%x pfn=0x%x order=0", f, f);
    line_alloc(rig, 0, a, 0);
    line_alloc(rig, 0, f, 0);
    const struct km_adjustments *adj = follow(rig);

    assert_int_equal(adj->nr, 1);
    assert_int_equal(adj->early_allocations, 1);
    assert_int_equal(adj->silent_pages, 0);
    assert_int_equal(adj->entry[0].kind, KM_ADJUST_EARLY);
    assert_int_equal(adj->entry[0].index, 2); /* when f came onto the list */
    assert_int_equal(adj->entry[0].of, 3);
    assert_int_equal(adj->entry[0].cpu, 0);
    assert_true(adj->entry[0].gfp & KM_GFP_MOVABLE);
    rig_free(rig);
}

/* Rule 2, freed pages never seen again.  f g are freed, a0 below them is allocated, and nothing is heard of f and g:
 * they had been taken silently before. */
static void freed_pages_never_seen_again_were_taken(void **state)
{
    struct rig *rig = rig_new();
    km_pfn a = RIG_BLOCK(1), f = RIG_BLOCK(1) + 32;

    (void)state;
    start_list(rig, a, 1);
    line_free(rig, 0, f, 0);
    line_free(rig, 0, f + 1, 0);
    line_alloc(rig, 0, a, 0);
    const struct km_adjustments *adj = follow(rig);

    assert_int_equal(adj->nr, 2);
    assert_int_equal(adj->early_allocations, 0);
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(adj->entry[i].kind, KM_ADJUST_TAKE);
        assert_int_equal(adj->entry[i].index, 3);
    }
    rig_free(rig);
}

/* Rule 2, blocks.  order 1: b0 b1 at the start; f is freed (event 1), yet the next two allocations take b0 and b1:
 * f is not on top of the list, so its free went past it. With one allocation only, f could have come after it. */
static void a_block_passed_over_twice_missed_its_list(void **state)
{
    struct rig *rig = rig_new();
    struct km_guest *g = &rig->r.guest;
    km_pfn b = RIG_BLOCK(1), f = RIG_BLOCK(1) + 32;

    (void)state;
    for (unsigned i = 0; i < 2; i++)
        km_pcp_place(&g->os, &g->cpu[0], KM_ZONE_NORMAL, 0, b + 2 * i, 1, KM_MT_MOVABLE);
    line_free(rig, 0, f, 1);
    line_alloc(rig, 0, b, 1);
    line_alloc(rig, 0, b + 2, 1);
    const struct km_adjustments *adj = follow(rig);

    assert_int_equal(adj->nr, 0);
    assert_int_equal(rig->r.hidden.missed.nr, 1);
    assert_int_equal(rig->r.hidden.missed.item[0].index, 1);
    assert_int_equal(rig->r.hidden.missed.item[0].pfn, f);
    rig_free(rig);
}

/* Rule 3.  list: a0 a1.  a1 is freed although it is on the list: it was in use, so taken silently before. */
static void a_page_freed_while_listed_was_taken(void **state)
{
    struct rig *rig = rig_new();
    km_pfn a = RIG_BLOCK(1);

    (void)state;
    start_list(rig, a, 2);
    line(rig, 0, "kfree: (f+0x1) call_site=f+0x1 ptr=(nil)");
    line_free(rig, 0, a + 1, 0);
    line_alloc(rig, 0, a + 1, 0);
    line_alloc(rig, 0, a, 0);
    const struct km_adjustments *adj = follow(rig);

    assert_int_equal(adj->nr, 1);
    assert_int_equal(adj->entry[0].traced, a + 1);
    assert_int_equal(adj->entry[0].kind, KM_ADJUST_TAKE);
    assert_true(adj->entry[0].index <= 2);
    rig_free(rig);
}

/* Rule 4.  list: a0 a1 a2 a3;  the probe says that 3 pages leave: then a3 is the head, and nothing is missing. */
static void a_bulk_allocation_says_how_many_leave(void **state)
{
    struct rig *rig = rig_new();
    km_pfn a = RIG_BLOCK(1);

    (void)state;
    start_list(rig, a, 4);
    line(rig, 0, "pages_bulk: (c1296810) gfp=0x%x nr=3", KM_GFP_KERNEL | KM_GFP_MOVABLE);
    line(rig, 0, "pages_bulk_ret: (c1296810 <- c128f816) got=3");
    line_alloc(rig, 0, a + 3, 0);
    assert_int_equal(follow(rig)->nr, 0);
    rig_free(rig);
}

/* Pages of the start whose list was guessed: the snapshot says that 3 pages are on a list of cpu 0, and g0 g1 were put
 * on UNMOVABLE's. A bulk allocation of 2 MOVABLE pages is served without a refill: they belong there. */
static void guessed_pages_move_to_the_list_that_needs_them(void **state)
{
    struct rig *rig = rig_new();
    struct km_guest *g = &rig->r.guest;
    km_pfn p = RIG_BLOCK(1);

    (void)state;
    rig->r.guessed = calloc(2, sizeof(*rig->r.guessed));
    rig->r.nr_guessed = 2;
    for (unsigned i = 0; i < 2; i++) {
        km_pcp_place(&g->os, &g->cpu[0], KM_ZONE_NORMAL, 0, p + i, 0, KM_MT_UNMOVABLE);
        rig->r.guessed[i] = (struct km_guessed_page){.pfn = p + i, .cpu = 0, .zone = KM_ZONE_NORMAL, .order = 0};
    }
    line(rig, 0, "pages_bulk: (c1296810) gfp=0x%x nr=2", KM_GFP_KERNEL | KM_GFP_MOVABLE);
    line(rig, 0, "pages_bulk_ret: (c1296810 <- c128f816) got=2");
    assert_false(km_pcp_has(&g->os, g->window.base, KM_ZONE_NORMAL, 0, 0, KM_MT_MOVABLE));
    follow(rig);
    assert_true(km_pcp_has(&g->os, g->window.base, KM_ZONE_NORMAL, 0, 0, KM_MT_MOVABLE));
    assert_false(km_pcp_has(&g->os, g->window.base, KM_ZONE_NORMAL, 0, 0, KM_MT_UNMOVABLE));
    assert_int_equal(km_pcp_count(&g->os, g->window.base, KM_ZONE_NORMAL, 0), 2);
    assert_null(km_pcp_check(&g->os, g->window.base, KM_ZONE_NORMAL, 0));
    rig_free(rig);
}

/* The lists of one CPU say nothing about those of the other. */
static void cpus_are_kept_apart(void **state)
{
    struct rig *rig = rig_new();
    km_pfn a = RIG_BLOCK(1);

    (void)state;
    rig_give(rig, a + 64, 6, KM_MT_MOVABLE);
    start_list(rig, a, 2); /* of cpu 0 */
    line_carve(rig, 1, a + 64);
    line_carve(rig, 1, a + 65);
    line_alloc(rig, 1, a + 64, 0);
    assert_int_equal(follow(rig)->nr, 0);
    rig_free(rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ordinary_lists_need_nothing),
        cmocka_unit_test(a_refill_finds_its_list_empty),
        cmocka_unit_test(a_direct_allocation_is_no_refill),
        cmocka_unit_test(refilled_pages_above_were_taken),
        cmocka_unit_test(pages_on_top_leave_first),
        cmocka_unit_test(a_page_passed_over_twice_was_taken),
        cmocka_unit_test(a_freed_page_seen_later_makes_the_allocation_early),
        cmocka_unit_test(freed_pages_never_seen_again_were_taken),
        cmocka_unit_test(a_block_passed_over_twice_missed_its_list),
        cmocka_unit_test(a_page_freed_while_listed_was_taken),
        cmocka_unit_test(a_bulk_allocation_says_how_many_leave),
        cmocka_unit_test(guessed_pages_move_to_the_list_that_needs_them),
        cmocka_unit_test(cpus_are_kept_apart),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
