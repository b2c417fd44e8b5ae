/* SPDX-License-Identifier: MIT
 * test_start_carry.c - the start state of one machine on another: who keeps its frame, who moves, what is free.
 */
#include "tests/unit/workload/replay_rig.h"

#include "models/base/bits.h"

static struct km_machine_facts facts_with(const struct rig *rig, const char *const *sets, unsigned nr)
{
    struct km_config cfg;
    struct km_machine_facts f;
    struct km_err err = {0};
    const char *all[16] = {"machine.ram=64MiB", "machine.cpus=2", "machine.paging=pae", "os.thp=off",
                           "os.pageblock_order=9"};

    (void)rig;
    for (unsigned i = 0; i < nr; i++)
        all[5 + i] = sets[i];
    assert_int_equal(km_config_load(&cfg, KM_SOURCE_DIR "/configs/replay.yaml", all, 5 + nr, rig_problem, NULL), 0);
    assert_int_equal(km_guest_facts(&f, &cfg, NULL, NULL, &err), KM_OK);
    km_config_release(&cfg);
    return f;
}

static void carry(struct rig *rig, const char *set)
{
    struct km_machine_facts f = facts_with(rig, &set, 1);
    struct km_err err = {0};

    assert_int_equal(km_start_carry(&rig->r, &f, &err), KM_OK);
}

/* A page in use on the traced machine. */
static void use_page(struct rig *rig, km_pfn pfn, bool lru)
{
    struct km_guest *g = &rig->r.guest;
    uint32_t *flags = (uint32_t *)(g->window.base + km_page_va(&g->os, pfn) + KM_PAGE_FLAGS);

    *flags &= ~(uint32_t)(KM_PG_RESERVED | KM_PG_LRU);
    if (lru)
        *flags |= KM_PG_LRU;
    rig->r.map.model[pfn] = pfn;
}

static uint32_t ram_frames(const struct km_guest *g)
{
    uint32_t n = 0;

    for (unsigned i = 0; i < g->facts.nr_ram; i++)
        n += g->facts.ram[i].end - g->facts.ram[i].start;
    return n;
}

/* Free, on a list of some CPU, in use, or the new mem_map's: nothing is lost and nothing counted twice. */
static void all_frames_accounted(struct rig *rig, uint32_t in_use)
{
    const struct km_guest *g = &rig->r.guest;
    uint32_t free = 0, listed = 0;

    for (unsigned z = 0; z < KM_NR_ZONES; z++) {
        if (!km_zone_populated(&g->os.zone[z]))
            continue;
        assert_null(km_buddy_check(&g->os, g->window.base, (enum km_zone_id)z));
        free += km_zone_free_pages(&g->os, g->window.base, (enum km_zone_id)z);
        for (unsigned c = 0; c < g->os.p.cpus; c++) {
            assert_null(km_pcp_check(&g->os, g->window.base, (enum km_zone_id)z, c));
            listed += km_pcp_count(&g->os, g->window.base, (enum km_zone_id)z, c);
        }
    }
    uint32_t map = (uint32_t)(km_align_up(km_boot_mem_map_bytes(&g->os), KM_PAGE_BYTES) >> KM_PAGE_SHIFT);

    assert_int_equal(free + listed + in_use + map, ram_frames(g));
}

static void more_memory_is_free_above_what_was_there(void **state)
{
    struct rig *rig = rig_new();

    (void)state;
    rig_give(rig, RIG_BLOCK(2), 9, KM_MT_MOVABLE);
    use_page(rig, RIG_BLOCK(3), false);
    carry(rig, "machine.ram=128MiB");
    assert_int_equal(rig->r.guest.facts.max_pfn, 0x8000);
    assert_int_equal(km_page_map_get(&rig->r.map, RIG_BLOCK(3)), RIG_BLOCK(3));
    assert_true(rig_is_free(rig, RIG_BLOCK(2), 9));
    assert_true(rig_is_free(rig, 0x5000, 10)); /* was no memory */
    assert_false(rig_is_free(rig, RIG_BLOCK(3), 0));
    all_frames_accounted(rig, 1);
    assert_int_equal(rig->r.sum.start_moved_pages, 0);
    rig_free(rig);
}

static void pages_beyond_the_end_move_below_it(void **state)
{
    struct rig *rig = rig_new();
    km_pfn old = 0x3c00;

    (void)state;
    for (km_pfn p = old; p < old + 8; p++)
        use_page(rig, p, p & 1);
    use_page(rig, RIG_BLOCK(1), true);
    carry(rig, "machine.ram=32MiB");
    for (km_pfn p = old; p < old + 8; p++) {
        km_pfn now = km_page_map_get(&rig->r.map, p);

        assert_true(now < 0x2000);
        assert_false(rig_is_free(rig, now, 0));
        for (km_pfn q = old; q < p; q++)
            assert_int_not_equal(now, km_page_map_get(&rig->r.map, q));
    }
    assert_int_equal(km_page_map_get(&rig->r.map, RIG_BLOCK(1)), RIG_BLOCK(1));
    assert_int_equal(rig->r.sum.start_moved_pages, 8);
    assert_int_equal(rig->r.sum.start_dropped_pages, 0);
    all_frames_accounted(rig, 9);
    rig_free(rig);
}

/* Kernel pages always find a place; page cache only above the high mark. */
static void user_pages_that_do_not_fit_are_dropped(void **state)
{
    struct rig *rig = rig_new();
    uint32_t kept = 0;

    (void)state;
    for (km_pfn p = 0x2000; p < 0x4000; p++)
        use_page(rig, p, true);
    use_page(rig, 0x2345, false);
    carry(rig, "machine.ram=32MiB");
    for (km_pfn p = 0x2000; p < 0x4000; p++)
        kept += km_page_map_get(&rig->r.map, p) != KM_PFN_NONE;
    assert_int_not_equal(km_page_map_get(&rig->r.map, 0x2345), KM_PFN_NONE);
    assert_true(rig->r.sum.start_dropped_pages > 0);
    assert_int_equal(kept + rig->r.sum.start_dropped_pages, 0x2000);
    for (unsigned z = 0; z < KM_NR_ZONES; z++)
        if (km_zone_populated(&rig->r.guest.os.zone[z]))
            assert_true(km_zone_free_pages(&rig->r.guest.os, rig->r.guest.window.base, (enum km_zone_id)z) >=
                        km_peek32(rig->r.guest.window.base,
                                  rig->r.guest.os.zone[z].va + KM_ZONE_WATERMARK + KM_WMARK_HIGH * 4));
    all_frames_accounted(rig, kept);
    rig_free(rig);
}

static bool frame_of_rig(const struct rig *rig, km_pfn p)
{
    const struct km_machine_facts *f = &rig->r.guest.facts;

    for (unsigned i = 0; i < f->nr_ram; i++)
        if (p >= f->ram[i].start && p < f->ram[i].end)
            return p > 0 && (p < 0x1028 || p >= 0x10c8); /* mem_map */
    return false;
}

/* Nothing is free but what mem_map leaves: page cache makes room, from the lowest frame on, for the kernel alone. */
static void page_cache_gives_way_to_the_kernel(void **state)
{
    struct rig *rig = rig_new();
    const km_pfn kernels = 0x3400, end = kernels + 300;
    uint32_t used = 0, kept = 0;

    (void)state;
    for (km_pfn p = 0; p < 0x2000; p++)
        if (frame_of_rig(rig, p)) {
            use_page(rig, p, p >= RIG_BLOCK(2));
            used++;
        }
    for (km_pfn p = kernels; p < end; p++, used++)
        use_page(rig, p, false);
    carry(rig, "machine.ram=32MiB");
    for (km_pfn p = 0; p < 0x4000; p++)
        kept += km_page_map_get(&rig->r.map, p) != KM_PFN_NONE;
    for (km_pfn p = kernels; p < end; p++)
        assert_int_not_equal(km_page_map_get(&rig->r.map, p), KM_PFN_NONE);
    assert_int_equal(kept + rig->r.sum.start_dropped_pages, used);
    assert_true(rig->r.sum.start_dropped_pages < 300);
    assert_int_equal(km_page_map_get(&rig->r.map, RIG_BLOCK(2)), KM_PFN_NONE); /* the lowest of page cache */
    assert_int_equal(km_page_map_get(&rig->r.map, RIG_BLOCK(2) + 299), RIG_BLOCK(2) + 299);
    for (km_pfn p = 0; p < 0x1028; p++)
        if (km_page_map_get(&rig->r.map, p) != KM_PFN_NONE)
            assert_int_equal(km_page_map_get(&rig->r.map, p), p);
    all_frames_accounted(rig, kept);
    rig_free(rig);
}

static void lists_of_missing_cpus_go_to_the_others(void **state)
{
    struct rig *rig = rig_new();
    struct km_guest *g = &rig->r.guest;

    (void)state;
    km_pcp_place(&g->os, &g->cpu[0], KM_ZONE_NORMAL, 0, RIG_BLOCK(4), 0, KM_MT_MOVABLE);
    km_pcp_place(&g->os, &g->cpu[0], KM_ZONE_NORMAL, 1, RIG_BLOCK(4) + 5, 0, KM_MT_UNMOVABLE);
    carry(rig, "machine.cpus=1");
    g = &rig->r.guest;
    assert_int_equal(g->os.p.cpus, 1);
    assert_int_equal(km_pcp_listed_order(&g->os, g->window.base, KM_ZONE_NORMAL, 0, RIG_BLOCK(4)), 0);
    assert_int_equal(km_pcp_listed_order(&g->os, g->window.base, KM_ZONE_NORMAL, 0, RIG_BLOCK(4) + 5), 0);
    all_frames_accounted(rig, 0);
    rig_free(rig);
}

/* What is no user page must stay in low memory when the border falls below it. */
static void kernel_pages_leave_high_memory(void **state)
{
    struct rig *rig = rig_new();

    (void)state;
    use_page(rig, 0x3000, false);
    use_page(rig, 0x3001, true);
    carry(rig, "os.lowmem_limit=40MiB");
    assert_int_equal(rig->r.guest.os.zone[KM_ZONE_HIGHMEM].start_pfn, 0x2800);
    assert_true(km_page_map_get(&rig->r.map, 0x3000) < 0x2800);
    assert_int_equal(km_page_map_get(&rig->r.map, 0x3001), 0x3001);
    all_frames_accounted(rig, 2);
    rig_free(rig);
}

static void too_small_a_machine_is_refused(void **state)
{
    struct rig *rig = rig_new();
    const char *set = "machine.ram=16MiB";
    struct km_machine_facts f = facts_with(rig, &set, 1);
    struct km_err err = {0};

    (void)state;
    assert_int_equal(km_start_carry(&rig->r, &f, &err), KM_E_USAGE);
    assert_non_null(strstr(err.msg, "machine.ram"));
    rig_free(rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(more_memory_is_free_above_what_was_there),
        cmocka_unit_test(pages_beyond_the_end_move_below_it),
        cmocka_unit_test(user_pages_that_do_not_fit_are_dropped),
        cmocka_unit_test(lists_of_missing_cpus_go_to_the_others),
        cmocka_unit_test(kernel_pages_leave_high_memory),
        cmocka_unit_test(page_cache_gives_way_to_the_kernel),
        cmocka_unit_test(too_small_a_machine_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
