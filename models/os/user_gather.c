/* SPDX-License-Identifier: MIT
 * user_gather.c - mmu_gather: pages taken out of page tables are freed in batches.
 *
 * Eight pointers fit on the stack, then pages of 1021 pointers are taken (GFP_NOWAIT | NOWARN). When no
 * page is to be had, or nine are full, what is gathered is freed at once. Groups of at most 512 pages go
 * to release_pages, which puts them on a list head first: the last page of a group is freed first.
 */
#include "models/os/user_mm_priv.h"

#include "models/os/page_alloc.h"

#define FLUSH_PAGES 512u

void km_gather_init(struct km_gather *g, struct km_user_mm *mm)
{
    *g = (struct km_gather){.mm = mm};
}

static km_vaddr slot_va(const struct km_gather *g, unsigned batch, unsigned i)
{
    return km_pfn_to_va(g->mm->sys->os, g->batch[batch]) + 12 + i * 4;
}

static void free_group(struct km_gather *g, struct km_cpu *cpu, km_pfn *pfn, unsigned nr)
{
    for (unsigned i = 0; i < nr / 2; i++) {
        km_pfn other = pfn[nr - 1 - i];

        pfn[nr - 1 - i] = pfn[i];
        pfn[i] = other;
    }
    if (nr)
        km_free_pages_batched(g->mm->sys->os, cpu, pfn, nr);
}

static void flush(struct km_gather *g, struct km_cpu *cpu)
{
    const struct km_os *os = g->mm->sys->os;
    km_pfn group[FLUSH_PAGES];

    free_group(g, cpu, g->local, g->nr_local);
    g->nr_local = 0;
    for (unsigned b = 0; b < g->nr_batches; b++) {
        unsigned n = 0;

        for (unsigned i = 0; i < g->nr[b]; i++) {
            group[n++] = km_page_pfn(os, km_ld32(cpu, slot_va(g, b, i)));
            if (n == FLUSH_PAGES || i + 1 == g->nr[b]) {
                free_group(g, cpu, group, n);
                n = 0;
            }
        }
        g->nr[b] = 0;
    }
    g->active = 0;
}

static bool next_batch(struct km_gather *g, struct km_cpu *cpu)
{
    if (g->active < g->nr_batches) { /* kept from before a flush */
        g->active++;
        return true;
    }
    if (g->nr_batches == KM_GATHER_MAX_BATCHES)
        return false;
    km_pfn pfn = km_alloc_pages(g->mm->sys->os, cpu, KM_GFP_NOWAIT | KM_GFP_NOWARN, 0);

    if (pfn == KM_PFN_NONE)
        return false;
    g->mm->stats.gather_pages++;
    km_touch(cpu, km_pfn_to_va(g->mm->sys->os, pfn), 12, KM_REF_STORE);
    g->batch[g->nr_batches] = pfn;
    g->nr[g->nr_batches++] = 0;
    g->active = g->nr_batches;
    return true;
}

void km_gather_add(struct km_gather *g, struct km_cpu *cpu, km_pfn pfn)
{
    bool full;

    if (!g->active) {
        g->local[g->nr_local++] = pfn;
        full = g->nr_local == KM_GATHER_LOCAL;
    } else {
        unsigned b = g->active - 1;

        km_st32(cpu, slot_va(g, b, g->nr[b]++), km_page_va(g->mm->sys->os, pfn));
        full = g->nr[b] == KM_GATHER_BATCH;
    }
    if (full && !next_batch(g, cpu))
        flush(g, cpu);
}

void km_gather_finish(struct km_gather *g, struct km_cpu *cpu)
{
    flush(g, cpu);
    for (unsigned b = 0; b < g->nr_batches; b++)
        km_free_pages(g->mm->sys->os, cpu, g->batch[b], 0);
    g->nr_batches = 0;
}
