/* SPDX-License-Identifier: MIT
 * test_redraw.c - plots and report.html, fed with /proc/buddyinfo samples of a real 512 MiB machine under memory
 * pressure (data/buddyinfo_samples.txt: nanoseconds, zone, blocks of order 0..10).
 *
 * With KM_KEEP_REPORT=DIR the report of everything_drawn stays in DIR, to look at.
 */
#include "report_support.h"

#include <jansson.h>
#include <sys/stat.h>

#include "sim/report/frag.h"
#include "sim/report/html.h"
#include "sim/report/outdir.h"
#include "sim/report/plot.h"

static bool have_gnuplot(void)
{
    return system("gnuplot --version >/dev/null 2>&1") == 0;
}

/* A model that misses a few small blocks more and more: something to see in the error panel. */
static void feed_samples(struct km_report *r)
{
    char path[512], zone[16];
    uint64_t t, real[KM_NR_ORDERS], sim[KM_NR_ORDERS], n = 0;
    unsigned long long v;

    snprintf(path, sizeof(path), "%s/tests/unit/report/data/buddyinfo_samples.txt", KM_SOURCE_DIR);
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    while (fscanf(f, "%llu %15s", &v, zone) == 2) {
        t = v;
        for (unsigned o = 0; o < KM_NR_ORDERS; o++) {
            assert_int_equal(fscanf(f, "%llu", &v), 1);
            real[o] = v;
            sim[o] = v + (v > 20 ? (n * (o + 3)) % 17 * v / 400 : 0);
        }
        struct km_frag_sample s = {.time_ns = t, .zone = zone, .internal_pct = -1, .mixed_pageblocks = -1};
        memcpy(s.nr_free, sim, sizeof(sim));
        km_report_buddyinfo(r, t, 0, zone, sim);
        km_report_truth(r, t, 0, zone, sim, real);
        km_report_fragmentation(r, &s);
        n++;
    }
    fclose(f);
    assert_int_equal(n, 266);
}

static void feed_calls(struct km_report *r)
{
    uint64_t x = 88172645463325252u;

    for (unsigned i = 0; i < 200000; i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        unsigned cpu = (unsigned)(x >> 60) & 1;
        bool slow = x % 100 >= 88;

        km_report_latency(r, "kmalloc", cpu, slow ? 900 + x % 7000 : 85 + x % 60);
        km_report_latency(r, "kfree", cpu, slow ? 300 + x % 1500 : 60 + x % 50);
        if (i % 3 == 0)
            km_report_latency(r, "page_alloc", cpu, slow ? 5000 + x % 90000 : 210 + x % 190);
        if (i % 3 == 1)
            km_report_latency(r, "page_free", cpu, slow ? 2000 + x % 9000 : 150 + x % 80);
    }
}

static void feed_rest(struct km_report *r)
{
    static const char *const sites[] = {"alloc_inode", "__d_alloc", "<script>alert(1)</script>", "sk_prot_alloc"};

    for (unsigned i = 0; i < 40; i++)
        km_report_event(r, 50000000u * i, i % 2, i % 3 ? "extfrag" : "kswapd_wake",
                        "order %u: unmovable takes a movable block, pfn 0x%x", i % 5, 0x1200 + 8 * i);
    for (unsigned i = 0; i < KM_ARRAY_LEN(sites); i++)
        km_report_callsite(r, sites[i],
                           &(struct km_callsite_totals){.allocs = 9000 / (i + 1), .frees = 8000 / (i + 1),
                                                        .frees_remote = 700 * i, .bytes_requested = 900000 / (i + 1),
                                                        .bytes_allocated = 1000000 / (i + 1), .cycles = 123456});
    km_report_proc(r, false, "vmstat", "nr_free_pages 12345\n");
}

static bool owner_of(void *ctx, km_paddr pa, char *name, size_t size, uint32_t *offset)
{
    (void)ctx;
    snprintf(name, size, pa & 0x40 ? "kmalloc-32" : "zone lock");
    *offset = (uint32_t)(pa >> 7 & 31);
    return pa & 0xC0;
}

static int fill(const char *dir, bool plots)
{
    static struct km_shared_line line[14];
    struct km_hw_stats hw = {.valid = true, .nr_shared_lines = KM_ARRAY_LEN(line), .shared_line = line};
    struct km_run_summary sum = {.complete = true, .events = 151234, .events_applied = 150800,
                                 .skipped = {{"page event of the traced slab", 400}, {"lost start", 34}},
                                 .nr_skipped = 2, .refs = 123456789, .sim_ns = 8071955323, .sim_cycles = 5650368726,
                                 .buddy_events = 17054, .buddy_agree = 17051, .pfn_events = 90000,
                                 .pfn_agree = 76000, .first_divergence_ns = 1234567890,
                                 .first_divergence = "order 0 Movable: model took pfn 0x1234, kernel 0x1235",
                                 .start_state = "kpageflags, look-ahead"};
    struct km_config cfg;
    struct km_err err = {0};
    struct km_report *r;

    for (unsigned i = 0; i < KM_ARRAY_LEN(line); i++)
        line[i] = (struct km_shared_line){.line_pa = 0x1f3a0c0 + 0xc0 * i, .cpus_mask = 3, .readers = 500 - i,
                                          .writers = 100, .hitm_remote = 90, .invalidations = 80,
                                          .cycles_lost = 90000 / (i + 1), .overlapping_bytes = i % 3 == 0};
    hw.l1d = (struct km_cache_stats){.reads = 9999999, .writes = 3333333, .read_misses = 44444};
    hw.dram = (struct km_dram_stats){.reads = 4444, .read_latency_sum = 88888, .end_cycle = 999999, .bytes = 64 * 4444};
    plain_config(&cfg);
    snprintf(cfg.name, sizeof(cfg.name), "unit <b>&");
    cfg.report.plots = plots;
    cfg.report.html = true;
    assert_int_equal(km_report_open(&r, dir, &cfg, true, &err), KM_OK);
    feed_samples(r);
    feed_calls(r);
    feed_rest(r);
    km_report_set_owner(r, owner_of, NULL);
    int ret = km_report_finish(r, &sum, &hw, &err);
    if (ret)
        print_error("%s: %s\n", err.file, err.msg);
    km_report_close(r);
    return ret;
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
    assert_int_equal(fill(dir, true), KM_OK);
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
    assert_int_equal(count(html, "<svg"), 5);
    assert_int_equal(count(html, "</svg>"), 5);
    assert_null(strstr(html, "<script"));
    assert_non_null(strstr(html, "&lt;script&gt;alert(1)&lt;/script&gt;"));
    assert_non_null(strstr(html, "unit &lt;b&gt;&amp;"));
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
    assert_int_equal(fill(s->dir, true), KM_OK);
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

    assert_int_equal(fill(s->dir, true), KM_OK);
    char *first = read_in(s->dir, "report.html"), *data = read_in(s->dir, "plots/data/buddyinfo.dat");
    assert_int_equal(km_report_redraw(s->dir, &err), KM_OK);
    char *second = read_in(s->dir, "report.html"), *again = read_in(s->dir, "plots/data/buddyinfo.dat");
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
    int ret = fill(s->dir, true);
    setenv("PATH", path, 1);
    free(path);
    assert_int_equal(ret, KM_OK);
    assert_true(exists_in(s->dir, "summary.json"));
    assert_false(exists_in(s->dir, "plots/buddyinfo.svg"));
    assert_false(exists_in(s->dir, "plots/buddyinfo.svg.part"));
    char *html = read_in(s->dir, "report.html");
    assert_int_equal(count(html, "is gnuplot installed"), 5);
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
    write_in(s->dir, "summary.json", "{\"latency\": 3, \"truth\": {\"zones\": {\"DMA\": null}}}");
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

static void html_escapes_everything(void **state)
{
    char *text = NULL;
    size_t size;
    FILE *f = open_memstream(&text, &size);

    (void)state;
    km_html_text(f, "<a href=\"x\" onclick='y'>&amp;\x01\xff \xc3\xa9 \xed\xa0\x80 \xe2\x82\xac");
    fclose(f);
    assert_string_equal(text, "&lt;a href=&quot;x&quot; onclick=&#39;y&#39;&gt;&amp;amp;\xEF\xBF\xBD\xEF\xBF\xBD "
                              "\xc3\xa9 \xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD \xe2\x82\xac");
    free(text);
}

#define T(f) cmocka_unit_test_setup_teardown(f, scratch_setup, scratch_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(everything_drawn),       T(inlined_ids_are_unique),     T(redraw_gives_the_same_page),
        T(missing_gnuplot_is_no_failure), T(empty_run_has_no_plots), T(damaged_folders_are_errors),
        T(html_escapes_everything),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
