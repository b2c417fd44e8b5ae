/* SPDX-License-Identifier: MIT
 * test_gfp.c - GFP names of all kernels to 6.1 bits and back; interned strings.
 */
#include "trace_helper.h"

#include "sim/trace/gfp.h"
#include "sim/trace/intern.h"

static uint32_t bits_of(const char *text, bool known)
{
    uint32_t bits = 0xdeadbeef;

    assert_int_equal(km_gfp_parse(text, strlen(text), &bits), known);
    return bits;
}

static void names_of_6_1(void **state)
{
    (void)state;
    assert_int_equal(bits_of("none", true), 0);
    assert_int_equal(bits_of("GFP_KERNEL", true), 0xcc0);
    assert_int_equal(bits_of("GFP_ATOMIC", true), 0xa20);
    assert_int_equal(bits_of("__GFP_ATOMIC", true), 0x200);
    assert_int_equal(bits_of("GFP_NOWAIT|__GFP_NOWARN", true), 0x2800);
    assert_int_equal(bits_of("GFP_HIGHUSER_MOVABLE|__GFP_COMP|__GFP_ZERO", true), 0x140dca);
    assert_int_equal(bits_of("GFP_KERNEL_ACCOUNT|__GFP_ZERO", true), 0x400dc0);
    assert_int_equal(bits_of("GFP_TRANSHUGE_LIGHT", true), 0x1c20ca);
    assert_int_equal(bits_of("GFP_DMA|__GFP_RECLAIM", true), 0xc01);
    assert_int_equal(bits_of("__GFP_IO|0x8000000", true), 0x8000040);
}

static void names_of_older_kernels(void **state)
{
    (void)state;
    assert_int_equal(bits_of("__GFP_WAIT", true), 0xc00);
    assert_int_equal(bits_of("GFP_WAIT|GFP_IO|GFP_COLD", true), 0xc40);
    assert_int_equal(bits_of("__GFP_REPEAT", true), 0x4000);
    assert_int_equal(bits_of("GFP_TEMPORARY", true), 0xcd0);
    assert_int_equal(bits_of("GFP_KERNEL|__GFP_NOTRACK", true), 0xcc0);
    assert_int_equal(bits_of("GFP_KERNEL|__GFP_FROM_THE_FUTURE", false), 0xcc0);
    assert_int_equal(bits_of("0xzz", false), 0);
}

static void print_and_parse(void **state)
{
    char text[KM_GFP_TEXT_MAX];

    (void)state;
    km_gfp_format(0xcc0 | 0x2000 | 0x10000, text, sizeof(text));
    assert_string_equal(text, "GFP_KERNEL|__GFP_NOWARN|__GFP_NORETRY");
    km_gfp_format(0, text, sizeof(text));
    assert_string_equal(text, "none");
    for (uint32_t i = 0; i < 200000; i++) {
        uint32_t bits = i * 2654435761u;

        assert_true(km_gfp_format(bits, text, sizeof(text)) < sizeof(text));
        assert_int_equal(bits_of(text, true), bits);
    }
}

static void equal_text_equal_id(void **state)
{
    struct km_intern table;
    char text[32];

    (void)state;
    assert_true(km_intern_init(&table));
    assert_int_equal(km_intern(&table, "", 0), 0);
    assert_int_equal(km_intern(&table, "kfree", 5), 1);
    for (uint32_t i = 0; i < 5000; i++)
        assert_int_equal(km_intern(&table, text, (size_t)sprintf(text, "symbol_%u", i)), i + 2);
    assert_int_equal(km_intern(&table, "kfree", 5), 1);
    assert_int_equal(km_intern(&table, "symbol_4999", 11), 5001);
    assert_string_equal(km_intern_text(&table, 5001), "symbol_4999");
    assert_string_equal(km_intern_text(&table, 999999), "");
    km_intern_release(&table);
}

static void the_table_is_bounded(void **state)
{
    struct km_intern table;
    char text[32];
    uint32_t id = 0;

    (void)state;
    assert_true(km_intern_init(&table));
    for (uint32_t i = 0; i < KM_INTERN_MAX_STRINGS + 1000; i++)
        id = km_intern(&table, text, (size_t)sprintf(text, "%u", i));
    assert_string_equal(km_intern_text(&table, id), "(other)");
    assert_true(table.nr <= KM_INTERN_MAX_STRINGS);
    assert_string_equal(km_intern_text(&table, km_intern(&table, "77", 2)), "77");
    km_intern_release(&table);
}

static void event_names(void **state)
{
    (void)state;
    for (int type = 1; type < KM_EV_NR; type++) {
        const char *name = km_event_name(type);

        assert_string_not_equal(name, "none");
        if (type != KM_EV_LOST && type != KM_EV_OTHER)
            assert_int_equal(km_event_by_name(name, strlen(name)), type);
    }
    assert_int_equal(km_event_by_name("kmalloc_node", 12), KM_EV_KMALLOC);
    assert_int_equal(km_event_by_name("sched_switch", 12), KM_EV_NONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_of_6_1),         cmocka_unit_test(names_of_older_kernels),
        cmocka_unit_test(print_and_parse),      cmocka_unit_test(equal_text_equal_id),
        cmocka_unit_test(the_table_is_bounded), cmocka_unit_test(event_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
