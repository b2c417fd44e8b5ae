/* SPDX-License-Identifier: MIT
 * map.c - where a physical address lies in the DRAM: bits of the address to bits of channel, rank,
 * bank, row and column.
 *
 * A mapping names parts from the most to the least significant address bit, separated by colons:
 *     mapping = part { ":" part }        part = FIELD [ "/" BITS ] { "^" FIELD [ "+" SKIP ] }
 * A field may be written in several parts; "/BITS" says how many of its bits lie here, most
 * significant ones first, and the last part without it takes the rest. Below the least significant
 * part lie the bytes of one bus word. "bank^row" replaces each bit i of the bank by its exclusive
 * or with bit i of the row, "bank^row+3" with bit i + 3: bank (or channel, rank) hashing. A field
 * that others are mixed into cannot be mixed into others itself, so every mapping is one to one.
 * Fields of one element (one rank, one channel) may be left out. Addresses beyond the channels
 * wrap. Examples: row:rank:bank:column     row:rank:bank^row:column/7:channel:column
 */
#include "models/dram/dram.h"

#include "models/base/bits.h"

#include <string.h>

static const char *const names[KM_DRAM_FIELDS] = {"rank", "bank", "row", "column", "channel"};

static const char form[] =
    "the mapping must name row, rank, bank, column and channel (once each, or in /BITS parts that "
    "add up), as in row:rank:bank:column or row:rank:bank^row:column/7:channel:column";

/* A part while it is read. */
struct part {
    unsigned field, bits, nr_mixed;
    struct {
        unsigned field, skip;
    } mixed[4];
    bool all; /* no /BITS */
};

static const char *read_name(const char *s, unsigned *field)
{
    for (*field = 0; *field < KM_DRAM_FIELDS; ++*field) {
        size_t n = strlen(names[*field]);
        char after =
            memcmp(s, names[*field], strnlen(s, n)) == 0 && strnlen(s, n) == n ? s[n] : 'x';

        if (!after || strchr(":/^+", after))
            return s + n;
    }
    return NULL;
}

static const char *read_number(const char *s, unsigned *number)
{
    *number = 0;
    if (*s < '0' || *s > '9')
        return NULL;
    while (*s >= '0' && *s <= '9' && *number < 100)
        *number = *number * 10 + (unsigned)(*s++ - '0');
    return *number < 100 ? s : NULL;
}

/* Returns what follows the part, NULL if it is malformed. */
static const char *read_part(const char *s, struct part *p)
{
    *p = (struct part){.all = true};
    s = read_name(s, &p->field);
    if (s && *s == '/') {
        p->all = false;
        s = read_number(s + 1, &p->bits);
    }
    while (s && *s == '^' && p->nr_mixed < KM_ARRAY_LEN(p->mixed)) {
        s = read_name(s + 1, &p->mixed[p->nr_mixed].field);
        if (s && *s == '+')
            s = read_number(s + 1, &p->mixed[p->nr_mixed].skip);
        p->nr_mixed++;
    }
    return s && (!*s || *s == ':') ? s : NULL;
}

static uint32_t low_mask(unsigned bits)
{
    return bits >= 32 ? UINT32_MAX : (1u << bits) - 1;
}

static bool add_hashes(struct km_dram_map *map, const struct part *p, unsigned bits)
{
    for (unsigned i = 0; i < p->nr_mixed; i++) {
        if (map->nr_hashes == KM_ARRAY_LEN(map->hash))
            return false;
        map->hash[map->nr_hashes].field = (uint8_t)p->field;
        map->hash[map->nr_hashes].from = (uint8_t)p->mixed[i].field;
        map->hash[map->nr_hashes].skip = (uint8_t)p->mixed[i].skip;
        map->hash[map->nr_hashes].mask = low_mask(bits);
        map->nr_hashes++;
    }
    return true;
}

static const char *check_hashes(const struct km_dram_map *map)
{
    for (unsigned i = 0; i < map->nr_hashes; i++)
        for (unsigned k = 0; k < map->nr_hashes; k++)
            if (map->hash[i].field == map->hash[k].from)
                return "the mapping mixes a field into another one that is mixed itself: two "
                       "addresses "
                       "would meet in one place";
    return NULL;
}

/* Parts from the most significant one; `left` counts the bits each field still has to place. */
static const char *place_parts(struct km_dram_map *map, const char *s, const unsigned bits[],
                               unsigned left[], unsigned shift)
{
    bool closed[KM_DRAM_FIELDS] = {false};

    for (bool more = true; more;) {
        struct part p;

        s = read_part(s, &p);
        if (!s || closed[p.field] || map->nr_pieces == KM_ARRAY_LEN(map->piece))
            return form;
        if (p.all) {
            p.bits = left[p.field];
            closed[p.field] = true;
        }
        if (p.bits > left[p.field] || p.bits > shift || !add_hashes(map, &p, bits[p.field]))
            return form;
        left[p.field] -= p.bits;
        shift -= p.bits;
        map->piece[map->nr_pieces].field = (uint8_t)p.field;
        map->piece[map->nr_pieces].shift = (uint8_t)shift;
        map->piece[map->nr_pieces].at = (uint8_t)left[p.field];
        map->piece[map->nr_pieces].mask = low_mask(p.bits);
        map->nr_pieces++;
        more = *s == ':';
        s += more;
    }
    for (unsigned f = 0; f < KM_DRAM_FIELDS; f++)
        if (left[f])
            return form;
    return check_hashes(map);
}

const char *km_dram_map_parse(struct km_dram_map *map, const struct km_dram_geom *g)
{
    const uint32_t count[KM_DRAM_FIELDS] = {g->ranks, g->banks, g->rows, g->columns, g->channels};
    unsigned bits[KM_DRAM_FIELDS], left[KM_DRAM_FIELDS], below = km_log2(g->bus_bytes), all = below;

    *map = (struct km_dram_map){0};
    if (!below)
        return "the data bus must be at least 2 bytes wide";
    for (unsigned f = 0; f < KM_DRAM_FIELDS; f++) {
        left[f] = bits[f] = km_log2(count[f]);
        all += bits[f];
    }
    const char *why = place_parts(map, g->mapping, bits, left, all);

    if (why)
        return why;
    /* a request is one burst: its columns must be neighbours in the address space */
    for (unsigned i = 0; i < map->nr_pieces; i++)
        if (map->piece[i].field == KM_DRAM_COLUMN && !map->piece[i].at &&
            (map->piece[i].shift != below || map->piece[i].mask + 1ull < g->burst))
            return "the mapping must have the columns of a burst in its least significant bits";
    return NULL;
}

struct km_dram_addr km_dram_map_locate(const struct km_dram_map *map, uint64_t pa)
{
    uint32_t v[KM_DRAM_FIELDS] = {0};

    for (unsigned i = 0; i < map->nr_pieces; i++)
        v[map->piece[i].field] |= ((uint32_t)(pa >> map->piece[i].shift) & map->piece[i].mask)
                                  << map->piece[i].at;
    for (unsigned i = 0; i < map->nr_hashes; i++)
        v[map->hash[i].field] ^= v[map->hash[i].from] >> map->hash[i].skip & map->hash[i].mask;
    return (struct km_dram_addr){.rank = v[KM_DRAM_RANK],
                                 .bank = v[KM_DRAM_BANK],
                                 .row = v[KM_DRAM_ROW],
                                 .column = v[KM_DRAM_COLUMN],
                                 .channel = v[KM_DRAM_CHANNEL]};
}
