/* SPDX-License-Identifier: MIT
 * dat_reader.c - trace.dat (version 6 and 7, compressed sections too) through libtracecmd, as a
 * trace reader.
 *
 * The per-CPU streams of all buffers are merged by time stamp; at equal stamps the lower CPU comes
 * first, as in `trace-cmd report`. A gzipped trace.dat is unpacked to an unlinked temporary file
 * ($TMPDIR or /tmp), since the library needs random access. The library's own messages are switched
 * off: ours is the only one. Runs in a process of its own, see dat_process.c.
 */
#include "sim/trace/dat_check.h"
#include "sim/trace/dat_decode.h"
#include "sim/trace/reader.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <trace-cmd.h>

#define MAX_STREAMS 4096u

struct stream {
    struct tracecmd_input *handle;
    int cpu;
    struct tep_record *record; /* next of this stream, or NULL */
};

struct dat_reader {
    struct tracecmd_input *handle;
    struct km_text text;
    struct km_dat_decoder decoder;
    unsigned nr_streams;
    struct stream *stream;
    bool started;
    struct tep_record *current; /* its data may still be looked at by the caller */
    struct tep_record *waiting; /* decoded after the lost-events record in front of it */
};

static int probe(const struct km_reader_source *source)
{
    return source->head_len >= KM_DAT_MAGIC_BYTES &&
                   memcmp(source->head, KM_DAT_MAGIC, KM_DAT_MAGIC_BYTES) == 0
               ? 100
               : 0;
}

static int temporary_file(const char *path, struct km_err *err)
{
    const char *dir = getenv("TMPDIR");
    char name[512];
    int fd;

    if (!dir || !*dir || strlen(dir) > 400)
        dir = "/tmp";
    snprintf(name, sizeof(name), "%s/kmemsim-trace-XXXXXX", dir);
    fd = mkstemp(name);
    if (fd < 0)
        return km_fail(err, KM_E_IO, path, 0, 0, "cannot unpack it to a temporary file %s: %s",
                       name, strerror(errno));
    unlink(name);
    return fd;
}

static int write_all(int fd, const char *buf, size_t len)
{
    while (len > 0) {
        ssize_t done = write(fd, buf, len);

        if (done < 0 && errno != EINTR)
            return -1;
        if (done > 0) {
            buf += done;
            len -= (size_t)done;
        }
    }
    return 0;
}

/* Descriptor of an unpacked copy, or a negative error. */
static int unpack(struct km_reader_source *source, struct km_err *err)
{
    static const size_t chunk = 256u << 10;
    int fd = temporary_file(source->path, err);
    char *buf = fd >= 0 ? malloc(chunk) : NULL;
    long got = 0;

    if (fd < 0)
        return fd;
    if (!buf) {
        close(fd);
        return km_fail(err, KM_E_NOMEM, source->path, 0, 0, "no memory to read the trace");
    }
    while ((got = km_input_read(source->input, buf, chunk, err)) > 0) {
        if (write_all(fd, buf, (size_t)got) != 0) {
            got = km_fail(err, KM_E_IO, source->path, 0, 0,
                          "cannot unpack it to a temporary file: %s", strerror(errno));
            break;
        }
    }
    free(buf);
    if (got < 0) {
        close(fd);
        return (int)got;
    }
    return fd;
}

static int descriptor(struct km_reader_source *source, struct km_err *err)
{
    int fd;

    if (km_input_gzipped(source->input))
        return unpack(source, err);
    fd = open(source->path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return km_fail(err, KM_E_IO, source->path, 0, 0, "%s", strerror(errno));
    return fd;
}

static void silence_libraries(void)
{
    tep_set_loglevel(TEP_LOG_NONE);
    tracefs_set_loglevel(TEP_LOG_NONE);
    tracecmd_set_loglevel(TEP_LOG_NONE);
}

static bool add_streams(struct dat_reader *reader, struct tracecmd_input *handle, unsigned cpus)
{
    struct stream *more;

    if (cpus == 0 || reader->nr_streams + cpus > MAX_STREAMS)
        return false;
    more = realloc(reader->stream, (reader->nr_streams + cpus) * sizeof(*more));
    if (!more)
        return false;
    reader->stream = more;
    for (unsigned cpu = 0; cpu < cpus; cpu++)
        more[reader->nr_streams++] = (struct stream){.handle = handle, .cpu = (int)cpu};
    return true;
}

static bool collect_streams(struct dat_reader *reader, unsigned cpus)
{
    int instances = tracecmd_buffer_instances(reader->handle);
    bool any = add_streams(reader, reader->handle, cpus);

    for (int i = 0; i < instances && i < 64; i++) {
        struct tracecmd_input *handle = tracecmd_buffer_instance_handle(reader->handle, i);

        if (handle)
            any |= add_streams(reader, handle, cpus);
    }
    return any;
}

static void close_dat(struct km_trace *trace)
{
    struct dat_reader *reader = trace->reader;

    for (unsigned i = 0; i < reader->nr_streams; i++)
        if (reader->stream[i].record)
            tracecmd_free_record(reader->stream[i].record);
    if (reader->current)
        tracecmd_free_record(reader->current);
    if (reader->waiting)
        tracecmd_free_record(reader->waiting);
    free(reader->stream);
    if (reader->decoder.tep)
        km_dat_decoder_release(&reader->decoder);
    if (reader->handle)
        tracecmd_close(reader->handle);
    free(reader);
}

/* Width of a kernel pointer. The header's bytes per long is the writer's own in files made by
 * trace-cmd split. */
static unsigned pointer_bits(struct tep_handle *tep)
{
    struct tep_event *event = tep_find_event_by_name(tep, "kmem", "kfree");
    struct tep_format_field *field = event ? tep_find_field(event, "ptr") : NULL;

    return (unsigned)(field ? field->size : tep_get_long_size(tep)) * 8;
}

static int open_handle(struct km_trace *trace, struct dat_reader *reader,
                       struct km_reader_source *source, struct km_err *err)
{
    struct tep_handle *tep;
    int fd = descriptor(source, err);
    int rc;

    if (fd < 0)
        return fd;
    rc = km_dat_check(fd, source->path, err);
    if (rc != KM_OK) {
        close(fd);
        return rc;
    }
    lseek(fd, 0, SEEK_SET);
    reader->handle = tracecmd_open_fd(fd, TRACECMD_FL_LOAD_NO_PLUGINS);
    tep = reader->handle ? tracecmd_get_tep(reader->handle) : NULL;
    if (!tep)
        return km_fail(err, KM_E_INPUT, source->path, 0, 0,
                       "trace.dat is damaged, it cannot be opened");
    km_text_init(&reader->text, &trace->strings);
    km_dat_decoder_init(&reader->decoder, tep, &trace->strings, &reader->text);
    trace->info.long_bits = pointer_bits(tep);
    trace->info.cpus = (unsigned)tep_get_cpus(tep);
    if (!collect_streams(reader, trace->info.cpus))
        return km_fail(err, KM_E_INPUT, source->path, 0, 0, "trace.dat has no CPU buffers");
    return KM_OK;
}

static int open_dat(struct km_trace *trace, struct km_reader_source *source, struct km_err *err)
{
    struct dat_reader *reader = calloc(1, sizeof(*reader));

    if (!reader)
        return km_fail(err, KM_E_NOMEM, source->path, 0, 0, "no memory to read the trace");
    trace->reader = reader;
    silence_libraries();
    return open_handle(trace, reader, source, err);
}

static void start_streams(struct dat_reader *reader)
{
    reader->started = true;
    for (unsigned i = 0; i < reader->nr_streams; i++)
        reader->stream[i].record =
            tracecmd_read_data(reader->stream[i].handle, reader->stream[i].cpu);
}

/* Earliest record of all streams; NULL at the end. The caller owns it. */
static struct tep_record *take_earliest(struct dat_reader *reader)
{
    struct stream *best = NULL;
    struct tep_record *record;

    if (!reader->started)
        start_streams(reader);
    for (unsigned i = 0; i < reader->nr_streams; i++) {
        struct stream *stream = &reader->stream[i];

        if (stream->record && (!best || stream->record->ts < best->record->ts))
            best = stream;
    }
    if (!best)
        return NULL;
    record = best->record;
    best->record = tracecmd_read_data(best->handle, best->cpu);
    return record;
}

static void make_lost(const struct tep_record *record, struct km_event *ev)
{
    memset(ev, 0, sizeof(*ev));
    ev->type = KM_EV_LOST;
    ev->cpu = (uint8_t)record->cpu;
    ev->lost.nr = record->missed_events > 0 ? (uint64_t)record->missed_events : 0;
}

static int next_dat(struct km_trace *trace, struct km_event *ev, struct km_err *err)
{
    struct dat_reader *reader = trace->reader;

    (void)err;
    reader->decoder.want_text = trace->want_text;
    for (;;) {
        struct tep_record *record = reader->waiting;

        if (reader->current)
            tracecmd_free_record(reader->current);
        reader->current = NULL;
        reader->waiting = NULL;
        if (!record) {
            record = take_earliest(reader);
            if (!record)
                return 0;
            if (record->missed_events) {
                make_lost(record, ev);
                reader->waiting = record;
                trace->info.position = record->offset;
                return 1;
            }
        }
        reader->current = record;
        trace->info.position = record->offset;
        if (km_dat_decode(&reader->decoder, record, ev))
            return 1;
        trace->info.unparsed_lines++;
    }
}

const struct km_reader_ops km_dat_inner = {
    .format = {"tracedat", "trace-cmd's trace.dat, version 6 and 7, also compressed or gzipped"},
    .probe = probe,
    .open = open_dat,
    .next = next_dat,
    .close = close_dat,
};
