/* SPDX-License-Identifier: MIT
 * user_mm.h - the address space of a user process: areas, brk, mmap, page faults, overcommit.
 *
 * Models:      Linux 6.1 on x86-32 with 3G/1G: layout of a new process (brk start, top-down mmap base
 *              with clamped stack gap, or bottom-up from TASK_SIZE/3 when the stack is unlimited),
 *              anonymous private areas kept sorted in guest memory and merged with neighbours,
 *              brk, mmap (fixed, noreserve), munmap, mprotect, mremap, a growing stack with its guard
 *              gap, RLIMIT_AS/DATA/STACK, overcommit modes 0, 1 and 2, demand-zero faults (read: the
 *              shared zero page, write: a zeroed movable highmem page), page tables of two levels or
 *              PAE whose pages come from the page allocator, batched release through mmu_gather.
 * Not modelled: files, shared mappings, swap, huge pages, fork; the maple tree (areas are a sorted list
 *              in guest memory with a last-hit cache); TLB shootdown of other CPUs: a process runs on
 *              one CPU at a time.
 * Invariants:  areas are disjoint, page aligned, ascending and linked both ways; only pages of writable
 *              areas other than the zero page are writable; mapped frames are not free; map_count, total_vm,
 *              data_vm and rss are what the areas and tables hold (km_user_mm_check). km_user_mm_exit()
 *              gives every page back.
 * Units:       bytes for addresses and lengths, pages where the name says so. Failed calls return
 *              -errno as the system calls do: km_user_failed() tells.
 * References:  kernel 6.1 mm/{mmap,memory,util,mmu_gather,mprotect,mremap}.c as behaviour,
 *              Documentation/mm/overcommit-accounting.rst, arch/x86/mm/mmap.c.
 */
#ifndef KM_OS_USER_MM_H
#define KM_OS_USER_MM_H

#include "models/os/map_hook.h"
#include "models/os/os.h"

#ifdef __cplusplus
extern "C" {
#endif

#define KM_TASK_SIZE 0xC0000000u
#define KM_STACK_GUARD_PAGES 256u
#define KM_RLIM_INFINITY UINT64_MAX
#define KM_MAX_MAP_COUNT 65530u

enum { KM_ENOENT = 2, KM_EAGAIN = 11, KM_ENOMEM = 12, KM_EFAULT = 14, KM_EEXIST = 17, KM_EINVAL = 22 };
enum { KM_PROT_NONE = 0, KM_PROT_READ = 1, KM_PROT_WRITE = 2, KM_PROT_EXEC = 4 };
enum {
    KM_MAP_FIXED = 1,
    KM_MAP_FIXED_NOREPLACE = 2,
    KM_MAP_NORESERVE = 4,
    KM_MAP_GROWSDOWN = 8,
    KM_MAP_POPULATE = 16,
};

static inline bool km_user_failed(km_vaddr result)
{
    return result >= 0xfffff000u;
}

static inline km_vaddr km_user_errno(unsigned errno_value)
{
    return 0u - errno_value;
}

/* What all processes share: the zero page and the commit account. */
struct km_user_sys {
    struct km_os *os;
    unsigned overcommit; /* vm.overcommit_memory: 0 guess, 1 always, 2 never */
    uint32_t overcommit_ratio;
    uint64_t overcommit_kbytes;
    uint64_t ram_pages, swap_pages;
    uint64_t admin_reserve_kbytes, user_reserve_kbytes;
    uint64_t committed_pages;
    km_pfn zero_pfn;
};

struct km_user_params {
    bool pae;
    bool randomize;          /* kernel.randomize_va_space; the seed decides */
    bool root;               /* CAP_SYS_ADMIN: may use the admin reserve */
    km_vaddr end_bss;        /* brk starts at the next page (plus its randomisation) */
    uint64_t rlimit_stack, rlimit_data, rlimit_as; /* bytes; KM_RLIM_INFINITY */
    uint64_t seed;
    km_pfn kernel_root;      /* directory whose kernel half is copied; KM_PFN_NONE: none (no timing) */
    struct km_map_hook hook; /* makes user pages visible in the window */
};

struct km_user_stats {
    uint64_t brk_calls, mmap_calls, munmap_calls, mprotect_calls, mremap_calls;
    uint64_t faults_zero_page; /* reads of untouched memory */
    uint64_t faults_alloc;     /* writes of untouched memory */
    uint64_t faults_cow;       /* writes of the zero page */
    uint64_t faults_stack;     /* that grew the stack */
    uint64_t faults_spurious;  /* protection already allowed it */
    uint64_t segv, oom;        /* faults that could not be served */
    uint64_t refused_overcommit, refused_limit, refused_room;
    uint64_t pages_allocated, pages_freed, table_pages_allocated, table_pages_freed;
    uint64_t gather_pages;     /* batch pages of mmu_gather */
    uint64_t peak_rss_pages, peak_vm_pages;
};

/* One address space. Everything that changes and the kernel would touch is in the guest page mm_va. */
struct km_user_mm {
    struct km_user_sys *sys;
    struct km_user_params p;
    km_pfn root;    /* page directory, or page with the four PDPTEs */
    km_vaddr mm_va; /* guest mm_struct; areas live behind it and in pool pages */
    km_vaddr mmap_base, stack_top, start_brk;
    bool bottom_up;
    bool killed; /* a fault found no memory (or no area): the process is gone */
    struct km_user_stats stats;
};

struct km_user_area { /* a copy for callers */
    km_vaddr start, end;
    unsigned prot;
    bool stack;
};

/* Takes the zero page; reserves from the free pages of now (3 %, at most 8 and 128 MiB). False: no memory. */
bool km_user_sys_init(struct km_user_sys *sys, struct km_os *os, struct km_cpu *cpu);
void km_user_sys_exit(struct km_user_sys *sys, struct km_cpu *cpu);
/* CommitLimit in pages (mode 2). */
uint64_t km_user_commit_limit(const struct km_user_sys *sys);

/* execve: page directory, stack area, layout. False: no memory (everything is given back). */
bool km_user_mm_init(struct km_user_mm *mm, struct km_user_sys *sys, struct km_cpu *cpu,
                     const struct km_user_params *p);
void km_user_mm_exit(struct km_user_mm *mm, struct km_cpu *cpu);
km_paddr km_user_mm_cr3(const struct km_user_mm *mm);

/* sys_brk: returns the new break, or the old one if it could not move. 0 asks. */
km_vaddr km_user_brk(struct km_user_mm *mm, struct km_cpu *cpu, km_vaddr addr);
/* The C library's sbrk: the old break, or -ENOMEM. */
km_vaddr km_user_sbrk(struct km_user_mm *mm, struct km_cpu *cpu, int32_t increment);
km_vaddr km_user_mmap(struct km_user_mm *mm, struct km_cpu *cpu, km_vaddr addr, uint64_t len,
                      unsigned prot, unsigned flags);
km_vaddr km_user_munmap(struct km_user_mm *mm, struct km_cpu *cpu, km_vaddr addr, uint64_t len);
km_vaddr km_user_mprotect(struct km_user_mm *mm, struct km_cpu *cpu, km_vaddr addr, uint64_t len,
                          unsigned prot);
/* mremap with MREMAP_MAYMOVE if may_move. */
km_vaddr km_user_mremap(struct km_user_mm *mm, struct km_cpu *cpu, km_vaddr addr, uint64_t old_len,
                        uint64_t new_len, bool may_move);
/* MADV_DONTNEED: pages go, areas stay. */
km_vaddr km_user_madvise_dontneed(struct km_user_mm *mm, struct km_cpu *cpu, km_vaddr addr,
                                  uint64_t len);

/* What the MMU and the fault handler do before [va, va + bytes) is used; false: the process is killed. */
bool km_user_access(struct km_user_mm *mm, struct km_cpu *cpu, km_vaddr va, uint32_t bytes, bool write);
/* Loads and stores of the program, with faults. After a failed fault they read 0 and write nothing. */
uint32_t km_user_ld32(struct km_user_mm *mm, struct km_cpu *cpu, km_vaddr va);
void km_user_st32(struct km_user_mm *mm, struct km_cpu *cpu, km_vaddr va, uint32_t v);
uint16_t km_user_ld16(struct km_user_mm *mm, struct km_cpu *cpu, km_vaddr va);
void km_user_st16(struct km_user_mm *mm, struct km_cpu *cpu, km_vaddr va, uint16_t v);
void km_user_memset(struct km_user_mm *mm, struct km_cpu *cpu, km_vaddr va, uint8_t v, uint32_t bytes);
void km_user_memcpy(struct km_user_mm *mm, struct km_cpu *cpu, km_vaddr to, km_vaddr from, uint32_t bytes);

/* Untimed. */
uint64_t km_user_vm_pages(const struct km_user_mm *mm, const uint8_t *window);
uint64_t km_user_rss_pages(const struct km_user_mm *mm, const uint8_t *window);
km_vaddr km_user_brk_now(const struct km_user_mm *mm, const uint8_t *window);
/* Frame at va or KM_PFN_NONE; *writable may be NULL. */
km_pfn km_user_frame(const struct km_user_mm *mm, const uint8_t *window, km_vaddr va, bool *writable);
/* The i-th area in ascending order. */
bool km_user_area(const struct km_user_mm *mm, const uint8_t *window, unsigned i,
                  struct km_user_area *out);
/* NULL, or what is wrong. */
const char *km_user_mm_check(const struct km_user_mm *mm, const uint8_t *window);

#ifdef __cplusplus
}
#endif
#endif
