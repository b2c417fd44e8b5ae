/* SPDX-License-Identifier: MIT
 * ioremap.h - device memory in the kernel's address space, and the calls that read and write it.
 *
 * Models:      ioremap with a memory type (the PAT index of the page-table entry), aligned to the
 *              power of two above its size (4 KiB to one page-directory entry), one guard page,
 *              refusal of system RAM; readb .. writel, memcpy_fromio, memcpy_toio, memset_io as
 *              single references of their width to the mapped address. What answers is a device:
 *              plain device RAM of the host, or a pair of callbacks (registers with side effects).
 * Not modelled: 2 MiB mappings, conflicts of memory types between mappings, port I/O, write
 *              combining buffers (the memory type is in the entry; what it costs is the machine's
 *              business).
 * Invariants:  every access goes through the guest's page tables; an address that leads to no
 *              device reads as all ones, as on a PC bus, and is counted.
 * Units:       bytes.
 * References:  Linux 6.1 behaviour notes F4; Intel SDM vol. 3A section 12.12 (PAT; Linux' table: WB
 *              WC UC- UC WB WP UC- WT).
 */
#ifndef KM_OS_IOREMAP_H
#define KM_OS_IOREMAP_H

#include "models/os/boot.h"
#include "models/os/vmalloc.h"

#define KM_IO_MAX_DEVICES 16u

enum km_memtype { KM_MEM_WB, KM_MEM_WC, KM_MEM_UC_MINUS, KM_MEM_UC, KM_MEM_WT, KM_MEM_WP };

/* Attribute bits of a 4 KiB entry. */
uint32_t km_memtype_bits(enum km_memtype type);

struct km_io_device {
    const char *name;
    km_paddr start;
    uint32_t bytes;
    uint8_t *ram; /* plain memory of the device; NULL: the callbacks answer */
    uint32_t (*read)(void *ctx, uint32_t offset, unsigned width);
    void (*write)(void *ctx, uint32_t offset, unsigned width, uint32_t value);
    void *ctx;
};

struct km_io_stats {
    uint64_t maps, unmaps, refused_ram, failed;
    uint64_t reads, writes, bytes_read, bytes_written;
    uint64_t no_device; /* accesses nobody answered */
};

struct km_io {
    struct km_vmalloc *v;
    const struct km_pfn_range *ram; /* what must not be remapped */
    unsigned nr_ram;
    struct km_io_device device[KM_IO_MAX_DEVICES];
    unsigned nr_device;
    struct km_io_stats stats;
};

/* v must have page tables. */
void km_io_init(struct km_io *io, struct km_vmalloc *v, const struct km_pfn_range *ram,
                unsigned nr_ram);
/* False: no slot left, or it overlaps another device or RAM. */
bool km_io_add_device(struct km_io *io, const struct km_io_device *device);

/* Address of pa (any alignment); 0: system RAM, wrap-around, or no room. */
km_vaddr km_ioremap_type(struct km_io *io, struct km_cpu *cpu, km_paddr pa, uint32_t bytes,
                         enum km_memtype type, km_vaddr caller);
/* The default type: UC-minus. */
km_vaddr km_ioremap(struct km_io *io, struct km_cpu *cpu, km_paddr pa, uint32_t bytes,
                    km_vaddr caller);
bool km_iounmap(struct km_io *io, struct km_cpu *cpu, km_vaddr va);
/* NULL, or what is wrong: every mapping shows its physical range, page by page, and none is RAM. Untimed. */
const char *km_io_check(const struct km_io *io, const uint8_t *window);

uint8_t km_readb(struct km_io *io, struct km_cpu *cpu, km_vaddr va);
uint16_t km_readw(struct km_io *io, struct km_cpu *cpu, km_vaddr va);
uint32_t km_readl(struct km_io *io, struct km_cpu *cpu, km_vaddr va);
void km_writeb(struct km_io *io, struct km_cpu *cpu, uint8_t value, km_vaddr va);
void km_writew(struct km_io *io, struct km_cpu *cpu, uint16_t value, km_vaddr va);
void km_writel(struct km_io *io, struct km_cpu *cpu, uint32_t value, km_vaddr va);
/* Single bytes and a half word until the device address is aligned, then words. */
void km_memcpy_fromio(struct km_io *io, struct km_cpu *cpu, km_vaddr to, km_vaddr io_va,
                      uint32_t bytes);
void km_memcpy_toio(struct km_io *io, struct km_cpu *cpu, km_vaddr io_va, km_vaddr from,
                    uint32_t bytes);
void km_memset_io(struct km_io *io, struct km_cpu *cpu, km_vaddr io_va, uint8_t value,
                  uint32_t bytes);

#endif
