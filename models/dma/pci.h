/* SPDX-License-Identifier: MIT
 * pci.h - a 33 MHz, 32-bit PCI bus: arbitration, bursts, latency timers, posted writes, retries.
 *
 * Models:      one bus with a host bridge and up to KM_PCI_MASTERS bus masters. A transaction arbitrates
 *              (hidden behind the one before), has an address phase, waits for its target, moves a word a
 *              clock and ends with a turnaround clock. A master whose latency timer has run out gives the bus
 *              up at the next word if another master asks for it, and comes back for the rest. The processor's
 *              writes are posted in the bridge, which holds KM_PCI_POSTED of them; its reads are not, never
 *              burst, and push the posted writes before them. A target that is not ready within 16 clocks of a
 *              first word answers with a retry; the master asks again after the turnaround.
 * Not modelled: 64-bit and 66 MHz buses, bridges behind the bridge, parity, disconnects by the target other
 *              than at the end of its page, exclusive access (LOCK#), interrupt acknowledge cycles.
 * Invariants:  transactions do not overlap; grants are made in order of request, so requests must come in
 *              nondecreasing order; at most 132 MB/s.
 * Units:       PCI clocks since reset; words of four bytes.
 * References:  PCI Local Bus Specification 2.1, sections 3.3 to 3.5; measured rates of processor reads (19 to 21
 *              clocks) and posted writes (8 clocks): docs/reference/hardware-truth.md section 2.
 */
#ifndef KM_DMA_PCI_H
#define KM_DMA_PCI_H

#include "models/base/types.h"

#ifdef __cplusplus
extern "C" {
#endif

#define KM_PCI_CLOCK_HZ 33333333u
#define KM_PCI_MASTERS 8u
#define KM_PCI_POSTED 4u      /* processor writes the bridge holds */
#define KM_PCI_RETRY_CLOCKS 16u /* a first word that takes longer is answered with a retry */

struct km_pci_geom {
    uint32_t arbitration_clocks; /* GNT# to FRAME# when the bus is idle */
    uint32_t target_clocks;      /* FRAME# to the first word of a device's register */
    uint32_t bridge_clocks;      /* the processor's side of the bridge, per access */
    uint32_t write_clocks;       /* a posted write on the bus, from FRAME# to FRAME# */
    uint32_t latency_timer;      /* clocks a master may keep the bus when others ask */
};

struct km_pci_counts {
    uint64_t transactions, words, reads, posted_writes, retries, preemptions, busy_clocks, wait_clocks;
};

struct km_pci {
    struct km_pci_geom geom;
    uint64_t free;                  /* first clock the bus is idle */
    uint64_t posted[KM_PCI_POSTED]; /* when the slot's write is on the bus; ring */
    unsigned posted_next;
    uint64_t asks[KM_PCI_MASTERS]; /* since when a master asks for the bus; KM_NEVER: it does not */
    struct km_pci_counts n;
};

/* A burst of a bus master, or as much of it as it got. */
struct km_pci_burst {
    uint64_t address_clock; /* FRAME# */
    uint64_t first_clock;   /* first word */
    uint64_t end_clock;     /* bus idle again */
    uint32_t words;         /* moved; the rest must be asked for again. 0: retry */
};

const char *km_pci_check(const struct km_pci_geom *g);
void km_pci_init(struct km_pci *b, const struct km_pci_geom *g);
/* The processor reads a device register at `clock`; returns when it has the word. */
uint64_t km_pci_cpu_read(struct km_pci *b, uint64_t clock);
/* It writes one; returns when the bridge has taken the write. */
uint64_t km_pci_cpu_write(struct km_pci *b, uint64_t clock);
/* A master asks for the bus from `clock` on: others give way when their timer has run out. */
void km_pci_ask(struct km_pci *b, unsigned master, uint64_t clock);
/* The master's transaction of `words`, asked for at `clock`; memory has the first one `memory_clocks` after the
 * address phase and then one a clock. */
struct km_pci_burst km_pci_burst(struct km_pci *b, unsigned master, uint64_t clock, uint32_t words,
                                 uint32_t memory_clocks);

#ifdef __cplusplus
}
#endif
#endif
