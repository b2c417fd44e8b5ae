/* SPDX-License-Identifier: MIT
 * trace.h - one reader for every trace format.
 *
 * A path may be a file (trace-cmd report text, ftrace `trace` text, trace.dat v6/v7; each also
 * gzipped) or a capture-bundle folder (see bundle.h). The format is sniffed from the content, never
 * from the name. Streaming: memory does not grow with the length of the trace. To look at a trace
 * twice, open it twice.
 */
#ifndef KM_TRACE_TRACE_H
#define KM_TRACE_TRACE_H

#include "sim/base/err.h"
#include "sim/trace/event.h"

struct km_trace;

struct km_trace_info {
    const char *path;   /* file actually read */
    const char *format; /* name in km_trace_formats[] */
    unsigned cpus;      /* 0: not stated      */
    unsigned long_bits; /* 32, 64 or 0 (not known yet) */
    bool
        hashed_pointers; /* looks like %p hashing: allocations at odd addresses; known after open */
    uint64_t events;     /* delivered so far   */
    uint64_t lost_events;    /* reported by the tracer so far */
    uint64_t lost_marks;     /* LOST EVENTS lines or records  */
    uint64_t unparsed_lines; /* lines that are no event       */
    uint64_t position;       /* line (text) or byte offset (binary) of the last event */
};

/* Opens a trace and reads far enough to know that it is one. Errors name the file and the position.
 */
int km_trace_open(struct km_trace **out, const char *path, struct km_err *err);
/* 1: *ev filled; 0: end of trace; negative enum km_errno: damaged input (events so far were good).
 */
int km_trace_next(struct km_trace *trace, struct km_event *ev, struct km_err *err);
const struct km_trace_info *km_trace_info(const struct km_trace *trace);
/* true: KM_EV_OTHER events of binary traces carry their text in text.text, as text formats always
 * do (slow). */
void km_trace_want_text(struct km_trace *trace, bool want);
/* Text of an interned string; "" for 0. Valid until close. */
const char *km_trace_string(const struct km_trace *trace, uint32_t id);
/* Number of a text in the same table: for events that are written with this trace (write.h). */
uint32_t km_trace_intern(struct km_trace *trace, const char *text);
void km_trace_close(struct km_trace *trace);

/* A format: one file in sim/trace/, one row in km_trace_formats[] (sorted by name,
 * NULL-terminated). */
struct km_trace_format {
    const char *name, *help;
};
extern const struct km_trace_format *const km_trace_formats[];

#endif
