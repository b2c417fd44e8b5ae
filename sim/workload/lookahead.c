/* SPDX-License-Identifier: MIT
 * lookahead.c - see lookahead.h.
 * Invariants: only the first contact with a block or page counts; a block merged into a bigger one before it
 * was carved tells nothing and stays unknown.
 */
#include "sim/workload/lookahead.h"

#include <stdlib.h>
#include <string.h>

enum { HEAD_SEEN = 1, PAGE_SEEN = 2, ON_PCP = 4 /* freed to a per-CPU list and not drained since */ };

int km_lookahead_init(struct km_lookahead *la, km_pfn nr_frames, unsigned pageblock_order, struct km_err *err)
{
    size_t blocks = (nr_frames >> pageblock_order) + 1;

    memset(la, 0, sizeof(*la));
    la->nr_frames = nr_frames;
    la->pending_head = KM_PFN_NONE;
    la->block_order = calloc(nr_frames, 1);
    la->block_type = malloc(nr_frames);
    la->carve_seq = calloc(nr_frames, sizeof(*la->carve_seq));
    la->touched = calloc(nr_frames, 1);
    la->pageblock_type = malloc(blocks);
    la->pageblock_hint = malloc(blocks);
    if (!la->block_order || !la->block_type || !la->carve_seq || !la->touched || !la->pageblock_type ||
        !la->pageblock_hint) {
        km_lookahead_release(la);
        return km_fail(err, KM_E_NOMEM, NULL, 0, 0, "out of memory looking ahead over %u page frames", nr_frames);
    }
    memset(la->block_type, KM_TYPE_UNKNOWN, nr_frames);
    memset(la->pageblock_type, KM_TYPE_UNKNOWN, blocks);
    memset(la->pageblock_hint, KM_TYPE_UNKNOWN, blocks);
    return KM_OK;
}

void km_lookahead_release(struct km_lookahead *la)
{
    free(la->block_order);
    free(la->block_type);
    free(la->carve_seq);
    free(la->touched);
    free(la->pageblock_type);
    free(la->pageblock_hint);
    free(la->front.entry);
    free(la->back.entry);
    memset(la, 0, sizeof(*la));
}

static void remember(struct km_pcp_entries *list, const struct km_event *ev)
{
    if (list->nr == list->room) {
        size_t room = list->room ? 2 * list->room : 1024;
        struct km_pcp_entry *grown = realloc(list->entry, room * sizeof(*grown));

        if (!grown)
            return; /* a shorter list only makes the start state less complete */
        list->entry = grown;
        list->room = room;
    }
    list->entry[list->nr++] = (struct km_pcp_entry){
        .pfn = ev->page.pfn,
        .cpu = ev->cpu,
        .order = ev->page.order,
        .migratetype = (uint8_t)(ev->page.migratetype >= 0 && ev->page.migratetype < KM_MT_PCP_TYPES
                                     ? ev->page.migratetype
                                     : KM_MT_MOVABLE),
    };
}

/* First contact with a block that was free at the start. */
static void touch_head(struct km_lookahead *la, km_pfn head, unsigned order, uint8_t type, bool carved)
{
    if (head >= la->nr_frames || !la->block_order[head] || (la->touched[head] & HEAD_SEEN))
        return;
    la->touched[head] |= HEAD_SEEN;
    if (la->block_order[head] != order + 1)
        return;
    la->block_type[head] = type;
    if (carved)
        la->carve_seq[head] = ++la->carves;
}

static bool page_seen(struct km_lookahead *la, km_pfn pfn, unsigned order)
{
    bool seen = pfn >= la->nr_frames || (la->touched[pfn] & PAGE_SEEN);

    for (km_pfn p = pfn; p < pfn + (1u << order) && p < la->nr_frames; p++)
        la->touched[p] |= PAGE_SEEN;
    return seen;
}

/* A freed page goes to the per-CPU list of its pageblock's type; allocated from there, it shows the type. */
static void note_reuse(struct km_lookahead *la, const struct km_guest *oracle, const struct km_event *ev)
{
    km_pfn block = ev->page.pfn >> oracle->os.p.pageblock_order;
    int mt = ev->page.migratetype;

    if (mt < 0 || mt >= KM_MT_PCP_TYPES)
        return;
    if (!(la->touched[ev->page.pfn] & ON_PCP)) {
        if (la->pageblock_hint[block] == KM_TYPE_UNKNOWN)
            la->pageblock_hint[block] = (uint8_t)mt;
        return;
    }
    la->touched[ev->page.pfn] &= (uint8_t)~ON_PCP;
    if (la->pageblock_type[block] == KM_TYPE_UNKNOWN)
        la->pageblock_type[block] = (uint8_t)mt;
}

/* The list this event is about held no page of the start any more. */
static void note_empty(struct km_lookahead *la, const struct km_guest *oracle, const struct km_event *ev)
{
    enum km_zone_id z = km_pfn_zone(&oracle->os, ev->page.pfn);
    int mt = ev->page.migratetype;

    if (mt < 0 || mt >= KM_MT_PCP_TYPES || z == KM_NR_ZONES || ev->cpu >= KM_MAX_CPUS)
        return;
    if (ev->page.order == 0 && !la->emptied[ev->cpu][z][0][mt])
        la->bulk_emptied[ev->cpu][z][mt] = la->busy.cpu[ev->cpu];
    la->emptied[ev->cpu][z][ev->page.order][mt] = true;
}

static void note_carve(struct km_lookahead *la, struct km_guest *oracle, const struct km_event *ev)
{
    km_pfn head;
    unsigned order;
    uint8_t type = (uint8_t)ev->page.migratetype;

    page_seen(la, ev->page.pfn, ev->page.order);
    note_empty(la, oracle, ev);
    if (!km_buddy_find(&oracle->os, oracle->window.base, ev->page.pfn, &head, &order))
        return;
    uint8_t *hint = &la->pageblock_hint[head >> oracle->os.p.pageblock_order];

    if (*hint == KM_TYPE_UNKNOWN)
        *hint = head == la->pending_head ? la->pending_type : type;
    touch_head(la, head, order, head == la->pending_head ? la->pending_type : type, true);
    la->pending_head = KM_PFN_NONE;
}

/* The steal moves every free block of the pageblock to other lists: what is not known by now stays so. */
static void note_steal(struct km_lookahead *la, struct km_guest *oracle, const struct km_event *ev)
{
    unsigned block = oracle->os.p.pageblock_order;
    km_pfn start = ev->extfrag.pfn >> block << block;

    la->pending_head = ev->extfrag.pfn;
    la->pending_type = (uint8_t)ev->extfrag.fallback_migratetype;
    if (ev->extfrag.pfn >= la->nr_frames)
        return;
    touch_head(la, ev->extfrag.pfn, ev->extfrag.fallback_order, la->pending_type, true);
    if (ev->extfrag.fallback_order >= block)
        return;
    for (km_pfn p = start; p < start + (1u << block) && p < la->nr_frames; p++)
        if (la->block_order[p] && la->block_order[p] - 1u < block)
            touch_head(la, p, la->block_order[p] - 1u, la->pending_type, false);
}

/* Blocks the freed one merges with lose their place before it was learnt. */
static void note_merge(struct km_lookahead *la, struct km_guest *oracle, km_pfn pfn, unsigned order)
{
    while (order < KM_NR_ORDERS - 1) {
        km_pfn buddy = pfn ^ (1u << order), head;
        unsigned have;

        if (!km_buddy_find(&oracle->os, oracle->window.base, buddy, &head, &have) || head != buddy ||
            have != order)
            return;
        if (buddy < la->nr_frames)
            la->touched[buddy] |= HEAD_SEEN;
        pfn &= buddy;
        order++;
    }
}

static void note_drain(struct km_lookahead *la, struct km_guest *oracle, const struct km_event *ev)
{
    uint8_t *type = &la->pageblock_type[ev->page.pfn >> oracle->os.p.pageblock_order];

    if (!page_seen(la, ev->page.pfn, ev->page.order))
        remember(&la->back, ev);
    else /* a younger page leaves from the tail: the old ones are gone */
        note_empty(la, oracle, ev);
    if (*type == KM_TYPE_UNKNOWN && ev->page.migratetype >= 0 && ev->page.migratetype < KM_MT_ISOLATE)
        *type = (uint8_t)ev->page.migratetype;
    la->touched[ev->page.pfn] &= (uint8_t)~ON_PCP;
    note_merge(la, oracle, ev->page.pfn, ev->page.order);
}

static bool usable(const struct km_lookahead *la, const struct km_event *ev)
{
    return ev->page.pfn < la->nr_frames && ev->page.order < KM_NR_ORDERS;
}

static void take_isolated(struct km_lookahead *la, struct km_guest *oracle, uint64_t index)
{
    const struct km_hidden *h = la->busy.hidden;

    for (; h && la->next_isolated < h->isolated.nr && h->isolated.item[la->next_isolated].index <= index;
         la->next_isolated++) {
        const struct km_hidden_item *item = &h->isolated.item[la->next_isolated];
        enum km_zone_id z = km_pfn_zone(&oracle->os, item->pfn);

        if (z != KM_NR_ZONES)
            km_buddy_take_at(&oracle->os, &oracle->cpu[0], z, item->pfn, item->order, KM_MT_MOVABLE);
        page_seen(la, item->pfn, item->order);
    }
}

static void gain(struct km_lookahead *la, const struct km_os *os, unsigned cpu, km_pfn pfn, int64_t pages)
{
    enum km_zone_id z = km_pfn_zone(os, pfn);

    if (z != KM_NR_ZONES && !la->flushed[cpu][z])
        la->gained[cpu][z] += pages;
}

/* How the per-CPU lists grow and shrink before their first flush; announced frees count when they happen. */
static void note_length(struct km_lookahead *la, const struct km_os *os, const struct km_event *ev)
{
    struct km_pending *p;
    int64_t pages;

    if (ev->cpu >= KM_MAX_CPUS)
        return;
    p = &la->pending[ev->cpu];
    uint32_t due = km_pending_due(p, ev);

    for (uint32_t i = 0; i < due; i++)
        gain(la, os, ev->cpu, p->traced[i], 1);
    km_pending_drop(p, due);
    if (ev->type < KM_EV_PAGE_ALLOC || ev->type > KM_EV_PAGE_PCPU_DRAIN || !usable(la, ev) ||
        !km_pcp_covers(os, ev->page.order))
        return;
    pages = (int64_t)1 << ev->page.order;
    if (ev->type == KM_EV_PAGE_ALLOC_ZONE_LOCKED)
        gain(la, os, ev->cpu, ev->page.pfn, pages);
    else if (ev->type == KM_EV_PAGE_ALLOC)
        gain(la, os, ev->cpu, ev->page.pfn, -pages);
    else if (ev->type == KM_EV_PAGE_FREE && km_free_reaches_pcp(os, &la->busy, ev) && ev->page.order > 0)
        gain(la, os, ev->cpu, ev->page.pfn, pages);
    else if (ev->type == KM_EV_PAGE_FREE && km_free_reaches_pcp(os, &la->busy, ev))
        km_pending_add(p, ev->page.pfn);
    else if (ev->type == KM_EV_PAGE_PCPU_DRAIN && km_pfn_zone(os, ev->page.pfn) != KM_NR_ZONES)
        la->flushed[ev->cpu][km_pfn_zone(os, ev->page.pfn)] = true;
}

void km_lookahead_event(struct km_lookahead *la, struct km_guest *oracle, const struct km_event *ev, uint64_t index)
{
    struct km_os *os = &oracle->os;

    km_pcp_busy_event(&la->busy, ev, index);
    note_length(la, os, ev);
    take_isolated(la, oracle, index);
    switch (ev->type) {
    case KM_EV_PAGE_ALLOC_ZONE_LOCKED:
        if (usable(la, ev))
            note_carve(la, oracle, ev);
        break;
    case KM_EV_PAGE_ALLOC_EXTFRAG:
        note_steal(la, oracle, ev);
        break;
    case KM_EV_PAGE_PCPU_DRAIN:
        if (usable(la, ev))
            note_drain(la, oracle, ev);
        break;
    case KM_EV_PAGE_ALLOC:
        if (!usable(la, ev) || !km_pcp_covers(os, ev->page.order))
            break;
        if (!page_seen(la, ev->page.pfn, ev->page.order))
            remember(&la->front, ev);
        note_reuse(la, oracle, ev);
        break;
    case KM_EV_PAGE_FREE:
        if (!usable(la, ev))
            break;
        page_seen(la, ev->page.pfn, ev->page.order);
        if (km_free_reaches_pcp(os, &la->busy, ev))
            la->touched[ev->page.pfn] |= ON_PCP;
        else
            note_merge(la, oracle, ev->page.pfn, ev->page.order);
        break;
    default:
        return;
    }
    if (km_literal_apply(os, &oracle->cpu[0], &la->busy, ev) == KM_LITERAL_CONFLICT)
        la->irregular++;
}
