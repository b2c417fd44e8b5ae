/* SPDX-License-Identifier: MIT
 * cmd_compare.c - kmemsim compare DIR DIR [DIR...].
 */
#include <getopt.h>

#include "sim/cli/cli.h"
#include "sim/report/report.h"

int km_cmd_compare(int argc, char **argv)
{
    static const struct option options[] = {{"out", required_argument, NULL, 'o'}, {0}};
    const char *out = "compare.html";
    struct km_err err;
    int c, rc;

    optind = 0;
    while ((c = getopt_long(argc, argv, ":o:", options, NULL)) != -1) {
        if (c != 'o')
            return km_cli_bad_option("compare", c, argc, argv);
        out = optarg;
    }
    if (argc - optind < 2)
        return km_cli_usage("compare", "needs at least two results folders");
    rc = km_report_compare((const char *const *)&argv[optind], (unsigned)(argc - optind), out, &err);
    if (rc)
        km_err_print(&err);
    return km_exit_code(rc);
}
