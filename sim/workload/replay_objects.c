/* SPDX-License-Identifier: MIT
 * replay_objects.c - mode `objects`: glue between the replay, objects.c and mode `pages`.
 *
 * Object events go to the simulated slab layer; page events that the traced slab layer made are
 * dropped; all others go the way of mode `pages`, with which this mode shares the page map. The
 * trace is read a second time (before the replay) for what objects.h needs to know in advance.
 */
#include "models/base/bug.h"
#include "models/os/buddy.h"
#include "models/os/slub.h"
#include "sim/report/proc_text.h"
#include "sim/workload/objects.h"
#include "sim/workload/replay.h"

#include <stdlib.h>
#include <string.h>

#define TRACED_PAGE_OFFSET 0xc0000000u /* VMSPLIT_3G, the default of x86-32 */

static void claimed(void *ctx, km_pfn pfn, unsigned order)
{
    struct km_replay *r = ctx;

    km_page_map_clear(&r->map, pfn, order);
}

static km_pfn where(void *ctx, km_pfn traced, unsigned order)
{
    const struct km_replay *r = ctx;

    return km_page_map_block(&r->map, traced, order);
}

/* Before the snapshot is complete only its SLABINFO lines count; true at its end mark. */
static bool before_start(struct km_replay *r, const struct km_event *ev)
{
    uint64_t value;
    const char *rest;

    if (ev->type != KM_EV_MARK)
        return false;
    enum km_mark_kind kind = km_mark_kind(ev->text.text, &value, &rest);

    if (kind == KM_MARK_SLABINFO)
        km_objects_start_sample(r->objects, rest);
    return kind == r->start_mark;
}

/* Boot: the slabs of before the trace lie in frames the model must have given away by now. */
static void synchronise(struct km_replay *r, const struct km_event *ev, bool done[KM_NR_ZONES])
{
    enum km_zone_id z;

    if (!r->boot || r->elsewhere || ev->type != KM_EV_PAGE_ALLOC_ZONE_LOCKED ||
        ev->page.migratetype != KM_MT_UNMOVABLE)
        return;
    z = km_pfn_zone(&r->guest.os, ev->page.pfn);
    if (z == KM_NR_ZONES || done[z])
        return;
    done[z] = true;
    km_boot_synchronise(r, ev);
}

/* The same events with the same indexes as the replay will see. */
static int scan(struct km_replay *r, struct km_err *err)
{
    struct km_trace *trace = NULL;
    struct km_event ev;
    bool done[KM_NR_ZONES] = {false}, started = r->start_mark == KM_MARK_NONE;
    uint64_t index = 0, limit = r->cfg->workload.limit_events, value;
    const char *rest;
    int rc = km_trace_open(&trace, r->cfg->workload.trace, err);

    if (rc < 0)
        return rc;
    km_objects_set_trace(r->objects, trace);
    while ((!limit || index < limit) && (rc = km_trace_next(trace, &ev, err)) > 0) {
        index++;
        if (!started) {
            started = before_start(r, &ev);
            continue;
        }
        if (ev.cpu >= r->traced_os.p.cpus)
            continue;
        synchronise(r, &ev, done);
        if (ev.type == KM_EV_MARK &&
            km_mark_kind(ev.text.text, &value, &rest) == KM_MARK_SLABINFO)
            km_objects_scan_sample(r->objects, rest, index);
        km_objects_scan_event(r->objects, &ev, index);
    }
    km_trace_close(trace);
    /* A trace cut short is replayed up to the cut; the replay reports it. */
    return rc == KM_E_NOMEM ? rc : KM_OK;
}

/* Low frames that are free now: [pfn], to be freed by the caller. */
static uint8_t *free_frames(struct km_replay *r)
{
    uint8_t *free_now = calloc(r->guest.facts.max_low_pfn, 1);
    km_pfn head;
    unsigned order;

    for (km_pfn p = 1; free_now && p < r->guest.facts.max_low_pfn; p++)
        if (km_pfn_zone(&r->guest.os, p) != KM_NR_ZONES)
            free_now[p] = km_buddy_find(&r->guest.os, r->guest.window.base, p, &head, &order);
    return free_now;
}

/* Scan and start. Boot: what is free before the synchronisation and not after it was taken before
 * the trace. */
static int look_ahead(struct km_replay *r, struct km_err *err)
{
    uint8_t *spare = r->boot && !r->elsewhere ? free_frames(r) : NULL;
    int rc = scan(r, err);

    if (r->elsewhere) {
        km_objects_set_where(r->objects, where, r);
        km_objects_set_spare(r->objects, r->spare);
    }

    if (rc == KM_OK && spare) {
        uint8_t *after = free_frames(r);

        for (km_pfn p = 0; after && p < r->guest.facts.max_low_pfn; p++)
            spare[p] = spare[p] && !after[p];
        if (after)
            km_objects_set_spare(r->objects, spare);
        free(after);
    }
    if (rc == KM_OK)
        rc = km_objects_start(r->objects, &r->guest.os, &r->guest.cpu[0], claimed, r, err);
    km_objects_set_spare(r->objects, NULL);
    free(spare);
    return rc;
}

/* Corrections of events that are left out are left out too. */
static void drop_adjustments(struct km_replay *r)
{
    struct km_adjustments *a = &r->adjust;
    size_t kept = 0;

    for (size_t i = 0; i < a->nr; i++)
        if (a->entry[i].kind == KM_ADJUST_TAKE || !km_objects_drops(r->objects, a->entry[i].of))
            a->entry[kept++] = a->entry[i];
    a->nr = kept;
}

static uint64_t slab_pages(const struct km_slab_layer *l)
{
    return l->stats.slab_pages_alloc - l->stats.slab_pages_free;
}

static int objects_open(struct km_replay *r, struct km_err *err)
{
    static const char *const slab_names[] = {
        [KM_SLAB_SLAB] = "slab", [KM_SLAB_SLOB] = "slob", [KM_SLAB_SLUB] = "slub"};
    struct km_objects_params p = {
        .bundle = r->bundle,
        .page_offset = TRACED_PAGE_OFFSET,
        .max_low_pfn = r->traced_os.p.max_low_pfn,
        .cpus = r->traced_os.p.cpus,
        .boot = r->boot,
        .slab = km_slab_ops_by_name(slab_names[r->cfg->os.slab]),
        .lines = {.hwcache_align = r->cfg->os.hwcache_align,
                  .pad_to_line = r->cfg->os.pad_to_line,
                  .line_bytes = r->cfg->machine.l1d.line_bytes},
        .note_sites = r->cfg->timing == KM_TIMING_FULL,
    };
    int rc;

    if (!p.slab)
        return km_fail(err, KM_E_USAGE, NULL, 0, 0, "os.slab: %s cannot be replayed",
                       slab_names[r->cfg->os.slab]);
    rc = km_pages_open(r, err);
    if (rc == KM_OK)
        rc = km_objects_create(&r->objects, &p, err);
    if (rc == KM_OK)
        rc = look_ahead(r, err);
    if (rc < 0)
        return rc;
    drop_adjustments(r);
    r->sum.slabs.pages_start = r->sum.slabs.pages_max = slab_pages(km_objects_layer(r->objects));
    km_objects_set_trace(r->objects, r->trace);
    return rc;
}

static void measure(struct km_replay *r, const struct km_cpu *cpu, const struct km_event *ev,
                    uint64_t before)
{
    static const char *const api[KM_EV_NR] = {
        [KM_EV_KMALLOC] = "kmalloc",
        [KM_EV_KFREE] = "kfree",
        [KM_EV_KMEM_CACHE_ALLOC] = "kmem_cache_alloc",
        [KM_EV_KMEM_CACHE_FREE] = "kmem_cache_free",
        [KM_EV_SLAB_ALLOC_BULK_RET] = "kmem_cache_alloc_bulk",
        [KM_EV_SLAB_FREE_BULK] = "kmem_cache_free_bulk",
    };

    if (cpu->ops && api[ev->type])
        km_report_latency(r->report, api[ev->type], cpu->id, cpu->local_cycles - before);
}

static void objects_event(struct km_replay *r, struct km_cpu *cpu, const struct km_event *ev)
{
    uint64_t index = r->at[cpu->id].index, before = cpu->local_cycles;
    enum km_objects_result result = km_objects_event(r->objects, cpu, ev, index);

    switch (result) {
    case KM_OBJ_PASS:
        km_replay_pages.event(r, cpu, ev);
        return;
    case KM_OBJ_DROPPED_PAGE_EVENT:
        /* An old slab page the model's slab layer does not own is an ordinary page of the model. */
        if (ev->type == KM_EV_PAGE_FREE && km_page_map_get(&r->map, ev->page.pfn) != KM_PFN_NONE) {
            km_replay_pages.event(r, cpu, ev);
            return;
        }
        km_pages_dropped(r, cpu, ev);
        km_replay_skip(r, KM_SKIP_SLAB_PAGE);
        return;
    case KM_OBJ_APPLIED:
        measure(r, cpu, ev, before);
        r->sum.events_applied++;
        return;
    case KM_OBJ_SKIPPED_FAILED:
        km_replay_skip(r, KM_SKIP_FAILED_ALLOC);
        return;
    case KM_OBJ_SKIPPED_UNKNOWN:
        km_replay_skip(r, KM_SKIP_UNKNOWN_FREE);
        return;
    case KM_OBJ_SKIPPED_INTERNAL:
        km_replay_skip(r, KM_SKIP_SLAB_INTERNAL);
        return;
    default:
        km_replay_skip(r, KM_SKIP_CONFLICT);
        km_report_event(r->report, ev->time_ns, ev->cpu, "alloc_failure",
                        "%s of %u bytes in the model only",
                        km_event_name((enum km_event_type)ev->type), ev->obj.bytes_req);
        return;
    }
}

static void objects_mark(struct km_replay *r, const struct km_event *ev)
{
    uint64_t value;
    const char *rest;
    enum km_mark_kind kind = km_mark_kind(ev->text.text, &value, &rest);

    if (kind == KM_MARK_SLABINFO)
        km_objects_sample(r->objects, r->guest.window.base, rest);
}

static void slabinfo_file(struct km_replay *r)
{
    struct km_slab_layer *l = km_objects_layer(r->objects);
    struct km_proc_cache *row = calloc(l->nr_cache + 1, sizeof(*row));
    unsigned nr = 0;

    for (unsigned i = l->nr_cache; row && i-- > 0;) { /* newest first, as the kernel lists them */
        struct km_kmem_cache *c = &l->cache[i];
        struct km_slabinfo info;

        if (!c->used)
            continue;
        l->p.ops->info(l, r->guest.window.base, c, &info);
        row[nr++] = (struct km_proc_cache){.name = c->name,
                                           .active_objs = info.active_objs,
                                           .num_objs = info.num_objs,
                                           .objsize = info.objsize,
                                           .objs_per_slab = info.objs_per_slab,
                                           .pages_per_slab = info.pages_per_slab,
                                           .active_slabs = info.active_slabs,
                                           .num_slabs = info.num_slabs,
                                           .limit = info.limit,
                                           .batchcount = info.batchcount,
                                           .shared = info.shared,
                                           .shared_avail = info.shared_avail};
    }
    char *text = row ? km_proc_slabinfo(row, nr) : NULL;

    if (text)
        km_report_proc(r->report, false, "slabinfo", text);
    free(text);
    free(row);
}

static void objects_mem_sample(struct km_replay *r)
{
    uint64_t pages = slab_pages(km_objects_layer(r->objects));

    r->sum.slabs.samples++;
    r->sum.slabs.pages_sum += pages;
    if (pages > r->sum.slabs.pages_max)
        r->sum.slabs.pages_max = pages;
}

/* Objects of SLOB's kmalloc belong to no cache; its units are of 2 bytes, headers included. */
static void slab_rows(struct km_replay *r)
{
    struct km_slab_layer *l = km_objects_layer(r->objects);
    struct km_slab_row row[KM_SLAB_MAX_CACHES];
    bool slots = l->p.ops->first_object != NULL;
    uint64_t bytes = slots ? 0 : 2 * l->slob.live_units;
    unsigned nr = 0;

    for (unsigned i = 0; i < l->nr_cache; i++) {
        const struct km_kmem_cache *c = &l->cache[i];
        uint64_t live = c->stats.allocs - c->stats.frees, slabs = c->stats.slabs_created - c->stats.slabs_released;

        if (!c->used)
            continue;
        if (slots)
            bytes += live * c->object_size;
        row[nr++] = (struct km_slab_row){.cache = c->name,
                                         .object_size = c->object_size,
                                         .slot_size = slots ? c->size : 0,
                                         .live = live,
                                         .slots = slabs * c->objects,
                                         .slabs = slabs,
                                         .pages = slabs << c->order};
    }
    r->sum.slabs.live_bytes_end = bytes;
    km_report_slabs(r->report, row, nr);
}

static void memory_summary(struct km_replay *r)
{
    struct km_objects_stats stats;

    km_objects_get_stats(r->objects, &stats);
    r->sum.slabs.valid = true;
    r->sum.slabs.pages_end = slab_pages(km_objects_layer(r->objects));
    if (r->sum.slabs.pages_end > r->sum.slabs.pages_max)
        r->sum.slabs.pages_max = r->sum.slabs.pages_end;
    r->sum.slabs.blocks_requested = stats.model_slab_blocks;
    r->sum.slabs.pages_requested = stats.model_slab_pages;
    slab_rows(r);
}

static void objects_finish(struct km_replay *r)
{
    /* All CPUs are idle: whatever the trace did, the slab layer must be sound. */
    KM_BUG_ON(km_slab_check(km_objects_layer(r->objects), r->guest.window.base) != NULL);
    km_objects_summary(r->objects, &r->sum);
    memory_summary(r);
    if (km_objects_layer(r->objects)->p.ops->first_object) /* there is none under SLOB */
        slabinfo_file(r);
}

static void objects_close(struct km_replay *r)
{
    km_objects_destroy(r->objects);
    r->objects = NULL;
    km_pages_close(r);
}

const struct km_replay_mode_ops km_replay_objects = {.name = "objects",
                                                     .elsewhere = true,
                                                     .wants_shadow = true,
                                                     .open = objects_open,
                                                     .event = objects_event,
                                                     .mark = objects_mark,
                                                     .sample = objects_mem_sample,
                                                     .finish = objects_finish,
                                                     .close = objects_close};
