/* SPDX-License-Identifier: MIT
 * prng.h - seeded pseudo-random numbers (SplitMix64, Steele et al., OOPSLA 2014).
 * The only source of randomness of the models: the seed comes from the configuration.
 */
#ifndef KM_BASE_PRNG_H
#define KM_BASE_PRNG_H

#include "models/base/types.h"

struct km_prng {
    uint64_t state;
};

static inline uint64_t km_prng_next(struct km_prng *p)
{
    uint64_t z = (p->state += 0x9e3779b97f4a7c15ull);

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return z ^ (z >> 31);
}

/* Uniform enough for simulation: value in [0, n), n > 0. */
static inline uint32_t km_prng_below(struct km_prng *p, uint32_t n)
{
    return (uint32_t)(((km_prng_next(p) >> 32) * n) >> 32);
}

#endif
