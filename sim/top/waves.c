/* SPDX-License-Identifier: MIT
 * waves.c - the front-side bus as signals of a waveform (see sim/base/probe.h).
 *
 * Scope "bus": owner (1 + CPU of the request on the address lines, 0 none), request (1 read, 2 read for ownership,
 * 3 upgrade, 4 write; 0 none), address (of the line, held), snoop_result (for one clock: 0 no other cache has the
 * line, 1 one has it, 2 one has it modified), data (1 while its first transfer is on the data lines).
 */
#include "sim/top/core.h"

static uint64_t ps(const struct km_core *core, uint64_t bus_clock)
{
    return km_clock_down(core->core_to_ps, km_clock_up(core->bus_to_core, bus_clock));
}

void km_core_set_probe(struct km_core *core, const struct km_probe *probe)
{
    core->probe = probe;
    for (uint32_t i = 0; i < core->dram.nr; i++)
        km_dram_probe_attach(&core->dram_probe[i], probe, i, &core->dram.channel[i].dev,
                             core->dram_cfg.clock_hz);
    core->wave.owner = km_probe_signal(probe, "bus", "owner", 4);
    core->wave.request = km_probe_signal(probe, "bus", "request", 3);
    core->wave.address = km_probe_signal(probe, "bus", "address", 36);
    core->wave.snoop = km_probe_signal(probe, "bus", "snoop_result", 2);
    core->wave.data = km_probe_signal(probe, "bus", "data", 1);
}

void km_core_show_transaction(struct km_node *n, uint64_t line, enum km_bus_need need,
                              uint64_t begin, uint32_t owners, uint64_t done)
{
    struct km_core *core = n->core;
    const struct km_probe *p = core->probe;
    uint64_t snoop = begin + core->bus.geom.snoop_clocks;
    bool hitm = core->bus.n.hitm != core->wave.hitm_seen;

    core->wave.hitm_seen = core->bus.n.hitm;
    if (!km_probe_waves(p))
        return;
    km_probe_change(p, core->wave.owner, ps(core, begin), n->id + 1);
    km_probe_change(p, core->wave.request, ps(core, begin), (uint64_t)need);
    km_probe_change(p, core->wave.address, ps(core, begin), line << core->line_shift);
    km_probe_change(p, core->wave.owner, ps(core, begin + KM_BUS_ADDRESS_CLOCKS), 0);
    km_probe_change(p, core->wave.request, ps(core, begin + KM_BUS_ADDRESS_CLOCKS), 0);
    km_probe_change(p, core->wave.snoop, ps(core, snoop), hitm ? 2 : owners ? 1 : 0);
    km_probe_change(p, core->wave.snoop, ps(core, snoop + 1), 0);
    if (done > snoop + 1) {
        km_probe_change(p, core->wave.data, ps(core, done - 1), 1);
        km_probe_change(p, core->wave.data, ps(core, done), 0);
    }
}
