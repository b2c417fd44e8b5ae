/* SPDX-License-Identifier: MIT
 * test_user_malloc.c - the C library's heap against records of glibc 2.36 for i386 (tests/data/glibc:
 * every address, usable size and break), documented constants, misuse, arenas and random calls.
 */
#include "user_guest.h"

#include <stdio.h>

#define SLOTS 200

static struct user_guest guest;

static km_vaddr m(uint32_t bytes)
{
    return km_user_malloc(&guest.heap, &guest.cpu, 0, bytes);
}

static void f(km_vaddr mem)
{
    km_user_free(&guest.heap, &guest.cpu, 0, mem);
}

static uint32_t usable(km_vaddr mem)
{
    return km_user_usable_size(&guest.heap, guest.window.base, mem);
}

static int setup(void **state)
{
    (void)state;
    user_boot(&guest);
    user_start(&guest);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    user_end(&guest);
    return 0;
}

/* ---- the real library ------------------------------------------------------------------------- */

static km_vaddr slots[SLOTS];

static void compare_block(const char *line, unsigned slot, const char *where)
{
    unsigned long at, size;
    km_vaddr mem = slots[slot];

    if (sscanf(where, " M %lu %lu", &at, &size) == 2) {
        if (!km_user_is_mmapped(&guest.heap, guest.window.base, mem) || mem % 4096 != at || usable(mem) != size)
            fail_msg("%s: not in a mapping, or %u usable bytes", line, usable(mem));
        return;
    }
    assert_int_equal(sscanf(where, " %lu %lu", &at, &size), 2);
    if (mem - guest.mm.start_brk != at || usable(mem) != size)
        fail_msg("%s: got %u, %u usable", line, mem - guest.mm.start_brk, usable(mem));
}

static void replay_line(const char *line)
{
    unsigned slot = 0, a = 0, b = 0;
    int n = 0;

    if (sscanf(line, "b %u", &a) == 1) {
        if (km_user_brk_now(&guest.mm, guest.window.base) - guest.mm.start_brk != a)
            fail_msg("%s: the break is at %u", line,
                     km_user_brk_now(&guest.mm, guest.window.base) - guest.mm.start_brk);
        return;
    }
    if (sscanf(line, "f %u", &slot) == 1) {
        f(slots[slot]);
        return;
    }
    if (line[0] == 'a') {
        assert_int_equal(sscanf(line, "a %u %u %u%n", &slot, &a, &b, &n), 3);
        slots[slot] = km_user_memalign(&guest.heap, &guest.cpu, 0, a, b);
    } else {
        assert_int_equal(sscanf(line + 1, " %u %u%n", &slot, &a, &n), 2);
        n++;
        if (line[0] == 'm')
            slots[slot] = m(a);
        else if (line[0] == 'c')
            slots[slot] = km_user_calloc(&guest.heap, &guest.cpu, 0, 1, a);
        else
            slots[slot] = km_user_realloc(&guest.heap, &guest.cpu, 0, slots[slot], a);
    }
    compare_block(line, slot, line + n);
}

static void replay_record(const char *name)
{
    char path[512], line[128];
    unsigned n = 0;

    snprintf(path, sizeof(path), "%s/tests/data/glibc/i386-%s.txt", KM_SOURCE_DIR, name);
    FILE *file = fopen(path, "r");

    assert_non_null(file);
    while (fgets(line, sizeof(line), file)) {
        line[strcspn(line, "\n")] = 0;
        replay_line(line);
        if (++n % 64 == 0)
            user_check(&guest);
    }
    fclose(file);
    assert_true(n > 50);
    user_check(&guest);
    assert_int_equal(guest.misuse[0], 0);
}

static void real_small(void **state)
{
    (void)state;
    replay_record("small");
    assert_true(guest.heap.stats.from_tcache && guest.heap.stats.from_fast);
}

static void real_mixed(void **state)
{
    (void)state;
    replay_record("mixed");
    assert_true(guest.heap.stats.from_small && guest.heap.stats.from_bins);
}

static void real_large(void **state)
{
    (void)state;
    replay_record("large");
    assert_true(guest.heap.stats.mmapped && guest.heap.stats.realloc_mremap && guest.heap.stats.brk_trimmed);
}

static void real_align(void **state)
{
    (void)state;
    replay_record("align");
    assert_true(guest.heap.stats.aligned);
}

static void real_grow(void **state)
{
    (void)state;
    replay_record("grow");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(real_small, setup, teardown),
        cmocka_unit_test_setup_teardown(real_mixed, setup, teardown),
        cmocka_unit_test_setup_teardown(real_large, setup, teardown),
        cmocka_unit_test_setup_teardown(real_align, setup, teardown),
        cmocka_unit_test_setup_teardown(real_grow, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
