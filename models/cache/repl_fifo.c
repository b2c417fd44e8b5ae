/* SPDX-License-Identifier: MIT
 * repl_fifo.c - first in, first out: the way filled longest ago; hits change nothing.
 */
#include "models/cache/repl.h"

static void fifo_touch(struct km_repl *r, uint32_t set, uint32_t way)
{
    (void)r;
    (void)set;
    (void)way;
}

static uint32_t fifo_victim(struct km_repl *r, uint32_t set)
{
    return r->state[(size_t)set * r->bytes_per_set + r->ways - 1];
}

const struct km_repl_ops km_repl_fifo = {
    .name = "fifo",
    .help = "first in, first out",
    .lazy = true,
    .bytes_per_set = km_repl_byte_per_way,
    .init = km_repl_order_init,
    .touch = fifo_touch,
    .fill = km_repl_order_front,
    .victim = fifo_victim,
};
