/* SPDX-License-Identifier: MIT
 * hist.c - bucket bounds, merging and percentiles of the log-linear histogram.
 */
#include "sim/report/hist.h"

#include <math.h>

uint64_t km_hist_low(unsigned index)
{
    if (index < (2u << KM_HIST_SUB_LOG2))
        return index;
    unsigned shift = (index >> KM_HIST_SUB_LOG2) - 1u;

    return ((uint64_t)(index & ((1u << KM_HIST_SUB_LOG2) - 1u)) + (1u << KM_HIST_SUB_LOG2))
           << shift;
}

uint64_t km_hist_high(unsigned index)
{
    return index + 1u < KM_HIST_BUCKETS ? km_hist_low(index + 1u) - 1u : UINT64_MAX;
}

void km_hist_merge(struct km_hist *into, const struct km_hist *from)
{
    into->count += from->count;
    into->sum += from->sum;
    if (from->max > into->max)
        into->max = from->max;
    for (unsigned i = 0; i < KM_HIST_BUCKETS; i++)
        into->bucket[i] += from->bucket[i];
}

uint64_t km_hist_percentile(const struct km_hist *h, double share)
{
    if (!h->count)
        return 0;
    uint64_t rank = (uint64_t)ceil(share * (double)h->count), seen = 0;

    if (rank >= h->count)
        return h->max;
    for (unsigned i = 0; i < KM_HIST_BUCKETS; i++) {
        seen += h->bucket[i];
        if (seen < rank || !h->bucket[i])
            continue;
        uint64_t middle = km_hist_low(i) + (km_hist_high(i) - km_hist_low(i)) / 2;
        return middle < h->max ? middle : h->max;
    }
    return h->max;
}

double km_hist_mean(const struct km_hist *h)
{
    return h->count ? (double)h->sum / (double)h->count : 0.0;
}
