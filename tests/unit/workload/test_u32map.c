/* SPDX-License-Identifier: MIT
 * test_u32map.c - the map against a plain array, with many collisions and deletions.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "models/base/prng.h"
#include "sim/workload/u32map.h"

enum { KEYS = 4000 };

static void against_array(void **state)
{
    static uint32_t want[KEYS + 1]; /* 0: absent, else value */
    struct km_u32map m = {0};
    struct km_prng r = {.state = 5};
    size_t nr = 0;

    (void)state;
    for (unsigned step = 0; step < 200000; step++) {
        uint32_t k = 1 + km_prng_below(&r, KEYS), key = k * 8 + 0xc0000000u, value = 0;

        if (km_prng_below(&r, 5) < 3) {
            assert_true(km_u32map_put(&m, key, step + 1));
            nr += want[k] == 0;
            want[k] = step + 1;
        } else {
            assert_int_equal(km_u32map_take(&m, key, &value), want[k] != 0);
            assert_int_equal(value, want[k]);
            nr -= want[k] != 0;
            want[k] = 0;
        }
        assert_int_equal(m.nr, nr);
        k = 1 + km_prng_below(&r, KEYS);
        uint32_t *found = km_u32map_get(&m, k * 8 + 0xc0000000u);

        assert_int_equal(found ? *found : 0, want[k]);
    }
    assert_false(km_u32map_put(&m, 0, 1));
    assert_false(km_u32map_take(&m, 0, NULL));
    km_u32map_release(&m);
    assert_null(km_u32map_get(&m, 8));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(against_array)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
