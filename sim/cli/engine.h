/* SPDX-License-Identifier: MIT
 * engine.h - the SystemC machine (sim/top/machine.h) as the table workloads expect.
 */
#ifndef KM_CLI_ENGINE_H
#define KM_CLI_ENGINE_H

#include "sim/base/engine.h"

extern const struct km_engine_ops km_engine_systemc;

#endif
