/* SPDX-License-Identifier: MIT
 * trace.c - opening by content, counting, interned strings; the formats do the reading.
 *
 * Hashed pointers: the kernel prints %p hashed unless told otherwise. A hash is evenly spread, real
 * objects are at least 4-byte aligned: if a quarter of the allocations seen so far have odd
 * addresses, they are hashed (three quarters of all hashes are odd).
 */
#include "sim/trace/trace.h"
#include "sim/trace/bundle.h"
#include "sim/trace/reader.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define POINTER_SAMPLES_MIN 4u
#define POINTER_SAMPLES_MAX 4096u

static const struct km_reader_ops *const readers[] = {
    &km_reader_ftrace,
    &km_reader_tracecmd,
    &km_reader_tracedat,
};

const struct km_trace_format *const km_trace_formats[] = {
    &km_reader_ftrace.format,
    &km_reader_tracecmd.format,
    &km_reader_tracedat.format,
    NULL,
};

void km_trace_judge_pointer(struct km_trace *trace, uint64_t ptr)
{
    if (ptr == 0 || trace->pointer_samples >= POINTER_SAMPLES_MAX)
        return;
    trace->pointer_samples++;
    if (ptr & 3)
        trace->pointer_odd++;
    trace->info.hashed_pointers = trace->pointer_samples >= POINTER_SAMPLES_MIN &&
                                  trace->pointer_odd * 4 >= trace->pointer_samples;
}

static int choose_reader(struct km_trace *trace, struct km_reader_source *source,
                         struct km_err *err)
{
    int best = 0;

    for (size_t i = 0; i < KM_ARRAY_LEN(readers); i++) {
        int score = readers[i]->probe(source);

        if (score > best) {
            best = score;
            trace->ops = readers[i];
        }
    }
    if (best == 0)
        return km_fail(err, KM_E_INPUT, source->path, 1, 0,
                       "not a trace: neither trace.dat nor trace-cmd or ftrace text");
    trace->info.format = trace->ops->format.name;
    return trace->ops->open(trace, source, err);
}

static int resolve_path(struct km_trace *trace, const char *path, struct km_err *err)
{
    if (km_bundle_trace_path(path, trace->path, sizeof(trace->path)))
        return KM_OK;
    if (km_path_is_folder(path))
        return km_fail(
            err, KM_E_INPUT, path, 0, 0,
            "the folder holds no trace (trace.txt, trace.txt.gz, trace.dat or trace.dat.gz)");
    if (strlen(path) >= sizeof(trace->path))
        return km_fail(err, KM_E_INPUT, path, 0, 0, "the path is too long");
    strcpy(trace->path, path);
    return KM_OK;
}

static int open_trace(struct km_trace *trace, const char *path, struct km_err *err)
{
    struct km_reader_source source = {0};
    int rc = resolve_path(trace, path, err);

    if (rc != KM_OK)
        return rc;
    if (!km_intern_init(&trace->strings))
        return km_fail(err, KM_E_NOMEM, path, 0, 0, "no memory to read the trace");
    trace->info.path = trace->path;
    source.path = trace->path;
    rc = km_input_open(&source.input, trace->path, err);
    if (rc != KM_OK)
        return rc;
    source.head = km_input_peek(source.input, &source.head_len);
    rc = choose_reader(trace, &source, err);
    km_input_close(source.input);
    return rc;
}

int km_trace_open(struct km_trace **out, const char *path, struct km_err *err)
{
    struct km_trace *trace = calloc(1, sizeof(*trace));
    int rc;

    *out = NULL;
    if (!trace)
        return km_fail(err, KM_E_NOMEM, path, 0, 0, "no memory to read the trace");
    rc = open_trace(trace, path, err);
    if (rc != KM_OK)
        km_trace_close(trace);
    else
        *out = trace;
    return rc;
}

int km_trace_next(struct km_trace *trace, struct km_event *ev, struct km_err *err)
{
    int rc;

    if (KM_UNLIKELY(trace->ended)) {
        if (trace->ended < 0 && err)
            *err = trace->why;
        return trace->ended < 0 ? trace->ended : 0;
    }
    rc = trace->ops->next(trace, ev, &trace->why);
    if (KM_LIKELY(rc > 0)) {
        trace->info.events++;
        if (KM_UNLIKELY(ev->type == KM_EV_LOST)) {
            trace->info.lost_marks++;
            trace->info.lost_events += ev->lost.nr;
        }
        return rc;
    }
    trace->ended = rc < 0 ? rc : 1;
    if (rc < 0 && err)
        *err = trace->why;
    return rc;
}

const struct km_trace_info *km_trace_info(const struct km_trace *trace)
{
    return &trace->info;
}

void km_trace_want_text(struct km_trace *trace, bool want)
{
    trace->want_text = want;
}

const char *km_trace_string(const struct km_trace *trace, uint32_t id)
{
    return km_intern_text(&trace->strings, id);
}

uint32_t km_trace_intern(struct km_trace *trace, const char *text)
{
    return km_intern(&trace->strings, text, strlen(text));
}

void km_trace_close(struct km_trace *trace)
{
    if (!trace)
        return;
    if (trace->ops && trace->reader)
        trace->ops->close(trace);
    km_intern_release(&trace->strings);
    free(trace);
}
