/* SPDX-License-Identifier: MIT
 * user_malloc.c - the calls of the heap, the thread caches and the choice of an arena.
 *
 * Instruction counts per function are estimates of the i386 library's paths; loads and stores are the
 * model's own. Arenas: the first thread has the main one, further threads get new ones until two per
 * core exist, then they share.
 */
#include "models/os/user_malloc_priv.h"

#include "models/base/bits.h"
#include "models/base/bug.h"

#include <string.h>

#define TEXT_BYTES (4 * KM_PAGE_BYTES)
#define DATA_BYTES (2 * KM_PAGE_BYTES)
#define REQUEST_MAX 0x7fffffffu

static const struct {
    const char *name;
    uint32_t offset, bytes;
} functions[FN_NR] = {
    [FN_MALLOC] = {"malloc", 0x0000, 512},         [FN_FREE] = {"free", 0x0200, 320},
    [FN_CALLOC] = {"calloc", 0x0400, 768},         [FN_REALLOC] = {"realloc", 0x0700, 1280},
    [FN_MEMALIGN] = {"memalign", 0x0c00, 960},     [FN_INT_MALLOC] = {"_int_malloc", 0x1000, 2816},
    [FN_INT_FREE] = {"_int_free", 0x1c00, 2048},   [FN_UNLINK] = {"unlink_chunk", 0x2400, 192},
    [FN_CONSOLIDATE] = {"malloc_consolidate", 0x2500, 576},
    [FN_SYSMALLOC] = {"sysmalloc", 0x2800, 1920},  [FN_SYSTRIM] = {"systrim", 0x3000, 256},
};

void km_heap_work(const struct km_heap_call *c, unsigned function, uint32_t insns)
{
    if (!c->cpu->ops || c->mm->killed)
        return;
    const struct km_site site = {functions[function].name, c->h->text_va + functions[function].offset,
                                 functions[function].bytes};

    km_exec(c->cpu, &site, insns);
    km_touch(c->cpu, c->h->stack_va - insns / 4 * 4, insns / 4 * 4, KM_REF_STORE); /* one spill in four */
}

void km_heap_misuse(const struct km_heap_call *c, enum km_misuse_kind kind, km_vaddr mem, const char *message)
{
    const struct km_misuse m = {.kind = kind, .thread = c->thread, .ptr = mem, .message = message};

    if (c->mm->killed)
        return;
    c->h->stats.misuse[kind]++;
    if (c->h->p.misuse)
        c->h->p.misuse(c->h->p.ctx, &m);
}

/* Is there memory the program has touched? What the model itself uses to survive wild pointers. */
bool km_heap_mapped(const struct km_heap_call *c, km_vaddr va, uint32_t bytes)
{
    km_vaddr last = va + bytes - 1;

    return last >= va && km_user_frame(c->mm, c->cpu->window, va, NULL) != KM_PFN_NONE &&
           km_user_frame(c->mm, c->cpu->window, last, NULL) != KM_PFN_NONE;
}

/* ---- thread caches ---------------------------------------------------------------------------- */

bool km_tcache_room(const struct km_heap_call *c, unsigned index)
{
    km_vaddr tcache = c->h->thread[c->thread].tcache;

    return tcache && index < KM_TCACHE_BINS && !c->mm->killed &&
           km_user_ld16(c->mm, c->cpu, tcache + TC_COUNTS + index * 2) < KM_TCACHE_FILL;
}

static void count(const struct km_heap_call *c, unsigned index, int by)
{
    km_vaddr at = c->h->thread[c->thread].tcache + TC_COUNTS + index * 2;

    km_user_st16(c->mm, c->cpu, at, (uint16_t)(km_user_ld16(c->mm, c->cpu, at) + by));
}

void km_tcache_put(const struct km_heap_call *c, km_vaddr p, unsigned index)
{
    km_vaddr head = c->h->thread[c->thread].tcache + TC_ENTRIES + index * 4, mem = p + CH_HEADER;

    st(c, mem + TC_KEY, c->h->tcache_key);
    st(c, mem + TC_NEXT, mangle(mem, ld(c, head)));
    st(c, head, mem);
    count(c, index, 1);
}

km_vaddr km_tcache_get(const struct km_heap_call *c, unsigned index)
{
    km_vaddr head = c->h->thread[c->thread].tcache + TC_ENTRIES + index * 4, mem = ld(c, head);

    if (!mem)
        return 0;
    if (mem & ALIGN_MASK || !km_heap_mapped(c, mem, 8)) {
        st(c, head, 0);
        km_user_st16(c->mm, c->cpu, c->h->thread[c->thread].tcache + TC_COUNTS + index * 2, 0);
        km_heap_misuse(c, KM_MISUSE_CORRUPTION, mem, "malloc(): unaligned tcache chunk detected");
        return 0;
    }
    st(c, head, mangle(mem, ld(c, mem + TC_NEXT)));
    st(c, mem + TC_KEY, 0);
    count(c, index, -1);
    return mem;
}

/* ---- arenas ----------------------------------------------------------------------------------- */

void km_arena_init(const struct km_heap_call *c, km_vaddr arena)
{
    for (unsigned i = 1; i < NBINS; i++) {
        st(c, bin_at(arena, i) + CH_FD, bin_at(arena, i));
        st(c, bin_at(arena, i) + CH_BK, bin_at(arena, i));
    }
    st(c, arena + AR_FLAGS, arena == c->h->main_arena ? 0 : AR_NONCONTIGUOUS);
    st(c, arena + AR_HAVE_FAST, 0);
    st(c, arena + AR_TOP, bin_at(arena, 1)); /* a top of size 0 */
    st(c, arena + AR_THREADS, 1);
}

static km_vaddr new_arena(const struct km_heap_call *c)
{
    km_vaddr heap = km_new_heap(c, HEAP_INFO_BYTES + AR_BYTES + ALIGNMENT), arena, top;
    uint32_t size;

    if (!heap)
        return 0;
    arena = heap + HEAP_INFO_BYTES;
    size = ld(c, heap + HEAP_SIZE);
    st(c, heap + HEAP_ARENA, arena);
    km_arena_init(c, arena);
    st(c, arena + AR_SYSTEM_MEM, size);
    st(c, arena + AR_MAX_SYSTEM_MEM, size);
    top = (km_vaddr)km_align_up(arena + AR_BYTES + CH_HEADER, ALIGNMENT) - CH_HEADER;
    st(c, arena + AR_TOP, top);
    set_head(c, top, (heap + size - top) | PREV_INUSE);
    st(c, arena + AR_NEXT, ld(c, c->h->main_arena + AR_NEXT));
    st(c, c->h->main_arena + AR_NEXT, arena);
    c->h->nr_arenas++;
    c->h->stats.arenas++;
    return arena;
}

/* An arena nobody uses any more, a new one, or the next in turn. */
static km_vaddr choose_arena(const struct km_heap_call *c)
{
    struct km_user_heap *h = c->h;
    uint32_t limit = h->arena_max ? h->arena_max : 2 * h->p.cores;
    km_vaddr a = ld(c, h->main_arena + AR_NEXT);

    for (; a != h->main_arena && !c->mm->killed; a = ld(c, a + AR_NEXT))
        if (!ld(c, a + AR_THREADS)) {
            st(c, a + AR_THREADS, 1);
            return a;
        }
    if (h->nr_arenas < limit && (a = new_arena(c)))
        return a;
    a = h->next_to_use ? h->next_to_use : h->main_arena;
    h->next_to_use = ld(c, a + AR_NEXT);
    st(c, a + AR_THREADS, ld(c, a + AR_THREADS) + 1);
    return a;
}

static km_vaddr arena_of_thread(const struct km_heap_call *c)
{
    struct km_user_thread *t = &c->h->thread[c->thread];

    if (!t->arena)
        t->arena = c->thread ? choose_arena(c) : c->h->main_arena;
    return t->arena;
}

static km_vaddr arena_of_chunk(const struct km_heap_call *c, km_vaddr p)
{
    if (!(ld(c, p + CH_SIZE) & NON_MAIN))
        return c->h->main_arena;
    km_vaddr heap = p & ~(uint32_t)(HEAP_MAX_BYTES - 1);

    return km_heap_mapped(c, heap, HEAP_INFO_BYTES) ? ld(c, heap + HEAP_ARENA) : 0;
}

/* From the thread's arena; if that has nothing left, from the main arena (or another for the main one). */
static km_vaddr arena_malloc(const struct km_heap_call *c, uint32_t nb)
{
    km_vaddr arena = arena_of_thread(c), mem;

    if (c->h->nr_arenas > 1) { /* single-threaded programs take no lock */
        if (!km_user_access(c->mm, c->cpu, arena + AR_MUTEX, 4, true))
            return 0;
        km_lock(c->cpu, arena + AR_MUTEX);
        mem = km_int_malloc(c, arena, nb);
        km_unlock(c->cpu, arena + AR_MUTEX);
    } else {
        mem = km_int_malloc(c, arena, nb);
    }
    if (!mem && arena != c->h->main_arena && !c->mm->killed)
        mem = km_int_malloc(c, c->h->main_arena, nb);
    return mem;
}

static void tcache_start(const struct km_heap_call *c)
{
    struct km_user_thread *t = &c->h->thread[c->thread];

    if (t->tcache || t->exited)
        return;
    km_vaddr mem = arena_malloc(c, chunk_bytes_for(TC_BYTES));

    if (!mem)
        return;
    km_user_memset(c->mm, c->cpu, mem, 0, TC_BYTES);
    t->tcache = mem;
}

/* ---- calls ------------------------------------------------------------------------------------ */

static struct km_heap_call begin(struct km_user_heap *h, struct km_cpu *cpu, unsigned thread)
{
    KM_BUG_ON(thread >= KM_USER_THREADS);
    return (struct km_heap_call){.h = h, .mm = h->mm, .cpu = cpu, .thread = thread};
}

static km_vaddr result(const struct km_heap_call *c, km_vaddr mem)
{
    if (c->mm->killed)
        mem = 0;
    c->h->stats.failed += !mem;
    return mem;
}

static km_vaddr do_malloc(const struct km_heap_call *c, uint32_t bytes)
{
    uint32_t nb, index;
    km_vaddr mem;

    if (bytes > REQUEST_MAX)
        return 0;
    nb = chunk_bytes_for(bytes);
    index = tcache_index(nb);
    tcache_start(c);
    km_vaddr tcache = c->h->thread[c->thread].tcache;

    if (index < KM_TCACHE_BINS && tcache &&
        km_user_ld16(c->mm, c->cpu, tcache + TC_COUNTS + index * 2) && (mem = km_tcache_get(c, index))) {
        c->h->stats.from_tcache++;
        return mem;
    }
    return arena_malloc(c, nb);
}

km_vaddr km_user_malloc(struct km_user_heap *h, struct km_cpu *cpu, unsigned thread, uint32_t bytes)
{
    const struct km_heap_call c = begin(h, cpu, thread);

    h->stats.mallocs++;
    km_heap_work(&c, FN_MALLOC, 28);
    return result(&c, do_malloc(&c, bytes));
}

/* Is this a payload the library could have handed out? What it would crash on is reported. */
static bool plausible(const struct km_heap_call *c, km_vaddr mem, const char *call)
{
    if (mem >= CH_HEADER && km_heap_mapped(c, mem - CH_HEADER, CH_HEADER))
        return true;
    km_heap_misuse(c, KM_MISUSE_INVALID_POINTER, mem, call);
    return false;
}

/* Freeing a mapped chunk moves the thresholds: sizes that come and go are better kept. */
static void slide_threshold(const struct km_heap_call *c, km_vaddr p)
{
    uint32_t size = chunk_size(c, p);

    if (c->h->no_dyn_threshold || size <= c->h->mmap_threshold || size > MMAP_THRESHOLD_MAX)
        return;
    c->h->mmap_threshold = size;
    c->h->trim_threshold = 2 * size;
}

static void do_free(const struct km_heap_call *c, km_vaddr mem)
{
    km_vaddr p = mem - CH_HEADER, arena;

    if (!plausible(c, mem, "free(): invalid pointer"))
        return;
    if (ld(c, p + CH_SIZE) & IS_MMAPPED) {
        slide_threshold(c, p);
        km_munmap_chunk(c, p);
        return;
    }
    tcache_start(c);
    arena = arena_of_chunk(c, p);
    if (!arena || !km_heap_mapped(c, arena, AR_BYTES)) {
        km_heap_misuse(c, KM_MISUSE_INVALID_POINTER, mem, "free(): invalid pointer");
        return;
    }
    km_int_free(c, arena, p, true);
}

void km_user_free(struct km_user_heap *h, struct km_cpu *cpu, unsigned thread, km_vaddr mem)
{
    const struct km_heap_call c = begin(h, cpu, thread);

    h->stats.frees++;
    km_heap_work(&c, FN_FREE, 22);
    if (mem && !h->mm->killed)
        do_free(&c, mem);
}

km_vaddr km_user_calloc(struct km_user_heap *h, struct km_cpu *cpu, unsigned thread, uint32_t n, uint32_t size)
{
    const struct km_heap_call c = begin(h, cpu, thread);
    uint64_t bytes = (uint64_t)n * size;
    km_vaddr mem, top, p;
    uint32_t clear, fresh_from;

    h->stats.callocs++;
    km_heap_work(&c, FN_CALLOC, 36);
    if (bytes > REQUEST_MAX)
        return result(&c, 0);
    tcache_start(&c);
    top = ld(&c, h->main_arena + AR_TOP);
    fresh_from = chunk_size(&c, top);
    /* Beyond the highest break ever, memory of the main arena is still zero. */
    if (h->sbrk_base && fresh_from < h->sbrk_base + ld(&c, h->main_arena + AR_MAX_SYSTEM_MEM) - top)
        fresh_from = h->sbrk_base + ld(&c, h->main_arena + AR_MAX_SYSTEM_MEM) - top;
    mem = arena_malloc(&c, chunk_bytes_for((uint32_t)bytes)); /* never from the thread's cache */
    if (!mem || h->mm->killed)
        return result(&c, 0);
    p = mem - CH_HEADER;
    if (ld(&c, p + CH_SIZE) & IS_MMAPPED)
        return result(&c, mem);
    clear = chunk_size(&c, p);
    if (arena_of_thread(&c) == h->main_arena && contiguous(&c, h->main_arena) && p == top && clear > fresh_from)
        clear = fresh_from;
    km_user_memset(h->mm, cpu, mem, 0, clear - 4);
    return result(&c, mem);
}

static km_vaddr move_to(const struct km_heap_call *c, km_vaddr mem, km_vaddr fresh, uint32_t bytes)
{
    if (fresh) {
        km_user_memcpy(c->mm, c->cpu, fresh, mem, bytes);
        c->h->stats.realloc_moved++;
    }
    return fresh;
}

/* Shrinks a used chunk to nb; the tail is freed if it makes a chunk. */
static km_vaddr cut(const struct km_heap_call *c, km_vaddr arena, km_vaddr p, uint32_t size, uint32_t nb)
{
    uint32_t rest = size - nb;

    if (rest < MIN_CHUNK) {
        set_size(c, p, size);
        mark_inuse(c, p, size);
        return p + CH_HEADER;
    }
    set_size(c, p, nb);
    set_head(c, p + nb, rest | PREV_INUSE | arena_bit(c, arena));
    mark_inuse(c, p + nb, rest);
    km_int_free(c, arena, p + nb, true);
    return p + CH_HEADER;
}

static km_vaddr realloc_in_arena(const struct km_heap_call *c, km_vaddr arena, km_vaddr p, uint32_t nb)
{
    uint32_t size = chunk_size(c, p), next_size;
    km_vaddr next = p + size, top = ld(c, arena + AR_TOP), mem;

    if (!km_heap_mapped(c, next, 8) || (next_size = chunk_size(c, next)) < MIN_CHUNK / 2) {
        km_heap_misuse(c, KM_MISUSE_INVALID_SIZE, p + CH_HEADER, "realloc(): invalid next size");
        return 0;
    }
    c->h->stats.realloc_in_place++;
    if (size >= nb)
        return cut(c, arena, p, size, nb);
    if (next == top && size + next_size >= nb + MIN_CHUNK) {
        set_size(c, p, nb);
        st(c, arena + AR_TOP, p + nb);
        set_head(c, p + nb, (size + next_size - nb) | PREV_INUSE);
        return p + CH_HEADER;
    }
    if (next != top && km_heap_mapped(c, next + next_size, 8) &&
        !(ld(c, next + next_size + CH_SIZE) & PREV_INUSE) && size + next_size >= nb && km_int_unlink(c, next))
        return cut(c, arena, p, size + next_size, nb);
    c->h->stats.realloc_in_place--;
    mem = km_int_malloc(c, arena, nb);
    if (!mem)
        return 0;
    if (mem - CH_HEADER == next) { /* the request made the neighbour free and got it */
        c->h->stats.realloc_in_place++;
        return cut(c, arena, p, size + chunk_size(c, next), nb);
    }
    move_to(c, p + CH_HEADER, mem, size - 4);
    km_int_free(c, arena, p, true);
    return mem;
}

static km_vaddr realloc_mapped(const struct km_heap_call *c, km_vaddr p, uint32_t bytes, uint32_t nb)
{
    uint32_t size = chunk_size(c, p);
    km_vaddr moved = km_mremap_chunk(c, p, nb), mem;

    if (moved) {
        c->h->stats.realloc_mremap++;
        return moved + CH_HEADER;
    }
    if (size - 4 >= nb)
        return p + CH_HEADER;
    mem = move_to(c, p + CH_HEADER, do_malloc(c, bytes), size - 2 * 4);
    if (mem)
        km_munmap_chunk(c, p);
    return mem;
}

static km_vaddr do_realloc(const struct km_heap_call *c, km_vaddr mem, uint32_t bytes)
{
    km_vaddr p = mem - CH_HEADER, arena, fresh;
    uint32_t size, nb = chunk_bytes_for(bytes);

    if (!plausible(c, mem, "realloc(): invalid pointer"))
        return 0;
    size = chunk_size(c, p);
    bool mapped = ld(c, p + CH_SIZE) & IS_MMAPPED;

    if (p > 0u - size || mem & ALIGN_MASK) {
        km_heap_misuse(c, KM_MISUSE_INVALID_POINTER, mem, "realloc(): invalid pointer");
        return 0;
    }
    if (bytes > REQUEST_MAX)
        return 0;
    if (mapped)
        return realloc_mapped(c, p, bytes, nb);
    tcache_start(c);
    arena = arena_of_chunk(c, p);
    if (!arena || !km_heap_mapped(c, arena, AR_BYTES) || size < MIN_CHUNK || size & ALIGN_MASK ||
        size >= ld(c, arena + AR_SYSTEM_MEM)) {
        km_heap_misuse(c, KM_MISUSE_INVALID_SIZE, mem, "realloc(): invalid old size");
        return 0;
    }
    uint64_t misuse = c->h->stats.misuse[KM_MISUSE_INVALID_SIZE];

    fresh = realloc_in_arena(c, arena, p, nb);
    if (fresh || c->mm->killed || c->h->stats.misuse[KM_MISUSE_INVALID_SIZE] != misuse)
        return fresh;
    fresh = move_to(c, mem, do_malloc(c, bytes), size - 4); /* another arena may have room */
    if (fresh)
        km_int_free(c, arena, p, true);
    return fresh;
}

km_vaddr km_user_realloc(struct km_user_heap *h, struct km_cpu *cpu, unsigned thread, km_vaddr mem,
                         uint32_t bytes)
{
    const struct km_heap_call c = begin(h, cpu, thread);

    h->stats.reallocs++;
    km_heap_work(&c, FN_REALLOC, 40);
    if (h->mm->killed)
        return result(&c, 0);
    if (!mem)
        return result(&c, do_malloc(&c, bytes));
    if (bytes)
        return result(&c, do_realloc(&c, mem, bytes));
    do_free(&c, mem);
    return 0;
}

/* Gives what lies before the aligned payload back. Returns the chunk that stays. */
static km_vaddr trim_lead(const struct km_heap_call *c, km_vaddr arena, km_vaddr p, uint32_t alignment)
{
    km_vaddr mem = p + CH_HEADER, at = ((mem + alignment - 1) & (0u - alignment)) - CH_HEADER;
    uint32_t lead, size;

    if (!(mem % alignment))
        return p;
    if (at - p < MIN_CHUNK)
        at += alignment;
    lead = at - p;
    size = chunk_size(c, p) - lead;
    if (ld(c, p + CH_SIZE) & IS_MMAPPED) {
        st(c, at + CH_PREV_SIZE, ld(c, p + CH_PREV_SIZE) + lead);
        set_head(c, at, size | IS_MMAPPED);
        return at;
    }
    set_head(c, at, size | PREV_INUSE | arena_bit(c, arena));
    mark_inuse(c, at, size);
    set_size(c, p, lead);
    km_int_free(c, arena, p, true);
    return at;
}

static km_vaddr do_memalign(const struct km_heap_call *c, uint32_t alignment, uint32_t bytes)
{
    uint32_t nb = chunk_bytes_for(bytes);
    km_vaddr mem, p, arena;

    if (bytes > REQUEST_MAX - alignment - MIN_CHUNK)
        return 0;
    tcache_start(c);
    mem = arena_malloc(c, chunk_bytes_for(nb + alignment + MIN_CHUNK));
    if (!mem || c->mm->killed)
        return 0;
    arena = arena_of_chunk(c, mem - CH_HEADER);
    p = trim_lead(c, arena, mem - CH_HEADER, alignment);
    if (!(ld(c, p + CH_SIZE) & IS_MMAPPED) && chunk_size(c, p) > nb + MIN_CHUNK)
        cut(c, arena, p, chunk_size(c, p), nb);
    return p + CH_HEADER;
}

static km_vaddr aligned(const struct km_heap_call *c, uint32_t alignment, uint32_t bytes)
{
    c->h->stats.aligned++;
    km_heap_work(c, FN_MEMALIGN, 44);
    if (alignment > REQUEST_MAX / 2 + 1)
        return result(c, 0);
    if (alignment <= ALIGNMENT)
        return result(c, do_malloc(c, bytes));
    if (!km_is_pow2(alignment))
        alignment = 1u << km_fls(alignment);
    return result(c, do_memalign(c, alignment, bytes));
}

km_vaddr km_user_memalign(struct km_user_heap *h, struct km_cpu *cpu, unsigned thread, uint32_t alignment,
                          uint32_t bytes)
{
    const struct km_heap_call c = begin(h, cpu, thread);

    return aligned(&c, alignment, bytes);
}

unsigned km_user_posix_memalign(struct km_user_heap *h, struct km_cpu *cpu, unsigned thread, km_vaddr *out,
                                uint32_t alignment, uint32_t bytes)
{
    const struct km_heap_call c = begin(h, cpu, thread);
    km_vaddr mem;

    if (alignment % 4 || !km_is_pow2(alignment))
        return KM_EINVAL;
    mem = aligned(&c, alignment, bytes);
    if (!mem)
        return KM_ENOMEM;
    *out = mem;
    return 0;
}

bool km_user_mallopt(struct km_user_heap *h, struct km_cpu *cpu, int param, uint32_t value)
{
    const struct km_heap_call c = begin(h, cpu, 0);

    km_int_consolidate(&c, h->main_arena);
    switch (param) {
    case KM_M_MXFAST:
        if (value > 80)
            return false;
        h->max_fast = value ? (value + 4) & ~ALIGN_MASK : MIN_CHUNK / 2;
        return true;
    case KM_M_TRIM_THRESHOLD:
        h->trim_threshold = value;
        break;
    case KM_M_TOP_PAD:
        h->top_pad = value;
        break;
    case KM_M_MMAP_THRESHOLD:
        if (value > HEAP_MAX_BYTES / 2)
            return false;
        h->mmap_threshold = value;
        break;
    case KM_M_MMAP_MAX:
        h->mmaps_max = value;
        break;
    case KM_M_ARENA_MAX:
        h->arena_max = value;
        return true;
    default:
        return true; /* unknown parameters are accepted and ignored */
    }
    h->no_dyn_threshold = true;
    return true;
}

bool km_user_malloc_trim(struct km_user_heap *h, struct km_cpu *cpu, uint32_t pad)
{
    const struct km_heap_call c = begin(h, cpu, 0);

    km_int_consolidate(&c, h->main_arena);
    return !h->mm->killed && km_systrim(&c, pad);
}

void km_user_thread_exit(struct km_user_heap *h, struct km_cpu *cpu, unsigned thread)
{
    const struct km_heap_call c = begin(h, cpu, thread);
    struct km_user_thread *t = &h->thread[thread];
    km_vaddr tcache = t->tcache, mem;

    t->exited = true;
    for (unsigned i = 0; tcache && i < KM_TCACHE_BINS && !h->mm->killed; i++)
        while ((mem = ld(&c, tcache + TC_ENTRIES + i * 4)) && km_heap_mapped(&c, mem, 8)) {
            st(&c, tcache + TC_ENTRIES + i * 4, mangle(mem, ld(&c, mem)));
            km_int_free(&c, arena_of_chunk(&c, mem - CH_HEADER), mem - CH_HEADER, false);
        }
    t->tcache = 0;
    if (tcache)
        km_int_free(&c, arena_of_chunk(&c, tcache - CH_HEADER), tcache - CH_HEADER, false);
    if (t->arena && t->arena != h->main_arena)
        st(&c, t->arena + AR_THREADS, ld(&c, t->arena + AR_THREADS) - 1);
    t->arena = 0;
}

bool km_user_heap_init(struct km_user_heap *h, struct km_user_mm *mm, struct km_cpu *cpu,
                       const struct km_user_heap_params *p)
{
    km_vaddr at;

    memset(h, 0, sizeof(*h));
    h->mm = mm;
    h->p = *p;
    h->max_fast = 64;
    h->trim_threshold = h->top_pad = h->mmap_threshold = 128u << 10;
    h->mmaps_max = 65536;
    h->nr_arenas = 1;
    h->tcache_key = 0x5bd1e995u ^ (uint32_t)mm->p.seed;
    at = km_user_mmap(mm, cpu, 0, TEXT_BYTES + DATA_BYTES, KM_PROT_READ | KM_PROT_WRITE | KM_PROT_EXEC,
                      KM_MAP_POPULATE);
    if (km_user_failed(at) || mm->killed)
        return false;
    km_user_mprotect(mm, cpu, at, TEXT_BYTES, KM_PROT_READ | KM_PROT_EXEC);
    km_user_mprotect(mm, cpu, at + TEXT_BYTES, DATA_BYTES, KM_PROT_READ | KM_PROT_WRITE);
    h->text_va = at;
    h->main_arena = at + TEXT_BYTES;
    h->stack_va = mm->stack_top - 1024;
    if (!km_user_access(mm, cpu, mm->stack_top - 2048, 2048, true))
        return false;
    const struct km_heap_call c = begin(h, cpu, 0);

    km_arena_init(&c, h->main_arena);
    st(&c, h->main_arena + AR_NEXT, h->main_arena);
    h->thread[0].arena = h->main_arena;
    return !mm->killed;
}
