/* SPDX-License-Identifier: MIT
 * extfrag.h - external fragmentation of a zone, and the decisions taken from it.
 *
 * The indexes are in thousandths, in the integer arithmetic of debugfs extfrag (Linux 6.1), so a value can be
 * compared with the file of a real machine digit by digit.
 */
#ifndef KM_OS_EXTFRAG_H
#define KM_OS_EXTFRAG_H

#include "models/os/os.h"

#include <stddef.h>

/* From counts of free blocks per order. -1000: a block of 2^order pages exists, the index has no meaning. Else,
 * if an allocation of this order failed: towards 0 for lack of memory, towards 1000 because of fragmentation. */
int32_t km_extfrag_index(const uint64_t nr_free[KM_NR_ORDERS], unsigned order);
/* Share of the free memory in blocks too small for 2^order pages: 0 none .. 1000 all of it. */
int32_t km_extfrag_unusable(const uint64_t nr_free[KM_NR_ORDERS], unsigned order);
/* The same in percent, 0 without free memory: what proactive compaction scores (I4). */
unsigned km_extfrag_for_order(const uint64_t nr_free[KM_NR_ORDERS], unsigned order);

/* The zone's counts as the allocator reads them. */
void km_extfrag_counts(struct km_os *os, struct km_cpu *cpu, enum km_zone_id z, uint64_t nr_free[KM_NR_ORDERS]);

/* One zone's line of extfrag_index (or unusable_index), with its newline; returns its length. The zone's counts
 * are given; room: at least KM_EXTFRAG_LINE bytes. */
#define KM_EXTFRAG_LINE 192u
size_t km_extfrag_line(char *out, const char *zone, const uint64_t nr_free[KM_NR_ORDERS], bool unusable);

#endif
