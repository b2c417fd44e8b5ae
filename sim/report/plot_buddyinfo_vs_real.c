/* SPDX-License-Identifier: MIT
 * plot_buddyinfo_vs_real.c - free blocks per order, simulated and real, at every truth sample.
 * Data: seconds, sim order 0..10, real order 0..10, blocks that differ.
 */
#include "sim/report/plot.h"
#include "sim/report/read_series.h"

static int data(const char *dir, FILE *out, struct km_plot_args *args, struct km_err *err)
{
    struct km_series_set set = {.width = KM_TRUTH_WIDTH};
    int ret = km_read_truth(&set, dir, err);

    if (ret == KM_OK && set.nr) {
        km_series_write(&set, out);
        km_series_keys(&set, args->arg[0], sizeof(args->arg[0]));
        ret = 1;
    }
    km_series_release(&set);
    return ret;
}

const struct km_plot km_plot_buddyinfo_vs_real = {
    .name = "buddyinfo_vs_real",
    .title = "Simulated against real free blocks",
    .help = "Lines: free blocks of each order in the simulation. Circles of the same colour: what "
            "the real kernel's "
            "/proc/buddyinfo said at that moment of the trace. Circles on their line mean the "
            "simulation is right. The "
            "narrow panel below counts the blocks that differ, over all orders.",
    .none = "No sample of a real kernel's free lists was compared with this run.",
    .data = data,
};
