/* SPDX-License-Identifier: MIT
 * replay_pages.c - mode `pages`: page requests and frees drive per-CPU lists and buddy; the model picks frames.
 *
 * Only mm_page_alloc and mm_page_free (with order, GFP flags and CPU) drive it; zone_locked and pcpu_drain are
 * consequences the model has to produce itself. Pages are followed through a map traced -> model.
 * Batched frees: the kernel first announces every page (mm_page_free), then frees them one by one
 *   (mm_page_free_batched). An announced page waits until its batched event, or until the CPU does something
 *   else with its lists.
 * Bulk pages (probe pages_bulk) leave the lists without an event; their frees name frames the model never
 *   handed out by name, so the bulk page of the same frame, else the oldest one of the zone, stands for it.
 * Boot: per-CPU lists are boot pagesets until a refill fetches more than one page; watermarks and final limits
 *   hold from the first event of a second CPU (or of init on a single one) on.
 * References: kernel-behaviour C2, C8, C9, H4, H6, H7; start-state notes.
 */
#include "sim/workload/replay.h"

#include "models/base/bits.h"
#include "models/os/page_alloc.h"
#include "models/os/pcp.h"

#include <stdlib.h>
#include <string.h>

#define PENDING_MAX 4096u
#define BOOST_RELIEF_NS 100000000ull /* kswapd takes a boost back within about 0.1 s */

struct pending_frees {
    uint32_t nr;
    km_pfn traced[PENDING_MAX];
    bool after_batched; /* the last list event of this CPU was mm_page_free_batched */
};

struct bulk_pool { /* pages of pages_bulk whose traced frames are unknown: FIFO per zone */
    km_pfn *frame;
    size_t head, nr, room;
};

struct km_pages_state {
    struct pending_frees pending[KM_MAX_CPUS];
    struct bulk_pool pool[KM_NR_ZONES];
    uint8_t *in_pool; /* [model pfn] */
    bool exact[KM_MAX_CPUS]; /* inside alloc_pages_exact: surplus pages go straight to the buddy tails */
    unsigned refill_run;     /* boot: zone_locked events since the last mm_page_alloc */
};

static struct km_pages_state *state(struct km_replay *r)
{
    return r->pages;
}

int km_pages_open(struct km_replay *r, struct km_err *err)
{
    struct km_pages_state *s = calloc(1, sizeof(*s));

    if (s)
        s->in_pool = calloc(r->guest.facts.max_pfn, 1);
    if (!s || !s->in_pool) {
        free(s);
        return km_fail(err, KM_E_NOMEM, NULL, 0, 0, "out of memory");
    }
    r->pages = s;
    r->guest.os.reclaim_succeeds = true;
    return KM_OK;
}

void km_pages_close(struct km_replay *r)
{
    if (!r->pages)
        return;
    for (unsigned z = 0; z < KM_NR_ZONES; z++)
        free(r->pages->pool[z].frame);
    free(r->pages->in_pool);
    free(r->pages);
    r->pages = NULL;
}

static void pool_put(struct km_pages_state *s, enum km_zone_id z, km_pfn pfn)
{
    struct bulk_pool *p = &s->pool[z];

    if (p->head + p->nr == p->room) {
        memmove(p->frame, p->frame + p->head, p->nr * sizeof(*p->frame));
        p->head = 0;
        if (p->nr * 2 > p->room || !p->room) {
            size_t room = p->room ? 2 * p->room : 256;
            km_pfn *grown = realloc(p->frame, room * sizeof(*grown));

            if (!grown)
                return;
            p->frame = grown;
            p->room = room;
        }
    }
    p->frame[p->head + p->nr++] = pfn;
    s->in_pool[pfn] = 1;
}

/* A bulk page to stand for a traced frame: the same frame if it is one, else the oldest of the zone. */
static km_pfn pool_get(struct km_replay *r, km_pfn traced)
{
    struct km_pages_state *s = state(r);
    enum km_zone_id z = km_pfn_zone(&r->guest.os, traced);

    if (z == KM_NR_ZONES)
        return KM_PFN_NONE;
    if (s->in_pool[traced]) {
        s->in_pool[traced] = 0;
        return traced;
    }
    struct bulk_pool *p = &s->pool[z];

    while (p->nr) {
        km_pfn pfn = p->frame[p->head++];

        p->nr--;
        if (s->in_pool[pfn]) {
            s->in_pool[pfn] = 0;
            return pfn;
        }
    }
    return KM_PFN_NONE;
}

static void measure(struct km_replay *r, const struct km_cpu *cpu, const char *api, uint64_t before)
{
    if (cpu->ops)
        km_report_latency(r->report, api, cpu->id, cpu->local_cycles - before);
}

/* Frees a traced block; pages that are no block in the model go one by one. */
static void commit_free(struct km_replay *r, struct km_cpu *cpu, km_pfn traced, unsigned order)
{
    struct km_os *os = &r->guest.os;
    km_pfn pfn = km_page_map_block(&r->map, traced, order);
    uint64_t before = cpu->local_cycles;

    if (pfn == KM_PFN_NONE && order > 0 && km_page_map_get(&r->map, traced) != KM_PFN_NONE) {
        for (km_pfn i = 0; i < 1u << order; i++)
            commit_free(r, cpu, traced + i, 0);
        return;
    }
    if (pfn == KM_PFN_NONE && order == 0)
        pfn = pool_get(r, traced);
    if (pfn == KM_PFN_NONE) {
        km_replay_skip(r, KM_SKIP_UNKNOWN_FREE);
        return;
    }
    km_page_map_clear(&r->map, traced, order);
    if (state(r)->exact[cpu->id] && order == 0)
        km_free_pages_to_tail(os, cpu, pfn, 0);
    else
        km_free_pages(os, cpu, pfn, order);
    measure(r, cpu, "page_free", before);
    r->sum.events_applied++;
}

static void commit_pending(struct km_replay *r, struct km_cpu *cpu, uint32_t nr)
{
    struct pending_frees *p = &state(r)->pending[cpu->id];

    for (uint32_t i = 0; i < nr; i++)
        commit_free(r, cpu, p->traced[i], 0);
    p->nr -= nr;
    memmove(p->traced, p->traced + nr, p->nr * sizeof(p->traced[0]));
}

static void on_free(struct km_replay *r, struct km_cpu *cpu, const struct km_event *ev)
{
    struct pending_frees *p = &state(r)->pending[cpu->id];

    p->after_batched = false;
    if (ev->page.order == 0 && !state(r)->exact[cpu->id]) {
        if (p->nr == PENDING_MAX)
            commit_pending(r, cpu, p->nr);
        p->traced[p->nr++] = ev->page.pfn;
        return;
    }
    commit_pending(r, cpu, p->nr);
    commit_free(r, cpu, ev->page.pfn, ev->page.order);
}

static void on_batched(struct km_replay *r, struct km_cpu *cpu, const struct km_event *ev)
{
    struct pending_frees *p = &state(r)->pending[cpu->id];

    p->after_batched = true;
    for (uint32_t i = 0; i < p->nr; i++)
        if (p->traced[i] == ev->page.pfn) {
            commit_pending(r, cpu, i + 1);
            return;
        }
}

static void apply_zone_facts(struct km_replay *r, const struct km_proc_state *state_files)
{
    struct km_guest *g = &r->guest;

    for (unsigned i = 0; i < state_files->nr_zones; i++) {
        const struct km_zone_facts *f = &state_files->zone[i];

        for (unsigned z = 0; z < KM_NR_ZONES; z++) {
            if (strcmp(g->os.zone[z].name, f->zone) || !km_zone_populated(&g->os.zone[z]))
                continue;
            km_zone_set_watermarks(&g->os, &g->cpu[0], (enum km_zone_id)z, (uint32_t)f->min, (uint32_t)f->low,
                                   (uint32_t)f->high);
            for (unsigned c = 0; c < f->nr_pcp && c < g->os.p.cpus; c++)
                km_pcp_set_limits(&g->os, &g->cpu[0], (enum km_zone_id)z, c, f->pcp[c].high, f->pcp[c].batch);
        }
    }
}

/* Boot captures: the two moments at which the per-CPU lists change. */
static void follow_boot(struct km_replay *r, const struct km_event *ev)
{
    struct km_guest *g = &r->guest;

    if (r->boot_pagesets && ev->type == KM_EV_PAGE_ALLOC_ZONE_LOCKED && ++state(r)->refill_run > 1) {
        km_pcp_setup(&g->os, &g->cpu[0], 1); /* marks are still 0: high = 4 * batch */
        r->boot_pagesets = false;
    }
    if (ev->type == KM_EV_PAGE_ALLOC)
        state(r)->refill_run = 0;
    if (!r->boot_limits && !r->boot_pagesets && (ev->cpu > 0 || (g->os.p.cpus == 1 && ev->pid == 1))) {
        km_zone_setup_watermarks(&g->os, &g->cpu[0]);
        km_pcp_setup(&g->os, &g->cpu[0], g->os.p.cpus);
        apply_zone_facts(r, r->bundle->early.nr_zones ? &r->bundle->early : &r->bundle->end);
        r->boot_limits = true;
    }
}

static void on_alloc(struct km_replay *r, struct km_cpu *cpu, const struct km_event *ev)
{
    struct km_guest *g = &r->guest;
    uint64_t before = cpu->local_cycles;
    unsigned order = ev->page.order;

    if (ev->page.pfn == KM_PFN_NONE) {
        km_replay_skip(r, KM_SKIP_FAILED_ALLOC);
        km_report_event(r->report, ev->time_ns, ev->cpu, "alloc_failure", "order %u gfp %#x in the traced kernel", order,
                        ev->page.gfp);
        return;
    }
    if (km_page_map_get(&r->map, ev->page.pfn) != KM_PFN_NONE) { /* its free was silent */
        km_replay_skip(r, KM_SKIP_DOUBLE_ALLOC);
        for (km_pfn i = 0; i < 1u << order; i++)
            if (km_page_map_get(&r->map, ev->page.pfn + i) != KM_PFN_NONE)
                commit_free(r, cpu, ev->page.pfn + i, 0);
    }
    km_pfn pfn = km_alloc_pages(&g->os, cpu, ev->page.gfp, order);

    measure(r, cpu, "page_alloc", before);
    km_replay_pfn_agreement(r, ev, pfn);
    if (pfn == KM_PFN_NONE) {
        km_report_event(r->report, ev->time_ns, ev->cpu, "alloc_failure", "order %u gfp %#x in the model only", order,
                        ev->page.gfp);
        return;
    }
    km_page_map_set(&r->map, ev->page.pfn, pfn, order);
    if (ev->page.gfp & KM_GFP_MOVABLE)
        for (km_pfn p = pfn; p < pfn + (1u << order); p++)
            *(uint32_t *)(g->window.base + km_page_va(&g->os, p) + KM_PAGE_FLAGS) |= KM_PG_LRU;
    r->sum.events_applied++;
}

static void on_bulk(struct km_replay *r, struct km_cpu *cpu, const struct km_event *ev)
{
    km_pfn out[256];
    uint64_t left = ev->probe.a;

    if (left <= 1 || (ev->probe.gfp & KM_GFP_ACCOUNT))
        return; /* the ordinary, traced path */
    while (left) {
        unsigned want = (unsigned)km_min_u64(left, KM_ARRAY_LEN(out));
        unsigned got = km_alloc_pages_bulk(&r->guest.os, cpu, ev->probe.gfp, want, out);

        for (unsigned i = 0; i < got; i++)
            pool_put(state(r), km_pfn_zone(&r->guest.os, out[i]), out[i]);
        if (got < want)
            break;
        left -= got;
    }
    r->sum.events_applied++;
}

static void clear_boost(struct km_replay *r)
{
    for (unsigned z = 0; z < KM_NR_ZONES; z++)
        km_st32(&r->guest.cpu[0], r->guest.os.zone[z].va + KM_ZONE_BOOST, 0);
    r->boost_clear_ns = KM_NEVER;
}

static bool in_range(const struct km_replay *r, const struct km_event *ev)
{
    return ev->page.order < KM_NR_ORDERS && ev->page.pfn < r->guest.facts.max_pfn &&
           ev->page.pfn + (1u << ev->page.order) <= r->guest.facts.max_pfn;
}

static void pages_event(struct km_replay *r, struct km_cpu *cpu, const struct km_event *ev)
{
    struct pending_frees *p = &state(r)->pending[cpu->id];

    if (r->boot)
        follow_boot(r, ev);
    if (r->boost_clear_ns <= ev->time_ns || ev->type == KM_EV_KSWAPD_SLEEP)
        clear_boost(r);
    switch (ev->type) {
    case KM_EV_PAGE_ALLOC:
        if (ev->page.pfn != KM_PFN_NONE && !in_range(r, ev)) {
            km_replay_skip(r, KM_SKIP_OUT_OF_RANGE);
            return;
        }
        commit_pending(r, cpu, p->nr);
        on_alloc(r, cpu, ev);
        return;
    case KM_EV_PAGE_FREE:
        if (!in_range(r, ev))
            km_replay_skip(r, KM_SKIP_OUT_OF_RANGE);
        else
            on_free(r, cpu, ev);
        return;
    case KM_EV_PAGE_FREE_BATCHED:
        on_batched(r, cpu, ev);
        return;
    case KM_EV_PAGE_ALLOC_ZONE_LOCKED:
        if (r->boot && km_pfn_zone(&r->guest.os, ev->page.pfn) != KM_NR_ZONES)
            km_boot_synchronise(r, ev);
        commit_pending(r, cpu, p->nr);
        break;
    case KM_EV_PAGE_PCPU_DRAIN:
        if (!p->after_batched)
            commit_pending(r, cpu, p->nr);
        break;
    case KM_EV_PAGES_BULK:
        commit_pending(r, cpu, p->nr);
        on_bulk(r, cpu, ev);
        return;
    case KM_EV_PAGES_EXACT:
        state(r)->exact[cpu->id] = true;
        break;
    case KM_EV_PAGES_EXACT_RET:
        state(r)->exact[cpu->id] = false;
        break;
    default:
        break;
    }
    km_replay_skip(r, KM_SKIP_NOT_MODELLED);
}

void km_pages_dropped(struct km_replay *r, const struct km_event *ev)
{
    if (r->boot)
        follow_boot(r, ev);
    if (r->boost_clear_ns <= ev->time_ns)
        clear_boost(r);
}

void km_pages_boosted(struct km_replay *r, uint64_t time_ns)
{
    if (r->boost_clear_ns == KM_NEVER)
        r->boost_clear_ns = time_ns + BOOST_RELIEF_NS;
}

const struct km_replay_mode_ops km_replay_pages = {
    .name = "pages", .open = km_pages_open, .event = pages_event, .close = km_pages_close};
