/* SPDX-License-Identifier: MIT
 * walk.h - the hardware page walker: reads real page tables in simulated physical memory.
 *
 * Models:      two-level tables with PSE 4 MiB pages (PSE-36: 36-bit frames) and three-level PAE
 *              tables with 2 MiB pages and NX; the A bit set in every directory and leaf entry
 *              used, the D bit in the leaf on a write, each by one LOCKed reference and only when
 *              it is not yet set; PDPTE registers, loaded when CR3 is written; a PDE cache; user,
 *              write, execute and reserved-bit checks with the error code of the page fault.
 * Not modelled: SMEP, protection keys, #GP for a PDPTE with reserved bits (reported as a fault with
 *              RSVD when it is used).
 * Time:        none of its own; every reference goes to the caller through km_walk_ops.
 * References:  Intel SDM vol. 3A 4.3, 4.4, 4.6, 4.7, 4.8, 4.10.3.
 */
#ifndef KM_MMU_WALK_H
#define KM_MMU_WALK_H

#include "models/base/types.h"
#include "models/mmu/pde_cache.h"

#ifdef __cplusplus
extern "C" {
#endif

struct km_walk_ops {
    /* Reads a table entry of `bytes` (4 or 8) at pa. */
    uint64_t (*load)(void *ctx, km_paddr pa, uint32_t bytes);
    /* LOCKed: sets bits in the low word of the entry at pa; returns the new value. */
    uint64_t (*set_bits)(void *ctx, km_paddr pa, uint32_t bytes, uint32_t bits);
};

/* Control registers and what the processor can do. */
struct km_walk_mode {
    bool pae, nx;       /* CR4.PAE, EFER.NXE                                      */
    bool write_protect; /* CR0.WP: read-only pages are so for the supervisor, too */
    bool pse36;
    km_paddr cr3;
    const uint64_t *pdpte;          /* PAE: the four registers; NULL reads the table instead  */
    struct km_pde_cache *pde_cache; /* may be NULL */
};

struct km_walk_access {
    bool write, user, fetch;
};

struct km_walk_result {
    km_paddr page_pa; /* first byte of the page */
    uint8_t shift;    /* 12, 21 or 22 */
    bool writable, user, no_execute, dirty, global;
    uint8_t pat_index; /* PAT bit * 4 + PCD * 2 + PWT of the leaf */
    unsigned refs;     /* table references made */
    uint32_t error;    /* of the page fault: KM_PF_* */
};

/* Page-fault error code. */
#define KM_PF_PRESENT 0x01u /* a protection violation, not a missing page */
#define KM_PF_WRITE 0x02u
#define KM_PF_USER 0x04u
#define KM_PF_RESERVED 0x08u
#define KM_PF_FETCH 0x10u /* with PAE and NX only */

/* True: out->page_pa and the rest describe the page. False: a page fault with out->error. */
bool km_walk(const struct km_walk_ops *ops, void *ctx, const struct km_walk_mode *mode, km_vaddr va,
             struct km_walk_access access, struct km_walk_result *out);
/* May the access use a page with these rights? */
bool km_walk_allows(const struct km_walk_mode *mode, const struct km_walk_result *page,
                    struct km_walk_access access);

#ifdef __cplusplus
}
#endif
#endif
