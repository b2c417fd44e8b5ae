/* SPDX-License-Identifier: MIT
 * sharing_advice.h - what aligning slab caches to cache lines would save (report.sharing_advice).
 */
#ifndef KM_CLI_SHARING_ADVICE_H
#define KM_CLI_SHARING_ADVICE_H

#include "sim/base/run_options.h"
#include "sim/config/config.h"

/* After a finished replay of cfg into run->out_dir: writes sharing_advice.csv there and draws the
 * report again. */
int km_sharing_advice(const struct km_config *cfg, const struct km_run_options *run,
                      struct km_err *err);

#endif
