/* SPDX-License-Identifier: MIT
 * frag.h - external-fragmentation indexes of a zone, from its free-block counts alone.
 *
 * Both are in thousandths and use the integer arithmetic of /sys/kernel/debug/extfrag (Linux 6.1),
 * so a value can be compared with the file of a real machine digit by digit.
 */
#ifndef KM_REPORT_FRAG_H
#define KM_REPORT_FRAG_H

#include "models/base/types.h"

/* -1000: a block of 2^order pages exists, the index has no meaning. Else, if an allocation of this
 * order failed: towards 0 for lack of memory, towards 1000 because of fragmentation. */
int32_t km_frag_extfrag_index(const uint64_t nr_free[KM_NR_ORDERS], unsigned order);
/* Share of the free memory that lies in blocks too small for 2^order pages: 0 none .. 1000 all of
 * it. */
int32_t km_frag_unusable_index(const uint64_t nr_free[KM_NR_ORDERS], unsigned order);
uint64_t km_frag_free_pages(const uint64_t nr_free[KM_NR_ORDERS]);

#endif
