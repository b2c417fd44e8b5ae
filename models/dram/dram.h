/* SPDX-License-Identifier: MIT
 * dram.h - SDRAM devices: which command is legal when, and what it changes.
 *
 * Models:      one channel of up to 8 ranks of up to 16 banks, 64 banks in all; ACT, RD, WR, PRE, PREA, REF with the
 *              timing rules of SDR/DDR/DDR2/DDR3 devices as a table (timing.c).
 * Not modelled: auto-precharge, power-down, calibration, ECC, data.
 * Time:        DRAM clocks, always an argument. The device holds no clock: km_dram_earliest() says
 *              from when a command is legal, km_dram_issue() records that it happened at `now`.
 * Invariants:  a command is issued at or after its earliest clock (checked); at most one command
 *              per clock is the controller's duty and checked by the audit.
 * Audit:       audit.c sees the same command stream and shares no code with this file.
 * References:  JESD79-3F (DDR3), JESD79-2F (DDR2), JESD79F (DDR): state diagrams and timing
 *              parameters.
 */
#ifndef KM_DRAM_DRAM_H
#define KM_DRAM_DRAM_H

#include "models/base/types.h"

#ifdef __cplusplus
extern "C" {
#endif

#define KM_DRAM_MAX_RANKS 8u
#define KM_DRAM_MAX_BANKS 16u
#define KM_DRAM_ALL_BANKS 64u /* ranks * banks of a channel at most */
#define KM_DRAM_MAX_CHANNELS 4u
#define KM_DRAM_NO_ROW UINT32_MAX
#define KM_DRAM_MAPPING_MAX 128u

enum km_dram_cmd {
    KM_DRAM_ACT,
    KM_DRAM_RD,
    KM_DRAM_WR,
    KM_DRAM_PRE,
    KM_DRAM_PREA,
    KM_DRAM_REF,
    KM_DRAM_CMD_NR,
};

/* When a row is closed that nobody asked to close. */
enum km_dram_paging { KM_PAGE_OPEN, KM_PAGE_CLOSED, KM_PAGE_TIMEOUT };

/* All times in DRAM clocks. */
struct km_dram_geom {
    uint32_t channels, ranks, banks, rows, columns, bus_bytes, burst;
    uint32_t data_rate; /* transfers per clock: 1 SDR, 2 DDR */
    uint32_t ncl, ncwl, nrcd, nrp, nras, nrc, nrrd, nfaw, nwr, nwtr, nrtp, nccd, nrtrs, nrfc, nrefi;
    char mapping[KM_DRAM_MAPPING_MAX];
};

struct km_dram_addr {
    uint32_t rank, bank, row, column, channel;
};

enum km_dram_field {
    KM_DRAM_RANK,
    KM_DRAM_BANK,
    KM_DRAM_ROW,
    KM_DRAM_COLUMN,
    KM_DRAM_CHANNEL,
    KM_DRAM_FIELDS
};

/* What each address bit means; made from the mapping string by km_dram_map_parse (map.c). */
struct km_dram_map {
    struct {
        uint8_t field, shift, at; /* address bits from `shift` go to bits of the field from `at` */
        uint32_t mask;
    } piece[16];
    struct {
        uint8_t field, from, skip; /* field ^= from >> skip */
        uint32_t mask;
    } hash[8];
    uint8_t nr_pieces, nr_hashes;
};

enum km_dram_scope { KM_SCOPE_BANK, KM_SCOPE_RANK, KM_SCOPE_OTHER_RANKS, KM_DRAM_SCOPES };

/* After `prev`, `next` must wait `clocks` in the given scope. */
struct km_dram_rule {
    uint8_t scope, prev, next;
    int32_t clocks;
    const char *name;
};

/* All rules of one command in one scope. */
struct km_dram_waits {
    uint32_t nr;
    uint32_t clocks[KM_DRAM_CMD_NR];
    uint8_t next[KM_DRAM_CMD_NR];
};

/* "left >= right" between parameters of one device. */
struct km_dram_relation {
    const char *keys;        /* the parameters in it, separated by spaces */
    const char *left, *right; /* in words */
    const char *why;
    int32_t left_clocks, right_clocks;
    bool broken;
};

#define KM_DRAM_MAX_RULES 48u

struct km_dram_bank {
    uint64_t next[KM_DRAM_CMD_NR];
    uint32_t row; /* open row or KM_DRAM_NO_ROW */
};

struct km_dram_rank {
    uint64_t next[KM_DRAM_CMD_NR];
    uint64_t act[4]; /* the last four activates + 1, a ring */
    uint32_t act_at, open_banks;
    uint64_t open_since, open_clocks; /* clocks with a row open somewhere (active standby) */
    struct km_dram_bank bank[KM_DRAM_MAX_BANKS];
};

struct km_dram_counts {
    uint64_t cmd[KM_DRAM_CMD_NR];
};

struct km_dram_audit;

/* Sees every command as it is issued. */
typedef void km_dram_watch_fn(void *ctx, enum km_dram_cmd cmd, const struct km_dram_addr *a,
                              uint64_t now);

struct km_dram {
    struct km_dram_geom geom;
    struct km_dram_map map;
    struct km_dram_waits waits[KM_DRAM_CMD_NR][KM_DRAM_SCOPES]; /* [command issued] */
    struct km_dram_rank rank[KM_DRAM_MAX_RANKS];
    struct km_dram_counts n;
    struct km_dram_audit *audit; /* may be NULL */
    km_dram_watch_fn *watch;     /* may be NULL */
    void *watch_ctx;
    uint32_t burst_clocks;       /* data clocks of one RD or WR */
};

/* NULL or why no such device can exist. */
const char *km_dram_check(const struct km_dram_geom *g);
/* The i-th relation the timing parameters must keep among themselves: returns what it is good for,
 * NULL past the last one. */
const char *km_dram_contradiction(const struct km_dram_geom *g, unsigned i,
                                  struct km_dram_relation *out);
void km_dram_init(struct km_dram *d, const struct km_dram_geom *g);

/* NULL or the reason why g->mapping cannot be used. */
const char *km_dram_map_parse(struct km_dram_map *map, const struct km_dram_geom *g);
struct km_dram_addr km_dram_map_locate(const struct km_dram_map *map, uint64_t pa);
static inline struct km_dram_addr km_dram_locate(const struct km_dram *d, uint64_t pa)
{
    return km_dram_map_locate(&d->map, pa);
}

/* Fills rule[] sorted by prev; returns how many (timing.c). */
uint32_t km_dram_rules(const struct km_dram_geom *g, struct km_dram_rule rule[KM_DRAM_MAX_RULES]);

/* First clock at which cmd to addr breaks no rule. Row state is not part of it. */
static inline uint64_t km_dram_earliest(const struct km_dram *d, enum km_dram_cmd cmd,
                                        const struct km_dram_addr *a)
{
    const struct km_dram_rank *rank = &d->rank[a->rank];
    uint64_t at = rank->next[cmd], other = 0;

    if (cmd != KM_DRAM_PREA && cmd != KM_DRAM_REF)
        other = rank->bank[a->bank].next[cmd];
    if (cmd == KM_DRAM_ACT && d->geom.nfaw && rank->act[rank->act_at]) {
        uint64_t window = rank->act[rank->act_at] - 1 + d->geom.nfaw;

        at = at > window ? at : window;
    }
    return at > other ? at : other;
}
/* Issues cmd at now; state and rule violations of ours are bugs. */
void km_dram_issue(struct km_dram *d, enum km_dram_cmd cmd, const struct km_dram_addr *a,
                   uint64_t now);
static inline uint32_t km_dram_open_row(const struct km_dram *d, const struct km_dram_addr *a)
{
    return d->rank[a->rank].bank[a->bank].row;
}

#ifdef __cplusplus
}
#endif
#endif
