/* SPDX-License-Identifier: MIT
 * ptr_map.c - open addressing, linear probing, never more than half full; entries are never removed.
 */
#include "sim/workload/ptr_map.h"

#include <stdlib.h>

static size_t place(const struct km_ptr_map *m, uint64_t ptr)
{
    size_t i = (size_t)((ptr * 0x9e3779b97f4a7c15ull) >> 20) & (m->room - 1);

    while (m->slot[i].ptr && m->slot[i].ptr != ptr)
        i = (i + 1) & (m->room - 1);
    return i;
}

static bool grow(struct km_ptr_map *m)
{
    struct km_ptr_map bigger = {.nr = m->nr, .room = m->room ? 2 * m->room : 1024};

    bigger.slot = calloc(bigger.room, sizeof(*bigger.slot));
    if (!bigger.slot)
        return false;
    for (size_t i = 0; i < m->room; i++)
        if (m->slot[i].ptr)
            bigger.slot[place(&bigger, m->slot[i].ptr)] = m->slot[i];
    free(m->slot);
    *m = bigger;
    return true;
}

struct km_ptr_block *km_ptr_map_find(const struct km_ptr_map *m, uint64_t ptr)
{
    if (!m->room || !ptr)
        return NULL;
    struct km_ptr_block *b = &m->slot[place(m, ptr)];

    return b->ptr ? b : NULL;
}

struct km_ptr_block *km_ptr_map_put(struct km_ptr_map *m, uint64_t ptr)
{
    if (2 * (m->nr + 1) > m->room && !grow(m))
        return NULL;
    struct km_ptr_block *b = &m->slot[place(m, ptr)];

    m->nr += !b->ptr;
    b->ptr = ptr;
    return b;
}

void km_ptr_map_release(struct km_ptr_map *m)
{
    free(m->slot);
    *m = (struct km_ptr_map){0};
}
