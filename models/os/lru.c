/* SPDX-License-Identifier: MIT
 * lru.c - see lru.h.
 *
 * A page of user memory or page cache lies on one of five lists, which kind and use decide:
 *
 *                  added at the head                      scanned from the tail
 *   anon   active  [ p p p p p ] -> deactivated -> inactive [ p p p p p p ] -> swap, freed
 *   file   active  [ p p p ]     -> deactivated -> inactive [ p p p p p p p p ] -> written, freed
 *   unevictable    [ p p ]          mlocked: never scanned
 *
 * Models:      the lists of a node (of each zone before 4.8), linked through struct page, their sizes per list
 *              and per zone; the per-CPU batches pages wait in before they are listed (a page in a batch has no
 *              PG_lru yet); PG_active, PG_referenced, PG_dirty, PG_writeback, PG_swapbacked, PG_unevictable;
 *              mark_page_accessed: first use sets PG_referenced, the second one activates. A compound block is on
 *              the list as one entry that counts all its pages.
 * Not modelled: memory-cgroup lists (all pages of a node share its lists), multi-generational LRU, workingset shadow
 *              entries, the batches of activation and rotation (both happen at once), isolation counters.
 *              A page that is off its list for a moment is marked (KM_PG_ISOLATED) where the kernel holds a reference:
 *              whoever frees it meanwhile leaves that to km_lru_put.
 * Invariants:  km_lru_check: links hold in both directions; a listed page has PG_lru, lies on the list its flags name
 *              and is not free; sizes equal the lists; a batched page has no PG_lru.
 * Units:       pages.
 * References:  kernel-behaviour notes C5, D4; M. Gorman, "Understanding the Linux Virtual Memory Manager", ch. 10;
 *              Linux 6.1 Documentation/mm/unevictable-lru.rst.
 */
#include "models/os/lru.h"

#include "models/base/bug.h"
#include "models/os/page_alloc.h"
#include "models/os/page_api.h"

#include <string.h>

#define LRU_FLAGS \
    (KM_PG_REFERENCED | KM_PG_DIRTY | KM_PG_LRU | KM_PG_ACTIVE | KM_PG_SWAPCACHE | KM_PG_WRITEBACK | KM_PG_RECLAIM | \
     KM_PG_SWAPBACKED | KM_PG_UNEVICTABLE | KM_PG_BATCHED | KM_PG_ISOLATED | KM_PG_YOUNG | KM_PG_EXEC)

static const struct km_site site_add = {"lru_add_fn", 0xc1270000u, 320};
static const struct km_site site_del = {"lruvec_del_folio", 0xc1270200u, 192};
static const struct km_site site_isolate = {"isolate_lru_folios", 0xc1260c00u, 512};
static const struct km_site site_touch = {"folio_mark_accessed", 0xc1270400u, 224};

void km_lru_open(struct km_lru *lru, struct km_os *os, struct km_cpu *cpu)
{
    km_vaddr vec = 0;

    memset(lru, 0, sizeof(*lru));
    for (unsigned z = 0; z < KM_NR_ZONES; z++) {
        if (!vec || os->p.personality->lru_per_zone) {
            vec = km_os_static_alloc(os, KM_LRUVEC_BYTES, 64);
            memset(cpu->window + vec, 0, KM_LRUVEC_BYTES);
            for (unsigned l = 0; l < KM_LRU_NR; l++)
                km_list_init(cpu, vec + KM_LRUVEC_LISTS + l * 8);
        }
        lru->vec_va[z] = vec;
    }
    lru->zone_size_va = km_os_static_alloc(os, KM_NR_ZONES * KM_LRU_NR * 4, 64);
    memset(cpu->window + lru->zone_size_va, 0, KM_NR_ZONES * KM_LRU_NR * 4);
    for (unsigned c = 0; c < os->p.cpus; c++) {
        lru->batch_va[c] = km_os_static_alloc(os, KM_LRU_BATCH_BYTES, 64);
        memset(cpu->window + lru->batch_va[c], 0, KM_LRU_BATCH_BYTES);
    }
    os->lru = lru;
}

/* Flags of user pages and page cache all have HARDWALL; pipe buffers and page tables are accounted instead. */
enum km_lru_kind km_lru_kind_of(uint32_t gfp, unsigned order)
{
    if (!(gfp & KM_GFP_HARDWALL) || (gfp & KM_GFP_ACCOUNT))
        return KM_LRU_NONE;
    if (order)
        return gfp & KM_GFP_MOVABLE ? KM_LRU_ANON : KM_LRU_NONE; /* huge pages */
    if (gfp & KM_GFP_WRITE)
        return KM_LRU_FILE_DIRTY;
    if (gfp & KM_GFP_ZERO)
        return gfp & KM_GFP_MOVABLE ? KM_LRU_ANON : KM_LRU_NONE;
    if (gfp & (KM_GFP_NORETRY | KM_GFP_NOFAIL) || !(gfp & KM_GFP_FS))
        return KM_LRU_FILE; /* readahead, buffers of a block device */
    return gfp & KM_GFP_MOVABLE ? KM_LRU_ANON : KM_LRU_NONE;
}

enum km_lru_list km_lru_list_of(uint32_t flags)
{
    if (flags & KM_PG_UNEVICTABLE)
        return KM_LRU_UNEVICTABLE;
    if (flags & KM_PG_SWAPBACKED)
        return flags & KM_PG_ACTIVE ? KM_LRU_ACTIVE_ANON : KM_LRU_INACTIVE_ANON;
    return flags & KM_PG_ACTIVE ? KM_LRU_ACTIVE_FILE : KM_LRU_INACTIVE_FILE;
}

uint32_t km_lru_pages(const struct km_os *os, struct km_cpu *cpu, km_pfn pfn)
{
    return 1u << km_compound_order(os, cpu->window, pfn);
}

static void count(const struct km_os *os, struct km_cpu *cpu, enum km_zone_id z, enum km_lru_list l, uint32_t pages)
{
    const km_vaddr node = os->lru->vec_va[z] + KM_LRUVEC_SIZE + l * 4u;
    const km_vaddr zone = os->lru->zone_size_va + (z * KM_LRU_NR + l) * 4u;

    km_st32(cpu, node, km_ld32(cpu, node) + pages);
    km_st32(cpu, zone, km_ld32(cpu, zone) + pages);
}

uint32_t km_lru_size(const struct km_os *os, struct km_cpu *cpu, enum km_zone_id z, enum km_lru_list l)
{
    return km_ld32(cpu, os->lru->vec_va[z] + KM_LRUVEC_SIZE + l * 4u);
}

uint32_t km_lru_zone_size(const struct km_os *os, struct km_cpu *cpu, enum km_zone_id z, enum km_lru_list l)
{
    return km_ld32(cpu, os->lru->zone_size_va + (z * KM_LRU_NR + l) * 4u);
}

static bool dirty_file(uint32_t flags)
{
    return (flags & KM_PG_DIRTY) && !(flags & KM_PG_SWAPBACKED);
}

void km_lru_change_flags(struct km_os *os, struct km_cpu *cpu, km_pfn pfn, uint32_t set, uint32_t clear)
{
    struct km_lru *lru = os->lru;
    uint32_t old = km_page_flags(os, cpu, pfn), flags = (old & ~clear) | set;

    if (flags == old)
        return;
    km_st32(cpu, km_page_va(os, pfn) + KM_PAGE_FLAGS, flags);
    lru->nr_dirty += (uint64_t)dirty_file(flags) - dirty_file(old);
    lru->nr_writeback += (uint64_t)!!(flags & KM_PG_WRITEBACK) - !!(old & KM_PG_WRITEBACK);
    if (dirty_file(flags) && !dirty_file(old) && lru->dirtied)
        lru->dirtied(lru->ctx, pfn);
}

static void lock(const struct km_os *os, struct km_cpu *cpu, enum km_zone_id z)
{
    km_lock(cpu, os->lru->vec_va[z] + KM_LRUVEC_LOCK);
}

static void unlock(const struct km_os *os, struct km_cpu *cpu, enum km_zone_id z)
{
    km_unlock(cpu, os->lru->vec_va[z] + KM_LRUVEC_LOCK);
}

/* The lock is held. */
static void link_page(struct km_os *os, struct km_cpu *cpu, km_pfn pfn, bool to_tail)
{
    enum km_zone_id z = km_pfn_zone(os, pfn);
    enum km_lru_list l = km_lru_list_of(km_page_flags(os, cpu, pfn));
    km_vaddr list = km_lru_list_va(os->lru, z, l), node = km_page_va(os, pfn) + KM_PAGE_LRU;

    km_exec(cpu, &site_add, 30);
    if (to_tail)
        km_list_add_tail(cpu, node, list);
    else
        km_list_add(cpu, node, list);
    km_lru_change_flags(os, cpu, pfn, KM_PG_LRU, KM_PG_ISOLATED);
    count(os, cpu, z, l, km_lru_pages(os, cpu, pfn));
}

static bool unlink_page(struct km_os *os, struct km_cpu *cpu, km_pfn pfn, uint32_t set)
{
    uint32_t flags = km_page_flags(os, cpu, pfn);

    if (!(flags & KM_PG_LRU))
        return false;
    km_exec(cpu, &site_del, 24);
    km_list_del(cpu, km_page_va(os, pfn) + KM_PAGE_LRU);
    km_lru_change_flags(os, cpu, pfn, set, KM_PG_LRU);
    count(os, cpu, km_pfn_zone(os, pfn), km_lru_list_of(flags), 0u - km_lru_pages(os, cpu, pfn));
    return true;
}

static void become_kernels(struct km_os *os, struct km_cpu *cpu, km_pfn pfn)
{
    km_lru_change_flags(os, cpu, pfn, 0, LRU_FLAGS);
    km_st32(cpu, km_page_va(os, pfn) + KM_PAGE_TYPE, KM_PAGE_TYPE_NONE);
}

void km_lru_put(struct km_os *os, struct km_cpu *cpu, km_pfn pfn, bool to_tail)
{
    enum km_zone_id z = km_pfn_zone(os, pfn);

    lock(os, cpu, z);
    if (km_page_count(os, cpu->window, pfn)) {
        link_page(os, cpu, pfn, to_tail);
        unlock(os, cpu, z);
        return;
    }
    unlock(os, cpu, z);
    become_kernels(os, cpu, pfn);
    km_free_pages(os, cpu, pfn, km_compound_order(os, cpu->window, pfn));
}

bool km_lru_take(struct km_os *os, struct km_cpu *cpu, km_pfn pfn)
{
    enum km_zone_id z = km_pfn_zone(os, pfn);

    lock(os, cpu, z);
    bool taken = unlink_page(os, cpu, pfn, KM_PG_ISOLATED);

    unlock(os, cpu, z);
    return taken;
}

void km_lru_end(struct km_os *os, struct km_cpu *cpu, km_pfn pfn)
{
    become_kernels(os, cpu, pfn);
}

unsigned km_lru_isolate(struct km_os *os, struct km_cpu *cpu, enum km_zone_id z, enum km_lru_list l,
                        enum km_zone_id highest, uint32_t wanted, km_pfn *out, unsigned max, uint32_t *pages)
{
    const km_vaddr list = km_lru_list_va(os->lru, z, l);
    unsigned nr = 0;

    *pages = 0;
    lock(os, cpu, z);
    for (uint32_t left = km_lru_size(os, cpu, z, l); left && *pages < wanted && nr < max;) {
        km_pfn pfn = km_page_pfn(os, km_list_last(cpu, list) - KM_PAGE_LRU);
        uint32_t size = km_lru_pages(os, cpu, pfn);

        km_exec(cpu, &site_isolate, 18);
        left -= size < left ? size : left;
        unlink_page(os, cpu, pfn, KM_PG_ISOLATED);
        if (km_pfn_zone(os, pfn) > highest) {
            link_page(os, cpu, pfn, false);
            continue;
        }
        out[nr++] = pfn;
        *pages += size;
    }
    unlock(os, cpu, z);
    return nr;
}

void km_lru_place(struct km_os *os, struct km_cpu *cpu, km_pfn pfn, uint32_t flags, bool to_tail)
{
    enum km_zone_id z = km_pfn_zone(os, pfn);

    km_lru_change_flags(os, cpu, pfn, flags & (uint32_t)(LRU_FLAGS & ~(KM_PG_LRU | KM_PG_BATCHED | KM_PG_ISOLATED)),
                        LRU_FLAGS);
    km_st32(cpu, km_page_va(os, pfn) + KM_PAGE_REFCOUNT, 1);
    lock(os, cpu, z);
    link_page(os, cpu, pfn, to_tail);
    unlock(os, cpu, z);
}

void km_lru_drain(struct km_os *os, struct km_cpu *cpu, unsigned on_cpu)
{
    const km_vaddr batch = os->lru->batch_va[on_cpu];

    km_lock(cpu, batch + KM_LRU_BATCH_LOCK);
    uint32_t nr = km_ld32(cpu, batch + KM_LRU_BATCH_NR);

    for (uint32_t i = 0; i < nr; i++) {
        km_vaddr page = km_ld32(cpu, batch + KM_LRU_BATCH_PAGES + i * 4);

        km_lru_change_flags(os, cpu, km_page_pfn(os, page), KM_PG_ISOLATED, KM_PG_BATCHED);
        km_lru_put(os, cpu, km_page_pfn(os, page), false);
    }
    if (nr)
        km_st32(cpu, batch + KM_LRU_BATCH_NR, 0);
    km_unlock(cpu, batch + KM_LRU_BATCH_LOCK);
}

/* What a page of this kind is when it enters. */
static uint32_t first_flags(const struct km_os *os, enum km_lru_kind kind)
{
    if (kind == KM_LRU_ANON) /* its fault has used it once */
        return KM_PG_SWAPBACKED | KM_PG_YOUNG | (os->p.personality->lru_anon_activated ? KM_PG_ACTIVE : 0u);
    return kind == KM_LRU_FILE_DIRTY ? KM_PG_DIRTY : 0;
}

void km_lru_add(struct km_os *os, struct km_cpu *cpu, km_pfn pfn, enum km_lru_kind kind)
{
    const km_vaddr batch = os->lru->batch_va[cpu->id], page = km_page_va(os, pfn);

    if (kind == KM_LRU_NONE)
        return;
    km_lru_change_flags(os, cpu, pfn, first_flags(os, kind), LRU_FLAGS);
    if (kind == KM_LRU_ANON)
        km_st32(cpu, page + KM_PAGE_TYPE, 0); /* mapped once */
    km_lock(cpu, batch + KM_LRU_BATCH_LOCK);
    uint32_t nr = km_ld32(cpu, batch + KM_LRU_BATCH_NR);

    km_lru_change_flags(os, cpu, pfn, KM_PG_BATCHED, 0);
    km_st32(cpu, batch + KM_LRU_BATCH_PAGES + nr * 4, page);
    km_st32(cpu, batch + KM_LRU_BATCH_NR, nr + 1);
    km_unlock(cpu, batch + KM_LRU_BATCH_LOCK);
    if (nr + 1 >= os->p.personality->lru_batch_pages || km_lru_pages(os, cpu, pfn) > 1)
        km_lru_drain(os, cpu, cpu->id);
}

static void leave_batches(struct km_os *os, struct km_cpu *cpu, km_pfn pfn)
{
    const km_vaddr page = km_page_va(os, pfn);

    for (unsigned c = 0; c < os->p.cpus; c++) {
        const km_vaddr batch = os->lru->batch_va[c];

        km_lock(cpu, batch + KM_LRU_BATCH_LOCK);
        uint32_t nr = km_ld32(cpu, batch + KM_LRU_BATCH_NR), kept = 0;

        for (uint32_t i = 0; i < nr; i++) {
            km_vaddr entry = km_ld32(cpu, batch + KM_LRU_BATCH_PAGES + i * 4);

            if (entry != page)
                km_st32(cpu, batch + KM_LRU_BATCH_PAGES + kept++ * 4, entry);
        }
        if (kept < nr)
            km_st32(cpu, batch + KM_LRU_BATCH_NR, kept);
        km_unlock(cpu, batch + KM_LRU_BATCH_LOCK);
    }
}

static bool release(struct km_os *os, struct km_cpu *cpu, km_pfn pfn)
{
    enum km_zone_id z = km_pfn_zone(os, pfn);

    if (km_page_flags(os, cpu, pfn) & KM_PG_BATCHED)
        leave_batches(os, cpu, pfn);
    lock(os, cpu, z);
    bool isolated = km_page_flags(os, cpu, pfn) & KM_PG_ISOLATED;

    if (isolated)
        km_st32(cpu, km_page_va(os, pfn) + KM_PAGE_REFCOUNT, 0); /* km_lru_put frees it */
    else
        unlink_page(os, cpu, pfn, 0);
    unlock(os, cpu, z);
    if (!isolated)
        become_kernels(os, cpu, pfn);
    return !isolated;
}

bool km_lru_release(struct km_os *os, struct km_cpu *cpu, km_pfn pfn)
{
    uint32_t head = km_ld32(cpu, km_page_va(os, pfn) + KM_PAGE_COMPOUND_HEAD);

    /* A part of a huge page is freed: it has been split, and its other pages are nobody's to reclaim. */
    if (head & 1) {
        km_pfn first = km_page_pfn(os, head & ~1u);

        if (km_page_flags(os, cpu, first) & LRU_FLAGS)
            release(os, cpu, first);
        km_lru_change_flags(os, cpu, first, 0, KM_PG_HEAD);
        return true;
    }
    return !(km_page_flags(os, cpu, pfn) & LRU_FLAGS) || release(os, cpu, pfn);
}

void km_lru_touch(struct km_os *os, struct km_cpu *cpu, km_pfn pfn, enum km_lru_touch how)
{
    uint32_t flags = km_page_flags(os, cpu, pfn);

    km_exec(cpu, &site_touch, 14);
    if (!(flags & (KM_PG_LRU | KM_PG_BATCHED)))
        return;
    if (how == KM_LRU_TOUCH_WRITE)
        km_lru_change_flags(os, cpu, pfn, KM_PG_DIRTY, 0);
    if (how == KM_LRU_TOUCH_MAPPED)
        km_lru_change_flags(os, cpu, pfn, KM_PG_YOUNG, 0);
    if (how != KM_LRU_TOUCH_READ)
        return;
    if (!(flags & KM_PG_REFERENCED)) {
        km_lru_change_flags(os, cpu, pfn, KM_PG_REFERENCED, 0);
        return;
    }
    if (flags & (KM_PG_ACTIVE | KM_PG_UNEVICTABLE))
        return;
    bool listed = km_lru_take(os, cpu, pfn);

    km_lru_change_flags(os, cpu, pfn, KM_PG_ACTIVE, KM_PG_REFERENCED);
    os->lru->activated++;
    if (listed)
        km_lru_put(os, cpu, pfn, false);
}

void km_lru_move(struct km_os *os, struct km_cpu *cpu, km_pfn from, km_pfn to)
{
    uint32_t flags = km_page_flags(os, cpu, from) & LRU_FLAGS;
    bool mapped = km_page_mapped(os, cpu, from);

    km_lru_end(os, cpu, from);
    km_lru_place(os, cpu, to, flags, false);
    if (mapped)
        km_st32(cpu, km_page_va(os, to) + KM_PAGE_TYPE, 0);
}

/* ---- check ---- */

struct tally {
    uint32_t zone[KM_NR_ZONES][KM_LRU_NR];
    uint32_t list[KM_LRU_NR];
};

static const char *check_page(const struct km_os *os, const uint8_t *window, km_pfn pfn, unsigned l, struct tally *t)
{
    uint32_t flags = km_peek32(window, km_page_va(os, pfn) + KM_PAGE_FLAGS);
    enum km_zone_id z = km_pfn_zone(os, pfn);
    uint32_t pages = 1u << km_compound_order(os, window, pfn);

    if (z == KM_NR_ZONES)
        return "a page on an LRU list lies in no zone";
    if (!(flags & KM_PG_LRU) || flags & KM_PG_BATCHED)
        return "a page on an LRU list is not marked so";
    if (km_lru_list_of(flags) != l)
        return "a page lies on an LRU list its flags do not name";
    if (km_peek32(window, km_page_va(os, pfn) + KM_PAGE_TYPE) == KM_PAGE_TYPE_BUDDY)
        return "a page on an LRU list is free";
    t->zone[z][l] += pages;
    t->list[l] += pages;
    return NULL;
}

static const char *check_vec(const struct km_os *os, const uint8_t *window, km_vaddr vec, struct tally *t)
{
    memset(t->list, 0, sizeof(t->list));
    for (unsigned l = 0; l < KM_LRU_NR; l++) {
        km_vaddr head = vec + KM_LRUVEC_LISTS + l * 8, prev = head;

        for (km_vaddr n = km_peek32(window, head); n != head; n = km_peek32(window, n)) {
            if (km_peek32(window, n + KM_LIST_PREV) != prev)
                return "an LRU list's back link is broken";
            const char *wrong = check_page(os, window, km_page_pfn(os, n - KM_PAGE_LRU), l, t);

            if (wrong)
                return wrong;
            prev = n;
        }
        if (km_peek32(window, vec + KM_LRUVEC_SIZE + l * 4) != t->list[l])
            return "the size of an LRU list differs from the list";
    }
    return NULL;
}

static const char *check_batches(const struct km_os *os, const uint8_t *window)
{
    for (unsigned c = 0; c < os->p.cpus; c++) {
        km_vaddr batch = os->lru->batch_va[c];
        uint32_t nr = km_peek32(window, batch);

        if (nr >= os->p.personality->lru_batch_pages)
            return "a batch for the LRU lists is too full";
        for (uint32_t i = 0; i < nr; i++) {
            km_vaddr page = km_peek32(window, batch + KM_LRU_BATCH_PAGES + i * 4);
            uint32_t flags = km_peek32(window, page + KM_PAGE_FLAGS);

            if (!(flags & KM_PG_BATCHED) || flags & KM_PG_LRU)
                return "a page in a batch for the LRU lists is not marked so";
        }
    }
    return NULL;
}

const char *km_lru_check(const struct km_os *os, const uint8_t *window)
{
    struct tally t = {.zone = {{0}}};
    const char *wrong = NULL;

    for (unsigned z = 0; z < KM_NR_ZONES && !wrong; z++)
        if (z == 0 || os->lru->vec_va[z] != os->lru->vec_va[z - 1])
            wrong = check_vec(os, window, os->lru->vec_va[z], &t);
    for (unsigned z = 0; z < KM_NR_ZONES && !wrong; z++)
        for (unsigned l = 0; l < KM_LRU_NR && !wrong; l++)
            if (km_peek32(window, os->lru->zone_size_va + (z * KM_LRU_NR + l) * 4) != t.zone[z][l])
                wrong = "a zone's count of LRU pages differs from the lists";
    return wrong ? wrong : check_batches(os, window);
}
