/* SPDX-License-Identifier: MIT
 * repl_random.c - a way drawn by the seeded generator; no state per set.
 */
#include "models/cache/repl.h"

static uint32_t random_bytes(uint32_t ways)
{
    (void)ways;
    return 0;
}

static void random_init(struct km_repl *r)
{
    (void)r;
}

static void random_touch(struct km_repl *r, uint32_t set, uint32_t way)
{
    (void)r;
    (void)set;
    (void)way;
}

static uint32_t random_victim(struct km_repl *r, uint32_t set)
{
    (void)set;
    return km_prng_below(&r->prng, r->ways);
}

const struct km_repl_ops km_repl_random = {
    .name = "random",
    .help = "seeded random way",
    .lazy = true,
    .bytes_per_set = random_bytes,
    .init = random_init,
    .touch = random_touch,
    .fill = random_touch,
    .victim = random_victim,
};
