/* SPDX-License-Identifier: MIT
 * layout.h - where the fields of the kernel's structures stand in guest memory (x86-32, Linux 6.1).
 *
 * Sizes and order follow the 686-pae build (32-bit pointers, struct page of 40 bytes with MEMCG, hot zone
 * fields and free areas on cache lines of their own), so that lines are shared and missed as there.
 * Offsets in bytes. A list_head is two words: next, prev.
 */
#ifndef KM_OS_LAYOUT_H
#define KM_OS_LAYOUT_H

/* struct page (stride: km_os_params.struct_page_bytes) */
enum {
    KM_PAGE_FLAGS = 0,
    KM_PAGE_LRU = 4,      /* list_head: free list, per-CPU list, LRU            */
    KM_PAGE_MAPPING = 12, /* address_space of a used page                       */
    KM_PAGE_INDEX = 16,   /* per-CPU lists: remembered migratetype              */
    KM_PAGE_PRIVATE = 20, /* order of a free block                              */
    KM_PAGE_TYPE = 24,    /* _mapcount / page_type                              */
    KM_PAGE_REFCOUNT = 28,
    KM_PAGE_MEMCG = 32,
    /* struct slab overlays struct page */
    KM_SLAB_LIST = 4, /* slab_list, or next + slabs on a cpu-partial list */
    KM_SLAB_NEXT = 4,
    KM_SLAB_SLABS = 8,
    KM_SLAB_CACHE = 12,
    KM_SLAB_FREELIST = 16,
    KM_SLAB_COUNTERS = 20, /* inuse:16, objects:15, frozen:1 */
    /* compound tails */
    KM_PAGE_COMPOUND_HEAD = 4, /* tail pages: head address | 1 */
    KM_PAGE_COMPOUND_ORDER = 9, /* of the first tail page, one byte (above head | 1) */
};

/* page->flags */
enum {
    KM_PG_REFERENCED = 1u << 1, /* second chance on the inactive list */
    KM_PG_DIRTY = 1u << 3,
    KM_PG_LRU = 1u << 4, /* on an LRU list: counts as movable occupancy */
    KM_PG_ACTIVE = 1u << 5,
    KM_PG_SLAB = 1u << 9,
    KM_PG_SWAPCACHE = 1u << 10, /* has a swap slot */
    KM_PG_RESERVED = 1u << 13,
    KM_PG_WRITEBACK = 1u << 15,
    KM_PG_HEAD = 1u << 16,
    KM_PG_RECLAIM = 1u << 18,    /* to the inactive tail when its writeback ends */
    KM_PG_SWAPBACKED = 1u << 19, /* anonymous or shmem: goes to swap */
    KM_PG_UNEVICTABLE = 1u << 20,
    KM_PG_BATCHED = 1u << 25, /* not in the kernel: waits in a CPU's batch for its LRU list */
    KM_PG_ISOLATED = 1u << 24, /* not in the kernel, which holds a reference: off its list for a moment */
    KM_PG_YOUNG = 1u << 26,   /* not in the kernel: accessed bit of the page's PTE */
    KM_PG_EXEC = 1u << 27,    /* not in the kernel: that mapping is executable */
    KM_PG_ZONE_SHIFT = 30, /* dmesg "Node/Zone ID: 32 -> 30" */
};

/* page->page_type values */
#define KM_PAGE_TYPE_NONE 0xffffffffu
#define KM_PAGE_TYPE_BUDDY 0xffffff7fu

/* struct free_area: one list per migratetype, then the block count */
enum {
    KM_FREE_AREA_LISTS = 0,
    KM_FREE_AREA_NR_FREE = 40, /* 5 lists of 8 bytes */
    KM_FREE_AREA_BYTES = 44,
};

/* struct zone */
enum {
    KM_ZONE_WATERMARK = 0, /* min, low, high, promo */
    KM_ZONE_BOOST = 16,
    KM_ZONE_NR_HIGHATOMIC = 20,
    KM_ZONE_LOWMEM_RESERVE = 24, /* 4 words */
    KM_ZONE_PGDAT = 40,
    KM_ZONE_PAGESETS = 44,
    KM_ZONE_PAGEBLOCK_FLAGS = 56,
    KM_ZONE_START_PFN = 60,
    KM_ZONE_MANAGED = 64,
    KM_ZONE_SPANNED = 68,
    KM_ZONE_PRESENT = 72,
    KM_ZONE_FLAGS = 76, /* KM_ZONE_* bits below */
    KM_ZONE_FREE_AREA = 128,
    KM_ZONE_LOCK = 128 + 11 * 44 + 4,
    KM_ZONE_NR_FREE_PAGES = 640, /* vm_stat[NR_FREE_PAGES] */
    KM_ZONE_COMPACT_FREE = 648,    /* where the next free scan starts: first frame of a pageblock */
    KM_ZONE_COMPACT_MIGRATE = 652, /* ... and the next migrate scan: async, sync */
    KM_ZONE_COMPACT_INIT_MIGRATE = 660, /* where the scans of a whole zone found something first */
    KM_ZONE_COMPACT_INIT_FREE = 664,
    KM_ZONE_COMPACT_FLUSH = 668, /* a direct run met its scanners: skip bits are to be forgotten */
    KM_ZONE_BYTES = 768,
};

/* zone->flags */
enum {
    KM_ZONE_BOOSTED = 1u << 0,        /* a steal raised the boost: kswapd is wanted */
    KM_ZONE_RECLAIM_ACTIVE = 1u << 1, /* kswapd balances: per-CPU lists are kept short */
};

/* struct lruvec: a list per enum km_lru_list, pages on each, what rotating and writing have cost */
enum {
    KM_LRUVEC_LISTS = 0,
    KM_LRUVEC_SIZE = 40, /* 5 words */
    KM_LRUVEC_COST = 64, /* anon, file */
    KM_LRUVEC_LOCK = 72,
    KM_LRUVEC_BYTES = 128,
};

/* A CPU's batch of pages on their way to the LRU lists (struct folio_batch) */
enum {
    KM_LRU_BATCH_NR = 0,
    KM_LRU_BATCH_PAGES = 4, /* 15 struct page addresses at most */
    KM_LRU_BATCH_LOCK = 64,
    KM_LRU_BATCH_BYTES = 128,
};

/* struct per_cpu_pages */
enum {
    KM_PCP_LOCK = 0,
    KM_PCP_COUNT = 4,
    KM_PCP_HIGH = 8,
    KM_PCP_BATCH = 12,
    KM_PCP_FREE_FACTOR = 16,
    KM_PCP_LISTS = 20, /* 12 lists, or 14 with THP */
    KM_PCP_FREE_DIFF = 136,      /* struct per_cpu_zonestat: change of NR_FREE_PAGES not passed on yet */
    KM_PCP_STAT_THRESHOLD = 140, /* ... passed on beyond this; 0: at once */
    KM_PCP_BYTES = 192, /* rounded up to whole lines: never shared between CPUs */
};

#endif
