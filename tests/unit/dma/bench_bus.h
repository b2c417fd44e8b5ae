/* SPDX-License-Identifier: MIT
 * bench_bus.h - carries out the acts of devices over plain memory, in order of time.
 */
#ifndef KM_TEST_BENCH_BUS_H
#define KM_TEST_BENCH_BUS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "models/base/bits.h"
#include "models/dma/device.h"

#define BUS_MEMORY (1u << 20)

struct bus_device {
    const struct km_device_ops *ops;
    void *dev;
    unsigned interrupts, last_line;
    uint64_t last_interrupt_ps, accesses;
    void (*on_interrupt)(void *ctx, uint64_t now_ps);
    void *ctx;
};

struct bench_bus {
    uint8_t memory[BUS_MEMORY];
    struct bus_device device[4];
    unsigned nr;
    uint64_t now_ps, latency_ps;
};

static inline void bus_add(struct bench_bus *b, const struct km_device_ops *ops, void *dev)
{
    b->device[b->nr++] = (struct bus_device){.ops = ops, .dev = dev};
}

/* The next act of all; false if there is none before the deadline. */
static inline bool bus_step(struct bench_bus *b, uint64_t deadline_ps)
{
    struct km_device_next first = {.at_ps = KM_NEVER}, n;
    struct bus_device *d = NULL;

    for (unsigned i = 0; i < b->nr; i++) {
        b->device[i].ops->next(b->device[i].dev, &n);
        if (n.act != KM_DEVICE_IDLE && n.at_ps < first.at_ps) {
            first = n;
            d = &b->device[i];
        }
    }
    if (!d || first.at_ps > deadline_ps)
        return false;
    assert_true(first.at_ps >= b->now_ps); /* never into the past */
    b->now_ps = first.at_ps;
    bool moves = first.act == KM_DEVICE_READ || first.act == KM_DEVICE_WRITE;

    if (moves) {
        assert_true(first.bytes && first.pa + first.bytes <= BUS_MEMORY);
        d->accesses++;
    }
    if (first.act == KM_DEVICE_INTERRUPT) {
        d->interrupts++;
        d->last_line = first.line;
        d->last_interrupt_ps = first.at_ps;
    }
    d->ops->done(d->dev, first.at_ps, first.at_ps + (moves ? b->latency_ps : 0), moves ? b->memory + first.pa : NULL);
    if (first.act == KM_DEVICE_INTERRUPT && d->on_interrupt)
        d->on_interrupt(d->ctx, first.at_ps);
    return true;
}

static inline void bus_run(struct bench_bus *b, uint64_t deadline_ps)
{
    while (bus_step(b, deadline_ps))
        ;
}

#endif
