/* SPDX-License-Identifier: MIT
 * bench_replay.c - functional replay speed: events per second of one mode over one trace, without reports.
 * Usage: bench_replay TRACE [MODE [key=value ...]]
 */
#include "sim/config/config.h"
#include "sim/workload/replay.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static void print_problem(void *ctx, const struct km_err *err)
{
    (void)ctx;
    km_err_print(err);
}

int main(int argc, char **argv)
{
    static char sets[32][512];
    const char *ptr[32];
    size_t nr = 0;
    struct km_config cfg;
    struct km_err err;
    struct timespec a, b;
    char dir[] = "/tmp/bench_replay.XXXXXX", cleanup[64];

    if (argc < 2 || argc > 28 || !mkdtemp(dir)) {
        fprintf(stderr, "usage: bench_replay TRACE [MODE [key=value ...]]\n");
        return 2;
    }
    snprintf(sets[nr++], sizeof(sets[0]), "workload.trace=%s", argv[1]);
    snprintf(sets[nr++], sizeof(sets[0]), "replay.mode=%s", argc > 2 ? argv[2] : "pages");
    snprintf(sets[nr++], sizeof(sets[0]), "report.plots=false");
    snprintf(sets[nr++], sizeof(sets[0]), "report.html=false");
    for (int i = 3; i < argc; i++)
        snprintf(sets[nr++], sizeof(sets[0]), "%s", argv[i]);
    for (size_t i = 0; i < nr; i++)
        ptr[i] = sets[i];
    if (km_config_load(&cfg, "configs/replay.yaml", ptr, nr, print_problem, NULL) < 0)
        return 2;
    struct km_run_options opt = {.out_dir = dir, .force = true, .quiet = true};

    clock_gettime(CLOCK_MONOTONIC, &a);
    int rc = km_replay_run(&cfg, &opt, &err);

    clock_gettime(CLOCK_MONOTONIC, &b);
    if (rc < 0)
        km_err_print(&err);
    printf("%s: %.3f s in all (start state, replay, csv)\n", argv[1],
           (double)(b.tv_sec - a.tv_sec) + (double)(b.tv_nsec - a.tv_nsec) * 1e-9);
    snprintf(cleanup, sizeof(cleanup), "cat %s/summary.json", dir);
    if (system(cleanup) != 0)
        rc = 1;
    snprintf(cleanup, sizeof(cleanup), "rm -rf %s", dir);
    km_config_release(&cfg);
    return system(cleanup) != 0 || rc < 0;
}
