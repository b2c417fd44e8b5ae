/* SPDX-License-Identifier: MIT
 * test_page_map.c - traced frames and the model frames that stand for them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sim/workload/page_map.h"

static void nothing_is_mapped_at_first(void **state)
{
    struct km_page_map m;

    (void)state;
    assert_int_equal(km_page_map_init(&m, 16), 0);
    for (km_pfn p = 0; p < 16; p++)
        assert_int_equal(km_page_map_get(&m, p), KM_PFN_NONE);
    assert_int_equal(km_page_map_get(&m, 16), KM_PFN_NONE); /* beyond RAM */
    assert_int_equal(km_page_map_get(&m, KM_PFN_NONE), KM_PFN_NONE);
    km_page_map_release(&m);
}

/* traced  0 1 2 3 | 4 5 6 7
 * model           | 8 9 a b   one aligned block of order 2; its halves are blocks too */
static void a_block_maps_to_a_block(void **state)
{
    struct km_page_map m;

    (void)state;
    km_page_map_init(&m, 16);
    km_page_map_set(&m, 4, 8, 2);
    assert_int_equal(km_page_map_block(&m, 4, 2), 8);
    assert_int_equal(km_page_map_block(&m, 6, 1), 10);
    assert_int_equal(km_page_map_get(&m, 7), 11);
    assert_int_equal(km_page_map_get(&m, 3), KM_PFN_NONE);
    assert_int_equal(km_page_map_get(&m, 8), KM_PFN_NONE);
    km_page_map_clear(&m, 5, 0); /* a page of it was freed alone */
    assert_int_equal(km_page_map_block(&m, 4, 2), KM_PFN_NONE);
    assert_int_equal(km_page_map_block(&m, 6, 1), 10);
    km_page_map_release(&m);
}

/* Two traced neighbours that are neighbours in the model, but not one aligned block there: 4,5 -> 7,8. */
static void a_block_must_be_aligned_and_whole_in_the_model(void **state)
{
    struct km_page_map m;

    (void)state;
    km_page_map_init(&m, 16);
    km_page_map_set(&m, 4, 7, 0);
    km_page_map_set(&m, 5, 8, 0);
    assert_int_equal(km_page_map_block(&m, 4, 1), KM_PFN_NONE);
    assert_int_equal(km_page_map_block(&m, 4, 0), 7);
    km_page_map_set(&m, 4, 8, 0);
    km_page_map_set(&m, 5, 12, 0); /* aligned, but not in one piece */
    assert_int_equal(km_page_map_block(&m, 4, 1), KM_PFN_NONE);
    km_page_map_release(&m);
}

static void the_end_of_ram_is_respected(void **state)
{
    struct km_page_map m;

    (void)state;
    km_page_map_init(&m, 6);
    km_page_map_set(&m, 4, 8, 2); /* frames 6 and 7 do not exist */
    assert_int_equal(km_page_map_get(&m, 5), 9);
    assert_int_equal(km_page_map_block(&m, 4, 2), KM_PFN_NONE);
    km_page_map_clear(&m, 4, 2);
    assert_int_equal(km_page_map_get(&m, 4), KM_PFN_NONE);
    km_page_map_release(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_mapped_at_first),
        cmocka_unit_test(a_block_maps_to_a_block),
        cmocka_unit_test(a_block_must_be_aligned_and_whole_in_the_model),
        cmocka_unit_test(the_end_of_ram_is_respected),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
