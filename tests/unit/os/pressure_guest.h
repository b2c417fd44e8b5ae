/* SPDX-License-Identifier: MIT
 * pressure_guest.h - the small guest with LRU lists, reclaim and an OOM killer, for tests of memory pressure.
 *
 * Zone Normal alone serves: DMA and HighMem keep marks nobody can meet, and GFP_KERNEL never reaches HighMem. Boot
 * pagesets (a page at a time) and counters without lag make every page count; watermarks are 100, 200 and 300.
 */
#ifndef KM_TEST_PRESSURE_GUEST_H
#define KM_TEST_PRESSURE_GUEST_H

#include "small_guest.h"

#include "models/os/lru.h"
#include "models/os/oom.h"
#include "models/os/reclaim.h"

#define FILE_GFP (KM_GFP_NOFS | KM_GFP_HARDWALL | KM_GFP_NORETRY | KM_GFP_NOWARN | KM_GFP_MOVABLE)
#define ANON_GFP (KM_GFP_USER | KM_GFP_MOVABLE | KM_GFP_ZERO)
#define DIRTY_GFP (KM_GFP_USER | KM_GFP_MOVABLE | KM_GFP_WRITE)

enum { PG_MIN = 100, PG_LOW = 200, PG_HIGH = 300, PG_TASKS = 64 };

struct pressure_guest {
    struct small_guest g;
    struct km_lru lru;
    struct km_reclaim rc;
    struct km_oom oom;
    struct km_oom_task task[PG_TASKS];
    struct km_write dirty[GUEST_MAX_PFN], writing[GUEST_MAX_PFN];
    unsigned gone;
};

static inline void pg_on_gone(void *ctx, struct km_cpu *cpu, km_pfn pfn, bool swapped)
{
    struct pressure_guest *p = ctx;

    (void)cpu;
    (void)pfn;
    (void)swapped;
    p->gone++;
}

static inline void pg_open(struct pressure_guest *p, uint64_t swap_pages)
{
    struct km_os *os = &p->g.os;
    struct km_cpu *cpu = &p->g.cpu[0];

    memset(p, 0, sizeof(*p));
    guest_boot(&p->g);
    os->p.watermark_boost_factor = 0;
    km_zone_set_watermarks(os, cpu, KM_ZONE_DMA, 100000, 100000, 100000);
    km_zone_set_watermarks(os, cpu, KM_ZONE_HIGHMEM, 100000, 100000, 100000);
    km_zone_set_watermarks(os, cpu, KM_ZONE_NORMAL, PG_MIN, PG_LOW, PG_HIGH);
    km_lru_open(&p->lru, os, cpu);
    p->rc.swappiness = 60;
    p->rc.swap_pages = swap_pages;
    p->rc.writeback_ns = 1000000;
    p->rc.dirty_expire_ns = 30000000000ull;
    p->rc.scan_page_ns = 1000;
    p->rc.dirty = (struct km_write_queue){.item = p->dirty, .room = GUEST_MAX_PFN};
    p->rc.writing = (struct km_write_queue){.item = p->writing, .room = GUEST_MAX_PFN};
    p->rc.ctx = p;
    p->rc.gone = pg_on_gone;
    km_reclaim_open(&p->rc, os);
    p->oom.task = p->task;
    p->oom.room = PG_TASKS;
    os->oom = &p->oom;
}

static inline void pg_close(struct pressure_guest *p)
{
    guest_close(&p->g);
}

static inline uint32_t pg_free(const struct pressure_guest *p)
{
    return km_zone_free_pages(&p->g.os, p->g.window, KM_ZONE_NORMAL);
}

static inline km_pfn pg_alloc(struct pressure_guest *p, uint32_t gfp)
{
    return km_alloc_pages(&p->g.os, &p->g.cpu[0], gfp, 0);
}

/* Pages of a kind on the lists (batch drained): allocated without regard to marks. */
static inline void pg_fill(struct pressure_guest *p, uint32_t gfp, unsigned pages, km_pfn *out)
{
    for (unsigned i = 0; i < pages; i++) {
        km_pfn pfn = km_buddy_take(&p->g.os, &p->g.cpu[0], KM_ZONE_NORMAL, 0, KM_MT_MOVABLE, 0);

        assert_int_not_equal(pfn, KM_PFN_NONE);
        km_prep_page(&p->g.os, &p->g.cpu[0], pfn, gfp, 0);
        km_lru_add(&p->g.os, &p->g.cpu[0], pfn, km_lru_kind_of(gfp, 0));
        if (out)
            out[i] = pfn;
    }
    km_lru_drain(&p->g.os, &p->g.cpu[0], 0);
}

/* Takes pages nobody can reclaim until so many are free. */
static inline void pg_leave_free(struct pressure_guest *p, uint32_t pages)
{
    while (pg_free(p) > pages)
        assert_int_not_equal(km_buddy_take(&p->g.os, &p->g.cpu[0], KM_ZONE_NORMAL, 0, KM_MT_UNMOVABLE, 0), KM_PFN_NONE);
    assert_int_equal(pg_free(p), pages);
    guest_forget_events(&p->g);
}

static inline uint32_t pg_listed(struct pressure_guest *p, enum km_lru_list l)
{
    return km_lru_zone_size(&p->g.os, &p->g.cpu[0], KM_ZONE_NORMAL, l);
}

static inline void pg_check(struct pressure_guest *p)
{
    const char *wrong = km_lru_check(&p->g.os, p->g.window);

    guest_check(&p->g);
    if (wrong)
        fail_msg("%s", wrong);
}

static inline unsigned pg_events(const struct pressure_guest *p, enum km_tp_kind kind)
{
    return guest_count_events(&p->g, kind);
}

#endif
