/* SPDX-License-Identifier: MIT
 * bits.h - integer helpers without branches on undefined inputs.
 */
#ifndef KM_BASE_BITS_H
#define KM_BASE_BITS_H

#include "models/base/types.h"

static inline bool km_is_pow2(uint64_t x)
{
    return x != 0 && (x & (x - 1)) == 0;
}

/* Floor of log2; x must not be 0. */
static inline unsigned km_log2(uint64_t x)
{
    return 63u - (unsigned)__builtin_clzll(x);
}

/* Position of the highest set bit, counted from 1; 0 for 0 (the kernel's fls). */
static inline unsigned km_fls(uint64_t x)
{
    return x ? km_log2(x) + 1 : 0;
}

/* Smallest order whose 2^order pages hold `pages`. */
static inline unsigned km_order_of(uint64_t pages)
{
    return pages <= 1 ? 0 : km_fls(pages - 1);
}

static inline uint64_t km_align_up(uint64_t x, uint64_t align)
{
    return (x + align - 1) / align * align;
}

static inline uint64_t km_align_down(uint64_t x, uint64_t align)
{
    return x / align * align;
}

static inline uint64_t km_min_u64(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static inline uint64_t km_max_u64(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* Integer square root, rounded down. */
static inline uint64_t km_isqrt(uint64_t x)
{
    uint64_t root = 0;

    for (uint64_t bit = 1ull << 62; bit; bit >>= 2) {
        if (x >= root + bit) {
            x -= root + bit;
            root = (root >> 1) + bit;
        } else {
            root >>= 1;
        }
    }
    return root;
}

#endif
