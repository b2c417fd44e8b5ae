/* SPDX-License-Identifier: MIT
 * text_fields.h - the "key=value" part of a trace line, driven by one table row per field.
 */
#ifndef KM_TRACE_TEXT_FIELDS_H
#define KM_TRACE_TEXT_FIELDS_H

#include "sim/trace/text.h"

/* Fills the payload of ev (type already set) from [p, end); false if a needed field is missing. */
bool km_text_fields(struct km_text *text, const char *p, const char *end, struct km_event *ev);

#endif
