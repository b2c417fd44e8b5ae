/* SPDX-License-Identifier: MIT
 * false_sharing.c - false_sharing.csv: cache lines more than one CPU used, in the vocabulary of
 * `perf c2c`.
 *
 * Transfers are counted as true sharing (the bytes that moved the line had been used by the other
 * CPU), false sharing (other bytes of the line: moving the data apart would end the traffic) or
 * sharing with a device; what is neither happened before the bytes of the line were watched.
 */
#include "sim/report/report_int.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* What one line suffered from. */
static const char *kind_of(const struct km_shared_line *l)
{
    bool is_true = l->hitm_true || l->inv_true, is_false = l->hitm_false || l->inv_false;
    bool dma = l->dma_hitm || l->dma_invalidations;

    if (is_true + is_false + dma > 1)
        return "mixed";
    if (is_true || is_false)
        return is_true ? "true" : "false";
    if (dma)
        return "dma";
    return l->hitm_local + l->hitm_remote + l->invalidations ? "first" : "clean";
}

static void write_cpus(FILE *f, uint32_t mask)
{
    const char *gap = "";

    for (unsigned cpu = 0; cpu < 32; cpu++) {
        if (!(mask >> cpu & 1))
            continue;
        fprintf(f, "%s%u", gap, cpu);
        gap = " ";
    }
}

/* "0:12 3:4": CPU 0 took the line from another one's cache 12 times. */
static void write_takers(FILE *f, const struct km_shared_line *l)
{
    const char *gap = "";

    for (unsigned cpu = 0; cpu < KM_MAX_CPUS; cpu++) {
        if (!l->hitm_by_cpu[cpu])
            continue;
        fprintf(f, "%s%u:%" PRIu64, gap, cpu, l->hitm_by_cpu[cpu]);
        gap = " ";
    }
}

static void write_owner(FILE *f, const struct km_line_owner *o)
{
    if (o->object)
        fprintf(f, ",0x%" PRIx32 ",%" PRIu32 ",%" PRIu32 ",%" PRIu32 ",", o->object_va,
                o->object_index, o->object_bytes, o->objects);
    else
        fputs(",,,,,", f);
    km_csv_text(f, o->site);
    fputc('\n', f);
}

static void write_row(FILE *f, const struct km_shared_line *l, const struct km_line_owner *o)
{
    fprintf(f, "0x%" PRIx64 ",", l->line_pa);
    km_csv_text(f, o->name);
    if (*o->name)
        fprintf(f, ",%" PRIu32 ",", o->offset);
    else
        fputs(",,", f);
    write_cpus(f, l->cpus_mask);
    fprintf(f, ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%s",
            l->readers, l->writers, l->hitm_local, l->hitm_remote, l->invalidations, l->cycles_lost,
            kind_of(l));
    const uint64_t split[] = {l->hitm_true,   l->hitm_false,   l->inv_true,   l->inv_false,
                              l->cycles_true, l->cycles_false, l->cycles_dma, l->dma_reads,
                              l->dma_writes,  l->dma_hitm,     l->dma_invalidations};

    for (unsigned i = 0; i < KM_ARRAY_LEN(split); i++)
        fprintf(f, ",%" PRIu64, split[i]);
    fputc(',', f);
    write_takers(f, l);
    write_owner(f, o);
}

static void add_line(struct km_cache_sharing *sum, const struct km_shared_line *l)
{
    sum->lines++;
    sum->false_lines += !strcmp(kind_of(l), "false");
    sum->hitm += l->hitm_local + l->hitm_remote;
    sum->hitm_true += l->hitm_true;
    sum->hitm_false += l->hitm_false;
    sum->invalidations += l->invalidations;
    sum->inv_true += l->inv_true;
    sum->inv_false += l->inv_false;
    sum->dma_hitm += l->dma_hitm;
    sum->dma_invalidations += l->dma_invalidations;
    sum->cycles += l->cycles_lost;
    sum->cycles_true += l->cycles_true;
    sum->cycles_false += l->cycles_false;
    sum->cycles_dma += l->cycles_dma;
}

static void add_cache(struct km_false_sharing *s, const char *name, const struct km_shared_line *l)
{
    unsigned i = 0;

    while (i < s->nr_caches && strcmp(s->cache[i].name, name))
        i++;
    if (i == KM_REPORT_SHARING_CACHES)
        return;
    if (i == s->nr_caches)
        snprintf(s->cache[s->nr_caches++].name, sizeof(s->cache[0].name), "%s", name);
    add_line(&s->cache[i], l);
}

static int by_false_cycles(const void *pa, const void *pb)
{
    const struct km_cache_sharing *a = pa, *b = pb;

    if (a->cycles_false != b->cycles_false)
        return a->cycles_false > b->cycles_false ? -1 : 1;
    if (a->cycles != b->cycles)
        return a->cycles > b->cycles ? -1 : 1;
    return strcmp(a->name, b->name);
}

void km_false_sharing_write(struct km_false_sharing *s, const struct km_hw_stats *hw,
                            km_report_owner_fn *owner, void *ctx, struct km_outdir *d)
{
    struct km_out o;

    if (!km_out_open(&o, d, "false_sharing.csv"))
        return;
    fputs("line_pa,cache_or_owner,object_offset,cpus,readers,writers,hitm_local,hitm_remote,"
          "invalidations,cycles_lost,sharing,hitm_true,hitm_false,invalidations_true,"
          "invalidations_false,cycles_true,cycles_false,cycles_dma,dma_reads,dma_writes,dma_hitm,"
          "dma_invalidations,hitm_cpus,object_va,object_index,object_bytes,objects_in_line,"
          "call_site\n",
          o.f);
    for (uint32_t i = 0; hw && i < hw->nr_shared_lines; i++) {
        struct km_line_owner line = {0};

        if (!owner || !owner(ctx, hw->shared_line[i].line_pa, &line))
            line = (struct km_line_owner){0};
        write_row(o.f, &hw->shared_line[i], &line);
        add_line(&s->total, &hw->shared_line[i]);
        if (line.object)
            add_cache(s, line.name, &hw->shared_line[i]);
    }
    qsort(s->cache, s->nr_caches, sizeof(s->cache[0]), by_false_cycles);
    km_out_check(&o);
    km_out_commit(&o);
}

static void put(json_t *o, const char *key, uint64_t v)
{
    json_object_set_new(o, key, json_integer((json_int_t)v));
}

static json_t *counters(const struct km_cache_sharing *s)
{
    json_t *o = json_object();

    put(o, "shared_lines", s->lines);
    put(o, "false_shared_lines", s->false_lines);
    put(o, "hitm", s->hitm);
    put(o, "invalidations", s->invalidations);
    put(o, "cycles_lost", s->cycles);
    put(o, "cycles_lost_false_sharing", s->cycles_false);
    put(o, "cycles_lost_true_sharing", s->cycles_true);
    put(o, "cycles_lost_dma", s->cycles_dma);
    put(o, "hitm_true", s->hitm_true);
    put(o, "hitm_false", s->hitm_false);
    put(o, "invalidations_true", s->inv_true);
    put(o, "invalidations_false", s->inv_false);
    put(o, "dma_hitm", s->dma_hitm);
    put(o, "dma_invalidations", s->dma_invalidations);
    return o;
}

json_t *km_false_sharing_json(const struct km_false_sharing *s, const struct km_hw_stats *hw)
{
    if (!hw || !hw->valid)
        return json_object();
    json_t *o = counters(&s->total), *caches = json_object();

    for (unsigned i = 0; i < s->nr_caches; i++)
        json_object_set_new(caches, s->cache[i].name, counters(&s->cache[i]));
    json_object_set_new(o, "caches", caches);
    return o;
}
