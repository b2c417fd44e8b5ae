/* SPDX-License-Identifier: MIT
 * run_options.h - what the command line says about a run besides the configuration.
 */
#ifndef KM_SIM_RUN_OPTIONS_H
#define KM_SIM_RUN_OPTIONS_H

#include <signal.h>
#include <stdbool.h>

#include "sim/base/engine.h"

struct km_run_options {
    const char *out_dir; /* results of this run; never NULL                             */
    bool force;          /* an existing non-empty out_dir may be overwritten            */
    bool quiet;          /* no progress line                                            */
    const struct km_engine_ops *engine; /* timed machine; NULL in tests without SystemC */
    const volatile sig_atomic_t *stop; /* the signal that asked to end early, 0 so far; NULL: none will */
    int argc;            /* the command line, for the report                            */
    char **argv;
};

#endif
