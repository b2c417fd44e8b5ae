/* SPDX-License-Identifier: MIT
 * repl_plru.c - tree pseudo-LRU, as in the 486 (4 ways, 3 bits) and later Intel L1 caches.
 *
 * Theory: a binary tree over the ways; each inner node holds one bit that points to the half to
 * replace next. A use of a way turns every node on its path away from it. The victim is found by
 * following the bits. Node n has children 2n and 2n+1, the root is 1; bit n of the state belongs to
 * node n.
 */
#include "models/cache/repl.h"

#include "models/base/bits.h"

#include <string.h>

static uint32_t plru_bytes(uint32_t ways)
{
    (void)ways;
    return sizeof(uint64_t);
}

static void plru_init(struct km_repl *r)
{
    memset(r->state, 0, (size_t)r->sets * r->bytes_per_set);
}

static void plru_touch(struct km_repl *r, uint32_t set, uint32_t way)
{
    uint64_t *bits = (uint64_t *)(void *)(r->state + (size_t)set * r->bytes_per_set);
    uint64_t tree = *bits;

    for (uint32_t node = r->ways + way; node > 1; node >>= 1) {
        uint64_t mask = 1ull << (node >> 1);

        /* Came from the right child (odd): point left (0), and the other way round. */
        tree = node & 1 ? tree & ~mask : tree | mask;
    }
    *bits = tree;
}

static uint32_t plru_victim(struct km_repl *r, uint32_t set)
{
    uint64_t tree = *(uint64_t *)(void *)(r->state + (size_t)set * r->bytes_per_set);
    uint32_t node = 1;

    while (node < r->ways)
        node = 2 * node + (tree >> node & 1);
    return node - r->ways;
}

const struct km_repl_ops km_repl_plru = {
    .name = "plru",
    .help = "tree pseudo-LRU (ways a power of two)",
    .lazy = true,
    .ways_pow2 = true,
    .bytes_per_set = plru_bytes,
    .init = plru_init,
    .touch = plru_touch,
    .fill = plru_touch,
    .victim = plru_victim,
};
