/* SPDX-License-Identifier: MIT
 * literal.c - see literal.h.
 */
#include "sim/workload/literal.h"

bool km_range_free(const struct km_os *os, const uint8_t *window, km_pfn pfn, unsigned order)
{
    km_pfn head;
    unsigned have;

    return km_buddy_find(os, window, pfn, &head, &have) && have >= order;
}

bool km_range_has_free(const struct km_os *os, const uint8_t *window, km_pfn pfn, unsigned order)
{
    km_pfn head;
    unsigned have;

    for (km_pfn p = pfn; p < pfn + (1u << order); p++)
        if (km_buddy_find(os, window, p, &head, &have))
            return true;
    return false;
}

void km_pcp_busy_event(struct km_pcp_busy *busy, const struct km_event *ev, uint64_t index)
{
    const struct km_hidden *h = busy->hidden;

    while (h && busy->next < h->missed.nr && h->missed.item[busy->next].index < index)
        busy->next++;
    if (ev->cpu >= KM_MAX_CPUS)
        return;
    busy->missed[ev->cpu] = h && busy->next < h->missed.nr && h->missed.item[busy->next].index == index;
    if (ev->type == KM_EV_PAGES_BULK) /* one page, or accounted pages: the ordinary path */
        busy->cpu[ev->cpu] = ev->probe.a > 1 && !(ev->probe.gfp & KM_GFP_ACCOUNT);
    else if (ev->type == KM_EV_PAGES_BULK_RET)
        busy->cpu[ev->cpu] = false;
}

bool km_free_reaches_pcp(const struct km_os *os, const struct km_pcp_busy *busy, const struct km_event *ev)
{
    return km_pcp_covers(os, ev->page.order) && !busy->cpu[ev->cpu] && !busy->missed[ev->cpu];
}

bool km_split_block(const struct km_os *os, const struct km_event *ev, km_pfn *pfn, unsigned *order)
{
    km_vaddr page = (km_vaddr)ev->probe.a;

    if (ev->type != KM_EV_SPLIT_PAGE || ev->probe.b >= KM_NR_ORDERS || page < os->mem_map_va ||
        (page - os->mem_map_va) % os->p.struct_page_bytes)
        return false;
    *pfn = km_page_pfn(os, page);
    *order = (unsigned)ev->probe.b;
    return *pfn + (1u << *order) <= os->mem_map_end && !(*pfn & ((1u << *order) - 1));
}

static bool in_one_zone(const struct km_os *os, km_pfn pfn, unsigned order)
{
    enum km_zone_id z = km_pfn_zone(os, pfn);

    return order < KM_NR_ORDERS && !(pfn & ((1u << order) - 1)) && z != KM_NR_ZONES &&
           pfn + (1u << order) <= os->zone[z].end_pfn;
}

static enum km_migratetype type_of(const struct km_event *ev)
{
    int mt = ev->page.migratetype;

    return mt >= 0 && mt < KM_MT_NR ? (enum km_migratetype)mt : KM_MT_MOVABLE;
}

static enum km_literal_result give_back(struct km_os *os, struct km_cpu *cpu, km_pfn pfn, unsigned order,
                                        enum km_migratetype mt)
{
    if (km_range_has_free(os, cpu->window, pfn, order))
        return KM_LITERAL_CONFLICT;
    km_buddy_free(os, cpu, km_pfn_zone(os, pfn), pfn, order, mt, false);
    return KM_LITERAL_APPLIED;
}

enum km_literal_result km_literal_apply(struct km_os *os, struct km_cpu *cpu, const struct km_pcp_busy *busy,
                                        const struct km_event *ev)
{
    if (ev->type != KM_EV_PAGE_ALLOC_ZONE_LOCKED && ev->type != KM_EV_PAGE_PCPU_DRAIN &&
        ev->type != KM_EV_PAGE_FREE)
        return KM_LITERAL_IGNORED;
    if (ev->type == KM_EV_PAGE_FREE && km_free_reaches_pcp(os, busy, ev))
        return KM_LITERAL_IGNORED; /* goes to a per-CPU list */

    km_pfn pfn = ev->page.pfn;
    unsigned order = ev->page.order;

    if (!in_one_zone(os, pfn, order))
        return KM_LITERAL_CONFLICT;
    enum km_zone_id z = km_pfn_zone(os, pfn);

    switch (ev->type) {
    case KM_EV_PAGE_ALLOC_ZONE_LOCKED:
        return km_buddy_take_at(os, cpu, z, pfn, order, type_of(ev)) ? KM_LITERAL_APPLIED : KM_LITERAL_CONFLICT;
    case KM_EV_PAGE_PCPU_DRAIN:
        return give_back(os, cpu, pfn, order, type_of(ev));
    default:
        return give_back(os, cpu, pfn, order, km_pageblock_type(os, cpu, z, pfn));
    }
}
