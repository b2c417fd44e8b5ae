/* SPDX-License-Identifier: MIT
 * fields.h - one table row per field of every modelled event, shared by the text and binary
 * formats.
 */
#ifndef KM_TRACE_FIELDS_H
#define KM_TRACE_FIELDS_H

#include "sim/trace/event.h"

enum km_field_kind {
    KM_F_U64, /* number               */
    KM_F_U32, /* number               */
    KM_F_I32, /* number with sign     */
    KM_F_I16,
    KM_F_I8,
    KM_F_U8,
    KM_F_PTR,  /* hexadecimal, 64 bit  */
    KM_F_PFN,  /* number, km_pfn       */
    KM_F_BOOL, /* 0, 1, true, false    */
    KM_F_GFP,
    KM_F_SITE, /* symbol+offset or address */
    KM_F_TEXT, /* interned, up to the next blank; quotes removed */
    KM_F_SKIP, /* one word, not kept    */
    KM_F_SYNC, /* "sync" or "async"    */
};

struct km_field {
    const char *key; /* with the '=' */
    uint8_t key_len;
    uint8_t kind; /* enum km_field_kind */
    bool needed;
    uint16_t at; /* offset in struct km_event */
};

/* Rows of a type, ended by key == NULL; NULL if the type has no fields of this kind. */
const struct km_field *km_fields_of(enum km_event_type type);

#endif
