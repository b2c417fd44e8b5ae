/* SPDX-License-Identifier: MIT
 * plot.h - plots of a finished run: one row per plot, drawn by gnuplot from DIR/plots/data/NAME.dat.
 *
 * A plot is a function that turns the run's CSV files into a data file, and a script of the same name in
 * scripts/plot/. Adding one: a file with both, a row in km_plots[], an entry in docs/reports.md.
 */
#ifndef KM_REPORT_PLOT_H
#define KM_REPORT_PLOT_H

#include "sim/base/err.h"
#include "sim/report/outdir.h"

#include <stdbool.h>

struct km_plot {
    const char *name;  /* NAME.svg, NAME.gp      */
    const char *title; /* heading in report.html */
    const char *help;  /* how to read it         */
    /* Writes the data; 1: there is something to draw, 0: nothing, negative: enum km_errno. args gets the
     * script's arguments behind data and output file. */
    int (*data)(struct km_outdir *d, struct km_out *out, char args[4][64], struct km_err *err);
};

/* Sorted by name, NULL-terminated; also what `kmemsim list plots` shows. */
extern const struct km_plot *const km_plots[];

#endif
