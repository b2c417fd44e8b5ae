/* SPDX-License-Identifier: MIT
 * audit.h - an independent judge of a DRAM command stream.
 *
 * It keeps when each command happened last, per bank and rank, and measures every distance when a
 * command arrives; it knows nothing of the rule table, the "next legal clock" bookkeeping or the
 * scheduler, so a mistake there shows here. Shared with dram.h: the geometry and the command
 * numbers. Also checks: commands in time order, one per clock, column commands to the open row,
 * activates to closed banks only, refresh with all banks closed, refresh not postponed by more than
 * eight intervals.
 */
#ifndef KM_DRAM_AUDIT_H
#define KM_DRAM_AUDIT_H

#include "models/dram/dram.h"

#ifdef __cplusplus
extern "C" {
#endif

struct km_audit_bank {
    uint64_t act, rd, wr, pre; /* clock + 1 of the last; 0 = never */
    int64_t row;               /* -1: closed */
};

struct km_audit_rank {
    struct km_audit_bank bank[KM_DRAM_MAX_BANKS];
    uint64_t acts[4]; /* newest first, clock + 1 */
    uint64_t ref;
};

struct km_dram_audit {
    struct km_dram_geom geom;
    struct km_audit_rank rank[KM_DRAM_MAX_RANKS];
    uint64_t last; /* clock + 1 of the last command */
    uint64_t commands, violations;
    const char *first_rule; /* of the first violation */
    uint64_t first_clock;
    uint64_t refreshes_from; /* clock from which refresh is expected; KM_NEVER: off */
};

void km_dram_audit_init(struct km_dram_audit *a, const struct km_dram_geom *g, bool refresh);
void km_dram_audit_see(struct km_dram_audit *a, unsigned cmd, const struct km_dram_addr *addr,
                       uint64_t now);
/* The controller says that refreshes up to `now` were due while nothing was pending and were not
 * simulated one by one. */
void km_dram_audit_skip_refresh(struct km_dram_audit *a, uint32_t rank, uint64_t now);

#ifdef __cplusplus
}
#endif
#endif
