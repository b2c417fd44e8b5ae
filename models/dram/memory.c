/* SPDX-License-Identifier: MIT
 * memory.c - see memory.h.
 */
#include "models/dram/memory.h"

#include "models/base/bug.h"

void km_dram_memory_init(struct km_dram_memory *m, const struct km_dram_serial_cfg *cfg)
{
    KM_BUG_ON(km_dram_map_parse(&m->map, &cfg->geom) != NULL);
    m->nr = cfg->geom.channels;
    for (uint32_t i = 0; i < m->nr; i++)
        km_dram_serial_init(&m->channel[i], cfg);
}
