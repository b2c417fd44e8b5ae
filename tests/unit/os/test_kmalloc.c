/* SPDX-License-Identifier: MIT
 * test_kmalloc.c - size classes, families, page blocks, krealloc, and the tracepoints of the slab
 * layer.
 */
#include "slab_fixture.h"

#include "models/base/prng.h"

static const char *cache_name(struct fixture *f, uint32_t size, uint32_t gfp)
{
    struct km_kmem_cache *c = km_kmalloc_cache(&f->layer, size, gfp);

    return c ? c->name : "-";
}

/* Names before 5.2: kmalloc-1024 for kmalloc-1k. */
static const char *plain_name(const char *name)
{
    static const char *const plain[][2] = {
        {"kmalloc-1k", "kmalloc-1024"}, {"kmalloc-2k", "kmalloc-2048"}, {"kmalloc-8k", "kmalloc-8192"}};

    for (unsigned i = 0; i < KM_ARRAY_LEN(plain); i++)
        if (!strcmp(plain[i][0], name))
            return plain[i][1];
    return name;
}

static void classes(void **state)
{
    struct fixture *f = fix_create(2, false);

    (void)state;
    static const struct {
        uint32_t size;
        const char *name;
    } rows[] = {
        {0, "-"},
        {1, "kmalloc-8"},
        {8, "kmalloc-8"},
        {9, "kmalloc-16"},
        {16, "kmalloc-16"},
        {17, "kmalloc-32"},
        {64, "kmalloc-64"},
        {65, "kmalloc-96"},
        {96, "kmalloc-96"},
        {97, "kmalloc-128"},
        {128, "kmalloc-128"},
        {129, "kmalloc-192"},
        {192, "kmalloc-192"},
        {193, "kmalloc-256"},
        {257, "kmalloc-512"},
        {1024, "kmalloc-1k"},
        {1025, "kmalloc-2k"},
        {4097, "kmalloc-8k"},
        {8192, "kmalloc-8k"},
        {8193, "-"},
    };

    const struct km_personality *p = test_personality();

    for (unsigned i = 0; i < KM_ARRAY_LEN(rows); i++)
        assert_string_equal(cache_name(f, rows[i].size, KM_GFP_KERNEL),
                            p->kmalloc_k_names ? rows[i].name : plain_name(rows[i].name));
    assert_string_equal(cache_name(f, 100, KM_GFP_KERNEL | KM_GFP_ACCOUNT),
                        p->kmalloc_cgroup ? "kmalloc-cg-128" : "kmalloc-128");
    assert_string_equal(cache_name(f, 100, KM_GFP_KERNEL | KM_GFP_RECLAIMABLE | KM_GFP_ACCOUNT),
                        p->kmalloc_reclaim ? "kmalloc-rcl-128" : "kmalloc-128");
    assert_string_equal(cache_name(f, 100, KM_GFP_DMA | KM_GFP_RECLAIMABLE),
                        p == &km_personality_linux_2_6 ? "kmalloc_dma-128" : "dma-kmalloc-128");
    assert_string_equal(cache_name(f, 100, KM_GFP_KERNEL | KM_GFP_DMA32), "kmalloc-128");
    assert_int_equal(f->layer.nr_cache, 2 + (2 + p->kmalloc_reclaim + p->kmalloc_cgroup) * 13);
    fix_destroy(f);
}

/* Power-of-two classes are aligned to their size, the others to 8. */
static void alignment(void **state)
{
    struct fixture *f = fix_create(2, true);

    (void)state;
    for (uint32_t size = 8; size <= 8192; size *= 2)
        for (unsigned i = 0; i < 20; i++) {
            km_vaddr va = km_kmalloc(&f->layer, &f->cpu[0], size, KM_GFP_KERNEL);

            assert_true(va != 0);
            assert_int_equal(va % size, 0);
            assert_int_equal(km_ksize(&f->layer, &f->cpu[0], va), size);
        }
    FIX_CHECK(f);
    fix_destroy(f);
}

static void dma_pages(void **state)
{
    struct fixture *f = fix_create(2, false);

    (void)state;
    km_kmalloc(&f->layer, &f->cpu[0], 512, KM_GFP_KERNEL | KM_GFP_DMA);
    assert_true(f->src.last_gfp[0] & KM_GFP_DMA);
    km_kmalloc(&f->layer, &f->cpu[0], 512, KM_GFP_KERNEL | KM_GFP_RECLAIMABLE);
    assert_int_equal((f->src.last_gfp[0] & KM_GFP_RECLAIMABLE) != 0,
                     test_personality()->kmalloc_reclaim);
    fix_destroy(f);
}

static void large(void **state)
{
    struct fixture *f = fix_create(2, false);
    struct km_slab_layer *l = &f->layer;
    struct km_cpu *cpu = &f->cpu[0];
    int64_t pages = f->src.live_pages;

    (void)state;
    km_vaddr a = km_kmalloc(l, cpu, 8193, KM_GFP_KERNEL);

    assert_int_equal(f->src.last_order[0], 2);
    assert_int_equal(f->src.last_gfp[0], KM_GFP_KERNEL | KM_GFP_COMP);
    assert_int_equal(km_ksize(l, cpu, a), 16384);
    assert_null(km_kmem_cache_of(l, f->w.base, a));
    km_vaddr b = km_kmalloc(l, cpu, 4u << 20, KM_GFP_KERNEL);

    assert_int_equal(km_ksize(l, cpu, b), 4u << 20);
    assert_int_equal(km_kmalloc(l, cpu, (4u << 20) + 1, KM_GFP_KERNEL), 0);
    assert_int_equal(km_kmalloc(l, cpu, 0xffffffffu, KM_GFP_KERNEL), 0);
    km_kfree(l, cpu, a);
    km_kfree(l, cpu, b);
    assert_int_equal(f->src.live_pages, pages);
    assert_int_equal(l->stats.large_alloc, 2);
    assert_int_equal(l->stats.large_free, 2);
    fix_destroy(f);
}

/* Frees of what was never allocated are counted, nothing else. */
static void odd_frees(void **state)
{
    struct fixture *f = fix_create(2, false);
    struct km_slab_layer *l = &f->layer;
    struct km_cpu *cpu = &f->cpu[0];

    (void)state;
    assert_int_equal(km_kmalloc(l, cpu, 0, KM_GFP_KERNEL), KM_ZERO_SIZE_PTR);
    km_kfree(l, cpu, KM_ZERO_SIZE_PTR);
    km_kfree(l, cpu, 0);
    assert_int_equal(l->stats.bad_free, 0);
    km_kfree(l, cpu, 0xC0000000u + (40u << 20));
    km_kfree(l, cpu, 0x08048000u);
    km_kfree(l, cpu, 0xfffff000u);
    assert_int_equal(l->stats.bad_free, 3);
    assert_int_equal(km_ksize(l, cpu, 0), 0);
    FIX_CHECK(f);
    fix_destroy(f);
}

static void realloc_and_zero(void **state)
{
    struct fixture *f = fix_create(2, false);
    struct km_slab_layer *l = &f->layer;
    struct km_cpu *cpu = &f->cpu[0];

    (void)state;
    km_vaddr a = km_kmalloc(l, cpu, 20, KM_GFP_KERNEL);

    memset(f->w.base + a, 0xaa, 32);
    assert_int_equal(km_krealloc(l, cpu, a, 32, KM_GFP_KERNEL), a); /* fits the class */
    km_vaddr b = km_krealloc(l, cpu, a, 33, KM_GFP_KERNEL);

    assert_int_not_equal(b, a);
    assert_int_equal(km_ksize(l, cpu, b), 64);
    for (unsigned i = 0; i < 32; i++)
        assert_int_equal(f->w.base[b + i], 0xaa);
    assert_int_equal(km_kmalloc(l, cpu, 32, KM_GFP_KERNEL), a); /* the old one was freed */
    memset(f->w.base + b, 0xbb, 64);
    km_kfree(l, cpu, b);
    assert_int_equal(km_kzalloc(l, cpu, 64, KM_GFP_KERNEL), b);
    for (unsigned i = 0; i < 64; i++)
        assert_int_equal(f->w.base[b + i], 0);
    assert_int_equal(km_krealloc(l, cpu, b, 0, KM_GFP_KERNEL), KM_ZERO_SIZE_PTR);
    km_vaddr big = km_krealloc(l, cpu, 0, 20000, KM_GFP_KERNEL);

    assert_int_equal(km_ksize(l, cpu, big), 32768);
    assert_int_equal(km_krealloc(l, cpu, big, 30000, KM_GFP_KERNEL), big);
    FIX_CHECK(f);
    fix_destroy(f);
}

struct seen {
    struct km_tp tp[8];
    unsigned nr;
};

static void see(void *ctx, const struct km_cpu *cpu, const struct km_tp *tp)
{
    struct seen *s = ctx;

    (void)cpu;
    if (s->nr < KM_ARRAY_LEN(s->tp))
        s->tp[s->nr] = *tp;
    s->nr++;
}

static void tracepoints(void **state)
{
    struct fixture *f = fix_create(2, false);
    struct km_slab_layer *l = &f->layer;
    struct km_kmem_cache *c =
        km_kmem_cache_create(l, &f->cpu[0], "anon_vma", 52, 0, KM_CACHE_TYPESAFE_BY_RCU);
    struct seen s = {.nr = 0};

    (void)state;
    f->os.tracer.emit = see;
    f->os.tracer.ctx = &s;
    km_vaddr a = km_kmalloc(l, &f->cpu[0], 616, KM_GFP_KERNEL);
    km_vaddr b = km_kmem_cache_alloc(l, &f->cpu[0], c, KM_GFP_KERNEL);

    km_kfree(l, &f->cpu[0], a);
    km_kmem_cache_free(l, &f->cpu[0], c, b);
    km_kfree(l, &f->cpu[0], 0);
    km_krealloc(l, &f->cpu[0], km_kmalloc(l, &f->cpu[0], 0, 0), 0, 0);
    assert_int_equal(s.nr, 6);
    assert_int_equal(s.tp[0].kind, KM_TP_KMALLOC);
    assert_int_equal(s.tp[0].ptr, a);
    assert_int_equal(s.tp[0].bytes_req, 616);
    assert_int_equal(s.tp[0].bytes_alloc, 1024);
    assert_int_equal(s.tp[1].kind, KM_TP_KMEM_CACHE_ALLOC);
    assert_int_equal(s.tp[1].bytes_req, 52);
    assert_int_equal(s.tp[1].bytes_alloc, 56);
    assert_int_equal(s.tp[2].kind, KM_TP_KFREE);
    assert_int_equal(s.tp[3].kind, KM_TP_KMEM_CACHE_FREE);
    assert_string_equal(s.tp[3].name, "anon_vma");
    assert_int_equal(s.tp[4].ptr, 0);
    assert_int_equal(s.tp[5].ptr, KM_ZERO_SIZE_PTR);
    fix_destroy(f);
}

/* Random sizes through all families, every step checked against what ksize says. */
static void property(void **state)
{
    struct fixture *f = fix_create(2, true);
    struct km_prng r = {.state = 11};
    static const uint32_t flags[] = {0, KM_GFP_DMA, KM_GFP_RECLAIMABLE, KM_GFP_ACCOUNT};
    km_vaddr live[300];
    uint32_t size[300];
    unsigned nr = 0;

    (void)state;
    f->layer.memcg = true;
    for (unsigned step = 0; step < 6000; step++) {
        struct km_cpu *cpu = &f->cpu[step & 1];

        if (nr < 300 && km_prng_below(&r, 2)) {
            size[nr] = 1 + km_prng_below(&r, 1u << km_prng_below(&r, 16));
            live[nr] =
                km_kmalloc(&f->layer, cpu, size[nr], KM_GFP_KERNEL | flags[km_prng_below(&r, 4)]);
            assert_true(live[nr] != 0);
            assert_true(km_ksize(&f->layer, cpu, live[nr]) >= size[nr]);
            for (unsigned i = 0; i < nr; i++)
                assert_true(live[nr] + size[nr] <= live[i] || live[i] + size[i] <= live[nr]);
            nr++;
        } else if (nr) {
            unsigned i = km_prng_below(&r, nr);

            km_kfree(&f->layer, cpu, live[i]);
            live[i] = live[--nr];
            size[i] = size[nr];
        }
        if (step % 64 == 0)
            FIX_CHECK(f);
    }
    assert_int_equal(f->layer.stats.bad_free, 0);
    fix_destroy(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(classes),     cmocka_unit_test(alignment),
        cmocka_unit_test(dma_pages),   cmocka_unit_test(large),
        cmocka_unit_test(odd_frees),   cmocka_unit_test(realloc_and_zero),
        cmocka_unit_test(tracepoints), cmocka_unit_test(property),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
