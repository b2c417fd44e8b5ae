/* SPDX-License-Identifier: MIT
 * lookahead.h - one pass over the trace before the replay: what it tells about the state at its start.
 *
 * A capture that begins on a running system does not record which list a free block is on, in which order
 * the lists are, or what the per-CPU lists hold; later events show much of it. This pass applies the trace
 * literally to a copy of the start's free blocks (an oracle) and notes the first time each of them is
 * touched. It reconstructs the past only: nothing here tells a model which page to pick next.
 * References: start-state notes; kernel-behaviour C1, C2, H6.
 */
#ifndef KM_WORKLOAD_LOOKAHEAD_H
#define KM_WORKLOAD_LOOKAHEAD_H

#include "sim/trace/trace.h"
#include "sim/workload/guest.h"
#include "sim/workload/literal.h"
#include "sim/workload/pending.h"

enum { KM_TYPE_UNKNOWN = 0xff };

/* A page that lay on a per-CPU list at the start. */
struct km_pcp_entry {
    km_pfn pfn;
    uint8_t cpu, order, migratetype;
};

struct km_pcp_entries {
    struct km_pcp_entry *entry; /* owned */
    size_t nr, room;
};

struct km_lookahead {
    km_pfn nr_frames;
    uint8_t *block_order;    /* [head pfn]: order + 1 of a block free at the start, else 0 */
    uint8_t *block_type;     /* [head pfn]: migratetype of its list, or KM_TYPE_UNKNOWN    */
    uint32_t *carve_seq;     /* [head pfn]: rank of its first carving; 0 = never carved    */
    uint8_t *touched;        /* [pfn]: bit 0 block head seen; bit 1 page handled since the start */
    uint8_t *pageblock_type; /* [pfn >> pageblock_order]: from drains, or KM_TYPE_UNKNOWN  */
    uint8_t *pageblock_hint; /* the same from weaker evidence (type a block was carved for) */
    struct km_pcp_entries front; /* allocated before anything refilled or freed them: list heads, in order */
    struct km_pcp_entries back;  /* drained first: list tails, last one first */
    /* [cpu][zone][order][type]: the list was refilled, or drained of a younger page: by then nothing of the
     * start was left on it */
    bool emptied[KM_MAX_CPUS][KM_NR_ZONES][KM_NR_ORDERS][KM_MT_PCP_TYPES];
    /* [cpu][zone][type]: of the single pages of this list a bulk allocation took the last one of the start */
    bool bulk_emptied[KM_MAX_CPUS][KM_NR_ZONES][KM_MT_PCP_TYPES];
    /* [cpu][zone]: pages that came onto the lists, less those that left, until they were first flushed: then the
     * lists held as many as their limit allows */
    int64_t gained[KM_MAX_CPUS][KM_NR_ZONES];
    bool flushed[KM_MAX_CPUS][KM_NR_ZONES];
    struct km_pending pending[KM_MAX_CPUS];
    struct km_pcp_busy busy;
    size_t next_isolated;
    uint32_t carves;
    km_pfn pending_head; /* donor named by the extfrag event just seen */
    uint8_t pending_type;
    uint64_t irregular; /* events the literal state contradicts */
};

int km_lookahead_init(struct km_lookahead *la, km_pfn nr_frames, unsigned pageblock_order, struct km_err *err);
void km_lookahead_release(struct km_lookahead *la);
/* Notes one event and applies it to the oracle guest. */
void km_lookahead_event(struct km_lookahead *la, struct km_guest *oracle, const struct km_event *ev, uint64_t index);

#endif
