/* SPDX-License-Identifier: MIT
 * gfp_names.c - see gfp_names.h.
 */
#include "models/os/gfp_names.h"

#include <string.h>

#define WAIT_26 0x10u
#define KERNEL_26 (WAIT_26 | 0x40u | 0x80u)
#define RECLAIM_410 (0x400000u | 0x2000000u)
#define KERNEL_410 (RECLAIM_410 | 0x40u | 0x80u)

#define E_DMA "ZONE_DMA only: the first 16 MiB"
#define E_HIGHMEM "may come from HighMem: zonelist HighMem, Normal, DMA; no linear address"
#define E_DMA32 "ZONE_NORMAL: x86-32 has no DMA32 zone"
#define E_MOVABLE "mobility movable; with HIGHMEM the zonelist begins at Movable"
#define E_RECLAIMABLE "mobility reclaimable"
#define E_HIGH "half of the min mark may be used; with no right to sleep 5/8 of it"
#define E_IO "reclaim may start I/O; compaction only with it"
#define E_FS "reclaim may call file systems"
#define E_ZERO "contents are zeroed"
#define E_ATOMIC "no sleeping: the atomic reserve, and an unboosted min mark at order 0"
#define E_DIRECT "may reclaim and compact itself: may sleep"
#define E_KSWAPD "wakes kswapd at the low mark"
#define E_WRITE "page cache to be written: nodes over their dirty limit are passed over first"
#define E_NOWARN "a failure is not reported"
#define E_RETRY "tries hard, but no OOM kill; large orders are retried too"
#define E_NOFAIL "never fails: loops, with the min reserve"
#define E_NORETRY "one round of reclaim and compaction, no OOM kill"
#define E_MEMALLOC "ignores watermarks"
#define E_COMP "compound block: tails point to the head, one reference count"
#define E_NOMEMALLOC "no reserves, whatever else allows them"
#define E_HARDWALL "stays inside the cpuset: no effect on one node"
#define E_THISNODE "no other node: no effect on one node"
#define E_ACCOUNT "charged to the memory cgroup: kmalloc-cg caches; no bulk allocation"
#define E_COLD "cache-cold page: no effect on which page is taken here"
#define E_NOTHING "no effect on placement"

static const struct km_gfp_name names_6_1[] = {
    {"__GFP_DMA", 0x01, KM_GFP_DMA, E_DMA},
    {"__GFP_HIGHMEM", 0x02, KM_GFP_HIGHMEM, E_HIGHMEM},
    {"__GFP_DMA32", 0x04, KM_GFP_DMA32, E_DMA32},
    {"__GFP_MOVABLE", 0x08, KM_GFP_MOVABLE, E_MOVABLE},
    {"__GFP_RECLAIMABLE", 0x10, KM_GFP_RECLAIMABLE, E_RECLAIMABLE},
    {"__GFP_HIGH", 0x20, KM_GFP_HIGH, E_HIGH},
    {"__GFP_IO", 0x40, KM_GFP_IO, E_IO},
    {"__GFP_FS", 0x80, KM_GFP_FS, E_FS},
    {"__GFP_ZERO", 0x100, KM_GFP_ZERO, E_ZERO},
    {"__GFP_ATOMIC", 0x200, KM_GFP_ATOMIC_BIT, E_ATOMIC},
    {"__GFP_DIRECT_RECLAIM", 0x400, KM_GFP_DIRECT_RECLAIM, E_DIRECT},
    {"__GFP_KSWAPD_RECLAIM", 0x800, KM_GFP_KSWAPD_RECLAIM, E_KSWAPD},
    {"__GFP_WRITE", 0x1000, KM_GFP_WRITE, E_WRITE},
    {"__GFP_NOWARN", 0x2000, KM_GFP_NOWARN, E_NOWARN},
    {"__GFP_RETRY_MAYFAIL", 0x4000, KM_GFP_RETRY_MAYFAIL, E_RETRY},
    {"__GFP_NOFAIL", 0x8000, KM_GFP_NOFAIL, E_NOFAIL},
    {"__GFP_NORETRY", 0x10000, KM_GFP_NORETRY, E_NORETRY},
    {"__GFP_MEMALLOC", 0x20000, KM_GFP_MEMALLOC, E_MEMALLOC},
    {"__GFP_COMP", 0x40000, KM_GFP_COMP, E_COMP},
    {"__GFP_NOMEMALLOC", 0x80000, KM_GFP_NOMEMALLOC, E_NOMEMALLOC},
    {"__GFP_HARDWALL", 0x100000, KM_GFP_HARDWALL, E_HARDWALL},
    {"__GFP_THISNODE", 0x200000, KM_GFP_THISNODE, E_THISNODE},
    {"__GFP_ACCOUNT", 0x400000, KM_GFP_ACCOUNT, E_ACCOUNT},
    {"__GFP_RECLAIM", 0xc00, KM_GFP_RECLAIM, NULL},
    {"GFP_ATOMIC", 0xa20, KM_GFP_ATOMIC, NULL},
    {"GFP_KERNEL", 0xcc0, KM_GFP_KERNEL, NULL},
    {"GFP_KERNEL_ACCOUNT", 0x400cc0, KM_GFP_KERNEL | KM_GFP_ACCOUNT, NULL},
    {"GFP_NOWAIT", 0x800, KM_GFP_NOWAIT, NULL},
    {"GFP_NOIO", 0xc00, KM_GFP_NOIO, NULL},
    {"GFP_NOFS", 0xc40, KM_GFP_NOFS, NULL},
    {"GFP_USER", 0x100cc0, KM_GFP_USER, NULL},
    {"GFP_DMA", 0x01, KM_GFP_DMA, NULL},
    {"GFP_DMA32", 0x04, KM_GFP_DMA32, NULL},
    {"GFP_HIGHUSER", 0x100cc2, KM_GFP_HIGHUSER, NULL},
    {"GFP_HIGHUSER_MOVABLE", 0x100cca, KM_GFP_HIGHUSER_MOVABLE, NULL},
    {"GFP_TRANSHUGE_LIGHT", 0x1c20ca,
     (KM_GFP_HIGHUSER_MOVABLE & ~(uint32_t)KM_GFP_RECLAIM) | KM_GFP_COMP | KM_GFP_NOMEMALLOC |
         KM_GFP_NOWARN,
     NULL},
    {"GFP_TRANSHUGE", 0x1c24ca,
     (KM_GFP_HIGHUSER_MOVABLE & ~(uint32_t)KM_GFP_KSWAPD_RECLAIM) | KM_GFP_COMP |
         KM_GFP_NOMEMALLOC | KM_GFP_NOWARN,
     NULL},
    {0},
};

static const struct km_gfp_name names_4_10[] = {
    {"__GFP_DMA", 0x01, KM_GFP_DMA, E_DMA},
    {"__GFP_HIGHMEM", 0x02, KM_GFP_HIGHMEM, E_HIGHMEM},
    {"__GFP_DMA32", 0x04, KM_GFP_DMA32, E_DMA32},
    {"__GFP_MOVABLE", 0x08, KM_GFP_MOVABLE, E_MOVABLE},
    {"__GFP_RECLAIMABLE", 0x10, KM_GFP_RECLAIMABLE, E_RECLAIMABLE},
    {"__GFP_HIGH", 0x20, KM_GFP_HIGH, E_HIGH},
    {"__GFP_IO", 0x40, KM_GFP_IO, E_IO},
    {"__GFP_FS", 0x80, KM_GFP_FS, E_FS},
    {"__GFP_COLD", 0x100, 0, E_COLD},
    {"__GFP_NOWARN", 0x200, KM_GFP_NOWARN, E_NOWARN},
    {"__GFP_REPEAT", 0x400, KM_GFP_RETRY_MAYFAIL, E_RETRY},
    {"__GFP_NOFAIL", 0x800, KM_GFP_NOFAIL, E_NOFAIL},
    {"__GFP_NORETRY", 0x1000, KM_GFP_NORETRY, E_NORETRY},
    {"__GFP_MEMALLOC", 0x2000, KM_GFP_MEMALLOC, E_MEMALLOC},
    {"__GFP_COMP", 0x4000, KM_GFP_COMP, E_COMP},
    {"__GFP_ZERO", 0x8000, KM_GFP_ZERO, E_ZERO},
    {"__GFP_NOMEMALLOC", 0x10000, KM_GFP_NOMEMALLOC, E_NOMEMALLOC},
    {"__GFP_HARDWALL", 0x20000, KM_GFP_HARDWALL, E_HARDWALL},
    {"__GFP_THISNODE", 0x40000, KM_GFP_THISNODE, E_THISNODE},
    {"__GFP_ATOMIC", 0x80000, KM_GFP_ATOMIC_BIT, E_ATOMIC},
    {"__GFP_ACCOUNT", 0x100000, KM_GFP_ACCOUNT, E_ACCOUNT},
    {"__GFP_NOTRACK", 0x200000, 0, E_NOTHING},
    {"__GFP_DIRECT_RECLAIM", 0x400000, KM_GFP_DIRECT_RECLAIM, E_DIRECT},
    {"__GFP_OTHER_NODE", 0x800000, 0, E_NOTHING},
    {"__GFP_WRITE", 0x1000000, KM_GFP_WRITE, E_WRITE},
    {"__GFP_KSWAPD_RECLAIM", 0x2000000, KM_GFP_KSWAPD_RECLAIM, E_KSWAPD},
    {"__GFP_RECLAIM", RECLAIM_410, KM_GFP_RECLAIM, NULL},
    {"GFP_ATOMIC", 0x2080020, KM_GFP_ATOMIC, NULL},
    {"GFP_KERNEL", KERNEL_410, KM_GFP_KERNEL, NULL},
    {"GFP_KERNEL_ACCOUNT", KERNEL_410 | 0x100000, KM_GFP_KERNEL | KM_GFP_ACCOUNT, NULL},
    {"GFP_NOWAIT", 0x2000000, KM_GFP_NOWAIT, NULL},
    {"GFP_NOIO", RECLAIM_410, KM_GFP_NOIO, NULL},
    {"GFP_NOFS", RECLAIM_410 | 0x40, KM_GFP_NOFS, NULL},
    {"GFP_TEMPORARY", KERNEL_410 | 0x10, KM_GFP_KERNEL | KM_GFP_RECLAIMABLE, NULL},
    {"GFP_USER", KERNEL_410 | 0x20000, KM_GFP_USER, NULL},
    {"GFP_DMA", 0x01, KM_GFP_DMA, NULL},
    {"GFP_DMA32", 0x04, KM_GFP_DMA32, NULL},
    {"GFP_HIGHUSER", KERNEL_410 | 0x20002, KM_GFP_HIGHUSER, NULL},
    {"GFP_HIGHUSER_MOVABLE", KERNEL_410 | 0x2000a, KM_GFP_HIGHUSER_MOVABLE, NULL},
    {0},
};

static const struct km_gfp_name names_2_6[] = {
    {"__GFP_DMA", 0x01, KM_GFP_DMA, E_DMA},
    {"__GFP_HIGHMEM", 0x02, KM_GFP_HIGHMEM, E_HIGHMEM},
    {"__GFP_DMA32", 0x04, KM_GFP_DMA32, E_DMA32},
    {"__GFP_MOVABLE", 0x08, KM_GFP_MOVABLE, E_MOVABLE},
    {"__GFP_WAIT", WAIT_26, KM_GFP_DIRECT_RECLAIM,
     E_DIRECT "; without it the atomic reserve may be used"},
    {"__GFP_HIGH", 0x20, KM_GFP_HIGH, E_HIGH},
    {"__GFP_IO", 0x40, KM_GFP_IO, E_IO},
    {"__GFP_FS", 0x80, KM_GFP_FS, E_FS},
    {"__GFP_COLD", 0x100, 0, E_COLD},
    {"__GFP_NOWARN", 0x200, KM_GFP_NOWARN, E_NOWARN},
    {"__GFP_REPEAT", 0x400, KM_GFP_RETRY_MAYFAIL, E_RETRY},
    {"__GFP_NOFAIL", 0x800, KM_GFP_NOFAIL, E_NOFAIL},
    {"__GFP_NORETRY", 0x1000, KM_GFP_NORETRY, E_NORETRY},
    {"__GFP_COMP", 0x4000, KM_GFP_COMP, E_COMP},
    {"__GFP_ZERO", 0x8000, KM_GFP_ZERO, E_ZERO},
    {"__GFP_NOMEMALLOC", 0x10000, KM_GFP_NOMEMALLOC, E_NOMEMALLOC},
    {"__GFP_HARDWALL", 0x20000, KM_GFP_HARDWALL, E_HARDWALL},
    {"__GFP_THISNODE", 0x40000, KM_GFP_THISNODE, E_THISNODE},
    {"__GFP_RECLAIMABLE", 0x80000, KM_GFP_RECLAIMABLE, E_RECLAIMABLE},
    {"__GFP_NOTRACK", 0x200000, 0, E_NOTHING},
    {"GFP_NOWAIT", 0, KM_GFP_ATOMIC_BIT | KM_GFP_KSWAPD_RECLAIM, NULL},
    {"GFP_ATOMIC", 0x20, KM_GFP_ATOMIC, NULL},
    {"GFP_NOIO", WAIT_26, KM_GFP_NOIO, NULL},
    {"GFP_NOFS", WAIT_26 | 0x40, KM_GFP_NOFS, NULL},
    {"GFP_KERNEL", KERNEL_26, KM_GFP_KERNEL, NULL},
    {"GFP_TEMPORARY", KERNEL_26 | 0x80000, KM_GFP_KERNEL | KM_GFP_RECLAIMABLE, NULL},
    {"GFP_USER", KERNEL_26 | 0x20000, KM_GFP_USER, NULL},
    {"GFP_HIGHUSER", KERNEL_26 | 0x20002, KM_GFP_HIGHUSER, NULL},
    {"GFP_HIGHUSER_MOVABLE", KERNEL_26 | 0x2000a, KM_GFP_HIGHUSER_MOVABLE, NULL},
    {"GFP_DMA", 0x01, KM_GFP_DMA | KM_GFP_ATOMIC_BIT | KM_GFP_KSWAPD_RECLAIM, NULL},
    {"GFP_DMA32", 0x04, KM_GFP_DMA32 | KM_GFP_ATOMIC_BIT | KM_GFP_KSWAPD_RECLAIM, NULL},
    {0},
};

const struct km_gfp_name *km_gfp_names(const struct km_personality *p)
{
    static const struct km_gfp_name *const of[] = {[KM_GFP_BITS_2_6] = names_2_6,
                                                   [KM_GFP_BITS_4_10] = names_4_10,
                                                   [KM_GFP_BITS_6_1] = names_6_1};

    return of[p->gfp_bits];
}

static const struct km_gfp_name *find(const struct km_gfp_name *n, const char *text, size_t len)
{
    for (; n->name; n++)
        if (strlen(n->name) == len && !memcmp(n->name, text, len))
            return n;
    return NULL;
}

bool km_gfp_raw_of_text(const struct km_personality *p, const char *text, uint32_t *raw)
{
    *raw = 0;
    for (;;) {
        const char *bar = strchr(text, '|');
        const struct km_gfp_name *n =
            find(km_gfp_names(p), text, bar ? (size_t)(bar - text) : strlen(text));

        if (!n)
            return false;
        *raw |= n->raw;
        if (!bar)
            return true;
        text = bar + 1;
    }
}

uint32_t km_gfp_from_raw(const struct km_personality *p, uint32_t raw)
{
    uint32_t bits = 0;

    for (const struct km_gfp_name *n = km_gfp_names(p); n->name && n->effect; n++)
        if (raw & n->raw)
            bits |= n->means;
    if (p->gfp_bits != KM_GFP_BITS_2_6)
        return bits;
    bits |= KM_GFP_KSWAPD_RECLAIM; /* every request wakes it */
    return raw & WAIT_26 ? bits : bits | KM_GFP_ATOMIC_BIT;
}

uint32_t km_gfp_to_raw(const struct km_personality *p, uint32_t bits)
{
    uint32_t raw = 0;

    for (const struct km_gfp_name *n = km_gfp_names(p); n->name && n->effect; n++)
        if (n->means && (bits & n->means) == n->means)
            raw |= n->raw;
    return raw;
}
