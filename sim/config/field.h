/* SPDX-License-Identifier: MIT
 * field.h - one row per option: how it is spelled, stored, checked, printed and explained.
 *
 * fields.c holds the rows, grouped in sections that mirror the nesting of struct km_config; everything else
 * in sim/config walks them. The text of a value is the same in YAML, in --set and in config.resolved.yaml.
 */
#ifndef KM_CONFIG_FIELD_H
#define KM_CONFIG_FIELD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum km_field_type {
    KM_FIELD_BOOL,
    KM_FIELD_NUMBER, /* plain integer, decimal or 0x          */
    KM_FIELD_SIZE,   /* bytes: B KiB MiB GiB TiB              */
    KM_FIELD_FREQ,   /* hertz: Hz kHz MHz GHz                 */
    KM_FIELD_NS,     /* nanoseconds: ns us ms s               */
    KM_FIELD_PS,     /* picoseconds: ps ns us ms              */
    KM_FIELD_CHOICE, /* one word of a list; stored as an enum */
    KM_FIELD_STRING,
    KM_FIELD_PATH, /* a file; looked for around the configuration that names it */
};

struct km_choice {
    const char *word;
    int value;
    const char *help;
};

struct km_field {
    const char *key;
    enum km_field_type type;
    size_t offset, size; /* of the member in its section's struct; size in bytes */
    uint64_t min, max;   /* numbers                                              */
    bool pow2;
    const char *zero_word;           /* the word that stands for 0: "auto", "full", "none"     */
    bool zero_only_by_word;          /* a literal 0 is refused although the word is allowed    */
    const struct km_choice *choices; /* ends with a NULL word                                  */
    const char *unit;                /* of plain numbers, for people                           */
    const char *def;                 /* default, as text                                       */
    const char *help;
};

struct km_default {
    const char *key, *def;
};

struct km_section {
    const char *path; /* "" is the top level */
    size_t offset;    /* in struct km_config */
    const struct km_field *fields;
    size_t nr_fields;
    const struct km_default *defaults; /* that differ from the rows' own; ends with a NULL key */
    const char *help;
};

extern const struct km_section km_sections[];
extern const size_t km_nr_sections;

/* One option = one row in one section. */
struct km_option {
    char path[48];
    const struct km_section *section;
    const struct km_field *field;
    size_t offset; /* in struct km_config */
    const char *def;
};

#define KM_OPTIONS_MAX 512

/* All options in the order of the tables; returns their number. */
size_t km_options_list(struct km_option out[KM_OPTIONS_MAX]);

/* Reads a value into *number (or checks it, for strings). On failure msg says why and what is allowed. */
bool km_value_parse(const struct km_field *f, const char *text, uint64_t *number, char *msg,
                    size_t msg_size);
void km_value_store(const struct km_field *f, void *member, uint64_t number, const char *text);
uint64_t km_value_load(const struct km_field *f, const void *member);
/* The text that parses back to the stored value (strings in double quotes). */
void km_value_print(const struct km_field *f, const void *member, char *out, size_t size);
/* "1..64, a power of two", "lru, plru", ... */
void km_value_allowed(const struct km_field *f, char *out, size_t size);
const char *km_value_unit(const struct km_field *f);

#endif
