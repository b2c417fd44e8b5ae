/* SPDX-License-Identifier: MIT
 * test_bundle.c - what capture folders say about their machine; absent and damaged files.
 */
#include "trace_helper.h"

static struct km_bundle bundle;

static void read_good(const char *dir)
{
    struct km_err err;
    int rc = km_bundle_read(&bundle, dir, &err);

    if (rc != KM_OK)
        km_err_print(&err);
    assert_int_equal(rc, KM_OK);
}

static const struct km_slab_facts *cache(const struct km_proc_state *state, const char *name)
{
    for (unsigned i = 0; i < state->nr_caches; i++)
        if (strcmp(state->cache[i].name, name) == 0)
            return &state->cache[i];
    fail_msg("no cache %s", name);
    return NULL;
}

static void machine_of_the_quickstart(void **state)
{
    (void)state;
    assert_true(km_bundle_probe(QUICKSTART));
    read_good(QUICKSTART "/");
    assert_string_equal(bundle.trace_path, QUICKSTART "/trace.txt.gz");
    assert_non_null(strstr(bundle.version, "6.1.0-50-686-pae"));
    assert_false(bundle.kernel_64bit);
    assert_true(bundle.pae);
    assert_false(bundle.boot);
    assert_true(bundle.thp);
    assert_int_equal(bundle.cpus, 2);
    assert_int_equal(bundle.min_free_kbytes, 2829);
    assert_int_equal(bundle.struct_page_bytes, 40);
    assert_int_equal(bundle.ram_bytes, 512u << 20);
    assert_int_equal(bundle.nr_e820, 6);
    assert_true(bundle.e820[0].usable);
    assert_int_equal(bundle.e820[0].end, 0x9fc00);
    assert_false(bundle.e820[1].usable);
    assert_int_equal(bundle.nr_memblock, 0);
    assert_int_equal(bundle.free_pages_at_boot, 500308 / 4);
    km_bundle_release(&bundle);
}

static void zones_of_the_quickstart(void **state)
{
    const struct km_zone_facts *zone;

    (void)state;
    read_good(QUICKSTART);
    assert_true(bundle.start.present && bundle.end.present);
    assert_false(bundle.early.present);
    assert_int_equal(bundle.start.nr_zones, 4);
    zone = &bundle.start.zone[1];
    assert_string_equal(zone->zone, "Normal");
    assert_int_equal(zone->start_pfn, 4096);
    assert_int_equal(zone->min, 685);
    assert_int_equal(zone->low, 856);
    assert_int_equal(zone->high, 1027);
    assert_int_equal(zone->managed, 121856);
    assert_int_equal(zone->nr_protection, 4);
    assert_int_equal(bundle.start.zone[0].protection[1], 473);
    assert_int_equal(zone->nr_pcp, 2);
    assert_int_equal(zone->pcp[0].high, 428);
    assert_int_equal(zone->pcp[1].batch, 31);
    assert_int_equal(bundle.start.nr_buddyinfo, 2);
    assert_string_equal(bundle.start.buddyinfo[1].zone, "Normal");
    assert_int_equal(bundle.start.pageblock_order, 9);
    assert_int_equal(bundle.start.nr_pagetype, 12);
    assert_int_equal(bundle.start.pagetype[4].migratetype, 4);
    assert_int_equal(bundle.start.pagetype[10].line, KM_PAGETYPE_BLOCKS);
    km_bundle_release(&bundle);
}

static void slabs_of_the_quickstart(void **state)
{
    const struct km_slab_facts *c;

    (void)state;
    read_good(QUICKSTART);
    assert_int_equal(bundle.start.nr_caches, 147);
    c = cache(&bundle.start, "kmalloc-32");
    assert_string_equal(c->sysfs_id, "kmalloc-32");
    assert_int_equal(c->object_size, 32);
    c = cache(&bundle.start, "MPTCP");
    assert_int_equal(c->object_size, 1440);
    assert_int_equal(c->slab_size, 1472);
    assert_int_equal(c->objs_per_slab, 22);
    assert_int_equal(c->order, 3);
    assert_int_equal(c->align, 32);
    assert_int_equal(c->cpu_partial, 24);
    assert_int_equal(c->min_partial, 5);
    c = cache(&bundle.start, "anon_vma_chain"); /* merged: attributes stand under its sysfs id */
    assert_string_equal(c->sysfs_id, ":A-0000032");
    assert_int_equal(c->state_slabs, c->num_slabs);
    for (unsigned i = 0; i < bundle.start.nr_caches; i++)
        assert_int_not_equal(bundle.start.cache[i].object_size,
                             0); /* every row found its other half */
    km_bundle_release(&bundle);
}

static void page_frames_of_the_quickstart(void **state)
{
    uint64_t buddy = 0;

    (void)state;
    read_good(QUICKSTART);
    assert_int_equal(bundle.start.nr_frames, 131034);
    assert_non_null(bundle.start.kpagecount);
    for (uint64_t pfn = 0; pfn < bundle.start.nr_frames; pfn++)
        buddy += bundle.start.kpageflags[pfn] >> 10 & 1;
    assert_true(buddy > 90000 && buddy < 95000); /* 94333 free pages in the first VMSTAT sample */
    km_bundle_release(&bundle);
}

static void a_boot_capture(void **state)
{
    (void)state;
    read_good(EXCERPTS "boot-head");
    assert_true(bundle.boot);
    assert_int_equal(bundle.ram_bytes, 1024u << 20);
    assert_int_equal(bundle.free_pages_at_boot, 1014868 / 4);
    assert_int_equal(bundle.start.nr_zones, 0);
    assert_int_equal(bundle.start.nr_frames, 262106);
    assert_int_equal(bundle.end.nr_zones, 4);
    assert_int_equal(bundle.memblock[0].op, KM_MEMBLOCK_RESERVE);
    assert_int_equal(bundle.memblock[0].start, 0xf5b90);
    assert_int_equal(bundle.memblock[0].end, 0xf5ba0);
    assert_int_equal(bundle.memblock[3].op, KM_MEMBLOCK_ADD);
    assert_int_equal(bundle.memblock[4].end, 0x3ffda000);
    assert_int_equal(bundle.memblock[9].op,
                     KM_MEMBLOCK_RESERVE); /* reserved[0x2] of the dump: the kernel */
    assert_int_equal(bundle.memblock[9].start, 0x1000000);
    km_bundle_release(&bundle);
}

static void put(const char *dir, const char *name, const char *text)
{
    char path[512];
    FILE *f;

    snprintf(path, sizeof(path), "%s/%s", dir, name);
    f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

/* A folder with a trace, start/ and nothing else. */
static const char *small_bundle(const char *name)
{
    static char dir[512];
    char start[600];

    snprintf(dir, sizeof(dir), "%s", temporary_path(name));
    mkdir(dir, 0777);
    snprintf(start, sizeof(start), "%s/start", dir);
    mkdir(start, 0777);
    put(dir, "trace.txt", "cpus=1\n");
    return dir;
}

static void only_a_trace(void **state)
{
    (void)state;
    read_good(small_bundle("only-trace"));
    assert_false(bundle.boot);
    assert_int_equal(bundle.nr_e820, 0);
    assert_int_equal(bundle.start.nr_zones, 0);
    km_bundle_release(&bundle);
}

static void ram_map_without_messages(void **state)
{
    const char *dir = small_bundle("iomem");

    (void)state;
    put(dir, "start/iomem",
        "00000000-00000fff : Reserved\n00001000-0009fbff : System RAM\n  00002000-00002fff : x\n"
        "00100000-01ffffff : System RAM\n  01000000-01933eff : Kernel code\nfec00000-fec003ff : "
        "IOAPIC 0\n");
    put(dir, "start/version", "Linux version 6.1.0-50-amd64\n");
    put(dir, "start/cpuinfo", "processor\t: 0\n\nprocessor\t: 1\n\nprocessor\t: 2\n");
    put(dir, "start/vmstat", "nr_free_pages 1\n");
    read_good(dir);
    assert_int_equal(bundle.nr_e820, 3);
    assert_int_equal(bundle.e820[2].end, 0x2000000);
    assert_int_equal(bundle.ram_bytes, 32u << 20);
    assert_true(bundle.kernel_64bit);
    assert_int_equal(bundle.struct_page_bytes, 64);
    assert_false(bundle.pae);
    assert_false(bundle.thp);
    assert_int_equal(bundle.cpus, 3);
    km_bundle_release(&bundle);
}

static void isolate_behind_cma(void **state)
{
    const char *dir = small_bundle("cma");

    (void)state;
    put(dir, "start/pagetypeinfo",
        "Page block order: 10\n"
        "Node    0, zone   Normal, type   HighAtomic 0 0 0 0 0 0 0 0 0 0 0\n"
        "Node    0, zone   Normal, type          CMA 1 0 0 0 0 0 0 0 0 0 0\n"
        "Node    0, zone   Normal, type      Isolate 2 0 0 0 0 0 0 0 0 0 0\n");
    read_good(dir);
    assert_int_equal(bundle.start.pagetype[1].migratetype, 4);
    assert_int_equal(bundle.start.pagetype[2].migratetype, 5);
    km_bundle_release(&bundle);
}

static void damaged_files_name_their_place(void **state)
{
    static const struct {
        const char *name, *text;
        int line;
    } rows[] = {
        {"zoneinfo", "Node 0, zone   Normal\n  pages free     x\n", 2},
        {"zoneinfo", "Node 0, zone   Normal\n  pagesets\n    cpu: x\n", 3},
        {"buddyinfo", "Node 0, zone      DMA      0      0\n", 1},
        {"pagetypeinfo", "Page block order: 9\nrubbish\n", 2},
        {"slabinfo", "slabinfo - version: 2.1\n# name\nkmalloc-32 1 2\n", 3},
        {"slab_attrs", "# name\nkmalloc-32 1 2\n", 2},
        {"slab_state", "objects:12\n", 1},
        {"slab_aliases", "a b\n", 1},
        {"sys_vm", "/proc/sys/vm/min_free_kbytes:lots\n", 1},
        {"kpageflags", "12345", 0},
    };

    (void)state;
    for (size_t i = 0; i < KM_ARRAY_LEN(rows); i++) {
        char name[64], path[64];
        const char *dir;
        struct km_err err = {0};

        snprintf(name, sizeof(name), "damaged-%zu", i);
        dir = small_bundle(name);
        snprintf(path, sizeof(path), "start/%s", rows[i].name);
        put(dir, path, rows[i].text);
        assert_int_equal(km_bundle_read(&bundle, dir, &err), KM_E_INPUT);
        assert_int_equal(err.line, rows[i].line);
        assert_non_null(strstr(err.file, rows[i].name));
    }
}

static void not_a_bundle(void **state)
{
    struct km_err err = {0};

    (void)state;
    assert_false(km_bundle_probe(KM_SOURCE_DIR "/cmake"));
    assert_false(km_bundle_probe(QUICKSTART "/trace.txt.gz"));
    assert_false(km_bundle_probe("no/such/folder"));
    assert_int_equal(km_bundle_read(&bundle, KM_SOURCE_DIR "/cmake", &err), KM_E_INPUT);
    assert_non_null(strstr(err.msg, "no trace"));
    assert_int_equal(km_bundle_read(&bundle, "no/such/folder", &err), KM_E_INPUT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(machine_of_the_quickstart),
        cmocka_unit_test(zones_of_the_quickstart),
        cmocka_unit_test(slabs_of_the_quickstart),
        cmocka_unit_test(page_frames_of_the_quickstart),
        cmocka_unit_test(a_boot_capture),
        cmocka_unit_test(only_a_trace),
        cmocka_unit_test(ram_map_without_messages),
        cmocka_unit_test(isolate_behind_cma),
        cmocka_unit_test(damaged_files_name_their_place),
        cmocka_unit_test(not_a_bundle),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
