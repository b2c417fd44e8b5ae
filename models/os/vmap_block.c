/* SPDX-License-Identifier: MIT
 * vmap_block.c - see vmap_block.h.
 */
#include "models/os/vmap_block.h"

#include "models/base/bits.h"
#include "models/os/kfn.h"
#include "models/os/list.h"

#define SITE(n, va, bytes) .site = {.name = n, .text_va = va, .text_bytes = bytes}
#define BLOCK_BYTES (KM_VMAP_BLOCK_PAGES * KM_PAGE_BYTES)

static const struct km_fn fn_map = {SITE("vm_map_ram", 0xc128e420, 2176), 90, 14, 14};
static const struct km_fn fn_unmap = {SITE("vm_unmap_ram", 0xc128e260, 448), 60, 8, 8};

/* A new block whose first 2^order pages are taken; 0: no memory or address space. */
static km_vaddr new_block(struct km_vmalloc *v, struct km_cpu *cpu, unsigned order)
{
    km_vaddr vb = km_kzalloc(v->p.slab, cpu, KM_VB_BYTES, KM_GFP_KERNEL);
    km_vaddr area = vb ? km_vmap_alloc(&v->vmap, cpu, BLOCK_BYTES, BLOCK_BYTES, v->p.start,
                                       v->p.end, KM_GFP_KERNEL)
                       : 0;

    if (!area) {
        km_kfree(v->p.slab, cpu, vb);
        return 0;
    }
    km_st32(cpu, area + KM_VA_VM, vb | KM_VB_TAG);
    km_st32(cpu, vb + KM_VB_LOCK, 0);
    km_st32(cpu, vb + KM_VB_AREA, area);
    km_st32(cpu, vb + KM_VB_FREE, KM_VMAP_BLOCK_PAGES - (1u << order));
    km_st32(cpu, vb + KM_VB_DIRTY, 0);
    km_st32(cpu, vb + KM_VB_DIRTY_MIN, KM_VMAP_BLOCK_PAGES);
    km_st32(cpu, vb + KM_VB_DIRTY_MAX, 0);
    km_st32(cpu, vb + KM_VB_CPU, cpu->id);
    km_list_add_tail(cpu, vb + KM_VB_LIST, v->block_list_va[cpu->id]);
    return km_ld32(cpu, area + KM_VA_START);
}

/* From a block of this CPU with enough left at its end; 0: none. */
static km_vaddr from_block(struct km_vmalloc *v, struct km_cpu *cpu, unsigned order)
{
    km_vaddr head = v->block_list_va[cpu->id];

    for (km_vaddr at = km_list_first(cpu, head); at != head; at = km_ld32(cpu, at + KM_LIST_NEXT)) {
        km_vaddr vb = at - KM_VB_LIST;

        km_lock(cpu, vb + KM_VB_LOCK);
        uint32_t free = km_ld32(cpu, vb + KM_VB_FREE);

        if (free < 1u << order) {
            km_unlock(cpu, vb + KM_VB_LOCK);
            continue;
        }
        km_st32(cpu, vb + KM_VB_FREE, free - (1u << order));
        if (free == 1u << order)
            km_list_del(cpu, vb + KM_VB_LIST);
        km_unlock(cpu, vb + KM_VB_LOCK);
        return km_ld32(cpu, km_ld32(cpu, vb + KM_VB_AREA) + KM_VA_START) +
               (KM_VMAP_BLOCK_PAGES - free) * KM_PAGE_BYTES;
    }
    return 0;
}

static void free_block(struct km_vmalloc *v, struct km_cpu *cpu, km_vaddr vb)
{
    km_vaddr area = km_ld32(cpu, vb + KM_VB_AREA);

    km_st32(cpu, area + KM_VA_VM, 0);
    if (km_vmap_free_lazy(&v->vmap, cpu, area))
        v->drain_wanted = true;
    km_kfree(v->p.slab, cpu, vb);
}

static void free_in_block(struct km_vmalloc *v, struct km_cpu *cpu, km_vaddr vb, uint32_t first,
                          unsigned order)
{
    km_lock(cpu, vb + KM_VB_LOCK);
    uint32_t dirty = km_ld32(cpu, vb + KM_VB_DIRTY) + (1u << order);

    if (first < km_ld32(cpu, vb + KM_VB_DIRTY_MIN))
        km_st32(cpu, vb + KM_VB_DIRTY_MIN, first);
    if (first + (1u << order) > km_ld32(cpu, vb + KM_VB_DIRTY_MAX))
        km_st32(cpu, vb + KM_VB_DIRTY_MAX, first + (1u << order));
    km_st32(cpu, vb + KM_VB_DIRTY, dirty);
    km_unlock(cpu, vb + KM_VB_LOCK);
    if (dirty == KM_VMAP_BLOCK_PAGES)
        free_block(v, cpu, vb);
}

/* Clears the entries and gives the range back, mapped or not. */
static bool give_back(struct km_vmalloc *v, struct km_cpu *cpu, km_vaddr va, uint32_t pages)
{
    km_vaddr stack = v->p.slab->stack_va[cpu->id];
    km_vaddr area = pages && va % KM_PAGE_BYTES == 0 ? km_vmap_find(&v->vmap, cpu, va) : 0;

    if (!area)
        return false;
    uint32_t vm = km_ld32(cpu, area + KM_VA_VM);
    km_vaddr start = km_ld32(cpu, area + KM_VA_START);

    if (pages <= KM_VMAP_MAX_ALLOC) {
        uint32_t first = (va - start) >> KM_PAGE_SHIFT;
        unsigned order = km_order_of(pages);

        if (!(vm & KM_VB_TAG) ||
            first + (1u << order) > KM_VMAP_BLOCK_PAGES - km_ld32(cpu, (vm & ~1u) + KM_VB_FREE))
            return false;
        km_fn_enter(cpu, stack, &fn_unmap);
        km_vm_unmap_range(v, cpu, va, pages);
        free_in_block(v, cpu, vm & ~1u, first, order);
    } else {
        if (vm || va != start || km_ld32(cpu, area + KM_VA_END) - start != pages * KM_PAGE_BYTES)
            return false;
        km_fn_enter(cpu, stack, &fn_unmap);
        km_vm_unmap_range(v, cpu, va, pages);
        if (km_vmap_free_lazy(&v->vmap, cpu, area))
            v->drain_wanted = true;
    }
    km_fn_leave(cpu, stack, &fn_unmap);
    return true;
}

km_vaddr km_vm_map_ram(struct km_vmalloc *v, struct km_cpu *cpu, const km_pfn *pfn, uint32_t pages)
{
    km_vaddr stack = v->p.slab->stack_va[cpu->id];
    km_vaddr va = 0;

    if (!pages || pages > v->total_pages)
        return 0;
    km_fn_enter(cpu, stack, &fn_map);
    if (pages <= KM_VMAP_MAX_ALLOC) {
        va = from_block(v, cpu, km_order_of(pages));
        if (!va)
            va = new_block(v, cpu, km_order_of(pages));
    } else {
        km_vaddr area = km_vmap_alloc(&v->vmap, cpu, pages * KM_PAGE_BYTES, KM_PAGE_BYTES,
                                      v->p.start, v->p.end, KM_GFP_KERNEL);

        va = area ? km_ld32(cpu, area + KM_VA_START) : 0;
    }
    if (va && !km_vm_map_pages(v, cpu, va, pfn, pages, 0)) {
        give_back(v, cpu, va, pages);
        va = 0;
    }
    km_fn_leave(cpu, stack, &fn_map);
    return va;
}

bool km_vm_unmap_ram(struct km_vmalloc *v, struct km_cpu *cpu, km_vaddr va, uint32_t pages)
{
    if (v->p.pt && km_pgtable_peek(v->p.pt, cpu->window, va) == KM_PFN_NONE)
        return false; /* unmapped before, or never mapped */
    return give_back(v, cpu, va, pages);
}

unsigned km_vmap_blocks_purge(struct km_vmalloc *v, struct km_cpu *cpu)
{
    unsigned purged = 0;

    for (unsigned c = 0; c < v->os->p.cpus; c++) {
        km_vaddr head = v->block_list_va[c], next;

        for (km_vaddr at = km_list_first(cpu, head); at != head; at = next) {
            km_vaddr vb = at - KM_VB_LIST;
            uint32_t dirty = km_ld32(cpu, vb + KM_VB_DIRTY);

            next = km_ld32(cpu, at + KM_LIST_NEXT);
            if (km_ld32(cpu, vb + KM_VB_FREE) + dirty != KM_VMAP_BLOCK_PAGES ||
                dirty == KM_VMAP_BLOCK_PAGES)
                continue;
            km_list_del(cpu, at);
            free_block(v, cpu, vb);
            purged++;
        }
    }
    return purged;
}
