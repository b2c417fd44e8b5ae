/* SPDX-License-Identifier: MIT
 * stepper.h - the same machine without SystemC: coroutines and a loop that resumes the smallest
 * key.
 *
 * For tests (several machines per process, engines compared cycle by cycle) and wherever SystemC is
 * not wanted.
 */
#ifndef KM_TOP_STEPPER_H
#define KM_TOP_STEPPER_H

#include "sim/base/engine.h"

#ifdef __cplusplus
extern "C" {
#endif

struct km_core;

extern const struct km_engine_ops km_stepper_engine;
/* The machine behind an object made by km_stepper_engine.create (tests look inside). */
struct km_core *km_stepper_core(void *m);

#ifdef __cplusplus
}
#endif
#endif
