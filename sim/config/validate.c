/* SPDX-License-Identifier: MIT
 * validate.c - what no single option can see: geometry, limits that depend on other options.
 *
 * A problem is reported at the option of the group that was written last: most likely the one to change.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "models/base/bits.h"
#include "models/cache/hier.h"
#include "models/cache/prefetch.h"
#include "models/dma/busmaster.h"
#include "models/mmu/memtype.h"
#include "sim/config/hw_geom.h"
#include "sim/config/origin.h"

#define GIB (1ull << 30)

struct check {
    const struct km_config *cfg;
    const struct km_origins *origins;
    km_config_report_fn *report;
    void *ctx;
    unsigned nr_errors;
};

const struct km_origin *km_origin_find(const struct km_origins *o, const char *path)
{
    for (size_t i = 0; i < o->nr; i++)
        if (strcmp(o->option[i].path, path) == 0)
            return &o->of[i];
    return NULL;
}

/* The one of "section.key" for the keys in a space-separated list that was written last. A key with a
 * dot is a whole path. */
static const struct km_origin *latest(const struct check *c, const char *section, const char *keys)
{
    const struct km_origin *best = NULL;
    char copy[160], path[96], *save = NULL;

    snprintf(copy, sizeof(copy), "%s", keys);
    for (char *k = strtok_r(copy, " ", &save); k; k = strtok_r(NULL, " ", &save)) {
        const struct km_origin *o;

        if (strchr(k, '.'))
            snprintf(path, sizeof(path), "%s", k);
        else
            snprintf(path, sizeof(path), "%s%s%s", section, section[0] ? "." : "", k);
        o = km_origin_find(c->origins, path);
        if (o && o->order && (!best || o->order > best->order))
            best = o;
    }
    return best;
}

static void tell(struct check *c, int code, const char *section, const char *keys, const char *fmt,
                 va_list ap)
{
    const struct km_origin *o = latest(c, section, keys);
    char text[512];
    struct km_err err;

    vsnprintf(text, sizeof(text), fmt, ap);
    km_fail(&err, code, o ? o->file : c->cfg->file, o ? o->line : 0, o ? o->col : 0, "%s%s: %s",
            code == KM_OK ? "warning: " : "", section[0] ? section : keys, text);
    if (code != KM_OK)
        c->nr_errors++;
    if (c->report)
        c->report(c->ctx, &err);
}

__attribute__((format(printf, 4, 5))) static void error(struct check *c, const char *section,
                                                        const char *keys, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    tell(c, KM_E_USAGE, section, keys, fmt, ap);
    va_end(ap);
}

__attribute__((format(printf, 4, 5))) static void warning(struct check *c, const char *section,
                                                          const char *keys, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    tell(c, KM_OK, section, keys, fmt, ap);
    va_end(ap);
}

static void check_cache(struct check *c, const char *section, const struct km_cache_config *cache)
{
    uint32_t tagged = cache->sector_bytes ? cache->sector_bytes : cache->line_bytes;
    uint64_t way_bytes = (uint64_t)cache->ways * tagged;
    uint64_t sets;

    if (!cache->size_bytes)
        return;
    sets = cache->size_bytes / way_bytes;
    if (tagged < cache->line_bytes || tagged > 8 * cache->line_bytes)
        error(c, section, "sector line", "a sector of %u bytes is not one, two, four or eight lines of %u",
              tagged, cache->line_bytes);
    if (cache->size_bytes % way_bytes || !km_is_pow2(sets))
        error(c, section, "size ways line sector",
              "impossible geometry: %" PRIu64 " bytes / (%u ways * %u bytes) makes %s%" PRIu64
              " sets (allowed a power of two)",
              cache->size_bytes, cache->ways, tagged,
              cache->size_bytes % way_bytes ? "not a whole number, about " : "", sets);
    if (cache->replacement == KM_REPL_PLRU && (!km_is_pow2(cache->ways) || cache->ways > 64))
        error(c, section, "ways replacement",
              "plru needs a power of two of at most 64 ways, not %u (the other policies take any)",
              cache->ways);
}

/* What inclusion asks of the levels before; a cache that several CPUs share is on the memory side. */
static void check_inclusion(struct check *c)
{
    const struct km_machine_config *m = &c->cfg->machine;
    const struct km_cache_config *level[] = {&m->l1i, &m->l1d, &m->l2, &m->l3};
    static const char *const section[] = {"machine.l1i", "machine.l1d", "machine.l2", "machine.l3"};
    struct km_cache_geom g[4];
    unsigned culprit;

    for (size_t i = 0; i < KM_ARRAY_LEN(level); i++) {
        g[i] = km_cache_geom_of(level[i], 0);
        if (i < 2 || !level[i]->size_bytes || !level[i]->shared || m->cpus == 1)
            continue;
        if (level[i]->inclusion != KM_NON_INCLUSIVE)
            error(c, section[i], "inclusion shared",
                  "a cache that several CPUs share stands on the memory side: only non-inclusive");
        g[i].size_bytes = 0;
        g[i].inclusion = KM_NON_INCLUSIVE;
    }
    const char *why = km_hier_check(&g[0], &g[1], &g[2], &g[3], &culprit);

    if (why)
        error(c, section[culprit],
              "inclusion sector size write allocate machine.l1d.write machine.l1d.allocate "
              "machine.l1d.size machine.l1i.size",
              "%s", why);
}

static void check_tlb_part(struct check *c, const char *section, const char *keys, uint32_t entries,
                           uint32_t ways)
{
    if (!entries || !ways)
        return;
    if (ways > entries || entries % ways || !km_is_pow2(entries / ways))
        error(c, section, keys,
              "impossible geometry: %u entries in %u ways make no power of two of sets", entries, ways);
}

static void check_tlb(struct check *c, const char *section, const struct km_tlb_config *tlb)
{
    check_tlb_part(c, section, "entries_4k ways_4k", tlb->entries_4k, tlb->ways_4k);
    check_tlb_part(c, section, "entries_large ways_large", tlb->entries_large, tlb->ways_large);
    if (tlb->entries_large && !tlb->entries_4k)
        error(c, section, "entries_4k entries_large", "entries_large need entries_4k beside them");
}

static void check_levels(struct check *c)
{
    const struct km_machine_config *m = &c->cfg->machine;

    if (m->l2.size_bytes && m->l1d.size_bytes > m->l2.size_bytes)
        warning(c, "machine.l2", "size", "smaller than machine.l1d (%" PRIu64 " < %" PRIu64 " bytes)",
                m->l2.size_bytes, m->l1d.size_bytes);
    if (m->l3.size_bytes && m->l2.size_bytes > m->l3.size_bytes)
        warning(c, "machine.l3", "size", "smaller than machine.l2 (%" PRIu64 " < %" PRIu64 " bytes)",
                m->l3.size_bytes, m->l2.size_bytes);
    if (m->l3.size_bytes && !m->l2.size_bytes)
        error(c, "machine.l3", "size", "needs a machine.l2 in front of it");
    if (m->l2.size_bytes && m->l2.shared && m->l3.size_bytes && m->cpus != 1)
        error(c, "machine.l3", "size", "there can be no l3 behind an l2 that several CPUs share");
    if (!m->l1d.size_bytes && c->cfg->timing == KM_TIMING_FULL)
        error(c, "machine.l1d", "size", "timing: full needs a first-level data cache");
}

static void check_memory_path(struct check *c)
{
    struct km_memtypes types;

    km_memtypes_init(&types, c->cfg->machine.pat);
    const char *why = km_memtypes_parse(&types, c->cfg->machine.mtrr);

    if (c->cfg->machine.prefetch != KM_PREFETCH_NONE && !c->cfg->machine.l2.size_bytes)
        error(c, "machine", "prefetch machine.l2.size", "a prefetcher needs a machine.l2 to fill");
    if (why)
        error(c, "machine", "mtrr", "mtrr '%s': %s", c->cfg->machine.mtrr, why);
}

/* Coherence works on lines: all caches must agree on them. */
static void check_lines(struct check *c)
{
    const struct km_machine_config *m = &c->cfg->machine;
    const struct {
        const char *section;
        const struct km_cache_config *cache;
    } level[] = {{"machine.l1i", &m->l1i}, {"machine.l2", &m->l2}, {"machine.l3", &m->l3}};

    if (!m->l1d.size_bytes || c->cfg->timing == KM_TIMING_OFF)
        return;
    for (size_t i = 0; i < KM_ARRAY_LEN(level); i++)
        if (level[i].cache->size_bytes && level[i].cache->line_bytes != m->l1d.line_bytes)
            error(c, level[i].section, "line machine.l1d.line", "a line of %u bytes differs from machine.l1d.line (%u)",
                  level[i].cache->line_bytes, m->l1d.line_bytes);
}

static void check_ram(struct check *c)
{
    const struct km_machine_config *m = &c->cfg->machine;
    const struct km_dram_config *d = &m->dram;
    uint64_t holds = (uint64_t)d->channels * d->ranks * d->banks * d->rows * d->columns * d->bus_bytes;

    if (m->ram_bytes % KM_PAGE_BYTES)
        error(c, "machine", "ram", "ram of %" PRIu64 " bytes is not a whole number of 4 KiB pages",
              m->ram_bytes);
    if (m->paging == KM_PAGING_2LEVEL && m->ram_bytes > 4 * GIB)
        error(c, "machine", "ram paging",
              "ram of %" PRIu64 " bytes is larger than paging: 2level can address (at most 4GiB; "
              "paging: pae allows 64GiB)",
              m->ram_bytes);
    if (m->ram_bytes > holds)
        warning(c, "machine.dram", "channels ranks banks rows columns bus_bytes",
                "the memory holds %" PRIu64 " MiB, less than machine.ram: addresses wrap around in it",
                holds >> 20);
}

static void check_mapping(struct check *c)
{
    struct km_dram_geom g = km_dram_geom_of(&c->cfg->machine.dram);
    struct km_dram_map map;
    const char *why = km_dram_map_parse(&map, &g);

    if (why)
        error(c, "machine.dram", "mapping channels ranks banks rows columns burst", "%s, not %s", why,
              g.mapping[0] ? g.mapping : "''");
}

static void check_dram_timing(struct check *c)
{
    const struct km_dram_config *d = &c->cfg->machine.dram;
    struct km_dram_geom g = km_dram_geom_of(d);
    struct km_dram_relation r;

    if (d->burst < d->data_rate || d->burst > d->columns)
        error(c, "machine.dram", "burst data_rate columns",
              "a burst of %u does not fit data_rate (%u) and columns (%u)", d->burst, d->data_rate,
              d->columns);
    if (d->ranks * d->banks > KM_DRAM_ALL_BANKS)
        error(c, "machine.dram", "ranks banks", "%u ranks of %u banks: a channel has at most %u banks",
              d->ranks, d->banks, KM_DRAM_ALL_BANKS);
    if (d->write_low_percent > d->write_high_percent)
        error(c, "machine.dram", "write_low write_high", "write_low (%u) is above write_high (%u)",
              d->write_low_percent, d->write_high_percent);
    if (!d->write_idle && d->write_high_percent == 100)
        error(c, "machine.dram", "write_idle write_high",
              "writes would never be drained: lower write_high or allow write_idle");
    if (d->vdd_mv && (d->idd3n < d->idd2n || d->idd0 < d->idd2n))
        error(c, "machine.dram", "idd0 idd2n idd3n",
              "idd0 and idd3n are at least idd2n: an open bank draws no less than closed ones");
    for (unsigned i = 0; km_dram_contradiction(&g, i, &r); i++)
        if (r.broken)
            error(c, "machine.dram", r.keys, "%s (%d) is shorter than %s (%d): %s", r.left,
                  r.left_clocks, r.right, r.right_clocks, r.why);
}

static void check_workload(struct check *c)
{
    const struct km_workload_config *w = &c->cfg->workload;

    if (w->type == KM_WL_POINTER_CHASE &&
        (w->chase_stride_bytes > w->chase_max_bytes || w->chase_stride_bytes % 4))
        error(c, "workload", "chase_stride chase_max",
              "chase_stride must be a multiple of 4 bytes and at most chase_max");
}

static void check_card(struct check *c, const char *section, const struct km_dma_card_config *card)
{
    if (card->on && c->cfg->dma.bounce == KM_BOUNCE_ISA && card->block_bytes > KM_PAGE_BYTES)
        error(c, section, "block dma.bounce", "dma.bounce: isa stands in for one page: a block of %u bytes is too large",
              card->block_bytes);
}

static void check_master(struct check *c, const char *section, const struct km_dma_master_config *m)
{
    const struct km_busmaster_params p = {.receives = m->receives,
                                          .byte_ps = m->byte_ps,
                                          .frame_bytes = m->frame_bytes,
                                          .fifo_bytes = m->fifo_bytes,
                                          .threshold_bytes = m->threshold_bytes,
                                          .burst_bytes = m->burst_bytes,
                                          .frames_per_irq = m->frames_per_irq};
    const char *why = km_busmaster_params_check(&p);

    if (!m->on)
        return;
    if (why)
        error(c, section, "burst fifo threshold frame byte_time frames_per_irq", "%s", why);
    if (m->mask_bits < 24)
        error(c, section, "mask", "a mask of %u bits is below ISA's 24: no zone lies under it", m->mask_bits);
    if (m->mask_bits > 32)
        error(c, section, "mask", "a mask of %u bits is beyond the 32 address bits of the PCI bus", m->mask_bits);
    if (c->cfg->machine.l1d.line_bytes < m->burst_bytes)
        error(c, section, "burst machine.l1d.line", "a burst of %u bytes does not fit a cache line of %u",
              m->burst_bytes, c->cfg->machine.l1d.line_bytes);
}

static void check_dma(struct check *c)
{
    const struct km_dma_config *d = &c->cfg->dma;

    if (c->cfg->workload.type != KM_WL_DMA)
        return;
    check_card(c, "dma.floppy", &d->floppy);
    check_card(c, "dma.sound", &d->sound);
    check_master(c, "dma.nic", &d->nic);
    check_master(c, "dma.disk", &d->disk);
    if (c->cfg->timing == KM_TIMING_OFF)
        error(c, "", "workload.type timing", "workload.type dma needs timing: full, devices live by the clock");
    if (!d->floppy.on && !d->sound.on && !d->nic.on && !d->disk.on)
        error(c, "dma", "workload.type dma.floppy.on dma.sound.on dma.nic.on dma.disk.on",
              "no device is on: there is nothing to do");
}

/* Signals and commands come from the timed machine or the DRAM controllers. */
static void check_probe(struct check *c)
{
    const struct km_config *cfg = c->cfg;
    bool shown = cfg->timing == KM_TIMING_FULL;

    if (cfg->report.vcd && !shown)
        warning(c, "report", "vcd", "vcd has no effect with timing: off");
    if (cfg->report.dram_commands && !shown)
        warning(c, "report", "dram_commands", "dram_commands has no effect with timing: off");
}

/* Options that act in some replay modes only. */
static void check_replay(struct check *c)
{
    const struct km_config *cfg = c->cfg;
    const bool replay = cfg->workload.type == KM_WL_REPLAY;
    const bool objects = replay && cfg->replay.mode == KM_REPLAY_OBJECTS;

    if (cfg->replay.resync && (!replay || cfg->replay.mode != KM_REPLAY_PAGES))
        warning(c, "replay", "resync mode", "resync acts in replay.mode pages only");
    if (!objects && (cfg->os.hwcache_align[0] || cfg->os.pad_to_line[0]))
        warning(c, "os", "hwcache_align pad_to_line", "slab caches are laid out in replay.mode objects only");
    if (cfg->report.sharing_advice && (!objects || cfg->timing != KM_TIMING_FULL))
        warning(c, "report", "sharing_advice", "sharing_advice needs replay.mode objects and timing: full");
    if (!cfg->report.trace_out)
        return;
    if (!replay || (cfg->replay.mode != KM_REPLAY_PAGES && cfg->replay.mode != KM_REPLAY_OBJECTS))
        warning(c, "report", "trace_out", "trace_out is written in replay.mode pages and objects only");
    else if (cfg->replay.resync)
        warning(c, "report", "trace_out",
                "trace_out is not written with replay.resync: what is corrected is no event");
}

/* The name becomes a folder below results/. */
static void check_name(struct check *c)
{
    const char *name = c->cfg->name;

    if (name[0] == '.' || strchr(name, '/'))
        error(c, "", "name", "'%.60s' cannot be the name of a results folder (no '/', no leading '.')",
              name);
}

unsigned km_config_validate(const struct km_config *cfg, const struct km_origins *origins,
                            km_config_report_fn *report, void *ctx)
{
    struct check c = {.cfg = cfg, .origins = origins, .report = report, .ctx = ctx};
    const struct km_machine_config *m = &cfg->machine;

    check_name(&c);
    check_cache(&c, "machine.l1i", &m->l1i);
    check_cache(&c, "machine.l1d", &m->l1d);
    check_cache(&c, "machine.l2", &m->l2);
    check_cache(&c, "machine.l3", &m->l3);
    check_tlb(&c, "machine.itlb", &m->itlb);
    check_tlb(&c, "machine.dtlb", &m->dtlb);
    check_tlb(&c, "machine.stlb", &m->stlb);
    check_levels(&c);
    check_inclusion(&c);
    check_memory_path(&c);
    check_lines(&c);
    check_ram(&c);
    check_mapping(&c);
    check_dram_timing(&c);
    check_workload(&c);
    check_dma(&c);
    check_replay(&c);
    check_probe(&c);
    return c.nr_errors;
}
