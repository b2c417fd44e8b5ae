/* SPDX-License-Identifier: MIT
 * pcp.c - per-CPU page lists: batched refill from and batched flush to the buddy lists.
 *
 * Models:      lists for orders 0..3 and, with THP, pageblock_order, each per migratetype; one page count per
 *              CPU and zone. Taking pops the head and refills an empty list by `batch` blocks appended to
 *              the tail; freeing pushes to the head and, at the limit, flushes from the tails, starting with
 *              the list just freed to and staying on a list until it is empty. The flush doubles while
 *              nothing is allocated (free_factor); a freed block of order 1..3 then flushes everything.
 * Not modelled: the trylock that lets an interrupt bypass a busy list.
 * Invariants:  count = sum over lists of blocks * 2^order; listed pages are not marked free (km_pcp_check).
 * Units:       count, high, batch in pages.
 * References:  kernel-behaviour notes C2; L. Torvalds' and M. Gorman's changelogs of mm/page_alloc.c 5.13.
 */
#include "models/os/pcp.h"

#include "models/base/bits.h"
#include "models/base/bug.h"
#include "models/os/page_fn.h"

#include <string.h>

static const struct km_site site_take = {"rmqueue_pcplist", 0xc1292000u, 448};
/* Recorded: a refill of 31 pages without splitting makes __folio_alloc 3848 instructions, 1381 loads and 958
 * stores longer: 124, 45 and 31 a page, less what the carving itself charges and references. */
static const struct km_fn fn_bulk = {{"rmqueue_bulk", 0xc1292200u, 256}, 50, 13, 35};
#define BULK_DEPTH 76u
static const struct km_site site_free = {"free_unref_page_commit", 0xc1292400u, 352};
static const struct km_site site_flush = {"free_pcppages_bulk", 0xc1292600u, 512};

static unsigned nr_lists(const struct km_os *os)
{
    unsigned ordinary = (os->p.personality->pcp_max_order + 1) * KM_MT_PCP_TYPES;

    return ordinary + (os->p.thp ? os->p.personality->pcp_thp_lists : 0);
}

static unsigned list_index(const struct km_os *os, unsigned order, enum km_migratetype mt)
{
    const struct km_personality *per = os->p.personality;

    if (order <= per->pcp_max_order)
        return order * KM_MT_PCP_TYPES + mt;
    unsigned thp = (per->pcp_max_order + 1) * KM_MT_PCP_TYPES;

    return per->pcp_thp_lists > 1 && mt == KM_MT_MOVABLE ? thp + 1 : thp;
}

static unsigned list_order(const struct km_os *os, unsigned index)
{
    unsigned order = index / KM_MT_PCP_TYPES;

    return order <= os->p.personality->pcp_max_order ? order : os->p.pageblock_order;
}

static km_vaddr list_va(km_vaddr pcp, unsigned index)
{
    return pcp + KM_PCP_LISTS + index * 8;
}

void km_pcp_init_boot(struct km_os *os, struct km_cpu *cpu)
{
    for (unsigned z = 0; z < KM_NR_ZONES; z++)
        for (unsigned c = 0; c < os->p.cpus; c++) {
            km_vaddr pcp = km_os_static_alloc(os, KM_PCP_BYTES, 64);

            os->zone[z].pcp_va[c] = pcp;
            memset(cpu->window + pcp, 0, KM_PCP_BYTES);
            km_st32(cpu, pcp + KM_PCP_BATCH, 1);
            for (unsigned i = 0; i < KM_PCP_MAX_LISTS; i++)
                km_list_init(cpu, list_va(pcp, i));
        }
    os->pagesets_live = false;
}

static uint32_t zone_batch(const struct km_os *os, uint32_t managed)
{
    uint32_t x = (uint32_t)km_min_u64(managed / 1024, os->p.personality->pcp_batch_pages_max) / 4;

    if (x < 1)
        x = 1;
    uint32_t batch = (1u << km_log2(x + x / 2)) - 1;

    return batch ? batch : 1;
}

void km_pcp_set_limits(struct km_os *os, struct km_cpu *cpu, enum km_zone_id z, unsigned on_cpu,
                       uint32_t high, uint32_t batch)
{
    km_vaddr pcp = os->zone[z].pcp_va[on_cpu];

    km_st32(cpu, pcp + KM_PCP_HIGH, high);
    km_st32(cpu, pcp + KM_PCP_BATCH, batch);
}

void km_pcp_setup(struct km_os *os, struct km_cpu *cpu, unsigned online_cpus)
{
    for (unsigned z = 0; z < KM_NR_ZONES; z++) {
        km_vaddr va = os->zone[z].va;
        uint32_t batch = zone_batch(os, km_ld32(cpu, va + KM_ZONE_MANAGED));
        uint32_t low = km_ld32(cpu, va + KM_ZONE_WATERMARK + KM_WMARK_LOW * 4);
        uint32_t batches = os->p.personality->pcp_high_batches;
        uint32_t high = batches ? batches * batch : (uint32_t)km_max_u64(low / online_cpus, 4 * batch);

        if (!km_zone_populated(&os->zone[z]))
            continue;
        for (unsigned c = 0; c < os->p.cpus; c++)
            km_pcp_set_limits(os, cpu, (enum km_zone_id)z, c, high, batch);
    }
    os->pagesets_live = true;
}

/* Appends up to `batch` blocks to an empty list; returns how many came. */
static unsigned refill(struct km_os *os, struct km_cpu *cpu, enum km_zone_id z, unsigned order,
                       enum km_migratetype mt, uint32_t batch, km_vaddr list, unsigned alloc_flags)
{
    unsigned got = 0;
    km_vaddr lock = os->zone[z].va + KM_ZONE_LOCK;

    if (batch > 1)
        batch = (uint32_t)km_max_u64(batch >> order, 2);
    km_lock(cpu, lock);
    for (; got < batch; got++) {
        km_pfn pfn = km_buddy_take(os, cpu, z, order, mt, alloc_flags | KM_ALLOC_UNCOUNTED);

        km_page_fn_enter(os, cpu, &fn_bulk, BULK_DEPTH);
        km_page_fn_leave(os, cpu, &fn_bulk, BULK_DEPTH);
        if (pfn == KM_PFN_NONE)
            break;
        km_list_add_tail(cpu, km_page_va(os, pfn) + KM_PAGE_LRU, list);
    }
    km_zone_add_free(cpu, &os->zone[z], -(int32_t)(got << order));
    km_unlock(cpu, lock);
    return got;
}

/* Pops the head of a list, refilling it first if it is empty; the pcp lock is held. */
static km_pfn pop(struct km_os *os, struct km_cpu *cpu, enum km_zone_id z, km_vaddr pcp, unsigned order,
                  enum km_migratetype mt, unsigned alloc_flags)
{
    km_vaddr list = list_va(pcp, list_index(os, order, mt)), count = pcp + KM_PCP_COUNT;

    if (km_list_empty(cpu, list)) {
        unsigned got = refill(os, cpu, z, order, mt, km_ld32(cpu, pcp + KM_PCP_BATCH), list, alloc_flags);

        km_st32(cpu, count, km_ld32(cpu, count) + (got << order));
        if (!got)
            return KM_PFN_NONE;
    }
    km_vaddr node = km_list_first(cpu, list);

    km_list_del(cpu, node);
    km_st32(cpu, count, km_ld32(cpu, count) - (1u << order));
    return km_page_pfn(os, node - KM_PAGE_LRU);
}

km_pfn km_pcp_take(struct km_os *os, struct km_cpu *cpu, enum km_zone_id z, unsigned order,
                   enum km_migratetype mt, unsigned alloc_flags)
{
    km_vaddr pcp = os->zone[z].pcp_va[cpu->id], factor = pcp + KM_PCP_FREE_FACTOR;

    km_lock(cpu, pcp + KM_PCP_LOCK);
    km_exec(cpu, &site_take, 87);
    km_st32(cpu, factor, km_ld32(cpu, factor) >> 1);
    km_pfn pfn = pop(os, cpu, z, pcp, order, mt, alloc_flags);

    km_unlock(cpu, pcp + KM_PCP_LOCK);
    return pfn;
}

km_pfn km_pcp_take_bulk(struct km_os *os, struct km_cpu *cpu, enum km_zone_id z, unsigned order,
                        enum km_migratetype mt)
{
    km_vaddr pcp = os->zone[z].pcp_va[cpu->id];

    km_lock(cpu, pcp + KM_PCP_LOCK);
    km_pfn pfn = pop(os, cpu, z, pcp, order, mt, 0);

    km_unlock(cpu, pcp + KM_PCP_LOCK);
    return pfn;
}

/* Gives the tail of a list back; false if it is empty. */
static bool flush_one(struct km_os *os, struct km_cpu *cpu, enum km_zone_id z, km_vaddr list, unsigned order)
{
    km_vaddr node = km_list_last(cpu, list), page = node - KM_PAGE_LRU;

    if (node == list)
        return false;
    km_pfn pfn = km_page_pfn(os, page);
    enum km_migratetype mt = (enum km_migratetype)km_ld32(cpu, page + KM_PAGE_INDEX);

    km_list_del(cpu, node);
    km_buddy_free(os, cpu, z, pfn, order, mt, false);
    km_exec(cpu, &site_flush, 22);
    km_trace_tp(os, cpu,
                &(struct km_tp){.kind = KM_TP_PCPU_DRAIN,
                                .pfn = pfn,
                                .order = (uint8_t)order,
                                .migratetype = (uint8_t)mt});
    return true;
}

/* Before 5.13: from type to type, one page more for every empty list passed, all from the last one left. */
static void flush_in_turn(struct km_os *os, struct km_cpu *cpu, enum km_zone_id z, km_vaddr pcp, uint32_t pages)
{
    unsigned mt = 0, most = 0;

    while (pages) {
        most++;
        mt = (mt + 1) % KM_MT_PCP_TYPES;
        km_exec(cpu, &site_flush, 8);
        if (km_list_empty(cpu, list_va(pcp, mt)))
            continue;
        if (most == KM_MT_PCP_TYPES)
            most = pages;
        for (; pages && most && flush_one(os, cpu, z, list_va(pcp, mt), 0); most--)
            pages--;
        most = 0;
    }
}

/* free_pcppages_bulk: `pages` pages from the tails, cyclically from list `index`. */
static void flush(struct km_os *os, struct km_cpu *cpu, enum km_zone_id z, km_vaddr pcp, uint32_t pages,
                  unsigned index)
{
    unsigned lists = nr_lists(os);
    uint32_t count = km_ld32(cpu, pcp + KM_PCP_COUNT);
    km_vaddr lock = os->zone[z].va + KM_ZONE_LOCK;

    if (pages > count)
        pages = count;
    km_lock(cpu, lock);
    if (os->p.personality->pcp_drain_in_turn) {
        flush_in_turn(os, cpu, z, pcp, pages);
        count -= pages;
        pages = 0;
    }
    for (; (int32_t)pages > 0; index = (index + 1) % lists) {
        unsigned order = list_order(os, index);

        km_exec(cpu, &site_flush, 8);
        while ((int32_t)pages > 0 && flush_one(os, cpu, z, list_va(pcp, index), order)) {
            pages -= 1u << order;
            count -= 1u << order;
        }
    }
    km_st32(cpu, pcp + KM_PCP_COUNT, count);
    km_unlock(cpu, lock);
}

/* Pages to flush now that the limit is reached; raises free_factor. */
static uint32_t flush_amount(struct km_os *os, struct km_cpu *cpu, km_vaddr pcp, uint32_t limit, bool everything)
{
    uint32_t batch = km_ld32(cpu, pcp + KM_PCP_BATCH), factor = km_ld32(cpu, pcp + KM_PCP_FREE_FACTOR);

    if (everything)
        return km_ld32(cpu, pcp + KM_PCP_COUNT);
    if (limit < batch)
        return 1;
    uint32_t most = limit - batch, amount = batch << factor;

    if (amount < most && factor < os->p.personality->pcp_free_factor_max)
        km_st32(cpu, pcp + KM_PCP_FREE_FACTOR, factor + 1);
    if (amount < batch)
        amount = batch;
    return amount > most ? most : amount;
}

void km_pcp_free(struct km_os *os, struct km_cpu *cpu, enum km_zone_id z, km_pfn pfn, unsigned order)
{
    km_vaddr pcp = os->zone[z].pcp_va[cpu->id], page = km_page_va(os, pfn);
    enum km_migratetype mt = km_pageblock_type(os, cpu, z, pfn);

    if (mt == KM_MT_ISOLATE) {
        km_lock(cpu, os->zone[z].va + KM_ZONE_LOCK);
        km_buddy_free(os, cpu, z, pfn, order, mt, false);
        km_unlock(cpu, os->zone[z].va + KM_ZONE_LOCK);
        return;
    }
    km_lock(cpu, pcp + KM_PCP_LOCK);
    km_st32(cpu, page + KM_PAGE_INDEX, mt);
    unsigned index = list_index(os, order, mt < KM_MT_PCP_TYPES ? mt : KM_MT_MOVABLE);
    uint32_t count = km_ld32(cpu, pcp + KM_PCP_COUNT) + (1u << order);
    bool everything = order >= 1 && order <= os->p.personality->pcp_max_order &&
                      km_ld32(cpu, pcp + KM_PCP_FREE_FACTOR) != 0;
    uint32_t limit = everything ? 0 : km_ld32(cpu, pcp + KM_PCP_HIGH);

    if (limit && (km_ld32(cpu, os->zone[z].va + KM_ZONE_FLAGS) & KM_ZONE_RECLAIM_ACTIVE))
        limit = (uint32_t)km_min_u64(4 * km_ld32(cpu, pcp + KM_PCP_BATCH), limit);

    km_list_add(cpu, page + KM_PAGE_LRU, list_va(pcp, index));
    km_st32(cpu, pcp + KM_PCP_COUNT, count);
    km_exec(cpu, &site_free, 156);
    if (count >= limit)
        flush(os, cpu, z, pcp, flush_amount(os, cpu, pcp, limit, everything), index);
    km_unlock(cpu, pcp + KM_PCP_LOCK);
}

void km_pcp_drain(struct km_os *os, struct km_cpu *cpu, enum km_zone_id z, unsigned on_cpu, uint32_t pages)
{
    km_vaddr pcp = os->zone[z].pcp_va[on_cpu];

    km_lock(cpu, pcp + KM_PCP_LOCK);
    flush(os, cpu, z, pcp, pages, 0);
    km_unlock(cpu, pcp + KM_PCP_LOCK);
}

void km_pcp_place(struct km_os *os, struct km_cpu *cpu, enum km_zone_id z, unsigned on_cpu, km_pfn pfn,
                  unsigned order, enum km_migratetype mt)
{
    km_vaddr pcp = os->zone[z].pcp_va[on_cpu], page = km_page_va(os, pfn);

    km_st32(cpu, page + KM_PAGE_INDEX, mt);
    km_st32(cpu, page + KM_PAGE_REFCOUNT, 0); /* free, as far as the page allocator is concerned */
    km_list_add_tail(cpu, page + KM_PAGE_LRU, list_va(pcp, list_index(os, order, mt)));
    km_st32(cpu, pcp + KM_PCP_COUNT, km_ld32(cpu, pcp + KM_PCP_COUNT) + (1u << order));
}

/* List of `on_cpu` that pfn is on; -1 if it is on none. Untimed. */
static int listed_on(const struct km_os *os, const uint8_t *window, km_vaddr pcp, km_pfn pfn)
{
    km_vaddr wanted = km_page_va(os, pfn) + KM_PAGE_LRU;

    for (unsigned i = 0; i < nr_lists(os); i++) {
        km_vaddr head = list_va(pcp, i);

        for (km_vaddr n = km_peek32(window, head); n != head; n = km_peek32(window, n))
            if (n == wanted)
                return (int)i;
    }
    return -1;
}

int km_pcp_listed_order(const struct km_os *os, const uint8_t *window, enum km_zone_id z, unsigned on_cpu,
                        km_pfn pfn)
{
    int index = listed_on(os, window, os->zone[z].pcp_va[on_cpu], pfn);

    return index < 0 ? -1 : (int)list_order(os, (unsigned)index);
}

bool km_pcp_remove(struct km_os *os, struct km_cpu *cpu, enum km_zone_id z, unsigned on_cpu, km_pfn pfn)
{
    km_vaddr pcp = os->zone[z].pcp_va[on_cpu], count = pcp + KM_PCP_COUNT;
    int index = listed_on(os, cpu->window, pcp, pfn);

    if (index < 0)
        return false;
    km_list_del(cpu, km_page_va(os, pfn) + KM_PAGE_LRU);
    km_st32(cpu, count, km_ld32(cpu, count) - (1u << list_order(os, (unsigned)index)));
    return true;
}

bool km_pcp_replace(struct km_os *os, struct km_cpu *cpu, enum km_zone_id z, unsigned on_cpu, km_pfn pfn,
                    km_pfn with, unsigned order)
{
    km_vaddr page = km_page_va(os, pfn), other = km_page_va(os, with);
    int index = listed_on(os, cpu->window, os->zone[z].pcp_va[on_cpu], pfn);

    if (index < 0 || list_order(os, (unsigned)index) != order)
        return false;
    km_list_add(cpu, other + KM_PAGE_LRU, page + KM_PAGE_LRU);
    km_list_del(cpu, page + KM_PAGE_LRU);
    km_st32(cpu, other + KM_PAGE_INDEX, km_ld32(cpu, page + KM_PAGE_INDEX));
    return true;
}

bool km_pcp_has(const struct km_os *os, const uint8_t *window, enum km_zone_id z, unsigned on_cpu, unsigned order,
                enum km_migratetype mt)
{
    km_vaddr list = list_va(os->zone[z].pcp_va[on_cpu], list_index(os, order, mt));

    return km_peek32(window, list + KM_LIST_NEXT) != list;
}

uint32_t km_pcp_count(const struct km_os *os, const uint8_t *window, enum km_zone_id z, unsigned on_cpu)
{
    return km_peek32(window, os->zone[z].pcp_va[on_cpu] + KM_PCP_COUNT);
}

const char *km_pcp_check(const struct km_os *os, const uint8_t *window, enum km_zone_id z, unsigned on_cpu)
{
    km_vaddr pcp = os->zone[z].pcp_va[on_cpu];
    uint32_t pages = 0;

    for (unsigned i = 0; i < nr_lists(os); i++) {
        km_vaddr head = list_va(pcp, i), prev = head;

        for (km_vaddr n = km_peek32(window, head); n != head; n = km_peek32(window, n)) {
            if (km_peek32(window, n + KM_LIST_PREV) != prev)
                return "a per-CPU list's back link is broken";
            if (km_peek32(window, n - KM_PAGE_LRU + KM_PAGE_TYPE) == KM_PAGE_TYPE_BUDDY)
                return "a page on a per-CPU list is marked free";
            prev = n;
            pages += 1u << list_order(os, i);
        }
    }
    return pages == km_peek32(window, pcp + KM_PCP_COUNT) ? NULL : "pcp count differs from the lists";
}
