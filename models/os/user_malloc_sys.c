/* SPDX-License-Identifier: MIT
 * user_malloc_sys.c - memory from the kernel: brk, mapped chunks, 1 MiB heaps of extra arenas, trimming.
 *
 * The break grows by the request plus top pad, less what the top still has, in whole pages. The first
 * growth starts 8 bytes behind a page (payloads are aligned to 16, the header has 8) and is rounded up to
 * a whole page again, hence 0x22000 bytes for a first small request. If brk fails, 1 MiB or more is
 * mapped and the arena is not contiguous from then on. The end of an abandoned top is fenced by chunks
 * that are never freed.
 */
#include "models/os/user_malloc_priv.h"

#include "models/base/bits.h"

#define MORECORE_BYTES (1u << 20)
#define PAGE KM_PAGE_BYTES

static uint32_t page_up(uint32_t n)
{
    return (n + PAGE - 1) & ~(PAGE - 1);
}

static void grow_system_mem(const struct km_heap_call *c, km_vaddr arena, uint32_t by)
{
    uint32_t now = ld(c, arena + AR_SYSTEM_MEM) + by;

    st(c, arena + AR_SYSTEM_MEM, now);
    if (now > ld(c, arena + AR_MAX_SYSTEM_MEM))
        st(c, arena + AR_MAX_SYSTEM_MEM, now);
}

km_vaddr km_sysmalloc_mmap(const struct km_heap_call *c, uint32_t nb)
{
    struct km_user_heap *h = c->h;
    uint64_t size = km_align_up((uint64_t)nb + 4 + ALIGN_MASK, PAGE);

    if (size > UINT32_MAX - PAGE)
        return 0;
    km_vaddr at = km_user_mmap(c->mm, c->cpu, 0, size, KM_PROT_READ | KM_PROT_WRITE, 0);

    if (km_user_failed(at))
        return 0;
    st(c, at + CH_HEADER + CH_PREV_SIZE, CH_HEADER); /* distance to the start of the mapping */
    set_head(c, at + CH_HEADER, ((uint32_t)size - CH_HEADER) | IS_MMAPPED);
    h->stats.mmapped++;
    h->mmapped_bytes += size;
    if (++h->nr_mmaps > h->max_nr_mmaps)
        h->max_nr_mmaps = h->nr_mmaps;
    if (h->mmapped_bytes > h->max_mmapped_bytes)
        h->max_mmapped_bytes = h->mmapped_bytes;
    return at + 2 * CH_HEADER;
}

void km_munmap_chunk(const struct km_heap_call *c, km_vaddr p)
{
    uint32_t offset = ld(c, p + CH_PREV_SIZE), total = offset + chunk_size(c, p);
    km_vaddr block = p - offset, mem = p + CH_HEADER;

    if ((block | total) & (PAGE - 1) || !total || !km_is_pow2(mem & (PAGE - 1)) ||
        km_user_failed(km_user_munmap(c->mm, c->cpu, block, total))) {
        km_heap_misuse(c, KM_MISUSE_INVALID_POINTER, mem, "munmap_chunk(): invalid pointer");
        return;
    }
    c->h->stats.munmapped++;
    c->h->nr_mmaps--;
    c->h->mmapped_bytes -= total;
}

km_vaddr km_mremap_chunk(const struct km_heap_call *c, km_vaddr p, uint32_t nb)
{
    uint32_t offset = ld(c, p + CH_PREV_SIZE), total = offset + chunk_size(c, p);
    uint64_t want = km_align_up((uint64_t)nb + offset + 4, PAGE);
    km_vaddr block = p - offset, at;

    if ((block | total) & (PAGE - 1) || !km_is_pow2((p + CH_HEADER) & (PAGE - 1))) {
        km_heap_misuse(c, KM_MISUSE_INVALID_POINTER, p + CH_HEADER, "mremap_chunk(): invalid pointer");
        return 0;
    }
    if (want == total)
        return p;
    if (want > KM_TASK_SIZE)
        return 0;
    at = km_user_mremap(c->mm, c->cpu, block, total, want, true);
    if (km_user_failed(at))
        return 0;
    set_head(c, at + offset, ((uint32_t)want - offset) | IS_MMAPPED);
    c->h->mmapped_bytes += want - total;
    if (c->h->mmapped_bytes > c->h->max_mmapped_bytes)
        c->h->max_mmapped_bytes = c->h->mmapped_bytes;
    return at + offset;
}

/* ---- extra arenas ----------------------------------------------------------------------------- */

static km_vaddr aligned_mapping(const struct km_heap_call *c)
{
    struct km_user_heap *h = c->h;
    km_vaddr at, aligned;

    if (h->aligned_heap_area) {
        at = km_user_mmap(c->mm, c->cpu, h->aligned_heap_area, HEAP_MAX_BYTES, KM_PROT_NONE, KM_MAP_NORESERVE);
        h->aligned_heap_area = 0;
        if (!km_user_failed(at) && !(at & (HEAP_MAX_BYTES - 1)))
            return at;
        if (!km_user_failed(at))
            km_user_munmap(c->mm, c->cpu, at, HEAP_MAX_BYTES);
    }
    at = km_user_mmap(c->mm, c->cpu, 0, 2 * HEAP_MAX_BYTES, KM_PROT_NONE, KM_MAP_NORESERVE);
    if (km_user_failed(at))
        return 0;
    aligned = (at + HEAP_MAX_BYTES - 1) & ~(uint32_t)(HEAP_MAX_BYTES - 1);
    if (aligned != at)
        km_user_munmap(c->mm, c->cpu, at, aligned - at);
    else
        h->aligned_heap_area = aligned + HEAP_MAX_BYTES;
    km_user_munmap(c->mm, c->cpu, aligned + HEAP_MAX_BYTES, HEAP_MAX_BYTES - (aligned - at));
    return aligned;
}

km_vaddr km_new_heap(const struct km_heap_call *c, uint32_t size)
{
    km_vaddr heap;

    if (size > HEAP_MAX_BYTES)
        return 0;
    if ((uint64_t)size + c->h->top_pad < HEAP_MIN_BYTES)
        size = HEAP_MIN_BYTES;
    else if ((uint64_t)size + c->h->top_pad <= HEAP_MAX_BYTES)
        size += c->h->top_pad;
    else
        size = HEAP_MAX_BYTES;
    size = page_up(size);
    heap = aligned_mapping(c);
    if (!heap)
        return 0;
    if (km_user_failed(km_user_mprotect(c->mm, c->cpu, heap, size, KM_PROT_READ | KM_PROT_WRITE))) {
        km_user_munmap(c->mm, c->cpu, heap, HEAP_MAX_BYTES);
        return 0;
    }
    st(c, heap + HEAP_SIZE, size);
    st(c, heap + HEAP_MPROTECT_SIZE, size);
    st(c, heap + HEAP_PAGESIZE, PAGE);
    return heap;
}

static km_vaddr heap_of(km_vaddr p)
{
    return p & ~(uint32_t)(HEAP_MAX_BYTES - 1);
}

static bool grow_heap(const struct km_heap_call *c, km_vaddr heap, uint32_t by)
{
    uint32_t old = ld(c, heap + HEAP_SIZE), size, writable = ld(c, heap + HEAP_MPROTECT_SIZE);

    by = page_up(by);
    size = old + by;
    if (size > HEAP_MAX_BYTES)
        return false;
    if (size > writable) {
        if (km_user_failed(km_user_mprotect(c->mm, c->cpu, heap + writable, size - writable,
                                            KM_PROT_READ | KM_PROT_WRITE)))
            return false;
        st(c, heap + HEAP_MPROTECT_SIZE, size);
    }
    st(c, heap + HEAP_SIZE, size);
    return true;
}

void km_heap_trim(const struct km_heap_call *c, km_vaddr arena)
{
    km_vaddr top = ld(c, arena + AR_TOP), heap = heap_of(top);
    uint32_t size = chunk_size(c, top), pad = c->h->top_pad, spare = size - MIN_CHUNK - 1, extra;

    if (size < c->h->trim_threshold || spare <= pad)
        return;
    extra = (spare - pad) & ~(PAGE - 1);
    if (!extra)
        return;
    uint32_t left = ld(c, heap + HEAP_SIZE) - extra;

    km_user_madvise_dontneed(c->mm, c->cpu, heap + left, extra);
    st(c, heap + HEAP_SIZE, left);
    st(c, arena + AR_SYSTEM_MEM, ld(c, arena + AR_SYSTEM_MEM) - extra);
    set_head(c, top, (size - extra) | PREV_INUSE);
}

/* The old heap ends with a used chunk of 8 bytes and one of size 0; what was its top is freed. */
static void fence_heap(const struct km_heap_call *c, km_vaddr arena, km_vaddr top, uint32_t size)
{
    size = (size - MIN_CHUNK) & ~ALIGN_MASK;
    set_head(c, top + size + CH_HEADER, PREV_INUSE);
    if (size >= MIN_CHUNK) {
        set_head(c, top + size, CH_HEADER | PREV_INUSE);
        set_foot(c, top + size, CH_HEADER);
        set_head(c, top, size | PREV_INUSE | NON_MAIN);
        km_int_free(c, arena, top, true);
    } else {
        set_head(c, top, (size + CH_HEADER) | PREV_INUSE);
        set_foot(c, top, size + CH_HEADER);
    }
}

static bool grow_extra_arena(const struct km_heap_call *c, km_vaddr arena, uint32_t nb)
{
    km_vaddr top = ld(c, arena + AR_TOP), heap = heap_of(top), fresh;
    uint32_t size = chunk_size(c, top), before = ld(c, heap + HEAP_SIZE);

    if (nb + MIN_CHUNK > size && grow_heap(c, heap, nb + MIN_CHUNK - size)) {
        uint32_t now = ld(c, heap + HEAP_SIZE);

        grow_system_mem(c, arena, now - before);
        set_head(c, top, (heap + now - top) | PREV_INUSE);
        return true;
    }
    fresh = km_new_heap(c, nb + MIN_CHUNK + HEAP_INFO_BYTES);
    if (!fresh)
        return false;
    st(c, fresh + HEAP_ARENA, arena);
    st(c, fresh + HEAP_PREV, heap);
    grow_system_mem(c, arena, ld(c, fresh + HEAP_SIZE));
    st(c, arena + AR_TOP, fresh + HEAP_INFO_BYTES);
    set_head(c, fresh + HEAP_INFO_BYTES, (ld(c, fresh + HEAP_SIZE) - HEAP_INFO_BYTES) | PREV_INUSE);
    fence_heap(c, arena, top, size);
    return true;
}

/* ---- main arena ------------------------------------------------------------------------------- */

struct growth {
    uint32_t size, old_size;
    km_vaddr brk, second; /* 0: failed or not yet */
    km_vaddr old_top, old_end;
};

static bool map_instead_of_brk(const struct km_heap_call *c, struct growth *g)
{
    km_vaddr arena = c->h->main_arena, at;

    if (contiguous(c, arena))
        g->size = page_up(g->size + g->old_size);
    if (g->size < MORECORE_BYTES)
        g->size = MORECORE_BYTES;
    at = km_user_mmap(c->mm, c->cpu, 0, g->size, KM_PROT_READ | KM_PROT_WRITE, 0);
    if (km_user_failed(at))
        return false;
    st(c, arena + AR_FLAGS, ld(c, arena + AR_FLAGS) | AR_NONCONTIGUOUS);
    g->brk = at;
    g->second = at + g->size;
    return true;
}

/* Aligns a new stretch, fetches what is missing to a whole page, makes it the top, fences the old one. */
static void start_stretch(const struct km_heap_call *c, struct growth *g)
{
    km_vaddr arena = c->h->main_arena, at = g->brk + (ALIGNMENT - CH_HEADER), more;
    uint32_t correction = 0;

    if (contiguous(c, arena)) {
        if (g->old_size)
            grow_system_mem(c, arena, g->brk - g->old_end);
        correction = ALIGNMENT - CH_HEADER + g->old_size;
        correction += page_up(g->brk + g->size + correction) - (g->brk + g->size + correction);
        more = km_user_sbrk(c->mm, c->cpu, (int32_t)correction);
        if (km_user_failed(more)) {
            correction = 0;
            more = km_user_sbrk(c->mm, c->cpu, 0);
        }
        g->second = more;
    } else if (!g->second) {
        g->second = km_user_sbrk(c->mm, c->cpu, 0);
    }
    st(c, arena + AR_TOP, at);
    set_head(c, at, (g->second - at + correction) | PREV_INUSE);
    grow_system_mem(c, arena, correction);
    if (!g->old_size)
        return;
    uint32_t rest = (g->old_size - 2 * CH_HEADER) & ~ALIGN_MASK;

    set_head(c, g->old_top, rest | PREV_INUSE);
    set_head(c, g->old_top + rest, CH_HEADER | PREV_INUSE);
    set_head(c, g->old_top + rest + CH_HEADER, CH_HEADER | PREV_INUSE);
    if (rest >= MIN_CHUNK)
        km_int_free(c, arena, g->old_top, true);
}

static bool grow_main_arena(const struct km_heap_call *c, uint32_t nb)
{
    struct km_user_heap *h = c->h;
    km_vaddr arena = h->main_arena;
    struct growth g = {.old_top = ld(c, arena + AR_TOP)};
    uint64_t want;

    g.old_size = chunk_size(c, g.old_top);
    g.old_end = g.old_top + g.old_size;
    want = (uint64_t)nb + h->top_pad + MIN_CHUNK - (contiguous(c, arena) ? g.old_size : 0);
    want = km_align_up(want, PAGE);
    if (want > KM_TASK_SIZE)
        return false;
    g.size = (uint32_t)want;
    if (want <= INT32_MAX) {
        g.brk = km_user_sbrk(c->mm, c->cpu, (int32_t)want);
        g.brk = km_user_failed(g.brk) ? 0 : g.brk;
    }
    if (!g.brk && !map_instead_of_brk(c, &g))
        return false;
    h->stats.brk_grown += !g.second;
    if (!h->sbrk_base)
        h->sbrk_base = g.brk;
    grow_system_mem(c, arena, g.size);
    if (g.brk == g.old_end && !g.second)
        set_head(c, g.old_top, (g.size + g.old_size) | PREV_INUSE);
    else
        start_stretch(c, &g);
    return true;
}

bool km_systrim(const struct km_heap_call *c, uint32_t pad)
{
    km_vaddr arena = c->h->main_arena, top = ld(c, arena + AR_TOP), now;
    uint32_t size = chunk_size(c, top), spare, extra;

    km_heap_work(c, FN_SYSTRIM, 30);
    if (size <= MIN_CHUNK + 1)
        return false;
    spare = size - MIN_CHUNK - 1;
    if (spare <= pad)
        return false;
    extra = (spare - pad) & ~(PAGE - 1);
    if (!extra || km_user_sbrk(c->mm, c->cpu, 0) != top + size)
        return false;
    km_user_sbrk(c->mm, c->cpu, -(int32_t)extra);
    now = km_user_sbrk(c->mm, c->cpu, 0);
    uint32_t released = top + size - now;

    if (!released)
        return false;
    st(c, arena + AR_SYSTEM_MEM, ld(c, arena + AR_SYSTEM_MEM) - released);
    set_head(c, top, (size - released) | PREV_INUSE);
    c->h->stats.brk_trimmed++;
    return true;
}

km_vaddr km_sysmalloc(const struct km_heap_call *c, km_vaddr arena, uint32_t nb)
{
    bool tried = false;
    km_vaddr mem;

    km_heap_work(c, FN_SYSMALLOC, 90);
    if (nb >= c->h->mmap_threshold && c->h->nr_mmaps < c->h->mmaps_max) {
        tried = true;
        if ((mem = km_sysmalloc_mmap(c, nb))) {
            c->h->stats.from_mmap++;
            return mem;
        }
    }
    if (arena == c->h->main_arena) {
        if (!grow_main_arena(c, nb))
            return 0;
    } else if (!grow_extra_arena(c, arena, nb)) {
        if (tried || !(mem = km_sysmalloc_mmap(c, nb)))
            return 0;
        c->h->stats.from_mmap++;
        return mem;
    }
    if ((mem = km_int_split_top(c, arena, nb)))
        c->h->stats.from_top++;
    return mem;
}
