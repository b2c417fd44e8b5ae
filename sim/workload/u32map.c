/* SPDX-License-Identifier: MIT
 * u32map.c - see u32map.h. Deletion by backward shift: Knuth, TAOCP vol. 3, 6.4 algorithm R.
 */
#include "sim/workload/u32map.h"

#include <stdlib.h>

static size_t home(const struct km_u32map *m, uint32_t key)
{
    return (key * 0x9e3779b1u >> 4) & (m->room - 1);
}

static size_t find(const struct km_u32map *m, uint32_t key)
{
    size_t i = home(m, key);

    while (m->slot[i].key && m->slot[i].key != key)
        i = (i + 1) & (m->room - 1);
    return i;
}

uint32_t *km_u32map_get(const struct km_u32map *m, uint32_t key)
{
    if (!m->room)
        return NULL;
    size_t i = find(m, key);

    return m->slot[i].key ? &m->slot[i].value : NULL;
}

static bool grow(struct km_u32map *m)
{
    struct km_u32map bigger = {.room = m->room ? 2 * m->room : 1024};

    bigger.slot = calloc(bigger.room, sizeof(*bigger.slot));
    if (!bigger.slot)
        return false;
    for (size_t i = 0; i < m->room; i++)
        if (m->slot[i].key)
            bigger.slot[find(&bigger, m->slot[i].key)] = m->slot[i];
    bigger.nr = m->nr;
    free(m->slot);
    *m = bigger;
    return true;
}

bool km_u32map_put(struct km_u32map *m, uint32_t key, uint32_t value)
{
    if (!key || (m->nr * 5 >= m->room * 3 && !grow(m)))
        return false;
    size_t i = find(m, key);

    if (!m->slot[i].key)
        m->nr++;
    m->slot[i].key = key;
    m->slot[i].value = value;
    return true;
}

bool km_u32map_take(struct km_u32map *m, uint32_t key, uint32_t *value)
{
    if (!m->room || !key)
        return false;
    size_t hole = find(m, key);

    if (!m->slot[hole].key)
        return false;
    if (value)
        *value = m->slot[hole].value;
    for (size_t i = (hole + 1) & (m->room - 1); m->slot[i].key; i = (i + 1) & (m->room - 1)) {
        size_t from_home = (i - home(m, m->slot[i].key)) & (m->room - 1);

        if (from_home >= ((i - hole) & (m->room - 1))) {
            m->slot[hole] = m->slot[i];
            hole = i;
        }
    }
    m->slot[hole].key = 0;
    m->nr--;
    return true;
}

void km_u32map_release(struct km_u32map *m)
{
    free(m->slot);
    *m = (struct km_u32map){0};
}
