/* SPDX-License-Identifier: MIT
 * personality.c - the kernel versions kmemsim can behave as.
 */
#include "models/os/personality.h"

const struct km_personality km_personality_linux_6_1 = {
    .name = "linux-6.1",
    .pcp_max_order = 3,
    .pcp_thp_lists = 2,
    .pcp_free_factor_max = 5,
    .watermark_scale_factor = 10,
    .watermark_boost_factor = 15000,
    .highatomic = true,
    .slub_min_objects_scale = 4,
    .slub_free_pointer_middle = true,
};
