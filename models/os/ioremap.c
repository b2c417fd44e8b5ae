/* SPDX-License-Identifier: MIT
 * ioremap.c - see ioremap.h. Instruction counts are estimated from the code's size.
 */
#include "models/os/ioremap.h"

#include "models/base/bits.h"
#include "models/base/bug.h"
#include "models/base/x86_paging.h"
#include "models/os/kfn.h"
#include "models/os/list.h"
#include "models/os/vmap_block.h"

#include <string.h>

#define SITE(n, va, bytes) .site = {.name = n, .text_va = va, .text_bytes = bytes}

static const struct km_fn fn_map = {SITE("__ioremap_caller", 0xc1067e00, 800), 180, 20, 20};
static const struct km_fn fn_unmap = {SITE("iounmap", 0xc1067d50, 176), 60, 6, 6};
static const struct km_site site_from = {"memcpy_fromio", 0xc14c7fc0, 96};
static const struct km_site site_to = {"memcpy_toio", 0xc14c8020, 96};
static const struct km_site site_set = {"memset_io", 0xc14c8080, 16};

uint32_t km_memtype_bits(enum km_memtype type)
{
    static const uint32_t bits[] = {
        [KM_MEM_WB] = 0,
        [KM_MEM_WC] = KM_PTE_PWT,
        [KM_MEM_UC_MINUS] = KM_PTE_PCD,
        [KM_MEM_UC] = KM_PTE_PCD | KM_PTE_PWT,
        [KM_MEM_WT] = KM_PTE_PAT | KM_PTE_PCD | KM_PTE_PWT,
        [KM_MEM_WP] = KM_PTE_PAT | KM_PTE_PWT,
    };

    return bits[type];
}

void km_io_init(struct km_io *io, struct km_vmalloc *v, const struct km_pfn_range *ram,
                unsigned nr_ram)
{
    KM_BUG_ON(!v->p.pt);
    memset(io, 0, sizeof(*io));
    io->v = v;
    io->ram = ram;
    io->nr_ram = nr_ram;
}

/* Does [start, end) touch system RAM? */
static bool touches_ram(const struct km_io *io, km_paddr start, km_paddr end)
{
    for (unsigned i = 0; i < io->nr_ram; i++)
        if (start < (km_paddr)io->ram[i].end << KM_PAGE_SHIFT && end > (km_paddr)io->ram[i].start
                                                                           << KM_PAGE_SHIFT)
            return true;
    return false;
}

bool km_io_add_device(struct km_io *io, const struct km_io_device *device)
{
    km_paddr end = device->start + device->bytes;

    if (io->nr_device == KM_IO_MAX_DEVICES || !device->bytes || touches_ram(io, device->start, end))
        return false;
    for (unsigned i = 0; i < io->nr_device; i++)
        if (device->start < io->device[i].start + io->device[i].bytes && end > io->device[i].start)
            return false;
    io->device[io->nr_device++] = *device;
    return true;
}

km_vaddr km_ioremap_type(struct km_io *io, struct km_cpu *cpu, km_paddr pa, uint32_t bytes,
                         enum km_memtype type, km_vaddr caller)
{
    struct km_vmalloc *v = io->v;
    km_paddr first = km_align_down(pa, KM_PAGE_BYTES);
    km_paddr end = km_align_up(pa + bytes, KM_PAGE_BYTES);
    km_vaddr stack = v->p.slab->stack_va[cpu->id], va = 0;

    if (!bytes || end > (v->p.pt->pae ? 1ull << 36 : 1ull << 32)) {
        io->stats.failed++;
        return 0;
    }
    if (touches_ram(io, first, end)) {
        io->stats.refused_ram++;
        return 0;
    }
    km_fn_enter(cpu, stack, &fn_map);
    unsigned shift = km_order_of((end - first) >> KM_PAGE_SHIFT) + KM_PAGE_SHIFT;
    unsigned limit = km_large_shift(v->p.pt->pae);
    km_vaddr vm =
        km_vm_area_get(v, cpu, (uint32_t)(end - first), 1u << (shift < limit ? shift : limit),
                       v->p.start, v->p.end, KM_GFP_KERNEL, KM_VM_IOREMAP, caller);

    if (vm) {
        va = km_ld32(cpu, vm + KM_VMS_ADDR);
        km_st32(cpu, vm + KM_VMS_PHYS, (uint32_t)first);
        km_st32(cpu, vm + KM_VMS_PHYS + 4, (uint32_t)(first >> 32));
        if (!km_vm_map_range(v, cpu, va, (km_pfn)(first >> KM_PAGE_SHIFT),
                             (uint32_t)((end - first) >> KM_PAGE_SHIFT), km_memtype_bits(type))) {
            km_vm_area_remove(v, cpu, va);
            km_kfree(v->p.slab, cpu, vm);
            va = 0;
        }
    }
    io->stats.maps += va != 0;
    io->stats.failed += va == 0;
    km_fn_leave(cpu, stack, &fn_map);
    return va ? va + (km_vaddr)(pa - first) : 0;
}

km_vaddr km_ioremap(struct km_io *io, struct km_cpu *cpu, km_paddr pa, uint32_t bytes,
                    km_vaddr caller)
{
    return km_ioremap_type(io, cpu, pa, bytes, KM_MEM_UC_MINUS, caller);
}

bool km_iounmap(struct km_io *io, struct km_cpu *cpu, km_vaddr va)
{
    struct km_vmalloc *v = io->v;
    km_vaddr stack = v->p.slab->stack_va[cpu->id];

    km_fn_enter(cpu, stack, &fn_unmap);
    km_vaddr vm = km_vm_area_remove(v, cpu, va & ~(KM_PAGE_BYTES - 1));

    if (vm) {
        km_kfree(v->p.slab, cpu, vm);
        io->stats.unmaps++;
    }
    km_fn_leave(cpu, stack, &fn_unmap);
    return vm != 0;
}

static const char *check_mapping(const struct km_io *io, const uint8_t *w, km_vaddr area)
{
    km_vaddr vm = km_peek32(w, area + KM_VA_VM);

    if (!vm || (vm & KM_VB_TAG) || !(km_peek32(w, vm + KM_VMS_FLAGS) & KM_VM_IOREMAP))
        return NULL;
    km_paddr pa = km_peek32(w, vm + KM_VMS_PHYS) | (km_paddr)km_peek32(w, vm + KM_VMS_PHYS + 4) << 32;
    km_vaddr va = km_peek32(w, vm + KM_VMS_ADDR);
    uint32_t bytes = km_peek32(w, vm + KM_VMS_SIZE) - KM_PAGE_BYTES;

    if (touches_ram(io, pa, pa + bytes))
        return "a device mapping shows RAM";
    for (uint32_t o = 0; o < bytes; o += KM_PAGE_BYTES)
        if (km_pgtable_peek(io->v->p.pt, w, va + o) != (km_pfn)((pa + o) >> KM_PAGE_SHIFT))
            return "a device mapping does not show its physical range";
    return NULL;
}

const char *km_io_check(const struct km_io *io, const uint8_t *window)
{
    const km_vaddr head = io->v->vmap.busy_list_va;
    const char *why = NULL;

    for (km_vaddr at = km_peek32(window, head); !why && at != head;
         at = km_peek32(window, at + KM_LIST_NEXT))
        why = check_mapping(io, window, at - KM_VA_LIST);
    return why;
}

/* ---- access --------------------------------------------------------------------------------- */

static struct km_io_device *device_at(struct km_io *io, const struct km_cpu *cpu, km_vaddr va,
                                      uint32_t *offset)
{
    km_pfn pfn = km_pgtable_peek(io->v->p.pt, cpu->window, va);
    km_paddr pa = ((km_paddr)pfn << KM_PAGE_SHIFT) | (va & (KM_PAGE_BYTES - 1));

    for (unsigned i = 0; pfn != KM_PFN_NONE && i < io->nr_device; i++)
        if (pa >= io->device[i].start && pa - io->device[i].start < io->device[i].bytes) {
            *offset = (uint32_t)(pa - io->device[i].start);
            return &io->device[i];
        }
    io->stats.no_device++;
    return NULL;
}

static uint32_t read_io(struct km_io *io, struct km_cpu *cpu, km_vaddr va, unsigned width)
{
    uint32_t value = width == 4 ? UINT32_MAX : (1u << 8 * width) - 1, offset;
    struct km_io_device *d = device_at(io, cpu, va, &offset);

    km_ref(cpu, va, width, KM_REF_LOAD);
    io->stats.reads++;
    io->stats.bytes_read += width;
    if (d && d->ram && offset + width <= d->bytes) {
        value = 0;
        memcpy(&value, d->ram + offset, width);
    } else if (d && d->read) {
        value = d->read(d->ctx, offset, width);
    }
    return value;
}

static void write_io(struct km_io *io, struct km_cpu *cpu, km_vaddr va, unsigned width,
                     uint32_t value)
{
    uint32_t offset;
    struct km_io_device *d = device_at(io, cpu, va, &offset);

    km_ref(cpu, va, width, KM_REF_STORE);
    io->stats.writes++;
    io->stats.bytes_written += width;
    if (d && d->ram && offset + width <= d->bytes)
        memcpy(d->ram + offset, &value, width);
    else if (d && d->write)
        d->write(d->ctx, offset, width, value);
}

uint8_t km_readb(struct km_io *io, struct km_cpu *cpu, km_vaddr va)
{
    return (uint8_t)read_io(io, cpu, va, 1);
}

uint16_t km_readw(struct km_io *io, struct km_cpu *cpu, km_vaddr va)
{
    return (uint16_t)read_io(io, cpu, va, 2);
}

uint32_t km_readl(struct km_io *io, struct km_cpu *cpu, km_vaddr va)
{
    return read_io(io, cpu, va, 4);
}

void km_writeb(struct km_io *io, struct km_cpu *cpu, uint8_t value, km_vaddr va)
{
    write_io(io, cpu, va, 1, value);
}

void km_writew(struct km_io *io, struct km_cpu *cpu, uint16_t value, km_vaddr va)
{
    write_io(io, cpu, va, 2, value);
}

void km_writel(struct km_io *io, struct km_cpu *cpu, uint32_t value, km_vaddr va)
{
    write_io(io, cpu, va, 4, value);
}

/* Width of the next reference of a transfer: up to alignment of the device address, then words. */
static unsigned next_width(km_vaddr io_va, uint32_t left)
{
    if ((io_va & 1) || left < 2)
        return 1;
    return (io_va & 2) || left < 4 ? 2 : 4;
}

void km_memcpy_fromio(struct km_io *io, struct km_cpu *cpu, km_vaddr to, km_vaddr io_va,
                      uint32_t bytes)
{
    km_exec(cpu, &site_from, 20 + bytes / 4);
    for (unsigned width; bytes; bytes -= width, to += width, io_va += width) {
        width = next_width(io_va, bytes);
        uint32_t value = read_io(io, cpu, io_va, width);

        km_ref(cpu, to, width, KM_REF_STORE);
        memcpy(cpu->window + to, &value, width);
    }
}

void km_memcpy_toio(struct km_io *io, struct km_cpu *cpu, km_vaddr io_va, km_vaddr from,
                    uint32_t bytes)
{
    km_exec(cpu, &site_to, 20 + bytes / 4);
    for (unsigned width; bytes; bytes -= width, from += width, io_va += width) {
        uint32_t value = 0;

        width = next_width(io_va, bytes);
        km_ref(cpu, from, width, KM_REF_LOAD);
        memcpy(&value, cpu->window + from, width);
        write_io(io, cpu, io_va, width, value);
    }
}

void km_memset_io(struct km_io *io, struct km_cpu *cpu, km_vaddr io_va, uint8_t value,
                  uint32_t bytes)
{
    km_exec(cpu, &site_set, 6 + bytes / 4);
    for (unsigned width; bytes; bytes -= width, io_va += width) {
        width = next_width(io_va, bytes);
        write_io(io, cpu, io_va, width, value * 0x01010101u);
    }
}
