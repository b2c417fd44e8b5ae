/* SPDX-License-Identifier: MIT
 * test_user_malloc.c - the C library's heap against records of glibc 2.36 for i386 (tests/data/glibc:
 * every address, usable size and break), documented constants, misuse, arenas and random calls.
 */
#include "user_guest.h"
#include "tests/unit/os/rounds.h"

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

/* ---- documented constants --------------------------------------------------------------------- */

static void sizes(void **state)
{
    (void)state;
    /* 16-byte chunks hold 12 bytes; then one more chunk unit every 16. */
    assert_int_equal(usable(m(0)), 12);
    assert_int_equal(usable(m(12)), 12);
    assert_int_equal(usable(m(13)), 28);
    assert_int_equal(usable(m(28)), 28);
    assert_int_equal(m(40) % 16, 0);
    assert_int_equal(km_user_brk_now(&guest.mm, guest.window.base) - guest.mm.start_brk, 0x22000);
    assert_int_equal(m(0x80000000u), 0);
    assert_int_equal(km_user_calloc(&guest.heap, &guest.cpu, 0, 0x10000, 0x10000), 0);
    assert_int_equal(guest.heap.stats.failed, 2);
}

static void tcache_is_lifo(void **state)
{
    km_vaddr p[9];

    (void)state;
    for (unsigned i = 0; i < 9; i++)
        p[i] = m(24);
    for (unsigned i = 0; i < 9; i++)
        f(p[i]);
    assert_int_equal(guest.heap.stats.to_tcache, 7);
    assert_int_equal(guest.heap.stats.to_fast, 2);
    for (int i = 6; i >= 0; i--)
        assert_int_equal(m(24), p[i]);
    assert_int_equal(m(24), p[8]); /* fast bin: last in, first out; the other one refills the cache */
    assert_int_equal(m(24), p[7]);
    assert_int_equal(guest.heap.stats.from_tcache, 8);
    assert_int_equal(m(24) > p[8], 1);
}

static void threshold_slides(void **state)
{
    km_vaddr p;

    (void)state;
    p = m((128 << 10) - 20); /* chunk of 128 KiB - 16: still from the heap */
    assert_false(km_user_is_mmapped(&guest.heap, guest.window.base, p));
    p = m(200000);
    assert_true(km_user_is_mmapped(&guest.heap, guest.window.base, p));
    assert_int_equal(p % 4096, 16);
    f(p);
    assert_int_equal(guest.heap.mmap_threshold, ((200000 + 4 + 15) / 16 * 16 + 4 + 15 + 4095) / 4096 * 4096 - 8);
    assert_int_equal(guest.heap.trim_threshold, 2 * guest.heap.mmap_threshold);
    p = m(200000);
    assert_false(km_user_is_mmapped(&guest.heap, guest.window.base, p));
    f(m(600000)); /* beyond 512 KiB the threshold stays */
    assert_true(guest.heap.mmap_threshold < 300000);
    assert_true(km_user_mallopt(&guest.heap, &guest.cpu, KM_M_MMAP_THRESHOLD, 64 << 10));
    assert_false(km_user_mallopt(&guest.heap, &guest.cpu, KM_M_MMAP_THRESHOLD, 1 << 20));
    f(p);
    p = m(70000);
    f(p);
    p = m(400000);
    assert_true(km_user_is_mmapped(&guest.heap, guest.window.base, p));
    f(p);
    assert_int_equal(guest.heap.mmap_threshold, 64 << 10); /* set by hand: no longer slides */
}

static void trims_the_top(void **state)
{
    km_vaddr p[16], before = km_user_brk_now(&guest.mm, guest.window.base);

    (void)state;
    for (unsigned i = 0; i < 16; i++)
        p[i] = m(100000);
    km_vaddr high = km_user_brk_now(&guest.mm, guest.window.base);

    assert_true(high - before > 1600000);
    for (int i = 15; i >= 0; i--)
        f(p[i]);
    assert_true(high - km_user_brk_now(&guest.mm, guest.window.base) > 1400000);
    assert_true(guest.heap.stats.brk_trimmed > 0);
    assert_true(km_user_malloc_trim(&guest.heap, &guest.cpu, 0));
    user_check(&guest);
}

static void aligned_blocks(void **state)
{
    km_vaddr p = 0;

    (void)state;
    assert_int_equal(km_user_posix_memalign(&guest.heap, &guest.cpu, 0, &p, 0, 10), KM_EINVAL);
    assert_int_equal(km_user_posix_memalign(&guest.heap, &guest.cpu, 0, &p, 24, 10), KM_EINVAL);
    assert_int_equal(km_user_posix_memalign(&guest.heap, &guest.cpu, 0, &p, 2, 10), KM_EINVAL);
    assert_int_equal(km_user_posix_memalign(&guest.heap, &guest.cpu, 0, &p, 64, 0x7ffffff0), KM_ENOMEM);
    for (unsigned a = 4; a <= 65536; a *= 2) {
        assert_int_equal(km_user_posix_memalign(&guest.heap, &guest.cpu, 0, &p, a, 1000), 0);
        assert_int_equal(p % a, 0);
        user_check(&guest);
    }
    assert_int_equal(km_user_memalign(&guest.heap, &guest.cpu, 0, 100, 40) % 128, 0);
}

static void calloc_clears(void **state)
{
    (void)state;
    for (unsigned round = 0; round < 2; round++) {
        km_vaddr p = m(3000);

        km_user_memset(&guest.mm, &guest.cpu, p, 0xff, 3000);
        f(p);
        km_vaddr q = km_user_calloc(&guest.heap, &guest.cpu, 0, 30, 100);

        for (unsigned i = 0; i < 3000; i += 4)
            assert_int_equal(km_user_ld32(&guest.mm, &guest.cpu, q + i), 0);
    }
}

static void realloc_keeps_contents(void **state)
{
    static const uint32_t steps[] = {20, 100, 5000, 200000, 900000, 150000, 30, 60000, 1};
    km_vaddr p = m(8);

    (void)state;
    km_user_st32(&guest.mm, &guest.cpu, p, 0x11223344);
    for (unsigned i = 0; i < KM_ARRAY_LEN(steps); i++) {
        m(8); /* something in the way */
        p = km_user_realloc(&guest.heap, &guest.cpu, 0, p, steps[i]);
        assert_int_not_equal(p, 0);
        assert_int_equal(km_user_ld32(&guest.mm, &guest.cpu, p), 0x11223344);
        user_check(&guest);
    }
    assert_int_equal(km_user_realloc(&guest.heap, &guest.cpu, 0, p, 0), 0);
    assert_int_not_equal(km_user_realloc(&guest.heap, &guest.cpu, 0, 0, 10), 0);
}

/* ---- misuse ----------------------------------------------------------------------------------- */

static void expect_misuse(const char *message, enum km_misuse_kind kind, uint64_t nr)
{
    assert_string_equal(guest.misuse, message);
    assert_int_equal(guest.heap.stats.misuse[kind], nr);
    guest.misuse[0] = 0;
}

static void double_frees(void **state)
{
    km_vaddr p[8], q, guard;

    (void)state;
    for (unsigned i = 0; i < 8; i++)
        p[i] = m(40);
    f(p[0]);
    f(p[0]);
    expect_misuse("free(): double free detected in tcache 2", KM_MISUSE_DOUBLE_FREE, 1);
    for (unsigned i = 1; i < 8; i++)
        f(p[i]); /* the last one lands in the fast bin */
    f(p[7]);
    expect_misuse("double free or corruption (fasttop)", KM_MISUSE_DOUBLE_FREE, 2);
    q = m(5000);
    guard = m(5000);
    f(q);
    f(q);
    expect_misuse("double free or corruption (!prev)", KM_MISUSE_DOUBLE_FREE, 3);
    f(guard);
    f(guard); /* it is part of the top now */
    expect_misuse("corrupted size vs. prev_size while consolidating", KM_MISUSE_CORRUPTION, 1);
    user_check(&guest);
    assert_int_not_equal(m(40), 0);
}

static void wild_pointers(void **state)
{
    km_vaddr p = m(4000), q;

    (void)state;
    km_user_memset(&guest.mm, &guest.cpu, p, 8, 4000);
    f(0x1234);
    expect_misuse("free(): invalid pointer", KM_MISUSE_INVALID_POINTER, 1);
    f(p + 4);
    expect_misuse("free(): invalid pointer", KM_MISUSE_INVALID_POINTER, 2);
    f(p + 16);
    expect_misuse("free(): invalid size", KM_MISUSE_INVALID_SIZE, 1);
    assert_int_equal(km_user_realloc(&guest.heap, &guest.cpu, 0, 0x50000000, 10), 0);
    expect_misuse("realloc(): invalid pointer", KM_MISUSE_INVALID_POINTER, 3);
    q = m(500000);
    km_user_st32(&guest.mm, &guest.cpu, q + 0x1000 - 4, 0x2002); /* looks like a mapped chunk of its own */
    f(q + 0x1000);
    expect_misuse("munmap_chunk(): invalid pointer", KM_MISUSE_INVALID_POINTER, 4);
    f(q);
    f(p);
    f(0);
    assert_false(guest.mm.killed);
    user_check(&guest);
}

static void overrun(void **state)
{
    km_vaddr p = m(2000), q = m(2000), r = m(2000);
    uint32_t head = km_user_ld32(&guest.mm, &guest.cpu, q - 4);

    (void)state;
    m(16);
    km_user_st32(&guest.mm, &guest.cpu, q - 4, 0xfff1); /* p ran over q's size */
    f(p);
    expect_misuse("corrupted size vs. prev_size", KM_MISUSE_CORRUPTION, 1);
    assert_int_equal(guest.misuse_ptr, p);
    km_user_st32(&guest.mm, &guest.cpu, q - 4, 0x7fffff1);
    f(q);
    expect_misuse("double free or corruption (out)", KM_MISUSE_DOUBLE_FREE, 1);
    km_user_st32(&guest.mm, &guest.cpu, q - 4, head); /* mended: nothing was lost */
    f(p);
    f(q);
    f(r);
    user_check(&guest);
    assert_int_equal(guest.misuse[0], 0);
    assert_int_equal(m(100), p);
}

/* ---- arenas ----------------------------------------------------------------------------------- */

static void threads_have_arenas(void **state)
{
    struct km_user_heap *h = &guest.heap;
    km_vaddr p[6], big;

    (void)state;
    for (unsigned t = 0; t < 6; t++)
        p[t] = km_user_malloc(h, &guest.cpu, t, 100);
    assert_int_equal(h->nr_arenas, 4); /* 2 cores: at most 4 */
    assert_int_equal(h->stats.arenas, 3);
    assert_true(p[1] >> 20 != p[2] >> 20);
    assert_int_equal(p[1] & 0xfffff & ~0xffffu, 0); /* heaps are 1 MiB, aligned */
    user_check(&guest);
    for (unsigned i = 0; i < 40; i++) /* more than one heap */
        assert_int_not_equal(km_user_malloc(h, &guest.cpu, 1, 60000), 0);
    user_check(&guest);
    big = km_user_malloc(h, &guest.cpu, 2, 100000);
    for (unsigned t = 0; t < 6; t++)
        km_user_free(h, &guest.cpu, 0, p[t]); /* freed by another thread: back to its own arena */
    km_user_free(h, &guest.cpu, 1, big);
    for (unsigned t = 1; t < 6; t++)
        km_user_thread_exit(h, &guest.cpu, t);
    user_check(&guest);
    km_vaddr again = h->thread[1].arena;

    assert_int_equal(again, 0);
    assert_int_not_equal(km_user_malloc(h, &guest.cpu, 7, 10), 0);
    assert_int_equal(h->nr_arenas, 4); /* one of the abandoned ones */
    assert_int_equal(guest.misuse[0], 0);
}

static void no_more_break(void **state)
{
    km_vaddr wall = km_user_brk_now(&guest.mm, guest.window.base) + 0x100000;

    (void)state;
    assert_false(km_user_failed(km_user_mmap(&guest.mm, &guest.cpu, wall, 4096, KM_PROT_READ, KM_MAP_FIXED)));
    for (unsigned i = 0; i < 60; i++)
        assert_int_not_equal(m(60000), 0);
    assert_true(guest.heap.stats.brk_grown > 0);
    assert_int_equal(guest.misuse[0], 0);
    user_check(&guest);
}

/* ---- random calls ----------------------------------------------------------------------------- */

enum { LIVE = 256, ROUNDS = 2500 };

struct live {
    km_vaddr at;
    uint32_t bytes, tag;
};

static void expect_tag(const struct live *b, uint32_t bytes)
{
    if (bytes >= 4)
        assert_int_equal(km_user_ld32(&guest.mm, &guest.cpu, b->at), b->tag);
    if (bytes >= 8)
        assert_int_equal(km_user_ld32(&guest.mm, &guest.cpu, b->at + (bytes - 4) / 4 * 4), b->tag);
}

static void put_tag(struct live *b, uint32_t tag)
{
    b->tag = tag;
    if (b->bytes >= 4)
        km_user_st32(&guest.mm, &guest.cpu, b->at, tag);
    if (b->bytes >= 8)
        km_user_st32(&guest.mm, &guest.cpu, b->at + (b->bytes - 4) / 4 * 4, tag);
}

static void expect_apart(const struct live *live, unsigned i)
{
    for (unsigned k = 0; k < LIVE; k++)
        if (k != i && live[k].at && live[k].at < live[i].at + live[i].bytes &&
            live[i].at < live[k].at + live[k].bytes)
            fail_msg("blocks overlap");
}

static void random_calls(void **state)
{
    static struct live live[LIVE];
    struct km_prng prng = {42};

    (void)state;
    for (unsigned n = 0; n < test_rounds(ROUNDS); n++) {
        unsigned i = km_prng_below(&prng, LIVE), thread = km_prng_below(&prng, 3), what = km_prng_below(&prng, 8);
        uint32_t bytes = km_prng_below(&prng, 1u << km_prng_below(&prng, n % 50 ? 14 : 19));
        struct live *b = &live[i];

        if (b->at && what < 5) {
            expect_tag(b, b->bytes);
            km_user_free(&guest.heap, &guest.cpu, thread, b->at);
            b->at = 0;
        } else if (b->at) {
            uint32_t keep = bytes < b->bytes ? bytes : b->bytes;

            bytes += !bytes;
            expect_tag(b, b->bytes);
            b->at = km_user_realloc(&guest.heap, &guest.cpu, thread, b->at, bytes);
            assert_int_not_equal(b->at, 0);
            expect_tag(b, keep >= 4 ? 4 : 0);
        } else {
            b->at = what == 0   ? km_user_calloc(&guest.heap, &guest.cpu, thread, 1, bytes)
                    : what == 1 ? km_user_memalign(&guest.heap, &guest.cpu, thread, 16u << bytes % 9, bytes)
                                : km_user_malloc(&guest.heap, &guest.cpu, thread, bytes);
            assert_int_not_equal(b->at, 0);
        }
        b->bytes = b->at ? bytes : b->bytes;
        if (b->at) {
            put_tag(b, n + 1);
            expect_apart(live, i);
        }
        const char *why = km_user_heap_check(&guest.heap, guest.window.base);

        if (why)
            fail_msg("call %u: %s", n, why);
        if (n % 24 == 0) /* the address space below it, too */
            user_check(&guest);
    }
    for (unsigned i = 0; i < LIVE; i++)
        if (live[i].at)
            f(live[i].at);
    user_check(&guest);
    assert_int_equal(guest.misuse[0], 0);
    assert_int_equal(guest.heap.nr_mmaps, 0);
}

static void no_memory(void **state)
{
    unsigned n = 0;

    (void)state;
    while (!guest.mm.killed && n < 20000) { /* 96 MiB of RAM, no swap: the process is killed at last */
        km_vaddr p = m(100000);

        if (p)
            km_user_memset(&guest.mm, &guest.cpu, p, 1, 100000);
        n++;
    }
    assert_true(guest.mm.killed);
    assert_int_equal(guest.mm.stats.oom, 1);
    assert_int_equal(m(10), 0);
    f(0x8050000);
    assert_int_equal(guest.misuse[0], 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(real_small, setup, teardown),
        cmocka_unit_test_setup_teardown(real_mixed, setup, teardown),
        cmocka_unit_test_setup_teardown(real_large, setup, teardown),
        cmocka_unit_test_setup_teardown(real_align, setup, teardown),
        cmocka_unit_test_setup_teardown(real_grow, setup, teardown),
        cmocka_unit_test_setup_teardown(sizes, setup, teardown),
        cmocka_unit_test_setup_teardown(tcache_is_lifo, setup, teardown),
        cmocka_unit_test_setup_teardown(threshold_slides, setup, teardown),
        cmocka_unit_test_setup_teardown(trims_the_top, setup, teardown),
        cmocka_unit_test_setup_teardown(aligned_blocks, setup, teardown),
        cmocka_unit_test_setup_teardown(calloc_clears, setup, teardown),
        cmocka_unit_test_setup_teardown(realloc_keeps_contents, setup, teardown),
        cmocka_unit_test_setup_teardown(double_frees, setup, teardown),
        cmocka_unit_test_setup_teardown(wild_pointers, setup, teardown),
        cmocka_unit_test_setup_teardown(overrun, setup, teardown),
        cmocka_unit_test_setup_teardown(threads_have_arenas, setup, teardown),
        cmocka_unit_test_setup_teardown(no_more_break, setup, teardown),
        cmocka_unit_test_setup_teardown(random_calls, setup, teardown),
        cmocka_unit_test_setup_teardown(no_memory, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
