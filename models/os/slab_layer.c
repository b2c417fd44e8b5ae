/* SPDX-License-Identifier: MIT
 * slab_layer.c - see slab_layer.h: registry of caches, merging, the calls of kmem_cache_*, memcg
 * vectors.
 *
 * Boot order, as in the kernel: the caches kmem_cache_node and kmem_cache (their own control
 * structures stand in kernel bss), then all kmalloc caches, then the random permutations of the
 * free lists, which are kmalloc arrays themselves. Caches created later allocate theirs at once.
 * Invariants:  a used shadow and its struct kmem_cache exist together; shadow number = word
 * KM_KC_INDEX. References:  kernel-behaviour notes E1, E7, H4.
 */
#include "models/os/slab_layer.h"

#include "models/base/bits.h"
#include "models/base/bug.h"
#include "models/os/page_fn.h"
#include "models/os/slab.h"
#include "models/os/slab_watch.h"
#include "models/os/slub.h"

#include <string.h>

#define SITE(n, va, bytes) .site = {.name = n, .text_va = va, .text_bytes = bytes}
#define STACK_BYTES 256u
#define LINE_BYTES 32u /* "SLUB: HWalign=32" of the 686-pae kernel on qemu32 and Pentium III */

/* Recorded calls served by the CPU's free list, and n bytes zeroed (rep stosb, one iteration each):
 * kmem_cache_alloc 116+n instructions, 37 loads, 17+n stores; __kmalloc 164+n, 45, 25+n;
 * kmem_cache_free 88, 27, 10. */
static const struct km_fn fn_alloc = {SITE("kmem_cache_alloc", 0xc12b77d0, 992), 116, 16, 27};
static const struct km_fn fn_free = {SITE("kmem_cache_free", 0xc12b8ea0, 752), 88, 8, 17};
static const struct km_fn fn_kmalloc = {SITE("__kmalloc", 0xc1262e20, 320), 164, 24, 33};
/* Recorded calls read this many lines of kernel data (static keys, mem_map ...) besides what the model
 * touches: 9, 12 and 8 to 9 lines a call in all. */
#define ALLOC_GLOBALS 3u
#define KMALLOC_GLOBALS 5u
#define FREE_GLOBALS 2u
static const struct km_fn fn_create = {SITE("kmem_cache_create_usercopy", 0xc1261dd0, 672), 300, 16,
                                       16};
static const struct km_fn fn_destroy = {SITE("kmem_cache_destroy", 0xc1262090, 320), 120, 8, 8};
static const struct km_fn fn_memcg = {SITE("memcg_alloc_slab_cgroups", 0xc12d0110, 112), 28, 8, 8};

const struct km_slab_ops *const km_slab_table[] = {&km_slab_ops_slab, &km_slob_ops,
                                                  &km_slub_ops, NULL};

const struct km_slab_ops *km_slab_ops_by_name(const char *name)
{
    for (unsigned i = 0; km_slab_table[i]; i++)
        if (!strcmp(km_slab_table[i]->name, name))
            return km_slab_table[i];
    return NULL;
}

km_vaddr km_slab_percpu(const struct km_slab_layer *l, const struct km_kmem_cache *c, unsigned cpu)
{
    return l->percpu_va + cpu * l->percpu_stride + (uint32_t)(c - l->cache) * KM_KCC_BYTES;
}

/* ---- objects, slabs, caches
 * ---------------------------------------------------------------------- */

km_vaddr km_slab_of(struct km_slab_layer *l, struct km_cpu *cpu, km_vaddr obj)
{
    km_vaddr page = km_page_va(l->os, km_va_to_pfn(l->os, obj));
    uint32_t head = km_ld32(cpu, page + KM_PAGE_COMPOUND_HEAD);

    return head & 1 ? head - 1 : page;
}

struct km_kmem_cache *km_slab_cache(struct km_slab_layer *l, const uint8_t *window, km_vaddr slab)
{
    km_vaddr va = km_peek32(window, slab + KM_SLAB_CACHE);
    uint32_t index = km_peek32(window, va + KM_KC_INDEX);

    KM_BUG_ON(index >= l->nr_cache || l->cache[index].va != va);
    return &l->cache[index];
}

/* Is va a linear address with a struct page? */
static bool va_has_page(const struct km_os *os, km_vaddr va)
{
    if (va < os->p.page_offset)
        return false;
    km_pfn pfn = km_va_to_pfn(os, va);

    return km_pfn_is_low(os, pfn) && pfn >= os->mem_map_pfn && pfn < os->mem_map_end;
}

/* The slab va lies in (its struct page address), untimed; 0: none. */
static km_vaddr peek_slab(const struct km_slab_layer *l, const uint8_t *window, km_vaddr va)
{
    if (!va_has_page(l->os, va) || !l->p.ops->first_object)
        return 0;
    km_vaddr page = km_page_va(l->os, km_va_to_pfn(l->os, va));
    uint32_t head = km_peek32(window, page + KM_PAGE_COMPOUND_HEAD);

    /* The word is a list pointer in a head page: only tails of a slab have bit 0 set. */
    if (head & 1)
        page = head - 1;
    return km_peek32(window, page + KM_PAGE_FLAGS) & KM_PG_SLAB ? page : 0;
}

struct km_kmem_cache *km_kmem_cache_of(struct km_slab_layer *l, const uint8_t *window, km_vaddr va)
{
    km_vaddr slab = peek_slab(l, window, va);

    return slab ? km_slab_cache(l, window, slab) : NULL;
}

bool km_slab_object_at(struct km_slab_layer *l, const uint8_t *window, km_vaddr va,
                       struct km_slab_object *out)
{
    km_vaddr slab = peek_slab(l, window, va);
    const struct km_kmem_cache *c = slab ? km_slab_cache(l, window, slab) : NULL;

    if (!c)
        return false;
    km_vaddr first = l->p.ops->first_object(l, window, c, slab);

    if (va < first || (va - first) / c->size >= c->objects)
        return false;
    out->cache = c;
    out->index = (va - first) / c->size;
    out->va = first + out->index * c->size;
    out->offset = va - out->va;
    return true;
}

struct km_kmem_cache *km_kmem_cache_by_name(struct km_slab_layer *l, const char *name)
{
    for (unsigned i = 0; i < l->nr_cache; i++)
        if (l->cache[i].used && !strcmp(l->cache[i].name, name))
            return &l->cache[i];
    return NULL;
}

/* ---- memcg vectors
 * ------------------------------------------------------------------------------- */

void km_slab_memcg_alloc(struct km_slab_layer *l, struct km_cpu *cpu, const struct km_kmem_cache *c,
                         km_vaddr slab, uint32_t objects, uint32_t gfp)
{
    (void)c;
    if (!km_slab_has_memcg_vec(l))
        return;
    gfp &= ~(uint32_t)(KM_GFP_DMA | KM_GFP_RECLAIMABLE | KM_GFP_ACCOUNT);
    km_fn_enter(cpu, l->stack_va[cpu->id], &fn_memcg);

    km_vaddr vec = km_kzalloc(l, cpu, objects * 4, gfp);

    /* Another CPU may have been first. */
    if (vec && km_rmw32(cpu, slab + KM_PAGE_MEMCG, KM_RMW_CAS, 0, vec) != 0)
        km_kfree(l, cpu, vec);
    km_fn_leave(cpu, l->stack_va[cpu->id], &fn_memcg);
}

void km_slab_memcg_free(struct km_slab_layer *l, struct km_cpu *cpu, km_vaddr slab)
{
    km_vaddr vec = km_slab_memcg_vec(l, cpu, slab);

    km_slab_set_memcg_vec(l, cpu, slab, 0);
    if (vec != l->adopted_vec_va)
        km_kfree(l, cpu, vec);
}

static km_vaddr objcg_slot(struct km_slab_layer *l, const uint8_t *window,
                           const struct km_kmem_cache *c, km_vaddr vec, km_vaddr slab, km_vaddr obj)
{
    return vec + 4 * ((obj - l->p.ops->first_object(l, window, c, slab)) / c->size);
}

static void memcg_charge(struct km_slab_layer *l, struct km_cpu *cpu, struct km_kmem_cache *c,
                         km_vaddr obj, uint32_t gfp)
{
    km_vaddr slab = km_slab_of(l, cpu, obj);
    km_vaddr vec = km_slab_memcg_vec(l, cpu, slab);

    if (!vec) {
        uint32_t objects = l->p.ops->objects(l, cpu, c, slab);

        km_slab_memcg_alloc(l, cpu, c, slab, objects, gfp);
        vec = km_slab_memcg_vec(l, cpu, slab);
        if (!vec)
            return;
    }
    km_st32(cpu, objcg_slot(l, cpu->window, c, vec, slab, obj), l->objcg_va);
}

void km_slab_memcg_uncharge(struct km_slab_layer *l, struct km_cpu *cpu,
                            const struct km_kmem_cache *c, km_vaddr slab, km_vaddr obj)
{
    km_vaddr vec = km_slab_memcg_vec(l, cpu, slab);

    if (!vec)
        return;
    km_vaddr slot = objcg_slot(l, cpu->window, c, vec, slab, obj);

    if (km_ld32(cpu, slot))
        km_st32(cpu, slot, 0);
}

/* ---- allocation and free
 * ------------------------------------------------------------------------- */

static bool wants_zero(const struct km_slab_layer *l, const struct km_kmem_cache *c, uint32_t gfp)
{
    if (c->flags & KM_CACHE_CTOR)
        return false;
    if (c->flags & (KM_CACHE_TYPESAFE_BY_RCU | KM_CACHE_POISON))
        return gfp & KM_GFP_ZERO;
    return (gfp & KM_GFP_ZERO) || l->os->p.init_on_alloc;
}

static void zero_object(struct km_cpu *cpu, const struct km_kmem_cache *c, km_vaddr obj,
                        const struct km_site *site)
{
    km_exec(cpu, site, c->object_size);
    km_touch(cpu, obj, c->object_size, KM_REF_STORE);
    memset(cpu->window + obj, 0, c->object_size);
}

static bool accounts(const struct km_slab_layer *l, const struct km_kmem_cache *c, uint32_t gfp)
{
    return l->memcg && l->p.ops->first_object &&
           ((gfp & KM_GFP_ACCOUNT) || (c->flags & KM_CACHE_ACCOUNT));
}

static km_vaddr take_object(struct km_slab_layer *l, struct km_cpu *cpu, struct km_kmem_cache *c,
                            uint32_t gfp)
{
    unsigned wanted = l->wanted_node[cpu->id];

    l->wanted_node[cpu->id] = 0; /* what this allocation needs itself may come from anywhere */
    return wanted && l->p.ops->alloc_node ? l->p.ops->alloc_node(l, cpu, c, gfp, wanted - 1)
                                          : l->p.ops->alloc(l, cpu, c, gfp);
}

/* Everything of an allocation but the tracepoint. */
static km_vaddr alloc_object(struct km_slab_layer *l, struct km_cpu *cpu, struct km_kmem_cache *c,
                             uint32_t gfp, const struct km_site *site)
{
    km_vaddr obj = take_object(l, cpu, c, gfp & ~(uint32_t)KM_GFP_ZERO);

    if (!obj) {
        c->stats.failed++;
        return 0;
    }
    c->stats.allocs++;
    if (wants_zero(l, c, gfp))
        zero_object(cpu, c, obj, site);
    if (accounts(l, c, gfp))
        memcg_charge(l, cpu, c, obj, gfp);
    km_slab_watch_alloc(l, cpu, c, obj);
    return obj;
}

static km_vaddr traced_alloc(struct km_slab_layer *l, struct km_cpu *cpu, struct km_kmem_cache *c,
                             uint32_t gfp, const struct km_fn *fn, enum km_tp_kind kind,
                             uint32_t bytes_req)
{
    km_fn_enter(cpu, l->stack_va[cpu->id], fn);
    km_read_globals(l->os, cpu, fn == &fn_kmalloc ? KMALLOC_GLOBALS : ALLOC_GLOBALS);

    km_vaddr obj = alloc_object(l, cpu, c, gfp, &fn->site);

    km_fn_leave(cpu, l->stack_va[cpu->id], fn);
    km_trace_tp(l->os, cpu,
                &(struct km_tp){.kind = kind,
                                .ptr = obj,
                                .bytes_req = bytes_req,
                                .bytes_alloc = c->size,
                                .gfp = gfp,
                                .flag = (gfp & KM_GFP_ACCOUNT) || (c->flags & KM_CACHE_ACCOUNT),
                                .name = c->name});
    return obj;
}

km_vaddr km_kmem_cache_alloc(struct km_slab_layer *l, struct km_cpu *cpu, struct km_kmem_cache *c,
                             uint32_t gfp)
{
    return traced_alloc(l, cpu, c, gfp, &fn_alloc, KM_TP_KMEM_CACHE_ALLOC, c->object_size);
}

km_vaddr km_slab_kmalloc_from(struct km_slab_layer *l, struct km_cpu *cpu, struct km_kmem_cache *c,
                              uint32_t size, uint32_t gfp)
{
    return traced_alloc(l, cpu, c, gfp, &fn_kmalloc, KM_TP_KMALLOC, size);
}

void km_slab_free_object(struct km_slab_layer *l, struct km_cpu *cpu, struct km_kmem_cache *c,
                         km_vaddr slab, km_vaddr obj)
{
    if (l->memcg && l->p.ops->first_object)
        km_slab_memcg_uncharge(l, cpu, c, slab, obj);
    c->stats.frees++;
    l->p.ops->free(l, cpu, c, slab, obj);
}

void km_kmem_cache_free(struct km_slab_layer *l, struct km_cpu *cpu, struct km_kmem_cache *c,
                        km_vaddr obj)
{
    struct km_kmem_cache *owner = c;
    km_vaddr slab = 0;

    km_fn_enter(cpu, l->stack_va[cpu->id], &fn_free);
    km_read_globals(l->os, cpu, FREE_GLOBALS);
    if (l->p.ops->first_object) {
        slab = km_slab_of(l, cpu, obj);
        km_ref(cpu, slab + KM_SLAB_CACHE, 4, KM_REF_LOAD);
    }
    km_trace_tp(l->os, cpu,
                &(struct km_tp){.kind = KM_TP_KMEM_CACHE_FREE, .ptr = obj, .name = c->name});
    if (km_slab_watch_free(l, cpu, &owner, obj)) {
        if (owner)
            km_slab_free_object(l, cpu, owner, slab, obj);
        else
            km_kfree_checked(l, cpu, obj);
    }
    km_fn_leave(cpu, l->stack_va[cpu->id], &fn_free);
}

unsigned km_kmem_cache_alloc_bulk(struct km_slab_layer *l, struct km_cpu *cpu,
                                  struct km_kmem_cache *c, uint32_t gfp, unsigned nr, km_vaddr *obj)
{
    unsigned got = l->p.ops->alloc_bulk(l, cpu, c, gfp & ~(uint32_t)KM_GFP_ZERO, nr, obj);

    if (!got)
        c->stats.failed++;
    c->stats.allocs += got;
    for (unsigned i = 0; i < got; i++) {
        if (wants_zero(l, c, gfp))
            zero_object(cpu, c, obj[i], &fn_alloc.site);
        if (accounts(l, c, gfp))
            memcg_charge(l, cpu, c, obj[i], gfp);
        km_slab_watch_alloc(l, cpu, c, obj[i]);
    }
    return got;
}

/* kfree_bulk: runs of one cache at a time, so that the allocator sees a single cache. */
static void free_bulk_mixed(struct km_slab_layer *l, struct km_cpu *cpu, unsigned nr, km_vaddr *obj)
{
    for (unsigned start = 0; start < nr;) {
        struct km_kmem_cache *c = km_kmem_cache_of(l, cpu->window, obj[start]);
        unsigned end = start + 1;

        while (end < nr && km_kmem_cache_of(l, cpu->window, obj[end]) == c)
            end++;
        if (c) {
            km_kmem_cache_free_bulk(l, cpu, c, end - start, obj + start);
        } else {
            for (unsigned i = start; i < end; i++)
                km_kfree(l, cpu, obj[i]);
        }
        start = end;
    }
}

/* Sorts out what may not be freed, or not here; returns how many objects are left at the front. */
static unsigned watch_bulk(struct km_slab_layer *l, struct km_cpu *cpu, struct km_kmem_cache *c,
                           unsigned nr, km_vaddr *obj)
{
    unsigned kept = 0;

    if (!l->p.watch.live)
        return nr;
    for (unsigned i = 0; i < nr; i++) {
        struct km_kmem_cache *owner = c;
        km_vaddr va = obj[i];

        if (!km_slab_watch_free(l, cpu, &owner, va))
            continue;
        if (owner == c)
            obj[kept++] = va;
        else if (owner)
            km_slab_free_object(l, cpu, owner, l->p.ops->first_object ? km_slab_of(l, cpu, va) : 0,
                                va);
        else
            km_kfree_checked(l, cpu, va);
    }
    return kept;
}

void km_kmem_cache_free_bulk(struct km_slab_layer *l, struct km_cpu *cpu, struct km_kmem_cache *c,
                             unsigned nr, km_vaddr *obj)
{
    if (!c) {
        free_bulk_mixed(l, cpu, nr, obj);
        return;
    }
    nr = watch_bulk(l, cpu, c, nr, obj);
    if (l->memcg && l->p.ops->first_object)
        for (unsigned i = 0; i < nr; i++)
            km_slab_memcg_uncharge(l, cpu, c, km_slab_of(l, cpu, obj[i]), obj[i]);
    c->stats.frees += nr;
    l->p.ops->free_bulk(l, cpu, c, nr, obj);
}

unsigned km_slab_rcu_quiesce(struct km_slab_layer *l, struct km_cpu *cpu)
{
    return l->p.ops->quiesce(l, cpu);
}

void km_slab_timer(struct km_slab_layer *l, struct km_cpu *cpu, uint64_t now_ms)
{
    if (l->p.ops->tick)
        l->p.ops->tick(l, cpu, now_ms);
}

void km_slab_set_call_site(struct km_slab_layer *l, const struct km_cpu *cpu, uint32_t site)
{
    l->call_site[cpu->id] = site;
}

void km_kmem_cache_shrink(struct km_slab_layer *l, struct km_cpu *cpu, struct km_kmem_cache *c)
{
    l->p.ops->shrink(l, cpu, c);
}

/* ---- creation, merging, destruction
 * -------------------------------------------------------------- */

static void set_name(struct km_kmem_cache *c, const char *name)
{
    unsigned i = 0;

    for (; name[i] && i < sizeof(c->name) - 1; i++)
        c->name[i] = name[i];
    c->name[i] = '\0';
}

static struct km_kmem_cache *find_slot(struct km_slab_layer *l)
{
    for (unsigned i = 0; i < KM_SLAB_MAX_CACHES; i++)
        if (!l->cache[i].used) {
            if (i >= l->nr_cache)
                l->nr_cache = i + 1;
            return &l->cache[i];
        }
    return NULL;
}

/* E7: an older cache whose objects are as large (less than a word larger), as aligned, and of the
 * same kind. */
static struct km_kmem_cache *find_mergeable(struct km_slab_layer *l, uint32_t size, uint32_t align,
                                            uint32_t flags)
{
    const uint32_t never =
        KM_CACHE_CTOR | KM_CACHE_NO_MERGE | KM_CACHE_TYPESAFE_BY_RCU | KM_CACHE_DEBUG;
    const uint32_t same = KM_CACHE_RECLAIM_ACCOUNT | KM_CACHE_DMA | KM_CACHE_ACCOUNT;
    struct km_kmem_cache *best = NULL;

    if (flags & never)
        return NULL;
    align = km_slub_align(flags, align, size, LINE_BYTES);
    size = (uint32_t)km_align_up(km_align_up(size, 4), align);
    for (unsigned i = 0; i < l->nr_cache; i++) {
        struct km_kmem_cache *c = &l->cache[i];

        if (!c->used || (c->flags & never) || size > c->size || c->size - size >= 4 ||
            ((flags ^ c->flags) & same) || c->size % align)
            continue;
        if (!best || c->created > best->created)
            best = c;
    }
    return best;
}

/* Fisher-Yates permutation of 0..n-1, kept as a kmalloc array of words like the kernel's. */
static void random_seq_create(struct km_slab_layer *l, struct km_cpu *cpu, struct km_kmem_cache *c)
{
    if (!l->os->p.freelist_random || c->objects < 2 || !l->p.ops->random_seq)
        return;
    km_vaddr seq = km_kzalloc(l, cpu, c->objects * 4, KM_GFP_KERNEL);

    if (!seq)
        return;
    for (uint32_t i = 0; i < c->objects; i++)
        km_st32(cpu, seq + 4 * i, i);
    for (uint32_t i = c->objects - 1; i > 0; i--) {
        uint32_t j = km_prng_below(&l->prng, i + 1);
        uint32_t a = km_ld32(cpu, seq + 4 * i);

        km_st32(cpu, seq + 4 * i, km_ld32(cpu, seq + 4 * j));
        km_st32(cpu, seq + 4 * j, a);
    }
    km_st32(cpu, c->va + l->p.ops->random_seq, seq);
    c->random_seq_va = seq;
}

static uint32_t kmalloc_max(const struct km_slab_layer *l)
{
    if (l->p.ops->kmalloc)
        return l->p.ops->kmalloc_max;
    return l->p.ops->kmalloc_to_block_max ? l->os->p.personality->slab_kmalloc_max
                                          : KM_KMALLOC_MAX_CACHED;
}

struct km_kmem_cache *km_kmem_cache_create(struct km_slab_layer *l, struct km_cpu *cpu,
                                           const char *name, uint32_t size, uint32_t align,
                                           uint32_t flags)
{
    return km_kmem_cache_create_ctor(l, cpu, name, size, align, flags, NULL, NULL);
}

/* SLAB_PANIC: the kernel would stop here. */
static struct km_kmem_cache *create_failed(struct km_slab_layer *l, const struct km_cpu *cpu,
                                           uint32_t flags)
{
    if (flags & KM_CACHE_PANIC)
        km_slab_misuse(l, cpu, KM_MISUSE_PANIC, NULL, 0);
    return NULL;
}

static bool is_listed(const char *list, const char *name)
{
    size_t len = strlen(name);

    for (const char *at = list; at && (at = strstr(at, name)); at += len)
        if ((at == list || at[-1] == ',' || at[-1] == ' ') &&
            (!at[len] || at[len] == ',' || at[len] == ' '))
            return true;
    return false;
}

static uint32_t line_align(const struct km_slab_lines *lines, const char *name, uint32_t align,
                           uint32_t size)
{
    if (is_listed(lines->pad_to_line, name) && align < lines->line_bytes)
        return lines->line_bytes;
    if (is_listed(lines->hwcache_align, name))
        return km_slub_align(KM_CACHE_HWCACHE_ALIGN, align, size, lines->line_bytes);
    return align;
}

struct km_kmem_cache *km_kmem_cache_create_ctor(struct km_slab_layer *l, struct km_cpu *cpu,
                                                const char *name, uint32_t size, uint32_t align,
                                                uint32_t flags,
                                                void (*ctor)(void *ctx, struct km_cpu *cpu,
                                                             km_vaddr obj),
                                                void *ctor_ctx)
{
    struct km_kmem_cache *c;

    flags |= ctor ? KM_CACHE_CTOR : 0;
    align = line_align(&l->p.lines, name, align, size);
    c = l->p.merge && l->p.ops->first_object ? find_mergeable(l, size, align, flags) : NULL;

    if (c) {
        c->aliases++;
        if (size > c->object_size)
            c->object_size = size; /* zeroing covers the largest of the aliases */
        return c;
    }
    c = find_slot(l);
    if (!c || size == 0)
        return create_failed(l, cpu, flags);
    memset(c, 0, sizeof(*c));
    set_name(c, name);
    c->ctor = ctor;
    c->ctor_ctx = ctor_ctx;
    c->object_size = size;
    c->flags = flags;
    c->align = km_slub_align(flags, align, size, LINE_BYTES);
    km_fn_enter(cpu, l->stack_va[cpu->id], &fn_create);
    c->used = l->p.ops->create(l, cpu, c);
    km_fn_leave(cpu, l->stack_va[cpu->id], &fn_create);
    if (!c->used)
        return create_failed(l, cpu, flags);
    c->created = l->next_created++;
    if (l->kmalloc_up)
        random_seq_create(l, cpu, c);
    return c;
}

bool km_kmem_cache_destroy(struct km_slab_layer *l, struct km_cpu *cpu, struct km_kmem_cache *c)
{
    if (c->aliases) {
        c->aliases--;
        return true;
    }
    km_vaddr seq = c->random_seq_va;

    km_fn_enter(cpu, l->stack_va[cpu->id], &fn_destroy);
    bool gone = l->p.ops->destroy(l, cpu, c);

    km_fn_leave(cpu, l->stack_va[cpu->id], &fn_destroy);
    if (!gone) {
        km_slab_watch_destroy(l, cpu, c);
        return false;
    }
    c->used = false;
    if (seq)
        km_kfree(l, cpu, seq);
    return true;
}

/* ---- boot
 * ---------------------------------------------------------------------------------------- */

static struct km_kmem_cache *boot_cache(struct km_slab_layer *l, struct km_cpu *cpu,
                                        const char *name, uint32_t size, uint32_t flags)
{
    struct km_kmem_cache *c = find_slot(l);

    KM_BUG_ON(!c);
    memset(c, 0, sizeof(*c));
    set_name(c, name);
    c->object_size = size;
    c->flags = flags;
    c->align = km_slub_align(flags, 0, size, LINE_BYTES);
    c->va = km_os_static_alloc(l->os, l->p.ops->cache_bytes, 32);
    if (l->p.ops->node_bytes)
        c->node_va = km_os_static_alloc(l->os, l->p.ops->node_bytes, 32);
    c->used = l->p.ops->create(l, cpu, c);
    c->created = l->next_created++;
    return c;
}

bool km_slab_init(struct km_slab_layer *l, struct km_os *os, struct km_cpu *cpu,
                  const struct km_slab_params *p)
{
    memset(l, 0, sizeof(*l));
    l->os = os;
    l->p = *p;
    l->kmalloc_max = kmalloc_max(l);
    l->prng.state = os->p.seed ^ 0x736c7562u;
    l->percpu_stride = KM_SLAB_MAX_CACHES * KM_KCC_BYTES;
    l->percpu_va = km_os_static_alloc(os, os->p.cpus * l->percpu_stride, 64);
    for (unsigned i = 0; i < os->p.cpus; i++)
        l->stack_va[i] = km_os_static_alloc(os, STACK_BYTES, 64) + STACK_BYTES;
    l->rcu_list_va = km_os_static_alloc(os, 4, 64);
    l->objcg_va = km_os_static_alloc(os, 64, 64);
    l->adopted_vec_va = km_os_static_alloc(os, 4 * KM_ADOPT_MAX_OBJECTS, 64);
    km_st32(cpu, l->rcu_list_va, 0);

    if (p->ops->node_bytes)
        l->kmem_cache_node = boot_cache(l, cpu, "kmem_cache_node", p->ops->node_bytes,
                                        KM_CACHE_HWCACHE_ALIGN | KM_CACHE_NO_MERGE);
    l->kmem_cache = boot_cache(l, cpu, "kmem_cache", p->ops->cache_bytes,
                               KM_CACHE_HWCACHE_ALIGN | KM_CACHE_NO_MERGE);
    if ((l->kmem_cache_node && !l->kmem_cache_node->used) || !l->kmem_cache->used ||
        (!p->ops->kmalloc && !km_kmalloc_create_caches(l, cpu)) ||
        (p->ops->late && !p->ops->late(l, cpu)))
        return false;
    for (unsigned i = 0; i < l->nr_cache; i++)
        random_seq_create(l, cpu, &l->cache[i]);
    os->slab = l;
    return true;
}

const char *km_slab_check(struct km_slab_layer *l, const uint8_t *window)
{
    uint64_t slabs = 0;

    for (unsigned i = 0; i < l->nr_cache; i++) {
        const struct km_kmem_cache *c = &l->cache[i];

        if (!c->used)
            continue;
        const char *bad = l->p.ops->check(l, window, c);

        if (bad)
            return bad;
        if (c->stats.frees > c->stats.allocs)
            return "more objects freed than allocated";
        slabs += c->stats.slabs_created - c->stats.slabs_released;
    }
    if (l->p.ops->check_layer) {
        const char *bad = l->p.ops->check_layer(l, window);

        if (bad)
            return bad;
    }
    for (km_vaddr s = l->p.ops->first_object ? km_peek32(window, l->rcu_list_va) : 0; s;
         s = km_peek32(window, s + KM_SLAB_NEXT))
        slabs++;
    if (slabs > l->stats.slab_blocks_alloc - l->stats.slab_blocks_free)
        return "caches hold more slabs than the page source gave";
    return NULL;
}
