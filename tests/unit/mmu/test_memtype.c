/* SPDX-License-Identifier: MIT
 * test_memtype.c - memory types: every combination of the manual's two tables, ranges, parsing.
 *
 * The expected values are the rows of Intel SDM vol. 3A tables 11-6 and 11-7, written as they are
 * printed there: per MTRR type, per PAT type (or PCD PWT).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "models/mmu/memtype.h"

#include <string.h>

static enum km_memtype type_named(const char *s, size_t n)
{
    static const struct {
        const char *name;
        enum km_memtype type;
    } names[] = {{"UC-", KM_MEM_UC_MINUS}, {"UC", KM_MEM_UC}, {"WC", KM_MEM_WC},
                 {"WT", KM_MEM_WT},        {"WP", KM_MEM_WP}, {"WB", KM_MEM_WB}};

    for (size_t i = 0; i < KM_ARRAY_LEN(names); i++)
        if (strlen(names[i].name) == n && !strncmp(names[i].name, s, n))
            return names[i].type;
    fail_msg("no type in %s", s);
    return KM_MEM_UC;
}

static enum km_memtype word(const char **at)
{
    *at += strspn(*at, " ");
    size_t n = strcspn(*at, " ");
    enum km_memtype t = type_named(*at, n);

    *at += n;
    return t;
}

static void all_of_table_11_7(void **state)
{
    (void)state;
    static const char *const columns = "UC UC- WC WT WB WP";
    static const char *const rows[] = {
        "UC UC UC WC UC UC UC", /* the MTRR type first */
        "WC UC WC WC UC WC UC", "WT UC UC WC WT WT WP",
        "WB UC UC WC WT WB WP", "WP UC WC WC WT WP WP",
    };

    for (unsigned r = 0; r < 5; r++) {
        const char *at = rows[r], *column = columns;
        enum km_memtype mtrr = word(&at);

        for (unsigned i = 0; i < 6; i++) {
            enum km_memtype pat = word(&column);

            assert_int_equal(km_memtype_combine_pat(mtrr, pat), word(&at));
        }
    }
}

static void all_of_table_11_6(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "UC UC UC UC UC", /* MTRR; then PCD PWT = 00 01 10 11 */
        "WC WC WC WC UC", "WT WT WT UC UC", "WP WP WP WC UC", "WB WB WT UC UC",
    };

    for (unsigned r = 0; r < 5; r++) {
        const char *at = rows[r];
        enum km_memtype mtrr = word(&at);

        for (unsigned bits = 0; bits < 4; bits++)
            assert_int_equal(km_memtype_combine_bits(mtrr, bits & 2, bits & 1), word(&at));
    }
}

/* At power-on the PAT gives PCD and PWT the meaning they had before it existed, on WB and UC
 * memory; PCD alone (UC-) lets an MTRR make it WC. */
static void power_on_pat_is_compatible(void **state)
{
    (void)state;
    struct km_memtypes with, without;

    km_memtypes_init(&with, true);
    km_memtypes_init(&without, false);
    assert_null(km_memtypes_parse(&with, "0x1000-0x2000=uc,0x2000-0x3000=wc"));
    assert_null(km_memtypes_parse(&without, "0x1000-0x2000=uc,0x2000-0x3000=wc"));
    for (unsigned index = 0; index < 8; index++)
        for (uint64_t pa = 0; pa < 0x2000; pa += 0x1000)
            assert_int_equal(km_memtype_of(&with, pa, index), km_memtype_of(&without, pa, index));
    assert_int_equal(km_memtype_of(&with, 0x2000, 2), KM_MEM_WC);
    assert_int_equal(km_memtype_of(&with, 0x2000, 3), KM_MEM_UC);
    with.pat[1] = KM_MEM_WC; /* as Linux sets it */
    assert_int_equal(km_memtype_of(&with, 0x1000, 1), KM_MEM_WC);
    assert_int_equal(km_memtype_of(&with, 0, 1), KM_MEM_WC);
}

static void ranges(void **state)
{
    (void)state;
    struct km_memtypes m;

    km_memtypes_init(&m, true);
    assert_null(km_memtypes_parse(&m, "none"));
    assert_null(km_memtypes_parse(&m, ""));
    assert_int_equal(m.nr, 0);
    assert_null(km_memtypes_parse(&m, "0xa0000-0xc0000=uc,0-1048576=wb,0x80000-0xb0000=wt"));
    assert_int_equal(m.nr, 3);
    assert_int_equal(km_memtypes_range(&m, 0x7ffff), KM_MEM_WB);
    assert_int_equal(km_memtypes_range(&m, 0x80000), KM_MEM_WT); /* WT over WB */
    assert_int_equal(km_memtypes_range(&m, 0xa0000), KM_MEM_UC); /* UC over both */
    assert_int_equal(km_memtypes_range(&m, 0xc0000), KM_MEM_WB);
    assert_int_equal(km_memtypes_range(&m, 0x100000), KM_MEM_WB);
}

static void bad_ranges(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "x",
        "0x1000",
        "0x1000-",
        "0x1000-0x2000",
        "0x1000-0x2000=",
        "0x1000-0x2000=zz",
        "0x1000-0x2000=uc;",
        "0x1000-0x2000=uc,",
        "0x2000-0x1000=uc",
        "0x1000-0x1000=uc",
        "0x1001-0x2000=uc",
        "0x1000-0x2001=uc",
        "0x1000-0x1000001000=uc",
        "0xfffffffffffffffffff-0x1000=uc",
        "0x1000-0x3000=wc,0x2000-0x4000=wb",
        "0x1000-0x3000=wp,0x2000-0x4000=wt",
        "0-4096=uc,0-4096=uc,0-4096=uc,0-4096=uc,0-4096=uc,0-4096=uc,0-4096=uc,0-4096=uc,0-4096=uc",
    };

    for (size_t i = 0; i < KM_ARRAY_LEN(bad); i++) {
        struct km_memtypes m;

        km_memtypes_init(&m, true);
        assert_non_null(km_memtypes_parse(&m, bad[i]));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_of_table_11_7),
        cmocka_unit_test(all_of_table_11_6),
        cmocka_unit_test(power_on_pat_is_compatible),
        cmocka_unit_test(ranges),
        cmocka_unit_test(bad_ranges),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
