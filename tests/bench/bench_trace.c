/* SPDX-License-Identifier: MIT
 * bench_trace.c - events per second of reading alone: bench_trace PATH [ROUNDS], best of the
 * rounds.
 */
#include "sim/trace/trace.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static double now_s(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static int round_once(const char *path, double *seconds, uint64_t *events)
{
    struct km_trace *trace;
    struct km_event ev;
    struct km_err err;
    double begin = now_s();
    int rc = km_trace_open(&trace, path, &err);

    if (rc == KM_OK) {
        while ((rc = km_trace_next(trace, &ev, &err)) > 0)
            ;
        *events = km_trace_info(trace)->events;
        km_trace_close(trace);
    }
    *seconds = now_s() - begin;
    if (rc < 0)
        km_err_print(&err);
    return rc;
}

int main(int argc, char **argv)
{
    int rounds = argc > 2 ? atoi(argv[2]) : 3;
    double best = 0;
    uint64_t events = 0;

    if (argc < 2) {
        fprintf(stderr, "usage: bench_trace PATH [ROUNDS]\n");
        return KM_EXIT_USAGE;
    }
    for (int i = 0; i < rounds; i++) {
        double seconds;

        if (round_once(argv[1], &seconds, &events) < 0)
            return KM_EXIT_FAILED;
        if (i == 0 || seconds < best)
            best = seconds;
    }
    printf("%s: %llu events in %.3f s, %.2f M events/s\n", argv[1], (unsigned long long)events,
           best, (double)events / best / 1e6);
    return KM_EXIT_OK;
}
