/* SPDX-License-Identifier: MIT
 * replay_compact.c - compaction of the traced kernel, carried over to the model's own memory.
 *
 * Compaction empties pageblocks from the bottom of a zone: it frees the pages it has moved away, and those lie
 * next to each other. The frames that stand for them in the model need not: freeing those would tear holes
 * where the model's compaction would have made room. So a page moved by compaction is, in the model, the next
 * movable page its own migrate scanner comes to; the page that lay there takes the frame instead.
 * How many pages are moved, and when, is the trace's; which ones, the model's.
 * Not followed: pages the scanner could not isolate, skipped pageblocks, the search on the free lists.
 * References: kernel-behaviour D5, H6.7.
 */
#include "sim/workload/replay.h"

#include "models/os/zone.h"

#include <stdlib.h>
#include <string.h>

struct km_compact {
    bool running;
    int32_t pid;
    km_pfn scan, end;
    uint32_t run;         /* number of this run */
    uint32_t *target_of;  /* [traced]: run that isolated it as a target */
    km_pfn *traced_of;    /* [model]: as of the run's beginning; may be outdated */
    km_pfn nr_frames;
};

int km_compact_open(struct km_replay *r, struct km_err *err)
{
    struct km_compact *c = calloc(1, sizeof(*c));

    if (c) {
        c->nr_frames = r->map.nr_frames > r->guest.facts.max_pfn ? r->map.nr_frames : r->guest.facts.max_pfn;
        c->target_of = calloc(c->nr_frames, sizeof(*c->target_of));
        c->traced_of = calloc(c->nr_frames, sizeof(*c->traced_of));
    }
    r->compact = c;
    if (!c || !c->target_of || !c->traced_of)
        return km_fail(err, KM_E_NOMEM, NULL, 0, 0, "out of memory to follow compaction");
    return KM_OK;
}

void km_compact_close(struct km_replay *r)
{
    if (!r->compact)
        return;
    free(r->compact->target_of);
    free(r->compact->traced_of);
    free(r->compact);
    r->compact = NULL;
}

static void begin(struct km_replay *r, struct km_compact *c, const struct km_event *ev)
{
    c->running = true;
    c->pid = ev->pid;
    c->scan = ev->compaction.migrate_pfn;
    c->end = ev->compaction.zone_end < c->nr_frames ? ev->compaction.zone_end : c->nr_frames;
    enum km_zone_id z = km_replay_zone(r, ev->compaction.zone_start);

    if (r->elsewhere && z != KM_NR_ZONES) { /* the whole zone here */
        const struct km_zone *zone = &r->guest.os.zone[z];

        c->scan = zone->start_pfn;
        c->end = zone->end_pfn;
    }
    c->run++;
    for (km_pfn p = 0; p < r->map.nr_frames; p++)
        if (r->map.model[p] < c->nr_frames)
            c->traced_of[r->map.model[p]] = p;
}

void km_compact_event(struct km_replay *r, const struct km_event *ev)
{
    struct km_compact *c = r->compact;

    if (!c)
        return;
    if (ev->type == KM_EV_COMPACTION_BEGIN)
        begin(r, c, ev);
    else if (ev->type == KM_EV_COMPACTION_END && ev->pid == c->pid)
        c->running = false;
}

void km_compact_isolated(struct km_replay *r, km_pfn traced)
{
    if (r->compact && traced < r->compact->nr_frames)
        r->compact->target_of[traced] = r->compact->run;
}

/* The next movable page from the migrate scanner's place on, and what it stands for. */
static km_pfn next_source(struct km_replay *r, struct km_compact *c, km_pfn *traced)
{
    const struct km_os *os = &r->guest.os;

    for (; c->scan < c->end; c->scan++) {
        *traced = c->traced_of[c->scan];
        if (km_peek32(r->guest.window.base, km_page_va(os, c->scan) + KM_PAGE_FLAGS) & KM_PG_LRU &&
            km_page_map_get(&r->map, *traced) == c->scan && c->target_of[*traced] != c->run)
            return c->scan++;
    }
    return KM_PFN_NONE;
}

void km_compact_free(struct km_replay *r, const struct km_event *ev)
{
    struct km_compact *c = r->compact;
    km_pfn traced = ev->page.pfn, other, frame;

    if (!c || !c->running || ev->pid != c->pid || ev->page.order || c->target_of[traced] == c->run)
        return;
    frame = km_page_map_get(&r->map, traced);
    if (frame == KM_PFN_NONE)
        return;
    km_pfn source = next_source(r, c, &other);

    if (source == KM_PFN_NONE || other == traced)
        return;
    km_page_map_set(&r->map, other, frame, 0);
    km_page_map_set(&r->map, traced, source, 0);
    c->traced_of[frame] = other;
}
