/* SPDX-License-Identifier: MIT
 * walk.h - the hardware page walker: reads real page tables in simulated physical memory.
 *
 * Models:      two-level tables with PSE 4 MiB pages and three-level PAE tables with 2 MiB pages;
 *              the A bit set in every directory and leaf entry used, the D bit in the leaf on a
 *              write, each by one LOCKed reference and only when it is not yet set; PDPTEs carry no
 *              A bit.
 * Not modelled: NX and U/S checks (only the kernel runs), reserved-bit faults, PDPTE registers (the
 *              four PDPTEs are read like other entries; they are always cached).
 * Time:        none of its own; every reference goes to the caller through km_walk_ops.
 * References:  Intel SDM vol. 3A 4.3, 4.4, 4.8.
 */
#ifndef KM_MMU_WALK_H
#define KM_MMU_WALK_H

#include "models/base/types.h"

#ifdef __cplusplus
extern "C" {
#endif

struct km_walk_ops {
    /* Reads a table entry of `bytes` (4 or 8) at pa. */
    uint64_t (*load)(void *ctx, km_paddr pa, uint32_t bytes);
    /* LOCKed: sets bits in the low word of the entry at pa; returns the new value. */
    uint64_t (*set_bits)(void *ctx, km_paddr pa, uint32_t bytes, uint32_t bits);
};

struct km_walk_result {
    km_paddr page_pa; /* first byte of the page */
    uint8_t shift;    /* 12, 21 or 22 */
    bool writable, dirty, global;
    unsigned refs; /* table references made */
};

/* Why there is no translation: the return value of km_walk. */
#define KM_FAULT_NONE 0
#define KM_FAULT_NOT_PRESENT 1u
#define KM_FAULT_PROTECTION 2u

unsigned km_walk(const struct km_walk_ops *ops, void *ctx, bool pae, km_paddr cr3, km_vaddr va,
                 bool write, struct km_walk_result *out);

#ifdef __cplusplus
}
#endif
#endif
