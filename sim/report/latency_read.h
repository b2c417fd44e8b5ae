/* SPDX-License-Identifier: MIT
 * latency_read.h - latency_hist.csv read back: one curve per API, all CPUs together.
 */
#ifndef KM_REPORT_LATENCY_READ_H
#define KM_REPORT_LATENCY_READ_H

#include "sim/base/err.h"

#include <stdint.h>
#include <stdio.h>

#define KM_LATENCY_CURVES 48u

struct km_latency_bucket {
    uint64_t high, count;
};
struct km_latency_curve {
    char api[48];
    uint64_t count;
    uint32_t nr, size;
    struct km_latency_bucket *bucket; /* sorted by high, merged over CPUs */
};
struct km_latency_set {
    unsigned nr;
    struct km_latency_curve curve[KM_LATENCY_CURVES]; /* most calls first */
};

/* KM_OK with an empty set if there is no such file. */
int km_latency_read(struct km_latency_set *set, const char *dir, struct km_err *err);
/* Rows "cycles share", from (low end, 0) to (max, 1). */
void km_latency_write_cdf(const struct km_latency_curve *c, FILE *out);
void km_latency_set_release(struct km_latency_set *set);

#endif
