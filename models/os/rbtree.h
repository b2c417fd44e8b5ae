/* SPDX-License-Identifier: MIT
 * rbtree.h - red-black trees in guest memory, with an optional value per subtree (augmentation).
 *
 * Models:      nodes of three words inside the caller's structure: parent address | colour, right,
 *              left. Every step is a load or store through the CPU port.
 * Not modelled: RCU-safe stores, the cached leftmost node.
 * Invariants:  root black; no red node has a red child; every path from a node to a missing child
 *              crosses the same number of black nodes (km_rb_check); so height <= 2 log2(n + 1).
 * Augmentation: refresh(cpu, node) recomputes the node's value from its children; it returns true
 *              if the value changed. The tree calls it on every node whose subtree changed,
 *              children first.
 * References:  Bayer, Symmetric binary B-trees, 1972; Guibas and Sedgewick, A dichromatic framework
 *              for balanced trees, 1978; Cormen et al., Introduction to Algorithms, chapters 13 and
 *              14.
 */
#ifndef KM_OS_RBTREE_H
#define KM_OS_RBTREE_H

#include "models/cpu/cpu.h"

enum { KM_RB_PARENT = 0, KM_RB_RIGHT = 4, KM_RB_LEFT = 8, KM_RB_BYTES = 12 };

struct km_rb {
    km_vaddr root_va;                                   /* guest word: root node, 0 empty */
    bool (*refresh)(struct km_cpu *cpu, km_vaddr node); /* NULL: no augmentation */
};

static inline km_vaddr km_rb_root(const struct km_rb *t, struct km_cpu *cpu)
{
    return km_ld32(cpu, t->root_va);
}

static inline km_vaddr km_rb_left(struct km_cpu *cpu, km_vaddr node)
{
    return km_ld32(cpu, node + KM_RB_LEFT);
}

static inline km_vaddr km_rb_right(struct km_cpu *cpu, km_vaddr node)
{
    return km_ld32(cpu, node + KM_RB_RIGHT);
}

static inline km_vaddr km_rb_parent(struct km_cpu *cpu, km_vaddr node)
{
    return km_ld32(cpu, node + KM_RB_PARENT) & ~3u;
}

/* Inserts node below parent (0: tree is empty) as its left or right child; the place must be free.
 */
void km_rb_insert(const struct km_rb *t, struct km_cpu *cpu, km_vaddr node, km_vaddr parent,
                  bool left);
void km_rb_erase(const struct km_rb *t, struct km_cpu *cpu, km_vaddr node);
/* The node's own key or size changed in place: refreshes it and its ancestors until nothing
 * changes. */
void km_rb_touched(const struct km_rb *t, struct km_cpu *cpu, km_vaddr node);
km_vaddr km_rb_first(const struct km_rb *t, struct km_cpu *cpu);
km_vaddr km_rb_next(struct km_cpu *cpu, km_vaddr node);

/* Untimed: shape and colours below the root; NULL if sound. count receives the number of nodes. */
const char *km_rb_check(const struct km_rb *t, const uint8_t *window, uint32_t *count);

#endif
