/* SPDX-License-Identifier: MIT
 * coh_check.h - an independent judge of coherence: single writer, and every copy holds the last
 * value.
 *
 * The simulated caches carry no data, so a value is a version: every store gets the next number,
 * and the memory system reports where it lets versions travel (a fill from memory or from another
 * CPU, a write-back). The judge knows nothing of protocols or tables; it looks at the states
 *   afterwards: R1 a line in M or E is in no other CPU's caches; R2 at most one CPU has it in O,
 *   the others in S; R3 every valid copy holds the version stored last; R4 so does memory, unless
 *   somebody holds the line dirty (M, O or on its way from a write-back buffer).
 * A CPU's levels count as one. Stores that bypass the port through the hot filter are not reported:
 * they go to a line in M, which has one holder.
 */
#ifndef KM_TOP_COH_CHECK_H
#define KM_TOP_COH_CHECK_H

#include "models/base/types.h"
#include "models/cache/cache.h"

#ifdef __cplusplus
extern "C" {
#endif

#define KM_COH_BUFFER(cpu) (KM_MAX_CPUS + (cpu)) /* its write-back buffers */
#define KM_COH_MEMORY (2 * KM_MAX_CPUS)

struct km_coh_line {
    uint64_t line;
    uint64_t last; /* version of the last store */
    uint64_t held[2 * KM_MAX_CPUS + 1];
    uint32_t buffered; /* CPUs with a dirty copy in a buffer */
};

struct km_coh_check {
    struct km_coh_line *row;
    uint32_t nr_rows, capacity;
    uint32_t *slot; /* open addressing: row + 1, 0 = free */
    uint32_t nr_slots;
    uint64_t stores, checks;
    bool full; /* host memory ran out: no more verdicts */
};

/* The CPU has written to its copy. */
void km_coh_check_store(struct km_coh_check *c, uint64_t line, unsigned cpu);
/* The line's contents went from one holder (a CPU, KM_COH_BUFFER, KM_COH_MEMORY) to another. */
void km_coh_check_move(struct km_coh_check *c, uint64_t line, unsigned from, unsigned to);
/* A part of the line was written to memory, past the caches. */
void km_coh_check_partial(struct km_coh_check *c, uint64_t line);
/* Dirty contents were thrown away on purpose (INVD). */
void km_coh_check_forget(struct km_coh_check *c, uint64_t line);
/* The rule that is broken given every CPU's state of the line, or NULL. */
const char *km_coh_check_line(struct km_coh_check *c, uint64_t line,
                              const enum km_line_state *state, unsigned cpus);
void km_coh_check_release(struct km_coh_check *c);

#ifdef __cplusplus
}
#endif
#endif
