/* SPDX-License-Identifier: MIT
 * page_api.c - see page_api.h. Instruction counts are estimated from the code's size.
 */
#include "models/os/page_api.h"

#include "models/base/bits.h"
#include "models/base/bug.h"
#include "models/os/page_alloc.h"

#include <string.h>

static const struct km_site site_get = {"__get_free_pages", 0xc1296d70, 48};
static const struct km_site site_exact = {"alloc_pages_exact", 0xc1296f40, 112};
static const struct km_site site_free_exact = {"free_pages_exact", 0xc1294010, 96};
static const struct km_site site_split = {"split_page", 0xc1290c60, 80};

static km_vaddr count_va(const struct km_os *os, km_pfn pfn)
{
    return km_page_va(os, pfn) + KM_PAGE_REFCOUNT;
}

km_pfn km_alloc_pages_node(struct km_os *os, struct km_cpu *cpu, unsigned node, uint32_t gfp,
                           unsigned order)
{
    return node == 0 ? km_alloc_pages(os, cpu, gfp, order) : KM_PFN_NONE;
}

km_vaddr km_page_address(const struct km_os *os, km_pfn pfn)
{
    return km_pfn_is_low(os, pfn) ? km_pfn_to_va(os, pfn) : 0;
}

km_pfn km_virt_to_page(const struct km_os *os, km_vaddr va)
{
    if (va < os->p.page_offset || !km_pfn_is_low(os, km_va_to_pfn(os, va)))
        return KM_PFN_NONE;
    return km_va_to_pfn(os, va);
}

km_pfn km_compound_head(const struct km_os *os, const uint8_t *window, km_pfn pfn)
{
    uint32_t word = km_peek32(window, km_page_va(os, pfn) + KM_PAGE_COMPOUND_HEAD);

    return word & 1 ? km_page_pfn(os, word & ~1u) : pfn;
}

unsigned km_compound_order(const struct km_os *os, const uint8_t *window, km_pfn head)
{
    if (!(km_peek32(window, km_page_va(os, head) + KM_PAGE_FLAGS) & KM_PG_HEAD))
        return 0;
    return window[km_page_va(os, head + 1) + KM_PAGE_COMPOUND_ORDER];
}

km_vaddr km_get_free_pages(struct km_os *os, struct km_cpu *cpu, uint32_t gfp, unsigned order)
{
    km_exec(cpu, &site_get, 14);
    km_pfn pfn = km_alloc_pages(os, cpu, gfp & ~(uint32_t)KM_GFP_HIGHMEM, order);

    if (pfn == KM_PFN_NONE)
        return 0;
    if (gfp & KM_GFP_ZERO)
        memset(cpu->window + km_pfn_to_va(os, pfn), 0, KM_PAGE_BYTES << order);
    return km_pfn_to_va(os, pfn);
}

km_vaddr km_get_zeroed_page(struct km_os *os, struct km_cpu *cpu, uint32_t gfp)
{
    return km_get_free_pages(os, cpu, gfp | KM_GFP_ZERO, 0);
}

uint32_t km_page_count(const struct km_os *os, const uint8_t *window, km_pfn pfn)
{
    return km_peek32(window, count_va(os, pfn));
}

void km_get_page(struct km_os *os, struct km_cpu *cpu, km_pfn pfn)
{
    km_rmw32(cpu, count_va(os, pfn), KM_RMW_ADD, 1, 0);
}

enum km_page_result km_put_pages(struct km_os *os, struct km_cpu *cpu, km_pfn pfn, unsigned order)
{
    if (!km_page_count(os, cpu->window, pfn))
        return KM_PAGE_NOT_OURS;
    bool compound = km_ld32(cpu, km_page_va(os, pfn) + KM_PAGE_FLAGS) & KM_PG_HEAD;

    if (km_rmw32(cpu, count_va(os, pfn), KM_RMW_ADD, UINT32_MAX, 0) == 1) {
        km_free_pages(os, cpu, pfn, order);
        return KM_PAGE_OK;
    }
    /* Without compound metadata nobody else could free the rest later. */
    while (!compound && order-- > 0)
        km_free_pages(os, cpu, pfn + (1u << order), order);
    return KM_PAGE_HELD;
}

enum km_page_result km_put_page(struct km_os *os, struct km_cpu *cpu, km_pfn pfn)
{
    km_pfn head = km_compound_head(os, cpu->window, pfn);

    return km_put_pages(os, cpu, head, km_compound_order(os, cpu->window, head));
}

enum km_page_result km_free_pages_va(struct km_os *os, struct km_cpu *cpu, km_vaddr va,
                                     unsigned order)
{
    if (!va)
        return KM_PAGE_OK;
    if (va < os->p.page_offset || va % KM_PAGE_BYTES || !km_pfn_is_low(os, km_va_to_pfn(os, va)))
        return KM_PAGE_NOT_OURS;
    return km_put_pages(os, cpu, km_va_to_pfn(os, va), order);
}

bool km_split_page(struct km_os *os, struct km_cpu *cpu, km_pfn pfn, unsigned order)
{
    km_exec(cpu, &site_split, 12 + (4u << order));
    if ((km_ld32(cpu, km_page_va(os, pfn) + KM_PAGE_FLAGS) & KM_PG_HEAD) ||
        !km_ld32(cpu, count_va(os, pfn)))
        return false;
    for (km_pfn p = pfn + 1; p < pfn + (1u << order); p++)
        km_st32(cpu, count_va(os, p), 1);
    return true;
}

const char *km_page_api_check(const struct km_os *os, const uint8_t *window)
{
    for (km_pfn pfn = os->mem_map_pfn; pfn < os->mem_map_end; pfn++) {
        if (km_peek32(window, km_page_va(os, pfn) + KM_PAGE_TYPE) != KM_PAGE_TYPE_BUDDY)
            continue;
        km_pfn end = pfn + (1u << km_peek32(window, km_page_va(os, pfn) + KM_PAGE_PRIVATE));

        if (km_peek32(window, km_page_va(os, pfn) + KM_PAGE_FLAGS) & KM_PG_HEAD)
            return "a free block is still the head of a compound one";
        for (km_pfn p = pfn; p < end; p++) {
            if (km_page_count(os, window, p))
                return "a free page has references";
            if (p > pfn && (km_peek32(window, km_page_va(os, p) + KM_PAGE_COMPOUND_HEAD) & 1))
                return "a free page is still the tail of a compound block";
        }
        pfn = end - 1;
    }
    return NULL;
}

km_vaddr km_alloc_pages_exact(struct km_os *os, struct km_cpu *cpu, uint32_t bytes, uint32_t gfp)
{
    uint32_t pages = (uint32_t)(((uint64_t)bytes + KM_PAGE_BYTES - 1) >> KM_PAGE_SHIFT);
    unsigned order = km_order_of(pages);

    km_exec(cpu, &site_exact, 30);
    if (!pages || order >= KM_NR_ORDERS)
        return 0;
    gfp &= ~(uint32_t)(KM_GFP_COMP | KM_GFP_HIGHMEM); /* neither makes sense here */
    km_vaddr va = km_get_free_pages(os, cpu, gfp, order);

    if (!va)
        return 0;
    km_pfn pfn = km_va_to_pfn(os, va);

    KM_BUG_ON(!km_split_page(os, cpu, pfn, order));
    for (km_pfn p = pfn + pages; p < pfn + (1u << order); p++)
        km_free_surplus_page(os, cpu, p);
    return va;
}

void km_free_pages_exact(struct km_os *os, struct km_cpu *cpu, km_vaddr va, uint32_t bytes)
{
    uint64_t end = (uint64_t)va + bytes;

    for (uint64_t at = va; at < end; at += KM_PAGE_BYTES) {
        km_exec(cpu, &site_free_exact, 8);
        km_free_pages_va(os, cpu, (km_vaddr)at, 0);
    }
}
