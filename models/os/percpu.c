/* SPDX-License-Identifier: MIT
 * percpu.c - see percpu.h. free_percpu: recorded calls have 439 instructions with all they call
 * (118 of its own); the other counts are estimated from the code's size.
 */
#include "models/os/percpu.h"

#include "models/base/bits.h"
#include "models/base/bug.h"
#include "models/os/kfn.h"
#include "models/os/list.h"
#include "models/os/page_alloc.h"

#include <string.h>

#define SITE(n, va, bytes) .site = {.name = n, .text_va = va, .text_bytes = bytes}

static const struct km_fn fn_alloc = {SITE("pcpu_alloc", 0xc125f740, 1680), 200, 20, 20};
static const struct km_fn fn_free = {SITE("free_percpu", 0xc125f340, 848), 118, 12, 12};
static const struct km_fn fn_populate = {SITE("pcpu_populate_chunk", 0xc125e810, 784), 60, 12, 12};
static const struct km_fn fn_create = {SITE("pcpu_create_chunk", 0xc125de50, 384), 80, 10, 10};
static const struct km_site site_area = {"pcpu_alloc_area", 0xc125e5c0, 592};
static const struct km_site site_free_area = {"pcpu_free_area", 0xc125f040, 768};

/* struct pcpu_chunk */
enum {
    CH_LIST = 0,
    CH_FREE_BYTES = 8,
    CH_CONTIG = 12, /* largest free run, bits */
    CH_CONTIG_START = 16,
    CH_FIRST_FREE = 20,
    CH_BASE = 24,
    CH_ALLOC_MAP = 28,
    CH_BOUND_MAP = 32,
    CH_BLOCKS = 36,
    CH_PAGES = 40,
    CH_EMPTY = 44,     /* populated pages without objects */
    CH_POPULATED = 48, /* 2 words */
    CH_VM = 56,        /* vm_struct, 0: first chunk */
    CH_OBJCG = 60,
    CH_SLOT = 64,
    CH_BYTES = 68,
};

/* struct pcpu_block_md, one per page of the unit: free runs in bits */
enum {
    MD_CONTIG = 0,
    MD_CONTIG_START = 4,
    MD_LEFT = 8,
    MD_RIGHT = 12,
    MD_FIRST_FREE = 16,
    MD_BYTES = 32
};

#define BLOCK_BITS 1024u /* 4 KiB in steps of 4 bytes */
#define BLOCK_WORDS (BLOCK_BITS / 32)
#define NO_BIT UINT32_MAX

static km_vaddr stack_of(const struct km_percpu *p, const struct km_cpu *cpu)
{
    return p->p.v->p.slab->stack_va[cpu->id];
}

/* ---- bit maps in guest memory --------------------------------------------------------------- */

static bool test_bit(struct km_cpu *cpu, km_vaddr map, uint32_t bit)
{
    return km_ld32(cpu, map + bit / 32 * 4) >> bit % 32 & 1u;
}

static void write_bits(struct km_cpu *cpu, km_vaddr map, uint32_t first, uint32_t bits, bool set)
{
    while (bits) {
        uint32_t n = 32 - first % 32 < bits ? 32 - first % 32 : bits;
        uint32_t mask = (n == 32 ? UINT32_MAX : (1u << n) - 1) << first % 32;
        km_vaddr at = map + first / 32 * 4;
        uint32_t old = km_ld32(cpu, at);

        km_st32(cpu, at, set ? old | mask : old & ~mask);
        first += n;
        bits -= n;
    }
}

/* First bit at or above `from` that is set (or clear); `end` if none below it. */
static uint32_t next_bit(struct km_cpu *cpu, km_vaddr map, uint32_t from, uint32_t end, bool set)
{
    while (from < end) {
        uint32_t word = km_ld32(cpu, map + from / 32 * 4);

        if (!set)
            word = ~word;
        word &= UINT32_MAX << from % 32;
        if (word) {
            uint32_t bit = from / 32 * 32 + (uint32_t)__builtin_ctz(word);

            return bit < end ? bit : end;
        }
        from = (from / 32 + 1) * 32;
    }
    return end;
}

/* First aligned run of clear bits in [from, end); NO_BIT: none. */
static uint32_t find_clear_run(struct km_cpu *cpu, km_vaddr map, uint32_t from, uint32_t end,
                               uint32_t bits, uint32_t align)
{
    for (;;) {
        uint64_t at = km_align_up(next_bit(cpu, map, from, end, false), align);

        km_exec(cpu, &site_area, 8);
        if (at + bits > end)
            return NO_BIT;
        uint32_t used = next_bit(cpu, map, (uint32_t)at, (uint32_t)at + bits, true);

        if (used == at + bits)
            return (uint32_t)at;
        from = used + 1;
    }
}

/* ---- hints ---------------------------------------------------------------------------------- */

struct run {
    uint32_t start, bits;
};

/* The longer run; of equal ones the one whose start is better aligned. */
static void better_run(struct run *best, uint32_t start, uint32_t bits)
{
    bool aligned = best->start && (!start || __builtin_ctz(start) > __builtin_ctz(best->start));

    if (bits > best->bits || (bits && bits == best->bits && aligned))
        *best = (struct run){start, bits};
}

static void refresh_block(struct km_cpu *cpu, km_vaddr chunk, uint32_t block)
{
    km_vaddr map = km_ld32(cpu, chunk + CH_ALLOC_MAP) + block * BLOCK_WORDS * 4;
    km_vaddr md = km_ld32(cpu, chunk + CH_BLOCKS) + block * MD_BYTES;
    struct run best = {0, 0};
    uint32_t left = 0, right = 0, first_free = BLOCK_BITS;

    for (uint32_t at = 0; at < BLOCK_BITS;) {
        uint32_t start = next_bit(cpu, map, at, BLOCK_BITS, false);
        uint32_t end = next_bit(cpu, map, start, BLOCK_BITS, true);

        if (start == BLOCK_BITS)
            break;
        if (first_free == BLOCK_BITS)
            first_free = start;
        if (start == 0)
            left = end;
        if (end == BLOCK_BITS)
            right = end - start;
        better_run(&best, start, end - start);
        at = end;
    }
    km_st32(cpu, md + MD_CONTIG, best.bits);
    km_st32(cpu, md + MD_CONTIG_START, best.start);
    km_st32(cpu, md + MD_LEFT, left);
    km_st32(cpu, md + MD_RIGHT, right);
    km_st32(cpu, md + MD_FIRST_FREE, first_free);
}

/* The chunk's largest run, from its blocks; runs may cross their borders. */
static void refresh_chunk(struct km_cpu *cpu, km_vaddr chunk)
{
    uint32_t pages = km_ld32(cpu, chunk + CH_PAGES), first_free = pages * BLOCK_BITS;
    km_vaddr blocks = km_ld32(cpu, chunk + CH_BLOCKS);
    struct run best = {0, 0}, open = {0, 0};

    for (uint32_t i = 0; i < pages; i++) {
        km_vaddr md = blocks + i * MD_BYTES;
        uint32_t left = km_ld32(cpu, md + MD_LEFT), right = km_ld32(cpu, md + MD_RIGHT);

        km_exec(cpu, &site_area, 6);
        if (first_free == pages * BLOCK_BITS && km_ld32(cpu, md + MD_FIRST_FREE) < BLOCK_BITS)
            first_free = i * BLOCK_BITS + km_ld32(cpu, md + MD_FIRST_FREE);
        if (left == BLOCK_BITS) { /* wholly free: the run goes on */
            open = open.bits ? (struct run){open.start, open.bits + BLOCK_BITS}
                             : (struct run){i * BLOCK_BITS, BLOCK_BITS};
            continue;
        }
        better_run(&best, open.bits ? open.start : i * BLOCK_BITS, open.bits + left);
        better_run(&best, i * BLOCK_BITS + km_ld32(cpu, md + MD_CONTIG_START),
                   km_ld32(cpu, md + MD_CONTIG));
        open = (struct run){(i + 1) * BLOCK_BITS - right, right};
    }
    better_run(&best, open.start, open.bits);
    km_st32(cpu, chunk + CH_CONTIG, best.bits);
    km_st32(cpu, chunk + CH_CONTIG_START, best.start);
    km_st32(cpu, chunk + CH_FIRST_FREE, first_free);
}

static unsigned size_slot(const struct km_percpu *p, uint32_t bytes)
{
    if (bytes == p->p.unit_bytes)
        return p->free_slot;
    unsigned high = km_fls(bytes);

    return high > 4 ? high - 3 : 1;
}

static unsigned chunk_slot(const struct km_percpu *p, uint32_t free_bytes, uint32_t contig)
{
    return free_bytes < 4 || !contig ? 0 : size_slot(p, contig * 4);
}

static void to_slot(struct km_percpu *p, struct km_cpu *cpu, km_vaddr chunk, unsigned slot,
                    bool front)
{
    km_list_del(cpu, chunk + CH_LIST);
    if (front)
        km_list_add(cpu, chunk + CH_LIST, p->list_va[slot]);
    else
        km_list_add_tail(cpu, chunk + CH_LIST, p->list_va[slot]);
    km_st32(cpu, chunk + CH_SLOT, slot);
}

static void relocate(struct km_percpu *p, struct km_cpu *cpu, km_vaddr chunk)
{
    unsigned old = km_ld32(cpu, chunk + CH_SLOT);
    unsigned slot =
        chunk_slot(p, km_ld32(cpu, chunk + CH_FREE_BYTES), km_ld32(cpu, chunk + CH_CONTIG));

    if (slot != old)
        to_slot(p, cpu, chunk, slot, old < slot);
}

/* ---- pages ---------------------------------------------------------------------------------- */

static bool populated(struct km_cpu *cpu, km_vaddr chunk, uint32_t page)
{
    return test_bit(cpu, chunk + CH_POPULATED, page);
}

static bool block_is_free(struct km_cpu *cpu, km_vaddr chunk, uint32_t page)
{
    return km_ld32(cpu, km_ld32(cpu, chunk + CH_BLOCKS) + page * MD_BYTES + MD_CONTIG) ==
           BLOCK_BITS;
}

static void count_empty(struct km_percpu *p, struct km_cpu *cpu, km_vaddr chunk, int32_t change)
{
    km_st32(cpu, chunk + CH_EMPTY, km_ld32(cpu, chunk + CH_EMPTY) + (uint32_t)change);
    /* Only chunks that can be given back count for the worker, as the first always stays populated.
     */
    km_st32(cpu, p->empty_pages_va, km_ld32(cpu, p->empty_pages_va) + (uint32_t)change);
}

static void release_page(struct km_percpu *p, struct km_cpu *cpu, km_vaddr chunk, uint32_t page,
                         unsigned cpus)
{
    km_vaddr base = km_ld32(cpu, chunk + CH_BASE);

    for (unsigned c = 0; c < cpus; c++) {
        km_vaddr va = base + c * p->p.unit_bytes + page * KM_PAGE_BYTES;
        km_pfn pfn = km_pgtable_peek(p->p.v->p.pt, cpu->window, va);

        km_vm_unmap_range(p->p.v, cpu, va, 1);
        km_free_pages(p->os, cpu, pfn, 0);
        p->stats.pages_released++;
    }
}

/* One page of the unit, for every CPU. False: out of memory, nothing changed. */
static bool populate(struct km_percpu *p, struct km_cpu *cpu, km_vaddr chunk, uint32_t page)
{
    km_vaddr base = km_ld32(cpu, chunk + CH_BASE);

    km_fn_enter(cpu, stack_of(p, cpu), &fn_populate);
    for (unsigned c = 0; c < p->os->p.cpus; c++) {
        km_vaddr va = base + c * p->p.unit_bytes + page * KM_PAGE_BYTES;
        km_pfn pfn = km_alloc_pages(p->os, cpu, KM_GFP_KERNEL | KM_GFP_HIGHMEM, 0);

        if (pfn != KM_PFN_NONE && !km_vm_map_range(p->p.v, cpu, va, pfn, 1, 0)) {
            km_free_pages(p->os, cpu, pfn, 0);
            pfn = KM_PFN_NONE;
        }
        if (pfn == KM_PFN_NONE) {
            release_page(p, cpu, chunk, page, c);
            km_fn_leave(cpu, stack_of(p, cpu), &fn_populate);
            return false;
        }
        km_st32(cpu, km_page_va(p->os, pfn) + KM_PAGE_INDEX, chunk);
        p->stats.pages_populated++;
    }
    write_bits(cpu, chunk + CH_POPULATED, page, 1, true);
    km_fn_leave(cpu, stack_of(p, cpu), &fn_populate);
    return true;
}

/* ---- chunks --------------------------------------------------------------------------------- */

static km_vaddr zalloc(struct km_percpu *p, struct km_cpu *cpu, uint32_t bytes)
{
    km_vaddr va = bytes <= KM_PAGE_BYTES ? km_kzalloc(p->p.v->p.slab, cpu, bytes, KM_GFP_KERNEL)
                                         : km_vzalloc(p->p.v, cpu, bytes, 0);
    if (va)
        memset(cpu->window + va, 0, bytes);
    return va;
}

static void zfree(struct km_percpu *p, struct km_cpu *cpu, km_vaddr va)
{
    if (va >= p->p.v->p.start && va < p->p.v->p.end)
        km_vfree(p->p.v, cpu, va, false);
    else if (va)
        km_kfree(p->p.v->p.slab, cpu, va);
}

static void drop_chunk(struct km_percpu *p, struct km_cpu *cpu, km_vaddr chunk)
{
    zfree(p, cpu, km_ld32(cpu, chunk + CH_OBJCG));
    zfree(p, cpu, km_ld32(cpu, chunk + CH_BLOCKS));
    zfree(p, cpu, km_ld32(cpu, chunk + CH_BOUND_MAP));
    zfree(p, cpu, km_ld32(cpu, chunk + CH_ALLOC_MAP));
    zfree(p, cpu, chunk);
}

/* Descriptor, maps and hints of a chunk of `pages` pages per unit, all free; in no list. */
static km_vaddr new_chunk(struct km_percpu *p, struct km_cpu *cpu, uint32_t pages)
{
    km_vaddr chunk = zalloc(p, cpu, CH_BYTES);
    uint32_t bits = pages * BLOCK_BITS;

    if (!chunk)
        return 0;
    km_st32(cpu, chunk + CH_ALLOC_MAP, zalloc(p, cpu, bits / 8));
    km_st32(cpu, chunk + CH_BOUND_MAP, zalloc(p, cpu, bits / 8 + 4));
    km_st32(cpu, chunk + CH_BLOCKS, zalloc(p, cpu, pages * MD_BYTES));
    if (p->p.memcg)
        km_st32(cpu, chunk + CH_OBJCG, zalloc(p, cpu, bits * 4));
    if (!km_ld32(cpu, chunk + CH_ALLOC_MAP) || !km_ld32(cpu, chunk + CH_BOUND_MAP) ||
        !km_ld32(cpu, chunk + CH_BLOCKS) || (p->p.memcg && !km_ld32(cpu, chunk + CH_OBJCG))) {
        drop_chunk(p, cpu, chunk);
        return 0;
    }
    km_st32(cpu, chunk + CH_PAGES, pages);
    km_st32(cpu, chunk + CH_FREE_BYTES, pages * KM_PAGE_BYTES);
    for (uint32_t i = 0; i < pages; i++)
        refresh_block(cpu, chunk, i);
    refresh_chunk(cpu, chunk);
    km_list_init(cpu, chunk + CH_LIST);
    return chunk;
}

static km_vaddr create_chunk(struct km_percpu *p, struct km_cpu *cpu)
{
    struct km_vmalloc *v = p->p.v;
    uint32_t bytes = p->p.unit_bytes * p->os->p.cpus;

    km_fn_enter(cpu, stack_of(p, cpu), &fn_create);
    km_vaddr chunk = new_chunk(p, cpu, p->p.unit_bytes >> KM_PAGE_SHIFT);
    km_vaddr vm = chunk ? km_kzalloc(v->p.slab, cpu, KM_VMS_BYTES, KM_GFP_KERNEL) : 0;
    km_vaddr area = vm ? km_vmap_alloc_top(&v->vmap, cpu, bytes, KM_PAGE_BYTES, KM_GFP_KERNEL) : 0;

    if (area) {
        memset(cpu->window + vm, 0, KM_VMS_BYTES);
        km_st32(cpu, vm + KM_VMS_ADDR, km_ld32(cpu, area + KM_VA_START));
        km_st32(cpu, vm + KM_VMS_SIZE, bytes);
        km_st32(cpu, vm + KM_VMS_FLAGS, KM_VM_ALLOC | KM_VM_NO_GUARD);
        km_st32(cpu, area + KM_VA_VM, vm);
        km_st32(cpu, chunk + CH_BASE, km_ld32(cpu, area + KM_VA_START));
        km_st32(cpu, chunk + CH_VM, vm);
        km_st32(cpu, chunk + CH_SLOT, 0);
        relocate(p, cpu, chunk);
        p->stats.chunks_created++;
    } else if (chunk) {
        km_kfree(v->p.slab, cpu, vm);
        drop_chunk(p, cpu, chunk);
        chunk = 0;
    }
    km_fn_leave(cpu, stack_of(p, cpu), &fn_create);
    return chunk;
}

static void destroy_chunk(struct km_percpu *p, struct km_cpu *cpu, km_vaddr chunk)
{
    uint32_t pages = km_ld32(cpu, chunk + CH_PAGES);

    km_list_del(cpu, chunk + CH_LIST);
    for (uint32_t i = 0; i < pages; i++) {
        if (!populated(cpu, chunk, i))
            continue;
        release_page(p, cpu, chunk, i, p->os->p.cpus);
        count_empty(p, cpu, chunk, -1);
    }
    km_vaddr vm = km_vm_area_remove(p->p.v, cpu, km_ld32(cpu, chunk + CH_BASE));

    km_kfree(p->p.v->p.slab, cpu, vm);
    drop_chunk(p, cpu, chunk);
    p->stats.chunks_destroyed++;
}

bool km_percpu_init(struct km_percpu *p, struct km_os *os, struct km_cpu *cpu,
                    const struct km_percpu_params *params)
{
    uint32_t hidden = params->static_bytes % KM_PAGE_BYTES;
    uint32_t pages = (hidden + params->dynamic_bytes + KM_PAGE_BYTES - 1) >> KM_PAGE_SHIFT;

    memset(p, 0, sizeof(*p));
    p->os = os;
    p->p = *params;
    p->free_slot = km_fls(params->unit_bytes) - 3 + 2;
    KM_BUG_ON(p->free_slot >= KM_PERCPU_SLOTS || !params->v->p.pt ||
              params->unit_bytes % KM_PAGE_BYTES ||
              params->unit_bytes > KM_PERCPU_MAX_PAGES * KM_PAGE_BYTES);
    km_vaddr words = km_os_static_alloc(os, 8 * KM_PERCPU_SLOTS + 8, 64);

    for (unsigned i = 0; i < KM_PERCPU_SLOTS; i++) {
        p->list_va[i] = words + 8 * i;
        km_list_init(cpu, p->list_va[i]);
    }
    p->empty_pages_va = words + 8 * KM_PERCPU_SLOTS;
    p->lock_va = p->empty_pages_va + 4;
    km_st32(cpu, p->empty_pages_va, 0);
    km_st32(cpu, p->lock_va, 0);

    km_vaddr chunk = new_chunk(p, cpu, pages);

    if (!chunk)
        return false;
    km_vaddr base = params->first_base + (params->static_bytes - hidden);

    p->first_chunk = chunk;
    km_st32(cpu, chunk + CH_BASE, base);
    km_st32(cpu, chunk + CH_SLOT, 0);
    relocate(p, cpu, chunk);
    write_bits(cpu, chunk + CH_POPULATED, 0, pages, true);
    count_empty(p, cpu, chunk, (int32_t)pages);
    if (hidden) /* the last static variables share the first page */
        km_percpu_adopt(p, cpu, base, hidden);
    if ((hidden + params->dynamic_bytes) % KM_PAGE_BYTES)
        km_percpu_adopt(p, cpu, base + hidden + params->dynamic_bytes,
                        pages * KM_PAGE_BYTES - hidden - params->dynamic_bytes);
    p->stats.live_bytes = p->stats.peak_bytes = 0;
    return true;
}

/* ---- allocation ----------------------------------------------------------------------------- */

/* All pages of a run populated? If not, *next is the bit behind the first missing page. */
static bool run_populated(struct km_cpu *cpu, km_vaddr chunk, uint32_t bit, uint32_t bits,
                          uint32_t *next)
{
    for (uint32_t page = bit / BLOCK_BITS; page * BLOCK_BITS < bit + bits; page++)
        if (!populated(cpu, chunk, page)) {
            *next = (page + 1) * BLOCK_BITS;
            return false;
        }
    return true;
}

/* First region at or above *bit whose hints promise a fit; its search start and the bits to look
 * at. */
static bool next_fit_region(struct km_cpu *cpu, km_vaddr chunk, uint32_t want, uint32_t align,
                            uint32_t *bit, uint32_t *bits)
{
    uint32_t pages = km_ld32(cpu, chunk + CH_PAGES), block_off = *bit % BLOCK_BITS;
    km_vaddr blocks = km_ld32(cpu, chunk + CH_BLOCKS);

    *bits = 0;
    for (uint32_t i = *bit / BLOCK_BITS; i < pages; i++) {
        km_vaddr md = blocks + i * MD_BYTES;
        uint32_t left = km_ld32(cpu, md + MD_LEFT), contig = km_ld32(cpu, md + MD_CONTIG);
        uint32_t start = km_ld32(cpu, md + MD_CONTIG_START);

        km_exec(cpu, &site_area, 12);
        if (*bits) { /* a run that began in the block before */
            *bits += left;
            if (*bits >= want)
                return true;
            if (left == BLOCK_BITS)
                continue;
        }
        uint32_t skew = (uint32_t)km_align_up(start, align) - start;

        if (contig && start >= block_off && contig >= skew + want) {
            uint32_t from = km_ld32(cpu, md + MD_FIRST_FREE);

            *bit = i * BLOCK_BITS + from;
            *bits = skew + want + start - from;
            return true;
        }
        block_off = 0;
        uint32_t tail = (uint32_t)km_align_up(BLOCK_BITS - km_ld32(cpu, md + MD_RIGHT), align);

        *bits = tail < BLOCK_BITS ? BLOCK_BITS - tail : 0;
        *bit = i * BLOCK_BITS + tail;
        if (*bits && *bits >= want)
            return true;
    }
    return false;
}

/* Where the map search of a chunk begins; NO_BIT: no room. */
static uint32_t find_fit(struct km_cpu *cpu, km_vaddr chunk, uint32_t want, uint32_t align,
                         bool atomic)
{
    uint32_t contig = km_ld32(cpu, chunk + CH_CONTIG),
             start = km_ld32(cpu, chunk + CH_CONTIG_START);
    uint32_t bit = km_ld32(cpu, chunk + CH_FIRST_FREE), bits, next;
    uint32_t end = km_ld32(cpu, chunk + CH_PAGES) * BLOCK_BITS;

    if (km_align_up(start, align) - start + want > contig)
        return NO_BIT;
    while (bit < end && next_fit_region(cpu, chunk, want, align, &bit, &bits)) {
        if (!atomic || run_populated(cpu, chunk, bit, bits, &next))
            return bit;
        bit = next;
    }
    return NO_BIT;
}

/* Marks an object; hints and empty-page counts follow. */
static void take(struct km_percpu *p, struct km_cpu *cpu, km_vaddr chunk, uint32_t bit,
                 uint32_t bits)
{
    km_vaddr bound = km_ld32(cpu, chunk + CH_BOUND_MAP);
    uint32_t first = bit / BLOCK_BITS, last = (bit + bits - 1) / BLOCK_BITS;

    for (uint32_t i = first; i <= last; i++)
        if (block_is_free(cpu, chunk, i) && populated(cpu, chunk, i))
            count_empty(p, cpu, chunk, -1);
    write_bits(cpu, km_ld32(cpu, chunk + CH_ALLOC_MAP), bit, bits, true);
    write_bits(cpu, bound, bit, bits, false);
    write_bits(cpu, bound, bit, 1, true);
    write_bits(cpu, bound, bit + bits, 1, true);
    km_st32(cpu, chunk + CH_FREE_BYTES, km_ld32(cpu, chunk + CH_FREE_BYTES) - bits * 4);
    for (uint32_t i = first; i <= last; i++)
        refresh_block(cpu, chunk, i);
    refresh_chunk(cpu, chunk);
    relocate(p, cpu, chunk);
    p->stats.live_bytes += bits * 4;
    p->stats.peak_bytes = (uint32_t)km_max_u64(p->stats.peak_bytes, p->stats.live_bytes);
}

static uint32_t take_from_chunk(struct km_percpu *p, struct km_cpu *cpu, km_vaddr chunk,
                                uint32_t bits, uint32_t align, bool atomic)
{
    uint32_t map_bits = km_ld32(cpu, chunk + CH_PAGES) * BLOCK_BITS;
    uint32_t from = find_fit(cpu, chunk, bits, align, atomic);

    p->stats.chunks_searched++;
    if (from == NO_BIT)
        return NO_BIT;
    uint32_t end = from + bits + BLOCK_BITS < map_bits ? from + bits + BLOCK_BITS : map_bits;
    uint32_t bit = find_clear_run(cpu, km_ld32(cpu, chunk + CH_ALLOC_MAP), from, end, bits, align);

    if (bit != NO_BIT)
        take(p, cpu, chunk, bit, bits);
    return bit;
}

/* Looks through the lists from the request's size upwards. */
static km_vaddr search(struct km_percpu *p, struct km_cpu *cpu, uint32_t bits, uint32_t align,
                       bool atomic, uint32_t *bit)
{
    for (unsigned slot = size_slot(p, bits * 4); slot <= p->free_slot; slot++) {
        km_vaddr head = p->list_va[slot], next;

        for (km_vaddr at = km_list_first(cpu, head); at != head; at = next) {
            next = km_ld32(cpu, at + KM_LIST_NEXT);
            *bit = take_from_chunk(p, cpu, at - CH_LIST, bits, align, atomic);
            if (*bit != NO_BIT)
                return at - CH_LIST;
            p->stats.chunks_without_fit++;
            if (slot < 3) /* hardly anything left: out of the way of small requests */
                to_slot(p, cpu, at - CH_LIST, 0, false);
        }
    }
    return 0;
}

static void give_back(struct km_percpu *p, struct km_cpu *cpu, km_vaddr chunk, uint32_t bit);

/* Pages behind a new object. On failure the object is given back. */
static bool populate_object(struct km_percpu *p, struct km_cpu *cpu, km_vaddr chunk, uint32_t bit,
                            uint32_t bits)
{
    for (uint32_t page = bit / BLOCK_BITS; page * BLOCK_BITS < bit + bits; page++) {
        if (populated(cpu, chunk, page) || populate(p, cpu, chunk, page))
            continue;
        give_back(p, cpu, chunk, bit);
        return false;
    }
    return true;
}

static void zero_object(struct km_percpu *p, struct km_cpu *cpu, km_vaddr at, uint32_t bytes)
{
    for (unsigned c = 0; c < p->os->p.cpus; c++) {
        km_touch(cpu, km_percpu_ptr(p, at, c), bytes, KM_REF_STORE);
        memset(cpu->window + km_percpu_ptr(p, at, c), 0, bytes);
    }
}

struct km_percpu_area km_percpu_alloc(struct km_percpu *p, struct km_cpu *cpu, uint32_t bytes,
                                      uint32_t align, bool atomic)
{
    struct km_percpu_area area = {0, 0};
    uint32_t bits = (uint32_t)(((uint64_t)bytes + 3) / 4), step = align > 4 ? align / 4 : 1,
             bit = 0;
    km_vaddr chunk = 0;

    if (!bytes || bytes > KM_PERCPU_MAX_BYTES || align > KM_PAGE_BYTES || !km_is_pow2(align)) {
        p->stats.failed++;
        return area;
    }
    km_fn_enter(cpu, stack_of(p, cpu), &fn_alloc);
    km_lock(cpu, p->lock_va);
    chunk = search(p, cpu, bits, step, atomic, &bit);
    if (!chunk && !atomic && create_chunk(p, cpu))
        chunk = search(p, cpu, bits, step, atomic, &bit);
    km_unlock(cpu, p->lock_va);
    if (chunk && !populate_object(p, cpu, chunk, bit, bits))
        chunk = 0;
    if (chunk) {
        area = (struct km_percpu_area){km_ld32(cpu, chunk + CH_BASE), bit * 4};
        zero_object(p, cpu, area.base + area.off, bits * 4);
        p->stats.allocs++;
    }
    p->stats.failed += !chunk;
    if ((!chunk && atomic) || km_ld32(cpu, p->empty_pages_va) < KM_PERCPU_EMPTY_LOW)
        p->work_wanted = true;
    km_fn_leave(cpu, stack_of(p, cpu), &fn_alloc);
    return area;
}

/* Chunk whose region of CPU 0 holds the address, found in the lists. */
static km_vaddr listed_chunk(struct km_percpu *p, struct km_cpu *cpu, km_vaddr ptr)
{
    for (unsigned slot = 0; slot < KM_PERCPU_SLOTS; slot++)
        for (km_vaddr at = km_peek32(cpu->window, p->list_va[slot]); at != p->list_va[slot];
             at = km_peek32(cpu->window, at + KM_LIST_NEXT)) {
            km_vaddr base = km_peek32(cpu->window, at - CH_LIST + CH_BASE);
            uint32_t pages = km_peek32(cpu->window, at - CH_LIST + CH_PAGES);

            if (ptr >= base && ptr - base < pages * KM_PAGE_BYTES)
                return at - CH_LIST;
        }
    return 0;
}

bool km_percpu_adopt(struct km_percpu *p, struct km_cpu *cpu, km_vaddr ptr, uint32_t bytes)
{
    km_vaddr chunk = listed_chunk(p, cpu, ptr);
    uint32_t bits = (bytes + 3) / 4, bit, end;

    if (!chunk || !bits)
        return false;
    bit = (ptr - km_ld32(cpu, chunk + CH_BASE)) / 4;
    end = km_ld32(cpu, chunk + CH_PAGES) * BLOCK_BITS;
    if (bit + bits > end ||
        next_bit(cpu, km_ld32(cpu, chunk + CH_ALLOC_MAP), bit, bit + bits, true) != bit + bits)
        return false;
    take(p, cpu, chunk, bit, bits);
    return populate_object(p, cpu, chunk, bit, bits);
}

/* ---- freeing -------------------------------------------------------------------------------- */

static void give_back(struct km_percpu *p, struct km_cpu *cpu, km_vaddr chunk, uint32_t bit)
{
    uint32_t map_bits = km_ld32(cpu, chunk + CH_PAGES) * BLOCK_BITS;
    uint32_t end = next_bit(cpu, km_ld32(cpu, chunk + CH_BOUND_MAP), bit + 1, map_bits, true);
    uint32_t first = bit / BLOCK_BITS, last = (end - 1) / BLOCK_BITS;

    km_exec(cpu, &site_free_area, 60);
    write_bits(cpu, km_ld32(cpu, chunk + CH_ALLOC_MAP), bit, end - bit, false);
    km_st32(cpu, chunk + CH_FREE_BYTES, km_ld32(cpu, chunk + CH_FREE_BYTES) + (end - bit) * 4);
    for (uint32_t i = first; i <= last; i++) {
        refresh_block(cpu, chunk, i);
        if (block_is_free(cpu, chunk, i) && populated(cpu, chunk, i))
            count_empty(p, cpu, chunk, 1);
    }
    refresh_chunk(cpu, chunk);
    relocate(p, cpu, chunk);
    p->stats.live_bytes -= (end - bit) * 4;
}

/* Chunk whose region of CPU 0 holds the address; 0: none. */
static km_vaddr chunk_of(struct km_percpu *p, struct km_cpu *cpu, km_vaddr ptr)
{
    km_vaddr base = km_ld32(cpu, p->first_chunk + CH_BASE);

    if (ptr >= base && ptr < base + km_ld32(cpu, p->first_chunk + CH_PAGES) * KM_PAGE_BYTES)
        return p->first_chunk;
    if (ptr < p->p.v->p.start || ptr >= p->p.v->p.end)
        return 0;
    km_vaddr area = km_vmap_find(&p->p.v->vmap, cpu, ptr);
    km_pfn pfn = km_pgtable_peek(p->p.v->p.pt, cpu->window, ptr);

    if (!area || pfn == KM_PFN_NONE)
        return 0;
    km_vaddr chunk = km_ld32(cpu, km_page_va(p->os, pfn) + KM_PAGE_INDEX);

    /* The word means a chunk only if the address belongs to one. */
    return chunk == listed_chunk(p, cpu, ptr) ? chunk : 0;
}

bool km_percpu_free(struct km_percpu *p, struct km_cpu *cpu, km_vaddr ptr)
{
    km_fn_enter(cpu, stack_of(p, cpu), &fn_free);
    km_lock(cpu, p->lock_va);
    km_vaddr chunk = chunk_of(p, cpu, ptr);
    uint32_t off = chunk ? ptr - km_ld32(cpu, chunk + CH_BASE) : 0;
    bool ok = chunk && off % 4 == 0 && test_bit(cpu, km_ld32(cpu, chunk + CH_ALLOC_MAP), off / 4) &&
              test_bit(cpu, km_ld32(cpu, chunk + CH_BOUND_MAP), off / 4);

    if (ok) {
        give_back(p, cpu, chunk, off / 4);
        p->stats.frees++;
        /* More than one chunk without objects: the worker destroys the others. */
        km_vaddr head = p->list_va[p->free_slot], first = km_list_first(cpu, head);

        if (first != head && km_ld32(cpu, first + KM_LIST_NEXT) != head)
            p->work_wanted = true;
    } else {
        p->stats.bad_frees++;
    }
    km_unlock(cpu, p->lock_va);
    km_fn_leave(cpu, stack_of(p, cpu), &fn_free);
    return ok;
}

/* ---- the worker ----------------------------------------------------------------------------- */

static void destroy_free_chunks(struct km_percpu *p, struct km_cpu *cpu)
{
    km_vaddr head = p->list_va[p->free_slot], first = km_list_first(cpu, head), next;

    if (first == head)
        return;
    for (km_vaddr at = km_ld32(cpu, first + KM_LIST_NEXT); at != head; at = next) {
        next = km_ld32(cpu, at + KM_LIST_NEXT);
        destroy_chunk(p, cpu, at - CH_LIST);
    }
}

/* Populates free pages until there are enough; false: all chunks are full of pages. */
static bool populate_some(struct km_percpu *p, struct km_cpu *cpu, uint32_t *want)
{
    for (unsigned slot = size_slot(p, KM_PAGE_BYTES); slot <= p->free_slot; slot++) {
        km_vaddr head = p->list_va[slot];

        for (km_vaddr at = km_list_first(cpu, head); at != head;
             at = km_ld32(cpu, at + KM_LIST_NEXT)) {
            km_vaddr chunk = at - CH_LIST;
            uint32_t pages = km_ld32(cpu, chunk + CH_PAGES);

            for (uint32_t i = 0; i < pages && *want; i++) {
                if (populated(cpu, chunk, i))
                    continue;
                if (!populate(p, cpu, chunk, i)) {
                    *want = 0;
                    return true;
                }
                if (block_is_free(cpu, chunk, i))
                    count_empty(p, cpu, chunk, 1);
                --*want;
            }
            if (!*want)
                return true;
        }
    }
    return false;
}

bool km_percpu_work(struct km_percpu *p, struct km_cpu *cpu)
{
    if (!p->work_wanted)
        return false;
    p->work_wanted = false;
    p->stats.work_runs++;
    destroy_free_chunks(p, cpu);
    uint32_t empty = km_ld32(cpu, p->empty_pages_va);
    uint32_t want = empty < KM_PERCPU_EMPTY_HIGH ? KM_PERCPU_EMPTY_HIGH - empty : 0;

    while (want && !populate_some(p, cpu, &want))
        if (!create_chunk(p, cpu))
            break;
    return true;
}

/* ---- check ---------------------------------------------------------------------------------- */

static bool peek_bit(const uint8_t *w, km_vaddr map, uint32_t bit)
{
    return km_peek32(w, map + bit / 32 * 4) >> bit % 32 & 1u;
}

static const char *check_block(const uint8_t *w, km_vaddr chunk, uint32_t block, uint32_t *used)
{
    km_vaddr map = km_peek32(w, chunk + CH_ALLOC_MAP),
             md = km_peek32(w, chunk + CH_BLOCKS) + block * MD_BYTES;
    uint32_t run = 0, best = 0, left = 0, first = BLOCK_BITS;

    for (uint32_t i = 0; i < BLOCK_BITS; i++) {
        if (peek_bit(w, map, block * BLOCK_BITS + i)) {
            run = 0;
            ++*used;
            continue;
        }
        first = first < i ? first : i;
        best = ++run > best ? run : best;
        left += left == i;
    }
    if (km_peek32(w, md + MD_CONTIG) != best || km_peek32(w, md + MD_LEFT) != left ||
        km_peek32(w, md + MD_RIGHT) != run || km_peek32(w, md + MD_FIRST_FREE) != first)
        return "hints of a block do not describe its map";
    return NULL;
}

static const char *check_chunk(const struct km_percpu *p, const uint8_t *w, km_vaddr chunk,
                               unsigned slot, uint32_t *empty)
{
    uint32_t pages = km_peek32(w, chunk + CH_PAGES), used = 0, best = 0, run = 0, free_pages = 0;
    km_vaddr map = km_peek32(w, chunk + CH_ALLOC_MAP);

    for (uint32_t i = 0; i < pages; i++) {
        uint32_t before = used;
        const char *why = check_block(w, chunk, i, &used);
        bool has_pages = peek_bit(w, chunk + CH_POPULATED, i);

        if (why)
            return why;
        if (used != before && !has_pages)
            return "an object in a page that is not populated";
        free_pages += used == before && has_pages;
    }
    for (uint32_t i = 0; i < pages * BLOCK_BITS; i++) {
        run = peek_bit(w, map, i) ? 0 : run + 1;
        best = run > best ? run : best;
    }
    if (km_peek32(w, chunk + CH_CONTIG) != best)
        return "the largest free run of a chunk is wrong";
    if (km_peek32(w, chunk + CH_FREE_BYTES) != (pages * BLOCK_BITS - used) * 4)
        return "free bytes of a chunk are wrong";
    if (km_peek32(w, chunk + CH_EMPTY) != free_pages)
        return "empty populated pages of a chunk are wrong";
    /* A chunk that failed small requests waits in list 0. */
    if (km_peek32(w, chunk + CH_SLOT) != slot ||
        (slot && slot != chunk_slot(p, (pages * BLOCK_BITS - used) * 4, best)))
        return "a chunk is in the wrong list";
    *empty += free_pages;
    return NULL;
}

const char *km_percpu_check(const struct km_percpu *p, const uint8_t *window)
{
    uint32_t empty = 0;

    for (unsigned slot = 0; slot < KM_PERCPU_SLOTS; slot++)
        for (km_vaddr at = km_peek32(window, p->list_va[slot]); at != p->list_va[slot];
             at = km_peek32(window, at + KM_LIST_NEXT)) {
            const char *why = check_chunk(p, window, at - CH_LIST, slot, &empty);

            if (why)
                return why;
        }
    if (empty != km_peek32(window, p->empty_pages_va))
        return "the count of empty populated pages is wrong";
    return NULL;
}
