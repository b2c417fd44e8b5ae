/* SPDX-License-Identifier: MIT
 * clock.h - exact conversion between clock domains.
 *
 * A ratio maps ticks of one clock to ticks of another (both start at 0). Edges of the slower clock
 * rarely fall on edges of the faster one: `up` gives the first edge not before, `down` the last not
 * after. Products are taken in 128 bits: no rounding accumulates and no realistic run overflows.
 */
#ifndef KM_BUS_CLOCK_H
#define KM_BUS_CLOCK_H

#include "models/base/types.h"

struct km_clock_ratio {
    uint64_t to_hz, from_hz; /* reduced */
};

static inline struct km_clock_ratio km_clock_ratio_of(uint64_t to_hz, uint64_t from_hz)
{
    uint64_t a = to_hz, b = from_hz;

    while (b) {
        uint64_t r = a % b;

        a = b;
        b = r;
    }
    return (struct km_clock_ratio){to_hz / a, from_hz / a};
}

static inline uint64_t km_clock_down(struct km_clock_ratio r, uint64_t ticks)
{
    if (r.from_hz == 1)
        return ticks * r.to_hz;
    if (!(ticks >> 32) && !(r.to_hz >> 32)) /* fits 64 bits */
        return ticks * r.to_hz / r.from_hz;
    return (uint64_t)((unsigned __int128)ticks * r.to_hz / r.from_hz);
}

static inline uint64_t km_clock_up(struct km_clock_ratio r, uint64_t ticks)
{
    if (r.from_hz == 1)
        return ticks * r.to_hz;
    if (!(ticks >> 32) && !(r.to_hz >> 31) && !(r.from_hz >> 62))
        return (ticks * r.to_hz + r.from_hz - 1) / r.from_hz;
    return (uint64_t)(((unsigned __int128)ticks * r.to_hz + r.from_hz - 1) / r.from_hz);
}

#endif
