/* SPDX-License-Identifier: MIT
 * numa.h - several memory nodes: one struct km_os per node over one mem_map, and the zonelists between them.
 *
 * Models:      a node = zones, watermarks and per-CPU lists of its own (struct km_os with node_start_pfn and
 *              node_end_pfn set); alloc_pages_node: all zones of the preferred node, highest first, then those of
 *              the next node in its fallback order; a first walk at the LOW marks of all nodes, then one at MIN with
 *              the reserves the flags allow; __GFP_THISNODE: no other node. Fallback order by distance, nodes that
 *              tie take turns, so that not everybody falls back to the same one. numa_hit, numa_miss ... counters.
 *              min_free_kbytes from the memory of all nodes; lowmem_reserve within each node. Pages of other nodes
 *              on a CPU's lists go back when they have not been used for three ticks of its vmstat worker.
 *
 *                node 0            node 1            node 2          distances 10 20 40
 *                DMA Normal High | Normal High     | High            from 0: 0, 1, 2 - High 0, Normal 0, DMA 0, High 1 ...
 *
 * Not modelled: reclaim and compaction across nodes (each node's own run on its struct km_os), mempolicy, memory
 *              hotplug, memoryless nodes; replays have one node, as all captures do.
 * Invariants:  a frame lies in one node; every page is free, listed, or handed out, in its node (km_numa_check).
 * References:  kernel-behaviour notes B3 to B8, C2; Documentation/mm/numa.rst, Documentation/admin-guide/numastat.rst.
 */
#ifndef KM_OS_NUMA_H
#define KM_OS_NUMA_H

#include "models/os/boot.h"
#include "models/os/slab_layer.h"

#define KM_NUMA_MAX_NODES KM_SLAB_MAX_NODES
#define KM_NUMA_LOCAL 10u /* distance to oneself */

struct km_numa_stats {
    uint64_t hit;     /* wanted here and got here                      */
    uint64_t miss;    /* got here what was wanted elsewhere            */
    uint64_t foreign; /* wanted here and got elsewhere                 */
    uint64_t local;   /* got here by a CPU of this node                */
    uint64_t other;   /* got here by a CPU of another node             */
};

struct km_numa {
    unsigned nr_nodes;
    struct km_os *node[KM_NUMA_MAX_NODES];
    uint8_t cpu_node[KM_MAX_CPUS];
    uint8_t distance[KM_NUMA_MAX_NODES][KM_NUMA_MAX_NODES];
    uint8_t order[KM_NUMA_MAX_NODES][KM_NUMA_MAX_NODES]; /* fallback order of each node, itself first */
    uint8_t expire[KM_NUMA_MAX_NODES][KM_NR_ZONES][KM_MAX_CPUS];
    uint32_t seen[KM_NUMA_MAX_NODES][KM_NR_ZONES][KM_MAX_CPUS]; /* pages listed at the last tick */
    struct km_numa_stats stats[KM_NUMA_MAX_NODES];
};

/* nodes and distances: nr_nodes of them; cpu_node: of params->cpus CPUs. */
void km_numa_init(struct km_numa *n, unsigned nr_nodes, struct km_os *const *nodes,
                  uint8_t (*distance)[KM_NUMA_MAX_NODES], const uint8_t *cpu_node, unsigned cpus);

/* Zones, mem_map and free lists of all nodes. span[i]: frames of node i (ascending, disjoint); static_pa[i]: room
 * for its structures; ram and free: of the whole machine. Watermarks and per-CPU limits follow. */
void km_numa_boot(struct km_numa *n, struct km_cpu *cpu, const struct km_os_params *params,
                  const struct km_pfn_range *span, const km_paddr *static_pa, km_paddr mem_map_pa,
                  const struct km_pfn_range *ram, unsigned nr_ram, const struct km_pfn_range *free,
                  unsigned nr_free);

/* Node of a frame; nr_nodes: none. */
unsigned km_numa_pfn_node(const struct km_numa *n, km_pfn pfn);
/* alloc_pages_node; node < 0: the CPU's own. */
km_pfn km_numa_alloc_pages(struct km_numa *n, struct km_cpu *cpu, int node, uint32_t gfp, unsigned order);
void km_numa_free_pages(struct km_numa *n, struct km_cpu *cpu, km_pfn pfn, unsigned order);
/* The vmstat worker of this CPU: once a second. */
void km_numa_tick(struct km_numa *n, struct km_cpu *cpu);

/* For the slab layer: pages from the CPU's node or a given one, and which node a frame is of. */
struct km_page_src km_page_src_numa(struct km_numa *n);
struct km_slab_numa km_slab_numa_of(struct km_numa *n);

/* NULL, or what is wrong with any node's lists. Untimed. */
const char *km_numa_check(const struct km_numa *n, const uint8_t *window);

#endif
