/* SPDX-License-Identifier: MIT
 * plot.h - plots of a finished run: one row per plot, drawn by gnuplot from
 * DIR/plots/data/NAME.dat.
 *
 * A plot is a function that turns the run's CSV files into a data file, and a script of the same
 * name in scripts/plot/. Adding one: a file with both, a row in km_plots[], an entry in
 * docs/reports.md.
 */
#ifndef KM_REPORT_PLOT_H
#define KM_REPORT_PLOT_H

#include "sim/base/err.h"
#include "sim/report/outdir.h"

#include <stdbool.h>

#define KM_PLOT_ARGS 3
#define KM_PLOT_ARG_MAX 768

/* Further arguments of a script, behind data file, output file and script folder; "" where unused.
 */
struct km_plot_args {
    char arg[KM_PLOT_ARGS][KM_PLOT_ARG_MAX];
};

struct km_plot {
    const char *name;  /* NAME.svg, NAME.gp      */
    const char *title; /* heading in report.html */
    const char *help;  /* how to read it         */
    const char *none;  /* what an absent plot means; NULL: other workloads have no such section */
    /* Reads DIR/... and writes the data; 1: something to draw, 0: nothing, negative: enum km_errno.
     */
    int (*data)(const char *dir, FILE *out, struct km_plot_args *args, struct km_err *err);
};

/* Sorted by name, NULL-terminated; also what `kmemsim list plots` shows. */
extern const struct km_plot *const km_plots[];
extern const struct km_plot km_plot_buddyinfo, km_plot_buddyinfo_vs_real, km_plot_false_sharing,
    km_plot_fragmentation, km_plot_lat_mem_rd, km_plot_latency_cdf;

/* Draws all plots of d into d/plots. Missing gnuplot is a warning. */
int km_plots_draw(struct km_outdir *d);

/* gnuplot.c */
enum km_drawn { KM_DRAWN, KM_DRAW_FAILED, KM_DRAW_NO_GNUPLOT };
/* Runs scripts/plot/NAME.gp; data and svg are paths. A file that is no whole SVG is removed. */
enum km_drawn km_gnuplot_run(const char *name, const char *data, const char *svg,
                             const struct km_plot_args *args);
/* Folder with plot/ and the like: $KMEMSIM_SHARE/scripts, beside the program, or the source tree.
 */
bool km_plot_script_dir(char *out, size_t size);

#endif
