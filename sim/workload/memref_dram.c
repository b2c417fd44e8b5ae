/* SPDX-License-Identifier: MIT
 * memref_dram.c - a request trace through the queued DRAM controllers, one per channel.
 *
 * At most one request is offered per clock, in trace order; a refused or held-back request holds
 * back all later ones. mlp: no more than that many reads in flight; the next one is offered in the
 * clock after a completion. pace: request i is not offered before clock i * pace. Writes are
 * posted.
 */
#include "models/base/bits.h"
#include "models/bus/clock.h"
#include "sim/base/dram_probe.h"
#include "sim/base/progress.h"
#include "sim/config/dram_stats.h"
#include "sim/workload/memref_cache.h"

#include <stdlib.h>

struct injector {
    struct km_ref_source *src;
    struct km_mem_ref ref;
    bool have;      /* ref is waiting */
    uint64_t index; /* of ref */
    uint64_t limit, pace;
    uint64_t in_flight, mlp; /* reads */
    uint64_t slot_clock;     /* first clock after the last completion */
};

/* Loads the next request; negative on error. */
static int advance(struct injector *in, struct km_err *err)
{
    in->have = false;
    if (in->limit && in->index >= in->limit)
        return KM_OK;
    int rc = km_ref_next(in->src, &in->ref, err);

    in->have = rc > 0;
    return rc < 0 ? rc : KM_OK;
}

/* First clock at or after `now` at which the waiting request may be offered; KM_NEVER: not before a
 * completion. */
static uint64_t offer_clock(const struct injector *in, uint64_t now)
{
    if (!in->have)
        return KM_NEVER;
    uint64_t at = km_max_u64(now, in->index * in->pace);

    if (in->ref.op == KM_OP_LOAD && in->mlp) {
        if (in->in_flight >= in->mlp)
            return KM_NEVER;
        at = km_max_u64(at, in->slot_clock);
    }
    return at;
}

/* The channels of the memory, each with its own controller. */
struct channels {
    struct km_dram_map map;
    uint32_t nr;
    struct km_dram_ctrl *ctrl[KM_DRAM_MAX_CHANNELS];
};

static struct km_dram_ctrl *channel_of(const struct channels *ch, uint64_t pa)
{
    return ch->ctrl[ch->nr > 1 ? km_dram_map_locate(&ch->map, pa).channel : 0];
}

static uint32_t complete_all(const struct channels *ch, uint64_t now)
{
    uint32_t done = 0;

    for (uint32_t i = 0; i < ch->nr; i++)
        if (km_dram_ctrl_completion(ch->ctrl[i]) <= now)
            done += km_dram_ctrl_complete(ch->ctrl[i], now);
    return done;
}

/* Steps every channel that has something to do at `now`; returns the next clock with work. */
static uint64_t step_all(const struct channels *ch, uint64_t now)
{
    uint64_t next = KM_NEVER;

    for (uint32_t i = 0; i < ch->nr; i++) {
        struct km_dram_ctrl *c = ch->ctrl[i];

        if (km_dram_ctrl_next(c) <= now)
            km_dram_ctrl_step(c, now);
        next = km_min_u64(next, km_dram_ctrl_next(c));
        next = km_min_u64(next, km_dram_ctrl_completion(c));
    }
    return next;
}

static bool all_idle(const struct channels *ch)
{
    for (uint32_t i = 0; i < ch->nr; i++)
        if (!km_dram_ctrl_idle(ch->ctrl[i]))
            return false;
    return true;
}

/* Offers the waiting request if its time has come and its channel has room. */
static int offer(struct injector *in, const struct channels *ch, struct km_memref_result *out,
                 struct km_progress *progress, uint64_t now, struct km_err *err)
{
    bool write = in->ref.op != KM_OP_LOAD;

    if (offer_clock(in, now) != now ||
        !km_dram_ctrl_offer(channel_of(ch, in->ref.addr), in->ref.addr, write, now))
        return KM_OK;
    in->in_flight += !write;
    in->index++;
    out->records++;
    if (progress && !(out->records & 4095))
        km_progress_update(progress, out->records, km_ref_position(in->src), 0);
    int rc = advance(in, err);

    if (!in->have)
        for (uint32_t i = 0; i < ch->nr; i++)
            km_dram_ctrl_flush(ch->ctrl[i], now);
    return rc;
}

static int run(struct injector *in, const struct channels *ch, struct km_memref_result *out,
               struct km_progress *progress, struct km_err *err)
{
    uint64_t now = 0;
    int rc = advance(in, err);

    while (!rc) {
        uint32_t done = complete_all(ch, now);

        if (done) {
            if (in->mlp && in->in_flight >= in->mlp)
                in->slot_clock = now + 1;
            in->in_flight -= done;
        }
        rc = offer(in, ch, out, progress, now, err);
        uint64_t next = step_all(ch, now);

        if (!in->have && all_idle(ch))
            break;
        /* a full queue gets room by a step or a completion only: no need to ask every clock */
        if (in->have && km_dram_ctrl_room(channel_of(ch, in->ref.addr), in->ref.op != KM_OP_LOAD))
            next = km_min_u64(next, offer_clock(in, now + 1));
        now = km_max_u64(next, now + 1);
    }
    return rc;
}

static void collect(const struct channels *ch, const struct km_dram_config *d,
                    struct km_memref_result *out)
{
    struct km_dram_stats *s = &out->hw.dram;

    out->refs = out->records;
    out->hw.valid = true;
    out->hw.refs = out->records;
    for (uint32_t i = 0; i < ch->nr; i++)
        km_dram_stats_add(s, &ch->ctrl[i]->dev, &ch->ctrl[i]->n, ch->ctrl[i]->audit.violations);
    for (uint32_t i = 0; i < ch->nr; i++)
        km_dram_stats_energy(s, &ch->ctrl[i]->dev, ch->ctrl[i]->n.refreshes, s->end_cycle, d);
    out->hw.sim_ps = km_clock_down(km_clock_ratio_of(1000000000000ull, d->clock_hz), s->end_cycle);
}

int km_memref_dram(struct km_ref_source *src, const struct km_config *cfg,
                   const struct km_probe *probe, struct km_memref_result *out,
                   struct km_progress *progress, struct km_err *err)
{
#ifdef KM_CHECK
    const bool audit = true;
#else
    const bool audit = false;
#endif
    const struct km_dram_config *d = &cfg->machine.dram;
    struct km_dram_ctrl_cfg cc = km_dram_ctrl_cfg_of(d, audit);
    struct injector in = {.src = src,
                          .limit = cfg->workload.limit_events,
                          .pace = cfg->workload.pace_cycles,
                          .mlp = cfg->workload.mlp};
    struct channels ch = {.nr = d->channels};
    struct km_dram_probe watch[KM_DRAM_MAX_CHANNELS];
    const char *why = km_dram_ctrl_check(&cc);

    *out = (struct km_memref_result){0};
    if (why)
        return km_fail(err, KM_E_USAGE, NULL, 0, 0, "machine.dram: %s", why);
    struct km_dram_ctrl *c = calloc(ch.nr, sizeof(*c));

    if (!c)
        return km_fail(err, KM_E_NOMEM, NULL, 0, 0, "no memory");
    km_dram_map_parse(&ch.map, &cc.geom);
    for (uint32_t i = 0; i < ch.nr; i++) {
        ch.ctrl[i] = &c[i];
        km_dram_ctrl_init(&c[i], &cc);
        km_dram_probe_attach(&watch[i], probe, i, &c[i].dev, d->clock_hz);
    }
    int rc = run(&in, &ch, out, progress, err);

    collect(&ch, d, out);
    free(c);
    return rc;
}
