/* SPDX-License-Identifier: MIT
 * proc_text.c - layouts of /proc/{buddyinfo,pagetypeinfo,zoneinfo,slabinfo,meminfo,vmstat,iomem},
 * Linux 6.1.
 *
 * Widths and blanks are those of files read from running 6.1 kernels; the tests turn such files
 * into structs and expect the same bytes back.
 */
#include "sim/report/proc_text.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KM_PAGETYPE_CAP 100000u

struct text {
    FILE *f;
    char *data;
    size_t size;
};

static bool text_open(struct text *t)
{
    t->data = NULL;
    t->f = open_memstream(&t->data, &t->size);
    return t->f != NULL;
}

static char *text_take(struct text *t)
{
    bool bad = ferror(t->f);

    if (fclose(t->f) || bad) {
        free(t->data);
        return NULL;
    }
    return t->data;
}

static void put_zone(FILE *f, const struct km_proc_zone *z)
{
    fprintf(f, "Node %d, zone %8s", z->node, z->name);
}

char *km_proc_buddyinfo(const struct km_proc_zone *zones, unsigned nr_zones)
{
    struct text t;

    if (!text_open(&t))
        return NULL;
    for (unsigned i = 0; i < nr_zones; i++) {
        if (!zones[i].present)
            continue;
        put_zone(t.f, &zones[i]);
        fputc(' ', t.f);
        for (unsigned o = 0; o < KM_NR_ORDERS; o++)
            fprintf(t.f, "%6" PRIu64 " ", zones[i].nr_free[o]);
        fputc('\n', t.f);
    }
    return text_take(&t);
}

static void put_type_rows(FILE *f, const struct km_proc_zone *z, const char *const *names,
                          unsigned nr_types)
{
    for (unsigned mt = 0; mt < nr_types; mt++) {
        fprintf(f, "Node %4d, zone %8s, type %12s ", z->node, z->name, names[mt]);
        for (unsigned o = 0; o < KM_NR_ORDERS; o++) {
            uint64_t n = z->type_free[mt][o];

            if (n > KM_PAGETYPE_CAP)
                fprintf(f, ">%6u ", KM_PAGETYPE_CAP);
            else
                fprintf(f, "%6" PRIu64 " ", n);
        }
        fputc('\n', f);
    }
}

char *km_proc_pagetypeinfo(const struct km_proc_zone *zones, unsigned nr_zones,
                           unsigned pageblock_order, const char *const *type_names,
                           unsigned nr_types)
{
    struct text t;

    if (nr_types > KM_PROC_TYPES || !text_open(&t))
        return NULL;
    fprintf(t.f, "Page block order: %u\nPages per block:  %u\n\n", pageblock_order,
            1u << pageblock_order);
    fprintf(t.f, "%-43s ", "Free pages count per migrate type at order");
    for (unsigned o = 0; o < KM_NR_ORDERS; o++)
        fprintf(t.f, "%6u ", o);
    fputc('\n', t.f);
    for (unsigned i = 0; i < nr_zones; i++)
        if (zones[i].present)
            put_type_rows(t.f, &zones[i], type_names, nr_types);
    fprintf(t.f, "\n%-23s", "Number of blocks type ");
    for (unsigned mt = 0; mt < nr_types; mt++)
        fprintf(t.f, "%12s ", type_names[mt]);
    fputc('\n', t.f);
    for (unsigned i = 0; i < nr_zones; i++) {
        if (!zones[i].present)
            continue;
        put_zone(t.f, &zones[i]);
        fputc(' ', t.f);
        for (unsigned mt = 0; mt < nr_types; mt++)
            fprintf(t.f, "%12" PRIu64 " ", zones[i].type_blocks[mt]);
        fputc('\n', t.f);
    }
    return text_take(&t);
}

static void put_counters(FILE *f, const struct km_proc_counter *counter, unsigned nr)
{
    for (unsigned i = 0; i < nr; i++)
        fprintf(f, "\n      %-12s %" PRIu64, counter[i].name, counter[i].value);
}

static void put_protection(FILE *f, const struct km_proc_zone *z)
{
    fprintf(f, "\n        protection: (%" PRIu64, z->protection[0]);
    for (unsigned i = 1; i < z->nr_protection && i < KM_PROC_ZONES_MAX; i++)
        fprintf(f, ", %" PRIu64, z->protection[i]);
    fputc(')', f);
}

static void put_pagesets(FILE *f, const struct km_proc_zone *z)
{
    fputs("\n  pagesets", f);
    for (unsigned cpu = 0; cpu < z->nr_cpus && cpu < KM_MAX_CPUS; cpu++) {
        const struct km_proc_pcp *p = &z->pcp[cpu];

        fprintf(f,
                "\n    cpu: %u\n              count: %u\n              high:  %u\n              "
                "batch: %u",
                cpu, p->count, p->high, p->batch);
        fprintf(f, "\n  vm stats threshold: %u", p->stat_threshold);
    }
}

static void put_zoneinfo(FILE *f, const struct km_proc_zone *z,
                         const struct km_proc_counter *node_counter, unsigned nr_node_counters)
{
    const struct km_proc_counter rows[] = {
        {"boost", z->boost},     {"min", z->min},         {"low", z->low},
        {"high", z->high},       {"spanned", z->spanned}, {"present", z->present},
        {"managed", z->managed}, {"cma", z->cma},
    };

    put_zone(f, z);
    if (node_counter) {
        fputs("\n  per-node stats", f);
        put_counters(f, node_counter, nr_node_counters);
    }
    fprintf(f, "\n  pages free     %" PRIu64, z->free);
    for (size_t i = 0; i < KM_ARRAY_LEN(rows); i++)
        fprintf(f, "\n        %-8s %" PRIu64, rows[i].name, rows[i].value);
    put_protection(f, z);
    if (z->present) {
        put_counters(f, z->counter, z->nr_counters);
        put_pagesets(f, z);
        fprintf(f, "\n  node_unreclaimable:  0\n  start_pfn:           %u", z->start_pfn);
    }
    fputc('\n', f);
}

char *km_proc_zoneinfo(const struct km_proc_zone *zones, unsigned nr_zones,
                       const struct km_proc_counter *node_counter, unsigned nr_node_counters)
{
    struct text t;
    bool node_shown = false;

    if (!text_open(&t))
        return NULL;
    for (unsigned i = 0; i < nr_zones; i++) {
        bool show = zones[i].present && !node_shown;

        put_zoneinfo(t.f, &zones[i], show ? node_counter : NULL, nr_node_counters);
        node_shown |= show;
    }
    return text_take(&t);
}

char *km_proc_slabinfo(const struct km_proc_cache *caches, unsigned nr_caches)
{
    struct text t;

    if (!text_open(&t))
        return NULL;
    fputs("slabinfo - version: 2.1\n# name            <active_objs> <num_objs> <objsize> "
          "<objperslab> "
          "<pagesperslab> : tunables <limit> <batchcount> <sharedfactor> : slabdata <active_slabs> "
          "<num_slabs> "
          "<sharedavail>\n",
          t.f);
    for (unsigned i = 0; i < nr_caches; i++) {
        const struct km_proc_cache *c = &caches[i];

        fprintf(t.f, "%-17s %6" PRIu64 " %6" PRIu64 " %6u %4u %4u : tunables %4u %4u %4u", c->name,
                c->active_objs, c->num_objs, c->objsize, c->objs_per_slab, c->pages_per_slab,
                c->limit, c->batchcount, c->shared);
        fprintf(t.f, " : slabdata %6" PRIu64 " %6" PRIu64 " %6" PRIu64 "\n", c->active_slabs,
                c->num_slabs, c->shared_avail);
    }
    return text_take(&t);
}

char *km_proc_meminfo(const struct km_proc_meminfo_row *rows, unsigned nr_rows)
{
    struct text t;

    if (!text_open(&t))
        return NULL;
    for (unsigned i = 0; i < nr_rows; i++) { /* name, colon and value fill 24 columns */
        int used = (int)strlen(rows[i].name) + 1;

        fprintf(t.f, "%s:%*" PRIu64 "%s\n", rows[i].name, used < 24 ? 24 - used : 1, rows[i].kib,
                rows[i].no_unit ? "" : " kB");
    }
    return text_take(&t);
}

char *km_proc_vmstat(const struct km_proc_counter *counters, unsigned nr_counters)
{
    struct text t;

    if (!text_open(&t))
        return NULL;
    for (unsigned i = 0; i < nr_counters; i++)
        fprintf(t.f, "%s %" PRIu64 "\n", counters[i].name, counters[i].value);
    return text_take(&t);
}

char *km_proc_iomem(const struct km_proc_resource *resources, unsigned nr_resources)
{
    struct text t;

    if (!text_open(&t))
        return NULL;
    for (unsigned i = 0; i < nr_resources; i++)
        fprintf(t.f, "%*s%08" PRIx64 "-%08" PRIx64 " : %s\n", (int)(2 * resources[i].depth), "",
                resources[i].start, resources[i].end, resources[i].name);
    return text_take(&t);
}
