/* SPDX-License-Identifier: MIT
 * page_watch.c - see page_watch.h.
 */
#include "models/os/page_watch.h"

#include "models/os/page_alloc.h"
#include "models/os/page_api.h"
#include "models/os/pcp.h"

const char *km_page_misuse_name(enum km_page_misuse_kind kind)
{
    static const char *const names[KM_PAGE_MISUSE_NR] = {
        [KM_PAGE_FINE] = "fine",
        [KM_PAGE_NO_SUCH_FRAME] = "free of a frame that does not exist",
        [KM_PAGE_RESERVED] = "free of a reserved page",
        [KM_PAGE_FREE_TWICE] = "double free of a page",
        [KM_PAGE_INTERIOR] = "free of the inside of a block",
        [KM_PAGE_WRONG_ORDER] = "free with another order",
        [KM_PAGE_OF_SLAB] = "free of a page that belongs to a slab",
        [KM_PAGE_ATOMIC_SLEEP] = "sleeping allocation in atomic context",
        [KM_PAGE_BAD_GFP] = "flags that exclude each other",
        [KM_PAGE_ORDER_TOO_BIG] = "order beyond the largest block",
        [KM_PAGE_ALLOC_FAILED] = "page allocation failure",
    };

    return (unsigned)kind < KM_PAGE_MISUSE_NR ? names[kind] : "";
}

static struct km_page_note *note_of(const struct km_page_watch *w, km_pfn pfn)
{
    const struct km_os *os = w->os;

    return w->note && pfn >= os->mem_map_pfn && pfn < os->mem_map_end
               ? &w->note[pfn - os->mem_map_pfn]
               : NULL;
}

static void tell(struct km_page_watch *w, const struct km_cpu *cpu, struct km_page_misuse m)
{
    const struct km_page_note *note = m.pfn == KM_PFN_NONE ? NULL : note_of(w, m.pfn);

    w->misuse[m.kind]++;
    if (!w->report)
        return;
    m.call_site = w->call_site[cpu->id];
    if (note) {
        m.alloc_site = note->alloc_site;
        m.free_site = note->free_site;
    }
    w->report(w->ctx, cpu, &m);
}

static void tell_alloc(struct km_page_watch *w, const struct km_cpu *cpu,
                       enum km_page_misuse_kind kind, uint32_t gfp, unsigned order)
{
    tell(w, cpu,
         (struct km_page_misuse){.kind = kind, .pfn = KM_PFN_NONE, .order = order, .gfp = gfp});
}

static void note_alloc(struct km_page_watch *w, const struct km_cpu *cpu, km_pfn pfn,
                       unsigned order)
{
    for (km_pfn p = pfn; w->note && p < pfn + (1u << order); p++) {
        struct km_page_note *note = note_of(w, p);

        note->alloc_site = w->call_site[cpu->id];
        note->order = p == pfn ? (uint8_t)(order + 1) : 0;
    }
}

static void note_free(struct km_page_watch *w, const struct km_cpu *cpu, km_pfn pfn, unsigned order)
{
    for (km_pfn p = pfn; w->note && p < pfn + (1u << order); p++) {
        struct km_page_note *note = note_of(w, p);

        note->free_site = w->call_site[cpu->id];
        note->order = 0;
    }
}

/* Zone modifiers of which only one may be given (HIGHMEM with MOVABLE is one choice), one mobility
 * type. */
static bool flags_exclude(uint32_t gfp)
{
    unsigned zones = !!(gfp & KM_GFP_DMA) + !!(gfp & KM_GFP_DMA32) + !!(gfp & KM_GFP_HIGHMEM);

    return zones > 1 || ((gfp & KM_GFP_MOVABLE) && (gfp & KM_GFP_RECLAIMABLE));
}

static uint32_t checked_flags(struct km_page_watch *w, const struct km_cpu *cpu, uint32_t gfp,
                              unsigned order)
{
    if (flags_exclude(gfp)) {
        tell_alloc(w, cpu, KM_PAGE_BAD_GFP, gfp, order);
        if (gfp & KM_GFP_DMA)
            gfp &= ~(uint32_t)(KM_GFP_DMA32 | KM_GFP_HIGHMEM);
        if (gfp & KM_GFP_HIGHMEM)
            gfp &= ~(uint32_t)KM_GFP_DMA32;
        if (gfp & KM_GFP_MOVABLE)
            gfp &= ~(uint32_t)KM_GFP_RECLAIMABLE;
    }
    if (w->atomic[cpu->id] && (gfp & KM_GFP_DIRECT_RECLAIM)) {
        tell_alloc(w, cpu, KM_PAGE_ATOMIC_SLEEP, gfp, order);
        gfp &= ~(uint32_t)(KM_GFP_DIRECT_RECLAIM | KM_GFP_NOFAIL);
    }
    return gfp;
}

km_pfn km_page_watch_alloc(struct km_page_watch *w, struct km_cpu *cpu, uint32_t gfp,
                           unsigned order)
{
    if (order >= KM_NR_ORDERS) {
        if (!(gfp & KM_GFP_NOWARN))
            tell_alloc(w, cpu, KM_PAGE_ORDER_TOO_BIG, gfp, order);
        return KM_PFN_NONE;
    }
    gfp = checked_flags(w, cpu, gfp, order);
    km_pfn pfn = km_alloc_pages(w->os, cpu, gfp, order);

    if (pfn != KM_PFN_NONE)
        note_alloc(w, cpu, pfn, order);
    else if (!(gfp & KM_GFP_NOWARN))
        tell_alloc(w, cpu, KM_PAGE_ALLOC_FAILED, gfp, order);
    return pfn;
}

km_vaddr km_page_watch_get_free(struct km_page_watch *w, struct km_cpu *cpu, uint32_t gfp,
                                unsigned order)
{
    km_pfn pfn = km_page_watch_alloc(w, cpu, gfp & ~(uint32_t)KM_GFP_HIGHMEM, order);

    return pfn == KM_PFN_NONE ? 0 : km_pfn_to_va(w->os, pfn);
}

static bool on_any_pcp(const struct km_os *os, const uint8_t *window, enum km_zone_id z, km_pfn pfn)
{
    for (unsigned c = 0; c < os->p.cpus; c++)
        if (km_pcp_listed_order(os, window, z, c, pfn) >= 0)
            return true;
    return false;
}

/* No reference is left: free, or behind the first page of a block that is not compound. */
static enum km_page_misuse_kind judge_unreferenced(const struct km_page_watch *w,
                                                   const uint8_t *window, enum km_zone_id z,
                                                   km_pfn pfn)
{
    const struct km_page_note *note = note_of(w, pfn);

    if (on_any_pcp(w->os, window, z, pfn))
        return KM_PAGE_FREE_TWICE;
    for (unsigned o = 1; o < KM_NR_ORDERS; o++) { /* inside a block on a per-CPU list? */
        km_pfn head = pfn & ~((1u << o) - 1);

        if (km_pfn_zone(w->os, head) != z)
            break;
        for (unsigned c = 0; c < w->os->p.cpus; c++)
            if (km_pcp_listed_order(w->os, window, z, c, head) >= (int)o)
                return KM_PAGE_FREE_TWICE;
    }
    return note && note->order ? KM_PAGE_FREE_TWICE : KM_PAGE_INTERIOR;
}

enum km_page_misuse_kind km_page_watch_judge(const struct km_page_watch *w, const uint8_t *window,
                                             km_pfn pfn, unsigned order)
{
    const struct km_os *os = w->os;
    const struct km_page_note *note = note_of(w, pfn);
    enum km_zone_id z = pfn == KM_PFN_NONE ? KM_NR_ZONES : km_pfn_zone(os, pfn);
    km_pfn head;
    unsigned have;

    if (order >= KM_NR_ORDERS || z == KM_NR_ZONES || km_pfn_zone(os, pfn + (1u << order) - 1) != z)
        return KM_PAGE_NO_SUCH_FRAME;
    km_vaddr page = km_page_va(os, pfn);
    uint32_t flags = km_peek32(window, page + KM_PAGE_FLAGS);

    if (flags & KM_PG_RESERVED)
        return KM_PAGE_RESERVED;
    if (km_buddy_find(os, window, pfn, &head, &have))
        return KM_PAGE_FREE_TWICE;
    if (km_compound_head(os, window, pfn) != pfn)
        return KM_PAGE_INTERIOR;
    if (flags & KM_PG_SLAB)
        return KM_PAGE_OF_SLAB;
    if (!km_page_count(os, window, pfn))
        return judge_unreferenced(w, window, z, pfn);
    if (flags & KM_PG_HEAD)
        return km_compound_order(os, window, pfn) == order ? KM_PAGE_FINE : KM_PAGE_WRONG_ORDER;
    return note && note->order && note->order != order + 1 ? KM_PAGE_WRONG_ORDER : KM_PAGE_FINE;
}

static enum km_page_misuse_kind refuse(struct km_page_watch *w, const struct km_cpu *cpu,
                                       km_pfn pfn, unsigned order)
{
    enum km_page_misuse_kind kind = km_page_watch_judge(w, cpu->window, pfn, order);

    if (kind != KM_PAGE_FINE)
        tell(w, cpu, (struct km_page_misuse){.kind = kind, .pfn = pfn, .order = order});
    return kind;
}

enum km_page_misuse_kind km_page_watch_free(struct km_page_watch *w, struct km_cpu *cpu, km_pfn pfn,
                                            unsigned order)
{
    enum km_page_misuse_kind kind = refuse(w, cpu, pfn, order);

    if (kind != KM_PAGE_FINE)
        return kind;
    bool compound = km_peek32(cpu->window, km_page_va(w->os, pfn) + KM_PAGE_FLAGS) & KM_PG_HEAD;

    if (km_put_pages(w->os, cpu, pfn, order) == KM_PAGE_OK) {
        note_free(w, cpu, pfn, order);
    } else if (!compound && order) { /* somebody holds the first page; the others went */
        note_free(w, cpu, pfn, order);
        if (w->note)
            note_of(w, pfn)->order = 1;
    }
    return KM_PAGE_FINE;
}

enum km_page_misuse_kind km_page_watch_free_va(struct km_page_watch *w, struct km_cpu *cpu,
                                               km_vaddr va, unsigned order)
{
    if (!va)
        return KM_PAGE_FINE; /* free_pages(0) does nothing */
    return km_page_watch_free(w, cpu, km_virt_to_page(w->os, va), order);
}

enum km_page_misuse_kind km_page_watch_put(struct km_page_watch *w, struct km_cpu *cpu, km_pfn pfn)
{
    bool exists = pfn != KM_PFN_NONE && km_pfn_zone(w->os, pfn) != KM_NR_ZONES;
    km_pfn head = exists ? km_compound_head(w->os, cpu->window, pfn) : pfn;
    unsigned order = exists ? km_compound_order(w->os, cpu->window, head) : 0;

    return km_page_watch_free(w, cpu, head, order);
}

enum km_page_misuse_kind km_page_watch_split(struct km_page_watch *w, struct km_cpu *cpu,
                                             km_pfn pfn, unsigned order)
{
    enum km_page_misuse_kind kind = refuse(w, cpu, pfn, order);

    if (kind != KM_PAGE_FINE)
        return kind;
    if (!km_split_page(w->os, cpu, pfn, order)) {
        tell(w, cpu,
             (struct km_page_misuse){.kind = KM_PAGE_WRONG_ORDER, .pfn = pfn, .order = order});
        return KM_PAGE_WRONG_ORDER;
    }
    for (km_pfn p = pfn; w->note && p < pfn + (1u << order); p++)
        note_of(w, p)->order = 1;
    return KM_PAGE_FINE;
}
