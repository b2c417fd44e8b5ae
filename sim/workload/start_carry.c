/* SPDX-License-Identifier: MIT
 * start_carry.c - the start state of the traced machine, carried over to another one: what-if replays.
 *
 * The start is built on the machine of the trace first (start_running.c, start_boot.c), with everything that is
 * inferred about it. If the configuration asks for other RAM, paging, split or fewer CPUs, this file makes a
 * second guest and moves the state there. From then on events name frames of the traced machine, the model has its
 * own, and the page map alone connects the two. The rules:
 * 1. A page in use keeps its frame if the other machine has RAM there that may hold it (what is neither on an LRU
 *    list nor from high memory must stay in low memory), whole blocks together.
 * 2. The kernel image stays; mem_map is as large as this machine needs and stands at the top of its low memory. Pages
 *    that stood there, or beyond the end of RAM, move: frames the kernel reserved at boot to the top of low memory,
 *    all others to where this machine's buddy lists would have put them, in the order of their addresses: pages of the
 *    kernel, then anonymous pages, then page cache.
 * 3. Memory that is too small gives up user pages, as a kernel with less memory would have reclaimed them: a page of the
 *    kernel or an anonymous page that finds no place takes that of page cache (inactive pages first, each in the
 *    order of their addresses), a page of the kernel in the end that of anonymous pages. User pages that do
 *    not fit above the high mark of any zone are dropped. Where the model reclaims they count as reclaimed before the
 *    replay begins (reclaim_model.c); else their later frees are frees of unknown pages.
 * 4. Free blocks keep their list and their place on it. Memory that was not there before is filed behind, in the
 *    largest blocks, movable. Pages on per-CPU lists stay there; those of CPU n go to n modulo the CPUs there are.
 * 5. Managed pages follow from rule 2, marks, reserves and per-CPU limits from them by the kernel's formulas.
 * 6. Boot captures are carried over as they stood at the hand-over of memblock, and handed over in this kernel's
 *    order; what the traced kernel took unseen afterwards (boot_sync.c) is taken here page by page.
 * Not carried: the requests themselves. They stay those of the traced kernel, also where another one would ask for
 * other page tables, other huge pages or another page cache.
 * Invariants: no model frame stands for two traced ones; every RAM frame is in use, free, or on a per-CPU list.
 */
#include "sim/workload/kpageflags.h"
#include "sim/workload/replay.h"

#include "models/base/bits.h"
#include "models/os/buddy.h"
#include "models/os/page_alloc.h"
#include "models/os/pcp.h"

#include <stdlib.h>
#include <string.h>

enum use { NOT_RAM, UNFILED, TAKEN };
enum owner { OWNER_BOOT, OWNER_KERNEL, OWNER_ANON, OWNER_FILE, OWNER_NR };

struct moving { /* a block that cannot keep its frames */
    km_pfn traced;
    uint8_t order, owner;
};

/* Who gives way, in this order. */
enum victim { VICTIM_INACTIVE_FILE, VICTIM_ACTIVE_FILE, VICTIM_ANON, VICTIM_NR };

struct eviction { /* how far the search for victims has come */
    enum victim victim;
    km_pfn next; /* traced */
};

struct carry {
    struct km_replay *r;
    struct km_guest *from;
    struct km_guest to;
    struct km_page_map map;
    uint8_t *use; /* [frame of this machine] enum use */
    struct moving *moving;
    size_t nr_moving, room_moving;
    struct eviction evict_low, evict_any; /* for pages that must be in low memory, and others */
    bool failed;
};

static bool traced_ram(const struct carry *c, km_pfn p)
{
    const struct km_machine_facts *f = &c->from->facts;

    for (unsigned i = 0; i < f->nr_ram; i++)
        if (p >= f->ram[i].start && p < f->ram[i].end)
            return true;
    return false;
}

static uint32_t traced_flags(const struct carry *c, km_pfn p)
{
    return km_peek32(c->from->window.base, km_page_va(&c->from->os, p) + KM_PAGE_FLAGS);
}

static uint64_t snapshot_bits(const struct carry *c, km_pfn p)
{
    const struct km_bundle *b = c->r->bundle;

    return b && !c->r->boot && b->start.kpageflags && p < b->start.nr_frames ? b->start.kpageflags[p] : 0;
}

static km_pfn mem_map_first(const struct km_os *os)
{
    return km_va_to_pfn(os, os->mem_map_va);
}

static km_pfn mem_map_pages(const struct km_os *os)
{
    return (km_pfn)(km_align_up(km_boot_mem_map_bytes(os), KM_PAGE_BYTES) >> KM_PAGE_SHIFT);
}

static bool in_mem_map(const struct km_os *os, km_pfn p)
{
    return p >= mem_map_first(os) && p < mem_map_first(os) + mem_map_pages(os);
}

static enum owner owner_of(const struct carry *c, km_pfn p)
{
    uint64_t bits = snapshot_bits(c, p);

    if (traced_flags(c, p) & KM_PG_RESERVED)
        return OWNER_BOOT;
    if (!(traced_flags(c, p) & KM_PG_LRU))
        return OWNER_KERNEL;
    return bits >> KPF_ANON & 1 ? OWNER_ANON : OWNER_FILE;
}

/* Order of the compound block the snapshot shows at p. */
static unsigned order_at(const struct carry *c, km_pfn p)
{
    unsigned order = 0;

    if (!(snapshot_bits(c, p) >> KPF_HEAD & 1))
        return 0;
    while (order < KM_NR_ORDERS - 1 && !(p & ((2u << order) - 1)) &&
           snapshot_bits(c, p + (1u << order)) >> KPF_TAIL & 1)
        order++;
    return order;
}

/* ---- the other machine -------------------------------------------------------------------------------- */

/* The highest place in low memory for mem_map; where the traced one stood if it is the same memory. */
static km_pfn place_mem_map(const struct carry *c, const struct km_machine_facts *f, km_pfn pages)
{
    const struct km_machine_facts *t = &c->from->facts;

    if (f->max_pfn == t->max_pfn && f->max_low_pfn == t->max_low_pfn && f->page_offset == t->page_offset)
        return mem_map_first(&c->from->os);
    for (unsigned i = f->nr_ram; i-- > 0;) {
        km_pfn end = f->ram[i].end < f->max_low_pfn ? f->ram[i].end : f->max_low_pfn;

        if (f->ram[i].start + pages <= end)
            return end - pages;
    }
    return KM_PFN_NONE;
}

static int make_guest(struct carry *c, const struct km_machine_facts *facts, struct km_err *err)
{
    const struct km_os *os = &c->from->os;
    uint64_t entries = km_align_up(facts->max_pfn, 1u << (KM_NR_ORDERS - 1));
    km_pfn pages = (km_pfn)(km_align_up(entries * c->r->cfg->os.struct_page_bytes, KM_PAGE_BYTES) >> KM_PAGE_SHIFT);
    km_pfn image_end = (km_pfn)((os->p.static_pa + KM_GUEST_IMAGE_BYTES) >> KM_PAGE_SHIFT);
    km_pfn map = place_mem_map(c, facts, pages);

    if (map == KM_PFN_NONE || map < image_end)
        return km_fail(err, KM_E_USAGE, NULL, 0, 0, "machine.ram: %u MiB are too few for the traced kernel's image",
                       facts->max_pfn >> 8);
    int rc = km_guest_open(&c->to, facts, err);

    if (rc < 0)
        return rc;
    c->use = calloc(facts->max_pfn, 1);
    if (!c->use || km_page_map_init(&c->map, c->from->facts.max_pfn) < 0)
        return km_fail(err, KM_E_NOMEM, NULL, 0, 0, "out of memory for %u page frames", facts->max_pfn);
    km_guest_build(&c->to, c->r->cfg, os->p.static_pa, (km_paddr)map << KM_PAGE_SHIFT);
    for (unsigned i = 0; i < facts->nr_ram; i++)
        memset(c->use + facts->ram[i].start, UNFILED, facts->ram[i].end - facts->ram[i].start);
    memset(c->use + map, TAKEN, pages);
    return KM_OK;
}

/* ---- pages in use ------------------------------------------------------------------------------------- */

static bool all_unfiled(const struct carry *c, km_pfn p, unsigned order)
{
    for (km_pfn i = p; i < p + (1u << order); i++)
        if (i >= c->to.facts.max_pfn || c->use[i] != UNFILED)
            return false;
    return km_pfn_zone(&c->to.os, p) == km_pfn_zone(&c->to.os, p + (1u << order) - 1);
}

static void occupy(struct carry *c, km_pfn traced, km_pfn frame, unsigned order)
{
    const struct km_os *os = &c->to.os;

    km_page_map_set(&c->map, traced, frame, order);
    for (km_pfn i = 0; i < 1u << order; i++) {
        uint8_t *page = c->to.window.base + km_page_va(os, frame + i);
        uint32_t *flags = (uint32_t *)(page + KM_PAGE_FLAGS);

        *flags &= ~(uint32_t)(KM_PG_RESERVED | KM_PG_LRU);
        *flags |= traced_flags(c, traced + i) & (KM_PG_RESERVED | KM_PG_LRU);
        *(uint32_t *)(page + KM_PAGE_REFCOUNT) = 1;
        c->use[frame + i] = TAKEN;
    }
}

static void defer(struct carry *c, km_pfn traced, unsigned order, enum owner owner)
{
    if (c->nr_moving == c->room_moving) {
        size_t room = c->room_moving ? 2 * c->room_moving : 1024;
        struct moving *grown = realloc(c->moving, room * sizeof(*grown));

        if (!grown) {
            c->failed = true;
            return;
        }
        c->moving = grown;
        c->room_moving = room;
    }
    c->moving[c->nr_moving++] = (struct moving){traced, (uint8_t)order, (uint8_t)owner};
}

/* May what lies in this traced frame lie in high memory? */
static bool may_be_high(const struct carry *c, km_pfn traced)
{
    return traced >= c->from->facts.max_low_pfn || (traced_flags(c, traced) & KM_PG_LRU);
}

static void keep_frames(struct carry *c)
{
    const km_pfn *model = c->r->map.model;
    unsigned order;

    for (km_pfn p = 1; p < c->from->facts.max_pfn; p += 1u << order) {
        order = 0;
        if (model[p] == KM_PFN_NONE || !traced_ram(c, p) || in_mem_map(&c->from->os, p))
            continue;
        order = order_at(c, p);
        for (km_pfn i = p; i < p + (1u << order); i++)
            if (model[i] != i)
                order = 0;
        if (all_unfiled(c, p, order) && (p < c->to.facts.max_low_pfn || may_be_high(c, p)))
            occupy(c, p, p, order);
        else
            defer(c, p, order, owner_of(c, p));
    }
}

/* Boot allocations: from the top of low memory down, as memblock gives them. */
static void move_boot_frames(struct carry *c)
{
    km_pfn top = c->to.facts.max_low_pfn;

    for (size_t i = c->nr_moving; i-- > 0;) {
        if (c->moving[i].owner != OWNER_BOOT)
            continue;
        while (top > 0 && c->use[top - 1] != UNFILED)
            top--;
        if (!top) {
            c->failed = true;
            return;
        }
        occupy(c, c->moving[i].traced, --top, 0);
        c->r->sum.start_moved_pages++;
    }
}

static uint32_t spare_pages(const struct carry *c, enum km_zone_id z)
{
    uint32_t free = km_zone_free_pages(&c->to.os, c->to.window.base, z);
    uint32_t high = km_peek32(c->to.window.base, c->to.os.zone[z].va + KM_ZONE_WATERMARK + KM_WMARK_HIGH * 4);

    return free > high ? free - high : 0;
}

/* The zones a page may go to, the traced one first; pages of the kernel stay low and may go below the mark. */
static km_pfn find_place(struct carry *c, const struct moving *m)
{
    struct km_os *os = &c->to.os;
    bool user = m->owner == OWNER_ANON || m->owner == OWNER_FILE;
    int z = user || m->traced >= c->from->facts.max_low_pfn ? KM_ZONE_HIGHMEM : km_pfn_zone(&c->from->os, m->traced);

    for (; z >= 0; z--) {
        if (!km_zone_populated(&os->zone[z]) || (user && spare_pages(c, (enum km_zone_id)z) < 1u << m->order))
            continue;
        km_pfn pfn = km_buddy_take(os, &c->to.cpu[0], (enum km_zone_id)z, m->order,
                                   user ? KM_MT_MOVABLE : KM_MT_UNMOVABLE, 0);

        if (pfn != KM_PFN_NONE)
            return pfn;
    }
    return KM_PFN_NONE;
}

static void file_block(struct carry *c, km_pfn pfn, unsigned order, enum km_migratetype mt)
{
    struct km_os *os = &c->to.os;

    for (km_pfn p = pfn; p < pfn + (1u << order); p++) {
        *(uint32_t *)(c->to.window.base + km_page_va(os, p) + KM_PAGE_FLAGS) &= ~(uint32_t)KM_PG_RESERVED;
        c->use[p] = TAKEN;
    }
    if (order >= os->p.pageblock_order)
        km_pageblock_set_type(os, &c->to.cpu[0], km_pfn_zone(os, pfn), pfn, mt);
    km_buddy_free(os, &c->to.cpu[0], km_pfn_zone(os, pfn), pfn, order, mt, true);
}

static bool is_victim(const struct carry *c, km_pfn traced, enum victim victim)
{
    const uint64_t bits = snapshot_bits(c, traced), fixed = 1ull << KPF_HEAD | 1ull << KPF_TAIL | 1ull << KPF_UNEVICTABLE;

    if (km_page_map_get(&c->map, traced) == KM_PFN_NONE || bits & fixed)
        return false;
    if (owner_of(c, traced) == OWNER_ANON)
        return victim == VICTIM_ANON;
    return owner_of(c, traced) == OWNER_FILE &&
           victim == (bits >> KPF_ACTIVE & 1 ? VICTIM_ACTIVE_FILE : VICTIM_INACTIVE_FILE);
}

/* The next user page that gives way to a page of this owner; false: there is none. */
static bool evict(struct carry *c, enum owner owner, bool low)
{
    struct eviction *e = low ? &c->evict_low : &c->evict_any;
    const enum victim end = owner == OWNER_KERNEL ? VICTIM_NR : owner == OWNER_ANON ? VICTIM_ANON : VICTIM_INACTIVE_FILE;

    for (; e->victim < end; e->victim++, e->next = 0)
        while (e->next < c->map.nr_frames) {
            km_pfn traced = e->next++, frame = km_page_map_get(&c->map, traced);

            if (!is_victim(c, traced, e->victim) || (low && frame >= c->to.facts.max_low_pfn))
                continue;
            km_page_map_clear(&c->map, traced, 0);
            *(uint32_t *)(c->to.window.base + km_page_va(&c->to.os, frame) + KM_PAGE_FLAGS) &= ~(uint32_t)KM_PG_LRU;
            file_block(c, frame, 0,
                       km_pageblock_type(&c->to.os, &c->to.cpu[0], km_pfn_zone(&c->to.os, frame), frame));
            c->r->sum.start_dropped_pages++;
            return true;
        }
    return false;
}

static void move_block(struct carry *c, const struct moving *m)
{
    const bool low = m->owner == OWNER_KERNEL && m->traced < c->from->facts.max_low_pfn;
    km_pfn pfn = find_place(c, m);

    while (pfn == KM_PFN_NONE && !m->order && evict(c, (enum owner)m->owner, low))
        pfn = find_place(c, m);
    if (pfn != KM_PFN_NONE) {
        occupy(c, m->traced, pfn, m->order);
        c->r->sum.start_moved_pages += 1u << m->order;
    } else if (m->order) {
        for (km_pfn i = 0; i < 1u << m->order; i++)
            move_block(c, &(struct moving){.traced = m->traced + i, .owner = m->owner});
    } else if (m->owner == OWNER_KERNEL) {
        c->failed = true;
    } else {
        c->r->sum.start_dropped_pages++;
    }
}

static void move_pages(struct carry *c)
{
    for (unsigned owner = OWNER_KERNEL; owner < OWNER_NR; owner++)
        for (size_t i = 0; i < c->nr_moving; i++)
            if (c->moving[i].owner == owner)
                move_block(c, &c->moving[i]);
}

/* ---- free memory -------------------------------------------------------------------------------------- */

/* A traced free block, or what is left of it here. */
static void file_rest(struct carry *c, km_pfn pfn, unsigned order, enum km_migratetype mt)
{
    if (all_unfiled(c, pfn, order)) {
        file_block(c, pfn, order, mt);
    } else if (order) {
        file_rest(c, pfn, order - 1, mt);
        file_rest(c, pfn + (1u << (order - 1)), order - 1, mt);
    }
}

static void file_traced_lists(struct carry *c)
{
    const struct km_os *os = &c->from->os;
    const uint8_t *w = c->from->window.base;

    for (unsigned z = 0; z < KM_NR_ZONES; z++)
        for (unsigned order = KM_NR_ORDERS; order-- > 0;)
            for (unsigned mt = 0; mt < KM_MT_NR; mt++) {
                km_vaddr head = km_free_list_va(&os->zone[z], order, mt);

                for (km_vaddr n = km_peek32(w, head); n && n != head; n = km_peek32(w, n))
                    file_rest(c, km_page_pfn(os, n - KM_PAGE_LRU), order, (enum km_migratetype)mt);
            }
}

static void file_new_memory(struct carry *c)
{
    for (km_pfn p = 0; p < c->to.facts.max_pfn;) {
        unsigned order = KM_NR_ORDERS - 1;

        if (c->use[p] != UNFILED) {
            p++;
            continue;
        }
        while (order && ((p & ((1u << order) - 1)) || !all_unfiled(c, p, order)))
            order--;
        file_block(c, p, order, km_pageblock_type(&c->to.os, &c->to.cpu[0], km_pfn_zone(&c->to.os, p), p));
        p += 1u << order;
    }
}

static void place_listed(struct carry *c, unsigned cpu, km_pfn pfn, unsigned order, enum km_migratetype mt)
{
    struct km_os *os = &c->to.os;

    if (!km_pcp_covers(os, order) || !all_unfiled(c, pfn, order))
        return;
    for (km_pfn p = pfn; p < pfn + (1u << order); p++) {
        *(uint32_t *)(c->to.window.base + km_page_va(os, p) + KM_PAGE_FLAGS) &= ~(uint32_t)KM_PG_RESERVED;
        c->use[p] = TAKEN;
    }
    km_pcp_place(os, &c->to.cpu[0], km_pfn_zone(os, pfn), cpu % os->p.cpus, pfn, order, mt);
}

/* Lists 0 to 11: three types of each order up to 3; then huge pages, movable and not (pcp.c). */
static void place_per_cpu_pages(struct carry *c)
{
    const struct km_os *os = &c->from->os;
    const uint8_t *w = c->from->window.base;
    unsigned nr = (os->p.personality->pcp_max_order + 1) * KM_MT_PCP_TYPES;

    for (unsigned cpu = 0; cpu < os->p.cpus; cpu++)
        for (unsigned z = 0; z < KM_NR_ZONES; z++)
            for (unsigned i = 0; i < nr && km_zone_populated(&os->zone[z]); i++) {
                km_vaddr head = os->zone[z].pcp_va[cpu] + KM_PCP_LISTS + i * 8;

                for (km_vaddr n = km_peek32(w, head); n && n != head; n = km_peek32(w, n))
                    place_listed(c, cpu, km_page_pfn(os, n - KM_PAGE_LRU), i / KM_MT_PCP_TYPES,
                                 (enum km_migratetype)(i % KM_MT_PCP_TYPES));
            }
}

/* ---- zones -------------------------------------------------------------------------------------------- */

static void copy_pageblock_types(struct carry *c)
{
    struct km_os *to = &c->to.os;

    for (unsigned z = 0; z < KM_NR_ZONES; z++)
        for (km_pfn p = to->zone[z].start_pfn; p < to->zone[z].end_pfn;
             p = (p | (km_pageblock_pages(to) - 1)) + 1) {
            enum km_zone_id from = km_pfn_zone(&c->from->os, p);

            if (from != KM_NR_ZONES)
                km_pageblock_set_type(to, &c->to.cpu[0], (enum km_zone_id)z, p,
                                      km_pageblock_type(&c->from->os, &c->from->cpu[0], from, p));
        }
}

static uint32_t managed_pages(const struct km_guest *g, unsigned z)
{
    return km_peek32(g->window.base, g->os.zone[z].va + KM_ZONE_MANAGED);
}

static uint32_t mem_map_pages_in(const struct km_os *os, unsigned z)
{
    uint32_t pages = 0;

    for (km_pfn p = mem_map_first(os); p < mem_map_first(os) + mem_map_pages(os); p++)
        pages += km_pfn_zone(os, p) == (enum km_zone_id)z;
    return pages;
}

/* As many frames stay with the boot code as on the traced machine, but for mem_map. */
static void set_managed(struct carry *c)
{
    for (unsigned z = 0; z < KM_NR_ZONES; z++) {
        uint32_t old = mem_map_pages_in(&c->from->os, z), managed = managed_pages(c->from, z);
        uint32_t kept = managed ? c->from->os.zone[z].present_pages - managed : old;
        uint32_t present = c->to.os.zone[z].present_pages;

        kept = (kept > old ? kept - old : 0) + mem_map_pages_in(&c->to.os, z);
        km_st32(&c->to.cpu[0], c->to.os.zone[z].va + KM_ZONE_MANAGED, present > kept ? present - kept : 0);
    }
}

static void carry_running(struct carry *c)
{
    struct km_os *os = &c->to.os;

    set_managed(c);
    km_zone_setup_watermarks(os, &c->to.cpu[0]);
    km_pcp_setup(os, &c->to.cpu[0], os->p.cpus);
    copy_pageblock_types(c);
    keep_frames(c);
    move_boot_frames(c);
    place_per_cpu_pages(c);
    file_traced_lists(c);
    file_new_memory(c);
    move_pages(c);
    for (unsigned z = 0; z < KM_NR_ZONES; z++) /* steals for rule 2 are no fragmentation of this run */
        km_st32(&c->to.cpu[0], os->zone[z].va + KM_ZONE_BOOST, 0);
    km_zone_set_stat_thresholds(os, &c->to.cpu[0], false);
}

/* ---- boot captures ------------------------------------------------------------------------------------ */

/* What the traced kernel took between the hand-over and the first event: [pfn] of the traced machine. */
static int find_taken(struct carry *c, const char *trace_path, struct km_err *err)
{
    struct km_replay *r = c->r;
    struct km_trace *trace = NULL;
    struct km_event ev;
    bool done[KM_NR_ZONES] = {false};
    int rc = km_trace_open(&trace, trace_path, err);

    if (rc < 0)
        return rc;
    r->spare = calloc(r->map.nr_frames, 1);
    while (r->spare && (rc = km_trace_next(trace, &ev, NULL)) > 0) {
        enum km_zone_id z;

        if (ev.type != KM_EV_PAGE_ALLOC_ZONE_LOCKED || ev.page.migratetype != KM_MT_UNMOVABLE)
            continue;
        z = km_pfn_zone(&r->guest.os, ev.page.pfn);
        if (z == KM_NR_ZONES || done[z])
            continue;
        done[z] = true;
        km_boot_synchronise(r, &ev);
    }
    km_trace_close(trace);
    for (km_pfn p = 0; r->spare && p < r->map.nr_frames; p++)
        r->spare[p] = r->map.model[p] != KM_PFN_NONE;
    return r->spare ? KM_OK : km_fail(err, KM_E_NOMEM, NULL, 0, 0, "out of memory");
}

static int hand_over(struct carry *c, struct km_err *err)
{
    static struct km_pfn_range range[KM_GUEST_MAX_RANGES];
    unsigned nr = 0;

    for (km_pfn p = 0; p < c->to.facts.max_pfn && nr < KM_GUEST_MAX_RANGES; p++) {
        if (c->use[p] != UNFILED)
            continue;
        range[nr].start = p;
        while (p < c->to.facts.max_pfn && c->use[p] == UNFILED)
            p++;
        range[nr++].end = p;
    }
    if (!nr)
        return km_fail(err, KM_E_USAGE, NULL, 0, 0, "machine.ram: the boot code leaves no memory free");
    km_boot_free(&c->to.os, &c->to.cpu[0], range, nr);
    return KM_OK;
}

static int carry_boot(struct carry *c, struct km_err *err)
{
    struct km_replay *r = c->r;
    uint8_t *before = malloc(r->map.nr_frames);
    int rc;

    if (!before)
        return km_fail(err, KM_E_NOMEM, NULL, 0, 0, "out of memory");
    for (km_pfn p = 0; p < r->map.nr_frames; p++)
        before[p] = r->map.model[p] != KM_PFN_NONE;
    keep_frames(c);
    move_boot_frames(c);
    rc = hand_over(c, err);
    if (rc == KM_OK)
        rc = find_taken(c, r->cfg->workload.trace, err);
    for (km_pfn p = 0; rc == KM_OK && p < r->map.nr_frames; p++) {
        r->spare[p] = r->spare[p] && !before[p];
        if (!r->spare[p])
            continue;
        km_pfn pfn = find_place(c, &(struct moving){.traced = p, .owner = OWNER_KERNEL});

        if (pfn != KM_PFN_NONE)
            occupy(c, p, pfn, 0);
    }
    free(before);
    return rc;
}

int km_start_carry(struct km_replay *r, const struct km_machine_facts *facts, struct km_err *err)
{
    struct carry c = {.r = r, .from = &r->guest};
    int rc;

    c.to.window.memfd = -1;
    rc = make_guest(&c, facts, err);
    if (rc == KM_OK && r->boot)
        rc = carry_boot(&c, err);
    else if (rc == KM_OK)
        carry_running(&c);
    if (rc == KM_OK && c.failed)
        rc = km_fail(err, KM_E_USAGE, NULL, 0, 0, "machine.ram: what the traced kernel itself uses does not fit %u MiB",
                     facts->max_pfn >> 8);
    free(c.use);
    free(c.moving);
    if (rc < 0) {
        km_page_map_release(&c.map);
        km_guest_release(&c.to);
        return rc;
    }
    km_guest_release(&r->guest);
    r->guest = c.to;
    km_page_map_release(&r->map);
    r->map = c.map;
    return KM_OK;
}
