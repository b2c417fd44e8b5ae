/* SPDX-License-Identifier: MIT
 * lru.h - which pages can be reclaimed, in the order of their last use.
 */
#ifndef KM_OS_LRU_H
#define KM_OS_LRU_H

#include "models/os/zone.h"

enum km_lru_list {
    KM_LRU_INACTIVE_ANON,
    KM_LRU_ACTIVE_ANON,
    KM_LRU_INACTIVE_FILE,
    KM_LRU_ACTIVE_FILE,
    KM_LRU_UNEVICTABLE,
    KM_LRU_NR,
};

enum km_lru_kind {
    KM_LRU_NONE, /* the kernel's own: never on a list */
    KM_LRU_ANON,
    KM_LRU_FILE,
    KM_LRU_FILE_DIRTY, /* page cache allocated to be written to */
};

/* How a page is used. */
enum km_lru_touch {
    KM_LRU_TOUCH_READ,   /* read(2), or looked up: mark_page_accessed */
    KM_LRU_TOUCH_MAPPED, /* through a mapping: its accessed bit */
    KM_LRU_TOUCH_WRITE,  /* made dirty */
};

struct km_lru {
    km_vaddr vec_va[KM_NR_ZONES]; /* struct lruvec of the zone's pages: one and the same for per-node lists */
    km_vaddr zone_size_va;        /* pages per zone and list, KM_LRU_NR words each */
    km_vaddr batch_va[KM_MAX_CPUS];
    uint64_t nr_dirty; /* page-cache pages */
    uint64_t nr_writeback;
    uint64_t activated; /* pgactivate by use */
    void *ctx;
    void (*dirtied)(void *ctx, km_pfn pfn); /* a page-cache page became dirty; may be NULL */
};

/* Empty lists; os->lru is set. Call before pages are handed out. */
void km_lru_open(struct km_lru *lru, struct km_os *os, struct km_cpu *cpu);

/* What a block handed out with these flags is used for. */
enum km_lru_kind km_lru_kind_of(uint32_t gfp, unsigned order);
/* A page handed out joins: into the CPU's batch, which goes to the lists when it is full. */
void km_lru_add(struct km_os *os, struct km_cpu *cpu, km_pfn pfn, enum km_lru_kind kind);
/* The same at once, with the page flags given (KM_PG_*), at the head or tail of its list: start states. */
void km_lru_place(struct km_os *os, struct km_cpu *cpu, km_pfn pfn, uint32_t flags, bool to_tail);
/* The batch of a CPU goes to the lists. */
void km_lru_drain(struct km_os *os, struct km_cpu *cpu, unsigned on_cpu);
/* The page's user lets go of it: it leaves list or batch and forgets what it was used for. False: somebody has
 * isolated it and frees it when he is done. */
bool km_lru_release(struct km_os *os, struct km_cpu *cpu, km_pfn pfn);
void km_lru_touch(struct km_os *os, struct km_cpu *cpu, km_pfn pfn, enum km_lru_touch how);

/* Isolation: the page leaves its list (false: it is on none); it comes back to the one its flags name, or is freed if
 * its user has let go of it meanwhile, or is about to be freed by whoever isolated it (km_lru_end). */
bool km_lru_take(struct km_os *os, struct km_cpu *cpu, km_pfn pfn);
void km_lru_put(struct km_os *os, struct km_cpu *cpu, km_pfn pfn, bool to_tail);
void km_lru_end(struct km_os *os, struct km_cpu *cpu, km_pfn pfn);
/* Up to max pages from a list's tail, isolated; pages of zones above highest go to the head instead, looking at
 * each page of the list once at most. `pages`: how many they are together, no more are taken once `wanted` are. */
unsigned km_lru_isolate(struct km_os *os, struct km_cpu *cpu, enum km_zone_id z, enum km_lru_list l,
                        enum km_zone_id highest, uint32_t wanted, km_pfn *out, unsigned max, uint32_t *pages);
/* Migration: `to` takes the flags, mapping and kind of `from`, which is isolated and then to be freed. */
void km_lru_move(struct km_os *os, struct km_cpu *cpu, km_pfn from, km_pfn to);
/* Flags of a page change; dirty and writeback pages are counted. */
void km_lru_change_flags(struct km_os *os, struct km_cpu *cpu, km_pfn pfn, uint32_t set, uint32_t clear);

static inline uint32_t km_page_flags(const struct km_os *os, struct km_cpu *cpu, km_pfn pfn)
{
    return km_ld32(cpu, km_page_va(os, pfn) + KM_PAGE_FLAGS);
}

/* Mapped by a process? (_mapcount) */
static inline bool km_page_mapped(const struct km_os *os, struct km_cpu *cpu, km_pfn pfn)
{
    return (int32_t)km_ld32(cpu, km_page_va(os, pfn) + KM_PAGE_TYPE) >= 0;
}

static inline km_vaddr km_lru_list_va(const struct km_lru *lru, enum km_zone_id z, enum km_lru_list l)
{
    return lru->vec_va[z] + KM_LRUVEC_LISTS + l * 8u;
}

/* List a page with these flags belongs on. */
enum km_lru_list km_lru_list_of(uint32_t flags);
/* Pages on the list the zone's pages are on (the node's or the zone's own); of one zone. */
uint32_t km_lru_size(const struct km_os *os, struct km_cpu *cpu, enum km_zone_id z, enum km_lru_list l);
uint32_t km_lru_zone_size(const struct km_os *os, struct km_cpu *cpu, enum km_zone_id z, enum km_lru_list l);
/* Pages of the folio that begins here. */
uint32_t km_lru_pages(const struct km_os *os, struct km_cpu *cpu, km_pfn pfn);

/* NULL, or what is wrong with the lists. Untimed. */
const char *km_lru_check(const struct km_os *os, const uint8_t *window);

#endif
