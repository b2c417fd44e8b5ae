/* SPDX-License-Identifier: MIT
 * test_memblock_prop.c - memblock against a naive model: one entry per KiB, every search by brute
 * force.
 *
 * Oracle:      array of cells, each with present/flags/node and reserved. Regions must be exactly
 * the runs of equal cells, totals their sum, and an allocation the highest (lowest) aligned
 * position whose cells are all free and of one memory region. After each operation:
 * km_memblock_check(), and both arrays compared with the cells in full.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "models/base/prng.h"
#include "models/os/memblock.h"
#include "tests/unit/os/rounds.h"

#include <string.h>
#include <sys/mman.h>

enum { CELL = 1024, CELLS = 1024, NODES = 3, PAGE_CELLS = 4 };

#define PAGE_OFFSET 0xc0000000u
#define STATIC_VA 0xf0000000u
#define ANY KM_MEMBLOCK_ANY_NODE

static uint8_t *guest;

struct cell {
    uint8_t present, flags, nid, reserved;
};

struct model {
    struct km_cpu cpu;
    struct km_memblock mb;
    struct km_prng prng;
    struct cell cell[CELLS], before[CELLS];
    uint32_t capacity[2];
    km_vaddr array[2];
    uint64_t excess; /* what trimming left in memory's total */
    unsigned nodes;
    unsigned cells;     /* operations stay below; with resizing, room for arrays remains above */
    unsigned max_cells; /* longest range of this run */
    uint64_t limit;     /* cells */
    bool bottom_up, mirror, resize;
    unsigned done_allocs, failed_allocs, doublings, refusals;
};

static uint32_t below(struct model *m, uint32_t n)
{
    return km_prng_below(&m->prng, n);
}

/* ---- cells as regions ---- */

static bool same_region(const struct cell *a, const struct cell *b, int kind)
{
    if (kind == KM_MEMBLOCK_RESERVED)
        return a->reserved == b->reserved;
    return a->present == b->present && a->flags == b->flags && a->nid == b->nid;
}

static bool covered(const struct cell *c, int kind)
{
    return kind == KM_MEMBLOCK_RESERVED ? c->reserved : c->present;
}

/* Next run of covered cells from *end on. */
static bool next_run(const struct cell *cell, int kind, unsigned *first, unsigned *end)
{
    unsigned at = *end;

    while (at < CELLS && !covered(&cell[at], kind))
        at++;
    if (at == CELLS)
        return false;
    *first = at;
    while (at < CELLS && covered(&cell[at], kind) && same_region(&cell[at], &cell[*first], kind))
        at++;
    *end = at;
    return true;
}

static unsigned count_runs(const struct cell *cell, int kind)
{
    unsigned first, end = 0, n = 0;

    while (next_run(cell, kind, &first, &end))
        n++;
    return n;
}

static void compare(struct model *m, int kind)
{
    unsigned first, end = 0;
    uint64_t total = kind == KM_MEMBLOCK_MEMORY ? m->excess : 0;
    struct km_memblock_region r;
    uint32_t index = 0;

    while (next_run(m->cell, kind, &first, &end)) {
        if (!km_memblock_get(&m->mb, &m->cpu, kind, index++, &r))
            fail_msg("region %u is missing", index - 1);
        if (r.base != (uint64_t)first * CELL || r.size != (uint64_t)(end - first) * CELL)
            fail_msg("region %u: cells %u..%u expected", index - 1, first, end);
        if (kind == KM_MEMBLOCK_MEMORY && r.flags != m->cell[first].flags)
            fail_msg("region %u: wrong flags", index - 1);
        if (kind == KM_MEMBLOCK_MEMORY && m->nodes > 1 && r.nid != m->cell[first].nid)
            fail_msg("region %u: wrong node", index - 1);
        total += r.size;
    }
    if (km_memblock_get(&m->mb, &m->cpu, kind, index, &r))
        fail_msg("more than %u regions", index);
    if (total != (kind == KM_MEMBLOCK_MEMORY ? km_memblock_phys_mem_size(&m->mb, &m->cpu)
                                             : km_memblock_reserved_size(&m->mb, &m->cpu)))
        fail_msg("total_size");
}

/* ---- growing arrays ---- */

static void note_arrays(struct model *m)
{
    for (int kind = 0; kind < 2; kind++) {
        km_vaddr head = STATIC_VA + 12 + (kind ? 24 : 0);

        m->capacity[kind] = km_peek32(guest, head + 4);
        m->array[kind] = km_peek32(guest, head + 16);
    }
}

static void set_reserved(struct model *m, uint64_t base, uint64_t size, bool on)
{
    for (uint64_t at = base / CELL; at < (base + size + CELL - 1) / CELL && at < CELLS; at++)
        m->cell[at].reserved = on;
}

static uint64_t array_bytes(const struct model *m, uint32_t capacity)
{
    uint64_t bytes = (uint64_t)capacity * m->mb.region_bytes;

    return (bytes + 4095) / 4096 * 4096;
}

/* If an array moved: its new place must have been free, page-aligned, and outside what is being
 * worked on; the old one is given back unless it was the static one. */
static void follow_arrays(struct model *m, uint64_t base, uint64_t size)
{
    uint32_t capacity[2] = {m->capacity[0], m->capacity[1]};
    km_vaddr array[2] = {m->array[0], m->array[1]};

    note_arrays(m);
    for (int kind = 0; kind < 2; kind++) {
        uint64_t at = m->array[kind] - PAGE_OFFSET, bytes = array_bytes(m, m->capacity[kind]);

        if (array[kind] == m->array[kind])
            continue;
        m->doublings++;
        assert_int_equal(m->capacity[kind], capacity[kind] * 2);
        assert_int_equal(at % 4096, 0);
        assert_true(at >= 4096 && at + bytes <= m->limit * CELL);
        for (uint64_t c = at / CELL; c < (at + bytes) / CELL; c++)
            assert_true(m->cell[c].present && !m->cell[c].reserved);
        if (kind == KM_MEMBLOCK_RESERVED)
            assert_true(at + bytes <= base || at >= base + size);
        if (array[kind] < STATIC_VA)
            set_reserved(m, array[kind] - PAGE_OFFSET, array_bytes(m, capacity[kind]), false);
        set_reserved(m, at, bytes, true);
    }
}

static bool usable(const struct model *m, unsigned c, uint32_t nid, bool mirrored)
{
    const struct cell *cell = &m->cell[c];

    if (!cell->present || cell->reserved ||
        (cell->flags & (KM_MEMBLOCK_NOMAP | KM_MEMBLOCK_DRIVER_MANAGED)))
        return false;
    if (mirrored && !(cell->flags & KM_MEMBLOCK_MIRROR))
        return false;
    return nid == ANY || nid == cell->nid;
}

static bool fits(const struct model *m, unsigned at, unsigned size, uint32_t nid, bool mirrored)
{
    for (unsigned c = at; c < at + size; c++)
        if (!usable(m, c, nid, mirrored) ||
            !same_region(&m->cell[c], &m->cell[at], KM_MEMBLOCK_MEMORY))
            return false;
    return true;
}

/* A refusal is right only if the array was too small for the splits or gaps needed, and could not
 * grow: not allowed to, or no free place for it (outside the range that is being reserved). */
static void expect_refusal(struct model *m, int kind, unsigned needed, unsigned first, unsigned end)
{
    unsigned cells = (unsigned)(array_bytes(m, m->capacity[kind] * 2) / CELL);

    m->refusals++;
    assert_true(count_runs(m->cell, kind) + needed > m->capacity[kind]);
    if (kind == KM_MEMBLOCK_MEMORY)
        first = end = 0;
    for (unsigned at = PAGE_CELLS; m->resize && at + cells <= m->limit; at += PAGE_CELLS)
        if (at + cells <= first || at >= end)
            assert_false(fits(m, at, cells, ANY, false));
}

/* ---- operations ---- */

static void apply_add(struct model *m, unsigned first, unsigned end, uint8_t flags, uint8_t nid)
{
    for (unsigned c = first; c < end; c++)
        if (!m->cell[c].present)
            m->cell[c] = (struct cell){1, flags, nid, m->cell[c].reserved};
}

static unsigned count_gaps(const struct model *m, int kind, unsigned first, unsigned end)
{
    unsigned gaps = 0;

    for (unsigned c = first; c < end; c++)
        if (!covered(&m->cell[c], kind) && (c == first || covered(&m->cell[c - 1], kind)))
            gaps++;
    return gaps;
}

static void op_add(struct model *m, unsigned first, unsigned end)
{
    static const uint8_t flags[] = {0, 0, 0, 1, 4, 8};
    uint8_t flag = flags[below(m, sizeof(flags))];
    uint8_t nid = m->nodes > 1 ? (uint8_t)below(m, m->nodes) : 0;
    bool was_empty = count_runs(m->cell, KM_MEMBLOCK_MEMORY) == 0;

    if (km_memblock_add_node(&m->mb, &m->cpu, (uint64_t)first * CELL,
                             (uint64_t)(end - first) * CELL, nid, flag)) {
        expect_refusal(m, KM_MEMBLOCK_MEMORY, count_gaps(m, KM_MEMBLOCK_MEMORY, first, end), first,
                       end);
        return;
    }
    if (was_empty && end > first)
        m->excess = 0;
    follow_arrays(m, 0, 0);
    apply_add(m, first, end, flag, nid);
}

static void op_reserve(struct model *m, unsigned first, unsigned end)
{
    uint64_t base = (uint64_t)first * CELL, size = (uint64_t)(end - first) * CELL;

    if (km_memblock_reserve(&m->mb, &m->cpu, base, size)) {
        expect_refusal(m, KM_MEMBLOCK_RESERVED, count_gaps(m, KM_MEMBLOCK_RESERVED, first, end),
                       first, end);
        return;
    }
    follow_arrays(m, base, size);
    set_reserved(m, base, size, true);
}

static void op_remove(struct model *m, unsigned first, unsigned end)
{
    if (km_memblock_remove(&m->mb, &m->cpu, (uint64_t)first * CELL,
                           (uint64_t)(end - first) * CELL)) {
        expect_refusal(m, KM_MEMBLOCK_MEMORY, 2, first, end);
        return;
    }
    follow_arrays(m, 0, 0);
    for (unsigned c = first; c < end; c++)
        m->cell[c].present = m->cell[c].flags = m->cell[c].nid = 0;
}

/* Never frees the doubled arrays themselves: no kernel code owns them but memblock. */
static void op_free(struct model *m, unsigned first, unsigned end)
{
    uint64_t base = (uint64_t)first * CELL, size = (uint64_t)(end - first) * CELL;

    for (int kind = 0; kind < 2; kind++) {
        uint64_t at = m->array[kind] - PAGE_OFFSET;

        if (m->array[kind] < STATIC_VA && base < at + array_bytes(m, m->capacity[kind]) &&
            at < base + size)
            return;
    }
    if (km_memblock_phys_free(&m->mb, &m->cpu, base, size)) {
        expect_refusal(m, KM_MEMBLOCK_RESERVED, 2, first, end);
        return;
    }
    follow_arrays(m, base, size);
    set_reserved(m, base, size, false);
}

static void op_mark(struct model *m, unsigned first, unsigned end)
{
    static const uint8_t flags[] = {KM_MEMBLOCK_HOTPLUG, KM_MEMBLOCK_MIRROR, KM_MEMBLOCK_NOMAP};
    uint8_t flag = flags[below(m, sizeof(flags))];
    uint64_t base = (uint64_t)first * CELL, size = (uint64_t)(end - first) * CELL;
    bool set = below(m, 3) == 0;

    if (set && flag == KM_MEMBLOCK_MIRROR)
        m->mirror = true;
    if (set ? km_memblock_mark(&m->mb, &m->cpu, base, size, flag)
            : km_memblock_clear(&m->mb, &m->cpu, base, size, flag)) {
        expect_refusal(m, KM_MEMBLOCK_MEMORY, 2, first, end);
        return;
    }
    follow_arrays(m, 0, 0);
    for (unsigned c = first; c < end; c++)
        if (m->cell[c].present)
            m->cell[c].flags = set ? m->cell[c].flags | flag : m->cell[c].flags & ~flag;
}

static void op_set_node(struct model *m, unsigned first, unsigned end)
{
    uint8_t nid = (uint8_t)below(m, NODES);

    if (km_memblock_set_node(&m->mb, &m->cpu, KM_MEMBLOCK_MEMORY, (uint64_t)first * CELL,
                             (uint64_t)(end - first) * CELL, nid)) {
        expect_refusal(m, KM_MEMBLOCK_MEMORY, 2, first, end);
        return;
    }
    follow_arrays(m, 0, 0);
    for (unsigned c = first; c < end && m->nodes > 1; c++)
        if (m->cell[c].present)
            m->cell[c].nid = nid;
}

static void op_trim(struct model *m)
{
    unsigned align = 1u << below(m, 4), first, end = 0;

    memcpy(m->before, m->cell, sizeof(m->cell));
    km_memblock_trim_memory(&m->mb, &m->cpu, (uint64_t)align * CELL);
    while (next_run(m->before, KM_MEMBLOCK_MEMORY, &first, &end)) {
        unsigned keep_first = (first + align - 1) / align * align, keep_end = end / align * align;

        for (unsigned c = first; c < end; c++)
            if (c < keep_first || c >= keep_end)
                m->cell[c].present = m->cell[c].flags = m->cell[c].nid = 0;
        if (keep_first < keep_end)
            m->excess += (uint64_t)(keep_first - first + end - keep_end) * CELL;
    }
}

/* ---- allocation ---- */

struct request {
    unsigned size, align, min, max; /* cells */
    uint32_t nid;
};

/* Best position for one node and one kind of memory; 0: none. */
static unsigned search(const struct model *m, const struct request *q, unsigned min, uint32_t nid,
                       bool mirrored)
{
    unsigned best = 0;

    for (unsigned at = (min + q->align - 1) / q->align * q->align; at + q->size <= q->max;
         at += q->align) {
        if (at < PAGE_CELLS || !fits(m, at, q->size, nid, mirrored))
            continue;
        best = at;
        if (m->bottom_up)
            break;
    }
    return best;
}

static unsigned search_all(const struct model *m, const struct request *q)
{
    for (unsigned pass = 0; pass < 2; pass++) { /* the second without min */
        unsigned min = pass ? 0 : q->min;

        for (int mirrored = m->mirror; mirrored >= 0; mirrored--) {
            unsigned at = search(m, q, min, q->nid, mirrored);

            if (!at && q->nid != ANY)
                at = search(m, q, min, ANY, mirrored);
            if (at)
                return at;
        }
    }
    return 0;
}

static void op_alloc(struct model *m)
{
    struct request q = {
        .size = 1 + below(m, m->max_cells),
        .align = 1u << below(m, 5),
        .min = below(m, 2) ? below(m, CELLS) : 0,
        .max = below(m, 2) || m->resize ? 1 + below(m, m->cells) : CELLS,
        .nid = m->nodes > 1 && below(m, 2) ? below(m, m->nodes) : ANY,
    };
    uint64_t got = km_memblock_alloc_try_nid_raw(
        &m->mb, &m->cpu, (uint64_t)q.size * CELL, (uint64_t)q.align * CELL, (uint64_t)q.min * CELL,
        q.max == CELLS ? KM_MEMBLOCK_ACCESSIBLE : (uint64_t)q.max * CELL, q.nid);
    unsigned want;

    if (q.max > m->limit)
        q.max = (unsigned)m->limit;
    want = search_all(m, &q);
    if (got == 0 && want) {
        expect_refusal(m, KM_MEMBLOCK_RESERVED, 1, want, want + q.size);
        return;
    }
    if (got != (uint64_t)want * CELL)
        fail_msg("allocation at cell %u expected, not %u", want, (unsigned)(got / CELL));
    if (!got) {
        m->failed_allocs++;
        return;
    }
    m->done_allocs++;
    follow_arrays(m, got, (uint64_t)q.size * CELL);
    set_reserved(m, got, (uint64_t)q.size * CELL, true);
}

/* Both iterators list exactly the free cells. */
static void check_iterators(struct model *m)
{
    uint64_t up = 0, down = KM_MEMBLOCK_LAST;
    uint64_t free_cells = 0, up_cells = 0, down_cells = 0, last = 0;
    km_paddr start, end;

    for (unsigned c = 0; c < CELLS; c++)
        free_cells += usable(m, c, ANY, false);
    while (km_memblock_next_free(&m->mb, &m->cpu, &up, ANY, KM_MEMBLOCK_NONE, &start, &end)) {
        assert_true(start >= last && start < end);
        for (uint64_t c = start / CELL; c < end / CELL; c++)
            up_cells += usable(m, (unsigned)c, ANY, false);
        last = end;
    }
    last = (uint64_t)CELLS * CELL;
    while (km_memblock_prev_free(&m->mb, &m->cpu, &down, ANY, KM_MEMBLOCK_NONE, &start, &end)) {
        assert_true(end <= last && start < end);
        down_cells += (end - start) / CELL;
        last = start;
    }
    assert_int_equal(up_cells, free_cells);
    assert_int_equal(down_cells, free_cells);
}

static void step(struct model *m)
{
    unsigned first = below(m, m->cells), end = first + below(m, m->max_cells + 1);
    const char *broken;

    if (end > m->cells)
        end = m->cells;
    switch (below(m, 40)) {
    case 0 ... 7:
        op_add(m, first, end);
        break;
    case 8 ... 11:
        op_remove(m, first, end);
        break;
    case 12 ... 17:
        op_reserve(m, first, end);
        break;
    case 18 ... 27:
        op_free(m, first, end);
        break;
    case 28 ... 29:
        op_mark(m, first, end);
        break;
    case 30:
        op_set_node(m, first, end);
        break;
    case 31:
        check_iterators(m);
        if (below(m, 40) == 0)
            op_trim(m);
        break;
    case 32:
        m->bottom_up = below(m, 2);
        km_memblock_set_bottom_up(&m->mb, &m->cpu, m->bottom_up);
        m->limit = below(m, 4) ? CELLS : CELLS / 2 + below(m, CELLS / 2);
        km_memblock_set_current_limit(&m->mb, &m->cpu, m->limit * CELL);
        break;
    default:
        op_alloc(m);
    }
    broken = km_memblock_check(&m->mb, guest);
    if (broken)
        fail_msg("%s", broken);
    compare(m, KM_MEMBLOCK_MEMORY);
    compare(m, KM_MEMBLOCK_RESERVED);
}

static void run(struct model *m, uint64_t seed, unsigned steps)
{
    struct km_memblock_params p = {
        .static_va = STATIC_VA,
        .page_offset = PAGE_OFFSET,
        .paddr_64 = true,
        .nodes = seed & 1 ? NODES : 1,
        .line_bytes = 64,
    };

    memset(m, 0, sizeof(*m));
    m->prng.state = seed;
    m->nodes = p.nodes;
    m->max_cells = seed & 2 ? 2 : 64;
    m->limit = CELLS;
    m->resize = seed % 8 >= 3;
    m->cells = m->resize ? CELLS * 7 / 8 : CELLS;
    km_cpu_init_null(&m->cpu, 0, guest);
    km_memblock_init(&m->mb, &m->cpu, &p);
    km_memblock_set_current_limit(&m->mb, &m->cpu, m->limit * CELL);
    if (m->resize)
        km_memblock_allow_resize(&m->mb);
    note_arrays(m);
    op_add(m, 0, CELLS);
    for (unsigned i = 0; i < steps; i++)
        step(m);
}

/* Intent: 100 000 random operations, one and three nodes, small and large ranges, with and without
 * array growth: regions, totals, placements and iterators are those of the cells after every single
 * one. */
static void test_random_operations(void **state)
{
    static struct model m;
    unsigned allocs = 0, failed = 0, doublings = 0, refusals = 0;

    (void)state;
    for (uint64_t seed = 0; seed < 24; seed++) {
        run(&m, seed, test_rounds(4200));
        allocs += m.done_allocs;
        failed += m.failed_allocs;
        doublings += m.doublings;
        refusals += m.refusals;
    }
    /* every path was taken often enough to mean something */
    print_message("%u allocations, %u failed, %u doublings, %u refusals\n", allocs, failed,
                  doublings, refusals);
    assert_true(allocs > 1000 && failed > 1000 && doublings > 10 && refusals > 1000);
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
        cmocka_unit_test(test_random_operations),
    };

    return cmocka_run_group_tests(tests, open_guest, close_guest);
}
