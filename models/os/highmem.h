/* SPDX-License-Identifier: MIT
 * highmem.h - kernel addresses for page frames outside the linear map: kmap, kmap_local,
 * kmap_atomic.
 *
 * Models:      pkmap: 512 (PAE) or 1024 slots with a count each: 0 free, 1 mapped but unused and
 *              not yet flushed, n > 1 in use by n - 1. A new mapping takes the slot after the last
 *              one; whenever the index wraps to 0 all unused slots are unmapped and the window is
 *              flushed once; after a fruitless turn the caller would sleep. A hash finds the slot
 *              of a page. kmap_local: a stack of 16 fixmap slots per CPU, indexed by a counter of
 *              the task; strictly last in, first out; unmapping clears the entry and invalidates
 *              that one page on this CPU. kmap_atomic: the same and no sleeping until it ends.
 *              Switching tasks takes the entries of the one out and puts those of the other in. Low
 *              frames have their linear address always.
 *
 *                  fixmap top - (16 x cpu + index) pages:   cpu 0: |0|1|..|15|  cpu 1: |0|1|..|15|
 * ->lower
 *
 * Rules:       kmap may sleep: not in atomic sections, not in interrupts; kunmap not in interrupts;
 *              kmap_local nests. What breaks them is not done, returned as a result, and reported
 *              once to `misuse`.
 * Not modelled: CONFIG_DEBUG_KMAP_LOCAL (guard slots), the wait queue itself.
 * Invariants:  counted slots are mapped, others not; every mapped slot is in the hash exactly once
 *              (km_highmem_check).
 * Guest/host:  counts, hash and entries are words of kernel memory; a task's counter and entries
 *              stand where the caller says (KM_KMAP_TASK_BYTES inside its task_struct).
 * Units:       slots, page frames.
 * References:  Linux 6.1 behaviour notes F5, F6.
 */
#ifndef KM_OS_HIGHMEM_H
#define KM_OS_HIGHMEM_H

#include "models/os/map_hook.h"
#include "models/os/pgtable.h"
#include "models/os/slab_layer.h"

#define KM_KMAP_LOCAL_SLOTS 16u
#define KM_PKMAP_HASH 128u

/* In the task: index, then the frames of its open mappings (| KM_KMAP_ATOMIC). */
enum { KM_KMAP_TASK_IDX = 0, KM_KMAP_TASK_ATOMIC = 4, KM_KMAP_TASK_PFN = 8 };
#define KM_KMAP_TASK_BYTES (8u + 4u * KM_KMAP_LOCAL_SLOTS)

enum km_kmap_result {
    KM_KMAP_OK,
    KM_KMAP_WOULD_SLEEP,  /* all slots are in use: wait for a kunmap that says wake */
    KM_KMAP_WAKE,         /* kunmap: done, and a slot became free for a waiter      */
    KM_KMAP_ATOMIC_SLEEP, /* misuse: kmap where sleeping is forbidden               */
    KM_KMAP_IN_INTERRUPT, /* misuse: kmap or kunmap in an interrupt                 */
    KM_KMAP_NOT_MAPPED,   /* misuse: kunmap of a page without users                 */
    KM_KMAP_ORDER,        /* misuse: kunmap_local of another than the last mapping  */
    KM_KMAP_UNBALANCED,   /* misuse: more unmappings than mappings                  */
    KM_KMAP_NO_SLOT,      /* misuse: 17th nested mapping                            */
    KM_KMAP_NO_TABLE,     /* no memory for a page table                             */
    KM_KMAP_RESULTS,
};

struct km_highmem_params {
    struct km_slab_layer *slab;
    struct km_pgtable *pt; /* NULL: addresses only */
    struct km_map_hook hook;
    km_vaddr pkmap_base; /* aligned to slots x 4 KiB */
    unsigned pkmap_slots;
    km_vaddr fixmap_top; /* slot 0 of CPU 0 */
    void (*misuse)(void *ctx, const struct km_cpu *cpu, enum km_kmap_result what, km_vaddr va);
    void (*flush_tlb)(void *ctx, struct km_cpu *cpu, km_vaddr start, km_vaddr end);
    void *ctx; /* of both; flush_tlb NULL: shootdown on all CPUs */
};

struct km_highmem_stats {
    uint64_t kmaps, kmap_hits, kmap_low, kunmaps, would_sleep;
    uint64_t flushes, flushed_slots;
    uint64_t locals, local_low, atomics;
    unsigned local_deepest;
    uint64_t misuse[KM_KMAP_RESULTS];
};

struct km_highmem {
    struct km_os *os;
    struct km_highmem_params p;
    km_vaddr count_va; /* words: users of a slot, +1 */
    km_vaddr map_va;   /* per slot: list node, page, address */
    km_vaddr hash_va;  /* list heads */
    km_vaddr last_va, lock_va;
    struct km_highmem_stats stats;
};

bool km_highmem_init(struct km_highmem *h, struct km_os *os, struct km_cpu *cpu,
                     const struct km_highmem_params *p);

/* Address of the frame; 0 and the reason in *why otherwise. task: see KM_KMAP_TASK_BYTES. */
km_vaddr km_kmap(struct km_highmem *h, struct km_cpu *cpu, km_vaddr task, km_pfn pfn,
                 bool in_interrupt, enum km_kmap_result *why);
enum km_kmap_result km_kunmap(struct km_highmem *h, struct km_cpu *cpu, km_pfn pfn,
                              bool in_interrupt);
/* Unmaps all unused slots now (needed before page attributes change). */
void km_kmap_flush_unused(struct km_highmem *h, struct km_cpu *cpu);
/* Linear or pkmap address of a frame, 0: none. */
km_vaddr km_highmem_page_address(struct km_highmem *h, struct km_cpu *cpu, km_pfn pfn);

km_vaddr km_kmap_local(struct km_highmem *h, struct km_cpu *cpu, km_vaddr task, km_pfn pfn,
                       enum km_kmap_result *why);
enum km_kmap_result km_kunmap_local(struct km_highmem *h, struct km_cpu *cpu, km_vaddr task,
                                    km_vaddr va);
km_vaddr km_kmap_atomic(struct km_highmem *h, struct km_cpu *cpu, km_vaddr task, km_pfn pfn,
                        enum km_kmap_result *why);
enum km_kmap_result km_kunmap_atomic(struct km_highmem *h, struct km_cpu *cpu, km_vaddr task,
                                     km_vaddr va);
/* A context switch on this CPU. A task with open mappings must come back on the same CPU. */
void km_kmap_sched_out(struct km_highmem *h, struct km_cpu *cpu, km_vaddr task);
bool km_kmap_sched_in(struct km_highmem *h, struct km_cpu *cpu, km_vaddr task);
/* May the task sleep? (No mapping of kmap_atomic is open.) */
bool km_kmap_may_sleep(struct km_cpu *cpu, km_vaddr task);

/* Untimed; first broken invariant in words, NULL if none. */
const char *km_highmem_check(const struct km_highmem *h, const uint8_t *window);

#endif
