/* SPDX-License-Identifier: MIT
 * ref_table.c - all memory-reference formats, sorted by name.
 */
#include "sim/workload/ref.h"

const struct km_ref_reader *const km_ref_table[] = {
    &km_ref_din,
    &km_ref_dram_rw,
    &km_ref_lackey,
    NULL,
};
