/* SPDX-License-Identifier: MIT
 * test_numa.c - nodes: boot from memblock's node ids, fallback orders, alloc_pages_node, SLAB across nodes.
 *
 *   PFN    1      1000       1800            2ffe          3400            4000
 *   zones  | DMA  | Normal                   | HighMem                     |
 *   nodes  |    node 0       |        node 1               |     node 2      |
 *
 * CPU 0 is on node 0, CPU 1 on node 1; node 2 has high memory only and no CPU. Distances 10, 20, 40: 0 - 1 - 2.
 */
#include "tests/unit/os/small_guest.h"
#include "tests/unit/os/rounds.h"

#include "models/os/kmalloc_api.h"
#include "models/os/numa.h"
#include "sim/report/proc_text.h"

#include <stdlib.h>

enum { NODES = 3, BORDER_01 = 0x1800, BORDER_12 = 0x3400, STATIC_PAGES = KM_OS_STATIC_BYTES >> KM_PAGE_SHIFT };

static uint8_t distance[NODES][KM_NUMA_MAX_NODES] = {{10, 20, 40}, {20, 10, 20}, {40, 20, 10}};
static const uint8_t cpu_node[KM_MAX_CPUS] = {0, 1};

struct nodes {
    struct small_guest g; /* window, CPUs, tracepoints; node 0 */
    struct km_os other[NODES - 1];
    struct km_numa n;
    struct km_memblock mb;
};

static struct nodes machine;

/* Memory with node ids, as an ACPI SRAT gives them; spans come out of memblock again. */
static unsigned boot_memblock(struct nodes *m, struct km_pfn_range *free, struct km_pfn_range *ram, unsigned *nr_ram,
                              struct km_pfn_range span[NODES], km_paddr *mem_map_pa)
{
    static const km_paddr border[NODES + 1] = {0x100000, (km_paddr)BORDER_01 << 12, (km_paddr)BORDER_12 << 12,
                                               (km_paddr)GUEST_MAX_PFN << 12};
    const struct km_memblock_params p = {
        .static_va = 0xc0000000u + (GUEST_BSS_PFN << KM_PAGE_SHIFT) + NODES * KM_OS_STATIC_BYTES,
        .page_offset = 0xc0000000u,
        .paddr_64 = true,
        .nodes = NODES,
        .line_bytes = 64,
    };
    struct km_cpu *cpu = &m->g.cpu[0];
    uint64_t cursor = 0;
    unsigned n = 0;

    km_memblock_init(&m->mb, cpu, &p);
    km_memblock_add_node(&m->mb, cpu, 0x1000, 0x9e000, 0, 0);
    for (unsigned i = 0; i < NODES; i++)
        km_memblock_add_node(&m->mb, cpu, border[i], border[i + 1] - border[i], i, 0);
    km_memblock_reserve(&m->mb, cpu, 0, 0x100000);
    km_memblock_reserve(&m->mb, cpu, (km_paddr)GUEST_BSS_PFN << 12, NODES * KM_OS_STATIC_BYTES + 0x2000);
    km_memblock_set_current_limit(&m->mb, cpu, (km_paddr)GUEST_LOW_PFN << 12);
    *mem_map_pa = km_memblock_alloc_try_nid_raw(&m->mb, cpu, GUEST_MAX_PFN * 40ull, 64, 0, KM_MEMBLOCK_ACCESSIBLE, 1);
    while (km_memblock_next_free_pfn(&m->mb, cpu, &cursor, &free[n].start, &free[n].end))
        n++;
    *nr_ram = 0;
    for (uint32_t i = 0; i < NODES; i++) {
        uint32_t index = 0;
        struct km_pfn_range r;

        span[i] = (struct km_pfn_range){UINT32_MAX, 0};
        while (km_memblock_next_mem_pfn(&m->mb, cpu, &index, i, &r.start, &r.end)) {
            ram[(*nr_ram)++] = r;
            span[i].start = r.start < span[i].start ? r.start : span[i].start;
            span[i].end = r.end;
        }
    }
    return n;
}

static int boot(void **state)
{
    struct nodes *m = &machine;
    struct km_os *const node[NODES] = {&m->g.os, &m->other[0], &m->other[1]};
    struct km_pfn_range free[16], ram[16], span[NODES];
    km_paddr static_pa[NODES], mem_map_pa;
    unsigned nr_ram;

    memset(m, 0, sizeof(*m));
    m->g.window = mmap(NULL, 1ull << 32, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    assert_ptr_not_equal(m->g.window, MAP_FAILED);
    for (unsigned c = 0; c < GUEST_CPUS; c++)
        km_cpu_init_null(&m->g.cpu[c], c, m->g.window);
    unsigned nr_free = boot_memblock(m, free, ram, &nr_ram, span, &mem_map_pa);
    const struct km_os_params params = {
        .personality = test_personality(),
        .cpus = GUEST_CPUS,
        .page_offset = 0xc0000000u,
        .max_pfn = GUEST_MAX_PFN,
        .max_low_pfn = GUEST_LOW_PFN,
        .pageblock_order = 9,
        .struct_page_bytes = 40,
        .watermark_scale_factor = test_personality()->watermark_scale_factor,
        .seed = 1,
    };

    for (unsigned i = 0; i < NODES; i++)
        static_pa[i] = ((km_paddr)GUEST_BSS_PFN << 12) + i * KM_OS_STATIC_BYTES;
    km_numa_init(&m->n, NODES, node, distance, cpu_node, GUEST_CPUS);
    km_numa_boot(&m->n, &m->g.cpu[0], &params, span, static_pa, mem_map_pa, ram, nr_ram, free, nr_free);
    for (unsigned i = 0; i < NODES; i++) {
        node[i]->tracer.emit = guest_emit;
        node[i]->tracer.ctx = &m->g;
    }
    *state = m;
    return 0;
}

static int shut_down(void **state)
{
    struct nodes *m = *state;

    munmap(m->g.window, 1ull << 32);
    return 0;
}

static uint32_t word(const struct nodes *m, unsigned node, unsigned z, unsigned offset)
{
    return km_peek32(m->g.window, m->n.node[node]->zone[z].va + offset);
}

static void check(const struct nodes *m)
{
    const char *why = km_numa_check(&m->n, m->g.window);

    if (why)
        fail_msg("%s", why);
}

/* Every zone lies in its node; marks: one min_free_kbytes, shared out over the low memory of all nodes. */
static void boot_cuts_zones(void **state)
{
    struct nodes *m = *state;
    static const struct {
        unsigned node, zone;
        km_pfn start, end;
    } want[] = {{0, KM_ZONE_DMA, 1, 0x1000},           {0, KM_ZONE_NORMAL, 0x1000, BORDER_01},
                {1, KM_ZONE_NORMAL, BORDER_01, GUEST_LOW_PFN}, {1, KM_ZONE_HIGHMEM, GUEST_LOW_PFN, BORDER_12},
                {2, KM_ZONE_HIGHMEM, BORDER_12, GUEST_MAX_PFN}};
    uint64_t low = 0, min = 0, managed = 0;
    unsigned populated = 0;

    for (unsigned i = 0; i < KM_ARRAY_LEN(want); i++) {
        const struct km_zone *zone = &m->n.node[want[i].node]->zone[want[i].zone];

        assert_int_equal(zone->start_pfn, want[i].start);
        assert_int_equal(zone->end_pfn, want[i].end);
    }
    for (unsigned i = 0; i < NODES; i++)
        for (unsigned z = 0; z < KM_NR_ZONES; z++) {
            populated += km_zone_populated(&m->n.node[i]->zone[z]);
            managed += word(m, i, z, KM_ZONE_MANAGED);
            if (z > KM_ZONE_NORMAL)
                continue;
            low += word(m, i, z, KM_ZONE_MANAGED);
            min += word(m, i, z, KM_ZONE_WATERMARK);
        }
    assert_int_equal(populated, KM_ARRAY_LEN(want));
    uint64_t pages_min = m->n.node[0]->p.min_free_kbytes / 4;

    assert_in_range(min, pages_min - 3, pages_min); /* three zones round down */
    assert_int_equal(word(m, 1, KM_ZONE_NORMAL, KM_ZONE_WATERMARK),
                     pages_min * word(m, 1, KM_ZONE_NORMAL, KM_ZONE_MANAGED) / low);
    /* reserves count the zones above in the same node only */
    assert_int_equal(word(m, 0, KM_ZONE_DMA, KM_ZONE_LOWMEM_RESERVE + 4 * KM_ZONE_HIGHMEM),
                     word(m, 0, KM_ZONE_NORMAL, KM_ZONE_MANAGED) / 256);
    assert_true(managed > 0x2e00);
    check(m);
}

/* Nearest first; of equals those behind oneself, with fewer that already fall back to them. */
static void fallback_orders(void **state)
{
    static uint8_t square[4][KM_NUMA_MAX_NODES] = { /* 0 - 1, 2 - 3 near; all others equally far */
        {10, 15, 20, 20}, {15, 10, 20, 20}, {20, 20, 10, 15}, {20, 20, 15, 10}};
    static const uint8_t cpus[KM_MAX_CPUS] = {0, 1, 2, 3};
    static struct km_os four[4];
    struct km_os *const node[] = {&four[0], &four[1], &four[2], &four[3]};
    static struct km_numa n;
    struct nodes *m = *state;

    for (unsigned i = 0; i < NODES; i++)
        assert_int_equal(m->n.order[i][0], i);
    assert_int_equal(m->n.order[0][1], 1);
    assert_int_equal(m->n.order[0][2], 2);
    assert_int_equal(m->n.order[1][1], 2); /* behind itself, and without CPUs */
    assert_int_equal(m->n.order[2][1], 1);
    km_numa_init(&n, 4, node, square, cpus, 4);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(n.order[i][1], i ^ 1); /* the near one */
    assert_int_equal(n.order[0][2], 2);
    assert_int_equal(n.order[1][2], 3); /* 2 bears node 0 already */
}

/* The zones of the wanted node, then those of the next; counters; THISNODE. */
static void pages_of_a_node(void **state)
{
    struct nodes *m = *state;
    struct km_cpu *cpu = &m->g.cpu[0];
    unsigned last = 1, steps = 0;
    km_pfn pfn;

    for (int node = 0; node < NODES; node++) {
        pfn = km_numa_alloc_pages(&m->n, cpu, node, KM_GFP_HIGHUSER_MOVABLE, 0);
        assert_int_equal(km_numa_pfn_node(&m->n, pfn), node);
        km_numa_free_pages(&m->n, cpu, pfn, 0);
    }
    pfn = km_numa_alloc_pages(&m->n, &m->g.cpu[1], -1, KM_GFP_KERNEL, 0); /* the CPU's own */
    assert_int_equal(km_numa_pfn_node(&m->n, pfn), 1);
    pfn = km_numa_alloc_pages(&m->n, cpu, 1, KM_GFP_KERNEL | KM_GFP_DMA, 0); /* only node 0 has DMA */
    assert_int_equal(km_numa_pfn_node(&m->n, pfn), 0);
    assert_int_equal(km_numa_alloc_pages(&m->n, cpu, 1, KM_GFP_KERNEL | KM_GFP_DMA | KM_GFP_THISNODE, 0),
                     KM_PFN_NONE);
    assert_int_equal(km_numa_alloc_pages(&m->n, cpu, 2, KM_GFP_KERNEL | KM_GFP_THISNODE, 0), KM_PFN_NONE);
    assert_int_equal(km_numa_alloc_pages(&m->n, cpu, NODES, KM_GFP_KERNEL, 0), KM_PFN_NONE);
    assert_int_equal(m->n.stats[0].hit, 1);
    assert_int_equal(m->n.stats[0].miss, 1); /* the DMA page */
    assert_int_equal(m->n.stats[1].foreign, 1);
    assert_int_equal(m->n.stats[1].local, 1);
    assert_int_equal(m->n.stats[2].other, 1);

    /* node 1 at LOW, then 2 (no low memory), then 0; then all at MIN in the same order */
    while ((pfn = km_numa_alloc_pages(&m->n, cpu, 1, KM_GFP_KERNEL, 0)) != KM_PFN_NONE) {
        unsigned node = km_numa_pfn_node(&m->n, pfn);

        steps += node != last;
        last = node;
    }
    assert_int_equal(steps, 3); /* 1 0 | 1 0 */
    assert_int_equal(last, 0);
    assert_int_equal(m->g.tp[m->g.nr_tp - 1].kind, KM_TP_PAGE_ALLOC); /* the failure, told once */
    check(m);
}

/* A CPU's list of another node's pages goes back when it stood still; lists of its own node stay. */
static void remote_lists_age(void **state)
{
    struct nodes *m = *state;
    struct km_cpu *cpu = &m->g.cpu[0];

    for (unsigned i = 0; i < NODES; i++)
        for (unsigned z = 0; z < KM_NR_ZONES; z++)
            if (km_zone_populated(&m->n.node[i]->zone[z]))
                km_pcp_set_limits(m->n.node[i], cpu, (enum km_zone_id)z, 0, 60, 7);
    for (int node = 0; node < 2; node++) {
        km_pfn pfn = km_numa_alloc_pages(&m->n, cpu, node, KM_GFP_KERNEL, 0);

        km_numa_free_pages(&m->n, cpu, pfn, 0);
    }
    uint32_t own = km_pcp_count(m->n.node[0], m->g.window, KM_ZONE_NORMAL, 0);

    assert_int_equal(km_pcp_count(m->n.node[1], m->g.window, KM_ZONE_NORMAL, 0), 7);
    for (unsigned tick = 0; tick < 3; tick++) {
        km_numa_tick(&m->n, cpu);
        assert_int_equal(km_pcp_count(m->n.node[1], m->g.window, KM_ZONE_NORMAL, 0), 7);
    }
    km_numa_tick(&m->n, cpu);
    assert_int_equal(km_pcp_count(m->n.node[1], m->g.window, KM_ZONE_NORMAL, 0), 0);
    assert_int_equal(km_pcp_count(m->n.node[0], m->g.window, KM_ZONE_NORMAL, 0), own);
    check(m);
}

static void count_blocks(const struct nodes *m, uint64_t out[NODES][KM_NR_ZONES][KM_NR_ORDERS])
{
    for (unsigned i = 0; i < NODES; i++)
        for (unsigned z = 0; z < KM_NR_ZONES; z++)
            km_buddy_count(m->n.node[i], m->g.window, (enum km_zone_id)z, out[i][z], NULL);
}

/* Random requests for random nodes from both CPUs: no frame twice, all lists sound, the start back at the end. */
static void random_requests(void **state)
{
    enum { LIVE = 600 };
    static uint8_t owner[GUEST_MAX_PFN];
    static struct {
        km_pfn pfn;
        unsigned order;
    } live[LIVE];
    struct nodes *m = *state;
    struct km_prng p = {.state = 31};
    uint64_t before[NODES][KM_NR_ZONES][KM_NR_ORDERS], after[NODES][KM_NR_ZONES][KM_NR_ORDERS];
    static const uint32_t gfps[] = {KM_GFP_KERNEL, KM_GFP_HIGHUSER_MOVABLE, KM_GFP_HIGHUSER, KM_GFP_KERNEL | KM_GFP_DMA,
                                    KM_GFP_HIGHUSER_MOVABLE | KM_GFP_THISNODE, KM_GFP_NOWAIT | KM_GFP_RECLAIMABLE};
    unsigned failed = 0;

    memset(owner, 0, sizeof(owner));
    for (unsigned i = 0; i < LIVE; i++)
        live[i].pfn = KM_PFN_NONE;
    count_blocks(m, before);
    for (unsigned step = 0; step < test_rounds(8000); step++) {
        struct km_cpu *cpu = &m->g.cpu[km_prng_below(&p, GUEST_CPUS)];
        unsigned i = km_prng_below(&p, LIVE), pages;

        guest_forget_events(&m->g);
        if (live[i].pfn != KM_PFN_NONE) {
            memset(owner + live[i].pfn, 0, 1u << live[i].order);
            km_numa_free_pages(&m->n, cpu, live[i].pfn, live[i].order);
            live[i].pfn = KM_PFN_NONE;
        } else {
            uint32_t gfp = gfps[km_prng_below(&p, KM_ARRAY_LEN(gfps))];
            int node = (int)km_prng_below(&p, NODES + 1) - 1;

            live[i].order = km_prng_below(&p, 3) ? 0 : km_prng_below(&p, 11);
            live[i].pfn = km_numa_alloc_pages(&m->n, cpu, node, gfp, live[i].order);
            failed += live[i].pfn == KM_PFN_NONE;
            pages = live[i].pfn == KM_PFN_NONE ? 0 : 1u << live[i].order;
            for (unsigned f = 0; f < pages; f++)
                if (owner[live[i].pfn + f]++)
                    fail_msg("frame %x handed out twice", live[i].pfn + f);
            if (pages && (gfp & KM_GFP_THISNODE))
                assert_int_equal(km_numa_pfn_node(&m->n, live[i].pfn), node < 0 ? cpu_node[cpu->id] : node);
        }
        if (km_prng_below(&p, 100) == 0)
            km_numa_tick(&m->n, cpu);
        check(m);
    }
    for (unsigned i = 0; i < LIVE; i++)
        if (live[i].pfn != KM_PFN_NONE)
            km_numa_free_pages(&m->n, &m->g.cpu[0], live[i].pfn, live[i].order);
    for (unsigned i = 0; i < NODES; i++)
        km_drain_all_pages(m->n.node[i], &m->g.cpu[0]);
    check(m);
    count_blocks(m, after);
    assert_memory_equal(before, after, sizeof(before));
    assert_true(failed > 0);
}

/* SLAB over real nodes: kmalloc_node serves from where it was told, objects freed elsewhere pass alien caches. */
static void slab_of_nodes(void **state)
{
    enum { OBJECTS = 400 };
    struct nodes *m = *state;
    static struct km_slab_layer l;
    const struct km_slab_params sp = {.ops = km_slab_ops_by_name("slab"),
                                      .src = km_page_src_numa(&m->n),
                                      .numa = km_slab_numa_of(&m->n),
                                      .merge = true};
    struct km_cpu *cpu = &m->g.cpu[0];
    km_vaddr obj[OBJECTS];

    assert_true(km_slab_init(&l, &m->g.os, cpu, &sp));
    for (unsigned i = 0; i < OBJECTS; i++) {
        int node = (int)(i % 2);

        obj[i] = km_kmalloc_node(&l, cpu, 500, KM_GFP_KERNEL, node);
        assert_int_not_equal(obj[i], 0);
        assert_int_equal(km_numa_pfn_node(&m->n, km_va_to_pfn(&m->g.os, obj[i])), node);
        for (unsigned j = 0; j < i; j++)
            assert_int_not_equal(obj[i], obj[j]);
    }
    assert_null(km_slab_check(&l, m->g.window));
    km_vaddr large = km_kmalloc_node(&l, cpu, 3u << 20, KM_GFP_KERNEL, 1);

    assert_int_equal(km_numa_pfn_node(&m->n, km_va_to_pfn(&m->g.os, large)), 1);
    km_kfree(&l, cpu, large);
    /* node 2 has no low memory: any other will do, unless the caller insists */
    km_vaddr far = km_kmalloc_node(&l, cpu, 500, KM_GFP_KERNEL, 2);

    assert_int_not_equal(far, 0);
    km_kfree(&l, cpu, far);
    assert_int_equal(km_kmalloc_node(&l, cpu, 500, KM_GFP_KERNEL | KM_GFP_THISNODE, 2), 0);
    for (unsigned i = 0; i < OBJECTS; i++) {
        km_kfree(&l, &m->g.cpu[i / 2 % 2], obj[i]);
        assert_null(km_slab_check(&l, m->g.window));
    }
    check(m);
}

/* buddyinfo names every node. */
static void all_nodes_in_buddyinfo(void **state)
{
    struct nodes *m = *state;
    struct km_proc_zone zone[NODES * KM_NR_ZONES];
    static const char *const want[] = {"Node 0, zone      DMA ", "Node 0, zone   Normal ", "Node 1, zone   Normal ",
                                       "Node 1, zone  HighMem ", "Node 2, zone  HighMem "};

    memset(zone, 0, sizeof(zone));
    for (unsigned i = 0; i < NODES * KM_NR_ZONES; i++) {
        const struct km_zone *z = &m->n.node[i / KM_NR_ZONES]->zone[i % KM_NR_ZONES];

        zone[i].node = (int)(i / KM_NR_ZONES);
        zone[i].name = z->name;
        zone[i].present = z->present_pages;
        km_buddy_count(m->n.node[i / KM_NR_ZONES], m->g.window, (enum km_zone_id)(i % KM_NR_ZONES), zone[i].nr_free,
                       NULL);
    }
    char *text = km_proc_buddyinfo(zone, NODES * KM_NR_ZONES), *at = text;

    for (unsigned i = 0; i < KM_ARRAY_LEN(want); i++) {
        assert_memory_equal(at, want[i], strlen(want[i]));
        at = strchr(at, '\n') + 1;
    }
    assert_int_equal(*at, '\0');
    free(text);
}

#define T(f) cmocka_unit_test_setup_teardown(f, boot, shut_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(boot_cuts_zones), T(fallback_orders), T(pages_of_a_node), T(remote_lists_age),
        T(random_requests), T(slab_of_nodes),   T(all_nodes_in_buddyinfo),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
