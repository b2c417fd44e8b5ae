/* SPDX-License-Identifier: MIT
 * plot_buddyinfo.c - free memory over time per zone, stacked by order. Data: seconds, pages in
 * order 0..10.
 */
#include "sim/report/plot.h"
#include "sim/report/read_series.h"

static int data(const char *dir, FILE *out, struct km_plot_args *args, struct km_err *err)
{
    struct km_series_set set = {.width = KM_BUDDYINFO_WIDTH};
    int ret = km_read_buddyinfo(&set, dir, err);

    if (ret == KM_OK && km_series_span(&set)) {
        km_series_write(&set, out);
        km_series_keys(&set, args->arg[0], sizeof(args->arg[0]));
        ret = 1;
    }
    km_series_release(&set);
    return ret;
}

const struct km_plot km_plot_buddyinfo = {
    .name = "buddyinfo",
    .title = "Free memory by block size",
    .help = "Free pages of the simulated kernel in each zone over time. The colours split them by "
            "the size of the free "
            "block they belong to: dark means large blocks (order 10 is 4 MiB), light means single "
            "pages. Memory that "
            "turns from dark to light without the total shrinking is becoming fragmented.",
    .none = "There are fewer than two samples, nothing to show over time.",
    .data = data,
};
