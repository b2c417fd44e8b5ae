/* SPDX-License-Identifier: MIT
 * csv_read.h - reads the CSV files of a finished run back, line by line.
 *
 * Files may have been edited or cut: every problem is an error with file and line, never a wrong
 * picture.
 */
#ifndef KM_REPORT_CSV_READ_H
#define KM_REPORT_CSV_READ_H

#include "sim/base/err.h"
#include "sim/report/outdir.h"

#include <stdint.h>

#define KM_CSV_FIELDS 40

struct km_csv {
    FILE *f;
    char path[KM_OUT_PATH_MAX];
    char *line;
    size_t line_size;
    int line_nr;
    unsigned nr_columns, nr_fields;
    char *field[KM_CSV_FIELDS];  /* of the current row, unquoted */
    char *column[KM_CSV_FIELDS]; /* names of the first line */
    char *header;
};

/* KM_OK; 1: there is no such file; negative: error. */
int km_csv_open(struct km_csv *c, const char *dir, const char *name, struct km_err *err);
/* Index of a column; negative (and err) if the file has none of that name. */
int km_csv_column(struct km_csv *c, const char *name, struct km_err *err);
/* 1: a row; 0: end; negative: error. */
int km_csv_next(struct km_csv *c, struct km_err *err);
int km_csv_u64(struct km_csv *c, int column, uint64_t *out, struct km_err *err);
int km_csv_double(struct km_csv *c, int column, double *out, struct km_err *err);
void km_csv_close(struct km_csv *c);

#endif
