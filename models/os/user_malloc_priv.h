/* SPDX-License-Identifier: MIT
 * user_malloc_priv.h - chunk and arena layout shared by user_malloc.c (calls, thread caches, arenas),
 * user_malloc_bins.c (bins) and user_malloc_sys.c (memory from the kernel). Offsets in bytes.
 */
#ifndef KM_OS_USER_MALLOC_PRIV_H
#define KM_OS_USER_MALLOC_PRIV_H

#include "models/os/user_malloc.h"

enum { /* chunk */
    CH_PREV_SIZE = 0,
    CH_SIZE = 4,
    CH_FD = 8,
    CH_BK = 12,
    CH_FD_NEXTSIZE = 16,
    CH_BK_NEXTSIZE = 20,
    CH_HEADER = 8, /* payload behind the chunk's address */
};

enum {
    PREV_INUSE = 1u,
    IS_MMAPPED = 2u,
    NON_MAIN = 4u,
    SIZE_BITS = 7u,
    ALIGNMENT = 16u,
    ALIGN_MASK = 15u,
    MIN_CHUNK = 16u,
    MIN_LARGE = 1008u,
    NBINS = 128u,
    NFAST = 11u,
};

enum { /* malloc_state */
    AR_MUTEX = 0,
    AR_FLAGS = 4, /* bit 1: not contiguous */
    AR_HAVE_FAST = 8,
    AR_FAST = 12,
    AR_TOP = 56,
    AR_LAST_REMAINDER = 60,
    AR_BINS = 64,
    AR_BINMAP = 1080,
    AR_NEXT = 1096,
    AR_NEXT_FREE = 1100,
    AR_THREADS = 1104,
    AR_SYSTEM_MEM = 1108,
    AR_MAX_SYSTEM_MEM = 1112,
    AR_BYTES = 1116,
    AR_NONCONTIGUOUS = 2,
};

enum { /* heap_info at the start of each 1 MiB heap of an extra arena */
    HEAP_ARENA = 0,
    HEAP_PREV = 4,
    HEAP_SIZE = 8,
    HEAP_MPROTECT_SIZE = 12,
    HEAP_PAGESIZE = 16,
    HEAP_INFO_BYTES = 24,
    HEAP_MIN_BYTES = 32 << 10,
    HEAP_MAX_BYTES = 1 << 20,
};

enum { /* tcache_perthread_struct */
    TC_COUNTS = 0,
    TC_ENTRIES = 128,
    TC_BYTES = 384,
    TC_NEXT = 0, /* in a cached payload */
    TC_KEY = 4,
};

#define MMAP_THRESHOLD_MAX (512u << 10)
#define FASTBIN_CONSOLIDATE 65536u

struct km_heap_call { /* one call into the library */
    struct km_user_heap *h;
    struct km_user_mm *mm;
    struct km_cpu *cpu;
    unsigned thread;
};

static inline uint32_t ld(const struct km_heap_call *c, km_vaddr va)
{
    return km_user_ld32(c->mm, c->cpu, va);
}

static inline void st(const struct km_heap_call *c, km_vaddr va, uint32_t v)
{
    km_user_st32(c->mm, c->cpu, va, v);
}

static inline uint32_t chunk_size(const struct km_heap_call *c, km_vaddr p)
{
    return ld(c, p + CH_SIZE) & ~SIZE_BITS;
}

static inline void set_head(const struct km_heap_call *c, km_vaddr p, uint32_t size_and_bits)
{
    st(c, p + CH_SIZE, size_and_bits);
}

/* New size, same bits. */
static inline void set_size(const struct km_heap_call *c, km_vaddr p, uint32_t size)
{
    st(c, p + CH_SIZE, size | (ld(c, p + CH_SIZE) & SIZE_BITS));
}

static inline void set_foot(const struct km_heap_call *c, km_vaddr p, uint32_t size)
{
    st(c, p + size + CH_PREV_SIZE, size);
}

static inline void mark_inuse(const struct km_heap_call *c, km_vaddr p, uint32_t size)
{
    st(c, p + size + CH_SIZE, ld(c, p + size + CH_SIZE) | PREV_INUSE);
}

static inline km_vaddr bin_at(km_vaddr arena, unsigned i)
{
    return arena + AR_BINS + (i - 1) * 8 - CH_FD;
}

static inline bool is_small(uint32_t size)
{
    return size < MIN_LARGE;
}

static inline unsigned bin_index(uint32_t size)
{
    if (is_small(size))
        return (size >> 4) + 1;
    if (size >> 6 <= 45)
        return 49 + (size >> 6);
    if (size >> 9 <= 20)
        return 91 + (size >> 9);
    if (size >> 12 <= 10)
        return 110 + (size >> 12);
    if (size >> 15 <= 4)
        return 119 + (size >> 15);
    return size >> 18 <= 2 ? 124 + (size >> 18) : 126;
}

static inline unsigned fast_index(uint32_t size)
{
    return (size >> 3) - 2;
}

static inline unsigned tcache_index(uint32_t chunk_bytes)
{
    return (chunk_bytes - MIN_CHUNK + ALIGN_MASK) / ALIGNMENT;
}

static inline uint32_t chunk_bytes_for(uint32_t request)
{
    uint32_t n = request + 4 + ALIGN_MASK;

    return n < MIN_CHUNK ? MIN_CHUNK : n & ~ALIGN_MASK;
}

/* Links of thread caches and fast bins are mixed with their own address. */
static inline uint32_t mangle(km_vaddr at, uint32_t link)
{
    return at >> 12 ^ link;
}

static inline uint32_t arena_bit(const struct km_heap_call *c, km_vaddr arena)
{
    return arena == c->h->main_arena ? 0 : NON_MAIN;
}

static inline bool contiguous(const struct km_heap_call *c, km_vaddr arena)
{
    return !(ld(c, arena + AR_FLAGS) & AR_NONCONTIGUOUS);
}

/* user_malloc.c */
void km_heap_work(const struct km_heap_call *c, unsigned function, uint32_t insns);
void km_heap_misuse(const struct km_heap_call *c, enum km_misuse_kind kind, km_vaddr mem, const char *message);
bool km_heap_mapped(const struct km_heap_call *c, km_vaddr va, uint32_t bytes);
bool km_tcache_room(const struct km_heap_call *c, unsigned index);
void km_tcache_put(const struct km_heap_call *c, km_vaddr p, unsigned index);
km_vaddr km_tcache_get(const struct km_heap_call *c, unsigned index);
void km_arena_init(const struct km_heap_call *c, km_vaddr arena);

/* user_malloc_bins.c: payload of nb bytes of chunk, 0 if none. */
km_vaddr km_int_malloc(const struct km_heap_call *c, km_vaddr arena, uint32_t nb);
void km_int_free(const struct km_heap_call *c, km_vaddr arena, km_vaddr p, bool use_tcache);
bool km_int_unlink(const struct km_heap_call *c, km_vaddr p);
void km_int_consolidate(const struct km_heap_call *c, km_vaddr arena);
km_vaddr km_int_split_top(const struct km_heap_call *c, km_vaddr arena, uint32_t nb);

/* user_malloc_sys.c */
km_vaddr km_sysmalloc(const struct km_heap_call *c, km_vaddr arena, uint32_t nb);
km_vaddr km_sysmalloc_mmap(const struct km_heap_call *c, uint32_t nb);
bool km_systrim(const struct km_heap_call *c, uint32_t pad);
void km_heap_trim(const struct km_heap_call *c, km_vaddr arena);
void km_munmap_chunk(const struct km_heap_call *c, km_vaddr p);
km_vaddr km_mremap_chunk(const struct km_heap_call *c, km_vaddr p, uint32_t nb);
km_vaddr km_new_heap(const struct km_heap_call *c, uint32_t size);

enum { FN_MALLOC, FN_FREE, FN_CALLOC, FN_REALLOC, FN_MEMALIGN, FN_INT_MALLOC, FN_INT_FREE, FN_UNLINK,
       FN_CONSOLIDATE, FN_SYSMALLOC, FN_SYSTRIM, FN_NR };

#endif
