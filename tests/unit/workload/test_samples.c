/* SPDX-License-Identifier: MIT
 * test_samples.c - samples in time, comparison with the truth, objects that are live, lists that are checked.
 */
#include "tests/unit/workload/replay_rig.h"

#include <sys/wait.h>

static char out_dir[] = "/tmp/km_samples_XXXXXX";

static void open_report(struct rig *rig)
{
    strcpy(out_dir + sizeof(out_dir) - 7, "XXXXXX");
    assert_non_null(mkdtemp(out_dir));
    assert_int_equal(km_report_open(&rig->r.report, out_dir, &rig->cfg, false, NULL), KM_OK);
}

/* Text of a result file. */
static char *finished_file(struct rig *rig, const char *name)
{
    static char text[65536];
    char path[128];

    if (rig->r.report)
        assert_int_equal(km_report_finish(rig->r.report, &rig->r.sum, NULL, NULL), KM_OK);
    km_report_close(rig->r.report);
    rig->r.report = NULL;
    snprintf(path, sizeof(path), "%s/%s", out_dir, name);
    FILE *f = fopen(path, "r");

    assert_non_null(f);
    text[fread(text, 1, sizeof(text) - 1, f)] = '\0';
    fclose(f);
    return text;
}

static void remove_results(struct rig *rig)
{
    char command[128];

    km_report_close(rig->r.report);
    snprintf(command, sizeof(command), "rm -r '%s'", out_dir);
    assert_int_equal(system(command), 0);
    rig_free(rig);
}

static void mark(struct rig *rig, uint64_t time_ns, const char *text)
{
    struct km_event ev = {.type = KM_EV_MARK, .time_ns = time_ns, .text = {.text = text}};

    km_samples_mark(&rig->r, &ev);
}

/* The model has a block of order 3 and one of order 0; the kernel had 2 of order 0. */
static void a_buddyinfo_line_is_compared_as_the_model_stands(void **state)
{
    struct rig *rig = rig_new();

    (void)state;
    open_report(rig);
    rig_give(rig, RIG_BLOCK(1), 3, KM_MT_MOVABLE);
    mark(rig, 5000, "SAMPLE_BEGIN 1");
    rig_give(rig, RIG_BLOCK(1) + 16, 0, KM_MT_MOVABLE); /* before the line: counts */
    mark(rig, 5001, "BUDDYINFO Node 0, zone   Normal      2      0      0      1      0      0      0      0      0      0      0 ");
    rig_give(rig, RIG_BLOCK(1) + 32, 0, KM_MT_MOVABLE); /* behind it: does not */
    mark(rig, 5002, "BUDDYINFO Node 0, zone  HighMem      7      0      0      0      0      0      0      0      0      0      0 ");
    mark(rig, 5003, "BUDDYINFO Node 0, zone   Normal      1      0      0");
    mark(rig, 5004, "SAMPLE_CORE 1");
    assert_int_equal(rig->r.samples.taken, 1); /* no HighMem here, and half a line is none */
    char *truth = finished_file(rig, "truth.csv");

    assert_non_null(strstr(truth, "\n5001,0,Normal,0,1,2\n5001,0,Normal,1,0,0\n"));
    assert_non_null(strstr(truth, "\n5001,0,Normal,3,1,1\n"));
    assert_null(strstr(truth, "HighMem"));
    assert_non_null(strstr(finished_file(rig, "buddyinfo.csv"), "\n5001,0,Normal,1,0,0,1,0,0,0,0,0,0,0\n"));
    remove_results(rig);
}

/* period 1 ms: a sample when the trace first passes 0, 1, 2 ... ms; none twice, none made up for a gap. */
static void the_model_is_sampled_once_a_period(void **state)
{
    static const uint64_t times[] = {300, 999999, 1000000, 1500000, 7200000, 7999999, 8000001};
    struct rig *rig = rig_new();
    unsigned lines = 0;

    (void)state;
    open_report(rig);
    for (unsigned i = 0; i < KM_ARRAY_LEN(times); i++)
        km_samples_time(&rig->r, times[i]);
    char *text = finished_file(rig, "buddyinfo.csv");

    for (char *p = strstr(text, "Normal"); p; p = strstr(p + 1, "Normal"))
        lines++;
    assert_int_equal(lines, 4);
    assert_non_null(strstr(text, "\n300,0,Normal,"));
    assert_non_null(strstr(text, "\n1000000,0,Normal,"));
    assert_non_null(strstr(text, "\n7200000,0,Normal,"));
    assert_non_null(strstr(text, "\n8000001,0,Normal,"));
    remove_results(rig);
}

static void object(struct rig *rig, enum km_event_type type, unsigned cpu, uint64_t ptr, uint32_t req, uint32_t alloc)
{
    struct km_event ev = {
        .type = (uint8_t)type, .cpu = (uint8_t)cpu, .obj = {.ptr = ptr, .bytes_req = req, .bytes_alloc = alloc}};

    km_live_objects_event(&rig->r, &ev);
}

/* 100 of 128 bytes and 50 of 64 live: 42 of 192 bytes are waste; then one is freed on the other CPU. */
static void live_objects_know_their_waste_and_their_site(void **state)
{
    struct rig *rig = rig_new();

    (void)state;
    open_report(rig);
    assert_true(km_live_objects_internal_pct(&rig->r, KM_ZONE_NORMAL) < 0); /* nothing known yet */
    object(rig, KM_EV_KMALLOC, 0, 0xc1000000, 100, 128);
    object(rig, KM_EV_KMEM_CACHE_ALLOC, 1, 0xc1000100, 50, 64);
    assert_float_equal(km_live_objects_internal_pct(&rig->r, KM_ZONE_NORMAL), 100.0 * 42 / 192, 1e-9);
    object(rig, KM_EV_KFREE, 1, 0xc1000000, 0, 0);
    object(rig, KM_EV_KFREE, 1, 0xc1000000, 0, 0); /* twice: unknown by now */
    object(rig, KM_EV_KFREE, 0, 0, 0, 0);          /* kfree(NULL) */
    object(rig, KM_EV_KMALLOC, 0, 16, 0, 0);       /* ZERO_SIZE_PTR */
    assert_float_equal(km_live_objects_internal_pct(&rig->r, KM_ZONE_NORMAL), 100.0 * 14 / 64, 1e-9);
    object(rig, KM_EV_KMALLOC, 0, 0xc1000100, 64, 64); /* its free was silent */
    assert_float_equal(km_live_objects_internal_pct(&rig->r, KM_ZONE_NORMAL), 0, 1e-9);
    object(rig, KM_EV_KMALLOC, 0, 0xc0200000, 96, 128); /* the zones are counted apart */
    assert_float_equal(km_live_objects_internal_pct(&rig->r, KM_ZONE_DMA), 25, 1e-9);
    assert_float_equal(km_live_objects_internal_pct(&rig->r, KM_ZONE_NORMAL), 0, 1e-9);
    object(rig, KM_EV_KFREE, 0, 0xc0200000, 0, 0);
    km_live_objects_cost(&rig->r, &(struct km_event){.type = KM_EV_KFREE, .cpu = 0}, 77);
    km_live_objects_cost(&rig->r, &(struct km_event){.type = KM_EV_KFREE, .cpu = 1}, 5000); /* last: unknown */
    km_live_objects_finish(&rig->r);
    /* allocs, frees, remote frees, ping-pong, requested, allocated */
    const char *text = finished_file(rig, "callsites.csv");

    assert_non_null(strstr(text, "\n(unknown),4,2,1,50.000,310,384,"));
    assert_non_null(strstr(text, ",77\n"));
    remove_results(rig);
}

/* More objects than the table begins with; every second one is freed: the rest is still known. */
static void live_objects_survive_growth_and_deletion(void **state)
{
    struct rig *rig = rig_new();
    enum { N = 150000 };

    (void)state;
    for (unsigned i = 0; i < N; i++) {
        object(rig, KM_EV_KMALLOC, 0, 0xc1000000ull + 32 * i, 8, 32);
        if (i % 2)
            object(rig, KM_EV_KFREE, 0, 0xc1000000ull + 32 * (i - 1), 0, 0);
    }
    assert_float_equal(km_live_objects_internal_pct(&rig->r, KM_ZONE_NORMAL), 75, 1e-9);
    for (unsigned i = 1; i < N; i += 2)
        object(rig, KM_EV_KFREE, 0, 0xc1000000ull + 32 * i, 0, 0);
    assert_true(km_live_objects_internal_pct(&rig->r, KM_ZONE_NORMAL) < 0); /* none is left, none was lost */
    rig_free(rig);
}

static int exit_code_of_check(struct rig *rig)
{
    int status;
    pid_t pid = fork();

    if (!pid) {
        fclose(stderr);
        km_replay_check(&rig->r);
        _exit(0);
    }
    waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* A broken list is our own defect: exit code 70. */
static void broken_lists_stop_the_program(void **state)
{
    struct rig *rig = rig_new();
    struct km_guest *g = &rig->r.guest;
    km_vaddr count = g->os.zone[KM_ZONE_NORMAL].pcp_va[1] + KM_PCP_COUNT;

    (void)state;
    rig_give(rig, RIG_BLOCK(1), 3, KM_MT_MOVABLE);
    km_pcp_place(&g->os, &g->cpu[0], KM_ZONE_NORMAL, 1, RIG_BLOCK(1) + 64, 0, KM_MT_MOVABLE);
    assert_int_equal(exit_code_of_check(rig), 0);
    km_st32(&g->cpu[0], count, 2);
    assert_int_equal(exit_code_of_check(rig), KM_EXIT_BUG);
    km_st32(&g->cpu[0], count, 1);
    km_st32(&g->cpu[0], km_page_va(&g->os, RIG_BLOCK(1)) + KM_PAGE_PRIVATE, 4);
    assert_int_equal(exit_code_of_check(rig), KM_EXIT_BUG);
    rig_free(rig);
}

/* Every check_period events, but never while a CPU is inside an event. */
static void checks_come_when_due_and_nobody_works(void **state)
{
    struct rig *rig = rig_new();
    struct km_replay *r = &rig->r;

    (void)state;
    r->check_period = r->check_in = 3;
    km_replay_check_event(r);
    km_replay_check_event(r);
    assert_int_equal(r->check_in, 1);
    r->running = 1;
    km_replay_check_event(r);
    km_replay_check_event(r);
    assert_int_equal(r->check_in, 0); /* due, but waits */
    r->running = 0;
    km_replay_check_event(r);
    assert_int_equal(r->check_in, 3);
    rig_free(rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_buddyinfo_line_is_compared_as_the_model_stands),
        cmocka_unit_test(the_model_is_sampled_once_a_period),
        cmocka_unit_test(live_objects_know_their_waste_and_their_site),
        cmocka_unit_test(live_objects_survive_growth_and_deletion),
        cmocka_unit_test(broken_lists_stop_the_program),
        cmocka_unit_test(checks_come_when_due_and_nobody_works),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
