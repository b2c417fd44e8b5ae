/* SPDX-License-Identifier: MIT
 * test_percpu.c - per-CPU chunks: placement, population, chunk life, misuse, and a real machine's
 * offsets.
 *
 * With a file name as argument the replay reads that file of the same format instead of tests/data.
 */
#include "tests/unit/os/vmem_fixture.h"

#include "models/os/percpu.h"
#include "tests/unit/os/rounds.h"

#define K 1024u
#define UNIT (33 * 4 * K)
#define STATIC_BYTES 104276u
#define DYNAMIC_BYTES 30892u
#define HIDDEN (STATIC_BYTES % (4 * K)) /* 1876 */

static const char *data_file = KM_SOURCE_DIR "/tests/data/percpu-pae-1g-boot.txt";

struct pc {
    struct vmem *m;
    struct km_percpu p;
    km_vaddr base; /* of the first chunk's region */
};

static void pc_open(struct pc *t)
{
    memset(t, 0, sizeof(*t));
    t->m = vmem_open();
    km_pfn first =
        km_alloc_pages(&t->m->g.os, &t->m->g.cpu[0], KM_GFP_KERNEL, 7); /* 2 x 33 pages */
    struct km_percpu_params params = {.v = &t->m->v,
                                      .first_base = km_pfn_to_va(&t->m->g.os, first),
                                      .unit_bytes = UNIT,
                                      .static_bytes = STATIC_BYTES,
                                      .dynamic_bytes = DYNAMIC_BYTES,
                                      .memcg = true};

    assert_true(km_percpu_init(&t->p, &t->m->g.os, &t->m->g.cpu[0], &params));
    t->base = params.first_base + STATIC_BYTES - HIDDEN;
}

static void pc_check(struct pc *t)
{
    const char *why = km_percpu_check(&t->p, t->m->w.base);

    if (why)
        fail_msg("percpu: %s", why);
}

static km_vaddr get(struct pc *t, uint32_t bytes, uint32_t align, bool atomic)
{
    struct km_percpu_area a = km_percpu_alloc(&t->p, &t->m->g.cpu[0], bytes, align, atomic);

    return a.base ? a.base + a.off : 0;
}

/*  1876     1880   1884       1920              2048
 *  | a: 4   | d: 4 | free ... | b: 64, align 64 |  ...     small objects fill the holes alignment
 * left       */
static void first_fit_within_the_first_chunk(void **state)
{
    (void)state;
    struct pc t;

    pc_open(&t);
    km_vaddr a = get(&t, 3, 4, false), b = get(&t, 64, 64, false);
    km_vaddr c = get(&t, 100, 4, false), d = get(&t, 4, 4, true);

    assert_int_equal(a, t.base + HIDDEN);
    assert_int_equal(b, t.base + 1920);
    assert_int_equal(c, t.base + 1984);
    assert_int_equal(d, t.base + 1880);
    *(uint32_t *)(t.m->w.base + d) = 7;
    *(uint32_t *)(t.m->w.base + km_percpu_ptr(&t.p, d, 1)) = 8;
    assert_true(km_percpu_free(&t.p, &t.m->g.cpu[1], d));
    assert_int_equal(get(&t, 4, 4, false), d);
    for (unsigned c2 = 0; c2 < 2; c2++) /* zeroed for every CPU */
        assert_int_equal(km_peek32(t.m->w.base, km_percpu_ptr(&t.p, d, c2)), 0);
    pc_check(&t);
    vmem_close(t.m);
}

/*  1920       1984 1988                2088
 *  | free: 64 | 4  | free: 100         | 30680 ...   |      64 bytes on a 64-byte border fit the
 * first hole, but only the largest free run decides: aligned, it is too short, so a new chunk is
 * made. */
static void the_largest_run_decides(void **state)
{
    (void)state;
    struct pc t;

    pc_open(&t);
    assert_int_equal(get(&t, 1920 - HIDDEN, 4, false), t.base + HIDDEN);
    km_vaddr a = get(&t, 64, 64, false), wall = get(&t, 4, 4, false), b = get(&t, 100, 4, false);

    assert_int_equal(a, t.base + 1920);
    assert_int_equal(b, wall + 4);
    assert_int_equal(get(&t, 30680, 4, false), t.base + 2088);
    assert_true(km_percpu_free(&t.p, &t.m->g.cpu[0], a));
    assert_true(km_percpu_free(&t.p, &t.m->g.cpu[0], b));
    assert_int_equal(get(&t, 64, 64, false), VMEM_END - 2 * UNIT);
    assert_int_equal(get(&t, 64, 4, false), a);
    pc_check(&t);
    vmem_close(t.m);
}

static void wrong_requests_and_frees(void **state)
{
    (void)state;
    struct pc t;

    pc_open(&t);
    km_vaddr a = get(&t, 64, 4, false);

    assert_int_equal(get(&t, 0, 4, false), 0);
    assert_int_equal(get(&t, 32769, 4, false), 0);
    assert_int_equal(get(&t, 8, 3, false), 0);
    assert_int_equal(get(&t, 8, 8 * K, false), 0);
    assert_int_equal(t.p.stats.failed, 4);
    assert_false(km_percpu_free(&t.p, &t.m->g.cpu[0], a + 4));       /* interior */
    assert_false(km_percpu_free(&t.p, &t.m->g.cpu[0], 0xd0000000u)); /* foreign  */
    assert_false(km_percpu_free(&t.p, &t.m->g.cpu[0], VMEM_START));
    assert_true(km_percpu_free(&t.p, &t.m->g.cpu[0], a));
    assert_false(km_percpu_free(&t.p, &t.m->g.cpu[0], a)); /* twice */
    assert_int_equal(t.p.stats.bad_frees, 4);
    pc_check(&t);
    vmem_close(t.m);
}

/* The first chunk holds 30892 bytes; what does not fit opens a chunk at the top of the vmalloc
 * range. */
static void chunks_grow_and_go(void **state)
{
    (void)state;
    struct pc t;

    pc_open(&t);
    struct km_cpu *cpu = &t.m->g.cpu[0];
    km_vaddr a = get(&t, 30 * K, 4, false);

    assert_int_equal(a, t.base + HIDDEN);
    assert_int_equal(get(&t, 2 * K, 4, true), 0); /* atomic: no new chunk */
    assert_true(t.p.work_wanted);
    km_vaddr b = get(&t, 2 * K, 4, false);

    assert_int_equal(b, VMEM_END - 2 * UNIT);
    assert_int_equal(t.p.stats.pages_populated, 2); /* one page for each CPU */
    assert_int_not_equal(km_pgtable_peek(&t.m->pt, t.m->w.base, b + UNIT), KM_PFN_NONE);
    assert_int_equal(km_pgtable_peek(&t.m->pt, t.m->w.base, b + 4 * K), KM_PFN_NONE);
    /* Unpopulated space is out of reach in atomic context until the worker was there. */
    assert_int_equal(get(&t, 3 * K, 4, true), 0);
    assert_true(km_percpu_work(&t.p, cpu));
    assert_int_equal(km_peek32(t.m->w.base, t.p.empty_pages_va), KM_PERCPU_EMPTY_HIGH);
    km_vaddr c = get(&t, 3 * K, 4, true);

    assert_int_equal(c, b + 2 * K);
    pc_check(&t);
    km_vaddr big[6];

    for (unsigned i = 0; i < 6; i++) { /* 6 x 32 KiB do not fit 132 KiB: a second dynamic chunk */
        big[i] = get(&t, 32 * K, 4, false);
        assert_int_not_equal(big[i], 0);
    }
    assert_int_equal(t.p.stats.chunks_created, 2);
    for (unsigned i = 0; i < 6; i++)
        assert_true(km_percpu_free(&t.p, cpu, big[i]));
    assert_true(km_percpu_free(&t.p, cpu, b));
    assert_true(km_percpu_free(&t.p, cpu, c));
    assert_true(t.p.work_wanted); /* two chunks without objects */
    pc_check(&t);
    km_percpu_work(&t.p, cpu);
    assert_int_equal(t.p.stats.chunks_destroyed, 1);
    pc_check(&t);
    vmem_check(t.m);
    vmem_close(t.m);
}

enum { LIVE = 300 };

/* Random objects: no overlap in any CPU's unit, contents stay, everything can be given back. */
static void random_objects(void **state)
{
    (void)state;
    struct pc t;
    struct km_prng p = {.state = 5};
    struct {
        km_vaddr ptr;
        uint32_t bytes;
    } live[LIVE] = {0};

    pc_open(&t);
    for (unsigned step = 0; step < test_rounds(2000); step++) {
        struct km_cpu *cpu = &t.m->g.cpu[km_prng_below(&p, 2)];
        unsigned i = km_prng_below(&p, LIVE);

        if (!live[i].ptr) {
            uint32_t align = 4u << km_prng_below(&p, 6);

            live[i].bytes = 1 + km_prng_below(&p, km_prng_below(&p, 4) ? 300 : 9000);
            struct km_percpu_area a =
                km_percpu_alloc(&t.p, cpu, live[i].bytes, align, km_prng_below(&p, 3) == 0);

            live[i].ptr = a.base ? a.base + a.off : 0;
            assert_int_equal(live[i].ptr % align, 0);
            for (unsigned c = 0; live[i].ptr && c < 2; c++) {
                uint8_t *at = t.m->w.base + km_percpu_ptr(&t.p, live[i].ptr, c);

                for (uint32_t b = 0; b < live[i].bytes; b++)
                    if (at[b])
                        fail_msg("step %u: memory handed out is not zero", step);
                memset(at, (int)(i + c) | 1, live[i].bytes);
            }
        } else {
            for (unsigned c = 0; c < 2; c++)
                for (uint32_t b = 0; b < live[i].bytes; b++)
                    if (t.m->w.base[km_percpu_ptr(&t.p, live[i].ptr, c) + b] !=
                        (uint8_t)((i + c) | 1))
                        fail_msg("step %u: an object was overwritten", step);
            assert_true(km_percpu_free(&t.p, cpu, live[i].ptr));
            live[i].ptr = 0;
        }
        if (km_prng_below(&p, 50) == 0)
            km_percpu_work(&t.p, cpu);
        pc_check(&t);
    }
    for (unsigned i = 0; i < LIVE; i++)
        if (live[i].ptr)
            assert_true(km_percpu_free(&t.p, &t.m->g.cpu[0], live[i].ptr));
    pc_check(&t);
    assert_int_equal(t.p.stats.live_bytes, 0);
    assert_true(t.p.stats.chunks_created > 1 && t.p.stats.failed > 0);
    vmem_check(t.m);
    vmem_close(t.m);
}

static km_vaddr chunk_base[2];

static void replay_line(struct pc *t, const char *line, unsigned *allocs, unsigned *same)
{
    unsigned chunk, off, bytes, align, atomic;
    struct km_cpu *cpu = &t->m->g.cpu[0];

    if (sscanf(line, "used %u %u %u", &chunk, &off, &bytes) == 3) {
        assert_true(km_percpu_adopt(&t->p, cpu, chunk_base[chunk] + off, bytes));
    } else if (!strncmp(line, "chunk", 5) || line[0] == 'c') {
        t->p.work_wanted = true;
        km_percpu_work(&t->p, cpu);
        assert_int_equal(t->p.stats.chunks_created, 1);
        chunk_base[1] = VMEM_END - 2 * UNIT;
    } else if (sscanf(line, "a %u %u %u %u %u", &chunk, &off, &bytes, &align, &atomic) == 5) {
        struct km_percpu_area a = km_percpu_alloc(&t->p, cpu, bytes, align, atomic);

        ++*allocs;
        if (a.base == chunk_base[chunk] && a.off == off) {
            ++*same;
            return;
        }
        print_message("%u bytes, align %u: offset %u, the kernel %u in chunk %u\n", bytes, align,
                      a.off, off, chunk);
        if (a.base)
            km_percpu_free(&t->p, cpu, a.base + a.off);
        assert_true(km_percpu_adopt(&t->p, cpu, chunk_base[chunk] + off, bytes));
    } else if (sscanf(line, "f %u %u", &chunk, &off) == 2) {
        assert_true(km_percpu_free(&t->p, cpu, chunk_base[chunk] + off));
    }
}

static void replays_a_real_machine(void **state)
{
    (void)state;
    struct pc t;
    unsigned allocs = 0, same = 0;
    char line[128];
    FILE *f = fopen(data_file, "r");

    assert_non_null(f);
    pc_open(&t);
    chunk_base[0] = t.base;
    while (fgets(line, sizeof(line), f))
        if (line[0] != '#')
            replay_line(&t, line, &allocs, &same);
    fclose(f);
    pc_check(&t);
    print_message("%u of %u offsets identical\n", same, allocs);
    assert_true(allocs >= 463);
    assert_int_equal(same, allocs);
    vmem_close(t.m);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_fit_within_the_first_chunk),
        cmocka_unit_test(the_largest_run_decides),
        cmocka_unit_test(wrong_requests_and_frees),
        cmocka_unit_test(chunks_grow_and_go),
        cmocka_unit_test(random_objects),
        cmocka_unit_test(replays_a_real_machine),
    };

    if (argc > 1)
        data_file = argv[1];
    return cmocka_run_group_tests(tests, NULL, NULL);
}
