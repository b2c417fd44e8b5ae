/* SPDX-License-Identifier: MIT
 * walk.c - see walk.h.
 */
#include "models/mmu/walk.h"

#include "models/base/x86_paging.h"

/* Bits that must be 0. PAE: above 36 address bits (bit 63 is NX or reserved). */
#define PAE_HIGH_RESERVED 0x7ffffff000000000ull
#define PAE_PDPTE_RESERVED 0x1e6ull
#define PAE_LARGE_RESERVED 0x1fe000ull /* bits 20:13 */
#define PSE_LARGE_RESERVED 0x3fe000u   /* bits 21:13 without PSE-36 */
#define PSE36_LARGE_RESERVED 0x3e0000u /* bits 21:17: frames have 36 bits, 16:13 are 35:32 */

struct walk {
    const struct km_walk_ops *ops;
    void *ctx;
    const struct km_walk_mode *mode;
    struct km_walk_access access;
    struct km_walk_result *out;
    uint32_t entry_bytes;
};

static uint64_t load(struct walk *w, km_paddr pa)
{
    w->out->refs++;
    return w->ops->load(w->ctx, pa, w->entry_bytes);
}

/* Sets what is missing of `bits` in the entry. */
static uint64_t mark(struct walk *w, km_paddr pa, uint64_t entry, uint32_t bits)
{
    if ((entry & bits) == bits)
        return entry;
    w->out->refs++;
    return w->ops->set_bits(w->ctx, pa, w->entry_bytes, bits);
}

static bool fault(struct walk *w, uint32_t why)
{
    const struct km_walk_mode *m = w->mode;

    w->out->error = why | (w->access.write ? KM_PF_WRITE : 0) | (w->access.user ? KM_PF_USER : 0) |
                    (w->access.fetch && m->pae && m->nx ? KM_PF_FETCH : 0);
    return false;
}

static uint64_t reserved_bits(const struct km_walk_mode *m, bool large)
{
    if (!m->pae) {
        if (!large)
            return 0;
        return m->pse36 ? PSE36_LARGE_RESERVED : PSE_LARGE_RESERVED;
    }
    return PAE_HIGH_RESERVED | (m->nx ? 0 : KM_PTE_NX) | (large ? PAE_LARGE_RESERVED : 0);
}

bool km_walk_allows(const struct km_walk_mode *mode, const struct km_walk_result *page,
                    struct km_walk_access access)
{
    if (access.user && !page->user)
        return false;
    if (access.write && !page->writable && (access.user || mode->write_protect))
        return false;
    return !(access.fetch && page->no_execute);
}

static km_paddr large_frame(const struct km_walk_mode *m, uint64_t pde, unsigned shift)
{
    km_paddr frame = pde & KM_PTE_FRAME_MASK & ~((1ull << shift) - 1);

    if (!m->pae && m->pse36)
        frame |= (pde >> 13 & 0xf) << 32;
    return frame;
}

/* The leaf entry `entry` at `at` maps the page. */
static bool finish(struct walk *w, km_paddr at, uint64_t entry, unsigned shift)
{
    struct km_walk_result *out = w->out;
    bool large = shift != KM_PAGE_SHIFT;

    if (entry & reserved_bits(w->mode, large))
        return fault(w, KM_PF_PRESENT | KM_PF_RESERVED);
    out->writable &= (entry & KM_PTE_RW) != 0;
    out->user &= (entry & KM_PTE_US) != 0;
    out->no_execute |= w->mode->pae && w->mode->nx && (entry & KM_PTE_NX);
    if (!km_walk_allows(w->mode, out, w->access))
        return fault(w, KM_PF_PRESENT);
    entry = mark(w, at, entry, w->access.write ? KM_PTE_A | KM_PTE_D : KM_PTE_A);
    out->page_pa = large ? large_frame(w->mode, entry, shift) : entry & KM_PTE_FRAME_MASK;
    out->shift = (uint8_t)shift;
    out->dirty = entry & KM_PTE_D;
    out->global = entry & KM_PTE_G;
    /* PCD and PWT are bits 4 and 3; the PAT bit is 12 in a large page's entry. */
    out->pat_index = (uint8_t)((entry >> 3 & 3) | (entry >> (large ? 12 : 7) & 1) << 2);
    return true;
}

/* Address of the page directory, or a fault. */
static bool find_directory(struct walk *w, km_vaddr va, km_paddr *directory)
{
    const struct km_walk_mode *m = w->mode;
    km_paddr table = m->cr3 & ~(km_paddr)(m->pae ? 31 : KM_PAGE_BYTES - 1);

    *directory = table;
    if (!m->pae)
        return true;
    uint64_t pdpte = m->pdpte ? m->pdpte[va >> 30] : load(w, table + (va >> 30) * 8);

    if (!(pdpte & KM_PTE_P))
        return fault(w, 0);
    if (pdpte & (PAE_HIGH_RESERVED | KM_PTE_NX | PAE_PDPTE_RESERVED))
        return fault(w, KM_PF_PRESENT | KM_PF_RESERVED);
    *directory = pdpte & KM_PTE_FRAME_MASK;
    return true;
}

bool km_walk(const struct km_walk_ops *ops, void *ctx, const struct km_walk_mode *mode, km_vaddr va,
             struct km_walk_access access, struct km_walk_result *out)
{
    struct walk w = {ops, ctx, mode, access, out, mode->pae ? 8 : 4};
    unsigned large_shift = km_large_shift(mode->pae);
    uint32_t index_mask = mode->pae ? 511 : 1023, region = va >> large_shift;
    km_paddr directory, at;
    uint64_t pde;

    *out = (struct km_walk_result){.writable = true, .user = true};
    if (!find_directory(&w, va, &directory))
        return false;
    if (!mode->pde_cache || !km_pde_cache_find(mode->pde_cache, region, &pde)) {
        at = directory + (region & index_mask) * w.entry_bytes;
        pde = load(&w, at);
        if (!(pde & KM_PTE_P))
            return fault(&w, 0);
        if (pde & KM_PTE_PS)
            return finish(&w, at, pde, large_shift);
        if (pde & reserved_bits(mode, false))
            return fault(&w, KM_PF_PRESENT | KM_PF_RESERVED);
        pde = mark(&w, at, pde, KM_PTE_A);
        if (mode->pde_cache)
            km_pde_cache_put(mode->pde_cache, region, pde);
    }
    out->writable = pde & KM_PTE_RW;
    out->user = pde & KM_PTE_US;
    out->no_execute = mode->pae && mode->nx && (pde & KM_PTE_NX);
    at = (pde & KM_PTE_FRAME_MASK) + (va >> KM_PAGE_SHIFT & index_mask) * w.entry_bytes;
    uint64_t pte = load(&w, at);

    if (!(pte & KM_PTE_P))
        return fault(&w, 0);
    return finish(&w, at, pte, KM_PAGE_SHIFT);
}
