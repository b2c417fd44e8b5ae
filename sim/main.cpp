/* SPDX-License-Identifier: MIT
 * main.cpp - enters the SystemC kernel, which calls sc_main, which is the command line.
 *
 * main() is ours so that SystemC's copyright lines do not appear among the messages of every command.
 */
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <systemc>

#include "sim/base/err.h"
#include "sim/cli/cli.h"

int sc_main(int argc, char *argv[])
{
    try {
        return km_cli_main(argc, argv);
    } catch (const std::exception &e) {
        std::fprintf(stderr, "kmemsim: bug: uncaught exception: %s\n", e.what());
    } catch (...) {
        std::fprintf(stderr, "kmemsim: bug: uncaught exception\n");
    }
    return KM_EXIT_BUG;
}

int main(int argc, char *argv[])
{
    setenv("SYSTEMC_DISABLE_COPYRIGHT_MESSAGE", "1", 1);
    return sc_core::sc_elab_and_sim(argc, argv);
}
