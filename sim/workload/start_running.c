/* SPDX-License-Identifier: MIT
 * start_running.c - the start state of a capture that begins on a running system.
 *
 * With kpageflags the free page frames are known; the snapshot was read while tracing was on, so it is made
 * consistent with the events between its two marks, and free blocks are the largest aligned all-free blocks.
 * Without it the first BUDDYINFO sample gives the numbers, and start_guess.c the places.
 * Which list a block is on, the order of the lists, the per-CPU lists and the pageblock types come from
 * looking ahead (lookahead.h), then from PAGETYPE's counts, then from the content of the pageblock. Without
 * looking ahead the counts alone are used.
 * References: start-state notes; kernel-behaviour A4, C1, H6.
 */
#include "sim/workload/start_running.h"

#include "models/base/bits.h"
#include "models/os/buddy.h"
#include "models/os/pcp.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool flag(const struct km_running *s, km_pfn pfn, enum km_kpf bit)
{
    return s->state && pfn < s->state->nr_frames && (s->state->kpageflags[pfn] >> bit & 1);
}

int km_zone_by_name(const struct km_os *os, const char *name)
{
    for (int z = 0; z < KM_NR_ZONES; z++)
        if (os->zone[z].name && !strcmp(os->zone[z].name, name))
            return z;
    return -1;
}

/* Lowest run of frames the kernel never gives away, of `bytes`, from `from` on: the kernel image. */
static km_pfn reserved_run_up(const struct km_running *s, km_pfn from, km_pfn to, km_pfn pages)
{
    km_pfn run = 0;

    for (km_pfn p = from; p < to; p++) {
        run = flag(s, p, KPF_RESERVED) && !flag(s, p, KPF_NOPAGE) ? run + 1 : 0;
        if (run == pages)
            return p + 1 - pages;
    }
    return KM_PFN_NONE;
}

/* Highest such run below `to`: mem_map is allocated top-down (A3). */
static km_pfn reserved_run_down(const struct km_running *s, km_pfn to, km_pfn pages)
{
    km_pfn run = 0;

    for (km_pfn p = to; p-- > 0;) {
        run = flag(s, p, KPF_RESERVED) && !flag(s, p, KPF_NOPAGE) ? run + 1 : 0;
        if (run == pages)
            return p;
    }
    return KM_PFN_NONE;
}

/* The last word on a frame that changed while the snapshot was being read. */
static void correct(struct km_running *s, const struct km_event *ev)
{
    bool freed = ev->type == KM_EV_PAGE_PCPU_DRAIN ||
                 (ev->type == KM_EV_PAGE_FREE && ev->page.order > 3 && ev->page.order != s->r->guest.facts.pageblock_order);

    if (!freed && ev->type != KM_EV_PAGE_ALLOC_ZONE_LOCKED)
        return;
    for (km_pfn p = ev->page.pfn; p < ev->page.pfn + (1u << ev->page.order) && p < s->frames; p++)
        s->free[p] = freed;
}

km_pfn km_zone_border(const struct km_machine_facts *f, km_pfn pfn)
{
    if (pfn < 4096)
        return 4096 < f->max_low_pfn ? 4096 : f->max_low_pfn;
    return pfn < f->max_low_pfn ? f->max_low_pfn : f->max_pfn;
}

/* Largest aligned all-free blocks, inside their zones. */
static void find_blocks(struct km_running *s)
{
    for (km_pfn p = 1; p < s->frames;) {
        if (!s->free[p]) {
            p++;
            continue;
        }
        km_pfn end = km_zone_border(&s->r->guest.facts, p), run = 1;
        unsigned order = 0;

        while (order < KM_NR_ORDERS - 1 && !(p & (1u << order)) && p + (2u << order) <= end) {
            while (run < 2u << order && p + run < s->frames && s->free[p + run])
                run++;
            if (run < 2u << order)
                break;
            order++;
        }
        s->block_order[p] = (uint8_t)(order + 1);
        p += 1u << order;
    }
}

void km_running_note_mark(struct km_running *s, const struct km_os *os, const struct km_event *ev)
{
    uint64_t value;
    const char *rest;
    struct km_mark_pagetype pt;
    struct km_mark_zoneinfo zi;
    struct km_mark_buddyinfo bi;
    int z;

    switch (km_mark_kind(ev->text.text, &value, &rest)) {
    case KM_MARK_PAGETYPE:
        if (!km_mark_pagetype(rest, &pt))
            return;
        z = km_zone_by_name(os, pt.zone);
        if (z < 0)
            return;
        if (pt.line == KM_PAGETYPE_FREE && pt.migratetype < KM_MT_NR) {
            memcpy(s->quota[z][pt.migratetype], pt.nr_free, sizeof(pt.nr_free));
            s->have_quota = true;
        } else if (pt.line == KM_PAGETYPE_BLOCKS) {
            memcpy(s->blocks[z], pt.blocks, sizeof(s->blocks[z]));
        }
        return;
    case KM_MARK_BUDDYINFO:
        if (km_mark_buddyinfo(rest, &bi) && (z = km_zone_by_name(os, bi.zone)) >= 0 && !s->have_counts[z]) {
            memcpy(s->counts[z], bi.nr_free, sizeof(bi.nr_free));
            s->have_counts[z] = true;
        }
        return;
    case KM_MARK_ZONEINFO:
        if (km_mark_zoneinfo(rest, &zi) && (z = km_zone_by_name(os, zi.zone)) >= 0 && !s->have_zoneinfo[z]) {
            s->zoneinfo[z] = zi;
            s->have_zoneinfo[z] = true;
        }
        return;
    default:
        return;
    }
}

/* Reads to the end mark of the snapshot, correcting it on the way. */
static int read_to_snapshot(struct km_running *s, struct km_trace *trace, struct km_err *err)
{
    struct km_event ev;
    bool inside = false;
    int rc;

    while ((rc = km_trace_next(trace, &ev, err)) > 0) {
        s->index++;
        if (ev.type == KM_EV_MARK) {
            uint64_t value;
            const char *rest;
            enum km_mark_kind kind = km_mark_kind(ev.text.text, &value, &rest);

            if (kind == KM_MARK_KPAGE_BEGIN)
                inside = true;
            if (kind == KM_MARK_KPAGE_END)
                return KM_OK;
        } else if (inside) {
            correct(s, &ev);
        }
    }
    return rc < 0 ? rc
                  : km_fail(err, KM_E_INPUT, s->r->bundle->trace_path, 0, 0,
                            "the bundle has kpageflags but the trace has no KPAGE_END mark");
}

/* The rest of the trace: all of it when looking ahead, else the first sample with its PAGETYPE lines. */
static int read_ahead(struct km_running *s, struct km_trace *trace, struct km_guest *oracle, struct km_err *err)
{
    struct km_event ev;
    bool sampled = !s->state; /* without a snapshot the first sample has been read already */
    int rc;

    if (sampled && !s->look)
        return KM_OK;
    while ((rc = km_trace_next(trace, &ev, err)) > 0) {
        uint64_t value;
        const char *rest;

        s->index++;
        if (ev.type == KM_EV_MARK) {
            if (!sampled)
                km_running_note_mark(s, &oracle->os, &ev);
            if (s->have_quota && km_mark_kind(ev.text.text, &value, &rest) == KM_MARK_SAMPLE_END)
                sampled = true;
            if (sampled && !s->look)
                return KM_OK;
        } else if (s->look) {
            km_lookahead_event(&s->la, oracle, &ev, s->index);
        }
    }
    /* A trace cut short is replayed up to the cut; the main pass reports it. */
    return rc == KM_E_NOMEM ? rc : KM_OK;
}

static void file_literally(struct km_running *s, struct km_guest *g)
{
    for (km_pfn p = 0; p < s->frames; p++) {
        enum km_zone_id z;

        if (s->block_order[p] && (z = km_pfn_zone(&g->os, p)) != KM_NR_ZONES)
            km_buddy_add(&g->os, &g->cpu[0], z, p, s->block_order[p] - 1u, KM_MT_MOVABLE, true);
    }
}

/* Majority of what a pageblock holds: LRU pages make it MOVABLE. */
static enum km_migratetype type_by_content(const struct km_running *s, km_pfn start, km_pfn pages)
{
    unsigned lru = 0, kernel = 0;

    for (km_pfn p = start; p < start + pages && p < s->frames; p++) {
        if (s->free[p] || flag(s, p, KPF_RESERVED) || flag(s, p, KPF_NOPAGE))
            continue;
        if (flag(s, p, KPF_LRU) || flag(s, p, KPF_ANON))
            lru++;
        else
            kernel++;
    }
    return kernel > lru ? KM_MT_UNMOVABLE : KM_MT_MOVABLE;
}

/* Evidence in falling order of strength; see the file head. */
static enum km_migratetype guess_pageblock(const struct km_running *s, km_pfn start, unsigned order)
{
    km_pfn block = start >> order;

    if (s->look && s->la.pageblock_type[block] != KM_TYPE_UNKNOWN)
        return (enum km_migratetype)s->la.pageblock_type[block];
    if (s->look && s->la.block_type[start] != KM_TYPE_UNKNOWN && s->block_order[start] > order)
        return (enum km_migratetype)s->la.block_type[start];
    if (s->look && s->la.pageblock_hint[block] != KM_TYPE_UNKNOWN)
        return (enum km_migratetype)s->la.pageblock_hint[block];
    if (flag(s, start, KPF_NOPAGE))
        return KM_MT_UNMOVABLE; /* a block whose first frame is a hole (A4.1) */
    return s->state ? type_by_content(s, start, 1u << order) : KM_MT_MOVABLE;
}

static void set_pageblocks(struct km_running *s, struct km_guest *g)
{
    unsigned order = g->os.p.pageblock_order;

    for (unsigned z = 0; z < KM_NR_ZONES; z++) {
        const struct km_zone *zone = &g->os.zone[z];

        for (km_pfn p = zone->start_pfn; p < zone->end_pfn; p = (p | ((1u << order) - 1)) + 1)
            km_pageblock_set_type(&g->os, &g->cpu[0], (enum km_zone_id)z, p,
                                  guess_pageblock(s, p & ~((1u << order) - 1), order));
    }
}

struct listed {
    km_pfn pfn;
    uint32_t seq;
    uint8_t order, type;
};

/* Carved ones first in the order of carving, the rest behind them by address. */
static int by_place(const void *a, const void *b)
{
    const struct listed *x = a, *y = b;
    uint32_t sx = x->seq ? x->seq : UINT32_MAX, sy = y->seq ? y->seq : UINT32_MAX;

    if (sx != sy)
        return sx < sy ? -1 : 1;
    return x->pfn < y->pfn ? -1 : x->pfn > y->pfn;
}

/* Types of blocks nobody touched: their pageblock's, as long as PAGETYPE's counts allow it. */
static void settle_types(struct km_running *s, struct km_guest *g, enum km_zone_id z, struct listed *list, size_t nr)
{
    uint64_t left[KM_MT_NR][KM_NR_ORDERS];

    memcpy(left, s->quota[z], sizeof(left));
    for (size_t i = 0; i < nr; i++)
        if (list[i].type != KM_TYPE_UNKNOWN && left[list[i].type][list[i].order])
            left[list[i].type][list[i].order]--;
    for (unsigned pass = 0; pass < 2; pass++)
        for (size_t i = 0; i < nr; i++) {
            struct listed *l = &list[i];
            unsigned want = km_pageblock_type(&g->os, &g->cpu[0], z, l->pfn);

            if (l->type != KM_TYPE_UNKNOWN)
                continue;
            if (pass == 1) /* the pageblock's own type is used up: any type with room, else its own */
                for (unsigned t = 0; t < KM_MT_NR && !left[want][l->order]; t++)
                    if (left[t][l->order])
                        want = t;
            if (!s->have_quota || left[want][l->order] || pass == 1) {
                l->type = (uint8_t)want;
                if (left[want][l->order])
                    left[want][l->order]--;
            }
        }
}

static int file_zone(struct km_running *s, struct km_guest *g, enum km_zone_id z)
{
    const struct km_zone *zone = &g->os.zone[z];
    size_t nr = 0;

    for (km_pfn p = zone->start_pfn; p < zone->end_pfn; p++)
        nr += s->block_order[p] != 0;
    struct listed *list = malloc((nr + 1) * sizeof(*list));

    if (!list)
        return KM_E_NOMEM;
    nr = 0;
    for (km_pfn p = zone->start_pfn; p < zone->end_pfn; p++)
        if (s->block_order[p])
            list[nr++] = (struct listed){.pfn = p,
                                         .order = s->block_order[p] - 1,
                                         .seq = s->look ? s->la.carve_seq[p] : 0,
                                         .type = s->look ? s->la.block_type[p] : KM_TYPE_UNKNOWN};
    settle_types(s, g, z, list, nr);
    qsort(list, nr, sizeof(*list), by_place);
    for (size_t i = 0; i < nr; i++) {
        enum km_migratetype mt = list[i].type < KM_MT_NR ? (enum km_migratetype)list[i].type : KM_MT_MOVABLE;

        km_buddy_add(&g->os, &g->cpu[0], z, list[i].pfn, list[i].order, mt, true);
        if (list[i].order >= g->os.p.pageblock_order)
            km_pageblock_set_type(&g->os, &g->cpu[0], z, list[i].pfn, mt);
    }
    free(list);
    return KM_OK;
}

static void place_entry(struct km_running *s, struct km_guest *g, const struct km_pcp_entry *e)
{
    enum km_zone_id z = km_pfn_zone(&g->os, e->pfn);

    if (z == KM_NR_ZONES || e->cpu >= g->os.p.cpus || s->free[e->pfn] || !km_pcp_covers(&g->os, e->order))
        return;
    km_pcp_place(&g->os, &g->cpu[0], z, e->cpu, e->pfn, e->order, (enum km_migratetype)e->migratetype);
    km_page_map_clear(&s->r->map, e->pfn, e->order);
}

/* Does the snapshot say what this page is used for? */
static bool has_owner(const struct km_running *s, km_pfn pfn)
{
    return s->state && pfn < s->state->nr_frames &&
           (s->state->kpageflags[pfn] || (s->state->kpagecount && s->state->kpagecount[pfn]));
}

/* Is the whole block allocated, without any flag, and never touched by the trace? */
static bool unseen_block(const struct km_running *s, km_pfn pfn, unsigned order)
{
    for (km_pfn p = pfn; p < pfn + (1u << order); p++)
        if (p >= s->frames || s->free[p] || s->la.touched[p] || s->kernel[p] || has_owner(s, p))
            return false;
    return true;
}

static void remember_guess(struct km_replay *r, struct km_guessed_page page)
{
    if (r->nr_guessed == r->room_guessed) {
        size_t room = r->room_guessed ? 2 * r->room_guessed : 256;
        struct km_guessed_page *grown = realloc(r->guessed, room * sizeof(*grown));

        if (!grown)
            return; /* the guess stands as it is */
        r->guessed = grown;
        r->room_guessed = room;
    }
    r->guessed[r->nr_guessed++] = page;
}

/* Fills one per-CPU list with blocks nothing in the trace touches; returns the pages placed. */
static uint32_t place_unseen(struct km_running *s, struct km_guest *g, enum km_zone_id z, unsigned cpu, unsigned order,
                             enum km_migratetype mt, uint32_t pages)
{
    const struct km_zone *zone = &g->os.zone[z];
    km_pfn first = (km_pfn)km_align_up(zone->start_pfn, 1u << order);
    uint32_t placed = 0;

    for (km_pfn p = first; p + (1u << order) <= zone->end_pfn && placed + (1u << order) <= pages; p += 1u << order) {
        if (!unseen_block(s, p, order) || km_page_map_get(&s->r->map, p) == KM_PFN_NONE)
            continue;
        km_pcp_place(&g->os, &g->cpu[0], z, cpu, p, order, mt);
        km_page_map_clear(&s->r->map, p, order);
        remember_guess(s->r, (struct km_guessed_page){p, (uint8_t)cpu, (uint8_t)z, (uint8_t)order});
        placed += 1u << order;
    }
    return placed;
}

/* ZONEINFO says how many pages the lists hold; those never seen again lie on lists that never run empty, or were
 * taken by a bulk allocation. */
static void place_missing(struct km_running *s, struct km_guest *g, enum km_zone_id z, unsigned cpu, uint32_t missing)
{
    static const enum km_migratetype order_of_types[] = {KM_MT_MOVABLE, KM_MT_UNMOVABLE, KM_MT_RECLAIMABLE};

    for (unsigned order = 0; order <= g->os.p.personality->pcp_max_order; order++)
        for (unsigned i = 0; i < KM_ARRAY_LEN(order_of_types) && missing; i++)
            if (!s->la.emptied[cpu][z][order][order_of_types[i]])
                missing -= place_unseen(s, g, z, cpu, order, order_of_types[i], missing);
    for (unsigned i = 0; i < KM_ARRAY_LEN(order_of_types) && missing; i++)
        if (s->la.bulk_emptied[cpu][z][order_of_types[i]])
            missing -= place_unseen(s, g, z, cpu, 0, order_of_types[i], missing);
}

static uint32_t pages_of(const struct km_pcp_entries *list, const struct km_os *os, enum km_zone_id z, unsigned cpu)
{
    uint32_t pages = 0;

    for (size_t i = 0; i < list->nr; i++)
        if (list->entry[i].cpu == cpu && km_pfn_zone(os, list->entry[i].pfn) == z)
            pages += 1u << list->entry[i].order;
    return pages;
}

/* The zone's numbers from the first sample, else from the zoneinfo files; false: neither is there. */
static bool zone_limits(const struct km_running *s, unsigned z, const char *name, struct km_mark_zoneinfo *out)
{
    const struct km_bundle *b = s->r->bundle;
    const struct km_zone_facts *f = b && name ? km_bundle_zone(b, name) : NULL;

    if (s->have_zoneinfo[z])
        *out = s->zoneinfo[z];
    else if (f)
        *out = (struct km_mark_zoneinfo){.min = f->min,
                                         .low = f->low,
                                         .high = f->high,
                                         .boost = f->boost,
                                         .managed = f->managed,
                                         .nr_pcp = f->nr_pcp};
    if (f && !s->have_zoneinfo[z])
        memcpy(out->pcp, f->pcp, sizeof(out->pcp));
    return s->have_zoneinfo[z] || f;
}

/* Pages on the lists of a CPU at the start: as sampled, else what the first flush says, else as the files say. */
static int64_t list_length(const struct km_running *s, const struct km_guest *g, enum km_zone_id z, unsigned cpu)
{
    struct km_mark_zoneinfo zi = {0};

    zone_limits(s, z, g->os.zone[z].name, &zi);
    if (!s->have_zoneinfo[z] && s->la.flushed[cpu][z])
        return km_peek32(g->window.base, g->os.zone[z].pcp_va[cpu] + KM_PCP_HIGH) - s->la.gained[cpu][z];
    return cpu < zi.nr_pcp ? zi.pcp[cpu].count : 0;
}

/* Heads in order, what was never seen, then the tails (drained first: last). */
static void fill_pcp(struct km_running *s, struct km_guest *g)
{
    for (size_t i = 0; i < s->la.front.nr; i++)
        place_entry(s, g, &s->la.front.entry[i]);
    for (unsigned z = 0; z < KM_NR_ZONES; z++) {
        for (unsigned c = 0; c < g->os.p.cpus; c++) {
            int64_t pages = list_length(s, g, (enum km_zone_id)z, c);
            uint32_t seen = pages_of(&s->la.front, &g->os, (enum km_zone_id)z, c) +
                            pages_of(&s->la.back, &g->os, (enum km_zone_id)z, c);

            if (pages > seen)
                place_missing(s, g, (enum km_zone_id)z, c, (uint32_t)(pages - seen));
        }
    }
    for (size_t i = s->la.back.nr; i-- > 0;)
        place_entry(s, g, &s->la.back.entry[i]);
}

/* Without zoneinfo: what is neither a hole nor reserved. */
static uint64_t guess_managed(const struct km_running *s, const struct km_zone *zone)
{
    uint64_t managed = 0;

    for (km_pfn p = zone->start_pfn; p < zone->end_pfn; p++)
        managed += s->state ? !flag(s, p, KPF_RESERVED) && !flag(s, p, KPF_NOPAGE) : p >= 256 && !s->kernel[p];
    return managed;
}

static void set_limits(struct km_running *s, struct km_guest *g)
{
    struct km_cpu *cpu = &g->cpu[0];
    struct km_mark_zoneinfo zi;

    for (unsigned z = 0; z < KM_NR_ZONES; z++) {
        const struct km_zone *zone = &g->os.zone[z];
        bool known = zone_limits(s, z, zone->name, &zi);

        if (known || km_zone_populated(zone))
            km_st32(cpu, zone->va + KM_ZONE_MANAGED, (uint32_t)(known ? zi.managed : guess_managed(s, zone)));
    }
    km_zone_setup_watermarks(&g->os, cpu);
    km_pcp_setup(&g->os, cpu, g->os.p.cpus);
    for (unsigned z = 0; z < KM_NR_ZONES; z++) {
        if (!zone_limits(s, z, g->os.zone[z].name, &zi))
            continue;
        km_zone_set_watermarks(&g->os, cpu, (enum km_zone_id)z, (uint32_t)(zi.min - zi.boost),
                               (uint32_t)(zi.low - zi.boost), (uint32_t)(zi.high - zi.boost));
        km_st32(cpu, g->os.zone[z].va + KM_ZONE_BOOST, (uint32_t)zi.boost);
        for (unsigned c = 0; c < zi.nr_pcp && c < g->os.p.cpus; c++)
            if (km_zone_populated(&g->os.zone[z]))
                km_pcp_set_limits(&g->os, cpu, (enum km_zone_id)z, c, zi.pcp[c].high, zi.pcp[c].batch);
    }
    km_zone_set_stat_thresholds(&g->os, cpu, false);
}

/* lowmem_reserve as the machine reports it: it was computed from an earlier managed count (B4). Unless
 * lowmem_reserve_ratio was read since: its handler computes the reserves anew, on reading too. */
static void set_protection(struct km_running *s, struct km_guest *g)
{
    if (s->r->bundle && s->r->bundle->reserve_ratio_read)
        return;
    for (unsigned i = 0; s->state && i < s->state->nr_zones; i++) {
        const struct km_zone_facts *f = &s->state->zone[i];
        int z = km_zone_by_name(&g->os, f->zone);

        for (unsigned j = 0; z >= 0 && j < f->nr_protection && j < KM_NR_ZONES; j++)
            km_st32(&g->cpu[0], g->os.zone[z].va + KM_ZONE_LOWMEM_RESERVE + j * 4, (uint32_t)f->protection[j]);
    }
}

/* Order of the compound block that begins at p; 0: none does. */
static unsigned compound_order(const struct km_running *s, km_pfn p)
{
    km_pfn end = p + 1;

    if (!flag(s, p, KPF_HEAD))
        return 0;
    while (end < s->frames && flag(s, end, KPF_TAIL))
        end++;
    return km_log2(end - p);
}

static void set_occupancy(struct km_running *s, struct km_guest *g)
{
    for (unsigned z = 0; z < KM_NR_ZONES; z++)
        for (km_pfn p = g->os.zone[z].start_pfn; p < g->os.zone[z].end_pfn; p++) {
            uint32_t *flags = (uint32_t *)(g->window.base + km_page_va(&g->os, p) + KM_PAGE_FLAGS);

            *flags &= ~(uint32_t)KM_PG_RESERVED;
            if (flag(s, p, KPF_RESERVED))
                *flags |= KM_PG_RESERVED;
            if (flag(s, p, KPF_LRU))
                *flags |= KM_PG_LRU;
            if (s->free[p])
                continue;
            km_guest_note_compound(g, p, compound_order(s, p));
            km_page_map_set(&s->r->map, p, p, 0);
        }
}

static int build(struct km_running *s, km_paddr static_pa, km_paddr mem_map_pa, struct km_err *err)
{
    struct km_guest *g = &s->r->guest;

    km_guest_build(g, s->r->cfg, static_pa, mem_map_pa);
    set_occupancy(s, g);
    set_limits(s, g);
    set_protection(s, g);
    set_pageblocks(s, g);
    for (unsigned z = 0; z < KM_NR_ZONES; z++)
        if (file_zone(s, g, (enum km_zone_id)z) < 0)
            return km_fail(err, KM_E_NOMEM, NULL, 0, 0, "out of memory building the start state");
    /* oracle and buddy leave the per-CPU lists to the trace: their pages count as allocated */
    if (s->look && s->r->cfg->replay.mode != KM_REPLAY_ORACLE && s->r->cfg->replay.mode != KM_REPLAY_BUDDY)
        fill_pcp(s, g);
    return KM_OK;
}

static int prepare(struct km_running *s, struct km_err *err)
{
    s->frames = s->r->guest.facts.max_pfn;
    s->look = s->r->cfg->replay.lookahead;
    s->free = calloc(s->frames, 1);
    s->kernel = calloc(s->frames, 1);
    s->block_order = calloc(s->frames, 1);
    if (!s->free || !s->kernel || !s->block_order)
        return km_fail(err, KM_E_NOMEM, NULL, 0, 0, "out of memory for %u page frames", s->frames);
    for (km_pfn p = 0; p < s->frames; p++)
        s->free[p] = flag(s, p, KPF_BUDDY);
    return km_lookahead_init(&s->la, s->frames, s->r->guest.facts.pageblock_order, err);
}

uint64_t km_mem_map_pages(const struct km_replay *r)
{
    uint64_t entries = km_align_up(r->guest.facts.max_pfn, 1u << (KM_NR_ORDERS - 1));

    return km_align_up(entries * r->cfg->os.struct_page_bytes, KM_PAGE_BYTES) >> KM_PAGE_SHIFT;
}

static int find_in_snapshot(struct km_running *s, struct km_trace *trace, km_paddr *static_pa, km_paddr *mem_map_pa,
                            struct km_err *err)
{
    const struct km_machine_facts *f = &s->r->guest.facts;
    int rc = read_to_snapshot(s, trace, err);

    if (rc < 0)
        return rc;
    find_blocks(s);
    km_pfn image = reserved_run_up(s, 4096, f->max_low_pfn, KM_GUEST_IMAGE_BYTES >> KM_PAGE_SHIFT);
    km_pfn map = reserved_run_down(s, f->max_low_pfn, (km_pfn)km_mem_map_pages(s->r));

    if (image == KM_PFN_NONE || map == KM_PFN_NONE)
        return km_fail(err, KM_E_INPUT, s->state->dir, 0, 0,
                       "kpageflags shows no reserved frames for the kernel image or mem_map: not this machine's");
    *static_pa = (km_paddr)image << KM_PAGE_SHIFT;
    *mem_map_pa = (km_paddr)map << KM_PAGE_SHIFT;
    return KM_OK;
}

/* Blocks first, then one pass over the rest of the trace beside an oracle. */
static int run_ahead(struct km_running *s, const char *trace_path, km_paddr *static_pa, km_paddr *mem_map_pa,
                     struct km_err *err)
{
    struct km_trace *trace = NULL;
    struct km_guest oracle;
    int rc = s->state ? KM_OK : km_guess_blocks(s, trace_path, static_pa, mem_map_pa, err);

    if (rc == KM_OK)
        rc = km_trace_open(&trace, trace_path, err);
    s->index = 0;
    s->la.busy.hidden = s->r->busy.hidden;
    if (rc == KM_OK)
        rc = s->state ? find_in_snapshot(s, trace, static_pa, mem_map_pa, err) : km_read_to_first_sample(s, trace);
    if (rc < 0)
        goto close;
    memcpy(s->la.block_order, s->block_order, s->frames);
    rc = km_guest_open(&oracle, &s->r->guest.facts, err);
    if (rc < 0)
        goto close;
    km_guest_build(&oracle, s->r->cfg, *static_pa, *mem_map_pa);
    file_literally(s, &oracle);
    rc = s->look ? km_hidden_compaction(&s->r->hidden, trace_path, s->r->bundle, &oracle.os, err) : KM_OK;
    if (rc == KM_OK)
        rc = read_ahead(s, trace, &oracle, err);
    km_guest_release(&oracle);
close:
    km_trace_close(trace);
    return rc;
}

static void describe(struct km_running *s)
{
    struct km_replay *r = s->r;

    r->start_mark = s->state ? KM_MARK_KPAGE_END : s->sampled ? KM_MARK_SAMPLE_CORE : KM_MARK_NONE;
    r->sum.start_inferred = s->look || !s->state;
    snprintf(r->sum.start_state, sizeof(r->sum.start_state), "%s%s",
             s->state                 ? "kpageflags"
             : s->have_counts[KM_ZONE_NORMAL] ? "buddyinfo counts, places guessed"
                                              : "unknown: what the trace does not use is free",
             s->look ? ", lists and types inferred by looking ahead" : ", no look-ahead");
}

static void warn_missing(const struct km_running *s)
{
    const char *trace = s->r->cfg->workload.trace;

    if (!s->r->bundle || !s->look)
        return;
    if (!s->have_counts[KM_ZONE_NORMAL] && !s->state)
        km_warn("%s: neither kpageflags nor a BUDDYINFO sample: what is free at the start is not known", trace);
    if (!s->have_quota)
        km_warn("%s: no PAGETYPE sample: types of free blocks that the trace does not use are guessed", trace);
    if (!s->have_zoneinfo[KM_ZONE_NORMAL])
        km_warn("%s: no ZONEINFO sample: how long the per-CPU lists were at the start is not known", trace);
}

/* kpageflags is the state at a place in the trace: without the mark of that place (a trace whose
 * beginning was cut off) it says nothing about the start and is left out. */
int km_check_snapshot(struct km_replay *r, const char *trace_path, struct km_err *err)
{
    struct km_trace *trace = NULL;
    struct km_event ev;
    uint64_t value;
    const char *rest;
    int rc;

    if (!r->bundle || r->bundle->boot || !r->bundle->start.kpageflags)
        return KM_OK;
    rc = km_trace_open(&trace, trace_path, err);
    if (rc < 0)
        return rc;
    while ((rc = km_trace_next(trace, &ev, err)) > 0)
        if (ev.type == KM_EV_MARK && km_mark_kind(ev.text.text, &value, &rest) == KM_MARK_KPAGE_END)
            break;
    bool marked = rc > 0 && strncmp(rest + strspn(rest, " "), "end", 3) != 0;

    km_trace_close(trace);
    if (marked)
        return KM_OK;
    km_warn("%s: no KPAGE_END mark says where in the trace kpageflags was read: it is left out", trace_path);
    free(r->bundle->start.kpageflags);
    r->bundle->start.kpageflags = NULL;
    return rc == KM_E_NOMEM ? rc : KM_OK;
}

int km_start_running(struct km_replay *r, const char *trace_path, struct km_err *err)
{
    struct km_running *s = calloc(1, sizeof(*s));
    km_paddr static_pa, mem_map_pa;

    if (!s)
        return km_fail(err, KM_E_NOMEM, NULL, 0, 0, "out of memory");
    s->r = r;
    s->state = r->bundle && r->bundle->start.kpageflags ? &r->bundle->start : NULL;
    int rc = prepare(s, err);

    if (rc == KM_OK)
        rc = run_ahead(s, trace_path, &static_pa, &mem_map_pa, err);
    if (rc == KM_OK)
        rc = build(s, static_pa, mem_map_pa, err);
    if (rc == KM_OK) {
        describe(s);
        warn_missing(s);
    }
    km_lookahead_release(&s->la);
    free(s->free);
    free(s->kernel);
    free(s->block_order);
    free(s);
    return rc;
}
