/* SPDX-License-Identifier: MIT
 * dma_traffic.h - workload.type dma: devices and their drivers on a freshly booted kernel.
 *
 * Devices: floppy (8237 channel 2) and sound card (channel 5) on ISA, network card and disk controller on PCI. Each
 * has a driver in the simulated kernel, a work item per interrupt: it takes buffers from the allocators, maps them with
 * the DMA API (bounce buffers where the device cannot reach them), programs the device, and after the interrupt
 * unmaps, looks at the data and hands over again, until dma.duration is over.
 * Results: summary.json dma{}; events.csv rows bounce, dma_overrun, dma_underrun, dma_stale, dma_mapping_failure.
 */
#ifndef KM_WORKLOAD_DMA_TRAFFIC_H
#define KM_WORKLOAD_DMA_TRAFFIC_H

#include "sim/base/run_options.h"
#include "sim/config/config.h"

int km_dma_traffic_run(const struct km_config *cfg, const struct km_run_options *opt, struct km_err *err);

#endif
