/* SPDX-License-Identifier: MIT
 * slub.h - guest layout and geometry of SLUB, shared by slub.c, slub_geom.c and slub_check.c.
 *
 * Offsets as in the 686-pae kernel: the record of kmem_cache_free reads cpu_slab at +0 and the
 * free-pointer offset at +28 of struct kmem_cache, freelist/tid at +0/+4 and slab at +8 of
 * kmem_cache_cpu.
 */
#ifndef KM_OS_SLUB_H
#define KM_OS_SLUB_H

#include "models/os/slab_layer.h"

/* struct kmem_cache */
enum {
    KM_KC_CPU_SLAB = 0,
    KM_KC_FLAGS = 4,
    KM_KC_MIN_PARTIAL = 8,
    KM_KC_SIZE = 12,
    KM_KC_OBJECT_SIZE = 16,
    KM_KC_RECIPROCAL_SIZE = 20,
    KM_KC_OFFSET = 28,
    KM_KC_CPU_PARTIAL = 32,
    KM_KC_CPU_PARTIAL_SLABS = 36,
    KM_KC_OO = 40,
    KM_KC_MIN = 44,
    KM_KC_ALLOCFLAGS = 48,
    KM_KC_REFCOUNT = 52,
    KM_KC_CTOR = 56,
    KM_KC_INUSE = 60,
    KM_KC_ALIGN = 64,
    KM_KC_NAME = 72,
    KM_KC_INDEX = 84, /* inside kobject: number of the host shadow */
    KM_KC_RANDOM_SEQ = 124,
    KM_KC_NODE = 136,
    KM_KC_BYTES = 140,
};

/* struct kmem_cache_cpu */
enum {
    KM_KCC_FREELIST = 0,
    KM_KCC_TID = 4,
    KM_KCC_SLAB = 8,
    KM_KCC_PARTIAL = 12,
    KM_KCC_BYTES = 16,
};

/* struct kmem_cache_node */
enum {
    KM_KCN_LOCK = 0,
    KM_KCN_NR_PARTIAL = 4,
    KM_KCN_PARTIAL = 8, /* list_head */
    KM_KCN_NR_SLABS = 16,
    KM_KCN_TOTAL_OBJECTS = 20,
    KM_KCN_BYTES = 32,
};

/* slab->counters */
#define KM_SC_INUSE(c) ((c)&0xffffu)
#define KM_SC_OBJECTS(c) ((c) >> 16 & 0x7fffu)
#define KM_SC_FROZEN 0x80000000u
#define KM_SC(inuse, objects, frozen)                                                              \
    ((inuse) | (uint32_t)(objects) << 16 | ((frozen) ? KM_SC_FROZEN : 0))

#define KM_ADOPT_MAX_OBJECTS 512u /* per accounted slab: order 3 of 64 bytes, order 0 of 8 */

#define KM_SLUB_MAX_ORDER 3u
#define KM_SLUB_MIN_ALIGN 8u /* of any slab object on x86-32 */

/* slub_geom.c */
uint32_t km_slub_align(uint32_t flags, uint32_t align, uint32_t size, uint32_t line_bytes);
unsigned km_slub_order(uint32_t size, unsigned min_objects);
/* size, free_pointer, order, objects, cpu_partial ... from object_size, align and flags. False: too
 * big. */
bool km_slub_geometry(const struct km_personality *pers, unsigned cpus, struct km_kmem_cache *c);

/* slub_check.c */
void km_slub_info(const struct km_slab_layer *l, const uint8_t *window,
                  const struct km_kmem_cache *c, struct km_slabinfo *out);
const char *km_slub_check(const struct km_slab_layer *l, const uint8_t *window,
                          const struct km_kmem_cache *c);

extern const struct km_slab_ops km_slub_ops;

#endif
