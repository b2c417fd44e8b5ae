/* SPDX-License-Identifier: MIT
 * kpageflags.h - bits of /proc/kpageflags (Documentation/admin-guide/mm/pagemap.rst).
 */
#ifndef KM_WORKLOAD_KPAGEFLAGS_H
#define KM_WORKLOAD_KPAGEFLAGS_H

enum km_kpf {
    KPF_REFERENCED = 2,
    KPF_DIRTY = 4,
    KPF_LRU = 5,
    KPF_ACTIVE = 6,
    KPF_SLAB = 7,
    KPF_RECLAIM = 9,
    KPF_BUDDY = 10,
    KPF_MMAP = 11,
    KPF_ANON = 12,
    KPF_SWAPBACKED = 14,
    KPF_HEAD = 15,
    KPF_TAIL = 16,
    KPF_UNEVICTABLE = 18,
    KPF_NOPAGE = 20,
    KPF_RESERVED = 32,
};

#endif
