/* SPDX-License-Identifier: MIT
 * check.c - see check.h.
 */
#include "sim/trace/check.h"

#include <string.h>

#define PCP_ORDER_MAX 3u /* PAGE_ALLOC_COSTLY_ORDER: larger orders go to the buddy lists directly  \
                          */

static void take_zones(struct km_check *check, const struct km_proc_state *state)
{
    for (unsigned i = 0; i < state->nr_zones; i++) {
        const struct km_zone_facts *from = &state->zone[i];
        struct km_check_zone *zone = &check->zone[check->nr_zones];

        if (from->managed == 0)
            continue;
        memcpy(zone->name, from->zone, sizeof(zone->name));
        zone->start_pfn = from->start_pfn;
        zone->end_pfn = from->start_pfn + from->spanned;
        check->nr_zones++;
    }
}

void km_check_init(struct km_check *check, const struct km_bundle *bundle)
{
    memset(check, 0, sizeof(*check));
    if (bundle) {
        const struct km_proc_state *states[] = {&bundle->start, &bundle->early, &bundle->end};

        for (size_t i = 0; i < KM_ARRAY_LEN(states) && check->nr_zones == 0; i++)
            take_zones(check, states[i]);
        for (size_t i = 0; i < KM_ARRAY_LEN(states) && check->pageblock_order == 0; i++)
            check->pageblock_order = bundle->thp ? states[i]->pageblock_order : 0;
    }
    check->zones_known = check->nr_zones > 0;
    if (!check->zones_known) {
        strcpy(check->zone[0].name, "all");
        check->zone[0].end_pfn = UINT64_MAX;
        check->nr_zones = 1;
    }
}

static struct km_check_zone *zone_of_pfn(struct km_check *check, km_pfn pfn)
{
    for (unsigned i = 0; i < check->nr_zones; i++)
        if (pfn >= check->zone[i].start_pfn && pfn < check->zone[i].end_pfn)
            return &check->zone[i];
    return NULL;
}

static struct km_check_zone *zone_of_name(struct km_check *check, const char *name)
{
    for (unsigned i = 0; i < check->nr_zones; i++)
        if (!check->zones_known || strcmp(check->zone[i].name, name) == 0)
            return &check->zone[i];
    return NULL;
}

static bool bypasses_pcp(const struct km_check *check, unsigned order)
{
    return order > PCP_ORDER_MAX &&
           (check->pageblock_order == 0 || order != check->pageblock_order);
}

static void count_page(struct km_check *check, const struct km_event *ev)
{
    struct km_check_zone *zone =
        ev->page.pfn == KM_PFN_NONE ? NULL : zone_of_pfn(check, ev->page.pfn);
    int64_t pages = ev->page.order < KM_NR_ORDERS ? (int64_t)1 << ev->page.order : 0;

    if (!zone)
        return;
    check->clean = false;
    if (ev->type == KM_EV_PAGE_ALLOC) {
        zone->total_moved -= pages;
    } else if (ev->type == KM_EV_PAGE_FREE) {
        zone->total_moved += pages;
        if (bypasses_pcp(check, ev->page.order))
            zone->buddy_moved += pages;
    } else if (ev->type == KM_EV_PAGE_ALLOC_ZONE_LOCKED) {
        zone->buddy_moved -= pages;
    } else if (ev->type == KM_EV_PAGE_PCPU_DRAIN) {
        zone->buddy_moved += pages;
    }
}

static int64_t amount(int64_t x)
{
    return x < 0 ? -x : x;
}

static void compare(struct km_balance *balance, bool again, int64_t *last, int64_t *first,
                    int64_t now)
{
    if (again) {
        int64_t off = now - *last;

        balance->pairs++;
        balance->exact += off == 0;
        if (amount(off) > amount(balance->worst))
            balance->worst = off;
        balance->drift = now - *first;
    } else {
        *first = now;
    }
    *last = now;
}

static void end_sample(struct km_check *check)
{
    check->samples++;
    check->clean_samples += check->clean;
    for (unsigned i = 0; i < check->nr_zones && check->clean; i++) {
        struct km_check_zone *zone = &check->zone[i];

        compare(&zone->total, zone->sampled, &zone->last_total, &zone->first_total,
                zone->sample_buddy + zone->sample_pcp - zone->total_moved);
        compare(&zone->buddy, zone->sampled, &zone->last_buddy, &zone->first_buddy,
                zone->sample_buddy - zone->buddy_moved);
        zone->sampled = true;
    }
    check->in_sample = false;
}

static void begin_sample(struct km_check *check)
{
    check->in_sample = true;
    check->clean = true;
    for (unsigned i = 0; i < check->nr_zones; i++)
        check->zone[i].sample_buddy = check->zone[i].sample_pcp = 0;
}

static void sample_buddy(struct km_check *check, const char *rest)
{
    struct km_mark_buddyinfo info;
    struct km_check_zone *zone;

    if (!km_mark_buddyinfo(rest, &info) || !(zone = zone_of_name(check, info.zone)))
        return;
    for (unsigned order = 0; order < KM_NR_ORDERS; order++)
        zone->sample_buddy += (int64_t)(info.nr_free[order] << order);
}

static void sample_zone(struct km_check *check, const char *rest)
{
    struct km_mark_zoneinfo info;
    struct km_check_zone *zone;

    if (!km_mark_zoneinfo(rest, &info) || !(zone = zone_of_name(check, info.zone)))
        return;
    for (unsigned cpu = 0; cpu < info.nr_pcp; cpu++)
        zone->sample_pcp += info.pcp[cpu].count;
}

static void read_mark(struct km_check *check, const char *text)
{
    const char *rest;
    uint64_t value;

    switch (km_mark_kind(text, &value, &rest)) {
    case KM_MARK_SAMPLE_BEGIN:
        begin_sample(check);
        break;
    case KM_MARK_BUDDYINFO:
        if (check->in_sample)
            sample_buddy(check, rest);
        break;
    case KM_MARK_ZONEINFO:
        if (check->in_sample)
            sample_zone(check, rest);
        break;
    case KM_MARK_SAMPLE_CORE:
        if (check->in_sample)
            end_sample(check);
        break;
    default:
        break;
    }
}

void km_check_event(struct km_check *check, const struct km_event *ev)
{
    check->count[ev->type < KM_EV_NR ? ev->type : KM_EV_NONE]++;
    if (ev->type == KM_EV_LOST)
        return;
    if (!check->any || ev->time_ns < check->first_ns)
        check->first_ns = ev->time_ns;
    if (!check->any || ev->time_ns > check->last_ns)
        check->last_ns = ev->time_ns;
    check->any = true;
    if (ev->type >= KM_EV_KMALLOC && ev->type <= KM_EV_PERCPU_DESTROY_CHUNK)
        check->kmem_events++;
    if (ev->type == KM_EV_MARK)
        read_mark(check, ev->text.text);
    else if (ev->type >= KM_EV_PAGE_ALLOC && ev->type <= KM_EV_PAGE_PCPU_DRAIN &&
             ev->type != KM_EV_PAGE_FREE_BATCHED)
        count_page(check, ev);
}
