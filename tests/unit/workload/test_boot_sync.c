/* SPDX-License-Identifier: MIT
 * test_boot_sync.c - catching up with what was taken before tracing began.
 */
#include "tests/unit/workload/replay_rig.h"

static void first_carving(struct rig *rig, km_pfn pfn, unsigned order, int mt)
{
    struct km_event ev = page_event(KM_EV_PAGE_ALLOC_ZONE_LOCKED, 0, pfn, order, mt);

    km_boot_synchronise(&rig->r, &ev);
}

static km_pfn next_page(struct rig *rig)
{
    struct km_guest *g = &rig->r.guest;

    return km_buddy_take(&g->os, &g->cpu[0], KM_ZONE_NORMAL, 0, KM_MT_MOVABLE, 0);
}

/* A free block of 16 pages; the kernel's first traced page is number 5: pages 0 to 4 are gone, and the same blocks are
 * left as behind five single allocations:  [0 1 2 3 4]|5|6 7|8 ... 15| */
static void single_pages_go_until_the_traced_one_is_next(void **state)
{
    struct rig *rig = rig_new();
    km_pfn b = RIG_BLOCK(1);

    (void)state;
    rig_give(rig, b, 4, KM_MT_MOVABLE);
    first_carving(rig, b + 5, 0, KM_MT_MOVABLE);
    assert_int_equal(rig->r.synced, 5);
    for (km_pfn p = b; p < b + 5; p++) {
        assert_false(rig_is_free(rig, p, 0));
        assert_int_equal(km_page_map_get(&rig->r.map, p), p); /* they can be freed later */
    }
    assert_true(rig_is_free(rig, b + 6, 1));
    assert_true(rig_is_free(rig, b + 8, 3));
    assert_int_equal(next_page(rig), b + 5);
    rig_free(rig);
}

static void it_happens_once_per_list(void **state)
{
    struct rig *rig = rig_new();
    km_pfn b = RIG_BLOCK(1);

    (void)state;
    rig_give(rig, b, 4, KM_MT_MOVABLE);
    first_carving(rig, b, 0, KM_MT_MOVABLE); /* nothing to do, but done */
    first_carving(rig, b + 5, 0, KM_MT_MOVABLE);
    assert_int_equal(rig->r.synced, 0);
    assert_true(rig_is_free(rig, b, 4));
    rig_free(rig);
}

/* A traced page that is not free in the model cannot be reached: nothing more is taken. */
static void a_page_that_is_not_free_ends_it(void **state)
{
    struct rig *rig = rig_new();

    (void)state;
    rig_give(rig, RIG_BLOCK(1), 4, KM_MT_MOVABLE);
    first_carving(rig, RIG_BLOCK(3), 0, KM_MT_MOVABLE);
    assert_int_equal(rig->r.synced, 0);
    assert_true(rig_is_free(rig, RIG_BLOCK(1), 4));
    first_carving(rig, RIG_BLOCK(1) + 2, 0, -1); /* no such list */
    assert_int_equal(rig->r.synced, 0);
    rig_free(rig);
}

/* A larger request: single pages go until the next block of its order is the traced one. */
static void blocks_are_reached_by_single_pages(void **state)
{
    struct rig *rig = rig_new();
    km_pfn b = RIG_BLOCK(1);

    (void)state;
    rig_give(rig, b, 4, KM_MT_MOVABLE);
    first_carving(rig, b + 4, 2, KM_MT_MOVABLE);
    assert_true(rig->r.synced > 0 && rig->r.synced <= 4);
    assert_true(rig_is_free(rig, b + 4, 2));
    assert_int_equal(km_buddy_take(&rig->r.guest.os, &rig->r.guest.cpu[0], KM_ZONE_NORMAL, 2, KM_MT_MOVABLE, 0), b + 4);
    rig_free(rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(single_pages_go_until_the_traced_one_is_next),
        cmocka_unit_test(it_happens_once_per_list),
        cmocka_unit_test(a_page_that_is_not_free_ends_it),
        cmocka_unit_test(blocks_are_reached_by_single_pages),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
