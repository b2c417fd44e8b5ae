/* SPDX-License-Identifier: MIT
 * kswapd.h - what kswapd decides: is a node balanced, and what balancing leaves behind.
 */
#ifndef KM_OS_KSWAPD_H
#define KM_OS_KSWAPD_H

#include "models/os/zone.h"

struct km_kswapd {
    bool balancing;
    uint32_t boost_seen[KM_NR_ZONES]; /* when this balancing began */
};

/* Does at least one managed zone up to `highest` keep its HIGH mark (boost included) after 2^order pages? */
bool km_kswapd_balanced(struct km_os *os, struct km_cpu *cpu, unsigned order, enum km_zone_id highest);
bool km_kswapd_boosted(struct km_os *os, struct km_cpu *cpu, enum km_zone_id highest);

/* kswapd was woken: counters may lag further. It went to sleep: they may not. */
void km_kswapd_awake(struct km_os *os, struct km_cpu *cpu, bool awake);
/* Balancing keeps per-CPU lists short, and takes back the boosts it found when it ends. */
void km_kswapd_begin(struct km_kswapd *k, struct km_os *os, struct km_cpu *cpu);
void km_kswapd_end(struct km_kswapd *k, struct km_os *os, struct km_cpu *cpu);

#endif
