/* SPDX-License-Identifier: MIT
 * ddr3.h - DDR3-1600K (11-11-11), one rank of 4 Gb x8 parts: the device of the DRAM tests.
 */
#ifndef KM_TESTS_DRAM_DDR3_H
#define KM_TESTS_DRAM_DDR3_H

#include "models/dram/dram.h"

static inline struct km_dram_geom ddr3_1600k(uint32_t ranks)
{
    return (struct km_dram_geom){.channels = 1,
                                 .ranks = ranks,
                                 .banks = 8,
                                 .rows = 65536,
                                 .columns = 1024,
                                 .bus_bytes = 8,
                                 .burst = 8,
                                 .data_rate = 2,
                                 .ncl = 11,
                                 .ncwl = 8,
                                 .nrcd = 11,
                                 .nrp = 11,
                                 .nras = 28,
                                 .nrc = 39,
                                 .nrrd = 5,
                                 .nfaw = 24,
                                 .nwr = 12,
                                 .nwtr = 6,
                                 .nrtp = 6,
                                 .nccd = 4,
                                 .nrtrs = 2,
                                 .nrfc = 208,
                                 .nrefi = 6240,
                                 .mapping = "row:rank:bank:column"};
}

#endif
