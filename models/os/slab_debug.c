/* SPDX-License-Identifier: MIT
 * slab_debug.c - see slab_debug.h.
 *
 * Invariants: a free object of a poisoning cache is all poison, a free object's zones are inactive,
 * a live object's active; anything else is a violation by the object's user or its neighbour.
 */
#include "models/os/slab_debug.h"

#include "models/base/bits.h"
#include "models/os/kfn.h"
#include "models/os/slab_watch.h"

#include <string.h>

#define WORD 4u
#define TRACK_BYTES 16u /* address, cpu, pid, when */
#define POISON_INUSE 0x5a
#define POISON_FREE 0x6b
#define POISON_END 0xa5

static const struct km_fn fn_debug = {
    .site = {.name = "alloc_debug_processing", .text_va = 0xc12b5200, .text_bytes = 500},
    80,
    10,
    10};

/* Eight bytes that repeat through a zone, by [kind][in use]. */
static const uint8_t zone_bytes[2][2][8] = {
    [KM_SLAB_RED_BYTES] = {{0xbb, 0xbb, 0xbb, 0xbb, 0xbb, 0xbb, 0xbb, 0xbb},
                           {0xcc, 0xcc, 0xcc, 0xcc, 0xcc, 0xcc, 0xcc, 0xcc}},
    [KM_SLAB_RED_WORDS] = {{0x5b, 0xe3, 0x74, 0x9d, 0x02, 0x11, 0xf9, 0x09},
                           {0xc0, 0x88, 0x56, 0x63, 0xc5, 0x56, 0x41, 0xd8}},
};

/* ---- layout ---------------------------------------------------------------------------------- */

void km_slab_debug_layout_slub(struct km_kmem_cache *c, bool middle)
{
    const uint32_t outside = KM_CACHE_CTOR | KM_CACHE_TYPESAFE_BY_RCU | KM_CACHE_POISON;
    uint32_t size = (uint32_t)km_align_up(c->object_size, WORD);
    bool red = c->flags & KM_CACHE_RED_ZONE;

    c->obj_offset = 0;
    memset(&c->dbg, 0, sizeof(c->dbg));
    if (red && size == c->object_size)
        size += WORD;
    c->dbg.right_off = c->object_size;
    c->dbg.right_bytes = red ? size - c->object_size : 0;
    c->free_pointer = middle ? (uint32_t)km_align_down(c->object_size / 2, WORD) : 0;
    if ((c->flags & outside) || (red && c->object_size < WORD)) {
        c->free_pointer = size;
        size += WORD;
    }
    if (c->flags & KM_CACHE_STORE_USER) {
        c->dbg.track_off = size;
        c->dbg.tracks = 2;
        size += 2 * TRACK_BYTES;
    }
    if (red) {
        c->obj_offset = c->dbg.left_bytes = (uint32_t)km_align_up(WORD, c->align);
        size += WORD + c->obj_offset;
    }
    if ((c->flags & KM_CACHE_POISON) && !(c->flags & (KM_CACHE_CTOR | KM_CACHE_TYPESAFE_BY_RCU)))
        c->dbg.poison_bytes = c->object_size;
    c->size = (uint32_t)km_align_up(size, c->align);
}

void km_slab_debug_layout_slab(struct km_kmem_cache *c)
{
    const uint32_t zone = 8;
    uint32_t size = (uint32_t)km_align_up(c->object_size, WORD);

    c->obj_offset = 0;
    memset(&c->dbg, 0, sizeof(c->dbg));
    if (c->align > zone)
        c->flags &= ~(uint32_t)(KM_CACHE_RED_ZONE | KM_CACHE_STORE_USER);
    if (c->flags & KM_CACHE_RED_ZONE) {
        c->obj_offset = c->dbg.left_bytes = zone;
        size = (uint32_t)km_align_up(size, zone) + 2 * zone;
    }
    if (c->flags & KM_CACHE_STORE_USER) {
        size += c->flags & KM_CACHE_RED_ZONE ? zone : WORD;
        c->dbg.tracks = 1;
    }
    c->size = (uint32_t)km_align_up(size, c->align);
    if (c->flags & KM_CACHE_STORE_USER)
        c->dbg.track_off = c->size - c->obj_offset - WORD;
    if (c->flags & KM_CACHE_RED_ZONE) {
        c->dbg.right_off = c->size - c->obj_offset - zone - (c->dbg.tracks ? zone : 0);
        c->dbg.right_bytes = zone;
    }
    if ((c->flags & KM_CACHE_POISON) && !(c->flags & KM_CACHE_TYPESAFE_BY_RCU))
        c->dbg.poison_bytes = c->object_size;
}

/* ---- contents -------------------------------------------------------------------------------- */

static void fill_zone(const struct km_slab_layer *l, struct km_cpu *cpu, km_vaddr va,
                      uint32_t bytes, bool in_use)
{
    if (!bytes)
        return;
    km_touch(cpu, va, bytes, KM_REF_STORE);
    for (uint32_t i = 0; i < bytes; i++)
        cpu->window[va + i] = zone_bytes[l->p.ops->red][in_use][i % 8];
}

static bool zone_intact(const struct km_slab_layer *l, struct km_cpu *cpu, km_vaddr va,
                        uint32_t bytes, bool in_use)
{
    if (bytes)
        km_touch(cpu, va, bytes, KM_REF_LOAD);
    for (uint32_t i = 0; i < bytes; i++)
        if (cpu->window[va + i] != zone_bytes[l->p.ops->red][in_use][i % 8])
            return false;
    return true;
}

static void set_zones(const struct km_slab_layer *l, struct km_cpu *cpu,
                      const struct km_kmem_cache *c, km_vaddr obj, bool in_use)
{
    fill_zone(l, cpu, obj - c->dbg.left_bytes, c->dbg.left_bytes, in_use);
    fill_zone(l, cpu, obj + c->dbg.right_off, c->dbg.right_bytes, in_use);
}

static void check_zones(struct km_slab_layer *l, struct km_cpu *cpu, struct km_kmem_cache *c,
                        km_vaddr obj, bool in_use)
{
    if (!zone_intact(l, cpu, obj - c->dbg.left_bytes, c->dbg.left_bytes, in_use) ||
        !zone_intact(l, cpu, obj + c->dbg.right_off, c->dbg.right_bytes, in_use))
        km_slab_misuse(l, cpu, KM_MISUSE_RED_ZONE, c, obj);
}

static void fill_poison(struct km_cpu *cpu, const struct km_kmem_cache *c, km_vaddr obj,
                        uint8_t value)
{
    if (!c->dbg.poison_bytes)
        return;
    km_touch(cpu, obj, c->dbg.poison_bytes, KM_REF_STORE);
    memset(cpu->window + obj, value, c->dbg.poison_bytes - 1);
    cpu->window[obj + c->dbg.poison_bytes - 1] = POISON_END;
}

static void check_poison(struct km_slab_layer *l, struct km_cpu *cpu, struct km_kmem_cache *c,
                         km_vaddr obj)
{
    if (!c->dbg.poison_bytes)
        return;
    km_touch(cpu, obj, c->dbg.poison_bytes, KM_REF_LOAD);
    for (uint32_t i = 0; i < c->dbg.poison_bytes; i++) {
        uint8_t want = i + 1 < c->dbg.poison_bytes ? POISON_FREE : POISON_END;

        if (cpu->window[obj + i] == want)
            continue;
        km_slab_misuse(l, cpu, KM_MISUSE_POISON, c, obj);
        return;
    }
}

/* Who did it: SLUB keeps one record for allocation and one for free, SLAB the last caller. */
static void set_track(const struct km_slab_layer *l, struct km_cpu *cpu,
                      const struct km_kmem_cache *c, km_vaddr obj, bool freeing)
{
    km_vaddr track = obj + c->dbg.track_off;

    if (!c->dbg.tracks)
        return;
    if (c->dbg.tracks == 1) {
        km_st32(cpu, track, l->call_site[cpu->id]);
        return;
    }
    track += freeing ? TRACK_BYTES : 0;
    km_st32(cpu, track, l->call_site[cpu->id]);
    km_st32(cpu, track + 4, cpu->id);
    km_st32(cpu, track + 8, 0);
    km_st32(cpu, track + 12, 0);
}

static void construct(struct km_cpu *cpu, const struct km_kmem_cache *c, km_vaddr obj)
{
    if (c->ctor)
        c->ctor(c->ctor_ctx, cpu, obj);
}

/* ---- life of an object ----------------------------------------------------------------------- */

void km_slab_debug_new(struct km_slab_layer *l, struct km_cpu *cpu, struct km_kmem_cache *c,
                       km_vaddr obj)
{
    set_zones(l, cpu, c, obj, false);
    for (uint32_t i = 0; i < c->dbg.tracks * (c->dbg.tracks > 1 ? TRACK_BYTES : WORD); i += WORD)
        km_st32(cpu, obj + c->dbg.track_off + i, 0);
    fill_poison(cpu, c, obj, POISON_FREE);
    if (!c->dbg.poison_bytes)
        construct(cpu, c, obj);
}

void km_slab_debug_alloc(struct km_slab_layer *l, struct km_cpu *cpu, struct km_kmem_cache *c,
                         km_vaddr obj)
{
    km_fn_enter(cpu, l->stack_va[cpu->id], &fn_debug);
    check_poison(l, cpu, c, obj);
    check_zones(l, cpu, c, obj, false);
    set_zones(l, cpu, c, obj, true);
    set_track(l, cpu, c, obj, false);
    fill_poison(cpu, c, obj, l->p.ops->red == KM_SLAB_RED_WORDS ? POISON_INUSE : POISON_FREE);
    if (c->dbg.poison_bytes)
        construct(cpu, c, obj);
    km_fn_leave(cpu, l->stack_va[cpu->id], &fn_debug);
}

void km_slab_debug_free(struct km_slab_layer *l, struct km_cpu *cpu, struct km_kmem_cache *c,
                        km_vaddr obj)
{
    km_fn_enter(cpu, l->stack_va[cpu->id], &fn_debug);
    check_zones(l, cpu, c, obj, true);
    set_zones(l, cpu, c, obj, false);
    set_track(l, cpu, c, obj, true);
    fill_poison(cpu, c, obj, POISON_FREE);
    km_fn_leave(cpu, l->stack_va[cpu->id], &fn_debug);
}

void km_slab_debug_dead(struct km_slab_layer *l, struct km_cpu *cpu, struct km_kmem_cache *c,
                        km_vaddr obj)
{
    check_poison(l, cpu, c, obj);
    check_zones(l, cpu, c, obj, false);
}
