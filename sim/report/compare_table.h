/* SPDX-License-Identifier: MIT
 * compare_table.h - the summaries of several runs, value by value.
 */
#ifndef KM_REPORT_COMPARE_TABLE_H
#define KM_REPORT_COMPARE_TABLE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

#define KM_COMPARE_RUNS 8u

struct km_compare {
    unsigned nr_runs;
    const char *dir[KM_COMPARE_RUNS];
    json_t *summary[KM_COMPARE_RUNS];
    char label[KM_COMPARE_RUNS][48];
};

struct km_compare_row {
    char name[160];                       /* truth.skill.Normal */
    const json_t *value[KM_COMPARE_RUNS]; /* NULL: this run has no such value */
    bool differs, headline;
};

struct km_compare_rows {
    unsigned nr, size;
    struct km_compare_row *row;
};

/* Every single value of the summaries in order of first appearance; host-dependent ones left out.
 */
bool km_compare_collect(struct km_compare_rows *rows, const struct km_compare *c);
void km_compare_release(struct km_compare_rows *rows);
/* One value as plain text: "0.9931", "17054", "pages", "-" for none. */
void km_compare_format(char *out, size_t size, const json_t *value);
/* Change from the first run to another in per cent, "" where that says nothing. */
void km_compare_change(char *out, size_t size, const json_t *from, const json_t *to);
void km_compare_print(FILE *f, const struct km_compare *c, const struct km_compare_rows *rows);

#endif
