/* SPDX-License-Identifier: MIT
 * dma_guest.h - the guest of vmem_fixture.h with HighMem mappings, a bounce pool and the DMA API.
 *
 *   PFN 0        0x1000            0x2ffe       0x4000
 *       |  DMA   |     Normal      |  HighMem   |        24-bit devices reach DMA only, 25-bit ones up to 0x2000
 */
#ifndef KM_TEST_DMA_GUEST_H
#define KM_TEST_DMA_GUEST_H

#include "tests/unit/os/vmem_fixture.h"

#include "models/os/dma_map.h"
#include "models/os/page_api.h"

struct dma_guest {
    struct vmem *m;
    struct km_os *os;
    struct km_cpu *cpu;
    struct km_highmem high;
    struct km_swiotlb tlb;
    struct km_dma dma;
    struct km_dma_device isa, pci25, pci;
    unsigned complaints, bounces;
};

static inline void dma_complain(void *ctx, const struct km_cpu *cpu, enum km_dma_result what,
                                const struct km_dma_device *dev, km_paddr addr)
{
    struct dma_guest *t = ctx;

    (void)cpu, (void)what, (void)dev, (void)addr;
    t->complaints++;
}

static inline void dma_bounced(void *ctx, const struct km_cpu *cpu, const struct km_dma_device *dev, km_paddr orig,
                               uint32_t bytes)
{
    struct dma_guest *t = ctx;

    (void)cpu, (void)dev, (void)orig, (void)bytes;
    t->bounces++;
}

static inline struct dma_guest *dma_open(uint32_t swiotlb_bytes, bool isa_pool)
{
    struct dma_guest *t = calloc(1, sizeof(*t));

    assert_non_null(t);
    t->m = vmem_open();
    t->os = &t->m->g.os;
    t->cpu = &t->m->g.cpu[0];
    const struct km_highmem_params hp = {.slab = &t->m->slab, .pt = &t->m->pt, .hook = t->m->v.p.hook,
                                         .pkmap_base = 0xff400000u, .pkmap_slots = 512, .fixmap_top = 0xfffbb000u};

    assert_true(km_highmem_init(&t->high, t->os, t->cpu, &hp));
    const struct km_dma_params p = {.slab = &t->m->slab,
                                    .highmem = &t->high,
                                    .task_va = km_kzalloc(&t->m->slab, t->cpu, KM_KMAP_TASK_BYTES, KM_GFP_KERNEL),
                                    .swiotlb = swiotlb_bytes ? &t->tlb : NULL,
                                    .isa_pool = isa_pool,
                                    .line_bytes = 64,
                                    .misuse = dma_complain,
                                    .bounced = dma_bounced,
                                    .ctx = t};

    memset(t->m->w.base + p.task_va, 0, KM_KMAP_TASK_BYTES);
    assert_true(km_dma_init(&t->dma, t->os, t->cpu, &p));
    if (swiotlb_bytes)
        assert_true(km_swiotlb_init(&t->tlb, t->os, t->cpu, swiotlb_bytes, KM_GFP_KERNEL | KM_GFP_DMA,
                                    km_dma_copier(&t->dma)));
    t->isa = (struct km_dma_device){.name = "isa", .snooped = true};
    t->pci25 = (struct km_dma_device){.name = "pci25", .snooped = true};
    t->pci = (struct km_dma_device){.name = "pci", .snooped = true};
    assert_true(km_dma_set_mask(&t->dma, &t->isa, KM_DMA_BITS(24)));
    assert_true(km_dma_set_mask(&t->dma, &t->pci25, KM_DMA_BITS(25)));
    assert_true(km_dma_set_mask(&t->dma, &t->pci, KM_DMA_BITS(32)));
    return t;
}

static inline void dma_check(const struct dma_guest *t)
{
    const char *why = km_dma_check(&t->dma, t->m->w.base);

    if (why)
        fail_msg("dma: %s", why);
}

/* Everything given back: the same free pages as before, once the pools have gone. */
static inline void dma_close(struct dma_guest *t)
{
    dma_check(t);
    if (t->dma.p.swiotlb)
        km_swiotlb_exit(&t->tlb, t->cpu);
    km_dma_exit(&t->dma, t->cpu);
    guest_check(&t->m->g);
    vmem_close(t->m);
    free(t);
}

/* Physical memory as the device sees it. */
static inline uint8_t *dma_phys(const struct dma_guest *t, km_paddr pa)
{
    return t->m->w.phys + pa;
}

static inline void dma_fill(const struct dma_guest *t, km_paddr pa, uint32_t bytes, uint8_t first)
{
    for (uint32_t i = 0; i < bytes; i++)
        dma_phys(t, pa)[i] = (uint8_t)(first + i);
}

static inline bool dma_filled(const struct dma_guest *t, km_paddr pa, uint32_t bytes, uint8_t first)
{
    for (uint32_t i = 0; i < bytes; i++)
        if (dma_phys(t, pa)[i] != (uint8_t)(first + i))
            return false;
    return true;
}

#endif
