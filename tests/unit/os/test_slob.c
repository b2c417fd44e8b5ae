/* SPDX-License-Identifier: MIT
 * test_slob.c - SLOB by hand: where blocks lie in a page, which page is searched first, what
 * merges.
 *
 * Requests of at least 256 bytes are used so that the layer's own small blocks are on another list.
 */
#include "slab_fixture.h"

#include "models/os/slab.h"

static uint32_t peek(struct fixture *f, km_vaddr va)
{
    return km_peek32(f->w.base, va);
}

static km_vaddr get(struct fixture *f, uint32_t size)
{
    km_vaddr va = km_kmalloc(&f->layer, &f->cpu[0], size, KM_GFP_KERNEL);

    assert_true(va != 0);
    FIX_CHECK(f);
    return va;
}

static void put(struct fixture *f, km_vaddr va)
{
    km_kfree(&f->layer, &f->cpu[0], va);
    FIX_CHECK(f);
}

static km_vaddr page_of(km_vaddr va)
{
    return va & ~(KM_PAGE_BYTES - 1);
}

/* Linear address of the n-th page on list 0, 1 or 2; 0: the list is shorter. */
static km_vaddr listed(struct fixture *f, unsigned list, unsigned n)
{
    km_vaddr head = f->layer.slob.heap_va + 8 * list, e = peek(f, head);

    while (n-- && e != head)
        e = peek(f, e);
    return e == head ? 0 : km_pfn_to_va(&f->os, km_page_pfn(&f->os, e - KM_SLAB_LIST));
}

/*   |8|392|8|392|8|392| ...        10 blocks of 400 bytes, 96 bytes left
 *       a     b     c
 *   free b: the hole serves the next request of that size. Free b and c: one hole of 800. */
static void first_fit_and_merge(void **state)
{
    struct fixture *f = fix_create_slab(1, false, "slob");
    km_vaddr obj[10];

    (void)state;
    for (unsigned i = 0; i < 10; i++) {
        obj[i] = get(f, 392);
        assert_int_equal(obj[i], page_of(obj[0]) + 400 * i + 8);
        assert_int_equal(peek(f, obj[i] - 8), 392);
    }
    put(f, obj[1]);
    put(f, obj[5]);
    assert_int_equal(get(f, 392), obj[1]); /* lowest address first */
    assert_int_equal(get(f, 380), obj[5]);
    put(f, obj[5]);
    put(f, obj[7]);
    put(f, obj[6]);                         /* closes the gap: merges with both */
    assert_int_equal(get(f, 1000), obj[5]); /* one hole of 1200 bytes */
    fix_destroy(f);
}

/* Blocks come back in any order; the page is whole again and goes at once. */
static void page_returns(void **state)
{
    static const unsigned order[10] = {4, 0, 9, 5, 2, 3, 1, 8, 6, 7};
    struct fixture *f = fix_create_slab(1, false, "slob");
    int64_t pages = f->src.live_pages;
    km_vaddr obj[10];

    (void)state;
    for (unsigned i = 0; i < 10; i++)
        obj[i] = get(f, 392);
    assert_int_equal(f->src.live_pages, pages + 1);
    for (unsigned i = 0; i < 10; i++) {
        assert_int_equal(f->src.live_pages, pages + 1);
        put(f, obj[order[i]]);
    }
    assert_int_equal(f->src.live_pages, pages);
    assert_int_equal(listed(f, 1, 0), 0);
    fix_destroy(f);
}

/* Powers of two are aligned to themselves, behind their header: 512 bytes at 512, 1536, 2560, 3584;
 * the holes in front, 504 bytes each, serve smaller requests of the list.
 *
 *   |  504  |8| 512 |  504  |8| 512 |  504  |8| 512 |  504  |8| 512 |
 */
static void natural_alignment(void **state)
{
    struct fixture *f = fix_create_slab(1, false, "slob");
    km_vaddr base = 0;

    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        km_vaddr va = get(f, 512);

        base = i ? base : page_of(va);
        assert_int_equal(va, base + 512 + 1024 * i);
    }
    assert_int_equal(get(f, 496), base + 8);        /* fills the first hole exactly */
    assert_int_equal(get(f, 300), base + 1024 + 8); /* the second one in part */
    assert_true(page_of(get(f, 512)) != base);
    fix_destroy(f);
}

/* Lists by request size, header included: 255 in the first, 256 and 1023 in the second, 1024 in the third. */
static void lists_by_size(void **state)
{
    static const struct {
        uint32_t bytes;
        unsigned list;
    } want[] = {{247, 0}, {248, 1}, {1015, 1}, {1016, 2}};

    (void)state;
    for (unsigned i = 0; i < KM_ARRAY_LEN(want); i++) {
        struct fixture *f = fix_create_slab(1, false, "slob");
        km_vaddr va = get(f, want[i].bytes);

        assert_int_equal(listed(f, want[i].list, 0), page_of(va));
        fix_destroy(f);
    }
}

/* 1408 bytes: two to a page, 1280 left. New pages stand in front; a page that served comes to the
 * front and the ring keeps its order.
 *
 *   pages C B A, one block of B and of A freed: C has no room, B serves -> B A C
 */
static void next_fit(void **state)
{
    struct fixture *f = fix_create_slab(1, false, "slob");
    km_vaddr obj[6], a, b, c;

    (void)state;
    for (unsigned i = 0; i < 6; i++)
        obj[i] = get(f, 1400);
    a = page_of(obj[0]);
    b = page_of(obj[2]);
    c = page_of(obj[4]);
    assert_int_equal(listed(f, 2, 0), c);
    assert_int_equal(listed(f, 2, 1), b);
    assert_int_equal(listed(f, 2, 2), a);
    put(f, obj[2]);
    put(f, obj[0]);
    assert_int_equal(get(f, 1400), obj[2]);
    assert_int_equal(listed(f, 2, 0), b);
    assert_int_equal(listed(f, 2, 1), a);
    assert_int_equal(listed(f, 2, 2), c);
    put(f, obj[4]);
    assert_int_equal(get(f, 1400), obj[0]); /* B is full up to 1280, A comes before C */
    assert_int_equal(listed(f, 2, 0), a);
    assert_int_equal(listed(f, 2, 1), c);
    fix_destroy(f);
}

/* Four blocks of 1024 fill a page: it leaves the list and returns with the first free. */
static void full_page(void **state)
{
    struct fixture *f = fix_create_slab(1, false, "slob");
    km_vaddr obj[4];

    (void)state;
    for (unsigned i = 0; i < 4; i++)
        obj[i] = get(f, 1016);
    assert_int_equal(page_of(obj[3]), page_of(obj[0]));
    assert_int_equal(listed(f, 2, 0), 0);
    put(f, obj[0]); /* at the very start of the page */
    assert_int_equal(listed(f, 2, 0), page_of(obj[0]));
    put(f, obj[1]);
    assert_int_equal(get(f, 2040), obj[0]); /* both holes were one; the page is full again */
    assert_int_equal(listed(f, 2, 0), 0);
    fix_destroy(f);
}

/* The smallest blocks: an odd size leaves a hole of one unit (2 bytes), which is kept in one
 * word. */
static void one_unit(void **state)
{
    struct fixture *f = fix_create_slab(1, false, "slob");
    struct km_kmem_cache *c =
        km_kmem_cache_create(&f->layer, &f->cpu[0], "t", 1022, 0, KM_CACHE_NO_MERGE);
    km_vaddr obj[4];

    (void)state;
    assert_non_null(c);
    for (unsigned i = 0; i < 4; i++) {
        obj[i] = km_kmem_cache_alloc(&f->layer, &f->cpu[0], c, KM_GFP_KERNEL);
        assert_int_equal(obj[i], page_of(obj[0]) + 1024 * i);
        FIX_CHECK(f);
    }
    assert_int_equal(peek(f, km_page_va(&f->os, km_va_to_pfn(&f->os, obj[0])) + 20), 4);
    km_kmem_cache_free(&f->layer, &f->cpu[0], c, obj[1]);
    FIX_CHECK(f);
    assert_int_equal(km_kmem_cache_alloc(&f->layer, &f->cpu[0], c, KM_GFP_KERNEL), obj[1]);
    for (unsigned i = 0; i < 4; i++) {
        km_kmem_cache_free(&f->layer, &f->cpu[0], c, obj[i]);
        FIX_CHECK(f);
    }
    assert_true(km_kmem_cache_destroy(&f->layer, &f->cpu[0], c));
    fix_destroy(f);
}

/* What is as large as a page less its header is a page block; ksize counts units. */
static void sizes(void **state)
{
    struct fixture *f = fix_create_slab(1, false, "slob");
    km_vaddr odd = get(f, 5), most = get(f, 4087), page = get(f, 4088), two = get(f, 4097);
    uint32_t gfp_page = f->src.last_gfp[1];

    (void)state;
    assert_int_equal(km_ksize(&f->layer, &f->cpu[0], odd), 6);
    assert_int_equal(km_ksize(&f->layer, &f->cpu[0], most), 4088);
    assert_int_equal(most % KM_PAGE_BYTES, 8);
    assert_int_equal(page % KM_PAGE_BYTES, 0);
    assert_int_equal(km_ksize(&f->layer, &f->cpu[0], page), 4096);
    assert_int_equal(gfp_page & KM_GFP_COMP, 0);
    assert_int_equal(f->src.last_order[0], 1);
    assert_true(f->src.last_gfp[0] & KM_GFP_COMP);
    assert_int_equal(km_ksize(&f->layer, &f->cpu[0], two), 8192);
    assert_int_equal(f->layer.stats.large_alloc, 2);
    put(f, page);
    put(f, two);
    put(f, most);
    put(f, odd);
    assert_int_equal(f->layer.stats.large_free, 2);
    assert_int_equal(km_kmalloc(&f->layer, &f->cpu[0], 0, KM_GFP_KERNEL), KM_ZERO_SIZE_PTR);
    fix_destroy(f);
}

static void count_ctor(void *ctx, struct km_cpu *cpu, km_vaddr obj)
{
    (*(unsigned *)ctx)++;
    km_st32(cpu, obj, 0x12345678);
}

/* Constructors run at every allocation; RCU-typed objects come back after the grace period; objects
 * of a page and more are page blocks. */
static void caches(void **state)
{
    struct fixture *f = fix_create_slab(1, false, "slob");
    unsigned runs = 0;
    struct km_kmem_cache *c =
        km_kmem_cache_create_ctor(&f->layer, &f->cpu[0], "c", 600, 0, 0, count_ctor, &runs);
    struct km_kmem_cache *r =
        km_kmem_cache_create(&f->layer, &f->cpu[0], "r", 300, 0, KM_CACHE_TYPESAFE_BY_RCU);
    struct km_kmem_cache *big = km_kmem_cache_create(&f->layer, &f->cpu[0], "b", 5000, 0, 0);
    km_vaddr a = km_kmem_cache_alloc(&f->layer, &f->cpu[0], c, KM_GFP_KERNEL);

    (void)state;
    km_kmem_cache_free(&f->layer, &f->cpu[0], c, a);
    assert_int_equal(km_kmem_cache_alloc(&f->layer, &f->cpu[0], c, KM_GFP_KERNEL), a);
    assert_int_equal(runs, 2);
    assert_int_equal(peek(f, a), 0x12345678);

    km_vaddr x = km_kmem_cache_alloc(&f->layer, &f->cpu[0], r, KM_GFP_KERNEL);

    assert_int_equal(r->size, 300 + 12);
    km_kmem_cache_free(&f->layer, &f->cpu[0], r, x);
    assert_true(km_kmem_cache_alloc(&f->layer, &f->cpu[0], r, KM_GFP_KERNEL) != x);
    assert_int_equal(km_slab_rcu_quiesce(&f->layer, &f->cpu[0]), 1);
    FIX_CHECK(f);
    assert_int_equal(km_kmem_cache_alloc(&f->layer, &f->cpu[0], r, KM_GFP_KERNEL), x);

    int64_t pages = f->src.live_pages;
    km_vaddr b = km_kmem_cache_alloc(&f->layer, &f->cpu[0], big, KM_GFP_KERNEL);

    assert_int_equal(f->src.live_pages, pages + 2);
    assert_int_equal(b % KM_PAGE_BYTES, 0);
    km_kmem_cache_free(&f->layer, &f->cpu[0], big, b);
    assert_int_equal(f->src.live_pages, pages);
    FIX_CHECK(f);
    fix_destroy(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_fit_and_merge),
        cmocka_unit_test(page_returns),
        cmocka_unit_test(natural_alignment),
        cmocka_unit_test(lists_by_size),
        cmocka_unit_test(next_fit),
        cmocka_unit_test(full_page),
        cmocka_unit_test(one_unit),
        cmocka_unit_test(sizes),
        cmocka_unit_test(caches),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
