/* SPDX-License-Identifier: MIT
 * mempool.c - see mempool.h. Instruction counts are estimated from the code's size.
 */
#include "models/os/mempool.h"

#include "models/os/kfn.h"

#include <string.h>

#define SITE(n, va, bytes) .site = {.name = n, .text_va = va, .text_bytes = bytes}

static const struct km_fn fn_alloc = {SITE("mempool_alloc", 0xc1236160, 400), 40, 8, 8};
static const struct km_fn fn_free = {SITE("mempool_free", 0xc1236070, 128), 20, 5, 5};

static km_vaddr backend_alloc(struct km_mempool *mp, struct km_cpu *cpu, uint32_t gfp)
{
    struct km_slab_layer *l = mp->slab;

    if (mp->kind == KM_MEMPOOL_SLAB)
        return km_kmem_cache_alloc(l, cpu, mp->cache, gfp);
    if (mp->kind == KM_MEMPOOL_KMALLOC)
        return km_kmalloc(l, cpu, mp->bytes, gfp);
    if (mp->kind == KM_MEMPOOL_PAGES_ISA)
        gfp |= KM_GFP_DMA;
    km_pfn pfn = l->p.src.alloc(l->p.src.ctx, cpu, gfp, mp->order);

    return pfn == KM_PFN_NONE ? 0 : km_page_va(l->os, pfn);
}

static void backend_free(struct km_mempool *mp, struct km_cpu *cpu, km_vaddr element)
{
    struct km_slab_layer *l = mp->slab;

    if (mp->kind == KM_MEMPOOL_SLAB)
        km_kmem_cache_free(l, cpu, mp->cache, element);
    else if (mp->kind == KM_MEMPOOL_KMALLOC)
        km_kfree(l, cpu, element);
    else
        l->p.src.free(l->p.src.ctx, cpu, km_page_pfn(l->os, element), mp->order);
}

static void push(struct km_mempool *mp, struct km_cpu *cpu, km_vaddr element)
{
    uint32_t curr = km_ld32(cpu, mp->va + KM_MP_CURR);

    km_st32(cpu, km_ld32(cpu, mp->va + KM_MP_ELEMENTS) + 4 * curr, element);
    km_st32(cpu, mp->va + KM_MP_CURR, curr + 1);
}

static km_vaddr pop(struct km_mempool *mp, struct km_cpu *cpu)
{
    uint32_t curr = km_ld32(cpu, mp->va + KM_MP_CURR) - 1;

    km_st32(cpu, mp->va + KM_MP_CURR, curr);
    if (curr < mp->stats.lowest)
        mp->stats.lowest = curr;
    return km_ld32(cpu, km_ld32(cpu, mp->va + KM_MP_ELEMENTS) + 4 * curr);
}

bool km_mempool_create(struct km_mempool *mp, struct km_slab_layer *slab, struct km_cpu *cpu,
                       enum km_mempool_kind kind, uint32_t min_nr, uint32_t arg,
                       struct km_kmem_cache *cache)
{
    memset(mp, 0, sizeof(*mp));
    mp->slab = slab;
    mp->kind = kind;
    mp->cache = cache;
    mp->bytes = arg;
    mp->order = arg;
    mp->stats.lowest = min_nr;
    mp->va = km_kzalloc(slab, cpu, KM_MP_BYTES, KM_GFP_KERNEL);
    km_vaddr elements = mp->va ? km_kmalloc(slab, cpu, 4 * min_nr, KM_GFP_KERNEL) : 0;

    if (!elements) {
        km_kfree(slab, cpu, mp->va);
        mp->va = 0;
        return false;
    }
    km_st32(cpu, mp->va + KM_MP_LOCK, 0);
    km_st32(cpu, mp->va + KM_MP_MIN, min_nr);
    km_st32(cpu, mp->va + KM_MP_CURR, 0);
    km_st32(cpu, mp->va + KM_MP_ELEMENTS, elements);
    while (km_ld32(cpu, mp->va + KM_MP_CURR) < min_nr) {
        km_vaddr element = backend_alloc(mp, cpu, KM_GFP_KERNEL);

        if (!element) {
            km_mempool_destroy(mp, cpu);
            return false;
        }
        push(mp, cpu, element);
    }
    return true;
}

void km_mempool_destroy(struct km_mempool *mp, struct km_cpu *cpu)
{
    if (!mp->va)
        return;
    while (km_ld32(cpu, mp->va + KM_MP_CURR))
        backend_free(mp, cpu, pop(mp, cpu));
    km_kfree(mp->slab, cpu, km_ld32(cpu, mp->va + KM_MP_ELEMENTS));
    km_kfree(mp->slab, cpu, mp->va);
    mp->va = 0;
}

bool km_mempool_resize(struct km_mempool *mp, struct km_cpu *cpu, uint32_t min_nr)
{
    km_vaddr old = km_ld32(cpu, mp->va + KM_MP_ELEMENTS);
    uint32_t old_min = km_ld32(cpu, mp->va + KM_MP_MIN);

    if (min_nr > old_min) {
        km_vaddr more = km_kmalloc(mp->slab, cpu, 4 * min_nr, KM_GFP_KERNEL);
        uint32_t curr = km_ld32(cpu, mp->va + KM_MP_CURR);

        if (!more)
            return false;
        for (uint32_t i = 0; i < curr; i++)
            km_st32(cpu, more + 4 * i, km_ld32(cpu, old + 4 * i));
        km_st32(cpu, mp->va + KM_MP_ELEMENTS, more);
        km_kfree(mp->slab, cpu, old);
    }
    while (km_ld32(cpu, mp->va + KM_MP_CURR) > min_nr)
        backend_free(mp, cpu, pop(mp, cpu));
    km_st32(cpu, mp->va + KM_MP_MIN, min_nr);
    while (km_ld32(cpu, mp->va + KM_MP_CURR) < min_nr) {
        km_vaddr element = backend_alloc(mp, cpu, KM_GFP_KERNEL);

        if (!element)
            break; /* the new size stands, frees will fill it */
        push(mp, cpu, element);
    }
    return true;
}

static km_vaddr from_reserve(struct km_mempool *mp, struct km_cpu *cpu)
{
    km_vaddr element = 0;

    km_lock(cpu, mp->va + KM_MP_LOCK);
    if (km_ld32(cpu, mp->va + KM_MP_CURR))
        element = pop(mp, cpu);
    km_unlock(cpu, mp->va + KM_MP_LOCK);
    mp->stats.from_reserve += element != 0;
    return element;
}

km_vaddr km_mempool_alloc(struct km_mempool *mp, struct km_cpu *cpu, uint32_t gfp,
                          enum km_mempool_result *why)
{
    km_vaddr stack = mp->slab->stack_va[cpu->id];
    uint32_t full = gfp | KM_GFP_NOMEMALLOC | KM_GFP_NORETRY | KM_GFP_NOWARN;
    uint32_t gentle = full & ~(uint32_t)(KM_GFP_DIRECT_RECLAIM | KM_GFP_IO);

    km_fn_enter(cpu, stack, &fn_alloc);
    mp->stats.allocs++;
    *why = KM_MEMPOOL_OK;
    km_vaddr element = backend_alloc(mp, cpu, gentle);

    mp->stats.from_allocator += element != 0;
    if (!element)
        element = from_reserve(mp, cpu);
    if (!element && gentle != full) {
        mp->stats.second_try++;
        element = backend_alloc(mp, cpu, full);
        mp->stats.from_allocator += element != 0;
        if (!element)
            element = from_reserve(mp, cpu);
    }
    if (!element) {
        *why = gfp & KM_GFP_DIRECT_RECLAIM ? KM_MEMPOOL_WOULD_SLEEP : KM_MEMPOOL_EMPTY;
        mp->stats.failed += *why == KM_MEMPOOL_EMPTY;
        mp->stats.would_sleep += *why == KM_MEMPOOL_WOULD_SLEEP;
    }
    km_fn_leave(cpu, stack, &fn_alloc);
    return element;
}

bool km_mempool_free(struct km_mempool *mp, struct km_cpu *cpu, km_vaddr element)
{
    km_vaddr stack = mp->slab->stack_va[cpu->id];
    bool kept = false;

    if (!element)
        return false;
    km_fn_enter(cpu, stack, &fn_free);
    mp->stats.frees++;
    if (km_ld32(cpu, mp->va + KM_MP_CURR) < km_ld32(cpu, mp->va + KM_MP_MIN)) {
        km_lock(cpu, mp->va + KM_MP_LOCK);
        push(mp, cpu, element);
        km_unlock(cpu, mp->va + KM_MP_LOCK);
        mp->stats.refills++;
        mp->stats.wakes++;
        kept = true;
    } else {
        backend_free(mp, cpu, element);
    }
    km_fn_leave(cpu, stack, &fn_free);
    return kept;
}

uint32_t km_mempool_reserve(const struct km_mempool *mp, const uint8_t *window)
{
    return km_peek32(window, mp->va + KM_MP_CURR);
}

const char *km_mempool_check(const struct km_mempool *mp, const uint8_t *window)
{
    uint32_t curr = km_mempool_reserve(mp, window);
    km_vaddr elements = km_peek32(window, mp->va + KM_MP_ELEMENTS);

    if (curr > km_peek32(window, mp->va + KM_MP_MIN))
        return "the reserve holds more than its size";
    for (uint32_t i = 0; i < curr; i++)
        for (uint32_t j = 0; j < i; j++)
            if (km_peek32(window, elements + 4 * i) == km_peek32(window, elements + 4 * j))
                return "an element is in the reserve twice";
    return NULL;
}
