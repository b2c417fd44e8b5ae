/* SPDX-License-Identifier: MIT
 * dat_process.c - the trace.dat reader in a child process: a file that makes the library crash is
 * an error message, not a crash of kmemsim.
 *
 * The child opens the file, says how that went (HELLO), waits for one byte (whether texts are
 * wanted), then sends every event with the strings that became known with it, and END. Messages are
 * host structs on a socket pair between two copies of one program. The child's table of strings is
 * the parent's: both number them in the order of appearance. A child that dies without END is
 * damaged input.
 */
#include "sim/trace/reader.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define BUFFER_BYTES (256u << 10)
#define FLUSH_BYTES (64u << 10)

enum kind { HELLO, STRING, EVENT, END };

struct message {
    uint32_t kind;
    uint32_t len; /* of what follows */
};

struct hello {
    int rc;
    unsigned cpus, long_bits;
    struct km_err err;
};

struct event_message { /* followed by the text and its NUL, if has_text */
    struct km_event ev;
    uint64_t position, unparsed;
    bool has_text;
};

struct end {
    int rc;
    uint64_t unparsed;
    struct km_err err;
};

struct process {
    pid_t pid;
    int fd;
    bool started;
    size_t begin, end;
    char buf[BUFFER_BYTES];
};

/* ---- child ---- */

struct sender {
    int fd;
    size_t used;
    char buf[BUFFER_BYTES];
};

static void flush(struct sender *out)
{
    size_t done = 0;

    while (done < out->used) {
        ssize_t n = send(out->fd, out->buf + done, out->used - done, MSG_NOSIGNAL);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            _exit(0); /* nobody listens any more */
        done += (size_t)n;
    }
    out->used = 0;
}

static void queue(struct sender *out, const void *data, size_t len)
{
    if (out->used + len > sizeof(out->buf))
        flush(out);
    memcpy(out->buf + out->used, data, len);
    out->used += len;
}

static void send_message(struct sender *out, enum kind kind, const void *data, size_t len,
                         const char *text, size_t text_len)
{
    struct message m = {.kind = kind, .len = (uint32_t)(len + text_len)};

    queue(out, &m, sizeof(m));
    queue(out, data, len);
    if (text_len)
        queue(out, text, text_len);
    if (out->used >= FLUSH_BYTES)
        flush(out);
}

static void send_new_strings(struct sender *out, const struct km_intern *strings, uint32_t *sent)
{
    for (; *sent < strings->nr; (*sent)++) {
        uint32_t len = strings->entry[*sent].len;

        send_message(out, STRING, strings->entry[*sent].text, len < FLUSH_BYTES ? len : FLUSH_BYTES,
                     NULL, 0);
    }
}

static bool has_text(const struct km_event *ev)
{
    return ev->type == KM_EV_MARK || ev->type == KM_EV_OTHER || ev->type == KM_EV_OOM;
}

static void send_events(struct sender *out, struct km_trace *trace)
{
    struct end end;
    struct event_message m;
    uint32_t sent = 1;
    int rc;

    memset(&end, 0, sizeof(end));
    memset(&m, 0, sizeof(m));
    while ((rc = km_dat_inner.next(trace, &m.ev, &end.err)) > 0) {
        m.has_text = has_text(&m.ev);
        m.position = trace->info.position;
        m.unparsed = trace->info.unparsed_lines;
        send_new_strings(out, &trace->strings, &sent);
        send_message(out, EVENT, &m, sizeof(m), m.ev.text.text,
                     m.has_text ? strlen(m.ev.text.text) + 1 : 0);
    }
    end.rc = rc;
    end.unparsed = trace->info.unparsed_lines;
    send_message(out, END, &end, sizeof(end), NULL, 0);
    flush(out);
}

static void silence(void)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);

    if (null >= 0) {
        dup2(null, STDOUT_FILENO);
        dup2(null, STDERR_FILENO);
    }
}

static _Noreturn void child(struct km_trace *trace, struct km_reader_source *source, int fd)
{
    static const int fatal[] = {SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL};
    struct sender *out = malloc(sizeof(*out));
    struct hello hello;
    char want_text;

    if (!out)
        _exit(1);
    for (size_t i = 0; i < KM_ARRAY_LEN(fatal); i++)
        signal(fatal[i], SIG_DFL);
    silence();
    out->fd = fd;
    out->used = 0;
    memset(&hello, 0, sizeof(hello));
    hello.rc = km_dat_inner.open(trace, source, &hello.err);
    hello.cpus = trace->info.cpus;
    hello.long_bits = trace->info.long_bits;
    send_message(out, HELLO, &hello, sizeof(hello), NULL, 0);
    flush(out);
    if (hello.rc != KM_OK || read(fd, &want_text, 1) != 1)
        _exit(0);
    trace->want_text = want_text;
    send_events(out, trace);
    _exit(0);
}

/* ---- parent ---- */

static int died(const struct km_trace *trace, struct process *process, struct km_err *err)
{
    int status = 0;

    if (process->pid > 0 && waitpid(process->pid, &status, 0) == process->pid)
        process->pid = -1;
    if (WIFSIGNALED(status))
        return km_fail(
            err, KM_E_INPUT, trace->path, 0, 0,
            "trace.dat is damaged: decoding it fails behind byte %llu (signal %d in libtracecmd)",
            (unsigned long long)trace->info.position, WTERMSIG(status));
    return km_fail(err, KM_E_INPUT, trace->path, 0, 0,
                   "trace.dat is damaged: decoding it fails behind byte %llu",
                   (unsigned long long)trace->info.position);
}

static bool receive(struct process *process, size_t need)
{
    if (process->end - process->begin >= need)
        return true;
    if (need > sizeof(process->buf))
        return false;
    memmove(process->buf, process->buf + process->begin, process->end - process->begin);
    process->end -= process->begin;
    process->begin = 0;
    while (process->end < need) {
        ssize_t n =
            recv(process->fd, process->buf + process->end, sizeof(process->buf) - process->end, 0);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        process->end += (size_t)n;
    }
    return true;
}

/* Next message; its contents stand at *data until the next call. */
static bool next_message(struct process *process, struct message *m, char **data)
{
    if (!receive(process, sizeof(*m)))
        return false;
    memcpy(m, process->buf + process->begin, sizeof(*m));
    if (!receive(process, sizeof(*m) + m->len))
        return false;
    *data = process->buf + process->begin + sizeof(*m);
    process->begin += sizeof(*m) + m->len;
    return true;
}

static int read_hello(struct km_trace *trace, struct process *process, struct km_err *err)
{
    struct message m;
    struct hello hello;
    char *data;

    if (!next_message(process, &m, &data) || m.kind != HELLO || m.len != sizeof(hello))
        return died(trace, process, err);
    memcpy(&hello, data, sizeof(hello));
    if (hello.rc != KM_OK && err)
        *err = hello.err;
    trace->info.cpus = hello.cpus;
    trace->info.long_bits = hello.long_bits;
    return hello.rc;
}

static int start_child(struct km_trace *trace, struct process *process,
                       struct km_reader_source *source, struct km_err *err)
{
    int pair[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
        return km_fail(err, KM_E_IO, source->path, 0, 0, "cannot start the reader: %s",
                       strerror(errno));
    process->pid = fork();
    if (process->pid == 0) {
        close(pair[0]);
        trace->reader = NULL;
        child(trace, source, pair[1]);
    }
    close(pair[1]);
    process->fd = pair[0];
    if (process->pid < 0)
        return km_fail(err, KM_E_IO, source->path, 0, 0, "cannot start the reader: %s",
                       strerror(errno));
    return KM_OK;
}

static int open_process(struct km_trace *trace, struct km_reader_source *source, struct km_err *err)
{
    struct process *process = malloc(sizeof(*process));
    int rc;

    if (!process)
        return km_fail(err, KM_E_NOMEM, source->path, 0, 0, "no memory to read the trace");
    memset(process, 0, offsetof(struct process, buf));
    process->fd = -1;
    trace->reader = process;
    rc = start_child(trace, process, source, err);
    return rc == KM_OK ? read_hello(trace, process, err) : rc;
}

static int take_end(struct km_trace *trace, const char *data, struct km_err *err)
{
    struct end end;

    memcpy(&end, data, sizeof(end));
    trace->info.unparsed_lines = end.unparsed;
    if (end.rc < 0 && err)
        *err = end.err;
    return end.rc;
}

static void take_event(struct km_trace *trace, char *data, struct km_event *ev)
{
    struct event_message m;

    memcpy(&m, data, sizeof(m));
    *ev = m.ev;
    if (m.has_text)
        ev->text.text = data + sizeof(m);
    trace->info.position = m.position;
    trace->info.unparsed_lines = m.unparsed;
}

static int next_event(struct km_trace *trace, struct km_event *ev, struct km_err *err)
{
    struct process *process = trace->reader;
    struct message m;
    char *data, want_text = trace->want_text;

    if (!process->started && send(process->fd, &want_text, 1, MSG_NOSIGNAL) != 1)
        return died(trace, process, err);
    process->started = true;
    while (next_message(process, &m, &data)) {
        switch (m.kind) {
        case STRING:
            km_intern(&trace->strings, data, m.len);
            break;
        case EVENT:
            take_event(trace, data, ev);
            return 1;
        case END:
            return take_end(trace, data, err);
        default:
            return died(trace, process, err);
        }
    }
    return died(trace, process, err);
}

static void close_process(struct km_trace *trace)
{
    struct process *process = trace->reader;

    if (process->fd >= 0)
        close(process->fd);
    if (process->pid > 0) {
        kill(process->pid, SIGKILL);
        waitpid(process->pid, NULL, 0);
    }
    free(process);
}

static int probe_process(const struct km_reader_source *source)
{
    return km_dat_inner.probe(source);
}

const struct km_reader_ops km_reader_tracedat = {
    .format = {"tracedat", "trace-cmd's trace.dat, version 6 and 7, also compressed or gzipped"},
    .probe = probe_process,
    .open = open_process,
    .next = next_event,
    .close = close_process,
};
