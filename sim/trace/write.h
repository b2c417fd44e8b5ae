/* SPDX-License-Identifier: MIT
 * write.h - an event as a line of trace-cmd report text, which km_trace_open() reads back to the
 * same event.
 *
 * What the event shape does not hold (page= in mem_map, the array address of a bulk free) is not
 * written. An address of a call site that has a symbol too stands in parentheses in front, as probe
 * events have it.
 */
#ifndef KM_TRACE_WRITE_H
#define KM_TRACE_WRITE_H

#include "sim/trace/trace.h"

#define KM_TRACE_LINE_MAX (320u << 10)

/* Without line end; cut to size. Returns the length. */
size_t km_trace_format_event(const struct km_trace *trace, const struct km_event *ev, char *buf,
                             size_t size);

#endif
