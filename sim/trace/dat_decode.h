/* SPDX-License-Identifier: MIT
 * dat_decode.h - one binary record of a trace.dat to one event, through the format descriptions in
 * the file.
 */
#ifndef KM_TRACE_DAT_DECODE_H
#define KM_TRACE_DAT_DECODE_H

#include "sim/trace/event.h"
#include "sim/trace/intern.h"
#include "sim/trace/text.h"

#include <event-parse.h>

#define KM_DAT_TYPES 65536u
#define KM_DAT_SITES 1024u
#define KM_DAT_COMMS 1024u
#define KM_DAT_GFPS 64u
#define KM_DAT_FIELDS 24u
#define KM_DAT_TEXT 8192u

struct km_dat_field { /* how to read one field of one event type */
    uint16_t offset;
    uint8_t size;
    uint8_t kind; /* enum km_field_kind */
    bool is_signed, is_string, is_relative;
    uint16_t at; /* in struct km_event */
};

struct km_dat_event { /* cached per record type */
    uint8_t type;
    bool use_text; /* rare events go through their text */
    bool unusable; /* a needed field is not in this kernel's format */
    bool derive_accounted;
    unsigned nr_fields;
    uint32_t name; /* interned */
    struct tep_event *format;
    const struct tep_print_flag_sym *gfp_names;
    struct km_dat_field field[KM_DAT_FIELDS];
};

struct km_dat_site {
    uint64_t addr;
    uint32_t symbol, offset;
    bool used;
};

struct km_dat_comm {
    int32_t pid;
    uint32_t id;
    bool used;
};

struct km_dat_gfp {
    uint64_t raw;
    const struct tep_print_flag_sym *names;
    uint32_t bits;
    bool used;
};

struct km_dat_decoder {
    struct tep_handle *tep;
    struct km_intern *strings;
    struct km_text *text; /* parses the text of rare events */
    bool swap;            /* file and host differ in byte order */
    bool want_text;
    struct km_dat_event *event[KM_DAT_TYPES];
    struct km_dat_site site[KM_DAT_SITES];
    struct km_dat_comm comm[KM_DAT_COMMS];
    struct km_dat_gfp gfp[KM_DAT_GFPS];
    char mark[KM_DAT_TEXT];
};

void km_dat_decoder_init(struct km_dat_decoder *decoder, struct tep_handle *tep,
                         struct km_intern *strings, struct km_text *text);
void km_dat_decoder_release(struct km_dat_decoder *decoder);
/* False: the record is no event we can read (too short, unknown type, missing fields). */
bool km_dat_decode(struct km_dat_decoder *decoder, struct tep_record *record, struct km_event *ev);

#endif
