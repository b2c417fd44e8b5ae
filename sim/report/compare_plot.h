/* SPDX-License-Identifier: MIT
 * compare_plot.h - plots with one line per run, drawn into a folder of their own and inlined into
 * the page.
 */
#ifndef KM_REPORT_COMPARE_PLOT_H
#define KM_REPORT_COMPARE_PLOT_H

#include "sim/base/err.h"
#include "sim/report/compare_table.h"
#include "sim/report/plot.h"

struct km_compare_plot {
    const char *name, *title, *help, *none;
    /* 1: data written, 0: none, negative: error */
    int (*data)(const struct km_compare *c, FILE *out, struct km_plot_args *args,
                struct km_err *err);
};

extern const struct km_compare_plot km_compare_plots[]; /* ends with a NULL name */

#endif
