/* SPDX-License-Identifier: MIT
 * repl_srrip.c - static re-reference interval prediction with hit priority (2 bits per way).
 *
 * Theory: each way holds a predicted distance to its next use, 0 near .. 3 distant. A fill predicts
 * "long" (2), so a line that is never used again leaves before lines that were; a hit predicts
 * "near" (0). The victim is the lowest way at 3; if there is none, all ways age by one until there
 * is.
 * References: Jaleel, Theobald, Steely, Emer, "High Performance Cache Replacement Using
 * Re-Reference Interval Prediction", ISCA 2010, section 4.
 */
#include "models/cache/repl.h"

#define NEAR 0u
#define LONG 2u
#define DISTANT 3u

static void srrip_touch(struct km_repl *r, uint32_t set, uint32_t way)
{
    r->state[(size_t)set * r->bytes_per_set + way] = NEAR;
}

static void srrip_fill(struct km_repl *r, uint32_t set, uint32_t way)
{
    r->state[(size_t)set * r->bytes_per_set + way] = LONG;
}

static uint32_t srrip_victim(struct km_repl *r, uint32_t set)
{
    uint8_t *distance = r->state + (size_t)set * r->bytes_per_set;
    uint32_t oldest = 0;

    for (uint32_t way = 1; way < r->ways; way++)
        if (distance[way] > distance[oldest])
            oldest = way;
    uint8_t ageing = (uint8_t)(DISTANT - distance[oldest]);

    for (uint32_t way = 0; way < r->ways; way++)
        distance[way] = (uint8_t)(distance[way] + ageing);
    return oldest;
}

const struct km_repl_ops km_repl_srrip = {
    .name = "srrip",
    .help = "re-reference interval prediction: lines never used again leave first",
    .lazy = true,
    .bytes_per_set = km_repl_byte_per_way,
    .init = km_repl_zero,
    .touch = srrip_touch,
    .fill = srrip_fill,
    .victim = srrip_victim,
};
