/* SPDX-License-Identifier: MIT
 * main.c - finds the subcommand, answers --help and --version, watches over standard output.
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "sim/base/err.h"
#include "sim/base/suggest.h"
#include "sim/cli/cli.h"

static void print_help(FILE *out)
{
    fprintf(out, "kmemsim - the Linux memory allocators on a simulated x86-32 machine, driven by captured "
                 "traces\n\nusage:\n");
    for (const struct km_command *c = km_commands; c->name; c++)
        fprintf(out, "  kmemsim %s %s\n      %s\n", c->name, c->synopsis, c->summary);
    fprintf(out, "  kmemsim COMMAND --help | --help | --version\n\n"
                 "exit code: 0 ok, 1 the run failed, 2 bad usage or configuration, 3 the simulated machine "
                 "stopped\nadvancing, 70 a defect of kmemsim\n");
}

static void print_command_help(const struct km_command *c)
{
    printf("usage: kmemsim %s %s\n\n%s\n", c->name, c->synopsis, c->summary);
    if (c->details[0])
        printf("\n%s", c->details);
}

static const struct km_command *find_command(const char *name)
{
    for (const struct km_command *c = km_commands; c->name; c++)
        if (strcmp(c->name, name) == 0)
            return c;
    return NULL;
}

static int unknown_command(const char *name)
{
    struct km_suggest near;

    km_suggest_init(&near, name);
    for (const struct km_command *c = km_commands; c->name; c++)
        km_suggest_offer(&near, c->name);
    fprintf(stderr, "kmemsim: unknown %s '%.60s'", name[0] == '-' ? "option" : "command", name);
    if (near.best)
        fprintf(stderr, ", did you mean '%s'?", near.best);
    fprintf(stderr, " (see kmemsim --help)\n");
    return KM_EXIT_USAGE;
}

int km_cli_usage(const char *command, const char *fmt, ...)
{
    va_list ap;

    fprintf(stderr, "kmemsim: %s: ", command);
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fprintf(stderr, " (see kmemsim %s --help)\n", command);
    return KM_EXIT_USAGE;
}

int km_cli_bad_option(const char *command, int returned, int argc, char **argv)
{
    const char *given = optind > 0 && optind <= argc ? argv[optind - 1] : "";

    if (returned == ':')
        return km_cli_usage(command, "option '%.60s' needs a value", given);
    if (strncmp(given, "--", 2) != 0 && optopt)
        return km_cli_usage(command, "unknown option '-%c'", optopt);
    return km_cli_usage(command, "unknown option '%.60s'", given);
}

void km_cli_report(void *ctx, const struct km_err *err)
{
    (void)ctx;
    km_err_print(err);
}

static bool asks_help(const char *arg)
{
    return strcmp(arg, "--help") == 0 || strcmp(arg, "-h") == 0;
}

static int dispatch(int argc, char **argv)
{
    const struct km_command *c;

    if (argc < 2) {
        print_help(stderr);
        return KM_EXIT_USAGE;
    }
    if (asks_help(argv[1])) {
        print_help(stdout);
        return KM_EXIT_OK;
    }
    if (strcmp(argv[1], "--version") == 0) {
        printf("kmemsim %s\n", KM_VERSION);
        return KM_EXIT_OK;
    }
    c = find_command(argv[1]);
    if (!c)
        return unknown_command(argv[1]);
    for (int i = 2; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (asks_help(argv[i])) {
            print_command_help(c);
            return KM_EXIT_OK;
        }
    }
    opterr = 0;
    return c->run(argc - 1, argv + 1);
}

int km_cli_main(int argc, char **argv)
{
    int code;

    signal(SIGPIPE, SIG_IGN); /* a closed pipe shows up as a write error below */
    signal(SIGXFSZ, SIG_IGN); /* so does a file that may not grow any more */
    code = dispatch(argc, argv);
    errno = 0;
    if (fflush(stdout) != 0 || ferror(stdout)) {
        fprintf(stderr, "kmemsim: cannot write to standard output%s%s\n", errno ? ": " : "",
                errno ? strerror(errno) : "");
        return code == KM_EXIT_OK ? KM_EXIT_FAILED : code;
    }
    return code;
}
