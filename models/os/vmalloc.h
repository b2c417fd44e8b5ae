/* SPDX-License-Identifier: MIT
 * vmalloc.h - memory that is contiguous in kernel addresses only: vmalloc, vmap, vfree.
 *
 * Models:      vm_struct (36 bytes, kmalloc), the range from vmap.h with one unmapped guard page,
 *              the page array (kmalloc up to a page, a nested vmalloc above), pages from the bulk
 *              allocator in requests of at most 100 and one by one where that falls short, page-
 *              table entries written one by one. Freeing clears the entries at once, hands the
 *              range to the lazy list, then the pages go back one by one. A free inside an
 *              interrupt writes itself onto a per-CPU list (the link stands in the memory to be
 *              freed) and is done by km_vmalloc_work, as is the purge of lazy ranges once there are
 *              too many.
 * Failure:     ordinary results: 0 and a reason (enum km_vm_fail), everything taken so far given
 *              back.
 * Not modelled: large-page mappings, KASAN shadow, memcg charges of the pages, fatal signals.
 * Invariants:  every busy area with a vm_struct has size = bytes + guard; pages in its array are
 *              mapped at consecutive addresses; the guard page is never mapped (km_vmalloc_check).
 * Units:       bytes, pages; caller is the guest text address of the call.
 * References:  Linux 6.1 behaviour notes F1 to F4; vmap.h.
 */
#ifndef KM_OS_VMALLOC_H
#define KM_OS_VMALLOC_H

#include "models/os/map_hook.h"
#include "models/os/pgtable.h"
#include "models/os/vmap.h"

/* struct vm_struct */
enum {
    KM_VMS_NEXT = 0,
    KM_VMS_ADDR = 4,
    KM_VMS_SIZE = 8, /* with guard */
    KM_VMS_FLAGS = 12,
    KM_VMS_PAGES = 16, /* array of struct page addresses */
    KM_VMS_NR_PAGES = 20,
    KM_VMS_PHYS = 24, /* 8 bytes */
    KM_VMS_CALLER = 32,
    KM_VMS_BYTES = 36,
};

/* vm_struct flags */
enum {
    KM_VM_IOREMAP = 0x1,
    KM_VM_ALLOC = 0x2,
    KM_VM_MAP = 0x4,
    KM_VM_USERMAP = 0x8,
    KM_VM_DMA_COHERENT = 0x10,
    KM_VM_NO_GUARD = 0x40,
    KM_VM_FLUSH_RESET_PERMS = 0x100,
};

enum km_vm_fail {
    KM_VM_OK,
    KM_VM_FAIL_SIZE,
    KM_VM_FAIL_SPACE,
    KM_VM_FAIL_PAGES,
    KM_VM_FAIL_TABLES
};

enum km_vfree_result {
    KM_VFREE_OK,
    KM_VFREE_NULL,
    KM_VFREE_DEFERRED,
    KM_VFREE_BAD_ADDRESS, /* not page aligned         */
    KM_VFREE_NO_AREA,     /* no area begins there     */
};

struct km_vmalloc_stats {
    uint64_t allocs, frees, maps, unmaps, deferred, bad_frees;
    uint64_t failed[KM_VM_FAIL_TABLES + 1]; /* by reason */
    uint64_t pages_bulk, pages_single, bulk_calls;
    uint64_t ptes_set, ptes_cleared;
    uint64_t nested_arrays; /* page arrays that were vmalloc'ed */
    uint64_t work_runs;
    uint32_t pages, peak_pages; /* held by vmalloc now */
};

struct km_vmalloc_params {
    struct km_slab_layer *slab;
    struct km_pgtable *pt; /* NULL: no page tables (address-space studies) */
    struct km_map_hook hook;
    km_vaddr start, end;
};

struct km_vmalloc {
    struct km_os *os;
    struct km_vmalloc_params p;
    struct km_vmap vmap;
    km_vaddr deferred_va[KM_MAX_CPUS];   /* per CPU: first address to free later */
    km_vaddr block_list_va[KM_MAX_CPUS]; /* per CPU: vmap blocks with room (vmap_block.h) */
    uint32_t total_pages;                /* of RAM managed by the allocator      */
    bool drain_wanted;
    enum km_vm_fail why; /* of the last failed call */
    struct km_vmalloc_stats stats;
};

bool km_vmalloc_init(struct km_vmalloc *v, struct km_os *os, struct km_cpu *cpu,
                     const struct km_vmalloc_params *p);

/* __vmalloc_node_range: what all others call. 0: failed, see v->why. */
km_vaddr km_vmalloc_range(struct km_vmalloc *v, struct km_cpu *cpu, uint32_t bytes, uint32_t align,
                          km_vaddr lo, km_vaddr hi, uint32_t gfp, uint32_t vm_flags,
                          km_vaddr caller);
km_vaddr km_vmalloc(struct km_vmalloc *v, struct km_cpu *cpu, uint32_t bytes, km_vaddr caller);
km_vaddr km_vzalloc(struct km_vmalloc *v, struct km_cpu *cpu, uint32_t bytes, km_vaddr caller);
/* Zeroed, and may be mapped into user space. */
km_vaddr km_vmalloc_user(struct km_vmalloc *v, struct km_cpu *cpu, uint32_t bytes, km_vaddr caller);
/* Pages below 4 GiB: never HighMem. */
km_vaddr km_vmalloc_32(struct km_vmalloc *v, struct km_cpu *cpu, uint32_t bytes, km_vaddr caller);
enum km_vfree_result km_vfree(struct km_vmalloc *v, struct km_cpu *cpu, km_vaddr va,
                              bool in_interrupt);

/* vmap: maps frames the caller owns; vunmap leaves them alone. */
km_vaddr km_vmap(struct km_vmalloc *v, struct km_cpu *cpu, const km_pfn *pfn, uint32_t pages,
                 km_vaddr caller);
enum km_vfree_result km_vunmap(struct km_vmalloc *v, struct km_cpu *cpu, km_vaddr va);

/* set_memory_ro and its kin: needs every alias gone, so lazy ranges are flushed now; freeing the
 * area will flush at once. False: no area begins at va. */
bool km_vmalloc_protect(struct km_vmalloc *v, struct km_cpu *cpu, km_vaddr va);
/* vm_unmap_aliases: half-used vmap blocks and lazy ranges are flushed now. */
void km_vm_unmap_aliases(struct km_vmalloc *v, struct km_cpu *cpu);
/* The kernel's workers: deferred frees of this CPU and the drain of lazy ranges. True if anything
 * was done. */
bool km_vmalloc_work(struct km_vmalloc *v, struct km_cpu *cpu);

/* An area that exists when the simulation begins: address space and, in accounts, pages only. */
bool km_vmalloc_adopt(struct km_vmalloc *v, struct km_cpu *cpu, km_vaddr at,
                      uint32_t bytes_with_guard, uint32_t vm_flags, km_vaddr caller);

/* Says that the area at va shows so many pages, or device memory at phys, that others account for: freeing the area
 * leaves them alone. False: no area begins there. */
bool km_vmalloc_refer(struct km_vmalloc *v, struct km_cpu *cpu, km_vaddr va, uint32_t pages,
                      km_paddr phys);

/* For ioremap and vmap blocks: the parts. */
/* get_vm_area: descriptor address, 0 on failure. bytes without guard. */
km_vaddr km_vm_area_get(struct km_vmalloc *v, struct km_cpu *cpu, uint32_t bytes, uint32_t align,
                        km_vaddr lo, km_vaddr hi, uint32_t gfp, uint32_t vm_flags, km_vaddr caller);
/* remove_vm_area: unmaps, area to the lazy list; descriptor for the caller to free, 0: none begins
 * there. */
km_vaddr km_vm_area_remove(struct km_vmalloc *v, struct km_cpu *cpu, km_vaddr va);
bool km_vm_map_pages(struct km_vmalloc *v, struct km_cpu *cpu, km_vaddr va, const km_pfn *pfn,
                     uint32_t pages, uint32_t attr);
bool km_vm_map_range(struct km_vmalloc *v, struct km_cpu *cpu, km_vaddr va, km_pfn first,
                     uint32_t pages, uint32_t attr);
void km_vm_unmap_range(struct km_vmalloc *v, struct km_cpu *cpu, km_vaddr va, uint32_t pages);

/* One line of /proc/vmallocinfo, in address order, then the lazy areas. Untimed. */
enum km_vm_kind { KM_VM_KIND_AREA, KM_VM_KIND_MAP_RAM, KM_VM_KIND_LAZY };

struct km_vm_info {
    enum km_vm_kind kind;
    km_vaddr start;
    uint32_t bytes; /* with guard */
    uint32_t flags, pages;
    km_paddr phys;
    km_vaddr caller;
    bool vpages; /* the page array is vmalloc'ed */
};

/* Writes up to max rows; returns how many there are. */
unsigned km_vmalloc_info(const struct km_vmalloc *v, const uint8_t *window, struct km_vm_info *out,
                         unsigned max);
const char *km_vmalloc_check(const struct km_vmalloc *v, const uint8_t *window);

#endif
