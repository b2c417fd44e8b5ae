/* SPDX-License-Identifier: MIT
 * false_sharing.c - false_sharing.csv: cache lines more than one CPU used, in the vocabulary of
 * `perf c2c`.
 *
 * A line whose CPUs never touched a common byte is false sharing: moving the data apart would end
 * the traffic. Lines with common bytes are true sharing (a lock, a counter) and listed too.
 */
#include "sim/report/report_int.h"

#include <inttypes.h>
#include <string.h>

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

static void write_row(FILE *f, const struct km_shared_line *l, km_report_owner_fn *owner, void *ctx)
{
    char name[128] = "";
    uint32_t offset = 0;
    bool known = owner && owner(ctx, l->line_pa, name, sizeof(name), &offset);

    fprintf(f, "0x%" PRIx64 ",", l->line_pa);
    km_csv_text(f, known ? name : "");
    if (known)
        fprintf(f, ",%" PRIu32 ",", offset);
    else
        fputs(",,", f);
    write_cpus(f, l->cpus_mask);
    fprintf(f, ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%s\n",
            l->readers, l->writers, l->hitm_local, l->hitm_remote, l->invalidations, l->cycles_lost,
            l->overlapping_bytes ? "true" : "false");
}

void km_false_sharing_write(const struct km_hw_stats *hw, km_report_owner_fn *owner, void *ctx,
                            struct km_outdir *d)
{
    struct km_out o;

    if (!km_out_open(&o, d, "false_sharing.csv"))
        return;
    fputs("line_pa,cache_or_owner,object_offset,cpus,readers,writers,hitm_local,hitm_remote,"
          "invalidations,cycles_lost,sharing\n",
          o.f);
    for (uint32_t i = 0; hw && i < hw->nr_shared_lines; i++)
        write_row(o.f, &hw->shared_line[i], owner, ctx);
    km_out_check(&o);
    km_out_commit(&o);
}

json_t *km_false_sharing_json(const struct km_hw_stats *hw)
{
    uint64_t lines = 0, false_lines = 0, hitm = 0, invalidations = 0, cycles = 0, false_cycles = 0;
    json_t *o = json_object();

    if (!hw || !hw->valid)
        return o;
    for (uint32_t i = 0; i < hw->nr_shared_lines; i++) {
        const struct km_shared_line *l = &hw->shared_line[i];

        lines++;
        hitm += l->hitm_local + l->hitm_remote;
        invalidations += l->invalidations;
        cycles += l->cycles_lost;
        if (l->overlapping_bytes)
            continue;
        false_lines++;
        false_cycles += l->cycles_lost;
    }
    json_object_set_new(o, "shared_lines", json_integer((json_int_t)lines));
    json_object_set_new(o, "false_shared_lines", json_integer((json_int_t)false_lines));
    json_object_set_new(o, "hitm", json_integer((json_int_t)hitm));
    json_object_set_new(o, "invalidations", json_integer((json_int_t)invalidations));
    json_object_set_new(o, "cycles_lost", json_integer((json_int_t)cycles));
    json_object_set_new(o, "cycles_lost_false_sharing", json_integer((json_int_t)false_cycles));
    return o;
}
