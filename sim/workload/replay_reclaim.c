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

#define BOOST_RELIEF_NS 100000000ull

static void clear_boosts(struct km_replay *r)
{
    for (unsigned z = 0; z < KM_NR_ZONES; z++)
        km_st32(&r->guest.cpu[0], r->guest.os.zone[z].va + KM_ZONE_BOOST, 0);
}

static void begin_balance(struct km_replay *r)
{
    km_kswapd_awake(&r->guest.os, &r->guest.cpu[0], true);
    km_kswapd_begin(&r->kswapd.model, &r->guest.os, &r->guest.cpu[0]);
    r->kswapd.boost_clear_ns = KM_NEVER;
}

static void end_balance(struct km_replay *r)
{
    km_kswapd_end(&r->kswapd.model, &r->guest.os, &r->guest.cpu[0]);
}

void km_replay_kswapd(struct km_replay *r, const struct km_event *ev, uint64_t index)
{
    const struct km_hidden *h = r->busy.hidden;

    for (; h && r->kswapd.next_rest < h->rests.nr && h->rests.item[r->kswapd.next_rest].index < index;
         r->kswapd.next_rest++)
        end_balance(r);
    if (r->kswapd.boost_clear_ns <= ev->time_ns && !r->kswapd.model.balancing) {
        clear_boosts(r);
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
        km_kswapd_awake(&r->guest.os, &r->guest.cpu[0], false);
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
