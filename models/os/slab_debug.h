/* SPDX-License-Identifier: MIT
 * slab_debug.h - red zones, poison and user tracking of slab objects (SLAB_RED_ZONE, SLAB_POISON,
 * SLAB_STORE_USER), and constructors.
 *
 * Layout of one object, obj being the address its user gets:
 *
 *   SLUB   | left red zone | object ......... | right red zone | free ptr | tracks 2 x 16 | pad |
 *                          obj                obj + object_size
 *   SLAB   | red zone (8)  | object ......... |   pad          | red zone (8) | caller, last word |
 *
 * SLUB's zones are bytes (0xbb free, 0xcc in use), SLAB's are 64-bit numbers; poison is 0x6b ending
 * in 0xa5 (SLAB: 0x5a in objects just handed out). The checks run when an object is handed out or
 * comes back; what they find is reported (slab_watch.h), mended, and the call goes on.
 * Simplified: SLUB would keep a damaged object, or a whole slab, out of use.
 * References: kernel-behaviour notes E2; include/linux/poison.h of 6.1 (values).
 */
#ifndef KM_OS_SLAB_DEBUG_H
#define KM_OS_SLAB_DEBUG_H

#include "models/os/slab_layer.h"

/* Sizes and offsets of SLUB: from object_size, align and flags to size, free_pointer and c->dbg.
 * middle: the free pointer lies in the middle of the object if it may. */
void km_slab_debug_layout_slub(struct km_kmem_cache *c, bool middle);
/* The same for SLAB; may drop flags: wide alignment leaves no room for its zones. */
void km_slab_debug_layout_slab(struct km_kmem_cache *c);

/* An object of a new slab: constructed, its zones and poison set. */
void km_slab_debug_new(struct km_slab_layer *l, struct km_cpu *cpu, struct km_kmem_cache *c,
                       km_vaddr obj);
void km_slab_debug_alloc(struct km_slab_layer *l, struct km_cpu *cpu, struct km_kmem_cache *c,
                         km_vaddr obj);
void km_slab_debug_free(struct km_slab_layer *l, struct km_cpu *cpu, struct km_kmem_cache *c,
                        km_vaddr obj);
/* A free object whose slab goes away: the last chance to see a write after free. */
void km_slab_debug_dead(struct km_slab_layer *l, struct km_cpu *cpu, struct km_kmem_cache *c,
                        km_vaddr obj);

#endif
