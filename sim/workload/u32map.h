/* SPDX-License-Identifier: MIT
 * u32map.h - hash map from 32-bit keys (guest addresses) to 32-bit values; open addressing, linear
 * probing.
 *
 * Key 0 is not allowed. Grows at 60 % load; deletion moves later entries back, so there are no
 * tombstones.
 */
#ifndef KM_WORKLOAD_U32MAP_H
#define KM_WORKLOAD_U32MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct km_u32map {
    struct km_u32map_slot {
        uint32_t key, value;
    } * slot; /* owned */
    size_t room, nr;
};

/* Value of key, or NULL. Valid until the map changes. */
uint32_t *km_u32map_get(const struct km_u32map *m, uint32_t key);
/* Sets or replaces; false without memory. */
bool km_u32map_put(struct km_u32map *m, uint32_t key, uint32_t value);
/* Takes key out; false if it is not there. */
bool km_u32map_take(struct km_u32map *m, uint32_t key, uint32_t *value);
void km_u32map_release(struct km_u32map *m);

#endif
