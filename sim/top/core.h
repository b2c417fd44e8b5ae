/* SPDX-License-Identifier: MIT
 * core.h - the machine without an engine: CPUs, private caches, bus and DRAM wired together, and
 * the rules that decide which CPU may act next.
 *
 * An engine (machine.cpp: SystemC; stepper.c: plain C coroutines) gives every CPU a thread of
 * control and lets it sleep until a key is the smallest one. Everything else happens here, in C,
 * through the models.
 *
 * Time. One clock, the core clock. A CPU's local_cycles runs ahead of the engine's time. What other
 * agents can notice of a CPU are its bus transactions; what it can notice of others are their
 * snoops. So:
 *   key      (cycle, phase): when an agent acts next. Phases order agents within a cycle: first
 *            snoops, then devices, references, then the start of work items; within a phase by CPU
 *   id. snoop    a reference that started at t and needs the bus is snooped at S >= t + min_snoop,
 *            min_snoop being the lookup time of the private caches plus arbitration and snoop
 *            phases of an idle bus.
 *   horizon  of a CPU: the smallest snoop any other agent may still cause. A CPU handles a
 *            reference at its local time t only while t < horizon, so nothing it looks at can be
 *            outdated: run-ahead is exact.
 *   quantum  additionally caps t - engine time. It adds waits and changes nothing else.
 * Devices (device.h) are agents without a thread: their keys are known in advance like those of
 * CPUs. Work items start min_snoop cycles after the previous one ended on the same CPU (the
 * dispatch cost), so their start, too, is known to the others in advance and shared host state is
 * touched in time order.
 */
#ifndef KM_TOP_CORE_H
#define KM_TOP_CORE_H

#include "models/bus/bus.h"
#include "models/bus/clock.h"
#include "models/cache/hier.h"
#include "models/cache/prefetch.h"
#include "models/cpu/cpu.h"
#include "models/dram/memory.h"
#include "models/mmu/memtype.h"
#include "models/mmu/pde_cache.h"
#include "models/mmu/tlb.h"
#include "models/mmu/walk.h"
#include "sim/base/dram_probe.h"
#include "sim/config/config.h"
#include "sim/top/coh_check.h"
#include "sim/top/device.h"
#include "sim/top/machine.h"
#include "sim/top/sharing.h"

#ifdef __cplusplus
extern "C" {
#endif

enum {
    KM_PHASE_SNOOP = 0,
    KM_PHASE_DEVICE = 8, /* before the references: who waits for a device must not go first */
    KM_PHASE_REF = 16,
    KM_PHASE_ITEM = 24,
    KM_PHASE_KICK = 32,
    KM_PHASES = 48
};

#define KM_RELAX_CYCLES 16u       /* one busy-wait step (PAUSE) */
#define KM_RELAX_LIMIT (1u << 22) /* busy-wait steps in a row before the watchdog speaks */
#define KM_WRITE_BACKS 4u         /* write-back buffers of a CPU (P6: 4) */
#define KM_INVLPG_CYCLES 25u      /* Pentium Instruction Set Reference: 25 clocks */
#define KM_IHOT_LINES 256u
#define KM_SITE_SLOTS 256u
#define KM_FLUSH_PAGES 33u /* more are flushed as a whole (Linux tlb_single_page_flush_ceiling) */
#define KM_FILL_BUFFERS 32u
#define KM_STORE_BUFFER 64u
#define KM_WC_BUFFERS 16u
#define KM_FAULT_RETRIES 4u /* of one reference, before the run fails */
#define KM_INSN_BYTES 4u    /* average x86-32 instruction length */

/* What may happen at an agent's key. */
enum km_agent_effect {
    KM_EFFECT_REF,  /* a reference: may cause a snoop min_snoop later */
    KM_EFFECT_NOW,  /* a snoop at this very cycle */
    KM_EFFECT_ITEM, /* a work item starts: no earlier reference may be missing */
};

struct km_agent {
    uint64_t cycle; /* KM_NEVER: not going to act */
    uint32_t phase;
    enum km_agent_effect effect;
};

struct km_hot_info {
    struct km_tlb_entry *tlb;
    uint32_t l1_idx;
    int16_t next, prev; /* slots that rely on the same TLB entry; -1 ends */
};

struct km_ihot {
    uint32_t vline;
    uint32_t l1_idx;
    struct km_tlb_entry *tlb;
};

struct km_site_pos {
    km_vaddr text_va;
    uint32_t offset;
};

/* A write-combining buffer. */
struct km_wc_line {
    uint64_t line;
    uint64_t written[KM_SHARING_MASK_WORDS]; /* one bit per byte */
};

/* A shootdown request of another CPU; start == end: everything. */
struct km_ipi {
    bool pending;
    uint64_t at; /* arrival */
    km_vaddr start, end;
};

/* A line on its way and a store that waits for one; done: the core cycle it is over. */
struct km_fill {
    uint64_t line, done;
};

struct km_store {
    km_paddr pa;
    uint32_t bytes;
    uint64_t done;
};

struct km_core;

struct km_node {
    struct km_cpu cpu; /* the port; first member */
    struct km_core *core;
    unsigned id;
    struct km_hier hier;
    struct km_tlb dtlb, itlb, stlb;
    struct km_tlb *fetch_tlb; /* itlb, or dtlb if unified */
    struct km_walk_mode mode; /* control registers; cr3 0: paging off, pa = va - page_offset */
    uint64_t pdpte[4];        /* PAE: loaded when CR3 is written */
    struct km_pde_cache pde_cache;
    uint32_t fault_error;
    bool pge; /* CR4.PGE: global pages survive MOV CR3 */
    struct km_wc_line wc[KM_WC_BUFFERS];
    unsigned nr_wc;
    struct km_uncached_stats uncached;
    struct km_ipi ipi_from[KM_MAX_CPUS]; /* [sender] */
    uint64_t ack_at[KM_MAX_CPUS];        /* [target] when it has done what this CPU asked for */
    uint64_t ipi_next;                   /* earliest arrival; KM_NEVER */
    uint64_t horizon;                    /* cpu.horizon without ipi_next */
    uint64_t busy_until;                 /* answering while it had no work */
    bool in_item, stale_tlb;             /* runs a work item; flush before the next one */
    struct km_shootdown_stats shootdown;
    struct km_fill fill[KM_FILL_BUFFERS];
    struct km_store store[KM_STORE_BUFFER]; /* oldest first */
    unsigned nr_fills, nr_stores;
    struct km_buffer_stats buffers;
    struct km_prefetch prefetch;
    struct km_hot_info hot_info[KM_HOT_LINES];
    struct km_ihot ihot[KM_IHOT_LINES];
    int16_t *l1d_hot, *l1i_hot;     /* [L1 index] slot in hot/ihot, or -1 */
    struct km_tlb_entry *tlb_entry; /* all entries of dtlb, itlb, stlb in one array */
    int16_t *tlb_hot;               /* [TLB entry] first hot slot that relies on it, or -1 */
    uint16_t *tlb_ihot;             /* [TLB entry] number of ihot slots that rely on it */
    uint8_t *l1d_tracked;           /* [L1D index] line is in the sharing table */
    struct km_site_pos site[KM_SITE_SLOTS];
    km_vaddr last_fetch;     /* line fetched last */
    uint32_t exec_remainder; /* of insns * 100 / issue */
    bool idle;               /* waits for work */
    bool waiting;            /* for an item's time; an interrupt may come first */
    bool look_out;           /* an item was taken: see who owns the next one */
    uint32_t relaxes_in_row;
    uint64_t wb_line[KM_WRITE_BACKS + KM_HIER_MAX_WB]; /* dirty victims on their way to the bus */
    unsigned nr_wb;
    uint64_t slow_refs, ihot_hits, walk_refs, relaxes, items;
    uint64_t dropped_dirty; /* lines INVD threw away */
    void *mem;              /* all arrays above */
};

/* What an engine does for the core. */
struct km_engine_hooks {
    /* Returns when core->agent[cpu] is the smallest key. */
    void (*yield)(void *ctx, unsigned cpu);
    /* agent[agent] of an idle CPU or a device got a key. */
    void (*kick)(void *ctx, unsigned agent);
    /* The run has failed; never returns (the thread is abandoned). */
    void (*halt)(void *ctx, unsigned cpu);
};

struct km_core {
    unsigned nr_cpus;
    struct km_node *node; /* [nr_cpus] */
    unsigned nr_agents;   /* CPUs, then devices */
    struct km_agent agent[KM_MAX_CPUS + KM_MAX_DEVICES];
    struct km_core_device device[KM_MAX_DEVICES];
    const struct km_window *window;
    const struct km_program *program;
    const struct km_engine_hooks *hooks;
    void *engine;
    uint64_t synced; /* cycle of the last km_sync: the time of a poke after it */
    uint64_t now; /* cycle of the key being handled */
    uint64_t quantum, min_snoop, lookup_cycles;
    bool pae, hot_enabled, ended, failed;
    struct km_err err;

    uint64_t clock_hz;
    uint32_t issue_x100, line_bytes, line_shift;
    uint32_t level_cycles[4]; /* [level] load-to-use */
    uint32_t dtlb_miss_cycles, itlb_miss_cycles, stlb_miss_cycles;
    struct km_clock_ratio core_to_bus, bus_to_core, bus_to_dram, dram_to_bus, ns_to_core,
        core_to_ns, core_to_ps, ps_to_core;
    uint32_t hitm_clocks;
    uint32_t upgrade_clocks;
    uint64_t frontend_dram_clocks; /* chipset path, in DRAM clocks, rounded up */
    struct km_bus bus;
    struct km_dram_memory dram;
    struct km_dram_config dram_cfg;
    const struct km_probe *probe; /* NULL: nobody looks */
    struct km_dram_probe dram_probe[KM_DRAM_MAX_CHANNELS];
    struct {
        unsigned owner, request, address, snoop, data;
        uint64_t hitm_seen;
    } wave;
    struct km_cache shared; /* memory-side cache behind the bus; sets == 0: none */
    void *shared_mem;
    bool shared_is_l3;
    uint32_t shared_latency;
    const struct km_coh_protocol *coh;
    bool bus_locks; /* LOCK# instead of owning the line */
    uint32_t clflush_cycles, wbinvd_cycles, cr3_cycles, fault_cycles, fence_cycles;
    uint32_t wc_buffers, store_entries, fill_buffers;
    uint32_t ipi_send_cycles, ipi_latency_cycles, ipi_handler_cycles;
    bool lazy_tlb;
    struct km_memtypes memtypes;
    struct km_coh_check *judge; /* NULL: not checked */
    struct km_sharing sharing;
    uint64_t page_faults;
};

/* core.c */
int km_core_create(struct km_core **out, const struct km_config *cfg,
                   const struct km_window *window, struct km_err *err);
void km_core_destroy(struct km_core *core);
void km_core_set_cr3(struct km_core *core, km_paddr cr3);

/* waves.c: before the run; then every bus transaction as it is placed. */
void km_core_set_probe(struct km_core *core, const struct km_probe *probe);
void km_core_show_transaction(struct km_node *n, uint64_t line, enum km_bus_need need,
                              uint64_t begin, uint32_t owners, uint64_t done);
void km_core_stats(struct km_core *core, struct km_hw_stats *out);

/* sched.c */
void km_core_start(struct km_core *core, const struct km_program *program);
/* Body of a CPU's thread; returns when the program has ended. */
void km_core_cpu_main(struct km_core *core, unsigned cpu);
/* After the engine ran out of keys: how it went. */
int km_core_finish(struct km_core *core, struct km_err *err);
/* Waits until (cycle, phase) is the smallest key and makes it `now`; effect tells the others what
 * to expect. */
void km_core_advance(struct km_node *n, uint64_t cycle, uint32_t phase,
                     enum km_agent_effect effect);
/* Makes local_cycles < horizon true. */
void km_core_wait_turn(struct km_node *n);
static inline void km_core_catch_up(struct km_node *n)
{
    if (n->look_out || n->cpu.local_cycles >= n->horizon)
        km_core_wait_turn(n);
}
/* Ends the run with an error from inside a CPU's thread; does not return. */
__attribute__((noreturn, format(printf, 3, 4))) void km_core_fail(struct km_node *n, int code,
                                                                  const char *fmt, ...);
static inline bool km_key_before(const struct km_agent *a, uint64_t cycle, uint32_t phase)
{
    return a->cycle < cycle || (a->cycle == cycle && a->phase < phase);
}

/* A device has handed an interrupt to the program: let the CPU that has to take it know. */
void km_core_interrupted(struct km_core *core, uint64_t cycle);

/* memsys.c */
/* A device's access to memory whose address phase begins at the bus clock `begin`, which is now;
 * returns the clock at which memory or the owner has answered. */
uint64_t km_core_dma(struct km_core *core, km_paddr pa, uint32_t bytes, bool write, bool snooped,
                     uint64_t begin, struct km_dma_stats_hw *n);
/* A reference to the line of pa at n's local time, which advances to its completion. Returns the L1
 * index that now holds the line or KM_CACHE_NONE. */
uint32_t km_core_line(struct km_node *n, km_paddr pa, uint32_t bytes, enum km_access kind,
                      enum km_ref_kind ref);

/* A reference that goes past the caches: UC, or WC loads. */
void km_core_uncached(struct km_node *n, km_paddr pa, uint32_t bytes, enum km_ref_kind ref);
/* A store to write-through (keep: copies of this CPU stay) or write-protected memory. */
void km_core_store_past(struct km_node *n, km_paddr pa, uint32_t bytes, bool keep);
/* A store to write-combining memory. */
void km_core_store_combined(struct km_node *n, km_paddr pa, uint32_t bytes);
/* Empties the write-combining buffers, oldest first. */
void km_core_drain_wc(struct km_node *n);
/* CLFLUSH: the line leaves every cache, dirty contents go to memory. */
void km_core_flush_line(struct km_node *n, km_paddr pa);
/* WBINVD, or INVD without write_back, on this CPU's caches. */
void km_core_drop_caches(struct km_node *n, bool write_back);
/* struct km_hier's l1_loss hook: an inclusive level takes a first-level line back. */
void km_core_l1_loss(void *ctx, bool code, uint32_t idx);
/* Fails the run if the copies of the line break a rule of coherence (coh_check.h). */
void km_core_judge_line(struct km_node *n, uint64_t line);

/* buffers.c */
/* When a line under way is there; 0 if it is not under way. */
uint64_t km_core_fill_done(const struct km_node *n, uint64_t line);
bool km_core_fill_room(struct km_node *n);
/* Takes a fill buffer (or store buffer entry) until `done`; waits if there is none. */
void km_core_add_fill(struct km_node *n, uint64_t line, uint64_t done);
void km_core_add_store(struct km_node *n, km_paddr pa, uint32_t bytes, uint64_t done);
void km_core_drain_stores(struct km_node *n);
/* Does a buffered store supply all bytes of a load? */
bool km_core_forward(struct km_node *n, km_paddr pa, uint32_t bytes);
/* A reference to a line under way waits for it. */
void km_core_wait_fill(struct km_node *n, uint64_t line);

/* shootdown.c */
void km_core_shootdown(struct km_node *n, uint32_t mask, km_vaddr start, km_vaddr end);
/* Takes the requests that have arrived at n's local time; at the start of a reference. */
void km_core_answer_ipis(struct km_node *n);
static inline void km_core_take_ipis(struct km_node *n)
{
    if (n->ipi_next <= n->cpu.local_cycles)
        km_core_answer_ipis(n);
}
/* The work item is over: answers what is still on its way. */
void km_core_finish_ipis(struct km_node *n);
/* A work item begins: pays for what was answered without work. */
void km_core_settle_ipis(struct km_node *n);

/* port.c */
void km_core_drop_page(struct km_node *n, km_vaddr va);
/* All TLB entries, or all but the global ones, and the PDE cache. */
void km_core_flush_tlbs(struct km_node *n, bool keep_global);
extern const struct km_cpu_ops km_timed_ops;
/* Replays pending filtered hits of one L1D set, oldest first. */
void km_core_fold_set(struct km_node *n, uint32_t set);
/* Forgets the filter entry of an L1D or L1I line. Pending hits of its set must have been replayed.
 */
void km_core_unhot(struct km_node *n, uint32_t l1d_idx);
void km_core_unhot_locks(struct km_node *n); /* LOCKed references have to wait from now on */
void km_core_unhot_fetch(struct km_node *n, uint32_t l1i_idx);

#ifdef __cplusplus
}
#endif
#endif
