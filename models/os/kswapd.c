/* SPDX-License-Identifier: MIT
 * kswapd.c - see kswapd.h.
 *
 * Models:      the balance test, the flag that shortens per-CPU lists, boosts taken back, counter thresholds.
 * Not modelled: which pages are reclaimed; in replays the traced kernel's reclaim frees them.
 * Invariants:  begin and end alternate; a boost raised after begin survives the end.
 * Units:       pages.
 * References:  kernel-behaviour notes B7, C2, C5, D2.
 */
#include "models/os/kswapd.h"

static const struct km_site site_balance = {"balance_pgdat", 0xc1294800u, 1024};

bool km_kswapd_balanced(struct km_os *os, struct km_cpu *cpu, unsigned order, enum km_zone_id highest)
{
    for (unsigned z = 0; z <= highest; z++) {
        km_exec(cpu, &site_balance, 12);
        if (km_ld32(cpu, os->zone[z].va + KM_ZONE_MANAGED) &&
            km_zone_watermark_ok(os, cpu, (enum km_zone_id)z, order, KM_WMARK_HIGH, highest, 0))
            return true;
    }
    return false;
}

bool km_kswapd_boosted(struct km_os *os, struct km_cpu *cpu, enum km_zone_id highest)
{
    for (unsigned z = 0; z <= highest; z++)
        if (km_ld32(cpu, os->zone[z].va + KM_ZONE_BOOST))
            return true;
    return false;
}

void km_kswapd_awake(struct km_os *os, struct km_cpu *cpu, bool awake)
{
    km_zone_set_stat_thresholds(os, cpu, awake);
}

static void set_active(struct km_os *os, struct km_cpu *cpu, bool active)
{
    for (unsigned z = 0; z < KM_NR_ZONES; z++) {
        km_vaddr va = os->zone[z].va + KM_ZONE_FLAGS;
        uint32_t flags = km_ld32(cpu, va) & ~(uint32_t)KM_ZONE_RECLAIM_ACTIVE;

        km_st32(cpu, va, active ? flags | KM_ZONE_RECLAIM_ACTIVE : flags);
    }
}

void km_kswapd_begin(struct km_kswapd *k, struct km_os *os, struct km_cpu *cpu)
{
    km_exec(cpu, &site_balance, 60);
    for (unsigned z = 0; z < KM_NR_ZONES; z++)
        k->boost_seen[z] = km_ld32(cpu, os->zone[z].va + KM_ZONE_BOOST);
    k->balancing = true;
    set_active(os, cpu, true);
}

void km_kswapd_end(struct km_kswapd *k, struct km_os *os, struct km_cpu *cpu)
{
    if (!k->balancing)
        return;
    k->balancing = false;
    set_active(os, cpu, false);
    for (unsigned z = 0; z < KM_NR_ZONES; z++) {
        km_vaddr va = os->zone[z].va + KM_ZONE_BOOST;
        uint32_t boost = km_ld32(cpu, va);

        if (k->boost_seen[z])
            km_st32(cpu, va, boost > k->boost_seen[z] ? boost - k->boost_seen[z] : 0);
    }
}
