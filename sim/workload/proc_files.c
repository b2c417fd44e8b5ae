/* SPDX-License-Identifier: MIT
 * proc_files.c - the simulated kernel's /proc files: gathers the numbers, sim/report writes the text.
 */
#include "sim/workload/mapped.h"
#include "sim/workload/reclaim_model.h"
#include "sim/workload/replay.h"

#include "models/os/extfrag.h"
#include "models/os/pcp.h"
#include "sim/report/proc_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Migratetypes stand in the order of the kernel's own numbers. */
static void gather_zone(const struct km_guest *g, enum km_zone_id z, struct km_proc_zone *out)
{
    const uint8_t *number = g->os.p.personality->migratetype_number;
    const struct km_zone *zone = &g->os.zone[z];
    const uint8_t *w = g->window.base;
    uint64_t types[KM_MT_NR][KM_NR_ORDERS];
    km_pfn block = 1u << g->os.p.pageblock_order;

    out->name = zone->name;
    out->free = km_peek32(w, zone->va + KM_ZONE_NR_FREE_PAGES);
    out->boost = km_peek32(w, zone->va + KM_ZONE_BOOST);
    out->min = km_peek32(w, zone->va + KM_ZONE_WATERMARK) + out->boost;
    out->low = km_peek32(w, zone->va + KM_ZONE_WATERMARK + 4) + out->boost;
    out->high = km_peek32(w, zone->va + KM_ZONE_WATERMARK + 8) + out->boost;
    out->spanned = zone->end_pfn - zone->start_pfn;
    out->present = zone->present_pages;
    out->managed = km_peek32(w, zone->va + KM_ZONE_MANAGED);
    out->start_pfn = zone->start_pfn;
    out->nr_protection = KM_NR_ZONES;
    for (unsigned j = 0; j < KM_NR_ZONES; j++)
        out->protection[j] = km_peek32(w, zone->va + KM_ZONE_LOWMEM_RESERVE + j * 4);
    km_buddy_count(&g->os, w, z, out->nr_free, types);
    for (unsigned mt = 0; mt < KM_MT_NR; mt++)
        memcpy(out->type_free[number[mt]], types[mt], sizeof(types[mt]));
    for (km_pfn p = zone->start_pfn; p < zone->end_pfn; p = (p | (block - 1)) + 1) {
        struct km_cpu peek;

        km_cpu_init_null(&peek, 0, (uint8_t *)w);
        out->type_blocks[number[km_pageblock_type((struct km_os *)&g->os, &peek, z, p)]]++;
    }
    out->nr_cpus = zone->present_pages ? g->os.p.cpus : 0;
    for (unsigned c = 0; c < out->nr_cpus; c++) {
        out->pcp[c].count = km_pcp_count(&g->os, w, z, c);
        out->pcp[c].high = km_peek32(w, zone->pcp_va[c] + KM_PCP_HIGH);
        out->pcp[c].batch = km_peek32(w, zone->pcp_va[c] + KM_PCP_BATCH);
        out->pcp[c].stat_threshold = km_peek32(w, zone->pcp_va[c] + KM_PCP_STAT_THRESHOLD);
    }
}

static void write_text(struct km_replay *r, bool at_start, const char *name, char *text)
{
    if (text)
        km_report_proc(r->report, at_start, name, text);
    free(text);
}

static char *iomem_text(const struct km_replay *r)
{
    struct km_proc_resource res[2 * KM_BUNDLE_MAX_E820];
    unsigned nr = 0;

    for (unsigned i = 0; i < r->guest.facts.nr_ram; i++)
        res[nr++] = (struct km_proc_resource){.start = (uint64_t)r->guest.facts.ram[i].start << KM_PAGE_SHIFT,
                                              .end = ((uint64_t)r->guest.facts.ram[i].end << KM_PAGE_SHIFT) - 1,
                                              .name = "System RAM"};
    return km_proc_iomem(res, nr);
}

/* debugfs extfrag/extfrag_index or extfrag/unusable_index. */
static char *extfrag_text(const struct km_replay *r, bool unusable)
{
    const struct km_guest *g = &r->guest;
    char *text = calloc(KM_NR_ZONES, KM_EXTFRAG_LINE);
    uint64_t nr_free[KM_NR_ORDERS];
    size_t at = 0;

    for (unsigned z = 0; text && z < KM_NR_ZONES; z++) {
        if (!km_zone_populated(&g->os.zone[z]))
            continue;
        km_buddy_count(&g->os, g->window.base, (enum km_zone_id)z, nr_free, NULL);
        at += km_extfrag_line(text + at, g->os.zone[z].name, nr_free, unusable);
    }
    return text;
}

void km_replay_proc(struct km_replay *r, bool at_start)
{
    struct km_proc_zone zones[KM_NR_ZONES];
    struct km_proc_counter vmstat[KM_PROC_VMSTAT_LINES], zone_lines[KM_NR_ZONES][KM_PROC_ZONE_LINES];
    struct km_proc_meminfo_row meminfo[KM_PROC_MEMINFO_LINES];

    memset(zones, 0, sizeof(zones));
    for (unsigned z = 0; z < KM_NR_ZONES; z++) {
        gather_zone(&r->guest, (enum km_zone_id)z, &zones[z]);
        km_proc_zone_counters(&zones[z], zone_lines[z]);
        zones[z].counter = zone_lines[z];
        zones[z].nr_counters = KM_PROC_ZONE_LINES;
    }
    km_proc_gather_vmstat(&r->guest, &r->vm_events, zones, vmstat);
    km_proc_gather_meminfo(&r->guest, zones, meminfo);
    km_reclaim_model_vmstat(r, vmstat, KM_ARRAY_LEN(vmstat));
    write_text(r, at_start, "buddyinfo", km_proc_buddyinfo(zones, KM_NR_ZONES));
    write_text(r, at_start, "pagetypeinfo",
               km_proc_pagetypeinfo(zones, KM_NR_ZONES, r->guest.os.p.pageblock_order,
                                    r->guest.os.p.personality->migratetype_text, KM_MT_TEXTS));
    write_text(r, at_start, "extfrag_index", extfrag_text(r, false));
    write_text(r, at_start, "unusable_index", extfrag_text(r, true));
    write_text(r, at_start, "zoneinfo", km_proc_zoneinfo(zones, KM_NR_ZONES, vmstat + KM_PROC_ZONE_LINES, KM_PROC_NODE_LINES));
    write_text(r, at_start, "meminfo", km_proc_meminfo(meminfo, KM_ARRAY_LEN(meminfo)));
    write_text(r, at_start, "vmstat", km_proc_vmstat(vmstat, KM_ARRAY_LEN(vmstat)));
    write_text(r, at_start, "iomem", iomem_text(r));
    write_text(r, at_start, "vmallocinfo", km_mapped_vmallocinfo(r));
}
