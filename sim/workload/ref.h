/* SPDX-License-Identifier: MIT
 * ref.h - readers of memory-reference traces (text, plain or gzip).
 *
 * A format recognises and parses one line at a time; the source reads lines and knows file and line
 * number. Adding a format: a file ref_NAME.c with a const struct km_ref_reader and a line in
 * ref_table.c.
 */
#ifndef KM_WORKLOAD_REF_H
#define KM_WORKLOAD_REF_H

#include "models/base/types.h"
#include "sim/base/err.h"

#include <signal.h>

enum km_mem_op { KM_OP_LOAD, KM_OP_STORE, KM_OP_MODIFY, KM_OP_FETCH };

struct km_mem_ref {
    uint64_t addr;
    uint32_t bytes;
    enum km_mem_op op;
};

enum km_line_is { KM_LINE_REF, KM_LINE_NOTHING, KM_LINE_BAD };

struct km_ref_reader {
    const char *name, *help;
    bool dram; /* for the DRAM controller, not for caches */
    /* line is NUL-terminated, without the newline. */
    enum km_line_is (*parse)(const char *line, struct km_mem_ref *ref);
};

extern const struct km_ref_reader km_ref_din, km_ref_dram_rw, km_ref_lackey;
/* Sorted by name, ends with NULL. */
extern const struct km_ref_reader *const km_ref_table[];

struct km_ref_source;

/* format NULL: the first line that some format accepts decides. */
int km_ref_open(struct km_ref_source **out, const char *path, const struct km_ref_reader *format,
                struct km_err *err);
const struct km_ref_reader *km_ref_format_of(const struct km_ref_source *s);
/* 1: ref filled; 0: end; negative: error. */
/* From when *stop is set on there are no more references (run_options.h). */
void km_ref_set_stop(struct km_ref_source *s, const volatile sig_atomic_t *stop);
int km_ref_next(struct km_ref_source *s, struct km_mem_ref *ref, struct km_err *err);
uint64_t km_ref_position(const struct km_ref_source *s); /* bytes of the file consumed */
uint64_t km_ref_size(const struct km_ref_source *s);     /* bytes of the file */
void km_ref_close(struct km_ref_source *s);

/* Shared by the formats: a hexadecimal number with or without 0x; false if there is none. */
bool km_ref_hex(const char **p, uint64_t *value);

#endif
