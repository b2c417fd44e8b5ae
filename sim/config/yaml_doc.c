/* SPDX-License-Identifier: MIT
 * yaml_doc.c - libyaml's event stream to a tree with positions.
 *
 * The event interface is used rather than libyaml's document interface: it tells where keys start, lets the
 * nesting depth be bounded, and lets anchors be refused before they can form cycles or blow up.
 */
#define _GNU_SOURCE /* memmem */
#include "sim/config/yaml_doc.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#define MAX_FILE_BYTES (1u << 20)

struct build {
    yaml_parser_t parser;
    struct km_yaml_doc *doc;
    struct km_err *err;
};

static int fail_at(struct build *b, const yaml_mark_t *mark, const char *what)
{
    return km_fail(b->err, KM_E_USAGE, b->doc->name, (int)mark->line + 1, (int)mark->column + 1, "%s",
                   what);
}

/* libyaml's own message, at the place of the problem. */
static int fail_parser(struct build *b)
{
    const yaml_parser_t *p = &b->parser;

    if (p->error == YAML_MEMORY_ERROR)
        return km_fail(b->err, KM_E_NOMEM, b->doc->name, 0, 0, "out of memory");
    if (p->error == YAML_READER_ERROR)
        return km_fail(b->err, KM_E_USAGE, b->doc->name, 0, 0, "not a text file: %s at byte %zu",
                       p->problem ? p->problem : "bad character", p->problem_offset);
    return km_fail(b->err, KM_E_USAGE, b->doc->name, (int)p->problem_mark.line + 1,
                   (int)p->problem_mark.column + 1, "not valid YAML: %s%s%s",
                   p->problem ? p->problem : "syntax error", p->context ? ", " : "",
                   p->context ? p->context : "");
}

static int next_event(struct build *b, yaml_event_t *ev)
{
    if (!yaml_parser_parse(&b->parser, ev))
        return fail_parser(b);
    return KM_OK;
}

static char *copy_text(const unsigned char *s, size_t len)
{
    char *out = malloc(len + 1);

    if (!out)
        return NULL;
    memcpy(out, s, len);
    out[len] = '\0';
    return out;
}

static void free_nodes(struct km_yaml_node *node)
{
    while (node) {
        struct km_yaml_node *next = node->next;

        free_nodes(node->child);
        free(node->key);
        free(node->text);
        free(node);
        node = next;
    }
}

static struct km_yaml_node *new_node(const yaml_event_t *ev, enum km_yaml_kind kind)
{
    struct km_yaml_node *node = calloc(1, sizeof(*node));

    if (!node)
        return NULL;
    node->kind = kind;
    node->line = (int)ev->start_mark.line + 1;
    node->col = (int)ev->start_mark.column + 1;
    return node;
}

static int refuse_anchor(struct build *b, const yaml_event_t *ev)
{
    const yaml_char_t *anchor = NULL, *tag = NULL;

    switch (ev->type) {
    case YAML_ALIAS_EVENT:
        return fail_at(b, &ev->start_mark, "YAML aliases are not supported here, write the value");
    case YAML_SCALAR_EVENT:
        anchor = ev->data.scalar.anchor;
        tag = ev->data.scalar.tag;
        break;
    case YAML_MAPPING_START_EVENT:
        anchor = ev->data.mapping_start.anchor;
        tag = ev->data.mapping_start.tag;
        break;
    case YAML_SEQUENCE_START_EVENT:
        anchor = ev->data.sequence_start.anchor;
        tag = ev->data.sequence_start.tag;
        break;
    default:
        break;
    }
    if (anchor)
        return fail_at(b, &ev->start_mark, "YAML anchors are not supported here, write the value");
    if (tag)
        return fail_at(b, &ev->start_mark, "YAML tags are not supported here, write the plain value");
    return KM_OK;
}

static int build_node(struct build *b, const yaml_event_t *ev, unsigned depth,
                      struct km_yaml_node **out);

static int build_scalar(struct build *b, const yaml_event_t *ev, struct km_yaml_node **out)
{
    struct km_yaml_node *node = new_node(ev, KM_YAML_SCALAR);

    if (!node)
        return km_fail(b->err, KM_E_NOMEM, b->doc->name, 0, 0, "out of memory");
    *out = node;
    node->quoted = ev->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
    if (memchr(ev->data.scalar.value, 0, ev->data.scalar.length))
        return fail_at(b, &ev->start_mark, "a value must not contain a zero byte");
    node->text = copy_text(ev->data.scalar.value, ev->data.scalar.length);
    if (!node->text)
        return km_fail(b->err, KM_E_NOMEM, b->doc->name, 0, 0, "out of memory");
    return KM_OK;
}

/* One "key: value" of a mapping whose key event is ev. */
static int build_entry(struct build *b, const yaml_event_t *ev, unsigned depth,
                       struct km_yaml_node **out)
{
    yaml_event_t value;
    char *key;
    int rc = refuse_anchor(b, ev);

    if (rc)
        return rc;
    if (ev->type != YAML_SCALAR_EVENT)
        return fail_at(b, &ev->start_mark, "a key must be a plain word");
    if (memchr(ev->data.scalar.value, 0, ev->data.scalar.length))
        return fail_at(b, &ev->start_mark, "a key must not contain a zero byte");
    rc = next_event(b, &value);
    if (rc)
        return rc;
    rc = build_node(b, &value, depth, out);
    yaml_event_delete(&value);
    if (rc)
        return rc;
    key = copy_text(ev->data.scalar.value, ev->data.scalar.length);
    if (!key)
        return km_fail(b->err, KM_E_NOMEM, b->doc->name, 0, 0, "out of memory");
    (*out)->key = key;
    (*out)->key_line = (int)ev->start_mark.line + 1;
    (*out)->key_col = (int)ev->start_mark.column + 1;
    return KM_OK;
}

static int build_children(struct build *b, struct km_yaml_node *parent, yaml_event_type_t end,
                          unsigned depth)
{
    struct km_yaml_node **tail = &parent->child;

    for (;;) {
        yaml_event_t ev;
        int rc = next_event(b, &ev);

        if (rc)
            return rc;
        if (ev.type == end) {
            yaml_event_delete(&ev);
            return KM_OK;
        }
        rc = parent->kind == KM_YAML_MAP ? build_entry(b, &ev, depth, tail)
                                         : build_node(b, &ev, depth, tail);
        yaml_event_delete(&ev);
        if (rc)
            return rc;
        tail = &(*tail)->next;
    }
}

static int build_node(struct build *b, const yaml_event_t *ev, unsigned depth,
                      struct km_yaml_node **out)
{
    int rc = refuse_anchor(b, ev);

    if (rc)
        return rc;
    if (ev->type == YAML_SCALAR_EVENT)
        return build_scalar(b, ev, out);
    if (depth >= KM_YAML_MAX_DEPTH)
        return fail_at(b, &ev->start_mark, "nested too deeply");
    bool map = ev->type == YAML_MAPPING_START_EVENT;

    *out = new_node(ev, map ? KM_YAML_MAP : KM_YAML_LIST);
    if (!*out)
        return km_fail(b->err, KM_E_NOMEM, b->doc->name, 0, 0, "out of memory");
    return build_children(b, *out, map ? YAML_MAPPING_END_EVENT : YAML_SEQUENCE_END_EVENT, depth + 1);
}

/* The events around the one document of a file. */
static int build_document(struct build *b)
{
    bool have_document = false;

    for (;;) {
        yaml_event_t ev;
        bool done;
        int rc = next_event(b, &ev);

        if (rc)
            return rc;
        done = ev.type == YAML_STREAM_END_EVENT;
        if (ev.type == YAML_DOCUMENT_START_EVENT && have_document)
            rc = fail_at(b, &ev.start_mark, "a configuration is one YAML document, a second starts here");
        else if (ev.type == YAML_DOCUMENT_START_EVENT)
            have_document = true;
        else if (ev.type == YAML_ALIAS_EVENT || ev.type == YAML_SCALAR_EVENT ||
                 ev.type == YAML_MAPPING_START_EVENT || ev.type == YAML_SEQUENCE_START_EVENT)
            rc = build_node(b, &ev, 0, &b->doc->root);
        yaml_event_delete(&ev);
        if (rc || done)
            return rc;
    }
}

int km_yaml_parse(struct km_yaml_doc **out, const char *name, const char *text, size_t len,
                  struct km_err *err)
{
    struct build b = {.err = err};
    int rc;

    *out = NULL;
    b.doc = calloc(1, sizeof(*b.doc));
    if (!b.doc)
        return km_fail(err, KM_E_NOMEM, name, 0, 0, "out of memory");
    b.doc->name = strdup(name);
    b.doc->text = copy_text((const unsigned char *)text, len);
    b.doc->len = len;
    if (!b.doc->name || !b.doc->text || !yaml_parser_initialize(&b.parser)) {
        km_yaml_free(b.doc);
        return km_fail(err, KM_E_NOMEM, name, 0, 0, "out of memory");
    }
    yaml_parser_set_encoding(&b.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&b.parser, (const unsigned char *)text, len);
    rc = build_document(&b);
    yaml_parser_delete(&b.parser);
    if (rc) {
        km_yaml_free(b.doc);
        return rc;
    }
    *out = b.doc;
    return KM_OK;
}

int km_yaml_read(struct km_yaml_doc **out, const char *path, struct km_err *err)
{
    FILE *f = fopen(path, "rb");
    char *text = NULL;
    size_t len;
    int rc;

    *out = NULL;
    if (!f)
        return km_fail(err, KM_E_USAGE, path, 0, 0, "cannot open configuration: %s", strerror(errno));
    text = malloc(MAX_FILE_BYTES + 1);
    if (!text) {
        fclose(f);
        return km_fail(err, KM_E_NOMEM, path, 0, 0, "out of memory");
    }
    errno = 0;
    len = fread(text, 1, MAX_FILE_BYTES + 1, f);
    if (ferror(f))
        rc = km_fail(err, KM_E_USAGE, path, 0, 0, "cannot read configuration: %s", strerror(errno));
    else if (len > MAX_FILE_BYTES)
        rc = km_fail(err, KM_E_USAGE, path, 0, 0, "larger than %u bytes: not a configuration",
                     MAX_FILE_BYTES);
    else
        rc = km_yaml_parse(out, path, text, len, err);
    fclose(f);
    free(text);
    return rc;
}

void km_yaml_free(struct km_yaml_doc *doc)
{
    if (!doc)
        return;
    free_nodes(doc->root);
    free(doc->name);
    free(doc->text);
    free(doc);
}

const struct km_yaml_node *km_yaml_get(const struct km_yaml_node *map, const char *key)
{
    if (!map || map->kind != KM_YAML_MAP)
        return NULL;
    for (const struct km_yaml_node *n = map->child; n; n = n->next)
        if (strcmp(n->key, key) == 0)
            return n;
    return NULL;
}

const char *km_yaml_kind_name(const struct km_yaml_node *node)
{
    switch (node->kind) {
    case KM_YAML_MAP:
        return "a section";
    case KM_YAML_LIST:
        return "a list";
    default:
        return "a single value";
    }
}

bool km_yaml_line_after(const struct km_yaml_doc *doc, int line, const char *marker, char *out,
                        size_t size)
{
    const char *start = doc->text;

    for (int i = 1; i < line; i++) {
        start = strchr(start, '\n');
        if (!start)
            return false;
        start++;
    }
    size_t len = strcspn(start, "\n");
    const char *end = start + len, *after = NULL;

    for (const char *p = start; (p = memmem(p, (size_t)(end - p), marker, strlen(marker)));)
        after = p += strlen(marker);
    if (!after)
        return false;
    len = (size_t)(end - after);
    snprintf(out, size, "%.*s", (int)(len < size ? len : size - 1), after);
    return true;
}
