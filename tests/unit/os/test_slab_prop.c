/* SPDX-License-Identifier: MIT
 * test_slab_prop.c - one property test for every row of the table of slab allocators.
 *
 * Random calls on two CPUs: create, destroy (also with live objects), alloc, free, bulk alloc and
 * free, kmalloc, kfree, krealloc, shrink, reaper ticks, grace periods, and a page source that runs
 * dry now and then. Held after every call: no two live objects share a byte (a host map of owners
 * of every 4 bytes), their contents are untouched, every address is aligned as asked, and the
 * allocator's own check finds nothing (every call in short runs, every 32nd in long ones). At the
 * end everything is freed and every page comes back.
 */
#include "slab_fixture.h"

#include "models/base/bits.h"
#include "models/base/prng.h"
#include "tests/unit/os/rounds.h"

#define CACHES 6u
#define LIVE 900u
#define GRAINS (FIX_RAM / 4)

struct object {
    km_vaddr va;
    uint32_t size;
    struct km_kmem_cache *c; /* NULL: kmalloc */
    uint8_t fill;
};

struct run {
    struct fixture *f;
    struct km_prng r;
    struct km_kmem_cache *cache[CACHES];
    struct object live[LIVE];
    unsigned nr;
    uint16_t *owner; /* object number + 1 of every 4 bytes */
    uint64_t ms;
};

static const struct {
    const char *name;
    uint32_t size, align, flags;
} shape[CACHES] = {
    {"tiny", 12, 0, 0},
    {"aligned", 70, 0, KM_CACHE_HWCACHE_ALIGN | KM_CACHE_ACCOUNT},
    {"plain", 256, 64, KM_CACHE_RECLAIM_ACCOUNT},
    {"typesafe", 500, 0, KM_CACHE_TYPESAFE_BY_RCU},
    {"large", 1300, 0, 0},
    {"huge", 4200, 0, 0},
};

static uint32_t below(struct run *t, uint32_t n)
{
    return km_prng_below(&t->r, n);
}

static struct km_cpu *any_cpu(struct run *t)
{
    return &t->f->cpu[below(t, 2)];
}

static void claim(struct run *t, km_vaddr va, uint32_t size, unsigned who)
{
    for (uint32_t g = (va - 0xc0000000u) / 4; g <= (va - 0xc0000000u + size - 1) / 4; g++) {
        if (who && t->owner[g])
            fail_msg("%s: objects %x and %x overlap", t->f->layer.p.ops->name, va,
                     t->live[t->owner[g] - 1].va);
        t->owner[g] = (uint16_t)who;
    }
}

static void remember(struct run *t, km_vaddr va, uint32_t size, struct km_kmem_cache *c)
{
    struct object *o = &t->live[t->nr];

    *o = (struct object){.va = va, .size = size, .c = c, .fill = (uint8_t)(va >> 4 ^ t->nr)};
    claim(t, va, size, ++t->nr);
    memset(t->f->w.base + va, o->fill, size);
}

/* Takes object i off the books; its contents must be what its user wrote. */
static struct object forget(struct run *t, unsigned i)
{
    struct object o = t->live[i];

    for (uint32_t b = 0; b < o.size; b++)
        if (t->f->w.base[o.va + b] != o.fill)
            fail_msg("%s: byte %u of object %x changed", t->f->layer.p.ops->name, b, o.va);
    claim(t, o.va, o.size, 0);
    t->live[i] = t->live[--t->nr];
    if (i < t->nr) {
        claim(t, t->live[i].va, t->live[i].size, 0);
        claim(t, t->live[i].va, t->live[i].size, i + 1);
    }
    return o;
}

static void do_alloc(struct run *t)
{
    unsigned k = below(t, CACHES);
    km_vaddr va;

    if (!t->cache[k] || t->nr == LIVE)
        return;
    va = km_kmem_cache_alloc(&t->f->layer, any_cpu(t), t->cache[k], KM_GFP_KERNEL);
    if (!va) {
        assert_true(t->f->src.fail_all);
        return;
    }
    assert_int_equal(va % km_max_u64(8, shape[k].align), 0);
    remember(t, va, shape[k].size, t->cache[k]);
}

static void do_free(struct run *t)
{
    if (!t->nr)
        return;
    struct object o = forget(t, below(t, t->nr));

    if (o.c)
        km_kmem_cache_free(&t->f->layer, any_cpu(t), o.c, o.va);
    else
        km_kfree(&t->f->layer, any_cpu(t), o.va);
}

static void do_kmalloc(struct run *t)
{
    uint32_t size = 1 + below(t, 1u << (3 + below(t, 11)));
    km_vaddr va;

    if (t->nr == LIVE)
        return;
    va = km_kmalloc(&t->f->layer, any_cpu(t), size, KM_GFP_KERNEL);
    if (!va) {
        assert_true(t->f->src.fail_all);
        return;
    }
    if (km_is_pow2(size) && size <= 4096)
        assert_int_equal(va % size, 0);
    assert_true(km_ksize(&t->f->layer, &t->f->cpu[0], va) >= size);
    remember(t, va, size, NULL);
}

static void do_krealloc(struct run *t)
{
    if (!t->nr)
        return;
    unsigned i = below(t, t->nr);

    if (t->live[i].c)
        return;
    uint32_t size = 1 + below(t, 3000);
    struct object o = forget(t, i);
    km_vaddr va = km_krealloc(&t->f->layer, any_cpu(t), o.va, size, KM_GFP_KERNEL);

    if (!va) { /* the old one stays */
        assert_true(t->f->src.fail_all);
        remember(t, o.va, o.size, NULL);
        return;
    }
    for (uint32_t b = 0; b < km_min_u64(size, o.size); b++)
        assert_int_equal(t->f->w.base[va + b], o.fill);
    remember(t, va, size, NULL);
}

static void do_bulk(struct run *t)
{
    km_vaddr obj[20];
    unsigned k = below(t, CACHES), nr = 1 + below(t, 20), got;

    if (!t->cache[k])
        return;
    if (below(t, 2) && t->nr + nr <= LIVE) {
        got =
            km_kmem_cache_alloc_bulk(&t->f->layer, any_cpu(t), t->cache[k], KM_GFP_KERNEL, nr, obj);
        assert_true(got == nr || (got == 0 && t->f->src.fail_all));
        for (unsigned i = 0; i < got; i++)
            remember(t, obj[i], shape[k].size, t->cache[k]);
        return;
    }
    got = 0;
    for (unsigned i = t->nr; i-- > 0 && got < nr;)
        if (t->live[i].c == t->cache[k])
            obj[got++] = forget(t, i).va;
    km_kmem_cache_free_bulk(&t->f->layer, any_cpu(t), t->cache[k], got, obj);
}

static void do_lifetime(struct run *t)
{
    unsigned k = below(t, CACHES), objects = 0;

    if (!t->cache[k]) {
        t->cache[k] = km_kmem_cache_create(&t->f->layer, any_cpu(t), shape[k].name, shape[k].size,
                                           shape[k].align, shape[k].flags | KM_CACHE_NO_MERGE);
        assert_true(t->cache[k] || t->f->src.fail_all);
        return;
    }
    for (unsigned i = 0; i < t->nr; i++)
        objects += t->live[i].c == t->cache[k];
    bool gone = km_kmem_cache_destroy(&t->f->layer, any_cpu(t), t->cache[k]);

    assert_int_equal(gone, objects == 0);
    if (gone)
        t->cache[k] = NULL;
}

static void do_upkeep(struct run *t)
{
    unsigned k = below(t, CACHES);

    switch (below(t, 4)) {
    case 0:
        if (t->cache[k])
            km_kmem_cache_shrink(&t->f->layer, any_cpu(t), t->cache[k]);
        return;
    case 1:
        km_slab_rcu_quiesce(&t->f->layer, any_cpu(t));
        return;
    case 2:
        t->ms += below(t, 3000);
        km_slab_timer(&t->f->layer, any_cpu(t), t->ms);
        return;
    default:
        t->f->src.fail_all = below(t, 8) == 0;
    }
}

static void step(struct run *t, bool growing)
{
    uint32_t dice = below(t, 1000);

    if (dice < (growing ? 400u : 200u))
        do_alloc(t);
    else if (dice < 700)
        do_free(t);
    else if (dice < 850)
        do_kmalloc(t);
    else if (dice < 900)
        do_krealloc(t);
    else if (dice < 975)
        do_bulk(t);
    else if (dice < 990)
        do_upkeep(t);
    else
        do_lifetime(t);
}

static void take_down(struct run *t)
{
    t->f->src.fail_all = false;
    while (t->nr)
        do_free(t);
    for (unsigned k = 0; k < CACHES; k++)
        if (t->cache[k])
            assert_true(km_kmem_cache_destroy(&t->f->layer, &t->f->cpu[0], t->cache[k]));
    km_slab_rcu_quiesce(&t->f->layer, &t->f->cpu[0]);
    FIX_CHECK(t->f);
}

/* The layer's own objects (control structures, permutations) stay; what they need must not grow. */
static void shrink_all(struct run *t)
{
    for (unsigned pass = 0; pass < 2; pass++)
        for (unsigned i = 0; i < t->f->layer.nr_cache; i++)
            if (t->f->layer.cache[i].used)
                km_kmem_cache_shrink(&t->f->layer, &t->f->cpu[0], &t->f->layer.cache[i]);
}

static void run_one(const char *slab, uint64_t seed, unsigned steps, unsigned check_every,
                    const struct km_slab_params *extra)
{
    struct run *t = calloc(1, sizeof(*t));

    assert_non_null(t);
    t->f = fix_create_with(2, seed & 1, extra);
    t->r.state = seed;
    t->owner = calloc(GRAINS, sizeof(*t->owner));
    assert_non_null(t->owner);
    t->f->layer.memcg = seed % 3 == 0;
    shrink_all(t);
    uint64_t pages = (uint64_t)t->f->src.live_pages, live_units = t->f->layer.slob.live_units;

    for (unsigned i = 0; i < steps; i++) {
        step(t, i / 1500 % 2 == 0);
        if (i % check_every == 0 && km_slab_check(&t->f->layer, t->f->w.base))
            fail_msg("%s, seed %u, step %u: %s", slab, (unsigned)seed, i, fix_check(t->f));
    }
    assert_true(t->f->layer.stats.slab_blocks_free > 0);
    take_down(t);
    shrink_all(t);
    FIX_CHECK(t->f);
    assert_int_equal(t->f->src.live_pages, pages);
    assert_int_equal(t->f->layer.slob.live_units, live_units);
    assert_int_equal(t->f->layer.stats.bad_free, 0);
    fix_destroy(t->f);
    free(t->owner);
    free(t);
}

static unsigned half(void *ctx, km_pfn pfn)
{
    (void)ctx;
    return pfn >> 3 & 1;
}

static void every_allocator(void **state)
{
    (void)state;
    for (unsigned i = 0; km_slab_table[i]; i++) {
        const struct km_slab_params p = {.ops = km_slab_table[i]};

        run_one(km_slab_table[i]->name, 1, test_rounds(2500), 1, &p);
        run_one(km_slab_table[i]->name, 2, 12000, 32, &p);
        run_one(km_slab_table[i]->name, 3, 12000, 32, &p);
    }
}

/* Two nodes, a CPU on each, frames of the nodes in turns: objects cross over by alien caches. */
static void slab_two_nodes(void **state)
{
    static const uint8_t cpu_node[KM_MAX_CPUS] = {0, 1};
    const struct km_slab_params p = {.ops = km_slab_ops_by_name("slab"),
                                     .numa = {.nodes = 2, .cpu_node = cpu_node, .pfn_node = half}};

    (void)state;
    run_one("slab on two nodes", 1, 2500, 1, &p);
    run_one("slab on two nodes", 2, 12000, 32, &p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_allocator),
        cmocka_unit_test(slab_two_nodes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
