/* SPDX-License-Identifier: MIT
 * cmd_trace.c - kmemsim trace info|check|convert PATH [-o OUT].
 *
 * check: exit code 1 if the trace cannot be replayed (damaged, no kmem events, mostly unreadable);
 * what only limits a replay (lost events, hashed pointers, a 64-bit kernel) is named and exits 0.
 * convert: any format to trace-cmd report text; OUT ending in .gz is compressed, without OUT it
 * goes to stdout. A damaged trace is converted up to the damage.
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "sim/base/err.h"
#include "sim/base/whole_file.h"
#include "sim/cli/cli.h"
#include "sim/trace/bundle.h"
#include "sim/trace/check.h"
#include "sim/trace/trace.h"
#include "sim/trace/write.h"

struct reading { /* a trace read to its end */
    struct km_trace *trace;
    struct km_bundle *bundle; /* NULL: not a bundle */
    struct km_check check;
    struct km_err err;
    int rc; /* of the last read */
};

static void release(struct reading *r)
{
    km_trace_close(r->trace);
    if (r->bundle)
        km_bundle_release(r->bundle);
    free(r->bundle);
}

static int open_bundle(struct reading *r, const char *path)
{
    int rc;

    if (!km_bundle_probe(path))
        return KM_OK;
    r->bundle = calloc(1, sizeof(*r->bundle));
    if (!r->bundle)
        return km_fail(&r->err, KM_E_NOMEM, path, 0, 0, "no memory to read the bundle");
    rc = km_bundle_read(r->bundle, path, &r->err);
    if (rc != KM_OK) {
        free(r->bundle);
        r->bundle = NULL;
    }
    return rc;
}

/* False: not even opened (message printed). */
static bool read_all(struct reading *r, const char *path)
{
    struct km_event ev;

    memset(r, 0, sizeof(*r));
    if (open_bundle(r, path) != KM_OK || km_trace_open(&r->trace, path, &r->err) != KM_OK) {
        km_err_print(&r->err);
        return false;
    }
    km_check_init(&r->check, r->bundle);
    while ((r->rc = km_trace_next(r->trace, &ev, &r->err)) > 0)
        km_check_event(&r->check, &ev);
    if (r->rc < 0)
        km_err_print(&r->err);
    return true;
}

static void print_head(const struct reading *r)
{
    const struct km_trace_info *info = km_trace_info(r->trace);
    const struct km_check *check = &r->check;
    unsigned cpus = info->cpus ? info->cpus : r->bundle ? r->bundle->cpus : 0;

    printf("file            %s\n", info->path);
    printf("format          %s\n", info->format);
    if (r->bundle && r->bundle->version[0])
        printf("kernel          %s\n", r->bundle->version);
    if (cpus)
        printf("cpus            %u\n", cpus);
    if (info->long_bits)
        printf("pointers        %u bit%s\n", info->long_bits,
               info->hashed_pointers ? ", hashed" : "");
    if (r->bundle && r->bundle->ram_bytes)
        printf("ram             %llu MiB\n", (unsigned long long)r->bundle->ram_bytes >> 20);
    if (r->bundle)
        printf("begins          %s\n", r->bundle->boot ? "at boot" : "on a running system");
    printf("events          %llu\n", (unsigned long long)info->events);
    printf("kmem events     %llu\n", (unsigned long long)check->kmem_events);
    printf("time            %llu.%09llu to %llu.%09llu s\n",
           (unsigned long long)(check->first_ns / 1000000000u),
           (unsigned long long)(check->first_ns % 1000000000u),
           (unsigned long long)(check->last_ns / 1000000000u),
           (unsigned long long)(check->last_ns % 1000000000u));
    printf("lost events     %llu in %llu places\n", (unsigned long long)info->lost_events,
           (unsigned long long)info->lost_marks);
    printf("unparsed lines  %llu\n", (unsigned long long)info->unparsed_lines);
    printf("truth samples   %llu, clean %llu\n", (unsigned long long)check->samples,
           (unsigned long long)check->clean_samples);
}

static int trace_info(const char *path)
{
    struct reading r;
    bool opened = read_all(&r, path);

    if (opened) {
        print_head(&r);
        for (int type = 1; type < KM_EV_NR; type++)
            if (r.check.count[type])
                printf("  %-30s %10llu\n", km_event_name(type),
                       (unsigned long long)r.check.count[type]);
    }
    release(&r);
    return opened && r.rc == 0 ? KM_EXIT_OK : KM_EXIT_FAILED;
}

static void print_balance(const char *rule, const char *zone, const struct km_balance *b)
{
    if (b->pairs)
        printf("balance %-5s %-8s pairs %llu exact %llu worst %lld drift %lld pages\n", rule, zone,
               (unsigned long long)b->pairs, (unsigned long long)b->exact, (long long)b->worst,
               (long long)b->drift);
}

static void warn_limits(const struct reading *r)
{
    const struct km_trace_info *info = km_trace_info(r->trace);

    if (info->lost_marks)
        km_warn("%s: the tracer lost events in %llu places: a replay drifts from there on",
                info->path, (unsigned long long)info->lost_marks);
    if (info->hashed_pointers)
        km_warn(
            "%s: pointers are hashed (kernel option no_hash_pointers, or trace.dat, avoids it): "
            "objects can be told apart but not placed",
            info->path);
    if (info->long_bits == 64)
        km_warn("%s: trace of a 64-bit kernel: addresses do not fit the simulated machine",
                info->path);
    if (info->unparsed_lines)
        km_warn("%s: %llu lines are no events", info->path,
                (unsigned long long)info->unparsed_lines);
}

/* What makes a trace useless for a replay; NULL if nothing does. */
static const char *unusable_because(const struct reading *r)
{
    const struct km_trace_info *info = km_trace_info(r->trace);

    if (r->rc < 0)
        return "it is damaged";
    if (info->events == 0)
        return "it holds no events";
    if (r->check.kmem_events == 0)
        return "it holds no kmem events";
    if (info->unparsed_lines > info->events)
        return "most lines are no events";
    return NULL;
}

static int trace_check(const char *path)
{
    struct reading r;
    const char *why;

    if (!read_all(&r, path)) {
        release(&r);
        return KM_EXIT_FAILED;
    }
    print_head(&r);
    for (unsigned i = 0; i < r.check.nr_zones; i++) {
        print_balance("total", r.check.zone[i].name, &r.check.zone[i].total);
        print_balance("buddy", r.check.zone[i].name, &r.check.zone[i].buddy);
    }
    warn_limits(&r);
    why = unusable_because(&r);
    printf("verdict         %s\n", why ? "not usable" : "usable");
    if (why && r.rc == 0)
        fprintf(stderr, "kmemsim: %s: not usable for a replay: %s\n", km_trace_info(r.trace)->path,
                why);
    release(&r);
    return why ? KM_EXIT_FAILED : KM_EXIT_OK;
}

struct sink { /* where converted text goes: plain or gzip */
    FILE *plain;
    gzFile gz;
    const char *path; /* NULL: stdout */
    char temporary[4096];
};

static int sink_fail(const struct sink *sink, struct km_err *err)
{
    return km_fail(err, KM_E_IO, sink->path ? sink->path : "stdout", 0, 0, "cannot write: %s",
                   errno ? strerror(errno) : "compression failed");
}

static int sink_open(struct sink *sink, const char *path, struct km_err *err)
{
    size_t len = path ? strlen(path) : 0;

    memset(sink, 0, sizeof(*sink));
    sink->path = path;
    errno = 0;
    if (!path) {
        sink->plain = stdout;
        return KM_OK;
    }
    if (!km_whole_file_begin(sink->temporary, sizeof(sink->temporary), path))
        return km_fail(err, KM_E_USAGE, path, 0, 0, "the path is too long");
    if (len > 3 && strcmp(path + len - 3, ".gz") == 0)
        sink->gz = gzopen(sink->temporary, "wb6");
    else
        sink->plain = fopen(sink->temporary, "wb");
    return sink->gz || sink->plain ? KM_OK : sink_fail(sink, err);
}

static bool sink_write(struct sink *sink, const char *text, size_t len)
{
    if (sink->gz)
        return gzwrite(sink->gz, text, (unsigned)len) == (int)len;
    return fwrite(text, 1, len, sink->plain) == len;
}

/* Puts the file in its place if all was written. */
static int sink_close(struct sink *sink, bool good, struct km_err *err)
{
    int rc = good ? KM_OK : sink_fail(sink, err);

    if (sink->gz && gzclose(sink->gz) != Z_OK && rc == KM_OK)
        rc = sink_fail(sink, err);
    if (sink->plain && !sink->path && fflush(stdout) != 0 && rc == KM_OK)
        rc = sink_fail(sink, err);
    if (sink->plain && sink->path && fclose(sink->plain) != 0 && rc == KM_OK)
        rc = sink_fail(sink, err);
    if (!sink->path)
        return rc;
    int saved = km_whole_file_end(sink->temporary, sink->path, rc == KM_OK);
    if (saved) {
        errno = saved;
        rc = sink_fail(sink, err);
    }
    return rc;
}

static int copy_events(struct km_trace *trace, struct sink *sink, bool *written, struct km_err *err)
{
    char *line = malloc(KM_TRACE_LINE_MAX);
    struct km_event ev;
    int rc = 1;

    if (!line)
        return km_fail(err, KM_E_NOMEM, NULL, 0, 0, "no memory to convert");
    if (km_trace_info(trace)->cpus)
        *written =
            sink_write(sink, line, (size_t)sprintf(line, "cpus=%u\n", km_trace_info(trace)->cpus));
    while (*written && (rc = km_trace_next(trace, &ev, err)) > 0) {
        size_t len = km_trace_format_event(trace, &ev, line, KM_TRACE_LINE_MAX - 1);

        line[len++] = '\n';
        *written = sink_write(sink, line, len);
    }
    free(line);
    return rc < 0 ? rc : KM_OK;
}

static int trace_convert(const char *path, const char *out)
{
    struct km_err err = {0}, write_err = {0};
    struct km_trace *trace;
    struct sink sink;
    bool written = true;
    int rc = km_trace_open(&trace, path, &err);
    int write_rc = rc;

    if (rc == KM_OK)
        rc = write_rc = sink_open(&sink, out, &err);
    if (write_rc == KM_OK) {
        km_trace_want_text(trace, true);
        rc = copy_events(trace, &sink, &written, &err);
        write_rc = sink_close(&sink, written, &write_err);
    }
    if (rc < 0)
        km_err_print(&err);
    else if (write_rc < 0)
        km_err_print(&write_err);
    km_trace_close(trace);
    return rc < 0 ? km_exit_code(rc) : km_exit_code(write_rc);
}

int km_cmd_trace(int argc, char **argv)
{
    static const struct option options[] = {{"out", required_argument, NULL, 'o'}, {0}};
    const char *out = NULL;
    const char *verb, *path;
    int c;

    while ((c = getopt_long(argc, argv, ":o:", options, NULL)) != -1) {
        if (c != 'o')
            return km_cli_bad_option("trace", c, argc, argv);
        out = optarg;
    }
    if (argc - optind != 2)
        return km_cli_usage("trace", "needs what to do (info, check or convert) and a path");
    verb = argv[optind];
    path = argv[optind + 1];
    if (out && strcmp(verb, "convert") != 0)
        return km_cli_usage("trace", "-o is for convert only");
    if (strcmp(verb, "info") == 0)
        return trace_info(path);
    if (strcmp(verb, "check") == 0)
        return trace_check(path);
    if (strcmp(verb, "convert") == 0)
        return trace_convert(path, out);
    return km_cli_usage("trace", "unknown action '%s' (info, check or convert)", verb);
}
