/* SPDX-License-Identifier: MIT
 * functional.c - see functional.h.
 */
#include "sim/top/functional.h"

int km_functional_init(struct km_functional *f, const struct km_config *cfg,
                       const struct km_window *window, struct km_err *err)
{
    f->nr_cpus = cfg->machine.cpus;
    if (!f->nr_cpus || f->nr_cpus > KM_MAX_CPUS)
        return km_fail(err, KM_E_USAGE, NULL, 0, 0, "machine.cpus: must be between 1 and %u",
                       KM_MAX_CPUS);
    for (unsigned i = 0; i < f->nr_cpus; i++)
        km_cpu_init_null(&f->port[i], i, window->base);
    return KM_OK;
}

int km_functional_run(struct km_functional *f, const struct km_program *program, struct km_err *err)
{
    unsigned cpu;
    uint64_t due_ns, now_ns = 0;

    while (program->peek(program->ctx, &cpu, &due_ns)) {
        if (cpu >= f->nr_cpus)
            return km_fail(err, KM_E_INPUT, NULL, 0, 0, "work for CPU %u on a machine with %u CPUs",
                           cpu, f->nr_cpus);
        now_ns = due_ns > now_ns ? due_ns : now_ns;
        program->run(program->ctx, &f->port[cpu], now_ns);
    }
    return KM_OK;
}
