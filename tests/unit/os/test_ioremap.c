/* SPDX-License-Identifier: MIT
 * test_ioremap.c - device mappings: placement, memory types, refusal of RAM, and the access
 * functions.
 */
#include "tests/unit/os/vmem_fixture.h"

#include "models/os/ioremap.h"
#include "tests/unit/os/rounds.h"

#define CARD 0xfebf1000ull

static const struct km_pfn_range ram[] = {{1, 0x9f}, {0x100, GUEST_MAX_PFN}};

struct card {
    struct vmem *m;
    struct km_io io;
    uint8_t memory[0x3000];
    uint32_t last_offset, last_value;
    unsigned last_width, reads;
};

static uint32_t card_read(void *ctx, uint32_t offset, unsigned width)
{
    struct card *c = ctx;

    c->last_offset = offset;
    c->last_width = width;
    return 0x11223300u + c->reads++; /* reading has a side effect */
}

static void card_write(void *ctx, uint32_t offset, unsigned width, uint32_t value)
{
    struct card *c = ctx;

    c->last_offset = offset;
    c->last_width = width;
    c->last_value = value;
}

/*   febf1000        febf4000        febf5000
 *   | card RAM 12K  | registers 4K  |                                                            */
static void card_open(struct card *c)
{
    memset(c, 0, sizeof(*c));
    c->m = vmem_open();
    km_io_init(&c->io, &c->m->v, ram, KM_ARRAY_LEN(ram));
    assert_true(km_io_add_device(&c->io, &(struct km_io_device){.name = "memory",
                                                                .start = CARD,
                                                                .bytes = sizeof(c->memory),
                                                                .ram = c->memory}));
    assert_true(km_io_add_device(&c->io, &(struct km_io_device){.name = "registers",
                                                                .start = CARD + 0x3000,
                                                                .bytes = 0x1000,
                                                                .read = card_read,
                                                                .write = card_write,
                                                                .ctx = c}));
}

static void entries_carry_the_memory_type(void **state)
{
    (void)state;
    static const struct {
        enum km_memtype type;
        uint32_t bits;
    } want[] = {{KM_MEM_WB, 0},     {KM_MEM_WC, 0x008}, {KM_MEM_UC_MINUS, 0x010},
                {KM_MEM_UC, 0x018}, {KM_MEM_WT, 0x098}, {KM_MEM_WP, 0x088}};
    struct card c;

    card_open(&c);
    struct km_cpu *cpu = &c.m->g.cpu[0];

    for (unsigned i = 0; i < KM_ARRAY_LEN(want); i++) {
        km_vaddr va = km_ioremap_type(&c.io, cpu, CARD, 4096, want[i].type, 0);
        uint64_t entry = km_pgtable_peek_entry(&c.m->pt, c.m->w.base, va);

        assert_int_equal(entry & 0x098, want[i].bits);
        assert_int_equal(entry & 0xffffff000ull, CARD);
        assert_true(km_iounmap(&c.io, cpu, va));
        assert_int_equal(km_pgtable_peek_entry(&c.m->pt, c.m->w.base, va), 0);
    }
    km_vaddr va = km_ioremap(&c.io, cpu, CARD, 4096, 0);

    assert_int_equal(km_pgtable_peek_entry(&c.m->pt, c.m->w.base, va) & 0x098, 0x010);
    vmem_check(c.m);
    vmem_close(c.m);
}

static void placement_and_refusals(void **state)
{
    (void)state;
    struct card c;
    struct km_vm_info info[4];

    card_open(&c);
    struct km_cpu *cpu = &c.m->g.cpu[0];

    assert_int_equal(km_ioremap(&c.io, cpu, 0x1000000, 4096, 0), 0); /* system RAM */
    assert_int_equal(km_ioremap(&c.io, cpu, 0x9e000, 0x3000, 0), 0); /* begins in RAM */
    assert_int_equal(c.io.stats.refused_ram, 2);
    assert_int_equal(km_ioremap(&c.io, cpu, CARD, 0, 0), 0);
    assert_int_equal(km_ioremap(&c.io, cpu, (1ull << 36) - 4096, 8192, 0), 0);
    assert_int_equal(c.io.stats.failed, 2);
    assert_false(km_io_add_device(&c.io, &(struct km_io_device){.start = CARD + 8, .bytes = 8}));
    /* VMEM_START is 8 KiB below a 16 KiB border: 3 pages are aligned to 4. Offsets are kept. */
    km_vaddr a = km_ioremap(&c.io, cpu, CARD + 0x123, 0x2000, 0xc1000001u);

    assert_int_equal(a, ((VMEM_START + 0x3fff) & ~0x3fffu) + 0x123);
    assert_int_equal(km_vmalloc_info(&c.m->v, c.m->w.base, info, 4), 1);
    assert_int_equal(info[0].bytes, 0x4000);
    assert_int_equal(info[0].phys, CARD);
    assert_int_equal(info[0].flags, KM_VM_IOREMAP);
    assert_int_not_equal(km_ioremap(&c.io, cpu, 0xa0000, 0x20000, 0),
                         0); /* the ISA hole is no RAM */
    assert_true(km_iounmap(&c.io, cpu, a));
    assert_false(km_iounmap(&c.io, cpu, a));
    vmem_check(c.m);
    vmem_close(c.m);
}

static void accesses_reach_the_device(void **state)
{
    (void)state;
    struct card c;

    card_open(&c);
    struct km_cpu *cpu = &c.m->g.cpu[0];
    km_vaddr va = km_ioremap(&c.io, cpu, CARD, 0x5000, 0);

    km_writel(&c.io, cpu, 0xcafe1234u, va + 0x2008);
    assert_int_equal(c.memory[0x2008], 0x34);
    assert_int_equal(c.memory[0x200b], 0xca);
    assert_int_equal(km_readl(&c.io, cpu, va + 0x2008), 0xcafe1234u);
    assert_int_equal(km_readw(&c.io, cpu, va + 0x200a), 0xcafe);
    assert_int_equal(km_readb(&c.io, cpu, va + 0x2009), 0x12);
    km_writeb(&c.io, cpu, 0x77, va + 1);
    km_writew(&c.io, cpu, 0x8899, va + 2);
    assert_int_equal(km_readl(&c.io, cpu, va), 0x88997700u);
    /* Registers. */
    assert_int_equal(km_readl(&c.io, cpu, va + 0x3010), 0x11223300u);
    assert_int_equal(km_readl(&c.io, cpu, va + 0x3010), 0x11223301u);
    km_writew(&c.io, cpu, 0xbeef, va + 0x3022);
    assert_int_equal(c.last_offset, 0x22);
    assert_int_equal(c.last_width, 2);
    assert_int_equal(c.last_value, 0xbeef);
    /* Nobody there: all ones. */
    assert_int_equal(km_readw(&c.io, cpu, va + 0x4000), 0xffff);
    assert_int_equal(c.io.stats.no_device, 1);
    vmem_close(c.m);
}

static void copies_of_any_alignment(void **state)
{
    (void)state;
    struct card c;
    uint8_t want[512];

    card_open(&c);
    struct km_cpu *cpu = &c.m->g.cpu[0];
    km_vaddr io = km_ioremap_type(&c.io, cpu, CARD, sizeof(c.memory), KM_MEM_WC, 0);
    km_vaddr from = km_kmalloc(&c.m->slab, cpu, 512, KM_GFP_KERNEL);
    km_vaddr to = km_kmalloc(&c.m->slab, cpu, 512, KM_GFP_KERNEL);
    struct km_prng p = {.state = 9};

    for (unsigned round = 0; round < 200; round++) {
        uint32_t at = km_prng_below(&p, 0x2e00), n = km_prng_below(&p, 500);

        for (unsigned i = 0; i < 512; i++)
            c.m->w.base[from + i] = want[i] = (uint8_t)km_prng_next(&p);
        memset(c.memory, 0xee, sizeof(c.memory));
        km_memcpy_toio(&c.io, cpu, io + at, from, n);
        assert_memory_equal(c.memory + at, want, n);
        assert_int_equal(c.memory[at + n], 0xee);
        km_memcpy_fromio(&c.io, cpu, to, io + at, n);
        assert_memory_equal(c.m->w.base + to, want, n);
        km_memset_io(&c.io, cpu, io + at, 0x42, n);
        memset(want, 0x42, sizeof(want));
        assert_memory_equal(c.memory + at, want, n);
        assert_int_equal(c.memory[at + n], 0xee);
    }
    vmem_close(c.m);
}

enum { MAPS = 24, DEVICE_PAGES = 0x3000 };

struct mapping {
    km_vaddr va;
    km_paddr pa;
    uint32_t bytes;
};

static void check_mappings(const struct card *c, const struct mapping *map)
{
    const char *why = km_io_check(&c->io, c->m->w.base);

    if (why)
        fail_msg("ioremap: %s", why);
    why = km_vmalloc_check(&c->m->v, c->m->w.base);
    if (why)
        fail_msg("vmalloc: %s", why);
    for (unsigned i = 0; i < MAPS; i++) {
        if (!map[i].va)
            continue;
        assert_int_equal(map[i].va % KM_PAGE_BYTES, map[i].pa % KM_PAGE_BYTES);
        for (unsigned j = 0; j < i; j++)
            if (map[j].va && map[i].va / 4096 <= (map[j].va + map[j].bytes - 1) / 4096 &&
                map[j].va / 4096 <= (map[i].va + map[i].bytes - 1) / 4096)
                fail_msg("mappings %x and %x share a page", map[i].va, map[j].va);
    }
}

static void map_or_unmap(struct card *c, struct km_prng *p, struct mapping *m)
{
    struct km_cpu *cpu = &c->m->g.cpu[km_prng_below(p, GUEST_CPUS)];

    if (m->va) {
        assert_true(km_iounmap(&c->io, cpu, m->va));
        assert_false(km_iounmap(&c->io, cpu, m->va));
        m->va = 0;
        return;
    }
    /* from device space, at times from RAM */
    bool in_ram = km_prng_below(p, 8) == 0;
    km_pfn first = in_ram ? 0x100 : 0xf0000;

    m->pa = ((km_paddr)first << 12) + km_prng_below(p, DEVICE_PAGES * 4096u);
    m->bytes = 1 + km_prng_below(p, km_prng_below(p, 4) ? 20000 : 1u << 20);
    m->va = km_ioremap_type(&c->io, cpu, m->pa, m->bytes,
                            (enum km_memtype)km_prng_below(p, KM_MEM_WP + 1), 0xc1000000u);
    if (in_ram)
        assert_int_equal(m->va, 0);
}

static void let_go(struct card *c)
{
    km_vmap_purge(&c->m->v.vmap, &c->m->g.cpu[0], 1, 0);
    for (unsigned cpu = 0; cpu < GUEST_CPUS; cpu++)
        km_vmalloc_work(&c->m->v, &c->m->g.cpu[cpu]);
}

/* Random mappings in 4 MiB of address space: each shows its range, none shares a page with another, RAM is
 * refused, and what is left when all are gone is the same after every round. */
static void random_mappings(void **state)
{
    (void)state;
    struct card c;
    struct mapping map[MAPS] = {0};
    struct km_prng p = {.state = 17};
    uint64_t free_pages = 0;

    card_open(&c);
    vmem_close(c.m);
    c.m = vmem_open_at(0xc4000000u, 0xc4400000u, true);
    km_io_init(&c.io, &c.m->v, ram, KM_ARRAY_LEN(ram));
    for (unsigned round = 0; round < 4; round++) {
        for (unsigned step = 0; step < test_rounds(3000); step++) {
            map_or_unmap(&c, &p, &map[km_prng_below(&p, MAPS)]);
            if (km_prng_below(&p, 64) == 0)
                let_go(&c);
            check_mappings(&c, map);
        }
        for (unsigned i = 0; i < MAPS; i++)
            if (map[i].va)
                map_or_unmap(&c, &p, &map[i]);
        let_go(&c);
        assert_int_equal(km_vmalloc_info(&c.m->v, c.m->w.base, NULL, 0), 0);
        vmem_check(c.m);
        if (round > 1) /* page tables and slabs of descriptors are there from now on */
            assert_int_equal(vmem_free_pages(c.m), free_pages);
        free_pages = vmem_free_pages(c.m);
    }
    assert_true(c.io.stats.refused_ram > 500 && c.io.stats.failed > 10 && c.io.stats.maps > 3000);
    vmem_close(c.m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(entries_carry_the_memory_type),
        cmocka_unit_test(placement_and_refusals),
        cmocka_unit_test(accesses_reach_the_device),
        cmocka_unit_test(copies_of_any_alignment),
        cmocka_unit_test(random_mappings),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
