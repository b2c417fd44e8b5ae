/* SPDX-License-Identifier: MIT
 * memblock.h - the boot-time memory map and allocator of the simulated kernel (Linux 6.1).
 *
 * Models:      two sorted arrays of physical ranges, `memory` (RAM that exists) and `reserved` (RAM
 * that is taken); free memory is the difference. Head, counters and arrays live in guest memory and
 * are reached only through the CPU port; an address of 64 bits is two word references. Not
 * modelled: the physmem array of s390, freeing into the slab allocator after boot. Invariants:
 * checked by km_memblock_check(): arrays sorted and disjoint, equal neighbours merged, no region of
 * size 0 but the one of an empty array, counters and totals right. Units:       bytes of physical
 * address unless the name says _pfn or _va.
 */
#ifndef KM_OS_MEMBLOCK_H
#define KM_OS_MEMBLOCK_H

#include "models/base/types.h"
#include "models/cpu/cpu.h"

#ifdef __cplusplus
extern "C" {
#endif

enum {
    KM_MEMBLOCK_NONE = 0,
    KM_MEMBLOCK_HOTPLUG = 1,        /* can be removed while running                 */
    KM_MEMBLOCK_MIRROR = 2,         /* mirrored by the memory controller            */
    KM_MEMBLOCK_NOMAP = 4,          /* RAM that must not be mapped or handed out    */
    KM_MEMBLOCK_DRIVER_MANAGED = 8, /* added by a driver, not by the firmware's map */
};

enum km_memblock_kind { KM_MEMBLOCK_MEMORY, KM_MEMBLOCK_RESERVED };

#define KM_MEMBLOCK_REGIONS 128u        /* capacity of each static array              */
#define KM_MEMBLOCK_ANY_NODE UINT32_MAX /* NUMA_NO_NODE                               */
#define KM_MEMBLOCK_ACCESSIBLE 0ull     /* as upper limit: up to the current limit    */
#define KM_MEMBLOCK_ANYWHERE UINT64_MAX /* as upper limit: no limit                   */
#define KM_MEMBLOCK_LAST UINT64_MAX     /* start cursor of the descending iterator    */
#define KM_MEMBLOCK_FULL (-12)          /* array full and cannot grow (-ENOMEM)       */

/* One region as read from guest memory. */
struct km_memblock_region {
    km_paddr base, size;
    uint32_t flags;
    uint32_t nid; /* 0 if the layout has no node ids */
};

struct km_memblock_params {
    km_vaddr static_va;   /* km_memblock_static_bytes() of kernel bss, word-aligned       */
    km_vaddr page_offset; /* linear map: virtual = page_offset + physical                 */
    bool paddr_64;        /* PAE: phys_addr_t has two words                               */
    unsigned nodes;       /* 1: UMA, regions have no node id; more: NUMA                  */
    uint32_t line_bytes;  /* alignment of requests that ask for none                      */
    bool movable_node;    /* boot option: allocations avoid hotplug memory                */
};

struct km_memblock {
    struct km_memblock_params p;
    km_paddr addr_max; /* PHYS_ADDR_MAX */
    uint32_t region_bytes;
    bool can_resize;
    bool has_mirror; /* some memory was marked as mirrored */
    /* For the check only: what the kernel does on purpose or by oversight. */
    km_paddr trim_excess; /* bytes trimmed off but still in memory's total            */
    bool memory_split;    /* a cap left equal neighbours apart until the next merge   */
};

/* Room for head and static arrays. */
uint32_t km_memblock_static_bytes(bool paddr_64, unsigned nodes);

/* Both arrays empty, no limit, top-down, no resizing. */
void km_memblock_init(struct km_memblock *mb, struct km_cpu *cpu,
                      const struct km_memblock_params *p);

/* 0, or KM_MEMBLOCK_FULL and nothing has changed. Existing regions win over what is added. */
int km_memblock_add(struct km_memblock *mb, struct km_cpu *cpu, km_paddr base, km_paddr size);
int km_memblock_add_node(struct km_memblock *mb, struct km_cpu *cpu, km_paddr base, km_paddr size,
                         uint32_t nid, uint32_t flags);
int km_memblock_remove(struct km_memblock *mb, struct km_cpu *cpu, km_paddr base, km_paddr size);
int km_memblock_reserve(struct km_memblock *mb, struct km_cpu *cpu, km_paddr base, km_paddr size);
int km_memblock_phys_free(struct km_memblock *mb, struct km_cpu *cpu, km_paddr base, km_paddr size);

/* Lowest/highest free aligned range in [start, end); reserves nothing. 0: none. */
km_paddr km_memblock_find(struct km_memblock *mb, struct km_cpu *cpu, km_paddr size, km_paddr align,
                          km_paddr start, km_paddr end, uint32_t nid, uint32_t flags);

/* memblock_phys_alloc_range: any node, only in [start, end). 0: failed. */
km_paddr km_memblock_phys_alloc_range(struct km_memblock *mb, struct km_cpu *cpu, km_paddr size,
                                      km_paddr align, km_paddr start, km_paddr end);
/* memblock_alloc_range_nid: prefers nid, or insists on it if exact. */
km_paddr km_memblock_alloc_range_nid(struct km_memblock *mb, struct km_cpu *cpu, km_paddr size,
                                     km_paddr align, km_paddr start, km_paddr end, uint32_t nid,
                                     bool exact);
/* memblock_alloc_try_nid and relatives: max is clipped to the current limit, min is given up if
 * nothing else helps. Only the first and the last zero the memory (through the linear map). */
km_paddr km_memblock_alloc_try_nid(struct km_memblock *mb, struct km_cpu *cpu, km_paddr size,
                                   km_paddr align, km_paddr min, km_paddr max, uint32_t nid);
km_paddr km_memblock_alloc_try_nid_raw(struct km_memblock *mb, struct km_cpu *cpu, km_paddr size,
                                       km_paddr align, km_paddr min, km_paddr max, uint32_t nid);
km_paddr km_memblock_alloc_exact_nid_raw(struct km_memblock *mb, struct km_cpu *cpu, km_paddr size,
                                         km_paddr align, km_paddr min, km_paddr max, uint32_t nid);
km_paddr km_memblock_alloc(struct km_memblock *mb, struct km_cpu *cpu, km_paddr size,
                           km_paddr align);

void km_memblock_set_bottom_up(struct km_memblock *mb, struct km_cpu *cpu, bool on);
bool km_memblock_bottom_up(struct km_memblock *mb, struct km_cpu *cpu);
void km_memblock_set_current_limit(struct km_memblock *mb, struct km_cpu *cpu, km_paddr limit);
km_paddr km_memblock_current_limit(struct km_memblock *mb, struct km_cpu *cpu);
void km_memblock_allow_resize(struct km_memblock *mb);

/* Shrinks every memory region inwards to align (a power of two); total_size keeps the bytes lost at
 * the edges of regions that survive, as in the kernel. */
void km_memblock_trim_memory(struct km_memblock *mb, struct km_cpu *cpu, km_paddr align);
/* Puts a total back that an earlier trim left too large: rebuilding the arrays of another memblock. */
void km_memblock_set_total_size(struct km_memblock *mb, struct km_cpu *cpu, enum km_memblock_kind kind,
                                km_paddr total);
/* Sets or clears flag bits of the memory in the range. */
int km_memblock_mark(struct km_memblock *mb, struct km_cpu *cpu, km_paddr base, km_paddr size,
                     uint32_t flag);
int km_memblock_clear(struct km_memblock *mb, struct km_cpu *cpu, km_paddr base, km_paddr size,
                      uint32_t flag);
/* Assigns the regions of one array in the range to a node (UMA: no effect). */
int km_memblock_set_node(struct km_memblock *mb, struct km_cpu *cpu, enum km_memblock_kind kind,
                         km_paddr base, km_paddr size, uint32_t nid);
/* Drops everything above the address below which `limit` bytes of memory lie. */
void km_memblock_enforce_memory_limit(struct km_memblock *mb, struct km_cpu *cpu, km_paddr limit);
/* The same, but memory marked nomap stays known. */
void km_memblock_mem_limit_remove_map(struct km_memblock *mb, struct km_cpu *cpu, km_paddr limit);
/* Drops memory (except nomap) and reservations outside the range. */
void km_memblock_cap_memory_range(struct km_memblock *mb, struct km_cpu *cpu, km_paddr base,
                                  km_paddr size);

/* Free ranges (memory minus reserved) one by one. *cursor starts with 0 (ascending) or
 * KM_MEMBLOCK_LAST (descending). nid: a node or KM_MEMBLOCK_ANY_NODE. flags: MIRROR demands
 * mirrored memory; HOTPLUG, NOMAP and DRIVER_MANAGED admit memory that is passed over otherwise.
 * The arrays must not change meanwhile. */
bool km_memblock_next_free(struct km_memblock *mb, struct km_cpu *cpu, uint64_t *cursor,
                           uint32_t nid, uint32_t flags, km_paddr *start, km_paddr *end);
bool km_memblock_prev_free(struct km_memblock *mb, struct km_cpu *cpu, uint64_t *cursor,
                           uint32_t nid, uint32_t flags, km_paddr *start, km_paddr *end);
/* Ascending free ranges in whole pages; ranges without a whole page are passed over. */
bool km_memblock_next_free_pfn(struct km_memblock *mb, struct km_cpu *cpu, uint64_t *cursor,
                               km_pfn *start, km_pfn *end);
/* Memory ranges in whole pages, ascending (for_each_mem_pfn_range); *index starts with 0. */
bool km_memblock_next_mem_pfn(struct km_memblock *mb, struct km_cpu *cpu, uint32_t *index,
                              uint32_t nid, km_pfn *start, km_pfn *end);
/* Region `index` of an array; false beyond the end. An empty array has no region here. */
bool km_memblock_get(struct km_memblock *mb, struct km_cpu *cpu, enum km_memblock_kind kind,
                     uint32_t index, struct km_memblock_region *out);

bool km_memblock_is_memory(struct km_memblock *mb, struct km_cpu *cpu, km_paddr addr);
bool km_memblock_is_reserved(struct km_memblock *mb, struct km_cpu *cpu, km_paddr addr);
/* Whole range inside one memory region; any byte of the range reserved. */
bool km_memblock_is_region_memory(struct km_memblock *mb, struct km_cpu *cpu, km_paddr base,
                                  km_paddr size);
bool km_memblock_is_region_reserved(struct km_memblock *mb, struct km_cpu *cpu, km_paddr base,
                                    km_paddr size);
km_paddr km_memblock_phys_mem_size(struct km_memblock *mb, struct km_cpu *cpu);
km_paddr km_memblock_reserved_size(struct km_memblock *mb, struct km_cpu *cpu);
km_paddr km_memblock_start_of_dram(struct km_memblock *mb, struct km_cpu *cpu);
km_paddr km_memblock_end_of_dram(struct km_memblock *mb, struct km_cpu *cpu);

/* NULL, or which invariant is broken. Untimed. */
const char *km_memblock_check(const struct km_memblock *mb, const uint8_t *window);

#ifdef __cplusplus
}
#endif
#endif
