/* SPDX-License-Identifier: MIT
 * micro.h - small benchmarks on a freshly booted kernel: workload.type slab-test, page-bench and contended.
 *
 * slab-test   for each kmalloc size from 8 to 4096: `micro_count` times kmalloc, storing the pointers in an array;
 *             then kfree of all in the same order; then as many pairs kfree(kmalloc(size)). The objects are not
 *             touched. (The test of M. Desnoyers, linux-mm 30 Oct 2007.)   slab_test.csv
 * page-bench  for each order from 0 to 10: blocks allocated until `micro_count` or a quarter of memory, freed in the
 *             same order; then pairs.   page_bench.csv
 * contended   one line that the CPUs use in turn (contended.h).   contended.csv
 * Time: core cycles of CPU 0, the loop around the calls included; zero with timing: off.
 */
#ifndef KM_WORKLOAD_MICRO_H
#define KM_WORKLOAD_MICRO_H

#include "sim/base/run_options.h"
#include "sim/config/config.h"

bool km_micro_is(enum km_workload_type type);
int km_micro_run(const struct km_config *cfg, const struct km_run_options *opt, struct km_err *err);

#endif
