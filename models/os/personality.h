/* SPDX-License-Identifier: MIT
 * personality.h - constants and policies in which kernel versions differ, as one table row per kernel.
 * Source: kernel-behaviour notes section J (6.1 read from source and checked on real machines).
 */
#ifndef KM_OS_PERSONALITY_H
#define KM_OS_PERSONALITY_H

#include "models/base/types.h"

struct km_personality {
    const char *name;
    unsigned pcp_max_order;          /* per-CPU lists for orders 0..this (and pageblock_order with THP) */
    unsigned pcp_thp_lists;          /* lists for pageblock_order: 0, 1 or 2 (movable, others)         */
    unsigned pcp_free_factor_max;    /* bound of the exponential drain                                  */
    unsigned watermark_scale_factor; /* default, 1/10000 of managed pages                               */
    unsigned watermark_boost_factor; /* default, 1/10000 of the high mark; 0: no boosting               */
    bool highatomic;                 /* HIGHATOMIC reserve exists                                       */
    unsigned slub_min_objects_scale; /* min_objects = scale * (fls(cpus) + 1)                           */
    bool slub_free_pointer_middle;   /* free pointer in the middle of the object (since 5.7)            */
};

extern const struct km_personality km_personality_linux_6_1;

#endif
