/* SPDX-License-Identifier: MIT
 * percpu.h - memory of which every CPU has a copy at the same offset (alloc_percpu).
 *
 * Models:      chunks of one unit per CPU, handed out in steps of 4 bytes. The first chunk is the
 *              static variables' lowmem block, of which only the dynamic part is managed; further
 *              chunks take the highest vmalloc range and get pages on demand, one per CPU and page.
 *              Chunks stand in lists by their largest free run; a request looks from the list of
 *              its size upwards and takes the first fit within the chunk. Requests in atomic
 *              context use populated pages only. A worker keeps 2 to 4 populated pages without
 *              objects and gives free chunks but one back.
 *
 *              unit of CPU 0               unit of CPU 1
 *              |####|..|##|....|####|...   |####|..|##|....|####|...    same map for all units
 *              ^base    ^off               ^base + unit
 *
 * Not modelled: reserved region (x86-32 has none), giving back pages of sparse chunks, NUMA groups.
 * Search:      the kernel skips regions by hints (largest, leading and trailing free run of each
 *              page-sized block of the map). The hints here are those runs, computed afresh for the
 *              blocks an operation touched; its second-largest run only saves time and is left out.
 * Invariants:  a chunk is in the list of its largest run; block hints describe the map; objects lie
 *              in populated pages; counts of free bytes and empty pages are right
 *              (km_percpu_check).
 * Units:       offsets and sizes in bytes; maps in bits of 4 bytes.
 * References:  Linux 6.1 behaviour notes F7.
 */
#ifndef KM_OS_PERCPU_H
#define KM_OS_PERCPU_H

#include "models/os/vmalloc.h"

#define KM_PERCPU_SLOTS 24u
#define KM_PERCPU_MAX_PAGES 64u    /* of a unit */
#define KM_PERCPU_MAX_BYTES 32768u /* largest object */
#define KM_PERCPU_EMPTY_LOW 2u
#define KM_PERCPU_EMPTY_HIGH 4u

struct km_percpu_stats {
    uint64_t allocs, frees, failed, bad_frees;
    uint64_t chunks_created, chunks_destroyed;
    uint64_t pages_populated, pages_released; /* page frames, all CPUs */
    uint64_t chunks_searched, chunks_without_fit;
    uint64_t work_runs;
    uint32_t live_bytes, peak_bytes; /* of one unit */
};

struct km_percpu_params {
    struct km_vmalloc *v; /* with page tables */
    km_vaddr first_base;  /* unit 0 of the first chunk: lowmem, page aligned, cpus x unit_bytes */
    uint32_t unit_bytes;  /* page multiple */
    uint32_t static_bytes, dynamic_bytes;
    bool memcg; /* a vector of owners per chunk */
};

struct km_percpu {
    struct km_os *os;
    struct km_percpu_params p;
    km_vaddr list_va[KM_PERCPU_SLOTS]; /* list heads; 0: nothing left to give */
    unsigned free_slot;                /* chunks without objects */
    km_vaddr first_chunk, empty_pages_va, lock_va;
    bool work_wanted;
    struct km_percpu_stats stats;
};

struct km_percpu_area {
    km_vaddr base; /* of the chunk's region on CPU 0; 0: the request failed */
    uint32_t off;
};

bool km_percpu_init(struct km_percpu *p, struct km_os *os, struct km_cpu *cpu,
                    const struct km_percpu_params *params);
/* Zeroed memory for every CPU. atomic: no pages are added, no chunk made. */
struct km_percpu_area km_percpu_alloc(struct km_percpu *p, struct km_cpu *cpu, uint32_t bytes,
                                      uint32_t align, bool atomic);
/* ptr: address of CPU 0's copy. False: no object begins there. */
bool km_percpu_free(struct km_percpu *p, struct km_cpu *cpu, km_vaddr ptr);
/* Address of another CPU's copy. */
static inline km_vaddr km_percpu_ptr(const struct km_percpu *p, km_vaddr ptr, unsigned cpu)
{
    return ptr + cpu * p->p.unit_bytes;
}
/* The balance worker; true if it had anything to do. */
bool km_percpu_work(struct km_percpu *p, struct km_cpu *cpu);
/* Marks [ptr, ptr + bytes) of a chunk as one object that exists when the simulation begins. */
bool km_percpu_adopt(struct km_percpu *p, struct km_cpu *cpu, km_vaddr ptr, uint32_t bytes);
/* Untimed; first broken invariant in words, NULL if none. */
const char *km_percpu_check(const struct km_percpu *p, const uint8_t *window);

#endif
