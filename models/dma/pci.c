/* SPDX-License-Identifier: MIT
 * pci.c - see pci.h.
 */
#include "models/dma/pci.h"

#include "models/base/bits.h"
#include "models/base/bug.h"

#define ADDRESS_CLOCKS 1u
#define TURNAROUND_CLOCKS 1u

const char *km_pci_check(const struct km_pci_geom *g)
{
    if (!g->target_clocks || g->target_clocks > KM_PCI_RETRY_CLOCKS)
        return "a PCI target must give its first word within 1 to 16 clocks";
    if (g->latency_timer > 255)
        return "the PCI latency timer has eight bits";
    if (g->write_clocks < ADDRESS_CLOCKS + 1 + TURNAROUND_CLOCKS)
        return "a PCI write takes at least three clocks: address, data, turnaround";
    return NULL;
}

void km_pci_init(struct km_pci *b, const struct km_pci_geom *g)
{
    *b = (struct km_pci){.geom = *g};
    for (unsigned i = 0; i < KM_PCI_MASTERS; i++)
        b->asks[i] = KM_NEVER;
}

/* First clock of a transaction asked for at `clock`. */
static uint64_t begin(struct km_pci *b, uint64_t clock)
{
    /* Arbitration goes on while the bus is busy: only an idle bus makes the master wait for it. */
    uint64_t at = km_max_u64(clock + b->geom.arbitration_clocks, b->free);

    b->n.transactions++;
    b->n.wait_clocks += at - clock;
    return at;
}

static void end(struct km_pci *b, uint64_t from, uint64_t to)
{
    b->n.busy_clocks += to - from;
    b->free = to;
}

uint64_t km_pci_cpu_read(struct km_pci *b, uint64_t clock)
{
    uint64_t last_write = b->posted[(b->posted_next + KM_PCI_POSTED - 1) % KM_PCI_POSTED];
    uint64_t from = begin(b, km_max_u64(clock + b->geom.bridge_clocks, last_write));
    uint64_t data = from + ADDRESS_CLOCKS + b->geom.target_clocks;

    b->n.reads++;
    b->n.words++;
    end(b, from, data + TURNAROUND_CLOCKS);
    return data + b->geom.bridge_clocks;
}

uint64_t km_pci_cpu_write(struct km_pci *b, uint64_t clock)
{
    uint64_t *slot = &b->posted[b->posted_next];
    uint64_t taken = km_max_u64(clock, *slot); /* a full bridge makes the processor wait */
    uint64_t from = begin(b, taken);

    b->posted_next = (b->posted_next + 1) % KM_PCI_POSTED;
    b->n.posted_writes++;
    b->n.words++;
    *slot = from + b->geom.write_clocks;
    end(b, from, *slot);
    return taken;
}

void km_pci_ask(struct km_pci *b, unsigned master, uint64_t clock)
{
    KM_BUG_ON(master >= KM_PCI_MASTERS);
    b->asks[master] = clock;
}

/* Since when another master asks; KM_NEVER: nobody does. */
static uint64_t asked_by_others(const struct km_pci *b, unsigned master)
{
    uint64_t first = KM_NEVER;

    for (unsigned i = 0; i < KM_PCI_MASTERS; i++)
        if (i != master)
            first = km_min_u64(first, b->asks[i]);
    return first;
}

struct km_pci_burst km_pci_burst(struct km_pci *b, unsigned master, uint64_t clock, uint32_t words,
                                 uint32_t memory_clocks)
{
    struct km_pci_burst t = {.words = words};

    KM_BUG_ON(master >= KM_PCI_MASTERS || !words);
    b->asks[master] = KM_NEVER;
    t.address_clock = begin(b, clock);
    if (memory_clocks > KM_PCI_RETRY_CLOCKS) {
        b->n.retries++;
        t.words = 0;
        t.first_clock = t.address_clock + ADDRESS_CLOCKS;
        t.end_clock = t.first_clock + TURNAROUND_CLOCKS;
        end(b, t.address_clock, t.end_clock);
        return t;
    }
    t.first_clock = t.address_clock + ADDRESS_CLOCKS + memory_clocks;
    /* The grant is gone when another asks; the timer says how long the transaction may still go on. */
    uint64_t others = asked_by_others(b, master);
    uint64_t last = km_max_u64(others, t.address_clock + b->geom.latency_timer);

    if (others != KM_NEVER && t.first_clock + words > last) {
        t.words = last > t.first_clock ? (uint32_t)(last - t.first_clock) : 1;
        b->n.preemptions += t.words < words;
    }
    t.end_clock = t.first_clock + t.words + TURNAROUND_CLOCKS;
    b->n.words += t.words;
    end(b, t.address_clock, t.end_clock);
    return t;
}
