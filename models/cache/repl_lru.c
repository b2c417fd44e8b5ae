/* SPDX-License-Identifier: MIT
 * repl_lru.c - true least-recently-used: the way whose last use is longest ago.
 */
#include "models/cache/repl.h"

static uint32_t lru_victim(struct km_repl *r, uint32_t set)
{
    return r->state[(size_t)set * r->bytes_per_set + r->ways - 1];
}

const struct km_repl_ops km_repl_lru = {
    .name = "lru",
    .help = "least recently used",
    .lazy = true,
    .bytes_per_set = km_repl_byte_per_way,
    .init = km_repl_order_init,
    .touch = km_repl_order_front,
    .fill = km_repl_order_front,
    .victim = lru_victim,
};
