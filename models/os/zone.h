/* SPDX-License-Identifier: MIT
 * zone.h - zones: pageblock types, free-page accounting, watermarks, lowmem reserves.
 */
#ifndef KM_OS_ZONE_H
#define KM_OS_ZONE_H

#include "models/os/list.h"
#include "models/os/os.h"

enum km_watermark { KM_WMARK_MIN, KM_WMARK_LOW, KM_WMARK_HIGH, KM_WMARK_PROMO, KM_WMARK_NR };

/* Reserves a caller may dip into (B6). */
enum {
    KM_ALLOC_NON_BLOCK = 1u << 0,
    KM_ALLOC_MIN_RESERVE = 1u << 1,
    KM_ALLOC_HIGHATOMIC = 1u << 2,
    KM_ALLOC_OOM = 1u << 3,
    KM_ALLOC_KSWAPD = 1u << 4,
    KM_ALLOC_NO_WATERMARKS = 1u << 5,
    KM_ALLOC_NO_BOOST = 1u << 6, /* compare with the stored mark */
    KM_ALLOC_UNCOUNTED = 1u << 7, /* km_buddy_take: the caller counts the pages when it has all of them */
};

static inline km_vaddr km_free_area_va(const struct km_zone *zone, unsigned order)
{
    return zone->va + KM_ZONE_FREE_AREA + order * KM_FREE_AREA_BYTES;
}

static inline km_vaddr km_free_list_va(const struct km_zone *zone, unsigned order, unsigned mt)
{
    return km_free_area_va(zone, order) + KM_FREE_AREA_LISTS + mt * 8;
}

static inline bool km_zone_populated(const struct km_zone *zone)
{
    return zone->present_pages != 0;
}

static inline km_pfn km_pageblock_pages(const struct km_os *os)
{
    return 1u << os->p.pageblock_order;
}

/* Zero-filled structs of all zones: empty lists, types UNMOVABLE, boot pagesets. Spans must be set. */
void km_zone_init_all(struct km_os *os, struct km_cpu *cpu);

enum km_migratetype km_pageblock_type(struct km_os *os, struct km_cpu *cpu, enum km_zone_id z, km_pfn pfn);
void km_pageblock_set_type(struct km_os *os, struct km_cpu *cpu, enum km_zone_id z, km_pfn pfn,
                           enum km_migratetype mt);

/* The fourth bit of the descriptor: compaction found nothing in this pageblock. */
bool km_pageblock_skip(struct km_os *os, struct km_cpu *cpu, enum km_zone_id z, km_pfn pfn);
void km_pageblock_set_skip(struct km_os *os, struct km_cpu *cpu, enum km_zone_id z, km_pfn pfn, bool skip);

/* NR_FREE_PAGES of the zone += delta (under the zone lock): noted per CPU, passed on beyond the threshold. */
void km_zone_add_free(struct km_cpu *cpu, const struct km_zone *zone, int32_t delta);
/* NR_FREE_PAGES with what the CPUs have not passed on: what the free lists hold. Untimed. */
uint32_t km_zone_free_pages(const struct km_os *os, const uint8_t *window, enum km_zone_id z);
/* This CPU passes on what it has noted (it goes idle, or its vmstat worker runs). */
void km_zone_fold_counters(struct km_os *os, struct km_cpu *cpu);
/* Thresholds of all CPUs: the ordinary ones, or those that hold while kswapd is awake (B7). */
void km_zone_set_stat_thresholds(struct km_os *os, struct km_cpu *cpu, bool pressure);

/* Does the zone keep `mark` after giving away 2^order pages to a request limited to highest_zone (B7)? */
bool km_zone_watermark_ok(struct km_os *os, struct km_cpu *cpu, enum km_zone_id z, unsigned order,
                          enum km_watermark mark, enum km_zone_id highest_zone, unsigned alloc_flags);
/* The same if the zone had `free` pages. */
bool km_zone_watermark_ok_with(struct km_os *os, struct km_cpu *cpu, enum km_zone_id z, unsigned order,
                               enum km_watermark mark, enum km_zone_id highest_zone, unsigned alloc_flags,
                               int64_t free);

/* min_free_kbytes, watermarks and lowmem_reserve from the managed pages of this moment (B4, B5). */
void km_zone_setup_watermarks(struct km_os *os, struct km_cpu *cpu);
/* The same, but copied from a machine that reports them. */
void km_zone_set_watermarks(struct km_os *os, struct km_cpu *cpu, enum km_zone_id z, uint32_t min,
                            uint32_t low, uint32_t high);

#endif
