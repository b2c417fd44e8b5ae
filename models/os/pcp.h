/* SPDX-License-Identifier: MIT
 * pcp.h - per-CPU page lists of one zone (struct per_cpu_pages).
 */
#ifndef KM_OS_PCP_H
#define KM_OS_PCP_H

#include "models/os/buddy.h"

#define KM_PCP_MAX_LISTS 14u

/* Boot pagesets: high 0, batch 1 - every free goes straight through, every refill fetches one block. */
void km_pcp_init_boot(struct km_os *os, struct km_cpu *cpu);
/* batch and high from managed pages, low mark and online CPUs (C2). */
void km_pcp_setup(struct km_os *os, struct km_cpu *cpu, unsigned online_cpus);
void km_pcp_set_limits(struct km_os *os, struct km_cpu *cpu, enum km_zone_id z, unsigned on_cpu,
                       uint32_t high, uint32_t batch);

/* Takes a page from this CPU's list, refilling it from the buddy lists; KM_PFN_NONE if the refill failed. */
km_pfn km_pcp_take(struct km_os *os, struct km_cpu *cpu, enum km_zone_id z, unsigned order,
                   enum km_migratetype mt, unsigned alloc_flags);
/* The same for the bulk allocator: the flush size does not decay. */
km_pfn km_pcp_take_bulk(struct km_os *os, struct km_cpu *cpu, enum km_zone_id z, unsigned order,
                        enum km_migratetype mt);
/* Puts a block on this CPU's list; may flush older pages to the buddy lists. */
void km_pcp_free(struct km_os *os, struct km_cpu *cpu, enum km_zone_id z, km_pfn pfn, unsigned order);
/* Gives `pages` pages of the lists of `on_cpu` back (UINT32_MAX: all), starting with list 0. */
void km_pcp_drain(struct km_os *os, struct km_cpu *cpu, enum km_zone_id z, unsigned on_cpu, uint32_t pages);
/* Puts a page at the tail of a list without any other effect: building a start state. */
void km_pcp_place(struct km_os *os, struct km_cpu *cpu, enum km_zone_id z, unsigned on_cpu, km_pfn pfn,
                  unsigned order, enum km_migratetype mt);
/* Takes a given page off whatever per-CPU list of `on_cpu` it is on; false if it is on none. Untimed search. */
bool km_pcp_remove(struct km_os *os, struct km_cpu *cpu, enum km_zone_id z, unsigned on_cpu, km_pfn pfn);

/* Order of the list of `on_cpu` that pfn heads an entry of; -1 if there is none. Untimed search. */
int km_pcp_listed_order(const struct km_os *os, const uint8_t *window, enum km_zone_id z, unsigned on_cpu,
                        km_pfn pfn);
/* Puts `with` in the place of a listed block of this order; false if pfn is not listed. Untimed search. */
bool km_pcp_replace(struct km_os *os, struct km_cpu *cpu, enum km_zone_id z, unsigned on_cpu, km_pfn pfn,
                    km_pfn with, unsigned order);

/* Would the next take be served without a refill? Untimed. */
bool km_pcp_has(const struct km_os *os, const uint8_t *window, enum km_zone_id z, unsigned on_cpu, unsigned order,
                enum km_migratetype mt);
/* Pages on the lists of a CPU. Untimed. */
uint32_t km_pcp_count(const struct km_os *os, const uint8_t *window, enum km_zone_id z, unsigned on_cpu);
const char *km_pcp_check(const struct km_os *os, const uint8_t *window, enum km_zone_id z, unsigned on_cpu);

#endif
