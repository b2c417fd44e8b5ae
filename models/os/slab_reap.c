/* SPDX-License-Identifier: MIT
 * slab_reap.c - how SLAB gives memory back: the reaper and kmem_cache_shrink.
 *
 * Each CPU runs the reaper every 2 s (an explicit tick: whoever drives the machine passes the
 * time). Per cache, oldest last: the alien cache for one of the other nodes (the next one each
 * time); of the CPU's array and, every 4 s per node, of the shared stack the oldest fifth of its
 * room, unless it was used since the last visit; of the free slabs, if none was taken since the
 * last visit, enough to release a fifth of free_limit.
 * Simplified: the reaper of the kernel is a deferrable timer with jitter; ticks here come when the
 * CPU does something and its time is due.
 * Units: milliseconds. References: kernel-behaviour notes E8.
 */
#include "models/base/bits.h"
#include "models/os/kfn.h"
#include "models/os/list.h"
#include "models/os/slab.h"

#define REAP_MS 2000u
#define NODE_REAP_MS 4000u

static const struct km_fn fn_reap = {
    .site = {.name = "cache_reap", .text_va = 0xc12b6aa0, .text_bytes = 600}, 60, 10, 10};

/* The oldest objects of a stack go back to their slabs. all: every one, used or not. */
static void drain_array(struct km_slab_layer *l, struct km_cpu *cpu, struct km_kmem_cache *c,
                        km_vaddr ac, unsigned node, bool all)
{
    km_vaddr n = c->slab.node_va[node], destroy = 0;
    uint32_t avail = ac ? km_ld32(cpu, ac + KM_AC_AVAIL) : 0;

    if (!avail)
        return;
    if (!all && km_ld32(cpu, ac + KM_AC_TOUCHED)) {
        km_st32(cpu, ac + KM_AC_TOUCHED, 0);
        return;
    }
    km_lock(cpu, n + KM_SLABN_LOCK);
    avail = km_ld32(cpu, ac + KM_AC_AVAIL);
    uint32_t nr = all ? avail : (km_ld32(cpu, ac + KM_AC_LIMIT) + 4) / 5;

    if (nr > avail)
        nr = (avail + 1) / 2;
    km_slab_free_block(l, cpu, c, ac + KM_AC_ENTRY, nr, node, &destroy);
    for (uint32_t i = nr; i < avail; i++)
        km_st32(cpu, ac + KM_AC_ENTRY + 4 * (i - nr), km_ld32(cpu, ac + KM_AC_ENTRY + 4 * i));
    km_st32(cpu, ac + KM_AC_AVAIL, avail - nr);
    km_unlock(cpu, n + KM_SLABN_LOCK);
    km_slab_destroy_chain(l, cpu, c, destroy);
}

/* Up to max free slabs, from the tail. */
static void drain_free(struct km_slab_layer *l, struct km_cpu *cpu, struct km_kmem_cache *c,
                       km_vaddr n, uint32_t max)
{
    while (max-- && !km_list_empty(cpu, n + KM_SLABN_FREE)) {
        km_lock(cpu, n + KM_SLABN_LOCK);
        km_vaddr entry = km_list_last(cpu, n + KM_SLABN_FREE);

        if (entry == n + KM_SLABN_FREE) { /* another CPU was faster */
            km_unlock(cpu, n + KM_SLABN_LOCK);
            return;
        }
        km_list_del(cpu, entry);
        km_st32(cpu, n + KM_SLABN_FREE_SLABS, km_ld32(cpu, n + KM_SLABN_FREE_SLABS) - 1);
        km_st32(cpu, n + KM_SLABN_TOTAL_SLABS, km_ld32(cpu, n + KM_SLABN_TOTAL_SLABS) - 1);
        km_st32(cpu, n + KM_SLABN_FREE_OBJECTS,
                km_ld32(cpu, n + KM_SLABN_FREE_OBJECTS) - c->objects);
        km_unlock(cpu, n + KM_SLABN_LOCK);
        km_st32(cpu, entry, 0);
        km_slab_destroy_chain(l, cpu, c, entry - KM_SLAB_LIST);
    }
}

static void drain_alien(struct km_slab_layer *l, struct km_cpu *cpu, struct km_kmem_cache *c,
                        km_vaddr n, unsigned other, bool wait)
{
    km_vaddr vec = km_ld32(cpu, n + KM_SLABN_ALIEN), destroy = 0;
    km_vaddr alien = vec ? km_ld32(cpu, vec + 4 * other) : 0;

    if (!alien || !km_ld32(cpu, alien + KM_ALIEN_AC + KM_AC_AVAIL))
        return;
    if (wait)
        km_lock(cpu, alien + KM_ALIEN_LOCK);
    else if (!km_trylock(cpu, alien + KM_ALIEN_LOCK))
        return;
    km_slab_drain_alien(l, cpu, c, alien + KM_ALIEN_AC, other, &destroy);
    km_unlock(cpu, alien + KM_ALIEN_LOCK);
    km_slab_destroy_chain(l, cpu, c, destroy);
}

static void reap_cache(struct km_slab_layer *l, struct km_cpu *cpu, struct km_kmem_cache *c,
                       uint32_t now_ms)
{
    unsigned node = km_slab_cpu_node(l, cpu->id);
    km_vaddr n = c->slab.node_va[node];

    drain_alien(l, cpu, c, n, l->reap_node[cpu->id] % km_slab_nodes(l), false);
    drain_array(l, cpu, c, km_slab_cpu_array(l, c, cpu->id), node, false);
    if ((int32_t)(km_ld32(cpu, n + KM_SLABN_NEXT_REAP) - now_ms) > 0)
        return;
    km_st32(cpu, n + KM_SLABN_NEXT_REAP, now_ms + NODE_REAP_MS);
    drain_array(l, cpu, c, km_ld32(cpu, n + KM_SLABN_SHARED), node, false);
    if (km_ld32(cpu, n + KM_SLABN_FREE_TOUCHED)) {
        km_st32(cpu, n + KM_SLABN_FREE_TOUCHED, 0);
        return;
    }
    uint32_t fifth = 5 * c->objects;

    drain_free(l, cpu, c, n, (km_ld32(cpu, n + KM_SLABN_FREE_LIMIT) + fifth - 1) / fifth);
}

void km_slab_tick(struct km_slab_layer *l, struct km_cpu *cpu, uint64_t now_ms)
{
    uint64_t *due = &l->reap_due_ms[cpu->id];

    if (!*due)
        *due = now_ms + REAP_MS;
    if (now_ms < *due)
        return;
    *due = now_ms + REAP_MS;
    for (unsigned i = l->nr_cache; i-- > 0;) { /* newest first, as the list of caches has them */
        if (!l->cache[i].used || !l->cache[i].slab.tuned)
            continue;
        km_fn_enter(cpu, l->stack_va[cpu->id], &fn_reap);
        reap_cache(l, cpu, &l->cache[i], (uint32_t)now_ms);
        km_fn_leave(cpu, l->stack_va[cpu->id], &fn_reap);
    }
    l->reap_node[cpu->id]++;
}

/* Every array of every CPU, then the aliens, then the shared stacks, then all free slabs. */
void km_slab_shrink(struct km_slab_layer *l, struct km_cpu *cpu, struct km_kmem_cache *c)
{
    unsigned nodes = km_slab_nodes(l);

    for (unsigned i = 0; i < l->os->p.cpus; i++)
        drain_array(l, cpu, c, km_slab_cpu_array(l, c, i), km_slab_cpu_node(l, i), true);
    for (unsigned node = 0; node < nodes; node++)
        for (unsigned other = 0; other < nodes; other++)
            drain_alien(l, cpu, c, c->slab.node_va[node], other, true);
    for (unsigned node = 0; node < nodes; node++) {
        km_vaddr n = c->slab.node_va[node];

        drain_array(l, cpu, c, km_ld32(cpu, n + KM_SLABN_SHARED), node, true);
        drain_free(l, cpu, c, n, UINT32_MAX);
    }
}
