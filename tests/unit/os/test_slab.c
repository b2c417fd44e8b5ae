/* SPDX-License-Identifier: MIT
 * test_slab.c - SLAB by hand: geometry, colours, and where objects go between arrays, shared
 * stacks, alien caches and slabs, with all invariants checked after each free.
 */
#include "slab_fixture.h"

#include "models/os/slab.h"

static uint32_t peek(struct fixture *f, km_vaddr va)
{
    return km_peek32(f->w.base, va);
}

static uint32_t node(struct fixture *f, const struct km_kmem_cache *c, uint32_t offset)
{
    return peek(f, c->slab.node_va[0] + offset);
}

static uint32_t avail(struct fixture *f, const struct km_kmem_cache *c, unsigned cpu)
{
    return peek(f, km_slab_cpu_array(&f->layer, c, cpu) + KM_AC_AVAIL);
}

static uint32_t shared_avail(struct fixture *f, const struct km_kmem_cache *c)
{
    return peek(f, node(f, c, KM_SLABN_SHARED) + KM_AC_AVAIL);
}

static km_vaddr slab_of(struct fixture *f, km_vaddr obj)
{
    return km_slab_of(&f->layer, &f->cpu[0], obj);
}

static struct km_kmem_cache *cache(struct fixture *f, uint32_t size, uint32_t flags)
{
    struct km_kmem_cache *c =
        km_kmem_cache_create(&f->layer, &f->cpu[0], "t", size, 0, flags | KM_CACHE_NO_MERGE);

    assert_non_null(c);
    return c;
}

static km_vaddr take(struct fixture *f, struct km_kmem_cache *c, unsigned cpu)
{
    km_vaddr obj = km_kmem_cache_alloc(&f->layer, &f->cpu[cpu], c, KM_GFP_KERNEL);

    assert_true(obj != 0);
    return obj;
}

static void give(struct fixture *f, struct km_kmem_cache *c, unsigned cpu, km_vaddr obj)
{
    km_kmem_cache_free(&f->layer, &f->cpu[cpu], c, obj);
    FIX_CHECK(f);
}

/* Left-over bytes and the three kinds of management, computed by hand (64 MiB of RAM: orders 0, 1).
 *
 *   2504: order 0 holds 1, 1592 left, more than 4096/8; order 1 holds 3, 680 left, the limit:
 *         taken. 680 / 32 = 21 colours. Reclaimable: order 0 at once.
 *   32:   128 objects, but a list of 128 bytes fits no object of 32; kmalloc-128 is no gain; so
 *         4096 / 33 = 124 with the list behind them, 4 bytes left.
 *   16:   256 objects are one too many for byte indexes; on slab 4096 / 17 = 240.
 *   256 with constructor: the list may not lie in an object; kmalloc-32 holds 16 bytes: off slab.
 *   64 with constructor: kmalloc-64 is more than half an object: on slab, 4096 / 65 = 63.
 */
static void geometry(void **state)
{
    static const struct {
        uint32_t object_size, flags, size;
        enum km_slab_mgmt mgmt;
        unsigned order;
        uint32_t objects, colour, limit;
    } want[] = {
        {256, 0, 256, KM_SLAB_MGMT_OBJECT, 0, 16, 0, 120},
        {300, 0, 304, KM_SLAB_MGMT_OBJECT, 0, 13, 4, 54},
        {1300, 0, 1304, KM_SLAB_MGMT_OBJECT, 0, 3, 5, 24},
        {2500, 0, 2504, KM_SLAB_MGMT_OBJECT, 1, 3, 21, 24},
        {2500, KM_CACHE_RECLAIM_ACCOUNT, 2504, KM_SLAB_MGMT_OBJECT, 0, 1, 49, 24},
        {5000, 0, 5000, KM_SLAB_MGMT_OBJECT, 1, 1, 99, 8},
        {200000, 0, 200000, KM_SLAB_MGMT_OBJECT, 6, 1, 1942, 1},
        {32, 0, 32, KM_SLAB_MGMT_ON, 0, 124, 0, 120},
        {16, 0, 16, KM_SLAB_MGMT_ON, 0, 240, 0, 120},
        {4, 0, 16, KM_SLAB_MGMT_ON, 0, 240, 0, 120},
        {256, KM_CACHE_CTOR, 256, KM_SLAB_MGMT_OFF, 0, 16, 0, 120},
        {64, KM_CACHE_CTOR, 64, KM_SLAB_MGMT_ON, 0, 63, 0, 120},
        {200, KM_CACHE_HWCACHE_ALIGN, 224, KM_SLAB_MGMT_OBJECT, 0, 18, 2, 120},
    };
    struct fixture *f = fix_create_slab(2, false, "slab");

    (void)state;
    for (unsigned i = 0; i < KM_ARRAY_LEN(want); i++) {
        struct km_kmem_cache *c = cache(f, want[i].object_size, want[i].flags);

        assert_int_equal(c->size, want[i].size);
        assert_int_equal(c->slab.mgmt, want[i].mgmt);
        assert_int_equal(c->order, want[i].order);
        assert_int_equal(c->objects, want[i].objects);
        assert_int_equal(c->slab.colour, want[i].colour);
        assert_int_equal(c->slab.limit, want[i].limit);
        assert_int_equal(c->slab.batch, (want[i].limit + 1) / 2);
        assert_int_equal(c->slab.shared, want[i].size <= 4096 ? 8 : 0);
        assert_true(km_kmem_cache_destroy(&f->layer, &f->cpu[0], c));
    }
    /* Size classes begin at 32. */
    bool size_names = test_personality()->slab_size_names;

    assert_null(km_kmem_cache_by_name(&f->layer, size_names ? "size-16" : "kmalloc-16"));
    assert_ptr_equal(km_kmalloc_cache(&f->layer, 1, KM_GFP_KERNEL),
                     km_kmem_cache_by_name(&f->layer, size_names ? "size-32" : "kmalloc-32"));
    fix_destroy(f);
}

/* 1304 bytes leave 184: five colours 32 bytes apart; the first slab has colour 1.
 *
 *   slab 0  |--32--|obj 0|obj 1|obj 2|
 *   slab 1  |----64----|obj 0|obj 1|obj 2|   ... 96, 128, then 0 again
 */
static void colours(void **state)
{
    static const uint32_t want[] = {32, 64, 96, 128, 0, 32};
    struct fixture *f = fix_create_slab(1, false, "slab");
    struct km_kmem_cache *c = cache(f, 1300, 0);

    (void)state;
    for (unsigned s = 0; s < KM_ARRAY_LEN(want); s++) {
        km_vaddr first = take(f, c, 0);

        take(f, c, 0);
        km_vaddr last = take(f, c, 0); /* arrays are stacks: object 2 came first, 0 comes last */

        assert_int_equal(first, last + 2 * c->size);
        assert_int_equal(last % KM_PAGE_BYTES, want[s]);
        assert_int_equal(node(f, c, KM_SLABN_TOTAL_SLABS), s + 1);
    }
    FIX_CHECK(f);
    fix_destroy(f);
}

/* The page request: always compound, the caller's reclaim bits, the cache's own; one attempt. */
static void page_request(void **state)
{
    struct fixture *f = fix_create_slab(1, false, "slab");
    struct km_kmem_cache *c = cache(f, 500, KM_CACHE_RECLAIM_ACCOUNT);
    uint64_t before = f->src.allocs;

    (void)state;
    km_kmem_cache_alloc(&f->layer, &f->cpu[0], c, KM_GFP_NOFS | KM_GFP_ZERO | KM_GFP_ACCOUNT);
    assert_int_equal(f->src.allocs, before + 1);
    assert_int_equal(f->src.last_gfp[0], KM_GFP_NOFS | KM_GFP_COMP | KM_GFP_RECLAIMABLE);
    f->src.fail_all = true;
    for (unsigned i = 1; i < c->objects; i++)
        take(f, c, 0);
    assert_int_equal(km_kmem_cache_alloc(&f->layer, &f->cpu[0], c, KM_GFP_KERNEL), 0);
    FIX_CHECK(f);
    fix_destroy(f);
}

/* An array nobody used refills with 16 at most, later ones with the batch (27), each only from one
 * new slab; what is freed comes back last in, first out.
 *
 *   512 bytes: 8 objects to a slab, limit 54, batch 27
 */
static void refill_and_stack(void **state)
{
    struct fixture *f = fix_create_slab(1, false, "slab");
    struct km_kmem_cache *c = cache(f, 512, 0);
    km_vaddr obj[60];

    (void)state;
    for (unsigned i = 0; i < 20; i++)
        obj[i] = take(f, c, 0);
    assert_int_equal(avail(f, c, 0), 4); /* three slabs of 8 */
    assert_int_equal(node(f, c, KM_SLABN_TOTAL_SLABS), 3);
    assert_int_equal(node(f, c, KM_SLABN_FREE_OBJECTS), 0);
    give(f, c, 0, obj[3]);
    give(f, c, 0, obj[11]);
    assert_int_equal(take(f, c, 0), obj[11]);
    assert_int_equal(take(f, c, 0), obj[3]);

    /* 40 objects in their slabs, array touched: one refill of 27, from partial then free slabs. */
    for (unsigned i = 20; i < 40; i++)
        obj[i] = take(f, c, 0);
    for (unsigned i = 0; i < 40; i++)
        give(f, c, 0, obj[i]);
    assert_int_equal(avail(f, c, 0), 40);
    km_kmem_cache_shrink(&f->layer, &f->cpu[0], c);
    assert_int_equal(node(f, c, KM_SLABN_TOTAL_SLABS), 0);
    assert_int_equal(avail(f, c, 0), 0);
    FIX_CHECK(f);
    fix_destroy(f);
}

/* A full array sends its 27 oldest back; 54 - 27 + 1 stay. Slabs get their objects in that order:
 * an empty one heads the free list, others wait at the partial list's tail.
 *
 *   freed:  slab 0: 8, slab 1: 8, slab 2: 8, slab 3: 3 of 8  = 27
 */
static void flush_oldest(void **state)
{
    struct fixture *f = fix_create_slab(1, false, "slab");
    struct km_kmem_cache *c = cache(f, 512, 0);
    km_vaddr obj[56];

    (void)state;
    for (unsigned i = 0; i < 56; i++)
        obj[i] = take(f, c, 0);
    for (unsigned i = 0; i < 54; i++)
        give(f, c, 0, obj[i]);
    assert_int_equal(avail(f, c, 0), 54);
    assert_int_equal(node(f, c, KM_SLABN_FREE_OBJECTS), 0);
    give(f, c, 0, obj[54]);
    assert_int_equal(avail(f, c, 0), 28);
    assert_int_equal(node(f, c, KM_SLABN_FREE_OBJECTS), 27);
    assert_int_equal(node(f, c, KM_SLABN_FREE_SLABS), 3);
    assert_int_equal(node(f, c, KM_SLABN_FREE), slab_of(f, obj[16]) + KM_SLAB_LIST);
    assert_int_equal(node(f, c, KM_SLABN_PARTIAL), slab_of(f, obj[24]) + KM_SLAB_LIST);
    assert_int_equal(peek(f, slab_of(f, obj[24]) + KM_SLABD_ACTIVE), 5);
    assert_int_equal(take(f, c, 0), obj[54]);
    fix_destroy(f);
}

/* One object of each of 55 slabs freed: the 27 oldest reach the partial list in that order. */
static void partial_order(void **state)
{
    struct fixture *f = fix_create_slab(1, false, "slab");
    struct km_kmem_cache *c = cache(f, 512, 0);
    km_vaddr obj[440], entry;

    (void)state;
    for (unsigned i = 0; i < 440; i++)
        obj[i] = take(f, c, 0);
    for (unsigned i = 0; i < 55; i++)
        give(f, c, 0, obj[8 * i]);
    entry = node(f, c, KM_SLABN_PARTIAL);
    for (unsigned i = 0; i < 27; i++, entry = peek(f, entry))
        assert_int_equal(entry, slab_of(f, obj[8 * i]) + KM_SLAB_LIST);
    assert_int_equal(entry, c->slab.node_va[0] + KM_SLABN_PARTIAL);
    fix_destroy(f);
}

/* The shared stack takes 8 batches of 60. With room for 16 a flush moves 16, not 60.
 *
 *   CPU 0 frees 600: shared 480, own 120; CPU 1 takes 16 away; the 601st free: 480 and 120 - 16 + 1
 */
static void shared_room(void **state)
{
    struct fixture *f = fix_create_slab(2, false, "slab");
    struct km_kmem_cache *c = cache(f, 256, 0);
    static km_vaddr obj[640];

    (void)state;
    for (unsigned i = 0; i < 640; i++)
        obj[i] = take(f, c, 0);
    for (unsigned i = 0; i < 600; i++)
        give(f, c, 0, obj[i]);
    assert_int_equal(shared_avail(f, c), 480);
    assert_int_equal(avail(f, c, 0), 120);
    take(f, c, 1);
    assert_int_equal(shared_avail(f, c), 464);
    give(f, c, 0, obj[600]);
    assert_int_equal(shared_avail(f, c), 480);
    assert_int_equal(avail(f, c, 0), 105);
    fix_destroy(f);
}

/* 2048 bytes: 2 to a slab, limit 24, batch 12, free_limit = (1 + 1 CPU) * 12 + 2 = 26. Of 80
 * objects freed in order five batches of 12 reach the slabs: 12, 24, 36 -> 26, 38 -> 26, 38 ->
 * 26. */
static void free_limit(void **state)
{
    struct fixture *f = fix_create_slab(1, false, "slab");
    struct km_kmem_cache *c = cache(f, 2048, 0);
    km_vaddr obj[80];

    (void)state;
    for (unsigned i = 0; i < 80; i++)
        obj[i] = take(f, c, 0);
    assert_int_equal(node(f, c, KM_SLABN_FREE_LIMIT), 26);
    for (unsigned i = 0; i < 80; i++)
        give(f, c, 0, obj[i]);
    assert_int_equal(avail(f, c, 0), 20);
    assert_int_equal(node(f, c, KM_SLABN_FREE_OBJECTS), 26);
    assert_int_equal(c->stats.slabs_released, 5 + 6 + 6);
    fix_destroy(f);
}

/* With two CPUs the batch goes to the shared stack first; the other CPU's refill takes its top.
 *
 *   CPU 0 frees 0..120 (limit 120): 0..59 move over, shared = [0 .. 59], CPU 0 = [60 .. 120]
 *   CPU 1, untouched: 16 from the top, [44 .. 59]; its first object is 59
 */
static void shared_stack(void **state)
{
    struct fixture *f = fix_create_slab(2, false, "slab");
    struct km_kmem_cache *c = cache(f, 256, 0);
    km_vaddr obj[128];

    (void)state;
    for (unsigned i = 0; i < 128; i++)
        obj[i] = take(f, c, 0);
    assert_int_equal(avail(f, c, 0), 0);
    for (unsigned i = 0; i <= 120; i++)
        give(f, c, 0, obj[i]);
    assert_int_equal(avail(f, c, 0), 61);
    assert_int_equal(shared_avail(f, c), 60);
    assert_int_equal(node(f, c, KM_SLABN_FREE_OBJECTS), 0);
    assert_int_equal(take(f, c, 1), obj[59]);
    assert_int_equal(avail(f, c, 1), 15);
    assert_int_equal(shared_avail(f, c), 44);
    assert_int_equal(take(f, c, 1), obj[58]);
    FIX_CHECK(f);

    struct km_slabinfo info;

    f->layer.p.ops->info(&f->layer, f->w.base, c, &info);
    assert_int_equal(info.num_slabs, 8);
    assert_int_equal(info.active_objs, 128); /* stacked objects count as active */
    assert_int_equal(info.shared_avail, 44);
    assert_int_equal(info.limit, 120);
    fix_destroy(f);
}

/* Every 2 s: a used array is spared once, then loses (120 + 4) / 5 = 24 of its oldest; when fewer
 * than that are left, half of them. Every 4 s the node: free slabs in use are spared once, then
 * ceil(136 / 80) = 2 go per visit (free_limit = 2 * 60 + 16). */
static void reaper(void **state)
{
    struct fixture *f = fix_create_slab(1, false, "slab");
    struct km_kmem_cache *c = cache(f, 256, 0);
    km_vaddr obj[112];

    (void)state;
    for (unsigned i = 0; i < 112; i++)
        obj[i] = take(f, c, 0);
    for (unsigned i = 0; i < 112; i++)
        give(f, c, 0, obj[i]);
    *(uint32_t *)(f->w.base + c->slab.node_va[0] + KM_SLABN_NEXT_REAP) = 7000;
    km_slab_timer(&f->layer, &f->cpu[0], 1); /* begins to count */
    km_slab_timer(&f->layer, &f->cpu[0], 2000);
    assert_int_equal(peek(f, km_slab_cpu_array(&f->layer, c, 0) + KM_AC_TOUCHED), 1);
    km_slab_timer(&f->layer, &f->cpu[0], 2001);
    assert_int_equal(avail(f, c, 0), 112);
    assert_int_equal(peek(f, km_slab_cpu_array(&f->layer, c, 0) + KM_AC_TOUCHED), 0);
    km_slab_timer(&f->layer, &f->cpu[0], 4001);
    assert_int_equal(avail(f, c, 0), 88);
    km_slab_timer(&f->layer, &f->cpu[0], 6001);
    assert_int_equal(avail(f, c, 0), 64);
    assert_int_equal(node(f, c, KM_SLABN_FREE_SLABS), 3); /* 48 objects */
    *(uint32_t *)(f->w.base + c->slab.node_va[0] + KM_SLABN_FREE_TOUCHED) =
        1;                                      /* as a refill does */
    km_slab_timer(&f->layer, &f->cpu[0], 8001); /* node: due at 7000 */
    assert_int_equal(avail(f, c, 0), 40);
    assert_int_equal(node(f, c, KM_SLABN_FREE_TOUCHED), 0);
    assert_int_equal(node(f, c, KM_SLABN_TOTAL_SLABS), 7);
    km_slab_timer(&f->layer, &f->cpu[0], 10001);
    assert_int_equal(avail(f, c, 0), 16);
    assert_int_equal(node(f, c, KM_SLABN_TOTAL_SLABS), 7);
    km_slab_timer(&f->layer, &f->cpu[0], 12001); /* node: due at 8001 + 4000 */
    assert_int_equal(avail(f, c, 0), 8);         /* 24 > 16: (16 + 1) / 2 went */
    assert_int_equal(node(f, c, KM_SLABN_TOTAL_SLABS), 5);
    FIX_CHECK(f);
    fix_destroy(f);
}

/* Before 6.1 size classes reach 4 MiB, objects that fill their slab; then they end at 8 KiB. */
static void large_classes(void **state)
{
    struct fixture *f = fix_create_slab(1, false, "slab");
    bool large = test_personality() != &km_personality_linux_6_1;
    uint64_t blocks = f->layer.stats.large_alloc;

    (void)state;
    for (uint32_t size = 8193; size <= 4u << 20; size = size * 3 + 1) {
        struct km_kmem_cache *c = km_kmalloc_cache(&f->layer, size, KM_GFP_KERNEL);
        km_vaddr va = km_kmalloc(&f->layer, &f->cpu[0], size, KM_GFP_KERNEL);

        assert_int_equal(c != NULL, large);
        assert_int_not_equal(va, 0);
        assert_ptr_equal(km_kmem_cache_of(&f->layer, f->w.base, va), c);
        if (c)
            assert_true(c->size >= size && c->size < 2 * size && c->objects == 1);
        FIX_CHECK(f);
        km_kfree(&f->layer, &f->cpu[0], va);
        blocks += !large;
    }
    assert_int_equal(f->layer.stats.large_alloc, blocks);
    assert_int_equal(km_kmalloc(&f->layer, &f->cpu[0], (4u << 20) + 1, KM_GFP_KERNEL), 0);
    FIX_CHECK(f);
    fix_destroy(f);
}

/* An off-slab list is an object of kmalloc-32, one per slab, and goes with its slab. */
static void off_slab(void **state)
{
    struct fixture *f = fix_create_slab(1, false, "slab");
    struct km_kmem_cache *c = cache(f, 256, KM_CACHE_CTOR);
    struct km_kmem_cache *lists = km_kmalloc_cache(&f->layer, 32, KM_GFP_KERNEL);
    uint64_t before = lists->stats.allocs - lists->stats.frees;
    km_vaddr obj[40];

    (void)state;
    assert_ptr_equal(c->slab.freelist_cache, lists);
    for (unsigned i = 0; i < 40; i++)
        obj[i] = take(f, c, 0);
    assert_int_equal(lists->stats.allocs - lists->stats.frees, before + 3);
    for (unsigned i = 0; i < 40; i++)
        give(f, c, 0, obj[i]);
    km_kmem_cache_shrink(&f->layer, &f->cpu[0], c);
    assert_int_equal(lists->stats.allocs - lists->stats.frees, before);
    FIX_CHECK(f);
    fix_destroy(f);
}

/* With a permutation: every object once, not in order, the same for the same seed. */
static void random_order(void **state)
{
    km_vaddr seen[2][16];

    (void)state;
    for (unsigned run = 0; run < 2; run++) {
        struct fixture *f = fix_create_slab(1, true, "slab");
        struct km_kmem_cache *c = cache(f, 256, 0);
        uint32_t mask = 0;
        bool descending = true;

        for (unsigned i = 0; i < 16; i++) {
            seen[run][i] = take(f, c, 0);
            mask |= 1u << (seen[run][i] / 256 % 16);
            descending &= i == 0 || seen[run][i] + 256 == seen[run][i - 1];
        }
        assert_int_equal(mask, 0xffff);
        assert_false(descending);
        FIX_CHECK(f);
        fix_destroy(f);
    }
    assert_memory_equal(seen[0], seen[1], sizeof(seen[0]));
}

static unsigned odd_pages(void *ctx, km_pfn pfn)
{
    (void)ctx;
    return pfn & 1;
}

/* Objects of node 1 freed on node 0 wait in the alien cache of 12; the 13th moves them to node 1's
 * shared stack, or without one to its slabs.
 *
 *   node 0 (CPU 0)             node 1 (CPU 1)
 *   array | alien[1]: 12  -->  shared: 12
 */
static void alien_cache(void **state)
{
    static const uint8_t cpu_node[KM_MAX_CPUS] = {0, 1};
    const struct km_slab_params p = {
        .ops = km_slab_ops_by_name("slab"),
        .numa = {.nodes = 2, .cpu_node = cpu_node, .pfn_node = odd_pages}};
    struct fixture *f = fix_create_with(2, false, &p);
    struct km_kmem_cache *c = cache(f, 256, 0);
    km_vaddr obj[64];
    unsigned nr = 0;

    (void)state;
    while (nr < 13) { /* CPU 1 gets objects of either node; keep those of node 1 */
        km_vaddr o = take(f, c, 1);

        if (odd_pages(NULL, km_va_to_pfn(&f->os, o)))
            obj[nr++] = o;
    }
    km_vaddr vec = node(f, c, KM_SLABN_ALIEN);
    km_vaddr alien = peek(f, vec + 4), there = c->slab.node_va[1];

    assert_int_equal(peek(f, vec), 0); /* none for the own node */
    for (unsigned i = 0; i < 12; i++)
        give(f, c, 0, obj[i]);
    assert_int_equal(avail(f, c, 0), 0);
    assert_int_equal(peek(f, alien + KM_ALIEN_AC + KM_AC_AVAIL), 12);
    give(f, c, 0, obj[12]);
    assert_int_equal(peek(f, alien + KM_ALIEN_AC + KM_AC_AVAIL), 1);
    assert_int_equal(peek(f, peek(f, there + KM_SLABN_SHARED) + KM_AC_AVAIL), 12);
    fix_destroy(f);
}

/* A cache with live objects stays; RCU-typed slabs go a grace period later. */
static void destroy(void **state)
{
    struct fixture *f = fix_create_slab(2, false, "slab");
    struct km_kmem_cache *c = cache(f, 100, KM_CACHE_TYPESAFE_BY_RCU);
    km_vaddr obj = take(f, c, 1);
    int64_t pages;

    (void)state;
    assert_false(km_kmem_cache_destroy(&f->layer, &f->cpu[0], c));
    FIX_CHECK(f);
    give(f, c, 1, obj);
    pages = f->src.live_pages;
    km_kmem_cache_shrink(&f->layer, &f->cpu[0], c);
    assert_int_equal(node(f, c, KM_SLABN_TOTAL_SLABS), 0);
    assert_int_equal(f->src.live_pages, pages);
    assert_int_equal(km_slab_rcu_quiesce(&f->layer, &f->cpu[0]), 1);
    assert_int_equal(f->src.live_pages, pages - 1);
    assert_true(km_kmem_cache_destroy(&f->layer, &f->cpu[0], c));
    FIX_CHECK(f);
    fix_destroy(f);
}

/* The check finds what it promises to find. */
static void check_finds_damage(void **state)
{
    struct fixture *f = fix_create_slab(1, false, "slab");
    struct km_kmem_cache *c = cache(f, 256, 0);
    km_vaddr a = take(f, c, 0), ac = km_slab_cpu_array(&f->layer, c, 0);
    uint32_t *word = (uint32_t *)(f->w.base + ac + KM_AC_ENTRY);

    (void)state;
    uint32_t kept = word[0];

    word[0] = word[1];
    assert_string_equal(fix_check(f), "an object is on the stacks twice");
    word[0] = a + 4;
    assert_string_equal(fix_check(f), "a stack holds something inside an object");
    word[0] = kept;
    FIX_CHECK(f);
    *(uint32_t *)(f->w.base + c->slab.node_va[0] + KM_SLABN_FREE_OBJECTS) += 1;
    assert_string_equal(fix_check(f), "free_objects is wrong");
    fix_destroy(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(geometry),           cmocka_unit_test(colours),
        cmocka_unit_test(page_request),       cmocka_unit_test(refill_and_stack),
        cmocka_unit_test(flush_oldest),       cmocka_unit_test(free_limit),
        cmocka_unit_test(shared_stack),       cmocka_unit_test(reaper),
        cmocka_unit_test(large_classes),      cmocka_unit_test(off_slab),
        cmocka_unit_test(random_order),       cmocka_unit_test(alien_cache),
        cmocka_unit_test(destroy),            cmocka_unit_test(partial_order),
        cmocka_unit_test(shared_room),        cmocka_unit_test(check_finds_damage),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
