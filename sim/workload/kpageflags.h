/* SPDX-License-Identifier: MIT
 * kpageflags.h - bits of /proc/kpageflags (Documentation/admin-guide/mm/pagemap.rst).
 */
#ifndef KM_WORKLOAD_KPAGEFLAGS_H
#define KM_WORKLOAD_KPAGEFLAGS_H

enum km_kpf {
    KPF_LRU = 5,
    KPF_SLAB = 7,
    KPF_BUDDY = 10,
    KPF_ANON = 12,
    KPF_HEAD = 15,
    KPF_TAIL = 16,
    KPF_NOPAGE = 20,
    KPF_RESERVED = 32,
};

#endif
