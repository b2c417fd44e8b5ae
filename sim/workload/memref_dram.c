/* SPDX-License-Identifier: MIT
 * memref_dram.c - a request trace through the queued DRAM controller.
 *
 * At most one request is offered per clock, in trace order; a refused or held-back request holds
 * back all later ones. mlp: no more than that many reads in flight; the next one is offered in the
 * clock after a completion. pace: request i is not offered before clock i * pace. Writes are
 * posted.
 */
#include "models/base/bits.h"
#include "models/bus/clock.h"
#include "models/dram/ctrl.h"
#include "sim/base/progress.h"
#include "sim/config/hw_geom.h"
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

static int run(struct injector *in, struct km_dram_ctrl *c, struct km_memref_result *out,
               struct km_progress *progress, struct km_err *err)
{
    uint64_t now = 0;
    int rc = advance(in, err);

    while (!rc) {
        uint32_t done = km_dram_ctrl_complete(c, now);
        uint64_t offer_at;

        if (done) {
            if (in->mlp && in->in_flight >= in->mlp)
                in->slot_clock = now + 1;
            in->in_flight -= done;
        }
        offer_at = offer_clock(in, now);
        if (offer_at == now) {
            bool write = in->ref.op != KM_OP_LOAD;

            if (km_dram_ctrl_offer(c, in->ref.addr, write, now)) {
                in->in_flight += !write;
                in->index++;
                out->records++;
                rc = advance(in, err);
                if (progress && !(out->records & 4095))
                    km_progress_update(progress, out->records, km_ref_position(in->src), 0);
            }
            offer_at = offer_clock(in, now + 1);
        }
        km_dram_ctrl_step(c, now);
        uint64_t next = km_min_u64(km_dram_ctrl_completion(c), offer_at);

        if (!in->have && !c->read.nr && !c->write.nr && !c->nr_done)
            break;
        next = km_min_u64(next, km_dram_ctrl_next(c));
        now = km_max_u64(next, now + 1);
    }
    return rc;
}

int km_memref_dram(struct km_ref_source *src, const struct km_config *cfg,
                   struct km_memref_result *out, struct km_progress *progress, struct km_err *err)
{
    const struct km_dram_config *d = &cfg->machine.dram;
    struct km_dram_ctrl_cfg cc = {
        .geom = km_dram_geom_of(d),
        .fcfs = d->scheduler == KM_DRAM_FCFS,
        .closed_page = d->page == KM_DRAM_CLOSED,
        .refresh = d->refresh,
        .queue_read = d->queue_read,
        .queue_write = d->queue_write,
#ifdef KM_CHECK
        .audit = true,
#endif
    };
    struct injector in = {.src = src,
                          .limit = cfg->workload.limit_events,
                          .pace = cfg->workload.pace_cycles,
                          .mlp = cfg->workload.mlp};
    const char *why = km_dram_ctrl_check(&cc);

    *out = (struct km_memref_result){0};
    if (why)
        return km_fail(err, KM_E_USAGE, NULL, 0, 0, "machine.dram: %s", why);
    struct km_dram_ctrl *c = malloc(sizeof(*c));

    if (!c)
        return km_fail(err, KM_E_NOMEM, NULL, 0, 0, "no memory");
    km_dram_ctrl_init(c, &cc);
    int rc = run(&in, c, out, progress, err);
    const struct km_dram_serial_counts *n = &c->n;

    out->refs = out->records;
    out->hw.valid = true;
    out->hw.refs = out->records;
    out->hw.sim_ps = km_clock_down(km_clock_ratio_of(1000000000000ull, d->clock_hz), n->end_clock);
    out->hw.dram = (struct km_dram_stats){
        .reads = n->reads,
        .writes = n->writes,
        .row_hits = n->row_hits,
        .row_misses = n->row_misses,
        .row_conflicts = n->row_conflicts,
        .refreshes = n->refreshes,
        .end_cycle = n->end_clock,
        .read_latency_sum = n->read_latency_sum,
        .read_latency_max = n->read_latency_max,
        .bytes = n->bytes,
        .audit_violations = c->audit.violations,
    };
    free(c);
    return rc;
}
