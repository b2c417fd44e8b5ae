/* SPDX-License-Identifier: MIT
 * plot_false_sharing.c - the cache lines that cost most by moving between CPUs.
 * Data: rank, cycles lost to false sharing, to true sharing, in all, "label".
 */
#include "models/base/types.h"
#include "sim/report/csv_read.h"
#include "sim/report/plot.h"

#include <inttypes.h>
#include <string.h>

enum { SHOWN_MAX = 20 };

static int write_rows(struct km_csv *c, FILE *out, struct km_plot_args *args, struct km_err *err)
{
    static const char *const names[] = {"line_pa",     "cache_or_owner", "object_offset",
                                        "cycles_lost", "cycles_false",   "cycles_true",
                                        "cycles_dma"};
    enum { COLUMNS = KM_ARRAY_LEN(names) };
    int col[COLUMNS], ret, n = 0;

    for (int i = 0; i < COLUMNS; i++)
        if ((col[i] = km_csv_column(c, names[i], err)) < 0)
            return col[i];
    while (n < SHOWN_MAX && (ret = km_csv_next(c, err)) > 0) {
        uint64_t cycles[4]; /* lost; false, true sharing; devices */

        for (int i = 0; i < 4; i++)
            if ((ret = km_csv_u64(c, col[3 + i], &cycles[i], err)))
                return ret;
        if (!(cycles[0] + cycles[3]))
            continue;
        for (char *p = c->field[col[1]]; *p; p++)
            if (*p == '"' || *p == '\\')
                *p = '\'';
        fprintf(out, "%d %" PRIu64 " %" PRIu64 " %" PRIu64 " \"%s%s%.40s%s%s\"\n", ++n, cycles[1],
                cycles[2], cycles[0] + cycles[3], c->field[col[0]], *c->field[col[1]] ? " " : "",
                c->field[col[1]], *c->field[col[2]] ? " +" : "", c->field[col[2]]);
    }
    if (ret < 0)
        return ret;
    snprintf(args->arg[0], sizeof(args->arg[0]), "%d", n);
    return n > 0;
}

static int data(const char *dir, FILE *out, struct km_plot_args *args, struct km_err *err)
{
    struct km_csv c;
    int ret = km_csv_open(&c, dir, "false_sharing.csv", err);

    if (ret == KM_OK)
        ret = write_rows(&c, out, args, err);
    else if (ret > 0)
        ret = 0;
    km_csv_close(&c);
    return ret;
}

const struct km_plot km_plot_false_sharing = {
    .name = "false_sharing",
    .title = "Cache lines that move between CPUs",
    .help = "Each bar is one cache line and the cycles CPUs waited because another CPU had changed "
            "it. False sharing: "
            "they used other bytes of the line, so padding or moving the data would remove the "
            "cost. True sharing: "
            "the same bytes (a lock, a counter, a list head). The rest: first transfers of a line, "
            "reads of clean copies, and lines that a device took away.",
    .none = "No cache line was used by more than one CPU at a cost (one CPU, or timing: off).",
    .data = data,
};
