/* SPDX-License-Identifier: MIT
 * test_dma_traffic.c - workload.type dma gives the same results under SystemC and the plain stepper.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "sim/top/engine_systemc.h"
#include "sim/top/stepper.h"
#include "sim/workload/dma_traffic.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static char folder[] = "/tmp/kmemsim-dma-XXXXXX";

static int run_with(const struct km_engine_ops *engine, const char *name)
{
    static const char *const sets[] = {"dma.duration=5ms",       "dma.disk.mask=24",   "dma.nic.snooped=false",
                                       "report.plots=false",     "report.html=false",  "dma.disk.byte_time=9ns",
                                       "machine.quantum_cycles=1000"};
    struct km_config cfg;
    struct km_err err;
    char out[128];

    if (km_config_load(&cfg, KM_SOURCE_DIR "/configs/dma.yaml", sets, KM_ARRAY_LEN(sets), NULL, NULL))
        return 1;
    snprintf(out, sizeof(out), "%s/%s", folder, name);
    const struct km_run_options opt = {.out_dir = out, .quiet = true, .engine = engine};
    int rc = km_dma_traffic_run(&cfg, &opt, &err);

    if (rc)
        fprintf(stderr, "%s: %s\n", engine->name, err.msg);
    km_config_release(&cfg);
    return rc;
}

/* One SystemC machine per process. */
static void engines_agree(void **state)
{
    char command[640];
    pid_t pid;
    int status = -1;

    (void)state;
    assert_non_null(mkdtemp(folder));
    pid = fork();
    if (!pid)
        _exit(run_with(&km_systemc_engine, "systemc") != 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_int_equal(run_with(&km_stepper_engine, "stepper"), KM_OK);
    snprintf(command, sizeof(command),
             "cd %s && grep -q dma_underrun stepper/events.csv && sed -i -E '/(wall_s|events_per_s|refs_per_s|rss_bytes)/d' "
             "*/summary.json && diff -r systemc stepper",
             folder);
    assert_int_equal(system(command), 0);
    snprintf(command, sizeof(command), "rm -rf %s", folder);
    assert_int_equal(system(command), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(engines_agree)};

    return cmocka_run_group_tests_name("workload/dma_traffic", tests, NULL, NULL);
}
