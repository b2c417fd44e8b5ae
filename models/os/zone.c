/* SPDX-License-Identifier: MIT
 * zone.c - zones of x86-32: DMA, Normal, HighMem, (empty) Movable.
 *
 * Models:      struct zone in guest memory; 4-bit pageblock descriptors packed eight to a word, one bitmap
 *              per zone (a block straddling two zones has two types); lowmem_reserve and watermarks as frozen
 *              at the postcore initcall; the watermark test with its reserves.
 *              NR_FREE_PAGES lags: every CPU notes its changes and passes them on beyond a threshold.
 * Not modelled: percpu_drift_mark: kswapd's tests read the lagging counter too.
 * Invariants:  NR_FREE_PAGES + what the CPUs noted = sum over orders and types of blocks * 2^order
 *              (checked by km_buddy_check).
 * Units:       pages; marks are pages, boost is added to each mark.
 * References:  kernel-behaviour notes A3, B4, B5, B7; Documentation/admin-guide/sysctl/vm.rst.
 */
#include "models/os/zone.h"

#include "models/base/bits.h"
#include "models/base/bug.h"

#include <string.h>

static const struct km_site site_watermark = {"zone_watermark_ok", 0xc1290000u, 224};
static const struct km_site site_pageblock = {"get_pfnblock_flags_mask", 0xc1290100u, 64};

km_vaddr km_os_static_alloc(struct km_os *os, uint32_t bytes, uint32_t align)
{
    km_vaddr va = (km_vaddr)km_align_up(os->static_va, align);

    KM_BUG_ON(va + bytes > os->static_end_va);
    os->static_va = va + bytes;
    return va;
}

void km_zone_init_all(struct km_os *os, struct km_cpu *cpu)
{
    for (unsigned z = 0; z < KM_NR_ZONES; z++) {
        struct km_zone *zone = &os->zone[z];
        km_pfn first = (km_pfn)km_align_down(zone->start_pfn, km_pageblock_pages(os));
        uint32_t blocks = (zone->end_pfn - first + km_pageblock_pages(os) - 1) >> os->p.pageblock_order;

        zone->va = km_os_static_alloc(os, KM_ZONE_BYTES, 64);
        zone->pageblock_flags_va = km_os_static_alloc(os, (blocks / 8 + 1) * 4, 64);
        memset(cpu->window + zone->va, 0, KM_ZONE_BYTES);
        memset(cpu->window + zone->pageblock_flags_va, 0, (blocks / 8 + 1) * 4);
        for (unsigned o = 0; o < KM_NR_ORDERS; o++)
            for (unsigned mt = 0; mt < KM_MT_NR; mt++)
                km_list_init(cpu, km_free_list_va(zone, o, mt));
        km_st32(cpu, zone->va + KM_ZONE_START_PFN, zone->start_pfn);
        km_st32(cpu, zone->va + KM_ZONE_SPANNED, zone->end_pfn - zone->start_pfn);
        km_st32(cpu, zone->va + KM_ZONE_PRESENT, zone->present_pages);
        km_st32(cpu, zone->va + KM_ZONE_PAGEBLOCK_FLAGS, zone->pageblock_flags_va);
    }
}

void km_zone_add_free(struct km_cpu *cpu, const struct km_zone *zone, int32_t delta)
{
    const km_vaddr pcp = zone->pcp_va[cpu->id], va = zone->va + KM_ZONE_NR_FREE_PAGES;
    int32_t threshold = 0, noted = delta;

    if (pcp) {
        threshold = (int32_t)km_ld32(cpu, pcp + KM_PCP_STAT_THRESHOLD);
        noted += threshold ? (int32_t)km_ld32(cpu, pcp + KM_PCP_FREE_DIFF) : 0;
    }
    if (noted > threshold || noted < -threshold) {
        km_st32(cpu, va, km_ld32(cpu, va) + (uint32_t)noted);
        noted = 0;
    }
    if (threshold)
        km_st32(cpu, pcp + KM_PCP_FREE_DIFF, (uint32_t)noted);
}

uint32_t km_zone_free_pages(const struct km_os *os, const uint8_t *window, enum km_zone_id z)
{
    const struct km_zone *zone = &os->zone[z];
    uint32_t sum = km_peek32(window, zone->va + KM_ZONE_NR_FREE_PAGES);

    for (unsigned c = 0; c < os->p.cpus; c++)
        if (zone->pcp_va[c])
            sum += km_peek32(window, zone->pcp_va[c] + KM_PCP_FREE_DIFF);
    return sum;
}

static void fold(struct km_os *os, struct km_cpu *cpu, enum km_zone_id z, unsigned on_cpu)
{
    const km_vaddr va = os->zone[z].va + KM_ZONE_NR_FREE_PAGES, pcp = os->zone[z].pcp_va[on_cpu];
    uint32_t noted = pcp ? km_ld32(cpu, pcp + KM_PCP_FREE_DIFF) : 0;

    if (!noted)
        return;
    km_st32(cpu, va, km_ld32(cpu, va) + noted);
    km_st32(cpu, pcp + KM_PCP_FREE_DIFF, 0);
}

void km_zone_fold_counters(struct km_os *os, struct km_cpu *cpu)
{
    for (unsigned z = 0; z < KM_NR_ZONES; z++)
        fold(os, cpu, (enum km_zone_id)z, cpu->id);
}

void km_zone_set_stat_thresholds(struct km_os *os, struct km_cpu *cpu, bool pressure)
{
    for (unsigned z = 0; z < KM_NR_ZONES; z++) {
        const km_vaddr va = os->zone[z].va;
        uint32_t span_128mb = km_ld32(cpu, va + KM_ZONE_MANAGED) >> 15;
        uint32_t distance = km_ld32(cpu, va + KM_ZONE_WATERMARK + KM_WMARK_LOW * 4) -
                            km_ld32(cpu, va + KM_ZONE_WATERMARK + KM_WMARK_MIN * 4);
        uint32_t bits = 1 + (span_128mb ? km_log2(span_128mb) + 1 : 0);
        uint32_t threshold = 2 * (km_log2(os->p.cpus) + 1) * bits;

        if (pressure)
            threshold = (uint32_t)km_max_u64(distance / os->p.cpus, 1);
        for (unsigned c = 0; c < os->p.cpus; c++)
            if (os->zone[z].pcp_va[c] && km_zone_populated(&os->zone[z]))
                km_st32(cpu, os->zone[z].pcp_va[c] + KM_PCP_STAT_THRESHOLD,
                        (uint32_t)km_min_u64(threshold, 125));
    }
}

static uint32_t pageblock_index(const struct km_os *os, enum km_zone_id z, km_pfn pfn)
{
    return (pfn >> os->p.pageblock_order) - (os->zone[z].start_pfn >> os->p.pageblock_order);
}

enum km_migratetype km_pageblock_type(struct km_os *os, struct km_cpu *cpu, enum km_zone_id z, km_pfn pfn)
{
    uint32_t block = pageblock_index(os, z, pfn);
    uint32_t word = km_ld32(cpu, os->zone[z].pageblock_flags_va + block / 8 * 4);

    km_exec(cpu, &site_pageblock, 12);
    return (enum km_migratetype)(word >> block % 8 * 4 & 7);
}

void km_pageblock_set_type(struct km_os *os, struct km_cpu *cpu, enum km_zone_id z, km_pfn pfn,
                           enum km_migratetype mt)
{
    uint32_t block = pageblock_index(os, z, pfn), shift = block % 8 * 4;
    km_vaddr va = os->zone[z].pageblock_flags_va + block / 8 * 4;
    uint32_t old = km_ld32(cpu, va);

    if (!os->mobility_grouping && mt < KM_MT_PCP_TYPES)
        mt = KM_MT_UNMOVABLE;
    km_rmw32(cpu, va, KM_RMW_CAS, old, (old & ~(7u << shift)) | (uint32_t)mt << shift);
    km_exec(cpu, &site_pageblock, 16);
}

bool km_pageblock_skip(struct km_os *os, struct km_cpu *cpu, enum km_zone_id z, km_pfn pfn)
{
    uint32_t block = pageblock_index(os, z, pfn);

    km_exec(cpu, &site_pageblock, 12);
    return km_ld32(cpu, os->zone[z].pageblock_flags_va + block / 8 * 4) >> block % 8 * 4 & 8;
}

void km_pageblock_set_skip(struct km_os *os, struct km_cpu *cpu, enum km_zone_id z, km_pfn pfn, bool skip)
{
    uint32_t block = pageblock_index(os, z, pfn), bit = 8u << block % 8 * 4;
    km_vaddr va = os->zone[z].pageblock_flags_va + block / 8 * 4;
    uint32_t old = km_ld32(cpu, va);

    km_rmw32(cpu, va, KM_RMW_CAS, old, skip ? old | bit : old & ~bit);
    km_exec(cpu, &site_pageblock, 16);
}

static bool has_block(struct km_os *os, struct km_cpu *cpu, enum km_zone_id z, unsigned order,
                      unsigned alloc_flags)
{
    const struct km_zone *zone = &os->zone[z];

    for (unsigned o = order; o < KM_NR_ORDERS; o++) {
        if (!km_ld32(cpu, km_free_area_va(zone, o) + KM_FREE_AREA_NR_FREE))
            continue;
        for (unsigned mt = 0; mt < KM_MT_PCP_TYPES; mt++)
            if (!km_list_empty(cpu, km_free_list_va(zone, o, mt)))
                return true;
        if ((alloc_flags & (KM_ALLOC_HIGHATOMIC | KM_ALLOC_OOM)) &&
            !km_list_empty(cpu, km_free_list_va(zone, o, KM_MT_HIGHATOMIC)))
            return true;
    }
    return false;
}

/* Before 4.4: without the blocks that are too small, a mark halved for every order must still be kept. */
static bool keeps_larger_blocks(struct km_os *os, struct km_cpu *cpu, enum km_zone_id z, unsigned order,
                                int64_t free, int64_t min)
{
    for (unsigned o = 0; o < order; o++) {
        free -= (int64_t)km_ld32(cpu, km_free_area_va(&os->zone[z], o) + KM_FREE_AREA_NR_FREE) << o;
        min >>= 1;
        if (free <= min)
            return false;
    }
    return true;
}

bool km_zone_watermark_ok(struct km_os *os, struct km_cpu *cpu, enum km_zone_id z, unsigned order,
                          enum km_watermark mark, enum km_zone_id highest_zone, unsigned alloc_flags)
{
    int64_t free = km_ld32(cpu, os->zone[z].va + KM_ZONE_NR_FREE_PAGES);

    return km_zone_watermark_ok_with(os, cpu, z, order, mark, highest_zone, alloc_flags, free);
}

bool km_zone_watermark_ok_with(struct km_os *os, struct km_cpu *cpu, enum km_zone_id z, unsigned order,
                               enum km_watermark mark, enum km_zone_id highest_zone, unsigned alloc_flags,
                               int64_t free)
{
    const km_vaddr va = os->zone[z].va;
    int64_t min = km_ld32(cpu, va + KM_ZONE_WATERMARK + mark * 4u);
    const unsigned reserves =
        KM_ALLOC_NON_BLOCK | KM_ALLOC_MIN_RESERVE | KM_ALLOC_HIGHATOMIC | KM_ALLOC_OOM;

    free -= (1 << order) - 1;
    km_exec(cpu, &site_watermark, 24);
    if (!(alloc_flags & KM_ALLOC_NO_BOOST))
        min += km_ld32(cpu, va + KM_ZONE_BOOST);
    if (!(alloc_flags & reserves))
        free -= km_ld32(cpu, va + KM_ZONE_NR_HIGHATOMIC);
    if (alloc_flags & KM_ALLOC_MIN_RESERVE) {
        min -= min / 2;
        if (alloc_flags & KM_ALLOC_NON_BLOCK)
            min -= min / 4;
    }
    if (alloc_flags & KM_ALLOC_OOM)
        min -= min / 2;
    if (free <= min + km_ld32(cpu, va + KM_ZONE_LOWMEM_RESERVE + highest_zone * 4u))
        return false;
    if (os->p.personality->watermark_per_order)
        return keeps_larger_blocks(os, cpu, z, order, free, min);
    return order == 0 || has_block(os, cpu, z, order, alloc_flags);
}

/* Pages a GFP_USER request could take without touching the high marks (B5). */
static uint64_t lowmem_above_high(struct km_os *os, struct km_cpu *cpu)
{
    uint64_t sum = 0;

    for (unsigned z = KM_ZONE_DMA; z <= KM_ZONE_NORMAL; z++) {
        uint32_t managed = km_ld32(cpu, os->zone[z].va + KM_ZONE_MANAGED);
        uint32_t high = km_ld32(cpu, os->zone[z].va + KM_ZONE_WATERMARK + KM_WMARK_HIGH * 4);

        if (managed > high)
            sum += managed - high;
    }
    return sum;
}

static void setup_lowmem_reserve(struct km_os *os, struct km_cpu *cpu)
{
    static const uint32_t ratio[KM_NR_ZONES] = {256, 32, 0, 0};

    for (unsigned z = 0; z < KM_NR_ZONES; z++) {
        uint32_t managed = km_ld32(cpu, os->zone[z].va + KM_ZONE_MANAGED);
        uint64_t above = 0;

        for (unsigned j = z + 1; j < KM_NR_ZONES; j++) {
            above += km_ld32(cpu, os->zone[j].va + KM_ZONE_MANAGED);
            km_st32(cpu, os->zone[z].va + KM_ZONE_LOWMEM_RESERVE + j * 4,
                    ratio[z] && managed ? (uint32_t)(above / ratio[z]) : 0);
        }
    }
}

/* Square-root rule for the memory beyond the marks of this moment (none yet at boot). */
static uint32_t min_free_kbytes(struct km_os *os, struct km_cpu *cpu)
{
    uint64_t kbytes = km_isqrt(16 * lowmem_above_high(os, cpu) * 4);

    if (os->p.min_free_kbytes)
        return os->p.min_free_kbytes;
    return (uint32_t)km_min_u64(km_max_u64(kbytes, 128), os->p.personality->min_free_kbytes_max);
}

/* Transparent huge pages stay off on machines with less memory than this. */
#define THP_LEAST_PAGES (512u << (20 - KM_PAGE_SHIFT))

static bool thp_enabled(const struct km_os *os, struct km_cpu *cpu)
{
    uint64_t managed = 0;

    for (unsigned z = 0; z < KM_NR_ZONES; z++)
        managed += km_ld32(cpu, os->zone[z].va + KM_ZONE_MANAGED);
    return os->p.thp && managed >= THP_LEAST_PAGES;
}

/* khugepaged asks for room to migrate, at most 5 % of the low memory beyond the marks it finds. */
static uint32_t thp_min_free_kbytes(struct km_os *os, struct km_cpu *cpu)
{
    unsigned zones = 0;

    for (unsigned z = KM_ZONE_DMA; z <= KM_ZONE_NORMAL; z++)
        zones += km_zone_populated(&os->zone[z]);
    uint64_t wanted = (uint64_t)km_pageblock_pages(os) * zones * (2 + 9);

    return (uint32_t)km_min_u64(wanted, lowmem_above_high(os, cpu) / 20) * 4;
}

void km_zone_set_watermarks(struct km_os *os, struct km_cpu *cpu, enum km_zone_id z, uint32_t min,
                            uint32_t low, uint32_t high)
{
    km_vaddr va = os->zone[z].va + KM_ZONE_WATERMARK;

    km_st32(cpu, va + KM_WMARK_MIN * 4, min);
    km_st32(cpu, va + KM_WMARK_LOW * 4, low);
    km_st32(cpu, va + KM_WMARK_HIGH * 4, high);
    km_st32(cpu, va + KM_WMARK_PROMO * 4, high + (high - low));
}

static void set_all_watermarks(struct km_os *os, struct km_cpu *cpu, uint32_t kbytes)
{
    uint64_t pages_min = kbytes / 4, lowmem = os->low_pages_elsewhere;

    for (unsigned z = KM_ZONE_DMA; z <= KM_ZONE_NORMAL; z++)
        lowmem += km_ld32(cpu, os->zone[z].va + KM_ZONE_MANAGED);
    for (unsigned z = 0; z < KM_NR_ZONES; z++) {
        uint64_t managed = km_ld32(cpu, os->zone[z].va + KM_ZONE_MANAGED);
        uint64_t share = lowmem ? pages_min * managed / lowmem : 0;
        uint64_t min = z <= KM_ZONE_NORMAL ? share : km_min_u64(km_max_u64(managed / 1024, 32), 128);
        uint64_t step =
            km_max_u64(share / 4, managed * os->p.watermark_scale_factor / 10000);

        km_zone_set_watermarks(os, cpu, (enum km_zone_id)z, (uint32_t)min, (uint32_t)(min + step),
                               (uint32_t)(min + 2 * step));
    }
}

void km_zone_setup_watermarks(struct km_os *os, struct km_cpu *cpu)
{
    uint32_t kbytes = min_free_kbytes(os, cpu);

    setup_lowmem_reserve(os, cpu);
    set_all_watermarks(os, cpu, kbytes);
    if (!os->p.min_free_kbytes && thp_enabled(os, cpu)) {
        uint32_t raised = thp_min_free_kbytes(os, cpu); /* needs the marks just set */

        if (raised > kbytes)
            set_all_watermarks(os, cpu, raised);
    }
    /* "Mobility grouping" needs enough memory for every type to own pageblocks (B2). */
    uint64_t beyond_high = 0;

    for (unsigned z = 0; z < KM_NR_ZONES; z++) {
        uint32_t managed = km_ld32(cpu, os->zone[z].va + KM_ZONE_MANAGED);
        uint32_t high = km_ld32(cpu, os->zone[z].va + KM_ZONE_WATERMARK + KM_WMARK_HIGH * 4);

        beyond_high += managed > high ? managed - high : 0;
    }
    os->mobility_grouping = beyond_high >= (uint64_t)km_pageblock_pages(os) * KM_MT_NR;
}
