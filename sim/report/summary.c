/* SPDX-License-Identifier: MIT
 * summary.c - summary.json: one object with everything worth comparing between runs.
 *
 * Keys keep their order. The members whose value depends on the host come last and are listed under
 * "nondeterministic"; without them the file is byte-identical for the same input.
 */
#include "sim/report/redraw.h"
#include "sim/report/report_int.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/resource.h>


static void set_u64(json_t *o, const char *key, uint64_t v)
{
    json_object_set_new(o, key, json_integer((json_int_t)v));
}

static void set_text(json_t *o, const char *key, const char *text)
{
    json_t *s = json_string(text);

    /* a name that is no UTF-8 (any file name may be) must not lose the key */
    json_object_set_new(o, key, s ? s : json_string("(not valid UTF-8)"));
}

static json_t *setup_json(const struct km_config *cfg, const struct km_run_summary *sum)
{
    json_t *o = json_object();

    set_text(o, "machine", cfg->machine.name);
    set_u64(o, "cpus", sum->cpus ? sum->cpus : cfg->machine.cpus);
    set_u64(o, "ram_bytes", sum->ram_bytes ? sum->ram_bytes : cfg->machine.ram_bytes);
    set_u64(o, "clock_hz", cfg->machine.clock_hz);
    set_text(o, "personality", km_config_word("os.personality", (int)cfg->os.personality));
    set_text(o, "slab", km_config_word("os.slab", (int)cfg->os.slab));
    set_text(o, "workload", km_config_word("workload.type", (int)cfg->workload.type));
    if (cfg->workload.type == KM_WL_REPLAY) {
        set_text(o, "mode", km_config_word("replay.mode", (int)cfg->replay.mode));
        set_text(o, "pacing", km_config_word("replay.pacing", (int)cfg->replay.pacing));
    }
    set_text(o, "timing", km_config_word("timing", (int)cfg->timing));
    return o;
}

static json_t *trace_json(const struct km_run_summary *sum)
{
    json_t *o = json_object();

    set_text(o, "path", sum->trace);
    set_text(o, "format", sum->trace_format);
    set_text(o, "kernel", sum->kernel);
    set_u64(o, "lost_events", sum->lost_events);
    return o;
}

static json_t *notable_json(const struct km_report *r)
{
    json_t *o = json_object();

    for (unsigned i = 0; i < r->nr_kinds; i++)
        set_u64(o, r->kind[i].name, r->kind[i].count);
    return o;
}

static json_t *slabs_json(const struct km_run_summary *sum)
{
    json_t *o = json_object();
    double held = (double)sum->slabs.pages_end * KM_PAGE_BYTES;

    set_u64(o, "pages_start", sum->slabs.pages_start);
    set_u64(o, "pages_end", sum->slabs.pages_end);
    set_u64(o, "pages_max", sum->slabs.pages_max);
    json_object_set_new(o, "pages_mean",
                        sum->slabs.samples ? json_real((double)sum->slabs.pages_sum / (double)sum->slabs.samples)
                                           : json_null());
    set_u64(o, "blocks_requested", sum->slabs.blocks_requested);
    set_u64(o, "pages_requested", sum->slabs.pages_requested);
    set_u64(o, "live_bytes_end", sum->slabs.live_bytes_end);
    json_object_set_new(o, "unused_pct_end",
                        held > 0 ? json_real(100.0 * (1.0 - (double)sum->slabs.live_bytes_end / held)) : json_null());
    return o;
}

static json_t *carried_json(const struct km_run_summary *sum)
{
    json_t *o = json_object();

    set_u64(o, "moved_pages", sum->start_moved_pages);
    set_u64(o, "dropped_pages", sum->start_dropped_pages);
    return o;
}

static json_t *skipped_json(const struct km_run_summary *sum)
{
    json_t *o = json_object();

    for (unsigned i = 0; i < sum->nr_skipped; i++)
        set_u64(o, sum->skipped[i].reason, sum->skipped[i].count);
    return o;
}

/* Empty where the traced kernel reclaimed and compacted. */
static json_t *counts_json(const struct km_run_count *row, unsigned nr)
{
    json_t *o = json_object();

    for (unsigned i = 0; i < nr; i++)
        set_u64(o, row[i].name, row[i].count);
    return o;
}

static double per_second(uint64_t n, double seconds)
{
    return seconds > 0 ? (double)n / seconds : 0.0;
}

static json_t *one_dma_json(const struct km_dma_result_row *d, const struct km_hw_stats *hw)
{
    const struct km_dma_stats_hw *b = &d->bus;
    uint64_t accesses = b->reads + b->writes;
    json_t *o = json_object();

    set_u64(o, "accesses", accesses);
    set_u64(o, "bytes", d->data_bytes);
    json_object_set_new(o, "rate_bytes_per_s", json_real(per_second(d->data_bytes, (double)hw->sim_ps / 1e12)));
    json_object_set_new(o, "busy_rate_bytes_per_s", json_real(per_second(d->data_bytes, (double)d->busy_ps / 1e12)));
    set_u64(o, "frames", d->frames);
    set_u64(o, "overruns", d->overruns);
    set_u64(o, "underruns", d->underruns);
    set_u64(o, "missed", d->missed);
    set_u64(o, "interrupts", b->interrupts);
    set_u64(o, "bounced", d->bounced);
    set_u64(o, "bounce_bytes", d->bounce_bytes);
    set_u64(o, "mapping_failures", d->mapping_failures);
    set_u64(o, "snoop_hits", b->snoop_hits);
    set_u64(o, "hitm", b->hitm);
    set_u64(o, "stale_reads", b->stale_reads);
    set_u64(o, "stale_writes", b->stale_writes);
    set_u64(o, "data_mismatches", d->mismatches);
    json_object_set_new(o, "latency_cycles_mean",
                        json_real(accesses ? (double)b->latency_cycles_sum / (double)accesses : 0.0));
    set_u64(o, "latency_cycles_max", b->latency_cycles_max);
    return o;
}

/* Empty without devices. */
static json_t *dma_json(const struct km_run_summary *sum, const struct km_hw_stats *hw)
{
    json_t *o = json_object();

    for (unsigned i = 0; i < sum->nr_dma; i++)
        json_object_set_new(o, sum->dma[i].name, one_dma_json(&sum->dma[i], hw));
    return o;
}

static void add_host_dependent(json_t *root, const struct km_run_summary *sum, uint64_t refs)
{
    static const char *const names[] = {"wall_s",     "read_wall_s",    "events_per_s",
                                        "refs_per_s", "peak_rss_bytes", "rates"};
    double events_per_s = per_second(sum->events, sum->wall_s),
           refs_per_s = per_second(refs, sum->wall_s);
    json_t *list = json_array(), *rates = json_object();
    struct rusage usage = {0};

    for (size_t i = 0; i < KM_ARRAY_LEN(names); i++)
        json_array_append_new(list, json_string(names[i]));
    getrusage(RUSAGE_SELF, &usage);
    json_object_set_new(rates, "events_per_s", json_real(events_per_s));
    json_object_set_new(rates, "refs_per_s", json_real(refs_per_s));
    json_object_set_new(rates, "replay_events_per_s",
                        json_real(per_second(sum->events, sum->replay_wall_s)));
    json_object_set_new(rates, "replay_refs_per_s", json_real(per_second(refs, sum->replay_wall_s)));
    json_object_set_new(rates, "read_events_per_s",
                        json_real(per_second(sum->events, sum->read_wall_s)));
    json_object_set_new(root, "nondeterministic", list);
    json_object_set_new(root, "wall_s", json_real(sum->wall_s));
    json_object_set_new(root, "read_wall_s", json_real(sum->read_wall_s));
    json_object_set_new(root, "events_per_s", json_real(events_per_s));
    json_object_set_new(root, "refs_per_s", json_real(refs_per_s));
    set_u64(root, "peak_rss_bytes", (uint64_t)usage.ru_maxrss * 1024u);
    json_object_set_new(root, "rates", rates);
}

static json_t *vmalloc_json(const struct km_run_summary *sum)
{
    json_t *o = json_object();

    set_u64(o, "areas_start", sum->vmalloc.areas_start);
    set_u64(o, "allocs", sum->vmalloc.allocs);
    set_u64(o, "frees", sum->vmalloc.frees);
    set_u64(o, "failed", sum->vmalloc.failed);
    set_u64(o, "unknown_frees", sum->vmalloc.unknown_frees);
    set_u64(o, "purges", sum->vmalloc.purges);
    set_u64(o, "purged_pages", sum->vmalloc.purged_pages);
    set_u64(o, "pages", sum->vmalloc.pages);
    set_u64(o, "peak_pages", sum->vmalloc.peak_pages);
    return o;
}

json_t *km_summary_json(const struct km_report *r, const struct km_run_summary *sum,
                        const struct km_hw_stats *hw)
{
    json_t *root = json_object();
    uint64_t refs = sum->refs ? sum->refs : hw && hw->valid ? hw->refs : 0;

    set_u64(root, "schema", KM_SUMMARY_SCHEMA);
    set_text(root, "version", KM_VERSION);
    set_text(root, "config", r->cfg.name);
    set_u64(root, "seed", r->cfg.seed);
    json_object_set_new(root, "complete", json_boolean(sum->complete));
    json_object_set_new(root, "setup", setup_json(&r->cfg, sum));
    json_object_set_new(root, "trace", trace_json(sum));
    set_u64(root, "events", sum->events);
    set_u64(root, "events_applied", sum->events_applied);
    json_object_set_new(root, "events_skipped", skipped_json(sum));
    set_u64(root, "notable_events", r->nr_events);
    json_object_set_new(root, "notable", notable_json(r));
    set_u64(root, "refs", refs);
    set_u64(root, "sim_cycles", sum->sim_cycles);
    set_u64(root, "sim_ns", sum->sim_ns);
    if (sum->elsewhere)
        json_object_set_new(root, "carried_over", carried_json(sum));
    json_object_set_new(root, "truth", km_truth_json(&r->truth, sum));
    json_object_set_new(root, "reclaim", counts_json(sum->reclaim, sum->nr_reclaim));
    json_object_set_new(root, "compaction", counts_json(sum->compaction, sum->nr_compaction));
    json_object_set_new(root, "fragmentation", km_fragmentation_json(&r->frag));
    if (sum->slabs.valid)
        json_object_set_new(root, "slabs", slabs_json(sum));
    if (sum->vmalloc.valid)
        json_object_set_new(root, "vmalloc", vmalloc_json(sum));
    json_object_set_new(root, "latency", km_latency_json(&r->latency));
    json_object_set_new(root, "false_sharing", km_false_sharing_json(&r->sharing, hw));
    json_object_set_new(root, "cache", km_hw_cache_json(hw));
    json_object_set_new(root, "tlb", km_hw_tlb_json(hw));
    json_object_set_new(root, "bus", km_hw_bus_json(hw));
    json_object_set_new(root, "dram", km_hw_dram_json(hw));
    json_object_set_new(root, "dma", dma_json(sum, hw));
    add_host_dependent(root, sum, refs);
    return root;
}

int km_summary_write(struct km_outdir *d, json_t *root)
{
    char *text = json_dumps(root, JSON_INDENT(2) | JSON_PRESERVE_ORDER | JSON_REAL_PRECISION(12));
    struct km_out o;

    if (!text)
        return km_outdir_fail(d, "summary.json", ENOMEM);
    if (!km_out_open(&o, d, "summary.json")) {
        free(text);
        return KM_E_IO;
    }
    fprintf(o.f, "%s\n", text);
    km_out_check(&o);
    free(text);
    return km_out_commit(&o);
}
