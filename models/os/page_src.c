/* SPDX-License-Identifier: MIT
 * page_src.c - the buddy allocator as the slab layer's page source.
 */
#include "models/os/page_alloc.h"
#include "models/os/slab_layer.h"

static km_pfn buddy_alloc(void *ctx, struct km_cpu *cpu, uint32_t gfp, unsigned order)
{
    return km_alloc_pages(ctx, cpu, gfp, order);
}

static void buddy_free(void *ctx, struct km_cpu *cpu, km_pfn pfn, unsigned order)
{
    km_free_pages(ctx, cpu, pfn, order);
}

struct km_page_src km_page_src_buddy(struct km_os *os)
{
    return (struct km_page_src){.alloc = buddy_alloc, .free = buddy_free, .ctx = os};
}
