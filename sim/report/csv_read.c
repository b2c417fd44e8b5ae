/* SPDX-License-Identifier: MIT
 * csv_read.c - the reader of RFC 4180 lines with a header; fields do not span lines.
 */
#include "sim/report/csv_read.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Cuts the line into fields in place. Returns their number, or -1 if there are too many or a quote
 * is open. */
static int split(char *s, char *field[KM_CSV_FIELDS])
{
    unsigned n = 0;

    for (;;) {
        if (n == KM_CSV_FIELDS)
            return -1;
        char *to = field[n++] = s;
        bool quoted = *s == '"';

        if (quoted)
            s++;
        for (; *s && (quoted || *s != ','); s++) {
            if (quoted && *s == '"') {
                if (s[1] != '"')
                    break;
                s++;
            }
            *to++ = *s;
        }
        if (quoted && *s++ != '"')
            return -1;
        char end = *s;
        *to = '\0';
        if (!end)
            return (int)n;
        if (end != ',')
            return -1;
        s++;
    }
}

static int read_line(struct km_csv *c)
{
    ssize_t len = getline(&c->line, &c->line_size, c->f);

    if (len < 0)
        return 0;
    c->line_nr++;
    while (len > 0 && (c->line[len - 1] == '\n' || c->line[len - 1] == '\r'))
        c->line[--len] = '\0';
    return 1;
}

int km_csv_open(struct km_csv *c, const char *dir, const char *name, struct km_err *err)
{
    memset(c, 0, sizeof(*c));
    snprintf(c->path, sizeof(c->path), "%s/%s", dir, name);
    c->f = fopen(c->path, "r");
    if (!c->f && errno == ENOENT)
        return 1;
    if (!c->f)
        return km_fail(err, KM_E_IO, c->path, 0, 0, "cannot open: %s", strerror(errno));
    if (!read_line(c))
        return km_fail(err, KM_E_INPUT, c->path, 1, 0, "the file has no header line");
    c->header = strdup(c->line);
    int n = c->header ? split(c->header, c->column) : -1;
    if (n < 0)
        return km_fail(err, KM_E_INPUT, c->path, 1, 0, "the header line is damaged");
    c->nr_columns = (unsigned)n;
    return KM_OK;
}

int km_csv_column(struct km_csv *c, const char *name, struct km_err *err)
{
    for (unsigned i = 0; i < c->nr_columns; i++)
        if (!strcmp(c->column[i], name))
            return (int)i;
    return km_fail(err, KM_E_INPUT, c->path, 1, 0, "column '%s' is missing", name);
}

int km_csv_next(struct km_csv *c, struct km_err *err)
{
    if (!read_line(c))
        return ferror(c->f) ? km_fail(err, KM_E_IO, c->path, c->line_nr, 0, "cannot read") : 0;
    int n = split(c->line, c->field);
    if (n != (int)c->nr_columns)
        return km_fail(err, KM_E_INPUT, c->path, c->line_nr, 0, "expected %u fields",
                       c->nr_columns);
    return 1;
}

int km_csv_u64(struct km_csv *c, int column, uint64_t *out, struct km_err *err)
{
    char *s = c->field[column], *end;

    errno = 0;
    *out = strtoull(s, &end, 0);
    if (end == s || *end || errno || *s == '-')
        return km_fail(err, KM_E_INPUT, c->path, c->line_nr, 0,
                       "'%s' in column '%s' is no whole number", s, c->column[column]);
    return KM_OK;
}

int km_csv_double(struct km_csv *c, int column, double *out, struct km_err *err)
{
    char *s = c->field[column], *end;

    *out = strtod(s, &end);
    if (end == s || *end || *out != *out)
        return km_fail(err, KM_E_INPUT, c->path, c->line_nr, 0, "'%s' in column '%s' is no number",
                       s, c->column[column]);
    return KM_OK;
}

void km_csv_close(struct km_csv *c)
{
    if (c->f)
        fclose(c->f);
    free(c->line);
    free(c->header);
    memset(c, 0, sizeof(*c));
}
