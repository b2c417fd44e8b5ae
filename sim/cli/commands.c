/* SPDX-License-Identifier: MIT
 * commands.c - the table of subcommands.
 */
#include "sim/cli/cli.h"

const struct km_command km_commands[] = {
    {"bench", km_cmd_bench,
     "NAME [--machine M] [--set key.path=value]... [--out DIR] [--quiet] [--force]",
     "run a built-in benchmark on a machine and print its table",
     "  contended    one line handed from CPU to CPU, cost per operation (default: p3-xeon-700x4)\n"
     "  lat-mem-rd   load-to-use latency by buffer size and stride (default: p3-xeon-700x2)\n"
     "  page-bench   page allocator, cycles per call by order (default: p4-northwood)\n"
     "  slab-test    kmalloc and kfree, cycles per call by size (default: p4-northwood)\n"
     "  -m, --machine M       preset (kmemsim list machines)\n"
     "  -s, --set KEY=VALUE   override one option, e.g. workload.chase_max=32MiB; may be repeated\n"
     "  -o, --out DIR         results folder (default: results/bench-NAME)\n"
     "  -e, --engine NAME     systemc (default) or stepper; the results are the same\n"
     "  -q, --quiet           no progress line, the table only\n"
     "  -f, --force           write into a results folder that is not empty\n"},
    {"compare", km_cmd_compare, "DIR DIR [DIR...] [-o FILE.html]",
     "compare finished runs: table, overlaid plots, compare.html",
     "  -o, --out FILE   page to write (default: compare.html)\n"},
    {"config", km_cmd_config, "check|dump|reference [CONFIG.yaml] [--set key.path=value]...",
     "check a configuration, show it with all defaults, or print the reference of all options",
     "  check      report every problem; prints nothing else\n"
     "  dump       every option with value, unit, meaning and origin, as YAML that can be run again;\n"
     "             without CONFIG.yaml: the defaults\n"
     "  reference  the reference page of all options (markdown)\n"
     "  -s, --set KEY=VALUE   override one option, e.g. machine.cpus=2\n"},
    {"list", km_cmd_list, "machines|dram|allocators|replacements|trace-formats|workloads|plots",
     "what there is to choose from, one per line", ""},
    {"plot", km_cmd_plot, "DIR", "redraw the plots and report.html of a finished run", ""},
    {"run", km_cmd_run,
     "CONFIG.yaml [--trace PATH] [--set key.path=value]... [--out DIR] [--quiet] [--force]",
     "run a configuration and leave a results folder",
     "  -t, --trace PATH      replay this trace or capture bundle (workload.trace)\n"
     "  -s, --set KEY=VALUE   override one option, e.g. machine.cpus=2; may be repeated\n"
     "  -o, --out DIR         results folder (default: results/<config name>)\n"
     "  -e, --engine NAME     systemc (default) or stepper; the results are the same\n"
     "  -q, --quiet           no progress line\n"
     "  -f, --force           write into a results folder that is not empty\n"},
    {"trace", km_cmd_trace, "info|check|convert PATH [-o OUT]",
     "describe, check or convert a trace or capture bundle",
     "  info      what the trace holds: format, kernel, events by kind, lost events, samples\n"
     "  check     read it to the end and report damage\n"
     "  convert   write it as trace-cmd report text\n"
     "  -o, --out OUT   file to write (convert)\n"},
    {0},
};
