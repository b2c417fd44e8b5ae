/* SPDX-License-Identifier: MIT
 * kmalloc.c - size classes over slab caches, and page blocks for what is larger.
 *
 * Classes: 8 16 32 64 96 128 192 256 512 1k 2k 4k 8k, in four families: normal, DMA, reclaimable,
 * cgroup (accounted). Priority when several flags are given: DMA, then RECLAIMABLE, then ACCOUNT.
 * Above 8 KiB a compound page block, whose order is noted in its first tail page; above 4 MiB the
 * request fails. SLAB had classes up to 4 MiB before 6.1, called size-N in 2.6.
 * Reference: kernel-behaviour notes E1, E8, J.
 */
#include "models/base/bits.h"
#include "models/os/page_fn.h"
#include "models/os/slab_layer.h"
#include "models/os/slab_watch.h"

#include <string.h>

#define SITE(n, va, bytes) .site = {.name = n, .text_va = va, .text_bytes = bytes}

/* Recorded: kfree(NULL) 12 instructions, 4 loads, 2 stores; kfree to the CPU's list 96, 30, 13. */
static const struct km_fn fn_large = {SITE("__kmalloc_large_node", 0xc1262a20, 208), 70, 8, 8};
static const struct km_fn fn_kfree_null = {SITE("kfree", 0xc1262850, 176), 12, 2, 4};
static const struct km_fn fn_kfree = {SITE("kfree", 0xc1262850, 176), 96, 11, 18};
#define KFREE_GLOBALS 3u /* lines of kernel data a recorded kfree reads besides */
static const struct km_fn fn_krealloc = {SITE("krealloc", 0xc1262c10, 208), 40, 6, 6};

static const struct {
    uint32_t bytes;
    const char *suffix, *k_suffix; /* since 5.2 */
} class_info[KM_KMALLOC_CLASSES] = { /* behind 8 KiB: SLAB before 6.1 */
    {8, "8", "8"},          {16, "16", "16"},       {32, "32", "32"},     {64, "64", "64"},
    {96, "96", "96"},       {128, "128", "128"},    {192, "192", "192"},  {256, "256", "256"},
    {512, "512", "512"},    {1024, "1024", "1k"},   {2048, "2048", "2k"}, {4096, "4096", "4k"},
    {8192, "8192", "8k"},
    {16384, "16384", "16k"},       {32768, "32768", "32k"},       {65536, "65536", "64k"},
    {131072, "131072", "128k"},    {262144, "262144", "256k"},    {524288, "524288", "512k"},
    {1048576, "1048576", "1M"},    {2097152, "2097152", "2M"},    {4194304, "4194304", "4M"},
};

static const char *const family_prefix[KM_KMALLOC_TYPES] = {
    [KM_KMALLOC_NORMAL] = "kmalloc-",
    [KM_KMALLOC_RECLAIM] = "kmalloc-rcl-",
    [KM_KMALLOC_CGROUP] = "kmalloc-cg-",
};

static const uint32_t family_flags[KM_KMALLOC_TYPES] = {
    [KM_KMALLOC_DMA] = KM_CACHE_DMA,
    [KM_KMALLOC_RECLAIM] = KM_CACHE_RECLAIM_ACCOUNT,
    [KM_KMALLOC_CGROUP] = KM_CACHE_ACCOUNT,
};

static unsigned class_of(const struct km_slab_layer *l, uint32_t size)
{
    unsigned i = 0;

    while (class_info[i].bytes < size || class_info[i].bytes < l->p.ops->kmalloc_min)
        i++;
    return i;
}

static bool has_family(const struct km_slab_layer *l, enum km_kmalloc_type type)
{
    const struct km_personality *p = l->os->p.personality;

    return (type != KM_KMALLOC_RECLAIM || p->kmalloc_reclaim) && (type != KM_KMALLOC_CGROUP || p->kmalloc_cgroup);
}

static enum km_kmalloc_type family_of(const struct km_slab_layer *l, uint32_t gfp)
{
    if (gfp & KM_GFP_DMA)
        return KM_KMALLOC_DMA;
    if ((gfp & KM_GFP_RECLAIMABLE) && has_family(l, KM_KMALLOC_RECLAIM))
        return KM_KMALLOC_RECLAIM;
    return (gfp & KM_GFP_ACCOUNT) && has_family(l, KM_KMALLOC_CGROUP) ? KM_KMALLOC_CGROUP : KM_KMALLOC_NORMAL;
}

struct km_kmem_cache *km_kmalloc_cache(struct km_slab_layer *l, uint32_t size, uint32_t gfp)
{
    if (size == 0 || size > l->kmalloc_max)
        return NULL;
    return l->kmalloc[family_of(l, gfp)][class_of(l, size)];
}

static bool create_one(struct km_slab_layer *l, struct km_cpu *cpu, enum km_kmalloc_type type,
                       unsigned class)
{
    uint32_t bytes = class_info[class].bytes;
    char name[KM_CACHE_NAME_MAX] = {0};

    const struct km_personality *p = l->os->p.personality;
    const char *suffix = p->kmalloc_k_names ? class_info[class].k_suffix : class_info[class].suffix;

    const char *prefix = type == KM_KMALLOC_DMA ? p->kmalloc_dma_prefix : family_prefix[type];
    bool size_names = p->slab_size_names && l->p.ops->kmalloc_to_block_max; /* size-32(DMA) */

    strncpy(name, size_names ? "size-" : prefix, sizeof(name) - 1);
    strncat(name, suffix, sizeof(name) - strlen(name) - 1);
    if (size_names && type == KM_KMALLOC_DMA)
        strncat(name, "(DMA)", sizeof(name) - strlen(name) - 1);

    struct km_kmem_cache *c = km_kmem_cache_create(
        l, cpu, name, bytes, km_is_pow2(bytes) ? bytes : 8, family_flags[type] | KM_CACHE_NO_MERGE);
    if (!c)
        return false;
    c->kmalloc = true;
    l->kmalloc[type][class] = c;
    return true;
}

bool km_kmalloc_create_caches(struct km_slab_layer *l, struct km_cpu *cpu)
{
    static const enum km_kmalloc_type order[] = {KM_KMALLOC_NORMAL, KM_KMALLOC_RECLAIM,
                                                 KM_KMALLOC_DMA, KM_KMALLOC_CGROUP};

    for (unsigned t = 0; t < KM_ARRAY_LEN(order); t++)
        for (unsigned class = class_of(l, 1);
             class < KM_KMALLOC_CLASSES && class_info[class].bytes <= l->kmalloc_max; class ++)
            if (has_family(l, order[t]) && !create_one(l, cpu, order[t], class))
                return false;
    l->kmalloc_up = true;
    return true;
}

/* Offset of the order byte: in the first tail page's struct page. */
static km_vaddr order_byte(const struct km_slab_layer *l, km_vaddr page)
{
    return page + l->os->p.struct_page_bytes + KM_PAGE_COMPOUND_ORDER;
}

static km_vaddr large_alloc(struct km_slab_layer *l, struct km_cpu *cpu, uint32_t size,
                            uint32_t gfp)
{
    unsigned order = km_order_of(((uint64_t)size + KM_PAGE_BYTES - 1) >> KM_PAGE_SHIFT);
    km_vaddr va = 0;

    km_fn_enter(cpu, l->stack_va[cpu->id], &fn_large);
    if (order < KM_NR_ORDERS) {
        l->requesting_large[cpu->id] = true;
        uint32_t comp = order || !l->p.ops->kmalloc ? KM_GFP_COMP : 0;
        unsigned wanted = l->wanted_node[cpu->id];

        l->wanted_node[cpu->id] = 0;
        km_pfn pfn = wanted && l->p.src.alloc_node
                         ? l->p.src.alloc_node(l->p.src.ctx, cpu, wanted - 1, gfp | comp, order)
                         : l->p.src.alloc(l->p.src.ctx, cpu, gfp | comp, order);

        l->requesting_large[cpu->id] = false;
        if (pfn != KM_PFN_NONE) {
            va = km_pfn_to_va(l->os, pfn);
            km_slab_watch_alloc(l, cpu, NULL, va);
            if (order)
                km_st8(cpu, order_byte(l, km_page_va(l->os, pfn)), (uint8_t)order);
            if (gfp & KM_GFP_ZERO)
                memset(cpu->window + va, 0, KM_PAGE_BYTES << order);
            l->stats.large_alloc++;
        }
    }
    km_fn_leave(cpu, l->stack_va[cpu->id], &fn_large);
    km_trace_tp(l->os, cpu,
                &(struct km_tp){.kind = KM_TP_KMALLOC,
                                .ptr = va,
                                .bytes_req = size,
                                .bytes_alloc = KM_PAGE_BYTES << order,
                                .gfp = gfp});
    return va;
}

/* An allocator without size classes. */
static km_vaddr kmalloc_uncached(struct km_slab_layer *l, struct km_cpu *cpu, uint32_t size,
                                 uint32_t gfp)
{
    uint32_t bytes_alloc;
    km_vaddr va = l->p.ops->kmalloc(l, cpu, size, gfp, &bytes_alloc);

    if (va && ((gfp & KM_GFP_ZERO) || l->os->p.init_on_alloc)) {
        km_touch(cpu, va, size, KM_REF_STORE);
        memset(cpu->window + va, 0, size);
    }
    km_slab_watch_alloc(l, cpu, NULL, va);
    km_trace_tp(l->os, cpu,
                &(struct km_tp){.kind = KM_TP_KMALLOC,
                                .ptr = va,
                                .bytes_req = size,
                                .bytes_alloc = bytes_alloc,
                                .gfp = gfp});
    return va;
}

km_vaddr km_kmalloc(struct km_slab_layer *l, struct km_cpu *cpu, uint32_t size, uint32_t gfp)
{
    if (KM_UNLIKELY(gfp & (KM_GFP_HIGHMEM | KM_GFP_DMA32))) { /* the kernel warns and goes on without */
        km_slab_misuse(l, cpu, KM_MISUSE_BAD_GFP, NULL, 0);
        gfp &= ~(uint32_t)(KM_GFP_HIGHMEM | KM_GFP_DMA32);
    }
    if (size > l->kmalloc_max)
        return large_alloc(l, cpu, size, gfp);
    if (size == 0)
        return KM_ZERO_SIZE_PTR;
    if (l->p.ops->kmalloc)
        return kmalloc_uncached(l, cpu, size, gfp);
    return km_slab_kmalloc_from(l, cpu, km_kmalloc_cache(l, size, gfp), size, gfp);
}

km_vaddr km_kzalloc(struct km_slab_layer *l, struct km_cpu *cpu, uint32_t size, uint32_t gfp)
{
    return km_kmalloc(l, cpu, size, gfp | KM_GFP_ZERO);
}

/* Head page of a large block that starts at va; 0 if va is not the start of one. */
static km_vaddr large_head(struct km_slab_layer *l, struct km_cpu *cpu, km_vaddr va,
                           unsigned *order)
{
    km_vaddr page = km_page_va(l->os, km_va_to_pfn(l->os, va));
    bool head = km_ld32(cpu, page + KM_PAGE_FLAGS) & KM_PG_HEAD;

    if (va % KM_PAGE_BYTES || (!head && !l->p.ops->kmalloc))
        return 0;
    *order = head ? km_ld8(cpu, order_byte(l, page)) : 0;
    return page;
}

static bool is_slab(struct km_slab_layer *l, struct km_cpu *cpu, km_vaddr va, km_vaddr *slab)
{
    *slab = km_slab_of(l, cpu, va);
    return km_ld32(cpu, *slab + KM_PAGE_FLAGS) & KM_PG_SLAB;
}

static bool outside(const struct km_slab_layer *l, km_vaddr va)
{
    return va < l->os->p.page_offset || km_va_to_pfn(l->os, va) >= l->os->mem_map_end ||
           km_va_to_pfn(l->os, va) < l->os->mem_map_pfn;
}

void km_kfree_checked(struct km_slab_layer *l, struct km_cpu *cpu, km_vaddr va)
{
    km_vaddr slab;

    if (is_slab(l, cpu, va, &slab)) {
        if (l->p.ops->kfree) {
            l->p.ops->kfree(l, cpu, va);
            return;
        }
        km_ref(cpu, slab + KM_SLAB_CACHE, 4, KM_REF_LOAD);
        km_slab_free_object(l, cpu, km_slab_cache(l, cpu->window, slab), slab, va);
        return;
    }
    unsigned order;
    km_vaddr head = large_head(l, cpu, va, &order);

    if (!head) {
        l->stats.bad_free++;
        return;
    }
    l->stats.large_free++;
    l->p.src.free(l->p.src.ctx, cpu, km_page_pfn(l->os, head), order);
}

void km_kfree(struct km_slab_layer *l, struct km_cpu *cpu, km_vaddr va)
{
    km_vaddr stack = l->stack_va[cpu->id];
    struct km_kmem_cache *owner = NULL;

    km_trace_tp(l->os, cpu, &(struct km_tp){.kind = KM_TP_KFREE, .ptr = va});
    if (va <= KM_ZERO_SIZE_PTR) {
        km_fn_enter(cpu, stack, &fn_kfree_null);
        km_fn_leave(cpu, stack, &fn_kfree_null);
        return;
    }
    if (!km_slab_watch_free(l, cpu, &owner, va) || outside(l, va)) {
        l->stats.bad_free++;
        return;
    }
    km_fn_enter(cpu, stack, &fn_kfree);
    km_read_globals(l->os, cpu, KFREE_GLOBALS);
    if (owner && !l->p.ops->first_object)
        km_slab_free_object(l, cpu, owner, 0, va);
    else
        km_kfree_checked(l, cpu, va);
    km_fn_leave(cpu, stack, &fn_kfree);
}

uint32_t km_ksize(struct km_slab_layer *l, struct km_cpu *cpu, km_vaddr va)
{
    km_vaddr slab;

    if (va <= KM_ZERO_SIZE_PTR || outside(l, va))
        return 0;
    if (is_slab(l, cpu, va, &slab)) {
        if (l->p.ops->ksize)
            return l->p.ops->ksize(l, cpu, va);
        const struct km_kmem_cache *c = km_slab_cache(l, cpu->window, slab);

        return c->flags & KM_CACHE_DEBUG ? c->object_size : c->size;
    }
    unsigned order;

    return large_head(l, cpu, va, &order) ? KM_PAGE_BYTES << order : 0;
}

km_vaddr km_krealloc(struct km_slab_layer *l, struct km_cpu *cpu, km_vaddr va, uint32_t size,
                     uint32_t gfp)
{
    if (size == 0) {
        km_kfree(l, cpu, va);
        return KM_ZERO_SIZE_PTR;
    }
    uint32_t old = km_ksize(l, cpu, va);

    km_fn_enter(cpu, l->stack_va[cpu->id], &fn_krealloc);
    km_fn_leave(cpu, l->stack_va[cpu->id], &fn_krealloc);
    if (va > KM_ZERO_SIZE_PTR && old >= size)
        return va; /* in place, untraced */
    km_vaddr fresh = km_kmalloc(l, cpu, size, gfp);

    if (fresh && old) {
        km_touch(cpu, va, old, KM_REF_LOAD);
        km_touch(cpu, fresh, old, KM_REF_STORE);
        memmove(cpu->window + fresh, cpu->window + va, old);
    }
    if (fresh && va)
        km_kfree(l, cpu, va);
    return fresh;
}
