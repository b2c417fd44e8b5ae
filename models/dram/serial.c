/* SPDX-License-Identifier: MIT
 * serial.c - see serial.h.
 */
#include "models/dram/serial.h"

#include "models/base/bits.h"

#include <string.h>

void km_dram_serial_init(struct km_dram_serial *s, const struct km_dram_geom *g, bool refresh,
                         bool closed_page, bool audit)
{
    memset(s, 0, sizeof(*s));
    km_dram_init(&s->dev, g);
    s->refresh = refresh && g->nrefi;
    s->closed_page = closed_page;
    for (uint32_t r = 0; r < g->ranks; r++)
        s->refresh_due[r] = s->refresh ? g->nrefi : KM_NEVER;
    if (audit) {
        km_dram_audit_init(&s->audit, g, s->refresh);
        s->dev.audit = &s->audit;
    }
}

static uint64_t command(struct km_dram_serial *s, enum km_dram_cmd cmd,
                        const struct km_dram_addr *a, uint64_t not_before)
{
    uint64_t at = km_max_u64(km_dram_earliest(&s->dev, cmd, a), not_before);

    at = km_max_u64(at, s->command_free);
    km_dram_issue(&s->dev, cmd, a, at);
    s->command_free = at + 1;
    return at;
}

static void refresh_rank(struct km_dram_serial *s, uint32_t rank, uint64_t now)
{
    uint64_t interval = s->dev.geom.nrefi;
    uint64_t overdue = (now - s->refresh_due[rank]) / interval;

    if (overdue > 1 && !s->dev.rank[rank].open_banks) {
        /* An idle channel refreshed itself meanwhile: nothing else depends on those. */
        s->n.refreshes += overdue - 1;
        s->refresh_due[rank] += (overdue - 1) * interval;
        if (s->dev.audit)
            km_dram_audit_skip_refresh(s->dev.audit, rank, s->refresh_due[rank] - interval);
    }
    struct km_dram_addr a = {.rank = rank};

    if (s->dev.rank[rank].open_banks)
        command(s, KM_DRAM_PREA, &a, s->refresh_due[rank]);
    command(s, KM_DRAM_REF, &a, s->refresh_due[rank]);
    s->n.refreshes++;
    s->refresh_due[rank] += interval;
}

static void refresh_until(struct km_dram_serial *s, uint64_t now)
{
    for (uint32_t r = 0; r < s->dev.geom.ranks; r++)
        while (s->refresh_due[r] <= now)
            refresh_rank(s, r, now);
}

/* One burst; returns the clock of its column command. */
static uint64_t burst(struct km_dram_serial *s, uint64_t pa, uint64_t arrival, enum km_dram_cmd cmd)
{
    struct km_dram_addr a = km_dram_locate(&s->dev, pa);
    uint32_t row = km_dram_open_row(&s->dev, &a);

    if (row == a.row) {
        s->n.row_hits++;
    } else {
        if (row != KM_DRAM_NO_ROW) {
            s->n.row_conflicts++;
            command(s, KM_DRAM_PRE, &a, arrival);
        } else {
            s->n.row_misses++;
        }
        command(s, KM_DRAM_ACT, &a, arrival);
    }
    return command(s, cmd, &a, arrival);
}

/* All bursts of a request; returns the clock of the first column command. */
static uint64_t serve(struct km_dram_serial *s, uint64_t pa, uint32_t bytes, uint64_t arrival,
                      enum km_dram_cmd cmd)
{
    uint32_t step = s->dev.geom.burst * s->dev.geom.bus_bytes;
    uint64_t first = burst(s, pa, arrival, cmd);

    for (uint32_t done = step; done < bytes; done += step)
        burst(s, pa + done, arrival, cmd);
    if (s->closed_page) {
        struct km_dram_addr a = km_dram_locate(&s->dev, pa);

        command(s, KM_DRAM_PRE, &a, arrival);
    }
    s->n.bytes += bytes;
    return first;
}

static void write_one(struct km_dram_serial *s)
{
    uint32_t i = s->write_head;

    refresh_until(s, s->write[i].arrival);
    uint64_t at = serve(s, s->write[i].pa, s->write[i].bytes, s->write[i].arrival, KM_DRAM_WR);

    s->n.writes++;
    s->n.end_clock = km_max_u64(s->n.end_clock, at + s->dev.geom.ncwl + s->dev.burst_clocks);
    s->write_head = (i + 1) % KM_SERIAL_WRITES;
    s->nr_writes--;
}

uint64_t km_dram_serial_read(struct km_dram_serial *s, uint64_t pa, uint32_t bytes,
                             uint64_t arrival)
{
    while (s->nr_writes && s->write[s->write_head].arrival <= arrival)
        write_one(s);
    refresh_until(s, arrival);

    uint64_t at = serve(s, pa, bytes, arrival, KM_DRAM_RD) + s->dev.geom.ncl;
    uint64_t done = at + s->dev.burst_clocks, latency = done - arrival;

    s->n.reads++;
    s->n.read_latency_sum += latency;
    s->n.read_latency_max = km_max_u64(s->n.read_latency_max, latency);
    s->n.end_clock = km_max_u64(s->n.end_clock, done);
    return at + 1;
}

void km_dram_serial_write(struct km_dram_serial *s, uint64_t pa, uint32_t bytes, uint64_t arrival)
{
    if (s->nr_writes == KM_SERIAL_WRITES)
        write_one(s);
    uint32_t last = (s->write_head + s->nr_writes + KM_SERIAL_WRITES - 1) % KM_SERIAL_WRITES;
    uint32_t at = (s->write_head + s->nr_writes) % KM_SERIAL_WRITES;

    if (s->nr_writes) /* first come, first served: arrivals do not decrease in the queue */
        arrival = km_max_u64(arrival, s->write[last].arrival);
    s->write[at].pa = pa;
    s->write[at].bytes = bytes;
    s->write[at].arrival = arrival;
    s->nr_writes++;
}

void km_dram_serial_drain(struct km_dram_serial *s)
{
    while (s->nr_writes)
        write_one(s);
}
