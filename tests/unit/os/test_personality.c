/* SPDX-License-Identifier: MIT
 * test_personality.c - each kernel's row of the personality table, seen in what the allocators do.
 */
#include "tests/unit/os/small_guest.h"

#include "models/os/gfp_names.h"
#include "models/os/slub.h"

static struct small_guest g;

static void boot_as(const struct km_personality *p)
{
    guest_boot(&g);
    g.os.p.personality = p;
    g.os.p.watermark_scale_factor = p->watermark_scale_factor;
    g.os.p.watermark_boost_factor = p->watermark_boost_factor;
}

/* Normal of 1 GiB: a quarter of 262144 / 1024 = 64 pages, cut to 2^n - 1 after adding half. */
static void per_cpu_limits(void **state)
{
    static const struct {
        const struct km_personality *p;
        uint32_t batch, high;
    } want[] = {{&km_personality_linux_2_6, 31, 186},
                {&km_personality_linux_4_10, 31, 186},
                {&km_personality_linux_6_1, 63, 500}};

    (void)state;
    for (unsigned i = 0; i < KM_ARRAY_LEN(want); i++) {
        boot_as(want[i].p);
        guest_set_zone_word(&g, KM_ZONE_NORMAL, KM_ZONE_MANAGED, 262144);
        guest_set_zone_word(&g, KM_ZONE_NORMAL, KM_ZONE_WATERMARK + KM_WMARK_LOW * 4, 1000);
        km_pcp_setup(&g.os, &g.cpu[0], 2);
        assert_int_equal(guest_pcp_word(&g, KM_ZONE_NORMAL, 0, KM_PCP_BATCH), want[i].batch);
        assert_int_equal(guest_pcp_word(&g, KM_ZONE_NORMAL, 0, KM_PCP_HIGH), want[i].high);
        assert_int_equal(km_pcp_covers(&g.os, 1), i == 2);
        guest_close(&g);
    }
}

/* Low and high marks: a quarter and half of min more in 2.6, at least 1/1000 of the zone since 4.6.
 */
static void watermarks(void **state)
{
    (void)state;
    for (unsigned i = 0; km_personalities[i]; i++) {
        boot_as(km_personalities[i]);
        g.os.p.min_free_kbytes = 64;
        km_zone_setup_watermarks(&g.os, &g.cpu[0]);
        uint32_t managed = guest_zone_word(&g, KM_ZONE_NORMAL, KM_ZONE_MANAGED);
        uint32_t min = guest_zone_word(&g, KM_ZONE_NORMAL, KM_ZONE_WATERMARK + KM_WMARK_MIN * 4);
        uint32_t low = guest_zone_word(&g, KM_ZONE_NORMAL, KM_ZONE_WATERMARK + KM_WMARK_LOW * 4);

        assert_true(min / 4 < managed / 1000);
        assert_int_equal(low - min, i == 0 ? min / 4 : managed / 1000);
        guest_close(&g);
    }
}

/* Free: 1024 single pages and nothing larger but one order-2 block. 2.6 wants more large blocks. */
static void marks_of_high_orders(void **state)
{
    (void)state;
    for (unsigned i = 0; km_personalities[i]; i++) {
        boot_as(km_personalities[i]);
        for (unsigned o = 0; o < KM_NR_ORDERS; o++)
            while (km_buddy_next(&g.os, g.window, KM_ZONE_NORMAL, o, KM_MT_MOVABLE) !=
                       KM_PFN_NONE &&
                   km_buddy_take_own(&g.os, &g.cpu[0], KM_ZONE_NORMAL, o, KM_MT_MOVABLE) !=
                       KM_PFN_NONE)
                ;
        for (km_pfn p = 0x1400; p < 0x1400 + 2048; p += 2)
            km_buddy_add(&g.os, &g.cpu[0], KM_ZONE_NORMAL, p, 0, KM_MT_MOVABLE, false);
        km_buddy_add(&g.os, &g.cpu[0], KM_ZONE_NORMAL, 0x2000, 2, KM_MT_MOVABLE, false);
        km_zone_set_watermarks(&g.os, &g.cpu[0], KM_ZONE_NORMAL, 100, 120, 140);
        assert_true(km_zone_watermark_ok(&g.os, &g.cpu[0], KM_ZONE_NORMAL, 0, KM_WMARK_MIN,
                                         KM_ZONE_NORMAL, 0));
        assert_int_equal(km_zone_watermark_ok(&g.os, &g.cpu[0], KM_ZONE_NORMAL, 2, KM_WMARK_MIN,
                                              KM_ZONE_NORMAL, 0),
                         i != 0);
        guest_close(&g);
    }
}

/* Full list, batch 2: 6.1 empties the list it just freed to, older kernels go round the types. */
static void drains(void **state)
{
    (void)state;
    for (unsigned i = 0; km_personalities[i]; i++) {
        km_pfn u[2], m[2], out[8];

        boot_as(km_personalities[i]);
        km_pcp_set_limits(&g.os, &g.cpu[0], KM_ZONE_NORMAL, 0, 4, 2);
        for (unsigned k = 0; k < 2; k++) {
            u[k] = 0x1300 + 4 * k;
            m[k] = 0x1600 + 4 * k;
            assert_true(km_buddy_take_at(&g.os, &g.cpu[0], KM_ZONE_NORMAL, u[k], 0, KM_MT_MOVABLE));
            assert_true(km_buddy_take_at(&g.os, &g.cpu[0], KM_ZONE_NORMAL, m[k], 0, KM_MT_MOVABLE));
        }
        km_pageblock_set_type(&g.os, &g.cpu[0], KM_ZONE_NORMAL, 0x1300, KM_MT_UNMOVABLE);
        km_pcp_free(&g.os, &g.cpu[0], KM_ZONE_NORMAL, m[0], 0);
        km_pcp_free(&g.os, &g.cpu[0], KM_ZONE_NORMAL, m[1], 0);
        km_pcp_free(&g.os, &g.cpu[0], KM_ZONE_NORMAL, u[0], 0);
        guest_forget_events(&g);
        km_pcp_free(&g.os, &g.cpu[0], KM_ZONE_NORMAL, u[1], 0);
        assert_int_equal(guest_events(&g, KM_TP_PCPU_DRAIN, out, 8), 2);
        assert_int_equal(out[0], i == 2 ? u[0] : m[0]); /* the round begins with type 1 */
        assert_int_equal(out[1], i == 2 ? u[1] : u[0]); /* two steps on, up to two pages */
        guest_check(&g);
        guest_close(&g);
    }
}

/* A small movable request finds only reclaimable blocks, of orders 2 and 8: the smallest, or the
 * largest. */
static void fallback(void **state)
{
    (void)state;
    for (unsigned i = 0; km_personalities[i]; i++) {
        boot_as(km_personalities[i]);
        g.os.mobility_grouping = true;
        for (unsigned mt = 0; mt < KM_MT_PCP_TYPES; mt++)
            for (unsigned o = 0; o < KM_NR_ORDERS; o++)
                while (km_buddy_take_own(&g.os, &g.cpu[0], KM_ZONE_NORMAL, o,
                                         (enum km_migratetype)mt) != KM_PFN_NONE)
                    ;
        km_pageblock_set_type(&g.os, &g.cpu[0], KM_ZONE_NORMAL, 0x1400, KM_MT_RECLAIMABLE);
        km_pageblock_set_type(&g.os, &g.cpu[0], KM_ZONE_NORMAL, 0x1800, KM_MT_RECLAIMABLE);
        km_buddy_add(&g.os, &g.cpu[0], KM_ZONE_NORMAL, 0x1400, 2, KM_MT_RECLAIMABLE, false);
        km_buddy_add(&g.os, &g.cpu[0], KM_ZONE_NORMAL, 0x1808, 3, KM_MT_RECLAIMABLE, false);
        km_pfn got = km_buddy_take(&g.os, &g.cpu[0], KM_ZONE_NORMAL, 0, KM_MT_MOVABLE, 0);

        assert_int_equal(got, i == 2 ? 0x1400 : 0x1808);
        if (i == 0) /* 2.6: nothing was claimed, the rest stays reclaimable, in front of what is there */
            EXPECT_FREE_LIST(&g, KM_ZONE_NORMAL, 2, KM_MT_RECLAIMABLE, 0x180c, 0x1400);
        if (i == 0)
            EXPECT_FREE_LIST(&g, KM_ZONE_NORMAL, 1, KM_MT_RECLAIMABLE, 0x180a);
        else
            EXPECT_FREE_LIST(&g, KM_ZONE_NORMAL, 1, KM_MT_MOVABLE, i == 2 ? 0x1402 : 0x180a);
        guest_check(&g);
        guest_close(&g);
    }
}

static void slab_rows(void **state)
{
    static const unsigned partial[] = {0, 13, 52}; /* a cache of 256 bytes */
    static const unsigned slabs[] = {0, 13, 7};    /* 16 objects per slab: 104 / 16 rounded up */

    (void)state;
    for (unsigned i = 0; km_personalities[i]; i++) {
        struct km_kmem_cache c = {.object_size = 256, .align = 8};

        assert_true(km_slub_geometry(km_personalities[i], 2, &c));
        assert_int_equal(c.objects, 16);
        assert_int_equal(c.cpu_partial, partial[i]);
        assert_int_equal(c.cpu_partial_slabs, slabs[i]);
        assert_int_equal(c.free_pointer, i == 2 ? 128 : 0);
    }
}

static void texts(void **state)
{
    const struct km_personality *old = &km_personality_linux_2_6;
    uint32_t raw;

    (void)state;
    assert_string_equal(old->migratetype_text[old->migratetype_number[KM_MT_MOVABLE]], "Movable");
    assert_int_equal(old->migratetype_number[KM_MT_MOVABLE], 2);
    for (unsigned i = 1; km_personalities[i]; i++)
        for (unsigned mt = 0; mt < KM_MT_TEXTS; mt++)
            assert_int_equal(km_personalities[i]->migratetype_number[mt], mt);

    /* the masks kernels print in their reports */
    assert_true(km_gfp_raw_of_text(old, "GFP_KERNEL", &raw));
    assert_int_equal(raw, 0xd0);
    assert_int_equal(km_gfp_from_raw(old, raw), KM_GFP_KERNEL);
    assert_true(
        km_gfp_raw_of_text(&km_personality_linux_4_10, "GFP_KERNEL|__GFP_REPEAT|__GFP_COLD", &raw));
    assert_int_equal(raw, 0x24005c0);
    assert_int_equal(km_gfp_from_raw(&km_personality_linux_4_10, raw),
                     KM_GFP_KERNEL | KM_GFP_RETRY_MAYFAIL);
    assert_true(km_gfp_raw_of_text(old, "GFP_NOWAIT", &raw));
    assert_int_equal(raw, 0);
    assert_int_equal(km_gfp_from_raw(old, 0x20), KM_GFP_ATOMIC);
    assert_false(km_gfp_raw_of_text(&km_personality_linux_6_1, "__GFP_WAIT", &raw));
    assert_false(km_gfp_raw_of_text(old, "__GFP_RETRY_MAYFAIL", &raw));
}

/* Every name means what its bits mean; single flags go there and back. */
static void gfp_tables(void **state)
{
    (void)state;
    for (unsigned i = 0; km_personalities[i]; i++)
        for (const struct km_gfp_name *n = km_gfp_names(km_personalities[i]); n->name; n++) {
            const struct km_personality *p = km_personalities[i];
            uint32_t raw, extra = p->gfp_bits == KM_GFP_BITS_2_6 && n->effect
                                      ? KM_GFP_KSWAPD_RECLAIM | KM_GFP_ATOMIC_BIT
                                      : 0;

            assert_true(km_gfp_raw_of_text(p, n->name, &raw));
            assert_int_equal(raw, n->raw);
            assert_int_equal(km_gfp_from_raw(p, raw) | extra, n->means | extra);
            if (n->effect && n->means)
                assert_int_equal(km_gfp_to_raw(p, n->means), n->raw);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(per_cpu_limits),
        cmocka_unit_test(watermarks),
        cmocka_unit_test(marks_of_high_orders),
        cmocka_unit_test(drains),
        cmocka_unit_test(fallback),
        cmocka_unit_test(slab_rows),
        cmocka_unit_test(texts),
        cmocka_unit_test(gfp_tables),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
