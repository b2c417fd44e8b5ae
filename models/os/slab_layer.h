/* SPDX-License-Identifier: MIT
 * slab_layer.h - kmem_cache, kmalloc and what every slab allocator behind them must provide.
 *
 * Models:      the part of the slab layer that all allocators share: the registry of caches,
 * merging of like caches, kmalloc size classes and their four families, large kmalloc, zeroing at
 *              allocation, per-slab memcg vectors, the tracepoints. One allocator = one const
 *              struct km_slab_ops in its own file and one line in km_slab_table[].
 * Guest/host:  struct kmem_cache, its per-CPU and per-node parts, slab descriptors (overlaid on
 * struct page), free pointers and memcg vectors stand in guest memory and are reached through the
 * CPU port. struct km_kmem_cache is the host-side shadow: what boot code and compiler would have
 * folded into constants, and statistics. Not modelled: slab debugging (red zones, poisoning, user
 * tracking), KFENCE, sysfs, NUMA. References:  kernel-behaviour notes E1 to E7 (Linux 6.1). Units:
 * bytes, pages; gfp in 6.1 numbering.
 */
#ifndef KM_OS_SLAB_LAYER_H
#define KM_OS_SLAB_LAYER_H

#include "models/base/prng.h"
#include "models/os/os.h"

#define KM_SLAB_MAX_CACHES 256u
#define KM_CACHE_NAME_MAX 40u

/* Where slab pages come from: the page allocator, or a stand-in during start-up and in tests.
 * Blocks asked for with KM_GFP_COMP come with their tail pages marked (KM_PAGE_COMPOUND_HEAD). */
struct km_page_src {
    km_pfn (*alloc)(void *ctx, struct km_cpu *cpu, uint32_t gfp, unsigned order);
    void (*free)(void *ctx, struct km_cpu *cpu, km_pfn pfn, unsigned order);
    void *ctx;
};

/* The buddy allocator of os as a page source. */
struct km_page_src km_page_src_buddy(struct km_os *os);

/* Cache flags: the numbers of SLAB_* in 6.1, then two of ours for what is a pointer or a range
 * there. */
enum {
    KM_CACHE_HWCACHE_ALIGN = 0x2000u,
    KM_CACHE_DMA = 0x4000u,
    KM_CACHE_PANIC = 0x40000u,
    KM_CACHE_RECLAIM_ACCOUNT = 0x20000u,
    KM_CACHE_TYPESAFE_BY_RCU = 0x80000u,
    KM_CACHE_ACCOUNT = 0x4000000u,
    KM_CACHE_CTOR = 0x40000000u,     /* has a constructor                                   */
    KM_CACHE_NO_MERGE = 0x80000000u, /* neither source nor target of merging (user-copy range) */
};

struct km_slab_stats {
    uint64_t allocs, frees, failed;
    uint64_t slabs_created, slabs_released; /* page-allocator blocks */
    uint64_t refills_partial; /* slow allocations served from the node's partial list */
};

/* Host-side shadow of one struct kmem_cache. Constant after creation but for stats and counters. */
struct km_kmem_cache {
    bool used;
    bool kmalloc;
    char name[KM_CACHE_NAME_MAX];
    uint32_t flags;
    uint32_t object_size; /* what the user asked for  */
    uint32_t size;        /* distance between objects */
    uint32_t align;
    uint32_t free_pointer;         /* offset of the free pointer in a free object */
    unsigned order, min_order;     /* of a slab, and of the smallest usable one   */
    uint32_t objects, min_objects; /* per slab of that order                    */
    uint32_t cpu_partial;          /* tunable, objects                            */
    uint32_t cpu_partial_slabs;
    uint32_t min_partial;   /* empty slabs kept on the node list */
    uint32_t allocflags;    /* gfp added to slab page requests   */
    unsigned aliases;       /* caches merged into this one       */
    uint32_t created;       /* creation number: newest first in merging */
    km_vaddr va;            /* struct kmem_cache      */
    km_vaddr node_va;       /* struct kmem_cache_node */
    km_vaddr random_seq_va; /* permutation of object indexes; 0: ascending */
    struct km_slab_stats stats;
};

struct km_slab_layer;

/* Where a slab stands that existed before the simulation began. */
enum km_slab_place { KM_PLACE_CURRENT, KM_PLACE_CPU_PARTIAL, KM_PLACE_NODE_PARTIAL, KM_PLACE_FULL };

struct km_slab_adoption {
    km_pfn pfn;
    enum km_slab_place
        place;            /* CURRENT turns into CPU_PARTIAL if the CPU has a current slab already */
    unsigned cpu;         /* of CURRENT and CPU_PARTIAL */
    const km_vaddr *free; /* free objects in the order they will be handed out */
    uint32_t nr_free;
};

struct km_slabinfo {
    uint64_t active_objs, num_objs, active_slabs, num_slabs;
    uint32_t objsize, objs_per_slab, pages_per_slab;
};

/* What a slab allocator provides. The caller has checked arguments; all may block inside the CPU
 * port. */
struct km_slab_ops {
    const char *name, *help;
    /* Fills the geometry of c (object_size, align, flags are set) and its guest structures. False:
     * no memory. */
    bool (*create)(struct km_slab_layer *l, struct km_cpu *cpu, struct km_kmem_cache *c);
    /* Gives back all slabs; false if objects are still live (nothing is then lost). */
    bool (*destroy)(struct km_slab_layer *l, struct km_cpu *cpu, struct km_kmem_cache *c);
    km_vaddr (*alloc)(struct km_slab_layer *l, struct km_cpu *cpu, struct km_kmem_cache *c,
                      uint32_t gfp);
    void (*free)(struct km_slab_layer *l, struct km_cpu *cpu, struct km_kmem_cache *c,
                 km_vaddr slab, km_vaddr obj);
    unsigned (*alloc_bulk)(struct km_slab_layer *l, struct km_cpu *cpu, struct km_kmem_cache *c,
                           uint32_t gfp, unsigned nr, km_vaddr *obj);
    void (*free_bulk)(struct km_slab_layer *l, struct km_cpu *cpu, struct km_kmem_cache *c,
                      unsigned nr, km_vaddr *obj);
    void (*shrink)(struct km_slab_layer *l, struct km_cpu *cpu, struct km_kmem_cache *c);
    /* Builds a slab in a frame that belongs to nobody else; untimed use only. NULL: cannot. */
    bool (*adopt)(struct km_slab_layer *l, struct km_cpu *cpu, struct km_kmem_cache *c,
                  const struct km_slab_adoption *a);
    /* Untimed. */
    void (*info)(const struct km_slab_layer *l, const uint8_t *window,
                 const struct km_kmem_cache *c, struct km_slabinfo *out);
    /* First broken invariant of the cache in words, NULL if none. Untimed. */
    const char *(*check)(const struct km_slab_layer *l, const uint8_t *window,
                         const struct km_kmem_cache *c);
};

/* Sorted by name, NULL-terminated. */
extern const struct km_slab_ops *const km_slab_table[];
const struct km_slab_ops *km_slab_ops_by_name(const char *name); /* NULL: unknown */

enum km_kmalloc_type {
    KM_KMALLOC_NORMAL,
    KM_KMALLOC_DMA,
    KM_KMALLOC_RECLAIM,
    KM_KMALLOC_CGROUP,
    KM_KMALLOC_TYPES
};
#define KM_KMALLOC_CLASSES 13u /* 8 16 32 64 96 128 192 256 512 1k 2k 4k 8k */
#define KM_KMALLOC_MAX_CACHED 8192u
#define KM_ZERO_SIZE_PTR 16u /* kmalloc(0) */

struct km_slab_params {
    const struct km_slab_ops *ops;
    struct km_page_src src;
    unsigned min_objects_cpus; /* CPUs in the slab-order formula: present ones (0: os->p.cpus) */
    bool merge;                /* merge like caches */
};

struct km_slab_layer {
    struct km_os *os;
    struct km_slab_params p;
    bool requesting_large[KM_MAX_CPUS]; /* on this CPU kmalloc above 8 KiB asks the page source */
    bool memcg; /* kernel-memory accounting is on: vectors for accounted slabs */
    struct km_prng prng;
    struct km_kmem_cache cache[KM_SLAB_MAX_CACHES];
    unsigned nr_cache; /* slots ever used */
    uint32_t next_created;
    km_vaddr
        percpu_va; /* per-CPU kmem_cache_cpu: slot i of CPU n at percpu_va + n * stride + i * 16 */
    uint32_t percpu_stride;
    km_vaddr stack_va[KM_MAX_CPUS]; /* top of the kernel stack the calls run on */
    km_vaddr rcu_list_va; /* empty slabs of TYPESAFE_BY_RCU caches that wait for a grace period */
    km_vaddr objcg_va;    /* the obj_cgroup accounted objects point to */
    km_vaddr adopted_vec_va; /* stands for the memcg vectors of adopted slabs, which nobody knows */
    struct km_kmem_cache *kmem_cache, *kmem_cache_node;
    struct km_kmem_cache *kmalloc[KM_KMALLOC_TYPES][KM_KMALLOC_CLASSES];
    struct {
        uint64_t slab_pages_alloc, slab_pages_free;   /* pages                         */
        uint64_t slab_blocks_alloc, slab_blocks_free; /* calls of the page source      */
        uint64_t slab_retries;                        /* high-order attempt failed     */
        uint64_t large_alloc, large_free;             /* kmalloc through page blocks   */
        uint64_t bad_free;                            /* kfree of something not allocated by us */
    } stats;
};

/* Brings the layer up: boot caches, kmalloc caches of all families, freelist permutations.
 * l is zeroed and filled; os->slab is set. False if guest memory ran out. */
bool km_slab_init(struct km_slab_layer *l, struct km_os *os, struct km_cpu *cpu,
                  const struct km_slab_params *p);

/* kmem_cache_create; NULL without memory or free slot. May return an older, merged cache. */
struct km_kmem_cache *km_kmem_cache_create(struct km_slab_layer *l, struct km_cpu *cpu,
                                           const char *name, uint32_t size, uint32_t align,
                                           uint32_t flags);
/* kmem_cache_destroy; false if objects are live. */
bool km_kmem_cache_destroy(struct km_slab_layer *l, struct km_cpu *cpu, struct km_kmem_cache *c);
km_vaddr km_kmem_cache_alloc(struct km_slab_layer *l, struct km_cpu *cpu, struct km_kmem_cache *c,
                             uint32_t gfp);
void km_kmem_cache_free(struct km_slab_layer *l, struct km_cpu *cpu, struct km_kmem_cache *c,
                        km_vaddr obj);
/* All nr or none (returns 0). Untraced, as in the kernel. */
unsigned km_kmem_cache_alloc_bulk(struct km_slab_layer *l, struct km_cpu *cpu,
                                  struct km_kmem_cache *c, uint32_t gfp, unsigned nr,
                                  km_vaddr *obj);
/* c NULL: kfree_bulk. obj[] is used as scratch. */
void km_kmem_cache_free_bulk(struct km_slab_layer *l, struct km_cpu *cpu, struct km_kmem_cache *c,
                             unsigned nr, km_vaddr *obj);
void km_kmem_cache_shrink(struct km_slab_layer *l, struct km_cpu *cpu, struct km_kmem_cache *c);
struct km_kmem_cache *km_kmem_cache_by_name(struct km_slab_layer *l, const char *name);
/* Cache of a live or free slab object (untimed); NULL if va is not in a slab. */
struct km_kmem_cache *km_kmem_cache_of(struct km_slab_layer *l, const uint8_t *window, km_vaddr va);
/* End of a grace period: empty slabs of TYPESAFE_BY_RCU caches go to the page allocator; returns
 * how many. */
unsigned km_slab_rcu_quiesce(struct km_slab_layer *l, struct km_cpu *cpu);

/* kmalloc.c */
km_vaddr km_kmalloc(struct km_slab_layer *l, struct km_cpu *cpu, uint32_t size, uint32_t gfp);
km_vaddr km_kzalloc(struct km_slab_layer *l, struct km_cpu *cpu, uint32_t size, uint32_t gfp);
void km_kfree(struct km_slab_layer *l, struct km_cpu *cpu, km_vaddr va);
uint32_t km_ksize(struct km_slab_layer *l, struct km_cpu *cpu, km_vaddr va);
km_vaddr km_krealloc(struct km_slab_layer *l, struct km_cpu *cpu, km_vaddr va, uint32_t size,
                     uint32_t gfp);
/* Cache that kmalloc(size, gfp) uses; NULL: size 0 or a page block. */
struct km_kmem_cache *km_kmalloc_cache(struct km_slab_layer *l, uint32_t size, uint32_t gfp);
bool km_kmalloc_create_caches(struct km_slab_layer *l, struct km_cpu *cpu);

/* For the allocators (slub.c ...). */
/* The block the page belongs to as a slab descriptor (its struct page address); follows compound
 * tails. */
km_vaddr km_slab_of(struct km_slab_layer *l, struct km_cpu *cpu, km_vaddr obj);
struct km_kmem_cache *km_slab_cache(struct km_slab_layer *l, const uint8_t *window, km_vaddr slab);
/* memcg_alloc_slab_cgroups: a zeroed vector of one pointer per object for the slab. */
void km_slab_memcg_alloc(struct km_slab_layer *l, struct km_cpu *cpu, const struct km_kmem_cache *c,
                         km_vaddr slab, uint32_t objects, uint32_t gfp);
void km_slab_memcg_free(struct km_slab_layer *l, struct km_cpu *cpu, km_vaddr slab);
/* Forgets the objcg of one object; call before it is freed. */
void km_slab_memcg_uncharge(struct km_slab_layer *l, struct km_cpu *cpu,
                            const struct km_kmem_cache *c, km_vaddr slab, km_vaddr obj);
km_vaddr km_slab_percpu(const struct km_slab_layer *l, const struct km_kmem_cache *c, unsigned cpu);

/* kmalloc of `size` bytes from one of its caches, traced as kmalloc. */
km_vaddr km_slab_kmalloc_from(struct km_slab_layer *l, struct km_cpu *cpu, struct km_kmem_cache *c,
                              uint32_t size, uint32_t gfp);
/* An object whose slab is known goes back; untraced. */
void km_slab_free_object(struct km_slab_layer *l, struct km_cpu *cpu, struct km_kmem_cache *c,
                         km_vaddr slab, km_vaddr obj);

/* Layer-wide check: every cache, and the sums over them. NULL if all holds. Untimed. */
const char *km_slab_check(struct km_slab_layer *l, const uint8_t *window);

#endif
