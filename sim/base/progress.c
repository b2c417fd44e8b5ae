/* SPDX-License-Identifier: MIT
 * progress.c - the progress line of a run.
 */
#include "sim/base/progress.h"

#include <string.h>
#include <time.h>
#include <unistd.h>

#define CALLS_PER_LOOK 4096u
#define REDRAW_NS 200000000ull

static uint64_t wall_ns(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000000ull + (uint64_t)ts.tv_nsec;
}

void km_progress_start(struct km_progress *p, bool quiet, const char *what, uint64_t total)
{
    memset(p, 0, sizeof(*p));
    p->what = what;
    p->total = total;
    if (quiet || !isatty(STDERR_FILENO))
        return;
    p->out = stderr;
    p->started_ns = p->shown_ns = wall_ns();
}

void km_progress_format(char *buf, size_t size, const struct km_progress *p, uint64_t done,
                        uint64_t position, uint64_t sim_ns, uint64_t elapsed_ns)
{
    double elapsed_s = (double)elapsed_ns / 1e9;
    double rate = elapsed_s > 0 ? (double)done / elapsed_s : 0;
    char left[48] = "";

    if (p->total && position && position <= p->total) {
        double rest = (double)(p->total - position) / (double)position * elapsed_s;

        snprintf(left, sizeof(left), ", %3.0f %%, %.0f s left",
                 100.0 * (double)position / (double)p->total, rest);
    }
    snprintf(buf, size, "%llu %s, %.0f/s, simulated %.3f s%s", (unsigned long long)done, p->what, rate,
             (double)sim_ns / 1e9, left);
}

void km_progress_update(struct km_progress *p, uint64_t done, uint64_t position, uint64_t sim_ns)
{
    if (!p->out || ++p->calls % CALLS_PER_LOOK)
        return;
    uint64_t now = wall_ns();
    char line[160];

    if (now - p->shown_ns < REDRAW_NS)
        return;
    p->shown_ns = now;
    p->drawn = true;
    km_progress_format(line, sizeof(line), p, done, position, sim_ns, now - p->started_ns);
    fprintf(p->out, "\r%s\033[K", line);
    fflush(p->out);
}

void km_progress_end(struct km_progress *p)
{
    if (p->out && p->drawn)
        fputs("\r\033[K", p->out);
    p->drawn = false;
    p->out = NULL;
}
