/* SPDX-License-Identifier: MIT
 * report_html.h - report.html of one run.
 */
#ifndef KM_REPORT_REPORT_HTML_H
#define KM_REPORT_REPORT_HTML_H

#include "sim/report/outdir.h"

#include <jansson.h>

/* Needs the plots in d/plots, the CSV files in d and the summary. */
int km_report_html_write(struct km_outdir *d, const json_t *summary);
/* A skill in plain words; json null or real. */
const char *km_skill_words(const json_t *skill);

#endif
