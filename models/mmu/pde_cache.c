/* SPDX-License-Identifier: MIT
 * pde_cache.c - see pde_cache.h.
 */
#include "models/mmu/pde_cache.h"

#include <string.h>

/* Moves [0, at) one place back and puts the entry first. */
static void put_first(struct km_pde_cache *c, uint32_t at, uint32_t region, uint64_t pde)
{
    memmove(&c->slot[1], &c->slot[0], at * sizeof(c->slot[0]));
    c->slot[0].region = region;
    c->slot[0].pde = pde;
}

bool km_pde_cache_find(struct km_pde_cache *c, uint32_t region, uint64_t *pde)
{
    if (!c->entries)
        return false;
    for (uint32_t i = 0; i < c->used; i++)
        if (c->slot[i].region == region) {
            *pde = c->slot[i].pde;
            put_first(c, i, region, *pde);
            c->hits++;
            return true;
        }
    c->misses++;
    return false;
}

void km_pde_cache_put(struct km_pde_cache *c, uint32_t region, uint64_t pde)
{
    if (!c->entries)
        return;
    if (c->used < c->entries)
        c->used++;
    put_first(c, c->used - 1, region, pde);
}

void km_pde_cache_drop(struct km_pde_cache *c, uint32_t region)
{
    for (uint32_t i = 0; i < c->used; i++)
        if (c->slot[i].region == region) {
            c->used--;
            memmove(&c->slot[i], &c->slot[i + 1], (c->used - i) * sizeof(c->slot[0]));
            return;
        }
}

void km_pde_cache_flush(struct km_pde_cache *c)
{
    c->used = 0;
}
