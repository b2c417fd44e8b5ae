/* SPDX-License-Identifier: MIT
 * vmap.c - see vmap.h. Instruction counts are estimated from the code's size and the number of
 * steps: the recorded calls do not contain these functions.
 */
#include "models/os/vmap.h"

#include "models/base/bits.h"
#include "models/base/bug.h"
#include "models/os/kfn.h"
#include "models/os/list.h"

#include <string.h>

#define SITE(n, va, bytes) .site = {.name = n, .text_va = va, .text_bytes = bytes}

static const struct km_fn fn_alloc = {SITE("alloc_vmap_area", 0xc128c570, 1968), 120, 14, 14};
static const struct km_fn fn_free = {SITE("free_vmap_area_noflush", 0xc128b6c0, 720), 60, 8, 8};
static const struct km_fn fn_find = {SITE("find_vmap_area", 0xc128edb0, 112), 20, 3, 3};
static const struct km_fn fn_purge = {SITE("__purge_vmap_area_lazy", 0xc128bd60, 1632), 150, 16,
                                      16};

#define STEP_INSNS 7u /* one level of a tree descent */

#define AREA_OF(rb) ((rb)-KM_VA_RB)

static bool refresh_max(struct km_cpu *cpu, km_vaddr node)
{
    km_vaddr area = AREA_OF(node);
    km_vaddr left = km_rb_left(cpu, node), right = km_rb_right(cpu, node);
    uint32_t max = km_ld32(cpu, area + KM_VA_END) - km_ld32(cpu, area + KM_VA_START);

    if (left)
        max = (uint32_t)km_max_u64(max, km_ld32(cpu, AREA_OF(left) + KM_VA_MAX));
    if (right)
        max = (uint32_t)km_max_u64(max, km_ld32(cpu, AREA_OF(right) + KM_VA_MAX));
    if (km_ld32(cpu, area + KM_VA_MAX) == max)
        return false;
    km_st32(cpu, area + KM_VA_MAX, max);
    return true;
}

static uint32_t subtree_max(struct km_cpu *cpu, km_vaddr node)
{
    return node ? km_ld32(cpu, AREA_OF(node) + KM_VA_MAX) : 0;
}

static km_vaddr area_new(struct km_vmap *v, struct km_cpu *cpu, uint32_t gfp)
{
    return km_kmem_cache_alloc(
        v->slab, cpu, v->cache,
        gfp & (KM_GFP_KERNEL | KM_GFP_HIGH | KM_GFP_ATOMIC_BIT | KM_GFP_NOFAIL));
}

static void area_drop(struct km_vmap *v, struct km_cpu *cpu, km_vaddr area)
{
    km_kmem_cache_free(v->slab, cpu, v->cache, area);
}

/* Hangs the area into tree and list by address. The tree must not overlap it. */
static void link_area(const struct km_vmap *v, struct km_cpu *cpu, const struct km_rb *tree,
                      km_vaddr head, km_vaddr area)
{
    km_vaddr start = km_ld32(cpu, area + KM_VA_START);
    km_vaddr parent = 0, node = km_rb_root(tree, cpu);
    bool left = false;

    while (node) {
        km_exec(cpu, &fn_find.site, STEP_INSNS);
        parent = node;
        left = start < km_ld32(cpu, AREA_OF(node) + KM_VA_START);
        node = left ? km_rb_left(cpu, node) : km_rb_right(cpu, node);
    }
    if (tree == &v->free)
        km_st32(cpu, area + KM_VA_MAX, 0);
    km_rb_insert(tree, cpu, area + KM_VA_RB, parent, left);
    if (!parent)
        km_list_add(cpu, area + KM_VA_LIST, head);
    else if (left)
        km_list_add_tail(cpu, area + KM_VA_LIST, AREA_OF(parent) + KM_VA_LIST);
    else
        km_list_add(cpu, area + KM_VA_LIST, AREA_OF(parent) + KM_VA_LIST);
}

static void unlink_area(struct km_cpu *cpu, const struct km_rb *tree, km_vaddr area)
{
    km_rb_erase(tree, cpu, area + KM_VA_RB);
    km_list_del(cpu, area + KM_VA_LIST);
}

/* Nearest areas of the tree below and above an address that is in none of them; 0: no such area. */
static void neighbours(struct km_cpu *cpu, const struct km_rb *tree, km_vaddr at, km_vaddr *below,
                       km_vaddr *above)
{
    km_vaddr node = km_rb_root(tree, cpu);

    *below = *above = 0;
    while (node) {
        km_exec(cpu, &fn_find.site, STEP_INSNS);
        if (at < km_ld32(cpu, AREA_OF(node) + KM_VA_START)) {
            *above = AREA_OF(node);
            node = km_rb_left(cpu, node);
        } else {
            *below = AREA_OF(node);
            node = km_rb_right(cpu, node);
        }
    }
}

/* Adds the area to a tree, joined with what it touches; objects that become superfluous are freed.
 */
static void merge_or_add(struct km_vmap *v, struct km_cpu *cpu, const struct km_rb *tree,
                         km_vaddr head, km_vaddr area)
{
    km_vaddr start = km_ld32(cpu, area + KM_VA_START), end = km_ld32(cpu, area + KM_VA_END);
    km_vaddr below, above;
    bool joined = false;

    neighbours(cpu, tree, start, &below, &above);
    if (above && km_ld32(cpu, above + KM_VA_START) == end) {
        km_st32(cpu, above + KM_VA_START, start);
        area_drop(v, cpu, area);
        v->stats.merges++;
        area = above;
        joined = true;
    }
    if (below && km_ld32(cpu, below + KM_VA_END) == start) {
        end = km_ld32(cpu, area + KM_VA_END);
        if (joined)
            unlink_area(cpu, tree, area);
        km_st32(cpu, below + KM_VA_END, end);
        area_drop(v, cpu, area);
        v->stats.merges++;
        area = below;
        joined = true;
    }
    if (joined)
        km_rb_touched(tree, cpu, area + KM_VA_RB);
    else
        link_area(v, cpu, tree, head, area);
}

bool km_vmap_init(struct km_vmap *v, struct km_os *os, struct km_slab_layer *slab,
                  struct km_cpu *cpu, km_vaddr start, km_vaddr end)
{
    memset(v, 0, sizeof(*v));
    v->os = os;
    v->slab = slab;
    v->start = start;
    v->end = end;
    v->lazy_max_pages = km_fls(os->p.cpus) * ((32u << 20) / KM_PAGE_BYTES);

    km_vaddr words = km_os_static_alloc(os, 128, 64);

    memset(cpu->window + words, 0, 128);
    v->free = (struct km_rb){.root_va = words, .refresh = refresh_max};
    v->busy = (struct km_rb){.root_va = words + 4};
    v->lazy = (struct km_rb){.root_va = words + 8};
    v->lazy_pages_va = words + 12;
    v->free_list_va = words + 16;
    v->busy_list_va = words + 24;
    v->lazy_list_va = words + 32;
    v->free_lock_va = words + 40;
    v->busy_lock_va = words + 44;
    v->purge_lock_va = words + 48;
    for (unsigned i = 0; i < KM_MAX_CPUS; i++)
        v->spare_va[i] = words + 64 + 4 * i;
    km_list_init(cpu, v->free_list_va);
    km_list_init(cpu, v->busy_list_va);
    km_list_init(cpu, v->lazy_list_va);

    v->cache = km_kmem_cache_create(slab, cpu, "vmap_area", KM_VA_BYTES, 0, KM_CACHE_PANIC);
    km_vaddr whole = v->cache ? area_new(v, cpu, KM_GFP_NOWAIT) : 0;

    if (!whole)
        return false;
    km_st32(cpu, whole + KM_VA_START, start);
    km_st32(cpu, whole + KM_VA_END, end);
    link_area(v, cpu, &v->free, v->free_list_va, whole);
    return true;
}

/* Where the request would start in a free area; false if it does not fit there. */
static bool fits(struct km_cpu *cpu, km_vaddr area, uint32_t bytes, uint32_t align, km_vaddr lo,
                 km_vaddr *at)
{
    uint64_t from = km_max_u64(km_ld32(cpu, area + KM_VA_START), lo);

    from = km_align_up(from, align);
    *at = (km_vaddr)from;
    return from + bytes <= km_ld32(cpu, area + KM_VA_END);
}

/* Lowest free area with room at or above lo; subtrees whose largest area is below `length` are
 * skipped. */
static km_vaddr lowest_fit(struct km_vmap *v, struct km_cpu *cpu, uint32_t bytes, uint32_t align,
                           km_vaddr lo, uint64_t length, km_vaddr *at)
{
    km_vaddr node = km_rb_root(&v->free, cpu);

    while (node) {
        km_vaddr left = km_rb_left(cpu, node);

        km_exec(cpu, &fn_alloc.site, STEP_INSNS);
        if (subtree_max(cpu, left) >= length && lo < km_ld32(cpu, AREA_OF(node) + KM_VA_START)) {
            node = left;
            continue;
        }
        for (;;) { /* everything left of node is out of question */
            if (fits(cpu, AREA_OF(node), bytes, align, lo, at))
                return AREA_OF(node);
            km_vaddr right = km_rb_right(cpu, node);

            if (subtree_max(cpu, right) >= length) {
                node = right;
                break;
            }
            km_vaddr child = node;

            for (node = km_rb_parent(cpu, node); node && km_rb_right(cpu, node) == child;
                 node = km_rb_parent(cpu, node))
                child = node;
            if (!node)
                return 0;
        }
    }
    return 0;
}

/* Cuts [at, at + bytes) out of a free area. False: a split needed an object and none was there. */
static bool cut(struct km_vmap *v, struct km_cpu *cpu, km_vaddr area, km_vaddr at, uint32_t bytes)
{
    km_vaddr start = km_ld32(cpu, area + KM_VA_START), end = km_ld32(cpu, area + KM_VA_END);

    if (start == at && end == at + bytes) {
        unlink_area(cpu, &v->free, area);
        area_drop(v, cpu, area);
        v->stats.fit_whole++;
        return true;
    }
    if (start == at) {
        km_st32(cpu, area + KM_VA_START, at + bytes);
        v->stats.fit_left++;
    } else if (end == at + bytes) {
        km_st32(cpu, area + KM_VA_END, at);
        v->stats.fit_right++;
    } else {
        km_vaddr low = km_ld32(cpu, v->spare_va[cpu->id]);

        if (low)
            km_st32(cpu, v->spare_va[cpu->id], 0);
        else
            low = area_new(v, cpu, KM_GFP_NOWAIT);
        if (!low)
            return false;
        km_st32(cpu, low + KM_VA_START, start);
        km_st32(cpu, low + KM_VA_END, at);
        km_st32(cpu, area + KM_VA_START, at + bytes);
        km_rb_touched(&v->free, cpu, area + KM_VA_RB);
        link_area(v, cpu, &v->free, v->free_list_va, low);
        v->stats.fit_middle++;
        return true;
    }
    km_rb_touched(&v->free, cpu, area + KM_VA_RB);
    return true;
}

/* Every CPU keeps one object for a split, so that none must be allocated under the lock. */
static void refill_spare(struct km_vmap *v, struct km_cpu *cpu, uint32_t gfp)
{
    if (km_ld32(cpu, v->spare_va[cpu->id]))
        return;
    km_vaddr spare = area_new(v, cpu, gfp);

    if (spare)
        km_st32(cpu, v->spare_va[cpu->id], spare);
}

static void make_busy(struct km_vmap *v, struct km_cpu *cpu, km_vaddr area, km_vaddr at,
                      uint32_t bytes)
{
    km_st32(cpu, area + KM_VA_START, at);
    km_st32(cpu, area + KM_VA_END, at + bytes);
    km_st32(cpu, area + KM_VA_VM, 0);
    km_lock(cpu, v->busy_lock_va);
    link_area(v, cpu, &v->busy, v->busy_list_va, area);
    km_unlock(cpu, v->busy_lock_va);
    v->stats.allocs++;
    v->stats.busy_bytes += bytes;
    v->stats.busy_peak_bytes = km_max_u64(v->stats.busy_peak_bytes, v->stats.busy_bytes);
}

static bool take_lowest(struct km_vmap *v, struct km_cpu *cpu, uint32_t bytes, uint32_t align,
                        km_vaddr lo, km_vaddr hi, km_vaddr *at)
{
    /* Within a page nothing can be missed; nor if the window is exactly as large as the request. */
    bool exact = align <= KM_PAGE_BYTES || hi - lo == bytes;
    uint64_t length = exact ? bytes : (uint64_t)bytes + align - 1;
    km_vaddr from;

    km_lock(cpu, v->free_lock_va);
    from = lowest_fit(v, cpu, bytes, align, lo, length, at);
    bool ok = from && (uint64_t)*at + bytes <= hi && cut(v, cpu, from, *at, bytes);

    km_unlock(cpu, v->free_lock_va);
    return ok;
}

km_vaddr km_vmap_alloc(struct km_vmap *v, struct km_cpu *cpu, uint32_t bytes, uint32_t align,
                       km_vaddr lo, km_vaddr hi, uint32_t gfp)
{
    km_vaddr stack = v->slab->stack_va[cpu->id];
    km_vaddr at = 0, area = 0;

    KM_BUG_ON(!bytes || bytes % KM_PAGE_BYTES || !align || !km_is_pow2(align));
    km_fn_enter(cpu, stack, &fn_alloc);
    area = area_new(v, cpu, gfp);
    if (area) {
        refill_spare(v, cpu, gfp);
        bool ok = take_lowest(v, cpu, bytes, align, lo, hi, &at);

        if (!ok && km_vmap_purge(v, cpu, 1, 0)) {
            v->stats.pressure_purges++;
            ok = take_lowest(v, cpu, bytes, align, lo, hi, &at);
        }
        if (ok) {
            make_busy(v, cpu, area, at, bytes);
        } else {
            area_drop(v, cpu, area);
            area = 0;
        }
    }
    v->stats.failed += !area;
    km_fn_leave(cpu, stack, &fn_alloc);
    return area;
}

km_vaddr km_vmap_alloc_top(struct km_vmap *v, struct km_cpu *cpu, uint32_t bytes, uint32_t align,
                           uint32_t gfp)
{
    km_vaddr stack = v->slab->stack_va[cpu->id];
    km_vaddr area = area_new(v, cpu, gfp);
    km_vaddr found = 0, at = 0;

    if (!area)
        return 0;
    km_fn_enter(cpu, stack, &fn_alloc);
    for (unsigned attempt = 0; attempt < 2 && !found; attempt++) {
        if (attempt && !km_vmap_purge(v, cpu, 1, 0))
            break;
        km_lock(cpu, v->free_lock_va);
        for (km_vaddr node = km_list_last(cpu, v->free_list_va); node != v->free_list_va && !found;
             node = km_ld32(cpu, node + KM_LIST_PREV)) {
            km_vaddr free = node - KM_VA_LIST;
            km_vaddr start = km_ld32(cpu, free + KM_VA_START), end = km_ld32(cpu, free + KM_VA_END);

            if (end - start < bytes)
                continue;
            at = (km_vaddr)km_align_down(end - bytes, align);
            if (at >= start && cut(v, cpu, free, at, bytes))
                found = free;
        }
        km_unlock(cpu, v->free_lock_va);
    }
    if (found) {
        make_busy(v, cpu, area, at, bytes);
    } else {
        area_drop(v, cpu, area);
        area = 0;
        v->stats.failed++;
    }
    km_fn_leave(cpu, stack, &fn_alloc);
    return area;
}

km_vaddr km_vmap_claim(struct km_vmap *v, struct km_cpu *cpu, km_vaddr at, uint32_t bytes)
{
    km_vaddr below, above, area;

    neighbours(cpu, &v->free, at, &below, &above);
    if (!below || km_ld32(cpu, below + KM_VA_END) < (uint64_t)at + bytes)
        return 0;
    area = area_new(v, cpu, KM_GFP_KERNEL);
    if (!area || !cut(v, cpu, below, at, bytes))
        return 0;
    make_busy(v, cpu, area, at, bytes);
    return area;
}

km_vaddr km_vmap_find(struct km_vmap *v, struct km_cpu *cpu, km_vaddr va)
{
    km_vaddr below, above;

    km_exec(cpu, &fn_find.site, fn_find.insns);
    km_lock(cpu, v->busy_lock_va);
    neighbours(cpu, &v->busy, va, &below, &above);
    km_unlock(cpu, v->busy_lock_va);
    return below && va < km_ld32(cpu, below + KM_VA_END) ? below : 0;
}

static uint32_t take_from_busy(struct km_vmap *v, struct km_cpu *cpu, km_vaddr area)
{
    uint32_t bytes = km_ld32(cpu, area + KM_VA_END) - km_ld32(cpu, area + KM_VA_START);

    km_lock(cpu, v->busy_lock_va);
    unlink_area(cpu, &v->busy, area);
    km_unlock(cpu, v->busy_lock_va);
    v->stats.frees++;
    v->stats.busy_bytes -= bytes;
    return bytes;
}

bool km_vmap_free_lazy(struct km_vmap *v, struct km_cpu *cpu, km_vaddr area)
{
    km_vaddr stack = v->slab->stack_va[cpu->id];

    km_fn_enter(cpu, stack, &fn_free);
    uint32_t pages = take_from_busy(v, cpu, area) >> KM_PAGE_SHIFT;
    uint32_t lazy = km_rmw32(cpu, v->lazy_pages_va, KM_RMW_ADD, pages, 0) + pages;

    km_lock(cpu, v->purge_lock_va);
    merge_or_add(v, cpu, &v->lazy, v->lazy_list_va, area);
    km_unlock(cpu, v->purge_lock_va);
    if (lazy > v->stats.lazy_peak_pages)
        v->stats.lazy_peak_pages = lazy;
    km_fn_leave(cpu, stack, &fn_free);
    return lazy > v->lazy_max_pages;
}

void km_vmap_free_now(struct km_vmap *v, struct km_cpu *cpu, km_vaddr area)
{
    take_from_busy(v, cpu, area);
    km_lock(cpu, v->free_lock_va);
    merge_or_add(v, cpu, &v->free, v->free_list_va, area);
    km_unlock(cpu, v->free_lock_va);
}

void km_vmap_flush_tlb(struct km_vmap *v, struct km_cpu *cpu, km_vaddr lo, km_vaddr hi)
{
    if (v->flush_tlb) {
        v->flush_tlb(v->flush_ctx, cpu, lo, hi);
        return;
    }
    km_tlb_shootdown(cpu, KM_CPUS_ALL, lo, hi);
}

bool km_vmap_purge(struct km_vmap *v, struct km_cpu *cpu, km_vaddr lo, km_vaddr hi)
{
    km_vaddr stack = v->slab->stack_va[cpu->id];
    uint32_t total = 0;

    if (km_list_empty(cpu, v->lazy_list_va))
        return false;
    km_fn_enter(cpu, stack, &fn_purge);
    km_lock(cpu, v->purge_lock_va);
    km_vaddr first = km_list_first(cpu, v->lazy_list_va) - KM_VA_LIST;
    km_vaddr last = km_list_last(cpu, v->lazy_list_va) - KM_VA_LIST;
    km_vaddr from = km_ld32(cpu, first + KM_VA_START), to = km_ld32(cpu, last + KM_VA_END);

    if (lo < hi) {
        from = from < lo ? from : lo;
        to = to > hi ? to : hi;
    }
    km_vmap_flush_tlb(v, cpu, from, to);
    km_lock(cpu, v->free_lock_va);
    while (!km_list_empty(cpu, v->lazy_list_va)) {
        km_vaddr area = km_list_first(cpu, v->lazy_list_va) - KM_VA_LIST;
        uint32_t bytes = km_ld32(cpu, area + KM_VA_END) - km_ld32(cpu, area + KM_VA_START);

        km_list_del(cpu, area + KM_VA_LIST);
        merge_or_add(v, cpu, &v->free, v->free_list_va, area);
        total += bytes >> KM_PAGE_SHIFT;
    }
    km_st32(cpu, v->lazy.root_va, 0); /* the whole list was taken, so the tree over it is void */
    km_unlock(cpu, v->free_lock_va);
    km_rmw32(cpu, v->lazy_pages_va, KM_RMW_ADD, 0u - total, 0);
    km_unlock(cpu, v->purge_lock_va);
    v->stats.purges++;
    v->stats.purged_pages += total;
    km_fn_leave(cpu, stack, &fn_purge);
    return true;
}

uint32_t km_vmap_lazy_pages(const struct km_vmap *v, const uint8_t *window)
{
    return km_peek32(window, v->lazy_pages_va);
}

/* ---- checks --------------------------------------------------------------------------------- */

struct cover { /* three address-ordered lists read side by side */
    km_vaddr head[3], at[3];
};

static uint32_t max_below(const uint8_t *w, km_vaddr node, const char **why)
{
    if (!node)
        return 0;
    uint32_t left = max_below(w, km_peek32(w, node + KM_RB_LEFT), why);
    uint32_t right = max_below(w, km_peek32(w, node + KM_RB_RIGHT), why);
    uint32_t own =
        km_peek32(w, AREA_OF(node) + KM_VA_END) - km_peek32(w, AREA_OF(node) + KM_VA_START);
    uint32_t max = own > left ? own : left;

    max = max > right ? max : right;
    if (km_peek32(w, AREA_OF(node) + KM_VA_MAX) != max)
        *why = "largest free size recorded in a subtree is wrong";
    return max;
}

/* Advances over the list whose next area starts at `at`; its end, or `at` if none does. */
static km_vaddr step_cover(const uint8_t *w, struct cover *c, km_vaddr at, unsigned *which)
{
    for (unsigned i = 0; i < 3; i++) {
        if (c->at[i] == c->head[i])
            continue;
        km_vaddr area = c->at[i] - KM_VA_LIST;

        if (km_peek32(w, area + KM_VA_START) != at)
            continue;
        c->at[i] = km_peek32(w, c->at[i] + KM_LIST_NEXT);
        *which = i;
        return km_peek32(w, area + KM_VA_END);
    }
    return at;
}

static const char *check_cover(const struct km_vmap *v, const uint8_t *w, uint32_t n[3],
                               uint32_t *lazy)
{
    struct cover c = {.head = {v->free_list_va, v->busy_list_va, v->lazy_list_va}};
    unsigned which = 3, before = 3;

    for (unsigned i = 0; i < 3; i++)
        c.at[i] = km_peek32(w, c.head[i] + KM_LIST_NEXT);
    for (km_vaddr at = v->start; at != v->end;) {
        km_vaddr end = step_cover(w, &c, at, &which);

        if (end <= at || end > v->end)
            return "areas overlap or leave addresses uncovered";
        if (which == before && which != 1)
            return "neighbouring free or lazy areas are not merged";
        if (which == 2)
            *lazy += (end - at) >> KM_PAGE_SHIFT;
        n[which]++;
        before = which;
        at = end;
    }
    for (unsigned i = 0; i < 3; i++)
        if (c.at[i] != c.head[i])
            return "an area outside the address range is on a list";
    return NULL;
}

const char *km_vmap_check(const struct km_vmap *v, const uint8_t *window)
{
    const struct km_rb *tree[3] = {&v->free, &v->busy, &v->lazy};
    uint32_t n[3] = {0}, lazy = 0, count;
    const char *why = check_cover(v, window, n, &lazy);

    for (unsigned i = 0; i < 3 && !why; i++) {
        why = km_rb_check(tree[i], window, &count);
        if (!why && count != n[i])
            why = "a tree and its list hold different numbers of areas";
    }
    if (!why)
        max_below(window, km_peek32(window, v->free.root_va), &why);
    if (!why && lazy != km_vmap_lazy_pages(v, window))
        why = "counter of lazy pages differs from the lazy areas";
    return why;
}
