/* SPDX-License-Identifier: MIT
 * ctrl.c - see ctrl.h.
 *
 * A step asks every bank with requests for its candidates. Legal clocks only grow, so a bank whose
 * candidates were all too early is not asked again before the earliest of them (not_before), unless
 * the candidates themselves change: look_again().
 */
#include "models/dram/ctrl.h"

#include "models/base/bits.h"
#include "models/base/bug.h"

#include <string.h>

#define NONE KM_CTRL_NONE
#define DONE_MAX (2 * KM_CTRL_MAX_QUEUE)

const char *km_dram_ctrl_check(const struct km_dram_ctrl_cfg *cfg)
{
    if (!cfg->queue_read || cfg->queue_read > KM_CTRL_MAX_QUEUE)
        return "queue_read must be between 1 and 128";
    if (!cfg->queue_write || cfg->queue_write > KM_CTRL_MAX_QUEUE)
        return "queue_write must be between 1 and 128";
    if (cfg->write_high > 100 || cfg->write_low > cfg->write_high)
        return "write_low must not be above write_high, and both at most 100 percent";
    if (!cfg->write_idle && cfg->write_high == 100)
        return "writes would never be drained: lower write_high or allow write_idle";
    return km_dram_check(&cfg->geom);
}

static void init_queue(struct km_dram_queue *q, uint32_t max)
{
    q->max = max;
    q->free = 0;
    for (uint32_t i = 0; i < KM_CTRL_MAX_QUEUE; i++)
        q->next[i] = i + 1 < max ? (uint8_t)(i + 1) : NONE;
    memset(q->bank, NONE, sizeof(q->bank));
}

void km_dram_ctrl_init(struct km_dram_ctrl *c, const struct km_dram_ctrl_cfg *cfg)
{
    bool refresh = cfg->refresh && cfg->geom.nrefi;

    memset(c, 0, sizeof(*c));
    c->cfg = *cfg;
    km_dram_init(&c->dev, &cfg->geom);
    c->bank_bits = km_log2(cfg->geom.banks);
    c->line_shift = km_log2(cfg->geom.burst * cfg->geom.bus_bytes);
    init_queue(&c->read, cfg->queue_read);
    init_queue(&c->write, cfg->queue_write);
    for (uint32_t r = 0; r < KM_DRAM_MAX_RANKS; r++)
        c->refresh_due[r] = refresh && r < cfg->geom.ranks ? cfg->geom.nrefi : KM_NEVER;
    if (cfg->audit) {
        km_dram_audit_init(&c->audit, &cfg->geom, refresh);
        c->dev.audit = &c->audit;
    }
}

/* ---- completions ---- */

static void push_done(struct km_dram_ctrl *c, uint64_t clock, uint64_t arrival)
{
    uint32_t at = (c->done_head + c->nr_done) % DONE_MAX;

    KM_BUG_ON(c->nr_done == DONE_MAX);
    /* Keep the ring ordered by clock: an answer from the write queue may overtake data on the pins.
     */
    c->nr_done++;
    while (at != c->done_head) {
        uint32_t before = (at + DONE_MAX - 1) % DONE_MAX;

        if (c->done_clock[before] <= clock)
            break;
        c->done_clock[at] = c->done_clock[before];
        c->done_arrival[at] = c->done_arrival[before];
        at = before;
    }
    c->done_clock[at] = clock;
    c->done_arrival[at] = arrival;
}

uint32_t km_dram_ctrl_complete(struct km_dram_ctrl *c, uint64_t now)
{
    uint32_t n = 0;

    while (c->nr_done && c->done_clock[c->done_head] <= now) {
        uint64_t latency = c->done_clock[c->done_head] - c->done_arrival[c->done_head];

        c->n.read_latency_sum += latency;
        c->n.read_latency_max = km_max_u64(c->n.read_latency_max, latency);
        c->n.end_clock = km_max_u64(c->n.end_clock, c->done_clock[c->done_head]);
        c->done_head = (c->done_head + 1) % DONE_MAX;
        c->nr_done--;
        n++;
    }
    return n;
}

/* ---- queues ---- */

static uint32_t bank_of(const struct km_dram_ctrl *c, const struct km_dram_addr *a)
{
    return (a->rank << c->bank_bits) + a->bank;
}

static struct km_dram_addr bank_address(const struct km_dram_ctrl *c, uint32_t bank)
{
    return (struct km_dram_addr){.rank = bank >> c->bank_bits,
                                 .bank = bank & (c->cfg.geom.banks - 1)};
}

static uint32_t open_row(const struct km_dram_ctrl *c, uint32_t bank)
{
    struct km_dram_addr a = bank_address(c, bank);

    return km_dram_open_row(&c->dev, &a);
}

/* Oldest requests for the open row and for others, after the row changed. */
static void find_candidates(const struct km_dram_ctrl *c, struct km_dram_queue *q, uint32_t bank)
{
    struct km_dram_bank_queue *b = &q->bank[bank];
    uint32_t row = open_row(c, bank);

    b->hit = NONE;
    b->miss = b->head;
    if (row == KM_DRAM_NO_ROW || b->head == NONE)
        return;
    b->miss = NONE;
    for (uint8_t i = b->head; i != NONE && (b->hit == NONE || b->miss == NONE); i = q->next[i]) {
        if (q->req[i].addr.row == row) {
            if (b->hit == NONE)
                b->hit = i;
        } else if (b->miss == NONE) {
            b->miss = i;
        }
    }
}

static void enqueue(struct km_dram_ctrl *c, struct km_dram_queue *q,
                    const struct km_dram_request *r)
{
    uint32_t bank = bank_of(c, &r->addr);
    struct km_dram_bank_queue *b = &q->bank[bank];
    uint8_t slot = q->free;

    q->free = q->next[slot];
    q->req[slot] = *r;
    q->next[slot] = NONE;
    if (b->head == NONE)
        b->head = slot;
    else
        q->next[b->tail] = slot;
    b->tail = slot;
    uint8_t *first = r->addr.row == open_row(c, bank) ? &b->hit : &b->miss;

    if (*first == NONE)
        *first = slot;
    q->banks |= 1ull << bank;
    q->not_before[bank] = 0;
    q->nr++;
}

static void dequeue(struct km_dram_queue *q, uint32_t bank, uint8_t slot)
{
    struct km_dram_bank_queue *b = &q->bank[bank];
    uint8_t *link = &b->head, before = NONE;

    while (*link != slot) {
        before = *link;
        link = &q->next[before];
    }
    *link = q->next[slot];
    if (b->tail == slot)
        b->tail = before;
    if (b->head == NONE)
        q->banks &= ~(1ull << bank);
    q->next[slot] = q->free;
    q->free = slot;
    q->nr--;
}

/* A hit leaves: the next one is behind it, the others stay what they are. */
static void dequeue_hit(const struct km_dram_ctrl *c, struct km_dram_queue *q, uint32_t bank,
                        uint8_t slot)
{
    uint32_t row = open_row(c, bank);
    uint8_t hit = q->next[slot];

    while (hit != NONE && q->req[hit].addr.row != row)
        hit = q->next[hit];
    dequeue(q, bank, slot);
    q->bank[bank].hit = hit;
}

static void look_again(struct km_dram_ctrl *c, uint32_t bank)
{
    c->read.not_before[bank] = c->write.not_before[bank] = 0;
}

static uint32_t occupied(const struct km_dram_ctrl *c, const struct km_dram_queue *q)
{
    return q->nr + (c->cfg.queue_active ? 0 : q->nr_active);
}

static bool in_write_queue(const struct km_dram_ctrl *c, const struct km_dram_addr *a, uint64_t pa)
{
    const struct km_dram_queue *q = &c->write;
    uint32_t bank = bank_of(c, a);

    for (uint8_t i = q->bank[bank].head; i != NONE; i = q->next[i])
        if (q->req[i].pa >> c->line_shift == pa >> c->line_shift)
            return true;
    return c->active_banks >> bank & 1 && c->active[bank].write &&
           c->active[bank].pa >> c->line_shift == pa >> c->line_shift;
}

bool km_dram_ctrl_room(const struct km_dram_ctrl *c, bool write)
{
    const struct km_dram_queue *q = write ? &c->write : &c->read;

    return occupied(c, q) < q->max && q->free != NONE &&
           (write || c->nr_done + c->read.nr + c->read.nr_active < DONE_MAX);
}

/* Whether writes are drained, as the queues are now. */
static bool drain_mode(const struct km_dram_ctrl *c)
{
    uint64_t reads = occupied(c, &c->read), writes = occupied(c, &c->write), max = c->write.max;

    if (!c->writing)
        return writes * 100 > max * c->cfg.write_high || (c->cfg.write_idle && !reads && writes);
    return writes && (writes * 100 >= max * c->cfg.write_low || (c->cfg.write_idle && !reads));
}

/* When the channel has to look at a request that just came: a request whose command is not yet legal,
 * or that the current mode leaves waiting, gives it nothing to do before. */
static uint64_t clock_to_look(const struct km_dram_ctrl *c, const struct km_dram_queue *q,
                              const struct km_dram_addr *a, bool write, uint64_t now)
{
    uint32_t row = km_dram_open_row(&c->dev, a);
    enum km_dram_cmd cmd = write ? KM_DRAM_WR : KM_DRAM_RD;

    if (drain_mode(c) != c->writing)
        return now;
    if ((q == &c->write) != c->writing)
        return KM_NEVER;
    if (row != a->row)
        cmd = row == KM_DRAM_NO_ROW ? KM_DRAM_ACT : KM_DRAM_PRE;
    return km_max_u64(now, km_dram_earliest(&c->dev, cmd, a));
}

bool km_dram_ctrl_offer(struct km_dram_ctrl *c, uint64_t pa, bool write, uint64_t now)
{
    struct km_dram_queue *q = write ? &c->write : &c->read;

    if (!km_dram_ctrl_room(c, write))
        return false;
    struct km_dram_request r = {.addr = km_dram_locate(&c->dev, pa),
                                .pa = pa,
                                .arrival = now,
                                .age = c->age++,
                                .write = write};

    c->n.bytes += 1ull << c->line_shift;
    if (write)
        c->n.writes++;
    else
        c->n.reads++;
    if (!write && in_write_queue(c, &r.addr, pa)) {
        c->n.forwarded++;
        push_done(c, now + 1, now);
        return true;
    }
    enqueue(c, q, &r);
    c->n.queue_max = km_max_u64(c->n.queue_max, c->read.nr + c->write.nr);
    c->next = km_min_u64(c->next, clock_to_look(c, q, &r.addr, write, now));
    return true;
}

void km_dram_ctrl_flush(struct km_dram_ctrl *c, uint64_t now)
{
    c->cfg.write_idle = true;
    c->next = now;
}

/* ---- which command next ---- */

struct choice {
    struct km_dram_queue *queue; /* NULL: the active request of the bank */
    uint32_t bank;
    uint8_t slot;
    enum km_dram_cmd cmd;
    bool found;
    uint64_t rank;     /* smaller goes first */
    uint64_t earliest; /* of the candidates that are not ready */
};

#define AFTER_HITS (1ull << 63)

/* Returns the clock from which the command is legal. */
static inline uint64_t consider(struct km_dram_ctrl *c, struct choice *best,
                                struct km_dram_queue *q, uint32_t bank, uint8_t slot,
                                enum km_dram_cmd cmd, uint64_t now)
{
    struct km_dram_addr a = bank_address(c, bank);
    uint64_t at = km_dram_earliest(&c->dev, cmd, &a);

    if (at > now) {
        best->earliest = km_min_u64(best->earliest, at);
        return at;
    }
    uint64_t rank = q ? q->req[slot].age : c->active[bank].age;

    if (c->cfg.order == KM_ORDER_ROWHIT && cmd != KM_DRAM_RD && cmd != KM_DRAM_WR)
        rank |= AFTER_HITS;
    if (best->found && best->rank < rank)
        return at;
    best->queue = q;
    best->bank = bank;
    best->slot = slot;
    best->cmd = cmd;
    best->found = true;
    best->rank = rank;
    return at;
}

static void choose_active(struct km_dram_ctrl *c, uint64_t now, struct choice *best)
{
    for (uint64_t left = c->active_banks; left; left &= left - 1) {
        uint32_t bank = (uint32_t)__builtin_ctzll(left);

        if (c->active_not_before[bank] > now)
            best->earliest = km_min_u64(best->earliest, c->active_not_before[bank]);
        else
            c->active_not_before[bank] =
                consider(c, best, NULL, bank, NONE,
                         c->active[bank].write ? KM_DRAM_WR : KM_DRAM_RD, now);
    }
}

/* The candidates of one bank: the oldest hit, and the oldest request that needs another row. Returns
 * the first clock at which one of them is legal. */
static uint64_t choose_in_bank(struct km_dram_ctrl *c, struct km_dram_queue *q, uint32_t bank,
                               uint64_t now, struct choice *best)
{
    const struct km_dram_bank_queue *b = &q->bank[bank];
    bool active = c->active_banks >> bank & 1, capped;
    uint64_t column_at = KM_NEVER;

    if (!(c->open_banks >> bank & 1)) {
        if (!c->cfg.queue_active || c->read.nr_active + c->write.nr_active < c->cfg.queue_active)
            return consider(c, best, q, bank, b->head, KM_DRAM_ACT, now);
        return now; /* as soon as an active request ends */
    }
    capped = c->cfg.hit_cap && c->hits[bank] >= c->cfg.hit_cap && b->hit != NONE &&
             b->miss != NONE && q->req[b->miss].age < q->req[b->hit].age;
    if (b->hit != NONE && !capped)
        column_at =
            consider(c, best, q, bank, b->hit, q == &c->write ? KM_DRAM_WR : KM_DRAM_RD, now);
    if (b->miss == NONE || active ||
        !(c->cfg.order != KM_ORDER_ROWHIT || b->hit == NONE || capped))
        return column_at;
    return km_min_u64(column_at, consider(c, best, q, bank, b->miss, KM_DRAM_PRE, now));
}

static void choose_oldest(struct km_dram_ctrl *c, struct km_dram_queue *q, uint64_t now,
                          struct choice *best)
{
    uint32_t oldest = KM_DRAM_ALL_BANKS;

    if (c->active_banks)
        return; /* an older request is under way */
    for (uint64_t left = q->banks; left; left &= left - 1) {
        uint32_t bank = (uint32_t)__builtin_ctzll(left);

        if (oldest == KM_DRAM_ALL_BANKS ||
            q->req[q->bank[bank].head].age < q->req[q->bank[oldest].head].age)
            oldest = bank;
    }
    if (oldest == KM_DRAM_ALL_BANKS)
        return;
    uint8_t head = q->bank[oldest].head;

    if (!(c->open_banks >> oldest & 1))
        consider(c, best, q, oldest, head, KM_DRAM_ACT, now);
    else if (q->bank[oldest].hit == head)
        consider(c, best, q, oldest, head, q == &c->write ? KM_DRAM_WR : KM_DRAM_RD, now);
    else
        consider(c, best, q, oldest, head, KM_DRAM_PRE, now);
}

static void choose_queued(struct km_dram_ctrl *c, uint64_t now, struct choice *best)
{
    struct km_dram_queue *q = c->writing ? &c->write : &c->read;

    if (c->cfg.order == KM_ORDER_FCFS) {
        choose_oldest(c, q, now, best);
        return;
    }
    for (uint64_t left = q->banks; left; left &= left - 1) {
        uint32_t bank = (uint32_t)__builtin_ctzll(left);

        if (q->not_before[bank] == KM_NEVER)
            continue;
        if (q->not_before[bank] > now)
            best->earliest = km_min_u64(best->earliest, q->not_before[bank]);
        else
            q->not_before[bank] = choose_in_bank(c, q, bank, now, best);
    }
}

/* ---- issue ---- */

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

static void row_changed(struct km_dram_ctrl *c, uint32_t bank)
{
    if (open_row(c, bank) == KM_DRAM_NO_ROW)
        c->open_banks &= ~(1ull << bank);
    else
        c->open_banks |= 1ull << bank;
    c->hits[bank] = 0;
    look_again(c, bank);
    find_candidates(c, &c->read, bank);
    find_candidates(c, &c->write, bank);
}

static void activate(struct km_dram_ctrl *c, const struct choice *best)
{
    c->active[best->bank] = best->queue->req[best->slot];
    c->active_banks |= 1ull << best->bank;
    c->active_not_before[best->bank] = 0;
    best->queue->nr_active++;
    dequeue(best->queue, best->bank, best->slot);
    row_changed(c, best->bank);
}

static void column(struct km_dram_ctrl *c, const struct choice *best,
                   const struct km_dram_request *r, uint64_t now)
{
    uint64_t arrival = r->arrival;

    if (best->cmd == KM_DRAM_RD) {
        push_done(c, now + c->cfg.geom.ncl + c->dev.burst_clocks, arrival);
    } else {
        uint64_t latency = now + c->cfg.geom.ncwl + c->dev.burst_clocks - arrival;

        c->n.write_latency_sum += latency;
        c->n.write_latency_max = km_max_u64(c->n.write_latency_max, latency);
    }
    c->hits[best->bank]++;
    c->last_column[best->bank] = now;
    look_again(c, best->bank);
    if (best->queue) {
        dequeue_hit(c, best->queue, best->bank, best->slot);
    } else {
        c->active_banks &= ~(1ull << best->bank);
        (r->write ? &c->write : &c->read)->nr_active--;
    }
}

static void issue(struct km_dram_ctrl *c, const struct choice *best, uint64_t now)
{
    struct km_dram_request *r =
        best->queue ? &best->queue->req[best->slot] : &c->active[best->bank];

    count_first(c, r, best->cmd);
    km_dram_issue(&c->dev, best->cmd, &r->addr, now);
    if (best->cmd == KM_DRAM_ACT)
        activate(c, best);
    else if (best->cmd == KM_DRAM_PRE)
        row_changed(c, best->bank);
    else
        column(c, best, r, now);
}

/* Refresh goes before queued requests, but lets active ones finish. True if it wants the command
 * slot. */
static bool refresh(struct km_dram_ctrl *c, uint64_t now, struct choice *best)
{
    uint32_t banks = c->cfg.geom.banks;

    for (uint32_t rank = 0; rank < c->cfg.geom.ranks; rank++) {
        if (c->refresh_due[rank] > now) {
            best->earliest = km_min_u64(best->earliest, c->refresh_due[rank]);
            continue;
        }
        struct km_dram_addr a = {.rank = rank};
        enum km_dram_cmd cmd = c->dev.rank[rank].open_banks ? KM_DRAM_PREA : KM_DRAM_REF;
        uint64_t at = km_dram_earliest(&c->dev, cmd, &a);

        if (c->active_banks >> rank * banks & (banks == 64 ? ~0ull : (1ull << banks) - 1))
            return true;
        if (at > now) {
            best->earliest = km_min_u64(best->earliest, at);
            return true;
        }
        km_dram_issue(&c->dev, cmd, &a, now);
        best->earliest = now + 1;
        if (cmd == KM_DRAM_REF) {
            c->n.refreshes++;
            c->refresh_due[rank] += c->cfg.geom.nrefi;
            return true;
        }
        for (uint32_t b = rank * banks; b < (rank + 1) * banks; b++)
            row_changed(c, b);
        return true;
    }
    return false;
}

/* Closed and timeout pages: precharge a bank that no queued request wants in its open row. */
static void close_idle_row(struct km_dram_ctrl *c, uint64_t now, struct choice *best)
{
    for (uint64_t left = c->open_banks & ~c->active_banks; left; left &= left - 1) {
        uint32_t bank = (uint32_t)__builtin_ctzll(left);
        struct km_dram_addr a = bank_address(c, bank);

        if (c->read.bank[bank].hit != NONE || c->write.bank[bank].hit != NONE)
            continue;
        uint64_t at = km_dram_earliest(&c->dev, KM_DRAM_PRE, &a);

        if (c->cfg.page == KM_PAGE_TIMEOUT)
            at = km_max_u64(at, c->last_column[bank] + c->cfg.page_timeout_clocks);
        if (at <= now) {
            km_dram_issue(&c->dev, KM_DRAM_PRE, &a, now);
            c->n.closed_early++;
            row_changed(c, bank);
            best->earliest = now + 1;
            return;
        }
        best->earliest = km_min_u64(best->earliest, at);
    }
}

static void set_mode(struct km_dram_ctrl *c)
{
    bool writing = drain_mode(c);

    c->n.write_drains += writing && !c->writing;
    c->writing = writing;
}

void km_dram_ctrl_step(struct km_dram_ctrl *c, uint64_t now)
{
    struct choice best = {.earliest = KM_NEVER};

    choose_active(c, now, &best);
    if (!best.found) {
        if (refresh(c, now, &best)) {
            c->next = km_max_u64(best.earliest, now + 1);
            return;
        }
        set_mode(c);
        choose_queued(c, now, &best);
    }
    if (best.found)
        issue(c, &best, now);
    else if (c->cfg.page != KM_PAGE_OPEN)
        close_idle_row(c, now, &best);
    c->next = best.found ? now + 1 : km_max_u64(best.earliest, now + 1);
    if (best.earliest == KM_NEVER && !best.found)
        c->next = KM_NEVER;
}
