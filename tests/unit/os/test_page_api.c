/* SPDX-License-Identifier: MIT
 * test_page_api.c - linear addresses, exact sizes, splitting and page references.
 */
#include "tests/unit/os/vmem_fixture.h"

#include "models/os/page_api.h"
#include "tests/unit/os/rounds.h"

static void addresses(void **state)
{
    (void)state;
    struct vmem *m = vmem_open();
    struct km_os *os = &m->g.os;
    struct km_cpu *cpu = &m->g.cpu[0];
    km_vaddr va = km_get_free_pages(os, cpu, KM_GFP_KERNEL | KM_GFP_HIGHMEM, 2);

    assert_true(va >= 0xc0000000u && km_va_to_pfn(os, va) < GUEST_LOW_PFN); /* never HighMem */
    assert_int_equal(km_page_address(os, km_va_to_pfn(os, va)), va);
    assert_int_equal(km_page_address(os, GUEST_LOW_PFN + 5), 0);
    memset(m->w.base + va, 0x77, 4 * 4096);
    assert_int_equal(km_free_pages_va(os, cpu, va, 2), KM_PAGE_OK);
    assert_int_equal(km_free_pages_va(os, cpu, va, 2), KM_PAGE_NOT_OURS); /* twice */
    assert_int_equal(km_free_pages_va(os, cpu, 0, 0), KM_PAGE_OK);
    assert_int_equal(km_free_pages_va(os, cpu, VMEM_START, 0), KM_PAGE_NOT_OURS);
    for (unsigned i = 0; i < 200; i++) {
        km_vaddr z = km_get_zeroed_page(os, cpu, KM_GFP_KERNEL);

        for (unsigned b = 0; b < 4096; b += 4)
            assert_int_equal(km_peek32(m->w.base, z + b), 0);
    }
    assert_int_equal(km_alloc_pages_node(os, cpu, 1, KM_GFP_KERNEL, 0), KM_PFN_NONE);
    assert_int_equal(km_get_free_pages(os, cpu, KM_GFP_KERNEL, 11), 0);
    guest_check(&m->g);
    vmem_close(m);
}

/* 20 KiB: order 3, pages 5..7 go back at once */
static void exact_sizes(void **state)
{
    (void)state;
    struct vmem *m = vmem_open();
    struct km_os *os = &m->g.os;
    struct km_cpu *cpu = &m->g.cpu[0];
    uint64_t before = vmem_free_pages(m);

    os->tracer.emit = guest_emit;
    os->tracer.ctx = &m->g;
    km_vaddr va = km_alloc_pages_exact(os, cpu, 20 * 1024, KM_GFP_KERNEL);
    km_pfn pfn = km_va_to_pfn(os, va), freed[8];

    assert_int_equal(pfn % 8, 0);
    assert_int_equal(guest_events(&m->g, KM_TP_PAGE_FREE, freed, 8), 3); /* traced, one by one */
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(freed[i], pfn + 5 + i);
    assert_int_equal(before - vmem_free_pages(m), 5);
    for (unsigned i = 0; i < 8; i++)
        assert_int_equal(km_page_count(os, m->w.base, pfn + i), i < 5);
    guest_check(&m->g);
    km_free_pages_exact(os, cpu, va, 20 * 1024);
    assert_int_equal(vmem_free_pages(m), before);
    assert_int_equal(km_alloc_pages_exact(os, cpu, 0, KM_GFP_KERNEL), 0);
    assert_int_equal(km_alloc_pages_exact(os, cpu, (4u << 20) + 1, KM_GFP_KERNEL), 0);
    guest_check(&m->g);
    vmem_close(m);
}

static void references_and_splitting(void **state)
{
    (void)state;
    struct vmem *m = vmem_open();
    struct km_os *os = &m->g.os;
    struct km_cpu *cpu = &m->g.cpu[0];
    uint64_t before = vmem_free_pages(m);
    km_pfn pfn = km_alloc_pages(os, cpu, KM_GFP_KERNEL, 2);

    /* Someone holds the first page while the owner frees the block: 1, 2 and 3 go, 0 stays. */
    km_get_page(os, cpu, pfn);
    assert_int_equal(km_put_pages(os, cpu, pfn, 2), KM_PAGE_HELD);
    assert_int_equal(before - vmem_free_pages(m), 1);
    assert_int_equal(km_put_page(os, cpu, pfn), KM_PAGE_OK);
    assert_int_equal(vmem_free_pages(m), before);
    assert_int_equal(km_put_page(os, cpu, pfn), KM_PAGE_NOT_OURS);

    pfn =
        km_alloc_pages(os, cpu, KM_GFP_KERNEL | KM_GFP_COMP, 2); /* a compound block stays whole */
    assert_false(km_split_page(os, cpu, pfn, 2));
    km_get_page(os, cpu, pfn);
    assert_int_equal(km_put_pages(os, cpu, pfn, 2), KM_PAGE_HELD);
    assert_int_equal(before - vmem_free_pages(m), 4);
    assert_int_equal(km_put_pages(os, cpu, pfn, 2), KM_PAGE_OK);

    pfn = km_alloc_pages(os, cpu, KM_GFP_KERNEL, 3);
    assert_true(km_split_page(os, cpu, pfn, 3));
    for (unsigned i = 0; i < 8; i++)
        assert_int_equal(km_put_page(os, cpu, pfn + (i * 3) % 8), KM_PAGE_OK);
    assert_int_equal(vmem_free_pages(m), before);
    assert_false(km_split_page(os, cpu, pfn, 0)); /* free */
    guest_check(&m->g);
    vmem_close(m);
}

enum { BLOCKS = 96 };

/* A block somebody holds: kind 'e' exact bytes, 'c' compound, 'b' block of single pages, 's' split into pages. */
struct block {
    char kind;
    km_pfn pfn;
    unsigned order;
    uint32_t bytes, refs; /* of the block ('c'), of its first page ('b') */
    uint64_t gone;        /* 's': pages given back, a bit each */
};

struct book {
    struct vmem *m;
    struct km_prng p;
    struct block block[BLOCKS];
    uint16_t owner[GUEST_MAX_PFN]; /* 1 + number of the block */
};

static unsigned pages_of(const struct block *b)
{
    return b->kind == 'e' ? (b->bytes + 4095) / 4096 : 1u << b->order;
}

static void own(struct book *k, km_pfn first, unsigned pages, unsigned who)
{
    for (km_pfn f = first; f < first + pages; f++) {
        if (who && k->owner[f])
            fail_msg("frame %x handed out twice", f);
        k->owner[f] = (uint16_t)who;
    }
}

static void take_block(struct book *k, struct km_cpu *cpu, unsigned i)
{
    static const char kinds[] = "ecbs";
    struct km_os *os = &k->m->g.os;
    struct block b = {.kind = kinds[km_prng_below(&k->p, 4)], .order = km_prng_below(&k->p, 6), .refs = 1};
    km_vaddr va = 0;

    if (b.kind == 'e') {
        b.bytes = 1 + km_prng_below(&k->p, 200 * 1024);
        va = km_alloc_pages_exact(os, cpu, b.bytes, KM_GFP_KERNEL);
        b.pfn = va ? km_va_to_pfn(os, va) : KM_PFN_NONE;
    } else {
        b.pfn = km_alloc_pages(os, cpu, KM_GFP_KERNEL | (b.kind == 'c' ? KM_GFP_COMP : 0), b.order);
    }
    if (b.pfn == KM_PFN_NONE)
        return;
    if (b.kind == 's')
        assert_true(km_split_page(os, cpu, b.pfn, b.order));
    k->block[i] = b;
    own(k, b.pfn, pages_of(&b), i + 1);
}

/* The references the pages of a live block must have. */
static void check_block(const struct book *k, const struct block *b)
{
    const struct km_os *os = &k->m->g.os;
    const uint8_t *w = k->m->w.base;

    for (unsigned n = 0; b->kind && n < pages_of(b); n++) {
        uint32_t want = b->kind == 'e' ? 1 : b->kind == 's' ? !(b->gone >> n & 1) : n ? 0 : b->refs;

        if (b->kind == 's' && !want) /* given back: somebody else's by now */
            continue;
        assert_int_equal(km_page_count(os, w, b->pfn + n), want);
        assert_int_equal(km_compound_head(os, w, b->pfn + n), b->kind == 'c' && b->order ? b->pfn : b->pfn + n);
    }
}

static void put_one_of(struct book *k, struct km_cpu *cpu, struct block *b)
{
    unsigned n = km_prng_below(&k->p, 1u << b->order);

    if (b->gone >> n & 1)
        return;
    own(k, b->pfn + n, 1, 0);
    assert_int_equal(km_put_page(&k->m->g.os, cpu, b->pfn + n), KM_PAGE_OK);
    b->gone |= 1ull << n;
    if (b->gone == (1ull << (1u << b->order)) - 1 || (b->order == 6 && !~b->gone))
        b->kind = 0;
}

static void give_block(struct book *k, struct km_cpu *cpu, struct block *b)
{
    struct km_os *os = &k->m->g.os;

    if (b->kind == 's') {
        put_one_of(k, cpu, b);
        return;
    }
    if (b->kind == 'e') {
        own(k, b->pfn, pages_of(b), 0);
        km_free_pages_exact(os, cpu, km_pfn_to_va(os, b->pfn), b->bytes);
        b->kind = 0;
        return;
    }
    if (b->refs < 4 && km_prng_below(&k->p, 3) == 0) {
        km_pfn tail = b->pfn + km_prng_below(&k->p, b->kind == 'c' ? 1u << b->order : 1);

        /* get_page of a tail counts for the head */
        km_get_page(os, cpu, km_compound_head(os, k->m->w.base, tail));
        b->refs++;
        return;
    }
    if (b->kind == 'b' && b->refs > 1) { /* the pages behind the first go with the owner */
        own(k, b->pfn + 1, (1u << b->order) - 1, 0);
        assert_int_equal(km_put_pages(os, cpu, b->pfn, b->order), KM_PAGE_HELD);
        b->order = 0;
        b->refs--;
        return;
    }
    bool last = --b->refs == 0;

    if (last)
        own(k, b->pfn, 1u << b->order, 0);
    assert_int_equal(b->kind == 'c' ? km_put_page(os, cpu, b->pfn + (1u << b->order) - 1)
                                    : km_put_pages(os, cpu, b->pfn, b->order),
                     last ? KM_PAGE_OK : KM_PAGE_HELD);
    if (last)
        b->kind = 0;
}

/* Exact sizes, compound blocks with many holders, plain and split blocks: no frame has two owners, references
 * are those of the book, free pages have none; everything given back is the start again. */
static void random_blocks(void **state)
{
    (void)state;
    static struct book k;

    memset(&k, 0, sizeof(k));
    k.m = vmem_open();
    k.p.state = 4;
    uint64_t before = vmem_free_pages(k.m);

    for (unsigned step = 0; step < test_rounds(6000); step++) {
        struct km_cpu *cpu = &k.m->g.cpu[km_prng_below(&k.p, GUEST_CPUS)];
        unsigned i = km_prng_below(&k.p, BLOCKS);

        if (k.block[i].kind)
            give_block(&k, cpu, &k.block[i]);
        else
            take_block(&k, cpu, i);
        check_block(&k, &k.block[i]);
        guest_check(&k.m->g);
        const char *why = km_page_api_check(&k.m->g.os, k.m->w.base);

        if (why)
            fail_msg("step %u: %s", step, why);
    }
    for (unsigned i = 0; i < BLOCKS; i++)
        check_block(&k, &k.block[i]);
    for (unsigned i = 0; i < BLOCKS; i++)
        while (k.block[i].kind)
            give_block(&k, &k.m->g.cpu[0], &k.block[i]);
    assert_int_equal(vmem_free_pages(k.m), before);
    guest_check(&k.m->g);
    vmem_close(k.m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses),
        cmocka_unit_test(exact_sizes),
        cmocka_unit_test(references_and_splitting),
        cmocka_unit_test(random_blocks),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
