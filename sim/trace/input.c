/* SPDX-License-Identifier: MIT
 * input.c - see input.h. gzip (RFC 1952) through zlib, several members in a row allowed; the
 * checksum at the end of each member is verified by zlib.
 */
#include "sim/trace/input.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#define RAW_BYTES (64u << 10)

struct km_input {
    char path[512];
    int fd;
    bool gzipped, z_live, member_done;
    bool eof;      /* nothing more will be added to buf      */
    bool skipping; /* inside an overlong line                */
    int damage;    /* 0, or the error to give after the buffered lines */
    struct km_err why;
    z_stream z;
    uint64_t raw_bytes; /* read from the file so far */
    uint64_t line;
    size_t begin, end; /* unread part of buf */
    unsigned char raw[RAW_BYTES];
    char buf[KM_INPUT_BUFFER + 1];
};

static long read_raw(struct km_input *in, void *to, size_t len)
{
    ssize_t got;

    do {
        got = read(in->fd, to, len);
    } while (got < 0 && errno == EINTR);
    if (got > 0)
        in->raw_bytes += (uint64_t)got;
    return (long)got;
}

static void set_damage(struct km_input *in, int code, const char *what)
{
    in->eof = true;
    in->damage = km_fail(&in->why, code, in->path, 0, 0, "%s", what);
}

static void set_damage_gzip(struct km_input *in, const char *what)
{
    in->eof = true;
    in->damage = km_fail(&in->why, KM_E_INPUT, in->path, 0, 0, "%s (compressed byte %llu)", what,
                         (unsigned long long)(in->raw_bytes - in->z.avail_in));
}

/* False at the end of the file or on error. */
static bool refill_raw(struct km_input *in)
{
    long got = read_raw(in, in->raw, sizeof(in->raw));

    if (got < 0) {
        set_damage(in, KM_E_IO, strerror(errno));
        return false;
    }
    in->z.next_in = in->raw;
    in->z.avail_in = (uInt)got;
    if (got == 0) {
        if (in->member_done)
            in->eof = true;
        else
            set_damage_gzip(in, "the gzip data ends too early, the file is cut off");
        return false;
    }
    return true;
}

static bool next_member(struct km_input *in)
{
    while (in->z.avail_in > 0 && *in->z.next_in == 0) { /* zero padding, as tar and dd leave it */
        in->z.next_in++;
        in->z.avail_in--;
    }
    if (in->z.avail_in == 0)
        return true;
    if (*in->z.next_in != 0x1f) {
        set_damage_gzip(in, "data that is not gzip follows the gzip data");
        return false;
    }
    inflateReset(&in->z);
    in->member_done = false;
    return true;
}

static size_t inflate_some(struct km_input *in, char *to, size_t room)
{
    size_t made = 0;

    while (made < room && !in->eof) {
        uInt before = (uInt)(room - made);
        int rc;

        if (in->z.avail_in == 0 && !refill_raw(in))
            break;
        if (in->member_done) {
            if (!next_member(in))
                break;
            continue;
        }
        in->z.next_out = (unsigned char *)to + made;
        in->z.avail_out = before;
        rc = inflate(&in->z, Z_NO_FLUSH);
        made += before - in->z.avail_out;
        if (rc == Z_STREAM_END)
            in->member_done = true;
        else if (rc != Z_OK && rc != Z_BUF_ERROR)
            set_damage_gzip(in, "damaged gzip data");
    }
    return made;
}

static size_t read_plain(struct km_input *in, char *to, size_t room)
{
    long got = read_raw(in, to, room);

    if (got < 0)
        set_damage(in, KM_E_IO, strerror(errno));
    else if (got == 0)
        in->eof = true;
    return got > 0 ? (size_t)got : 0;
}

/* Moves the unread rest to the front and adds what fits. */
static void fill(struct km_input *in)
{
    size_t rest = in->end - in->begin;

    if (in->begin > 0)
        memmove(in->buf, in->buf + in->begin, rest);
    in->begin = 0;
    in->end = rest;
    if (!in->eof && rest < KM_INPUT_BUFFER) {
        char *to = in->buf + rest;
        size_t room = KM_INPUT_BUFFER - rest;

        in->end += in->gzipped ? inflate_some(in, to, room) : read_plain(in, to, room);
    }
    in->buf[in->end] = '\0';
}

static int start(struct km_input *in, struct km_err *err)
{
    struct stat st;
    long got;

    if (fstat(in->fd, &st) == 0 && S_ISDIR(st.st_mode))
        return km_fail(err, KM_E_INPUT, in->path, 0, 0, "is a folder, not a file");
    lseek(in->fd, 0, SEEK_SET);
    got = read_raw(in, in->raw, sizeof(in->raw));
    if (got < 0)
        return km_fail(err, KM_E_IO, in->path, 0, 0, "%s", strerror(errno));
    if (got == 0)
        return km_fail(err, KM_E_INPUT, in->path, 0, 0, "the file is empty");
    in->gzipped = got >= 2 && in->raw[0] == 0x1f && in->raw[1] == 0x8b;
    if (in->gzipped) {
        if (inflateInit2(&in->z, 16 + MAX_WBITS) != Z_OK)
            return km_fail(err, KM_E_NOMEM, in->path, 0, 0, "no memory to decompress");
        in->z_live = true;
        in->z.next_in = in->raw;
        in->z.avail_in = (uInt)got;
    } else {
        memcpy(in->buf, in->raw, (size_t)got);
        in->end = (size_t)got;
    }
    fill(in);
    if (in->end == 0 && in->damage) {
        if (err)
            *err = in->why;
        return in->damage;
    }
    return KM_OK;
}

int km_input_open_fd(struct km_input **out, int fd, const char *path, struct km_err *err)
{
    struct km_input *in = malloc(sizeof(*in));
    int rc;

    *out = NULL;
    if (!in) {
        close(fd);
        return km_fail(err, KM_E_NOMEM, path, 0, 0, "no memory to read the file");
    }
    memset(in, 0, offsetof(struct km_input, raw));
    in->fd = fd;
    strncpy(in->path, path, sizeof(in->path) - 1);
    rc = start(in, err);
    if (rc != KM_OK)
        km_input_close(in);
    else
        *out = in;
    return rc;
}

int km_input_open(struct km_input **out, const char *path, struct km_err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    *out = NULL;
    if (fd < 0)
        return km_fail(err, errno == ENOENT ? KM_E_INPUT : KM_E_IO, path, 0, 0, "%s",
                       strerror(errno));
    return km_input_open_fd(out, fd, path, err);
}

void km_input_close(struct km_input *in)
{
    if (!in)
        return;
    if (in->z_live)
        inflateEnd(&in->z);
    close(in->fd);
    free(in);
}

static int report_damage(struct km_input *in, struct km_err *err)
{
    if (err) {
        *err = in->why;
        err->line = (int)(in->line + 1);
    }
    return in->damage;
}

static void take(struct km_input *in, size_t len, struct km_line *line)
{
    char *text = in->buf + in->begin;

    in->begin += len;
    if (in->begin < in->end)
        in->begin++; /* the line end */
    if (len > 0 && text[len - 1] == '\r')
        len--;
    text[len] = '\0';
    in->line++;
    line->overlong = in->skipping || len > KM_INPUT_LINE_MAX;
    line->text = text;
    line->len = line->overlong ? 0 : len;
    in->skipping = false;
}

int km_input_line(struct km_input *in, struct km_line *line, struct km_err *err)
{
    for (;;) {
        size_t left = in->end - in->begin;
        char *end = left ? memchr(in->buf + in->begin, '\n', left) : NULL;

        if (KM_LIKELY(end != NULL)) {
            take(in, (size_t)(end - in->buf) - in->begin, line);
            return 1;
        }
        if (in->eof) {
            if (in->damage)
                return report_damage(in, err); /* what is left of the line is not complete */
            if (left == 0)
                return 0;
            take(in, left, line);
            return 1;
        }
        if (left >= KM_INPUT_LINE_MAX) {
            in->skipping = true;
            in->begin = in->end;
        }
        fill(in);
    }
}

long km_input_read(struct km_input *in, void *buf, size_t len, struct km_err *err)
{
    size_t left;

    if (in->begin == in->end)
        fill(in);
    left = in->end - in->begin;
    if (left == 0)
        return in->damage ? report_damage(in, err) : 0;
    if (left > len)
        left = len;
    memcpy(buf, in->buf + in->begin, left);
    in->begin += left;
    return (long)left;
}

const char *km_input_peek(struct km_input *in, size_t *len)
{
    *len = in->end - in->begin;
    return in->buf + in->begin;
}

uint64_t km_input_line_number(const struct km_input *in)
{
    return in->line;
}

bool km_input_gzipped(const struct km_input *in)
{
    return in->gzipped;
}
