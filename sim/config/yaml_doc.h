/* SPDX-License-Identifier: MIT
 * yaml_doc.h - a YAML document as a tree whose nodes remember where they were written.
 *
 * Accepted: one document of mappings with plain keys, sequences and scalars. Refused with a message:
 * anchors and aliases, tags, several documents, keys that are not plain words, nesting deeper than
 * KM_YAML_MAX_DEPTH. Duplicate keys stay in the tree; the reader of the tree reports them.
 */
#ifndef KM_CONFIG_YAML_DOC_H
#define KM_CONFIG_YAML_DOC_H

#include <stdbool.h>
#include <stddef.h>

#include "sim/base/err.h"

#define KM_YAML_MAX_DEPTH 16

enum km_yaml_kind { KM_YAML_SCALAR, KM_YAML_MAP, KM_YAML_LIST };

struct km_yaml_node {
    enum km_yaml_kind kind;
    int line, col;              /* 1-based, of the node itself            */
    char *key;                  /* in a mapping: its key, else NULL       */
    int key_line, key_col;      /* where the key stands                   */
    char *text;                 /* scalar: its value, else NULL           */
    bool quoted;                /* scalar written in quotes or as a block */
    struct km_yaml_node *child; /* first entry of a mapping or sequence   */
    struct km_yaml_node *next;  /* next entry of the same parent          */
};

struct km_yaml_doc {
    char *name; /* file name for messages                             */
    char *text; /* the whole file, NUL-terminated                      */
    size_t len;
    struct km_yaml_node *root; /* NULL: the document is empty          */
};

int km_yaml_read(struct km_yaml_doc **out, const char *path, struct km_err *err);
int km_yaml_parse(struct km_yaml_doc **out, const char *name, const char *text, size_t len,
                  struct km_err *err);
void km_yaml_free(struct km_yaml_doc *doc);

/* First entry of a mapping with this key, NULL if absent or node is no mapping. */
const struct km_yaml_node *km_yaml_get(const struct km_yaml_node *map, const char *key);
const char *km_yaml_kind_name(const struct km_yaml_node *node);
/* Copies the part of a source line (1-based) after the last `marker`; false if the line has none. */
bool km_yaml_line_after(const struct km_yaml_doc *doc, int line, const char *marker, char *out,
                        size_t size);

#endif
