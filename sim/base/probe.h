/* SPDX-License-Identifier: MIT
 * probe.h - how parts of the machine show what they do, clock by clock: signals of a waveform and
 * the commands DRAM channels issue.
 *
 * A report hands out a probe if the user asked for report.vcd or report.dram_commands; whoever gets
 * none (NULL) shows nothing. A part registers each signal once, before the run, and tells every
 * change of its value with the time it happened; times of one signal must not decrease, those of
 * different signals may come in any order (parts run ahead of each other).
 *     bus = km_probe_signal(probe, "bus", "owner", 4);
 *     km_probe_change(probe, bus, km_clock_down(core_to_ps, cycle), cpu);
 * Units: picoseconds of simulated time.
 */
#ifndef KM_SIM_PROBE_H
#define KM_SIM_PROBE_H

#include "models/base/types.h"

#ifdef __cplusplus
extern "C" {
#endif

struct km_dram_addr;

struct km_probe {
    void *ctx;
    /* NULL: no waveform is wanted */
    unsigned (*signal)(void *ctx, const char *scope, const char *name, unsigned bits);
    void (*change)(void *ctx, unsigned signal, uint64_t ps, uint64_t value);
    /* NULL: no command trace is wanted. cmd: enum km_dram_cmd */
    void (*dram_command)(void *ctx, unsigned channel, unsigned cmd, const struct km_dram_addr *a,
                         uint64_t clock);
};

static inline bool km_probe_waves(const struct km_probe *p)
{
    return p && p->change;
}

/* scope: "dram.channel0": dots nest. bits: 1..64. */
static inline unsigned km_probe_signal(const struct km_probe *p, const char *scope,
                                       const char *name, unsigned bits)
{
    return km_probe_waves(p) ? p->signal(p->ctx, scope, name, bits) : 0;
}

static inline void km_probe_change(const struct km_probe *p, unsigned signal, uint64_t ps,
                                   uint64_t value)
{
    if (km_probe_waves(p))
        p->change(p->ctx, signal, ps, value);
}

#ifdef __cplusplus
}
#endif
#endif
