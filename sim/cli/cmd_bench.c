/* SPDX-License-Identifier: MIT
 * cmd_bench.c - kmemsim bench NAME: a built-in workload on a machine, with a results folder like any run.
 *
 * A benchmark is a configuration text; it is loaded, run and reported as `kmemsim run` would, so every option can be
 * overridden by --set and the folder holds a configuration that repeats it.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/base/run_options.h"
#include "sim/base/suggest.h"
#include "sim/cli/cli.h"
#include "sim/config/config.h"
#include "sim/top/engine_systemc.h"

static const struct bench {
    const char *name, *machine; /* preset taken without --machine */
    const char *yaml;
    const char *table; /* printed at the end */
} benches[] = {
    {"contended", "p3-xeon-700x4", "machine: {ram: 128MiB}\nworkload: {type: contended, micro_count: 1000}\n",
     "contended.csv"},
    {"lat-mem-rd", "p3-xeon-700x2",
     "machine: {ram: 128MiB}\nworkload: {type: pointer-chase, chase_max: 16MiB, chase_strides: '64B,4KiB', chase_pages: 4k}\n",
     "lat_mem_rd.csv"},
    {"page-bench", "p4-northwood", "machine: {ram: 256MiB, cpus: 1}\nos: {init_on_alloc: false}\nworkload: {type: page-bench}\n",
     "page_bench.csv"},
    {"slab-test", "p4-northwood",
     "machine: {ram: 512MiB, cpus: 1}\nos: {personality: linux-2.6, init_on_alloc: false, freelist_random: false}\n"
     "workload: {type: slab-test}\n",
     "slab_test.csv"},
};

struct args {
    const struct bench *bench;
    const char *machine, *name;
    const char **sets;
    size_t nr_sets;
    struct km_run_options run;
};

static const struct option options[] = {
    {"engine", required_argument, NULL, 'e'}, {"force", no_argument, NULL, 'f'}, {"machine", required_argument, NULL, 'm'},
    {"out", required_argument, NULL, 'o'}, {"quiet", no_argument, NULL, 'q'},
    {"set", required_argument, NULL, 's'}, {0},
};

static int take_option(struct args *a, int c, int argc, char **argv)
{
    switch (c) {
    case 'e':
        return km_cli_engine("bench", optarg, &a->run);
    case 'f':
        a->run.force = true;
        return KM_EXIT_OK;
    case 'm':
        a->machine = optarg;
        return optarg[0] ? KM_EXIT_OK : km_cli_usage("bench", "--machine needs a name (kmemsim list machines)");
    case 'o':
        a->run.out_dir = optarg;
        return optarg[0] ? KM_EXIT_OK : km_cli_usage("bench", "--out needs the name of a folder");
    case 'q':
        a->run.quiet = true;
        return KM_EXIT_OK;
    case 's':
        a->sets[a->nr_sets++] = optarg;
        return KM_EXIT_OK;
    default:
        return km_cli_bad_option("bench", c, argc, argv);
    }
}

static int find_bench(struct args *a, const char *name)
{
    struct km_suggest near;

    km_suggest_init(&near, name);
    for (size_t i = 0; i < KM_ARRAY_LEN(benches); i++) {
        if (strcmp(benches[i].name, name) == 0) {
            a->bench = &benches[i];
            return KM_EXIT_OK;
        }
        km_suggest_offer(&near, benches[i].name);
    }
    if (near.best)
        return km_cli_usage("bench", "unknown benchmark '%.60s', did you mean '%s'?", name, near.best);
    return km_cli_usage("bench", "unknown benchmark '%.60s' (known: contended, lat-mem-rd, page-bench, slab-test)", name);
}

static int parse(struct args *a, int argc, char **argv)
{
    int c, code;

    optind = 0;
    a->run.engine = &km_systemc_engine;
    while ((c = getopt_long(argc, argv, ":e:fm:o:qs:", options, NULL)) != -1) {
        code = take_option(a, c, argc, argv);
        if (code)
            return code;
    }
    if (optind >= argc)
        return km_cli_usage("bench", "which benchmark? (contended, lat-mem-rd, page-bench, slab-test)");
    a->name = argv[optind];
    code = find_bench(a, argv[optind++]);
    if (!code && optind < argc)
        return km_cli_usage("bench", "one benchmark at a time, what is '%.60s'?", argv[optind]);
    if (!code && !a->machine)
        a->machine = a->bench->machine;
    if (!code && strpbrk(a->machine ? a->machine : "", "/'\"\n"))
        return km_cli_usage("bench", "'%.60s' is not the name of a machine (kmemsim list machines)", a->machine);
    a->run.argc = argc;
    a->run.argv = argv;
    return code;
}

/* The table on standard output, columns aligned. */
static int print_table(const char *dir, const char *table)
{
    char path[4096], line[512];

    snprintf(path, sizeof(path), "%s/%s", dir, table);
    FILE *f = fopen(path, "r");

    if (!f)
        return KM_EXIT_FAILED;
    while (fgets(line, sizeof(line), f)) {
        char *save = NULL;

        line[strcspn(line, "\n")] = 0;
        for (char *t = strtok_r(line, ",", &save); t; t = strtok_r(NULL, ",", &save))
            printf("%14s", t);
        putchar('\n');
    }
    fclose(f);
    return KM_EXIT_OK;
}

static int execute(struct args *a)
{
    struct km_config cfg;
    struct km_err err;
    char text[1024], file[64], out_dir[96];
    int n = snprintf(text, sizeof(text), "extends: machine/%.100s.yaml\nname: %s\n%s", a->machine, a->bench->name,
                     a->bench->yaml);

    snprintf(file, sizeof(file), "bench %s", a->bench->name);
    int rc = km_config_load_text(&cfg, file, text, (size_t)n, a->sets, a->nr_sets, km_cli_report, NULL);

    if (!rc) {
        if (!a->run.out_dir) {
            snprintf(out_dir, sizeof(out_dir), "results/bench-%.60s", a->bench->name);
            a->run.out_dir = out_dir;
        }
        rc = km_cli_start(&cfg, &a->run, &err);
        if (rc)
            km_err_print(&err);
    }
    km_config_release(&cfg);
    if (rc)
        return km_exit_code(rc);
    int code = print_table(a->run.out_dir, a->bench->table);

    if (!code && !a->run.quiet)
        printf("%s\n", a->run.out_dir);
    return code;
}

int km_cmd_bench(int argc, char **argv)
{
    struct args a = {0};
    int code;

    a.sets = calloc((size_t)argc, sizeof(*a.sets));
    code = a.sets ? parse(&a, argc, argv) : km_exit_code(KM_E_NOMEM);
    if (code == KM_EXIT_OK)
        code = execute(&a);
    free(a.sets);
    return code;
}
