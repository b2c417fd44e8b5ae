/* SPDX-License-Identifier: MIT
 * fields.c - the table of all options.
 *
 * The order of sections and rows is the order of `kmemsim config dump` and of the reference page. A section
 * comes after the one that contains it. The defaults describe a Pentium-M-like CPU with DDR3-1600K memory
 * (configs/machine and configs/dram hold real machines, with sources).
 */
#include "sim/config/field.h"

#include "models/cache/cache.h"
#include "models/cache/prefetch.h"
#include "models/mmu/pde_cache.h"
#include "sim/config/config.h"

#define AT(type, member) .offset = offsetof(type, member), .size = sizeof(((type *)0)->member)
#define ROWS(table) .fields = table, .nr_fields = KM_ARRAY_LEN(table)

#define CFG struct km_config
#define MACHINE struct km_machine_config
#define CACHE struct km_cache_config
#define TLB struct km_tlb_config
#define BUS struct km_bus_config
#define DRAM struct km_dram_config
#define OS struct km_os_config
#define WORKLOAD struct km_workload_config
#define DMA struct km_dma_config
#define CARD struct km_dma_card_config
#define MASTER struct km_dma_master_config
#define REPLAY struct km_replay_config
#define REPORT struct km_report_config

#define KIB 1024ull
#define MIB (1024ull * KIB)
#define GIB (1024ull * MIB)
#define DRAM_CLOCKS .type = KM_FIELD_NUMBER, .max = 100000, .unit = "DRAM clocks"
#define MILLIAMPERES .type = KM_FIELD_NUMBER, .max = 10000, .unit = "mA", .def = "0"

static const struct km_choice paging_choices[] = {
    {"auto", KM_PAGING_AUTO, "as the traced kernel; pae for workloads without one"},
    {"2level", KM_PAGING_2LEVEL, "32-bit entries, 4 MiB large pages, at most 4 GiB"},
    {"pae", KM_PAGING_PAE, "64-bit entries, 2 MiB large pages, at most 64 GiB"},
    {0},
};
static const struct km_choice split_choices[] = {
    {"3g1g", KM_SPLIT_3G1G, "kernel from 0xC0000000"},
    {"2g2g", KM_SPLIT_2G2G, "kernel from 0x80000000"},
    {"1g3g", KM_SPLIT_1G3G, "kernel from 0x40000000"},
    {0},
};
static const struct km_choice replacement_choices[] = {
    {"bit-plru", KM_REPL_BIT_PLRU, "use bits; when the last one is set the others are cleared"},
    {"fifo", KM_REPL_FIFO, "oldest fill leaves first"},
    {"lru", KM_REPL_LRU, "least recently used leaves first"},
    {"nru", KM_REPL_NRU, "use bits, cleared when all are set and a line must leave"},
    {"plru", KM_REPL_PLRU, "tree pseudo-LRU: one bit per node; ways a power of two"},
    {"random", KM_REPL_RANDOM, "seeded pseudo-random"},
    {"srrip", KM_REPL_SRRIP, "re-reference prediction: lines never used again leave first"},
    {0},
};
static const struct km_choice inclusion_choices[] = {
    {"exclusive", KM_EXCLUSIVE, "takes what the level before it replaces, gives it back on a hit"},
    {"inclusive", KM_INCLUSIVE, "holds every line of the levels before it"},
    {"non-inclusive", KM_NON_INCLUSIVE, "a miss fills every level, each replaces on its own"},
    {0},
};
static const struct km_choice coherence_choices[] = {
    {"mesi", KM_COHERENCE_MESI, "Intel: modified lines are written back when another CPU asks"},
    {"moesi", KM_COHERENCE_MOESI, "AMD: modified lines are shared without a write-back"},
    {"msi", KM_COHERENCE_MSI, "the first store to a line always asks the bus"},
    {0},
};
static const struct km_choice prefetch_choices[] = {
    {"adjacent-line", KM_PREFETCH_ADJACENT, "the other line of an aligned pair"},
    {"next-line", KM_PREFETCH_NEXT, "the lines after a miss"},
    {"none", KM_PREFETCH_NONE, "no prefetches"},
    {"stream", KM_PREFETCH_STREAM, "two neighbouring misses of a page start a stream, up or down"},
    {"stride", KM_PREFETCH_STRIDE, "the same distance twice in a page"},
    {0},
};
static const struct km_choice lock_choices[] = {
    {"bus", KM_LOCK_BUS, "LOCK# holds the bus for a read and a write, the line is not cached (486, Pentium)"},
    {"cache", KM_LOCK_CACHE, "the line is owned and held in the cache (P6 and later)"},
    {0},
};
static const struct km_choice write_choices[] = {
    {"back", KM_WRITE_BACK, "dirty lines are written when they leave"},
    {"through", KM_WRITE_THROUGH, "every store goes on to the next level"},
    {0},
};
static const struct km_choice scheduler_choices[] = {
    {"fcfs", KM_DRAM_FCFS, "first come, first served"},
    {"frfcfs", KM_DRAM_FRFCFS, "the oldest request whose next command is legal now"},
    {"rowhit", KM_DRAM_ROWHIT, "as frfcfs, row hits before everything else"},
    {0},
};
static const struct km_choice page_choices[] = {
    {"closed", KM_DRAM_CLOSED, "rows are closed after their last queued access"},
    {"open", KM_DRAM_OPEN, "rows stay open until another one is needed"},
    {"timeout", KM_DRAM_TIMEOUT, "rows are closed page_timeout clocks after their last access"},
    {0},
};
static const struct km_choice personality_choices[] = {
    {"linux-2.6", KM_LINUX_2_6, "Linux 2.6.32: order-0 per-CPU lists, no boost, no atomic reserve, no cpu partial slabs"},
    {"linux-4.10", KM_LINUX_4_10, "Linux 4.10: order-0 per-CPU lists of 6 batches, fallback splits what it finds"},
    {"linux-6.1", KM_LINUX_6_1, "Linux 6.1 (Debian 12)"},
    {0},
};
static const struct km_choice slab_choices[] = {
    {"slab", KM_SLAB_SLAB, "per-CPU and shared object stacks over lists of slabs"},
    {"slob", KM_SLAB_SLOB, "next fit in pages of 2-byte units, no object caches"},
    {"slub", KM_SLAB_SLUB, "per-CPU slabs, freelist inside free objects"},
    {0},
};
static const struct km_choice tristate_choices[] = {
    {"auto", KM_AUTO, 0},
    {"off", KM_OFF, 0},
    {"on", KM_ON, 0},
    {0},
};
static const struct km_choice bounce_choices[] = {
    {"isa", KM_BOUNCE_ISA, "16 pages below 16 MiB, one page a mapping, as the block layer before Linux 5.13 had"},
    {"none", KM_BOUNCE_NONE, "drivers take buffers their device reaches"},
    {"swiotlb", KM_BOUNCE_SWIOTLB, "a pool of 2 KiB slots below 16 MiB"},
    {0},
};
static const struct km_choice workload_choices[] = {
    {"contended", KM_WL_CONTENDED, "all CPUs in turn use one line, what each operation costs (contended.csv)"},
    {"dma", KM_WL_DMA, "drivers and devices move data by DMA on a fresh kernel (sections dma)"},
    {"memref", KM_WL_MEMREF, "a memory-reference trace drives caches and TLBs, or DRAM alone"},
    {"page-bench", KM_WL_PAGE_BENCH, "blocks of each order allocated and freed on a fresh kernel (page_bench.csv)"},
    {"pointer-chase", KM_WL_POINTER_CHASE, "dependent loads over growing buffers (lat_mem_rd.csv)"},
    {"replay", KM_WL_REPLAY, "a captured kernel trace drives the allocator stack"},
    {"slab-test", KM_WL_SLAB_TEST, "kmalloc and kfree of each size on a fresh kernel (slab_test.csv)"},
    {"user-heap", KM_WL_USER_HEAP, "an mtrace(3) text drives a process's heap (user-heap.json, user-heap.csv)"},
    {0},
};
static const struct km_choice chase_order_choices[] = {
    {"linear", KM_CHASE_LINEAR, "ascending"},
    {"random", KM_CHASE_RANDOM, "one random cycle through the buffer"},
    {0},
};
static const struct km_choice chase_pages_choices[] = {
    {"4k", KM_CHASE_4K, "the buffer is mapped by 4 KiB pages"},
    {"large", KM_CHASE_LARGE, "the kernel's linear map: 2 or 4 MiB pages"},
    {0},
};
static const struct km_choice format_choices[] = {
    {"auto", KM_FMT_AUTO, "by content"},
    {"din", KM_FMT_DIN, "dinero: 0 read, 1 write, 2 fetch, then a hexadecimal address"},
    {"dram-rw", KM_FMT_DRAM_RW, "one 'R|W hexaddr' per line, straight to the DRAM controller"},
    {"lackey", KM_FMT_LACKEY, "valgrind --tool=lackey --trace-mem=yes"},
    {0},
};
static const struct km_choice mode_choices[] = {
    {"buddy", KM_REPLAY_BUDDY, "the trace says what the buddy lists are asked for, the model picks blocks"},
    {"objects", KM_REPLAY_OBJECTS, "slab events drive slabs, which ask the page allocator themselves"},
    {"oracle", KM_REPLAY_ORACLE, "buddy events are applied literally"},
    {"pages", KM_REPLAY_PAGES, "page events drive buddy and per-CPU lists, slab events are ignored"},
    {0},
};
static const struct km_choice reclaim_choices[] = {
    {"auto", KM_RECLAIM_AUTO, "model if machine.ram is less than the traced machine's, else trace"},
    {"model", KM_RECLAIM_MODEL, "the simulated kernel; what the traced one reclaimed stays until it does"},
    {"trace", KM_RECLAIM_TRACE, "the traced kernel: its frees happen where it made them"},
    {0},
};
static const struct km_choice pacing_choices[] = {
    {"back-to-back", KM_PACE_BACK_TO_BACK, "each event as soon as the one before is done"},
    {"timestamps", KM_PACE_TIMESTAMPS, "no event before its time in the trace"},
    {0},
};
static const struct km_choice timing_choices[] = {
    {"full", KM_TIMING_FULL, "on the simulated machine"},
    {"off", KM_TIMING_OFF, "functional only: fast, no cycles"},
    {0},
};

static const struct km_field top_fields[] = {
    {.key = "name", .type = KM_FIELD_STRING, AT(CFG, name), .def = "",
     .help = "name of the run; empty: the configuration file's name without .yaml"},
    {.key = "seed", .type = KM_FIELD_NUMBER, AT(CFG, seed), .max = UINT64_MAX, .def = "1",
     .help = "of everything pseudo-random"},
    {.key = "timing", .type = KM_FIELD_CHOICE, AT(CFG, timing), .choices = timing_choices,
     .def = "full", .help = "full: cycles on the simulated machine; off: functional only"},
};

static const struct km_field machine_fields[] = {
    {.key = "name", .type = KM_FIELD_STRING, AT(MACHINE, name), .def = "default",
     .help = "what the machine is called in reports"},
    {.key = "cpus", .type = KM_FIELD_NUMBER, AT(MACHINE, cpus), .min = 1, .max = KM_MAX_CPUS,
     .zero_word = "auto", .zero_only_by_word = true, .unit = "CPUs", .def = "auto",
     .help = "auto: as many as the traced machine; 1 for workloads without a trace"},
    {.key = "ram", .type = KM_FIELD_SIZE, AT(MACHINE, ram_bytes), .min = 8 * MIB, .max = 64 * GIB,
     .zero_word = "auto", .zero_only_by_word = true, .def = "auto",
     .help = "memory; auto: as the traced machine; 1GiB for workloads without a trace"},
    {.key = "paging", .type = KM_FIELD_CHOICE, AT(MACHINE, paging), .choices = paging_choices,
     .def = "auto", .help = "page tables; auto: as the traced kernel"},
    {.key = "split", .type = KM_FIELD_CHOICE, AT(MACHINE, split), .choices = split_choices,
     .def = "3g1g", .help = "user / kernel address space"},
    {.key = "clock", .type = KM_FIELD_FREQ, AT(MACHINE, clock_hz), .min = 1000000,
     .max = 20000000000, .def = "1600MHz", .help = "CPU core clock"},
    {.key = "insns_per_100_cycles", .type = KM_FIELD_NUMBER, AT(MACHINE, issue_insns_per_cycle_x100),
     .min = 1, .max = 800, .unit = "instructions", .def = "150",
     .help = "straight-line speed of a CPU that never waits for memory"},
    {.key = "lock_cycles", .type = KM_FIELD_NUMBER, AT(MACHINE, lock_cycles), .max = 10000,
     .unit = "core cycles", .def = "21",
     .help = "LOCKed read-modify-write on a line this CPU already owns"},
    {.key = "cmpxchg_cycles", .type = KM_FIELD_NUMBER, AT(MACHINE, cmpxchg_cycles), .max = 10000,
     .unit = "core cycles", .def = "0", .help = "what a LOCKed compare-and-swap takes beyond lock_cycles"},
    {.key = "lock", .type = KM_FIELD_CHOICE, AT(MACHINE, lock), .choices = lock_choices,
     .def = "cache", .help = "what makes a LOCKed read-modify-write indivisible"},
    {.key = "coherence", .type = KM_FIELD_CHOICE, AT(MACHINE, coherence),
     .choices = coherence_choices, .def = "mesi", .help = "protocol between the CPUs' caches"},
    {.key = "clflush_cycles", .type = KM_FIELD_NUMBER, AT(MACHINE, clflush_cycles), .max = 100000,
     .unit = "core cycles", .def = "100", .help = "of CLFLUSH, besides its bus transaction"},
    {.key = "wbinvd_cycles", .type = KM_FIELD_NUMBER, AT(MACHINE, wbinvd_cycles), .max = 1000000,
     .unit = "core cycles", .def = "2000", .help = "of WBINVD and INVD, besides the lines written back"},
    {.key = "nx", .type = KM_FIELD_BOOL, AT(MACHINE, nx), .def = "true",
     .help = "no-execute bit of PAE entries (EFER.NXE)"},
    {.key = "write_protect", .type = KM_FIELD_BOOL, AT(MACHINE, write_protect), .def = "true",
     .help = "read-only pages are so for the kernel, too (CR0.WP)"},
    {.key = "global_pages", .type = KM_FIELD_BOOL, AT(MACHINE, global_pages), .def = "true",
     .help = "global entries stay in the TLBs when CR3 is written (CR4.PGE)"},
    {.key = "pse36", .type = KM_FIELD_BOOL, AT(MACHINE, pse36), .def = "true",
     .help = "4 MiB pages of two-level tables have 36-bit addresses"},
    {.key = "pde_cache", .type = KM_FIELD_NUMBER, AT(MACHINE, pde_cache), .min = 1,
     .max = KM_PDE_CACHE_MAX, .zero_word = "none", .unit = "entries", .def = "none",
     .help = "page-directory entries the page walker keeps"},
    {.key = "pat", .type = KM_FIELD_BOOL, AT(MACHINE, pat), .def = "true",
     .help = "page attribute table (Pentium III and later)"},
    {.key = "mtrr", .type = KM_FIELD_STRING, AT(MACHINE, mtrr), .def = "none",
     .help = "memory types of physical ranges, e.g. 0xa0000-0xc0000=uc,0xe0000000-0xf0000000=wc; the rest is wb"},
    {.key = "wc_buffers", .type = KM_FIELD_NUMBER, AT(MACHINE, wc_buffers), .min = 1, .max = 16,
     .zero_word = "none", .unit = "lines", .def = "4",
     .help = "write-combining buffers (P6 4, Pentium M 6, NetBurst 6 or 8)"},
    {.key = "cr3_cycles", .type = KM_FIELD_NUMBER, AT(MACHINE, cr3_cycles), .max = 100000,
     .unit = "core cycles", .def = "22", .help = "of MOV CR3, besides the PDPTEs it loads"},
    {.key = "fault_cycles", .type = KM_FIELD_NUMBER, AT(MACHINE, fault_cycles), .max = 100000,
     .unit = "core cycles", .def = "407", .help = "of entering and leaving a page fault handler"},
    {.key = "irq_cycles", .type = KM_FIELD_NUMBER, AT(MACHINE, irq_cycles), .max = 100000,
     .unit = "core cycles", .def = "407", .help = "of entering and leaving an interrupt handler"},
    {.key = "fence_cycles", .type = KM_FIELD_NUMBER, AT(MACHINE, fence_cycles), .max = 10000,
     .unit = "core cycles", .def = "7", .help = "of SFENCE and MFENCE, besides what they wait for"},
    {.key = "store_buffer", .type = KM_FIELD_NUMBER, AT(MACHINE, store_buffer), .min = 1, .max = 64,
     .zero_word = "none", .unit = "stores", .def = "none",
     .help = "stores that wait for their line while the CPU goes on; none: it waits itself"},
    {.key = "fill_buffers", .type = KM_FIELD_NUMBER, AT(MACHINE, fill_buffers), .min = 1, .max = 32,
     .unit = "lines", .def = "4",
     .help = "lines that may be under way at once, for stores and prefetches"},
    {.key = "prefetch", .type = KM_FIELD_CHOICE, AT(MACHINE, prefetch), .choices = prefetch_choices,
     .def = "none", .help = "hardware prefetcher into the first outer level"},
    {.key = "prefetch_degree", .type = KM_FIELD_NUMBER, AT(MACHINE, prefetch_degree), .min = 1,
     .max = KM_PREFETCH_DEGREE, .unit = "lines", .def = "1", .help = "lines it asks for at a time"},
    {.key = "ipi_send_cycles", .type = KM_FIELD_NUMBER, AT(MACHINE, ipi_send_cycles), .max = 100000,
     .unit = "core cycles", .def = "100", .help = "of sending one interprocessor interrupt"},
    {.key = "ipi_latency_cycles", .type = KM_FIELD_NUMBER, AT(MACHINE, ipi_latency_cycles),
     .max = 100000, .unit = "core cycles", .def = "300", .help = "until it arrives"},
    {.key = "ipi_handler_cycles", .type = KM_FIELD_NUMBER, AT(MACHINE, ipi_handler_cycles),
     .min = 1, .max = 100000, .unit = "core cycles", .def = "407",
     .help = "of taking it and returning, besides the flush it asks for"},
    {.key = "lazy_tlb", .type = KM_FIELD_BOOL, AT(MACHINE, lazy_tlb), .def = "true",
     .help = "a CPU without work is not interrupted for user addresses, it flushes when it gets work"},
    {.key = "quantum_cycles", .type = KM_FIELD_NUMBER, AT(MACHINE, quantum_cycles),
     .max = 1000000000, .unit = "core cycles", .def = "100000",
     .help = "how far a CPU may be computed ahead; changes speed, never results"},
    {.key = "tlb_unified", .type = KM_FIELD_BOOL, AT(MACHINE, tlb_unified), .def = "false",
     .help = "instructions use the dtlb, the itlb section is ignored"},
};

static const struct km_field cache_fields[] = {
    {.key = "size", .type = KM_FIELD_SIZE, AT(CACHE, size_bytes), .min = 64, .max = 256 * MIB,
     .zero_word = "none", .def = "32KiB", .help = "capacity; none: there is no such cache"},
    {.key = "ways", .type = KM_FIELD_NUMBER, AT(CACHE, ways), .min = 1, .max = 256, .unit = "ways",
     .def = "8", .help = "associativity; size / (ways * line) must be a power of two"},
    {.key = "line", .type = KM_FIELD_NUMBER, AT(CACHE, line_bytes), .min = 16, .max = 128,
     .pow2 = true, .unit = "bytes", .def = "64", .help = "line size"},
    {.key = "replacement", .type = KM_FIELD_CHOICE, AT(CACHE, replacement),
     .choices = replacement_choices, .def = "lru", .help = "which line of a set leaves"},
    {.key = "write", .type = KM_FIELD_CHOICE, AT(CACHE, write), .choices = write_choices,
     .def = "back", .help = "write-back or write-through"},
    {.key = "allocate", .type = KM_FIELD_BOOL, AT(CACHE, allocate), .def = "true",
     .help = "a write miss brings the line in"},
    {.key = "shared", .type = KM_FIELD_BOOL, AT(CACHE, shared), .def = "false",
     .help = "one cache for all CPUs instead of one each (l2, l3)"},
    {.key = "latency", .type = KM_FIELD_NUMBER, AT(CACHE, latency_cycles), .min = 1, .max = 10000,
     .unit = "core cycles", .def = "3", .help = "load-to-use, from the start of the reference"},
    {.key = "sector", .type = KM_FIELD_SIZE, AT(CACHE, sector_bytes), .min = 16, .max = 1024,
     .pow2 = true, .zero_word = "none", .def = "none",
     .help = "bytes that share one tag and leave together (l2, l3); none: one line"},
    {.key = "inclusion", .type = KM_FIELD_CHOICE, AT(CACHE, inclusion),
     .choices = inclusion_choices, .def = "non-inclusive",
     .help = "what l2 or l3 has to do with the levels before it"},
};

static const struct km_field tlb_fields[] = {
    {.key = "entries_4k", .type = KM_FIELD_NUMBER, AT(TLB, entries_4k), .min = 1, .max = 16384,
     .zero_word = "none", .unit = "entries", .def = "128",
     .help = "entries for 4 KiB pages; none: there is no such TLB"},
    {.key = "ways_4k", .type = KM_FIELD_NUMBER, AT(TLB, ways_4k), .min = 1, .max = 16384,
     .zero_word = "full", .unit = "ways", .def = "4", .help = "associativity; full: one set"},
    {.key = "entries_large", .type = KM_FIELD_NUMBER, AT(TLB, entries_large), .min = 1, .max = 16384,
     .zero_word = "none", .unit = "entries", .def = "8",
     .help = "entries for 2/4 MiB pages; none: they use the 4 KiB entries"},
    {.key = "ways_large", .type = KM_FIELD_NUMBER, AT(TLB, ways_large), .min = 1, .max = 16384,
     .zero_word = "full", .unit = "ways", .def = "full", .help = "associativity; full: one set"},
    {.key = "miss_cycles", .type = KM_FIELD_NUMBER, AT(TLB, miss_cycles), .max = 10000,
     .unit = "core cycles", .def = "3", .help = "of a miss, besides the references of the page walk"},
};

static const struct km_field bus_fields[] = {
    {.key = "clock", .type = KM_FIELD_FREQ, AT(BUS, clock_hz), .min = 1000000, .max = 20000000000,
     .def = "133333333Hz", .help = "bus clock"},
    {.key = "width", .type = KM_FIELD_NUMBER, AT(BUS, width_bytes), .min = 1, .max = 64,
     .pow2 = true, .unit = "bytes", .def = "8", .help = "data bytes per transfer"},
    {.key = "transfers_per_clock", .type = KM_FIELD_NUMBER, AT(BUS, transfers_per_clock), .min = 1,
     .max = 8, .pow2 = true, .unit = "transfers", .def = "4", .help = "1 single, 2 double, 4 quad"},
    {.key = "arbitration_clocks", .type = KM_FIELD_NUMBER, AT(BUS, arbitration_clocks), .max = 1000,
     .unit = "bus clocks", .def = "2", .help = "from request to the address on the bus"},
    {.key = "snoop_clocks", .type = KM_FIELD_NUMBER, AT(BUS, snoop_clocks), .min = 2, .max = 1000,
     .unit = "bus clocks", .def = "4", .help = "from the address to the snoop result"},
    {.key = "hitm_clocks", .type = KM_FIELD_NUMBER, AT(BUS, transfer_clocks_hitm), .max = 1000,
     .unit = "bus clocks", .def = "4", .help = "extra when a dirty line comes from another cache"},
    {.key = "upgrade_clocks", .type = KM_FIELD_NUMBER, AT(BUS, upgrade_clocks), .max = 1000,
     .unit = "bus clocks", .def = "0", .help = "extra until a store to a shared line has taken the other copies away"},
    {.key = "chipset", .type = KM_FIELD_PS, AT(BUS, frontend_ps_extra), .max = 1000000,
     .def = "20ns", .help = "fixed path from the bus to the DRAM controller and back"},
};

static const struct km_field dram_fields[] = {
    {.key = "preset", .type = KM_FIELD_STRING, AT(DRAM, preset), .def = "",
     .help = "device from configs/dram, without .yaml; keys written beside it or later win"},
    {.key = "scheduler", .type = KM_FIELD_CHOICE, AT(DRAM, scheduler), .choices = scheduler_choices,
     .def = "frfcfs", .help = "order of requests"},
    {.key = "page", .type = KM_FIELD_CHOICE, AT(DRAM, page), .choices = page_choices, .def = "open",
     .help = "row policy"},
    {.key = "page_timeout", AT(DRAM, page_timeout_clocks), DRAM_CLOCKS, .def = "100",
     .help = "page: timeout: from the last column command to the precharge"},
    {.key = "hit_cap", .type = KM_FIELD_NUMBER, AT(DRAM, hit_cap), .max = 100000,
     .unit = "column commands", .def = "0",
     .help = "frfcfs, rowhit: then an older request for another row goes first; 0: no cap"},
    {.key = "refresh", .type = KM_FIELD_BOOL, AT(DRAM, refresh), .def = "true",
     .help = "refresh all banks every nREFI"},
    {.key = "mapping", .type = KM_FIELD_STRING, AT(DRAM, mapping), .def = "row:rank:bank:column",
     .help = "address bits, most significant first; FIELD/BITS is a part of a field, bank^row mixes "
             "(row:rank:bank^row:column/7:channel:column)"},
    {.key = "queue_read", .type = KM_FIELD_NUMBER, AT(DRAM, queue_read), .min = 1, .max = 128,
     .unit = "requests", .def = "32", .help = "read queue (dram-rw)"},
    {.key = "queue_write", .type = KM_FIELD_NUMBER, AT(DRAM, queue_write), .min = 1, .max = 128,
     .unit = "requests", .def = "32", .help = "write queue (dram-rw)"},
    {.key = "queue_active", .type = KM_FIELD_NUMBER, AT(DRAM, queue_active), .max = 64,
     .unit = "requests", .def = "8",
     .help = "requests whose row was opened for them wait outside the queues; 0: inside (dram-rw)"},
    {.key = "write_high", .type = KM_FIELD_NUMBER, AT(DRAM, write_high_percent), .max = 100,
     .unit = "percent", .def = "80", .help = "of the write queue: above it writes are drained (dram-rw)"},
    {.key = "write_low", .type = KM_FIELD_NUMBER, AT(DRAM, write_low_percent), .max = 100,
     .unit = "percent", .def = "20", .help = "of the write queue: draining ends below it (dram-rw)"},
    {.key = "write_idle", .type = KM_FIELD_BOOL, AT(DRAM, write_idle), .def = "true",
     .help = "writes also leave while no read waits (dram-rw)"},
    {.key = "clock", .type = KM_FIELD_FREQ, AT(DRAM, clock_hz), .min = 1000000, .max = 20000000000,
     .def = "800MHz", .help = "command clock"},
    {.key = "channels", .type = KM_FIELD_NUMBER, AT(DRAM, channels), .min = 1, .max = 4, .pow2 = true,
     .unit = "channels", .def = "1", .help = "independent channels; the mapping says which bits choose one"},
    {.key = "ranks", .type = KM_FIELD_NUMBER, AT(DRAM, ranks), .min = 1, .max = 8, .pow2 = true,
     .unit = "ranks", .def = "1", .help = "ranks of the channel"},
    {.key = "banks", .type = KM_FIELD_NUMBER, AT(DRAM, banks), .min = 1, .max = 16, .pow2 = true,
     .unit = "banks", .def = "8", .help = "banks of a rank"},
    {.key = "rows", .type = KM_FIELD_NUMBER, AT(DRAM, rows), .min = 1, .max = 1048576, .pow2 = true,
     .unit = "rows", .def = "65536", .help = "rows of a bank"},
    {.key = "columns", .type = KM_FIELD_NUMBER, AT(DRAM, columns), .min = 8, .max = 65536,
     .pow2 = true, .unit = "columns", .def = "1024", .help = "columns of a row, bus_bytes each"},
    {.key = "bus_bytes", .type = KM_FIELD_NUMBER, AT(DRAM, bus_bytes), .min = 2, .max = 64,
     .pow2 = true, .unit = "bytes", .def = "8", .help = "width of the data bus"},
    {.key = "burst", .type = KM_FIELD_NUMBER, AT(DRAM, burst), .min = 1, .max = 16, .pow2 = true,
     .unit = "transfers", .def = "8", .help = "burst length"},
    {.key = "data_rate", .type = KM_FIELD_NUMBER, AT(DRAM, data_rate), .min = 1, .max = 2,
     .unit = "transfers per clock", .def = "2", .help = "1 single, 2 double data rate"},
    {.key = "ncl", AT(DRAM, ncl), DRAM_CLOCKS, .min = 1, .def = "11", .help = "read command to first data"},
    {.key = "ncwl", AT(DRAM, ncwl), DRAM_CLOCKS, .def = "8", .help = "write command to first data"},
    {.key = "nrcd", AT(DRAM, nrcd), DRAM_CLOCKS, .min = 1, .def = "11", .help = "activate to read or write"},
    {.key = "nrp", AT(DRAM, nrp), DRAM_CLOCKS, .min = 1, .def = "11", .help = "precharge to activate"},
    {.key = "nras", AT(DRAM, nras), DRAM_CLOCKS, .min = 1, .def = "28", .help = "activate to precharge"},
    {.key = "nrc", AT(DRAM, nrc), DRAM_CLOCKS, .def = "39", .help = "activate to activate, same bank"},
    {.key = "nrrd", AT(DRAM, nrrd), DRAM_CLOCKS, .def = "5", .help = "activate to activate, other bank"},
    {.key = "nfaw", AT(DRAM, nfaw), DRAM_CLOCKS, .def = "24",
     .help = "window of at most four activates; 0: no such limit"},
    {.key = "nwr", AT(DRAM, nwr), DRAM_CLOCKS, .def = "12", .help = "end of write data to precharge"},
    {.key = "nwtr", AT(DRAM, nwtr), DRAM_CLOCKS, .def = "6", .help = "end of write data to read"},
    {.key = "nrtp", AT(DRAM, nrtp), DRAM_CLOCKS, .def = "6", .help = "read to precharge"},
    {.key = "nccd", AT(DRAM, nccd), DRAM_CLOCKS, .min = 1, .def = "4",
     .help = "column command to column command, at least the clocks of a burst"},
    {.key = "nrtrs", AT(DRAM, nrtrs), DRAM_CLOCKS, .def = "2", .help = "switch of the rank on the data bus"},
    {.key = "nrfc", AT(DRAM, nrfc), DRAM_CLOCKS, .def = "208", .help = "length of a refresh"},
    {.key = "nrefi", AT(DRAM, nrefi), DRAM_CLOCKS, .min = 1, .def = "6240",
     .help = "interval of refreshes"},
    {.key = "vdd", .type = KM_FIELD_NUMBER, AT(DRAM, vdd_mv), .max = 5000, .unit = "mV", .def = "0",
     .help = "supply voltage; 0: no energy figures"},
    {.key = "devices", .type = KM_FIELD_NUMBER, AT(DRAM, devices), .min = 1, .max = 64,
     .unit = "devices", .def = "8", .help = "devices that make a rank"},
    {.key = "idd0", AT(DRAM, idd0), MILLIAMPERES, .help = "one device, row cycles of one bank"},
    {.key = "idd2n", AT(DRAM, idd2n), MILLIAMPERES, .help = "all banks precharged, idle"},
    {.key = "idd3n", AT(DRAM, idd3n), MILLIAMPERES, .help = "a bank open, idle"},
    {.key = "idd4r", AT(DRAM, idd4r), MILLIAMPERES, .help = "reading without pause"},
    {.key = "idd4w", AT(DRAM, idd4w), MILLIAMPERES, .help = "writing without pause"},
    {.key = "idd5", AT(DRAM, idd5), MILLIAMPERES, .help = "refreshing without pause"},
};

static const struct km_field os_fields[] = {
    {.key = "personality", .type = KM_FIELD_CHOICE, AT(OS, personality), .choices = personality_choices,
     .def = "linux-6.1", .help = "whose constants and policies the allocators follow"},
    {.key = "slab", .type = KM_FIELD_CHOICE, AT(OS, slab), .choices = slab_choices, .def = "slub",
     .help = "object allocator"},
    {.key = "thp", .type = KM_FIELD_CHOICE, AT(OS, thp), .choices = tristate_choices, .def = "auto",
     .help = "transparent huge pages: they change per-CPU lists and watermarks; auto: from the trace"},
    {.key = "pageblock_order", .type = KM_FIELD_NUMBER, AT(OS, pageblock_order), .min = 1, .max = 10,
     .zero_word = "auto", .zero_only_by_word = true, .unit = "log2 pages", .def = "auto",
     .help = "migration type granule; auto: 9 under PAE, 10 without"},
    {.key = "struct_page_bytes", .type = KM_FIELD_NUMBER, AT(OS, struct_page_bytes), .min = 32,
     .max = 64, .unit = "bytes", .def = "40", .help = "sizeof(struct page): 40 with MEMCG, 32 without"},
    {.key = "lowmem_limit", .type = KM_FIELD_SIZE, AT(OS, lowmem_limit_bytes), .min = 8 * MIB,
     .max = 3 * GIB, .zero_word = "auto", .zero_only_by_word = true, .def = "auto",
     .help = "end of the linear map; auto: from the trace, else what the split allows"},
    {.key = "min_free_kbytes", .type = KM_FIELD_NUMBER, AT(OS, min_free_kbytes), .min = 1,
     .max = 1048576, .zero_word = "auto", .zero_only_by_word = true, .unit = "KiB", .def = "auto",
     .help = "sets the watermarks; auto: the kernel's formula"},
    {.key = "watermark_scale_factor", .type = KM_FIELD_NUMBER, AT(OS, watermark_scale_factor), .min = 1,
     .max = 3000, .unit = "1/10000", .def = "10", .help = "distance between watermarks"},
    {.key = "watermark_boost_factor", .type = KM_FIELD_NUMBER, AT(OS, watermark_boost_factor),
     .max = 100000, .unit = "1/10000", .def = "15000", .help = "boost of the high watermark after fallbacks"},
    {.key = "swap", .type = KM_FIELD_SIZE, AT(OS, swap_bytes), .min = 4 * KIB, .max = 64 * GIB,
     .zero_word = "auto", .zero_only_by_word = true, .def = "auto",
     .help = "swap space for the model's own reclaim; auto: as the traced machine"},
    {.key = "swappiness", .type = KM_FIELD_NUMBER, AT(OS, swappiness), .max = 200, .def = "60",
     .help = "how readily anonymous pages are reclaimed: 0 never, 100 as page cache, 200 they alone"},
    {.key = "writeback_time", .type = KM_FIELD_NS, AT(OS, writeback_ns), .min = 1, .max = 10000000000,
     .def = "10ms", .help = "model's own reclaim: from the start of writing a page to its end"},
    {.key = "reclaim_page_time", .type = KM_FIELD_NS, AT(OS, reclaim_page_ns), .min = 1, .max = 1000000000,
     .def = "20us", .help = "model's own reclaim: kswapd's time for a page it looks at, on the trace's clock"},
    {.key = "init_on_alloc", .type = KM_FIELD_BOOL, AT(OS, init_on_alloc), .def = "true",
     .help = "pages and objects are zeroed when allocated"},
    {.key = "freelist_random", .type = KM_FIELD_BOOL, AT(OS, freelist_random), .def = "true",
     .help = "objects of a new slab are linked in random order"},
    {.key = "hwcache_align", .type = KM_FIELD_STRING, AT(OS, hwcache_align), .def = "",
     .help = "objects: slab caches, as in dentry,filp, that get SLAB_HWCACHE_ALIGN for this machine's lines"},
    {.key = "pad_to_line", .type = KM_FIELD_STRING, AT(OS, pad_to_line), .def = "",
     .help = "objects: slab caches whose objects, however small, each get cache lines of their own"},
    {.key = "e820", .type = KM_FIELD_STRING, AT(OS, e820), .def = "auto",
     .help = "usable memory, e.g. 0x1000-0x9fc00,0x100000-0x3ffda000; auto: from the trace, else from ram"},
};

static const struct km_field workload_fields[] = {
    {.key = "type", .type = KM_FIELD_CHOICE, AT(WORKLOAD, type), .choices = workload_choices,
     .def = "replay", .help = "what runs"},
    {.key = "trace", .type = KM_FIELD_PATH, AT(WORKLOAD, trace), .def = "",
     .help = "capture bundle or trace file; relative to the working directory, else to the configuration "
             "and the folders above it"},
    {.key = "format", .type = KM_FIELD_CHOICE, AT(WORKLOAD, format), .choices = format_choices,
     .def = "auto", .help = "of a memory-reference trace"},
    {.key = "mlp", .type = KM_FIELD_NUMBER, AT(WORKLOAD, mlp), .min = 1, .max = 1048576,
     .zero_word = "unlimited", .unit = "reads", .def = "unlimited",
     .help = "dram-rw: most reads outstanding"},
    {.key = "pace", .type = KM_FIELD_NUMBER, AT(WORKLOAD, pace_cycles), .max = 1000000000,
     .unit = "cycles", .def = "0", .help = "dram-rw: request i is not offered before cycle i * pace"},
    {.key = "limit", .type = KM_FIELD_NUMBER, AT(WORKLOAD, limit_events), .min = 1, .max = UINT64_MAX,
     .zero_word = "all", .unit = "events", .def = "all", .help = "stop after so many events"},
    {.key = "chase_max", .type = KM_FIELD_SIZE, AT(WORKLOAD, chase_max_bytes), .min = 1 * KIB,
     .max = 1 * GIB, .def = "8MiB", .help = "pointer-chase: largest buffer"},
    {.key = "chase_stride", .type = KM_FIELD_SIZE, AT(WORKLOAD, chase_stride_bytes), .min = 4,
     .max = 1 * MIB, .def = "64B", .help = "pointer-chase: distance of elements"},
    {.key = "chase_strides", .type = KM_FIELD_STRING, AT(WORKLOAD, chase_strides), .def = "",
     .help = "pointer-chase: several distances, as in 64B,4KiB; empty: chase_stride"},
    {.key = "chase_order", .type = KM_FIELD_CHOICE, AT(WORKLOAD, chase_order),
     .choices = chase_order_choices, .def = "random", .help = "pointer-chase: order of elements"},
    {.key = "chase_pages", .type = KM_FIELD_CHOICE, AT(WORKLOAD, chase_pages),
     .choices = chase_pages_choices, .def = "large", .help = "pointer-chase: pages of the buffer"},
    {.key = "micro_count", .type = KM_FIELD_NUMBER, AT(WORKLOAD, micro_count), .min = 1, .max = 1000000,
     .unit = "calls", .def = "10000", .help = "contended, slab-test, page-bench: calls in each phase"},
    {.key = "split_lines", .type = KM_FIELD_BOOL, AT(WORKLOAD, split_lines), .def = "false",
     .help = "memref: a reference that crosses a line border counts once per line; else its first byte counts"},
};

static const struct km_field dma_fields[] = {
    {.key = "duration", .type = KM_FIELD_NS, AT(DMA, duration_ns), .min = 1000, .max = 10000000000, .def = "20ms",
     .help = "drivers hand over no more buffers after this time"},
    {.key = "bounce", .type = KM_FIELD_CHOICE, AT(DMA, bounce), .choices = bounce_choices, .def = "swiotlb",
     .help = "what stands in for buffers a device cannot reach"},
    {.key = "swiotlb", .type = KM_FIELD_SIZE, AT(DMA, swiotlb_bytes), .min = 1 * MIB, .max = 4 * MIB, .def = "1MiB",
     .pow2 = true, .help = "bounce: swiotlb: size of the pool"},
};

static const struct km_field card_fields[] = {
    {.key = "on", .type = KM_FIELD_BOOL, AT(CARD, on), .def = "false", .help = "the card is there and used"},
    {.key = "block", .type = KM_FIELD_SIZE, AT(CARD, block_bytes), .min = 16, .max = 64 * KIB, .pow2 = true,
     .def = "512B", .help = "moved from one interrupt to the next"},
    {.key = "unit_time", .type = KM_FIELD_PS, AT(CARD, unit_ps), .min = 500000, .max = 1000000000, .def = "16us",
     .help = "of a byte (channel 2) or 16-bit word (channel 5) on the medium"},
    {.key = "fifo", .type = KM_FIELD_NUMBER, AT(CARD, fifo_units), .min = 1, .max = 4096, .unit = "units", .def = "1",
     .help = "bytes or words between medium and bus"},
};

static const struct km_field master_fields[] = {
    {.key = "on", .type = KM_FIELD_BOOL, AT(MASTER, on), .def = "false", .help = "the device is there and used"},
    {.key = "receives", .type = KM_FIELD_BOOL, AT(MASTER, receives), .def = "true",
     .help = "true: from the medium to memory; false: from memory to the medium"},
    {.key = "snooped", .type = KM_FIELD_BOOL, AT(MASTER, snooped), .def = "true",
     .help = "caches see its accesses; false: drivers flush lines, stale data are found and counted"},
    {.key = "mask", .type = KM_FIELD_NUMBER, AT(MASTER, mask_bits), .min = 1, .max = 64, .unit = "bits", .def = "32",
     .help = "address bits of the device (24 to 32)"},
    {.key = "frame", .type = KM_FIELD_SIZE, AT(MASTER, frame_bytes), .min = 4, .max = 4 * KIB, .def = "1514B",
     .help = "data of one descriptor"},
    {.key = "ring", .type = KM_FIELD_NUMBER, AT(MASTER, ring), .min = 1, .max = 64, .unit = "descriptors", .def = "16",
     .help = "descriptors, each with a buffer"},
    {.key = "frames_per_irq", .type = KM_FIELD_NUMBER, AT(MASTER, frames_per_irq), .min = 1, .max = 64,
     .unit = "frames", .def = "1", .help = "an interrupt after so many, or when no descriptor is left"},
    {.key = "byte_time", .type = KM_FIELD_PS, AT(MASTER, byte_ps), .min = 1, .max = 1000000000, .def = "80ns",
     .help = "of a byte on the medium; 80ns: 100 Mbit/s"},
    {.key = "gap", .type = KM_FIELD_PS, AT(MASTER, gap_ps), .max = 10000000000, .def = "960ns",
     .help = "between two frames on the medium"},
    {.key = "fifo", .type = KM_FIELD_SIZE, AT(MASTER, fifo_bytes), .min = 1, .max = 64 * KIB, .def = "2KiB",
     .help = "between medium and bus"},
    {.key = "threshold", .type = KM_FIELD_SIZE, AT(MASTER, threshold_bytes), .min = 1, .max = 64 * KIB, .def = "64B",
     .help = "sending: the medium starts when so much is in the FIFO"},
    {.key = "burst", .type = KM_FIELD_SIZE, AT(MASTER, burst_bytes), .min = 1, .max = 64 * KIB, .def = "32B",
     .help = "longest transaction on the PCI bus"},
};

static const struct km_field replay_fields[] = {
    {.key = "mode", .type = KM_FIELD_CHOICE, AT(REPLAY, mode), .choices = mode_choices, .def = "pages",
     .help = "how much of the trace is trusted"},
    {.key = "pacing", .type = KM_FIELD_CHOICE, AT(REPLAY, pacing), .choices = pacing_choices,
     .def = "timestamps", .help = "when events happen"},
    {.key = "resync", .type = KM_FIELD_BOOL, AT(REPLAY, resync), .def = "false",
     .help = "pages: score each decision, then continue from the traced one (truth.resyncs)"},
    {.key = "reclaim", .type = KM_FIELD_CHOICE, AT(REPLAY, reclaim), .choices = reclaim_choices, .def = "auto",
     .help = "pages, objects: who takes pages back under memory pressure"},
    {.key = "lookahead", .type = KM_FIELD_BOOL, AT(REPLAY, lookahead), .def = "true",
     .help = "infer what the start state does not tell from the trace ahead"},
    {.key = "check_events", .type = KM_FIELD_NUMBER, AT(REPLAY, check_events), .max = UINT64_MAX, .unit = "events",
     .def = "0", .help = "check the allocator's lists every so many events; 0: never (builds with KM_CHECK: 4096)"},
};

static const struct km_field report_fields[] = {
    {.key = "period", .type = KM_FIELD_NS, AT(REPORT, period_ns), .min = 1000, .max = 3600000000000,
     .def = "10ms", .help = "simulated time between samples"},
    {.key = "plots", .type = KM_FIELD_BOOL, AT(REPORT, plots), .def = "true",
     .help = "draw plots/*.svg (gnuplot)"},
    {.key = "html", .type = KM_FIELD_BOOL, AT(REPORT, html), .def = "true", .help = "write report.html"},
    {.key = "trace_out", .type = KM_FIELD_BOOL, AT(REPORT, trace_out), .def = "false",
     .help = "write the simulated kernel's own tracepoints, trace.out.txt.gz"},
    {.key = "vcd", .type = KM_FIELD_BOOL, AT(REPORT, vcd), .def = "false",
     .help = "write signals of bus and DRAM as a waveform, waves.vcd"},
    {.key = "vcd_changes", .type = KM_FIELD_NUMBER, AT(REPORT, vcd_changes), .min = 1, .max = 100000000,
     .unit = "changes", .def = "4000000", .help = "later changes are left out of waves.vcd"},
    {.key = "sharing_advice", .type = KM_FIELD_NUMBER, AT(REPORT, sharing_advice), .min = 1, .max = 16,
     .zero_word = "none", .unit = "caches", .def = "none",
     .help = "objects, timing full: replay again with the caches that lose most to false sharing aligned to lines"},
    {.key = "dram_commands", .type = KM_FIELD_BOOL, AT(REPORT, dram_commands), .def = "false",
     .help = "write every DRAM command with its clock, dram_commands.csv.gz"},
};

static const struct km_default l2_defaults[] = {{"size", "2MiB"}, {"latency", "10"}, {0}};
static const struct km_default l3_defaults[] = {
    {"size", "none"}, {"ways", "16"}, {"shared", "true"}, {"latency", "40"}, {0}};
static const struct km_default itlb_defaults[] = {{"entries_large", "2"}, {0}};
static const struct km_default stlb_defaults[] = {
    {"entries_4k", "none"}, {"entries_large", "none"}, {"miss_cycles", "0"}, {0}};

static const struct km_default sound_defaults[] = {
    {"block", "4KiB"}, {"unit_time", "11337868ps"}, {"fifo", "16"}, {0}};
static const struct km_default disk_defaults[] = {{"receives", "false"}, {"frame", "4KiB"}, {"byte_time", "30ns"},
                                                  {"gap", "8us"},        {"fifo", "512B"},  {"threshold", "256B"}, {0}};

const struct km_section km_sections[] = {
    {.path = "", ROWS(top_fields), .help = "the run"},
    {.path = "machine", .offset = offsetof(CFG, machine), ROWS(machine_fields),
     .help = "the simulated computer"},
    {.path = "machine.l1i", .offset = offsetof(CFG, machine.l1i), ROWS(cache_fields),
     .help = "first-level instruction cache of each CPU"},
    {.path = "machine.l1d", .offset = offsetof(CFG, machine.l1d), ROWS(cache_fields),
     .help = "first-level data cache of each CPU"},
    {.path = "machine.l2", .offset = offsetof(CFG, machine.l2), ROWS(cache_fields),
     .defaults = l2_defaults, .help = "second-level cache"},
    {.path = "machine.l3", .offset = offsetof(CFG, machine.l3), ROWS(cache_fields),
     .defaults = l3_defaults, .help = "third-level cache"},
    {.path = "machine.itlb", .offset = offsetof(CFG, machine.itlb), ROWS(tlb_fields),
     .defaults = itlb_defaults, .help = "instruction TLB"},
    {.path = "machine.dtlb", .offset = offsetof(CFG, machine.dtlb), ROWS(tlb_fields),
     .help = "data TLB"},
    {.path = "machine.stlb", .offset = offsetof(CFG, machine.stlb), ROWS(tlb_fields),
     .defaults = stlb_defaults, .help = "second-level TLB"},
    {.path = "machine.bus", .offset = offsetof(CFG, machine.bus), ROWS(bus_fields),
     .help = "bus that CPUs and memory share, with snooping"},
    {.path = "machine.dram", .offset = offsetof(CFG, machine.dram), ROWS(dram_fields),
     .help = "memory channels; times are in clocks of machine.dram.clock"},
    {.path = "os", .offset = offsetof(CFG, os), ROWS(os_fields), .help = "the simulated kernel"},
    {.path = "workload", .offset = offsetof(CFG, workload), ROWS(workload_fields),
     .help = "what is run"},
    {.path = "dma", .offset = offsetof(CFG, dma), ROWS(dma_fields),
     .help = "workload.type dma: traffic of devices and their drivers"},
    {.path = "dma.floppy", .offset = offsetof(CFG, dma.floppy), ROWS(card_fields),
     .help = "floppy controller, 8-bit ISA DMA to memory, single mode"},
    {.path = "dma.sound", .offset = offsetof(CFG, dma.sound), ROWS(card_fields), .defaults = sound_defaults,
     .help = "sound card, 16-bit ISA DMA from memory, autoinitialised"},
    {.path = "dma.nic", .offset = offsetof(CFG, dma.nic), ROWS(master_fields),
     .help = "network card, PCI bus master with a descriptor ring"},
    {.path = "dma.disk", .offset = offsetof(CFG, dma.disk), ROWS(master_fields), .defaults = disk_defaults,
     .help = "disk controller, PCI bus master with a descriptor ring"},
    {.path = "replay", .offset = offsetof(CFG, replay), ROWS(replay_fields),
     .help = "how a captured trace is replayed"},
    {.path = "report", .offset = offsetof(CFG, report), ROWS(report_fields),
     .help = "what a run leaves behind"},
};
const size_t km_nr_sections = KM_ARRAY_LEN(km_sections);
