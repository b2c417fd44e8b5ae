/* SPDX-License-Identifier: MIT
 * hist.h - log-linear histogram of cycle counts.
 *
 * Values below 256 have a bucket each; above, every power of two is cut into 128 equal buckets, so
 * a bucket is at most 1/128 of its lower bound wide and a percentile (middle of its bucket) is off
 * by less than 0.4 %. Count, sum and maximum are exact. Adding is a shift, a bit scan and an
 * increment.
 */
#ifndef KM_REPORT_HIST_H
#define KM_REPORT_HIST_H

#include "models/base/types.h"

#define KM_HIST_SUB_LOG2 7u
#define KM_HIST_BUCKETS ((64u - KM_HIST_SUB_LOG2 + 1u) << KM_HIST_SUB_LOG2)

struct km_hist {
    uint64_t count, sum, max;
    uint64_t bucket[KM_HIST_BUCKETS];
};

static inline unsigned km_hist_index(uint64_t value)
{
    if (value < (2u << KM_HIST_SUB_LOG2))
        return (unsigned)value;
    unsigned shift = 63u - (unsigned)__builtin_clzll(value) - KM_HIST_SUB_LOG2;

    return (shift << KM_HIST_SUB_LOG2) + (unsigned)(value >> shift);
}

static inline void km_hist_add(struct km_hist *h, uint64_t value)
{
    h->count++;
    h->sum += value;
    if (value > h->max)
        h->max = value;
    h->bucket[km_hist_index(value)]++;
}

/* First and last value of a bucket. */
uint64_t km_hist_low(unsigned index);
uint64_t km_hist_high(unsigned index);
void km_hist_merge(struct km_hist *into, const struct km_hist *from);
/* Smallest recorded value (to bucket precision) that at least `share` of the values do not exceed.
 */
uint64_t km_hist_percentile(const struct km_hist *h, double share);
double km_hist_mean(const struct km_hist *h);

#endif
