/* SPDX-License-Identifier: MIT
 * repl_bit_plru.c - bit pseudo-LRU (MRU bits): a way that was not used since the last of all others
 * was.
 *
 * Theory: every use and fill sets the way's bit; when that makes all bits of the set 1, the others
 * are cleared at once. The victim is the lowest way whose bit is clear. Not lazy: A B C A and B C A
 * leave different bits in a set of three ways.
 */
#include "models/cache/repl.h"

#include <string.h>

static void bit_plru_touch(struct km_repl *r, uint32_t set, uint32_t way)
{
    uint8_t *used = r->state + (size_t)set * r->bytes_per_set;

    used[way] = 1;
    if (memchr(used, 0, r->ways))
        return;
    memset(used, 0, r->ways);
    used[way] = 1;
}

static uint32_t bit_plru_victim(struct km_repl *r, uint32_t set)
{
    const uint8_t *used = r->state + (size_t)set * r->bytes_per_set;
    const uint8_t *clear = memchr(used, 0, r->ways);

    return clear ? (uint32_t)(clear - used) : 0; /* none is clear: there is one way */
}

const struct km_repl_ops km_repl_bit_plru = {
    .name = "bit-plru",
    .help = "bit pseudo-LRU: use bits, the others are cleared when the last one is set",
    .bytes_per_set = km_repl_byte_per_way,
    .init = km_repl_zero,
    .touch = bit_plru_touch,
    .fill = bit_plru_touch,
    .victim = bit_plru_victim,
};
