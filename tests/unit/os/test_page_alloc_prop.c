/* SPDX-License-Identifier: MIT
 * test_page_alloc_prop.c - properties of the page allocator under random requests.
 *
 * Oracle:      an owner per page frame. After every step all lists are checked in full and
 *                managed pages = free on buddy lists + on per-CPU lists + handed out      (per
 * zone) Properties:  blocks are aligned, in a zone the request may use, on no list, and never
 * overlap; when all is freed and drained every order has its number of blocks from after boot; the
 * same seed gives the same frames; memory bounded by Robson's formula is enough.
 */
#include "tests/unit/os/small_guest.h"
#include "tests/unit/os/rounds.h"

#include <stdlib.h>

enum { MAX_LIVE = 4096 };

struct live {
    km_pfn pfn;
    unsigned order;
    bool bulk;
};

struct play {
    struct small_guest g;
    struct km_prng prng;
    struct live live[MAX_LIVE];
    unsigned nr_live;
    uint16_t owner[GUEST_MAX_PFN]; /* 1 + index into live[] when handed out; 0: not */
    uint32_t out[KM_NR_ZONES];     /* pages handed out */
    unsigned failed, frames, steals;
    uint64_t hash; /* of all frames handed out, in order */
};

static uint32_t below(struct play *p, uint32_t n)
{
    return km_prng_below(&p->prng, n);
}

static void play_open(struct play *p, uint64_t seed, bool thp)
{
    memset(p, 0, sizeof(*p));
    p->prng.state = seed;
    guest_boot_with(&p->g, thp);
    km_zone_setup_watermarks(&p->g.os, &p->g.cpu[0]);
    km_pcp_setup(&p->g.os, &p->g.cpu[0], GUEST_CPUS);
    for (unsigned c = 0; c < GUEST_CPUS; c++) /* the zones are so small that batch would be 1 */
        km_pcp_set_limits(&p->g.os, &p->g.cpu[0], KM_ZONE_NORMAL, c, 60, 7);
}

static void take_note(struct play *p, km_pfn pfn, unsigned order, uint32_t gfp)
{
    enum km_zone_id z = km_pfn_zone(&p->g.os, pfn);
    km_pfn head;
    unsigned have;

    if (z == KM_NR_ZONES || z > km_gfp_zone(gfp))
        fail_msg("frame 0x%x: zone %u for gfp 0x%x", pfn, z, gfp);
    assert_int_equal(pfn & ((1u << order) - 1), 0);
    assert_true(pfn + (1u << order) <= p->g.os.zone[z].end_pfn);
    assert_true(p->nr_live < MAX_LIVE);
    p->live[p->nr_live++] = (struct live){pfn, order, false};
    for (km_pfn f = pfn; f < pfn + (1u << order); f++) {
        if (p->owner[f])
            fail_msg("frame 0x%x handed out twice", f);
        if (km_buddy_find(&p->g.os, p->g.window, f, &head, &have))
            fail_msg("frame 0x%x handed out, but free in 0x%x order %u", f, head, have);
        p->owner[f] = (uint16_t)p->nr_live;
    }
    p->out[z] += 1u << order;
    p->frames++;
    p->hash = (p->hash ^ pfn) * 0x100000001b3ull;
}

/* Movable pages get on an LRU list some time after they were handed out. */
static void maybe_on_lru(struct play *p, km_pfn pfn, uint32_t gfp)
{
    km_vaddr flags = km_page_va(&p->g.os, pfn) + KM_PAGE_FLAGS;

    if ((gfp & KM_GFP_MOVABLE) && below(p, 4))
        km_st32(&p->g.cpu[0], flags, km_peek32(p->g.window, flags) | KM_PG_LRU);
}

static void op_alloc(struct play *p)
{
    static const uint32_t gfps[] = {
        KM_GFP_KERNEL,
        KM_GFP_KERNEL | KM_GFP_RECLAIMABLE,
        KM_GFP_HIGHUSER_MOVABLE,
        KM_GFP_HIGHUSER_MOVABLE,
        KM_GFP_HIGHUSER,
        KM_GFP_USER | KM_GFP_MOVABLE,
        KM_GFP_KERNEL | KM_GFP_DMA,
        KM_GFP_ATOMIC,
        KM_GFP_KERNEL | KM_GFP_COMP | KM_GFP_ZERO,
    };
    uint32_t gfp = gfps[below(p, KM_ARRAY_LEN(gfps))];
    unsigned order = below(p, 2) ? 0 : below(p, 6) ? below(p, 5) : below(p, KM_NR_ORDERS);

    if (p->nr_live + 64 > MAX_LIVE)
        return;
    /* An atomic request of more pages may set a pageblock aside for good: see the test of that. */
    if ((gfp & KM_GFP_ATOMIC_BIT))
        order = 0;
    km_pfn pfn = km_alloc_pages(&p->g.os, &p->g.cpu[below(p, GUEST_CPUS)], gfp, order);

    if (pfn == KM_PFN_NONE) {
        p->failed++;
        return;
    }
    take_note(p, pfn, order, gfp);
    maybe_on_lru(p, pfn, gfp);
}

static void op_bulk(struct play *p)
{
    static const uint32_t gfps[] = {KM_GFP_KERNEL, KM_GFP_HIGHUSER, KM_GFP_HIGHUSER_MOVABLE};
    uint32_t gfp = gfps[below(p, KM_ARRAY_LEN(gfps))];
    km_pfn pfn[32];
    unsigned wanted = below(p, 33);

    if (p->nr_live + 64 > MAX_LIVE)
        return;
    unsigned got = km_alloc_pages_bulk(&p->g.os, &p->g.cpu[below(p, GUEST_CPUS)], gfp, wanted, pfn);

    assert_true(got <= wanted);
    for (unsigned i = 0; i < got; i++)
        take_note(p, pfn[i], 0, gfp);
}

static struct live forget(struct play *p, unsigned index)
{
    struct live l = p->live[index];
    enum km_zone_id z = km_pfn_zone(&p->g.os, l.pfn);

    for (km_pfn f = l.pfn; f < l.pfn + (1u << l.order); f++)
        p->owner[f] = 0;
    p->out[z] -= 1u << l.order;
    p->live[index] = p->live[--p->nr_live];
    if (index < p->nr_live)
        for (km_pfn f = p->live[index].pfn; f < p->live[index].pfn + (1u << p->live[index].order);
             f++)
            p->owner[f] = (uint16_t)(index + 1);
    return l;
}

static void op_free(struct play *p)
{
    if (!p->nr_live)
        return;
    struct live l = forget(p, below(p, p->nr_live));

    km_free_pages(&p->g.os, &p->g.cpu[below(p, GUEST_CPUS)], l.pfn, l.order);
}

/* A process exits: many single pages at once. */
static void op_free_batch(struct play *p)
{
    km_pfn pfn[48];
    unsigned nr = 0, wanted = below(p, KM_ARRAY_LEN(pfn) + 1);

    for (unsigned i = p->nr_live; i-- > 0 && nr < wanted;)
        if (p->live[i].order == 0)
            pfn[nr++] = forget(p, i).pfn;
    km_free_pages_batched(&p->g.os, &p->g.cpu[below(p, GUEST_CPUS)], pfn, nr);
}

/* alloc_pages_exact: the tail of a block goes back page by page, the rest stays. */
static void op_split(struct play *p)
{
    if (!p->nr_live || p->nr_live + 64 > MAX_LIVE)
        return;
    unsigned index = below(p, p->nr_live);

    if (p->live[index].order == 0 || p->live[index].order > 4)
        return;
    struct live l = forget(p, index);
    km_pfn keep = l.pfn + 1 + below(p, (1u << l.order) - 1), end = l.pfn + (1u << l.order);

    for (km_pfn f = keep; f < end; f++)
        km_free_pages_to_tail(&p->g.os, &p->g.cpu[0], f, 0);
    for (km_pfn f = l.pfn; f < keep; f++)
        km_free_pages(&p->g.os, &p->g.cpu[0], f, 0);
}

static void check_all(struct play *p)
{
    guest_check(&p->g);
    for (unsigned z = 0; z < KM_NR_ZONES; z++) {
        uint32_t pages =
            guest_zone_word(&p->g, (enum km_zone_id)z, KM_ZONE_NR_FREE_PAGES) + p->out[z];

        for (unsigned c = 0; c < GUEST_CPUS; c++)
            pages += km_pcp_count(&p->g.os, p->g.window, (enum km_zone_id)z, c);
        assert_int_equal(pages, guest_zone_word(&p->g, (enum km_zone_id)z, KM_ZONE_MANAGED));
    }
}

static void step(struct play *p, unsigned pressure)
{
    uint32_t dice = below(p, 100);

    guest_forget_events(&p->g);
    if (dice < pressure)
        op_alloc(p);
    else if (dice < 90)
        op_free(p);
    else if (dice < 92)
        op_bulk(p);
    else if (dice < 94)
        op_free_batch(p);
    else if (dice < 95)
        op_split(p);
    else if (dice < 96)
        km_pcp_drain(&p->g.os, &p->g.cpu[0], (enum km_zone_id)below(p, KM_NR_ZONES),
                     below(p, GUEST_CPUS), below(p, 40));
    else
        op_alloc(p);
}

static void count_blocks(struct play *p, uint64_t out[KM_NR_ZONES][KM_NR_ORDERS])
{
    for (unsigned z = 0; z < KM_NR_ZONES; z++)
        km_buddy_count(&p->g.os, p->g.window, (enum km_zone_id)z, out[z], NULL);
}

/* Fills, stays full (requests fail, other types' pageblocks are stolen), empties; then frees the
 * rest. */
static void run(struct play *p, uint64_t seed, bool thp, bool check_each)
{
    static const unsigned pressure[] = {85, 60, 75, 20};
    uint64_t before[KM_NR_ZONES][KM_NR_ORDERS], after[KM_NR_ZONES][KM_NR_ORDERS];

    play_open(p, seed, thp);
    count_blocks(p, before);
    for (unsigned phase = 0; phase < KM_ARRAY_LEN(pressure); phase++)
        for (unsigned i = 0; i < 1500; i++) {
            step(p, pressure[phase]);
            p->steals += guest_count_events(&p->g, KM_TP_EXTFRAG);
            if (check_each)
                check_all(p);
        }
    while (p->nr_live)
        op_free(p);
    guest_drain_all(&p->g);
    check_all(p);
    count_blocks(p, after);
    for (unsigned z = 0; z < KM_NR_ZONES; z++)
        for (unsigned o = 0; o < KM_NR_ORDERS; o++)
            if (before[z][o] != after[z][o])
                fail_msg("zone %u order %u: %u blocks after boot, %u at the end", z, o,
                         (unsigned)before[z][o], (unsigned)after[z][o]);
}

/* Intent: invariants after each of 6000 steps per seed, with and without lists for huge pages, and
 * the state after boot back at the end. Memory runs out on the way: requests must have failed. */
static void test_random_requests(void **state)
{
    static struct play p;
    unsigned failed = 0, frames = 0, steals = 0;

    (void)state;
    for (uint64_t seed = 1; seed <= test_rounds(12); seed++) {
        run(&p, seed, seed & 1, true);
        failed += p.failed;
        frames += p.frames;
        steals += p.steals;
        guest_close(&p.g);
    }
    assert_true(failed > 1000 && frames > 5000 && steals > 100);
}

/* Intent: nothing but the seed decides: same frames in the same order, other frames with another
 * seed. */
static void test_deterministic(void **state)
{
    static struct play p;
    uint64_t hash[3];

    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        run(&p, i < 2 ? 7 : 8, false, false);
        hash[i] = p.hash;
        guest_close(&p.g);
    }
    assert_true(hash[0] == hash[1]);
    assert_true(hash[0] != hash[2]);
}

/* Intent: an atomic request of several pages that dips into the reserve sets its pageblock aside;
 * the counter, the pageblock type and the lists agree, others cannot have these pages, and no more
 * than 1 % of the zone plus one pageblock is ever reserved. */
static void test_highatomic_reserve(void **state)
{
    static struct play p;
    struct km_os *os = &p.g.os;
    uint32_t limit;

    (void)state;
    play_open(&p, 1, false);
    limit = guest_zone_word(&p.g, KM_ZONE_NORMAL, KM_ZONE_MANAGED) / 100 + 512;
    /* take single pages until the LOW mark refuses, then atomic pairs of pages until even those
     * fail */
    while (km_alloc_pages(os, &p.g.cpu[0], KM_GFP_KERNEL, 4) != KM_PFN_NONE)
        ;
    for (unsigned i = 0; i < 2000; i++) {
        km_pfn pfn = km_alloc_pages(os, &p.g.cpu[0], KM_GFP_ATOMIC, 1);

        if (pfn == KM_PFN_NONE)
            break;
        guest_check(&p.g);
    }
    uint32_t reserved = guest_zone_word(&p.g, KM_ZONE_NORMAL, KM_ZONE_NR_HIGHATOMIC);
    unsigned blocks = 0;

    for (km_pfn f = p.g.os.zone[KM_ZONE_NORMAL].start_pfn; f < GUEST_LOW_PFN; f += 512)
        blocks += km_pageblock_type(os, &p.g.cpu[0], KM_ZONE_NORMAL, f) == KM_MT_HIGHATOMIC;
    assert_int_equal(reserved > 0, os->p.personality->highatomic);
    assert_int_equal(reserved, blocks * 512);
    assert_true(reserved < limit + 512);
    guest_close(&p.g);
}

/* Intent: the zonelist is walked downwards as zones reach their LOW marks, then once more down to
 * MIN; DMA comes last, its reserve kept from those who could use more.
 *
 *   HighMem to LOW, Normal to LOW, DMA to LOW | HighMem to MIN, Normal to MIN, DMA to MIN | failure
 */
static void test_zone_order(void **state)
{
    static struct play p;
    enum km_zone_id last = KM_ZONE_HIGHMEM;
    unsigned walks = 1;
    bool seen[KM_NR_ZONES] = {false};
    struct km_os *os = &p.g.os;
    km_pfn pfn;

    (void)state;
    play_open(&p, 1, false);
    os->p.watermark_boost_factor = 0; /* marks stay as they are */
    while ((pfn = km_alloc_pages(os, &p.g.cpu[0], KM_GFP_HIGHUSER_MOVABLE, 0)) != KM_PFN_NONE) {
        enum km_zone_id z = km_pfn_zone(os, pfn);

        walks += z > last;
        last = z;
        seen[z] = true;
    }
    assert_int_equal(walks, 2);
    assert_true(seen[KM_ZONE_HIGHMEM] && seen[KM_ZONE_NORMAL] && seen[KM_ZONE_DMA]);
    uint32_t left = guest_zone_word(&p.g, KM_ZONE_DMA, KM_ZONE_NR_FREE_PAGES);
    uint32_t min = guest_zone_word(&p.g, KM_ZONE_DMA, KM_ZONE_WATERMARK);

    assert_int_equal(left, min + guest_zone_word(&p.g, KM_ZONE_DMA,
                                                 KM_ZONE_LOWMEM_RESERVE + KM_ZONE_MOVABLE * 4));
    /* a DMA request is not bound by the reserve */
    assert_int_not_equal(km_alloc_pages(os, &p.g.cpu[0], KM_GFP_KERNEL | KM_GFP_DMA, 0),
                         KM_PFN_NONE);
    guest_check(&p.g);
    guest_close(&p.g);
}

/* ---- Robson's bound ---- */

/* HighMem's 4096 pages from 0x3000 on, one type, no per-CPU lists. */
struct arena {
    struct small_guest g;
    struct live live[MAX_LIVE];
    unsigned nr_live;
    uint32_t pages; /* live now */
};

static void arena_open(struct arena *a)
{
    memset(a, 0, sizeof(*a));
    guest_boot(&a->g);
}

static km_pfn arena_take(struct arena *a, unsigned order)
{
    km_pfn pfn = km_buddy_take_own(&a->g.os, &a->g.cpu[0], KM_ZONE_HIGHMEM, order, KM_MT_MOVABLE);

    a->g.nr_tp = 0;
    if (pfn == KM_PFN_NONE)
        return pfn;
    assert_true(a->nr_live < MAX_LIVE);
    a->live[a->nr_live++] = (struct live){pfn, order, false};
    a->pages += 1u << order;
    return pfn;
}

static void arena_give(struct arena *a, unsigned index)
{
    struct live l = a->live[index];

    km_buddy_free(&a->g.os, &a->g.cpu[0], KM_ZONE_HIGHMEM, l.pfn, l.order, KM_MT_MOVABLE, false);
    a->pages -= 1u << l.order;
    a->live[index] = a->live[--a->nr_live];
}

/* The same, keeping the order of live[]. */
static void arena_give_sorted(struct arena *a, unsigned index)
{
    struct live l = a->live[index];

    km_buddy_free(&a->g.os, &a->g.cpu[0], KM_ZONE_HIGHMEM, l.pfn, l.order, KM_MT_MOVABLE, false);
    a->pages -= 1u << l.order;
    a->nr_live--;
    memmove(&a->live[index], &a->live[index + 1], (a->nr_live - index) * sizeof(a->live[0]));
}

/* Largest M with N >= M (1 + log2(n) / 2) - n + 1. */
static uint32_t robson_live(uint32_t pages, unsigned max_order)
{
    return 2 * (pages + (1u << max_order) - 1) / (2 + max_order);
}

/* Intent: N = 4096 pages, blocks up to 2^k pages, never more than M live pages: Robson's bound
 * (first fit; J. ACM 18(3), 1971) says that no request need fail. The kernel's lists are last in,
 * first out, so it is no guarantee here; random sizes and lifetimes at the bound's M are served
 * nevertheless, for every k. */
static void test_robson_random(void **state)
{
    static struct arena a;

    (void)state;
    for (unsigned max_order = 1; max_order <= 8; max_order++) {
        struct km_prng prng = {.state = max_order};
        uint32_t limit = robson_live(4096, max_order);

        arena_open(&a);
        for (unsigned i = 0; i < test_rounds(20000); i++) {
            unsigned order = km_prng_below(&prng, max_order + 1);

            if (a.pages + (1u << order) <= limit) {
                if (arena_take(&a, order) == KM_PFN_NONE)
                    fail_msg("order %u of %u refused with %u of %u pages live", order, max_order,
                             a.pages, limit);
            } else {
                arena_give(&a, km_prng_below(&prng, a.nr_live));
            }
        }
        assert_null(km_buddy_check(&a.g.os, a.g.window, KM_ZONE_HIGHMEM));
        guest_close(&a.g);
    }
}

static int by_pfn(const void *left, const void *right)
{
    const struct live *a = left, *b = right;

    return a->pfn < b->pfn ? -1 : a->pfn > b->pfn;
}

/* Plays Robson's adversary with at most `limit` live pages; false if a request was refused. */
static bool adversary(struct arena *a, unsigned max_order, uint32_t limit)
{
    bool served = true;

    arena_open(a);
    for (unsigned order = 0; order <= max_order && served; order++) {
        while (a->pages + (1u << order) <= limit && served)
            served = arena_take(a, order) != KM_PFN_NONE;
        qsort(a->live, a->nr_live, sizeof(a->live[0]), by_pfn);
        for (unsigned i = a->nr_live; i-- > 1;)
            if (a->live[i].pfn >> (order + 1) == a->live[i - 1].pfn >> (order + 1))
                arena_give_sorted(a, i);
    }
    assert_null(km_buddy_check(&a->g.os, a->g.window, KM_ZONE_HIGHMEM));
    guest_close(&a->g);
    return served;
}

/* Intent: the adversary of that bound. Phase k fills up to M live pages with blocks of order k,
 * then keeps one block in every aligned block of order k + 1 and frees the rest: what is freed is
 * too small for the next phase, so every phase needs about M / 2 pages of new memory.
 *
 *   phase 0   xxxxxxxx    kept x.x.x.x.     phase 1 must go elsewhere: [..][..]
 *
 * List order costs at most 1/64 of M against first fit (measured: 1.4 % for k = 6, at most 1.3 %
 * else), and an eighth more live memory breaks any allocator that cannot move pages.
 */
static void test_robson_adversary(void **state)
{
    static struct arena a;

    (void)state;
    for (unsigned max_order = 1; max_order <= 8; max_order++) {
        uint32_t limit = robson_live(4096, max_order);

        if (!adversary(&a, max_order, limit - limit / 64))
            fail_msg("orders up to %u: refused", max_order);
        if (adversary(&a, max_order, limit + limit / 8))
            fail_msg("orders up to %u: the adversary is too weak to prove anything", max_order);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_requests),    cmocka_unit_test(test_deterministic),
        cmocka_unit_test(test_highatomic_reserve), cmocka_unit_test(test_zone_order),
        cmocka_unit_test(test_robson_random),      cmocka_unit_test(test_robson_adversary),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
