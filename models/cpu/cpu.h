/* SPDX-License-Identifier: MIT
 * cpu.h - the CPU port: the only way guest software (models/os) touches guest memory.
 *
 * Models:      one simulated x86-32 CPU as seen by a program written in C: loads, stores, LOCKed
 *              read-modify-writes, straight-line instructions, spinlocks, interrupt masking.
 * Not modelled here: what a reference costs. That is the business of the port behind `ops`:
 *              null   (ops == NULL) functional only: no time, no counters; for fidelity and speed;
 *              record (record.c) appends every reference to a list; for unit tests;
 *              timed  (sim/top + models/{mmu,cache,bus,dram}) TLB, caches, coherence, bus, DRAM;
 *                     may block inside a callback (SC_THREAD wait), so other CPUs run meanwhile.
 * Functional:  guest memory appears in a 4 GiB-aligned 4 GiB host window; host address =
 *              window + guest virtual address. Values are read and written at the completion of the
 *              reference, i.e. after the callback returned.
 * Fast path:   `hot` is a small direct-mapped filter of virtual lines whose reference is certain to
 *              hit in the first-level TLB and in L1 with the permission the reference needs. Only
 *              the timed port fills it, and it drops an entry before any of those facts ends. A
 *              filtered hit leaves a stamp; before the port looks at the replacement state of a set
 *              it replays the pending stamps of that set in time order, so cycles and counts are
 *              the same with the filter off. `horizon` bounds the run-ahead: a reference may be
 *              filtered only while local_cycles is below it, i.e. while no other agent can have
 *              changed anything this CPU could notice. line_shift is log2 of the L1 data line.
 * Shared host state: programs that keep state outside guest memory (maps, streams) and share it
 *              between CPUs call km_sync() before touching it in the middle of a work item; between
 *              items the machine does it.
 * Invariants:  local_cycles never decreases; ops == NULL implies no counter changes.
 * Units:       bytes, core cycles.
 */
#ifndef KM_CPU_CPU_H
#define KM_CPU_CPU_H

#include "models/base/types.h"

#ifdef __cplusplus
extern "C" {
#endif

enum km_ref_kind {
    KM_REF_LOAD,
    KM_REF_STORE,
    KM_REF_RMW, /* LOCKed: one indivisible load and store */
    KM_REF_NR,
};

/* A code site: one function of the simulated kernel (its text range drives the I-side). */
struct km_site {
    const char *name;
    km_vaddr text_va;    /* first byte of its code                                   */
    uint32_t text_bytes; /* code bytes fetched in a ring as instructions are charged */
};

struct km_cpu;

enum km_cache_op { KM_CACHE_CLFLUSH, KM_CACHE_WBINVD, KM_CACHE_INVD };

enum km_control {
    KM_CTL_CR3,  /* root of the page tables: TLBs lose all but global entries   */
    KM_CTL_PGE,  /* CR4.PGE on or off: TLBs lose everything                     */
    KM_CTL_PAE,  /* CR4.PAE on or off: TLBs lose everything                     */
    KM_CTL_WP,   /* CR0.WP                                                      */
    KM_CTL_USER, /* CPL 3 or 0                                                  */
};

struct km_cpu_ops {
    const char *name;
    /* A data reference of `bytes` at va; may block. Up to KM_REF_BYTES within one line are one
     * reference; larger ranges (memset, copies) are one call with the total size, which the port
     * splits into words. */
    void (*ref)(struct km_cpu *cpu, km_vaddr va, uint32_t bytes, enum km_ref_kind kind);
    /* `insns` instructions of one site: fetches and ALU cycles; never blocks on data. */
    void (*exec)(struct km_cpu *cpu, const struct km_site *site, uint32_t insns);
    /* Busy-wait step of a spinlock: called with the lock still held elsewhere; must let time pass.
     */
    void (*relax)(struct km_cpu *cpu);
    /* Invalidate the translation of one page on this CPU. */
    void (*invlpg)(struct km_cpu *cpu, km_vaddr va);
    /* TLB shootdown on the CPUs of mask and this one: the pages of [start, end), everything if start
     * equals end; may be NULL. Blocks until the others have done it. */
    void (*shootdown)(struct km_cpu *cpu, uint32_t mask, km_vaddr start, km_vaddr end);
    /* CLFLUSH of the line at va, WBINVD or INVD (va unused); may be NULL. */
    void (*cache_op)(struct km_cpu *cpu, enum km_cache_op op, km_vaddr va);
    /* MOV to a control register; may be NULL. */
    void (*control)(struct km_cpu *cpu, enum km_control reg, uint64_t value);
    /* SFENCE, MFENCE: what waits in buffers leaves them; may be NULL. */
    void (*fence)(struct km_cpu *cpu);
    /* Let every other CPU catch up with this one's clock; may be NULL. */
    void (*sync)(struct km_cpu *cpu);
};

#define KM_REF_BYTES 8u /* largest single reference: CMPXCHG8B */
#define KM_HOT_LINES 256u

struct km_hot_line {
    uint32_t vline; /* va >> line_shift; UINT32_MAX = empty            */
    uint32_t kinds; /* bit mask of 1 << enum km_ref_kind that may pass */
    uint64_t stamp; /* local_cycles of the last filtered hit not yet replayed; 0 = none */
};

struct km_cpu {
    uint8_t *window; /* host address of guest virtual address 0 */
    const struct km_cpu_ops *ops;
    void *ctx;           /* of the port               */
    unsigned id;         /* 0 .. machine.cpus - 1     */
    unsigned line_shift; /* L1 data line, log2 bytes  */
    uint32_t hit_cycles[KM_REF_NR];
    uint32_t cas_cycles; /* of a compare-and-swap beyond hit_cycles[KM_REF_RMW] */
    /* Page fault with its error code (Intel SDM vol. 3A 4.7), at CPL 0: true asks for the reference
     * to be tried again. NULL: a fault ends the run with a message. */
    bool (*fault)(void *fault_ctx, struct km_cpu *cpu, km_vaddr va, uint32_t error);
    void *fault_ctx;
    bool user;             /* references are made at CPL 3 */
    uint64_t local_cycles; /* run-ahead clock of this CPU */
    uint64_t horizon;      /* first cycle another agent may affect; bounds the fast path */
    uint64_t hot_hits[KM_REF_NR];
    uint64_t insns; /* instructions charged by km_exec (ops != NULL) */
    struct km_hot_line hot[KM_HOT_LINES];
};

static inline void km_ref(struct km_cpu *cpu, km_vaddr va, uint32_t bytes, enum km_ref_kind kind)
{
    if (KM_LIKELY(!cpu->ops))
        return;
    uint32_t vline = va >> cpu->line_shift;
    struct km_hot_line *hot = &cpu->hot[vline % KM_HOT_LINES];

    if (hot->vline == vline && (hot->kinds >> kind & 1u) && cpu->local_cycles < cpu->horizon &&
        bytes <= KM_REF_BYTES && ((va + bytes - 1) >> cpu->line_shift) == vline) {
        hot->stamp = cpu->local_cycles;
        cpu->local_cycles += cpu->hit_cycles[kind];
        cpu->hot_hits[kind]++;
        return;
    }
    cpu->ops->ref(cpu, va, bytes, kind);
}

static inline uint32_t km_ld32(struct km_cpu *cpu, km_vaddr va)
{
    km_ref(cpu, va, 4, KM_REF_LOAD);
    return *(const uint32_t *)(cpu->window + va);
}

static inline void km_st32(struct km_cpu *cpu, km_vaddr va, uint32_t v)
{
    km_ref(cpu, va, 4, KM_REF_STORE);
    *(uint32_t *)(cpu->window + va) = v;
}

static inline uint8_t km_ld8(struct km_cpu *cpu, km_vaddr va)
{
    km_ref(cpu, va, 1, KM_REF_LOAD);
    return cpu->window[va];
}

static inline void km_st8(struct km_cpu *cpu, km_vaddr va, uint8_t v)
{
    km_ref(cpu, va, 1, KM_REF_STORE);
    cpu->window[va] = v;
}

static inline uint16_t km_ld16(struct km_cpu *cpu, km_vaddr va)
{
    km_ref(cpu, va, 2, KM_REF_LOAD);
    return *(const uint16_t *)(cpu->window + va);
}

static inline void km_st16(struct km_cpu *cpu, km_vaddr va, uint16_t v)
{
    km_ref(cpu, va, 2, KM_REF_STORE);
    *(uint16_t *)(cpu->window + va) = v;
}

enum km_rmw_op { KM_RMW_ADD, KM_RMW_AND, KM_RMW_OR, KM_RMW_XCHG, KM_RMW_CAS };

/* LOCKed read-modify-write; returns the old value. CAS: stores b if the old value is a. */
static inline uint32_t km_rmw32(struct km_cpu *cpu, km_vaddr va, enum km_rmw_op op, uint32_t a,
                                uint32_t b)
{
    if (op == KM_RMW_CAS)
        cpu->local_cycles += cpu->cas_cycles;
    km_ref(cpu, va, 4, KM_REF_RMW);
    uint32_t *p = (uint32_t *)(cpu->window + va);
    uint32_t old = *p;

    switch (op) {
    case KM_RMW_ADD:
        *p = old + a;
        break;
    case KM_RMW_AND:
        *p = old & a;
        break;
    case KM_RMW_OR:
        *p = old | a;
        break;
    case KM_RMW_XCHG:
        *p = a;
        break;
    case KM_RMW_CAS:
        if (old == a)
            *p = b;
        break;
    }
    return old;
}

/* References of a range without moving data (page zeroing, copies whose contents do not matter). */
static inline void km_touch(struct km_cpu *cpu, km_vaddr va, uint32_t bytes, enum km_ref_kind kind)
{
    if (cpu->ops)
        cpu->ops->ref(cpu, va, bytes, kind);
}

/* Straight-line instructions of one code site. */
static inline void km_exec(struct km_cpu *cpu, const struct km_site *site, uint32_t insns)
{
    if (cpu->ops) {
        cpu->insns += insns;
        cpu->ops->exec(cpu, site, insns);
    }
}

/* Before touching host state shared between CPUs in the middle of a work item: waits until no other
 * CPU lags behind this one's clock. Costs a few simulated cycles with the timed port, nothing
 * otherwise. */
static inline void km_sync(struct km_cpu *cpu)
{
    if (cpu->ops && cpu->ops->sync)
        cpu->ops->sync(cpu);
}

/* Invalidate the cached translation of the page at va on this CPU (INVLPG). */
static inline void km_invlpg(struct km_cpu *cpu, km_vaddr va)
{
    if (cpu->ops && cpu->ops->invlpg)
        cpu->ops->invlpg(cpu, va);
}

#define KM_CPUS_ALL UINT32_MAX

/* Makes the CPUs of mask forget the translations of [start, end) (all, if start == end), by
 * interprocessor interrupt. Ports without other CPUs invalidate page by page. */
static inline void km_tlb_shootdown(struct km_cpu *cpu, uint32_t mask, km_vaddr start, km_vaddr end)
{
    if (!cpu->ops)
        return;
    if (cpu->ops->shootdown) {
        cpu->ops->shootdown(cpu, mask, start, end);
        return;
    }
    for (uint64_t va = start; cpu->ops->invlpg && va < end; va += 4096)
        cpu->ops->invlpg(cpu, (km_vaddr)va);
}

/* MOV to CR3, and the bits of CR0, CR4 and CPL that matter to references. */
static inline void km_control(struct km_cpu *cpu, enum km_control reg, uint64_t value)
{
    if (cpu->ops && cpu->ops->control)
        cpu->ops->control(cpu, reg, value);
}

static inline void km_fence(struct km_cpu *cpu)
{
    if (cpu->ops && cpu->ops->fence)
        cpu->ops->fence(cpu);
}

/* CLFLUSH: the line at va leaves the caches of all CPUs, dirty contents go to memory. */
static inline void km_clflush(struct km_cpu *cpu, km_vaddr va)
{
    if (cpu->ops && cpu->ops->cache_op)
        cpu->ops->cache_op(cpu, KM_CACHE_CLFLUSH, va);
}

/* WBINVD: this CPU writes all dirty lines back and empties its caches. INVD empties them without:
 * the loss is counted, guest memory keeps its values. */
static inline void km_wbinvd(struct km_cpu *cpu)
{
    if (cpu->ops && cpu->ops->cache_op)
        cpu->ops->cache_op(cpu, KM_CACHE_WBINVD, 0);
}

static inline void km_invd(struct km_cpu *cpu)
{
    if (cpu->ops && cpu->ops->cache_op)
        cpu->ops->cache_op(cpu, KM_CACHE_INVD, 0);
}

/* Test-and-set spinlock in one guest word: 0 free, 1 + cpu id of the holder otherwise. */
void km_lock(struct km_cpu *cpu, km_vaddr lock_va);
bool km_trylock(struct km_cpu *cpu, km_vaddr lock_va);
void km_unlock(struct km_cpu *cpu, km_vaddr lock_va);

/* Untimed views for checks, statistics and reports: never from allocator code. */
static inline uint32_t km_peek32(const uint8_t *window, km_vaddr va)
{
    return *(const uint32_t *)(window + va);
}

/* Null port of CPU `id` over a window. */
void km_cpu_init_null(struct km_cpu *cpu, unsigned id, uint8_t *window);

#ifdef __cplusplus
}
#endif
#endif
