/* SPDX-License-Identifier: MIT
 * hw_stats.h - what the machine counted: filled by sim/top, printed by sim/report.
 * All counters are sums over CPUs unless the name says otherwise.
 */
#ifndef KM_SIM_HW_STATS_H
#define KM_SIM_HW_STATS_H

#include "models/base/types.h"

struct km_cache_stats {
    uint64_t reads, writes, read_misses, write_misses, writebacks;
    uint64_t snoop_hits, invalidations; /* lines lost to another agent */
};

struct km_tlb_stats {
    uint64_t hits, misses, walk_refs, flushes;
};

struct km_dram_stats {
    uint64_t reads, writes, row_hits, row_misses, row_conflicts, refreshes;
    uint64_t end_cycle; /* DRAM clocks */
    uint64_t read_latency_sum, read_latency_max; /* DRAM clocks */
    uint64_t bytes;
    uint64_t audit_violations;
};

struct km_bus_stats {
    uint64_t transactions, hitm, invalidates, busy_cycles, wait_cycles; /* core cycles */
};

/* One cache line more than one CPU used (perf c2c vocabulary). */
struct km_shared_line {
    km_paddr line_pa;
    uint32_t cpus_mask;
    uint64_t readers, writers; /* references by loads, stores */
    uint64_t hitm_local, hitm_remote, invalidations, cycles_lost;
    bool overlapping_bytes; /* true sharing: CPUs touched common bytes */
};

struct km_hw_stats {
    bool valid; /* false: timing was off */
    uint64_t refs, insns, sim_ps, cycles;
    struct km_cache_stats l1i, l1d, l2, l3;
    struct km_tlb_stats itlb, dtlb, stlb;
    struct km_bus_stats bus;
    struct km_dram_stats dram;
    uint32_t nr_shared_lines;
    struct km_shared_line *shared_line; /* owned by the machine; sorted by cycles_lost, then address */
};

#endif
