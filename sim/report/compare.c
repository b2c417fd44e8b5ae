/* SPDX-License-Identifier: MIT
 * compare.c - `kmemsim compare`: the table on stdout, and a page with the table and overlaid plots.
 */
#include "sim/base/whole_file.h"
#include "sim/report/compare_plot.h"
#include "sim/report/compare_table.h"
#include "sim/report/html.h"
#include "sim/report/redraw.h"
#include "sim/report/report.h"

#include <errno.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SHORT_TEXT = 16 }; /* characters that stand in a column like a number */

/* The last part of the folder's name, or all of it if two runs would share it. */
static void name_runs(struct km_compare *c)
{
    for (unsigned r = 0; r < c->nr_runs; r++) {
        char copy[KM_OUT_PATH_MAX];

        snprintf(copy, sizeof(copy), "%s", c->dir[r]);
        snprintf(c->label[r], sizeof(c->label[r]), "%s", basename(copy));
    }
    for (unsigned r = 0; r < c->nr_runs; r++)
        for (unsigned k = 0; k < r; k++)
            if (!strcmp(c->label[r], c->label[k]))
                snprintf(c->label[r], sizeof(c->label[r]), "run %u", r + 1);
}

static void write_head_row(FILE *f, const struct km_compare *c)
{
    fputs("<div class=\"scroll\"><table><thead><tr><th>Value</th>", f);
    for (unsigned r = 0; r < c->nr_runs; r++) {
        fputs("<th class=\"n\">", f);
        km_html_text(f, c->label[r]);
        fputs("</th>", f);
        if (r)
            fputs("<th class=\"n\">change</th>", f);
    }
    fputs("</tr></thead><tbody>\n", f);
}

static void write_row(FILE *f, const struct km_compare *c, const struct km_compare_row *row)
{
    char text[512];

    fprintf(f, "<tr%s><td class=\"w\"><code>", row->differs ? " class=\"diff\"" : "");
    km_html_text(f, row->name);
    fputs("</code></td>", f);
    for (unsigned r = 0; r < c->nr_runs; r++) {
        bool is_text = json_is_string(row->value[r]);

        km_compare_format(text, sizeof(text), row->value[r]);
        fputs(is_text && strlen(text) > SHORT_TEXT ? "<td class=\"w\">" : "<td class=\"n\">", f);
        if (json_is_number(row->value[r]))
            km_html_number(f, json_number_value(row->value[r]));
        else
            km_html_text(f, text);
        fputs("</td>", f);
        if (!r)
            continue;
        km_compare_change(text, sizeof(text), row->value[0], row->value[r]);
        fprintf(f, "<td class=\"n\">%s</td>", text);
    }
    fputs("</tr>\n", f);
}

static unsigned write_rows(FILE *f, const struct km_compare *c, const struct km_compare_rows *rows,
                           bool headline)
{
    unsigned shown = 0;

    write_head_row(f, c);
    for (unsigned i = 0; i < rows->nr; i++) {
        const struct km_compare_row *row = &rows->row[i];

        if (row->headline != headline || (!headline && !row->differs))
            continue;
        write_row(f, c, row);
        shown++;
    }
    fputs("</tbody></table></div>\n", f);
    return shown;
}

/* 1: data is in the file, 0: none, negative: error. */
static int plot_data(const struct km_compare_plot *plot, const struct km_compare *c,
                     const char *path, struct km_plot_args *args, struct km_err *err)
{
    FILE *f = fopen(path, "w");

    if (!f)
        return km_fail(err, KM_E_IO, path, 0, 0, "cannot write: %s", strerror(errno));
    int ret = plot->data(c, f, args, err);
    bool bad = ferror(f);
    if ((fclose(f) || bad) && ret >= 0)
        ret = km_fail(err, KM_E_IO, path, 0, 0, "cannot write: %s", strerror(errno));
    return ret;
}

static int write_plot(FILE *f, const struct km_compare_plot *plot, const struct km_compare *c,
                      const char *scratch, bool *can_draw, struct km_err *err)
{
    char data[KM_OUT_PATH_MAX], svg[KM_OUT_PATH_MAX];
    struct km_plot_args args = {0};
    enum km_drawn drawn = KM_DRAW_FAILED;

    snprintf(data, sizeof(data), "%s/%s.dat", scratch, plot->name);
    snprintf(svg, sizeof(svg), "%s/%s.svg", scratch, plot->name);
    int ret = plot_data(plot, c, data, &args, err);
    if (ret > 0 && *can_draw)
        drawn = km_gnuplot_run(plot->name, data, svg, &args);
    *can_draw = *can_draw && drawn != KM_DRAW_NO_GNUPLOT;
    fputs("<h2>", f);
    km_html_text(f, plot->title);
    fputs("</h2>\n<figure>", f);
    bool shown = drawn == KM_DRAWN && km_html_inline_svg(f, svg, plot->name);
    fputs("</figure>\n<p>", f);
    km_html_text(f, shown      ? plot->help
                    : ret == 0 ? plot->none
                               : "The plot was not drawn (is gnuplot installed?).");
    fputs("</p>\n", f);
    unlink(data);
    unlink(svg);
    return ret < 0 ? ret : KM_OK;
}

static int write_body(FILE *f, const struct km_compare *c, const struct km_compare_rows *rows,
                      struct km_err *err)
{
    char scratch[KM_OUT_PATH_MAX / 2];
    const char *tmp = getenv("TMPDIR");
    bool can_draw = true;
    int ret = KM_OK;

    snprintf(scratch, sizeof(scratch), "%.1024s/kmemsim-compare-XXXXXX",
             tmp && *tmp ? tmp : "/tmp");
    if (!mkdtemp(scratch))
        return km_fail(err, KM_E_IO, scratch, 0, 0, "cannot create a scratch folder: %s",
                       strerror(errno));
    fputs("<h1>Runs side by side</h1>\n<p class=\"lead\">Changes are relative to the first "
          "run.</p>\n",
          f);
    for (unsigned r = 0; r < c->nr_runs; r++) {
        fputs("<p><b>", f);
        km_html_text(f, c->label[r]);
        fputs("</b>: <code>", f);
        km_html_text(f, c->dir[r]);
        fputs("</code></p>\n", f);
    }
    fputs("<h2>Headlines</h2>\n", f);
    write_rows(f, c, rows, true);
    for (unsigned i = 0; ret == KM_OK && km_compare_plots[i].name; i++)
        ret = write_plot(f, &km_compare_plots[i], c, scratch, &can_draw, err);
    rmdir(scratch);
    fputs("<h2>Everything else that differs</h2>\n", f);
    if (!write_rows(f, c, rows, false))
        fputs("<p>Nothing.</p>\n", f);
    return ret;
}

static int write_page(const char *path, const struct km_compare *c,
                      const struct km_compare_rows *rows, struct km_err *err)
{
    char part[KM_OUT_PATH_MAX];

    if (!km_whole_file_begin(part, sizeof(part), path))
        return km_fail(err, KM_E_USAGE, NULL, 0, 0, "the name of the page is too long");
    FILE *f = fopen(part, "w");
    if (!f)
        return km_fail(err, KM_E_IO, path, 0, 0, "cannot write: %s", strerror(errno));
    km_html_head(f, "kmemsim: runs side by side");
    int ret = write_body(f, c, rows, err);
    km_html_tail(f);
    bool bad = fflush(f) || ferror(f);
    int saved_errno = bad ? km_out_write_errno(f) : 0;
    if (fclose(f) && !bad) {
        bad = true;
        saved_errno = errno;
    }
    int end_errno = km_whole_file_end(part, path, !ret && !bad);
    if (!ret && (bad || end_errno))
        ret = km_fail(err, KM_E_IO, path, 0, 0, "cannot write: %s", strerror(bad ? saved_errno : end_errno));
    return ret;
}

static int load(struct km_compare *c, const char *const *dirs, unsigned nr_dirs, struct km_err *err)
{
    for (unsigned r = 0; r < nr_dirs; r++) {
        c->dir[r] = dirs[r];
        c->summary[r] = km_summary_read(dirs[r], err);
        if (!c->summary[r])
            return KM_E_INPUT;
        c->nr_runs++;
    }
    name_runs(c);
    return KM_OK;
}

int km_report_compare(const char *const *dirs, unsigned nr_dirs, const char *out_html,
                      struct km_err *err)
{
    struct km_compare c = {0};
    struct km_compare_rows rows = {0};

    if (nr_dirs < 2 || nr_dirs > KM_COMPARE_RUNS)
        return km_fail(err, KM_E_USAGE, NULL, 0, 0,
                       "compare takes 2 to %u folders of finished runs", KM_COMPARE_RUNS);
    int ret = load(&c, dirs, nr_dirs, err);
    if (!ret && !km_compare_collect(&rows, &c))
        ret = km_fail(err, KM_E_NOMEM, NULL, 0, 0, "out of memory");
    if (!ret)
        km_compare_print(stdout, &c, &rows);
    if (!ret && (fflush(stdout) || ferror(stdout)))
        ret = km_fail(err, KM_E_IO, NULL, 0, 0, "cannot write the table: %s", strerror(errno));
    if (!ret && out_html)
        ret = write_page(out_html, &c, &rows, err);
    km_compare_release(&rows);
    for (unsigned r = 0; r < c.nr_runs; r++)
        json_decref(c.summary[r]);
    return ret;
}
