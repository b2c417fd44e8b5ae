/* SPDX-License-Identifier: MIT
 * redraw.h - everything that is made from the files of a run: plots and report.html.
 */
#ifndef KM_REPORT_REDRAW_H
#define KM_REPORT_REDRAW_H

#include "sim/report/outdir.h"

#include <jansson.h>

/* Number of the layout of summary.json: changes when names or meanings in it do. */
#define KM_SUMMARY_SCHEMA 1

/* Draws into d from its CSV files and the summary (which need not be on disk yet). */
int km_redraw_with_summary(struct km_outdir *d, const json_t *summary, bool plots, bool html);
/* DIR/summary.json as an object; NULL with err if there is none or it is damaged. Owned by the
 * caller. */
json_t *km_summary_read(const char *dir, struct km_err *err);

#endif
