/* SPDX-License-Identifier: MIT
 * check.c - are the simulated allocator's lists still sound while a trace is replayed?
 *
 * Free lists, per-CPU lists and their counters are walked every replay.check_events events and at the end
 * (builds with KM_CHECK: every 4096 events unless the configuration says otherwise). A fault found is a defect of
 * ours: the program stops with exit code 70 and names the event. Nothing of the model changes and no simulated
 * time passes, so results do not depend on it.
 */
#include "sim/workload/reclaim_model.h"
#include "sim/workload/replay.h"

#include "models/base/bug.h"
#include "models/os/buddy.h"
#include "models/os/pcp.h"

#include <stdio.h>

#ifdef KM_CHECK
#define DEFAULT_PERIOD 4096u
#else
#define DEFAULT_PERIOD 0u
#endif

uint64_t km_replay_check_period(const struct km_replay *r)
{
    return r->cfg->replay.check_events ? r->cfg->replay.check_events : DEFAULT_PERIOD;
}

void km_replay_check(const struct km_replay *r)
{
    const struct km_guest *g = &r->guest;

    for (unsigned z = 0; z < KM_NR_ZONES; z++) {
        const char *wrong = km_buddy_check(&g->os, g->window.base, (enum km_zone_id)z);

        for (unsigned c = 0; c < g->os.p.cpus && !wrong; c++)
            wrong = km_pcp_check(&g->os, g->window.base, (enum km_zone_id)z, c);
        if (!wrong)
            continue;
        char text[160];

        snprintf(text, sizeof(text), "after event %llu: zone %s: %s", (unsigned long long)r->index,
                 g->os.zone[z].name, wrong);
        km_bug(__FILE__, __LINE__, text);
    }
    const char *wrong = km_reclaim_model_check(r);

    if (wrong)
        km_bug(__FILE__, __LINE__, wrong);
}

void km_replay_check_event(struct km_replay *r)
{
    if (!r->check_period)
        return;
    if (r->check_in)
        r->check_in--;
    if (r->check_in || r->running)
        return;
    r->check_in = r->check_period;
    km_replay_check(r);
}
