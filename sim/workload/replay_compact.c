/* SPDX-License-Identifier: MIT
 * replay_compact.c - compaction of the traced kernel, carried over to the model's own memory.
 *
 * Targets: what a run takes from the free lists has no event; when and how many pages it is has been found by
 * looking ahead (hidden_compact.c). Mode oracle takes those very blocks. The other modes run the model's own free
 * scanner (models/os/compact_free.c) over the model's own lists for as many pages; the traced frame a page was
 * moved to is then the model's next target. Targets not used are freed when the run ends. Without looking ahead only
 * blocks named by the split_page probe are known.
 *
 * Sources: compaction empties pageblocks from the bottom of a zone: it frees the pages it has moved away, and those
 * lie next to each other. The frames that stand for them in the model need not: freeing those would tear holes
 * where the model's compaction would have made room. So where the model picks frames itself, a page moved by
 * compaction is the next movable page its own migrate scanner comes to; the page that lay there takes the frame
 * instead.
 *
 * How many pages are moved, and when, is the trace's; which ones, the model's. The order a run works for is not
 * traced: kcompactd works for a pageblock while kswapd is awake (it takes back a watermark boost) and on its own
 * account otherwise; others are taken for compact_memory, which does not search the free lists.
 * Not followed: pages the scanner could not isolate.
 * References: kernel-behaviour D5, H6.7.
 */
#include "sim/workload/replay.h"

#include "models/os/buddy.h"
#include "models/os/compact_run.h"
#include "models/os/page_alloc.h"
#include "models/os/pcp.h"
#include "models/os/zone.h"

#include <stdlib.h>
#include <string.h>

#define SPLIT_MAX 64u

struct km_compact {
    bool running;
    int32_t pid;
    km_pfn scan, end;
    uint32_t run;         /* number of this run */
    uint32_t *target_of;  /* [traced]: run that isolated it as a target */
    km_pfn *traced_of;    /* [model]: as of the run's beginning; may be outdated */
    km_pfn nr_frames;
    struct km_compaction model;
    struct km_compact_run scanner; /* the model's free scanner in this run */
    bool daemon;     /* it is kcompactd */
    uint32_t wanted; /* pages still to be moved to what was found last */
    size_t next_group, next_freed;
    struct {
        km_pfn pfn; /* frames from here on are not used yet */
        uint32_t pages;
    } split[SPLIT_MAX]; /* blocks split since the last page was moved; without looking ahead */
    unsigned nr_split;
    bool moving;
};

static void release(struct km_compact *c)
{
    free(c->target_of);
    free(c->traced_of);
    free(c);
}

/* Without memory for it compaction is not followed; the score shows it. */
static struct km_compact *open_state(struct km_replay *r)
{
    struct km_compact *c = calloc(1, sizeof(*c));

    if (!c)
        return NULL;
    c->nr_frames = r->map.nr_frames > r->guest.facts.max_pfn ? r->map.nr_frames : r->guest.facts.max_pfn;
    c->target_of = calloc(c->nr_frames, sizeof(*c->target_of));
    c->traced_of = calloc(c->nr_frames, sizeof(*c->traced_of));
    if (!c->target_of || !c->traced_of) {
        release(c);
        return NULL;
    }
    km_compaction_init(&c->model, &r->guest.os, &r->guest.cpu[0]);
    r->compact = c;
    return c;
}

void km_compact_close(struct km_replay *r)
{
    if (r->compact)
        release(r->compact);
    r->compact = NULL;
}

static void begin(struct km_replay *r, struct km_cpu *cpu, const struct km_event *ev)
{
    struct km_compact *c = r->compact ? r->compact : open_state(r);
    enum km_zone_id z = km_replay_zone(r, ev->compaction.zone_start);

    if (!c || z == KM_NR_ZONES)
        return;
    c->running = true;
    c->pid = ev->pid;
    c->scan = ev->compaction.migrate_pfn;
    c->end = ev->compaction.zone_end < c->nr_frames ? ev->compaction.zone_end : c->nr_frames;
    if (r->elsewhere) { /* the whole zone here */
        const struct km_zone *zone = &r->guest.os.zone[z];

        c->scan = zone->start_pfn;
        c->end = zone->end_pfn;
    }
    c->run++;
    for (km_pfn p = 0; p < r->map.nr_frames; p++)
        if (r->map.model[p] < c->nr_frames)
            c->traced_of[r->map.model[p]] = p;
    c->daemon = !strncmp(km_trace_string(r->trace, ev->comm), "kcompactd", 9);
    bool for_a_block = c->daemon && r->kswapd.awake;

    km_compact_run_init(&c->scanner, &c->model, &r->guest.os, cpu, z,
                        for_a_block ? (int)r->guest.os.p.pageblock_order : -1,
                        ev->compaction.sync ? KM_MIGRATE_SYNC_LIGHT : KM_MIGRATE_ASYNC, KM_MAX_CPUS);
    c->scanner.ignore_skip = !for_a_block;
    c->scanner.migrate_pfn = c->scan;
    c->scanner.free_pfn = ev->compaction.free_pfn;
    if (r->elsewhere)
        c->scanner.free_pfn = (c->end - 1) & ~(km_pageblock_pages(&r->guest.os) - 1);
    c->nr_split = c->wanted = 0;
}

/* Targets not used go back; a run of kcompactd for an order whose scanners met gives the
 * per-CPU lists of the zone back. */
static void finish(struct km_replay *r, struct km_compact *c, struct km_cpu *cpu, const struct km_event *ev)
{
    struct km_os *os = &r->guest.os;
    const char *status = km_trace_string(r->trace, ev->compaction.name);
    bool met = !strcmp(status, "complete") || !strcmp(status, "partial_skipped");

    c->running = false;
    while (c->scanner.nr_free) {
        km_pfn pfn = km_compact_target(&c->scanner, os, cpu);

        if (r->pages)
            km_free_pages(os, cpu, pfn, 0);
        else /* per-CPU lists are the trace's here */
            km_free_pages_bypass(os, cpu, pfn, 0);
    }
    if (!r->pages || !c->daemon || c->scanner.order <= 0 || !met)
        return;
    for (unsigned on = 0; on < os->p.cpus; on++)
        if (km_pcp_count(os, cpu->window, c->scanner.zone, on))
            km_pcp_drain(os, cpu, c->scanner.zone, on, UINT32_MAX);
}

/* A target of the model for a page that was moved to `traced`. */
static void use_target(struct km_replay *r, struct km_compact *c, struct km_cpu *cpu, km_pfn traced)
{
    struct km_os *os = &r->guest.os;

    c->scanner.nr_migrate = c->wanted ? c->wanted : 1;
    km_pfn pfn = km_compact_target(&c->scanner, os, cpu);

    if (c->wanted)
        c->wanted--;
    if (pfn == KM_PFN_NONE)
        return;
    r->isolated_pages++;
    *(uint32_t *)(r->guest.window.base + km_page_va(os, pfn) + KM_PAGE_FLAGS) |= KM_PG_LRU;
    if (traced >= c->nr_frames)
        return;
    c->target_of[traced] = c->run;
    if (km_page_map_get(&r->map, traced) == KM_PFN_NONE)
        km_page_map_set(&r->map, traced, pfn, 0);
}

/* Up to this event: searches for targets, and pages moved to them. */
static void follow(struct km_replay *r, struct km_compact *c, struct km_cpu *cpu, uint64_t index)
{
    const struct km_hidden *h = r->busy.hidden;

    for (; c->next_group < h->nr_groups && h->group[c->next_group].index <= index; c->next_group++) {
        const struct km_compact_group *g = &h->group[c->next_group];

        c->wanted = c->scanner.nr_migrate = g->wanted;
        if (g->wanted) /* the migrate scanner stands behind the page it has isolated last */
            c->scanner.migrate_pfn = r->elsewhere ? c->scan : g->source + 1;
        else
            c->scanner.nr_migrate = 1;
        if (!c->scanner.nr_free)
            km_compact_find_targets(&c->scanner, &r->guest.os, cpu);
    }
    for (; c->next_freed < h->nr_freed && h->freed[c->next_freed].index <= index; c->next_freed++)
        use_target(r, c, cpu, h->freed[c->next_freed].target);
}

/* Without looking ahead: blocks of order > 0 are known from the split_page probe, single pages are not. */
static void follow_blindly(struct km_replay *r, struct km_compact *c, struct km_cpu *cpu, const struct km_event *ev)
{
    km_pfn pfn, target = KM_PFN_NONE;
    unsigned order;

    if (!c->running || ev->pid != c->pid)
        return;
    if (km_split_block(&r->traced_os, ev, &pfn, &order)) {
        if (c->moving)
            c->nr_split = c->wanted = 0;
        c->moving = false;
        if (c->nr_split == SPLIT_MAX || km_page_map_get(&r->map, pfn) != KM_PFN_NONE)
            return;
        c->split[c->nr_split].pfn = pfn;
        c->split[c->nr_split++].pages = 1u << order;
        c->wanted += 1u << order;
    }
    if (ev->type != KM_EV_PAGE_FREE || ev->page.order || km_page_map_get(&r->map, ev->page.pfn) == KM_PFN_NONE ||
        c->target_of[ev->page.pfn] == c->run)
        return;
    c->moving = true;
    while (c->nr_split && !c->split[c->nr_split - 1].pages)
        c->nr_split--;
    if (c->nr_split)
        target = c->split[c->nr_split - 1].pfn + --c->split[c->nr_split - 1].pages;
    c->scanner.migrate_pfn = r->elsewhere ? c->scan : ev->page.pfn + 1;
    use_target(r, c, cpu, target);
}

/* Mode oracle: the very blocks. */
static void follow_literally(struct km_replay *r, struct km_cpu *cpu, uint64_t index)
{
    const struct km_hidden_list *l = &r->hidden.isolated;

    for (; r->next_isolated < l->nr && l->item[r->next_isolated].index <= index; r->next_isolated++) {
        const struct km_hidden_item *item = &l->item[r->next_isolated];
        enum km_zone_id z = km_pfn_zone(&r->guest.os, item->pfn);

        if (z != KM_NR_ZONES && km_buddy_take_at(&r->guest.os, cpu, z, item->pfn, item->order, KM_MT_MOVABLE))
            r->isolated_pages += 1u << item->order;
    }
}

void km_replay_isolate(struct km_replay *r, struct km_cpu *cpu, const struct km_event *ev, uint64_t index)
{
    if (r->reclaim)
        return; /* this kernel compacts by itself (compact_model.c) */
    if (r->mode == &km_replay_oracle) {
        follow_literally(r, cpu, index);
        return;
    }
    if (ev->type == KM_EV_KSWAPD_WAKE || ev->type == KM_EV_KSWAPD_SLEEP)
        r->kswapd.awake = ev->type == KM_EV_KSWAPD_WAKE;
    if (ev->type == KM_EV_COMPACTION_BEGIN)
        begin(r, cpu, ev);
    struct km_compact *c = r->compact;

    if (!c)
        return;
    if (r->busy.hidden)
        follow(r, c, cpu, index);
    else
        follow_blindly(r, c, cpu, ev);
    if (ev->type == KM_EV_COMPACTION_END && c->running && ev->pid == c->pid)
        finish(r, c, cpu, ev);
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
    km_pfn traced = ev->page.pfn, other, frame, block = km_pageblock_pages(&r->guest.os);

    if (!c || !c->running || ev->pid != c->pid || ev->page.order || c->target_of[traced] == c->run)
        return;
    frame = km_page_map_get(&r->map, traced);
    if (frame == KM_PFN_NONE)
        return;
    if (!r->elsewhere && c->scan / block < traced / block) /* the scanner has left the pageblock */
        c->scan = traced & ~(block - 1);
    km_pfn source = next_source(r, c, &other);

    if (source == KM_PFN_NONE || other == traced)
        return;
    if (source / block == frame / block && frame > source) { /* its own turn is about to come */
        c->scan = source;
        return;
    }
    km_page_map_set(&r->map, other, frame, 0);
    km_page_map_set(&r->map, traced, source, 0);
    c->traced_of[frame] = other;
}
