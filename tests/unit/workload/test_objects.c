/* SPDX-License-Identifier: MIT
 * test_objects.c - mode `objects` on small traces written here: which page events are the slab
 * layer's, which cache a call uses, what existed before the trace, and operations that are not
 * traced.
 */
#include "tests/unit/os/small_guest.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "models/os/slub.h"
#include "sim/workload/objects.h"

#define SLAB_GFP "GFP_KERNEL|__GFP_NOWARN|__GFP_NORETRY"
#define VA(pfn, offset) (0xc0000000u + ((uint32_t)(pfn) << 12) + (offset))

enum { MAX_EVENTS = 64 };

struct rig {
    struct small_guest g;
    struct km_objects *o;
    struct km_slab_layer *l;
    enum km_objects_result result[MAX_EVENTS];
    struct km_objects_stats stats;
    unsigned nr;
    unsigned claimed;
    char path[64];
    FILE *trace;
    unsigned lines;
};

static void claimed(void *ctx, km_pfn pfn, unsigned order)
{
    struct rig *r = ctx;
    km_pfn head;
    unsigned free_order;

    /* What the slab layer takes over must not be free. */
    for (km_pfn p = pfn; p < pfn + (1u << order); p++)
        assert_false(km_buddy_find(&r->g.os, r->g.window, p, &head, &free_order));
    r->claimed++;
}

static struct rig *rig_new(void)
{
    struct rig *r = calloc(1, sizeof(*r));
    int fd;

    assert_non_null(r);
    guest_boot(&r->g);
    km_pcp_setup(&r->g.os, &r->g.cpu[0], 2);
    snprintf(r->path, sizeof(r->path), "/tmp/km_objects_XXXXXX");
    fd = mkstemp(r->path);
    assert_true(fd >= 0);
    r->trace = fdopen(fd, "w");
    fputs("cpus=2\n", r->trace);
    return r;
}

__attribute__((format(printf, 3, 4))) static void line(struct rig *r, unsigned cpu, const char *fmt,
                                                       ...)
{
    va_list args;

    fprintf(r->trace, "            task-1     [%03u]     1.%09u: ", cpu, ++r->lines);
    va_start(args, fmt);
    vfprintf(r->trace, fmt, args);
    va_end(args);
    fputc('\n', r->trace);
}

static void page_alloc(struct rig *r, unsigned cpu, km_pfn pfn, unsigned order, const char *gfp)
{
    line(r, cpu, "mm_page_alloc: page=0x%x pfn=0x%x order=%u migratetype=0 gfp_flags=%s", pfn, pfn,
         order, gfp);
}

static void page_free(struct rig *r, unsigned cpu, km_pfn pfn, unsigned order)
{
    line(r, cpu, "mm_page_free: page=0x%x pfn=0x%x order=%u", pfn, pfn, order);
}

static void obj_alloc(struct rig *r, unsigned cpu, const char *event, const char *site,
                      uint32_t ptr, unsigned req, unsigned alloc)
{
    line(r, cpu,
         "%s: call_site=%s+0x1b ptr=0x%x bytes_req=%u bytes_alloc=%u gfp_flags=GFP_KERNEL node=-1 "
         "accounted=false",
         event, site, ptr, req, alloc);
}

static void obj_free(struct rig *r, unsigned cpu, uint32_t ptr, const char *name)
{
    if (name)
        line(r, cpu, "kmem_cache_free: call_site=put+0x2 ptr=0x%x name=%s", ptr, name);
    else
        line(r, cpu, "kfree: call_site=put+0x2 ptr=0x%x", ptr);
}

static void pass(struct rig *r, bool scan)
{
    struct km_err err = {0};
    struct km_trace *trace;
    struct km_event ev;
    uint64_t index = 0;
    int rc;

    assert_int_equal(km_trace_open(&trace, r->path, &err), 0);
    km_objects_set_trace(r->o, trace);
    while ((rc = km_trace_next(trace, &ev, &err)) > 0) {
        index++;
        if (scan) {
            km_objects_scan_event(r->o, &ev, index);
            continue;
        }
        assert_true(index < MAX_EVENTS);
        r->result[index] = km_objects_event(r->o, &r->g.cpu[ev.cpu], &ev, index);
        assert_null(km_slab_check(r->l, r->g.window));
    }
    assert_int_equal(rc, 0);
    r->nr = (unsigned)index;
    km_trace_close(trace);
}

static void run(struct rig *r)
{
    const struct km_objects_params p = {.page_offset = 0xc0000000u,
                                        .max_low_pfn = GUEST_LOW_PFN,
                                        .cpus = 2,
                                        .slab = km_slab_ops_by_name("slub")};
    struct km_err err = {0};

    fclose(r->trace);
    assert_int_equal(km_objects_create(&r->o, &p, &err), 0);
    pass(r, true);
    assert_int_equal(km_objects_start(r->o, &r->g.os, &r->g.cpu[0], claimed, r, &err), 0);
    r->l = km_objects_layer(r->o);
    assert_null(km_slab_check(r->l, r->g.window));
    pass(r, false);
    assert_int_equal(r->nr, r->lines);
    km_objects_get_stats(r->o, &r->stats);
    guest_check(&r->g);
}

static void rig_free(struct rig *r)
{
    unlink(r->path);
    km_objects_destroy(r->o);
    guest_close(&r->g);
    free(r);
}

static struct km_kmem_cache *cache(struct rig *r, const char *name)
{
    struct km_kmem_cache *c = km_kmem_cache_by_name(r->l, name);

    assert_non_null(c);
    return c;
}

/* A slab page is one in which an object appears, however late; the same flags alone prove nothing.
 */
static void slab_pages(void **state)
{
    struct rig *r = rig_new();

    (void)state;
    page_alloc(r, 0, 0x1500, 0, SLAB_GFP);                           /* 1 a slab          */
    page_alloc(r, 1, 0x1600, 0, SLAB_GFP "|__GFP_NOMEMALLOC");       /* 2 kfree_rcu's     */
    obj_alloc(r, 1, "kmalloc", "other", VA(0x1700, 0x40), 20, 32);   /* 3 elsewhere       */
    obj_alloc(r, 0, "kmalloc", "mine", VA(0x1500, 0x180), 100, 128); /* 4 in the slab     */
    obj_free(r, 0, VA(0x1500, 0x180), NULL);                         /* 5                 */
    page_free(r, 1, 0x1500, 0);                                      /* 6 the slab        */
    page_free(r, 1, 0x1600, 0);                                      /* 7                 */
    page_alloc(r, 0, 0x1500, 0, "GFP_KERNEL|__GFP_ZERO");            /* 8 somebody else's */
    page_free(r, 0, 0x1500, 0);                                      /* 9                 */
    run(r);
    assert_int_equal(r->result[1], KM_OBJ_DROPPED_PAGE_EVENT);
    assert_int_equal(r->result[2], KM_OBJ_PASS);
    assert_int_equal(r->result[3], KM_OBJ_APPLIED);
    assert_int_equal(r->result[4], KM_OBJ_APPLIED);
    assert_int_equal(r->result[5], KM_OBJ_APPLIED);
    assert_int_equal(r->result[6], KM_OBJ_DROPPED_PAGE_EVENT);
    assert_int_equal(r->result[7], KM_OBJ_PASS);
    assert_int_equal(r->result[8], KM_OBJ_PASS);
    assert_int_equal(r->result[9], KM_OBJ_PASS);
    assert_int_equal(r->stats.traced_slab_blocks, 1);
    assert_int_equal(r->stats.traced_slab_blocks_freed, 1);
    rig_free(r);
}

/* The vector of an accounted slab is allocated between the slab's page and the object that caused
 * both; the replay allocates it after the object, an ordinary object of its cache. */
static void nested_vector(void **state)
{
    struct rig *r = rig_new();

    (void)state;
    page_alloc(r, 0, 0x1500, 0, SLAB_GFP);
    obj_alloc(r, 0, "kmalloc", "memcg_alloc_slab_cgroups", VA(0x1700, 0x80), 100, 128);
    obj_alloc(r, 0, "kmem_cache_alloc", "alloc_empty_file", VA(0x1500, 0xa0), 160, 160);
    obj_free(r, 0, VA(0x1500, 0xa0), "filp");
    obj_free(r, 0, VA(0x1700, 0x80), NULL);
    run(r);
    assert_int_equal(r->result[1], KM_OBJ_DROPPED_PAGE_EVENT);
    assert_int_equal(r->result[2], KM_OBJ_APPLIED);
    assert_int_equal(r->result[3], KM_OBJ_APPLIED);
    assert_int_equal(r->result[4], KM_OBJ_APPLIED);
    assert_int_equal(r->result[5], KM_OBJ_APPLIED);
    assert_false(r->l->memcg);
    assert_int_equal(cache(r, "filp")->stats.frees, 1);
    assert_int_equal(cache(r, "kmalloc-128")->stats.frees, 1);
    rig_free(r);
}

static void large_kmalloc(void **state)
{
    struct rig *r = rig_new();

    (void)state;
    page_alloc(r, 0, 0x1500, 2, "GFP_KERNEL|__GFP_COMP");
    obj_alloc(r, 0, "kmalloc", "big", VA(0x1500, 0), 9000, 16384);
    obj_free(r, 1, VA(0x1500, 0), NULL);
    page_free(r, 1, 0x1500, 2);
    run(r);
    assert_int_equal(r->result[1], KM_OBJ_DROPPED_PAGE_EVENT);
    assert_int_equal(r->result[2], KM_OBJ_APPLIED);
    assert_int_equal(r->result[3], KM_OBJ_APPLIED);
    assert_int_equal(r->result[4], KM_OBJ_DROPPED_PAGE_EVENT);
    assert_int_equal(r->l->stats.large_alloc, 1);
    assert_int_equal(r->l->stats.large_free, 1);
    assert_int_equal(r->stats.traced_slab_blocks, 0);
    assert_int_equal(r->stats.model_slab_blocks, 0);
    rig_free(r);
}

/* kmem_cache_alloc names no cache: the free of any object of the slab names it for the site. */
static void cache_of_site(void **state)
{
    struct rig *r = rig_new();

    (void)state;
    page_alloc(r, 0, 0x1500, 0, SLAB_GFP);
    obj_alloc(r, 0, "kmem_cache_alloc", "site_a", VA(0x1500, 0), 52, 56);
    obj_alloc(r, 0, "kmem_cache_alloc", "site_b", VA(0x1500, 56), 52, 56);
    obj_free(r, 0, VA(0x1500, 0), "anon_vma");
    page_alloc(r, 0, 0x1502, 0, SLAB_GFP);
    obj_alloc(r, 0, "kmem_cache_alloc", "site_a", VA(0x1502, 0), 52, 56);
    obj_alloc(r, 0, "kmem_cache_alloc", "site_c", VA(0x1508, 0), 200, 208); /* never named */
    run(r);
    struct km_kmem_cache *c = cache(r, "anon_vma");

    for (unsigned i = 2; i <= 7; i++)
        if (i != 5)
            assert_int_equal(r->result[i], KM_OBJ_APPLIED);
    assert_int_equal(c->size, 56);
    assert_int_equal(c->stats.allocs - c->stats.frees, 2); /* sites a (twice) and b, one freed */
    assert_int_equal(r->stats.caches_by_size, 1);
    assert_int_equal(cache(r, "size-208")->size, 208);
    rig_free(r);
}

/* Objects in pages from before the trace: freed first = were live, allocated first = were free, and
 * then they are handed out again in the same order without a new slab. */
static void slabs_of_before(void **state)
{
    struct rig *r = rig_new();
    km_pfn old = km_alloc_pages(&r->g.os, &r->g.cpu[0], KM_GFP_KERNEL, 0);
    struct km_tp *tp = r->g.tp;
    uint32_t base;

    (void)state;
    assert_int_not_equal(old, KM_PFN_NONE);
    base = VA(old, 0);
    obj_alloc(r, 1, "kmalloc", "s", base + 0x200, 64, 64);
    obj_alloc(r, 1, "kmalloc", "s", base + 0x40, 60, 64);
    obj_free(r, 1, base + 0x380, NULL);
    obj_alloc(r, 1, "kmalloc", "s", base + 0x380, 64, 64); /* last in, first out */
    run(r);
    assert_int_equal(r->stats.start_slabs_seen, 1);
    assert_int_equal(r->stats.start_objects_free, 2);
    assert_int_equal(r->stats.start_objects_live, 1);
    assert_int_equal(r->stats.model_slab_blocks, 0);
    for (unsigned i = 1; i <= 4; i++)
        assert_int_equal(r->result[i], KM_OBJ_APPLIED);
    uint32_t got[3];
    unsigned nr = 0;

    for (unsigned i = 0; i < r->g.nr_tp; i++)
        if (tp[i].kind == KM_TP_KMALLOC && tp[i].bytes_alloc == 64 &&
            tp[i].ptr >> 12 == base >> 12 && nr < 3)
            got[nr++] = tp[i].ptr;
    assert_int_equal(nr, 3);
    assert_int_equal(got[0], base + 0x200);
    assert_int_equal(got[1], base + 0x40);
    assert_int_equal(got[2], base + 0x380);
    rig_free(r);
}

/* A page that is free in the model cannot be an old slab; its objects are still served, from new
 * slabs. */
static void impossible_old_slab(void **state)
{
    struct rig *r = rig_new();

    (void)state;
    obj_alloc(r, 0, "kmalloc", "s", VA(0x2000, 0x200), 64, 64);
    obj_free(r, 0, VA(0x2000, 0x300), NULL);
    run(r);
    assert_int_equal(r->stats.start_slabs_seen, 0);
    assert_int_equal(r->result[1], KM_OBJ_APPLIED);
    assert_int_equal(r->result[2], KM_OBJ_SKIPPED_UNKNOWN);
    rig_free(r);
}

static void silent_operations(void **state)
{
    struct rig *r = rig_new();

    (void)state;
    obj_alloc(r, 0, "kmalloc", "s", VA(0x1500, 0x40), 64, 64);
    obj_alloc(r, 1, "kmalloc", "s", VA(0x1500, 0x40), 64, 64); /* freed by kfree_rcu in between */
    obj_free(r, 0, VA(0x1500, 0x40), NULL);
    obj_free(r, 0, VA(0x1500, 0x40), NULL); /* allocated in bulk in between */
    obj_free(r, 0, 0, NULL);
    line(r, 0,
         "kmem_cache_alloc: call_site=f+0x1 ptr=(nil) bytes_req=64 bytes_alloc=64 "
         "gfp_flags=GFP_NOWAIT node=-1 "
         "accounted=false");
    run(r);
    assert_int_equal(r->result[1], KM_OBJ_APPLIED);
    assert_int_equal(r->result[2], KM_OBJ_APPLIED);
    assert_int_equal(r->stats.implicit_frees, 1);
    assert_int_equal(r->result[3], KM_OBJ_APPLIED);
    assert_int_equal(r->result[4], KM_OBJ_SKIPPED_UNKNOWN);
    assert_int_equal(r->result[5], KM_OBJ_APPLIED);
    assert_int_equal(r->result[6], KM_OBJ_SKIPPED_FAILED);
    rig_free(r);
}

/* Bulk probes: the cache's address is learned from a bulk free; objects without a name wait for
 * theirs. */
static void bulk_probes(void **state)
{
    struct rig *r = rig_new();

    (void)state;
    page_alloc(r, 0, 0x1500, 0, SLAB_GFP);
    obj_alloc(r, 0, "kmem_cache_alloc", "mas", VA(0x1500, 0), 256, 256);
    obj_alloc(r, 0, "kmem_cache_alloc", "mas", VA(0x1500, 0x100), 256, 256);
    obj_free(r, 0, VA(0x1500, 0), "maple_node");
    line(r, 0,
         "slab_free_bulk: (c12b9600) cache=0xc2003500 nr=1 array=0xc2af1410 p0=0x%x p1=0x0 p2=0x0 "
         "p3=0x0 p4=0x0 "
         "p5=0x0 p6=0x0 p7=0x0 p8=0x0 p9=0x0 p10=0x0 p11=0x0 p12=0x0 p13=0x0 p14=0x0 p15=0x0",
         VA(0x1500, 0x100));
    line(r, 0, "slab_alloc_bulk: (c12b9620) cache=0xc2003500 gfp=0xcc0 nr=5");
    line(r, 0, "slab_alloc_bulk_ret: (c12b9620 <- c18c6847) got=5");
    obj_free(r, 0, VA(0x1500, 0x300), "maple_node");
    run(r);
    for (unsigned i = 2; i <= 8; i++)
        assert_int_equal(r->result[i], KM_OBJ_APPLIED);
    assert_int_equal(r->stats.bulk_allocs, 5);
    assert_int_equal(r->stats.bulk_frees, 1);
    assert_int_equal(cache(r, "maple_node")->stats.allocs, 7);
    assert_int_equal(cache(r, "maple_node")->stats.frees, 3);
    rig_free(r);
}

/* Addresses outside low memory, absurd orders and sizes: counted, never followed. */
static void hostile(void **state)
{
    struct rig *r = rig_new();

    (void)state;
    page_alloc(r, 0, 0x3ffffff, 0, SLAB_GFP);
    page_alloc(r, 0, 0x1500, 60, SLAB_GFP);
    page_free(r, 0, 0x1500, 60);
    obj_alloc(r, 0, "kmalloc", "s", 0xfffff000u, 64, 64);
    obj_free(r, 1, 0xfffff000u, NULL);
    obj_alloc(r, 0, "kmalloc", "s", VA(0x1510, 0x41), 0xffffffffu, 0xffffffffu);
    obj_alloc(r, 0, "kmem_cache_alloc", "z", VA(0x1511, 0), 0, 0);
    obj_free(r, 0, VA(0x1511, 3), "no_such_cache");
    line(r, 0, "cache_create: (c1261dd0) name=\"odd\" size=4294967295 align=0 flags=0x0");
    line(r, 0, "slab_alloc_bulk_ret: (c12b9620 <- c18c6847) got=4000000000");
    run(r);
    assert_int_equal(r->result[4], KM_OBJ_APPLIED);
    assert_int_equal(r->result[5], KM_OBJ_APPLIED);
    assert_int_equal(r->result[6], KM_OBJ_SKIPPED_NO_MEMORY);
    assert_int_equal(r->result[7], KM_OBJ_SKIPPED_NO_MEMORY);
    assert_int_equal(r->result[8], KM_OBJ_SKIPPED_UNKNOWN);
    rig_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slab_pages),        cmocka_unit_test(nested_vector),
        cmocka_unit_test(large_kmalloc),     cmocka_unit_test(cache_of_site),
        cmocka_unit_test(slabs_of_before),   cmocka_unit_test(impossible_old_slab),
        cmocka_unit_test(silent_operations), cmocka_unit_test(bulk_probes),
        cmocka_unit_test(hostile),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
