/* SPDX-License-Identifier: MIT
 * port.c - the timed CPU port: TLBs, page walks, the hot filter, instruction fetch (see core.h,
 * cpu.h).
 *
 * Cost of a data reference: TLB hit free; TLB miss: its fixed part plus the walk's references
 * through L1D; then the load-to-use time of the level that answers (L1: latency for loads, one
 * cycle for stores, lock_cycles for LOCKed ones). Costs of instructions: insns * 100 / issue rate,
 * plus what fetches beyond L1I take.
 */
#include "sim/top/core.h"

#include "models/base/bits.h"
#include "models/base/bug.h"
#include "models/base/x86_paging.h"

#include <string.h>

#define NO_LINE UINT32_MAX

/* ---- hot filter -------------------------------------------------------------------------------
 */

static void replay_hit(struct km_node *n, unsigned slot)
{
    struct km_hot_line *hot = &n->cpu.hot[slot];
    const struct km_hot_info *info = &n->hot_info[slot];

    km_cache_touch(&n->hier.l1d, info->l1_idx);
    if (info->tlb && info->tlb->stamp < hot->stamp)
        info->tlb->stamp = hot->stamp;
    hot->stamp = 0;
}

void km_core_fold_set(struct km_node *n, uint32_t set)
{
    uint32_t ways = n->hier.l1d.ways;
    const int16_t *slots = &n->l1d_hot[set * ways];

    for (;;) {
        int oldest = -1;
        uint32_t pending = 0;

        for (uint32_t way = 0; way < ways; way++) {
            int slot = slots[way];

            if (slot < 0 || !n->cpu.hot[slot].stamp)
                continue;
            pending++;
            if (oldest < 0 || n->cpu.hot[slot].stamp < n->cpu.hot[oldest].stamp)
                oldest = slot;
        }
        if (!pending)
            return;
        replay_hit(n, (unsigned)oldest);
        if (pending == 1)
            return;
    }
}

static void link_translation(struct km_node *n, unsigned slot, struct km_tlb_entry *tlb)
{
    struct km_hot_info *info = &n->hot_info[slot];

    info->tlb = tlb;
    if (!tlb)
        return;
    int16_t *first = &n->tlb_hot[tlb - n->tlb_entry];

    info->prev = -1;
    info->next = *first;
    if (*first >= 0)
        n->hot_info[*first].prev = (int16_t)slot;
    *first = (int16_t)slot;
}

static void unlink_translation(struct km_node *n, unsigned slot)
{
    const struct km_hot_info *info = &n->hot_info[slot];

    if (!info->tlb)
        return;
    if (info->next >= 0)
        n->hot_info[info->next].prev = info->prev;
    if (info->prev >= 0)
        n->hot_info[info->prev].next = info->next;
    else
        n->tlb_hot[info->tlb - n->tlb_entry] = info->next;
}

void km_core_unhot(struct km_node *n, uint32_t l1d_idx)
{
    int slot = n->l1d_hot[l1d_idx];

    if (slot < 0)
        return;
    KM_BUG_ON(n->cpu.hot[slot].stamp);
    unlink_translation(n, (unsigned)slot);
    n->l1d_hot[l1d_idx] = -1;
    n->cpu.hot[slot].vline = NO_LINE;
}

void km_core_unhot_fetch(struct km_node *n, uint32_t l1i_idx)
{
    int slot = n->l1i_hot[l1i_idx];

    if (slot < 0)
        return;
    n->l1i_hot[l1i_idx] = -1;
    if (n->ihot[slot].tlb)
        n->tlb_ihot[n->ihot[slot].tlb - n->tlb_entry]--;
    n->ihot[slot].vline = NO_LINE;
}

static void drop_slot(struct km_node *n, unsigned slot)
{
    uint32_t idx = n->hot_info[slot].l1_idx;

    if (n->cpu.hot[slot].vline == NO_LINE)
        return;
    km_core_fold_set(n, idx / n->hier.l1d.ways);
    km_core_unhot(n, idx);
}

static void make_hot(struct km_node *n, km_vaddr va, uint32_t idx, struct km_tlb_entry *tlb)
{
    uint32_t vline = va >> n->cpu.line_shift;
    unsigned slot = vline % KM_HOT_LINES;
    struct km_hot_line *hot = &n->cpu.hot[slot];
    bool owned = n->hier.l1d.state[idx] == KM_LINE_M && !n->hier.l1d.geom.write_through &&
                 (!tlb || tlb->dirty);
    uint32_t kinds = 1u << KM_REF_LOAD;

    if (n->l1d_tracked[idx])
        return;
    if (owned)
        kinds |= 1u << KM_REF_STORE | (n->core->bus_locks ? 0 : 1u << KM_REF_RMW);
    if (hot->vline == vline && n->hot_info[slot].l1_idx == idx) {
        hot->kinds = kinds;
        if (n->hot_info[slot].tlb != tlb) {
            unlink_translation(n, slot);
            link_translation(n, slot, tlb);
        }
        return;
    }
    drop_slot(n, slot);
    if (n->l1d_hot[idx] >= 0) /* the same line by another virtual address */
        drop_slot(n, (unsigned)n->l1d_hot[idx]);
    *hot = (struct km_hot_line){vline, kinds, 0};
    n->hot_info[slot].l1_idx = idx;
    link_translation(n, slot, tlb);
    n->l1d_hot[idx] = (int16_t)slot;
}

/* A TLB entry is about to go: nothing may bypass the TLB through it any more. */
static void forget_translation(struct km_node *n, const struct km_tlb_entry *e)
{
    size_t at = (size_t)(e - n->tlb_entry);

    while (n->tlb_hot[at] >= 0)
        drop_slot(n, (unsigned)n->tlb_hot[at]);
    for (unsigned slot = 0; n->tlb_ihot[at] && slot < KM_IHOT_LINES; slot++)
        if (n->ihot[slot].vline != NO_LINE && n->ihot[slot].tlb == e)
            km_core_unhot_fetch(n, n->ihot[slot].l1_idx);
}

/* Brings the recency of a set's entries up to date (before one of them is chosen as a victim). */
static void fold_tlb_stamps(struct km_node *n, struct km_tlb_entry *set, uint32_t ways)
{
    for (struct km_tlb_entry *e = set; e < set + ways; e++)
        for (int slot = n->tlb_hot[e - n->tlb_entry]; slot >= 0; slot = n->hot_info[slot].next)
            if (e->stamp < n->cpu.hot[slot].stamp)
                e->stamp = n->cpu.hot[slot].stamp;
}

/* ---- translation ------------------------------------------------------------------------------
 */

static uint64_t walk_load(void *ctx, km_paddr pa, uint32_t bytes)
{
    struct km_node *n = ctx;
    const uint8_t *p = n->core->window->phys + pa;

    if (pa + bytes > n->core->window->ram_bytes)
        km_core_fail(n, KM_E_INPUT, "page table entry at %#llx lies beyond the end of memory",
                     (unsigned long long)pa);
    n->walk_refs++;
    km_core_line(n, pa, KM_ACCESS_LOAD, KM_REF_LOAD);
    uint32_t low = *(const uint32_t *)(const void *)p;

    return bytes == 4 ? low : low | (uint64_t) * (const uint32_t *)(const void *)(p + 4) << 32;
}

static uint64_t walk_set_bits(void *ctx, km_paddr pa, uint32_t bytes, uint32_t bits)
{
    struct km_node *n = ctx;
    uint8_t *p = n->core->window->phys + pa;

    n->walk_refs++;
    km_core_line(n, pa, KM_ACCESS_STORE, KM_REF_RMW);
    *(uint32_t *)(void *)p |= bits;
    uint32_t low = *(uint32_t *)(void *)p;

    return bytes == 4 ? low : low | (uint64_t) * (uint32_t *)(void *)(p + 4) << 32;
}

static const struct km_walk_ops walk_ops = {walk_load, walk_set_bits};

static struct km_tlb_entry *fill_tlb(struct km_node *n, struct km_tlb *tlb, km_vaddr va,
                                     const struct km_walk_result *w)
{
    uint32_t ways;
    struct km_tlb_entry *set = km_tlb_set(tlb, va, w->shift, &ways);

    fold_tlb_stamps(n, set, ways);
    struct km_tlb_entry *e = km_tlb_victim(tlb, va, w->shift);

    forget_translation(n, e);
    *e = (struct km_tlb_entry){
        .vpn = va >> w->shift,
        .frame = w->page_pa >> w->shift,
        .stamp = n->cpu.local_cycles,
        .shift = w->shift,
        .writable = w->writable,
        .dirty = w->dirty,
        .global = w->global,
    };
    return e;
}

static void walk(struct km_node *n, km_vaddr va, bool write, struct km_walk_result *w)
{
    unsigned fault = km_walk(&walk_ops, n, n->core->pae, n->cr3, va, write, w);

    if (!fault)
        return;
    n->core->page_faults++;
    km_core_fail(n, KM_E_INPUT, "page fault at guest address %#x (%s, %s)", va,
                 fault == KM_FAULT_NOT_PRESENT ? "not present" : "not writable",
                 write ? "write" : "read");
}

static struct km_tlb_entry *miss(struct km_node *n, struct km_tlb *tlb, km_vaddr va, bool write)
{
    struct km_core *core = n->core;
    struct km_walk_result w;

    tlb->misses++;
    n->cpu.local_cycles += tlb == &n->dtlb ? core->dtlb_miss_cycles : core->itlb_miss_cycles;
    if (n->stlb.small.sets) {
        struct km_tlb_entry *second = km_tlb_find(&n->stlb, va);

        if (second && (!write || second->dirty)) {
            n->stlb.hits++;
            second->stamp = n->cpu.local_cycles;
            w = (struct km_walk_result){second->frame << second->shift,
                                        second->shift,
                                        second->writable,
                                        second->dirty,
                                        second->global,
                                        0};
            return fill_tlb(n, tlb, va, &w);
        }
        n->stlb.misses++;
        n->cpu.local_cycles += core->stlb_miss_cycles;
        walk(n, va, write, &w);
        if (second)
            second->vpn = UINT64_MAX;
        second = km_tlb_victim(&n->stlb, va, w.shift);
        *second = (struct km_tlb_entry){va >> w.shift, w.page_pa >> w.shift, n->cpu.local_cycles,
                                        w.shift,       w.writable,           w.dirty,
                                        w.global};
        return fill_tlb(n, tlb, va, &w);
    }
    walk(n, va, write, &w);
    return fill_tlb(n, tlb, va, &w);
}

/* Physical address of va; *entry is the TLB entry that gave it (NULL with paging off). */
static km_paddr translate(struct km_node *n, struct km_tlb *tlb, km_vaddr va, bool write,
                          struct km_tlb_entry **entry)
{
    *entry = NULL;
    if (!n->cr3)
        return (km_paddr)(va - n->core->window->page_offset);
    if (!tlb->small.sets) {
        struct km_walk_result w;

        walk(n, va, write, &w);
        return w.page_pa | (va & ((1u << w.shift) - 1));
    }
    struct km_tlb_entry *e = km_tlb_find(tlb, va);

    if (e && write && !e->dirty) { /* the walker must set D first */
        forget_translation(n, e);
        e->vpn = UINT64_MAX;
        e = NULL;
    }
    if (e) {
        tlb->hits++;
        if (e->stamp < n->cpu.local_cycles)
            e->stamp = n->cpu.local_cycles;
    } else {
        e = miss(n, tlb, va, write);
    }
    *entry = e;
    return km_tlb_translate(e, va);
}

/* ---- operations -------------------------------------------------------------------------------
 */

static void note_sharing(struct km_node *n, km_paddr pa, uint32_t bytes, enum km_ref_kind kind)
{
    struct km_sharing_row *row = km_sharing_find(&n->core->sharing, pa >> n->core->line_shift);

    if (row)
        km_sharing_note(row, n->id, (uint32_t)pa & (n->core->line_bytes - 1), bytes,
                        kind != KM_REF_STORE, kind != KM_REF_LOAD);
}

/* One reference within one line. */
static void ref_line(struct km_node *n, km_vaddr va, uint32_t bytes, enum km_ref_kind kind)
{
    struct km_tlb_entry *tlb;
    bool write = kind != KM_REF_LOAD;

    n->slow_refs++;
    if (kind == KM_REF_STORE)
        n->relaxes_in_row = 0;
    km_core_catch_up(n);
    km_paddr pa = translate(n, &n->dtlb, va, write, &tlb);
    uint32_t idx = km_core_line(n, pa, write ? KM_ACCESS_STORE : KM_ACCESS_LOAD, kind);

    if (n->core->sharing.nr_rows && (idx == KM_CACHE_NONE || n->l1d_tracked[idx]))
        note_sharing(n, pa, bytes, kind);
    if (idx != KM_CACHE_NONE && n->core->hot_enabled && (tlb || !n->cr3))
        make_hot(n, va, idx, tlb);
}

static void timed_ref(struct km_cpu *cpu, km_vaddr va, uint32_t bytes, enum km_ref_kind kind)
{
    struct km_node *n = (struct km_node *)cpu;

    if (bytes <= KM_REF_BYTES && ((va + bytes - 1) >> cpu->line_shift) == va >> cpu->line_shift) {
        ref_line(n, va, bytes, kind);
        return;
    }
    /* Split at word borders: each piece lies within one line. */
    while (bytes) {
        uint32_t piece = (uint32_t)km_min_u64(bytes, 4 - (va & 3));

        km_ref(cpu, va, piece, kind);
        va += piece;
        bytes -= piece;
    }
}

static void fetch_line(struct km_node *n, km_vaddr va)
{
    uint32_t vline = va >> n->cpu.line_shift;
    struct km_ihot *hot = &n->ihot[vline % KM_IHOT_LINES];
    struct km_tlb_entry *tlb;

    if (vline == n->last_fetch)
        return; /* still in the fetch buffer */
    n->last_fetch = vline;
    km_core_catch_up(n);
    if (n->hier.split && hot->vline == vline) {
        km_cache_touch(&n->hier.l1i, hot->l1_idx);
        if (hot->tlb && hot->tlb->stamp < n->cpu.local_cycles)
            hot->tlb->stamp = n->cpu.local_cycles;
        n->ihot_hits++;
        return;
    }
    km_paddr pa = translate(n, n->fetch_tlb, va, false, &tlb);
    uint32_t idx = km_core_line(n, pa, KM_ACCESS_FETCH, KM_REF_LOAD);

    if (!n->hier.split || idx == KM_CACHE_NONE || !n->core->hot_enabled || (n->cr3 && !tlb))
        return;
    if (hot->vline != NO_LINE)
        km_core_unhot_fetch(n, hot->l1_idx);
    km_core_unhot_fetch(n, idx);
    if (tlb)
        n->tlb_ihot[tlb - n->tlb_entry]++;
    *hot = (struct km_ihot){vline, idx, tlb};
    n->l1i_hot[idx] = (int16_t)(vline % KM_IHOT_LINES);
}

static struct km_site_pos *site_position(struct km_node *n, const struct km_site *site)
{
    struct km_site_pos *pos = &n->site[(site->text_va >> 4) % KM_SITE_SLOTS];

    if (pos->text_va != site->text_va)
        *pos = (struct km_site_pos){site->text_va, 0};
    return pos;
}

static void timed_exec(struct km_cpu *cpu, const struct km_site *site, uint32_t insns)
{
    struct km_node *n = (struct km_node *)cpu;
    uint64_t work = (uint64_t)insns * 100 + n->exec_remainder;

    n->relaxes_in_row = 0;
    if (site->text_bytes) {
        struct km_site_pos *pos = site_position(n, site);
        uint32_t left = (uint32_t)km_min_u64((uint64_t)insns * KM_INSN_BYTES, site->text_bytes);
        uint32_t line = n->core->line_bytes;

        while (left) {
            km_vaddr va = site->text_va + pos->offset;
            uint32_t piece = line - (va & (line - 1));

            piece = (uint32_t)km_min_u64(km_min_u64(piece, left), site->text_bytes - pos->offset);
            fetch_line(n, va);
            pos->offset = (pos->offset + piece) % site->text_bytes;
            left -= piece;
        }
    }
    cpu->local_cycles += work / n->core->issue_x100;
    n->exec_remainder = (uint32_t)(work % n->core->issue_x100);
}

static void timed_relax(struct km_cpu *cpu)
{
    struct km_node *n = (struct km_node *)cpu;

    n->relaxes++;
    if (++n->relaxes_in_row > KM_RELAX_LIMIT)
        km_core_fail(n, KM_E_WATCHDOG,
                     "watchdog: busy-waiting for a lock for %u steps without progress",
                     KM_RELAX_LIMIT);
    cpu->local_cycles += KM_RELAX_CYCLES;
    km_core_catch_up(n);
}

static void timed_invlpg(struct km_cpu *cpu, km_vaddr va)
{
    struct km_node *n = (struct km_node *)cpu;
    struct km_tlb *tlbs[] = {&n->dtlb, &n->itlb, &n->stlb};

    km_core_catch_up(n);
    for (unsigned i = 0; i < KM_ARRAY_LEN(tlbs); i++) {
        struct km_tlb_entry *e = km_tlb_find(tlbs[i], va);

        if (!e)
            continue;
        forget_translation(n, e);
        km_tlb_invalidate(tlbs[i], va);
        tlbs[i]->flushes++;
    }
    n->last_fetch = NO_LINE;
    cpu->local_cycles += KM_INVLPG_CYCLES;
}

static void timed_cache_op(struct km_cpu *cpu, enum km_cache_op op, km_vaddr va)
{
    struct km_node *n = (struct km_node *)cpu;
    struct km_tlb_entry *tlb;

    km_core_catch_up(n);
    n->last_fetch = NO_LINE;
    if (op != KM_CACHE_CLFLUSH) {
        km_core_drop_caches(n, op == KM_CACHE_WBINVD);
        return;
    }
    km_core_flush_line(n, translate(n, &n->dtlb, va, false, &tlb));
    cpu->local_cycles += n->core->clflush_cycles;
}

static void timed_sync(struct km_cpu *cpu)
{
    struct km_node *n = (struct km_node *)cpu;

    km_core_catch_up(n);
    cpu->local_cycles += n->core->min_snoop;
    km_core_advance(n, cpu->local_cycles, KM_PHASE_ITEM + n->id, KM_EFFECT_ITEM);
}

const struct km_cpu_ops km_timed_ops = {
    .name = "timed",
    .ref = timed_ref,
    .exec = timed_exec,
    .relax = timed_relax,
    .invlpg = timed_invlpg,
    .cache_op = timed_cache_op,
    .sync = timed_sync,
};
