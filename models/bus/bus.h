/* SPDX-License-Identifier: MIT
 * bus.h - the shared front-side bus: who may put an address on it when, and when data pass.
 *
 * Models:      a pipelined split bus of the P6 kind: every transaction arbitrates, occupies the
 *              address phase, gets its snoop result a fixed number of clocks later, and may move a
 *              line over the data phase. Address phases are granted in request order; data phases
 *              are taken in the order the data become ready.
 * Not modelled: deferred replies, retries, the in-order-queue limit (a CPU here has one request in
 * flight).
 * Time:        bus clocks since reset; the caller converts. The bus asks no clock.
 * Invariants:  address phases do not overlap; data phases do not overlap; a snoop result never
 *              precedes the end of its address phase.
 * References:  Pentium Pro Family Developer's Manual vol. 1 (1996), chapters 3 and 4: request phase
 *              two clocks, snoop phase.
 */
#ifndef KM_BUS_BUS_H
#define KM_BUS_BUS_H

#include "models/base/types.h"

#ifdef __cplusplus
extern "C" {
#endif

#define KM_BUS_ADDRESS_CLOCKS 2u /* request phase: two clocks of address and type */

struct km_bus_geom {
    uint32_t width_bytes, transfers_per_clock;
    uint32_t arbitration_clocks, snoop_clocks;
};

struct km_bus_counts {
    uint64_t transactions, invalidates, hitm, locks;
    uint64_t address_busy_clocks, data_busy_clocks, wait_clocks;
};

struct km_bus {
    struct km_bus_geom geom;
    uint64_t address_free; /* first clock an address phase may begin */
    uint64_t data_free;
    struct km_bus_counts n;
};

const char *km_bus_check(const struct km_bus_geom *g);
void km_bus_init(struct km_bus *b, const struct km_bus_geom *g);
/* Snoop result of a request made at `clock` if nobody else used the bus. */
static inline uint64_t km_bus_unloaded_snoop(const struct km_bus *b, uint64_t clock)
{
    return clock + b->geom.arbitration_clocks + b->geom.snoop_clocks;
}
/* Grants the address phase to a request made at `clock`; requests come in nondecreasing order.
 * Returns its first clock; the snoop result is geom.snoop_clocks later. */
uint64_t km_bus_request(struct km_bus *b, uint64_t clock);
/* Takes the data phase for `bytes` from the first free clock not before ready; returns the clock at
 * which the first transfer is complete. */
uint64_t km_bus_data(struct km_bus *b, uint64_t ready, uint32_t bytes);

#ifdef __cplusplus
}
#endif
#endif
