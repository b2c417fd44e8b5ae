/* SPDX-License-Identifier: MIT
 * cli.h - the command line: one row per subcommand.
 *
 * A subcommand gets its own arguments (argv[0] is its name) and returns a process exit code (enum km_exit).
 * Results go to stdout, everything else to stderr. `--help` is answered by the caller.
 */
#ifndef KM_CLI_CLI_H
#define KM_CLI_CLI_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

struct km_config;
struct km_err;
struct km_run_options;

struct km_command {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *synopsis; /* what follows "kmemsim NAME" */
    const char *summary;  /* one line                    */
    const char *details;  /* options, for --help         */
};

extern const struct km_command km_commands[]; /* sorted by name, ends with a NULL name */

int km_cli_main(int argc, char **argv);

int km_cmd_bench(int argc, char **argv);
int km_cmd_compare(int argc, char **argv);
int km_cmd_config(int argc, char **argv);
int km_cmd_list(int argc, char **argv);
int km_cmd_plot(int argc, char **argv);
int km_cmd_run(int argc, char **argv);
int km_cmd_trace(int argc, char **argv);

/* "kmemsim: CMD: message (see kmemsim CMD --help)" on stderr; returns KM_EXIT_USAGE. */
__attribute__((format(printf, 2, 3))) int km_cli_usage(const char *command, const char *fmt, ...);
/* Says what is wrong with the option getopt_long just refused (argv as it left it). */
int km_cli_bad_option(const char *command, int returned, int argc, char **argv);
/* Runs what a loaded configuration describes. */
int km_cli_start(const struct km_config *cfg, const struct km_run_options *run, struct km_err *err);
/* --engine NAME: what simulates time. */
int km_cli_engine(const char *command, const char *name, struct km_run_options *run);
/* km_config_load's report: prints on stderr. */
void km_cli_report(void *ctx, const struct km_err *err);

#ifdef __cplusplus
}
#endif
#endif
