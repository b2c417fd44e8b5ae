/* SPDX-License-Identifier: MIT
 * repl_order.c - per-set lists of way numbers, newest first (one byte each, so at most 256 ways).
 */
#include "models/cache/repl.h"

void km_repl_order_init(struct km_repl *r)
{
    /* Way 0 is the oldest: sets fill in way order and lose way 0 first. */
    for (uint32_t set = 0; set < r->sets; set++)
        for (uint32_t i = 0; i < r->ways; i++)
            r->state[set * r->bytes_per_set + i] = (uint8_t)(r->ways - 1 - i);
}

void km_repl_order_front(struct km_repl *r, uint32_t set, uint32_t way)
{
    uint8_t *order = r->state + (size_t)set * r->bytes_per_set;
    uint8_t carry = (uint8_t)way;

    /* Rotate the entries before `way` one place back and put it first. */
    for (uint32_t i = 0; i < r->ways; i++) {
        uint8_t here = order[i];

        order[i] = carry;
        if (here == way)
            return;
        carry = here;
    }
}
