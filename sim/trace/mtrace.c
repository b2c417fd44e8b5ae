/* SPDX-License-Identifier: MIT
 * mtrace.c - see mtrace.h.
 */
#include "sim/trace/mtrace.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <zlib.h>

#define LINE_BYTES 4096
#define PROBE_LINES 8

struct km_mtrace {
    gzFile gz;
    char path[512];
    uint64_t line, bytes;
    char text[LINE_BYTES];
};

static bool number(const char **p, uint64_t *value)
{
    const char *s = *p;
    uint64_t v = 0;
    unsigned digits = 0;

    if (!strncmp(s, "(nil)", 5)) {
        *p = s + 5;
        *value = 0;
        return true;
    }
    if (s[0] == '0' && s[1] == 'x')
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

/* Behind "@ place "; the place may hold anything, also "] ". */
static const char *skip_caller(const char *line)
{
    const char *end;

    if (line[0] != '@')
        return line;
    if (line[1] != ' ')
        return NULL;
    end = strrchr(line, ']');
    if (!end)
        end = strchr(line + 2, ' ');
    else
        end++;
    return end && *end == ' ' ? end + 1 : NULL;
}

char km_mtrace_parse(const char *line, uint64_t *ptr, uint64_t *bytes)
{
    const char *p = skip_caller(line);
    char kind;

    *ptr = *bytes = 0;
    if (!line[0] || line[0] == '=')
        return '=';
    if (!p || !*p || !strchr("+-<>!", *p))
        return 0;
    kind = *p++;
    if (*p++ != ' ' || !number(&p, ptr))
        return 0;
    if (kind == '+' || kind == '>' || kind == '!')
        if (*p++ != ' ' || !number(&p, bytes))
            return 0;
    while (*p == ' ')
        p++;
    return *p ? 0 : kind;
}

/* 1: t->text is the next line; 0: end; negative: error. */
static int read_line(struct km_mtrace *t, struct km_err *err)
{
    int code;
    size_t n;

    if (!gzgets(t->gz, t->text, LINE_BYTES)) {
        const char *why = gzerror(t->gz, &code);

        if (code != Z_OK && code != Z_STREAM_END)
            return km_fail(err, KM_E_INPUT, t->path, (int)t->line + 1, 0, "cannot read: %s",
                           code == Z_BUF_ERROR ? "the compressed file ends in the middle" : why);
        return 0;
    }
    t->line++;
    n = strlen(t->text);
    if (n == LINE_BYTES - 1 && t->text[n - 1] != '\n')
        return km_fail(err, KM_E_INPUT, t->path, (int)t->line, 0,
                       "the line is longer than %d characters: not an mtrace text", LINE_BYTES - 2);
    while (n && (t->text[n - 1] == '\n' || t->text[n - 1] == '\r'))
        t->text[--n] = 0;
    return 1;
}

int km_mtrace_open(struct km_mtrace **out, const char *path, struct km_err *err)
{
    struct km_mtrace *t = calloc(1, sizeof(*t));
    struct stat st;

    if (!t)
        return km_fail(err, KM_E_NOMEM, path, 0, 0, "no memory");
    snprintf(t->path, sizeof(t->path), "%s", path);
    errno = 0;
    if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
        errno = EISDIR;
    else
        t->gz = gzopen(path, "rb");
    if (!t->gz) {
        int why = errno;

        free(t);
        return km_fail(err, KM_E_INPUT, path, 0, 0, "cannot open: %s", why ? strerror(why) : "no memory");
    }
    t->bytes = (uint64_t)st.st_size;
    *out = t;
    return KM_OK;
}

static int bad(const struct km_mtrace *t, struct km_err *err, const char *what)
{
    return km_fail(err, KM_E_INPUT, t->path, (int)t->line, 0, "%s: %.60s", what, t->text);
}

/* '<' was read: its second half must follow. */
static int realloc_result(struct km_mtrace *t, struct km_mtrace_event *ev, struct km_err *err)
{
    uint64_t ptr, bytes;
    int rc = read_line(t, err);

    if (rc < 0)
        return rc;
    char kind = rc ? km_mtrace_parse(t->text, &ptr, &bytes) : 0;

    if (kind != '>' && kind != '!')
        return bad(t, err, "a realloc lacks its second line (>)");
    ev->op = KM_MTRACE_REALLOC;
    ev->old_ptr = ev->ptr;
    ev->ptr = kind == '>' ? ptr : 0;
    ev->failed = !ev->ptr;
    ev->bytes = bytes;
    return 1;
}

int km_mtrace_next(struct km_mtrace *t, struct km_mtrace_event *ev, struct km_err *err)
{
    int rc;

    memset(ev, 0, sizeof(*ev));
    while ((rc = read_line(t, err)) > 0) {
        char kind = km_mtrace_parse(t->text, &ev->ptr, &ev->bytes);

        ev->line = t->line;
        switch (kind) {
        case '=':
            continue;
        case '+':
            ev->op = KM_MTRACE_ALLOC;
            ev->failed = !ev->ptr;
            return 1;
        case '-':
            ev->op = KM_MTRACE_FREE;
            return 1;
        case '<':
            return realloc_result(t, ev, err);
        case '!': /* realloc writes only this line when it fails */
            ev->op = KM_MTRACE_REALLOC;
            ev->old_ptr = ev->ptr;
            ev->ptr = 0;
            ev->failed = true;
            return 1;
        case '>':
            return bad(t, err, "the second line of a realloc without the first (<)");
        default:
            return bad(t, err, "not an mtrace record");
        }
    }
    return rc;
}

bool km_mtrace_probe(const char *path)
{
    struct km_mtrace *t;
    struct km_err err;
    uint64_t ptr, bytes;
    bool yes = false;

    if (km_mtrace_open(&t, path, &err))
        return false;
    for (unsigned i = 0; i < PROBE_LINES && !yes && read_line(t, &err) > 0; i++) {
        char kind = km_mtrace_parse(t->text, &ptr, &bytes);

        if (!kind || (kind == '=' && t->text[0] && strcmp(t->text, "= Start") && strcmp(t->text, "= End")))
            break;
        yes = kind != '=' || !strcmp(t->text, "= Start");
    }
    km_mtrace_close(t);
    return yes;
}

uint64_t km_mtrace_position(const struct km_mtrace *t)
{
    z_off_t at = gzoffset(t->gz);

    return at > 0 ? (uint64_t)at : 0;
}

uint64_t km_mtrace_size(const struct km_mtrace *t)
{
    return t->bytes;
}

void km_mtrace_close(struct km_mtrace *t)
{
    if (!t)
        return;
    gzclose(t->gz);
    free(t);
}
