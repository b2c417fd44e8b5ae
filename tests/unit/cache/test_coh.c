/* SPDX-License-Identifier: MIT
 * test_coh.c - the protocol tables: explored exhaustively against the rules they must keep.
 *
 * Three nodes, one line, no hierarchy: every reachable combination of states is visited by applying
 * every store, read and eviction at every node. After each step the rules are looked at with
 * values, not with the tables: the newest value is held by every valid copy, and by memory unless
 * a copy is dirty.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "models/cache/coh.h"

#include <string.h>

#define NODES 3

/* newest[i]: node i (or, at NODES, memory) has the newest value */
struct world {
    enum km_line_state state[NODES];
    bool newest[NODES + 1];
};

static enum km_line_state step(const struct km_coh_protocol *p, enum km_line_state s,
                               enum km_coh_event ev, uint32_t *action)
{
    const struct km_coh_cell *c = km_coh_at(p, s, ev);

    assert_false(c->action & KM_COH_BUG);
    *action = c->action;
    return (enum km_line_state)c->next;
}

/* Snoops all but `who`; returns whether somebody supplied, *kept whether somebody keeps a copy. */
static bool snoop(const struct km_coh_protocol *p, struct world *w, unsigned who,
                  enum km_coh_event ev, bool *kept)
{
    bool supplied = false, value = false;

    *kept = false;
    for (unsigned i = 0; i < NODES; i++) {
        uint32_t action;

        if (i == who || w->state[i] == KM_LINE_I)
            continue;
        w->state[i] = step(p, w->state[i], ev, &action);
        *kept |= w->state[i] != KM_LINE_I;
        if (action & KM_COH_WRITE_BACK)
            w->newest[NODES] = w->newest[i];
        if (action & KM_COH_SUPPLY) {
            assert_false(supplied);
            supplied = true;
            value = w->newest[i];
        }
    }
    if (ev == KM_COH_SNOOP_READ || ev == KM_COH_SNOOP_OWN)
        w->newest[who] = supplied ? value : w->newest[NODES];
    return supplied;
}

static void load(const struct km_coh_protocol *p, struct world *w, unsigned who)
{
    uint32_t action;
    bool kept;

    if (w->state[who] != KM_LINE_I)
        return;
    snoop(p, w, who, KM_COH_SNOOP_READ, &kept);
    w->state[who] = step(p, KM_LINE_I, kept ? KM_COH_FILL_SHARED : KM_COH_FILL_ALONE, &action);
}

static void store(const struct km_coh_protocol *p, struct world *w, unsigned who)
{
    uint32_t action;
    bool kept;

    if (w->state[who] == KM_LINE_I) {
        snoop(p, w, who, KM_COH_SNOOP_OWN, &kept);
        w->state[who] = step(p, KM_LINE_I, KM_COH_FILL_OWN, &action);
    } else {
        enum km_line_state next = step(p, w->state[who], KM_COH_STORE, &action);

        if (action & KM_COH_UPGRADE) {
            snoop(p, w, who, KM_COH_SNOOP_UPGRADE, &kept);
            next = step(p, w->state[who], KM_COH_FILL_OWN, &action);
        }
        w->state[who] = next;
    }
    assert_int_equal(w->state[who], KM_LINE_M);
    assert_true(w->newest[who]); /* the rest of the line was up to date */
    memset(w->newest, 0, sizeof(w->newest));
    w->newest[who] = true;
}

static void evict(struct world *w, unsigned who)
{
    if (km_line_dirty(w->state[who]))
        w->newest[NODES] = w->newest[who];
    w->state[who] = KM_LINE_I;
}

static void write_past_caches(const struct km_coh_protocol *p, struct world *w)
{
    bool kept;

    snoop(p, w, NODES, KM_COH_SNOOP_WRITE, &kept);
    assert_false(kept);
    assert_true(w->newest[NODES]);
}

static void look(const struct world *w)
{
    unsigned valid = 0, sole = 0, owners = 0, dirty = 0;

    for (unsigned i = 0; i < NODES; i++) {
        valid += w->state[i] != KM_LINE_I;
        sole += w->state[i] == KM_LINE_M || w->state[i] == KM_LINE_E;
        owners += w->state[i] == KM_LINE_O;
        dirty += km_line_dirty(w->state[i]);
        assert_true(w->state[i] == KM_LINE_I || w->newest[i]);
    }
    assert_true(!sole || valid == 1);
    assert_true(owners <= 1);
    assert_true(dirty <= 1);
    assert_true(dirty || w->newest[NODES]);
}

static unsigned number_of(const struct world *w)
{
    unsigned n = 0;

    for (unsigned i = 0; i < NODES; i++)
        n = n * KM_LINE_NR + w->state[i];
    for (unsigned i = 0; i <= NODES; i++)
        n = n * 2 + w->newest[i];
    return n;
}

/* Depth first over everything reachable; returns the number of worlds and the states seen. */
static unsigned explore(const struct km_coh_protocol *p, const struct world *w, uint8_t *seen,
                        unsigned *states)
{
    unsigned worlds = 1;

    look(w);
    seen[number_of(w)] = 1;
    for (unsigned i = 0; i < NODES; i++)
        *states |= 1u << w->state[i];
    for (unsigned op = 0; op < 3 * NODES + 1; op++) {
        struct world next = *w;

        if (op == 3 * NODES)
            write_past_caches(p, &next);
        else if (op % 3 == 0)
            load(p, &next, op / 3);
        else if (op % 3 == 1)
            store(p, &next, op / 3);
        else
            evict(&next, op / 3);
        if (!seen[number_of(&next)])
            worlds += explore(p, &next, seen, states);
    }
    return worlds;
}

static void every_reachable_state_is_coherent(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        unsigned states;
    } want[] = {
        {"mesi", 1u << KM_LINE_I | 1u << KM_LINE_S | 1u << KM_LINE_E | 1u << KM_LINE_M},
        {"moesi", (1u << KM_LINE_NR) - 1},
        {"msi", 1u << KM_LINE_I | 1u << KM_LINE_S | 1u << KM_LINE_M},
    };

    for (unsigned i = 0; i < KM_ARRAY_LEN(want); i++) {
        static uint8_t seen[KM_LINE_NR * KM_LINE_NR * KM_LINE_NR * 16];
        struct world w = {.newest = {[NODES] = true}};
        unsigned states = 0;

        memset(seen, 0, sizeof(seen));
        assert_string_equal(km_coh_table[i]->name, want[i].name);
        assert_true(explore(km_coh_table[i], &w, seen, &states) > 10);
        assert_int_equal(states, want[i].states);
    }
    assert_null(km_coh_table[KM_ARRAY_LEN(want)]);
}

/* What sets the protocols apart, in bus events. */
static void what_they_cost(void **state)
{
    (void)state;
    for (unsigned i = 0; km_coh_table[i]; i++) {
        const struct km_coh_protocol *p = km_coh_table[i];
        bool msi = !strcmp(p->name, "msi"), moesi = !strcmp(p->name, "moesi");

        /* Read alone, then write: MSI has to ask. */
        assert_int_equal(km_coh_at(p, km_coh_alone(p), KM_COH_STORE)->action,
                         msi ? KM_COH_UPGRADE : KM_COH_NOTHING);
        /* Written here, read there: MOESI leaves memory alone. */
        assert_int_equal(km_coh_at(p, KM_LINE_M, KM_COH_SNOOP_READ)->action,
                         moesi ? KM_COH_SUPPLY : KM_COH_SUPPLY | KM_COH_WRITE_BACK);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_reachable_state_is_coherent),
        cmocka_unit_test(what_they_cost),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
