/* SPDX-License-Identifier: MIT
 * record.c - see record.h. The hot filter stays empty, so every reference arrives here.
 */
#include "models/cpu/record.h"

static void record_ref(struct km_cpu *cpu, km_vaddr va, uint32_t bytes, enum km_ref_kind kind)
{
    struct km_recorder *rec = cpu->ctx;

    if (rec->nr == rec->capacity) {
        rec->lost++;
        return;
    }
    rec->entry[rec->nr++] = (struct km_record_entry){va, bytes, kind};
}

static void record_exec(struct km_cpu *cpu, const struct km_site *site, uint32_t insns)
{
    struct km_recorder *rec = cpu->ctx;

    (void)site;
    (void)insns;
    rec->execs++;
}

static void record_relax(struct km_cpu *cpu)
{
    struct km_recorder *rec = cpu->ctx;

    rec->relaxes++;
}

static void record_invlpg(struct km_cpu *cpu, km_vaddr va)
{
    struct km_recorder *rec = cpu->ctx;

    (void)va;
    rec->invlpgs++;
}

static const struct km_cpu_ops record_ops = {
    .name = "record",
    .ref = record_ref,
    .exec = record_exec,
    .relax = record_relax,
    .invlpg = record_invlpg,
};

void km_recorder_reset(struct km_recorder *rec)
{
    rec->nr = rec->lost = rec->execs = rec->relaxes = rec->invlpgs = 0;
}

void km_cpu_init_record(struct km_cpu *cpu, unsigned id, uint8_t *window, struct km_recorder *rec,
                        struct km_record_entry *entries, uint32_t capacity)
{
    km_cpu_init_null(cpu, id, window);
    rec->entry = entries;
    rec->capacity = capacity;
    km_recorder_reset(rec);
    cpu->ctx = rec;
    cpu->ops = &record_ops;
}
