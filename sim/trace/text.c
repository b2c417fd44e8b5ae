/* SPDX-License-Identifier: MIT
 * text.c - the part of a trace line before the fields: task, pid, cpu, flags, time, event name.
 *
 *   trace-cmd report:  "    bash-289   [000]    57.089903447: kmalloc:   (f+0x3b) call_site=..."
 *   trace-cmd >= 3.2:  the same with the flags column of the kernel
 *   kernel `trace`:    "    bash-289     [000] d.h1.    57.089903: kmalloc: call_site=..."
 *                      (with a "( 1234)" thread-group column if record-tgid is on)
 * Lost events: "CPU:1 [LOST 42 EVENTS]" (kernel), "CPU:1 [42 EVENTS DROPPED]" (trace-cmd), also
 * without count. Time is seconds with 6 or 9 decimals, or a bare counter (trace clocks "counter",
 * "x86-tsc").
 */
#define _GNU_SOURCE /* memmem */
#include "sim/trace/text.h"
#include "sim/trace/event_name.h"
#include "sim/trace/text_fields.h"

#include <string.h>

#define COMM_COLUMNS 16 /* both spellings print the task as %16s */

static uint32_t name_hash(const char *name, size_t len)
{
    uint64_t word = 0;

    memcpy(&word, name + (len > 8 ? len - 8 : 0), len > 8 ? 8 : len);
    return (uint32_t)(((word ^ len * 0x9e37u) * 0x9e3779b97f4a7c15u) >> 56);
}

void km_text_init(struct km_text *text, struct km_intern *strings)
{
    memset(text, 0, sizeof(*text));
    text->strings = strings;
    for (size_t i = 0; i < km_nr_event_names; i++) {
        uint32_t at = name_hash(km_event_names[i].name, km_event_names[i].len);

        if (km_event_names[i].type == KM_EV_LOST || km_event_names[i].type == KM_EV_OTHER)
            continue;
        while (text->name_slot[at % KM_TEXT_NAMES])
            at++;
        text->name_slot[at % KM_TEXT_NAMES] = (uint8_t)(i + 1);
    }
}

static enum km_event_type type_of(const struct km_text *text, const char *name, size_t len)
{
    uint32_t at = name_hash(name, len);

    for (;; at++) {
        uint8_t row = text->name_slot[at % KM_TEXT_NAMES];

        if (!row)
            return KM_EV_NONE;
        if (km_event_names[row - 1].len == len &&
            memcmp(km_event_names[row - 1].name, name, len) == 0)
            return km_event_names[row - 1].type;
    }
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static uint32_t intern_comm(struct km_text *text, const char *p, size_t len)
{
    struct km_text_comm *slot;
    uint64_t key[2] = {0, 0};

    while (len > 0 && *p == ' ') {
        p++;
        len--;
    }
    if (len > sizeof(key))
        return km_intern(text->strings, p, len);
    memcpy(key, p, len);
    slot = &text->comm[((key[0] ^ key[1] * 3) * 0x9e3779b97f4a7c15u) >> 56];
    if (!slot->used || slot->key[0] != key[0] || slot->key[1] != key[1]) {
        slot->used = true;
        memcpy(slot->key, key, sizeof(key));
        slot->id = km_intern(text->strings, p, len);
    }
    return slot->id;
}

/* "-123" or "-123   ( 456)" up to a '[': true if [p, bracket) is the tail of a task column. */
static bool task_tail(const char *p, const char *bracket, int32_t *pid)
{
    uint32_t value = 0;

    if (*p++ != '-' || !is_digit(*p))
        return false;
    for (; is_digit(*p); p++)
        value = value * 10 + (uint32_t)(*p - '0');
    *pid = (int32_t)value;
    while (p < bracket && *p == ' ')
        p++;
    if (p < bracket && *p == '(') {
        while (p < bracket && *p != ')')
            p++;
        p++;
        while (p < bracket && *p == ' ')
            p++;
    }
    return p == bracket;
}

/* Returns the place of the '[' of "[cpu]", or NULL if this is no event line. */
static const char *parse_task(struct km_text *text, const char *line, const char *end,
                              struct km_event *ev)
{
    const char *bracket = line;

    for (;;) {
        const char *dash;

        bracket = memchr(bracket, '[', (size_t)(end - bracket));
        if (!bracket || bracket - line > 256)
            return NULL;
        if (end - line > COMM_COLUMNS && bracket > line + COMM_COLUMNS &&
            task_tail(line + COMM_COLUMNS, bracket, &ev->pid)) {
            ev->comm = intern_comm(text, line, COMM_COLUMNS);
            return bracket;
        }
        for (dash = bracket; dash > line && *dash != '-'; dash--)
            ;
        if (dash > line && task_tail(dash, bracket, &ev->pid)) {
            ev->comm = intern_comm(text, line, (size_t)(dash - line));
            return bracket;
        }
        bracket++;
    }
}

/* The kernel's latency column: irqs-off, need-resched, hardirq/softirq, preempt-depth,
 * migrate-disable. */
static void parse_flags(const char *p, size_t len, struct km_event *ev)
{
    if (len < 4)
        return;
    ev->context = KM_EV_CONTEXT_KNOWN;
    if (p[0] == 'd' || p[0] == 'D')
        ev->context |= KM_EV_IRQS_OFF;
    if (p[1] == 'N' || p[1] == 'n')
        ev->context |= KM_EV_NEED_RESCHED;
    if (p[2] == 'h' || p[2] == 'H')
        ev->context |= KM_EV_HARDIRQ;
    if (p[2] == 's' || p[2] == 'H')
        ev->context |= KM_EV_SOFTIRQ;
    if (p[2] == 'z' || p[2] == 'Z')
        ev->context |= KM_EV_NMI;
    if (p[2] == 'Z')
        ev->context |= KM_EV_HARDIRQ;
    if (is_digit(p[3]))
        ev->preempt_count = (uint8_t)(p[3] - '0');
    else if (p[3] >= 'a' && p[3] <= 'f')
        ev->preempt_count = (uint8_t)(p[3] - 'a' + 10);
}

/* "57.089903447:" -> ns; NULL if it is no time. */
static const char *parse_time(const char *p, uint64_t *ns)
{
    static const uint32_t scale[10] = {1000000000, 100000000, 10000000, 1000000, 100000,
                                       10000,      1000,      100,      10,      1};
    uint64_t seconds = 0, fraction = 0;
    const char *first = p;

    for (; is_digit(*p); p++)
        seconds = seconds * 10 + (uint64_t)(*p - '0');
    if (p == first || p - first > 19)
        return NULL;
    if (*p == ':') {
        *ns = seconds;
        return p + 1;
    }
    if (*p++ != '.')
        return NULL;
    for (first = p; is_digit(*p) && p - first < 9; p++)
        fraction = fraction * 10 + (uint64_t)(*p - '0');
    if (p == first || *p != ':')
        return NULL;
    *ns = seconds * 1000000000u + fraction * scale[p - first];
    return p + 1;
}

static const char *skip_blanks(const char *p, const char *end)
{
    while (p < end && *p == ' ')
        p++;
    return p;
}

/* From '[' on: cpu, flags, time. Returns the place of the event name, or NULL. */
static const char *parse_head(struct km_text *text, const char *p, const char *end,
                              struct km_event *ev)
{
    unsigned cpu = 0;

    for (p++; is_digit(*p); p++)
        cpu = cpu * 10 + (unsigned)(*p - '0') % 1000;
    if (*p != ']' || cpu > UINT8_MAX)
        return NULL;
    ev->cpu = (uint8_t)cpu;
    p = skip_blanks(p + 1, end);
    if (p < end && !is_digit(*p)) {
        const char *flags = p;

        while (p < end && *p != ' ')
            p++;
        parse_flags(flags, (size_t)(p - flags), ev);
        text->saw_flags = true;
        p = skip_blanks(p, end);
    }
    p = parse_time(p, &ev->time_ns);
    return p ? skip_blanks(p, end) : NULL;
}

/* trace-cmd: "print: tracing_mark_write: TEXT" (or an address instead of the function name). */
static const char *mark_text(const char *p, const char *end, bool nested)
{
    const char *colon;

    if (!nested)
        return p;
    colon = memchr(p, ':', (size_t)(end - p));
    if (!colon || memchr(p, ' ', (size_t)(colon - p)))
        return p;
    return skip_blanks(colon + 1, end);
}

static enum km_text_line parse_payload(struct km_text *text, const char *name, size_t name_len,
                                       const char *p, const char *end, struct km_event *ev)
{
    ev->type = (uint8_t)type_of(text, name, name_len);
    p = skip_blanks(p, end);
    switch (ev->type) {
    case KM_EV_MARK:
        ev->text.text = mark_text(p, end, name_len == 5);
        return KM_TEXT_EVENT;
    case KM_EV_NONE:
        ev->type = KM_EV_OTHER; /* fall through */
    case KM_EV_OOM:
        ev->text.text = p;
        ev->text.name = km_intern(text->strings, name, name_len);
        return KM_TEXT_EVENT;
    default:
        return km_text_fields(text, p, end, ev) ? KM_TEXT_EVENT : KM_TEXT_UNPARSED;
    }
}

/* "CPU:1 [LOST 42 EVENTS]", "CPU:1 [42 EVENTS DROPPED]", "CPU:1 [LOST EVENTS]" */
static enum km_text_line parse_lost(const char *p, const char *end, struct km_event *ev)
{
    uint64_t cpu = 0, nr = 0;

    for (p += 4; is_digit(*p); p++)
        cpu = cpu * 10 + (uint64_t)(*p - '0');
    p = skip_blanks(p, end);
    if (p >= end || *p != '[' || cpu > UINT8_MAX)
        return KM_TEXT_UNPARSED;
    if (!memmem(p, (size_t)(end - p), "EVENTS", 6))
        return KM_TEXT_UNPARSED;
    while (p < end && !is_digit(*p))
        p++;
    for (; p < end && is_digit(*p); p++)
        nr = nr * 10 + (uint64_t)(*p - '0');
    ev->type = KM_EV_LOST;
    ev->cpu = (uint8_t)cpu;
    ev->lost.nr = nr;
    return KM_TEXT_EVENT;
}

static unsigned number_after(const char *p, const char *end, const char *key)
{
    const char *at = memmem(p, (size_t)(end - p), key, strlen(key));
    unsigned value = 0;

    if (!at)
        return 0;
    for (at += strlen(key); is_digit(*at) && value < 100000; at++)
        value = value * 10 + (unsigned)(*at - '0');
    return value;
}

/* Lines that are no events but belong to a trace: comments, "cpus=2", "CPU 0 is empty", version
 * lines. */
static enum km_text_line parse_other(struct km_text *text, const char *line, const char *end,
                                     struct km_event *ev)
{
    const char *p = skip_blanks(line, end);
    size_t len = (size_t)(end - p);

    if (len == 0)
        return KM_TEXT_IGNORED;
    if (*p == '#') {
        unsigned cpus = number_after(p, end, "#P:");

        text->cpus = cpus ? cpus : text->cpus;
        return KM_TEXT_IGNORED;
    }
    if (len > 5 && memcmp(p, "cpus=", 5) == 0) {
        text->cpus = number_after(p, end, "cpus=");
        return KM_TEXT_IGNORED;
    }
    if (len > 4 && memcmp(p, "CPU:", 4) == 0)
        return parse_lost(p, end, ev);
    if (len > 4 && memcmp(p, "CPU ", 4) == 0 && memmem(p, len, "is empty", 8))
        return KM_TEXT_IGNORED;
    if (len > 9 && memcmp(p, "version =", 9) == 0)
        return KM_TEXT_IGNORED;
    return KM_TEXT_UNPARSED;
}

enum km_text_line km_text_parse(struct km_text *text, const char *line, size_t len,
                                struct km_event *ev)
{
    const char *end = line + len;
    const char *p, *colon;

    memset(ev, 0, sizeof(*ev));
    p = parse_task(text, line, end, ev);
    if (!p)
        return parse_other(text, line, end, ev);
    p = parse_head(text, p, end, ev);
    if (!p)
        return parse_other(text, line, end, ev);
    colon = memchr(p, ':', (size_t)(end - p));
    if (!colon || colon == p || memchr(p, ' ', (size_t)(colon - p)))
        return KM_TEXT_UNPARSED;
    return parse_payload(text, p, (size_t)(colon - p), colon + 1, end, ev);
}
