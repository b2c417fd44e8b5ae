/* SPDX-License-Identifier: MIT
 * hidden.c - see hidden.h.
 *
 * Per page frame the last state the trace shows: on a per-CPU list since event n, on the buddy lists since event
 * n, or anything else. Isolation is dated to the end of the latest compaction run that lies between.
 */
#include "sim/workload/hidden.h"
#include "sim/workload/kpageflags.h"

#include "sim/trace/trace.h"

#include <stdlib.h>
#include <string.h>

#define PCP_MAX_ORDER 3
#define PAGES_ON_LISTS 2000u /* what the per-CPU lists can give, about, without the buddy lists */

enum where { ELSEWHERE, ON_PCP, IN_BUDDY };

struct frame {
    uint64_t since : 62;
    uint64_t where : 2;
};

struct scan {
    struct km_hidden *out;
    struct frame *frame;
    km_pfn frames;
    const struct km_proc_state *start;
    unsigned running;
    struct {
        bool balancing;
        int32_t pid;
        uint64_t last; /* its last event */
    } kswapd;
    uint64_t allocs, carvings, drains;
    struct {
        int64_t pages, shortest, longest; /* against the start */
    } lists[KM_MAX_CPUS];
    uint32_t high[KM_BUNDLE_MAX_ZONES][KM_MAX_CPUS];
    uint64_t last_end; /* of a compaction run; the present event while one is running */
    bool ok;
};

static bool push(struct km_hidden_list *list, uint64_t index, km_pfn pfn)
{
    if (list->nr == list->room) {
        size_t room = list->room ? 2 * list->room : 256;
        struct km_hidden_item *grown = realloc(list->item, room * sizeof(*grown));

        if (!grown)
            return false;
        list->item = grown;
        list->room = room;
    }
    list->item[list->nr++] = (struct km_hidden_item){.index = index, .pfn = pfn};
    return true;
}

static void append(struct scan *s, struct km_hidden_list *list, uint64_t index, km_pfn pfn)
{
    if (!push(list, index, pfn))
        s->ok = false;
}

static void set(struct scan *s, km_pfn pfn, unsigned order, enum where where, uint64_t index)
{
    for (km_pfn p = pfn; p < pfn + (1u << order); p++) {
        s->frame[p].since = index;
        s->frame[p].where = where;
    }
}

static void note_compaction(struct scan *s, const struct km_event *ev, uint64_t index)
{
    if (ev->type == KM_EV_COMPACTION_BEGIN) {
        s->running++;
        s->out->runs++;
    } else if (s->running) {
        s->running--;
    }
    s->last_end = index;
}

static void note_kswapd(struct scan *s, const struct km_event *ev, uint64_t index)
{
    bool ends = ev->type == KM_EV_KSWAPD_WAKE || ev->type == KM_EV_KSWAPD_SLEEP || ev->type == KM_EV_WAKEUP_KSWAPD;

    if (ends && s->kswapd.balancing)
        append(s, &s->out->rests, s->kswapd.last, KM_PFN_NONE);
    if (ends)
        s->kswapd.balancing = false;
    if (ev->type == KM_EV_KSWAPD_WAKE) {
        s->kswapd.balancing = true;
        s->kswapd.pid = ev->pid;
    }
    if (s->kswapd.balancing && ev->pid == s->kswapd.pid)
        s->kswapd.last = index;
}

static void note_snapshot(struct scan *s, const struct km_event *ev, uint64_t index)
{
    uint64_t value;
    const char *rest;

    if (!s->start || !s->start->kpageflags || km_mark_kind(ev->text.text, &value, &rest) != KM_MARK_KPAGE_END)
        return;
    for (km_pfn p = 0; p < s->frames && p < s->start->nr_frames; p++)
        if (s->frame[p].since == 0 && (s->start->kpageflags[p] >> KPF_BUDDY & 1))
            set(s, p, 0, IN_BUDDY, index);
    s->start = NULL; /* the mark at the end of the capture is not it */
}

static void note_free(struct scan *s, const struct km_event *ev, uint64_t index)
{
    uint64_t end = s->running ? index : s->last_end;

    for (km_pfn p = ev->page.pfn; p < ev->page.pfn + (1u << ev->page.order); p++)
        if (s->frame[p].where == IN_BUDDY && s->frame[p].since < end)
            append(s, &s->out->isolated, end, p);
    set(s, ev->page.pfn, ev->page.order, ELSEWHERE, index);
    s->frame[ev->page.pfn].where = ON_PCP; /* or on the buddy lists, if the order is not covered: see note_carve */
}

static void note_stayed(struct scan *s, uint64_t index, km_pfn pfn)
{
    append(s, &s->out->stayed, index, pfn);
    if (s->ok)
        s->out->stayed.item[s->out->stayed.nr - 1].since = s->frame[pfn].since;
}

static void note_carve(struct scan *s, const struct km_event *ev, uint64_t index)
{
    for (km_pfn p = ev->page.pfn; p < ev->page.pfn + (1u << ev->page.order); p++)
        if (s->frame[p].where == ON_PCP)
            append(s, &s->out->missed, s->frame[p].since, p);
        else if (s->frame[p].where == IN_BUDDY && s->frame[p].since < s->last_end)
            note_stayed(s, index, p);
    set(s, ev->page.pfn, ev->page.order, ELSEWHERE, index);
}

/* Pages on the per-CPU lists, as far as requests and carvings tell. */
static void note_length(struct scan *s, const struct km_event *ev, int sign)
{
    if (ev->cpu >= KM_MAX_CPUS || ev->page.order > PCP_MAX_ORDER)
        return;
    int64_t pages = s->lists[ev->cpu].pages += sign * ((int64_t)1 << ev->page.order);

    if (pages < s->lists[ev->cpu].shortest)
        s->lists[ev->cpu].shortest = pages;
    if (pages > s->lists[ev->cpu].longest)
        s->lists[ev->cpu].longest = pages;
}

static void note_limits(struct scan *s, const struct km_event *ev)
{
    static const char *const names[] = {"DMA", "Normal", "HighMem"};
    uint64_t value;
    const char *rest;
    struct km_mark_zoneinfo zi;

    if (km_mark_kind(ev->text.text, &value, &rest) != KM_MARK_ZONEINFO || !km_mark_zoneinfo(rest, &zi))
        return;
    for (unsigned z = 0; z < sizeof(names) / sizeof(names[0]); z++)
        for (unsigned c = 0; c < zi.nr_pcp && !strcmp(zi.zone, names[z]); c++)
            s->high[z][c] = zi.pcp[c].high;
}

static void scan_event(struct scan *s, const struct km_event *ev, uint64_t index)
{
    note_kswapd(s, ev, index);
    if (ev->type == KM_EV_MARK) {
        note_snapshot(s, ev, index);
        note_limits(s, ev);
    }
    if (ev->type == KM_EV_COMPACTION_BEGIN || ev->type == KM_EV_COMPACTION_END)
        note_compaction(s, ev, index);
    if (ev->type < KM_EV_PAGE_ALLOC || ev->type > KM_EV_PAGE_PCPU_DRAIN || ev->page.order >= KM_NR_ORDERS ||
        ev->page.pfn >= s->frames || ev->page.pfn + (1u << ev->page.order) > s->frames)
        return;
    switch (ev->type) {
    case KM_EV_PAGE_FREE:
        note_length(s, ev, 1);
        note_free(s, ev, index);
        break;
    case KM_EV_PAGE_ALLOC_ZONE_LOCKED:
        s->carvings++;
        note_length(s, ev, 1);
        note_carve(s, ev, index);
        break;
    case KM_EV_PAGE_PCPU_DRAIN:
        s->drains++;
        set(s, ev->page.pfn, ev->page.order, IN_BUDDY, index);
        break;
    case KM_EV_PAGE_ALLOC:
        s->allocs++;
        note_length(s, ev, -1);
        set(s, ev->page.pfn, ev->page.order, ELSEWHERE, index);
        break;
    default:
        break;
    }
}

static int by_index(const void *a, const void *b)
{
    const struct km_hidden_item *x = a, *y = b;

    if (x->index != y->index)
        return x->index < y->index ? -1 : 1;
    return x->pfn < y->pfn ? -1 : x->pfn > y->pfn;
}

/* Per-CPU lists cannot outgrow their limits, beyond what silent allocations take from them. */
static bool lists_outgrow(const struct scan *s)
{
    bool outgrow = false;

    for (unsigned c = 0; c < KM_MAX_CPUS; c++) {
        uint64_t limit = 0;

        for (unsigned z = 0; z < KM_BUNDLE_MAX_ZONES; z++)
            limit += s->high[z][c];
        outgrow |= limit && s->lists[c].longest - s->lists[c].shortest > (int64_t)(limit + limit / 4);
    }
    return outgrow;
}

static void judge_kinds(const struct scan *s)
{
    struct km_hidden *out = s->out;

    out->carvings_recorded = s->carvings || s->allocs < PAGES_ON_LISTS;
    out->drains_recorded = s->drains || (out->carvings_recorded && !lists_outgrow(s));
    if (!out->drains_recorded)
        out->missed.nr = 0; /* nothing shows how pages left the per-CPU lists */
}

int km_hidden_find(struct km_hidden *out, const char *trace_path, const struct km_bundle *bundle, km_pfn nr_frames,
                   struct km_err *err)
{
    struct scan s = {.out = out, .frames = nr_frames, .start = bundle ? &bundle->start : NULL, .ok = true};
    struct km_trace *trace = NULL;
    struct km_event ev;
    uint64_t index = 0;
    int rc = km_trace_open(&trace, trace_path, err);

    memset(out, 0, sizeof(*out));
    s.frame = calloc(nr_frames, sizeof(*s.frame));
    s.ok = s.frame != NULL;
    while (s.ok && rc >= 0 && km_trace_next(trace, &ev, NULL) > 0)
        scan_event(&s, &ev, ++index);
    km_trace_close(trace);
    free(s.frame);
    if (!s.ok)
        return km_fail(err, KM_E_NOMEM, NULL, 0, 0, "out of memory following freed pages");
    judge_kinds(&s);
    km_hidden_sort(out);
    return rc;
}

bool km_hidden_add_missed(struct km_hidden *h, uint64_t index, km_pfn pfn)
{
    return push(&h->missed, index, pfn);
}

void km_hidden_sort(struct km_hidden *h)
{
    if (h->missed.nr)
        qsort(h->missed.item, h->missed.nr, sizeof(*h->missed.item), by_index);
    if (h->isolated.nr)
        qsort(h->isolated.item, h->isolated.nr, sizeof(*h->isolated.item), by_index);
}

void km_hidden_release(struct km_hidden *h)
{
    free(h->missed.item);
    free(h->isolated.item);
    free(h->stayed.item);
    free(h->rests.item);
    free(h->group);
    free(h->freed);
    memset(h, 0, sizeof(*h));
}
