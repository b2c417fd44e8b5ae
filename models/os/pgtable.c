/* SPDX-License-Identifier: MIT
 * pgtable.c - see pgtable.h. Entries are written like Linux does: the high half of a PAE entry
 * first, so that the present bit appears last.
 */
#include "models/os/pgtable.h"

#include "models/base/bits.h"
#include "models/base/bug.h"
#include "models/base/x86_paging.h"

#include <string.h>

static km_vaddr table_va(const struct km_pgtable *pt, km_pfn pfn)
{
    return pt->page_offset + (pfn << KM_PAGE_SHIFT);
}

static km_vaddr entry_va(const struct km_pgtable *pt, km_pfn table, uint32_t index)
{
    return table_va(pt, table) + index * (pt->pae ? 8u : 4u);
}

static uint64_t read_entry(const struct km_pgtable *pt, struct km_cpu *cpu, km_vaddr at)
{
    uint64_t low = km_ld32(cpu, at);

    return pt->pae ? low | (uint64_t)km_ld32(cpu, at + 4) << 32 : low;
}

static void write_entry(const struct km_pgtable *pt, struct km_cpu *cpu, km_vaddr at, uint64_t v)
{
    if (pt->pae)
        km_st32(cpu, at + 4, (uint32_t)(v >> 32));
    km_st32(cpu, at, (uint32_t)v);
}

static km_pfn new_table(struct km_pgtable *pt, struct km_cpu *cpu)
{
    km_pfn pfn = pt->get_page(pt->ctx);

    if (pfn == KM_PFN_NONE)
        return pfn;
    km_touch(cpu, table_va(pt, pfn), KM_PAGE_BYTES, KM_REF_STORE);
    memset(cpu->window + table_va(pt, pfn), 0, KM_PAGE_BYTES);
    pt->table_pages++;
    return pfn;
}

static uint32_t directory_index(const struct km_pgtable *pt, km_vaddr va)
{
    return pt->pae ? va >> KM_LARGE_SHIFT_PAE & 511u : va >> KM_LARGE_SHIFT_2LEVEL;
}

static uint32_t page_index(const struct km_pgtable *pt, km_vaddr va)
{
    return va >> KM_PAGE_SHIFT & (pt->pae ? 511u : 1023u);
}

static km_pfn frame_of(uint64_t entry)
{
    return (km_pfn)((entry & KM_PTE_FRAME_MASK) >> KM_PAGE_SHIFT);
}

/* Address of the directory entry of va; 0 if the page source ran dry. */
static km_vaddr directory_entry(struct km_pgtable *pt, struct km_cpu *cpu, km_vaddr va)
{
    km_pfn directory = pt->root;

    if (pt->pae) {
        km_vaddr at = entry_va(pt, pt->root, va >> 30);
        uint64_t entry = read_entry(pt, cpu, at);

        if (!(entry & KM_PTE_P)) {
            directory = new_table(pt, cpu);
            if (directory == KM_PFN_NONE)
                return 0;
            write_entry(pt, cpu, at, ((uint64_t)directory << KM_PAGE_SHIFT) | KM_PTE_P);
        } else {
            directory = frame_of(entry);
        }
    }
    return entry_va(pt, directory, directory_index(pt, va));
}

static bool map_small(struct km_pgtable *pt, struct km_cpu *cpu, km_vaddr va, km_pfn pfn,
                      uint32_t attr)
{
    km_vaddr at = directory_entry(pt, cpu, va);

    if (!at)
        return false;
    uint64_t entry = read_entry(pt, cpu, at);
    km_pfn table = frame_of(entry);

    KM_BUG_ON(entry & KM_PTE_PS);
    if (!(entry & KM_PTE_P)) {
        table = new_table(pt, cpu);
        if (table == KM_PFN_NONE)
            return false;
        write_entry(pt, cpu, at, ((uint64_t)table << KM_PAGE_SHIFT) | KM_PTE_TABLE);
    }
    write_entry(pt, cpu, entry_va(pt, table, page_index(pt, va)),
                ((uint64_t)pfn << KM_PAGE_SHIFT) | KM_PTE_KERNEL | attr);
    return true;
}

static bool map_large(struct km_pgtable *pt, struct km_cpu *cpu, km_vaddr va, uint64_t pa)
{
    km_vaddr at = directory_entry(pt, cpu, va);

    if (!at)
        return false;
    write_entry(pt, cpu, at, pa | KM_PTE_KERNEL | KM_PTE_PS);
    return true;
}

bool km_pgtable_build(struct km_pgtable *pt, struct km_cpu *cpu, bool pae, km_vaddr page_offset,
                      uint64_t lowmem_bytes, km_pfn (*get_page)(void *ctx), void *ctx)
{
    uint64_t large = 1ull << km_large_shift(pae);

    memset(pt, 0, sizeof(*pt));
    pt->pae = pae;
    pt->page_offset = page_offset;
    pt->get_page = get_page;
    pt->ctx = ctx;
    pt->root = new_table(pt, cpu);
    if (pt->root == KM_PFN_NONE)
        return false;
    /* The processor reads PDPTEs when CR3 is written: those of the kernel's half exist from then on. */
    for (uint64_t va = page_offset; pae && va < 1ull << 32; va += 1u << 30)
        if (!directory_entry(pt, cpu, (km_vaddr)va))
            return false;
    for (uint64_t pa = 0; pa < lowmem_bytes;) {
        km_vaddr va = page_offset + (km_vaddr)pa;

        if (pa && !(va & (large - 1)) && !(pa & (large - 1)) && lowmem_bytes - pa >= large) {
            if (!map_large(pt, cpu, va, pa))
                return false;
            pa += large;
        } else {
            if (!map_small(pt, cpu, va, (km_pfn)(pa >> KM_PAGE_SHIFT), 0))
                return false;
            pa += KM_PAGE_BYTES;
        }
    }
    return true;
}

km_paddr km_pgtable_cr3(const struct km_pgtable *pt)
{
    return (km_paddr)pt->root << KM_PAGE_SHIFT;
}

bool km_pgtable_map(struct km_pgtable *pt, struct km_cpu *cpu, km_vaddr va, km_pfn pfn)
{
    return map_small(pt, cpu, va & ~(KM_PAGE_BYTES - 1), pfn, 0);
}

bool km_pgtable_map_attr(struct km_pgtable *pt, struct km_cpu *cpu, km_vaddr va, km_pfn pfn,
                         uint32_t attr)
{
    return map_small(pt, cpu, va & ~(KM_PAGE_BYTES - 1), pfn, attr);
}

bool km_pgtable_unmap(struct km_pgtable *pt, struct km_cpu *cpu, km_vaddr va)
{
    if (pt->pae && !(read_entry(pt, cpu, entry_va(pt, pt->root, va >> 30)) & KM_PTE_P))
        return false;
    uint64_t entry = read_entry(pt, cpu, directory_entry(pt, cpu, va));

    if (!(entry & KM_PTE_P) || (entry & KM_PTE_PS))
        return false;
    km_vaddr at = entry_va(pt, frame_of(entry), page_index(pt, va));

    if (!(read_entry(pt, cpu, at) & KM_PTE_P))
        return false;
    /* Low half first: the entry must lose its present bit before anything else changes. */
    km_st32(cpu, at, 0);
    if (pt->pae)
        km_st32(cpu, at + 4, 0);
    return true;
}

static uint64_t peek_entry(const struct km_pgtable *pt, const uint8_t *window, km_vaddr at)
{
    uint64_t low = km_peek32(window, at);

    return pt->pae ? low | (uint64_t)km_peek32(window, at + 4) << 32 : low;
}

uint64_t km_pgtable_peek_entry(const struct km_pgtable *pt, const uint8_t *window, km_vaddr va)
{
    km_pfn table = pt->root;
    uint64_t entry;

    if (pt->pae) {
        entry = peek_entry(pt, window, entry_va(pt, table, va >> 30));
        if (!(entry & KM_PTE_P))
            return 0;
        table = frame_of(entry);
    }
    entry = peek_entry(pt, window, entry_va(pt, table, directory_index(pt, va)));
    if (!(entry & KM_PTE_P) || (entry & KM_PTE_PS))
        return 0;
    return peek_entry(pt, window, entry_va(pt, frame_of(entry), page_index(pt, va)));
}

km_pfn km_pgtable_peek(const struct km_pgtable *pt, const uint8_t *window, km_vaddr va)
{
    km_pfn table = pt->root;
    uint64_t entry;

    if (pt->pae) {
        entry = peek_entry(pt, window, entry_va(pt, table, va >> 30));
        if (!(entry & KM_PTE_P))
            return KM_PFN_NONE;
        table = frame_of(entry);
    }
    entry = peek_entry(pt, window, entry_va(pt, table, directory_index(pt, va)));
    if (!(entry & KM_PTE_P))
        return KM_PFN_NONE;
    if (entry & KM_PTE_PS) {
        uint32_t in_page = va & ((1u << km_large_shift(pt->pae)) - 1);

        return frame_of(entry) + (in_page >> KM_PAGE_SHIFT);
    }
    entry = peek_entry(pt, window, entry_va(pt, frame_of(entry), page_index(pt, va)));
    return entry & KM_PTE_P ? frame_of(entry) : KM_PFN_NONE;
}
