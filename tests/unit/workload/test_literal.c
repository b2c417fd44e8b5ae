/* SPDX-License-Identifier: MIT
 * test_literal.c - buddy-level events applied as they stand.
 */
#include "tests/unit/workload/replay_rig.h"

static enum km_literal_result apply(struct rig *rig, const struct km_event *ev)
{
    km_pcp_busy_event(&rig->r.busy, ev, ++rig->r.index);
    return km_literal_apply(&rig->r.guest.os, &rig->r.guest.cpu[0], &rig->r.busy, ev);
}

static enum km_literal_result page(struct rig *rig, enum km_event_type type, km_pfn pfn, unsigned order)
{
    struct km_event ev = page_event(type, 0, pfn, order, KM_MT_MOVABLE);

    return apply(rig, &ev);
}

/* Order 3 block of 8 pages, page 5 taken:  [0 1 2 3|4 x 6 7]  ->  orders 2 (0-3), 0 (4), 1 (6-7) */
static void a_carving_takes_exactly_its_page(void **state)
{
    struct rig *rig = rig_new();
    km_pfn b = RIG_BLOCK(1);

    (void)state;
    rig_give(rig, b, 3, KM_MT_MOVABLE);
    assert_int_equal(page(rig, KM_EV_PAGE_ALLOC_ZONE_LOCKED, b + 5, 0), KM_LITERAL_APPLIED);
    assert_false(rig_is_free(rig, b + 5, 0));
    assert_true(rig_is_free(rig, b, 2));
    assert_true(rig_is_free(rig, b + 4, 0));
    assert_true(rig_is_free(rig, b + 6, 1));
    assert_int_equal(rig_blocks(rig, 0), 1);
    assert_int_equal(rig_blocks(rig, 1), 1);
    assert_int_equal(rig_blocks(rig, 2), 1);
    assert_int_equal(rig_blocks(rig, 3), 0);
    /* and a drain gives it back: all merge again */
    assert_int_equal(page(rig, KM_EV_PAGE_PCPU_DRAIN, b + 5, 0), KM_LITERAL_APPLIED);
    assert_int_equal(rig_blocks(rig, 3), 1);
    assert_int_equal(rig_blocks(rig, 0), 0);
    rig_free(rig);
}

static void contradictions_change_nothing(void **state)
{
    struct rig *rig = rig_new();
    km_pfn b = RIG_BLOCK(1);

    (void)state;
    rig_give(rig, b, 2, KM_MT_MOVABLE);
    assert_int_equal(page(rig, KM_EV_PAGE_ALLOC_ZONE_LOCKED, b + 4, 0), KM_LITERAL_CONFLICT); /* not free */
    assert_int_equal(page(rig, KM_EV_PAGE_ALLOC_ZONE_LOCKED, b, 3), KM_LITERAL_CONFLICT);     /* only half is */
    assert_int_equal(page(rig, KM_EV_PAGE_PCPU_DRAIN, b + 3, 0), KM_LITERAL_CONFLICT);        /* free already */
    assert_int_equal(page(rig, KM_EV_PAGE_PCPU_DRAIN, b, 3), KM_LITERAL_CONFLICT);            /* half of it is */
    assert_int_equal(page(rig, KM_EV_PAGE_PCPU_DRAIN, b + 9, 1), KM_LITERAL_CONFLICT);        /* not aligned */
    assert_int_equal(page(rig, KM_EV_PAGE_PCPU_DRAIN, 0x4000, 0), KM_LITERAL_CONFLICT);       /* not RAM */
    assert_int_equal(page(rig, KM_EV_PAGE_PCPU_DRAIN, b + 512, KM_NR_ORDERS), KM_LITERAL_CONFLICT);
    assert_int_equal(rig_blocks(rig, 2), 1);
    assert_null(km_buddy_check(&rig->r.guest.os, rig->r.guest.window.base, KM_ZONE_NORMAL));
    rig_free(rig);
}

/* Orders 0 to 3 are kept on per-CPU lists: only their drain gives them back. Order 4 goes straight. */
static void small_frees_go_to_the_lists(void **state)
{
    struct rig *rig = rig_new();
    km_pfn b = RIG_BLOCK(1);

    (void)state;
    for (unsigned order = 0; order <= 3; order++)
        assert_int_equal(page(rig, KM_EV_PAGE_FREE, b, order), KM_LITERAL_IGNORED);
    assert_int_equal(page(rig, KM_EV_PAGE_FREE, b, 4), KM_LITERAL_APPLIED);
    assert_true(rig_is_free(rig, b, 4));
    assert_int_equal(page(rig, KM_EV_PAGE_ALLOC, b, 0), KM_LITERAL_IGNORED);
    assert_int_equal(page(rig, KM_EV_PAGE_FREE_BATCHED, b + 64, 0), KM_LITERAL_IGNORED);
    rig_free(rig);
}

/* Inside the bulk allocator an interrupt's frees miss the lists, on that CPU only. */
static void frees_inside_a_bulk_allocation_go_straight(void **state)
{
    struct rig *rig = rig_new();
    struct km_event begin = bulk_event(0, 8, KM_GFP_KERNEL), end = {.type = KM_EV_PAGES_BULK_RET, .cpu = 0};
    struct km_event other = page_event(KM_EV_PAGE_FREE, 1, RIG_BLOCK(2), 0, KM_MT_MOVABLE);
    km_pfn b = RIG_BLOCK(1);

    (void)state;
    apply(rig, &begin);
    assert_int_equal(page(rig, KM_EV_PAGE_FREE, b, 0), KM_LITERAL_APPLIED);
    assert_int_equal(apply(rig, &other), KM_LITERAL_IGNORED);
    apply(rig, &end);
    assert_int_equal(page(rig, KM_EV_PAGE_FREE, b + 8, 0), KM_LITERAL_IGNORED);
    /* one page, or accounted pages, take the ordinary path */
    begin.probe.a = 1;
    apply(rig, &begin);
    assert_int_equal(page(rig, KM_EV_PAGE_FREE, b + 8, 0), KM_LITERAL_IGNORED);
    begin.probe.a = 8;
    begin.probe.gfp |= KM_GFP_ACCOUNT;
    apply(rig, &begin);
    assert_int_equal(page(rig, KM_EV_PAGE_FREE, b + 8, 0), KM_LITERAL_IGNORED);
    rig_free(rig);
}

/* Events that hidden.c found to miss the lists: exactly these. */
static void hidden_misses_go_straight(void **state)
{
    struct rig *rig = rig_new();
    struct km_hidden_item item[] = {{.index = 2}, {.index = 3}};
    struct km_hidden hidden = {.missed = {.item = item, .nr = 2}};
    km_pfn b = RIG_BLOCK(1);

    (void)state;
    rig->r.busy.hidden = &hidden;
    assert_int_equal(page(rig, KM_EV_PAGE_FREE, b, 0), KM_LITERAL_IGNORED);
    assert_int_equal(page(rig, KM_EV_PAGE_FREE, b + 8, 0), KM_LITERAL_APPLIED);
    assert_int_equal(page(rig, KM_EV_PAGE_FREE, b + 16, 0), KM_LITERAL_APPLIED);
    assert_int_equal(page(rig, KM_EV_PAGE_FREE, b + 24, 0), KM_LITERAL_IGNORED);
    rig_free(rig);
}

/* What is left of a split block stays with the type it was carved for; a drain names its list, a direct free goes
 * by the pageblock. */
static void blocks_go_to_the_list_the_event_names(void **state)
{
    struct rig *rig = rig_new();
    const struct km_guest *g = &rig->r.guest;
    struct km_event drain = page_event(KM_EV_PAGE_PCPU_DRAIN, 0, RIG_BLOCK(1), 0, KM_MT_RECLAIMABLE);
    uint64_t nr_free[KM_NR_ORDERS], types[KM_MT_NR][KM_NR_ORDERS];

    (void)state;
    assert_int_equal(apply(rig, &drain), KM_LITERAL_APPLIED);
    assert_int_equal(page(rig, KM_EV_PAGE_FREE, RIG_BLOCK(2), 4), KM_LITERAL_APPLIED);
    km_buddy_count(&g->os, g->window.base, KM_ZONE_NORMAL, nr_free, types);
    assert_int_equal(types[KM_MT_RECLAIMABLE][0], 1);
    assert_int_equal(types[KM_MT_MOVABLE][4], 1);
    rig_free(rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_carving_takes_exactly_its_page),
        cmocka_unit_test(contradictions_change_nothing),
        cmocka_unit_test(small_frees_go_to_the_lists),
        cmocka_unit_test(frees_inside_a_bulk_allocation_go_straight),
        cmocka_unit_test(hidden_misses_go_straight),
        cmocka_unit_test(blocks_go_to_the_list_the_event_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
