/* SPDX-License-Identifier: MIT
 * test_memblock.c - memblock against drawn maps, a naive oracle and a real boot.
 *
 * A map is a string, one character per 64 KiB cell, the first cell at 1 MiB:
 *   memory    . none  M plain  H hotplug  X mirrored  N nomap  D driver-managed  1..3 plain, of
 * that node reserved  . free  R reserved range     x belongs to the range the operation is given
 * Neighbouring cells with the same character must be one region, so a drawing also states what is
 * merged. Allocation tests draw two expectations, one for top-down and one for bottom-up search,
 * `a` being the cells handed out; an empty expectation means that the request fails.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "models/base/bits.h"
#include "models/base/prng.h"
#include "models/os/memblock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { CELL = 0x10000, MAP_BASE = 0x100000, MAP_CELLS = 64 };

#define PAGE_OFFSET 0xc0000000u
#define STATIC_VA 0xf0000000u /* above all memory that any test adds below 768 MiB */
#define LINE 64u
#define ANY KM_MEMBLOCK_ANY_NODE

static uint8_t *guest; /* 4 GiB of guest virtual addresses, sparse */

struct box {
    struct km_cpu cpu;
    struct km_memblock mb;
};

static struct km_memblock_params params(bool paddr_64, unsigned nodes)
{
    return (struct km_memblock_params){
        .static_va = STATIC_VA,
        .page_offset = PAGE_OFFSET,
        .paddr_64 = paddr_64,
        .nodes = nodes,
        .line_bytes = LINE,
    };
}

static void box_open(struct box *b, bool paddr_64, unsigned nodes)
{
    struct km_memblock_params p = params(paddr_64, nodes);

    km_cpu_init_null(&b->cpu, 0, guest);
    km_memblock_init(&b->mb, &b->cpu, &p);
}

static void check(struct box *b)
{
    const char *broken = km_memblock_check(&b->mb, guest);

    if (broken)
        fail_msg("%s", broken);
}

/* ---- maps ---- */

static km_paddr cell_addr(unsigned cell)
{
    return MAP_BASE + (km_paddr)cell * CELL;
}

static char letter_of(enum km_memblock_kind kind, const struct km_memblock_region *r,
                      unsigned nodes)
{
    if (kind == KM_MEMBLOCK_RESERVED)
        return 'R';
    switch (r->flags) {
    case KM_MEMBLOCK_HOTPLUG:
        return 'H';
    case KM_MEMBLOCK_MIRROR:
        return 'X';
    case KM_MEMBLOCK_NOMAP:
        return 'N';
    case KM_MEMBLOCK_DRIVER_MANAGED:
        return 'D';
    default:
        return nodes > 1 && r->nid < nodes ? (char)('0' + r->nid) : 'M';
    }
}

static uint32_t flags_of(char letter)
{
    switch (letter) {
    case 'H':
        return KM_MEMBLOCK_HOTPLUG;
    case 'X':
        return KM_MEMBLOCK_MIRROR;
    case 'N':
        return KM_MEMBLOCK_NOMAP;
    case 'D':
        return KM_MEMBLOCK_DRIVER_MANAGED;
    default:
        return KM_MEMBLOCK_NONE;
    }
}

/* Cells [*first, *end) of the next run of one character that is not '.'. */
static bool next_run(const char *map, unsigned *first, unsigned *end)
{
    unsigned at = *end;

    while (map[at] == '.')
        at++;
    *first = at;
    if (!map[at])
        return false;
    while (map[at] == map[*first])
        at++;
    *end = at;
    return true;
}

static void load_map(struct box *b, enum km_memblock_kind kind, const char *map)
{
    unsigned first, end = 0;

    while (next_run(map, &first, &end)) {
        km_paddr base = cell_addr(first), size = (km_paddr)(end - first) * CELL;
        char letter = map[first];

        if (kind == KM_MEMBLOCK_RESERVED) {
            assert_int_equal(km_memblock_reserve(&b->mb, &b->cpu, base, size), 0);
            continue;
        }
        uint32_t nid = letter >= '0' && letter <= '3' ? (uint32_t)(letter - '0') : b->mb.p.nodes;

        assert_int_equal(km_memblock_add_node(&b->mb, &b->cpu, base, size, nid, flags_of(letter)),
                         0);
        if (letter == 'X')
            b->mb.has_mirror = true;
    }
}

static void range_of(const char *map, km_paddr *base, km_paddr *size)
{
    unsigned first, end = 0;

    assert_true(next_run(map, &first, &end));
    *base = cell_addr(first);
    *size = (km_paddr)(end - first) * CELL;
}

/* The array is exactly what `map` shows: one region per run. */
static void expect_map(struct box *b, enum km_memblock_kind kind, const char *map)
{
    unsigned first, end = 0;
    uint32_t index = 0;
    struct km_memblock_region r;

    check(b);
    while (next_run(map, &first, &end)) {
        assert_true(km_memblock_get(&b->mb, &b->cpu, kind, index++, &r));
        assert_int_equal(r.base, cell_addr(first));
        assert_int_equal(r.size, (km_paddr)(end - first) * CELL);
        assert_int_equal(letter_of(kind, &r, b->mb.p.nodes), map[first]);
    }
    assert_false(km_memblock_get(&b->mb, &b->cpu, kind, index, &r));
}

/* ---- adding, removing, marking ---- */

enum op { ADD, ADD_HOTPLUG, REMOVE, RESERVE, FREE, MARK_NOMAP, CLEAR_NOMAP, MARK_HOTPLUG, CAP };

struct map_case {
    enum op op;
    const char *before, *range, *after;
};

static int run_op(struct box *b, enum op op, km_paddr base, km_paddr size)
{
    struct km_memblock *mb = &b->mb;
    struct km_cpu *cpu = &b->cpu;

    switch (op) {
    case ADD:
        return km_memblock_add(mb, cpu, base, size);
    case ADD_HOTPLUG:
        return km_memblock_add_node(mb, cpu, base, size, 0, KM_MEMBLOCK_HOTPLUG);
    case REMOVE:
        return km_memblock_remove(mb, cpu, base, size);
    case RESERVE:
        return km_memblock_reserve(mb, cpu, base, size);
    case FREE:
        return km_memblock_phys_free(mb, cpu, base, size);
    case MARK_NOMAP:
        return km_memblock_mark(mb, cpu, base, size, KM_MEMBLOCK_NOMAP);
    case CLEAR_NOMAP:
        return km_memblock_clear(mb, cpu, base, size, KM_MEMBLOCK_NOMAP);
    case MARK_HOTPLUG:
        return km_memblock_mark(mb, cpu, base, size, KM_MEMBLOCK_HOTPLUG);
    case CAP:
        km_memblock_cap_memory_range(mb, cpu, base, size);
        return 0;
    }
    return -1;
}

static void run_map_cases(const struct map_case *cases, size_t nr)
{
    for (size_t i = 0; i < nr * 2; i++) {
        const struct map_case *c = &cases[i / 2];
        enum km_memblock_kind kind =
            c->op == RESERVE || c->op == FREE ? KM_MEMBLOCK_RESERVED : KM_MEMBLOCK_MEMORY;
        km_paddr base, size;
        struct box b;

        box_open(&b, i & 1, 1); /* without and with PAE */
        load_map(&b, kind, c->before);
        expect_map(&b, kind, c->before);
        range_of(c->range, &base, &size);
        assert_int_equal(run_op(&b, c->op, base, size), 0);
        expect_map(&b, kind, c->after);
    }
}

/* Intent: whatever an added range overlaps, the union results, as few regions as possible. */
static void test_add(void **state)
{
    static const struct map_case cases[] = {
        {ADD, "............", "..xxx.......", "..MMM......."}, /* first */
        {ADD, "......MMM...", ".xxx........", ".MMM..MMM..."}, /* apart, below */
        {ADD, ".MMM........", "......xxx...", ".MMM..MMM..."}, /* apart, above */
        {ADD, "....MMM.....", "..xxx.......", "..MMMMM....."}, /* overlaps the bottom */
        {ADD, "....MMM.....", "......xxx...", "....MMMMM..."}, /* overlaps the top */
        {ADD, "..MMMMMM....", "....xx......", "..MMMMMM...."}, /* inside: no change */
        {ADD, "..MMMMMM....", "..xxxxxx....", "..MMMMMM...."}, /* twice */
        {ADD, "....MM......", "..xxxxxx....", "..MMMMMM...."}, /* swallows one */
        {ADD, ".MM..MM..MM.", ".xxxxxxxxxx.", ".MMMMMMMMMM."}, /* swallows three */
        {ADD, ".MM..MM..MM.", "xxxxxxxxxxxx", "MMMMMMMMMMMM"}, /* and sticks out */
        {ADD, ".MMM..MMM...", "....xx......", ".MMMMMMMM..."}, /* fills a gap exactly */
        {ADD, ".MMM....MMM.", "....xx......", ".MMMMM..MMM."}, /* touches below */
        {ADD, ".MMM....MMM.", "......xx....", ".MMM..MMMMM."}, /* touches above */
    };
    (void)state;
    run_map_cases(cases, KM_ARRAY_LEN(cases));
}

/* Intent: what exists keeps its flags; ranges of different flags touch but do not merge. */
static void test_add_keeps_flags(void **state)
{
    static const struct map_case cases[] = {
        {ADD_HOTPLUG, "...MMM......", "xxxxxxxxx...", "HHHMMMHHH..."},
        {ADD_HOTPLUG, "...MMM......", "......xxx...", "...MMMHHH..."},
        {ADD, "...HHH......", "xxxxxxxxx...", "MMMHHHMMM..."},
        {ADD_HOTPLUG, "HHH...MMM...", "...xxx......", "HHHHHHMMM..."},
    };
    (void)state;
    run_map_cases(cases, KM_ARRAY_LEN(cases));
}

/* Intent: reserve is add on the other array. */
static void test_reserve(void **state)
{
    static const struct map_case cases[] = {
        {RESERVE, "............", "..xxx.......", "..RRR......."},
        {RESERVE, "......RRR...", ".xxx........", ".RRR..RRR..."},
        {RESERVE, "....RRR.....", "..xxx.......", "..RRRRR....."},
        {RESERVE, "....RRR.....", "......xxx...", "....RRRRR..."},
        {RESERVE, "..RRRRRR....", "....xx......", "..RRRRRR...."},
        {RESERVE, ".RR..RR..RR.", "xxxxxxxxxxxx", "RRRRRRRRRRRR"},
        {RESERVE, ".RRR..RRR...", "....xx......", ".RRRRRRRR..."},
    };
    (void)state;
    run_map_cases(cases, KM_ARRAY_LEN(cases));
}

/* Intent: exactly the range disappears; regions are split where the borders fall inside. */
static void test_remove_and_free(void **state)
{
    static const struct map_case cases[] = {
        {REMOVE, "..MMMM......", "..xxxx......", "............"}, /* the last one: empty again */
        {REMOVE, "..MMMM......", "......xx....", "..MMMM......"}, /* beside it: nothing */
        {REMOVE, "..MMMM......", "xxx.........", "...MMM......"}, /* bottom */
        {REMOVE, "..MMMM......", ".....xxx....", "..MMM......."}, /* top */
        {REMOVE, "..MMMM......", "...xx.......", "..M..M......"}, /* middle */
        {REMOVE, ".MM..MM..MM.", "..xxxxxxxx..", ".M........M."}, /* several */
        {REMOVE, ".MMHHMM.....", "..xxxx......", ".M....M....."}, /* of different flags */
        {FREE, "..RRRR......", "..xxxx......", "............"},
        {FREE, "..RRRR......", "...xx.......", "..R..R......"},
        {FREE, ".RR..RR..RR.", "..xxxxxxxx..", ".R........R."},
        {FREE, "............", "..xx........", "............"}, /* nothing reserved */
        {FREE, ".RR......RR.", "....xx......", ".RR......RR."},
    };
    (void)state;
    run_map_cases(cases, KM_ARRAY_LEN(cases));
}

/* Intent: a flag changes exactly in the range, over holes too, and equal neighbours merge again. */
static void test_mark(void **state)
{
    static const struct map_case cases[] = {
        {MARK_NOMAP, "..MMMMMM....", "....xx......", "..MMNNMM...."},
        {CLEAR_NOMAP, "..MMNNMM....", "....xx......", "..MMMMMM...."},
        {MARK_NOMAP, ".MMM..MMM...", "..xxxxxx....", ".MNN..NNM..."},
        {MARK_NOMAP, "..MMNNMM....", "..xxxxxx....", "..NNNNNN...."},
        {MARK_HOTPLUG, "..MMMMMM....", "xxxx........", "..HHMMMM...."},
        {CLEAR_NOMAP, "..MMMMMM....", "...xx.......", "..MMMMMM...."},
    };
    (void)state;
    run_map_cases(cases, KM_ARRAY_LEN(cases));
}

/* Intent: outside the range memory goes, but memory marked nomap stays known.
 *
 *   before  ..MMMMNN..MM..NN
 *   range   ....xxxxxxx.....
 *   after   ....MMNN..M...NN
 */
static void test_cap_keeps_nomap(void **state)
{
    static const struct map_case cases[] = {
        {CAP, "..MMMMNN..MM..NN", "....xxxxxxx.....", "....MMNN..M...NN"},
        {CAP, "..MMMM..........", "........xx......", "................"},
    };
    struct box b;

    (void)state;
    run_map_cases(cases, KM_ARRAY_LEN(cases));
    /* Reservations outside go as well. */
    box_open(&b, true, 1);
    load_map(&b, KM_MEMBLOCK_MEMORY, "MMMMMMMM");
    load_map(&b, KM_MEMBLOCK_RESERVED, "RR.RR.RR");
    km_memblock_cap_memory_range(&b.mb, &b.cpu, cell_addr(1), 3 * CELL);
    expect_map(&b, KM_MEMBLOCK_MEMORY, ".MMM....");
    expect_map(&b, KM_MEMBLOCK_RESERVED, ".R.R....");
}

/* Intent: a memory limit counts bytes of memory, not addresses.
 *
 *   before  .MM..MMM..MM      limit of four cells: two, a hole, two more
 *   after   .MM..MM.....
 */
static void test_memory_limit(void **state)
{
    struct box b;

    (void)state;
    for (int keep_nomap = 0; keep_nomap < 2; keep_nomap++) {
        box_open(&b, true, 1);
        load_map(&b, KM_MEMBLOCK_MEMORY, ".MM..MMM..MN");
        load_map(&b, KM_MEMBLOCK_RESERVED, "......RR...R");
        if (keep_nomap)
            km_memblock_mem_limit_remove_map(&b.mb, &b.cpu, 4 * CELL);
        else
            km_memblock_enforce_memory_limit(&b.mb, &b.cpu, 4 * CELL);
        expect_map(&b, KM_MEMBLOCK_MEMORY, keep_nomap ? ".MM..MM....N" : ".MM..MM.....");
        expect_map(&b, KM_MEMBLOCK_RESERVED, "......R.....");
        /* no limit, and more than there is: nothing happens */
        km_memblock_enforce_memory_limit(&b.mb, &b.cpu, 0);
        km_memblock_enforce_memory_limit(&b.mb, &b.cpu, 1ull << 40);
        km_memblock_mem_limit_remove_map(&b.mb, &b.cpu, 0);
        expect_map(&b, KM_MEMBLOCK_MEMORY, keep_nomap ? ".MM..MM....N" : ".MM..MM.....");
    }
}

/* Intent: an empty array has one region of size 0, from the start and after the last one went. */
static void test_empty_representation(void **state)
{
    struct km_memblock_region r;
    struct box b;

    (void)state;
    for (unsigned wide = 0; wide < 2; wide++) {
        km_vaddr memory_count = STATIC_VA + 4 + (wide ? 8 : 4);

        box_open(&b, wide, 1);
        for (int round = 0; round < 2; round++) {
            check(&b);
            assert_int_equal(km_peek32(guest, memory_count), 1);
            assert_int_equal(km_peek32(guest, memory_count + 4), KM_MEMBLOCK_REGIONS);
            assert_false(km_memblock_get(&b.mb, &b.cpu, KM_MEMBLOCK_MEMORY, 0, &r));
            assert_int_equal(km_memblock_phys_mem_size(&b.mb, &b.cpu), 0);
            assert_int_equal(km_memblock_add(&b.mb, &b.cpu, CELL, 0), 0); /* size 0: no-op */
            assert_false(km_memblock_get(&b.mb, &b.cpu, KM_MEMBLOCK_MEMORY, 0, &r));
            km_memblock_add(&b.mb, &b.cpu, CELL, CELL);
            assert_int_equal(km_peek32(guest, memory_count), 1);
            assert_int_equal(km_memblock_phys_mem_size(&b.mb, &b.cpu), CELL);
            km_memblock_remove(&b.mb, &b.cpu, 0, b.mb.addr_max);
        }
    }
}

/* Intent: ranges end at the last physical address; what starts there has no size.
 *
 *   PHYS_ADDR_MAX - 64 KiB      PHYS_ADDR_MAX
 *          [ added, 1 MiB asked ...|
 */
static void test_clip_at_phys_addr_max(void **state)
{
    struct km_memblock_region r;
    struct box b;

    (void)state;
    for (unsigned wide = 0; wide < 2; wide++) {
        km_paddr max = wide ? UINT64_MAX : UINT32_MAX;

        box_open(&b, wide, 1);
        assert_int_equal(km_memblock_add(&b.mb, &b.cpu, max - CELL, 16 * CELL), 0);
        assert_int_equal(km_memblock_reserve(&b.mb, &b.cpu, max - CELL, UINT64_MAX), 0);
        assert_true(km_memblock_get(&b.mb, &b.cpu, KM_MEMBLOCK_MEMORY, 0, &r));
        assert_int_equal(r.size, CELL);
        assert_true(km_memblock_get(&b.mb, &b.cpu, KM_MEMBLOCK_RESERVED, 0, &r));
        assert_int_equal(r.size, CELL);
        assert_int_equal(km_memblock_add(&b.mb, &b.cpu, max, CELL), 0);
        assert_int_equal(km_memblock_phys_mem_size(&b.mb, &b.cpu), CELL);
        assert_int_equal(km_memblock_phys_free(&b.mb, &b.cpu, max - CELL / 2, UINT64_MAX), 0);
        assert_int_equal(km_memblock_reserved_size(&b.mb, &b.cpu), CELL / 2);
        check(&b);
    }
}

/* Intent: trimming shrinks regions inwards, drops those without a whole unit, and leaves
 * total_size. The second half is the e820 map of a 1 GiB guest, whose kernel printed "memory size =
 * 0x3ff78c00" after trimming although the regions hold 0x3ff78000.
 */
static void test_trim(void **state)
{
    struct km_memblock_region r;
    struct box b;

    (void)state;
    box_open(&b, true, 1);
    km_memblock_add(&b.mb, &b.cpu, 0x1800, 0x400);  /* vanishes */
    km_memblock_add(&b.mb, &b.cpu, 0x2800, 0x3000); /* 0x3000..0x5000 */
    km_memblock_add(&b.mb, &b.cpu, 0x8000, 0x1000); /* stays */
    km_memblock_trim_memory(&b.mb, &b.cpu, 0x1000);
    assert_true(km_memblock_get(&b.mb, &b.cpu, KM_MEMBLOCK_MEMORY, 0, &r));
    assert_int_equal(r.base, 0x3000);
    assert_int_equal(r.size, 0x2000);
    assert_true(km_memblock_get(&b.mb, &b.cpu, KM_MEMBLOCK_MEMORY, 1, &r));
    assert_int_equal(r.base, 0x8000);
    assert_false(km_memblock_get(&b.mb, &b.cpu, KM_MEMBLOCK_MEMORY, 2, &r));
    assert_int_equal(km_memblock_phys_mem_size(&b.mb, &b.cpu), 0x4000);
    check(&b);

    box_open(&b, true, 1);
    km_memblock_add(&b.mb, &b.cpu, 0x1000, 0x9ec00);
    km_memblock_add(&b.mb, &b.cpu, 0x100000, 0x3feda000);
    km_memblock_trim_memory(&b.mb, &b.cpu, 0x1000);
    assert_int_equal(km_memblock_phys_mem_size(&b.mb, &b.cpu), 0x3ff78c00);
    check(&b);

    box_open(&b, true, 1); /* everything vanishes; trimming nothing ends too */
    km_memblock_add(&b.mb, &b.cpu, 0x1800, 0x400);
    km_memblock_trim_memory(&b.mb, &b.cpu, 0x1000);
    km_memblock_trim_memory(&b.mb, &b.cpu, 0x1000);
    assert_false(km_memblock_get(&b.mb, &b.cpu, KM_MEMBLOCK_MEMORY, 0, &r));
    check(&b);
}

/* ---- allocation ---- */

struct alloc_case {
    const char *memory, *reserved;
    unsigned cells, align_cells;
    unsigned min_cell, max_cell; /* max 0: the current limit */
    const char *top_down, *bottom_up;
};

/* Draws what was handed out, checks that it and nothing else became reserved. */
static void expect_alloc(struct box *b, const struct alloc_case *c, km_paddr found,
                         const char *want)
{
    char after[MAP_CELLS + 1];
    km_paddr base, size;

    strcpy(after, c->reserved);
    if (!*want) {
        assert_int_equal(found, 0);
    } else {
        range_of(want, &base, &size);
        assert_int_equal(found, base);
        assert_int_equal(size, (km_paddr)c->cells * CELL);
        for (size_t i = 0; want[i]; i++)
            if (want[i] == 'a')
                after[i] = 'R';
    }
    expect_map(b, KM_MEMBLOCK_RESERVED, after);
    expect_map(b, KM_MEMBLOCK_MEMORY, c->memory);
}

static void run_alloc_cases(const struct alloc_case *cases, size_t nr, unsigned nodes, uint32_t nid,
                            bool exact)
{
    for (size_t i = 0; i < nr * 2; i++) {
        const struct alloc_case *c = &cases[i / 2];
        bool bottom_up = i & 1;
        km_paddr size = (km_paddr)c->cells * CELL, align = (km_paddr)c->align_cells * CELL;
        km_paddr min = c->min_cell ? cell_addr(c->min_cell) : 0;
        km_paddr max = c->max_cell ? cell_addr(c->max_cell) : KM_MEMBLOCK_ACCESSIBLE, found;
        struct box b;

        box_open(&b, true, nodes);
        b.mb.p.movable_node = true;
        km_memblock_set_bottom_up(&b.mb, &b.cpu, bottom_up);
        assert_int_equal(km_memblock_bottom_up(&b.mb, &b.cpu), bottom_up);
        load_map(&b, KM_MEMBLOCK_MEMORY, c->memory);
        load_map(&b, KM_MEMBLOCK_RESERVED, c->reserved);
        found = exact ? km_memblock_alloc_exact_nid_raw(&b.mb, &b.cpu, size, align, min, max, nid)
                      : km_memblock_alloc_try_nid_raw(&b.mb, &b.cpu, size, align, min, max, nid);
        expect_alloc(&b, c, found, bottom_up ? c->bottom_up : c->top_down);
    }
}

/* Intent: the highest (lowest) place that fits, whatever is reserved around it. */
static void test_alloc_places(void **state)
{
    static const struct alloc_case cases[] = {
        /* nothing reserved */
        {"..MMMMMM....", "............", 2, 1, 0, 0, "......aa....", "..aa........"},
        /* reserved at the bottom; at the top; both */
        {"..MMMMMM....", "..RR........", 2, 1, 0, 0, "......aa....", "....aa......"},
        {"..MMMMMM....", "......RR....", 2, 1, 0, 0, "....aa......", "..aa........"},
        {"..MMMMMM....", "..RR..RR....", 2, 1, 0, 0, "....aa......", "....aa......"},
        /* first gap too small, second fits exactly */
        {"MMMMMMMMMM..", "R..RRR..R...", 2, 1, 0, 0, "......aa....", ".aa........."},
        {"MMMMMMMMMM..", "R...RR.R....", 3, 1, 0, 0, ".aaa........", ".aaa........"},
        {"MMMMMMMMMM..", "R..RR...RR..", 3, 1, 0, 0, ".....aaa....", ".....aaa...."},
        /* no gap is large enough; all reserved; larger than memory */
        {"MMMMMMMMMM..", "R..R..R..R..", 3, 1, 0, 0, "", ""},
        {"..MMMM......", "..RRRR......", 1, 1, 0, 0, "", ""},
        {"..MMMM......", "............", 5, 1, 0, 0, "", ""},
        /* a hole in memory is not memory */
        {"..MM..MM....", "............", 3, 1, 0, 0, "", ""},
        {"..MM..MM....", "......RR....", 2, 1, 0, 0, "..aa........", "..aa........"},
        /* reservations outside memory do not matter */
        {"...MMM......", "RRR...RRR...", 3, 1, 0, 0, "...aaa......", "...aaa......"},
    };
    (void)state;
    run_alloc_cases(cases, KM_ARRAY_LEN(cases), 1, ANY, false);
}

/* Intent: alignment (cells 0, 16, 32 are multiples of 1 MiB): top-down rounds the start down,
 * bottom-up up, and both move on if that leaves the range. */
static void test_alloc_alignment(void **state)
{
    static const struct alloc_case cases[] = {
        {".MMMMMMMMM..", "............", 3, 4, 0, 0, "....aaa.....", "....aaa....."},
        {".MMMMMMMMMMM", "............", 3, 4, 0, 0, "........aaa.", "....aaa....."},
        {".MMMMM......", "............", 3, 4, 0, 0, "", ""},
        {"MMMMMMMMMMMM", "....R...R...", 4, 4, 0, 0, "aaaa........", "aaaa........"},
        {"MMMMMMMMMMMM", "...R....R...", 4, 4, 0, 0, "....aaaa....", "....aaaa...."},
    };
    (void)state;
    run_alloc_cases(cases, KM_ARRAY_LEN(cases), 1, ANY, false);
}

/* Intent: limits clip ranges at both ends; if nothing lies above min, min is given up, max never
 * is. */
static void test_alloc_limits(void **state)
{
    static const struct alloc_case cases[] = {
        {"MMMMMMMMMMMM", "............", 2, 1, 3, 8, "......aa....", "...aa......."},
        {"MMMMMMMMMMMM", "....RRR.....", 1, 1, 3, 8, ".......a....", "...a........"},
        /* exactly the window; one cell too small: min is given up */
        {"MMMMMMMMMMMM", "............", 5, 1, 3, 8, "...aaaaa....", "...aaaaa...."},
        {"MMMMMMMMMMMM", "............", 6, 1, 3, 8, "..aaaaaa....", "aaaaaa......"},
        {"MMMMMMMMMMMM", "...RRRRR....", 2, 1, 3, 8, ".aa.........", "aa.........."},
        {"MMMMMMMMMMMM", "RRRRRRRR....", 1, 1, 3, 8, "", ""},
        /* memory only above max */
        {".......MMM..", "............", 1, 1, 0, 7, "", ""},
    };
    (void)state;
    run_alloc_cases(cases, KM_ARRAY_LEN(cases), 1, ANY, false);
}

/* Intent: memory that may vanish, must not be mapped or belongs to a driver is not handed out;
 * mirrored memory is preferred while it lasts. */
static void test_alloc_flags(void **state)
{
    static const struct alloc_case cases[] = {
        {".MMMNNNDDDHHH", ".............", 2, 1, 0, 0, "..aa.........", ".aa.........."},
        {"NNNDDDHHH....", ".............", 1, 1, 0, 0, "", ""},
        {".MMMXXXMMM...", ".............", 2, 1, 0, 0, ".....aa......", "....aa......."},
        {".MMMXXXMMM...", "....RR.......", 2, 1, 0, 0, "........aa...", ".aa.........."},
        /* a request never spans two regions, even if both are free */
        {".MMMHHHMMM...", ".............", 4, 1, 0, 0, "", ""},
    };
    (void)state;
    run_alloc_cases(cases, KM_ARRAY_LEN(cases), 1, ANY, false);
}

/* Intent: the wanted node first, then any; the exact variant insists. Giving up min comes last. */
static void test_alloc_nodes(void **state)
{
    static const struct alloc_case prefer[] = {
        {"111122223333", "............", 2, 1, 0, 0, "......aa....", "....aa......"},
        {"111122223333", "....RRR.....", 2, 1, 0, 0, "..........aa", "aa.........."},
        {"111122223333", "........RRRR", 2, 1, 9, 0, "......aa....", "....aa......"},
        {"111122223333", "............", 2, 1, 9, 0, "..........aa", ".........aa."},
        {"111122223333", "............", 5, 1, 0, 0, "", ""}, /* two nodes are two regions */
    };
    static const struct alloc_case exact[] = {
        {"111122223333", "............", 2, 1, 0, 0, "......aa....", "....aa......"},
        {"111122223333", "....RRR.....", 2, 1, 0, 0, "", ""},
        {"111122223333", "............", 2, 1, 9, 0, "......aa....", "....aa......"},
    };
    (void)state;
    run_alloc_cases(prefer, KM_ARRAY_LEN(prefer), 4, 2, false);
    run_alloc_cases(exact, KM_ARRAY_LEN(exact), 4, 2, true);
}

/* Intent: set_node splits, assigns and merges; without nodes it does nothing. */
static void test_set_node(void **state)
{
    struct box b;

    (void)state;
    box_open(&b, true, 4);
    load_map(&b, KM_MEMBLOCK_MEMORY, "11111111....MMMM");
    km_memblock_set_node(&b.mb, &b.cpu, KM_MEMBLOCK_MEMORY, cell_addr(6), 8 * CELL, 2);
    expect_map(&b, KM_MEMBLOCK_MEMORY, "11111122....22MM");
    km_memblock_set_node(&b.mb, &b.cpu, KM_MEMBLOCK_MEMORY, 0, b.mb.addr_max, 3);
    expect_map(&b, KM_MEMBLOCK_MEMORY, "33333333....3333");

    box_open(&b, true, 1);
    load_map(&b, KM_MEMBLOCK_MEMORY, "MMMM");
    km_memblock_set_node(&b.mb, &b.cpu, KM_MEMBLOCK_MEMORY, cell_addr(1), CELL, 0);
    expect_map(&b, KM_MEMBLOCK_MEMORY, "MMMM");
}

/* Intent: page 0 is free memory but never handed out, since 0 means failure.
 *
 *   0        4 KiB     8 KiB
 *   [ never  )[ first  )
 */
static void test_page_zero(void **state)
{
    struct box b;

    (void)state;
    for (int bottom_up = 0; bottom_up < 2; bottom_up++) {
        box_open(&b, true, 1);
        km_memblock_set_bottom_up(&b.mb, &b.cpu, bottom_up);
        km_memblock_add(&b.mb, &b.cpu, 0, 2 * KM_PAGE_BYTES);
        assert_int_equal(km_memblock_alloc(&b.mb, &b.cpu, KM_PAGE_BYTES, LINE), KM_PAGE_BYTES);
        assert_int_equal(km_memblock_alloc(&b.mb, &b.cpu, LINE, LINE), 0);
        assert_int_equal(km_memblock_phys_alloc_range(&b.mb, &b.cpu, 4, 4, 0, 4096), 0);
        check(&b);
    }
}

/* Intent: phys_alloc_range never leaves its window and is not clipped to the current limit, other
 * allocations are; alignment 0 means a cache line. */
static void test_phys_alloc_range_and_limit(void **state)
{
    struct box b;

    (void)state;
    for (int bottom_up = 0; bottom_up < 2; bottom_up++) {
        km_paddr at;

        box_open(&b, true, 1);
        km_memblock_set_bottom_up(&b.mb, &b.cpu, bottom_up);
        load_map(&b, KM_MEMBLOCK_MEMORY, "MMMMMMMMMMMM");
        km_memblock_set_current_limit(&b.mb, &b.cpu, cell_addr(4));
        at = km_memblock_phys_alloc_range(&b.mb, &b.cpu, CELL, CELL, cell_addr(6), cell_addr(8));
        assert_int_equal(at, cell_addr(bottom_up ? 6 : 7));
        at =
            km_memblock_phys_alloc_range(&b.mb, &b.cpu, 2 * CELL, CELL, cell_addr(6), cell_addr(8));
        assert_int_equal(at, 0);
        at = km_memblock_phys_alloc_range(&b.mb, &b.cpu, CELL, CELL, cell_addr(9), 0);
        assert_int_equal(at, 0); /* 0: up to the current limit, which is below */
        at = km_memblock_alloc_try_nid_raw(&b.mb, &b.cpu, CELL, CELL, 0, KM_MEMBLOCK_ANYWHERE, ANY);
        assert_int_equal(at, cell_addr(bottom_up ? 0 : 3));
        at = km_memblock_alloc_try_nid_raw(&b.mb, &b.cpu, 100, 0, 0, cell_addr(2), ANY);
        assert_int_equal(at, bottom_up ? cell_addr(1) : cell_addr(2) - 128);
        expect_map(&b, KM_MEMBLOCK_MEMORY, "MMMMMMMMMMMM");
    }
}

/* Intent: alloc zeroes what it returns and nothing else, raw leaves the contents. */
static void test_zeroing(void **state)
{
    km_paddr at;
    struct box b;

    (void)state;
    box_open(&b, true, 1);
    load_map(&b, KM_MEMBLOCK_MEMORY, "MM");
    memset(guest + PAGE_OFFSET + cell_addr(0), 0x55, 2 * CELL);
    at = km_memblock_alloc(&b.mb, &b.cpu, 100, LINE);
    for (unsigned i = 0; i < 100; i++)
        assert_int_equal(guest[PAGE_OFFSET + at + i], 0);
    assert_int_equal(guest[PAGE_OFFSET + at - 1], 0x55);
    assert_int_equal(guest[PAGE_OFFSET + at + 100], 0x55);
    at = km_memblock_alloc_try_nid_raw(&b.mb, &b.cpu, 100, LINE, 0, 0, ANY);
    assert_int_equal(guest[PAGE_OFFSET + at], 0x55);
}

/* ---- growing ---- */

static uint32_t capacity(struct box *b, enum km_memblock_kind kind)
{
    uint32_t paddr = b->mb.p.paddr_64 ? 8 : 4;

    return km_peek32(guest,
                     STATIC_VA + 4 + paddr + (kind == KM_MEMBLOCK_RESERVED ? 16 + paddr : 0) + 4);
}

static km_vaddr array_at(struct box *b, enum km_memblock_kind kind)
{
    uint32_t paddr = b->mb.p.paddr_64 ? 8 : 4;

    return km_peek32(guest, STATIC_VA + 4 + paddr +
                                (kind == KM_MEMBLOCK_RESERVED ? 16 + paddr : 0) + 8 + paddr);
}

/* n reserved lines of 1 KiB with gaps of 1 KiB, from 1 MiB on. */
static int reserve_stripes(struct box *b, unsigned first, unsigned n)
{
    for (unsigned i = first; i < first + n; i++)
        if (km_memblock_reserve(&b->mb, &b->cpu, MAP_BASE + i * 2048ull, 1024))
            return KM_MEMBLOCK_FULL;
    return 0;
}

/* Intent: 128 regions fit; the 129th is refused without a trace until resizing is allowed. */
static void test_full_without_resize(void **state)
{
    struct box b;

    (void)state;
    box_open(&b, true, 1);
    km_memblock_add(&b.mb, &b.cpu, 0, 64ull << 20);
    assert_int_equal(reserve_stripes(&b, 0, 128), 0);
    assert_int_equal(reserve_stripes(&b, 128, 1), KM_MEMBLOCK_FULL);
    assert_int_equal(km_memblock_reserved_size(&b.mb, &b.cpu), 128 * 1024);
    /* closing a gap needs no new region in the end, but first one more: also refused */
    assert_int_equal(km_memblock_reserve(&b.mb, &b.cpu, MAP_BASE + 1024, 1024), KM_MEMBLOCK_FULL);
    /* nor can an allocation that would need a region succeed */
    assert_int_equal(km_memblock_alloc(&b.mb, &b.cpu, 100, LINE), 0);
    /* freeing needs up to two */
    assert_int_equal(km_memblock_phys_free(&b.mb, &b.cpu, MAP_BASE, 1024), KM_MEMBLOCK_FULL);
    assert_int_equal(km_memblock_reserved_size(&b.mb, &b.cpu), 128 * 1024);
    check(&b);
}

/* Intent: a wide range needs a region for every gap it fills before they can merge; with 100
 * regions there is no room for another 100, however few remain in the end.
 *
 *   before  |.|.|.|. ... |.|      100 regions
 *   added   [              ]      fills 100 gaps
 */
static void test_wide_range_over_many(void **state)
{
    struct box b;

    (void)state;
    box_open(&b, true, 1);
    km_memblock_add(&b.mb, &b.cpu, 0, 64ull << 20);
    assert_int_equal(reserve_stripes(&b, 0, 100), 0);
    assert_int_equal(km_memblock_reserve(&b.mb, &b.cpu, MAP_BASE, 100 * 2048), KM_MEMBLOCK_FULL);
    assert_int_equal(km_memblock_reserved_size(&b.mb, &b.cpu), 100 * 1024);
    check(&b);
    assert_int_equal(km_memblock_reserve(&b.mb, &b.cpu, MAP_BASE, 28 * 2048), 0); /* 128: fits */
    assert_int_equal(km_memblock_reserved_size(&b.mb, &b.cpu), 128 * 1024);
    km_memblock_allow_resize(&b.mb);
    assert_int_equal(km_memblock_reserve(&b.mb, &b.cpu, MAP_BASE, 100 * 2048), 0);
    assert_int_equal(km_memblock_reserved_size(&b.mb, &b.cpu), 200 * 1024 + 8192);
    check(&b);
}

/* Intent: the array moves to twice the room at the top of free memory, page-aligned and reserved,
 * keeps its contents, and the second move gives the first new array back.
 *
 *   memory    [ 0 ............................................. 64 MiB )
 *   reserved    |||| stripes                          [ 2nd ) [ 1st )     1st freed again
 */
static void test_doubling(void **state)
{
    (void)state;
    for (unsigned wide = 0; wide < 2; wide++) {
        km_paddr top = 64ull << 20, first = (wide ? 20 : 12) * 256, second = first * 2;
        struct box b;

        box_open(&b, wide, 1);
        km_memblock_allow_resize(&b.mb);
        km_memblock_add(&b.mb, &b.cpu, 0, top);
        first = km_align_up(first, KM_PAGE_BYTES);
        second = km_align_up(second, KM_PAGE_BYTES);
        assert_int_equal(reserve_stripes(&b, 0, 129), 0);
        assert_int_equal(capacity(&b, KM_MEMBLOCK_RESERVED), 256);
        assert_int_equal(array_at(&b, KM_MEMBLOCK_RESERVED), PAGE_OFFSET + top - first);
        assert_true(km_memblock_is_region_reserved(&b.mb, &b.cpu, top - first, first));
        assert_int_equal(km_memblock_reserved_size(&b.mb, &b.cpu), 129 * 1024 + first);
        check(&b);
        assert_int_equal(reserve_stripes(&b, 129, 171), 0);
        assert_int_equal(capacity(&b, KM_MEMBLOCK_RESERVED), 512);
        assert_int_equal(array_at(&b, KM_MEMBLOCK_RESERVED), PAGE_OFFSET + top - first - second);
        assert_false(km_memblock_is_region_reserved(&b.mb, &b.cpu, top - first, first));
        assert_int_equal(km_memblock_reserved_size(&b.mb, &b.cpu), 300 * 1024 + second);
        check(&b);
        for (unsigned i = 0; i < 300; i++)
            assert_true(km_memblock_is_reserved(&b.mb, &b.cpu, MAP_BASE + i * 2048ull + 1023));
    }
}

/* Intent: the new array must not land in the range that is just being reserved.
 *
 *   memory    [ 0 ............................ 8 MiB )
 *   asked                                 [ 4 KiB   )
 *   array                      not there ^, but in the free part below it
 */
static void test_doubling_avoids_new_range(void **state)
{
    km_paddr top = 8ull << 20;
    km_vaddr array;
    struct box b;

    (void)state;
    box_open(&b, true, 1);
    km_memblock_add(&b.mb, &b.cpu, 0, top);
    assert_int_equal(reserve_stripes(&b, 0, 128), 0);
    km_memblock_allow_resize(&b.mb);
    assert_int_equal(km_memblock_reserve(&b.mb, &b.cpu, top - 4096, 4096), 0);
    array = array_at(&b, KM_MEMBLOCK_RESERVED);
    assert_int_equal(array, PAGE_OFFSET + top - 4096 - 8192);
    assert_int_equal(km_memblock_reserved_size(&b.mb, &b.cpu), 128 * 1024 + 4096 + 8192);
    check(&b);

    /* no room below the limit either: refused, nothing changed */
    box_open(&b, true, 1);
    km_memblock_add(&b.mb, &b.cpu, MAP_BASE, 128 * 2048);
    assert_int_equal(reserve_stripes(&b, 0, 128), 0);
    km_memblock_allow_resize(&b.mb);
    assert_int_equal(km_memblock_reserve(&b.mb, &b.cpu, 32ull << 20, 4096), KM_MEMBLOCK_FULL);
    assert_int_equal(km_memblock_reserved_size(&b.mb, &b.cpu), 128 * 1024);
    check(&b);
}

/* Intent: the memory array grows the same way, at the cost of a reservation. */
static void test_doubling_memory(void **state)
{
    struct box b;

    (void)state;
    box_open(&b, true, 4);
    km_memblock_allow_resize(&b.mb);
    km_memblock_add_node(&b.mb, &b.cpu, 16ull << 20, 16ull << 20, 1, 0);
    for (unsigned i = 0; i < 200; i++)
        assert_int_equal(
            km_memblock_add_node(&b.mb, &b.cpu, MAP_BASE + i * 8192ull, 4096, i % 3, 0), 0);
    assert_int_equal(capacity(&b, KM_MEMBLOCK_MEMORY), 256);
    assert_int_equal(array_at(&b, KM_MEMBLOCK_MEMORY), PAGE_OFFSET + (32u << 20) - 8192);
    assert_int_equal(km_memblock_reserved_size(&b.mb, &b.cpu), 8192);
    assert_int_equal(km_memblock_phys_mem_size(&b.mb, &b.cpu), (16u << 20) + 200 * 4096);
    check(&b);
}

/* ---- iterators and queries ---- */

/* Intent: free ranges are memory minus reserved, the same list in both directions, and in whole
 * pages.
 *
 *   memory    MMMMMM..MMMMNNMM
 *   reserved  .RR..RRRR...R..R
 *   free      0..1  3..5  9..12  14..15      (nomap passed over)
 */
static void test_free_ranges(void **state)
{
    static const unsigned want[][2] = {{0, 1}, {3, 5}, {9, 12}, {14, 15}};
    km_paddr start, end;
    uint64_t cursor = 0;
    unsigned n = 0;
    struct box b;

    (void)state;
    box_open(&b, true, 1);
    load_map(&b, KM_MEMBLOCK_MEMORY, "MMMMMM..MMMMNNMM");
    load_map(&b, KM_MEMBLOCK_RESERVED, ".RR..RRRR...R..R");
    while (km_memblock_next_free(&b.mb, &b.cpu, &cursor, ANY, KM_MEMBLOCK_NONE, &start, &end)) {
        assert_true(n < KM_ARRAY_LEN(want));
        assert_int_equal(start, cell_addr(want[n][0]));
        assert_int_equal(end, cell_addr(want[n++][1]));
    }
    assert_int_equal(n, KM_ARRAY_LEN(want));
    assert_false(
        km_memblock_next_free(&b.mb, &b.cpu, &cursor, ANY, KM_MEMBLOCK_NONE, &start, &end));
    cursor = KM_MEMBLOCK_LAST;
    while (km_memblock_prev_free(&b.mb, &b.cpu, &cursor, ANY, KM_MEMBLOCK_NONE, &start, &end)) {
        assert_true(n > 0);
        assert_int_equal(start, cell_addr(want[--n][0]));
        assert_int_equal(end, cell_addr(want[n][1]));
    }
    assert_int_equal(n, 0);
    assert_false(
        km_memblock_prev_free(&b.mb, &b.cpu, &cursor, ANY, KM_MEMBLOCK_NONE, &start, &end));
    /* asked for nomap too: 9..12 stays apart from 13..14, 14..15 from 13..14 */
    cursor = 0;
    while (km_memblock_next_free(&b.mb, &b.cpu, &cursor, ANY, KM_MEMBLOCK_NOMAP, &start, &end))
        n++;
    assert_int_equal(n, 5);
}

/* Intent: parts of pages at either end of a free range are not free pages.
 *
 *   page      |0x100    |0x101    |0x102    |0x103    |
 *   reserved   RRR......................RRR            => 0x101 only, then 0x103..
 */
static void test_free_pfns(void **state)
{
    km_pfn start, end;
    uint64_t cursor = 0;
    uint32_t index = 0;
    struct box b;

    (void)state;
    box_open(&b, true, 1);
    km_memblock_add(&b.mb, &b.cpu, 0x100000, 0x5800);
    km_memblock_add(&b.mb, &b.cpu, 0x200100, 0xe00); /* no whole page */
    km_memblock_reserve(&b.mb, &b.cpu, 0x100000, 0x10);
    km_memblock_reserve(&b.mb, &b.cpu, 0x102800, 0x10);
    assert_true(km_memblock_next_free_pfn(&b.mb, &b.cpu, &cursor, &start, &end));
    assert_int_equal(start, 0x101);
    assert_int_equal(end, 0x102);
    assert_true(km_memblock_next_free_pfn(&b.mb, &b.cpu, &cursor, &start, &end));
    assert_int_equal(start, 0x103);
    assert_int_equal(end, 0x105);
    assert_false(km_memblock_next_free_pfn(&b.mb, &b.cpu, &cursor, &start, &end));
    assert_true(km_memblock_next_mem_pfn(&b.mb, &b.cpu, &index, ANY, &start, &end));
    assert_int_equal(start, 0x100);
    assert_int_equal(end, 0x105);
    assert_false(km_memblock_next_mem_pfn(&b.mb, &b.cpu, &index, ANY, &start, &end));
}

/* Intent: point and range questions at N - 1, N and N + 1. */
static void test_queries(void **state)
{
    struct box b;

    (void)state;
    box_open(&b, true, 1);
    load_map(&b, KM_MEMBLOCK_MEMORY, "..MMMM..MM..MM..");
    load_map(&b, KM_MEMBLOCK_RESERVED, "....R.........R.");
    struct km_memblock *mb = &b.mb;
    struct km_cpu *cpu = &b.cpu;

    assert_int_equal(km_memblock_start_of_dram(mb, cpu), cell_addr(2));
    assert_int_equal(km_memblock_end_of_dram(mb, cpu), cell_addr(14));
    assert_false(km_memblock_is_memory(mb, cpu, cell_addr(2) - 1));
    assert_true(km_memblock_is_memory(mb, cpu, cell_addr(2)));
    assert_true(km_memblock_is_memory(mb, cpu, cell_addr(14) - 1));
    assert_false(km_memblock_is_memory(mb, cpu, cell_addr(14)));
    assert_false(km_memblock_is_memory(mb, cpu, cell_addr(7)));
    assert_false(km_memblock_is_reserved(mb, cpu, cell_addr(4) - 1));
    assert_true(km_memblock_is_reserved(mb, cpu, cell_addr(4)));
    assert_false(km_memblock_is_reserved(mb, cpu, cell_addr(5)));
    assert_true(km_memblock_is_region_memory(mb, cpu, cell_addr(2), 4 * CELL));
    assert_false(km_memblock_is_region_memory(mb, cpu, cell_addr(2), 4 * CELL + 1));
    assert_false(km_memblock_is_region_memory(mb, cpu, cell_addr(7), 1));
    assert_false(km_memblock_is_region_reserved(mb, cpu, cell_addr(2), 2 * CELL));
    assert_true(km_memblock_is_region_reserved(mb, cpu, cell_addr(2), 2 * CELL + 1));
    assert_false(km_memblock_is_region_reserved(mb, cpu, cell_addr(5), 9 * CELL));
    box_open(&b, true, 1); /* nothing is in an empty map */
    assert_false(km_memblock_is_memory(mb, cpu, 0));
    assert_false(km_memblock_is_region_reserved(mb, cpu, 0, CELL));
}

/* Intent: the check itself sees damage (otherwise the property test below proves nothing). */
static void test_check_sees_damage(void **state)
{
    km_vaddr count = STATIC_VA + 4 + 8;
    struct box b;

    (void)state;
    box_open(&b, true, 1);
    load_map(&b, KM_MEMBLOCK_MEMORY, "MM.MM.MM");
    km_vaddr first = array_at(&b, KM_MEMBLOCK_MEMORY);
    static const struct {
        uint32_t offset, add;
    } damage[] = {{8, 1}, {8, CELL}, {0, 8 * CELL}, {8, 0u - 2 * CELL}};

    for (size_t i = 0; i < KM_ARRAY_LEN(damage); i++) {
        uint32_t *word = (uint32_t *)(guest + first + damage[i].offset);

        *word += damage[i].add;
        assert_non_null(km_memblock_check(&b.mb, guest));
        *word -= damage[i].add;
        assert_null(km_memblock_check(&b.mb, guest));
    }
    for (uint32_t wrong = 0; wrong < 200; wrong++) {
        *(uint32_t *)(guest + count) = wrong;
        assert_int_equal(km_memblock_check(&b.mb, guest) == NULL, wrong == 3);
    }
}

/* ---- the CPU port ---- */

struct watch {
    uint32_t loads, stores;
    uint8_t stored[0x4000]; /* 1: byte STATIC_VA + i was announced as stored */
};

static void watch_ref(struct km_cpu *cpu, km_vaddr va, uint32_t bytes, enum km_ref_kind kind)
{
    struct watch *w = cpu->ctx;

    if (kind == KM_REF_LOAD) {
        w->loads++;
        return;
    }
    w->stores++;
    for (uint32_t i = 0; i < bytes; i++)
        if (va + i >= STATIC_VA && va + i - STATIC_VA < sizeof(w->stored))
            w->stored[va + i - STATIC_VA] = 1;
}

static void watch_exec(struct km_cpu *cpu, const struct km_site *site, uint32_t insns)
{
    (void)cpu, (void)site, (void)insns;
}

/* Intent: every byte of the arrays that changes was stored through the port, and decisions are the
 * same with and without a port behind it. */
static void test_touches_only_through_port(void **state)
{
    static struct watch w;
    static uint8_t before[sizeof(w.stored)], after[sizeof(w.stored)];
    const struct km_cpu_ops ops = {.name = "watch", .ref = watch_ref, .exec = watch_exec};
    struct km_prng prng = {.state = 11};
    struct box b;

    (void)state;
    box_open(&b, true, 2);
    assert_true(km_memblock_static_bytes(true, 2) < sizeof(w.stored));
    for (unsigned i = 0; i < 2000; i++) {
        km_paddr base = km_prng_below(&prng, 256) * 0x1000ull;
        km_paddr size = km_prng_below(&prng, 16) * 0x1000ull;

        memcpy(before, guest + STATIC_VA, sizeof(before));
        memset(&w, 0, sizeof(w));
        b.cpu.ops = &ops;
        b.cpu.ctx = &w;
        run_op(&b, (enum op)km_prng_below(&prng, MARK_HOTPLUG + 1), base, size);
        b.cpu.ops = NULL;
        memcpy(after, guest + STATIC_VA, sizeof(after));
        for (size_t at = 0; at < sizeof(after); at++)
            if (before[at] != after[at])
                assert_true(w.stored[at]);
        check(&b);
    }
}

/* Intent: the exact traffic of the simplest call, reserving in an empty array (PAE, UMA):
 *   loads   count; size of region 0 (array pointer + 2 words); array pointer again
 *   stores  base 2, size 2, flags 1, total_size 2
 */
static void test_traffic_of_first_reserve(void **state)
{
    static struct watch w;
    const struct km_cpu_ops ops = {.name = "watch", .ref = watch_ref, .exec = watch_exec};
    struct box b;

    (void)state;
    box_open(&b, true, 1);
    memset(&w, 0, sizeof(w));
    b.cpu.ops = &ops;
    b.cpu.ctx = &w;
    km_memblock_reserve(&b.mb, &b.cpu, CELL, CELL);
    assert_int_equal(w.loads, 5);
    assert_int_equal(w.stores, 7);
}

/* ---- a real boot ---- */

struct replay {
    struct box b;
    km_paddr pending; /* address our allocation got, to be compared with the kernel's */
    unsigned allocs, frees, lines;
    unsigned memory_regions, reserved_regions;
    unsigned long available_kib, present_kib;
    bool configured;
};

static bool starts(const char *line, const char *word)
{
    return strncmp(line, word, strlen(word)) == 0;
}

/* The kernel's own dump of both arrays: memory must be what we have, reserved is where we start
 * from. */
static void replay_dump(struct replay *r, const char *line)
{
    unsigned long long first, last, bytes;
    struct km_memblock_region region;
    unsigned index;

    if (sscanf(line, " memory size = 0x%llx reserved", &bytes) == 1) {
        km_memblock_trim_memory(&r->b.mb, &r->b.cpu, KM_PAGE_BYTES);
        assert_int_equal(km_memblock_phys_mem_size(&r->b.mb, &r->b.cpu), bytes);
    } else if (sscanf(line, " memory[0x%x] [0x%llx-0x%llx]", &index, &first, &last) == 3) {
        assert_true(km_memblock_get(&r->b.mb, &r->b.cpu, KM_MEMBLOCK_MEMORY, index, &region));
        assert_int_equal(region.base, first);
        assert_int_equal(region.base + region.size - 1, last);
        r->memory_regions++;
    } else if (sscanf(line, " reserved[0x%x] [0x%llx-0x%llx]", &index, &first, &last) == 3) {
        km_memblock_reserve(&r->b.mb, &r->b.cpu, first, last + 1 - first);
        assert_true(km_memblock_get(&r->b.mb, &r->b.cpu, KM_MEMBLOCK_RESERVED, index, &region));
        assert_int_equal(region.base, first);
        assert_int_equal(region.base + region.size - 1, last);
        r->reserved_regions++;
        r->configured = true;
    }
}

static void replay_alloc(struct replay *r, const char *line)
{
    unsigned long long size, align, from, max;
    struct km_memblock *mb = &r->b.mb;
    struct km_cpu *cpu = &r->b.cpu;
    const char *numbers = strchr(line, ':') + 1;
    int nid;

    assert_int_equal(r->pending, 0);
    if (sscanf(numbers, " %llu bytes align=0x%llx nid=%d from=0x%llx max_addr=0x%llx", &size,
               &align, &nid, &from, &max) == 5)
        r->pending = km_memblock_alloc_try_nid_raw(mb, cpu, size, align, from, max, (uint32_t)nid);
    else if (sscanf(numbers, " %llu bytes align=0x%llx from=0x%llx max_addr=0x%llx", &size, &align,
                    &from, &max) == 4)
        r->pending = km_memblock_phys_alloc_range(mb, cpu, size, align, from, max);
    else
        fail_msg("allocation line not understood: %s", line);
    assert_int_not_equal(r->pending, 0);
    r->allocs++;
}

static void replay_range(struct replay *r, const char *line)
{
    unsigned long long first, last;

    assert_int_equal(sscanf(strchr(line, '['), "[0x%llx-0x%llx]", &first, &last), 2);
    if (starts(line, "memblock_add:")) {
        assert_int_equal(km_memblock_add(&r->b.mb, &r->b.cpu, first, last + 1 - first), 0);
    } else if (starts(line, "memblock_phys_free:")) {
        km_memblock_phys_free(&r->b.mb, &r->b.cpu, first, last + 1 - first);
        r->frees++;
    } else if (r->pending) {
        assert_int_equal(r->pending, first); /* the kernel's choice */
        r->pending = 0;
    } else {
        km_memblock_reserve(&r->b.mb, &r->b.cpu, first, last + 1 - first);
    }
}

static void replay_line(struct replay *r, const char *line)
{
    if (starts(line, "memblock_alloc") || starts(line, "memblock_phys_alloc_range"))
        replay_alloc(r, line);
    else if (starts(line, "memblock_"))
        replay_range(r, line);
    else if (starts(line, "Memory:"))
        assert_int_equal(
            sscanf(line, "Memory: %luK/%luK available", &r->available_kib, &r->present_kib), 2);
    else
        replay_dump(r, line);
    check(&r->b);
    r->lines++;
}

static unsigned long pages_of(struct box *b, bool free_only)
{
    unsigned long pages = 0;
    uint64_t cursor = 0;
    uint32_t index = 0;
    km_pfn start, end;

    while (free_only ? km_memblock_next_free_pfn(&b->mb, &b->cpu, &cursor, &start, &end)
                     : km_memblock_next_mem_pfn(&b->mb, &b->cpu, &index, ANY, &start, &end))
        pages += end - start;
    return pages;
}

/* Intent: a kernel that boots with memblock=debug logs every request and where it landed. Our
 * allocator, given the requests, must choose every one of these addresses, and end with the number
 * of free pages the kernel reports. 2 CPUs, PAE, 1 GiB; no difference is left to explain: what is
 * freed later (initrd, init sections) is counted as reserved in that line of the log, too.
 */
static void test_real_boot(void **state)
{
    static struct replay r;
    char line[512];
    FILE *log = fopen(KM_SOURCE_DIR "/tests/data/memblock-pae-1g.txt", "r");

    (void)state;
    assert_non_null(log);
    memset(&r, 0, sizeof(r));
    box_open(&r.b, true, 1);
    km_memblock_set_current_limit(&r.b.mb, &r.b.cpu, MAP_BASE);
    while (fgets(line, sizeof(line), log)) {
        /* Once low memory is mapped (the first thing freed is the probe for its page tables),
         * everything below its end is accessible. */
        if (r.frees)
            km_memblock_set_current_limit(&r.b.mb, &r.b.cpu, 0x36ffe000);
        replay_line(&r, line);
    }
    fclose(log);
    assert_int_equal(r.lines, 110);
    assert_int_equal(r.allocs, 40);
    assert_int_equal(r.memory_regions, 2);
    assert_int_equal(r.reserved_regions, 4);
    assert_int_equal(pages_of(&r.b, true) * 4, r.available_kib);
    assert_int_equal(pages_of(&r.b, false) * 4, r.present_kib);
}

static int open_guest(void **state)
{
    (void)state;
    guest = mmap(NULL, 1ull << 32, PROT_READ | PROT_WRITE,
                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return guest == MAP_FAILED ? -1 : 0;
}

static int close_guest(void **state)
{
    (void)state;
    return munmap(guest, 1ull << 32);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_add),
        cmocka_unit_test(test_add_keeps_flags),
        cmocka_unit_test(test_reserve),
        cmocka_unit_test(test_remove_and_free),
        cmocka_unit_test(test_mark),
        cmocka_unit_test(test_cap_keeps_nomap),
        cmocka_unit_test(test_memory_limit),
        cmocka_unit_test(test_empty_representation),
        cmocka_unit_test(test_clip_at_phys_addr_max),
        cmocka_unit_test(test_trim),
        cmocka_unit_test(test_alloc_places),
        cmocka_unit_test(test_alloc_alignment),
        cmocka_unit_test(test_alloc_limits),
        cmocka_unit_test(test_alloc_flags),
        cmocka_unit_test(test_alloc_nodes),
        cmocka_unit_test(test_set_node),
        cmocka_unit_test(test_page_zero),
        cmocka_unit_test(test_phys_alloc_range_and_limit),
        cmocka_unit_test(test_zeroing),
        cmocka_unit_test(test_full_without_resize),
        cmocka_unit_test(test_wide_range_over_many),
        cmocka_unit_test(test_doubling),
        cmocka_unit_test(test_doubling_avoids_new_range),
        cmocka_unit_test(test_doubling_memory),
        cmocka_unit_test(test_free_ranges),
        cmocka_unit_test(test_free_pfns),
        cmocka_unit_test(test_queries),
        cmocka_unit_test(test_check_sees_damage),
        cmocka_unit_test(test_touches_only_through_port),
        cmocka_unit_test(test_traffic_of_first_reserve),
        cmocka_unit_test(test_real_boot),
    };

    return cmocka_run_group_tests(tests, open_guest, close_guest);
}
