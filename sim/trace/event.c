/* SPDX-License-Identifier: MIT
 * event.c - names of the trace events, as tracefs spells them, including the names of older
 * kernels.
 *
 * The first row of a type is its canonical name (kernel-behaviour H1: 6.1); later rows are aliases:
 * kmalloc_node and kmem_cache_alloc_node (before 6.1), mm_page_free_direct and mm_pagevec_free (up
 * to 3.2).
 */
#include "sim/trace/event.h"
#include "sim/trace/event_name.h"

#include <string.h>

#define ROW(text, type)                                                                            \
    {                                                                                              \
        text, sizeof(text) - 1, type                                                               \
    }

const struct km_event_name km_event_names[] = {
    ROW("kmalloc", KM_EV_KMALLOC),
    ROW("kmalloc_node", KM_EV_KMALLOC),
    ROW("kmem_cache_alloc", KM_EV_KMEM_CACHE_ALLOC),
    ROW("kmem_cache_alloc_node", KM_EV_KMEM_CACHE_ALLOC),
    ROW("kfree", KM_EV_KFREE),
    ROW("kmem_cache_free", KM_EV_KMEM_CACHE_FREE),
    ROW("mm_page_alloc", KM_EV_PAGE_ALLOC),
    ROW("mm_page_free", KM_EV_PAGE_FREE),
    ROW("mm_page_free_direct", KM_EV_PAGE_FREE),
    ROW("mm_page_free_batched", KM_EV_PAGE_FREE_BATCHED),
    ROW("mm_pagevec_free", KM_EV_PAGE_FREE_BATCHED),
    ROW("mm_page_alloc_zone_locked", KM_EV_PAGE_ALLOC_ZONE_LOCKED),
    ROW("mm_page_pcpu_drain", KM_EV_PAGE_PCPU_DRAIN),
    ROW("mm_page_alloc_extfrag", KM_EV_PAGE_ALLOC_EXTFRAG),
    ROW("percpu_alloc_percpu", KM_EV_PERCPU_ALLOC),
    ROW("percpu_free_percpu", KM_EV_PERCPU_FREE),
    ROW("percpu_alloc_percpu_fail", KM_EV_PERCPU_ALLOC_FAIL),
    ROW("percpu_create_chunk", KM_EV_PERCPU_CREATE_CHUNK),
    ROW("percpu_destroy_chunk", KM_EV_PERCPU_DESTROY_CHUNK),
    ROW("mm_vmscan_kswapd_wake", KM_EV_KSWAPD_WAKE),
    ROW("mm_vmscan_kswapd_sleep", KM_EV_KSWAPD_SLEEP),
    ROW("mm_vmscan_wakeup_kswapd", KM_EV_WAKEUP_KSWAPD),
    ROW("mm_vmscan_direct_reclaim_begin", KM_EV_DIRECT_RECLAIM_BEGIN),
    ROW("mm_vmscan_direct_reclaim_end", KM_EV_DIRECT_RECLAIM_END),
    ROW("mm_compaction_begin", KM_EV_COMPACTION_BEGIN),
    ROW("mm_compaction_end", KM_EV_COMPACTION_END),
    ROW("oom", KM_EV_OOM),
    ROW("oom_score_adj_update", KM_EV_OOM),
    ROW("reclaim_retry_zone", KM_EV_OOM),
    ROW("compact_retry", KM_EV_OOM),
    ROW("mark_victim", KM_EV_OOM),
    ROW("wake_reaper", KM_EV_OOM),
    ROW("start_task_reaping", KM_EV_OOM),
    ROW("finish_task_reaping", KM_EV_OOM),
    ROW("skip_task_reaping", KM_EV_OOM),
    ROW("vmalloc_range", KM_EV_VMALLOC_RANGE),
    ROW("vmalloc_range_ret", KM_EV_VMALLOC_RANGE_RET),
    ROW("vfree", KM_EV_VFREE),
    ROW("vm_area", KM_EV_VM_AREA),
    ROW("vm_area_remove", KM_EV_VM_AREA_REMOVE),
    ROW("pages_bulk", KM_EV_PAGES_BULK),
    ROW("pages_bulk_ret", KM_EV_PAGES_BULK_RET),
    ROW("slab_alloc_bulk", KM_EV_SLAB_ALLOC_BULK),
    ROW("slab_alloc_bulk_ret", KM_EV_SLAB_ALLOC_BULK_RET),
    ROW("slab_free_bulk", KM_EV_SLAB_FREE_BULK),
    ROW("cache_create", KM_EV_CACHE_CREATE),
    ROW("split_page", KM_EV_SPLIT_PAGE),
    ROW("pages_exact", KM_EV_PAGES_EXACT),
    ROW("pages_exact_ret", KM_EV_PAGES_EXACT_RET),
    ROW("mempool_alloc", KM_EV_MEMPOOL_ALLOC),
    ROW("mempool_free", KM_EV_MEMPOOL_FREE),
    ROW("kmap_high", KM_EV_KMAP_HIGH),
    ROW("kunmap_high", KM_EV_KUNMAP_HIGH),
    ROW("krealloc", KM_EV_KREALLOC),
    ROW("kmap_local", KM_EV_KMAP_LOCAL),
    ROW("kunmap_local", KM_EV_KUNMAP_LOCAL),
    ROW("print", KM_EV_MARK),
    ROW("tracing_mark_write", KM_EV_MARK),
    ROW("lost", KM_EV_LOST),
    ROW("other", KM_EV_OTHER),
};
const size_t km_nr_event_names = sizeof(km_event_names) / sizeof(km_event_names[0]);

const char *km_event_name(enum km_event_type type)
{
    for (size_t i = 0; i < km_nr_event_names; i++)
        if (km_event_names[i].type == type)
            return km_event_names[i].name;
    return "none";
}

enum km_event_type km_event_by_name(const char *name, size_t len)
{
    for (size_t i = 0; i < km_nr_event_names; i++) {
        const struct km_event_name *row = &km_event_names[i];

        if (row->len == len && memcmp(row->name, name, len) == 0 && row->type != KM_EV_LOST &&
            row->type != KM_EV_OTHER)
            return row->type;
    }
    return KM_EV_NONE;
}
