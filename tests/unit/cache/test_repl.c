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
            idx = km_cache_place(&c, line, KM_MESI_E, &victim);
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
            uint32_t way = km_cache_place(&c, line, KM_MESI_S, &victim);

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
        km_cache_place(&c, line, KM_MESI_M, &victim);
    km_cache_drop(&c, 2);
    assert_int_equal(km_cache_find(&c, 2), KM_CACHE_NONE);
    assert_int_equal(km_cache_place(&c, 9, KM_MESI_S, &victim), 2);
    assert_int_equal(victim.state, KM_MESI_I);
    assert_int_equal(km_cache_place(&c, 10, KM_MESI_S, &victim), 0);
    assert_int_equal(victim.line, 0);
    assert_int_equal(victim.state, KM_MESI_M);
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
        cmocka_unit_test(random_is_seeded),
        cmocka_unit_test(empty_ways_first),
        cmocka_unit_test(impossible_geometries),
        cmocka_unit_test(table_is_sorted_and_complete),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
