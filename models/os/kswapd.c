/* SPDX-License-Identifier: MIT
 * kswapd.c - see kswapd.h.
 *
 * Models:      the balance test, the flag that shortens per-CPU lists, boosts taken back, counter thresholds; and,
 *              with os->reclaim, the thread:
 *
 *                 asleep --woken--> BALANCE --balanced--> NAP 0.1 s --still balanced--> asleep
 *                                      ^   priority 12 .. 1   |
 *                                      +--- woken, or no longer balanced
 *
 *              A balancing is rounds of reclaim (reclaim.h) at a priority that falls when a round looked at too little;
 *              each round takes simulated time and is done by the CPU that steps it. A boost alone is worked for
 *              without writing or swapping and not below priority 10. 16 balancings in a row without a page: it
 *              gives up until a direct reclaimer has success.
 * Not modelled: the thread's place on a CPU's run queue: it does not compete with what the CPUs do.
 * Invariants:  begin and end alternate; a boost raised after begin survives the end.
 * Units:       pages, ns.
 * References:  kernel-behaviour notes B7, C2, C5, D2.
 */
#include "models/os/kswapd.h"

#include "models/base/bits.h"
#include "models/os/compaction.h"
#include "models/os/reclaim.h"

#define NAP_NS 100000000ull
#define MAX_FAILURES 16u
#define BOOST_PRIORITY (KM_RECLAIM_PRIORITY - 2)

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

/* ---- the thread ---- */

static void wake_compaction(struct km_os *os, struct km_cpu *cpu, unsigned order, enum km_zone_id highest)
{
    if (os->compact && os->compact->wake_daemon)
        os->compact->wake_daemon(os, cpu, order, highest);
}

static void tell(struct km_os *os, struct km_cpu *cpu, enum km_tp_kind kind, unsigned order, uint32_t gfp)
{
    km_trace_tp(os, cpu, &(struct km_tp){.kind = kind, .pfn = KM_PFN_NONE, .order = (uint8_t)order, .gfp = gfp});
}

void km_kswapd_wake(struct km_os *os, struct km_cpu *cpu, uint32_t gfp, unsigned order, enum km_zone_id highest)
{
    struct km_kswapd_thread *k = &os->reclaim->kswapd;

    if (!k->woken || highest > k->wake_highest)
        k->wake_highest = highest;
    if (!k->woken || order > k->wake_order)
        k->wake_order = order;
    k->woken = true;
    if (k->state == KM_KSWAPD_BALANCE)
        return;
    if (k->failures >= MAX_FAILURES ||
        (km_kswapd_balanced(os, cpu, order, highest) && !km_kswapd_boosted(os, cpu, highest))) {
        if (!(gfp & KM_GFP_DIRECT_RECLAIM))
            wake_compaction(os, cpu, order, highest);
        k->woken = false;
        return;
    }
    tell(os, cpu, KM_TP_WAKEUP_KSWAPD, order, gfp);
    if (k->state == KM_KSWAPD_NAP)
        km_reclaim_count(os->reclaim, KM_VM_LOW_WMARK_HIT, 1); /* its nap is cut short */
    k->busy_until_ns = os->reclaim->now_ns;
}

static void start_balance(struct km_os *os, struct km_cpu *cpu, struct km_kswapd_thread *k)
{
    if (k->state == KM_KSWAPD_ASLEEP)
        km_kswapd_awake(os, cpu, true);
    if (k->woken) {
        k->order = k->wake_order;
        k->highest = k->wake_highest;
    }
    k->woken = false;
    k->state = KM_KSWAPD_BALANCE;
    k->priority = KM_RECLAIM_PRIORITY;
    k->reclaimed = k->boost_left = 0;
    km_reclaim_count(os->reclaim, KM_VM_PAGEOUTRUN, 1);
    tell(os, cpu, KM_TP_KSWAPD_WAKE, k->order, 0);
    km_kswapd_begin(&k->balance, os, cpu);
    for (unsigned z = 0; z <= k->highest; z++)
        k->boost_left += k->balance.boost_seen[z];
}

static void end_balance(struct km_os *os, struct km_cpu *cpu, struct km_kswapd_thread *k)
{
    bool boosted = false;

    for (unsigned z = 0; z <= k->highest; z++)
        boosted |= k->balance.boost_seen[z] != 0;
    km_kswapd_end(&k->balance, os, cpu);
    if (!k->reclaimed && k->priority < 1)
        k->failures++;
    else if (k->reclaimed)
        k->failures = 0;
    if (boosted)
        wake_compaction(os, cpu, os->p.pageblock_order, k->highest);
    k->state = KM_KSWAPD_NAP;
    if (k->woken)
        return; /* no nap: there is more to do */
    if (km_kswapd_balanced(os, cpu, k->order, k->highest)) {
        wake_compaction(os, cpu, k->wake_order, k->highest); /* order may have been dropped */
        k->busy_until_ns += NAP_NS;
    }
}

/* Pages wanted of a round: a HIGH mark of every zone. */
static uint64_t round_target(struct km_os *os, struct km_cpu *cpu, enum km_zone_id highest)
{
    uint64_t pages = 0;

    for (unsigned z = 0; z <= highest; z++)
        if (km_ld32(cpu, os->zone[z].va + KM_ZONE_MANAGED))
            pages += km_max_u64(km_ld32(cpu, os->zone[z].va + KM_ZONE_WATERMARK + KM_WMARK_HIGH * 4) +
                                    km_ld32(cpu, os->zone[z].va + KM_ZONE_BOOST),
                                KM_RECLAIM_CLUSTER);
    return pages;
}

/* One round; true: this balancing is over. */
static bool balance_round(struct km_os *os, struct km_cpu *cpu, struct km_kswapd_thread *k)
{
    struct km_reclaim *rc = os->reclaim;
    struct km_scan sc = {.highest = k->highest,
                         .order = k->order,
                         .gfp = KM_GFP_KERNEL,
                         .priority = k->priority,
                         .to_reclaim = round_target(os, cpu, k->highest),
                         .kswapd = true};
    bool balanced = km_kswapd_balanced(os, cpu, k->order, k->highest);

    if (!balanced && k->boost_left) {
        k->boost_left = 0;
        k->priority = sc.priority = KM_RECLAIM_PRIORITY;
    }
    if (balanced && !k->boost_left)
        return true;
    bool raise = !(k->boost_left && k->priority == BOOST_PRIORITY);

    sc.may_swap = sc.may_write = !k->boost_left;
    rc->memalloc[cpu->id] = true;
    km_age_anon(os, cpu, &sc);
    km_shrink_node(os, cpu, &sc);
    rc->memalloc[cpu->id] = false;
    k->reclaimed += sc.reclaimed;
    k->busy_until_ns += (sc.scanned + 1) * rc->scan_page_ns;
    if (k->order && sc.reclaimed >= 2ull << k->order)
        k->order = 0;
    if (sc.scanned >= sc.to_reclaim)
        raise = false;
    if (k->boost_left && !sc.reclaimed)
        return true;
    k->boost_left -= km_min_u64(k->boost_left, sc.reclaimed);
    if (raise || !sc.reclaimed)
        k->priority--;
    return k->priority < 1;
}

/* The nap is over, or was cut short. */
static void end_nap(struct km_os *os, struct km_cpu *cpu, struct km_kswapd_thread *k)
{
    bool balanced = km_kswapd_balanced(os, cpu, k->order, k->highest);

    if (k->woken || (!balanced && k->failures < MAX_FAILURES)) {
        if (!k->woken)
            km_reclaim_count(os->reclaim, KM_VM_HIGH_WMARK_HIT, 1);
        start_balance(os, cpu, k);
        return;
    }
    k->state = KM_KSWAPD_ASLEEP;
    k->order = 0;
    tell(os, cpu, KM_TP_KSWAPD_SLEEP, 0, 0);
    km_kswapd_awake(os, cpu, false);
}

void km_kswapd_step(struct km_os *os, struct km_cpu *cpu, uint64_t now_ns)
{
    struct km_kswapd_thread *k = &os->reclaim->kswapd;

    if (k->running) /* by the CPU that has begun it */
        return;
    k->running = true;
    while (k->busy_until_ns <= now_ns && (k->state != KM_KSWAPD_ASLEEP || k->woken)) {
        switch (k->state) {
        case KM_KSWAPD_ASLEEP:
            k->busy_until_ns = now_ns;
            start_balance(os, cpu, k);
            break;
        case KM_KSWAPD_NAP:
            end_nap(os, cpu, k);
            break;
        case KM_KSWAPD_BALANCE:
            if (balance_round(os, cpu, k))
                end_balance(os, cpu, k);
            break;
        }
    }
    k->running = false;
}
