/* SPDX-License-Identifier: MIT
 * test_redraw.c - plots and report.html, fed with /proc/buddyinfo samples of a real 512 MiB machine
 * under memory pressure (data/buddyinfo_samples.txt: nanoseconds, zone, blocks of order 0..10).
 *
 * With KM_KEEP_REPORT=DIR the report of everything_drawn stays in DIR, to look at.
 */
#include "report_feed.h"
#include "report_support.h"

#include <jansson.h>
#include <sys/stat.h>

#include "sim/report/html.h"
#include "sim/report/outdir.h"
#include "sim/report/plot.h"

static bool have_gnuplot(void)
{
    return system("gnuplot --version >/dev/null 2>&1") == 0;
}

static unsigned count(const char *text, const char *what)
{
    unsigned n = 0;

    for (const char *p = text; (p = strstr(p, what)); p += strlen(what))
        n++;
    return n;
}

static void everything_drawn(void **state)
{
    struct scratch *s = *state;
    const char *keep = getenv("KM_KEEP_REPORT"), *dir = keep ? keep : s->dir;

    if (!have_gnuplot())
        skip();
    assert_int_equal(fill(dir, true, 1), KM_OK);
    for (unsigned i = 0; km_plots[i]; i++) {
        char name[64];

        snprintf(name, sizeof(name), "plots/%s.svg", km_plots[i]->name);
        char *svg = read_in(dir, name);
        if (!svg)
            fail_msg("%s is missing", name);
        assert_non_null(strstr(svg, "</svg>"));
        free(svg);
    }
    char *html = read_in(dir, "report.html");
    assert_int_equal(count(html, "<svg"), 6);
    assert_int_equal(count(html, "</svg>"), 6);
    assert_null(strstr(html, "<script"));
    assert_non_null(strstr(html, "&lt;script&gt;alert(1)&lt;/script&gt;"));
    assert_non_null(strstr(html, "unit &lt;b&gt;&amp;"));
    assert_non_null(strstr(html, "pages taken without an event, 1 allocation recorded later"));
    assert_null(strstr(html, "frees that went past"));
    assert_null(strstr(html, "http-equiv"));
    assert_null(strstr(html, "src="));
    assert_null(strstr(html, dir));
    free(html);
}

/* Ids of inlined drawings must not clash: every id occurs once in the page. */
static void inlined_ids_are_unique(void **state)
{
    struct scratch *s = *state;

    if (!have_gnuplot())
        skip();
    assert_int_equal(fill(s->dir, true, 1), KM_OK);
    char *html = read_in(s->dir, "report.html"), *p = html;
    unsigned ids = 0;

    while ((p = strstr(p, " id="))) {
        char id[80];
        size_t n = strcspn(p + 5, "\"'");

        snprintf(id, sizeof(id), "%.*s", (int)n + 6, p);
        if (count(html, id) != 1)
            fail_msg("%s occurs %u times", id, count(html, id));
        p += 5;
        ids++;
    }
    assert_true(ids > 5);
    free(html);
}

static void redraw_gives_the_same_page(void **state)
{
    struct scratch *s = *state;
    struct km_err err = {0};

    assert_int_equal(fill(s->dir, true, 1), KM_OK);
    char *first = read_in(s->dir, "report.html"),
         *data = read_in(s->dir, "plots/data/buddyinfo.dat");
    assert_int_equal(km_report_redraw(s->dir, &err), KM_OK);
    char *second = read_in(s->dir, "report.html"),
         *again = read_in(s->dir, "plots/data/buddyinfo.dat");
    assert_string_equal(first, second);
    assert_string_equal(data, again);
    free(first);
    free(second);
    free(data);
    free(again);
}

static void missing_gnuplot_is_no_failure(void **state)
{
    struct scratch *s = *state;
    char *path = strdup(getenv("PATH"));

    setenv("PATH", s->dir, 1);
    int ret = fill(s->dir, true, 1);
    setenv("PATH", path, 1);
    free(path);
    assert_int_equal(ret, KM_OK);
    assert_true(exists_in(s->dir, "summary.json"));
    assert_false(exists_in(s->dir, "plots/buddyinfo.svg"));
    assert_false(exists_in(s->dir, "plots/buddyinfo.svg.part"));
    char *html = read_in(s->dir, "report.html");
    assert_int_equal(count(html, "is gnuplot installed"), 6);
    free(html);
}

static void empty_run_has_no_plots(void **state)
{
    struct scratch *s = *state;
    struct km_run_summary sum = {.complete = false};
    struct km_config cfg;
    struct km_report *r;

    plain_config(&cfg);
    cfg.report.plots = cfg.report.html = true;
    assert_int_equal(km_report_open(&r, s->dir, &cfg, false, NULL), KM_OK);
    assert_int_equal(km_report_finish(r, &sum, NULL, NULL), KM_OK);
    km_report_close(r);
    for (unsigned i = 0; km_plots[i]; i++) {
        char name[64];

        snprintf(name, sizeof(name), "plots/%s.svg", km_plots[i]->name);
        assert_false(exists_in(s->dir, name));
    }
    char *html = read_in(s->dir, "report.html");
    assert_non_null(strstr(html, "This run was interrupted"));
    assert_non_null(strstr(html, "No call was timed"));
    assert_null(strstr(html, "<svg"));
    free(html);
}

static void damaged_folders_are_errors(void **state)
{
    struct scratch *s = *state;
    struct km_err err = {0};

    assert_int_equal(km_report_redraw(s->dir, &err), KM_E_INPUT);
    assert_non_null(strstr(err.msg, "no folder of a finished run"));
    write_in(s->dir, "summary.json", "{\"schema\": 1");
    assert_int_equal(km_report_redraw(s->dir, &err), KM_E_INPUT);
    assert_non_null(strstr(err.file, "summary.json"));
    write_in(s->dir, "summary.json", "[]");
    assert_int_equal(km_report_redraw(s->dir, &err), KM_E_INPUT);
    write_in(s->dir, "summary.json", "{\"schema\": 1, \"latency\": 3, \"truth\": {\"zones\": {\"DMA\": null}}}");
    assert_int_equal(km_report_redraw(s->dir, &err), KM_OK);
    write_in(s->dir, "truth.csv", "time_ns,node,zone,order,sim,real\n1,0,DMA,0,zero,1\n");
    assert_int_equal(km_report_redraw(s->dir, &err), KM_E_INPUT);
    assert_int_equal(err.line, 2);
    assert_non_null(strstr(err.msg, "zero"));
    write_in(s->dir, "truth.csv", "time_ns,node,zone,order,sim,real\n1,0,DMA,11,1,1\n");
    assert_int_equal(km_report_redraw(s->dir, &err), KM_E_INPUT);
    write_in(s->dir, "truth.csv", "time_ns,zone\n1,\"DMA\n");
    assert_int_equal(km_report_redraw(s->dir, &err), KM_E_INPUT);
    write_in(s->dir, "truth.csv", "");
    assert_int_equal(km_report_redraw(s->dir, &err), KM_E_INPUT);
}

/* Equal zone names on two nodes stay apart, in data and in order. */
static void nodes_are_series_of_their_own(void **state)
{
    struct scratch *s = *state;
    struct km_config cfg;
    struct km_report *r;
    struct km_run_summary sum = {.complete = true};
    const uint64_t near[KM_NR_ORDERS] = {7}, far[KM_NR_ORDERS] = {0, 4};

    plain_config(&cfg);
    cfg.report.plots = true;
    assert_int_equal(km_report_open(&r, s->dir, &cfg, false, NULL), KM_OK);
    for (uint64_t t = 0; t < 3; t++) {
        km_report_buddyinfo(r, t * 1000000000, 0, "Normal", near);
        km_report_buddyinfo(r, t * 1000000000, 1, "Normal", far);
    }
    assert_int_equal(km_report_finish(r, &sum, NULL, NULL), KM_OK);
    km_report_close(r);
    char *data = read_in(s->dir, "plots/data/buddyinfo.dat");
    assert_string_equal(data,
                        "# Normal\n0 7 0 0 0 0 0 0 0 0 0 0\n1 7 0 0 0 0 0 0 0 0 0 0\n"
                        "2 7 0 0 0 0 0 0 0 0 0 0\n\n\n# Node1/Normal\n0 0 8 0 0 0 0 0 0 0 0 0\n"
                        "1 0 8 0 0 0 0 0 0 0 0 0\n2 0 8 0 0 0 0 0 0 0 0 0\n");
    free(data);
}

/* Far more samples than a plot shows: thinned evenly, and the last one is there. */
static void long_series_are_thinned(void **state)
{
    struct scratch *s = *state;
    struct km_config cfg;
    struct km_report *r;
    struct km_run_summary sum = {.complete = true};

    plain_config(&cfg);
    cfg.report.plots = true;
    assert_int_equal(km_report_open(&r, s->dir, &cfg, false, NULL), KM_OK);
    for (uint64_t t = 0; t < 10000; t++)
        km_report_buddyinfo(r, t * 1000000000, 0, "DMA", (const uint64_t[KM_NR_ORDERS]){t});
    assert_int_equal(km_report_finish(r, &sum, NULL, NULL), KM_OK);
    km_report_close(r);
    char *data = read_in(s->dir, "plots/data/buddyinfo.dat");
    unsigned lines = count(data, "\n");
    assert_in_range(lines, 400, 802);
    assert_non_null(strstr(data, "\n0 0 0"));
    assert_non_null(strstr(data, "\n16 16 0"));
    assert_null(strstr(data, "\n15 15 0"));
    assert_non_null(strstr(data, "\n9999 9999 0"));
    free(data);
}

static void html_escapes_everything(void **state)
{
    char *text = NULL;
    size_t size;
    FILE *f = open_memstream(&text, &size);

    (void)state;
    km_html_text(f, "<a href=\"x\" onclick='y'>&amp;\x01\xff \xc3\xa9 \xed\xa0\x80 \xe2\x82\xac");
    fclose(f);
    assert_string_equal(
        text, "&lt;a href=&quot;x&quot; onclick=&#39;y&#39;&gt;&amp;amp;\xEF\xBF\xBD\xEF\xBF\xBD "
              "\xc3\xa9 \xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD \xe2\x82\xac");
    free(text);
}

#define T(f) cmocka_unit_test_setup_teardown(f, scratch_setup, scratch_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(everything_drawn),           T(inlined_ids_are_unique),
        T(redraw_gives_the_same_page), T(missing_gnuplot_is_no_failure),
        T(empty_run_has_no_plots),     T(damaged_folders_are_errors),
        T(html_escapes_everything),    T(nodes_are_series_of_their_own),
        T(long_series_are_thinned),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
