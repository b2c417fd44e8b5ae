/* SPDX-License-Identifier: MIT
 * compaction.c - see compaction.h.
 *
 * Models:      the suitability test with its gap for migration targets and the fragmentation index above order
 *              3; deferral that doubles with every failure, up to 64 attempts.
 * Not modelled: the scanners; in replays the traced kernel says how many pages move (replay_compact.c).
 * Units:       pages; index in thousandths.
 * References:  kernel-behaviour notes D5, I2.
 */
#include "models/os/compaction.h"

#include "models/os/extfrag.h"

#define COSTLY_ORDER 3u
#define EXTFRAG_THRESHOLD 500
#define MAX_DEFER_SHIFT 6u

static const struct km_site site_suitable = {"compaction_suitable", 0xc1294c00u, 256};

/* The order-0 mark plus twice the block: pages to migrate to while the block is made. */
static bool room_to_migrate(struct km_os *os, struct km_cpu *cpu, enum km_zone_id z, unsigned order,
                            enum km_zone_id highest)
{
    const km_vaddr va = os->zone[z].va;
    unsigned mark = order > COSTLY_ORDER ? KM_WMARK_LOW : KM_WMARK_MIN;
    uint64_t wanted = (uint64_t)km_ld32(cpu, va + KM_ZONE_WATERMARK + mark * 4) + km_ld32(cpu, va + KM_ZONE_BOOST) +
                      (2ull << order) + km_ld32(cpu, va + KM_ZONE_LOWMEM_RESERVE + highest * 4u);

    return km_ld32(cpu, va + KM_ZONE_NR_FREE_PAGES) > wanted;
}

enum km_compact_result km_compaction_suitable(struct km_os *os, struct km_cpu *cpu, enum km_zone_id z, unsigned order,
                                              enum km_watermark mark, enum km_zone_id highest, unsigned alloc_flags)
{
    uint64_t nr_free[KM_NR_ORDERS];

    km_exec(cpu, &site_suitable, 40);
    if (km_zone_watermark_ok(os, cpu, z, order, mark, highest, alloc_flags))
        return KM_COMPACT_SUCCESS;
    if (!room_to_migrate(os, cpu, z, order, highest))
        return KM_COMPACT_SKIPPED;
    if (order <= COSTLY_ORDER)
        return KM_COMPACT_CONTINUE;
    km_extfrag_counts(os, cpu, z, nr_free);
    int32_t index = km_extfrag_index(nr_free, order);

    return index >= 0 && index <= EXTFRAG_THRESHOLD ? KM_COMPACT_SKIPPED : KM_COMPACT_CONTINUE;
}

void km_compact_defer_init(struct km_compact_defer *d)
{
    *d = (struct km_compact_defer){.failed_order = KM_NR_ORDERS};
}

void km_compact_defer_failed(struct km_compact_defer *d, unsigned order)
{
    d->considered = 0;
    if (d->shift < MAX_DEFER_SHIFT)
        d->shift++;
    if (order < d->failed_order)
        d->failed_order = order;
}

bool km_compact_deferred(struct km_compact_defer *d, unsigned order)
{
    if (order < d->failed_order)
        return false;
    if (++d->considered >= 1u << d->shift) {
        d->considered = 1u << d->shift;
        return false;
    }
    return true;
}

void km_compact_defer_success(struct km_compact_defer *d, unsigned order, bool served)
{
    if (served)
        d->considered = d->shift = 0;
    if (order >= d->failed_order)
        d->failed_order = order + 1;
}
