/* SPDX-License-Identifier: MIT
 * user_mm_priv.h - between user_mm.c (areas), user_fault.c (page tables, faults) and user_gather.c
 * (batched release). Offsets of the guest mm_struct page and of one area in bytes.
 */
#ifndef KM_OS_USER_MM_PRIV_H
#define KM_OS_USER_MM_PRIV_H

#include "models/os/user_mm.h"

enum {
    KM_MM_FIRST = 0,   /* areas, ascending: 0 none */
    KM_MM_LAST = 4,
    KM_MM_HIT = 8,     /* area of the last lookup  */
    KM_MM_FREE = 12,   /* unused area slots        */
    KM_MM_POOLS = 16,  /* pages of further slots   */
    KM_MM_BRK = 20,
    KM_MM_TOTAL_VM = 24, /* pages */
    KM_MM_DATA_VM = 28,
    KM_MM_RSS = 32,
    KM_MM_MAP_COUNT = 36,
    KM_MM_TABLES = 40, /* page-table pages */
    KM_MM_LOCK = 64,   /* mmap_lock, page_table_lock: lines of their own */
    KM_MM_PTL = 68,
    KM_MM_AREAS = 128,
};

enum {
    KM_AREA_START = 0,
    KM_AREA_END = 4,
    KM_AREA_NEXT = 8,
    KM_AREA_PREV = 12,
    KM_AREA_FLAGS = 16,
    KM_AREA_BYTES = 64,
};

enum {
    KM_AREA_PROT = 7, /* KM_PROT_* */
    KM_AREA_STACK = 8,
    KM_AREA_NORESERVE = 16,
    KM_AREA_ACCOUNT = 32, /* counted in committed_pages */
};

#define KM_GFP_PGTABLE_USER (KM_GFP_KERNEL | KM_GFP_ZERO | KM_GFP_ACCOUNT)
#define KM_GATHER_LOCAL 8u     /* MMU_GATHER_BUNDLE: pointers on the stack */
#define KM_GATHER_BATCH 1021u  /* pointers in a batch page behind next, nr, max */
#define KM_GATHER_MAX_BATCHES 9u /* MAX_GATHER_BATCH_COUNT: 10000 / KM_GATHER_BATCH */

struct km_gather { /* mmu_gather: lives on the kernel stack */
    struct km_user_mm *mm;
    km_pfn local[KM_GATHER_LOCAL];
    unsigned nr_local;
    km_pfn batch[KM_GATHER_MAX_BATCHES];
    unsigned nr[KM_GATHER_MAX_BATCHES];
    unsigned nr_batches, active; /* active 0: local, else batch[active - 1] */
};

void km_gather_init(struct km_gather *g, struct km_user_mm *mm);
void km_gather_add(struct km_gather *g, struct km_cpu *cpu, km_pfn pfn);
void km_gather_finish(struct km_gather *g, struct km_cpu *cpu);

/* user_fault.c */
bool km_user_tables_init(struct km_user_mm *mm, struct km_cpu *cpu);
void km_user_tables_exit(struct km_user_mm *mm, struct km_cpu *cpu);
/* Clears the entries of [start, end) and gathers their frames. */
void km_user_zap(struct km_user_mm *mm, struct km_cpu *cpu, struct km_gather *g, km_vaddr start,
                 uint64_t end);
/* Gathers page-table pages that map nothing outside [floor, ceiling). */
void km_user_free_tables(struct km_user_mm *mm, struct km_cpu *cpu, struct km_gather *g,
                         km_vaddr start, uint64_t end, uint64_t floor, uint64_t ceiling);
/* Sets the write permission of the present entries of [start, end). */
void km_user_protect(struct km_user_mm *mm, struct km_cpu *cpu, km_vaddr start, uint64_t end,
                     unsigned prot);
/* Moves the entries of [from, from + len) to `to`; false: no page for a table (some are moved). */
bool km_user_move(struct km_user_mm *mm, struct km_cpu *cpu, km_vaddr from, km_vaddr to, uint64_t len);

/* user_mm.c */
km_vaddr km_user_find(struct km_user_mm *mm, struct km_cpu *cpu, km_vaddr va); /* first with end > va */
bool km_user_expand_stack(struct km_user_mm *mm, struct km_cpu *cpu, km_vaddr area, km_vaddr va);
static inline void km_mm_add(const struct km_user_mm *mm, struct km_cpu *cpu, unsigned field, int32_t n)
{
    km_st32(cpu, mm->mm_va + field, km_ld32(cpu, mm->mm_va + field) + (uint32_t)n);
}

#endif
