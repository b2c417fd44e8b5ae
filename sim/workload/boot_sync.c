/* SPDX-License-Identifier: MIT
 * boot_sync.c - boot captures: catching up with what the kernel took before tracing began.
 *
 * Between memblock_free_all and trace_init the kernel allocates the slab bootstrap and the ring buffer, almost
 * all of it single pages with boot pagesets. At the first carving of each zone and type, single pages are
 * taken until the model's next block is the traced one: that leaves the same blocks behind.
 */
#include "sim/workload/replay.h"

#include "models/os/buddy.h"

/* The block the model would hand out next for this request, without taking it. */
static km_pfn next_block(const struct km_replay *r, enum km_zone_id z, unsigned order, enum km_migratetype mt)
{
    const struct km_guest *g = &r->guest;

    for (unsigned o = order; o < KM_NR_ORDERS; o++) {
        km_vaddr head = km_free_list_va(&g->os.zone[z], o, mt), node = km_peek32(g->window.base, head);

        if (node != head)
            return km_page_pfn(&g->os, node - KM_PAGE_LRU);
    }
    return KM_PFN_NONE;
}

void km_boot_synchronise(struct km_replay *r, const struct km_event *ev)
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
    while (budget-- && next_block(r, z, ev->page.order, mt) != ev->page.pfn) {
        if (!km_buddy_find(&g->os, g->window.base, ev->page.pfn, &head, &order) || order < ev->page.order)
            return;
        km_pfn pfn = km_buddy_take(&g->os, &g->cpu[0], z, 0, mt, 0);

        if (pfn == KM_PFN_NONE)
            return;
        r->map.model[pfn] = pfn;
        r->synced++;
    }
}
