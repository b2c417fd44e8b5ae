/* SPDX-License-Identifier: MIT
 * sched.c - who acts next, and the life of a CPU: take a work item, run it, take the next (see
 * core.h).
 */
#include "sim/top/core.h"

#include "models/base/bits.h"
#include "models/base/bug.h"

#include <stdarg.h>
#include <stdio.h>

/* First cycle at which the agent may change what another CPU sees. */
static uint64_t earliest_effect(const struct km_core *core, const struct km_agent *a)
{
    if (a->cycle == KM_NEVER)
        return KM_NEVER;
    switch (a->effect) {
    case KM_EFFECT_REF:
        return a->cycle + core->min_snoop;
    case KM_EFFECT_ITEM:
        return a->cycle + 1;
    default:
        return a->cycle;
    }
}

static void set_horizon(struct km_node *n)
{
    struct km_core *core = n->core;
    uint64_t horizon = core->now + km_max_u64(core->quantum, 1);

    for (unsigned i = 0; i < core->nr_agents; i++)
        if (i != n->id)
            horizon = km_min_u64(horizon, earliest_effect(core, &core->agent[i]));
    n->horizon = horizon;
    n->cpu.horizon = km_min_u64(horizon, n->ipi_next);
}

static bool is_smallest(const struct km_node *n, uint64_t cycle, uint32_t phase)
{
    const struct km_core *core = n->core;

    for (unsigned i = 0; i < core->nr_agents; i++)
        if (i != n->id && km_key_before(&core->agent[i], cycle, phase))
            return false;
    return true;
}

void km_core_advance(struct km_node *n, uint64_t cycle, uint32_t phase, enum km_agent_effect effect)
{
    struct km_core *core = n->core;

    /* Nobody acts before this key: no need to ask the engine, unless the quantum is used up. */
    if (cycle <= core->now + core->quantum && is_smallest(n, cycle, phase))
        return;
    core->agent[n->id] = (struct km_agent){cycle, phase, effect};
    core->hooks->yield(core->engine, n->id);
    core->now = cycle;
    set_horizon(n);
}

static void kick(struct km_core *core, unsigned cpu, uint64_t cycle)
{
    core->node[cpu].idle = false;
    core->agent[cpu] = (struct km_agent){cycle, KM_PHASE_KICK + cpu, KM_EFFECT_ITEM};
    core->hooks->kick(core->engine, cpu);
}

/* Wakes the owner of the head item if it sleeps. `n` stands at cycle `now`. */
static bool wake_owner(struct km_node *n, uint64_t now)
{
    struct km_core *core = n->core;
    unsigned cpu;
    uint64_t due_ns;

    if (!core->program->peek(core->program->ctx, &cpu, &due_ns)) {
        core->ended = true;
        return false;
    }
    if (cpu >= core->nr_cpus)
        km_core_fail(n, KM_E_INPUT, "work for CPU %u on a machine with %u CPUs", cpu,
                     core->nr_cpus);
    if (core->node[cpu].idle && due_ns != KM_NEVER)
        kick(core, cpu, km_max_u64(now, km_clock_up(core->ns_to_core, due_ns)));
    return true;
}

/* The item that n runs has been taken off the stream: let the owner of the next one know. */
static void look_out(struct km_node *n)
{
    n->look_out = false;
    wake_owner(n, n->cpu.local_cycles);
    set_horizon(n);
}

void km_core_wait_turn(struct km_node *n)
{
    if (n->look_out)
        look_out(n);
    while (n->cpu.local_cycles >= n->horizon) {
        set_horizon(n);
        if (n->cpu.local_cycles < n->horizon)
            return;
        struct km_core *core = n->core;

        core->agent[n->id] =
            (struct km_agent){n->cpu.local_cycles, KM_PHASE_REF + n->id, KM_EFFECT_REF};
        core->hooks->yield(core->engine, n->id);
        core->now = n->cpu.local_cycles;
        set_horizon(n);
    }
}

void km_core_fail(struct km_node *n, int code, const char *fmt, ...)
{
    struct km_core *core = n->core;
    char what[400];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(what, sizeof(what), fmt, ap);
    va_end(ap);
    core->failed = true;
    km_fail(&core->err, code, NULL, 0, 0, "simulated CPU %u at cycle %llu: %s", n->id,
            (unsigned long long)n->cpu.local_cycles, what);
    core->hooks->halt(core->engine, n->id);
    __builtin_unreachable();
}

static bool anybody_idle(const struct km_core *core)
{
    for (unsigned i = 0; i < core->nr_cpus; i++)
        if (core->node[i].idle)
            return true;
    return false;
}

static void run_item(struct km_node *n)
{
    struct km_core *core = n->core;

    n->look_out = anybody_idle(core);
    n->horizon = n->cpu.horizon = 0; /* the first reference looks out in catch_up() */
    n->items++;
    n->in_item = true;
    km_core_settle_ipis(n);
    core->program->run(core->program->ctx, &n->cpu,
                       km_clock_down(core->core_to_ns, n->cpu.local_cycles));
    if (n->look_out)
        look_out(n);
    km_core_finish_ipis(n);
    n->in_item = false;
    n->relaxes_in_row = 0;
    n->cpu.local_cycles += core->min_snoop;
}

/* Sleeps until another CPU finds that the head item is for this one. */
static void sleep_idle(struct km_node *n)
{
    struct km_core *core = n->core;

    n->idle = true;
    core->agent[n->id] = (struct km_agent){KM_NEVER, 0, KM_EFFECT_ITEM};
    core->hooks->yield(core->engine, n->id);
    core->now = core->agent[n->id].cycle;
    n->cpu.local_cycles = km_max_u64(n->cpu.local_cycles, core->now);
    set_horizon(n);
}

/* Sleeps until the item's time, or until an interrupt makes another one the next. */
static void wait_until(struct km_node *n, uint64_t cycle)
{
    struct km_core *core = n->core;

    n->waiting = true;
    core->agent[n->id] = (struct km_agent){cycle, KM_PHASE_ITEM + n->id, KM_EFFECT_ITEM};
    core->hooks->yield(core->engine, n->id);
    n->waiting = false;
    core->now = core->agent[n->id].cycle;
    n->cpu.local_cycles = km_max_u64(n->cpu.local_cycles, core->now);
    set_horizon(n);
}

void km_core_interrupted(struct km_core *core, uint64_t cycle)
{
    unsigned cpu;
    uint64_t due_ns;

    if (!core->program->peek(core->program->ctx, &cpu, &due_ns) || due_ns == KM_NEVER || cpu >= core->nr_cpus)
        return; /* the CPU that looks next says what is wrong */
    uint64_t due = km_max_u64(cycle, km_clock_up(core->ns_to_core, due_ns));

    if (core->node[cpu].idle) {
        kick(core, cpu, due);
    } else if (core->node[cpu].waiting && core->agent[cpu].cycle > due) {
        core->agent[cpu] = (struct km_agent){due, KM_PHASE_KICK + cpu, KM_EFFECT_ITEM};
        core->hooks->kick(core->engine, cpu);
    }
}

void km_core_cpu_main(struct km_core *core, unsigned cpu)
{
    struct km_node *n = &core->node[cpu];
    unsigned owner;
    uint64_t due_ns;
    bool at_key = false;

    while (!core->failed) {
        if (!at_key)
            km_core_advance(n, n->cpu.local_cycles, KM_PHASE_ITEM + cpu, KM_EFFECT_ITEM);
        at_key = false;
        if (!core->program->peek(core->program->ctx, &owner, &due_ns)) {
            core->ended = true;
            break;
        }
        if (owner != cpu || due_ns == KM_NEVER) {
            if (due_ns != KM_NEVER)
                wake_owner(n, n->cpu.local_cycles);
            sleep_idle(n);
            at_key = true;
            continue;
        }
        uint64_t due = km_clock_up(core->ns_to_core, due_ns);

        if (due <= n->cpu.local_cycles)
            run_item(n);
        else if (core->nr_agents == core->nr_cpus)
            n->cpu.local_cycles = due;
        else {
            wait_until(n, due);
            at_key = true;
        }
    }
    core->agent[cpu].cycle = KM_NEVER;
}

void km_core_start(struct km_core *core, const struct km_program *program)
{
    core->program = program;
    core->now = 0;
    for (unsigned i = 0; i < core->nr_cpus; i++)
        core->agent[i] = (struct km_agent){1, KM_PHASE_ITEM + i, KM_EFFECT_ITEM};
}

int km_core_finish(struct km_core *core, struct km_err *err)
{
    km_dram_memory_drain(&core->dram);
    if (core->failed) {
        if (err)
            *err = core->err;
        return core->err.code;
    }
    if (!core->ended)
        return km_fail(err, KM_E_WATCHDOG, NULL, 0, 0,
                       "the simulated machine stopped with work left and every CPU idle");
    return KM_OK;
}
