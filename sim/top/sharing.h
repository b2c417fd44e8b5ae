/* SPDX-License-Identifier: MIT
 * sharing.h - per-line account of lines that several CPUs had in their caches.
 *
 * A line enters the table when a snoop first finds it in another CPU's caches. From then on every
 * reference to it is counted (such lines never enter the hot filter): readers and writers count
 * loads and stores since then. Byte masks per CPU tell true sharing (a byte written by one CPU and
 * used by another) from false.
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
    uint64_t read[KM_MAX_CPUS][KM_SHARING_MASK_WORDS];
    uint64_t written[KM_MAX_CPUS][KM_SHARING_MASK_WORDS];
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
/* Finds or adds; NULL if host memory ran out (the account is then incomplete, the simulation is
 * not). */
struct km_sharing_row *km_sharing_get(struct km_sharing *s, uint64_t line);
void km_sharing_note(struct km_sharing_row *row, unsigned cpu, uint32_t first_byte, uint32_t bytes,
                     bool read, bool write);
/* Rows in report form, sorted by cycles_lost (most first), then address. Owned by s. */
struct km_shared_line *km_sharing_report(struct km_sharing *s, uint32_t *nr);
void km_sharing_release(struct km_sharing *s);

#ifdef __cplusplus
}
#endif
#endif
