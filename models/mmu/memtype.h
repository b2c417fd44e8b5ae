/* SPDX-License-Identifier: MIT
 * memtype.h - memory types: what PAT, the page's PCD/PWT bits and the MTRRs make of an address.
 *
 * Models:      the PAT with eight entries (power-on: WB WT UC- UC, twice), processors without PAT
 *              (PCD and PWT alone), default type and variable-range MTRRs, and how both combine.
 * Not modelled: fixed-range MTRRs (the first MiB follows the variable ones), overlapping ranges of
 *              types for which the manual leaves the result open (refused).
 * References:  Intel SDM vol. 3A 11.5.2 (tables 11-6 and 11-7), 11.11, 11.12.4 (power-on PAT).
 */
#ifndef KM_MMU_MEMTYPE_H
#define KM_MMU_MEMTYPE_H

#include "models/base/types.h"

#ifdef __cplusplus
extern "C" {
#endif

enum km_memtype {
    KM_MEM_WB,       /* cached, written back                                      */
    KM_MEM_WT,       /* cached, stores go through                                 */
    KM_MEM_WP,       /* reads cached, stores go to the bus and drop copies        */
    KM_MEM_WC,       /* not cached, stores gather in write-combining buffers      */
    KM_MEM_UC,       /* not cached, in order                                      */
    KM_MEM_UC_MINUS, /* in the PAT only: UC that an MTRR may turn into WC   */
    KM_MEM_TYPES
};

#define KM_MTRR_MAX 8u

struct km_mtrr {
    uint64_t start, end; /* physical addresses, multiples of 4 KiB; end is the first byte after */
    enum km_memtype type;
};

struct km_memtypes {
    bool has_pat;
    uint8_t pat[8];           /* enum km_memtype */
    enum km_memtype standard; /* where no MTRR says otherwise */
    unsigned nr;
    struct km_mtrr range[KM_MTRR_MAX];
};

/* Power-on PAT, everything write-back. */
void km_memtypes_init(struct km_memtypes *m, bool has_pat);
/* Type by MTRRs alone; of overlapping ranges UC wins, then WT over WB. */
enum km_memtype km_memtypes_range(const struct km_memtypes *m, uint64_t pa);
/* Why the ranges are impossible, or NULL. */
const char *km_memtypes_check(const struct km_memtypes *m);
/* "0xa0000-0xc0000=uc,0xe0000000-0xf0000000=wc", or "none". Returns why it is not that, or NULL. */
const char *km_memtypes_parse(struct km_memtypes *m, const char *text);
/* pat_index: PAT bit * 4 + PCD * 2 + PWT of the leaf entry. */
enum km_memtype km_memtype_of(const struct km_memtypes *m, uint64_t pa, unsigned pat_index);
/* The two tables of the manual. */
enum km_memtype km_memtype_combine_pat(enum km_memtype mtrr, enum km_memtype pat);
enum km_memtype km_memtype_combine_bits(enum km_memtype mtrr, bool pcd, bool pwt);

#ifdef __cplusplus
}
#endif
#endif
