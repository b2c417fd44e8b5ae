/* SPDX-License-Identifier: MIT
 * proc_memory.c - the numbers of the simulated kernel's meminfo, vmstat and zoneinfo.
 *
 * Every line of 6.1 is there. Lines about what is not modelled (files, swap, writeback ...) or not known in this
 * mode are 0: LRU lists outside of reclaim, slab pages when the traced kernel's slab requests are replayed as
 * pages, page tables and stacks of the traced kernel.
 */
#include "sim/workload/proc_memory.h"

#include "models/base/bits.h"
#include "models/os/slab_layer.h"
#include "models/os/zone.h"

#include <assert.h>

static void set(struct km_proc_counter *lines, unsigned nr, const char *name, uint64_t value)
{
    bool known = km_proc_set_counter(lines, nr, name, value);

    assert(known);
    (void)known;
}

static void row(struct km_proc_meminfo_row *rows, const char *name, uint64_t kib)
{
    bool known = km_proc_set_meminfo(rows, KM_PROC_MEMINFO_LINES, name, kib);

    assert(known);
    (void)known;
}

/* Pages of slabs whose caches promise to shrink, and of the others. */
static void slab_pages(const struct km_guest *g, uint64_t *reclaimable, uint64_t *other)
{
    const struct km_slab_layer *l = g->os.slab;

    *reclaimable = *other = 0;
    for (unsigned i = 0; l && l->p.ops->info && i < l->nr_cache; i++) {
        const struct km_kmem_cache *c = &l->cache[i];
        struct km_slabinfo info;

        if (!c->used)
            continue;
        l->p.ops->info(l, g->window.base, c, &info);
        *(c->flags & KM_CACHE_RECLAIM_ACCOUNT ? reclaimable : other) += info.num_slabs << c->order;
    }
}

void km_vm_count(struct km_vm_events *e, const struct km_os *os, const struct km_tp *tp)
{
    enum km_zone_id z = tp->pfn == KM_PFN_NONE ? KM_NR_ZONES : km_pfn_zone(os, tp->pfn);

    if (tp->kind == KM_TP_PAGE_ALLOC && z != KM_NR_ZONES)
        e->pgalloc[z] += 1u << tp->order;
    if (tp->kind == KM_TP_PAGE_FREE)
        e->pgfree += 1u << tp->order;
}

void km_proc_gather_vmstat(const struct km_guest *g, const struct km_vm_events *e,
                           const struct km_proc_zone *zones, struct km_proc_counter *out)
{
    static const char *const pgalloc[KM_NR_ZONES] = {"pgalloc_dma", "pgalloc_normal", "pgalloc_high",
                                                     "pgalloc_movable"};
    uint64_t reclaimable, other, free = 0;

    km_proc_vmstat_lines(out);
    slab_pages(g, &reclaimable, &other);
    for (unsigned z = 0; z < KM_NR_ZONES; z++) {
        free += zones[z].free;
        set(out, KM_PROC_VMSTAT_LINES, pgalloc[z], e->pgalloc[z]);
    }
    set(out, KM_PROC_VMSTAT_LINES, "nr_free_pages", free);
    set(out, KM_PROC_VMSTAT_LINES, "nr_slab_reclaimable", reclaimable);
    set(out, KM_PROC_VMSTAT_LINES, "nr_slab_unreclaimable", other);
    set(out, KM_PROC_VMSTAT_LINES, "pgfree", e->pgfree);
}

void km_proc_zone_counters(const struct km_proc_zone *zone, struct km_proc_counter *out)
{
    struct km_proc_counter all[KM_PROC_VMSTAT_LINES];

    km_proc_vmstat_lines(all);
    for (unsigned i = 0; i < KM_PROC_ZONE_LINES; i++)
        out[i] = all[i];
    set(out, KM_PROC_ZONE_LINES, "nr_free_pages", zone->free);
}

/* What a zone keeps for itself: its HIGH mark and the largest reserve against requests from above. */
static uint64_t reserve_of(const struct km_proc_zone *z)
{
    uint64_t most = 0;

    for (unsigned j = 0; j < z->nr_protection; j++)
        most = km_max_u64(most, z->protection[j]);
    return km_min_u64(most + z->high, z->managed);
}

void km_proc_gather_meminfo(const struct km_guest *g, const struct km_proc_zone *zones,
                            struct km_proc_meminfo_row *out)
{
    const bool pae = g->facts.pae;
    const uint64_t large_kib = pae ? 2048 : 4096, low_kib = (uint64_t)g->os.p.max_low_pfn * 4;
    const struct km_proc_zone *high = &zones[KM_ZONE_HIGHMEM];
    uint64_t free = 0, managed = 0, reserved = 0, low_mark = 0, reclaimable, other;

    km_proc_meminfo_lines(out, pae);
    slab_pages(g, &reclaimable, &other);
    for (unsigned z = 0; z < KM_NR_ZONES; z++) {
        free += zones[z].free;
        managed += zones[z].managed;
        reserved += reserve_of(&zones[z]);
        low_mark += zones[z].low - zones[z].boost;
    }
    uint64_t kept = km_min_u64(reclaimable / 2, low_mark); /* of the slabs that could shrink */
    uint64_t available = free + reclaimable - kept;

    row(out, "MemTotal", managed * 4);
    row(out, "MemFree", free * 4);
    row(out, "MemAvailable", available > reserved ? (available - reserved) * 4 : 0);
    row(out, "HighTotal", high->managed * 4);
    row(out, "HighFree", high->free * 4);
    row(out, "LowTotal", (managed - high->managed) * 4);
    row(out, "LowFree", (free - high->free) * 4);
    row(out, "KReclaimable", reclaimable * 4);
    row(out, "Slab", (reclaimable + other) * 4);
    row(out, "SReclaimable", reclaimable * 4);
    row(out, "SUnreclaim", other * 4);
    row(out, "CommitLimit", managed * 50 / 100 * 4);
    row(out, "Hugepagesize", large_kib);
    row(out, "DirectMap4k", low_kib % large_kib);
    row(out, pae ? "DirectMap2M" : "DirectMap4M", low_kib / large_kib * large_kib);
}
