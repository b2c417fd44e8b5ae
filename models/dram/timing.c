/* SPDX-License-Identifier: MIT
 * timing.c - the timing rules of SDR to DDR3 devices as a table.
 *
 * Each row: after command `prev`, command `next` in the same bank, the same rank or another rank
 * has to wait base + sum of parameters clocks. BURST is the data time of one RD or WR (burst /
 * transfers per clock). tFAW is the only rule that looks back further than one command; device.c
 * keeps four activates for it.
 */
#include "models/dram/dram.h"

#include <stddef.h>
#include <string.h>

enum {
    P_NONE,
    P_CL,
    P_CWL,
    P_RCD,
    P_RP,
    P_RAS,
    P_RC,
    P_RRD,
    P_WR,
    P_WTR,
    P_RTP,
    P_CCD,
    P_RTRS,
    P_RFC,
    P_FAW,
    P_REFI,
    P_BURST,
    P_NR
};

struct row {
    uint8_t scope, prev, next;
    uint8_t plus[3], minus;
    int8_t base;
    const char *name;
};

#define BANK KM_SCOPE_BANK
#define RANK KM_SCOPE_RANK
#define OTHER KM_SCOPE_OTHER_RANKS

static const struct row rows[] = {
    {BANK, KM_DRAM_ACT, KM_DRAM_ACT, {P_RC, 0, 0}, 0, 0, "tRC"},
    {BANK, KM_DRAM_ACT, KM_DRAM_RD, {P_RCD, 0, 0}, 0, 0, "tRCD"},
    {BANK, KM_DRAM_ACT, KM_DRAM_WR, {P_RCD, 0, 0}, 0, 0, "tRCD"},
    {BANK, KM_DRAM_ACT, KM_DRAM_PRE, {P_RAS, 0, 0}, 0, 0, "tRAS"},
    {RANK, KM_DRAM_ACT, KM_DRAM_PREA, {P_RAS, 0, 0}, 0, 0, "tRAS"},
    {RANK, KM_DRAM_ACT, KM_DRAM_ACT, {P_RRD, 0, 0}, 0, 0, "tRRD"},
    {RANK, KM_DRAM_ACT, KM_DRAM_REF, {P_RC, 0, 0}, 0, 0, "tRC"},

    {RANK, KM_DRAM_RD, KM_DRAM_RD, {P_CCD, 0, 0}, 0, 0, "tCCD"},
    {RANK, KM_DRAM_RD, KM_DRAM_WR, {P_CL, P_BURST, 0}, P_CWL, 2, "RD-WR turnaround"},
    {BANK, KM_DRAM_RD, KM_DRAM_PRE, {P_RTP, 0, 0}, 0, 0, "tRTP"},
    {RANK, KM_DRAM_RD, KM_DRAM_PREA, {P_RTP, 0, 0}, 0, 0, "tRTP"},
    {OTHER, KM_DRAM_RD, KM_DRAM_RD, {P_BURST, P_RTRS, 0}, 0, 0, "tRTRS"},
    {OTHER, KM_DRAM_RD, KM_DRAM_WR, {P_CL, P_BURST, P_RTRS}, P_CWL, 0, "tRTRS"},

    {RANK, KM_DRAM_WR, KM_DRAM_WR, {P_CCD, 0, 0}, 0, 0, "tCCD"},
    {RANK, KM_DRAM_WR, KM_DRAM_RD, {P_CWL, P_BURST, P_WTR}, 0, 0, "tWTR"},
    {BANK, KM_DRAM_WR, KM_DRAM_PRE, {P_CWL, P_BURST, P_WR}, 0, 0, "tWR"},
    {RANK, KM_DRAM_WR, KM_DRAM_PREA, {P_CWL, P_BURST, P_WR}, 0, 0, "tWR"},
    {OTHER, KM_DRAM_WR, KM_DRAM_WR, {P_BURST, P_RTRS, 0}, 0, 0, "tRTRS"},
    {OTHER, KM_DRAM_WR, KM_DRAM_RD, {P_CWL, P_BURST, P_RTRS}, P_CL, 0, "tRTRS"},

    {BANK, KM_DRAM_PRE, KM_DRAM_ACT, {P_RP, 0, 0}, 0, 0, "tRP"},
    {RANK, KM_DRAM_PRE, KM_DRAM_REF, {P_RP, 0, 0}, 0, 0, "tRP"},
    {RANK, KM_DRAM_PREA, KM_DRAM_ACT, {P_RP, 0, 0}, 0, 0, "tRP"},
    {RANK, KM_DRAM_PREA, KM_DRAM_REF, {P_RP, 0, 0}, 0, 0, "tRP"},

    {RANK, KM_DRAM_REF, KM_DRAM_ACT, {P_RFC, 0, 0}, 0, 0, "tRFC"},
    {RANK, KM_DRAM_REF, KM_DRAM_REF, {P_RFC, 0, 0}, 0, 0, "tRFC"},
};

static void parameters(const struct km_dram_geom *g, int32_t value[P_NR])
{
    const int32_t all[P_NR] = {
        [P_CL] = (int32_t)g->ncl,     [P_CWL] = (int32_t)g->ncwl,
        [P_RCD] = (int32_t)g->nrcd,   [P_RP] = (int32_t)g->nrp,
        [P_RAS] = (int32_t)g->nras,   [P_RC] = (int32_t)g->nrc,
        [P_RRD] = (int32_t)g->nrrd,   [P_WR] = (int32_t)g->nwr,
        [P_WTR] = (int32_t)g->nwtr,   [P_RTP] = (int32_t)g->nrtp,
        [P_CCD] = (int32_t)g->nccd,   [P_RTRS] = (int32_t)g->nrtrs,
        [P_RFC] = (int32_t)g->nrfc,   [P_FAW] = (int32_t)g->nfaw,
        [P_REFI] = (int32_t)g->nrefi, [P_BURST] = (int32_t)(g->burst / g->data_rate),
    };

    memcpy(value, all, sizeof(all));
}

uint32_t km_dram_rules(const struct km_dram_geom *g, struct km_dram_rule rule[KM_DRAM_MAX_RULES])
{
    int32_t value[P_NR];
    uint32_t n = 0;

    parameters(g, value);
    for (size_t i = 0; i < KM_ARRAY_LEN(rows); i++) {
        const struct row *r = &rows[i];
        int32_t clocks = r->base - value[r->minus];

        for (unsigned k = 0; k < 3; k++)
            clocks += value[r->plus[k]];
        rule[n++] =
            (struct km_dram_rule){r->scope, r->prev, r->next, clocks > 1 ? clocks : 1, r->name};
    }
    return n;
}

/* What a device's parameters must obey among themselves: left >= right[0] + right[1] + right[2]
 * (+ 1 if strict). A left side of 0 means "no such limit" where `optional`. */
static const struct {
    uint8_t left, right[3];
    bool strict, optional;
    struct km_dram_relation text;
} relations[] = {
    {P_RAS,
     {P_RCD},
     false,
     false,
     {"nras nrcd", "nras", "nrcd", "a row would close before it can be read", 0, 0, false}},
    {P_RC,
     {P_RAS, P_RP},
     false,
     false,
     {"nrc nras nrp", "nrc", "nras + nrp", "a row cycle is at least opening and closing", 0, 0,
      false}},
    {P_CL,
     {P_CWL},
     false,
     false,
     {"ncl ncwl", "ncl", "ncwl", "write data never take longer than read data", 0, 0, false}},
    {P_CCD,
     {P_BURST},
     false,
     false,
     {"nccd burst data_rate", "nccd", "the data of a burst", "bursts would overlap on the bus", 0,
      0, false}},
    {P_FAW,
     {P_RRD},
     false,
     true,
     {"nfaw nrrd", "nfaw", "nrrd", "a window of four activates (0: none) holds at least one", 0, 0,
      false}},
    {P_RFC,
     {P_RC},
     false,
     true,
     {"nrfc nrc", "nrfc", "nrc", "a refresh is at least one row cycle", 0, 0, false}},
    {P_REFI,
     {P_RFC, P_RP, P_RAS},
     true,
     true,
     {"nrefi nrfc nrp nras", "nrefi", "nrfc + nrp + nras + 1",
      "no time would be left between refreshes", 0, 0, false}},
};

const char *km_dram_contradiction(const struct km_dram_geom *g, unsigned i,
                                  struct km_dram_relation *out)
{
    int32_t value[P_NR];

    if (i >= KM_ARRAY_LEN(relations))
        return NULL;
    parameters(g, value);
    *out = relations[i].text;
    out->left_clocks = value[relations[i].left];
    out->right_clocks = relations[i].strict;
    for (unsigned k = 0; k < 3; k++)
        out->right_clocks += value[relations[i].right[k]];
    out->broken =
        out->left_clocks < out->right_clocks && !(relations[i].optional && !out->left_clocks);
    return out->why;
}
