/* SPDX-License-Identifier: MIT
 * shootdown.c - TLB shootdown: one CPU makes others forget translations, by interprocessor
 * interrupt.
 *
 * Models:      the sender flushes its own TLBs, writes the interrupt command once per target
 *              (ipi_send_cycles each) and spins until every target has acknowledged. A target takes
 *              the interrupt at its first reference, instruction fetch or busy-wait step at or
 *              after arrival (ipi_latency_cycles later), spends ipi_handler_cycles and the flush.
 *              A CPU without work answers at once and pays before its next work item; with
 *              lazy_tlb it is not interrupted for user addresses and flushes everything when it
 *              gets work. More pages than KM_FLUSH_PAGES are flushed as a whole (Linux: 33).
 * Not modelled: interrupts disabled at the target, the APIC bus as a shared medium.
 * Exactness:   a request is posted at a snoop key of the sender, at least min_snoop after it was
 *              known to come, so no target has run past it (core.h). Targets stop filtered
 *              references at the arrival (ipi_next caps their horizon). The sender polls at fixed
 *              steps and sees only acknowledgements that lie before its own time.
 */
#include "sim/top/core.h"

#include "models/base/bits.h"

static uint64_t pages_of(const struct km_ipi *ipi)
{
    return ((uint64_t)ipi->end - ipi->start + KM_PAGE_BYTES - 1) >> KM_PAGE_SHIFT;
}

/* Flushes what the request names on n; returns the cycles that takes. */
static uint64_t flush(struct km_node *n, const struct km_ipi *ipi)
{
    uint64_t pages = pages_of(ipi);

    if (ipi->start == ipi->end || pages > KM_FLUSH_PAGES) {
        km_core_flush_tlbs(n, false);
        return n->core->cr3_cycles;
    }
    for (uint64_t i = 0; i < pages; i++)
        km_core_drop_page(n, (km_vaddr)(ipi->start + i * KM_PAGE_BYTES));
    return pages * KM_INVLPG_CYCLES;
}

static void find_next(struct km_node *n)
{
    n->ipi_next = KM_NEVER;
    for (unsigned i = 0; i < n->core->nr_cpus; i++)
        if (n->ipi_from[i].pending)
            n->ipi_next = km_min_u64(n->ipi_next, n->ipi_from[i].at);
    n->cpu.horizon = km_min_u64(n->horizon, n->ipi_next);
}

/* Takes the earliest request if it has arrived at n's local time. */
static bool take_one(struct km_node *n)
{
    for (unsigned i = 0; i < n->core->nr_cpus; i++) {
        struct km_ipi *ipi = &n->ipi_from[i];

        if (!ipi->pending || ipi->at != n->ipi_next)
            continue;
        ipi->pending = false;
        km_core_drain_stores(n);
        n->cpu.local_cycles += n->core->ipi_handler_cycles + flush(n, ipi);
        n->core->node[i].ack_at[n->id] = n->cpu.local_cycles;
        n->shootdown.taken++;
        find_next(n);
        return true;
    }
    return false;
}

void km_core_answer_ipis(struct km_node *n)
{
    while (n->ipi_next <= n->cpu.local_cycles && take_one(n))
        km_core_catch_up(n);
}

void km_core_finish_ipis(struct km_node *n)
{
    while (n->ipi_next != KM_NEVER) {
        n->cpu.local_cycles = km_max_u64(n->cpu.local_cycles, n->ipi_next);
        take_one(n);
    }
}

void km_core_settle_ipis(struct km_node *n)
{
    n->cpu.local_cycles = km_max_u64(n->cpu.local_cycles, n->busy_until);
    if (!n->stale_tlb)
        return;
    n->stale_tlb = false;
    km_core_flush_tlbs(n, false);
    n->cpu.local_cycles += n->core->cr3_cycles;
}

/* The request reaches a target at the sender's snoop key `now`. */
static void post(struct km_node *sender, struct km_node *target, const struct km_ipi *ipi,
                 uint64_t now)
{
    struct km_core *core = sender->core;
    uint64_t at = now + core->ipi_latency_cycles;

    sender->shootdown.ipis++;
    if (target->in_item) {
        target->ipi_from[sender->id] = *ipi;
        target->ipi_from[sender->id].pending = true;
        target->ipi_from[sender->id].at = at;
        sender->ack_at[target->id] = KM_NEVER;
        find_next(target);
        return;
    }
    target->busy_until = km_max_u64(target->busy_until, at) + core->ipi_handler_cycles;
    target->busy_until += flush(target, ipi);
    target->shootdown.taken++;
    sender->ack_at[target->id] = target->busy_until;
}

static bool all_acknowledged(const struct km_node *n, uint32_t targets)
{
    for (unsigned i = 0; i < n->core->nr_cpus; i++)
        if ((targets >> i & 1) && n->ack_at[i] > n->cpu.local_cycles)
            return false;
    return true;
}

/* Spins, at fixed steps; answers others meanwhile. */
static void wait_for(struct km_node *n, uint32_t targets)
{
    while (!all_acknowledged(n, targets)) {
        n->cpu.local_cycles += KM_RELAX_CYCLES;
        n->shootdown.wait_cycles += KM_RELAX_CYCLES;
        km_core_advance(n, n->cpu.local_cycles, KM_PHASE_ITEM + n->id, KM_EFFECT_REF);
        km_core_take_ipis(n);
    }
}

void km_core_shootdown(struct km_node *n, uint32_t mask, km_vaddr start, km_vaddr end)
{
    struct km_core *core = n->core;
    struct km_ipi ipi = {.start = start, .end = end};
    bool user = start < end && end <= core->window->page_offset;
    uint32_t targets = 0;

    km_core_catch_up(n);
    km_core_drain_stores(n);
    n->shootdown.started++;
    n->cpu.local_cycles += flush(n, &ipi);
    for (unsigned i = 0; i < core->nr_cpus; i++)
        if (i != n->id && (mask >> i & 1))
            targets |= 1u << i;
    if (!targets)
        return;
    n->cpu.local_cycles += (uint64_t)core->ipi_send_cycles * (unsigned)__builtin_popcount(targets);
    uint64_t now = n->cpu.local_cycles + core->min_snoop;

    km_core_advance(n, now, KM_PHASE_SNOOP + n->id, KM_EFFECT_NOW);
    n->cpu.local_cycles = now;
    for (unsigned i = 0; i < core->nr_cpus; i++) {
        struct km_node *target = &core->node[i];

        if (!(targets >> i & 1))
            continue;
        if (user && core->lazy_tlb && !target->in_item) {
            target->stale_tlb = true;
            n->shootdown.lazy++;
            targets &= ~(1u << i);
            continue;
        }
        post(n, target, &ipi, now);
    }
    wait_for(n, targets);
}
