/* SPDX-License-Identifier: MIT
 * replay.c - reads the trace, builds the start, hands every event to the mode, keeps score, writes the report.
 *
 * The trace is one stream in a fixed order (program.h): each event runs on the CPU it was recorded on. With
 * timing off the loop here calls it in order; with timing on the machine does, and an event waits for its
 * time stamp (pacing: timestamps) or only for its CPU (back-to-back).
 */
#include "sim/workload/mapped.h"
#include "sim/workload/objects.h"
#include "sim/workload/owner.h"
#include "sim/workload/reclaim_model.h"
#include "sim/workload/replay.h"
#include "sim/workload/resync.h"
#include "sim/workload/trace_out.h"

#include "models/os/buddy.h"
#include "models/os/pcp.h"
#include "models/os/pgtable.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const struct km_replay_mode_ops *const modes[] = {
    [KM_REPLAY_ORACLE] = &km_replay_oracle,
    [KM_REPLAY_BUDDY] = &km_replay_buddy,
    [KM_REPLAY_PAGES] = &km_replay_pages,
    [KM_REPLAY_OBJECTS] = &km_replay_objects,
};

static const char *const skip_names[KM_SKIP_NR] = {
    [KM_SKIP_BEFORE_START] = "before_start_snapshot", [KM_SKIP_NOT_MODELLED] = "not_used_by_mode",
    [KM_SKIP_FAILED_ALLOC] = "failed_allocation",     [KM_SKIP_UNKNOWN_FREE] = "free_of_unknown",
    [KM_SKIP_DOUBLE_ALLOC] = "silent_free_inferred",  [KM_SKIP_OUT_OF_RANGE] = "out_of_range",
    [KM_SKIP_CONFLICT] = "conflict",
    [KM_SKIP_SLAB_PAGE] = "slab_page_of_traced_kernel",
    [KM_SKIP_SLAB_INTERNAL] = "slab_internal_object",
    [KM_SKIP_RECLAIMED] = "reclaimed_at_another_time",
    [KM_SKIP_KILLED] = "task_killed_by_model",
};

static void diverged(struct km_replay *r, const struct km_event *ev, km_pfn model)
{
    if (r->sum.first_divergence_ns)
        return;
    r->sum.first_divergence_ns = ev->time_ns ? ev->time_ns : 1;
    snprintf(r->sum.first_divergence, sizeof(r->sum.first_divergence),
             "event %llu (%s, cpu %u, %s): order %u type %d: the kernel took frame %#x, the model %#x",
             (unsigned long long)r->at[ev->cpu].index, km_event_name((enum km_event_type)ev->type), ev->cpu,
             km_trace_string(r->trace, ev->comm), ev->page.order, ev->page.migratetype, ev->page.pfn, model);
}

void km_replay_buddy_agreement(struct km_replay *r, const struct km_event *ev, km_pfn model)
{
    r->sum.buddy_events++;
    if (model == ev->page.pfn)
        r->sum.buddy_agree++;
    else
        diverged(r, ev, model);
}

void km_replay_pfn_agreement(struct km_replay *r, const struct km_event *ev, km_pfn model)
{
    if (r->elsewhere) /* another machine has other frames to give */
        return;
    r->sum.pfn_events++;
    if (model == ev->page.pfn)
        r->sum.pfn_agree++;
    else
        diverged(r, ev, model);
}

bool km_replay_past_start(struct km_replay *r, const struct km_event *ev)
{
    uint64_t value;
    const char *rest;

    if (r->start_mark == KM_MARK_NONE || r->started)
        return true;
    if (ev->type == KM_EV_MARK && km_mark_kind(ev->text.text, &value, &rest) == r->start_mark)
        r->started = true;
    km_replay_skip(r, KM_SKIP_BEFORE_START);
    return false;
}

bool km_replay_stopped(const struct km_replay *r)
{
    return r->stop && *r->stop;
}

static bool within_limit(const struct km_replay *r)
{
    return !r->cfg->workload.limit_events || r->index < r->cfg->workload.limit_events;
}

/* Reads until the head is an event to deliver. */
static bool fetch(struct km_replay *r)
{
    while (!r->have_head && r->status >= 0 && within_limit(r)) {
        int rc = km_trace_next(r->trace, &r->head, &r->err);

        if (rc <= 0) {
            r->status = rc < 0 ? rc : 0;
            return false;
        }
        r->index++;
        if (!km_replay_past_start(r, &r->head)) {
            km_replay_trace_early(r, &r->head);
            continue;
        }
        if (r->head.cpu >= r->traced_os.p.cpus) {
            km_replay_skip(r, KM_SKIP_OUT_OF_RANGE);
            continue;
        }
        if (!r->have_time) {
            r->have_time = true;
            r->start_ns = r->head.time_ns;
        }
        r->have_head = true;
    }
    return r->have_head;
}

static bool program_peek(void *ctx, unsigned *cpu, uint64_t *due_ns)
{
    struct km_replay *r = ctx;

    if (km_replay_stopped(r) || km_report_failed(r->report) || !fetch(r))
        return false;
    *cpu = r->head.cpu % r->guest.os.p.cpus;
    *due_ns = r->cfg->replay.pacing == KM_PACE_TIMESTAMPS && r->head.time_ns > r->start_ns
                  ? r->head.time_ns - r->start_ns
                  : 0;
    return true;
}

static void note_event(struct km_replay *r, const struct km_event *ev)
{
    switch (ev->type) {
    case KM_EV_PAGE_ALLOC_EXTFRAG:
        km_report_event(r->report, ev->time_ns, ev->cpu, "extfrag",
                        "traced: frame %#x order %u type %d from order %u type %d", ev->extfrag.pfn,
                        ev->extfrag.alloc_order, ev->extfrag.alloc_migratetype, ev->extfrag.fallback_order,
                        ev->extfrag.fallback_migratetype);
        break;
    case KM_EV_KSWAPD_WAKE:
        km_report_event(r->report, ev->time_ns, ev->cpu, "kswapd_wake", "traced: order %u", ev->reclaim.order);
        break;
    case KM_EV_DIRECT_RECLAIM_BEGIN:
        km_report_event(r->report, ev->time_ns, ev->cpu, "direct_reclaim", "traced: order %u gfp %#x",
                        ev->reclaim.order, ev->reclaim.gfp);
        break;
    case KM_EV_COMPACTION_BEGIN:
        km_report_event(r->report, ev->time_ns, ev->cpu, "compaction", "traced: zone at frame %#x",
                        ev->compaction.zone_start);
        break;
    case KM_EV_OOM:
        km_report_event(r->report, ev->time_ns, ev->cpu, "oom", "traced: %s", km_trace_string(r->trace, ev->text.name));
        break;
    case KM_EV_LOST:
        km_report_event(r->report, ev->time_ns, ev->cpu, "lost_events", "%llu events lost by the tracer",
                        (unsigned long long)ev->lost.nr);
        break;
    default:
        break;
    }
}

enum km_zone_id km_replay_zone(const struct km_replay *r, km_pfn traced)
{
    int z = km_pfn_zone(&r->traced_os, traced);

    if (z == KM_NR_ZONES)
        return KM_NR_ZONES;
    while (z > 0 && !km_zone_populated(&r->guest.os.zone[z]))
        z--;
    return (enum km_zone_id)z;
}

static void program_run(void *ctx, struct km_cpu *cpu, uint64_t now_ns)
{
    struct km_replay *r = ctx;
    struct km_event ev = r->head;

    (void)now_ns;
    r->have_head = false;
    r->at[cpu->id].index = r->index;
    r->at[cpu->id].time_ns = r->now_ns = ev.time_ns;
    km_samples_time(r, ev.time_ns);
    km_replay_trace_event(r, &ev);
    if (ev.type == KM_EV_MARK) {
        km_samples_mark(r, &ev);
        if (r->mode->mark)
            r->mode->mark(r, &ev);
        return;
    }
    note_event(r, &ev);
    km_pcp_busy_event(&r->busy, &ev, r->at[cpu->id].index);
    km_replay_isolate(r, cpu, &ev, r->at[cpu->id].index);
    km_live_objects_event(r, &ev);
    uint64_t before = cpu->local_cycles;

    r->running++;
    r->mode->event(r, cpu, &ev);
    r->running--;
    if (cpu->ops)
        km_live_objects_cost(r, &ev, cpu->local_cycles - before);
    km_replay_check_event(r);
    km_progress_update(&r->progress, r->index, km_trace_info(r->trace)->position, ev.time_ns - r->start_ns);
}

/* The simulated kernel's own notable tracepoints. */
static void on_tracepoint(void *ctx, const struct km_cpu *cpu, const struct km_tp *tp)
{
    struct km_replay *r = ctx;

    km_vm_count(&r->vm_events, &r->guest.os, tp);
    km_replay_trace_tp(r, cpu, tp);
    km_reclaim_model_tp(r, cpu, tp);
    km_resync_tp(r, cpu, tp);
    if (tp->kind == KM_TP_EXTFRAG) {
        km_report_event(r->report, r->at[cpu->id].time_ns, cpu->id, "extfrag_model",
                        "frame %#x order %u type %u from order %u type %u", tp->pfn, tp->order, tp->migratetype,
                        tp->fallback_order, tp->fallback_migratetype);
        if (tp->fallback_order < r->guest.os.p.pageblock_order && r->pages)
            km_replay_boosted(r, r->at[cpu->id].time_ns);
    }
}

/* Modes that follow the trace's own page frames know no other memory. */
static int can_be_elsewhere(const struct km_replay *r, bool same_memory, struct km_err *err)
{
    if (!r->mode->elsewhere && !same_memory)
        return km_fail(err, KM_E_USAGE, NULL, 0, 0,
                       "replay.mode: %s replays the traced machine's page frames: other memory (machine.ram, paging, split, "
                       "os.e820, os.lowmem_limit, os.pageblock_order) needs mode pages or objects",
                       r->mode->name);
    if (r->cfg->replay.resync)
        return km_fail(err, KM_E_USAGE, NULL, 0, 0,
                       "replay.resync: page frames of the traced machine mean nothing on another one");
    return KM_OK;
}

/* What a replay does without if the trace lacks events that show the buddy lists. */
static void warn_unrecorded(const struct km_replay *r, const char *path)
{
    bool carvings = r->hidden.carvings_recorded, drains = r->hidden.drains_recorded;
    bool literal = r->cfg->replay.mode == KM_REPLAY_ORACLE || r->cfg->replay.mode == KM_REPLAY_BUDDY;

    if (!carvings || !drains)
        km_warn("%s: no %s events: silent allocations are not looked for%s", path,
                carvings ? "mm_page_pcpu_drain"
                : drains ? "mm_page_alloc_zone_locked"
                         : "mm_page_alloc_zone_locked and mm_page_pcpu_drain",
                literal ? ", and this mode cannot follow the free lists" : "");
}

static int build_start(struct km_replay *r, const char *path, struct km_err *err)
{
    const struct km_bundle *b = r->bundle;
    struct km_trace_extent extent = {0};
    int rc;

    if (!b || !b->nr_e820 || !b->cpus)
        rc = km_trace_extent(path, &extent, err);
    else
        rc = KM_OK;
    if (rc < 0)
        return rc;
    struct km_machine_facts facts;

    rc = km_guest_traced_facts(&facts, r->cfg, b, &extent, err);
    if (rc == KM_OK)
        rc = km_guest_facts(&r->facts, r->cfg, b, &extent, err);
    if (rc < 0)
        return rc;
    bool same_memory = km_machine_memory_equal(&facts, &r->facts);

    r->elsewhere = !same_memory || facts.cpus != r->facts.cpus;
    if (r->elsewhere && (rc = can_be_elsewhere(r, same_memory, err)) < 0)
        return rc;
    rc = km_guest_open(&r->guest, &facts, err);
    if (rc == KM_OK && km_page_map_init(&r->map, facts.max_pfn) < 0)
        rc = km_fail(err, KM_E_NOMEM, NULL, 0, 0, "out of memory for %u page frames", facts.max_pfn);
    if (rc < 0)
        return rc;
    rc = km_check_snapshot(r, path, err);
    if (rc < 0)
        return rc;
    if (r->cfg->replay.lookahead) {
        rc = km_hidden_find(&r->hidden, path, b, facts.max_pfn, err);
        if (rc < 0)
            return rc;
        r->busy.hidden = &r->hidden;
        warn_unrecorded(r, path);
    }
    bool boot = b && b->boot && b->nr_memblock;

    rc = boot ? km_start_boot(r, err) : km_start_running(r, path, err);
    r->traced_os = r->guest.os;
    return rc == KM_OK && boot ? km_hidden_compaction(&r->hidden, path, b, &r->traced_os, err) : rc;
}

static void run_untimed(struct km_replay *r, const struct km_program *program)
{
    unsigned cpu;
    uint64_t due_ns;

    while (program->peek(program->ctx, &cpu, &due_ns))
        program->run(program->ctx, &r->guest.cpu[cpu], due_ns);
}

static int run_timed(struct km_replay *r, const struct km_program *program, const struct km_engine_ops *engine,
                     struct km_err *err)
{
    struct km_config cfg = *r->cfg;
    void *machine = NULL;
    km_paddr cr3;

    cfg.machine.cpus = r->guest.os.p.cpus;
    cfg.machine.ram_bytes = r->guest.window.ram_bytes;
    cfg.machine.paging = r->guest.facts.pae ? KM_PAGING_PAE : KM_PAGING_2LEVEL;
    int rc = km_replay_page_tables(r, &cr3, err);

    if (rc == KM_OK)
        rc = engine->create(&machine, &cfg, &r->guest.window, err);
    if (rc < 0)
        return rc;
    engine->set_cr3(machine, cr3);
    engine->set_probe(machine, km_report_probe(r->report));
    rc = engine->run(machine, program, err);
    engine->stats(machine, &r->hw);
    r->machine = machine;
    r->engine = engine;
    r->sum.sim_cycles = r->hw.cycles;
    r->sum.refs = r->hw.refs;
    return rc;
}

static double seconds(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void summarise(struct km_replay *r, double replay_begun)
{
    const struct km_trace_info *info = km_trace_info(r->trace);

    r->sum.complete = r->status >= 0 && !km_replay_stopped(r);
    r->sum.elsewhere = r->elsewhere;
    r->sum.cpus = r->guest.os.p.cpus;
    r->sum.ram_bytes = r->cfg->machine.ram_bytes ? r->cfg->machine.ram_bytes : r->guest.window.ram_bytes;
    r->sum.silent_pages_inferred = r->adjust.silent_pages;
    r->sum.early_allocations_inferred = r->adjust.early_allocations;
    r->sum.missed_frees_inferred = r->hidden.missed.nr;
    r->sum.isolated_pages_inferred = r->isolated_pages;
    r->sum.events = r->index;
    r->sum.lost_events = info->lost_events;
    r->sum.wall_s = seconds() - r->begun_s;
    r->sum.replay_wall_s = seconds() - replay_begun;
    r->sum.sim_ns = r->hw.valid ? r->hw.sim_ps / 1000 : r->now_ns - r->start_ns;
    snprintf(r->sum.trace, sizeof(r->sum.trace), "%s", r->cfg->workload.trace);
    snprintf(r->sum.trace_format, sizeof(r->sum.trace_format), "%s", info->format);
    if (r->bundle)
        snprintf(r->sum.kernel, sizeof(r->sum.kernel), "%s", r->bundle->version);
    for (unsigned i = 0; i < KM_SKIP_NR; i++) {
        r->sum.skipped[i].reason = skip_names[i];
        r->sum.skipped[i].count = r->skipped[i];
    }
    r->sum.nr_skipped = KM_SKIP_NR;
    km_reclaim_model_summary(r, &r->sum);
}

static int open_trace(struct km_replay *r, const char *path, struct km_err *err)
{
    int rc = km_trace_open(&r->trace, path, err);

    if (rc < 0)
        return rc;
    const struct km_trace_info *info = km_trace_info(r->trace);

    if (info->hashed_pointers)
        km_warn("%s: pointers look hashed (boot with no_hash_pointers): page frames are used, objects cannot be "
                "told apart",
                path);
    if (info->long_bits == 64)
        km_warn("%s: recorded on a 64-bit kernel: replayed with this machine's 32-bit zones and structures", path);
    return KM_OK;
}

/* What the run is worth: the error that ended it early, or KM_OK. */
static int outcome(const struct km_replay *r, const char *dir, struct km_err *err)
{
    if (r->status < 0) {
        if (err)
            *err = r->err;
        return r->status;
    }
    if (km_replay_stopped(r))
        return km_fail(err, KM_E_INPUT, NULL, 0, 0,
                       "interrupted (%s) after event %llu: the results in %s end there (\"complete\": false)",
                       strsignal((int)*r->stop), (unsigned long long)r->index, dir);
    return KM_OK;
}

static int nothing_replayed(const struct km_replay *r, struct km_err *err)
{
    if (km_replay_stopped(r))
        return km_fail(err, KM_E_INPUT, NULL, 0, 0, "interrupted (%s) before the first event was replayed",
                       strsignal((int)*r->stop));
    if (r->status < 0) {
        if (err)
            *err = r->err;
        return r->status;
    }
    return km_fail(err, KM_E_INPUT, r->cfg->workload.trace, 0, 0, "no events to replay%s",
                   r->cfg->workload.limit_events ? " among the first workload.limit ones" : "");
}

static bool line_owner(void *ctx, km_paddr pa, struct km_line_owner *out)
{
    const struct km_replay *r = ctx;
    const struct km_os *os = &r->guest.os;
    km_pfn pfn = (km_pfn)(pa >> KM_PAGE_SHIFT);
    km_vaddr va = km_pfn_is_low(os, pfn)
                      ? km_pfn_to_va(os, pfn) + (km_vaddr)(pa & (KM_PAGE_BYTES - 1))
                      : 0;

    if (r->objects && va &&
        km_objects_owner(r->objects, r->guest.window.base, va, r->cfg->machine.l1d.line_bytes, out))
        return true;
    return km_owner(os, pa, out->name, sizeof(out->name), &out->offset);
}

static int run(struct km_replay *r, const struct km_run_options *opt, struct km_err *err)
{
    const struct km_program program = {.ctx = r, .peek = program_peek, .run = program_run};
    km_progress_start(&r->progress, opt->quiet, "events", 0);
    bool timed = r->cfg->timing == KM_TIMING_FULL && opt->engine;

    if (r->mode->wants_shadow && r->cfg->replay.lookahead && r->hidden.carvings_recorded &&
        r->hidden.drains_recorded) {
        int rc = km_shadow_run(r, r->cfg->workload.trace, err);

        if (rc < 0)
            return rc;
    }
    if (r->elsewhere) {
        int rc = km_start_carry(r, &r->facts, err);

        if (rc < 0)
            return rc;
    }
    if (r->mode->open) {
        int rc = r->mode->open(r, err);

        if (rc < 0)
            return rc;
    }
    if (r->mode->elsewhere) { /* modes that know no addresses of their own have no use for it */
        int rc = km_mapped_open(r, err);

        if (rc < 0)
            return rc;
    }
    r->guest.os.tracer.emit = on_tracepoint;
    r->guest.os.tracer.ctx = r;
    km_replay_proc(r, true);
    double replay_begun = seconds();
    int rc = KM_OK;

    if (timed)
        rc = run_timed(r, &program, opt->engine, err);
    else
        run_untimed(r, &program);
    summarise(r, replay_begun);
    if (rc < 0)
        return rc;
    if (!r->have_time)
        return nothing_replayed(r, err);
    if (r->skipped[KM_SKIP_OUT_OF_RANGE])
        km_warn("%s: %llu of %llu events left out: they name CPUs or page frames this machine does not have",
                r->cfg->workload.trace, (unsigned long long)r->skipped[KM_SKIP_OUT_OF_RANGE],
                (unsigned long long)r->index);
    if (r->check_period)
        km_replay_check(r);
    km_replay_proc(r, false);
    if (r->mode->finish)
        r->mode->finish(r);
    km_live_objects_finish(r);
    km_mapped_finish(r);
    if (r->sum.lost_events)
        km_warn("%s: %llu events were lost by the tracer: what they said about free lists is missing",
                r->cfg->workload.trace, (unsigned long long)r->sum.lost_events);
    if (km_trace_info(r->trace)->unparsed_lines)
        km_warn("%s: %llu lines are no events and were passed over", r->cfg->workload.trace,
                (unsigned long long)km_trace_info(r->trace)->unparsed_lines);
    km_report_set_owner(r->report, line_owner, r);
    rc = km_report_finish(r->report, &r->sum, r->hw.valid ? &r->hw : NULL, err);
    return rc < 0 ? rc : outcome(r, opt->out_dir, err);
}

static void release(struct km_replay *r)
{
    if (r->mode && r->mode->close)
        r->mode->close(r);
    if (r->machine)
        r->engine->destroy(r->machine);
    if (r->report)
        km_report_close(r->report);
    km_trace_close(r->trace);
    km_page_map_release(&r->map);
    km_adjustments_release(&r->adjust);
    km_compact_close(r);
    km_hidden_release(&r->hidden);
    free(r->guessed);
    free(r->spare);
    km_guest_release(&r->guest);
    km_live_objects_release(r);
    km_mapped_close(r);
    km_replay_trace_close(r);
    if (r->bundle) {
        km_bundle_release(r->bundle);
        free(r->bundle);
    }
    km_progress_end(&r->progress);
    free(r);
}

int km_replay_run(const struct km_config *cfg, const struct km_run_options *opt, struct km_err *err)
{
    struct km_replay *r = calloc(1, sizeof(*r));
    const char *path = cfg->workload.trace;
    int rc;

    if (!r)
        return km_fail(err, KM_E_NOMEM, NULL, 0, 0, "out of memory");
    r->cfg = cfg;
    r->begun_s = seconds();
    r->stop = opt->stop;
    r->check_period = r->check_in = km_replay_check_period(r);
    r->kswapd.boost_clear_ns = KM_NEVER;
    r->guest.window.memfd = -1;
    r->mode = modes[cfg->replay.mode];
    rc = open_trace(r, path, err);
    if (rc == KM_OK && km_bundle_probe(path)) {
        r->bundle = calloc(1, sizeof(*r->bundle));
        rc = r->bundle ? km_bundle_read(r->bundle, path, err) : km_fail(err, KM_E_NOMEM, NULL, 0, 0, "out of memory");
    }
    if (rc == KM_OK)
        rc = build_start(r, path, err);
    if (rc == KM_OK)
        rc = km_report_open(&r->report, opt->out_dir, cfg, opt->force, err);
    if (rc == KM_OK)
        rc = km_replay_trace_open(r, err);
    if (rc == KM_OK)
        rc = run(r, opt, err);
    release(r);
    return rc;
}
