/* SPDX-License-Identifier: MIT
 * ptr_map.h - recorded pointer (64 bit, not 0) to the block that stands for it in the simulated process.
 */
#ifndef KM_WORKLOAD_PTR_MAP_H
#define KM_WORKLOAD_PTR_MAP_H

#include "models/base/types.h"

struct km_ptr_block {
    uint64_t ptr; /* 0: empty slot */
    km_vaddr va;
    uint32_t bytes;
    bool freed; /* kept, so that a second free finds it */
};

struct km_ptr_map {
    struct km_ptr_block *slot;
    size_t nr, room; /* room: 0 or a power of two */
};

struct km_ptr_block *km_ptr_map_find(const struct km_ptr_map *m, uint64_t ptr); /* NULL: none */
/* The entry of ptr, made if needed; NULL: no host memory. */
struct km_ptr_block *km_ptr_map_put(struct km_ptr_map *m, uint64_t ptr);
void km_ptr_map_release(struct km_ptr_map *m);

#endif
