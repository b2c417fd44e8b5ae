/* SPDX-License-Identifier: MIT
 * numa.c - see numa.h. Instruction counts are estimated from the code's size.
 */
#include "models/os/numa.h"

#include "models/base/bits.h"
#include "models/base/bug.h"
#include "models/os/page_alloc.h"
#include "models/os/pcp.h"

#include <string.h>

static const struct km_site site_zonelist = {"next_zones_zonelist", 0xc1254f20u, 96};
static const struct km_site site_expire = {"drain_zone_pages", 0xc1290420u, 128};

#define EXPIRE_TICKS 3u
#define MAX_RANGES 32u

/* ---- nodes in order of preference ----------------------------------------------------------- */

static bool has_cpu(const struct km_numa *n, unsigned node, unsigned cpus)
{
    for (unsigned c = 0; c < cpus; c++)
        if (n->cpu_node[c] == node)
            return true;
    return false;
}

/* Nearest node not yet used; nodes behind `from` go first among equals, then the one fewer nodes fall back to. */
static unsigned next_best(const struct km_numa *n, unsigned from, unsigned used, const unsigned *load, unsigned cpus)
{
    unsigned best = n->nr_nodes, best_cost = UINT32_MAX;

    for (unsigned i = 0; i < n->nr_nodes; i++) {
        if (used >> i & 1)
            continue;
        unsigned cost = n->distance[from][i] + (i < from) + has_cpu(n, i, cpus);

        cost = cost * KM_NUMA_MAX_NODES + load[i];
        if (cost < best_cost) {
            best = i;
            best_cost = cost;
        }
    }
    return best;
}

static void order_nodes(struct km_numa *n, unsigned cpus)
{
    unsigned load[KM_NUMA_MAX_NODES] = {0};

    for (unsigned from = 0; from < n->nr_nodes; from++) {
        unsigned used = 1u << from, last = from;

        n->order[from][0] = (uint8_t)from;
        for (unsigned i = 1; i < n->nr_nodes; i++) {
            unsigned next = next_best(n, from, used, load, cpus);

            /* the first of several equally distant ones bears the load */
            if (n->distance[from][next] != n->distance[from][last])
                load[next]++;
            n->order[from][i] = (uint8_t)next;
            used |= 1u << next;
            last = next;
        }
    }
}

void km_numa_init(struct km_numa *n, unsigned nr_nodes, struct km_os *const *nodes,
                  uint8_t (*distance)[KM_NUMA_MAX_NODES], const uint8_t *cpu_node, unsigned cpus)
{
    KM_BUG_ON(!nr_nodes || nr_nodes > KM_NUMA_MAX_NODES);
    memset(n, 0, sizeof(*n));
    n->nr_nodes = nr_nodes;
    for (unsigned i = 0; i < nr_nodes; i++) {
        n->node[i] = nodes[i];
        memcpy(n->distance[i], distance[i], sizeof(n->distance[i]));
    }
    memcpy(n->cpu_node, cpu_node, cpus);
    order_nodes(n, cpus);
}

/* ---- boot ----------------------------------------------------------------------------------- */

static unsigned cut_ranges(const struct km_pfn_range *from, unsigned nr, struct km_pfn_range span,
                           struct km_pfn_range *out)
{
    unsigned kept = 0;

    for (unsigned i = 0; i < nr; i++) {
        struct km_pfn_range r = {from[i].start > span.start ? from[i].start : span.start,
                                 from[i].end < span.end ? from[i].end : span.end};

        if (r.start >= r.end)
            continue;
        KM_BUG_ON(kept == MAX_RANGES);
        out[kept++] = r;
    }
    return kept;
}

static uint64_t low_pages(const struct km_os *os, const uint8_t *w, bool above_high)
{
    uint64_t sum = 0;

    for (unsigned z = KM_ZONE_DMA; z <= KM_ZONE_NORMAL; z++) {
        uint32_t managed = km_peek32(w, os->zone[z].va + KM_ZONE_MANAGED);
        uint32_t high = above_high ? km_peek32(w, os->zone[z].va + KM_ZONE_WATERMARK + KM_WMARK_HIGH * 4) : 0;

        sum += managed > high ? managed - high : 0;
    }
    return sum;
}

/* One min_free_kbytes for the machine; every zone gets its share of all low memory. */
static void setup_watermarks(struct km_numa *n, struct km_cpu *cpu)
{
    uint64_t low = 0, above = 0;

    for (unsigned i = 0; i < n->nr_nodes; i++) {
        low += low_pages(n->node[i], cpu->window, false);
        above += low_pages(n->node[i], cpu->window, true);
    }
    for (unsigned i = 0; i < n->nr_nodes; i++) {
        struct km_os *os = n->node[i];
        uint64_t kbytes = km_isqrt(16 * above * 4), most = os->p.personality->min_free_kbytes_max;

        if (!os->p.min_free_kbytes)
            os->p.min_free_kbytes = (uint32_t)km_min_u64(km_max_u64(kbytes, 128), most);
        os->low_pages_elsewhere = low - low_pages(os, cpu->window, false);
        km_zone_setup_watermarks(os, cpu);
    }
}

static unsigned local_cpus(const struct km_numa *n, unsigned node, unsigned cpus)
{
    unsigned nr = 0;

    for (unsigned c = 0; c < cpus; c++)
        nr += n->cpu_node[c] == node;
    return nr ? nr : 1;
}

void km_numa_boot(struct km_numa *n, struct km_cpu *cpu, const struct km_os_params *params,
                  const struct km_pfn_range *span, const km_paddr *static_pa, km_paddr mem_map_pa,
                  const struct km_pfn_range *ram, unsigned nr_ram, const struct km_pfn_range *free,
                  unsigned nr_free)
{
    struct km_pfn_range part[MAX_RANGES];

    for (unsigned i = 0; i < n->nr_nodes; i++) {
        struct km_os_params p = *params;
        unsigned nr = cut_ranges(ram, nr_ram, span[i], part);

        KM_BUG_ON(!nr);
        p.static_pa = static_pa[i];
        p.node_start_pfn = part[0].start;
        p.node_end_pfn = part[nr - 1].end;
        km_boot_zones(n->node[i], cpu, &p, part, nr);
        if (i == 0)
            km_boot_mem_map(n->node[0], cpu, mem_map_pa, part, nr);
        else
            km_boot_mem_map_join(n->node[i], cpu, n->node[0], part, nr);
    }
    for (unsigned i = 0; i < n->nr_nodes; i++) {
        unsigned nr = cut_ranges(free, nr_free, span[i], part);

        km_boot_free(n->node[i], cpu, part, nr);
    }
    setup_watermarks(n, cpu);
    for (unsigned i = 0; i < n->nr_nodes; i++)
        km_pcp_setup(n->node[i], cpu, local_cpus(n, i, params->cpus));
}

/* ---- pages ---------------------------------------------------------------------------------- */

unsigned km_numa_pfn_node(const struct km_numa *n, km_pfn pfn)
{
    unsigned i = 0;

    while (i < n->nr_nodes && (pfn < n->node[i]->p.node_start_pfn || pfn >= n->node[i]->p.node_end_pfn))
        i++;
    return i;
}

static void count(struct km_numa *n, unsigned cpu_node, unsigned wanted, unsigned got)
{
    n->stats[got].hit += got == wanted;
    n->stats[got].miss += got != wanted;
    n->stats[wanted].foreign += got != wanted;
    n->stats[got].local += got == cpu_node;
    n->stats[got].other += got != cpu_node;
}

/* One walk over the zonelist of a node. */
static km_pfn walk(struct km_numa *n, struct km_cpu *cpu, unsigned node, uint32_t gfp, unsigned order,
                   km_pfn (*take)(struct km_os *, struct km_cpu *, uint32_t, unsigned), unsigned *got)
{
    const unsigned nr = gfp & KM_GFP_THISNODE ? 1 : n->nr_nodes;

    for (unsigned i = 0; i < nr; i++) {
        *got = n->order[node][i];
        km_exec(cpu, &site_zonelist, 12);
        km_pfn pfn = take(n->node[*got], cpu, gfp, order);

        if (pfn != KM_PFN_NONE)
            return pfn;
    }
    return KM_PFN_NONE;
}

km_pfn km_numa_alloc_pages(struct km_numa *n, struct km_cpu *cpu, int node, uint32_t gfp, unsigned order)
{
    const unsigned here = n->cpu_node[cpu->id], wanted = node < 0 ? here : (unsigned)node;
    km_pfn pfn = KM_PFN_NONE;
    unsigned got = 0;

    if (wanted < n->nr_nodes && order < KM_NR_ORDERS) {
        pfn = walk(n, cpu, wanted, gfp, order, km_alloc_pages_at_low, &got);
        if (pfn == KM_PFN_NONE)
            pfn = walk(n, cpu, wanted, gfp, order, km_alloc_pages_again, &got);
    }
    if (pfn != KM_PFN_NONE)
        count(n, here, wanted, got);
    km_trace_tp(n->node[wanted < n->nr_nodes ? wanted : 0], cpu,
                &(struct km_tp){.kind = KM_TP_PAGE_ALLOC,
                                .pfn = pfn,
                                .order = (uint8_t)order,
                                .migratetype = (uint8_t)km_gfp_migratetype(gfp),
                                .gfp = gfp});
    return pfn;
}

void km_numa_free_pages(struct km_numa *n, struct km_cpu *cpu, km_pfn pfn, unsigned order)
{
    unsigned node = km_numa_pfn_node(n, pfn);

    KM_BUG_ON(node == n->nr_nodes);
    km_free_pages(n->node[node], cpu, pfn, order);
}

/* ---- the vmstat worker ---------------------------------------------------------------------- */

/* Lists of another node's zone that stood still for three ticks lose up to a batch at each further one. */
static void age_lists(struct km_numa *n, struct km_cpu *cpu, unsigned node, enum km_zone_id z)
{
    struct km_os *os = n->node[node];
    uint32_t listed = km_pcp_count(os, cpu->window, z, cpu->id);
    uint8_t *expire = &n->expire[node][z][cpu->id];
    uint32_t *seen = &n->seen[node][z][cpu->id];

    if (!listed || listed != *seen) {
        *expire = EXPIRE_TICKS;
        *seen = listed;
        return;
    }
    if (*expire && --*expire)
        return;
    km_exec(cpu, &site_expire, 30);
    km_pcp_drain(os, cpu, z, cpu->id, km_peek32(cpu->window, os->zone[z].pcp_va[cpu->id] + KM_PCP_BATCH));
    *seen = km_pcp_count(os, cpu->window, z, cpu->id);
}

void km_numa_tick(struct km_numa *n, struct km_cpu *cpu)
{
    for (unsigned i = 0; i < n->nr_nodes; i++) {
        km_zone_fold_counters(n->node[i], cpu);
        for (unsigned z = 0; i != n->cpu_node[cpu->id] && z < KM_NR_ZONES; z++)
            if (km_zone_populated(&n->node[i]->zone[z]))
                age_lists(n, cpu, i, (enum km_zone_id)z);
    }
}

/* ---- the slab layer's view ------------------------------------------------------------------ */

static km_pfn src_alloc(void *ctx, struct km_cpu *cpu, uint32_t gfp, unsigned order)
{
    return km_numa_alloc_pages(ctx, cpu, -1, gfp, order);
}

static km_pfn src_alloc_node(void *ctx, struct km_cpu *cpu, unsigned node, uint32_t gfp, unsigned order)
{
    return km_numa_alloc_pages(ctx, cpu, (int)node, gfp, order);
}

static void src_free(void *ctx, struct km_cpu *cpu, km_pfn pfn, unsigned order)
{
    km_numa_free_pages(ctx, cpu, pfn, order);
}

struct km_page_src km_page_src_numa(struct km_numa *n)
{
    return (struct km_page_src){.alloc = src_alloc, .alloc_node = src_alloc_node, .free = src_free, .ctx = n};
}

static unsigned slab_pfn_node(void *ctx, km_pfn pfn)
{
    return km_numa_pfn_node(ctx, pfn);
}

struct km_slab_numa km_slab_numa_of(struct km_numa *n)
{
    return (struct km_slab_numa){
        .nodes = n->nr_nodes, .cpu_node = n->cpu_node, .pfn_node = slab_pfn_node, .ctx = n};
}

const char *km_numa_check(const struct km_numa *n, const uint8_t *window)
{
    for (unsigned i = 0; i < n->nr_nodes; i++)
        for (unsigned z = 0; z < KM_NR_ZONES; z++) {
            const struct km_os *os = n->node[i];
            const char *why = km_buddy_check(os, window, (enum km_zone_id)z);

            for (unsigned c = 0; c < os->p.cpus && !why; c++)
                why = km_pcp_check(os, window, (enum km_zone_id)z, c);
            if (why)
                return why;
        }
    return NULL;
}
