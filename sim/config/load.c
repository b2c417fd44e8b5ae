/* SPDX-License-Identifier: MIT
 * load.c - configuration files, their extends:, DRAM presets and --set overrides to one struct km_config.
 *
 * Layers are applied in order, later ones win: table defaults; for each file first the files it extends (in
 * the order written), then the DRAM preset it names, then its own keys; at last the --set overrides (again
 * preset first). Every value is checked when it is applied, also if a later one replaces it, and every
 * problem is reported, so that one look at the messages shows all there is to repair.
 * Files are looked for as km_config_find says; a relative workload.trace as find_path says.
 */
#include "sim/config/config.h"

#include <ctype.h>
#include <dirent.h>
#include <libgen.h>
#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sim/base/suggest.h"
#include "sim/config/origin.h"
#include "sim/config/yaml_doc.h"

#define MAX_ERRORS 40 /* after that the rest is noise */
#define MAX_FILES 64
#define RESOLVED_HEADER "# kmemsim: resolved configuration"
#define ORIGIN_MARKER "# from "

struct frame { /* files that are being read, innermost first */
    const struct frame *outer;
    dev_t dev;
    ino_t ino;
};

struct loader {
    struct km_config *cfg;
    struct km_origins *origins;
    km_config_report_fn *report;
    void *ctx;
    unsigned nr_errors, nr_files;
};

/* The file values are taken from. */
struct source {
    const struct km_yaml_doc *doc; /* NULL: --set                         */
    const char *file;              /* for messages, anchor of relative paths */
    const char *shown;             /* for dumps                            */
    bool resolved;                 /* a dump: its comments tell the origins */
};

struct place {
    int line, col;
};

__attribute__((format(printf, 5, 6))) static void complain(struct loader *l, const char *file,
                                                           struct place at, const char *key,
                                                           const char *fmt, ...)
{
    struct km_err err;
    char text[600];
    va_list ap;

    if (l->nr_errors++ >= MAX_ERRORS)
        return;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    km_fail(&err, KM_E_USAGE, file, at.line, at.col, "%s%s%s", key ? key : "", key ? ": " : "", text);
    for (char *p = err.msg; *p; p++) /* keys and values of the file may hold control characters */
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            *p = '?';
    if (l->report)
        l->report(l->ctx, &err);
}

static void complain_err(struct loader *l, const struct km_err *err)
{
    if (l->nr_errors++ < MAX_ERRORS && l->report)
        l->report(l->ctx, err);
}

/* ---- finding files ---- */

static bool is_file(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && !S_ISDIR(st.st_mode);
}

__attribute__((format(printf, 3, 4))) static bool make_path(char *out, size_t size, const char *fmt, ...)
{
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vsnprintf(out, size, fmt, ap);
    va_end(ap);
    return n > 0 && (size_t)n < size;
}

/* Absolute folder of a file (or the working directory); false if that is too long or gone. */
static bool folder_of(char *out, size_t size, const char *file)
{
    char copy[PATH_MAX], full[PATH_MAX];

    if (!make_path(copy, sizeof(copy), "%s", file) || !realpath(dirname(copy), full))
        return false;
    return make_path(out, size, "%s", full);
}

/* Cuts the last component; false at the root. */
static bool parent_of(char *dir)
{
    char *slash = strrchr(dir, '/');

    if (!slash || !dir[1])
        return false;
    slash[slash == dir] = '\0';
    return true;
}

static bool is_configs_folder(const char *dir)
{
    const char *slash = strrchr(dir, '/');

    return slash && strcmp(slash, "/configs") == 0;
}

bool km_config_find(char *out, size_t size, const char *from_file, const char *entry)
{
    char dir[PATH_MAX];
    const char *env = getenv("KMEMSIM_CONFIGS");
    bool first = true;

    if (entry[0] == '/')
        return make_path(out, size, "%s", entry) && is_file(out);
    if (from_file && folder_of(dir, sizeof(dir), from_file)) {
        do {
            if ((first || is_configs_folder(dir)) && make_path(out, size, "%s/%s", dir, entry) &&
                is_file(out))
                return true;
            if (make_path(out, size, "%s/configs/%s", dir, entry) && is_file(out))
                return true;
            first = false;
        } while (parent_of(dir));
    }
    if (env && make_path(out, size, "%s/%s", env, entry) && is_file(out))
        return true;
    return make_path(out, size, "%s/%s", KM_CONFIGS_DIR, entry) && is_file(out);
}

/* A relative path of a file: as it is if it exists from the working directory, else from the folder of the
 * file that names it or the closest folder above that has it; unchanged if nothing has it. */
static void find_path(char *value, size_t size, const char *from_file)
{
    char dir[PATH_MAX], found[PATH_MAX];

    if (!value[0] || value[0] == '/' || access(value, F_OK) == 0)
        return;
    if (folder_of(dir, sizeof(dir), from_file)) {
        do {
            if (make_path(found, sizeof(found), "%s/%s", dir, value) && access(found, F_OK) == 0 &&
                strlen(found) < size) {
                memcpy(value, found, strlen(found) + 1);
                return;
            }
        } while (parent_of(dir));
    }
    if (make_path(found, sizeof(found), "%s/../%s", KM_CONFIGS_DIR, value) &&
        access(found, F_OK) == 0 && strlen(found) < size)
        memcpy(value, found, strlen(found) + 1);
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Names of the .yaml files beside KM_CONFIGS_DIR/<sub>/, sorted, joined by ", "; also offered to near. */
static void list_presets(const char *sub, char *out, size_t size)
{
    char path[PATH_MAX], *name[64];
    size_t nr = 0, len = 0;
    const char *env = getenv("KMEMSIM_CONFIGS");
    struct dirent *e;
    DIR *dir;

    out[0] = '\0';
    if (!make_path(path, sizeof(path), "%s/%s", env ? env : KM_CONFIGS_DIR, sub))
        return;
    dir = opendir(path);
    if (!dir)
        return;
    while (nr < 64 && (e = readdir(dir))) {
        const char *dot = strrchr(e->d_name, '.');

        if (dot && dot != e->d_name && strcmp(dot, ".yaml") == 0 && (name[nr] = strdup(e->d_name)))
            name[nr++][dot - e->d_name] = '\0';
    }
    closedir(dir);
    qsort(name, nr, sizeof(*name), compare_names);
    for (size_t i = 0; i < nr; i++) {
        if (len < size)
            len += (size_t)snprintf(out + len, size - len, "%s%s", len ? ", " : "", name[i]);
        free(name[i]);
    }
}

/* The word of a ", " list closest to what was typed. */
static bool nearest_of(const char *list, const char *typed, char *out, size_t size)
{
    struct km_suggest near;
    char copy[512], *save = NULL;

    snprintf(copy, sizeof(copy), "%s", list);
    km_suggest_init(&near, typed);
    for (char *w = strtok_r(copy, ", ", &save); w; w = strtok_r(NULL, ", ", &save))
        km_suggest_offer(&near, w);
    if (near.best)
        snprintf(out, size, ", did you mean '%s'?", near.best);
    else
        out[0] = '\0';
    return near.best != NULL;
}

/* ---- applying values ---- */

static void remember(struct loader *l, size_t i, const struct source *src, struct place at)
{
    struct km_origin *o = &l->origins->of[i];

    snprintf(o->file, sizeof(o->file), "%s", src->file);
    o->line = at.line;
    o->col = at.col;
    o->order = ++l->origins->last_order;
    if (!src->doc)
        snprintf(o->shown, sizeof(o->shown), "%s", src->shown);
    else if (!src->resolved ||
             !km_yaml_line_after(src->doc, at.line, ORIGIN_MARKER, o->shown, sizeof(o->shown)))
        snprintf(o->shown, sizeof(o->shown), "%s:%d", src->shown, at.line);
}

static void apply(struct loader *l, size_t i, const char *text, const struct source *src,
                  struct place at)
{
    const struct km_option *o = &l->origins->option[i];
    char *member = (char *)l->cfg + o->offset;
    char msg[512];
    uint64_t number;

    if (!km_value_parse(o->field, text, &number, msg, sizeof(msg))) {
        complain(l, src->file, at, o->path, "%s", msg);
        return;
    }
    km_value_store(o->field, member, number, text);
    if (o->field->type == KM_FIELD_PATH && src->doc)
        find_path(member, o->field->size, src->file);
    remember(l, i, src, at);
}

static long option_index(const struct loader *l, const char *path)
{
    for (size_t i = 0; i < l->origins->nr; i++)
        if (strcmp(l->origins->option[i].path, path) == 0)
            return (long)i;
    return -1;
}

static const struct km_section *section_at(const char *path)
{
    for (size_t i = 0; i < km_nr_sections; i++)
        if (strcmp(km_sections[i].path, path) == 0)
            return &km_sections[i];
    return NULL;
}

/* The part of an option or section path below prefix; NULL if it is not directly below. */
static const char *child_of(const char *path, const char *prefix)
{
    size_t len = strlen(prefix);

    if (len && (strncmp(path, prefix, len) != 0 || path[len] != '.'))
        return NULL;
    path += len ? len + 1 : 0;
    return path[0] && !strchr(path, '.') ? path : NULL;
}

/* "did you mean": first among the keys that fit here, then the same key elsewhere. */
static void suggest_key(const struct loader *l, const char *prefix, const char *key, char *out,
                        size_t size)
{
    struct km_suggest near;

    out[0] = '\0';
    km_suggest_init(&near, key);
    for (size_t i = 0; i < l->origins->nr; i++) {
        const char *c = child_of(l->origins->option[i].path, prefix);

        if (c)
            km_suggest_offer(&near, c);
    }
    for (size_t i = 0; i < km_nr_sections; i++) {
        const char *c = child_of(km_sections[i].path, prefix);

        if (c)
            km_suggest_offer(&near, c);
    }
    if (!prefix[0] && strcmp(key, "extends") == 0) {
        snprintf(out, size, " here: extends belongs into a configuration file");
        return;
    }
    if (!prefix[0])
        km_suggest_offer(&near, "extends");
    if (near.best) {
        snprintf(out, size, ", did you mean '%s'?", near.best);
        return;
    }
    for (size_t i = 0; i < l->origins->nr; i++) {
        if (strcmp(l->origins->option[i].field->key, key) == 0) {
            snprintf(out, size, ", did you mean '%s'?", l->origins->option[i].path);
            return;
        }
    }
}

static void bind_map(struct loader *l, const struct km_yaml_node *map, const char *prefix,
                     const struct source *src);

static const struct km_yaml_node *earlier_twin(const struct km_yaml_node *map,
                                               const struct km_yaml_node *node)
{
    const struct km_yaml_node *first = km_yaml_get(map, node->key);

    return first == node ? NULL : first;
}

static bool is_empty(const struct km_yaml_node *node)
{
    return node->kind == KM_YAML_SCALAR && !node->quoted &&
           (!node->text[0] || strcmp(node->text, "~") == 0 || strcmp(node->text, "null") == 0);
}

static void bind_option(struct loader *l, size_t i, const struct km_yaml_node *node,
                        const struct source *src)
{
    struct place at = {node->line, node->col};
    const struct km_option *o = &l->origins->option[i];

    if (node->kind != KM_YAML_SCALAR) {
        complain(l, src->file, at, o->path, "wrong type: needs a single value, not %s",
                 km_yaml_kind_name(node));
        return;
    }
    if (is_empty(node)) {
        char allowed[256];

        km_value_allowed(o->field, allowed, sizeof(allowed));
        complain(l, src->file, at, o->path, "has no value (allowed %s)", allowed);
        return;
    }
    apply(l, i, node->text, src, at);
}

static void bind_entry(struct loader *l, const struct km_yaml_node *map,
                       const struct km_yaml_node *node, const char *prefix, const struct source *src)
{
    struct place key_at = {node->key_line, node->key_col};
    const struct km_yaml_node *twin = earlier_twin(map, node);
    char path[128], hint[96];
    long i;

    snprintf(path, sizeof(path), "%s%s%.60s", prefix, prefix[0] ? "." : "", node->key);
    if (twin) {
        complain(l, src->file, key_at, path, "written twice, first in line %d", twin->key_line);
        return;
    }
    if (!prefix[0] && strcmp(node->key, "extends") == 0)
        return;
    i = option_index(l, path);
    if (i >= 0) {
        bind_option(l, (size_t)i, node, src);
    } else if (!section_at(path) || !path[0]) {
        suggest_key(l, prefix, node->key, hint, sizeof(hint));
        complain(l, src->file, key_at, path, "unknown key%s", hint);
    } else if (node->kind == KM_YAML_MAP) {
        bind_map(l, node, path, src);
    } else if (!is_empty(node)) {
        complain(l, src->file, (struct place){node->line, node->col}, path,
                 "wrong type: a section with keys below it, not %s", km_yaml_kind_name(node));
    }
}

static void bind_map(struct loader *l, const struct km_yaml_node *map, const char *prefix,
                     const struct source *src)
{
    for (const struct km_yaml_node *n = map->child; n && l->nr_errors < MAX_ERRORS; n = n->next)
        bind_entry(l, map, n, prefix, src);
}

/* ---- layers ---- */

static void load_file(struct loader *l, const char *path, const char *shown, const struct frame *outer);

static void load_preset(struct loader *l, const char *name, const struct source *src, struct place at)
{
    char entry[96], path[KM_PATH_MAX], known[400], hint[96];

    if (!name[0])
        return;
    if (!strchr(name, '/') && make_path(entry, sizeof(entry), "dram/%s.yaml", name) &&
        km_config_find(path, sizeof(path), src->doc ? src->file : NULL, entry)) {
        load_file(l, path, entry, NULL);
        return;
    }
    list_presets("dram", known, sizeof(known));
    nearest_of(known, name, hint, sizeof(hint));
    complain(l, src->file, at, "machine.dram.preset", "unknown preset '%.60s'%s (allowed %s)", name,
             hint, known);
}

static void load_extended(struct loader *l, const struct km_yaml_node *node, const struct source *src,
                          const struct frame *frame)
{
    struct place at = {node->line, node->col};
    char path[KM_PATH_MAX], known[400], hint[96] = "", sub[64];
    const char *slash;

    if (node->kind != KM_YAML_SCALAR || is_empty(node)) {
        complain(l, src->file, at, "extends", "wrong type: needs file names, not %s",
                 is_empty(node) ? "an empty value" : km_yaml_kind_name(node));
        return;
    }
    if (km_config_find(path, sizeof(path), src->file, node->text)) {
        const struct frame *f = frame;
        struct stat st;

        for (; f && stat(path, &st) == 0; f = f->outer) {
            if (f->dev == st.st_dev && f->ino == st.st_ino) {
                complain(l, src->file, at, "extends", "'%.200s' extends itself in a circle", node->text);
                return;
            }
        }
        load_file(l, path, node->text, frame);
        return;
    }
    slash = strchr(node->text, '/');
    snprintf(sub, sizeof(sub), "%.*s", slash ? (int)(slash - node->text) : 0, node->text);
    list_presets(sub, known, sizeof(known));
    if (slash) {
        char base[64];

        snprintf(base, sizeof(base), "%.*s", (int)strcspn(slash + 1, "."), slash + 1);
        nearest_of(known, base, hint, sizeof(hint));
    }
    complain(l, src->file, at, "extends", "no such file '%.200s'%s (%s%s%s: %s)", node->text, hint,
             "known in configs", sub[0] ? "/" : "", sub, known[0] ? known : "none");
}

static void load_extends(struct loader *l, const struct km_yaml_node *root, const struct source *src,
                         const struct frame *frame)
{
    const struct km_yaml_node *node = km_yaml_get(root, "extends");

    if (!node)
        return;
    if (node->kind == KM_YAML_LIST) {
        for (const struct km_yaml_node *n = node->child; n && l->nr_errors < MAX_ERRORS; n = n->next)
            load_extended(l, n, src, frame);
        return;
    }
    load_extended(l, node, src, frame);
}

static void load_doc(struct loader *l, const struct km_yaml_doc *doc, const char *path,
                     const char *shown, const struct frame *frame)
{
    struct source src = {.doc = doc, .file = path, .shown = shown};
    const struct km_yaml_node *dram, *preset;

    if (!doc->root || is_empty(doc->root))
        return;
    if (doc->root->kind != KM_YAML_MAP) {
        complain(l, path, (struct place){doc->root->line, doc->root->col}, NULL,
                 "a configuration consists of 'key: value' lines, not of %s",
                 km_yaml_kind_name(doc->root));
        return;
    }
    src.resolved = strncmp(doc->text, RESOLVED_HEADER, strlen(RESOLVED_HEADER)) == 0;
    load_extends(l, doc->root, &src, frame);
    dram = km_yaml_get(km_yaml_get(doc->root, "machine"), "dram");
    preset = km_yaml_get(dram, "preset");
    if (preset && preset->kind == KM_YAML_SCALAR && !is_empty(preset))
        load_preset(l, preset->text, &src, (struct place){preset->line, preset->col});
    bind_map(l, doc->root, "", &src);
}

static void load_file(struct loader *l, const char *path, const char *shown, const struct frame *outer)
{
    struct frame frame = {.outer = outer};
    struct km_yaml_doc *doc;
    struct km_err err;
    struct stat st;

    if (++l->nr_files > MAX_FILES) {
        complain(l, path, (struct place){0, 0}, NULL, "more than %d configuration files", MAX_FILES);
        return;
    }
    if (stat(path, &st) == 0) {
        frame.dev = st.st_dev;
        frame.ino = st.st_ino;
    }
    if (km_yaml_read(&doc, path, &err)) {
        complain_err(l, &err);
        return;
    }
    load_doc(l, doc, path, shown, &frame);
    km_yaml_free(doc);
}

/* "a.b=c": copies the key, returns the value (NULL: no '='). */
static const char *split_set(const char *set, char *key, size_t size)
{
    const char *eq = strchr(set, '=');

    if (!eq)
        return NULL;
    while (*set == ' ')
        set++;
    snprintf(key, size, "%.*s", eq > set ? (int)(eq - set) : 0, set);
    for (size_t n = strlen(key); n && key[n - 1] == ' '; n--)
        key[n - 1] = '\0';
    return eq + 1;
}

static void apply_set(struct loader *l, const char *set, int number, const struct source *src)
{
    char key[128], hint[96] = "", prefix[128] = "", *dot;
    const char *value = split_set(set, key, sizeof(key));
    struct place at = {number, 1};
    long i;

    if (!value) {
        complain(l, src->file, at, NULL, "'%.100s': needs key=value, such as machine.cpus=2", set);
        return;
    }
    i = option_index(l, key);
    if (i >= 0) {
        at.col = (int)(value - set) + 1;
        apply(l, (size_t)i, value, src, at);
        return;
    }
    if (key[0] && section_at(key)) {
        complain(l, src->file, at, key, "is a section, set one of its keys");
        return;
    }
    dot = strrchr(key, '.');
    if (dot)
        snprintf(prefix, sizeof(prefix), "%.*s", (int)(dot - key), key);
    suggest_key(l, prefix, dot ? dot + 1 : key, hint, sizeof(hint));
    complain(l, src->file, at, key, "unknown key%s", hint);
}

static void apply_sets(struct loader *l, const char *const *sets, size_t nr_sets)
{
    struct source src = {.file = "--set", .shown = "--set"};
    char key[128];

    for (size_t i = 0; i < nr_sets; i++) {
        const char *value = split_set(sets[i], key, sizeof(key));

        if (value && strcmp(key, "machine.dram.preset") == 0)
            load_preset(l, value, &src, (struct place){(int)i + 1, (int)(value - sets[i]) + 1});
    }
    for (size_t i = 0; i < nr_sets; i++)
        apply_set(l, sets[i], (int)i + 1, &src);
}

/* ---- the whole ---- */

static void base_name(char *out, size_t size, const char *file)
{
    const char *slash = strrchr(file, '/');
    char *dot;

    snprintf(out, size, "%s", slash ? slash + 1 : file);
    dot = strrchr(out, '.');
    if (dot && dot != out && (strcmp(dot, ".yaml") == 0 || strcmp(dot, ".yml") == 0))
        *dot = '\0';
}

/* What "auto" means when no trace can tell. */
static void settle_autos(struct km_config *cfg)
{
    if (cfg->workload.type == KM_WL_REPLAY)
        return;
    if (!cfg->machine.cpus)
        cfg->machine.cpus = 1;
    if (!cfg->machine.ram_bytes)
        cfg->machine.ram_bytes = 1ull << 30;
    if (cfg->machine.paging == KM_PAGING_AUTO)
        cfg->machine.paging = KM_PAGING_PAE;
}

static int begin(struct loader *l, struct km_config *out, const char *file,
                 km_config_report_fn *report, void *ctx)
{
    struct km_err err;

    km_config_defaults(out);
    *l = (struct loader){.cfg = out, .report = report, .ctx = ctx};
    if (strlen(file) >= sizeof(out->file))
        complain(l, NULL, (struct place){0, 0}, NULL, "the name of the configuration is too long");
    snprintf(out->file, sizeof(out->file), "%s", file);
    l->origins = calloc(1, sizeof(*l->origins));
    if (!l->origins) {
        km_fail(&err, KM_E_NOMEM, NULL, 0, 0, "out of memory");
        complain_err(l, &err);
        return KM_E_NOMEM;
    }
    out->origin = l->origins;
    l->origins->nr = km_options_list(l->origins->option);
    return l->nr_errors ? KM_E_USAGE : KM_OK;
}

static int finish(struct loader *l, const char *const *sets, size_t nr_sets)
{
    struct km_err err;

    apply_sets(l, sets, nr_sets);
    if (!l->cfg->name[0])
        base_name(l->cfg->name, sizeof(l->cfg->name), l->cfg->file);
    settle_autos(l->cfg);
    if (!l->nr_errors)
        l->nr_errors += km_config_validate(l->cfg, l->origins, l->report, l->ctx);
    if (l->nr_errors > MAX_ERRORS && l->report) {
        km_fail(&err, KM_E_USAGE, l->cfg->file, 0, 0, "more than %d problems, the rest is not shown",
                MAX_ERRORS);
        l->report(l->ctx, &err);
    }
    l->origins->loaded = *l->cfg;
    return l->nr_errors ? KM_E_USAGE : KM_OK;
}

int km_config_load(struct km_config *out, const char *file, const char *const *sets, size_t nr_sets,
                   km_config_report_fn *report, void *ctx)
{
    struct loader l;
    char shown[128];
    int rc = begin(&l, out, file, report, ctx);

    if (rc)
        return rc;
    base_name(shown, sizeof(shown) - 8, file);
    strcat(shown, ".yaml");
    load_file(&l, file, shown, NULL);
    return finish(&l, sets, nr_sets);
}

int km_config_load_text(struct km_config *out, const char *file, const char *text, size_t len,
                        const char *const *sets, size_t nr_sets, km_config_report_fn *report,
                        void *ctx)
{
    struct loader l;
    struct km_yaml_doc *doc;
    struct km_err err;
    int rc = begin(&l, out, file, report, ctx);

    if (rc)
        return rc;
    if (km_yaml_parse(&doc, file, text, len, &err)) {
        complain_err(&l, &err);
    } else {
        load_doc(&l, doc, file, file, NULL);
        km_yaml_free(doc);
    }
    return finish(&l, sets, nr_sets);
}

void km_config_release(struct km_config *cfg)
{
    free(cfg->origin);
    cfg->origin = NULL;
}
