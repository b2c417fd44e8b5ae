/* SPDX-License-Identifier: MIT
 * cache.c - see cache.h.
 */
#include "models/cache/cache.h"

#include "models/base/bits.h"
#include "models/base/bug.h"

#include <string.h>

#define EMPTY UINT64_MAX

static uint32_t sector_bytes(const struct km_cache_geom *g)
{
    return g->sector_bytes ? g->sector_bytes : g->line_bytes;
}

const char *km_cache_check(const struct km_cache_geom *g)
{
    if (!g->size_bytes)
        return NULL;
    if (!km_is_pow2(g->line_bytes) || g->line_bytes < 4 || g->line_bytes > 128)
        return "the line must be a power of two between 4 and 128 bytes";
    if (!g->ways || g->ways > 256)
        return "the ways must be between 1 and 256";
    if (g->sector_bytes && (!km_is_pow2(g->sector_bytes) || g->sector_bytes < g->line_bytes ||
                            g->sector_bytes > 8 * g->line_bytes))
        return "a sector must be one, two, four or eight lines";
    if (g->size_bytes % ((uint64_t)g->ways * sector_bytes(g)))
        return "the size must be a multiple of ways x line (or sector)";
    if (!km_is_pow2(g->size_bytes / g->ways / sector_bytes(g)))
        return "the number of sets (size / ways / line or sector) must be a power of two";
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
    size_t sets = g->size_bytes / sector_bytes(g) / g->ways;

    return lines * sizeof(uint64_t) + round8(lines) + round8(sets * sizeof(struct km_cache_set_info)) +
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
    c->sub = sector_bytes(g) / g->line_bytes;
    c->sub_shift = km_log2(c->sub);
    c->sets = (uint32_t)(lines / g->ways / c->sub);
    c->line_shift = km_log2(g->line_bytes);
    c->line = (uint64_t *)(void *)p;
    p += lines * sizeof(uint64_t);
    c->state = p;
    p += round8(lines);
    c->set = (struct km_cache_set_info *)(void *)p;
    p += round8(c->sets * sizeof(struct km_cache_set_info));
    c->repl = (struct km_repl){p, c->sets, c->ways, g->repl->bytes_per_set(g->ways), {g->seed}};
    for (size_t i = 0; i < lines; i++)
        c->line[i] = EMPTY;
    memset(c->state, KM_LINE_I, lines);
    for (uint32_t set = 0; set < c->sets; set++)
        c->set[set] = (struct km_cache_set_info){KM_CACHE_NO_WAY, 0};
    g->repl->init(&c->repl);
}

/* The way of a sectored cache that holds the line's sector, else KM_CACHE_NONE; *empty: the lowest
 * way without lines, or KM_CACHE_NONE. */
static uint32_t find_sector(const struct km_cache *c, uint32_t set, uint64_t line, uint32_t *empty)
{
    for (uint32_t way = c->ways; way-- > 0;) {
        const uint64_t *slot = &c->line[(set * c->ways + way) * c->sub];
        bool used = false;

        for (uint32_t i = 0; i < c->sub; i++) {
            if (slot[i] == EMPTY)
                continue;
            if (slot[i] >> c->sub_shift == line >> c->sub_shift)
                return way;
            used = true;
        }
        if (!used)
            *empty = way;
    }
    return KM_CACHE_NONE;
}

/* Where a line goes: into its sector, else an empty way, else a victim's. */
static uint32_t choose_way(struct km_cache *c, uint32_t set, uint64_t line, bool *present)
{
    const uint64_t *slot = &c->line[set * c->ways];
    uint32_t empty = KM_CACHE_NONE;

    *present = false;
    if (c->sub == 1) {
        for (uint32_t way = 0; c->set[set].used < c->ways && way < c->ways; way++)
            if (slot[way] == EMPTY)
                return way;
        return c->geom.repl->victim(&c->repl, set);
    }
    uint32_t way = find_sector(c, set, line, &empty);

    *present = way != KM_CACHE_NONE;
    if (*present)
        return way;
    return empty != KM_CACHE_NONE ? empty : c->geom.repl->victim(&c->repl, set);
}

uint32_t km_cache_place(struct km_cache *c, uint64_t line, enum km_line_state state,
                        struct km_cache_victim *victim)
{
    const struct km_repl_ops *repl = c->geom.repl;
    uint32_t set = km_cache_set(c, line);
    bool present;
    uint32_t way = choose_way(c, set, line, &present);
    uint32_t idx = (set * c->ways + way) * c->sub + ((uint32_t)line & (c->sub - 1));

    *victim = (struct km_cache_victim){c->line[idx], (enum km_line_state)c->state[idx]};
    c->set[set].used += victim->line == EMPTY;
    c->line[idx] = line;
    c->state[idx] = (uint8_t)state;
    c->set[set].mru = present || repl->fill == repl->touch ? (uint16_t)way : KM_CACHE_NO_WAY;
    (present ? repl->touch : repl->fill)(&c->repl, set, way);
    return idx;
}

bool km_cache_more_victims(struct km_cache *c, uint32_t idx, struct km_cache_victim *victim)
{
    uint32_t first = idx & ~(c->sub - 1);

    for (uint32_t i = first; i < first + c->sub; i++) {
        if (c->line[i] == EMPTY || c->line[i] >> c->sub_shift == c->line[idx] >> c->sub_shift)
            continue;
        *victim = (struct km_cache_victim){c->line[i], (enum km_line_state)c->state[i]};
        c->line[i] = EMPTY;
        c->state[i] = KM_LINE_I;
        c->set[km_cache_set(c, c->line[idx])].used--;
        return true;
    }
    return false;
}

void km_cache_drop(struct km_cache *c, uint32_t idx)
{
    uint32_t set = km_cache_set(c, c->line[idx]);

    c->line[idx] = EMPTY;
    c->state[idx] = KM_LINE_I;
    c->set[set].used--;
    if (c->set[set].mru == (idx >> c->sub_shift) - set * c->ways)
        c->set[set].mru = KM_CACHE_NO_WAY;
}
