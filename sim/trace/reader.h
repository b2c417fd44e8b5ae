/* SPDX-License-Identifier: MIT
 * reader.h - what a trace format implements; inside of sim/trace only.
 */
#ifndef KM_TRACE_READER_H
#define KM_TRACE_READER_H

#include "sim/trace/input.h"
#include "sim/trace/intern.h"
#include "sim/trace/trace.h"

struct km_trace;

/* What km_trace_open found at the path; a format takes what it needs by setting the member to NULL
 * / -1. */
struct km_reader_source {
    const char *path;
    struct km_input *input; /* decompressed on the fly, nothing consumed */
    const char *head;       /* first decompressed bytes */
    size_t head_len;
};

struct km_reader_ops {
    struct km_trace_format format;
    /* 0 (is not this format) .. 100 (certain). */
    int (*probe)(const struct km_reader_source *source);
    int (*open)(struct km_trace *trace, struct km_reader_source *source, struct km_err *err);
    int (*next)(struct km_trace *trace, struct km_event *ev, struct km_err *err);
    void (*close)(struct km_trace *trace);
};

struct km_trace {
    const struct km_reader_ops *ops;
    void *reader; /* owned by ops */
    struct km_intern strings;
    struct km_trace_info info;
    char path[512];
    bool want_text; /* OTHER events carry their text, see km_trace_want_text */
    int ended;      /* 1: end reached; negative: damage, see why */
    struct km_err why;
    uint32_t pointer_samples, pointer_odd; /* hashed-pointer detection */
};

extern const struct km_reader_ops km_reader_ftrace, km_reader_tracecmd, km_reader_tracedat;
extern const struct km_reader_ops
    km_dat_inner; /* km_reader_tracedat without the process around it */

/* Looks at the pointer of an allocation: keeps info.hashed_pointers up to date. */
void km_trace_judge_pointer(struct km_trace *trace, uint64_t ptr);

#endif
