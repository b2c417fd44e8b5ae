/* SPDX-License-Identifier: MIT
 * report_probe.c - what the machine shows while it runs: waves.vcd and dram_commands.csv.gz.
 *
 * The command trace has one line per command, in the order of time for each channel:
 *     clock,command,channel,rank,bank,row,column        (DRAM clocks; row and column 0 where unused)
 * with the commands ACT, RD, WR, PREpb, PREab, REFab.
 */
#include "models/dram/dram.h"
#include "sim/report/report_int.h"

#include <inttypes.h>

#define COMMANDS "dram_commands.csv.gz"

static unsigned signal(void *ctx, const char *scope, const char *name, unsigned bits)
{
    const struct km_report *r = ctx;

    return km_vcd_signal(r->vcd, scope, name, bits);
}

static void change(void *ctx, unsigned number, uint64_t ps, uint64_t value)
{
    const struct km_report *r = ctx;

    km_vcd_change(r->vcd, number, ps, value);
}

static void dram_command(void *ctx, unsigned channel, unsigned cmd, const struct km_dram_addr *a,
                         uint64_t clock)
{
    static const char *const name[KM_DRAM_CMD_NR] = {
        [KM_DRAM_ACT] = "ACT",   [KM_DRAM_RD] = "RD",      [KM_DRAM_WR] = "WR",
        [KM_DRAM_PRE] = "PREpb", [KM_DRAM_PREA] = "PREab", [KM_DRAM_REF] = "REFab",
    };
    struct km_report *r = ctx;
    bool column = cmd == KM_DRAM_RD || cmd == KM_DRAM_WR, row = column || cmd == KM_DRAM_ACT;
    char line[128];
    int n = snprintf(line, sizeof(line), "%" PRIu64 ",%s,%u,%u,%u,%u,%u", clock, name[cmd], channel,
                     a->rank, cmd == KM_DRAM_PREA || cmd == KM_DRAM_REF ? 0 : a->bank,
                     row ? a->row : 0, column ? a->column : 0);

    km_trace_out_line(&r->dram_commands, line, (size_t)n);
}

bool km_report_probe_open(struct km_report *r)
{
    static const char head[] = "clock,command,channel,rank,bank,row,column";

    r->probe.ctx = r;
    if (r->cfg.report.vcd) {
        r->vcd = km_vcd_new(r->cfg.report.vcd_changes);
        if (!r->vcd)
            return false;
        r->probe.signal = signal;
        r->probe.change = change;
    }
    if (r->cfg.report.dram_commands) {
        km_trace_out_open(&r->dram_commands, &r->dir, COMMANDS);
        km_trace_out_line(&r->dram_commands, head, sizeof(head) - 1);
        r->probe.dram_command = dram_command;
    }
    return true;
}

const struct km_probe *km_report_probe(struct km_report *r)
{
    return r->vcd || r->probe.dram_command ? &r->probe : NULL;
}

void km_report_probe_finish(struct km_report *r)
{
    struct km_out o;

    km_trace_out_commit(&r->dram_commands);
    if (!r->vcd)
        return;
    if (km_vcd_dropped(r->vcd))
        km_report_event(r, 0, 0, "waveform_full", "%" PRIu64 " changes beyond report.vcd_changes are left out",
                        km_vcd_dropped(r->vcd));
    if (km_out_open(&o, &r->dir, "waves.vcd")) {
        km_vcd_write(r->vcd, o.f);
        km_out_check(&o);
        km_out_commit(&o);
    }
    r->no_memory |= km_vcd_no_memory(r->vcd);
}
