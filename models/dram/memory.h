/* SPDX-License-Identifier: MIT
 * memory.h - the memory of a machine: one to four channels that serve requests one after the other.
 *
 * Models:      which channel a line lies in, by the bits the address mapping gives to `channel`.
 *              Channels work independently, each with its own commands, data bus and refreshes.
 * Time:        DRAM clocks, see serial.h.
 */
#ifndef KM_DRAM_MEMORY_H
#define KM_DRAM_MEMORY_H

#include "models/dram/serial.h"

#ifdef __cplusplus
extern "C" {
#endif

struct km_dram_memory {
    struct km_dram_map map;
    uint32_t nr;
    struct km_dram_serial channel[KM_DRAM_MAX_CHANNELS];
};

void km_dram_memory_init(struct km_dram_memory *m, const struct km_dram_serial_cfg *cfg);

static inline struct km_dram_serial *km_dram_memory_at(struct km_dram_memory *m, uint64_t pa)
{
    return &m->channel[m->nr > 1 ? km_dram_map_locate(&m->map, pa).channel : 0];
}

static inline uint64_t km_dram_memory_read(struct km_dram_memory *m, uint64_t pa, uint32_t bytes,
                                           uint64_t arrival)
{
    return km_dram_serial_read(km_dram_memory_at(m, pa), pa, bytes, arrival);
}

static inline void km_dram_memory_write(struct km_dram_memory *m, uint64_t pa, uint32_t bytes,
                                        uint64_t arrival)
{
    km_dram_serial_write(km_dram_memory_at(m, pa), pa, bytes, arrival);
}

/* Performs all posted writes. */
static inline void km_dram_memory_drain(struct km_dram_memory *m)
{
    for (uint32_t i = 0; i < m->nr; i++)
        km_dram_serial_drain(&m->channel[i]);
}

#ifdef __cplusplus
}
#endif
#endif
