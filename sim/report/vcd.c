/* SPDX-License-Identifier: MIT
 * vcd.c - see vcd.h.
 */
#include "sim/report/vcd.h"

#include "models/base/bug.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct signal {
    char scope[64], name[48];
    unsigned bits;
    bool known; /* has a value */
    uint64_t value;
    uint64_t last; /* its last change of the moment being written */
};

struct change {
    uint64_t ps, value;
    uint32_t signal, order;
};

struct km_vcd {
    struct signal *signal;
    struct change *change;
    uint32_t nr_signals, room_signals;
    uint64_t nr_changes, room_changes, max_changes, dropped;
    bool no_memory;
};

struct km_vcd *km_vcd_new(uint64_t max_changes)
{
    struct km_vcd *v = calloc(1, sizeof(*v));

    if (v)
        v->max_changes = max_changes < UINT32_MAX ? max_changes : UINT32_MAX;
    return v;
}

void km_vcd_free(struct km_vcd *v)
{
    if (!v)
        return;
    free(v->signal);
    free(v->change);
    free(v);
}

uint64_t km_vcd_dropped(const struct km_vcd *v)
{
    return v->dropped;
}

bool km_vcd_no_memory(const struct km_vcd *v)
{
    return v->no_memory;
}

/* Dots separate scopes and stay; in names they do not. */
static void copy_name(char *out, size_t size, const char *name, bool dots)
{
    snprintf(out, size, "%s", name[0] ? name : "_");
    for (; *out; out++)
        if (!isalnum((unsigned char)*out) && !(dots && *out == '.'))
            *out = '_';
}

unsigned km_vcd_signal(struct km_vcd *v, const char *scope, const char *name, unsigned bits)
{
    KM_BUG_ON(!bits || bits > 64);
    if (v->nr_signals == v->room_signals) {
        uint32_t room = v->room_signals ? 2 * v->room_signals : 64;
        struct signal *more = realloc(v->signal, room * sizeof(*more));

        if (!more) {
            v->no_memory = true;
            return UINT32_MAX;
        }
        v->signal = more;
        v->room_signals = room;
    }
    struct signal *s = &v->signal[v->nr_signals];

    *s = (struct signal){.bits = bits};
    copy_name(s->scope, sizeof(s->scope), scope, true);
    copy_name(s->name, sizeof(s->name), name, false);
    return v->nr_signals++;
}

void km_vcd_change(struct km_vcd *v, unsigned signal, uint64_t ps, uint64_t value)
{
    if (signal >= v->nr_signals)
        return; /* there was no memory for it */
    if (v->nr_changes == v->max_changes) {
        v->dropped++;
        return;
    }
    if (v->nr_changes == v->room_changes) {
        uint64_t room = v->room_changes ? 2 * v->room_changes : 4096;
        struct change *more = realloc(v->change, room * sizeof(*more));

        if (!more) {
            v->no_memory = true;
            return;
        }
        v->change = more;
        v->room_changes = room;
    }
    v->change[v->nr_changes] = (struct change){ps, value, signal, (uint32_t)v->nr_changes};
    v->nr_changes++;
}

/* Identifiers: numbers to the base of the 94 printable characters. */
static const char *identifier(uint32_t signal, char out[8])
{
    char *at = out;

    do {
        *at++ = (char)('!' + signal % 94);
        signal /= 94;
    } while (signal);
    *at = 0;
    return out;
}

static int by_scope(const void *a, const void *b)
{
    const struct signal *const *x = a, *const *y = b;
    int order = strcmp((*x)->scope, (*y)->scope);

    return order ? order : (*x > *y) - (*x < *y);
}

/* Length of the common leading scopes of two paths, a whole number of components. */
static size_t common(const char *a, const char *b)
{
    size_t n = 0;

    for (size_t i = 0;; i++) {
        bool end_a = !a[i] || a[i] == '.', end_b = !b[i] || b[i] == '.';

        if (end_a && end_b)
            n = i;
        if (a[i] != b[i] || !a[i])
            return n;
    }
}

static void leave_scopes(FILE *f, const char *scope, size_t keep)
{
    if (strlen(scope) <= keep)
        return;
    for (const char *p = scope + keep + (keep > 0); p; p = strchr(p, '.')) {
        p += *p == '.';
        fputs("$upscope $end\n", f);
    }
}

static void enter_scopes(FILE *f, const char *scope, size_t from)
{
    const char *p = scope + from + (from > 0);

    if (strlen(scope) <= from)
        return;
    for (;;) {
        size_t n = strcspn(p, ".");

        fprintf(f, "$scope module %.*s $end\n", (int)n, p);
        if (!p[n])
            return;
        p += n + 1;
    }
}

static bool write_header(const struct km_vcd *v, FILE *f)
{
    const struct signal **sorted = malloc((v->nr_signals + 1) * sizeof(*sorted));
    const char *scope = "";
    char id[8];

    if (!sorted)
        return false;
    for (uint32_t i = 0; i < v->nr_signals; i++)
        sorted[i] = &v->signal[i];
    qsort(sorted, v->nr_signals, sizeof(*sorted), by_scope);
    fputs("$version kmemsim " KM_VERSION " $end\n$timescale 1ps $end\n", f);
    if (v->dropped)
        fprintf(f, "$comment incomplete: %" PRIu64 " later changes are left out $end\n",
                v->dropped);
    for (uint32_t i = 0; i < v->nr_signals; i++) {
        const struct signal *s = sorted[i];
        size_t same = common(scope, s->scope);

        leave_scopes(f, scope, same);
        enter_scopes(f, s->scope, same);
        scope = s->scope;
        fprintf(f, "$var wire %u %s %s $end\n", s->bits,
                identifier((uint32_t)(s - v->signal), id), s->name);
    }
    leave_scopes(f, scope, 0);
    fputs("$enddefinitions $end\n", f);
    free(sorted);
    return true;
}

static void write_value(FILE *f, const struct signal *s, uint32_t number)
{
    char id[8], bits[65];
    unsigned n = 0;

    identifier(number, id);
    if (s->bits == 1) {
        fprintf(f, "%c%s\n", s->known ? (char)('0' + (s->value & 1)) : 'x', id);
        return;
    }
    if (!s->known) {
        fprintf(f, "bx %s\n", id);
        return;
    }
    for (unsigned b = s->bits; b-- > 0;)
        if (n || b == 0 || s->value >> b & 1)
            bits[n++] = (char)('0' + (s->value >> b & 1));
    bits[n] = 0;
    fprintf(f, "b%s %s\n", bits, id);
}

static int by_time(const void *a, const void *b)
{
    const struct change *x = a, *y = b;

    if (x->ps != y->ps)
        return x->ps < y->ps ? -1 : 1;
    return (x->order > y->order) - (x->order < y->order);
}

/* All changes of one moment: of several of one signal the last one counts. */
static uint64_t write_moment(struct km_vcd *v, FILE *f, uint64_t from)
{
    uint64_t end = from, ps = v->change[from].ps;
    bool stamped = false;

    for (; end < v->nr_changes && v->change[end].ps == ps; end++)
        v->signal[v->change[end].signal].last = end;
    for (uint64_t i = from; i < end; i++) {
        const struct change *c = &v->change[i];
        struct signal *s = &v->signal[c->signal];
        uint64_t value = s->bits == 64 ? c->value : c->value & ((1ull << s->bits) - 1);

        if (s->last != i || (s->known && s->value == value))
            continue;
        if (!stamped)
            fprintf(f, "#%" PRIu64 "\n", ps);
        stamped = true;
        s->known = true;
        s->value = value;
        write_value(f, s, c->signal);
    }
    return end;
}

void km_vcd_write(struct km_vcd *v, FILE *f)
{
    if (!write_header(v, f)) {
        v->no_memory = true;
        return;
    }
    fputs("$dumpvars\n", f);
    for (uint32_t i = 0; i < v->nr_signals; i++)
        write_value(f, &v->signal[i], i);
    fputs("$end\n", f);
    if (!v->nr_changes)
        return;
    qsort(v->change, v->nr_changes, sizeof(*v->change), by_time);
    for (uint64_t i = 0; i < v->nr_changes;)
        i = write_moment(v, f, i);
    fprintf(f, "#%" PRIu64 "\n", v->change[v->nr_changes - 1].ps + 1);
}
