/* SPDX-License-Identifier: MIT
 * cache.h - one set-associative cache array: tags, coherence state per line, replacement, counters.
 *
 * Models:      where lines are and in which state. Data are not stored: values live in guest
 *              memory. A sectored cache has one tag for `sub` neighbouring lines (NetBurst L2: 128
 *              bytes, two lines); lines of a sector come and change state one by one, but when the
 *              sector is replaced they leave together.
 * Not modelled here: levels and write policies (hier.h), time (sim/top).
 * Invariants:  a line is in at most one way; it lies in set line / sub % sets; the lines of a way
 *              belong to one sector; state I means the place is empty.
 * Units:       `line` is an address divided by the line size. An index is (set * ways + way) * sub
 *              + line % sub.
 */
#ifndef KM_CACHE_CACHE_H
#define KM_CACHE_CACHE_H

#include "models/base/types.h"
#include "models/cache/repl.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Ordered by what the holder may do: the strongest copy of a CPU is what the bus sees of it. */
enum km_line_state { KM_LINE_I, KM_LINE_S, KM_LINE_E, KM_LINE_O, KM_LINE_M, KM_LINE_NR };

static inline bool km_line_dirty(enum km_line_state s)
{
    return s >= KM_LINE_O;
}

/* What a level has to do with the levels in front of it. */
enum km_inclusion {
    KM_NON_INCLUSIVE, /* nothing                                                        */
    KM_INCLUSIVE,     /* holds all of their lines: what leaves here leaves there, too   */
    KM_EXCLUSIVE,     /* holds what they replaced (victim cache), moves it back on a hit */
};

struct km_cache_geom {
    uint64_t size_bytes; /* 0: absent */
    uint32_t ways, line_bytes;
    const struct km_repl_ops *repl;
    bool write_through;
    bool no_write_allocate;
    uint64_t seed;
    uint32_t sector_bytes; /* bytes per tag; 0: one line */
    enum km_inclusion inclusion;
};

struct km_cache_counts {
    uint64_t reads, writes, read_misses, write_misses, writebacks;
    uint64_t snoop_hits, invalidations;
    uint64_t back_invalidations; /* lines this level took from inner ones (inclusive) */
    uint64_t victim_fills;       /* clean lines kept when inner levels replaced them (exclusive) */
};

struct km_cache_set_info {
    uint16_t mru;  /* way touched last, or KM_CACHE_NO_WAY */
    uint16_t used; /* lines in the set */
};

#define KM_CACHE_NO_WAY UINT16_MAX

struct km_cache {
    uint64_t *line; /* [sets * ways * sub] line numbers; UINT64_MAX = empty */
    uint8_t *state; /* [sets * ways * sub] enum km_line_state */
    struct km_cache_set_info *set;
    uint32_t sets, ways, line_shift;
    uint32_t sub, sub_shift; /* lines per sector, log2 */
    struct km_cache_geom geom;
    struct km_repl repl;
    struct km_cache_counts n;
};

struct km_cache_victim {
    uint64_t line;
    enum km_line_state state; /* I: nothing was replaced */
};

#define KM_CACHE_NONE UINT32_MAX

const char *km_cache_check(const struct km_cache_geom *g);
/* Bytes of memory km_cache_init needs (8-byte aligned). */
size_t km_cache_bytes(const struct km_cache_geom *g);
void km_cache_init(struct km_cache *c, const struct km_cache_geom *g, void *mem);

static inline uint32_t km_cache_set(const struct km_cache *c, uint64_t line)
{
    return (uint32_t)(line >> c->sub_shift) & (c->sets - 1);
}

/* Index of a line, or KM_CACHE_NONE. Changes nothing. */
static inline uint32_t km_cache_find(const struct km_cache *c, uint64_t line)
{
    uint32_t slots = c->ways << c->sub_shift;
    uint32_t base = km_cache_set(c, line) * slots;

    if (c->sub == 1) { /* apart: a constant step is a third faster */
        for (uint32_t i = base; i < base + slots; i++)
            if (c->line[i] == line)
                return i;
        return KM_CACHE_NONE;
    }
    for (uint32_t i = base + ((uint32_t)line & (c->sub - 1)); i < base + slots; i += c->sub)
        if (c->line[i] == line)
            return i;
    return KM_CACHE_NONE;
}

/* Places for lines, used or not. */
static inline uint32_t km_cache_slots(const struct km_cache *c)
{
    return c->sets * c->ways * c->sub;
}

/* A use of the line at idx. */
static inline void km_cache_touch(struct km_cache *c, uint32_t idx)
{
    uint32_t set = km_cache_set(c, c->line[idx]);
    uint32_t way = (idx >> c->sub_shift) - set * c->ways;

    if (c->set[set].mru == way)
        return; /* a second touch in a row changes nothing, whatever the policy */
    c->set[set].mru = (uint16_t)way;
    c->geom.repl->touch(&c->repl, set, way);
}

/* Puts a line that is not present into its set; reports what it replaced. Returns its index. */
uint32_t km_cache_place(struct km_cache *c, uint64_t line, enum km_line_state state,
                        struct km_cache_victim *victim);
/* The next line of the sector that a line just placed at idx replaced, taken out; false: no
 * more. */
bool km_cache_more_victims(struct km_cache *c, uint32_t idx, struct km_cache_victim *victim);
/* Empties the place. */
void km_cache_drop(struct km_cache *c, uint32_t idx);

#ifdef __cplusplus
}
#endif
#endif
