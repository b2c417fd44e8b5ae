/* SPDX-License-Identifier: MIT
 * html.h - building blocks of self-contained pages: escaping, the style sheet, inlined SVG.
 */
#ifndef KM_REPORT_HTML_H
#define KM_REPORT_HTML_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* Text with & < > " ' escaped; control characters and bytes that are no UTF-8 become U+FFFD. */
void km_html_text(FILE *f, const char *text);
void km_html_head(FILE *f, const char *title);
void km_html_tail(FILE *f);
/* The SVG file without its prologue; its ids get the prefix, so that several fit into one page. */
bool km_html_inline_svg(FILE *f, const char *path, const char *prefix);
/* 1234567 -> "1 234 567" with narrow no-break spaces. */
void km_html_u64(FILE *f, uint64_t v);
/* Whole numbers grouped, others with four significant digits. */
void km_html_number(FILE *f, double v);

#endif
