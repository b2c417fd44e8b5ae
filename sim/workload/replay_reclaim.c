/* SPDX-License-Identifier: MIT
 * replay_reclaim.c - kswapd of the traced kernel, as far as it changes how the allocator decides.
 *
 * In a replay the traced kernel's own reclaim frees the pages. What remains to be followed is: while kswapd is
 * awake the free-page counters may lag further; while it balances, per-CPU lists are kept short; when it has
 * balanced, it takes back the watermark boosts it found (kernel-behaviour B7, C2, C5, D2).
 * When it starts and sleeps is traced, when it stops balancing is inferred (hidden.h). Where the trace has
 * nothing of kswapd, a boost of the model is taken back after the time kswapd usually needs.
 */
#include "sim/workload/replay.h"

#include "models/os/zone.h"

#define BOOST_RELIEF_NS 100000000ull

static void set_active(struct km_replay *r, bool active)
{
    struct km_cpu *cpu = &r->guest.cpu[0];

    for (unsigned z = 0; z < KM_NR_ZONES; z++) {
        km_vaddr va = r->guest.os.zone[z].va + KM_ZONE_FLAGS;
        uint32_t flags = km_ld32(cpu, va) & ~(uint32_t)KM_ZONE_RECLAIM_ACTIVE;

        km_st32(cpu, va, active ? flags | KM_ZONE_RECLAIM_ACTIVE : flags);
    }
}

static void take_back(struct km_replay *r, bool all)
{
    struct km_cpu *cpu = &r->guest.cpu[0];

    for (unsigned z = 0; z < KM_NR_ZONES; z++) {
        km_vaddr va = r->guest.os.zone[z].va + KM_ZONE_BOOST;
        uint32_t boost = km_ld32(cpu, va), seen = r->kswapd.boost_seen[z];

        km_st32(cpu, va, all || seen > boost ? 0 : boost - seen);
    }
}

static void begin_balance(struct km_replay *r)
{
    for (unsigned z = 0; z < KM_NR_ZONES; z++)
        r->kswapd.boost_seen[z] = km_peek32(r->guest.window.base, r->guest.os.zone[z].va + KM_ZONE_BOOST);
    r->kswapd.balancing = true;
    r->kswapd.boost_clear_ns = KM_NEVER;
    km_zone_set_stat_thresholds(&r->guest.os, &r->guest.cpu[0], true);
    set_active(r, true);
}

static void end_balance(struct km_replay *r)
{
    if (!r->kswapd.balancing)
        return;
    r->kswapd.balancing = false;
    set_active(r, false);
    take_back(r, false);
}

void km_replay_kswapd(struct km_replay *r, const struct km_event *ev, uint64_t index)
{
    const struct km_hidden *h = r->busy.hidden;

    for (; h && r->kswapd.next_rest < h->rests.nr && h->rests.item[r->kswapd.next_rest].index < index;
         r->kswapd.next_rest++)
        end_balance(r);
    if (r->kswapd.boost_clear_ns <= ev->time_ns && !r->kswapd.balancing) {
        take_back(r, true);
        r->kswapd.boost_clear_ns = KM_NEVER;
    }
    switch (ev->type) {
    case KM_EV_WAKEUP_KSWAPD:
        end_balance(r);
        break;
    case KM_EV_KSWAPD_WAKE:
        end_balance(r);
        begin_balance(r);
        break;
    case KM_EV_KSWAPD_SLEEP:
        end_balance(r);
        km_zone_set_stat_thresholds(&r->guest.os, &r->guest.cpu[0], false);
        break;
    default:
        break;
    }
}

void km_replay_boosted(struct km_replay *r, uint64_t time_ns)
{
    if (r->kswapd.boost_clear_ns == KM_NEVER)
        r->kswapd.boost_clear_ns = time_ns + BOOST_RELIEF_NS;
}
