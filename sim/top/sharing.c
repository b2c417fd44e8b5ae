/* SPDX-License-Identifier: MIT
 * sharing.c - see sharing.h.
 */
#include "sim/top/sharing.h"

#include <stdlib.h>
#include <string.h>

static uint32_t hash(uint64_t line)
{
    return (uint32_t)((line * 0x9e3779b97f4a7c15ull) >> 32);
}

struct km_sharing_row *km_sharing_find(struct km_sharing *s, uint64_t line)
{
    if (!s->nr_rows)
        return NULL;
    for (uint32_t i = hash(line);; i++) {
        uint32_t at = s->slot[i & (s->nr_slots - 1)];

        if (!at)
            return NULL;
        if (s->row[at - 1].line == line)
            return &s->row[at - 1];
    }
}

static void insert_slot(struct km_sharing *s, uint32_t row)
{
    uint32_t i = hash(s->row[row].line);

    while (s->slot[i & (s->nr_slots - 1)])
        i++;
    s->slot[i & (s->nr_slots - 1)] = row + 1;
}

static bool grow(struct km_sharing *s)
{
    uint32_t capacity = s->capacity ? s->capacity * 2 : 256;
    struct km_sharing_row *row = realloc(s->row, capacity * sizeof(*row));

    if (!row)
        return false;
    s->row = row;
    uint32_t *slot = calloc((size_t)capacity * 2, sizeof(*slot));

    if (!slot)
        return false;
    free(s->slot);
    s->slot = slot;
    s->nr_slots = capacity * 2;
    s->capacity = capacity;
    for (uint32_t i = 0; i < s->nr_rows; i++)
        insert_slot(s, i);
    return true;
}

struct km_sharing_row *km_sharing_get(struct km_sharing *s, uint64_t line)
{
    struct km_sharing_row *row = km_sharing_find(s, line);

    if (row)
        return row;
    if (s->nr_rows == s->capacity && !grow(s))
        return NULL;
    row = &s->row[s->nr_rows++];
    memset(row, 0, sizeof(*row));
    row->line = line;
    insert_slot(s, s->nr_rows - 1);
    return row;
}

void km_sharing_note(struct km_sharing_row *row, unsigned cpu, uint32_t first_byte, uint32_t bytes,
                     bool read, bool write)
{
    row->cpus_mask |= 1u << cpu;
    row->readers += read;
    row->writers += write;
    for (uint32_t i = first_byte; i < first_byte + bytes && i < 64 * KM_SHARING_MASK_WORDS; i++) {
        uint64_t bit = 1ull << (i % 64);

        row->read[cpu][i / 64] |= read ? bit : 0;
        row->written[cpu][i / 64] |= write ? bit : 0;
    }
}

static bool overlaps(const struct km_sharing_row *row)
{
    for (unsigned a = 0; a < KM_MAX_CPUS; a++)
        for (unsigned b = 0; b < KM_MAX_CPUS; b++)
            for (unsigned w = 0; a != b && w < KM_SHARING_MASK_WORDS; w++)
                if (row->written[a][w] & (row->read[b][w] | row->written[b][w]))
                    return true;
    return false;
}

static int by_cost(const void *pa, const void *pb)
{
    const struct km_shared_line *a = pa, *b = pb;

    if (a->cycles_lost != b->cycles_lost)
        return a->cycles_lost > b->cycles_lost ? -1 : 1;
    return a->line_pa < b->line_pa ? -1 : a->line_pa > b->line_pa;
}

struct km_shared_line *km_sharing_report(struct km_sharing *s, uint32_t *nr)
{
    free(s->report);
    s->report = s->nr_rows ? calloc(s->nr_rows, sizeof(*s->report)) : NULL;
    *nr = s->report ? s->nr_rows : 0;
    for (uint32_t i = 0; i < *nr; i++) {
        const struct km_sharing_row *row = &s->row[i];

        s->report[i] = (struct km_shared_line){
            .line_pa = row->line << s->line_shift,
            .cpus_mask = row->cpus_mask,
            .readers = row->readers,
            .writers = row->writers,
            .hitm_local = row->hitm,
            .invalidations = row->invalidations,
            .cycles_lost = row->cycles_lost,
            .overlapping_bytes = overlaps(row),
        };
    }
    if (*nr)
        qsort(s->report, *nr, sizeof(*s->report), by_cost);
    return s->report;
}

void km_sharing_release(struct km_sharing *s)
{
    free(s->row);
    free(s->slot);
    free(s->report);
    memset(s, 0, sizeof(*s));
}
