/* SPDX-License-Identifier: MIT
 * test_inclusion.c - inclusive, exclusive and non-inclusive second levels against a naive model and
 * closed forms.
 *
 * The naive model keeps each level as a list of lines, newest first (fully associative LRU), and
 * restates the policies in a few lines; it shares nothing with models/cache.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "models/cache/hier.h"

#include <stdlib.h>
#include <string.h>

#define L1_LINES 4
#define L2_LINES 16

struct rig {
    struct km_hier h;
    struct km_hier_out out;
    void *mem[2];
    uint64_t memory_reads, memory_writes;
};

static void start(struct rig *r, enum km_inclusion inclusion)
{
    struct km_cache_geom l1 = {
        .size_bytes = L1_LINES * 32, .ways = L1_LINES, .line_bytes = 32, .repl = &km_repl_lru};
    struct km_cache_geom l2 = {.size_bytes = L2_LINES * 32,
                               .ways = L2_LINES,
                               .line_bytes = 32,
                               .repl = &km_repl_lru,
                               .inclusion = inclusion};

    memset(r, 0, sizeof(*r));
    r->mem[0] = malloc(km_cache_bytes(&l1));
    r->mem[1] = malloc(km_cache_bytes(&l2));
    km_cache_init(&r->h.l1d, &l1, r->mem[0]);
    km_cache_init(&r->h.outer[0], &l2, r->mem[1]);
    r->h.nr_outer = 1;
    r->h.coh = &km_coh_mesi;
}

static void stop(struct rig *r)
{
    free(r->mem[0]);
    free(r->mem[1]);
}

static void reference(struct rig *r, uint64_t line, bool store)
{
    enum km_access kind = store ? KM_ACCESS_STORE : KM_ACCESS_LOAD;

    km_hier_access(&r->h, line, kind, &r->out);
    if (r->out.need != KM_NEED_NONE) {
        r->memory_reads++;
        km_hier_fill(&r->h, line, kind, store ? KM_LINE_M : KM_LINE_E, &r->out);
    }
    r->memory_writes += r->out.nr_wb;
}

/* ---- the naive model ---------------------------------------------------------------------------
 */

struct list {
    unsigned nr, max;
    uint64_t line[L2_LINES + 1];
    bool dirty[L2_LINES + 1];
};

struct naive {
    enum km_inclusion inclusion;
    struct list l1, l2;
    uint64_t reads, writes, back;
};

static int position(const struct list *l, uint64_t line)
{
    for (unsigned i = 0; i < l->nr; i++)
        if (l->line[i] == line)
            return (int)i;
    return -1;
}

static bool pull(struct list *l, uint64_t line, bool *dirty)
{
    int at = position(l, line);

    if (at < 0)
        return false;
    *dirty = l->dirty[at];
    l->nr--;
    for (unsigned i = (unsigned)at; i < l->nr; i++) {
        l->line[i] = l->line[i + 1];
        l->dirty[i] = l->dirty[i + 1];
    }
    return true;
}

/* Newest first; true if the oldest fell off. */
static bool push(struct list *l, uint64_t line, bool dirty, uint64_t *lost, bool *lost_dirty)
{
    for (unsigned i = l->nr; i > 0; i--) {
        l->line[i] = l->line[i - 1];
        l->dirty[i] = l->dirty[i - 1];
    }
    l->line[0] = line;
    l->dirty[0] = dirty;
    if (++l->nr <= l->max)
        return false;
    *lost = l->line[--l->nr];
    *lost_dirty = l->dirty[l->nr];
    return true;
}

static void into_l2(struct naive *n, uint64_t line, bool dirty)
{
    uint64_t lost;
    bool lost_dirty, inner;

    if (!push(&n->l2, line, dirty, &lost, &lost_dirty))
        return;
    if (n->inclusion == KM_INCLUSIVE && pull(&n->l1, lost, &inner)) {
        lost_dirty |= inner;
        n->back++;
    }
    n->writes += lost_dirty;
}

static void into_l1(struct naive *n, uint64_t line, bool dirty)
{
    uint64_t lost;
    bool lost_dirty, old;

    if (!push(&n->l1, line, dirty, &lost, &lost_dirty))
        return;
    if (n->inclusion == KM_EXCLUSIVE) {
        into_l2(n, lost, lost_dirty);
        return;
    }
    if (!lost_dirty)
        return;
    pull(&n->l2, lost, &old); /* to the front, or a new one */
    into_l2(n, lost, true);
}

static void naive_reference(struct naive *n, uint64_t line, bool store)
{
    bool dirty;

    if (pull(&n->l1, line, &dirty)) {
        into_l1(n, line, dirty | store);
        return;
    }
    if (pull(&n->l2, line, &dirty)) {
        if (n->inclusion == KM_EXCLUSIVE) {
            into_l1(n, line, dirty | store);
            return;
        }
        into_l2(n, line, dirty);
    } else {
        n->reads++;
        if (n->inclusion != KM_EXCLUSIVE)
            into_l2(n, line, false);
        dirty = false;
    }
    into_l1(n, line, store);
}

static void agrees_with_the_naive_model(void **state)
{
    (void)state;
    for (unsigned k = 0; k < 3; k++) {
        struct naive n = {
            .inclusion = (enum km_inclusion)k, .l1.max = L1_LINES, .l2.max = L2_LINES};
        struct km_prng r = {k + 1};
        struct rig rig;

        start(&rig, n.inclusion);
        for (unsigned i = 0; i < 50000; i++) {
            static const uint32_t range[] = {2, 2, 18, 60}; /* two lines stay in L1, ageing in L2 */
            uint64_t line = km_prng_below(&r, range[km_prng_below(&r, 4)]);
            bool store = km_prng_below(&r, 3) == 0;

            naive_reference(&n, line, store);
            reference(&rig, line, store);
            assert_int_equal(rig.memory_reads, n.reads);
            assert_int_equal(rig.memory_writes, n.writes);
            assert_int_equal(rig.h.l1d.n.back_invalidations, n.back);
            for (unsigned j = 0; j < n.l1.nr; j++) {
                uint32_t in_l2 = km_cache_find(&rig.h.outer[0], n.l1.line[j]);

                assert_int_not_equal(km_cache_find(&rig.h.l1d, n.l1.line[j]), KM_CACHE_NONE);
                if (k == KM_INCLUSIVE)
                    assert_int_not_equal(in_l2, KM_CACHE_NONE);
                if (k == KM_EXCLUSIVE)
                    assert_int_equal(in_l2, KM_CACHE_NONE);
            }
        }
        assert_true(n.reads > 1000 && n.writes > 500);
        assert_int_equal(n.back > 0, k == KM_INCLUSIVE);
        stop(&rig);
    }
}

/* Round and round over n lines: with LRU everything hits if they fit, nothing if they do not. An
 * exclusive pair holds L1 + L2 lines, the others L2. */
static void reach_in_closed_form(void **state)
{
    (void)state;
    static const uint64_t holds[] = {L2_LINES, L2_LINES, L1_LINES + L2_LINES};

    for (unsigned k = 0; k < 3; k++)
        for (uint64_t lines = holds[k]; lines <= holds[k] + 1; lines++) {
            struct rig r;

            start(&r, (enum km_inclusion)k);
            for (unsigned round = 0; round < 10; round++)
                for (uint64_t line = 0; line < lines; line++)
                    reference(&r, line, false);
            assert_int_equal(r.memory_reads, lines == holds[k] ? lines : 10 * lines);
            stop(&r);
        }
}

/* A dirty line of L1 whose inclusive L2 line goes leaves with it, and the owner of L1 is told. */
static void count_loss(void *ctx, bool code, uint32_t idx)
{
    assert_false(code);
    assert_true(idx < L1_LINES);
    ++*(unsigned *)ctx;
}

static void inclusion_takes_dirty_lines_along(void **state)
{
    (void)state;
    unsigned losses = 0;
    struct rig r;

    start(&r, KM_INCLUSIVE);
    r.h.l1_loss = count_loss;
    r.h.ctx = &losses;
    reference(&r, 100, true);
    for (uint64_t line = 0; line < L2_LINES; line++) {
        reference(&r, 100, true); /* stays the newest of L1 but ages in L2 */
        reference(&r, line, false);
    }
    assert_int_equal(losses, 1);
    assert_int_equal(r.memory_writes, 1);
    assert_int_equal(km_hier_peek(&r.h, 100), KM_LINE_I);
    stop(&r);
}

static void contradictions_are_refused(void **state)
{
    (void)state;
    struct km_cache_geom none = {0};
    struct km_cache_geom l1 = {
        .size_bytes = 1024, .ways = 4, .line_bytes = 32, .repl = &km_repl_lru};
    struct km_cache_geom l2 = l1, bad;
    unsigned culprit = 9;

    l2.size_bytes = 2048;
    assert_null(km_hier_check(&l1, &l1, &l2, &none, &culprit));
    l2.inclusion = KM_INCLUSIVE;
    assert_null(km_hier_check(&l1, &l1, &l2, &none, &culprit)); /* exactly L1I + L1D */
    l2.size_bytes = 1024;
    assert_non_null(km_hier_check(&l1, &l1, &l2, &none, &culprit));
    assert_int_equal(culprit, 2);
    l2.inclusion = KM_EXCLUSIVE;
    assert_null(km_hier_check(&l1, &l1, &l2, &none, &culprit));
    bad = l1;
    bad.write_through = true;
    assert_non_null(km_hier_check(&l1, &bad, &l2, &none, &culprit));
    bad = l1;
    bad.inclusion = KM_INCLUSIVE;
    assert_non_null(km_hier_check(&l1, &bad, &none, &none, &culprit));
    assert_int_equal(culprit, 1);
    bad = l1;
    bad.sector_bytes = 64;
    assert_non_null(km_hier_check(&bad, &l1, &none, &none, &culprit));
    assert_int_equal(culprit, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_with_the_naive_model),
        cmocka_unit_test(reach_in_closed_form),
        cmocka_unit_test(inclusion_takes_dirty_lines_along),
        cmocka_unit_test(contradictions_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
