/* SPDX-License-Identifier: MIT
 * dma_map.c - see dma_map.h. Instruction counts are estimated from the code's size.
 */
#include "models/os/dma_map.h"

#include "models/base/bits.h"
#include "models/base/bug.h"
#include "models/os/page_alloc.h"
#include "models/os/page_api.h"

#include <string.h>

#define MIN_MASK KM_DMA_BITS(24) /* what ZONE_DMA lies below */

static const struct km_site site_map = {"dma_map_page_attrs", 0xc1105280, 928};
static const struct km_site site_unmap = {"dma_unmap_page_attrs", 0xc1105620, 672};
static const struct km_site site_coherent = {"dma_direct_alloc", 0xc11060c0, 608};
static const struct km_site site_copy = {"memcpy", 0xc1a3a1c0, 48};

/* ---- copies ----------------------------------------------------------------------------------- */

/* Address of a frame for the duration of a copy. */
static km_vaddr open_frame(struct km_dma *d, struct km_cpu *cpu, km_pfn pfn)
{
    enum km_kmap_result why;

    if (km_pfn_is_low(d->os, pfn))
        return km_pfn_to_va(d->os, pfn);
    KM_BUG_ON(!d->p.highmem);
    return km_kmap_local(d->p.highmem, cpu, d->p.task_va, pfn, &why);
}

static void close_frame(struct km_dma *d, struct km_cpu *cpu, km_pfn pfn, km_vaddr va)
{
    if (!km_pfn_is_low(d->os, pfn))
        km_kunmap_local(d->p.highmem, cpu, d->p.task_va, va);
}

/* Both pieces lie within a page. */
static void copy_piece(struct km_dma *d, struct km_cpu *cpu, km_paddr to, km_paddr from, uint32_t bytes)
{
    km_pfn to_pfn = (km_pfn)(to >> KM_PAGE_SHIFT), from_pfn = (km_pfn)(from >> KM_PAGE_SHIFT);
    km_vaddr to_page = open_frame(d, cpu, to_pfn), from_page = open_frame(d, cpu, from_pfn);
    km_vaddr to_va = to_page + (uint32_t)(to & (KM_PAGE_BYTES - 1));
    km_vaddr from_va = from_page + (uint32_t)(from & (KM_PAGE_BYTES - 1));

    km_exec(cpu, &site_copy, 8 + (bytes + 3) / 4);
    km_touch(cpu, from_va, bytes, KM_REF_LOAD);
    km_touch(cpu, to_va, bytes, KM_REF_STORE);
    memmove(cpu->window + to_va, cpu->window + from_va, bytes);
    close_frame(d, cpu, from_pfn, from_page);
    close_frame(d, cpu, to_pfn, to_page);
}

static void copy_bytes(void *ctx, struct km_cpu *cpu, km_paddr to, km_paddr from, uint32_t bytes)
{
    struct km_dma *d = ctx;

    while (bytes) {
        uint64_t room = km_min_u64(KM_PAGE_BYTES - (to & (KM_PAGE_BYTES - 1)),
                                   KM_PAGE_BYTES - (from & (KM_PAGE_BYTES - 1)));
        uint32_t piece = (uint32_t)km_min_u64(room, bytes);

        copy_piece(d, cpu, to, from, piece);
        to += piece;
        from += piece;
        bytes -= piece;
    }
}

struct km_swiotlb_copy km_dma_copier(struct km_dma *d)
{
    return (struct km_swiotlb_copy){copy_bytes, d};
}

/* ---- the device's view ------------------------------------------------------------------------ */

static bool reaches(uint64_t mask, km_paddr addr, uint32_t bytes)
{
    return addr + bytes - 1 <= mask;
}

/* A device that is not snooped: lines of the buffer leave the caches, changed ones go to memory. */
static void flush_lines(struct km_dma *d, struct km_cpu *cpu, const struct km_dma_device *dev, km_paddr pa,
                        uint32_t bytes)
{
    uint32_t line = d->p.line_bytes;

    if (dev->snooped || !line)
        return;
    for (km_paddr at = pa & ~(km_paddr)(line - 1); at < pa + bytes; at += line) {
        km_pfn pfn = (km_pfn)(at >> KM_PAGE_SHIFT);

        if (!km_pfn_is_low(d->os, pfn))
            continue; /* a frame without an address is in no cache of ours by that address */
        km_clflush(cpu, km_pfn_to_va(d->os, pfn) + (uint32_t)(at & (KM_PAGE_BYTES - 1)));
        d->stats.cache_lines++;
    }
}

static enum km_dma_result misuse(struct km_dma *d, const struct km_cpu *cpu, enum km_dma_result what,
                                 const struct km_dma_device *dev, km_paddr addr)
{
    d->stats.misuse[what]++;
    if (d->p.misuse)
        d->p.misuse(d->p.ctx, cpu, what, dev, addr);
    return what;
}

static struct km_dma_mapping *unused_mapping(struct km_dma *d)
{
    for (unsigned i = 0; i < KM_DMA_MAX_MAPPINGS; i++)
        if (d->mapping[i].kind == KM_DMA_UNUSED)
            return &d->mapping[i];
    return NULL;
}

/* The mapping of this device that holds addr. */
static struct km_dma_mapping *mapping_of(struct km_dma *d, const struct km_dma_device *dev, km_paddr addr)
{
    for (unsigned i = 0; i < KM_DMA_MAX_MAPPINGS; i++) {
        struct km_dma_mapping *m = &d->mapping[i];

        if (m->kind != KM_DMA_UNUSED && m->dev == dev && addr >= m->addr && addr < m->addr + m->bytes)
            return m;
    }
    return NULL;
}

static void forget(struct km_dma *d, struct km_dma_mapping *m)
{
    m->kind = KM_DMA_UNUSED;
    d->live--;
}

static void open_mapping(struct km_dma *d, struct km_dma_mapping *m, enum km_dma_mapping_kind kind)
{
    m->kind = kind;
    if (++d->live > d->stats.live_max)
        d->stats.live_max = d->live;
}

/* ---- setting up ------------------------------------------------------------------------------- */

bool km_dma_init(struct km_dma *d, struct km_os *os, struct km_cpu *cpu, const struct km_dma_params *p)
{
    memset(d, 0, sizeof(*d));
    d->os = os;
    d->p = *p;
    return !p->isa_pool || km_mempool_create(&d->isa, p->slab, cpu, KM_MEMPOOL_PAGES_ISA,
                                             KM_DMA_ISA_POOL_PAGES, 0, NULL);
}

void km_dma_exit(struct km_dma *d, struct km_cpu *cpu)
{
    KM_BUG_ON(d->live);
    if (d->p.isa_pool)
        km_mempool_destroy(&d->isa, cpu);
}

bool km_dma_set_mask(const struct km_dma *d, struct km_dma_device *dev, uint64_t mask)
{
    uint64_t all = ((uint64_t)d->os->p.max_pfn << KM_PAGE_SHIFT) - 1;

    if (mask < km_min_u64(all, MIN_MASK))
        return false;
    dev->mask = dev->coherent_mask = mask;
    return true;
}

/* ---- consistent memory ------------------------------------------------------------------------ */

static unsigned order_of(uint32_t bytes)
{
    unsigned order = 0;

    while (((uint64_t)KM_PAGE_BYTES << order) < bytes)
        order++;
    return order;
}

/* A block whose last byte the device reaches: from the ordinary zones first, then below 16 MiB. */
static km_pfn coherent_block(struct km_dma *d, struct km_cpu *cpu, const struct km_dma_device *dev,
                             uint32_t bytes, uint32_t gfp)
{
    unsigned order = order_of(bytes);
    km_pfn pfn;

    if (order >= KM_NR_ORDERS)
        return KM_PFN_NONE;
    if (dev->coherent_mask <= MIN_MASK)
        gfp |= KM_GFP_DMA;
    pfn = km_alloc_pages(d->os, cpu, gfp, order);
    if (pfn == KM_PFN_NONE || reaches(dev->coherent_mask, (km_paddr)pfn << KM_PAGE_SHIFT, bytes))
        return pfn;
    km_free_pages(d->os, cpu, pfn, order);
    if (gfp & KM_GFP_DMA)
        return KM_PFN_NONE;
    d->stats.coherent_retries++;
    return km_alloc_pages(d->os, cpu, gfp | KM_GFP_DMA, order);
}

km_vaddr km_dma_alloc_coherent(struct km_dma *d, struct km_cpu *cpu, const struct km_dma_device *dev,
                               uint32_t bytes, uint32_t gfp, km_paddr *addr)
{
    struct km_dma_mapping *m = unused_mapping(d);

    *addr = KM_DMA_MAPPING_ERROR;
    km_exec(cpu, &site_coherent, 90);
    km_pfn pfn = m && bytes ? coherent_block(d, cpu, dev, bytes, (gfp & ~KM_GFP_HIGHMEM) | KM_GFP_ZERO)
                            : KM_PFN_NONE;

    if (pfn == KM_PFN_NONE) {
        d->stats.failed++;
        return 0;
    }
    *addr = (km_paddr)pfn << KM_PAGE_SHIFT;
    *m = (struct km_dma_mapping){.dev = dev, .addr = *addr, .orig = *addr, .bytes = bytes};
    open_mapping(d, m, KM_DMA_CONSISTENT);
    flush_lines(d, cpu, dev, *addr, bytes); /* mapped uncached from here on */
    d->stats.coherent_allocs++;
    return km_pfn_to_va(d->os, pfn);
}

enum km_dma_result km_dma_free_coherent(struct km_dma *d, struct km_cpu *cpu, const struct km_dma_device *dev,
                                        uint32_t bytes, km_paddr addr)
{
    struct km_dma_mapping *m = mapping_of(d, dev, addr);

    if (!m || m->kind != KM_DMA_CONSISTENT || m->addr != addr)
        return misuse(d, cpu, KM_DMA_NOT_COHERENT, dev, addr);
    if (m->bytes != bytes)
        return misuse(d, cpu, KM_DMA_OTHER_SIZE, dev, addr);
    forget(d, m);
    km_free_pages(d->os, cpu, (km_pfn)(addr >> KM_PAGE_SHIFT), order_of(bytes));
    d->stats.coherent_frees++;
    return KM_DMA_OK;
}

/* ---- streaming mappings ----------------------------------------------------------------------- */

/* A page below 16 MiB stands in for the driver's one. */
static bool bounce_isa_page(struct km_dma *d, struct km_cpu *cpu, struct km_dma_mapping *m)
{
    enum km_mempool_result why;

    if ((m->orig & (KM_PAGE_BYTES - 1)) + m->bytes > KM_PAGE_BYTES)
        return false;
    m->element = km_mempool_alloc(&d->isa, cpu, KM_GFP_NOIO, &why);
    if (!m->element)
        return false;
    m->addr = (km_paddr)km_page_pfn(d->os, m->element) << KM_PAGE_SHIFT | (m->orig & (KM_PAGE_BYTES - 1));
    m->kind = KM_DMA_ISA_PAGE;
    if (m->dir != KM_DMA_FROM_DEVICE)
        copy_bytes(d, cpu, m->addr, m->orig, m->bytes);
    return true;
}

static bool bounce_swiotlb(struct km_dma *d, struct km_cpu *cpu, struct km_dma_mapping *m)
{
    struct km_swiotlb *s = d->p.swiotlb;

    if (!s || !reaches(m->dev->mask, km_swiotlb_start(s), s->nr_slots * KM_SWIOTLB_SLOT_BYTES))
        return false;
    m->addr = km_swiotlb_map(s, cpu, m->orig, m->bytes, m->dir != KM_DMA_FROM_DEVICE);
    m->kind = KM_DMA_SWIOTLB;
    return m->addr != KM_SWIOTLB_NONE;
}

static bool bounce(struct km_dma *d, struct km_cpu *cpu, struct km_dma_mapping *m)
{
    if (!bounce_swiotlb(d, cpu, m) &&
        !(d->p.isa_pool && m->dev->mask >= MIN_MASK && bounce_isa_page(d, cpu, m)))
        return false;
    d->stats.bounced++;
    if (m->dir != KM_DMA_FROM_DEVICE)
        d->stats.bounce_bytes += m->bytes;
    if (d->p.bounced)
        d->p.bounced(d->p.ctx, cpu, m->dev, m->orig, m->bytes);
    return true;
}

km_paddr km_dma_map_page(struct km_dma *d, struct km_cpu *cpu, const struct km_dma_device *dev, km_pfn pfn,
                         uint32_t offset, uint32_t bytes, enum km_dma_dir dir)
{
    struct km_dma_mapping *slot = unused_mapping(d);
    struct km_dma_mapping m = {.dev = dev, .bytes = bytes, .dir = dir};

    m.orig = m.addr = ((km_paddr)pfn << KM_PAGE_SHIFT) + offset;
    km_exec(cpu, &site_map, 45);
    m.kind = KM_DMA_DIRECT;
    if (!slot || !bytes || (!reaches(dev->mask, m.addr, bytes) && !bounce(d, cpu, &m))) {
        d->stats.failed++;
        return KM_DMA_MAPPING_ERROR;
    }
    flush_lines(d, cpu, dev, m.addr, bytes);
    *slot = m;
    open_mapping(d, slot, m.kind);
    d->stats.maps++;
    return m.addr;
}

km_paddr km_dma_map_single(struct km_dma *d, struct km_cpu *cpu, const struct km_dma_device *dev, km_vaddr va,
                           uint32_t bytes, enum km_dma_dir dir)
{
    km_pfn pfn = km_virt_to_page(d->os, va);

    if (pfn == KM_PFN_NONE) { /* vmalloc, highmem: not contiguous */
        d->stats.failed++;
        return KM_DMA_MAPPING_ERROR;
    }
    return km_dma_map_page(d, cpu, dev, pfn, va & (KM_PAGE_BYTES - 1), bytes, dir);
}

/* Moves `bytes` of a bounced mapping between the driver's buffer and what the device sees. */
static void move_bounced(struct km_dma *d, struct km_cpu *cpu, const struct km_dma_mapping *m, km_paddr addr,
                         uint32_t bytes, bool to_device)
{
    km_paddr orig = m->orig + (addr - m->addr);

    if (m->kind == KM_DMA_DIRECT)
        return;
    d->stats.bounce_bytes += bytes;
    copy_bytes(d, cpu, to_device ? addr : orig, to_device ? orig : addr, bytes);
}

enum km_dma_result km_dma_unmap(struct km_dma *d, struct km_cpu *cpu, const struct km_dma_device *dev,
                                km_paddr addr, uint32_t bytes, enum km_dma_dir dir)
{
    struct km_dma_mapping *m = mapping_of(d, dev, addr);
    bool out = dir != KM_DMA_TO_DEVICE;

    km_exec(cpu, &site_unmap, 35);
    if (!m || m->kind == KM_DMA_CONSISTENT || m->addr != addr)
        return misuse(d, cpu, KM_DMA_NOT_MAPPED, dev, addr);
    if (m->bytes != bytes)
        return misuse(d, cpu, KM_DMA_OTHER_SIZE, dev, addr);
    if (m->dir != dir)
        return misuse(d, cpu, KM_DMA_OTHER_DIR, dev, addr);
    if (out)
        flush_lines(d, cpu, dev, addr, bytes);
    if (m->kind == KM_DMA_SWIOTLB) {
        d->stats.bounce_bytes += out ? bytes : 0;
        km_swiotlb_unmap(d->p.swiotlb, cpu, addr, bytes, out);
    } else if (m->kind == KM_DMA_ISA_PAGE) {
        if (out)
            move_bounced(d, cpu, m, addr, bytes, false);
        km_mempool_free(&d->isa, cpu, m->element);
    }
    forget(d, m);
    d->stats.unmaps++;
    return KM_DMA_OK;
}

unsigned km_dma_map_sg(struct km_dma *d, struct km_cpu *cpu, const struct km_dma_device *dev,
                       struct km_dma_segment *sg, unsigned nr, enum km_dma_dir dir)
{
    for (unsigned i = 0; i < nr; i++) {
        sg[i].addr = km_dma_map_page(d, cpu, dev, sg[i].pfn, sg[i].offset, sg[i].bytes, dir);
        if (sg[i].addr == KM_DMA_MAPPING_ERROR) {
            km_dma_unmap_sg(d, cpu, dev, sg, i, dir);
            return 0;
        }
    }
    return nr;
}

void km_dma_unmap_sg(struct km_dma *d, struct km_cpu *cpu, const struct km_dma_device *dev,
                     const struct km_dma_segment *sg, unsigned nr, enum km_dma_dir dir)
{
    for (unsigned i = 0; i < nr; i++)
        km_dma_unmap(d, cpu, dev, sg[i].addr, sg[i].bytes, dir);
}

static enum km_dma_result sync_part(struct km_dma *d, struct km_cpu *cpu, const struct km_dma_device *dev,
                                    km_paddr addr, uint32_t bytes, enum km_dma_dir dir, bool to_device)
{
    struct km_dma_mapping *m = mapping_of(d, dev, addr);
    enum km_dma_dir idle = to_device ? KM_DMA_FROM_DEVICE : KM_DMA_TO_DEVICE;

    if (!m || m->kind == KM_DMA_CONSISTENT)
        return misuse(d, cpu, KM_DMA_NOT_MAPPED, dev, addr);
    if (addr + bytes > m->addr + m->bytes)
        return misuse(d, cpu, KM_DMA_OTHER_SIZE, dev, addr);
    if (m->dir != KM_DMA_BIDIRECTIONAL && m->dir != dir)
        return misuse(d, cpu, KM_DMA_OTHER_DIR, dev, addr);
    d->stats.syncs++;
    if (dir == idle) /* nothing moves that way */
        return KM_DMA_OK;
    if (to_device)
        move_bounced(d, cpu, m, addr, bytes, true);
    flush_lines(d, cpu, dev, addr, bytes);
    if (!to_device)
        move_bounced(d, cpu, m, addr, bytes, false);
    return KM_DMA_OK;
}

enum km_dma_result km_dma_sync_for_cpu(struct km_dma *d, struct km_cpu *cpu, const struct km_dma_device *dev,
                                       km_paddr addr, uint32_t bytes, enum km_dma_dir dir)
{
    return sync_part(d, cpu, dev, addr, bytes, dir, false);
}

enum km_dma_result km_dma_sync_for_device(struct km_dma *d, struct km_cpu *cpu, const struct km_dma_device *dev,
                                          km_paddr addr, uint32_t bytes, enum km_dma_dir dir)
{
    return sync_part(d, cpu, dev, addr, bytes, dir, true);
}

const char *km_dma_check(const struct km_dma *d, const uint8_t *window)
{
    uint32_t live = 0, slots = 0;

    for (unsigned i = 0; i < KM_DMA_MAX_MAPPINGS; i++) {
        const struct km_dma_mapping *m = &d->mapping[i];

        if (m->kind == KM_DMA_UNUSED)
            continue;
        live++;
        if (m->kind == KM_DMA_SWIOTLB)
            slots += (m->bytes + KM_SWIOTLB_SLOT_BYTES - 1) >> KM_SWIOTLB_SLOT_SHIFT;
        if (!reaches(m->kind == KM_DMA_CONSISTENT ? m->dev->coherent_mask : m->dev->mask, m->addr, m->bytes))
            return "a mapping lies beyond the device's mask";
    }
    if (live != d->live)
        return "live mappings are miscounted";
    if (!d->p.swiotlb)
        return NULL;
    if (slots != d->p.swiotlb->stats.used)
        return "bounce slots are taken by no mapping, or by two";
    return km_swiotlb_check(d->p.swiotlb, window);
}
