/* SPDX-License-Identifier: MIT
 * memblock.h - the kernel's memblock interface over models/os/memblock, for the kernel's own tests.
 *
 * It takes the place of the kernel's header of this name when tools/testing/memblock of a kernel source
 * is compiled (scripts/check-memblock.sh). Only what those tests use is here: the types whose fields they
 * read and reset, the calls, and the constants. Physical addresses are host addresses (their __pa and __va
 * are the identity).
 */
#ifndef KM_MEMBLOCK_FACADE_H
#define KM_MEMBLOCK_FACADE_H

#include <linux/cache.h>
#include <linux/kernel.h>
#include <linux/memory_hotplug.h>
#include <linux/mm.h>
#include <linux/numa.h>
#include <linux/sizes.h>
#include <linux/types.h>

enum memblock_flags {
    MEMBLOCK_NONE = 0,
    MEMBLOCK_HOTPLUG = 1,
    MEMBLOCK_MIRROR = 2,
    MEMBLOCK_NOMAP = 4,
    MEMBLOCK_DRIVER_MANAGED = 8,
};

struct memblock_region {
    phys_addr_t base, size;
    enum memblock_flags flags;
#ifdef CONFIG_NUMA
    int nid;
#endif
};

struct memblock_type {
    unsigned long cnt, max;
    phys_addr_t total_size;
    struct memblock_region *regions;
    char *name;
};

struct memblock {
    bool bottom_up;
    phys_addr_t current_limit;
    struct memblock_type memory, reserved;
};

extern struct memblock memblock;

#ifndef NUMA_NO_NODE
#define NUMA_NO_NODE (-1)
#endif
#define MEMBLOCK_ALLOC_ACCESSIBLE 0
#define MEMBLOCK_ALLOC_ANYWHERE (~(phys_addr_t)0)
#define MEMBLOCK_LOW_LIMIT 0

int memblock_add(phys_addr_t base, phys_addr_t size);
int memblock_add_node(phys_addr_t base, phys_addr_t size, int nid, enum memblock_flags flags);
int memblock_remove(phys_addr_t base, phys_addr_t size);
int memblock_reserve(phys_addr_t base, phys_addr_t size);
void memblock_free(void *ptr, size_t size);
void memblock_trim_memory(phys_addr_t align);
void *memblock_alloc_try_nid(phys_addr_t size, phys_addr_t align, phys_addr_t min_addr,
                             phys_addr_t max_addr, int nid);
void *memblock_alloc_try_nid_raw(phys_addr_t size, phys_addr_t align, phys_addr_t min_addr,
                                 phys_addr_t max_addr, int nid);
phys_addr_t memblock_start_of_DRAM(void);
phys_addr_t memblock_end_of_DRAM(void);

static inline void *memblock_alloc(phys_addr_t size, phys_addr_t align)
{
    return memblock_alloc_try_nid(size, align, MEMBLOCK_LOW_LIMIT, MEMBLOCK_ALLOC_ACCESSIBLE,
                                  NUMA_NO_NODE);
}

static inline void *memblock_alloc_raw(phys_addr_t size, phys_addr_t align)
{
    return memblock_alloc_try_nid_raw(size, align, MEMBLOCK_LOW_LIMIT, MEMBLOCK_ALLOC_ACCESSIBLE,
                                      NUMA_NO_NODE);
}

static inline void *memblock_alloc_from(phys_addr_t size, phys_addr_t align, phys_addr_t min_addr)
{
    return memblock_alloc_try_nid(size, align, min_addr, MEMBLOCK_ALLOC_ACCESSIBLE, NUMA_NO_NODE);
}

static inline void memblock_set_bottom_up(bool enable)
{
    memblock.bottom_up = enable;
}

static inline bool memblock_bottom_up(void)
{
    return memblock.bottom_up;
}

#endif
