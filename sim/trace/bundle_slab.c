/* SPDX-License-Identifier: MIT
 * bundle_slab.c - slabinfo, slab_attrs, slab_state and slab_aliases, joined to one row per cache.
 *
 * slabinfo names a cache by its first name, sysfs by an id: the same name, or ":0000032" for caches
 * that merge; slab_aliases ("name -> id") connects the two. A cache known from one side only keeps
 * its row.
 */
#include "sim/trace/bundle_file.h"
#include "sim/trace/scan.h"

#include <stdlib.h>
#include <string.h>

static void copy_name(char *to, const char *from)
{
    size_t length = strnlen(from, 63);

    memcpy(to, from, length);
    to[length] = '\0';
}

static struct km_slab_facts *find_id(struct km_proc_state *state, const char *id)
{
    for (unsigned i = 0; i < state->nr_caches; i++)
        if (strcmp(state->cache[i].sysfs_id, id) == 0)
            return &state->cache[i];
    return NULL;
}

static const char *id_of_name(const struct km_proc_state *state, const char *name)
{
    for (unsigned i = 0; i < state->nr_aliases; i++)
        if (strcmp(state->alias[i].name, name) == 0)
            return state->alias[i].sysfs_id;
    return name;
}

static int too_many(const char *file, int line, struct km_err *err)
{
    return km_fail(err, KM_E_INPUT, file, line, 0, "more than %d slab caches",
                   KM_BUNDLE_MAX_CACHES);
}

static int alias_line(void *ctx, const char *file, int line, const char *text, struct km_err *err)
{
    struct km_proc_state *state = ctx;
    struct km_slab_alias alias;

    if (*km_scan_blanks(text) == '\0' || *text == '#')
        return KM_OK;
    if (!km_scan_name(&text, alias.name, sizeof(alias.name)) || !km_scan_word(&text, "->") ||
        !km_scan_name(&text, alias.sysfs_id, sizeof(alias.sysfs_id)))
        return km_fail(err, KM_E_INPUT, file, line, 0, "not a line of slab_aliases");
    if (state->nr_aliases == KM_BUNDLE_MAX_CACHES)
        return too_many(file, line, err);
    state->alias[state->nr_aliases++] = alias;
    return KM_OK;
}

static int slabinfo_line(void *ctx, const char *file, int line, const char *text,
                         struct km_err *err)
{
    struct km_proc_state *state = ctx;
    struct km_mark_slabinfo info;
    struct km_slab_facts *cache;

    if (*text == '#' || *km_scan_blanks(text) == '\0' ||
        strncmp(text, "slabinfo - version", 18) == 0)
        return KM_OK;
    if (!km_mark_slabinfo(text, &info))
        return km_fail(err, KM_E_INPUT, file, line, 0, "not a line of slabinfo");
    if (state->nr_caches == KM_BUNDLE_MAX_CACHES)
        return too_many(file, line, err);
    cache = &state->cache[state->nr_caches++];
    memset(cache, 0, sizeof(*cache));
    copy_name(cache->name, info.cache);
    copy_name(cache->sysfs_id, id_of_name(state, info.cache));
    cache->slab_size = (uint32_t)info.objsize;
    cache->objs_per_slab = (uint32_t)info.objs_per_slab;
    cache->order =
        info.pages_per_slab > 1 ? 63u - (unsigned)__builtin_clzll(info.pages_per_slab) : 0;
    cache->active_objs = info.active_objs;
    cache->num_objs = info.num_objs;
    cache->num_slabs = info.num_slabs;
    return KM_OK;
}

static int attrs_line(void *ctx, const char *file, int line, const char *text, struct km_err *err)
{
    struct km_proc_state *state = ctx;
    struct km_slab_facts *cache;
    char id[64];
    uint32_t value[8] = {0};

    if (*text == '#' || *km_scan_blanks(text) == '\0')
        return KM_OK;
    if (!km_scan_name(&text, id, sizeof(id)))
        return km_fail(err, KM_E_INPUT, file, line, 0, "not a line of slab_attrs");
    for (size_t i = 0; i < KM_ARRAY_LEN(value); i++)
        if (!km_scan_u32(&text, &value[i]))
            return km_fail(err, KM_E_INPUT, file, line, 0, "not a line of slab_attrs");
    cache = find_id(state, id);
    if (!cache) {
        if (state->nr_caches == KM_BUNDLE_MAX_CACHES)
            return too_many(file, line, err);
        cache = &state->cache[state->nr_caches++];
        memset(cache, 0, sizeof(*cache));
        copy_name(cache->name, id);
        copy_name(cache->sysfs_id, id);
    }
    cache->object_size = value[0];
    cache->slab_size = value[1];
    cache->objs_per_slab = value[2];
    cache->order = value[3];
    cache->align = value[4];
    cache->cpu_partial = value[5];
    cache->min_partial = value[6];
    cache->aliases = value[7];
    return KM_OK;
}

/* ":0000032/objects:768"; attributes we do not keep are passed over. */
static int state_line(void *ctx, const char *file, int line, const char *text, struct km_err *err)
{
    struct km_proc_state *state = ctx;
    const char *slash = strrchr(text, '/');
    struct km_slab_facts *cache;
    char id[64];
    uint64_t value;

    if (*km_scan_blanks(text) == '\0')
        return KM_OK;
    if (!slash || slash == text || slash - text >= (long)sizeof(id))
        return km_fail(err, KM_E_INPUT, file, line, 0, "not a line of slab_state");
    memcpy(id, text, (size_t)(slash - text));
    id[slash - text] = '\0';
    cache = find_id(state, id);
    if (!cache)
        return KM_OK;
    text = slash + 1;
    if (km_scan_word(&text, "objects:") && km_scan_u64(&text, &value))
        cache->state_objects = value;
    else if (km_scan_word(&text, "partial:") && km_scan_u64(&text, &value))
        cache->state_partial = value;
    else if (km_scan_word(&text, "slabs:") && km_scan_u64(&text, &value))
        cache->state_slabs = value;
    else if (km_scan_word(&text, "cpu_slabs:") && km_scan_u64(&text, &value))
        cache->state_cpu_slabs = value;
    return KM_OK;
}

int km_bundle_slab_files(struct km_proc_state *out, struct km_err *err)
{
    int rc;

    out->cache = calloc(KM_BUNDLE_MAX_CACHES, sizeof(*out->cache));
    out->alias = calloc(KM_BUNDLE_MAX_CACHES, sizeof(*out->alias));
    if (!out->cache || !out->alias)
        return km_fail(err, KM_E_NOMEM, out->dir, 0, 0, "no memory for the slab caches");
    rc = km_bundle_lines(out->dir, "slab_aliases", alias_line, out, NULL, err);
    if (rc == KM_OK)
        rc = km_bundle_lines(out->dir, "slabinfo", slabinfo_line, out, NULL, err);
    if (rc == KM_OK)
        rc = km_bundle_lines(out->dir, "slab_attrs", attrs_line, out, NULL, err);
    if (rc == KM_OK)
        rc = km_bundle_lines(out->dir, "slab_state", state_line, out, NULL, err);
    return rc;
}
