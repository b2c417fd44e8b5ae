/* SPDX-License-Identifier: MIT
 * test_user_mm.c - address spaces: layout, brk, mmap, faults, limits, overcommit, batched release.
 */
#include "user_guest.h"
#include "tests/unit/os/rounds.h"

static struct user_guest guest;
static bool pae = true;

enum { P = KM_PAGE_BYTES };

static int setup(void **state)
{
    (void)state;
    user_boot(&guest);
    const struct km_user_params p = user_params(&guest, pae);

    user_exec(&guest, &p);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    user_end(&guest);
    return 0;
}

static km_vaddr map(km_vaddr at, uint64_t bytes, unsigned prot, unsigned flags)
{
    return km_user_mmap(&guest.mm, &guest.cpu, at, bytes, prot, flags);
}

static km_vaddr map_rw(uint64_t bytes)
{
    km_vaddr at = map(0, bytes, KM_PROT_READ | KM_PROT_WRITE, 0);

    assert_false(km_user_failed(at));
    return at;
}

static void expect_error(km_vaddr result, unsigned errno_value)
{
    assert_int_equal(result, km_user_errno(errno_value));
}

static bool writes(km_vaddr va)
{
    return km_user_access(&guest.mm, &guest.cpu, va, 4, true);
}

static uint64_t rss(void)
{
    return km_user_rss_pages(&guest.mm, guest.window.base);
}

static void layout(void **state)
{
    struct km_user_area a;

    (void)state;
    assert_int_equal(guest.mm.start_brk, 0x0804d000);
    assert_int_equal(guest.mm.mmap_base, 0xB8000000); /* gap of 128 MiB at least */
    assert_true(km_user_area(&guest.mm, guest.window.base, 0, &a));
    assert_true(a.stack);
    assert_int_equal(a.end, 0xC0000000);
    assert_int_equal(a.end - a.start, 132 << 10);
    assert_int_equal(map_rw(P), 0xB8000000 - P);
    assert_int_equal(map_rw(3 * P), 0xB8000000 - 4 * P);
    assert_true(km_user_area(&guest.mm, guest.window.base, 0, &a)); /* one area: they merged */
    assert_int_equal(a.end - a.start, 4 * P);
}

/* Stack limits beyond 5/6 of the address space, unlimited ones, and randomisation. */
static void other_layouts(void **state)
{
    struct km_user_params p = user_params(&guest, true);

    (void)state;
    km_user_mm_exit(&guest.mm, &guest.cpu);
    p.rlimit_stack = 3000ull << 20;
    user_exec(&guest, &p);
    assert_int_equal(guest.mm.mmap_base, 0xC0000000 - 0xA0000000);
    km_user_mm_exit(&guest.mm, &guest.cpu);
    p.rlimit_stack = KM_RLIM_INFINITY;
    user_exec(&guest, &p);
    assert_int_equal(map_rw(P), 0x40000000);
    assert_int_equal(map_rw(P), 0x40000000 + P);
    km_user_mm_exit(&guest.mm, &guest.cpu);
    p.rlimit_stack = 8 << 20;
    p.randomize = true;
    for (p.seed = 1; p.seed < 30; p.seed++) {
        user_exec(&guest, &p);
        assert_in_range(guest.mm.start_brk, 0x0804d000, 0x0804d000 + 0x02000000);
        assert_in_range(guest.mm.mmap_base, 0xB8000000 - (1 << 20), 0xB8000000);
        assert_in_range(guest.mm.stack_top, 0xC0000000 - (8 << 20), 0xC0000000);
        km_user_mm_exit(&guest.mm, &guest.cpu);
    }
}

static void brk_moves(void **state)
{
    km_vaddr start = guest.mm.start_brk;

    (void)state;
    assert_int_equal(km_user_brk(&guest.mm, &guest.cpu, 0), start);
    assert_int_equal(km_user_brk(&guest.mm, &guest.cpu, start + 100), start + 100);
    assert_int_equal(km_user_vm_pages(&guest.mm, guest.window.base), 33 + 1);
    assert_int_equal(km_user_sbrk(&guest.mm, &guest.cpu, 200), start + 100);
    assert_int_equal(km_user_vm_pages(&guest.mm, guest.window.base), 33 + 1); /* same page */
    assert_int_equal(rss(), 0);
    assert_true(writes(start + 50));
    assert_int_equal(rss(), 1);
    assert_int_equal(km_user_brk(&guest.mm, &guest.cpu, start + 5 * P), start + 5 * P);
    assert_true(writes(start + 4 * P));
    assert_int_equal(km_user_sbrk(&guest.mm, &guest.cpu, -2 * P), start + 5 * P);
    assert_int_equal(rss(), 1); /* given back at once */
    assert_int_equal(km_user_brk(&guest.mm, &guest.cpu, start - P), start + 3 * P);
    user_check(&guest);
    map(start + 6 * P, P, KM_PROT_READ, KM_MAP_FIXED);
    assert_int_equal(km_user_brk(&guest.mm, &guest.cpu, start + 5 * P), start + 5 * P);
    assert_int_equal(km_user_brk(&guest.mm, &guest.cpu, start + 6 * P), start + 5 * P); /* a page stays free */
    assert_int_equal(guest.mm.stats.refused_room, 1);
    assert_false(writes(start + 5 * P));
    assert_int_equal(guest.mm.stats.segv, 1);
}

static void limits(void **state)
{
    struct km_user_params p = user_params(&guest, true);

    (void)state;
    km_user_mm_exit(&guest.mm, &guest.cpu);
    p.rlimit_data = 10 * P;
    p.rlimit_as = 60 * P;
    user_exec(&guest, &p);
    assert_int_equal(km_user_brk(&guest.mm, &guest.cpu, guest.mm.start_brk + 10 * P), guest.mm.start_brk + 10 * P);
    assert_int_equal(km_user_brk(&guest.mm, &guest.cpu, guest.mm.start_brk + 11 * P), guest.mm.start_brk + 10 * P);
    expect_error(map(0, P, KM_PROT_READ | KM_PROT_WRITE, 0), KM_ENOMEM); /* data too */
    assert_false(km_user_failed(map(0, 17 * P, KM_PROT_READ, 0)));
    expect_error(map(0, P, KM_PROT_READ, 0), KM_ENOMEM);
    assert_int_equal(guest.mm.stats.refused_limit, 3);
    user_check(&guest);
}

static void faults(void **state)
{
    km_vaddr at = map_rw(8 * P);
    bool writable;

    (void)state;
    assert_int_equal(km_user_ld32(&guest.mm, &guest.cpu, at), 0);
    assert_int_equal(km_user_frame(&guest.mm, guest.window.base, at, &writable), guest.sys.zero_pfn);
    assert_false(writable);
    assert_int_equal(rss(), 0);
    km_user_st32(&guest.mm, &guest.cpu, at, 7);
    assert_int_equal(guest.last_alloc_gfp, KM_GFP_HIGHUSER_MOVABLE | KM_GFP_ZERO);
    assert_int_equal(km_user_ld32(&guest.mm, &guest.cpu, at), 7);
    assert_int_equal(*(uint32_t *)(guest.window.base + 0xc0000000u + (guest.sys.zero_pfn << 12)), 0);
    assert_int_equal(guest.mm.stats.faults_zero_page, 1);
    assert_int_equal(guest.mm.stats.faults_cow, 1);
    km_user_st32(&guest.mm, &guest.cpu, at + P - 2, 0x01020304); /* across a page border */
    assert_int_equal(guest.mm.stats.faults_alloc, 1);
    km_pfn pfn = km_user_frame(&guest.mm, guest.window.base, at + P, &writable);

    assert_true(writable && pfn >= USER_LOW_PFN); /* high memory first */
    assert_int_equal(rss(), 2);
    assert_false(km_user_access(&guest.mm, &guest.cpu, 0x1000, 4, false));
    assert_true(guest.mm.killed);
}

static void reused_pages_are_zero(void **state)
{
    (void)state;
    for (unsigned round = 0; round < 3; round++) {
        km_vaddr at = map_rw(64 * P);

        for (unsigned i = 0; i < 64 * P; i += 512)
            assert_int_equal(km_user_ld32(&guest.mm, &guest.cpu, at + i), 0);
        km_user_memset(&guest.mm, &guest.cpu, at, 0xee, 64 * P);
        assert_int_equal(km_user_madvise_dontneed(&guest.mm, &guest.cpu, at, 32 * P), 0);
        assert_int_equal(rss(), 32);
        assert_int_equal(km_user_ld32(&guest.mm, &guest.cpu, at + P), 0);
        assert_int_equal(km_user_ld32(&guest.mm, &guest.cpu, at + 40 * P), 0xeeeeeeee);
        assert_int_equal(km_user_munmap(&guest.mm, &guest.cpu, at, 64 * P), 0);
        user_check(&guest);
    }
}

static void holes_and_splits(void **state)
{
    km_vaddr at = map_rw(10 * P);
    struct km_user_area a;

    (void)state;
    for (unsigned i = 0; i < 10; i++)
        assert_true(writes(at + i * P));
    assert_int_equal(km_user_munmap(&guest.mm, &guest.cpu, at + 3 * P, 2 * P), 0);
    assert_int_equal(rss(), 8);
    assert_true(km_user_area(&guest.mm, guest.window.base, 0, &a));
    assert_int_equal(a.end, at + 3 * P);
    assert_int_equal(map_rw(2 * P), at + 3 * P); /* highest hole that fits */
    assert_true(km_user_area(&guest.mm, guest.window.base, 0, &a));
    assert_int_equal(a.end, at + 10 * P);
    assert_int_equal(km_user_munmap(&guest.mm, &guest.cpu, at + 5 * P, P), 0);
    assert_int_equal(map_rw(2 * P), at - 2 * P); /* too small a hole */
    assert_int_equal(map(at, 2 * P, KM_PROT_READ, KM_MAP_FIXED), at); /* replaces */
    assert_false(writes(at));
    expect_error(map(at, P, KM_PROT_READ, KM_MAP_FIXED_NOREPLACE), KM_EEXIST);
    expect_error(map(0, 0, KM_PROT_READ, 0), KM_EINVAL);
    expect_error(map(0, 0xffffffff, KM_PROT_READ, 0), KM_ENOMEM);
    expect_error(map(at + 5, P, KM_PROT_READ, KM_MAP_FIXED), KM_EINVAL);
    expect_error(km_user_munmap(&guest.mm, &guest.cpu, at + 1, P), KM_EINVAL);
    assert_int_equal(km_user_munmap(&guest.mm, &guest.cpu, 0x20000000, P), 0); /* nothing there */
    user_check(&guest);
}

static void protection(void **state)
{
    km_vaddr at = map_rw(6 * P);

    (void)state;
    for (unsigned i = 0; i < 6; i++)
        km_user_st32(&guest.mm, &guest.cpu, at + i * P, i);
    uint64_t committed = guest.sys.committed_pages;

    assert_int_equal(km_user_mprotect(&guest.mm, &guest.cpu, at + P, 2 * P, KM_PROT_READ), 0);
    user_check(&guest);
    assert_int_equal(km_user_ld32(&guest.mm, &guest.cpu, at + P), 1);
    assert_int_equal(km_user_mprotect(&guest.mm, &guest.cpu, at + P, 2 * P, KM_PROT_READ | KM_PROT_WRITE), 0);
    assert_true(writes(at + P));
    assert_int_equal(guest.sys.committed_pages, committed);
    expect_error(km_user_mprotect(&guest.mm, &guest.cpu, at + 4 * P, 3 * P, KM_PROT_READ), KM_ENOMEM); /* a hole */
    struct km_user_area a;

    assert_true(km_user_area(&guest.mm, guest.window.base, 0, &a)); /* joined again */
    assert_int_equal(a.end - a.start, 6 * P);
    assert_int_equal(km_user_mprotect(&guest.mm, &guest.cpu, at, P, KM_PROT_NONE), 0);
    user_check(&guest);
    assert_false(km_user_access(&guest.mm, &guest.cpu, at, 4, false));
}

static void moved_mappings(void **state)
{
    km_vaddr wall = map(0, P, KM_PROT_READ, 0), a = map_rw(4 * P), b;

    (void)state;
    assert_int_equal(wall, a + 4 * P);
    for (unsigned i = 0; i < 4; i++)
        km_user_st32(&guest.mm, &guest.cpu, a + i * P, 100 + i);
    map(a - P, P, KM_PROT_READ, KM_MAP_FIXED);
    expect_error(km_user_mremap(&guest.mm, &guest.cpu, a, 4 * P, 9000 * P, false), KM_ENOMEM);
    b = km_user_mremap(&guest.mm, &guest.cpu, a, 4 * P, 3000 * P, true);
    assert_false(km_user_failed(b));
    assert_int_not_equal(a, b);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(km_user_ld32(&guest.mm, &guest.cpu, b + i * P), 100 + i);
    assert_int_equal(rss(), 4);
    assert_int_equal(guest.mm.stats.pages_allocated, 4);
    user_check(&guest);
    assert_int_equal(km_user_mremap(&guest.mm, &guest.cpu, b, 3000 * P, 2 * P, true), b);
    assert_int_equal(rss(), 2);
    assert_int_equal(km_user_mremap(&guest.mm, &guest.cpu, b, 2 * P, 5 * P, false), b);
    user_check(&guest);
    expect_error(km_user_mremap(&guest.mm, &guest.cpu, 0x20000000, P, 2 * P, true), KM_EFAULT);
}

static void stack_grows(void **state)
{
    km_vaddr low = 0xC0000000 - (132 << 10);

    (void)state;
    assert_true(writes(low - 3 * P));
    assert_int_equal(guest.mm.stats.faults_stack, 1);
    user_check(&guest);
    assert_true(writes(0xC0000000 - (8 << 20) + 16));
    assert_false(writes(0xC0000000 - (8 << 20) - 16)); /* RLIMIT_STACK */
    guest.mm.killed = false;
    user_check(&guest);
}

static void stack_keeps_its_gap(void **state)
{
    km_vaddr low = 0xC0000000 - (132 << 10), wall = low - 300 * P;

    (void)state;
    map(wall, P, KM_PROT_READ, KM_MAP_FIXED);
    assert_true(writes(low - 43 * P));
    assert_false(writes(low - 44 * P)); /* 256 pages to the next area */
    /* And mmap does not go there either: the highest hole ends below the gap. */
    guest.mm.killed = false;
    assert_true(map(low - 10 * P, P, KM_PROT_READ, 0) < wall);
}

static void overcommit(void **state)
{
    uint64_t ram = guest.sys.ram_pages;

    (void)state;
    /* 0: only a single request beyond all memory is refused. */
    expect_error(map(0, (ram + 1) * P, KM_PROT_READ | KM_PROT_WRITE, 0), KM_ENOMEM);
    for (unsigned i = 0; i < 3; i++)
        map_rw(ram * P);
    assert_int_equal(guest.mm.stats.refused_overcommit, 1);
    assert_false(km_user_failed(map(0, 2 * ram * P, KM_PROT_READ, 0)));
    assert_false(km_user_failed(map(0, 2 * ram * P, KM_PROT_READ | KM_PROT_WRITE, KM_MAP_NORESERVE)));
    km_user_munmap(&guest.mm, &guest.cpu, 0x10000, 0xB8000000 - 0x10000);
    assert_int_equal(guest.sys.committed_pages, 33);
    guest.sys.overcommit = 1;
    map_rw(4 * ram * P);
    km_user_munmap(&guest.mm, &guest.cpu, 0x10000, 0xB8000000 - 0x10000);
    /* 2: strict. */
    guest.sys.overcommit = 2;
    assert_int_equal(km_user_commit_limit(&guest.sys), ram / 2);
    uint64_t reserve = guest.sys.admin_reserve_kbytes / 4 + 33 / 32;
    uint64_t fits = ram / 2 - reserve - 33 - 1;

    expect_error(map(0, (fits + 1) * P, KM_PROT_READ | KM_PROT_WRITE, KM_MAP_NORESERVE), KM_ENOMEM);
    map_rw(fits * P);
    expect_error(km_user_mprotect(&guest.mm, &guest.cpu, map(0, 40000 * P, KM_PROT_READ, 0), 40000 * P,
                                  KM_PROT_READ | KM_PROT_WRITE), KM_ENOMEM);
    guest.mm.p.root = true; /* may use the admin reserve, not the user's own */
    guest.sys.overcommit_kbytes = 1 << 20;
    assert_int_equal(km_user_commit_limit(&guest.sys), 1 << 18);
    guest.sys.swap_pages = 5;
    assert_int_equal(km_user_commit_limit(&guest.sys), (1 << 18) + 5);
    map_rw(1000 * P);
    user_check(&guest);
}

/* 3 % of free memory, at most 8 MiB. */
static void reserves(void **state)
{
    (void)state;
    assert_in_range(guest.sys.admin_reserve_kbytes, 60000 / 32, 98304 / 32);
    assert_int_equal(guest.sys.admin_reserve_kbytes, guest.sys.user_reserve_kbytes);
}

static void batched_release(void **state)
{
    km_vaddr at = map_rw(3000 * P);

    (void)state;
    for (unsigned i = 0; i < 3000; i++)
        assert_true(writes(at + i * P));
    uint64_t tables = guest.mm.stats.table_pages_allocated;

    assert_in_range(tables, pae ? 4 + 6 : 1 + 3, pae ? 4 + 8 : 1 + 5);
    guest.batched = guest.gather_allocs = 0;
    km_user_munmap(&guest.mm, &guest.cpu, at, 3000 * P);
    assert_int_equal(guest.gather_allocs, 3); /* 8 on the stack, 1021 in each page */
    assert_int_equal(guest.mm.stats.gather_pages, 3);
    assert_true(guest.batched >= 3000 + (pae ? 5 : 2));
    assert_int_equal(rss(), 0);
    user_check(&guest);
}

/* A batch is collected by ascending address, then the tables that became empty, and released from its end.
 *
 *   address  0 1 2 3 4 table        freed  table 4 3 2 1 0
 */
static void batches_are_released_backwards(void **state)
{
    km_vaddr at = map_rw(5 * P);
    km_pfn frame[5];

    (void)state;
    for (unsigned i = 0; i < 5; i++) {
        assert_true(writes(at + i * P));
        frame[i] = km_user_frame(&guest.mm, guest.window.base, at + i * P, NULL);
    }
    guest.batched = 0;
    km_user_munmap(&guest.mm, &guest.cpu, at, 5 * P);
    assert_int_equal(guest.batched, 6);
    for (unsigned i = 0; i < 5; i++)
        assert_int_equal(guest.batch[1 + i], frame[4 - i]);
}

static void two_level(void **state)
{
    (void)state;
    pae = false;
    setup(state);
    batched_release(state);
    teardown(state);
    setup(state);
    faults(state);
    guest.mm.killed = false;
    teardown(state);
    setup(state);
    moved_mappings(state);
    teardown(state);
    pae = true;
}

static void random_calls(void **state)
{
    struct km_prng prng = {7};

    (void)state;
    for (unsigned n = 0; n < test_rounds(6000) && !guest.mm.killed; n++) {
        km_vaddr at = 0x50000000 + km_prng_below(&prng, 64) * P;
        uint64_t len = (1 + km_prng_below(&prng, 12)) * P;
        struct km_user_area a;

        switch (km_prng_below(&prng, 8)) {
        case 0:
        case 1:
            map(at, len, KM_PROT_READ | KM_PROT_WRITE, KM_MAP_FIXED);
            break;
        case 2:
            map(at, len, KM_PROT_READ, KM_MAP_FIXED);
            break;
        case 3:
            assert_int_equal(km_user_munmap(&guest.mm, &guest.cpu, at, len), 0);
            break;
        case 4:
            km_user_mprotect(&guest.mm, &guest.cpu, at, len, km_prng_below(&prng, 4));
            break;
        case 5:
            km_user_mremap(&guest.mm, &guest.cpu, at, len, (1 + km_prng_below(&prng, 12)) * P, true);
            break;
        case 6:
            km_user_sbrk(&guest.mm, &guest.cpu, (int32_t)km_prng_below(&prng, 9 * P) - 4 * P);
            break;
        default:
            for (unsigned i = km_prng_below(&prng, 8); km_user_area(&guest.mm, guest.window.base, i, &a); i += 3)
                if (a.prot & KM_PROT_READ)
                    km_user_access(&guest.mm, &guest.cpu, a.start, P, a.prot & KM_PROT_WRITE);
        }
        user_check(&guest);
    }
    assert_false(guest.mm.killed);
    assert_true(guest.mm.stats.faults_alloc > 100 && guest.mm.stats.faults_cow > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(layout, setup, teardown),
        cmocka_unit_test_setup_teardown(brk_moves, setup, teardown),
        cmocka_unit_test_setup_teardown(limits, setup, teardown),
        cmocka_unit_test_setup_teardown(faults, setup, teardown),
        cmocka_unit_test_setup_teardown(reused_pages_are_zero, setup, teardown),
        cmocka_unit_test_setup_teardown(holes_and_splits, setup, teardown),
        cmocka_unit_test_setup_teardown(protection, setup, teardown),
        cmocka_unit_test_setup_teardown(moved_mappings, setup, teardown),
        cmocka_unit_test_setup_teardown(stack_grows, setup, teardown),
        cmocka_unit_test_setup_teardown(stack_keeps_its_gap, setup, teardown),
        cmocka_unit_test_setup_teardown(overcommit, setup, teardown),
        cmocka_unit_test_setup_teardown(reserves, setup, teardown),
        cmocka_unit_test_setup_teardown(batched_release, setup, teardown),
        cmocka_unit_test_setup_teardown(batches_are_released_backwards, setup, teardown),
        cmocka_unit_test_setup_teardown(random_calls, setup, teardown),
        cmocka_unit_test_setup_teardown(other_layouts, setup, teardown),
        cmocka_unit_test(two_level),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
