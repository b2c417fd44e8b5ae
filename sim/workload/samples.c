/* SPDX-License-Identifier: MIT
 * samples.c - comparing the simulated free lists with the truth samples a capture carries.
 *
 * A sampler process reads /proc/buddyinfo once between SAMPLE_BEGIN and the first BUDDYINFO line; page events
 * of another CPU in between make the exact moment uncertain. The model is compared as it stands at the
 * BUDDYINFO line.
 */
#include "sim/workload/replay.h"

#include "models/os/buddy.h"
#include "models/os/zone.h"

#include <string.h>

#define MIXED_PERIOD_NS 1000000000ull

static int zone_of(const struct km_os *os, const char *name)
{
    for (int z = 0; z < KM_NR_ZONES; z++)
        if (!strcmp(os->zone[z].name, name) && km_zone_populated(&os->zone[z]))
            return z;
    return -1;
}

/* Does the pageblock hold both user pages (on LRU lists) and pages of the kernel? Frames of the boot code do
 * not count. */
static bool is_mixed(const struct km_guest *g, km_pfn start, km_pfn end)
{
    bool user = false, kernel = false;

    for (km_pfn p = start; p < end && !(user && kernel); p++) {
        km_vaddr page = km_page_va(&g->os, p);
        uint32_t flags = km_peek32(g->window.base, page + KM_PAGE_FLAGS);

        if (km_peek32(g->window.base, page + KM_PAGE_TYPE) == KM_PAGE_TYPE_BUDDY)
            p += (1u << km_peek32(g->window.base, page + KM_PAGE_PRIVATE)) - 1;
        else if (!(flags & KM_PG_RESERVED) && km_peek32(g->window.base, page + KM_PAGE_REFCOUNT))
            *(flags & KM_PG_LRU ? &user : &kernel) = true;
    }
    return user && kernel;
}

static int64_t mixed_pageblocks(const struct km_replay *r, enum km_zone_id z)
{
    const struct km_guest *g = &r->guest;
    const struct km_zone *zone = &g->os.zone[z];
    int64_t mixed = 0;

    for (km_pfn p = zone->start_pfn, next; p < zone->end_pfn; p = next) {
        next = (p | (km_pageblock_pages(&g->os) - 1)) + 1;
        mixed += is_mixed(g, p, next < zone->end_pfn ? next : zone->end_pfn);
    }
    return mixed;
}

static void note_zone(struct km_replay *r, uint64_t time_ns, enum km_zone_id z, bool count_mixed)
{
    const struct km_guest *g = &r->guest;
    struct km_frag_sample frag = {.time_ns = time_ns,
                                  .zone = g->os.zone[z].name,
                                  .internal_pct = km_live_objects_internal_pct(r, z),
                                  .mixed_pageblocks = count_mixed ? mixed_pageblocks(r, z) : -1};

    km_buddy_count(&g->os, g->window.base, z, frag.nr_free, NULL);
    km_report_buddyinfo(r->report, time_ns, 0, g->os.zone[z].name, frag.nr_free);
    km_report_fragmentation(r->report, &frag);
}

void km_samples_time(struct km_replay *r, uint64_t time_ns)
{
    const uint64_t period = r->cfg->report.period_ns;

    if (!period || time_ns < r->samples.next_period_ns)
        return;
    for (unsigned z = 0; z < KM_NR_ZONES; z++)
        if (km_zone_populated(&r->guest.os.zone[z]))
            note_zone(r, time_ns, (enum km_zone_id)z, time_ns >= r->samples.next_mixed_ns);
    if (time_ns >= r->samples.next_mixed_ns)
        r->samples.next_mixed_ns = time_ns + MIXED_PERIOD_NS;
    if (r->mode && r->mode->sample)
        r->mode->sample(r);
    r->samples.next_period_ns = time_ns - time_ns % period + period;
}

static void compare(struct km_replay *r, uint64_t time_ns, const struct km_mark_buddyinfo *real)
{
    const struct km_guest *g = &r->guest;
    int z = zone_of(&g->os, real->zone);
    uint64_t sim[KM_NR_ORDERS];

    if (z < 0)
        return;
    km_buddy_count(&g->os, g->window.base, (enum km_zone_id)z, sim, NULL);
    note_zone(r, time_ns, (enum km_zone_id)z, false);
    if (r->elsewhere)
        return;
    km_report_truth(r->report, time_ns, real->node, g->os.zone[z].name, sim, real->nr_free);
    r->samples.taken++;
}

void km_samples_mark(struct km_replay *r, const struct km_event *ev)
{
    uint64_t value;
    const char *rest;
    struct km_mark_buddyinfo buddyinfo;

    switch (km_mark_kind(ev->text.text, &value, &rest)) {
    case KM_MARK_SAMPLE_BEGIN:
        r->samples.open = true;
        break;
    case KM_MARK_BUDDYINFO:
        if (km_mark_buddyinfo(rest, &buddyinfo))
            compare(r, ev->time_ns, &buddyinfo);
        break;
    case KM_MARK_SAMPLE_CORE:
        r->samples.open = false;
        break;
    default:
        break;
    }
}
