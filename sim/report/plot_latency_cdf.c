/* SPDX-License-Identifier: MIT
 * plot_latency_cdf.c - share of calls that took at most so many cycles, per API over all CPUs.
 * Data: cycles, share; one block per API, the most called ones first.
 */
#include "models/base/types.h"
#include "sim/report/csv_read.h"
#include "sim/report/latency_read.h"
#include "sim/report/plot.h"

#include <string.h>

enum { SHOWN_MAX = 10 };

static int data(const char *dir, FILE *out, struct km_plot_args *args, struct km_err *err)
{
    struct km_latency_set set = {0};
    int ret = km_latency_read(&set, dir, err);
    size_t at = 0;

    for (unsigned i = 0; ret == KM_OK && i < set.nr && i < SHOWN_MAX; i++) {
        const struct km_latency_curve *c = &set.curve[i];

        fprintf(out, "%s# %s\n", i ? "\n\n" : "", c->api);
        km_latency_write_cdf(c, out);
        int n =
            snprintf(args->arg[0] + at, sizeof(args->arg[0]) - at, "%s%s", i ? " " : "", c->api);
        at += n > 0 && (size_t)n < sizeof(args->arg[0]) - at ? (size_t)n : 0;
    }
    if (ret == KM_OK && set.nr)
        ret = 1;
    km_latency_set_release(&set);
    return ret;
}

const struct km_plot km_plot_latency_cdf = {
    .name = "latency_cdf",
    .title = "Latency of allocator calls",
    .help = "For each API the share of calls (upwards) that took at most so many cycles (to the "
            "right, logarithmic). A "
            "step to the left is a fast path; a long flat tail to the right means few calls pay "
            "for refills, list walks "
            "and contention.",
    .none = "No call was timed (timing: off, or a workload without allocator calls).",
    .data = data,
};
