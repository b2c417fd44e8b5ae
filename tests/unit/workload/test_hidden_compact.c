/* SPDX-License-Identifier: MIT
 * test_hidden_compact.c - what compaction took from the free lists: found in a trace by hand, and repeated.
 */
#include "tests/unit/workload/replay_rig.h"

#define TOP RIG_BLOCK(20)
#define LOW RIG_BLOCK(0)

static void line_split(struct rig *rig, km_pfn pfn, unsigned order)
{
    line(rig, 0, "split_page: (c1290c60) page=0x%x order=%u", km_page_va(&rig->r.guest.os, pfn), order);
}

static void line_compaction(struct rig *rig, const char *which, const char *status)
{
    line(rig, 0, "mm_compaction_%s: zone_start=0x1000 migrate_pfn=0x1000 free_pfn=0x%x zone_end=0x4000, mode=sync%s",
         which, TOP, status);
}

/* Four pages in a block, a single one, and another that stays free; five pages are moved.
 *
 *   TOP   0 1 2 3 . . . . 8 . . . 12      sources: LOW + 4 .. LOW
 *         |block|         s       stays
 */
static void write_trace(struct rig *rig)
{
    for (km_pfn p = TOP; p < TOP + 4; p++)
        line_drain(rig, 0, p); /* 1 to 4 */
    line_drain(rig, 0, TOP + 8);
    line_drain(rig, 0, TOP + 12);
    line_compaction(rig, "begin", ""); /* 7 */
    line_split(rig, TOP, 2);
    for (unsigned i = 0; i < 5; i++)
        line_free(rig, 0, LOW + 4 - i, 0); /* 9 to 13 */
    line_compaction(rig, "end", " status=complete");
    line_carve(rig, 0, TOP + 12); /* 15 */
}

static struct rig *looked_ahead(void)
{
    struct rig *rig = rig_new();
    struct km_err err = {0};

    write_trace(rig);
    assert_int_equal(km_hidden_find(&rig->r.hidden, rig->path, NULL, rig->r.map.nr_frames, &err), KM_OK);
    assert_int_equal(km_hidden_compaction(&rig->r.hidden, rig->path, NULL, &rig->r.guest.os, &err), KM_OK);
    rig->r.busy.hidden = &rig->r.hidden;
    return rig;
}

static void targets_are_found(void **state)
{
    static const km_pfn target[] = {TOP + 8, TOP + 3, TOP + 2, TOP + 1, TOP};
    struct rig *rig = looked_ahead();
    const struct km_hidden *h = &rig->r.hidden;

    (void)state;
    assert_int_equal(h->runs, 1);
    assert_int_equal(h->nr_groups, 1);
    assert_int_equal(h->group[0].index, 8);
    assert_int_equal(h->group[0].wanted, 5);
    assert_int_equal(h->group[0].source, LOW + 4);
    assert_int_equal(h->isolated.nr, 2);
    assert_int_equal(h->isolated.item[0].pfn, TOP);
    assert_int_equal(h->isolated.item[0].order, 2);
    assert_int_equal(h->isolated.item[1].pfn, TOP + 8);
    assert_int_equal(h->isolated.item[1].order, 0);
    assert_int_equal(h->nr_freed, 5);
    for (unsigned i = 0; i < 5; i++)
        assert_int_equal(h->freed[i].target, target[i]);
    rig_free(rig);
}

static void replay(struct rig *rig, const struct km_replay_mode_ops *mode)
{
    struct km_replay *r = &rig->r;
    struct km_event ev;
    struct km_err err = {0};
    uint64_t index = 0;

    for (km_pfn p = TOP; p < TOP + 4; p++)
        rig_give(rig, p, 0, KM_MT_MOVABLE);
    rig_give(rig, TOP + 8, 0, KM_MT_MOVABLE);
    rig_give(rig, TOP + 12, 0, KM_MT_MOVABLE);
    r->mode = mode;
    assert_int_equal(km_trace_open(&r->trace, rig->path, &err), KM_OK);
    while (km_trace_next(r->trace, &ev, &err) > 0)
        km_replay_isolate(r, &r->guest.cpu[ev.cpu], &ev, ++index);
    assert_int_equal(index, 15);
}

static void oracle_takes_the_very_blocks(void **state)
{
    struct rig *rig = looked_ahead();

    (void)state;
    replay(rig, &km_replay_oracle);
    assert_int_equal(rig->r.isolated_pages, 5);
    assert_int_equal(rig_blocks(rig, 0), 1);
    assert_int_equal(rig_blocks(rig, 2), 0);
    assert_true(rig_is_free(rig, TOP + 12, 0));
    rig_free(rig);
}

/* The other modes run the scanner: with the pageblock's pages scanned from its first on, it takes the block and the
 * next single page, and the frames the kernel moved pages to stand for them. */
static void scanner_is_repeated(void **state)
{
    struct rig *rig = looked_ahead();

    (void)state;
    replay(rig, &km_replay_buddy);
    assert_int_equal(rig->r.isolated_pages, 5);
    assert_int_equal(rig_blocks(rig, 0), 1);
    assert_true(rig_is_free(rig, TOP + 12, 0));
    assert_int_equal(km_page_map_get(&rig->r.map, TOP + 8), TOP + 8);
    for (km_pfn p = TOP; p < TOP + 4; p++)
        assert_int_equal(km_page_map_get(&rig->r.map, p), p);
    km_compact_close(&rig->r);
    rig_free(rig);
}

/* Where the model's free pages lie elsewhere, its own are taken instead. */
static void scanner_takes_what_is_there(void **state)
{
    struct rig *rig = looked_ahead();
    km_pfn other = RIG_BLOCK(18) + 64;

    (void)state;
    for (km_pfn p = other; p < other + 8; p++)
        rig_give(rig, p, 0, KM_MT_MOVABLE);
    rig->r.mode = &km_replay_buddy;
    assert_int_equal(km_trace_open(&rig->r.trace, rig->path, NULL), KM_OK);
    rig_give(rig, RIG_BLOCK(2), 5, KM_MT_MOVABLE); /* the mark is kept */
    struct km_event ev;

    for (uint64_t index = 1; km_trace_next(rig->r.trace, &ev, NULL) > 0; index++)
        km_replay_isolate(&rig->r, &rig->r.guest.cpu[ev.cpu], &ev, index);
    assert_int_equal(km_page_map_get(&rig->r.map, TOP + 8), other + 7); /* the last isolated comes first */
    assert_int_equal(km_page_map_get(&rig->r.map, TOP), other + 3);
    assert_int_equal(rig_blocks(rig, 0), 1); /* three were not needed: given back */
    assert_int_equal(rig_blocks(rig, 1), 1);
    assert_true(rig_is_free(rig, other, 0));
    km_compact_close(&rig->r);
    rig_free(rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(targets_are_found),
        cmocka_unit_test(oracle_takes_the_very_blocks),
        cmocka_unit_test(scanner_is_repeated),
        cmocka_unit_test(scanner_takes_what_is_there),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
