/* SPDX-License-Identifier: MIT
 * replay_rig.h - a 64 MiB guest with empty free lists, a replay around it and a trace written by hand.
 *
 *   PFN   0        1000     1028      10c8      1200      1400      1600        3e00      4000
 *         |  DMA   | Normal: bss | mem_map |    | block 0 | block 1 | block 2 ... block 22 |
 *
 * Pageblocks have 512 pages and are MOVABLE; nothing is free until a test frees it; per-CPU lists hold up to 100
 * pages and refill by 4. Two CPUs.
 */
#ifndef KM_TEST_REPLAY_RIG_H
#define KM_TEST_REPLAY_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "models/base/types.h"
#include "models/os/buddy.h"
#include "models/os/pcp.h"
#include "sim/workload/replay.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define RIG_BLOCK(n) (0x1200u + 512u * (n))

enum { RIG_BATCH = 4, RIG_HIGH = 100 };

struct rig {
    struct km_config cfg;
    struct km_replay r;
    char path[64]; /* of the trace */
    FILE *trace;
    unsigned lines;
};

static inline void rig_problem(void *ctx, const struct km_err *err)
{
    (void)ctx;
    km_err_print(err);
}

static inline struct rig *rig_new(void)
{
    static const char *const sets[] = {"machine.ram=64MiB", "machine.cpus=2",        "machine.paging=pae",
                                       "os.thp=off",        "report.plots=false",    "report.html=false",
                                       "report.period=1ms", "os.pageblock_order=9"};
    struct rig *rig = calloc(1, sizeof(*rig));
    struct km_machine_facts facts;
    struct km_err err = {0};

    assert_non_null(rig);
    assert_int_equal(km_config_load(&rig->cfg, KM_SOURCE_DIR "/configs/replay.yaml", sets, KM_ARRAY_LEN(sets),
                                    rig_problem, NULL),
                     0);
    struct km_guest *g = &rig->r.guest;

    rig->r.cfg = &rig->cfg;
    g->window.memfd = -1;
    assert_int_equal(km_guest_facts(&facts, &rig->cfg, NULL, NULL, &err), KM_OK);
    assert_int_equal(km_guest_open(g, &facts, &err), KM_OK);
    km_guest_build(g, &rig->cfg, 0x1000000, 0x1028000);
    rig->r.traced_os = g->os;
    for (unsigned c = 0; c < 2; c++)
        km_pcp_set_limits(&g->os, &g->cpu[0], KM_ZONE_NORMAL, c, RIG_HIGH, RIG_BATCH);
    assert_int_equal(km_page_map_init(&rig->r.map, facts.max_pfn), KM_OK);
    snprintf(rig->path, sizeof(rig->path), "/tmp/km_replay_XXXXXX");
    rig->trace = fdopen(mkstemp(rig->path), "w");
    assert_non_null(rig->trace);
    fputs("cpus=2\n", rig->trace);
    return rig;
}

static inline void rig_free(struct rig *rig)
{
    km_page_map_release(&rig->r.map);
    km_adjustments_release(&rig->r.adjust);
    km_hidden_release(&rig->r.hidden);
    km_live_objects_release(&rig->r);
    km_trace_close(rig->r.trace);
    free(rig->r.guessed);
    km_guest_release(&rig->r.guest);
    km_config_release(&rig->cfg);
    fclose(rig->trace);
    unlink(rig->path);
    free(rig);
}

/* Adds a block to the free lists of a type; merges with its buddies. */
static inline void rig_give(struct rig *rig, km_pfn pfn, unsigned order, enum km_migratetype mt)
{
    struct km_guest *g = &rig->r.guest;

    km_buddy_free(&g->os, &g->cpu[0], km_pfn_zone(&g->os, pfn), pfn, order, mt, true);
}

static inline uint64_t rig_blocks(const struct rig *rig, unsigned order)
{
    uint64_t nr_free[KM_NR_ORDERS];

    km_buddy_count(&rig->r.guest.os, rig->r.guest.window.base, KM_ZONE_NORMAL, nr_free, NULL);
    return nr_free[order];
}

static inline bool rig_is_free(const struct rig *rig, km_pfn pfn, unsigned order)
{
    return km_range_free(&rig->r.guest.os, rig->r.guest.window.base, pfn, order);
}

/* Events, by hand. */
static inline struct km_event page_event(enum km_event_type type, unsigned cpu, km_pfn pfn, unsigned order, int mt)
{
    return (struct km_event){
        .type = (uint8_t)type,
        .cpu = (uint8_t)cpu,
        .page = {.pfn = pfn,
                 .order = (uint8_t)order,
                 .migratetype = (int8_t)mt,
                 .gfp = mt == KM_MT_MOVABLE ? KM_GFP_KERNEL | KM_GFP_MOVABLE : KM_GFP_KERNEL},
    };
}

static inline struct km_event bulk_event(unsigned cpu, uint64_t pages, uint32_t gfp)
{
    return (struct km_event){.type = KM_EV_PAGES_BULK, .cpu = (uint8_t)cpu, .probe = {.a = pages, .gfp = gfp}};
}

/* Lines of the trace: event n of the trace is line n. */
__attribute__((format(printf, 3, 4))) static inline void line(struct rig *rig, unsigned cpu, const char *fmt, ...)
{
    va_list args;

    fprintf(rig->trace, "            task-1     [%03u]     1.%09u: ", cpu, ++rig->lines);
    va_start(args, fmt);
    vfprintf(rig->trace, fmt, args);
    va_end(args);
    fputc('\n', rig->trace);
    fflush(rig->trace);
}

static inline void line_alloc(struct rig *rig, unsigned cpu, km_pfn pfn, unsigned order)
{
    line(rig, cpu, "mm_page_alloc: page=0x%x pfn=0x%x order=%u migratetype=1 gfp_flags=GFP_KERNEL|__GFP_MOVABLE", pfn, pfn,
         order);
}

static inline void line_free(struct rig *rig, unsigned cpu, km_pfn pfn, unsigned order)
{
    line(rig, cpu, "mm_page_free: page=0x%x pfn=0x%x order=%u", pfn, pfn, order);
}

static inline void line_carve(struct rig *rig, unsigned cpu, km_pfn pfn)
{
    line(rig, cpu, "mm_page_alloc_zone_locked: page=0x%x pfn=0x%x order=0 migratetype=1 percpu_refill=1", pfn, pfn);
}

static inline void line_drain(struct rig *rig, unsigned cpu, km_pfn pfn)
{
    line(rig, cpu, "mm_page_pcpu_drain: page=0x%x pfn=0x%x order=0 migratetype=1", pfn, pfn);
}

#endif
