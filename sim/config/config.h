/* SPDX-License-Identifier: MIT
 * config.h - every option of a run, as one plain struct.
 *
 * fields.c holds the table (key, type, offset, range, unit, default, help) that parses into it, checks it,
 * documents it (`kmemsim config reference`) and writes it back (config.resolved.yaml).
 * Units stand in the names; 0 means "take it from the trace bundle or compute it" where the help says auto.
 */
#ifndef KM_CONFIG_CONFIG_H
#define KM_CONFIG_CONFIG_H

#include <stdio.h>

#include "models/base/types.h"
#include "sim/base/err.h"

#ifdef __cplusplus
extern "C" {
#endif

#define KM_PATH_MAX 512

enum km_paging { KM_PAGING_AUTO, KM_PAGING_2LEVEL, KM_PAGING_PAE };
enum km_split { KM_SPLIT_3G1G, KM_SPLIT_2G2G, KM_SPLIT_1G3G };
enum km_replacement {
    KM_REPL_BIT_PLRU,
    KM_REPL_FIFO,
    KM_REPL_LRU,
    KM_REPL_NRU,
    KM_REPL_PLRU,
    KM_REPL_RANDOM,
    KM_REPL_SRRIP
};
enum km_coherence { KM_COHERENCE_MESI, KM_COHERENCE_MOESI, KM_COHERENCE_MSI };
enum km_lock_kind { KM_LOCK_CACHE, KM_LOCK_BUS };
enum km_write_policy { KM_WRITE_BACK, KM_WRITE_THROUGH };
enum km_dram_scheduler { KM_DRAM_FCFS, KM_DRAM_FRFCFS, KM_DRAM_ROWHIT };
enum km_dram_page { KM_DRAM_OPEN, KM_DRAM_CLOSED, KM_DRAM_TIMEOUT };
enum km_personality_id { KM_LINUX_2_6, KM_LINUX_4_10, KM_LINUX_6_1 };
enum km_slab_kind { KM_SLAB_SLAB, KM_SLAB_SLOB, KM_SLAB_SLUB };
enum km_tristate { KM_AUTO, KM_OFF, KM_ON };
enum km_workload_type {
    KM_WL_CONTENDED,
    KM_WL_DMA,
    KM_WL_MEMREF,
    KM_WL_PAGE_BENCH,
    KM_WL_POINTER_CHASE,
    KM_WL_REPLAY,
    KM_WL_SLAB_TEST,
    KM_WL_USER_HEAP
};
enum km_dma_bounce { KM_BOUNCE_ISA, KM_BOUNCE_NONE, KM_BOUNCE_SWIOTLB };
enum km_chase_order { KM_CHASE_LINEAR, KM_CHASE_RANDOM };
enum km_chase_pages { KM_CHASE_4K, KM_CHASE_LARGE };
enum km_ref_format { KM_FMT_AUTO, KM_FMT_DIN, KM_FMT_DRAM_RW, KM_FMT_LACKEY };
/* Whose reclaim frees pages in a replay. */
enum km_replay_reclaim { KM_RECLAIM_AUTO, KM_RECLAIM_TRACE, KM_RECLAIM_MODEL };
enum km_replay_mode { KM_REPLAY_ORACLE, KM_REPLAY_BUDDY, KM_REPLAY_PAGES, KM_REPLAY_OBJECTS };
enum km_pacing { KM_PACE_TIMESTAMPS, KM_PACE_BACK_TO_BACK };
enum km_timing { KM_TIMING_FULL, KM_TIMING_OFF };

struct km_cache_config {
    uint64_t size_bytes; /* 0: level absent */
    uint32_t ways, line_bytes;
    enum km_replacement replacement;
    enum km_write_policy write;
    bool allocate; /* on a write miss */
    bool shared;   /* one for all CPUs (l2, l3) */
    uint32_t latency_cycles; /* load-to-use */
    uint32_t sector_bytes;   /* per tag; 0: one line */
    int inclusion;           /* enum km_inclusion of the levels before it */
};

struct km_tlb_config {
    uint32_t entries_4k, ways_4k;       /* entries 0: absent; ways 0: fully associative */
    uint32_t entries_large, ways_large; /* 2/4 MiB pages; 0 entries: large pages use the 4k entries */
    uint32_t miss_cycles;               /* fixed part of a miss besides the walk's references */
};

struct km_dram_config {
    char preset[64]; /* file in configs/dram without .yaml */
    enum km_dram_scheduler scheduler;
    enum km_dram_page page;
    bool refresh;
    uint32_t page_timeout_clocks, hit_cap;
    char mapping[128]; /* most significant first, e.g. "row:rank:bank:column" */
    uint32_t queue_read, queue_write, queue_active;
    uint32_t write_high_percent, write_low_percent;
    bool write_idle;
    uint64_t clock_hz; /* of the command bus */
    uint32_t channels, ranks, banks, rows, columns, bus_bytes, burst;
    uint32_t data_rate; /* transfers per clock: 1 SDR, 2 DDR */
    uint32_t ncl, ncwl, nrcd, nrp, nras, nrc, nrrd, nfaw, nwr, nwtr, nrtp, nccd, nrtrs, nrfc, nrefi; /* DRAM clocks */
    uint32_t vdd_mv, devices;                       /* power: supply, devices of a rank */
    uint32_t idd0, idd2n, idd3n, idd4r, idd4w, idd5; /* mA of one device */
};

struct km_bus_config {
    uint64_t clock_hz;
    uint32_t width_bytes;      /* data bytes per transfer   */
    uint32_t transfers_per_clock;
    uint32_t arbitration_clocks, snoop_clocks, frontend_ps_extra; /* request to snoop result; fixed chipset path */
    uint32_t transfer_clocks_hitm; /* extra clocks of a cache-to-cache transfer */
    uint32_t upgrade_clocks;       /* extra clocks until a shared line belongs to one CPU alone */
};

struct km_machine_config {
    char name[64];
    uint32_t cpus; /* 1..8; 0: from the trace */
    uint64_t ram_bytes; /* 0: from the trace */
    enum km_paging paging;
    enum km_split split;
    uint64_t clock_hz;
    uint32_t issue_insns_per_cycle_x100; /* instructions per 100 cycles without stalls */
    uint32_t lock_cycles; /* LOCKed RMW on a line already owned */
    uint32_t cmpxchg_cycles; /* what CMPXCHG takes beyond that */
    enum km_lock_kind lock;
    enum km_coherence coherence;
    bool nx, write_protect, global_pages, pse36, pat;
    uint32_t pde_cache;  /* entries; 0: none */
    uint32_t wc_buffers; /* 0: stores to WC memory go out one by one */
    char mtrr[256];      /* "none" or ranges of memory types */
    uint32_t cr3_cycles, fault_cycles, fence_cycles, irq_cycles;
    uint32_t store_buffer, fill_buffers; /* entries, lines */
    int prefetch;                        /* enum km_prefetch_kind */
    uint32_t prefetch_degree;
    uint32_t ipi_send_cycles, ipi_latency_cycles, ipi_handler_cycles;
    bool lazy_tlb;
    uint32_t clflush_cycles, wbinvd_cycles; /* besides the lines they write back */
    uint64_t quantum_cycles; /* longest run-ahead of a CPU; results do not depend on it */
    struct km_cache_config l1i, l1d, l2, l3;
    struct km_tlb_config itlb, dtlb, stlb;
    bool tlb_unified; /* itlb section ignored: instructions use dtlb */
    struct km_bus_config bus;
    struct km_dram_config dram;
};

struct km_os_config {
    enum km_personality_id personality;
    enum km_slab_kind slab;
    enum km_tristate thp;         /* transparent huge pages: pcp lists and watermarks depend on them */
    uint32_t pageblock_order;     /* 0: auto (PAE 9, 2-level 10) */
    uint32_t struct_page_bytes;   /* 40 with MEMCG and SLUB, 32 without */
    uint64_t lowmem_limit_bytes;  /* 0: auto, from the trace or MAXMEM */
    uint32_t min_free_kbytes;     /* 0: auto, B5 formula */
    uint32_t watermark_scale_factor;
    uint32_t watermark_boost_factor;
    uint64_t swap_bytes;          /* 0: auto, from the trace */
    uint32_t swappiness;
    uint64_t writeback_ns;        /* a page takes so long to be written */
    uint64_t reclaim_page_ns;     /* kswapd takes so long for a page it looks at */
    bool init_on_alloc;           /* pages and objects are zeroed */
    bool freelist_random;
    char hwcache_align[256];      /* names of slab caches, with commas */
    char pad_to_line[256];
    char e820[KM_PATH_MAX];       /* "auto" or "0x1000-0x9fc00,0x100000-0x3ffda000" */
};

struct km_workload_config {
    enum km_workload_type type;
    char trace[KM_PATH_MAX];
    enum km_ref_format format;
    uint32_t mlp, pace_cycles;
    uint64_t limit_events; /* 0: all */
    /* pointer-chase */
    uint64_t chase_max_bytes;
    uint32_t chase_stride_bytes;
    char chase_strides[128]; /* several; empty: chase_stride alone */
    enum km_chase_order chase_order;
    enum km_chase_pages chase_pages;
    uint32_t micro_count; /* contended, slab-test, page-bench: calls per phase */
    bool split_lines; /* memref: a reference across a line border counts once per line */
};

/* A card on the ISA bus, moving data by the 8237. */
struct km_dma_card_config {
    bool on;
    uint32_t block_bytes, fifo_units;
    uint64_t unit_ps; /* byte or word on the medium */
};

/* A bus master on the PCI bus. */
struct km_dma_master_config {
    bool on, receives, snooped;
    uint32_t mask_bits, frame_bytes, ring, frames_per_irq;
    uint32_t fifo_bytes, threshold_bytes, burst_bytes;
    uint64_t byte_ps, gap_ps;
};

struct km_dma_config {
    uint64_t duration_ns;
    enum km_dma_bounce bounce;
    uint64_t swiotlb_bytes;
    struct km_dma_card_config floppy, sound;
    struct km_dma_master_config nic, disk;
};

struct km_replay_config {
    enum km_replay_mode mode;
    enum km_pacing pacing;
    bool resync;
    enum km_replay_reclaim reclaim;
    uint64_t check_events; /* the allocator's lists are checked every so many events; 0: never */
    bool lookahead; /* infer the start state from the trace ahead (start-state) */
};

struct km_report_config {
    uint64_t period_ns;
    bool plots, html, trace_out, vcd, dram_commands;
    uint32_t sharing_advice; /* caches to try; 0: none */
    uint64_t vcd_changes; /* most changes a waveform keeps */
};

struct km_config {
    char name[128];              /* of the run: base name of the configuration file without .yaml unless set */
    char file[KM_PATH_MAX];      /* the configuration file; relative paths inside refer to the working directory, then its folder */
    struct km_machine_config machine;
    struct km_os_config os;
    struct km_workload_config workload;
    struct km_dma_config dma;
    struct km_replay_config replay;
    enum km_timing timing;
    struct km_report_config report;
    uint64_t seed;
    void *origin; /* provenance of every field, owned by sim/config */
};

/* Every problem is one call with file:line:col and message. err->code is KM_OK for a warning. */
typedef void km_config_report_fn(void *ctx, const struct km_err *err);

/* Reads file, its extends:, then the overrides ("a.b=c"). All problems are printed through report() (one
 * call each, file:line:col: message); returns KM_OK or KM_E_USAGE. Release out in both cases. */
int km_config_load(struct km_config *out, const char *file, const char *const *sets, size_t nr_sets,
                   km_config_report_fn *report, void *ctx);
/* The same for a document in memory; `file` names it in messages and anchors relative paths. */
int km_config_load_text(struct km_config *out, const char *file, const char *text, size_t len,
                        const char *const *sets, size_t nr_sets, km_config_report_fn *report,
                        void *ctx);
/* Every option at its default. */
void km_config_defaults(struct km_config *out);
void km_config_release(struct km_config *cfg);

/* Every option with value, unit, origin and help, as a configuration that loads to the same values. */
void km_config_dump(FILE *out, const struct km_config *cfg);
/* The reference page (markdown). */
void km_config_reference(FILE *out);

/* The i-th allowed word of the option at `path` ("machine.l1d.replacement"); NULL past the end. help may
 * be NULL. */
const char *km_config_choice(const char *path, unsigned i, const char **help);
/* The word that stands for `value` in the option at `path`, "?" if none does. */
const char *km_config_word(const char *path, int value);

/* Finds a file of configs/ ("machine/atom-n270.yaml"): next to `from_file` (may be NULL), in a configs
 * folder of it or of a folder above, in $KMEMSIM_CONFIGS, in the source tree kmemsim was built from. */
bool km_config_find(char *out, size_t size, const char *from_file, const char *entry);

#ifdef __cplusplus
}
#endif
#endif
