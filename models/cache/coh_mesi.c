/* SPDX-License-Identifier: MIT
 * coh_mesi.c - MESI as on the P5 and P6 buses: a line nobody else has may be written without
 * asking.
 *
 * A modified line that another CPU asks for is supplied by its owner and written back to memory at
 * the same time (implicit write-back). O is not entered.
 */
#include "models/cache/coh.h"

#define SUPPLY_AND_WRITE (KM_COH_SUPPLY | KM_COH_WRITE_BACK)

const struct km_coh_protocol km_coh_mesi = {
    .name = "mesi",
    .help = "exclusive clean lines; modified ones are written back when another CPU asks (Intel)",
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
                    [KM_COH_STORE] = {KM_LINE_I, KM_COH_BUG},
                    [KM_COH_FILL_ALONE] = {KM_LINE_I, KM_COH_BUG},
                    [KM_COH_FILL_SHARED] = {KM_LINE_I, KM_COH_BUG},
                    [KM_COH_FILL_OWN] = {KM_LINE_I, KM_COH_BUG},
                    [KM_COH_SNOOP_READ] = {KM_LINE_I, KM_COH_BUG},
                    [KM_COH_SNOOP_OWN] = {KM_LINE_I, KM_COH_BUG},
                    [KM_COH_SNOOP_UPGRADE] = {KM_LINE_I, KM_COH_BUG},
                    [KM_COH_SNOOP_WRITE] = {KM_LINE_I, KM_COH_BUG},
                },
            [KM_LINE_M] =
                {
                    [KM_COH_STORE] = {KM_LINE_M, KM_COH_NOTHING},
                    [KM_COH_FILL_ALONE] = {KM_LINE_I, KM_COH_BUG},
                    [KM_COH_FILL_SHARED] = {KM_LINE_I, KM_COH_BUG},
                    [KM_COH_FILL_OWN] = {KM_LINE_I, KM_COH_BUG},
                    [KM_COH_SNOOP_READ] = {KM_LINE_S, SUPPLY_AND_WRITE},
                    [KM_COH_SNOOP_OWN] = {KM_LINE_I, SUPPLY_AND_WRITE},
                    [KM_COH_SNOOP_UPGRADE] = {KM_LINE_I, KM_COH_BUG},
                    [KM_COH_SNOOP_WRITE] = {KM_LINE_I, KM_COH_WRITE_BACK},
                },
        },
};
