/* SPDX-License-Identifier: MIT
 * map.c - where a physical address lies in the DRAM: bit fields from a mapping string.
 *
 * The string names the fields from the most to the least significant, e.g. "row:rank:bank:column".
 * Below the column lie the bytes of one bus word. Addresses beyond the channel wrap.
 */
#include "models/dram/dram.h"

#include "models/base/bits.h"

#include <string.h>

static bool word_is(const char *s, size_t n, const char *word)
{
    return strlen(word) == n && memcmp(s, word, n) == 0;
}

static bool set_field(struct km_dram_map *map, const struct km_dram_geom *g, const char *s,
                      size_t n, unsigned *shift)
{
    uint8_t *at, *bits;
    uint32_t count;

    if (word_is(s, n, "rank")) {
        at = &map->rank.shift;
        bits = &map->rank.bits;
        count = g->ranks;
    } else if (word_is(s, n, "bank")) {
        at = &map->bank.shift;
        bits = &map->bank.bits;
        count = g->banks;
    } else if (word_is(s, n, "row")) {
        at = &map->row.shift;
        bits = &map->row.bits;
        count = g->rows;
    } else if (word_is(s, n, "column")) {
        at = &map->column.shift;
        bits = &map->column.bits;
        count = g->columns;
    } else {
        return false;
    }
    if (*at)
        return false; /* named twice */
    *at = (uint8_t)*shift;
    *bits = (uint8_t)km_log2(count);
    *shift += *bits;
    return true;
}

const char *km_dram_map_parse(struct km_dram_map *map, const struct km_dram_geom *g)
{
    const char *s = g->mapping;
    size_t end = strlen(s);
    unsigned shift = km_log2(g->bus_bytes), fields = 0;
    static const char *const form =
        "the mapping must name row, rank, bank and column once each, as in row:rank:bank:column";

    *map = (struct km_dram_map){0};
    if (!shift)
        return "the data bus must be at least 2 bytes wide";
    while (end > 0) {
        size_t begin = end;

        while (begin > 0 && s[begin - 1] != ':')
            begin--;
        if (!set_field(map, g, s + begin, end - begin, &shift))
            return form;
        fields++;
        end = begin ? begin - 1 : 0;
    }
    if (fields != 4 || end)
        return form;
    return NULL;
}

static uint32_t field(uint64_t pa, unsigned shift, unsigned bits)
{
    return (uint32_t)(pa >> shift & ((1ull << bits) - 1));
}

struct km_dram_addr km_dram_locate(const struct km_dram *d, uint64_t pa)
{
    const struct km_dram_map *m = &d->map;

    return (struct km_dram_addr){
        .rank = field(pa, m->rank.shift, m->rank.bits),
        .bank = field(pa, m->bank.shift, m->bank.bits),
        .row = field(pa, m->row.shift, m->row.bits),
        .column = field(pa, m->column.shift, m->column.bits),
    };
}
