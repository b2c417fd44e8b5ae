/* SPDX-License-Identifier: MIT
 * coh_msi.c - MSI: without an exclusive clean state, every first store to a line asks the bus.
 *
 * A modified line that another CPU asks for is written back to memory on the way (implicit
 * write-back). E and O are not entered.
 */
#include "models/cache/coh.h"

#define SUPPLY_AND_WRITE (KM_COH_SUPPLY | KM_COH_WRITE_BACK)

const struct km_coh_protocol km_coh_msi = {
    .name = "msi",
    .help = "no exclusive clean state: the first store to a line always asks the bus",
    .cell =
        {
            [KM_LINE_I] =
                {
                    [KM_COH_STORE] = {KM_LINE_I, KM_COH_BUG},
                    [KM_COH_FILL_ALONE] = {KM_LINE_S, KM_COH_NOTHING},
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
                    [KM_COH_STORE] = {KM_LINE_I, KM_COH_BUG},
                    [KM_COH_FILL_ALONE] = {KM_LINE_I, KM_COH_BUG},
                    [KM_COH_FILL_SHARED] = {KM_LINE_I, KM_COH_BUG},
                    [KM_COH_FILL_OWN] = {KM_LINE_I, KM_COH_BUG},
                    [KM_COH_SNOOP_READ] = {KM_LINE_I, KM_COH_BUG},
                    [KM_COH_SNOOP_OWN] = {KM_LINE_I, KM_COH_BUG},
                    [KM_COH_SNOOP_UPGRADE] = {KM_LINE_I, KM_COH_BUG},
                    [KM_COH_SNOOP_WRITE] = {KM_LINE_I, KM_COH_BUG},
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
