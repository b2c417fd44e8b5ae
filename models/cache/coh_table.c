/* SPDX-License-Identifier: MIT
 * coh_table.c - all coherence protocols, sorted by name.
 */
#include "models/cache/coh.h"

const struct km_coh_protocol *const km_coh_table[] = {
    &km_coh_mesi,
    &km_coh_moesi,
    &km_coh_msi,
    NULL,
};
