/* SPDX-License-Identifier: MIT
 * user_malloc_bins.c - fast, unsorted, small and large bins and the top chunk of one arena.
 *
 * A free chunk is in exactly one bin, has its size repeated behind it and a used chunk on both sides;
 * chunks in fast bins and thread caches count as used. Freed chunks pass through the unsorted list and
 * are sorted by the next request that does not find its exact size there.
 */
#include "models/os/user_malloc_priv.h"

#define UNSORTED 1u
#define MAX_SORTED 10000u /* chunks one call sorts at most */

static km_vaddr corrupt(const struct km_heap_call *c, km_vaddr p, const char *message)
{
    km_heap_misuse(c, KM_MISUSE_CORRUPTION, p + CH_HEADER, message);
    return 0;
}

bool km_int_unlink(const struct km_heap_call *c, km_vaddr p)
{
    uint32_t size = chunk_size(c, p);
    km_vaddr fd = ld(c, p + CH_FD), bk = ld(c, p + CH_BK);

    km_heap_work(c, FN_UNLINK, 18);
    if (!km_heap_mapped(c, p + size, 8) || ld(c, p + size + CH_PREV_SIZE) != size)
        return corrupt(c, p, "corrupted size vs. prev_size");
    if (!km_heap_mapped(c, fd, 16) || !km_heap_mapped(c, bk, 16) || ld(c, fd + CH_BK) != p ||
        ld(c, bk + CH_FD) != p)
        return corrupt(c, p, "corrupted double-linked list");
    st(c, fd + CH_BK, bk);
    st(c, bk + CH_FD, fd);
    if (is_small(size) || !ld(c, p + CH_FD_NEXTSIZE))
        return true;
    km_vaddr next = ld(c, p + CH_FD_NEXTSIZE), prev = ld(c, p + CH_BK_NEXTSIZE);

    if (!km_heap_mapped(c, next, 24) || !km_heap_mapped(c, prev, 24) ||
        ld(c, next + CH_BK_NEXTSIZE) != p || ld(c, prev + CH_FD_NEXTSIZE) != p)
        return corrupt(c, p, "corrupted double-linked list (not small)");
    if (ld(c, fd + CH_FD_NEXTSIZE)) { /* fd is the first of another size */
        st(c, next + CH_BK_NEXTSIZE, prev);
        st(c, prev + CH_FD_NEXTSIZE, next);
        return true;
    }
    if (next == p) { /* fd has the same size and becomes the first of the only size */
        st(c, fd + CH_FD_NEXTSIZE, fd);
        st(c, fd + CH_BK_NEXTSIZE, fd);
    } else {
        st(c, fd + CH_FD_NEXTSIZE, next);
        st(c, fd + CH_BK_NEXTSIZE, prev);
        st(c, next + CH_BK_NEXTSIZE, fd);
        st(c, prev + CH_FD_NEXTSIZE, fd);
    }
    return true;
}

/* Front of the unsorted list. */
static bool put_unsorted(const struct km_heap_call *c, km_vaddr arena, km_vaddr p, uint32_t size,
                         const char *message)
{
    km_vaddr bin = bin_at(arena, UNSORTED), first = ld(c, bin + CH_FD);

    if (ld(c, first + CH_BK) != bin)
        return corrupt(c, p, message);
    st(c, p + CH_FD, first);
    st(c, p + CH_BK, bin);
    if (!is_small(size)) {
        st(c, p + CH_FD_NEXTSIZE, 0);
        st(c, p + CH_BK_NEXTSIZE, 0);
    }
    st(c, bin + CH_FD, p);
    st(c, first + CH_BK, p);
    return true;
}

/* Makes the first nb bytes of a chunk that is in no bin a used chunk; the rest is free again. */
static km_vaddr carve(const struct km_heap_call *c, km_vaddr arena, km_vaddr p, uint32_t size, uint32_t nb,
                      bool remember)
{
    uint32_t rest = size - nb;

    if (rest < MIN_CHUNK) {
        mark_inuse(c, p, size);
        if (arena_bit(c, arena))
            set_head(c, p, ld(c, p + CH_SIZE) | NON_MAIN);
        return p + CH_HEADER;
    }
    if (!put_unsorted(c, arena, p + nb, rest, "malloc(): corrupted unsorted chunks"))
        return 0;
    if (remember)
        st(c, arena + AR_LAST_REMAINDER, p + nb);
    set_head(c, p, nb | PREV_INUSE | arena_bit(c, arena));
    set_head(c, p + nb, rest | PREV_INUSE);
    set_foot(c, p + nb, rest);
    return p + CH_HEADER;
}

/* ---- exact fits ------------------------------------------------------------------------------- */

static km_vaddr pop_fast(const struct km_heap_call *c, km_vaddr arena, uint32_t nb)
{
    km_vaddr head = arena + AR_FAST + fast_index(nb) * 4, p = ld(c, head);

    if (!p)
        return 0;
    if (p & ALIGN_MASK & ~(uint32_t)CH_HEADER || !km_heap_mapped(c, p, 16) || chunk_size(c, p) != nb) {
        st(c, head, 0); /* the rest of the list cannot be trusted */
        return corrupt(c, p, "malloc(): memory corruption (fast)");
    }
    st(c, head, mangle(p + CH_FD, ld(c, p + CH_FD)));
    return p;
}

static km_vaddr take_fast(const struct km_heap_call *c, km_vaddr arena, uint32_t nb)
{
    km_vaddr p = pop_fast(c, arena, nb), more;

    if (!p)
        return 0;
    while (km_tcache_room(c, tcache_index(nb)) && (more = pop_fast(c, arena, nb)))
        km_tcache_put(c, more, tcache_index(nb));
    c->h->stats.from_fast++;
    return p + CH_HEADER;
}

static km_vaddr pop_small(const struct km_heap_call *c, km_vaddr arena, uint32_t nb)
{
    km_vaddr bin = bin_at(arena, bin_index(nb)), p = ld(c, bin + CH_BK), bk;

    if (p == bin || c->mm->killed)
        return 0;
    bk = ld(c, p + CH_BK);
    if (!km_heap_mapped(c, bk, 16) || ld(c, bk + CH_FD) != p)
        return corrupt(c, p, "malloc(): smallbin double linked list corrupted");
    mark_inuse(c, p, nb);
    st(c, bin + CH_BK, bk);
    st(c, bk + CH_FD, bin);
    if (arena_bit(c, arena))
        set_head(c, p, ld(c, p + CH_SIZE) | NON_MAIN);
    return p;
}

static km_vaddr take_small(const struct km_heap_call *c, km_vaddr arena, uint32_t nb)
{
    km_vaddr p = pop_small(c, arena, nb), more;

    if (!p)
        return 0;
    while (km_tcache_room(c, tcache_index(nb)) && (more = pop_small(c, arena, nb)))
        km_tcache_put(c, more, tcache_index(nb));
    c->h->stats.from_small++;
    return p + CH_HEADER;
}

/* ---- sorting the unsorted list ---------------------------------------------------------------- */

static void link_between(const struct km_heap_call *c, km_vaddr p, km_vaddr bk, km_vaddr fd)
{
    st(c, p + CH_BK, bk);
    st(c, p + CH_FD, fd);
    st(c, fd + CH_BK, p);
    st(c, bk + CH_FD, p);
}

/* Large bins run from the largest to the smallest; the first chunk of each size is on a second list. */
static void sort_large(const struct km_heap_call *c, km_vaddr bin, km_vaddr p, uint32_t size)
{
    km_vaddr first = ld(c, bin + CH_FD), last = ld(c, bin + CH_BK), at;

    if (first == bin) {
        st(c, p + CH_FD_NEXTSIZE, p);
        st(c, p + CH_BK_NEXTSIZE, p);
        link_between(c, p, bin, bin);
        return;
    }
    if (size < chunk_size(c, last)) {
        km_vaddr smallest = ld(c, first + CH_BK_NEXTSIZE);

        st(c, p + CH_FD_NEXTSIZE, first);
        st(c, p + CH_BK_NEXTSIZE, smallest);
        st(c, first + CH_BK_NEXTSIZE, p);
        st(c, smallest + CH_FD_NEXTSIZE, p);
        link_between(c, p, last, bin);
        return;
    }
    at = first;
    while (size < chunk_size(c, at) && !c->mm->killed) {
        km_heap_work(c, FN_INT_MALLOC, 4);
        at = ld(c, at + CH_FD_NEXTSIZE);
    }
    if (size == chunk_size(c, at)) { /* second of its size: not on the second list */
        st(c, p + CH_FD_NEXTSIZE, 0);
        st(c, p + CH_BK_NEXTSIZE, 0);
        link_between(c, p, at, ld(c, at + CH_FD));
        return;
    }
    km_vaddr larger = ld(c, at + CH_BK_NEXTSIZE);

    st(c, p + CH_FD_NEXTSIZE, at);
    st(c, p + CH_BK_NEXTSIZE, larger);
    st(c, at + CH_BK_NEXTSIZE, p);
    st(c, larger + CH_FD_NEXTSIZE, p);
    link_between(c, p, ld(c, at + CH_BK), at);
}

static void file_chunk(const struct km_heap_call *c, km_vaddr arena, km_vaddr p, uint32_t size)
{
    unsigned index = bin_index(size);
    km_vaddr bin = bin_at(arena, index), map = arena + AR_BINMAP + index / 32 * 4;

    if (is_small(size))
        link_between(c, p, bin, ld(c, bin + CH_FD));
    else
        sort_large(c, bin, p, size);
    st(c, map, ld(c, map) | 1u << index % 32);
}

static const char *unsorted_fault(const struct km_heap_call *c, km_vaddr arena, km_vaddr p)
{
    if (!km_heap_mapped(c, p, 16))
        return "malloc(): unsorted double linked list corrupted";
    uint32_t head = ld(c, p + CH_SIZE), size = head & ~SIZE_BITS;
    km_vaddr bk = ld(c, p + CH_BK);

    if (size <= CH_HEADER || size > ld(c, arena + AR_SYSTEM_MEM))
        return "malloc(): invalid size (unsorted)";
    if (!km_heap_mapped(c, p + size, 8))
        return "malloc(): invalid next size (unsorted)";
    uint32_t next = ld(c, p + size + CH_SIZE);

    if (next < CH_HEADER || next > ld(c, arena + AR_SYSTEM_MEM))
        return "malloc(): invalid next size (unsorted)";
    if (ld(c, p + size + CH_PREV_SIZE) != size)
        return "malloc(): mismatching next->prev_size (unsorted)";
    if (!km_heap_mapped(c, bk, 16) || ld(c, bk + CH_FD) != p ||
        ld(c, p + CH_FD) != bin_at(arena, UNSORTED))
        return "malloc(): unsorted double linked list corrupted";
    return next & PREV_INUSE ? "malloc(): invalid next->prev_inuse (unsorted)" : 0;
}

/* Sorts until an exact fit turns up. *stop: nothing more to be done, the result (also 0) counts. */
static km_vaddr sort_unsorted(const struct km_heap_call *c, km_vaddr arena, uint32_t nb, bool *stop)
{
    km_vaddr list = bin_at(arena, UNSORTED), p;
    bool cached = false;
    unsigned n = 0;

    while ((p = ld(c, list + CH_BK)) != list && n++ < MAX_SORTED && !c->mm->killed) {
        const char *fault = unsorted_fault(c, arena, p);
        uint32_t size;
        km_vaddr bk;

        km_heap_work(c, FN_INT_MALLOC, 26);
        if (fault) {
            st(c, list + CH_BK, list); /* give the list up: what it held is lost */
            st(c, list + CH_FD, list);
            *stop = true;
            return corrupt(c, p, fault);
        }
        size = chunk_size(c, p);
        bk = ld(c, p + CH_BK);
        if (is_small(nb) && bk == list && p == ld(c, arena + AR_LAST_REMAINDER) && size > nb + MIN_CHUNK) {
            st(c, list + CH_BK, list);
            st(c, list + CH_FD, list);
            c->h->stats.from_unsorted++;
            *stop = true;
            return carve(c, arena, p, size, nb, true);
        }
        st(c, list + CH_BK, bk);
        st(c, bk + CH_FD, list);
        if (size != nb) {
            file_chunk(c, arena, p, size);
            continue;
        }
        mark_inuse(c, p, size);
        if (arena_bit(c, arena))
            set_head(c, p, ld(c, p + CH_SIZE) | NON_MAIN);
        if (km_tcache_room(c, tcache_index(nb))) { /* keep going: more of this size may follow */
            km_tcache_put(c, p, tcache_index(nb));
            cached = true;
            continue;
        }
        c->h->stats.from_unsorted++;
        *stop = true;
        return p + CH_HEADER;
    }
    if (!cached)
        return 0;
    c->h->stats.from_unsorted++;
    *stop = true;
    return km_tcache_get(c, tcache_index(nb));
}

/* ---- best fit --------------------------------------------------------------------------------- */

static km_vaddr take_out(const struct km_heap_call *c, km_vaddr arena, km_vaddr p, uint32_t nb)
{
    uint32_t size = chunk_size(c, p);

    if (size < nb)
        return corrupt(c, p, "malloc(): chunk smaller than its bin");
    if (!km_int_unlink(c, p))
        return 0;
    c->h->stats.from_bins++;
    return carve(c, arena, p, size, nb, is_small(nb));
}

/* Smallest sufficient chunk of the request's own large bin. */
static km_vaddr own_large_bin(const struct km_heap_call *c, km_vaddr arena, uint32_t nb, bool *stop)
{
    km_vaddr bin = bin_at(arena, bin_index(nb)), first = ld(c, bin + CH_FD), p;

    if (first == bin || chunk_size(c, first) < nb)
        return 0;
    *stop = true;
    p = ld(c, first + CH_BK_NEXTSIZE);
    while (chunk_size(c, p) < nb && p != first && !c->mm->killed) {
        km_heap_work(c, FN_INT_MALLOC, 4);
        p = ld(c, p + CH_BK_NEXTSIZE);
    }
    /* The second of a size leaves the list of sizes as it is. */
    if (p != ld(c, bin + CH_BK) && chunk_size(c, p) == chunk_size(c, ld(c, p + CH_FD)))
        p = ld(c, p + CH_FD);
    return take_out(c, arena, p, nb);
}

static km_vaddr larger_bins(const struct km_heap_call *c, km_vaddr arena, uint32_t nb, bool *stop)
{
    for (unsigned i = bin_index(nb) + 1; i < NBINS; i++) {
        km_vaddr at = arena + AR_BINMAP + i / 32 * 4, bin = bin_at(arena, i), p;
        uint32_t map = ld(c, at);

        km_heap_work(c, FN_INT_MALLOC, 6);
        if (!(map >> i % 32)) { /* nothing in the rest of this word */
            i |= 31;
            continue;
        }
        if (!(map >> i % 32 & 1))
            continue;
        if (i == NBINS - 1) /* bins 1 .. 126 exist */
            break;
        p = ld(c, bin + CH_BK);
        if (p == bin) {
            st(c, at, map & ~(1u << i % 32));
            continue;
        }
        *stop = true;
        return take_out(c, arena, p, nb);
    }
    return 0;
}

km_vaddr km_int_split_top(const struct km_heap_call *c, km_vaddr arena, uint32_t nb)
{
    km_vaddr top = ld(c, arena + AR_TOP);
    uint32_t size = chunk_size(c, top);

    if (size < nb + MIN_CHUNK)
        return 0;
    st(c, arena + AR_TOP, top + nb);
    set_head(c, top, nb | PREV_INUSE | arena_bit(c, arena));
    set_head(c, top + nb, (size - nb) | PREV_INUSE);
    return top + CH_HEADER;
}

km_vaddr km_int_malloc(const struct km_heap_call *c, km_vaddr arena, uint32_t nb)
{
    km_vaddr mem;
    bool stop = false;

    km_heap_work(c, FN_INT_MALLOC, 46);
    if (nb <= c->h->max_fast && (mem = take_fast(c, arena, nb)))
        return mem;
    if (is_small(nb)) {
        if ((mem = take_small(c, arena, nb)))
            return mem;
    } else if (ld(c, arena + AR_HAVE_FAST)) {
        km_int_consolidate(c, arena);
    }
    while (!c->mm->killed) {
        mem = sort_unsorted(c, arena, nb, &stop);
        if (!mem && !stop && !is_small(nb))
            mem = own_large_bin(c, arena, nb, &stop);
        if (!mem && !stop)
            mem = larger_bins(c, arena, nb, &stop);
        if (mem || stop)
            return mem;
        km_vaddr top = ld(c, arena + AR_TOP);

        if (chunk_size(c, top) > ld(c, arena + AR_SYSTEM_MEM))
            return corrupt(c, top, "malloc(): corrupted top size");
        mem = km_int_split_top(c, arena, nb);
        if (mem) {
            c->h->stats.from_top++;
            return mem;
        }
        if (!ld(c, arena + AR_HAVE_FAST))
            return km_sysmalloc(c, arena, nb);
        km_int_consolidate(c, arena);
    }
    return 0;
}

/* ---- freeing ---------------------------------------------------------------------------------- */

/* Joins a chunk with free neighbours and puts it on the unsorted list or into the top. */
static uint32_t merge(const struct km_heap_call *c, km_vaddr arena, km_vaddr p, uint32_t size, bool prev_free)
{
    km_vaddr next = p + size;
    uint32_t next_size = chunk_size(c, next);

    if (prev_free) {
        uint32_t before = ld(c, p + CH_PREV_SIZE);

        if (!km_heap_mapped(c, p - before, 16) || chunk_size(c, p - before) != before)
            return corrupt(c, p, "corrupted size vs. prev_size while consolidating");
        if (!km_int_unlink(c, p - before))
            return 0;
        p -= before;
        size += before;
    }
    if (next == ld(c, arena + AR_TOP)) {
        size += next_size;
        set_head(c, p, size | PREV_INUSE);
        st(c, arena + AR_TOP, p);
        c->h->stats.to_top++;
        return size;
    }
    if (!km_heap_mapped(c, next + next_size, 8)) /* reads as zero, or not at all */
        return corrupt(c, p, "corrupted size vs. prev_size");
    if (!(ld(c, next + next_size + CH_SIZE) & PREV_INUSE)) {
        if (!km_int_unlink(c, next))
            return 0;
        size += next_size;
    } else {
        set_head(c, next, ld(c, next + CH_SIZE) & ~(uint32_t)PREV_INUSE);
    }
    if (!put_unsorted(c, arena, p, size, "free(): corrupted unsorted chunks"))
        return 0;
    set_head(c, p, size | PREV_INUSE);
    set_foot(c, p, size);
    c->h->stats.to_unsorted++;
    return size;
}

void km_int_consolidate(const struct km_heap_call *c, km_vaddr arena)
{
    km_heap_work(c, FN_CONSOLIDATE, 40);
    c->h->stats.consolidations++;
    st(c, arena + AR_HAVE_FAST, 0);
    for (unsigned i = 0; i < NFAST; i++) {
        km_vaddr head = arena + AR_FAST + i * 4, p = ld(c, head), next;

        if (p)
            st(c, head, 0);
        for (; p && !c->mm->killed; p = next) {
            km_heap_work(c, FN_CONSOLIDATE, 30);
            if ((p + CH_HEADER) & ALIGN_MASK || !km_heap_mapped(c, p, 16) ||
                fast_index(chunk_size(c, p)) != i) {
                corrupt(c, p, "malloc_consolidate(): invalid chunk size");
                break;
            }
            next = mangle(p + CH_FD, ld(c, p + CH_FD));
            merge(c, arena, p, chunk_size(c, p), !(ld(c, p + CH_SIZE) & PREV_INUSE));
        }
    }
}

/* A payload in the thread's cache carries the key; only then is the list searched. */
static bool in_tcache(const struct km_heap_call *c, km_vaddr p, unsigned index)
{
    km_vaddr tcache = c->h->thread[c->thread].tcache, at;

    if (ld(c, p + CH_HEADER + TC_KEY) != c->h->tcache_key)
        return false;
    at = ld(c, tcache + TC_ENTRIES + index * 4);
    for (unsigned n = 0; at && n <= KM_TCACHE_FILL && km_heap_mapped(c, at, 8); n++) {
        if (at == p + CH_HEADER)
            return true;
        at = mangle(at, ld(c, at));
    }
    return false;
}

static bool free_fast(const struct km_heap_call *c, km_vaddr arena, km_vaddr p, uint32_t size)
{
    km_vaddr head = arena + AR_FAST + fast_index(size) * 4, old;
    uint32_t next;

    if (!km_heap_mapped(c, p + size, 8) || (next = ld(c, p + size + CH_SIZE)) <= CH_HEADER ||
        (next & ~SIZE_BITS) >= ld(c, arena + AR_SYSTEM_MEM)) {
        km_heap_misuse(c, KM_MISUSE_INVALID_SIZE, p + CH_HEADER, "free(): invalid next size (fast)");
        return false;
    }
    st(c, arena + AR_HAVE_FAST, 1);
    old = ld(c, head);
    if (old == p) {
        km_heap_misuse(c, KM_MISUSE_DOUBLE_FREE, p + CH_HEADER, "double free or corruption (fasttop)");
        return false;
    }
    st(c, p + CH_FD, mangle(p + CH_FD, old));
    st(c, head, p);
    c->h->stats.to_fast++;
    return true;
}

static const char *free_fault(const struct km_heap_call *c, km_vaddr arena, km_vaddr p, uint32_t size,
                              enum km_misuse_kind *kind)
{
    km_vaddr top = ld(c, arena + AR_TOP), next = p + size;

    *kind = KM_MISUSE_DOUBLE_FREE;
    if (p == top)
        return "double free or corruption (top)";
    if (contiguous(c, arena) && next >= top + chunk_size(c, top))
        return "double free or corruption (out)";
    if (!km_heap_mapped(c, next, 8)) {
        *kind = KM_MISUSE_INVALID_SIZE;
        return "free(): invalid next size (normal)";
    }
    uint32_t head = ld(c, next + CH_SIZE);

    if (!(head & PREV_INUSE))
        return "double free or corruption (!prev)";
    *kind = KM_MISUSE_INVALID_SIZE;
    if (head <= CH_HEADER || (head & ~SIZE_BITS) >= ld(c, arena + AR_SYSTEM_MEM))
        return "free(): invalid next size (normal)";
    return 0;
}

void km_int_free(const struct km_heap_call *c, km_vaddr arena, km_vaddr p, bool use_tcache)
{
    uint32_t size = chunk_size(c, p);
    enum km_misuse_kind kind;
    const char *fault;

    km_heap_work(c, FN_INT_FREE, 34);
    if (p > 0u - size || (p + CH_HEADER) & ALIGN_MASK) {
        km_heap_misuse(c, KM_MISUSE_INVALID_POINTER, p + CH_HEADER, "free(): invalid pointer");
        return;
    }
    if (size < MIN_CHUNK || size & ALIGN_MASK) {
        km_heap_misuse(c, KM_MISUSE_INVALID_SIZE, p + CH_HEADER, "free(): invalid size");
        return;
    }
    if (use_tcache && c->h->thread[c->thread].tcache && tcache_index(size) < KM_TCACHE_BINS) {
        if (in_tcache(c, p, tcache_index(size))) {
            km_heap_misuse(c, KM_MISUSE_DOUBLE_FREE, p + CH_HEADER,
                           "free(): double free detected in tcache 2");
            return;
        }
        if (km_tcache_room(c, tcache_index(size))) {
            km_tcache_put(c, p, tcache_index(size));
            c->h->stats.to_tcache++;
            return;
        }
    }
    if (size <= c->h->max_fast) {
        free_fast(c, arena, p, size);
        return;
    }
    fault = free_fault(c, arena, p, size, &kind);
    if (fault) {
        km_heap_misuse(c, kind, p + CH_HEADER, fault);
        return;
    }
    if (merge(c, arena, p, size, !(ld(c, p + CH_SIZE) & PREV_INUSE)) < FASTBIN_CONSOLIDATE)
        return;
    if (ld(c, arena + AR_HAVE_FAST))
        km_int_consolidate(c, arena);
    if (arena != c->h->main_arena)
        km_heap_trim(c, arena);
    else if (chunk_size(c, ld(c, arena + AR_TOP)) >= c->h->trim_threshold)
        km_systrim(c, c->h->top_pad);
}
