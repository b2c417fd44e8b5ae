/* SPDX-License-Identifier: MIT
 * fields.c - the fields of every modelled event in the order 6.1 prints them (kernel-behaviour H2,
 * H3).
 *
 * `needed` is what the text must have; binary formats leave out constants (order of
 * mm_page_free_batched).
 */
#include "sim/trace/fields.h"

#define FIELD(key, kind, needed, member)                                                           \
    {                                                                                              \
        key "=", sizeof(key "=") - 1, kind, needed, offsetof(struct km_event, member)              \
    }
#define TABLE(name, ...) static const struct km_field name[] = {__VA_ARGS__, {NULL, 0, 0, false, 0}}

TABLE(f_alloc, FIELD("call_site", KM_F_SITE, true, obj), FIELD("ptr", KM_F_PTR, true, obj.ptr),
      FIELD("bytes_req", KM_F_U32, true, obj.bytes_req),
      FIELD("bytes_alloc", KM_F_U32, true, obj.bytes_alloc),
      FIELD("gfp_flags", KM_F_GFP, true, obj.gfp), FIELD("node", KM_F_I16, false, obj.node),
      FIELD("accounted", KM_F_BOOL, false, obj.accounted));
TABLE(f_kfree, FIELD("call_site", KM_F_SITE, true, obj), FIELD("ptr", KM_F_PTR, true, obj.ptr));
TABLE(f_cache_free, FIELD("call_site", KM_F_SITE, true, obj), FIELD("ptr", KM_F_PTR, true, obj.ptr),
      FIELD("name", KM_F_TEXT, false, obj.name));
TABLE(f_page_alloc, FIELD("page", KM_F_SKIP, false, page), FIELD("pfn", KM_F_PFN, true, page.pfn),
      FIELD("order", KM_F_U8, true, page.order),
      FIELD("migratetype", KM_F_I8, true, page.migratetype),
      FIELD("gfp_flags", KM_F_GFP, true, page.gfp));
TABLE(f_page_free, FIELD("page", KM_F_SKIP, false, page), FIELD("pfn", KM_F_PFN, true, page.pfn),
      FIELD("order", KM_F_U8, true, page.order));
TABLE(f_zone_locked, FIELD("page", KM_F_SKIP, false, page), FIELD("pfn", KM_F_PFN, true, page.pfn),
      FIELD("order", KM_F_U8, true, page.order),
      FIELD("migratetype", KM_F_I8, true, page.migratetype),
      FIELD("percpu_refill", KM_F_BOOL, false, page.flag));
TABLE(f_drain, FIELD("page", KM_F_SKIP, false, page), FIELD("pfn", KM_F_PFN, true, page.pfn),
      FIELD("order", KM_F_U8, true, page.order),
      FIELD("migratetype", KM_F_I8, true, page.migratetype));
TABLE(f_extfrag, FIELD("page", KM_F_SKIP, false, page), FIELD("pfn", KM_F_PFN, true, extfrag.pfn),
      FIELD("alloc_order", KM_F_U8, true, extfrag.alloc_order),
      FIELD("fallback_order", KM_F_U8, true, extfrag.fallback_order),
      FIELD("pageblock_order", KM_F_U8, false, extfrag.pageblock_order),
      FIELD("alloc_migratetype", KM_F_I8, true, extfrag.alloc_migratetype),
      FIELD("fallback_migratetype", KM_F_I8, true, extfrag.fallback_migratetype),
      FIELD("change_ownership", KM_F_BOOL, false, extfrag.change_ownership));
TABLE(f_percpu_alloc, FIELD("call_site", KM_F_SITE, false, percpu.call_site_addr),
      FIELD("reserved", KM_F_BOOL, true, percpu.reserved),
      FIELD("is_atomic", KM_F_BOOL, true, percpu.is_atomic),
      FIELD("size", KM_F_U32, true, percpu.size), FIELD("align", KM_F_U32, true, percpu.align),
      FIELD("base_addr", KM_F_PTR, true, percpu.base_addr),
      FIELD("off", KM_F_U32, true, percpu.off), FIELD("ptr", KM_F_PTR, true, percpu.ptr),
      FIELD("bytes_alloc", KM_F_U32, false, percpu.bytes_alloc),
      FIELD("gfp_flags", KM_F_GFP, false, percpu.gfp));
TABLE(f_percpu_free, FIELD("base_addr", KM_F_PTR, true, percpu.base_addr),
      FIELD("off", KM_F_U32, true, percpu.off), FIELD("ptr", KM_F_PTR, true, percpu.ptr));
TABLE(f_percpu_fail, FIELD("reserved", KM_F_BOOL, true, percpu.reserved),
      FIELD("is_atomic", KM_F_BOOL, true, percpu.is_atomic),
      FIELD("size", KM_F_U32, true, percpu.size), FIELD("align", KM_F_U32, true, percpu.align));
TABLE(f_percpu_chunk, FIELD("base_addr", KM_F_PTR, true, percpu.base_addr));
TABLE(f_kswapd_wake, FIELD("nid", KM_F_I32, true, reclaim.nid),
      FIELD("order", KM_F_U32, true, reclaim.order));
TABLE(f_kswapd_sleep, FIELD("nid", KM_F_I32, true, reclaim.nid));
TABLE(f_wakeup, FIELD("nid", KM_F_I32, true, reclaim.nid),
      FIELD("order", KM_F_U32, true, reclaim.order),
      FIELD("gfp_flags", KM_F_GFP, false, reclaim.gfp));
TABLE(f_direct_begin, FIELD("order", KM_F_U32, true, reclaim.order),
      FIELD("gfp_flags", KM_F_GFP, true, reclaim.gfp));
TABLE(f_direct_end, FIELD("nr_reclaimed", KM_F_U32, true, reclaim.nr));
TABLE(f_compaction, FIELD("zone_start", KM_F_PFN, true, compaction.zone_start),
      FIELD("migrate_pfn", KM_F_PFN, true, compaction.migrate_pfn),
      FIELD("free_pfn", KM_F_PFN, true, compaction.free_pfn),
      FIELD("zone_end", KM_F_PFN, true, compaction.zone_end),
      FIELD("mode", KM_F_SYNC, true, compaction.sync),
      FIELD("status", KM_F_TEXT, false, compaction.name));
TABLE(f_vmalloc_range, FIELD("size", KM_F_U64, true, probe.a),
      FIELD("align", KM_F_U64, true, probe.b), FIELD("start", KM_F_PTR, true, probe.c),
      FIELD("end", KM_F_PTR, true, probe.d), FIELD("gfp", KM_F_U32, true, probe.gfp));
TABLE(f_ptr, FIELD("ptr", KM_F_PTR, true, probe.a));
TABLE(f_got, FIELD("got", KM_F_U64, true, probe.a));
TABLE(f_vm_area, FIELD("size", KM_F_U64, true, probe.a), FIELD("flags", KM_F_PTR, true, probe.b));
TABLE(f_pages_bulk, FIELD("gfp", KM_F_U32, true, probe.gfp), FIELD("nr", KM_F_U64, true, probe.a));
TABLE(f_slab_bulk, FIELD("cache", KM_F_PTR, true, probe.a), FIELD("gfp", KM_F_U32, true, probe.gfp),
      FIELD("nr", KM_F_U64, true, probe.b));
TABLE(f_slab_free_bulk, FIELD("cache", KM_F_PTR, true, bulk.cache),
      FIELD("nr", KM_F_U32, true, bulk.nr));
TABLE(f_cache_create, FIELD("name", KM_F_TEXT, true, probe.name),
      FIELD("size", KM_F_U64, true, probe.a), FIELD("align", KM_F_U64, true, probe.b),
      FIELD("flags", KM_F_PTR, true, probe.c));
TABLE(f_split_page, FIELD("page", KM_F_PTR, true, probe.a),
      FIELD("order", KM_F_U64, true, probe.b));
TABLE(f_pages_exact, FIELD("size", KM_F_U64, true, probe.a),
      FIELD("gfp", KM_F_U32, true, probe.gfp));
TABLE(f_mempool_alloc, FIELD("pool", KM_F_PTR, true, probe.a),
      FIELD("gfp", KM_F_U32, true, probe.gfp));
TABLE(f_mempool_free, FIELD("ptr", KM_F_PTR, true, probe.a),
      FIELD("pool", KM_F_PTR, true, probe.b));
TABLE(f_page, FIELD("page", KM_F_PTR, true, probe.a));
TABLE(f_krealloc, FIELD("ptr", KM_F_PTR, true, probe.a), FIELD("size", KM_F_U64, true, probe.b),
      FIELD("gfp", KM_F_U32, true, probe.gfp));

static const struct km_field *const fields_of[KM_EV_NR] = {
    [KM_EV_KMALLOC] = f_alloc,
    [KM_EV_KMEM_CACHE_ALLOC] = f_alloc,
    [KM_EV_KFREE] = f_kfree,
    [KM_EV_KMEM_CACHE_FREE] = f_cache_free,
    [KM_EV_PAGE_ALLOC] = f_page_alloc,
    [KM_EV_PAGE_FREE] = f_page_free,
    [KM_EV_PAGE_FREE_BATCHED] = f_page_free,
    [KM_EV_PAGE_ALLOC_ZONE_LOCKED] = f_zone_locked,
    [KM_EV_PAGE_PCPU_DRAIN] = f_drain,
    [KM_EV_PAGE_ALLOC_EXTFRAG] = f_extfrag,
    [KM_EV_PERCPU_ALLOC] = f_percpu_alloc,
    [KM_EV_PERCPU_FREE] = f_percpu_free,
    [KM_EV_PERCPU_ALLOC_FAIL] = f_percpu_fail,
    [KM_EV_PERCPU_CREATE_CHUNK] = f_percpu_chunk,
    [KM_EV_PERCPU_DESTROY_CHUNK] = f_percpu_chunk,
    [KM_EV_KSWAPD_WAKE] = f_kswapd_wake,
    [KM_EV_KSWAPD_SLEEP] = f_kswapd_sleep,
    [KM_EV_WAKEUP_KSWAPD] = f_wakeup,
    [KM_EV_DIRECT_RECLAIM_BEGIN] = f_direct_begin,
    [KM_EV_DIRECT_RECLAIM_END] = f_direct_end,
    [KM_EV_COMPACTION_BEGIN] = f_compaction,
    [KM_EV_COMPACTION_END] = f_compaction,
    [KM_EV_VMALLOC_RANGE] = f_vmalloc_range,
    [KM_EV_VMALLOC_RANGE_RET] = f_ptr,
    [KM_EV_VFREE] = f_ptr,
    [KM_EV_VM_AREA] = f_vm_area,
    [KM_EV_VM_AREA_REMOVE] = f_ptr,
    [KM_EV_PAGES_BULK] = f_pages_bulk,
    [KM_EV_PAGES_BULK_RET] = f_got,
    [KM_EV_SLAB_ALLOC_BULK] = f_slab_bulk,
    [KM_EV_SLAB_ALLOC_BULK_RET] = f_got,
    [KM_EV_SLAB_FREE_BULK] = f_slab_free_bulk,
    [KM_EV_CACHE_CREATE] = f_cache_create,
    [KM_EV_SPLIT_PAGE] = f_split_page,
    [KM_EV_PAGES_EXACT] = f_pages_exact,
    [KM_EV_PAGES_EXACT_RET] = f_ptr,
    [KM_EV_MEMPOOL_ALLOC] = f_mempool_alloc,
    [KM_EV_MEMPOOL_FREE] = f_mempool_free,
    [KM_EV_KMAP_HIGH] = f_page,
    [KM_EV_KUNMAP_HIGH] = f_page,
    [KM_EV_KREALLOC] = f_krealloc,
    [KM_EV_KMAP_LOCAL] = f_page,
    [KM_EV_KUNMAP_LOCAL] = f_ptr,
};

const struct km_field *km_fields_of(enum km_event_type type)
{
    return type < KM_EV_NR ? fields_of[type] : NULL;
}
