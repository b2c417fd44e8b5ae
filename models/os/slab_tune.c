/* SPDX-License-Identifier: MIT
 * slab_tune.c - SLAB caches come and go: control structures, array caches and their sizes.
 *
 * Boot, as in the kernel: until all kmalloc caches exist every array cache holds one object and
 * there are no shared or alien stacks; then each cache gets its final sizes (km_slab_late). Node
 * structures are objects of kmalloc-64; those of the caches made before it stand in kernel bss.
 * Array caches of one CPU lie in pages of eight slots, taken from the page source when the first
 * cache of such a group appears and given back with the last.
 * References: kernel-behaviour notes E8.
 */
#include "models/os/kfn.h"
#include "models/os/list.h"
#include "models/os/slab.h"
#include "models/os/slub.h" /* KM_KC_INDEX: at the same place in every kmem_cache */

#define NODE_REAP_MS 4000u

/* ---- pages of array caches ------------------------------------------------------------------- */

static unsigned group_of(const struct km_slab_layer *l, const struct km_kmem_cache *c)
{
    return (unsigned)(c - l->cache) / KM_SLAB_CPU_SLOTS_PER_PAGE;
}

static void put_array_pages(struct km_slab_layer *l, struct km_cpu *cpu, unsigned group)
{
    for (unsigned i = 0; i < l->os->p.cpus; i++) {
        if (l->array_page[i][group])
            l->p.src.free(l->p.src.ctx, cpu, km_va_to_pfn(l->os, l->array_page[i][group]), 0);
        l->array_page[i][group] = 0;
    }
}

static bool get_array_slot(struct km_slab_layer *l, struct km_cpu *cpu, struct km_kmem_cache *c)
{
    unsigned group = group_of(l, c);

    if (l->array_users[group]++)
        return true;
    for (unsigned i = 0; i < l->os->p.cpus; i++) {
        l->requesting_large[cpu->id] = true; /* no slab: the page source may want to know */
        km_pfn pfn = l->p.src.alloc(l->p.src.ctx, cpu, KM_GFP_KERNEL, 0);

        l->requesting_large[cpu->id] = false;
        if (pfn == KM_PFN_NONE) {
            put_array_pages(l, cpu, group);
            l->array_users[group]--;
            return false;
        }
        l->array_page[i][group] = km_pfn_to_va(l->os, pfn);
    }
    return true;
}

static void put_array_slot(struct km_slab_layer *l, struct km_cpu *cpu, struct km_kmem_cache *c)
{
    if (--l->array_users[group_of(l, c)] == 0)
        put_array_pages(l, cpu, group_of(l, c));
}

/* ---- sizes ----------------------------------------------------------------------------------- */

static void ac_init(struct km_cpu *cpu, km_vaddr ac, uint32_t limit, uint32_t batch)
{
    km_st32(cpu, ac + KM_AC_AVAIL, 0);
    km_st32(cpu, ac + KM_AC_LIMIT, limit);
    km_st32(cpu, ac + KM_AC_BATCHCOUNT, batch);
    km_st32(cpu, ac + KM_AC_TOUCHED, 0);
}

static void store_sizes(struct km_cpu *cpu, const struct km_kmem_cache *c, uint32_t limit,
                        uint32_t batch, uint32_t shared)
{
    km_st32(cpu, c->va + KM_SLABC_LIMIT, limit);
    km_st32(cpu, c->va + KM_SLABC_BATCHCOUNT, batch);
    km_st32(cpu, c->va + KM_SLABC_SHARED, shared);
}

static unsigned node_cpus(const struct km_slab_layer *l, unsigned node)
{
    unsigned nr = 0;

    for (unsigned i = 0; i < l->os->p.cpus; i++)
        nr += km_slab_cpu_node(l, i) == node;
    return nr;
}

static void set_free_limit(struct km_slab_layer *l, struct km_cpu *cpu,
                           const struct km_kmem_cache *c, unsigned node, uint32_t batch)
{
    km_st32(cpu, c->slab.node_va[node] + KM_SLABN_FREE_LIMIT,
            (1 + node_cpus(l, node)) * batch + c->objects);
}

/* Objects of the arrays go back to their slabs before the arrays change. */
static void empty_arrays(struct km_slab_layer *l, struct km_cpu *cpu, struct km_kmem_cache *c)
{
    for (unsigned i = 0; i < l->os->p.cpus; i++) {
        km_vaddr ac = km_slab_cpu_array(l, c, i), destroy = 0;
        unsigned node = km_slab_cpu_node(l, i);
        km_vaddr n = c->slab.node_va[node];

        km_lock(cpu, n + KM_SLABN_LOCK);
        km_slab_free_block(l, cpu, c, ac + KM_AC_ENTRY, km_ld32(cpu, ac + KM_AC_AVAIL), node,
                           &destroy);
        km_st32(cpu, ac + KM_AC_AVAIL, 0);
        km_unlock(cpu, n + KM_SLABN_LOCK);
        km_slab_destroy_chain(l, cpu, c, destroy);
    }
}

static km_vaddr new_shared(struct km_slab_layer *l, struct km_cpu *cpu,
                           const struct km_kmem_cache *c)
{
    uint32_t entries = c->slab.shared * c->slab.batch;
    km_vaddr ac = km_kmalloc(l, cpu, KM_AC_ENTRY + 4 * entries, KM_GFP_KERNEL);

    if (ac)
        ac_init(cpu, ac, entries, 0xbaadf00d); /* a batch size nobody may use */
    return ac;
}

/* Vector of alien caches of one node, its own entry empty. */
static km_vaddr new_alien(struct km_slab_layer *l, struct km_cpu *cpu, unsigned node)
{
    unsigned nodes = km_slab_nodes(l);
    km_vaddr vec = km_kzalloc(l, cpu, 4 * nodes, KM_GFP_KERNEL);

    for (unsigned i = 0; i < nodes && vec; i++) {
        if (i == node)
            continue;
        km_vaddr alien =
            km_kmalloc(l, cpu, KM_ALIEN_AC + KM_AC_ENTRY + 4 * KM_SLAB_ALIEN_LIMIT, KM_GFP_KERNEL);

        if (!alien)
            continue; /* such frees go straight to the other node */
        km_st32(cpu, alien + KM_ALIEN_LOCK, 0);
        ac_init(cpu, alien + KM_ALIEN_AC, KM_SLAB_ALIEN_LIMIT, 0xbaadf00d);
        km_st32(cpu, vec + 4 * i, alien);
    }
    return vec;
}

/* Final sizes. Missing memory for a shared stack is no failure: the cache works without. */
static void tune(struct km_slab_layer *l, struct km_cpu *cpu, struct km_kmem_cache *c)
{
    empty_arrays(l, cpu, c);
    for (unsigned i = 0; i < l->os->p.cpus; i++)
        ac_init(cpu, km_slab_cpu_array(l, c, i), c->slab.limit, c->slab.batch);
    store_sizes(cpu, c, c->slab.limit, c->slab.batch, c->slab.shared);
    for (unsigned node = 0; node < km_slab_nodes(l); node++) {
        km_vaddr n = c->slab.node_va[node];

        set_free_limit(l, cpu, c, node, c->slab.batch);
        if (c->slab.shared && !km_ld32(cpu, n + KM_SLABN_SHARED))
            km_st32(cpu, n + KM_SLABN_SHARED, new_shared(l, cpu, c));
        if (km_slab_nodes(l) > 1 && !km_ld32(cpu, n + KM_SLABN_ALIEN))
            km_st32(cpu, n + KM_SLABN_ALIEN, new_alien(l, cpu, node));
    }
    c->slab.tuned = true;
}

bool km_slab_late(struct km_slab_layer *l, struct km_cpu *cpu)
{
    for (unsigned i = 0; i < l->nr_cache; i++)
        if (l->cache[i].used)
            tune(l, cpu, &l->cache[i]);
    return true;
}

/* ---- creation -------------------------------------------------------------------------------- */

static void node_init(struct km_slab_layer *l, struct km_cpu *cpu, const struct km_kmem_cache *c,
                      unsigned node)
{
    km_vaddr n = c->slab.node_va[node];

    for (unsigned word = 0; word < KM_SLABN_BYTES; word += 4)
        km_st32(cpu, n + word, 0);
    km_list_init(cpu, n + KM_SLABN_PARTIAL);
    km_list_init(cpu, n + KM_SLABN_FULL);
    km_list_init(cpu, n + KM_SLABN_FREE);
    km_st32(cpu, n + KM_SLABN_NEXT_REAP, NODE_REAP_MS + c->va % NODE_REAP_MS);
    set_free_limit(l, cpu, c, node, 1);
    km_st32(cpu, c->va + KM_SLABC_NODE + 4 * node, n);
}

static bool get_nodes(struct km_slab_layer *l, struct km_cpu *cpu, struct km_kmem_cache *c)
{
    struct km_kmem_cache *from = km_kmalloc_cache(l, KM_SLABN_BYTES, KM_GFP_KERNEL);

    c->slab.static_nodes = !from;
    for (unsigned node = 0; node < km_slab_nodes(l); node++) {
        c->slab.node_va[node] = from ? km_kmalloc(l, cpu, KM_SLABN_BYTES, KM_GFP_KERNEL)
                                     : km_os_static_alloc(l->os, KM_SLABN_BYTES, 32);
        if (!c->slab.node_va[node])
            return false;
        node_init(l, cpu, c, node);
    }
    c->node_va = c->slab.node_va[0];
    return true;
}

static void put_structures(struct km_slab_layer *l, struct km_cpu *cpu, struct km_kmem_cache *c)
{
    for (unsigned node = 0; node < km_slab_nodes(l); node++)
        if (c->slab.node_va[node] && !c->slab.static_nodes)
            km_kfree(l, cpu, c->slab.node_va[node]);
    put_array_slot(l, cpu, c);
    km_kmem_cache_free(l, cpu, l->kmem_cache, c->va);
}

static void store_cache(struct km_slab_layer *l, struct km_cpu *cpu, const struct km_kmem_cache *c)
{
    store_sizes(cpu, c, 1, 1, 0);
    km_st32(cpu, c->va + KM_SLABC_CPU_CACHE, km_slab_cpu_array(l, c, 0));
    km_st32(cpu, c->va + KM_SLABC_SIZE, c->size);
    km_st32(cpu, c->va + KM_SLABC_FLAGS, c->flags);
    km_st32(cpu, c->va + KM_SLABC_NUM, c->objects);
    km_st32(cpu, c->va + KM_SLABC_GFPORDER, c->order);
    km_st32(cpu, c->va + KM_SLABC_ALLOCFLAGS, c->allocflags);
    km_st32(cpu, c->va + KM_SLABC_COLOUR, c->slab.colour);
    km_st32(cpu, c->va + KM_SLABC_COLOUR_OFF, c->slab.colour_off);
    km_st32(cpu, c->va + KM_SLABC_FREELIST_SIZE, c->slab.freelist_bytes);
    km_st32(cpu, c->va + KM_SLABC_REFCOUNT, 1);
    km_st32(cpu, c->va + KM_SLABC_OBJECT_SIZE, c->object_size);
    km_st32(cpu, c->va + KM_SLABC_ALIGN, c->align);
    km_st32(cpu, c->va + KM_KC_INDEX, (uint32_t)(c - l->cache));
    km_st32(cpu, c->va + KM_SLABC_RANDOM_SEQ, 0);
}

bool km_slab_create(struct km_slab_layer *l, struct km_cpu *cpu, struct km_kmem_cache *c)
{
    if (!km_slab_geometry(l, c) || !get_array_slot(l, cpu, c))
        return false;
    if (!c->va)
        c->va = km_kmem_cache_alloc(l, cpu, l->kmem_cache, KM_GFP_KERNEL | KM_GFP_ZERO);
    if (!c->va) {
        put_array_slot(l, cpu, c);
        return false;
    }
    for (unsigned i = 0; i < l->os->p.cpus; i++)
        ac_init(cpu, km_slab_cpu_array(l, c, i), 1, 1);
    store_cache(l, cpu, c);
    if (!get_nodes(l, cpu, c)) {
        put_structures(l, cpu, c);
        return false;
    }
    if (l->kmalloc_up)
        tune(l, cpu, c);
    return true;
}

static void free_stacks(struct km_slab_layer *l, struct km_cpu *cpu, km_vaddr n)
{
    km_vaddr shared = km_ld32(cpu, n + KM_SLABN_SHARED), vec = km_ld32(cpu, n + KM_SLABN_ALIEN);

    if (shared)
        km_kfree(l, cpu, shared);
    for (unsigned i = 0; i < km_slab_nodes(l) && vec; i++)
        if (km_ld32(cpu, vec + 4 * i))
            km_kfree(l, cpu, km_ld32(cpu, vec + 4 * i));
    if (vec)
        km_kfree(l, cpu, vec);
}

bool km_slab_destroy(struct km_slab_layer *l, struct km_cpu *cpu, struct km_kmem_cache *c)
{
    km_slab_shrink(l, cpu, c);
    for (unsigned node = 0; node < km_slab_nodes(l); node++)
        if (km_ld32(cpu, c->slab.node_va[node] + KM_SLABN_TOTAL_SLABS))
            return false;
    km_slab_rcu_quiesce(l, cpu);
    for (unsigned node = 0; node < km_slab_nodes(l); node++)
        free_stacks(l, cpu, c->slab.node_va[node]);
    put_structures(l, cpu, c);
    return true;
}
