/* SPDX-License-Identifier: MIT
 * user_malloc.h - the C library's heap inside a simulated process: glibc 2.36 on i386.
 *
 * Models:      chunks with a 4-byte size field (and the neighbour's last word as prev_size), payloads
 *              aligned to 16; per-thread caches (64 bins of 7), fast bins up to 64-byte chunks with
 *              mangled links, unsorted, small and sorted large bins with the bin map, top chunk,
 *              consolidation, brk growth with top pad, trimming, mapped chunks with the sliding threshold,
 *              mremap, arenas on 1 MiB heaps (at most 2 per CPU), mallopt; the library's own checks.
 *              All metadata lies in the process's pages and is reached through the CPU port.
 * Not modelled: threads waiting for an arena's mutex (calls do not overlap), giving back a whole heap of
 *              an extra arena before exit, tunables beyond mallopt, perturbation and malloc hooks.
 * Misuse:      what glibc aborts on is reported with glibc's words through a callback and the call is
 *              refused; the heap stays usable. A pointer to unmapped memory is reported, not a crash.
 * Invariants:  km_user_heap_check().
 * References:  kernel-facing behaviour: brk(2), mmap(2), mallopt(3), malloc(3), mtrace(3); W. Gloger,
 *              D. Lea, "A Memory Allocator" (boundary tags, bins, top, trimming).
 */
#ifndef KM_OS_USER_MALLOC_H
#define KM_OS_USER_MALLOC_H

#include "models/os/user_mm.h"

#ifdef __cplusplus
extern "C" {
#endif

#define KM_USER_THREADS 64u
#define KM_TCACHE_BINS 64u
#define KM_TCACHE_FILL 7u

enum km_mallopt { /* values of <malloc.h> */
    KM_M_MXFAST = 1,
    KM_M_TRIM_THRESHOLD = -1,
    KM_M_TOP_PAD = -2,
    KM_M_MMAP_THRESHOLD = -3,
    KM_M_MMAP_MAX = -4,
    KM_M_ARENA_MAX = -8,
};

enum km_misuse_kind {
    KM_MISUSE_DOUBLE_FREE,
    KM_MISUSE_INVALID_POINTER,
    KM_MISUSE_INVALID_SIZE,
    KM_MISUSE_CORRUPTION,
    KM_MISUSE_NR,
};

struct km_misuse {
    enum km_misuse_kind kind;
    unsigned thread;
    km_vaddr ptr;        /* what the caller passed, or the damaged chunk's payload */
    const char *message; /* glibc's words */
};

struct km_user_heap_params {
    unsigned cores; /* arenas: at most 2 per core */
    void (*misuse)(void *ctx, const struct km_misuse *m); /* may be NULL */
    void *ctx;
};

struct km_user_heap_stats {
    uint64_t mallocs, callocs, reallocs, aligned, frees;
    uint64_t failed; /* returned NULL */
    uint64_t from_tcache, from_fast, from_small, from_unsorted, from_bins, from_top, from_mmap;
    uint64_t to_tcache, to_fast, to_unsorted, to_top;
    uint64_t realloc_in_place, realloc_moved, realloc_mremap;
    uint64_t consolidations, brk_grown, brk_trimmed, mmapped, munmapped, arenas;
    uint64_t misuse[KM_MISUSE_NR];
};

struct km_user_thread {
    km_vaddr arena, tcache; /* 0: none yet */
    bool exited;
};

/* Parameters of the library (its malloc_par) and where its state lies. */
struct km_user_heap {
    struct km_user_mm *mm;
    struct km_user_heap_params p;
    km_vaddr text_va, main_arena, stack_va;
    uint32_t max_fast, trim_threshold, top_pad, mmap_threshold, mmaps_max, arena_max;
    bool no_dyn_threshold;
    uint32_t nr_mmaps, max_nr_mmaps;
    uint64_t mmapped_bytes, max_mmapped_bytes;
    uint32_t nr_arenas;
    km_vaddr sbrk_base, aligned_heap_area, next_to_use;
    uint32_t tcache_key;
    struct km_user_thread thread[KM_USER_THREADS];
    struct km_user_heap_stats stats;
};

/* mallinfo2 of all arenas, and what it does not tell. */
struct km_user_heap_info {
    uint64_t arena, ordblks, smblks, hblks, hblkhd, fsmblks, uordblks, fordblks, keepcost;
    uint64_t tcache_chunks, tcache_bytes; /* part of uordblks */
    uint64_t largest_free;                /* without the top chunk */
};

/* Maps the library's text and data into the process; thread 0 is the main thread. False: no memory. */
bool km_user_heap_init(struct km_user_heap *h, struct km_user_mm *mm, struct km_cpu *cpu,
                       const struct km_user_heap_params *p);

/* Payload addresses; 0 is a failed allocation. */
km_vaddr km_user_malloc(struct km_user_heap *h, struct km_cpu *cpu, unsigned thread, uint32_t bytes);
km_vaddr km_user_calloc(struct km_user_heap *h, struct km_cpu *cpu, unsigned thread, uint32_t n,
                        uint32_t size);
km_vaddr km_user_realloc(struct km_user_heap *h, struct km_cpu *cpu, unsigned thread, km_vaddr mem,
                         uint32_t bytes);
void km_user_free(struct km_user_heap *h, struct km_cpu *cpu, unsigned thread, km_vaddr mem);
km_vaddr km_user_memalign(struct km_user_heap *h, struct km_cpu *cpu, unsigned thread,
                          uint32_t alignment, uint32_t bytes);
/* 0, KM_EINVAL or KM_ENOMEM. */
unsigned km_user_posix_memalign(struct km_user_heap *h, struct km_cpu *cpu, unsigned thread,
                                km_vaddr *out, uint32_t alignment, uint32_t bytes);
/* As mallopt(3): false if the value is refused. */
bool km_user_mallopt(struct km_user_heap *h, struct km_cpu *cpu, int param, uint32_t value);
bool km_user_malloc_trim(struct km_user_heap *h, struct km_cpu *cpu, uint32_t pad);
/* The thread's cache goes back to its arena. */
void km_user_thread_exit(struct km_user_heap *h, struct km_cpu *cpu, unsigned thread);

/* Untimed. */
uint32_t km_user_usable_size(const struct km_user_heap *h, const uint8_t *window, km_vaddr mem);
bool km_user_is_mmapped(const struct km_user_heap *h, const uint8_t *window, km_vaddr mem);
void km_user_heap_info(const struct km_user_heap *h, const uint8_t *window, struct km_user_heap_info *out);
/* NULL, or what is wrong. Not meaningful after misuse the library cannot notice. */
const char *km_user_heap_check(const struct km_user_heap *h, const uint8_t *window);

#ifdef __cplusplus
}
#endif
#endif
