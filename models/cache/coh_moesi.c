/* SPDX-License-Identifier: MIT
 * coh_moesi.c - MOESI as in AMD K7 and K8: a modified line may be shared without a write-back.
 *
 * The owner (O) supplies the line and writes it back when it replaces it; until then memory is out
 * of date.
 */
#include "models/cache/coh.h"

const struct km_coh_protocol km_coh_moesi = {
    .name = "moesi",
    .help = "modified lines are shared without a write-back (AMD)",
    .cell =
        {
            [KM_LINE_I] =
                {
                    [KM_COH_STORE] = {KM_LINE_I, KM_COH_BUG},
                    [KM_COH_FILL_ALONE] = {KM_LINE_E, KM_COH_NOTHING},
                    [KM_COH_FILL_SHARED] = {KM_LINE_S, KM_COH_NOTHING},
                    [KM_COH_FILL_OWN] = {KM_LINE_M, KM_COH_NOTHING},
                    [KM_COH_SNOOP_READ] = {KM_LINE_I, KM_COH_NOTHING},
                    [KM_COH_SNOOP_OWN] = {KM_LINE_I, KM_COH_NOTHING},
                    [KM_COH_SNOOP_UPGRADE] = {KM_LINE_I, KM_COH_NOTHING},
                    [KM_COH_SNOOP_WRITE] = {KM_LINE_I, KM_COH_NOTHING},
                },
            [KM_LINE_S] =
                {
                    [KM_COH_STORE] = {KM_LINE_S, KM_COH_UPGRADE},
                    [KM_COH_FILL_ALONE] = {KM_LINE_S, KM_COH_NOTHING},
                    [KM_COH_FILL_SHARED] = {KM_LINE_S, KM_COH_NOTHING},
                    [KM_COH_FILL_OWN] = {KM_LINE_M, KM_COH_NOTHING},
                    [KM_COH_SNOOP_READ] = {KM_LINE_S, KM_COH_NOTHING},
                    [KM_COH_SNOOP_OWN] = {KM_LINE_I, KM_COH_NOTHING},
                    [KM_COH_SNOOP_UPGRADE] = {KM_LINE_I, KM_COH_NOTHING},
                    [KM_COH_SNOOP_WRITE] = {KM_LINE_I, KM_COH_NOTHING},
                },
            [KM_LINE_E] =
                {
                    [KM_COH_STORE] = {KM_LINE_M, KM_COH_NOTHING},
                    [KM_COH_FILL_ALONE] = {KM_LINE_I, KM_COH_BUG},
                    [KM_COH_FILL_SHARED] = {KM_LINE_I, KM_COH_BUG},
                    [KM_COH_FILL_OWN] = {KM_LINE_I, KM_COH_BUG},
                    [KM_COH_SNOOP_READ] = {KM_LINE_S, KM_COH_NOTHING},
                    [KM_COH_SNOOP_OWN] = {KM_LINE_I, KM_COH_NOTHING},
                    [KM_COH_SNOOP_UPGRADE] = {KM_LINE_I, KM_COH_BUG},
                    [KM_COH_SNOOP_WRITE] = {KM_LINE_I, KM_COH_NOTHING},
                },
            [KM_LINE_O] =
                {
                    [KM_COH_STORE] = {KM_LINE_O, KM_COH_UPGRADE},
                    [KM_COH_FILL_ALONE] = {KM_LINE_I, KM_COH_BUG},
                    [KM_COH_FILL_SHARED] = {KM_LINE_I, KM_COH_BUG},
                    [KM_COH_FILL_OWN] = {KM_LINE_M, KM_COH_NOTHING},
                    [KM_COH_SNOOP_READ] = {KM_LINE_O, KM_COH_SUPPLY},
                    [KM_COH_SNOOP_OWN] = {KM_LINE_I, KM_COH_SUPPLY},
                    [KM_COH_SNOOP_UPGRADE] = {KM_LINE_I, KM_COH_NOTHING},
                    [KM_COH_SNOOP_WRITE] = {KM_LINE_I, KM_COH_WRITE_BACK},
                },
            [KM_LINE_M] =
                {
                    [KM_COH_STORE] = {KM_LINE_M, KM_COH_NOTHING},
                    [KM_COH_FILL_ALONE] = {KM_LINE_I, KM_COH_BUG},
                    [KM_COH_FILL_SHARED] = {KM_LINE_I, KM_COH_BUG},
                    [KM_COH_FILL_OWN] = {KM_LINE_I, KM_COH_BUG},
                    [KM_COH_SNOOP_READ] = {KM_LINE_O, KM_COH_SUPPLY},
                    [KM_COH_SNOOP_OWN] = {KM_LINE_I, KM_COH_SUPPLY},
                    [KM_COH_SNOOP_UPGRADE] = {KM_LINE_I, KM_COH_BUG},
                    [KM_COH_SNOOP_WRITE] = {KM_LINE_I, KM_COH_WRITE_BACK},
                },
        },
};
