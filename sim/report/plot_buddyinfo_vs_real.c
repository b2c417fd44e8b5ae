/* SPDX-License-Identifier: MIT
 * plot_buddyinfo_vs_real.c - free blocks per order, simulated and real, at every truth sample.
 * Data: seconds, sim order 0..10, real order 0..10, blocks that differ.
 */
#include "sim/report/csv_read.h"
#include "sim/report/plot.h"
#include "sim/report/report_int.h"
#include "sim/report/series.h"

enum { SIM = 1, REAL = 1 + KM_NR_ORDERS, ERROR = 1 + 2 * KM_NR_ORDERS, WIDTH };

/* One row of truth.csv into the sample being collected; the row of the last order completes it. */
static int take_row(struct km_csv *c, const int col[5], double row[KM_SERIES_WIDTH], struct km_series_set *set,
                    struct km_err *err)
{
    uint64_t time_ns, order, sim, real;
    int ret;

    if ((ret = km_csv_u64(c, col[0], &time_ns, err)) || (ret = km_csv_u64(c, col[2], &order, err)) ||
        (ret = km_csv_u64(c, col[3], &sim, err)) || (ret = km_csv_u64(c, col[4], &real, err)))
        return ret;
    if (order >= KM_NR_ORDERS)
        return km_fail(err, KM_E_INPUT, c->path, c->line_nr, 0, "order %lu is above 10", (unsigned long)order);
    if (order == 0)
        row[ERROR] = 0;
    row[0] = (double)time_ns / 1e9;
    row[SIM + order] = (double)sim;
    row[REAL + order] = (double)real;
    row[ERROR] += (double)(sim > real ? sim - real : real - sim);
    if (order + 1 == KM_NR_ORDERS && !km_series_add(set, c->field[col[1]], row))
        return km_fail(err, KM_E_NOMEM, c->path, c->line_nr, 0, "too many zones or out of memory");
    return KM_OK;
}

static int read_rows(struct km_csv *c, struct km_series_set *set, struct km_err *err)
{
    static const char *const names[] = {"time_ns", "zone", "order", "sim", "real"};
    double row[KM_SERIES_WIDTH] = {0};
    int col[5], ret;

    for (int i = 0; i < 5; i++)
        if ((col[i] = km_csv_column(c, names[i], err)) < 0)
            return col[i];
    while ((ret = km_csv_next(c, err)) > 0)
        if ((ret = take_row(c, col, row, set, err)))
            return ret;
    return ret;
}

static int data(const char *dir, FILE *out, struct km_plot_args *args, struct km_err *err)
{
    struct km_series_set set = {.width = WIDTH};
    struct km_csv c;
    int ret = km_csv_open(&c, dir, "truth.csv", err);

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

const struct km_plot km_plot_buddyinfo_vs_real = {
    .name = "buddyinfo_vs_real",
    .title = "Simulated against real free blocks",
    .help = "Lines: free blocks of each order in the simulation. Circles of the same colour: what the real kernel's "
            "/proc/buddyinfo said at that moment of the trace. Circles on their line mean the simulation is right. The "
            "narrow panel below counts the blocks that differ, over all orders.",
    .none = "The trace carries no truth samples, so the simulation cannot be compared with the real kernel.",
    .data = data,
};
