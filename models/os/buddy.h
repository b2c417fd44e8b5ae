/* SPDX-License-Identifier: MIT
 * buddy.h - the buddy lists of one zone: free, take, fall back to other migratetypes.
 * All functions expect the zone lock to be held by `cpu` unless they say otherwise.
 */
#ifndef KM_OS_BUDDY_H
#define KM_OS_BUDDY_H

#include "models/os/zone.h"

/* Files a block without merging, and takes it off its list: building and literal replay. */
void km_buddy_add(struct km_os *os, struct km_cpu *cpu, enum km_zone_id z, km_pfn pfn, unsigned order,
                  enum km_migratetype mt, bool to_tail);
void km_buddy_del(struct km_os *os, struct km_cpu *cpu, enum km_zone_id z, km_pfn pfn, unsigned order);

/* Gives a block back, merging upwards (C3); accounts its pages. */
void km_buddy_free(struct km_os *os, struct km_cpu *cpu, enum km_zone_id z, km_pfn pfn, unsigned order,
                   enum km_migratetype mt, bool to_tail);
/* Takes the smallest fitting block, stealing from other types if needed (C4, C5); KM_PFN_NONE if none.
 * alloc_flags: KM_ALLOC_KSWAPD lets a boosted zone ask for kswapd. */
km_pfn km_buddy_take(struct km_os *os, struct km_cpu *cpu, enum km_zone_id z, unsigned order,
                     enum km_migratetype mt, unsigned alloc_flags);
/* Only the requester's own lists (C4.1): KM_PFN_NONE if they hold nothing big enough. */
km_pfn km_buddy_take_own(struct km_os *os, struct km_cpu *cpu, enum km_zone_id z, unsigned order,
                         enum km_migratetype mt);
/* Is there a block of exactly this order for the type: its own, or one of a pageblock it may take over? */
bool km_buddy_could_serve(struct km_os *os, struct km_cpu *cpu, enum km_zone_id z, unsigned order,
                          enum km_migratetype mt);
/* Takes exactly [pfn, pfn + 2^order), splitting the free block around it and filing the rest under mt:
 * literal replay. False if the range is not wholly free. */
bool km_buddy_take_at(struct km_os *os, struct km_cpu *cpu, enum km_zone_id z, km_pfn pfn, unsigned order,
                      enum km_migratetype mt);

/* Head of the block km_buddy_take_own would split; KM_PFN_NONE if there is none. Untimed. */
km_pfn km_buddy_next(const struct km_os *os, const uint8_t *window, enum km_zone_id z, unsigned order,
                     enum km_migratetype mt);

/* Moves every free block of pfn's pageblock to the tails of mt's lists; returns how many pages moved. */
uint32_t km_buddy_move_pageblock(struct km_os *os, struct km_cpu *cpu, enum km_zone_id z, km_pfn pfn,
                                 enum km_migratetype mt);

/* Order of the free block that contains pfn and its head; false if pfn is not free. Untimed. */
bool km_buddy_find(const struct km_os *os, const uint8_t *window, km_pfn pfn, km_pfn *head, unsigned *order);
/* Blocks per order (buddyinfo) and, if types is not NULL, per type and order (pagetypeinfo). Untimed. */
void km_buddy_count(const struct km_os *os, const uint8_t *window, enum km_zone_id z,
                    uint64_t nr_free[KM_NR_ORDERS], uint64_t (*types)[KM_NR_ORDERS]);
/* NULL, or what is wrong with the zone's lists. Untimed. */
const char *km_buddy_check(const struct km_os *os, const uint8_t *window, enum km_zone_id z);

#endif
