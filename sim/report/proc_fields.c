/* SPDX-License-Identifier: MIT
 * proc_fields.c - see proc_fields.h. Names and order are those of files read from running 6.1.0-50-686-pae kernels
 * (CONFIG_HIGHMEM, THP, HUGETLBFS, MIGRATION, KSM, ZSWAP, BALLOON); a test compares them with such files.
 */
#include "sim/report/proc_fields.h"

#include <string.h>

static const char *const vmstat[KM_PROC_VMSTAT_LINES] = {
    "nr_free_pages", "nr_zone_inactive_anon", "nr_zone_active_anon", "nr_zone_inactive_file",
    "nr_zone_active_file", "nr_zone_unevictable", "nr_zone_write_pending", "nr_mlock",
    "nr_bounce", "nr_zspages", "nr_free_cma", "nr_inactive_anon", "nr_active_anon",
    "nr_inactive_file", "nr_active_file", "nr_unevictable", "nr_slab_reclaimable",
    "nr_slab_unreclaimable", "nr_isolated_anon", "nr_isolated_file", "workingset_nodes",
    "workingset_refault_anon", "workingset_refault_file", "workingset_activate_anon",
    "workingset_activate_file", "workingset_restore_anon", "workingset_restore_file",
    "workingset_nodereclaim", "nr_anon_pages", "nr_mapped", "nr_file_pages", "nr_dirty",
    "nr_writeback", "nr_writeback_temp", "nr_shmem", "nr_shmem_hugepages", "nr_shmem_pmdmapped",
    "nr_file_hugepages", "nr_file_pmdmapped", "nr_anon_transparent_hugepages", "nr_vmscan_write",
    "nr_vmscan_immediate_reclaim", "nr_dirtied", "nr_written", "nr_throttled_written",
    "nr_kernel_misc_reclaimable", "nr_foll_pin_acquired", "nr_foll_pin_released",
    "nr_kernel_stack", "nr_page_table_pages", "nr_sec_page_table_pages", "nr_swapcached",
    "nr_dirty_threshold", "nr_dirty_background_threshold", "pgpgin", "pgpgout", "pswpin",
    "pswpout", "pgalloc_dma", "pgalloc_normal", "pgalloc_high", "pgalloc_movable",
    "allocstall_dma", "allocstall_normal", "allocstall_high", "allocstall_movable", "pgskip_dma",
    "pgskip_normal", "pgskip_high", "pgskip_movable", "pgfree", "pgactivate", "pgdeactivate",
    "pglazyfree", "pgfault", "pgmajfault", "pglazyfreed", "pgrefill", "pgreuse",
    "pgsteal_kswapd", "pgsteal_direct", "pgdemote_kswapd", "pgdemote_direct", "pgscan_kswapd",
    "pgscan_direct", "pgscan_direct_throttle", "pgscan_anon", "pgscan_file", "pgsteal_anon",
    "pgsteal_file", "pginodesteal", "slabs_scanned", "kswapd_inodesteal",
    "kswapd_low_wmark_hit_quickly", "kswapd_high_wmark_hit_quickly", "pageoutrun", "pgrotated",
    "drop_pagecache", "drop_slab", "oom_kill", "pgmigrate_success", "pgmigrate_fail",
    "thp_migration_success", "thp_migration_fail", "thp_migration_split",
    "compact_migrate_scanned", "compact_free_scanned", "compact_isolated", "compact_stall",
    "compact_fail", "compact_success", "compact_daemon_wake", "compact_daemon_migrate_scanned",
    "compact_daemon_free_scanned", "htlb_buddy_alloc_success", "htlb_buddy_alloc_fail",
    "unevictable_pgs_culled", "unevictable_pgs_scanned", "unevictable_pgs_rescued",
    "unevictable_pgs_mlocked", "unevictable_pgs_munlocked", "unevictable_pgs_cleared",
    "unevictable_pgs_stranded", "thp_fault_alloc", "thp_fault_fallback",
    "thp_fault_fallback_charge", "thp_collapse_alloc", "thp_collapse_alloc_failed",
    "thp_file_alloc", "thp_file_fallback", "thp_file_fallback_charge", "thp_file_mapped",
    "thp_split_page", "thp_split_page_failed", "thp_deferred_split_page", "thp_split_pmd",
    "thp_scan_exceed_none_pte", "thp_scan_exceed_swap_pte", "thp_scan_exceed_share_pte",
    "thp_zero_page_alloc", "thp_zero_page_alloc_failed", "thp_swpout", "thp_swpout_fallback",
    "balloon_inflate", "balloon_deflate", "balloon_migrate", "swap_ra", "swap_ra_hit",
    "ksm_swpin_copy", "cow_ksm", "zswpin", "zswpout", "direct_map_level2_splits",
    "direct_map_level3_splits", "nr_unstable",
};

static const char *const meminfo[KM_PROC_MEMINFO_LINES] = {
    "MemTotal", "MemFree", "MemAvailable", "Buffers", "Cached", "SwapCached", "Active",
    "Inactive", "Active(anon)", "Inactive(anon)", "Active(file)", "Inactive(file)",
    "Unevictable", "Mlocked", "HighTotal", "HighFree", "LowTotal", "LowFree", "SwapTotal",
    "SwapFree", "Zswap", "Zswapped", "Dirty", "Writeback", "AnonPages", "Mapped", "Shmem",
    "KReclaimable", "Slab", "SReclaimable", "SUnreclaim", "KernelStack", "PageTables",
    "SecPageTables", "NFS_Unstable", "Bounce", "WritebackTmp", "CommitLimit", "Committed_AS",
    "VmallocTotal", "VmallocUsed", "VmallocChunk", "Percpu", "HardwareCorrupted",
    "AnonHugePages", "ShmemHugePages", "ShmemPmdMapped", "FileHugePages", "FilePmdMapped",
    "HugePages_Total", "HugePages_Free", "HugePages_Rsvd", "HugePages_Surp", "Hugepagesize",
    "Hugetlb", "DirectMap4k", "DirectMap2M",
};

void km_proc_vmstat_lines(struct km_proc_counter out[KM_PROC_VMSTAT_LINES])
{
    for (unsigned i = 0; i < KM_PROC_VMSTAT_LINES; i++)
        out[i] = (struct km_proc_counter){.name = vmstat[i]};
}

void km_proc_meminfo_lines(struct km_proc_meminfo_row out[KM_PROC_MEMINFO_LINES], bool pae)
{
    for (unsigned i = 0; i < KM_PROC_MEMINFO_LINES; i++)
        out[i] = (struct km_proc_meminfo_row){.name = meminfo[i],
                                              .no_unit = !strncmp(meminfo[i], "HugePages_", 10)};
    if (!pae)
        out[KM_PROC_MEMINFO_LINES - 1].name = "DirectMap4M";
}

bool km_proc_set_counter(struct km_proc_counter *lines, unsigned nr, const char *name, uint64_t value)
{
    for (unsigned i = 0; i < nr; i++)
        if (!strcmp(lines[i].name, name)) {
            lines[i].value = value;
            return true;
        }
    return false;
}

bool km_proc_set_meminfo(struct km_proc_meminfo_row *lines, unsigned nr, const char *name, uint64_t value)
{
    for (unsigned i = 0; i < nr; i++)
        if (!strcmp(lines[i].name, name)) {
            lines[i].kib = value;
            return true;
        }
    return false;
}
