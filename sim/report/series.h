/* SPDX-License-Identifier: MIT
 * series.h - named time series thinned to what a plot can show, in bounded memory.
 *
 * A series keeps at most KM_SERIES_POINTS rows: when it is full every second row goes and from then
 * on only every 2nd (4th, ...) new row is taken. The newest row is always kept, so the end of a run
 * is never cut off.
 */
#ifndef KM_REPORT_SERIES_H
#define KM_REPORT_SERIES_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define KM_SERIES_POINTS 800u
#define KM_SERIES_WIDTH 24u
#define KM_SERIES_MAX 16u

struct km_series {
    char key[40];
    uint64_t stride, seen;
    uint32_t nr;
    bool last_is_extra; /* row nr-1 is only the newest, not one of the stride */
    double (*row)[KM_SERIES_WIDTH];
};

struct km_series_set {
    unsigned nr, width;
    struct km_series series[KM_SERIES_MAX]; /* in order of first appearance */
};

/* false: host memory exhausted or too many series */
bool km_series_add(struct km_series_set *set, const char *key, const double *row);
/* Does any series have two points, so that there is a line to draw? */
bool km_series_span(const struct km_series_set *set);
/* gnuplot blocks: "# key", rows, two blank lines. */
void km_series_write(const struct km_series_set *set, FILE *f);
/* Keys joined by blanks (blanks inside become _). */
void km_series_keys(const struct km_series_set *set, char *out, size_t size);
void km_series_release(struct km_series_set *set);

#endif
