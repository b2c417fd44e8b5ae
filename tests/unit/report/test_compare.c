/* SPDX-License-Identifier: MIT
 * test_compare.c - runs side by side: the table, the page, and bad input.
 *
 * With KM_KEEP_COMPARE=FILE.html the page of two_runs stays, to look at.
 */
#include "report_feed.h"
#include "report_support.h"

#include <fcntl.h>
#include <jansson.h>

#include "sim/report/compare_table.h"

static json_t *summary(const char *text)
{
    json_t *root = json_loads(text, 0, NULL);

    assert_non_null(root);
    return root;
}

static void only_differences_and_headlines(void **state)
{
    struct km_compare c = {.nr_runs = 2, .label = {"a", "b"}};
    struct km_compare_rows rows = {0};
    char *text = NULL;
    size_t size;

    (void)state;
    c.summary[0] = summary(
        "{\"seed\": 1, \"events\": 50, \"truth\": {\"skill\": {\"DMA\": 0.5}}, \"x\": [1, 2],"
        " \"wall_s\": 3, \"nondeterministic\": [\"wall_s\"], \"only_a\": \"yes\"}");
    c.summary[1] = summary(
        "{\"seed\": 1, \"events\": 50, \"truth\": {\"skill\": {\"DMA\": 0.75}}, \"x\": [1, 3],"
        " \"wall_s\": 4, \"nondeterministic\": [\"wall_s\"]}");
    assert_true(km_compare_collect(&rows, &c));
    assert_int_equal(rows.nr, 6); /* seed events skill x.1 x.2 only_a */
    FILE *f = open_memstream(&text, &size);
    km_compare_print(f, &c, &rows);
    fclose(f);
    assert_non_null(strstr(text, "  events "));
    assert_non_null(strstr(text, "* truth.skill.DMA"));
    assert_non_null(strstr(text, "+50 %"));
    assert_non_null(strstr(text, "* x.2"));
    assert_non_null(strstr(text, "* only_a"));
    assert_null(strstr(text, "x.1"));
    assert_null(strstr(text, "seed"));
    assert_null(strstr(text, "wall_s"));
    assert_non_null(strstr(text, "3 of 6 values are the same"));
    free(text);
    km_compare_release(&rows);
    json_decref(c.summary[0]);
    json_decref(c.summary[1]);
}

/* stdout of km_report_compare goes to a file, so that it does not mix with the test's own lines. */
static int compare_quietly(const char *const *dirs, unsigned nr, const char *html,
                           const char *table, struct km_err *err)
{
    fflush(stdout);
    int saved = dup(1), to = open(table, O_WRONLY | O_CREAT | O_TRUNC, 0666);
    assert_true(saved >= 0 && to >= 0);
    dup2(to, 1);
    int ret = km_report_compare(dirs, nr, html, err);
    fflush(stdout);
    dup2(saved, 1);
    close(saved);
    close(to);
    return ret;
}

static void two_runs(void **state)
{
    struct scratch *s = *state;
    const char *keep = getenv("KM_KEEP_COMPARE");
    char a[300], b[300], html[300], table[300];
    const char *dirs[] = {a, b};
    struct km_err err = {0};

    snprintf(a, sizeof(a), "%s/slub", s->dir);
    snprintf(b, sizeof(b), "%s/slab", s->dir);
    snprintf(html, sizeof(html), "%s", keep ? keep : s->dir);
    if (!keep)
        snprintf(html, sizeof(html), "%s/compare.html", s->dir);
    snprintf(table, sizeof(table), "%s/table", s->dir);
    assert_int_equal(fill(a, false, 1), KM_OK);
    assert_int_equal(fill(b, false, 4), KM_OK);
    if (compare_quietly(dirs, 2, html, table, &err))
        fail_msg("%s: %s", err.file, err.msg);
    char *text = read_file(table), *page = read_file(html);
    assert_non_null(strstr(text, "* truth.skill.Normal"));
    assert_non_null(strstr(text, "* latency.kmalloc.mean"));
    assert_non_null(strstr(page, "truth.skill.Normal"));
    assert_null(strstr(page, "<script"));
    assert_non_null(strstr(page, "</html>"));
    if (system("gnuplot --version >/dev/null 2>&1") == 0) {
        assert_non_null(strstr(page, "<svg"));
        assert_null(strstr(page, "was not drawn"));
    }
    free(text);
    free(page);
}

static void runs_without_samples(void **state)
{
    struct scratch *s = *state;
    char table[300], html[300];
    const char *dirs[] = {s->dir, s->dir, s->dir};

    write_in(s->dir, "summary.json", "{\"schema\": 1, \"events\": 1}");
    snprintf(table, sizeof(table), "%s/table", s->dir);
    snprintf(html, sizeof(html), "%s/c.html", s->dir);
    assert_int_equal(compare_quietly(dirs, 3, html, table, NULL), KM_OK);
    char *page = read_file(html);
    assert_null(strstr(page, "<svg"));
    assert_non_null(strstr(page, "None of the runs carries truth samples"));
    assert_non_null(strstr(page, "run 3"));
    free(page);
}

static void bad_input(void **state)
{
    struct scratch *s = *state;
    const char *dirs[] = {s->dir, "/nonexistent/run"};
    struct km_err err = {0};

    assert_int_equal(km_report_compare(dirs, 1, NULL, &err), KM_E_USAGE);
    write_in(s->dir, "summary.json", "{\"schema\": 1}");
    assert_int_equal(km_report_compare(dirs, 2, NULL, &err), KM_E_INPUT);
    assert_string_equal(err.file, "/nonexistent/run");
}

static void full_disk(void **state)
{
    struct scratch *s = *state;
    char table[300], part[400], html[300];
    const char *dirs[] = {s->dir, s->dir};
    struct km_err err = {0};

    write_in(s->dir, "summary.json", "{\"schema\": 1, \"events\": 1}");
    snprintf(table, sizeof(table), "%s/table", s->dir);
    snprintf(html, sizeof(html), "%s/c.html", s->dir);
    snprintf(part, sizeof(part), "%s.part", html);
    assert_int_equal(symlink("/dev/full", part), 0);
    assert_int_equal(compare_quietly(dirs, 2, html, table, &err), KM_E_IO);
    assert_false(exists_in(s->dir, "c.html"));
}

#define T(f) cmocka_unit_test_setup_teardown(f, scratch_setup, scratch_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_differences_and_headlines),
        T(two_runs),
        T(runs_without_samples),
        T(bad_input),
        T(full_disk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
