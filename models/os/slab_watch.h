/* SPDX-License-Identifier: MIT
 * slab_watch.h - misuse of the slab layer is found, reported with both call sites, and survived.
 *
 * Models:      nothing of the kernel: an observer in host memory. It knows which addresses are live
 *              (one bit per 8 bytes of linear memory, the least alignment of any object) and, in a
 *              direct-mapped table, who allocated and freed an object last. A later object that
 *              hashes to the same entry displaces it: then a site is unknown (0), never wrong.
 * Found:       double free, free of a foreign or interior pointer, free into the wrong cache,
 *              damaged red zones, writes after free (poison), destroying a cache with live objects,
 *              failure to create a SLAB_PANIC cache.
 * Survived:    a bad free is not carried out; an object freed to the wrong cache goes to its own;
 *              damaged bytes are restored; a cache with live objects stays.
 * Off (no live bits): frees are trusted as in a kernel without debugging; zones and poison of
 *              caches that have them are still checked, sites then come from the object's own track
 *              records.
 * Call sites:  whatever the driver of the machine sets before a call (km_slab_set_call_site).
 */
#ifndef KM_OS_SLAB_WATCH_H
#define KM_OS_SLAB_WATCH_H

#include "models/os/slab_layer.h"

/* Counts and reports one case. obj may be 0. */
void km_slab_misuse(struct km_slab_layer *l, const struct km_cpu *cpu, enum km_misuse_kind kind,
                    const struct km_kmem_cache *c, km_vaddr obj);

/* c NULL: kmalloc without a cache of its own (page blocks, SLOB). */
void km_slab_watch_alloc(struct km_slab_layer *l, const struct km_cpu *cpu,
                         const struct km_kmem_cache *c, km_vaddr obj);
/* An object of before the simulation: live, sites unknown. */
void km_slab_watch_adopted(struct km_slab_layer *l, km_vaddr obj);
/* May this free go on? Then obj counts as free from here, and *c is the cache it belongs to as far
 * as that is known. Reports and returns false if not. */
bool km_slab_watch_free(struct km_slab_layer *l, struct km_cpu *cpu, struct km_kmem_cache **c,
                        km_vaddr obj);
void km_slab_watch_destroy(struct km_slab_layer *l, const struct km_cpu *cpu,
                           const struct km_kmem_cache *c);

#endif
