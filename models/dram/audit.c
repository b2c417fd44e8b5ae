/* SPDX-License-Identifier: MIT
 * audit.c - see audit.h. Written against the data-sheet parameters, not against timing.c.
 */
#include "models/dram/audit.h"

#include <string.h>

void km_dram_audit_init(struct km_dram_audit *a, const struct km_dram_geom *g, bool refresh)
{
    memset(a, 0, sizeof(*a));
    a->geom = *g;
    a->refreshes_from = refresh && g->nrefi ? 0 : KM_NEVER;
    for (unsigned r = 0; r < KM_DRAM_MAX_RANKS; r++)
        for (unsigned b = 0; b < KM_DRAM_MAX_BANKS; b++)
            a->rank[r].bank[b].row = -1;
}

static void violation(struct km_dram_audit *a, const char *rule, uint64_t now)
{
    if (!a->violations++) {
        a->first_rule = rule;
        a->first_clock = now;
    }
}

/* `then` is clock + 1 of an earlier event, 0 if it never happened. */
static void distance(struct km_dram_audit *a, const char *rule, uint64_t then, uint64_t now,
                     int64_t need)
{
    if (then && (int64_t)(now - (then - 1)) < need)
        violation(a, rule, now);
}

static uint32_t data_clocks(const struct km_dram_audit *a)
{
    return a->geom.burst / a->geom.data_rate;
}

static void see_act(struct km_dram_audit *a, const struct km_dram_addr *at, uint64_t now)
{
    struct km_audit_rank *r = &a->rank[at->rank];
    struct km_audit_bank *b = &r->bank[at->bank];

    if (b->row >= 0)
        violation(a, "activate of an open bank", now);
    distance(a, "tRP", b->pre, now, a->geom.nrp);
    distance(a, "tRC", b->act, now, a->geom.nrc);
    distance(a, "tRRD", r->acts[0], now, a->geom.nrrd);
    distance(a, "tFAW", r->acts[3], now, a->geom.nfaw);
    distance(a, "tRFC", r->ref, now, a->geom.nrfc);
    memmove(&r->acts[1], &r->acts[0], 3 * sizeof(r->acts[0]));
    r->acts[0] = b->act = now + 1;
    b->row = at->row;
}

/* Clocks in which the data of a column command occupy the bus: [first, first + data_clocks). */
static int64_t data_begin(const struct km_dram_audit *a, bool write, uint64_t then)
{
    return (int64_t)(then - 1) + (write ? a->geom.ncwl : a->geom.ncl);
}

static void see_column(struct km_dram_audit *a, const struct km_dram_addr *at, uint64_t now,
                       bool write)
{
    struct km_audit_bank *target = &a->rank[at->rank].bank[at->bank];
    int64_t mine = data_begin(a, write, now + 1), len = data_clocks(a);

    if (target->row < 0)
        violation(a, "column command to a closed bank", now);
    else if (target->row != (int64_t)at->row)
        violation(a, "column command to the wrong row", now);
    distance(a, "tRCD", target->act, now, a->geom.nrcd);
    for (uint32_t r = 0; r < a->geom.ranks; r++) {
        for (uint32_t i = 0; i < a->geom.banks; i++) {
            const struct km_audit_bank *b = &a->rank[r].bank[i];
            bool same = r == at->rank;
            int64_t gap = same ? 0 : a->geom.nrtrs;

            if (b->rd && data_begin(a, false, b->rd) + len + gap > mine)
                violation(a, "data bus overlap after a read", now);
            if (b->wr && data_begin(a, true, b->wr) + len + gap > mine)
                violation(a, "data bus overlap after a write", now);
            if (!same)
                continue;
            if (write) {
                distance(a, "tCCD", b->wr, now, a->geom.nccd);
                if (b->rd && data_begin(a, false, b->rd) + len + 2 > mine)
                    violation(a, "read to write turnaround", now);
            } else {
                distance(a, "tCCD", b->rd, now, a->geom.nccd);
                if (b->wr && data_begin(a, true, b->wr) + len + a->geom.nwtr > (int64_t)now)
                    violation(a, "tWTR", now);
            }
        }
    }
    if (write)
        target->wr = now + 1;
    else
        target->rd = now + 1;
}

static void see_precharge(struct km_dram_audit *a, struct km_audit_bank *b, uint64_t now)
{
    if (b->row < 0)
        return; /* precharging an idle bank is a NOP */
    distance(a, "tRAS", b->act, now, a->geom.nras);
    distance(a, "tRTP", b->rd, now, a->geom.nrtp);
    if (b->wr && data_begin(a, true, b->wr) + data_clocks(a) + a->geom.nwr > (int64_t)now)
        violation(a, "tWR", now);
    b->row = -1;
    b->pre = now + 1;
}

static void see_refresh(struct km_dram_audit *a, uint32_t rank, uint64_t now)
{
    struct km_audit_rank *r = &a->rank[rank];
    uint64_t since = r->ref ? r->ref - 1 : a->refreshes_from;

    for (uint32_t i = 0; i < a->geom.banks; i++) {
        if (r->bank[i].row >= 0)
            violation(a, "refresh with an open bank", now);
        distance(a, "tRP before refresh", r->bank[i].pre, now, a->geom.nrp);
        distance(a, "tRC before refresh", r->bank[i].act, now, a->geom.nrc);
    }
    distance(a, "tRFC", r->ref, now, a->geom.nrfc);
    if (a->refreshes_from != KM_NEVER && now - since > 9ull * a->geom.nrefi)
        violation(a, "refresh postponed too long", now);
    r->ref = now + 1;
}

void km_dram_audit_see(struct km_dram_audit *a, unsigned cmd, const struct km_dram_addr *addr,
                       uint64_t now)
{
    a->commands++;
    if (a->last && now < a->last)
        violation(a, now + 1 < a->last ? "commands out of order" : "two commands in one clock",
                  now);
    a->last = now + 1;
    switch (cmd) {
    case KM_DRAM_ACT:
        see_act(a, addr, now);
        break;
    case KM_DRAM_RD:
    case KM_DRAM_WR:
        see_column(a, addr, now, cmd == KM_DRAM_WR);
        break;
    case KM_DRAM_PRE:
        see_precharge(a, &a->rank[addr->rank].bank[addr->bank], now);
        break;
    case KM_DRAM_PREA:
        for (uint32_t i = 0; i < a->geom.banks; i++)
            see_precharge(a, &a->rank[addr->rank].bank[i], now);
        break;
    case KM_DRAM_REF:
        see_refresh(a, addr->rank, now);
        break;
    default:
        violation(a, "unknown command", now);
    }
}

void km_dram_audit_skip_refresh(struct km_dram_audit *a, uint32_t rank, uint64_t now)
{
    a->rank[rank].ref = now + 1;
}
