/* SPDX-License-Identifier: MIT
 * engine.h - the simulated machine as a table of functions, so that workloads need not know who clocks it.
 *
 * The operations mirror sim/top/machine.h one to one; sim/cli fills the table with them and hands it to the
 * workload in struct km_run_options. A workload that runs with timing off never calls it (engine may be NULL).
 */
#ifndef KM_SIM_ENGINE_H
#define KM_SIM_ENGINE_H

#include "models/base/types.h"
#include "models/dma/device.h"
#include "sim/base/err.h"
#include "sim/base/hw_stats.h"
#include "sim/base/probe.h"
#include "sim/base/program.h"
#include "sim/base/window.h"

#ifdef __cplusplus
extern "C" {
#endif

struct km_config;
struct km_cpu;

struct km_engine_ops {
    const char *name;
    /* cfg->machine must be resolved: no "auto" left. *m is the engine's own object. */
    int (*create)(void **m, const struct km_config *cfg, const struct km_window *window,
                  struct km_err *err);
    void (*set_cr3)(void *m, km_paddr cr3);
    /* Before run: where the machine shows its signals and DRAM commands; NULL: nowhere. */
    void (*set_probe)(void *m, const struct km_probe *probe);
    struct km_cpu *(*null_port)(void *m, unsigned cpu);
    int (*run)(void *m, const struct km_program *program, struct km_err *err);
    /* Gives the machine a device before the run; its index, negative if there is no room (KM_MAX_DEVICES) or timing is
     * off. */
    int (*attach)(void *m, const struct km_device_ops *ops, void *dev, bool snooped);
    /* From a work item, after km_sync(): a driver has started the device. */
    void (*poke)(void *m, unsigned device);
    void (*stats)(void *m, struct km_hw_stats *out);
    void (*destroy)(void *m);
};

#ifdef __cplusplus
}
#endif
#endif
