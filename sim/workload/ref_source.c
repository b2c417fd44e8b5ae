/* SPDX-License-Identifier: MIT
 * ref_source.c - lines of a plain or gzip file, parsed by a format; see ref.h.
 */
#include "sim/workload/ref.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <zlib.h>

#define BUFFER_BYTES (1u << 18)
#define LINE_BYTES 512u

struct km_ref_source {
    gzFile gz;
    char path[256];
    const struct km_ref_reader *format;
    uint64_t line, bytes;
    size_t at, end;
    bool eof;
    const volatile sig_atomic_t *stop; /* NULL: nobody will ask */
    char buffer[BUFFER_BYTES];
    char text[LINE_BYTES];
};

bool km_ref_hex(const char **p, uint64_t *value)
{
    const char *s = *p;
    uint64_t v = 0;
    unsigned digits = 0;

    if (s[0] == '0' && (s[1] == 'x' || s[1] == 'X'))
        s += 2;
    for (;; s++, digits++) {
        unsigned c = (unsigned char)*s, d;

        if (c - '0' < 10)
            d = c - '0';
        else if ((c | 32) - 'a' < 6)
            d = (c | 32) - 'a' + 10;
        else
            break;
        if (v >> 60)
            return false;
        v = v << 4 | d;
    }
    *p = s;
    *value = v;
    return digits > 0;
}

static int refill(struct km_ref_source *s, struct km_err *err)
{
    int n = gzread(s->gz, s->buffer, BUFFER_BYTES), code;

    if (n < 0)
        return km_fail(err, KM_E_INPUT, s->path, (int)s->line + 1, 0, "cannot read: %s",
                       gzerror(s->gz, &code));
    if (n == 0) {
        /* A gzip file cut in the middle ends without its trailer. */
        gzerror(s->gz, &code);
        if (code == Z_BUF_ERROR)
            return km_fail(err, KM_E_INPUT, s->path, (int)s->line + 1, 0,
                           "the compressed file ends in the middle");
        s->eof = true;
    }
    s->at = 0;
    s->end = (size_t)n;
    return KM_OK;
}

/* 1: s->text holds the next line; 0: end; negative: error. */
static int read_line(struct km_ref_source *s, struct km_err *err)
{
    size_t n = 0;

    for (;;) {
        if (s->at == s->end) {
            int rc = s->eof ? KM_OK : refill(s, err);

            if (rc)
                return rc;
            if (s->eof) {
                s->text[n] = 0;
                s->line += n > 0;
                return n > 0;
            }
        }
        const char *from = s->buffer + s->at;
        const char *nl = memchr(from, '\n', s->end - s->at);
        size_t len = nl ? (size_t)(nl - from) : s->end - s->at;

        if (n + len >= LINE_BYTES)
            return km_fail(err, KM_E_INPUT, s->path, (int)s->line + 1, 0,
                           "the line is longer than %u characters: not a reference trace",
                           LINE_BYTES);
        memcpy(s->text + n, from, len);
        n += len;
        s->at += len + (nl != NULL);
        if (!nl)
            continue;
        if (n && s->text[n - 1] == '\r')
            n--;
        s->text[n] = 0;
        s->line++;
        return 1;
    }
}

/* Lines that mean nothing in any format do not decide. */
static const struct km_ref_reader *guess(const char *line)
{
    struct km_mem_ref ref;

    for (unsigned i = 0; km_ref_table[i]; i++)
        if (km_ref_table[i]->parse(line, &ref) == KM_LINE_REF)
            return km_ref_table[i];
    return NULL;
}

int km_ref_open(struct km_ref_source **out, const char *path, const struct km_ref_reader *format,
                struct km_err *err)
{
    struct km_ref_source *s = calloc(1, sizeof(*s));
    struct stat st;

    if (!s)
        return km_fail(err, KM_E_NOMEM, path, 0, 0, "no memory");
    snprintf(s->path, sizeof(s->path), "%s", path);
    s->format = format;
    errno = 0;
    if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
        errno = EISDIR;
    else
        s->gz = gzopen(path, "rb");
    if (!s->gz) {
        int why = errno;

        free(s);
        return km_fail(err, KM_E_INPUT, path, 0, 0, "cannot open: %s",
                       why ? strerror(why) : "no memory");
    }
    gzbuffer(s->gz, BUFFER_BYTES);
    s->bytes = (uint64_t)st.st_size;
    *out = s;
    return KM_OK;
}

const struct km_ref_reader *km_ref_format_of(const struct km_ref_source *s)
{
    return s->format;
}

void km_ref_set_stop(struct km_ref_source *s, const volatile sig_atomic_t *stop)
{
    s->stop = stop;
}

int km_ref_next(struct km_ref_source *s, struct km_mem_ref *ref, struct km_err *err)
{
    for (;;) {
        if (s->stop && *s->stop)
            return 0;

        int rc = read_line(s, err);

        if (rc <= 0)
            return rc;
        if (!s->format) {
            if (!s->text[0] || s->text[0] == '#' || !strncmp(s->text, "==", 2))
                continue;
            s->format = guess(s->text);
            if (!s->format)
                return km_fail(err, KM_E_INPUT, s->path, (int)s->line, 0,
                               "not a memory-reference trace (known: lackey, din, dram-rw)");
        }
        switch (s->format->parse(s->text, ref)) {
        case KM_LINE_REF:
            return 1;
        case KM_LINE_NOTHING:
            continue;
        default:
            return km_fail(err, KM_E_INPUT, s->path, (int)s->line, 0, "not a %s record: %.40s",
                           s->format->name, s->text);
        }
    }
}

uint64_t km_ref_position(const struct km_ref_source *s)
{
    z_off_t at = gzoffset(s->gz);

    return at > 0 ? (uint64_t)at : 0;
}

uint64_t km_ref_size(const struct km_ref_source *s)
{
    return s->bytes;
}

void km_ref_close(struct km_ref_source *s)
{
    if (!s)
        return;
    gzclose(s->gz);
    free(s);
}
