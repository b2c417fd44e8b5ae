/* SPDX-License-Identifier: MIT
 * program.h - what the simulated CPUs execute: one stream of work items in a fixed global order.
 *
 * The head item belongs to one CPU and has a due time. That CPU, when idle and when simulated time has
 * reached the due time, calls run(), which first takes the item off the stream and then executes it through
 * the CPU port (it may block there); as soon as the item is taken, the next one may start on another CPU.
 * With timing off the shell calls run() in order, one CPU port per CPU, without a clock.
 */
#ifndef KM_SIM_PROGRAM_H
#define KM_SIM_PROGRAM_H

#include "models/cpu/cpu.h"

#ifdef __cplusplus
extern "C" {
#endif

struct km_device_next;
struct km_dma_stats_hw;

struct km_program {
    void *ctx;
    /* Head of the stream: false when it is exhausted (or failed; ctx knows). due_ns 0 = at once, KM_NEVER = there
     * is nothing until a device interrupts. */
    bool (*peek)(void *ctx, unsigned *cpu, uint64_t *due_ns);
    /* Takes the head item and executes it on `cpu` (the one peek named). now_ns = simulated time. */
    void (*run)(void *ctx, struct km_cpu *cpu, uint64_t now_ns);
    /* A device interrupts: the program puts a work item into the stream, due not before now_ns. NULL without devices. */
    void (*interrupt)(void *ctx, unsigned device, unsigned line, uint64_t now_ns);
    /* A device has accessed memory; one: the counts of this access alone. Before the device learns of it. NULL: nobody
     * wants to know. */
    void (*accessed)(void *ctx, unsigned device, const struct km_device_next *act, const struct km_dma_stats_hw *one,
                     uint64_t now_ns);
};

#ifdef __cplusplus
}
#endif
#endif
