/* SPDX-License-Identifier: MIT
 * device.h - devices as agents of the machine: their memory traffic on the bus, their interrupts.
 *
 * A device (models/dma/device.h) has one act at a time. An act of memory goes onto the front-side bus like a CPU's
 * transaction: request, snoop of all caches, DRAM or the owner's copy; the data themselves pass between memory and
 * the bridge, not over the bus's data phase, unless an owner supplies them. A device that is not snooped goes to
 * memory alone; where a cache then holds something else than memory, that is a stale-data hazard and is counted.
 *   write: caches that hold the line keep an old copy;  read: a dirty copy has not reached memory.
 * Interrupts are handed to the program, which queues a work item; a CPU takes it between two items.
 * Order: a device's key is its snoop cycle (memory) or the cycle of the act; it acts after the snoops of that cycle and before its references.
 */
#ifndef KM_TOP_DEVICE_H
#define KM_TOP_DEVICE_H

#include "models/dma/device.h"
#include "sim/base/hw_stats.h"

#ifdef __cplusplus
extern "C" {
#endif

struct km_core;

struct km_core_device {
    const struct km_device_ops *ops;
    void *dev;
    bool snooped;
    bool granted;             /* has the bus; its snoop result is due at the key */
    uint64_t request_clock, begin_clock;
    uint64_t request_ps;
    struct km_device_next act;
    struct km_dma_stats_hw n;
};

/* Index of the device; negative: none left. Before the run. */
int km_core_attach(struct km_core *core, const struct km_device_ops *ops, void *dev, bool snooped);
/* The device's next act may have changed: a driver has started it. From a work item, after km_sync(). */
void km_core_poke(struct km_core *core, unsigned device);
/* The agent `agent` (>= core->nr_cpus: a device) acts at its key. */
void km_core_device_step(struct km_core *core, unsigned agent);

#ifdef __cplusplus
}
#endif
#endif
