/* SPDX-License-Identifier: MIT
 * compare_table.c - walks the summaries of several runs side by side.
 *
 * Headlines (how true, how fragmented, how slow) are always shown, other values only where runs
 * differ.
 */
#include "sim/report/compare_table.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* A name that ends in a dot stands for all below it, "*" for one part of a name, "?" in front for "only where
 * runs differ". */
static const char *const headlines[] = {
    "complete",
    "?setup.ram_bytes",
    "?setup.cpus",
    "?setup.slab",
    "?carried_over.",
    "events",
    "events_applied",
    "?events_skipped.free_of_unknown",
    "?notable.",
    "refs",
    "sim_cycles",
    "sim_ns",
    "truth.skill.",
    "truth.samples",
    "truth.buddy_agreement",
    "truth.pfn_agreement",
    "truth.first_divergence_ns",
    "?slabs.",
    "?fragmentation.*.free_pages_start",
    "?fragmentation.*.free_pages_end",
    "?fragmentation.*.free_pages_min",
    "?fragmentation.*.free_pages_mean",
    "?fragmentation.*.largest_free_order_end",
    "?fragmentation.*.largest_free_order_min",
    "?fragmentation.*.unusable_index_mean_o1_o10.9",
    "?fragmentation.*.extfrag_index_end_o1_o10.9",
    "?fragmentation.*.mixed_pageblocks_end",
    "latency.*.mean",
    "latency.*.p99",
    "?cache.l1d.read_misses",
    "?cache.l1d.write_misses",
    "?cache.l2.read_misses",
    "?cache.l3.read_misses",
    "?false_sharing.hitm",
    "?false_sharing.cycles_lost",
    "?false_sharing.cycles_lost_false_sharing",
};

static bool matches(const char *name, const char *pattern)
{
    for (; *pattern; pattern++) {
        if (*pattern == '*') {
            name += strcspn(name, ".");
            continue;
        }
        if (*name++ != *pattern)
            return false;
    }
    return !*name || name[-1] == '.';
}

static bool is_headline(const char *name, bool differs)
{
    for (size_t i = 0; i < sizeof(headlines) / sizeof(headlines[0]); i++) {
        bool quiet = headlines[i][0] == '?';

        if ((differs || !quiet) && matches(name, headlines[i] + quiet))
            return true;
    }
    return false;
}

static struct km_compare_row *row_of(struct km_compare_rows *rows, const char *name)
{
    for (unsigned i = 0; i < rows->nr; i++)
        if (!strcmp(rows->row[i].name, name))
            return &rows->row[i];
    if (rows->nr == rows->size) {
        unsigned size = rows->size ? rows->size * 2 : 256;
        struct km_compare_row *row = realloc(rows->row, size * sizeof(*row));

        if (!row)
            return NULL;
        rows->row = row;
        rows->size = size;
    }
    struct km_compare_row *r = &rows->row[rows->nr++];
    memset(r, 0, sizeof(*r));
    snprintf(r->name, sizeof(r->name), "%s", name);
    return r;
}

static bool collect(struct km_compare_rows *rows, unsigned run, const char *name, const json_t *v);

static bool collect_member(struct km_compare_rows *rows, unsigned run, const char *prefix,
                           const char *key, const json_t *v)
{
    char name[160];

    snprintf(name, sizeof(name), "%s%s%s", prefix, *prefix ? "." : "", key);
    return collect(rows, run, name, v);
}

static bool collect(struct km_compare_rows *rows, unsigned run, const char *name, const json_t *v)
{
    const char *key;
    json_t *member;
    bool ok = true;

    if (json_is_object(v)) {
        json_object_foreach((json_t *)v, key, member) ok =
            ok && collect_member(rows, run, name, key, member);
        return ok;
    }
    for (size_t i = 0; json_is_array(v) && i < json_array_size(v); i++) {
        char index[24];

        snprintf(index, sizeof(index), "%zu", i + 1);
        ok = ok && collect_member(rows, run, name, index, json_array_get(v, i));
    }
    if (json_is_array(v))
        return ok;
    struct km_compare_row *r = row_of(rows, name);

    if (r)
        r->value[run] = v;
    return r != NULL;
}

static bool is_host_dependent(const json_t *summary, const char *key)
{
    json_t *list = json_object_get(summary, "nondeterministic"), *name;
    size_t i;

    if (!strcmp(key, "nondeterministic"))
        return true;
    json_array_foreach(list, i, name) if (json_is_string(name) &&
                                          !strcmp(json_string_value(name), key)) return true;
    return false;
}

static bool same(const json_t *a, const json_t *b)
{
    return a && b ? json_equal(a, b) : a == b;
}

bool km_compare_collect(struct km_compare_rows *rows, const struct km_compare *c)
{
    const char *key;
    json_t *v;

    for (unsigned run = 0; run < c->nr_runs; run++)
        json_object_foreach(c->summary[run], key,
                            v) if (!is_host_dependent(c->summary[run], key) &&
                                   !collect_member(rows, run, "", key, v)) return false;
    for (unsigned i = 0; i < rows->nr; i++) {
        struct km_compare_row *row = &rows->row[i];

        for (unsigned run = 1; run < c->nr_runs; run++)
            row->differs |= !same(row->value[0], row->value[run]);
        row->headline = is_headline(row->name, row->differs);
    }
    return true;
}

void km_compare_release(struct km_compare_rows *rows)
{
    free(rows->row);
    memset(rows, 0, sizeof(*rows));
}

void km_compare_format(char *out, size_t size, const json_t *v)
{
    if (json_is_integer(v))
        snprintf(out, size, "%lld", (long long)json_integer_value(v));
    else if (json_is_real(v))
        snprintf(out, size, "%.6g", json_real_value(v));
    else if (json_is_string(v))
        snprintf(out, size, "%s", json_string_value(v));
    else if (json_is_boolean(v))
        snprintf(out, size, "%s", json_is_true(v) ? "yes" : "no");
    else
        snprintf(out, size, "-");
}

void km_compare_change(char *out, size_t size, const json_t *from, const json_t *to)
{
    double a = json_number_value(from), b = json_number_value(to);

    out[0] = '\0';
    if (json_is_number(from) && json_is_number(to) && a > 0 && b >= 10 * a)
        snprintf(out, size, "\xC3\x97%.3g", b / a); /* U+00D7 times */
    else if (json_is_number(from) && json_is_number(to) && a != 0 && a != b)
        snprintf(out, size, "%+.3g %%", 100.0 * (b - a) / fabs(a));
}

static void print_cell(FILE *f, const char *text)
{
    /* keep the columns: a long text is cut here, compare.html has all of it */
    if (strlen(text) > 18)
        fprintf(f, "  %.15s...", text);
    else
        fprintf(f, "  %18s", text);
}

static void print_row(FILE *f, const struct km_compare *c, const struct km_compare_row *r)
{
    char text[512];

    fprintf(f, "%c %-44s", r->differs ? '*' : ' ', r->name);
    for (unsigned run = 0; run < c->nr_runs; run++) {
        km_compare_format(text, sizeof(text), r->value[run]);
        print_cell(f, text);
    }
    if (c->nr_runs == 2) {
        km_compare_change(text, sizeof(text), r->value[0], r->value[1]);
        fprintf(f, "%s%s", *text ? "  " : "", text);
    }
    fputc('\n', f);
}

void km_compare_print(FILE *f, const struct km_compare *c, const struct km_compare_rows *rows)
{
    unsigned same_rows = 0;

    fprintf(f, "  %-44s", "");
    for (unsigned run = 0; run < c->nr_runs; run++)
        print_cell(f, c->label[run]);
    fputc('\n', f);
    for (unsigned i = 0; i < rows->nr; i++)
        if (rows->row[i].headline)
            print_row(f, c, &rows->row[i]);
    for (unsigned i = 0; i < rows->nr; i++) {
        same_rows += !rows->row[i].differs;
        if (!rows->row[i].headline && rows->row[i].differs)
            print_row(f, c, &rows->row[i]);
    }
    fprintf(f, "%u of %u values are the same in all runs; * marks those that differ\n", same_rows,
            rows->nr);
}
