/* SPDX-License-Identifier: MIT
 * event_name.h - the table behind km_event_name(): canonical names first, aliases after them.
 */
#ifndef KM_TRACE_EVENT_NAME_H
#define KM_TRACE_EVENT_NAME_H

#include "sim/trace/event.h"

struct km_event_name {
    const char *name;
    uint8_t len;
    uint8_t type; /* enum km_event_type */
};

extern const struct km_event_name km_event_names[];
extern const size_t km_nr_event_names;

#endif
