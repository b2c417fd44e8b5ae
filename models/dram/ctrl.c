/* SPDX-License-Identifier: MIT
 * ctrl.c - see ctrl.h.
 */
#include "models/dram/ctrl.h"

#include "models/base/bits.h"
#include "models/base/bug.h"

#include <string.h>

const char *km_dram_ctrl_check(const struct km_dram_ctrl_cfg *cfg)
{
    if (!cfg->queue_read || cfg->queue_read > KM_CTRL_MAX_QUEUE)
        return "queue_read must be between 1 and 128";
    if (!cfg->queue_write || cfg->queue_write > KM_CTRL_MAX_QUEUE)
        return "queue_write must be between 1 and 128";
    return km_dram_check(&cfg->geom);
}

void km_dram_ctrl_init(struct km_dram_ctrl *c, const struct km_dram_ctrl_cfg *cfg)
{
    memset(c, 0, sizeof(*c));
    c->cfg = *cfg;
    km_dram_init(&c->dev, &cfg->geom);
    c->read.max = cfg->queue_read;
    c->write.max = cfg->queue_write;
    bool refresh = cfg->refresh && cfg->geom.nrefi;

    for (uint32_t r = 0; r < KM_DRAM_MAX_RANKS; r++)
        c->refresh_due[r] = refresh && r < cfg->geom.ranks ? cfg->geom.nrefi : KM_NEVER;
    if (cfg->audit) {
        km_dram_audit_init(&c->audit, &cfg->geom, refresh);
        c->dev.audit = &c->audit;
    }
}

static void push_done(struct km_dram_ctrl *c, uint64_t clock, uint64_t arrival)
{
    uint32_t at = (c->done_head + c->nr_done) % (2 * KM_CTRL_MAX_QUEUE);

    KM_BUG_ON(c->nr_done == 2 * KM_CTRL_MAX_QUEUE);
    /* Keep the ring ordered by clock: an answer from the write queue may overtake data on the pins.
     */
    c->nr_done++;
    while (at != c->done_head) {
        uint32_t before = (at + 2 * KM_CTRL_MAX_QUEUE - 1) % (2 * KM_CTRL_MAX_QUEUE);

        if (c->done_clock[before] <= clock)
            break;
        c->done_clock[at] = c->done_clock[before];
        c->done_arrival[at] = c->done_arrival[before];
        at = before;
    }
    c->done_clock[at] = clock;
    c->done_arrival[at] = arrival;
}

uint64_t km_dram_ctrl_completion(const struct km_dram_ctrl *c)
{
    return c->nr_done ? c->done_clock[c->done_head] : KM_NEVER;
}

uint32_t km_dram_ctrl_complete(struct km_dram_ctrl *c, uint64_t now)
{
    uint32_t n = 0;

    while (c->nr_done && c->done_clock[c->done_head] <= now) {
        uint64_t latency = c->done_clock[c->done_head] - c->done_arrival[c->done_head];

        c->n.read_latency_sum += latency;
        c->n.read_latency_max = km_max_u64(c->n.read_latency_max, latency);
        c->n.end_clock = km_max_u64(c->n.end_clock, c->done_clock[c->done_head]);
        c->done_head = (c->done_head + 1) % (2 * KM_CTRL_MAX_QUEUE);
        c->nr_done--;
        n++;
    }
    return n;
}

static bool in_write_queue(const struct km_dram_ctrl *c, uint64_t line)
{
    uint32_t bytes = c->cfg.geom.burst * c->cfg.geom.bus_bytes;

    for (uint32_t i = 0; i < c->write.nr; i++)
        if (c->write.req[i].pa / bytes == line)
            return true;
    return false;
}

bool km_dram_ctrl_offer(struct km_dram_ctrl *c, uint64_t pa, bool write, uint64_t now)
{
    struct km_dram_queue *q = write ? &c->write : &c->read;
    uint32_t bytes = c->cfg.geom.burst * c->cfg.geom.bus_bytes;

    if (q->nr == q->max || c->nr_done + c->read.nr >= 2 * KM_CTRL_MAX_QUEUE)
        return false;
    c->n.bytes += bytes;
    if (write)
        c->n.writes++;
    else
        c->n.reads++;
    if (!write && in_write_queue(c, pa / bytes)) {
        push_done(c, now + 1, now);
        return true;
    }
    q->req[q->nr++] = (struct km_dram_request){
        .addr = km_dram_locate(&c->dev, pa), .pa = pa, .arrival = now, .write = write};
    c->next = now;
    return true;
}

static enum km_dram_cmd next_command(const struct km_dram_ctrl *c, const struct km_dram_request *r)
{
    uint32_t row = km_dram_open_row(&c->dev, &r->addr);

    if (row == r->addr.row)
        return r->write ? KM_DRAM_WR : KM_DRAM_RD;
    return row == KM_DRAM_NO_ROW ? KM_DRAM_ACT : KM_DRAM_PRE;
}

static bool bank_pinned(const struct km_dram_ctrl *c, const struct km_dram_request *r)
{
    const struct km_dram_queue *queue[] = {&c->read, &c->write};

    for (unsigned k = 0; k < 2; k++)
        for (uint32_t i = 0; i < queue[k]->nr; i++) {
            const struct km_dram_request *o = &queue[k]->req[i];

            if (o->pinned && o->addr.bank == r->addr.bank && o->addr.rank == r->addr.rank)
                return true;
        }
    return false;
}

struct choice {
    struct km_dram_queue *queue;
    uint32_t index;
    enum km_dram_cmd cmd;
    bool found;
    uint64_t earliest; /* of the candidates that are not ready */
};

/* The oldest ready request of a queue; pinned ones only, or all. */
static bool choose(struct km_dram_ctrl *c, struct km_dram_queue *q, bool pinned_only, uint64_t now,
                   struct choice *best)
{
    for (uint32_t i = 0; i < q->nr; i++) {
        const struct km_dram_request *r = &q->req[i];

        if (pinned_only && !r->pinned)
            continue;
        enum km_dram_cmd cmd = next_command(c, r);
        uint64_t at = km_dram_earliest(&c->dev, cmd, &r->addr);

        if (at > now) {
            best->earliest = km_min_u64(best->earliest, at);
        } else if (cmd != KM_DRAM_PRE || !bank_pinned(c, r)) {
            *best = (struct choice){q, i, cmd, true, now};
            return true;
        }
        if (c->cfg.fcfs && !pinned_only)
            return false;
    }
    return false;
}

static void remove_request(struct km_dram_queue *q, uint32_t index)
{
    memmove(&q->req[index], &q->req[index + 1], (q->nr - index - 1) * sizeof(q->req[0]));
    q->nr--;
}

static void count_first(struct km_dram_ctrl *c, struct km_dram_request *r, enum km_dram_cmd cmd)
{
    if (r->begun)
        return;
    r->begun = true;
    if (cmd == KM_DRAM_PRE)
        c->n.row_conflicts++;
    else if (cmd == KM_DRAM_ACT)
        c->n.row_misses++;
    else
        c->n.row_hits++;
}

static void issue(struct km_dram_ctrl *c, const struct choice *best, uint64_t now)
{
    struct km_dram_request *r = &best->queue->req[best->index];

    count_first(c, r, best->cmd);
    km_dram_issue(&c->dev, best->cmd, &r->addr, now);
    if (best->cmd == KM_DRAM_ACT)
        r->pinned = true;
    if (best->cmd == KM_DRAM_RD)
        push_done(c, now + c->cfg.geom.ncl + c->dev.burst_clocks, r->arrival);
    if (best->cmd == KM_DRAM_RD || best->cmd == KM_DRAM_WR)
        remove_request(best->queue, best->index);
}

/* Refresh goes before queued requests, but lets pinned ones finish. True if it wants the command
 * slot. */
static bool refresh(struct km_dram_ctrl *c, uint64_t now, struct choice *best)
{
    for (uint32_t rank = 0; rank < c->cfg.geom.ranks; rank++) {
        if (c->refresh_due[rank] > now) {
            best->earliest = km_min_u64(best->earliest, c->refresh_due[rank]);
            continue;
        }
        struct km_dram_addr a = {.rank = rank};
        enum km_dram_cmd cmd = c->dev.rank[rank].open_banks ? KM_DRAM_PREA : KM_DRAM_REF;
        uint64_t at = km_dram_earliest(&c->dev, cmd, &a);

        if (at > now) {
            best->earliest = km_min_u64(best->earliest, at);
            return true;
        }
        km_dram_issue(&c->dev, cmd, &a, now);
        best->earliest = now + 1;
        if (cmd == KM_DRAM_REF) {
            c->n.refreshes++;
            c->refresh_due[rank] += c->cfg.geom.nrefi;
        }
        return true;
    }
    return false;
}

/* Closed page: precharge a bank that no queued request wants in its open row. */
static bool close_idle_row(struct km_dram_ctrl *c, uint64_t now, struct choice *best)
{
    for (uint32_t rank = 0; rank < c->cfg.geom.ranks; rank++) {
        for (uint32_t bank = 0; bank < c->cfg.geom.banks; bank++) {
            struct km_dram_addr a = {.rank = rank, .bank = bank};
            uint32_t row = km_dram_open_row(&c->dev, &a);
            bool wanted = row == KM_DRAM_NO_ROW;

            for (uint32_t i = 0; i < c->read.nr + c->write.nr && !wanted; i++) {
                const struct km_dram_request *r =
                    i < c->read.nr ? &c->read.req[i] : &c->write.req[i - c->read.nr];

                wanted = r->addr.rank == rank && r->addr.bank == bank && r->addr.row == row;
            }
            if (wanted)
                continue;
            uint64_t at = km_dram_earliest(&c->dev, KM_DRAM_PRE, &a);

            if (at <= now) {
                km_dram_issue(&c->dev, KM_DRAM_PRE, &a, now);
                best->earliest = now + 1;
                return true;
            }
            best->earliest = km_min_u64(best->earliest, at);
        }
    }
    return false;
}

static void set_mode(struct km_dram_ctrl *c)
{
    if (!c->writing)
        c->writing = c->write.nr * 5 > c->write.max * 4 || (!c->read.nr && c->write.nr);
    else
        c->writing = !((c->write.nr * 5 < c->write.max && c->read.nr) || !c->write.nr);
}

void km_dram_ctrl_step(struct km_dram_ctrl *c, uint64_t now)
{
    struct choice best = {.earliest = KM_NEVER};

    set_mode(c);
    struct km_dram_queue *q = c->writing ? &c->write : &c->read;
    bool found = choose(c, &c->read, true, now, &best) || choose(c, &c->write, true, now, &best);

    if (!found) {
        if (refresh(c, now, &best)) {
            c->next = km_max_u64(best.earliest, now + 1);
            return;
        }
        found = choose(c, q, false, now, &best);
    }
    if (found)
        issue(c, &best, now);
    else if (c->cfg.closed_page)
        close_idle_row(c, now, &best);
    c->next = found ? now + 1 : km_max_u64(best.earliest, now + 1);
    if (best.earliest == KM_NEVER && !found)
        c->next = KM_NEVER;
}
