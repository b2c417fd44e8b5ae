/* SPDX-License-Identifier: MIT
 * record.h - the record port: every reference of a CPU in a list, for tests that assert exact
 * references.
 *
 * Models no time. Entries come from the caller; what does not fit is counted in `lost`.
 */
#ifndef KM_CPU_RECORD_H
#define KM_CPU_RECORD_H

#include "models/cpu/cpu.h"

#ifdef __cplusplus
extern "C" {
#endif

struct km_record_entry {
    km_vaddr va;
    uint32_t bytes;
    enum km_ref_kind kind;
};

struct km_recorder {
    struct km_record_entry *entry;
    uint32_t nr, capacity, lost;
    uint32_t execs, relaxes, invlpgs;
};

/* Makes cpu a record port over the window; rec and entries stay owned by the caller. */
void km_cpu_init_record(struct km_cpu *cpu, unsigned id, uint8_t *window, struct km_recorder *rec,
                        struct km_record_entry *entries, uint32_t capacity);
/* Forgets what was recorded so far. */
void km_recorder_reset(struct km_recorder *rec);

#ifdef __cplusplus
}
#endif
#endif
