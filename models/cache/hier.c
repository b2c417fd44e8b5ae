/* SPDX-License-Identifier: MIT
 * hier.c - see hier.h.
 *
 * Lines go two ways: install() and place_outer() bring them towards the CPU, send_down() takes what
 * they replace away from it. Both end at memory: a dirty line that leaves the last level is put on
 * the write-back list of the reference.
 */
#include "models/cache/hier.h"

#include "models/base/bug.h"

static bool inclusive(const struct km_cache *c)
{
    return c->geom.inclusion == KM_INCLUSIVE;
}

static bool exclusive(const struct km_cache *c)
{
    return c->geom.inclusion == KM_EXCLUSIVE;
}

static struct km_cache *first_level(struct km_hier *h, enum km_access kind)
{
    return kind == KM_ACCESS_FETCH && h->split ? &h->l1i : &h->l1d;
}

/* What a copy may be that stands before a copy in this state. */
static enum km_line_state copy_of(const struct km_hier *h, enum km_line_state state)
{
    return state == KM_LINE_S || state == KM_LINE_O ? KM_LINE_S : km_coh_alone(h->coh);
}

const char *km_hier_check(const struct km_cache_geom *l1i, const struct km_cache_geom *l1d,
                          const struct km_cache_geom *l2, const struct km_cache_geom *l3,
                          unsigned *culprit)
{
    const struct km_cache_geom *outer[] = {l2, l3}, *first[] = {l1i, l1d};
    uint64_t inner = l1i->size_bytes + l1d->size_bytes;

    for (unsigned i = 0; i < 2; i++) {
        *culprit = i;
        if (first[i]->inclusion != KM_NON_INCLUSIVE)
            return "a first-level cache has no levels before it: inclusion has no meaning there";
        if (first[i]->sector_bytes > first[i]->line_bytes)
            return "sectors are modelled in l2 and l3 only";
    }
    for (unsigned k = 0; k < 2; k++) {
        *culprit = k + 2;
        if (!outer[k]->size_bytes)
            continue;
        if (outer[k]->inclusion == KM_INCLUSIVE && outer[k]->size_bytes < inner)
            return "an inclusive level must hold at least what the levels before it hold";
        if (outer[k]->inclusion == KM_EXCLUSIVE && (l1d->write_through || l1d->no_write_allocate))
            return "an exclusive level needs a write-back, write-allocate l1d before it";
        if (outer[k]->inclusion == KM_EXCLUSIVE &&
            (outer[k]->write_through || outer[k]->no_write_allocate))
            return "an exclusive level must be write-back and allocate";
        if (outer[k]->inclusion == KM_EXCLUSIVE && k == 1 && l2->size_bytes &&
            (l2->write_through || l2->no_write_allocate))
            return "an exclusive level needs a write-back, write-allocate l2 before it";
        inner += outer[k]->inclusion == KM_EXCLUSIVE ? outer[k]->size_bytes : 0;
        if (outer[k]->inclusion != KM_EXCLUSIVE)
            inner = inner > outer[k]->size_bytes ? inner : outer[k]->size_bytes;
    }
    return NULL;
}

/* ---- away from the CPU -------------------------------------------------------------------------
 */

static void send_down(struct km_hier *h, unsigned level, uint64_t line, enum km_line_state state,
                      struct km_hier_out *out);

static enum km_line_state take_copy(struct km_cache *c, uint64_t line, uint32_t *idx)
{
    *idx = c->sets ? km_cache_find(c, line) : KM_CACHE_NONE;
    return *idx == KM_CACHE_NONE ? KM_LINE_I : (enum km_line_state)c->state[*idx];
}

/* Takes a line out of all levels before outer[k]; returns the strongest state found. */
static enum km_line_state back_invalidate(struct km_hier *h, unsigned k, uint64_t line)
{
    struct km_cache *inner[] = {&h->l1i, &h->l1d, &h->outer[0]};
    enum km_line_state best = KM_LINE_I;

    for (unsigned i = 0; i < 2 + k; i++) {
        uint32_t idx;
        enum km_line_state state = take_copy(inner[i], line, &idx);

        if (idx == KM_CACHE_NONE)
            continue;
        if (i < 2 && h->l1_loss)
            h->l1_loss(h->ctx, i == 0, idx);
        inner[i]->n.back_invalidations++;
        km_cache_drop(inner[i], idx);
        best = state > best ? state : best;
    }
    return best;
}

/* outer[k] has replaced a line. */
static void replaced(struct km_hier *h, unsigned k, const struct km_cache_victim *victim,
                     struct km_hier_out *out)
{
    struct km_cache *c = &h->outer[k];
    enum km_line_state state = victim->state;

    if (inclusive(c)) {
        enum km_line_state inner = back_invalidate(h, k, victim->line);

        state = inner > state ? inner : state;
    }
    c->n.writebacks += km_line_dirty(state);
    send_down(h, k + 1, victim->line, state, out);
}

static uint32_t place_outer(struct km_hier *h, unsigned k, uint64_t line, enum km_line_state state,
                            struct km_hier_out *out)
{
    struct km_cache_victim victim;
    uint32_t idx = km_cache_place(&h->outer[k], line, state, &victim);

    if (victim.state != KM_LINE_I)
        replaced(h, k, &victim, out);
    while (h->outer[k].sub > 1 && km_cache_more_victims(&h->outer[k], idx, &victim))
        replaced(h, k, &victim, out);
    return idx;
}

/* A dirty line arrives at outer[k]; returns whether it stays there. */
static bool take_dirty(struct km_hier *h, unsigned k, uint64_t line, enum km_line_state state,
                       struct km_hier_out *out)
{
    struct km_cache *c = &h->outer[k];
    uint32_t idx = km_cache_find(c, line);
    bool through = c->geom.write_through;

    c->n.writes++;
    if (idx != KM_CACHE_NONE) {
        km_cache_touch(c, idx);
        if (!through)
            c->state[idx] = (uint8_t)state;
        return !through;
    }
    c->n.write_misses++;
    if (c->geom.no_write_allocate)
        return false;
    place_outer(h, k, line, through ? copy_of(h, state) : state, out);
    return !through;
}

/* A line leaves for outer[level] and beyond: a dirty one goes into the first that takes it, or to
 * memory; a clean one is kept by an exclusive level only. */
static void send_down(struct km_hier *h, unsigned level, uint64_t line, enum km_line_state state,
                      struct km_hier_out *out)
{
    if (!km_line_dirty(state)) {
        if (level >= h->nr_outer || !exclusive(&h->outer[level]) || state == KM_LINE_I ||
            km_cache_find(&h->outer[level], line) != KM_CACHE_NONE)
            return;
        h->outer[level].n.victim_fills++;
        place_outer(h, level, line, state, out);
        return;
    }
    for (; level < h->nr_outer; level++)
        if (take_dirty(h, level, line, state, out))
            return;
    KM_BUG_ON(out->nr_wb == KM_HIER_MAX_WB);
    out->wb_line[out->nr_wb++] = line;
}

/* ---- towards the CPU ---------------------------------------------------------------------------
 */

static uint32_t present(struct km_cache *c, uint64_t line, enum km_line_state state)
{
    uint32_t idx = km_cache_find(c, line);

    if (idx != KM_CACHE_NONE) {
        km_cache_touch(c, idx);
        c->state[idx] = (uint8_t)state;
    }
    return idx;
}

static void install_outer(struct km_hier *h, unsigned k, uint64_t line, enum km_line_state state,
                          struct km_hier_out *out)
{
    if (present(&h->outer[k], line, state) == KM_CACHE_NONE)
        place_outer(h, k, line, state, out);
}

static uint32_t install_l1(struct km_hier *h, struct km_cache *l1, uint64_t line,
                           enum km_line_state state, struct km_hier_out *out)
{
    uint32_t idx = present(l1, line, state);
    struct km_cache_victim victim;

    if (idx != KM_CACHE_NONE)
        return idx;
    idx = km_cache_place(l1, line, state, &victim);
    if (victim.state == KM_LINE_I)
        return idx;
    l1->n.writebacks += km_line_dirty(victim.state);
    send_down(h, 0, victim.line, victim.state, out);
    return idx;
}

/* An exclusive level gives a line away, unless the asker cannot take it as it is. */
static enum km_line_state give(struct km_hier *h, struct km_cache *c, uint32_t idx,
                               enum km_access kind)
{
    enum km_line_state state = (enum km_line_state)c->state[idx];
    bool code = kind == KM_ACCESS_FETCH && h->split;

    if (code && km_line_dirty(state))
        return copy_of(h, state); /* L1I holds no dirty lines */
    if (kind == KM_ACCESS_STORE && km_coh_at(h->coh, state, KM_COH_STORE)->action)
        return state; /* an upgrade comes first */
    km_cache_drop(c, idx);
    return state;
}

/* Looks the outer levels up, innermost first; fills the levels before the one that had it. Returns
 * the state of the copy for L1. */
static enum km_line_state read_outer(struct km_hier *h, uint64_t line, enum km_access kind,
                                     struct km_hier_out *out)
{
    for (unsigned k = 0; k < h->nr_outer; k++) {
        struct km_cache *c = &h->outer[k];
        uint32_t idx = km_cache_find(c, line);

        c->n.reads++;
        if (idx == KM_CACHE_NONE) {
            c->n.read_misses++;
            continue;
        }
        km_cache_touch(c, idx);
        out->level = k + 2;
        enum km_line_state state = (enum km_line_state)c->state[idx];

        if (!exclusive(c))
            state = copy_of(h, state);
        else
            state = give(h, c, idx, kind);
        for (unsigned inner = k; inner-- > 0;) {
            if (exclusive(&h->outer[inner]))
                continue;
            install_outer(h, inner, line, state, out);
            state = copy_of(h, state);
        }
        return state;
    }
    return KM_LINE_I;
}

static void access_read(struct km_hier *h, struct km_cache *l1, uint64_t line, enum km_access kind,
                        struct km_hier_out *out)
{
    uint32_t idx = km_cache_find(l1, line);

    l1->n.reads++;
    if (idx != KM_CACHE_NONE) {
        km_cache_touch(l1, idx);
        out->level = 1;
        out->l1_idx = idx;
        return;
    }
    l1->n.read_misses++;
    enum km_line_state state = read_outer(h, line, kind, out);

    if (state == KM_LINE_I && l1 == &h->l1i) {
        state = take_copy(&h->l1d, line, &idx);
        if (state != KM_LINE_I) { /* the CPU's own L1D answers */
            out->level = h->nr_outer + 1;
            km_hier_fill(h, line, kind, copy_of(h, state), out);
            return;
        }
    }
    if (state == KM_LINE_I) {
        out->need = KM_NEED_READ;
        return;
    }
    if (l1 == &h->l1i)
        state = KM_LINE_S;
    out->l1_idx = install_l1(h, l1, line, state, out);
}

/* May the CPU write a line of which this copy is in state `s`? */
static bool may_write(const struct km_hier *h, uint64_t line, enum km_line_state s)
{
    if (!km_coh_at(h->coh, s, KM_COH_STORE)->action)
        return true;
    return !km_coh_at(h->coh, km_hier_peek(h, line), KM_COH_STORE)->action;
}

/* The bytes of a store go past L1 (write-through, or a miss that does not allocate). */
static void store_outer(struct km_hier *h, uint64_t line, struct km_hier_out *out)
{
    for (unsigned k = 0; k < h->nr_outer; k++) {
        struct km_cache *c = &h->outer[k];
        uint32_t idx = km_cache_find(c, line);

        c->n.writes++;
        if (idx != KM_CACHE_NONE) {
            km_cache_touch(c, idx);
            if (!out->level)
                out->level = k + 2;
            if (!may_write(h, line, (enum km_line_state)c->state[idx])) {
                out->need = KM_NEED_UPGRADE;
                return;
            }
            if (c->geom.write_through)
                continue;
            c->state[idx] = KM_LINE_M;
            return;
        }
        c->n.write_misses++;
        if (!c->geom.no_write_allocate) {
            out->need = KM_NEED_OWN;
            return;
        }
    }
    out->need = KM_NEED_WRITE;
}

static void store_hit(struct km_hier *h, uint64_t line, uint32_t idx, struct km_hier_out *out)
{
    struct km_cache *l1 = &h->l1d;

    km_cache_touch(l1, idx);
    out->level = 1;
    out->l1_idx = idx;
    if (l1->geom.write_through)
        store_outer(h, line, out);
    else if (!may_write(h, line, (enum km_line_state)l1->state[idx]))
        out->need = KM_NEED_UPGRADE;
    else
        l1->state[idx] = KM_LINE_M;
}

static void access_store(struct km_hier *h, uint64_t line, struct km_hier_out *out)
{
    struct km_cache *l1 = &h->l1d;
    uint32_t idx = km_cache_find(l1, line);

    l1->n.writes++;
    if (idx != KM_CACHE_NONE) {
        store_hit(h, line, idx, out);
        return;
    }
    l1->n.write_misses++;
    if (l1->geom.no_write_allocate) {
        store_outer(h, line, out);
        return;
    }
    enum km_line_state state = read_outer(h, line, KM_ACCESS_STORE, out);

    if (state == KM_LINE_I) {
        out->need = KM_NEED_OWN;
        return;
    }
    if (!may_write(h, line, state)) {
        out->need = KM_NEED_UPGRADE;
        return;
    }
    state = l1->geom.write_through ? km_coh_alone(h->coh) : KM_LINE_M;
    out->l1_idx = install_l1(h, l1, line, state, out);
    if (l1->geom.write_through)
        store_outer(h, line, out);
}

void km_hier_access(struct km_hier *h, uint64_t line, enum km_access kind, struct km_hier_out *out)
{
    out->need = KM_NEED_NONE;
    out->level = 0;
    out->l1_idx = KM_CACHE_NONE;
    out->nr_wb = 0;
    if (kind == KM_ACCESS_STORE)
        access_store(h, line, out);
    else
        access_read(h, first_level(h, kind), line, kind, out);
}

enum km_line_state km_hier_peek(const struct km_hier *h, uint64_t line)
{
    enum km_line_state best = KM_LINE_I;
    const struct km_cache *level[] = {&h->l1d, &h->outer[0], &h->outer[1], &h->l1i};

    for (unsigned i = 0; i < 4; i++) {
        if (!level[i]->sets)
            continue;
        uint32_t idx = km_cache_find(level[i], line);

        if (idx != KM_CACHE_NONE && level[i]->state[idx] > best)
            best = (enum km_line_state)level[i]->state[idx];
    }
    return best;
}

enum km_bus_need km_hier_need(const struct km_hier *h, uint64_t line, enum km_access kind)
{
    enum km_line_state state = km_hier_peek(h, line);

    if (kind != KM_ACCESS_STORE)
        return state == KM_LINE_I ? KM_NEED_READ : KM_NEED_NONE;
    if (state == KM_LINE_I)
        return KM_NEED_OWN;
    return km_coh_at(h->coh, state, KM_COH_STORE)->action ? KM_NEED_UPGRADE : KM_NEED_NONE;
}

/* The outer levels' part of a fill, outermost first. */
static void fill_outer(struct km_hier *h, uint64_t line, enum km_line_state state, bool dirty_below,
                       struct km_hier_out *out)
{
    for (unsigned k = h->nr_outer; k-- > 0;) {
        struct km_cache *c = &h->outer[k];
        bool keep_dirty = dirty_below && k == 0;

        if (exclusive(c)) {
            uint32_t idx = km_cache_find(c, line);

            if (idx != KM_CACHE_NONE)
                km_cache_drop(c, idx);
            continue;
        }
        install_outer(h, k, line, state == KM_LINE_M && !keep_dirty ? km_coh_alone(h->coh) : state,
                      out);
    }
}

void km_hier_fill(struct km_hier *h, uint64_t line, enum km_access kind, enum km_line_state state,
                  struct km_hier_out *out)
{
    struct km_cache *l1 = first_level(h, kind);
    bool store = kind == KM_ACCESS_STORE;

    fill_outer(h, line, state, store && l1->geom.write_through, out);
    if (store && l1->geom.no_write_allocate && km_cache_find(l1, line) == KM_CACHE_NONE) {
        if (h->nr_outer)
            h->outer[0].state[km_cache_find(&h->outer[0], line)] = (uint8_t)state;
        return;
    }
    if (state == KM_LINE_M && l1->geom.write_through)
        state = km_coh_alone(h->coh);
    if (l1 == &h->l1i)
        state = KM_LINE_S;
    out->l1_idx = install_l1(h, l1, line, state, out);
}

void km_hier_prefetch(struct km_hier *h, uint64_t line, enum km_line_state state,
                      struct km_hier_out *out)
{
    for (unsigned k = h->nr_outer; k-- > 0;)
        if (k == 0 || !exclusive(&h->outer[k]))
            install_outer(h, k, line, state, out);
}

/* ---- what others do ----------------------------------------------------------------------------
 */

static void move_copy(struct km_cache *c, uint32_t idx, enum km_line_state next)
{
    if (idx == KM_CACHE_NONE)
        return;
    c->n.snoop_hits++;
    if (next == KM_LINE_I) {
        c->n.invalidations++;
        km_cache_drop(c, idx);
    } else if (next != KM_LINE_O || !km_line_dirty((enum km_line_state)c->state[idx])) {
        c->state[idx] = KM_LINE_S;
    } else {
        c->state[idx] = KM_LINE_O;
    }
}

enum km_line_state km_hier_snoop(struct km_hier *h, uint64_t line, enum km_coh_event event,
                                 uint32_t *l1d_idx, uint32_t *l1i_idx)
{
    struct km_cache *level[] = {&h->l1d, &h->l1i, &h->outer[0], &h->outer[1]};
    enum km_line_state best = KM_LINE_I;
    uint32_t idx[4];

    for (unsigned i = 0; i < 4; i++) {
        enum km_line_state state = take_copy(level[i], line, &idx[i]);

        best = state > best ? state : best;
    }
    *l1d_idx = idx[0];
    *l1i_idx = idx[1];
    if (best == KM_LINE_I)
        return best;
    const struct km_coh_cell *cell = km_coh_at(h->coh, best, event);

    KM_BUG_ON(cell->action & KM_COH_BUG);
    for (unsigned i = 0; i < 4; i++)
        move_copy(level[i], idx[i], (enum km_line_state)cell->next);
    return best;
}

static uint64_t flush_level(struct km_hier *h, struct km_cache *c, unsigned below,
                            void (*sink)(void *ctx, uint64_t line), void *ctx)
{
    struct km_hier_out out;
    uint64_t lines = 0;

    while (below < h->nr_outer && exclusive(&h->outer[below]))
        below++; /* it may not get a second copy */
    for (uint32_t idx = 0; idx < km_cache_slots(c); idx++) {
        enum km_line_state state = (enum km_line_state)c->state[idx];

        if (!km_line_dirty(state))
            continue;
        out.nr_wb = 0;
        c->n.writebacks++;
        c->state[idx] = (uint8_t)copy_of(h, state);
        send_down(h, below, c->line[idx], state, &out);
        lines += out.nr_wb;
        for (unsigned i = 0; sink && i < out.nr_wb; i++)
            sink(ctx, out.wb_line[i]);
    }
    return lines;
}

uint64_t km_hier_flush(struct km_hier *h, void (*sink)(void *ctx, uint64_t line), void *ctx)
{
    uint64_t lines = flush_level(h, &h->l1d, 0, sink, ctx);

    for (unsigned k = 0; k < h->nr_outer; k++)
        lines += flush_level(h, &h->outer[k], k + 1, sink, ctx);
    return lines;
}

uint64_t km_hier_drop_all(struct km_hier *h)
{
    struct km_cache *level[] = {&h->l1d, &h->l1i, &h->outer[0], &h->outer[1]};
    uint64_t dirty = 0;

    for (unsigned i = 0; i < 4; i++)
        for (uint32_t idx = 0; level[i]->sets && idx < km_cache_slots(level[i]); idx++) {
            if (level[i]->state[idx] == KM_LINE_I)
                continue;
            dirty += km_line_dirty((enum km_line_state)level[i]->state[idx]);
            km_cache_drop(level[i], idx);
        }
    return dirty;
}
