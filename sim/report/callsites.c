/* SPDX-License-Identifier: MIT
 * callsites.c - callsites.csv: who allocates, how much of it is waste, and what is freed on another
 * CPU.
 *
 * Open-addressing hash table keyed by the site's text (FNV-1a). Rows are sorted by bytes allocated,
 * calls and name, so the order never depends on the hash.
 */
#include "sim/report/report_int.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static uint32_t hash_text(const char *text)
{
    uint32_t h = 2166136261u;

    for (const unsigned char *p = (const unsigned char *)text; *p; p++)
        h = (h ^ *p) * 16777619u;
    return h;
}

static uint32_t *slot_of(const struct km_callsites *c, const char *site)
{
    uint32_t i = hash_text(site) & (c->nr_slots - 1);

    while (c->slot[i] && strcmp(c->entry[c->slot[i] - 1].site, site))
        i = (i + 1) & (c->nr_slots - 1);
    return &c->slot[i];
}

static bool grow(struct km_callsites *c)
{
    uint32_t nr_slots = c->nr_slots ? c->nr_slots * 2 : 1024;
    uint32_t *slot = calloc(nr_slots, sizeof(*slot));
    struct km_callsite *entry = realloc(c->entry, nr_slots / 2 * sizeof(*entry));

    if (entry)
        c->entry = entry;
    if (!slot || !entry) {
        free(slot);
        return false;
    }
    free(c->slot);
    c->slot = slot;
    c->nr_slots = nr_slots;
    for (uint32_t i = 0; i < c->nr; i++)
        *slot_of(c, c->entry[i].site) = i + 1;
    return true;
}

bool km_callsites_set(struct km_callsites *c, const char *site,
                      const struct km_callsite_totals *totals)
{
    if (c->nr >= c->nr_slots / 2 && !grow(c))
        return false;
    uint32_t *slot = slot_of(c, site);

    if (!*slot) {
        char *copy = strdup(site);

        if (!copy)
            return false;
        c->entry[c->nr].site = copy;
        *slot = ++c->nr;
    }
    c->entry[*slot - 1].totals = *totals;
    return true;
}

static int by_weight(const void *a, const void *b)
{
    const struct km_callsite *x = a, *y = b;

    if (x->totals.bytes_allocated != y->totals.bytes_allocated)
        return x->totals.bytes_allocated < y->totals.bytes_allocated ? 1 : -1;
    if (x->totals.allocs != y->totals.allocs)
        return x->totals.allocs < y->totals.allocs ? 1 : -1;
    return strcmp(x->site, y->site);
}

static void write_row(FILE *f, const struct km_callsite *e)
{
    const struct km_callsite_totals *t = &e->totals;

    km_csv_text(f, e->site);
    fprintf(f, ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",", t->allocs, t->frees, t->frees_remote);
    if (t->frees)
        fprintf(f, "%.3f", 100.0 * (double)t->frees_remote / (double)t->frees);
    fprintf(f, ",%" PRIu64 ",%" PRIu64 ",", t->bytes_requested, t->bytes_allocated);
    if (t->bytes_allocated)
        fprintf(f, "%.3f", 100.0 - 100.0 * (double)t->bytes_requested / (double)t->bytes_allocated);
    fprintf(f, ",%" PRIu64 "\n", t->cycles);
}

void km_callsites_write(struct km_callsites *c, struct km_outdir *d)
{
    struct km_out o;

    if (!km_out_open(&o, d, "callsites.csv"))
        return;
    if (c->nr)
        qsort(c->entry, c->nr, sizeof(c->entry[0]), by_weight);
    fputs("site,allocs,frees,frees_remote,pingpong_pct,bytes_requested,bytes_allocated,"
          "fragmentation_pct,cycles\n",
          o.f);
    for (uint32_t i = 0; i < c->nr; i++)
        write_row(o.f, &c->entry[i]);
    km_out_check(&o);
    km_out_commit(&o);
}

void km_callsites_release(struct km_callsites *c)
{
    for (uint32_t i = 0; i < c->nr; i++)
        free(c->entry[i].site);
    free(c->entry);
    free(c->slot);
    memset(c, 0, sizeof(*c));
}
