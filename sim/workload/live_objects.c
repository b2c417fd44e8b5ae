/* SPDX-License-Identifier: MIT
 * live_objects.c - who allocates what: totals per call site, and internal fragmentation of live objects.
 *
 * Follows kmalloc/kmem_cache_alloc and their frees through the trace, whatever the replay mode drives. A free
 * on another CPU than the allocation's counts as ping-pong.
 * Memory: one slot per live object (bounded by the traced machine's RAM), one row per call site.
 */
#include "sim/workload/replay.h"

#include <stdlib.h>
#include <string.h>

struct live_object {
    uint64_t ptr; /* 0: empty, 1: deleted */
    uint32_t site, req, alloc;
    uint8_t cpu, zone;
};

struct km_live_objects {
    struct live_object *slot; /* open addressing, power of two */
    size_t room, used, live;  /* used counts deleted slots too */
    struct km_callsite_totals *site;
    size_t nr_sites;
    struct {
        uint64_t req, alloc;
    } zone[KM_NR_ZONES]; /* live bytes */
    uint32_t charged[KM_MAX_CPUS]; /* site + 1 the event under way on a traced CPU belongs to; 0: none */
    bool failed; /* out of memory: stop following */
};

static size_t slot_of(const struct km_live_objects *c, uint64_t ptr)
{
    return (size_t)((ptr >> 3) * 0x9e3779b97f4a7c15ull >> 20) & (c->room - 1);
}

static struct live_object *find(const struct km_live_objects *c, uint64_t ptr)
{
    if (!c->room)
        return NULL;
    for (size_t i = slot_of(c, ptr);; i = (i + 1) & (c->room - 1)) {
        if (c->slot[i].ptr == ptr)
            return &c->slot[i];
        if (!c->slot[i].ptr)
            return NULL;
    }
}

static void place(struct km_live_objects *c, const struct live_object *o)
{
    size_t i = slot_of(c, o->ptr);

    while (c->slot[i].ptr > 1)
        i = (i + 1) & (c->room - 1);
    c->used += c->slot[i].ptr == 0;
    c->slot[i] = *o;
    c->live++;
}

static bool grow(struct km_live_objects *c)
{
    struct live_object *old = c->slot;
    size_t old_room = c->room;
    size_t room = !old_room ? 1u << 16 : c->live * 4 > old_room ? 2 * old_room : old_room; /* else only clean up */
    struct live_object *slot = calloc(room, sizeof(*slot));

    if (!slot)
        return false;
    c->slot = slot;
    c->room = room;
    c->used = c->live = 0;
    for (size_t i = 0; i < old_room; i++)
        if (old[i].ptr > 1)
            place(c, &old[i]);
    free(old);
    return true;
}

static struct km_callsite_totals *totals(struct km_live_objects *c, uint32_t site)
{
    if (site >= c->nr_sites) {
        size_t nr = site + 256;
        struct km_callsite_totals *grown = realloc(c->site, nr * sizeof(*grown));

        if (!grown)
            return NULL;
        memset(grown + c->nr_sites, 0, (nr - c->nr_sites) * sizeof(*grown));
        c->site = grown;
        c->nr_sites = nr;
    }
    return &c->site[site];
}

static void forget(struct km_live_objects *c, struct live_object *o)
{
    c->zone[o->zone].req -= o->req;
    c->zone[o->zone].alloc -= o->alloc;
    o->ptr = 1;
    c->live--;
}

/* Zone of an object of the traced kernel's linear map. */
static enum km_zone_id zone_of(const struct km_replay *r, uint64_t ptr)
{
    enum km_zone_id z = KM_NR_ZONES;

    if (ptr >= r->traced_os.p.page_offset && ptr <= UINT32_MAX)
        z = km_pfn_zone(&r->traced_os, km_va_to_pfn(&r->traced_os, (km_vaddr)ptr));
    return z == KM_NR_ZONES ? KM_ZONE_NORMAL : z;
}

static void note_alloc(struct km_live_objects *c, const struct km_event *ev, enum km_zone_id z)
{
    struct km_callsite_totals *t = totals(c, ev->obj.call_site);
    struct live_object *old = find(c, ev->obj.ptr);

    if (!t) {
        c->failed = true;
        return;
    }
    t->allocs++;
    t->bytes_requested += ev->obj.bytes_req;
    t->bytes_allocated += ev->obj.bytes_alloc;
    c->charged[ev->cpu] = ev->obj.call_site + 1;
    if (old)
        forget(c, old); /* its free was silent */
    if (c->used * 4 >= c->room * 3 && !grow(c)) {
        c->failed = true;
        return;
    }
    place(c, &(struct live_object){.ptr = ev->obj.ptr,
                                   .site = ev->obj.call_site,
                                   .req = ev->obj.bytes_req,
                                   .alloc = ev->obj.bytes_alloc,
                                   .cpu = ev->cpu,
                                   .zone = (uint8_t)z});
    c->zone[z].req += ev->obj.bytes_req;
    c->zone[z].alloc += ev->obj.bytes_alloc;
}

static void note_free(struct km_live_objects *c, const struct km_event *ev)
{
    struct live_object *o = find(c, ev->obj.ptr);

    if (!o)
        return;
    struct km_callsite_totals *t = totals(c, o->site);

    if (t) {
        t->frees++;
        t->frees_remote += o->cpu != ev->cpu;
        c->charged[ev->cpu] = o->site + 1;
    }
    forget(c, o);
}

void km_live_objects_event(struct km_replay *r, const struct km_event *ev)
{
    if (r->live && ev->cpu < KM_MAX_CPUS)
        r->live->charged[ev->cpu] = 0;
    if (ev->type < KM_EV_KMALLOC || ev->type > KM_EV_KMEM_CACHE_FREE || ev->obj.ptr <= 16)
        return;
    if (!r->live)
        r->live = calloc(1, sizeof(*r->live));
    if (!r->live || r->live->failed)
        return;
    if (ev->type == KM_EV_KMALLOC || ev->type == KM_EV_KMEM_CACHE_ALLOC)
        note_alloc(r->live, ev, zone_of(r, ev->obj.ptr));
    else
        note_free(r->live, ev);
}

void km_live_objects_cost(struct km_replay *r, const struct km_event *ev, uint64_t cycles)
{
    struct km_live_objects *c = r->live;

    if (c && ev->cpu < KM_MAX_CPUS && c->charged[ev->cpu])
        c->site[c->charged[ev->cpu] - 1].cycles += cycles;
}

double km_live_objects_internal_pct(const struct km_replay *r, enum km_zone_id z)
{
    const struct km_live_objects *c = r->live;
    uint64_t alloc = c ? c->zone[z].alloc : 0;

    return alloc ? 100.0 * (double)(alloc - c->zone[z].req) / (double)alloc : -1;
}

void km_live_objects_finish(struct km_replay *r)
{
    const struct km_live_objects *c = r->live;

    for (size_t i = 0; c && i < c->nr_sites; i++)
        if (c->site[i].allocs)
            km_report_callsite(r->report, i ? km_trace_string(r->trace, (uint32_t)i) : "(unknown)", &c->site[i]);
}

void km_live_objects_release(struct km_replay *r)
{
    if (!r->live)
        return;
    free(r->live->slot);
    free(r->live->site);
    free(r->live);
    r->live = NULL;
}
