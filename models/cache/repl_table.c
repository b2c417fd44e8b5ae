/* SPDX-License-Identifier: MIT
 * repl_table.c - all replacement policies, sorted by name, and what several of them share.
 */
#include "models/cache/repl.h"

#include <string.h>

const struct km_repl_ops *const km_repl_table[] = {
    &km_repl_bit_plru, &km_repl_fifo,   &km_repl_lru,   &km_repl_nru,
    &km_repl_plru,     &km_repl_random, &km_repl_srrip, NULL,
};

uint32_t km_repl_byte_per_way(uint32_t ways)
{
    return ways;
}

void km_repl_zero(struct km_repl *r)
{
    memset(r->state, 0, (size_t)r->sets * r->bytes_per_set);
}
