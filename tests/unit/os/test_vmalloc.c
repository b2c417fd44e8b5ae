/* SPDX-License-Identifier: MIT
 * test_vmalloc.c - vmalloc space: placement rules, page tables, failures, lazy purge, vmap blocks,
 * properties.
 */
#include "tests/unit/os/vmem_fixture.h"

#include "models/os/vmap_block.h"
#include "tests/unit/os/rounds.h"

#define K 1024u

static struct km_cpu *cpu0(struct vmem *m)
{
    return &m->g.cpu[0];
}

/*   start
 *   | A: 1 page |g| B: 3 pages      |g| C: 1 page |g| ...
 *   then B is freed and purged:
 *   | A |g| hole of 4           | C |g|
 *   | A |g| D: 2 pages |g| 1 left | C |g|   a request of 3 pages + guard does not fit: behind C */
static void takes_the_lowest_hole_that_fits(void **state)
{
    (void)state;
    struct vmem *m = vmem_open();
    km_vaddr a = km_vmalloc(&m->v, cpu0(m), 100, 0);
    km_vaddr b = km_vmalloc(&m->v, cpu0(m), 3 * 4 * K, 0);
    km_vaddr c = km_vmalloc(&m->v, cpu0(m), 4 * K, 0);

    assert_int_equal(a, VMEM_START);
    assert_int_equal(b, a + 2 * 4 * K);
    assert_int_equal(c, b + 4 * 4 * K);
    assert_int_equal(km_vfree(&m->v, cpu0(m), b, false), KM_VFREE_OK);
    vmem_check(m);
    /* Lazy: the address is not reused before the flush. */
    assert_int_equal(km_vmalloc(&m->v, cpu0(m), 4 * K, 0), c + 2 * 4 * K);
    assert_int_equal(m->flushes, 0);
    assert_true(km_vmap_purge(&m->v.vmap, cpu0(m), 1, 0));
    assert_int_equal(m->flushes, 1);
    assert_int_equal(m->flush_lo, b);
    assert_int_equal(m->flush_hi, b + 4 * 4 * K);
    assert_int_equal(km_vmalloc(&m->v, cpu0(m), 2 * 4 * K, 0), b);
    assert_true(km_vmalloc(&m->v, cpu0(m), 4 * K, 0) >
                c); /* one page is left, and a guard is needed */
    vmem_check(m);
    vmem_close(m);
}

/* The hole [16K, 32K) is aligned to 16K and holds 16K, but the search length is 16K + 16K - 1:
 * passed over. */
static void alignment_above_a_page_may_miss_a_hole(void **state)
{
    (void)state;
    struct vmem *m = vmem_open_at(0xc4000000u, 0xc5000000u, true);
    struct km_vmap *v = &m->v.vmap;
    km_vaddr a = km_vmap_alloc(v, cpu0(m), 16 * K, 4 * K, v->start, v->end, KM_GFP_KERNEL);
    km_vaddr b = km_vmap_alloc(v, cpu0(m), 16 * K, 4 * K, v->start, v->end, KM_GFP_KERNEL);
    km_vaddr c = km_vmap_alloc(v, cpu0(m), 16 * K, 4 * K, v->start, v->end, KM_GFP_KERNEL);

    assert_true(a && b && c);
    km_vmap_free_now(v, cpu0(m), b);
    km_vaddr d = km_vmap_alloc(v, cpu0(m), 16 * K, 16 * K, v->start, v->end, KM_GFP_KERNEL);

    assert_int_equal(km_peek32(m->w.base, d + KM_VA_START), 0xc4000000u + 48 * K);
    km_vaddr e = km_vmap_alloc(v, cpu0(m), 16 * K, 4 * K, v->start, v->end, KM_GFP_KERNEL);

    assert_int_equal(km_peek32(m->w.base, e + KM_VA_START), 0xc4000000u + 16 * K);
    vmem_check(m);
    vmem_close(m);
}

/* Written through the vmalloc address, read through the frames' linear addresses (low pages). */
static void maps_real_pages(void **state)
{
    (void)state;
    struct vmem *m = vmem_open();
    uint32_t bytes = 130 * 4 * K; /* more than one bulk request */
    km_vaddr va = km_vmalloc_32(&m->v, cpu0(m), bytes, 0xc1001234u);
    struct km_vm_info info[4];

    assert_int_not_equal(va, 0);
    for (uint32_t i = 0; i < 130; i++)
        km_st32(cpu0(m), va + i * 4 * K, 0xabc00000u + i);
    for (uint32_t i = 0; i < 130; i++) {
        km_pfn pfn = km_pgtable_peek(&m->pt, m->w.base, va + i * 4 * K);

        assert_true(pfn < GUEST_LOW_PFN); /* vmalloc_32 stays out of HighMem */
        assert_int_equal(km_peek32(m->w.base, km_pfn_to_va(&m->g.os, pfn)), 0xabc00000u + i);
    }
    assert_int_equal(km_pgtable_peek(&m->pt, m->w.base, va + bytes), KM_PFN_NONE); /* guard */
    assert_int_equal(m->v.stats.bulk_calls, 2);
    assert_int_equal(km_vmalloc_info(&m->v, m->w.base, info, 4), 1);
    assert_int_equal(info[0].caller, 0xc1001234u);
    assert_int_equal(info[0].pages, 130);
    assert_int_equal(info[0].flags, KM_VM_ALLOC);
    vmem_check(m);
    assert_int_equal(km_vfree(&m->v, cpu0(m), va, false), KM_VFREE_OK);
    assert_int_equal(km_pgtable_peek(&m->pt, m->w.base, va), KM_PFN_NONE);
    vmem_check(m);
    vmem_close(m);
}

static void zeroed_user_and_nested(void **state)
{
    (void)state;
    struct vmem *m = vmem_open();
    uint32_t bytes = 1100 * 4 * K; /* 1100 page pointers do not fit one page: nested array */
    km_vaddr va = km_vmalloc_user(&m->v, cpu0(m), bytes, 0);
    struct km_vm_info info[4];

    assert_int_not_equal(va, 0);
    memset(m->w.base + va, 0x5a, bytes);
    assert_int_equal(km_vmalloc_info(&m->v, m->w.base, info, 4), 2);
    assert_int_equal(info[0].start, va);
    assert_true(info[0].vpages);
    assert_int_equal(info[0].flags, KM_VM_ALLOC | KM_VM_USERMAP);
    assert_int_equal(m->v.stats.nested_arrays, 1);
    vmem_check(m);
    km_vfree(&m->v, cpu0(m), va, false);
    assert_int_equal(m->v.stats.pages, 0);
    va = km_vzalloc(&m->v, cpu0(m), bytes, 0);
    for (uint32_t at = 0; at < bytes; at += 4)
        if (km_peek32(m->w.base, va + at))
            fail_msg("byte 0x%x of zeroed memory is not 0", at);
    vmem_close(m);
}

static void failures_give_everything_back(void **state)
{
    (void)state;
    struct vmem *m = vmem_open_at(0xc4000000u, 0xc4100000u, true); /* 1 MiB of address space */
    km_vaddr warm = km_vmalloc(&m->v, cpu0(m), 4 * K, 0);

    km_vfree(&m->v, cpu0(m), warm, false);
    km_vmap_purge(&m->v.vmap, cpu0(m), 1, 0);
    uint64_t before = vmem_free_pages(m);

    assert_int_equal(km_vmalloc(&m->v, cpu0(m), 0, 0), 0);
    assert_int_equal(m->v.why, KM_VM_FAIL_SIZE);
    assert_int_equal(km_vmalloc(&m->v, cpu0(m), 512u << 20, 0), 0); /* more than there is RAM */
    assert_int_equal(m->v.why, KM_VM_FAIL_SIZE);
    assert_int_equal(km_vmalloc(&m->v, cpu0(m), 1u << 20, 0), 0); /* no room for the guard page */
    assert_int_equal(m->v.why, KM_VM_FAIL_SPACE);
    assert_int_equal(vmem_free_pages(m), before);
    vmem_check(m);
    vmem_close(m);

    m = vmem_open();
    before = vmem_free_pages(m);
    uint32_t all = (uint32_t)before * 4 * K - 64 * K;

    assert_int_equal(km_vmalloc_32(&m->v, cpu0(m), all, 0), 0); /* low memory alone is not enough */
    assert_int_equal(m->v.why, KM_VM_FAIL_PAGES);
    km_vm_unmap_aliases(&m->v, cpu0(m));
    vmem_check(m);
    /* Page tables and slabs may stay; the area's thousands of pages may not. */
    assert_true(before - vmem_free_pages(m) < 40);
    vmem_close(m);
}

static void no_room_purges_lazy_areas_first(void **state)
{
    (void)state;
    struct vmem *m = vmem_open_at(0xc4000000u, 0xc4100000u, true);
    km_vaddr a = km_vmalloc(&m->v, cpu0(m), 700 * K, 0);

    km_vfree(&m->v, cpu0(m), a, false);
    assert_int_equal(km_vmalloc(&m->v, cpu0(m), 800 * K, 0), a);
    assert_int_equal(m->v.vmap.stats.pressure_purges, 1);
    assert_int_equal(m->flushes, 1);
    vmem_check(m);
    vmem_close(m);
}

/* fls(2 CPUs) x 8192 pages may wait; the page beyond asks for the drain. */
static void drains_above_the_lazy_limit(void **state)
{
    (void)state;
    struct vmem *m = vmem_open();
    struct km_vmap *v = &m->v.vmap;

    assert_int_equal(v->lazy_max_pages, 16384);
    km_vaddr a = km_vmap_alloc(v, cpu0(m), 16384u * 4 * K, 4 * K, v->start, v->end, KM_GFP_KERNEL);
    km_vaddr b = km_vmalloc(&m->v, cpu0(m), 4 * K, 0);

    assert_false(km_vmap_free_lazy(v, cpu0(m), a));
    assert_false(km_vmalloc_work(&m->v, cpu0(m)));
    km_vfree(&m->v, cpu0(m), b, false);
    assert_true(m->v.drain_wanted);
    assert_int_equal(km_vmap_lazy_pages(v, m->w.base),
                     16386); /* neighbours, merged while waiting */
    assert_true(km_vmalloc_work(&m->v, cpu0(m)));
    assert_int_equal(km_vmap_lazy_pages(v, m->w.base), 0);
    assert_int_equal(m->flushes, 1);
    vmem_check(m);
    vmem_close(m);
}

static void frees_in_interrupts_are_deferred(void **state)
{
    (void)state;
    struct vmem *m = vmem_open();
    km_vaddr a = km_vmalloc(&m->v, cpu0(m), 4 * K, 0), b = km_vmalloc(&m->v, cpu0(m), 8 * K, 0);

    assert_int_equal(km_vfree(&m->v, cpu0(m), a, true), KM_VFREE_DEFERRED);
    assert_int_equal(km_vfree(&m->v, cpu0(m), b, true), KM_VFREE_DEFERRED);
    assert_int_equal(m->v.stats.pages, 3);
    assert_false(km_vmalloc_work(&m->v, &m->g.cpu[1])); /* another CPU's list */
    assert_true(km_vmalloc_work(&m->v, cpu0(m)));
    assert_int_equal(m->v.stats.pages, 0);
    assert_int_equal(m->v.stats.frees, 2);
    assert_int_equal(km_vfree(&m->v, cpu0(m), 0, false), KM_VFREE_NULL);
    assert_int_equal(km_vfree(&m->v, cpu0(m), a + 1, false), KM_VFREE_BAD_ADDRESS);
    assert_int_equal(km_vfree(&m->v, cpu0(m), a, false), KM_VFREE_NO_AREA); /* second free */
    b = km_vmalloc(&m->v, cpu0(m), 8 * K, 0);
    assert_int_equal(km_vfree(&m->v, cpu0(m), b + 4 * K, false), KM_VFREE_NO_AREA); /* interior */
    assert_int_equal(m->v.stats.bad_frees, 3);
    vmem_check(m);
    vmem_close(m);
}

static void vmap_shows_the_callers_frames(void **state)
{
    (void)state;
    struct vmem *m = vmem_open();
    km_pfn pfn[3];

    for (unsigned i = 0; i < 3; i++) {
        pfn[i] = km_alloc_pages(&m->g.os, cpu0(m), KM_GFP_KERNEL, 0);
        km_st32(cpu0(m), km_pfn_to_va(&m->g.os, pfn[i]), 70 + i);
    }
    km_pfn shuffled[3] = {pfn[2], pfn[0], pfn[1]};
    km_vaddr va = km_vmap(&m->v, cpu0(m), shuffled, 3, 0);

    assert_int_equal(km_ld32(cpu0(m), va), 72);
    assert_int_equal(km_ld32(cpu0(m), va + 4 * K), 70);
    assert_int_equal(km_ld32(cpu0(m), va + 8 * K), 71);
    uint64_t before = vmem_free_pages(m);

    assert_int_equal(km_vunmap(&m->v, cpu0(m), va), KM_VFREE_OK);
    assert_int_equal(vmem_free_pages(m), before); /* the frames stay the caller's */
    vmem_check(m);
    vmem_close(m);
}

/* One block of 64 pages, aligned to 256 KiB:
 *   | 3 -> 4 | 1 | 32           | free 27 |   all but the free rest unmapped, then purge: the block
 * goes      */
static void vm_map_ram_uses_blocks(void **state)
{
    (void)state;
    struct vmem *m = vmem_open();
    km_pfn pfn[48];

    for (unsigned i = 0; i < 48; i++)
        pfn[i] = km_alloc_pages(&m->g.os, cpu0(m), KM_GFP_KERNEL, 0);
    km_vaddr a = km_vm_map_ram(&m->v, cpu0(m), pfn, 3);
    km_vaddr b = km_vm_map_ram(&m->v, cpu0(m), pfn + 3, 1);
    km_vaddr c = km_vm_map_ram(&m->v, cpu0(m), pfn + 4, 32);
    km_vaddr d = km_vm_map_ram(&m->v, cpu0(m), pfn, 32); /* 27 left: another block */
    km_vaddr e = km_vm_map_ram(&m->v, cpu0(m), pfn, 48); /* its own area */

    assert_int_equal(a % (256 * K), 0);
    assert_int_equal(b, a + 16 * K);
    assert_int_equal(c, a + 20 * K);
    assert_int_equal(d % (256 * K), 0);
    assert_int_not_equal(d, a);
    vmem_check(m);
    assert_int_equal(km_pgtable_peek(&m->pt, m->w.base, c + 31 * 4 * K), pfn[35]);
    assert_true(km_vm_unmap_ram(&m->v, cpu0(m), a, 3));
    assert_true(km_vm_unmap_ram(&m->v, cpu0(m), c, 32));
    assert_false(km_vm_unmap_ram(&m->v, cpu0(m), c, 32));      /* twice */
    assert_int_equal(km_vmap_blocks_purge(&m->v, cpu0(m)), 0); /* b is in use */
    /* Dirty space is not handed out again. */
    assert_true(km_vm_map_ram(&m->v, cpu0(m), pfn, 2) > c);
    assert_true(km_vm_unmap_ram(&m->v, cpu0(m), b, 1));
    assert_false(km_vm_unmap_ram(&m->v, cpu0(m), a + 256 * K * 64, 1));
    assert_true(km_vm_unmap_ram(&m->v, cpu0(m), d, 32));
    assert_true(km_vm_unmap_ram(&m->v, cpu0(m), e, 48));
    assert_int_equal(km_vmap_blocks_purge(&m->v, cpu0(m)),
                     1); /* d's; the first still holds 2 pages */
    km_vm_unmap_aliases(&m->v, cpu0(m));
    vmem_check(m);
    vmem_close(m);
}

/* Per-CPU chunks come from the top, everything else from the bottom. */
static void top_down_for_chunks(void **state)
{
    (void)state;
    struct vmem *m = vmem_open();
    km_vaddr a = km_vmap_alloc_top(&m->v.vmap, cpu0(m), 66 * 4 * K, 4 * K, KM_GFP_KERNEL);
    km_vaddr b = km_vmap_alloc_top(&m->v.vmap, cpu0(m), 66 * 4 * K, 4 * K, KM_GFP_KERNEL);

    assert_int_equal(km_peek32(m->w.base, a + KM_VA_START), VMEM_END - 66 * 4 * K);
    assert_int_equal(km_peek32(m->w.base, b + KM_VA_START), VMEM_END - 2 * 66 * 4 * K);
    assert_int_equal(km_vmalloc(&m->v, cpu0(m), 4 * K, 0), VMEM_START);
    vmem_check(m);
    vmem_close(m);
}

struct counts {
    uint64_t refs, invlpgs;
    km_vaddr first, last;
};

static void count_ref(struct km_cpu *cpu, km_vaddr va, uint32_t bytes, enum km_ref_kind kind)
{
    struct counts *n = cpu->ctx;

    (void)va, (void)bytes, (void)kind;
    n->refs++;
}

static void count_exec(struct km_cpu *cpu, const struct km_site *site, uint32_t insns)
{
    (void)cpu, (void)insns;
    assert_true(site->text_va > 0xc1000000u);
}

static void count_invlpg(struct km_cpu *cpu, km_vaddr va)
{
    struct counts *n = cpu->ctx;

    if (!n->invlpgs++)
        n->first = va;
    n->last = va;
}

/* Without a hook for all CPUs the purge invalidates every page of the lazy span on the calling one.
 */
static void work_costs_time_on_a_timed_cpu(void **state)
{
    (void)state;
    static const struct km_cpu_ops ops = {
        .name = "count", .ref = count_ref, .exec = count_exec, .invlpg = count_invlpg};
    struct vmem *m = vmem_open();
    struct km_cpu *cpu = cpu0(m);
    struct counts n = {0};

    m->v.vmap.flush_tlb = NULL;
    cpu->ops = &ops;
    cpu->ctx = &n;
    cpu->line_shift = 6;
    km_vaddr va = km_vmalloc(&m->v, cpu, 10 * 4 * K, 0);
    uint64_t refs = n.refs;

    assert_true(refs > 10 * 4 && cpu->insns > 1000); /* entries, page array, structures */
    assert_int_equal(n.invlpgs, 0);
    km_vfree(&m->v, cpu, va, false);
    assert_true(n.refs > refs);
    assert_int_equal(n.invlpgs, 0);
    km_vm_unmap_aliases(&m->v, cpu);
    assert_int_equal(n.invlpgs, 11);
    assert_int_equal(n.first, va);
    assert_int_equal(n.last, va + 10 * 4 * K);
    vmem_check(m);
    vmem_close(m);
}

enum { PLAY_LIVE = 256, PLAY_STEPS = 4000 };

struct live {
    km_vaddr va;
    uint32_t bytes;
    uint32_t tag;
};

static void play_alloc(struct vmem *m, struct km_prng *p, struct live *l, uint32_t tag)
{
    struct km_cpu *cpu = &m->g.cpu[km_prng_below(p, GUEST_CPUS)];

    *l = (struct live){0, 1 + km_prng_below(p, km_prng_below(p, 20) ? 9 * 4096 : 90 * 4096), tag};
    l->va = km_vmalloc(&m->v, cpu, l->bytes, 0);
    for (uint32_t at = 0; l->va && at < l->bytes; at += 4096)
        km_st32(cpu, l->va + at, tag);
}

static void play_free(struct vmem *m, struct km_prng *p, struct live *l)
{
    struct km_cpu *cpu = &m->g.cpu[km_prng_below(p, GUEST_CPUS)];

    for (uint32_t at = 0; at < l->bytes; at += 4096)
        if (km_ld32(cpu, l->va + at) != l->tag)
            fail_msg("memory at 0x%x was overwritten", l->va + at);
    enum km_vfree_result r = km_vfree(&m->v, cpu, l->va, km_prng_below(p, 8) == 0);

    assert_true(r == KM_VFREE_OK || r == KM_VFREE_DEFERRED);
    l->va = 0;
}

/* Random requests: nothing overlaps, contents stay, and at the end the address space is one free
 * area. */
static void random_requests(void **state)
{
    (void)state;
    struct vmem *m = vmem_open_at(0xc4000000u, 0xc4400000u, true);
    struct km_prng p = {.state = 20};
    struct live live[PLAY_LIVE] = {0};
    unsigned failed = 0;

    m->v.vmap.lazy_max_pages = 200;
    for (unsigned i = 0; i < test_rounds(PLAY_STEPS); i++) {
        struct live *l = &live[km_prng_below(&p, PLAY_LIVE)];

        if (l->va)
            play_free(m, &p, l);
        else
            play_alloc(m, &p, l, i + 1), failed += !l->va;
        if (km_prng_below(&p, 16) == 0)
            km_vmalloc_work(&m->v, &m->g.cpu[km_prng_below(&p, GUEST_CPUS)]);
        const char *why = km_vmalloc_check(&m->v, m->w.base);

        if (why)
            fail_msg("step %u: %s", i, why);
    }
    for (unsigned i = 0; i < PLAY_LIVE; i++)
        if (live[i].va)
            play_free(m, &p, &live[i]);
    for (unsigned c = 0; c < GUEST_CPUS; c++)
        km_vmalloc_work(&m->v, &m->g.cpu[c]);
    km_vm_unmap_aliases(&m->v, cpu0(m));
    vmem_check(m);
    assert_int_equal(m->v.stats.pages, 0);
    km_vaddr root = km_peek32(m->w.base, m->v.vmap.free.root_va) - KM_VA_RB;

    assert_int_equal(km_peek32(m->w.base, root + KM_VA_START), 0xc4000000u);
    assert_int_equal(km_peek32(m->w.base, root + KM_VA_END), 0xc4400000u);
    assert_true(failed > 0 && m->v.vmap.stats.purges > 3);
    assert_true(m->v.stats.allocs > 1000);
    vmem_close(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_the_lowest_hole_that_fits),
        cmocka_unit_test(alignment_above_a_page_may_miss_a_hole),
        cmocka_unit_test(maps_real_pages),
        cmocka_unit_test(zeroed_user_and_nested),
        cmocka_unit_test(failures_give_everything_back),
        cmocka_unit_test(no_room_purges_lazy_areas_first),
        cmocka_unit_test(drains_above_the_lazy_limit),
        cmocka_unit_test(frees_in_interrupts_are_deferred),
        cmocka_unit_test(vmap_shows_the_callers_frames),
        cmocka_unit_test(vm_map_ram_uses_blocks),
        cmocka_unit_test(top_down_for_chunks),
        cmocka_unit_test(work_costs_time_on_a_timed_cpu),
        cmocka_unit_test(random_requests),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
