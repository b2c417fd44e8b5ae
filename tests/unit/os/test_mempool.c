/* SPDX-License-Identifier: MIT
 * test_mempool.c - order of sources, refill, sleeping, resizing, and back ends of memory pools.
 */
#include "tests/unit/os/slab_fixture.h"

#include "models/os/mempool.h"
#include "tests/unit/os/rounds.h"

static km_vaddr take(struct km_mempool *mp, struct fixture *f, uint32_t gfp,
                     enum km_mempool_result want)
{
    enum km_mempool_result why;
    km_vaddr e = km_mempool_alloc(mp, &f->cpu[0], gfp, &why);

    assert_int_equal(why, want);
    assert_int_equal(e != 0, want == KM_MEMPOOL_OK);
    assert_null(km_mempool_check(mp, f->w.base));
    return e;
}

/*  reserve: |a|b|c|     allocator healthy: reserve untouched; failing: c, b, a, then NULL or sleep
 */
static void the_reserve_is_the_last_resort(void **state)
{
    (void)state;
    struct fixture *f = fix_create(2, false);
    struct km_mempool mp;

    assert_true(km_mempool_create(&mp, &f->layer, &f->cpu[0], KM_MEMPOOL_PAGES, 3, 1, NULL));
    assert_int_equal(km_mempool_reserve(&mp, f->w.base), 3);
    km_vaddr a = take(&mp, f, KM_GFP_NOIO, KM_MEMPOOL_OK);

    assert_int_equal(f->src.last_order[0], 1);
    assert_int_equal(f->src.last_gfp[0],
                     KM_GFP_KSWAPD_RECLAIM | KM_GFP_NOMEMALLOC | KM_GFP_NORETRY | KM_GFP_NOWARN);
    assert_int_equal(km_mempool_reserve(&mp, f->w.base), 3);
    f->src.fail_all = true;
    km_vaddr e[3];

    for (unsigned i = 0; i < 3; i++)
        e[i] = take(&mp, f, KM_GFP_NOIO, KM_MEMPOOL_OK);
    assert_int_equal(mp.stats.second_try, 0);
    take(&mp, f, KM_GFP_NOIO, KM_MEMPOOL_WOULD_SLEEP);
    assert_int_equal(mp.stats.second_try, 1);
    assert_int_equal(f->src.last_gfp[0],
                     KM_GFP_NOIO | KM_GFP_NOMEMALLOC | KM_GFP_NORETRY | KM_GFP_NOWARN);
    take(&mp, f, KM_GFP_ATOMIC, KM_MEMPOOL_EMPTY);
    assert_true(km_mempool_free(&mp, &f->cpu[0], e[1])); /* refills and wakes */
    assert_int_equal(take(&mp, f, KM_GFP_ATOMIC, KM_MEMPOOL_OK), e[1]);
    assert_int_equal(mp.stats.lowest, 0);
    f->src.fail_all = false;
    for (unsigned i = 0; i < 3; i++)
        assert_true(km_mempool_free(&mp, &f->cpu[0], e[i]));
    int64_t live = f->src.live_pages;

    assert_false(km_mempool_free(&mp, &f->cpu[0], a)); /* reserve full: to the allocator */
    assert_int_equal(f->src.live_pages, live - 2);
    km_mempool_destroy(&mp, &f->cpu[0]);
    assert_int_equal(f->src.live_pages, live - 2 - 6);
    fix_destroy(f);
}

static void back_ends_and_sizes(void **state)
{
    (void)state;
    struct fixture *f = fix_create(2, false);
    struct km_mempool mp;
    struct km_kmem_cache *c = km_kmem_cache_create(&f->layer, &f->cpu[0], "bio", 120, 8, 0);

    assert_true(km_mempool_create(&mp, &f->layer, &f->cpu[0], KM_MEMPOOL_SLAB, 4, 0, c));
    km_vaddr e = take(&mp, f, KM_GFP_KERNEL, KM_MEMPOOL_OK);

    assert_ptr_equal(km_kmem_cache_of(&f->layer, f->w.base, e), c);
    assert_true(km_mempool_resize(&mp, &f->cpu[0], 10));
    assert_int_equal(km_mempool_reserve(&mp, f->w.base), 10);
    assert_true(km_mempool_resize(&mp, &f->cpu[0], 2));
    assert_int_equal(km_mempool_reserve(&mp, f->w.base), 2);
    assert_null(km_mempool_check(&mp, f->w.base));
    km_mempool_free(&mp, &f->cpu[0], e);
    km_mempool_destroy(&mp, &f->cpu[0]);
    assert_true(km_kmem_cache_destroy(&f->layer, &f->cpu[0], c)); /* no object is lost */

    assert_true(km_mempool_create(&mp, &f->layer, &f->cpu[0], KM_MEMPOOL_KMALLOC, 2, 700, NULL));
    e = take(&mp, f, KM_GFP_KERNEL, KM_MEMPOOL_OK);
    assert_int_equal(km_ksize(&f->layer, &f->cpu[0], e), 1024);
    km_mempool_free(&mp, &f->cpu[0], e);
    km_mempool_destroy(&mp, &f->cpu[0]);
    f->src.fail_all = true; /* a reserve that cannot be filled leaves nothing behind */
    assert_false(km_mempool_create(&mp, &f->layer, &f->cpu[0], KM_MEMPOOL_PAGES, 2, 3, NULL));
    FIX_CHECK(f);
    fix_destroy(f);
}

/* Random use with an allocator that fails half of the time: elements are distinct and none gets
 * lost. */
static void random_use(void **state)
{
    (void)state;
    struct fixture *f = fix_create(2, false);
    struct km_mempool mp;
    struct km_prng p = {.state = 11};
    km_vaddr out[64];
    unsigned n = 0;

    assert_true(km_mempool_create(&mp, &f->layer, &f->cpu[0], KM_MEMPOOL_PAGES, 8, 0, NULL));
    km_mempool_destroy(&mp, &f->cpu[0]); /* the slabs of descriptors are there from now on */
    int64_t start = f->src.live_pages;

    assert_true(km_mempool_create(&mp, &f->layer, &f->cpu[0], KM_MEMPOOL_PAGES, 8, 0, NULL));
    for (unsigned step = 0; step < test_rounds(60000); step++) {
        enum km_mempool_result why;

        f->src.fail_all = km_prng_below(&p, 2);
        if (n < 64 && km_prng_below(&p, 2)) {
            km_vaddr e = km_mempool_alloc(&mp, &f->cpu[0], KM_GFP_KERNEL, &why);

            if (!e) {
                assert_int_equal(why, KM_MEMPOOL_WOULD_SLEEP);
                assert_int_equal(km_mempool_reserve(&mp, f->w.base), 0);
                continue;
            }
            for (unsigned i = 0; i < n; i++)
                assert_int_not_equal(out[i], e);
            out[n++] = e;
        } else if (n) {
            unsigned i = km_prng_below(&p, n);

            km_mempool_free(&mp, &f->cpu[0], out[i]);
            out[i] = out[--n];
        }
        assert_null(km_mempool_check(&mp, f->w.base));
    }
    while (n)
        km_mempool_free(&mp, &f->cpu[0], out[--n]);
    km_mempool_destroy(&mp, &f->cpu[0]);
    assert_int_equal(f->src.live_pages, start);
    assert_true(mp.stats.from_reserve > 0 && mp.stats.would_sleep > 0 && mp.stats.refills > 0);
    fix_destroy(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_reserve_is_the_last_resort),
        cmocka_unit_test(back_ends_and_sizes),
        cmocka_unit_test(random_use),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
