/* SPDX-License-Identifier: MIT
 * trace_out.c - see trace_out.h.
 */
#include "sim/workload/trace_out.h"

#include "models/os/buddy.h"
#include "sim/trace/mark.h"
#include "sim/trace/write.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct km_replay_trace {
    bool objects; /* object events are the model's, too */
    unsigned mute;
    struct km_event
        now[KM_MAX_CPUS]; /* the event each CPU replays: task, time, context, call site */
    bool batched[KM_MAX_CPUS];
    char line[KM_TRACE_LINE_MAX];
};

int km_replay_trace_open(struct km_replay *r, struct km_err *err)
{
    char cpus[32];
    int len;

    if (!r->cfg->report.trace_out || r->cfg->replay.resync ||
        (r->cfg->replay.mode != KM_REPLAY_PAGES && r->cfg->replay.mode != KM_REPLAY_OBJECTS))
        return KM_OK;
    r->trace_out = calloc(1, sizeof(*r->trace_out));
    if (!r->trace_out)
        return km_fail(err, KM_E_NOMEM, NULL, 0, 0, "out of memory");
    r->trace_out->objects = r->cfg->replay.mode == KM_REPLAY_OBJECTS;
    km_trace_want_text(r->trace, true);
    len = snprintf(cpus, sizeof(cpus), "cpus=%u", r->guest.os.p.cpus);
    km_report_trace_line(r->report, cpus, (size_t)len);
    return KM_OK;
}

void km_replay_trace_close(struct km_replay *r)
{
    free(r->trace_out);
    r->trace_out = NULL;
}

void km_replay_trace_mute(struct km_replay *r, bool on)
{
    if (r->trace_out)
        r->trace_out->mute += on ? 1u : -1u;
}

void km_replay_trace_batched(struct km_replay *r, const struct km_cpu *cpu, bool on)
{
    if (r->trace_out)
        r->trace_out->batched[cpu->id] = on;
}

static void put(struct km_replay *r, const struct km_event *ev)
{
    struct km_replay_trace *t = r->trace_out;

    km_report_trace_line(r->report, t->line,
                         km_trace_format_event(r->trace, ev, t->line, sizeof(t->line)));
}

/* The simulated counts of a zone in the place of the recorded ones. */
static bool put_buddyinfo(struct km_replay *r, const struct km_event *ev)
{
    const struct km_guest *g = &r->guest;
    struct km_mark_buddyinfo real;
    struct km_event own = *ev;
    uint64_t value, nr_free[KM_NR_ORDERS];
    const char *rest;
    char text[512];

    if (km_mark_kind(ev->text.text, &value, &rest) != KM_MARK_BUDDYINFO ||
        !km_mark_buddyinfo(rest, &real))
        return false;
    for (unsigned z = 0; z < KM_NR_ZONES; z++) {
        if (strcmp(g->os.zone[z].name, real.zone) != 0 || g->os.zone[z].end_pfn == 0)
            continue;
        km_buddy_count(&g->os, g->window.base, (enum km_zone_id)z, nr_free, NULL);
        int len =
            snprintf(text, sizeof(text), "BUDDYINFO Node %d, zone %8s ", real.node, real.zone);

        for (unsigned o = 0; o < KM_NR_ORDERS; o++)
            len += snprintf(text + len, sizeof(text) - (size_t)len, "%6llu ",
                            (unsigned long long)nr_free[o]);
        own.text.text = text;
        put(r, &own);
        return true;
    }
    return false;
}

/* The object moved with its page frame. */
static uint64_t moved(const struct km_replay *r, uint64_t ptr)
{
    const struct km_os *os = &r->guest.os;

    if (ptr < os->p.page_offset || ptr > UINT32_MAX)
        return ptr;
    km_pfn traced = km_va_to_pfn(os, (km_vaddr)ptr), model = km_page_map_get(&r->map, traced);

    if (!km_pfn_is_low(os, traced) || model == KM_PFN_NONE || !km_pfn_is_low(os, model))
        return ptr;
    return km_pfn_to_va(os, model) + (ptr & (KM_PAGE_BYTES - 1));
}

void km_replay_trace_event(struct km_replay *r, const struct km_event *ev)
{
    struct km_replay_trace *t = r->trace_out;
    struct km_event own = *ev;

    if (!t)
        return;
    t->now[ev->cpu] = *ev;
    switch (ev->type) {
    case KM_EV_PAGE_ALLOC:
        if (ev->page.pfn == KM_PFN_NONE)
            put(r, ev); /* a request the model does not make */
        return;
    case KM_EV_PAGE_FREE:
    case KM_EV_PAGE_FREE_BATCHED:
    case KM_EV_PAGE_ALLOC_ZONE_LOCKED:
    case KM_EV_PAGE_PCPU_DRAIN:
    case KM_EV_PAGE_ALLOC_EXTFRAG:
    case KM_EV_WAKEUP_KSWAPD:
        return;
    case KM_EV_KSWAPD_WAKE:
    case KM_EV_KSWAPD_SLEEP:
    case KM_EV_DIRECT_RECLAIM_BEGIN:
    case KM_EV_DIRECT_RECLAIM_END:
        if (r->reclaim)
            return; /* the model's own stand in their place */
        break;
    case KM_EV_KMALLOC:
    case KM_EV_KMEM_CACHE_ALLOC:
    case KM_EV_KFREE:
    case KM_EV_KMEM_CACHE_FREE:
        if (t->objects)
            return;
        own.obj.ptr = moved(r, ev->obj.ptr);
        break;
    case KM_EV_MARK:
        if (put_buddyinfo(r, ev))
            return;
        break;
    default:
        break;
    }
    put(r, &own);
}

void km_replay_trace_early(struct km_replay *r, const struct km_event *ev)
{
    if (r->trace_out)
        put(r, ev);
}

static void fill_page(struct km_event *out, const struct km_tp *tp)
{
    out->page.pfn = tp->pfn;
    out->page.order = tp->order;
    out->page.migratetype = (int8_t)tp->migratetype;
    out->page.flag = tp->flag;
    out->page.gfp = tp->gfp;
}

static void fill_extfrag(const struct km_replay *r, struct km_event *out, const struct km_tp *tp)
{
    out->extfrag.pfn = tp->pfn;
    out->extfrag.alloc_order = tp->order;
    out->extfrag.fallback_order = tp->fallback_order;
    out->extfrag.pageblock_order = (uint8_t)r->guest.os.p.pageblock_order;
    out->extfrag.alloc_migratetype = (int8_t)tp->migratetype;
    out->extfrag.fallback_migratetype = (int8_t)tp->fallback_migratetype;
    out->extfrag.change_ownership = tp->flag;
}

static void fill_reclaim(struct km_event *out, const struct km_tp *tp)
{
    out->reclaim.order = tp->order;
    out->reclaim.gfp = tp->gfp;
    out->reclaim.nr = tp->nr;
}

static bool is_object_event(const struct km_event *ev)
{
    return ev->type >= KM_EV_KMALLOC && ev->type <= KM_EV_KMEM_CACHE_FREE;
}

static void fill_object(struct km_replay *r, struct km_event *out, const struct km_event *now,
                        const struct km_tp *tp)
{
    if (is_object_event(now)) {
        out->obj.call_site = now->obj.call_site;
        out->obj.call_site_addr = now->obj.call_site_addr;
        out->obj.call_site_offset = now->obj.call_site_offset;
    }
    out->obj.ptr = tp->ptr;
    out->obj.bytes_req = tp->bytes_req;
    out->obj.bytes_alloc = tp->bytes_alloc;
    out->obj.gfp = tp->gfp;
    out->obj.node = -1;
    out->obj.accounted = tp->flag;
    out->obj.name =
        tp->kind == KM_TP_KMEM_CACHE_FREE && tp->name ? km_trace_intern(r->trace, tp->name) : 0;
}

void km_replay_trace_tp(struct km_replay *r, const struct km_cpu *cpu, const struct km_tp *tp)
{
    static const uint8_t type_of[] = {
        [KM_TP_PAGE_ALLOC] = KM_EV_PAGE_ALLOC,
        [KM_TP_PAGE_FREE] = KM_EV_PAGE_FREE,
        [KM_TP_PAGE_FREE_BATCHED] = KM_EV_PAGE_FREE_BATCHED,
        [KM_TP_ZONE_LOCKED] = KM_EV_PAGE_ALLOC_ZONE_LOCKED,
        [KM_TP_PCPU_DRAIN] = KM_EV_PAGE_PCPU_DRAIN,
        [KM_TP_EXTFRAG] = KM_EV_PAGE_ALLOC_EXTFRAG,
        [KM_TP_WAKEUP_KSWAPD] = KM_EV_WAKEUP_KSWAPD,
        [KM_TP_KSWAPD_WAKE] = KM_EV_KSWAPD_WAKE,
        [KM_TP_KSWAPD_SLEEP] = KM_EV_KSWAPD_SLEEP,
        [KM_TP_DIRECT_RECLAIM_BEGIN] = KM_EV_DIRECT_RECLAIM_BEGIN,
        [KM_TP_DIRECT_RECLAIM_END] = KM_EV_DIRECT_RECLAIM_END,
        [KM_TP_KMALLOC] = KM_EV_KMALLOC,
        [KM_TP_KMEM_CACHE_ALLOC] = KM_EV_KMEM_CACHE_ALLOC,
        [KM_TP_KFREE] = KM_EV_KFREE,
        [KM_TP_KMEM_CACHE_FREE] = KM_EV_KMEM_CACHE_FREE,
    };
    struct km_replay_trace *t = r->trace_out;

    if (!t || t->mute || (unsigned)tp->kind >= KM_ARRAY_LEN(type_of) || !type_of[tp->kind])
        return;
    const struct km_event *now = &t->now[cpu->id];
    struct km_event out = {.time_ns = r->at[cpu->id].time_ns,
                           .type = type_of[tp->kind],
                           .cpu = (uint8_t)cpu->id,
                           .context = now->context,
                           .preempt_count = now->preempt_count,
                           .pid = now->pid,
                           .comm = now->comm};

    if (tp->kind == KM_TP_EXTFRAG)
        fill_extfrag(r, &out, tp);
    else if (tp->kind >= KM_TP_WAKEUP_KSWAPD && tp->kind <= KM_TP_DIRECT_RECLAIM_END)
        fill_reclaim(&out, tp);
    else if (is_object_event(&out))
        fill_object(r, &out, now, tp);
    else
        fill_page(&out, tp);
    put(r, &out);
    if (tp->kind == KM_TP_PAGE_FREE && t->batched[cpu->id] && !tp->order) {
        out.type = KM_EV_PAGE_FREE_BATCHED;
        put(r, &out);
    }
}
