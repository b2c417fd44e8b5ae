/* SPDX-License-Identifier: MIT
 * test_repl.c - replacement policies by pattern. Letters are lines of one set; upper line:
 * references, lower
 * line: h hit, m miss. The set drawing lists ways 0..3 after the last fill.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "models/cache/cache.h"

#include <stdlib.h>
#include <string.h>

#define SETS 4

/* References name lines by letter; all fall into set 1. '.' after a letter drops the line first. */
static void expect(const struct km_repl_ops *repl, uint32_t ways, const char *refs,
                   const char *want)
{
    struct km_cache_geom g = {
        .size_bytes = SETS * ways * 32, .ways = ways, .line_bytes = 32, .repl = repl, .seed = 7};
    struct km_cache c;
    void *mem = malloc(km_cache_bytes(&g));
    char got[64] = {0};

    assert_null(km_cache_check(&g));
    km_cache_init(&c, &g, mem);
    for (size_t i = 0; refs[i]; i++) {
        uint64_t line = (uint64_t)(refs[i] - 'A') * SETS + 1;
        uint32_t idx = km_cache_find(&c, line);
        struct km_cache_victim victim;

        if (idx == KM_CACHE_NONE) {
            got[i] = 'm';
            idx = km_cache_place(&c, line, KM_LINE_E, &victim);
        } else {
            got[i] = 'h';
            km_cache_touch(&c, idx);
        }
        assert_int_equal(idx / ways, 1);
    }
    assert_string_equal(got, want);
    free(mem);
}

/* 4 ways. A B C D fill [A B C D]; touching A makes B the oldest: E replaces B, F replaces C. */
static void lru_evicts_the_oldest_use(void **state)
{
    (void)state;
    expect(&km_repl_lru, 4, "ABCDAEABFC", "mmmmhmhmmm");
    /* one way: direct mapped */
    expect(&km_repl_lru, 1, "AABBA", "mhmhm");
    /* cyclic reuse of ways + 1 lines: the worst case, never a hit */
    expect(&km_repl_lru, 4, "ABCDEABCDE", "mmmmmmmmmm");
}

/* Hits change nothing: A is the first in and leaves first although it was just used. */
static void fifo_evicts_the_oldest_fill(void **state)
{
    (void)state;
    expect(&km_repl_fifo, 4, "ABCDAEAB", "mmmmhmmm");
    expect(&km_repl_fifo, 2, "ABACBA", "mmhmhm");
}

/*        root            A B C D fill ways 0..3; after D the root points left and the left node to
 *      /      \          way 0 (A). A hit on A turns the root right and the left node to B; the
 *    n2        n3        right node still points to C (D was last): E replaces C, way 2.
 *   A  B      C  D       Then the root points left, node 2 to B: C comes back into way 1. Now the
 *                        root points right, node 3 to D: F replaces D, and B is gone.
 */
static void plru_follows_the_tree(void **state)
{
    (void)state;
    expect(&km_repl_plru, 4, "ABCDAECFB", "mmmmhmmmm");
    expect(&km_repl_plru, 4, "ABCDAEBDA", "mmmmhmhhh");
    expect(&km_repl_plru, 2, "ABACB", "mmhmm");
}

/* Use bits. A B C D set all four; E needs a victim: all are cleared, A (way 0) goes, E's bit is
 * set. B is used; F takes the lowest way without a bit: C. C then takes D's, and D clears all
 * again. */
static void nru_evicts_the_unused(void **state)
{
    (void)state;
    expect(&km_repl_nru, 4, "ABCDEBFCD", "mmmmmhmmm");
    expect(&km_repl_nru, 1, "AAB", "mhm");
}

/* A B C set three bits, D the fourth: A, B and C are cleared. A is used; E takes B, F takes C. */
static void bit_plru_clears_at_the_last_bit(void **state)
{
    (void)state;
    expect(&km_repl_bit_plru, 4, "ABCDAEFABD", "mmmmhmmhmh");
    expect(&km_repl_bit_plru, 1, "AAB", "mhm");
}

/* A and B are used again (0), C and D are not (2): a scan of E F G H goes through the ways of C and
 * D and leaves A and B alone. */
static void srrip_survives_a_scan(void **state)
{
    (void)state;
    expect(&km_repl_srrip, 4, "ABCDABEFGHAB", "mmmmhhmmmmhh");
    expect(&km_repl_lru, 4, "ABCDABEFGHAB", "mmmmhhmmmmmm");
}

/* ---- naive references: one set, ways as an array, everything recomputed ------------------------
 */

#define WAYS 8

struct naive {
    const char *policy;
    int line[WAYS], bit[WAYS]; /* -1: empty; use bit or predicted distance */
    unsigned filled_at[WAYS], used_at[WAYS], now;
};

static bool all_set(const struct naive *n)
{
    for (int w = 0; w < WAYS; w++)
        if (!n->bit[w])
            return false;
    return true;
}

static int smallest(const unsigned *at)
{
    int best = 0;

    for (int w = 1; w < WAYS; w++)
        best = at[w] < at[best] ? w : best;
    return best;
}

static int lowest_with(const struct naive *n, int bit)
{
    for (int w = 0; w < WAYS; w++)
        if (n->bit[w] == bit)
            return w;
    return -1;
}

static int naive_victim(struct naive *n)
{
    if (!strcmp(n->policy, "lru"))
        return smallest(n->used_at);
    if (!strcmp(n->policy, "fifo"))
        return smallest(n->filled_at);
    if (!strcmp(n->policy, "nru") && all_set(n))
        memset(n->bit, 0, sizeof(n->bit));
    if (!strcmp(n->policy, "srrip")) {
        while (lowest_with(n, 3) < 0)
            for (int w = 0; w < WAYS; w++)
                n->bit[w]++;
        return lowest_with(n, 3);
    }
    return lowest_with(n, 0);
}

static void naive_use(struct naive *n, int way, bool fill)
{
    n->used_at[way] = ++n->now;
    if (fill)
        n->filled_at[way] = n->now;
    if (!strcmp(n->policy, "srrip")) {
        n->bit[way] = fill ? 2 : 0;
        return;
    }
    n->bit[way] = 1;
    if (!strcmp(n->policy, "bit-plru") && all_set(n))
        for (int w = 0; w < WAYS; w++)
            n->bit[w] = w == way;
}

static bool naive_reference(struct naive *n, int line)
{
    int way = -1;

    for (int w = 0; w < WAYS; w++)
        if (n->line[w] == line) {
            naive_use(n, w, false);
            return true;
        }
    for (int w = WAYS - 1; w >= 0; w--)
        way = n->line[w] < 0 ? w : way;
    if (way < 0)
        way = naive_victim(n);
    n->line[way] = line;
    naive_use(n, way, true);
    return false;
}

/* 20 000 references with reuse, in every policy that a few lines can restate; some lines are taken
 * away as by snoops. */
static void agrees_with_naive_references(void **state)
{
    (void)state;
    static const struct km_repl_ops *const policy[] = {&km_repl_bit_plru, &km_repl_fifo,
                                                       &km_repl_lru, &km_repl_nru, &km_repl_srrip};

    for (size_t p = 0; p < KM_ARRAY_LEN(policy); p++) {
        struct km_cache_geom g = {
            .size_bytes = 32 * WAYS, .ways = WAYS, .line_bytes = 32, .repl = policy[p]};
        struct naive n = {.policy = policy[p]->name};
        struct km_prng r = {11};
        struct km_cache c;
        void *mem = malloc(km_cache_bytes(&g));
        unsigned hits = 0;

        memset(n.line, 0xff, sizeof(n.line));
        km_cache_init(&c, &g, mem);
        for (unsigned i = 0; i < 20000; i++) {
            int line = (int)km_prng_below(&r, km_prng_below(&r, 3) ? 9 : 24);
            uint32_t idx = km_cache_find(&c, (uint64_t)line);
            struct km_cache_victim victim;

            if (!km_prng_below(&r, 50) && idx != KM_CACHE_NONE) {
                km_cache_drop(&c, idx);
                n.line[idx] = -1;
                continue;
            }
            assert_int_equal(naive_reference(&n, line), idx != KM_CACHE_NONE);
            if (idx == KM_CACHE_NONE)
                idx = km_cache_place(&c, (uint64_t)line, KM_LINE_E, &victim);
            else
                km_cache_touch(&c, idx);
            hits += n.line[idx] == line;
        }
        assert_true(hits > 15000);
        free(mem);
    }
}

/* What `lazy` promises: a series of touches may be replaced by one touch per way, in the order of
 * the last ones. */
static void lazy_policies_forget_earlier_touches(void **state)
{
    (void)state;
    for (unsigned p = 0; km_repl_table[p]; p++) {
        const struct km_repl_ops *ops = km_repl_table[p];
        uint8_t one[256] = {0}, two[256] = {0};
        struct km_repl a = {one, 1, WAYS, ops->bytes_per_set(WAYS), {5}};
        struct km_repl b = {two, 1, WAYS, ops->bytes_per_set(WAYS), {5}};
        struct km_prng r = {p + 1};
        bool same = true;

        ops->init(&a);
        ops->init(&b);
        for (unsigned round = 0; round < 2000; round++) {
            uint32_t series[24];

            for (unsigned i = 0; i < 24; i++)
                ops->touch(&a, 0, series[i] = km_prng_below(&r, WAYS));
            for (unsigned i = 0; i < 24; i++) {
                bool last = true;

                for (unsigned j = i + 1; j < 24; j++)
                    last &= series[j] != series[i];
                if (last)
                    ops->touch(&b, 0, series[i]);
            }
            same &= !memcmp(one, two, sizeof(one));
            uint32_t way = ops->victim(&a, 0);

            same &= way == ops->victim(&b, 0);
            ops->fill(&a, 0, way);
            ops->fill(&b, 0, way);
        }
        assert_int_equal(same, ops->lazy);
    }
}

/* Two lines per tag, 2 ways, 1 set: lines 0 1 | 2 3 are two sectors. */
static void sectors_leave_together(void **state)
{
    (void)state;
    struct km_cache_geom g = {.size_bytes = 32 * 4,
                              .ways = 2,
                              .line_bytes = 32,
                              .sector_bytes = 64,
                              .repl = &km_repl_lru};
    struct km_cache_victim victim;
    struct km_cache c;
    void *mem = malloc(km_cache_bytes(&g));

    assert_null(km_cache_check(&g));
    km_cache_init(&c, &g, mem);
    assert_int_equal(km_cache_slots(&c), 4);
    km_cache_place(&c, 0, KM_LINE_M, &victim);
    km_cache_place(&c, 2, KM_LINE_E, &victim);
    assert_int_equal(km_cache_find(&c, 1), KM_CACHE_NONE);
    uint32_t idx = km_cache_place(&c, 1, KM_LINE_M, &victim); /* joins line 0's sector */

    assert_int_equal(victim.state, KM_LINE_I);
    assert_false(km_cache_more_victims(&c, idx, &victim));
    km_cache_touch(&c, km_cache_find(&c, 2));
    idx = km_cache_place(&c, 5, KM_LINE_E, &victim); /* replaces the sector of 0 and 1 */
    assert_int_equal(victim.line, 1);
    assert_true(km_cache_more_victims(&c, idx, &victim));
    assert_int_equal(victim.line, 0);
    assert_int_equal(victim.state, KM_LINE_M);
    assert_false(km_cache_more_victims(&c, idx, &victim));
    assert_int_equal(km_cache_find(&c, 4), KM_CACHE_NONE);
    assert_int_not_equal(km_cache_find(&c, 2), KM_CACHE_NONE);
    g.sector_bytes = 48;
    assert_non_null(km_cache_check(&g));
    g.sector_bytes = 16;
    assert_non_null(km_cache_check(&g));
    free(mem);
}

static void random_is_seeded(void **state)
{
    (void)state;
    struct km_cache_geom g = {
        .size_bytes = 32 * 8, .ways = 8, .line_bytes = 32, .repl = &km_repl_random, .seed = 3};
    uint32_t first[64], seen = 0;

    for (unsigned round = 0; round < 2; round++) {
        struct km_cache c;
        void *mem = malloc(km_cache_bytes(&g));
        struct km_cache_victim victim;

        km_cache_init(&c, &g, mem);
        for (uint64_t line = 0; line < 64; line++) {
            uint32_t way = km_cache_place(&c, line, KM_LINE_S, &victim);

            if (line < 8)
                assert_int_equal(way, line); /* empty ways first */
            if (round == 0)
                first[line] = way;
            else
                assert_int_equal(first[line], way);
            seen |= 1u << way;
        }
        free(mem);
    }
    assert_int_equal(seen, 0xff);
}

/* A way emptied by coherence is used before any victim is chosen. */
static void empty_ways_first(void **state)
{
    (void)state;
    struct km_cache_geom g = {
        .size_bytes = 32 * 4, .ways = 4, .line_bytes = 32, .repl = &km_repl_lru};
    struct km_cache c;
    struct km_cache_victim victim;
    void *mem = malloc(km_cache_bytes(&g));

    km_cache_init(&c, &g, mem);
    for (uint64_t line = 0; line < 4; line++)
        km_cache_place(&c, line, KM_LINE_M, &victim);
    km_cache_drop(&c, 2);
    assert_int_equal(km_cache_find(&c, 2), KM_CACHE_NONE);
    assert_int_equal(km_cache_place(&c, 9, KM_LINE_S, &victim), 2);
    assert_int_equal(victim.state, KM_LINE_I);
    assert_int_equal(km_cache_place(&c, 10, KM_LINE_S, &victim), 0);
    assert_int_equal(victim.line, 0);
    assert_int_equal(victim.state, KM_LINE_M);
    free(mem);
}

static void impossible_geometries(void **state)
{
    (void)state;
    struct km_cache_geom g = {
        .size_bytes = 3 * 4 * 32, .ways = 4, .line_bytes = 32, .repl = &km_repl_lru};

    assert_non_null(km_cache_check(&g)); /* 3 sets */
    g.size_bytes = 4 * 4 * 32;
    assert_null(km_cache_check(&g));
    g.line_bytes = 48;
    assert_non_null(km_cache_check(&g));
    g = (struct km_cache_geom){
        .size_bytes = 4 * 6 * 64, .ways = 6, .line_bytes = 64, .repl = &km_repl_plru};
    assert_non_null(km_cache_check(&g)); /* a tree over 6 ways */
    g.repl = &km_repl_lru;
    assert_null(km_cache_check(&g));
}

static void table_is_sorted_and_complete(void **state)
{
    (void)state;
    for (unsigned i = 0; km_repl_table[i]; i++) {
        const struct km_repl_ops *ops = km_repl_table[i];

        assert_non_null(ops->help);
        assert_non_null(ops->bytes_per_set);
        assert_non_null(ops->touch);
        assert_non_null(ops->fill);
        assert_non_null(ops->victim);
        if (i)
            assert_true(strcmp(km_repl_table[i - 1]->name, ops->name) < 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lru_evicts_the_oldest_use),
        cmocka_unit_test(fifo_evicts_the_oldest_fill),
        cmocka_unit_test(plru_follows_the_tree),
        cmocka_unit_test(nru_evicts_the_unused),
        cmocka_unit_test(bit_plru_clears_at_the_last_bit),
        cmocka_unit_test(srrip_survives_a_scan),
        cmocka_unit_test(agrees_with_naive_references),
        cmocka_unit_test(lazy_policies_forget_earlier_touches),
        cmocka_unit_test(sectors_leave_together),
        cmocka_unit_test(random_is_seeded),
        cmocka_unit_test(empty_ways_first),
        cmocka_unit_test(impossible_geometries),
        cmocka_unit_test(table_is_sorted_and_complete),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
