/* SPDX-License-Identifier: MIT
 * hier.c - see hier.h.
 */
#include "models/cache/hier.h"

#include "models/base/bug.h"

static struct km_cache *first_level(struct km_hier *h, enum km_access kind)
{
    return kind == KM_ACCESS_FETCH && h->split ? &h->l1i : &h->l1d;
}

/* A dirty line leaves `level` (0 = L1): into the next level, or to memory. */
static void write_down(struct km_hier *h, unsigned level, uint64_t line, struct km_hier_out *out)
{
    struct km_cache_victim victim;

    for (; level < h->nr_outer; level++) {
        struct km_cache *c = &h->outer[level];
        uint32_t idx = km_cache_find(c, line);

        c->n.writes++;
        if (idx != KM_CACHE_NONE) {
            km_cache_touch(c, idx);
            c->state[idx] = KM_MESI_M;
            return;
        }
        c->n.write_misses++;
        km_cache_place(c, line, KM_MESI_M, &victim);
        if (victim.state != KM_MESI_M)
            return;
        c->n.writebacks++;
        line = victim.line;
    }
    KM_BUG_ON(out->nr_wb == KM_HIER_MAX_WB);
    out->wb_line[out->nr_wb++] = line;
}

/* Puts or updates a line in one level; `below` is the level its victims go to. */
static uint32_t install(struct km_hier *h, struct km_cache *c, unsigned below, uint64_t line,
                        enum km_mesi state, struct km_hier_out *out)
{
    uint32_t idx = km_cache_find(c, line);
    struct km_cache_victim victim;

    if (idx != KM_CACHE_NONE) {
        km_cache_touch(c, idx);
        c->state[idx] = (uint8_t)state;
        return idx;
    }
    idx = km_cache_place(c, line, state, &victim);
    if (victim.state == KM_MESI_M) {
        c->n.writebacks++;
        write_down(h, below, victim.line, out);
    }
    return idx;
}

/* Looks the outer levels up, innermost first; fills the levels before the one that had it. */
static enum km_mesi read_outer(struct km_hier *h, uint64_t line, struct km_hier_out *out)
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
        enum km_mesi state = c->state[idx] == KM_MESI_S ? KM_MESI_S : KM_MESI_E;

        for (unsigned inner = k; inner-- > 0;)
            install(h, &h->outer[inner], inner + 1, line, state, out);
        return state;
    }
    return KM_MESI_I;
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
    enum km_mesi state = read_outer(h, line, out);

    if (state == KM_MESI_I) {
        out->need = KM_NEED_READ;
        return;
    }
    if (kind == KM_ACCESS_FETCH && h->split)
        state = KM_MESI_S;
    out->l1_idx = install(h, l1, 0, line, state, out);
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
            if (c->state[idx] == KM_MESI_S) {
                out->need = KM_NEED_UPGRADE;
                return;
            }
            if (c->geom.write_through)
                continue;
            c->state[idx] = KM_MESI_M;
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

static void access_store(struct km_hier *h, uint64_t line, struct km_hier_out *out)
{
    struct km_cache *l1 = &h->l1d;
    uint32_t idx = km_cache_find(l1, line);

    l1->n.writes++;
    if (idx != KM_CACHE_NONE) {
        km_cache_touch(l1, idx);
        out->level = 1;
        out->l1_idx = idx;
        if (l1->geom.write_through) {
            store_outer(h, line, out);
        } else if (l1->state[idx] == KM_MESI_S) {
            out->need = KM_NEED_UPGRADE;
        } else {
            l1->state[idx] = KM_MESI_M;
        }
        return;
    }
    l1->n.write_misses++;
    if (l1->geom.no_write_allocate) {
        store_outer(h, line, out);
        return;
    }
    enum km_mesi state = read_outer(h, line, out);

    if (state == KM_MESI_I) {
        out->need = KM_NEED_OWN;
        return;
    }
    if (state == KM_MESI_S) {
        out->need = KM_NEED_UPGRADE;
        return;
    }
    out->l1_idx = install(h, l1, 0, line, l1->geom.write_through ? KM_MESI_E : KM_MESI_M, out);
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

enum km_mesi km_hier_peek(const struct km_hier *h, uint64_t line)
{
    enum km_mesi best = KM_MESI_I;
    const struct km_cache *level[] = {&h->l1d, &h->outer[0], &h->outer[1], &h->l1i};

    for (unsigned i = 0; i < 4; i++) {
        if (!level[i]->sets)
            continue;
        uint32_t idx = km_cache_find(level[i], line);

        if (idx != KM_CACHE_NONE && level[i]->state[idx] > best)
            best = (enum km_mesi)level[i]->state[idx];
    }
    return best;
}

enum km_bus_need km_hier_need(const struct km_hier *h, uint64_t line, enum km_access kind)
{
    enum km_mesi state = km_hier_peek(h, line);

    if (kind != KM_ACCESS_STORE)
        return state == KM_MESI_I ? KM_NEED_READ : KM_NEED_NONE;
    if (state == KM_MESI_I)
        return KM_NEED_OWN;
    return state == KM_MESI_S ? KM_NEED_UPGRADE : KM_NEED_NONE;
}

void km_hier_fill(struct km_hier *h, uint64_t line, enum km_access kind, enum km_mesi state,
                  struct km_hier_out *out)
{
    struct km_cache *l1 = first_level(h, kind);
    bool store = kind == KM_ACCESS_STORE;
    bool dirty_below = store && l1->geom.write_through;

    for (unsigned k = h->nr_outer; k-- > 0;) {
        bool innermost = k == 0;
        enum km_mesi here = state == KM_MESI_M && !(dirty_below && innermost) ? KM_MESI_E : state;

        install(h, &h->outer[k], k + 1, line, here, out);
    }
    if (store && l1->geom.no_write_allocate && km_cache_find(l1, line) == KM_CACHE_NONE) {
        if (h->nr_outer)
            h->outer[0].state[km_cache_find(&h->outer[0], line)] = (uint8_t)state;
        return;
    }
    if (state == KM_MESI_M && l1->geom.write_through)
        state = KM_MESI_E;
    if (kind == KM_ACCESS_FETCH && h->split)
        state = KM_MESI_S;
    out->l1_idx = install(h, l1, 0, line, state, out);
}

static enum km_mesi snoop_level(struct km_cache *c, uint64_t line, bool invalidate, uint32_t *at)
{
    *at = KM_CACHE_NONE;
    if (!c->sets)
        return KM_MESI_I;
    uint32_t idx = km_cache_find(c, line);

    if (idx == KM_CACHE_NONE)
        return KM_MESI_I;
    enum km_mesi state = (enum km_mesi)c->state[idx];

    *at = idx;
    c->n.snoop_hits++;
    if (invalidate) {
        c->n.invalidations++;
        km_cache_drop(c, idx);
    } else {
        c->state[idx] = KM_MESI_S;
    }
    return state;
}

enum km_mesi km_hier_snoop(struct km_hier *h, uint64_t line, bool invalidate, uint32_t *l1d_idx,
                           uint32_t *l1i_idx)
{
    uint32_t unused;
    enum km_mesi best = snoop_level(&h->l1d, line, invalidate, l1d_idx);
    enum km_mesi other = snoop_level(&h->l1i, line, invalidate, l1i_idx);

    best = other > best ? other : best;
    for (unsigned k = 0; k < h->nr_outer; k++) {
        other = snoop_level(&h->outer[k], line, invalidate, &unused);
        best = other > best ? other : best;
    }
    return best;
}

static uint64_t flush_level(struct km_hier *h, struct km_cache *c, unsigned below)
{
    struct km_hier_out out;
    uint64_t lines = 0;

    for (uint32_t idx = 0; idx < c->sets * c->ways; idx++) {
        if (c->state[idx] != KM_MESI_M)
            continue;
        out.nr_wb = 0;
        c->n.writebacks++;
        c->state[idx] = KM_MESI_E;
        write_down(h, below, c->line[idx], &out);
        lines += out.nr_wb;
    }
    return lines;
}

uint64_t km_hier_flush(struct km_hier *h)
{
    uint64_t lines = flush_level(h, &h->l1d, 0);

    for (unsigned k = 0; k < h->nr_outer; k++)
        lines += flush_level(h, &h->outer[k], k + 1);
    return lines;
}
