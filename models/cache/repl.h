/* SPDX-License-Identifier: MIT
 * repl.h - replacement policies: which way of a full set goes.
 *
 * A policy sees touches (hits), fills and asks for victims; it knows nothing of tags or states, and
 * the cache uses invalid ways first. State is one byte array per cache, supplied by the caller.
 * lazy: the state after a series of touches depends only on the order of each way's last touch, so
 * several touches may be replayed later (see the hot filter in models/cpu/cpu.h; a first-level data
 * cache whose policy is not lazy does without it). A touch of the way touched last changes nothing.
 * Adding one: a file repl_NAME.c and a line in repl_table.c (sorted by name).
 */
#ifndef KM_CACHE_REPL_H
#define KM_CACHE_REPL_H

#include "models/base/prng.h"
#include "models/base/types.h"

#ifdef __cplusplus
extern "C" {
#endif

struct km_repl {
    uint8_t *state; /* sets * bytes_per_set */
    uint32_t sets, ways, bytes_per_set;
    struct km_prng prng;
};

struct km_repl_ops {
    const char *name, *help;
    bool lazy;
    bool ways_pow2; /* only for power-of-two ways, at most 64 */
    uint32_t (*bytes_per_set)(uint32_t ways);
    void (*init)(struct km_repl *r);
    void (*touch)(struct km_repl *r, uint32_t set, uint32_t way);
    void (*fill)(struct km_repl *r, uint32_t set, uint32_t way);
    uint32_t (*victim)(struct km_repl *r, uint32_t set);
};

extern const struct km_repl_ops km_repl_bit_plru, km_repl_fifo, km_repl_lru, km_repl_nru,
    km_repl_plru, km_repl_random, km_repl_srrip;
/* Sorted by name, ends with NULL; the index is enum km_replacement of the configuration. */
extern const struct km_repl_ops *const km_repl_table[];

/* One byte per way, all 0 at the start: bit_plru, nru (a use bit) and srrip. */
uint32_t km_repl_byte_per_way(uint32_t ways);
void km_repl_zero(struct km_repl *r);
/* Recency lists shared by lru and fifo: way numbers, newest first. */
void km_repl_order_init(struct km_repl *r);
void km_repl_order_front(struct km_repl *r, uint32_t set, uint32_t way);

#ifdef __cplusplus
}
#endif
#endif
