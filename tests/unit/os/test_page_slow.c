/* SPDX-License-Identifier: MIT
 * test_page_slow.c - the slow path at the edges of every watermark: who is woken, who reclaims, who is killed, who fails.
 *
 * Marks of zone Normal: MIN 100, LOW 200, HIGH 300; a mark is kept by more free pages than it says.
 */
#include "pressure_guest.h"

#include "models/base/bits.h"
#include "models/os/compaction.h"
#include "models/os/page_slow.h"

static struct pressure_guest guest;

static int setup(void **state)
{
    pg_open(&guest, 0);
    *state = &guest;
    return 0;
}

static int teardown(void **state)
{
    pg_check(*state);
    pg_close(*state);
    return 0;
}

/* LOW: 201 free pages are enough, 200 wake kswapd; the request is served from above MIN either way. */
static void test_kswapd_woken_at_low(void **state)
{
    struct pressure_guest *p = *state;

    pg_leave_free(p, PG_LOW + 1);
    guest_forget_events(&p->g);
    assert_int_not_equal(pg_alloc(p, KM_GFP_KERNEL), KM_PFN_NONE);
    assert_int_equal(pg_events(p, KM_TP_WAKEUP_KSWAPD), 0);
    assert_int_equal(pg_free(p), PG_LOW);
    assert_int_not_equal(pg_alloc(p, KM_GFP_KERNEL), KM_PFN_NONE);
    assert_int_equal(pg_events(p, KM_TP_WAKEUP_KSWAPD), 1);
    assert_int_equal(pg_events(p, KM_TP_DIRECT_RECLAIM_BEGIN), 0);
}

/* A request without __GFP_KSWAPD_RECLAIM does not wake it. */
static void test_no_wake_without_flag(void **state)
{
    struct pressure_guest *p = *state;

    pg_leave_free(p, PG_LOW);
    assert_int_not_equal(pg_alloc(p, KM_GFP_KERNEL & ~(uint32_t)KM_GFP_KSWAPD_RECLAIM), KM_PFN_NONE);
    assert_int_equal(pg_events(p, KM_TP_WAKEUP_KSWAPD), 0);
}

/* HIGH: kswapd works from when it is stepped until more than 300 pages are free, no further than what one list gives a
 * round (2000 >> priority, clusters of 32), naps 0.1 s and sleeps.
 */
static void test_kswapd_stops_at_high(void **state)
{
    struct pressure_guest *p = *state;

    pg_fill(p, FILE_GFP, 2000, NULL);
    pg_leave_free(p, PG_LOW);
    guest_forget_events(&p->g);
    pg_alloc(p, KM_GFP_KERNEL);
    assert_int_equal(pg_events(p, KM_TP_KSWAPD_WAKE), 0); /* asked for, not running yet */
    km_reclaim_step(&p->g.os, &p->g.cpu[1], 1000);
    assert_int_equal(pg_events(p, KM_TP_KSWAPD_WAKE), 1);
    assert_int_equal(pg_events(p, KM_TP_KSWAPD_SLEEP), 0);
    km_reclaim_step(&p->g.os, &p->g.cpu[1], 50000000); /* 49 ms are enough for 2000 pages of 1 us */
    assert_int_equal(p->rc.kswapd.state, KM_KSWAPD_NAP);
    assert_true(pg_free(p) > PG_HIGH && pg_free(p) <= PG_HIGH + 64);
    assert_int_equal(p->rc.count[KM_VM_PGSTEAL_KSWAPD], p->gone);
    assert_int_equal(pg_free(p), PG_LOW - 1 + p->gone);
    km_reclaim_step(&p->g.os, &p->g.cpu[1], 99000000);
    assert_int_equal(pg_events(p, KM_TP_KSWAPD_SLEEP), 0);
    km_reclaim_step(&p->g.os, &p->g.cpu[1], 300000000);
    assert_int_equal(pg_events(p, KM_TP_KSWAPD_SLEEP), 1);
    assert_int_equal(p->rc.kswapd.state, KM_KSWAPD_ASLEEP);
    assert_int_equal(p->rc.count[KM_VM_PGSTEAL_DIRECT], 0);
}

/* At HIGH + 1 a wake-up finds the node balanced: nothing happens. At HIGH it works. */
static void test_balanced_node_is_not_woken(void **state)
{
    struct pressure_guest *p = *state;

    pg_leave_free(p, PG_HIGH + 1);
    km_kswapd_wake(&p->g.os, &p->g.cpu[0], KM_GFP_KERNEL, 0, KM_ZONE_NORMAL);
    assert_int_equal(pg_events(p, KM_TP_WAKEUP_KSWAPD), 0);
    pg_leave_free(p, PG_HIGH);
    km_kswapd_wake(&p->g.os, &p->g.cpu[0], KM_GFP_KERNEL, 0, KM_ZONE_NORMAL);
    assert_int_equal(pg_events(p, KM_TP_WAKEUP_KSWAPD), 1);
}

/* 16 balancings without a page and it gives up; a direct reclaimer's success calls it back. */
static void test_kswapd_gives_up(void **state)
{
    struct pressure_guest *p = *state;

    pg_leave_free(p, PG_LOW);
    pg_alloc(p, KM_GFP_KERNEL);
    for (unsigned ms = 1; ms < 10; ms++) /* a round of nothing takes 1 us */
        for (unsigned us = 0; us < 100; us++)
            km_reclaim_step(&p->g.os, &p->g.cpu[0], ms * 1000000ull + us * 1000);
    assert_int_equal(p->rc.kswapd.failures, 16);
    assert_int_equal(p->rc.count[KM_VM_PAGEOUTRUN], 16);
    assert_int_equal(p->rc.kswapd.state, KM_KSWAPD_ASLEEP);
    guest_forget_events(&p->g);
    pg_alloc(p, KM_GFP_KERNEL);
    assert_int_equal(pg_events(p, KM_TP_WAKEUP_KSWAPD), 0);
    pg_leave_free(p, 150);
    km_pfn page[64];

    for (unsigned i = 0; i < 50; i++) {
        page[i] = pg_alloc(p, FILE_GFP & ~(uint32_t)KM_GFP_NORETRY);
        km_lru_add(&p->g.os, &p->g.cpu[0], page[i], KM_LRU_FILE);
    }
    assert_int_equal(pg_free(p), PG_MIN);
    for (unsigned i = 0; i < 20 && !pg_events(p, KM_TP_DIRECT_RECLAIM_BEGIN); i++) /* counters lag by now */
        assert_int_not_equal(pg_alloc(p, KM_GFP_KERNEL), KM_PFN_NONE);
    assert_int_equal(pg_events(p, KM_TP_DIRECT_RECLAIM_BEGIN), 1);
    assert_int_equal(p->rc.kswapd.failures, 0);
}

/* MIN: 101 free pages serve; 100 send the request into direct reclaim, which frees at least 32. */
static void test_direct_reclaim_at_min(void **state)
{
    struct pressure_guest *p = *state;

    pg_fill(p, FILE_GFP, 500, NULL);
    pg_leave_free(p, PG_MIN + 1);
    guest_forget_events(&p->g);
    assert_int_not_equal(pg_alloc(p, KM_GFP_KERNEL), KM_PFN_NONE);
    assert_int_equal(pg_events(p, KM_TP_DIRECT_RECLAIM_BEGIN), 0);
    assert_int_equal(pg_free(p), PG_MIN);
    assert_int_not_equal(pg_alloc(p, KM_GFP_KERNEL), KM_PFN_NONE);
    assert_int_equal(pg_events(p, KM_TP_DIRECT_RECLAIM_BEGIN), 1);
    assert_int_equal(pg_events(p, KM_TP_DIRECT_RECLAIM_END), 1);
    assert_true(p->gone >= 32 && p->gone < 96);
    assert_int_equal(pg_free(p), PG_MIN + p->gone - 1);
    assert_int_equal(p->rc.count[KM_VM_ALLOCSTALL], 1);
    assert_false(p->rc.memalloc[0]);
}

/* Reserves: GFP_ATOMIC has 3/8 of MIN (100 - 50 - 12 = 38), a blocking __GFP_HIGH one half; neither reclaims below. */
static void test_reserves(void **state)
{
    static const struct {
        uint32_t gfp;
        uint32_t mark;
    } rows[] = {{KM_GFP_ATOMIC, 38}, {KM_GFP_KERNEL | KM_GFP_HIGH | KM_GFP_NORETRY | KM_GFP_NOWARN, 50},
                {KM_GFP_NOWAIT | KM_GFP_NOMEMALLOC, 100}};
    struct pressure_guest *p = *state;

    for (size_t i = KM_ARRAY_LEN(rows); i-- > 0;) {
        pg_leave_free(p, rows[i].mark + 1);
        assert_int_not_equal(pg_alloc(p, rows[i].gfp), KM_PFN_NONE);
        if (pg_alloc(p, rows[i].gfp) != KM_PFN_NONE)
            fail_msg("row %zu: served at its mark", i);
        if (i == 0)
            return;
        i -= rows[i - 1].mark > rows[i].mark; /* rows come from the highest mark down: 100, 50, 38 */
    }
}

/* NORETRY: one attempt at reclaim, then failure and nobody dies. RETRY_MAYFAIL: as long as it helps, nobody dies.
 * NOWAIT: no reclaim. Each failure is warned of unless NOWARN.
 */
static void test_who_fails(void **state)
{
    struct pressure_guest *p = *state;
    struct km_oom_task *t = km_oom_task(&p->oom, 7);

    t->rss_anon = 100;
    pg_leave_free(p, PG_MIN);
    guest_forget_events(&p->g);
    assert_int_equal(pg_alloc(p, KM_GFP_KERNEL | KM_GFP_NORETRY), KM_PFN_NONE);
    assert_int_equal(pg_events(p, KM_TP_DIRECT_RECLAIM_BEGIN), 1);
    assert_int_equal(pg_events(p, KM_TP_ALLOC_FAILURE), 1);
    assert_int_equal(pg_alloc(p, KM_GFP_KERNEL | KM_GFP_RETRY_MAYFAIL | KM_GFP_NOWARN), KM_PFN_NONE);
    assert_int_equal(pg_events(p, KM_TP_ALLOC_FAILURE), 1);
    unsigned stalls = pg_events(p, KM_TP_DIRECT_RECLAIM_BEGIN);

    assert_int_equal(pg_alloc(p, KM_GFP_NOWAIT), KM_PFN_NONE);
    assert_int_equal(pg_events(p, KM_TP_DIRECT_RECLAIM_BEGIN), stalls);
    assert_int_equal(pg_events(p, KM_TP_ALLOC_FAILURE), 2);
    assert_int_equal(pg_events(p, KM_TP_OOM_KILL), 0);
    assert_int_equal(p->rc.count[KM_VM_OOM_KILL], 0);
}

struct hoard {
    struct pressure_guest *p;
    km_pfn page[256];
    unsigned nr;
    int32_t killed[8];
    unsigned kills;
    uint64_t calls;
};

static void on_kill(void *ctx, struct km_cpu *cpu, struct km_oom_task *victim)
{
    struct hoard *h = ctx;

    h->killed[h->kills++] = victim->pid;
    while (h->nr)
        km_free_pages(&h->p->g.os, cpu, h->page[--h->nr], 0);
    victim->rss_anon = 0;
}

static struct km_oom_task *add_task(struct pressure_guest *p, int32_t pid, int32_t adj, uint32_t rss)
{
    struct km_oom_task *t = km_oom_task(&p->oom, pid);

    t->adj = adj;
    t->rss_anon = rss;
    return t;
}

/* GFP_KERNEL: the task with the highest score dies, the request is served from what it had. The score is
 * rss + swap + page tables + adj * total / 1000; about 15 thousand pages in all.
 *   10: 300   11: 200 + 100 + 50 = 350   12: 9000, exempt   13: 10, adj 500 = thousands -> dies first
 */
static void test_oom_kills_the_highest_score(void **state)
{
    struct pressure_guest *p = *state;
    static struct hoard h;

    h = (struct hoard){.p = p};
    add_task(p, 10, 0, 300);
    add_task(p, 11, 0, 200)->swap = 100;
    km_oom_find(&p->oom, 11)->page_tables = 50;
    add_task(p, 12, KM_OOM_ADJ_EXEMPT, 9000);
    add_task(p, 13, 500, 10);
    p->oom.ctx = &h;
    p->oom.kill = on_kill;
    for (unsigned round = 0; round < 3; round++) {
        if (round == 0)
            pg_leave_free(p, PG_MIN + 200);
        while (pg_free(p) > PG_MIN)
            h.page[h.nr++] = km_buddy_take(&p->g.os, &p->g.cpu[0], KM_ZONE_NORMAL, 0, KM_MT_UNMOVABLE, 0);
        assert_int_not_equal(pg_alloc(p, KM_GFP_KERNEL), KM_PFN_NONE);
    }
    assert_int_equal(h.kills, 3);
    assert_int_equal(h.killed[0], 13);
    assert_int_equal(h.killed[1], 11);
    assert_int_equal(h.killed[2], 10);
    pg_leave_free(p, PG_MIN);
    assert_int_equal(pg_alloc(p, KM_GFP_KERNEL), KM_PFN_NONE); /* only the exempt one is left */
    assert_int_equal(h.kills, 3);
}

/* By hand: total 20000 pages: adj 100 weighs 2000 pages, -100 takes them away. Ties: the lower pid. */
static void test_badness(void **state)
{
    struct pressure_guest *p = *state;
    struct km_oom_task t = {.pid = 2, .rss_anon = 10, .rss_file = 20, .swap = 30, .page_tables = 5, .adj = 100};

    assert_int_equal(km_oom_badness(&t, 20000), 2065);
    t.adj = -100;
    assert_int_equal(km_oom_badness(&t, 20000), -1935);
    t.adj = -1000;
    assert_true(km_oom_badness(&t, 20000) == INT64_MIN);
    t = (struct km_oom_task){.pid = 1, .rss_anon = 10000, .adj = 1000}; /* init */
    assert_true(km_oom_badness(&t, 20000) == INT64_MIN);
    add_task(p, 9, 0, 50);
    add_task(p, 8, 0, 50);
    add_task(p, 7, 0, 49);
    assert_int_equal(km_oom_select(&p->oom, 20000)->pid, 8);
    add_task(p, 6, 1, 31); /* 20 pages from adj 1: 51 */
    assert_int_equal(km_oom_select(&p->oom, 20000)->pid, 6);
    km_oom_find(&p->oom, 6)->killed = true;
    assert_int_equal(km_oom_select(&p->oom, 20000)->pid, 8);
}

/* DMA requests, costly orders and NOFS never kill. NOFS would wait for others for ever: it is given up, and counted. */
static void test_who_may_not_kill(void **state)
{
    struct pressure_guest *p = *state;

    add_task(p, 5, 0, 1000);
    pg_leave_free(p, PG_MIN);
    assert_int_equal(pg_alloc(p, KM_GFP_KERNEL | KM_GFP_DMA), KM_PFN_NONE);
    assert_int_equal(km_alloc_pages(&p->g.os, &p->g.cpu[0], KM_GFP_KERNEL, 4), KM_PFN_NONE);
    assert_int_equal(p->rc.count[KM_VM_STUCK], 0);
    assert_int_equal(pg_alloc(p, KM_GFP_NOFS), KM_PFN_NONE);
    assert_int_equal(p->rc.count[KM_VM_STUCK], 1);
    assert_int_equal(p->rc.count[KM_VM_OOM_KILL], 0);
}

/* A victim may use half of MIN: 51 free pages serve it, 50 do not; nobody else is killed for it. */
static void test_victim_reserve(void **state)
{
    struct pressure_guest *p = *state;

    add_task(p, 5, 0, 1000)->killed = true;
    add_task(p, 6, 0, 1000);
    p->oom.current[0] = 5;
    pg_leave_free(p, PG_MIN / 2 + 1);
    assert_int_not_equal(pg_alloc(p, KM_GFP_KERNEL), KM_PFN_NONE);
    assert_int_equal(pg_alloc(p, KM_GFP_KERNEL), KM_PFN_NONE);
    assert_int_equal(p->rc.count[KM_VM_OOM_KILL], 0);
}

static uint64_t hoard_count(void *ctx)
{
    const struct hoard *h = ctx;

    return h->nr;
}

/* Gives nothing but from the 40th call on. */
static uint64_t hoard_free(void *ctx, struct km_cpu *cpu, uint64_t nr)
{
    struct hoard *h = ctx;

    if (++h->calls < 40)
        return 0;
    for (; nr && h->nr; nr--)
        km_free_pages(&h->p->g.os, cpu, h->page[--h->nr], 0);
    return nr;
}

/* NOFAIL goes round until a shrinker gives something at last; NORETRY gives up on the way there. Nothing at all is free,
 * so that no reserve helps.
 */
static void test_nofail_loops(void **state)
{
    struct pressure_guest *p = *state;
    static struct hoard h;

    h = (struct hoard){.p = p};
    for (h.nr = 0; h.nr < 256; h.nr++)
        h.page[h.nr] = km_buddy_take(&p->g.os, &p->g.cpu[0], KM_ZONE_NORMAL, 0, KM_MT_UNMOVABLE, 0);
    pg_leave_free(p, 0);
    for (unsigned z = 0; z < KM_NR_ZONES; z++)
        while (z == KM_ZONE_DMA && km_buddy_take(&p->g.os, &p->g.cpu[0], KM_ZONE_DMA, 0, KM_MT_UNMOVABLE, 0) != KM_PFN_NONE)
            ;
    p->rc.ctx = &h;
    p->rc.gone = NULL;
    p->rc.slab_count = hoard_count;
    p->rc.slab_free = hoard_free;
    assert_int_equal(pg_alloc(p, KM_GFP_KERNEL | KM_GFP_NORETRY | KM_GFP_NOWARN), KM_PFN_NONE);
    assert_true(h.calls > 0 && h.calls < 40);
    uint64_t stalls = p->rc.count[KM_VM_ALLOCSTALL];

    assert_int_not_equal(pg_alloc(p, KM_GFP_KERNEL | KM_GFP_NOFAIL), KM_PFN_NONE);
    assert_true(h.calls >= 40);
    assert_true(p->rc.count[KM_VM_ALLOCSTALL] > stalls);
    assert_int_equal(p->rc.count[KM_VM_STUCK], 0);
}

/* NOFAIL with nothing to be had ever: counted as stuck instead of hanging the simulation. */
static void test_nofail_for_ever(void **state)
{
    struct pressure_guest *p = *state;

    pg_leave_free(p, 0);
    while (km_buddy_take(&p->g.os, &p->g.cpu[0], KM_ZONE_DMA, 0, KM_MT_UNMOVABLE, 0) != KM_PFN_NONE)
        ;
    assert_int_equal(pg_alloc(p, KM_GFP_KERNEL | KM_GFP_NOFAIL), KM_PFN_NONE);
    assert_int_equal(p->rc.count[KM_VM_STUCK], 1);
}

/* HIGHATOMIC: while reclaim makes progress one pageblock stays reserved; before a request gives up it goes too. */
static void test_unreserve_highatomic(void **state)
{
    struct pressure_guest *p = *state;
    struct km_os *os = &p->g.os;

    RULE_NEEDS(os->p.personality->highatomic);
    /* at LOW the flags of the slow path come into play: the block of the page is set aside */
    km_zone_set_watermarks(os, &p->g.cpu[0], KM_ZONE_NORMAL, PG_MIN, 100000, 100000);
    assert_int_not_equal(km_alloc_pages(os, &p->g.cpu[0], KM_GFP_ATOMIC, 1), KM_PFN_NONE);
    assert_int_equal(guest_zone_word(&p->g, KM_ZONE_NORMAL, KM_ZONE_NR_HIGHATOMIC), 512);
    assert_false(km_unreserve_highatomic(os, &p->g.cpu[0], KM_GFP_KERNEL, false));
    assert_true(km_unreserve_highatomic(os, &p->g.cpu[0], KM_GFP_KERNEL, true));
    assert_int_equal(guest_zone_word(&p->g, KM_ZONE_NORMAL, KM_ZONE_NR_HIGHATOMIC), 0);
    assert_false(km_unreserve_highatomic(os, &p->g.cpu[0], KM_GFP_KERNEL, true));
}

/* ---- compaction, behind its hook ---- */

static struct {
    unsigned calls;
    enum km_compact_prio prio[64];
    enum km_compact_result answer;
} scanners;

static enum km_compact_result fake_zone_order(struct km_os *os, struct km_cpu *cpu, unsigned order, uint32_t gfp,
                                              unsigned alloc_flags, enum km_compact_prio prio, km_pfn *captured)
{
    (void)os;
    (void)cpu;
    (void)order;
    (void)gfp;
    (void)alloc_flags;
    *captured = KM_PFN_NONE;
    if (scanners.calls < 64)
        scanners.prio[scanners.calls] = prio;
    scanners.calls++;
    return scanners.answer;
}

static const struct km_compact_ops fake_scanners = {.zone_order = fake_zone_order};

/* Costly order with NORETRY: compaction first, asynchronously; deferred or skipped: it gives up without reclaiming. */
static void test_costly_noretry(void **state)
{
    struct pressure_guest *p = *state;

    p->g.os.compact = &fake_scanners;
    pg_leave_free(p, PG_MIN);
    scanners.calls = 0;
    scanners.answer = KM_COMPACT_DEFERRED;
    assert_int_equal(km_alloc_pages(&p->g.os, &p->g.cpu[0], KM_GFP_KERNEL | KM_GFP_NORETRY, 4), KM_PFN_NONE);
    assert_int_equal(scanners.calls, 1);
    assert_int_equal(scanners.prio[0], KM_COMPACT_ASYNC);
    assert_int_equal(p->rc.count[KM_VM_ALLOCSTALL], 0);
    scanners.calls = 0;
    scanners.answer = KM_COMPACT_COMPLETE; /* worth going on: reclaim, then once more, still asynchronously */
    assert_int_equal(km_alloc_pages(&p->g.os, &p->g.cpu[0], KM_GFP_KERNEL | KM_GFP_NORETRY, 4), KM_PFN_NONE);
    assert_int_equal(scanners.calls, 2);
    assert_int_equal(scanners.prio[1], KM_COMPACT_ASYNC);
    assert_int_equal(p->rc.count[KM_VM_ALLOCSTALL], 1);
}

/* Order 2: unmovable requests try compaction first, movable ones only after reclaim; then SYNC_LIGHT. A failed full
 * scan raises the priority to SYNC_FULL as long as reclaim makes progress.
 */
static void test_priorities_rise(void **state)
{
    struct pressure_guest *p = *state;

    p->g.os.compact = &fake_scanners;
    pg_fill(p, FILE_GFP, 1000, NULL);
    pg_leave_free(p, PG_MIN);
    scanners.calls = 0;
    scanners.answer = KM_COMPACT_COMPLETE;
    km_alloc_pages(&p->g.os, &p->g.cpu[0], KM_GFP_KERNEL | KM_GFP_NORETRY, 2);
    assert_true(scanners.calls >= 1);
    assert_int_equal(scanners.prio[0], KM_COMPACT_ASYNC);
    if (scanners.calls > 1)
        assert_int_equal(scanners.prio[1], KM_COMPACT_SYNC_LIGHT);
}

int main(void)
{
#define CASE(t) cmocka_unit_test_setup_teardown(t, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(test_kswapd_woken_at_low),
        CASE(test_no_wake_without_flag),
        CASE(test_kswapd_stops_at_high),
        CASE(test_balanced_node_is_not_woken),
        CASE(test_kswapd_gives_up),
        CASE(test_direct_reclaim_at_min),
        CASE(test_reserves),
        CASE(test_who_fails),
        CASE(test_oom_kills_the_highest_score),
        CASE(test_badness),
        CASE(test_who_may_not_kill),
        CASE(test_victim_reserve),
        CASE(test_nofail_loops),
        CASE(test_nofail_for_ever),
        CASE(test_unreserve_highatomic),
        CASE(test_costly_noretry),
        CASE(test_priorities_rise),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
