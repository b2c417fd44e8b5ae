/* SPDX-License-Identifier: MIT
 * coh_check.c - see coh_check.h.
 */
#include "sim/top/coh_check.h"

#include <stdlib.h>
#include <string.h>

static uint32_t first_slot(const struct km_coh_check *c, uint64_t line)
{
    return (uint32_t)((line * 0x9e3779b97f4a7c15ull) >> 32) & (c->nr_slots - 1);
}

static bool grow(struct km_coh_check *c)
{
    uint32_t capacity = c->capacity ? c->capacity * 2 : 1024;
    struct km_coh_line *row = realloc(c->row, capacity * sizeof(*row));

    if (!row)
        return false;
    c->row = row;
    uint32_t *slot = calloc((size_t)capacity * 2, sizeof(*slot));

    if (!slot)
        return false;
    free(c->slot);
    c->slot = slot;
    c->nr_slots = capacity * 2;
    c->capacity = capacity;
    for (uint32_t i = 0; i < c->nr_rows; i++) {
        uint32_t at = first_slot(c, c->row[i].line);

        while (c->slot[at])
            at = (at + 1) & (c->nr_slots - 1);
        c->slot[at] = i + 1;
    }
    return true;
}

/* Lines nobody has stored to yet are version 0 everywhere. */
static struct km_coh_line *get(struct km_coh_check *c, uint64_t line)
{
    if (c->nr_rows == c->capacity && !grow(c)) {
        c->full = true;
        return NULL;
    }
    uint32_t at = first_slot(c, line);

    for (; c->slot[at]; at = (at + 1) & (c->nr_slots - 1))
        if (c->row[c->slot[at] - 1].line == line)
            return &c->row[c->slot[at] - 1];
    struct km_coh_line *row = &c->row[c->nr_rows++];

    memset(row, 0, sizeof(*row));
    row->line = line;
    c->slot[at] = c->nr_rows;
    return row;
}

void km_coh_check_store(struct km_coh_check *c, uint64_t line, unsigned cpu)
{
    struct km_coh_line *row = get(c, line);

    if (row)
        row->held[cpu] = row->last = ++c->stores;
}

void km_coh_check_move(struct km_coh_check *c, uint64_t line, unsigned from, unsigned to)
{
    struct km_coh_line *row = get(c, line);

    if (!row)
        return;
    row->held[to] = row->held[from];
    if (to >= KM_MAX_CPUS && to < KM_COH_MEMORY)
        row->buffered |= 1u << (to - KM_MAX_CPUS);
    if (from >= KM_MAX_CPUS && from < KM_COH_MEMORY)
        row->buffered &= ~(1u << (from - KM_MAX_CPUS));
}

void km_coh_check_partial(struct km_coh_check *c, uint64_t line)
{
    struct km_coh_line *row = get(c, line);

    /* The other bytes must have been the newest ones, or they are lost. */
    if (row && row->held[KM_COH_MEMORY] == row->last)
        row->held[KM_COH_MEMORY] = row->last = ++c->stores;
    else if (row)
        row->last = ++c->stores;
}

void km_coh_check_forget(struct km_coh_check *c, uint64_t line)
{
    struct km_coh_line *row = get(c, line);

    if (row)
        row->held[KM_COH_MEMORY] = row->last;
}

const char *km_coh_check_line(struct km_coh_check *c, uint64_t line,
                              const enum km_line_state *state, unsigned cpus)
{
    const struct km_coh_line *row = get(c, line);
    unsigned holders = 0, owners = 0, sole = 0;

    if (!row || c->full)
        return NULL;
    c->checks++;
    for (unsigned i = 0; i < cpus; i++) {
        holders += state[i] != KM_LINE_I;
        owners += state[i] == KM_LINE_O;
        sole += state[i] == KM_LINE_M || state[i] == KM_LINE_E;
        if (state[i] != KM_LINE_I && row->held[i] != row->last)
            return "R3: a CPU holds an old value";
    }
    if (sole && holders > 1)
        return "R1: a line in M or E has a second holder";
    if (owners > 1)
        return "R2: two CPUs own the line";
    bool dirty = owners || row->buffered;

    for (unsigned i = 0; i < cpus; i++)
        dirty |= state[i] == KM_LINE_M;
    if (!dirty && row->held[KM_COH_MEMORY] != row->last)
        return "R4: memory holds an old value and nobody is going to write it back";
    return NULL;
}

void km_coh_check_release(struct km_coh_check *c)
{
    free(c->row);
    free(c->slot);
    memset(c, 0, sizeof(*c));
}
