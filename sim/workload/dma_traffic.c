/* SPDX-License-Identifier: MIT
 * dma_traffic.c - see dma_traffic.h: the kernel, the devices, the stream of work items and the results.
 *
 * The stream holds at most three items of a driver: its setup, one interrupt (a line that is still waiting for its
 * handler stays asserted) and its stop at dma.duration.
 */
#include "sim/workload/dma_traffic.h"

#include "models/base/bits.h"
#include "models/base/bug.h"
#include "models/os/page_alloc.h"
#include "sim/workload/bare.h"
#include "sim/workload/dma_drivers.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PKMAP_BASE 0xff400000u
#define RINGS_BASE 0xffa00000u /* a page each */
#define FIXMAP_TOP 0xfffbb000u
#define SWIOTLB_GFP (KM_GFP_KERNEL | KM_GFP_DMA)

static const struct km_pci_geom pci_geom = {.arbitration_clocks = 2,
                                            .target_clocks = 8,
                                            .bridge_clocks = 4,
                                            .write_clocks = 8,
                                            .latency_timer = 32};

/* ---- the kernel -------------------------------------------------------------------------------- */

static void hook_map(void *ctx, km_vaddr va, km_pfn pfn, uint32_t pages)
{
    struct km_traffic *t = ctx;

    if (!t->map_err.code)
        km_window_map(&t->guest.window, va, pfn, pages, &t->map_err);
}

static void hook_unmap(void *ctx, km_vaddr va, uint32_t pages)
{
    struct km_traffic *t = ctx;

    if (!t->map_err.code)
        km_window_unmap(&t->guest.window, va, pages, &t->map_err);
}

static km_pfn table_page(void *ctx)
{
    struct km_traffic *t = ctx;

    return km_alloc_pages(&t->guest.os, &t->guest.cpu[0], KM_GFP_KERNEL | KM_GFP_ZERO, 0);
}

/* Page tables for every address a driver will map: none is made during the run. */
static bool make_tables(struct km_traffic *t)
{
    struct km_cpu *cpu = &t->guest.cpu[0];
    const struct {
        km_vaddr from, to;
    } range[] = {{FIXMAP_TOP - KM_MAX_CPUS * KM_KMAP_LOCAL_SLOTS * KM_PAGE_BYTES, FIXMAP_TOP},
                 {RINGS_BASE, RINGS_BASE + KM_TRAFFIC_NR * KM_PAGE_BYTES}};

    t->pt.get_page = table_page;
    t->pt.ctx = t;
    for (size_t i = 0; i < KM_ARRAY_LEN(range); i++)
        for (km_vaddr va = range[i].from; va <= range[i].to; va += KM_PAGE_BYTES) {
            if (!km_pgtable_map(&t->pt, cpu, va, 0))
                return false;
            km_pgtable_unmap(&t->pt, cpu, va);
        }
    return true;
}

static km_vaddr zeroed(struct km_traffic *t, uint32_t bytes)
{
    km_vaddr va = km_kmalloc(t->slab, &t->guest.cpu[0], bytes, KM_GFP_KERNEL);

    if (va)
        memset(t->guest.window.base + va, 0, bytes);
    return va;
}

static bool make_tasks(struct km_traffic *t)
{
    t->lock_va = zeroed(t, 64);
    for (unsigned i = 0; i < t->guest.os.p.cpus; i++)
        if (!(t->task_va[i] = zeroed(t, KM_KMAP_TASK_BYTES)))
            return false;
    return t->lock_va != 0;
}

static bool start_dma_api(struct km_traffic *t)
{
    const struct km_dma_config *c = &t->cfg->dma;
    struct km_cpu *cpu = &t->guest.cpu[0];
    const struct km_highmem_params high = {.slab = t->slab,
                                           .pt = &t->pt,
                                           .hook = {hook_map, hook_unmap, t},
                                           .pkmap_base = PKMAP_BASE,
                                           .pkmap_slots = t->guest.facts.pae ? 512 : 1024,
                                           .fixmap_top = FIXMAP_TOP};
    const struct km_dma_params dma = {.slab = t->slab,
                                      .highmem = &t->highmem,
                                      .task_va = zeroed(t, KM_KMAP_TASK_BYTES),
                                      .swiotlb = c->bounce == KM_BOUNCE_SWIOTLB ? &t->swiotlb : NULL,
                                      .isa_pool = c->bounce == KM_BOUNCE_ISA,
                                      .line_bytes = t->cfg->machine.l1d.line_bytes};

    return dma.task_va && km_highmem_init(&t->highmem, &t->guest.os, cpu, &high) &&
           km_dma_init(&t->dma, &t->guest.os, cpu, &dma) &&
           (c->bounce != KM_BOUNCE_SWIOTLB || km_swiotlb_init(&t->swiotlb, &t->guest.os, cpu, (uint32_t)c->swiotlb_bytes,
                                                              SWIOTLB_GFP, km_dma_copier(&t->dma)));
}

static int boot(struct km_traffic *t, struct km_err *err)
{
    struct km_machine_facts facts;
    int rc = km_guest_facts(&facts, t->cfg, NULL, NULL, err);

    if (!rc)
        rc = km_guest_open(&t->guest, &facts, err);
    if (!rc)
        rc = km_bare_boot(&t->guest, t->cfg, "workload.type dma", err);
    if (!rc)
        rc = km_bare_page_tables(&t->guest, &t->pt, err);
    if (rc)
        return rc;
    const struct km_slab_params p = {.ops = km_slab_ops_by_name(km_config_word("os.slab", t->cfg->os.slab)),
                                     .src = km_page_src_buddy(&t->guest.os),
                                     .merge = true};

    if (!make_tables(t) || !km_slab_init(t->slab, &t->guest.os, &t->guest.cpu[0], &p) || !make_tasks(t) ||
        !start_dma_api(t))
        return km_fail(err, KM_E_USAGE, NULL, 0, 0,
                       "machine.ram: no memory for page tables, slab caches and bounce buffers");
    return KM_OK;
}

/* ---- devices ----------------------------------------------------------------------------------- */

static struct km_traffic_driver *open_driver(struct km_traffic *t, enum km_traffic_id id, const char *name, bool on,
                                             unsigned irq)
{
    struct km_traffic_driver *d = &t->driver[id];

    *d = (struct km_traffic_driver){.name = name, .on = on, .live = on, .id = id, .irq = irq, .nr = 1};
    /* The ISA cards share the controller and so a CPU. */
    d->cpu = id < KM_TRAFFIC_NIC ? 0 : (id - KM_TRAFFIC_SOUND) % t->guest.os.p.cpus;
    d->dev = (struct km_dma_device){.name = name, .snooped = true};
    d->gfp = KM_GFP_KERNEL;
    d->ring_va = RINGS_BASE + id * KM_PAGE_BYTES;
    return d;
}

static void set_mask(struct km_traffic *t, struct km_traffic_driver *d, unsigned bits)
{
    uint64_t end = (uint64_t)t->guest.os.p.max_pfn << KM_PAGE_SHIFT;

    KM_BUG_ON(!km_dma_set_mask(&t->dma, &d->dev, KM_DMA_BITS(bits)));
    if (t->cfg->dma.bounce == KM_BOUNCE_NONE && KM_DMA_BITS(bits) < end - 1)
        d->gfp = KM_GFP_KERNEL | KM_GFP_DMA;
}

static void add_card(struct km_traffic *t, enum km_traffic_id id, const char *name, unsigned irq,
                     const struct km_dma_card_config *c)
{
    struct km_traffic_driver *d = open_driver(t, id, name, c->on, irq);
    bool plays = id == KM_TRAFFIC_SOUND;

    d->dir = plays ? KM_DMA_TO_DEVICE : KM_DMA_FROM_DEVICE;
    d->bytes = c->block_bytes;
    set_mask(t, d, 24);
    if (c->on)
        KM_BUG_ON(!km_isa_cards_add(&t->cards, plays ? 5 : 2, name, plays, irq, c->unit_ps, c->fifo_units));
}

static void add_master(struct km_traffic *t, enum km_traffic_id id, const char *name, unsigned irq,
                       const struct km_dma_master_config *c)
{
    struct km_traffic_driver *d = open_driver(t, id, name, c->on, irq);
    const struct km_busmaster_params p = {.name = name,
                                          .pci = &t->pci,
                                          .master = (unsigned)id,
                                          .irq = irq,
                                          .receives = c->receives,
                                          .byte_ps = c->byte_ps,
                                          .gap_ps = c->gap_ps,
                                          .frame_bytes = c->frame_bytes,
                                          .fifo_bytes = c->fifo_bytes,
                                          .threshold_bytes = c->threshold_bytes,
                                          .burst_bytes = c->burst_bytes,
                                          .frames_per_irq = c->frames_per_irq};

    if (!c->on)
        return;
    d->dir = c->receives ? KM_DMA_FROM_DEVICE : KM_DMA_TO_DEVICE;
    d->bytes = c->frame_bytes;
    d->nr = c->ring;
    d->kmalloc = id == KM_TRAFFIC_NIC;
    d->gfp = id == KM_TRAFFIC_NIC ? KM_GFP_KERNEL : KM_GFP_HIGHUSER;
    d->dev.snooped = c->snooped;
    set_mask(t, d, c->mask_bits);
    km_busmaster_init(km_traffic_master(t, d), &p);
}

static void make_devices(struct km_traffic *t)
{
    const struct km_dma_config *c = &t->cfg->dma;

    km_isa_cards_init(&t->cards);
    km_pci_init(&t->pci, &pci_geom);
    add_card(t, KM_TRAFFIC_FLOPPY, "floppy", 6, &c->floppy);
    add_card(t, KM_TRAFFIC_SOUND, "sound", 5, &c->sound);
    add_master(t, KM_TRAFFIC_NIC, "nic", 11, &c->nic);
    add_master(t, KM_TRAFFIC_DISK, "disk", 14, &c->disk);
}

static void attach_devices(struct km_traffic *t)
{
    for (unsigned i = 0; i < KM_TRAFFIC_NR; i++) {
        struct km_traffic_driver *d = &t->driver[i];

        if (!d->on)
            continue;
        if (i >= KM_TRAFFIC_NIC) {
            d->device = (unsigned)t->engine->attach(t->machine, &km_busmaster_ops, km_traffic_master(t, d),
                                                    d->dev.snooped);
            continue;
        }
        if (!t->has_cards)
            t->cards_device = (unsigned)t->engine->attach(t->machine, &km_isa_cards_ops, &t->cards, true);
        t->has_cards = true;
        d->device = t->cards_device;
    }
}

/* ---- the stream of work items ------------------------------------------------------------------ */

static void add_work(struct km_traffic *t, uint64_t due_ns, enum km_traffic_id id, enum km_traffic_item item)
{
    unsigned at = t->nr_work++;

    KM_BUG_ON(at == KM_ARRAY_LEN(t->work));
    for (; at && t->work[at - 1].due_ns > due_ns; at--)
        t->work[at] = t->work[at - 1];
    t->work[at] = (struct km_traffic_work){due_ns, id, item};
}

static bool traffic_peek(void *ctx, unsigned *cpu, uint64_t *due_ns)
{
    const struct km_traffic *t = ctx;

    *cpu = t->nr_work ? t->driver[t->work[0].id].cpu : 0;
    *due_ns = t->nr_work ? t->work[0].due_ns : KM_NEVER;
    return t->nr_live > 0;
}

static void traffic_run(void *ctx, struct km_cpu *cpu, uint64_t now_ns)
{
    struct km_traffic *t = ctx;
    struct km_traffic_work w = t->work[0];

    (void)now_ns;
    memmove(t->work, t->work + 1, --t->nr_work * sizeof(t->work[0]));
    km_traffic_drive(t, &t->driver[w.id], w.item, cpu);
}

static struct km_traffic_driver *driver_of_line(struct km_traffic *t, unsigned line)
{
    for (unsigned i = 0; i < KM_TRAFFIC_NR; i++)
        if (t->driver[i].on && t->driver[i].irq == line)
            return &t->driver[i];
    return NULL;
}

static void traffic_interrupt(void *ctx, unsigned device, unsigned line, uint64_t now_ns)
{
    struct km_traffic *t = ctx;
    struct km_traffic_driver *d = driver_of_line(t, line);

    (void)device;
    KM_BUG_ON(!d);
    d->bus.interrupts++;
    if (d->id == KM_TRAFFIC_FLOPPY && d->begun_ps) {
        d->busy_ps += now_ns * 1000 - d->begun_ps;
        d->begun_ps = 0;
    }
    for (unsigned i = 0; i < t->nr_work; i++)
        if (t->work[i].id == d->id && t->work[i].item == KM_ITEM_IRQ)
            return;
    add_work(t, now_ns, d->id, KM_ITEM_IRQ);
}

static struct km_traffic_driver *driver_of_device(struct km_traffic *t, unsigned device)
{
    if (t->has_cards && device == t->cards_device)
        return &t->driver[t->cards.channel == 5 ? KM_TRAFFIC_SOUND : KM_TRAFFIC_FLOPPY];
    return &t->driver[t->driver[KM_TRAFFIC_NIC].on && t->driver[KM_TRAFFIC_NIC].device == device ? KM_TRAFFIC_NIC
                                                                                                 : KM_TRAFFIC_DISK];
}

static void traffic_accessed(void *ctx, unsigned device, const struct km_device_next *act,
                             const struct km_dma_stats_hw *one, uint64_t now_ns)
{
    struct km_traffic *t = ctx;
    struct km_traffic_driver *d = driver_of_device(t, device);

    km_dma_stats_add(&d->bus, one);
    if (one->stale_reads + one->stale_writes)
        km_report_event(t->report, now_ns, d->cpu, "dma_stale", "%s %s 0x%" PRIx64 ", %u bytes: %s", d->name,
                        one->stale_reads ? "read" : "wrote", (uint64_t)act->pa, act->bytes,
                        one->stale_reads ? "a cache holds newer data" : "a cache keeps the old data");
    km_traffic_tell_losses(t, d, now_ns);
}

/* ---- the run ----------------------------------------------------------------------------------- */

static void plan(struct km_traffic *t)
{
    for (unsigned i = 0; i < KM_TRAFFIC_NR; i++) {
        if (!t->driver[i].on)
            continue;
        t->nr_live++;
        add_work(t, 0, (enum km_traffic_id)i, KM_ITEM_SETUP);
        add_work(t, t->cfg->dma.duration_ns, (enum km_traffic_id)i, KM_ITEM_STOP);
    }
}

static int run_machine(struct km_traffic *t, struct km_err *err)
{
    const struct km_program program = {t, traffic_peek, traffic_run, traffic_interrupt, traffic_accessed};
    struct km_config cfg = *t->cfg;

    cfg.machine.cpus = t->guest.os.p.cpus;
    cfg.machine.ram_bytes = t->guest.window.ram_bytes;
    cfg.machine.paging = t->guest.facts.pae ? KM_PAGING_PAE : KM_PAGING_2LEVEL;
    t->core_to_ps = km_clock_ratio_of(1000000000000ull, cfg.machine.clock_hz);
    t->ps_to_core = km_clock_ratio_of(cfg.machine.clock_hz, 1000000000000ull);
    int rc = t->engine->create(&t->machine, &cfg, &t->guest.window, err);

    if (rc)
        return rc;
    t->engine->set_cr3(t->machine, km_pgtable_cr3(&t->pt));
    t->engine->set_probe(t->machine, km_report_probe(t->report));
    attach_devices(t);
    plan(t);
    rc = t->engine->run(t->machine, &program, err);
    t->engine->stats(t->machine, &t->hw);
    t->hw.shared_line = NULL;
    t->hw.nr_shared_lines = 0;
    t->engine->destroy(t->machine);
    return rc;
}

static int check_end(struct km_traffic *t, struct km_err *err)
{
    const char *why = km_dma_check(&t->dma, t->guest.window.base);

    if (!why)
        why = km_isa_cards_check(&t->cards)[0] ? km_isa_cards_check(&t->cards) : NULL;
    for (unsigned i = KM_TRAFFIC_NIC; !why && i < KM_TRAFFIC_NR; i++)
        if (t->driver[i].on)
            why = km_busmaster_check(km_traffic_master(t, &t->driver[i]));
    if (!why && t->dma.live)
        why = "a mapping was not given back";
    if (t->map_err.code) {
        *err = t->map_err;
        return err->code;
    }
    KM_BUG_ON(why);
    return KM_OK;
}

/* ---- results ----------------------------------------------------------------------------------- */

static struct km_dma_result_row row_of(struct km_traffic *t, struct km_traffic_driver *d)
{
    struct km_dma_result_row r = {.name = d->name,
                                  .bus = d->bus,
                                  .bounced = d->bounced,
                                  .bounce_bytes = d->bounce_bytes,
                                  .mapping_failures = d->mapping_failures,
                                  .mismatches = d->mismatches,
                                  .busy_ps = d->busy_ps,
                                  .frames = d->blocks};

    if (d->id < KM_TRAFFIC_NIC) {
        const struct km_isa_card *card = &t->cards.card[d->id == KM_TRAFFIC_FLOPPY ? 2 : 5];

        r.data_bytes = d->bus.bytes;
        r.frames = card->blocks;
        r.overruns = card->overruns;
        r.underruns = card->underruns;
        return r;
    }
    const struct km_busmaster *m = km_traffic_master(t, d);

    r.data_bytes = m->bytes;
    r.frames = m->frames;
    r.overruns = m->overruns;
    r.underruns = m->underruns;
    r.missed = m->missed;
    return r;
}

static void summarize(struct km_traffic *t, struct km_run_summary *sum)
{
    for (unsigned i = 0; i < KM_TRAFFIC_NR; i++)
        if (t->driver[i].on)
            sum->dma[sum->nr_dma++] = row_of(t, &t->driver[i]);
    for (unsigned i = 0; i < sum->nr_dma; i++)
        sum->events += sum->dma[i].frames;
    sum->complete = true;
    sum->events_applied = sum->events;
    sum->cpus = t->guest.os.p.cpus;
    sum->ram_bytes = t->guest.window.ram_bytes;
    sum->refs = t->hw.refs;
    sum->sim_cycles = t->hw.cycles;
    sum->sim_ns = t->hw.sim_ps / 1000;
}

static double seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static int run(struct km_traffic *t, const struct km_run_options *opt, struct km_err *err)
{
    struct km_run_summary sum = {0};
    double begin = seconds();
    int rc = km_report_open(&t->report, opt->out_dir, t->cfg, opt->force, err);

    if (!rc)
        rc = boot(t, err);
    if (rc)
        return rc;
    make_devices(t);
    rc = run_machine(t, err);
    if (!rc)
        rc = check_end(t, err);
    if (rc)
        return rc;
    summarize(t, &sum);
    sum.wall_s = seconds() - begin;
    return km_report_finish(t->report, &sum, &t->hw, err);
}

int km_dma_traffic_run(const struct km_config *cfg, const struct km_run_options *opt, struct km_err *err)
{
    struct km_traffic *t = calloc(1, sizeof(*t));
    struct km_slab_layer *slab = calloc(1, sizeof(*slab));
    int rc;

    if (!t || !slab) {
        rc = km_fail(err, KM_E_NOMEM, NULL, 0, 0, "out of memory");
    } else {
        t->cfg = cfg;
        t->engine = opt->engine;
        t->slab = slab;
        t->guest.window.memfd = -1;
        rc = run(t, opt, err);
        km_report_close(t->report);
        if (t->guest.window.base)
            km_guest_release(&t->guest);
    }
    free(slab);
    free(t);
    return rc;
}
