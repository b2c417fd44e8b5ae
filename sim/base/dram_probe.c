/* SPDX-License-Identifier: MIT
 * dram_probe.c - see dram_probe.h.
 */
#include "sim/base/dram_probe.h"

#include "models/base/bits.h"

#include <stdio.h>

static unsigned index_of(const struct km_dram_probe *p, uint32_t rank, uint32_t bank)
{
    return rank * p->dram->geom.banks + bank;
}

static void show(const struct km_dram_probe *p, unsigned signal, uint64_t clock, uint64_t value)
{
    km_probe_change(p->probe, signal, km_clock_down(p->to_ps, clock), value);
}

static void close_bank(const struct km_dram_probe *p, uint32_t rank, uint32_t bank, uint64_t clock)
{
    show(p, p->open[index_of(p, rank, bank)], clock, 0);
}

static void show_state(const struct km_dram_probe *p, enum km_dram_cmd cmd,
                       const struct km_dram_addr *a, uint64_t clock)
{
    const struct km_dram_geom *g = &p->dram->geom;
    uint64_t data = clock + (cmd == KM_DRAM_RD ? g->ncl : g->ncwl);

    switch (cmd) {
    case KM_DRAM_ACT:
        show(p, p->open[index_of(p, a->rank, a->bank)], clock, 1);
        show(p, p->open_row[index_of(p, a->rank, a->bank)], clock, a->row);
        break;
    case KM_DRAM_RD:
    case KM_DRAM_WR:
        show(p, p->data, data, cmd == KM_DRAM_RD ? 1 : 2);
        show(p, p->data, data + p->dram->burst_clocks, 0);
        break;
    case KM_DRAM_PRE:
        close_bank(p, a->rank, a->bank, clock);
        break;
    case KM_DRAM_PREA:
        for (uint32_t b = 0; b < g->banks; b++)
            close_bank(p, a->rank, b, clock);
        break;
    default:
        break;
    }
}

static void see(void *ctx, enum km_dram_cmd cmd, const struct km_dram_addr *a, uint64_t clock)
{
    const struct km_dram_probe *p = ctx;

    if (p->probe->dram_command)
        p->probe->dram_command(p->probe->ctx, p->channel, (unsigned)cmd, a, clock);
    if (!km_probe_waves(p->probe))
        return;
    show(p, p->command, clock, (uint64_t)cmd + 1);
    show(p, p->command, clock + 1, 0);
    show(p, p->rank, clock, a->rank);
    if (cmd != KM_DRAM_PREA && cmd != KM_DRAM_REF)
        show(p, p->bank, clock, a->bank);
    if (cmd == KM_DRAM_ACT || cmd == KM_DRAM_RD || cmd == KM_DRAM_WR)
        show(p, p->row, clock, a->row);
    show_state(p, cmd, a, clock);
}

static unsigned width(uint32_t count)
{
    return count > 1 ? km_log2(count) : 1;
}

void km_dram_probe_attach(struct km_dram_probe *p, const struct km_probe *probe, unsigned channel,
                          struct km_dram *d, uint64_t clock_hz)
{
    const struct km_dram_geom *g = &d->geom;
    char scope[48], name[32];

    if (!probe)
        return;
    *p = (struct km_dram_probe){.probe = probe, .dram = d, .channel = channel};
    p->to_ps = km_clock_ratio_of(1000000000000ull, clock_hz);
    snprintf(scope, sizeof(scope), "dram.channel%u", channel);
    p->command = km_probe_signal(probe, scope, "command", 3);
    p->rank = km_probe_signal(probe, scope, "rank", width(g->ranks));
    p->bank = km_probe_signal(probe, scope, "bank", width(g->banks));
    p->row = km_probe_signal(probe, scope, "row", width(g->rows));
    p->data = km_probe_signal(probe, scope, "data", 2);
    for (uint32_t r = 0; r < g->ranks; r++) {
        snprintf(scope, sizeof(scope), "dram.channel%u.rank%u", channel, r);
        for (uint32_t b = 0; b < g->banks; b++) {
            snprintf(name, sizeof(name), "bank%u_open", b);
            p->open[index_of(p, r, b)] = km_probe_signal(probe, scope, name, 1);
            snprintf(name, sizeof(name), "bank%u_row", b);
            p->open_row[index_of(p, r, b)] = km_probe_signal(probe, scope, name, width(g->rows));
        }
    }
    d->watch = see;
    d->watch_ctx = p;
}
