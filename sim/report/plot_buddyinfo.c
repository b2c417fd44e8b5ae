/* SPDX-License-Identifier: MIT
 * plot_buddyinfo.c - free memory over time per zone, stacked by order. Data: seconds, pages in order 0..10.
 */
#include "sim/report/csv_read.h"
#include "sim/report/plot.h"
#include "sim/report/report_int.h"
#include "sim/report/series.h"

static int read_rows(struct km_csv *c, struct km_series_set *set, struct km_err *err)
{
    int time = km_csv_column(c, "time_ns", err), zone = km_csv_column(c, "zone", err), ret;
    int order0 = km_csv_column(c, "order0", err), order10 = km_csv_column(c, "order10", err);

    if (time < 0 || zone < 0 || order0 < 0 || order10 != order0 + 10)
        return KM_E_INPUT;
    while ((ret = km_csv_next(c, err)) > 0) {
        double row[KM_SERIES_WIDTH];
        uint64_t v;

        if ((ret = km_csv_u64(c, time, &v, err)))
            return ret;
        row[0] = (double)v / 1e9;
        for (int o = 0; o < (int)KM_NR_ORDERS; o++) {
            if ((ret = km_csv_u64(c, order0 + o, &v, err)))
                return ret;
            row[1 + o] = (double)(v << o);
        }
        if (!km_series_add(set, c->field[zone], row))
            return km_fail(err, KM_E_NOMEM, c->path, c->line_nr, 0, "too many zones or out of memory");
    }
    return ret;
}

static int data(const char *dir, FILE *out, struct km_plot_args *args, struct km_err *err)
{
    struct km_series_set set = {.width = 1 + KM_NR_ORDERS};
    struct km_csv c;
    int ret = km_csv_open(&c, dir, "buddyinfo.csv", err);

    if (ret == KM_OK)
        ret = read_rows(&c, &set, err);
    else if (ret > 0)
        ret = 0;
    km_csv_close(&c);
    if (ret == 0 && set.nr) {
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
    .help = "Free pages of the simulated kernel in each zone over time. The colours split them by the size of the free "
            "block they belong to: dark means large blocks (order 10 is 4 MiB), light means single pages. Memory that "
            "turns from dark to light without the total shrinking is becoming fragmented.",
    .none = "No buddyinfo samples were taken.",
    .data = data,
};
