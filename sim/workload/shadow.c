/* SPDX-License-Identifier: MIT
 * shadow.c - see shadow.h.
 *
 * The traced kernel's per-CPU lists are kept as doubly linked lists of traced frames. Refills append
 * (mm_page_alloc_zone_locked), frees push, drains remove, allocations take from the head.
 * 1. A refill finds its list empty: whatever the shadow still has there was taken silently.
 * 2. An allocation from below the head: refilled pages above it were taken silently. Freed pages above it
 *    were either taken silently too, or pushed after this allocation by an interrupt that ran before its
 *    event was recorded; the first is true if they are never seen leaving, the second if they are.
 *    A block of order > 0 that is passed over twice was never on the list: its free missed it. A single page
 *    that is passed over twice was taken silently.
 * 3. A page freed while the shadow has it on a list was taken silently before.
 * 4. Between pages_bulk and pages_bulk_ret the probe says how many leave: nothing is inferred.
 * Pageblock types (which list a freed page goes to) come from running mode `buddy` alongside.
 * Invariants: a frame is on at most one list.
 */
#include "sim/workload/shadow.h"

#include "sim/workload/pending.h"
#include "sim/workload/replay.h"

#include "models/os/pcp.h"

#include <stdlib.h>
#include <string.h>

#define NR_LISTS (KM_MAX_CPUS * KM_NR_ZONES * KM_NR_ORDERS * KM_MT_PCP_TYPES)
#define NOWHERE UINT16_MAX

enum origin { REFILLED, FREED };

struct entry {
    uint32_t next, prev; /* frames, or nr_frames + list for the list's head */
    uint16_t list;       /* NOWHERE: on none */
    uint8_t origin;
    uint32_t skipped_by; /* 1 + index into skips: an allocation that went past it; 0: none */
    uint32_t above;      /* the same for a page below it that had left silently */
    uint64_t pushed;     /* event at which it was freed, or its refill began */
    int64_t place;       /* ascending from the head of the list */
    bool first;          /* of its refill: taken at once, or there would have been no refill */
};

struct skip { /* a page left its list, visibly or silently, although freed pages lay above it */
    uint64_t index, early;
    size_t take;  /* a silent one: 1 + its place among the adjustments; 0: a recorded allocation */
    uint32_t gfp;
    uint32_t pages; /* freed blocks it went past */
    uint8_t cpu, order;
};

struct held { /* a carving that may be a direct allocation instead of a refill */
    bool active;
    km_pfn pfn;
    uint8_t order, migratetype;
    uint64_t index;
};

#define BULK_MAX 1024u

struct bulk { /* what the last bulk allocation of a CPU took, as far as the shadow can tell */
    uint16_t list;
    uint8_t zone, migratetype;
    uint32_t nr;
    km_pfn pfn[BULK_MAX];
};

struct body { /* pages a vfree gives back one after the other, in the order in which they were taken */
    uint64_t run;  /* first free of the vfree */
    int64_t place; /* of the last one */
    size_t take;   /* 1 + its place among the adjustments */
    uint16_t list;
};

struct shadow {
    struct km_replay *t; /* mode buddy on a copy of the start */
    struct km_adjustments *out;
    struct entry *e; /* frames, then list heads */
    int64_t pushes, appends;
    km_pfn frames;
    struct skip *skips;
    size_t nr_skips, room_skips;
    struct km_pending pending[KM_MAX_CPUS];
    struct held held[KM_MAX_CPUS];
    uint16_t burst[KM_MAX_CPUS]; /* list being refilled by the last event of the CPU */
    uint32_t burst_len[KM_MAX_CPUS];
    uint64_t burst_start[KM_MAX_CPUS];
    uint64_t free_run[KM_MAX_CPUS]; /* first of the frees that follow each other; 0: the last event was no free */
    uint64_t last_locked[KM_MAX_CPUS]; /* last event that changed buddy lists */
    uint64_t *last_seen; /* [list]: last event that visibly changed it besides refills */
    uint32_t bulk_gfp[KM_MAX_CPUS];
    struct bulk bulk[KM_MAX_CPUS];
    struct body body[KM_MAX_CPUS];
    /* pages a bulk allocation got although the shadow's list was empty: they were there at the start */
    uint32_t shortage[KM_MAX_CPUS][KM_NR_ZONES][KM_MT_PCP_TYPES];
    bool refilled[KM_MAX_CPUS][KM_NR_ZONES][KM_MT_PCP_TYPES]; /* order 0: exactly known by the last bulk's end */
    struct km_hidden missed; /* found here; joined to the replay's at the end */
    bool failed;
};

static uint16_t list_id(unsigned cpu, enum km_zone_id z, unsigned order, unsigned mt)
{
    return (uint16_t)(((cpu * KM_NR_ZONES + z) * KM_NR_ORDERS + order) * KM_MT_PCP_TYPES + mt);
}

static uint32_t head_of(const struct shadow *s, uint16_t list)
{
    return s->frames + list;
}

static bool is_empty(const struct shadow *s, uint16_t list)
{
    return s->e[head_of(s, list)].next == head_of(s, list);
}

static void unlink_frame(struct shadow *s, km_pfn pfn)
{
    s->e[s->e[pfn].prev].next = s->e[pfn].next;
    s->e[s->e[pfn].next].prev = s->e[pfn].prev;
    s->e[pfn].list = NOWHERE;
}

static void link_frame(struct shadow *s, km_pfn pfn, uint16_t list, bool at_head, enum origin origin, uint64_t index)
{
    uint32_t head = head_of(s, list), prev = at_head ? head : s->e[head].prev, next = s->e[prev].next;

    if (s->e[pfn].list != NOWHERE)
        unlink_frame(s, pfn);
    prev = at_head ? head : s->e[head].prev;
    next = s->e[prev].next;
    s->e[pfn] = (struct entry){.next = next,
                               .prev = prev,
                               .list = list,
                               .origin = (uint8_t)origin,
                               .pushed = index,
                               .place = at_head ? -++s->pushes : ++s->appends};
    s->e[prev].next = pfn;
    s->e[next].prev = pfn;
}

static void emit(struct shadow *s, const struct km_adjust *a)
{
    struct km_adjustments *out = s->out;

    if (out->nr == out->room) {
        size_t room = out->room ? 2 * out->room : 1024;
        struct km_adjust *grown = realloc(out->entry, room * sizeof(*grown));

        if (!grown) {
            s->failed = true;
            return;
        }
        out->entry = grown;
        out->room = room;
    }
    out->entry[out->nr++] = *a;
}

static uint64_t min_index(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* When a page had left its list because one below it had, as far as is known by now; UINT64_MAX: not said. */
static uint64_t above_index(const struct shadow *s, uint32_t above, uint64_t pushed)
{
    const struct skip *k = above ? &s->skips[above - 1] : NULL;

    if (!k || (k->early && k->early <= pushed))
        return UINT64_MAX;
    return k->early ? k->early : k->index;
}

/* When a page that left its list silently did so at the latest, seen from event `index`. */
static uint64_t take_index(const struct shadow *s, km_pfn pfn, uint64_t index)
{
    const struct entry *e = &s->e[pfn];

    if (e->first)
        return e->pushed;
    if (e->skipped_by)
        return s->skips[e->skipped_by - 1].index;
    if (e->origin == REFILLED) /* soon after its refill: a bulk allocation caused it */
        return min_index(index, s->last_seen[e->list] + 1 < e->pushed ? e->pushed : s->last_seen[e->list] + 1);
    return index <= e->pushed ? e->pushed + 1 : index;
}

/* Undoes list_id for the coordinates of an adjustment. */
static void emit_take(struct shadow *s, km_pfn pfn, uint64_t index)
{
    uint16_t list = s->e[pfn].list;

    emit(s, &(struct km_adjust){.kind = KM_ADJUST_TAKE,
                                .index = take_index(s, pfn, index),
                                .above = s->e[pfn].above,
                                .pushed = s->e[pfn].pushed,
                                .refilled = s->e[pfn].origin == REFILLED,
                                .place = s->e[pfn].place,
                                .traced = pfn,
                                .migratetype = list % KM_MT_PCP_TYPES,
                                .order = (uint8_t)(list / KM_MT_PCP_TYPES % KM_NR_ORDERS),
                                .zone = (uint8_t)(list / KM_MT_PCP_TYPES / KM_NR_ORDERS % KM_NR_ZONES),
                                .cpu = (uint8_t)(list / KM_MT_PCP_TYPES / KM_NR_ORDERS / KM_NR_ZONES)});
    s->out->silent_pages += 1u << (list / KM_MT_PCP_TYPES % KM_NR_ORDERS);
    unlink_frame(s, pfn);
}

static void came_before(struct shadow *s, uint32_t skip, uint64_t pushed)
{
    if (skip && (!s->skips[skip - 1].early || pushed < s->skips[skip - 1].early))
        s->skips[skip - 1].early = pushed;
}

/* The page is seen leaving its list: what went past it came before the page was freed. */
static void seen_leaving(struct shadow *s, km_pfn pfn)
{
    came_before(s, s->e[pfn].skipped_by, s->e[pfn].pushed);
    came_before(s, s->e[pfn].above, s->e[pfn].pushed);
    unlink_frame(s, pfn);
}

/* All of a list left silently by `index`; what lies on top of a page left no later than it, if it was there. */
static void take_all(struct shadow *s, uint16_t list, uint64_t index)
{
    uint64_t latest = index;

    while (!is_empty(s, list)) {
        km_pfn pfn = s->e[head_of(s, list)].prev;
        uint64_t when = latest > s->e[pfn].pushed ? latest : index;

        latest = min_index(latest, take_index(s, pfn, when));
        emit_take(s, pfn, when);
    }
}

static uint32_t new_skip(struct shadow *s, struct skip skip)
{
    if (s->nr_skips == s->room_skips) {
        size_t room = s->room_skips ? 2 * s->room_skips : 256;
        struct skip *grown = realloc(s->skips, room * sizeof(*grown));

        if (!grown) {
            s->failed = true;
            return 0;
        }
        s->skips = grown;
        s->room_skips = room;
    }
    s->skips[s->nr_skips++] = skip;
    return (uint32_t)s->nr_skips;
}

/* A page left its list silently: what had been freed on top of it by then left before it, or came later. */
static void take_below(struct shadow *s, unsigned cpu, km_pfn pfn)
{
    struct body *b = &s->body[cpu];
    uint64_t index = s->free_run[cpu];
    uint64_t when = min_index(take_index(s, pfn, index), above_index(s, s->e[pfn].above, s->e[pfn].pushed));
    uint32_t head = head_of(s, s->e[pfn].list), skip = 0;
    size_t with = b->run == index && b->list == s->e[pfn].list && b->place < s->e[pfn].place ? b->take : 0;

    if (with && s->out->entry[with - 1].index >= s->e[pfn].pushed)
        when = min_index(when, s->out->entry[with - 1].index);
    *b = (struct body){.run = index, .list = s->e[pfn].list, .place = s->e[pfn].place, .take = s->out->nr + 1};

    for (uint32_t p = s->e[pfn].prev; p != head; p = s->e[p].prev) {
        if (s->e[p].origin != FREED || s->e[p].pushed >= when || s->e[p].above)
            continue;
        if (!skip)
            skip = new_skip(s, (struct skip){.index = when, .take = s->out->nr + 1});
        s->e[p].above = skip;
    }
    emit_take(s, pfn, index);
    if (s->out->nr == b->take)
        s->out->entry[b->take - 1].with = with;
}

static void on_bulk_ret(struct shadow *s, const struct km_event *ev)
{
    const struct km_os *os = &s->t->guest.os;
    int z = km_gfp_zone(s->bulk_gfp[ev->cpu]);

    while (z > 0 && !km_zone_populated(&os->zone[z]))
        z--;
    enum km_migratetype mt = km_gfp_migratetype(s->bulk_gfp[ev->cpu]);
    struct bulk *b = &s->bulk[ev->cpu];
    uint64_t popped = 0;

    *b = (struct bulk){.list = list_id(ev->cpu, (enum km_zone_id)z, 0, mt), .zone = (uint8_t)z, .migratetype = mt};
    for (; popped < ev->probe.a && !is_empty(s, b->list); popped++) {
        km_pfn pfn = s->e[head_of(s, b->list)].next;

        unlink_frame(s, pfn);
        if (b->nr < BULK_MAX)
            b->pfn[b->nr++] = pfn;
    }
    if (s->refilled[ev->cpu][z][mt])
        b->list = NOWHERE; /* the list was exactly known: nothing to correct later */
    else
        s->shortage[ev->cpu][z][mt] += (uint32_t)(ev->probe.a - popped);
    s->refilled[ev->cpu][z][mt] |= s->burst[ev->cpu] == b->list;
}

/* A page the shadow gave to the bulk allocation is allocated visibly: it and those behind it stayed on the
 * list, and as many more had been there at the start. */
static void correct_bulk(struct shadow *s, unsigned cpu, uint16_t list, km_pfn pfn)
{
    struct bulk *b = &s->bulk[cpu];

    if (b->list != list)
        return;
    for (uint32_t i = 0; i < b->nr; i++) {
        if (b->pfn[i] != pfn)
            continue;
        s->shortage[cpu][b->zone][b->migratetype] += b->nr - i;
        for (uint32_t k = i + 1; k < b->nr; k++)
            link_frame(s, b->pfn[k], list, false, REFILLED, 0);
        b->list = NOWHERE;
        return;
    }
}

/* A block that two allocations pass over although it should lie on top is not on the list (the bulk allocator
 * serves single pages only): its free missed the lists. */
static void missed_free(struct shadow *s, km_pfn pfn)
{
    if (!km_hidden_add_missed(&s->missed, s->e[pfn].pushed, pfn))
        s->failed = true;
    unlink_frame(s, pfn);
}

/* The refill that served an allocation shows when it happened; its event may come much later, after other CPUs
 * have changed the lists. */
static void date_by_refill(struct shadow *s, const struct km_event *ev, uint64_t refill, uint64_t index)
{
    bool others = false;

    for (unsigned c = 0; c < KM_MAX_CPUS; c++)
        others |= c != ev->cpu && s->last_locked[c] > refill;
    if (!others)
        return;
    emit(s, &(struct km_adjust){.kind = KM_ADJUST_REFILL,
                                .index = refill,
                                .recorded = index,
                                .gfp = ev->page.gfp,
                                .cpu = ev->cpu,
                                .order = ev->page.order});
    s->out->early_allocations++;
}

static void on_alloc(struct shadow *s, const struct km_event *ev, uint64_t index)
{
    km_pfn pfn = ev->page.pfn;
    uint16_t list = list_id(ev->cpu, km_pfn_zone(&s->t->guest.os, pfn), ev->page.order, km_gfp_migratetype(ev->page.gfp));
    uint32_t skip = 0;

    if (s->e[pfn].list == NOWHERE)
        correct_bulk(s, ev->cpu, list, pfn);
    if (s->e[pfn].list == NOWHERE)
        return; /* straight from the buddy lists, or from what nobody knows */
    if (s->e[pfn].list == list)
        for (uint32_t p = s->e[head_of(s, list)].next, next; p != pfn; p = next) {
            next = s->e[p].next;
            if (s->e[p].origin == REFILLED) {
                emit_take(s, p, index);
            } else if (s->e[p].skipped_by && ev->page.order > 0) {
                missed_free(s, p);
            } else if (s->e[p].skipped_by) {
                emit_take(s, p, index);
            } else if (!s->e[p].skipped_by) {
                if (!skip)
                    skip = new_skip(s, (struct skip){.index = index,
                                                     .gfp = ev->page.gfp,
                                                     .cpu = ev->cpu,
                                                     .order = ev->page.order});
                s->e[p].skipped_by = skip;
                if (skip)
                    s->skips[skip - 1].pages++;
            }
        }
    if (s->e[pfn].first && s->e[pfn].list == list)
        date_by_refill(s, ev, s->e[pfn].pushed, index);
    s->last_seen[s->e[pfn].list] = index;
    seen_leaving(s, pfn);
}

static enum km_migratetype list_type(struct shadow *s, km_pfn pfn)
{
    struct km_guest *g = &s->t->guest;
    enum km_migratetype mt = km_pageblock_type(&g->os, &g->cpu[0], km_pfn_zone(&g->os, pfn), pfn);

    return mt < KM_MT_PCP_TYPES ? mt : KM_MT_MOVABLE;
}

static void push(struct shadow *s, unsigned cpu, km_pfn pfn, unsigned order, uint64_t index)
{
    uint16_t list = list_id(cpu, km_pfn_zone(&s->t->guest.os, pfn), order, list_type(s, pfn));

    link_frame(s, pfn, list, true, FREED, index);
    s->last_seen[list] = index;
}

/* Blocks one refill fetches (C2). */
static uint32_t refill_blocks(const struct shadow *s, unsigned cpu, enum km_zone_id z, unsigned order)
{
    const struct km_guest *g = &s->t->guest;
    uint32_t batch = km_peek32(g->window.base, g->os.zone[z].pcp_va[cpu] + KM_PCP_BATCH);

    if (batch <= 1)
        return 1;
    return batch >> order > 2 ? batch >> order : 2;
}

static void on_free(struct shadow *s, const struct km_event *ev, uint64_t index)
{
    km_pfn pfn = ev->page.pfn;

    if (!s->free_run[ev->cpu])
        s->free_run[ev->cpu] = index;
    if (s->e[pfn].list != NOWHERE) /* nothing was allocated while the pages of a vfree went back one by one */
        take_below(s, ev->cpu, pfn);
    if (!km_free_reaches_pcp(&s->t->guest.os, &s->t->busy, ev))
        return;
    if (ev->page.order == 0)
        km_pending_add(&s->pending[ev->cpu], pfn);
    else
        push(s, ev->cpu, pfn, ev->page.order, index);
}

static void on_carve(struct shadow *s, const struct km_event *ev, uint64_t index)
{
    uint16_t list;

    if (!km_pcp_covers(&s->t->guest.os, ev->page.order) || ev->page.migratetype < 0 ||
        ev->page.migratetype >= KM_MT_PCP_TYPES)
        return;
    list = list_id(ev->cpu, km_pfn_zone(&s->t->guest.os, ev->page.pfn), ev->page.order, (unsigned)ev->page.migratetype);
    if (s->burst[ev->cpu] != list ||
        s->burst_len[ev->cpu] >= refill_blocks(s, ev->cpu, km_pfn_zone(&s->t->guest.os, ev->page.pfn), ev->page.order)) {
        s->burst_len[ev->cpu] = 0;
        s->burst_start[ev->cpu] = index;
    }
    if (!s->burst_len[ev->cpu]++ && !is_empty(s, list) && !s->t->busy.cpu[ev->cpu])
        s->held[ev->cpu] = (struct held){.active = true,
                                         .pfn = ev->page.pfn,
                                         .order = ev->page.order,
                                         .migratetype = (uint8_t)ev->page.migratetype,
                                         .index = index};
    else
        link_frame(s, ev->page.pfn, list, false, REFILLED, s->burst_start[ev->cpu]);
    s->e[ev->page.pfn].first = s->burst_len[ev->cpu] == 1 && !s->held[ev->cpu].active;
    if (s->bulk[ev->cpu].list == list)
        s->bulk[ev->cpu].list = NOWHERE;
    if (ev->page.order == 0 && !s->t->busy.cpu[ev->cpu])
        s->refilled[ev->cpu][km_pfn_zone(&s->t->guest.os, ev->page.pfn)][ev->page.migratetype] = true;
    s->burst[ev->cpu] = list;
}

/* The event behind a held carving decides: its own allocation means the lists were passed by. */
static bool settle_held(struct shadow *s, const struct km_event *ev, uint64_t index)
{
    struct held *h = &s->held[ev->cpu];

    if (!h->active)
        return false;
    h->active = false;
    if (ev->type == KM_EV_PAGE_ALLOC && ev->page.pfn == h->pfn && ev->page.order == h->order) {
        date_by_refill(s, ev, h->index, index);
        return true;
    }
    uint16_t list = list_id(ev->cpu, km_pfn_zone(&s->t->guest.os, h->pfn), h->order, h->migratetype);

    take_all(s, list, h->index);
    link_frame(s, h->pfn, list, false, REFILLED, h->index);
    s->e[h->pfn].first = true;
    return false;
}

/* Moves guessed pages of the start to the lists that turned out to need them. */
static void repair_start(struct shadow *s, struct km_replay *r)
{
    struct km_guest *g = &r->guest;

    for (size_t i = 0; i < r->nr_guessed; i++) {
        const struct km_guessed_page *p = &r->guessed[i];
        uint32_t *wanted = s->shortage[p->cpu][p->zone];
        enum km_migratetype mt = KM_MT_UNMOVABLE;

        while (mt < KM_MT_PCP_TYPES && !wanted[mt])
            mt++;
        if (mt == KM_MT_PCP_TYPES || !km_pcp_remove(&g->os, &g->cpu[0], (enum km_zone_id)p->zone, p->cpu, p->pfn))
            continue;
        for (km_pfn k = p->pfn; k < p->pfn + (1u << p->order); k++) {
            km_pcp_place(&g->os, &g->cpu[0], (enum km_zone_id)p->zone, p->cpu, k, 0, mt);
            wanted[mt] -= wanted[mt] > 0;
        }
    }
}

static bool is_page_event(const struct km_event *ev)
{
    return ev->type >= KM_EV_PAGE_ALLOC && ev->type <= KM_EV_PAGE_PCPU_DRAIN;
}

static void commit(struct shadow *s, const struct km_event *ev, uint64_t index)
{
    struct km_pending *p = &s->pending[ev->cpu];
    uint32_t due = km_pending_due(p, ev);

    for (uint32_t i = 0; i < due; i++)
        push(s, ev->cpu, p->traced[i], 0, index);
    km_pending_drop(p, due);
}

static void shadow_event(struct shadow *s, const struct km_event *ev, uint64_t index, bool was_busy)
{
    struct km_os *os = &s->t->guest.os;

    if (is_page_event(ev) &&
        (ev->page.pfn >= s->frames || ev->page.order >= KM_NR_ORDERS || km_pfn_zone(os, ev->page.pfn) == KM_NR_ZONES))
        return;
    if (settle_held(s, ev, index))
        return;
    commit(s, ev, index);
    if (ev->type == KM_EV_PAGE_ALLOC || ev->type == KM_EV_PAGE_ALLOC_ZONE_LOCKED || ev->type == KM_EV_PAGES_BULK ||
        ev->type == KM_EV_KMALLOC || ev->type == KM_EV_KMEM_CACHE_ALLOC) /* a vmalloc allocates its descriptors */
        s->free_run[ev->cpu] = 0;
    switch (ev->type) {
    case KM_EV_PAGE_ALLOC_ZONE_LOCKED:
        s->last_locked[ev->cpu] = index;
        on_carve(s, ev, index);
        return; /* keeps the burst */
    case KM_EV_PAGE_ALLOC:
        on_alloc(s, ev, index);
        break;
    case KM_EV_PAGE_FREE:
        on_free(s, ev, index);
        break;
    case KM_EV_PAGE_PCPU_DRAIN:
        s->last_locked[ev->cpu] = index;
        if (s->e[ev->page.pfn].list != NOWHERE)
            seen_leaving(s, ev->page.pfn);
        break;
    case KM_EV_PAGES_BULK:
        s->bulk_gfp[ev->cpu] = ev->probe.gfp;
        break;
    case KM_EV_PAGES_BULK_RET:
        if (was_busy)
            on_bulk_ret(s, ev);
        break;
    default: /* object events inside an allocation do not end a refill */
        return;
    }
    s->burst[ev->cpu] = NOWHERE;
}

/* The lists the start state already has. */
static void copy_lists(struct shadow *s)
{
    const struct km_guest *g = &s->t->guest;

    for (unsigned cpu = 0; cpu < g->os.p.cpus; cpu++)
        for (unsigned z = 0; z < KM_NR_ZONES; z++)
            for (unsigned i = 0; i < (g->os.p.personality->pcp_max_order + 1) * KM_MT_PCP_TYPES; i++) {
                km_vaddr head = g->os.zone[z].pcp_va[cpu] + KM_PCP_LISTS + i * 8;

                for (km_vaddr n = km_peek32(g->window.base, head); n != head; n = km_peek32(g->window.base, n))
                    link_frame(s, km_page_pfn(&g->os, n - KM_PAGE_LRU),
                               list_id(cpu, (enum km_zone_id)z, i / KM_MT_PCP_TYPES, i % KM_MT_PCP_TYPES), false,
                               REFILLED, 0);
            }
}

/* Pages that leave a list at the same time leave it from the head on. */
static int by_index(const void *a, const void *b)
{
    const struct km_adjust *x = a, *y = b;

    if (x->index != y->index)
        return x->index < y->index ? -1 : 1;
    if (x->after_frees != y->after_frees)
        return x->after_frees ? 1 : -1;
    if (x->kind != y->kind)
        return x->kind < y->kind ? -1 : 1;
    if (x->kind == KM_ADJUST_TAKE && x->place != y->place)
        return x->place < y->place ? -1 : 1;
    return x->of < y->of ? -1 : x->of > y->of; /* insertion order, see finish() */
}

static void finish(struct shadow *s)
{
    struct km_adjustments *out = s->out;

    for (size_t i = 0; i < s->nr_skips; i++)
        if (s->skips[i].early && s->skips[i].take) {
            uint64_t *index = &out->entry[s->skips[i].take - 1].index;

            *index = min_index(*index, s->skips[i].early);
        } else if (s->skips[i].early) {
            out->early_allocations++;
            emit(s, &(struct km_adjust){.kind = KM_ADJUST_EARLY,
                                        .index = s->skips[i].early,
                                        .traced = (km_pfn)i,
                                        .gfp = s->skips[i].gfp,
                                        .cpu = s->skips[i].cpu,
                                        .order = s->skips[i].order});
        }
    for (size_t i = 0; i < out->nr; i++) {
        struct km_adjust *a = &out->entry[i];

        a->index = min_index(a->index, above_index(s, a->above, a->pushed));
        if (a->with && out->entry[a->with - 1].index > a->pushed)
            a->index = min_index(a->index, out->entry[a->with - 1].index);
        a->after_frees = a->kind == KM_ADJUST_REFILL || (a->kind == KM_ADJUST_TAKE && a->index == a->pushed && !a->refilled);
        a->of = i; /* insertion order */
    }
    if (out->nr)
        qsort(out->entry, out->nr, sizeof(*out->entry), by_index);
    for (size_t i = 0; i < out->nr; i++)
        if (out->entry[i].kind == KM_ADJUST_EARLY)
            out->entry[i].of = s->skips[out->entry[i].traced].index;
        else if (out->entry[i].kind == KM_ADJUST_REFILL)
            out->entry[i].of = out->entry[i].recorded;
}

/* Never seen leaving until the trace ends. A single block, or one of an order the bulk allocator does not
 * serve, is more likely freed by an interrupt than taken silently. */
static void settle_rest(struct shadow *s)
{
    for (km_pfn p = 0; p < s->frames; p++) {
        uint32_t by = s->e[p].list == NOWHERE ? 0 : s->e[p].skipped_by;

        if (s->e[p].list != NOWHERE && s->e[p].first) {
            emit_take(s, p, s->e[p].pushed);
            continue;
        }
        if (!by)
            came_before(s, s->e[p].list == NOWHERE ? 0 : s->e[p].above, s->e[p].pushed);
        if (!by || s->skips[by - 1].early)
            continue;
        if (s->skips[by - 1].order > 0 || s->skips[by - 1].pages == 1)
            seen_leaving(s, p);
        else
            emit_take(s, p, 0);
    }
}

static int follow(struct shadow *s, struct km_err *err)
{
    struct km_replay *t = s->t;
    struct km_event ev;
    int rc;

    while (!km_replay_stopped(t) && (rc = km_trace_next(t->trace, &ev, NULL)) > 0) {
        t->index++;
        if (!km_replay_past_start(t, &ev) || ev.cpu >= t->guest.os.p.cpus || ev.type == KM_EV_MARK)
            continue;
        bool was_busy = t->busy.cpu[ev.cpu];

        km_pcp_busy_event(&t->busy, &ev, t->index);
        km_replay_isolate(t, &t->guest.cpu[ev.cpu], &ev, t->index);
        shadow_event(s, &ev, t->index, was_busy);
        t->mode->event(t, &t->guest.cpu[ev.cpu], &ev);
    }
    settle_rest(s);
    finish(s);
    return s->failed ? km_fail(err, KM_E_NOMEM, NULL, 0, 0, "out of memory looking for silent allocations") : KM_OK;
}

static int copy_start(struct km_replay *t, const struct km_replay *r, const char *trace_path, struct km_err *err)
{
    t->cfg = r->cfg;
    t->stop = r->stop;
    t->bundle = r->bundle;
    t->mode = &km_replay_buddy;
    t->boot = r->boot;
    t->busy.hidden = r->busy.hidden;
    t->start_mark = r->start_mark;
    t->guest.window.memfd = -1;
    int rc = km_trace_open(&t->trace, trace_path, err);

    if (rc == KM_OK)
        rc = km_guest_clone(&t->guest, &r->guest, err);
    if (rc == KM_OK && km_page_map_init(&t->map, r->map.nr_frames) < 0)
        rc = km_fail(err, KM_E_NOMEM, NULL, 0, 0, "out of memory");
    if (rc < 0)
        return rc;
    t->traced_os = r->guest.os;
    memcpy(t->map.model, r->map.model, r->map.nr_frames * sizeof(*t->map.model));
    /* mode buddy counts pages on per-CPU lists as allocated */
    for (km_pfn p = 0; p < r->map.nr_frames; p++)
        if (t->map.model[p] == KM_PFN_NONE && !km_range_has_free(&t->guest.os, t->guest.window.base, p, 0))
            t->map.model[p] = p;
    return KM_OK;
}

int km_shadow_run(struct km_replay *r, const char *trace_path, struct km_err *err)
{
    struct shadow *s = calloc(1, sizeof(*s));
    struct km_replay *t = calloc(1, sizeof(*t));
    size_t nodes = (size_t)r->guest.facts.max_pfn + NR_LISTS;
    int rc = KM_E_NOMEM;

    if (!s || !t || !(s->e = calloc(nodes, sizeof(*s->e))) ||
        !(s->last_seen = calloc(NR_LISTS, sizeof(*s->last_seen)))) {
        km_fail(err, KM_E_NOMEM, NULL, 0, 0, "out of memory looking for silent allocations");
        goto out;
    }
    s->t = t;
    s->out = &r->adjust;
    s->frames = r->guest.facts.max_pfn;
    for (size_t i = 0; i < nodes; i++)
        s->e[i] = (struct entry){.next = (uint32_t)i, .prev = (uint32_t)i, .list = NOWHERE};
    for (unsigned c = 0; c < KM_MAX_CPUS; c++)
        s->burst[c] = s->bulk[c].list = NOWHERE;
    rc = copy_start(t, r, trace_path, err);
    if (rc == KM_OK) {
        if (t->boot) /* batch sizes; mode buddy does not use the lists */
            km_pcp_setup(&t->guest.os, &t->guest.cpu[0], 1);
        copy_lists(s);
        rc = follow(s, err);
        repair_start(s, r);
        for (size_t i = 0; i < s->missed.missed.nr; i++)
            if (!km_hidden_add_missed(&r->hidden, s->missed.missed.item[i].index, s->missed.missed.item[i].pfn))
                rc = km_fail(err, KM_E_NOMEM, NULL, 0, 0, "out of memory looking for silent allocations");
        km_hidden_sort(&r->hidden);
        km_hidden_release(&s->missed);
    }
out:
    if (t) {
        km_trace_close(t->trace);
        km_compact_close(t);
        km_page_map_release(&t->map);
        km_guest_release(&t->guest);
    }
    free(t);
    if (s) {
        free(s->e);
        free(s->last_seen);
        free(s->skips);
    }
    free(s);
    return rc;
}

void km_adjustments_release(struct km_adjustments *a)
{
    free(a->entry);
    memset(a, 0, sizeof(*a));
}
