/* SPDX-License-Identifier: MIT
 * test_yaml_doc.c - the YAML tree: structure, positions, and what is refused.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "sim/config/yaml_doc.h"

static struct km_yaml_doc *parse(const char *text)
{
    struct km_yaml_doc *doc;
    struct km_err err = {0};
    int rc = km_yaml_parse(&doc, "t.yaml", text, strlen(text), &err);

    if (rc)
        print_error("%s:%d:%d: %s\n", err.file, err.line, err.col, err.msg);
    assert_int_equal(rc, KM_OK);
    return doc;
}

static void refused(const char *text, size_t len, int line, int col, const char *part)
{
    struct km_yaml_doc *doc = (struct km_yaml_doc *)1;
    struct km_err err = {0};

    assert_int_equal(km_yaml_parse(&doc, "t.yaml", text, len, &err), KM_E_USAGE);
    assert_null(doc);
    assert_string_equal(err.file, "t.yaml");
    if (!strstr(err.msg, part))
        print_error("got: %s\n", err.msg);
    assert_non_null(strstr(err.msg, part));
    assert_int_equal(err.line, line);
    assert_int_equal(err.col, col);
}

static void tree_and_positions(void **state)
{
    struct km_yaml_doc *doc = parse("a: 1\nb:\n  c: [x, 'y z']\n  d: {e: \"\"}\n");
    const struct km_yaml_node *b = km_yaml_get(doc->root, "b");
    const struct km_yaml_node *c = km_yaml_get(b, "c"), *d = km_yaml_get(b, "d");

    (void)state;
    assert_string_equal(km_yaml_get(doc->root, "a")->text, "1");
    assert_int_equal(b->kind, KM_YAML_MAP);
    assert_int_equal(c->kind, KM_YAML_LIST);
    assert_int_equal(c->key_line, 3);
    assert_int_equal(c->key_col, 3);
    assert_int_equal(c->col, 6);
    assert_string_equal(c->child->text, "x");
    assert_false(c->child->quoted);
    assert_string_equal(c->child->next->text, "y z");
    assert_true(c->child->next->quoted);
    assert_int_equal(c->child->next->col, 10);
    assert_null(c->child->next->next);
    assert_string_equal(km_yaml_get(d, "e")->text, "");
    assert_true(km_yaml_get(d, "e")->quoted);
    assert_null(km_yaml_get(d, "nothing"));
    assert_null(km_yaml_get(c, "x"));
    km_yaml_free(doc);
}

static void duplicates_stay(void **state)
{
    struct km_yaml_doc *doc = parse("a: 1\na: 2\n");

    (void)state;
    assert_string_equal(doc->root->child->text, "1");
    assert_string_equal(doc->root->child->next->text, "2");
    assert_int_equal(doc->root->child->next->key_line, 2);
    km_yaml_free(doc);
}

static void empty_documents(void **state)
{
    static const char *const text[] = {"", "# nothing\n", "---\n"};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct km_yaml_doc *doc = parse(text[i]);

        assert_null(doc->root);
        km_yaml_free(doc);
    }
    struct km_yaml_doc *doc = parse(text[2]);

    assert_int_equal(doc->root->kind, KM_YAML_SCALAR);
    km_yaml_free(doc);
}

static void refusals(void **state)
{
    char deep[128];

    (void)state;
    refused("a: [1\n", 6, 2, 1, "not valid YAML");
    refused("a: 1\n b: 2\n", 11, 2, 3, "not valid YAML");
    refused("a: &x 1\n", 8, 1, 4, "anchors are not supported");
    refused("a: &x {b: *x}\n", 14, 1, 4, "anchors are not supported");
    refused("a: *x\n", 6, 1, 4, "aliases are not supported");
    refused("a: !!int 1\n", 11, 1, 4, "tags are not supported");
    refused("[1]: 2\n", 7, 1, 1, "plain word");
    refused("a: 1\n---\nb: 2\n", 14, 2, 1, "one YAML document");
    refused("a: \xff\xfe\n", 6, 0, 0, "not a text file");
    refused("a: \"x\\0y\"\n", 10, 1, 4, "zero byte");
    memset(deep, '[', sizeof(deep));
    refused(deep, sizeof(deep), 1, KM_YAML_MAX_DEPTH + 1, "nested too deeply");
}

static void files(void **state)
{
    struct km_yaml_doc *doc;
    struct km_err err = {0};

    (void)state;
    assert_int_equal(km_yaml_read(&doc, "/nonexistent/x.yaml", &err), KM_E_USAGE);
    assert_string_equal(err.file, "/nonexistent/x.yaml");
    assert_non_null(strstr(err.msg, "No such file"));
    assert_int_equal(km_yaml_read(&doc, "/", &err), KM_E_USAGE);
    assert_non_null(strstr(err.msg, "directory"));
}

static void comment_of_a_line(void **state)
{
    struct km_yaml_doc *doc = parse("a: 1 # from x\nb: '# from y' # h # from z:3\nc: 2\n");
    char out[16];

    (void)state;
    assert_true(km_yaml_line_after(doc, 1, "# from ", out, sizeof(out)));
    assert_string_equal(out, "x");
    assert_true(km_yaml_line_after(doc, 2, "# from ", out, sizeof(out)));
    assert_string_equal(out, "z:3");
    assert_false(km_yaml_line_after(doc, 3, "# from ", out, sizeof(out)));
    assert_false(km_yaml_line_after(doc, 99, "# from ", out, sizeof(out)));
    assert_true(km_yaml_line_after(doc, 2, "# from ", out, 3));
    assert_string_equal(out, "z:");
    km_yaml_free(doc);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tree_and_positions), cmocka_unit_test(duplicates_stay),
        cmocka_unit_test(empty_documents),    cmocka_unit_test(refusals),
        cmocka_unit_test(files),              cmocka_unit_test(comment_of_a_line),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
