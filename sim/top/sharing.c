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

struct km_sharing_row *km_sharing_get(struct km_sharing *s, uint64_t line, uint32_t owners)
{
    struct km_sharing_row *row = km_sharing_find(s, line);

    if (row)
        return row;
    if (s->nr_rows == s->capacity && !grow(s))
        return NULL;
    row = &s->row[s->nr_rows++];
    memset(row, 0, sizeof(*row));
    row->line = line;
    row->known = row->unseen = owners;
    insert_slot(s, s->nr_rows - 1);
    return row;
}

static void byte_mask(uint64_t mask[KM_SHARING_MASK_WORDS], uint32_t first_byte, uint32_t bytes)
{
    memset(mask, 0, KM_SHARING_MASK_WORDS * sizeof(*mask));
    for (uint32_t i = first_byte; i < first_byte + bytes && i < 64 * KM_SHARING_MASK_WORDS; i++)
        mask[i / 64] |= 1ull << (i % 64);
}

static bool common(const uint64_t *a, const uint64_t *b)
{
    for (unsigned w = 0; w < KM_SHARING_MASK_WORDS; w++)
        if (a[w] & b[w])
            return true;
    return false;
}

void km_sharing_note(struct km_sharing_row *row, unsigned cpu, uint32_t first_byte, uint32_t bytes,
                     bool read, bool write)
{
    row->cpus_mask |= 1u << cpu;
    row->readers += read;
    row->writers += write;
    uint64_t mask[KM_SHARING_MASK_WORDS];

    byte_mask(mask, first_byte, bytes);
    for (unsigned w = 0; w < KM_SHARING_MASK_WORDS; w++) {
        row->used[cpu][w] |= mask[w];
        for (unsigned c = 0; write && c < KM_MAX_CPUS; c++)
            row->stale[c][w] |= c != cpu ? mask[w] : 0;
    }
}

static void forget_use(struct km_sharing_row *row, unsigned cpu)
{
    memset(row->used[cpu], 0, sizeof(row->used[cpu]));
    row->unseen &= ~(1u << cpu);
}

enum sharing_kind { KIND_UNKNOWN, KIND_FALSE, KIND_TRUE };

/* Classifies each copy that is lost; the strongest kind. */
static enum sharing_kind invalidate(struct km_sharing_row *row, const uint64_t *mask,
                                    uint32_t owners)
{
    enum sharing_kind kind, strongest = KIND_UNKNOWN;

    for (unsigned c = 0; c < KM_MAX_CPUS; c++) {
        if (!(owners >> c & 1))
            continue;
        kind = common(mask, row->used[c])    ? KIND_TRUE
               : row->unseen >> c & 1 ? KIND_UNKNOWN
                                      : KIND_FALSE;
        row->invalidations++;
        row->inv_true += kind == KIND_TRUE;
        row->inv_false += kind == KIND_FALSE;
        strongest = kind > strongest ? kind : strongest;
        forget_use(row, c);
    }
    return strongest;
}

static enum sharing_kind take_dirty(struct km_sharing_row *row, const uint64_t *mask, unsigned cpu)
{
    enum sharing_kind kind = common(mask, row->stale[cpu]) ? KIND_TRUE
                             : row->known >> cpu & 1       ? KIND_FALSE
                                                           : KIND_UNKNOWN;

    row->hitm++;
    row->hitm_by_cpu[cpu]++;
    row->hitm_true += kind == KIND_TRUE;
    row->hitm_false += kind == KIND_FALSE;
    return kind;
}

void km_sharing_transfer(struct km_sharing_row *row, const struct km_sharing_event *ev)
{
    enum sharing_kind kind = KIND_UNKNOWN;
    uint64_t mask[KM_SHARING_MASK_WORDS];

    byte_mask(mask, ev->first_byte, ev->bytes);
    row->cpus_mask |= ev->owners | 1u << ev->cpu;
    if (ev->invalidate)
        kind = invalidate(row, mask, ev->owners);
    if (ev->hitm)
        kind = take_dirty(row, mask, ev->cpu);
    if (ev->owners) {
        row->cycles_lost += ev->cycles;
        row->cycles_true += kind == KIND_TRUE ? ev->cycles : 0;
        row->cycles_false += kind == KIND_FALSE ? ev->cycles : 0;
    } else if (row->dma_took >> ev->cpu & 1) {
        row->cycles_dma += ev->cycles;
    }
    if (!ev->fetched)
        return;
    row->dma_took &= ~(1u << ev->cpu);
    row->known |= 1u << ev->cpu;
    forget_use(row, ev->cpu);
    memset(row->stale[ev->cpu], 0, sizeof(row->stale[ev->cpu]));
}

void km_sharing_dma(struct km_sharing_row *row, uint32_t owners, bool dirty, bool write)
{
    row->cpus_mask |= owners;
    row->dma_reads += !write;
    row->dma_writes += write;
    row->dma_hitm += dirty;
    if (!write)
        return;
    row->dma_invalidations += (unsigned)__builtin_popcount(owners);
    row->dma_took |= owners;
    for (unsigned c = 0; c < KM_MAX_CPUS; c++)
        if (owners >> c & 1)
            forget_use(row, c);
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
            .dma_reads = row->dma_reads,
            .dma_writes = row->dma_writes,
            .dma_hitm = row->dma_hitm,
            .dma_invalidations = row->dma_invalidations,
            .hitm_true = row->hitm_true,
            .hitm_false = row->hitm_false,
            .inv_true = row->inv_true,
            .inv_false = row->inv_false,
            .cycles_true = row->cycles_true,
            .cycles_false = row->cycles_false,
            .cycles_dma = row->cycles_dma,
        };
        memcpy(s->report[i].hitm_by_cpu, row->hitm_by_cpu, sizeof(row->hitm_by_cpu));
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
