/* SPDX-License-Identifier: MIT
 * progress.h - one line on stderr that says how far a run is: events, rate, simulated time, time left.
 *
 * Shown only when stderr is a terminal and the user did not say --quiet; rewritten in place a few times per
 * second. Wall clock is used for display alone; nothing of it reaches a result. Calling km_progress_update
 * for every event is fine: it looks at the clock only every few thousand calls.
 */
#ifndef KM_SIM_PROGRESS_H
#define KM_SIM_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct km_progress {
    FILE *out;           /* NULL: shows nothing */
    const char *what;    /* noun of what is counted: "events", "references" */
    uint64_t total;      /* of `position`; 0: unknown, no time left is shown */
    uint64_t started_ns, shown_ns;
    uint32_t calls;
    bool drawn;
};

/* what is a string literal. total: final value of `position` (for a trace: bytes of the file). */
void km_progress_start(struct km_progress *p, bool quiet, const char *what, uint64_t total);
/* done: items so far; position: how far through `total`; sim_ns: simulated time. */
void km_progress_update(struct km_progress *p, uint64_t done, uint64_t position, uint64_t sim_ns);
/* Removes the line. Safe to call more than once. */
void km_progress_end(struct km_progress *p);

/* The text of the line, without control characters (for tests). */
void km_progress_format(char *buf, size_t size, const struct km_progress *p, uint64_t done,
                        uint64_t position, uint64_t sim_ns, uint64_t elapsed_ns);

#endif
