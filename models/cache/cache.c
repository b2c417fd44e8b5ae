/* SPDX-License-Identifier: MIT
 * cache.c - see cache.h.
 */
#include "models/cache/cache.h"

#include "models/base/bits.h"
#include "models/base/bug.h"

#include <string.h>

#define EMPTY UINT64_MAX

const char *km_cache_check(const struct km_cache_geom *g)
{
    if (!g->size_bytes)
        return NULL;
    if (!km_is_pow2(g->line_bytes) || g->line_bytes < 4 || g->line_bytes > 128)
        return "the line must be a power of two between 4 and 128 bytes";
    if (!g->ways || g->ways > 256)
        return "the ways must be between 1 and 256";
    if (g->size_bytes % ((uint64_t)g->ways * g->line_bytes))
        return "the size must be a multiple of ways x line";
    if (!km_is_pow2(g->size_bytes / g->ways / g->line_bytes))
        return "the number of sets (size / ways / line) must be a power of two";
    if (g->size_bytes / g->line_bytes > (1u << 24))
        return "more than 16 Mi lines";
    if (g->repl->ways_pow2 && (!km_is_pow2(g->ways) || g->ways > 64))
        return "this replacement policy needs a power of two of at most 64 ways";
    return NULL;
}

static size_t round8(size_t n)
{
    return (n + 7) & ~(size_t)7;
}

size_t km_cache_bytes(const struct km_cache_geom *g)
{
    if (!g->size_bytes)
        return 0;
    size_t lines = g->size_bytes / g->line_bytes;
    size_t sets = lines / g->ways;

    return lines * sizeof(uint64_t) + round8(lines) + round8(sets * sizeof(uint32_t)) +
           round8(sets * g->repl->bytes_per_set(g->ways));
}

void km_cache_init(struct km_cache *c, const struct km_cache_geom *g, void *mem)
{
    uint8_t *p = mem;

    memset(c, 0, sizeof(*c));
    c->geom = *g;
    if (!g->size_bytes)
        return;
    KM_BUG_ON(km_cache_check(g) != NULL);
    size_t lines = g->size_bytes / g->line_bytes;

    c->ways = g->ways;
    c->sets = (uint32_t)(lines / g->ways);
    c->line_shift = km_log2(g->line_bytes);
    c->line = (uint64_t *)(void *)p;
    p += lines * sizeof(uint64_t);
    c->state = p;
    p += round8(lines);
    c->mru = (uint32_t *)(void *)p;
    p += round8(c->sets * sizeof(uint32_t));
    c->repl = (struct km_repl){p, c->sets, c->ways, g->repl->bytes_per_set(g->ways), {g->seed}};
    for (size_t i = 0; i < lines; i++)
        c->line[i] = EMPTY;
    memset(c->state, KM_MESI_I, lines);
    for (uint32_t set = 0; set < c->sets; set++)
        c->mru[set] = UINT32_MAX;
    g->repl->init(&c->repl);
}

static uint32_t choose_way(struct km_cache *c, uint32_t set)
{
    for (uint32_t way = 0; way < c->ways; way++)
        if (c->line[set * c->ways + way] == EMPTY)
            return way;
    return c->geom.repl->victim(&c->repl, set);
}

uint32_t km_cache_place(struct km_cache *c, uint64_t line, enum km_mesi state,
                        struct km_cache_victim *victim)
{
    uint32_t set = km_cache_set(c, line);
    uint32_t way = choose_way(c, set);
    uint32_t idx = set * c->ways + way;

    *victim = (struct km_cache_victim){c->line[idx], (enum km_mesi)c->state[idx]};
    c->line[idx] = line;
    c->state[idx] = (uint8_t)state;
    c->mru[set] = way;
    c->geom.repl->fill(&c->repl, set, way);
    return idx;
}

void km_cache_drop(struct km_cache *c, uint32_t idx)
{
    uint32_t set = idx / c->ways;

    c->line[idx] = EMPTY;
    c->state[idx] = KM_MESI_I;
    if (c->mru[set] == idx - set * c->ways)
        c->mru[set] = UINT32_MAX;
}
