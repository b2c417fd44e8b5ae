/* SPDX-License-Identifier: MIT
 * plot.c - the table of plots, and drawing all of them for a run.
 */
#include "sim/report/plot.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

const struct km_plot *const km_plots[] = {
    &km_plot_buddyinfo,     &km_plot_buddyinfo_vs_real, &km_plot_false_sharing,
    &km_plot_fragmentation, &km_plot_lat_mem_rd,        &km_plot_latency_cdf, NULL,
};

/* 1: data written, 0: there is none, negative: error in d. */
static int write_data(struct km_outdir *d, const struct km_plot *plot, struct km_plot_args *args)
{
    char rel[64];
    struct km_out out;
    struct km_err err = {0};

    snprintf(rel, sizeof(rel), "plots/data/%s.dat", plot->name);
    if (!km_out_open(&out, d, rel))
        return KM_E_IO;
    int ret = plot->data(d->path, out.f, args, &err);
    km_out_check(&out);
    if (ret > 0)
        return km_out_commit(&out) ? KM_E_IO : 1;
    km_out_abandon(&out);
    char path[KM_OUT_PATH_MAX];
    if (km_outdir_path(d, path, rel, ""))
        unlink(path);
    if (ret < 0 && !d->failed) {
        d->failed = true;
        d->err = err;
    }
    return ret;
}

static enum km_drawn draw(struct km_outdir *d, const struct km_plot *plot,
                          const struct km_plot_args *args)
{
    char data[KM_OUT_PATH_MAX], part[KM_OUT_PATH_MAX], svg[KM_OUT_PATH_MAX], rel[64];

    snprintf(rel, sizeof(rel), "plots/data/%s.dat", plot->name);
    if (!km_outdir_path(d, data, rel, ""))
        return KM_DRAW_FAILED;
    snprintf(rel, sizeof(rel), "plots/%s.svg", plot->name);
    if (!km_outdir_path(d, part, rel, ".part") || !km_outdir_path(d, svg, rel, ""))
        return KM_DRAW_FAILED;
    enum km_drawn drawn = km_gnuplot_run(plot->name, data, part, args);
    if (drawn == KM_DRAWN && rename(part, svg))
        km_outdir_fail(d, rel, errno);
    return drawn;
}

int km_plots_draw(struct km_outdir *d)
{
    bool can_draw = true;

    if (km_outdir_subdir(d, "plots") || km_outdir_subdir(d, "plots/data"))
        return KM_E_IO;
    for (unsigned i = 0; km_plots[i]; i++) {
        struct km_plot_args args = {0};
        char rel[64], svg[KM_OUT_PATH_MAX];

        snprintf(rel, sizeof(rel), "plots/%s.svg", km_plots[i]->name);
        if (km_outdir_path(d, svg, rel, ""))
            unlink(svg); /* never show an old picture beside new data */
        int ret = write_data(d, km_plots[i], &args);
        if (ret < 0)
            return ret;
        if (ret && can_draw)
            can_draw = draw(d, km_plots[i], &args) != KM_DRAW_NO_GNUPLOT;
    }
    return d->failed ? KM_E_IO : KM_OK;
}
