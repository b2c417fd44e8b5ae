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

/* The thread itself, where reclaim is the model's own (os->reclaim). */
enum km_kswapd_state {
    KM_KSWAPD_ASLEEP,
    KM_KSWAPD_NAP,     /* has balanced; looks again after 0.1 s */
    KM_KSWAPD_BALANCE, /* one round of reclaim per step */
};

struct km_kswapd_thread {
    enum km_kswapd_state state;
    struct km_kswapd balance;
    unsigned wake_order, order; /* asked for since it last looked; worked for */
    enum km_zone_id wake_highest, highest;
    bool running;            /* on some CPU right now */
    bool woken;              /* asked for since it last looked */
    uint64_t busy_until_ns;  /* end of the round or the nap */
    uint64_t boost_left;     /* pages still to reclaim for boosts alone */
    int priority;
    uint64_t reclaimed;      /* in this balancing */
    unsigned failures;       /* balancings in a row without a page */
};

/* wakeup_kswapd: a request for this order in zones up to `highest` found too little. */
void km_kswapd_wake(struct km_os *os, struct km_cpu *cpu, uint32_t gfp, unsigned order, enum km_zone_id highest);
/* Works until its simulated time has caught up with now. */
void km_kswapd_step(struct km_os *os, struct km_cpu *cpu, uint64_t now_ns);

#endif
