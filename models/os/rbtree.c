/* SPDX-License-Identifier: MIT
 * rbtree.c - see rbtree.h.
 */
#include "models/os/rbtree.h"

#define BLACK 1u

static bool is_red(struct km_cpu *cpu, km_vaddr node)
{
    return node && !(km_ld32(cpu, node + KM_RB_PARENT) & BLACK);
}

static void set_color(struct km_cpu *cpu, km_vaddr node, uint32_t color)
{
    km_st32(cpu, node + KM_RB_PARENT, (km_ld32(cpu, node + KM_RB_PARENT) & ~BLACK) | color);
}

static void set_parent(struct km_cpu *cpu, km_vaddr node, km_vaddr parent)
{
    km_st32(cpu, node + KM_RB_PARENT, (km_ld32(cpu, node + KM_RB_PARENT) & BLACK) | parent);
}

/* Puts `with` (may be 0) where the child `old` of parent hangs. */
static void replace_child(const struct km_rb *t, struct km_cpu *cpu, km_vaddr parent, km_vaddr old,
                          km_vaddr with)
{
    if (!parent)
        km_st32(cpu, t->root_va, with);
    else if (km_rb_left(cpu, parent) == old)
        km_st32(cpu, parent + KM_RB_LEFT, with);
    else
        km_st32(cpu, parent + KM_RB_RIGHT, with);
    if (with)
        set_parent(cpu, with, parent);
}

static void refresh(const struct km_rb *t, struct km_cpu *cpu, km_vaddr node)
{
    if (t->refresh)
        t->refresh(cpu, node);
}

/* Moves node one level down to the side given; its child on the other side takes its place. */
static void rotate(const struct km_rb *t, struct km_cpu *cpu, km_vaddr node, uint32_t down)
{
    uint32_t up = down == KM_RB_LEFT ? KM_RB_RIGHT : KM_RB_LEFT;
    km_vaddr child = km_ld32(cpu, node + up);
    km_vaddr inner = km_ld32(cpu, child + down);

    replace_child(t, cpu, km_rb_parent(cpu, node), node, child);
    km_st32(cpu, node + up, inner);
    if (inner)
        set_parent(cpu, inner, node);
    km_st32(cpu, child + down, node);
    set_parent(cpu, node, child);
    refresh(t, cpu, node);
    refresh(t, cpu, child);
}

static void refresh_path(const struct km_rb *t, struct km_cpu *cpu, km_vaddr node)
{
    if (!t->refresh)
        return;
    for (; node; node = km_rb_parent(cpu, node))
        t->refresh(cpu, node);
}

void km_rb_touched(const struct km_rb *t, struct km_cpu *cpu, km_vaddr node)
{
    if (!t->refresh)
        return;
    while (node && t->refresh(cpu, node))
        node = km_rb_parent(cpu, node);
}

void km_rb_insert(const struct km_rb *t, struct km_cpu *cpu, km_vaddr node, km_vaddr parent,
                  bool left)
{
    km_st32(cpu, node + KM_RB_PARENT, parent); /* red */
    km_st32(cpu, node + KM_RB_LEFT, 0);
    km_st32(cpu, node + KM_RB_RIGHT, 0);
    if (!parent)
        km_st32(cpu, t->root_va, node);
    else
        km_st32(cpu, parent + (left ? KM_RB_LEFT : KM_RB_RIGHT), node);
    refresh_path(t, cpu, node);

    while (is_red(cpu, parent = km_rb_parent(cpu, node))) {
        km_vaddr grand = km_rb_parent(cpu, parent);
        uint32_t side = km_rb_left(cpu, grand) == parent ? KM_RB_LEFT : KM_RB_RIGHT;
        uint32_t other = side == KM_RB_LEFT ? KM_RB_RIGHT : KM_RB_LEFT;
        km_vaddr uncle = km_ld32(cpu, grand + other);

        if (is_red(cpu, uncle)) {
            set_color(cpu, parent, BLACK);
            set_color(cpu, uncle, BLACK);
            set_color(cpu, grand, 0);
            node = grand;
            continue;
        }
        if (km_ld32(cpu, parent + other) == node) {
            rotate(t, cpu, parent, side);
            node = parent;
            parent = km_rb_parent(cpu, node);
        }
        set_color(cpu, parent, BLACK);
        set_color(cpu, grand, 0);
        rotate(t, cpu, grand, other);
    }
    km_vaddr root = km_rb_root(t, cpu);

    if (is_red(cpu, root))
        set_color(cpu, root, BLACK);
}

/* The subtree at `node` (may be 0, so its parent comes along) lacks one black node. */
static void erase_fix(const struct km_rb *t, struct km_cpu *cpu, km_vaddr node, km_vaddr parent)
{
    while (parent && !is_red(cpu, node)) {
        uint32_t side = km_rb_left(cpu, parent) == node ? KM_RB_LEFT : KM_RB_RIGHT;
        uint32_t other = side == KM_RB_LEFT ? KM_RB_RIGHT : KM_RB_LEFT;
        km_vaddr sibling = km_ld32(cpu, parent + other);

        if (is_red(cpu, sibling)) {
            set_color(cpu, sibling, BLACK);
            set_color(cpu, parent, 0);
            rotate(t, cpu, parent, side);
            sibling = km_ld32(cpu, parent + other);
        }
        if (!is_red(cpu, km_ld32(cpu, sibling + side)) &&
            !is_red(cpu, km_ld32(cpu, sibling + other))) {
            set_color(cpu, sibling, 0);
            node = parent;
            parent = km_rb_parent(cpu, node);
            continue;
        }
        if (!is_red(cpu, km_ld32(cpu, sibling + other))) {
            set_color(cpu, km_ld32(cpu, sibling + side), BLACK);
            set_color(cpu, sibling, 0);
            rotate(t, cpu, sibling, other);
            sibling = km_ld32(cpu, parent + other);
        }
        set_color(cpu, sibling, is_red(cpu, parent) ? 0 : BLACK);
        set_color(cpu, parent, BLACK);
        set_color(cpu, km_ld32(cpu, sibling + other), BLACK);
        rotate(t, cpu, parent, side);
        return;
    }
    if (node)
        set_color(cpu, node, BLACK);
}

void km_rb_erase(const struct km_rb *t, struct km_cpu *cpu, km_vaddr node)
{
    km_vaddr left = km_rb_left(cpu, node), right = km_rb_right(cpu, node);
    km_vaddr parent = km_rb_parent(cpu, node);
    km_vaddr child;
    bool lost_black;

    if (!left || !right) {
        child = left ? left : right;
        lost_black = !is_red(cpu, node);
        replace_child(t, cpu, parent, node, child);
    } else {
        km_vaddr next = right;

        for (km_vaddr down; (down = km_rb_left(cpu, next)) != 0;)
            next = down;
        child = km_rb_right(cpu, next);
        lost_black = !is_red(cpu, next);
        km_vaddr next_parent = km_rb_parent(cpu, next);

        if (next_parent == node) {
            next_parent = next;
        } else {
            replace_child(t, cpu, next_parent, next, child);
            km_st32(cpu, next + KM_RB_RIGHT, right);
            set_parent(cpu, right, next);
        }
        replace_child(t, cpu, parent, node, next);
        km_st32(cpu, next + KM_RB_LEFT, left);
        set_parent(cpu, left, next);
        set_color(cpu, next, is_red(cpu, node) ? 0 : BLACK);
        parent = next_parent;
    }
    refresh_path(t, cpu, parent);
    if (lost_black)
        erase_fix(t, cpu, child, parent);
}

km_vaddr km_rb_first(const struct km_rb *t, struct km_cpu *cpu)
{
    km_vaddr node = km_rb_root(t, cpu);

    for (km_vaddr down; node && (down = km_rb_left(cpu, node)) != 0;)
        node = down;
    return node;
}

km_vaddr km_rb_next(struct km_cpu *cpu, km_vaddr node)
{
    km_vaddr up = km_rb_right(cpu, node);

    if (up) {
        for (km_vaddr down; (down = km_rb_left(cpu, up)) != 0;)
            up = down;
        return up;
    }
    while ((up = km_rb_parent(cpu, node)) != 0 && km_rb_right(cpu, up) == node)
        node = up;
    return up;
}

/* Black height of the subtree, or -1. */
static int check_subtree(const uint8_t *w, km_vaddr node, km_vaddr parent, unsigned depth,
                         uint32_t *count, const char **why)
{
    if (!node)
        return 1;
    uint32_t word = km_peek32(w, node + KM_RB_PARENT);
    bool red = !(word & BLACK);

    if (depth > 64) {
        *why = "tree is deeper than any balanced tree of 2^32 nodes";
        return -1;
    }
    if ((word & ~3u) != parent) {
        *why = "parent pointer does not lead to the parent";
        return -1;
    }
    if (red && (!parent || !(km_peek32(w, parent + KM_RB_PARENT) & BLACK))) {
        *why = "red node at the root or below a red node";
        return -1;
    }
    ++*count;
    int left = check_subtree(w, km_peek32(w, node + KM_RB_LEFT), node, depth + 1, count, why);
    int right =
        left < 0 ? -1
                 : check_subtree(w, km_peek32(w, node + KM_RB_RIGHT), node, depth + 1, count, why);

    if (left < 0 || right < 0)
        return -1;
    if (left != right) {
        *why = "paths with different numbers of black nodes";
        return -1;
    }
    return left + !red;
}

const char *km_rb_check(const struct km_rb *t, const uint8_t *window, uint32_t *count)
{
    const char *why = NULL;

    *count = 0;
    check_subtree(window, km_peek32(window, t->root_va), 0, 0, count, &why);
    return why;
}
