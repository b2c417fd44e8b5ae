/* SPDX-License-Identifier: MIT
 * slob.c - SLOB, the K&R-style allocator of small Linux systems (2.6.16 to 6.3), as it was in 6.1.
 *
 * Pages are heaps of 2-byte units. Free blocks of a page form an address-ordered list through
 * themselves; a page with free units stands on one of three lists by the size of the request it was
 * first taken for: below 256, below 1024, below a page.
 *
 *   page   | hdr obj | free 3 | hdr obj ...... | free 1 | hdr obj | free 7 |
 *                      |                         ^  |               ^
 *                      +-------------------------+  +---------------+      (2 words; 1 if 1 unit)
 *
 * Allocation: the first page of the list, from its head on, with enough free units and a hole that
 * fits (first fit by address, alignment may split the hole in front); then the list is turned so
 * that the search next time begins at this page (next fit over pages). Nothing fits: a new page.
 * kmalloc puts a word with the size, padded to 8 bytes, in front; sizes that are powers of two are
 * aligned to themselves. What does not fit into a page goes to the page allocator.
 * Free: merges with free neighbours; a page without live blocks goes back at once; a full page that
 * gets a block back goes to the list of that block's size.
 * Caches are no more than a size, an alignment and a constructor that runs at every allocation.
 *
 * Invariants:  slob_check_layer: blocks of a page ascend and never touch; units of a page = sum of
 *              its free blocks, 0 < units < 2048; pages x 2048 = free + live units.
 * Not modelled: several nodes. Simplified: instruction counts are estimates (no record of a SLOB
 *              kernel exists); walking costs what it reads.
 * Units:       bytes, units of 2 bytes.
 * References:  kernel-behaviour notes E9; D. Knuth, The Art of Computer Programming 1, 2.5 (next
 *              fit, boundary merging); B. Kernighan and D. Ritchie, The C Programming Language,
 *              8.7.
 */
#include "models/base/bits.h"
#include "models/os/kfn.h"
#include "models/os/list.h"
#include "models/os/slab.h"

#include <string.h>

#define SITE(n, va, bytes) .site = {.name = n, .text_va = va, .text_bytes = bytes}
#define UNIT_BYTES 2u
#define PAGE_UNITS (KM_PAGE_BYTES / UNIT_BYTES)
#define KMALLOC_HEADER 8u
#define RCU_FOOTER 12u /* rcu_head and the size */
#define NR_LISTS 3u

enum {
    SLOB_FREELIST = 16, /* first free block */
    SLOB_UNITS = 20,    /* free units of the page */
    PG_SLOB_FREE = 1u << 14,
    LOCK = 4 * 2 * NR_LISTS, /* behind the list heads */
};

/* struct kmem_cache */
enum { SLOBC_OBJECT_SIZE = 0, SLOBC_SIZE = 4, SLOBC_ALIGN = 8, SLOBC_FLAGS = 12, SLOBC_BYTES = 44 };

static const struct km_fn fn_alloc = {SITE("slob_alloc", 0xc12b6e50, 700), 60, 14, 16};
static const struct km_fn fn_step = {SITE("slob_page_alloc", 0xc12b5760, 360), 14, 0, 0};
static const struct km_fn fn_free = {SITE("slob_free", 0xc12b8b80, 620), 60, 10, 12};

static uint32_t units_for(uint32_t bytes)
{
    return (bytes + UNIT_BYTES - 1) / UNIT_BYTES;
}

static km_vaddr list_of(const struct km_slab_layer *l, uint32_t bytes)
{
    return l->slob.heap_va + 8 * (bytes < 256 ? 0 : bytes < 1024 ? 1 : 2);
}

/* ---- free blocks ----------------------------------------------------------------------------- */

static km_vaddr page_base(km_vaddr block)
{
    return block & ~(KM_PAGE_BYTES - 1);
}

/* A block of one unit holds minus the place of the next; a larger one its size and that place.
 * Places count from the page's first unit; the end is place 2048. */
static void set_block(struct km_cpu *cpu, km_vaddr block, uint32_t units, km_vaddr next)
{
    uint32_t place = (next - page_base(block)) / UNIT_BYTES;

    if (units == 1) {
        km_st16(cpu, block, (uint16_t)(0u - place));
        return;
    }
    km_st16(cpu, block, (uint16_t)units);
    km_st16(cpu, block + 2, (uint16_t)place);
}

static uint32_t block_units(struct km_cpu *cpu, km_vaddr block)
{
    int16_t first = (int16_t)km_ld16(cpu, block);

    return first > 0 ? (uint32_t)first : 1;
}

static km_vaddr block_next(struct km_cpu *cpu, km_vaddr block)
{
    int16_t first = (int16_t)km_ld16(cpu, block);
    uint32_t place = first < 0 ? (uint32_t)-first : km_ld16(cpu, block + 2);

    return page_base(block) + place * UNIT_BYTES;
}

/* Of a successor: never the page's first unit. */
static bool is_end(km_vaddr next)
{
    return next % KM_PAGE_BYTES == 0;
}

static void link_after(struct km_cpu *cpu, km_vaddr page, km_vaddr prev, km_vaddr next)
{
    if (prev)
        set_block(cpu, prev, block_units(cpu, prev), next);
    else
        km_st32(cpu, page + SLOB_FREELIST, next);
}

/* ---- pages ----------------------------------------------------------------------------------- */

static void page_list(struct km_cpu *cpu, km_vaddr page, km_vaddr head)
{
    km_list_add(cpu, page + KM_SLAB_LIST, head);
    km_st32(cpu, page + KM_PAGE_FLAGS, km_ld32(cpu, page + KM_PAGE_FLAGS) | PG_SLOB_FREE);
}

static void page_unlist(struct km_cpu *cpu, km_vaddr page)
{
    km_list_del(cpu, page + KM_SLAB_LIST);
    km_st32(cpu, page + KM_PAGE_FLAGS,
            km_ld32(cpu, page + KM_PAGE_FLAGS) & ~(uint32_t)PG_SLOB_FREE);
}

/* first comes to the front, the order around the ring stays. */
static void turn_list(struct km_cpu *cpu, km_vaddr head, km_vaddr first)
{
    if (km_list_first(cpu, head) == first)
        return;
    km_list_del(cpu, head);
    km_list_add_tail(cpu, head, first);
}

/* First fit inside one page; 0: no hole fits. The page leaves its list when it is full. */
static km_vaddr take_in_page(struct km_slab_layer *l, struct km_cpu *cpu, km_vaddr page,
                             uint32_t units, uint32_t align, uint32_t header)
{
    km_vaddr prev = 0, cur = km_ld32(cpu, page + SLOB_FREELIST);

    for (;;) {
        uint32_t avail = block_units(cpu, cur);
        km_vaddr next = block_next(cpu, cur);
        km_vaddr at = (km_vaddr)km_align_up(cur + header, align) - header;
        uint32_t skip = (at - cur) / UNIT_BYTES;

        km_fn_enter(cpu, l->stack_va[cpu->id], &fn_step);
        if (avail >= units + skip) {
            if (skip) {
                set_block(cpu, cur, skip, at);
                prev = cur;
            }
            if (avail - skip > units) {
                set_block(cpu, at + units * UNIT_BYTES, avail - skip - units, next);
                next = at + units * UNIT_BYTES;
            }
            link_after(cpu, page, prev, next);
            uint32_t left = km_ld32(cpu, page + SLOB_UNITS) - units;

            km_st32(cpu, page + SLOB_UNITS, left);
            if (!left)
                page_unlist(cpu, page);
            return at;
        }
        if (is_end(next))
            return 0;
        prev = cur;
        cur = next;
    }
}

static km_vaddr take_listed(struct km_slab_layer *l, struct km_cpu *cpu, km_vaddr head,
                            uint32_t units, uint32_t align, uint32_t header)
{
    for (km_vaddr e = km_list_first(cpu, head); e != head; e = km_ld32(cpu, e)) {
        km_vaddr page = e - KM_SLAB_LIST;

        l->slob.pages_searched++;
        if (km_ld32(cpu, page + SLOB_UNITS) < units)
            continue;
        km_vaddr at = take_in_page(l, cpu, page, units, align, header);

        if (!at)
            continue;
        if (km_ld32(cpu, page + SLOB_UNITS))
            turn_list(cpu, head, e);
        return at;
    }
    return 0;
}

/* A fresh page, one free block; on no list. */
static km_vaddr new_page(struct km_slab_layer *l, struct km_cpu *cpu, uint32_t gfp)
{
    km_pfn pfn = l->p.src.alloc(l->p.src.ctx, cpu, gfp & ~(uint32_t)KM_GFP_ZERO, 0);

    if (pfn == KM_PFN_NONE)
        return 0;
    km_vaddr page = km_page_va(l->os, pfn), base = km_pfn_to_va(l->os, pfn);

    km_st32(cpu, page + KM_PAGE_FLAGS, km_ld32(cpu, page + KM_PAGE_FLAGS) | KM_PG_SLAB);
    l->stats.slab_blocks_alloc++;
    l->stats.slab_pages_alloc++;
    l->slob.pages++;
    km_st32(cpu, page + SLOB_UNITS, PAGE_UNITS);
    km_st32(cpu, page + SLOB_FREELIST, base);
    set_block(cpu, base, PAGE_UNITS, base + KM_PAGE_BYTES);
    return page;
}

static km_vaddr slob_take(struct km_slab_layer *l, struct km_cpu *cpu, uint32_t bytes, uint32_t gfp,
                          uint32_t align, uint32_t header)
{
    km_vaddr head = list_of(l, bytes), lock = l->slob.heap_va + LOCK;
    uint32_t units = units_for(bytes);

    km_fn_enter(cpu, l->stack_va[cpu->id], &fn_alloc);
    km_lock(cpu, lock);
    km_vaddr at = take_listed(l, cpu, head, units, align, header);

    km_unlock(cpu, lock);
    if (!at) {
        km_vaddr page = new_page(l, cpu, gfp);

        if (page) {
            km_lock(cpu, lock);
            page_list(cpu, page, head);
            at = take_in_page(l, cpu, page, units, align, header);
            km_unlock(cpu, lock);
        }
    }
    if (at)
        l->slob.live_units += units;
    km_fn_leave(cpu, l->stack_va[cpu->id], &fn_alloc);
    return at;
}

static void release_page(struct km_slab_layer *l, struct km_cpu *cpu, km_vaddr page)
{
    km_st32(cpu, page + KM_PAGE_FLAGS, km_ld32(cpu, page + KM_PAGE_FLAGS) & ~(uint32_t)KM_PG_SLAB);
    km_st32(cpu, page + KM_PAGE_TYPE, KM_PAGE_TYPE_NONE);
    l->stats.slab_blocks_free++;
    l->stats.slab_pages_free++;
    l->slob.pages--;
    l->p.src.free(l->p.src.ctx, cpu, km_page_pfn(l->os, page), 0);
}

/* A block joins the ordered list of a page that has free blocks, merged with what it touches. */
static void merge_in(struct km_cpu *cpu, km_vaddr page, km_vaddr block, uint32_t units)
{
    km_vaddr prev = 0, next = km_ld32(cpu, page + SLOB_FREELIST);

    if (next < block) { /* the first block may start at the page's edge and is no end for it */
        do {
            prev = next;
            next = block_next(cpu, prev);
        } while (!is_end(next) && next < block);
    }
    if (!(prev && is_end(next)) && block + units * UNIT_BYTES == next) {
        units += block_units(cpu, next);
        next = block_next(cpu, next);
    }
    if (prev && prev + block_units(cpu, prev) * UNIT_BYTES == block) {
        set_block(cpu, prev, block_units(cpu, prev) + units, next);
        return;
    }
    set_block(cpu, block, units, next);
    link_after(cpu, page, prev, block);
}

static void slob_give(struct km_slab_layer *l, struct km_cpu *cpu, km_vaddr block, uint32_t bytes)
{
    km_vaddr page = km_page_va(l->os, km_va_to_pfn(l->os, block));
    uint32_t units = units_for(bytes), free_units;
    bool listed, empty;

    km_fn_enter(cpu, l->stack_va[cpu->id], &fn_free);
    km_lock(cpu, l->slob.heap_va + LOCK);
    l->slob.live_units -= units;
    listed = km_ld32(cpu, page + KM_PAGE_FLAGS) & PG_SLOB_FREE;
    free_units = km_ld32(cpu, page + SLOB_UNITS);
    empty = free_units + units == PAGE_UNITS;
    if (empty) {
        if (listed)
            page_unlist(cpu, page);
    } else if (!listed) { /* was full */
        km_st32(cpu, page + SLOB_FREELIST, block);
        set_block(cpu, block, units, page_base(block) + KM_PAGE_BYTES);
        page_list(cpu, page, list_of(l, bytes));
    } else {
        merge_in(cpu, page, block, units);
    }
    km_st32(cpu, page + SLOB_UNITS, free_units + units);
    km_unlock(cpu, l->slob.heap_va + LOCK);
    km_fn_leave(cpu, l->stack_va[cpu->id], &fn_free);
    if (empty)
        release_page(l, cpu, page);
}

/* ---- kmalloc --------------------------------------------------------------------------------- */

static km_vaddr slob_kmalloc(struct km_slab_layer *l, struct km_cpu *cpu, uint32_t size,
                             uint32_t gfp, uint32_t *bytes_alloc)
{
    uint32_t align = km_is_pow2(size) && size > KMALLOC_HEADER ? size : KMALLOC_HEADER;
    km_vaddr m = slob_take(l, cpu, size + KMALLOC_HEADER, gfp, align, KMALLOC_HEADER);

    *bytes_alloc = size + KMALLOC_HEADER;
    if (!m)
        return 0;
    km_st32(cpu, m, size);
    return m + KMALLOC_HEADER;
}

static void slob_kfree(struct km_slab_layer *l, struct km_cpu *cpu, km_vaddr va)
{
    km_vaddr m = va - KMALLOC_HEADER;

    slob_give(l, cpu, m, km_ld32(cpu, m) + KMALLOC_HEADER);
}

static uint32_t slob_ksize(struct km_slab_layer *l, struct km_cpu *cpu, km_vaddr va)
{
    (void)l;
    return units_for(km_ld32(cpu, va - KMALLOC_HEADER)) * UNIT_BYTES;
}

/* ---- caches ---------------------------------------------------------------------------------- */

static void heap_init(struct km_slab_layer *l, struct km_cpu *cpu)
{
    l->slob.heap_va = km_os_static_alloc(l->os, LOCK + 4, 64);
    for (unsigned i = 0; i < NR_LISTS; i++)
        km_list_init(cpu, l->slob.heap_va + 8 * i);
    km_st32(cpu, l->slob.heap_va + LOCK, 0);
}

static bool slob_create(struct km_slab_layer *l, struct km_cpu *cpu, struct km_kmem_cache *c)
{
    if (!l->slob.heap_va)
        heap_init(l, cpu);
    c->flags &= ~(uint32_t)KM_CACHE_DEBUG; /* SLOB has none of it */
    c->size = c->object_size;
    if (c->flags & KM_CACHE_TYPESAFE_BY_RCU)
        c->size = (uint32_t)km_align_up(c->size, 4) + RCU_FOOTER;
    if (c->size > KM_PAGE_BYTES << (KM_NR_ORDERS - 1))
        return false;
    if (c->size >= KM_PAGE_BYTES)
        c->order = km_order_of(((uint64_t)c->size + KM_PAGE_BYTES - 1) >> KM_PAGE_SHIFT);
    if (!c->va)
        c->va = slob_take(l, cpu, SLOBC_BYTES, KM_GFP_KERNEL, 8, 0);
    if (!c->va)
        return false;
    km_st32(cpu, c->va + SLOBC_OBJECT_SIZE, c->object_size);
    km_st32(cpu, c->va + SLOBC_SIZE, c->size);
    km_st32(cpu, c->va + SLOBC_ALIGN, c->align);
    km_st32(cpu, c->va + SLOBC_FLAGS, c->flags);
    return true;
}

static km_vaddr slob_alloc(struct km_slab_layer *l, struct km_cpu *cpu, struct km_kmem_cache *c,
                           uint32_t gfp)
{
    uint32_t size = km_ld32(cpu, c->va + SLOBC_SIZE);
    km_vaddr obj = 0;

    if (size < KM_PAGE_BYTES) {
        obj = slob_take(l, cpu, size, gfp, km_ld32(cpu, c->va + SLOBC_ALIGN), 0);
    } else {
        km_pfn pfn = l->p.src.alloc(l->p.src.ctx, cpu, gfp, c->order);

        if (pfn != KM_PFN_NONE) {
            obj = km_pfn_to_va(l->os, pfn);
            l->stats.slab_blocks_alloc++;
            l->stats.slab_pages_alloc += 1u << c->order;
        }
    }
    if (obj && c->ctor)
        c->ctor(c->ctor_ctx, cpu, obj);
    return obj;
}

static void free_now(struct km_slab_layer *l, struct km_cpu *cpu, km_vaddr obj, uint32_t size)
{
    if (size < KM_PAGE_BYTES) {
        slob_give(l, cpu, obj, size);
        return;
    }
    unsigned order = km_order_of(((uint64_t)size + KM_PAGE_BYTES - 1) >> KM_PAGE_SHIFT);

    l->stats.slab_blocks_free++;
    l->stats.slab_pages_free += 1u << order;
    l->p.src.free(l->p.src.ctx, cpu, km_va_to_pfn(l->os, obj), order);
}

static void slob_free(struct km_slab_layer *l, struct km_cpu *cpu, struct km_kmem_cache *c,
                      km_vaddr slab, km_vaddr obj)
{
    uint32_t size = km_ld32(cpu, c->va + SLOBC_SIZE);
    km_vaddr footer = obj + size - RCU_FOOTER;

    (void)slab;
    if (!(c->flags & KM_CACHE_TYPESAFE_BY_RCU)) {
        free_now(l, cpu, obj, size);
        return;
    }
    km_st32(cpu, footer + 8, size);
    km_st32(cpu, footer, km_rmw32(cpu, l->rcu_list_va, KM_RMW_XCHG, footer, 0));
}

static unsigned slob_quiesce(struct km_slab_layer *l, struct km_cpu *cpu)
{
    if (!km_peek32(cpu->window, l->rcu_list_va))
        return 0;
    km_vaddr footer = km_rmw32(cpu, l->rcu_list_va, KM_RMW_XCHG, 0, 0);
    unsigned nr = 0;

    for (; footer; nr++) {
        km_vaddr next = km_ld32(cpu, footer);
        uint32_t size = km_ld32(cpu, footer + 8);

        free_now(l, cpu, footer + RCU_FOOTER - size, size);
        footer = next;
    }
    return nr;
}

static unsigned slob_alloc_bulk(struct km_slab_layer *l, struct km_cpu *cpu,
                                struct km_kmem_cache *c, uint32_t gfp, unsigned nr, km_vaddr *obj)
{
    unsigned got = 0;

    while (got < nr && (obj[got] = slob_alloc(l, cpu, c, gfp)) != 0)
        got++;
    if (got == nr)
        return nr;
    while (got--)
        slob_free(l, cpu, c, 0, obj[got]);
    return 0;
}

static void slob_free_bulk(struct km_slab_layer *l, struct km_cpu *cpu, struct km_kmem_cache *c,
                           unsigned nr, km_vaddr *obj)
{
    for (unsigned i = 0; i < nr; i++)
        if (obj[i])
            slob_free(l, cpu, c, 0, obj[i]);
}

static void slob_shrink(struct km_slab_layer *l, struct km_cpu *cpu, struct km_kmem_cache *c)
{
    (void)l;
    (void)cpu;
    (void)c; /* empty pages never stay */
}

static bool slob_destroy(struct km_slab_layer *l, struct km_cpu *cpu, struct km_kmem_cache *c)
{
    if (c->stats.allocs != c->stats.frees)
        return false;
    km_slab_rcu_quiesce(l, cpu);
    slob_give(l, cpu, c->va, SLOBC_BYTES);
    return true;
}

/* ---- checks ---------------------------------------------------------------------------------- */

static const char *check_page(const struct km_slab_layer *l, const uint8_t *w, km_vaddr page,
                              uint64_t *free_units)
{
    km_vaddr base = km_pfn_to_va(l->os, km_page_pfn(l->os, page));
    km_vaddr at = km_peek32(w, page + SLOB_FREELIST), end = 0;
    uint32_t sum = 0, flags = km_peek32(w, page + KM_PAGE_FLAGS);

    if (!(flags & KM_PG_SLAB) || !(flags & PG_SLOB_FREE))
        return "a listed page is not marked so";
    while (at != base + KM_PAGE_BYTES) {
        int16_t first;

        if (at < base || at >= base + KM_PAGE_BYTES || (end && at <= end))
            return "free blocks of a page do not ascend, or touch";
        memcpy(&first, w + at, 2);
        uint32_t units = first > 0 ? (uint32_t)first : 1, place = (uint32_t)-first;

        if (first > 0)
            place = w[at + 2] | (uint32_t)w[at + 3] << 8;
        end = at + units * UNIT_BYTES;
        sum += units;
        at = base + place * UNIT_BYTES;
    }
    if (end > base + KM_PAGE_BYTES)
        return "a free block reaches beyond its page";
    if (sum == 0 || sum >= PAGE_UNITS || sum != km_peek32(w, page + SLOB_UNITS))
        return "a page's units are not the sum of its free blocks";
    *free_units += sum;
    return NULL;
}

static const char *slob_check_layer(const struct km_slab_layer *l, const uint8_t *w)
{
    uint64_t free_units = 0, pages = 0;

    for (unsigned i = 0; i < NR_LISTS; i++) {
        km_vaddr head = l->slob.heap_va + 8 * i;

        for (km_vaddr e = km_peek32(w, head), prev = head; e != head;
             prev = e, e = km_peek32(w, e)) {
            if (km_peek32(w, e + 4) != prev)
                return "a page list is not doubly linked";
            const char *bad = check_page(l, w, e - KM_SLAB_LIST, &free_units);

            if (bad)
                return bad;
            if (++pages > l->slob.pages)
                return "more pages listed than taken";
        }
    }
    if (km_peek32(w, l->slob.heap_va + LOCK))
        return "the heap lock is held";
    return l->slob.pages * PAGE_UNITS == free_units + l->slob.live_units ? NULL : "units got lost";
}

static const char *slob_check(const struct km_slab_layer *l, const uint8_t *window,
                              const struct km_kmem_cache *c)
{
    (void)l;
    return km_peek32(window, c->va + SLOBC_SIZE) == c->size ? NULL : "a cache's size changed";
}

/* There is no slabinfo under SLOB: objects are known, slabs do not exist. */
static void slob_info(const struct km_slab_layer *l, const uint8_t *window,
                      const struct km_kmem_cache *c, struct km_slabinfo *out)
{
    (void)l;
    (void)window;
    *out = (struct km_slabinfo){.active_objs = c->stats.allocs - c->stats.frees,
                                .num_objs = c->stats.allocs - c->stats.frees,
                                .objsize = c->size,
                                .pages_per_slab = 1u << c->order};
}

const struct km_slab_ops km_slob_ops = {
    .name = "slob",
    .help = "list of blocks: next fit in pages of 2-byte units, no caches (until 6.3)",
    .cache_bytes = SLOBC_BYTES,
    .kmalloc_max = KM_PAGE_BYTES - KMALLOC_HEADER - 1,
    .create = slob_create,
    .destroy = slob_destroy,
    .alloc = slob_alloc,
    .free = slob_free,
    .alloc_bulk = slob_alloc_bulk,
    .free_bulk = slob_free_bulk,
    .shrink = slob_shrink,
    .quiesce = slob_quiesce,
    .kmalloc = slob_kmalloc,
    .kfree = slob_kfree,
    .ksize = slob_ksize,
    .info = slob_info,
    .check = slob_check,
    .check_layer = slob_check_layer,
};
