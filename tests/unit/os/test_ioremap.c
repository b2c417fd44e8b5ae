/* SPDX-License-Identifier: MIT
 * test_ioremap.c - device mappings: placement, memory types, refusal of RAM, and the access
 * functions.
 */
#include "tests/unit/os/vmem_fixture.h"

#include "models/os/ioremap.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(entries_carry_the_memory_type),
        cmocka_unit_test(placement_and_refusals),
        cmocka_unit_test(accesses_reach_the_device),
        cmocka_unit_test(copies_of_any_alignment),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
