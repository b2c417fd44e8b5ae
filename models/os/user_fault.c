/* SPDX-License-Identifier: MIT
 * user_fault.c - page tables of a process and the page-fault handler.
 *
 * Tables are low-memory pages reached through the linear map (no HIGHPTE). Two-level: one directory page
 * whose kernel half is copied at the start. PAE: four PDPTEs in a page and three directories made with
 * the process, the fourth shared with the kernel. A table of entries is made on the first touch of its
 * region (4 or 2 MiB). Instruction counts are estimates: the captures hold no record of the fault path.
 */
#include "models/os/user_mm_priv.h"

#include "models/base/bug.h"
#include "models/base/x86_paging.h"
#include "models/os/kfn.h"
#include "models/os/page_alloc.h"

#include <string.h>

#define PTE_USER (KM_PTE_P | KM_PTE_US | KM_PTE_A)
#define TABLE_USER (KM_PTE_TABLE | KM_PTE_US)

static const struct km_fn fn_entry = {{"asm_exc_page_fault", 0xc1a00b80, 64}, 90, 18, 18};
static const struct km_fn fn_fault = {{"handle_mm_fault", 0xc1247c00, 2048}, 420, 44, 60};
static const struct km_fn fn_table = {{"__pte_alloc", 0xc1245300, 160}, 60, 8, 10};
static const struct km_fn fn_zap = {{"unmap_page_range", 0xc12446a0, 1536}, 24, 4, 8};

static unsigned entry_bytes(const struct km_user_mm *mm)
{
    return mm->p.pae ? 8 : 4;
}

static unsigned table_shift(const struct km_user_mm *mm)
{
    return km_large_shift(mm->p.pae);
}

static km_vaddr table_va(const struct km_user_mm *mm, km_pfn pfn)
{
    return km_pfn_to_va(mm->sys->os, pfn);
}

static km_pfn frame_of(uint64_t entry)
{
    return (km_pfn)((entry & KM_PTE_FRAME_MASK) >> KM_PAGE_SHIFT);
}

static uint64_t peek(const struct km_user_mm *mm, const uint8_t *window, km_vaddr at)
{
    uint64_t low = km_peek32(window, at);

    return mm->p.pae ? low | (uint64_t)km_peek32(window, at + 4) << 32 : low;
}

static uint64_t load(const struct km_user_mm *mm, struct km_cpu *cpu, km_vaddr at)
{
    uint64_t low = km_ld32(cpu, at);

    return mm->p.pae ? low | (uint64_t)km_ld32(cpu, at + 4) << 32 : low;
}

static void store(const struct km_user_mm *mm, struct km_cpu *cpu, km_vaddr at, uint64_t v)
{
    if (!(v & KM_PTE_P)) { /* the present bit goes first */
        km_st32(cpu, at, (uint32_t)v);
        if (mm->p.pae)
            km_st32(cpu, at + 4, (uint32_t)(v >> 32));
        return;
    }
    if (mm->p.pae)
        km_st32(cpu, at + 4, (uint32_t)(v >> 32));
    km_st32(cpu, at, (uint32_t)v);
}

static km_pfn new_table(struct km_user_mm *mm, struct km_cpu *cpu)
{
    km_pfn pfn = km_alloc_pages(mm->sys->os, cpu, KM_GFP_PGTABLE_USER, 0);

    if (pfn == KM_PFN_NONE)
        return pfn;
    memset(cpu->window + table_va(mm, pfn), 0, KM_PAGE_BYTES);
    mm->stats.table_pages_allocated++;
    return pfn;
}

/* Address of the directory entry of va. A process has all its directories from the start. */
static km_vaddr directory_at(const struct km_user_mm *mm, const uint8_t *window, km_vaddr va)
{
    km_pfn directory = mm->root;

    if (!mm->p.pae)
        return table_va(mm, directory) + (va >> KM_LARGE_SHIFT_2LEVEL) * 4;
    directory = frame_of(peek(mm, window, table_va(mm, mm->root) + (va >> 30) * 8));
    return table_va(mm, directory) + (va >> KM_LARGE_SHIFT_PAE & 511u) * 8;
}

static km_vaddr entry_at(const struct km_user_mm *mm, uint64_t directory, km_vaddr va)
{
    uint32_t mask = mm->p.pae ? 511u : 1023u;

    return table_va(mm, frame_of(directory)) + (va >> KM_PAGE_SHIFT & mask) * entry_bytes(mm);
}

/* Address of the entry of va, 0 if its table does not exist. Untimed. */
static km_vaddr find_entry(const struct km_user_mm *mm, const uint8_t *window, km_vaddr va)
{
    uint64_t directory = peek(mm, window, directory_at(mm, window, va));

    return directory & KM_PTE_P ? entry_at(mm, directory, va) : 0;
}

static km_vaddr make_entry(struct km_user_mm *mm, struct km_cpu *cpu, km_vaddr va)
{
    km_vaddr at = directory_at(mm, cpu->window, va);
    uint64_t directory = load(mm, cpu, at);

    if (!(directory & KM_PTE_P)) {
        km_fn_enter(cpu, mm->mm_va + KM_PAGE_BYTES, &fn_table);
        km_pfn pfn = new_table(mm, cpu);

        if (pfn == KM_PFN_NONE)
            return 0;
        directory = (uint64_t)pfn << KM_PAGE_SHIFT | TABLE_USER;
        store(mm, cpu, at, directory);
        km_mm_add(mm, cpu, KM_MM_TABLES, 1);
        km_fn_leave(cpu, mm->mm_va + KM_PAGE_BYTES, &fn_table);
    }
    return entry_at(mm, directory, va);
}

/* The kernel's own mappings: directory entries of its half, or its directory as a whole. */
static void copy_kernel_half(struct km_user_mm *mm, struct km_cpu *cpu)
{
    const struct km_os *os = mm->sys->os;
    km_vaddr to = table_va(mm, mm->root);
    uint32_t bytes, offset;

    if (mm->p.kernel_root == KM_PFN_NONE)
        return;
    offset = mm->p.pae ? (os->p.page_offset >> 30) * 8 : (os->p.page_offset >> KM_LARGE_SHIFT_2LEVEL) * 4;
    bytes = (mm->p.pae ? 4 * 8 : KM_PAGE_BYTES) - offset;
    km_touch(cpu, table_va(mm, mm->p.kernel_root) + offset, bytes, KM_REF_LOAD);
    km_touch(cpu, to + offset, bytes, KM_REF_STORE);
    memcpy(cpu->window + to + offset, cpu->window + table_va(mm, mm->p.kernel_root) + offset, bytes);
}

bool km_user_tables_init(struct km_user_mm *mm, struct km_cpu *cpu)
{
    mm->root = new_table(mm, cpu);
    if (mm->root == KM_PFN_NONE)
        return false;
    for (unsigned i = 0; mm->p.pae && i < mm->sys->os->p.page_offset >> 30; i++) {
        km_pfn pfn = new_table(mm, cpu);

        if (pfn == KM_PFN_NONE) {
            km_user_tables_exit(mm, cpu);
            return false;
        }
        store(mm, cpu, table_va(mm, mm->root) + i * 8, (uint64_t)pfn << KM_PAGE_SHIFT | KM_PTE_P);
    }
    copy_kernel_half(mm, cpu);
    return true;
}

void km_user_tables_exit(struct km_user_mm *mm, struct km_cpu *cpu)
{
    for (unsigned i = 0; mm->p.pae && i < mm->sys->os->p.page_offset >> 30; i++) {
        uint64_t entry = load(mm, cpu, table_va(mm, mm->root) + i * 8);

        if (!(entry & KM_PTE_P))
            continue;
        km_free_pages(mm->sys->os, cpu, frame_of(entry), 0);
        mm->stats.table_pages_freed++;
    }
    km_free_pages(mm->sys->os, cpu, mm->root, 0);
    mm->stats.table_pages_freed++;
    mm->root = KM_PFN_NONE;
}

/* First address behind the table that holds the entry of va. */
static uint64_t table_end(const struct km_user_mm *mm, uint64_t va)
{
    uint64_t bytes = 1ull << table_shift(mm);

    return (va & ~(bytes - 1)) + bytes;
}

static void zap_entry(struct km_user_mm *mm, struct km_cpu *cpu, struct km_gather *g, km_vaddr at,
                      km_vaddr va)
{
    uint64_t entry = load(mm, cpu, at);
    km_pfn pfn = frame_of(entry);

    if (!(entry & KM_PTE_P))
        return;
    km_exec(cpu, &fn_zap.site, fn_zap.insns);
    store(mm, cpu, at, 0);
    km_invlpg(cpu, va);
    km_hook_unmap(&mm->p.hook, va, 1);
    if (pfn == mm->sys->zero_pfn)
        return;
    km_mm_add(mm, cpu, KM_MM_RSS, -1);
    mm->stats.pages_freed++;
    km_gather_add(g, cpu, pfn);
}

void km_user_zap(struct km_user_mm *mm, struct km_cpu *cpu, struct km_gather *g, km_vaddr start,
                 uint64_t end)
{
    uint64_t va = start;

    km_lock(cpu, mm->mm_va + KM_MM_PTL);
    while (va < end) {
        uint64_t stop = table_end(mm, va) < end ? table_end(mm, va) : end;
        uint64_t directory = load(mm, cpu, directory_at(mm, cpu->window, (km_vaddr)va));

        for (; directory & KM_PTE_P && va < stop; va += KM_PAGE_BYTES)
            zap_entry(mm, cpu, g, entry_at(mm, directory, (km_vaddr)va), (km_vaddr)va);
        va = stop;
    }
    km_unlock(cpu, mm->mm_va + KM_MM_PTL);
}

void km_user_free_tables(struct km_user_mm *mm, struct km_cpu *cpu, struct km_gather *g,
                         km_vaddr start, uint64_t end, uint64_t floor, uint64_t ceiling)
{
    uint64_t bytes = 1ull << table_shift(mm);

    for (uint64_t va = start & ~(bytes - 1); va < end; va += bytes) {
        if (va < floor || va + bytes > ceiling)
            continue;
        km_vaddr at = directory_at(mm, cpu->window, (km_vaddr)va);
        uint64_t directory = load(mm, cpu, at);

        if (!(directory & KM_PTE_P))
            continue;
        store(mm, cpu, at, 0);
        km_mm_add(mm, cpu, KM_MM_TABLES, -1);
        mm->stats.table_pages_freed++;
        km_gather_add(g, cpu, frame_of(directory));
    }
}

void km_user_protect(struct km_user_mm *mm, struct km_cpu *cpu, km_vaddr start, uint64_t end,
                     unsigned prot)
{
    for (uint64_t va = start; va < end; va += KM_PAGE_BYTES) {
        km_vaddr at = find_entry(mm, cpu->window, (km_vaddr)va);

        if (!at) {
            va = table_end(mm, va) - KM_PAGE_BYTES;
            continue;
        }
        uint64_t entry = load(mm, cpu, at);

        if (!(entry & KM_PTE_P))
            continue;
        uint64_t now = entry & ~(uint64_t)(KM_PTE_RW | KM_PTE_US);

        now |= prot ? KM_PTE_US : 0;
        if (prot & KM_PROT_WRITE && frame_of(entry) != mm->sys->zero_pfn)
            now |= KM_PTE_RW | KM_PTE_D; /* exclusive anonymous pages need no write fault */
        if (now != entry) {
            store(mm, cpu, at, now);
            km_invlpg(cpu, (km_vaddr)va);
        }
    }
}

bool km_user_move(struct km_user_mm *mm, struct km_cpu *cpu, km_vaddr from, km_vaddr to, uint64_t len)
{
    for (uint64_t o = 0; o < len; o += KM_PAGE_BYTES) {
        km_vaddr src = find_entry(mm, cpu->window, (km_vaddr)(from + o));
        uint64_t entry = src ? load(mm, cpu, src) : 0;

        if (!(entry & KM_PTE_P))
            continue;
        km_vaddr dst = make_entry(mm, cpu, (km_vaddr)(to + o));

        if (!dst)
            return false;
        store(mm, cpu, src, 0);
        km_invlpg(cpu, (km_vaddr)(from + o));
        km_hook_unmap(&mm->p.hook, (km_vaddr)(from + o), 1);
        store(mm, cpu, dst, entry);
        km_hook_map(&mm->p.hook, (km_vaddr)(to + o), frame_of(entry), 1);
    }
    return true;
}

static bool give_page(struct km_user_mm *mm, struct km_cpu *cpu, km_vaddr at, km_vaddr page)
{
    km_pfn pfn = km_alloc_pages(mm->sys->os, cpu, KM_GFP_HIGHUSER_MOVABLE | KM_GFP_ZERO, 0);

    if (pfn == KM_PFN_NONE)
        return false;
    store(mm, cpu, at, (uint64_t)pfn << KM_PAGE_SHIFT | PTE_USER | KM_PTE_RW | KM_PTE_D);
    km_invlpg(cpu, page);
    km_hook_map(&mm->p.hook, page, pfn, 1);
    if (!km_pfn_is_low(mm->sys->os, pfn)) /* clear_highpage; low pages were cleared by the allocator */
        km_touch(cpu, page, KM_PAGE_BYTES, KM_REF_STORE);
    memset(cpu->window + page, 0, KM_PAGE_BYTES);
    km_mm_add(mm, cpu, KM_MM_RSS, 1);
    mm->stats.pages_allocated++;
    uint32_t rss = km_peek32(cpu->window, mm->mm_va + KM_MM_RSS);

    if (rss > mm->stats.peak_rss_pages)
        mm->stats.peak_rss_pages = rss;
    return true;
}

static bool kill(struct km_user_mm *mm, uint64_t *why)
{
    ++*why;
    mm->killed = true;
    return false;
}

static bool serve(struct km_user_mm *mm, struct km_cpu *cpu, km_vaddr page, bool write)
{
    km_vaddr at = make_entry(mm, cpu, page);

    if (!at)
        return kill(mm, &mm->stats.oom);
    uint64_t entry = load(mm, cpu, at);

    if (entry & KM_PTE_P && frame_of(entry) != mm->sys->zero_pfn) { /* protection was taken away before */
        store(mm, cpu, at, entry | PTE_USER | (write ? KM_PTE_RW | KM_PTE_D : 0));
        km_invlpg(cpu, page);
        mm->stats.faults_spurious++;
        return true;
    }
    if (!write) {
        store(mm, cpu, at, (uint64_t)mm->sys->zero_pfn << KM_PAGE_SHIFT | PTE_USER);
        km_hook_map(&mm->p.hook, page, mm->sys->zero_pfn, 1);
        if (!mm->p.hook.map) /* without a window every address has memory of its own */
            memset(cpu->window + page, 0, KM_PAGE_BYTES);
        mm->stats.faults_zero_page++;
        return true;
    }
    uint64_t *count = entry & KM_PTE_P ? &mm->stats.faults_cow : &mm->stats.faults_alloc;

    if (!give_page(mm, cpu, at, page))
        return kill(mm, &mm->stats.oom);
    ++*count;
    return true;
}

static bool fault(struct km_user_mm *mm, struct km_cpu *cpu, km_vaddr va, bool write)
{
    km_vaddr stack = mm->mm_va + KM_PAGE_BYTES;
    bool ok;

    km_fn_enter(cpu, stack, &fn_entry);
    km_fn_enter(cpu, stack, &fn_fault);
    km_lock(cpu, mm->mm_va + KM_MM_LOCK);
    km_vaddr area = km_user_find(mm, cpu, va);

    if (!area)
        ok = kill(mm, &mm->stats.segv);
    else if (km_ld32(cpu, area + KM_AREA_START) > va && !km_user_expand_stack(mm, cpu, area, va))
        ok = kill(mm, &mm->stats.segv);
    else if (!(km_ld32(cpu, area + KM_AREA_FLAGS) & (write ? KM_PROT_WRITE : KM_AREA_PROT)))
        ok = kill(mm, &mm->stats.segv);
    else
        ok = serve(mm, cpu, va & ~(KM_PAGE_BYTES - 1), write);
    km_unlock(cpu, mm->mm_va + KM_MM_LOCK);
    km_fn_leave(cpu, stack, &fn_fault);
    km_fn_leave(cpu, stack, &fn_entry);
    return ok;
}

bool km_user_access(struct km_user_mm *mm, struct km_cpu *cpu, km_vaddr va, uint32_t bytes, bool write)
{
    uint64_t end = (uint64_t)va + bytes;
    const uint64_t need = KM_PTE_P | KM_PTE_US | (write ? KM_PTE_RW : 0);

    if (mm->killed)
        return false;
    for (uint64_t page = va & ~(KM_PAGE_BYTES - 1); page < end; page += KM_PAGE_BYTES) {
        if (page >= KM_TASK_SIZE)
            return kill(mm, &mm->stats.segv);
        km_vaddr at = find_entry(mm, cpu->window, (km_vaddr)page);

        if (at && (peek(mm, cpu->window, at) & need) == need)
            continue;
        if (!fault(mm, cpu, page < va ? va : (km_vaddr)page, write))
            return false;
    }
    return true;
}

/* Unaligned words may cross a line or a page: one range for the port. */
uint32_t km_user_ld32(struct km_user_mm *mm, struct km_cpu *cpu, km_vaddr va)
{
    uint32_t v;

    if (!km_user_access(mm, cpu, va, 4, false))
        return 0;
    if (KM_LIKELY(!(va & 3)))
        return km_ld32(cpu, va);
    km_touch(cpu, va, 4, KM_REF_LOAD);
    memcpy(&v, cpu->window + va, 4);
    return v;
}

void km_user_st32(struct km_user_mm *mm, struct km_cpu *cpu, km_vaddr va, uint32_t v)
{
    if (!km_user_access(mm, cpu, va, 4, true))
        return;
    if (KM_LIKELY(!(va & 3))) {
        km_st32(cpu, va, v);
        return;
    }
    km_touch(cpu, va, 4, KM_REF_STORE);
    memcpy(cpu->window + va, &v, 4);
}

uint16_t km_user_ld16(struct km_user_mm *mm, struct km_cpu *cpu, km_vaddr va)
{
    return km_user_access(mm, cpu, va, 2, false) ? km_ld16(cpu, va) : 0;
}

void km_user_st16(struct km_user_mm *mm, struct km_cpu *cpu, km_vaddr va, uint16_t v)
{
    if (km_user_access(mm, cpu, va, 2, true))
        km_st16(cpu, va, v);
}

void km_user_memset(struct km_user_mm *mm, struct km_cpu *cpu, km_vaddr va, uint8_t v, uint32_t bytes)
{
    while (bytes) {
        uint32_t here = KM_PAGE_BYTES - va % KM_PAGE_BYTES;

        here = here < bytes ? here : bytes;
        if (!km_user_access(mm, cpu, va, here, true))
            return;
        km_touch(cpu, va, here, KM_REF_STORE);
        memset(cpu->window + va, v, here);
        va += here;
        bytes -= here;
    }
}

void km_user_memcpy(struct km_user_mm *mm, struct km_cpu *cpu, km_vaddr to, km_vaddr from, uint32_t bytes)
{
    while (bytes) {
        uint32_t to_left = KM_PAGE_BYTES - to % KM_PAGE_BYTES;
        uint32_t here = KM_PAGE_BYTES - from % KM_PAGE_BYTES;

        here = here < to_left ? here : to_left;
        here = here < bytes ? here : bytes;
        if (!km_user_access(mm, cpu, from, here, false) || !km_user_access(mm, cpu, to, here, true))
            return;
        km_touch(cpu, from, here, KM_REF_LOAD);
        km_touch(cpu, to, here, KM_REF_STORE);
        memmove(cpu->window + to, cpu->window + from, here);
        to += here;
        from += here;
        bytes -= here;
    }
}

km_pfn km_user_frame(const struct km_user_mm *mm, const uint8_t *window, km_vaddr va, bool *writable)
{
    km_vaddr at = va < KM_TASK_SIZE ? find_entry(mm, window, va) : 0;
    uint64_t entry = at ? peek(mm, window, at) : 0;

    if (writable)
        *writable = entry & KM_PTE_P && entry & KM_PTE_RW;
    return entry & KM_PTE_P ? frame_of(entry) : KM_PFN_NONE;
}
