/* SPDX-License-Identifier: MIT
 * replay.h - replaying a captured kernel trace on the simulated kernel.
 *
 * replay.c reads events and hands them to the mode; start_*.c build the state the trace begins in; one file
 * per mode (replay_literal.c: oracle and buddy, replay_pages.c: pages, objects.c: objects); samples.c
 * compares with the truth samples in the trace.
 */
#ifndef KM_WORKLOAD_REPLAY_H
#define KM_WORKLOAD_REPLAY_H

#include "models/os/kswapd.h"
#include "sim/base/progress.h"
#include "sim/base/run_options.h"
#include "sim/report/report.h"
#include "sim/trace/trace.h"
#include "sim/workload/guest.h"
#include "sim/workload/literal.h"
#include "sim/workload/proc_memory.h"
#include "sim/workload/shadow.h"
#include "sim/workload/page_map.h"

/* A block on a per-CPU list whose place was guessed from ZONEINFO's count alone. */
struct km_guessed_page {
    km_pfn pfn;
    uint8_t cpu, zone, order;
};

enum km_skip_reason {
    KM_SKIP_BEFORE_START,  /* recorded before the start snapshot was complete        */
    KM_SKIP_NOT_MODELLED,  /* an event this mode does not use                        */
    KM_SKIP_FAILED_ALLOC,  /* the traced kernel got nothing                          */
    KM_SKIP_UNKNOWN_FREE,  /* frees what the model never saw allocated (H6)          */
    KM_SKIP_DOUBLE_ALLOC,  /* allocates what is already allocated: a free was silent */
    KM_SKIP_OUT_OF_RANGE,  /* page frames, orders or CPUs this machine does not have */
    KM_SKIP_CONFLICT,      /* the literal state contradicts the event                */
    KM_SKIP_SLAB_PAGE,     /* objects: the traced slab layer's page; the model's asks for its own */
    KM_SKIP_SLAB_INTERNAL, /* objects: the traced slab layer's own object            */
    KM_SKIP_RECLAIMED,     /* reclaimed by one of the two kernels at another time  */
    KM_SKIP_KILLED,        /* of a task the model has killed                       */
    KM_SKIP_NR,
};

struct km_replay;
struct km_compact;
struct km_mapped;
struct km_pages_state;
struct km_live_objects;
struct km_objects;
struct km_replay_trace;
struct km_resync;
struct km_reclaim_model;

/* One replay mode. */
struct km_replay_mode_ops {
    const char *name;
    bool elsewhere;    /* follows pages by the map alone: can run on other memory than the traced machine's */
    bool wants_shadow; /* run shadow.h first: what the trace leaves out about per-CPU lists */
    int (*open)(struct km_replay *r, struct km_err *err); /* optional: before the first event */
    void (*event)(struct km_replay *r, struct km_cpu *cpu, const struct km_event *ev);
    void (*mark)(struct km_replay *r, const struct km_event *ev); /* optional: trace_marker lines */
    void (*sample)(struct km_replay *r); /* optional: at every sample period */
    void (*finish)(struct km_replay *r);                          /* optional: before the summary is written */
    void (*close)(struct km_replay *r); /* optional */
};

extern const struct km_replay_mode_ops km_replay_oracle, km_replay_buddy, km_replay_pages,
    km_replay_objects;

struct km_samples {
    uint64_t next_period_ns; /* simulated /proc/buddyinfo is noted when the trace passes this */
    bool open;               /* between SAMPLE_BEGIN and SAMPLE_CORE */
    uint64_t taken;
    uint64_t next_mixed_ns; /* mixed pageblocks are counted when the trace passes this: it is slow */
};

struct km_replay {
    const struct km_config *cfg;
    struct km_bundle *bundle; /* NULL: a plain trace file */
    struct km_trace *trace;
    struct km_guest guest;
    struct km_os traced_os; /* zones and mem_map of the machine the trace was recorded on: no lists */
    struct km_machine_facts facts; /* of the machine to simulate */
    bool elsewhere;         /* guest is another machine than that one (start_carry.c) */
    uint8_t *spare;         /* owned; boot elsewhere: [traced pfn] taken before the first event */
    struct km_page_map map;
    const struct km_replay_mode_ops *mode;
    struct km_report *report;
    struct km_run_summary sum;
    uint64_t skipped[KM_SKIP_NR];
    struct km_samples samples;
    struct km_guessed_page *guessed; /* owned; start_running.c */
    size_t nr_guessed, room_guessed;
    struct km_hidden hidden;        /* empty without looking ahead */
    size_t next_isolated;
    uint64_t isolated_pages;        /* taken by compaction without an event */
    struct km_pcp_busy busy;
    struct km_adjustments adjust;   /* shadow.c: what the trace leaves out */
    struct km_compact *compact;     /* replay_compact.c; NULL until a compaction run begins */
    struct km_pages_state *pages;   /* replay_pages.c */
    struct km_reclaim_model *reclaim; /* reclaim_model.c; NULL: the traced kernel reclaims */
    struct km_live_objects *live;   /* live_objects.c */
    struct km_objects *objects;     /* replay_objects.c */
    struct km_mapped *mapped;          /* mapped.c; NULL in the literal modes */
    struct km_resync *resync;          /* resync.c; NULL: the model goes its own way */
    struct km_replay_trace *trace_out; /* trace_out.c; NULL: no trace is written */
    const struct km_engine_ops *engine;
    void *machine;        /* timed engine; NULL with timing off */
    struct km_hw_stats hw;
    struct km_progress progress;
    struct km_event head; /* next event, read ahead by one */
    bool have_head;
    const volatile sig_atomic_t *stop; /* run_options.h */
    double begun_s; /* host clock when the run began */
    int status;           /* of the trace reader; negative: damaged */
    struct km_err err;
    bool have_time;
    uint64_t start_ns;    /* time of the first replayed event */
    uint64_t now_ns;      /* time of the last event begun */
    enum km_mark_kind start_mark; /* events up to the first mark of this kind are passed over; NONE: none */
    bool started;
    bool boot;            /* started from the memory map; the first carvings may synchronise */
    bool boot_pagesets;   /* per-CPU lists are not live yet */
    bool boot_limits;     /* watermarks and final per-CPU limits are set */
    uint64_t index;       /* events delivered so far */
    struct {
        uint64_t index, time_ns; /* of the event this CPU replays; index is counted from 1 */
    } at[KM_MAX_CPUS];           /* timed CPUs work at the same time */
    unsigned running;            /* CPUs inside an event */
    struct km_vm_events vm_events;
    uint64_t check_period, check_in; /* check.c: events between two checks (0: never), and until the next */
    struct {
        struct km_kswapd model;
        bool awake; /* the traced one */
        size_t next_rest;
        uint64_t boost_clear_ns; /* it will have taken back a watermark boost by then; KM_NEVER: none */
    } kswapd; /* replay_reclaim.c */
    bool synced_list[KM_NR_ZONES][KM_MT_NR]; /* boot_sync.c has caught up with these lists */
    uint64_t synced;               /* pages taken silently for that */
};

static inline void km_replay_skip(struct km_replay *r, enum km_skip_reason why)
{
    r->skipped[why]++;
}

/* Notes that a decision agreed or not with the traced one. */
void km_replay_buddy_agreement(struct km_replay *r, const struct km_event *ev, km_pfn model);
void km_replay_pfn_agreement(struct km_replay *r, const struct km_event *ev, km_pfn model);

/* start_running.c, start_boot.c: build guest, map and lists. */
/* Drops a kpageflags snapshot whose place in the trace is unknown, with a warning. */
int km_check_snapshot(struct km_replay *r, const char *trace_path, struct km_err *err);
int km_start_running(struct km_replay *r, const char *trace_path, struct km_err *err);
int km_start_boot(struct km_replay *r, struct km_err *err);

/* start_carry.c: moves the start state to another machine. */
int km_start_carry(struct km_replay *r, const struct km_machine_facts *facts, struct km_err *err);
/* Zone of this machine that stands for the one of a traced frame; KM_NR_ZONES: it lies in none. */
enum km_zone_id km_replay_zone(const struct km_replay *r, km_pfn traced);

/* boot_sync.c: called before a carving is modelled. */
void km_boot_synchronise(struct km_replay *r, const struct km_event *ev);

/* replay_compact.c: the traced kernel's compaction. km_replay_isolate: targets leave the free lists, in every mode,
 * before the event is applied; the others are for modes that pick page frames themselves. */
void km_replay_isolate(struct km_replay *r, struct km_cpu *cpu, const struct km_event *ev, uint64_t index);
void km_compact_close(struct km_replay *r);
void km_compact_free(struct km_replay *r, const struct km_event *ev); /* before an mm_page_free is applied */
/* replay_reclaim.c: what the traced kswapd does at, or has done by, this event. */
void km_replay_kswapd(struct km_replay *r, const struct km_event *ev, uint64_t index);
/* replay_reclaim.c: the model boosted a watermark. */
void km_replay_boosted(struct km_replay *r, uint64_t time_ns);
/* replay_pages.c: a page event that mode objects does not pass on. */
void km_pages_dropped(struct km_replay *r, struct km_cpu *cpu, const struct km_event *ev);
int km_pages_open(struct km_replay *r, struct km_err *err);
void km_pages_close(struct km_replay *r);

/* live_objects.c */
void km_live_objects_event(struct km_replay *r, const struct km_event *ev);
double km_live_objects_internal_pct(const struct km_replay *r, enum km_zone_id z); /* < 0: unknown */
/* The event has been replayed; it took so many cycles. */
void km_live_objects_cost(struct km_replay *r, const struct km_event *ev, uint64_t cycles);
void km_live_objects_finish(struct km_replay *r);
void km_live_objects_release(struct km_replay *r);

/* Did a signal ask to end early? */
bool km_replay_stopped(const struct km_replay *r);

/* check.c: stops the program (a bug of ours) if the allocator's lists are not sound. Only between events. */
void km_replay_check(const struct km_replay *r);
uint64_t km_replay_check_period(const struct km_replay *r);
/* Counts events of replay.check_events, and looks at the lists when it is time and nobody works on them. */
void km_replay_check_event(struct km_replay *r);

/* prescan.c: highest frame and CPUs named in the trace; an error if it has no page events. */
int km_trace_extent(const char *path, struct km_trace_extent *extent, struct km_err *err);

/* replay.c: true once the stream has reached the moment the start state describes. */
bool km_replay_past_start(struct km_replay *r, const struct km_event *ev);

/* samples.c */
void km_samples_mark(struct km_replay *r, const struct km_event *ev);
void km_samples_time(struct km_replay *r, uint64_t time_ns);

/* page_tables.c: builds them and returns CR3. */
int km_replay_page_tables(struct km_replay *r, km_paddr *cr3, struct km_err *err);

/* proc_files.c: DIR/proc from the simulated state. */
void km_replay_proc(struct km_replay *r, bool at_start);

/* Entry point of `workload.type: replay`. */
int km_replay_run(const struct km_config *cfg, const struct km_run_options *opt, struct km_err *err);

#endif
