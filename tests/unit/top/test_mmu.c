/* SPDX-License-Identifier: MIT
 * test_mmu.c - the timed port's view of the MMU: faults and their handler, CR3 and global pages,
 * CR0.WP, user mode, memory types and write-combining buffers.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "models/base/x86_paging.h"
#include "tests/unit/top/fixture.h"

#define HOLE_VA 0xf8123000u /* in vmalloc space; references only, no data stand behind it */

/* One CPU, one function; paging is on. */
struct solo {
    struct km_pgtable pt;
    struct km_core *core;
    void (*body)(struct solo *s, struct km_cpu *cpu);
    unsigned started, faults;
    uint32_t error[8];
    bool refuse;
};

static bool solo_peek(void *ctx, unsigned *cpu, uint64_t *due_ns)
{
    *cpu = 0;
    *due_ns = 0;
    return !((struct solo *)ctx)->started;
}

static void solo_run(void *ctx, struct km_cpu *cpu, uint64_t now_ns)
{
    struct solo *s = ctx;

    (void)now_ns;
    s->started = 1;
    s->body(s, cpu);
}

static int run_solo(struct solo *s, const struct km_config *cfg, struct km_hw_stats *hw,
                    struct km_err *err)
{
    const struct km_program program = {.ctx = s, .peek = solo_peek, .run = solo_run};
    struct km_window w;
    km_pfn tables = 1024;
    void *m;

    assert_int_equal(km_window_create(&w, RAM_BYTES, RAM_BYTES, PAGE_OFFSET, err), KM_OK);
    assert_int_equal(km_stepper_engine.create(&m, cfg, &w, err), KM_OK);
    s->core = km_stepper_core(m);
    assert_true(km_pgtable_build(&s->pt, km_stepper_engine.null_port(m, 0),
                                 cfg->machine.paging == KM_PAGING_PAE, PAGE_OFFSET, RAM_BYTES,
                                 take_table_page, &tables));
    /* Tables for the hole exist, so that handlers need no pages of their own. */
    assert_true(km_pgtable_map(&s->pt, km_stepper_engine.null_port(m, 0), HOLE_VA, 100));
    km_pgtable_unmap(&s->pt, km_stepper_engine.null_port(m, 0), HOLE_VA);
    km_stepper_engine.set_cr3(m, km_pgtable_cr3(&s->pt));
    int rc = km_stepper_engine.run(m, &program, err);

    km_stepper_engine.stats(m, hw);
    km_stepper_engine.destroy(m);
    km_window_release(&w);
    return rc;
}

static struct km_config plain(bool pae)
{
    struct km_config cfg = small_config(1, pae);
    struct km_machine_config *m = &cfg.machine;

    m->nx = m->write_protect = m->global_pages = m->pat = true;
    m->fault_cycles = 400;
    m->cr3_cycles = 20;
    m->wc_buffers = 4;
    return cfg;
}

static uint64_t cycles_of_load(struct km_cpu *cpu, km_vaddr va)
{
    uint64_t before = cpu->local_cycles;

    km_ref(cpu, va, 4, KM_REF_LOAD);
    return cpu->local_cycles - before;
}

/* ---- faults ------------------------------------------------------------------------------------
 */

static bool map_it(void *ctx, struct km_cpu *cpu, km_vaddr va, uint32_t error)
{
    struct solo *s = ctx;

    assert_false(cpu->user);
    s->error[s->faults++] = error;
    if (s->refuse)
        return false;
    assert_true(km_pgtable_map(&s->pt, cpu, va & ~4095u, 2100 + s->faults));
    return true;
}

static void touch_hole(struct solo *s, struct km_cpu *cpu)
{
    cpu->fault = map_it;
    cpu->fault_ctx = s;
    uint64_t first = cycles_of_load(cpu, HOLE_VA + 4);
    uint64_t second = cycles_of_load(cpu, HOLE_VA + 4);

    assert_true(first > 400 && second < 10);
    km_ref(cpu, HOLE_VA + 4096, 4, KM_REF_STORE);
}

static void handler_maps_and_the_reference_is_tried_again(void **state)
{
    (void)state;
    for (unsigned pae = 0; pae < 2; pae++) {
        struct km_config cfg = plain(pae);
        struct solo s = {.body = touch_hole};
        struct km_hw_stats hw;
        struct km_err err = {0};

        assert_int_equal(run_solo(&s, &cfg, &hw, &err), KM_OK);
        assert_int_equal(s.faults, 2);
        assert_int_equal(s.error[0], 0);
        assert_int_equal(s.error[1], KM_PF_WRITE);
        assert_int_equal(hw.page_faults, 2);
    }
}

static void handler_that_refuses_ends_the_run(void **state)
{
    (void)state;
    struct km_config cfg = plain(true);
    struct solo s = {.body = touch_hole, .refuse = true};
    struct km_hw_stats hw;
    struct km_err err = {0};

    assert_int_equal(run_solo(&s, &cfg, &hw, &err), KM_E_INPUT);
    assert_non_null(strstr(err.msg, "page fault at guest address 0xf8123004 (not present, read)"));
    assert_int_equal(s.faults, 1);
}

static bool claim_success(void *ctx, struct km_cpu *cpu, km_vaddr va, uint32_t error)
{
    struct solo *s = ctx;

    (void)cpu;
    (void)va;
    (void)error;
    s->faults++;
    return true;
}

static void touch_forever(struct solo *s, struct km_cpu *cpu)
{
    cpu->fault = claim_success;
    cpu->fault_ctx = s;
    km_ref(cpu, HOLE_VA, 4, KM_REF_LOAD);
}

static void handler_that_changes_nothing_ends_the_run(void **state)
{
    (void)state;
    struct km_config cfg = plain(false);
    struct solo s = {.body = touch_forever};
    struct km_hw_stats hw;
    struct km_err err = {0};

    assert_int_equal(run_solo(&s, &cfg, &hw, &err), KM_E_INPUT);
    assert_int_equal(s.faults, KM_FAULT_RETRIES);
}

static bool note_and_leave(void *ctx, struct km_cpu *cpu, km_vaddr va, uint32_t error)
{
    struct solo *s = ctx;

    (void)cpu;
    (void)va;
    s->error[s->faults++] = error;
    return false;
}

static void user_reads_kernel(struct solo *s, struct km_cpu *cpu)
{
    cpu->fault = note_and_leave;
    cpu->fault_ctx = s;
    km_ld32(cpu, DATA_VA); /* hot now */
    km_ld32(cpu, DATA_VA);
    km_control(cpu, KM_CTL_USER, 1);
    km_ld32(cpu, DATA_VA);
}

static void user_mode_is_kept_out(void **state)
{
    (void)state;
    struct km_config cfg = plain(true);
    struct solo s = {.body = user_reads_kernel};
    struct km_hw_stats hw;
    struct km_err err = {0};

    assert_int_equal(run_solo(&s, &cfg, &hw, &err), KM_E_INPUT);
    assert_non_null(strstr(err.msg, "not allowed, user read"));
    assert_int_equal(s.error[0], KM_PF_PRESENT | KM_PF_USER);
}

/* The entry of a page under test, through the window. */
static uint8_t *leaf_of(struct solo *s, struct km_cpu *cpu, km_vaddr va)
{
    uint8_t *phys = cpu->window + PAGE_OFFSET;
    bool pae = s->pt.pae;
    uint64_t entry = 0;
    km_paddr table = km_pgtable_cr3(&s->pt);

    if (pae) {
        memcpy(&entry, phys + table + (va >> 30) * 8, 8);
        table = entry & KM_PTE_FRAME_MASK;
    }
    uint32_t size = pae ? 8 : 4, mask = pae ? 511 : 1023;

    memcpy(&entry, phys + table + (va >> km_large_shift(pae) & mask) * size, size);
    table = entry & KM_PTE_FRAME_MASK;
    return phys + table + (va >> 12 & mask) * size;
}

static void set_bits(struct solo *s, struct km_cpu *cpu, km_vaddr va, uint32_t clear, uint32_t set)
{
    uint32_t low;

    memcpy(&low, leaf_of(s, cpu, va), 4);
    low = (low & ~clear) | set;
    memcpy(leaf_of(s, cpu, va), &low, 4);
}

static void write_protected(struct solo *s, struct km_cpu *cpu)
{
    km_pgtable_map(&s->pt, cpu, HOLE_VA, 2200);
    set_bits(s, cpu, HOLE_VA, KM_PTE_RW | KM_PTE_D, 0);
    km_control(cpu, KM_CTL_WP, 0);
    km_ref(cpu, HOLE_VA, 4, KM_REF_STORE); /* the supervisor may */
    km_ref(cpu, HOLE_VA, 4, KM_REF_STORE);
    cpu->fault = note_and_leave;
    cpu->fault_ctx = s;
    km_control(cpu, KM_CTL_WP, 1);
    km_ref(cpu, HOLE_VA, 4, KM_REF_STORE);
}

static void write_protect_bit(void **state)
{
    (void)state;
    struct km_config cfg = plain(true);
    struct solo s = {.body = write_protected};
    struct km_hw_stats hw;
    struct km_err err = {0};

    assert_int_equal(run_solo(&s, &cfg, &hw, &err), KM_E_INPUT);
    assert_non_null(strstr(err.msg, "not writable, write"));
    assert_int_equal(s.faults, 1);
    assert_int_equal(s.error[0], KM_PF_PRESENT | KM_PF_WRITE);
}

/* ---- CR3 and the TLBs --------------------------------------------------------------------------
 */

static uint64_t misses_of(struct km_core *core, struct km_cpu *cpu, km_vaddr va)
{
    uint64_t before = core->node[0].dtlb.misses;

    km_ref(cpu, va, 4, KM_REF_LOAD);
    return core->node[0].dtlb.misses - before;
}

static void flushes(struct solo *s, struct km_cpu *cpu)
{
    km_paddr cr3 = km_pgtable_cr3(&s->pt);

    km_pgtable_map(&s->pt, cpu, HOLE_VA, 2200); /* global, as kernel pages are */
    km_pgtable_map(&s->pt, cpu, HOLE_VA + 4096, 2201);
    set_bits(s, cpu, HOLE_VA + 4096, KM_PTE_G, 0);
    for (unsigned i = 0; i < 2; i++) {
        misses_of(s->core, cpu, HOLE_VA);
        misses_of(s->core, cpu, HOLE_VA + 4096);
    }
    uint64_t before = cpu->local_cycles;

    km_control(cpu, KM_CTL_CR3, cr3);
    assert_true(cpu->local_cycles - before >= 20 + (s->pt.pae ? 4 * 3 : 0));
    assert_int_equal(misses_of(s->core, cpu, HOLE_VA), 0);
    assert_int_equal(misses_of(s->core, cpu, HOLE_VA + 4096), 1);
    km_invlpg(cpu, HOLE_VA); /* takes global ones, too */
    assert_int_equal(misses_of(s->core, cpu, HOLE_VA), 1);
    km_control(cpu, KM_CTL_PGE, 0); /* flushes everything */
    assert_int_equal(misses_of(s->core, cpu, HOLE_VA), 1);
    km_control(cpu, KM_CTL_CR3, cr3); /* no global pages any more */
    assert_int_equal(misses_of(s->core, cpu, HOLE_VA), 1);
    assert_int_equal(misses_of(s->core, cpu, HOLE_VA), 0);
}

static void what_flushes_what(void **state)
{
    (void)state;
    for (unsigned pae = 0; pae < 2; pae++) {
        struct km_config cfg = plain(pae);
        struct solo s = {.body = flushes};
        struct km_hw_stats hw;
        struct km_err err = {0};

        assert_int_equal(run_solo(&s, &cfg, &hw, &err), KM_OK);
    }
}

static void walks(struct solo *s, struct km_cpu *cpu)
{
    uint64_t *refs = &s->core->node[0].walk_refs;

    for (unsigned i = 0; i < 3; i++)
        km_pgtable_map(&s->pt, cpu, HOLE_VA + 4096 * i, 2200 + i);
    km_ref(cpu, HOLE_VA, 4, KM_REF_LOAD);
    uint64_t before = *refs;

    km_ref(cpu, HOLE_VA + 4096, 4, KM_REF_LOAD);
    s->error[0] = (uint32_t)(*refs - before);
    km_invlpg(cpu, HOLE_VA); /* empties the PDE cache */
    before = *refs;
    km_ref(cpu, HOLE_VA + 8192, 4, KM_REF_LOAD);
    s->error[1] = (uint32_t)(*refs - before);
}

/* References per walk: directory and page; the page only with a PDE cache. PDPTEs cost none. */
static void references_of_a_walk(void **state)
{
    (void)state;
    for (unsigned k = 0; k < 4; k++) {
        struct km_config cfg = plain(k & 1);
        struct solo s = {.body = walks};
        struct km_hw_stats hw;
        struct km_err err = {0};

        cfg.machine.pde_cache = k & 2 ? 16 : 0;
        assert_int_equal(run_solo(&s, &cfg, &hw, &err), KM_OK);
        assert_int_equal(s.error[0], k & 2 ? 1 : 2);
        assert_int_equal(s.error[1], 2);
        assert_int_equal(hw.pde_cache_hits > 0, k >= 2);
    }
}

/* ---- memory types ------------------------------------------------------------------------------
 */

static void typed(struct solo *s, struct km_cpu *cpu)
{
    struct km_node *n = &s->core->node[0];

    /* HOLE: UC by PCD and PWT; +4096: WT by PWT */
    for (unsigned i = 0; i < 2; i++)
        km_pgtable_map(&s->pt, cpu, HOLE_VA + 4096 * i, 2200 + i);
    set_bits(s, cpu, HOLE_VA, 0, KM_PTE_PCD | KM_PTE_PWT);
    set_bits(s, cpu, HOLE_VA + 4096, 0, KM_PTE_PWT);
    km_ref(cpu, HOLE_VA, 4, KM_REF_LOAD);
    for (unsigned i = 0; i < 3; i++)
        assert_true(cycles_of_load(cpu, HOLE_VA) > 60); /* never cached */
    assert_int_equal(n->uncached.reads, 4);
    km_ref(cpu, HOLE_VA, 4, KM_REF_STORE);
    assert_int_equal(n->uncached.writes, 1);
    km_ref(cpu, HOLE_VA, 4, KM_REF_RMW);
    assert_int_equal(s->core->bus.n.locks, 1);
    km_ref(cpu, HOLE_VA + 4096, 4, KM_REF_LOAD);
    assert_true(cycles_of_load(cpu, HOLE_VA + 4096) <= 3); /* loads are cached */
    uint64_t before = n->uncached.writes;

    km_ref(cpu, HOLE_VA + 4096, 4, KM_REF_STORE);
    km_ref(cpu, HOLE_VA + 4096, 4, KM_REF_STORE); /* each goes out */
    assert_int_equal(n->uncached.writes - before, 2);
    assert_true(cycles_of_load(cpu, HOLE_VA + 4096) <= 3); /* and the copy stays */
}

static void uncached_and_write_through(void **state)
{
    (void)state;
    for (unsigned pae = 0; pae < 2; pae++) {
        struct km_config cfg = plain(pae);
        struct solo s = {.body = typed};
        struct km_hw_stats hw;
        struct km_err err = {0};

        assert_int_equal(run_solo(&s, &cfg, &hw, &err), KM_OK);
    }
}

static void combine(struct solo *s, struct km_cpu *cpu)
{
    struct km_node *n = &s->core->node[0];
    uint64_t before, *bus = &s->core->bus.n.transactions;
    km_vaddr wc = PAGE_OFFSET + 0x2000000; /* made WC by an MTRR */

    km_ld32(cpu, wc); /* TLB */
    before = *bus;
    uint64_t start = cpu->local_cycles;

    for (unsigned i = 0; i < 7; i++)
        km_st32(cpu, wc + 4 * i, i);
    assert_int_equal(*bus, before); /* gathered */
    assert_int_equal(cpu->local_cycles - start, 7);
    km_st32(cpu, wc + 28, 7);
    assert_int_equal(*bus - before, 1); /* 32 bytes: one burst */
    assert_int_equal(n->uncached.wc_full, 1);
    before = *bus;
    km_st32(cpu, wc + 32, 1); /* two words of a line, 16 bytes apart */
    km_st32(cpu, wc + 48, 1);
    km_fence(cpu);
    assert_int_equal(*bus - before, 2); /* eight bytes each */
    assert_int_equal(n->uncached.wc_partial, 1);
    for (unsigned i = 0; i < 4; i++)
        km_st32(cpu, wc + 4096 + 32 * i, i);
    assert_int_equal(n->nr_wc, 4);
    km_st32(cpu, wc + 8192, 9); /* no buffer left: the oldest goes */
    assert_int_equal(n->nr_wc, 4);
    assert_int_equal(n->uncached.wc_partial, 2);
    km_rmw32(cpu, DATA_VA, KM_RMW_ADD, 1, 0); /* LOCK drains */
    assert_int_equal(n->nr_wc, 0);
    assert_int_equal(n->uncached.wc_partial, 6);
}

static void write_combining(void **state)
{
    (void)state;
    struct km_config cfg = plain(true);
    struct solo s = {.body = combine};
    struct km_hw_stats hw;
    struct km_err err = {0};

    snprintf(cfg.machine.mtrr, sizeof(cfg.machine.mtrr), "0x2000000-0x2100000=wc");
    assert_int_equal(run_solo(&s, &cfg, &hw, &err), KM_OK);
    assert_int_equal(hw.uncached.wc_stores, 8 + 2 + 5);
}

/* A line that is cached dirty before its page becomes uncached must not be lost. */
static void aliases(struct solo *s, struct km_cpu *cpu)
{
    km_vaddr cached = PAGE_OFFSET + 2200u * 4096;

    km_pgtable_map(&s->pt, cpu, HOLE_VA, 2200);
    set_bits(s, cpu, HOLE_VA, 0, KM_PTE_PCD | KM_PTE_PWT);
    km_st32(cpu, cached, 1);
    assert_int_equal(km_hier_peek(&s->core->node[0].hier, 2200u * 4096 >> 5), KM_LINE_M);
    km_ref(cpu, HOLE_VA, 4, KM_REF_LOAD);
    assert_int_equal(km_hier_peek(&s->core->node[0].hier, 2200u * 4096 >> 5), KM_LINE_I);
    assert_true(cycles_of_load(cpu, cached) > 60);
}

static void uncached_references_see_cached_data(void **state)
{
    (void)state;
    struct km_config cfg = plain(true);
    struct solo s = {.body = aliases};
    struct km_hw_stats hw;
    struct km_err err = {0};

    assert_int_equal(run_solo(&s, &cfg, &hw, &err), KM_OK);
    assert_int_equal(hw.dram.writes, 1); /* the dirty line */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(handler_maps_and_the_reference_is_tried_again),
        cmocka_unit_test(handler_that_refuses_ends_the_run),
        cmocka_unit_test(handler_that_changes_nothing_ends_the_run),
        cmocka_unit_test(user_mode_is_kept_out),
        cmocka_unit_test(write_protect_bit),
        cmocka_unit_test(what_flushes_what),
        cmocka_unit_test(references_of_a_walk),
        cmocka_unit_test(uncached_and_write_through),
        cmocka_unit_test(write_combining),
        cmocka_unit_test(uncached_references_see_cached_data),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
