/* SPDX-License-Identifier: MIT
 * kmalloc_api.c - see kmalloc_api.h. Instruction counts are estimated from the code's size.
 */
#include "models/os/kmalloc_api.h"

#include "models/os/page_alloc.h"

#include <string.h>

static const struct km_site site_array = {"__kmalloc_array", 0xc1262cf0u, 48};
static const struct km_site site_sensitive = {"kfree_sensitive", 0xc1262d20u, 64};
static const struct km_site site_kvmalloc = {"kvmalloc_node", 0xc1254660u, 192};
static const struct km_site site_rcu = {"kvfree_call_rcu", 0xc1107d20u, 640};
static const struct km_site site_rcu_work = {"kfree_rcu_work", 0xc1108280u, 832};

#define PAGE_NR 0u /* pointers in the page */
#define PAGE_NEXT 4u
#define PAGE_POINTER 8u

km_vaddr km_kmalloc_array(struct km_slab_layer *l, struct km_cpu *cpu, uint32_t n, uint32_t size,
                          uint32_t gfp)
{
    uint64_t bytes = (uint64_t)n * size;

    km_exec(cpu, &site_array, 6);
    return bytes > UINT32_MAX ? 0 : km_kmalloc(l, cpu, (uint32_t)bytes, gfp);
}

km_vaddr km_kcalloc(struct km_slab_layer *l, struct km_cpu *cpu, uint32_t n, uint32_t size, uint32_t gfp)
{
    return km_kmalloc_array(l, cpu, n, size, gfp | KM_GFP_ZERO);
}

/* Notes the node for the call that follows; false: there is no such node, and the caller insists. */
static bool want_node(struct km_slab_layer *l, const struct km_cpu *cpu, uint32_t gfp, int node)
{
    const unsigned nodes = l->p.numa.nodes ? l->p.numa.nodes : 1;

    if (node >= 0 && (unsigned)node >= nodes && (gfp & KM_GFP_THISNODE))
        return false;
    l->wanted_node[cpu->id] = node >= 0 && (unsigned)node < nodes && nodes > 1 ? (uint8_t)(node + 1) : 0;
    return true;
}

km_vaddr km_kmem_cache_alloc_node(struct km_slab_layer *l, struct km_cpu *cpu, struct km_kmem_cache *c,
                                  uint32_t gfp, int node)
{
    return want_node(l, cpu, gfp, node) ? km_kmem_cache_alloc(l, cpu, c, gfp) : 0;
}

km_vaddr km_kmalloc_node(struct km_slab_layer *l, struct km_cpu *cpu, uint32_t size, uint32_t gfp, int node)
{
    km_vaddr va = want_node(l, cpu, gfp, node) ? km_kmalloc(l, cpu, size, gfp) : 0;

    l->wanted_node[cpu->id] = 0; /* kmalloc(0) asked nobody */
    return va;
}

void km_kfree_sensitive(struct km_slab_layer *l, struct km_cpu *cpu, km_vaddr va)
{
    uint32_t bytes = km_ksize(l, cpu, va);

    km_exec(cpu, &site_sensitive, 10);
    if (bytes) {
        km_touch(cpu, va, bytes, KM_REF_STORE);
        memset(cpu->window + va, 0, bytes);
    }
    km_kfree(l, cpu, va);
}

km_vaddr km_kvmalloc(struct km_vmalloc *v, struct km_cpu *cpu, uint32_t size, uint32_t gfp, km_vaddr caller)
{
    uint32_t first = gfp;

    km_exec(cpu, &site_kvmalloc, 22);
    if (size > KM_PAGE_BYTES) {
        first |= KM_GFP_NOWARN;
        if (!(gfp & KM_GFP_RETRY_MAYFAIL))
            first |= KM_GFP_NORETRY;
        first &= ~(uint32_t)KM_GFP_NOFAIL;
    }
    km_vaddr va = km_kmalloc(v->p.slab, cpu, size, first);

    if (va || size <= KM_PAGE_BYTES || !(gfp & KM_GFP_DIRECT_RECLAIM))
        return va;
    return gfp & KM_GFP_ZERO ? km_vzalloc(v, cpu, size, caller) : km_vmalloc(v, cpu, size, caller);
}

void km_kvfree(struct km_vmalloc *v, struct km_cpu *cpu, km_vaddr va)
{
    if (va >= v->p.start && va < v->p.end)
        km_vfree(v, cpu, va, false);
    else
        km_kfree(v->p.slab, cpu, va);
}

/* ---- kfree_rcu ------------------------------------------------------------------------------ */

void km_kfree_rcu_init(struct km_kfree_rcu *r, struct km_slab_layer *l, struct km_cpu *cpu)
{
    memset(r, 0, sizeof(*r));
    r->l = l;
    for (unsigned c = 0; c < l->os->p.cpus; c++) {
        km_vaddr words = km_os_static_alloc(l->os, 8, 64);

        r->head_va[c] = words;
        r->chain_va[c] = words + 4;
        km_st32(cpu, words, 0);
        km_st32(cpu, words + 4, 0);
    }
}

/* The page with room for one more pointer; 0: there is none. */
static km_vaddr page_with_room(struct km_kfree_rcu *r, struct km_cpu *cpu)
{
    const uint32_t gfp = KM_GFP_KERNEL | KM_GFP_NORETRY | KM_GFP_NOMEMALLOC | KM_GFP_NOWARN;
    km_vaddr head = r->head_va[cpu->id], page = km_ld32(cpu, head);

    if (page && km_ld32(cpu, page + PAGE_NR) < KM_RCU_PAGE_POINTERS)
        return page;
    km_pfn pfn = r->l->p.src.alloc(r->l->p.src.ctx, cpu, gfp, 0);

    if (pfn == KM_PFN_NONE)
        return 0;
    km_vaddr fresh = km_pfn_to_va(r->l->os, pfn);

    km_st32(cpu, fresh + PAGE_NR, 0);
    km_st32(cpu, fresh + PAGE_NEXT, page);
    km_st32(cpu, head, fresh);
    r->stats.pages++;
    return fresh;
}

void km_kfree_rcu(struct km_kfree_rcu *r, struct km_cpu *cpu, km_vaddr va)
{
    if (va <= KM_ZERO_SIZE_PTR)
        return;
    km_exec(cpu, &site_rcu, 60);
    km_vaddr page = page_with_room(r, cpu);

    if (!page) {
        km_st32(cpu, va, km_ld32(cpu, r->chain_va[cpu->id]));
        km_st32(cpu, r->chain_va[cpu->id], va);
        r->stats.chained++;
        return;
    }
    uint32_t nr = km_ld32(cpu, page + PAGE_NR);

    km_st32(cpu, page + PAGE_POINTER + 4 * nr, va);
    km_st32(cpu, page + PAGE_NR, nr + 1);
    r->stats.noted++;
}

static unsigned free_noted(struct km_kfree_rcu *r, struct km_cpu *cpu, km_vaddr page)
{
    km_vaddr obj[KM_RCU_PAGE_POINTERS];
    uint32_t nr = km_ld32(cpu, page + PAGE_NR);

    for (uint32_t i = 0; i < nr; i++)
        obj[i] = km_ld32(cpu, page + PAGE_POINTER + 4 * i);
    km_kmem_cache_free_bulk(r->l, cpu, NULL, nr, obj);
    r->l->p.src.free(r->l->p.src.ctx, cpu, km_va_to_pfn(r->l->os, page), 0);
    return nr;
}

unsigned km_kfree_rcu_quiesce(struct km_kfree_rcu *r, struct km_cpu *cpu)
{
    unsigned nr = 0;

    km_exec(cpu, &site_rcu_work, 80);
    for (unsigned c = 0; c < r->l->os->p.cpus; c++) {
        km_vaddr page = km_ld32(cpu, r->head_va[c]), obj = km_ld32(cpu, r->chain_va[c]), next;

        km_st32(cpu, r->head_va[c], 0);
        km_st32(cpu, r->chain_va[c], 0);
        for (; page; page = next) {
            next = km_ld32(cpu, page + PAGE_NEXT);
            nr += free_noted(r, cpu, page);
        }
        for (; obj; obj = next, nr++) {
            next = km_ld32(cpu, obj);
            km_kfree(r->l, cpu, obj);
        }
    }
    r->stats.freed += nr;
    return nr;
}

const char *km_kfree_rcu_check(const struct km_kfree_rcu *r, const uint8_t *window)
{
    uint64_t waiting = 0, limit = r->stats.noted + r->stats.chained;

    for (unsigned c = 0; c < r->l->os->p.cpus; c++) {
        for (km_vaddr page = km_peek32(window, r->head_va[c]); page;
             page = km_peek32(window, page + PAGE_NEXT)) {
            uint32_t nr = km_peek32(window, page + PAGE_NR);

            if (!nr || nr > KM_RCU_PAGE_POINTERS)
                return "a page of waiting pointers is empty or too full";
            if (page != km_peek32(window, r->head_va[c]) && nr != KM_RCU_PAGE_POINTERS)
                return "a page behind the first is not full";
            waiting += nr;
        }
        for (km_vaddr obj = km_peek32(window, r->chain_va[c]); obj && waiting <= limit;
             obj = km_peek32(window, obj))
            waiting++;
    }
    return waiting == limit - r->stats.freed ? NULL : "pointers that wait differ from the counters";
}
