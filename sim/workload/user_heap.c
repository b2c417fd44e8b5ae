/* SPDX-License-Identifier: MIT
 * user_heap.c - see user_heap.h.
 */
#include "sim/workload/user_heap.h"

#include "models/base/bits.h"
#include "models/base/bug.h"
#include "models/os/buddy.h"
#include "models/os/pcp.h"
#include "models/os/pgtable.h"
#include "models/os/user_malloc.h"
#include "models/os/zone.h"
#include "sim/base/progress.h"
#include "sim/report/report.h"
#include "sim/trace/mtrace.h"
#include "sim/workload/bare.h"
#include "sim/workload/ptr_map.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define END_BSS 0x0804c000u        /* of a small program linked at 0x08048000 */
#define MAX_SAMPLES 1024u
#define CHECK_CALLS 4096u

struct sample {
    uint64_t calls, sim_ns, live_bytes, heap_bytes, mapped_bytes, rss_pages, table_pages;
};

struct user_heap {
    const struct km_config *cfg;
    const struct km_run_options *opt;
    struct km_guest guest;
    struct km_user_sys sys;
    struct km_user_mm mm;
    struct km_user_heap heap;
    struct km_mtrace *trace;
    struct km_mtrace_event head;
    bool have_head, exited;
    int status; /* of the trace reader */
    struct km_err err, map_err;
    struct km_ptr_map blocks;
    struct km_report *report;
    struct km_run_summary sum;
    struct km_hw_stats hw;
    struct km_progress progress;
    void *machine;
    uint64_t now_ns, calls, unknown_free, unknown_realloc, failed_in_trace, too_large;
    uint64_t live_bytes, peak_live_bytes, peak_heap_bytes, start_free_pages;
    struct km_user_heap_info info_at_peak, info_at_end;
    uint64_t info_calls, info_live; /* when info_at_peak was taken */
    uint64_t end_rss_pages, end_vm_pages, frames_left;
    struct sample sample[MAX_SAMPLES];
    unsigned nr_samples;
    uint64_t sample_every;
    double begun;
};

static double seconds(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void hook_map(void *ctx, km_vaddr va, km_pfn pfn, uint32_t pages)
{
    struct user_heap *u = ctx;

    if (!u->map_err.code)
        km_window_map(&u->guest.window, va, pfn, pages, &u->map_err);
}

static void hook_unmap(void *ctx, km_vaddr va, uint32_t pages)
{
    struct user_heap *u = ctx;

    if (!u->map_err.code)
        km_window_unmap(&u->guest.window, va, pages, &u->map_err);
}

static void on_misuse(void *ctx, const struct km_misuse *m)
{
    struct user_heap *u = ctx;

    km_report_event(u->report, u->now_ns, 0, "heap_misuse", "%s, pointer 0x%08x, line %" PRIu64, m->message,
                    m->ptr, u->head.line);
}

static uint64_t free_pages(const struct user_heap *u)
{
    const struct km_os *os = &u->guest.os;
    uint64_t n = 0;

    for (unsigned z = 0; z < KM_NR_ZONES; z++) {
        if (os->zone[z].start_pfn == os->zone[z].end_pfn)
            continue;
        n += km_peek32(u->guest.window.base, os->zone[z].va + KM_ZONE_NR_FREE_PAGES);
        for (unsigned c = 0; c < os->p.cpus; c++)
            n += km_pcp_count(os, u->guest.window.base, (enum km_zone_id)z, c);
    }
    return n;
}

/* ---- the machine ------------------------------------------------------------------------------ */

static int exec_process(struct user_heap *u, struct km_err *err)
{
    struct km_guest *g = &u->guest;
    struct km_cpu *cpu = &g->cpu[0];
    struct km_pgtable pt;
    int rc = km_bare_page_tables(g, &pt, err);

    if (rc)
        return rc;
    const struct km_user_params params = {
        .pae = g->facts.pae,
        .end_bss = END_BSS,
        .rlimit_stack = 8u << 20,
        .rlimit_data = KM_RLIM_INFINITY,
        .rlimit_as = KM_RLIM_INFINITY,
        .seed = u->cfg->seed,
        .kernel_root = pt.root,
        .hook = {hook_map, hook_unmap, u},
    };
    const struct km_user_heap_params heap = {.cores = g->os.p.cpus, .misuse = on_misuse, .ctx = u};

    if (!km_user_sys_init(&u->sys, &g->os, cpu) || !km_user_mm_init(&u->mm, &u->sys, cpu, &params) ||
        !km_user_heap_init(&u->heap, &u->mm, cpu, &heap))
        return km_fail(err, KM_E_USAGE, NULL, 0, 0, "machine.ram: no memory left for a process");
    return KM_OK;
}

/* ---- samples ---------------------------------------------------------------------------------- */

static void take_sample(struct user_heap *u)
{
    const uint8_t *w = u->guest.window.base;

    if (u->nr_samples == MAX_SAMPLES) { /* keep every second one */
        for (unsigned i = 0; i < MAX_SAMPLES / 2; i++)
            u->sample[i] = u->sample[2 * i + 1];
        u->nr_samples /= 2;
        u->sample_every *= 2;
        if (u->calls % u->sample_every)
            return;
    }
    u->sample[u->nr_samples++] = (struct sample){
        .calls = u->calls,
        .sim_ns = u->now_ns,
        .live_bytes = u->live_bytes,
        .heap_bytes = km_user_brk_now(&u->mm, w) - u->mm.start_brk,
        .mapped_bytes = u->heap.mmapped_bytes,
        .rss_pages = km_user_rss_pages(&u->mm, w),
        .table_pages = u->mm.stats.table_pages_allocated - u->mm.stats.table_pages_freed,
    };
}

static void report_zones(struct user_heap *u)
{
    const struct km_os *os = &u->guest.os;

    for (unsigned z = 0; z < KM_NR_ZONES; z++) {
        uint64_t counts[KM_NR_ORDERS], types[KM_MT_NR][KM_NR_ORDERS];

        if (os->zone[z].start_pfn == os->zone[z].end_pfn)
            continue;
        km_buddy_count(os, u->guest.window.base, (enum km_zone_id)z, counts, types);
        km_report_buddyinfo(u->report, u->now_ns, 0, os->zone[z].name, counts);
    }
}

/* ---- one call --------------------------------------------------------------------------------- */

static void note_live(struct user_heap *u, int64_t change)
{
    uint64_t heap = km_user_brk_now(&u->mm, u->guest.window.base) - u->mm.start_brk + u->heap.mmapped_bytes;

    u->live_bytes += (uint64_t)change;
    if (heap > u->peak_heap_bytes)
        u->peak_heap_bytes = heap;
    if (u->live_bytes > u->peak_live_bytes)
        u->peak_live_bytes = u->live_bytes;
}

/* The program fills its block. */
static void write_block(struct user_heap *u, struct km_cpu *cpu, km_vaddr va, uint32_t bytes)
{
    uint64_t before = cpu->local_cycles;

    if (va && bytes)
        km_user_memset(&u->mm, cpu, va, 0x5a, bytes);
    km_report_latency(u->report, "first_write", cpu->id, cpu->local_cycles - before);
}

static void remember(struct user_heap *u, uint64_t ptr, km_vaddr va, uint32_t bytes)
{
    struct km_ptr_block *b = km_ptr_map_put(&u->blocks, ptr);

    if (!b) {
        u->status = km_fail(&u->err, KM_E_NOMEM, NULL, 0, 0, "no memory for the table of live blocks");
        return;
    }
    if (va && b->va && !b->freed) /* its free was not recorded */
        note_live(u, -(int64_t)b->bytes);
    *b = (struct km_ptr_block){.ptr = ptr, .va = va, .bytes = bytes, .freed = !va};
    if (va)
        note_live(u, bytes);
    else
        km_report_event(u->report, u->now_ns, 0, "alloc_failure", "malloc of %u bytes", bytes);
}

static void do_alloc(struct user_heap *u, struct km_cpu *cpu, const struct km_mtrace_event *ev)
{
    uint64_t before = cpu->local_cycles;
    km_vaddr va = km_user_malloc(&u->heap, cpu, 0, (uint32_t)ev->bytes);

    km_report_latency(u->report, "malloc", cpu->id, cpu->local_cycles - before);
    write_block(u, cpu, va, (uint32_t)ev->bytes);
    remember(u, ev->ptr, va, (uint32_t)ev->bytes);
}

static void do_free(struct user_heap *u, struct km_cpu *cpu, const struct km_mtrace_event *ev)
{
    struct km_ptr_block *b = km_ptr_map_find(&u->blocks, ev->ptr);
    uint64_t before = cpu->local_cycles;

    if (!b || !b->va) {
        u->unknown_free++;
        return;
    }
    km_user_free(&u->heap, cpu, 0, b->va);
    km_report_latency(u->report, "free", cpu->id, cpu->local_cycles - before);
    if (!b->freed)
        note_live(u, -(int64_t)b->bytes);
    b->freed = true;
}

static void do_realloc(struct user_heap *u, struct km_cpu *cpu, const struct km_mtrace_event *ev)
{
    struct km_ptr_block *b = km_ptr_map_find(&u->blocks, ev->old_ptr);
    uint64_t before = cpu->local_cycles;
    km_vaddr va;

    if (!b || !b->va) {
        u->unknown_realloc++;
        do_alloc(u, cpu, ev);
        return;
    }
    uint32_t old = b->bytes, bytes = (uint32_t)ev->bytes;

    va = km_user_realloc(&u->heap, cpu, 0, b->va, bytes);
    km_report_latency(u->report, "realloc", cpu->id, cpu->local_cycles - before);
    if (!va)
        return;
    if (bytes > old)
        write_block(u, cpu, va + old, bytes - old);
    if (!b->freed)
        note_live(u, -(int64_t)old);
    b->freed = true;
    remember(u, ev->ptr, va, bytes);
}

static void replay_call(struct user_heap *u, struct km_cpu *cpu, const struct km_mtrace_event *ev)
{
    if (ev->failed) {
        u->failed_in_trace++;
        return;
    }
    if (ev->bytes > INT32_MAX) { /* no 32-bit program can have it */
        u->too_large++;
        return;
    }
    u->sum.events_applied++;
    if (ev->op == KM_MTRACE_ALLOC)
        do_alloc(u, cpu, ev);
    else if (ev->op == KM_MTRACE_FREE)
        do_free(u, cpu, ev);
    else
        do_realloc(u, cpu, ev);
}

static void check(const struct user_heap *u)
{
    const char *wrong = km_user_mm_check(&u->mm, u->guest.window.base);
    char text[160];

    if (!wrong && !u->mm.killed && !u->sum.nr_skipped)
        wrong = km_user_heap_check(&u->heap, u->guest.window.base);
    if (!wrong)
        return;
    snprintf(text, sizeof(text), "user heap, line %" PRIu64 " of the record: %s", u->head.line, wrong);
    km_bug(__FILE__, __LINE__, text);
}

/* ---- the program ------------------------------------------------------------------------------ */

static void read_ahead(struct user_heap *u)
{
    int rc = km_mtrace_next(u->trace, &u->head, &u->err);

    u->have_head = rc > 0;
    if (rc < 0)
        u->status = rc;
}

static bool over(const struct user_heap *u)
{
    return !u->have_head || u->status < 0 || u->mm.killed || u->map_err.code ||
           (u->opt->stop && *u->opt->stop) ||
           (u->cfg->workload.limit_events && u->calls >= u->cfg->workload.limit_events);
}

static bool program_peek(void *ctx, unsigned *cpu, uint64_t *due_ns)
{
    const struct user_heap *u = ctx;

    *cpu = 0;
    *due_ns = 0;
    return !u->exited;
}

static void end_process(struct user_heap *u, struct km_cpu *cpu)
{
    uint64_t before = cpu->local_cycles;

    check(u);
    if (!u->mm.killed)
        km_user_heap_info(&u->heap, u->guest.window.base, &u->info_at_end);
    u->end_rss_pages = km_user_rss_pages(&u->mm, u->guest.window.base);
    u->end_vm_pages = km_user_vm_pages(&u->mm, u->guest.window.base);
    take_sample(u);
    u->exited = true;
    if (cpu->ops) /* a timed CPU goes on using these tables until the machine stops */
        return;
    km_user_mm_exit(&u->mm, cpu);
    km_report_latency(u->report, "exit", cpu->id, cpu->local_cycles - before);
}

/* A walk through the heap: not at every step of a slow rise. */
static void look_at_peak(struct user_heap *u)
{
    if (u->live_bytes != u->peak_live_bytes || u->mm.killed ||
        (u->calls < u->info_calls + 16 && u->live_bytes < u->info_live + u->info_live / 16))
        return;
    u->info_calls = u->calls;
    u->info_live = u->live_bytes;
    km_user_heap_info(&u->heap, u->guest.window.base, &u->info_at_peak);
}

static void program_run(void *ctx, struct km_cpu *cpu, uint64_t now_ns)
{
    struct user_heap *u = ctx;
    struct km_mtrace_event ev = u->head;

    u->now_ns = now_ns;
    if (over(u)) {
        end_process(u, cpu);
        return;
    }
    replay_call(u, cpu, &ev);
    u->calls++;
    look_at_peak(u);
    if (u->calls % u->sample_every == 0) {
        take_sample(u);
        km_progress_update(&u->progress, u->calls, km_mtrace_position(u->trace), now_ns);
    }
#ifdef KM_CHECK
    if (u->calls % CHECK_CALLS == 0)
        check(u);
#endif
    read_ahead(u);
}

static int run_timed(struct user_heap *u, const struct km_program *program, struct km_err *err)
{
    const struct km_engine_ops *engine = u->opt->engine;
    struct km_config cfg = *u->cfg;

    cfg.machine.cpus = u->guest.os.p.cpus;
    cfg.machine.ram_bytes = u->guest.window.ram_bytes;
    cfg.machine.paging = u->guest.facts.pae ? KM_PAGING_PAE : KM_PAGING_2LEVEL;
    int rc = engine->create(&u->machine, &cfg, &u->guest.window, err);

    if (rc < 0)
        return rc;
    engine->set_cr3(u->machine, km_user_mm_cr3(&u->mm));
    engine->set_probe(u->machine, km_report_probe(u->report));
    rc = engine->run(u->machine, program, err);
    engine->stats(u->machine, &u->hw);
    u->sum.sim_cycles = u->hw.cycles;
    u->sum.sim_ns = u->hw.sim_ps / 1000;
    u->sum.refs = u->hw.refs;
    km_user_mm_exit(&u->mm, &u->guest.cpu[0]);
    return rc;
}

/* ---- results ---------------------------------------------------------------------------------- */

static FILE *open_out(const struct user_heap *u, const char *name, char *path, size_t size, struct km_err *err)
{
    snprintf(path, size, "%s/%s", u->opt->out_dir, name);
    FILE *f = fopen(path, "w");

    if (!f)
        km_fail(err, KM_E_IO, path, 0, 0, "cannot write: %s", strerror(errno));
    return f;
}

static int close_out(FILE *f, const char *path, struct km_err *err)
{
    bool bad = ferror(f);

    if (fclose(f) || bad)
        return km_fail(err, KM_E_IO, path, 0, 0, "cannot write: %s", strerror(errno));
    return KM_OK;
}

static int write_samples(const struct user_heap *u, struct km_err *err)
{
    char path[KM_PATH_MAX + 32];
    FILE *f = open_out(u, "user-heap.csv", path, sizeof(path), err);

    if (!f)
        return KM_E_IO;
    fprintf(f, "calls,time_ns,live_bytes,heap_bytes,mapped_bytes,rss_pages,table_pages\n");
    for (unsigned i = 0; i < u->nr_samples; i++) {
        const struct sample *s = &u->sample[i];

        fprintf(f, "%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 "\n", s->calls,
                s->sim_ns, s->live_bytes, s->heap_bytes, s->mapped_bytes, s->rss_pages, s->table_pages);
    }
    return close_out(f, path, err);
}

struct member {
    const char *key;
    uint64_t value;
};

static void put_object(FILE *f, const char *key, const struct member *m, size_t nr, bool last)
{
    fprintf(f, "  \"%s\": {\n", key);
    for (size_t i = 0; i < nr; i++)
        fprintf(f, "    \"%s\": %" PRIu64 "%s\n", m[i].key, m[i].value, i + 1 < nr ? "," : "");
    fprintf(f, "  }%s\n", last ? "" : ",");
}

static void put_mallinfo(FILE *f, const char *key, const struct km_user_heap_info *i, bool last)
{
    const struct member m[] = {
        {"arena", i->arena},         {"ordblks", i->ordblks},   {"smblks", i->smblks},
        {"hblks", i->hblks},         {"hblkhd", i->hblkhd},     {"fsmblks", i->fsmblks},
        {"uordblks", i->uordblks},   {"fordblks", i->fordblks}, {"keepcost", i->keepcost},
        {"tcache_bytes", i->tcache_bytes}, {"largest_free", i->largest_free},
    };

    put_object(f, key, m, KM_ARRAY_LEN(m), last);
}

static void put_calls(FILE *f, const struct user_heap *u)
{
    const struct km_user_heap_stats *s = &u->heap.stats;
    const struct member calls[] = {
        {"malloc", s->mallocs}, {"realloc", s->reallocs}, {"free", s->frees}, {"failed", s->failed},
        {"from_tcache", s->from_tcache}, {"from_fast", s->from_fast}, {"from_small", s->from_small},
        {"from_unsorted", s->from_unsorted}, {"from_bins", s->from_bins}, {"from_top", s->from_top},
        {"from_mmap", s->from_mmap}, {"to_tcache", s->to_tcache}, {"to_fast", s->to_fast},
        {"to_unsorted", s->to_unsorted}, {"to_top", s->to_top},
        {"realloc_in_place", s->realloc_in_place}, {"realloc_moved", s->realloc_moved},
        {"realloc_mremap", s->realloc_mremap}, {"consolidations", s->consolidations},
        {"mmap_threshold_end", u->heap.mmap_threshold}, {"trim_threshold_end", u->heap.trim_threshold},
    };
    const struct member misuse[] = {
        {"double_free", s->misuse[KM_MISUSE_DOUBLE_FREE]},
        {"invalid_pointer", s->misuse[KM_MISUSE_INVALID_POINTER]},
        {"invalid_size", s->misuse[KM_MISUSE_INVALID_SIZE]},
        {"corruption", s->misuse[KM_MISUSE_CORRUPTION]},
    };

    put_object(f, "calls", calls, KM_ARRAY_LEN(calls), false);
    put_object(f, "misuse", misuse, KM_ARRAY_LEN(misuse), false);
}

static void put_kernel(FILE *f, const struct user_heap *u)
{
    const struct km_user_stats *s = &u->mm.stats;
    const struct member kernel[] = {
        {"brk_calls", s->brk_calls}, {"mmap_calls", s->mmap_calls}, {"munmap_calls", s->munmap_calls},
        {"mremap_calls", s->mremap_calls}, {"mprotect_calls", s->mprotect_calls},
        {"brk_grown", u->heap.stats.brk_grown}, {"brk_trimmed", u->heap.stats.brk_trimmed},
        {"faults_alloc", s->faults_alloc}, {"faults_zero_page", s->faults_zero_page},
        {"faults_cow", s->faults_cow}, {"segv", s->segv}, {"oom", s->oom},
        {"refused_overcommit", s->refused_overcommit}, {"pages_allocated", s->pages_allocated},
        {"pages_freed", s->pages_freed}, {"table_pages", s->table_pages_allocated},
        {"gather_pages", s->gather_pages}, {"peak_rss_pages", s->peak_rss_pages},
        {"peak_vm_pages", s->peak_vm_pages}, {"end_rss_pages", u->end_rss_pages},
        {"end_vm_pages", u->end_vm_pages}, {"frames_left_after_exit", u->frames_left},
    };
    const struct member bytes[] = {
        {"peak_live_bytes", u->peak_live_bytes}, {"peak_heap_bytes", u->peak_heap_bytes},
        {"end_live_bytes", u->live_bytes},       {"max_mmaps", u->heap.max_nr_mmaps},
        {"max_mmapped_bytes", u->heap.max_mmapped_bytes},
    };

    put_object(f, "kernel", kernel, KM_ARRAY_LEN(kernel), false);
    put_object(f, "heap", bytes, KM_ARRAY_LEN(bytes), false);
}

static int write_totals(const struct user_heap *u, struct km_err *err)
{
    char path[KM_PATH_MAX + 32];
    FILE *f = open_out(u, "user-heap.json", path, sizeof(path), err);
    const struct km_user_heap_info *i = &u->info_at_end;
    uint64_t spare = i->fordblks - i->keepcost;

    if (!f)
        return KM_E_IO;
    fprintf(f, "{\n");
    put_calls(f, u);
    put_kernel(f, u);
    put_mallinfo(f, "mallinfo_at_peak", &u->info_at_peak, false);
    put_mallinfo(f, "mallinfo_at_end", i, false);
    /* Share of what the program had at its peak that it did not ask for, and how the free rest is split up. */
    fprintf(f, "  \"overhead_at_peak_pct\": %.3f,\n",
            u->peak_heap_bytes ? 100.0 - 100.0 * (double)u->peak_live_bytes / (double)u->peak_heap_bytes : 0.0);
    fprintf(f, "  \"external_fragmentation_end_pct\": %.3f\n}\n",
            spare ? 100.0 - 100.0 * (double)i->largest_free / (double)spare : 0.0);
    return close_out(f, path, err);
}

static void skipped(struct user_heap *u, const char *reason, uint64_t count)
{
    if (!count)
        return;
    u->sum.skipped[u->sum.nr_skipped].reason = reason;
    u->sum.skipped[u->sum.nr_skipped++].count = count;
}

static int summarise(struct user_heap *u, struct km_err *err)
{
    u->sum.complete = !(u->opt->stop && *u->opt->stop);
    u->sum.cpus = u->guest.os.p.cpus;
    u->sum.ram_bytes = u->guest.window.ram_bytes;
    u->sum.events = u->calls;
    u->sum.wall_s = seconds() - u->begun;
    snprintf(u->sum.trace, sizeof(u->sum.trace), "%s", u->cfg->workload.trace);
    snprintf(u->sum.trace_format, sizeof(u->sum.trace_format), "mtrace");
    skipped(u, "free_of_unknown", u->unknown_free);
    skipped(u, "realloc_of_unknown", u->unknown_realloc);
    skipped(u, "failed_allocation", u->failed_in_trace);
    skipped(u, "too_large", u->too_large);
    if (u->mm.killed)
        km_report_event(u->report, u->now_ns, 0, "oom_kill", "no memory for a page of the process, line %" PRIu64,
                        u->head.line);
    int rc = write_samples(u, err);

    if (!rc)
        rc = write_totals(u, err);
    return rc ? rc : km_report_finish(u->report, &u->sum, u->hw.valid ? &u->hw : NULL, err);
}

static int replay(struct user_heap *u, struct km_err *err)
{
    const struct km_program program = {.ctx = u, .peek = program_peek, .run = program_run};
    bool timed = u->cfg->timing == KM_TIMING_FULL && u->opt->engine;
    int rc = KM_OK;

    km_progress_start(&u->progress, u->opt->quiet, "calls", km_mtrace_size(u->trace));
    report_zones(u);
    if (timed)
        rc = run_timed(u, &program, err);
    else
        while (!u->exited)
            program_run(u, &u->guest.cpu[0], 0);
    km_progress_end(&u->progress);
    if (rc < 0)
        return rc;
    if (u->map_err.code || u->status < 0) {
        *err = u->map_err.code ? u->map_err : u->err;
        return err->code;
    }
    km_user_sys_exit(&u->sys, &u->guest.cpu[0]);
    u->frames_left = u->start_free_pages - free_pages(u);
    report_zones(u);
    if (u->opt->stop && *u->opt->stop && !u->calls)
        return km_fail(err, KM_E_INPUT, NULL, 0, 0, "interrupted before the first call was replayed");
    return summarise(u, err);
}

static int prepare(struct user_heap *u, struct km_err *err)
{
    const char *path = u->cfg->workload.trace;
    int rc = km_mtrace_open(&u->trace, path, err);

    if (rc)
        return rc;
    if (!km_mtrace_probe(path))
        return km_fail(err, KM_E_INPUT, path, 0, 0, "not an mtrace text (see mtrace(3))");
    read_ahead(u);
    if (u->status < 0) {
        *err = u->err;
        return u->status;
    }
    if (!u->have_head)
        return km_fail(err, KM_E_INPUT, path, 0, 0, "no heap calls in this file");
    if (u->cfg->machine.split != KM_SPLIT_3G1G)
        return km_fail(err, KM_E_USAGE, NULL, 0, 0, "machine.split: user-heap needs 3g1g");
    rc = km_guest_facts(&u->guest.facts, u->cfg, NULL, NULL, err);
    if (!rc) {
        struct km_machine_facts facts = u->guest.facts;

        rc = km_guest_open(&u->guest, &facts, err);
    }
    if (!rc)
        rc = km_bare_boot(&u->guest, u->cfg, "user-heap", err);
    if (!rc)
        u->start_free_pages = free_pages(u);
    return rc;
}

int km_user_heap_run(const struct km_config *cfg, const struct km_run_options *opt, struct km_err *err)
{
    struct user_heap *u = calloc(1, sizeof(*u));
    int rc;

    if (!u)
        return km_fail(err, KM_E_NOMEM, NULL, 0, 0, "no memory");
    u->cfg = cfg;
    u->opt = opt;
    u->guest.window.memfd = -1;
    u->sample_every = 16;
    u->begun = seconds();
    rc = prepare(u, err);
    if (!rc)
        rc = km_report_open(&u->report, opt->out_dir, cfg, opt->force, err);
    if (!rc)
        rc = exec_process(u, err);
    if (!rc)
        rc = replay(u, err);
    if (u->report)
        km_report_close(u->report);
    if (u->machine)
        opt->engine->destroy(u->machine);
    km_guest_release(&u->guest);
    km_ptr_map_release(&u->blocks);
    km_mtrace_close(u->trace);
    free(u);
    return rc;
}
