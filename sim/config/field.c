/* SPDX-License-Identifier: MIT
 * field.c - the option tables as one flat list, and questions about single options.
 */
#include "sim/config/field.h"

#include <stdio.h>
#include <string.h>

#include "models/base/bug.h"
#include "sim/config/config.h"

static const char *default_of(const struct km_section *s, const struct km_field *f)
{
    for (const struct km_default *d = s->defaults; d && d->key; d++)
        if (strcmp(d->key, f->key) == 0)
            return d->def;
    return f->def;
}

size_t km_options_list(struct km_option out[KM_OPTIONS_MAX])
{
    size_t nr = 0;

    for (size_t i = 0; i < km_nr_sections; i++) {
        const struct km_section *s = &km_sections[i];

        for (size_t k = 0; k < s->nr_fields; k++) {
            struct km_option *o = &out[nr++];

            KM_BUG_ON(nr > KM_OPTIONS_MAX);
            o->section = s;
            o->field = &s->fields[k];
            o->offset = s->offset + o->field->offset;
            o->def = default_of(s, o->field);
            snprintf(o->path, sizeof(o->path), "%s%s%s", s->path, s->path[0] ? "." : "",
                     o->field->key);
        }
    }
    return nr;
}

static const struct km_field *field_at(const char *path)
{
    const char *dot = strrchr(path, '.');
    const char *key = dot ? dot + 1 : path;
    size_t len = dot ? (size_t)(dot - path) : 0;

    for (size_t i = 0; i < km_nr_sections; i++) {
        const struct km_section *s = &km_sections[i];

        if (strlen(s->path) != len || strncmp(s->path, path, len) != 0)
            continue;
        for (size_t k = 0; k < s->nr_fields; k++)
            if (strcmp(s->fields[k].key, key) == 0)
                return &s->fields[k];
    }
    return NULL;
}

const char *km_config_choice(const char *path, unsigned i, const char **help)
{
    const struct km_field *f = field_at(path);

    KM_BUG_ON(!f || !f->choices);
    for (const struct km_choice *c = f->choices; c->word; c++) {
        if (i-- == 0) {
            if (help)
                *help = c->help ? c->help : "";
            return c->word;
        }
    }
    return NULL;
}

const char *km_config_word(const char *path, int value)
{
    const struct km_field *f = field_at(path);

    KM_BUG_ON(!f || !f->choices);
    for (const struct km_choice *c = f->choices; c->word; c++)
        if (c->value == value)
            return c->word;
    return "?";
}

void km_config_defaults(struct km_config *out)
{
    struct km_option option[KM_OPTIONS_MAX];
    size_t nr = km_options_list(option);

    memset(out, 0, sizeof(*out));
    for (size_t i = 0; i < nr; i++) {
        char msg[256];
        uint64_t number;
        bool ok = km_value_parse(option[i].field, option[i].def, &number, msg, sizeof(msg));

        KM_BUG_ON(!ok);
        km_value_store(option[i].field, (char *)out + option[i].offset, number, option[i].def);
    }
}
