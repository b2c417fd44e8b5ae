/* SPDX-License-Identifier: MIT
 * text_reader.c - the two text formats as trace readers: lines in, events out.
 *
 * At opening the first buffered lines are parsed once without being consumed: they tell the
 * spelling, the width of pointers and whether pointers are hashed.
 */
#include "sim/trace/reader.h"
#include "sim/trace/text.h"

#include <stdlib.h>
#include <string.h>

#define PRESCAN_LINES 4096u
#define PROBE_LINES 256u

struct text_reader {
    struct km_input *input;
    struct km_text text;
};

/* First lines of a text: how many are events, and of which spelling. */
struct sight {
    unsigned lines, events;
    bool tracer_header, report_header, flags;
};

static void look(struct sight *sight, const char *head, size_t len)
{
    struct km_intern strings;
    struct km_text text;
    struct km_event ev;
    const char *end = head + len;

    if (!km_intern_init(&strings))
        return;
    km_text_init(&text, &strings);
    while (head < end && sight->lines < PROBE_LINES) {
        const char *stop = memchr(head, '\n', (size_t)(end - head));
        size_t line_len = (size_t)((stop ? stop : end) - head);

        sight->lines++;
        if (line_len > 9 && memcmp(head, "# tracer:", 9) == 0)
            sight->tracer_header = true;
        if (line_len > 5 && line_len < 12 && memcmp(head, "cpus=", 5) == 0)
            sight->report_header = true;
        if (line_len < KM_INPUT_LINE_MAX &&
            km_text_parse(&text, head, line_len, &ev) == KM_TEXT_EVENT)
            sight->events++;
        head = stop ? stop + 1 : end;
    }
    sight->flags = text.saw_flags;
    km_intern_release(&strings);
}

static int probe_tracecmd(const struct km_reader_source *source)
{
    struct sight sight = {0};

    look(&sight, source->head, source->head_len);
    if (sight.report_header)
        return 80;
    return sight.events > 0 && !sight.tracer_header ? (sight.flags ? 40 : 60) : 0;
}

static int probe_ftrace(const struct km_reader_source *source)
{
    struct sight sight = {0};

    look(&sight, source->head, source->head_len);
    if (sight.tracer_header)
        return 80;
    return sight.events > 0 && !sight.report_header ? (sight.flags ? 60 : 40) : 0;
}

static void learn(struct km_trace *trace, const struct km_text *text, const struct km_event *ev)
{
    if (ev->type == KM_EV_KMALLOC || ev->type == KM_EV_KMEM_CACHE_ALLOC) {
        km_trace_judge_pointer(trace, ev->obj.ptr);
        if (ev->obj.ptr)
            trace->info.long_bits = text->wide_pointers ? 64 : 32;
    }
}

static void prescan(struct km_trace *trace, struct text_reader *reader)
{
    struct km_event ev;
    size_t len;
    const char *p = km_input_peek(reader->input, &len);
    const char *end = p + len;

    for (unsigned i = 0; i < PRESCAN_LINES && p < end; i++) {
        const char *stop = memchr(p, '\n', (size_t)(end - p));

        if (!stop || stop - p > (long)KM_INPUT_LINE_MAX)
            break;
        if (km_text_parse(&reader->text, p, (size_t)(stop - p), &ev) == KM_TEXT_EVENT)
            learn(trace, &reader->text, &ev);
        p = stop + 1;
    }
    trace->info.cpus = reader->text.cpus;
}

static int open_text(struct km_trace *trace, struct km_reader_source *source, struct km_err *err)
{
    struct text_reader *reader = malloc(sizeof(*reader));

    if (!reader)
        return km_fail(err, KM_E_NOMEM, source->path, 0, 0, "no memory to read the trace");
    reader->input = source->input;
    source->input = NULL;
    km_text_init(&reader->text, &trace->strings);
    trace->reader = reader;
    prescan(trace, reader);
    return KM_OK;
}

static int next_text(struct km_trace *trace, struct km_event *ev, struct km_err *err)
{
    struct text_reader *reader = trace->reader;
    struct km_line line;
    int rc;

    while ((rc = km_input_line(reader->input, &line, err)) > 0) {
        enum km_text_line kind = KM_TEXT_UNPARSED;

        if (KM_LIKELY(!line.overlong))
            kind = km_text_parse(&reader->text, line.text, line.len, ev);
        if (KM_LIKELY(kind == KM_TEXT_EVENT)) {
            trace->info.position = km_input_line_number(reader->input);
            if (ev->type <= KM_EV_KMEM_CACHE_ALLOC)
                learn(trace, &reader->text, ev);
            return 1;
        }
        if (kind == KM_TEXT_UNPARSED)
            trace->info.unparsed_lines++;
        else
            trace->info.cpus = reader->text.cpus;
    }
    return rc;
}

static void close_text(struct km_trace *trace)
{
    struct text_reader *reader = trace->reader;

    km_input_close(reader->input);
    free(reader);
}

const struct km_reader_ops km_reader_tracecmd = {
    .format = {"tracecmd", "trace-cmd report text, plain or gzipped"},
    .probe = probe_tracecmd,
    .open = open_text,
    .next = next_text,
    .close = close_text,
};

const struct km_reader_ops km_reader_ftrace = {
    .format = {"ftrace", "the kernel's own `trace` file, plain or gzipped"},
    .probe = probe_ftrace,
    .open = open_text,
    .next = next_text,
    .close = close_text,
};
