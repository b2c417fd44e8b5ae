/* SPDX-License-Identifier: MIT
 * hidden_compact.c - what compaction took from the free lists of the traced kernel, reconstructed.
 *
 * A run moves pages from the bottom of a zone to free pages at its top (kernel-behaviour D5). Traced are its begin
 * and end with the scanners' places, the mm_page_free of every page moved away, and, with the split_page probe,
 * every free block of order > 0 it isolates. Not traced: single free pages it isolates, and which page went where.
 * Both follow from how the free scanner works: it looks for targets only when none is left, so exactly as many
 * pages are isolated at a time as are freed until the next time; it takes every free block of the pageblocks it
 * goes through, upwards in each, pageblock by pageblock downwards; and the last page isolated is used first.
 *
 *   split, split, free x 26+6, split ... :  26 pages in blocks, so 6 single pages were isolated with them
 *
 * Single pages are looked for only in pageblocks of which the run certainly took something, and not among those
 * that are still free later.
 * Limit: a search that found single pages only is not seen as one: its pages are dated to the search before.
 */
#include "sim/workload/hidden.h"

#include "models/os/os.h"
#include "sim/trace/trace.h"
#include "sim/workload/literal.h"

#include <stdlib.h>
#include <string.h>

#define KPF_BUDDY_BIT 10

struct place {
    uint64_t since : 62; /* event */
    uint64_t free : 1;   /* on the buddy lists */
    uint64_t stays : 1;  /* until after this run, for certain */
};

struct block {
    km_pfn pfn;
    uint8_t order;
};

struct compact_scan {
    struct km_hidden *h;
    const struct km_os *os;
    const struct km_proc_state *start;
    struct km_hidden_list evidence; /* pages found isolated because they are freed later (hidden.c) */
    struct km_hidden_list isolated; /* the result */
    struct place *place;            /* [frame] */
    uint8_t *touched;               /* [pageblock]: run (modulo) that certainly took something of it */
    km_pfn frames;
    size_t next_missed;
    bool running, open, ok; /* open: a group is being collected */
    int32_t pid;
    uint32_t run;
    uint64_t run_begin;
    km_pfn block, at; /* linear scan: pageblock and place in it */
    km_pfn zone_start;
    struct block *found; /* blocks of the group, in the order of isolation */
    size_t nr_found, room_found, first_freed;
    uint32_t pages; /* in found */
};

static void *room_for(void *array, size_t nr, size_t *room, size_t size, bool *ok)
{
    if (nr < *room)
        return array;
    size_t more = *room ? 2 * *room : 256;
    void *grown = realloc(array, more * size);

    if (!grown) {
        *ok = false;
        return array;
    }
    *room = more;
    return grown;
}

/* Without a snapshot nothing is known of a frame before its first event. */
static bool may_have_been_free(const struct compact_scan *s, km_pfn pfn)
{
    return pfn < s->frames && (s->place[pfn].free || !s->place[pfn].since);
}

static bool was_free(const struct compact_scan *s, km_pfn pfn, uint64_t at)
{
    return pfn < s->frames && s->place[pfn].free && s->place[pfn].since < at;
}

static void set_place(struct compact_scan *s, km_pfn pfn, unsigned order, bool free, uint64_t index)
{
    for (km_pfn p = pfn; p < pfn + (1u << order); p++)
        s->place[p] = (struct place){.since = index, .free = free, .stays = s->place[p].stays};
}

static void add_block(struct compact_scan *s, km_pfn pfn, unsigned order)
{
    s->found = room_for(s->found, s->nr_found, &s->room_found, sizeof(*s->found), &s->ok);
    if (!s->ok)
        return;
    s->found[s->nr_found++] = (struct block){pfn, (uint8_t)order};
    s->pages += 1u << order;
}

static bool in_found(const struct compact_scan *s, km_pfn pfn)
{
    for (size_t i = 0; i < s->nr_found; i++)
        if (pfn - s->found[i].pfn < 1u << s->found[i].order)
            return true;
    return false;
}

/* Scan order: pageblocks downwards, upwards within one. */
static bool before(const struct compact_scan *s, km_pfn a, km_pfn b)
{
    unsigned order = s->os->p.pageblock_order;

    return a >> order == b >> order ? a < b : a > b;
}

/* Single free pages up to the wanted number, from where the scan stands; each at its place among the blocks. */
static void add_single_pages(struct compact_scan *s, uint32_t wanted, uint64_t at)
{
    const km_pfn pages = 1u << s->os->p.pageblock_order;
    km_pfn block = s->block, from = s->at;

    while (s->ok && s->pages < wanted && block + pages > s->zone_start) {
        for (km_pfn p = from; p < block + pages && p < s->frames && s->pages < wanted; p++) {
            if (s->touched[block / pages] != (uint8_t)s->run || s->place[p].stays || !was_free(s, p, at) ||
                was_free(s, p ^ 1, at) || in_found(s, p))
                continue;
            add_block(s, p, 0);
            for (size_t i = s->nr_found; i-- > 1 && before(s, s->found[i].pfn, s->found[i - 1].pfn);) {
                struct block swap = s->found[i];

                s->found[i] = s->found[i - 1];
                s->found[i - 1] = swap;
            }
        }
        if (block < pages)
            break;
        block -= pages;
        from = block;
    }
}

/* The last page isolated is used first. */
static void name_targets(struct compact_scan *s)
{
    size_t b = s->nr_found;
    km_pfn left = 0;

    for (size_t i = s->first_freed; i < s->h->nr_freed; i++) {
        if (s->h->freed[i].target != KM_PFN_NONE)
            continue; /* a target given back */
        if (!left && b)
            left = 1u << s->found[--b].order;
        if (!left)
            return;
        s->h->freed[i].target = s->found[b].pfn + --left;
    }
}

static void close_group(struct compact_scan *s)
{
    if (!s->open)
        return;
    struct km_compact_group *g = &s->h->group[s->h->nr_groups - 1];

    s->open = false;
    add_single_pages(s, g->wanted, g->index);
    for (size_t i = 0; i < s->nr_found; i++) {
        struct km_hidden_list *l = &s->isolated;

        l->item = room_for(l->item, l->nr, &l->room, sizeof(*l->item), &s->ok);
        if (!s->ok)
            return;
        l->item[l->nr++] = (struct km_hidden_item){
            .index = g->index, .pfn = s->found[i].pfn, .order = s->found[i].order};
        set_place(s, s->found[i].pfn, s->found[i].order, false, g->index);
    }
    if (s->nr_found) {
        struct block *last = &s->found[s->nr_found - 1];

        if (before(s, s->at, last->pfn + (1u << last->order) - 1)) {
            s->at = last->pfn + (1u << last->order);
            s->block = last->pfn & ~((1u << s->os->p.pageblock_order) - 1);
        }
    }
    name_targets(s);
}

static void open_group(struct compact_scan *s, uint64_t index)
{
    struct km_hidden *h = s->h;

    close_group(s);
    h->group = room_for(h->group, h->nr_groups, &h->room_groups, sizeof(*h->group), &s->ok);
    if (!s->ok)
        return;
    h->group[h->nr_groups++] = (struct km_compact_group){.index = index, .run = s->run};
    s->open = true;
    s->nr_found = s->pages = 0;
    s->first_freed = h->nr_freed;
}

/* Pageblocks of pages that are freed later although nobody saw them leave the free lists. */
static void touch_evidence(struct compact_scan *s)
{
    for (size_t i = 0; i < s->evidence.nr; i++)
        if (s->evidence.item[i].index >= s->run_begin)
            s->touched[s->evidence.item[i].pfn >> s->os->p.pageblock_order] = (uint8_t)s->run;
}

/* Free pages that are carved later, and were free all the time between. */
static void mark_stayed(struct compact_scan *s, uint64_t begin)
{
    const struct km_hidden_list *l = &s->h->stayed;

    for (km_pfn p = 0; p < s->frames; p++)
        s->place[p].stays = 0;
    for (size_t i = 0; i < l->nr; i++)
        if (l->item[i].since < begin && l->item[i].index > begin)
            s->place[l->item[i].pfn].stays = 1;
}

static void on_begin(struct compact_scan *s, const struct km_event *ev, uint64_t index)
{
    close_group(s);
    s->running = true;
    s->pid = ev->pid;
    s->run++;
    s->run_begin = index;
    s->zone_start = ev->compaction.zone_start;
    s->at = ev->compaction.free_pfn;
    s->block = s->at & ~((1u << s->os->p.pageblock_order) - 1);
    memset(s->touched, 0, (s->frames >> s->os->p.pageblock_order) + 2);
    touch_evidence(s);
    mark_stayed(s, index);
}

static void on_split(struct compact_scan *s, const struct km_event *ev, uint64_t index)
{
    km_pfn pfn;
    unsigned order;

    if (!km_split_block(s->os, ev, &pfn, &order) || pfn + (1u << order) > s->frames || !may_have_been_free(s, pfn))
        return;
    if (!s->open || s->h->group[s->h->nr_groups - 1].wanted)
        open_group(s, index);
    if (!s->open)
        return;
    add_block(s, pfn, order);
    s->touched[pfn >> s->os->p.pageblock_order] = (uint8_t)s->run;
}

/* A page the run has moved away, or a target it did not need. */
static void on_source(struct compact_scan *s, const struct km_event *ev, uint64_t index)
{
    struct km_hidden *h = s->h;
    bool target = s->open && in_found(s, ev->page.pfn);

    if (ev->page.order)
        return;
    if (!s->open)
        open_group(s, index);
    if (!s->open)
        return;
    h->freed = room_for(h->freed, h->nr_freed, &h->room_freed, sizeof(*h->freed), &s->ok);
    if (!s->ok)
        return;
    h->freed[h->nr_freed++] = (struct km_compact_free){index, target ? ev->page.pfn : KM_PFN_NONE};
    if (target)
        return;
    struct km_compact_group *g = &h->group[h->nr_groups - 1];

    if (!g->wanted++)
        g->source = ev->page.pfn;
}

static bool is_missed(struct compact_scan *s, uint64_t index)
{
    const struct km_hidden_list *m = &s->h->missed;

    while (s->next_missed < m->nr && m->item[s->next_missed].index < index)
        s->next_missed++;
    return s->next_missed < m->nr && m->item[s->next_missed].index == index;
}

static void note_snapshot(struct compact_scan *s, const struct km_event *ev, uint64_t index)
{
    uint64_t value;
    const char *rest;

    if (!s->start || !s->start->kpageflags || km_mark_kind(ev->text.text, &value, &rest) != KM_MARK_KPAGE_END)
        return;
    for (km_pfn p = 0; p < s->frames && p < s->start->nr_frames; p++)
        if (!s->place[p].since && (s->start->kpageflags[p] >> KPF_BUDDY_BIT & 1))
            set_place(s, p, 0, true, index);
    s->start = NULL;
}

static void scan_event(struct compact_scan *s, const struct km_event *ev, uint64_t index)
{
    const bool mine = s->running && ev->pid == s->pid;

    switch (ev->type) {
    case KM_EV_MARK:
        note_snapshot(s, ev, index);
        return;
    case KM_EV_COMPACTION_BEGIN:
        on_begin(s, ev, index);
        return;
    case KM_EV_COMPACTION_END:
        if (mine) {
            close_group(s);
            s->running = false;
        }
        return;
    case KM_EV_SPLIT_PAGE:
        if (mine)
            on_split(s, ev, index);
        return;
    case KM_EV_PAGE_FREE:
    case KM_EV_PAGE_ALLOC:
    case KM_EV_PAGE_ALLOC_ZONE_LOCKED:
    case KM_EV_PAGE_PCPU_DRAIN:
        break;
    default:
        return;
    }
    if (ev->page.order >= KM_NR_ORDERS || ev->page.pfn >= s->frames ||
        ev->page.pfn + (1u << ev->page.order) > s->frames)
        return;
    bool freed = ev->type == KM_EV_PAGE_FREE;

    if (freed && mine)
        on_source(s, ev, index);
    set_place(s, ev->page.pfn, ev->page.order,
              ev->type == KM_EV_PAGE_PCPU_DRAIN ||
                  (freed && (!km_pcp_covers(s->os, ev->page.order) || is_missed(s, index))),
              index);
}

int km_hidden_compaction(struct km_hidden *h, const char *trace_path, const struct km_bundle *bundle,
                         const struct km_os *os, struct km_err *err)
{
    const km_pfn frames = os->p.max_pfn;
    struct compact_scan s = {.h = h, .os = os, .frames = frames, .start = bundle ? &bundle->start : NULL, .ok = true};
    struct km_trace *trace = NULL;
    struct km_event ev;
    uint64_t index = 0;

    if (!h->runs) /* or nobody looks ahead */
        return KM_OK;
    int rc = km_trace_open(&trace, trace_path, err);

    if (rc < 0)
        return rc;
    s.evidence = h->isolated;
    s.place = calloc(frames, sizeof(*s.place));
    s.touched = calloc((frames >> os->p.pageblock_order) + 2, 1);
    s.ok = s.place && s.touched;
    while (s.ok && km_trace_next(trace, &ev, NULL) > 0)
        scan_event(&s, &ev, ++index);
    if (s.ok)
        close_group(&s);
    km_trace_close(trace);
    free(s.place);
    free(s.touched);
    free(s.found);
    if (!s.ok) {
        free(s.isolated.item);
        return km_fail(err, KM_E_NOMEM, NULL, 0, 0, "out of memory following compaction");
    }
    free(h->isolated.item);
    h->isolated = s.isolated;
    return KM_OK;
}
