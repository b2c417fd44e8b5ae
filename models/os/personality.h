/* SPDX-License-Identifier: MIT
 * personality.h - constants and policies in which kernel versions differ, as one table row per
 * kernel.
 *
 * Sources: kernel-behaviour notes section J (6.1 read from source and checked on real
 * machines; 4.10 and 2.6 from general knowledge of those kernels, not checked against captures).
 * Not modelled: the RESERVE pageblocks of 2.6 (its type exists in the numbering only), cold per-CPU
 * frees, lock-based slab paths of 2.6.
 */
#ifndef KM_OS_PERSONALITY_H
#define KM_OS_PERSONALITY_H

#include "models/base/types.h"

enum km_gfp_bits { KM_GFP_BITS_2_6, KM_GFP_BITS_4_10, KM_GFP_BITS_6_1 };

#define KM_MT_TEXTS 5

struct km_personality {
    const char *name;
    /* per-CPU page lists */
    unsigned pcp_max_order; /* lists for orders 0..this (and pageblock_order with THP)            */
    unsigned pcp_thp_lists; /* lists for pageblock_order: 0, 1 or 2 (movable, others)             */
    unsigned pcp_free_factor_max; /* bound of the exponential drain; 0: always one batch */
    unsigned
        pcp_batch_pages_max; /* batch is a quarter of managed / 1024, at most a quarter of this */
    unsigned
        pcp_high_batches;   /* high = so many batches; 0: from the low mark, at least 4 batches   */
    bool pcp_drain_in_turn; /* a drain goes round the types; else it empties a list first         */
    /* watermarks */
    unsigned watermark_scale_factor; /* default, 1/10000 of managed pages; 0: a quarter of min */
    unsigned watermark_boost_factor; /* default, 1/10000 of the high mark; 0: no boosting */
    unsigned min_free_kbytes_max;    /* bound of the square-root rule    */
    bool watermark_per_order; /* high orders: halved mark per order; else any large enough block */
    bool highatomic;          /* HIGHATOMIC reserve exists                                       */
    /* fallback between migratetypes */
    bool fallback_smallest_movable; /* small movable requests look for the smallest donor */
    bool fallback_counts_alike; /* occupied pages of the same mobility help to take a pageblock */
    bool
        fallback_takes_found; /* the block found is split at once; else the lists are tried again */
    bool fallback_unmovable_steals; /* unmovable requests take whole pageblocks from any order */
    bool
        fallback_rest_to_donor; /* what is left of a block that was not claimed stays the donor's */
    /* LRU lists */
    bool lru_per_zone;         /* a set of lists per zone (before 4.8); else per node */
    bool lru_anon_activated;   /* new anonymous pages start active (before 5.9) */
    unsigned lru_batch_pages;  /* pages a CPU gathers before they go to their lists */
    /* compaction */
    bool compaction;                  /* direct compaction (since 2.6.35)                            */
    bool kcompactd;                   /* a thread for it (since 4.6)                                 */
    unsigned compaction_proactiveness; /* default of vm.compaction_proactiveness (since 5.9); 0: none */
    /* names and numbers in texts */
    enum km_gfp_bits gfp_bits;
    const char *migratetype_text[KM_MT_TEXTS]; /* by this kernel's number */
    uint8_t migratetype_number[KM_MT_TEXTS];   /* [enum km_migratetype]   */
    /* slab */
    unsigned slub_min_objects_scale; /* min_objects = scale * (fls(cpus) + 1) */
    bool slub_free_pointer_middle;   /* free pointer in the middle of the object (since 5.7)   */
    unsigned
        slub_cpu_partial[4]; /* objects: size >= page, >= 1024, >= 256, smaller; 0: no such list */
    bool slub_cpu_partial_by_slabs; /* the limit counts slabs (half full on average); else free
                                       objects */
    bool kmalloc_k_names; /* kmalloc-1k instead of kmalloc-1024                              */
    const char *kmalloc_dma_prefix;
    uint32_t slab_kmalloc_max; /* SLAB: largest size class, bytes                             */
    bool slab_size_names;      /* SLAB: size-32, size-32(DMA) instead of kmalloc-32           */
    bool kmalloc_reclaim, kmalloc_cgroup; /* families of their own */
};

extern const struct km_personality km_personality_linux_6_1, km_personality_linux_4_10,
    km_personality_linux_2_6;
/* All of them, oldest first; NULL ends. */
extern const struct km_personality *const km_personalities[];

#endif
