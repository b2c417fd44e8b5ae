/* SPDX-License-Identifier: MIT
 * device.c - state of the banks and the next legal clock of every command; see dram.h.
 */
#include "models/dram/dram.h"

#include "models/base/bits.h"
#include "models/base/bug.h"
#include "models/dram/audit.h"

#include <string.h>

const char *km_dram_check(const struct km_dram_geom *g)
{
    struct km_dram_map map;
    struct km_dram_relation relation;

    if (!km_is_pow2(g->ranks) || g->ranks > KM_DRAM_MAX_RANKS)
        return "ranks must be 1, 2, 4 or 8";
    if (!km_is_pow2(g->channels) || g->channels > KM_DRAM_MAX_CHANNELS)
        return "channels must be 1, 2 or 4";
    if (!km_is_pow2(g->banks) || g->banks > KM_DRAM_MAX_BANKS)
        return "banks must be 1, 2, 4, 8 or 16";
    if (g->ranks * g->banks > KM_DRAM_ALL_BANKS)
        return "ranks * banks of a channel must not be more than 64";
    if (!km_is_pow2(g->rows) || !km_is_pow2(g->columns) || !km_is_pow2(g->bus_bytes))
        return "rows, columns and bus_bytes must be powers of two";
    if (!km_is_pow2(g->burst) || g->burst > g->columns)
        return "burst must be a power of two not larger than columns";
    if (!g->data_rate || g->data_rate > 2 || g->burst < g->data_rate)
        return "data_rate must be 1 or 2 and not larger than burst";
    if (!g->ncl || !g->nrcd || !g->nrp || !g->nras || !g->nccd)
        return "ncl, nrcd, nrp, nras and nccd must not be 0";
    for (unsigned i = 0; km_dram_contradiction(g, i, &relation); i++)
        if (relation.broken)
            return relation.why;
    return km_dram_map_parse(&map, g);
}

/* The rules once more, by what they wait after and where: what km_dram_issue() walks. */
static void sort_rules(struct km_dram *d)
{
    struct km_dram_rule rule[KM_DRAM_MAX_RULES];
    uint32_t nr = km_dram_rules(&d->geom, rule);

    for (uint32_t i = 0; i < nr; i++) {
        struct km_dram_waits *w = &d->waits[rule[i].prev][rule[i].scope];

        KM_BUG_ON(w->nr == KM_DRAM_CMD_NR);
        w->next[w->nr] = rule[i].next;
        w->clocks[w->nr++] = (uint32_t)rule[i].clocks;
    }
}

void km_dram_init(struct km_dram *d, const struct km_dram_geom *g)
{
    memset(d, 0, sizeof(*d));
    d->geom = *g;
    KM_BUG_ON(km_dram_check(g) != NULL);
    km_dram_map_parse(&d->map, g);
    d->burst_clocks = g->burst / g->data_rate;
    sort_rules(d);
    for (unsigned r = 0; r < KM_DRAM_MAX_RANKS; r++)
        for (unsigned b = 0; b < KM_DRAM_MAX_BANKS; b++)
            d->rank[r].bank[b].row = KM_DRAM_NO_ROW;
}

static inline void raise_all(uint64_t next[KM_DRAM_CMD_NR], const struct km_dram_waits *w,
                             uint64_t now)
{
    for (uint32_t i = 0; i < w->nr; i++) {
        uint64_t at = now + w->clocks[i];
        uint64_t *slot = &next[w->next[i]];

        if (*slot < at)
            *slot = at;
    }
}

static void apply_rules(struct km_dram *d, enum km_dram_cmd cmd, const struct km_dram_addr *a,
                        uint64_t now)
{
    struct km_dram_rank *rank = &d->rank[a->rank];
    const struct km_dram_waits *w = d->waits[cmd];

    raise_all(rank->bank[a->bank].next, &w[KM_SCOPE_BANK], now);
    raise_all(rank->next, &w[KM_SCOPE_RANK], now);
    if (!w[KM_SCOPE_OTHER_RANKS].nr)
        return;
    for (uint32_t r = 0; r < d->geom.ranks; r++)
        if (r != a->rank)
            raise_all(d->rank[r].next, &w[KM_SCOPE_OTHER_RANKS], now);
}

static void change_state(struct km_dram *d, enum km_dram_cmd cmd, const struct km_dram_addr *a,
                         uint64_t now)
{
    struct km_dram_rank *rank = &d->rank[a->rank];
    struct km_dram_bank *bank = &rank->bank[a->bank];

    switch (cmd) {
    case KM_DRAM_ACT:
        KM_BUG_ON(bank->row != KM_DRAM_NO_ROW);
        bank->row = a->row;
        if (!rank->open_banks++)
            rank->open_since = now;
        rank->act[rank->act_at] = now + 1;
        rank->act_at = (rank->act_at + 1) % 4;
        break;
    case KM_DRAM_RD:
    case KM_DRAM_WR:
        KM_BUG_ON(bank->row != a->row);
        break;
    case KM_DRAM_PRE:
        if (bank->row != KM_DRAM_NO_ROW && !--rank->open_banks)
            rank->open_clocks += now - rank->open_since;
        bank->row = KM_DRAM_NO_ROW;
        break;
    case KM_DRAM_PREA:
        for (uint32_t b = 0; b < d->geom.banks; b++)
            rank->bank[b].row = KM_DRAM_NO_ROW;
        if (rank->open_banks)
            rank->open_clocks += now - rank->open_since;
        rank->open_banks = 0;
        break;
    default:
        KM_BUG_ON(rank->open_banks);
    }
}

void km_dram_issue(struct km_dram *d, enum km_dram_cmd cmd, const struct km_dram_addr *a,
                   uint64_t now)
{
    KM_BUG_ON(now < km_dram_earliest(d, cmd, a));
    if (d->audit)
        km_dram_audit_see(d->audit, (unsigned)cmd, a, now);
    if (d->watch)
        d->watch(d->watch_ctx, cmd, a, now);
    d->n.cmd[cmd]++;
    change_state(d, cmd, a, now);
    apply_rules(d, cmd, a, now);
}
