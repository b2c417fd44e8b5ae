/* SPDX-License-Identifier: MIT
 * memref_cache.c - references through TLBs and caches, counted, without time.
 *
 * At the end of the trace dirty lines are written back, so write-backs count every line that got
 * dirty.
 * Caches: the hierarchy of models/cache/hier.h, one CPU; what it needs from the bus is granted at
 * once.
 * TLBs: addresses are translated to themselves in 4 KiB pages; 64-bit addresses are taken as they
 * are.
 */
#include "sim/workload/memref_cache.h"

#include "models/cache/hier.h"
#include "models/mmu/tlb.h"
#include "sim/base/progress.h"
#include "sim/config/hw_geom.h"

#include <stdlib.h>

struct caches {
    struct km_hier hier;
    struct km_tlb dtlb, itlb, stlb;
    struct km_tlb *fetch_tlb;
    unsigned line_shift;
    bool split_lines;
    uint64_t clock; /* of TLB recency */
    uint64_t memory_reads;
    void *mem[7];
};

static void release(struct caches *c)
{
    for (size_t i = 0; i < KM_ARRAY_LEN(c->mem); i++)
        free(c->mem[i]);
}

static int make_cache(struct km_cache *c, const struct km_cache_config *cfg, const char *name,
                      uint64_t seed, void **mem, struct km_err *err)
{
    struct km_cache_geom g = km_cache_geom_of(cfg, seed);
    const char *why = km_cache_check(&g);

    if (why)
        return km_fail(err, KM_E_USAGE, NULL, 0, 0, "machine.%s: %s", name, why);
    *mem = calloc(1, km_cache_bytes(&g) + 1);
    if (!*mem)
        return km_fail(err, KM_E_NOMEM, NULL, 0, 0, "no memory for machine.%s", name);
    km_cache_init(c, &g, *mem);
    return KM_OK;
}

static int make_tlb(struct km_tlb *t, const struct km_tlb_config *cfg, const char *name, void **mem,
                    struct km_err *err)
{
    struct km_tlb_geom g = km_tlb_geom_of(cfg);
    const char *why = km_tlb_check(&g);

    if (why)
        return km_fail(err, KM_E_USAGE, NULL, 0, 0, "machine.%s: %s", name, why);
    *mem = calloc(km_tlb_entries(&g) + 1, sizeof(struct km_tlb_entry));
    if (!*mem)
        return km_fail(err, KM_E_NOMEM, NULL, 0, 0, "no memory for machine.%s", name);
    km_tlb_init(t, &g, 22, *mem);
    return KM_OK;
}

static int check_levels(const struct km_machine_config *m, struct km_err *err)
{
    const struct km_cache_config *level[] = {&m->l1i, &m->l1d, &m->l2, &m->l3};
    static const char *const name[] = {"l1i", "l1d", "l2", "l3"};
    struct km_cache_geom g[4];
    unsigned culprit;

    if (!m->l1d.size_bytes)
        return km_fail(err, KM_E_USAGE, NULL, 0, 0, "machine.l1d: needed to count references");
    for (unsigned i = 0; i < 4; i++) {
        g[i] = km_cache_geom_of(level[i], 0);
        if (level[i]->size_bytes && level[i]->line_bytes != m->l1d.line_bytes)
            return km_fail(err, KM_E_USAGE, NULL, 0, 0,
                           "machine.%s: all caches must have the same line size", name[i]);
    }
    const char *why = km_hier_check(&g[0], &g[1], &g[2], &g[3], &culprit);

    return why ? km_fail(err, KM_E_USAGE, NULL, 0, 0, "machine.%s: %s", name[culprit], why) : KM_OK;
}

static int make(struct caches *c, const struct km_config *cfg, struct km_err *err)
{
    const struct km_machine_config *m = &cfg->machine;
    const struct km_cache_config *outer[] = {&m->l2, &m->l3};
    static const char *const outer_name[] = {"l2", "l3"};
    int rc = check_levels(m, err);

    if (rc)
        return rc;
    rc = make_cache(&c->hier.l1d, &m->l1d, "l1d", cfg->seed, &c->mem[0], err);
    if (!rc)
        rc = make_cache(&c->hier.l1i, &m->l1i, "l1i", cfg->seed + 1, &c->mem[1], err);
    c->hier.split = m->l1i.size_bytes != 0;
    c->hier.coh = &km_coh_mesi;
    for (unsigned i = 0; !rc && i < KM_HIER_OUTER; i++)
        if (outer[i]->size_bytes)
            rc = make_cache(&c->hier.outer[c->hier.nr_outer++], outer[i], outer_name[i],
                            cfg->seed + 2 + i, &c->mem[2 + i], err);
    if (!rc)
        rc = make_tlb(&c->dtlb, &m->dtlb, "dtlb", &c->mem[4], err);
    if (!rc)
        rc = make_tlb(&c->itlb, &m->itlb, "itlb", &c->mem[5], err);
    if (!rc)
        rc = make_tlb(&c->stlb, &m->stlb, "stlb", &c->mem[6], err);
    c->fetch_tlb = m->tlb_unified ? &c->dtlb : &c->itlb;
    c->line_shift = (unsigned)__builtin_ctz(m->l1d.line_bytes);
    c->split_lines = cfg->workload.split_lines;
    return rc;
}

static bool tlb_lookup(struct caches *c, struct km_tlb *t, uint64_t addr)
{
    struct km_tlb_entry *e = km_tlb_find(t, addr);

    if (e) {
        t->hits++;
        e->stamp = c->clock;
        return true;
    }
    t->misses++;
    e = km_tlb_victim(t, addr, KM_PAGE_SHIFT);
    *e = (struct km_tlb_entry){.vpn = addr >> KM_PAGE_SHIFT,
                               .frame = addr >> KM_PAGE_SHIFT,
                               .stamp = c->clock,
                               .shift = KM_PAGE_SHIFT};
    return false;
}

static void translate(struct caches *c, struct km_tlb *t, uint64_t addr)
{
    c->clock++;
    if (t->small.sets && !tlb_lookup(c, t, addr) && c->stlb.small.sets)
        tlb_lookup(c, &c->stlb, addr);
}

static void reference(struct caches *c, uint64_t addr, enum km_access kind)
{
    struct km_hier_out out;

    translate(c, kind == KM_ACCESS_FETCH ? c->fetch_tlb : &c->dtlb, addr);
    km_hier_access(&c->hier, addr >> c->line_shift, kind, &out);
    if (out.need == KM_NEED_NONE || out.need == KM_NEED_WRITE)
        return;
    if (out.need != KM_NEED_UPGRADE)
        c->memory_reads++;
    km_hier_fill(&c->hier, addr >> c->line_shift, kind,
                 kind == KM_ACCESS_STORE ? KM_LINE_M : KM_LINE_E, &out);
}

static uint64_t one(struct caches *c, uint64_t addr, enum km_mem_op op)
{
    if (op == KM_OP_FETCH) {
        reference(c, addr, KM_ACCESS_FETCH);
        return 1;
    }
    if (op != KM_OP_STORE)
        reference(c, addr, KM_ACCESS_LOAD);
    if (op != KM_OP_LOAD)
        reference(c, addr, KM_ACCESS_STORE);
    return op == KM_OP_MODIFY ? 2 : 1;
}

static uint64_t apply(struct caches *c, const struct km_mem_ref *ref)
{
    uint64_t n = one(c, ref->addr, ref->op);
    uint64_t last = (ref->addr + ref->bytes - 1) >> c->line_shift;

    if (c->split_lines)
        for (uint64_t line = (ref->addr >> c->line_shift) + 1; line <= last; line++)
            n += one(c, line << c->line_shift, ref->op);
    return n;
}

static void copy_cache(struct km_cache_stats *to, const struct km_cache *c)
{
    *to = (struct km_cache_stats){
        .reads = c->n.reads,
        .writes = c->n.writes,
        .read_misses = c->n.read_misses,
        .write_misses = c->n.write_misses,
        .writebacks = c->n.writebacks,
        .back_invalidations = c->n.back_invalidations,
        .victim_fills = c->n.victim_fills,
    };
}

static void copy_stats(const struct caches *c, bool have_l2, struct km_memref_result *out)
{
    struct km_hw_stats *hw = &out->hw;
    struct km_cache_stats *outer[] = {have_l2 ? &hw->l2 : &hw->l3, &hw->l3};

    hw->valid = true;
    hw->refs = out->refs;
    copy_cache(&hw->l1i, &c->hier.l1i);
    copy_cache(&hw->l1d, &c->hier.l1d);
    for (unsigned k = 0; k < c->hier.nr_outer; k++)
        copy_cache(outer[k], &c->hier.outer[k]);
    hw->dtlb = (struct km_tlb_stats){c->dtlb.hits, c->dtlb.misses, 0, 0};
    hw->itlb = (struct km_tlb_stats){c->itlb.hits, c->itlb.misses, 0, 0};
    hw->stlb = (struct km_tlb_stats){c->stlb.hits, c->stlb.misses, 0, 0};
}

int km_memref_caches(struct km_ref_source *src, const struct km_config *cfg,
                     struct km_memref_result *out, struct km_progress *progress, struct km_err *err)
{
    struct caches *c = calloc(1, sizeof(*c));
    struct km_mem_ref ref;

    *out = (struct km_memref_result){0};
    if (!c)
        return km_fail(err, KM_E_NOMEM, NULL, 0, 0, "no memory");
    int rc = make(c, cfg, err);

    while (!rc && (!cfg->workload.limit_events || out->records < cfg->workload.limit_events)) {
        rc = km_ref_next(src, &ref, err);
        if (rc <= 0)
            break;
        rc = KM_OK;
        out->records++;
        out->refs += apply(c, &ref);
        if (progress && !(out->records & 4095))
            km_progress_update(progress, out->records, km_ref_position(src), 0);
    }
    if (!rc)
        km_hier_flush(&c->hier, NULL, NULL);
    copy_stats(c, cfg->machine.l2.size_bytes != 0, out);
    release(c);
    free(c);
    return rc;
}
