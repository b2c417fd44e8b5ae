/* SPDX-License-Identifier: MIT
 * swiotlb.c - see swiotlb.h. Instruction counts are estimated from the code's size.
 */
#include "models/os/swiotlb.h"

#include "models/base/bits.h"
#include "models/base/bug.h"
#include "models/os/kfn.h"
#include "models/os/page_alloc.h"

#include <string.h>

static const struct km_site site_map = {"swiotlb_tbl_map_single", 0xc1108480, 1760};
static const struct km_site site_unmap = {"swiotlb_tbl_unmap_single", 0xc1108b60, 96};

static km_vaddr slot_va(const struct km_swiotlb *s, uint32_t slot)
{
    return s->slots_va + slot * KM_SLOT_BYTES;
}

static void set_orig(struct km_swiotlb *s, struct km_cpu *cpu, uint32_t slot, km_paddr pa)
{
    km_st32(cpu, slot_va(s, slot) + KM_SLOT_ORIG, (uint32_t)pa);
    km_st32(cpu, slot_va(s, slot) + KM_SLOT_ORIG + 4, (uint32_t)(pa >> 32));
}

static km_paddr get_orig(struct km_swiotlb *s, struct km_cpu *cpu, uint32_t slot)
{
    return km_ld32(cpu, slot_va(s, slot) + KM_SLOT_ORIG) |
           (km_paddr)km_ld32(cpu, slot_va(s, slot) + KM_SLOT_ORIG + 4) << 32;
}

static uint32_t slots_of(uint32_t bytes)
{
    return (bytes + KM_SWIOTLB_SLOT_BYTES - 1) >> KM_SWIOTLB_SLOT_SHIFT;
}

/* The largest block of at most `order` that can be had, down to `least`. */
static km_pfn take_block(struct km_os *os, struct km_cpu *cpu, uint32_t gfp, unsigned *order, unsigned least)
{
    km_pfn pfn = KM_PFN_NONE;

    for (;; --*order) {
        pfn = km_alloc_pages(os, cpu, gfp | KM_GFP_NOWARN, *order);
        if (pfn != KM_PFN_NONE || *order == least)
            return pfn;
    }
}

static unsigned order_of(uint32_t bytes)
{
    unsigned order = 0;

    while (((uint32_t)KM_PAGE_BYTES << order) < bytes)
        order++;
    return order;
}

bool km_swiotlb_init(struct km_swiotlb *s, struct km_os *os, struct km_cpu *cpu, uint32_t bytes, uint32_t gfp,
                     struct km_swiotlb_copy copy)
{
    unsigned least = order_of(KM_SWIOTLB_MIN_BYTES);

    *s = (struct km_swiotlb){.os = os, .copy = copy, .order = order_of(bytes)};
    s->order = (unsigned)km_min_u64(km_max_u64(s->order, least), KM_NR_ORDERS - 1);
    s->pfn = take_block(os, cpu, gfp, &s->order, least);
    if (s->pfn == KM_PFN_NONE)
        return false;
    s->nr_slots = ((uint32_t)KM_PAGE_BYTES << s->order) >> KM_SWIOTLB_SLOT_SHIFT;
    s->slots_order = order_of(s->nr_slots * KM_SLOT_BYTES);
    s->slots_pfn = km_alloc_pages(os, cpu, KM_GFP_KERNEL | KM_GFP_ZERO, s->slots_order);
    if (s->slots_pfn == KM_PFN_NONE) {
        km_free_pages(os, cpu, s->pfn, s->order);
        s->nr_slots = 0;
        return false;
    }
    s->slots_va = km_pfn_to_va(os, s->slots_pfn);
    s->lock_va = km_os_static_alloc(os, 4, 4);
    for (uint32_t i = 0; i < s->nr_slots; i++) {
        set_orig(s, cpu, i, KM_SWIOTLB_NONE);
        km_st32(cpu, slot_va(s, i) + KM_SLOT_LIST, KM_SWIOTLB_SEGMENT - i % KM_SWIOTLB_SEGMENT);
    }
    return true;
}

void km_swiotlb_exit(struct km_swiotlb *s, struct km_cpu *cpu)
{
    KM_BUG_ON(s->stats.used);
    if (!s->nr_slots)
        return;
    km_free_pages(s->os, cpu, s->slots_pfn, s->slots_order);
    km_free_pages(s->os, cpu, s->pfn, s->order);
    s->nr_slots = 0;
}

/* Renumbers the run of free slots that ends at `last` and reaches back to the beginning of its segment or a
 * taken slot; `free` slots follow it. */
static void recount(struct km_swiotlb *s, struct km_cpu *cpu, uint32_t last, uint32_t free)
{
    for (uint32_t i = last;; i--) {
        if (!km_ld32(cpu, slot_va(s, i) + KM_SLOT_LIST))
            return;
        km_st32(cpu, slot_va(s, i) + KM_SLOT_LIST, ++free);
        if (i % KM_SWIOTLB_SEGMENT == 0)
            return;
    }
}

static void take(struct km_swiotlb *s, struct km_cpu *cpu, uint32_t first, uint32_t n)
{
    for (uint32_t i = first; i < first + n; i++)
        km_st32(cpu, slot_va(s, i) + KM_SLOT_LIST, 0);
    if (first % KM_SWIOTLB_SEGMENT)
        recount(s, cpu, first - 1, 0);
    s->index = (first + n) % s->nr_slots;
    s->stats.used += n;
    s->stats.used_max = (uint32_t)km_max_u64(s->stats.used_max, s->stats.used);
}

/* First slot of n free ones in a row, searching once around from the index; nr_slots: there are none. */
static uint32_t find(struct km_swiotlb *s, struct km_cpu *cpu, uint32_t n, uint32_t stride)
{
    uint32_t start = (uint32_t)km_align_up(s->index, stride) % s->nr_slots;
    uint32_t at = start;

    do {
        km_exec(cpu, &site_map, 12);
        if (km_ld32(cpu, slot_va(s, at) + KM_SLOT_LIST) >= n)
            return at;
        at = (at + stride) % s->nr_slots;
    } while (at != start);
    return s->nr_slots;
}

km_paddr km_swiotlb_map(struct km_swiotlb *s, struct km_cpu *cpu, km_paddr orig, uint32_t bytes, bool to_device)
{
    uint32_t n = slots_of(bytes);

    s->stats.maps++;
    km_exec(cpu, &site_map, 120);
    if (!bytes || n > KM_SWIOTLB_SEGMENT || n > s->nr_slots) {
        s->stats.too_large++;
        return KM_SWIOTLB_NONE;
    }
    km_lock(cpu, s->lock_va);
    uint32_t first = find(s, cpu, n, bytes >= KM_PAGE_BYTES ? KM_PAGE_BYTES / KM_SWIOTLB_SLOT_BYTES : 1);

    if (first < s->nr_slots)
        take(s, cpu, first, n);
    km_unlock(cpu, s->lock_va);
    if (first == s->nr_slots) {
        s->stats.failed++;
        return KM_SWIOTLB_NONE;
    }
    for (uint32_t i = 0; i < n; i++)
        set_orig(s, cpu, first + i, orig + (km_paddr)i * KM_SWIOTLB_SLOT_BYTES);
    km_st32(cpu, slot_va(s, first) + KM_SLOT_SIZE, bytes);
    km_paddr pa = km_swiotlb_start(s) + (km_paddr)first * KM_SWIOTLB_SLOT_BYTES;

    if (to_device)
        km_swiotlb_sync(s, cpu, pa, bytes, true);
    return pa;
}

static uint32_t slot_of(const struct km_swiotlb *s, km_paddr pa)
{
    return (uint32_t)((pa - km_swiotlb_start(s)) >> KM_SWIOTLB_SLOT_SHIFT);
}

static void release(struct km_swiotlb *s, struct km_cpu *cpu, uint32_t first, uint32_t n)
{
    uint32_t next = first + n;
    uint32_t follow =
        next % KM_SWIOTLB_SEGMENT ? km_ld32(cpu, slot_va(s, next) + KM_SLOT_LIST) : 0;

    for (uint32_t i = first; i < next; i++) {
        set_orig(s, cpu, i, KM_SWIOTLB_NONE);
        km_st32(cpu, slot_va(s, i) + KM_SLOT_SIZE, 0);
        km_st32(cpu, slot_va(s, i) + KM_SLOT_LIST, 1); /* any: recount() numbers them */
    }
    recount(s, cpu, next - 1, follow);
    s->stats.used -= n;
}

bool km_swiotlb_unmap(struct km_swiotlb *s, struct km_cpu *cpu, km_paddr pa, uint32_t bytes, bool from_device)
{
    if (!km_swiotlb_owns(s, pa))
        return false;
    uint32_t first = slot_of(s, pa), size = km_ld32(cpu, slot_va(s, first) + KM_SLOT_SIZE);

    if (!size || bytes > size)
        return false;
    if (from_device)
        km_swiotlb_sync(s, cpu, pa, bytes, false);
    km_exec(cpu, &site_unmap, 60);
    km_lock(cpu, s->lock_va);
    release(s, cpu, first, slots_of(size));
    km_unlock(cpu, s->lock_va);
    s->stats.unmaps++;
    return true;
}

bool km_swiotlb_sync(struct km_swiotlb *s, struct km_cpu *cpu, km_paddr pa, uint32_t bytes, bool to_device)
{
    if (!km_swiotlb_owns(s, pa))
        return false;
    km_paddr orig = get_orig(s, cpu, slot_of(s, pa));

    if (orig == KM_SWIOTLB_NONE)
        return false;
    orig += pa & (KM_SWIOTLB_SLOT_BYTES - 1);
    if (to_device) {
        s->stats.bytes_in += bytes;
        s->copy.copy(s->copy.ctx, cpu, pa, orig, bytes);
    } else {
        s->stats.bytes_out += bytes;
        s->copy.copy(s->copy.ctx, cpu, orig, pa, bytes);
    }
    return true;
}

const char *km_swiotlb_check(const struct km_swiotlb *s, const uint8_t *window)
{
    uint32_t used = 0;

    for (uint32_t i = s->nr_slots; i-- > 0;) {
        uint32_t list = km_peek32(window, slot_va(s, i) + KM_SLOT_LIST);
        bool last = i % KM_SWIOTLB_SEGMENT == KM_SWIOTLB_SEGMENT - 1;
        uint32_t next = last ? 0 : km_peek32(window, slot_va(s, i + 1) + KM_SLOT_LIST);
        bool owned = km_peek32(window, slot_va(s, i) + KM_SLOT_ORIG) != UINT32_MAX;

        used += !list;
        if (list && list != next + 1)
            return "a free slot miscounts the free ones behind it";
        if (!list != owned)
            return "a slot is taken without an original address, or free with one";
    }
    return used == s->stats.used ? NULL : "taken slots are not those of the mappings";
}
