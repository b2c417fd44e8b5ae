/* SPDX-License-Identifier: MIT
 * gfp.h - allocation flags of Linux 6.1 and what they select.
 *
 * Models:      the numeric flags (traces are normalised to them), zone and migratetype selection on x86-32
 *              with HIGHMEM and without DMA32.
 * References:  include/linux/gfp_types.h of 6.1 (values), Documentation/core-api/memory-allocation.rst.
 */
#ifndef KM_OS_GFP_H
#define KM_OS_GFP_H

#include "models/base/types.h"

enum {
    KM_GFP_DMA = 0x01u,
    KM_GFP_HIGHMEM = 0x02u,
    KM_GFP_DMA32 = 0x04u,
    KM_GFP_MOVABLE = 0x08u,
    KM_GFP_RECLAIMABLE = 0x10u,
    KM_GFP_HIGH = 0x20u,
    KM_GFP_IO = 0x40u,
    KM_GFP_FS = 0x80u,
    KM_GFP_ZERO = 0x100u,
    KM_GFP_ATOMIC_BIT = 0x200u,
    KM_GFP_DIRECT_RECLAIM = 0x400u,
    KM_GFP_KSWAPD_RECLAIM = 0x800u,
    KM_GFP_WRITE = 0x1000u,
    KM_GFP_NOWARN = 0x2000u,
    KM_GFP_RETRY_MAYFAIL = 0x4000u,
    KM_GFP_NOFAIL = 0x8000u,
    KM_GFP_NORETRY = 0x10000u,
    KM_GFP_MEMALLOC = 0x20000u,
    KM_GFP_COMP = 0x40000u,
    KM_GFP_NOMEMALLOC = 0x80000u,
    KM_GFP_HARDWALL = 0x100000u,
    KM_GFP_THISNODE = 0x200000u,
    KM_GFP_ACCOUNT = 0x400000u,
    KM_GFP_RECLAIM = KM_GFP_DIRECT_RECLAIM | KM_GFP_KSWAPD_RECLAIM,
    KM_GFP_KERNEL = KM_GFP_RECLAIM | KM_GFP_IO | KM_GFP_FS,
    KM_GFP_ATOMIC = KM_GFP_HIGH | KM_GFP_ATOMIC_BIT | KM_GFP_KSWAPD_RECLAIM,
    KM_GFP_NOWAIT = KM_GFP_KSWAPD_RECLAIM,
    KM_GFP_NOIO = KM_GFP_RECLAIM,
    KM_GFP_NOFS = KM_GFP_RECLAIM | KM_GFP_IO,
    KM_GFP_USER = KM_GFP_KERNEL | KM_GFP_HARDWALL,
    KM_GFP_HIGHUSER = KM_GFP_USER | KM_GFP_HIGHMEM,
    KM_GFP_HIGHUSER_MOVABLE = KM_GFP_HIGHUSER | KM_GFP_MOVABLE,
};

enum km_zone_id { KM_ZONE_DMA, KM_ZONE_NORMAL, KM_ZONE_HIGHMEM, KM_ZONE_MOVABLE, KM_NR_ZONES };

enum km_migratetype {
    KM_MT_UNMOVABLE,
    KM_MT_MOVABLE,
    KM_MT_RECLAIMABLE,
    KM_MT_PCP_TYPES, /* the three above have per-CPU lists and may merge with each other */
    KM_MT_HIGHATOMIC = KM_MT_PCP_TYPES,
    KM_MT_ISOLATE,
    KM_MT_NR,
};

/* Highest zone the request may use; the zonelist is walked downwards from it. */
static inline enum km_zone_id km_gfp_zone(uint32_t gfp)
{
    if (gfp & KM_GFP_DMA)
        return KM_ZONE_DMA;
    if (!(gfp & KM_GFP_HIGHMEM))
        return KM_ZONE_NORMAL; /* DMA32 and MOVABLE alone select NORMAL here */
    return gfp & KM_GFP_MOVABLE ? KM_ZONE_MOVABLE : KM_ZONE_HIGHMEM;
}

static inline enum km_migratetype km_gfp_migratetype(uint32_t gfp)
{
    if (gfp & KM_GFP_MOVABLE)
        return KM_MT_MOVABLE;
    return gfp & KM_GFP_RECLAIMABLE ? KM_MT_RECLAIMABLE : KM_MT_UNMOVABLE;
}

#endif
