/* SPDX-License-Identifier: MIT
 * cmd_config.c - kmemsim config check|dump|reference.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/cli/cli.h"
#include "sim/config/config.h"

struct args {
    const char *verb, *file;
    const char **sets;
    size_t nr_sets;
};

static int parse(struct args *a, int argc, char **argv)
{
    static const struct option options[] = {{"set", required_argument, NULL, 's'}, {0}};
    int c;

    optind = 0;
    while ((c = getopt_long(argc, argv, ":s:", options, NULL)) != -1) {
        if (c != 's')
            return km_cli_bad_option("config", c, argc, argv);
        a->sets[a->nr_sets++] = optarg;
    }
    if (optind >= argc)
        return km_cli_usage("config", "say what: check, dump or reference");
    a->verb = argv[optind++];
    a->file = optind < argc ? argv[optind++] : NULL;
    if (optind < argc)
        return km_cli_usage("config", "one configuration at a time, what is '%.60s'?", argv[optind]);
    return KM_EXIT_OK;
}

static int load(const struct args *a, struct km_config *cfg)
{
    int rc = a->file ? km_config_load(cfg, a->file, a->sets, a->nr_sets, km_cli_report, NULL)
                     : km_config_load_text(cfg, "defaults", "", 0, a->sets, a->nr_sets, km_cli_report,
                                           NULL);

    return km_exit_code(rc);
}

static int execute(const struct args *a)
{
    struct km_config cfg;
    int code;

    if (strcmp(a->verb, "reference") == 0) {
        km_config_reference(stdout);
        return KM_EXIT_OK;
    }
    if (strcmp(a->verb, "check") != 0 && strcmp(a->verb, "dump") != 0)
        return km_cli_usage("config", "unknown '%.60s': check, dump or reference", a->verb);
    if (a->verb[0] == 'c' && !a->file)
        return km_cli_usage("config", "check needs a CONFIG.yaml");
    code = load(a, &cfg);
    if (code == KM_EXIT_OK && a->verb[0] == 'd')
        km_config_dump(stdout, &cfg);
    km_config_release(&cfg);
    return code;
}

int km_cmd_config(int argc, char **argv)
{
    struct args a = {0};
    int code;

    a.sets = calloc((size_t)argc, sizeof(*a.sets));
    if (!a.sets)
        return km_exit_code(KM_E_NOMEM);
    code = parse(&a, argc, argv);
    if (code == KM_EXIT_OK)
        code = execute(&a);
    free(a.sets);
    return code;
}
