/* SPDX-License-Identifier: MIT
 * test_report.c - files of a run: names, columns, skill, refusing and clearing a folder,
 * interruption, full disk.
 */
#include "report_support.h"

#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

static const uint64_t REAL0[KM_NR_ORDERS] = {10, 4, 0, 0, 1}, REAL1[KM_NR_ORDERS] = {6, 4, 2, 0, 1},
                      SIM1[KM_NR_ORDERS] = {6, 5, 2, 0, 1},
                      FLAT[KM_NR_ORDERS] = {0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 3};

static struct km_report *open_report(const char *dir, bool force)
{
    struct km_config cfg;
    struct km_err err = {0};
    struct km_report *r = NULL;

    plain_config(&cfg);
    assert_int_equal(km_report_open(&r, dir, &cfg, force, &err), KM_OK);
    return r;
}

static void finish(struct km_report *r)
{
    struct km_run_summary sum = {.complete = true, .events = 1000, .wall_s = 0.5};
    struct km_err err = {0};

    if (km_report_finish(r, &sum, NULL, &err))
        fail_msg("%s: %s", err.file, err.msg);
    km_report_close(r);
}

static void expect_text(const char *dir, const char *name, const char *want)
{
    char *text = read_in(dir, name);

    assert_non_null(text);
    assert_string_equal(text, want);
    free(text);
}

static void buddyinfo_and_truth_columns(void **state)
{
    struct scratch *s = *state;
    struct km_report *r = open_report(s->dir, false);

    km_report_buddyinfo(r, 12, 0, "Normal", REAL0);
    km_report_truth(r, 12, 0, "Normal", SIM1, REAL1);
    finish(r);
    expect_text(
        s->dir, "buddyinfo.csv",
        "time_ns,node,zone,order0,order1,order2,order3,order4,order5,order6,order7,order8,order9,"
        "order10\n12,0,Normal,10,4,0,0,1,0,0,0,0,0,0\n");
    expect_text(s->dir, "truth.csv",
                "time_ns,node,zone,order,sim,real\n12,0,Normal,0,6,6\n12,0,Normal,1,5,4\n12,0,"
                "Normal,2,2,2\n"
                "12,0,Normal,3,0,0\n12,0,Normal,4,1,1\n12,0,Normal,5,0,0\n12,0,Normal,6,0,0\n"
                "12,0,Normal,7,0,0\n12,0,Normal,8,0,0\n12,0,Normal,9,0,0\n12,0,Normal,10,0,0\n");
}

static void fragmentation_columns(void **state)
{
    struct scratch *s = *state;
    struct km_report *r = open_report(s->dir, false);
    struct km_frag_sample a = {.time_ns = 5,
                               .zone = "DMA",
                               .nr_free = {3, 2, 0, 1},
                               .internal_pct = -1,
                               .mixed_pageblocks = -1};
    struct km_frag_sample b = a;

    b.time_ns = 6;
    b.internal_pct = 12.5;
    b.mixed_pageblocks = 3;
    km_report_fragmentation(r, &a);
    km_report_fragmentation(r, &b);
    finish(r);
    char *text = read_in(s->dir, "fragmentation.csv");
    assert_non_null(strstr(text, "time_ns,zone,free_pages,extfrag_index_o1,extfrag_index_o2,"));
    assert_non_null(strstr(text, ",extfrag_index_o10,unusable_index_o1,"));
    assert_non_null(strstr(text, ",unusable_index_o10,internal_pct,mixed_pageblocks\n"));
    /* order 4: 678, 5: 1000-(1000+468)/6=756, 6: 1000-(1000+234)/6=795, 7: 814, 8: 824, 9: 829, 10:
     * 831 */
    assert_non_null(
        strstr(text, "5,DMA,15,-1.000,-1.000,-1.000,0.678,0.756,0.795,0.814,0.824,0.829,0.831,"
                     "0.200,0.466,0.466,1.000,1.000,1.000,1.000,1.000,1.000,1.000,,\n"));
    assert_non_null(strstr(text, ",12.500,3\n"));
    free(text);
}

/* SIM1 is off by 1 block in the second of two samples, staying put would be off by 4+2 = 6: skill
 * 5/6. */
static void skill_of_a_changing_zone(void **state)
{
    struct scratch *s = *state;
    struct km_report *r = open_report(s->dir, false);
    double skill = 0;
    uint64_t samples = 0;

    assert_false(km_report_skill(r, "Normal", &skill, &samples));
    km_report_truth(r, 1, 0, "Normal", REAL0, REAL0);
    km_report_truth(r, 2, 0, "Normal", SIM1, REAL1);
    assert_true(km_report_skill(r, "Normal", &skill, &samples));
    assert_int_equal(samples, 2);
    assert_true(fabs(skill - 5.0 / 6.0) < 1e-12);
    finish(r);
}

static void skill_of_a_still_zone(void **state)
{
    struct scratch *s = *state;
    struct km_report *r = open_report(s->dir, false);
    double skill = 0;
    uint64_t samples = 0;

    km_report_truth(r, 1, 0, "DMA", FLAT, FLAT);
    km_report_truth(r, 2, 0, "DMA", FLAT, FLAT);
    km_report_truth(r, 1, 1, "DMA", REAL0, FLAT);
    assert_true(km_report_skill(r, "DMA", &skill, &samples));
    assert_true(skill == 1.0);
    assert_true(km_report_skill(r, "Node1/DMA", &skill, &samples));
    assert_true(isnan(skill));
    finish(r);

    char *text = read_in(s->dir, "summary.json");
    json_t *root = json_loads(text, 0, NULL), *truth = json_object_get(root, "truth");
    json_t *far = json_object_get(json_object_get(truth, "zones"), "Node1/DMA");
    assert_true(json_is_null(json_object_get(json_object_get(truth, "skill"), "Node1/DMA")));
    assert_true(json_real_value(json_object_get(json_object_get(truth, "skill"), "DMA")) == 1.0);
    assert_int_equal(json_integer_value(json_object_get(truth, "samples")), 3);
    assert_true(json_real_value(json_object_get(far, "mean_abs_error_blocks")) == 15 + 5);
    assert_int_equal(json_integer_value(json_object_get(far, "samples_exact")), 0);
    json_decref(root);
    free(text);
}

static void latency_per_cpu_and_together(void **state)
{
    struct scratch *s = *state;
    struct km_report *r = open_report(s->dir, false);
    char other[] = "kmalloc"; /* same text elsewhere in memory must be the same API */

    for (uint64_t v = 1; v <= 100; v++) {
        km_report_latency(r, "kmalloc", 0, v);
        km_report_latency(r, other, 1, 200);
        km_report_latency(r, "kfree", 0, 7);
    }
    finish(r);
    expect_text(
        s->dir, "latency.csv",
        "api,cpu,count,mean,p50,p90,p99,p999,max\nkfree,0,100,7.000,7,7,7,7,7\n"
        "kmalloc,0,100,50.500,50,90,99,100,100\nkmalloc,1,100,200.000,200,200,200,200,200\n");
    char *text = read_in(s->dir, "latency_hist.csv");
    assert_non_null(
        strstr(text, "api,cpu,low_cycles,high_cycles,count\nkfree,0,7,7,100\nkmalloc,0,1,1,1\n"));
    free(text);
    text = read_in(s->dir, "summary.json");
    json_t *root = json_loads(text, 0, NULL);
    json_t *kmalloc = json_object_get(json_object_get(root, "latency"), "kmalloc");
    assert_int_equal(json_integer_value(json_object_get(kmalloc, "count")), 200);
    assert_int_equal(json_integer_value(json_object_get(kmalloc, "p50")), 100);
    assert_int_equal(json_integer_value(json_object_get(kmalloc, "p90")), 200);
    json_decref(root);
    free(text);
}

static void events_and_callsites(void **state)
{
    struct scratch *s = *state;
    struct km_report *r = open_report(s->dir, false);
    struct km_callsite_totals small = {.allocs = 4, .bytes_requested = 60, .bytes_allocated = 80},
                              big = {.allocs = 1,
                                     .frees = 4,
                                     .frees_remote = 1,
                                     .bytes_requested = 4096,
                                     .bytes_allocated = 4096,
                                     .cycles = 99};

    km_report_event(r, 9, 1, "extfrag", "order %d, \"Movable\"", 3);
    for (int i = 0; i < 3000; i++) { /* far past the first size of the table */
        char site[32];

        snprintf(site, sizeof(site), "site_%04d", i);
        km_report_callsite(r, site, &(struct km_callsite_totals){.allocs = 1});
    }
    km_report_callsite(r, "alloc_inode", &big);
    km_report_callsite(r, "a,b", &(struct km_callsite_totals){.allocs = 1});
    km_report_callsite(r, "a,b", &small); /* totals, not increments */
    finish(r);
    expect_text(s->dir, "events.csv",
                "time_ns,cpu,kind,detail\n9,1,extfrag,\"order 3, \"\"Movable\"\"\"\n");
    char *text = read_in(s->dir, "callsites.csv");
    assert_ptr_equal(strstr(text,
                            "site,allocs,frees,frees_remote,pingpong_pct,bytes_requested,"
                            "bytes_allocated,fragmentation_pct,cycles\n"
                            "alloc_inode,1,4,1,25.000,4096,4096,0.000,99\n"
                            "\"a,b\",4,0,0,,60,80,25.000,0\nsite_0000,1,0,0,,0,0,,0\nsite_0001"),
                     text);
    free(text);
}

static bool owner_of(void *ctx, km_paddr pa, struct km_line_owner *out)
{
    (void)ctx;
    if (pa != 0x1000)
        return false;
    *out = (struct km_line_owner){.name = "dentry",
                                  .offset = 32,
                                  .object = true,
                                  .object_va = 0xc0000fe0,
                                  .object_index = 3,
                                  .object_bytes = 128,
                                  .objects = 2,
                                  .site = "d_alloc+0x18, x"};
    return true;
}

static void shared_lines(void **state)
{
    struct scratch *s = *state;
    struct km_report *r = open_report(s->dir, false);
    struct km_shared_line line[] = {
        {.line_pa = 0x1000,
         .cpus_mask = 3,
         .readers = 5,
         .writers = 6,
         .hitm_remote = 2,
         .invalidations = 4,
         .cycles_lost = 800,
         .hitm_false = 1,
         .inv_false = 3,
         .cycles_false = 600,
         .hitm_by_cpu = {1, 1}},
        {.line_pa = 0x123456780, .cpus_mask = 9, .cycles_lost = 10},
        {.line_pa = 0x123456800, .cpus_mask = 1, .dma_writes = 2, .dma_invalidations = 1},
    };
    struct km_hw_stats hw = {.valid = true, .nr_shared_lines = 3, .shared_line = line};
    struct km_run_summary sum = {.complete = true};

    km_report_set_owner(r, owner_of, NULL);
    assert_int_equal(km_report_finish(r, &sum, &hw, NULL), KM_OK);
    km_report_close(r);
    expect_text(s->dir, "false_sharing.csv",
                "line_pa,cache_or_owner,object_offset,cpus,readers,writers,hitm_local,hitm_remote,"
                "invalidations,cycles_lost,sharing,hitm_true,hitm_false,invalidations_true,"
                "invalidations_false,cycles_true,cycles_false,cycles_dma,dma_reads,dma_writes,"
                "dma_hitm,dma_invalidations,hitm_cpus,object_va,object_index,object_bytes,"
                "objects_in_line,call_site\n"
                "0x1000,dentry,32,0 1,5,6,0,2,4,800,false,0,1,0,3,0,600,0,0,0,0,0,0:1 1:1,"
                "0xc0000fe0,3,128,2,\"d_alloc+0x18, x\"\n"
                "0x123456780,,,0 3,0,0,0,0,0,10,clean,0,0,0,0,0,0,0,0,0,0,0,,,,,,\n"
                "0x123456800,,,0,0,0,0,0,0,0,dma,0,0,0,0,0,0,0,0,2,0,1,,,,,,\n");
}

/* The saved configuration is one that loads again. */
static void config_is_saved(void **state)
{
    struct scratch *s = *state;
    struct km_config cfg;
    char path[400];

    finish(open_report(s->dir, false));
    snprintf(path, sizeof(path), "%s/config.resolved.yaml", s->dir);
    assert_int_equal(km_config_load(&cfg, path, NULL, 0, NULL, NULL), KM_OK);
    assert_int_equal(cfg.seed, 7);
    km_config_release(&cfg);
}

static void proc_text_is_kept_as_given(void **state)
{
    struct scratch *s = *state;
    struct km_report *r = open_report(s->dir, false);

    km_report_proc(r, true, "buddyinfo", "Node 0\n");
    km_report_proc(r, false, "meminfo", "MemTotal: 1 kB\n");
    finish(r);
    expect_text(s->dir, "proc/start/buddyinfo", "Node 0\n");
    expect_text(s->dir, "proc/meminfo", "MemTotal: 1 kB\n");
}

static void nonempty_folder_is_refused(void **state)
{
    struct scratch *s = *state;
    struct km_config cfg;
    struct km_err err = {0};
    struct km_report *r = NULL;

    plain_config(&cfg);
    write_in(s->dir, "notes.txt", "mine");
    assert_int_equal(km_report_open(&r, s->dir, &cfg, false, &err), KM_E_USAGE);
    assert_non_null(strstr(err.msg, "not empty"));
    assert_null(r);
    expect_text(s->dir, "notes.txt", "mine");
}

static void force_removes_only_files_of_a_run(void **state)
{
    struct scratch *s = *state;
    char plots[300];

    snprintf(plots, sizeof(plots), "%s/plots", s->dir);
    assert_int_equal(mkdir(plots, 0777), 0);
    write_in(s->dir, "notes.txt", "mine");
    write_in(s->dir, "plots/mine.svg", "<svg/>");
    write_in(s->dir, "plots/buddyinfo.svg", "<svg/>");
    write_in(s->dir, "summary.json", "{}");
    write_in(s->dir, "truth.csv.part", "half");
    struct km_report *r = open_report(s->dir, true);
    assert_true(exists_in(s->dir, "notes.txt"));
    assert_true(exists_in(s->dir, "plots/mine.svg"));
    assert_false(exists_in(s->dir, "plots/buddyinfo.svg"));
    assert_false(exists_in(s->dir, "summary.json"));
    finish(r);
    assert_true(exists_in(s->dir, "summary.json"));
    assert_false(exists_in(s->dir, "truth.csv.part"));
}

static void a_folder_in_use_is_refused(void **state)
{
    struct scratch *s = *state;
    struct km_config cfg;
    struct km_err err = {0};
    struct km_report *first = open_report(s->dir, false), *second = NULL;

    plain_config(&cfg);
    assert_int_equal(km_report_open(&second, s->dir, &cfg, true, &err), KM_E_USAGE);
    assert_non_null(strstr(err.msg, "another run"));
    assert_null(second);
    finish(first);
    assert_true(exists_in(s->dir, "summary.json"));
    km_report_close(open_report(s->dir, true));
}

/* A page names the reason why nothing was compared with a real kernel, and has no plots of other workloads. */
static void what_if_is_not_called_a_trace_without_samples(void **state)
{
    struct scratch *s = *state;
    struct km_config cfg;
    struct km_err err = {0};
    struct km_report *r = NULL;
    struct km_run_summary sum = {
        .complete = true, .events = 1000, .elsewhere = true, .start_moved_pages = 4711, .start_dropped_pages = 815};
    char *page;

    plain_config(&cfg);
    cfg.report.html = true;
    assert_int_equal(km_report_open(&r, s->dir, &cfg, false, &err), KM_OK);
    assert_int_equal(km_report_finish(r, &sum, NULL, &err), KM_OK);
    km_report_close(r);
    page = read_in(s->dir, "report.html");
    assert_non_null(strstr(page, "A what-if"));
    assert_non_null(strstr(page, "4711 pages moved"));
    assert_non_null(strstr(page, "815 did not fit"));
    assert_null(strstr(page, "no truth samples"));
    assert_null(strstr(page, "dependent loads"));
    free(page);
}

static void parents_are_created_and_files_are_not_folders(void **state)
{
    struct scratch *s = *state;
    struct km_config cfg;
    struct km_err err = {0};
    struct km_report *r = NULL;
    char path[400];

    snprintf(path, sizeof(path), "%s/a/b/c/", s->dir);
    finish(open_report(path, false));
    assert_true(exists_in(path, "summary.json"));
    plain_config(&cfg);
    snprintf(path, sizeof(path), "%s/a/b/c/truth.csv", s->dir);
    assert_int_equal(km_report_open(&r, path, &cfg, false, &err), KM_E_USAGE);
    assert_int_equal(km_report_open(&r, "", &cfg, false, &err), KM_E_USAGE);
}

/* Closed without finish, as after an error. */
static void closed_run_leaves_neither_whole_nor_half_files(void **state)
{
    struct scratch *s = *state;
    struct km_report *r = open_report(s->dir, false);

    km_report_buddyinfo(r, 1, 0, "DMA", FLAT);
    km_report_close(r);
    assert_false(exists_in(s->dir, "summary.json"));
    assert_false(exists_in(s->dir, "buddyinfo.csv"));
    assert_false(exists_in(s->dir, "buddyinfo.csv.part"));
}

static void incomplete_run_says_so(void **state)
{
    struct scratch *s = *state;
    struct km_report *r = open_report(s->dir, false);
    struct km_run_summary sum = {.complete = false};

    assert_int_equal(km_report_finish(r, &sum, NULL, NULL), KM_OK);
    km_report_close(r);
    char *text = read_in(s->dir, "summary.json");
    json_t *root = json_loads(text, 0, NULL);
    assert_true(json_is_false(json_object_get(root, "complete")));
    json_decref(root);
    free(text);
}

/* Without the keys listed under "nondeterministic" two summaries are the same text. */
static void summary_is_deterministic(void **state)
{
    struct scratch *s = *state;
    char dir[2][300], *text[2];

    for (int i = 0; i < 2; i++) {
        snprintf(dir[i], sizeof(dir[i]), "%s/%d", s->dir, i);
        struct km_report *r = open_report(dir[i], false);
        struct km_run_summary sum = {.complete = true,
                                     .events = 10,
                                     .wall_s = 1.0 + i,
                                     .skipped = {{"zero", 1}, {"alpha", 2}},
                                     .nr_skipped = 2};

        km_report_truth(r, 1, 0, "Normal", REAL0, REAL1);
        km_report_latency(r, "kfree", 0, 5);
        assert_int_equal(km_report_finish(r, &sum, NULL, NULL), KM_OK);
        km_report_close(r);
        char *json = read_in(dir[i], "summary.json");
        json_t *root = json_loads(json, 0, NULL), *list = json_object_get(root, "nondeterministic"),
               *key;
        size_t k;

        assert_true(json_array_size(list) == 6);
        json_incref(list);
        json_array_foreach(list, k, key)
            assert_int_equal(json_object_del(root, json_string_value(key)), 0);
        json_decref(list);
        text[i] = json_dumps(root, JSON_INDENT(1));
        json_decref(root);
        free(json);
    }
    assert_string_equal(text[0], text[1]);
    free(text[0]);
    free(text[1]);
}

/* RLIMIT_FSIZE makes write() fail like a full disk (EFBIG instead of ENOSPC). */
static void full_disk_is_reported(void **state)
{
    struct scratch *s = *state;
    struct rlimit old, tight = {4096, 4096};
    struct km_run_summary sum = {.complete = true};
    struct km_err err = {0};
    struct km_report *r = open_report(s->dir, false);

    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    tight.rlim_max = old.rlim_max;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &tight), 0);
    for (uint64_t t = 0; t < 2000; t++)
        km_report_buddyinfo(r, t, 0, "Normal", REAL0);
    bool noticed = km_report_failed(r);
    int ret = km_report_finish(r, &sum, NULL, &err);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    km_report_close(r);
    assert_true(noticed);
    assert_int_equal(ret, KM_E_IO);
    assert_non_null(strstr(err.file, "buddyinfo.csv"));
    assert_non_null(strstr(err.msg, strerror(EFBIG)));
    assert_false(exists_in(s->dir, "summary.json"));
    assert_false(exists_in(s->dir, "buddyinfo.csv"));
}

/* A device that is always full behind each file that is opened at the end. */
static void full_device_behind_each_file(void **state)
{
    static const char *const names[] = {"latency.csv",       "latency_hist.csv", "callsites.csv",
                                        "false_sharing.csv", "summary.json",     "proc/vmstat"};
    struct scratch *s = *state;

    for (size_t i = 0; i < KM_ARRAY_LEN(names); i++) {
        char dir[300], path[400];
        struct km_run_summary sum = {.complete = true};
        struct km_err err = {0};

        snprintf(dir, sizeof(dir), "%s/%zu", s->dir, i);
        struct km_report *r = open_report(dir, false);
        snprintf(path, sizeof(path), "%s/proc", dir);
        assert_int_equal(mkdir(path, 0777), 0);
        snprintf(path, sizeof(path), "%s/%s.part", dir, names[i]);
        assert_int_equal(symlink("/dev/full", path), 0);
        km_report_proc(r, false, "vmstat", "nr_free_pages 1\n");
        assert_int_equal(km_report_finish(r, &sum, NULL, &err), KM_E_IO);
        assert_non_null(strstr(err.file, names[i]));
        assert_non_null(strstr(err.msg, strerror(ENOSPC)));
        assert_false(exists_in(dir, names[i]));
        assert_false(exists_in(dir, "summary.json"));
        km_report_close(r);
    }
}

#define T(f) cmocka_unit_test_setup_teardown(f, scratch_setup, scratch_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(buddyinfo_and_truth_columns),
        T(fragmentation_columns),
        T(skill_of_a_changing_zone),
        T(skill_of_a_still_zone),
        T(latency_per_cpu_and_together),
        T(events_and_callsites),
        T(shared_lines),
        T(config_is_saved),
        T(proc_text_is_kept_as_given),
        T(nonempty_folder_is_refused),
        T(force_removes_only_files_of_a_run),
        T(a_folder_in_use_is_refused),
        T(what_if_is_not_called_a_trace_without_samples),
        T(parents_are_created_and_files_are_not_folders),
        T(closed_run_leaves_neither_whole_nor_half_files),
        T(incomplete_run_says_so),
        T(summary_is_deterministic),
        T(full_disk_is_reported),
        T(full_device_behind_each_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
