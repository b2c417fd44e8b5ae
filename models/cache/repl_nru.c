/* SPDX-License-Identifier: MIT
 * repl_nru.c - not recently used: a way without a use since the use bits were last cleared.
 *
 * Theory: every use and fill sets the way's bit. The victim is the lowest way whose bit is clear;
 * when all are set, all are cleared first. Unlike bit-PLRU the bits are cleared only when a victim
 * is needed, so the order of uses in between does not matter.
 */
#include "models/cache/repl.h"

#include <string.h>

static void nru_touch(struct km_repl *r, uint32_t set, uint32_t way)
{
    r->state[(size_t)set * r->bytes_per_set + way] = 1;
}

static uint32_t nru_victim(struct km_repl *r, uint32_t set)
{
    uint8_t *used = r->state + (size_t)set * r->bytes_per_set;

    for (uint32_t way = 0; way < r->ways; way++)
        if (!used[way])
            return way;
    memset(used, 0, r->ways);
    return 0;
}

const struct km_repl_ops km_repl_nru = {
    .name = "nru",
    .help = "not recently used: use bits, cleared when all are set and a victim is needed",
    .lazy = true,
    .bytes_per_set = km_repl_byte_per_way,
    .init = km_repl_zero,
    .touch = nru_touch,
    .fill = nru_touch,
    .victim = nru_victim,
};
