/* SPDX-License-Identifier: MIT
 * objects_facts.c - what a bundle says about slab caches beyond struct km_slab_facts.
 *
 * slab_state lines "ID/attribute:value" give per-CPU partial slabs ("slabs_cpu_partial:256(2)
 * C0=128(1) ...": objects, then slabs in brackets) and flags; ID is the cache's name or, for caches
 * that merge, an id whose letters are flags (":aA-0000192": a reclaim-accounted, A memcg-accounted,
 * d DMA); slab_aliases connects names and ids. Lines that do not fit are passed over: the bundle
 * reader has reported damage already.
 */
#include "sim/workload/objects_priv.h"

#include "models/base/bits.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_ALIASES 1024u

struct alias {
    char name[64], id[32];
};

struct facts {
    struct km_objects *o;
    struct alias *alias;
    unsigned nr_alias;
};

static const struct km_proc_state *state_of(const struct km_objects *o)
{
    return o->p.boot ? &o->p.bundle->end : &o->p.bundle->start;
}

static void for_each_line(const char *dir, const char *file,
                          void (*line)(struct facts *f, char *text), struct facts *f)
{
    char path[512], text[512];

    snprintf(path, sizeof(path), "%s/%s", dir, file);
    FILE *in = fopen(path, "r");

    if (!in)
        return;
    while (fgets(text, sizeof(text), in)) {
        text[strcspn(text, "\r\n")] = '\0';
        line(f, text);
    }
    fclose(in);
}

static void alias_line(struct facts *f, char *text)
{
    char *arrow = strstr(text, " -> ");

    if (!arrow || f->nr_alias == MAX_ALIASES)
        return;
    *arrow = '\0';
    snprintf(f->alias[f->nr_alias].name, sizeof(f->alias[0].name), "%s", text);
    snprintf(f->alias[f->nr_alias].id, sizeof(f->alias[0].id), "%s", arrow + 4);
    f->nr_alias++;
}

static struct obj_cache *by_id(struct facts *f, const char *id)
{
    uint16_t c = km_obj_cache_find(f->o, id);

    for (unsigned i = 0; c == KM_OBJ_NO_CACHE && i < f->nr_alias; i++)
        if (!strcmp(f->alias[i].id, id))
            c = km_obj_cache_find(f->o, f->alias[i].name);
    return c == KM_OBJ_NO_CACHE ? NULL : &f->o->cache[c];
}

static void cpu_partial(struct obj_cache *c, const char *text)
{
    c->have_cpu_partial = true;
    for (const char *p = strstr(text, " C"); p; p = strstr(p + 1, " C")) {
        unsigned cpu, objects, slabs;

        if (sscanf(p, " C%u=%u(%u)", &cpu, &objects, &slabs) == 3 && cpu < KM_MAX_CPUS)
            c->cpu_partial[cpu] = slabs;
    }
}

static void flags_from_id(struct obj_cache *c, const char *id)
{
    if (*id++ != ':')
        return;
    for (; *id && *id != '-' && (*id < '0' || *id > '9'); id++) {
        if (*id == 'a')
            c->flags |= KM_CACHE_RECLAIM_ACCOUNT;
        else if (*id == 'A')
            c->flags |= KM_CACHE_ACCOUNT;
        else if (*id == 'd')
            c->flags |= KM_CACHE_DMA;
    }
}

static void state_line(struct facts *f, char *text)
{
    char *slash = strchr(text, '/');

    if (!slash)
        return;
    *slash = '\0';
    struct obj_cache *c = by_id(f, text);

    if (!c)
        return;
    flags_from_id(c, text);
    if (!strncmp(slash + 1, "slabs_cpu_partial:", 18))
        cpu_partial(c, slash + 19);
    else if (!strcmp(slash + 1, "reclaim_account:1"))
        c->flags |= KM_CACHE_RECLAIM_ACCOUNT;
    else if (!strcmp(slash + 1, "cache_dma:1"))
        c->flags |= KM_CACHE_DMA;
}

static bool take_row(struct km_objects *o, const struct km_slab_facts *row)
{
    if (!row->slab_size || row->slab_size > 4u << 20 || row->object_size > row->slab_size)
        return true;
    uint16_t id = km_obj_cache_add(o, row->name);

    if (id == KM_OBJ_NO_CACHE)
        return false;
    struct obj_cache *c = &o->cache[id];

    c->from_bundle = true;
    c->size = row->slab_size;
    c->object_size = row->object_size ? row->object_size : row->slab_size;
    c->align = row->align && row->align <= 4096 ? row->align : 8;
    if (!o->p.boot) {
        c->num_objs = row->num_objs;
        c->active_objs = row->active_objs;
        c->num_slabs = row->num_slabs;
        c->partial = row->state_partial;
    }
    return true;
}

int km_obj_read_facts(struct km_objects *o, struct km_err *err)
{
    struct facts f = {.o = o};
    const struct km_proc_state *state;

    if (!o->p.bundle)
        return KM_OK;
    state = state_of(o);
    if (!state->present)
        return KM_OK;
    for (unsigned i = 0; i < state->nr_caches; i++)
        if (!take_row(o, &state->cache[i]))
            return km_fail(err, KM_E_INPUT, state->dir, 0, 0, "more than %u slab caches",
                           KM_OBJ_MAX_CACHES);
    f.alias = calloc(MAX_ALIASES, sizeof(*f.alias));
    if (!f.alias)
        return km_fail(err, KM_E_NOMEM, NULL, 0, 0, "out of memory");
    for_each_line(state->dir, "slab_aliases", alias_line, &f);
    for_each_line(state->dir, "slab_state", state_line, &f);
    free(f.alias);
    return KM_OK;
}

/* The cache of a line; captures without slab files have their caches from there. */
uint16_t km_obj_cache_of_line(struct km_objects *o, const struct km_mark_slabinfo *info)
{
    uint16_t id = km_obj_cache_find(o, info->cache);

    if (id != KM_OBJ_NO_CACHE && o->cache[id].from_bundle)
        return id;
    if (!info->objsize || info->objsize > 4u << 20 || !info->objs_per_slab ||
        info->objs_per_slab > UINT16_MAX || !info->pages_per_slab ||
        info->pages_per_slab >= 1u << KM_NR_ORDERS ||
        info->objsize * info->objs_per_slab > info->pages_per_slab << KM_PAGE_SHIFT)
        return KM_OBJ_NO_CACHE;
    id = km_obj_cache_add(o, info->cache);
    if (id == KM_OBJ_NO_CACHE)
        return id;
    struct obj_cache *c = &o->cache[id];

    c->from_bundle = true;
    c->size = (uint32_t)info->objsize;
    c->object_size = c->object_size ? c->object_size : c->size;
    c->objects = (uint32_t)info->objs_per_slab;
    c->order = km_order_of(info->pages_per_slab);
    return id;
}

void km_objects_start_sample(struct km_objects *o, const char *rest)
{
    struct km_mark_slabinfo info;
    uint16_t id;

    if (!km_mark_slabinfo(rest, &info))
        return;
    id = km_obj_cache_of_line(o, &info);
    if (id == KM_OBJ_NO_CACHE)
        return;
    o->cache[id].num_objs = info.num_objs;
    o->cache[id].active_objs = info.active_objs;
    o->cache[id].num_slabs = info.num_slabs;
    o->cache[id].start_sampled = true;
}
