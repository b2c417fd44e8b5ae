/* SPDX-License-Identifier: MIT
 * sharing_advice.c - what aligning slab caches to cache lines would save, by replaying again.
 *
 * After a run, the caches that lose most cycles to false sharing get, one after the other and then
 * all together, the layout that would end it: SLAB_HWCACHE_ALIGN for objects larger than half a
 * line, padding to whole lines for smaller ones. Each is a whole replay of the same trace by the
 * plain C engine, whose cycles are those of the SystemC one. A cache whose objects begin at line
 * borders already is listed without a replay: what it shares falsely lies within objects.
 */
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "models/base/types.h"
#include "sim/cli/sharing_advice.h"
#include "sim/report/csv_read.h"
#include "sim/report/outdir.h"
#include "sim/report/redraw.h"
#include "sim/report/report.h"
#include "sim/top/stepper.h"
#include "sim/workload/replay.h"

#define ALL "(all of these)"

struct layout { /* of a cache at the end of a run: a row of slabs.csv */
    uint64_t object_bytes, slot_bytes, pages;
};

struct candidate {
    char name[128];
    struct layout layout;
    const char *remedy;
};

struct cost {
    uint64_t hitm, hitm_false, cycles, cycles_false;
};

/* Finds the row of a cache, or the sum over all for NULL. */
static int read_layout(const char *dir, const char *cache, struct layout *out, struct km_err *err)
{
    static const char *const names[] = {"cache", "object_size", "slot_size", "pages"};
    int col[KM_ARRAY_LEN(names)], ret;
    struct km_csv c;

    *out = (struct layout){0};
    ret = km_csv_open(&c, dir, "slabs.csv", err);
    for (unsigned i = 0; ret == KM_OK && i < KM_ARRAY_LEN(names); i++)
        if ((col[i] = km_csv_column(&c, names[i], err)) < 0)
            ret = col[i];
    while (ret == KM_OK && (ret = km_csv_next(&c, err)) > 0) {
        struct layout row;

        if ((ret = km_csv_u64(&c, col[1], &row.object_bytes, err)) ||
            (ret = km_csv_u64(&c, col[2], &row.slot_bytes, err)) ||
            (ret = km_csv_u64(&c, col[3], &row.pages, err)))
            break;
        if (!cache)
            out->pages += row.pages;
        else if (!strcmp(c.field[col[0]], cache))
            *out = row;
    }
    km_csv_close(&c);
    return ret < 0 ? ret : KM_OK;
}

static uint64_t member(const json_t *o, const char *key)
{
    return (uint64_t)json_integer_value(json_object_get(o, key));
}

static const json_t *sharing_of(const json_t *summary, const char *cache)
{
    const json_t *all = json_object_get(summary, "false_sharing");

    return cache ? json_object_get(json_object_get(all, "caches"), cache) : all;
}

/* Of one cache, or of the whole machine for NULL. */
static struct cost cost_of(const json_t *summary, const char *cache)
{
    const json_t *o = sharing_of(summary, cache);

    return (struct cost){member(o, "hitm"), member(o, "hitm_false"), member(o, "cycles_lost"),
                         member(o, "cycles_lost_false_sharing")};
}

/* The worst caches; summary.json has them in that order. */
static int choose(const struct km_config *cfg, const char *dir, const json_t *summary,
                  struct candidate *list, unsigned *nr, struct km_err *err)
{
    json_t *caches = json_object_get(json_object_get(summary, "false_sharing"), "caches"), *v;
    uint32_t line = cfg->machine.l1d.line_bytes;
    const char *name;
    int ret = KM_OK;

    *nr = 0;
    json_object_foreach(caches, name, v)
    {
        struct candidate *c = &list[*nr];

        if (ret || *nr == cfg->report.sharing_advice || !member(v, "cycles_lost_false_sharing"))
            break;
        snprintf(c->name, sizeof(c->name), "%s", name);
        ret = read_layout(dir, name, &c->layout, err);
        c->remedy = c->layout.slot_bytes % line == 0        ? "none"
                    : c->layout.object_bytes > line / 2 ? "hwcache_align"
                                                            : "pad_to_line";
        ++*nr;
    }
    return ret;
}

static int add_name(char *list, size_t size, const char *name, struct km_err *err)
{
    size_t len = strlen(list);

    if (len + strlen(name) + 2 > size)
        return km_fail(err, KM_E_USAGE, NULL, 0, 0, "report.sharing_advice: too many long names");
    snprintf(list + len, size - len, "%s%s", len ? "," : "", name);
    return KM_OK;
}

/* Replays with some caches laid out anew; *summary is the caller's. */
static int replay_again(const struct km_config *cfg, const struct km_run_options *run,
                        const struct candidate *c, unsigned nr, json_t **summary,
                        struct km_err *err)
{
    struct km_config what_if = *cfg;
    struct km_run_options again = *run;
    int ret = KM_OK;

    what_if.report.plots = what_if.report.html = what_if.report.trace_out = false;
    what_if.report.vcd = what_if.report.dram_commands = false;
    for (unsigned i = 0; ret == KM_OK && i < nr; i++)
        if (!strcmp(c[i].remedy, "hwcache_align"))
            ret = add_name(what_if.os.hwcache_align, sizeof(what_if.os.hwcache_align), c[i].name,
                           err);
        else if (!strcmp(c[i].remedy, "pad_to_line"))
            ret = add_name(what_if.os.pad_to_line, sizeof(what_if.os.pad_to_line), c[i].name, err);
    again.force = true;
    again.engine = &km_stepper_engine;
    if (ret == KM_OK)
        ret = km_replay_run(&what_if, &again, err);
    *summary = ret == KM_OK ? km_summary_read(again.out_dir, err) : NULL;
    return ret == KM_OK && !*summary ? KM_E_INPUT : ret;
}

static void write_costs(FILE *f, const struct cost *a, const struct cost *b)
{
    const uint64_t pair[][2] = {{a->hitm, b->hitm},
                                {a->hitm_false, b->hitm_false},
                                {a->cycles, b->cycles},
                                {a->cycles_false, b->cycles_false}};

    for (unsigned i = 0; i < KM_ARRAY_LEN(pair); i++)
        fprintf(f, ",%" PRIu64 ",%" PRIu64, pair[i][0], pair[i][1]);
}

/* One row: cache NULL for all candidates together. */
static int try_layout(FILE *f, const struct km_config *cfg, const struct km_run_options *run,
                      const char *scratch, const json_t *before, const struct candidate *c,
                      unsigned nr, struct km_err *err)
{
    const char *cache = nr == 1 ? c->name : NULL;
    struct km_run_options again = *run;
    struct layout old, new;
    json_t *after = NULL;

    again.out_dir = scratch;
    int ret = read_layout(run->out_dir, cache, &old, err);

    if (ret == KM_OK)
        ret = replay_again(cfg, &again, c, nr, &after, err);
    if (ret == KM_OK)
        ret = read_layout(scratch, cache, &new, err);
    if (ret == KM_OK) {
        const struct cost a = cost_of(before, cache), b = cost_of(after, cache);
        const struct cost all_a = cost_of(before, NULL), all_b = cost_of(after, NULL);

        fprintf(f, "%s,%s", cache ? cache : ALL, cache ? c->remedy : "both");
        write_costs(f, &a, &b);
        fprintf(f, ",%" PRIu64 ",%" PRIu64 ",%" PRId64 "\n", all_a.cycles, all_b.cycles,
                ((int64_t)new.pages - (int64_t)old.pages) * (int64_t)KM_PAGE_BYTES);
    }
    json_decref(after);
    return ret;
}

/* A cache whose objects have lines of their own. */
static void write_as_it_is(FILE *f, const json_t *before, const struct candidate *c)
{
    const struct cost a = cost_of(before, c->name), all = cost_of(before, NULL);

    fprintf(f, "%s,none", c->name);
    write_costs(f, &a, &a);
    fprintf(f, ",%" PRIu64 ",%" PRIu64 ",0\n", all.cycles, all.cycles);
}

static int try_all(FILE *f, const struct km_config *cfg, const struct km_run_options *run,
                   const json_t *before, struct km_err *err)
{
    struct candidate list[16];
    char scratch[KM_OUT_PATH_MAX];
    unsigned nr, tried = 0;
    int ret = choose(cfg, run->out_dir, before, list, &nr, err);

    if (snprintf(scratch, sizeof(scratch), "%s/sharing_advice", run->out_dir) >=
        (int)sizeof(scratch))
        return km_fail(err, KM_E_USAGE, NULL, 0, 0, "the name of the output folder is too long");
    fputs("cache,remedy,hitm_before,hitm_after,hitm_false_before,hitm_false_after,"
          "cycles_lost_before,cycles_lost_after,cycles_false_before,cycles_false_after,"
          "machine_cycles_lost_before,machine_cycles_lost_after,memory_cost_bytes\n",
          f);
    for (unsigned i = 0; ret == KM_OK && i < nr; i++) {
        if (!strcmp(list[i].remedy, "none")) {
            write_as_it_is(f, before, &list[i]);
            continue;
        }
        tried++;
        ret = try_layout(f, cfg, run, scratch, before, &list[i], 1, err);
    }
    if (ret == KM_OK && tried > 1)
        ret = try_layout(f, cfg, run, scratch, before, list, nr, err);
    if (tried)
        km_outdir_remove_run(scratch);
    return ret;
}

int km_sharing_advice(const struct km_config *cfg, const struct km_run_options *run,
                      struct km_err *err)
{
    struct km_outdir d = {0};
    struct km_out o;
    json_t *before = km_summary_read(run->out_dir, err);

    if (!before)
        return KM_E_INPUT;
    snprintf(d.path, sizeof(d.path), "%s", run->out_dir);
    int ret = km_out_open(&o, &d, "sharing_advice.csv") ? KM_OK : KM_E_IO;

    if (ret == KM_OK)
        ret = try_all(o.f, cfg, run, before, err);
    if (ret == KM_OK) {
        km_out_check(&o);
        km_out_commit(&o);
    } else {
        km_out_abandon(&o);
    }
    if (ret == KM_OK && !d.failed)
        km_redraw_with_summary(&d, before, cfg->report.plots, cfg->report.html);
    json_decref(before);
    if (!d.failed)
        return ret;
    if (err)
        *err = d.err;
    return KM_E_IO;
}
