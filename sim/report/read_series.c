/* SPDX-License-Identifier: MIT
 * read_series.c - buddyinfo.csv, truth.csv and fragmentation.csv as thinned time series.
 */
#include "sim/report/read_series.h"

#include <math.h>
#include <string.h>

typedef int rows_fn(struct km_csv *c, struct km_series_set *set, struct km_err *err);

static int read_file(struct km_series_set *set, const char *dir, const char *name, rows_fn *rows,
                     struct km_err *err)
{
    struct km_csv c;
    int ret = km_csv_open(&c, dir, name, err);

    if (ret == KM_OK)
        ret = rows(&c, set, err);
    km_csv_close(&c);
    return ret > 0 ? KM_OK : ret;
}

/* node: column, or negative if the file has none; nodes other than 0 are series of their own. */
static int add(struct km_series_set *set, struct km_csv *c, int node, int zone, const double *row,
               struct km_err *err)
{
    char key[sizeof(set->series[0].key)];
    bool far = node >= 0 && strcmp(c->field[node], "0");

    snprintf(key, sizeof(key), "%s%.6s%s%.24s", far ? "Node" : "", far ? c->field[node] : "",
             far ? "/" : "", c->field[zone]);
    if (km_series_add(set, key, row))
        return KM_OK;
    return km_fail(err, KM_E_NOMEM, c->path, c->line_nr, 0, "too many zones or out of memory");
}

static int seconds(struct km_csv *c, int column, double *out, struct km_err *err)
{
    uint64_t ns;
    int ret = km_csv_u64(c, column, &ns, err);

    *out = (double)ns / 1e9;
    return ret;
}

static int buddyinfo_rows(struct km_csv *c, struct km_series_set *set, struct km_err *err)
{
    int time = km_csv_column(c, "time_ns", err), zone = km_csv_column(c, "zone", err), ret;
    int order0 = km_csv_column(c, "order0", err), node = km_csv_column(c, "node", err);

    if (time < 0 || zone < 0 || order0 < 0 || node < 0)
        return KM_E_INPUT;
    if (order0 + KM_NR_ORDERS > c->nr_columns)
        return km_csv_column(c, "order10", err);
    while ((ret = km_csv_next(c, err)) > 0) {
        double row[KM_BUDDYINFO_WIDTH];
        uint64_t v;

        if ((ret = seconds(c, time, &row[0], err)))
            return ret;
        for (int o = 0; o < (int)KM_NR_ORDERS; o++) {
            if ((ret = km_csv_u64(c, order0 + o, &v, err)))
                return ret;
            row[1 + o] = (double)v * (double)(1u << o);
        }
        if ((ret = add(set, c, node, zone, row, err)))
            return ret;
    }
    return ret;
}

int km_read_buddyinfo(struct km_series_set *set, const char *dir, struct km_err *err)
{
    return read_file(set, dir, "buddyinfo.csv", buddyinfo_rows, err);
}

enum { TIME, NODE, ZONE, ORDER, SIM, REAL, TRUTH_COLUMNS };

/* One row of truth.csv into the sample being collected; the row of the last order completes it. */
static int truth_row(struct km_csv *c, const int col[TRUTH_COLUMNS], double row[KM_SERIES_WIDTH],
                     struct km_series_set *set, struct km_err *err)
{
    uint64_t order, sim, real;
    int ret;

    if ((ret = seconds(c, col[TIME], &row[0], err)) ||
        (ret = km_csv_u64(c, col[ORDER], &order, err)) ||
        (ret = km_csv_u64(c, col[SIM], &sim, err)) || (ret = km_csv_u64(c, col[REAL], &real, err)))
        return ret;
    if (order >= KM_NR_ORDERS)
        return km_fail(err, KM_E_INPUT, c->path, c->line_nr, 0, "order %lu is above 10",
                       (unsigned long)order);
    if (order == 0)
        row[KM_TRUTH_ERROR] = 0;
    row[KM_TRUTH_SIM + order] = (double)sim;
    row[KM_TRUTH_REAL + order] = (double)real;
    row[KM_TRUTH_ERROR] += (double)(sim > real ? sim - real : real - sim);
    return order + 1 == KM_NR_ORDERS ? add(set, c, col[NODE], col[ZONE], row, err) : KM_OK;
}

static int truth_rows(struct km_csv *c, struct km_series_set *set, struct km_err *err)
{
    static const char *const names[TRUTH_COLUMNS] = {"time_ns", "node", "zone",
                                                     "order",   "sim",  "real"};
    double row[KM_SERIES_WIDTH] = {0};
    int col[TRUTH_COLUMNS], ret;

    for (int i = 0; i < TRUTH_COLUMNS; i++)
        if ((col[i] = km_csv_column(c, names[i], err)) < 0)
            return col[i];
    while ((ret = km_csv_next(c, err)) > 0)
        if ((ret = truth_row(c, col, row, set, err)))
            return ret;
    return ret;
}

int km_read_truth(struct km_series_set *set, const char *dir, struct km_err *err)
{
    return read_file(set, dir, "truth.csv", truth_rows, err);
}

static int fragmentation_rows(struct km_csv *c, struct km_series_set *set, struct km_err *err)
{
    int time = km_csv_column(c, "time_ns", err), zone = km_csv_column(c, "zone", err), ret;
    int ext = km_csv_column(c, "extfrag_index_o1", err),
        unusable = km_csv_column(c, "unusable_index_o1", err);

    if (time < 0 || zone < 0 || ext < 0 || unusable < 0)
        return KM_E_INPUT;
    if (ext + KM_FRAG_ORDERS > (int)c->nr_columns || unusable + KM_FRAG_ORDERS > (int)c->nr_columns)
        return km_fail(err, KM_E_INPUT, c->path, 1, 0, "columns of orders up to 10 are missing");
    while ((ret = km_csv_next(c, err)) > 0) {
        double row[KM_FRAG_WIDTH];

        if ((ret = seconds(c, time, &row[0], err)))
            return ret;
        for (int i = 0; i < KM_FRAG_ORDERS; i++) {
            double *e = &row[1 + KM_FRAG_ORDERS + i];

            if ((ret = km_csv_double(c, unusable + i, &row[1 + i], err)) ||
                (ret = km_csv_double(c, ext + i, e, err)))
                return ret;
            if (*e < 0)
                *e = NAN;
        }
        if ((ret = add(set, c, -1, zone, row, err)))
            return ret;
    }
    return ret;
}

int km_read_fragmentation(struct km_series_set *set, const char *dir, struct km_err *err)
{
    return read_file(set, dir, "fragmentation.csv", fragmentation_rows, err);
}

static int memory_rows(struct km_csv *c, struct km_series_set *set, struct km_err *err)
{
    int time = km_csv_column(c, "time_ns", err), zone = km_csv_column(c, "zone", err), ret;
    int pages = km_csv_column(c, "free_pages", err),
        unusable = km_csv_column(c, "unusable_index_o9", err);

    if (time < 0 || zone < 0 || pages < 0 || unusable < 0)
        return KM_E_INPUT;
    while ((ret = km_csv_next(c, err)) > 0) {
        double row[KM_MEMORY_WIDTH];

        if ((ret = seconds(c, time, &row[0], err)) ||
            (ret = km_csv_double(c, pages, &row[1], err)) ||
            (ret = km_csv_double(c, unusable, &row[2], err)) ||
            (ret = add(set, c, -1, zone, row, err)))
            return ret;
    }
    return ret;
}

int km_read_memory(struct km_series_set *set, const char *dir, struct km_err *err)
{
    return read_file(set, dir, "fragmentation.csv", memory_rows, err);
}
