/* SPDX-License-Identifier: MIT
 * plot_fragmentation.c - fragmentation indexes over time per zone. Data: seconds, unusable index of orders 1..10,
 * extfrag index of orders 1..10 (NaN where it has no meaning).
 */
#include "sim/report/csv_read.h"
#include "sim/report/plot.h"
#include "sim/report/report_int.h"
#include "sim/report/series.h"

#include <math.h>

enum { INDEX_ORDERS = KM_NR_ORDERS - 1, WIDTH = 1 + 2 * INDEX_ORDERS };

static int read_rows(struct km_csv *c, struct km_series_set *set, struct km_err *err)
{
    int time = km_csv_column(c, "time_ns", err), zone = km_csv_column(c, "zone", err), ret;
    int ext = km_csv_column(c, "extfrag_index_o1", err), unusable = km_csv_column(c, "unusable_index_o1", err);

    if (time < 0 || zone < 0 || ext < 0 || unusable < 0 || ext + INDEX_ORDERS > (int)c->nr_columns ||
        unusable + INDEX_ORDERS > (int)c->nr_columns)
        return KM_E_INPUT;
    while ((ret = km_csv_next(c, err)) > 0) {
        double row[KM_SERIES_WIDTH];
        uint64_t v;

        if ((ret = km_csv_u64(c, time, &v, err)))
            return ret;
        row[0] = (double)v / 1e9;
        for (int i = 0; i < INDEX_ORDERS; i++) {
            if ((ret = km_csv_double(c, unusable + i, &row[1 + i], err)) ||
                (ret = km_csv_double(c, ext + i, &row[1 + INDEX_ORDERS + i], err)))
                return ret;
            if (row[1 + INDEX_ORDERS + i] < 0)
                row[1 + INDEX_ORDERS + i] = NAN;
        }
        if (!km_series_add(set, c->field[zone], row))
            return km_fail(err, KM_E_NOMEM, c->path, c->line_nr, 0, "too many zones or out of memory");
    }
    return ret;
}

static int data(const char *dir, FILE *out, struct km_plot_args *args, struct km_err *err)
{
    struct km_series_set set = {.width = WIDTH};
    struct km_csv c;
    int ret = km_csv_open(&c, dir, "fragmentation.csv", err);

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

const struct km_plot km_plot_fragmentation = {
    .name = "fragmentation",
    .title = "External fragmentation",
    .help = "Solid lines, unusable index: the share of free memory that sits in blocks too small for a request of that "
            "order (0 none, 1 all of it). Dashed lines, extfrag index: shown only while a request of that order would "
            "fail, near 0 because memory is short, near 1 because it is in pieces.",
    .none = "No fragmentation samples were taken.",
    .data = data,
};
