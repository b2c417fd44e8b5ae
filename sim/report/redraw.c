/* SPDX-License-Identifier: MIT
 * redraw.c - plots and report.html from the files of a finished run.
 */
#include "sim/report/redraw.h"

#include "sim/report/plot.h"
#include "sim/report/report.h"

const struct km_plot *const km_plots[] = {NULL};

int km_redraw_with_summary(struct km_outdir *d, const json_t *summary, bool plots, bool html)
{
    (void)summary;
    (void)plots;
    (void)html;
    return d->failed ? KM_E_IO : KM_OK;
}
