/* SPDX-License-Identifier: MIT
 * test_mark.c - the truth samples: marker lines and the /proc lines they come from.
 */
#include "trace_helper.h"

#include "sim/trace/mark.h"

static void kinds(void **state)
{
    static const struct {
        const char *text;
        enum km_mark_kind kind;
        uint64_t value;
    } rows[] = {
        {"SAMPLE_BEGIN 17", KM_MARK_SAMPLE_BEGIN, 17},
        {"SAMPLE_BEGIN initramfs", KM_MARK_SAMPLE_BEGIN, 0},
        {"SAMPLE_CORE 3", KM_MARK_SAMPLE_CORE, 3},
        {"SAMPLE_END 3", KM_MARK_SAMPLE_END, 3},
        {"BUDDYINFO Node 0, zone DMA 1", KM_MARK_BUDDYINFO, 0},
        {"ZONEINFO DMA free 1", KM_MARK_ZONEINFO, 0},
        {"VMSTAT a=1", KM_MARK_VMSTAT, 0},
        {"PAGETYPE Page block order: 9", KM_MARK_PAGETYPE, 0},
        {"SLABINFO x 1 2", KM_MARK_SLABINFO, 0},
        {"KPAGE_BEGIN start", KM_MARK_KPAGE_BEGIN, 0},
        {"KPAGE_END start", KM_MARK_KPAGE_END, 0},
        {"WORK_BEGIN", KM_MARK_WORK_BEGIN, 0},
        {"WORK_END", KM_MARK_WORK_END, 0},
        {"SAMPLE_BEGINNING 1", KM_MARK_NONE, 0},
        {"hello", KM_MARK_NONE, 0},
        {"", KM_MARK_NONE, 0},
    };
    const char *rest;
    uint64_t value;

    (void)state;
    for (size_t i = 0; i < KM_ARRAY_LEN(rows); i++) {
        assert_int_equal(km_mark_kind(rows[i].text, &value, &rest), rows[i].kind);
        assert_int_equal(value, rows[i].value);
    }
    km_mark_kind("KPAGE_BEGIN start", &value, &rest);
    assert_string_equal(rest, "start");
}

static void buddyinfo(void **state)
{
    struct km_mark_buddyinfo info;

    (void)state;
    assert_true(km_mark_buddyinfo("Node 0, zone   Normal      1      0      1      2      1      3 "
                                  "     2      1      2      1     87 ",
                                  &info));
    assert_string_equal(info.zone, "Normal");
    assert_int_equal(info.node, 0);
    assert_int_equal(info.nr_free[0], 1);
    assert_int_equal(info.nr_free[5], 3);
    assert_int_equal(info.nr_free[10], 87);
    assert_false(km_mark_buddyinfo("Node 0, zone   Normal      1      0", &info));
    assert_false(km_mark_buddyinfo("", &info));
}

static void zoneinfo(void **state)
{
    struct km_mark_zoneinfo info;

    (void)state;
    assert_true(
        km_mark_zoneinfo("Normal free 90501 boost 7 min 685 low 856 high 1027 managed 121900 "
                         "nr_zone_inactive_anon 104 nr_bounce 0 pcp0 176/428/31 pcp1 125/429/32",
                         &info));
    assert_string_equal(info.zone, "Normal");
    assert_int_equal(info.free, 90501);
    assert_int_equal(info.boost, 7);
    assert_int_equal(info.min, 685);
    assert_int_equal(info.low, 856);
    assert_int_equal(info.high, 1027);
    assert_int_equal(info.managed, 121900);
    assert_int_equal(info.nr_pcp, 2);
    assert_int_equal(info.pcp[0].count, 176);
    assert_int_equal(info.pcp[1].high, 429);
    assert_int_equal(info.pcp[1].batch, 32);
    assert_true(km_mark_zoneinfo("HighMem free 0 boost 0 min 32 low 32 high 32 managed 0", &info));
    assert_int_equal(info.nr_pcp, 0);
    assert_true(km_mark_zoneinfo("Normal free 1 pcp99 1/2/3", &info));
    assert_int_equal(info.nr_pcp, 0);
    assert_false(km_mark_zoneinfo("Normal free x", &info));
    assert_false(km_mark_zoneinfo("Normal pcp0 1/2", &info));
    assert_false(km_mark_zoneinfo("", &info));
}

static void pagetype(void **state)
{
    struct km_mark_pagetype t;

    (void)state;
    assert_true(km_mark_pagetype("Page block order: 9", &t));
    assert_int_equal(t.line, KM_PAGETYPE_BLOCK_ORDER);
    assert_int_equal(t.value, 9);
    assert_true(km_mark_pagetype("Pages per block:  512", &t));
    assert_int_equal(t.line, KM_PAGETYPE_OTHER);
    assert_true(km_mark_pagetype("Free pages count per migrate type at order       0      1 ", &t));
    assert_true(km_mark_pagetype("Node    0, zone  HighMem, type      Movable    545    375    210 "
                                 "    68     11      1      2      1 >100000      4    273 ",
                                 &t));
    assert_int_equal(t.line, KM_PAGETYPE_FREE);
    assert_string_equal(t.zone, "HighMem");
    assert_int_equal(t.migratetype, 1);
    assert_int_equal(t.nr_free[0], 545);
    assert_int_equal(t.nr_free[8], 100000);
    assert_true(t.capped[8]);
    assert_false(t.capped[9]);
    assert_int_equal(t.nr_free[10], 273);
    assert_true(km_mark_pagetype(
        "Number of blocks type     Unmovable      Movable  Reclaimable   HighAtomic      Isolate ",
        &t));
    assert_int_equal(t.line, KM_PAGETYPE_OTHER);
    assert_true(km_mark_pagetype(
        "Node 0, zone   Normal          136          290            6            0            0 ",
        &t));
    assert_int_equal(t.line, KM_PAGETYPE_BLOCKS);
    assert_int_equal(t.nr_types, 5);
    assert_int_equal(t.blocks[1], 290);
    assert_false(km_mark_pagetype("Node 0, zone   Normal, type Strange 1 2", &t));
    assert_false(km_mark_pagetype("Node 0, zone   Normal", &t));
    assert_false(km_mark_pagetype("rubbish", &t));
}

static void slabinfo(void **state)
{
    struct km_mark_slabinfo info;

    (void)state;
    assert_true(km_mark_slabinfo("ext4_inode_cache     300    301    800   20    4 : tunables    0 "
                                 "   0    0 : slabdata     15     16      0",
                                 &info));
    assert_string_equal(info.cache, "ext4_inode_cache");
    assert_int_equal(info.active_objs, 300);
    assert_int_equal(info.num_objs, 301);
    assert_int_equal(info.objsize, 800);
    assert_int_equal(info.objs_per_slab, 20);
    assert_int_equal(info.pages_per_slab, 4);
    assert_int_equal(info.active_slabs, 15);
    assert_int_equal(info.num_slabs, 16);
    assert_true(km_mark_slabinfo("ext4_inode_cache 300 301 800 20 4 15 16", &info));
    assert_int_equal(info.num_slabs, 16);
    assert_false(km_mark_slabinfo("# name            <active_objs>", &info));
    assert_false(km_mark_slabinfo("ext4_inode_cache 300 301", &info));
}

static void vmstat(void **state)
{
    static const char text[] = "nr_free_pages=435786 nr_dirty=-34 free_pages=7 pgalloc_dma=0";
    int64_t value;

    (void)state;
    assert_true(km_mark_vmstat(text, "nr_free_pages", &value));
    assert_int_equal(value, 435786);
    assert_true(km_mark_vmstat(text, "free_pages", &value));
    assert_int_equal(value, 7);
    assert_true(km_mark_vmstat(text, "nr_dirty", &value));
    assert_int_equal(value, -34);
    assert_false(km_mark_vmstat(text, "nr_free", &value));
    assert_false(km_mark_vmstat("a=x", "a", &value));
}

/* Every marker of a whole capture is understood. */
static void markers_of_a_capture(void **state)
{
    struct km_trace *trace = open_trace(QUICKSTART);
    unsigned seen[KM_MARK_WORK_END + 1] = {0};
    struct km_event ev;
    struct km_err err;

    (void)state;
    while (km_trace_next(trace, &ev, &err) > 0) {
        struct km_mark_buddyinfo buddy;
        struct km_mark_zoneinfo zone;
        struct km_mark_pagetype type;
        struct km_mark_slabinfo slab;
        enum km_mark_kind kind;
        const char *rest;
        uint64_t value;

        if (ev.type != KM_EV_MARK)
            continue;
        kind = km_mark_kind(ev.text.text, &value, &rest);
        assert_int_not_equal(kind, KM_MARK_NONE);
        seen[kind]++;
        if (kind == KM_MARK_BUDDYINFO)
            assert_true(km_mark_buddyinfo(rest, &buddy));
        if (kind == KM_MARK_ZONEINFO)
            assert_true(km_mark_zoneinfo(rest, &zone));
        if (kind == KM_MARK_PAGETYPE)
            assert_true(km_mark_pagetype(rest, &type));
        if (kind == KM_MARK_SLABINFO)
            assert_true(km_mark_slabinfo(rest, &slab));
    }
    assert_int_equal(seen[KM_MARK_SAMPLE_BEGIN], 996);
    assert_int_equal(seen[KM_MARK_BUDDYINFO], 1996);
    assert_int_equal(seen[KM_MARK_ZONEINFO], 3992);
    assert_int_equal(seen[KM_MARK_VMSTAT], 200);
    assert_int_equal(seen[KM_MARK_PAGETYPE], 1680);
    assert_int_equal(seen[KM_MARK_SLABINFO], 3811);
    km_trace_close(trace);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kinds),
        cmocka_unit_test(buddyinfo),
        cmocka_unit_test(zoneinfo),
        cmocka_unit_test(pagetype),
        cmocka_unit_test(slabinfo),
        cmocka_unit_test(vmstat),
        cmocka_unit_test(markers_of_a_capture),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
