/* SPDX-License-Identifier: MIT
 * chase.h - the pointer chase: load-to-use latency against buffer size, as lat_mem_rd measures it.
 */
#ifndef KM_WORKLOAD_CHASE_H
#define KM_WORKLOAD_CHASE_H

#include "sim/base/engine.h"
#include "sim/config/config.h"

#define KM_CHASE_MAX_POINTS 256u

struct km_chase_point {
    uint64_t bytes, loads, cycles;
    uint32_t stride;
};

struct km_chase_result {
    struct km_chase_point point[KM_CHASE_MAX_POINTS];
    unsigned nr;
    struct km_hw_stats hw;
};

/* Runs buffers from 1 KiB to workload.chase_max, each stride in turn, on a machine of `engine`. */
int km_chase_run(const struct km_config *cfg, const struct km_engine_ops *engine,
                 const struct km_probe *probe, struct km_chase_result *out, struct km_err *err);

#endif
