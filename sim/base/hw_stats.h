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
    uint64_t back_invalidations;        /* lines lost because an inclusive level replaced them */
    uint64_t victim_fills;              /* clean lines an exclusive level took over */
};

struct km_tlb_stats {
    uint64_t hits, misses, walk_refs, flushes;
};

struct km_shootdown_stats {
    uint64_t started, ipis, taken; /* calls, interrupts sent and answered */
    uint64_t lazy;                 /* CPUs without work that were left alone */
    uint64_t wait_cycles;          /* of senders */
};

struct km_buffer_stats {
    uint64_t stores;                   /* that went through the store buffer */
    uint64_t store_full, fill_full;    /* waits for a free entry */
    uint64_t forwards, forward_blocks; /* loads served by a buffered store; that overlapped one */
    uint64_t merges;                   /* references to a line already under way */
};

struct km_prefetch_stats {
    uint64_t issued, useful, late, misses;
};

struct km_uncached_stats {
    uint64_t reads, writes;            /* references past the caches */
    uint64_t wc_stores, wc_full, wc_partial; /* gathered stores; lines written as one burst, in pieces */
};

struct km_dram_stats {
    uint64_t reads, writes, row_hits, row_misses, row_conflicts, refreshes;
    uint64_t end_cycle; /* DRAM clocks */
    uint64_t read_latency_sum, read_latency_max; /* DRAM clocks */
    uint64_t write_latency_sum, write_latency_max; /* arrival to the end of the data */
    uint64_t bytes;
    uint64_t audit_violations;
    uint64_t activates, precharges, column_reads, column_writes; /* commands */
    uint64_t closed_early, forwarded, write_drains, queue_max;   /* see models/dram/serial.h */
    uint64_t data_clocks; /* clocks in which the data bus of a channel moved data */
    uint32_t channels;
    bool energy_valid; /* the currents of the devices are known */
    uint64_t active_clocks, precharged_clocks, refresh_clocks; /* of ranks, by state */
    uint64_t background_pj, activate_pj, read_pj, write_pj, refresh_pj;
};

struct km_bus_stats {
    uint64_t transactions, hitm, invalidates, busy_cycles, wait_cycles; /* core cycles */
    uint64_t locks; /* LOCK# transactions */
};

#define KM_MAX_DEVICES 4u

struct km_dma_stats_hw {
    const char *name;
    uint64_t reads, writes, bytes, interrupts;
    uint64_t snoop_hits, hitm;          /* accesses that found the line in a cache; dirty there */
    uint64_t stale_reads, stale_writes; /* of a device that is not snooped: memory and a cache disagree */
    uint64_t wait_cycles;               /* for the bus */
    uint64_t latency_cycles_sum, latency_cycles_max; /* request to answer */
};

static inline void km_dma_stats_add(struct km_dma_stats_hw *sum, const struct km_dma_stats_hw *one)
{
    sum->reads += one->reads;
    sum->writes += one->writes;
    sum->bytes += one->bytes;
    sum->snoop_hits += one->snoop_hits;
    sum->hitm += one->hitm;
    sum->stale_reads += one->stale_reads;
    sum->stale_writes += one->stale_writes;
    sum->latency_cycles_sum += one->latency_cycles_sum;
    if (one->latency_cycles_max > sum->latency_cycles_max)
        sum->latency_cycles_max = one->latency_cycles_max;
}

/* One cache line more than one CPU used (perf c2c vocabulary). */
struct km_shared_line {
    km_paddr line_pa;
    uint32_t cpus_mask;
    uint64_t readers, writers; /* references by loads, stores */
    uint64_t hitm_local, hitm_remote, invalidations, cycles_lost;
    uint64_t dma_reads, dma_writes, dma_hitm, dma_invalidations; /* by devices */
    /* Transfers by the bytes that moved them (sim/top/sharing.h); what is missing to the totals
     * happened before the bytes were watched. */
    uint64_t hitm_true, hitm_false, inv_true, inv_false, cycles_true, cycles_false;
    uint64_t cycles_dma; /* CPUs fetching again what a device had taken away; not in cycles_lost */
    uint64_t hitm_by_cpu[KM_MAX_CPUS]; /* the CPU that asked */
};

struct km_hw_stats {
    bool valid; /* false: timing was off */
    uint64_t refs, insns, sim_ps, cycles;
    struct km_cache_stats l1i, l1d, l2, l3;
    uint64_t dropped_dirty; /* dirty lines INVD threw away */
    struct km_tlb_stats itlb, dtlb, stlb;
    uint64_t page_faults, pde_cache_hits, pde_cache_misses;
    struct km_shootdown_stats shootdown;
    struct km_buffer_stats buffers;
    struct km_prefetch_stats prefetch;
    struct km_uncached_stats uncached;
    struct km_bus_stats bus;
    struct km_dram_stats dram;
    unsigned nr_devices;
    struct km_dma_stats_hw device[KM_MAX_DEVICES];
    uint32_t nr_shared_lines;
    struct km_shared_line *shared_line; /* owned by the machine; sorted by cycles_lost, then address */
};

#endif
