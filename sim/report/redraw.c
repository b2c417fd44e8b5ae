/* SPDX-License-Identifier: MIT
 * redraw.c - plots and report.html from the files of a finished run.
 */
#include "sim/report/redraw.h"

#include "sim/report/plot.h"
#include "sim/report/report.h"
#include "sim/report/report_html.h"

#include <string.h>
#include <unistd.h>

int km_redraw_with_summary(struct km_outdir *d, const json_t *summary, bool plots, bool html)
{
    int ret = plots ? km_plots_draw(d) : KM_OK;

    if (!ret && html)
        ret = km_report_html_write(d, summary);
    return ret;
}

json_t *km_summary_read(const char *dir, struct km_err *err)
{
    char path[KM_OUT_PATH_MAX];
    json_error_t jerr;

    if (snprintf(path, sizeof(path), "%s/summary.json", dir) >= (int)sizeof(path)) {
        km_fail(err, KM_E_USAGE, NULL, 0, 0, "the name of the folder is too long");
        return NULL;
    }
    if (access(path, R_OK)) {
        km_fail(err, KM_E_INPUT, dir, 0, 0,
                "is no folder of a finished run (no readable summary.json)");
        return NULL;
    }
    json_t *root = json_load_file(path, JSON_REJECT_DUPLICATES, &jerr);
    const json_t *schema = json_object_get(root, "schema");
    if (json_is_integer(schema) && json_integer_value(schema) == KM_SUMMARY_SCHEMA)
        return root;
    if (!root)
        km_fail(err, KM_E_INPUT, path, jerr.line, jerr.column, "%s", jerr.text);
    else if (!json_is_integer(schema))
        km_fail(err, KM_E_INPUT, path, 1, 1, "is no summary of a run (it has no \"schema\")");
    else
        km_fail(err, KM_E_INPUT, path, 1, 1,
                "was written by another version of kmemsim (schema %lld, this one reads %d)",
                (long long)json_integer_value(schema), KM_SUMMARY_SCHEMA);
    json_decref(root);
    return NULL;
}

int km_report_redraw(const char *dir, struct km_err *err)
{
    struct km_outdir d = {0};
    json_t *summary = km_summary_read(dir, err);

    if (!summary)
        return KM_E_INPUT;
    if (strlen(dir) >= sizeof(d.path) - 128) {
        json_decref(summary);
        return km_fail(err, KM_E_USAGE, NULL, 0, 0, "the name of the folder is too long");
    }
    memcpy(d.path, dir, strlen(dir) + 1);
    int ret = km_redraw_with_summary(&d, summary, true, true);
    json_decref(summary);
    if (ret && err)
        *err = d.err;
    return ret;
}
