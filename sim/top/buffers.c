/* SPDX-License-Identifier: MIT
 * buffers.c - what a CPU has under way beside the reference it waits for: stores in the store
 * buffer and lines in fill buffers.
 *
 * Models:      a store that misses holds the CPU until its snoop result; from then on the line is
 *              owned, its data are on their way, and the store waits in the buffer until they are
 *              there. Later references to a line under way wait for it (merge in its fill buffer),
 *              except loads whose bytes one buffered store supplies (forwarding) and further
 *              stores. A full buffer waits for its oldest entry. LOCKed references, fences and
 *              uncached references wait for all stores (Intel SDM vol. 3A 11.10).
 * Not modelled: hiding the time up to the snoop result: other CPUs must not be seen later than they
 *              act (core.h), so nothing of this CPU may pass its own snoop.
 * Invariants:  entries whose time has come are as good as gone; a line under way is never filtered.
 */
#include "sim/top/core.h"

#include "models/base/bits.h"

static void forget_done(struct km_node *n)
{
    unsigned kept = 0;

    for (unsigned i = 0; i < n->nr_fills; i++)
        if (n->fill[i].done > n->cpu.local_cycles)
            n->fill[kept++] = n->fill[i];
    n->nr_fills = kept;
    kept = 0;
    for (unsigned i = 0; i < n->nr_stores; i++)
        if (n->store[i].done > n->cpu.local_cycles)
            n->store[kept++] = n->store[i];
    n->nr_stores = kept;
}

uint64_t km_core_fill_done(const struct km_node *n, uint64_t line)
{
    for (unsigned i = 0; i < n->nr_fills; i++)
        if (n->fill[i].line == line && n->fill[i].done > n->cpu.local_cycles)
            return n->fill[i].done;
    return 0;
}

bool km_core_fill_room(struct km_node *n)
{
    forget_done(n);
    return n->nr_fills < n->core->fill_buffers;
}

void km_core_add_fill(struct km_node *n, uint64_t line, uint64_t done)
{
    while (!km_core_fill_room(n)) {
        uint64_t first = KM_NEVER;

        for (unsigned i = 0; i < n->nr_fills; i++)
            first = km_min_u64(first, n->fill[i].done);
        n->cpu.local_cycles = first;
        n->buffers.fill_full++;
    }
    if (done > n->cpu.local_cycles)
        n->fill[n->nr_fills++] = (struct km_fill){line, done};
}

void km_core_add_store(struct km_node *n, km_paddr pa, uint32_t bytes, uint64_t done)
{
    forget_done(n);
    while (n->nr_stores >= n->core->store_entries) {
        n->cpu.local_cycles = km_max_u64(n->cpu.local_cycles, n->store[0].done);
        n->buffers.store_full++;
        forget_done(n);
    }
    /* Stores leave in order: none before the ones in front of it. */
    if (n->nr_stores)
        done = km_max_u64(done, n->store[n->nr_stores - 1].done);
    n->buffers.stores++;
    if (done > n->cpu.local_cycles)
        n->store[n->nr_stores++] = (struct km_store){pa, bytes, done};
}

void km_core_drain_stores(struct km_node *n)
{
    for (unsigned i = 0; i < n->nr_stores; i++)
        n->cpu.local_cycles = km_max_u64(n->cpu.local_cycles, n->store[i].done);
    n->nr_stores = 0;
}

bool km_core_forward(struct km_node *n, km_paddr pa, uint32_t bytes)
{
    for (unsigned i = n->nr_stores; i-- > 0;) {
        const struct km_store *s = &n->store[i];

        if (s->done <= n->cpu.local_cycles || pa >= s->pa + s->bytes || s->pa >= pa + bytes)
            continue;
        bool whole = pa >= s->pa && pa + bytes <= s->pa + s->bytes;

        n->buffers.forwards += whole;
        n->buffers.forward_blocks += !whole;
        return whole;
    }
    return false;
}

void km_core_wait_fill(struct km_node *n, uint64_t line)
{
    uint64_t done = km_core_fill_done(n, line);

    if (!done)
        return;
    n->buffers.merges++;
    n->cpu.local_cycles = done;
}
