/* SPDX-License-Identifier: MIT
 * memref_cache.h - the two engines behind memref.h, callable without a report (tests, benchmarks).
 */
#ifndef KM_WORKLOAD_MEMREF_CACHE_H
#define KM_WORKLOAD_MEMREF_CACHE_H

#include "sim/base/hw_stats.h"
#include "sim/base/probe.h"
#include "sim/config/config.h"
#include "sim/workload/ref.h"

struct km_progress;

struct km_memref_result {
    struct km_hw_stats hw;
    uint64_t records; /* of the trace */
    uint64_t refs;    /* a modify record is two */
};

int km_memref_caches(struct km_ref_source *src, const struct km_config *cfg,
                     struct km_memref_result *out, struct km_progress *progress,
                     struct km_err *err);
int km_memref_dram(struct km_ref_source *src, const struct km_config *cfg,
                   const struct km_probe *probe, struct km_memref_result *out, struct km_progress *progress, struct km_err *err);

#endif
