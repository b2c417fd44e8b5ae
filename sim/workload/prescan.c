/* SPDX-License-Identifier: MIT
 * prescan.c - the highest page frame and the CPUs a trace names: the smallest machine that a trace without a bundle implies.
 */
#include "sim/workload/replay.h"

int km_trace_extent(const char *path, struct km_trace_extent *extent, struct km_err *err)
{
    struct km_trace *trace = NULL;
    struct km_event ev;
    uint64_t kmem = 0;
    int rc = km_trace_open(&trace, path, err);

    if (rc < 0)
        return rc;
    *extent = (struct km_trace_extent){0};
    while ((rc = km_trace_next(trace, &ev, err)) > 0) {
        if (ev.cpu >= extent->cpus)
            extent->cpus = ev.cpu + 1u;
        if (ev.type < KM_EV_PAGE_ALLOC || ev.type > KM_EV_PAGE_PCPU_DRAIN || ev.page.pfn == KM_PFN_NONE ||
            ev.page.order >= KM_NR_ORDERS)
            continue;
        kmem++;
        if (ev.page.pfn + (1u << ev.page.order) - 1 > extent->highest_pfn)
            extent->highest_pfn = ev.page.pfn + (1u << ev.page.order) - 1;
    }
    if (km_trace_info(trace)->cpus > extent->cpus) /* some may have been idle */
        extent->cpus = km_trace_info(trace)->cpus;
    km_trace_close(trace);
    if (!kmem && rc < 0) /* damaged later: the replay says so, and ends there */
        return rc;
    if (!kmem)
        return km_fail(err, KM_E_INPUT, path, 0, 0,
                       "no kmem page events in this trace: record with -e kmem (mm_page_alloc, mm_page_free)");
    return KM_OK;
}
