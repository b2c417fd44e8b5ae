/* SPDX-License-Identifier: MIT
 * test_slab_misuse.c - misuse is found by every allocator, reported with both call sites, survived;
 * and the layout of objects with red zones, poison and user tracking.
 */
#include "slab_fixture.h"

#include "models/os/slab.h"

enum { SITE_ALLOC = 0xc1001000, SITE_FREE = 0xc1002000, SITE_BAD = 0xc1003000 };

#define NOTES 1024u

struct rig {
    struct fixture *f;
    struct km_slab_layer *l;
    struct km_cpu *cpu;
    struct fix_reports reports;
    uint8_t *live;
    struct km_slab_note note[NOTES];
};

static struct rig *rig_new(const char *slab)
{
    struct rig *r = calloc(1, sizeof(*r));

    assert_non_null(r);
    r->live = calloc(1, FIX_RAM / 64);
    assert_non_null(r->live);
    struct km_slab_params p = {.ops = km_slab_ops_by_name(slab),
                               .watch = {.live = r->live,
                                         .live_bytes = FIX_RAM / 64,
                                         .note = r->note,
                                         .nr_notes = NOTES,
                                         .report = fix_report,
                                         .ctx = &r->reports}};

    r->f = fix_create_with(2, false, &p);
    r->l = &r->f->layer;
    r->cpu = &r->f->cpu[0];
    assert_int_equal(r->reports.nr, 0);
    return r;
}

static void rig_end(struct rig *r)
{
    FIX_CHECK(r->f);
    fix_destroy(r->f);
    free(r->live);
    free(r);
}

static void site(struct rig *r, uint32_t va)
{
    km_slab_set_call_site(r->l, r->cpu, va);
}

static km_vaddr take(struct rig *r, struct km_kmem_cache *c)
{
    site(r, SITE_ALLOC);
    km_vaddr obj = km_kmem_cache_alloc(r->l, r->cpu, c, KM_GFP_KERNEL);

    assert_true(obj != 0);
    return obj;
}

static void give(struct rig *r, struct km_kmem_cache *c, km_vaddr obj, uint32_t from)
{
    site(r, from);
    km_kmem_cache_free(r->l, r->cpu, c, obj);
    FIX_CHECK(r->f);
}

static struct km_kmem_cache *cache(struct rig *r, const char *name, uint32_t size, uint32_t flags)
{
    struct km_kmem_cache *c =
        km_kmem_cache_create(r->l, r->cpu, name, size, 0, flags | KM_CACHE_NO_MERGE);

    assert_non_null(c);
    return c;
}

/* Exactly one more report, of this kind, about this object. */
static void expect(struct rig *r, unsigned *before, enum km_misuse_kind kind, km_vaddr obj)
{
    assert_int_equal(r->reports.nr, *before + 1);
    assert_int_equal(r->reports.last.kind, kind);
    assert_int_equal(r->reports.last.obj, obj);
    assert_int_equal(r->reports.last.call_site, SITE_BAD);
    *before = r->reports.nr;
}

static void bad_frees(const char *slab)
{
    struct rig *r = rig_new(slab);
    struct km_kmem_cache *c = cache(r, "c", 200, 0), *d = cache(r, "d", 200, 0);
    km_vaddr a = take(r, c), b = take(r, c), k;
    unsigned seen = 0;

    give(r, c, a, SITE_FREE);
    give(r, c, a, SITE_BAD);
    expect(r, &seen, KM_MISUSE_DOUBLE_FREE, a);
    assert_int_equal(r->reports.last.alloc_site, SITE_ALLOC);
    assert_int_equal(r->reports.last.free_site, SITE_FREE);
    assert_string_equal(r->reports.last.cache, "c");
    assert_int_equal(c->stats.frees, 1);

    site(r, SITE_BAD);
    k = km_kmalloc(r->l, r->cpu, 100, KM_GFP_KERNEL | KM_GFP_HIGHMEM); /* served from low memory */
    expect(r, &seen, KM_MISUSE_BAD_GFP, 0);
    assert_true(k != 0);
    km_kfree(r->l, r->cpu, k);

    give(r, c, b + 8, SITE_BAD);
    expect(r, &seen, KM_MISUSE_INTERIOR, b + 8);
    site(r, SITE_BAD);
    km_kfree(r->l, r->cpu, 0xc0000000u + FIX_STATIC_PA); /* kernel data */
    expect(r, &seen, KM_MISUSE_FOREIGN, 0xc0000000u + FIX_STATIC_PA);
    km_kfree(r->l, r->cpu, 0x1000); /* a user address */
    expect(r, &seen, KM_MISUSE_FOREIGN, 0x1000);
    assert_int_equal(r->l->stats.bad_free, 2);

    give(r, d, b, SITE_BAD); /* goes to its own cache */
    expect(r, &seen, KM_MISUSE_WRONG_CACHE, b);
    assert_string_equal(r->reports.last.cache, "d");
    assert_string_equal(r->reports.last.owner, "c");
    assert_int_equal(r->reports.last.alloc_site, SITE_ALLOC);
    assert_int_equal(c->stats.frees, 2);
    assert_int_equal(d->stats.frees, 0);

    site(r, SITE_ALLOC);
    k = km_kmalloc(r->l, r->cpu, 20000, KM_GFP_KERNEL);
    site(r, SITE_BAD);
    km_kfree(r->l, r->cpu, k + 4096);
    expect(r, &seen, KM_MISUSE_INTERIOR, k + 4096);
    site(r, SITE_FREE);
    km_kfree(r->l, r->cpu, k);
    site(r, SITE_BAD);
    km_kfree(r->l, r->cpu, k);
    expect(r, &seen, KM_MISUSE_DOUBLE_FREE, k);
    assert_int_equal(r->reports.last.free_site, SITE_FREE);

    /* One of three in a bulk free is bad: the others are freed. */
    km_vaddr obj[3] = {take(r, c), 0, take(r, c)};

    obj[1] = obj[0];
    site(r, SITE_BAD);
    km_kmem_cache_free_bulk(r->l, r->cpu, c, 3, obj);
    assert_int_equal(r->reports.last.kind, KM_MISUSE_DOUBLE_FREE);
    assert_int_equal(r->reports.nr, ++seen);
    assert_int_equal(c->stats.frees, 4);
    rig_end(r);
}

static void bad_frees_everywhere(void **state)
{
    (void)state;
    for (unsigned i = 0; km_slab_table[i]; i++)
        bad_frees(km_slab_table[i]->name);
}

static void destroy_and_panic(void **state)
{
    (void)state;
    for (unsigned i = 0; km_slab_table[i]; i++) {
        struct rig *r = rig_new(km_slab_table[i]->name);
        struct km_kmem_cache *c = cache(r, "c", 200, 0);
        km_vaddr a = take(r, c);
        unsigned seen = 0;

        site(r, SITE_BAD);
        assert_false(km_kmem_cache_destroy(r->l, r->cpu, c));
        expect(r, &seen, KM_MISUSE_DESTROY_LIVE, a);
        assert_int_equal(r->reports.last.alloc_site, SITE_ALLOC);
        give(r, c, a, SITE_FREE);
        assert_true(km_kmem_cache_destroy(r->l, r->cpu, c));

        site(r, SITE_BAD);
        assert_null(km_kmem_cache_create(r->l, r->cpu, "too large", 8u << 20, 0, 0));
        assert_int_equal(r->reports.nr, seen);
        assert_null(km_kmem_cache_create(r->l, r->cpu, "too large", 8u << 20, 0, KM_CACHE_PANIC));
        expect(r, &seen, KM_MISUSE_PANIC, 0);
        rig_end(r);
    }
}

/* SLUB, object of 20 bytes:
 *
 *   | left zone 8 | 20 bytes | zone 4 | free ptr 4 | tracks 2 x 16 | 4 pad |  = 72
 *   0             8          28       32           36              68
 *
 * SLAB: | zone 8 | 20 + 4 | zone 8 | caller 8 |  = 48
 */
static void layout(void **state)
{
    struct rig *r = rig_new("slub");
    struct km_kmem_cache *c = cache(r, "c", 20, KM_CACHE_DEBUG);

    (void)state;
    assert_int_equal(c->size, 72);
    assert_int_equal(c->obj_offset, 8);
    assert_int_equal(c->dbg.right_off, 20);
    assert_int_equal(c->dbg.right_bytes, 4);
    assert_int_equal(c->free_pointer, 24);
    assert_int_equal(c->dbg.track_off, 28);
    assert_int_equal(c->cpu_partial, 0);
    c = cache(r, "p", 22, KM_CACHE_POISON); /* 24, then the free pointer: 28, aligned 32 */
    assert_int_equal(c->size, 32);
    assert_int_equal(c->free_pointer, 24);
    c = cache(r, "r", 22, KM_CACHE_RED_ZONE); /* the padding of 2 is zone enough: 24 + 4 + 8 */
    assert_int_equal(c->size, 40);
    assert_int_equal(c->dbg.right_bytes, 2);
    assert_int_equal(c->free_pointer, test_personality()->slub_free_pointer_middle ? 8 : 0);
    c = cache(r, "u", 24, KM_CACHE_STORE_USER);
    assert_int_equal(c->size, 56);
    c = cache(r, "h", 20, KM_CACHE_RED_ZONE | KM_CACHE_HWCACHE_ALIGN); /* zone as wide as a line */
    assert_int_equal(c->obj_offset, 32);
    assert_int_equal(c->size, 64);
    rig_end(r);

    r = rig_new("slab");
    c = cache(r, "c", 20, KM_CACHE_DEBUG);
    assert_int_equal(c->size, 48);
    assert_int_equal(c->obj_offset, 8);
    assert_int_equal(c->dbg.right_off, 24);
    assert_int_equal(c->dbg.track_off, 36);
    assert_int_not_equal(c->slab.mgmt, KM_SLAB_MGMT_OBJECT);
    c = cache(r, "h", 20, KM_CACHE_RED_ZONE | KM_CACHE_HWCACHE_ALIGN); /* no room for zones */
    assert_int_equal(c->flags & KM_CACHE_RED_ZONE, 0);
    assert_int_equal(c->size, 32);
    rig_end(r);
}

static void fill(struct rig *r, km_vaddr va, uint32_t bytes)
{
    memset(r->f->w.base + va, 0x11, bytes);
}

static void zones_and_poison(const char *slab, uint8_t fresh)
{
    struct rig *r = rig_new(slab);
    struct km_kmem_cache *c = cache(r, "c", 40, KM_CACHE_DEBUG);
    km_vaddr a = take(r, c);
    unsigned seen = 0;

    assert_int_equal(r->f->w.base[a], fresh); /* not initialised by anybody */
    assert_int_equal(r->f->w.base[a + 39], 0xa5);
    fill(r, a, 40);
    give(r, c, a, SITE_FREE);
    assert_int_equal(r->reports.nr, 0);
    assert_int_equal(r->f->w.base[a], 0x6b);
    assert_int_equal(take(r, c), a); /* last in, first out */

    fill(r, a, 41); /* one byte too many */
    give(r, c, a, SITE_BAD);
    expect(r, &seen, KM_MISUSE_RED_ZONE, a);
    assert_int_equal(r->reports.last.alloc_site, SITE_ALLOC);
    assert_int_equal(take(r, c), a);
    fill(r, a - 1, 1); /* one in front */
    give(r, c, a, SITE_BAD);
    expect(r, &seen, KM_MISUSE_RED_ZONE, a);

    fill(r, a + 17, 1); /* write after free: seen when handed out again */
    site(r, SITE_BAD);
    assert_int_equal(km_kmem_cache_alloc(r->l, r->cpu, c, KM_GFP_KERNEL), a);
    expect(r, &seen, KM_MISUSE_POISON, a);
    assert_int_equal(r->reports.last.free_site, SITE_BAD);
    assert_int_equal(r->f->w.base[a + 17], fresh);
    give(r, c, a, SITE_FREE);

    fill(r, a, 1); /* ... or when its slab goes */
    site(r, SITE_BAD);
    km_kmem_cache_shrink(r->l, r->cpu, c);
    expect(r, &seen, KM_MISUSE_POISON, a);
    assert_true(km_kmem_cache_destroy(r->l, r->cpu, c));
    rig_end(r);
}

static void zones_and_poison_everywhere(void **state)
{
    (void)state;
    zones_and_poison("slub", 0x6b);
    zones_and_poison("slab", 0x5a);
}

/* Without a watch the sites come from SLUB's own records. */
static void tracks_alone(void **state)
{
    struct fix_reports reports = {0};
    const struct km_slab_params p = {.ops = km_slab_ops_by_name("slub"),
                                     .watch = {.report = fix_report, .ctx = &reports}};
    struct fixture *f = fix_create_with(1, false, &p);
    struct km_kmem_cache *c =
        km_kmem_cache_create(&f->layer, &f->cpu[0], "c", 40, 0, KM_CACHE_DEBUG | KM_CACHE_NO_MERGE);

    (void)state;
    km_slab_set_call_site(&f->layer, &f->cpu[0], SITE_ALLOC);
    km_vaddr a = km_kmem_cache_alloc(&f->layer, &f->cpu[0], c, KM_GFP_KERNEL);

    f->w.base[a + 40] = 1;
    km_slab_set_call_site(&f->layer, &f->cpu[0], SITE_BAD);
    km_kmem_cache_free(&f->layer, &f->cpu[0], c, a);
    assert_int_equal(reports.nr, 1);
    assert_int_equal(reports.last.kind, KM_MISUSE_RED_ZONE);
    assert_int_equal(reports.last.alloc_site, SITE_ALLOC);
    assert_int_equal(reports.last.call_site, SITE_BAD);
    FIX_CHECK(f);
    fix_destroy(f);
}

static void count_ctor(void *ctx, struct km_cpu *cpu, km_vaddr obj)
{
    (*(unsigned *)ctx)++;
    km_st32(cpu, obj, 0x600df00d);
}

/* A constructor runs once per object of a new slab; what the user leaves there is still there.
 * Under poison SLAB constructs at every allocation. */
static void constructors(void **state)
{
    static const char *const slabs[] = {"slub", "slab"};

    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        struct rig *r = rig_new(slabs[i]);
        unsigned runs = 0;
        struct km_kmem_cache *c = km_kmem_cache_create_ctor(r->l, r->cpu, "c", 256, 0,
                                                            KM_CACHE_NO_MERGE, count_ctor, &runs);
        km_vaddr a = take(r, c);

        assert_int_equal(runs, c->objects);
        assert_int_equal(km_peek32(r->f->w.base, a), 0x600df00d);
        fill(r, a + 4, 252);
        give(r, c, a, SITE_FREE);
        assert_int_equal(take(r, c), a);
        assert_int_equal(runs, c->objects);
        assert_int_equal(km_peek32(r->f->w.base, a), 0x600df00d);
        assert_int_equal(r->f->w.base[a + 255], 0x11);
        rig_end(r);
    }
    struct rig *r = rig_new("slab");
    unsigned runs = 0;
    struct km_kmem_cache *c =
        km_kmem_cache_create_ctor(r->l, r->cpu, "c", 256, 0, KM_CACHE_POISON, count_ctor, &runs);

    take(r, c);
    take(r, c);
    assert_int_equal(runs, 2);
    assert_int_equal(r->reports.nr, 0);
    rig_end(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bad_frees_everywhere),
        cmocka_unit_test(destroy_and_panic),
        cmocka_unit_test(layout),
        cmocka_unit_test(zones_and_poison_everywhere),
        cmocka_unit_test(tracks_alone),
        cmocka_unit_test(constructors),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
