/* SPDX-License-Identifier: MIT
 * device.c - see device.h.
 */
#include "sim/top/device.h"

#include "models/base/bits.h"
#include "sim/top/core.h"

static bool of_memory(enum km_device_act act)
{
    return act == KM_DEVICE_READ || act == KM_DEVICE_WRITE;
}

static unsigned agent_of(const struct km_core *core, const struct km_core_device *d)
{
    return core->nr_cpus + (unsigned)(d - core->device);
}

/* Asks the device what it does next and takes the key for it. */
static void take_next(struct km_core *core, struct km_core_device *d, uint64_t now)
{
    struct km_agent *a = &core->agent[agent_of(core, d)];

    d->ops->next(d->dev, &d->act);
    d->granted = false;
    if (d->act.act == KM_DEVICE_IDLE) {
        a->cycle = KM_NEVER;
        return;
    }
    uint64_t cycle = km_max_u64(now, km_clock_up(core->ps_to_core, d->act.at_ps));

    if (of_memory(d->act.act)) {
        d->request_clock = km_clock_up(core->core_to_bus, cycle);
        d->request_ps = d->act.at_ps;
        cycle = km_clock_up(core->bus_to_core, km_bus_unloaded_snoop(&core->bus, d->request_clock));
    }
    *a = (struct km_agent){cycle, KM_PHASE_DEVICE + (unsigned)(d - core->device), KM_EFFECT_NOW};
}

int km_core_attach(struct km_core *core, const struct km_device_ops *ops, void *dev, bool snooped)
{
    unsigned i = core->nr_agents - core->nr_cpus;

    if (i == KM_MAX_DEVICES)
        return -1;
    core->device[i] = (struct km_core_device){.ops = ops, .dev = dev, .snooped = snooped, .n = {.name = ops->name}};
    core->agent[core->nr_agents++] = (struct km_agent){KM_NEVER, 0, KM_EFFECT_NOW};
    return (int)i;
}

void km_core_poke(struct km_core *core, unsigned device)
{
    struct km_core_device *d = &core->device[device];

    uint64_t now = km_max_u64(core->now, core->synced);

    /* In the middle of an access, or asking for the bus: it asks anew afterwards. */
    if (d->granted || (of_memory(d->act.act) && km_clock_up(core->ps_to_core, d->request_ps) <= now))
        return;
    take_next(core, d, now);
    if (core->hooks) /* else before the run: the engine will look */
        core->hooks->kick(core->engine, agent_of(core, d));
}

/* Host address of the bytes; NULL outside memory, where writes are lost and reads find nothing. */
static uint8_t *bytes_at(const struct km_core *core, km_paddr pa, uint32_t bytes)
{
    return pa + bytes <= core->window->ram_bytes ? core->window->phys + pa : NULL;
}

static void access_memory(struct km_core *core, struct km_core_device *d)
{
    bool write = d->act.act == KM_DEVICE_WRITE;
    struct km_dma_stats_hw one = {.name = d->n.name, .reads = !write, .writes = write, .bytes = d->act.bytes};
    uint64_t clock = km_core_dma(core, d->act.pa, d->act.bytes, write, d->snooped, d->begin_clock, &one);
    uint64_t begin = km_clock_up(core->bus_to_core, d->begin_clock), end = km_clock_up(core->bus_to_core, clock);
    uint64_t asked = km_clock_up(core->ps_to_core, d->request_ps);

    one.latency_cycles_sum = one.latency_cycles_max = end - asked;
    km_dma_stats_add(&d->n, &one);
    if (core->program->accessed)
        core->program->accessed(core->program->ctx, (unsigned)(d - core->device), &d->act, &one,
                                km_clock_up(core->core_to_ns, core->now));
    d->ops->done(d->dev, km_max_u64(d->request_ps, km_clock_down(core->core_to_ps, begin)),
                 km_clock_down(core->core_to_ps, end), bytes_at(core, d->act.pa, d->act.bytes));
}

/* The bus is asked at the unloaded snoop cycle; if it is busy the snoop comes later. */
static bool wait_for_bus(struct km_core *core, struct km_core_device *d, struct km_agent *a)
{
    if (d->granted)
        return false;
    d->granted = true;
    d->begin_clock = km_bus_request(&core->bus, d->request_clock);
    uint64_t snoop = km_clock_up(core->bus_to_core, d->begin_clock + core->bus.geom.snoop_clocks);

    if (snoop <= a->cycle)
        return false;
    d->n.wait_cycles += snoop - a->cycle;
    a->cycle = snoop;
    return true;
}

void km_core_device_step(struct km_core *core, unsigned agent)
{
    struct km_core_device *d = &core->device[agent - core->nr_cpus];
    struct km_agent *a = &core->agent[agent];

    if (core->ended || core->failed) {
        a->cycle = KM_NEVER;
        return;
    }
    core->now = a->cycle;
    if (of_memory(d->act.act)) {
        if (wait_for_bus(core, d, a))
            return;
        access_memory(core, d);
    } else {
        struct km_device_next act = d->act;

        d->ops->done(d->dev, act.at_ps, act.at_ps, NULL);
        if (act.act == KM_DEVICE_INTERRUPT) {
            d->n.interrupts++;
            core->program->interrupt(core->program->ctx, agent - core->nr_cpus, act.line,
                                     km_clock_up(core->core_to_ns, a->cycle));
            km_core_interrupted(core, a->cycle);
        }
    }
    take_next(core, d, core->now);
}
