/* SPDX-License-Identifier: MIT
 * personality.c - the kernel versions kmemsim can behave as.
 */
#include "models/os/personality.h"

#include <stddef.h>

const struct km_personality km_personality_linux_6_1 = {
    .name = "linux-6.1",
    .pcp_max_order = 3,
    .pcp_thp_lists = 2,
    .pcp_free_factor_max = 5,
    .pcp_batch_pages_max = 256,
    .watermark_scale_factor = 10,
    .watermark_boost_factor = 15000,
    .min_free_kbytes_max = 262144,
    .highatomic = true,
    .fallback_smallest_movable = true,
    .fallback_counts_alike = true,
    .fallback_unmovable_steals = true,
    .lru_batch_pages = 15,
    .compaction = true,
    .kcompactd = true,
    .compaction_proactiveness = 20,
    .gfp_bits = KM_GFP_BITS_6_1,
    .migratetype_text = {"Unmovable", "Movable", "Reclaimable", "HighAtomic", "Isolate"},
    .migratetype_number = {0, 1, 2, 3, 4},
    .slub_min_objects_scale = 4,
    .slub_free_pointer_middle = true,
    .slub_cpu_partial = {6, 24, 52, 120},
    .slub_cpu_partial_by_slabs = true,
    .kmalloc_k_names = true,
    .kmalloc_dma_prefix = "dma-kmalloc-",
    .slab_kmalloc_max = 8192,
    .kmalloc_reclaim = true,
    .kmalloc_cgroup = true,
};

const struct km_personality km_personality_linux_4_10 = {
    .name = "linux-4.10",
    .pcp_batch_pages_max = 128,
    .pcp_high_batches = 6,
    .pcp_drain_in_turn = true,
    .watermark_scale_factor = 10,
    .min_free_kbytes_max = 65536,
    .highatomic = true,
    .fallback_takes_found = true,
    .fallback_unmovable_steals = true,
    .lru_anon_activated = true,
    .lru_batch_pages = 14,
    .compaction = true,
    .kcompactd = true,
    .gfp_bits = KM_GFP_BITS_4_10,
    .migratetype_text = {"Unmovable", "Movable", "Reclaimable", "HighAtomic", "Isolate"},
    .migratetype_number = {0, 1, 2, 3, 4},
    .slub_min_objects_scale = 4,
    .slub_cpu_partial = {2, 6, 13, 30},
    .kmalloc_dma_prefix = "dma-kmalloc-",
    .slab_kmalloc_max = 4u << 20,
};

const struct km_personality km_personality_linux_2_6 = {
    .name = "linux-2.6",
    .pcp_batch_pages_max = 128,
    .pcp_high_batches = 6,
    .pcp_drain_in_turn = true,
    .min_free_kbytes_max = 65536,
    .watermark_per_order = true,
    .fallback_takes_found = true,
    .fallback_rest_to_donor = true,
    .lru_per_zone = true,
    .lru_anon_activated = true,
    .lru_batch_pages = 14,
    .gfp_bits = KM_GFP_BITS_2_6,
    .migratetype_text = {"Unmovable", "Reclaimable", "Movable", "Reserve", "Isolate"},
    .migratetype_number = {0, 2, 1, 3, 4},
    .slub_min_objects_scale = 4,
    .kmalloc_dma_prefix = "kmalloc_dma-",
    .slab_kmalloc_max = 4u << 20,
    .slab_size_names = true,
};

const struct km_personality *const km_personalities[] = {
    &km_personality_linux_2_6, &km_personality_linux_4_10, &km_personality_linux_6_1, NULL};
