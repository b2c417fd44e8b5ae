/* SPDX-License-Identifier: MIT
 * stepper.c - see stepper.h.
 */
#include "sim/top/stepper.h"

#include "sim/top/core.h"
#include "sim/top/functional.h"

#include <stdlib.h>
#include <ucontext.h>

#define STACK_BYTES (1u << 20)

struct stepper {
    struct km_core *core;
    struct km_functional functional;
    ucontext_t loop, thread[KM_MAX_CPUS];
    bool done[KM_MAX_CPUS];
    void *stack[KM_MAX_CPUS];
    bool timed;
};

static void step_yield(void *ctx, unsigned cpu)
{
    struct stepper *s = ctx;

    swapcontext(&s->thread[cpu], &s->loop);
}

static void step_kick(void *ctx, unsigned cpu)
{
    (void)ctx; /* the loop looks at the keys */
    (void)cpu;
}

static void step_halt(void *ctx, unsigned cpu)
{
    struct stepper *s = ctx;

    swapcontext(&s->thread[cpu], &s->loop);
    abort();
}

static const struct km_engine_hooks step_hooks = {step_yield, step_kick, step_halt};

static void thread_main(unsigned low, unsigned high, unsigned cpu)
{
    struct stepper *s = (struct stepper *)((uintptr_t)low | (uintptr_t)high << 32);

    km_core_cpu_main(s->core, cpu);
    s->done[cpu] = true;
}

static void step_destroy(void *m)
{
    struct stepper *s = m;

    if (!s)
        return;
    for (unsigned i = 0; i < KM_MAX_CPUS; i++)
        free(s->stack[i]);
    km_core_destroy(s->core);
    free(s);
}

static int step_create(void **m, const struct km_config *cfg, const struct km_window *window,
                       struct km_err *err)
{
    struct stepper *s = calloc(1, sizeof(*s));

    if (!s)
        return km_fail(err, KM_E_NOMEM, NULL, 0, 0, "no memory for the machine");
    s->timed = cfg->timing == KM_TIMING_FULL;
    int rc = km_functional_init(&s->functional, cfg, window, err);

    if (!rc && s->timed)
        rc = km_core_create(&s->core, cfg, window, err);
    for (unsigned i = 0; !rc && s->timed && i < s->core->nr_cpus; i++) {
        s->stack[i] = malloc(STACK_BYTES);
        if (!s->stack[i])
            rc = km_fail(err, KM_E_NOMEM, NULL, 0, 0, "no memory for the machine");
    }
    if (rc) {
        step_destroy(s);
        return rc;
    }
    *m = s;
    return KM_OK;
}

static void step_set_cr3(void *m, km_paddr cr3)
{
    struct stepper *s = m;

    if (s->core)
        km_core_set_cr3(s->core, cr3);
}

static void step_set_probe(void *m, const struct km_probe *probe)
{
    struct stepper *s = m;

    if (s->core)
        km_core_set_probe(s->core, probe);
}

static struct km_cpu *step_null_port(void *m, unsigned cpu)
{
    struct stepper *s = m;

    return &s->functional.port[cpu];
}

static void start_threads(struct stepper *s)
{
    uintptr_t p = (uintptr_t)s;

    for (unsigned i = 0; i < s->core->nr_cpus; i++) {
        getcontext(&s->thread[i]);
        s->thread[i].uc_stack.ss_sp = s->stack[i];
        s->thread[i].uc_stack.ss_size = STACK_BYTES;
        s->thread[i].uc_link = &s->loop;
        s->done[i] = false;
        makecontext(&s->thread[i], (void (*)(void))thread_main, 3, (unsigned)p, (unsigned)(p >> 32),
                    i);
    }
}

static int step_run(void *m, const struct km_program *program, struct km_err *err)
{
    struct stepper *s = m;

    if (!s->timed)
        return km_functional_run(&s->functional, program, err);
    s->core->hooks = &step_hooks;
    s->core->engine = s;
    km_core_start(s->core, program);
    start_threads(s);
    while (!s->core->failed) {
        int next = -1;

        for (unsigned i = 0; i < s->core->nr_agents; i++) {
            const struct km_agent *a = &s->core->agent[i];

            if ((i < s->core->nr_cpus && s->done[i]) || a->cycle == KM_NEVER)
                continue;
            if (next < 0 ||
                km_key_before(a, s->core->agent[next].cycle, s->core->agent[next].phase))
                next = (int)i;
        }
        if (next < 0)
            break;
        if ((unsigned)next < s->core->nr_cpus)
            swapcontext(&s->loop, &s->thread[next]);
        else
            km_core_device_step(s->core, (unsigned)next);
    }
    return km_core_finish(s->core, err);
}

static void step_stats(void *m, struct km_hw_stats *out)
{
    struct stepper *s = m;

    if (s->core)
        km_core_stats(s->core, out);
    else
        *out = (struct km_hw_stats){0};
}

static int step_attach(void *m, const struct km_device_ops *ops, void *dev, bool snooped)
{
    struct stepper *s = m;

    return s->core ? km_core_attach(s->core, ops, dev, snooped) : -1;
}

static void step_poke(void *m, unsigned device)
{
    km_core_poke(((struct stepper *)m)->core, device);
}

struct km_core *km_stepper_core(void *m)
{
    return ((struct stepper *)m)->core;
}

const struct km_engine_ops km_stepper_engine = {
    .name = "stepper",
    .create = step_create,
    .set_cr3 = step_set_cr3,
    .set_probe = step_set_probe,
    .null_port = step_null_port,
    .run = step_run,
    .attach = step_attach,
    .poke = step_poke,
    .stats = step_stats,
    .destroy = step_destroy,
};
