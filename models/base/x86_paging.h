/* SPDX-License-Identifier: MIT
 * x86_paging.h - the x86-32 page-table entry format, shared by the walker (models/mmu) and by the
 * software that builds the tables (models/os).
 *
 * Two-level: 1024 4-byte entries per table; CR3 -> page directory -> page table; a directory entry
 * with PS maps 4 MiB. PAE: 8-byte entries, 512 per table; CR3 -> 4 PDPTEs -> page directory -> page
 * table; PS maps 2 MiB. PDPTEs have no A, D, RW or US bits.
 * References: Intel SDM vol. 3A chapter 4 (tables 4-4 to 4-6 and 4-8 to 4-11).
 */
#ifndef KM_BASE_X86_PAGING_H
#define KM_BASE_X86_PAGING_H

#include "models/base/types.h"

#define KM_PTE_P 0x001u   /* present            */
#define KM_PTE_RW 0x002u  /* writable           */
#define KM_PTE_US 0x004u  /* user               */
#define KM_PTE_PWT 0x008u /* write through      */
#define KM_PTE_PCD 0x010u /* cache disabled     */
#define KM_PTE_A 0x020u   /* accessed           */
#define KM_PTE_D 0x040u   /* dirty (leaf only)  */
#define KM_PTE_PS 0x080u  /* large page (directory entries) */
#define KM_PTE_PAT 0x080u /* third bit of the memory type index (4 KiB entries) */
#define KM_PTE_G 0x100u   /* global             */

#define KM_PTE_FRAME_MASK 0x0000000ffffff000ull /* 36 physical address bits */
#define KM_PTE_NX (1ull << 63)

/* What Linux puts into its own tables: kernel mappings are born accessed and dirty, so the
 * processor never has to set these bits for them. */
#define KM_PTE_KERNEL (KM_PTE_P | KM_PTE_RW | KM_PTE_A | KM_PTE_D | KM_PTE_G)
#define KM_PTE_TABLE (KM_PTE_P | KM_PTE_RW | KM_PTE_A | KM_PTE_D)

#define KM_LARGE_SHIFT_2LEVEL 22u /* 4 MiB */
#define KM_LARGE_SHIFT_PAE 21u    /* 2 MiB */

static inline unsigned km_large_shift(bool pae)
{
    return pae ? KM_LARGE_SHIFT_PAE : KM_LARGE_SHIFT_2LEVEL;
}

#endif
