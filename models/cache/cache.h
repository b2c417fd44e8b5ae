/* SPDX-License-Identifier: MIT
 * cache.h - one set-associative cache array: tags, MESI state per line, replacement, counters.
 *
 * Models:      where lines are and in which state. Data are not stored: values live in guest
 *              memory.
 * Not modelled here: levels and write policies (hier.h), time (sim/top), sectors.
 * Invariants:  a line is in at most one way; it lies in set line % sets; state I means the way is
 *              empty.
 * Units:       `line` is an address divided by the line size.
 */
#ifndef KM_CACHE_CACHE_H
#define KM_CACHE_CACHE_H

#include "models/base/types.h"
#include "models/cache/repl.h"

#ifdef __cplusplus
extern "C" {
#endif

enum km_mesi { KM_MESI_I, KM_MESI_S, KM_MESI_E, KM_MESI_M, KM_MESI_NR };

struct km_cache_geom {
    uint64_t size_bytes; /* 0: absent */
    uint32_t ways, line_bytes;
    const struct km_repl_ops *repl;
    bool write_through;
    bool no_write_allocate;
    uint64_t seed;
};

struct km_cache_counts {
    uint64_t reads, writes, read_misses, write_misses, writebacks;
    uint64_t snoop_hits, invalidations;
};

struct km_cache {
    uint64_t *line; /* [sets * ways] line numbers; UINT64_MAX = empty */
    uint8_t *state; /* [sets * ways] enum km_mesi */
    uint32_t *mru;  /* [sets] way touched last */
    uint32_t sets, ways, line_shift;
    struct km_cache_geom geom;
    struct km_repl repl;
    struct km_cache_counts n;
};

struct km_cache_victim {
    uint64_t line;
    enum km_mesi state; /* I: nothing was replaced */
};

#define KM_CACHE_NONE UINT32_MAX

const char *km_cache_check(const struct km_cache_geom *g);
/* Bytes of memory km_cache_init needs (8-byte aligned). */
size_t km_cache_bytes(const struct km_cache_geom *g);
void km_cache_init(struct km_cache *c, const struct km_cache_geom *g, void *mem);

static inline uint32_t km_cache_set(const struct km_cache *c, uint64_t line)
{
    return (uint32_t)line & (c->sets - 1);
}

/* Index (set * ways + way) of a line, or KM_CACHE_NONE. Changes nothing. */
static inline uint32_t km_cache_find(const struct km_cache *c, uint64_t line)
{
    uint32_t base = km_cache_set(c, line) * c->ways;

    for (uint32_t i = base; i < base + c->ways; i++)
        if (c->line[i] == line)
            return i;
    return KM_CACHE_NONE;
}

/* A use of the line at idx. */
static inline void km_cache_touch(struct km_cache *c, uint32_t idx)
{
    uint32_t set = km_cache_set(c, c->line[idx]);
    uint32_t way = idx - set * c->ways;

    if (c->mru[set] == way)
        return; /* lazy policies: a second touch in a row changes nothing */
    c->mru[set] = way;
    c->geom.repl->touch(&c->repl, set, way);
}

/* Puts a line that is not present into its set; reports what it replaced. Returns its index. */
uint32_t km_cache_place(struct km_cache *c, uint64_t line, enum km_mesi state,
                        struct km_cache_victim *victim);
/* Empties the way. */
void km_cache_drop(struct km_cache *c, uint32_t idx);

#ifdef __cplusplus
}
#endif
#endif
