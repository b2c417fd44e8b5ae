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
 * folded into constants, and statistics. Misuse: slab_watch.h; object debugging: slab_debug.h.
 * Not modelled: KFENCE, sysfs; nodes except under SLAB. References: kernel-behaviour notes E1 to E9
 * (Linux 6.1). Units: bytes, pages; gfp in 6.1 numbering.
 */
#ifndef KM_OS_SLAB_LAYER_H
#define KM_OS_SLAB_LAYER_H

#include "models/base/prng.h"
#include "models/os/os.h"

#define KM_SLAB_MAX_CACHES 256u
#define KM_CACHE_NAME_MAX 40u
#define KM_SLAB_MAX_NODES 4u

/* What a slab's page request keeps of the caller's flags (reclaim and constraint bits). */
#define KM_SLAB_GFP_KEPT                                                                           \
    (KM_GFP_RECLAIM | KM_GFP_HIGH | KM_GFP_IO | KM_GFP_FS | KM_GFP_NOWARN | KM_GFP_RETRY_MAYFAIL | \
     KM_GFP_NOFAIL | KM_GFP_NORETRY | KM_GFP_MEMALLOC | KM_GFP_NOMEMALLOC | KM_GFP_ATOMIC_BIT |    \
     KM_GFP_HARDWALL | KM_GFP_THISNODE)

/* Where slab pages come from: the page allocator, or a stand-in during start-up and in tests.
 * Blocks asked for with KM_GFP_COMP come with their tail pages marked (KM_PAGE_COMPOUND_HEAD). */
struct km_page_src {
    km_pfn (*alloc)(void *ctx, struct km_cpu *cpu, uint32_t gfp, unsigned order);
    /* From this node if possible; NULL: there is one node. */
    km_pfn (*alloc_node)(void *ctx, struct km_cpu *cpu, unsigned node, uint32_t gfp, unsigned order);
    void (*free)(void *ctx, struct km_cpu *cpu, km_pfn pfn, unsigned order);
    void *ctx;
};

/* The buddy allocator of os as a page source. */
struct km_page_src km_page_src_buddy(struct km_os *os);

/* Cache flags: the numbers of SLAB_* in 6.1, then two of ours for what is a pointer or a range
 * there. */
enum {
    KM_CACHE_RED_ZONE = 0x400u,
    KM_CACHE_POISON = 0x800u,
    KM_CACHE_HWCACHE_ALIGN = 0x2000u,
    KM_CACHE_DMA = 0x4000u,
    KM_CACHE_STORE_USER = 0x10000u,
    KM_CACHE_PANIC = 0x40000u,
    KM_CACHE_RECLAIM_ACCOUNT = 0x20000u,
    KM_CACHE_TYPESAFE_BY_RCU = 0x80000u,
    KM_CACHE_ACCOUNT = 0x4000000u,
    KM_CACHE_CTOR = 0x40000000u,     /* has a constructor                                   */
    KM_CACHE_NO_MERGE = 0x80000000u, /* neither source nor target of merging (user-copy range) */
    KM_CACHE_DEBUG = KM_CACHE_RED_ZONE | KM_CACHE_POISON | KM_CACHE_STORE_USER,
};

struct km_slab_stats {
    uint64_t allocs, frees, failed;
    uint64_t slabs_created, slabs_released; /* page-allocator blocks */
    uint64_t refills_partial; /* slow allocations served from the node's partial list */
};

/* Where an object's debugging bytes are, relative to the object (slab_debug.h). */
struct km_slab_dbg {
    uint32_t left_bytes;             /* red zone in front                          */
    uint32_t right_off, right_bytes; /* red zone behind                            */
    uint32_t poison_bytes;           /* 0: contents are not poisoned               */
    uint32_t track_off;
    uint32_t tracks; /* 2: records of allocation and free; 1: one word; 0: none */
};

enum km_slab_mgmt { KM_SLAB_MGMT_OBJECT, KM_SLAB_MGMT_OFF, KM_SLAB_MGMT_ON };

/* What SLAB alone needs (slab.h). */
struct km_slab_queue {
    enum km_slab_mgmt mgmt; /* where the list of free objects lies */
    uint32_t freelist_bytes;
    struct km_kmem_cache *freelist_cache; /* MGMT_OFF: the lists' own cache */
    uint32_t colour, colour_off;          /* number of colours, bytes between them */
    uint32_t limit, batch, shared;        /* final sizes of the object stacks      */
    bool tuned, static_nodes;
    km_vaddr node_va[KM_SLAB_MAX_NODES];
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
    uint32_t obj_offset;    /* what stands in front of an object in its place */
    struct km_slab_dbg dbg;
    struct km_slab_queue slab;
    void (*ctor)(void *ctx, struct km_cpu *cpu, km_vaddr obj);
    void *ctor_ctx;
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
    uint32_t limit, batchcount, shared; /* SLAB; 0 elsewhere */
    uint64_t shared_avail;
};

enum km_slab_red { KM_SLAB_RED_BYTES, KM_SLAB_RED_WORDS }; /* how red zones are filled */

/* What a slab allocator provides. The caller has checked arguments; all may block inside the CPU
 * port. */
struct km_slab_ops {
    const char *name, *help;
    uint32_t cache_bytes, node_bytes; /* guest structures; node_bytes 0: no cache of its own */
    uint32_t random_seq; /* offset of the permutation in struct kmem_cache; 0: free lists ascend */
    uint32_t kmalloc_min; /* smallest size class */
    uint32_t kmalloc_max; /* with .kmalloc: larger ones are page blocks */
    bool kmalloc_to_block_max; /* size classes reach as far as the personality's slab_kmalloc_max */
    enum km_slab_red red;
    /* Fills the geometry of c (object_size, align, flags are set) and its guest structures. False:
     * no memory. */
    bool (*create)(struct km_slab_layer *l, struct km_cpu *cpu, struct km_kmem_cache *c);
    /* Gives back all slabs; false if objects are still live (nothing is then lost). */
    bool (*destroy)(struct km_slab_layer *l, struct km_cpu *cpu, struct km_kmem_cache *c);
    km_vaddr (*alloc)(struct km_slab_layer *l, struct km_cpu *cpu, struct km_kmem_cache *c,
                      uint32_t gfp);
    /* From this node if possible; NULL: nodes are all the same. */
    km_vaddr (*alloc_node)(struct km_slab_layer *l, struct km_cpu *cpu, struct km_kmem_cache *c,
                           uint32_t gfp, unsigned node);
    void (*free)(struct km_slab_layer *l, struct km_cpu *cpu, struct km_kmem_cache *c,
                 km_vaddr slab, km_vaddr obj);
    unsigned (*alloc_bulk)(struct km_slab_layer *l, struct km_cpu *cpu, struct km_kmem_cache *c,
                           uint32_t gfp, unsigned nr, km_vaddr *obj);
    void (*free_bulk)(struct km_slab_layer *l, struct km_cpu *cpu, struct km_kmem_cache *c,
                      unsigned nr, km_vaddr *obj);
    void (*shrink)(struct km_slab_layer *l, struct km_cpu *cpu, struct km_kmem_cache *c);
    /* After the kmalloc caches exist; NULL: nothing to do. */
    bool (*late)(struct km_slab_layer *l, struct km_cpu *cpu);
    /* A grace period ended. */
    unsigned (*quiesce)(struct km_slab_layer *l, struct km_cpu *cpu);
    /* Periodic work of this CPU if its time has come; NULL: none. */
    void (*tick)(struct km_slab_layer *l, struct km_cpu *cpu, uint64_t now_ms);
    /* Objects of a slab, and the first one (untimed). NULL: pages do not know a cache (SLOB): no
     * merging, no memcg, kfree needs no cache. */
    uint32_t (*objects)(struct km_slab_layer *l, struct km_cpu *cpu, const struct km_kmem_cache *c,
                        km_vaddr slab);
    km_vaddr (*first_object)(const struct km_slab_layer *l, const uint8_t *window,
                             const struct km_kmem_cache *c, km_vaddr slab);
    /* kmalloc without caches up to kmalloc_max; NULL: size classes. */
    km_vaddr (*kmalloc)(struct km_slab_layer *l, struct km_cpu *cpu, uint32_t size, uint32_t gfp,
                        uint32_t *bytes_alloc);
    void (*kfree)(struct km_slab_layer *l, struct km_cpu *cpu, km_vaddr va);
    uint32_t (*ksize)(struct km_slab_layer *l, struct km_cpu *cpu, km_vaddr va);
    /* Builds a slab in a frame that belongs to nobody else; untimed use only. NULL: cannot. */
    bool (*adopt)(struct km_slab_layer *l, struct km_cpu *cpu, struct km_kmem_cache *c,
                  const struct km_slab_adoption *a);
    /* Untimed. */
    void (*info)(const struct km_slab_layer *l, const uint8_t *window,
                 const struct km_kmem_cache *c, struct km_slabinfo *out);
    /* First broken invariant of the cache in words, NULL if none. Untimed. */
    const char *(*check)(const struct km_slab_layer *l, const uint8_t *window,
                         const struct km_kmem_cache *c);
    /* The same for what belongs to no cache; NULL: nothing. */
    const char *(*check_layer)(const struct km_slab_layer *l, const uint8_t *window);
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
#define KM_KMALLOC_CLASSES 22u /* 8 16 32 64 96 128 192 256 512 1k 2k 4k 8k; 16k ... 4M */
#define KM_KMALLOC_PAGE_CLASSES 13u /* those up to 8 KiB */
#define KM_KMALLOC_MAX_CACHED 8192u /* larger ones are page blocks, but for SLAB before 6.1 */
#define KM_ZERO_SIZE_PTR 16u /* kmalloc(0) */

enum km_misuse_kind {
    KM_MISUSE_DOUBLE_FREE,
    KM_MISUSE_FOREIGN,     /* not an address this layer ever gave out     */
    KM_MISUSE_INTERIOR,    /* inside a slab or block, not at an object    */
    KM_MISUSE_WRONG_CACHE, /* a live object of another cache              */
    KM_MISUSE_RED_ZONE,
    KM_MISUSE_POISON,
    KM_MISUSE_DESTROY_LIVE,
    KM_MISUSE_PANIC,   /* a SLAB_PANIC cache could not be created */
    KM_MISUSE_BAD_GFP, /* __GFP_HIGHMEM or __GFP_DMA32: objects need linear addresses */
    KM_MISUSE_NR,
};

struct km_misuse {
    enum km_misuse_kind kind;
    km_vaddr obj;
    const char *cache; /* the caller's; NULL: none named */
    const char *owner; /* WRONG_CACHE: the object's, if known */
    unsigned cpu;
    uint32_t call_site;             /* of the call that showed it          */
    uint32_t alloc_site, free_site; /* of the object's last; 0: not known  */
};

/* What is remembered of an object (host memory, slab_watch.h). */
struct km_slab_note {
    km_vaddr va;
    uint32_t alloc_site, free_site;
    const struct km_kmem_cache *cache;
    bool freed;
};

struct km_slab_watch {
    uint8_t *live; /* zeroed; one bit per 8 bytes from page_offset on; NULL: frees are trusted */
    uint32_t live_bytes;
    struct km_slab_note *note; /* zeroed; may be NULL */
    uint32_t nr_notes;
    void (*report)(void *ctx, const struct km_misuse *m); /* may be NULL */
    void *ctx;
};

/* NUMA under SLAB. nodes 0 or 1: none. */
struct km_slab_numa {
    unsigned nodes;
    const uint8_t *cpu_node;
    unsigned (*pfn_node)(void *ctx, km_pfn pfn);
    void *ctx;
};

struct km_slab_params {
    const struct km_slab_ops *ops;
    struct km_page_src src;
    unsigned min_objects_cpus; /* CPUs in the slab-order formula: present ones (0: os->p.cpus) */
    bool merge;                /* merge like caches */
    struct km_slab_numa numa;
    struct km_slab_watch watch;
    struct km_slab_lines { /* caches laid out for lines of line_bytes whatever their creator asked */
        const char *hwcache_align; /* names with commas: as with SLAB_HWCACHE_ALIGN; NULL: none */
        const char *pad_to_line;   /* every object in lines of its own; NULL: none */
        uint32_t line_bytes;       /* a power of two */
    } lines;
};

struct km_slab_layer {
    struct km_os *os;
    struct km_slab_params p;
    bool requesting_large[KM_MAX_CPUS]; /* on this CPU kmalloc above 8 KiB asks the page source */
    /* cache a slab is being asked for on this CPU; NULL: none, or nobody's (SLOB) */
    const struct km_kmem_cache *requesting[KM_MAX_CPUS];
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
    uint32_t kmalloc_max; /* larger ones are page blocks */
    bool kmalloc_up;      /* all size classes exist      */
    /* SLAB */
    km_vaddr array_page[KM_MAX_CPUS][KM_SLAB_MAX_CACHES / 8]; /* array caches, eight to a page */
    uint8_t array_users[KM_SLAB_MAX_CACHES / 8];
    uint64_t reap_due_ms[KM_MAX_CPUS];
    uint32_t reap_node[KM_MAX_CPUS];
    /* SLOB */
    struct {
        km_vaddr heap_va; /* list heads, lock */
        uint64_t pages, live_units, pages_searched;
    } slob;
    uint32_t call_site[KM_MAX_CPUS]; /* of the call under way */
    uint8_t wanted_node[KM_MAX_CPUS]; /* of the call under way, + 1; 0: the CPU's own */
    uint64_t misuse[KM_MISUSE_NR];
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
/* The same with a constructor: it runs on every object of a new slab (SLOB: at every
 * allocation). */
struct km_kmem_cache *km_kmem_cache_create_ctor(struct km_slab_layer *l, struct km_cpu *cpu,
                                                const char *name, uint32_t size, uint32_t align,
                                                uint32_t flags,
                                                void (*ctor)(void *ctx, struct km_cpu *cpu,
                                                             km_vaddr obj),
                                                void *ctor_ctx);
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
/* The object whose place holds the byte at va (untimed); false if that is no slab, or the part of
 * one that holds no objects. */
struct km_slab_object {
    const struct km_kmem_cache *cache;
    km_vaddr va;
    uint32_t index, offset; /* in the slab, in the object's place */
};
bool km_slab_object_at(struct km_slab_layer *l, const uint8_t *window, km_vaddr va,
                       struct km_slab_object *out);
/* End of a grace period: empty slabs of TYPESAFE_BY_RCU caches go to the page allocator; returns
 * how many. */
unsigned km_slab_rcu_quiesce(struct km_slab_layer *l, struct km_cpu *cpu);
/* Periodic work (SLAB's reaper) of this CPU, if due at now_ms. */
void km_slab_timer(struct km_slab_layer *l, struct km_cpu *cpu, uint64_t now_ms);
/* Who calls next on this CPU: for reports of misuse and SLAB_STORE_USER. */
void km_slab_set_call_site(struct km_slab_layer *l, const struct km_cpu *cpu, uint32_t site);

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
/* A slab's memcg vector: in the word of struct page behind the first 32 bytes, if it has one. */
static inline bool km_slab_has_memcg_vec(const struct km_slab_layer *l)
{
    return l->os->p.struct_page_bytes > KM_PAGE_MEMCG;
}

static inline km_vaddr km_slab_memcg_vec(const struct km_slab_layer *l, struct km_cpu *cpu,
                                         km_vaddr slab)
{
    return km_slab_has_memcg_vec(l) ? km_ld32(cpu, slab + KM_PAGE_MEMCG) : 0;
}

static inline void km_slab_set_memcg_vec(const struct km_slab_layer *l, struct km_cpu *cpu,
                                         km_vaddr slab, km_vaddr vec)
{
    if (km_slab_has_memcg_vec(l))
        km_st32(cpu, slab + KM_PAGE_MEMCG, vec);
}

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
/* kfree without tracepoint and without looking for misuse. */
void km_kfree_checked(struct km_slab_layer *l, struct km_cpu *cpu, km_vaddr va);
/* An object whose slab is known goes back; untraced. */
void km_slab_free_object(struct km_slab_layer *l, struct km_cpu *cpu, struct km_kmem_cache *c,
                         km_vaddr slab, km_vaddr obj);

/* Layer-wide check: every cache, and the sums over them. NULL if all holds. Untimed. */
const char *km_slab_check(struct km_slab_layer *l, const uint8_t *window);

#endif
