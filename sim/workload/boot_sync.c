/* SPDX-License-Identifier: MIT
 * boot_sync.c - boot captures: catching up with what the kernel took before tracing began.
 *
 * Between memblock_free_all and trace_init the kernel allocates the slab bootstrap and the ring buffer, almost
 * all of it single pages with boot pagesets. At the first carving of each zone and type, single pages are
 * taken until the model's next block is the traced one: that leaves the same blocks behind.
 */
#include "sim/workload/replay.h"
#include "sim/workload/trace_out.h"

#include "models/os/buddy.h"

static void catch_up(struct km_replay *r, const struct km_event *ev)
{
    struct km_guest *g = &r->guest;
    enum km_zone_id z = km_pfn_zone(&g->os, ev->page.pfn);
    enum km_migratetype mt = (enum km_migratetype)ev->page.migratetype;
    km_pfn head;
    unsigned order;
    uint64_t budget = km_peek32(g->window.base, g->os.zone[z].va + KM_ZONE_NR_FREE_PAGES);

    if (ev->page.migratetype < 0 || mt >= KM_MT_NR || r->synced_list[z][mt])
        return;
    r->synced_list[z][mt] = true;
    while (budget-- && km_buddy_next(&g->os, g->window.base, z, ev->page.order, mt) != ev->page.pfn) {
        if (!km_buddy_find(&g->os, g->window.base, ev->page.pfn, &head, &order) || order < ev->page.order)
            return;
        km_pfn pfn = km_buddy_take(&g->os, &g->cpu[0], z, 0, mt, 0);

        if (pfn == KM_PFN_NONE)
            return;
        km_page_map_set(&r->map, pfn, pfn, 0);
        r->synced++;
    }
}

void km_boot_synchronise(struct km_replay *r, const struct km_event *ev)
{
    km_replay_trace_mute(r, true); /* it happened before anything was recorded */
    catch_up(r, ev);
    km_replay_trace_mute(r, false);
}
