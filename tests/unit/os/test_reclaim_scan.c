/* SPDX-License-Identifier: MIT
 * test_reclaim_scan.c - which pages reclaim takes: second chance, dirty pages, swap, balance, shrinkers; random use.
 */
#include "pressure_guest.h"

#include "models/base/bits.h"

static struct pressure_guest guest;

static int setup(void **state)
{
    pg_open(&guest, 1000);
    *state = &guest;
    return 0;
}

static int teardown(void **state)
{
    pg_check(*state);
    pg_close(*state);
    return 0;
}

static uint64_t reclaim(struct pressure_guest *p, uint32_t gfp)
{
    return km_direct_reclaim(&p->g.os, &p->g.cpu[0], 0, gfp);
}

/* The oldest pages go first, in clusters of 32. */
static void test_oldest_first(void **state)
{
    struct pressure_guest *p = *state;
    km_pfn page[200];

    pg_fill(p, FILE_GFP, 200, page);
    uint64_t freed = reclaim(p, KM_GFP_KERNEL);

    assert_true(freed >= 32);
    for (unsigned i = 0; i < 200; i++)
        assert_int_equal(!(km_page_flags(&p->g.os, &p->g.cpu[0], page[i]) & KM_PG_LRU), i < freed);
}

/* Referenced page cache goes if clean; used through a mapping: kept once, then (used again) activated; a mapping that
 * executes activates at once.
 */
static void test_second_chance(void **state)
{
    struct pressure_guest *p = *state;
    struct km_os *os = &p->g.os;
    struct km_cpu *cpu = &p->g.cpu[0];
    struct km_scan sc = {.highest = KM_ZONE_NORMAL, .gfp = KM_GFP_KERNEL, .priority = 0, .to_reclaim = 1000};
    km_pfn page[5];

    pg_fill(p, FILE_GFP, 5, page);
    km_lru_touch(os, cpu, page[0], KM_LRU_TOUCH_READ);
    km_lru_touch(os, cpu, page[1], KM_LRU_TOUCH_MAPPED);
    km_lru_touch(os, cpu, page[2], KM_LRU_TOUCH_MAPPED);
    km_lru_change_flags(os, cpu, page[3], KM_PG_YOUNG | KM_PG_EXEC, 0);
    km_shrink_node(os, cpu, &sc);
    assert_int_equal(sc.reclaimed, 2); /* 0 and 4 */
    assert_int_equal(pg_listed(p, KM_LRU_INACTIVE_FILE), 2);
    assert_int_equal(pg_listed(p, KM_LRU_ACTIVE_FILE), 1);
    km_lru_touch(os, cpu, page[2], KM_LRU_TOUCH_MAPPED);
    sc.reclaimed = 0;
    km_lru_change_flags(os, cpu, page[3], KM_PG_YOUNG, 0); /* its code still runs */
    km_shrink_node(os, cpu, &sc);
    assert_int_equal(sc.reclaimed, 1); /* 1: not used again; 2: activated; 3: stays active */
    assert_int_equal(km_page_flags(os, cpu, page[2]) & KM_PG_ACTIVE, KM_PG_ACTIVE);
    assert_int_equal(km_page_flags(os, cpu, page[3]) & KM_PG_ACTIVE, KM_PG_ACTIVE);
}

/* Anonymous pages: no swap, no reclaim. With swap: written first, freed once that has ended, slot by slot. */
static void test_swap(void **state)
{
    struct pressure_guest *p = *state;
    km_pfn page[64];

    pg_fill(p, ANON_GFP, 64, page);
    p->rc.swap_pages = 0;
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(reclaim(p, KM_GFP_KERNEL), 0);
    p->rc.swap_pages = 40;
    for (unsigned i = 0; i < 4; i++)
        reclaim(p, KM_GFP_KERNEL);
    assert_int_equal(p->rc.count[KM_VM_PSWPOUT], 40); /* then swap is full */
    assert_int_equal(p->rc.swap_used, 40);
    assert_int_equal(p->lru.nr_writeback, 40);
    assert_int_equal(p->gone, 0);
    assert_true(km_reclaim_wait(&p->g.os, &p->g.cpu[0]));
    assert_int_equal(p->lru.nr_writeback, 0);
    assert_int_equal(p->rc.count[KM_VM_PGROTATED], 40);
    p->rc.swap_pages = 41;
    uint64_t freed = reclaim(p, KM_GFP_KERNEL);

    assert_true(freed >= 32);
    assert_int_equal(p->gone, freed);
    assert_int_equal(p->rc.count[KM_VM_PGSTEAL_ANON], freed);
    km_swap_free(&p->g.os, 100);
    assert_int_equal(p->rc.swap_used, 0);
}

/* A request that must not do I/O leaves anonymous pages alone. */
static void test_noio(void **state)
{
    struct pressure_guest *p = *state;

    pg_fill(p, ANON_GFP, 64, NULL);
    for (unsigned i = 0; i < 4; i++)
        reclaim(p, KM_GFP_NOIO);
    assert_int_equal(p->rc.swap_used, 0);
}

/* Dirty page cache is not written by a reclaimer: the flusher is started, and what it has written comes back to the
 * inactive tail, where the next scan finds it clean.
 */
static void test_dirty_file(void **state)
{
    struct pressure_guest *p = *state;

    pg_fill(p, DIRTY_GFP, 64, NULL);
    assert_int_equal(p->lru.nr_dirty, 64);
    assert_int_equal(reclaim(p, KM_GFP_KERNEL), 0);
    assert_int_equal(p->rc.count[KM_VM_VMSCAN_WRITE], 0);
    assert_int_equal(p->rc.count[KM_VM_VMSCAN_IMMEDIATE] > 0, true);
    assert_int_equal(p->lru.nr_dirty, 0); /* all under writeback */
    assert_true(km_reclaim_wait(&p->g.os, &p->g.cpu[0]));
    assert_int_equal(p->rc.count[KM_VM_NR_WRITTEN], 64);
    assert_true(reclaim(p, KM_GFP_KERNEL) >= 32);
}

/* The flusher writes a page 30 s after it became dirty, not before; more than a tenth of memory at once. */
static void test_flusher(void **state)
{
    struct pressure_guest *p = *state;

    pg_fill(p, DIRTY_GFP, 10, NULL);
    km_reclaim_step(&p->g.os, &p->g.cpu[0], 29999999999ull);
    assert_int_equal(p->lru.nr_dirty, 10);
    km_reclaim_step(&p->g.os, &p->g.cpu[0], 30000000000ull);
    assert_int_equal(p->lru.nr_dirty, 0);
    assert_int_equal(p->lru.nr_writeback, 10);
    km_reclaim_step(&p->g.os, &p->g.cpu[0], 30001000000ull);
    assert_int_equal(p->rc.count[KM_VM_NR_WRITTEN], 10);
    uint32_t tenth = (uint32_t)(guest_zone_word(&p->g, KM_ZONE_DMA, KM_ZONE_NR_FREE_PAGES) + pg_free(p) + 10) / 10;

    pg_fill(p, DIRTY_GFP, tenth - 20, NULL);
    km_reclaim_step(&p->g.os, &p->g.cpu[0], 30002000000ull);
    assert_int_equal(p->lru.nr_dirty, tenth - 20);
    pg_fill(p, DIRTY_GFP, 40, NULL);
    km_reclaim_step(&p->g.os, &p->g.cpu[0], 30002000001ull);
    assert_true(p->lru.nr_dirty < tenth - 20);
}

/* Balance: with as much inactive page cache as can be scanned, anonymous pages are left; with all of it active and few,
 * both are scanned, 60 : 140.
 */
static void test_balance(void **state)
{
    struct pressure_guest *p = *state;
    struct km_scan sc = {.highest = KM_ZONE_NORMAL, .gfp = KM_GFP_KERNEL, .priority = 1, .to_reclaim = 100000,
                         .may_swap = true, .may_write = true};

    km_zone_set_watermarks(&p->g.os, &p->g.cpu[0], KM_ZONE_DMA, 0, 0, 0); /* or there seems to be hardly any cache */
    km_zone_set_watermarks(&p->g.os, &p->g.cpu[0], KM_ZONE_HIGHMEM, 0, 0, 0);
    pg_fill(p, ANON_GFP, 400, NULL);
    pg_fill(p, FILE_GFP, 400, NULL);
    km_shrink_node(&p->g.os, &p->g.cpu[0], &sc);
    assert_int_equal(p->rc.count[KM_VM_PGSCAN_ANON], 0);
    assert_int_equal(p->rc.count[KM_VM_PGSCAN_FILE], 200);
    for (km_pfn f = 0x1010; f < GUEST_LOW_PFN; f++) /* 200 file pages left: active but 60 */
        if ((km_page_flags(&p->g.os, &p->g.cpu[0], f) & (KM_PG_LRU | KM_PG_SWAPBACKED)) == KM_PG_LRU &&
            pg_listed(p, KM_LRU_ACTIVE_FILE) < 140) {
            km_lru_touch(&p->g.os, &p->g.cpu[0], f, KM_LRU_TOUCH_READ);
            km_lru_touch(&p->g.os, &p->g.cpu[0], f, KM_LRU_TOUCH_READ);
        }
    assert_int_equal(pg_listed(p, KM_LRU_ACTIVE_FILE), 140);
    km_shrink_node(&p->g.os, &p->g.cpu[0], &sc);
    assert_true(p->rc.count[KM_VM_PGSCAN_ANON] > 0);
    assert_true(p->rc.count[KM_VM_PGDEACTIVATE] > 0);
}

static uint64_t asked;

static uint64_t count_objects(void *ctx)
{
    (void)ctx;
    return 4096;
}

static uint64_t free_objects(void *ctx, struct km_cpu *cpu, uint64_t nr)
{
    (void)ctx;
    (void)cpu;
    asked += nr;
    return nr;
}

/* Shrinkers: (4096 >> priority) * 4 / 2 objects in batches of 128; what is left of a batch is added next time.
 *   priority 6: 128: one batch   priority 7: 64, deferred   again: 64 + 64 = one batch
 */
static void test_shrinkers(void **state)
{
    struct pressure_guest *p = *state;
    struct km_scan sc = {.highest = KM_ZONE_NORMAL, .gfp = KM_GFP_KERNEL, .priority = 6, .to_reclaim = 32};

    asked = 0;
    p->rc.slab_count = count_objects;
    p->rc.slab_free = free_objects;
    km_shrink_node(&p->g.os, &p->g.cpu[0], &sc);
    assert_int_equal(asked, 128);
    sc.priority = 7;
    km_shrink_node(&p->g.os, &p->g.cpu[0], &sc);
    assert_int_equal(asked, 128);
    km_shrink_node(&p->g.os, &p->g.cpu[0], &sc);
    assert_int_equal(asked, 256);
    assert_int_equal(p->rc.count[KM_VM_SLABS_SCANNED], 256);
}

/* ---- random use ---- */

enum { LIVE_MAX = 12000 };

struct play {
    struct pressure_guest p;
    struct km_prng prng;
    km_pfn live[LIVE_MAX];
    uint32_t place[GUEST_MAX_PFN]; /* index in live + 1 */
    unsigned nr;
    uint64_t reclaimed, refused;
};

static void drop(struct play *y, km_pfn pfn)
{
    unsigned at = y->place[pfn] - 1;

    y->place[pfn] = 0;
    y->live[at] = y->live[--y->nr];
    if (at < y->nr)
        y->place[y->live[at]] = at + 1;
}

static void on_gone(void *ctx, struct km_cpu *cpu, km_pfn pfn, bool swapped)
{
    struct play *y = ctx;

    (void)cpu;
    (void)swapped;
    if (!y->place[pfn])
        fail_msg("frame %#x was reclaimed though nobody had it", pfn);
    drop(y, pfn);
    y->reclaimed++;
}

static void request(struct play *y)
{
    static const uint32_t gfps[] = {FILE_GFP, FILE_GFP, ANON_GFP, ANON_GFP, DIRTY_GFP, KM_GFP_KERNEL | KM_GFP_NORETRY,
                                    KM_GFP_ATOMIC};
    uint32_t gfp = gfps[km_prng_below(&y->prng, KM_ARRAY_LEN(gfps))];
    struct km_cpu *cpu = &y->p.g.cpu[km_prng_below(&y->prng, GUEST_CPUS)];

    if (y->nr == LIVE_MAX)
        return;
    km_pfn pfn = km_alloc_pages(&y->p.g.os, cpu, gfp | KM_GFP_NOWARN, 0);

    if (pfn == KM_PFN_NONE) {
        y->refused++;
        return;
    }
    assert_int_equal(y->place[pfn], 0);
    y->live[y->nr++] = pfn;
    y->place[pfn] = y->nr;
    km_lru_add(&y->p.g.os, cpu, pfn, km_lru_kind_of(gfp, 0));
}

static void give_back(struct play *y, unsigned at)
{
    km_pfn pfn = y->live[at];

    drop(y, pfn);
    km_free_pages(&y->p.g.os, &y->p.g.cpu[km_prng_below(&y->prng, GUEST_CPUS)], pfn, 0);
}

static void random_step(struct play *y, unsigned now)
{
    uint32_t dice = km_prng_below(&y->prng, 100);

    guest_forget_events(&y->p.g);
    if (dice < 55)
        request(y);
    else if (dice < 65 && y->nr)
        give_back(y, km_prng_below(&y->prng, y->nr));
    else if (dice < 90 && y->nr)
        km_lru_touch(&y->p.g.os, &y->p.g.cpu[0], y->live[km_prng_below(&y->prng, y->nr)],
                     (enum km_lru_touch)km_prng_below(&y->prng, 3));
    else
        km_reclaim_step(&y->p.g.os, &y->p.g.cpu[dice & 1], now * 50000ull);
}

/* Intent: 8000 steps per seed from empty memory into pressure, both sets of lists checked after every 16th step and all
 * through the tight phase; nobody's page is reclaimed twice or handed out twice; and when everything is given back the
 * free lists are those of the boot, the LRU lists empty.
 */
static void test_random_pressure(void **state)
{
    static struct play y;
    uint64_t before[KM_NR_ORDERS], after[KM_NR_ORDERS];

    (void)state;
    for (uint64_t seed = 1; seed <= 4; seed++) {
        memset(&y, 0, sizeof(y));
        pg_open(&y.p, 500);
        y.prng.state = seed;
        y.p.rc.ctx = &y;
        y.p.rc.gone = on_gone;
        km_buddy_count(&y.p.g.os, y.p.g.window, KM_ZONE_NORMAL, before, NULL);
        pg_leave_free(&y.p, pg_free(&y.p)); /* exact at the start */
        for (unsigned i = 0; i < 24000; i++) {
            random_step(&y, i);
            if (i % 16 == 0 || pg_free(&y.p) < PG_MIN)
                pg_check(&y.p);
        }
        assert_true(y.reclaimed > 500);
        while (y.nr)
            give_back(&y, y.nr - 1);
        guest_drain_all(&y.p.g);
        pg_check(&y.p);
        for (unsigned l = 0; l < KM_LRU_NR; l++)
            assert_int_equal(pg_listed(&y.p, (enum km_lru_list)l), 0);
        assert_int_equal(y.p.lru.nr_dirty, 0);
        assert_int_equal(y.p.lru.nr_writeback, 0);
        km_buddy_count(&y.p.g.os, y.p.g.window, KM_ZONE_NORMAL, after, NULL);
        assert_memory_equal(before, after, sizeof(before));
        pg_close(&y.p);
    }
}

int main(void)
{
#define CASE(t) cmocka_unit_test_setup_teardown(t, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(test_oldest_first), CASE(test_second_chance), CASE(test_swap),      CASE(test_noio),
        CASE(test_dirty_file),   CASE(test_flusher),       CASE(test_balance),   CASE(test_shrinkers),
        cmocka_unit_test(test_random_pressure),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
