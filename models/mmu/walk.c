/* SPDX-License-Identifier: MIT
 * walk.c - see walk.h.
 */
#include "models/mmu/walk.h"

#include "models/base/x86_paging.h"

struct walk {
    const struct km_walk_ops *ops;
    void *ctx;
    uint32_t entry_bytes;
    unsigned refs;
};

static uint64_t load(struct walk *w, km_paddr pa)
{
    w->refs++;
    return w->ops->load(w->ctx, pa, w->entry_bytes);
}

/* Sets what is missing of `bits` in the entry. */
static uint64_t mark(struct walk *w, km_paddr pa, uint64_t entry, uint32_t bits)
{
    if ((entry & bits) == bits)
        return entry;
    w->refs++;
    return w->ops->set_bits(w->ctx, pa, w->entry_bytes, bits);
}

static unsigned finish(struct walk *w, km_paddr at, uint64_t entry, unsigned shift, bool rw,
                       bool write, struct km_walk_result *out)
{
    bool writable = rw && (entry & KM_PTE_RW);

    out->refs = w->refs;
    if (write && !writable)
        return KM_FAULT_PROTECTION;
    entry = mark(w, at, entry, write ? KM_PTE_A | KM_PTE_D : KM_PTE_A);
    out->page_pa = entry & KM_PTE_FRAME_MASK & ~((1ull << shift) - 1);
    out->shift = (uint8_t)shift;
    out->writable = writable;
    out->dirty = entry & KM_PTE_D;
    out->global = entry & KM_PTE_G;
    out->refs = w->refs;
    return KM_FAULT_NONE;
}

unsigned km_walk(const struct km_walk_ops *ops, void *ctx, bool pae, km_paddr cr3, km_vaddr va,
                 bool write, struct km_walk_result *out)
{
    struct walk w = {ops, ctx, pae ? 8 : 4, 0};
    unsigned large_shift = km_large_shift(pae);
    uint32_t index_mask = pae ? 511 : 1023;
    km_paddr table = cr3 & ~(km_paddr)(pae ? 31 : KM_PAGE_BYTES - 1);

    *out = (struct km_walk_result){0};
    if (pae) {
        uint64_t pdpte = load(&w, table + (va >> 30) * 8);

        out->refs = w.refs;
        if (!(pdpte & KM_PTE_P))
            return KM_FAULT_NOT_PRESENT;
        table = pdpte & KM_PTE_FRAME_MASK;
    }
    km_paddr at = table + (va >> large_shift & index_mask) * w.entry_bytes;
    uint64_t entry = load(&w, at);

    out->refs = w.refs;
    if (!(entry & KM_PTE_P))
        return KM_FAULT_NOT_PRESENT;
    if (entry & KM_PTE_PS)
        return finish(&w, at, entry, large_shift, true, write, out);

    bool rw = entry & KM_PTE_RW;
    km_paddr leaf_at =
        (entry & KM_PTE_FRAME_MASK) + (va >> KM_PAGE_SHIFT & index_mask) * w.entry_bytes;

    mark(&w, at, entry, KM_PTE_A);
    entry = load(&w, leaf_at);
    out->refs = w.refs;
    if (!(entry & KM_PTE_P))
        return KM_FAULT_NOT_PRESENT;
    return finish(&w, leaf_at, entry, KM_PAGE_SHIFT, rw, write, out);
}
