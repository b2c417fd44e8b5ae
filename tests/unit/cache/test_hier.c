/* SPDX-License-Identifier: MIT
 * test_hier.c - MESI transitions and data paths of one CPU's caches.
 *
 * L1I and L1D: 2 sets x 2 ways; L2: 4 sets x 2 ways. Lines 0, 2, 4, ... share L1 set 0; 0, 4, 8
 * share L2 set 0.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "models/cache/hier.h"

#include <stdlib.h>
#include <string.h>

struct rig {
    struct km_hier h;
    struct km_hier_out out;
    void *mem[3];
};

static void start(struct rig *r, bool l2, bool write_through, bool no_allocate)
{
    struct km_cache_geom l1 = {
        .size_bytes = 4 * 32, .ways = 2, .line_bytes = 32, .repl = &km_repl_lru};
    struct km_cache_geom outer = {
        .size_bytes = 8 * 32, .ways = 2, .line_bytes = 32, .repl = &km_repl_lru};
    struct km_cache_geom l1d = l1;

    memset(r, 0, sizeof(*r));
    l1d.write_through = write_through;
    l1d.no_write_allocate = no_allocate;
    r->mem[0] = malloc(km_cache_bytes(&l1));
    r->mem[1] = malloc(km_cache_bytes(&l1));
    r->mem[2] = malloc(km_cache_bytes(&outer));
    km_cache_init(&r->h.l1i, &l1, r->mem[0]);
    km_cache_init(&r->h.l1d, &l1d, r->mem[1]);
    r->h.split = true;
    r->h.coh = &km_coh_mesi;
    if (l2) {
        km_cache_init(&r->h.outer[0], &outer, r->mem[2]);
        r->h.nr_outer = 1;
    }
}

static void stop(struct rig *r)
{
    for (unsigned i = 0; i < 3; i++)
        free(r->mem[i]);
}

static enum km_bus_need go(struct rig *r, uint64_t line, enum km_access kind)
{
    km_hier_access(&r->h, line, kind, &r->out);
    return r->out.need;
}

static enum km_line_state state_in(const struct km_cache *c, uint64_t line)
{
    uint32_t idx = km_cache_find(c, line);

    return idx == KM_CACHE_NONE ? KM_LINE_I : (enum km_line_state)c->state[idx];
}

/* I -read-> E -store-> M -snoop read-> S -store needs upgrade-> M -snoop own-> I */
static void mesi_life_of_a_line(void **state)
{
    (void)state;
    struct rig r;
    uint32_t d, i;

    start(&r, true, false, false);
    assert_int_equal(go(&r, 0, KM_ACCESS_LOAD), KM_NEED_READ);
    km_hier_fill(&r.h, 0, KM_ACCESS_LOAD, KM_LINE_E, &r.out);
    assert_int_equal(state_in(&r.h.l1d, 0), KM_LINE_E);
    assert_int_equal(state_in(&r.h.outer[0], 0), KM_LINE_E);
    assert_int_equal(go(&r, 0, KM_ACCESS_STORE), KM_NEED_NONE);
    assert_int_equal(r.out.level, 1);
    assert_int_equal(state_in(&r.h.l1d, 0), KM_LINE_M);
    assert_int_equal(km_hier_snoop(&r.h, 0, KM_COH_SNOOP_READ, &d, &i), KM_LINE_M);
    assert_int_not_equal(d, KM_CACHE_NONE);
    assert_int_equal(i, KM_CACHE_NONE);
    assert_int_equal(state_in(&r.h.l1d, 0), KM_LINE_S);
    assert_int_equal(state_in(&r.h.outer[0], 0), KM_LINE_S);
    assert_int_equal(go(&r, 0, KM_ACCESS_LOAD), KM_NEED_NONE);
    assert_int_equal(go(&r, 0, KM_ACCESS_STORE), KM_NEED_UPGRADE);
    assert_int_equal(state_in(&r.h.l1d, 0), KM_LINE_S); /* not before the bus has answered */
    km_hier_fill(&r.h, 0, KM_ACCESS_STORE, KM_LINE_M, &r.out);
    assert_int_equal(state_in(&r.h.l1d, 0), KM_LINE_M);
    assert_int_equal(state_in(&r.h.outer[0], 0), KM_LINE_E); /* H3: never S below M */
    assert_int_equal(km_hier_snoop(&r.h, 0, KM_COH_SNOOP_OWN, &d, &i), KM_LINE_M);
    assert_int_equal(km_hier_peek(&r.h, 0), KM_LINE_I);
    assert_int_equal(go(&r, 0, KM_ACCESS_STORE), KM_NEED_OWN);
    stop(&r);
}

/* While an upgrade waits for the bus another CPU takes the line: it has become a read for
 * ownership. */
static void upgrade_loses_the_race(void **state)
{
    (void)state;
    struct rig r;
    uint32_t d, i;

    start(&r, true, false, false);
    go(&r, 0, KM_ACCESS_LOAD);
    km_hier_fill(&r.h, 0, KM_ACCESS_LOAD, KM_LINE_S, &r.out);
    assert_int_equal(go(&r, 0, KM_ACCESS_STORE), KM_NEED_UPGRADE);
    assert_int_equal(km_hier_need(&r.h, 0, KM_ACCESS_STORE), KM_NEED_UPGRADE);
    km_hier_snoop(&r.h, 0, KM_COH_SNOOP_OWN, &d, &i);
    assert_int_equal(km_hier_need(&r.h, 0, KM_ACCESS_STORE), KM_NEED_OWN);
    stop(&r);
}

/* L1 set 0 holds two lines; the third evicts the dirty first one into L2, where it stays dirty;
 * when L2 loses it, it goes to memory. L2 set 0: 0 4 | 8 comes. */
static void dirty_victims_go_down(void **state)
{
    (void)state;
    struct rig r;

    start(&r, true, false, false);
    for (uint64_t line = 0; line <= 8; line += 4) {
        assert_int_equal(go(&r, line, KM_ACCESS_STORE), KM_NEED_OWN);
        km_hier_fill(&r.h, line, KM_ACCESS_STORE, KM_LINE_M, &r.out);
    }
    /* Filling 8 pushed 0 out of L2 (clean there) first, then out of L1 (dirty) back into L2, where
     * it displaced 4, which is still dirty in L1 only. */
    assert_int_equal(state_in(&r.h.outer[0], 0), KM_LINE_M);
    assert_int_equal(state_in(&r.h.outer[0], 4), KM_LINE_I);
    assert_int_equal(state_in(&r.h.l1d, 4), KM_LINE_M);
    assert_int_equal(r.h.l1d.n.writebacks, 1);
    assert_int_equal(r.out.nr_wb, 0);
    assert_int_equal(go(&r, 12, KM_ACCESS_STORE), KM_NEED_OWN);
    km_hier_fill(&r.h, 12, KM_ACCESS_STORE, KM_LINE_M, &r.out);
    assert_int_equal(r.h.l1d.n.writebacks, 2);
    assert_int_equal(r.h.outer[0].n.writebacks, r.out.nr_wb);
    assert_true(km_hier_flush(&r.h, NULL, NULL) >= 2);
    assert_int_equal(km_hier_flush(&r.h, NULL, NULL), 0);
    stop(&r);
}

static void l2_answers_what_l1_lost(void **state)
{
    (void)state;
    struct rig r;

    start(&r, true, false, false);
    for (uint64_t line = 0; line <= 4; line += 2) {
        go(&r, line, KM_ACCESS_LOAD);
        km_hier_fill(&r.h, line, KM_ACCESS_LOAD, KM_LINE_E, &r.out);
    }
    assert_int_equal(state_in(&r.h.l1d, 0), KM_LINE_I);
    assert_int_equal(go(&r, 0, KM_ACCESS_LOAD), KM_NEED_NONE);
    assert_int_equal(r.out.level, 2);
    assert_int_equal(state_in(&r.h.l1d, 0), KM_LINE_E);
    /* A store that finds a shared line in L2 still needs the others to drop it. */
    r.h.outer[0].state[km_cache_find(&r.h.outer[0], 2)] = KM_LINE_S;
    km_cache_drop(&r.h.l1d, km_cache_find(&r.h.l1d, 4));
    assert_int_equal(go(&r, 2, KM_ACCESS_STORE), KM_NEED_UPGRADE);
    stop(&r);
}

static void code_is_shared(void **state)
{
    (void)state;
    struct rig r;
    uint32_t d, i;

    start(&r, true, false, false);
    assert_int_equal(go(&r, 0, KM_ACCESS_FETCH), KM_NEED_READ);
    km_hier_fill(&r.h, 0, KM_ACCESS_FETCH, KM_LINE_E, &r.out);
    assert_int_equal(state_in(&r.h.l1i, 0), KM_LINE_S);
    assert_int_equal(state_in(&r.h.l1d, 0), KM_LINE_I);
    assert_int_equal(go(&r, 0, KM_ACCESS_FETCH), KM_NEED_NONE);
    km_hier_snoop(&r.h, 0, KM_COH_SNOOP_OWN, &d, &i);
    assert_int_not_equal(i, KM_CACHE_NONE);
    assert_int_equal(state_in(&r.h.l1i, 0), KM_LINE_I);
    stop(&r);
}

static void write_through_and_no_allocate(void **state)
{
    (void)state;
    struct rig r;

    start(&r, true, true, true); /* NetBurst-like L1 */
    assert_int_equal(go(&r, 0, KM_ACCESS_STORE), KM_NEED_OWN);
    km_hier_fill(&r.h, 0, KM_ACCESS_STORE, KM_LINE_M, &r.out);
    assert_int_equal(state_in(&r.h.l1d, 0), KM_LINE_I);
    assert_int_equal(state_in(&r.h.outer[0], 0), KM_LINE_M);
    assert_int_equal(go(&r, 0, KM_ACCESS_LOAD), KM_NEED_NONE);
    assert_int_equal(r.out.level, 2);
    assert_int_equal(go(&r, 0, KM_ACCESS_STORE), KM_NEED_NONE);
    assert_int_equal(state_in(&r.h.l1d, 0), KM_LINE_E); /* never dirty */
    stop(&r);
    start(&r, false, true, true);
    assert_int_equal(go(&r, 0, KM_ACCESS_STORE), KM_NEED_WRITE); /* straight to memory */
    assert_int_equal(km_hier_peek(&r.h, 0), KM_LINE_I);
    stop(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mesi_life_of_a_line),   cmocka_unit_test(upgrade_loses_the_race),
        cmocka_unit_test(dirty_victims_go_down), cmocka_unit_test(l2_answers_what_l1_lost),
        cmocka_unit_test(code_is_shared),        cmocka_unit_test(write_through_and_no_allocate),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
