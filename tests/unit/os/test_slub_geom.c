/* SPDX-License-Identifier: MIT
 * test_slub_geom.c - slab order, objects per slab, cpu_partial and min_partial of every cache of
 * two real kernels (6.1.0-50-686-pae with 2 CPUs and with 1), and object sizes from what the user
 * asked for.
 */
#include "slab_fixture.h"

#include "models/os/slub.h"

struct row {
    char name[64];
    unsigned object_size, size, objects, order, align, cpu_partial, min_partial, aliases;
};

static unsigned check_file(const char *file, unsigned cpus)
{
    char path[512], line[256];
    unsigned rows = 0;

    snprintf(path, sizeof(path), "%s/tests/unit/os/data/%s", KM_SOURCE_DIR, file);
    FILE *in = fopen(path, "r");

    assert_non_null(in);
    while (fgets(line, sizeof(line), in)) {
        struct row r;

        if (line[0] == '#')
            continue;
        assert_int_equal(sscanf(line, "%63s %u %u %u %u %u %u %u %u", r.name, &r.object_size,
                                &r.size, &r.objects, &r.order, &r.align, &r.cpu_partial,
                                &r.min_partial, &r.aliases),
                         9);
        /* Free pointer inside, or behind the object where contents must survive: one of the two. */
        struct km_kmem_cache in_object = {.object_size = r.object_size, .align = r.align};
        struct km_kmem_cache behind = {
            .object_size = r.object_size, .align = r.align, .flags = KM_CACHE_CTOR};

        assert_true(km_slub_geometry(&km_personality_linux_6_1, cpus, &in_object));
        assert_true(km_slub_geometry(&km_personality_linux_6_1, cpus, &behind));
        const struct km_kmem_cache *c = in_object.size == r.size ? &in_object : &behind;

        if (c->size != r.size || c->order != r.order || c->objects != r.objects ||
            c->cpu_partial != r.cpu_partial || c->min_partial != r.min_partial)
            fail_msg("%s: size %u order %u objects %u cpu_partial %u min_partial %u", r.name,
                     c->size, c->order, c->objects, c->cpu_partial, c->min_partial);
        rows++;
    }
    fclose(in);
    return rows;
}

static void two_cpus(void **state)
{
    (void)state;
    assert_int_equal(check_file("slab_attrs-pae-2cpu.txt", 2), 147);
}

static void one_cpu(void **state)
{
    (void)state;
    assert_int_equal(check_file("slab_attrs-pae-1cpu.txt", 1), 147);
}

/* task_struct asks for 64, TCP for a cache line of 32; small objects share a line. */
static void alignment(void **state)
{
    (void)state;
    assert_int_equal(km_slub_align(0, 0, 52, 32), 8);
    assert_int_equal(km_slub_align(0, 4, 52, 32), 8);
    assert_int_equal(km_slub_align(0, 64, 3008, 32), 64);
    assert_int_equal(km_slub_align(KM_CACHE_HWCACHE_ALIGN, 0, 140, 32), 32);
    assert_int_equal(km_slub_align(KM_CACHE_HWCACHE_ALIGN, 0, 17, 32), 32);
    assert_int_equal(km_slub_align(KM_CACHE_HWCACHE_ALIGN, 0, 16, 32), 16);
    assert_int_equal(km_slub_align(KM_CACHE_HWCACHE_ALIGN, 0, 8, 32), 8);
}

static void free_pointer_place(void **state)
{
    struct km_kmem_cache c = {.object_size = 52, .align = 8};

    (void)state;
    assert_true(km_slub_geometry(&km_personality_linux_6_1, 2, &c));
    assert_int_equal(c.free_pointer, 24);
    assert_int_equal(c.size, 56);
    c.flags = KM_CACHE_TYPESAFE_BY_RCU;
    assert_true(km_slub_geometry(&km_personality_linux_6_1, 2, &c));
    assert_int_equal(c.free_pointer, 52);
    c.flags = 0;
    c.object_size = 64;
    assert_true(km_slub_geometry(&km_personality_linux_6_1, 2, &c));
    assert_int_equal(c.free_pointer, 32);
}

/* Larger than order 3: one object per slab, the smallest order that holds it. */
static void huge_objects(void **state)
{
    struct km_kmem_cache c = {.object_size = 40000, .align = 8};

    (void)state;
    assert_true(km_slub_geometry(&km_personality_linux_6_1, 2, &c));
    assert_int_equal(c.order, 4);
    assert_int_equal(c.objects, 1);
    c.object_size = (4u << 20) + 1;
    assert_false(km_slub_geometry(&km_personality_linux_6_1, 2, &c));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_cpus),     cmocka_unit_test(one_cpu),
        cmocka_unit_test(alignment),    cmocka_unit_test(free_pointer_place),
        cmocka_unit_test(huge_objects),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
