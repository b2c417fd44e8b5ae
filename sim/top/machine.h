/* SPDX-License-Identifier: MIT
 * machine.h - the simulated machine behind a C interface (the only door between C and the SystemC
 * shell).
 *
 * The shell owns clocks, threads and events; every number comes from the C models in models/.
 * One process runs one machine (the SystemC kernel cannot restart).
 */
#ifndef KM_TOP_MACHINE_H
#define KM_TOP_MACHINE_H

#include "models/dma/device.h"
#include "sim/base/err.h"
#include "sim/base/hw_stats.h"
#include "sim/base/probe.h"
#include "sim/base/program.h"
#include "sim/base/window.h"
#include "sim/config/config.h"

#ifdef __cplusplus
extern "C" {
#endif

struct km_machine;

/* cfg->cpus, ram_bytes, paging and split must be resolved (no "auto"). */
int km_machine_create(struct km_machine **out, const struct km_config *cfg,
                      const struct km_window *window, struct km_err *err);
/* Root of the kernel page tables (CR3) all CPUs start with; they were built in guest memory before.
 */
void km_machine_set_cr3(struct km_machine *m, km_paddr cr3);
/* Signals and DRAM commands go there during run; NULL: nowhere. */
void km_machine_set_probe(struct km_machine *m, const struct km_probe *probe);
/* Untimed ports: for building the start state through the same code. Valid before and after run. */
struct km_cpu *km_machine_null_port(struct km_machine *m, unsigned cpu);
/* Runs the program to its end. KM_E_WATCHDOG if simulated time stopped advancing. */
int km_machine_run(struct km_machine *m, const struct km_program *program, struct km_err *err);
/* A device that takes part in the run (timing must be on): its index, negative if there is no room. */
int km_machine_attach(struct km_machine *m, const struct km_device_ops *ops, void *dev, bool snooped);
/* From a work item, after km_sync(): a driver has started the device. */
void km_machine_poke(struct km_machine *m, unsigned device);
/* Sum of all counters; the shared-line array stays valid until destroy. */
void km_machine_stats(struct km_machine *m, struct km_hw_stats *out);
void km_machine_destroy(struct km_machine *m);

#ifdef __cplusplus
}
#endif
#endif
