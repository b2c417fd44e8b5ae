/* SPDX-License-Identifier: MIT
 * user_malloc_check.c - what the heap looks like from outside: sizes, mallinfo, invariants. Untimed.
 *
 * A chunk is free if the chunk behind it says so; chunks in fast bins and thread caches look used.
 */
#include "models/os/user_malloc_priv.h"

#include <string.h>

struct look {
    const struct km_user_heap *h;
    const uint8_t *window;
    const char *wrong;
};

struct tally {
    uint64_t free_chunks, free_bytes, largest, used_bytes;
};

static bool there(const struct look *l, km_vaddr va, uint32_t bytes)
{
    return va + bytes > va && km_user_frame(l->h->mm, l->window, va, NULL) != KM_PFN_NONE &&
           km_user_frame(l->h->mm, l->window, va + bytes - 1, NULL) != KM_PFN_NONE;
}

static uint32_t word(struct look *l, km_vaddr va)
{
    if (there(l, va, 4))
        return km_peek32(l->window, va);
    l->wrong = "a heap link leads to memory that is not there";
    return 0;
}

uint32_t km_user_usable_size(const struct km_user_heap *h, const uint8_t *window, km_vaddr mem)
{
    struct look l = {h, window, NULL};
    uint32_t head = mem ? word(&l, mem - CH_HEADER + CH_SIZE) : 0, size = head & ~SIZE_BITS;

    if (!size)
        return 0;
    return head & IS_MMAPPED ? size - 2 * 4 : size - 4;
}

bool km_user_is_mmapped(const struct km_user_heap *h, const uint8_t *window, km_vaddr mem)
{
    struct look l = {h, window, NULL};

    return mem && word(&l, mem - CH_HEADER + CH_SIZE) & IS_MMAPPED;
}

/* Walks chunks from p to the top, or to a fence. */
static void walk(struct look *l, km_vaddr p, km_vaddr top, struct tally *t)
{
    bool last_free = false;

    while (p != top && !l->wrong) {
        uint32_t size = word(l, p + CH_SIZE) & ~SIZE_BITS, next = word(l, p + size + CH_SIZE);

        if (size < MIN_CHUNK)
            return;
        if (size & ALIGN_MASK) {
            l->wrong = "a chunk's size is not a multiple of 16";
            return;
        }
        if (!(word(l, p + CH_SIZE) & PREV_INUSE) != last_free)
            l->wrong = "a chunk's PREV_INUSE does not match its neighbour";
        bool is_free = !(next & PREV_INUSE);

        if (is_free && last_free)
            l->wrong = "two free chunks are neighbours";
        if (is_free && word(l, p + size + CH_PREV_SIZE) != size)
            l->wrong = "a free chunk's size is not repeated behind it";
        t->free_chunks += is_free;
        t->free_bytes += is_free ? size : 0;
        t->used_bytes += is_free ? 0 : size;
        t->largest = is_free && size > t->largest ? size : t->largest;
        last_free = is_free;
        p += size;
    }
}

static bool own_heap(const struct look *l, km_vaddr arena)
{
    return arena == l->h->main_arena;
}

static void walk_arena(struct look *l, km_vaddr arena, struct tally *t)
{
    km_vaddr top = word(l, arena + AR_TOP), heap;

    if (own_heap(l, arena)) {
        if (l->h->sbrk_base)
            walk(l, l->h->sbrk_base + ALIGNMENT - CH_HEADER, top, t);
        return;
    }
    for (heap = top & ~(uint32_t)(HEAP_MAX_BYTES - 1); heap && !l->wrong; heap = word(l, heap + HEAP_PREV)) {
        km_vaddr first = heap + HEAP_INFO_BYTES;

        if (first == arena)
            first = ((arena + AR_BYTES + CH_HEADER + ALIGN_MASK) & ~ALIGN_MASK) - CH_HEADER;
        walk(l, first, top, t);
    }
}

static void check_large(struct look *l, km_vaddr bin, km_vaddr p)
{
    km_vaddr fd = word(l, p + CH_FD);
    uint32_t size = word(l, p + CH_SIZE) & ~SIZE_BITS;

    if (fd != bin && (word(l, fd + CH_SIZE) & ~SIZE_BITS) > size)
        l->wrong = "a large bin is not sorted";
    km_vaddr next = word(l, p + CH_FD_NEXTSIZE);

    if (next && word(l, next + CH_BK_NEXTSIZE) != p)
        l->wrong = "a list of sizes is not linked both ways";
}

static void check_bin(struct look *l, km_vaddr arena, unsigned i, uint64_t *chunks, uint64_t *bytes, uint64_t limit)
{
    km_vaddr bin = bin_at(arena, i);

    for (km_vaddr p = word(l, bin + CH_FD); p != bin && !l->wrong; p = word(l, p + CH_FD)) {
        uint32_t size = word(l, p + CH_SIZE) & ~SIZE_BITS;

        if (word(l, word(l, p + CH_FD) + CH_BK) != p)
            l->wrong = "a bin is not linked both ways";
        if (i > 1 && bin_index(size) != i)
            l->wrong = "a chunk is in the wrong bin";
        if (i > 1 && !(word(l, arena + AR_BINMAP + i / 32 * 4) >> i % 32 & 1))
            l->wrong = "the bin map misses a bin";
        if (word(l, p + size + CH_SIZE) & PREV_INUSE)
            l->wrong = "a chunk in a bin is in use";
        if (i >= 64)
            check_large(l, bin, p);
        *bytes += size;
        if (++*chunks > limit)
            l->wrong = "a bin is a ring without its head";
    }
}

static uint64_t fast_chunks(struct look *l, km_vaddr arena, uint64_t *bytes)
{
    uint64_t n = 0;

    for (unsigned i = 0; i < NFAST; i++)
        for (km_vaddr p = word(l, arena + AR_FAST + i * 4); p && !l->wrong;
             p = mangle(p + CH_FD, word(l, p + CH_FD))) {
            uint32_t size = word(l, p + CH_SIZE) & ~SIZE_BITS;

            if (fast_index(size) != i)
                l->wrong = "a chunk is in the wrong fast bin";
            *bytes += size;
            if (++n > UINT32_MAX >> 4)
                l->wrong = "a fast bin is a ring";
        }
    return n;
}

static void check_tcache(struct look *l, km_vaddr tcache, uint64_t *chunks, uint64_t *bytes)
{
    for (unsigned i = 0; i < KM_TCACHE_BINS && !l->wrong; i++) {
        unsigned n = 0, counts = word(l, tcache + TC_COUNTS + (i & ~1u) * 2) >> i % 2 * 16 & 0xffff;

        for (km_vaddr mem = word(l, tcache + TC_ENTRIES + i * 4); mem && !l->wrong && n <= KM_TCACHE_FILL;
             mem = mangle(mem, word(l, mem)), n++) {
            uint32_t size = word(l, mem - CH_HEADER + CH_SIZE) & ~SIZE_BITS;

            if (tcache_index(size) != i)
                l->wrong = "a chunk is in the wrong bin of a thread's cache";
            if (word(l, mem + TC_KEY) != l->h->tcache_key)
                l->wrong = "a cached chunk lacks the key";
            *bytes += size;
        }
        if (n != counts || n > KM_TCACHE_FILL)
            l->wrong = "a thread's cache has the wrong count";
        *chunks += n;
    }
}

static void look_at_arena(struct look *l, km_vaddr arena, struct km_user_heap_info *out)
{
    uint64_t chunks = 0, bytes = 0, fast_bytes = 0;
    struct tally t = {0};
    km_vaddr top = word(l, arena + AR_TOP);
    uint32_t top_size = word(l, top + CH_SIZE) & ~SIZE_BITS;
    bool whole = !own_heap(l, arena) || !(word(l, arena + AR_FLAGS) & AR_NONCONTIGUOUS);

    for (unsigned i = 1; i < NBINS && !l->wrong; i++)
        check_bin(l, arena, i, &chunks, &bytes, UINT32_MAX >> 4);
    out->smblks += fast_chunks(l, arena, &fast_bytes);
    if (whole && !l->wrong) {
        walk_arena(l, arena, &t);
        if (!l->wrong && (t.free_chunks != chunks || t.free_bytes != bytes))
            l->wrong = "free chunks and bins do not agree";
        if (t.largest > out->largest_free)
            out->largest_free = t.largest;
    }
    if (own_heap(l, arena) && whole && l->h->sbrk_base && !l->wrong &&
        top + top_size != l->h->sbrk_base + word(l, arena + AR_SYSTEM_MEM))
        l->wrong = "the top chunk does not end where the arena ends";
    out->arena += word(l, arena + AR_SYSTEM_MEM);
    out->ordblks += chunks + 1;
    out->fsmblks += fast_bytes;
    out->fordblks += bytes + fast_bytes + top_size;
    out->uordblks += word(l, arena + AR_SYSTEM_MEM) - (bytes + fast_bytes + top_size);
    if (own_heap(l, arena))
        out->keepcost = top_size;
}

static const char *look_at_all(const struct km_user_heap *h, const uint8_t *window, struct km_user_heap_info *out)
{
    struct look l = {h, window, NULL};
    km_vaddr arena = h->main_arena;

    memset(out, 0, sizeof(*out));
    do {
        look_at_arena(&l, arena, out);
        arena = word(&l, arena + AR_NEXT);
    } while (arena != h->main_arena && !l.wrong);
    for (unsigned i = 0; i < KM_USER_THREADS && !l.wrong; i++)
        if (h->thread[i].tcache)
            check_tcache(&l, h->thread[i].tcache, &out->tcache_chunks, &out->tcache_bytes);
    out->hblks = h->nr_mmaps;
    out->hblkhd = h->mmapped_bytes;
    return l.wrong;
}

void km_user_heap_info(const struct km_user_heap *h, const uint8_t *window, struct km_user_heap_info *out)
{
    look_at_all(h, window, out);
}

const char *km_user_heap_check(const struct km_user_heap *h, const uint8_t *window)
{
    struct km_user_heap_info info;

    return look_at_all(h, window, &info);
}
