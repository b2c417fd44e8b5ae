/* SPDX-License-Identifier: MIT
 * test_lookahead.c - what later events tell about the start: list types, their order, per-CPU lists.
 */
#include "tests/unit/workload/replay_rig.h"

#include "sim/workload/lookahead.h"

struct scene {
    struct rig *rig;
    struct km_lookahead la;
};

static struct scene *scene_new(void)
{
    struct scene *s = calloc(1, sizeof(*s));

    s->rig = rig_new();
    assert_int_equal(km_lookahead_init(&s->la, s->rig->r.guest.facts.max_pfn, 9, NULL), KM_OK);
    return s;
}

static void scene_free(struct scene *s)
{
    km_lookahead_release(&s->la);
    rig_free(s->rig);
    free(s);
}

/* A block that is free at the start; its list is not known. */
static void start_block(struct scene *s, km_pfn pfn, unsigned order)
{
    rig_give(s->rig, pfn, order, KM_MT_MOVABLE);
    s->la.block_order[pfn] = (uint8_t)(order + 1);
}

static void see(struct scene *s, enum km_event_type type, unsigned cpu, km_pfn pfn, unsigned order, int mt)
{
    struct km_event ev = page_event(type, cpu, pfn, order, mt);

    km_lookahead_event(&s->la, &s->rig->r.guest, &ev, ++s->rig->r.index);
}

static void carve(struct scene *s, km_pfn pfn, unsigned order, int mt)
{
    see(s, KM_EV_PAGE_ALLOC_ZONE_LOCKED, 0, pfn, order, mt);
}

static void steal(struct scene *s, km_pfn pfn, unsigned order, int from, int to)
{
    struct km_event ev = {.type = KM_EV_PAGE_ALLOC_EXTFRAG,
                          .extfrag = {.pfn = pfn,
                                      .alloc_order = 0,
                                      .fallback_order = (uint8_t)order,
                                      .pageblock_order = 9,
                                      .alloc_migratetype = (int8_t)to,
                                      .fallback_migratetype = (int8_t)from}};

    km_lookahead_event(&s->la, &s->rig->r.guest, &ev, ++s->rig->r.index);
}

/* start: [A order 2] [B order 0] [C order 2, never touched]; carved: B for type 2, then a page of A for type 1 */
static void the_first_carving_shows_type_and_order(void **state)
{
    struct scene *s = scene_new();
    km_pfn a = RIG_BLOCK(1), b = RIG_BLOCK(1) + 8, c = RIG_BLOCK(1) + 16;

    (void)state;
    start_block(s, a, 2);
    start_block(s, b, 0);
    start_block(s, c, 2);
    carve(s, b, 0, KM_MT_RECLAIMABLE);
    carve(s, a, 0, KM_MT_MOVABLE);
    carve(s, a + 1, 0, KM_MT_UNMOVABLE); /* the rest of A: tells nothing about the start */
    assert_int_equal(s->la.block_type[b], KM_MT_RECLAIMABLE);
    assert_int_equal(s->la.block_type[a], KM_MT_MOVABLE);
    assert_int_equal(s->la.block_type[c], KM_TYPE_UNKNOWN);
    assert_int_equal(s->la.carve_seq[b], 1);
    assert_int_equal(s->la.carve_seq[a], 2);
    assert_int_equal(s->la.carve_seq[c], 0);
    assert_int_equal(s->la.irregular, 0);
    scene_free(s);
}

/* start: [used page pair][A order 1]; the pair is drained and merges with A: where A was is lost, even if it is split
 * off again */
static void a_merged_block_stays_unknown(void **state)
{
    struct scene *s = scene_new();
    km_pfn a = RIG_BLOCK(1) + 2;

    (void)state;
    start_block(s, a, 1);
    see(s, KM_EV_PAGE_PCPU_DRAIN, 0, a - 2, 1, KM_MT_MOVABLE);
    carve(s, a - 2, 1, KM_MT_MOVABLE);
    carve(s, a, 0, KM_MT_UNMOVABLE); /* A has its old order again */
    assert_int_equal(s->la.block_type[a], KM_TYPE_UNKNOWN);
    assert_int_equal(s->la.carve_seq[a], 0);
    scene_free(s);
}

/* A steal names the donor's type; every other free block of the pageblock that is not known yet had it too, but a
 * block that was carved before the steal keeps what it showed. */
static void a_steal_shows_the_types_of_its_pageblock(void **state)
{
    struct scene *s = scene_new();
    km_pfn donor = RIG_BLOCK(2), other = RIG_BLOCK(2) + 64, before = RIG_BLOCK(2) + 128, outside = RIG_BLOCK(3);

    (void)state;
    start_block(s, donor, 4);
    start_block(s, other, 2);
    start_block(s, before, 0);
    start_block(s, outside, 4);
    carve(s, before, 0, KM_MT_RECLAIMABLE);
    steal(s, donor, 4, KM_MT_MOVABLE, KM_MT_UNMOVABLE);
    carve(s, donor, 0, KM_MT_UNMOVABLE);
    assert_int_equal(s->la.block_type[donor], KM_MT_MOVABLE); /* not what it was carved for */
    assert_int_equal(s->la.block_type[other], KM_MT_MOVABLE);
    assert_int_equal(s->la.block_type[before], KM_MT_RECLAIMABLE);
    assert_int_equal(s->la.block_type[outside], KM_TYPE_UNKNOWN);
    assert_int_equal(s->la.carve_seq[donor], 2);
    assert_int_equal(s->la.carve_seq[other], 0); /* its place on the list was not seen */
    scene_free(s);
}

/* Drains name the pageblock's type; carvings are weaker evidence. */
static void pageblock_types_come_from_drains(void **state)
{
    struct scene *s = scene_new();

    (void)state;
    start_block(s, RIG_BLOCK(4), 3);
    carve(s, RIG_BLOCK(4), 0, KM_MT_UNMOVABLE);
    see(s, KM_EV_PAGE_PCPU_DRAIN, 0, RIG_BLOCK(5) + 3, 0, KM_MT_RECLAIMABLE);
    see(s, KM_EV_PAGE_PCPU_DRAIN, 0, RIG_BLOCK(5) + 7, 0, KM_MT_MOVABLE); /* changed later */
    assert_int_equal(s->la.pageblock_type[RIG_BLOCK(4) >> 9], KM_TYPE_UNKNOWN);
    assert_int_equal(s->la.pageblock_hint[RIG_BLOCK(4) >> 9], KM_MT_UNMOVABLE);
    assert_int_equal(s->la.pageblock_type[RIG_BLOCK(5) >> 9], KM_MT_RECLAIMABLE);
    scene_free(s);
}

/* cpu 1's list at the start, head to tail:  p q ... t u
 * p and q are allocated with nothing freed or refilled before; u, then t, are drained from the tail. */
static void pages_of_the_start_lists_show_at_both_ends(void **state)
{
    struct scene *s = scene_new();
    km_pfn p = RIG_BLOCK(6), q = p + 2, t = p + 4, u = p + 6, young = p + 8;

    (void)state;
    see(s, KM_EV_PAGE_ALLOC, 1, p, 0, KM_MT_MOVABLE);
    see(s, KM_EV_PAGE_ALLOC, 1, q, 0, KM_MT_UNMOVABLE);
    see(s, KM_EV_PAGE_FREE, 1, young, 0, KM_MT_MOVABLE);
    see(s, KM_EV_PAGE_ALLOC, 1, young, 0, KM_MT_MOVABLE); /* freed after the start: no evidence */
    see(s, KM_EV_PAGE_PCPU_DRAIN, 1, u, 0, KM_MT_MOVABLE);
    see(s, KM_EV_PAGE_PCPU_DRAIN, 1, t, 0, KM_MT_MOVABLE);
    assert_int_equal(s->la.front.nr, 2);
    assert_int_equal(s->la.front.entry[0].pfn, p);
    assert_int_equal(s->la.front.entry[1].pfn, q);
    assert_int_equal(s->la.front.entry[0].cpu, 1);
    assert_int_equal(s->la.front.entry[1].migratetype, KM_MT_UNMOVABLE);
    assert_int_equal(s->la.back.nr, 2);
    assert_int_equal(s->la.back.entry[0].pfn, u);
    assert_int_equal(s->la.back.entry[1].pfn, t);
    assert_false(s->la.emptied[1][KM_ZONE_NORMAL][0][KM_MT_MOVABLE]);
    scene_free(s);
}

/* A page freed to a per-CPU list and allocated from it again shows its pageblock's type; a page that was never freed
 * since the start only hints at it. */
static void reused_pages_show_the_type_of_their_pageblock(void **state)
{
    struct scene *s = scene_new();
    km_pfn p = RIG_BLOCK(6), q = RIG_BLOCK(7);

    (void)state;
    see(s, KM_EV_PAGE_FREE, 0, p, 0, -1);
    see(s, KM_EV_PAGE_ALLOC, 0, p, 0, KM_MT_RECLAIMABLE);
    see(s, KM_EV_PAGE_ALLOC, 0, q, 0, KM_MT_UNMOVABLE);
    assert_int_equal(s->la.pageblock_type[p >> 9], KM_MT_RECLAIMABLE);
    assert_int_equal(s->la.pageblock_type[q >> 9], KM_TYPE_UNKNOWN);
    assert_int_equal(s->la.pageblock_hint[q >> 9], KM_MT_UNMOVABLE);
    scene_free(s);
}

/* A refill finds its list empty; a drain of a page freed since the start means the old ones are gone. */
static void emptied_lists_are_noted(void **state)
{
    struct scene *s = scene_new();
    km_pfn b = RIG_BLOCK(7);

    (void)state;
    start_block(s, b, 3);
    carve(s, b, 0, KM_MT_UNMOVABLE);
    assert_true(s->la.emptied[0][KM_ZONE_NORMAL][0][KM_MT_UNMOVABLE]);
    assert_false(s->la.emptied[1][KM_ZONE_NORMAL][0][KM_MT_UNMOVABLE]);
    see(s, KM_EV_PAGE_FREE, 1, b + 32, 0, KM_MT_MOVABLE);
    see(s, KM_EV_PAGE_PCPU_DRAIN, 1, b + 32, 0, KM_MT_MOVABLE);
    assert_true(s->la.emptied[1][KM_ZONE_NORMAL][0][KM_MT_MOVABLE]);
    scene_free(s);
}

static void nonsense_is_counted_and_survived(void **state)
{
    struct scene *s = scene_new();

    (void)state;
    carve(s, RIG_BLOCK(8), 0, KM_MT_MOVABLE); /* nothing is free there */
    assert_int_equal(s->la.irregular, 1);
    carve(s, 0x3fffff, 0, KM_MT_MOVABLE); /* no such frame */
    carve(s, RIG_BLOCK(8), 31, KM_MT_MOVABLE);
    steal(s, 0xfffffff0u, 10, KM_MT_MOVABLE, KM_MT_UNMOVABLE);
    see(s, KM_EV_PAGE_FREE, 0, KM_PFN_NONE, 0, -1);
    see(s, KM_EV_PAGE_PCPU_DRAIN, 0, RIG_BLOCK(9), 0, -1);
    assert_int_equal(s->la.pageblock_type[RIG_BLOCK(9) >> 9], KM_TYPE_UNKNOWN);
    scene_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_carving_shows_type_and_order),
        cmocka_unit_test(a_merged_block_stays_unknown),
        cmocka_unit_test(a_steal_shows_the_types_of_its_pageblock),
        cmocka_unit_test(pageblock_types_come_from_drains),
        cmocka_unit_test(pages_of_the_start_lists_show_at_both_ends),
        cmocka_unit_test(reused_pages_show_the_type_of_their_pageblock),
        cmocka_unit_test(emptied_lists_are_noted),
        cmocka_unit_test(nonsense_is_counted_and_survived),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
