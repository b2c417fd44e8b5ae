/* SPDX-License-Identifier: MIT
 * test_vcd.c - waveforms: a reader that knows nothing of the writer checks header, scopes,
 * identifiers, widths and the order of time, and finds the values that were told.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "models/base/prng.h"
#include "sim/report/vcd.h"

#include <stdlib.h>
#include <string.h>

#define MAX_SIGNALS 300

/* What the reader knows. */
struct wave {
    unsigned nr;
    struct {
        char id[8], path[256];
        unsigned bits;
        char value[80];
    } signal[MAX_SIGNALS];
    uint64_t now;
    unsigned moments;
    bool incomplete;
};

static int find(const struct wave *w, const char *id)
{
    for (unsigned i = 0; i < w->nr; i++)
        if (strcmp(w->signal[i].id, id) == 0)
            return (int)i;
    return -1;
}

static void definition(struct wave *w, char *line, char *scope, bool *timescale)
{
    char word[8][64];
    int n = sscanf(line, "%63s %63s %63s %63s %63s %63s", word[0], word[1], word[2], word[3],
                   word[4], word[5]);

    if (strcmp(word[0], "$scope") == 0) {
        assert_int_equal(n, 4);
        assert_string_equal(word[1], "module");
        strcat(scope, "/");
        strcat(scope, word[2]);
    } else if (strcmp(word[0], "$upscope") == 0) {
        char *slash = strrchr(scope, '/');

        assert_non_null(slash);
        *slash = 0;
    } else if (strcmp(word[0], "$timescale") == 0) {
        assert_string_equal(word[1], "1ps");
        *timescale = true;
    } else if (strcmp(word[0], "$var") == 0) {
        assert_int_equal(n, 6);
        assert_int_equal(find(w, word[3]), -1);
        assert_in_range(strlen(word[3]), 1, 4);
        w->signal[w->nr].bits = (unsigned)atoi(word[2]);
        assert_in_range(w->signal[w->nr].bits, 1, 64);
        strcpy(w->signal[w->nr].id, word[3]);
        snprintf(w->signal[w->nr].path, 256, "%.120s/%s", scope, word[4]);
        w->nr++;
    } else if (strcmp(word[0], "$comment") == 0) {
        w->incomplete = true;
    } else {
        assert_string_equal(word[0], "$version");
    }
    assert_non_null(strstr(line, "$end"));
}

static void value_change(struct wave *w, const char *line)
{
    char value[80], id[8];

    if (line[0] == 'b') {
        assert_int_equal(sscanf(line, "b%79s %7s", value, id), 2);
    } else {
        value[0] = line[0];
        value[1] = 0;
        snprintf(id, sizeof(id), "%s", line + 1);
    }
    int i = find(w, id);

    assert_true(i >= 0);
    assert_int_equal(line[0] == 'b', w->signal[i].bits > 1);
    assert_true(strlen(value) <= w->signal[i].bits);
    assert_int_equal(strspn(value, "01x"), strlen(value));
    strcpy(w->signal[i].value, value);
}

/* Reads up to and including `until`. */
static void read_vcd(struct wave *w, const char *text, uint64_t until)
{
    char *copy = strdup(text), *save = NULL, scope[128] = "";
    bool timescale = false, defined = false, dumped = false;

    memset(w, 0, sizeof(*w));
    for (char *line = strtok_r(copy, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        if (strcmp(line, "$enddefinitions $end") == 0) {
            assert_string_equal(scope, "");
            assert_true(timescale);
            defined = true;
        } else if (!defined) {
            definition(w, line, scope, &timescale);
        } else if (strcmp(line, "$dumpvars") == 0 || strcmp(line, "$end") == 0) {
            dumped = true;
        } else if (line[0] == '#') {
            uint64_t at = strtoull(line + 1, NULL, 10);

            assert_true(dumped);
            assert_true(!w->moments || at > w->now);
            if (at > until)
                break;
            w->now = at;
            w->moments++;
        } else {
            value_change(w, line);
        }
    }
    assert_true(defined);
    free(copy);
}

static const char *value_of(const struct wave *w, const char *path)
{
    for (unsigned i = 0; i < w->nr; i++)
        if (strcmp(w->signal[i].path, path) == 0)
            return w->signal[i].value;
    return "no such signal";
}

static char *text_of(struct km_vcd *v)
{
    char *text = NULL;
    size_t size;
    FILE *f = open_memstream(&text, &size);

    assert_non_null(f);
    km_vcd_write(v, f);
    fclose(f);
    assert_false(km_vcd_no_memory(v));
    return text;
}

static void changes_in_any_order(void **state)
{
    (void)state;
    static struct wave w;
    struct km_vcd *v = km_vcd_new(100);
    unsigned row = km_vcd_signal(v, "dram.channel0", "row", 16);
    unsigned open = km_vcd_signal(v, "dram.channel0.rank 0", "open", 1);
    unsigned owner = km_vcd_signal(v, "bus", "owner", 4);
    unsigned wide = km_vcd_signal(v, "dram.channel0", "wide", 64);

    km_vcd_change(v, owner, 5000, 3);
    km_vcd_change(v, row, 1250, 0x12345); /* only 16 bits of it */
    km_vcd_change(v, open, 1250, 1);
    km_vcd_change(v, open, 1250, 0); /* the last one at a moment counts */
    km_vcd_change(v, open, 2500, 1);
    km_vcd_change(v, owner, 6000, 3); /* no change */
    km_vcd_change(v, wide, 7000, UINT64_MAX);
    char *text = text_of(v);

    read_vcd(&w, text, 1249);
    assert_int_equal(w.nr, 4);
    assert_string_equal(value_of(&w, "/bus/owner"), "x");
    read_vcd(&w, text, 1250);
    assert_string_equal(value_of(&w, "/dram/channel0/row"), "10001101000101");
    assert_string_equal(value_of(&w, "/dram/channel0/rank_0/open"), "0");
    assert_string_equal(value_of(&w, "/bus/owner"), "x");
    read_vcd(&w, text, 2500);
    assert_string_equal(value_of(&w, "/dram/channel0/rank_0/open"), "1");
    read_vcd(&w, text, UINT64_MAX);
    assert_string_equal(value_of(&w, "/bus/owner"), "11");
    assert_int_equal(strlen(value_of(&w, "/dram/channel0/wide")), 64);
    assert_int_equal(w.moments, 5); /* 1250, 2500, 5000, 7000, the end */
    assert_null(strstr(text, "#6000"));
    free(text);
    km_vcd_free(v);
}

static void many_signals_and_a_limit(void **state)
{
    (void)state;
    static struct wave w;
    struct km_vcd *v = km_vcd_new(1000);
    struct km_prng r = {3};
    char name[32];

    for (unsigned i = 0; i < 250; i++) {
        snprintf(name, sizeof(name), "s%u", i);
        assert_int_equal(km_vcd_signal(v, i % 2 ? "a.b.c" : i % 3 ? "a.bb" : "z", name, i % 64 + 1),
                         i);
    }
    for (unsigned i = 0; i < 1500; i++)
        km_vcd_change(v, km_prng_below(&r, 250), km_prng_below(&r, 5000), km_prng_next(&r));
    assert_int_equal(km_vcd_dropped(v), 500);
    char *text = text_of(v);

    read_vcd(&w, text, UINT64_MAX);
    assert_int_equal(w.nr, 250);
    assert_true(w.incomplete);
    assert_true(w.moments > 500);
    free(text);
    km_vcd_free(v);
}

static void empty_waveform(void **state)
{
    (void)state;
    static struct wave w;
    struct km_vcd *v = km_vcd_new(10);
    char *text = text_of(v);

    read_vcd(&w, text, UINT64_MAX);
    assert_int_equal(w.nr, 0);
    free(text);
    km_vcd_free(v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(changes_in_any_order),
        cmocka_unit_test(many_signals_and_a_limit),
        cmocka_unit_test(empty_waveform),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
