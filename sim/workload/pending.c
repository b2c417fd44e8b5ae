/* SPDX-License-Identifier: MIT
 * pending.c - see pending.h.
 */
#include "sim/workload/pending.h"

#include <string.h>

static uint32_t due_at_batched(const struct km_pending *p, km_pfn traced)
{
    for (uint32_t i = 0; i < p->nr; i++)
        if (p->traced[i] == traced)
            return i + 1;
    return 0;
}

uint32_t km_pending_due(struct km_pending *p, const struct km_event *ev)
{
    bool after_batched = p->after_batched;

    switch (ev->type) {
    case KM_EV_PAGE_FREE:
        p->after_batched = false;
        return ev->page.order == 0 && p->nr < KM_PENDING_MAX ? 0 : p->nr;
    case KM_EV_PAGE_FREE_BATCHED:
        p->after_batched = true;
        return due_at_batched(p, ev->page.pfn);
    case KM_EV_PAGE_PCPU_DRAIN: /* flushed by the free before it: the batched one, or those still waiting */
        return after_batched ? 0 : p->nr;
    case KM_EV_PAGE_ALLOC:
    case KM_EV_PAGE_ALLOC_ZONE_LOCKED:
    case KM_EV_PAGES_BULK:
        p->after_batched = false;
        return p->nr;
    default:
        return 0;
    }
}

void km_pending_add(struct km_pending *p, km_pfn traced)
{
    p->traced[p->nr++] = traced;
}

void km_pending_drop(struct km_pending *p, uint32_t nr)
{
    p->nr -= nr;
    memmove(p->traced, p->traced + nr, p->nr * sizeof(p->traced[0]));
}
