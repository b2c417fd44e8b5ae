/* SPDX-License-Identifier: MIT
 * replay_pages.c - mode `pages`: page requests and frees drive per-CPU lists and buddy; the model picks frames.
 *
 * Only mm_page_alloc and mm_page_free (with order, GFP flags and CPU) drive it; zone_locked and pcpu_drain are
 * consequences the model has to produce itself. Pages are followed through a map traced -> model.
 * Batched frees wait for their batched event (pending.h).
 * Direct reclaim: the task asks for its page again where the trace says that it has reclaimed, and drains every
 *   per-CPU list if it gets none.
 * Silent allocations and allocations recorded late come from following the traced lists first (shadow.h).
 * Bulk pages (probe pages_bulk) leave the lists without an event; their frees name frames the model never
 *   handed out by name, so the bulk page of the same frame, else the oldest one of the zone, stands for it.
 * Boot: per-CPU lists are boot pagesets until a refill fetches more than one page; watermarks and final limits
 *   hold from the first event of a second CPU (or of init on a single one) on.
 * References: kernel-behaviour C2, C8, C9, H4, H6, H7; start-state notes.
 */
#include "sim/workload/mapped.h"
#include "sim/workload/pending.h"
#include "sim/workload/reclaim_model.h"
#include "sim/workload/replay.h"
#include "sim/workload/resync.h"
#include "sim/workload/trace_out.h"

#include "models/base/bits.h"
#include "models/os/page_alloc.h"
#include "models/os/pcp.h"

#include <stdlib.h>
#include <string.h>

#define EARLY_MAX 64u

struct early { /* an allocation that happened before its event (shadow.h) */
    uint64_t of;
    km_pfn pfn;
};

struct bulk_pool { /* pages of pages_bulk whose traced frames are unknown: FIFO per zone */
    km_pfn *frame;
    size_t head, nr, room;
};

struct bulk_call { /* between pages_bulk and pages_bulk_ret */
    uint64_t left;
    uint32_t gfp, carved;
    enum km_zone_id zone;
    bool open; /* not yet returned */
};

/* A task in direct reclaim: it asks for its page again when it has reclaimed (D1 c). */
struct stalled {
    int32_t pid;
    uint32_t gfp;
    uint8_t order;
    bool used;
    km_pfn pfn; /* what it got; KM_PFN_NONE: nothing yet */
};

#define STALLED_MAX 32u

struct km_pages_state {
    struct stalled stalled[STALLED_MAX];
    struct bulk_call bulk[KM_MAX_CPUS];
    struct km_pending pending[KM_MAX_CPUS];
    struct early early[EARLY_MAX];
    unsigned nr_early;
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
    r->guest.os.reclaim_succeeds = !km_reclaim_wanted(r);
    return km_reclaim_wanted(r) ? km_reclaim_model_open(r, err) : KM_OK;
}

void km_pages_close(struct km_replay *r)
{
    km_reclaim_model_close(r);
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
        if (p->nr)
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

/* The oldest page of a pool that nobody took meanwhile. */
static km_pfn pool_oldest(struct km_pages_state *s, struct bulk_pool *p)
{
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

/* A bulk page to stand for a traced frame: the same frame if it is one, else the oldest of the zone. Another
 * machine may have served the call from a zone the traced one has not, or from a lower one. */
static km_pfn pool_get(struct km_replay *r, km_pfn traced)
{
    struct km_pages_state *s = state(r);
    enum km_zone_id z = km_replay_zone(r, traced);

    if (z == KM_NR_ZONES)
        return KM_PFN_NONE;
    if (!r->elsewhere && s->in_pool[traced]) {
        s->in_pool[traced] = 0;
        return traced;
    }
    km_pfn pfn = pool_oldest(s, &s->pool[z]);

    for (unsigned other = KM_NR_ZONES; r->elsewhere && pfn == KM_PFN_NONE && other-- > 0;)
        pfn = pool_oldest(s, &s->pool[other]);
    return pfn;
}

static void measure(struct km_replay *r, const struct km_cpu *cpu, const char *api, uint64_t before)
{
    if (cpu->ops)
        km_report_latency(r->report, api, cpu->id, cpu->local_cycles - before);
}

/* State between two events of a call is kept by traced CPU: several may share one of this machine's (program_peek).
 * Frees a traced block; pages that are no block in the model go one by one. */
static void commit_free(struct km_replay *r, struct km_cpu *cpu, const struct km_event *ev, km_pfn traced,
                        unsigned order)
{
    struct km_os *os = &r->guest.os;
    km_pfn pfn = km_page_map_block(&r->map, traced, order);
    uint64_t before = cpu->local_cycles;

    if (pfn == KM_PFN_NONE && order > 0 && km_page_map_get(&r->map, traced) != KM_PFN_NONE) {
        for (km_pfn i = 0; i < 1u << order; i++)
            commit_free(r, cpu, ev, traced + i, 0);
        return;
    }
    if (pfn == KM_PFN_NONE && order == 0)
        pfn = pool_get(r, traced);
    if (pfn == KM_PFN_NONE) {
        km_replay_skip(r, km_reclaim_model_gone(r, traced) ? KM_SKIP_RECLAIMED : KM_SKIP_UNKNOWN_FREE);
        return;
    }
    km_page_map_clear(&r->map, traced, order);
    for (km_pfn p = pfn; p < pfn + (1u << order) && r->reclaim; p++)
        km_reclaim_model_freed(r, cpu, p);
    if (state(r)->exact[ev->cpu] && order == 0)
        km_free_surplus_page(os, cpu, pfn);
    else
        km_free_pages(os, cpu, pfn, order);
    measure(r, cpu, "page_free", before);
    r->sum.events_applied++;
}

/* Announced frees of this CPU that happen no later than ev. */
static void commit_due(struct km_replay *r, struct km_cpu *cpu, const struct km_event *ev)
{
    struct km_pending *p = &state(r)->pending[ev->cpu];
    uint32_t due = km_pending_due(p, ev);

    for (uint32_t i = 0; i < due; i++) {
        km_replay_trace_batched(r, cpu, ev->type == KM_EV_PAGE_FREE_BATCHED && p->traced[i] == ev->page.pfn);
        commit_free(r, cpu, ev, p->traced[i], 0);
    }
    km_replay_trace_batched(r, cpu, false);
    km_pending_drop(p, due);
}

/* A free that misses the per-CPU lists because the interrupted code holds them. */
static void free_to_buddy(struct km_replay *r, struct km_cpu *cpu, const struct km_event *ev)
{
    struct km_os *os = &r->guest.os;
    km_pfn pfn = km_page_map_block(&r->map, ev->page.pfn, ev->page.order);

    if (pfn == KM_PFN_NONE) {
        km_replay_skip(r, KM_SKIP_UNKNOWN_FREE);
        return;
    }
    km_page_map_clear(&r->map, ev->page.pfn, ev->page.order);
    for (km_pfn p = pfn; p < pfn + (1u << ev->page.order) && r->reclaim; p++)
        km_reclaim_model_freed(r, cpu, p);
    km_free_pages_bypass(os, cpu, pfn, ev->page.order);
    r->sum.events_applied++;
}

static void on_free(struct km_replay *r, struct km_cpu *cpu, const struct km_event *ev)
{
    if (km_reclaim_model_renames(r, ev, r->at[cpu->id].index) || km_reclaim_model_keeps(r, ev)) {
        km_replay_skip(r, KM_SKIP_RECLAIMED);
        return;
    }
    km_compact_free(r, ev);
    if (km_pcp_covers(&r->guest.os, ev->page.order) && !km_free_reaches_pcp(&r->guest.os, &r->busy, ev))
        free_to_buddy(r, cpu, ev);
    else if (ev->page.order == 0 && !state(r)->exact[ev->cpu])
        km_pending_add(&state(r)->pending[ev->cpu], ev->page.pfn);
    else
        commit_free(r, cpu, ev, ev->page.pfn, ev->page.order);
}

static void take_early(struct km_replay *r, struct km_cpu *cpu, const struct km_adjust *e)
{
    struct km_pages_state *s = state(r);

    if (s->nr_early == EARLY_MAX)
        return;
    km_pfn pfn = km_alloc_pages(&r->guest.os, cpu, e->gfp, e->order); /* other CPUs may run meanwhile */

    if (s->nr_early < EARLY_MAX)
        s->early[s->nr_early++] = (struct early){.of = e->of, .pfn = pfn};
}

/* What the trace leaves out on this CPU up to this event (shadow.h). */
static void apply_adjustments(struct km_replay *r, struct km_cpu *cpu, const struct km_event *ev)
{
    struct km_adjustments *a = &r->adjust;

    while (a->next[ev->cpu] < a->nr && a->entry[a->next[ev->cpu]].index <= r->at[cpu->id].index) {
        const struct km_adjust *e = &a->entry[a->next[ev->cpu]++];

        if (e->cpu != ev->cpu)
            continue;
        if (e->after_frees)
            commit_due(r, cpu, ev);
        if (e->kind == KM_ADJUST_EARLY || e->kind == KM_ADJUST_REFILL) {
            take_early(r, cpu, e);
            continue;
        }
        km_pfn pfn = km_pcp_take_bulk(&r->guest.os, cpu, km_replay_zone(r, e->traced), e->order,
                                      (enum km_migratetype)e->migratetype);

        if (pfn != KM_PFN_NONE)
            km_page_map_set(&r->map, e->traced, pfn, e->order);
    }
}

static bool took_early(struct km_pages_state *s, uint64_t index, km_pfn *pfn)
{
    for (unsigned i = 0; i < s->nr_early; i++)
        if (s->early[i].of == index) {
            *pfn = s->early[i].pfn;
            s->early[i] = s->early[--s->nr_early];
            return true;
        }
    return false;
}

static struct stalled *find_stalled(struct km_pages_state *s, int32_t pid)
{
    for (unsigned i = 0; i < STALLED_MAX; i++)
        if (s->stalled[i].used && s->stalled[i].pid == pid)
            return &s->stalled[i];
    return NULL;
}

static void on_reclaim_begin(struct km_pages_state *s, const struct km_event *ev)
{
    struct stalled *t = find_stalled(s, ev->pid);

    if (t)
        return; /* the same request reclaims again */
    for (unsigned i = 0; i < STALLED_MAX && !t; i++)
        if (!s->stalled[i].used)
            t = &s->stalled[i];
    if (t && ev->reclaim.order < KM_NR_ORDERS)
        *t = (struct stalled){
            .used = true, .pid = ev->pid, .gfp = ev->reclaim.gfp, .order = (uint8_t)ev->reclaim.order, .pfn = KM_PFN_NONE};
}

/* Reclaimed pages may lie on per-CPU lists: if a first attempt fails they are all drained. */
static void on_reclaim_end(struct km_replay *r, struct km_cpu *cpu, const struct km_event *ev)
{
    struct stalled *t = find_stalled(state(r), ev->pid);

    if (!t || t->pfn != KM_PFN_NONE || !ev->reclaim.nr)
        return;
    km_pfn pfn = km_alloc_pages_again(&r->guest.os, cpu, t->gfp, t->order);

    if (pfn == KM_PFN_NONE) {
        km_drain_all_pages(&r->guest.os, cpu);
        pfn = km_alloc_pages_again(&r->guest.os, cpu, t->gfp, t->order);
    }
    t->pfn = pfn;
}

/* The page a task got after direct reclaim, now that its allocation is recorded. */
static bool took_stalled(struct km_pages_state *s, const struct km_event *ev, km_pfn *pfn)
{
    struct stalled *t = find_stalled(s, ev->pid);

    if (!t || t->order != ev->page.order || t->gfp != ev->page.gfp)
        return false;
    t->used = false;
    *pfn = t->pfn;
    return t->pfn != KM_PFN_NONE;
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
    if (!r->boot_limits && !r->boot_pagesets && (ev->cpu > 0 || (r->traced_os.p.cpus == 1 && ev->pid == 1))) {
        km_zone_setup_watermarks(&g->os, &g->cpu[0]);
        km_pcp_setup(&g->os, &g->cpu[0], g->os.p.cpus);
        if (!r->elsewhere)
            apply_zone_facts(r, r->bundle->early.nr_zones ? &r->bundle->early : &r->bundle->end);
        km_zone_set_stat_thresholds(&g->os, &g->cpu[0], false);
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
                commit_free(r, cpu, ev, ev->page.pfn + i, 0);
    }
    if (km_reclaim_model_dead(r, ev)) {
        km_replay_skip(r, KM_SKIP_KILLED);
        return;
    }
    for (km_pfn i = 0; i < 1u << order; i++)
        km_reclaim_model_gone(r, ev->page.pfn + i); /* likewise */
    km_pfn pfn;

    if (!took_early(state(r), r->at[cpu->id].index, &pfn) && !took_stalled(state(r), ev, &pfn))
        pfn = km_alloc_pages(&g->os, cpu, ev->page.gfp, order);
    measure(r, cpu, "page_alloc", before);
    km_replay_pfn_agreement(r, ev, pfn);
    pfn = km_resync_alloc(r, cpu, ev, pfn);
    if (pfn == KM_PFN_NONE) {
        km_report_event(r->report, ev->time_ns, ev->cpu, "alloc_failure", "order %u gfp %#x in the model only", order,
                        ev->page.gfp);
        return;
    }
    km_page_map_set(&r->map, ev->page.pfn, pfn, order);
    if (r->reclaim)
        km_reclaim_model_alloc(r, cpu, ev, pfn);
    else if (ev->page.gfp & KM_GFP_MOVABLE)
        for (km_pfn p = pfn; p < pfn + (1u << order); p++)
            *(uint32_t *)(g->window.base + km_page_va(&g->os, p) + KM_PAGE_FLAGS) |= KM_PG_LRU;
    r->sum.events_applied++;
}

/* One refill at most: an interrupt between two refills may have changed the buddy lists. */
static void bulk_step(struct km_replay *r, struct km_cpu *cpu, struct bulk_call *b, bool may_refill)
{
    const struct km_guest *g = &r->guest;

    while (b->left && (may_refill || km_pcp_has(&g->os, g->window.base, b->zone, cpu->id, 0, km_gfp_migratetype(b->gfp)))) {
        if (!km_pcp_has(&g->os, g->window.base, b->zone, cpu->id, 0, km_gfp_migratetype(b->gfp)))
            may_refill = false;
        km_pfn pfn = km_bulk_page(&r->guest.os, cpu, b->zone, b->gfp);

        if (pfn == KM_PFN_NONE) {
            b->left = 0;
            return;
        }
        pool_put(state(r), b->zone, pfn);
        b->left--;
    }
}

static void on_bulk(struct km_replay *r, struct km_cpu *cpu, const struct km_event *ev)
{
    struct bulk_call *b = &state(r)->bulk[ev->cpu];

    *b = (struct bulk_call){.gfp = ev->probe.gfp, .open = true};
    b->zone = km_bulk_zone(&r->guest.os, cpu, b->gfp, (unsigned)km_min_u64(ev->probe.a, UINT32_MAX));
    if (b->zone == KM_NR_ZONES)
        return;
    b->left = ev->probe.a;
    bulk_step(r, cpu, b, false);
    r->sum.events_applied++;
}

/* A refill begins with every batch-th carving inside the call. */
static void on_bulk_carve(struct km_replay *r, struct km_cpu *cpu, const struct km_event *ev)
{
    struct bulk_call *b = &state(r)->bulk[ev->cpu];
    uint32_t batch = km_peek32(r->guest.window.base, r->guest.os.zone[b->zone].pcp_va[cpu->id] + KM_PCP_BATCH);

    if (b->carved++ % batch == 0)
        bulk_step(r, cpu, b, true);
}

static void on_bulk_ret(struct km_replay *r, struct km_cpu *cpu, const struct km_event *ev)
{
    struct bulk_call *b = &state(r)->bulk[ev->cpu];

    for (uint64_t before = b->left + 1; b->left && b->left < before;) {
        before = b->left;
        bulk_step(r, cpu, b, true);
    }
    b->left = 0;
    b->open = false;
}

static bool in_range(const struct km_replay *r, const struct km_event *ev)
{
    return ev->page.order < KM_NR_ORDERS && ev->page.pfn < r->traced_os.p.max_pfn &&
           ev->page.pfn + (1u << ev->page.order) <= r->traced_os.p.max_pfn;
}

static void pages_event(struct km_replay *r, struct km_cpu *cpu, const struct km_event *ev)
{
    if (r->boot)
        follow_boot(r, ev);
    if (r->reclaim)
        km_reclaim_model_event(r, cpu, ev);
    else
        km_replay_kswapd(r, ev, r->at[cpu->id].index);
    if (r->boot && !r->elsewhere && ev->type == KM_EV_PAGE_ALLOC_ZONE_LOCKED && km_pfn_zone(&r->guest.os, ev->page.pfn) != KM_NR_ZONES)
        km_boot_synchronise(r, ev);
    if (ev->type >= KM_EV_PAGE_ALLOC && ev->type <= KM_EV_PAGE_PCPU_DRAIN && ev->page.pfn != KM_PFN_NONE &&
        !in_range(r, ev)) {
        km_replay_skip(r, KM_SKIP_OUT_OF_RANGE);
        return;
    }
    km_resync_settle(r, cpu, ev);
    apply_adjustments(r, cpu, ev);
    commit_due(r, cpu, ev);
    switch (ev->type) {
    case KM_EV_PAGE_ALLOC:
        on_alloc(r, cpu, ev);
        return;
    case KM_EV_PAGE_FREE:
        on_free(r, cpu, ev);
        return;
    case KM_EV_PAGE_FREE_BATCHED:
        return;
    case KM_EV_PAGES_BULK:
        on_bulk(r, cpu, ev);
        return;
    case KM_EV_PAGES_BULK_RET:
        on_bulk_ret(r, cpu, ev);
        return;
    case KM_EV_PAGE_PCPU_DRAIN:
        km_resync_drain(r, cpu, ev);
        break;
    case KM_EV_PAGE_ALLOC_ZONE_LOCKED:
        km_resync_carve(r, cpu, ev, state(r)->bulk[ev->cpu].open);
        if (state(r)->bulk[ev->cpu].left && ev->page.order == 0)
            on_bulk_carve(r, cpu, ev);
        break;
    case KM_EV_DIRECT_RECLAIM_BEGIN:
        if (!r->reclaim)
            on_reclaim_begin(state(r), ev);
        break;
    case KM_EV_DIRECT_RECLAIM_END:
        if (!r->reclaim)
            on_reclaim_end(r, cpu, ev);
        break;
    case KM_EV_PAGES_EXACT:
        state(r)->exact[ev->cpu] = true;
        break;
    case KM_EV_PAGES_EXACT_RET:
        state(r)->exact[ev->cpu] = false;
        break;
    default:
        break;
    }
    if (km_mapped_event(r, ev)) {
        r->sum.events_applied++;
        return;
    }
    km_replay_skip(r, KM_SKIP_NOT_MODELLED);
}

void km_pages_dropped(struct km_replay *r, struct km_cpu *cpu, const struct km_event *ev)
{
    if (r->boot)
        follow_boot(r, ev);
    if (r->reclaim)
        km_reclaim_model_event(r, cpu, ev);
    else
        km_replay_kswapd(r, ev, r->at[cpu->id].index);
    apply_adjustments(r, cpu, ev);
    commit_due(r, cpu, ev);
}

static int pages_open(struct km_replay *r, struct km_err *err)
{
    int rc = km_pages_open(r, err);

    return rc < 0 ? rc : km_resync_open(r, err);
}

static void pages_close(struct km_replay *r)
{
    km_resync_close(r);
    km_pages_close(r);
}

const struct km_replay_mode_ops km_replay_pages = {
    .name = "pages",
    .elsewhere = true,
    .wants_shadow = true,
    .open = pages_open,
    .event = pages_event,
    .close = pages_close,
};
