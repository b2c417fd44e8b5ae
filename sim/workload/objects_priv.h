/* SPDX-License-Identifier: MIT
 * objects_priv.h - state shared by objects.c, objects_scan.c and objects_start.c.
 */
#ifndef KM_WORKLOAD_OBJECTS_PRIV_H
#define KM_WORKLOAD_OBJECTS_PRIV_H

#include "sim/workload/objects.h"
#include "sim/workload/u32map.h"

#define KM_OBJ_MAX_CACHES 512u
#define KM_OBJ_NO_CACHE 0xffffu
#define KM_OBJ_NO_KEY UINT32_MAX
#define KM_OBJ_BLOCK_KEYS 4u
#define KM_OBJ_POOL_SEARCH 512u
#define KM_OBJ_ERROR_BINS 2048u

/* First allocation of a CPU from a cache or at a site. */
struct obj_first {
    uint32_t at; /* number of the allocation in the trace; 0: none */
    km_pfn pfn;
};

struct obj_cache {
    char name[64];
    uint32_t object_size, size, align; /* size 0: nothing known yet */
    uint32_t flags;                    /* KM_CACHE_* as far as known */
    unsigned order;
    uint32_t objects;
    bool in_use; /* an event of the replayed part named it */
    bool from_bundle;
    uint64_t traced_slabs; /* created in the trace */
    bool start_sampled;    /* a SLABINFO sample of before the start set the counts below */
    uint64_t sample_slabs; /* otherwise: in the first SLABINFO sample */
    uint64_t sample_free;  /* objects on the node list then */
    uint64_t young_slabs;  /* of those slabs, created in the trace */
    uint64_t start_slabs;  /* in the model at the start */
    /* start state */
    uint64_t num_objs, active_objs, num_slabs, partial;
    struct obj_first first[KM_MAX_CPUS];
    uint32_t asked[KM_MAX_CPUS]; /* allocations before a CPU first asked for a slab, + 1 */
    bool have_cpu_partial;
    uint32_t cpu_partial[KM_MAX_CPUS]; /* slabs */
    /* bulk allocations whose addresses are not traced */
    uint64_t scan_pool;
    uint32_t *pool; /* owned; model addresses, oldest first */
    size_t pool_nr, pool_room;
    struct km_kmem_cache *c; /* in the simulated kernel */
};

/* An allocation site of kmem_cache_alloc: which cache does it use? */
struct obj_key {
    uint64_t hash;
    uint32_t bytes_req, bytes_alloc;
    uint32_t votes;
    uint32_t traced_slabs; /* created in the trace; nothing but this site named their cache */
    uint32_t young_slabs;  /* of those, alive at the first sample */
    uint16_t cache;
    struct obj_first first[KM_MAX_CPUS];
    bool reclaim;       /* its slabs are asked for as reclaimable */
    bool account_cache; /* accounted without __GFP_ACCOUNT: the cache is */
};

enum obj_kind { OBJ_UNKNOWN, OBJ_SLAB, OBJ_LARGE };

/* A page block allocated in the trace that may turn out to be a slab. */
struct obj_block {
    uint64_t event;
    km_pfn pfn; /* first frame */
    uint32_t gfp;
    uint32_t at; /* allocations before it, + 1 */
    uint32_t request;                /* slabs: index + 1 */
    uint32_t key[KM_OBJ_BLOCK_KEYS]; /* sites seen in it, first ones */
    uint16_t cache;
    uint8_t order, kind, nr_keys, cpu;
    bool used;
};

enum { OBJ_FRAME_START = 0, OBJ_FRAME_OTHER = UINT32_MAX };

/* First event of an object that lies in a page from before the trace. */
struct obj_start {
    uint32_t ptr, key;
    uint32_t next; /* of the same slab */
    uint16_t cache;
    uint8_t cpu;
    bool live; /* first seen freed: it was live at the start */
};

/* A page block the traced or the simulated slab layer asked for. */
struct obj_request {
    uint64_t event; /* traced: its page event; model: the event that made it ask */
    uint32_t gfp;
    uint32_t key;   /* traced, cache not known: a site seen in the slab */
    uint32_t at;    /* traced: allocations before it, + 1 */
    uint16_t cache; /* KM_OBJ_NO_CACHE: not known */
    uint8_t order, cpu;
    bool model;
};

/* A slab of the start that the trace touches. */
struct obj_start_slab {
    km_pfn head;
    uint16_t cache;
    uint8_t cpu;      /* that took it first */
    uint32_t contact; /* number of the first allocation from it; 0: none */
    uint32_t rank;    /* slabs of one place are brought there in this order */
    enum km_slab_place place;
    bool elsewhere; /* on a list of another CPU than the one that used it first */
    uint32_t first, last; /* records, + 1 */
    uint32_t nr_free, nr_records;
    bool released; /* by the traced kernel: what it never touched was free */
};

struct obj_string_cache { /* what is known of an interned string of the current reader */
    uint64_t hash;
    uint16_t cache;
    bool internal; /* a call site inside the slab layer */
    bool valid;
};

struct obj_bulk {
    uint16_t cache;
    uint32_t gfp;
};

struct km_objects {
    struct km_objects_params p;
    const struct km_trace *trace;
    struct obj_string_cache *string; /* owned; by id */
    size_t nr_string;
    struct obj_cache cache[KM_OBJ_MAX_CACHES];
    unsigned nr_cache;
    uint16_t kmalloc[KM_KMALLOC_TYPES][KM_KMALLOC_PAGE_CLASSES];
    struct obj_key *key; /* owned */
    uint32_t key_room, nr_key;
    struct km_u32map key_index; /* folded hash -> index; the next free number on a collision */
    uint8_t *drop;              /* owned; bit per event index */
    size_t drop_bytes;
    /* scan */
    uint32_t *frame;         /* owned; [pfn] OBJ_FRAME_* or block + 1 */
    uint16_t *frame_cache;   /* owned; [pfn] cache of the slab that was there at the start */
    struct obj_contact {
        uint32_t at; /* number of the first allocation from this page of the start; 0: none */
        uint8_t cpu;
    } *contact; /* owned; [pfn] */
    uint32_t allocations; /* seen by the scan */
    uint8_t *frame_slab;     /* owned; [pfn] an object was seen in a page from before the trace */
    struct obj_block *block; /* owned */
    uint32_t nr_block, room_block, free_block; /* free_block: chain through .event, + 1 */
    struct obj_start *start;                   /* owned */
    uint32_t nr_start, room_start;
    struct km_u32map seen;       /* objects in start pages */
    struct km_u32map live;       /* scan: live traced objects; replay: traced -> model address */
    struct km_u32map owner;      /* model address -> number of its cache, where pages do not tell */
    struct km_u32map bulk_cache; /* address of a traced kmem_cache -> cache */
    struct km_u32map site; /* model address -> id of the call site that allocated it last */
    struct km_u32map
        slab_of_page; /* replay: traced page -> model page, caches with bulk allocations */
    struct obj_bulk bulk[KM_MAX_CPUS];
    struct obj_vector { /* kmalloc of a memcg vector, until the allocation it belongs to */
        bool held;
        uint32_t ptr, bytes_req, bytes_alloc, gfp;
    } vector[KM_MAX_CPUS];
    bool memcg_seen;
    uint64_t may_reclaim; /* boot: first event whose request may reclaim; before it none may */
    uint64_t sample_index; /* of the first SLABINFO line of the scan; 0: none yet */
    const uint8_t *spare;  /* boot: frames taken before the trace; not owned */
    bool no_memory;
    struct obj_request *request; /* owned */
    uint32_t nr_request, room_request;
    /* replay */
    struct km_os *os;
    const uint8_t *os_window;
    uint8_t *listed; /* owned; start: [pfn] no slab can be here */
    struct km_slab_layer *layer; /* owned */
    struct km_page_src buddy;
    uint64_t event; /* index of the one being replayed */
    bool starting; /* slabs come from the start's frames */
    bool rebuilding; /* at the start, from the buddy lists: the frames have been given back there */
    struct obj_frames {
        km_pfn *pfn; /* traced */
        uint32_t nr, next;
    } start_frames[KM_NR_ORDERS];
    km_pfn (*where)(void *ctx, km_pfn traced, unsigned order); /* NULL: the same frames */
    void *where_ctx;
    void (*claimed)(void *ctx, km_pfn pfn, unsigned order);
    void *claimed_ctx;
    struct km_objects_stats stats;
    uint64_t slab_error[KM_OBJ_ERROR_BINS],
        obj_error[KM_OBJ_ERROR_BINS]; /* relative, per mille, last bin: more */
    uint64_t abs_slab_error;
};

static inline bool km_obj_lowmem(const struct km_objects *o, uint64_t ptr, km_pfn *pfn)
{
    if (ptr < o->p.page_offset || ptr > UINT32_MAX)
        return false;
    *pfn = (km_pfn)((ptr - o->p.page_offset) >> KM_PAGE_SHIFT);
    return *pfn < o->p.max_low_pfn;
}

/* Frame of this machine for the first of a block of traced ones; KM_PFN_NONE: they are no block here. */
static inline km_pfn km_obj_where(const struct km_objects *o, km_pfn traced, unsigned order)
{
    return o->where ? o->where(o->where_ctx, traced, order) : traced;
}

static inline bool km_obj_dropped(const struct km_objects *o, uint64_t index)
{
    return index / 8 < o->drop_bytes && (o->drop[index / 8] >> index % 8 & 1);
}

/* objects.c */
uint16_t km_obj_cache_find(const struct km_objects *o, const char *name);
uint16_t km_obj_cache_add(struct km_objects *o,
                          const char *name); /* finds or adds; KM_OBJ_NO_CACHE: table full */
bool km_obj_cache_geometry(struct km_objects *o, struct obj_cache *c);
const struct obj_string_cache *km_obj_string(struct km_objects *o, uint32_t id);
uint16_t km_obj_cache_of_name(struct km_objects *o, uint32_t id);
uint16_t km_obj_kmalloc_cache(struct km_objects *o, uint32_t bytes_alloc, uint32_t gfp);
uint32_t km_obj_key(struct km_objects *o, const struct km_event *ev);
bool km_obj_internal_site(struct km_objects *o, const struct km_event *ev);
uint16_t km_obj_key_cache(struct km_objects *o, uint32_t key);

/* Brings the cache up in the simulated kernel; NULL if it cannot be. */
struct km_kmem_cache *km_obj_cache_create(struct km_objects *o, struct km_cpu *cpu,
                                          struct obj_cache *c);

/* objects_score.c */
/* Index + 1 of the new request; 0 without memory. */
uint32_t km_obj_note_request(struct km_objects *o, const struct obj_request *r);
/* After the scan: caches of requests that only a site names. */
void km_obj_name_requests(struct km_objects *o);

/* Remembers whose object va is where pages do not tell; false without memory. */
bool km_obj_note_owner(struct km_objects *o, const struct km_kmem_cache *c, km_vaddr va);
/* Gives an object of the simulated slab layer back. */
void km_obj_free(struct km_objects *o, struct km_cpu *cpu, km_vaddr va);

/* objects_rebuild.c: the slabs of the start whose shape the simulated slab layer does not share. */
void km_obj_rebuild(struct km_objects *o, struct km_cpu *cpu, const struct obj_start_slab *slab, uint32_t nr);
/* Can slabs of the traced kernel be taken over as they are? */
static inline bool km_obj_same_shape(const struct km_objects *o, const struct obj_cache *c)
{
    return o->layer->p.ops->adopt && c->c && c->c->order == c->order && c->c->size == c->size;
}

/* objects_scan.c */
void km_obj_scan_finish(struct km_objects *o);

/* objects_places.c: on which list each of the nr slabs stood. False without memory. */
bool km_obj_choose_places(struct km_objects *o, struct obj_start_slab *slab, uint32_t nr);

/* objects_facts.c: caches, flags and per-CPU partial slabs from the bundle. */
uint16_t km_obj_cache_of_line(struct km_objects *o, const struct km_mark_slabinfo *info);
int km_obj_read_facts(struct km_objects *o, struct km_err *err);

#endif
