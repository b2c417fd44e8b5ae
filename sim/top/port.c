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

    uint32_t first = 0;

    while (first < ways && (slots[first] < 0 || !n->cpu.hot[slots[first]].stamp))
        first++;
    while (first < ways) {
        int oldest = -1;
        uint32_t pending = 0;

        for (uint32_t way = first; way < ways; way++) {
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

/* May a LOCKed reference be filtered: is there nothing it would have to wait for? */
static bool locks_are_free(const struct km_node *n)
{
    return !n->core->bus_locks && !n->core->store_entries && !n->nr_wc;
}

void km_core_unhot_locks(struct km_node *n)
{
    for (unsigned slot = 0; slot < KM_HOT_LINES; slot++)
        n->cpu.hot[slot].kinds &= ~(1u << KM_REF_RMW);
}

static void make_hot(struct km_node *n, km_vaddr va, uint32_t idx, struct km_tlb_entry *tlb)
{
    uint32_t vline = va >> n->cpu.line_shift;
    unsigned slot = vline % KM_HOT_LINES;
    struct km_hot_line *hot = &n->cpu.hot[slot];
    bool owned = n->hier.l1d.state[idx] == KM_LINE_M && !n->hier.l1d.geom.write_through &&
                 (!tlb || (tlb->dirty && tlb->type == KM_MEM_WB &&
                           (tlb->writable || (!n->mode.write_protect && !n->cpu.user))));
    uint32_t kinds = 1u << KM_REF_LOAD;

    if (n->l1d_tracked[idx])
        return;
    if (owned)
        kinds |= 1u << KM_REF_STORE | (locks_are_free(n) ? 1u << KM_REF_RMW : 0);
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
    km_core_line(n, pa, bytes, KM_ACCESS_LOAD, KM_REF_LOAD);
    uint32_t low = *(const uint32_t *)(const void *)p;

    return bytes == 4 ? low : low | (uint64_t) * (const uint32_t *)(const void *)(p + 4) << 32;
}

static uint64_t walk_set_bits(void *ctx, km_paddr pa, uint32_t bytes, uint32_t bits)
{
    struct km_node *n = ctx;
    uint8_t *p = n->core->window->phys + pa;

    n->walk_refs++;
    km_core_line(n, pa, bytes, KM_ACCESS_STORE, KM_REF_RMW);
    *(uint32_t *)(void *)p |= bits;
    uint32_t low = *(uint32_t *)(void *)p;

    return bytes == 4 ? low : low | (uint64_t) * (uint32_t *)(void *)(p + 4) << 32;
}

static const struct km_walk_ops walk_ops = {walk_load, walk_set_bits};

static struct km_tlb_entry *fill_tlb(struct km_node *n, struct km_tlb *tlb, km_vaddr va,
                                     const struct km_tlb_entry *from)
{
    uint32_t ways;
    struct km_tlb_entry *set = km_tlb_set(tlb, va, from->shift, &ways);

    fold_tlb_stamps(n, set, ways);
    struct km_tlb_entry *e = km_tlb_victim(tlb, va, from->shift);

    forget_translation(n, e);
    *e = *from;
    e->stamp = n->cpu.local_cycles;
    return e;
}

/* Walks the tables; false: a page fault, n->fault_error says why. */
static bool walk(struct km_node *n, km_vaddr va, struct km_walk_access access,
                 struct km_tlb_entry *e)
{
    struct km_walk_result w;

    if (!km_walk(&walk_ops, n, &n->mode, va, access, &w)) {
        n->fault_error = w.error;
        return false;
    }
    *e = (struct km_tlb_entry){
        .vpn = va >> w.shift,
        .frame = w.page_pa >> w.shift,
        .shift = w.shift,
        .type = (uint8_t)km_memtype_of(&n->core->memtypes, w.page_pa | (va & ((1u << w.shift) - 1)),
                                       w.pat_index),
        .writable = w.writable,
        .dirty = w.dirty,
        .global = w.global,
        .user = w.user,
        .no_execute = w.no_execute,
    };
    return true;
}

/* Does the entry let the access pass, without the walker having to set D or to raise a fault? */
static bool allows(const struct km_node *n, const struct km_tlb_entry *e,
                   struct km_walk_access access)
{
    if (!access.write && !access.user && !access.fetch)
        return true;
    struct km_walk_result page = {
        .writable = e->writable, .user = e->user, .no_execute = e->no_execute};

    if (access.write && !e->dirty)
        return false;
    return km_walk_allows(&n->mode, &page, access);
}

/* Brings the translation of va into the TLB; NULL: a page fault. */
static struct km_tlb_entry *miss(struct km_node *n, struct km_tlb *tlb, km_vaddr va,
                                 struct km_walk_access access)
{
    struct km_core *core = n->core;
    struct km_tlb_entry e;

    tlb->misses++;
    n->cpu.local_cycles += tlb == &n->dtlb ? core->dtlb_miss_cycles : core->itlb_miss_cycles;
    if (!n->stlb.small.sets)
        return walk(n, va, access, &e) ? fill_tlb(n, tlb, va, &e) : NULL;
    struct km_tlb_entry *second = km_tlb_find(&n->stlb, va);

    if (second && allows(n, second, access)) {
        n->stlb.hits++;
        second->stamp = n->cpu.local_cycles;
        return fill_tlb(n, tlb, va, second);
    }
    n->stlb.misses++;
    n->cpu.local_cycles += core->stlb_miss_cycles;
    if (!walk(n, va, access, &e))
        return NULL;
    km_tlb_invalidate(&n->stlb, va);
    second = km_tlb_victim(&n->stlb, va, e.shift);
    *second = e;
    second->stamp = n->cpu.local_cycles;
    return fill_tlb(n, tlb, va, &e);
}

/* Physical address of va; *entry is the TLB entry that gave it (NULL with paging off or without a
 * TLB), *type the memory type. False: a page fault. */
static bool translate(struct km_node *n, struct km_tlb *tlb, km_vaddr va,
                      struct km_walk_access access, struct km_tlb_entry **entry, km_paddr *pa,
                      enum km_memtype *type)
{
    struct km_tlb_entry walked;

    *entry = NULL;
    if (!n->mode.cr3) {
        *pa = (km_paddr)(va - n->core->window->page_offset);
        *type = km_memtypes_range(&n->core->memtypes, *pa);
        return true;
    }
    if (!tlb->small.sets) {
        if (!walk(n, va, access, &walked))
            return false;
        *pa = km_tlb_translate(&walked, va);
        *type = (enum km_memtype)walked.type;
        return true;
    }
    struct km_tlb_entry *e = km_tlb_find(tlb, va);

    if (e && !allows(n, e, access)) { /* D has to be set, or there is a fault: the walker decides */
        forget_translation(n, e);
        e->vpn = UINT64_MAX;
        e = NULL;
    }
    if (e) {
        tlb->hits++;
        if (e->stamp < n->cpu.local_cycles)
            e->stamp = n->cpu.local_cycles;
    } else {
        e = miss(n, tlb, va, access);
        if (!e)
            return false;
    }
    *entry = e;
    *pa = km_tlb_translate(e, va);
    *type = (enum km_memtype)e->type;
    return true;
}

void km_core_drop_page(struct km_node *n, km_vaddr va)
{
    struct km_tlb *tlbs[] = {&n->dtlb, &n->itlb, &n->stlb};

    for (unsigned i = 0; i < KM_ARRAY_LEN(tlbs); i++) {
        struct km_tlb_entry *e = km_tlb_find(tlbs[i], va);

        if (!e)
            continue;
        forget_translation(n, e);
        km_tlb_invalidate(tlbs[i], va);
        tlbs[i]->flushes++;
    }
}

/* MOV CR3, CR4: all entries, or all but the global ones. */
void km_core_flush_tlbs(struct km_node *n, bool keep_global)
{
    struct km_tlb *tlbs[] = {&n->dtlb, &n->itlb, &n->stlb};

    for (unsigned i = 0; i < KM_ARRAY_LEN(tlbs); i++) {
        struct km_tlb_array *part[] = {&tlbs[i]->small, &tlbs[i]->large};

        for (unsigned k = 0; k < 2; k++)
            for (uint32_t j = 0; j < part[k]->sets * part[k]->ways; j++)
                if (part[k]->entry[j].vpn != UINT64_MAX &&
                    !(keep_global && part[k]->entry[j].global))
                    forget_translation(n, &part[k]->entry[j]);
        if (tlbs[i]->small.sets)
            km_tlb_flush(tlbs[i], keep_global);
    }
    km_pde_cache_flush(&n->pde_cache);
    n->last_fetch = NO_LINE;
}

/* The program's handler gets the fault, or the run ends with a message. The processor forgets what
 * it knew of the page (SDM 4.10.4.1). */
static void raise_fault(struct km_node *n, km_vaddr va, struct km_walk_access access,
                        unsigned earlier)
{
    uint32_t error = n->fault_error;
    struct km_cpu *cpu = &n->cpu;
    bool user = cpu->user;

    n->core->page_faults++;
    km_core_drain_stores(n);
    km_core_drop_page(n, va);
    km_pde_cache_drop(&n->pde_cache, va >> km_large_shift(n->mode.pae));
    if (cpu->fault && earlier < KM_FAULT_RETRIES) {
        km_control(cpu, KM_CTL_USER, 0);
        cpu->local_cycles += n->core->fault_cycles;
        bool again = cpu->fault(cpu->fault_ctx, cpu, va, error);

        km_control(cpu, KM_CTL_USER, user);
        km_core_catch_up(n);
        if (again)
            return;
    }
    km_core_fail(n, KM_E_INPUT, "page fault at guest address %#x (%s, %s%s), error code %#x", va,
                 error & KM_PF_RESERVED  ? "reserved bit set"
                 : error & KM_PF_PRESENT ? access.write ? "not writable" : "not allowed"
                                         : "not present",
                 access.user ? "user " : "",
                 access.fetch   ? "fetch"
                 : access.write ? "write"
                                : "read",
                 error);
}

static km_paddr translate_or_fault(struct km_node *n, struct km_tlb *tlb, km_vaddr va,
                                   struct km_walk_access access, struct km_tlb_entry **entry,
                                   enum km_memtype *type)
{
    km_paddr pa;

    for (unsigned tries = 0; !translate(n, tlb, va, access, entry, &pa, type); tries++)
        raise_fault(n, va, access, tries);
    return pa;
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

/* Memory that is not write-back; false: a load that is cached like any other. */
static bool ref_past_caches(struct km_node *n, km_paddr pa, uint32_t bytes, enum km_ref_kind kind,
                            enum km_memtype type)
{
    bool cached = type == KM_MEM_WT || type == KM_MEM_WP;

    if (cached && kind == KM_REF_LOAD)
        return false;
    if (cached && kind == KM_REF_STORE)
        km_core_store_past(n, pa, bytes, type == KM_MEM_WT);
    else if (type == KM_MEM_WC && kind == KM_REF_STORE)
        km_core_store_combined(n, pa, bytes);
    else
        km_core_uncached(n, pa, bytes, kind);
    return true;
}

/* One reference within one line. */
static void ref_line(struct km_node *n, km_vaddr va, uint32_t bytes, enum km_ref_kind kind)
{
    struct km_tlb_entry *tlb;
    bool write = kind != KM_REF_LOAD;
    enum km_memtype type;

    n->slow_refs++;
    if (kind == KM_REF_STORE)
        n->relaxes_in_row = 0;
    km_core_catch_up(n);
    km_core_take_ipis(n);
    km_paddr pa = translate_or_fault(
        n, &n->dtlb, va, (struct km_walk_access){.write = write, .user = n->cpu.user}, &tlb, &type);

    if (type != KM_MEM_WB && ref_past_caches(n, pa, bytes, kind, type))
        return;
    uint32_t idx = km_core_line(n, pa, bytes, write ? KM_ACCESS_STORE : KM_ACCESS_LOAD, kind);

    if (n->core->sharing.nr_rows && (idx == KM_CACHE_NONE || n->l1d_tracked[idx]))
        note_sharing(n, pa, bytes, kind);
    if (idx != KM_CACHE_NONE && n->core->hot_enabled && (tlb || !n->mode.cr3))
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
    enum km_memtype type;

    if (vline == n->last_fetch)
        return; /* still in the fetch buffer */
    km_core_catch_up(n);
    km_core_take_ipis(n);
    n->last_fetch = vline;
    if (n->hier.split && hot->vline == vline) {
        km_cache_touch(&n->hier.l1i, hot->l1_idx);
        if (hot->tlb && hot->tlb->stamp < n->cpu.local_cycles)
            hot->tlb->stamp = n->cpu.local_cycles;
        n->ihot_hits++;
        return;
    }
    km_paddr pa = translate_or_fault(n, n->fetch_tlb, va,
                                     (struct km_walk_access){.fetch = true, .user = n->cpu.user},
                                     &tlb, &type);

    n->last_fetch = vline; /* a fault handler may have fetched, too */
    if (type == KM_MEM_UC || type == KM_MEM_WC) {
        km_core_uncached(n, pa, n->core->line_bytes, KM_REF_LOAD);
        return;
    }
    uint32_t idx = km_core_line(n, pa, n->core->line_bytes, KM_ACCESS_FETCH, KM_REF_LOAD);

    if (!n->hier.split || idx == KM_CACHE_NONE || !n->core->hot_enabled || (n->mode.cr3 && !tlb))
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
    km_core_take_ipis(n);
}

static void timed_invlpg(struct km_cpu *cpu, km_vaddr va)
{
    struct km_node *n = (struct km_node *)cpu;

    km_core_catch_up(n);
    km_core_drop_page(n, va);
    km_pde_cache_flush(&n->pde_cache); /* all of it, whatever the page (SDM 4.10.4.1) */
    n->last_fetch = NO_LINE;
    cpu->local_cycles += KM_INVLPG_CYCLES;
}

/* CPL or CR0.WP change what a filtered reference may do: start anew. */
static void forget_all_hot(struct km_node *n)
{
    for (unsigned slot = 0; slot < KM_HOT_LINES; slot++)
        drop_slot(n, slot);
    for (unsigned slot = 0; slot < KM_IHOT_LINES; slot++)
        if (n->ihot[slot].vline != NO_LINE)
            km_core_unhot_fetch(n, n->ihot[slot].l1_idx);
    n->last_fetch = NO_LINE;
}

/* MOV CR3: under PAE the four PDPTEs are read into registers, past the caches' recency like any
 * reference of the walker. */
static void load_cr3(struct km_node *n, km_paddr cr3)
{
    n->mode.cr3 = cr3;
    km_core_flush_tlbs(n, n->pge);
    n->cpu.local_cycles += n->core->cr3_cycles;
    for (unsigned i = 0; n->mode.pae && i < 4; i++)
        n->pdpte[i] = walk_load(n, (cr3 & ~(km_paddr)31) + i * 8, 8);
}

static void set_pae(struct km_node *n, bool on)
{
    struct km_tlb *tlbs[] = {&n->dtlb, &n->itlb, &n->stlb};

    km_core_flush_tlbs(n, false);
    n->mode.pae = on;
    for (unsigned i = 0; i < KM_ARRAY_LEN(tlbs); i++)
        tlbs[i]->large_shift = km_large_shift(on);
}

static void timed_control(struct km_cpu *cpu, enum km_control reg, uint64_t value)
{
    struct km_node *n = (struct km_node *)cpu;

    km_core_catch_up(n);
    km_core_drain_stores(n); /* serializing */
    switch (reg) {
    case KM_CTL_CR3:
        load_cr3(n, value);
        break;
    case KM_CTL_PGE:
        km_core_flush_tlbs(n, false);
        n->pge = value != 0;
        break;
    case KM_CTL_PAE:
        set_pae(n, value != 0);
        break;
    case KM_CTL_WP:
        forget_all_hot(n);
        n->mode.write_protect = value != 0;
        break;
    case KM_CTL_USER:
        if (cpu->user != (value != 0))
            forget_all_hot(n);
        cpu->user = value != 0;
        break;
    }
}

static void timed_shootdown(struct km_cpu *cpu, uint32_t mask, km_vaddr start, km_vaddr end)
{
    km_core_shootdown((struct km_node *)cpu, mask, start, end);
}

static void timed_fence(struct km_cpu *cpu)
{
    struct km_node *n = (struct km_node *)cpu;

    km_core_drain_stores(n);
    km_core_drain_wc(n);
    cpu->local_cycles += n->core->fence_cycles;
}

static void timed_cache_op(struct km_cpu *cpu, enum km_cache_op op, km_vaddr va)
{
    struct km_node *n = (struct km_node *)cpu;
    struct km_tlb_entry *tlb;
    enum km_memtype type;

    km_core_catch_up(n);
    km_core_drain_stores(n);
    km_core_drain_wc(n);
    n->last_fetch = NO_LINE;
    if (op != KM_CACHE_CLFLUSH) {
        km_core_drop_caches(n, op == KM_CACHE_WBINVD);
        return;
    }
    km_core_flush_line(n,
                       translate_or_fault(n, &n->dtlb, va,
                                          (struct km_walk_access){.user = cpu->user}, &tlb, &type));
    cpu->local_cycles += n->core->clflush_cycles;
}

static void timed_sync(struct km_cpu *cpu)
{
    struct km_node *n = (struct km_node *)cpu;

    km_core_catch_up(n);
    cpu->local_cycles += n->core->min_snoop;
    km_core_advance(n, cpu->local_cycles, KM_PHASE_ITEM + n->id, KM_EFFECT_ITEM);
    n->core->synced = cpu->local_cycles;
}

const struct km_cpu_ops km_timed_ops = {
    .name = "timed",
    .ref = timed_ref,
    .exec = timed_exec,
    .relax = timed_relax,
    .invlpg = timed_invlpg,
    .cache_op = timed_cache_op,
    .control = timed_control,
    .shootdown = timed_shootdown,
    .fence = timed_fence,
    .sync = timed_sync,
};
