/* SPDX-License-Identifier: MIT
 * resync.c - see resync.h.
 */
#include "sim/workload/resync.h"

#include "models/os/page_alloc.h"
#include "models/os/pcp.h"

#include <stdlib.h>
#include <string.h>

#define QUEUE 4096u

struct block {
    km_pfn pfn;
    uint8_t order, migratetype;
};

struct queue {
    unsigned nr;
    struct block item[QUEUE];
};

struct km_resync {
    struct queue carved[KM_MAX_CPUS];  /* traced, the model has still to do it   */
    struct queue drained[KM_MAX_CPUS]; /* by the model, the trace has to confirm */
};

static void add(struct queue *q, km_pfn pfn, unsigned order, unsigned migratetype)
{
    if (q->nr < QUEUE)
        q->item[q->nr++] = (struct block){pfn, (uint8_t)order, (uint8_t)migratetype};
}

static void drop(struct queue *q, unsigned i)
{
    memmove(&q->item[i], &q->item[i + 1], (--q->nr - i) * sizeof(q->item[0]));
}

static bool is_free(const struct km_replay *r, km_pfn pfn, unsigned order)
{
    km_pfn head;
    unsigned have;

    return km_buddy_find(&r->guest.os, r->guest.window.base, pfn, &head, &have) && have >= order;
}

/* Asked by the buddy lists before each carving: the block the trace says, if it is another one. */
static km_pfn choose(void *ctx, struct km_cpu *cpu, enum km_zone_id z, unsigned order,
                     enum km_migratetype mt)
{
    struct km_replay *r = ctx;
    struct queue *q = &r->resync->carved[cpu->id];
    km_pfn own = km_buddy_next(&r->guest.os, r->guest.window.base, z, order, mt);

    if (own == KM_PFN_NONE) /* the model looks for a donor first */
        return KM_PFN_NONE;
    for (unsigned i = 0; i < q->nr; i++) {
        const struct block b = q->item[i];

        if (b.order != order || b.migratetype != mt || km_pfn_zone(&r->guest.os, b.pfn) != z)
            continue;
        drop(q, i);
        if (b.pfn == own || !is_free(r, b.pfn, order))
            return KM_PFN_NONE;
        r->sum.resyncs++;
        return b.pfn;
    }
    return KM_PFN_NONE;
}

int km_resync_open(struct km_replay *r, struct km_err *err)
{
    if (!r->cfg->replay.resync)
        return KM_OK;
    r->resync = calloc(1, sizeof(*r->resync));
    if (!r->resync)
        return km_fail(err, KM_E_NOMEM, NULL, 0, 0, "out of memory");
    r->guest.os.carve.choose = choose;
    r->guest.os.carve.ctx = r;
    return KM_OK;
}

void km_resync_close(struct km_replay *r)
{
    free(r->resync);
    r->resync = NULL;
}

static void lock_zone(struct km_replay *r, struct km_cpu *cpu, enum km_zone_id z, bool lock)
{
    km_vaddr va = r->guest.os.zone[z].va + KM_ZONE_LOCK;

    if (lock)
        km_lock(cpu, va);
    else
        km_unlock(cpu, va);
}

/* Takes exactly this block off the free lists. */
static bool take(struct km_replay *r, struct km_cpu *cpu, const struct block *b)
{
    enum km_zone_id z = km_pfn_zone(&r->guest.os, b->pfn);

    if (z == KM_NR_ZONES)
        return false;
    lock_zone(r, cpu, z, true);
    bool taken = km_buddy_take_at(&r->guest.os, cpu, z, b->pfn, b->order,
                                  (enum km_migratetype)b->migratetype);

    lock_zone(r, cpu, z, false);
    return taken;
}

static void give(struct km_replay *r, struct km_cpu *cpu, const struct block *b)
{
    enum km_zone_id z = km_pfn_zone(&r->guest.os, b->pfn);

    lock_zone(r, cpu, z, true);
    km_buddy_free(&r->guest.os, cpu, z, b->pfn, b->order, (enum km_migratetype)b->migratetype,
                  false);
    lock_zone(r, cpu, z, false);
}

/* Takes a block off the per-CPU list it lies on and gives it back; false if it is on none. */
static bool unlist(struct km_replay *r, struct km_cpu *cpu, const struct block *b,
                   bool not_this_cpu)
{
    struct km_os *os = &r->guest.os;
    enum km_zone_id z = km_pfn_zone(os, b->pfn);

    for (unsigned c = 0; z != KM_NR_ZONES && c < os->p.cpus; c++) {
        if ((not_this_cpu && c == cpu->id) ||
            km_pcp_listed_order(os, cpu->window, z, c, b->pfn) != b->order)
            continue;
        km_pcp_remove(os, cpu, z, c, b->pfn);
        give(r, cpu, b);
        r->sum.resyncs++;
        return true;
    }
    return false;
}

/* Puts a free block at the tail of this CPU's list. */
static void enlist(struct km_replay *r, struct km_cpu *cpu, const struct block *b)
{
    struct km_os *os = &r->guest.os;

    if (!km_pcp_covers(os, b->order) || b->migratetype >= KM_MT_PCP_TYPES || !take(r, cpu, b))
        return;
    km_pcp_place(os, cpu, km_pfn_zone(os, b->pfn), cpu->id, b->pfn, b->order,
                 (enum km_migratetype)b->migratetype);
    r->sum.resyncs++;
}

/* The traced list was empty when it was refilled: what the model has on it goes back. */
static void empty_list(struct km_replay *r, struct km_cpu *cpu, const struct block *like)
{
    struct km_os *os = &r->guest.os;
    enum km_zone_id z = km_pfn_zone(os, like->pfn);
    enum km_migratetype mt = (enum km_migratetype)like->migratetype;

    if (!km_pcp_covers(os, like->order) || mt >= KM_MT_PCP_TYPES)
        return;
    while (km_pcp_has(os, cpu->window, z, cpu->id, like->order, mt)) {
        struct block b = *like;

        b.pfn = km_pcp_take_bulk(os, cpu, z, like->order, mt);
        give(r, cpu, &b);
        r->sum.resyncs++;
    }
}

/* Refills the model did not make. */
static void refill(struct km_replay *r, struct km_cpu *cpu)
{
    struct queue *q = &r->resync->carved[cpu->id];
    const struct block *last = NULL;

    for (unsigned i = 0; i < q->nr; last = &q->item[i++]) {
        const struct block *b = &q->item[i];

        if (!last || last->order != b->order || last->migratetype != b->migratetype)
            empty_list(r, cpu, b);
        enlist(r, cpu, b);
    }
    q->nr = 0;
}

void km_resync_settle(struct km_replay *r, struct km_cpu *cpu, const struct km_event *ev)
{
    if (!r->resync || ev->type < KM_EV_PAGE_ALLOC || ev->type > KM_EV_PAGE_ALLOC_ZONE_LOCKED)
        return;
    struct queue *q = &r->resync->drained[cpu->id];

    for (unsigned i = 0; i < q->nr; i++)
        enlist(r, cpu, &q->item[i]);
    q->nr = 0;
}

void km_resync_carve(struct km_replay *r, struct km_cpu *cpu, const struct km_event *ev,
                     bool in_bulk)
{
    const struct block b = {ev->page.pfn, ev->page.order, (uint8_t)ev->page.migratetype};

    if (!r->resync || ev->page.migratetype < 0 || b.migratetype >= KM_MT_NR ||
        km_pfn_zone(&r->guest.os, b.pfn) == KM_NR_ZONES)
        return;
    if (!is_free(r, b.pfn, b.order))
        unlist(r, cpu, &b, in_bulk);
    if (is_free(r, b.pfn, b.order))
        add(&r->resync->carved[ev->cpu], b.pfn, b.order, b.migratetype);
}

static bool remove_from(struct queue *q, km_pfn pfn)
{
    for (unsigned i = 0; i < q->nr; i++)
        if (q->item[i].pfn == pfn) {
            drop(q, i);
            return true;
        }
    return false;
}

void km_resync_drain(struct km_replay *r, struct km_cpu *cpu, const struct km_event *ev)
{
    const struct block b = {ev->page.pfn, ev->page.order, (uint8_t)ev->page.migratetype};

    if (!r->resync || ev->page.migratetype < 0 || b.migratetype >= KM_MT_NR)
        return;
    if (!remove_from(&r->resync->drained[cpu->id], b.pfn))
        unlist(r, cpu, &b, false);
}

/* The allocation that holds `model` gets `with` instead. */
static bool exchange_owner(struct km_replay *r, km_pfn model, km_pfn with, unsigned order)
{
    for (km_pfn t = 0; t < r->map.nr_frames; t++)
        if (r->map.model[t] == model && km_page_map_block(&r->map, t, order) == model) {
            km_page_map_set(&r->map, t, with, order);
            return true;
        }
    return false;
}

static bool exchange_listed(struct km_replay *r, struct km_cpu *cpu, km_pfn pfn, km_pfn with,
                            unsigned order)
{
    struct km_os *os = &r->guest.os;
    enum km_zone_id z = km_pfn_zone(os, pfn);

    for (unsigned c = 0; z == km_pfn_zone(os, with) && c < os->p.cpus; c++)
        if (km_pcp_replace(os, cpu, z, c, pfn, with, order)) {
            km_forget_page(os, cpu, with, order);
            return true;
        }
    return false;
}

km_pfn km_resync_alloc(struct km_replay *r, struct km_cpu *cpu, const struct km_event *ev,
                       km_pfn pfn)
{
    struct km_os *os = &r->guest.os;
    const struct block traced = {ev->page.pfn, ev->page.order,
                                 (uint8_t)km_gfp_migratetype(ev->page.gfp)};

    if (!r->resync)
        return pfn;
    remove_from(&r->resync->carved[cpu->id], traced.pfn);
    refill(r, cpu);
    if (pfn == KM_PFN_NONE || pfn == traced.pfn || km_pfn_zone(os, traced.pfn) == KM_NR_ZONES)
        return pfn;
    if (take(r, cpu, &traced)) {
        enum km_zone_id z = km_pfn_zone(os, pfn);
        const struct block back = {pfn, traced.order, (uint8_t)km_pageblock_type(os, cpu, z, pfn)};

        km_forget_page(os, cpu, pfn, traced.order);
        give(r, cpu, &back);
    } else if (!exchange_listed(r, cpu, traced.pfn, pfn, traced.order) &&
               !exchange_owner(r, traced.pfn, pfn, traced.order)) {
        return pfn;
    }
    r->sum.resyncs++;
    km_prep_page(os, cpu, traced.pfn, ev->page.gfp, traced.order);
    return traced.pfn;
}

void km_resync_tp(struct km_replay *r, const struct km_cpu *cpu, const struct km_tp *tp)
{
    if (r->resync && tp->kind == KM_TP_PCPU_DRAIN)
        add(&r->resync->drained[cpu->id], tp->pfn, tp->order, tp->migratetype);
}
