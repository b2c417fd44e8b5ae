/* SPDX-License-Identifier: MIT
 * test_slub.c - where objects and slabs go in SLUB, step by step, with all invariants after each
 * step.
 */
#include "slab_fixture.h"

#include "models/base/prng.h"
#include "models/os/slub.h"
#include "tests/unit/os/rounds.h"

static uint32_t peek(struct fixture *f, km_vaddr va)
{
    return km_peek32(f->w.base, va);
}

static uint32_t nr_partial(struct fixture *f, struct km_kmem_cache *c)
{
    return peek(f, c->node_va + KM_KCN_NR_PARTIAL);
}

static uint32_t nr_slabs(struct fixture *f, struct km_kmem_cache *c)
{
    return peek(f, c->node_va + KM_KCN_NR_SLABS);
}

static unsigned cpu_partial_len(struct fixture *f, struct km_kmem_cache *c, unsigned cpu)
{
    km_vaddr s = peek(f, km_slab_percpu(&f->layer, c, cpu) + KM_KCC_PARTIAL);

    return s ? peek(f, s + KM_SLAB_SLABS) : 0;
}

static struct km_kmem_cache *cache(struct fixture *f, const char *name, uint32_t size,
                                   uint32_t flags)
{
    struct km_kmem_cache *c =
        km_kmem_cache_create(&f->layer, &f->cpu[0], name, size, 0, flags | KM_CACHE_NO_MERGE);

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

static void ascending_and_lifo(void **state)
{
    struct fixture *f = fix_create(1, false);
    struct km_kmem_cache *c = cache(f, "t", 256, 0);
    km_vaddr a = take(f, c, 0), b = take(f, c, 0), d = take(f, c, 0);

    (void)state;
    assert_int_equal(b, a + 256);
    assert_int_equal(d, a + 512);
    give(f, c, 0, a);
    give(f, c, 0, d);
    assert_int_equal(take(f, c, 0), d);
    assert_int_equal(take(f, c, 0), a);
    assert_int_equal(nr_slabs(f, c), 1);
    fix_destroy(f);
}

/* With a permutation: all objects of the slab, each once, not ascending, the same for the same
 * seed. */
static void random_order(void **state)
{
    km_vaddr seen[2][16];

    (void)state;
    for (unsigned run = 0; run < 2; run++) {
        struct fixture *f = fix_create(2, true);
        struct km_kmem_cache *c = cache(f, "t", 256, 0);
        bool ascending = true;
        uint32_t mask = 0;

        assert_true(c->random_seq_va != 0);
        for (unsigned i = 0; i < 16; i++) {
            seen[run][i] = take(f, c, 0);
            mask |= 1u << (seen[run][i] / 256 % 16);
            ascending &= i == 0 || seen[run][i] == seen[run][i - 1] + 256;
        }
        assert_int_equal(mask, 0xffff);
        assert_false(ascending);
        assert_int_equal(nr_slabs(f, c), 1);
        fix_destroy(f);
    }
    assert_memory_equal(seen[0], seen[1], sizeof(seen[0]));
}

/* Objects freed by another CPU wait on the slab's list and are taken over before anything else. */
static void remote_free(void **state)
{
    struct fixture *f = fix_create(2, false);
    struct km_kmem_cache *c = cache(f, "t", 256, 0);
    km_vaddr obj[16];

    (void)state;
    for (unsigned i = 0; i < 16; i++)
        obj[i] = take(f, c, 0);
    give(f, c, 1, obj[3]);
    give(f, c, 1, obj[5]);
    km_vaddr slab = km_slab_of(&f->layer, &f->cpu[0], obj[0]);

    assert_int_equal(KM_SC_INUSE(peek(f, slab + KM_SLAB_COUNTERS)), 14);
    assert_int_equal(cpu_partial_len(f, c, 1), 0); /* the slab is frozen on CPU 0 */
    assert_int_equal(take(f, c, 0), obj[5]);
    assert_int_equal(take(f, c, 0), obj[3]);
    assert_int_equal(nr_slabs(f, c), 1);
    FIX_CHECK(f);
    fix_destroy(f);
}

/* Slabs of 256-byte objects a CPU's list may hold. 6.1: 52 objects, slabs of 16 half full (2 * 52 / 16
 * rounded up). 4.10: 13 free objects, one to a slab that was full. 2.6: no such list. */
static unsigned list_of_256(void)
{
    const struct km_personality *p = test_personality();

    return p == &km_personality_linux_6_1 ? 7 : p == &km_personality_linux_4_10 ? 13 : 0;
}

static void cpu_partial_overflow(void **state)
{
    struct fixture *f = fix_create(1, false);
    struct km_kmem_cache *c = cache(f, "t", 256, 0);
    km_vaddr obj[20][16];
    unsigned most = list_of_256(), waiting = most ? 1 : 0;

    (void)state;
    assert_int_equal(c->cpu_partial_slabs, most);
    for (unsigned s = 0; s < 20; s++)
        for (unsigned i = 0; i < 16; i++)
            obj[s][i] = take(f, c, 0);
    for (unsigned s = 0; s < most; s++)
        give(f, c, 0, obj[s][0]);
    assert_int_equal(cpu_partial_len(f, c, 0), most);
    assert_int_equal(nr_partial(f, c), 0);
    give(f, c, 0, obj[most][0]); /* all of them go to the node's tail, oldest last */
    assert_int_equal(cpu_partial_len(f, c, 0), waiting);
    assert_int_equal(nr_partial(f, c), most + 1 - waiting);
    km_vaddr first = peek(f, c->node_va + KM_KCN_PARTIAL) - KM_SLAB_LIST;

    assert_int_equal(first, km_slab_of(&f->layer, &f->cpu[0], obj[most ? most - 1 : 0][0]));

    /* slabinfo: what waits on the node list is free, what waits on the CPU is "active". */
    struct km_slabinfo info;

    c = &f->layer.cache[c - f->layer.cache];
    f->layer.p.ops->info(&f->layer, f->w.base, c, &info);
    assert_int_equal(info.num_slabs, 20);
    assert_int_equal(info.num_objs, 320);
    assert_int_equal(info.active_objs, 320 - (most + 1 - waiting));
    fix_destroy(f);
}

/* An empty slab on the node list is released only while min_partial others are there; the same when
 * the CPU's list moves out. */
static void release_conditions(void **state)
{
    struct fixture *f = fix_create(1, false);
    struct km_kmem_cache *c = cache(f, "t", 256, 0);
    km_vaddr obj[20][16];

    (void)state;
    assert_int_equal(c->min_partial, 5);
    for (unsigned s = 0; s < 20; s++)
        for (unsigned i = 0; i < 16; i++)
            obj[s][i] = take(f, c, 0);
    unsigned most = list_of_256(), given = most ? most + 1 : 8, on_node = most ? most : 8;

    for (unsigned s = 0; s < given; s++)
        give(f, c, 0, obj[s][0]); /* the last one waits on the CPU, if it may */
    assert_int_equal(nr_partial(f, c), on_node);
    unsigned slabs = 20, s = 0;

    for (; on_node >= 5; s++, on_node--) {
        for (unsigned i = 1; i < 16; i++)
            give(f, c, 0, obj[s][i]);
        assert_int_equal(nr_slabs(f, c), --slabs);
    }
    assert_int_equal(nr_partial(f, c), 4);
    for (unsigned i = 1; i < 16; i++)
        give(f, c, 0, obj[s][i]);
    assert_int_equal(nr_slabs(f, c), slabs); /* 4 < 5: stays, empty */
    assert_int_equal(nr_partial(f, c), 4);
    assert_int_equal(f->src.frees, s);
    /* An empty slab that was full goes to the CPU's list and stays there; without one to the node. */
    for (unsigned i = 0; i < 16; i++)
        give(f, c, 0, obj[18][i]);
    assert_int_equal(nr_slabs(f, c), most ? slabs : slabs - 1);
    assert_int_equal(cpu_partial_len(f, c, 0), most ? 2 : 0);
    fix_destroy(f);
}

/* A refill takes the head of the node list as current slab and more onto the CPU's list, until more
 * than half of cpu_partial_slabs moved. */
static void get_partial_takes_more(void **state)
{
    struct fixture *f = fix_create(1, false);
    struct km_kmem_cache *c = cache(f, "t", 256, 0);
    km_vaddr obj[30][16];

    (void)state;
    for (unsigned s = 0; s < 30; s++)
        for (unsigned i = 0; i < 16; i++)
            obj[s][i] = take(f, c, 0);
    unsigned most = list_of_256(), waiting = most ? 1 : 0, moved = most ? most / 2 + 1 : 0;
    unsigned given = most ? 2 * most + 1 : 15;

    for (unsigned s = 0; s < given; s++)
        give(f, c, 0, obj[s][0]);
    assert_int_equal(nr_partial(f, c), given - waiting);
    assert_int_equal(cpu_partial_len(f, c, 0), waiting);
    if (most)
        assert_int_equal(take(f, c, 0), obj[given - 1][0]); /* the CPU's own first */
    /* head of the node list: unfrozen first */
    assert_int_equal(take(f, c, 0), obj[most ? most - 1 : 0][0]);
    assert_int_equal(cpu_partial_len(f, c, 0), moved); /* 6.1: 4 > 7 / 2 */
    assert_int_equal(nr_partial(f, c), given - waiting - 1 - moved);
    FIX_CHECK(f);
    fix_destroy(f);
}

static void page_requests(void **state)
{
    struct fixture *f = fix_create(2, false);
    struct km_kmem_cache *c = cache(f, "t", 1024, 0);
    struct km_kmem_cache *r = cache(f, "r", 100, KM_CACHE_RECLAIM_ACCOUNT);

    (void)state;
    assert_int_equal(c->order, 2);
    take(f, c, 0);
    assert_int_equal(f->src.last_order[0], 2);
    assert_int_equal(f->src.last_gfp[0], KM_GFP_IO | KM_GFP_FS | KM_GFP_NOWARN | KM_GFP_NORETRY |
                                             KM_GFP_COMP | KM_GFP_NOMEMALLOC);
    take(f, r, 0);
    assert_int_equal(f->src.last_order[0], 0);
    assert_int_equal(f->src.last_gfp[0],
                     KM_GFP_KERNEL | KM_GFP_NOWARN | KM_GFP_NORETRY | KM_GFP_RECLAIMABLE);

    /* High order fails: the smallest order that holds an object, with the caller's flags. */
    f->src.fail_above = 1;
    for (unsigned i = 1; i < c->objects; i++)
        take(f, c, 0);
    km_vaddr obj =
        km_kmem_cache_alloc(&f->layer, &f->cpu[0], c, KM_GFP_ATOMIC | KM_GFP_ZERO | KM_GFP_ACCOUNT);

    assert_true(obj != 0);
    assert_int_equal(f->src.last_order[1], 2);
    assert_int_equal(f->src.last_gfp[1],
                     KM_GFP_ATOMIC | KM_GFP_NOWARN | KM_GFP_NORETRY | KM_GFP_COMP);
    assert_int_equal(f->src.last_order[0], 0);
    assert_int_equal(f->src.last_gfp[0], KM_GFP_ATOMIC | KM_GFP_COMP);
    assert_int_equal(f->layer.stats.slab_retries, 1);
    FIX_CHECK(f);
    assert_int_equal(
        KM_SC_OBJECTS(peek(f, km_slab_of(&f->layer, &f->cpu[0], obj) + KM_SLAB_COUNTERS)), 4);
    f->src.fail_all = true;
    for (unsigned i = 1; i < 4; i++)
        take(f, c, 0);
    assert_int_equal(km_kmem_cache_alloc(&f->layer, &f->cpu[0], c, KM_GFP_KERNEL), 0);
    assert_int_equal(c->stats.failed, 1);
    FIX_CHECK(f);
    fix_destroy(f);
}

static void bulk(void **state)
{
    struct fixture *f = fix_create(1, false);
    struct km_kmem_cache *c = cache(f, "maple", 256, 0);
    km_vaddr obj[40];

    (void)state;
    assert_int_equal(km_kmem_cache_alloc_bulk(&f->layer, &f->cpu[0], c, KM_GFP_KERNEL, 40, obj),
                     40);
    FIX_CHECK(f);
    for (unsigned i = 0; i < 40; i++)
        for (unsigned j = 0; j < i; j++)
            assert_int_not_equal(obj[i], obj[j]);
    km_kmem_cache_free_bulk(&f->layer, &f->cpu[0], c, 40, obj);
    FIX_CHECK(f);
    assert_int_equal(c->stats.frees, 40);
    /* All or nothing: 8 objects are left in the current slab and 32 on the CPU's list, then no
     * pages. */
    f->src.fail_all = true;
    assert_int_equal(km_kmem_cache_alloc_bulk(&f->layer, &f->cpu[0], c, KM_GFP_KERNEL, 40, obj),
                     40);
    km_vaddr more[9];

    assert_int_equal(km_kmem_cache_alloc_bulk(&f->layer, &f->cpu[0], c, KM_GFP_KERNEL, 9, more), 0);
    assert_int_equal(km_kmem_cache_alloc_bulk(&f->layer, &f->cpu[0], c, KM_GFP_KERNEL, 8, more), 8);
    FIX_CHECK(f);
    fix_destroy(f);
}

static void shrink_and_destroy(void **state)
{
    struct fixture *f = fix_create(2, false);
    struct km_kmem_cache *c = cache(f, "t", 256, 0);
    km_vaddr obj[4][16];
    int64_t pages = f->src.live_pages;

    (void)state;
    for (unsigned s = 0; s < 4; s++)
        for (unsigned i = 0; i < 16; i++)
            obj[s][i] = take(f, c, 0);
    for (unsigned i = 0; i < 16; i++)
        give(f, c, 1, obj[0][i]);
    for (unsigned i = 0; i < 10; i++)
        give(f, c, 1, obj[1][i]);
    give(f, c, 1, obj[2][0]);
    km_kmem_cache_shrink(&f->layer, &f->cpu[0], c);
    FIX_CHECK(f);
    assert_int_equal(nr_slabs(f, c), 3);
    assert_int_equal(nr_partial(f, c), 2);
    km_vaddr first = peek(f, c->node_va + KM_KCN_PARTIAL) - KM_SLAB_LIST;

    assert_int_equal(first, km_slab_of(&f->layer, &f->cpu[0], obj[2][1])); /* fullest first */

    assert_false(km_kmem_cache_destroy(&f->layer, &f->cpu[0], c)); /* objects live */
    for (unsigned i = 10; i < 16; i++)
        give(f, c, 0, obj[1][i]);
    for (unsigned i = 1; i < 16; i++)
        give(f, c, 0, obj[2][i]);
    for (unsigned i = 0; i < 16; i++)
        give(f, c, 0, obj[3][i]);
    assert_true(km_kmem_cache_destroy(&f->layer, &f->cpu[0], c));
    FIX_CHECK(f);
    assert_int_equal(f->src.live_pages, pages);
    assert_null(km_kmem_cache_by_name(&f->layer, "t"));
    fix_destroy(f);
}

/* TYPESAFE_BY_RCU: the pages of an empty slab stay until a grace period has passed. */
static void typesafe_by_rcu(void **state)
{
    struct fixture *f = fix_create(1, false);
    struct km_kmem_cache *c = cache(f, "sighand", 1300, KM_CACHE_TYPESAFE_BY_RCU);
    km_vaddr obj[64];
    uint64_t frees = f->src.frees;

    (void)state;
    for (unsigned i = 0; i < 64; i++)
        obj[i] = take(f, c, 0);
    uint32_t slabs = nr_slabs(f, c);

    for (unsigned i = 0; i < 64; i++)
        give(f, c, 0, obj[i]);
    km_kmem_cache_shrink(&f->layer, &f->cpu[0], c);
    assert_int_equal(nr_slabs(f, c), 0);
    assert_int_equal(f->src.frees, frees);
    FIX_CHECK(f);
    assert_int_equal(km_slab_rcu_quiesce(&f->layer, &f->cpu[0]), slabs);
    assert_int_equal(f->src.frees, frees + slabs);
    assert_int_equal(km_slab_rcu_quiesce(&f->layer, &f->cpu[0]), 0);
    FIX_CHECK(f);
    fix_destroy(f);
}

/* Accounted slabs get a vector of 4 bytes per object from kmalloc; it goes with the slab. */
static void memcg_vector(void **state)
{
    RULE_NEEDS(fix_struct_page_bytes() > KM_PAGE_MEMCG);
    struct fixture *f = fix_create(1, false);
    struct km_kmem_cache *c = cache(f, "filp", 160, KM_CACHE_ACCOUNT | KM_CACHE_HWCACHE_ALIGN);
    struct km_kmem_cache *plain = cache(f, "plain", 160, 0);
    struct km_kmem_cache *vec = km_kmalloc_cache(&f->layer, 100, KM_GFP_KERNEL);
    uint64_t before = vec->stats.allocs;
    km_vaddr obj[25];

    (void)state;
    f->layer.memcg = true;
    for (unsigned i = 0; i < 25; i++)
        obj[i] = take(f, c, 0);
    assert_int_equal(vec->stats.allocs, before + 1); /* 25 * 4 = 100 bytes: kmalloc-128 */
    km_vaddr slab = km_slab_of(&f->layer, &f->cpu[0], obj[0]);
    km_vaddr v = peek(f, slab + KM_PAGE_MEMCG);

    for (unsigned i = 0; i < 25; i++)
        assert_int_equal(peek(f, v + 4 * i), f->layer.objcg_va);
    give(f, c, 0, obj[7]);
    assert_int_equal(peek(f, v + 4 * ((obj[7] - obj[0]) / 160)), 0);
    for (unsigned i = 0; i < 25; i++)
        if (i != 7)
            give(f, c, 0, obj[i]);
    km_kmem_cache_shrink(&f->layer, &f->cpu[0], c);
    assert_int_equal(nr_slabs(f, c), 0);
    assert_int_equal(vec->stats.frees, 1);

    take(f, plain, 0);
    assert_int_equal(vec->stats.allocs, before + 1);
    assert_true(km_kmem_cache_alloc(&f->layer, &f->cpu[0], plain, KM_GFP_KERNEL | KM_GFP_ACCOUNT) !=
                0);
    assert_int_equal(vec->stats.allocs, before + 2); /* first accounted object of a plain slab */
    FIX_CHECK(f);
    fix_destroy(f);
}

static void merging(void **state)
{
    struct fixture *f = fix_create(2, false);
    struct km_slab_layer *l = &f->layer;
    struct km_cpu *cpu = &f->cpu[0];
    struct km_kmem_cache *a =
        km_kmem_cache_create(l, cpu, "buffer_head", 60, 0, KM_CACHE_RECLAIM_ACCOUNT);

    (void)state;
    assert_ptr_equal(km_kmem_cache_create(l, cpu, "same", 64, 0, KM_CACHE_RECLAIM_ACCOUNT), a);
    assert_ptr_equal(km_kmem_cache_create(l, cpu, "a", 61, 0, KM_CACHE_RECLAIM_ACCOUNT), a);
    assert_ptr_not_equal(km_kmem_cache_create(l, cpu, "b", 56, 0, KM_CACHE_RECLAIM_ACCOUNT), a);
    assert_ptr_not_equal(km_kmem_cache_create(l, cpu, "c", 64, 0, 0), a);
    assert_ptr_not_equal(
        km_kmem_cache_create(l, cpu, "d", 60, 0, KM_CACHE_RECLAIM_ACCOUNT | KM_CACHE_CTOR), a);
    assert_ptr_not_equal(km_kmem_cache_create(l, cpu, "e", 64, 128, KM_CACHE_RECLAIM_ACCOUNT), a);
    assert_int_equal(a->aliases, 2);
    assert_string_equal(a->name, "buffer_head");
    assert_true(km_kmem_cache_destroy(l, cpu, a)); /* one name less */
    assert_non_null(km_kmem_cache_by_name(l, "buffer_head"));
    /* kmalloc caches are no targets. */
    struct km_kmem_cache *k = km_kmem_cache_create(l, cpu, "like-kmalloc", 64, 64, 0);

    assert_false(k->kmalloc);
    FIX_CHECK(f);
    fix_destroy(f);
}

/* Fast paths make the references of the recorded kernel: see kfn.h. */
struct counts {
    uint64_t n[KM_REF_NR], insns;
    km_vaddr stack_va;
};

static void count_ref(struct km_cpu *cpu, km_vaddr va, uint32_t bytes, enum km_ref_kind kind)
{
    struct counts *n = cpu->ctx;

    /* Stack words are single references there, cmpxchg8b is one of 8 bytes. */
    n->n[kind] += va < n->stack_va && va >= n->stack_va - 256 ? bytes / 4 : 1;
}

static void count_exec(struct km_cpu *cpu, const struct km_site *site, uint32_t insns)
{
    assert_non_null(site->name);
    ((struct counts *)cpu->ctx)->insns += insns;
}

static void no_relax(struct km_cpu *cpu)
{
    (void)cpu;
    fail();
}

static void recorded_counts(void **state)
{
    static const struct km_cpu_ops ops = {
        .name = "count", .ref = count_ref, .exec = count_exec, .relax = no_relax};
    struct fixture *f = fix_create(2, false);
    struct km_kmem_cache *c = cache(f, "t", 256, 0);
    km_vaddr a = take(f, c, 0), b = take(f, c, 0);
    struct counts n = {.stack_va = f->layer.stack_va[0]};

    (void)state;
    for (unsigned i = 2; i < 16 + 3; i++)
        take(f, c, 0);
    f->cpu[0].ctx = &n;
    f->cpu[0].ops = &ops;
    km_vaddr d = take(f, c, 0);

    assert_int_equal(n.insns, 116);
    assert_int_equal(n.n[KM_REF_LOAD], 37);
    assert_int_equal(n.n[KM_REF_STORE], 17);
    n = (struct counts){.stack_va = n.stack_va};
    km_kmem_cache_free(&f->layer, &f->cpu[0], c, d);
    assert_int_equal(n.insns, 88);
    assert_int_equal(n.n[KM_REF_LOAD], 27);
    assert_int_equal(n.n[KM_REF_STORE], 10);
    km_kmem_cache_free(&f->layer, &f->cpu[0], c, a); /* full slab: becomes this CPU's cpu-partial */
    n = (struct counts){.stack_va = n.stack_va};
    km_kmem_cache_free(&f->layer, &f->cpu[0], c, b); /* frozen slab, slow path */
    assert_int_equal(n.insns, 157);
    assert_int_equal(n.n[KM_REF_LOAD] + n.n[KM_REF_RMW], 46);
    assert_int_equal(n.n[KM_REF_STORE] + n.n[KM_REF_RMW], 37);
    n = (struct counts){.stack_va = n.stack_va};
    km_kfree(&f->layer, &f->cpu[0], 0);
    assert_int_equal(n.insns, 12);
    assert_int_equal(n.n[KM_REF_LOAD], 4);
    assert_int_equal(n.n[KM_REF_STORE], 2);
    f->cpu[0].ops = NULL;
    FIX_CHECK(f);
    fix_destroy(f);
}

/* Thousands of random steps on two CPUs: live objects never overlap, all invariants hold, pages
 * come back. */
#define LIVE 1500

static void property(void **state)
{
    (void)state;
    for (unsigned seed = 1; seed <= 3; seed++) {
        struct fixture *f = fix_create(2, seed & 1);
        static const uint32_t sizes[] = {8, 40, 256, 1300, 4096};
        struct km_kmem_cache *c[KM_ARRAY_LEN(sizes)];
        static struct {
            km_vaddr va;
            unsigned cache;
        } live[LIVE];
        struct km_prng r = {.state = seed};
        unsigned nr = 0;
        int64_t pages = f->src.live_pages;

        f->layer.memcg = seed == 2;
        for (unsigned i = 0; i < KM_ARRAY_LEN(sizes); i++)
            c[i] = cache(f, "p", sizes[i],
                         (i == 3 ? KM_CACHE_TYPESAFE_BY_RCU : 0) | (i == 2 ? KM_CACHE_ACCOUNT : 0));
        pages = f->src.live_pages;
        for (unsigned step = 0; step < test_rounds(12000); step++) {
            struct km_cpu *cpu = &f->cpu[km_prng_below(&r, 2)];
            bool growing = step / 2000 % 2 == 0;

            if (nr < LIVE && km_prng_below(&r, 100) < (growing ? 60u : 35u)) {
                unsigned k = km_prng_below(&r, KM_ARRAY_LEN(sizes));
                km_vaddr va = km_kmem_cache_alloc(&f->layer, cpu, c[k], KM_GFP_KERNEL);

                assert_true(va != 0);
                assert_ptr_equal(km_kmem_cache_of(&f->layer, f->w.base, va), c[k]);
                memset(f->w.base + va, (int)(va >> 3), sizes[k]); /* the user's data */
                live[nr].va = va;
                live[nr++].cache = k;
            } else if (nr) {
                unsigned i = km_prng_below(&r, nr);
                unsigned k = live[i].cache;

                for (unsigned b = 0; b < sizes[k]; b++)
                    if (f->w.base[live[i].va + b] != (uint8_t)(live[i].va >> 3))
                        fail_msg("object %x of cache %u was overwritten at byte %u", live[i].va, k,
                                 b);
                km_kmem_cache_free(&f->layer, cpu, c[k], live[i].va);
                live[i] = live[--nr];
            }
            if (step % 1000 == 999)
                km_slab_rcu_quiesce(&f->layer, cpu);
            if (step % 16 == 0)
                FIX_CHECK(f);
        }
        while (nr) {
            nr--;
            km_kmem_cache_free(&f->layer, &f->cpu[0], c[live[nr].cache], live[nr].va);
        }
        for (unsigned i = 0; i < KM_ARRAY_LEN(sizes); i++) {
            km_kmem_cache_shrink(&f->layer, &f->cpu[0], c[i]);
            assert_int_equal(nr_slabs(f, c[i]), 0);
        }
        km_slab_rcu_quiesce(&f->layer, &f->cpu[0]);
        FIX_CHECK(f);
        if (seed != 2) /* vectors' own kmalloc slabs may stay on partial lists */
            assert_int_equal(f->src.live_pages, pages);
        fix_destroy(f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ascending_and_lifo), cmocka_unit_test(random_order),
        cmocka_unit_test(remote_free),        cmocka_unit_test(cpu_partial_overflow),
        cmocka_unit_test(release_conditions), cmocka_unit_test(get_partial_takes_more),
        cmocka_unit_test(page_requests),      cmocka_unit_test(bulk),
        cmocka_unit_test(shrink_and_destroy), cmocka_unit_test(typesafe_by_rcu),
        cmocka_unit_test(memcg_vector),       cmocka_unit_test(merging),
        cmocka_unit_test(recorded_counts),    cmocka_unit_test(property),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
