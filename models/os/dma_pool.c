/* SPDX-License-Identifier: MIT
 * dma_pool.c - see dma_pool.h. Instruction counts are estimated from the code's size.
 */
#include "models/os/dma_pool.h"

#include "models/base/bits.h"

static const struct km_site site_alloc = {"dma_pool_alloc", 0xc12a4fc0, 496};
static const struct km_site site_free = {"dma_pool_free", 0xc12a4ea0, 224};

bool km_dma_pool_create(struct km_dma_pool *p, struct km_dma *dma, const struct km_dma_device *dev,
                        const char *name, uint32_t bytes, uint32_t align, uint32_t boundary)
{
    if (!bytes || (align && !km_is_pow2(align)) || (boundary && !km_is_pow2(boundary)))
        return false;
    *p = (struct km_dma_pool){.dma = dma, .dev = dev, .name = name};
    p->block_bytes = (uint32_t)km_align_up(km_max_u64(bytes, 4), align ? align : 1);
    p->allocation = (uint32_t)km_max_u64(p->block_bytes, KM_PAGE_BYTES);
    p->boundary = boundary ? (uint32_t)km_min_u64(boundary, p->allocation) : p->allocation;
    return p->boundary >= p->block_bytes;
}

/* Offset of the block after the one at `offset`: not across a boundary. */
static uint32_t next_block(const struct km_dma_pool *p, uint32_t offset)
{
    uint32_t next = offset + p->block_bytes;

    if (next / p->boundary != (next + p->block_bytes - 1) / p->boundary)
        next = (uint32_t)km_align_up(next, p->boundary);
    return next + p->block_bytes > p->allocation ? p->allocation : next;
}

static struct km_dma_pool_page *new_page(struct km_dma_pool *p, struct km_cpu *cpu, uint32_t gfp)
{
    struct km_dma_pool_page *page = &p->page[p->nr_pages];

    if (p->nr_pages == KM_DMA_POOL_PAGES)
        return NULL;
    *page = (struct km_dma_pool_page){0};
    page->va = km_dma_alloc_coherent(p->dma, cpu, p->dev, p->allocation, gfp, &page->addr);
    if (!page->va)
        return NULL;
    for (uint32_t at = 0; at < p->allocation; at = next_block(p, at))
        km_st32(cpu, page->va + at, next_block(p, at));
    p->nr_pages++;
    return page;
}

km_vaddr km_dma_pool_alloc(struct km_dma_pool *p, struct km_cpu *cpu, uint32_t gfp, km_paddr *addr)
{
    struct km_dma_pool_page *page = NULL;

    km_exec(cpu, &site_alloc, 40);
    for (unsigned i = 0; i < p->nr_pages && !page; i++)
        if (p->page[i].free < p->allocation)
            page = &p->page[i];
    if (!page)
        page = new_page(p, cpu, gfp);
    if (!page) {
        p->failed++;
        return 0;
    }
    uint32_t at = page->free;

    page->free = km_ld32(cpu, page->va + at);
    page->in_use++;
    p->allocs++;
    *addr = page->addr + at;
    return page->va + at;
}

static bool is_block(const struct km_dma_pool *p, uint32_t offset)
{
    uint32_t per_boundary = p->boundary / p->block_bytes;
    uint32_t within = offset % p->boundary;

    return within % p->block_bytes == 0 && within / p->block_bytes < per_boundary &&
           offset + p->block_bytes <= p->allocation;
}

static bool is_free(const struct km_dma_pool *p, const struct km_cpu *cpu, const struct km_dma_pool_page *page,
                    uint32_t offset)
{
    for (uint32_t at = page->free; at < p->allocation; at = km_peek32(cpu->window, page->va + at))
        if (at == offset)
            return true;
    return false;
}

bool km_dma_pool_free(struct km_dma_pool *p, struct km_cpu *cpu, km_paddr addr)
{
    km_exec(cpu, &site_free, 25);
    for (unsigned i = 0; i < p->nr_pages; i++) {
        struct km_dma_pool_page *page = &p->page[i];

        if (addr < page->addr || addr >= page->addr + p->allocation)
            continue;
        uint32_t at = (uint32_t)(addr - page->addr);

        if (!is_block(p, at) || is_free(p, cpu, page, at))
            break;
        km_st32(cpu, page->va + at, page->free);
        page->free = at;
        page->in_use--;
        p->frees++;
        return true;
    }
    p->bad_frees++;
    return false;
}

uint32_t km_dma_pool_destroy(struct km_dma_pool *p, struct km_cpu *cpu)
{
    uint32_t in_use = 0;

    for (unsigned i = 0; i < p->nr_pages; i++) {
        in_use += p->page[i].in_use;
        km_dma_free_coherent(p->dma, cpu, p->dev, p->allocation, p->page[i].addr);
    }
    p->nr_pages = 0;
    return in_use;
}

const char *km_dma_pool_check(const struct km_dma_pool *p, const uint8_t *window)
{
    uint32_t blocks = 0;

    for (uint32_t at = 0; at < p->allocation; at = next_block(p, at))
        blocks++;
    for (unsigned i = 0; i < p->nr_pages; i++) {
        const struct km_dma_pool_page *page = &p->page[i];
        uint32_t free = 0;

        for (uint32_t at = page->free; at < p->allocation; at = km_peek32(window, page->va + at))
            if (!is_block(p, at) || ++free > blocks)
                return "the free list of a page leads astray";
        if (free + page->in_use != blocks)
            return "blocks of a page got lost";
    }
    return NULL;
}
