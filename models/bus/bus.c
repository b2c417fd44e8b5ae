/* SPDX-License-Identifier: MIT
 * bus.c - see bus.h.
 */
#include "models/bus/bus.h"

#include "models/base/bits.h"

const char *km_bus_check(const struct km_bus_geom *g)
{
    if (!km_is_pow2(g->width_bytes) || g->width_bytes > 64)
        return "the bus width must be a power of two of at most 64 bytes";
    if (!g->transfers_per_clock || g->transfers_per_clock > 8)
        return "the transfers per clock must be between 1 and 8";
    if (g->snoop_clocks < KM_BUS_ADDRESS_CLOCKS)
        return "the snoop result cannot come before the two-clock request phase has ended";
    return NULL;
}

void km_bus_init(struct km_bus *b, const struct km_bus_geom *g)
{
    *b = (struct km_bus){.geom = *g};
}

uint64_t km_bus_request(struct km_bus *b, uint64_t clock)
{
    uint64_t wanted = clock + b->geom.arbitration_clocks;
    uint64_t begin = km_max_u64(wanted, b->address_free);

    b->n.transactions++;
    b->n.wait_clocks += begin - wanted;
    b->n.address_busy_clocks += KM_BUS_ADDRESS_CLOCKS;
    b->address_free = begin + KM_BUS_ADDRESS_CLOCKS;
    return begin;
}

uint64_t km_bus_data(struct km_bus *b, uint64_t ready, uint32_t bytes)
{
    uint64_t begin = km_max_u64(ready, b->data_free);
    uint32_t per_clock = b->geom.width_bytes * b->geom.transfers_per_clock;
    uint32_t clocks = (bytes + per_clock - 1) / per_clock;

    b->n.data_busy_clocks += clocks;
    b->data_free = begin + clocks;
    return begin + 1;
}
