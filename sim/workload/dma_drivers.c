/* SPDX-License-Identifier: MIT
 * dma_drivers.c - see dma_drivers.h. Instruction counts are estimated from the size of such drivers.
 */
#include "sim/workload/dma_drivers.h"

#include "models/base/bits.h"
#include "models/base/bug.h"
#include "models/base/x86_paging.h"
#include "models/os/page_alloc.h"
#include "sim/base/engine.h"

#include <inttypes.h>
#include <string.h>

#define FLOPPY_CHANNEL 2u
#define SOUND_CHANNEL 5u
#define PIC_COMMAND 0x20u /* of the first 8259; the second one's is 0xa0 */

static const struct km_site site_isr = {"handle_irq_event", 0xc10e2000u, 512};
static const struct km_site site_driver = {"dma_driver", 0xc1790000u, 1024};

/* ---- time and registers ------------------------------------------------------------------------ */

static uint64_t now_ps(const struct km_traffic *t, const struct km_cpu *cpu)
{
    return km_clock_down(t->core_to_ps, cpu->local_cycles);
}

static uint64_t now_ns(const struct km_traffic *t, const struct km_cpu *cpu)
{
    return now_ps(t, cpu) / 1000;
}

static void wait_until(const struct km_traffic *t, struct km_cpu *cpu, uint64_t ps)
{
    cpu->local_cycles = km_max_u64(cpu->local_cycles, km_clock_up(t->ps_to_core, ps));
}

/* An I/O cycle on the ISA bus; the processor waits for its turn. */
static void isa_cycle(struct km_traffic *t, struct km_cpu *cpu)
{
    uint64_t until_ps;
    bool over;

    do {
        km_sync(cpu);
        over = km_isa_cards_io(&t->cards, now_ps(t, cpu), &until_ps);
        if (t->has_cards)
            t->engine->poke(t->machine, t->cards_device);
        wait_until(t, cpu, until_ps);
    } while (!over);
    km_sync(cpu);
}

static void out(struct km_traffic *t, struct km_cpu *cpu, uint16_t port, uint32_t value)
{
    isa_cycle(t, cpu);
    km_i8237_out(&t->cards.dma, port, (uint8_t)value);
}

static struct km_clock_ratio ps_to_pci(void)
{
    return km_clock_ratio_of(KM_PCI_CLOCK_HZ, 1000000000000ull);
}

static struct km_clock_ratio pci_to_ps(void)
{
    return km_clock_ratio_of(1000000000000ull, KM_PCI_CLOCK_HZ);
}

static void pci_read(struct km_traffic *t, struct km_cpu *cpu)
{
    km_sync(cpu);
    uint64_t clock = km_pci_cpu_read(&t->pci, km_clock_up(ps_to_pci(), now_ps(t, cpu)));

    wait_until(t, cpu, km_clock_up(pci_to_ps(), clock));
}

static void pci_write(struct km_traffic *t, struct km_cpu *cpu)
{
    km_sync(cpu);
    uint64_t clock = km_pci_cpu_write(&t->pci, km_clock_up(ps_to_pci(), now_ps(t, cpu)));

    wait_until(t, cpu, km_clock_up(pci_to_ps(), clock));
    km_sync(cpu);
}

/* The interrupt is over for the 8259 pair. */
static void end_of_interrupt(struct km_traffic *t, const struct km_traffic_driver *d, struct km_cpu *cpu)
{
    if (d->irq >= 8)
        out(t, cpu, 0x80 | PIC_COMMAND, 0x20);
    out(t, cpu, PIC_COMMAND, 0x20);
}

/* ---- buffers ----------------------------------------------------------------------------------- */

static void failure(struct km_traffic *t, struct km_traffic_driver *d, struct km_cpu *cpu, const char *why)
{
    d->mapping_failures++;
    km_sync(cpu);
    km_report_event(t->report, now_ns(t, cpu), cpu->id, "dma_mapping_failure", "%s: %s, %u bytes", d->name, why,
                    d->bytes);
}

static km_paddr map(struct km_traffic *t, struct km_traffic_driver *d, struct km_cpu *cpu,
                    const struct km_traffic_buffer *b)
{
    struct km_dma_stats before;
    km_paddr addr;

    km_lock(cpu, t->lock_va);
    before = t->dma.stats;
    addr = b->va ? km_dma_map_single(&t->dma, cpu, &d->dev, b->va, d->bytes, d->dir)
                 : km_dma_map_page(&t->dma, cpu, &d->dev, b->pfn, 0, d->bytes, d->dir);
    bool bounced = t->dma.stats.bounced > before.bounced;

    d->bounced += bounced;
    d->bounce_bytes += t->dma.stats.bounce_bytes - before.bounce_bytes;
    km_unlock(cpu, t->lock_va);
    if (bounced) {
        km_sync(cpu);
        km_report_event(t->report, now_ns(t, cpu), cpu->id, "bounce", "%s: 0x%" PRIx64 " at 0x%" PRIx64 ", %u bytes",
                        d->name, (uint64_t)(b->va ? b->va - t->guest.os.p.page_offset : (km_paddr)b->pfn << KM_PAGE_SHIFT),
                        (uint64_t)addr, d->bytes);
    }
    return addr;
}

static void unmap(struct km_traffic *t, struct km_traffic_driver *d, struct km_cpu *cpu,
                  const struct km_traffic_buffer *b)
{
    uint64_t before;

    km_lock(cpu, t->lock_va);
    before = t->dma.stats.bounce_bytes;
    KM_BUG_ON(km_dma_unmap(&t->dma, cpu, &d->dev, b->addr, d->bytes, d->dir) != KM_DMA_OK);
    d->bounce_bytes += t->dma.stats.bounce_bytes - before;
    km_unlock(cpu, t->lock_va);
}

static void give_back(struct km_traffic *t, struct km_cpu *cpu, struct km_traffic_buffer *b)
{
    if (b->va)
        km_kfree(t->slab, cpu, b->va);
    else
        km_free_pages(&t->guest.os, cpu, b->pfn, b->order);
    b->addr = KM_DMA_MAPPING_ERROR;
}

static bool take(struct km_traffic *t, const struct km_traffic_driver *d, struct km_cpu *cpu, uint32_t gfp,
                 struct km_traffic_buffer *b)
{
    *b = (struct km_traffic_buffer){.addr = KM_DMA_MAPPING_ERROR};
    if (d->kmalloc) {
        b->va = km_kmalloc(t->slab, cpu, d->bytes, gfp & ~KM_GFP_HIGHMEM);
        return b->va != 0;
    }
    while ((KM_PAGE_BYTES << b->order) < d->bytes)
        b->order++;
    b->pfn = km_alloc_pages(&t->guest.os, cpu, gfp, b->order);
    return b->pfn != KM_PFN_NONE;
}

/* The processor's look at a buffer, or its filling. Returns whether the device's data are as it sent them: byte i of the
 * buffer is `first` + i. */
static bool touch(struct km_traffic *t, const struct km_traffic_driver *d, struct km_cpu *cpu,
                  const struct km_traffic_buffer *b, uint8_t first)
{
    enum km_ref_kind kind = d->dir == KM_DMA_FROM_DEVICE ? KM_REF_LOAD : KM_REF_STORE;
    enum km_kmap_result why;
    bool high = !b->va && !km_pfn_is_low(&t->guest.os, b->pfn);
    km_vaddr task = t->task_va[cpu->id];
    km_vaddr va = b->va   ? b->va
                  : !high ? km_pfn_to_va(&t->guest.os, b->pfn)
                          : km_kmap_local(&t->highmem, cpu, task, b->pfn, &why);
    bool right = true;

    km_exec(cpu, &site_driver, 20 + d->bytes / 4);
    km_touch(cpu, va, d->bytes, kind);
    for (uint32_t i = 0; i < d->bytes; i++) {
        if (kind == KM_REF_STORE)
            cpu->window[va + i] = (uint8_t)(first + i);
        right &= cpu->window[va + i] == (uint8_t)(first + i);
    }
    if (high)
        km_kunmap_local(&t->highmem, cpu, task, va);
    return right;
}

/* A mapped buffer, filled if the device will read it: of the ordinary kind or, if the device cannot have that, from
 * ZONE_DMA. */
static bool prepare(struct km_traffic *t, struct km_traffic_driver *d, struct km_cpu *cpu, int channel,
                    struct km_traffic_buffer *b)
{
    for (unsigned attempt = 0; attempt < 2; attempt++) {
        if (!take(t, d, cpu, attempt ? KM_GFP_KERNEL | KM_GFP_DMA : d->gfp, b)) {
            failure(t, d, cpu, "no memory for a buffer");
            continue;
        }
        if (d->dir == KM_DMA_TO_DEVICE)
            touch(t, d, cpu, b, (uint8_t)d->blocks);
        b->addr = map(t, d, cpu, b);
        if (b->addr != KM_DMA_MAPPING_ERROR &&
            (channel < 0 || km_i8237_reachable((unsigned)channel, b->addr, d->bytes)))
            return true;
        if (b->addr != KM_DMA_MAPPING_ERROR)
            unmap(t, d, cpu, b);
        failure(t, d, cpu, b->addr == KM_DMA_MAPPING_ERROR ? "the device cannot reach it and nothing can stand in"
                                                           : "it crosses a border of the 8237's address counter");
        give_back(t, cpu, b);
    }
    return false;
}

/* The device is done with a buffer. */
static void finish(struct km_traffic *t, struct km_traffic_driver *d, struct km_cpu *cpu, struct km_traffic_buffer *b,
                   uint8_t first)
{
    unmap(t, d, cpu, b);
    if (d->dir == KM_DMA_FROM_DEVICE)
        d->mismatches += !touch(t, d, cpu, b, first);
    give_back(t, cpu, b);
}

/* ---- ISA cards --------------------------------------------------------------------------------- */

static unsigned channel_of(const struct km_traffic_driver *d)
{
    return d->id == KM_TRAFFIC_FLOPPY ? FLOPPY_CHANNEL : SOUND_CHANNEL;
}

/* Mask, mode, address, page, count, unmask: nine I/O cycles. */
static void program_channel(struct km_traffic *t, const struct km_traffic_driver *d, struct km_cpu *cpu)
{
    const uint32_t addr = (uint32_t)d->buffer[0].addr;
    bool word = d->id == KM_TRAFFIC_SOUND;
    uint16_t base = word ? 0xc4 : 0x04, mask = word ? 0xd4 : 0x0a;
    uint32_t start = word ? addr >> 1 : addr, count = (word ? d->bytes / 2 : d->bytes) - 1;
    uint32_t mode = word ? KM_DMA_MODE_FROM_MEMORY | KM_DMA_MODE_AUTOINIT : KM_DMA_MODE_TO_MEMORY;

    km_lock(cpu, t->lock_va);
    out(t, cpu, mask, 4 | (channel_of(d) & 3));
    out(t, cpu, word ? 0xd8 : 0x0c, 0);
    out(t, cpu, word ? 0xd6 : 0x0b, mode | KM_DMA_MODE_SINGLE | (channel_of(d) & 3));
    out(t, cpu, base, start & 0xff);
    out(t, cpu, base, start >> 8 & 0xff);
    out(t, cpu, word ? 0x8b : 0x81, addr >> 16);
    out(t, cpu, base + (word ? 2 : 1), count & 0xff);
    out(t, cpu, base + (word ? 2 : 1), count >> 8);
    out(t, cpu, mask, channel_of(d) & 3);
    km_unlock(cpu, t->lock_va);
}

static void start_card(struct km_traffic *t, struct km_traffic_driver *d, struct km_cpu *cpu)
{
    if (!prepare(t, d, cpu, (int)channel_of(d), &d->buffer[0]))
        return;
    program_channel(t, d, cpu);
    km_sync(cpu);
    d->begun_ps = now_ps(t, cpu);
    km_isa_cards_start(&t->cards, channel_of(d), d->begun_ps);
    t->engine->poke(t->machine, d->device);
}

static void card_interrupt(struct km_traffic *t, struct km_traffic_driver *d, struct km_cpu *cpu)
{
    uint8_t first = (uint8_t)(d->blocks * d->bytes);

    d->blocks++;
    if (d->id == KM_TRAFFIC_FLOPPY) {
        finish(t, d, cpu, &d->buffer[0], first);
        start_card(t, d, cpu);
        return;
    }
    /* The card plays the block again meanwhile. */
    touch(t, d, cpu, &d->buffer[0], (uint8_t)d->blocks);
    km_lock(cpu, t->lock_va);
    uint64_t before = t->dma.stats.bounce_bytes;

    km_dma_sync_for_device(&t->dma, cpu, &d->dev, d->buffer[0].addr, d->bytes, d->dir);
    d->bounce_bytes += t->dma.stats.bounce_bytes - before;
    km_unlock(cpu, t->lock_va);
}

static void stop_card(struct km_traffic *t, struct km_traffic_driver *d, struct km_cpu *cpu)
{
    km_lock(cpu, t->lock_va);
    out(t, cpu, d->id == KM_TRAFFIC_SOUND ? 0xd4 : 0x0a, 4 | (channel_of(d) & 3));
    km_isa_cards_stop(&t->cards, channel_of(d));
    t->engine->poke(t->machine, d->device);
    isa_cycle(t, cpu); /* a transfer that had been granted is over now */
    km_unlock(cpu, t->lock_va);
    d->busy_ps += d->begun_ps ? now_ps(t, cpu) - d->begun_ps : 0;
}

/* ---- PCI bus masters --------------------------------------------------------------------------- */

static void hand_over(struct km_traffic *t, struct km_traffic_driver *d, struct km_cpu *cpu, unsigned slot)
{
    km_vaddr entry = d->ring_va + slot * KM_RING_ENTRY_BYTES;

    if (!prepare(t, d, cpu, -1, &d->buffer[slot]))
        return;
    km_exec(cpu, &site_driver, 12);
    km_st32(cpu, entry + KM_RING_ADDR, (uint32_t)d->buffer[slot].addr);
    km_st32(cpu, entry + KM_RING_LENGTH, d->bytes);
    km_st32(cpu, entry + KM_RING_STATUS, KM_RING_OWN);
}

static bool make_ring(struct km_traffic *t, struct km_traffic_driver *d, struct km_cpu *cpu)
{
    km_lock(cpu, t->lock_va);
    km_vaddr va = km_dma_alloc_coherent(&t->dma, cpu, &d->dev, d->nr * KM_RING_ENTRY_BYTES, KM_GFP_KERNEL,
                                        &d->ring_pa);

    km_unlock(cpu, t->lock_va);
    if (!va) {
        failure(t, d, cpu, "no consistent memory for the ring");
        return false;
    }
    if (d->dev.snooped) {
        d->ring_va = va;
        return true;
    }
    /* Mapped uncached at ring_va; its page table is there since boot. */
    struct km_err err;
    km_pfn pfn = km_va_to_pfn(&t->guest.os, va);

    km_pgtable_map_attr(&t->pt, cpu, d->ring_va, pfn, KM_PTE_PCD | KM_PTE_PWT);
    km_window_map(&t->guest.window, d->ring_va, pfn, 1, &err);
    return true;
}

static void start_master(struct km_traffic *t, struct km_traffic_driver *d, struct km_cpu *cpu)
{
    if (!make_ring(t, d, cpu))
        return;
    for (unsigned i = 0; i < d->nr; i++)
        hand_over(t, d, cpu, i);
    pci_write(t, cpu); /* address of the ring */
    pci_write(t, cpu); /* go */
    d->begun_ps = now_ps(t, cpu);
    km_busmaster_start(km_traffic_master(t, d), d->ring_pa, d->nr, d->begun_ps);
    t->engine->poke(t->machine, d->device);
}

static void master_interrupt(struct km_traffic *t, struct km_traffic_driver *d, struct km_cpu *cpu)
{
    pci_read(t, cpu); /* why */
    for (unsigned budget = d->nr; budget; budget--) {
        struct km_traffic_buffer *b = &d->buffer[d->next];
        km_vaddr status = d->ring_va + d->next * KM_RING_ENTRY_BYTES + KM_RING_STATUS;

        if (b->addr == KM_DMA_MAPPING_ERROR || (km_ld32(cpu, status) & KM_RING_OWN))
            break;
        finish(t, d, cpu, b, (uint8_t)d->blocks);
        d->blocks++;
        hand_over(t, d, cpu, d->next);
        d->next = (d->next + 1) % d->nr;
    }
    pci_write(t, cpu);
    km_busmaster_kick(km_traffic_master(t, d), now_ps(t, cpu));
    t->engine->poke(t->machine, d->device);
}

static void stop_master(struct km_traffic *t, struct km_traffic_driver *d, struct km_cpu *cpu)
{
    pci_write(t, cpu);
    km_busmaster_stop(km_traffic_master(t, d));
    t->engine->poke(t->machine, d->device);
    pci_read(t, cpu); /* the device has stopped once this comes back */
    d->busy_ps = d->begun_ps ? now_ps(t, cpu) - d->begun_ps : 0;
}

/* ---- work items -------------------------------------------------------------------------------- */

static void setup(struct km_traffic *t, struct km_traffic_driver *d, struct km_cpu *cpu)
{
    for (unsigned i = 0; i < d->nr; i++)
        d->buffer[i].addr = KM_DMA_MAPPING_ERROR;
    if (d->id < KM_TRAFFIC_NIC)
        start_card(t, d, cpu);
    else
        start_master(t, d, cpu);
}

static void interrupt(struct km_traffic *t, struct km_traffic_driver *d, struct km_cpu *cpu)
{
    cpu->local_cycles += t->cfg->machine.irq_cycles;
    km_exec(cpu, &site_isr, 120);
    if (d->id < KM_TRAFFIC_NIC)
        card_interrupt(t, d, cpu);
    else
        master_interrupt(t, d, cpu);
    end_of_interrupt(t, d, cpu);
}

static void stop(struct km_traffic *t, struct km_traffic_driver *d, struct km_cpu *cpu)
{
    if (d->id < KM_TRAFFIC_NIC)
        stop_card(t, d, cpu);
    else
        stop_master(t, d, cpu);
    for (unsigned i = 0; i < d->nr; i++) {
        if (d->buffer[i].addr == KM_DMA_MAPPING_ERROR)
            continue;
        unmap(t, d, cpu, &d->buffer[i]);
        give_back(t, cpu, &d->buffer[i]);
    }
    if (d->ring_pa) {
        km_lock(cpu, t->lock_va);
        km_dma_free_coherent(&t->dma, cpu, &d->dev, d->nr * KM_RING_ENTRY_BYTES, d->ring_pa);
        km_unlock(cpu, t->lock_va);
    }
    km_sync(cpu);
    d->live = false;
    t->nr_live--;
    km_traffic_tell_losses(t, d, now_ns(t, cpu));
}

void km_traffic_drive(struct km_traffic *t, struct km_traffic_driver *d, enum km_traffic_item item, struct km_cpu *cpu)
{
    if (item == KM_ITEM_SETUP)
        setup(t, d, cpu);
    else if (item == KM_ITEM_IRQ && d->live)
        interrupt(t, d, cpu);
    else if (item == KM_ITEM_STOP)
        stop(t, d, cpu);
}

static void tell(struct km_traffic *t, struct km_traffic_driver *d, uint64_t ns, const char *kind, const char *what,
                 uint64_t count, uint64_t *told)
{
    if (count > *told)
        km_report_event(t->report, ns, d->cpu, kind, "%s: %" PRIu64 " %s", d->name, count - *told, what);
    *told = count;
}

void km_traffic_tell_losses(struct km_traffic *t, struct km_traffic_driver *d, uint64_t ns)
{
    if (d->id < KM_TRAFFIC_NIC) {
        const struct km_isa_card *card = &t->cards.card[channel_of(d)];

        tell(t, d, ns, "dma_overrun", "units lost, the FIFO was full", card->overruns, &d->told_overruns);
        tell(t, d, ns, "dma_underrun", "units missing, the FIFO was empty", card->underruns, &d->told_underruns);
        return;
    }
    const struct km_busmaster *m = km_traffic_master(t, d);

    tell(t, d, ns, "dma_overrun", "frames spoilt, the FIFO was full", m->overruns, &d->told_overruns);
    tell(t, d, ns, "dma_underrun", "frames spoilt, the FIFO was empty", m->underruns, &d->told_underruns);
}
