/* SPDX-License-Identifier: MIT
 * dma_drivers.h - the drivers of the DMA workload and what they share; see dma_traffic.h.
 *
 * All items of a driver run on one CPU, so two of them never meet. The DMA API and the registers of the 8237 pair,
 * whose state all share, are used under one lock of guest memory.
 * Time: a driver waits for an I/O cycle by moving its CPU's clock on; km_sync() stands before every look at a device.
 */
#ifndef KM_WORKLOAD_DMA_DRIVERS_H
#define KM_WORKLOAD_DMA_DRIVERS_H

#include "models/bus/clock.h"
#include "models/dma/busmaster.h"
#include "models/dma/isa_cards.h"
#include "models/os/dma_map.h"
#include "sim/base/engine.h"
#include "sim/report/report.h"
#include "sim/workload/guest.h"

#define KM_TRAFFIC_RING_MAX 64u

enum km_traffic_id { KM_TRAFFIC_FLOPPY, KM_TRAFFIC_SOUND, KM_TRAFFIC_NIC, KM_TRAFFIC_DISK, KM_TRAFFIC_NR };
enum km_traffic_item { KM_ITEM_SETUP, KM_ITEM_IRQ, KM_ITEM_STOP };

struct km_traffic_buffer {
    km_vaddr va; /* from kmalloc; 0: pages */
    km_pfn pfn;
    unsigned order;
    km_paddr addr; /* for the device; KM_DMA_MAPPING_ERROR: there is no buffer */
};

struct km_traffic_driver {
    const char *name;
    bool on, live;
    enum km_traffic_id id;
    unsigned cpu, irq, device; /* device: of the engine */
    struct km_dma_device dev;
    enum km_dma_dir dir;
    uint32_t bytes, gfp; /* of a buffer */
    bool kmalloc;
    unsigned nr, next; /* buffers; the one the device finishes next */
    struct km_traffic_buffer buffer[KM_TRAFFIC_RING_MAX];
    km_vaddr ring_va;
    km_paddr ring_pa;
    uint64_t begun_ps; /* the device was started; 0: it stands */
    uint64_t blocks, mapping_failures, bounced, bounce_bytes, mismatches, busy_ps;
    uint64_t told_overruns, told_underruns; /* events written so far */
    struct km_dma_stats_hw bus;
};

struct km_traffic_work {
    uint64_t due_ns;
    enum km_traffic_id id;
    enum km_traffic_item item;
};

struct km_traffic {
    const struct km_config *cfg;
    const struct km_engine_ops *engine;
    void *machine;
    struct km_report *report;
    struct km_guest guest;
    struct km_err map_err;
    struct km_slab_layer *slab;
    struct km_pgtable pt;
    struct km_highmem highmem;
    struct km_swiotlb swiotlb;
    struct km_dma dma;
    km_vaddr lock_va, task_va[KM_MAX_CPUS];
    struct km_isa_cards cards;
    bool has_cards;
    unsigned cards_device;
    struct km_pci pci;
    struct km_busmaster master[2]; /* nic, disk */
    struct km_traffic_driver driver[KM_TRAFFIC_NR];
    struct km_traffic_work work[3 * KM_TRAFFIC_NR]; /* by time */
    unsigned nr_work, nr_live;
    struct km_clock_ratio core_to_ps, ps_to_core;
    struct km_hw_stats hw;
};

static inline struct km_busmaster *km_traffic_master(struct km_traffic *t, const struct km_traffic_driver *d)
{
    return &t->master[d->id - KM_TRAFFIC_NIC];
}
/* One work item of a driver, on its CPU. */
void km_traffic_drive(struct km_traffic *t, struct km_traffic_driver *d, enum km_traffic_item item,
                      struct km_cpu *cpu);
/* Losses of the device since the last call become events. */
void km_traffic_tell_losses(struct km_traffic *t, struct km_traffic_driver *d, uint64_t now_ns);

#endif
