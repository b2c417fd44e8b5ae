/* SPDX-License-Identifier: MIT
 * highmem.c - see highmem.h. kmap_local: recorded calls of __kmap_local_page_prot have 44
 * instructions, 12 loads and 8 stores; the other counts are estimated from the code's size.
 */
#include "models/os/highmem.h"

#include "models/base/bits.h"
#include "models/os/kfn.h"
#include "models/os/list.h"

#include <string.h>

#define SITE(n, va, bytes) .site = {.name = n, .text_va = va, .text_bytes = bytes}

static const struct km_fn fn_kmap = {SITE("kmap_high", 0xc126f820, 608), 60, 8, 8};
static const struct km_fn fn_kunmap = {SITE("kunmap_high", 0xc126ec10, 176), 40, 5, 5};
static const struct km_fn fn_flush = {SITE("flush_all_zero_pkmaps", 0xc126f720, 208), 30, 6, 6};
static const struct km_fn fn_local = {SITE("__kmap_local_page_prot", 0xc126eff0, 96), 44, 6, 8};
static const struct km_fn fn_unlocal = {SITE("kunmap_local_indexed", 0xc126ed60, 272), 50, 6, 6};
static const struct km_site site_address = {"page_address", 0xc126eb30, 224};

/* One entry of the page address table. */
enum { PAM_LIST = 0, PAM_PAGE = 8, PAM_VIRTUAL = 12, PAM_BYTES = 16 };

#define ATOMIC_BIT 0x80000000u /* in a task's entry: opened by kmap_atomic */

bool km_highmem_init(struct km_highmem *h, struct km_os *os, struct km_cpu *cpu,
                     const struct km_highmem_params *p)
{
    uint32_t slots = p->pkmap_slots;

    memset(h, 0, sizeof(*h));
    h->os = os;
    h->p = *p;
    h->count_va = km_kzalloc(p->slab, cpu, 4 * slots, KM_GFP_KERNEL);
    h->map_va = km_kzalloc(p->slab, cpu, PAM_BYTES * slots, KM_GFP_KERNEL);
    h->hash_va = km_kzalloc(p->slab, cpu, 8 * KM_PKMAP_HASH, KM_GFP_KERNEL);
    h->last_va = km_os_static_alloc(os, 8, 8);
    h->lock_va = h->last_va + 4;
    if (!h->count_va || !h->map_va || !h->hash_va)
        return false;
    memset(cpu->window + h->count_va, 0, 4 * slots);
    km_st32(cpu, h->last_va, 0);
    km_st32(cpu, h->lock_va, 0);
    for (uint32_t i = 0; i < KM_PKMAP_HASH; i++)
        km_list_init(cpu, h->hash_va + 8 * i);
    return true;
}

static enum km_kmap_result misuse(struct km_highmem *h, const struct km_cpu *cpu,
                                  enum km_kmap_result what, km_vaddr va)
{
    h->stats.misuse[what]++;
    if (h->p.misuse)
        h->p.misuse(h->p.ctx, cpu, what, va);
    return what;
}

static void flush(struct km_highmem *h, struct km_cpu *cpu, km_vaddr lo, km_vaddr hi)
{
    if (h->p.flush_tlb) {
        h->p.flush_tlb(h->p.ctx, cpu, lo, hi);
        return;
    }
    km_tlb_shootdown(cpu, KM_CPUS_ALL, lo, hi);
}

static bool set_entry(struct km_highmem *h, struct km_cpu *cpu, km_vaddr va, km_pfn pfn)
{
    if (h->p.pt && !km_pgtable_map(h->p.pt, cpu, va, pfn))
        return false;
    km_hook_map(&h->p.hook, va, pfn, 1);
    return true;
}

static void clear_entry(struct km_highmem *h, struct km_cpu *cpu, km_vaddr va)
{
    if (h->p.pt)
        km_pgtable_unmap(h->p.pt, cpu, va);
    km_hook_unmap(&h->p.hook, va, 1);
}

/* ---- pkmap ---------------------------------------------------------------------------------- */

static km_vaddr bucket(const struct km_highmem *h, km_vaddr page)
{
    return h->hash_va + 8 * (page * 0x61c88647u >> (32 - km_log2(KM_PKMAP_HASH)));
}

/* Slot of the page, or KM_PFN_NONE. */
static uint32_t slot_of(struct km_highmem *h, struct km_cpu *cpu, km_vaddr page)
{
    km_vaddr head = bucket(h, page);

    km_exec(cpu, &site_address, 25);
    for (km_vaddr at = km_list_first(cpu, head); at != head; at = km_ld32(cpu, at + KM_LIST_NEXT))
        if (km_ld32(cpu, at + PAM_PAGE) == page)
            return (km_ld32(cpu, at + PAM_VIRTUAL) - h->p.pkmap_base) >> KM_PAGE_SHIFT;
    return KM_PFN_NONE;
}

km_vaddr km_highmem_page_address(struct km_highmem *h, struct km_cpu *cpu, km_pfn pfn)
{
    if (km_pfn_is_low(h->os, pfn))
        return km_pfn_to_va(h->os, pfn);
    uint32_t slot = slot_of(h, cpu, km_page_va(h->os, pfn));

    return slot == KM_PFN_NONE ? 0 : h->p.pkmap_base + slot * KM_PAGE_BYTES;
}

static void flush_unused(struct km_highmem *h, struct km_cpu *cpu)
{
    km_vaddr stack = h->p.slab->stack_va[cpu->id];
    uint32_t gone = 0;

    km_fn_enter(cpu, stack, &fn_flush);
    for (uint32_t i = 0; i < h->p.pkmap_slots; i++) {
        km_exec(cpu, &fn_flush.site, 4);
        if (km_ld32(cpu, h->count_va + 4 * i) != 1)
            continue;
        km_st32(cpu, h->count_va + 4 * i, 0);
        clear_entry(h, cpu, h->p.pkmap_base + i * KM_PAGE_BYTES);
        km_list_del(cpu, h->map_va + PAM_BYTES * i + PAM_LIST);
        gone++;
    }
    if (gone) {
        flush(h, cpu, h->p.pkmap_base, h->p.pkmap_base + h->p.pkmap_slots * KM_PAGE_BYTES);
        h->stats.flushes++;
        h->stats.flushed_slots += gone;
    }
    km_fn_leave(cpu, stack, &fn_flush);
}

void km_kmap_flush_unused(struct km_highmem *h, struct km_cpu *cpu)
{
    km_lock(cpu, h->lock_va);
    flush_unused(h, cpu);
    km_unlock(cpu, h->lock_va);
}

/* A free slot after the last one, flushing at the wrap; KM_PFN_NONE: a whole turn found none. */
static uint32_t next_slot(struct km_highmem *h, struct km_cpu *cpu)
{
    uint32_t last = km_ld32(cpu, h->last_va);

    for (uint32_t left = h->p.pkmap_slots; left; left--) {
        last = (last + 1) % h->p.pkmap_slots;
        km_exec(cpu, &fn_kmap.site, 5);
        if (last == 0) {
            flush_unused(h, cpu);
            left = h->p.pkmap_slots;
        }
        if (km_ld32(cpu, h->count_va + 4 * last))
            continue;
        km_st32(cpu, h->last_va, last);
        return last;
    }
    km_st32(cpu, h->last_va, last);
    return KM_PFN_NONE;
}

static enum km_kmap_result map_slot(struct km_highmem *h, struct km_cpu *cpu, km_pfn pfn,
                                    uint32_t *slot)
{
    km_vaddr page = km_page_va(h->os, pfn);

    *slot = next_slot(h, cpu);
    if (*slot == KM_PFN_NONE)
        return KM_KMAP_WOULD_SLEEP;
    km_vaddr va = h->p.pkmap_base + *slot * KM_PAGE_BYTES, pam = h->map_va + PAM_BYTES * *slot;

    if (!set_entry(h, cpu, va, pfn))
        return KM_KMAP_NO_TABLE;
    km_st32(cpu, h->count_va + 4 * *slot, 1);
    km_st32(cpu, pam + PAM_PAGE, page);
    km_st32(cpu, pam + PAM_VIRTUAL, va);
    km_list_add_tail(cpu, pam + PAM_LIST, bucket(h, page));
    return KM_KMAP_OK;
}

km_vaddr km_kmap(struct km_highmem *h, struct km_cpu *cpu, km_vaddr task, km_pfn pfn,
                 bool in_interrupt, enum km_kmap_result *why)
{
    km_vaddr stack = h->p.slab->stack_va[cpu->id], va = 0;

    if (in_interrupt || !km_kmap_may_sleep(cpu, task)) {
        *why = misuse(h, cpu, in_interrupt ? KM_KMAP_IN_INTERRUPT : KM_KMAP_ATOMIC_SLEEP, 0);
        return 0;
    }
    *why = KM_KMAP_OK;
    h->stats.kmaps++;
    if (km_pfn_is_low(h->os, pfn)) {
        h->stats.kmap_low++;
        return km_pfn_to_va(h->os, pfn);
    }
    km_fn_enter(cpu, stack, &fn_kmap);
    km_lock(cpu, h->lock_va);
    uint32_t slot = slot_of(h, cpu, km_page_va(h->os, pfn));

    if (slot != KM_PFN_NONE)
        h->stats.kmap_hits++;
    else
        *why = map_slot(h, cpu, pfn, &slot);
    if (*why == KM_KMAP_OK) {
        km_st32(cpu, h->count_va + 4 * slot, km_ld32(cpu, h->count_va + 4 * slot) + 1);
        va = h->p.pkmap_base + slot * KM_PAGE_BYTES;
    }
    h->stats.would_sleep += *why == KM_KMAP_WOULD_SLEEP;
    km_unlock(cpu, h->lock_va);
    km_fn_leave(cpu, stack, &fn_kmap);
    return va;
}

enum km_kmap_result km_kunmap(struct km_highmem *h, struct km_cpu *cpu, km_pfn pfn,
                              bool in_interrupt)
{
    km_vaddr stack = h->p.slab->stack_va[cpu->id];

    if (in_interrupt)
        return misuse(h, cpu, KM_KMAP_IN_INTERRUPT, 0);
    if (km_pfn_is_low(h->os, pfn)) {
        h->stats.kunmaps++;
        return KM_KMAP_OK;
    }
    km_fn_enter(cpu, stack, &fn_kunmap);
    km_lock(cpu, h->lock_va);
    uint32_t slot = slot_of(h, cpu, km_page_va(h->os, pfn));
    uint32_t count = slot == KM_PFN_NONE ? 0 : km_ld32(cpu, h->count_va + 4 * slot);
    enum km_kmap_result result = count == 2 ? KM_KMAP_WAKE : KM_KMAP_OK;

    if (count < 2) {
        result = misuse(h, cpu, KM_KMAP_NOT_MAPPED, 0);
    } else {
        km_st32(cpu, h->count_va + 4 * slot, count - 1);
        h->stats.kunmaps++;
    }
    km_unlock(cpu, h->lock_va);
    km_fn_leave(cpu, stack, &fn_kunmap);
    return result;
}

/* ---- kmap_local and kmap_atomic ------------------------------------------------------------- */

static km_vaddr local_va(const struct km_highmem *h, const struct km_cpu *cpu, uint32_t index)
{
    return h->p.fixmap_top - (index + KM_KMAP_LOCAL_SLOTS * cpu->id) * KM_PAGE_BYTES;
}

static bool is_local_va(const struct km_highmem *h, km_vaddr va)
{
    uint32_t slots = KM_KMAP_LOCAL_SLOTS * h->os->p.cpus;

    return va < h->p.fixmap_top + KM_PAGE_BYTES &&
           va >= h->p.fixmap_top - (slots - 1) * KM_PAGE_BYTES;
}

static km_vaddr local_map(struct km_highmem *h, struct km_cpu *cpu, km_vaddr task, km_pfn pfn,
                          uint32_t mark, enum km_kmap_result *why)
{
    km_vaddr stack = h->p.slab->stack_va[cpu->id];

    *why = KM_KMAP_OK;
    if (km_pfn_is_low(h->os, pfn)) {
        h->stats.local_low++;
        return km_pfn_to_va(h->os, pfn);
    }
    uint32_t index = km_ld32(cpu, task + KM_KMAP_TASK_IDX);

    if (index >= KM_KMAP_LOCAL_SLOTS) {
        *why = misuse(h, cpu, KM_KMAP_NO_SLOT, 0);
        return 0;
    }
    km_vaddr va = local_va(h, cpu, index);

    km_fn_enter(cpu, stack, &fn_local);
    if (set_entry(h, cpu, va, pfn)) {
        km_st32(cpu, task + KM_KMAP_TASK_IDX, index + 1);
        km_st32(cpu, task + KM_KMAP_TASK_PFN + 4 * index, pfn | mark);
        h->stats.locals++;
        if (index + 1 > h->stats.local_deepest)
            h->stats.local_deepest = index + 1;
    } else {
        *why = KM_KMAP_NO_TABLE;
        va = 0;
    }
    km_fn_leave(cpu, stack, &fn_local);
    return va;
}

static enum km_kmap_result local_unmap(struct km_highmem *h, struct km_cpu *cpu, km_vaddr task,
                                       km_vaddr va, uint32_t mark)
{
    km_vaddr stack = h->p.slab->stack_va[cpu->id];

    va &= ~(KM_PAGE_BYTES - 1);
    if (!is_local_va(h, va)) /* a linear address: nothing was taken */
        return va >= h->os->p.page_offset && km_pfn_is_low(h->os, km_va_to_pfn(h->os, va))
                   ? KM_KMAP_OK
                   : misuse(h, cpu, KM_KMAP_NOT_MAPPED, va);
    uint32_t index = km_ld32(cpu, task + KM_KMAP_TASK_IDX);

    if (!index)
        return misuse(h, cpu, KM_KMAP_UNBALANCED, va);
    index--;
    uint32_t entry = km_ld32(cpu, task + KM_KMAP_TASK_PFN + 4 * index);

    if (va != local_va(h, cpu, index) || (entry & ATOMIC_BIT) != mark)
        return misuse(h, cpu, KM_KMAP_ORDER, va);
    km_fn_enter(cpu, stack, &fn_unlocal);
    clear_entry(h, cpu, va);
    km_invlpg(cpu, va);
    km_st32(cpu, task + KM_KMAP_TASK_PFN + 4 * index, 0);
    km_st32(cpu, task + KM_KMAP_TASK_IDX, index);
    km_fn_leave(cpu, stack, &fn_unlocal);
    return KM_KMAP_OK;
}

km_vaddr km_kmap_local(struct km_highmem *h, struct km_cpu *cpu, km_vaddr task, km_pfn pfn,
                       enum km_kmap_result *why)
{
    return local_map(h, cpu, task, pfn, 0, why);
}

enum km_kmap_result km_kunmap_local(struct km_highmem *h, struct km_cpu *cpu, km_vaddr task,
                                    km_vaddr va)
{
    return local_unmap(h, cpu, task, va, 0);
}

km_vaddr km_kmap_atomic(struct km_highmem *h, struct km_cpu *cpu, km_vaddr task, km_pfn pfn,
                        enum km_kmap_result *why)
{
    km_vaddr va = local_map(h, cpu, task, pfn, ATOMIC_BIT, why);

    if (va) {
        km_vaddr depth = task + KM_KMAP_TASK_ATOMIC;

        km_st32(cpu, depth, km_ld32(cpu, depth) + 1);
        h->stats.atomics++;
    }
    return va;
}

enum km_kmap_result km_kunmap_atomic(struct km_highmem *h, struct km_cpu *cpu, km_vaddr task,
                                     km_vaddr va)
{
    km_vaddr depth = task + KM_KMAP_TASK_ATOMIC;

    if (!km_ld32(cpu, depth))
        return misuse(h, cpu, KM_KMAP_UNBALANCED, va);
    enum km_kmap_result result = local_unmap(h, cpu, task, va, ATOMIC_BIT);

    if (result == KM_KMAP_OK)
        km_st32(cpu, depth, km_ld32(cpu, depth) - 1);
    return result;
}

bool km_kmap_may_sleep(struct km_cpu *cpu, km_vaddr task)
{
    return km_ld32(cpu, task + KM_KMAP_TASK_ATOMIC) == 0;
}

void km_kmap_sched_out(struct km_highmem *h, struct km_cpu *cpu, km_vaddr task)
{
    uint32_t open = km_ld32(cpu, task + KM_KMAP_TASK_IDX);

    for (uint32_t i = 0; i < open; i++) {
        clear_entry(h, cpu, local_va(h, cpu, i));
        km_invlpg(cpu, local_va(h, cpu, i));
    }
}

bool km_kmap_sched_in(struct km_highmem *h, struct km_cpu *cpu, km_vaddr task)
{
    uint32_t open = km_ld32(cpu, task + KM_KMAP_TASK_IDX);

    for (uint32_t i = 0; i < open; i++)
        if (!set_entry(h, cpu, local_va(h, cpu, i),
                       km_ld32(cpu, task + KM_KMAP_TASK_PFN + 4 * i) & ~ATOMIC_BIT))
            return false;
    return true;
}

/* ---- check ---------------------------------------------------------------------------------- */

/* How often the slot's entry is in the hash chain it belongs to. */
static unsigned times_hashed(const struct km_highmem *h, const uint8_t *w, uint32_t slot)
{
    km_vaddr pam = h->map_va + PAM_BYTES * slot;
    km_vaddr head = bucket(h, km_peek32(w, pam + PAM_PAGE));
    unsigned n = 0, steps = 0;

    for (km_vaddr at = km_peek32(w, head); at != head && steps++ <= h->p.pkmap_slots;
         at = km_peek32(w, at + KM_LIST_NEXT))
        n += at == pam + PAM_LIST;
    return n;
}

const char *km_highmem_check(const struct km_highmem *h, const uint8_t *window)
{
    for (uint32_t i = 0; i < h->p.pkmap_slots; i++) {
        km_vaddr va = h->p.pkmap_base + i * KM_PAGE_BYTES, pam = h->map_va + PAM_BYTES * i;
        bool counted = km_peek32(window, h->count_va + 4 * i) != 0;
        km_pfn pfn = h->p.pt ? km_pgtable_peek(h->p.pt, window, va) : KM_PFN_NONE;

        if (counted && times_hashed(h, window, i) != 1)
            return "a mapped slot is not in the hash exactly once";
        if (h->p.pt && counted != (pfn != KM_PFN_NONE))
            return "the count of a slot and its page-table entry disagree";
        if (h->p.pt && counted && km_page_va(h->os, pfn) != km_peek32(window, pam + PAM_PAGE))
            return "a slot maps another page than the hash says";
    }
    return NULL;
}
