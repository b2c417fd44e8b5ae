/* SPDX-License-Identifier: MIT
 * serial.c - see serial.h.
 */
#include "models/dram/serial.h"

#include "models/base/bits.h"

#include <string.h>

void km_dram_serial_init(struct km_dram_serial *s, const struct km_dram_serial_cfg *cfg)
{
    memset(s, 0, sizeof(*s));
    km_dram_init(&s->dev, &cfg->geom);
    s->refresh = cfg->refresh && cfg->geom.nrefi;
    s->page = cfg->page;
    s->page_timeout_clocks = cfg->page == KM_PAGE_TIMEOUT ? cfg->page_timeout_clocks : 0;
    for (uint32_t r = 0; r < cfg->geom.ranks; r++)
        s->refresh_due[r] = s->refresh ? cfg->geom.nrefi : KM_NEVER;
    if (cfg->audit) {
        km_dram_audit_init(&s->audit, &cfg->geom, s->refresh);
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

static uint64_t next_refresh(const struct km_dram_serial *s, uint32_t *rank)
{
    uint64_t due = KM_NEVER;

    *rank = 0;
    for (uint32_t r = 0; r < s->dev.geom.ranks; r++) {
        if (s->refresh_due[r] < due) {
            due = s->refresh_due[r];
            *rank = r;
        }
    }
    return due;
}

/* The open row that its policy closes first, and when. */
static uint64_t next_close(const struct km_dram_serial *s, struct km_dram_addr *a)
{
    uint64_t due = KM_NEVER;

    for (uint32_t r = 0; r < s->dev.geom.ranks; r++) {
        for (uint32_t b = 0; s->dev.rank[r].open_banks && b < s->dev.geom.banks; b++) {
            struct km_dram_addr bank = {.rank = r, .bank = b};

            if (km_dram_open_row(&s->dev, &bank) == KM_DRAM_NO_ROW)
                continue;
            uint64_t at = s->last_column[r * s->dev.geom.banks + b] + s->page_timeout_clocks;

            at = km_max_u64(at, km_dram_earliest(&s->dev, KM_DRAM_PRE, &bank));
            if (at < due) {
                due = at;
                *a = bank;
            }
        }
    }
    return due;
}

/* What happens by itself up to `now`, in the order of time: refreshes, rows that are closed. */
static void catch_up(struct km_dram_serial *s, uint64_t now)
{
    while (s->own_work <= now) {
        struct km_dram_addr a = {0};
        uint32_t rank;
        uint64_t refresh = next_refresh(s, &rank);
        uint64_t close = s->page == KM_PAGE_OPEN ? KM_NEVER : next_close(s, &a);

        if (close < refresh && close <= now) {
            s->n.closed_early++;
            command(s, KM_DRAM_PRE, &a, close);
        } else if (refresh <= now) {
            refresh_rank(s, rank, now);
        } else {
            s->own_work = km_min_u64(refresh, close);
        }
    }
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
    uint64_t at = command(s, cmd, &a, arrival);

    if (s->page != KM_PAGE_OPEN) {
        s->last_column[a.rank * s->dev.geom.banks + a.bank] = at;
        s->own_work = km_min_u64(s->own_work, at + s->page_timeout_clocks);
    }
    return at;
}

/* All bursts of a request; returns the clock of the first column command. */
static uint64_t serve(struct km_dram_serial *s, uint64_t pa, uint32_t bytes, uint64_t arrival,
                      enum km_dram_cmd cmd)
{
    uint32_t step = s->dev.geom.burst * s->dev.geom.bus_bytes;
    uint64_t first = burst(s, pa, arrival, cmd);

    for (uint32_t done = step; done < bytes; done += step)
        burst(s, pa + done, arrival, cmd);
    s->n.bytes += bytes;
    return first;
}

static void write_one(struct km_dram_serial *s)
{
    uint32_t i = s->write_head;

    catch_up(s, s->write[i].arrival);
    uint64_t at = serve(s, s->write[i].pa, s->write[i].bytes, s->write[i].arrival, KM_DRAM_WR);

    uint64_t done = at + s->dev.geom.ncwl + s->dev.burst_clocks;
    uint64_t latency = done - s->write[i].arrival;

    s->n.writes++;
    s->n.write_latency_sum += latency;
    s->n.write_latency_max = km_max_u64(s->n.write_latency_max, latency);
    s->n.end_clock = km_max_u64(s->n.end_clock, done);
    s->write_head = (i + 1) % KM_SERIAL_WRITES;
    s->nr_writes--;
}

uint64_t km_dram_serial_read(struct km_dram_serial *s, uint64_t pa, uint32_t bytes,
                             uint64_t arrival)
{
    while (s->nr_writes && s->write[s->write_head].arrival <= arrival)
        write_one(s);
    catch_up(s, arrival);

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
