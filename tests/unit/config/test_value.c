/* SPDX-License-Identifier: MIT
 * test_value.c - one value: text to number and back, units, limits, messages.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "sim/base/suggest.h"
#include "sim/config/field.h"

static const struct km_choice colours[] = {{"green", 3, "g"}, {"red", 7, "r"}, {0}};

static const struct km_field number = {.key = "n", .type = KM_FIELD_NUMBER, .size = 4, .min = 1, .max = 64};
static const struct km_field pow2 = {.key = "p", .type = KM_FIELD_NUMBER, .size = 4, .min = 1, .max = 64,
                                     .pow2 = true};
static const struct km_field autos = {.key = "a", .type = KM_FIELD_NUMBER, .size = 4, .min = 1, .max = 8,
                                      .zero_word = "auto", .zero_only_by_word = true};
static const struct km_field none = {.key = "a", .type = KM_FIELD_NUMBER, .size = 4, .min = 4, .max = 8,
                                     .zero_word = "none"};
static const struct km_field size = {.key = "s", .type = KM_FIELD_SIZE, .size = 8, .min = 64,
                                     .max = 64ull << 30};
static const struct km_field freq = {.key = "f", .type = KM_FIELD_FREQ, .size = 8, .min = 1000000,
                                     .max = 20000000000};
static const struct km_field ns = {.key = "t", .type = KM_FIELD_NS, .size = 8, .max = 3600000000000};
static const struct km_field ps = {.key = "t", .type = KM_FIELD_PS, .size = 4, .max = 1000000};
static const struct km_field truth = {.key = "b", .type = KM_FIELD_BOOL, .size = 1};
static const struct km_field choice = {.key = "c", .type = KM_FIELD_CHOICE, .size = 4, .choices = colours};
static const struct km_field text = {.key = "x", .type = KM_FIELD_STRING, .size = 8};

static void good(const struct km_field *f, const char *in, uint64_t want, const char *back)
{
    char msg[512], out[64];
    uint64_t v, member = 0;

    assert_true(km_value_parse(f, in, &v, msg, sizeof(msg)));
    assert_int_equal(v, want);
    km_value_store(f, &member, v, in);
    assert_int_equal(km_value_load(f, &member), want);
    km_value_print(f, &member, out, sizeof(out));
    assert_string_equal(out, back);
    assert_true(km_value_parse(f, out, &v, msg, sizeof(msg)));
    assert_int_equal(v, want);
}

static void bad(const struct km_field *f, const char *in, const char *want)
{
    char msg[512];
    uint64_t v;

    assert_false(km_value_parse(f, in, &v, msg, sizeof(msg)));
    assert_string_equal(msg, want);
}

static void numbers(void **state)
{
    (void)state;
    good(&number, "1", 1, "1");
    good(&number, "0x40", 64, "64");
    bad(&number, "0", "0 is out of range (allowed 1..64)");
    bad(&number, "65", "65 is out of range (allowed 1..64)");
    bad(&number, "-1", "'-1' is not a whole number (allowed 1..64)");
    bad(&number, "1.5", "'1.5' is not a whole number of the smallest unit (allowed 1..64)");
    bad(&number, "4x", "'4x' is not a whole number (allowed 1..64)");
    bad(&number, "0x", "'0x' is not a whole number (allowed 1..64)");
    bad(&number, "0x12g", "'0x12g' is not a whole number (allowed 1..64)");
    bad(&number, "18446744073709551616", "18446744073709551616 is too large a number (allowed 1..64)");
    bad(&number, "4294967297", "4294967297 is out of range (allowed 1..64)");
    good(&pow2, "16", 16, "16");
    bad(&pow2, "12", "12 is not a power of two (allowed 1..64, a power of two)");
    good(&autos, "auto", 0, "auto");
    good(&autos, "8", 8, "8");
    bad(&autos, "0", "0 is out of range (allowed 1..8, or auto)");
    good(&none, "none", 0, "none");
    good(&none, "0", 0, "none");
    bad(&none, "3", "3 is out of range (allowed 4..8, or none)");
}

static void amounts(void **state)
{
    (void)state;
    good(&size, "64", 64, "64B");
    good(&size, "16KiB", 16384, "16KiB");
    good(&size, "16 KiB", 16384, "16KiB");
    good(&size, "1.5GiB", 3ull << 29, "1536MiB");
    good(&size, "2GiB", 2ull << 30, "2GiB");
    bad(&size, "2GB", "'2GB' is not a number with one of the units B, KiB, MiB, GiB (allowed 64B..64GiB)");
    bad(&size, "63", "63 is out of range (allowed 64B..64GiB)");
    bad(&size, "65GiB", "65GiB is out of range (allowed 64B..64GiB)");
    bad(&size, "99999999999TiB",
        "'99999999999TiB' is not a whole number of the smallest unit (allowed 64B..64GiB)");
    bad(&size, "64.5", "'64.5' is not a whole number of the smallest unit (allowed 64B..64GiB)");
    bad(&size, "", "'' is not a number with one of the units B, KiB, MiB, GiB (allowed 64B..64GiB)");
    good(&freq, "700MHz", 700000000, "700MHz");
    good(&freq, "1.6GHz", 1600000000, "1600MHz");
    good(&freq, "133333333Hz", 133333333, "133333333Hz");
    bad(&freq, "700",
        "'700' is not a number with one of the units Hz, kHz, MHz, GHz (allowed 1MHz..20GHz)");
    good(&ns, "10ms", 10000000, "10ms");
    good(&ns, "0.5us", 500, "500ns");
    good(&ns, "0", 0, "0");
    bad(&ns, "0.5ns", "'0.5ns' is not a whole number of the smallest unit (allowed 0..3600s)");
    good(&ps, "1.5ns", 1500, "1500ps");
}

static void words(void **state)
{
    (void)state;
    good(&truth, "true", 1, "true");
    good(&truth, "off", 0, "false");
    good(&truth, "No", 0, "false");
    bad(&truth, "1", "'1' is not a truth value (allowed true, false)");
    good(&choice, "red", 7, "red");
    bad(&choice, "rde", "unknown value 'rde', did you mean 'red'? (allowed green, red)");
    bad(&choice, "blue!!", "unknown value 'blue!!' (allowed green, red)");
}

static void strings(void **state)
{
    char member[8], out[32];
    uint64_t v;
    char msg[128];

    (void)state;
    assert_true(km_value_parse(&text, "a\"\\b", &v, msg, sizeof(msg)));
    km_value_store(&text, member, v, "a\"\\b");
    km_value_print(&text, member, out, sizeof(out));
    assert_string_equal(out, "\"a\\\"\\\\b\"");
    assert_true(km_value_parse(&text, "\xc3\xa4\xe2\x82\xac", &v, msg, sizeof(msg)));
    bad(&text, "12345678", "too long: 8 characters (allowed at most 7 characters)");
    bad(&text, "a\nb", "contains characters that are not printable text");
    bad(&text, "a\xff", "contains characters that are not printable text");
    bad(&text, "\xc0\xaf", "contains characters that are not printable text");
    bad(&text, "\xe2\x80\xa8", "contains characters that are not printable text");
    bad(&text, "\xe2\x80", "contains characters that are not printable text");
}

static void distances(void **state)
{
    struct km_suggest s;

    (void)state;
    assert_int_equal(km_edit_distance("", "abc"), 3);
    assert_int_equal(km_edit_distance("kitten", "sitting"), 3);
    assert_int_equal(km_edit_distance("cpsu", "cpus"), 1);
    km_suggest_init(&s, "rnu");
    km_suggest_offer(&s, "compare");
    assert_null(s.best);
    km_suggest_offer(&s, "run");
    km_suggest_offer(&s, "ran");
    assert_string_equal(s.best, "run");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers), cmocka_unit_test(amounts),   cmocka_unit_test(words),
        cmocka_unit_test(strings), cmocka_unit_test(distances),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
