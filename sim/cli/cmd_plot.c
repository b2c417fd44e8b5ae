/* SPDX-License-Identifier: MIT
 * cmd_plot.c - kmemsim plot DIR.
 */
#include "sim/cli/cli.h"
#include "sim/report/report.h"

int km_cmd_plot(int argc, char **argv)
{
    struct km_err err;
    int rc;

    if (argc == 2 && argv[1][0] == '-' && argv[1][1])
        return km_cli_usage("plot", "unknown option '%.60s'", argv[1]);
    if (argc != 2)
        return km_cli_usage("plot", argc < 2 ? "which results folder?" : "one results folder at a time");
    rc = km_report_redraw(argv[1], &err);
    if (rc)
        km_err_print(&err);
    return km_exit_code(rc);
}
