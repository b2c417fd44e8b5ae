/* SPDX-License-Identifier: MIT
 * cmd_list.c - kmemsim list KIND: what there is to choose from, "name  description" per line.
 *
 * The lists come from the tables and folders the program itself uses; presets are described by the first
 * comment line after the licence line of their file.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/base/suggest.h"
#include "sim/cli/cli.h"
#include "sim/config/config.h"
#include "sim/trace/trace.h"

static void print_row(const char *name, const char *help)
{
    if (help[0])
        printf("%-22s %s\n", name, help);
    else
        printf("%s\n", name);
}

/* First comment line that is not the licence; a leading "FILE - " is left out. */
static void describe_file(const char *path, char *out, size_t size)
{
    FILE *f = fopen(path, "r");
    char line[256], *text;
    const char *name = strrchr(path, '/') + 1;

    out[0] = '\0';
    while (f && fgets(line, sizeof(line), f)) {
        if (line[0] != '#')
            break;
        if (strstr(line, "SPDX"))
            continue;
        line[strcspn(line, "\n")] = '\0';
        text = line + 1 + strspn(line + 1, " ");
        if (strncmp(text, name, strlen(name)) == 0 && strncmp(text + strlen(name), " - ", 3) == 0)
            text += strlen(name) + 3;
        snprintf(out, size, "%s", text);
        break;
    }
    if (f)
        fclose(f);
}

static int compare_entries(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

/* Files of a folder with this ending, sorted. */
static int list_folder(const char *folder, const char *ending)
{
    struct dirent **entry;
    int nr = scandir(folder, &entry, NULL, compare_entries);

    if (nr < 0) {
        fprintf(stderr, "kmemsim: cannot read %s\n", folder);
        return KM_EXIT_FAILED;
    }
    for (int i = 0; i < nr; i++) {
        char *dot = strrchr(entry[i]->d_name, '.');
        char path[1024], help[256];

        if (dot && dot != entry[i]->d_name && strcmp(dot, ending) == 0) {
            snprintf(path, sizeof(path), "%s/%s", folder, entry[i]->d_name);
            describe_file(path, help, sizeof(help));
            *dot = '\0';
            print_row(entry[i]->d_name, help);
        }
        free(entry[i]);
    }
    free(entry);
    return KM_EXIT_OK;
}

/* The folder of presets, found through one that is always there. */
static int list_presets(const char *known)
{
    char path[KM_PATH_MAX];

    if (!km_config_find(path, sizeof(path), ".", known)) {
        fprintf(stderr, "kmemsim: the configs folder is nowhere to be found (set KMEMSIM_CONFIGS)\n");
        return KM_EXIT_FAILED;
    }
    *strrchr(path, '/') = '\0';
    return list_folder(path, ".yaml");
}

static int list_machines(void)
{
    return list_presets("machine/generic-2cpu.yaml");
}

static int list_dram(void)
{
    return list_presets("dram/ddr3-1600k.yaml");
}

static int list_choices(const char *option)
{
    const char *help, *word;

    for (unsigned i = 0; (word = km_config_choice(option, i, &help)); i++)
        print_row(word, help);
    return KM_EXIT_OK;
}

static int list_allocators(void)
{
    return list_choices("os.slab");
}

static int list_replacements(void)
{
    return list_choices("machine.l1d.replacement");
}

static int list_workloads(void)
{
    return list_choices("workload.type");
}

static int list_trace_formats(void)
{
    for (const struct km_trace_format *const *f = km_trace_formats; *f; f++)
        print_row((*f)->name, (*f)->help);
    return KM_EXIT_OK;
}

static int list_plots(void)
{
    return list_folder(KM_PLOTS_DIR, ".gp");
}

static const struct {
    const char *name;
    int (*list)(void);
} kinds[] = {
    {"allocators", list_allocators},
    {"dram", list_dram},
    {"machines", list_machines},
    {"plots", list_plots},
    {"replacements", list_replacements},
    {"trace-formats", list_trace_formats},
    {"workloads", list_workloads},
};

#define KINDS "machines, dram, allocators, replacements, trace-formats, workloads, plots"

int km_cmd_list(int argc, char **argv)
{
    struct km_suggest near;

    if (argc != 2)
        return km_cli_usage("list", "say what to list: " KINDS);
    km_suggest_init(&near, argv[1]);
    for (size_t i = 0; i < KM_ARRAY_LEN(kinds); i++) {
        if (strcmp(argv[1], kinds[i].name) == 0)
            return kinds[i].list();
        km_suggest_offer(&near, kinds[i].name);
    }
    if (near.best)
        return km_cli_usage("list", "unknown '%.60s', did you mean '%s'?", argv[1], near.best);
    return km_cli_usage("list", "unknown '%.60s', there are " KINDS, argv[1]);
}
