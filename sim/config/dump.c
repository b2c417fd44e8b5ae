/* SPDX-License-Identifier: MIT
 * dump.c - the option tables as text: config.resolved.yaml and the reference page.
 *
 * A dump loads to the same values and dumps to the same bytes: the loader takes the origin of a value from
 * its "# from" comment if the file starts with the header written here (load.c, RESOLVED_HEADER).
 */
#include <inttypes.h>
#include <string.h>

#include "sim/config/origin.h"

#define COMMENT_COLUMN 44

static int depth_of(const char *path)
{
    int depth = path[0] != '\0';

    for (; *path; path++)
        depth += *path == '.';
    return depth;
}

static const char *origin_of(const struct km_config *cfg, size_t i, const struct km_option *o)
{
    const struct km_origins *origins = cfg->origin;
    const char *now = (const char *)cfg + o->offset;
    const char *then;

    if (!origins)
        return "default";
    then = (const char *)&origins->loaded + o->offset;
    if (o->field->type == KM_FIELD_STRING || o->field->type == KM_FIELD_PATH) {
        if (strcmp(now, then) != 0)
            return "trace";
    } else if (km_value_load(o->field, now) != km_value_load(o->field, then)) {
        return "trace";
    }
    return origins->of[i].order ? origins->of[i].shown : "default";
}

static void dump_section_head(FILE *out, const struct km_section *s)
{
    const char *dot = strrchr(s->path, '.');
    int indent = depth_of(s->path) ? (depth_of(s->path) - 1) * 2 : 0;

    if (s->path[0])
        fprintf(out, "\n%*s%s: # %s\n", indent, "", dot ? dot + 1 : s->path, s->help);
}

static void dump_option(FILE *out, const struct km_config *cfg, size_t i, const struct km_option *o)
{
    char value[2 * KM_PATH_MAX + 8];
    const char *unit = km_value_unit(o->field);
    int indent = depth_of(o->section->path) * 2;
    int width;

    km_value_print(o->field, (const char *)cfg + o->offset, value, sizeof(value));
    width = fprintf(out, "%*s%s: %s", indent, "", o->field->key, value);
    /* The help stands before the origin, which ends the line. */
    fprintf(out, "%*s # %s%s%s%s # from %s\n", width < COMMENT_COLUMN ? COMMENT_COLUMN - width : 0, "",
            unit[0] ? "[" : "", unit, unit[0] ? "] " : "", o->field->help, origin_of(cfg, i, o));
}

void km_config_dump(FILE *out, const struct km_config *cfg)
{
    struct km_option option[KM_OPTIONS_MAX];
    const struct km_section *section = NULL;
    size_t nr = km_options_list(option);

    fprintf(out, "# kmemsim: resolved configuration: every option with its value, unit, meaning and "
                 "origin.\n# Running it again gives identical results.\n\n");
    for (size_t i = 0; i < nr; i++) {
        if (option[i].section != section)
            dump_section_head(out, section = option[i].section);
        dump_option(out, cfg, i, &option[i]);
    }
}

/* A cell of a markdown table: '|' would end it. */
static void put_cell(FILE *out, const char *text)
{
    for (; *text; text++) {
        if (*text == '|')
            fputc('\\', out);
        fputc(*text, out);
    }
}

static void reference_choices(FILE *out, const struct km_section *s)
{
    for (size_t k = 0; k < s->nr_fields; k++) {
        const struct km_field *f = &s->fields[k];

        if (!f->choices || !f->choices[0].help)
            continue;
        fprintf(out, "\n`%s`:\n\n", f->key);
        for (const struct km_choice *c = f->choices; c->word; c++)
            fprintf(out, "- `%s`: %s\n", c->word, c->help ? c->help : "");
    }
}

/* Sections that share their rows (the caches, the TLBs) are described once. */
static bool is_repeat(size_t section)
{
    return section && km_sections[section].fields == km_sections[section - 1].fields;
}

static void reference_heading(FILE *out, size_t i)
{
    fprintf(out, "\n## %s\n\n", km_sections[i].path[0] ? km_sections[i].path : "Top level");
    fprintf(out, "%s\n", km_sections[i].help);
    for (size_t k = i + 1; k < km_nr_sections && is_repeat(k); k++) {
        fprintf(out, "\nThe same keys: `%s`, %s", km_sections[k].path, km_sections[k].help);
        for (const struct km_default *d = km_sections[k].defaults; d && d->key; d++)
            fprintf(out, "%s%s `%s`", d == km_sections[k].defaults ? " (defaults: " : ", ", d->key,
                    d->def);
        fprintf(out, "%s\n", km_sections[k].defaults ? ")" : "");
    }
}

static void reference_section(FILE *out, size_t i)
{
    const struct km_section *s = &km_sections[i];
    struct km_option option[KM_OPTIONS_MAX];
    size_t nr = km_options_list(option);

    reference_heading(out, i);
    fprintf(out, "\n| key | default | allowed | unit | meaning |\n|---|---|---|---|---|\n");
    for (size_t k = 0; k < nr; k++) {
        const struct km_field *f = option[k].field;
        char allowed[256];

        if (option[k].section != s)
            continue;
        km_value_allowed(f, allowed, sizeof(allowed));
        fprintf(out, "| `%s` | `%s` | %s | %s | ", option[k].path, option[k].def[0] ? option[k].def : "\"\"",
                allowed, km_value_unit(f));
        put_cell(out, f->help);
        fprintf(out, " |\n");
    }
    reference_choices(out, s);
}

void km_config_reference(FILE *out)
{
    fprintf(out,
            "# Configuration reference\n\n"
            "Made by `kmemsim config reference` from the table that also reads, checks and writes\n"
            "configurations. A configuration is YAML; keys are written nested (`machine:`, below it\n"
            "`cpus: 2`) or on the command line as `--set machine.cpus=2`.\n\n"
            "`extends: [machine/p3-xeon-700x2.yaml, os/linux-6.1.yaml]` starts from other files (of the\n"
            "`configs/` folder); later ones win, the keys of the file itself win over all of them, and\n"
            "`--set` wins over every file. Sizes, frequencies and times carry their unit: `16KiB`,\n"
            "`700MHz`, `10ms`. Unknown keys, keys written twice and impossible values are errors.\n");
    for (size_t i = 0; i < km_nr_sections; i++)
        if (!is_repeat(i))
            reference_section(out, i);
}
