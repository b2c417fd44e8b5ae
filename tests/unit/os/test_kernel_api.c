/* SPDX-License-Identifier: MIT
 * test_kernel_api.c - the kernel's allocation calls by their names, each used as a driver would use it.
 *
 * One row per name: get memory, use it, give it back. After every row the pages are those of before (what a cache
 * keeps for the next call included), and all checks hold. Flags are looked up by name in every kernel that had them.
 * User-level calls (malloc, mmap, brk ...) have test_user_malloc.c and test_user_mm.c.
 */
#include "tests/unit/os/vmem_fixture.h"

#include "models/os/gfp_names.h"
#include "models/os/highmem.h"
#include "models/os/ioremap.h"
#include "models/os/kmalloc_api.h"
#include "models/os/mempool.h"
#include "models/os/page_api.h"
#include "models/os/percpu.h"

#define SITE 0xc1000001u

struct driver {
    struct vmem *m;
    struct km_os *os;
    struct km_cpu *cpu;
    struct km_slab_layer *slab;
    struct km_kfree_rcu rcu;
    struct km_highmem high;
    struct km_percpu percpu;
    struct km_io io;
    km_vaddr task;
};

static void fill(struct driver *d, km_vaddr va, uint32_t bytes)
{
    assert_int_not_equal(va, 0);
    memset(d->m->w.base + va, 0x5a, bytes);
}

static void expect_zeroed(struct driver *d, km_vaddr va, uint32_t bytes)
{
    assert_int_not_equal(va, 0);
    for (uint32_t i = 0; i < bytes; i++)
        assert_int_equal(d->m->w.base[va + i], 0);
}

/* ---- pages ---- */

static void use_alloc_pages(struct driver *d)
{
    km_pfn pfn = km_alloc_pages(d->os, d->cpu, KM_GFP_KERNEL, 3);

    fill(d, km_page_address(d->os, pfn), 8 * KM_PAGE_BYTES);
    assert_int_equal(km_put_pages(d->os, d->cpu, pfn, 3), KM_PAGE_OK);
}

static void use_alloc_pages_node(struct driver *d)
{
    km_pfn pfn = km_alloc_pages_node(d->os, d->cpu, 0, KM_GFP_KERNEL, 1);

    fill(d, km_page_address(d->os, pfn), 2 * KM_PAGE_BYTES);
    assert_int_equal(km_put_pages(d->os, d->cpu, pfn, 1), KM_PAGE_OK);
}

static void use_get_free_pages(struct driver *d)
{
    km_vaddr va = km_get_free_pages(d->os, d->cpu, KM_GFP_KERNEL, 2);

    fill(d, va, 4 * KM_PAGE_BYTES);
    assert_int_equal(km_virt_to_page(d->os, va + 5000), km_va_to_pfn(d->os, va) + 1);
    assert_int_equal(km_free_pages_va(d->os, d->cpu, va, 2), KM_PAGE_OK);
}

static void use_get_zeroed_page(struct driver *d)
{
    km_vaddr va = km_get_zeroed_page(d->os, d->cpu, KM_GFP_KERNEL);

    expect_zeroed(d, va, KM_PAGE_BYTES);
    fill(d, va, KM_PAGE_BYTES);
    assert_int_equal(km_free_pages_va(d->os, d->cpu, va, 0), KM_PAGE_OK);
}

static void use_alloc_pages_exact(struct driver *d)
{
    km_vaddr va = km_alloc_pages_exact(d->os, d->cpu, 5 * KM_PAGE_BYTES, KM_GFP_KERNEL);

    fill(d, va, 5 * KM_PAGE_BYTES);
    km_free_pages_exact(d->os, d->cpu, va, 5 * KM_PAGE_BYTES);
}

static void use_dma_and_high_pages(struct driver *d)
{
    km_pfn dma = km_alloc_pages(d->os, d->cpu, KM_GFP_DMA, 0);
    km_pfn high = km_alloc_pages(d->os, d->cpu, KM_GFP_HIGHUSER, 0);

    assert_int_equal(km_pfn_zone(d->os, dma), KM_ZONE_DMA);
    assert_int_equal(km_pfn_zone(d->os, high), KM_ZONE_HIGHMEM);
    km_free_pages(d->os, d->cpu, dma, 0);
    km_free_pages(d->os, d->cpu, high, 0);
}

/* ---- objects ---- */

static void use_kmalloc(struct driver *d)
{
    km_vaddr va = km_kmalloc(d->slab, d->cpu, 1000 * 4, KM_GFP_KERNEL); /* an array of 1000 numbers */

    fill(d, va, 4000);
    assert_int_equal(km_ksize(d->slab, d->cpu, va), 4096);
    km_kfree(d->slab, d->cpu, va);
    assert_int_equal(km_kmalloc(d->slab, d->cpu, 8u << 20, KM_GFP_KERNEL), 0); /* 4 MiB is the largest */
}

static void use_kzalloc(struct driver *d)
{
    km_vaddr va = km_kzalloc(d->slab, d->cpu, 700, KM_GFP_ATOMIC);

    expect_zeroed(d, va, 700);
    va = km_krealloc(d->slab, d->cpu, va, 3000, KM_GFP_KERNEL);
    expect_zeroed(d, va, 700);
    km_kfree_sensitive(d->slab, d->cpu, va);
}

static void use_arrays(struct driver *d)
{
    km_vaddr va = km_kmalloc_array(d->slab, d->cpu, 30, 12, KM_GFP_KERNEL);

    fill(d, va, 360);
    km_kfree(d->slab, d->cpu, va);
    va = km_kcalloc(d->slab, d->cpu, 100, 20, KM_GFP_KERNEL);
    expect_zeroed(d, va, 2000);
    km_kfree(d->slab, d->cpu, va);
    assert_int_equal(km_kmalloc_array(d->slab, d->cpu, 0x10001, 0x10000, KM_GFP_KERNEL), 0);
    assert_int_equal(km_kcalloc(d->slab, d->cpu, 0x80000000u, 2, KM_GFP_KERNEL), 0);
}

static void use_nodes(struct driver *d)
{
    struct km_kmem_cache *c = km_kmalloc_cache(d->slab, 100, KM_GFP_KERNEL);
    km_vaddr a = km_kmalloc_node(d->slab, d->cpu, 100, KM_GFP_KERNEL, 0);
    km_vaddr b = km_kmem_cache_alloc_node(d->slab, d->cpu, c, KM_GFP_KERNEL, KM_ANY_NODE);
    km_vaddr far = km_kmalloc_node(d->slab, d->cpu, 100, KM_GFP_KERNEL, 3);

    fill(d, a, 100);
    fill(d, b, 100);
    fill(d, far, 100); /* a node that does not exist is no obstacle, unless ... */
    assert_int_equal(km_kmalloc_node(d->slab, d->cpu, 100, KM_GFP_KERNEL | KM_GFP_THISNODE, 3), 0);
    km_kfree(d->slab, d->cpu, a);
    km_kmem_cache_free(d->slab, d->cpu, c, b);
    km_kfree(d->slab, d->cpu, far);
}

static void use_kmem_cache(struct driver *d)
{
    const uint32_t flags = KM_CACHE_HWCACHE_ALIGN | KM_CACHE_POISON | KM_CACHE_RED_ZONE | KM_CACHE_PANIC;
    struct km_kmem_cache *c = km_kmem_cache_create(d->slab, d->cpu, "my_cache", 52, 0, flags);
    km_vaddr obj[40];

    assert_non_null(c);
    for (unsigned i = 0; i < 40; i++) {
        obj[i] = km_kmem_cache_alloc(d->slab, d->cpu, c, KM_GFP_KERNEL);
        fill(d, obj[i], 52);
    }
    assert_false(km_kmem_cache_destroy(d->slab, d->cpu, c)); /* objects are live */
    for (unsigned i = 0; i < 40; i++)
        km_kmem_cache_free(d->slab, d->cpu, c, obj[i]);
    assert_true(km_kmem_cache_destroy(d->slab, d->cpu, c));
}

static void use_kfree_rcu(struct driver *d)
{
    km_vaddr va[2000];

    for (unsigned i = 0; i < 2000; i++)
        va[i] = km_kmalloc(d->slab, d->cpu, 40, KM_GFP_KERNEL);
    for (unsigned i = 0; i < 2000; i++) {
        km_kfree_rcu(&d->rcu, &d->m->g.cpu[i % 2], va[i]);
        assert_null(km_kfree_rcu_check(&d->rcu, d->m->w.base));
    }
    guest_forget_events(&d->m->g);
    assert_int_equal(km_kfree_rcu_quiesce(&d->rcu, d->cpu), 2000);
    assert_int_equal(guest_count_events(&d->m->g, KM_TP_KFREE), 0); /* silent */
    assert_null(km_kfree_rcu_check(&d->rcu, d->m->w.base));
}

static void use_kvmalloc(struct driver *d)
{
    km_vaddr small = km_kvmalloc(&d->m->v, d->cpu, 600, KM_GFP_KERNEL, SITE);
    km_vaddr large = km_kvmalloc(&d->m->v, d->cpu, 6u << 20, KM_GFP_KERNEL | KM_GFP_ZERO, SITE);

    fill(d, small, 600);
    assert_in_range(large, VMEM_START, VMEM_END - 1); /* no such block: from vmalloc */
    expect_zeroed(d, large, 6u << 20);
    km_kvfree(&d->m->v, d->cpu, small);
    km_kvfree(&d->m->v, d->cpu, large);
}

/* ---- mapped memory ---- */

static void use_vmalloc(struct driver *d)
{
    km_vaddr (*const call[])(struct km_vmalloc *, struct km_cpu *, uint32_t, km_vaddr) = {
        km_vmalloc, km_vzalloc, km_vmalloc_user, km_vmalloc_32};

    for (unsigned i = 0; i < KM_ARRAY_LEN(call); i++) {
        km_vaddr va = call[i](&d->m->v, d->cpu, 100000, SITE);

        if (i == 1 || i == 2)
            expect_zeroed(d, va, 100000);
        fill(d, va, 100000);
        assert_int_equal(km_vfree(&d->m->v, d->cpu, va, false), KM_VFREE_OK);
    }
}

static void use_kmap(struct driver *d)
{
    km_pfn pfn = km_alloc_pages(d->os, d->cpu, KM_GFP_HIGHUSER, 0);
    enum km_kmap_result why;
    km_vaddr va = km_kmap(&d->high, d->cpu, d->task, pfn, false, &why);

    fill(d, va, KM_PAGE_BYTES);
    assert_int_equal(km_kunmap(&d->high, d->cpu, pfn, false), KM_KMAP_WAKE);
    va = km_kmap_atomic(&d->high, d->cpu, d->task, pfn, &why);
    assert_int_equal(d->m->w.base[va + 17], 0x5a);
    assert_int_equal(km_kunmap_atomic(&d->high, d->cpu, d->task, va), KM_KMAP_OK);
    km_free_pages(d->os, d->cpu, pfn, 0);
}

static void use_ioremap(struct driver *d)
{
    km_vaddr va = km_ioremap(&d->io, d->cpu, 0xfe000000u, 2 * KM_PAGE_BYTES, SITE); /* also ioremap_nocache */

    assert_int_not_equal(va, 0);
    assert_int_equal(km_readl(&d->io, d->cpu, va), 0xffffffffu); /* nobody there */
    assert_null(km_io_check(&d->io, d->m->w.base));
    assert_true(km_iounmap(&d->io, d->cpu, va));
}

static void use_percpu(struct driver *d)
{
    struct km_percpu_area a = km_percpu_alloc(&d->percpu, d->cpu, 64, 8, false);

    for (unsigned c = 0; c < GUEST_CPUS; c++) { /* per_cpu_ptr, get_cpu_ptr */
        expect_zeroed(d, km_percpu_ptr(&d->percpu, a.base + a.off, c), 64);
        fill(d, km_percpu_ptr(&d->percpu, a.base + a.off, c), 64);
    }
    assert_true(km_percpu_free(&d->percpu, d->cpu, a.base + a.off));
    assert_null(km_percpu_check(&d->percpu, d->m->w.base));
}

static void use_mempool(struct driver *d)
{
    struct km_kmem_cache *c = km_kmem_cache_create(d->slab, d->cpu, "pool", 96, 0, KM_CACHE_NO_MERGE);

    for (unsigned kind = KM_MEMPOOL_SLAB; kind <= KM_MEMPOOL_PAGES; kind++) {
        struct km_mempool mp;
        enum km_mempool_result why;

        assert_true(km_mempool_create(&mp, d->slab, d->cpu, (enum km_mempool_kind)kind, 4,
                                      kind == KM_MEMPOOL_KMALLOC ? 300 : 0, c));
        km_vaddr va = km_mempool_alloc(&mp, d->cpu, KM_GFP_NOIO, &why);

        assert_int_not_equal(va, 0);
        if (kind != KM_MEMPOOL_PAGES) /* those are struct page */
            fill(d, va, 96);
        km_mempool_free(&mp, d->cpu, va);
        assert_null(km_mempool_check(&mp, d->m->w.base));
        km_mempool_destroy(&mp, d->cpu);
    }
    assert_true(km_kmem_cache_destroy(d->slab, d->cpu, c));
}

static const struct {
    const char *names;
    void (*use)(struct driver *d);
} calls[] = {
    {"alloc_page alloc_pages alloc_pages_current __free_page __free_pages page_address", use_alloc_pages},
    {"alloc_pages_node", use_alloc_pages_node},
    {"__get_free_page __get_free_pages free_page free_pages virt_to_page", use_get_free_pages},
    {"get_zeroed_page", use_get_zeroed_page},
    {"alloc_pages_exact free_pages_exact", use_alloc_pages_exact},
    {"GFP_DMA GFP_HIGHUSER", use_dma_and_high_pages},
    {"kmalloc kfree ksize", use_kmalloc},
    {"kzalloc krealloc kfree_sensitive", use_kzalloc},
    {"kmalloc_array kcalloc", use_arrays},
    {"kmalloc_node kmem_cache_alloc_node", use_nodes},
    {"kmem_cache_create kmem_cache_alloc kmem_cache_free kmem_cache_destroy KMEM_CACHE", use_kmem_cache},
    {"kfree_rcu", use_kfree_rcu},
    {"kvmalloc kvfree", use_kvmalloc},
    {"vmalloc vzalloc vmalloc_user vmalloc_32 vfree", use_vmalloc},
    {"kmap kunmap kmap_atomic kunmap_atomic", use_kmap},
    {"ioremap ioremap_nocache iounmap readl", use_ioremap},
    {"alloc_percpu free_percpu per_cpu_ptr get_cpu_ptr", use_percpu},
    {"mempool_create mempool_alloc mempool_free mempool_destroy, of slabs, kmalloc and pages", use_mempool},
};

static void open_driver(struct driver *d)
{
    static const struct km_pfn_range ram[] = {{1, 0x9f}, {0x100, GUEST_MAX_PFN}};

    memset(d, 0, sizeof(*d));
    d->m = vmem_open();
    d->os = &d->m->g.os;
    d->cpu = &d->m->g.cpu[0];
    d->slab = &d->m->slab;
    d->os->tracer.emit = guest_emit;
    d->os->tracer.ctx = &d->m->g;
    km_kfree_rcu_init(&d->rcu, d->slab, d->cpu);
    km_io_init(&d->io, &d->m->v, ram, KM_ARRAY_LEN(ram));
    const struct km_highmem_params high = {.slab = d->slab,
                                           .pt = &d->m->pt,
                                           .pkmap_base = 0xff400000u,
                                           .pkmap_slots = 512,
                                           .fixmap_top = 0xfffbb000u,
                                           .hook = d->m->v.p.hook};

    assert_true(km_highmem_init(&d->high, d->os, d->cpu, &high));
    d->task = km_kzalloc(d->slab, d->cpu, KM_KMAP_TASK_BYTES, KM_GFP_KERNEL);
    memset(d->m->w.base + d->task, 0, KM_KMAP_TASK_BYTES);
    km_pfn first = km_alloc_pages(d->os, d->cpu, KM_GFP_KERNEL, 5);
    const struct km_percpu_params percpu = {.v = &d->m->v,
                                            .first_base = km_pfn_to_va(d->os, first),
                                            .unit_bytes = 16 * KM_PAGE_BYTES,
                                            .static_bytes = 30000,
                                            .dynamic_bytes = 16 * KM_PAGE_BYTES - 30000};

    assert_true(km_percpu_init(&d->percpu, d->os, d->cpu, &percpu));
}

static void settle(struct driver *d)
{
    km_kfree_rcu_quiesce(&d->rcu, d->cpu);
    km_vmalloc_work(&d->m->v, d->cpu);
    km_vm_unmap_aliases(&d->m->v, d->cpu);
    for (unsigned i = 0; i < d->slab->nr_cache; i++)
        if (d->slab->cache[i].used)
            km_kmem_cache_shrink(d->slab, d->cpu, &d->slab->cache[i]);
    vmem_check(d->m);
    assert_null(km_slab_check(d->slab, d->m->w.base));
    assert_null(km_page_api_check(d->os, d->m->w.base));
}

static void every_call(void **state)
{
    struct driver d;

    (void)state;
    open_driver(&d);
    for (unsigned i = 0; i < KM_ARRAY_LEN(calls); i++) {
        calls[i].use(&d); /* page tables and the like come with the first use and stay */
        settle(&d);
        uint64_t before = vmem_free_pages(d.m);

        guest_forget_events(&d.m->g);
        calls[i].use(&d);
        settle(&d);
        if (vmem_free_pages(d.m) != before)
            fail_msg("%s: %d pages lost", calls[i].names, (int)(before - vmem_free_pages(d.m)));
    }
    vmem_close(d.m);
}

/* Pages are noted while there are any; then objects link themselves, and go back one by one, told. */
static void kfree_rcu_without_pages(void **state)
{
    struct driver d;
    km_vaddr va[50];
    km_pfn eaten = KM_PFN_NONE;

    (void)state;
    open_driver(&d);
    for (unsigned i = 0; i < 50; i++)
        va[i] = km_kmalloc(d.slab, d.cpu, 64, KM_GFP_KERNEL);
    do
        eaten = km_alloc_pages(d.os, d.cpu, KM_GFP_ATOMIC | KM_GFP_MEMALLOC, 0);
    while (eaten != KM_PFN_NONE);
    for (unsigned i = 0; i < 50; i++)
        km_kfree_rcu(&d.rcu, d.cpu, va[i]);
    assert_int_equal(d.rcu.stats.chained, 50);
    assert_null(km_kfree_rcu_check(&d.rcu, d.m->w.base));
    guest_forget_events(&d.m->g);
    assert_int_equal(km_kfree_rcu_quiesce(&d.rcu, d.cpu), 50);
    assert_int_equal(guest_count_events(&d.m->g, KM_TP_KFREE), 50);
    assert_null(km_slab_check(d.slab, d.m->w.base));
    vmem_close(d.m);
}

/* Names of flags in the material about 2.6 and later, and the kernels that know them (2.6, 4.10, 6.1). */
static void flags_by_name(void **state)
{
    static const struct {
        const char *name;
        bool known[3];
        uint32_t means; /* in the newest kernel that knows it */
    } want[] = {
        {"__GFP_WAIT", {1, 0, 0}, KM_GFP_DIRECT_RECLAIM},
        {"__GFP_HIGH", {1, 1, 1}, KM_GFP_HIGH},
        {"__GFP_IO", {1, 1, 1}, KM_GFP_IO},
        {"__GFP_FS", {1, 1, 1}, KM_GFP_FS},
        {"__GFP_COLD", {1, 1, 0}, 0},
        {"__GFP_NOWARN", {1, 1, 1}, KM_GFP_NOWARN},
        {"__GFP_REPEAT", {1, 1, 0}, KM_GFP_RETRY_MAYFAIL},
        {"__GFP_RETRY_MAYFAIL", {0, 0, 1}, KM_GFP_RETRY_MAYFAIL},
        {"__GFP_NOFAIL", {1, 1, 1}, KM_GFP_NOFAIL},
        {"__GFP_NORETRY", {1, 1, 1}, KM_GFP_NORETRY},
        {"__GFP_COMP", {1, 1, 1}, KM_GFP_COMP},
        {"__GFP_ZERO", {1, 1, 1}, KM_GFP_ZERO},
        {"__GFP_NOMEMALLOC", {1, 1, 1}, KM_GFP_NOMEMALLOC},
        {"__GFP_HARDWALL", {1, 1, 1}, KM_GFP_HARDWALL},
        {"__GFP_RECLAIMABLE", {1, 1, 1}, KM_GFP_RECLAIMABLE},
        {"__GFP_MOVABLE", {1, 1, 1}, KM_GFP_MOVABLE},
        {"__GFP_DMA", {1, 1, 1}, KM_GFP_DMA},
        {"__GFP_DMA32", {1, 1, 1}, KM_GFP_DMA32},
        {"__GFP_HIGHMEM", {1, 1, 1}, KM_GFP_HIGHMEM},
        {"GFP_ATOMIC", {1, 1, 1}, KM_GFP_ATOMIC},
        {"GFP_NOWAIT", {1, 1, 1}, KM_GFP_NOWAIT},
        {"GFP_NOIO", {1, 1, 1}, KM_GFP_NOIO},
        {"GFP_NOFS", {1, 1, 1}, KM_GFP_NOFS},
        {"GFP_KERNEL", {1, 1, 1}, KM_GFP_KERNEL},
        {"GFP_USER", {1, 1, 1}, KM_GFP_USER},
        {"GFP_HIGHUSER", {1, 1, 1}, KM_GFP_HIGHUSER},
        {"GFP_DMA", {1, 1, 1}, KM_GFP_DMA},
    };

    (void)state;
    for (size_t i = 0; i < KM_ARRAY_LEN(want); i++) {
        uint32_t raw, means = 0;

        for (unsigned p = 0; p < 3; p++) {
            assert_int_equal(km_gfp_raw_of_text(km_personalities[p], want[i].name, &raw), want[i].known[p]);
            if (want[i].known[p])
                means = km_gfp_from_raw(km_personalities[p], raw);
        }
        /* 2.6 tells atomic requests by what they lack */
        const uint32_t implied = want[i].known[2] || want[i].known[1]
                                     ? 0
                                     : KM_GFP_KSWAPD_RECLAIM;

        assert_int_equal(means, want[i].means | implied);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_call),
        cmocka_unit_test(kfree_rcu_without_pages),
        cmocka_unit_test(flags_by_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
