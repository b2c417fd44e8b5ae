/* SPDX-License-Identifier: MIT
 * test_owner.c - every byte of the kernel's structures is named, with its offset; neighbours are not.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "sim/workload/owner.h"

#define BASE 0xc0000000u
#define ZONE (BASE + 0x1000000u)
#define PCP (ZONE + KM_ZONE_BYTES)
#define MEM_MAP (BASE + 0x2000000u)

static const struct km_os os = {
    .p = {.cpus = 2, .page_offset = BASE, .max_pfn = 0x20000, .max_low_pfn = 0x10000, .struct_page_bytes = 40},
    .zone = {[1] = {.name = "Normal", .va = ZONE, .pcp_va = {PCP, PCP + KM_PCP_BYTES}}},
    .mem_map_va = MEM_MAP,
    .mem_map_end = 0x20000,
    .static_va = ZONE - 0x1000,
    .static_end_va = ZONE + 0x4000,
};

static void expect(km_vaddr va, const char *name, uint32_t offset)
{
    char got[64] = "";
    uint32_t at = 12345;

    assert_true(km_owner(&os, va - BASE, got, sizeof(got), &at));
    assert_string_equal(got, name);
    assert_int_equal(at, offset);
}

static void zones(void **state)
{
    (void)state;
    expect(ZONE, "zone Normal, watermarks", 0);
    expect(ZONE + KM_ZONE_FREE_AREA - 1, "zone Normal, watermarks", KM_ZONE_FREE_AREA - 1);
    expect(ZONE + KM_ZONE_FREE_AREA, "zone Normal, free lists of order 0", 0);
    expect(ZONE + KM_ZONE_FREE_AREA + 11 * KM_FREE_AREA_BYTES - 1, "zone Normal, free lists of order 10",
           KM_FREE_AREA_BYTES - 1);
    expect(ZONE + KM_ZONE_LOCK, "zone Normal, lock", 4);
    expect(ZONE + KM_ZONE_NR_FREE_PAGES, "zone Normal, counters", 0);
    expect(PCP, "zone Normal, lists of CPU 0", 0);
    expect(PCP + KM_PCP_BYTES, "zone Normal, lists of CPU 1", 0);
    expect(PCP + 2 * KM_PCP_BYTES, "kernel data", 0x1000 + KM_ZONE_BYTES + 2 * KM_PCP_BYTES);
    expect(ZONE - 1, "kernel data", 0xfff);
}

static void pages(void **state)
{
    (void)state;
    expect(MEM_MAP, "struct page of frame 0", 0);
    expect(MEM_MAP + 40 * 0x1234 + 39, "struct page of frame 0x1234", 39);
    expect(MEM_MAP + 40 * 0x20000 - 1, "struct page of frame 0x1ffff", 39);
    expect(MEM_MAP + 40 * 0x20000, "contents of frame 0x2500", 0);
    expect(BASE + 0x5678, "contents of frame 0x5", 0x678);
}

static void high_memory_is_unknown(void **state)
{
    char name[64];
    uint32_t offset;

    (void)state;
    assert_true(km_owner(&os, 0xffff000, name, sizeof(name), &offset));
    assert_false(km_owner(&os, 0x10000000, name, sizeof(name), &offset));
    assert_false(km_owner(&os, 0x20000000, name, sizeof(name), &offset));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(zones), cmocka_unit_test(pages),
                                       cmocka_unit_test(high_memory_is_unknown)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
