/* SPDX-License-Identifier: MIT
 * start_guess.c - where the free blocks are when no kpageflags were captured.
 *
 * Known: how many free blocks of each order (and, with a PAGETYPE sample, of each type) every zone has.
 * 1. Evidence per page frame, from its first appearance in the trace: carved out of the buddy lists = was
 *    free; allocated from a per-CPU list, freed or drained first = was in use.
 * 2. The trace is applied literally beside the counts: the kernel carves the smallest block that fits, so
 *    the counts of its list say how big the block was whose first frame is carved; a fallback event says it
 *    outright; frames that are carved later and lie beside a freed block were its free buddies.
 * 3. Blocks nothing touches are placed from the largest order down, never on a frame that was in use, first
 *    where many frames are known to be free, then (large orders) from the top of the zone down.
 * Without any count every frame that is not known to be in use is taken as free.
 * Not exact: small blocks are placed near, not at, their true places. Counts are right by construction.
 * References: start-state notes.
 */
#include "sim/workload/start_running.h"

#include "models/base/bits.h"
#include "models/os/buddy.h"

#include <stdlib.h>
#include <string.h>

#define KERNEL_IMAGE_PFN 4096u /* CONFIG_PHYSICAL_START, 16 MiB */

enum contact { UNTOUCHED, WAS_FREE, WAS_USED, ALLOCATED_FIRST };

struct guess {
    struct km_running *s;
    uint8_t *contact;   /* [pfn] enum contact */
    uint32_t *free_sum; /* [pfn] WAS_FREE frames below pfn */
    uint32_t *used_sum; /* [pfn] WAS_USED frames below pfn */
    uint8_t *carved;    /* [pfn] left the buddy lists at least once (second pass) */
    bool carvings;      /* the trace has mm_page_alloc_zone_locked */
    uint64_t unknown[KM_NR_ZONES][KM_MT_NR][KM_NR_ORDERS]; /* blocks of the start not located yet */
    struct km_pcp_busy busy;
};

struct candidate {
    km_pfn pfn;
    uint32_t score; /* higher first */
};

static void touch(struct guess *g, const struct km_event *ev, enum contact what)
{
    for (km_pfn p = ev->page.pfn; p < ev->page.pfn + (1u << ev->page.order) && p < g->s->frames; p++)
        if (g->contact[p] == UNTOUCHED)
            g->contact[p] = (uint8_t)what;
}

static void note(struct guess *g, const struct km_event *ev)
{
    if (ev->type < KM_EV_PAGE_ALLOC || ev->type > KM_EV_PAGE_PCPU_DRAIN || ev->page.order >= KM_NR_ORDERS ||
        ev->page.pfn >= g->s->frames)
        return;
    switch (ev->type) {
    case KM_EV_PAGE_ALLOC_ZONE_LOCKED:
        g->carvings = true;
        touch(g, ev, WAS_FREE);
        break;
    case KM_EV_PAGE_ALLOC:
        touch(g, ev, ALLOCATED_FIRST);
        break;
    default:
        touch(g, ev, WAS_USED);
        break;
    }
}

int km_read_to_first_sample(struct km_running *s, struct km_trace *trace)
{
    struct km_event ev;
    uint64_t value;
    const char *rest;
    int rc = 1;

    s->index = 0;
    while (s->sampled && (rc = km_trace_next(trace, &ev, NULL)) > 0) {
        s->index++;
        if (ev.type == KM_EV_MARK && km_mark_kind(ev.text.text, &value, &rest) == KM_MARK_SAMPLE_CORE)
            break;
    }
    return KM_OK;
}

/* Counts of the first sample; events of the trace from there on. */
static int read_evidence(struct guess *g, const char *trace_path, struct km_err *err)
{
    struct km_running *s = g->s;
    struct km_os names; /* zone names and spans are all km_running_note_mark needs */
    struct km_trace *trace = NULL;
    struct km_event ev;
    uint64_t value;
    const char *rest;
    bool complete = false;
    int rc = km_trace_open(&trace, trace_path, err);

    if (rc < 0)
        return rc;
    memset(&names, 0, sizeof(names));
    names.zone[KM_ZONE_DMA].name = "DMA";
    names.zone[KM_ZONE_NORMAL].name = "Normal";
    names.zone[KM_ZONE_HIGHMEM].name = "HighMem";
    names.zone[KM_ZONE_MOVABLE].name = "Movable";
    while (km_trace_next(trace, &ev, NULL) > 0) {
        if (ev.type != KM_EV_MARK) {
            if (s->look)
                note(g, &ev);
            continue;
        }
        enum km_mark_kind kind = km_mark_kind(ev.text.text, &value, &rest);

        if (!complete)
            km_running_note_mark(s, &names, &ev);
        if (kind == KM_MARK_SAMPLE_CORE && !s->sampled) {
            s->sampled = true;
            memset(g->contact, UNTOUCHED, s->frames); /* what came before the start does not count */
        }
        complete |= kind == KM_MARK_SAMPLE_END; /* PAGETYPE comes behind SAMPLE_CORE */
    }
    km_trace_close(trace);
    return KM_OK;
}

static void counts_from_bundle(struct km_running *s)
{
    const struct km_proc_state *p = s->r->bundle ? &s->r->bundle->start : NULL;
    static const char *const names[] = {"DMA", "Normal", "HighMem", "Movable"};

    for (unsigned i = 0; p && i < p->nr_buddyinfo; i++)
        for (unsigned z = 0; z < KM_ARRAY_LEN(names); z++)
            if (!strcmp(p->buddyinfo[i].zone, names[z]) && !s->have_counts[z]) {
                memcpy(s->counts[z], p->buddyinfo[i].nr_free, sizeof(s->counts[z]));
                s->have_counts[z] = true;
            }
}

static void mark_used(struct guess *g, km_pfn start, uint64_t pages)
{
    for (km_pfn p = start; p < start + pages && p < g->s->frames; p++) {
        g->contact[p] = WAS_USED;
        g->s->kernel[p] = 1;
    }
}

/* Highest run of untouched frames below the border of low memory. */
static km_pfn untouched_run(const struct guess *g, km_pfn below, uint64_t pages)
{
    uint64_t run = 0;

    for (km_pfn p = below; p-- > KERNEL_IMAGE_PFN;) {
        run = g->contact[p] == UNTOUCHED ? run + 1 : 0;
        if (run == pages)
            return p;
    }
    return KM_PFN_NONE;
}

static int place_kernel(struct guess *g, km_paddr *static_pa, km_paddr *mem_map_pa, struct km_err *err)
{
    const struct km_machine_facts *f = &g->s->r->guest.facts;
    uint64_t pages = km_mem_map_pages(g->s->r);
    km_pfn image = KERNEL_IMAGE_PFN;

    if (f->max_low_pfn <= image + pages + KM_GUEST_IMAGE_BYTES / KM_PAGE_BYTES)
        return km_fail(err, KM_E_USAGE, NULL, 0, 0, "%u MiB of RAM are too few for a kernel image and mem_map",
                       f->max_pfn >> 8);
    mark_used(g, image, KM_GUEST_IMAGE_BYTES / KM_PAGE_BYTES);
    km_pfn map = untouched_run(g, f->max_low_pfn, pages);

    if (map == KM_PFN_NONE)
        return km_fail(err, KM_E_INPUT, NULL, 0, 0,
                       "the trace uses so much of low memory that no room is left for mem_map: set machine.ram");
    mark_used(g, map, pages);
    *static_pa = (km_paddr)image << KM_PAGE_SHIFT;
    *mem_map_pa = (km_paddr)map << KM_PAGE_SHIFT;
    return KM_OK;
}

static bool in_ram(const struct km_machine_facts *f, km_pfn pfn)
{
    for (unsigned i = 0; i < f->nr_ram; i++)
        if (pfn >= f->ram[i].start && pfn < f->ram[i].end)
            return true;
    return false;
}

static void sum_up(struct guess *g)
{
    for (km_pfn p = 0; p < g->s->frames; p++) {
        if (g->contact[p] == ALLOCATED_FIRST)
            g->contact[p] = g->carvings ? WAS_USED : WAS_FREE;
        if (!in_ram(&g->s->r->guest.facts, p) || p < 256) /* the first MiB belongs to the firmware */
            g->contact[p] = WAS_USED;
        g->free_sum[p + 1] = g->free_sum[p] + (g->contact[p] == WAS_FREE);
        g->used_sum[p + 1] = g->used_sum[p] + (g->contact[p] == WAS_USED);
    }
}

static uint32_t score_of(const struct guess *g, km_pfn pfn, unsigned order)
{
    uint32_t pages = 1u << order, free = g->free_sum[pfn + pages] - g->free_sum[pfn];
    uint32_t dense = order >= 9 ? pages / 8 : pages / 2;

    if (free && free >= dense)
        return 3u << 24 | free;
    if (!free)
        return order >= 9 ? 2u << 24 | (pfn >> order) : pfn >> order;
    return 1u << 24 | free;
}

static int by_score(const void *a, const void *b)
{
    const struct candidate *x = a, *y = b;

    if (x->score != y->score)
        return x->score > y->score ? -1 : 1;
    return x->pfn < y->pfn ? -1 : x->pfn > y->pfn;
}

static void choose(struct km_running *s, km_pfn pfn, unsigned order)
{
    s->block_order[pfn] = (uint8_t)(order + 1);
    memset(s->free + pfn, 1, 1u << order);
}

/* A block of the start is found: file it in the literal state too. */
static void locate(struct guess *g, struct km_guest *o, enum km_zone_id z, km_pfn pfn, unsigned order,
                   enum km_migratetype mt)
{
    if (g->unknown[z][mt][order])
        g->unknown[z][mt][order]--;
    if (g->s->counts[z][order])
        g->s->counts[z][order]--;
    choose(g->s, pfn, order);
    km_buddy_add(&o->os, &o->cpu[0], z, pfn, order, mt, true);
}

static bool may_be_free(const struct guess *g, km_pfn pfn, unsigned order)
{
    return pfn + (1u << order) <= g->s->frames && g->used_sum[pfn + (1u << order)] == g->used_sum[pfn] &&
           !memchr(g->s->free + pfn, 1, 1u << order);
}

/* All of it was free at the start, and nothing of it was carved by now. */
static bool all_still_free(const struct guess *g, km_pfn pfn, unsigned order)
{
    uint32_t pages = 1u << order;

    return may_be_free(g, pfn, order) && g->free_sum[pfn + pages] - g->free_sum[pfn] == pages &&
           !memchr(g->carved + pfn, 1, pages);
}

/* The smallest block of this list that fits the request, the address and the free buddies, which would have merged. */
static unsigned carved_order(const struct guess *g, enum km_zone_id z, km_pfn pfn, unsigned order, enum km_migratetype mt)
{
    unsigned least = order;

    while (least < KM_NR_ORDERS - 1 && !(pfn & (1u << least)) && all_still_free(g, pfn, least + 1))
        least++;
    for (unsigned k = least; k < KM_NR_ORDERS && !(pfn & ((1u << k) - 1)); k++)
        if (g->unknown[z][mt][k] && may_be_free(g, pfn, k))
            return k;
    return least;
}

static void locate_carved(struct guess *g, struct km_guest *o, const struct km_event *ev)
{
    enum km_zone_id z = km_pfn_zone(&o->os, ev->page.pfn);
    km_pfn head;
    unsigned order;

    if (!km_buddy_find(&o->os, o->window.base, ev->page.pfn, &head, &order) && ev->page.migratetype >= 0 &&
        ev->page.migratetype < KM_MT_NR && may_be_free(g, ev->page.pfn, ev->page.order)) {
        enum km_migratetype mt = (enum km_migratetype)ev->page.migratetype;

        locate(g, o, z, ev->page.pfn, carved_order(g, z, ev->page.pfn, ev->page.order, mt), mt);
    }
    memset(g->carved + ev->page.pfn, 1, 1u << ev->page.order);
}

/* Frames beside a freed block that are carved later, and were not yet: its free buddies. */
static void locate_buddies(struct guess *g, struct km_guest *o, const struct km_event *ev)
{
    km_pfn pfn = ev->page.pfn;
    enum km_zone_id z = km_pfn_zone(&o->os, pfn);

    for (unsigned order = ev->page.order; order < KM_NR_ORDERS - 1; order++) {
        km_pfn buddy = pfn ^ (1u << order), head;
        uint32_t pages = 1u << order;
        unsigned have;

        if (buddy + pages > g->s->frames || km_pfn_zone(&o->os, buddy) != z)
            return;
        bool known = km_buddy_find(&o->os, o->window.base, buddy, &head, &have);

        if (known && (head != buddy || have != order))
            return;
        if (!known) {
            if (!all_still_free(g, buddy, order))
                return;
            enum km_migratetype mt = KM_MT_UNMOVABLE;

            while (mt < KM_MT_PCP_TYPES && !g->unknown[z][mt][order])
                mt++;
            if (mt == KM_MT_PCP_TYPES)
                return;
            locate(g, o, z, buddy, order, mt);
        }
        pfn &= buddy;
    }
}

static void locate_donor(struct guess *g, struct km_guest *o, const struct km_event *ev)
{
    km_pfn head, pfn = ev->extfrag.pfn;
    unsigned order = ev->extfrag.fallback_order;
    int mt = ev->extfrag.fallback_migratetype;

    if (pfn >= g->s->frames || order >= KM_NR_ORDERS || mt < 0 || mt >= KM_MT_NR || (pfn & ((1u << order) - 1)) ||
        km_pfn_zone(&o->os, pfn) == KM_NR_ZONES || km_buddy_find(&o->os, o->window.base, pfn, &head, &order) ||
        !may_be_free(g, pfn, ev->extfrag.fallback_order))
        return;
    locate(g, o, km_pfn_zone(&o->os, pfn), pfn, ev->extfrag.fallback_order, (enum km_migratetype)mt);
}

static void locate_event(struct guess *g, struct km_guest *o, const struct km_event *ev, uint64_t index)
{
    km_pcp_busy_event(&g->busy, ev, index);
    if (ev->type == KM_EV_PAGE_ALLOC_EXTFRAG) {
        locate_donor(g, o, ev);
        return;
    }
    if (ev->type < KM_EV_PAGE_ALLOC || ev->type > KM_EV_PAGE_PCPU_DRAIN || ev->page.order >= KM_NR_ORDERS ||
        ev->page.pfn >= g->s->frames || ev->page.pfn + (1u << ev->page.order) > g->s->frames ||
        km_pfn_zone(&o->os, ev->page.pfn) == KM_NR_ZONES)
        return;
    if (ev->type == KM_EV_PAGE_ALLOC_ZONE_LOCKED)
        locate_carved(g, o, ev);
    else if (ev->type == KM_EV_PAGE_PCPU_DRAIN ||
             (ev->type == KM_EV_PAGE_FREE && !km_free_reaches_pcp(&o->os, &g->busy, ev)))
        locate_buddies(g, o, ev);
    km_literal_apply(&o->os, &o->cpu[0], &g->busy, ev);
}

/* Second pass: what the carvings say about sizes. */
static int locate_blocks(struct guess *g, const char *trace_path, km_paddr static_pa, km_paddr mem_map_pa,
                         struct km_err *err)
{
    struct km_running *s = g->s;
    struct km_trace *trace = NULL;
    struct km_guest oracle;
    struct km_event ev;
    int rc = km_guest_open(&oracle, &s->r->guest.facts, err);

    if (rc < 0)
        return rc;
    rc = km_trace_open(&trace, trace_path, err);
    if (rc == KM_OK) {
        km_guest_build(&oracle, s->r->cfg, static_pa, mem_map_pa);
        g->busy.hidden = s->r->busy.hidden;
        memcpy(g->unknown, s->quota, sizeof(g->unknown));
        km_read_to_first_sample(s, trace);
        while (km_trace_next(trace, &ev, NULL) > 0)
            locate_event(g, &oracle, &ev, ++s->index);
        km_trace_close(trace);
    }
    km_guest_release(&oracle);
    return rc;
}

static void place_order(struct guess *g, km_pfn start, km_pfn end, unsigned order, uint64_t wanted,
                        struct candidate *list)
{
    struct km_running *s = g->s;
    uint32_t pages = 1u << order;
    size_t nr = 0;

    for (km_pfn p = (km_pfn)km_align_up(start, pages); p + pages <= end; p += pages)
        if (may_be_free(g, p, order))
            list[nr++] = (struct candidate){p, score_of(g, p, order)};
    qsort(list, nr, sizeof(*list), by_score);
    for (size_t i = 0; i < nr && wanted; i++) {
        km_pfn buddy = list[i].pfn ^ pages;

        if (order < KM_NR_ORDERS - 1 && buddy < s->frames && s->block_order[buddy] == order + 1)
            continue; /* the two would have merged */
        choose(s, list[i].pfn, order);
        wanted--;
    }
}

static void place_zone(struct guess *g, enum km_zone_id z, km_pfn start, km_pfn end, struct candidate *list)
{
    struct km_running *s = g->s;

    if (s->have_counts[z]) {
        for (unsigned o = KM_NR_ORDERS; o-- > 0;)
            place_order(g, start, end, o, s->counts[z][o], list);
        return;
    }
    for (km_pfn p = start; p < end;) { /* no counts: everything that may be free */
        unsigned order = KM_NR_ORDERS - 1;

        while (order && ((p & ((1u << order) - 1)) || p + (1u << order) > end ||
                         g->used_sum[p + (1u << order)] != g->used_sum[p]))
            order--;
        if (g->contact[p] != WAS_USED)
            choose(s, p, order);
        p += 1u << order;
    }
}

int km_guess_blocks(struct km_running *s, const char *trace_path, km_paddr *static_pa, km_paddr *mem_map_pa,
                    struct km_err *err)
{
    const struct km_machine_facts *f = &s->r->guest.facts;
    const km_pfn border[] = {1, f->max_low_pfn < 4096 ? f->max_low_pfn : 4096, f->max_low_pfn, f->max_pfn};
    struct guess g = {.s = s};
    struct candidate *list = malloc(((size_t)s->frames + 1) * sizeof(*list));
    int rc = KM_E_NOMEM;

    g.contact = calloc(s->frames, 1);
    g.carved = calloc(s->frames, 1);
    g.free_sum = calloc((size_t)s->frames + 1, sizeof(*g.free_sum));
    g.used_sum = calloc((size_t)s->frames + 1, sizeof(*g.used_sum));
    if (!list || !g.contact || !g.carved || !g.free_sum || !g.used_sum) {
        km_fail(err, KM_E_NOMEM, NULL, 0, 0, "out of memory for %u page frames", s->frames);
        goto out;
    }
    rc = read_evidence(&g, trace_path, err);
    if (rc == KM_OK) {
        counts_from_bundle(s);
        rc = place_kernel(&g, static_pa, mem_map_pa, err);
    }
    if (rc < 0)
        goto out;
    sum_up(&g);
    if (s->look && s->have_quota && g.carvings)
        rc = locate_blocks(&g, trace_path, *static_pa, *mem_map_pa, err);
    for (unsigned z = KM_ZONE_DMA; z <= KM_ZONE_HIGHMEM; z++)
        if (border[z] < border[z + 1])
            place_zone(&g, (enum km_zone_id)z, border[z], border[z + 1], list);
out:
    free(list);
    free(g.contact);
    free(g.carved);
    free(g.free_sum);
    free(g.used_sum);
    return rc;
}
