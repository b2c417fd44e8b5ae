/* SPDX-License-Identifier: MIT
 * list.h - circular doubly linked lists in guest memory (two words: next, prev).
 *
 * Invariants: an empty head points to itself; next->prev == self for every node.
 */
#ifndef KM_OS_LIST_H
#define KM_OS_LIST_H

#include "models/cpu/cpu.h"

enum { KM_LIST_NEXT = 0, KM_LIST_PREV = 4 };

static inline void km_list_init(struct km_cpu *cpu, km_vaddr head)
{
    km_st32(cpu, head + KM_LIST_NEXT, head);
    km_st32(cpu, head + KM_LIST_PREV, head);
}

static inline km_vaddr km_list_first(struct km_cpu *cpu, km_vaddr head)
{
    return km_ld32(cpu, head + KM_LIST_NEXT);
}

static inline km_vaddr km_list_last(struct km_cpu *cpu, km_vaddr head)
{
    return km_ld32(cpu, head + KM_LIST_PREV);
}

static inline bool km_list_empty(struct km_cpu *cpu, km_vaddr head)
{
    return km_list_first(cpu, head) == head;
}

static inline void km_list_insert(struct km_cpu *cpu, km_vaddr node, km_vaddr prev, km_vaddr next)
{
    km_st32(cpu, next + KM_LIST_PREV, node);
    km_st32(cpu, node + KM_LIST_NEXT, next);
    km_st32(cpu, node + KM_LIST_PREV, prev);
    km_st32(cpu, prev + KM_LIST_NEXT, node);
}

static inline void km_list_add(struct km_cpu *cpu, km_vaddr node, km_vaddr head)
{
    km_list_insert(cpu, node, head, km_list_first(cpu, head));
}

static inline void km_list_add_tail(struct km_cpu *cpu, km_vaddr node, km_vaddr head)
{
    km_list_insert(cpu, node, km_list_last(cpu, head), head);
}

/* Turns the list so that `node` comes first: what lay before it follows behind the last. */
static inline void km_list_rotate_to_front(struct km_cpu *cpu, km_vaddr node, km_vaddr head)
{
    km_vaddr first = km_list_first(cpu, head), last = km_list_last(cpu, head);

    if (node == head || node == first)
        return;
    km_vaddr before = km_ld32(cpu, node + KM_LIST_PREV);

    km_st32(cpu, last + KM_LIST_NEXT, first);
    km_st32(cpu, first + KM_LIST_PREV, last);
    km_st32(cpu, before + KM_LIST_NEXT, head);
    km_st32(cpu, head + KM_LIST_PREV, before);
    km_st32(cpu, head + KM_LIST_NEXT, node);
    km_st32(cpu, node + KM_LIST_PREV, head);
}

static inline void km_list_del(struct km_cpu *cpu, km_vaddr node)
{
    km_vaddr next = km_ld32(cpu, node + KM_LIST_NEXT);
    km_vaddr prev = km_ld32(cpu, node + KM_LIST_PREV);

    km_st32(cpu, next + KM_LIST_PREV, prev);
    km_st32(cpu, prev + KM_LIST_NEXT, next);
}

#endif
