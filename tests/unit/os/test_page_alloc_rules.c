/* SPDX-License-Identifier: MIT
 * test_page_alloc_rules.c - the rules that decide which page frame comes next, one by one.
 *
 * Each test names the rule, draws the lists or blocks concerned and states what must come out. The
 * guest is the one of small_guest.h; values marked "real" were reported by real 6.1 kernels.
 */
#include "tests/unit/os/small_guest.h"

/* Short names for drawings. */
#define U KM_MT_UNMOVABLE
#define M KM_MT_MOVABLE
#define R KM_MT_RECLAIMABLE
#define HA KM_MT_HIGHATOMIC
#define DMA KM_ZONE_DMA
#define NORMAL KM_ZONE_NORMAL
#define HIGH KM_ZONE_HIGHMEM

static struct small_guest guest;

static const struct km_personality *kernel(void)
{
    return guest.os.p.personality;
}

static int boot(void **state)
{
    *state = &guest;
    guest_boot(&guest);
    return 0;
}

static int shut_down(void **state)
{
    guest_close(*state);
    return 0;
}

static km_pfn take_own(struct small_guest *g, unsigned z, unsigned order, unsigned mt)
{
    return km_buddy_take_own(&g->os, &g->cpu[0], (enum km_zone_id)z, order,
                             (enum km_migratetype)mt);
}

static km_pfn take(struct small_guest *g, unsigned z, unsigned order, unsigned mt)
{
    return km_buddy_take(&g->os, &g->cpu[0], (enum km_zone_id)z, order, (enum km_migratetype)mt,
                         KM_ALLOC_KSWAPD);
}

static void give(struct small_guest *g, unsigned z, km_pfn pfn, unsigned order, unsigned mt)
{
    km_buddy_free(&g->os, &g->cpu[0], (enum km_zone_id)z, pfn, order, (enum km_migratetype)mt,
                  false);
}

static unsigned type_of(struct small_guest *g, unsigned z, km_pfn pfn)
{
    return km_pageblock_type(&g->os, &g->cpu[0], (enum km_zone_id)z, pfn);
}

static void set_type(struct small_guest *g, unsigned z, km_pfn pfn, unsigned mt)
{
    km_pageblock_set_type(&g->os, &g->cpu[0], (enum km_zone_id)z, pfn, (enum km_migratetype)mt);
}

/* Takes every free block of a zone, so that a test can give back just what it needs. */
static void empty_zone(struct small_guest *g, unsigned z)
{
    for (unsigned mt = 0; mt < KM_MT_PCP_TYPES; mt++)
        for (unsigned order = KM_NR_ORDERS; order-- > 0;)
            while (take_own(g, z, order, mt) != KM_PFN_NONE)
                ;
    assert_int_equal(guest_zone_word(g, (enum km_zone_id)z, KM_ZONE_NR_FREE_PAGES), 0);
    guest_forget_events(g);
}

/* The pages of a range are (not) on an LRU list: what stealing counts as movable. */
static void set_lru(struct small_guest *g, km_pfn first, km_pfn end, bool on)
{
    for (km_pfn p = first; p < end; p++) {
        km_vaddr flags = km_page_va(&g->os, p) + KM_PAGE_FLAGS;
        uint32_t old = km_peek32(g->window, flags);

        km_st32(&g->cpu[0], flags, on ? old | KM_PG_LRU : old & ~(uint32_t)KM_PG_LRU);
    }
}

static const struct km_tp *last_extfrag(const struct small_guest *g)
{
    for (unsigned i = g->nr_tp; i-- > 0;)
        if (g->tp[i].kind == KM_TP_EXTFRAG)
            return &g->tp[i];
    fail_msg("no extfrag event");
    return NULL;
}

/* ---- boot ---- */

/* Rule: low memory is freed in the largest aligned blocks, ascending, to the tail: lists ascend. A
 * pageblock whose first page is no RAM stays UNMOVABLE. Real: zone DMA after boot has one UNMOVABLE
 * block of order 8 at 0x100, one of order 9 and three of order 10, MOVABLE.
 *
 *   0x1010 |4|5|6|7|8| 9 |10|10|10|10|10|10| 9 |8|6|4|3|2|1| 0x2f5e      orders of the cuts
 */
static void test_boot_low_memory_ascends(void **state)
{
    struct small_guest *g = *state;

    guest_check(g);
    EXPECT_FREE_LIST(g, DMA, 8, U, 0x100);
    EXPECT_FREE_LIST(g, DMA, 9, M, 0x200);
    EXPECT_FREE_LIST(g, DMA, 10, M, 0x400, 0x800, 0xc00);
    EXPECT_FREE_LIST(g, NORMAL, 10, M, 0x1400, 0x1800, 0x1c00, 0x2000, 0x2400, 0x2800);
    EXPECT_FREE_LIST(g, NORMAL, 9, M, 0x1200, 0x2c00);
    EXPECT_FREE_LIST(g, NORMAL, 8, M, 0x1100, 0x2e00);
    EXPECT_FREE_LIST(g, NORMAL, 7, M, 0x1080);
    EXPECT_FREE_LIST(g, NORMAL, 6, M, 0x1040, 0x2f00);
    EXPECT_FREE_LIST(g, NORMAL, 5, M, 0x1020);
    EXPECT_FREE_LIST(g, NORMAL, 4, M, 0x1010, 0x2f40);
    EXPECT_FREE_LIST(g, NORMAL, 3, M, 0x2f50);
    EXPECT_FREE_LIST(g, NORMAL, 2, M, 0x2f58);
    EXPECT_FREE_LIST(g, NORMAL, 1, M, 0x2f5c);
    expect_empty_list(g, NORMAL, 0, M);
    assert_int_equal(guest_zone_word(g, DMA, KM_ZONE_MANAGED), 3840); /* real */
    assert_int_equal(guest_zone_word(g, DMA, KM_ZONE_SPANNED), 4095); /* real: starts at page 1 */
    assert_int_equal(guest_zone_word(g, DMA, KM_ZONE_PRESENT), 3998); /* real */
    assert_int_equal(guest_zone_word(g, NORMAL, KM_ZONE_MANAGED),
                     GUEST_MEMMAP_PFN - GUEST_FREE_PFN);
}

/* Rule: high memory is freed page by page; a block that completes order 10 goes to the head, so the
 * list descends. The pageblock cut by the border keeps UNMOVABLE in HighMem and is MOVABLE in
 * Normal.
 */
static void test_boot_high_memory_descends(void **state)
{
    struct small_guest *g = *state;

    EXPECT_FREE_LIST(g, HIGH, 10, M, 0x3c00, 0x3800, 0x3400, 0x3000);
    EXPECT_FREE_LIST(g, HIGH, 1, U, 0x2ffe);
    assert_int_equal(type_of(g, HIGH, 0x2ffe), U);
    assert_int_equal(type_of(g, NORMAL, 0x2ffd), M);
    assert_int_equal(type_of(g, DMA, 1), U);
    assert_int_equal(type_of(g, DMA, 0x200), M);
    assert_int_equal(take_own(g, HIGH, 0, M), 0x3c00); /* the highest block, its lowest page */
    for (unsigned order = 0; order < 10; order++)
        EXPECT_FREE_LIST(g, HIGH, order, M, 0x3c00 + (1u << order));
    guest_check(g);
}

/* Rule: a pageblock is MOVABLE only if its first page is RAM; later RAM in it does not count.
 *
 *   0x1200 ....... 0x13f0 | hole | 0x1410 ....... 0x1600
 *   MOVABLE               |   UNMOVABLE (0x1400)  | MOVABLE
 */
static void test_boot_hole_at_pageblock_start(void **state)
{
    static const struct km_pfn_range ram[] = {{1, 0x9f}, {0x100, 0x13f0}, {0x1410, GUEST_MAX_PFN}};
    struct small_guest *g = *state;
    const struct km_os_params params = g->os.p;

    km_boot_zones(&g->os, &g->cpu[0], &params, ram, KM_ARRAY_LEN(ram));
    km_boot_mem_map(&g->os, &g->cpu[0], (km_paddr)GUEST_MEMMAP_PFN << KM_PAGE_SHIFT, ram,
                    KM_ARRAY_LEN(ram));
    assert_int_equal(type_of(g, NORMAL, 0x1200), M);
    assert_int_equal(type_of(g, NORMAL, 0x1410), U);
    assert_int_equal(type_of(g, NORMAL, 0x1600), M);
    assert_int_equal(guest_zone_word(g, NORMAL, KM_ZONE_PRESENT), GUEST_LOW_PFN - 0x1000 - 0x20);
}

/* ---- placement ---- */

/* Rule: a freed block goes to the head, but to the tail if its parent's buddy is free (it will
 * merge soon), and always to the tail if the caller says so. From order 9 on always the head.
 *
 *   0x3c20 freed   0x3c21 in use   0x3c22..23 free (order 1)     -> 0x3c20 to the tail
 */
static void test_head_or_tail(void **state)
{
    struct small_guest *g = *state;

    assert_int_equal(take_own(g, HIGH, 10, M), 0x3c00);
    give(g, HIGH, 0x3c00, 0, M);
    give(g, HIGH, 0x3c10, 0, M);
    EXPECT_FREE_LIST(g, HIGH, 0, M, 0x3c10, 0x3c00);
    give(g, HIGH, 0x3c22, 1, M);
    give(g, HIGH, 0x3c20, 0, M);
    EXPECT_FREE_LIST(g, HIGH, 0, M, 0x3c10, 0x3c00, 0x3c20);
    km_buddy_free(&g->os, &g->cpu[0], HIGH, 0x3c30, 0, M, true);
    EXPECT_FREE_LIST(g, HIGH, 0, M, 0x3c10, 0x3c00, 0x3c20, 0x3c30);
    give(g, HIGH, 0x3c32, 0, M); /* parent's buddy 0x3c30 is free, but of order 0 only: head */
    EXPECT_FREE_LIST(g, HIGH, 0, M, 0x3c32, 0x3c10, 0x3c00, 0x3c20, 0x3c30);
    guest_check(g);
}

/* Rule: the tail rule at its last order: 8 looks at its parent's buddy of order 9, 9 does not look.
 *
 *   order 8:  0x3c00 in use  0x3d00 freed  |  0x3e00..0x3fff free (order 9)     -> tail
 *   order 9:  0x3800 freed   0x3a00 in use |  0x3c00..0x3fff free (order 10)    -> head
 */
static void test_tail_rule_ends_at_order_9(void **state)
{
    struct small_guest *g = *state;

    for (km_pfn want = 0x3c00; want >= 0x3000; want -= 0x400)
        assert_int_equal(take_own(g, HIGH, 10, M), want);
    give(g, HIGH, 0x3000, 8, M);
    give(g, HIGH, 0x3e00, 9, M);
    give(g, HIGH, 0x3d00, 8, M);
    EXPECT_FREE_LIST(g, HIGH, 8, M, 0x3000, 0x3d00);
    give(g, HIGH, 0x3c00, 8, M);
    EXPECT_FREE_LIST(g, HIGH, 10, M, 0x3c00);
    give(g, HIGH, 0x3200, 9, M);
    give(g, HIGH, 0x3800, 9, M);
    EXPECT_FREE_LIST(g, HIGH, 9, M, 0x3800, 0x3200);
    guest_check(g);
}

/* Rule: merging stops at the zone's border, at order 10 and at a buddy of another order; the merged
 * block is filed under the freed page's type, whatever list the buddy was on.
 */
static void test_merging(void **state)
{
    struct small_guest *g = *state;

    take_own(g, HIGH, 1, U);
    give(g, HIGH, 0x2fff, 0, U);
    give(g, HIGH, 0x2ffe, 0, M); /* buddy of order 1 would be 0x2ffc, of Normal and not free */
    EXPECT_FREE_LIST(g, HIGH, 1, M, 0x2ffe);
    expect_empty_list(g, HIGH, 0, U);

    assert_int_equal(take_own(g, HIGH, 10, M), 0x3c00);
    for (km_pfn p = 0x3c00; p < 0x4000; p++) {
        give(g, HIGH, p, 0, p & 1 ? U : R);
        guest_check(g);
    }
    EXPECT_FREE_LIST(g, HIGH, 10, U, 0x3c00); /* the last page freed was U */
    EXPECT_FREE_LIST(g, HIGH, 10, M, 0x3800, 0x3400, 0x3000);
}

/* Rule: two free buddies of different zones stay apart, whichever is freed last.
 *
 *   Normal 0x2ffc..0x2ffd | HighMem 0x2ffe..0x2fff       both free, order 1; together they were order 2
 */
static void test_zones_do_not_merge(void **state)
{
    struct small_guest *g = *state;

    for (unsigned normal_last = 0; normal_last < 2; normal_last++) {
        assert_int_equal(take_own(g, HIGH, 1, U), 0x2ffe);
        if (!normal_last)
            give(g, NORMAL, 0x2ffc, 1, R);
        give(g, HIGH, 0x2ffe, 1, U);
        if (normal_last)
            give(g, NORMAL, 0x2ffc, 1, R);
        EXPECT_FREE_LIST(g, NORMAL, 1, R, 0x2ffc);
        EXPECT_FREE_LIST(g, HIGH, 1, U, 0x2ffe);
        guest_check(g);
        assert_int_equal(take_own(g, NORMAL, 1, R), 0x2ffc);
    }
}

/* Rule: from pageblock order on, a HIGHATOMIC pageblock does not merge with another type's. */
static void test_highatomic_does_not_merge(void **state)
{
    struct small_guest *g = *state;

    assert_int_equal(take_own(g, HIGH, 10, M), 0x3c00);
    set_type(g, HIGH, 0x3c00, HA);
    give(g, HIGH, 0x3c00, 9, HA);
    give(g, HIGH, 0x3e00, 9, M);
    EXPECT_FREE_LIST(g, HIGH, 9, HA, 0x3c00);
    EXPECT_FREE_LIST(g, HIGH, 9, M, 0x3e00);
    guest_check(g);
}

/* ---- per-CPU lists ---- */

/* Makes the lists of both CPUs live in one zone with given limits. */
static void set_pcp(struct small_guest *g, unsigned z, uint32_t high, uint32_t batch)
{
    for (unsigned c = 0; c < GUEST_CPUS; c++)
        km_pcp_set_limits(&g->os, &g->cpu[c], (enum km_zone_id)z, c, high, batch);
}

static km_pfn pcp_take(struct small_guest *g, unsigned on_cpu, unsigned order, unsigned mt)
{
    return km_pcp_take(&g->os, &g->cpu[on_cpu], NORMAL, order, (enum km_migratetype)mt, 0);
}

static void pcp_free(struct small_guest *g, unsigned on_cpu, km_pfn pfn, unsigned order)
{
    km_pcp_free(&g->os, &g->cpu[on_cpu], NORMAL, pfn, order);
}

/* Rule: a refill appends to the tail, so pages leave in the order in which they were carved; a free
 * goes to the head, so the last page freed leaves first; a drain takes from the tail, the oldest
 * first.
 */
static void test_pcp_order(void **state)
{
    struct small_guest *g = *state;
    km_pfn carved[16], drained[16], got[8];

    set_pcp(g, NORMAL, 100, 8);
    got[0] = pcp_take(g, 0, 0, M);
    assert_int_equal(guest_events(g, KM_TP_ZONE_LOCKED, carved, 16), 8);
    assert_int_equal(got[0], carved[0]);
    expect_pcp_list(g, NORMAL, 0, M, carved + 1, 7);
    assert_int_equal(km_pcp_count(&g->os, g->window, NORMAL, 0), 7);
    assert_int_equal(km_pcp_count(&g->os, g->window, NORMAL, 1), 0);
    for (unsigned i = 1; i < 8; i++)
        assert_int_equal(pcp_take(g, 0, 0, M), carved[i]);
    assert_int_equal(guest_count_events(g, KM_TP_ZONE_LOCKED), 8); /* no second refill */

    for (unsigned i = 0; i < 3; i++)
        pcp_free(g, 1, carved[i], 0); /* on the other CPU's list */
    const km_pfn lifo[] = {carved[2], carved[1], carved[0]};

    expect_pcp_list(g, NORMAL, 1, M, lifo, 3);
    assert_int_equal(pcp_take(g, 1, 0, M), carved[2]);
    pcp_free(g, 1, carved[2], 0);
    km_pcp_drain(&g->os, &g->cpu[0], NORMAL, 1, 2);
    assert_int_equal(guest_events(g, KM_TP_PCPU_DRAIN, drained, 16), 2);
    assert_int_equal(drained[0], carved[0]);
    assert_int_equal(drained[1], carved[1]);
    guest_check(g);
}

/* Rule: a refill of order o takes max(batch >> o, 2) blocks; with batch 1 always one. */
static void test_pcp_refill_sizes(void **state)
{
    static const struct {
        uint32_t batch;
        unsigned order, blocks;
    } want[] = {{31, 0, 31}, {31, 1, 15}, {31, 2, 7}, {31, 3, 3}, {7, 2, 2},
                {7, 3, 2},   {1, 0, 1},   {1, 3, 1},  {63, 0, 63}};
    struct small_guest *g = *state;

    for (size_t i = 0; i < KM_ARRAY_LEN(want); i++) {
        if (want[i].order > kernel()->pcp_max_order)
            continue;
        guest_drain_all(g);
        guest_forget_events(g);
        set_pcp(g, NORMAL, 1000, want[i].batch);
        km_pfn pfn = pcp_take(g, 0, want[i].order, M);

        assert_int_equal(guest_count_events(g, KM_TP_ZONE_LOCKED), want[i].blocks);
        assert_int_equal(km_pcp_count(&g->os, g->window, NORMAL, 0), (want[i].blocks - 1)
                                                                         << want[i].order);
        pcp_free(g, 0, pfn, want[i].order);
        guest_check(g);
    }
}

/* Rule: at the limit a flush starts with the list just freed to, takes its oldest pages until it is
 * empty, then goes on with the next list upwards, around the end.
 *
 *   list      U: 3 pages   M: 2 pages   R: 1 page, and one more freed to M     limit 7, flush 4
 *   flushed   M M M (oldest first), then R; U is not reached
 */
static void test_pcp_flush_order(void **state)
{
    struct small_guest *g = *state;
    km_pfn block = take_own(g, NORMAL, 10, M), drained[16];

    RULE_NEEDS(!kernel()->pcp_drain_in_turn);
    set_type(g, NORMAL, block, U);
    set_type(g, NORMAL, block + 512, R);
    km_pfn m = take_own(g, NORMAL, 10, M);

    set_pcp(g, NORMAL, 7, 1);
    km_st32(&g->cpu[0], g->os.zone[NORMAL].pcp_va[0] + KM_PCP_FREE_FACTOR, 2); /* amount 1 << 2 */
    for (unsigned i = 0; i < 3; i++)
        pcp_free(g, 0, block + 2 * i, 0);
    pcp_free(g, 0, m, 0);
    pcp_free(g, 0, m + 2, 0);
    pcp_free(g, 0, block + 512, 0);
    guest_forget_events(g);
    pcp_free(g, 0, m + 4, 0);
    assert_int_equal(guest_events(g, KM_TP_PCPU_DRAIN, drained, 16), 4);
    assert_int_equal(drained[0], m);
    assert_int_equal(drained[1], m + 2);
    assert_int_equal(drained[2], m + 4);
    assert_int_equal(drained[3], block + 512);
    assert_int_equal(km_pcp_count(&g->os, g->window, NORMAL, 0), 3);
    guest_check(g);
}

/* Frees single pages of one order-10 block until a flush happens; returns its size. */
static unsigned free_until_flush(struct small_guest *g, km_pfn *next)
{
    guest_forget_events(g);
    while (!guest_count_events(g, KM_TP_PCPU_DRAIN)) {
        pcp_free(g, 0, *next, 0);
        *next += 1;
        g->nr_tp = g->nr_tp < GUEST_TPS ? g->nr_tp : 0;
    }
    return guest_count_events(g, KM_TP_PCPU_DRAIN);
}

/* Rule: a pure stream of frees flushes batch, 2 batch, 4 batch ... up to high - batch; the first
 * flush comes with page number `high`. Any allocation halves the factor. Limits 428/31 are real
 * (512 MiB, 2 CPUs), the sizes 31, 62, 124 were seen in its trace.
 */
static void test_pcp_flush_doubles(void **state)
{
    struct small_guest *g = *state;
    km_pfn first = take_own(g, NORMAL, 10, M), next = first;
    km_pfn more = take_own(g, NORMAL, 10, M);

    RULE_NEEDS(kernel()->pcp_free_factor_max);
    assert_int_equal(more, first + 1024); /* one run of 2048 pages */
    set_pcp(g, NORMAL, 428, 31);
    assert_int_equal(free_until_flush(g, &next), 31);
    assert_int_equal(next - first, 428);
    assert_int_equal(free_until_flush(g, &next), 62);
    assert_int_equal(next - first, 428 + 31);
    assert_int_equal(free_until_flush(g, &next), 124);
    assert_int_equal(free_until_flush(g, &next), 248);
    assert_int_equal(guest_pcp_word(g, NORMAL, 0, KM_PCP_FREE_FACTOR), 4);
    assert_int_equal(free_until_flush(g, &next), 428 - 31); /* 31 << 4 = 496 is too much */
    assert_int_equal(guest_pcp_word(g, NORMAL, 0, KM_PCP_FREE_FACTOR), 4);
    pcp_take(g, 0, 0, M);
    assert_int_equal(guest_pcp_word(g, NORMAL, 0, KM_PCP_FREE_FACTOR), 2);
    assert_int_equal(free_until_flush(g, &next), 124);
    guest_check(g);
}

/* Rule: once frees have raised the factor, a freed block of order 1 to 3 flushes all lists of the
 * zone; before that, and for order 0, it does not.
 */
static void test_pcp_high_order_free_flushes_all(void **state)
{
    struct small_guest *g = *state;
    km_pfn block = take_own(g, NORMAL, 10, M);

    RULE_NEEDS(kernel()->pcp_max_order);
    for (unsigned order = 0; order <= 3; order++) {
        set_pcp(g, NORMAL, 100, 8);
        for (unsigned i = 0; i < 10; i++)
            pcp_free(g, 0, block + 2 * i, 0);
        pcp_free(g, 0, block + 64, order);
        assert_int_equal(km_pcp_count(&g->os, g->window, NORMAL, 0), 10 + (1u << order));
        km_st32(&g->cpu[0], g->os.zone[NORMAL].pcp_va[0] + KM_PCP_FREE_FACTOR, 1);
        pcp_free(g, 0, block + 128, order);
        assert_int_equal(km_pcp_count(&g->os, g->window, NORMAL, 0), order ? 0 : 12);
        assert_int_equal(guest_pcp_word(g, NORMAL, 0, KM_PCP_FREE_FACTOR), 1);
        km_st32(&g->cpu[0], g->os.zone[NORMAL].pcp_va[0] + KM_PCP_FREE_FACTOR, 0);
        guest_drain_all(g);
        for (unsigned i = 0; i < 10; i++)
            assert_true(km_buddy_take_at(&g->os, &g->cpu[0], NORMAL, block + 2 * i, 0, M));
        assert_true(km_buddy_take_at(&g->os, &g->cpu[0], NORMAL, block + 64, order, M));
        assert_true(km_buddy_take_at(&g->os, &g->cpu[0], NORMAL, block + 128, order, M));
        guest_check(g);
    }
}

/* Rule: boot pagesets (high 0, batch 1) pass every free straight through and fetch one page per
 * refill. */
static void test_boot_pagesets(void **state)
{
    struct small_guest *g = *state;
    uint32_t before = guest_zone_word(g, NORMAL, KM_ZONE_NR_FREE_PAGES);
    km_pfn pfn = pcp_take(g, 0, 0, M);

    assert_int_equal(guest_zone_word(g, NORMAL, KM_ZONE_NR_FREE_PAGES), before - 1);
    assert_int_equal(km_pcp_count(&g->os, g->window, NORMAL, 0), 0);
    pcp_free(g, 0, pfn, 0);
    assert_int_equal(guest_zone_word(g, NORMAL, KM_ZONE_NR_FREE_PAGES), before);
    assert_int_equal(km_pcp_count(&g->os, g->window, NORMAL, 0), 0);
    EXPECT_FREE_LIST(g, NORMAL, 1, M, 0x2f5c); /* merged again */
    guest_check(g);
}

/* Rule: HIGHATOMIC pages are kept on the MOVABLE per-CPU list but go back to their own free list.
 */
static void test_pcp_highatomic(void **state)
{
    struct small_guest *g = *state;
    km_pfn block = take_own(g, NORMAL, 10, M);

    set_pcp(g, NORMAL, 100, 8);
    set_type(g, NORMAL, block, HA);
    pcp_free(g, 0, block, 0);
    expect_pcp_list(g, NORMAL, 0, M, &block, 1);
    guest_drain_all(g);
    EXPECT_FREE_LIST(g, NORMAL, 0, HA, block);
    guest_check(g);
}

/* Rule: with transparent huge pages, order 9 has lists of its own: 13 for movable blocks, 12 for
 * others. */
static void test_pcp_thp_lists(void **state)
{
    static struct small_guest g;
    km_pfn movable, other;

    (void)state;
    RULE_NEEDS(test_personality()->pcp_thp_lists);
    guest_boot_with(&g, true);
    set_pcp(&g, NORMAL, 5000, 63);
    movable = take_own(&g, NORMAL, 9, M);
    other = take_own(&g, NORMAL, 9, M);
    set_type(&g, NORMAL, other, U);
    pcp_free(&g, 0, movable, 9);
    pcp_free(&g, 0, other, 9);
    expect_pcp_list(&g, NORMAL, 0, 13, &movable, 1);
    expect_pcp_list(&g, NORMAL, 0, 12, &other, 1);
    assert_int_equal(km_pcp_count(&g.os, g.window, NORMAL, 0), 1024);
    guest_check(&g);
    guest_close(&g);
}

/* ---- fallback ---- */

/* Rule: the largest donor wins; at equal order UNMOVABLE takes from RECLAIMABLE before MOVABLE,
 * MOVABLE from RECLAIMABLE before UNMOVABLE, RECLAIMABLE from UNMOVABLE before MOVABLE.
 *
 *   free: one block of order 5 of each donor type; then one larger block of the second choice
 */
static void test_fallback_donor_order(void **state)
{
    static const unsigned donors[3][2] = {{R, M}, {R, U}, {U, M}};
    struct small_guest *g = *state;

    for (unsigned wanted = 0; wanted < 3; wanted++)
        for (unsigned larger = 0; larger < 2; larger++) {
            unsigned donor = donors[wanted][larger];

            empty_zone(g, NORMAL);
            set_type(g, NORMAL, 0x1400, donors[wanted][0]);
            set_type(g, NORMAL, 0x1600, donors[wanted][1]);
            give(g, NORMAL, 0x1400, 5, donors[wanted][0]);
            give(g, NORMAL, 0x1600, 5, donors[wanted][1]);
            if (larger)
                give(g, NORMAL, 0x1640, 6, donors[wanted][1]);
            assert_int_not_equal(take(g, NORMAL, 0, wanted), KM_PFN_NONE);
            assert_int_equal(last_extfrag(g)->fallback_migratetype, donor);
            assert_int_equal(last_extfrag(g)->fallback_order, larger ? 6 : 5);
            assert_int_equal(last_extfrag(g)->migratetype, wanted);
            guest_check(g);
        }
}

/* Rule: a MOVABLE request whose largest donor is below half a pageblock's order takes the smallest
 * one instead, alone; from order 4 (9 / 2) on it takes the largest with its pageblock.
 *
 *   U pageblock   free: order 1 and order 3           -> order 1, type unchanged
 *   U pageblock   free: order 1 and order 4           -> order 4, all free blocks move
 */
static void test_fallback_movable_smallest(void **state)
{
    struct small_guest *g = *state;

    RULE_NEEDS(kernel()->fallback_smallest_movable);
    for (unsigned large = 3; large <= 4; large++) {
        empty_zone(g, NORMAL);
        set_type(g, NORMAL, 0x1400, U);
        set_lru(g, 0x1400, 0x1600, false);
        give(g, NORMAL, 0x1400, 1, U);
        give(g, NORMAL, 0x1410, large, U);
        assert_int_equal(take(g, NORMAL, 0, M), 0x1400);
        assert_int_equal(last_extfrag(g)->fallback_order, large == 3 ? 1 : 4);
        assert_int_equal(last_extfrag(g)->pfn, large == 3 ? 0x1400 : 0x1410);
        assert_false(last_extfrag(g)->flag);
        assert_int_equal(type_of(g, NORMAL, 0x1400), U);
        if (large == 3)
            EXPECT_FREE_LIST(g, NORMAL, 3, U, 0x1410);
        else
            EXPECT_FREE_LIST(g, NORMAL, 4, M, 0x1410);
        guest_check(g);
    }
}

/* Rule: the wanted order itself is taken as found: no second search when the largest donor has it.
 */
static void test_fallback_movable_exact_order(void **state)
{
    struct small_guest *g = *state;

    empty_zone(g, NORMAL);
    set_type(g, NORMAL, 0x1400, U);
    give(g, NORMAL, 0x1420, 2, U);
    give(g, NORMAL, 0x1410, 2, U); /* head of its list */
    assert_int_equal(take(g, NORMAL, 2, M), 0x1410);
    EXPECT_FREE_LIST(g, NORMAL, 2, U, 0x1420);
    guest_check(g);
}

/* Rule: a whole-block steal moves every free block of the pageblock, ascending, to the tail; then
 * the smallest sufficient block is taken, which need not be the one that triggered the steal.
 *
 *   MOVABLE pageblock at 0x1400    free: 0x1404 (0), 0x1408 (3), 0x1410 (3)
 *   request UNMOVABLE order 0      donor 0x1410 (head of order 3), page taken 0x1404
 */
static void test_fallback_takes_smallest_after_steal(void **state)
{
    struct small_guest *g = *state;

    RULE_NEEDS(!kernel()->fallback_takes_found);
    empty_zone(g, NORMAL);
    set_lru(g, 0x1400, 0x1600, true);
    give(g, NORMAL, 0x1404, 0, M);
    give(g, NORMAL, 0x1408, 3, M);
    give(g, NORMAL, 0x1418, 3, M);
    assert_int_equal(take(g, NORMAL, 0, U), 0x1404);
    assert_int_equal(last_extfrag(g)->pfn, 0x1418);
    EXPECT_FREE_LIST(g, NORMAL, 3, U, 0x1408, 0x1418);
    expect_empty_list(g, NORMAL, 3, M);
    guest_check(g);
}

/* Rule: the pageblock changes its type if its free pages and those alike are at least half of it.
 * Alike are, for a MOVABLE request, occupied pages on the LRU; for others, when the block was
 * MOVABLE, occupied pages that are not; else none.
 *
 *   [ free | on LRU ...          | neither ... ]      512 pages, boundary at 256
 */
static void test_fallback_changes_ownership(void **state)
{
    static const struct {
        unsigned wanted, old, lru; /* pages on the LRU, from the end of the block */
        bool changes;
    } want[] = {
        {U, M, 256, true},  /* 16 free + 240 neither = 256 */
        {U, M, 257, false}, /* 255 */
        {R, M, 256, true},  {R, M, 257, false},
        {U, R, 0, false},                      /* nothing is alike: 16 free only */
        {R, U, 0, false},   {M, U, 240, true}, /* 16 free + 240 on the LRU */
        {M, U, 239, false}, {M, R, 240, true},
    };
    struct small_guest *g = *state;

    for (size_t i = 0; i < KM_ARRAY_LEN(want); i++) {
        empty_zone(g, NORMAL);
        set_type(g, NORMAL, 0x1400, want[i].old);
        set_lru(g, 0x1400, 0x1600, false);
        set_lru(g, 0x1600 - want[i].lru, 0x1600, true);
        give(g, NORMAL, 0x1400, 4, want[i].old);
        assert_int_equal(take(g, NORMAL, 0, want[i].wanted), 0x1400);
        bool changes = want[i].changes && kernel()->fallback_counts_alike;

        assert_int_equal(type_of(g, NORMAL, 0x1400), changes ? want[i].wanted : want[i].old);
        assert_int_equal(last_extfrag(g)->flag, changes);
        EXPECT_FREE_LIST(g, NORMAL, 3, want[i].wanted, 0x1408); /* the free pages moved anyway */
        guest_check(g);
    }
}

/* Rule: a donor of pageblock order or more gives all its pageblocks, and nothing is boosted. */
static void test_fallback_whole_pageblocks(void **state)
{
    struct small_guest *g = *state;

    empty_zone(g, NORMAL);
    guest_set_zone_word(g, NORMAL, KM_ZONE_WATERMARK + 8, 1000);
    give(g, NORMAL, 0x1400, 10, M);
    assert_int_equal(take(g, NORMAL, 0, U), 0x1400);
    assert_int_equal(type_of(g, NORMAL, 0x1400), U);
    assert_int_equal(type_of(g, NORMAL, 0x1600), U);
    assert_int_equal(last_extfrag(g)->fallback_order, 10);
    assert_true(last_extfrag(g)->flag);
    EXPECT_FREE_LIST(g, NORMAL, 9, U, 0x1600);
    assert_int_equal(guest_zone_word(g, NORMAL, KM_ZONE_BOOST), 0);
    guest_check(g);
}

/* Rule: stealing below pageblock order boosts the marks by one pageblock at a time, at most 150 %
 * of HIGH but at least one pageblock; not at all if HIGH is 0 or the zone is smaller than four
 * pageblocks. */
static void test_fallback_boosts_watermark(void **state)
{
    static const struct {
        uint32_t high, managed, boost[3];
    } want[] = {
        {1000, 8000, {512, 1024, 1500}}, {100, 8000, {512, 512, 512}}, {0, 8000, {0, 0, 0}},
        {1000, 2048, {512, 1024, 1500}}, {1000, 2047, {0, 0, 0}},
    };
    struct small_guest *g = *state;

    for (size_t i = 0; i < KM_ARRAY_LEN(want); i++) {
        guest_set_zone_word(g, NORMAL, KM_ZONE_BOOST, 0);
        guest_set_zone_word(g, NORMAL, KM_ZONE_WATERMARK + 8, want[i].high);
        guest_set_zone_word(g, NORMAL, KM_ZONE_MANAGED, want[i].managed);
        for (unsigned n = 0; n < 3; n++) {
            empty_zone(g, NORMAL);
            set_type(g, NORMAL, 0x1400, M);
            give(g, NORMAL, 0x1400, 0, M);
            assert_int_equal(take(g, NORMAL, 0, U), 0x1400);
            assert_int_equal(guest_zone_word(g, NORMAL, KM_ZONE_BOOST),
                             kernel()->watermark_boost_factor ? want[i].boost[n] : 0);
        }
    }
}

/* Rule: a pageblock cut by the zone's border. Where its start lies outside (HighMem) the move
 * begins at the page itself; where its end lies outside (Normal) nothing but the block found moves.
 *
 *   0x2e00 ................ 0x2ffe | 0x2fff  0x3000
 *   Normal: free 0x2e00 (8), 0x2f00 (6)   HighMem: free 0x2fff (0)
 */
static void test_fallback_straddling_pageblock(void **state)
{
    struct small_guest *g = *state;

    empty_zone(g, NORMAL);
    give(g, NORMAL, 0x2e00, 8, M);
    give(g, NORMAL, 0x2f00, 6, M);
    assert_int_equal(take(g, NORMAL, 0, U), 0x2e00);
    EXPECT_FREE_LIST(g, NORMAL, 6, M, 0x2f00); /* stayed */
    EXPECT_FREE_LIST(g, NORMAL, 7, U, 0x2e80);
    assert_int_equal(type_of(g, NORMAL, 0x2e00), M);

    empty_zone(g, HIGH);
    give(g, HIGH, 0x2fff, 0, U);
    assert_int_equal(take(g, HIGH, 0, R), 0x2fff);
    assert_int_equal(type_of(g, HIGH, 0x2fff), U);
    assert_int_equal(type_of(g, NORMAL, 0x2ffd), M); /* the other half is another zone's business */

    /* pages below the border count as occupied by what is not movable: 1 free + 511 alike */
    set_type(g, HIGH, 0x2fff, M);
    give(g, HIGH, 0x2fff, 0, M);
    assert_int_equal(take(g, HIGH, 0, U), 0x2fff);
    assert_int_equal(type_of(g, HIGH, 0x2fff), kernel()->fallback_counts_alike ? U : M);
    guest_check(g);
}

/* Rule: nothing to give means failure, and HIGHATOMIC never donates. */
static void test_fallback_fails(void **state)
{
    struct small_guest *g = *state;

    empty_zone(g, NORMAL);
    assert_int_equal(take(g, NORMAL, 0, U), KM_PFN_NONE);
    set_type(g, NORMAL, 0x1400, HA);
    give(g, NORMAL, 0x1400, 5, HA);
    for (unsigned mt = 0; mt < 3; mt++)
        assert_int_equal(take(g, NORMAL, 0, mt), KM_PFN_NONE);
    set_type(g, NORMAL, 0x1600, M);
    give(g, NORMAL, 0x1600, 2, M);
    assert_int_equal(take(g, NORMAL, 3, U), KM_PFN_NONE); /* too small */
    assert_int_equal(take(g, NORMAL, 2, U), 0x1600);
    guest_check(g);
}

/* Rule: an atomic request of several pages that needed the reserve sets its pageblock aside, with
 * all that is free in it, until 1 % of the zone plus one pageblock are reserved (here 80 + 512: two
 * pageblocks). Such a request looks there first; others never do.
 *
 *   pageblocks   |aA        |bB        |cC        |         two free blocks of order 4 in each
 *   taken in order a A b B c, reserved after each 1 1 2 2 2 pageblocks
 */
static void test_highatomic_reserve(void **state)
{
    static const km_pfn want[] = {0x1400, 0x1420, 0x1600, 0x1620, 0x1800, 0x1820};
    struct small_guest *g = *state;

    RULE_NEEDS(kernel()->highatomic);
    empty_zone(g, DMA);
    empty_zone(g, NORMAL);
    for (unsigned i = 0; i < KM_ARRAY_LEN(want); i++) {
        set_type(g, NORMAL, want[i], U);
        km_buddy_free(&g->os, &g->cpu[0], NORMAL, want[i], 4, U, true);
    }
    km_zone_set_watermarks(&g->os, &g->cpu[0], NORMAL, 0, 10000, 10000); /* LOW refuses all */
    for (unsigned i = 0; i < 5; i++) {
        assert_int_equal(km_alloc_pages(&g->os, &g->cpu[0], KM_GFP_ATOMIC, 4), want[i]);
        assert_int_equal(guest_zone_word(g, NORMAL, KM_ZONE_NR_HIGHATOMIC), i < 2 ? 512 : 1024);
        assert_int_equal(type_of(g, NORMAL, want[i]), i < 4 ? HA : U);
        if (i == 0)
            EXPECT_FREE_LIST(g, NORMAL, 4, HA, 0x1420);
        if (i == 2)
            assert_int_equal(take_own(g, NORMAL, 4, U), 0x1800); /* 0x1620 is not for everyone */
        if (i == 2)
            give(g, NORMAL, 0x1800, 4, U);
        guest_check(g);
    }
}

/* ---- requests ---- */

/* Rule: the four lowest flags choose the highest zone; two more the mobility. */
static void test_flags_choose_zone_and_mobility(void **state)
{
    static const struct {
        uint32_t gfp;
        enum km_zone_id zone;
        enum km_migratetype mt;
    } want[] = {
        {0, KM_ZONE_NORMAL, KM_MT_UNMOVABLE},
        {KM_GFP_DMA, KM_ZONE_DMA, KM_MT_UNMOVABLE},
        {KM_GFP_HIGHMEM, KM_ZONE_HIGHMEM, KM_MT_UNMOVABLE},
        {KM_GFP_DMA32, KM_ZONE_NORMAL, KM_MT_UNMOVABLE},
        {KM_GFP_MOVABLE, KM_ZONE_NORMAL, KM_MT_MOVABLE},
        {KM_GFP_MOVABLE | KM_GFP_DMA, KM_ZONE_DMA, KM_MT_MOVABLE},
        {KM_GFP_MOVABLE | KM_GFP_HIGHMEM, KM_ZONE_MOVABLE, KM_MT_MOVABLE},
        {KM_GFP_MOVABLE | KM_GFP_DMA32, KM_ZONE_NORMAL, KM_MT_MOVABLE},
        {KM_GFP_RECLAIMABLE, KM_ZONE_NORMAL, KM_MT_RECLAIMABLE},
        {KM_GFP_RECLAIMABLE | KM_GFP_HIGHMEM, KM_ZONE_HIGHMEM, KM_MT_RECLAIMABLE},
    };

    (void)state;
    for (size_t i = 0; i < KM_ARRAY_LEN(want); i++) {
        assert_int_equal(km_gfp_zone(want[i].gfp | KM_GFP_KERNEL), want[i].zone);
        assert_int_equal(km_gfp_migratetype(want[i].gfp | KM_GFP_KERNEL), want[i].mt);
    }
}

/* Rule: pages of the bulk allocator leave no allocation event, only those of the refill; a single
 * page, and pages charged to a memory cgroup, take the ordinary way. */
static void test_bulk_is_silent(void **state)
{
    struct small_guest *g = *state;
    km_pfn pfn[8];

    set_pcp(g, NORMAL, 100, 8);
    assert_int_equal(km_alloc_pages_bulk(&g->os, &g->cpu[0], KM_GFP_KERNEL, 8, pfn), 8);
    assert_int_equal(guest_count_events(g, KM_TP_PAGE_ALLOC), 0);
    assert_int_equal(guest_count_events(g, KM_TP_ZONE_LOCKED), 8);
    assert_int_equal(km_alloc_pages_bulk(&g->os, &g->cpu[0], KM_GFP_KERNEL, 1, pfn), 1);
    assert_int_equal(guest_count_events(g, KM_TP_PAGE_ALLOC), 1);
    assert_int_equal(
        km_alloc_pages_bulk(&g->os, &g->cpu[0], KM_GFP_KERNEL | KM_GFP_ACCOUNT, 5, pfn), 1);
    assert_int_equal(guest_count_events(g, KM_TP_PAGE_ALLOC), 2);
}

/* Rule: a request that fails is an event like any other, with no frame; a request of order 11 too. */
static void test_failures_are_events(void **state)
{
    struct small_guest *g = *state;

    empty_zone(g, DMA);
    empty_zone(g, NORMAL);
    for (unsigned order = 3; order <= 11; order += 8) {
        guest_forget_events(g);
        assert_int_equal(km_alloc_pages(&g->os, &g->cpu[0], KM_GFP_KERNEL | KM_GFP_NORETRY, order),
                         KM_PFN_NONE);
        assert_int_equal(guest_count_events(g, KM_TP_PAGE_ALLOC), 1);
        assert_int_equal(g->tp[g->nr_tp - 1].pfn, KM_PFN_NONE);
        assert_int_equal(g->tp[g->nr_tp - 1].order, order);
    }
}

/* Rule: pages freed in a batch are told twice, first all as freed, then one by one as batched; they are freed
 * once. */
static void test_batched_frees_are_told_twice(void **state)
{
    struct small_guest *g = *state;
    km_pfn pfn[3], told[8];
    uint32_t before = guest_zone_word(g, NORMAL, KM_ZONE_NR_FREE_PAGES);

    for (unsigned i = 0; i < 3; i++)
        pfn[i] = km_alloc_pages(&g->os, &g->cpu[0], KM_GFP_KERNEL, 0);
    guest_forget_events(g);
    km_free_pages_batched(&g->os, &g->cpu[0], pfn, 3);
    assert_int_equal(guest_events(g, KM_TP_PAGE_FREE, told, 8), 3);
    assert_memory_equal(told, pfn, sizeof(pfn));
    assert_int_equal(guest_events(g, KM_TP_PAGE_FREE_BATCHED, told, 8), 3);
    assert_memory_equal(told, pfn, sizeof(pfn));
    assert_int_equal(guest_zone_word(g, NORMAL, KM_ZONE_NR_FREE_PAGES), before);
    guest_check(g);
}

/* Rule: a free that finds the per-CPU list locked goes straight to the free lists, and no drain says so. */
static void test_bypassing_free(void **state)
{
    struct small_guest *g = *state;

    set_pcp(g, NORMAL, 100, 8);
    km_pfn pfn = km_alloc_pages(&g->os, &g->cpu[0], KM_GFP_KERNEL, 0);
    uint32_t listed = km_pcp_count(&g->os, g->window, NORMAL, 0);
    uint32_t free = guest_zone_word(g, NORMAL, KM_ZONE_NR_FREE_PAGES);

    guest_forget_events(g);
    km_free_pages_bypass(&g->os, &g->cpu[0], pfn, 0);
    assert_int_equal(km_pcp_count(&g->os, g->window, NORMAL, 0), listed);
    assert_int_equal(guest_zone_word(g, NORMAL, KM_ZONE_NR_FREE_PAGES), free + 1);
    assert_int_equal(guest_count_events(g, KM_TP_PAGE_FREE), 1);
    assert_int_equal(guest_count_events(g, KM_TP_PCPU_DRAIN), 0);
    guest_check(g);
}

/* Rule: memory that boot gives back later raises the managed pages, not the marks and reserves. */
static void test_marks_are_frozen(void **state)
{
    struct small_guest *g = *state;
    static const struct km_pfn_range late[] = {{GUEST_BSS_PFN + 8, GUEST_FREE_PFN}};
    uint32_t words[4];

    km_zone_setup_watermarks(&g->os, &g->cpu[0]);
    uint32_t managed = guest_zone_word(g, NORMAL, KM_ZONE_MANAGED);

    for (unsigned i = 0; i < 4; i++)
        words[i] = guest_zone_word(g, i ? NORMAL : DMA, i ? KM_ZONE_WATERMARK + 4 * (i - 1)
                                                          : KM_ZONE_LOWMEM_RESERVE + 4 * HIGH);
    km_boot_free(&g->os, &g->cpu[0], late, 1);
    assert_int_equal(guest_zone_word(g, NORMAL, KM_ZONE_MANAGED), managed + 8);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(words[i],
                         guest_zone_word(g, i ? NORMAL : DMA, i ? KM_ZONE_WATERMARK + 4 * (i - 1)
                                                                : KM_ZONE_LOWMEM_RESERVE + 4 * HIGH));
    guest_check(g);
}

/* ---- watermarks ---- */

static bool mark_ok(struct small_guest *g, unsigned order, unsigned flags)
{
    return km_zone_watermark_ok(&g->os, &g->cpu[0], NORMAL, order, KM_WMARK_MIN, KM_ZONE_HIGHMEM,
                                flags);
}

static void set_free_pages(struct small_guest *g, uint32_t pages)
{
    guest_set_zone_word(g, NORMAL, KM_ZONE_NR_FREE_PAGES, pages);
}

/* Rule: what is left after the request, free - (2^order - 1), must exceed the mark (with its boost)
 * plus the reserve against requests that could have used a higher zone. MIN_RESERVE halves the
 * mark, NON_BLOCK on top takes a quarter of that (3/8 left), OOM halves it. Reserved atomic pages
 * count only for those who may not use them. Each limit is tested with one page less.
 */
static void test_watermark_arithmetic(void **state)
{
    static const struct {
        unsigned order, flags;
        uint32_t boost, highatomic;
        uint32_t least; /* smallest number of free pages that passes */
    } want[] = {
        {0, 0, 0, 0, 1000 + 200 + 1},
        {1, 0, 0, 0, 1000 + 200 + 2},
        {3, 0, 0, 0, 1000 + 200 + 8},
        {10, 0, 0, 0, 1000 + 200 + 1024},
        {0, 0, 512, 0, 1000 + 512 + 200 + 1},
        {0, KM_ALLOC_MIN_RESERVE, 0, 0, 500 + 200 + 1},
        {3, KM_ALLOC_MIN_RESERVE, 0, 0, 500 + 200 + 8},
        {0, KM_ALLOC_MIN_RESERVE | KM_ALLOC_NON_BLOCK, 0, 0, 375 + 200 + 1},
        {0, KM_ALLOC_NON_BLOCK, 0, 0, 1000 + 200 + 1}, /* alone it lowers nothing */
        {0, KM_ALLOC_OOM, 0, 0, 500 + 200 + 1},
        {0, 0, 0, 512, 1000 + 200 + 512 + 1},
        {0, KM_ALLOC_NON_BLOCK, 0, 512, 1000 + 200 + 1},
        {0, KM_ALLOC_HIGHATOMIC, 0, 512, 1000 + 200 + 1},
    };
    struct small_guest *g = *state;

    km_zone_set_watermarks(&g->os, &g->cpu[0], NORMAL, 1000, 1250, 1500);
    guest_set_zone_word(g, NORMAL, KM_ZONE_LOWMEM_RESERVE + KM_ZONE_HIGHMEM * 4, 200);
    for (size_t i = 0; i < KM_ARRAY_LEN(want); i++) {
        if (want[i].order && kernel()->watermark_per_order)
            continue;
        guest_set_zone_word(g, NORMAL, KM_ZONE_BOOST, want[i].boost);
        guest_set_zone_word(g, NORMAL, KM_ZONE_NR_HIGHATOMIC, want[i].highatomic);
        set_free_pages(g, want[i].least);
        assert_true(mark_ok(g, want[i].order, want[i].flags));
        set_free_pages(g, want[i].least - 1);
        assert_false(mark_ok(g, want[i].order, want[i].flags));
    }
}

/* Rule: an order above 0 also needs a block of at least that order on any of the three ordinary
 * lists, not only the request's own; HIGHATOMIC lists count for those who may use them. */
static void test_watermark_needs_block(void **state)
{
    struct small_guest *g = *state;

    RULE_NEEDS(!kernel()->watermark_per_order);
    for (unsigned mt = 0; mt <= HA; mt++) {
        empty_zone(g, NORMAL);
        set_type(g, NORMAL, 0x1400, mt);
        give(g, NORMAL, 0x1400, 3, mt);
        set_free_pages(g, 5000);
        assert_true(mark_ok(g, 0, 0));
        assert_int_equal(mark_ok(g, 3, 0), mt != HA);
        assert_true(mark_ok(g, 3, KM_ALLOC_HIGHATOMIC | (mt == HA ? 0 : KM_ALLOC_OOM)));
        assert_false(mark_ok(g, 4, KM_ALLOC_HIGHATOMIC | KM_ALLOC_OOM));
        set_free_pages(g, 8);
        assert_true(km_buddy_take_at(&g->os, &g->cpu[0], NORMAL, 0x1400, 3, mt));
    }
}

/* Rule: a single page for an atomic request is checked against MIN without the boost if the boosted
 * mark refuses it; two pages, or a request that may sleep, are not.
 *
 *   free pages   375 + 1 ........ (boosted: 375 + 192 of the boost of 512 + 1)
 */
static void test_atomic_page_ignores_boost(void **state)
{
    struct small_guest *g = *state;

    for (unsigned z = 0; z < 2; z++)
        km_zone_set_watermarks(&g->os, &g->cpu[0], (enum km_zone_id)z, 1000, 1250, 1500);
    guest_set_zone_word(g, NORMAL, KM_ZONE_BOOST, 512);
    set_free_pages(g, 376);
    guest_set_zone_word(g, DMA, KM_ZONE_NR_FREE_PAGES, 0);
    assert_int_equal(km_alloc_pages(&g->os, &g->cpu[0], KM_GFP_KERNEL, 0), KM_PFN_NONE);
    assert_int_equal(km_alloc_pages(&g->os, &g->cpu[0], KM_GFP_ATOMIC, 1), KM_PFN_NONE);
    assert_int_not_equal(km_alloc_pages(&g->os, &g->cpu[0], KM_GFP_ATOMIC, 0), KM_PFN_NONE);
    set_free_pages(g, 375);
    assert_int_equal(km_alloc_pages(&g->os, &g->cpu[0], KM_GFP_ATOMIC, 0), KM_PFN_NONE);
}

/* Rule: five migratetypes must be able to own a pageblock each, or all requests are UNMOVABLE. */
static void test_mobility_grouping_needs_memory(void **state)
{
    struct small_guest *g = *state;

    for (unsigned few = 0; few < 2; few++) {
        for (unsigned z = 0; z < KM_NR_ZONES; z++) {
            guest_set_zone_word(g, (enum km_zone_id)z, KM_ZONE_MANAGED, 0);
            km_zone_set_watermarks(&g->os, &g->cpu[0], (enum km_zone_id)z, 0, 0, 0);
        }
        guest_set_zone_word(g, NORMAL, KM_ZONE_MANAGED, 5 * 512 + 300);
        g->os.p.min_free_kbytes = few ? 900 : 600; /* HIGH 337 or 225 pages, HighMem idle */
        km_zone_setup_watermarks(&g->os, &g->cpu[0]);
        assert_int_equal(g->os.mobility_grouping, !few);
    }
    assert_int_equal(km_alloc_pages(&g->os, &g->cpu[0], KM_GFP_HIGHUSER_MOVABLE, 0) != KM_PFN_NONE,
                     1);
    assert_int_equal(g->tp[g->nr_tp - 2].migratetype, U); /* the carve-out */
}

/* Rule: a per-CPU list may hold the LOW mark's share of one CPU, but at least four batches. */
static void test_pcp_limits_of_many_cpus(void **state)
{
    static const struct {
        unsigned cpus;
        uint32_t high;
    } want[] = {{1, 856}, {2, 428}, {6, 142}, {7, 124}, {8, 124}};
    struct small_guest *g = *state;

    guest_set_zone_word(g, NORMAL, KM_ZONE_MANAGED, 121210);
    km_zone_set_watermarks(&g->os, &g->cpu[0], NORMAL, 685, 856, 1027);
    for (size_t i = 0; i < KM_ARRAY_LEN(want); i++) {
        km_pcp_setup(&g->os, &g->cpu[0], want[i].cpus);
        assert_int_equal(guest_pcp_word(g, NORMAL, 0, KM_PCP_HIGH),
                         kernel()->pcp_high_batches ? 31 * kernel()->pcp_high_batches
                                                    : want[i].high);
        assert_int_equal(guest_pcp_word(g, NORMAL, 0, KM_PCP_BATCH), 31);
    }
}

struct machine {
    const char *what;
    uint32_t managed[3]; /* at the moment the kernel computed its marks */
    uint32_t mark[3][3], protection[2][3], high[3], batch[3];
    unsigned cpus, pageblock_order;
};

/* Rule: marks, reserves and per-CPU limits follow from the managed pages of each zone. The machines
 * are real (/proc/zoneinfo); managed pages are those of the boot log's "Memory:" line, with
 * transparent huge pages plus the 8 pages of SMP alternatives freed before, not the larger final ones.
 * Transparent huge pages are configured everywhere; machines of less than 512 MiB of free memory do without.
 * The 5 % bound is of what lies above the HIGH marks set first, without them.
 */
static void test_watermarks_of_real_machines(void **state)
{
    static const struct machine machines[] = {
        {"512 MiB",
         {3840, 121210, 0},
         {{21, 26, 31}, {685, 856, 1027}, {32, 32, 32}},
         {{473, 473, 473}, {0, 0, 0}},
         {13, 428, 0},
         {1, 31, 0},
         2,
         9},
        {"512 MiB, 1 CPU",
         {3840, 121270, 0},
         {{21, 26, 31}, {685, 856, 1027}, {32, 32, 32}},
         {{473, 473, 473}, {0, 0, 0}},
         {26, 856, 0},
         {1, 31, 0},
         1,
         9},
        {"512 MiB, two-level paging",
         {3840, 121285, 0},
         {{21, 26, 31}, {685, 856, 1027}, {32, 32, 32}},
         {{473, 473, 473}, {0, 0, 0}},
         {13, 428, 0},
         {1, 31, 0},
         2,
         10},
        {"1 GiB",
         {3840, 213057, 36828},
         {{190, 237, 284}, {10584, 13230, 15876}, {35, 492, 949}},
         {{832, 976, 976}, {0, 1150, 1150}},
         {118, 6615, 246},
         {1, 63, 7},
         2,
         9},
        {"2 GiB",
         {3840, 211553, 298972},
         {{190, 237, 284}, {10509, 13136, 15763}, {128, 3840, 7552}},
         {{826, 1994, 1994}, {0, 9342, 9342}},
         {118, 6568, 1920},
         {1, 63, 63},
         2,
         9},
        {"2 GiB, two-level paging",
         {3840, 209521, 299996},
         {{190, 237, 284}, {10407, 13008, 15609}, {128, 3853, 7578}},
         {{818, 1990, 1990}, {0, 9374, 9374}},
         {118, 6504, 1926},
         {1, 63, 63},
         2,
         10},
    };
    struct small_guest *g = *state;

    RULE_NEEDS(kernel() == &km_personality_linux_6_1);
    for (size_t i = 0; i < KM_ARRAY_LEN(machines); i++) {
        const struct machine *m = &machines[i];

        g->os.p.thp = true;
        g->os.p.pageblock_order = m->pageblock_order;
        for (unsigned z = 0; z < 3; z++) {
            g->os.zone[z].present_pages = m->managed[z];
            guest_set_zone_word(g, (enum km_zone_id)z, KM_ZONE_MANAGED, m->managed[z]);
            km_zone_set_watermarks(&g->os, &g->cpu[0], (enum km_zone_id)z, 0, 0, 0);
        }
        km_zone_setup_watermarks(&g->os, &g->cpu[0]);
        km_pcp_setup(&g->os, &g->cpu[0], m->cpus);
        for (unsigned z = 0; z < 3; z++) {
            for (unsigned w = 0; w < 3; w++)
                if (guest_zone_word(g, (enum km_zone_id)z, KM_ZONE_WATERMARK + w * 4) !=
                    m->mark[z][w])
                    fail_msg("%s zone %u mark %u: %u, the kernel has %u", m->what, z, w,
                             guest_zone_word(g, (enum km_zone_id)z, KM_ZONE_WATERMARK + w * 4),
                             m->mark[z][w]);
            for (unsigned j = 1; z < 2 && j < 4; j++)
                assert_int_equal(
                    guest_zone_word(g, (enum km_zone_id)z, KM_ZONE_LOWMEM_RESERVE + j * 4),
                    j > z ? m->protection[z][j - 1] : 0);
            if (!m->managed[z])
                continue;
            assert_int_equal(guest_pcp_word(g, (enum km_zone_id)z, 0, KM_PCP_HIGH), m->high[z]);
            assert_int_equal(guest_pcp_word(g, (enum km_zone_id)z, 0, KM_PCP_BATCH), m->batch[z]);
        }
    }
}

#define T(f) cmocka_unit_test_setup_teardown(f, boot, shut_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_boot_low_memory_ascends),
        T(test_boot_high_memory_descends),
        T(test_boot_hole_at_pageblock_start),
        T(test_head_or_tail),
        T(test_tail_rule_ends_at_order_9),
        T(test_merging),
        T(test_zones_do_not_merge),
        T(test_highatomic_does_not_merge),
        T(test_pcp_order),
        T(test_pcp_refill_sizes),
        T(test_pcp_flush_order),
        T(test_pcp_flush_doubles),
        T(test_pcp_high_order_free_flushes_all),
        T(test_boot_pagesets),
        T(test_pcp_highatomic),
        cmocka_unit_test(test_pcp_thp_lists),
        T(test_fallback_donor_order),
        T(test_fallback_movable_smallest),
        T(test_fallback_movable_exact_order),
        T(test_fallback_takes_smallest_after_steal),
        T(test_fallback_changes_ownership),
        T(test_fallback_whole_pageblocks),
        T(test_fallback_boosts_watermark),
        T(test_fallback_straddling_pageblock),
        T(test_fallback_fails),
        T(test_highatomic_reserve),
        cmocka_unit_test(test_flags_choose_zone_and_mobility),
        T(test_bulk_is_silent),
        T(test_failures_are_events),
        T(test_batched_frees_are_told_twice),
        T(test_bypassing_free),
        T(test_marks_are_frozen),
        T(test_watermark_arithmetic),
        T(test_watermark_needs_block),
        T(test_atomic_page_ignores_boost),
        T(test_pcp_limits_of_many_cpus),
        T(test_mobility_grouping_needs_memory),
        T(test_watermarks_of_real_machines),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
