/* SPDX-License-Identifier: MIT
 * series.c - thinning of time series for plots.
 */
#include "sim/report/series.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static struct km_series *series_of(struct km_series_set *set, const char *key)
{
    for (unsigned i = 0; i < set->nr; i++)
        if (!strcmp(set->series[i].key, key))
            return &set->series[i];
    if (set->nr == KM_SERIES_MAX)
        return NULL;
    struct km_series *s = &set->series[set->nr];

    s->row = calloc(KM_SERIES_POINTS + 1, sizeof(*s->row));
    if (!s->row)
        return NULL;
    snprintf(s->key, sizeof(s->key), "%s", key);
    s->stride = 1;
    set->nr++;
    return s;
}

static void halve(struct km_series *s)
{
    for (uint32_t i = 0; i < s->nr / 2; i++)
        memcpy(s->row[i], s->row[2 * i], sizeof(s->row[0]));
    s->nr /= 2;
    s->stride *= 2;
}

bool km_series_add(struct km_series_set *set, const char *key, const double *row)
{
    struct km_series *s = series_of(set, key);

    if (!s)
        return false;
    if (s->last_is_extra)
        s->nr--;
    if (s->nr == KM_SERIES_POINTS)
        halve(s);
    s->last_is_extra = s->seen++ % s->stride != 0;
    memcpy(s->row[s->nr++], row, set->width * sizeof(row[0]));
    return true;
}

bool km_series_span(const struct km_series_set *set)
{
    for (unsigned i = 0; i < set->nr; i++)
        if (set->series[i].nr > 1)
            return true;
    return false;
}

void km_series_write(const struct km_series_set *set, FILE *f)
{
    for (unsigned i = 0; i < set->nr; i++) {
        const struct km_series *s = &set->series[i];

        fprintf(f, "%s# %s\n", i ? "\n\n" : "", s->key);
        for (uint32_t r = 0; r < s->nr; r++)
            for (unsigned c = 0; c < set->width; c++) {
                char end = c + 1 < set->width ? ' ' : '\n';

                if (isnan(s->row[r][c]))
                    fprintf(f, "NaN%c", end);
                else
                    fprintf(f, "%.10g%c", s->row[r][c], end);
            }
    }
}

void km_series_keys(const struct km_series_set *set, char *out, size_t size)
{
    size_t at = 0;

    out[0] = '\0';
    for (unsigned i = 0; i < set->nr; i++) {
        const char *gap = i ? " " : "", *key = set->series[i].key;

        if (at + strlen(gap) + strlen(key) >= size)
            return;
        at += (size_t)snprintf(out + at, size - at, "%s%s", gap, key);
        for (size_t k = at - strlen(key); k < at; k++)
            if (out[k] == ' ')
                out[k] = '_';
    }
}

void km_series_release(struct km_series_set *set)
{
    for (unsigned i = 0; i < set->nr; i++)
        free(set->series[i].row);
    set->nr = 0;
}
