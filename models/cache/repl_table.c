/* SPDX-License-Identifier: MIT
 * repl_table.c - all replacement policies, sorted by name.
 */
#include "models/cache/repl.h"

const struct km_repl_ops *const km_repl_table[] = {
    &km_repl_fifo, &km_repl_lru, &km_repl_plru, &km_repl_random, NULL,
};
