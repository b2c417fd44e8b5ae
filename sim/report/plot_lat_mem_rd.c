/* SPDX-License-Identifier: MIT
 * plot_lat_mem_rd.c - latency of dependent loads by buffer size, one curve per stride. Data: KiB,
 * nanoseconds; one block per stride.
 */
#include "sim/report/plot.h"

#include <inttypes.h>
#include <string.h>

static int data(const char *dir, FILE *out, struct km_plot_args *args, struct km_err *err)
{
    char path[KM_OUT_PATH_MAX + 32], line[256];
    uint64_t bytes, last = 0;
    unsigned stride, curves = 0, points = 0;
    double ns;

    (void)err;
    snprintf(path, sizeof(path), "%s/lat_mem_rd.csv", dir);
    FILE *f = fopen(path, "r");

    if (!f)
        return 0;
    while (fgets(line, sizeof(line), f)) {
        if (sscanf(line, "%" SCNu64 ",%u,%lf", &bytes, &stride, &ns) != 3 || !(ns > 0))
            continue;
        if (!curves || stride != last) {
            char word[16];
            size_t used = strlen(args->arg[0]);

            snprintf(word, sizeof(word), "%s%u", curves ? " " : "", stride);
            if (used + strlen(word) >= sizeof(args->arg[0]))
                break;
            strcpy(args->arg[0] + used, word);
            fprintf(out, "%s# stride %u\n", curves ? "\n\n" : "", stride);
            curves++;
            last = stride;
        }
        fprintf(out, "%g %g\n", (double)bytes / 1024, ns);
        points++;
    }
    fclose(f);
    return points > 1;
}

const struct km_plot km_plot_lat_mem_rd = {
    .name = "lat_mem_rd",
    .title = "Latency of dependent loads",
    .help = "Time per load when every load needs the one before (upwards) in buffers of growing size "
            "(to the right), one curve per distance of the elements. A step is the end of a cache, or "
            "with large distances of a TLB; the last level is main memory.",
    .data = data,
};
