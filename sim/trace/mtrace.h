/* SPDX-License-Identifier: MIT
 * mtrace.h - reader of glibc's mtrace(3) text: the heap calls of one program, plain or gzip.
 *
 *     = Start                                       = End
 *     @ ./prog:(main+0x1d)[0x565561ad] + 0x5655a1a0 0x18      allocated (malloc, calloc, memalign)
 *     @ ./prog:[0x565561bd] - 0x5655a1a0                      freed
 *     @ ./prog:[0x565561cd] < 0x5655a1a0                      realloc: old block, always followed by
 *     @ ./prog:[0x565561cd] > 0x5655a1c0 0x30                 its new place and size, or
 *     @ ./prog:[0x565561cd] ! 0x5655a1a0 0x30                 failed, old block unchanged
 * The caller ("@ place ") may be missing. Which thread called, and whether malloc or calloc, the format does
 * not say. Lines of other kinds are an error with file and line.
 */
#ifndef KM_TRACE_MTRACE_H
#define KM_TRACE_MTRACE_H

#include "models/base/types.h"
#include "sim/base/err.h"

enum km_mtrace_op { KM_MTRACE_ALLOC, KM_MTRACE_FREE, KM_MTRACE_REALLOC };

struct km_mtrace_event {
    enum km_mtrace_op op;
    bool failed;       /* the traced program got NULL */
    uint64_t ptr;      /* result, or what is freed */
    uint64_t old_ptr;  /* realloc */
    uint64_t bytes;    /* not for frees */
    uint64_t line;
};

struct km_mtrace;

/* Does the file begin like an mtrace text? False also if it cannot be read. */
bool km_mtrace_probe(const char *path);
int km_mtrace_open(struct km_mtrace **out, const char *path, struct km_err *err);
/* 1: ev filled; 0: end; negative: error. */
int km_mtrace_next(struct km_mtrace *t, struct km_mtrace_event *ev, struct km_err *err);
uint64_t km_mtrace_position(const struct km_mtrace *t); /* bytes of the file consumed */
uint64_t km_mtrace_size(const struct km_mtrace *t);
void km_mtrace_close(struct km_mtrace *t);

/* One record without its line end, for tests. kind: '+', '-', '<', '>', '!', '=' (no record), 0 (bad). */
char km_mtrace_parse(const char *line, uint64_t *ptr, uint64_t *bytes);

#endif
