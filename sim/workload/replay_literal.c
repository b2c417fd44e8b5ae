/* SPDX-License-Identifier: MIT
 * replay_literal.c - modes `oracle` and `buddy`: the trace says when a block leaves or enters the free lists.
 *
 * oracle: it also says which block; the result is the traced kernel's buddyinfo at every event.
 * buddy:  the model decides which block it is, by the rules of models/os/buddy.c, and is scored on it.
 *         The zone is the traced block's (its lock was taken); everything else is the model's choice.
 * Boot:   what the kernel took before tracing began is unknown. As long as the traced block is still free in
 *         the model and further down its lists, pages are taken silently until the model arrives at it; each
 *         such synchronisation counts as a disagreement.
 * References: architecture section 4; kernel-behaviour C4, C5, H6.4, H7, L3.
 */
#include "sim/workload/literal.h"
#include "sim/workload/replay.h"

#include "models/os/pcp.h"

static void count_literal(struct km_replay *r, enum km_literal_result result)
{
    if (result == KM_LITERAL_APPLIED)
        r->sum.events_applied++;
    else
        km_replay_skip(r, result == KM_LITERAL_CONFLICT ? KM_SKIP_CONFLICT : KM_SKIP_NOT_MODELLED);
}

static bool valid_block(const struct km_replay *r, const struct km_event *ev)
{
    return ev->page.order < KM_NR_ORDERS && !(ev->page.pfn & ((1u << ev->page.order) - 1)) &&
           km_pfn_zone(&r->guest.os, ev->page.pfn) != KM_NR_ZONES &&
           km_pfn_zone(&r->guest.os, ev->page.pfn + (1u << ev->page.order) - 1) ==
               km_pfn_zone(&r->guest.os, ev->page.pfn);
}

static void oracle_event(struct km_replay *r, struct km_cpu *cpu, const struct km_event *ev)
{
    if (r->boot && ev->type == KM_EV_PAGE_ALLOC_ZONE_LOCKED && valid_block(r, ev))
        km_boot_synchronise(r, ev);
    count_literal(r, km_literal_apply(&r->guest.os, cpu, &r->busy, ev));
}

static enum km_migratetype type_of(const struct km_event *ev)
{
    int mt = ev->page.migratetype;

    return mt >= 0 && mt < KM_MT_NR ? (enum km_migratetype)mt : KM_MT_MOVABLE;
}

static void give_back(struct km_replay *r, struct km_cpu *cpu, const struct km_event *ev, enum km_migratetype mt)
{
    struct km_guest *g = &r->guest;
    km_pfn pfn = km_page_map_block(&r->map, ev->page.pfn, ev->page.order);

    if (pfn == KM_PFN_NONE) {
        km_replay_skip(r, KM_SKIP_UNKNOWN_FREE);
        return;
    }
    enum km_zone_id z = km_pfn_zone(&g->os, pfn);

    km_lock(cpu, g->os.zone[z].va + KM_ZONE_LOCK);
    km_buddy_free(&g->os, cpu, z, pfn, ev->page.order, mt, false);
    km_unlock(cpu, g->os.zone[z].va + KM_ZONE_LOCK);
    km_page_map_clear(&r->map, ev->page.pfn, ev->page.order);
    r->sum.events_applied++;
}

static void take(struct km_replay *r, struct km_cpu *cpu, const struct km_event *ev)
{
    struct km_guest *g = &r->guest;
    enum km_zone_id z = km_pfn_zone(&g->os, ev->page.pfn);

    if (r->boot)
        km_boot_synchronise(r, ev);
    km_lock(cpu, g->os.zone[z].va + KM_ZONE_LOCK);
    km_pfn pfn = km_buddy_take(&g->os, cpu, z, ev->page.order, type_of(ev), 0);

    km_unlock(cpu, g->os.zone[z].va + KM_ZONE_LOCK);
    km_replay_buddy_agreement(r, ev, pfn);
    if (pfn == KM_PFN_NONE) {
        km_replay_skip(r, KM_SKIP_CONFLICT);
        return;
    }
    km_page_map_set(&r->map, ev->page.pfn, pfn, ev->page.order);
    r->sum.events_applied++;
}

/* Model pages that become movable occupancy decide later steals (C5), and compaction's scanners pass compound blocks
 * in one step: flags follow the allocation. */
static void note_use(struct km_replay *r, const struct km_event *ev)
{
    struct km_guest *g = &r->guest;
    km_pfn pfn = km_page_map_get(&r->map, ev->page.pfn);

    if (pfn == KM_PFN_NONE)
        return;
    uint32_t *flags = (uint32_t *)(g->window.base + km_page_va(&g->os, pfn) + KM_PAGE_FLAGS);

    *flags = ev->type == KM_EV_PAGE_ALLOC && (ev->page.gfp & KM_GFP_MOVABLE) ? *flags | KM_PG_LRU
                                                                             : *flags & ~(uint32_t)KM_PG_LRU;
    km_guest_note_compound(g, pfn, ev->type == KM_EV_PAGE_ALLOC && (ev->page.gfp & KM_GFP_COMP) ? ev->page.order : 0);
}

static void buddy_event(struct km_replay *r, struct km_cpu *cpu, const struct km_event *ev)
{
    struct km_os *os = &r->guest.os;

    switch (ev->type) {
    case KM_EV_PAGE_ALLOC_ZONE_LOCKED:
    case KM_EV_PAGE_PCPU_DRAIN:
    case KM_EV_PAGE_FREE:
    case KM_EV_PAGE_ALLOC:
        if (ev->page.pfn == KM_PFN_NONE || !valid_block(r, ev)) {
            km_replay_skip(r, ev->page.pfn == KM_PFN_NONE ? KM_SKIP_FAILED_ALLOC : KM_SKIP_OUT_OF_RANGE);
            return;
        }
        break;
    default:
        km_replay_skip(r, KM_SKIP_NOT_MODELLED);
        return;
    }
    if (ev->type == KM_EV_PAGE_ALLOC_ZONE_LOCKED) {
        take(r, cpu, ev);
    } else if (ev->type == KM_EV_PAGE_PCPU_DRAIN) {
        give_back(r, cpu, ev, type_of(ev));
    } else {
        note_use(r, ev);
        if (ev->type == KM_EV_PAGE_FREE && !km_free_reaches_pcp(os, &r->busy, ev))
            give_back(r, cpu, ev, km_pageblock_type(os, cpu, km_pfn_zone(os, ev->page.pfn), ev->page.pfn));
        else
            km_replay_skip(r, KM_SKIP_NOT_MODELLED);
    }
}

const struct km_replay_mode_ops km_replay_oracle = {.name = "oracle", .wants_shadow = true, .event = oracle_event};
const struct km_replay_mode_ops km_replay_buddy = {.name = "buddy", .wants_shadow = true, .event = buddy_event};
