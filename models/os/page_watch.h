/* SPDX-License-Identifier: MIT
 * page_watch.h - misuse of the page allocator is found, reported with call sites, and survived.
 *
 * The calls of page_alloc.h and page_api.h trust their callers, as a kernel without debugging does.
 * These take the same requests from callers that may be wrong: alloc_pages    order >= 11: fails,
 * with the kernel's warning unless __GFP_NOWARN; a request that may sleep (__GFP_DIRECT_RECLAIM) in
 * atomic context: reported, and served without the right to sleep; zone bits that exclude each
 * other, or two mobility types: reported, and DMA and MOVABLE win; an ordinary failure: the
 * kernel's warning unless __GFP_NOWARN.
 *   __free_pages   of a free page, a page that was never handed out, a page of the slab layer, the
 * inside of a block, a block of another order: reported, and not carried out. put_page       of a
 * page without references likewise; a tail page counts for its compound block. What it remembers
 * per frame (who allocated it, who freed it, in which order) lives in host memory lent by the
 * caller; without it sites are 0 (not known) and the order of blocks that are not compound is
 * trusted. Looking is untimed: the guest pays for the calls alone. Call sites: whatever the driver
 * sets before a call.
 */
#ifndef KM_OS_PAGE_WATCH_H
#define KM_OS_PAGE_WATCH_H

#include "models/os/os.h"

enum km_page_misuse_kind {
    KM_PAGE_FINE,
    KM_PAGE_NO_SUCH_FRAME, /* outside of every zone                           */
    KM_PAGE_RESERVED,      /* never was the allocator's (image, mem_map, hole) */
    KM_PAGE_FREE_TWICE,
    KM_PAGE_INTERIOR, /* behind the first page of a block                 */
    KM_PAGE_WRONG_ORDER,
    KM_PAGE_OF_SLAB,       /* a slab's page: kfree is the way back             */
    KM_PAGE_ATOMIC_SLEEP,  /* may sleep, in atomic context                     */
    KM_PAGE_BAD_GFP,       /* flags that exclude each other                    */
    KM_PAGE_ORDER_TOO_BIG, /* order >= 11                                      */
    KM_PAGE_ALLOC_FAILED,  /* "page allocation failure"                        */
    KM_PAGE_MISUSE_NR,
};

struct km_page_misuse {
    enum km_page_misuse_kind kind;
    km_pfn pfn; /* KM_PFN_NONE: an allocation */
    unsigned order;
    uint32_t gfp;
    uint32_t call_site;             /* of the call that showed it     */
    uint32_t alloc_site, free_site; /* of the page's last; 0: unknown */
};

struct km_page_note {
    uint32_t alloc_site, free_site;
    uint8_t order; /* + 1; 0: not known */
};

struct km_page_watch {
    struct km_os *os;
    struct km_page_note *note; /* [pfn - os->mem_map_pfn]; NULL: nothing is remembered */
    void (*report)(void *ctx, const struct km_cpu *cpu, const struct km_page_misuse *m);
    void *ctx;
    uint32_t call_site[KM_MAX_CPUS];
    unsigned atomic[KM_MAX_CPUS]; /* depth: interrupts, spinlocks, kmap_local sections */
    uint64_t misuse[KM_PAGE_MISUSE_NR];
};

static inline void km_page_watch_enter_atomic(struct km_page_watch *w, const struct km_cpu *cpu)
{
    w->atomic[cpu->id]++;
}

static inline void km_page_watch_leave_atomic(struct km_page_watch *w, const struct km_cpu *cpu)
{
    if (w->atomic[cpu->id])
        w->atomic[cpu->id]--;
}

/* alloc_pages. */
km_pfn km_page_watch_alloc(struct km_page_watch *w, struct km_cpu *cpu, uint32_t gfp,
                           unsigned order);
/* __get_free_pages: never HighMem; 0: failed. */
km_vaddr km_page_watch_get_free(struct km_page_watch *w, struct km_cpu *cpu, uint32_t gfp,
                                unsigned order);
/* __free_pages, free_pages, put_page: what was wrong, KM_PAGE_FINE if nothing. */
enum km_page_misuse_kind km_page_watch_free(struct km_page_watch *w, struct km_cpu *cpu, km_pfn pfn,
                                            unsigned order);
enum km_page_misuse_kind km_page_watch_free_va(struct km_page_watch *w, struct km_cpu *cpu,
                                               km_vaddr va, unsigned order);
enum km_page_misuse_kind km_page_watch_put(struct km_page_watch *w, struct km_cpu *cpu, km_pfn pfn);
/* split_page: each page is then its own block. */
enum km_page_misuse_kind km_page_watch_split(struct km_page_watch *w, struct km_cpu *cpu,
                                             km_pfn pfn, unsigned order);
/* What freeing this block would be. Untimed. */
enum km_page_misuse_kind km_page_watch_judge(const struct km_page_watch *w, const uint8_t *window,
                                             km_pfn pfn, unsigned order);
const char *km_page_misuse_name(enum km_page_misuse_kind kind);

#endif
