/* SPDX-License-Identifier: MIT
 * types.h - the address, time and frame types every model shares.
 *
 * Distinct names for distinct spaces; all are plain integers so that values can be printed and stored.
 * Units: cycles are CPU core cycles unless the name says otherwise; _ps are picoseconds.
 */
#ifndef KM_BASE_TYPES_H
#define KM_BASE_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint32_t km_vaddr;  /* guest virtual address (x86-32)                */
typedef uint64_t km_paddr;  /* guest physical address (PAE: up to 36 bits)   */
typedef uint32_t km_pfn;    /* guest physical page frame number              */
typedef uint64_t km_cycle;  /* cycles since reset                            */

#define KM_PAGE_SHIFT 12u
#define KM_PAGE_BYTES 4096u
#define KM_PFN_NONE UINT32_MAX
#define KM_NEVER UINT64_MAX
#define KM_MAX_CPUS 8u
#define KM_NR_ORDERS 11u /* orders 0..10, include/linux/mmzone.h MAX_ORDER of 6.1 */

#define KM_LIKELY(x) __builtin_expect(!!(x), 1)
#define KM_UNLIKELY(x) __builtin_expect(!!(x), 0)
#define KM_ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

#endif
