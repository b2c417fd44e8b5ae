/* SPDX-License-Identifier: MIT
 * gfp.h - GFP flag names and the bits of Linux 6.1 (kernel-behaviour B1).
 *
 * The bits were renumbered many times, the names hardly: every format is decoded by name. Names of
 * older kernels map to what they became (__GFP_WAIT: both reclaim bits; __GFP_REPEAT:
 * RETRY_MAYFAIL; __GFP_COLD and the like: nothing). Bits without a name ("0x1000000") are kept as
 * they are.
 */
#ifndef KM_TRACE_GFP_H
#define KM_TRACE_GFP_H

#include "models/base/types.h"

#define KM_GFP_TEXT_MAX 1024
#define KM_GFP_ACCOUNT 0x400000u

/* Bits of one name; false if unknown. */
bool km_gfp_by_name(const char *name, size_t len, uint32_t *bits);
/* "A|B|0x1000000" or "none"; false if a name is unknown (its bits are then missing). */
bool km_gfp_parse(const char *text, size_t len, uint32_t *bits);
/* As the 6.1 kernel prints it; returns the length. size >= KM_GFP_TEXT_MAX is always enough. */
size_t km_gfp_format(uint32_t bits, char *buf, size_t size);

#endif
