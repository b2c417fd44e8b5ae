/* SPDX-License-Identifier: MIT
 * gfp_names.h - the allocation flags of each personality: names, bits, and what they do.
 *
 * The simulated kernel works with the bits of 6.1 (gfp.h). Drivers and texts of older kernels use
 * other bits and names: the tables here give the raw value of every name in its kernel and what the
 * request means in terms of 6.1. In 2.6 a request that does not wait still wakes kswapd and may use
 * the atomic reserve, so absent __GFP_WAIT means __GFP_ATOMIC; __GFP_COLD, __GFP_NOTRACK and
 * __GFP_OTHER_NODE choose nothing that is modelled. References: kernel-behaviour notes B1, J;
 * Documentation of the kernels' include/linux/gfp.h.
 */
#ifndef KM_OS_GFP_NAMES_H
#define KM_OS_GFP_NAMES_H

#include "models/os/gfp.h"
#include "models/os/personality.h"

struct km_gfp_name {
    const char *name;
    uint32_t raw;       /* in this kernel */
    uint32_t means;     /* 6.1 bits       */
    const char *effect; /* NULL: a sum of others */
};

/* All names a kernel knows, single flags first; NULL name ends it. */
const struct km_gfp_name *km_gfp_names(const struct km_personality *p);
/* Raw value of "A|B"; false if this kernel does not know a name. */
bool km_gfp_raw_of_text(const struct km_personality *p, const char *text, uint32_t *raw);
/* The request in 6.1 bits; unknown bits are dropped. */
uint32_t km_gfp_from_raw(const struct km_personality *p, uint32_t raw);
/* The bits this kernel would have used for a request in 6.1 bits. */
uint32_t km_gfp_to_raw(const struct km_personality *p, uint32_t bits);

#endif
