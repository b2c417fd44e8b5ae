/* SPDX-License-Identifier: MIT
 * cmd_run.c - kmemsim run CONFIG.yaml: loads the configuration, picks the results folder, starts the workload.
 */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/base/run_options.h"
#include "sim/cli/cli.h"
#include "sim/cli/sharing_advice.h"
#include "sim/config/config.h"
#include "sim/top/engine_systemc.h"
#include "sim/top/stepper.h"
#include "sim/workload/dma_traffic.h"
#include "sim/workload/memref.h"
#include "sim/workload/micro.h"
#include "sim/workload/replay.h"
#include "sim/workload/user_heap.h"

struct args {
    const char *file;
    const char **sets; /* overrides in the order given; --trace is one of them */
    char **owned;      /* sets built here */
    size_t nr_sets, nr_owned;
    struct km_run_options run;
};

static const struct option options[] = {
    {"engine", required_argument, NULL, 'e'}, {"force", no_argument, NULL, 'f'}, {"out", required_argument, NULL, 'o'},
    {"quiet", no_argument, NULL, 'q'},        {"set", required_argument, NULL, 's'},
    {"trace", required_argument, NULL, 't'},  {0},
};

/* Which signal asked to end early; the run then ends at the next event and writes what it has. */
static volatile sig_atomic_t stop_signal;

static void on_stop_signal(int number)
{
    stop_signal = number;
}

/* The second signal of a kind ends the program at once. */
static void watch_signals(void)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
    struct sigaction action = {.sa_handler = on_stop_signal, .sa_flags = SA_RESTART | (int)SA_RESETHAND};
    struct sigaction old;

    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
        if (!sigaction(numbers[i], NULL, &old) && old.sa_handler != SIG_IGN) /* nohup, shell's & */
            sigaction(numbers[i], &action, NULL);
}

static int add_trace(struct args *a, const char *path)
{
    static const char key[] = "workload.trace=";
    size_t size = sizeof(key) + strlen(path);
    char *set = malloc(size);

    if (!set)
        return km_exit_code(KM_E_NOMEM);
    snprintf(set, size, "%s%s", key, path);
    a->owned[a->nr_owned++] = set;
    a->sets[a->nr_sets++] = set;
    return KM_EXIT_OK;
}

int km_cli_engine(const char *command, const char *name, struct km_run_options *run)
{
    if (strcmp(name, "systemc") == 0)
        run->engine = &km_systemc_engine;
    else if (strcmp(name, "stepper") == 0)
        run->engine = &km_stepper_engine;
    else
        return km_cli_usage(command, "unknown engine '%.60s' (known: systemc, stepper)", name);
    return KM_EXIT_OK;
}

static int take_option(struct args *a, int c, int argc, char **argv)
{
    switch (c) {
    case 'e':
        return km_cli_engine("run", optarg, &a->run);
    case 'f':
        a->run.force = true;
        return KM_EXIT_OK;
    case 'o':
        if (!optarg[0])
            return km_cli_usage("run", "--out needs the name of a folder");
        a->run.out_dir = optarg;
        return KM_EXIT_OK;
    case 'q':
        a->run.quiet = true;
        return KM_EXIT_OK;
    case 's':
        a->sets[a->nr_sets++] = optarg;
        return KM_EXIT_OK;
    case 't':
        return add_trace(a, optarg);
    default:
        return km_cli_bad_option("run", c, argc, argv);
    }
}

static int parse(struct args *a, int argc, char **argv)
{
    int c, code;

    optind = 0;
    a->run.engine = &km_systemc_engine;
    while ((c = getopt_long(argc, argv, ":e:fo:qs:t:", options, NULL)) != -1) {
        code = take_option(a, c, argc, argv);
        if (code)
            return code;
    }
    if (optind >= argc)
        return km_cli_usage("run", "which CONFIG.yaml?");
    a->file = argv[optind++];
    if (optind < argc)
        return km_cli_usage("run", "one configuration at a time, what is '%.60s'?", argv[optind]);
    a->run.argc = argc;
    a->run.argv = argv;
    a->run.stop = &stop_signal;
    return KM_EXIT_OK;
}

static bool needs_trace(enum km_workload_type type)
{
    return type != KM_WL_POINTER_CHASE && type != KM_WL_DMA && !km_micro_is(type);
}

static int replay(const struct km_config *cfg, const struct km_run_options *run, struct km_err *err)
{
    int rc = km_replay_run(cfg, run, err);

    if (rc == KM_OK && cfg->report.sharing_advice && cfg->replay.mode == KM_REPLAY_OBJECTS &&
        cfg->timing == KM_TIMING_FULL)
        rc = km_sharing_advice(cfg, run, err);
    return rc;
}

int km_cli_start(const struct km_config *cfg, const struct km_run_options *run, struct km_err *err)
{
    if (needs_trace(cfg->workload.type) && !cfg->workload.trace[0])
        return km_fail(err, KM_E_USAGE, cfg->file, 0, 0,
                       "workload.trace is not set: name the trace there or with --trace PATH");
    if (cfg->workload.type == KM_WL_REPLAY)
        return replay(cfg, run, err);
    if (cfg->workload.type == KM_WL_DMA)
        return km_dma_traffic_run(cfg, run, err);
    if (cfg->workload.type == KM_WL_USER_HEAP)
        return km_user_heap_run(cfg, run, err);
    if (km_micro_is(cfg->workload.type))
        return km_micro_run(cfg, run, err);
    return km_memref_run(cfg, run, err);
}

static int execute(struct args *a)
{
    struct km_config cfg;
    struct km_err err;
    char out_dir[sizeof(cfg.name) + 16];
    watch_signals();
    int rc = km_config_load(&cfg, a->file, a->sets, a->nr_sets, km_cli_report, NULL);

    if (!rc) {
        if (!a->run.out_dir) {
            snprintf(out_dir, sizeof(out_dir), "results/%s", cfg.name);
            a->run.out_dir = out_dir;
        }
        rc = km_cli_start(&cfg, &a->run, &err);
        if (rc)
            km_err_print(&err);
        else if (!a->run.quiet)
            printf("%s\n", a->run.out_dir);
    }
    km_config_release(&cfg);
    return km_exit_code(rc);
}

int km_cmd_run(int argc, char **argv)
{
    struct args a = {0};
    int code;

    a.sets = calloc((size_t)argc, sizeof(*a.sets));
    a.owned = calloc((size_t)argc, sizeof(*a.owned));
    code = a.sets && a.owned ? parse(&a, argc, argv) : km_exit_code(KM_E_NOMEM);
    if (code == KM_EXIT_OK)
        code = execute(&a);
    for (size_t i = 0; i < a.nr_owned; i++)
        free(a.owned[i]);
    free(a.owned);
    free(a.sets);
    return code;
}
