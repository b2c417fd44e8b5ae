/* SPDX-License-Identifier: MIT
 * test_pending.c - when announced frees really happen.
 */
#include "tests/unit/workload/replay_rig.h"

#include "sim/workload/pending.h"

static struct km_event at(enum km_event_type type, km_pfn pfn, unsigned order)
{
    return page_event(type, 0, pfn, order, KM_MT_MOVABLE);
}

static uint32_t due(struct km_pending *p, enum km_event_type type, km_pfn pfn, unsigned order)
{
    struct km_event ev = at(type, pfn, order);

    return km_pending_due(p, &ev);
}

static void announce(struct km_pending *p, km_pfn first, unsigned nr)
{
    for (unsigned i = 0; i < nr; i++) {
        assert_int_equal(due(p, KM_EV_PAGE_FREE, first + i, 0), 0); /* a batch grows */
        km_pending_add(p, first + i);
    }
}

/* free 10, free 11, free 12, batched 10, batched 11: each page goes at its own batched event, in order. */
static void a_batch_is_freed_page_by_page(void **state)
{
    struct km_pending *p = calloc(1, sizeof(*p));

    (void)state;
    announce(p, 10, 3);
    assert_int_equal(due(p, KM_EV_PAGE_FREE_BATCHED, 10, 0), 1);
    km_pending_drop(p, 1);
    assert_int_equal(p->nr, 2);
    assert_int_equal(p->traced[0], 11);
    assert_int_equal(due(p, KM_EV_PAGE_FREE_BATCHED, 11, 0), 1);
    km_pending_drop(p, 1);
    assert_int_equal(p->traced[0], 12);
    free(p);
}

/* A batched event of a page further back: those announced before it were freed before it. */
static void pages_before_the_batched_one_go_first(void **state)
{
    struct km_pending *p = calloc(1, sizeof(*p));

    (void)state;
    announce(p, 10, 4);
    assert_int_equal(due(p, KM_EV_PAGE_FREE_BATCHED, 12, 0), 3);
    assert_int_equal(due(p, KM_EV_PAGE_FREE_BATCHED, 99, 0), 0); /* not announced here */
    free(p);
}

/* The drain that follows a batched event was caused by that page: the others still wait. A drain without one
 * was caused by the waiting pages. */
static void a_drain_belongs_to_the_free_before_it(void **state)
{
    struct km_pending *p = calloc(1, sizeof(*p));

    (void)state;
    announce(p, 10, 3);
    km_pending_drop(p, due(p, KM_EV_PAGE_FREE_BATCHED, 10, 0));
    assert_int_equal(due(p, KM_EV_PAGE_PCPU_DRAIN, 50, 0), 0);
    assert_int_equal(due(p, KM_EV_PAGE_PCPU_DRAIN, 51, 0), 0);
    announce(p, 20, 1); /* a new announcement ends that */
    assert_int_equal(due(p, KM_EV_PAGE_PCPU_DRAIN, 52, 0), 3);
    free(p);
}

/* Whatever else this CPU does with its lists comes after its announced frees; objects do not touch them. */
static void other_use_of_the_lists_frees_all(void **state)
{
    static const enum km_event_type uses[] = {KM_EV_PAGE_ALLOC, KM_EV_PAGE_ALLOC_ZONE_LOCKED, KM_EV_PAGES_BULK};
    struct km_pending *p = calloc(1, sizeof(*p));

    (void)state;
    announce(p, 10, 3);
    for (unsigned i = 0; i < KM_ARRAY_LEN(uses); i++)
        assert_int_equal(due(p, uses[i], 77, 0), 3);
    assert_int_equal(due(p, KM_EV_KMALLOC, 0, 0), 0);
    assert_int_equal(due(p, KM_EV_PAGE_FREE, 64, 1), 3); /* a free of another order is no batch */
    free(p);
}

static void a_full_batch_is_freed(void **state)
{
    struct km_pending *p = calloc(1, sizeof(*p));

    (void)state;
    announce(p, 0, KM_PENDING_MAX);
    assert_int_equal(due(p, KM_EV_PAGE_FREE, 9999, 0), KM_PENDING_MAX);
    km_pending_drop(p, KM_PENDING_MAX);
    assert_int_equal(p->nr, 0);
    free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_batch_is_freed_page_by_page),
        cmocka_unit_test(pages_before_the_batched_one_go_first),
        cmocka_unit_test(a_drain_belongs_to_the_free_before_it),
        cmocka_unit_test(other_use_of_the_lists_frees_all),
        cmocka_unit_test(a_full_batch_is_freed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
