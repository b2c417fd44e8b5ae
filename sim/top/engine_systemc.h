/* SPDX-License-Identifier: MIT
 * engine_systemc.h - the SystemC machine (machine.h) as an engine table.
 */
#ifndef KM_TOP_ENGINE_SYSTEMC_H
#define KM_TOP_ENGINE_SYSTEMC_H

#include "sim/base/engine.h"

#ifdef __cplusplus
extern "C" {
#endif

extern const struct km_engine_ops km_systemc_engine;

#ifdef __cplusplus
}
#endif
#endif
