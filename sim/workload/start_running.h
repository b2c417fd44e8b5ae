/* SPDX-License-Identifier: MIT
 * start_running.h - shared by start_running.c (building the state) and start_guess.c (placing free blocks).
 */
#ifndef KM_WORKLOAD_START_RUNNING_H
#define KM_WORKLOAD_START_RUNNING_H

#include "sim/workload/kpageflags.h"
#include "sim/workload/lookahead.h"
#include "sim/workload/replay.h"

struct km_running {
    struct km_replay *r;
    const struct km_proc_state *state; /* with kpageflags; NULL: places are guessed */
    uint8_t *free;        /* [pfn] */
    uint8_t *kernel;      /* [pfn] frames of the image and mem_map when they had to be guessed */
    uint8_t *block_order; /* [head pfn] order + 1 */
    km_pfn frames;
    struct km_lookahead la;
    bool look;
    uint64_t index; /* number of the last event read by the pass under way */
    bool sampled; /* the trace has BUDDYINFO samples */
    /* first samples at the start */
    uint64_t counts[KM_NR_ZONES][KM_NR_ORDERS];
    bool have_counts[KM_NR_ZONES];
    uint64_t quota[KM_NR_ZONES][KM_MT_NR][KM_NR_ORDERS];
    bool have_quota;
    uint64_t blocks[KM_NR_ZONES][KM_MT_NR];
    struct km_mark_zoneinfo zoneinfo[KM_NR_ZONES];
    bool have_zoneinfo[KM_NR_ZONES];
};

/* Pages of the FLATMEM mem_map. */
uint64_t km_mem_map_pages(const struct km_replay *r);
int km_zone_by_name(const struct km_os *os, const char *name);
/* End of the zone pfn lies in. */
km_pfn km_zone_border(const struct km_machine_facts *f, km_pfn pfn);

/* Notes the numbers of a BUDDYINFO, PAGETYPE or ZONEINFO mark. */
void km_running_note_mark(struct km_running *s, const struct km_os *os, const struct km_event *ev);
/* Without a snapshot the replay starts behind the first sample's SAMPLE_CORE (or at once, if there is none). */
int km_read_to_first_sample(struct km_running *s, struct km_trace *trace);

/* Reads the trace from the replay's start on and fills free and block_order so that every zone has the counted
 * blocks, on frames the trace does not contradict; chooses frames for the kernel's own structures. */
int km_guess_blocks(struct km_running *s, const char *trace_path, km_paddr *static_pa, km_paddr *mem_map_pa,
                    struct km_err *err);

#endif
