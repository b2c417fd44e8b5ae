/* SPDX-License-Identifier: MIT
 * plot_fragmentation.c - fragmentation indexes over time per zone. Data: seconds, unusable index of
 * orders 1..10, extfrag index of orders 1..10 (NaN where it has no meaning).
 */
#include "sim/report/plot.h"
#include "sim/report/read_series.h"

static int data(const char *dir, FILE *out, struct km_plot_args *args, struct km_err *err)
{
    struct km_series_set set = {.width = KM_FRAG_WIDTH};
    int ret = km_read_fragmentation(&set, dir, err);

    if (ret == KM_OK && km_series_span(&set)) {
        km_series_write(&set, out);
        km_series_keys(&set, args->arg[0], sizeof(args->arg[0]));
        ret = 1;
    }
    km_series_release(&set);
    return ret;
}

const struct km_plot km_plot_fragmentation = {
    .name = "fragmentation",
    .title = "External fragmentation",
    .help = "Solid lines, unusable index: the share of free memory that sits in blocks too small "
            "for a request of that "
            "order (0 none, 1 all of it). Dashed lines, extfrag index: shown only while a request "
            "of that order would "
            "fail, near 0 because memory is short, near 1 because it is in pieces.",
    .none = "There are fewer than two samples, nothing to show over time.",
    .data = data,
};
