/* SPDX-License-Identifier: MIT
 * sharing.h - per-line account of lines that several CPUs had in their caches.
 *
 * A line enters the table when a snoop first finds it in another CPU's caches. From then on every
 * reference to it is counted (such lines never enter the hot filter): readers and writers count
 * loads and stores since then.
 *
 * Every transfer is classified by the bytes of the reference that caused it:
 *   HITM          true if one of them was written by another CPU since this one last had the line
 *   invalidation  true if the CPU that loses the line used one of them since it got the line
 * else false. What was used before the line entered the table is not known: a transfer that only
 * such bytes could decide is of neither kind (the first one of a line, mostly). Cycles go where
 * their transfer goes; a miss on a line that a device took away is sharing with the device.
 */
#ifndef KM_TOP_SHARING_H
#define KM_TOP_SHARING_H

#include "models/base/types.h"
#include "sim/base/hw_stats.h"

#ifdef __cplusplus
extern "C" {
#endif

#define KM_SHARING_MASK_WORDS 2u /* up to 128 bytes per line */

struct km_sharing_row {
    uint64_t line;
    uint32_t cpus_mask;
    uint64_t readers, writers, hitm, invalidations, cycles_lost;
    uint64_t dma_reads, dma_writes, dma_hitm, dma_invalidations;
    uint64_t hitm_true, hitm_false, inv_true, inv_false;
    uint64_t cycles_true, cycles_false, cycles_dma; /* parts of cycles_lost; dma: beside it */
    uint64_t hitm_by_cpu[KM_MAX_CPUS];              /* who took the line */
    uint32_t known;    /* CPUs that had the line since it entered the table: stale is complete */
    uint32_t unseen;   /* CPUs that have had the line since before that: used is not complete */
    uint32_t dma_took; /* CPUs whose copy a device took away, until they fetch it again */
    uint64_t used[KM_MAX_CPUS][KM_SHARING_MASK_WORDS];  /* since the CPU got the line */
    uint64_t stale[KM_MAX_CPUS][KM_SHARING_MASK_WORDS]; /* written by others since it had it */
};

/* A reference of a CPU that needed the bus. */
struct km_sharing_event {
    unsigned cpu;
    uint32_t first_byte, bytes; /* in the line */
    uint32_t owners;            /* other CPUs that had it */
    bool hitm, invalidate;
    bool fetched; /* the CPU did not have the line before */
    uint64_t cycles;
};

struct km_sharing {
    struct km_sharing_row *row;
    uint32_t nr_rows, capacity;
    uint32_t *slot; /* open addressing: row + 1, 0 = free */
    uint32_t nr_slots;
    unsigned line_shift;
    struct km_shared_line *report;
};

struct km_sharing_row *km_sharing_find(struct km_sharing *s, uint64_t line);
/* Finds or adds (owners: CPUs that have the line already); NULL if host memory ran out (the account is then incomplete, the simulation is
 * not). */
struct km_sharing_row *km_sharing_get(struct km_sharing *s, uint64_t line, uint32_t owners);
void km_sharing_note(struct km_sharing_row *row, unsigned cpu, uint32_t first_byte, uint32_t bytes,
                     bool read, bool write);
/* Before km_sharing_note of the same reference. */
void km_sharing_transfer(struct km_sharing_row *row, const struct km_sharing_event *ev);
/* A device read or wrote the line; owners: CPUs that had it, dirty: one of them had changed it. */
void km_sharing_dma(struct km_sharing_row *row, uint32_t owners, bool dirty, bool write);
/* Rows in report form, sorted by cycles_lost (most first), then address. Owned by s. */
struct km_shared_line *km_sharing_report(struct km_sharing *s, uint32_t *nr);
void km_sharing_release(struct km_sharing *s);

#ifdef __cplusplus
}
#endif
#endif
