/* SPDX-License-Identifier: MIT
 * kstack.h - kernel stacks of threads and of interrupts.
 *
 * Models:      8 KiB (one order-1 block, zeroed) per thread and a stack of its own per CPU for
 *              interrupts; the magic word at the lowest address; frames that move the stack pointer
 *              and dirty the words they cover; switching to the interrupt stack at the outermost
 *              interrupt and back; how deep a stack ever was, both noted and found by scanning for
 *              the lowest word that is not zero.
 *
 *              low                                                             high
 *              | magic | untouched zeros ...... | used by the deepest call ... | sp at rest
 *                      ^ overflow if reached    ^ high-water mark
 *
 * Not modelled: thread_info inside the stack (it is in task_struct), guard pages, softirq stacks.
 * Invariants:  magic intact unless an overflow was reported; noted and scanned depth agree
 *              (km_kstack_check).
 * Units:       bytes of depth.
 * References:  Linux 6.1 x86-32: THREAD_SIZE 8 KiB; end-of-stack magic 0x57AC6E9D.
 */
#ifndef KM_OS_KSTACK_H
#define KM_OS_KSTACK_H

#include "models/os/os.h"

#define KM_KSTACK_ORDER 1u
#define KM_KSTACK_BYTES (KM_PAGE_BYTES << KM_KSTACK_ORDER)
#define KM_KSTACK_MAGIC 0x57AC6E9Du

struct km_kstack {
    km_vaddr base; /* lowest address; 0: none */
    uint32_t bytes;
    uint32_t depth, deepest;
    bool overflowed;
};

struct km_kstack_stats {
    uint64_t created, freed, failed, overflows, irq_entries, irq_nested;
    uint32_t live, peak; /* thread stacks */
    uint32_t deepest, deepest_irq;
};

struct km_kstacks {
    struct km_os *os;
    struct km_kstack irq[KM_MAX_CPUS];
    unsigned irq_order;
    uint32_t irq_nesting[KM_MAX_CPUS];
    struct km_kstack_stats stats;
};

/* One stack of 2^irq_order pages per CPU for interrupts. False: no memory. */
bool km_kstacks_init(struct km_kstacks *s, struct km_os *os, struct km_cpu *cpu,
                     unsigned irq_order);
void km_kstacks_release(struct km_kstacks *s, struct km_cpu *cpu);
bool km_kstack_create(struct km_kstacks *s, struct km_cpu *cpu, struct km_kstack *out);
void km_kstack_free(struct km_kstacks *s, struct km_cpu *cpu, struct km_kstack *stack);
/* A call frame: the words are stored to. False: it runs into the magic word; the frame stays, cut
 * off. */
bool km_kstack_push(struct km_kstacks *s, struct km_cpu *cpu, struct km_kstack *stack,
                    uint32_t bytes);
void km_kstack_pop(struct km_kstack *stack, uint32_t bytes);
/* The stack an interrupt of this CPU runs on; nested interrupts stay on it. */
struct km_kstack *km_kstack_irq_enter(struct km_kstacks *s, struct km_cpu *cpu);
void km_kstack_irq_exit(struct km_kstacks *s, struct km_cpu *cpu);
/* Untimed: depth as a scan finds it. */
uint32_t km_kstack_scan(const struct km_kstack *stack, const uint8_t *window);
const char *km_kstack_check(const struct km_kstack *stack, const uint8_t *window);

#endif
