/* SPDX-License-Identifier: MIT
 * proc_memory.h - the numbers of the simulated kernel's meminfo, vmstat and zoneinfo.
 */
#ifndef KM_WORKLOAD_PROC_MEMORY_H
#define KM_WORKLOAD_PROC_MEMORY_H

#include "sim/report/proc_fields.h"
#include "sim/workload/guest.h"

/* Pages handed out and given back since the start, as vmstat counts them. */
struct km_vm_events {
    uint64_t pgalloc[KM_NR_ZONES], pgfree;
};

void km_vm_count(struct km_vm_events *e, const struct km_os *os, const struct km_tp *tp);

/* zones: all KM_NR_ZONES, filled. out: KM_PROC_VMSTAT_LINES. */
void km_proc_gather_vmstat(const struct km_guest *g, const struct km_vm_events *e,
                           const struct km_proc_zone *zones, struct km_proc_counter *out);
/* out: KM_PROC_ZONE_LINES of this zone. */
void km_proc_zone_counters(const struct km_proc_zone *zone, struct km_proc_counter *out);
/* out: KM_PROC_MEMINFO_LINES. */
void km_proc_gather_meminfo(const struct km_guest *g, const struct km_proc_zone *zones,
                            struct km_proc_meminfo_row *out);

#endif
