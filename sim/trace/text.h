/* SPDX-License-Identifier: MIT
 * text.h - one line of trace text to one event: trace-cmd report text and the kernel's `trace`
 * file.
 */
#ifndef KM_TRACE_TEXT_H
#define KM_TRACE_TEXT_H

#include "sim/trace/event.h"
#include "sim/trace/intern.h"

enum km_text_line {
    KM_TEXT_EVENT,    /* *ev filled                               */
    KM_TEXT_IGNORED,  /* header, comment, blank                    */
    KM_TEXT_UNPARSED, /* neither; or a known event that misses fields */
};

#define KM_TEXT_NAMES 256u
#define KM_TEXT_COMMS 256u
#define KM_TEXT_GFPS 256u

struct km_text_comm {
    uint64_t key[2];
    uint32_t id;
    bool used;
};

struct km_text_gfp {
    uint32_t id; /* interned text */
    uint32_t bits;
};

struct km_text {
    struct km_intern *strings;
    unsigned cpus;                    /* from a "cpus=N" or "#P:N" header, else 0 */
    bool saw_flags;                   /* the kernel's own spelling (flags column)  */
    bool wide_pointers;               /* a pointer needed more than 32 bits         */
    uint64_t unknown_gfp;             /* flag names nobody knows                    */
    uint8_t name_slot[KM_TEXT_NAMES]; /* row in km_event_names + 1      */
    struct km_text_comm comm[KM_TEXT_COMMS];
    struct km_text_gfp gfp[KM_TEXT_GFPS];
};

void km_text_init(struct km_text *text, struct km_intern *strings);
/* line[len] must be readable and no part of a number ('\0' or '\n'). */
enum km_text_line km_text_parse(struct km_text *text, const char *line, size_t len,
                                struct km_event *ev);

#endif
