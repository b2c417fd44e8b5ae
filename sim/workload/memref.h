/* SPDX-License-Identifier: MIT
 * memref.h - workloads without an operating system: memory-reference traces and the pointer chase.
 *
 * memref, format lackey or din: every reference goes through the TLBs and caches of machine.* (one
 *     CPU, no time): exact hit, miss and write-back counts per level. Only the first byte of a
 *     reference counts unless workload.split_lines is set; then a reference that crosses a line
 *     border is one reference per line.
 * memref, format dram-rw: every line is a request to the DRAM controller alone (machine.dram.*),
 *     with at most workload.mlp reads in flight (0: no limit) and request i not before clock i *
 *     workload.pace.
 * pointer-chase: dependent loads in random order over buffers of growing size on the timed machine;
 *     lat_mem_rd.csv.
 */
#ifndef KM_WORKLOAD_MEMREF_H
#define KM_WORKLOAD_MEMREF_H

#include "sim/base/run_options.h"
#include "sim/config/config.h"

/* Runs cfg->workload (memref or pointer-chase) and writes the report to opt->out_dir. */
int km_memref_run(const struct km_config *cfg, const struct km_run_options *opt,
                  struct km_err *err);

#endif
