/* SPDX-License-Identifier: MIT
 * vmalloc.c - see vmalloc.h. Instruction counts are estimated from the code's size: the recorded
 * calls do not contain these functions.
 */
#include "models/os/vmalloc.h"

#include "models/base/bits.h"
#include "models/base/bug.h"
#include "models/base/x86_paging.h"
#include "models/os/kfn.h"
#include "models/os/list.h"
#include "models/os/page_alloc.h"
#include "models/os/vmap_block.h"

#include <string.h>

#define SITE(n, va, bytes) .site = {.name = n, .text_va = va, .text_bytes = bytes}

static const struct km_fn fn_range = {SITE("__vmalloc_node_range", 0xc128f660, 1392), 160, 18, 18};
static const struct km_fn fn_vunmap = {SITE("__vunmap", 0xc128f000, 720), 70, 10, 10};
static const struct km_fn fn_remove = {SITE("remove_vm_area", 0xc128ef60, 160), 40, 5, 5};
static const struct km_fn fn_vfree = {SITE("vfree", 0xc128f340, 144), 20, 4, 4};
static const struct km_fn fn_vmap = {SITE("vmap", 0xc128f3d0, 208), 50, 8, 8};
static const struct km_site site_map = {"__vmap_pages_range_noflush", 0xc128ecd0, 64};
static const struct km_site site_unmap = {"vunmap_range_noflush", 0xc128eca0, 16};

#define PTE_INSNS 14u /* one entry set or cleared */
#define BULK_MAX 100u /* pages asked for at once  */
#define GFP_RECLAIM_MASK                                                                           \
    (KM_GFP_KERNEL | KM_GFP_HIGH | KM_GFP_ATOMIC_BIT | KM_GFP_NOWARN | KM_GFP_RETRY_MAYFAIL |      \
     KM_GFP_NOFAIL | KM_GFP_NORETRY | KM_GFP_MEMALLOC | KM_GFP_NOMEMALLOC)

static km_vaddr stack_of(const struct km_vmalloc *v, const struct km_cpu *cpu)
{
    return v->p.slab->stack_va[cpu->id];
}

bool km_vmalloc_init(struct km_vmalloc *v, struct km_os *os, struct km_cpu *cpu,
                     const struct km_vmalloc_params *p)
{
    memset(v, 0, sizeof(*v));
    v->os = os;
    v->p = *p;
    if (!km_vmap_init(&v->vmap, os, p->slab, cpu, p->start, p->end))
        return false;
    for (unsigned z = 0; z < KM_NR_ZONES; z++)
        if (os->zone[z].va)
            v->total_pages += km_ld32(cpu, os->zone[z].va + KM_ZONE_MANAGED);
    for (unsigned c = 0; c < os->p.cpus; c++) {
        v->deferred_va[c] = km_os_static_alloc(os, 16, 16);
        v->block_list_va[c] = v->deferred_va[c] + 8;
        km_st32(cpu, v->deferred_va[c], 0);
        km_list_init(cpu, v->block_list_va[c]);
    }
    return true;
}

static km_vaddr fail(struct km_vmalloc *v, enum km_vm_fail why)
{
    v->why = why;
    v->stats.failed[why]++;
    return 0;
}

/* ---- page-table entries --------------------------------------------------------------------- */

static bool set_entry(struct km_vmalloc *v, struct km_cpu *cpu, km_vaddr va, km_pfn pfn,
                      uint32_t attr)
{
    km_exec(cpu, &site_map, PTE_INSNS);
    if (v->p.pt && !km_pgtable_map_attr(v->p.pt, cpu, va, pfn, attr))
        return false;
    v->stats.ptes_set++;
    return true;
}

bool km_vm_map_pages(struct km_vmalloc *v, struct km_cpu *cpu, km_vaddr va, const km_pfn *pfn,
                     uint32_t pages, uint32_t attr)
{
    for (uint32_t i = 0, run; i < pages; i += run) {
        for (run = 1; i + run < pages && pfn[i + run] == pfn[i] + run;)
            run++;
        if (!km_vm_map_range(v, cpu, va + i * KM_PAGE_BYTES, pfn[i], run, attr)) {
            km_vm_unmap_range(v, cpu, va, i);
            return false;
        }
    }
    return true;
}

bool km_vm_map_range(struct km_vmalloc *v, struct km_cpu *cpu, km_vaddr va, km_pfn first,
                     uint32_t pages, uint32_t attr)
{
    for (uint32_t i = 0; i < pages; i++) {
        if (set_entry(v, cpu, va + i * KM_PAGE_BYTES, first + i, attr))
            continue;
        while (i--)
            km_pgtable_unmap(v->p.pt, cpu, va + i * KM_PAGE_BYTES);
        return false;
    }
    km_hook_map(&v->p.hook, va, first, pages);
    return true;
}

void km_vm_unmap_range(struct km_vmalloc *v, struct km_cpu *cpu, km_vaddr va, uint32_t pages)
{
    if (!pages)
        return;
    for (uint32_t i = 0; i < pages; i++) {
        km_exec(cpu, &site_unmap, PTE_INSNS);
        if (!v->p.pt || km_pgtable_unmap(v->p.pt, cpu, va + i * KM_PAGE_BYTES))
            v->stats.ptes_cleared++;
    }
    km_hook_unmap(&v->p.hook, va, pages);
}

/* ---- areas ---------------------------------------------------------------------------------- */

km_vaddr km_vm_area_get(struct km_vmalloc *v, struct km_cpu *cpu, uint32_t bytes, uint32_t align,
                        km_vaddr lo, km_vaddr hi, uint32_t gfp, uint32_t vm_flags, km_vaddr caller)
{
    bytes = (uint32_t)km_align_up(bytes, KM_PAGE_BYTES);
    if (!bytes || align > KM_PAGE_BYTES << (KM_NR_ORDERS - 1) || bytes > v->p.end - v->p.start)
        return fail(v, bytes ? KM_VM_FAIL_SPACE : KM_VM_FAIL_SIZE);
    km_vaddr vm = km_kzalloc(v->p.slab, cpu, KM_VMS_BYTES, gfp & GFP_RECLAIM_MASK);

    if (!vm)
        return fail(v, KM_VM_FAIL_PAGES);
    if (!(vm_flags & KM_VM_NO_GUARD))
        bytes += KM_PAGE_BYTES;
    km_vaddr area = km_vmap_alloc(&v->vmap, cpu, bytes, align, lo, hi, gfp & GFP_RECLAIM_MASK);

    if (!area) {
        km_kfree(v->p.slab, cpu, vm);
        return fail(v, KM_VM_FAIL_SPACE);
    }
    km_st32(cpu, vm + KM_VMS_FLAGS, vm_flags);
    km_st32(cpu, vm + KM_VMS_ADDR, km_ld32(cpu, area + KM_VA_START));
    km_st32(cpu, vm + KM_VMS_SIZE, bytes);
    km_st32(cpu, vm + KM_VMS_CALLER, caller);
    km_st32(cpu, vm + KM_VMS_PAGES, 0);
    km_st32(cpu, vm + KM_VMS_NR_PAGES, 0);
    km_st32(cpu, vm + KM_VMS_PHYS, 0);
    km_st32(cpu, vm + KM_VMS_PHYS + 4, 0);
    km_st32(cpu, area + KM_VA_VM, vm);
    return vm;
}

static uint32_t mapped_pages(struct km_cpu *cpu, km_vaddr vm)
{
    uint32_t bytes = km_ld32(cpu, vm + KM_VMS_SIZE);

    if (!(km_ld32(cpu, vm + KM_VMS_FLAGS) & KM_VM_NO_GUARD))
        bytes -= KM_PAGE_BYTES;
    return bytes >> KM_PAGE_SHIFT;
}

km_vaddr km_vm_area_remove(struct km_vmalloc *v, struct km_cpu *cpu, km_vaddr va)
{
    km_vaddr area = km_vmap_find(&v->vmap, cpu, va);
    km_vaddr vm = area ? km_ld32(cpu, area + KM_VA_VM) : 0;

    if (!vm || (vm & KM_VB_TAG) || km_ld32(cpu, area + KM_VA_START) != va)
        return 0;
    km_fn_enter(cpu, stack_of(v, cpu), &fn_remove);
    km_st32(cpu, area + KM_VA_VM, 0);
    km_vm_unmap_range(v, cpu, va, mapped_pages(cpu, vm));
    if (km_vmap_free_lazy(&v->vmap, cpu, area))
        v->drain_wanted = true;
    km_fn_leave(cpu, stack_of(v, cpu), &fn_remove);
    return vm;
}

/* ---- pages ---------------------------------------------------------------------------------- */

static bool is_vmalloc_address(const struct km_vmalloc *v, km_vaddr va)
{
    return va >= v->p.start && va < v->p.end;
}

/* Fills the array of struct page addresses; returns how many pages there were. */
static uint32_t get_pages(struct km_vmalloc *v, struct km_cpu *cpu, km_vaddr array, uint32_t want,
                          uint32_t gfp)
{
    km_pfn pfn[BULK_MAX];
    uint32_t have = 0;

    while (have < want && !(gfp & KM_GFP_NOFAIL)) {
        unsigned ask = want - have < BULK_MAX ? want - have : BULK_MAX;
        unsigned got = km_alloc_pages_bulk(v->os, cpu, gfp, ask, pfn);

        v->stats.bulk_calls++;
        v->stats.pages_bulk += got;
        for (unsigned i = 0; i < got; i++)
            km_st32(cpu, array + 4 * have++, km_page_va(v->os, pfn[i]));
        if (got != ask)
            break;
    }
    while (have < want) {
        km_pfn one = km_alloc_pages(v->os, cpu, gfp, 0);

        if (one == KM_PFN_NONE)
            break;
        v->stats.pages_single++;
        km_st32(cpu, array + 4 * have++, km_page_va(v->os, one));
    }
    return have;
}

static bool map_array(struct km_vmalloc *v, struct km_cpu *cpu, km_vaddr va, km_vaddr array,
                      uint32_t pages)
{
    km_pfn pfn[BULK_MAX];

    for (uint32_t done = 0; done < pages;) {
        uint32_t n = pages - done < BULK_MAX ? pages - done : BULK_MAX;

        for (uint32_t i = 0; i < n; i++)
            pfn[i] = km_page_pfn(v->os, km_ld32(cpu, array + 4 * (done + i)));
        if (!km_vm_map_pages(v, cpu, va + done * KM_PAGE_BYTES, pfn, n, 0))
            return false; /* the part that was mapped goes with the area */
        done += n;
    }
    return true;
}

static km_vaddr get_array(struct km_vmalloc *v, struct km_cpu *cpu, uint32_t pages, uint32_t gfp,
                          km_vaddr caller)
{
    uint32_t nested = (gfp & GFP_RECLAIM_MASK) | KM_GFP_ZERO;

    if (pages * 4 <= KM_PAGE_BYTES)
        return km_kmalloc(v->p.slab, cpu, pages * 4, nested);
    v->stats.nested_arrays++;
    return km_vmalloc_range(v, cpu, pages * 4, 1, v->p.start, v->p.end, nested | KM_GFP_HIGHMEM, 0,
                            caller);
}

static void put_array(struct km_vmalloc *v, struct km_cpu *cpu, km_vaddr array)
{
    if (is_vmalloc_address(v, array))
        km_vfree(v, cpu, array, false);
    else if (array)
        km_kfree(v->p.slab, cpu, array);
}

static void zero_pages(struct km_vmalloc *v, struct km_cpu *cpu, km_vaddr va, km_vaddr array,
                       uint32_t pages)
{
    for (uint32_t i = 0; i < pages; i++) {
        /* Low pages were charged when they were allocated. */
        if (!km_pfn_is_low(v->os, km_page_pfn(v->os, km_peek32(cpu->window, array + 4 * i))))
            km_touch(cpu, va + i * KM_PAGE_BYTES, KM_PAGE_BYTES, KM_REF_STORE);
    }
    memset(cpu->window + va, 0, (size_t)pages * KM_PAGE_BYTES);
}

/* Gives back a removed or half-built area's pages, array and descriptor. */
static void release(struct km_vmalloc *v, struct km_cpu *cpu, km_vaddr vm)
{
    uint32_t pages = km_ld32(cpu, vm + KM_VMS_NR_PAGES);
    km_vaddr array = km_ld32(cpu, vm + KM_VMS_PAGES);

    for (uint32_t i = 0; array && i < pages; i++)
        km_free_pages(v->os, cpu, km_page_pfn(v->os, km_ld32(cpu, array + 4 * i)), 0);
    v->stats.pages -= pages;
    put_array(v, cpu, array);
    km_kfree(v->p.slab, cpu, vm);
}

static bool populate(struct km_vmalloc *v, struct km_cpu *cpu, km_vaddr vm, uint32_t pages,
                     uint32_t gfp)
{
    km_vaddr va = km_ld32(cpu, vm + KM_VMS_ADDR);
    uint32_t page_gfp = gfp | KM_GFP_NOWARN;
    km_vaddr array = get_array(v, cpu, pages, gfp, km_ld32(cpu, vm + KM_VMS_CALLER));

    if (!(gfp & (KM_GFP_DMA | KM_GFP_DMA32)))
        page_gfp |= KM_GFP_HIGHMEM;
    if (!array) {
        fail(v, KM_VM_FAIL_PAGES);
        return false;
    }
    km_st32(cpu, vm + KM_VMS_PAGES, array);
    uint32_t have = get_pages(v, cpu, array, pages, page_gfp);

    km_st32(cpu, vm + KM_VMS_NR_PAGES, have);
    v->stats.pages += have;
    if (v->stats.pages > v->stats.peak_pages)
        v->stats.peak_pages = v->stats.pages;
    if (have < pages) {
        fail(v, KM_VM_FAIL_PAGES);
        return false;
    }
    if (!map_array(v, cpu, va, array, pages)) {
        fail(v, KM_VM_FAIL_TABLES);
        return false;
    }
    if ((gfp & KM_GFP_ZERO) || v->os->p.init_on_alloc)
        zero_pages(v, cpu, va, array, pages);
    return true;
}

km_vaddr km_vmalloc_range(struct km_vmalloc *v, struct km_cpu *cpu, uint32_t bytes, uint32_t align,
                          km_vaddr lo, km_vaddr hi, uint32_t gfp, uint32_t vm_flags,
                          km_vaddr caller)
{
    uint32_t pages = (uint32_t)(((uint64_t)bytes + KM_PAGE_BYTES - 1) >> KM_PAGE_SHIFT);
    km_vaddr va = 0;

    if (!bytes || bytes >> KM_PAGE_SHIFT > v->total_pages)
        return fail(v, KM_VM_FAIL_SIZE);
    km_fn_enter(cpu, stack_of(v, cpu), &fn_range);
    km_vaddr vm = km_vm_area_get(v, cpu, bytes, align, lo, hi, gfp, vm_flags | KM_VM_ALLOC, caller);

    if (vm) {
        va = km_ld32(cpu, vm + KM_VMS_ADDR);
        if (populate(v, cpu, vm, pages, gfp)) {
            v->why = KM_VM_OK;
            v->stats.allocs++;
        } else {
            km_vm_area_remove(v, cpu, va);
            release(v, cpu, vm);
            va = 0;
        }
    }
    km_fn_leave(cpu, stack_of(v, cpu), &fn_range);
    return va;
}

km_vaddr km_vmalloc(struct km_vmalloc *v, struct km_cpu *cpu, uint32_t bytes, km_vaddr caller)
{
    return km_vmalloc_range(v, cpu, bytes, 1, v->p.start, v->p.end, KM_GFP_KERNEL, 0, caller);
}

km_vaddr km_vzalloc(struct km_vmalloc *v, struct km_cpu *cpu, uint32_t bytes, km_vaddr caller)
{
    return km_vmalloc_range(v, cpu, bytes, 1, v->p.start, v->p.end, KM_GFP_KERNEL | KM_GFP_ZERO, 0,
                            caller);
}

km_vaddr km_vmalloc_user(struct km_vmalloc *v, struct km_cpu *cpu, uint32_t bytes, km_vaddr caller)
{
    return km_vmalloc_range(v, cpu, bytes, KM_PAGE_BYTES, v->p.start, v->p.end,
                            KM_GFP_KERNEL | KM_GFP_ZERO, KM_VM_USERMAP, caller);
}

km_vaddr km_vmalloc_32(struct km_vmalloc *v, struct km_cpu *cpu, uint32_t bytes, km_vaddr caller)
{
    return km_vmalloc_range(v, cpu, bytes, 1, v->p.start, v->p.end, KM_GFP_KERNEL | KM_GFP_DMA32, 0,
                            caller);
}

/* ---- freeing -------------------------------------------------------------------------------- */

/* __vunmap: with or without the pages. */
static enum km_vfree_result unmap_area(struct km_vmalloc *v, struct km_cpu *cpu, km_vaddr va,
                                       bool free_pages)
{
    if (va % KM_PAGE_BYTES) {
        v->stats.bad_frees++;
        return KM_VFREE_BAD_ADDRESS;
    }
    km_fn_enter(cpu, stack_of(v, cpu), &fn_vunmap);
    km_vaddr vm = km_vm_area_remove(v, cpu, va);

    if (!vm) {
        v->stats.bad_frees++;
        km_fn_leave(cpu, stack_of(v, cpu), &fn_vunmap);
        return KM_VFREE_NO_AREA;
    }
    if (km_ld32(cpu, vm + KM_VMS_FLAGS) &
        KM_VM_FLUSH_RESET_PERMS) /* no stale executable alias may stay */
        km_vm_unmap_aliases(v, cpu);
    if (free_pages)
        release(v, cpu, vm);
    else
        km_kfree(v->p.slab, cpu, vm);
    km_fn_leave(cpu, stack_of(v, cpu), &fn_vunmap);
    return KM_VFREE_OK;
}

enum km_vfree_result km_vfree(struct km_vmalloc *v, struct km_cpu *cpu, km_vaddr va,
                              bool in_interrupt)
{
    km_fn_enter(cpu, stack_of(v, cpu), &fn_vfree);
    if (!va)
        return KM_VFREE_NULL;
    if (in_interrupt) {
        if (va % KM_PAGE_BYTES || !is_vmalloc_address(v, va)) {
            v->stats.bad_frees++;
            return KM_VFREE_BAD_ADDRESS;
        }
        km_vaddr head = v->deferred_va[cpu->id];

        km_st32(cpu, va, km_ld32(cpu, head)); /* the link stands in the memory itself */
        km_st32(cpu, head, va);
        v->stats.deferred++;
        return KM_VFREE_DEFERRED;
    }
    enum km_vfree_result r = unmap_area(v, cpu, va, true);

    v->stats.frees += r == KM_VFREE_OK;
    km_fn_leave(cpu, stack_of(v, cpu), &fn_vfree);
    return r;
}

km_vaddr km_vmap(struct km_vmalloc *v, struct km_cpu *cpu, const km_pfn *pfn, uint32_t pages,
                 km_vaddr caller)
{
    km_vaddr va = 0;

    if (!pages || pages > v->total_pages)
        return fail(v, KM_VM_FAIL_SIZE);
    km_fn_enter(cpu, stack_of(v, cpu), &fn_vmap);
    km_vaddr vm = km_vm_area_get(v, cpu, pages * KM_PAGE_BYTES, 1, v->p.start, v->p.end,
                                 KM_GFP_KERNEL, KM_VM_MAP, caller);

    if (vm) {
        va = km_ld32(cpu, vm + KM_VMS_ADDR);
        if (km_vm_map_pages(v, cpu, va, pfn, pages, 0)) {
            v->why = KM_VM_OK;
            v->stats.maps++;
        } else {
            km_vm_area_remove(v, cpu, va);
            km_kfree(v->p.slab, cpu, vm);
            va = fail(v, KM_VM_FAIL_TABLES);
        }
    }
    km_fn_leave(cpu, stack_of(v, cpu), &fn_vmap);
    return va;
}

enum km_vfree_result km_vunmap(struct km_vmalloc *v, struct km_cpu *cpu, km_vaddr va)
{
    enum km_vfree_result r = va ? unmap_area(v, cpu, va, false) : KM_VFREE_NULL;

    v->stats.unmaps += r == KM_VFREE_OK;
    return r;
}

bool km_vmalloc_protect(struct km_vmalloc *v, struct km_cpu *cpu, km_vaddr va)
{
    km_vaddr area = km_vmap_find(&v->vmap, cpu, va);
    km_vaddr vm = area ? km_ld32(cpu, area + KM_VA_VM) : 0;

    if (!vm || (vm & KM_VB_TAG) || km_ld32(cpu, area + KM_VA_START) != va)
        return false;
    km_st32(cpu, vm + KM_VMS_FLAGS, km_ld32(cpu, vm + KM_VMS_FLAGS) | KM_VM_FLUSH_RESET_PERMS);
    km_vm_unmap_aliases(v, cpu);
    return true;
}

void km_vm_unmap_aliases(struct km_vmalloc *v, struct km_cpu *cpu)
{
    km_vaddr lo = UINT32_MAX, hi = 0;

    for (unsigned c = 0; c < v->os->p.cpus; c++) {
        km_vaddr head = v->block_list_va[c];

        for (km_vaddr at = km_list_first(cpu, head); at != head;
             at = km_ld32(cpu, at + KM_LIST_NEXT)) {
            km_vaddr vb = at - KM_VB_LIST;
            km_vaddr start = km_ld32(cpu, km_ld32(cpu, vb + KM_VB_AREA) + KM_VA_START);
            km_vaddr from = start + km_ld32(cpu, vb + KM_VB_DIRTY_MIN) * KM_PAGE_BYTES;
            km_vaddr to = start + km_ld32(cpu, vb + KM_VB_DIRTY_MAX) * KM_PAGE_BYTES;

            if (!km_ld32(cpu, vb + KM_VB_DIRTY))
                continue;
            lo = from < lo ? from : lo;
            hi = to > hi ? to : hi;
        }
    }
    km_vmap_blocks_purge(v, cpu);
    if (!km_vmap_purge(&v->vmap, cpu, lo, hi) && lo < hi)
        km_vmap_flush_tlb(&v->vmap, cpu, lo, hi);
}

bool km_vmalloc_work(struct km_vmalloc *v, struct km_cpu *cpu)
{
    km_vaddr head = v->deferred_va[cpu->id];
    km_vaddr va = km_rmw32(cpu, head, KM_RMW_XCHG, 0, 0);
    bool did = va || v->drain_wanted;

    while (va) {
        km_vaddr next = km_ld32(cpu, va);

        v->stats.frees += unmap_area(v, cpu, va, true) == KM_VFREE_OK;
        va = next;
    }
    if (v->drain_wanted) {
        v->drain_wanted = false;
        while (km_ld32(cpu, v->vmap.lazy_pages_va) > v->vmap.lazy_max_pages)
            km_vmap_purge(&v->vmap, cpu, 1, 0);
    }
    v->stats.work_runs += did;
    return did;
}

bool km_vmalloc_adopt(struct km_vmalloc *v, struct km_cpu *cpu, km_vaddr at,
                      uint32_t bytes_with_guard, uint32_t vm_flags, km_vaddr caller)
{
    km_vaddr vm = km_kzalloc(v->p.slab, cpu, KM_VMS_BYTES, KM_GFP_KERNEL);
    km_vaddr area = vm ? km_vmap_claim(&v->vmap, cpu, at, bytes_with_guard) : 0;

    if (!area) {
        km_kfree(v->p.slab, cpu, vm);
        return false;
    }
    km_st32(cpu, vm + KM_VMS_ADDR, at);
    km_st32(cpu, vm + KM_VMS_SIZE, bytes_with_guard);
    km_st32(cpu, vm + KM_VMS_FLAGS, vm_flags);
    km_st32(cpu, vm + KM_VMS_PAGES, 0);
    km_st32(cpu, vm + KM_VMS_NR_PAGES, 0);
    km_st32(cpu, vm + KM_VMS_PHYS, 0);
    km_st32(cpu, vm + KM_VMS_PHYS + 4, 0);
    km_st32(cpu, vm + KM_VMS_CALLER, caller);
    km_st32(cpu, area + KM_VA_VM, vm);
    return true;
}

bool km_vmalloc_refer(struct km_vmalloc *v, struct km_cpu *cpu, km_vaddr va, uint32_t pages,
                      km_paddr phys)
{
    km_vaddr area = km_vmap_find(&v->vmap, cpu, va);
    km_vaddr vm = area ? km_ld32(cpu, area + KM_VA_VM) : 0;

    if (!vm || (vm & KM_VB_TAG) || km_ld32(cpu, area + KM_VA_START) != va)
        return false;
    v->stats.pages += pages - km_ld32(cpu, vm + KM_VMS_NR_PAGES);
    if (v->stats.pages > v->stats.peak_pages)
        v->stats.peak_pages = v->stats.pages;
    km_st32(cpu, vm + KM_VMS_NR_PAGES, pages);
    km_st32(cpu, vm + KM_VMS_PHYS, (uint32_t)phys);
    km_st32(cpu, vm + KM_VMS_PHYS + 4, (uint32_t)(phys >> 32));
    return true;
}

/* ---- untimed views -------------------------------------------------------------------------- */

static struct km_vm_info info_of(const struct km_vmalloc *v, const uint8_t *w, km_vaddr area)
{
    struct km_vm_info i = {.start = km_peek32(w, area + KM_VA_START)};
    km_vaddr vm = km_peek32(w, area + KM_VA_VM);

    if (!vm || (vm & KM_VB_TAG)) {
        i.kind = KM_VM_KIND_MAP_RAM;
        i.bytes = km_peek32(w, area + KM_VA_END) - i.start;
        return i;
    }
    i.bytes = km_peek32(w, vm + KM_VMS_SIZE);
    i.flags = km_peek32(w, vm + KM_VMS_FLAGS);
    i.pages = km_peek32(w, vm + KM_VMS_NR_PAGES);
    i.phys = km_peek32(w, vm + KM_VMS_PHYS) | (km_paddr)km_peek32(w, vm + KM_VMS_PHYS + 4) << 32;
    i.caller = km_peek32(w, vm + KM_VMS_CALLER);
    i.vpages = is_vmalloc_address(v, km_peek32(w, vm + KM_VMS_PAGES));
    return i;
}

unsigned km_vmalloc_info(const struct km_vmalloc *v, const uint8_t *window, struct km_vm_info *out,
                         unsigned max)
{
    unsigned n = 0;
    km_vaddr head = v->vmap.busy_list_va;

    for (km_vaddr at = km_peek32(window, head); at != head;
         at = km_peek32(window, at + KM_LIST_NEXT), n++)
        if (n < max)
            out[n] = info_of(v, window, at - KM_VA_LIST);
    head = v->vmap.lazy_list_va;
    for (km_vaddr at = km_peek32(window, head); at != head;
         at = km_peek32(window, at + KM_LIST_NEXT), n++) {
        km_vaddr start = km_peek32(window, at - KM_VA_LIST + KM_VA_START);

        if (n < max)
            out[n] = (struct km_vm_info){.kind = KM_VM_KIND_LAZY,
                                         .start = start,
                                         .bytes = km_peek32(window, at - KM_VA_LIST + KM_VA_END) -
                                                  start};
    }
    return n;
}

static const char *check_area(const struct km_vmalloc *v, const uint8_t *w, km_vaddr area)
{
    km_vaddr vm = km_peek32(w, area + KM_VA_VM), start = km_peek32(w, area + KM_VA_START);

    if (!vm || (vm & KM_VB_TAG))
        return NULL;
    uint32_t size = km_peek32(w, vm + KM_VMS_SIZE), pages = km_peek32(w, vm + KM_VMS_NR_PAGES);
    km_vaddr array = km_peek32(w, vm + KM_VMS_PAGES);
    bool guard = !(km_peek32(w, vm + KM_VMS_FLAGS) & KM_VM_NO_GUARD);

    if (km_peek32(w, vm + KM_VMS_ADDR) != start || km_peek32(w, area + KM_VA_END) - start != size)
        return "descriptor and area disagree";
    if (array && pages * KM_PAGE_BYTES + (guard ? KM_PAGE_BYTES : 0) != size)
        return "area size is not its pages plus the guard page";
    if (!v->p.pt)
        return NULL;
    for (uint32_t i = 0; array && i < pages; i++)
        if (km_pgtable_peek(v->p.pt, w, start + i * KM_PAGE_BYTES) !=
            km_page_pfn(v->os, km_peek32(w, array + 4 * i)))
            return "a page is not mapped where its array says";
    if (guard && km_pgtable_peek(v->p.pt, w, start + size - KM_PAGE_BYTES) != KM_PFN_NONE)
        return "a guard page is mapped";
    return NULL;
}

const char *km_vmalloc_check(const struct km_vmalloc *v, const uint8_t *window)
{
    const char *why = km_vmap_check(&v->vmap, window);
    uint32_t pages = 0;

    for (km_vaddr at = km_peek32(window, v->vmap.busy_list_va); !why && at != v->vmap.busy_list_va;
         at = km_peek32(window, at + KM_LIST_NEXT)) {
        why = check_area(v, window, at - KM_VA_LIST);
        pages += info_of(v, window, at - KM_VA_LIST).pages;
    }
    if (!why && pages != v->stats.pages)
        why = "pages held by areas differ from the counter";
    return why;
}
