/* SPDX-License-Identifier: MIT
 * test_compaction.c - compaction moves pages, and nothing else: rules of the two scanners, of stopping, of the
 * priorities, and the property that no page is lost, owned twice or left isolated.
 */
#include "small_guest.h"

#include "models/base/bits.h"
#include "models/os/compact_run.h"
#include "models/os/kcompactd.h"

#define Z KM_ZONE_NORMAL
#define BLOCK 512

struct owner {
    struct small_guest g;
    struct km_compaction c;
    uint32_t tag[GUEST_MAX_PFN]; /* what lives in a frame; 0: nothing */
    bool pinned[GUEST_MAX_PFN];  /* cannot be isolated */
    unsigned moves, refusals;
    km_pfn taken[GUEST_MAX_PFN];
    unsigned nr_taken;
};

static bool may_isolate(void *ctx, struct km_os *os, struct km_cpu *cpu, km_pfn pfn, enum km_migrate_mode mode)
{
    const struct owner *o = ctx;

    (void)os, (void)cpu, (void)mode;
    return !o->pinned[pfn];
}

static bool move(void *ctx, struct km_os *os, struct km_cpu *cpu, km_pfn from, km_pfn to, enum km_migrate_mode mode)
{
    struct owner *o = ctx;

    (void)os, (void)cpu, (void)mode;
    if (o->refusals && o->refusals--)
        return false;
    assert_int_not_equal(o->tag[from], 0);
    assert_int_equal(o->tag[to], 0); /* a target has no owner */
    o->tag[to] = o->tag[from];
    o->tag[from] = 0;
    o->moves++;
    return true;
}

static int setup(void **state)
{
    static struct owner o;

    memset(&o, 0, sizeof(o));
    guest_boot(&o.g);
    km_compaction_init(&o.c, &o.g.os, &o.g.cpu[0]);
    km_compaction_enable(&o.c, &o.g.os);
    o.c.movable = (struct km_movable_ops){.isolate = may_isolate, .move = move, .ctx = &o};
    *state = &o;
    return 0;
}

static int teardown(void **state)
{
    struct owner *o = *state;

    guest_close(&o->g);
    return 0;
}

static void set_used(struct owner *o, km_pfn pfn, bool movable)
{
    static uint32_t next_tag;
    km_vaddr flags = km_page_va(&o->g.os, pfn) + KM_PAGE_FLAGS;

    o->tag[pfn] = ++next_tag;
    km_st32(&o->g.cpu[0], flags, movable ? km_peek32(o->g.window, flags) | KM_PG_LRU
                                         : km_peek32(o->g.window, flags) & ~(uint32_t)KM_PG_LRU);
}

/* Takes every free page of zone Normal. */
static void take_all(struct owner *o)
{
    km_pfn pfn;

    o->nr_taken = 0;
    while ((pfn = km_buddy_take(&o->g.os, &o->g.cpu[0], Z, 0, KM_MT_MOVABLE, 0)) != KM_PFN_NONE) {
        set_used(o, pfn, true);
        o->taken[o->nr_taken++] = pfn;
    }
}

static void give(struct owner *o, km_pfn pfn)
{
    km_vaddr flags = km_page_va(&o->g.os, pfn) + KM_PAGE_FLAGS;

    o->tag[pfn] = 0;
    km_st32(&o->g.cpu[0], flags, km_peek32(o->g.window, flags) & ~(uint32_t)KM_PG_LRU);
    km_buddy_free(&o->g.os, &o->g.cpu[0], Z, pfn, 0, KM_MT_MOVABLE, false);
}

static void empty_dma(struct owner *o)
{
    while (km_buddy_take(&o->g.os, &o->g.cpu[0], KM_ZONE_DMA, 0, KM_MT_MOVABLE, 0) != KM_PFN_NONE)
        ;
}

/* Every second page free: nothing above order 0. */
static void comb(struct owner *o)
{
    take_all(o);
    for (unsigned i = 0; i < o->nr_taken; i++)
        if (o->taken[i] % 2)
            give(o, o->taken[i]);
}

static bool is_free(const struct owner *o, km_pfn pfn)
{
    km_pfn head;
    unsigned order;

    return km_buddy_find(&o->g.os, o->g.window, pfn, &head, &order);
}

static unsigned tags(const struct owner *o)
{
    unsigned n = 0;

    for (km_pfn p = 0; p < GUEST_MAX_PFN; p++)
        n += o->tag[p] != 0;
    return n;
}

/* Owned and free frames are disjoint, and the lists are sound. */
static void check(const struct owner *o)
{
    guest_check(&o->g);
    for (km_pfn p = GUEST_FREE_PFN; p < GUEST_MEMMAP_PFN; p++)
        if (o->tag[p] && is_free(o, p))
            fail_msg("frame 0x%x has an owner and is free", p);
}

static uint32_t free_pages(const struct owner *o)
{
    uint32_t n = km_zone_free_pages(&o->g.os, o->g.window, Z);

    for (unsigned c = 0; c < GUEST_CPUS; c++)
        n += km_pcp_count(&o->g.os, o->g.window, Z, c);
    return n;
}

static uint64_t blocks_of(const struct owner *o, unsigned from)
{
    uint64_t nr[KM_NR_ORDERS], n = 0;

    km_buddy_count(&o->g.os, o->g.window, Z, nr, NULL);
    for (unsigned k = from; k < KM_NR_ORDERS; k++)
        n += nr[k] << (k - from);
    return n;
}

static struct km_compact_run new_run(struct owner *o, int order, enum km_migrate_mode mode)
{
    struct km_compact_run run;

    km_compact_run_init(&run, &o->c, &o->g.os, &o->g.cpu[0], Z, order, mode, 0);
    run.migrate_pfn = GUEST_BSS_PFN;
    run.free_pfn = 0x2e00;
    return run;
}

/* Theory: n movable pages with gaps of one page need n frames; compacted, all others are free and, but for the
 * pageblock where the scanners meet and those with pages that stay, in blocks of a pageblock.
 *
 *   before  # # # # # # # # #    after        ########
 *                                     free blocks    owned
 */
static void test_comb_becomes_blocks(void **state)
{
    struct owner *o = *state;

    comb(o);
    uint32_t before = free_pages(o), live = tags(o);

    assert_int_equal(blocks_of(o, 1), 0);
    km_compact_all(&o->c, &o->g.os, &o->g.cpu[0]);
    guest_drain_all(&o->g);
    check(o);
    assert_int_equal(free_pages(o), before);
    assert_int_equal(tags(o), live);
    assert_int_equal(o->moves, o->c.stats.moved);
    /* half of the zone's 15 whole pageblocks, the first and last are not whole and one is where they meet */
    assert_true(blocks_of(o, 9) >= before / BLOCK - 2);
}

/* Rule: the free scanner takes whole free blocks upwards within a pageblock from its position; the last page of the
 * last block is used first.
 *
 *   0x2e00 .. 0x2e03 free (order 2), 0x2e10 free, three pages wanted: both blocks are isolated only if the first
 *   does not suffice.
 */
static void test_free_scanner_order(void **state)
{
    struct owner *o = *state;
    struct km_compact_run run;

    take_all(o);
    for (km_pfn p = 0x2e00; p < 0x2e04; p++)
        give(o, p);
    give(o, 0x2e10);
    give(o, 0x2c00);
    for (unsigned wanted = 4; wanted <= 5; wanted++) {
        run = new_run(o, -1, KM_MIGRATE_SYNC);
        run.nr_migrate = wanted;
        km_compact_find_targets(&run, &o->g.os, &o->g.cpu[0]);
        assert_int_equal(run.nr_free, wanted);
        assert_int_equal(run.free_pfn, wanted == 4 ? 0x2e04 : 0x2e11);
        if (wanted == 5)
            assert_int_equal(km_compact_target(&run, &o->g.os, &o->g.cpu[0]), 0x2e10);
        for (km_pfn p = 0x2e04; p-- > 0x2e00;)
            assert_int_equal(km_compact_target(&run, &o->g.os, &o->g.cpu[0]), p);
        for (km_pfn p = 0x2e00; p < 0x2e04; p++)
            give(o, p);
        if (wanted == 5)
            give(o, 0x2e10);
    }
    check(o);
}

/* A scan that is told to begin beyond the zone (a replay of a foreign trace) begins at its last pageblock. */
static void test_scan_stays_in_its_zone(void **state)
{
    struct owner *o = *state;
    struct km_compact_run run = new_run(o, -1, KM_MIGRATE_SYNC);

    take_all(o);
    give(o, 0x2c00);
    give(o, 0x2e10);
    run.free_pfn = 0xfffffe00u;
    run.nr_migrate = 1;
    assert_int_equal(km_compact_target(&run, &o->g.os, &o->g.cpu[0]), 0x2e10);
}

/* Rule: a free page may be isolated only while more than MIN + 2^order pages are free: at MIN + 2^order not. */
static void test_mark_is_kept(void **state)
{
    struct owner *o = *state;

    take_all(o);
    for (km_pfn p = 0x2e00; p < 0x2e04; p++)
        give(o, p);
    give(o, 0x2e10);
    uint32_t left = km_zone_free_pages(&o->g.os, o->g.window, Z);

    for (unsigned more = 0; more < 2; more++) {
        struct km_compact_run run = new_run(o, -1, KM_MIGRATE_SYNC);

        km_zone_set_watermarks(&o->g.os, &o->g.cpu[0], Z, left - 4 - more, left, left);
        run.nr_migrate = 4;
        km_compact_find_targets(&run, &o->g.os, &o->g.cpu[0]);
        assert_int_equal(run.nr_free, more ? 4 : 0);
        km_compact_release_targets(&run, &o->g.os, &o->g.cpu[0]);
    }
    guest_drain_all(&o->g);
    check(o);
}

/* Rule: only MOVABLE pageblocks take pages, unless the strongest priority asks; a wholly free one does not. */
static void test_target_pageblocks(void **state)
{
    struct owner *o = *state;

    take_all(o);
    give(o, 0x2e10);
    for (km_pfn p = 0x2c00; p < 0x2e00; p++)
        give(o, p);
    give(o, 0x2a00);
    km_pageblock_set_type(&o->g.os, &o->g.cpu[0], Z, 0x2e00, KM_MT_UNMOVABLE);
    for (unsigned any = 0; any < 2; any++) {
        struct km_compact_run run = new_run(o, -1, KM_MIGRATE_SYNC);

        run.any_target = any;
        run.nr_migrate = 1;
        assert_int_equal(km_compact_target(&run, &o->g.os, &o->g.cpu[0]), any ? 0x2e10 : 0x2a00);
        give(o, any ? 0x2e10 : 0x2a00);
    }
    check(o);
}

/* Rule: isolating half a pageblock makes it MOVABLE; a quarter does not. */
static void test_half_a_pageblock_changes_type(void **state)
{
    struct owner *o = *state;

    for (unsigned order = 7; order <= 8; order++) {
        struct km_compact_run run = new_run(o, -1, KM_MIGRATE_SYNC);

        take_all(o);
        give(o, 0x1400);
        km_pageblock_set_type(&o->g.os, &o->g.cpu[0], Z, 0x2c00, KM_MT_UNMOVABLE);
        for (km_pfn p = 0x2c00; p < 0x2c00 + (1u << order); p++)
            give(o, p);
        run.any_target = true;
        run.nr_migrate = 1;
        assert_int_equal(km_compact_target(&run, &o->g.os, &o->g.cpu[0]), 0x2c00 + (1u << order) - 1);
        assert_int_equal(km_pageblock_type(&o->g.os, &o->g.cpu[0], Z, 0x2c00),
                         order == 8 ? KM_MT_MOVABLE : KM_MT_UNMOVABLE);
        km_compact_return_target(&run, &o->g.os, &o->g.cpu[0], 0x2c00 + (1u << order) - 1);
        km_compact_release_targets(&run, &o->g.os, &o->g.cpu[0]);
        guest_drain_all(&o->g);
    }
}

/* Rule: 32 pages are isolated at a time; once pages of a pageblock have been moved, the rest of it at once. The
 * sources are moved from the highest down. */
static void test_migrate_scanner_batches(void **state)
{
    struct owner *o = *state;
    struct km_compact_run run = new_run(o, -1, KM_MIGRATE_SYNC);

    take_all(o);
    run.migrate_pfn = 0x1200;
    assert_true(km_compact_find_sources(&run, &o->g.os, &o->g.cpu[0]));
    assert_int_equal(run.nr_migrate, KM_COMPACT_CLUSTER);
    assert_int_equal(run.migrate_pfn, 0x1200 + KM_COMPACT_CLUSTER);
    assert_int_equal(km_page_pfn(&o->g.os, km_peek32(o->g.window, run.migrate_list) - KM_PAGE_LRU), 0x121f);
    run.finish_pageblock = true;
    assert_true(km_compact_find_sources(&run, &o->g.os, &o->g.cpu[0]));
    assert_int_equal(run.nr_migrate, BLOCK);
    assert_int_equal(run.migrate_pfn, 0x1400);
    km_compact_move(&run, &o->g.os, &o->g.cpu[0]); /* no page is free: all are put back */
    assert_int_equal(o->c.stats.not_moved, BLOCK);
    assert_int_equal(o->moves, 0);
    assert_true(run.no_target);
    for (km_pfn p = 0x1200; p < 0x1400; p++)
        assert_true(km_peek32(o->g.window, km_page_va(&o->g.os, p) + KM_PAGE_FLAGS) & KM_PG_LRU);
}

/* Rule: a page its owner refuses to move stays, and its target is used for the next one. */
static void test_refused_page_stays(void **state)
{
    struct owner *o = *state;
    struct km_compact_run run = new_run(o, -1, KM_MIGRATE_SYNC);

    take_all(o);
    give(o, 0x1400); /* the mark of 0 pages is kept */
    give(o, 0x2e10);
    o->refusals = 1;
    run.migrate_pfn = 0x1200;
    assert_true(km_compact_find_sources(&run, &o->g.os, &o->g.cpu[0]));
    km_compact_move(&run, &o->g.os, &o->g.cpu[0]);
    assert_int_not_equal(o->tag[0x121f], 0); /* refused */
    assert_int_equal(o->tag[0x121e], 0);     /* moved */
    assert_int_not_equal(o->tag[0x2e10], 0);
    km_compact_release_targets(&run, &o->g.os, &o->g.cpu[0]);
    check(o);
}

/* Rule: asynchronous direct runs leave pageblocks of other types alone; synchronous ones do not. */
static void test_async_keeps_to_its_type(void **state)
{
    struct owner *o = *state;

    take_all(o);
    km_pageblock_set_type(&o->g.os, &o->g.cpu[0], Z, 0x1200, KM_MT_RECLAIMABLE);
    for (unsigned sync = 0; sync < 2; sync++) {
        struct km_compact_run run = new_run(o, 2, sync ? KM_MIGRATE_SYNC_LIGHT : KM_MIGRATE_ASYNC);

        run.direct = run.ignore_skip = true;
        run.migrate_pfn = 0x1200;
        assert_true(km_compact_find_sources(&run, &o->g.os, &o->g.cpu[0]));
        assert_int_equal(run.migrate_pfn >> 9, sync ? 0x1200 >> 9 : 0x1400 >> 9);
        run.no_target = true;
        km_compact_move(&run, &o->g.os, &o->g.cpu[0]);
    }
}

/* Rule: an asynchronous direct run for order k gives up an aligned block with a page that cannot move. */
static void test_async_gives_up_a_block(void **state)
{
    struct owner *o = *state;
    struct km_compact_run run = new_run(o, 4, KM_MIGRATE_ASYNC);

    take_all(o);
    o->pinned[0x1208] = true;
    run.direct = true;
    run.migrate_pfn = 0x1200;
    assert_true(km_compact_find_sources(&run, &o->g.os, &o->g.cpu[0]));
    assert_int_equal(run.nr_migrate, 16);
    assert_int_equal(km_page_pfn(&o->g.os, km_peek32(o->g.window, run.migrate_list) - KM_PAGE_LRU), 0x121f);
    run.no_target = true;
    km_compact_move(&run, &o->g.os, &o->g.cpu[0]);
}

/* Rule: the search for targets walks a list from its tail; the block it stops at is first afterwards, those before
 * it follow behind the last.
 *
 *   list of order 0, tail last:   2e10 1a10 2e20 1a20 1a30     targets from 0x2900 on
 *   walked from the tail: 1a30, 1a20, then 2e20 is taken       left: 1a20 1a30 2e10 1a10
 */
static void test_search_turns_the_list(void **state)
{
    static const km_pfn put[] = {0x1a30, 0x1a20, 0x2e20, 0x1a10, 0x2e10};
    struct owner *o = *state;
    struct km_compact_run run = new_run(o, 1, KM_MIGRATE_SYNC_LIGHT);

    take_all(o);
    for (unsigned i = 0; i < KM_ARRAY_LEN(put); i++)
        give(o, put[i]);
    EXPECT_FREE_LIST(&o->g, Z, 0, KM_MT_MOVABLE, 0x2e10, 0x1a10, 0x2e20, 0x1a20, 0x1a30);
    run.nr_migrate = 1;
    assert_int_equal(km_compact_target(&run, &o->g.os, &o->g.cpu[0]), 0x2e20);
    EXPECT_FREE_LIST(&o->g, Z, 0, KM_MT_MOVABLE, 0x1a20, 0x1a30, 0x2e10, 0x1a10);
    assert_int_equal(run.free_pfn, 0x2e00); /* the linear scan has not moved */
    /* compact_memory (order -1) does not search */
    run = new_run(o, -1, KM_MIGRATE_SYNC);
    run.nr_migrate = 1;
    assert_int_equal(km_compact_target(&run, &o->g.os, &o->g.cpu[0]), 0x2e10);
    EXPECT_FREE_LIST(&o->g, Z, 0, KM_MT_MOVABLE, 0x1a20, 0x1a30, 0x1a10);
}

/* Rule: direct compaction hands its block over as soon as a free makes it. */
static void test_direct_captures(void **state)
{
    struct owner *o = *state;
    km_pfn block;

    comb(o);
    assert_int_equal(o->g.os.compact->zone_order(&o->g.os, &o->g.cpu[0], 3, KM_GFP_KERNEL | KM_GFP_MOVABLE, 0,
                                       KM_COMPACT_SYNC_LIGHT, &block),
                     KM_COMPACT_SUCCESS);
    assert_int_not_equal(block, KM_PFN_NONE);
    assert_int_equal(block % 8, 0);
    for (km_pfn p = block; p < block + 8; p++) {
        assert_int_equal(o->tag[p], 0);
        assert_false(is_free(o, p));
    }
    assert_int_equal(o->c.stats.captured, 1);
    guest_drain_all(&o->g);
    check(o);
    /* without __GFP_IO, or for a single page, nothing is tried */
    assert_int_equal(o->g.os.compact->zone_order(&o->g.os, &o->g.cpu[0], 3, KM_GFP_NOIO, 0, KM_COMPACT_SYNC_LIGHT,
                                       &block),
                     KM_COMPACT_SKIPPED);
    assert_int_equal(o->g.os.compact->zone_order(&o->g.os, &o->g.cpu[0], 0, KM_GFP_KERNEL, 0, KM_COMPACT_SYNC_LIGHT,
                                       &block),
                     KM_COMPACT_SKIPPED);
}

/* Rule: a synchronous run that ends without a block defers the next; the strongest priority is never deferred. */
static void test_failure_defers(void **state)
{
    struct owner *o = *state;
    const uint32_t gfp = KM_GFP_KERNEL | KM_GFP_MOVABLE;
    km_pfn block;

    comb(o);
    empty_dma(o);
    memset(o->pinned, true, sizeof(o->pinned));
    assert_int_equal(o->g.os.compact->zone_order(&o->g.os, &o->g.cpu[0], 3, gfp, 0, KM_COMPACT_SYNC_LIGHT, &block),
                     KM_COMPACT_PARTIAL_SKIPPED); /* the first run of a zone does not count as one of the whole */
    assert_int_equal(o->c.defer[Z].shift, 1);
    uint64_t runs = o->c.stats.runs;

    assert_int_equal(o->g.os.compact->zone_order(&o->g.os, &o->g.cpu[0], 3, gfp, 0, KM_COMPACT_ASYNC, &block),
                     KM_COMPACT_DEFERRED);
    assert_int_equal(o->c.stats.runs, runs);
    o->g.os.compact->zone_order(&o->g.os, &o->g.cpu[0], 3, gfp, 0, KM_COMPACT_SYNC_FULL, &block);
    assert_true(o->c.stats.runs > runs);
    check(o);
}

/* Rule: 16 rounds at a priority (4 above order 3), then the next stronger one; failed rounds at once. */
static void test_retry(void **state)
{
    enum km_compact_prio prio = KM_COMPACT_SYNC_LIGHT;
    unsigned retries = 0, rounds = 0;

    (void)state;
    while (prio == KM_COMPACT_SYNC_LIGHT) {
        assert_true(km_compact_should_retry(KM_COMPACT_SUCCESS, false, 3, &prio, &retries));
        rounds++;
    }
    assert_int_equal(rounds, 17);
    assert_false(km_compact_should_retry(KM_COMPACT_COMPLETE, false, 3, &prio, &retries));
    prio = KM_COMPACT_ASYNC;
    assert_true(km_compact_should_retry(KM_COMPACT_COMPLETE, false, 4, &prio, &retries));
    assert_int_equal(prio, KM_COMPACT_SYNC_LIGHT);
    assert_false(km_compact_should_retry(KM_COMPACT_COMPLETE, false, 4, &prio, &retries));
    assert_true(km_compact_should_retry(KM_COMPACT_SKIPPED, true, 4, &prio, &retries));
    assert_false(km_compact_should_retry(KM_COMPACT_SKIPPED, false, 4, &prio, &retries));
    assert_false(km_compact_should_retry(KM_COMPACT_SUCCESS, true, 0, &prio, &retries));
}

/* Rule: kcompactd works once per wake-up, and only if some zone is suitable. */
static void test_kcompactd(void **state)
{
    struct owner *o = *state;
    struct km_kcompactd k;

    km_kcompactd_init(&k, &o->c, 0);
    assert_false(km_kcompactd_wake(&k, &o->g.os, &o->g.cpu[0], 9, KM_ZONE_NORMAL)); /* blocks are there */
    comb(o);
    empty_dma(o);
    assert_true(km_kcompactd_wake(&k, &o->g.os, &o->g.cpu[0], 9, KM_ZONE_NORMAL));
    km_kcompactd_step(&k, &o->g.os, &o->g.cpu[0]);
    assert_int_equal(k.order, 0);
    guest_drain_all(&o->g);
    assert_true(blocks_of(o, 9) > 0);
    check(o);
    uint64_t runs = o->c.stats.runs;

    km_kcompactd_step(&k, &o->g.os, &o->g.cpu[0]);
    assert_int_equal(o->c.stats.runs, runs);
}

/* Rule: with proactiveness p, a score above 110 - p starts a run, and it stops at 100 - p. */
static void test_proactive(void **state)
{
    struct owner *o = *state;
    struct km_kcompactd k;

    comb(o);
    for (unsigned z = 0; z < KM_NR_ZONES; z++)
        o->g.os.zone[z].present_pages = z == Z ? o->g.os.zone[z].present_pages : 0;
    unsigned score = km_fragmentation_score(&o->g.os, &o->g.cpu[0]);

    assert_in_range(score, 98, 100);
    km_kcompactd_init(&k, &o->c, 10); /* above 100: never */
    km_kcompactd_idle(&k, &o->g.os, &o->g.cpu[0]);
    assert_int_equal(k.proactive_runs, 0);
    km_kcompactd_init(&k, &o->c, 20);
    km_kcompactd_idle(&k, &o->g.os, &o->g.cpu[0]);
    assert_int_equal(k.proactive_runs, 1);
    guest_drain_all(&o->g);
    score = km_fragmentation_score(&o->g.os, &o->g.cpu[0]);
    assert_in_range(score, 1, 80);
    check(o);
}

/* Property: whatever is taken, given back and compacted, pages are neither lost nor made nor owned twice. */
static void test_nothing_is_lost(void **state)
{
    struct owner *o = *state;
    struct km_prng prng = {7};

    take_all(o);
    const uint32_t total = free_pages(o) + tags(o);

    for (unsigned round = 0; round < 60; round++) {
        for (unsigned i = 0; i < o->nr_taken; i++) {
            km_pfn p = o->taken[i];

            if (o->tag[p] && km_prng_below(&prng, 3) == 0)
                give(o, p);
            o->pinned[p] = km_prng_below(&prng, 20) == 0;
        }
        o->refusals = (unsigned)km_prng_below(&prng, 40);
        km_pfn block = KM_PFN_NONE;
        unsigned live = tags(o);

        switch (km_prng_below(&prng, 3)) {
        case 0:
            km_compact_all(&o->c, &o->g.os, &o->g.cpu[0]);
            break;
        default:
            o->g.os.compact->zone_order(&o->g.os, &o->g.cpu[0], 1 + (unsigned)km_prng_below(&prng, 9),
                                        KM_GFP_KERNEL | KM_GFP_MOVABLE, 0,
                                        (enum km_compact_prio)km_prng_below(&prng, 3), &block);
            break;
        }
        if (block != KM_PFN_NONE)
            assert_false(is_free(o, block));
        assert_int_equal(tags(o), live);
        check(o);
        km_pfn pfn;

        guest_drain_all(&o->g);
        while (free_pages(o) > total / 4 &&
               (pfn = km_buddy_take(&o->g.os, &o->g.cpu[0], Z, 0, KM_MT_MOVABLE, 0)) != KM_PFN_NONE)
            set_used(o, pfn, km_prng_below(&prng, 10) != 0);
        for (km_pfn p = block; block != KM_PFN_NONE && p < o->g.os.zone[Z].end_pfn; p++) {
            if (o->tag[p] || is_free(o, p))
                break;
            set_used(o, p, true);
        }
        assert_int_equal(free_pages(o) + tags(o), total);
    }
    assert_true(o->moves > 1000);
    assert_int_equal(o->c.stats.sources, o->c.stats.moved + o->c.stats.not_moved + o->c.stats.given_up);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_comb_becomes_blocks, setup, teardown),
        cmocka_unit_test_setup_teardown(test_free_scanner_order, setup, teardown),
        cmocka_unit_test_setup_teardown(test_scan_stays_in_its_zone, setup, teardown),
        cmocka_unit_test_setup_teardown(test_mark_is_kept, setup, teardown),
        cmocka_unit_test_setup_teardown(test_target_pageblocks, setup, teardown),
        cmocka_unit_test_setup_teardown(test_half_a_pageblock_changes_type, setup, teardown),
        cmocka_unit_test_setup_teardown(test_migrate_scanner_batches, setup, teardown),
        cmocka_unit_test_setup_teardown(test_refused_page_stays, setup, teardown),
        cmocka_unit_test_setup_teardown(test_async_keeps_to_its_type, setup, teardown),
        cmocka_unit_test_setup_teardown(test_async_gives_up_a_block, setup, teardown),
        cmocka_unit_test_setup_teardown(test_search_turns_the_list, setup, teardown),
        cmocka_unit_test_setup_teardown(test_direct_captures, setup, teardown),
        cmocka_unit_test_setup_teardown(test_failure_defers, setup, teardown),
        cmocka_unit_test_setup_teardown(test_retry, setup, teardown),
        cmocka_unit_test_setup_teardown(test_kcompactd, setup, teardown),
        cmocka_unit_test_setup_teardown(test_proactive, setup, teardown),
        cmocka_unit_test_setup_teardown(test_nothing_is_lost, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
