/* SPDX-License-Identifier: MIT
 * user_heap.h - `workload.type: user-heap`: the heap calls of a real program, recorded with mtrace(3), run
 * in a simulated process on the simulated kernel.
 *
 * The machine boots with all memory free, execs one process and replays every call: malloc (also for calloc
 * and memalign, which the format does not tell apart), realloc, free. The program writes every new block
 * once from start to end, so pages fault in as they would. Frees and reallocs of pointers the record never
 * showed are counted and passed over; a pointer freed twice reaches the library, which reports it.
 *
 * Leaves, besides the usual report: user-heap.json (totals) and user-heap.csv (at most 1024 samples: calls,
 * time, requested live bytes, heap from brk, mapped bytes, resident and page-table pages).
 */
#ifndef KM_WORKLOAD_USER_HEAP_H
#define KM_WORKLOAD_USER_HEAP_H

#include "sim/base/run_options.h"
#include "sim/config/config.h"

int km_user_heap_run(const struct km_config *cfg, const struct km_run_options *opt, struct km_err *err);

#endif
