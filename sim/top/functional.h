/* SPDX-License-Identifier: MIT
 * functional.h - running a program with timing off: in stream order, through null ports, without a
 * clock.
 */
#ifndef KM_TOP_FUNCTIONAL_H
#define KM_TOP_FUNCTIONAL_H

#include "models/cpu/cpu.h"
#include "sim/base/program.h"
#include "sim/base/window.h"
#include "sim/config/config.h"

#ifdef __cplusplus
extern "C" {
#endif

struct km_functional {
    unsigned nr_cpus;
    struct km_cpu port[KM_MAX_CPUS];
};

int km_functional_init(struct km_functional *f, const struct km_config *cfg,
                       const struct km_window *window, struct km_err *err);
int km_functional_run(struct km_functional *f, const struct km_program *program,
                      struct km_err *err);

#ifdef __cplusplus
}
#endif
#endif
